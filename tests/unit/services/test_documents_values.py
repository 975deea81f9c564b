"""What is answered of a record, and which of the values that were sent would change it."""

from dataclasses import replace
from typing import Any

import pytest

from latchgate.core.document_types import DocumentType, Viewer
from latchgate.core.documents import API_KEY, DOCUMENT_TYPES, USER, source_type
from latchgate.core.permissions import Own, Reach
from latchgate.errors import Flaw, Invalid
from latchgate.services.document_values import HIDDEN_SECRET, parse_changes, parse_new, show
from latchgate.services.port_values import FoundDocument

_MANAGER = Viewer(Own("boss@example.com", 1), manager=True, reach=Reach.ALL)
_CLERK = Viewer(Own("clerk@example.com", 2), manager=False, reach=Reach.ALL)
_ONESELF = Viewer(Own("api@example.com", 3), manager=False, reach=Reach.OWN)
_TIME = 1_800_000_000_123_456
_RECORD: dict[str, Any] = {
    "owner": "Administrator",
    "creation": _TIME,
    "modified": _TIME + 1,
    "modified_by": "Administrator",
}
_STORED_USER = FoundDocument(
    7,
    {
        **_RECORD,
        "name": "api@example.com",
        "email": "api@example.com",
        "first_name": "",
        "last_name": "Api",
        "full_name": "Api",
        "user_type": "System User",
        "enabled": 1,
        "restrict_ip": "192.0.2.0/24",
        "login_after": 0,
        "login_before": 18,
        "api_key": "lgk_1",
        "can_sign_in": 0,
        "roles": ["Accounts", "Stock"],
    },
    "api@example.com",
    3,
)
_STORED_KEY = FoundDocument(
    8,
    {
        **_RECORD,
        "name": "lgk_1",
        "api_key": "lgk_1",
        "source": "User",
        "record": "api@example.com",
        "user": "api@example.com",
        "label": "",
        "is_primary": 1,
        "scopes": ["all"],
        "allowed_networks": [],
        "limit_per_minute": None,
        "expires": _TIME,
        "revoked": None,
    },
    "api@example.com",
    3,
)


def _change(
    values: dict[str, object], viewer: Viewer = _MANAGER, *, doctype: DocumentType = USER, own: bool = False
) -> dict[str, Any]:
    found = _STORED_USER if doctype is USER else _STORED_KEY
    return parse_changes(doctype, viewer, show(doctype, found, viewer, own=own), values, own=own)


def _problems(values: dict[str, object], viewer: Viewer = _MANAGER, *, own: bool = False) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        _change(values, viewer, own=own)
    return caught.value.fields


def _make(values: dict[str, object], doctype: DocumentType = USER, viewer: Viewer = _MANAGER) -> dict[str, Any]:
    return parse_new(doctype, viewer, "boss@example.com", values)


def _flaws(values: dict[str, object], doctype: DocumentType = USER, viewer: Viewer = _MANAGER) -> Invalid:
    with pytest.raises(Invalid) as caught:
        _make(values, doctype, viewer)
    return caught.value


def test_a_record_is_shown_in_the_order_of_its_type() -> None:
    """Times are texts, roles rows of a child table; what is computed is there, the type comes last."""
    shown = show(USER, _STORED_USER, _MANAGER, own=False)

    assert list(shown) == [*(name for name in USER.fields if name != "new_password"), "api_secret", "doctype"]
    assert shown["creation"] == "2027-01-15 08:00:00.123456"
    assert (shown["docstatus"], shown["idx"], shown["full_name"], shown["doctype"]) == (0, 0, "Api", "User")
    assert shown["api_secret"] == HIDDEN_SECRET
    assert shown["roles"][1] == {
        "doctype": "Has Role",
        "role": "Stock",
        "parent": "api@example.com",
        "parenttype": "User",
        "parentfield": "roles",
        "idx": 2,
    }
    assert "new_password" not in shown


def test_a_user_without_a_key_has_no_secret_to_hide() -> None:
    """The asterisks say that there is one."""
    stored = replace(_STORED_USER, values={**_STORED_USER.values, "api_key": None})

    assert "api_secret" not in show(USER, stored, _MANAGER, own=False)


@pytest.mark.parametrize(
    ("viewer", "own", "seen"), [(_MANAGER, False, True), (_CLERK, False, False), (_ONESELF, True, True)]
)
def test_keys_and_limits_of_an_account_are_for_itself_and_system_managers(
    viewer: Viewer, own: bool, seen: bool
) -> None:
    """Whoever may read all users does not read which key they use and from where."""
    shown = show(USER, _STORED_USER, viewer, own=own)

    hidden = {"api_key", "api_secret", "restrict_ip", "login_after", "login_before"}
    assert hidden & set(shown) == (hidden if seen else set())


def test_what_is_not_stored_is_the_default() -> None:
    """A key that was never used says so; a role is never disabled."""
    role = FoundDocument(1, {**_RECORD, "name": "Stock", "role_name": "Stock"}, "Administrator")

    assert show(API_KEY, _STORED_KEY, _MANAGER, own=False)["last_used"] is None
    shown = show(DOCUMENT_TYPES["Role"], role, _MANAGER, own=False)
    assert (shown["disabled"], shown["desk_access"]) == (0, 1)


