"""Records are listed, counted and read as far as one's rights and scopes reach, and no further."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import Flaw, Invalid, NotFound, NotPermitted
from latchgate.services import document_lists
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.users import UserOrder
from support.house import ADDRESS, EVERYTHING, NOW, USER, House, present_pair

_BOSS = "boss@example.com"
_OTHER = "other@example.com"


@pytest.fixture
def boss(house: House) -> Actor:
    """A System Manager."""
    house.add_user(UserOrder(_BOSS, roles=frozenset({SYSTEM_MANAGER})))
    return house.actor(_BOSS)


@pytest.fixture
def user(house: House) -> Actor:
    """A user without roles, beside another."""
    house.add_user(UserOrder(USER, first_name="Api", last_name="User"))
    house.add_user(_OTHER)
    return house.actor()


def _grant(house: House, role: str, doctype: str, *actions: str, if_owner: int = 0) -> None:
    if not any(name == role for name, _ in house.roles.list_roles()):
        house.roles.create(COMMAND_LINE, role)
    fields = {"role": role, "document_type": doctype, "if_owner": if_owner, **dict.fromkeys(actions, 1)}
    house.documents.create(COMMAND_LINE, "Role Permission", fields)


def _actor(house: House, name: str, *roles: str, scopes: tuple[str, ...] = ("all",)) -> Actor:
    house.add_user(UserOrder(name, roles=frozenset(roles)))
    return house.actor(name, Limits(frozenset(scopes)))


def test_a_list_holds_names_unless_it_is_asked_for_more(house: House, boss: Actor, user: Actor) -> None:
    """Newest first, as Frappe lists."""
    page = house.documents.list_rows(boss, "User", Asked(filters=[["name", "like", "%@example.com"]]))

    assert page.columns == ("name",)
    assert page.documents() == [{"name": _OTHER}, {"name": USER}, {"name": _BOSS}]
    assert not page.more


def test_values_of_a_list_are_shown_as_a_record_shows_them(house: House, boss: Actor, user: Actor) -> None:
    """Times as texts, checks as numbers, nothing as null."""
    fields = ["name", "enabled", "creation", "expires", "limit_per_minute"]
    house.documents.create(COMMAND_LINE, "API Key", {"record": USER, "expires": "2030-01-01 00:00:00", "label": "x"})

    (row,) = house.documents.list_rows(boss, "User", Asked(fields=fields[:3], filters={"name": USER})).documents()
    (key,) = house.documents.list_rows(boss, "API Key", Asked(fields=fields[3:], filters={"label": "x"})).documents()

    shown = house.documents.get(boss, "User", USER)
    assert row == {name: shown[name] for name in ("name", "enabled", "creation")}
    assert key == {"expires": "2030-01-01 00:00:00.000000", "limit_per_minute": None}


def test_a_count_by_group_is_a_number(house: House, boss: Actor, user: Actor) -> None:
    """Not a time, whatever stands beside it."""
    asked = Asked(fields=["enabled", "count(name) as n"], group_by="enabled", order_by="enabled asc", limit=0)

    page = house.documents.list_rows(boss, "User", asked)

    assert page.columns == ("enabled", "n")
    assert page.rows == [(1, 5)]


@pytest.mark.parametrize(("start", "rows", "more"), [(0, 2, True), (2, 1, False), (3, 0, False)])
def test_pages_say_whether_there_are_more(
    house: House, boss: Actor, user: Actor, start: int, rows: int, more: bool
) -> None:
    """Also where the last page is full."""
    asked = Asked(filters=[["name", "like", "%@example.com"]], start=start, limit=2)

    page = house.documents.list_rows(boss, "User", asked)

    assert (len(page.rows), page.more) == (rows, more)


@pytest.mark.parametrize("limit", [0, 4])
def test_a_list_of_all_that_is_too_long_is_refused(
    house: House, boss: Actor, user: Actor, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Rather than cut without a word; what fits is given."""
    asked = Asked(filters=[["name", "like", "%@example.com"]], limit=limit)
    monkeypatch.setattr(document_lists, "ROWS_MAX", 3)
    whole = house.documents.list_rows(boss, "User", asked)
    monkeypatch.setattr(document_lists, "ROWS_MAX", 2)

    with pytest.raises(Invalid) as caught:
        house.documents.list_rows(boss, "User", asked)

    assert (len(whole.rows), whole.more) == (3, False)
    assert caught.value.fields == {"limit": "more than 2 records match; ask for pages with limit and limit_start"}


