from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from latchgate.core.document_types import DocumentType, Kind, Reader, Viewer, format_time, parse_time
from latchgate.core.documents import DOCUMENT_TYPES, document_of, source_type
from latchgate.core.permissions import Action, Own, Reach
from unit.core.examples import PRINCIPAL

_USER = DOCUMENT_TYPES["User"]
_KEY = DOCUMENT_TYPES["API Key"]
_ME = Own(PRINCIPAL.user, PRINCIPAL.user_id)
_MANAGER = Viewer(_ME, manager=True, reach=Reach.ALL)
_CLERK = Viewer(_ME, manager=False, reach=Reach.ALL)
_OWNER = Viewer(_ME, manager=False, reach=Reach.OWN)


@pytest.mark.parametrize("doctype", DOCUMENT_TYPES.values(), ids=lambda doctype: doctype.name)
def test_every_field_says_what_it_is(doctype: DocumentType) -> None:
    """Each has a label, a linked type that exists, and a default where it need not be sent; whose it is is a field."""
    assert doctype.own_field in doctype.fields
    assert doctype.named_by is None or doctype.fields[doctype.named_by].access.required
    for spec in doctype.fields.values():
        assert spec.access.label
        assert spec.access.link is None or spec.access.link in DOCUMENT_TYPES
        assert (spec.access.kind is Kind.SELECT) == bool(spec.choices)
    assert doctype.model().model_dump()


def test_a_field_without_an_access_is_refused() -> None:
    """A field that does not say who reads it would be read by everybody."""

    class Open(BaseModel):
        name: Annotated[str, "no access"] = ""

    with pytest.raises(AssertionError, match="name"):
        DocumentType("Open", Open, "name").fields  # noqa: B018  # the reading is what is tried


def test_a_record_names_its_type() -> None:
    """As every record of Frappe's does, those of a source too."""
    assert source_type("Robot").named_by == "record_name"
    assert document_of(_USER, {"name": "x"}) == {"name": "x", "doctype": "User"}


def test_viewers() -> None:
    """The command line sees everything, others what their roles and reach allow."""
    assert Viewer.of(None, Reach.OWN) == Viewer(None, manager=True, reach=Reach.ALL)
    assert Viewer.of(PRINCIPAL, Reach.OWN) == _OWNER
    assert _OWNER.own_only == _ME
    assert _CLERK.own_only is None
    assert Viewer.of(replace(PRINCIPAL, roles=frozenset({"System Manager"})), Reach.ALL).manager


@pytest.mark.parametrize(
    ("viewer", "own", "seen"), [(_MANAGER, False, True), (_CLERK, False, False), (_CLERK, True, True)]
)
def test_who_sees_a_field_of_its_owner(viewer: Viewer, own: bool, seen: bool) -> None:
    """System Managers, and whose record it is; a field that nobody reads is seen by nobody."""
    assert _USER.fields["api_key"].access.read is Reader.OWNER
    assert _USER.fields["api_key"].visible_to(viewer, own=own) is seen
    assert _USER.fields["first_name"].visible_to(viewer, own=own)
    assert not _USER.fields["new_password"].visible_to(viewer, own=own)


def test_what_may_be_asked_for() -> None:
    """A field that is seen of some records only cannot be asked for in a list of others."""
    for seen in (_USER.listable_by, _USER.comparable_by):
        assert "api_key" in seen(_MANAGER)
        assert "api_key" in seen(_OWNER)
        assert "api_key" not in seen(_CLERK)
        assert not {"new_password", "roles"} & set(seen(_MANAGER))
    assert "restrict_ip" in _USER.listable_by(_MANAGER)
    assert "restrict_ip" not in _USER.comparable_by(_MANAGER)
    assert "restrict_ip" not in _USER.listable_by(_CLERK)
    assert "roles" in _USER.seen_in_lists_by(_CLERK)


@pytest.mark.parametrize(
    ("doctype", "field", "value", "read"),
    [
        (_USER, "enabled", True, 1),
        (_USER, "enabled", "0", 0),
        (_USER, "login_after", "7", 7),
        (_USER, "first_name", "Ünï", "Ünï"),
        (_USER, "user_type", "Website User", "Website User"),
        (_KEY, "scopes", "read, User:write", ["read", "User:write"]),
        (_KEY, "scopes", ["all"], ["all"]),
        (_KEY, "limit_per_minute", None, None),
    ],
)
def test_values_that_are_read(doctype: DocumentType, field: str, value: object, read: object) -> None:
    """As JSON and as forms write them."""
    assert doctype.fields[field].parse(value) == read


