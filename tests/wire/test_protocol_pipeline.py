"""Requests sent ahead of their answers: how many may wait, and what becomes of them."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from latchgate.server.protocol import WireProtocol, protocol_class
from latchgate.server.wire import WireLimits
from support.wire_server import ListConnection, WireServer, find_statuses, read_body, reply, serving, wait_until

_LIMITS = WireLimits()
_ANSWER_BYTES = 50_000
_WAITING: list[int] = []
_HELD_BYTES: list[int] = []
# The most that either event loop reads at once.
_READ_BYTES_MAX = 262_144


class _ObservedProtocol(WireProtocol):
    """Keeps account of how many requests wait, and of how much is kept unparsed."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        _HELD_BYTES.append(len(self._held))

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        _WAITING.append(len(self.pipeline))


class _Gated:
    """An application that answers nothing until it may, and then with a good deal."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.begun: list[str] = []
        self.left: list[str] = []

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        self.begun.append(scope["path"])
        if scope["path"] == "/leave":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.append(scope["path"])
        else:
            if not self.may_answer.is_set():
                await asyncio.to_thread(self.may_answer.wait)
            await reply(send, scope["path"].encode().ljust(_ANSWER_BYTES))


@pytest.fixture
def app() -> _Gated:
    """An application that waits for the test."""
    return _Gated()


@pytest.fixture(params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest, app: _Gated) -> Iterator[WireServer]:
    """A server with the limits as they come, on either event loop."""
    _WAITING.clear()
    _HELD_BYTES.clear()
    with serving(protocol_class(_LIMITS, base=_ObservedProtocol), app, request.param) as running:
        yield running
        app.may_answer.set()


def _requests(count: int) -> bytes:
    padding = b"p" * 2_000
    return b"".join(b"GET /%d HTTP/1.1\r\nPadding: %s\r\n\r\n" % (number, padding) for number in range(count))


def _send_until_refused(client: socket.socket, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.sendall(data)


def _read_answers(client: socket.socket, count: int) -> list[bytes]:
    """Return the bodies of so many answers."""
    bodies = []
    with client.makefile("rb") as stream:
        for _ in range(count):
            assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
            while stream.readline() != b"\r\n":
                pass
            bodies.append(stream.read(_ANSWER_BYTES))
    return bodies


def _is_at_rest(connection: WireProtocol) -> bool:
    return connection.flow.read_paused and len(connection.pipeline) == _LIMITS.pipeline_max


def test_a_full_pipeline_is_not_read_further(server: WireServer, app: _Gated) -> None:
    """Of a thousand requests one is being answered, sixteen wait, and the rest are left unparsed."""
    with server.connect() as client:
        client.sendall(_requests(100))
        # Parsed in one go, before the application has its turn to begin.
        wait_until(lambda: app.begun and _is_at_rest(server.connections[0]))

        assert app.begun == ["/0"]
        assert max(_WAITING) == _LIMITS.pipeline_max


def test_a_request_cut_in_its_last_line_is_no_way_around_the_limit() -> None:
    """The end of one request and the whole of the next in one packet still make two."""
    request = b"GET /a HTTP/1.1\r\n\r\n"

    async def drive() -> int:
        connection = ListConnection(protocol_class(_LIMITS))
        connection.protocol.data_received(request * _LIMITS.pipeline_max + request[:-1])
        connection.protocol.data_received(b"\n" + request * 5)
        count = len(connection.protocol.pipeline)
        assert find_statuses(await connection.exchange([])) == [200] * (_LIMITS.pipeline_max + 6)
        return count

    assert asyncio.run(drive()) == _LIMITS.pipeline_max


def test_a_pipeline_goes_on_when_it_has_drained(server: WireServer, app: _Gated) -> None:
    """Every one of a thousand requests is answered, in order, and never more than sixteen wait."""
    app.may_answer.set()
    with server.connect() as client:
        sender = threading.Thread(target=client.sendall, args=(_requests(1000),))
        sender.start()
        answers = _read_answers(client, 1000)
        sender.join()

    assert app.begun == [f"/{number}" for number in range(1000)]
    assert [answer.strip().decode() for answer in answers] == app.begun
    assert max(_WAITING) <= _LIMITS.pipeline_max
    assert max(_HELD_BYTES) <= _READ_BYTES_MAX


def test_a_client_that_does_not_read_is_not_served_ahead(server: WireServer, app: _Gated) -> None:
    """When answers pile up, no further request is begun, and little more than one answer is kept."""
    app.may_answer.set()
    with server.connect() as client:
        sender = threading.Thread(target=_send_until_refused, args=(client, _requests(1000)))
        sender.start()
        wait_until(lambda: server.connections and server.connections[0].flow.write_paused)
        (connection,) = server.connections

        assert len(app.begun) < 500
        assert len(connection.pipeline) <= _LIMITS.pipeline_max
        assert connection.transport.get_write_buffer_size() < 65_536 + 2 * _ANSWER_BYTES
        assert max(_HELD_BYTES) <= _READ_BYTES_MAX
        client.shutdown(socket.SHUT_RDWR)
        sender.join()


def test_waiting_bodies_are_bounded_too(server: WireServer, app: _Gated) -> None:
    """Requests that wait keep but a part of their bodies in memory."""
    body = b"b" * 500_000
    request = b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with server.connect() as client:
        sender = threading.Thread(target=client.sendall, args=(_requests(1) + request * 10,))
        sender.start()
        wait_until(lambda: server.connections and server.connections[0].flow.read_paused)
        (connection,) = server.connections

        assert sum(len(cycle.body) for cycle, _ in connection.pipeline) + len(connection._held) < 400_000
        app.may_answer.set()
        assert len(_read_answers(client, 11)) == 11
        sender.join()


def test_what_arrives_in_spite_of_a_pause_waits_unparsed() -> None:
    """Neither an application that asks for more nor a transport with a buffer of its own fills a waiting request."""
    body = b"b" * 200_000
    head = b"POST /last HTTP/1.1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)

    async def drive() -> None:
        may_answer = asyncio.Event()
        bodies: list[bytes] = []

        async def wait(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            await may_answer.wait()
            bodies.append(await read_body(receive))
            await reply(send, b"")

        connection = ListConnection(protocol_class(_LIMITS), wait)
        protocol = connection.protocol
        protocol.data_received(_requests(1) + head + body[:100_000])
        for start in range(100_000, len(body), 50_000):
            protocol.flow.resume_reading()
            protocol.data_received(body[start : start + 50_000])

        assert protocol.flow.read_paused
        assert sum(len(cycle.body) for cycle, _ in protocol.pipeline) < 80_000
        may_answer.set()
        answer = await connection.exchange([])
        assert bodies == [b"", body]
        assert find_statuses(answer) == [200, 200]

    asyncio.run(drive())


def test_what_was_kept_is_dropped_with_its_connection() -> None:
    """A connection that ends as its pipeline drains begins nothing more."""
    begun: list[str] = []

    async def drive() -> None:
        closed = asyncio.Event()

        async def close_after_the_last(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            assert scope["type"] == "http"
            begun.append(scope["path"])
            await reply(send, b"")
            if len(begun) == _LIMITS.pipeline_max + 1:
                connection.transport.close()
                closed.set()

        connection = ListConnection(protocol_class(_LIMITS), close_after_the_last)
        connection.protocol.data_received(_requests(100))
        await closed.wait()
        await asyncio.sleep(0)
        await connection.close()

    asyncio.run(drive())
    assert len(begun) == _LIMITS.pipeline_max + 1


def test_the_running_application_learns_that_its_client_left(server: WireServer, app: _Gated) -> None:
    """Also when other requests had been sent behind the one it works on."""
    with server.connect() as client:
        client.sendall(b"GET /leave HTTP/1.1\r\n\r\n" + _requests(3))
        wait_until(lambda: server.connections and len(server.connections[0].pipeline) == 3)
        (connection,) = server.connections
        # uvicorn pauses reading behind a waiting request, so that the leave itself must be told by hand.
        connection.loop.call_soon_threadsafe(connection.transport.close)

    wait_until(lambda: app.left == ["/leave"])
    assert app.begun == ["/leave"]


def test_a_closing_answer_ends_the_pipeline(server: WireServer, app: _Gated) -> None:
    """What was sent behind the last request of a connection is never begun."""
    app.may_answer.set()
    answer = server.exchange(b"GET /last HTTP/1.0\r\n\r\n" + _requests(100))

    assert find_statuses(answer) == [200]
    assert app.begun == ["/last"]
