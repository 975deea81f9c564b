"""A small application behind the wire: on real sockets in a thread, or on a transport made of lists."""

import asyncio
import contextlib
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import uvicorn
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.server import ServerState

from latchgate.server.protocol import WireProtocol, _Stage

PATIENCE_SECONDS = 20.0
GOOD_REQUEST = b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer with what arrived; ``/unread`` without having read the body."""
    assert scope["type"] == "http"
    body = b"" if scope["path"] == "/unread" else await read_body(receive)
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    answer = {"method": scope["method"], "path": scope["path"], "headers": headers, "body": body.decode("latin-1")}
    await reply(send, json.dumps(answer).encode())


async def read_body(receive: ASGIReceiveCallable) -> bytes:
    """Return the whole body, or what came of it before the client left."""
    body = b""
    more_body = True
    while more_body:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message["body"]
        more_body = message["more_body"]
    return body


async def reply(send: ASGISendCallable, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Send one whole 200."""
    headers = (*headers, (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def make_config(app: ASGI3Application, protocol: type[WireProtocol], loop: str = "uvloop") -> uvicorn.Config:
    """Return the configuration with which the protocol is meant to be used."""
    return uvicorn.Config(
        app,
        http=protocol,
        loop=cast("Any", loop),
        proxy_headers=False,
        server_header=False,
        date_header=True,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )


class WireServer:
    """A running server; ``complaints`` is all that it or its event loop logged as a warning or worse."""

    def __init__(self, config: uvicorn.Config) -> None:
        self.complaints: list[logging.LogRecord] = []
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    @property
    def connections(self) -> list[WireProtocol]:
        """The connections that are open on the server's side."""
        return cast("list[WireProtocol]", list(self._server.server_state.connections))

    def connect(self) -> socket.socket:
        """Open a connection that gives up in time."""
        return socket.create_connection(self.address, timeout=PATIENCE_SECONDS)

    def exchange(self, *pieces: bytes) -> bytes:
        """Send all pieces on one connection and return what comes back until the server closes it."""
        with self.connect() as client:
            for piece in pieces:
                client.sendall(piece)
            return read_all(client)

    def is_well(self) -> bool:
        """Return whether a new connection gets a good answer."""
        with self.connect() as client:
            client.sendall(GOOD_REQUEST)
            return client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        """Return when it has ended."""
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
        self._socket.close()
        assert not self._thread.is_alive()


@contextlib.contextmanager
def serving(protocol: type[WireProtocol], app: ASGI3Application = echo, loop: str = "uvloop") -> Iterator[WireServer]:
    """Run a server, and hold it to not having complained."""
    server = WireServer(make_config(app, protocol, loop))
    with collecting_complaints(server.complaints):
        server.start()
        try:
            yield server
        finally:
            server.stop()
    assert [record.getMessage() for record in server.complaints] == []


@contextlib.contextmanager
def collecting_complaints(records: list[logging.LogRecord]) -> Iterator[None]:
    """Gather what is logged as a warning or worse."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def wait_until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; fail if it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def read_all(client: socket.socket) -> bytes:
    """Return all bytes until the other side closes, or resets, the connection."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return bytes(received)


def find_statuses(answers: bytes) -> list[int]:
    """Return the statuses of all responses in a stream."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


class ListTransport(asyncio.Transport):
    """A socket made of a list: what is written stays, and the peer takes it all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = False
        self.is_ended = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 80)}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_ended, "written after the end, which real transports refuse"
        if not self.is_closed:
            self.written += data

    def write_eof(self) -> None:
        self.is_ended = True

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class ListConnection:
    """One connection to an application, driven piece by piece on the running loop."""

    def __init__(
        self, protocol: type[WireProtocol], app: ASGI3Application = echo, state: ServerState | None = None
    ) -> None:
        config = make_config(app, protocol)
        config.load()
        self._state = state or ServerState()
        self.transport = ListTransport()
        self.protocol = protocol(config, self._state, {})
        self.protocol.connection_made(self.transport)

    async def exchange(self, pieces: Iterable[bytes]) -> bytes:
        """Let all pieces arrive, then let the client go; return all that was answered."""
        await self.send(pieces)
        await self.close()
        return bytes(self.transport.written)

    async def send(self, pieces: Iterable[bytes]) -> None:
        """Let each piece arrive, and the application do what it can, by itself."""
        await self._settle()
        for piece in pieces:
            if self.transport.is_closed:
                break
            self.protocol.data_received(piece)
            await self._settle()

    async def close(self) -> None:
        """Let the client go, and the application end."""
        self.protocol.connection_lost(None)
        await asyncio.gather(*self._state.tasks)

    async def _settle(self) -> None:
        for _ in range(100_000):
            await asyncio.sleep(0)
            waits_for_body = self.protocol._stage is _Stage.BODY and not self.protocol.pipeline
            if not self.protocol._held and (waits_for_body or not self._state.tasks):
                return
        raise AssertionError("the connection never comes to rest")
