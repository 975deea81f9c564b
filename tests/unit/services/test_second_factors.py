"""One's own second factor, and another's that was lost."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.policy import SIGNED_IN
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import Invalid, NotFound, NotPermitted, RateLimited
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.enrolments import ENROLMENT_SECONDS
from latchgate.services.second_factors import count_managers_without_second_factor
from latchgate.services.sign_in import Browser, SignedIn
from latchgate.services.users import UserOrder
from support.house import ADDRESS, PASSWORD, USER, House, present_session
from support.second_factors import Device, give_device, wrong_code

MANAGER, OTHER = "manager@example.com", "other@example.com"
WRONG = Secret("wrong password")


def _actor(house: House, signed_in: SignedIn) -> Actor:
    admission = house.admit(present_session(signed_in.sid.text), SIGNED_IN)
    assert admission.principal is not None
    return Actor.of(admission.principal, ADDRESS, admission.judge_again)


def _opens(house: House, signed_in: SignedIn) -> bool:
    return house.admit(present_session(signed_in.sid.text), SIGNED_IN).principal is not None


def _enter(house: House, device: Device, user: str = USER, steps: int = 0) -> SignedIn:
    code = device.code(house.clock.now(), steps)
    return house.sign_in_steps.finish(house.ask_code(user).step, code, Browser(ADDRESS, "browser"))


def _outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except Invalid:
        return "invalid"
    except RateLimited:
        return "limited"
    return "done"


@pytest.fixture
def own(house: House) -> Actor:
    """Somebody who is signed in, without a second factor."""
    house.add_user()
    return _actor(house, house.open_session())


def _set_up(house: House, actor: Actor) -> tuple[Device, list[str]]:
    shown = house.second_factors.begin(actor, PASSWORD, "")
    device = Device(shown.key.text)
    codes = house.second_factors.confirm(actor, shown.proof, device.code(house.clock.now()))
    return device, [code.text for code in codes]


def test_it_counts_once_a_code_came_back(house: House) -> None:
    """Then the session in use stays, all others end, and recovery codes are given."""
    house.add_user()
    other, mine = house.open_session(), house.open_session()
    actor = _actor(house, mine)
    shown = house.second_factors.begin(actor, PASSWORD, "")
    before = house.second_factors.get_own(actor)
    assert _opens(house, other)

    device = Device(shown.key.text)
    codes = house.second_factors.confirm(actor, shown.proof, device.code(house.clock.now()))

    assert (before.since, before.recovery_codes, before.required_by) == (None, 0, ())
    after = house.second_factors.get_own(actor)
    assert (after.since, after.recovery_codes) == (house.clock.now(), 10)
    assert len({code.text for code in codes}) == 10
    assert _opens(house, mine)
    assert not _opens(house, other)
    assert (house.activity()[-1].operation, house.activity()[-1].detail) == (
        "second_factor.enrolled",
        "1 other sessions ended",
    )
    assert house.ask_code().enrolled


def test_the_password_is_asked_for_again(house: House, own: Actor) -> None:
    """A session that somebody left open sets nothing up; and guessing there is slowed as at sign-in."""
    with pytest.raises(Invalid, match="current_password"):
        house.second_factors.begin(own, WRONG, "")
    assert "limited" in [_outcome(lambda: house.second_factors.begin(own, WRONG, "")) for _ in range(10)]


def test_a_wrong_code_confirms_nothing(house: House, own: Actor) -> None:
    """The key that was shown is shown again, and guessing is slowed."""
    shown = house.second_factors.begin(own, PASSWORD, "")
    wrong = wrong_code(Device(shown.key.text), house.clock.now())

    with pytest.raises(Invalid, match="code"):
        house.second_factors.confirm(own, shown.proof, wrong)
    again = house.second_factors.show_again(own, shown.proof)
    assert again is not None
    assert again.key == shown.key
    confirm = partial(house.second_factors.confirm, own, shown.proof, wrong)
    assert "limited" in [_outcome(confirm) for _ in range(10)]
    assert house.second_factors.get_own(own).since is None


def test_a_key_is_confirmed_soon_and_by_the_same_session(house: House, own: Actor) -> None:
    """Not by another one, not by another user, not after a quarter of an hour."""
    shown = house.second_factors.begin(own, PASSWORD, "")
    house.add_user(OTHER)
    code = Device(shown.key.text).code(house.clock.now())

    for actor in (_actor(house, house.open_session()), _actor(house, house.open_session(OTHER))):
        with pytest.raises(Invalid):
            house.second_factors.confirm(actor, shown.proof, code)
        assert house.second_factors.show_again(actor, shown.proof) is None
    house.clock.advance(ENROLMENT_SECONDS)
    with pytest.raises(Invalid):
        house.second_factors.confirm(own, shown.proof, Device(shown.key.text).code(house.clock.now()))
    assert house.second_factors.show_again(own, shown.proof) is None


def test_a_key_is_confirmed_by_what_was_asked_for(house: House, own: Actor) -> None:
    """One that was shown before another second factor or password counted asked for neither, and takes no place."""
    early, used = (house.second_factors.begin(own, PASSWORD, "") for _ in range(2))
    now = house.clock.now()
    house.second_factors.confirm(own, used.proof, Device(used.key.text).code(now))

    for shown in (early, used):
        with pytest.raises(Invalid, match="code"):
            house.second_factors.confirm(own, shown.proof, Device(shown.key.text).code(now, 1))
        assert house.second_factors.show_again(own, shown.proof) is None


def test_another_password_ends_what_an_old_one_began(house: House, own: Actor) -> None:
    """Whoever knew the old one, and looks at the same session, sets no device of theirs up."""
    shown = house.second_factors.begin(own, PASSWORD, "")
    house.passwords.change_own(own, PASSWORD, Secret("four unrelated words here"))

    with pytest.raises(Invalid, match="code"):
        house.second_factors.confirm(own, shown.proof, Device(shown.key.text).code(house.clock.now()))
    assert house.second_factors.get_own(own).since is None


def test_another_device_takes_its_place(house: House, own: Actor) -> None:
    """With the password and a code of the present one; the former device and its recovery codes open nothing more."""
    device, codes = _set_up(house, own)
    for typed in ("", wrong_code(device, house.clock.now())):
        with pytest.raises(Invalid, match="code"):
            house.second_factors.begin(own, PASSWORD, typed)

    shown = house.second_factors.begin(own, PASSWORD, device.code(house.clock.now(), 1))
    new = Device(shown.key.text)
    house.second_factors.confirm(own, shown.proof, new.code(house.clock.now()))

    assert house.activity()[-1].operation == "second_factor.replaced"
    house.clock.advance(60)
    assert _opens(house, _enter(house, new))
    for typed in (device.code(house.clock.now(), 1), codes[0]):
        with pytest.raises(Invalid, match="code"):
            house.second_factors.begin(own, PASSWORD, typed)


def test_recovery_codes_are_renewed(house: House, own: Actor) -> None:
    """With the password and a code, which may be one of them; those before open nothing more."""
    _, codes = _set_up(house, own)
    with pytest.raises(Invalid, match="code"):
        house.second_factors.renew_codes(own, PASSWORD, "")
    assert house.second_factors.get_own(own).recovery_codes == 10

    new = house.second_factors.renew_codes(own, PASSWORD, codes[0])

    assert len(new) == 10
    assert house.activity()[-1].operation == "second_factor.codes_renewed"
    with pytest.raises(Invalid, match="code"):
        house.second_factors.renew_codes(own, PASSWORD, codes[1])
    house.second_factors.renew_codes(own, PASSWORD, new[0].text)


def test_it_is_turned_off(house: House, own: Actor) -> None:
    """With the password and a code; then the password alone opens the account."""
    _, codes = _set_up(house, own)
    for password, typed in ((WRONG, codes[0]), (PASSWORD, ""), (PASSWORD, "000000")):
        with pytest.raises(Invalid):
            house.second_factors.turn_off(own, password, typed)
    house.throttles.forget_sign_ins(USER, ADDRESS)

    house.second_factors.turn_off(own, PASSWORD, codes[0])

    assert house.activity()[-1].operation == "second_factor.turned_off"
    assert _opens(house, house.open_session())
    for act in (house.second_factors.turn_off, house.second_factors.renew_codes):
        with pytest.raises(Invalid, match="there is none"):
            act(own, PASSWORD, codes[1])


def test_what_a_role_requires_is_not_turned_off(house: House, own: Actor) -> None:
    """It can be replaced."""
    _, codes = _set_up(house, own)
    house.roles.require_second_factor(COMMAND_LINE, "All", required=True)

    with pytest.raises(Invalid, match="requires one"):
        house.second_factors.turn_off(own, PASSWORD, codes[0])
    assert house.second_factors.get_own(own).required_by == ("All",)
    house.second_factors.begin(own, PASSWORD, codes[0])


def test_after_many_wrong_codes_only_a_recovery_code_is_looked_at(house: House, own: Actor) -> None:
    """Here too."""
    device, codes = _set_up(house, own)
    wrong = wrong_code(device, house.clock.now())
    for number in range(20):
        away = replace(own, ip_address=f"198.51.100.{number}")
        with pytest.raises(Invalid):
            house.second_factors.begin(away, PASSWORD, wrong)

    with pytest.raises(Invalid, match="recovery code"):
        house.second_factors.begin(own, PASSWORD, device.code(house.clock.now(), 1))
    house.second_factors.begin(own, PASSWORD, codes[0])


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BEARER])
def test_programs_have_no_second_factor(house: House, scheme: Scheme) -> None:
    """A key or token neither sets one up, nor turns it off, nor tells of it; and is not concerned by one."""
    house.add_user()
    presented = house.carry(scheme)
    device = give_device(house.store, house.enrolments, USER)
    house.roles.require_second_factor(COMMAND_LINE, "All", required=True)
    actor = Actor.of(house.principal(presented), ADDRESS)

    for act in (
        lambda: house.second_factors.get_own(actor),
        lambda: house.second_factors.begin(actor, PASSWORD, device.code(house.clock.now())),
        lambda: house.second_factors.confirm(actor, "1.00", "123456"),
        lambda: house.second_factors.show_again(actor, "1.00"),
        lambda: house.second_factors.renew_codes(actor, PASSWORD, device.recovery_codes[0]),
        lambda: house.second_factors.turn_off(actor, PASSWORD, device.recovery_codes[0]),
        lambda: house.second_factors.get_own(COMMAND_LINE),
    ):
        with pytest.raises(NotPermitted):
            act()


def _manager(house: House) -> Actor:
    house.add_user(UserOrder(MANAGER, password=PASSWORD, roles=frozenset({SYSTEM_MANAGER})))
    return _actor(house, house.open_session(MANAGER))


def test_a_manager_ends_a_lost_one(house: House) -> None:
    """With the sessions of its user; it is logged, and a second time there is none."""
    manager = _manager(house)
    house.add_user()
    device = give_device(house.store, house.enrolments, USER)
    theirs = _enter(house, device)
    state = house.second_factors.find_for(manager, USER)
    assert state is not None
    assert state.recovery_codes == 10

    assert house.second_factors.end_for(manager, USER)

    told = house.activity()[-1]
    assert (told.user, told.operation, told.subject) == (MANAGER, "second_factor.ended", USER)
    assert not _opens(house, theirs)
    assert _opens(house, house.open_session())
    assert not house.second_factors.end_for(manager, USER)


@pytest.mark.parametrize(
    ("actor_is", "of", "refused"),
    [
        ("manager", MANAGER, NotPermitted),
        ("manager", ADMINISTRATOR, NotPermitted),
        ("manager", "Guest", NotPermitted),
        ("manager", "nobody@example.com", NotFound),
        ("user", OTHER, NotPermitted),
        ("user", USER, NotPermitted),
        ("administrator", ADMINISTRATOR, NotPermitted),
    ],
)
def test_who_may_not_end_one(house: House, actor_is: str, of: str, refused: type[Exception]) -> None:
    """Nobody but a System Manager, and neither their own nor Administrator's."""
    house.users.set_password(COMMAND_LINE, ADMINISTRATOR, PASSWORD)
    house.add_user(OTHER)
    house.add_user()
    actors = {
        "manager": _manager(house),
        "user": _actor(house, house.open_session()),
        "administrator": _actor(house, house.open_session(ADMINISTRATOR)),
    }

    with pytest.raises(refused):
        house.second_factors.end_for(actors[actor_is], of)