@pytest.mark.parametrize(("viewer", "own"), [(_MANAGER, False), (_CLERK, False), (_ONESELF, True), (_MANAGER, True)])
@pytest.mark.parametrize("doctype", [USER, API_KEY], ids=lambda doctype: doctype.name)
def test_a_record_sent_back_as_it_was_shown_changes_nothing(doctype: DocumentType, viewer: Viewer, own: bool) -> None:
    """Clients send whole records; what computes itself anew meanwhile is no change either."""
    shown = show(doctype, _STORED_USER if doctype is USER else _STORED_KEY, viewer, own=own)

    sent = {**shown, "__islocal": 0, "last_used": "2027-01-01"} if doctype is API_KEY else {**shown, "__unsaved": 1}

    assert parse_changes(doctype, viewer, shown, sent, own=own) == {}


@pytest.mark.parametrize(
    "values",
    [
        {"enabled": True},
        {"enabled": "1"},
        {"login_before": "18"},
        {"first_name": None},
        {"modified": "2027-01-15T08:00:00.123457+00:00"},
        {"creation": "2027-01-15T09:00:00.123456+01:00"},
        {"roles": [{"role": "Stock"}, {"role": "Accounts", "idx": 1}, {"role": "Stock"}]},
        {"language": "de", "send_welcome_email": 0},
        {"new_password": ""},
        {"new_password": None},
    ],
)
def test_the_same_in_another_form_is_no_change(values: dict[str, object]) -> None:
    """A check as a truth value, a number as text, a time in another zone, rows in another order."""
    assert _change(values) == {}


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ({"first_name": "Ann", "last_name": None}, {"first_name": "Ann", "last_name": ""}),
        ({"enabled": "0"}, {"enabled": 0}),
        ({"restrict_ip": ""}, {"restrict_ip": ""}),
        ({"user_type": "Website User"}, {"user_type": "Website User"}),
        ({"roles": []}, {"roles": []}),
        ({"roles": [{"role": "Stock"}, {"role": "New"}]}, {"roles": ["New", "Stock"]}),
        ({"new_password": "a new one"}, {"new_password": "a new one"}),
    ],
)
def test_what_differs_is_read(values: dict[str, object], changes: dict[str, object]) -> None:
    """Only what differs is changed, as its kind says."""
    assert _change(values) == changes


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"email": "other@example.com"}, "email", "cannot be changed"),
        ({"name": "other@example.com"}, "name", "cannot be changed by you"),
        ({"owner": "api@example.com"}, "owner", "cannot be changed by you"),
        ({"creation": "2020-01-01"}, "creation", "cannot be changed by you"),
        ({"docstatus": 1}, "docstatus", "cannot be changed by you"),
        ({"api_key": "mine"}, "api_key", "cannot be changed by you"),
        ({"api_secret": "mine"}, "api_secret", "is no field of User"),
        ({"is_admin": 1}, "is_admin", "is no field of User"),
        ({"enabled": 2}, "enabled", "must be 0 or 1"),
        ({"enabled": None}, "enabled", "must be 0 or 1"),
        ({"login_after": ""}, "login_after", "must be a whole number"),
        ({"login_after": 25}, "login_after", "must be at most 24"),
        ({"first_name": ["a"]}, "first_name", "must be a text"),
        ({"first_name": "\ud800"}, "first_name", "must hold no line breaks"),
        ({"first_name": "a\0"}, "first_name", "must hold no line breaks"),
        ({"roles": [{"role": "a\0"}]}, "roles", "0.role: must hold no line breaks"),
        ({"roles": "Stock"}, "roles", "must be a list"),
        ({"restrict_ip": "192.0.2.1\0"}, "restrict_ip", "may not hold NUL"),
        ({"new_password": "half a \ud800 pair"}, "new_password", "must be a text of whole"),
        ({"roles": [{"name": "Stock"}]}, "roles", "0.role: is required"),
        ({"user_type": "Robot"}, "user_type", 'User Type cannot be "Robot". It should be one of "System User", '),
    ],
)
def test_what_cannot_be_is_told_by_its_field(values: dict[str, object], field: str, told: str) -> None:
    """Nothing is passed over in silence but what Frappe's clients send for themselves."""
    problems = _problems(values)

    assert list(problems) == [field]
    assert problems[field].startswith(told)


@pytest.mark.parametrize("field", ["enabled", "user_type", "restrict_ip", "login_after", "new_password", "roles"])
@pytest.mark.parametrize(("viewer", "own"), [(_ONESELF, True), (replace(_CLERK, own=Own("api@example.com", 3)), True)])
def test_nobody_raises_themselves(field: str, viewer: Viewer, own: bool) -> None:
    """Not even who may write every user changes the limits of their own account, unless System Manager."""
    values: dict[str, object] = {
        "enabled": 0,
        "user_type": "Website User",
        "restrict_ip": "",
        "login_after": 5,
        "new_password": "another one",
        "roles": [{"role": "System Manager"}],
    }

    assert _problems({field: values[field]}, viewer, own=own) == {field: "cannot be changed by you"}
    assert field in _change({field: values[field]}, _MANAGER, own=own)


