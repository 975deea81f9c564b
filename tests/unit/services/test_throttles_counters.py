"""The counters themselves: bounded, apart, each with a window of its own."""

from hypothesis import given
from hypothesis import strategies as st

from latchgate.services.throttles import COUNTERS_MAX, BoundedStorage, ThrottleRules, Throttles
from support.house import ADDRESS, NOW, USER, FakeClock

_RULES = ThrottleRules(
    sign_ins_per_user=5, sign_ins_per_address=50, sign_in_window_seconds=600, credentials_per_minute=3
)


def test_the_memory_of_the_counters_is_bounded() -> None:
    """However many keys are counted, no more counters are kept than the storage may hold; the oldest goes first."""
    storage = BoundedStorage(FakeClock(), counters_max=10)

    for number in range(1_000):
        storage.incr(f"address {number}", 60)

    assert len(storage._counters) == 10
    assert [storage.get(f"address {number}") for number in (989, 990, 999)] == [0, 1, 1]


def test_strangers_cannot_push_out_others_counters() -> None:
    """Guesses from more addresses than are counted give no key and no sign-in a new allowance."""
    throttles = Throttles(FakeClock(), _RULES)
    for limiter in (throttles._uses, throttles._guesses, throttles._sign_ins, throttles._wrong_passwords):
        assert isinstance(limiter.storage, BoundedStorage)
        assert limiter.storage._counters_max == COUNTERS_MAX
        limiter.storage._counters_max = 10
    for _ in range(50):
        throttles.count_use("key", 1)
        throttles.count_sign_in(USER, ADDRESS)
        throttles.count_wrong_password(ADDRESS)

    for number in range(11):
        throttles.count_wrong_credential(f"198.51.100.{number}")

    assert throttles.count_wrong_credential("198.51.100.0") == 0
    assert throttles.count_use("key", 1) == 60
    assert throttles.count_sign_in(USER, ADDRESS) == 600
    assert throttles.count_wrong_password(ADDRESS) == 600


def test_an_address_that_fails_often_is_known_while_its_window_lasts() -> None:
    """Asking whether an address has used its wrong passwords up counts nothing, and ends with the window."""
    clock = FakeClock()
    throttles = Throttles(clock, _RULES)

    states = []
    for _ in range(50):
        states.append(throttles.has_failed_often(ADDRESS))
        throttles.count_wrong_password(ADDRESS)

    assert states == [False] * 50
    assert throttles.has_failed_often(f"::ffff:{ADDRESS}")
    assert not throttles.has_failed_often("192.0.2.2")
    clock.advance(600)
    assert not throttles.has_failed_often(ADDRESS)


def test_a_counter_s_window_begins_with_its_first_count() -> None:
    """A window is not put off by what is counted in it."""
    clock = FakeClock()
    storage = BoundedStorage(clock)

    storage.incr("a", 60)
    clock.advance(59)
    storage.incr("a", 60, amount=2)

    assert (storage.get("a"), storage.get_expiry("a")) == (3, NOW + 60)
    clock.advance(1)
    assert (storage.get("a"), storage.get_expiry("a")) == (0, NOW + 60)


def test_a_counter_that_is_none_has_ended() -> None:
    """What was never counted stands at nothing, and its window is over now."""
    storage = BoundedStorage(FakeClock())

    assert (storage.get("a"), storage.get_expiry("a")) == (0, NOW)


def test_counters_can_be_forgotten() -> None:
    """One counter or all of them begin anew."""
    storage = BoundedStorage(FakeClock())
    for key in ("a", "b", "c"):
        storage.incr(key, 60)

    storage.clear("a")
    storage.clear("never counted")

    assert [storage.get(key) for key in ("a", "b")] == [0, 1]
    assert storage.reset() == 2
    assert storage.get("b") == 0


def test_the_storage_says_of_itself_what_the_library_asks() -> None:
    """Memory is always there, and has no exceptions of its own but that there is none left."""
    storage = BoundedStorage(FakeClock())

    assert storage.check() is True
    assert storage.base_exceptions is MemoryError


@given(moves=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), max_size=60), amount=st.integers(1, 5))
def test_no_window_lets_more_through_than_its_amount(moves: list[tuple[int, int]], amount: int) -> None:
    """Whenever the requests come, no window of a minute that begins with one holds more than the limit."""
    clock = FakeClock()
    throttles = Throttles(clock, _RULES)
    began, passed = 0, 0

    for pause, count in moves:
        clock.advance(pause)
        for _ in range(count):
            if clock.now() >= began + 60:
                began, passed = clock.now(), 0
            wait = throttles.count_use("key", amount)
            passed += wait == 0

            assert passed <= amount
            assert wait == 0 or began + 60 == clock.now() + wait


def test_registrations_are_counted_by_address() -> None:
    """Twenty clients an hour register from an address, or from an IPv6 network; another address is not held up."""
    clock = FakeClock()
    throttles = Throttles(clock, _RULES)
    for number in range(20):
        assert throttles.count_registration(f"2001:db8::{number + 1:x}") == 0
    clock.advance(600)

    assert throttles.count_registration("2001:db8::1") == 3_000
    assert throttles.count_registration("2001:db8:0:1::1") == 0
    clock.advance(3_000)
    assert throttles.count_registration("2001:db8::1") == 0