def test_a_list_may_ask_for_what_cannot_be_compared(house: House, boss: Actor, user: Actor) -> None:
    """Scopes and addresses of keys are given, and refused as a filter; child tables come by reading a record."""
    fields = ["name", "scopes", "allowed_networks"]
    key = house.documents.create(COMMAND_LINE, "API Key", {"record": USER, "scopes": ["read"]})
    rows = house.documents.list_rows(boss, "API Key", Asked(fields=fields, filters={"name": key["name"]})).rows

    assert rows == [(key["name"], ["read"], [])]
    for asked in (Asked(filters={"scopes": "read"}), Asked(order_by="scopes"), Asked(group_by="scopes")):
        with pytest.raises(Invalid, match="not permitted in query: scopes"):
            house.documents.list_rows(boss, "API Key", asked)
    with pytest.raises(Invalid, match="not permitted in query: roles"):
        house.documents.list_rows(boss, "User", Asked(fields=["roles"]))


def test_a_list_tells_the_state_and_last_use_of_keys(house: House, boss: Actor, user: Actor) -> None:
    """As a record does, whatever else was asked for."""
    issued = house.keys.generate(COMMAND_LINE, Owner("User", USER), KeyOrder())
    house.logged(present_pair(issued.key.key_id, issued.secret.text))
    soon = house.clock.now() + 60
    ending = house.keys.generate(
        COMMAND_LINE, Owner("User", USER), KeyOrder(limits=Limits(EVERYTHING.scopes, expires_at=soon))
    )
    house.keys.revoke(COMMAND_LINE, house.keys.generate(COMMAND_LINE, Owner("User", USER), KeyOrder()).key.key_id)
    asked = Asked(fields=["status", "last_used_from"], filters={"user": USER}, order_by="creation")

    before = house.documents.list_rows(boss, "API Key", asked).rows
    house.clock.advance(60)
    after = house.documents.list_rows(boss, "API Key", asked).rows

    assert before[-3:] == [("active", ADDRESS), ("active", None), ("revoked", None)]
    assert after[-3:] == [("active", ADDRESS), ("expired", None), ("revoked", None)]
    assert house.documents.get(boss, "API Key", ending.key.key_id)["status"] == "expired"


@pytest.mark.parametrize("alias", ["status", "last_used", "last_used_from", "expires", "creation"])
def test_a_count_is_a_count_whatever_it_is_called(house: House, boss: Actor, user: Actor, alias: str) -> None:
    """Also by the name of a field that is completed or written in another form."""
    asked = Asked(fields=["user", f"count(*) as {alias}"], group_by="user", filters={"user": USER})

    assert house.documents.list_rows(boss, "API Key", asked).rows == [(USER, 1)]


def test_keys_of_one_id_are_told_apart_by_their_source(house: House, boss: Actor, user: Actor) -> None:
    """The use of one is none of the other, whose user it may not concern."""
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "billing", _OTHER)
    for owner, secret in ((Owner("User", USER), "secret-0001"), (Owner("Event Consumer", "billing"), "secret-0002")):
        house.keys.import_key(COMMAND_LINE, owner, PairText("same-key", Secret(secret)), KeyOrder())
    house.logged(present_pair("same-key", "secret-0002", source="Event Consumer"))

    asked = Asked(fields=["source", "last_used_from"], filters={"name": "same-key"}, order_by="source asc")
    rows = house.documents.list_rows(boss, "API Key", asked).rows

    assert rows == [("Event Consumer", ADDRESS), ("User", None)]


def test_whole_records_are_listed(house: House, boss: Actor, user: Actor) -> None:
    """Each with all its fields, child tables too, but for those that the caller sees of some records only."""
    house.roles.create(COMMAND_LINE, "Stock")
    house.roles.grant(COMMAND_LINE, USER, "Stock")
    _grant(house, "Clerk", "User", "read")
    clerk = _actor(house, "clerk@example.com", "Clerk")
    asked = Asked(filters={"name": USER})

    listed = house.documents.list_whole(boss, "User", asked).documents()
    seen = house.documents.list_whole(clerk, "User", asked).documents()

    record = house.documents.get(boss, "User", USER)
    assert listed == [{name: value for name, value in record.items() if name not in {"doctype", "api_secret"}}]
    assert listed[0]["roles"][0]["role"] == "Stock"
    hidden = {"restrict_ip", "login_after", "login_before", "api_key", "key_count", "can_sign_in", "has_second_factor"}
    assert set(listed[0]) - set(seen[0]) == hidden


