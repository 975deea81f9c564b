"""Our cycle answers as uvicorn's does, byte for byte, whatever an application sends."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from latchgate.server.cycle import Cycle
from support.wire_server import ListTransport

_DATE = [(b"date", b"Thu, 26 Nov 2026 14:30:00 GMT")]
_JSON = (b"content-type", b"application/json")
Messages = Sequence[dict[str, Any]]


def _start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def _body(body: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _cycle(
    kind: type[RequestResponseCycle],
    transport: ListTransport,
    *,
    method: str = "GET",
    keep_alive: bool = True,
    on_response: Callable[[], None] = lambda: None,
) -> RequestResponseCycle:
    logger = logging.getLogger("latchgate.test")
    logger.disabled = True
    return kind(
        scope={"type": "http", "method": method},  # type: ignore[typeddict-item]  # no more of it is looked at
        transport=transport,
        flow=FlowControl(transport),
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=_DATE,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=on_response,
    )


def _answer(kind: type[RequestResponseCycle], messages: Messages, method: str, *, keep_alive: bool) -> tuple[Any, ...]:
    """Let an application send all this; give what was written, what became of the connection, and the fault if any."""

    async def drive() -> tuple[Any, ...]:
        transport, done = ListTransport(), list[bool]()
        cycle = _cycle(kind, transport, method=method, keep_alive=keep_alive, on_response=lambda: done.append(True))
        fault = None
        try:
            for message in messages:
                await cycle.send(message)  # type: ignore[arg-type]  # some are none, on purpose
        except RuntimeError as error:
            fault = str(error)
        return bytes(transport.written), transport.is_closed, bool(done), cycle.response_complete, fault

    return asyncio.run(drive())


_ANSWERS: dict[str, Messages] = {
    "whole": [_start(200, _JSON, (b"content-length", b"2")), _body(b"{}")],
    "names in capitals": [_start(200, (b"Content-Type", b"text/html"), (b"content-length", b"1")), _body(b"x")],
    "the length in capitals": [_start(200, (b"Content-Length", b"1")), _body(b"x")],
    "no length": [_start(200, _JSON), _body(b"{}")],
    "in pieces": [_start(200, (b"content-length", b"4")), _body(b"ab", more=True), _body(b"cd")],
    "in chunks": [_start(200), _body(b"ab", more=True), _body(b"cd", more=True), _body()],
    "empty": [_start(200, (b"content-length", b"0")), _body()],
    "no content": [_start(204), _body()],
    "no content with a length": [_start(204, (b"content-length", b"0")), _body()],
    "not modified": [_start(304, (b"etag", b'"a"')), _body()],
    "closing": [_start(200, (b"connection", b"close"), (b"content-length", b"1")), _body(b"x")],
    "chunked by itself": [_start(200, (b"transfer-encoding", b"chunked")), _body(b"x")],
    "two cookies": [_start(303, (b"set-cookie", b"a"), (b"set-cookie", b"b"), (b"content-length", b"0")), _body()],
    "a status without a name": [_start(499, (b"content-length", b"0")), _body()],
    "too long": [_start(200, (b"content-length", b"1")), _body(b"xy")],
    "too short": [_start(200, (b"content-length", b"3")), _body(b"xy")],
    "two lengths": [_start(200, (b"content-length", b"2"), (b"content-length", b"3")), _body(b"xy")],
    "a line end in a value": [_start(200, (b"x-a", b"b\r\nset-cookie: c"), (b"content-length", b"0")), _body()],
    "a line end in a repeated one": [_start(200, (b"content-type", b"a\nb"), (b"content-length", b"0")), _body()],
    "a colon in a name": [_start(200, (b"x-a: b", b"c"), (b"content-length", b"0")), _body()],
    "a body first": [_body(b"x")],
    "two starts": [_start(200, (b"content-length", b"0")), _start(500)],
    "more after the end": [_start(200, (b"content-length", b"0")), _body(), _body(b"x")],
}
# What uvicorn has written before it finds the fault is here not written: nobody needs half an answer.
_FAULTY = {"two starts", "too long", "too short"}


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept", "closed"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", _ANSWERS)
def test_it_answers_as_uvicorn_does(name: str, method: str, keep_alive: bool) -> None:
    """Bytes, fate of the connection and complaints are the same."""
    ours = _answer(Cycle, _ANSWERS[name], method, keep_alive=keep_alive)
    theirs = _answer(RequestResponseCycle, _ANSWERS[name], method, keep_alive=keep_alive)

    assert ours[1:] == theirs[1:]
    assert ours[0] == theirs[0] or (name in _FAULTY and theirs[0].startswith(ours[0]))


_NAMES = st.sampled_from(
    [b"content-type", b"cache-control", b"x-request-id", b"X-Other", b"content-length", b"connection"]
)
_VALUES = st.one_of(st.sampled_from([b"0", b"1", b"2", b"close", b"no-store"]), st.binary(max_size=6))


@given(
    status=st.sampled_from([200, 201, 204, 304, 401, 503]),
    headers=st.lists(st.tuples(_NAMES, _VALUES), max_size=5),
    body=st.binary(max_size=3),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    keep_alive=st.booleans(),
)
def test_any_answer_is_as_uvicorn_gives_it(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, method: str, keep_alive: bool
) -> None:
    """Whatever the headers say, the same bytes leave, or the same complaint is raised."""
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    messages = [_start(status, *headers), _body(body)]

    ours = _answer_or_fault(Cycle, messages, method, keep_alive=keep_alive)
    theirs = _answer_or_fault(RequestResponseCycle, messages, method, keep_alive=keep_alive)

    assert ours == theirs


def _answer_or_fault(
    kind: type[RequestResponseCycle], messages: Messages, method: str, *, keep_alive: bool
) -> tuple[Any, ...] | str:
    try:
        answer = _answer(kind, messages, method, keep_alive=keep_alive)
    except ValueError:
        return "a length that is no number"
    return answer[-1] or answer


@pytest.mark.parametrize("messages", [[], [_start(200, (b"content-length", b"5"))]], ids=["at once", "after the head"])
def test_an_application_that_fails_before_its_body_is_answered_for(messages: Messages) -> None:
    """With a whole 500, after which the connection is closed: nothing of what it had begun has left."""

    async def fail(_scope: object, _receive: object, send: Any) -> None:  # noqa: ANN401  # as ASGI has it
        for message in messages:
            await send(message)
        raise ZeroDivisionError

    async def drive() -> ListTransport:
        transport = ListTransport()
        cycle = _cycle(Cycle, transport)
        await cycle.run_asgi(fail)
        assert cycle.response_complete
        return transport

    transport = asyncio.run(drive())

    assert bytes(transport.written).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert bytes(transport.written).endswith(b"\r\n\r\nInternal Server Error")
    assert transport.is_closed
