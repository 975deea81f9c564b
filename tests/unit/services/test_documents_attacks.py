"""Nobody reaches further than their roles and scopes by any field of any record, nor learns what they may not read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import Conflict, Invalid, LatchgateError, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.users import UserOrder
from support.house import USER, House

_BOSS = "boss@example.com"
_OTHER = "other@example.com"
_CLERK = "clerk@example.com"
_TYPES = ("User", "Role", "API Key", "Authorization Source", "Event Consumer", "Activity Log")


@pytest.fixture
def clerk(house: House) -> Actor:
    """Somebody who may do everything to all records of most types, and is no System Manager."""
    house.roles.create(COMMAND_LINE, "Clerk")
    house.roles.create(COMMAND_LINE, "Stock")
    for doctype in (*_TYPES, "API Request Log", "Role Permission", "System Settings"):
        house.permissions.grant(COMMAND_LINE, Grant("Clerk", doctype, False, EVERY_ACTION))
    for name, roles in ((_BOSS, {SYSTEM_MANAGER}), (_CLERK, {"Clerk"}), (USER, set()), (_OTHER, {"Stock"})):
        house.add_user(UserOrder(name, roles=frozenset(roles)))
    return house.actor(_CLERK)


@pytest.fixture
def user(house: House, clerk: Actor) -> Actor:
    """A user without roles."""
    return house.actor()


@contextmanager
def _nothing_happens(house: House) -> Iterator[None]:
    before = house.activity()
    with pytest.raises((NotPermitted, NotFound, Invalid)):
        yield
    assert house.activity() == before


@pytest.mark.parametrize("roles", [[SYSTEM_MANAGER], ["Stock"], ["Clerk", "Stock"]])
def test_nobody_gives_themselves_a_role(house: House, clerk: Actor, user: Actor, roles: list[str]) -> None:
    """By a change of their own record, whatever they may write, or by another account."""
    rows = [{"role": role} for role in roles]

    for actor in (clerk, user):
        with _nothing_happens(house):
            house.documents.update(actor, "User", actor.user, {"roles": rows})
    with _nothing_happens(house):
        house.documents.update(clerk, "User", USER, {"roles": rows})
    with _nothing_happens(house):
        house.documents.create(clerk, "User", {"email": "puppet@example.com", "roles": rows})
    assert house.documents.create(clerk, "User", {"email": "new@example.com", "roles": [{"role": "Clerk"}]})


@pytest.mark.parametrize(
    "values",
    [
        {"first_name": "Owned"},
        {"enabled": 0},
        {"new_password": "battery horse correct"},
        {"roles": [{"role": "Clerk"}]},
        {"restrict_ip": "203.0.113.1"},
    ],
)
@pytest.mark.parametrize("target", [_BOSS, _OTHER, "Administrator"])
def test_nobody_changes_an_account_that_may_do_more(
    house: House, clerk: Actor, target: str, values: dict[str, Any]
) -> None:
    """Or whoever sets its password would act as it."""
    with _nothing_happens(house):
        house.documents.update(clerk, "User", target, values)
    with _nothing_happens(house):
        house.documents.delete(clerk, "User", target)
    with _nothing_happens(house):
        house.documents.create(clerk, "API Key", {"record": target})


def test_nobody_gives_rights_but_system_managers(house: House, clerk: Actor) -> None:
    """Whatever a permission says of permissions and settings."""
    name = "User:Clerk"
    with _nothing_happens(house):
        fields = {"role": "Clerk", "document_type": "User", "if_owner": 1, "read": 1}
        house.documents.create(clerk, "Role Permission", fields)
    with _nothing_happens(house):
        house.documents.update(clerk, "Role Permission", name, {"delete": 0})
    with _nothing_happens(house):
        house.documents.delete(clerk, "Role Permission", name)
    with _nothing_happens(house):
        house.documents.update(clerk, "System Settings", "System Settings", {"allow_own_keys": 0})
    assert not house.documents.may(clerk, "Role Permission", Action.WRITE, name)
    assert house.documents.may(clerk, "Role Permission", Action.READ, name)


@pytest.mark.parametrize("doctype", ["API Request Log", "Activity Log"])
def test_nobody_writes_history(house: House, clerk: Actor, doctype: str) -> None:
    """Not even the command line, though a permission may say so."""
    for actor in (clerk, COMMAND_LINE):
        with pytest.raises(NotPermitted, match=f"No permission for {doctype}"):
            house.documents.create(actor, doctype, {"user": USER})
        with pytest.raises(NotPermitted, match=f"No permission for {doctype}"):
            house.documents.update(actor, doctype, "1", {"user": USER})
        with pytest.raises(NotPermitted, match=f"No permission for {doctype}"):
            house.documents.delete(actor, doctype, "1")


@pytest.mark.parametrize(
    "values",
    [
        {"owner": _BOSS},
        {"creation": "2020-01-01"},
        {"modified_by": _BOSS},
        {"api_key": "chosen"},
        {"api_secret": "chosen"},
        {"user": _BOSS},
        {"is_primary": 1},
        {"name": "chosen"},
        {"revoked": "2020-01-01"},
    ],
)
def test_nobody_chooses_what_is_computed(house: House, user: Actor, values: dict[str, Any]) -> None:
    """Neither when a key is made nor later."""
    key = house.add_key()

    with _nothing_happens(house):
        house.documents.create(user, "API Key", values)
    with _nothing_happens(house):
        house.documents.update(user, "API Key", key.key.key_id, values)


@pytest.mark.parametrize(
    "values",
    [
        {"scopes": ["all"]},
        {"allowed_networks": []},
        {"limit_per_minute": None},
        {"expires": None},
        {"record": _BOSS},
        {"source": "Event Consumer"},
    ],
)
def test_a_key_is_never_widened(house: House, user: Actor, clerk: Actor, values: dict[str, Any]) -> None:
    """Its limits are what it was made with."""
    fields = {"scopes": ["read"], "allowed_networks": ["192.0.2.0/24"], "limit_per_minute": 5, "expires": "2030-01-01"}
    made = house.documents.create(user, "API Key", fields)

    for actor in (user, clerk, COMMAND_LINE):
        with _nothing_happens(house):
            house.documents.update(actor, "API Key", made["name"], values)


def test_a_narrow_credential_makes_no_wider_one(house: House, clerk: Actor) -> None:
    """Neither a key without limits nor a password, by which anything might be done."""
    narrow = house.actor(_CLERK, Limits(frozenset({"API Key:create", "User:write", "User:read", "User:create"})))

    steps: tuple[Callable[[], object], ...] = (
        lambda: house.documents.create(narrow, "API Key", {}),
        lambda: house.documents.create(narrow, "API Key", {"scopes": ["API Key:create", "API Key:delete"]}),
        lambda: house.documents.update(narrow, "User", USER, {"new_password": "battery horse correct"}),
        lambda: house.documents.create(narrow, "User", {"email": "a@example.com", "new_password": "battery horse x"}),
    )
    for step in steps:
        with _nothing_happens(house):
            step()
    made = house.documents.create(narrow, "API Key", {"scopes": ["API Key:create"]})
    # It may make keys, not read them.
    assert set(made) == {"name", "doctype", "api_secret"}


def test_where_users_manage_no_keys_they_only_read_them(house: House, user: Actor, clerk: Actor) -> None:
    """Whoever may change everybody's still does."""
    key_id = house.add_key().key.key_id
    house.documents.update(COMMAND_LINE, "System Settings", "System Settings", {"allow_own_keys": 0})

    for step in (
        lambda: house.documents.create(user, "API Key", {}),
        lambda: house.documents.update(user, "API Key", key_id, {"label": "x"}),
        lambda: house.documents.delete(user, "API Key", key_id),
    ):
        with _nothing_happens(house):
            step()
    assert house.documents.get(user, "API Key", key_id)["name"] == key_id
    assert not house.documents.may(user, "API Key", Action.CREATE, None)
    assert house.documents.may(clerk, "API Key", Action.DELETE, key_id)
    assert house.documents.update(clerk, "API Key", key_id, {"label": "x"})["label"] == "x"


