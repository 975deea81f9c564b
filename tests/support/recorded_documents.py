"""Carry the recorded exchanges that ask for records over from Frappe's ToDo, which is not ours, to API Key.

The mapping, whole: the document type ToDo becomes API Key, and Error Log becomes Role Permission. Of a ToDo,
`description` becomes a key's `label`, `status` the key's `expires` (Closed before Open, as in the alphabet) and
`priority` the key's `limit_per_minute`; the fields in _DROPPED have no counterpart. What a key fixes for good when it
is made is left out of changes, or becomes its label. Names that lists of User and Role hold are another server's: only
their number counts. Where a rule has no field of API Key to be shown on, INSTEAD asks it of Role and Role Permission.
"""

import json
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

__all__ = ["KEYS", "carry_over", "key_fields"]

_FIELDS = {"description": "label", "status": "expires", "priority": "limit_per_minute"}
_VALUES: dict[str, Any] = {
    "Closed": "2100-01-01 00:00:00.000000",
    "Open": "2101-01-01 00:00:00.000000",
    "Low": 1,
    "Medium": 2,
    "High": 3,
}
_DROPPED = {"assigned_by", "date", "color", "allocated_to", "role", "username", "reference_type", "reference_name"}
_FIXED = {"status", "priority"}
_TYPES = {"ToDo": "API Key", "Error Log": "Role Permission"}
_ADMIN = {"Accept": "application/json", "Authorization": "token adm1n0key000001:adm1n0secret001"}

INSTEAD: dict[str, dict[str, Any]] = {
    "update ToDo bad link": {
        "method": "POST",
        "path": "/api/resource/Role%20Permission",
        "headers": _ADMIN,
        "body_json": {"role": "No Such Role", "document_type": "User", "read": 1},
    },
    "create ToDo missing mandatory": {
        "method": "POST",
        "path": "/api/resource/Role",
        "headers": _ADMIN,
        "body_json": {},
    },
    "create ToDo not assigned to or by the caller": {
        "method": "POST",
        "path": "/api/resource/API%20Key",
        "headers": {"Accept": "application/json", "Authorization": "token ap1key000000001:ap1secret000001"},
        "body_json": {"record": "Administrator"},
    },
}
"""Requests that show the same rule on another type."""

KEYS = (
    ("Administrator", "todo-admin-1", "admin todo one", "High", "Open"),
    ("Administrator", "todo-admin-2", "admin todo two", "Low", "Closed"),
    ("api@example.com", "todo-api-1", "api todo one", "Medium", "Open"),
    ("api@example.com", "todo-api-2", "api todo two", "High", "Open"),
    ("api@example.com", "todo-api-3", "api todo three", "Low", "Closed"),
)
"""The keys that stand for the recorded ToDos: owner, key id, and the fields before the mapping."""


def carry_over(case: dict[str, Any]) -> dict[str, Any]:
    """Give a case as it is to be asked of API Key, with the answer to expect."""
    documents = case["area"] in {"resource", "client"}
    if case["area"] == "keys":
        return {**_with_own_key(case), "response": _without_username(case["response"])}
    if not documents and "ToDo" not in case["request"]["path"]:
        return case
    request = INSTEAD.get(case["name"]) or _request(case["request"])
    response = {**case["response"], "body": _answer(case["response"].get("body"), case)}
    return {**case, "request": request, "response": response}


def key_fields(priority: str, status: str) -> tuple[int, str]:
    """Give a key's limit and expiry for a ToDo's priority and status."""
    return _VALUES[priority], _VALUES[status]


def _with_own_key(case: dict[str, Any]) -> dict[str, Any]:
    """Users may make keys for themselves here: what was recorded with the key before is asked with the new one."""
    if case["name"] == "api generate_keys for itself":
        return {**case, "captures": {"own": "message.api_key", "own_secret": "message.api_secret"}}
    if not case["name"].startswith("api: "):
        return case
    headers = {**case["request"]["headers"], "Authorization": "token {own}:{own_secret}"}
    return {**case, "request": {**case["request"], "headers": headers}}


