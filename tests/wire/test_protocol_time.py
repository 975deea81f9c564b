"""How long the wire waits: for heads, for bodies, for the next request, for answers to be taken."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.server import ServerState

from latchgate.server.flow import StallWatch
from latchgate.server.protocol import protocol_class
from latchgate.server.wire import WireLimits
from support.wire_server import (
    GOOD_REQUEST,
    ListConnection,
    WireServer,
    find_statuses,
    read_all,
    reply,
    serving,
    wait_until,
)

_SHORT_SECONDS = 0.3
# What the clock of an event loop may lag behind; uvloop's counts milliseconds.
_CLOCK_SECONDS = 0.01
_SHORT = protocol_class(
    WireLimits(
        head_seconds=_SHORT_SECONDS, idle_seconds=_SHORT_SECONDS, body_idle_seconds=_SHORT_SECONDS, sweep_seconds=0.02
    )
)
_LONG = protocol_class(WireLimits())
_POST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[WireServer]:
    """An impatient server, on either event loop."""
    with serving(_SHORT, loop=request.param) as running:
        yield running


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\r\n", id="a blank line"),
        pytest.param(b"GET / HT", id="half a request line"),
        pytest.param(GOOD_REQUEST[:-2], id="half a head"),
        pytest.param(_POST + b"b", id="a stalled body"),
        pytest.param(_POST.replace(b"/a", b"/unread") + b"b", id="a stalled body that was answered before"),
        pytest.param(GOOD_REQUEST, id="an idle connection"),
        pytest.param(GOOD_REQUEST + b"GET /", id="half a second head"),
    ],
)
def test_who_stops_in_the_middle_is_let_go(server: WireServer, beginning: bytes) -> None:
    """A connection that waits for its client is closed after the time set for it, and not before."""
    began = time.monotonic()
    with server.connect() as client:
        client.sendall(beginning)
        answer = read_all(client)

    assert time.monotonic() - began >= _SHORT_SECONDS - _CLOCK_SECONDS
    assert set(find_statuses(answer)) <= {200}
    wait_until(lambda: not server.connections)


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nA: ", b"a", id="a head"),
        pytest.param(GOOD_REQUEST, b"\r\n", id="blank lines after an answer"),
    ],
)
def test_a_steady_drip_gains_no_time(server: WireServer, beginning: bytes, drop: bytes) -> None:
    """A head is due as a whole, however regularly its bytes arrive."""
    began = time.monotonic()
    with server.connect() as client:
        client.sendall(beginning)
        client.settimeout(0.01)
        is_open = True
        while is_open:
            assert time.monotonic() - began < 20 * _SHORT_SECONDS
            try:
                is_open = client.recv(65536) != b""
            except TimeoutError:
                with suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(drop)
            except ConnectionResetError:
                is_open = False

    assert time.monotonic() - began >= _SHORT_SECONDS - _CLOCK_SECONDS


def test_a_client_that_never_reads_is_let_go() -> None:
    """An answer that nobody takes is thrown away with its connection, though that was to be closed anyway."""

    async def pour(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await reply(send, bytes(30_000_000), (b"connection", b"close"))

    with serving(_SHORT, pour) as server, server.connect() as client:
        client.sendall(GOOD_REQUEST)
        wait_until(lambda: server.connections)
        wait_until(lambda: not server.connections)


def test_a_slow_reader_is_not_mistaken_for_one_that_stopped() -> None:
    """Only the same unsent bytes at every look for the whole time count as a stall."""
    watch = StallWatch()

    looks = [(9, 0.0), (9, 29.0), (8, 30.0), (8, 59.0), (0, 60.0), (0, 99.0), (8, 100.0), (8, 129.9), (8, 130.0)]
    stalls = [watch.has_stalled(unsent_bytes, now, 30.0) for unsent_bytes, now in looks]

    assert stalls == [False] * 8 + [True]


# From here on a connection is driven by hand, and so is its clock.


class _ClockedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be put forward."""

    ahead_seconds = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_seconds


