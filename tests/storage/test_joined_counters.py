"""Limits of processes beside a server are counted in the server's memory, with its own."""

from pathlib import Path

import pytest

from latchgate.storage.joined_counters import JoinedCounters, JoinedMemory
from latchgate.storage.shared_counters import SharedCounters
from latchgate.storage.shared_slots import GUESTS, SharedSlots
from latchgate.storage.slot_files import find_shared_slots, make_shared_slots
from support.forks import run_in_forks
from support.house import FakeClock

_SALT = bytes(range(32))


class Beside:
    """Processes beside a server, each a memory of its own; and the time, which a test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = 1.0
        self.clock = FakeClock()

    def begin_server(self, salt: bytes = _SALT) -> SharedSlots:
        """Make the memory as a server does at its start."""
        return make_shared_slots(self.folder, slots=3 + GUESTS, salt=salt)

    def join(self) -> tuple[JoinedMemory, JoinedCounters]:
        """Begin a process beside it."""
        memory = JoinedMemory(self.folder, self.clock, lambda: self.seconds)
        return memory, JoinedCounters(memory, "uses", self.clock)

    def at_server(self, shared: SharedSlots) -> SharedCounters:
        """Count as the server's first process."""
        return SharedCounters(shared.table("uses"), 0, self.clock)


@pytest.fixture(name="beside")
def _beside(tmp_path: Path) -> Beside:
    return Beside(tmp_path / "run")


def test_server_and_guests_count_together(beside: Beside) -> None:
    """What one of them counts, the others see."""
    server = beside.at_server(beside.begin_server())
    (first_memory, first), (second_memory, second) = beside.join(), beside.join()

    counts = [one.incr("key", 60) for one in (server, first, second, server, second)]

    assert counts == [1, 2, 3, 4, 5]
    assert [one.get("key") for one in (server, first, second)] == [5, 5, 5]
    first_memory.close()
    second_memory.close()


def test_without_a_server_each_counts_alone_until_there_is_one(beside: Beside) -> None:
    """A process that was there first joins within a second of the server's start, and a restarted one's memory too."""
    memory, counters = beside.join()
    assert [counters.incr("key", 60) for _ in range(2)] == [1, 2]

    for salt in (_SALT, bytes(32)):
        shared = beside.begin_server(salt)
        beside.seconds += 1.0
        beside.at_server(shared).incr("key", 60, 10)
        assert counters.incr("key", 60) == 11
        shared.remove()
    memory.close()


def test_no_more_guests_than_there_are_places(beside: Beside) -> None:
    """Who finds no place counts alone; a place that was let go is the next one's."""
    server = beside.at_server(beside.begin_server())
    server.incr("key", 60, 100)
    joined = [beside.join() for _ in range(GUESTS + 1)]

    counts = [counters.incr("key", 60) for _, counters in joined]

    assert counts == [*range(101, 101 + GUESTS), 1]
    joined[0][0].close()
    assert beside.join()[1].incr("key", 60) == 101 + GUESTS
    for memory, _ in joined:
        memory.close()


def test_a_memory_that_is_nobodys_is_not_joined(beside: Beside) -> None:
    """What a server that is gone has left, or one of another release has made, is none to count in."""

    def die() -> None:
        beside.begin_server()

    run_in_forks([die])
    assert find_shared_slots(beside.folder) is None

    kept = make_shared_slots(beside.folder, slots=3, salt=_SALT, names=("another",))
    assert kept.path.exists()
    assert find_shared_slots(beside.folder) is None


def test_who_found_no_place_takes_one_that_is_let_go(beside: Beside) -> None:
    """After a reload, while which there were twice as many processes, those that stay count together."""
    server = beside.at_server(beside.begin_server())
    server.incr("key", 60, 100)
    *others, (late_memory, late) = [beside.join() for _ in range(GUESTS + 1)]
    for _, counters in others:
        counters.get("key")
    assert late.incr("key", 60) == 1

    for memory, _ in others:
        memory.close()
    beside.seconds += 1.0

    assert late.incr("key", 60) == 101
    late_memory.close()
