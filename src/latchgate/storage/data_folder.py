"""The data folder: made for its owner alone, and locked so that nobody replaces what somebody is using."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latchgate.errors import SettingsError

__all__ = ["DataFolder", "give_to_owner", "prepare_folder", "sync_folder"]

_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.05
_OUR_FILES = ("*.db", "*.db-*", "*.key", "log", "log/*")


def prepare_folder(path: Path) -> None:
    """Make the data folder, mode 0700, if it is not there. Raises SettingsError if it cannot be used."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise SettingsError(f"The data folder {path} is not a folder") from None
    except OSError as error:
        raise SettingsError(f"The data folder {path} cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise SettingsError(f"The data folder {path} is not writable; let the user that runs Latchgate own it")


def give_to_owner(path: Path) -> None:
    """Let the folder's owner have the files that root made in it, or the service could not open them."""
    status = path.stat()
    if os.geteuid() != 0 or status.st_uid == 0:
        return
    for pattern in _OUR_FILES:
        for file in path.glob(pattern):
            if file.stat(follow_symlinks=False).st_uid == 0:
                os.chown(file, status.st_uid, status.st_gid, follow_symlinks=False)


def sync_folder(path: Path) -> None:
    """Put a folder's list of names on the disk; a power cut may else take the name of a file that is safe itself."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DataFolder:
    """A hold on the data folder: shared by all who use it, or alone for whoever sets it up or restores it.

    The lock is the system's (flock) on the folder itself: it ends with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        """Take a shared hold. Raises SettingsError if the folder is missing, others' too, or is being restored."""
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise SettingsError(f"The data folder {path} cannot be opened: {error.strerror}") from None
        try:
            _require_own(path, os.fstat(self._descriptor))
            self._take(fcntl.LOCK_SH, _PATIENCE_SECONDS)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def alone(self, patience_seconds: float = _PATIENCE_SECONDS) -> Iterator[None]:
        """Hold the folder alone for a while. Raises SettingsError while another process uses it.

        Between the shared hold and this one others may have had their turn: look again at what is there.
        """
        self._take(fcntl.LOCK_EX, patience_seconds)
        try:
            yield
        finally:
            self._take(fcntl.LOCK_SH, _PATIENCE_SECONDS)

    def close(self) -> None:
        """Let go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, kind: int, patience_seconds: float) -> None:
        until = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise SettingsError(
                        f"The data folder {self.path} is in use by another process of Latchgate; stop that first"
                    ) from None
                time.sleep(_PAUSE_SECONDS)


def _require_own(path: Path, status: os.stat_result) -> None:
    """Refuse a folder in which others could put what is opened here. Raises SettingsError."""
    # Root may look after the folder of whoever runs the service.
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        raise SettingsError(f"The data folder {path} belongs to another user; run as its owner")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(f"Others may write to the data folder {path}; run: chmod 700 {path}")
    for pattern in _OUR_FILES:
        for link in sorted(entry for entry in path.glob(pattern) if entry.is_symlink()):
            # Databases and key file lie here themselves: through a link they could be anybody's, with anybody's mode.
            raise SettingsError(f"{link} is a link; put the file itself there")
