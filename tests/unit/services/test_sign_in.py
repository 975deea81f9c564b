"""Sessions are opened by password: failures tell nothing to whoever guesses, and what changes meanwhile counts."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.passwords import SALT_BYTES, hash_password
from latchgate.core.tokens import Secret
from latchgate.errors import LatchgateError, RateLimited, SignInFailed
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import UserChanges
from latchgate.services.sign_in import SignInAttempt
from latchgate.services.users import UserOrder
from support.counting_hash import CountingHash
from support.house import ADDRESS, PASSWORD, PROFILE, USER, House, present_session

_WRONG = Secret("wrong password")
_OTHER = "other@example.com"


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


def test_the_right_password_opens_a_session(house: House) -> None:
    """A session id that nobody could guess acts as the user, from where and with what is noted."""
    user = house.add_user()

    signed_in = house.open_session("Api@Example.com ")

    assert (signed_in.user, len(signed_in.sid.text)) == (user, 56)
    assert house.principal(present_session(signed_in.sid.text)).user == USER
    assert house.execute("SELECT ip_address, user_agent FROM session") == [(ADDRESS, "browser")]


def test_sessions_stand_apart(house: House) -> None:
    """Two sessions of a user have ids of their own; ending one leaves the other."""
    house.add_user()
    first, second = (present_session(house.open_session().sid.text) for _ in range(2))

    house.sign_in.sign_out(house.principal(first), Secret(first.session_cookie or ""), ADDRESS)

    assert house.admit(first).principal is None
    assert house.admit(second).principal is not None


def test_a_session_id_is_stored_as_a_digest(house: House) -> None:
    """Whoever reads the database, or prints what was opened, learns no session id."""
    house.add_user()
    signed_in = house.open_session()

    (digest,) = house.execute("SELECT digest FROM session")[0]

    assert bytes.fromhex(signed_in.sid.text) != digest
    assert signed_in.sid.text.encode() != digest
    assert signed_in.sid.text not in repr(signed_in)


def test_signing_out_twice_does_no_harm(house: House) -> None:
    """A session that is not there any more is simply not there."""
    house.add_user()
    signed_in = house.open_session()
    principal = house.principal(present_session(signed_in.sid.text))

    house.sign_in.sign_out(principal, signed_in.sid, ADDRESS)
    house.sign_in.sign_out(principal, signed_in.sid, ADDRESS)
    house.sign_in.sign_out(principal, Secret("0" * 56), ADDRESS)

    assert [row.operation for row in house.activity()].count("session.ended") == 1


def test_a_browser_s_name_is_stored_escaped(house: House) -> None:
    """What a browser says of itself cannot forge what an administrator reads."""
    house.add_user()

    house.sign_in.sign_in(SignInAttempt(USER, PASSWORD, ADDRESS, "evil\r\n\x1b[31m" + "x" * 500))

    ((user_agent,),) = house.execute("SELECT user_agent FROM session")
    assert user_agent.startswith("evil\\x0d\\x0a\\x1b[31m")
    assert (user_agent.isprintable(), len(user_agent)) == (True, 256)


def test_a_secret_in_a_browser_s_name_is_blanked(house: House) -> None:
    """A program that calls itself by its key does not have the key stored with its session."""
    secret = house.add_key(house.add_user().name).secret.text

    house.sign_in.sign_in(SignInAttempt(USER, PASSWORD, ADDRESS, f"tool/1.0 ({secret})"))

    assert house.execute("SELECT user_agent FROM session") == [("tool/1.0 (lgs_***)",)]


# --- Failures -------------------------------------------------------------------------------------------------------

_NO_ENTRY: dict[str, tuple[UserOrder | None, str, Secret]] = {
    "wrong password": (UserOrder(USER, password=PASSWORD), USER, _WRONG),
    "empty password": (UserOrder(USER, password=PASSWORD), USER, Secret("")),
    "endless password": (UserOrder(USER, password=PASSWORD), USER, Secret("x" * 100_000)),
    "half a character": (UserOrder(USER, password=PASSWORD), USER, Secret("\ud800")),
    "another case": (UserOrder(USER, password=PASSWORD), USER, Secret(PASSWORD.text.upper())),
    "trailing space": (UserOrder(USER, password=PASSWORD), USER, Secret(PASSWORD.text + " ")),
    "unknown user": (None, USER, PASSWORD),
    "no user's name": (None, "'; DROP TABLE user; --", PASSWORD),
    "empty name": (None, "", PASSWORD),
    "disabled user": (UserOrder(USER, password=PASSWORD, enabled=False), USER, PASSWORD),
    "no password": (UserOrder(USER), USER, PASSWORD),
    "decoy's password": (None, USER, Secret("nobody's")),
    "decoy's password of a user without": (UserOrder(USER), USER, Secret("nobody's")),
    "Guest": (None, "Guest", PASSWORD),
}


@pytest.mark.parametrize(("order", "user", "password"), _NO_ENTRY.values(), ids=_NO_ENTRY)
def test_all_failures_are_told_alike(house: House, order: UserOrder | None, user: str, password: Secret) -> None:
    """Nobody learns from a failure whether the user exists, is disabled or has a password at all."""
    if order:
        house.add_user(order)

    failure = _failure(house, user, password)

    assert isinstance(failure, SignInFailed)
    assert (failure.public, failure.revealed) == ("Invalid login credentials", False)


@pytest.mark.parametrize(("order", "user", "password"), _NO_ENTRY.values(), ids=_NO_ENTRY)
def test_all_failures_leave_the_same_trace(house: House, order: UserOrder | None, user: str, password: Secret) -> None:
    """A failure costs the same writing whoever was named, and stores nothing of a name that is nobody's."""
    known = house.add_user(order).name if order else "Guest" if user == "Guest" else None
    before = len(house.activity())

    _failure(house, user, password)

    rows = house.activity()[before:]
    assert [(row.operation, row.ip_address) for row in rows] == [("session.refused", ADDRESS)]
    assert (rows[0].user, rows[0].subject) == ((known, known) if known else ("Guest", "unknown user"))


