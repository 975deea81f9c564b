"""Nobody but System Managers and the command line changes anything."""

from collections.abc import Callable

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.port_values import KeyFilter
from latchgate.services.users import UserOrder
from support.house import ADDRESS, PASSWORD, USER, House, present_pair

_MANAGER = "manager@example.com"
_NEW_PASSWORD = Secret("another long password")


def _add_manager(house: House) -> None:
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)


_CHANGES: dict[str, Callable[[House, Actor, str], object]] = {
    "create": lambda house, actor, name: house.users.create(actor, UserOrder(name)),
    "disable": lambda house, actor, name: house.users.set_enabled(actor, name, enabled=False),
    "delete": lambda house, actor, name: house.users.delete(actor, name),
    "set_password": lambda house, actor, name: house.users.set_password(actor, name, _NEW_PASSWORD),
    "create role": lambda house, actor, name: house.roles.create(actor, name),
    "grant": lambda house, actor, name: house.roles.grant(actor, name, SYSTEM_MANAGER),
    "revoke": lambda house, actor, name: house.roles.revoke(actor, name, SYSTEM_MANAGER),
    "create source": lambda house, actor, name: house.sources.create(actor, "API Device"),
    "create record": lambda house, actor, name: house.sources.create_record(actor, "Event Consumer", name, name),
    "enable record": lambda house, actor, name: house.sources.enable_record(
        actor, "Event Consumer", name, enabled=False
    ),
    "revoke token": lambda house, actor, name: house.tokens.revoke(actor, Secret("no-such-token-at-all")),
}


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_nobody_but_a_system_manager_changes_anything(
    house: House, change: Callable[[House, Actor, str], object]
) -> None:
    """A user without the role is refused in one wording, whether what it asks about exists or not."""
    house.add_user()
    actor = house.actor()
    before = house.activity()

    told = set()
    for name in (USER, ADMINISTRATOR, "nobody@example.com", "no name"):
        with pytest.raises(NotPermitted) as refused:
            change(house, actor, name)
        told.add((refused.value.public, refused.value.reason))

    assert told == {("Only a System Manager may do this", "role_missing")}
    assert house.activity() == before


def test_a_system_manager_may_change_others(house: House) -> None:
    """The role, not the command line alone, lets somebody administer."""
    _add_manager(house)
    manager = Actor.of(house.principal(house.carry(Scheme.SESSION, _MANAGER)), ADDRESS)

    house.users.create(manager, UserOrder(USER, password=PASSWORD))
    house.users.set_enabled(manager, USER, enabled=False)
    house.users.delete(manager, USER)

    assert [(row.user, row.operation, row.ip_address) for row in house.activity()[-3:]] == [
        (_MANAGER, operation, ADDRESS) for operation in ("user.created", "user.disabled", "user.deleted")
    ]


def test_administrator_is_a_system_manager_by_name(house: House) -> None:
    """Administrator needs no grant to administer."""
    issued = house.add_key(ADMINISTRATOR)
    actor = Actor.of(house.principal(present_pair(issued.key.key_id, issued.secret.text)), ADDRESS)

    assert house.users.create(actor, UserOrder(USER)).name == USER
    assert len(house.keys.list_keys(actor, KeyFilter())) == 1