def test_a_limited_credential_ends_none(house: House) -> None:
    """Be it a System Manager's."""
    _manager(house)
    house.add_user()
    give_device(house.store, house.enrolments, USER)
    limited = house.actor(MANAGER, Limits(frozenset({"User"})))

    with pytest.raises(NotPermitted):
        house.second_factors.end_for(limited, USER)
    assert house.second_factors.find_for(limited, USER) is None


def test_the_command_line_ends_anybody_s(house: House) -> None:
    """Administrator's too: whoever has the host gets in."""
    house.users.set_password(COMMAND_LINE, ADMINISTRATOR, PASSWORD)
    give_device(house.store, house.enrolments, ADMINISTRATOR)

    assert house.second_factors.end_for(COMMAND_LINE, ADMINISTRATOR)
    assert _opens(house, house.open_session(ADMINISTRATOR))


def test_managers_without_one_are_counted(house: House) -> None:
    """Those who can sign in: with a password, enabled, Administrator among them."""
    assert count_managers_without_second_factor(house.store) == 0
    house.users.set_password(COMMAND_LINE, ADMINISTRATOR, PASSWORD)
    _manager(house)
    house.add_user(UserOrder("keys@example.com", roles=frozenset({SYSTEM_MANAGER})))
    house.add_user()
    disabled = UserOrder(OTHER, password=PASSWORD, roles=frozenset({SYSTEM_MANAGER}), enabled=False)
    house.add_user(disabled)

    assert count_managers_without_second_factor(house.store) == 2
    give_device(house.store, house.enrolments, MANAGER)
    assert count_managers_without_second_factor(house.store) == 1


def test_who_requires_one_of_their_own_role_has_one(house: House) -> None:
    """Else they would sign themselves out; and nobody but a System Manager changes it."""
    manager = _manager(house)
    with pytest.raises(Invalid, match="two_factor_auth"):
        house.roles.require_second_factor(manager, SYSTEM_MANAGER, required=True)
    with pytest.raises(NotFound):
        house.roles.require_second_factor(manager, "No Such Role", required=True)
    house.roles.create(COMMAND_LINE, "Careful")

    assert house.roles.require_second_factor(manager, "Careful", required=True)
    assert not house.roles.require_second_factor(manager, "Careful", required=True)
    assert house.activity()[-1].operation == "role.changed"
    device = give_device(house.store, house.enrolments, MANAGER)
    again = _actor(house, _enter(house, device, MANAGER))
    assert house.roles.require_second_factor(again, SYSTEM_MANAGER, required=True)
    house.add_user()
    with pytest.raises(NotPermitted):
        house.roles.require_second_factor(_actor(house, house.open_session()), "Careful", required=False)
