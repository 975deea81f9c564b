"""The one clock goes forward only; the one source of randomness repeats nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from latchgate.services.clock import SystemClock
from latchgate.services.entropy import SystemEntropy


def test_the_clock_tells_the_time() -> None:
    """Seconds and microseconds are those of the wall clock."""
    before = time.time()
    clock = SystemClock()

    seconds, microseconds = clock.now(), clock.now_us()

    assert int(before) <= seconds <= time.time() + 1
    assert before - 1 <= microseconds / 1_000_000 <= time.time() + 1


def test_the_clock_never_goes_backwards() -> None:
    """Each reading is no less than the one before."""
    clock = SystemClock()

    readings = [clock.now() for _ in range(1_000)]

    assert readings == sorted(readings)


def test_a_wall_clock_that_was_set_back_is_not_followed() -> None:
    """What has expired stays so when the wall clock is set back by an hour: time goes on from where it was."""
    clock = SystemClock()
    before, before_us = clock.now() + 3_600, clock.now_us() + 3_600_000_000
    # As if the wall clock had been an hour ahead when it was read before.
    clock._offset += 3_600

    seconds, microseconds = clock.now(), clock.now_us()

    assert before <= seconds <= before + 2
    assert before_us <= microseconds <= before_us + 2_000_000


def test_a_wall_clock_that_was_set_forward_is_followed() -> None:
    """A host whose clock was wrong at the start counts right as soon as it is put right."""
    clock = SystemClock()
    # As if the wall clock had been an hour behind when it was read before.
    clock._offset -= 3_600

    assert abs(clock.now() - time.time()) < 2


def test_no_two_readings_in_microseconds_are_equal() -> None:
    """Rows written at once by several threads have times of their own, in each thread in order."""
    clock = SystemClock()

    def read(_thread: int) -> list[int]:
        return [clock.now_us() for _ in range(2_000)]

    with ThreadPoolExecutor(4) as pool:
        readings = list(pool.map(read, range(4)))

    assert len({reading for thread in readings for reading in thread}) == 8_000
    assert all(earlier < later for thread in readings for earlier, later in pairwise(thread))


def test_a_clock_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system's clock is coarser than a microsecond, the readings go on by one."""
    monkeypatch.setattr("latchgate.services.clock.boottime", lambda: 1000.0)
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    clock = SystemClock()

    first, *others = (clock.now_us() for _ in range(4))

    assert first == 1_800_000_000_000_000
    assert others == [first + 1, first + 2, first + 3]


@pytest.mark.parametrize("count", [0, 1, 12, 24, 32])
def test_randomness_has_the_length_asked_for(count: int) -> None:
    """As many bytes are given as were asked for."""
    assert len(SystemEntropy().random_bytes(count)) == count


def test_randomness_repeats_nothing() -> None:
    """A thousand times 192 bits are a thousand values, with every byte in use."""
    entropy = SystemEntropy()

    drawn = {entropy.random_bytes(24) for _ in range(1_000)}

    assert len(drawn) == 1_000
    assert set(b"".join(drawn)) == set(range(256))
