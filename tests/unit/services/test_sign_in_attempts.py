"""How often somebody may try to sign in, and that nobody pays for another."""

from dataclasses import replace

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.tokens import Secret
from latchgate.errors import LatchgateError, RateLimited, SignInFailed
from latchgate.services.port_values import UserChanges
from latchgate.services.users import UserOrder
from support.counting_hash import CountingHash
from support.house import ADDRESS, PASSWORD, USER, House

_WRONG = Secret("wrong password")
_OTHER = "other@example.com"
_ELSEWHERE = "198.51.100.7"
_WINDOW_SECONDS = 600


def _outcome(house: House, user: str = USER, password: Secret = PASSWORD, address: str = ADDRESS) -> str:
    try:
        house.open_session(user, password, address)
    except (SignInFailed, RateLimited) as error:
        return type(error).__name__
    return "opened"


def _failure(house: House, user: str = USER, password: Secret = PASSWORD, address: str = ADDRESS) -> LatchgateError:
    with pytest.raises((SignInFailed, RateLimited)) as failed:
        house.open_session(user, password, address)
    return failed.value


def test_the_sixth_attempt_is_too_many(house: House) -> None:
    """Five wrong passwords for a user from an address are answered; then the right one must wait too."""
    house.add_user()

    outcomes = [_outcome(house, password=_WRONG) for _ in range(6)] + [_outcome(house)]

    assert outcomes == ["SignInFailed"] * 5 + ["RateLimited"] * 2


@pytest.mark.parametrize("user", [USER, "nobody@example.com", "no name"])
def test_too_many_attempts_cost_no_hash(house: House, user: str) -> None:
    """Beyond the limit nothing is looked up, hashed or written: Argon2 cannot be used to exhaust the server."""
    decoy = CountingHash.of(house.sign_in.decoy_hash)
    watched = replace(house, sign_in=replace(house.sign_in, decoy_hash=decoy))
    house.add_user(UserOrder(USER))

    outcomes = [_outcome(watched, user) for _ in range(20)]

    assert outcomes == ["SignInFailed"] * 5 + ["RateLimited"] * 15
    assert decoy.verified == 5
    assert [row.operation for row in house.activity()].count("session.refused") == 5


def test_an_account_opens_again_after_the_window(house: House) -> None:
    """Whoever is told to wait may come back after exactly so many seconds, and attempts do not put that off."""
    house.add_user()
    for _ in range(5):
        _outcome(house, password=_WRONG)
    house.clock.advance(100)

    failure = _failure(house)
    assert isinstance(failure, RateLimited)
    assert failure.retry_after_seconds == _WINDOW_SECONDS - 100
    house.clock.advance(failure.retry_after_seconds - 1)
    assert _outcome(house) == "RateLimited"
    house.clock.advance(1)

    assert _outcome(house) == "opened"


def test_success_clears_the_attempts(house: House) -> None:
    """Whoever mistyped four times and then signed in may mistype again."""
    house.add_user()

    for _ in range(3):
        assert [_outcome(house, password=_WRONG) for _ in range(4)] == ["SignInFailed"] * 4
        assert _outcome(house) == "opened"


def test_a_right_password_in_the_wrong_place_clears_nothing(house: House) -> None:
    """Attempts that open no session count, whatever the password."""
    house.change_user(house.add_user(), UserChanges(login_after=9))

    assert [_outcome(house) for _ in range(6)] == ["SignInFailed"] * 5 + ["RateLimited"]


@pytest.mark.parametrize("spelling", ["API@example.com", " api@example.com ", "Api@Example.Com"])
def test_another_spelling_is_no_further_attempt(house: House, spelling: str) -> None:
    """Whoever guesses cannot multiply the attempts by writing a name in other ways."""
    house.add_user()
    for _ in range(5):
        _outcome(house, password=_WRONG)

    assert _outcome(house, spelling) == "RateLimited"


def test_an_attack_keeps_nobody_else_out(house: House) -> None:
    """Guesses at one account leave its own user alone elsewhere, and other users everywhere."""
    house.add_user()
    house.add_user(_OTHER)
    for _ in range(10):
        _outcome(house, password=_WRONG)

    assert _outcome(house, address=_ELSEWHERE) == "opened"
    assert _outcome(house, _OTHER) == "opened"


def test_an_address_has_fifty_wrong_passwords(house: House) -> None:
    """After fifty wrong passwords for whomever, an address is told to wait; a right one still opens."""
    house.add_user()
    names = [f"user{number}@example.com" for number in range(52)]

    outcomes = [_outcome(house, name, _WRONG) for name in names]

    assert outcomes == ["SignInFailed"] * 50 + ["RateLimited"] * 2
    assert _outcome(house) == "opened"
    assert _outcome(house, names[0], _WRONG, _ELSEWHERE) == "SignInFailed"


def test_a_64_is_one_address(house: House) -> None:
    """Whoever holds an IPv6 /64 has not as many attempts as addresses."""
    house.add_user()

    outcomes = [_outcome(house, password=_WRONG, address=f"2001:db8::{number:x}") for number in range(6)]

    assert outcomes == ["SignInFailed"] * 5 + ["RateLimited"]


def test_keys_and_passwords_do_not_share_their_attempts(house: House) -> None:
    """Wrong API keys from an address keep nobody from signing in, and the other way round."""
    house.add_user()
    presented = house.carry(Scheme.TOKEN)
    for _ in range(310):
        house.admit(replace(presented, authorization=(b"token nobodys-key:nobodys-secret",)))
    for _ in range(6):
        _outcome(house, _OTHER, _WRONG)

    assert _outcome(house) == "opened"
    assert house.admit(presented).principal is not None
