"""The generation file beside an SQLite database: one word that every process maps, another after each change.

    <database>-generation, 4,096 bytes of the machine's own words of 64 bits:
    0  the nonce: random, drawn anew after every commit     2  what marks the file as one of these
    1  not used                                             3  born: microseconds since the machine started
                                                            4, 5  the identity, random

The nonce is no counter: two processes that add one at the same time lose one of the two. See docs/decisions/0033.
"""

import mmap
import os
import stat
from pathlib import Path

from latchgate.errors import StorageError
from latchgate.services.clock import boottime
from latchgate.services.entropy import SystemEntropy

__all__ = ["SETTLED_SECONDS", "TRUST_SECONDS", "Generation", "file_identity", "make_generation", "map_generation"]

TRUST_SECONDS = 0.25
"""How long a process believes that its mapping is still the file that everybody maps."""
SETTLED_SECONDS = TRUST_SECONDS + 0.05
"""After how long nobody believes in a file that was replaced."""

_BYTES = 4096
_WORD_BYTES = 8
_NONCE, _MARK, _BORN, _IDENTITY = 0, 2, 3, 4
_MARKED = int.from_bytes(b"LGgener1", "little")
_MICROSECONDS = 1_000_000

_entropy = SystemEntropy()

FileIdentity = tuple[int, int]
"""Device and inode."""


class Generation:
    """A generation file as this process has mapped it. Its words are read and written whole: they are aligned."""

    __slots__ = ("_identity", "_path", "_words", "born", "name", "place")

    def __init__(self, path: Path, place: FileIdentity, words: memoryview) -> None:
        self._path = path
        self._words = words
        self.place = place
        self.born = words[_BORN] / _MICROSECONDS
        """When it was made, in seconds since the machine started; 0 if nobody can have trusted another before it."""
        self._identity = (words[_IDENTITY], words[_IDENTITY + 1])
        self.name = f"{place[0]}:{place[1]}:{self._identity[0]:016x}{self._identity[1]:016x}"
        """What the database says of it: device, inode, identity."""

    @property
    def nonce(self) -> int:
        """The present nonce: what a verdict was judged before is over if this has become another."""
        word: int = self._words[_NONCE]
        return word

    def raise_nonce(self) -> None:
        """Make the nonce another one."""
        self._words[_NONCE] = _random_word()

    def is_intact(self) -> bool:
        """Whether the file is still the one that was mapped, in its place and in what it says of itself."""
        words = self._words
        same = words[_MARK] == _MARKED and (words[_IDENTITY], words[_IDENTITY + 1]) == self._identity
        return same and file_identity(self._path) == self.place

    def is_settled(self) -> bool:
        """Whether it is so old that no process trusts the one before it; one of before the last start is."""
        return not 0 <= boottime() - self.born < SETTLED_SECONDS


def file_identity(path: Path) -> FileIdentity | None:
    """Tell which file lies at a path, without opening it; None if there is none."""
    try:
        status = os.stat(path, follow_symlinks=False)  # noqa: PTH116  # asked at every look-up, and quicker
    except OSError:
        return None
    return status.st_dev, status.st_ino


def map_generation(path: Path) -> Generation | None:
    """Map the file at a path; None if there is none, or one that is no generation file. Raises StorageError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"The file {path} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != _BYTES:
            return None
        words = memoryview(mmap.mmap(descriptor, _BYTES)).cast("Q")
    except (OSError, ValueError) as error:
        # ValueError: it was cut after it was looked at.
        raise StorageError(f"The file {path} cannot be mapped", detail=str(error)) from error
    finally:
        os.close(descriptor)
    return Generation(path, (status.st_dev, status.st_ino), words) if words[_MARK] == _MARKED else None


def make_generation(path: Path, born: float) -> Generation:
    """Put a new file in the place of whatever is there. Only who holds the database's write lock may.

    Args:
        path: Where.
        born: Seconds since the machine started; 0 if nobody can trust another file at this path.

    Raises:
        StorageError: It cannot be made.
    """
    words = [0] * (_BYTES // _WORD_BYTES)
    words[_NONCE], words[_MARK], words[_BORN] = _random_word(), _MARKED, int(born * _MICROSECONDS)
    words[_IDENTITY], words[_IDENTITY + 1] = _random_word(), _random_word()
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        _write_whole(beside, memoryview(bytearray(_BYTES)).cast("Q"), words)
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"The file {path} cannot be made: {error.strerror}") from error
    made = map_generation(path)
    if made is None:
        raise StorageError(f"The file {path} was replaced while it was made")
    return made


def _write_whole(path: Path, page: memoryview, words: list[int]) -> None:
    # Every byte is written, so that the disk has room for it: a mapped hole on a full disk ends the process.
    for position, word in enumerate(words):
        page[position] = word
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, page)
        folder = path.parent.stat()
        if os.geteuid() == 0 and folder.st_uid != 0:
            # As give_to_owner: the service could not open what root made.
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    finally:
        os.close(descriptor)


def _random_word() -> int:
    return int.from_bytes(_entropy.random_bytes(_WORD_BYTES), "little")