def _outlives(*steps: tuple[bytes, float]) -> bool:
    """Let pieces arrive, and after each some time pass and the sweep look; return whether the connection is still open.

    The application reads ``/a`` and waits for its client to go; ``/unread`` it answers never, nor reads it.
    """

    async def drive() -> bool:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _ClockedLoop)
        ended = asyncio.Event()

        async def wait(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            assert scope["type"] == "http"
            if scope["path"] == "/unread":
                await ended.wait()
            elif scope["path"] == "/good":
                await reply(send, b"")
            else:
                while (await receive())["type"] != "http.disconnect":
                    pass

        connection = ListConnection(_LONG, wait)
        for piece, seconds in steps:
            connection.protocol.data_received(piece)
            for _ in range(5):
                await asyncio.sleep(0)
            loop.ahead_seconds += seconds
            connection.protocol.check_time(loop.time())
        is_open = not connection.transport.is_closed
        ended.set()
        await connection.close()
        return is_open

    with asyncio.Runner(loop_factory=_ClockedLoop) as runner:
        return runner.run(drive())


_WAITING = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
_STEPS = {
    "a body that goes on": (True, [(_POST, 29.0), *[(b"b", 29.0)] * 3]),
    "a body that drips for too long": (False, [(_POST, 29.0), *[(b"b", 29.0)] * 4]),
    "a body that stops": (False, [(_POST, 29.0), (b"b", 31.0)]),
    "a body that was answered before it came": (False, [(_POST.replace(b"/a", b"/good"), 31.0)]),
    "a head in parts": (True, [(GOOD_REQUEST[:9], 5.0), (GOOD_REQUEST[9:20], 4.9)]),
    "a head in parts for too long": (False, [(GOOD_REQUEST[:9], 5.0), (GOOD_REQUEST[9:20], 5.1)]),
    "an idle connection": (True, [(GOOD_REQUEST, 74.0), (GOOD_REQUEST, 74.0)]),
    "an idle connection for too long": (False, [(GOOD_REQUEST, 74.0), (GOOD_REQUEST, 76.0)]),
    "an application at work": (True, [(_WAITING, 1000.0), (b"", 1000.0)]),
    "half a head behind a running request": (True, [(_WAITING + b"GET /", 11.0), (b"", 11.0)]),
    "half a body behind a running request": (True, [(_WAITING + _POST, 31.0), (b"", 31.0)]),
    "a body that the application does not read": (
        True,
        [(_POST.replace(b"/a", b"/unread") + b"b" * 90_000, 31.0), (b"", 31.0)],
    ),
    "a refusal behind a running request": (True, [(_WAITING + b"nonsense", 100.0), (b"", 100.0)]),
    "a refusal": (True, [(b"nonsense", 1.9)]),
    "a refusal that nobody takes up": (False, [(b"nonsense", 2.1)]),
}


@pytest.mark.parametrize(("outlives", "steps"), _STEPS.values(), ids=_STEPS.keys())
def test_time_counts_only_while_the_client_is_awaited(outlives: bool, steps: list[tuple[bytes, float]]) -> None:
    """Each wait for the client ends at its limit; time that the application takes is nobody's delay."""
    assert _outlives(*steps) is outlives


def test_many_connections_share_one_timer() -> None:
    """Neither a connection nor a request adds a timer to the loop, and without connections none is left."""

    async def drive() -> list[int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _ClockedLoop)
        state = ServerState()
        connections = [ListConnection(_LONG, state=state) for _ in range(50)]
        counts = []
        for connection in connections:
            connection.protocol.data_received(GOOD_REQUEST)
        for _ in range(10):
            await asyncio.sleep(0)
        counts.append(len(loop._scheduled))  # type: ignore[attr-defined]
        for connection in connections:
            await connection.close()
        loop.ahead_seconds += 1.5
        await asyncio.sleep(0.001)
        counts.append(len(loop._scheduled))  # type: ignore[attr-defined]
        return counts

    with asyncio.Runner(loop_factory=_ClockedLoop) as runner:
        assert runner.run(drive()) == [1, 0]
