"""Passwords that people set for themselves: knowing the present one, or by a link that an administrator made."""

from collections.abc import Callable

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, GUEST
from latchgate.errors import Invalid, NotFound, NotPermitted, RateLimited
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.passwords import RESET_LINK_SECONDS
from support.house import ADDRESS, OTHER_PEPPERS, PASSWORD, USER, House, present_session
from support.office import AUDITOR, HELPER, MANAGER, PEER, PLAIN

_NEW = Secret("another long password")
_WRONG = Secret("wrong password")


def _signed_in(house: House, user: str = USER) -> tuple[Actor, str]:
    """Somebody by a session, and its id."""
    sid = house.open_session(user).sid.text
    admission = house.admit(present_session(sid))
    assert admission.principal is not None
    return Actor.of(admission.principal, ADDRESS, admission.judge_again), sid


# --- One's own ------------------------------------------------------------------------------------------------------


def test_ones_own_password_is_changed(house: House) -> None:
    """The new one opens sessions, the former does not, and of those that were open the one that asked is left."""
    house.add_user()
    _, other = _signed_in(house)
    actor, sid = _signed_in(house)

    house.passwords.change_own(actor, PASSWORD, _NEW)

    assert house.open_session(USER, _NEW).user.name == USER
    assert house.admit(present_session(sid)).principal is not None
    assert house.admit(present_session(other)).principal is None
    told = [row.detail for row in house.activity() if row.operation == "user.password_set"]
    assert told == ["by oneself, 1 sessions ended"]


def test_the_present_password_must_be_known(house: House) -> None:
    """Whoever found a browser open does not take the account over, nor guesses for long."""
    house.add_user()
    actor, _ = _signed_in(house)

    for _ in range(5):
        with pytest.raises(Invalid) as refused:
            house.passwords.change_own(actor, _WRONG, _NEW)
        assert list(refused.value.fields) == ["current_password"]
    with pytest.raises(RateLimited):
        house.passwords.change_own(actor, PASSWORD, _NEW)

    house.clock.advance(601)
    assert house.open_session(USER, PASSWORD).user.name == USER


def test_a_weak_password_is_refused(house: House) -> None:
    """And the present one stays."""
    house.add_user()
    actor, _ = _signed_in(house)

    with pytest.raises(Invalid) as refused:
        house.passwords.change_own(actor, PASSWORD, Secret("short"))

    assert list(refused.value.fields) == ["password"]
    assert house.open_session(USER, PASSWORD).user.name == USER


def test_a_key_changes_its_users_password_only_without_limits(house: House) -> None:
    """A password opens everything, from anywhere; who has no session keeps none."""
    house.add_user()
    _signed_in(house)

    with pytest.raises(NotPermitted):
        house.passwords.change_own(house.actor(USER, Limits(frozenset({"read"}))), PASSWORD, _NEW)
    house.passwords.change_own(house.actor(), PASSWORD, _NEW)

    assert house.activity()[-1].detail == "by oneself, 1 sessions ended"


def test_a_user_who_is_gone_meanwhile_changes_nothing(house: House) -> None:
    """Also where nobody judges again."""
    house.add_user()
    house.entropy.interrupt = lambda: house.users.delete(COMMAND_LINE, USER)

    with pytest.raises(NotFound):
        house.passwords.change_own(Actor(USER, ADDRESS, None), PASSWORD, _NEW)


# --- By a link ------------------------------------------------------------------------------------------------------


def test_a_link_sets_a_password_once(house: House) -> None:
    """It names its user, ends the sessions, and is used up."""
    house.add_user()
    _, sid = _signed_in(house)
    link = house.passwords.make_reset_link(COMMAND_LINE, USER)

    assert house.passwords.find_reset_user(link) == USER
    assert house.passwords.reset(link, _NEW, ADDRESS) == USER

    assert house.open_session(USER, _NEW).user.name == USER
    assert house.admit(present_session(sid)).principal is None
    assert house.passwords.find_reset_user(link) is None
    with pytest.raises(NotFound):
        house.passwords.reset(link, PASSWORD, ADDRESS)
    assert [row.operation for row in house.activity() if "link" in row.operation] == ["user.reset_link_made"]