def test_no_answer_tells_whether_a_record_exists(house: House, user: Actor) -> None:
    """Reading, changing, deleting and counting another's record is as doing it to none."""
    key = house.add_key(_OTHER).key.key_id
    absent = "x" * len(key)

    def answer(doctype: str, name: str, step: Callable[[str, str], object]) -> str:
        with pytest.raises(LatchgateError) as caught:
            step(doctype, name)
        return f"{caught.value.code} {caught.value.public}".replace(name, "NAME")

    for doctype, there, missing in (("User", _OTHER, "nobody@example.com"), ("API Key", key, absent)):
        for step in (
            lambda doctype, name: house.documents.get(user, doctype, name),
            lambda doctype, name: house.documents.update(user, doctype, name, {"label": "x"}),
            lambda doctype, name: house.documents.update(user, doctype, name, {"modified": "x"}),
            lambda doctype, name: house.documents.update(user, doctype, name, {"nonsense": "x"}),
        ):
            assert answer(doctype, there, step) == answer(doctype, missing, step)
    delete = lambda doctype, name: house.documents.delete(user, doctype, name)  # noqa: E731
    assert answer("API Key", key, delete) == answer("API Key", absent, delete)
    assert answer("User", _OTHER, delete) == answer("User", "nobody@example.com", delete)
    make = lambda doctype, name: house.documents.create(user, doctype, {"record": name})  # noqa: E731
    assert answer("API Key", _OTHER, make) == answer("API Key", "nobody@example.com", make)


