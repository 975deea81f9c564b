"""A restart and a stop under load: not one request is refused, reset or left without its answer. Nobody retries."""

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.asgi import LOGGED_USER, Service
from support.families import wait_until
from support.running import RunningLatchgate

_PATIENCE_SECONDS = 60.0
_LATE_SECONDS = 0.5
"""Half the grace of idle connections in a stop: whoever is slower may find an end."""
_ANSWERS_MIN = 30


@dataclass
class _Callers:
    """What many clients saw that ask without a pause."""

    port: int
    token: str
    over: threading.Event = field(default_factory=threading.Event)
    answers: int = 0
    closed: int = 0
    """After how many of them the server closed the connection, having said so."""
    failures: list[str] = field(default_factory=list)
    refused: int = 0
    """How many found the port closed."""
    is_stopping: bool = False
    late: list[str] = field(default_factory=list)
    """Failures of such as were slower than anybody waits who stops."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, status: int, *, is_last: bool) -> None:
        """Note an answer."""
        with self.lock:
            self.answers += 1
            self.closed += is_last
            if status != 200:
                self.failures.append(f"status {status}")

    def note_failure(self, told: str, waited_seconds: float) -> None:
        """Note a request without an answer, sent so long after its connection was free for it."""
        with self.lock:
            late = self.is_stopping and waited_seconds > _LATE_SECONDS
            (self.late if late else self.failures).append(f"{told}, sent after {waited_seconds:.2f} s")

    def ask_on_kept_connections(self, pause_seconds: float = 0.0) -> None:
        """Ask on one connection until the server says that it was the last request, then on another."""
        while not self.over.is_set():
            with self._connected() as connection:
                goes_on = connection is not None
                while connection is not None and goes_on and not self.over.wait(pause_seconds):
                    goes_on = connection.ask({})

    def ask_on_new_connections(self) -> None:
        """Ask once on each connection."""
        while not self.over.is_set():
            with self._connected() as connection:
                if connection is not None:
                    connection.ask({"Connection": "close"})

    @contextmanager
    def _connected(self) -> Iterator["_Connection | None"]:
        connection = _Connection(self)
        try:
            connection.open()
        except ConnectionRefusedError:
            with self.lock:
                self.refused += 1
            time.sleep(0.01)
            yield None
            return
        try:
            yield connection
        finally:
            connection.close()


class _Connection:
    """A connection that is never opened again by itself, or nobody would see that it failed."""

    def __init__(self, callers: _Callers) -> None:
        self._callers = callers
        self._connection = http.client.HTTPConnection("127.0.0.1", callers.port, timeout=_PATIENCE_SECONDS)
        self._connection.auto_open = 0
        self._free_since = 0.0

    def open(self) -> None:
        self._free_since = time.monotonic()
        self._connection.connect()

    def close(self) -> None:
        self._connection.close()

    def ask(self, headers: dict[str, str]) -> bool:
        """Ask once; tell whether the connection may be asked on."""
        sent = None
        try:
            self._connection.request("GET", LOGGED_USER, headers={"Authorization": self._callers.token, **headers})
            sent = time.monotonic()
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            waited = (sent or time.monotonic()) - self._free_since
            self._callers.note_failure(f"{type(error).__name__}: {error}", waited)
            return False
        self._free_since = time.monotonic()
        is_last = answer.getheader("connection") == "close"
        self._callers.note(answer.status, is_last=is_last)
        return not is_last


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningLatchgate]:
    """A server of one's own with two workers."""
    running = RunningLatchgate(tmp_path / "home", LATCHGATE_WORKERS="2").start()
    yield running
    running.kill()


@pytest.fixture
def callers(running: RunningLatchgate) -> Iterator[_Callers]:
    """Clients that ask all the time, by a good key."""
    service = Service(running.home)
    token = service.make_key(service.make_user("api@example.com")).token
    service.close()
    callers = _Callers(running.port, token)
    works: list[Callable[[], None]] = [
        *[callers.ask_on_kept_connections] * 3,
        *[callers.ask_on_new_connections] * 2,
        lambda: callers.ask_on_kept_connections(pause_seconds=0.2),
    ]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    wait_until(lambda: callers.answers >= _ANSWERS_MIN, "the load is on")
    yield callers
    callers.over.set()
    for thread in threads:
        thread.join(_PATIENCE_SECONDS)
        assert not thread.is_alive()


