"""The one clock: wall time at start plus the time elapsed since, moved forward only."""

import threading
import time
from functools import partial

__all__ = ["SystemClock", "boottime"]

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


boottime = partial(time.clock_gettime, _BOOTTIME)
"""Tells the seconds since the machine started, sleep included where the system counts it; nobody can set it."""


class SystemClock:
    """Fulfils the port Clock.

    A wall clock that is set back would let expired keys live again and give two log rows one time. Elapsed time is
    CLOCK_BOOTTIME where the system has it, so that sleep counts. A wall clock that was set forward is followed.
    """

    def __init__(self) -> None:
        self._offset = time.time() - boottime()
        self._last_us = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        """Tell the time in Unix seconds."""
        elapsed = boottime()
        return int(self._follow(elapsed) + elapsed)

    def now_us(self) -> int:
        """Tell the time in microseconds since 1970; strictly greater at each call."""
        with self._lock:
            # As `_follow` says it: every request asks, and a call costs as much as the clock.
            elapsed = boottime()
            ahead = time.time() - elapsed
            self._offset = max(self._offset, ahead)
            now = int((self._offset + elapsed) * 1_000_000)
            if now <= self._last_us:
                now = self._last_us + 1
            self._last_us = now
            return now

    def _follow(self, elapsed: float) -> float:
        ahead = time.time() - elapsed
        self._offset = max(self._offset, ahead)
        return self._offset
