"""Memory that all processes of one server share: each word has one writer, and whoever reads adds them up.

The master makes the file before it forks, so that every process has the same one, whatever becomes of its name. Each
process takes a slot of its own; a slot is given away again only once its process has died. What stands in a slot goes
on counting: its next owner goes on from there. See docs/decisions/0036-workers.md.
"""

import errno
import fcntl
import mmap
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from latchgate.errors import StorageError
from latchgate.services.measures import GAUGES, WORDS, Measures

__all__ = ["GUESTS", "SharedSlots", "Slot", "Table", "find_shared_slots", "make_shared_slots"]

WAYS = 8
"""How many windows may lie where a key's hash says; of more, one must go."""

GUESTS = 6
"""How many processes that are not the server's may count beside it: the last slots are theirs."""

_LABEL = struct.Struct("<16sII32s")
"""At the end of the file, for who has not inherited it: a mark, how many slots and counters there are, the salt."""
_MARK = b"latchgate-slots1"
_WORD_BYTES = 8
_PAGE_BYTES = 4096
_FILES = "counters-"
# Of what strangers may fill, a table that one address can fill is not made much better by being larger.
_ENTRIES = {
    "guesses": 16_384,
    "sign_ins": 16_384,
    "wrong_passwords": 16_384,
    "uses": 65_536,
    "user_codes": 4_096,
    "devices": 4_096,
    "registrations": 4_096,
}
_BYTES_MAX = 32 * 1024 * 1024
_PATIENCE_SECONDS = 1.0
_PAUSE_SECONDS = 0.0002


@dataclass(frozen=True, slots=True)
class Table:
    """Where the windows of one kind of key lie; kinds lie apart, so that none pushes out another's."""

    words: memoryview = field(repr=False)
    salt: bytes = field(repr=False)
    """So that nobody can choose keys that fall on each other."""
    slots: int
    entries: int
    generation_at: int
    """The word that holds the number of the window begun last."""
    heads_at: int
    """Two words an entry: the key's mark and the window."""
    counts_at: int
    """A word for each slot an entry."""
    alone: Callable[[], AbstractContextManager[None]] = field(repr=False)
    """Gives a block in which no other process begins or ends a window here; it raises TimeoutError."""


@dataclass(frozen=True, slots=True)
class SharedSlots:
    """The whole memory, as the master made it and every process inherits it."""

    slots: int
    """How many processes may write at the same time."""
    names: tuple[str, ...]
    salt: bytes = field(repr=False)
    path: Path
    descriptor: int
    words: memoryview = field(repr=False)
    layout: "_Layout" = field(repr=False)

    def slot(self, number: int) -> "Slot":
        """Give a process its slot. Nobody else may have it before that process has died."""
        if not 0 <= number < self.slots:
            raise AssertionError(f"there is no slot {number}")
        return Slot(self, number)

    def table(self, kind: str) -> Table:
        """Give the windows of one kind of key."""
        index = list(_ENTRIES).index(kind)
        place = self.layout.tables[kind]
        return Table(
            words=self.words,
            salt=self.salt + kind.encode(),
            slots=self.slots,
            entries=place.entries,
            generation_at=index,
            heads_at=place.heads_at,
            counts_at=place.counts_at,
            alone=lambda: _Alone(self.descriptor, index),
        )

    def read_totals(self) -> dict[str, int]:
        """Add up every counter over all slots, those of dead processes too."""
        start, width = self.layout.counters_at, self.layout.width
        return {
            name: sum(self.words[start + slot * width + number] for slot in range(self.slots))
            for number, name in enumerate(self.names)
        }

    def clear_gauges(self, number: int) -> None:
        """Take back what the dead owner of a slot had, for it has nothing any more; what it counted stays.

        For the master, who must not die of a file that somebody has cut.
        """
        for name in GAUGES:
            self.slot(number).write(name, 0)

    def mend(self) -> None:
        """Give the file its size again, if somebody has cut it: what reads beyond its end dies.

        On a full disk it stays as it is, and those that read it go on dying, until there is room.
        """
        size = self.words.nbytes
        if os.fstat(self.descriptor).st_size < size:
            with suppress(OSError):
                os.posix_fallocate(self.descriptor, 0, size)

    def remove(self) -> None:
        """Take the file's name away; the memory lives on in whoever has it."""
        with suppress(FileNotFoundError):
            self.path.unlink()