def test_an_unknown_user_costs_a_hash_too(house: House) -> None:
    """The password of a user that does not exist, or has none, is checked against a decoy: time tells nothing."""
    decoy = CountingHash.of(house.sign_in.decoy_hash)
    watched = replace(house, sign_in=replace(house.sign_in, decoy_hash=decoy))
    house.add_user(UserOrder(USER))

    verified = []
    for user in ("nobody@example.com", USER, "no name"):
        _failure(watched, user)
        verified.append(decoy.verified)

    assert verified == [1, 2, 3]


def test_an_endless_password_costs_no_hash(house: House) -> None:
    """What nobody could have as a password is refused without Argon2's work, but counts as an attempt."""
    decoy = CountingHash.of(house.sign_in.decoy_hash)
    watched = replace(house, sign_in=replace(house.sign_in, decoy_hash=decoy))

    outcomes = [_outcome(watched, password=Secret("x" * 1025)) for _ in range(6)]

    assert outcomes == ["SignInFailed"] * 5 + ["RateLimited"]
    assert decoy.verified == 0


_HINDRANCES = {
    "address": (UserChanges(restrict_ip=(ip_network("203.0.113.0/24"),)), f"from this IP Address: {ADDRESS}"),
    "hours": (UserChanges(login_after=9), "not allowed at this time"),
}


@pytest.mark.parametrize(("changes", "told"), _HINDRANCES.values(), ids=_HINDRANCES)
def test_whoever_knows_the_password_learns_what_stands_in_the_way(
    house: House, changes: UserChanges, told: str
) -> None:
    """Address and hours are named to the right password alone, and no session is opened."""
    house.change_user(house.add_user(), changes)

    right, wrong = _failure(house), _failure(house, password=_WRONG)

    assert isinstance(right, SignInFailed)
    assert (told in right.public, right.revealed) == (True, True)
    assert isinstance(wrong, SignInFailed)
    assert (told in wrong.public, wrong.revealed) == (False, False)
    assert house.execute("SELECT count(*) FROM session") == [(0,)]


# --- What changes meanwhile -----------------------------------------------------------------------------------------


def _replace_user(house: House) -> None:
    password_hash = house.users.get(USER).password_hash
    house.users.delete(COMMAND_LINE, USER)
    house.change_user(house.add_user(), UserChanges(password_hash=password_hash))


_MEANWHILE: dict[str, Callable[[House], object]] = {
    "the password is changed": lambda house: house.users.set_password(COMMAND_LINE, USER, Secret("another password")),
    "the user is deleted": lambda house: house.users.delete(COMMAND_LINE, USER),
    "the user is replaced": _replace_user,
}


@pytest.mark.parametrize("meanwhile", _MEANWHILE.values(), ids=_MEANWHILE)
def test_what_changes_while_a_password_is_checked_counts(house: House, meanwhile: Callable[[House], object]) -> None:
    """A session is opened for the account as it is at the end of the check, not as it was at the start."""
    house.add_user()
    house.entropy.interrupt = lambda: meanwhile(house)

    assert _outcome(house) == "SignInFailed"
    assert house.execute("SELECT count(*) FROM session") == [(0,)]


def test_a_hash_of_another_profile_is_made_anew(house: House) -> None:
    """When the operator changes how passwords are hashed, each is hashed so at its next use, and still opens."""
    user = house.add_user()
    dearer = hash_password(PASSWORD, bytes(SALT_BYTES), replace(PROFILE, time_cost=2))
    house.change_user(user, UserChanges(password_hash=dearer))

    outcomes = [_outcome(house), _outcome(house)]

    assert outcomes == ["opened"] * 2
    ((stored,),) = house.execute("SELECT password_hash FROM user WHERE id = :id", {"id": user.id})
    assert ",t=1," in stored
    assert ",t=2," in dearer


def test_a_hash_of_today_s_profile_stays(house: House) -> None:
    """Signing in writes no new hash where none is needed."""
    before = house.add_user().password_hash

    house.open_session()

    assert house.users.get(USER).password_hash == before


def test_a_disabled_user_s_session_is_worth_nothing(house: House) -> None:
    """A user that is disabled while the password is checked has a session that opens nothing."""
    house.add_user()
    house.entropy.interrupt = lambda: house.users.set_enabled(COMMAND_LINE, USER, enabled=False)

    signed_in = house.open_session()

    assert house.admit(present_session(signed_in.sid.text)).principal is None
