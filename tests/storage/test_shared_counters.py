"""Throttles that several processes share: one window a key, and a bound that holds whatever the interleaving."""

import os
import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.services.throttles import ThrottleRules, Throttles
from latchgate.storage import shared_slots
from latchgate.storage.shared_counters import SharedCounters
from latchgate.storage.shared_slots import WAYS, SharedSlots
from latchgate.storage.slot_files import make_shared_slots
from support.forks import run_in_forks
from support.house import ADDRESS, NOW, USER, FakeClock

_SLOTS = 8
_RULES = ThrottleRules(
    sign_ins_per_user=5, sign_ins_per_address=50, sign_in_window_seconds=600, credentials_per_minute=3
)


class _Host:
    """Some workers of a host, with a clock that all of them agree on."""

    def __init__(self, folder: Path, slots: int = _SLOTS) -> None:
        self.clock = FakeClock()
        self.shared: SharedSlots = make_shared_slots(folder / "run", slots=slots, salt=b"s" * 32)

    def counters(self, slot: int, kind: str = "uses") -> SharedCounters:
        """What a worker counts in."""
        return SharedCounters(self.shared.table(kind), slot, self.clock, lambda: self.clock.now() - NOW + 1_000)

    def throttles(self, slot: int) -> Throttles:
        """All throttles of a worker."""
        return Throttles(self.clock, _RULES, lambda kind: self.counters(slot, kind))


@pytest.fixture
def host(tmp_path: Path) -> _Host:
    """A host with its shared memory."""
    return _Host(tmp_path)


def test_all_workers_count_in_one_window(host: _Host) -> None:
    """It begins with the first count, whoever counts, is put off by none, and ends for all at once."""
    first, second = host.counters(2), host.counters(3)

    assert first.incr("a", 60) == 1
    host.clock.advance(59)
    assert second.incr("a", 60, amount=2) == 3
    assert first.incr("a", 60) == 4
    assert (first.get("a"), second.get_expiry("a")) == (4, NOW + 60)
    host.clock.advance(1)

    assert (first.get("a"), second.get("a"), second.get_expiry("a")) == (0, 0, NOW + 60)
    assert second.incr("a", 60) == 1
    assert first.get("a") == 1


def test_what_was_never_counted_stands_at_nothing(host: _Host) -> None:
    """And its window is over now."""
    counters = host.counters(2)

    assert (counters.get("a"), counters.get_expiry("a")) == (0, NOW)


def test_any_text_is_a_key(host: _Host) -> None:
    """Whoever is counted chooses it: also what is no valid Unicode, and what is very long."""
    counters = host.counters(2)

    for key in ("", "\x00", "\udcff", "é" * 100_000):
        assert counters.incr(key, 60) == 1


def test_the_counts_of_a_dead_worker_go_on_counting(host: _Host) -> None:
    """Until their window ends; and the slot's next owner adds to them."""
    run_in_forks([lambda: host.counters(2).incr("a", 60, amount=3)])

    assert host.counters(3).incr("a", 60) == 4
    assert host.counters(2).incr("a", 60) == 5
    host.clock.advance(60)
    assert host.counters(3).incr("a", 60) == 1


def test_a_counter_that_one_worker_forgets_is_forgotten_by_all(host: _Host) -> None:
    """Whoever signed in after some failures, has all attempts again, at whichever worker."""
    first, second = host.throttles(2), host.throttles(3)
    assert [first.count_sign_in(USER, ADDRESS), second.count_sign_in(USER, ADDRESS)] == [0, 0]
    assert [first.count_sign_in(USER, ADDRESS) for _ in range(4)] == [0, 0, 0, 600]

    second.forget_sign_ins(USER, ADDRESS)
    second.forget_sign_ins("nobody@example.com", ADDRESS)

    assert [worker.count_sign_in(USER, ADDRESS) for worker in (first, second) * 3] == [0, 0, 0, 0, 0, 600]


def test_a_key_over_its_limit_is_told_when_the_window_ends(host: _Host) -> None:
    """By every worker alike."""
    first, second = host.throttles(2), host.throttles(3)
    assert first.count_use("key", 1) == 0
    host.clock.advance(20)

    assert (first.count_use("key", 1), second.count_use("key", 1)) == (40, 40)


