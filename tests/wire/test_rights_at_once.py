"""Rights over records: what is taken away is gone at the next request, and a name brings nothing back."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.questions import Asked
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, Service, opened_service

_CLERK = "clerk@example.com"
_ROLES = "/api/resource/Role"


@pytest.fixture
def service(tmp_path: Any) -> Iterator[Service]:  # noqa: ANN401  # a path
    """An instance with a user whose role may read and create roles."""
    with opened_service(tmp_path / "home") as service:
        service.latchgate.roles.create(COMMAND_LINE, "Clerk")
        grant = Grant("Clerk", "Role", False, frozenset({Action.READ, Action.CREATE}))
        service.latchgate.permissions.grant(COMMAND_LINE, grant)
        service.make_user(_CLERK, roles=frozenset({"Clerk"}))
        yield service


def _credentials(service: Service) -> dict[str, list[tuple[str, str]]]:
    sid = service.sign_in(_CLERK).sid
    return {
        "token": [("authorization", service.make_key(_CLERK).token)],
        "Basic": [("authorization", service.make_key(_CLERK).basic)],
        "Bearer": [("authorization", service.make_bearer(_CLERK, "made-elsewhere-for-the-clerk"))],
        "scoped": [("authorization", service.make_key(_CLERK, scopes=frozenset({"Role:read"})).token)],
        "session": [("cookie", f"sid={sid}")],
    }


def _statuses(service: Service, credentials: dict[str, list[tuple[str, str]]]) -> set[int]:
    return {service.ask(_ROLES, headers=headers).status for headers in credentials.values()}


def _send(service: Service, method: str, target: str, authorization: str, document: object) -> Answer:
    headers = [("content-type", "application/json")]
    return service.ask(target, authorization, method=method, headers=headers, body=json.dumps(document).encode())


def test_a_role_taken_away_is_gone_at_once(service: Service) -> None:
    """Every key, token and session of the user is refused from the next request on, and the log says why."""
    credentials = _credentials(service)
    assert _statuses(service, credentials) == {200}

    service.latchgate.roles.revoke(COMMAND_LINE, _CLERK, "Clerk")

    assert _statuses(service, credentials) == {403}
    refused = service.ask(_ROLES, headers=credentials["token"])
    assert (refused.row.user, refused.row.reason, refused.row.status) == (_CLERK, "role_missing", 403)


def test_a_deleted_permission_is_gone_at_once(service: Service) -> None:
    """Whoever had the right by it is refused from the next request on."""
    credentials = _credentials(service)
    assert _statuses(service, credentials) == {200}

    service.latchgate.permissions.revoke(COMMAND_LINE, "Clerk", "Role", if_owner=False)

    assert _statuses(service, credentials) == {403}


def test_a_deleted_role_is_gone_at_once(service: Service) -> None:
    """Its grants and permissions go with it, and a new role of that name has neither."""
    credentials = _credentials(service)
    service.latchgate.roles.delete(COMMAND_LINE, "Clerk")
    assert _statuses(service, credentials) == {403}

    service.latchgate.roles.create(COMMAND_LINE, "Clerk")

    assert _statuses(service, credentials) == {403}


def test_a_disabled_user_is_refused_everywhere_at_once(service: Service) -> None:
    """No credential of a disabled user reads anything, by whichever address it asks."""
    credentials = _credentials(service)
    manager = service.make_key("Administrator").token
    answer = _send(service, "PUT", f"/api/resource/User/{_CLERK}", manager, {"enabled": 0})
    assert answer.status == 200, answer.text

    for kind, headers in credentials.items():
        for target in (_ROLES, "/api/v2/document/Role", "/api/method/frappe.client.get_list?doctype=Role"):
            assert service.ask(target, headers=headers).status in {401, 403}, (kind, target)


def test_a_request_that_waits_for_its_body_keeps_nothing(service: Service) -> None:
    """Whoever holds one back while a key is revoked, a role taken or an account replaced has nothing of it."""
    boss = service.make_user("boss@example.com", roles=frozenset({"System Manager"}))
    latchgate, key = service.latchgate, service.make_key(boss)
    by_revoked = service.post_held(
        "/api/resource/API%20Key",
        {"record": "Administrator"},
        key.token,
        lambda: latchgate.api_keys.revoke(COMMAND_LINE, key.key_id),
    )
    by_stripped = service.post_held(
        _ROLES, {"role_name": "Held"}, service.make_key(boss).token, lambda: _strip(service, boss)
    )
    by_predecessor = service.post_held(
        "/api/method/frappe.core.doctype.user.user.generate_keys",
        {"user": _CLERK},
        service.make_key(_CLERK).token,
        lambda: _replace(service, _CLERK),
    )

    rotated = service.make_key(boss)
    by_rotated = service.post_held(
        "/api/method/frappe.client.get_list",
        {"doctype": "User"},
        rotated.token,
        lambda: latchgate.api_keys.rotate(COMMAND_LINE, rotated.key_id, overlap_seconds=0),
    )

    assert (by_revoked, by_stripped, by_predecessor, by_rotated) == (403, 403, 403, 403)
    assert "Held" not in dict(latchgate.roles.list_roles())
    owners = latchgate.documents.list_rows(COMMAND_LINE, "API Key", Asked(fields=["record"])).rows
    assert not {("Administrator",), (_CLERK,)} & set(owners)


def _strip(service: Service, user: str) -> None:
    service.latchgate.roles.revoke(COMMAND_LINE, user, "System Manager")


def _replace(service: Service, user: str) -> None:
    service.latchgate.users.delete(COMMAND_LINE, user)
    service.make_user(user)


def test_a_new_user_of_the_name_inherits_nothing(service: Service) -> None:
    """Keys, tokens, sessions, roles, log rows and records made: nothing passes on to a later user of the same name."""
    credentials = _credentials(service)
    manager = service.make_key("Administrator").token
    made = _send(service, "POST", _ROLES, service.make_key(_CLERK).token, {"role_name": "Made by the clerk"})
    assert made.document["data"]["owner"] == _CLERK
    service.ask(_ROLES, headers=credentials["token"])

    assert service.ask(f"/api/resource/User/{_CLERK}", manager, method="DELETE").status == 202
    assert _send(service, "POST", "/api/resource/User", manager, {"email": _CLERK}).status == 200

    assert _statuses(service, credentials) <= {401, 403}
    fresh = service.make_key(_CLERK).token
    assert service.ask(_ROLES, fresh).status == 403
    for doctype in ("API Request Log", "Activity Log"):
        rows = service.ask(f"/api/resource/{quote(doctype)}?limit=0", fresh).document["data"]
        asked = service.ask(f"/api/resource/{quote(doctype)}?fields=[%22user%22,%22creation%22]&limit=0", fresh)
        assert len(rows) <= 1, asked.text
    service.latchgate.permissions.grant(COMMAND_LINE, Grant("All", "Role", True, frozenset({Action.READ})))
    assert service.ask(f"{_ROLES}?limit=0", fresh).document == {"data": []}
    keys = service.ask("/api/resource/API%20Key", fresh).document["data"]
    assert len(keys) == 1


def test_two_administrators_do_not_overwrite_each_other(service: Service) -> None:
    """The later of two changes that began with the same record is refused, and nothing of the first is lost."""
    manager = service.make_key("Administrator").token
    target = f"/api/resource/User/{_CLERK}"
    seen = service.ask(target, manager).document["data"]
    first = _send(service, "PUT", target, manager, {**seen, "first_name": "First"})
    assert first.status == 200, first.text

    second = _send(service, "PUT", target, manager, {**seen, "last_name": "Second"})

    assert second.status == 417
    assert second.document["exc_type"] == "TimestampMismatchError"
    now = service.ask(target, manager).document["data"]
    assert (now["first_name"], now["last_name"]) == ("First", "")


@pytest.mark.parametrize("scopes", [{"API Key:create"}, {"read", "API Key:write"}, {"User:write", "API Key:delete"}])
def test_a_scoped_key_never_makes_a_wider_one(service: Service, scopes: set[str]) -> None:
    """By no address does a limited key of a System Manager get a credential that reaches further than itself."""
    boss = service.make_user("boss@example.com", roles=frozenset({"System Manager"}))
    key = service.make_key(boss, scopes=frozenset(scopes))
    wide = service.make_key(boss)
    tries = [
        ("POST", "/api/resource/API%20Key", {"scopes": ["all"]}),
        ("POST", "/api/resource/API%20Key", {"record": boss}),
        ("POST", "/api/v2/document/API%20Key", {"scopes": ["all"]}),
        ("POST", "/api/method/frappe.client.insert", {"doc": {"doctype": "API Key", "scopes": ["all"]}}),
        ("POST", "/api/method/frappe.client.insert_many", {"docs": [{"doctype": "API Key"}]}),
        ("PUT", f"/api/resource/API%20Key/{key.key_id}", {"scopes": ["all"]}),
        ("PUT", f"/api/resource/API%20Key/{key.key_id}", {"expires": None, "scopes": ["all"]}),
        (
            "POST",
            "/api/method/frappe.client.set_value",
            {"doctype": "API Key", "name": key.key_id, "fieldname": "scopes", "value": ["all"]},
        ),
        ("POST", "/api/method/frappe.core.doctype.user.user.generate_keys", {"user": boss}),
        ("PUT", f"/api/resource/User/{boss}", {"new_password": "a new long password 42"}),
    ]
    for method, target, document in tries:
        answer = _send(service, method, target, key.token, document)
        assert answer.status in {403, 404, 417}, (method, target, document, answer.text)
        assert "lgs_" not in answer.text
    assert service.ask("/api/method/frappe.auth.get_logged_user", wide.token).status == 200
