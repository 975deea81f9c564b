"""A worker in a thread, with an application that answers when it is told to, and the master's end of its link."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from latchgate.server.health import Phase
from latchgate.server.links import Order, UpLink, find_report, give_order, make_link
from latchgate.server.protocol import protocol_class
from latchgate.server.serving import WorkerServer
from latchgate.server.wire import WireLimits
from support.families import wait_until
from support.wire_server import make_config, read_body, reply

__all__ = ["LONG_SECONDS", "PATIENCE_SECONDS", "App", "Worker", "working"]

PATIENCE_SECONDS = 30.0
LONG_SECONDS = 3_600.0


class Worker:
    """A worker in a thread, and the master's end of its link."""

    def __init__(self, app: ASGI3Application, stop_seconds: float) -> None:
        self.phase = Phase(is_serving=False)
        self.link, theirs = make_link()
        protocol = protocol_class(WireLimits(idle_seconds=LONG_SECONDS, head_seconds=LONG_SECONDS))
        listener = socket.create_server(("127.0.0.1", 0))
        # As the master does, so that the port stays open when the worker takes nothing more.
        self.listener = listener.dup()
        self.server = WorkerServer(make_config(app, protocol), protocol, self.phase, stop_seconds, UpLink(theirs))
        self._theirs = theirs
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(self.listener.getsockname(), timeout=PATIENCE_SECONDS)

    def order(self, order: Order) -> None:
        """Order it to end, and wait until it has begun to."""
        give_order(self.link, order)
        wait_until(lambda: self.server._protocol.draining, "it takes nothing more")

    def wait(self) -> None:
        """Wait until it has ended."""
        self._thread.join(PATIENCE_SECONDS)
        assert self.is_over

    def close(self) -> None:
        """End it, however it fares."""
        give_order(self.link, Order.HURRY)
        self.wait()
        for one in (self.link, self._theirs, self.listener):
            one.close()


class App:
    """Answers at once, once told to, or in two pieces."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._may_go_on = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def go_on(self) -> None:
        """Let what waits go on, and what will."""
        self._may_go_on = True
        for loop, event in self._waiting:
            loop.call_soon_threadsafe(event.set)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer by the path."""
        assert scope["type"] == "http"
        self.begun.append(scope["path"])
        match scope["path"]:
            case "/half":
                await reply(send, await read_body(receive))
            case "/slow":
                await self._wait()
                await reply(send, b"late")
            case "/pieces":
                headers = [(b"content-length", b"8")]
                await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
                await send({"type": "http.response.body", "body": b"head", "more_body": True})
                await self._wait()
                await send({"type": "http.response.body", "body": b"tail", "more_body": False})
            case _:
                await reply(send, json.dumps(scope["path"]).encode())

    async def _wait(self) -> None:
        event = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), event))
        if not self._may_go_on:
            await event.wait()


@contextmanager
def working(app: ASGI3Application, stop_seconds: float = LONG_SECONDS) -> Iterator[Worker]:
    """Run a worker, and end it however it fares."""
    worker = Worker(app, stop_seconds)
    try:
        wait_until(lambda: find_report(worker.link), "it serves")
        yield worker
    finally:
        worker.close()
