"""Refusals in the middle of other things, and the parts of uvicorn that all of it stands on."""

import asyncio
import inspect
import logging

import pytest
import uvicorn
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from latchgate.server.protocol import WireProtocol, protocol_class
from latchgate.server.wire import WireLimits
from support.wire_server import (
    GOOD_REQUEST,
    ListConnection,
    ListTransport,
    collecting_complaints,
    echo,
    find_statuses,
    make_config,
    read_body,
    reply,
)

_LIMITS = WireLimits(body_bytes_max=10)
_PROTOCOL = protocol_class(_LIMITS)
_CHUNKED = b"POST /chunked HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
_TOO_MUCH = b"b\r\n" + b"b" * 11 + b"\r\n"


def _run(*pieces: bytes, protocol: type[WireProtocol] = _PROTOCOL, app: ASGI3Application = echo) -> bytes:
    async def drive() -> bytes:
        return await ListConnection(protocol, app).exchange(pieces)

    return asyncio.run(drive())


def test_a_refusal_after_the_answer_is_not_a_second_answer() -> None:
    """Who was answered before the body proved too large only sees the connection end."""
    unread = _CHUNKED.replace(b"/chunked", b"/unread")

    assert find_statuses(_run(unread, _TOO_MUCH, GOOD_REQUEST)) == [200]


