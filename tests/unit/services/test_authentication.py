"""Whatever ends a credential ends it at the very next request."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.credentials import Presented, Scheme
from latchgate.core.policy import ANY_SCHEME, SIGNED_IN, Decision, Requirement
from latchgate.core.principals import Anonymous
from latchgate.core.sessions import SessionLifetime
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.authentication import SESSION_TOUCH_SECONDS
from latchgate.services.port_values import UserChanges
from support.house import ADDRESS, EVERYTHING, LIFETIME, NOW, TOKEN_TEXT, USER, House, present_pair, present_token

_PAIRS = (Scheme.TOKEN, Scheme.BASIC)
_AUDITORS = Requirement(user=True, roles=frozenset({"Auditor"}))

End = Callable[[House, Presented], object]


def _revoke(house: House, presented: Presented) -> None:
    principal = house.principal(presented)
    match principal.scheme:
        case Scheme.TOKEN | Scheme.BASIC:
            house.keys.revoke(COMMAND_LINE, principal.credential)
        case Scheme.BEARER:
            token = presented.authorization[0].removeprefix(b"Bearer ").decode()
            house.tokens.revoke(COMMAND_LINE, Secret(token))
        case Scheme.SESSION:
            house.sign_in.sign_out(principal, Secret(presented.session_cookie or ""), ADDRESS)
        case Scheme.CLIENT:
            raise AssertionError("a client is no principal")


def _change(changes: UserChanges) -> End:
    return lambda house, _presented: house.change_user(house.users.get(USER), changes)


_ENDS: dict[str, End] = {
    "revoke": _revoke,
    "disable the user": lambda house, _: house.users.set_enabled(COMMAND_LINE, USER, enabled=False),
    "delete the user": lambda house, _: house.users.delete(COMMAND_LINE, USER),
    "forbid the address": _change(UserChanges(restrict_ip=(ip_network("198.51.100.7"),))),
    "forbid the hour": _change(UserChanges(login_before=8)),
    "take the role": lambda house, _: house.roles.revoke(COMMAND_LINE, USER, "Auditor"),
}


@pytest.mark.parametrize("end", _ENDS.values(), ids=_ENDS)
@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_an_end_holds_at_the_next_request(house: House, scheme: Scheme, end: End) -> None:
    """Whatever takes a user or a credential its rights, the very next request is refused, by every scheme."""
    house.add_user()
    house.roles.create(COMMAND_LINE, "Auditor")
    house.roles.grant(COMMAND_LINE, USER, "Auditor")
    presented = house.carry(scheme)
    assert house.admit(presented, _AUDITORS).decision is Decision.ALLOWED

    end(house, presented)

    assert house.admit(presented, _AUDITORS).decision is not Decision.ALLOWED


@pytest.mark.parametrize("scheme", _PAIRS)
def test_a_key_ends_in_the_second_that_it_names(house: House, scheme: Scheme) -> None:
    """A key works in the last second before its expiry, and not in that of the expiry."""
    house.add_user()
    issued = house.add_key(limits=replace(EVERYTHING, expires_at=NOW + 60))
    presented = present_pair(issued.key.key_id, issued.secret.text, scheme)

    house.clock.advance(59)
    before = house.admit(presented).decision
    house.clock.advance(1)

    assert before is Decision.ALLOWED
    assert house.admit(presented).decision is Decision.UNAUTHENTICATED


def test_a_token_ends_in_the_second_that_it_names(house: House) -> None:
    """A token works in the last second before its expiry, and not in that of the expiry."""
    house.add_user()
    house.add_token()

    house.clock.advance(3599)
    before = house.admit(present_token(TOKEN_TEXT)).decision
    house.clock.advance(1)

    assert before is Decision.ALLOWED
    assert house.admit(present_token(TOKEN_TEXT)).decision is Decision.UNAUTHENTICATED


@pytest.mark.parametrize("scheme", _PAIRS)
@pytest.mark.parametrize("end", ["disable the record", "delete its user"])
def test_an_end_of_a_record_holds_at_the_next_request(house: House, scheme: Scheme, end: str) -> None:
    """A record's key is refused as soon as the record is disabled, or its user is gone."""
    house.add_user()
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", USER)
    issued = house.add_key("consumer-1", source="Event Consumer")
    presented = present_pair(issued.key.key_id, issued.secret.text, scheme, "Event Consumer")
    assert house.admit(presented).decision is Decision.ALLOWED

    if end == "disable the record":
        house.sources.enable_record(COMMAND_LINE, "Event Consumer", "consumer-1", enabled=False)
    else:
        house.users.delete(COMMAND_LINE, USER)

    assert house.admit(presented).decision is Decision.UNAUTHENTICATED


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_what_was_allowed_again_works_at_the_next_request(house: House, scheme: Scheme) -> None:
    """Enabling a user again gives every credential back that did not end otherwise."""
    house.add_user()
    presented = house.carry(scheme)
    house.users.set_enabled(COMMAND_LINE, USER, enabled=False)
    assert house.admit(presented).decision is Decision.UNAUTHENTICATED

    house.users.set_enabled(COMMAND_LINE, USER, enabled=True)

    assert house.admit(presented).decision is Decision.ALLOWED


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_a_new_user_of_an_old_name_inherits_nothing(house: House, scheme: Scheme) -> None:
    """The credentials of a deleted user open nothing for, or as, a new one of the same name."""
    old = house.add_user()
    presented = house.carry(scheme)
    house.users.delete(COMMAND_LINE, USER)

    new = house.add_user()

    assert new.id != old.id
    assert house.admit(presented).principal is None


