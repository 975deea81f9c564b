"""One's own sessions are listed and ended; nobody else's are."""

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import NotFound, NotPermitted, SignInFailed
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.sessions import Ended
from latchgate.services.sign_in import Browser
from support.house import ADDRESS, LIFETIME, USER, House, present_session
from support.second_factors import give_device

_OTHER = "other@example.com"


def _actor(house: House, user: str = USER) -> Actor:
    admission = house.admit(house.carry(Scheme.SESSION, user))
    assert admission.principal is not None
    return Actor.of(admission.principal, ADDRESS, admission.judge_again)


def _listed(house: House, actor: Actor) -> list[str]:
    return [session.public_id for session in house.sessions.list_own(actor)]


def test_ones_sessions_are_listed_the_one_used_last_first(house: House) -> None:
    """Not those that have ended, nor another's."""
    for name in (USER, _OTHER):
        house.add_user(name)
    old = _actor(house)
    house.clock.advance(LIFETIME.idle_seconds)
    first, second, _ = _actor(house), _actor(house), _actor(house, _OTHER)
    ended = house.open_session()
    house.sign_in.sign_out(house.principal(present_session(ended.sid.text)), Secret(ended.sid.text), ADDRESS)

    assert first.principal is not None
    assert second.principal is not None
    assert _listed(house, old) == [second.principal.credential, first.principal.credential]


def test_a_session_of_ones_own_is_ended(house: House) -> None:
    """It opens nothing from the next request on; a second end changes nothing."""
    house.add_user()
    first, second = _actor(house), _actor(house)
    assert first.principal is not None

    for _ in range(2):
        house.sessions.end_own(second, first.principal.credential)

    assert first.principal.credential not in _listed(house, second)
    assert [row.operation for row in house.activity()].count("session.ended") == 1


def test_a_manager_ends_anothers_once(house: House) -> None:
    """A second end, from a page that shows it still, changes nothing and is told nowhere."""
    for name in (USER, _OTHER):
        house.add_user(name)
    house.roles.grant(COMMAND_LINE, USER, SYSTEM_MANAGER)
    manager, theirs, more = _actor(house), _actor(house, _OTHER), _actor(house, _OTHER)
    assert theirs.principal is not None
    assert more.principal is not None

    for _ in range(2):
        house.sessions.end_of(manager, _OTHER, theirs.principal.credential)

    assert [one.public_id for one in house.sessions.list_of(manager, _OTHER)] == [more.principal.credential]
    assert [row.operation for row in house.activity()].count("session.ended") == 1


def test_another_s_session_is_as_good_as_none(house: House) -> None:
    """Whether there is one is not told, nor to the command line, which has none."""
    for name in (USER, _OTHER):
        house.add_user(name)
    mine, theirs = _actor(house), _actor(house, _OTHER)
    assert theirs.principal is not None

    for actor, name in ((mine, theirs.principal.credential), (mine, "session-none"), (COMMAND_LINE, "session-none")):
        with pytest.raises(NotFound):
            house.sessions.end_own(actor, name)

    assert len(_listed(house, theirs)) == 1


def test_all_others_are_ended(house: House) -> None:
    """But the one that asks and those of others; where there are none, nothing is noted."""
    for name in (USER, _OTHER):
        house.add_user(name)
    first, second, theirs = _actor(house), _actor(house), _actor(house, _OTHER)
    assert second.principal is not None

    assert [house.sessions.end_others(second) for _ in range(2)] == [Ended(1, 0), Ended(0, 0)]

    assert _listed(house, second) == [second.principal.credential]
    assert first.principal is not None
    assert first.principal.credential not in _listed(house, second)
    assert len(_listed(house, theirs)) == 1
    assert [row.operation for row in house.activity()].count("session.others_ended") == 1


def test_a_key_without_limits_ends_them_all(house: House) -> None:
    """As the user itself; it is no session that could stay."""
    house.add_user()
    _actor(house)

    assert house.sessions.end_others(house.actor()) == Ended(1, 0)
    assert house.sessions.list_own(house.actor()) == []


def test_a_limited_credential_sees_and_ends_no_session(house: House) -> None:
    """Whoever holds a key for one thing learns nothing of where its user signs in from, and signs nobody out."""
    house.add_user()
    session = _actor(house)
    assert session.principal is not None
    name = session.principal.credential
    limited = house.actor(USER, Limits(frozenset({"User:read", "User:write"})))

    for ask in (
        house.sessions.list_own,
        house.sessions.end_others,
        lambda actor: house.sessions.end_own(actor, name),
    ):
        with pytest.raises(NotPermitted):
            ask(limited)

    assert len(_listed(house, session)) == 1


def test_the_command_line_has_no_sessions(house: House) -> None:
    """It is nobody who signed in."""
    for ask in (house.sessions.list_own, house.sessions.end_others):
        with pytest.raises(NotFound):
            ask(COMMAND_LINE)


def test_a_sign_in_that_waits_for_its_code_ends_with_the_others(house: House) -> None:
    """Whoever has the password elsewhere and not yet the code gets in no more by the sign-in that was begun."""
    for name in (USER, _OTHER):
        house.add_user(name)
    device = give_device(house.store, house.enrolments, USER)
    give_device(house.store, house.enrolments, _OTHER)
    mine, theirs = house.ask_code(USER), house.ask_code(_OTHER)

    # It is no session yet, and is counted by itself.
    assert [house.sessions.end_others(house.actor()) for _ in range(2)] == [Ended(0, 1), Ended(0, 0)]
    noted = [row.detail for row in house.activity() if row.operation == "session.others_ended"]
    assert noted == ["1 waiting sign-in ended"]

    with pytest.raises(SignInFailed):
        house.sign_in_steps.finish(mine.step, device.code(house.clock.now()), Browser(ADDRESS, "browser"))
    assert house.sign_in_steps.find(theirs.step) is not None
    assert house.sign_in_steps.find(house.ask_code(USER).step) is not None


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (Ended(0, 0), "0 sessions"),
        (Ended(1, 0), "1 session"),
        (Ended(2, 1), "2 sessions and 1 waiting sign-in"),
        (Ended(0, 2), "2 waiting sign-ins"),
    ],
)
def test_what_was_ended_is_told(ended: Ended, told: str) -> None:
    """For the activity log and the command line."""
    assert (str(ended), bool(ended)) == (told, ended != Ended(0, 0))
