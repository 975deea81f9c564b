"""How one worker ends, as it is ordered to: no request is reset, and kept connections get their time."""

import json
import socket
from pathlib import Path

import pytest

from latchgate.server import serving
from latchgate.server.links import Order
from support.families import wait_until
from support.wire_server import GOOD_REQUEST, find_statuses, read_all
from support.worker_server import LONG_SECONDS, PATIENCE_SECONDS, App, working

_HALF = b"POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab"


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def _receive(client: socket.socket, end: bytes) -> bytes:
    told = b""
    while not told.endswith(end):
        piece = client.recv(65536)
        assert piece, told
        told += piece
    return told


def _ask_and_keep(client: socket.socket) -> None:
    client.sendall(GOOD_REQUEST)
    assert b"connection: close" not in _receive(client, b'"/good"').lower()


def _assert_last(answer: bytes) -> None:
    assert find_statuses(answer) == [200]
    assert b"connection: close" in answer.lower()


def test_it_is_serving_from_when_it_says_so() -> None:
    """What it tells the master is that a connection is taken, and /readyz agrees."""
    with working(App()) as worker, worker.connect() as client:
        assert worker.phase.is_serving
        _ask_and_keep(client)


@pytest.mark.parametrize("order", [Order.MAKE_ROOM, Order.STOP])
def test_a_kept_connection_gets_one_more_answer(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it is the last, so that nobody sends another request to a closing door; then the worker ends."""
    monkeypatch.setattr(serving, "IDLE_GRACE_SECONDS", LONG_SECONDS)
    with working(App()) as worker, worker.connect() as client:
        _ask_and_keep(client)

        worker.order(order)

        assert not worker.is_over
        assert worker.phase.is_serving is (order is Order.MAKE_ROOM)
        client.sendall(GOOD_REQUEST)
        _assert_last(read_all(client))
        worker.wait()


@pytest.mark.parametrize("order", [Order.MAKE_ROOM, Order.STOP])
def test_a_request_that_was_begun_is_answered(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its body was on its way, its head, or its answer being made; and the answer says that it is the last."""
    monkeypatch.setattr(serving, "IDLE_GRACE_SECONDS", LONG_SECONDS)
    app = App()
    with working(app) as worker, worker.connect() as half, worker.connect() as head, worker.connect() as slow:
        half.sendall(_HALF)
        head.sendall(GOOD_REQUEST[:10])
        slow.sendall(_get("/slow"))
        wait_until(lambda: sorted(app.begun) == ["/half", "/slow"], "two are at work")
        wait_until(lambda: len(worker.server._connections()) == 3, "three are connected")

        worker.order(order)
        half.sendall(b"cd")
        head.sendall(GOOD_REQUEST[10:])
        app.go_on()

        for client in (half, head, slow):
            _assert_last(read_all(client))
        worker.wait()


def test_an_answer_that_could_not_say_so_any_more_is_not_the_last() -> None:
    """Its head was out: whoever read that it may ask on, gets an answer once more."""
    app = App()
    with working(app) as worker, worker.connect() as client:
        client.sendall(_get("/pieces"))
        _receive(client, b"head")

        worker.order(Order.MAKE_ROOM)
        app.go_on()
        _receive(client, b"tail")
        client.sendall(GOOD_REQUEST)

        _assert_last(read_all(client))
        worker.wait()


def test_pipelined_requests_are_all_answered_and_the_last_says_so() -> None:
    """None of those that had arrived is left out."""
    app = App()
    with working(app) as worker, worker.connect() as client:
        client.sendall(_get("/slow") + _get("/two") + _get("/three"))
        wait_until(lambda: app.begun and len(worker.server._connections()[0].pipeline) == 2, "two wait behind one")

        worker.order(Order.MAKE_ROOM)
        app.go_on()

        answer = read_all(client)
        assert find_statuses(answer) == [200, 200, 200]
        assert answer.lower().count(b"connection: close") == 1
        assert b'"/three"' in answer[answer.lower().index(b"connection: close") :]


def test_what_comes_behind_the_last_request_is_not_begun() -> None:
    """Its answer could not be sent any more: the client, told that the one before was the last, sends it elsewhere."""
    app = App()
    with working(app) as worker, worker.connect() as client:
        client.sendall(_get("/slow"))
        wait_until(lambda: app.begun, "it is at work")
        worker.order(Order.MAKE_ROOM)

        client.sendall(_get("/behind"))
        wait_until(lambda: _is_read(client), "it was read")
        app.go_on()

        _assert_last(read_all(client))
        worker.wait()
    assert app.begun == ["/slow"]


def _is_read(client: socket.socket) -> bool:
    """Whether the other side's system has given all that was sent to its program."""
    port = client.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) == port and fields[3] == "01":
            return int(fields[4].rpartition(":")[2], 16) == 0
    return False