def test_forgetting_all_tells_how_many_there_were(host: _Host) -> None:
    """One window is one counter, whoever counted in it; one that is over is none."""
    host.counters(2).incr("over", 10)
    host.clock.advance(10)
    for slot in (2, 3):
        for key in ("a", "b"):
            host.counters(slot).incr(key, 60)

    assert host.counters(4).reset() == 2
    assert [host.counters(2).get(key) for key in ("a", "b")] == [0, 0]


def test_the_storage_says_of_itself_what_the_library_asks(host: _Host) -> None:
    """Memory is always there, and has no exceptions of its own but that there is none left."""
    assert host.counters(2).check() is True
    assert host.counters(2).base_exceptions is MemoryError


def test_strangers_cannot_push_out_others_counters(host: _Host) -> None:
    """Guesses from more addresses than are counted give no key and no sign-in a new allowance."""
    throttles = host.throttles(2)
    for _ in range(50):
        throttles.count_use("key", 1)
        throttles.count_sign_in(USER, ADDRESS)
        throttles.count_wrong_password(ADDRESS)

    guesses = host.counters(3, "guesses")
    for number in range(host.shared.table("guesses").entries + 1_000):
        guesses.incr(f"address {number}", 60)

    assert throttles.count_use("key", 1) == 60
    assert throttles.count_sign_in(USER, ADDRESS) == 600
    assert throttles.count_wrong_password(ADDRESS) == 600