def _without_username(response: dict[str, Any]) -> dict[str, Any]:
    body = response.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        return response
    return {**response, "body": {**body, "data": {k: v for k, v in body["data"].items() if k != "username"}}}


def _request(request: dict[str, Any]) -> dict[str, Any]:
    path, question, query = request["path"].partition("?")
    for theirs, ours in _TYPES.items():
        path = path.replace(f"/{quote(theirs)}", f"/{quote(ours)}")
    pairs = [(name, _text(value)) for name, value in parse_qsl(query, keep_blank_values=True)]
    mapped = {**request, "path": path + question + urlencode(pairs, quote_via=quote)}
    for form in ("body_form", "body_json"):
        if isinstance(request.get(form), dict):
            mapped[form] = _written(request[form])
    return mapped


def _written(body: dict[str, Any]) -> Any:  # noqa: ANN401
    """Map a body: `data` and `doc` may be JSON texts of their own."""
    out, fields = {}, {}
    for name, value in body.items():
        if name in {"data", "doc", "docs"} and isinstance(value, str):
            out[name] = json.dumps(_change(json.loads(value)))
        elif name in {"doc", "docs"} or (name == "fieldname" and isinstance(value, dict)):
            out[name] = _change(value)
        elif name == "fieldname":
            out[name] = "label" if value in _FIXED else _FIELDS.get(value, value)
        elif name in {"filters", "fields", "order_by", "doctype"}:
            out[name] = _map(value)
        else:
            fields[name] = value
    return out | _change(fields)


def _change(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_change(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: item for name, item in value.items() if name not in _DROPPED}
    if "description" in kept or "Nope" in kept.values():
        kept = {name: item for name, item in kept.items() if name not in _FIXED or item == "Nope"}
    else:
        kept = {("description" if name in _FIXED else name): item for name, item in kept.items()}
    return {
        _FIELDS.get(name, name): _TYPES.get(item, item) if name == "doctype" else item for name, item in kept.items()
    }


def _text(value: str) -> str:
    if value[:1] in "[{":
        try:
            return json.dumps(_map(json.loads(value)))
        except ValueError:
            return value
    return str(_map(value))


def _map(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_map(item) for item in value]
    if isinstance(value, dict):
        return {_FIELDS.get(name, name): _map(item) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    first, space, rest = value.partition(" ")
    if first in _FIELDS and rest in {"asc", "desc"}:
        return _FIELDS[first] + space + rest
    return {**_FIELDS, **_VALUES, **_TYPES}.get(value, value)


def _answer(body: Any, case: dict[str, Any]) -> Any:  # noqa: ANN401
    if not isinstance(body, dict):
        return body
    return {name: _expected(item, case) if name in {"data", "message"} else item for name, item in body.items()}


def _expected(value: Any, case: dict[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        if "todo-%" not in json.dumps(case["request"]) and "filters" not in json.dumps(case["request"]):
            return [_anonymous(item, case) for item in value]
        return [_expected(item, case) for item in value]
    if not isinstance(value, dict):
        return _VALUES.get(value, value) if isinstance(value, str) else value
    kept = {name: item for name, item in value.items() if name not in _DROPPED}
    if "doctype" in kept and not str(kept.get("name")).startswith("todo-"):
        kept = {name: item for name, item in kept.items() if name not in _FIXED}
    if case["name"].startswith("set_value") or kept.get("name") == "todo-admin-1":
        kept.pop("description", None)  # what was sent for a fixed field became the label
    kept |= {name: "<random name>" for name in ("owner", "modified_by") if name in kept}
    kept |= {name: "<datetime.us>" for name in ("creation", "modified") if name in kept}
    mapped = {_FIELDS.get(name, name): _expected(item, case) for name, item in kept.items()}
    if mapped.get("doctype") in _TYPES:
        mapped["doctype"] = _TYPES[mapped["doctype"]]
    return mapped


def _anonymous(item: Any, case: dict[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(item, dict) and "name" not in item:
        return _expected(item, case)
    return {"name": "<random name>"} if isinstance(item, dict) else "<random name>"
