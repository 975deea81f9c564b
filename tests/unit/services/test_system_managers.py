"""Whoever has no right on a type changes nothing of it, learns nothing by trying, and holds up nobody."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.port_values import UserChanges
from latchgate.services.ports import Store, Transaction
from latchgate.services.users import UserOrder
from support.house import ADDRESS, PASSWORD, USER, House, present_pair

_MANAGER = "manager@example.com"
_NEW_PASSWORD = Secret("another long password")
_GRANT = Grant("All", "User", if_owner=False, actions=EVERY_ACTION)

Change = Callable[[House, Actor, str], object]

_CHANGES: dict[str, Change] = {
    "create": lambda house, actor, name: house.users.create(actor, UserOrder(name)),
    "change": lambda house, actor, name: house.users.change(actor, name, UserChanges(first_name="x")),
    "disable": lambda house, actor, name: house.users.set_enabled(actor, name, enabled=False),
    "delete": lambda house, actor, name: house.users.delete(actor, name),
    "set_password": lambda house, actor, name: house.users.set_password(actor, name, _NEW_PASSWORD),
    "create role": lambda house, actor, name: house.roles.create(actor, name),
    "delete role": lambda house, actor, name: house.roles.delete(actor, name),
    "grant": lambda house, actor, name: house.roles.grant(actor, name, SYSTEM_MANAGER),
    "revoke": lambda house, actor, name: house.roles.revoke(actor, name, SYSTEM_MANAGER),
    "list permissions": lambda house, actor, name: house.permissions.list_grants(actor),
    "grant permission": lambda house, actor, name: house.permissions.grant(actor, replace(_GRANT, role=name)),
    "revoke permission": lambda house, actor, name: house.permissions.revoke(actor, name, "User", if_owner=False),
    "create source": lambda house, actor, name: house.sources.create(actor, "API Device"),
    "delete source": lambda house, actor, name: house.sources.delete(actor, name),
    "create record": lambda house, actor, name: house.sources.create_record(actor, "Event Consumer", name, name),
    "enable record": lambda house, actor, name: house.sources.enable_record(
        actor, "Event Consumer", name, enabled=False
    ),
    "delete record": lambda house, actor, name: house.sources.delete_record(actor, "Event Consumer", name),
    "generate": lambda house, actor, name: house.keys.generate(actor, Owner("User", name), KeyOrder()),
    "generate primary": lambda house, actor, name: house.keys.generate_primary(actor, Owner("User", name)),
    "import key": lambda house, actor, name: house.keys.import_key(
        actor, Owner("User", name), PairText("key-0001", Secret("secret-0001")), KeyOrder()
    ),
    "read settings": lambda house, actor, name: house.system_settings.get(actor),
    "change settings": lambda house, actor, name: house.system_settings.change(actor, allow_own_keys=False),
    "revoke token": lambda house, actor, name: house.tokens.revoke(actor, Secret("no-such-token-at-all")),
}


class _ReadingStore:
    """A store that nobody gets to write to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> AbstractContextManager[Transaction]:
        return self._store.read()

    def write(self) -> AbstractContextManager[Transaction]:
        raise AssertionError("whoever is refused has taken the lock that writers wait for")


def _reading(house: House) -> House:
    store: Any = _ReadingStore(house.store)
    names = ("users", "roles", "permissions", "sources", "keys", "system_settings", "tokens")
    return replace(house, **{name: replace(getattr(house, name), store=store) for name in names})


def _add_manager(house: House) -> None:
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_nobody_changes_what_they_have_no_right_on(house: House, change: Change) -> None:
    """A user without roles is refused before any lock, in one wording whether what it asks about exists or not."""
    house.add_user()
    actor = house.actor()
    before = house.activity()

    told = set()
    for name in (ADMINISTRATOR, "nobody@example.com", "no name"):
        with pytest.raises(NotPermitted) as refused:
            change(_reading(house), actor, name)
        told.add((refused.value.public, refused.value.reason))

    assert len(told) == 1
    assert {reason for _, reason in told} == {"role_missing"}
    assert house.activity() == before


@pytest.mark.parametrize("change", [_CHANGES[name] for name in _CHANGES if name != "revoke token"])
def test_a_scope_that_covers_something_else_lets_nobody_change_anything(house: House, change: Change) -> None:
    """A System Manager's key is held to its scopes, and the log can tell why."""
    _add_manager(house)
    actor = house.actor(_MANAGER, Limits(frozenset({"reports"})))

    with pytest.raises(NotPermitted) as refused:
        change(house, actor, USER)

    assert refused.value.reason == "scope_missing"


def test_a_system_manager_may_change_others(house: House) -> None:
    """The role, not the command line alone, lets somebody administer."""
    _add_manager(house)
    manager = Actor.of(house.principal(house.carry(Scheme.SESSION, _MANAGER)), ADDRESS)

    house.users.create(manager, UserOrder(USER, password=PASSWORD))
    house.users.set_enabled(manager, USER, enabled=False)
    house.users.delete(manager, USER)

    ids = house.execute("SELECT user_id FROM activity_log ORDER BY id DESC LIMIT 3")
    assert [(row.user, row.operation, row.ip_address) for row in house.activity()[-3:]] == [
        (_MANAGER, operation, ADDRESS) for operation in ("user.created", "user.disabled", "user.deleted")
    ]
    assert set(ids) == {(house.users.get(_MANAGER).id,)}


def test_administrator_is_a_system_manager_by_name(house: House) -> None:
    """Administrator needs no grant to administer."""
    issued = house.add_key(ADMINISTRATOR)
    actor = Actor.of(house.principal(present_pair(issued.key.key_id, issued.secret.text)), ADDRESS)

    assert house.users.create(actor, UserOrder(USER)).name == USER
    assert house.key_ids(actor) == [issued.key.key_id]