def _gone(running: RunningLatchgate, pids: list[int]) -> bool:
    return not set(pids) & set(running.workers)


def _left(running: RunningLatchgate) -> list[str]:
    return re.findall(r'"event": "worker makes room"', running.output.read_text())


@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.soak)])
def test_a_restart_drops_nothing(running: RunningLatchgate, callers: _Callers, rounds: int) -> None:
    """Every worker is another one afterwards, and nobody noticed: no error, no refusal, on whatever connection."""
    for number in range(rounds):
        before = running.workers
        answers = callers.answers

        os.kill(running.pid, signal.SIGHUP)

        # All connections are asked on, so that none keeps an old worker waiting.
        wait_until(lambda before=before: _gone(running, before), "the old ones have ended")  # type: ignore[misc]
        wait_until(lambda answers=answers: callers.answers >= answers + _ANSWERS_MIN, "it goes on")  # type: ignore[misc]
        assert len(running.workers) == 2
        assert len(_left(running)) == 2 * (number + 1)

    callers.over.set()
    assert callers.failures == []
    assert callers.refused == 0
    assert callers.closed > 0
    assert "died" not in running.output.read_text()


def test_a_restart_waits_for_whoever_is_idle(running: RunningLatchgate) -> None:
    """A kept connection that says nothing during a restart is answered by the old worker, however late it asks."""
    wait_until(lambda: len(running.workers) == 2, "two workers")
    before = running.workers
    kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=_PATIENCE_SECONDS)
    kept.auto_open = 0
    kept.connect()
    kept.request("GET", "/livez")
    assert kept.getresponse().read() == b'{"status":"ok"}'

    os.kill(running.pid, signal.SIGHUP)
    wait_until(lambda: len(_left(running)) == 2, "both old ones make room")
    wait_until(lambda: len(set(before) & set(running.workers)) == 1, "one of them had nobody")
    # It may still be about to be told.
    while True:
        kept.request("GET", "/readyz")
        answer = kept.getresponse()
        assert answer.status == 200
        if answer.getheader("connection") == "close":
            break
        answer.read()
    answer.read()
    kept.close()
    wait_until(lambda: _gone(running, before), "both have ended")
    assert running.stop() == 0


def test_a_second_restart_comes_after_the_first(running: RunningLatchgate, callers: _Callers) -> None:
    """However often it is asked for meanwhile, the service goes on, with as many workers as it should have."""
    before = running.workers
    for _ in range(20):
        os.kill(running.pid, signal.SIGHUP)
        time.sleep(0.02)

    wait_until(lambda: _gone(running, before), "those of before have ended")
    wait_until(lambda: len(running.workers) == 2, "two are left")
    callers.over.set()
    assert callers.failures == []
    assert callers.refused == 0
    assert running.stop() == 0


def test_a_stop_in_a_restart_is_a_stop(running: RunningLatchgate, callers: _Callers) -> None:
    """Old and new workers end together."""
    callers.is_stopping = True
    os.kill(running.pid, signal.SIGHUP)

    assert running.stop() == 0

    callers.over.set()
    assert callers.failures == []
    assert running.children == []


@pytest.mark.parametrize("round_", range(3))
def test_a_stop_drops_nothing(running: RunningLatchgate, callers: _Callers, round_: int) -> None:
    """Whoever got a connection gets an answer, and the rest find the port closed: nothing is reset."""
    callers.is_stopping = True

    assert running.stop() == 0

    wait_until(lambda: callers.refused > 0, "the port is closed")
    callers.over.set()
    assert callers.failures == []
    assert callers.answers >= _ANSWERS_MIN
    assert "before every request was answered" not in running.output.read_text()
