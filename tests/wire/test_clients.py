"""What Frappe's own clients send is answered as they expect it, but for what docs/differences.md explains."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from support.asgi import Pair, Service
from support.documents import ROOT
from support.envelopes import assert_refused
from support.frappe_like import VECTORS, running_like_frappe
from support.recorded_clients import ClientReplay, Played

_CLIENTS: Mapping[str, Any] = json.loads((VECTORS / "clients.json").read_text())
_DIFFERENCES: Mapping[str, Any] = json.loads((VECTORS / "differences-clients.json").read_text())
_METHODS = {
    f"{client}: {method['method']}": method["calls"]
    for client in ("frappe-client", "frappe-js-sdk")
    for method in _CLIENTS[client]
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Played, Played]]:
    """By method, the outcome to expect and the one that came, after all were played in their order."""
    outcomes = {}
    with running_like_frappe(tmp_path_factory.mktemp("clients") / "home") as running:
        for client in ("frappe-client", "frappe-js-sdk"):
            replay = ClientReplay(running.base, client)
            for method in _CLIENTS[client]:
                if method["calls"]:
                    outcomes[f"{client}: {method['method']}"] = replay.play(method)
    return outcomes


@pytest.mark.parametrize("label", [label for label, calls in _METHODS.items() if calls])
def test_a_clients_method_is_answered_alike(played: Mapping[str, tuple[Played, Played]], label: str) -> None:
    """Status, envelope, values and what the client makes of them are as recorded, or differ as listed."""
    want, got = played[label]

    listed = _DIFFERENCES.get(label)

    if listed:
        assert want.faults(got), f"{label} is no longer different"
        want = replace(want, **listed["instead"])
    assert want.faults(got) == []


def test_every_recorded_method_is_here() -> None:
    """All methods of both clients are played but the two that send nothing."""
    counted = [len(_CLIENTS[client]) for client in ("frappe-client", "frappe-js-sdk")]

    assert counted == [30, 24]
    assert [label for label, calls in _METHODS.items() if not calls] == [
        "frappe-client: authenticate",
        "frappe-client: insert_many",
    ]


def test_every_difference_refers_to_a_paragraph() -> None:
    """Each difference is of a method, and names the numbered paragraph of docs/differences.md that explains it."""
    text = (ROOT / "docs" / "differences.md").read_text()

    assert _DIFFERENCES.keys() <= _METHODS.keys()
    for label, listed in _DIFFERENCES.items():
        number = listed["why"].rpartition(", ")[2]
        assert f"\n## {number}. " in text, label


_SINGLE = "/api/method/frappe.client.get_single_value"


def test_a_setting_is_read_by_its_name(service: Service, manager_key: Pair) -> None:
    """`db.getSingleValue` gives one field of the one record of System Settings, in both envelopes."""
    query = "?doctype=System+Settings&field=allow_own_keys"

    assert service.ask(_SINGLE + query, manager_key.token).document == {"message": 1}
    assert service.ask(_SINGLE.replace("/api", "/api/v2") + query, manager_key.token).document == {"data": 1}


def test_a_setting_is_read_by_those_alone_who_may_read_the_record(
    service: Service, api_key: Pair, manager_key: Pair
) -> None:
    """Neither a guest, nor a user without the right, nor a key whose scopes leave it out learns its value."""
    asked = f"{_SINGLE}?doctype=System+Settings&field=allow_own_keys"
    narrow = service.make_key("manager@example.com", scopes=frozenset({"User:read"}))

    for credential in (None, api_key.token, narrow.token):
        answer = service.ask(asked, credential)
        assert (answer.status, answer.document["exc_type"]) == (403, "PermissionError")


@pytest.mark.parametrize(
    ("query", "status", "exc_type", "named"),
    [
        ("doctype=System+Settings&field=language", 417, "DataError", "language"),
        ("doctype=System+Settings", 417, "ValidationError", "field"),
        ("field=allow_own_keys", 417, "ValidationError", "doctype"),
        ("doctype=User&field=new_password", 404, "DoesNotExistError", "User"),
        ("doctype=Nope&field=x", 404, "DoesNotExistError", "Nope"),
    ],
)
def test_what_is_no_setting_is_refused(
    service: Service, manager_key: Pair, query: str, status: int, exc_type: str, named: str
) -> None:
    """A field that does not exist, a missing argument and a type without a record of its own name are told so."""
    answer = service.ask(f"{_SINGLE}?{query}", manager_key.token)

    assert named in assert_refused(answer, status, exc_type)


@pytest.mark.parametrize("fields", ['["name","enabled"]', '["name","count(name) as n"]', '["enabled"]'])
def test_a_list_may_be_grouped_by_name(service: Service, manager_key: Pair, fields: str) -> None:
    """Each record has a name of its own, so that grouping by it takes no field away, and counts one each."""
    answer = service.ask(f"/api/resource/User?fields={fields}&group_by=name&limit=0", manager_key.token)

    assert answer.status == 200
    assert {row.get("n", 1) for row in answer.document["data"]} == {1}