@dataclass(frozen=True, slots=True)
class Slot:
    """What one process writes."""

    shared: SharedSlots
    number: int

    def counter(self, name: str) -> Callable[[int], None]:
        """Give a function that adds to a counter; one thread at a time may call it.

        One aligned store of a word that nobody else writes: no reader ever sees half a number.
        """
        words, place = self.shared.words, self._place(name)

        def add(amount: int) -> None:
            words[place] += amount

        return add

    def lasting_counter(self, name: str) -> Callable[[int], None]:
        """Give such a function for the master, who must not die of a file that somebody has cut: a slow one."""
        total = 0

        def add(amount: int) -> None:
            nonlocal total
            total += amount
            self.write(name, total)

        return add

    def write(self, name: str, value: int) -> None:
        """Set a word by way of the file, which does not die of what it finds; slow."""
        with suppress(OSError):  # a full disk is no reason either
            place = self._place(name) * _WORD_BYTES
            os.pwrite(self.shared.descriptor, value.to_bytes(_WORD_BYTES, sys.byteorder), place)

    def measures(self) -> Measures:
        """Give what its process counts by; the memory must have been made for all of WORDS."""
        return Measures(self.shared.words, self._place(WORDS[0]), self.shared.read_totals)

    def _place(self, name: str) -> int:
        layout = self.shared.layout
        return layout.counters_at + self.number * layout.width + self.shared.names.index(name)


@dataclass(frozen=True, slots=True)
class _Place:
    entries: int
    heads_at: int
    counts_at: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything lies, in words. The first words are the tables' numbers of windows."""

    counters_at: int
    width: int
    """Of one slot's counters: a multiple of what a processor keeps together, so that no two slots share that."""
    tables: Mapping[str, _Place]
    size: int
    """In bytes."""


class _Alone:
    """A lock on one byte of the file, which the system takes from whoever dies."""

    def __init__(self, descriptor: int, byte: int) -> None:
        self._descriptor = descriptor
        self._byte = byte

    def __enter__(self) -> None:
        # Held for some stores to memory; one who was stopped in the middle must not stop all others for ever.
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._byte)
                return
            except OSError as error:
                if error.errno not in {errno.EACCES, errno.EAGAIN}:
                    raise
            if time.monotonic() >= until:
                raise TimeoutError
            time.sleep(_PAUSE_SECONDS)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, self._byte)


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
    layout = _lay_out(slots, len(names))
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
        os.pwrite(descriptor, _LABEL.pack(_MARK, slots, len(names), salt), layout.size - _PAGE_BYTES)
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
    if size < _PAGE_BYTES or not _is_held(descriptor):
        return None
    mark, slots, count, salt = _LABEL.unpack(os.pread(descriptor, _LABEL.size, size - _PAGE_BYTES))
    layout = _lay_out(slots, len(names))
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


def _lay_out(slots: int, names: int) -> _Layout:
    entries = dict(_ENTRIES)
    while sum(entries.values()) * (2 + slots) * _WORD_BYTES > _BYTES_MAX and min(entries.values()) > WAYS:
        entries = {kind: count // 2 for kind, count in entries.items()}
    width = -(-max(names, 1) // 8) * 8
    counters_at = 8
    at = counters_at + slots * width
    tables = {}
    for kind, count in entries.items():
        tables[kind] = _Place(count, at, at + 2 * count)
        at += (2 + slots) * count
    # The last page is for the label.
    return _Layout(counters_at, width, tables, (-(-at * _WORD_BYTES // _PAGE_BYTES) + 1) * _PAGE_BYTES)


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
