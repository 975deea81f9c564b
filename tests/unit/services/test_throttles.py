"""Keys are held to their limits, guessing is slowed down, and nobody pays for a stranger's failures."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Presented, Scheme
from latchgate.core.policy import ANY_SCHEME, Decision
from latchgate.core.principals import Reason, Rejected
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.port_values import UserChanges
from latchgate.services.throttles import ThrottleRules, Throttles
from support.house import ADDRESS, NOTHING_PRESENTED, USER, FakeClock, House, present_pair, present_token

_GUESSES_A_MINUTE = 300
_RULES = ThrottleRules(
    sign_ins_per_user=5, sign_ins_per_address=50, sign_in_window_seconds=600, credentials_per_minute=3
)
_GUESS = present_pair("nobodys-key", "nobodys-secret")


def _limited_key(house: House, per_minute: int, scheme: Scheme = Scheme.TOKEN) -> Presented:
    house.add_user()
    issued = house.add_key(limits=Limits(frozenset({"all"}), per_minute=per_minute))
    return present_pair(issued.key.key_id, issued.secret.text, scheme)


def _reasons(house: House, presented: Presented, times: int) -> list[Reason | None]:
    return [house.admit(presented).reason for _ in range(times)]


# --- Limits of keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BASIC])
def test_a_key_makes_exactly_as_many_requests_as_its_limit(house: House, scheme: Scheme) -> None:
    """Of a key limited to seven a minute the first seven requests pass and no more, until the minute is over."""
    presented = _limited_key(house, 7, scheme)

    assert _reasons(house, presented, 9) == [None] * 7 + [Reason.OVER_LIMIT] * 2
    house.clock.advance(59)
    assert _reasons(house, presented, 1) == [Reason.OVER_LIMIT]
    house.clock.advance(1)
    assert _reasons(house, presented, 8) == [None] * 7 + [Reason.OVER_LIMIT]


def test_the_limit_is_the_key_s_whatever_the_scheme(house: House) -> None:
    """Changing the scheme does not give a key a second allowance."""
    by_token = _limited_key(house, 1)
    pair = by_token.authorization[0].removeprefix(b"token ").decode().partition(":")

    assert _reasons(house, by_token, 1) == [None]
    assert _reasons(house, present_pair(pair[0], pair[2], Scheme.BASIC), 1) == [Reason.OVER_LIMIT]


def test_a_limit_is_one_key_s_alone(house: House) -> None:
    """A key over its limit keeps no other key of the same user waiting."""
    presented = _limited_key(house, 1)
    other = house.add_key(limits=Limits(frozenset({"all"}), per_minute=1))
    _reasons(house, presented, 2)

    assert _reasons(house, present_pair(other.key.key_id, other.secret.text), 1) == [None]


def test_keys_of_one_id_in_two_sources_have_a_limit_each(house: House) -> None:
    """A limit belongs to a key of a source, not to a text that two sources may both know."""
    house.add_user()
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", USER)
    order, pair = KeyOrder(limits=Limits(frozenset({"all"}), per_minute=1)), PairText("one-id", Secret("one-secret"))
    house.keys.import_key(COMMAND_LINE, Owner("User", USER), pair, order)
    house.keys.import_key(COMMAND_LINE, Owner("Event Consumer", "consumer-1"), pair, order)

    assert _reasons(house, present_pair("one-id", "one-secret"), 2) == [None, Reason.OVER_LIMIT]
    assert _reasons(house, present_pair("one-id", "one-secret", source="Event Consumer"), 1) == [None]


def test_a_wrong_secret_uses_up_no_allowance(house: House) -> None:
    """Strangers who know the public half of a key cannot use its limit up."""
    presented = _limited_key(house, 1)
    key_id = presented.authorization[0].removeprefix(b"token ").partition(b":")[0].decode()
    _reasons(house, present_pair(key_id, "wrong-secret"), 20)

    assert _reasons(house, presented, 1) == [None]


def test_a_key_without_a_limit_is_not_counted(house: House) -> None:
    """A key that names no limit makes as many requests as it likes."""
    house.add_user()

    assert _reasons(house, house.carry(Scheme.TOKEN), 400) == [None] * 400


@pytest.mark.parametrize("seconds", [0, 1, 59])
def test_a_key_over_its_limit_is_told_when_the_window_ends(house: House, seconds: int) -> None:
    """Coming back after exactly the seconds that were told succeeds."""
    presented = _limited_key(house, 1)
    house.admit(presented)
    house.clock.advance(seconds)

    who = house.admit(presented).who
    assert isinstance(who, Rejected)
    assert who.retry_after_seconds == 60 - seconds
    house.clock.advance(who.retry_after_seconds)

    assert house.admit(presented).decision is Decision.ALLOWED


# --- Guesses --------------------------------------------------------------------------------------------------------


def test_guesses_are_answered_as_such_up_to_the_limit(house: House) -> None:
    """The three hundredth wrong credential of a minute is still a plain refusal, the next one is too many."""
    reasons = _reasons(house, _GUESS, _GUESSES_A_MINUTE + 1)

    assert reasons == [Reason.UNKNOWN_KEY] * _GUESSES_A_MINUTE + [Reason.TOO_MANY_FAILURES]


def test_guesses_are_forgotten_after_a_minute(house: House) -> None:
    """An address is told when to come back, and then begins anew."""
    house.clock.advance(5)
    _reasons(house, _GUESS, _GUESSES_A_MINUTE)
    house.clock.advance(45)

    who = house.admit(_GUESS).who
    assert isinstance(who, Rejected)
    assert who.retry_after_seconds == 15
    house.clock.advance(15)

    assert _reasons(house, _GUESS, 1) == [Reason.UNKNOWN_KEY]


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_a_good_credential_passes_whoever_guesses_beside_it(house: House, scheme: Scheme) -> None:
    """One address hammering wrong secrets, even those of the same key, keeps no good credential out."""
    house.add_user()
    presented = house.carry(scheme)
    known = house.add_key()
    _reasons(house, present_pair(known.key.key_id, "wrong-secret"), _GUESSES_A_MINUTE + 10)

    assert house.admit(presented).decision is Decision.ALLOWED
    assert house.admit(present_pair(known.key.key_id, known.secret.text)).decision is Decision.ALLOWED


def _of_unknown_source(house: House) -> Presented:
    return present_pair("nobodys-key", "nobodys-secret", source="API Device")


def _of_known_key(house: House) -> Presented:
    house.add_user()
    return present_pair(house.add_key().key.key_id, "wrong-secret")


def _of_token(house: House) -> Presented:
    return present_token("nobodys-token")


@pytest.mark.parametrize("guess", [_of_unknown_source, _of_known_key, _of_token])
def test_every_kind_of_guess_counts(house: House, guess: Callable[[House], Presented]) -> None:
    """Keys, secrets, sources and tokens are guessed at from one allowance."""
    _reasons(house, guess(house), _GUESSES_A_MINUTE)

    assert _reasons(house, _GUESS, 1) == [Reason.TOO_MANY_FAILURES]


def _disabled(house: House, scheme: Scheme) -> Presented:
    presented = house.carry(scheme)
    house.change_user(house.users.get(USER), UserChanges(enabled=False))
    return presented


def _elsewhere(house: House, scheme: Scheme) -> Presented:
    issued = house.add_key(limits=Limits(frozenset({"all"}), (ip_network("198.51.100.0/24"),)))
    return present_pair(issued.key.key_id, issued.secret.text, scheme)


def _expired(house: House, scheme: Scheme) -> Presented:
    issued = house.add_key(limits=Limits(frozenset({"all"}), expires_at=house.clock.now() + 1))
    house.clock.advance(1)
    return present_pair(issued.key.key_id, issued.secret.text, scheme)


def _unreadable(house: House, scheme: Scheme) -> Presented:
    return replace(NOTHING_PRESENTED, authorization=(b"token",))


@pytest.mark.parametrize("arrange", [_disabled, _elsewhere, _expired, _unreadable])
def test_what_guesses_nothing_is_not_counted(house: House, arrange: Callable[[House, Scheme], Presented]) -> None:
    """A right secret that is refused for another reason, and what is no credential, is never too many."""
    house.add_user()
    presented = arrange(house, Scheme.TOKEN)

    reasons = set(_reasons(house, presented, _GUESSES_A_MINUTE + 1))

    assert len(reasons) == 1
    assert Reason.TOO_MANY_FAILURES not in reasons
    assert _reasons(house, _GUESS, 1) == [Reason.UNKNOWN_KEY]


def test_addresses_are_counted_apart(house: House) -> None:
    """One address's guesses are not held against its neighbour."""
    _reasons(house, _GUESS, _GUESSES_A_MINUTE)

    assert _reasons(house, replace(_GUESS, peer_address="192.0.2.2"), 1) == [Reason.UNKNOWN_KEY]


def test_a_64_is_one_guesser() -> None:
    """Whoever holds an IPv6 /64 has not as many allowances as addresses; the next /64 has one of its own."""
    throttles = Throttles(FakeClock(), _RULES)

    same = [throttles.count_wrong_credential(f"2001:db8:0:1::{suffix:x}") for suffix in range(5)]

    assert same == [0, 0, 0, 60, 60]
    assert throttles.count_wrong_credential("2001:db8:0:2::1") == 0


def test_a_mapped_address_is_the_same_guesser() -> None:
    """An IPv4 caller cannot double its allowance by coming over an IPv6 socket."""
    throttles = Throttles(FakeClock(), _RULES)

    waits = [throttles.count_wrong_credential(address) for address in [ADDRESS, f"::ffff:{ADDRESS}"] * 2]

    assert waits == [0, 0, 0, 60]
