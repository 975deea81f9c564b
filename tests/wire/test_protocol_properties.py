"""Laws of the wire: no bytes break it, and how bytes are cut into packets changes nothing."""

import asyncio
import json
import logging
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latchgate.server.protocol import protocol_class
from latchgate.server.wire import WireLimits
from support.wire_server import (
    GOOD_REQUEST,
    ListConnection,
    WireServer,
    collecting_complaints,
    find_statuses,
    read_all,
    serving,
)

# Small, so that a few hundred bytes meet every limit.
_LIMITS = WireLimits(header_bytes_max=300, headers_max=6, body_bytes_max=64, pipeline_max=3)
_PROTOCOL = protocol_class(_LIMITS)

_GET = b"GET /a?b=%20c HTTP/1.1\r\nHost: x\r\nAuthorization: token a:b\r\n\r\n"
_LAST = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
_OLD = b"GET /old HTTP/1.0\r\n\r\n"
_SIZED = b"POST /sized HTTP/1.1\r\nContent-Length: 16\r\n\r\nbo\r\n\r\ndy=GET / H"
_CHUNKED = (
    b"POST /chunked HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nabc\r\nc\r\nde\r\n\r\n\r\n\r\nfg\r\n0\r\nAuthorization: token c:d\r\n\r\n"
)
_TOO_LONG = b"POST /long HTTP/1.1\r\nContent-Length: 65\r\n\r\n" + b"b" * 65
_TOO_MANY_CHUNKS = b"POST /many HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"20\r\n" + b"c" * 32 + b"\r\n"
_TOO_MANY_CHUNKS += b"21\r\n" + b"c" * 33 + b"\r\n0\r\n\r\n"
_BROKEN_CHUNKS = b"POST /broken HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nz\r\n"
_TOO_WIDE = b"GET /wide HTTP/1.1\r\nA: " + b"w" * 300 + b"\r\n\r\n"
_JUST_NARROW = b"GET /narrow HTTP/1.1\r\nA: " + b"n" * (300 - 29) + b"\r\n\r\n"
_BARE = b"GET /" + b"u" * (300 - 18) + b" HTTP/1.1\r\n\r\n"
_BARELY_TOO_WIDE = _JUST_NARROW.replace(b"A: ", b"A: n")
_TRAILERS = _CHUNKED[:-2] + b"B: " + b"t" * 240 + b"\r\n\r\n"
_TOO_WIDE_TRAILERS = _CHUNKED[:-2] + b"B: " + b"t" * 300 + b"\r\n\r\n"
_TOO_MANY_HEADERS = b"GET /many HTTP/1.1\r\n" + b"A: b\r\n" * 7 + b"\r\n"
_UPGRADE = b"GET /up HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"
_NONSENSE = b"\x00\x01nonsense\r\n\r\n"
_SAMPLES = [
    _GET, _LAST, _OLD, _SIZED, _CHUNKED, _TOO_LONG, _TOO_MANY_CHUNKS, _BROKEN_CHUNKS, _TOO_WIDE, _JUST_NARROW,
    _BARE, _BARELY_TOO_WIDE, _TRAILERS, _TOO_WIDE_TRAILERS, _TOO_MANY_HEADERS, _UPGRADE, _NONSENSE, b"\r\n",
]  # fmt: skip

_TOKENS = [
    b"GET ", b"POST ", b"HEAD ", b"CONNECT ", b"PRI ", b"/", b"*", b"http://", b"/a", b"?", b"#", b"%", b" HTTP/1.1",
    b" HTTP/1.0", b" HTTP/2.0", b"\r\n", b"\r", b"\n", b"\r\n\r\n", b": ", b"Host: x", b"Content-Length: ", b"5", b"70",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Connection: close", b"Connection: Upgrade",
    b"Upgrade: h2c", b"Expect: 100-continue", b"Authorization: ", b"0\r\n\r\n", b"5\r\nhello\r\n", b"5;ext\r\n", b" ",
    b"\t", b"\x00", b"\xff", b"a" * 40, b"X_y: z", *_SAMPLES,
]  # fmt: skip
_tokens = st.lists(st.sampled_from(_TOKENS) | st.binary(max_size=4), max_size=25).map(b"".join)
_places = st.lists(st.integers(0, 10_000), max_size=8)
_bytes = st.binary(max_size=600) | _tokens


