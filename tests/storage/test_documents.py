import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latchgate.core.documents import DOCUMENT_TYPES, source_type
from latchgate.core.permissions import Own
from latchgate.core.queries import Column, Condition, DocumentQuery, Operator, Order
from latchgate.errors import Conflict, Invalid
from latchgate.services.port_values import RecordChanges, UserChanges
from latchgate.services.ports import Store, Transaction
from latchgate.storage.document_columns import SOURCES, record_source
from support.databases import Outside
from support.new_rows import new_record, new_user, record_key, user_key

_NAMES = DocumentQuery(order=(Order("name"),), limit=None)


def _names(store: Store, doctype: str, query: DocumentQuery = _NAMES, own: Own | None = None) -> list[Any]:
    with store.read() as tx:
        return [name for (name,) in tx.documents.list_some(doctype, query, own)]


def _where(*conditions: Condition, any_of: tuple[Condition, ...] = ()) -> DocumentQuery:
    return DocumentQuery(all_of=conditions, any_of=any_of, order=(Order("name"),), limit=None)


@pytest.fixture
def peopled(store: Store) -> Store:
    """A store with three users, keys of two sources, and rows of the activity log."""
    with store.write() as tx:
        for number, (name, first) in enumerate((("ann", "Ann"), ("bob", "BOB"), ("cy", "c_y%")), start=10):
            user_id = tx.users.add(new_user(f"{name}@example.com", first_name=first), number)
            tx.api_keys.add(user_key(user_id, f"key-{name}", label=first), number)
        record = tx.sources.add_record(new_record("Event Consumer", "billing", user_id), 20)
        tx.api_keys.add(record_key("Event Consumer", record, "key-billing"), 30)
    return store


def _user_id(store: Store, name: str) -> int:
    with store.read() as tx:
        return _id_of(tx, name)


def _id_of(tx: Transaction, name: str) -> int:
    found = tx.users.find(f"{name}@example.com")
    assert found is not None
    return found.id


@pytest.mark.parametrize("doctype", sorted(set(DOCUMENT_TYPES) - {"API Request Log", "System Settings"}))
def test_every_field_that_can_be_asked_for_is_stored(doctype: str) -> None:
    """A field that a description has and the tables lack would be an error at the first question for it."""
    fields, source = DOCUMENT_TYPES[doctype].fields, SOURCES[doctype]

    assert {name for name, spec in fields.items() if spec.access.compared} <= set(source.columns)
    assert set(source.everything) == set(fields) - {"new_password"}


@pytest.mark.parametrize(
    ("first", "last", "full"),
    [("Ann", "Lee", "Ann Lee"), ("Ann", "", "Ann"), ("", "Lee", "Lee"), ("", "", "x@example.com")],
)
def test_full_names(store: Store, first: str, last: str, full: str) -> None:
    """A user without names is called by its address, as everywhere else."""
    with store.write() as tx:
        tx.users.add(new_user("x@example.com", first_name=first, last_name=last), 1)

    assert _names(store, "User", _where(Condition("full_name", Operator.EQUAL, (full,)))) == ["x@example.com"]


