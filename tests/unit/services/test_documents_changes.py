"""Records are made, changed and deleted, whole or not at all, and every change moves `modified`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.permissions import Action, Grant
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import Conflict, Flaw, Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.documents import RECORDS_MAX
from latchgate.services.users import UserOrder
from latchgate.storage.store import SqlStore, SqlTransaction
from support.house import USER, House, present_pair

_BOSS = "boss@example.com"
_OTHER = "other@example.com"


@pytest.fixture
def boss(house: House) -> Actor:
    """A System Manager, and the others that the tests speak of."""
    house.add_user(UserOrder(_BOSS, roles=frozenset({SYSTEM_MANAGER})))
    house.add_user(USER)
    house.add_user(_OTHER)
    house.roles.create(COMMAND_LINE, "Stock")
    return house.actor(_BOSS)


@pytest.fixture
def user(house: House, boss: Actor) -> Actor:
    """A user without roles."""
    return house.actor()


def _refused(house: House, change: Callable[[], object]) -> Invalid:
    before = house.activity()
    with pytest.raises(Invalid) as caught:
        change()
    assert house.activity() == before
    return caught.value


def test_a_user_is_made_with_all_its_fields(house: House, boss: Actor) -> None:
    """And given as it is then; the password is one, and nowhere to be read."""
    made = house.documents.create(
        boss,
        "User",
        {
            "email": "New@Example.com",
            "first_name": "New",
            "user_type": "Website User",
            "restrict_ip": "192.0.2.1",
            "login_after": 8,
            "login_before": "18",
            "new_password": "correct horse battery",
            "roles": [{"role": "Stock", "doctype": "Has Role"}],
            "send_welcome_email": 0,
        },
    )

    user = house.users.get("new@example.com")
    assert (made["name"], made["owner"], made["modified_by"]) == ("new@example.com", _BOSS, _BOSS)
    assert (made["login_after"], made["login_before"], made["enabled"]) == (8, 18, 1)
    assert [row["role"] for row in made["roles"]] == ["Stock"]
    assert made == house.documents.get(boss, "User", "new@example.com")
    assert (user.password_hash or "").startswith("$argon2id$")
    assert "correct horse" not in str(made) + str(house.activity())


@pytest.mark.parametrize(
    ("doctype", "values", "name"),
    [
        ("Role", {"role_name": "Sales"}, "Sales"),
        ("Role Permission", {"role": "Stock", "document_type": "User", "read": 1}, "User:Stock"),
        ("Role Permission", {"role": "Stock", "document_type": "User", "if_owner": 1, "read": 1}, "User:Stock:own"),
        ("Authorization Source", {"source_name": "API Device"}, "API Device"),
        ("Event Consumer", {"record_name": "door", "user": USER, "enabled": 0}, "door"),
    ],
)
def test_records_of_other_types_are_made(
    house: House, boss: Actor, doctype: str, values: dict[str, Any], name: str
) -> None:
    """Each under its own name, owned by who made it, and deleted again."""
    made = house.documents.create(boss, doctype, values)

    assert made == house.documents.get(boss, doctype, name)
    assert (made["name"], made["owner"], made["doctype"]) == (name, _BOSS, doctype)
    assert {field: made[field] for field in values} == values
    house.documents.delete(boss, doctype, name)
    with pytest.raises(NotFound, match=f"{doctype} {name} not found"):
        house.documents.get(boss, doctype, name)


def test_a_key_is_made_with_its_limits_and_tells_its_secret_once(house: House, user: Actor) -> None:
    """For oneself, if nothing is said."""
    made = house.documents.create(
        user,
        "API Key",
        {
            "label": "mine",
            "scopes": ["read"],
            "allowed_networks": "192.0.2.0/24",
            "limit_per_minute": 60,
            "expires": "2030-01-01 00:00:00",
        },
    )

    assert house.admit(present_pair(made["name"], made["api_secret"])).principal is not None
    assert (made["user"], made["record"], made["source"]) == (USER, USER, "User")
    assert (made["scopes"], made["allowed_networks"]) == (["read"], ["192.0.2.0/24"])
    assert (made["limit_per_minute"], made["expires"]) == (60, "2030-01-01 00:00:00.000000")
    assert "api_secret" not in house.documents.get(user, "API Key", made["name"])


def test_a_key_is_made_for_a_sources_record(house: House, boss: Actor) -> None:
    """It runs as the record's user."""
    house.documents.create(boss, "Event Consumer", {"record_name": "door", "user": USER})

    made = house.documents.create(boss, "API Key", {"source": "Event Consumer", "record": "door"})

    assert (made["record"], made["user"]) == ("door", USER)


