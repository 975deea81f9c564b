"""What the wire refuses, and how: sizes, framing, and the form of its answers."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from uvicorn._types import HTTPScope

from latchgate.server.protocol import WireProtocol, protocol_class
from latchgate.server.wire import WireLimits
from support.wire_server import GOOD_REQUEST, WireServer, find_statuses, read_all, serving, wait_until

_LIMITS = WireLimits()
_OBSERVED: list[tuple[HTTPScope, int]] = []
_PARSED_BYTES: list[int] = []


class _CountingProtocol(WireProtocol):
    """Keeps account of what reaches the parser."""

    def _parse(self, piece: bytes | memoryview) -> None:
        _PARSED_BYTES.append(len(piece))
        super()._parse(piece)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[WireServer]:
    """A server with the limits as they come, on either event loop."""

    def observe(scope: HTTPScope, status: int) -> None:
        _OBSERVED.append((scope, status))

    with serving(protocol_class(_LIMITS, observe, _CountingProtocol), loop=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _forget() -> None:
    _OBSERVED.clear()
    _PARSED_BYTES.clear()


def _head(*lines: bytes, request_line: bytes = b"GET /a HTTP/1.1") -> bytes:
    return b"\r\n".join([request_line, b"Host: x", *lines, b"", b""])


def _body_of(answer: bytes) -> dict[str, object]:
    body: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body


def _assert_refused(answer: bytes, status: int, exc_type: str) -> str:
    """Hold an answer to being one refusal in the envelope, after which the connection ends; return its message."""
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    envelope = json.loads(body)

    assert find_statuses(answer) == [status]
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"connection"] == b"close"
    assert int(headers[b"content-length"]) == len(body)
    assert b"date" in headers
    assert b"server" not in headers
    assert envelope.keys() == {"exc_type", "exception", "exc", "_server_messages"}
    assert envelope["exc_type"] == exc_type
    assert json.loads(envelope["exc"]) == [envelope["exception"]]
    (message,) = (json.loads(entry)["message"] for entry in json.loads(envelope["_server_messages"]))
    return str(message)


# 200


def test_a_good_request_is_answered_and_the_connection_kept(server: WireServer) -> None:
    """Two requests on one connection are answered as they were sent."""
    answer = server.exchange(
        _head(b"A_b: c", b"Empty:"), _head(b"Connection: close", request_line=b"GET /b?c=%41 HTTP/1.1")
    )

    first, second = answer.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert _body_of(first)["headers"] == [["host", "x"], ["a_b", "c"], ["empty", ""]]
    assert _body_of(second)["path"] == "/b"


@pytest.mark.parametrize(
    "request_line", [b"GET /a HTTP/1.0", b"GET http://x/a HTTP/1.1", b"GET //a HTTP/1.1", b"PATCH /a HTTP/1.1"]
)
def test_unusual_request_lines_are_understood(server: WireServer, request_line: bytes) -> None:
    """HTTP/1.0, absolute targets and every method reach the application."""
    assert find_statuses(server.exchange(_head(b"Connection: close", request_line=request_line))) == [200]


def test_a_head_of_just_the_limit_passes(server: WireServer) -> None:
    """32 KiB and 100 headers are within the limits."""
    fields = [b"Connection: close", *(b"H%02d: " % number + b"v" * 250 for number in range(98))]
    request = _head(*fields)
    padding = _LIMITS.header_bytes_max - len(request)
    request = request.replace(b"GET /a", b"GET /a" + b"a" * padding)

    assert len(request) == _LIMITS.header_bytes_max
    assert find_statuses(server.exchange(request)) == [200]


def test_a_body_of_just_the_limit_passes(server: WireServer) -> None:
    """1 MiB of body is within the limit, chunked or not."""
    body = b"b" * _LIMITS.body_bytes_max
    line = b"POST /a HTTP/1.1"
    plain = _head(b"Content-Length: %d" % len(body), b"Connection: close", request_line=line) + body
    chunked = _head(b"Transfer-Encoding: chunked", b"Connection: close", request_line=line)
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    assert _body_of(server.exchange(plain))["body"] == body.decode()
    assert _body_of(server.exchange(chunked))["body"] == body.decode()


def test_trailers_do_not_become_headers(server: WireServer) -> None:
    """A trailer, ``Authorization`` above all, is not among the headers of its request."""
    request = _head(b"Transfer-Encoding: chunked", b"Connection: close", request_line=b"POST /a HTTP/1.1")
    trailers = b"Authorization: token a:b\r\nFrappe-Authorization-Source: Event Consumer\r\n\r\n"
    answer = server.exchange(request, b"1\r\nx\r\n0\r\n" + trailers)

    assert find_statuses(answer) == [200]
    assert _body_of(answer)["headers"] == [["host", "x"], ["transfer-encoding", "chunked"], ["connection", "close"]]


def test_an_unread_body_leaves_the_connection_usable(server: WireServer) -> None:
    """A body that the application never reads does not become part of the next request."""
    body = b"GET /smuggled HTTP/1.1\r\n\r\n" * 4_000
    unread = _head(b"Content-Length: %d" % len(body), request_line=b"POST /unread HTTP/1.1")
    answer = server.exchange(unread, body, _head(b"Connection: close"))

    first, second = answer.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert _body_of(first)["path"] == "/unread"
    assert _body_of(second)["path"] == "/a"


def test_an_expected_body_is_asked_for(server: WireServer) -> None:
    """A client that waits for 100 gets it, and its answer closes the connection."""
    with server.connect() as client:
        client.sendall(_head(b"Expect: 100-continue", b"Content-Length: 2", request_line=b"POST /a HTTP/1.1"))
        assert client.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        answer = read_all(client)

    assert _body_of(answer)["body"] == "ok"
    assert b"connection: close\r\n" in answer


def test_an_expected_body_that_nobody_wants_cannot_be_taken_for_a_request(server: WireServer) -> None:
    """A client answered without 100 is not read any further: body or next request, nobody could tell."""
    head = _head(b"Expect: 100-continue", b"Content-Length: 26", request_line=b"POST /unread HTTP/1.1")
    answer = server.exchange(head + GOOD_REQUEST)

    assert find_statuses(answer) == [200]
    assert _body_of(answer)["path"] == "/unread"


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_an_upgrade_is_answered_as_any_request(server: WireServer, protocol: bytes) -> None:
    """Nobody is upgraded; what follows such a request is not parsed."""
    request = _head(b"Connection: Upgrade", b"Upgrade: " + protocol, b"Sec-WebSocket-Key: x")
    answer = server.exchange(request + GOOD_REQUEST)

    assert find_statuses(answer) == [200]
    assert _body_of(answer)["path"] == "/a"
    assert b"connection: close\r\n" in answer


def test_nothing_after_the_last_request_is_parsed(server: WireServer) -> None:
    """What follows a request with ``Connection: close`` is neither answered nor complained of."""
    request = _head(b"Connection: close")
    answer = server.exchange(request + GOOD_REQUEST + b"\x00" * 100)

    assert find_statuses(answer) == [200]
    assert sum(_PARSED_BYTES) == len(request)


# 400

_MALFORMED = {
    "two hosts": b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "garbage": b"\x00\xff\xfe\x01" * 8,
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32,
    "HTTP/0.9": b"GET /a\r\n\r\n",
    "HTTP/0.9 by number": b"GET /a HTTP/0.9\r\n\r\n",
    "HTTP/2 by number": b"GET /a HTTP/2.0\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9": b"GET /a HTTP/9.9\r\n\r\n",
    "lower-case method": b"get /a HTTP/1.1\r\n\r\n",
    "unknown method": b"BREW /a HTTP/1.1\r\n\r\n",
    "bare LF": b"GET /a HTTP/1.1\nHost: x\n\n",
    "bare LF in headers": b"GET /a HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
    "bare CR in a value": b"GET /a HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
    "folded header": b"GET /a HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "NUL in the target": b"GET /\x00 HTTP/1.1\r\n\r\n",
    "NUL in a name": b"GET /a HTTP/1.1\r\nA\x00: b\r\n\r\n",
    "NUL in a value": b"GET /a HTTP/1.1\r\nA: \x00\r\n\r\n",
    "space before the colon": b"GET /a HTTP/1.1\r\nA : b\r\n\r\n",
    "no name": b"GET /a HTTP/1.1\r\n: b\r\n\r\n",
    "no colon": b"GET /a HTTP/1.1\r\nA\r\n\r\n",
    "non-ASCII target": "GET /ä HTTP/1.1\r\n\r\n".encode(),
    "relative target": b"GET a HTTP/1.1\r\n\r\n",
    "target without path": b"GET http://x HTTP/1.1\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n\r\n",
    "tunnel": b"CONNECT x:80 HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "list of lengths": b"POST /a HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx",
    "signed length": b"POST /a HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
    "endless length": b"POST /a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nx",
    "empty length": b"POST /a HTTP/1.1\r\nContent-Length:\r\n\r\nx",
    "length and chunks": b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"DELETE /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    "coding before chunks": b"POST /a HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "wrong chunk size": b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "chunk without end": b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxGET / HTTP/1.1\r\n\r\n",
    "upgrade with a body": b"POST /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx",
    "upgrade with chunks": (
        b"POST /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("request_bytes", _MALFORMED.values(), ids=_MALFORMED.keys())
def test_what_is_not_proper_http_is_refused(server: WireServer, request_bytes: bytes) -> None:
    """A malformed request gets one 400, whose text quotes nothing of it, and the server goes on."""
    message = _assert_refused(server.exchange(request_bytes), 400, "BadRequest")

    assert message.isascii()
    assert server.is_well()


def test_a_refusal_waits_for_the_answers_before_it(server: WireServer) -> None:
    """Good requests sent ahead of a malformed one, in the same packet, are answered first."""
    answer = server.exchange(GOOD_REQUEST * 3 + b"nonsense\r\n\r\n" + GOOD_REQUEST)

    assert find_statuses(answer) == [200, 200, 200, 400]


# 413


def test_a_length_over_the_limit_is_refused_at_once(server: WireServer) -> None:
    """Nobody waits for a body that is announced as too large, and the observer is told of the request."""
    request = _head(b"Content-Length: %d" % (_LIMITS.body_bytes_max + 1), request_line=b"PUT /a%20b?c=d HTTP/1.1")
    answer = server.exchange(request)

    assert str(_LIMITS.body_bytes_max) in _assert_refused(answer, 413, "RequestEntityTooLarge")
    ((scope, status),) = _OBSERVED
    assert status == 413
    assert (scope["method"], scope["path"], scope["raw_path"], scope["query_string"], scope["http_version"]) == (
        "PUT", "/a b", b"/a%20b", b"c=d", "1.1",
    )  # fmt: skip
    assert (b"host", b"x") in scope["headers"]
    assert scope["client"] is not None


def test_a_client_that_sends_on_gets_to_read_its_refusal(server: WireServer) -> None:
    """The connection is not reset under a client that sends its whole body before it reads."""
    size = _LIMITS.body_bytes_max + 1
    answer = server.exchange(_head(b"Content-Length: %d" % size, request_line=b"POST /a HTTP/1.1"), b"b" * (size - 1))

    _assert_refused(answer, 413, "RequestEntityTooLarge")


def test_chunks_over_the_limit_are_refused(server: WireServer) -> None:
    """A body of unknown length is counted, and refused when it crosses the limit."""
    chunk = b"10000\r\n" + b"b" * 0x10000 + b"\r\n"
    request = _head(b"Transfer-Encoding: chunked", request_line=b"POST /a HTTP/1.1")
    answer = server.exchange(request, *([chunk] * 16), b"1\r\nb")

    _assert_refused(answer, 413, "RequestEntityTooLarge")
    ((scope, status),) = _OBSERVED
    assert (scope["path"], status) == ("/a", 413)
    assert sum(_PARSED_BYTES) < 3 * _LIMITS.body_bytes_max


# 431


def test_a_hundred_and_one_headers_are_refused(server: WireServer) -> None:
    """The text names the limits."""
    answer = server.exchange(_head(*(b"A: b" for _ in range(_LIMITS.headers_max))))

    message = _assert_refused(answer, 431, "RequestHeaderFieldsTooLarge")
    assert str(_LIMITS.headers_max) in message
    assert str(_LIMITS.header_bytes_max) in message


def test_too_many_headers_are_refused_before_the_last(server: WireServer) -> None:
    """Nobody waits for the end of a head that is too long already."""
    answer = server.exchange(_head(*(b"A: b" for _ in range(_LIMITS.headers_max + 1)))[:-2])

    _assert_refused(answer, 431, "RequestHeaderFieldsTooLarge")


_ENDLESS = {
    "value": _head(b"A: ")[:-4],
    "name": _head()[:-2],
    "target": b"GET /",
    "many headers": _head(b"A: b")[:-2],
    "trailer": _head(b"Transfer-Encoding: chunked", request_line=b"POST /a HTTP/1.1") + b"0\r\nA: ",
    "chunk extension": _head(b"Transfer-Encoding: chunked", request_line=b"POST /a HTTP/1.1") + b"1;a=",
    "white space": _head(b"A:")[:-4],
    "blank lines": b"",
}
_FILLER = {"many headers": b"A: " + b"b" * 1000 + b"\r\n", "white space": b" ", "blank lines": b"\r\n"}


@pytest.mark.parametrize("kind", _ENDLESS)
def test_a_head_without_end_is_refused_early(server: WireServer, kind: str) -> None:
    """A megabyte of header is refused once 32 KiB have been read, and is not kept."""
    filler = _FILLER.get(kind, b"a")
    answer = server.exchange(_ENDLESS[kind], filler * (1_000_000 // len(filler)))

    _assert_refused(answer, 431, "RequestHeaderFieldsTooLarge")
    assert sum(_PARSED_BYTES) <= _LIMITS.header_bytes_max + 8 * 1024 + len(_ENDLESS[kind])


def test_a_huge_header_is_not_taken_in(server: WireServer) -> None:
    """Of 200 MB of header, a small part leaves the client before the connection is closed."""
    block = b"a" * 65536
    sent_bytes = 0
    with server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262_144)
        client.sendall(_ENDLESS["value"])
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent_bytes < 200_000_000:
                sent_bytes += client.send(block)

    assert sent_bytes < 20_000_000
    assert sum(_PARSED_BYTES) <= _LIMITS.header_bytes_max + 8 * 1024 + 64
    wait_until(lambda: not server.connections)