def test_one_lists_and_counts_ones_own(house: House, boss: Actor, user: Actor) -> None:
    """A user is their own record, and a key that of the user it runs as; nothing tells of others'."""
    rows = house.documents.list_rows(user, "User", Asked()).rows
    keys = house.documents.list_rows(user, "API Key", Asked(fields=["user"])).rows

    assert rows == [(USER,)]
    assert keys == [(USER,)]
    assert house.documents.count(user, "User", Asked()) == 1
    assert house.documents.count(user, "User", Asked(filters={"name": _OTHER})) == 0
    assert house.documents.count(boss, "User", Asked(filters={"name": _OTHER})) == 1


def test_a_record_is_given_with_its_fields(house: House, boss: Actor, user: Actor) -> None:
    """A key with its last use, which another database knows."""
    house.roles.create(COMMAND_LINE, "Stock")
    house.roles.grant(COMMAND_LINE, USER, "Stock")
    key = house.add_key()

    shown = house.documents.get(boss, "User", USER)
    unused = house.documents.get(user, "API Key", key.key.key_id)

    assert (shown["doctype"], shown["full_name"], shown["owner"]) == ("User", "Api User", ADMINISTRATOR)
    assert [row["role"] for row in shown["roles"]] == ["Stock"]
    assert list(unused)[-3:] == ["last_used", "last_used_from", "doctype"]
    assert unused["last_used"] is None
    assert "api_secret" not in unused


def test_a_key_tells_when_it_was_used(house: House, user: Actor) -> None:
    """From the request log."""
    presented = house.carry(Scheme.TOKEN)
    house.logged(presented)
    key_id = house.log.entries[-1].api_key
    assert key_id is not None

    shown = house.documents.get(user, "API Key", key_id)

    assert shown["last_used"].startswith(f"{datetime.fromtimestamp(NOW, UTC):%Y-%m-%d %H:%M:%S}")


@pytest.mark.parametrize("doctype", ["Role", "Role Permission", "Authorization Source", "Event Consumer"])
def test_without_any_right_nothing_is_looked_up(house: House, user: Actor, doctype: str) -> None:
    """The same answer whether there is such a record or not."""
    told = f"No permission for {doctype}"
    for name in ("System Manager", "no such"):
        with pytest.raises(NotPermitted, match=told) as caught:
            house.documents.get(user, doctype, name)
        assert caught.value.reason == "role_missing"
    with pytest.raises(NotPermitted, match=told):
        house.documents.list_rows(user, doctype, Asked())
    with pytest.raises(NotPermitted, match=told):
        house.documents.count(user, doctype, Asked())


def test_anothers_record_is_as_good_as_absent(house: House, user: Actor) -> None:
    """Word for word, but for the name that was asked for."""
    tried = {}
    for name in (_OTHER, "nobody@example.com"):
        with pytest.raises(NotFound) as caught:
            house.documents.get(user, "User", name)
        tried[name] = caught.value.public

    assert tried == {name: f"User {name} not found" for name in tried}


def test_a_type_that_is_not_there_is_told_to_system_managers(house: House, boss: Actor, user: Actor) -> None:
    """To others it is one without permission, to a narrow credential too."""
    narrow = house.actor(_BOSS, Limits(frozenset({"User:read"})))
    for actor, kind in ((boss, NotFound), (COMMAND_LINE, NotFound), (user, NotPermitted), (narrow, NotPermitted)):
        with pytest.raises(kind) as caught:
            house.documents.get(actor, "Nonsense", "x")
        told = "DocType Nonsense not found" if kind is NotFound else "No permission for Nonsense"
        assert caught.value.public == told


def test_a_type_is_described_to_whoever_may_read_of_it(house: House, boss: Actor, user: Actor) -> None:
    """All to a System Manager; those with something of one's own to everybody; fewer by scopes."""
    narrow = house.actor(USER, Limits(frozenset({"User:read", "Role:read"})))
    own = {"API Key", "API Request Log", "Activity Log", "OAuth Bearer Token", "OAuth Consent", "User"}
    every = {*DOCUMENT_TYPES, "Event Consumer"}

    def described(actor: Actor) -> set[str]:
        found = set()
        for name in every:
            with suppress(NotPermitted):
                found.add(house.documents.get_type(actor, name).name)
        return found

    assert described(boss) == every
    assert described(user) == own
    assert described(narrow) == {"User"}


