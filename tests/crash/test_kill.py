"""kill -9 of a server in the middle of its work: what was answered is in the log, what was acknowledged is in force."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import LogQuery
from support.asgi import Pair, Service
from support.running import RunningLatchgate
from support.wire_client import Client, Received, ask_once

GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"
CALLERS = 4
ROTATED_USERS = 10
_DEADLINE_SECONDS = 120.0


@dataclass(frozen=True)
class _Load:
    """How much is asked before the load ends by itself."""

    requests: int
    rotations: int
    revocations: int


@dataclass
class _Seen:
    """What the callers were told before the server died."""

    answered: dict[str, int] = field(default_factory=dict)
    """Request id → status."""
    secrets: dict[str, list[Pair]] = field(default_factory=dict)
    """User → the pairs that were acknowledged, oldest first."""
    undecided: set[str] = field(default_factory=set)
    """Users with a rotation that nobody answered: it may have happened."""
    revoked: list[Pair] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: Received) -> int:
        """Note an answer, and tell how many there were."""
        with self.lock:
            assert answer.request_id not in self.answered
            self.answered[answer.request_id] = answer.status
            return len(self.answered)


class _House:
    """An instance with all that the load needs, and a second process' view of it."""

    def __init__(self, home: Path) -> None:
        self.running = RunningLatchgate(home).start()
        self.beside = Service(home)
        manager = self.beside.make_user("manager@example.com", roles=frozenset({SYSTEM_MANAGER}))
        caller = self.beside.make_user("caller@example.com")
        self.manager, self.key = self.beside.make_key(manager), self.beside.make_key(caller)
        self.bearer = self.beside.make_bearer(caller, "made-elsewhere-for-the-load-0001")
        self.rotated = [self.beside.make_user(f"rotated{number}@example.com") for number in range(ROTATED_USERS)]
        self.disposable: list[Pair] = []

    def close(self) -> None:
        """End the server, however it fares."""
        self.beside.close()
        self.running.kill()

    def call(self, seen: _Seen, number: int, requests: int, reached: Callable[[int], None]) -> None:
        """Ask as one caller, by good credentials and now and then by a wrong one, until the server is gone."""
        wrong = Pair(self.key.key_id, "guess")
        values = [self.key.token, self.bearer, self.key.basic] * 8 + [wrong.token]
        with closing(Client(self.running.port)) as client:
            for step in range(requests):
                reached(seen.note(client.ask(values[(step + number) % len(values)])))

    def rotate(self, seen: _Seen, rotations: int, reached: Callable[[int], None]) -> None:
        """Give the users new secrets, one after another, as a caller of generate_keys does."""
        with closing(Client(self.running.port)) as client:
            for step in range(rotations):
                user = self.rotated[step % ROTATED_USERS]
                seen.undecided.add(user)
                answer = client.ask(self.manager.token, path=GENERATE, method="POST", arguments={"user": user})
                assert answer.status == 200, answer.body
                made = answer.document["message"]
                seen.secrets.setdefault(user, []).append(Pair(made["api_key"], made["api_secret"]))
                seen.undecided.discard(user)
                reached(seen.note(answer))

    def revoke(self, seen: _Seen, over: threading.Event) -> None:
        """Revoke keys from this process while the server serves, as the command line does."""
        for pair in self.disposable:
            if over.is_set():
                return
            self.beside.latchgate.api_keys.revoke(COMMAND_LINE, pair.key_id)
            seen.revoked.append(pair)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[_House]:
    """A running server with users and keys."""
    house = _House(tmp_path / "home")
    yield house
    house.close()


def _serve_until_killed(house: _House, load: _Load, kill_after: int) -> _Seen:
    """Put the load on, and kill the server at that answer."""
    seen, over = _Seen(), threading.Event()
    house.disposable = [house.beside.make_key("caller@example.com") for _ in range(load.revocations)]

    def reached(count: int) -> None:
        if count == kill_after:
            house.running.kill()

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, http.client.HTTPException):
            # The server is gone; what it answered was noted.
            over.set()

    works: list[Callable[[], None]] = [
        lambda number=number: house.call(seen, number, load.requests // CALLERS, reached)  # type: ignore[misc]
        for number in range(CALLERS)
    ]
    works += [lambda: house.rotate(seen, load.rotations, reached), lambda: house.revoke(seen, over)]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_DEADLINE_SECONDS)
        assert not thread.is_alive()
    house.running.kill()
    return seen


def _assert_nothing_was_lost(house: _House, seen: _Seen, rows_before: int) -> int:
    """Hold the log to what was answered; tell how many rows it has."""
    rows = list(house.beside.latchgate.request_log.search(LogQuery(limit=0)))
    counted = Counter(row.request_id for row in rows)
    statuses = {row.request_id: row.status for row in rows}

    assert set(counted.values()) == {1}
    assert {request_id: statuses.get(request_id) for request_id in seen.answered} == seen.answered
    # A row means "decided": of each caller there may be one that the kill kept from being answered.
    assert len(rows) - rows_before - len(seen.answered) <= CALLERS + 1
    return len(rows)


def _assert_all_is_in_force(house: _House, seen: _Seen) -> None:
    """Hold the server, started again, to every change that it or this process had acknowledged."""
    port = house.running.port
    for user, pairs in seen.secrets.items():
        assert len({pair.key_id for pair in pairs}) == 1
        if user not in seen.undecided:
            assert ask_once(port, pairs[-1].token).document == {"message": user}
        for former in pairs[:-1]:
            assert ask_once(port, former.token).status == 401
    for pair in seen.revoked:
        assert ask_once(port, pair.token).status == 401
    left = house.disposable[len(seen.revoked) + 1 :]
    assert [ask_once(port, pair.token).status for pair in left] == [200] * len(left)


def _run(house: _House, load: _Load, rounds: int) -> None:
    total = load.requests + load.rotations
    for number in range(rounds):
        rows_before = len(list(house.beside.latchgate.request_log.search(LogQuery(limit=0))))
        # Elsewhere in the load each time; where exactly in the server's work it strikes is chance.
        seen = _serve_until_killed(house, load, kill_after=total * (2 * number + 1) // (2 * rounds))
        _assert_nothing_was_lost(house, seen, rows_before)

        house.running.start()
        _assert_all_is_in_force(house, seen)
        check = house.running.run("database", "check")
        assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.crash
@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_a_killed_server_has_lost_nothing(house: _House, rounds: int) -> None:
    """Ten times in 2,000 requests and 200 changes of keys: each answer has its row, once, and each change holds."""
    _run(house, _Load(requests=2_000, rotations=140, revocations=60), rounds)