def _exchange(runner: asyncio.Runner, pieces: list[bytes]) -> bytes:
    return runner.run(ListConnection(_PROTOCOL).exchange(pieces))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for all examples."""
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[WireServer]:
    """A server on real sockets."""
    with serving(_PROTOCOL) as running:
        yield running


def _cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(stream) + 1) for place in places}), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges) if end > start]


def _read_bodies(answer: bytes) -> list[object]:
    """Read a stream of answers from its lengths alone; fail if that does not come out even."""
    bodies = []
    rest = answer
    while rest:
        if rest.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
            rest = rest[len(b"HTTP/1.1 100 Continue\r\n\r\n") :]
            continue
        head, _, rest = rest.partition(b"\r\n\r\n")
        (length,) = (int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
        is_head_request = not rest.startswith(b"{")
        if not is_head_request:
            bodies.append(json.loads(rest[:length]))
            rest = rest[length:]
    return bodies


_STATUSES = [
    (_GET, [200]), (_LAST, [200]), (_OLD, [200]), (_SIZED, [200]), (_CHUNKED, [200]), (_TOO_LONG, [413]),
    (_TOO_MANY_CHUNKS, [413]), (_BROKEN_CHUNKS, [400]), (_TOO_WIDE, [431]), (_JUST_NARROW, [200]),
    (_TOO_MANY_HEADERS, [431]), (_UPGRADE, [200]), (_NONSENSE, [400]),
    (_GET * 20 + _TOO_MANY_CHUNKS, [200] * 20 + [413]), (_SIZED + _CHUNKED + _BROKEN_CHUNKS, [200, 200, 400]),
    (_TRAILERS + _JUST_NARROW, [200, 200]), (_TOO_WIDE_TRAILERS, [431]), (_BARELY_TOO_WIDE, [431]), (_BARE, [200]),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "statuses"), _STATUSES)
def test_every_cut_in_two_gives_the_same_answers(runner: asyncio.Runner, stream: bytes, statuses: list[int]) -> None:
    """Whole, cut at any one place, or byte by byte: the answers are the same bytes."""
    whole = _exchange(runner, [stream])

    assert find_statuses(whole) == statuses
    assert _exchange(runner, [stream[place : place + 1] for place in range(len(stream))]) == whole
    for place in range(1, len(stream)):
        assert _exchange(runner, [stream[:place], stream[place:]]) == whole, place


@given(parts=st.lists(st.sampled_from(_SAMPLES), min_size=1, max_size=8), places=_places)
def test_cuts_never_change_the_answers(runner: asyncio.Runner, parts: list[bytes], places: list[int]) -> None:
    """However a stream of requests is cut into packets, its answers are the same bytes."""
    stream = b"".join(parts)

    assert _exchange(runner, _cut(stream, places)) == _exchange(runner, [stream])


@settings(max_examples=500)
@given(stream=_bytes, places=_places)
def test_no_bytes_break_the_wire(runner: asyncio.Runner, stream: bytes, places: list[int]) -> None:
    """Whatever arrives, the answers are well-formed, none is the server's fault, and nothing is logged."""
    _assert_unbroken(runner, _cut(stream, places))


@pytest.mark.soak
@settings(max_examples=50_000)
@given(stream=_bytes, places=_places)
def test_no_bytes_break_the_wire_for_long(runner: asyncio.Runner, stream: bytes, places: list[int]) -> None:
    """The same, tried a hundred times as often."""
    _assert_unbroken(runner, _cut(stream, places))


def _assert_unbroken(runner: asyncio.Runner, pieces: list[bytes]) -> None:
    complaints: list[logging.LogRecord] = []
    with collecting_complaints(complaints):
        answer = _exchange(runner, pieces)

    assert [record.getMessage() for record in complaints] == []
    assert set(find_statuses(answer)) <= {100, 200, 400, 413, 431}
    _read_bodies(answer)
    assert find_statuses(_exchange(runner, [GOOD_REQUEST])) == [200]


@settings(max_examples=50)
@given(stream=_bytes)
def test_no_bytes_keep_others_from_being_answered(server: WireServer, stream: bytes) -> None:
    """On real sockets too: after any bytes the next client gets its answer."""
    with server.connect() as client:
        client.sendall(stream)
        assert server.is_well()
        # Ends a request that is still unfinished.
        client.shutdown(1)
        answer = read_all(client)

    assert set(find_statuses(answer)) <= {100, 200, 400, 413, 431}
