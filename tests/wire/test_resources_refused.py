"""The addresses of records: how each refuses, by status; each request with a credential leaves one row, its reason."""

import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest

from support.asgi import Answer, Pair, Service
from support.envelopes import UNAUTHENTICATED, assert_refused

MANAGER, API, WEB = "manager@example.com", "api@example.com", "web@example.com"
ROLES, USERS, KEYS = "/api/resource/Role", "/api/resource/User", "/api/resource/API%20Key"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_NUMBERS = itertools.count(1)
_REQUESTS = [
    ("GET", ROLES),
    ("POST", ROLES),
    ("GET", f"{ROLES}/Guest"),
    ("PUT", f"{ROLES}/Guest"),
    ("DELETE", f"{ROLES}/Guest"),
    ("GET", f"/api/v1/resource/Role/{quote('System Manager')}"),
]


def _send(service: Service, method: str, target: str, key: Pair, document: object = None, kind: str = JSON) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document or {}).encode()
    answer = service.ask(target, key.token, method=method, headers=[("content-type", kind)], body=body)
    assert (answer.row.method, answer.row.api_key, answer.row.status) == (method, key.key_id, answer.status)
    return answer


# 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, b"{"),
        (JSON, b"role_name=x"),
        (JSON, b'["role_name"]'),
        (JSON, b'"role_name"'),
        (JSON, b"null"),
        (JSON, b'{"role_name": NaN}'),
        (JSON, b'{"role_name": "\xff"}'),
        (FORM, b"role_name=%ff"),
        (FORM, b"&".join(b"f%d=v" % number for number in range(5_001))),
        ("multipart/form-data; boundary=x", b"--x--"),
    ],
)
@pytest.mark.parametrize(("method", "target"), [("POST", ROLES), ("PUT", f"{ROLES}/Guest")])
def test_a_body_that_is_not_what_it_says(
    service: Service, manager_key: Pair, method: str, target: str, kind: str, body: bytes
) -> None:
    """Cannot be read, and changes nothing."""
    answer = _send(service, method, target, manager_key, body, kind)

    assert assert_refused(answer, 400, "BadRequest")
    assert answer.row.reason == "bad_request"


# 401


@pytest.mark.parametrize(("method", "target"), [*_REQUESTS, ("GET", "/api/resource/Nothing"), ("PATCH", ROLES)])
def test_a_wrong_credential(service: Service, api_key: Pair, method: str, target: str) -> None:
    """Is refused before anything else is looked at, the same for every record, type and method."""
    answer = service.ask(target, Pair(api_key.key_id, "guess").token, method=method, peer=service.new_peer())

    assert (answer.status, answer.document) == (401, UNAUTHENTICATED)
    assert (answer.row.reason, answer.row.api_key) == ("wrong_secret", api_key.key_id)


# 403


@pytest.mark.parametrize(("method", "target"), [*_REQUESTS, ("GET", USERS), ("GET", "/api/resource/Nothing")])
def test_a_guest(service: Service, method: str, target: str) -> None:
    """Is told to sign in, alike for what there is and what not."""
    answer = service.ask(target, method=method)

    assert "as a guest" in assert_refused(answer, 403, "PermissionError")
    assert (answer.header("www-authenticate") or "").startswith("Bearer")


@pytest.mark.parametrize("target", ["/api/v2/document/Role", "/api/v2/doctype/Role/count", "/api/v2/doctype/Role/meta"])
def test_a_guest_of_version_2(service: Service, target: str) -> None:
    """Is told by its envelope."""
    answer = service.ask(target)

    assert (answer.status, answer.document["errors"][0]["type"]) == (403, "PermissionError")
    assert (answer.header("www-authenticate") or "").startswith("Bearer")


def _not_permitted(answer: Answer) -> str:
    """Hold a refusal to telling its one text twice, as recorded of records: to a person and to a program."""
    (shown,) = (json.loads(entry) for entry in json.loads(answer.document["_server_messages"]))
    assert (answer.status, answer.document["exc_type"]) == (403, "PermissionError")
    assert answer.document["_error_message"] == shown["message"]
    return str(shown["message"])


@pytest.mark.parametrize(
    ("method", "target"),
    [
        *_REQUESTS,
        ("GET", "/api/resource/Nothing"),
        ("GET", f"/api/resource/{quote('Role Permission')}"),
        ("PUT", f"/api/resource/{quote('System Settings')}/{quote('System Settings')}"),
        ("DELETE", f"{USERS}/{API}"),
        ("POST", USERS),
        ("POST", f"/api/resource/{quote('API Request Log')}"),
        ("DELETE", f"/api/resource/{quote('Activity Log')}/1"),
    ],
)
def test_no_right_on_the_type(service: Service, api_key: Pair, method: str, target: str) -> None:
    """A user whose roles give none is refused without a look at any record, and the log says why."""
    answer = _send(service, method, target, api_key, {"role_name": "x"})

    assert _not_permitted(answer).startswith("No permission for")
    assert (answer.row.user, answer.row.reason) == (API, "role_missing")
    assert answer.header("www-authenticate") is None


