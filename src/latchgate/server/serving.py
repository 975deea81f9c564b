"""uvicorn's server as one of several processes: it tells the master when it serves, and ends as the master says."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import cast

import uvicorn

from latchgate.server.health import Phase
from latchgate.server.links import Order, UpLink
from latchgate.server.protocol import WireProtocol
from latchgate.services.operator_log import OperatorLog

__all__ = ["WorkerServer"]

_log = OperatorLog()

IDLE_GRACE_SECONDS = 1.0
"""How long a kept connection may still bring a request once the service is stopping: what was on its way has come."""
ROOM_SECONDS = 180.0
"""How long a worker that makes room waits for its last connections: longer than any may be idle or send its body."""
_LOOK_SECONDS = 0.05
_CUT_SECONDS = 0.5


class WorkerServer(uvicorn.Server):
    """Serves until it is ordered to end; then no connection is reset that a request is on, or may be on its way on."""

    def __init__(
        self, config: uvicorn.Config, protocol: type[WireProtocol], phase: Phase, stop_seconds: float, link: UpLink
    ) -> None:
        super().__init__(config)
        self._protocol = protocol
        self._phase = phase
        self._stop_seconds = stop_seconds
        self._link = link
        self._order = Order.NONE

    def end(self, order: Order) -> None:
        """Begin to end, or go on to end sooner; may be called by a signal's handler."""
        self._order = max(self._order, order)
        self._phase.is_serving = self._order < Order.STOP
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs the server: uvicorn would raise them once more at the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections, and tell the master."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_reader(self._link.fileno(), self._obey)
        self._phase.is_serving = self._order < Order.STOP
        self._link.report_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and let those that there are end."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        self._protocol.drain(self.server_state)
        await self._wait_for_connections()
        await self._cut_off()
        for server in self.servers:
            await server.wait_closed()
        asyncio.get_running_loop().remove_reader(self._link.fileno())
        await self.lifespan.shutdown()

    def _obey(self) -> None:
        self.end(self._link.order())
        if not self._link.has_master:
            # What is over can be read for ever.
            asyncio.get_running_loop().remove_reader(self._link.fileno())

    def _connections(self) -> list[WireProtocol]:
        return list(cast("set[WireProtocol]", self.server_state.connections))

    async def _wait_for_connections(self) -> None:
        loop = asyncio.get_running_loop()
        until, is_stopping = loop.time() + ROOM_SECONDS, False
        # At first some may have been taken that are not in the set yet.
        await asyncio.sleep(_LOOK_SECONDS)
        while (self._connections() or self.server_state.tasks) and self._order < Order.HURRY and loop.time() < until:
            if self._order is Order.STOP and not is_stopping:
                is_stopping, until = True, min(until, loop.time() + self._stop_seconds)
                self._hasten()
            now = loop.time()
            await asyncio.sleep(_LOOK_SECONDS)
            # By the time of before: whatever had come by then, however slow this machine is, has been read meanwhile.
            for connection in self._connections():
                connection.check_time(now)

    def _hasten(self) -> None:
        self._protocol.patience_seconds = IDLE_GRACE_SECONDS
        for connection in self._connections():
            connection.hasten()

    async def _cut_off(self) -> None:
        """End what is left. The application finds its clients gone, and logs their requests as it does else."""
        tasks = list(self.server_state.tasks)
        for connection in self._connections():
            connection.transport.abort()
        if not tasks:
            return
        _log.warning("stopped before every request was answered", requests=len(tasks))
        _, unheeding = await asyncio.wait(tasks, timeout=_CUT_SECONDS)
        for task in unheeding:
            task.cancel()
        if unheeding:
            await asyncio.wait(unheeding, timeout=_CUT_SECONDS)