def test_a_newcomer_takes_the_place_of_who_has_counted_least(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nobody who is close to a limit gets rid of that by coming from ever new addresses."""
    monkeypatch.setattr(shared_slots, "_ENTRIES", {"uses": WAYS})
    host = _Host(tmp_path)
    counters = host.counters(2)
    counters.incr("close to its limit", 60, amount=50)

    for number in range(10 * WAYS):
        assert counters.incr(f"newcomer {number}", 60) == 1

    assert counters.get("close to its limit") == 50
    assert sum(counters.get(f"newcomer {number}") for number in range(10 * WAYS)) == WAYS - 1
    host.clock.advance(60)
    assert counters.incr("after all have ended", 60) == 1


def test_kinds_are_counted_apart(host: _Host) -> None:
    """The same text in two kinds is two counters."""
    host.counters(2, "guesses").incr("a", 60)

    assert host.counters(2, "uses").get("a") == 0


# --- Several at once ------------------------------------------------------------------------------------------------


def _hammer(host: _Host, slot: int, limit: int, tries: int, gate: Path, passed: int) -> None:
    """Count as a worker does, beginning when all do; write how many passed."""
    throttles = Throttles(host.clock, _RULES, lambda kind: host.counters(slot, kind))
    while not gate.exists():
        time.sleep(0.001)
    admitted = sum(not throttles.count_use("key", limit) for _ in range(tries))
    os.write(passed, struct.pack("I", admitted))


@pytest.mark.parametrize("round_", range(5))
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_of_a_limit_no_more_pass_than_one_for_each_other_worker(host: _Host, limit: int, round_: int) -> None:
    """And never fewer than the limit, however six processes that count one key at once come between each other."""
    workers = 6
    reading, writing = os.pipe()
    gate = host.shared.path.parent / "begin"

    def open_gate() -> None:
        time.sleep(0.05)
        gate.touch()

    works: list[Callable[[], None]] = [
        lambda slot=slot: _hammer(host, slot, limit, 300, gate, writing)  # type: ignore[misc]
        for slot in range(2, 2 + workers)
    ]
    run_in_forks([*works, open_gate])

    admitted = [number for (number,) in struct.iter_unpack("I", os.read(reading, 4 * workers))]
    os.close(reading)
    os.close(writing)
    assert len(admitted) == workers
    assert limit <= sum(admitted) <= limit + workers - 1


def test_windows_that_many_begin_at_once_are_one_each(host: _Host) -> None:
    """Whatever keys the processes begin at the same time, each counts on what the others have counted."""
    keys = [f"key {number}" for number in range(300)]

    def count(slot: int) -> None:
        counters = host.counters(slot)
        for key in keys:
            counters.incr(key, 60)

    run_in_forks([lambda slot=slot: count(slot) for slot in range(2, 8)])  # type: ignore[misc]

    assert [host.counters(0).get(key) for key in keys] == [6] * len(keys)


class _Between:
    """Lets somebody else have their turn just before the lock is taken."""

    def __init__(self, before: Callable[[], object], lock: AbstractContextManager[None]) -> None:
        self._before = before
        self._lock = lock

    def __enter__(self) -> None:
        self._before()
        self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)


def test_who_comes_second_to_begin_a_window_counts_in_the_first_s(host: _Host) -> None:
    """What was not there when it looked may be there once it has the lock: no key has two windows."""
    other = host.counters(3)
    table = host.shared.table("uses")
    slow = replace(table, alone=lambda: _Between(lambda: other.incr("a", 60), table.alone()))
    counters = SharedCounters(slow, 2, host.clock, lambda: host.clock.now() - NOW + 1_000)

    assert counters.incr("a", 60) == 2
    assert other.incr("a", 60) == 3


def test_who_dies_while_it_begins_a_window_leaves_nothing(host: _Host) -> None:
    """The lock goes with it, and the half-written entry is nobody's, wherever in between it died."""
    table = host.shared.table("uses")
    counters = host.counters(3)
    _, bucket = counters._locate("a")
    for written in ({}, {1: 0}, {0: 12345}, {0: 12345, 1: 0}):

        def die(written: dict[int, int] = written) -> None:
            table.alone().__enter__()
            table.words[table.generation_at] += 1
            for word, value in written.items():
                table.words[table.heads_at + 2 * bucket + word] = value

        run_in_forks([die])

        assert counters.incr("a", 60) == 1
        assert host.counters(4).incr("a", 60) == 2
        counters.reset()


def test_one_who_was_stopped_in_the_lock_stops_nobody(host: _Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait a moment, then go on without a window; what has a window already does not even wait."""
    monkeypatch.setattr(shared_slots, "_PATIENCE_SECONDS", 0.01)
    counters = host.counters(2)
    counters.incr("begun", 60)
    taken, over = os.pipe(), os.pipe()

    child = os.fork()
    if not child:
        host.shared.table("uses").alone().__enter__()
        os.write(taken[1], b"x")
        os.read(over[0], 1)
        os._exit(0)
    os.read(taken[0], 1)
    outcomes = counters.incr("begun", 60), counters.incr("new", 60), counters.incr("new", 60)
    counters.clear("begun")
    os.write(over[1], b"x")
    os.waitpid(child, 0)

    assert outcomes == (2, 1, 1)
    assert counters.get("begun") == 2
    assert counters.incr("new", 60) == 1
    for descriptor in (*taken, *over):
        os.close(descriptor)


def test_a_lock_that_the_system_refuses_is_no_silence(host: _Host) -> None:
    """Only that somebody has it is waited for."""
    descriptor = os.open(host.shared.path, os.O_RDONLY)

    with pytest.raises(OSError, match="Bad file descriptor"):
        shared_slots._Alone(descriptor, 0).__enter__()

    os.close(descriptor)


@given(
    moves=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(1, 3)), max_size=40),
    amount=st.integers(1, 5),
)
def test_in_turn_workers_together_let_exactly_the_amount_through(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, int, int]], amount: int
) -> None:
    """Whichever worker is asked, a window that begins with a request holds the limit and not one more."""
    host = _Host(tmp_path_factory.mktemp("host"), slots=4)
    workers = [host.throttles(slot) for slot in range(4)]
    began, passed = 0, 0

    for pause, worker, count in moves:
        host.clock.advance(pause)
        for _ in range(count):
            if host.clock.now() >= began + 60:
                began, passed = host.clock.now(), 0
            wait = workers[worker].count_use("key", amount)
            passed += wait == 0

            assert passed <= amount
            assert wait == 0 or (began + 60 == host.clock.now() + wait and passed == amount)
    host.shared.remove()
