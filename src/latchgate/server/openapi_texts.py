"""What the OpenAPI document says of each method and page; a route that is not here fails a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["METHODS", "PAGES", "Argument", "MethodText"]

_TEXT: Mapping[str, Any] = {"type": "string"}
_ANY: Mapping[str, Any] = {}
_RECORD: Mapping[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}
_ROWS: Mapping[str, Any] = {"type": "array", "items": {"type": ["object", "array"]}}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a method: in the query of a GET, in the body of a POST."""

    name: str
    description: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: _TEXT)


@dataclass(frozen=True, slots=True)
class MethodText:
    """What a method does and answers."""

    summary: str
    arguments: tuple[Argument, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=lambda: _ANY)


_DOCTYPE = Argument("doctype", "The document type, such as User", required=True)
_SINGLE = Argument("doctype", "The document type, such as System Settings", required=True)
_NAME = Argument("name", "The record's name", required=True)
_FILTERS = Argument("filters", "A JSON list or object of conditions, or a name", schema=_ANY)
_DOC = Argument("doc", "The record, with its doctype", required=True, schema=_ANY)
_DOCS = Argument("docs", "A list of records, at most 200", required=True, schema=_ANY)
_LIST = (
    _DOCTYPE,
    Argument("fields", "A JSON list of fields", schema=_ANY),
    _FILTERS,
    Argument("or_filters", "Conditions of which one is enough", schema=_ANY),
    Argument("order_by", "`<field> asc` or `<field> desc`"),
    Argument("limit_start", "How many rows to pass over", schema={"type": "integer"}),
    Argument("limit_page_length", "How many rows to give", schema={"type": "integer"}),
)
_PING = MethodText("Answer pong", answer={"const": "pong"})
_USER = Argument("user", "Whose key", required=True)
_GENERATE = MethodText(
    "Give a user's first key a new secret, or make the key; the secret is shown this once",
    (_USER,),
    {"type": "object", "properties": {"api_key": _TEXT, "api_secret": _TEXT}},
)

METHODS: Mapping[str, MethodText] = {
    "frappe.auth.get_logged_user": MethodText("Tell whom the request acts as", answer=_TEXT),
    "ping": _PING,
    "frappe.ping": _PING,
    "login": MethodText(
        "Open a session", (Argument("usr", "The user", required=True), Argument("pwd", "The password", required=True))
    ),
    "logout": MethodText("End the session"),
    "frappe.core.doctype.user.user.generate_keys": _GENERATE,
    "User/generate_keys": _GENERATE,
    "frappe.core.doctype.user.user.get_roles": MethodText(
        "List the roles of a user",
        (Argument("uid", "The user; oneself if not given"),),
        {"type": "array", "items": _TEXT},
    ),
    "frappe.utils.change_log.get_versions": MethodText("Tell the version", answer={"type": "object"}),
    "frappe.client.get": MethodText(
        "Read a record", (_DOCTYPE, Argument("name", "Its name; or filters"), _FILTERS), _RECORD
    ),
    "frappe.client.get_list": MethodText("List records", _LIST, _ROWS),
    "frappe.client.get_count": MethodText("Count records", (_DOCTYPE, _FILTERS), {"type": "integer"}),
    "frappe.client.get_value": MethodText(
        "Read fields of the first record that filters allow",
        (_DOCTYPE, Argument("fieldname", "A field, or a list of them", schema=_ANY), _FILTERS),
        {"type": ["object", "array"]},
    ),
    "frappe.client.get_single_value": MethodText(
        "Read a field of a type that has one record", (_SINGLE, Argument("field", "The field", required=True))
    ),
    "frappe.client.has_permission": MethodText(
        "Tell whether one may do something to a record",
        (_DOCTYPE, Argument("docname", "The record's name"), Argument("perm_type", "read, write, create or delete")),
        {"type": "object"},
    ),
    "frappe.client.is_document_amended": MethodText("Answer with nothing: no record is ever amended"),
    "frappe.client.get_password": MethodText("Refuse: secrets are kept as hashes"),
    "frappe.client.insert": MethodText("Make a record", (_DOC,), _RECORD),
    "frappe.client.insert_many": MethodText(
        "Make all of some records or none", (_DOCS,), {"type": "array", "items": _TEXT}
    ),
    "frappe.client.set_value": MethodText(
        "Change fields of a record",
        (
            _DOCTYPE,
            _NAME,
            Argument("fieldname", "A field, or an object of fields and values", required=True, schema=_ANY),
            Argument("value", "The value, where one field is named", schema=_ANY),
        ),
        _RECORD,
    ),
    "frappe.client.save": MethodText("Change a record that was read before, its `modified` with it", (_DOC,), _RECORD),
    "frappe.client.delete": MethodText("Delete a record", (_DOCTYPE, _NAME)),
    "frappe.client.bulk_update": MethodText("Change some records, each by itself", (_DOCS,), {"type": "object"}),
    "frappe.client.rename_doc": MethodText("Refuse: names are what logs and keys go by", (_DOCTYPE,)),
}

PAGES: Mapping[str, str] = {
    "/": "Home",
    "/login": "Sign in",
    "/app": "Home of whoever is signed in",
    "/me": "One's own account",
    "/logout": "Sign out",
    "/setup/{name}": "Set Administrator's first password",
    "/assets/{name}": "A file of the pages",
    "/livez": "Tell that the process lives",
    "/readyz": "Tell that database and log answer",
    "/.well-known/oauth-protected-resource": "Tell how to authenticate (RFC 9728)",
    "/api/openapi.json": "This document",
}