def test_a_session_lives_while_it_is_used(house: House) -> None:
    """Each use puts the idle end off, but never beyond the absolute one."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    step = LIFETIME.idle_seconds - 1

    alive = 0
    while house.admit(presented).principal:
        alive += step
        house.clock.advance(step)

    assert LIFETIME.absolute_seconds <= alive < LIFETIME.absolute_seconds + step


@pytest.mark.parametrize("unused_seconds", [LIFETIME.idle_seconds - 1, LIFETIME.idle_seconds])
def test_an_unused_session_ends(house: House, unused_seconds: int) -> None:
    """A session that nobody used for the idle time opens nothing, and can never be touched to life again."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    house.clock.advance(unused_seconds)

    alive = house.admit(presented).principal is not None

    assert alive is (unused_seconds < LIFETIME.idle_seconds)
    assert (house.admit(presented).principal is not None) is alive


def test_a_session_s_use_is_noted_once_a_minute(house: House) -> None:
    """A request by session writes at most once a minute, not each time."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    seen = []

    for _ in range(4):
        house.clock.advance(SESSION_TOUCH_SECONDS // 2)
        house.admit(presented)
        seen.append(house.execute("SELECT last_seen_at - created_at FROM session")[0][0])

    assert seen == [0, SESSION_TOUCH_SECONDS, SESSION_TOUCH_SECONDS, 2 * SESSION_TOUCH_SECONDS]


@pytest.mark.parametrize("idle_seconds", [60, 90, 240])
def test_a_short_idle_time_ends_no_session_that_is_in_use(house: House, idle_seconds: int) -> None:
    """Its uses are noted often enough: whoever asks three times within it stays signed in."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    lifetime = SessionLifetime(idle_seconds, LIFETIME.absolute_seconds)
    authenticator = house.gate.authenticator
    short = replace(authenticator, rules=replace(authenticator.rules, lifetime=lambda _tx: lifetime))
    gate = replace(house.gate, authenticator=short)

    for _ in range(12):
        house.clock.advance(idle_seconds // 3)
        assert gate.admit(presented, SIGNED_IN).principal is not None
    house.clock.advance(idle_seconds)
    assert gate.admit(presented, SIGNED_IN).principal is None


def test_a_refused_session_is_not_kept_alive(house: House) -> None:
    """The requests of a session that its user may not use now do not put its end off."""
    user = house.add_user()
    presented = house.carry(Scheme.SESSION)
    house.change_user(user, UserChanges(enabled=False))
    house.clock.advance(LIFETIME.idle_seconds - 1)
    house.admit(presented)
    house.change_user(user, UserChanges(enabled=True))
    house.clock.advance(1)

    assert house.admit(presented).who == Anonymous(session_expired=True)