def test_two_keys_of_one_id_are_not_told_of_to_others(house: House, user: Actor) -> None:
    """Only whoever may read all keys is told that there are several."""
    house.documents.create(COMMAND_LINE, "Event Consumer", {"record_name": "door"})
    for owner in (Owner("User", _OTHER), Owner("Event Consumer", "door")):
        house.keys.import_key(COMMAND_LINE, owner, PairText("twice", Secret("a-long-secret")), KeyOrder())

    with pytest.raises(NotFound, match="API Key twice not found"):
        house.documents.get(user, "API Key", "twice")
    with pytest.raises(Conflict):
        house.documents.get(COMMAND_LINE, "API Key", "twice")


def test_a_link_tells_nothing_of_users_that_one_may_not_read(house: House, clerk: Actor) -> None:
    """Whoever makes records names nobody but themselves and those that they may read."""
    house.roles.create(COMMAND_LINE, "Maker")
    house.permissions.grant(COMMAND_LINE, Grant("Maker", "Event Consumer", False, EVERY_ACTION))
    house.add_user(UserOrder("maker@example.com", roles=frozenset({"Maker"})))
    maker = house.actor("maker@example.com")
    told = set()
    for name in (USER, "nobody@example.com"):
        with pytest.raises(Invalid) as caught:
            house.documents.create(maker, "Event Consumer", {"record_name": "a", "user": name})
        told.add(caught.value.public.replace(name, "NAME"))

    assert len(told) == 1
    assert house.documents.create(maker, "Event Consumer", {"record_name": "a", "user": "Maker@example.com"})


def test_nobody_lets_a_record_run_as_somebody_who_may_do_more(house: House, clerk: Actor) -> None:
    """Or a key for it would be that user's."""
    made = house.documents.create(clerk, "Event Consumer", {"record_name": "mine", "user": _CLERK})

    with _nothing_happens(house):
        house.documents.create(clerk, "Event Consumer", {"record_name": "boss", "user": _BOSS})
    with _nothing_happens(house):
        house.documents.update(clerk, "Event Consumer", made["name"], {"user": _BOSS})