def test_every_field_of_a_sources_record_is_stored() -> None:
    """As for the types that are always there."""
    assert set(source_type("Robot").fields) <= set(record_source("Robot").columns)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("first_name", Operator.EQUAL, ("Ann",)), ["ann"]),
        (Condition("first_name", Operator.EQUAL, ("ann",)), []),
        (Condition("first_name", Operator.UNEQUAL, ("Ann",)), ["bob", "cy"]),
        (Condition("first_name", Operator.LIKE, ("bo%",)), ["bob"]),
        (Condition("first_name", Operator.LIKE, ("c\\_y\\%",)), ["cy"]),
        (Condition("first_name", Operator.LIKE, ("b_b\\",)), []),
        (Condition("first_name", Operator.NOT_LIKE, ("%b%",)), ["ann", "cy"]),
        (Condition("first_name", Operator.IN, ("Ann", "BOB", "no\x00thing")), ["ann", "bob"]),
        (Condition("first_name", Operator.IN, ()), []),
        (Condition("first_name", Operator.NOT_IN, ("Ann", "BOB")), ["cy"]),
        (Condition("creation", Operator.BETWEEN, (10, 11)), ["ann", "bob"]),
        (Condition("creation", Operator.GREATER, (10,)), ["bob", "cy"]),
        (Condition("creation", Operator.AT_LEAST, (11,)), ["bob", "cy"]),
        (Condition("creation", Operator.LESS, (11,)), ["ann"]),
        (Condition("creation", Operator.AT_MOST, (11,)), ["ann", "bob"]),
        (Condition("last_name", Operator.SET), ["ann", "bob", "cy"]),
        (Condition("api_key", Operator.SET), []),
        (Condition("api_key", Operator.NOT_SET), ["ann", "bob", "cy"]),
        (Condition("api_key", Operator.UNEQUAL, ("x",)), ["ann", "bob", "cy"]),
        (Condition("enabled", Operator.EQUAL, (1,)), ["ann", "bob", "cy"]),
        (Condition("enabled", Operator.LIKE, ("1",)), ["ann", "bob", "cy"]),
        (Condition("first_name", Operator.BETWEEN, ("Ann", "Ao")), ["ann"]),
        (Condition("login_after", Operator.EQUAL, (32_768,)), []),
        (Condition("login_after", Operator.LESS, (2**62,)), ["ann", "bob", "cy"]),
        (Condition("enabled", Operator.NOT_IN, (2**40, -(2**40))), ["ann", "bob", "cy"]),
        (Condition("idx", Operator.IN, (0, 2**62)), ["ann", "bob", "cy"]),
        (Condition("login_before", Operator.IN, (0.0, 0.5)), ["ann", "bob", "cy"]),
        (Condition("login_before", Operator.LESS, (0.5,)), ["ann", "bob", "cy"]),
        (Condition("docstatus", Operator.BETWEEN, (-(2**62), 2**62)), ["ann", "bob", "cy"]),
        (Condition("first_name", Operator.NOT_IN, ("no\x00thing",)), ["ann", "bob", "cy"]),
        (Condition("first_name", Operator.IN, (*tuple(str(n) for n in range(999)), "Ann")), ["ann"]),
        (Condition("first_name", Operator.EQUAL, ("An\x00n",)), []),
        (Condition("first_name", Operator.UNEQUAL, ("\ud800",)), ["ann", "bob", "cy"]),
        (Condition("first_name", Operator.LIKE, ("\x00",)), []),
        (Condition("first_name", Operator.NOT_LIKE, ("\x00",)), ["ann", "bob", "cy"]),
    ],
)
def test_conditions(peopled: Store, condition: Condition, expected: list[str]) -> None:
    """Each operator means the same on both engines, and what no table can hold equals nothing."""
    ours = Condition("name", Operator.LIKE, ("%@example.com",))

    names = _names(peopled, "User", _where(ours, condition))

    assert names == [f"{name}@example.com" for name in expected]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("roles", Operator.EQUAL, ("Auditor",)), ["ann", "bob"]),
        (Condition("roles", Operator.UNEQUAL, ("Auditor",)), ["cy"]),
        (Condition("roles", Operator.IN, ("Clerk", "x")), ["bob"]),
        (Condition("roles", Operator.NOT_IN, ("Clerk", "x")), ["ann", "cy"]),
        (Condition("roles", Operator.LIKE, ("%d%",)), ["ann", "bob"]),
        (Condition("roles", Operator.SET), ["ann", "bob"]),
        (Condition("roles", Operator.NOT_SET), ["cy"]),
        (Condition("roles", Operator.EQUAL, ("\x00",)), []),
    ],
)
def test_users_by_their_roles(peopled: Store, condition: Condition, expected: list[str]) -> None:
    """One row that fulfils a condition is enough; unlike X is who has no X."""
    with peopled.write() as tx:
        for role in ("Auditor", "Clerk"):
            tx.roles.add(role, "Administrator", 1)
        for name, role in (("ann", "Auditor"), ("bob", "Auditor"), ("bob", "Clerk")):
            tx.roles.grant(_id_of(tx, name), role)
    ours = Condition("name", Operator.LIKE, ("%@example.com",))

    assert _names(peopled, "User", _where(ours, condition)) == [f"{name}@example.com" for name in expected]