def _deep(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("doctype", "field", "value", "told"),
    [
        (_USER, "enabled", 2, "must be 0 or 1"),
        (_USER, "enabled", 1.0, "must be 0 or 1"),
        (_USER, "enabled", "yes", "must be 0 or 1"),
        (_USER, "login_after", 25, "must be at most 24"),
        (_USER, "login_after", -1, "must be at least 0"),
        (_USER, "login_after", 1.5, "must be a whole number"),
        (_USER, "login_after", True, "must be a whole number"),
        (_USER, "login_after", "x", "must be a whole number"),
        (_USER, "login_after", 10**400, "must be"),
        (_USER, "first_name", 5, "must be a text"),
        (_USER, "first_name", "x" * 141, "must be a text of at most 140 characters"),
        (_USER, "first_name", "a\nb", "must hold no line breaks"),
        (_USER, "first_name", "\ud800", "must hold no line breaks"),
        (_USER, "user_type", "Robot", "must be one of 'System User' or 'Website User'"),
        (_USER, "roles", "System Manager", "must be a list"),
        (_USER, "roles", [{"x": 1}], "0.role: is required"),
        (_USER, "roles", ["x"], "0: must be an object"),
        (_USER, "roles", [{"role": "x"}] * 201, "must hold at most 200"),
        (_KEY, "scopes", _deep(2000), "must be a text"),
        (_KEY, "limit_per_minute", 0, "must be at least 1"),
    ],
)
def test_values_that_cannot_be_read(doctype: DocumentType, field: str, value: object, told: str) -> None:
    """The sentence says what would be right."""
    with pytest.raises(ValueError, match=r"must|is required") as error:
        doctype.fields[field].parse(value)
    assert told in str(error.value)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _told(read: Callable[[Any], Any], value: Any) -> str:  # noqa: ANN401  # any JSON
    """What the reader says of the value: that it is taken, or its sentence of refusal."""
    try:
        read(value)
    except ValueError as error:
        return str(error)
    return "taken"


@given(_ANY)
def test_nothing_but_a_sentence_comes_of_whatever_is_sent(value: Any) -> None:  # noqa: ANN401  # any JSON
    """No other exception, whatever the field."""
    for doctype in DOCUMENT_TYPES.values():
        for spec in doctype.fields.values():
            for read in (spec.parse, spec.parse_compared):
                assert _told(read, value)


def test_what_is_nested_too_deeply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the reader itself gives up."""
    spec = _KEY.fields["scopes"]

    class _Exhausted:
        def validate_python(self, _value: object) -> object:
            raise RecursionError

    monkeypatch.setitem(spec.__dict__, "_adapter", _Exhausted())

    with pytest.raises(ValueError, match="nested too deeply"):
        spec.parse([])


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("enabled", True, 1),
        ("login_after", "7", 7),
        ("creation", "1970-01-01 00:00:01", 1_000_000),
        ("first_name", 5, "5"),
    ],
)
def test_values_to_compare_with(field: str, value: object, stored: object) -> None:
    """As they are stored."""
    assert _USER.fields[field].parse_compared(value) == stored


def test_seconds_are_compared_as_numbers() -> None:
    """A number with a fraction."""
    seconds = DOCUMENT_TYPES["API Request Log"].fields["seconds"]

    assert seconds.parse_compared("0.5") == 0.5
    refused: tuple[object, ...] = ("x", "1e400", "nan", [], None)
    for value in refused:
        with pytest.raises(ValueError, match="number"):
            seconds.parse_compared(value)


@given(st.integers(min_value=0, max_value=253_402_300_799_999_999))
def test_times_are_read_as_they_were_written(time: int) -> None:
    """To the microsecond."""
    text = format_time(time)

    assert text is not None
    assert parse_time(text) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [("1970-01-02", 86_400_000_000), ("1970-01-01T01:00:00+01:00", 0), (" 1970-01-01 00:00:00.000001 ", 1)],
)
def test_times(text: str, time: int) -> None:
    """A date, another zone, a fraction."""
    assert parse_time(text) == time


def test_what_is_no_time() -> None:
    """The sentence shows one; no time is written as none."""
    assert format_time(None) is None
    for text in ("", "tomorrow", "2026-13-01", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(ValueError, match="date and time"):
            parse_time(text)


@pytest.mark.parametrize(
    ("doctype", "actions"),
    [
        (DOCUMENT_TYPES["Activity Log"], {Action.READ}),
        (DOCUMENT_TYPES["API Request Log"], {Action.READ}),
        (DOCUMENT_TYPES["System Settings"], {Action.READ, Action.WRITE}),
        (DOCUMENT_TYPES["OAuth Bearer Token"], {Action.READ, Action.DELETE}),
        (DOCUMENT_TYPES["OAuth Consent"], {Action.READ, Action.DELETE}),
        (DOCUMENT_TYPES["OAuth Client"], set(Action)),
        (DOCUMENT_TYPES["User"], set(Action)),
        (source_type("API Device"), set(Action)),
    ],
)
def test_what_can_be_done_at_all(doctype: DocumentType, actions: set[Action]) -> None:
    """A log is written by nobody, what is issued only ends, and what there is one of is neither made nor deleted."""
    assert doctype.actions == actions
