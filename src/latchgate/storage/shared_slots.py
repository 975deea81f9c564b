"""Memory that all processes of one server share: each word has one writer, and whoever reads adds them up.

Each process takes a slot of its own; a slot is given away again only once its process has died. What stands in a slot
goes on counting: its next owner goes on from there. See docs/decisions/0036-workers.md.
"""

import errno
import fcntl
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from latchgate.services.measures import GAUGES, WORDS, Measures

__all__ = ["GUESTS", "PAGE_BYTES", "WAYS", "Layout", "SharedSlots", "Slot", "Table", "lay_out"]

WAYS = 8
"""How many windows may lie where a key's hash says; of more, one must go."""

GUESTS = 6
"""How many processes that are not the server's may count beside it: the last slots are theirs."""

_WORD_BYTES = 8
PAGE_BYTES = 4096
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
    layout: "Layout" = field(repr=False)

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
class Layout:
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


def lay_out(slots: int, names: int) -> Layout:
    """Tell where everything lies in memory for so many processes and counters."""
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
    return Layout(counters_at, width, tables, (-(-at * _WORD_BYTES // PAGE_BYTES) + 1) * PAGE_BYTES)