def test_what_cannot_be_seen_is_not_compared() -> None:
    """Whoever guesses another's key is told the same, right or wrong; a limit set blindly is always set."""
    assert _problems({"api_key": "lgk_1"}, _CLERK) == _problems({"api_key": "lgk_2"}, _CLERK)
    assert _problems({"api_secret": HIDDEN_SECRET}, _CLERK) == {"api_secret": "is no field of User"}
    assert _change({"restrict_ip": "192.0.2.0/24"}, _CLERK) == {"restrict_ip": "192.0.2.0/24"}


@pytest.mark.parametrize("modified", ["2027-01-15 08:00:00", "yesterday", None, "", 5, "x" * 1000])
def test_a_change_of_what_has_changed_since_is_refused(modified: object) -> None:
    """Whoever sends the time at which they read a record is told that another was quicker, before anything else."""
    with pytest.raises(Invalid) as caught:
        _change({"modified": modified, "nonsense": 1})

    assert caught.value.flaw is Flaw.STALE
    assert list(caught.value.fields) == ["modified"]
    assert len(caught.value.public) < 300


def test_of_many_problems_some_are_told() -> None:
    """An answer does not grow with the nonsense sent."""
    told = _problems({**{"x" * 1000 + str(n): n for n in range(1000)}, **{f"f{n}": 1 for n in range(100)}})

    assert len(told) <= 20
    assert all(len(name) <= 60 for name in told)


def test_a_new_record_has_the_defaults_of_its_type() -> None:
    """Nothing but the mandatory fields need be sent; the record's name is the field that names it."""
    wanted = _make({"name": "new@example.com", "__islocal": 1, "doctype": "User", "enabled": None, "login_after": ""})

    assert wanted["email"] == "new@example.com"
    assert (wanted["enabled"], wanted["user_type"], wanted["roles"], wanted["login_after"]) == (1, "System User", [], 0)
    assert _make({"name": "new-user-1", "__islocal": 1, "email": "b@example.com"})["email"] == "b@example.com"
    assert _flaws({"name": "a@example.com", "email": "b@example.com"}).fields == {"name": "cannot be set"}
    assert _make({}, API_KEY)["scopes"] == ["all"]
    assert _make({"scopes": ""}, API_KEY)["scopes"] == []
    assert _make({"scopes": "read, User:write"}, API_KEY)["scopes"] == ["read", "User:write"]
    assert _make({"expires": "2027-01-15 08:00:00.123456"}, API_KEY)["expires"] == _TIME


@pytest.mark.parametrize("values", [{}, {"email": ""}, {"email": None}, {"name": ""}, {"first_name": "Ann"}])
def test_a_record_needs_its_mandatory_fields(values: dict[str, object]) -> None:
    """They are named as Frappe names them."""
    error = _flaws(values)

    assert error.flaw is Flaw.MISSING
    assert error.fields == {"email": "Value missing for User: Email"}


@pytest.mark.parametrize(
    "values",
    [
        {"owner": "Administrator"},
        {"creation": "2020-01-01"},
        {"modified": "2020-01-01"},
        {"modified_by": "Administrator"},
        {"api_key": "mine"},
        {"docstatus": 1},
        {"full_name": "Somebody"},
    ],
)
def test_what_is_computed_is_not_chosen(values: dict[str, object]) -> None:
    """Nobody makes a record in another's name, or one from long ago."""
    assert _flaws({"email": "new@example.com", **values}).fields == dict.fromkeys(values, "cannot be set")


def test_what_is_computed_may_be_sent_as_it_will_be() -> None:
    """Clients fill these in before they send a new record."""
    _make({"email": "a@example.com", "owner": "boss@example.com", "docstatus": 0, "idx": "0", "api_key": None})


def test_an_unknown_field_of_a_new_record_is_named() -> None:
    """Also beside one that is missing: first what is wrong, then what is not there."""
    assert _flaws({"api_secret": "x", "is_admin": None}).fields == {
        "api_secret": "is no field of User",
        "is_admin": "is no field of User",
    }


def test_whoever_makes_records_of_their_own_does_not_choose_whom_they_run_as() -> None:
    """What managers set keeps its default."""
    doctype = source_type("Event Consumer")
    maker = replace(_ONESELF, reach=Reach.OWN)

    assert _make({"record_name": "a", "enabled": 1}, doctype, maker) == {
        **dict.fromkeys(("name", "owner", "creation", "modified", "modified_by"), ""),
        "docstatus": 0,
        "idx": 0,
        "record_name": "a",
        "user": None,
        "enabled": 1,
    }
    assert _flaws({"record_name": "a", "user": "api@example.com"}, doctype, maker).fields == {"user": "cannot be set"}
    assert _make({"record_name": "a", "user": "api@example.com"}, doctype)["user"] == "api@example.com"