def test_the_records_of_a_new_source_are_a_type(house: House, boss: Actor) -> None:
    """Which System Managers may read at once."""
    house.sources.create(COMMAND_LINE, "API Device")
    house.documents.create(boss, "API Device", {"record_name": "door"})

    assert house.documents.get_type(boss, "API Device").named_by == "record_name"
    assert house.documents.get(boss, "API Device", "door")["enabled"] == 1
    assert house.documents.list_rows(boss, "API Device", Asked()).rows == [("door",)]


def test_a_field_that_one_may_not_see_cannot_be_asked_for(house: House, user: Actor) -> None:
    """Neither shown, nor filtered, sorted, grouped or counted by: each would tell what it holds."""
    _grant(house, "Clerk", "User", "read")
    clerk = _actor(house, "clerk@example.com", "Clerk")
    asked = [
        Asked(fields=["name", "api_key"]),
        Asked(filters=[["api_key", "like", "l%"]]),
        Asked(or_filters={"api_key": "x"}),
        Asked(order_by="api_key desc"),
        Asked(fields=["count(name) as n"], group_by="api_key"),
        Asked(filters={"restrict_ip": ["is", "set"]}),
        Asked(filters={"login_before": [">", 0]}),
    ]

    assert (_OTHER,) in house.documents.list_rows(clerk, "User", Asked()).rows
    assert "api_key" not in house.documents.get(clerk, "User", USER)
    for one in asked:
        with pytest.raises(Invalid) as caught:
            house.documents.list_rows(clerk, "User", one)
        assert caught.value.flaw is Flaw.FIELD
    for one in asked[1:3]:
        with pytest.raises(Invalid):
            house.documents.count(clerk, "User", one)
    for one in (Asked(filters={"restrict_ip": "x"}), Asked(fields=["new_password"])):
        with pytest.raises(Invalid):
            house.documents.list_rows(user, "User", one)


def test_one_may_ask_what_one_may_do(house: House, boss: Actor, user: Actor) -> None:
    """Without an exception, whatever is asked."""
    may = house.documents.may

    assert may(user, "User", Action.READ, None)
    assert may(user, "User", Action.WRITE, USER)
    assert not may(user, "User", Action.WRITE, _OTHER)
    assert not may(user, "User", Action.DELETE, USER)
    assert not may(user, "User", Action.CREATE, "x")
    assert may(user, "API Key", Action.CREATE, None)
    assert not may(user, "Nonsense", Action.READ, None)
    assert not may(boss, "Nonsense", Action.READ, None)
    assert not may(boss, "User", Action.READ, "nobody")
    assert not may(boss, "User", Action.READ, "a\0b")
    assert not may(boss, "Activity Log", Action.DELETE, None)
    assert may(boss, "Role Permission", Action.CREATE, None)


def test_one_may_ask_of_which_types_one_reads_all(house: House, boss: Actor, user: Actor) -> None:
    """One's own are not enough; what a credential's scopes leave out and what is not there is none."""
    asked = ["User", "API Key", "Role", "Nonsense"]
    _grant(house, "Reader", "Role", "read")
    reader = _actor(house, "reader@example.com", "Reader")
    narrow = _actor(house, "narrow@example.com", SYSTEM_MANAGER, scopes=("User:read",))

    listed = [house.documents.list_readable(one, asked) for one in (boss, user, reader, narrow)]

    assert listed == [frozenset({"User", "API Key", "Role"}), frozenset(), frozenset({"Role"}), frozenset({"User"})]
    assert house.documents.list_readable(COMMAND_LINE, ["User"]) == frozenset({"User"})


def test_what_one_may_do_at_all_is_told_by_type(house: House, boss: Actor, user: Actor) -> None:
    """Of all records or of one's own, within the scopes of the credential; sources are types too."""
    house.sources.create(COMMAND_LINE, "API Device")
    everything = tuple(Action)

    managed = house.documents.list_allowed(boss)
    assert managed["API Device"] == managed["User"] == everything
    assert managed["API Request Log"] == (Action.READ,)
    assert managed["System Settings"][:2] == (Action.READ, Action.WRITE)
    assert house.documents.list_allowed(user) == {
        "User": (Action.READ, Action.WRITE),
        "API Key": everything,
        "API Request Log": (Action.READ,),
        "Activity Log": (Action.READ,),
        "OAuth Bearer Token": (Action.READ, Action.DELETE),
        "OAuth Consent": (Action.READ, Action.DELETE),
    }
    limited = house.actor(USER, Limits(frozenset({"API Key:read", "Role:read"})))
    assert house.documents.list_allowed(limited) == {"API Key": (Action.READ,)}