@pytest.mark.parametrize(
    ("doctype", "values", "field", "flaw"),
    [
        ("User", {"email": "no address"}, "email", Flaw.EMAIL),
        ("User", {"email": "a@example.com", "roles": [{"role": "Nothing"}]}, "roles", Flaw.LINK),
        ("User", {"email": "a@example.com", "roles": [{"role": "All"}]}, "roles", Flaw.VALUE),
        ("User", {"email": "a@example.com", "restrict_ip": "nowhere"}, "restrict_ip", Flaw.VALUE),
        ("User", {"email": "a@example.com", "new_password": "short"}, "new_password", Flaw.VALUE),
        ("Role", {"role_name": "a,b"}, "role_name", Flaw.VALUE),
        ("Role Permission", {"role": "Nothing", "document_type": "User", "read": 1}, "role", Flaw.LINK),
        ("Role Permission", {"role": "Stock", "document_type": "Nothing", "read": 1}, "document_type", Flaw.LINK),
        ("Authorization Source", {"source_name": "!"}, "source_name", Flaw.VALUE),
        ("Event Consumer", {"record_name": "a\tb"}, "record_name", Flaw.VALUE),
        ("Event Consumer", {"record_name": "a", "user": "nobody@example.com"}, "user", Flaw.LINK),
        ("API Key", {"record": "nobody@example.com"}, "record", Flaw.LINK),
        ("API Key", {"record": "door", "source": "Nothing"}, "source", Flaw.LINK),
        ("API Key", {"source": "Event Consumer"}, "record", Flaw.MISSING),
        ("API Key", {"scopes": []}, "scopes", Flaw.VALUE),
        ("API Key", {"scopes": [" "]}, "scopes", Flaw.VALUE),
        ("API Key", {"scopes": ["User:fly"]}, "scopes", Flaw.VALUE),
        ("API Key", {"allowed_networks": ["nowhere"]}, "allowed_networks", Flaw.VALUE),
        ("API Key", {"allowed_networks": [" "]}, "allowed_networks", Flaw.VALUE),
        ("API Key", {"limit_per_minute": 0}, "limit_per_minute", Flaw.VALUE),
        ("API Key", {"expires": "2020-01-01"}, "expires", Flaw.VALUE),
    ],
)
def test_what_cannot_be_made_is_told_by_its_field(
    house: House, boss: Actor, doctype: str, values: dict[str, Any], field: str, flaw: Flaw
) -> None:
    """Under the name of the document's field, whichever service found it."""
    error = _refused(house, lambda: house.documents.create(boss, doctype, values))

    assert (list(error.fields), error.flaw) == ([field], flaw)


def test_a_name_that_is_taken_is_a_conflict(house: House, boss: Actor) -> None:
    """Also Administrator's."""
    for doctype, values in (
        ("User", {"email": USER}),
        ("User", {"email": "administrator"}),
        ("Role", {"role_name": "Stock"}),
    ):
        with pytest.raises(Conflict):
            house.documents.create(boss, doctype, values)


def test_whoever_may_not_read_what_they_made_is_told_its_name(house: House, boss: Actor) -> None:
    """And no more."""
    house.roles.create(COMMAND_LINE, "Maker")
    house.permissions.grant(COMMAND_LINE, Grant("Maker", "Event Consumer", False, frozenset({Action.CREATE})))
    house.add_user(UserOrder("maker@example.com", roles=frozenset({"Maker"})))

    made = house.documents.create(house.actor("maker@example.com"), "Event Consumer", {"record_name": "door"})

    assert made == {"name": "door", "doctype": "Event Consumer"}