def test_a_refusal_in_the_middle_of_an_answer_cuts_it_off() -> None:
    """An answer already under way is not finished, and nothing is mixed into it."""
    sends: list[str] = []

    async def stream(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await read_body(receive)
        await send({"type": "http.response.body", "body": b"second", "more_body": False})
        sends.append("second")

    answer = _run(_CHUNKED, _TOO_MUCH, app=stream)

    assert answer.endswith(b"5\r\nfirst\r\n")
    assert find_statuses(answer) == [200]
    assert sends == ["second"]


def test_a_refused_request_that_waits_is_never_begun() -> None:
    """A pipelined request whose body turns out too large is refused in its turn, and the application not asked."""
    begun: list[str] = []
    observed: list[tuple[str, int]] = []

    async def note(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        begun.append(scope["path"])
        await reply(send, b"")

    def observe(scope: HTTPScope, status: int) -> None:
        observed.append((scope["path"], status))

    answer = _run(GOOD_REQUEST * 2 + _CHUNKED + _TOO_MUCH, protocol=protocol_class(_LIMITS, observe), app=note)

    assert find_statuses(answer) == [200, 200, 413]
    assert begun == ["/good", "/good"]
    assert observed == [("/chunked", 413)]


def test_nothing_is_read_while_a_refusal_waits() -> None:
    """What a refused client goes on sending cannot end its connection before the answers that are due to it."""

    async def drive() -> tuple[list[bool], bytes]:
        may_answer = asyncio.Event()

        async def wait(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            await may_answer.wait()
            await reply(send, b"")

        connection = ListConnection(_PROTOCOL, wait)
        connection.protocol.data_received(GOOD_REQUEST + b"nonsense\r\n\r\n")
        states = [connection.protocol.flow.read_paused]
        may_answer.set()
        await connection.send([])
        states.append(connection.protocol.flow.read_paused)
        return states, await connection.exchange([])

    states, answer = asyncio.run(drive())
    assert states == [True, False]
    assert find_statuses(answer) == [200, 400]


def test_what_follows_a_refusal_is_thrown_away_up_to_a_limit() -> None:
    """A client that goes on and on after its refusal is cut off."""

    async def drive() -> list[bool]:
        connection = ListConnection(_PROTOCOL)
        await connection.send([b"nonsense\r\n\r\n", bytes(1024 * 1024)])
        states = [connection.transport.is_closed]
        await connection.send([b"\x00"])
        states.append(connection.transport.is_closed)
        await connection.close()
        return states

    assert asyncio.run(drive()) == [False, True]


def test_a_transport_that_cannot_half_close_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS, where no side can be closed alone, a refusal ends the connection at once."""
    monkeypatch.setattr(ListTransport, "can_write_eof", lambda _: False)

    async def drive() -> bool:
        connection = ListConnection(_PROTOCOL)
        await connection.send([b"nonsense\r\n\r\n"])
        await connection.close()
        return connection.transport.is_closed

    assert asyncio.run(drive())


def test_a_fault_of_our_own_is_logged() -> None:
    """An error in a callback, which the parser would swallow, reaches the operator; the client gets a 400."""

    class Faulty(WireProtocol):
        def on_header(self, name: bytes, value: bytes) -> None:
            raise ZeroDivisionError

    complaints: list[logging.LogRecord] = []
    with collecting_complaints(complaints):
        answer = _run(GOOD_REQUEST, protocol=Faulty)

    assert find_statuses(answer) == [400]
    assert [record.exc_info and record.exc_info[0] for record in complaints] == [ZeroDivisionError]


def test_a_subclass_may_answer_by_itself() -> None:
    """A request answered inside the parser is followed by the next one, which may take the ordinary way."""

    class Quick(WireProtocol):
        def on_headers_complete(self) -> None:
            if self.url == b"/quick":
                self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            else:
                super().on_headers_complete()

    quick = b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = _run(quick + quick, GOOD_REQUEST, quick, GOOD_REQUEST, protocol=protocol_class(_LIMITS, base=Quick))

    assert find_statuses(answer) == [204, 204, 200, 204, 200]


# uvicorn's internals are nobody's promise: these tests are where an upgrade is to fail.


def test_uvicorn_is_the_version_that_was_read() -> None:
    """A new uvicorn needs its httptools protocol compared with the one this was written against."""
    assert uvicorn.__version__.startswith("0.54.")


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (HttpToolsProtocol, "__init__", ["self", "config", "server_state", "app_state", "_loop"]),
        (HttpToolsProtocol, "connection_made", ["self", "transport"]),
        (HttpToolsProtocol, "connection_lost", ["self", "exc"]),
        (HttpToolsProtocol, "data_received", ["self", "data"]),
        (HttpToolsProtocol, "eof_received", ["self"]),
        (HttpToolsProtocol, "on_message_begin", ["self"]),
        (HttpToolsProtocol, "on_url", ["self", "url"]),
        (HttpToolsProtocol, "on_header", ["self", "name", "value"]),
        (HttpToolsProtocol, "on_headers_complete", ["self"]),
        (HttpToolsProtocol, "on_body", ["self", "body"]),
        (HttpToolsProtocol, "on_message_complete", ["self"]),
        (HttpToolsProtocol, "on_response_complete", ["self"]),
        (HttpToolsProtocol, "_start_asgi_task", ["self", "cycle", "app"]),
        (HttpToolsProtocol, "shutdown", ["self"]),
        (FlowControl, "__init__", ["self", "transport"]),
        (FlowControl, "pause_reading", ["self"]),
        (FlowControl, "resume_reading", ["self"]),
    ],
)
def test_the_methods_built_upon_are_there(owner: type, name: str, parameters: list[str]) -> None:
    """Each method that is replaced, extended or counted on has the signature it had."""
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_the_attributes_built_upon_are_there() -> None:
    """Each attribute that is read or set exists on uvicorn's own objects, before this code touches them."""

    async def drive() -> HttpToolsProtocol:
        config = make_config(echo, WireProtocol)
        config.load()
        protocol = HttpToolsProtocol(config, ServerState(), {})
        protocol.connection_made(ListTransport())
        protocol.data_received(GOOD_REQUEST)
        await asyncio.gather(*protocol.tasks)
        protocol.connection_lost(None)
        return protocol

    protocol = asyncio.run(drive())

    of_protocol = {
        "connections", "cycle", "expect_100_continue", "flow", "headers", "logger", "loop", "parser", "pipeline",
        "scope", "server_state", "transport", "url",
    }  # fmt: skip
    of_cycle = {
        "body", "disconnected", "keep_alive", "message_event", "response_complete", "response_started",
        "waiting_for_100_continue",
    }  # fmt: skip
    assert of_protocol - vars(protocol).keys() == set()
    assert of_cycle - vars(protocol.cycle).keys() == set()
    assert {"default_headers", "total_requests"} - vars(ServerState()).keys() == set()
    assert {"read_paused", "write_paused"} - vars(protocol.flow).keys() == set()