def test_the_states_of_keys(peopled: Store) -> None:
    """What stands in a key's way, but for its end, which only a clock can tell."""
    with peopled.write() as tx:
        lone = tx.sources.add_record(new_record("Event Consumer", "lone", None), 40)
        tx.api_keys.add(record_key("Event Consumer", lone, "key-lone"), 41)
        held = tx.sources.add_record(new_record("Event Consumer", "held", None, enabled=False), 42)
        tx.sources.change_record(held, RecordChanges(user_id=_id_of(tx, "ann"), names_user=True), "x", 43)
        tx.api_keys.add(record_key("Event Consumer", held, "key-held"), 44)
        tx.users.change(_id_of(tx, "bob"), UserChanges(enabled=False), 45)
        tx.api_keys.revoke(tx.api_keys.find_any("key-cy")[0].id, 46)
        states = tx.documents.list_some(
            "API Key", DocumentQuery((Column("name", "name"), Column("status", "status")), limit=None), None
        )

    assert set(states) == {
        ("key-ann", "active"),
        ("key-bob", "user disabled"),
        ("key-cy", "revoked"),
        ("key-billing", "active"),
        ("key-lone", "no user"),
        ("key-held", "record disabled"),
    }


def test_a_question_of_any_length_is_asked(peopled: Store) -> None:
    """A hundred conditions and a thousand values are one statement."""
    many = tuple(Condition("first_name", Operator.UNEQUAL, (str(number),)) for number in range(100))
    listed = Condition(
        "name", Operator.IN, (*tuple(f"{number}@example.com" for number in range(999)), "ann@example.com")
    )

    assert _names(peopled, "User", _where(*many, listed)) == ["ann@example.com"]


def test_any_of(peopled: Store) -> None:
    """Of several alternatives one is enough, beside what all rows must fulfil."""
    either = (Condition("first_name", Operator.EQUAL, ("Ann",)), Condition("first_name", Operator.EQUAL, ("BOB",)))

    assert _names(peopled, "User", _where(any_of=either)) == ["ann@example.com", "bob@example.com"]
    assert _names(peopled, "User", _where(Condition("enabled", Operator.EQUAL, (0,)), any_of=either)) == []


def test_pages_do_not_overlap(peopled: Store) -> None:
    """Rows of the same order are told apart, so that pages together hold each once."""
    same = DocumentQuery(order=(Order("user_type"),), limit=2)

    pages = [_names(peopled, "User", DocumentQuery(order=same.order, limit=2, start=start)) for start in (0, 2, 4)]

    assert sorted(itertools.chain(*pages)) == _names(peopled, "User")


def test_groups(peopled: Store) -> None:
    """Rows are counted by what they have in common."""
    query = DocumentQuery(
        columns=(Column("source", "source"), Column("n", None)),
        group_by=("source",),
        order=(Order("source"),),
        limit=None,
    )
    with peopled.read() as tx:
        assert tx.documents.list_some("API Key", query, None) == [("Event Consumer", 1), ("User", 3)]
        assert tx.documents.count("API Key", DocumentQuery(), None) == 4


def test_own_records(peopled: Store) -> None:
    """Only one user's records: itself, the keys that run as it by whichever source, the rows about it."""
    cy = Own("cy@example.com", _user_id(peopled, "cy"))
    stranger = Own("cy@example.com", cy.user_id + 1000)

    assert _names(peopled, "User", own=cy) == ["cy@example.com"]
    assert _names(peopled, "API Key", own=cy) == ["key-billing", "key-cy"]
    assert _names(peopled, "API Key", own=stranger) == []
    assert _names(peopled, "Event Consumer", own=cy) == []
    with peopled.read() as tx:
        assert tx.documents.count("API Key", DocumentQuery(), cy) == 2
        found = tx.documents.find("API Key", "key-billing")
    assert found is not None
    assert (found.owned_by, found.owned_by_id) == ("cy@example.com", cy.user_id)
    assert found.is_own(cy)
    assert not found.is_own(stranger)
    assert (found.values["record"], found.values["user"], found.values["scopes"]) == (
        "billing",
        "cy@example.com",
        ["all"],
    )