def test_records_are_made_together_or_not_at_all(house: House, boss: Actor) -> None:
    """In their order, each of its type; one that is wrong leaves none."""
    new: list[tuple[str, dict[str, Any]]] = [
        ("Role", {"role_name": "One"}),
        ("User", {"email": "two@example.com", "roles": [{"role": "One"}]}),
    ]

    made = house.documents.create_many(boss, new)

    assert [record["name"] for record in made] == ["One", "two@example.com"]
    before = house.activity()
    with pytest.raises(Conflict):
        house.documents.create_many(boss, [("Role", {"role_name": "Three"}), ("Role", {"role_name": "One"})])
    with pytest.raises(Invalid) as caught:
        house.documents.create_many(boss, [("Role", {"role_name": str(n)}) for n in range(RECORDS_MAX + 1)])
    assert caught.value.fields == {"docs": "must be a list of at most 200 records"}
    users = [("User", {"email": f"u{n}@example.com", "new_password": "a long password"}) for n in range(11)]
    with pytest.raises(Invalid, match="at most 10 records with new_password"):
        house.documents.create_many(boss, users)
    assert house.activity() == before
    assert house.documents.create_many(boss, []) == []


def test_a_user_is_changed_in_all_its_fields_at_once(house: House, boss: Actor) -> None:
    """Each through the service that knows its rules, in one transaction."""
    before = house.documents.get(boss, "User", USER)
    session = house.carry(Scheme.SESSION)

    changed = house.documents.update(
        boss,
        "User",
        USER,
        {
            **before,
            "first_name": "Ann",
            "user_type": "Website User",
            "restrict_ip": "192.0.2.0/24",
            "login_before": 18,
            "roles": [{"role": "Stock"}],
            "enabled": 0,
            "new_password": "battery horse correct",
        },
    )

    assert changed == house.documents.get(boss, "User", USER)
    assert (changed["first_name"], changed["user_type"], changed["enabled"]) == ("Ann", "Website User", 0)
    assert (changed["restrict_ip"], changed["login_before"]) == ("192.0.2.0/24", 18)
    assert [row["role"] for row in changed["roles"]] == ["Stock"]
    assert changed["modified"] > before["modified"]
    assert (changed["modified_by"], changed["owner"], changed["creation"]) == (_BOSS, ADMINISTRATOR, before["creation"])
    house.users.set_enabled(COMMAND_LINE, USER, enabled=True)
    assert house.admit(session).principal is None


@pytest.mark.parametrize(
    "values",
    [
        {"first_name": "Ann"},
        {"enabled": 0},
        {"roles": [{"role": "Stock"}]},
        {"new_password": "battery horse correct"},
        {"restrict_ip": "192.0.2.0/24"},
    ],
)
def test_every_change_moves_modified(house: House, boss: Actor, values: dict[str, Any]) -> None:
    """Also of roles alone, or of what is not shown; whoever read it before is told."""
    before = house.documents.get(boss, "User", USER)

    after = house.documents.update(boss, "User", USER, {**values, "modified": before["modified"]})

    assert after["modified"] > before["modified"]
    assert after["modified_by"] == _BOSS
    error = _refused(house, lambda: house.documents.update(boss, "User", USER, {"modified": before["modified"]}))
    assert error.flaw is Flaw.STALE


@pytest.mark.parametrize(
    ("doctype", "new", "values"),
    [
        ("Role Permission", {"role": "Stock", "document_type": "User", "read": 1}, {"read": 0, "write": 1}),
        ("Event Consumer", {"record_name": "door", "user": USER}, {"enabled": 0}),
        ("Event Consumer", {"record_name": "door", "user": USER}, {"user": _OTHER}),
        ("Event Consumer", {"record_name": "door", "user": USER}, {"user": None}),
        ("API Key", {"record": USER}, {"label": "another"}),
    ],
)
def test_records_of_other_types_are_changed(
    house: House, boss: Actor, doctype: str, new: dict[str, Any], values: dict[str, Any]
) -> None:
    """What is sent again as it is, is no change."""
    made = house.documents.create(COMMAND_LINE, doctype, new)

    changed = house.documents.update(boss, doctype, made["name"], values)

    assert {field: changed[field] or None for field in values} == {field: values[field] or None for field in values}
    assert changed["modified"] > made["modified"]
    assert (changed["modified_by"], changed["owner"]) == (_BOSS, ADMINISTRATOR)
    again = house.documents.update(boss, doctype, made["name"], values)
    assert again["modified"] == changed["modified"]


