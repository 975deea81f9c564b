"""The examples of records in the OpenAPI document: one small world, in which Ann reads the request log with a key.

A test makes all of it and holds each example to what is answered then.
"""

from collections.abc import Mapping
from typing import Any

from latchgate.core.document_types import DocumentType, Kind, Reader, Writer

__all__ = [
    "EXAMPLE_CLIENT_SECRET",
    "EXAMPLE_SECRET",
    "changed_example",
    "created_example",
    "example_of",
    "listed_example",
    "new_example",
    "record_example",
]

# What in each differs from its type's defaults.
_ANN = "ann@example.com"
_KEY = "lgk_04ZsgM4VWe9mNhTEk0d7P1V"
_ROLE = "Log Reader"
_LOG = "API Request Log"
_CLIENT = "4f1d0c9ab2e87d635a10"
_ANNS = {"owner": _ANN, "modified_by": _ANN}

_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "User": {
        "name": _ANN,
        "email": _ANN,
        "first_name": "Ann",
        "last_name": "Lee",
        "full_name": "Ann Lee",
        "api_key": _KEY,
        "key_count": 1,
        "roles": [{"role": _ROLE}],
    },
    "Role": {"name": _ROLE, "role_name": _ROLE},
    "Role Permission": {"name": f"{_LOG}:{_ROLE}", "role": _ROLE, "document_type": _LOG, "read": 1},
    "API Key": {
        "name": _KEY,
        "api_key": _KEY,
        "record": _ANN,
        "user": _ANN,
        "label": "nightly report",
        "is_primary": 1,
        "scopes": [f"{_LOG}:read"],
        "allowed_networks": ["192.0.2.0/24"],
        "limit_per_minute": 60,
        "expires": "2099-12-31 23:59:59.000000",
    },
    "Authorization Source": {"name": "Data Feed", "source_name": "Data Feed"},
    "Access Rule": {
        "name": "RULE-1",
        "position": 1,
        "host": "api.example.com",
        "path": "/reports/*",
        "methods": ["GET"],
        "roles": [_ROLE],
        "scopes": ["reports.read"],
    },
    "API Request Log": {
        "name": "4711",
        "owner": _ANN,
        "modified_by": _ANN,
        "time": "2026-02-19 09:30:00.123456",
        "request_id": "4bdb5a8ee91514d59d4a7a3df8368fa2",
        "user": _ANN,
        "api_key": _KEY,
        "scheme": "token",
        "source": "User",
        "method": "GET",
        "path": "/api/resource/API%20Request%20Log?limit=1",
        "status": 200,
        "seconds": 0.003267,
        "ip_address": "192.0.2.7",
        "user_agent": "curl/8.14.1",
    },
    "Activity Log": {
        "name": "42",
        "time": "2026-02-19 09:30:00.123456",
        "user": "Administrator",
        "operation": "role.created",
        "subject": _ROLE,
        "ip_address": "192.0.2.7",
    },
    "OAuth Client": {
        "name": _CLIENT,
        "client_id": _CLIENT,
        "app_name": "Calendar",
        "scopes": "User:read openid",
        "redirect_uris": "https://calendar.example.com/callback",
        "default_redirect_uri": "https://calendar.example.com/callback",
        "grant_types": ["authorization_code", "refresh_token"],
        "allowed_roles": [_ROLE],
        "client_uri": "https://calendar.example.com/",
    },
    "OAuth Bearer Token": {
        "name": "token-4bdb5a8ee91514d5",
        **_ANNS,
        "user": _ANN,
        "client": _CLIENT,
        "scopes": "User:read openid",
        "audience": ["https://calendar.example.com/api"],
        "issued": "2026-02-19 09:30:00.000000",
        "expires": "2099-12-31 23:59:59.000000",
    },
    "OAuth Consent": {
        "name": "consent-9d59d4a7a3df8368",
        **_ANNS,
        "user": _ANN,
        "client": _CLIENT,
        "app_name": "Calendar",
        "scopes": "User:read openid",
        "audience": ["https://calendar.example.com/api"],
    },
    "System Settings": {"name": "System Settings"},
}
_SOURCE_RECORD: Mapping[str, Any] = {"name": "night-reader", "record_name": "night-reader", "user": _ANN}

# In form secrets, and by their checksums none.
EXAMPLE_SECRET = "lgs_ExampleExampleExampleExampleExample0000"
EXAMPLE_CLIENT_SECRET = "lgc_ExampleExampleExampleExampleExample0000"
_HIDDEN_SECRET = "***************"  # what is answered for a secret that there is
_TIME = "2026-02-19 09:30:00.123456"
_MADE = {"owner": "Administrator", "creation": _TIME, "modified": _TIME, "modified_by": "Administrator"}
_CHANGEABLE = frozenset({Writer.ANYONE, Writer.MANAGER})


def example_of(doctype: DocumentType) -> Mapping[str, Any]:
    """Give what in the example of a type differs from the type's defaults; its name in any case."""
    return _EXAMPLES.get(doctype.name, _SOURCE_RECORD)


def record_example(doctype: DocumentType) -> dict[str, Any]:
    """Give a record as a System Manager reads it."""
    values = {**doctype.model().model_dump(mode="json"), **_MADE, **example_of(doctype)}
    record = {name: values[name] for name, spec in doctype.fields.items() if spec.access.read is not Reader.NOBODY}
    for name, spec in doctype.fields.items():
        if spec.access.kind is Kind.TABLE:
            record[name] = [_row(doctype, name, place, row) for place, row in enumerate(values[name], 1)]
    if doctype.name == "User":
        record["api_secret"] = _HIDDEN_SECRET
    return {**record, "doctype": doctype.name}


def created_example(doctype: DocumentType) -> dict[str, Any]:
    """Give a record as it is answered to whoever has just made it.

    A user has no key yet; a key and a client come with their secrets.
    """
    record = record_example(doctype)
    match doctype.name:
        case "User":
            del record["api_secret"]
            return {**record, "api_key": None, "key_count": 0}
        case "API Key":
            return {**record, "api_secret": EXAMPLE_SECRET}
        case "OAuth Client":
            return {**record, "client_secret": EXAMPLE_CLIENT_SECRET}
        case _:
            return record


def new_example(doctype: DocumentType) -> dict[str, Any]:
    """Give what to send to make that record."""
    return {
        name: value
        for name, value in example_of(doctype).items()
        if doctype.fields[name].access.write is not Writer.NOBODY
    }


def changed_example(doctype: DocumentType) -> dict[str, Any]:
    """Give what to send to change that record: those of its fields that can be changed, if only to what they are."""
    values = {**doctype.model().model_dump(mode="json"), **example_of(doctype)}
    changeable = [name for name, spec in doctype.fields.items() if spec.access.write in _CHANGEABLE]
    told = [name for name in changeable if name in example_of(doctype)] or changeable
    return {name: values[name] for name in told}


def listed_example(doctype: DocumentType) -> list[dict[str, Any]]:
    """Give a list as it is answered to whoever asks for no fields."""
    return [{"name": example_of(doctype)["name"]}]


def _row(doctype: DocumentType, field: str, place: int, values: dict[str, Any]) -> dict[str, Any]:
    parent = {"parent": example_of(doctype)["name"], "parenttype": doctype.name, "parentfield": field}
    return {"doctype": "Has Role", **values, **parent, "idx": place}
