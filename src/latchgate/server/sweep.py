"""Time limits for many connections at the price of one timer."""

import asyncio
from collections.abc import Collection
from typing import Protocol


class TimedConnection(Protocol):
    """A connection that knows when it has outstayed its time."""

    def check_time(self, now: float) -> None:
        """Close the connection if a limit has passed; ``now`` is the loop's time."""


class Sweep:
    """One timer that looks at all connections of a server in turn, and rests while there is none.

    A timer per request costs the event loop more than the request's own parsing; a look at every connection once a
    second costs next to nothing.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connections: Collection[TimedConnection], interval_seconds: float
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._interval_seconds = interval_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def stop(self) -> None:
        """Look no more."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def start(self) -> None:
        """See to it that a look is due within the interval."""
        if self._timer is None and not self._is_over:
            self._timer = self._loop.call_later(self._interval_seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._connections:
            return
        # Before the look, so that an error in it cannot end all looking.
        self.start()
        now = self._loop.time()
        # Closing one takes it out of the collection.
        for connection in tuple(self._connections):
            connection.check_time(now)
