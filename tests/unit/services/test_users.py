"""Users are made, shown, disabled and deleted, and somebody is always left to manage."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.policy import ANY_SCHEME
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER, UserType
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted, RateLimited, SignInFailed
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.users import UserOrder
from support.house import EVERYTHING, NOW, PASSWORD, USER, House

_MANAGER = "manager@example.com"
_NEW_PASSWORD = Secret("another long password")
_NETWORKS = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))


def _add_manager(house: House) -> None:
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)


def test_only_so_many_wait_to_have_a_password_hashed(house: House) -> None:
    """Each holds a thread that others need; whoever comes later is told when to come back."""
    house.add_user()
    with house.users.queue, house.users.queue, pytest.raises(RateLimited) as refused:
        house.users.set_password(COMMAND_LINE, USER, PASSWORD)

    assert refused.value.retry_after_seconds == 1
    house.users.set_password(COMMAND_LINE, USER, PASSWORD)


def test_a_user_is_stored_as_ordered(house: House) -> None:
    """Every field of an order is the new user's, its roles too."""
    house.roles.create(COMMAND_LINE, "Auditor")
    order = UserOrder(
        name="Api@Example.com ",
        first_name=" Api ",
        last_name="User",
        user_type=UserType.WEBSITE,
        enabled=False,
        roles=frozenset({"Auditor"}),
        restrict_ip=_NETWORKS,
        login_after=8,
        login_before=18,
    )

    user = house.users.create(COMMAND_LINE, order)

    assert user == house.users.get(USER)
    assert (user.name, user.full_name, user.user_type, user.enabled) == (USER, "Api User", UserType.WEBSITE, False)
    assert (user.roles, user.restrict_ip, user.login_after, user.login_before) == (
        frozenset({"Auditor"}),
        _NETWORKS,
        8,
        18,
    )
    assert (user.password_hash, user.creation // 1_000_000) == (None, NOW)


def test_a_user_with_a_password_can_sign_in(house: House) -> None:
    """The password of an order opens a session; only its hash is stored."""
    user = house.add_user()

    assert house.open_session().user.id == user.id
    assert (user.password_hash or "").startswith("$argon2id$")
    assert PASSWORD.text not in (user.password_hash or "")


def test_a_user_without_a_password_cannot_sign_in(house: House) -> None:
    """A user for API calls only has no password that anybody could guess, the empty one included."""
    house.add_user(UserOrder(USER))

    for guess in (Secret(""), PASSWORD):
        with pytest.raises(SignInFailed):
            house.open_session(password=guess)


@pytest.mark.parametrize("name", [USER, "API@example.COM", " api@example.com", ADMINISTRATOR, "guest"])
def test_a_name_is_taken_once_in_any_case(house: House, name: str) -> None:
    """No two users share a name, however it is written."""
    house.add_user()

    with pytest.raises(Conflict):
        house.add_user(name)


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (UserOrder("no-address"), "name"),
        (UserOrder("two words@example.com"), "name"),
        (UserOrder("ap\u0131@example.com"), "name"),
        (UserOrder(USER, first_name="x" * 141), "first_name"),
        (UserOrder(USER, last_name="two\nlines"), "last_name"),
        (UserOrder(USER, login_after=25), "login_after"),
        (UserOrder(USER, login_before=-1), "login_before"),
        (UserOrder(USER, password=Secret("short")), "password"),
        (UserOrder(USER, password=Secret(USER)), "password"),
        (UserOrder(" Api@Example.com", password=Secret(USER)), "password"),
        (UserOrder(USER, roles=frozenset({"Desk User"})), "roles"),
        (UserOrder(USER, roles=frozenset({"All"})), "roles"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(house: House, order: UserOrder, field: str) -> None:
    """What cannot be is refused with the field's name, and leaves no user."""
    with pytest.raises(Invalid) as refused:
        house.users.create(COMMAND_LINE, order)

    assert list(refused.value.fields) == [field]
    assert [user.name for user in house.users.list_users()] == [ADMINISTRATOR, GUEST]


def test_a_user_with_an_unknown_role_is_not_made(house: House) -> None:
    """An order that names a role which does not exist leaves nothing behind."""
    with pytest.raises(NotFound):
        house.users.create(COMMAND_LINE, UserOrder(USER, roles=frozenset({"Auditor"})))

    with pytest.raises(NotFound):
        house.users.get(USER)


def test_users_are_found_in_any_case_and_listed_by_name(house: House) -> None:
    """Whoever administers need not know how a name was written, and sees everybody in one order."""
    for name in ("b@example.com", "a@example.com"):
        house.add_user(name)

    assert house.users.get("A@Example.com").name == "a@example.com"
    assert [user.name for user in house.users.list_users()] == [ADMINISTRATOR, GUEST, "a@example.com", "b@example.com"]


# --- Passwords ------------------------------------------------------------------------------------------------------


def test_a_new_password_replaces_the_old_one_and_ends_the_sessions(house: House) -> None:
    """Whoever had the old password, or a session by it, is out; keys stay."""
    house.add_user()
    session, key = house.carry(Scheme.SESSION), house.carry(Scheme.TOKEN)

    house.users.set_password(COMMAND_LINE, USER, _NEW_PASSWORD)

    assert house.admit(session).principal is None
    assert house.admit(key).principal is not None
    with pytest.raises(SignInFailed):
        house.open_session()
    assert house.open_session(password=_NEW_PASSWORD).user.name == USER


@pytest.mark.parametrize(
    ("name", "password", "field"),
    [(USER, Secret("short"), "password"), (" API@example.com", Secret(USER), "password"), (GUEST, PASSWORD, "user")],
)
def test_a_password_that_cannot_be_is_refused(house: House, name: str, password: Secret, field: str) -> None:
    """Weak passwords, the user's own name, and one for Guest are refused; the old one stands."""
    house.add_user()

    with pytest.raises(Invalid) as refused:
        house.users.set_password(COMMAND_LINE, name, password)

    assert list(refused.value.fields) == [field]
    assert house.open_session().user.name == USER


@pytest.mark.parametrize(
    "limits",
    [
        Limits(frozenset({"User:write", "User:create"})),
        replace(EVERYTHING, networks=(ip_network("192.0.2.0/24"),)),
        replace(EVERYTHING, per_minute=10),
        replace(EVERYTHING, expires_at=NOW + 60),
    ],
    ids=["scopes", "addresses", "limit", "expiry"],
)
def test_a_narrow_key_makes_no_password(house: House, limits: Limits) -> None:
    """A password opens all that its user may do: a System Manager's limited key can set none."""
    _add_manager(house)
    manager = house.actor(_MANAGER, limits)
    house.users.create(manager, UserOrder(USER))

    with pytest.raises(NotPermitted) as setting:
        house.users.set_password(manager, USER, _NEW_PASSWORD)
    with pytest.raises(NotPermitted) as creating:
        house.users.create(manager, UserOrder("other@example.com", password=_NEW_PASSWORD))
    with pytest.raises(NotPermitted) as hashed, house.store.write() as tx:
        house.users.create_in(tx, manager, UserOrder("other@example.com"), "$argon2id$of-somebody-else")

    assert {refused.value.reason for refused in (setting, creating, hashed)} == {"beyond"}


# --- Disabling and deleting -----------------------------------------------------------------------------------------


def test_disabling_twice_is_one_change(house: House) -> None:
    """Asking for what is so already changes nothing, and tells of nothing."""
    house.add_user()

    states = [house.users.set_enabled(COMMAND_LINE, USER, enabled=enabled).enabled for enabled in (False, False, True)]

    assert states == [False, False, True]
    assert [row.operation for row in house.activity()][1:] == ["user.disabled", "user.enabled"]


def test_deleting_a_user_takes_all_of_it(house: House) -> None:
    """With a user go its keys, tokens, sessions and roles; records that named it name nobody."""
    house.add_user()
    house.roles.create(COMMAND_LINE, "Auditor")
    house.roles.grant(COMMAND_LINE, USER, "Auditor")
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", USER)
    for scheme in sorted(ANY_SCHEME):
        house.carry(scheme)

    house.users.delete(COMMAND_LINE, USER)

    tables = ("api_key", "oauth_token", "session", "user_role")
    assert [house.execute(f"SELECT count(*) FROM {table}") for table in tables] == [[(0,)]] * 4  # noqa: S608  # above
    assert [record.user for record in house.sources.list_records("Event Consumer")] == [None]
    with pytest.raises(NotFound):
        house.users.get(USER)


@pytest.mark.parametrize("name", [ADMINISTRATOR, GUEST])
def test_the_built_in_users_stay(house: House, name: str) -> None:
    """Administrator and Guest can neither be disabled nor deleted."""
    with pytest.raises(Invalid):
        house.users.set_enabled(COMMAND_LINE, name, enabled=False)
    with pytest.raises(Invalid):
        house.users.delete(COMMAND_LINE, name)

    assert house.users.get(name).enabled


_LEAVING: dict[str, Callable[[House], object]] = {
    "disable": lambda house: house.users.set_enabled(COMMAND_LINE, _MANAGER, enabled=False),
    "delete": lambda house: house.users.delete(COMMAND_LINE, _MANAGER),
    "revoke": lambda house: house.roles.revoke(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER),
}


@pytest.mark.parametrize("leave", _LEAVING.values(), ids=_LEAVING)
@pytest.mark.parametrize("other", [None, "disabled"])
def test_the_last_system_manager_stays(house: House, leave: Callable[[House], object], other: str | None) -> None:
    """Where Administrator's account is closed, the last enabled System Manager keeps its account and role."""
    _add_manager(house)
    if other:
        house.add_user(UserOrder("other@example.com", enabled=False, roles=frozenset({SYSTEM_MANAGER})))
    house.execute("UPDATE user SET enabled = 0 WHERE name = 'Administrator'")

    with pytest.raises(Invalid):
        leave(house)

    user = house.users.get(_MANAGER)
    assert user.enabled
    assert SYSTEM_MANAGER in user.roles


@pytest.mark.parametrize("leave", _LEAVING.values(), ids=_LEAVING)
@pytest.mark.parametrize("remaining", [ADMINISTRATOR, "other@example.com"])
def test_a_system_manager_may_go_while_another_remains(
    house: House, leave: Callable[[House], object], remaining: str
) -> None:
    """Nobody is held in office: where Administrator or another System Manager can act, one may leave."""
    _add_manager(house)
    if remaining != ADMINISTRATOR:
        house.add_user(UserOrder(remaining, roles=frozenset({SYSTEM_MANAGER})))
        house.execute("UPDATE user SET enabled = 0 WHERE name = 'Administrator'")

    leave(house)

    managers = [name for name in house.roles.show(SYSTEM_MANAGER) if house.users.get(name).enabled]
    assert _MANAGER not in managers


def test_a_disabled_manager_may_be_deleted(house: House) -> None:
    """Whoever cannot act any more is nobody's last hope."""
    _add_manager(house)
    house.users.set_enabled(COMMAND_LINE, _MANAGER, enabled=False)
    house.execute("UPDATE user SET enabled = 0 WHERE name = 'Administrator'")

    house.users.delete(COMMAND_LINE, _MANAGER)

    assert house.roles.show(SYSTEM_MANAGER) == []
