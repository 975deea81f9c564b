"""`frappe.client.*`: what the recordings do not show."""

import json
from typing import Any

import pytest

from support.asgi import Answer, Pair, Service

_CLIENT = "/api/method/frappe.client."
_SECRET = "a-password-nobody-has-seen"


@pytest.mark.parametrize("kind", [[1], {"a": 1}, 7, "reed", "READ", [], {}])
def test_a_kind_of_permission_that_is_none_is_refused(service: Service, manager_key: Pair, kind: object) -> None:
    """With the argument named and what would be right."""
    answer = service.post(f"{_CLIENT}has_permission", {"doctype": "User", "perm_type": kind}, manager_key.token)

    assert answer.status == 417
    assert "perm_type: must be one of read, write, create, delete" in answer.text


@pytest.mark.parametrize("kind", [None, ""])
def test_without_a_kind_reading_is_meant(service: Service, manager_key: Pair, kind: object) -> None:
    """As in Frappe."""
    answer = service.post(f"{_CLIENT}has_permission", {"doctype": "User", "perm_type": kind}, manager_key.token)

    assert answer.document["message"] == {"has_permission": True}


def test_the_one_record_of_a_type_needs_no_name(service: Service, manager_key: Pair) -> None:
    """System Settings are asked for by their type alone."""
    answer = service.ask(f"{_CLIENT}get?doctype=System%20Settings", manager_key.token)

    assert answer.document["message"]["name"] == "System Settings"
    assert service.ask(f"{_CLIENT}get?doctype=User", manager_key.token).status == 417


def _update(service: Service, key: Pair, docs: object) -> Answer:
    return service.post(f"{_CLIENT}bulk_update", {"docs": docs}, key.token)


def test_what_could_not_be_changed_is_told_by_name_alone(service: Service, manager_key: Pair) -> None:
    """What was sent may hold a password, and be of any depth."""
    deep: Any = {}
    for _ in range(500):
        deep = {"a": deep}
    docs = [
        {"doctype": "User", "docname": "nobody@example.com", "new_password": _SECRET},
        {"doctype": "User", "docname": "nobody@example.com", "first_name": deep},
        {"doctype": ["User"], "docname": {}},
        [],
    ]

    answer = _update(service, manager_key, docs)

    named = {"doctype": "User", "docname": "nobody@example.com"}
    assert [failed["doc"] for failed in answer.document["message"]["failed_docs"]] == [named, named, {}, {}]
    assert _SECRET not in answer.text
    assert answer.row.reason == "not_found"


def test_changes_that_were_refused_leave_their_reason(service: Service) -> None:
    """Although the answer is a 200, as Frappe's."""
    key = service.make_key(service.make_user("tries@example.com"))

    answer = _update(service, key, [{"doctype": "User", "docname": "Administrator", "first_name": "Mine"}])

    assert (answer.status, answer.row.reason) == (200, "not_found")
    assert _update(service, key, [{"doctype": "Role", "docname": "All"}]).row.reason == "role_missing"


@pytest.mark.parametrize(
    "query",
    [
        f"set_value?doctype=User&name=pass@example.com&fieldname=new_password&value={_SECRET}",
        f'set_value?doctype=User&name=pass@example.com&fieldname={{"new_password":"{_SECRET}"}}',
        f'insert?doc={{"doctype":"User","email":"other@example.com","new_password":"{_SECRET}"}}',
        f'bulk_update?docs=[{{"doctype":"User","docname":"pass@example.com","new_password":"{_SECRET}"}}]',
    ],
)
def test_a_password_in_an_address_is_not_logged(service: Service, manager_key: Pair, query: str) -> None:
    """Frappe's own client sends arguments of a POST in the query."""
    if service.ask("/api/resource/User/pass@example.com", manager_key.token).status == 404:
        service.make_user("pass@example.com")

    answer = service.ask(_CLIENT + query.replace('"', "%22").replace("{", "%7B"), manager_key.token, method="POST")

    assert answer.status == 200, answer.text
    assert _SECRET not in answer.row.path + answer.text


def test_a_few_passwords_are_set_at_once(service: Service, manager_key: Pair) -> None:
    """Each takes as long to hash as somebody would take to guess it."""
    docs = [{"doctype": "User", "email": f"many{number}@example.com", "new_password": _SECRET} for number in range(11)]

    many = service.post(f"{_CLIENT}insert_many", {"docs": json.dumps(docs)}, manager_key.token)
    few = service.post(f"{_CLIENT}insert_many", {"docs": json.dumps(docs[:10])}, manager_key.token)

    assert many.status == 417
    assert "at most 10 records with new_password" in many.text
    assert few.document["message"] == [doc["email"] for doc in docs[:10]]
