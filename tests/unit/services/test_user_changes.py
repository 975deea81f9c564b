"""A user's names, type, addresses and hours are changed by System Managers, and what was so is told."""

from ipaddress import ip_network

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.users import ADMINISTRATOR, GUEST, UserType
from latchgate.errors import Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import UserChanges
from latchgate.services.users import UserOrder
from support.house import USER, House

_NETWORKS = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))


def test_a_change_replaces_what_it_names_and_tells_of_it(house: House) -> None:
    """Every field of a change is the user's; the log names those that differ, an unchanged one not."""
    house.add_user(UserOrder(USER, last_name="User", login_before=18))
    changes = UserChanges(
        first_name=" Api ",
        last_name="User",
        user_type=UserType.WEBSITE,
        restrict_ip=_NETWORKS,
        login_after=8,
        login_before=0,
    )

    user = house.users.change(COMMAND_LINE, "API@example.com", changes)

    assert user == house.users.get(USER)
    assert (user.full_name, user.user_type, user.restrict_ip) == ("Api User", UserType.WEBSITE, _NETWORKS)
    assert (user.login_after, user.login_before) == (8, 0)
    row = house.activity()[-1]
    assert (row.operation, row.subject) == ("user.changed", USER)
    assert row.detail.split("; ") == [
        "first_name: Api",
        "user_type: Website User",
        "restrict_ip: changed",
        "login_after: changed",
        "login_before: changed",
    ]


def test_a_limit_is_taken_away(house: House) -> None:
    """No addresses means all addresses."""
    house.add_user(UserOrder(USER, restrict_ip=_NETWORKS[1:]))
    presented = house.carry(Scheme.TOKEN)
    refused = house.admit(presented).principal

    house.users.change(COMMAND_LINE, USER, UserChanges(restrict_ip=()))

    assert refused is None
    assert house.principal(presented).user == USER
    assert house.activity()[-1].detail == "restrict_ip: changed"


def test_a_change_to_what_is_so_already_is_none(house: House) -> None:
    """It is not told of, and the user was not modified."""
    before = house.add_user(UserOrder(USER, first_name="Api", restrict_ip=_NETWORKS))
    rows = house.activity()

    after = house.users.change(COMMAND_LINE, USER, UserChanges(first_name="Api", restrict_ip=_NETWORKS))

    assert after == before
    assert house.activity() == rows


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        (USER, UserChanges(first_name="x" * 141), "first_name"),
        (USER, UserChanges(last_name="two\nlines"), "last_name"),
        (USER, UserChanges(login_after=25), "login_after"),
        (USER, UserChanges(login_before=-1), "login_before"),
        (GUEST, UserChanges(first_name="G"), "user"),
        (ADMINISTRATOR, UserChanges(user_type=UserType.WEBSITE), "user_type"),
    ],
)
def test_a_change_that_cannot_be_is_refused(house: House, name: str, changes: UserChanges, field: str) -> None:
    """The field is named, and nothing changes."""
    house.add_user()
    before = house.users.get(name)

    with pytest.raises(Invalid) as refused:
        house.users.change(COMMAND_LINE, name, changes)

    assert list(refused.value.fields) == [field]
    assert house.users.get(name) == before


@pytest.mark.parametrize("changes", [UserChanges(enabled=False), UserChanges(password_hash="$argon2id$")])
def test_what_has_a_method_of_its_own_is_not_changed_by_the_way(house: House, changes: UserChanges) -> None:
    """A password, or whether a user may act, is nothing to slip in beside a name."""
    house.add_user()

    with pytest.raises(AssertionError):
        house.users.change(COMMAND_LINE, USER, changes)


def test_an_unknown_user_cannot_be_changed(house: House) -> None:
    """It is told as such."""
    with pytest.raises(NotFound):
        house.users.change(COMMAND_LINE, "nobody@example.com", UserChanges(first_name="x"))


@pytest.mark.parametrize("name", [USER, ADMINISTRATOR, "nobody@example.com"])
def test_nobody_but_a_system_manager_changes_a_user(house: House, name: str) -> None:
    """Not even oneself, and whether the user exists is not told."""
    house.add_user(UserOrder(USER, restrict_ip=_NETWORKS))

    with pytest.raises(NotPermitted) as refused:
        house.users.change(house.actor(), name, UserChanges(restrict_ip=()))

    assert refused.value.reason == "role_missing"
    assert house.users.get(USER).restrict_ip == _NETWORKS