def test_who_makes_room_takes_no_new_connection() -> None:
    """It stays in the queue, for the successor."""
    with working(App()) as worker, worker.connect() as kept:
        _ask_and_keep(kept)
        worker.order(Order.MAKE_ROOM)
        wait_until(lambda: not worker.server.servers[0].is_serving(), "it listens no more")

        with worker.connect() as newcomer:
            newcomer.sendall(GOOD_REQUEST)
            worker.listener.settimeout(PATIENCE_SECONDS)
            successor, _ = worker.listener.accept()
            with successor:
                assert successor.recv(1_000) == GOOD_REQUEST
        assert not worker.is_over


@pytest.mark.parametrize("begun", [b"", GOOD_REQUEST[:10]], ids=["idle", "half a head"])
def test_a_connection_on_which_nothing_comes_is_ended_and_not_reset(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the service is stopping: a request that crosses the end meets an end, and no reset, which may be a fault."""
    monkeypatch.setattr(serving, "IDLE_GRACE_SECONDS", 0.0)
    app = App()
    with working(app) as worker, worker.connect() as client, worker.connect() as slow:
        _ask_and_keep(client)
        client.sendall(begun)
        # Keeps the worker there while the rest is looked at.
        slow.sendall(_get("/slow"))
        wait_until(lambda: "/slow" in app.begun, "one is at work")

        worker.order(Order.STOP)

        assert client.recv(1) == b""
        client.sendall(GOOD_REQUEST)
        assert client.recv(1) == b""
        assert app.begun.count("/good") == 1
        app.go_on()
        _assert_last(read_all(slow))


def test_what_takes_longer_than_it_may_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """After the time that the settings give; the operator is told how many."""
    app = App()
    with working(app, stop_seconds=0.1) as worker, worker.connect() as client:
        client.sendall(_get("/slow"))
        wait_until(lambda: app.begun, "it is at work")

        worker.order(Order.STOP)
        worker.wait()

    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["requests"]) for line in told] == [("stopped before every request was answered", 1)]


@pytest.mark.parametrize("first", [Order.MAKE_ROOM, Order.STOP])
def test_told_to_hurry_it_waits_for_nothing(first: Order) -> None:
    """Whatever it was waiting for."""
    app = App()
    with working(app) as worker, worker.connect() as client:
        client.sendall(_get("/slow"))
        wait_until(lambda: app.begun, "it is at work")
        worker.order(first)

        worker.order(Order.HURRY)

        worker.wait()


def test_who_makes_room_can_be_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop of the service does not wait for the connections of a restart before it."""
    monkeypatch.setattr(serving, "IDLE_GRACE_SECONDS", 0.0)
    with working(App()) as worker, worker.connect() as client:
        _ask_and_keep(client)
        worker.order(Order.MAKE_ROOM)

        worker.order(Order.STOP)

        assert client.recv(1) == b""
        assert not worker.phase.is_serving
        client.close()
        worker.wait()


def test_without_a_master_it_answers_what_was_begun_and_ends() -> None:
    """Nobody would restart it, stop it, or know of it."""
    app = App()
    with working(app) as worker, worker.connect() as client:
        client.sendall(_HALF)
        wait_until(lambda: app.begun, "it is at work")

        worker.link.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: worker.server._protocol.draining, "it takes nothing more")
        client.sendall(b"cd")

        _assert_last(read_all(client))
        worker.wait()
