"""The addresses of records: what each answers, status by status; each request with a credential leaves one row."""

import itertools
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from support.asgi import Answer, Pair, Service
from support.envelopes import assert_refused, assert_refused_v2

MANAGER, API = "manager@example.com", "api@example.com"
ROLES, USERS, KEYS = "/api/resource/Role", "/api/resource/User", "/api/resource/API%20Key"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_PREFIXES = ("/api/resource", "/api/v1/resource", "/api/v2/document")
_NUMBERS = itertools.count(1)


def _new(what: str = "Role") -> str:
    return f"{what} {next(_NUMBERS)}"


def _ask(service: Service, target: str, key: Pair, method: str = "GET") -> Answer:
    answer = service.ask(target, key.token, method=method)
    assert (answer.row.method, answer.row.api_key) == (method, key.key_id)
    return answer


def _send(service: Service, method: str, target: str, key: Pair, document: object, kind: str = JSON) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    answer = service.ask(target, key.token, method=method, headers=[("content-type", kind)], body=body)
    assert (answer.row.method, answer.row.api_key) == (method, key.key_id)
    return answer


def _make(service: Service, key: Pair, target: str = ROLES, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    answer = _send(service, "POST", target, key, fields or {"role_name": _new()})
    assert answer.status == 200, answer.text
    return dict(answer.document["data"])


@pytest.fixture
def user(service: Service, manager_key: Pair) -> dict[str, Any]:
    """A user of the test's own, as its making was answered."""
    return _make(service, manager_key, USERS, email=f"made{next(_NUMBERS)}@example.com", first_name="Made")


# 200 and 202


@pytest.mark.parametrize("prefix", _PREFIXES)
@pytest.mark.parametrize("end", ["", "/"])
def test_a_list(service: Service, manager_key: Pair, prefix: str, end: str) -> None:
    """A page of names under every prefix, with or without a slash at the end; version 2 tells whether there is more."""
    names = [_make(service, manager_key)["name"] for _ in range(2)]

    pages = [
        _ask(service, f"{prefix}/Role{end}?limit={limit}&filters={quote(json.dumps(filters))}", manager_key).document
        for limit, filters in ((1, [["name", "in", names]]), (2, [["name", "in", names]]))
    ]

    assert [page["data"] for page in pages] == [[{"name": names[1]}], [{"name": names[1]}, {"name": names[0]}]]
    more = [True, False] if "v2" in prefix else [None, None]
    assert [page.get("has_next_page") for page in pages] == more


@pytest.mark.parametrize("as_dict", ["0", "false", "False", "no"])
def test_rows_as_lists(service: Service, manager_key: Pair, user: dict[str, Any], as_dict: str) -> None:
    """In the order of the fields that were asked for."""
    query = {"as_dict": as_dict, "filters": user["name"], "fields": '["enabled","name"]'}

    assert _ask(service, f"{USERS}?{urlencode(query)}", manager_key).document == {"data": [[1, user["name"]]]}


def test_one_lists_what_one_may_read(service: Service, api_key: Pair) -> None:
    """Without a right on all users, oneself alone, in lists and counts."""
    assert _ask(service, USERS, api_key).document == {"data": [{"name": API}]}
    assert _ask(service, "/api/v2/doctype/User/count", api_key).document == {"data": 1}


def test_a_count(service: Service, manager_key: Pair) -> None:
    """Of those that the filters allow."""
    target = f"/api/v2/doctype/User/count?filters={quote(json.dumps({'name': ['in', [API, MANAGER, 'x']]}))}"

    assert _ask(service, target, manager_key).document == {"data": 2}


def test_a_description(service: Service, manager_key: Pair) -> None:
    """The fields of a type, under Frappe's words."""
    described = _ask(service, "/api/v2/doctype/Role%20Permission/meta", manager_key).document["data"]

    assert described["name"] == "Role Permission"
    (role,) = [field for field in described["fields"] if field["fieldname"] == "role"]
    assert (role["fieldtype"], role["options"], role["reqd"], role["set_only_once"]) == ("Link", "Role", 1, 1)


@pytest.mark.parametrize("prefix", _PREFIXES)
@pytest.mark.parametrize("end", ["", "/"])
def test_a_record(service: Service, api_key: Pair, prefix: str, end: str) -> None:
    """With its type and its child tables."""
    record = _ask(service, f"{prefix}/User/{API}{end}", api_key).document["data"]

    assert (record["name"], record["doctype"], record["full_name"]) == (API, "User", "Api User")
    assert record["roles"] == []


_NAMES = ["Two Words", "a/b", "/a", "a/", "50%", "%2F", "Büro ☕", "what?", "c#", "v1.2", "a&b=c+d", "a\\b", '"q"', "'"]


@pytest.mark.parametrize("name", [*_NAMES, "<b>", "count", "meta", "null", "0", "tabRole", "x" * 140])
def test_names_of_every_kind(service: Service, manager_key: Pair, name: str) -> None:
    """A record is made, read, changed and deleted under its name, which the address holds percent-encoded."""
    assert _make(service, manager_key, role_name=name)["name"] == name

    for prefix in _PREFIXES:
        target = f"{prefix}/Role/{quote(name, safe='')}"
        assert _ask(service, target, manager_key).document["data"]["role_name"] == name
        assert _ask(service, f"{target}/", manager_key).document["data"]["role_name"] == name
        assert _send(service, "PUT", target, manager_key, {}).document["data"]["name"] == name
    deleted = _ask(service, f"{ROLES}/{quote(name, safe='')}", manager_key, "DELETE")
    assert (deleted.status, deleted.document) == (202, {"data": "ok"})
    assert _ask(service, f"{ROLES}/{quote(name, safe='')}", manager_key).status == 404


@pytest.mark.parametrize("prefix", _PREFIXES)
@pytest.mark.parametrize(
    ("kind", "write"),
    [
        (JSON, json.dumps),
        (f"{JSON}; charset=utf-8", lambda fields: json.dumps({"data": json.dumps(fields)})),
        (JSON, lambda fields: json.dumps({"data": fields, "cmd": "x"})),
        (FORM, lambda fields: urlencode({"data": json.dumps(fields)})),
        (f"{FORM}; charset=UTF-8", urlencode),
        (FORM, lambda fields: urlencode({**fields, "csrf_token": "x", "doctype": "Role"})),
    ],
    ids=["JSON", "JSON in data", "object in data", "data in a form", "a form", "a form with more"],
)
def test_bodies_of_every_form(service: Service, manager_key: Pair, prefix: str, kind: str, write: Any) -> None:  # noqa: ANN401
    """JSON, a form, or a field `data` that holds the JSON: the record is the same."""
    name = _new("Büro")

    made = _send(service, "POST", f"{prefix}/Role", manager_key, write({"role_name": name}).encode(), kind)

    assert made.status == 200, made.text
    assert (made.document["data"]["name"], made.document["data"]["owner"]) == (name, MANAGER)


@pytest.mark.parametrize(
    ("method", "prefix"), [("PUT", "/api/resource"), ("PUT", "/api/v2/document"), ("PATCH", "/api/v2/document")]
)
def test_a_change(service: Service, manager_key: Pair, user: dict[str, Any], method: str, prefix: str) -> None:
    """Only what was sent changes, and `modified` moves on."""
    target = f"{prefix}/User/{user['name']}"

    changed = _send(service, method, target, manager_key, {"last_name": "Later", "modified": user["modified"]})

    record = changed.document["data"]
    assert (record["first_name"], record["last_name"], record["modified_by"]) == ("Made", "Later", MANAGER)
    assert record["modified"] > user["modified"]
    assert _ask(service, target, manager_key).document["data"] == record


def test_roles_are_a_child_table(service: Service, manager_key: Pair) -> None:
    """A user's roles are given and replaced as Frappe's rows, of which more than `role` may come back."""
    first, second = (_make(service, manager_key)["name"] for _ in range(2))
    made = _make(service, manager_key, USERS, email=f"table{next(_NUMBERS)}@example.com", roles=[{"role": first}])
    target = f"{USERS}/{made['name']}"

    rows = [*made["roles"], {"role": second, "doctype": "Has Role", "idx": 2, "parent": made["name"], "__islocal": 1}]
    both = _send(service, "PUT", target, manager_key, {**made, "roles": rows}).document["data"]
    none = _send(service, "PUT", target, manager_key, {"roles": []}).document["data"]

    assert [(row["role"], row["parentfield"], row["idx"]) for row in both["roles"]] == [
        (first, "roles", 1),
        (second, "roles", 2),
    ]
    assert none["roles"] == []


def test_a_secret_is_answered_once(service: Service, api_key: Pair) -> None:
    """When a key is made, and by no address again."""
    made = _make(service, api_key, KEYS, label="mine")

    record = _ask(service, f"{KEYS}/{made['name']}", api_key)
    assert made["api_secret"].startswith("lgs_")
    assert made["api_secret"] not in record.text
    assert "api_secret" not in record.document["data"]


def test_a_revoked_key_stays_to_be_seen(service: Service, api_key: Pair) -> None:
    """Deleting an API Key ends it; the record tells when."""
    made = _make(service, api_key, KEYS, label="to be revoked")

    assert _ask(service, f"{KEYS}/{made['name']}", api_key, "DELETE").status == 202
    record = _ask(service, f"{KEYS}/{made['name']}", api_key).document["data"]
    assert record["status"] == "revoked"
    assert record["revoked"]
    assert service.ask(authorization=Pair(made["name"], made["api_secret"]).token).status == 401


def test_a_row_of_the_log_is_a_record(service: Service, api_key: Pair) -> None:
    """Whoever asked finds the request under its number, with its path and status."""
    filters = {"path": f"{USERS}/{API}", "api_key": api_key.key_id}
    _ask(service, f"{USERS}/{API}", api_key)
    listed = _ask(service, f"/api/resource/API%20Request%20Log?limit=1&filters={quote(json.dumps(filters))}", api_key)
    (row,) = listed.document["data"]

    record = _ask(service, f"/api/resource/API%20Request%20Log/{row['name']}", api_key).document["data"]

    assert (record["user"], record["path"], record["status"]) == (API, f"{USERS}/{API}", 200)


def test_options_tell_nothing(service: Service, api_key: Pair) -> None:
    """Asking what is possible is answered with nothing, as Frappe does."""
    assert _ask(service, f"{USERS}/{MANAGER}", api_key, "OPTIONS").body == b""


def test_version_2_of_a_record_has_no_more_than_its_envelope(service: Service, manager_key: Pair) -> None:
    """Its list alone has a field beside `data`; refusals are a list of errors."""
    read = _ask(service, f"/api/v2/document/User/{API}", manager_key)
    missing = _ask(service, "/api/v2/document/User/nobody@example.com", manager_key)

    assert read.document.keys() == {"data"}
    assert "nobody@example.com" in assert_refused_v2(missing, 404, "DoesNotExistError")


def test_a_wrong_credential_is_refused_alike_in_version_2(service: Service) -> None:
    """One plain 401, whatever was asked for."""
    answers = [
        service.ask(f"/api/v2/document/{what}", "token a:b", peer=service.new_peer())
        for what in ("Role", "Nothing", f"User/{API}")
    ]

    assert {answer.body for answer in answers} == {b'{"errors":[{"type":"AuthenticationError"}]}'}
    assert {(answer.status, answer.row.reason) for answer in answers} == {(401, "unknown_key")}


def test_what_is_refused_at_v1_is_refused_alike_at_its_short_address(service: Service, manager_key: Pair) -> None:
    """The two are one."""
    answers = [_ask(service, f"{prefix}/Role/none", manager_key) for prefix in _PREFIXES[:2]]

    assert answers[0].body == answers[1].body
    assert_refused(answers[0], 404, "DoesNotExistError")