def test_the_settings_are_one_record(house: House, boss: Actor) -> None:
    """It is read, listed and changed, neither made nor deleted."""
    before = house.documents.get(boss, "System Settings", "System Settings")

    after = house.documents.update(boss, "System Settings", "System Settings", {"allow_own_keys": 0})

    assert (before["allow_own_keys"], after["allow_own_keys"], after["modified_by"]) == (1, 0, _BOSS)
    assert after["modified"] > before["modified"]
    with pytest.raises(NotPermitted):
        house.documents.delete(boss, "System Settings", "System Settings")
    with pytest.raises(Invalid):
        house.documents.delete(COMMAND_LINE, "System Settings", "System Settings")
    with pytest.raises(Invalid):
        house.documents.create(COMMAND_LINE, "System Settings", {"allow_own_keys": 1})


def test_a_change_that_is_partly_wrong_changes_nothing(house: House, boss: Actor) -> None:
    """Whichever service refuses its part."""
    before = house.documents.get(boss, "User", USER)
    values = {"first_name": "Ann", "roles": [{"role": "Guest"}]}

    error = _refused(house, lambda: house.documents.update(boss, "User", USER, values))

    assert list(error.fields) == ["roles"]
    assert house.documents.get(boss, "User", USER) == before


def test_a_change_that_another_was_quicker_with_is_refused_within_the_transaction(house: House, boss: Actor) -> None:
    """Two that read the same cannot both write: nothing is lost."""
    before = house.documents.get(boss, "User", USER)
    hurried = []

    def hurry() -> None:
        hurried.append(house.documents.update(boss, "User", USER, {"first_name": "Quick"}))

    # While the slower one's password is hashed.
    house.entropy.interrupt = hurry
    with pytest.raises(Invalid) as caught:
        house.documents.update(
            boss, "User", USER, {"new_password": "battery horse correct", "modified": before["modified"]}
        )

    assert caught.value.flaw is Flaw.STALE
    assert house.documents.get(boss, "User", USER) == hurried[0]


def test_a_change_that_another_made_meanwhile_is_none(
    house: House, boss: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the judgement and the transaction: what is so already is left alone."""
    write, hurried = house.store.write, []

    def hurry() -> AbstractContextManager[SqlTransaction]:
        monkeypatch.undo()
        hurried.append(house.documents.update(boss, "User", USER, {"enabled": 0}))
        return write()

    monkeypatch.setattr(SqlStore, "write", lambda _: hurry())

    assert [house.documents.update(boss, "User", USER, {"enabled": 0})] == hurried


def test_a_key_is_revoked_and_stays(house: House, user: Actor) -> None:
    """Its record says when it ended; ending it again changes nothing."""
    key = house.add_key()

    house.documents.delete(user, "API Key", key.key.key_id)
    shown = house.documents.get(user, "API Key", key.key.key_id)
    house.documents.delete(user, "API Key", key.key.key_id)

    assert shown["revoked"] is not None
    assert house.documents.get(user, "API Key", key.key.key_id)["revoked"] == shown["revoked"]
    assert house.admit(present_pair(key.key.key_id, key.secret.text)).principal is None


@pytest.mark.parametrize(
    ("doctype", "name"),
    [
        ("User", ADMINISTRATOR),
        ("User", "Guest"),
        ("Role", SYSTEM_MANAGER),
        ("Role", "All"),
        ("Authorization Source", "User"),
        ("Authorization Source", "Event Consumer"),
    ],
)
def test_what_is_built_in_stays(house: House, boss: Actor, doctype: str, name: str) -> None:
    """Whoever asks."""
    with pytest.raises(Invalid):
        house.documents.delete(boss, doctype, name)


def test_a_deleted_user_is_gone(house: House, boss: Actor) -> None:
    """With all it could act with; a second deletion finds nothing."""
    presented = house.carry(Scheme.TOKEN)

    house.documents.delete(boss, "User", USER)

    assert house.admit(presented).principal is None
    with pytest.raises(NotFound):
        house.documents.delete(boss, "User", USER)
