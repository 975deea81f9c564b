"""Throttles of a process beside the server: it counts in the server's memory, and alone where there is none.

A server that starts makes another memory; within a second the process counts there.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from limits.storage import Storage

from latchgate.services.clock import boottime
from latchgate.services.ports import Clock
from latchgate.services.throttles import BoundedStorage
from latchgate.storage.shared_counters import SharedCounters
from latchgate.storage.shared_slots import GUESTS, SharedSlots
from latchgate.storage.slot_files import find_shared_slots

__all__ = ["JoinedCounters", "JoinedMemory"]

_LOOK_SECONDS = 1.0


class JoinedMemory:
    """The server's memory as one process beside it has it. Safe in any thread; never across a fork."""

    def __init__(self, folder: Path, clock: Clock, elapsed: Callable[[], float] = boottime) -> None:
        """Look for nothing yet.

        Args:
            folder: Where the server keeps it.
            clock: For the ends of windows.
            elapsed: Tells the seconds since the machine started.
        """
        self._folder, self._clock, self._elapsed = folder, clock, elapsed
        self._lock = threading.Lock()
        self._shared: SharedSlots | None = None
        self._place: int | None = None
        self._guest: int | None = None
        self._look_at = 0.0

    def find(self) -> tuple[SharedSlots, int] | None:
        """Give the memory and the slot to count in; None if there is no server, or no slot is free."""
        if self._elapsed() >= self._look_at:
            with self._lock:
                if self._elapsed() >= self._look_at:
                    self._look()
                    self._look_at = self._elapsed() + _LOOK_SECONDS
        shared, guest = self._shared, self._guest
        return None if shared is None or guest is None else (shared, shared.slots - GUESTS + guest)

    def close(self) -> None:
        """Let the memory and the slot go."""
        with self._lock:
            self._drop()
            if self._place is not None:
                os.close(self._place)
            self._place = self._guest = None

    def _look(self) -> None:
        shared = self._shared
        if shared is None or not _is_at(shared.path, shared.descriptor):
            self._drop()
            self._shared = find_shared_slots(self._folder)
        # Also if there was none the last time: a reload has twice as many processes for a while.
        if self._shared is not None and self._guest is None:
            self._take_place()

    def _take_place(self) -> None:
        """Take a guest's place, which is held until it is closed, or the process dies."""
        for guest in range(GUESTS):
            with suppress(OSError):
                place = os.open(
                    self._folder / f"guest-{guest}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
                try:
                    fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(place)
                else:
                    self._place, self._guest = place, guest
                    return

    def _drop(self) -> None:
        shared, self._shared = self._shared, None
        if shared is not None:
            os.close(shared.descriptor)


class JoinedCounters(Storage):
    """One kind of counter: the server's, or one of this process alone while there is none to join."""

    STORAGE_SCHEME = None

    def __init__(self, memory: JoinedMemory, kind: str, clock: Clock) -> None:
        super().__init__()
        self._memory, self._kind, self._clock = memory, kind, clock
        self._alone = BoundedStorage(clock)
        self._joined: tuple[SharedSlots, int, SharedCounters] | None = None

    @property
    def base_exceptions(self) -> type[Exception]:
        """No exception of its own: memory does not fail by itself."""
        return MemoryError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window that begins with its first count and lasts `expiry` seconds."""
        return self._counters().incr(key, expiry, amount)

    def get(self, key: str) -> int:
        """Tell the count of the present window."""
        return self._counters().get(key)

    def get_expiry(self, key: str) -> float:
        """Tell when the present window ends, in Unix seconds."""
        return self._counters().get_expiry(key)

    def check(self) -> bool:
        """Tell that memory is there."""
        return True

    def reset(self) -> int | None:
        """Forget every counter; tell how many there were."""
        return self._counters().reset()

    def clear(self, key: str) -> None:
        """Forget one counter."""
        self._counters().clear(key)

    def _counters(self) -> Storage:
        found = self._memory.find()
        if found is None:
            return self._alone
        shared, slot = found
        joined = self._joined
        if joined is None or joined[0] is not shared or joined[1] != slot:
            joined = self._joined = shared, slot, SharedCounters(shared.table(self._kind), slot, self._clock)
        return joined[2]


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        there, here = path.stat(), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
