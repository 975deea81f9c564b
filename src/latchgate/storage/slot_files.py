"""The file of the memory that all processes of one server share: made, found by who has not inherited it, and removed.

The master makes it before it forks, so that every process has the same one, whatever becomes of its name.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from latchgate.errors import StorageError
from latchgate.services.measures import WORDS
from latchgate.storage.shared_slots import PAGE_BYTES, SharedSlots, lay_out

__all__ = ["find_shared_slots", "make_shared_slots"]

_LABEL = struct.Struct("<16sII32s")
"""At the end of the file, for who has not inherited it: a mark, how many slots and counters there are, the salt."""
_MARK = b"latchgate-slots1"
_FILES = "counters-"


def make_shared_slots(folder: Path, *, slots: int, salt: bytes, names: Sequence[str] = WORDS) -> SharedSlots:
    """Make the memory, all of it zero, in a file of its own; files that no process uses any more are removed.

    Args:
        folder: Made with mode 0700 if it is not there.
        slots: How many processes may write at the same time.
        salt: At least 16 random bytes.
        names: Of the counters.

    Raises:
        StorageError: No room on the disk, or no right to it.
    """
    layout = lay_out(slots, len(names))
    path = folder / f"{_FILES}{salt[:8].hex()}"
    with _told_as_storage_error(path):
        folder.mkdir(mode=0o700, exist_ok=True)
        _remove_abandoned(folder)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Held by every process that inherits the descriptor, for as long as one of them lives.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _give_to_owner(folder.parent, (folder, path))
        # Not only made long: a page for which there is no room on the disk kills whoever touches it.
        os.posix_fallocate(descriptor, 0, layout.size)
        words = memoryview(mmap.mmap(descriptor, layout.size)).cast("Q")
        os.pwrite(descriptor, _LABEL.pack(_MARK, slots, len(names), salt), layout.size - PAGE_BYTES)
    return SharedSlots(slots, tuple(names), salt, path, descriptor, words, layout)


def find_shared_slots(folder: Path, names: Sequence[str] = WORDS) -> SharedSlots | None:
    """Open the memory of the server that runs; None if there is none, or one of another release.

    The caller may write in none but a guest's slot, and closes the descriptor.
    """
    for path in sorted(folder.glob(f"{_FILES}*")):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            found = _open_served(path, descriptor, names)
            if found is not None:
                return found
            os.close(descriptor)
    return None


def _open_served(path: Path, descriptor: int, names: Sequence[str]) -> SharedSlots | None:
    size = os.fstat(descriptor).st_size
    if size < PAGE_BYTES or not _is_held(descriptor):
        return None
    mark, slots, count, salt = _LABEL.unpack(os.pread(descriptor, _LABEL.size, size - PAGE_BYTES))
    layout = lay_out(slots, len(names))
    if mark != _MARK or count != len(names) or layout.size != size:
        return None
    words = memoryview(mmap.mmap(descriptor, size)).cast("Q")
    return SharedSlots(slots, tuple(names), salt, path, descriptor, words, layout)


def _is_held(descriptor: int) -> bool:
    """Whether some process of the server that made it lives."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_FILES}*"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def _give_to_owner(home: Path, made: Sequence[Path]) -> None:
    # What root made, the service's own user must be able to remove at its next start.
    owner = home.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in made:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextmanager
def _told_as_storage_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"The workers' counters cannot be kept in {path}: {error.strerror}") from None