def test_a_weak_password_does_not_use_the_link_up(house: House) -> None:
    """Whoever mistypes tries again."""
    house.add_user()
    link = house.passwords.make_reset_link(COMMAND_LINE, USER)

    with pytest.raises(Invalid):
        house.passwords.reset(link, Secret("short"), ADDRESS)

    assert house.passwords.find_reset_user(link) == USER


_ENDS: dict[str, Callable[[House, Secret], object]] = {
    "time": lambda house, _: house.clock.advance(RESET_LINK_SECONDS),
    "a later link": lambda house, _: house.passwords.make_reset_link(COMMAND_LINE, USER),
    "a password set otherwise": lambda house, _: house.users.set_password(COMMAND_LINE, USER, PASSWORD),
    "a password of one's own": lambda house, _: house.passwords.change_own(_signed_in(house)[0], PASSWORD, PASSWORD),
    "a role": lambda house, _: house.roles.grant(COMMAND_LINE, USER, "System Manager"),
    "the user's end": lambda house, _: house.users.delete(COMMAND_LINE, USER),
}


@pytest.mark.parametrize("end", _ENDS.values(), ids=_ENDS)
def test_what_ends_a_link(house: House, end: Callable[[House, Secret], object]) -> None:
    """A role too: whoever made the link might not have been allowed to for such an account."""
    house.add_user()
    link = house.passwords.make_reset_link(COMMAND_LINE, USER)

    end(house, link)

    assert house.passwords.find_reset_user(link) is None
    with pytest.raises(NotFound):
        house.passwords.reset(link, _NEW, ADDRESS)


def test_of_two_who_use_a_link_one_does(house: House) -> None:
    """The other finds it used, however close behind."""
    house.add_user()
    link = house.passwords.make_reset_link(COMMAND_LINE, USER)
    house.entropy.interrupt = lambda: house.passwords.reset(link, _NEW, ADDRESS)

    with pytest.raises(NotFound):
        house.passwords.reset(link, Secret("a third long password"), ADDRESS)

    assert house.open_session(USER, _NEW).user.name == USER


def test_a_link_of_another_key_file_opens_nothing(house: House) -> None:
    """Nor a text that is none."""
    house.add_user()
    link = house.passwords.make_reset_link(COMMAND_LINE, USER)

    assert house.with_peppers(OTHER_PEPPERS).passwords.find_reset_user(link) is None
    assert house.passwords.find_reset_user(Secret("half a \ud800 pair")) is None


@pytest.mark.parametrize(
    ("name", "made"), [(PLAIN, True), (PEER, True), (HELPER, False), (AUDITOR, False), (MANAGER, False)]
)
def test_a_link_is_made_by_whoever_could_set_the_password(office: House, name: str, made: bool) -> None:
    """For accounts that may do no more, and not for oneself."""
    actor = office.actor(HELPER)

    if made:
        assert office.passwords.find_reset_user(office.passwords.make_reset_link(actor, name)) == name
    else:
        with pytest.raises(NotPermitted):
            office.passwords.make_reset_link(actor, name)


def test_for_whom_no_link_is_made(office: House) -> None:
    """Guest, nobody, and by a credential that is limited."""
    with pytest.raises(Invalid):
        office.passwords.make_reset_link(COMMAND_LINE, GUEST)
    with pytest.raises(NotFound):
        office.passwords.make_reset_link(office.actor(MANAGER), "nobody@example.com")
    with pytest.raises(NotPermitted):
        office.passwords.make_reset_link(office.actor(MANAGER, Limits(frozenset({"User:write"}))), PLAIN)
    link = office.passwords.make_reset_link(office.actor(MANAGER), ADMINISTRATOR)
    assert office.passwords.find_reset_user(link) == ADMINISTRATOR