def test_one_may_read_more_than_one_may_change(house: House, clerk: Actor) -> None:
    """Then the answer says which right is missing."""
    house.roles.create(COMMAND_LINE, "Reader")
    house.permissions.grant(COMMAND_LINE, Grant("Reader", "User", False, frozenset({Action.READ})))
    house.add_user(UserOrder("reader@example.com", roles=frozenset({"Reader"})))
    reader = house.actor("reader@example.com")

    with pytest.raises(NotPermitted) as caught:
        house.documents.update(reader, "User", USER, {"first_name": "x"})

    assert caught.value.public == (f"You need the 'write' permission on User {USER} to perform this action.")
    assert caught.value.reason == "role_missing"


def test_what_one_may_not_read_one_does_not_change(house: House, clerk: Actor) -> None:
    """A right to write without one to read finds nothing."""
    house.roles.create(COMMAND_LINE, "Blind")
    house.permissions.grant(COMMAND_LINE, Grant("Blind", "Role", False, EVERY_ACTION - {Action.READ}))
    house.add_user(UserOrder("blind@example.com", roles=frozenset({"Blind"})))
    blind = house.actor("blind@example.com")

    for name in ("Stock", "nothing"):
        with pytest.raises(NotFound, match=f"Role {name} not found"):
            house.documents.delete(blind, "Role", name)


def test_the_unprivileged_never_take_the_lock(house: House, user: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused, or changes nothing, holds up nobody."""
    monkeypatch.setattr(type(house.store), "write", None)

    for step in (
        lambda: house.documents.create(user, "Role", {"role_name": "x"}),
        lambda: house.documents.create(user, "User", {"email": "x@example.com"}),
        lambda: house.documents.update(user, "User", _OTHER, {"first_name": "x"}),
        lambda: house.documents.update(user, "User", USER, {"enabled": 0}),
        lambda: house.documents.delete(user, "User", USER),
        lambda: house.documents.delete(user, "Role", "Stock"),
        lambda: house.documents.create(user, "API Key", {"record": _OTHER}),
        lambda: house.documents.create(user, "API Key", {"source": "Nothing", "record": "x"}),
    ):
        with pytest.raises(LatchgateError):
            step()
    assert house.documents.update(user, "User", USER, {"enabled": 1})["enabled"] == 1


@pytest.mark.parametrize(
    "values",
    [
        {"first_name": "a\0b"},
        {"first_name": "\udc00"},
        {"first_name": {"a": {}}},
        {"first_name": ["a"] * 10_000},
        {"roles": [[[[[[]]]]]]},
        {"roles": [{"role": "a\0"}]},
        {"enabled": 10**30},
        {"enabled": float("nan")},
        {"login_after": float("inf")},
        {"login_after": -1},
        {"restrict_ip": "1" * 5000},
        {"user_type": []},
        {"modified": {}},
        {"x" * 100_000: 1},
        {"": 1},
    ],
)
def test_any_value_is_taken_or_refused_by_its_field(house: House, clerk: Actor, values: dict[str, Any]) -> None:
    """Nothing that JSON can hold makes anything else happen."""
    with pytest.raises(Invalid):
        house.documents.update(clerk, "User", USER, values)
    with pytest.raises(Invalid):
        house.documents.create(COMMAND_LINE, "User", {"email": "new@example.com", **values})


@pytest.mark.parametrize(
    "name", ["", "a\0b", "\udc00", "'; DROP TABLE user; --", "%", "../../etc/passwd", "x" * 10_000]
)
@pytest.mark.parametrize("doctype", _TYPES)
def test_any_name_is_none(house: House, clerk: Actor, doctype: str, name: str) -> None:
    """It is looked up as it is, or cannot be one."""
    for actor in (clerk, COMMAND_LINE):
        for step in (house.documents.get, house.documents.delete):
            with pytest.raises((NotFound, NotPermitted, Invalid)) as caught:
                step(actor, doctype, name)
            assert len(caught.value.public) < 300
    with pytest.raises((NotFound, NotPermitted, Invalid)):
        house.documents.get(clerk, name, "x")