def test_find(peopled: Store) -> None:
    """A record has all that is stored of it; a name that no table can hold names none."""
    with peopled.write() as tx:
        tx.users.change(_user_id(peopled, "ann"), UserChanges(modified_by="bob@example.com"), 99)
        tx.roles.grant(_user_id(peopled, "ann"), "System Manager")
    with peopled.read() as tx:
        found = tx.documents.find("User", "ann@example.com")
        assert found is not None
        assert (found.values["name"], found.values["roles"]) == ("ann@example.com", ["System Manager"])
        assert (found.values["modified"], found.values["modified_by"]) == (99, "bob@example.com")
        for doctype in ("User", "Role", "API Key", "Activity Log", "Event Consumer"):
            assert tx.documents.find(doctype, "no\x00body") is None
            assert tx.documents.find(doctype, "9" * 40) is None
        permission = tx.documents.find("Role Permission", "User:All:own")
        assert permission is not None
        assert (permission.values["read"], permission.values["create"]) == (1, 0)


def test_two_keys_of_one_name(peopled: Store) -> None:
    """A key id in two sources is no name of one record."""
    with peopled.write() as tx:
        record = tx.sources.add_record(new_record("Event Consumer", "other", None), 1)
        tx.api_keys.add(record_key("Event Consumer", record, "key-ann"), 1)

    with peopled.read() as tx, pytest.raises(Conflict, match="Several sources"):
        tx.documents.find("API Key", "key-ann")


def test_the_activity_log_goes_on_after_a_row(store: Store, outside: Outside) -> None:
    """Pages begin after the row that is named, in either direction; names are numbers written as texts."""
    for number in range(5):
        row = f"{number}, 'ann', 'x', '', '', ''"
        outside(f'INSERT INTO activity_log (time, "user", operation, subject, detail, ip_address) VALUES ({row})')  # noqa: S608
    newest = DocumentQuery(order=(Order("creation", descending=True),), limit=2)

    first = _names(store, "Activity Log", newest)
    second = _names(store, "Activity Log", DocumentQuery(order=newest.order, limit=2, after=first[-1]))
    back = _names(store, "Activity Log", DocumentQuery(order=(Order("creation"),), limit=1, after=second[-1]))

    assert len({*first, *second}) == 4
    assert back == [second[0]]
    assert all(isinstance(name, str) for name in first)
    for after in ("0", "x", "9" * 30):
        with pytest.raises(Invalid, match="after"):
            _names(store, "Activity Log", DocumentQuery(after=after))
    by_name = _where(Condition("name", Operator.IN, (first[0], "none", "-1")))
    assert _names(store, "Activity Log", by_name) == [first[0]]


@contextmanager
def _rolled_back(store: Store) -> Iterator[Any]:
    class _Undo(Exception):  # no error
        pass

    try:
        with store.write() as tx:
            yield tx
            raise _Undo  # noqa: TRY301
    except _Undo:
        pass


_TEXTS = st.text(st.sampled_from("aAbB%_\\ é'\""), max_size=4)


def _matches(held: str, pattern: str) -> bool:
    parts, place = [], 0
    while place < len(pattern):
        one = pattern[place]
        if one == "\\":
            place += 1
            one = pattern[place : place + 1] or "\\"
            parts.append(re.escape(one))
        else:
            parts.append({"%": ".*", "_": "."}.get(one, re.escape(one)))
        place += 1
    return re.fullmatch("".join(parts), held, re.IGNORECASE | re.DOTALL) is not None


_MODEL: dict[Operator, Callable[[str, str], bool]] = {
    Operator.EQUAL: lambda held, asked: held == asked,
    Operator.UNEQUAL: lambda held, asked: held != asked,
    Operator.LIKE: _matches,
    Operator.NOT_LIKE: lambda held, asked: not _matches(held, asked),
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.lists(_TEXTS, min_size=1, max_size=5), asked=_TEXTS, operator=st.sampled_from(sorted(_MODEL)))
def test_texts_are_compared_as_the_model_says(store: Store, held: list[str], asked: str, operator: Operator) -> None:
    """Whatever the texts, both engines find the rows that a few lines of Python find."""
    with _rolled_back(store) as tx:
        for number, text in enumerate(held):
            tx.users.add(new_user(f"p{number}@example.com", first_name=text), 1)
        query = DocumentQuery(
            all_of=(Condition("first_name", operator, (asked,)), Condition("name", Operator.LIKE, ("p_@example.com",))),
            order=(Order("name"),),
            limit=None,
        )
        found = [name for (name,) in tx.documents.list_some("User", query, None)]

    assert found == [f"p{number}@example.com" for number, text in enumerate(held) if _MODEL[operator](text, asked)]