@pytest.mark.parametrize(("method", "target"), _REQUESTS)
def test_no_scope_for_the_type(service: Service, method: str, target: str) -> None:
    """A key limited to users does nothing to roles, whatever its user may do."""
    key = service.make_key(MANAGER, scopes=frozenset({"User:read", "User:write"}))

    answer = _send(service, method, target, key, {"role_name": "x"})

    assert _not_permitted(answer) == "No permission for Role"
    assert (answer.row.user, answer.row.reason) == (MANAGER, "scope_missing")


@pytest.mark.parametrize("target", [f"{ROLES}/Guest", f"/api/v2/document/User/{MANAGER}"])
def test_a_method_that_an_address_does_not_take(service: Service, manager_key: Pair, target: str) -> None:
    """Is not permitted, as recorded."""
    answer = _send(service, "POST", target, manager_key)

    assert (answer.status, answer.row.reason) == (403, "not_permitted")


# 404


def _told(answer: Answer, name: str) -> tuple[int, str, str | None]:
    return answer.status, answer.text.replace(name, "…"), answer.row.reason


@pytest.mark.parametrize("prefix", ["/api/resource", "/api/v2/document"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_anothers_account_is_as_good_as_absent(service: Service, api_key: Pair, prefix: str, method: str) -> None:
    """The answers for one that is there and one that is not differ by the name asked for alone."""
    answers = [
        _told(_send(service, method, f"{prefix}/User/{name}", api_key, {"first_name": "x"}), name)
        for name in (MANAGER, "nobody@example.com", "Administrator", WEB)
    ]

    assert answers[0][0] == 404
    assert set(answers) == {answers[0]}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_anothers_key_is_as_good_as_absent(service: Service, api_key: Pair, manager_key: Pair, method: str) -> None:
    """For reading, changing and revoking alike."""
    names = (manager_key.key_id, "lgk_nothing")

    hidden, missing = (_told(_send(service, method, f"{KEYS}/{name}", api_key, {"label": "x"}), name) for name in names)

    assert hidden == missing
    assert hidden[0] == 404
    assert service.ask(authorization=manager_key.token).status == 200


def test_anothers_log_rows_are_as_good_as_absent(service: Service, api_key: Pair, manager_key: Pair) -> None:
    """Whatever their number."""
    target = f"/api/resource/{quote('API Request Log')}"
    service.ask(authorization=manager_key.token)
    filters = quote(json.dumps({"user": MANAGER}))
    (row,) = _send(service, "GET", f"{target}?limit=1&filters={filters}", manager_key).document["data"]

    hidden, missing = (
        _told(_send(service, "GET", f"{target}/{name}", api_key), name) for name in (row["name"], "123456789")
    )

    assert hidden == missing
    assert _send(service, "GET", f"{target}?filters={filters}", api_key).document == {"data": []}


@pytest.mark.parametrize(
    ("method", "target", "told"),
    [
        ("GET", f"{ROLES}/Nothing", "Role Nothing not found"),
        ("PUT", f"{ROLES}/Nothing", "Role Nothing not found"),
        ("DELETE", f"{ROLES}/Nothing", "Role Nothing not found"),
        ("GET", f"{ROLES}/guest", "Role guest not found"),
        ("GET", f"{ROLES}/Guest%00", "Role Guest\\x00 not found"),
        ("GET", "/api/resource/Nothing", "DocType Nothing not found"),
        ("GET", "/api/resource/DocType/Role", "DocType DocType not found"),
        ("POST", "/api/resource/ToDo", "DocType ToDo not found"),
        ("GET", "/api/resource/role", "DocType role not found"),
        ("GET", "/api/resource/Role%2FGuest", "DocType Role/Guest not found"),
        ("GET", f"/api/resource/{quote('API Request Log')}/x", "API Request Log x not found"),
        ("GET", "/api/resource/", "There is nothing at /api/resource/"),
        ("PATCH", f"{ROLES}/Guest", "There is nothing at /api/resource/Role/Guest"),
    ],
)
def test_what_is_not_there(service: Service, manager_key: Pair, method: str, target: str, told: str) -> None:
    """Is told to a System Manager by its name."""
    answer = _send(service, method, target, manager_key)

    assert assert_refused(answer, 404, "DoesNotExistError") == told
    assert answer.row.reason == "not_found"


# 409


@pytest.mark.parametrize("target", [ROLES, "/api/v1/resource/Role"])
def test_a_name_that_is_taken(service: Service, manager_key: Pair, target: str) -> None:
    """Is a duplicate; the record stays as it was."""
    fields = {"role_name": f"Taken {next(_NUMBERS)}"}
    assert _send(service, "POST", target, manager_key, fields).status == 200

    answer = _send(service, "POST", target, manager_key, fields)

    assert fields["role_name"] in assert_refused(answer, 409, "DuplicateEntryError")
    assert answer.row.reason == "conflict"


# 417


@pytest.mark.parametrize(
    ("asked", "fields", "exc_type", "told"),
    [
        (("POST", ROLES), {}, "MandatoryError", "role_name: Value missing for Role: Role Name"),
        (("POST", ROLES), {"role_name": " "}, "ValidationError", "role_name: "),
        (("POST", ROLES), {"role_name": 5}, "ValidationError", "role_name: must be a text"),
        (("POST", ROLES), {"role_name": "x", "colour": "red"}, "ValidationError", "colour: is no field of Role"),
        (("POST", ROLES), {"role_name": "x", "owner": API}, "ValidationError", "owner: cannot be set"),
        (("POST", ROLES), {"data": "[1]"}, "ValidationError", "data: must be a JSON object"),
        (("POST", ROLES), {"data": "{"}, "ValidationError", "data: must be JSON"),
        (
            ("POST", USERS),
            {"email": "nobody"},
            "InvalidEmailAddressError",
            "email: nobody is not a valid Email Address",
        ),
        (("POST", USERS), {"email": "a@b.example", "roles": [{"role": "None"}]}, "LinkValidationError", "roles: Could"),
        (("POST", KEYS), {"record": "no@b.example"}, "LinkValidationError", "record: Could not find User no@b.example"),
        (("POST", KEYS), {"api_secret": "mine"}, "ValidationError", "api_secret: is no field of API Key"),
        (("PUT", f"{USERS}/{WEB}"), {"user_type": "Robot"}, "ValidationError", "user_type: User Type cannot be"),
        (("PUT", f"{USERS}/{WEB}"), {"login_after": 25}, "ValidationError", "login_after: must be at most 24"),
        (("PUT", f"{USERS}/{WEB}"), {"email": "a@b.example"}, "ValidationError", "email: cannot be changed"),
        (("PUT", f"{USERS}/{WEB}"), {"api_key": "mine"}, "ValidationError", "api_key: cannot be changed by you"),
        (("PUT", f"{USERS}/{WEB}"), {"modified": "2020-01-01"}, "TimestampMismatchError", "Document has been modified"),
        (("PUT", f"{ROLES}/Guest"), {"role_name": "Host"}, "ValidationError", "role_name: cannot be changed"),
        (("DELETE", f"{ROLES}/Guest"), {}, "ValidationError", "Guest"),
        (("DELETE", f"{USERS}/Administrator"), {}, "ValidationError", "Administrator"),
    ],
)
def test_what_cannot_be_accepted(
    service: Service, manager_key: Pair, asked: tuple[str, str], fields: dict[str, Any], exc_type: str, told: str
) -> None:
    """Is told by its field, under Frappe's name of the fault."""
    answer = _send(service, *asked, manager_key, fields)

    assert told in assert_refused(answer, 417, exc_type)
    assert answer.row.reason == "invalid"


def test_of_two_changes_the_later_is_refused(service: Service, manager_key: Pair) -> None:
    """If it began with the same record, and nothing of the first is lost."""
    target = f"{USERS}/{service.make_user(f'twice{next(_NUMBERS)}@example.com')}"
    seen = _send(service, "GET", target, manager_key).document["data"]
    assert _send(service, "PUT", target, manager_key, {**seen, "first_name": "First"}).status == 200

    late = _send(service, "PUT", target, manager_key, {**seen, "last_name": "Second"})

    assert_refused(late, 417, "TimestampMismatchError")
    now = _send(service, "GET", target, manager_key).document["data"]
    assert (now["first_name"], now["last_name"]) == ("First", "")


# 429


def test_a_key_over_its_limit(service: Service) -> None:
    """Is told when to come back, and does nothing meanwhile."""
    key = service.make_key(MANAGER, per_minute=2)
    assert [_send(service, "GET", ROLES, key).status for _ in range(2)] == [200, 200]

    answer = _send(service, "POST", ROLES, key, {"role_name": "One Too Many"})

    assert_refused(answer, 429, "RateLimitExceededError")
    assert answer.row.reason == "over_limit"
    assert service.ask(f"{ROLES}/One%20Too%20Many", service.make_key(MANAGER).token).status == 404
