"""The parts of the OpenAPI document that routes share: records, envelopes, list parameters, credentials."""

import json
import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from latchgate.core.document_types import DocumentType, Kind, Reader, Writer
from latchgate.server.replies import Dialect, Reply, render_reply

__all__ = [
    "LIST_PARAMETERS",
    "LOG_PARAMETERS",
    "SECURITY_SCHEMES",
    "Part",
    "component_name",
    "describe_type",
    "reference",
    "reply_response",
    "required_credentials",
    "shown_example",
]

SECURITY_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`token <api_key>:<api_secret>`",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "API key and API secret as user and password"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "An OAuth 2 access token"},
    "client": {"type": "http", "scheme": "basic", "description": "An OAuth client's `client_id` and `client_secret`"},
    "session": {"type": "apiKey", "in": "cookie", "name": "sid", "description": "A browser's session"},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Frappe-CSRF-Token",
        "description": "The session's token, which its pages hold; changes by a session need it",
    },
}
_SAFE = frozenset({"GET"})
# What is beside the fields of a child table's rows.
_ROW_FIELDS = ("doctype", "parent", "parenttype", "parentfield")
_SECRETS = {
    "User": ("api_secret", "Asterisks where there is a key"),
    "API Key": ("api_secret", "Shown once, when a key is made"),
    "OAuth Client": ("client_secret", "Shown once, when a client is made that has one"),
}
"""By type, what of a secret is answered beside the fields."""


class Part(StrEnum):
    """For what a schema of a document type is; the words stand before its name."""

    RECORD = ""
    """A record as it is answered."""
    NEW = "New"
    """What is sent to make one."""
    CHANGED = "Changed"
    """What is sent to change one: any of its fields that can be changed."""
    LISTED = "Listed"
    """A row of a list: the fields that were asked for."""


def _parameter(name: str, description: str, kind: str = "string", example: str | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind}
    if example is not None:
        schema["examples"] = [example]
    return {"name": name, "in": "query", "description": description, "schema": schema}


LIST_PARAMETERS = [
    _parameter("fields", "A JSON list of fields, or of `*`; the name alone if not given", example='["name","owner"]'),
    _parameter("filters", "A JSON list or object of conditions", example='[["name","like","a%"]]'),
    _parameter("or_filters", "Conditions of which one is enough"),
    _parameter("order_by", "`<field> asc` or `<field> desc`, several by commas", example="creation desc"),
    _parameter("limit_start", "How many rows to pass over", "integer"),
    _parameter("limit", "How many rows to give; 20 if not given, 0 for all, at most 10,000", "integer"),
    _parameter("group_by", "Fields to group by; then `count(name) as n` can stand among the fields"),
    _parameter("as_dict", "0 for rows as lists"),
]
LOG_PARAMETERS = [
    *LIST_PARAMETERS,
    _parameter("after", "The name of the last row of the page before: the next one costs the same anywhere"),
]


def component_name(doctype: str, part: Part = Part.RECORD) -> str:
    """Give the name of a schema of a document type."""
    return part + re.sub(r"[^A-Za-z0-9]", "", doctype)


def reference(doctype: str, part: Part = Part.RECORD) -> dict[str, Any]:
    """Refer to a schema of a document type."""
    return {"$ref": f"#/components/schemas/{component_name(doctype, part)}"}


def describe_type(doctype: DocumentType) -> dict[str, Any]:
    """Describe the records of a type: as answered, as made, as changed and as listed, and what they are made of."""
    schema = doctype.model.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = schema.pop("$defs", {})
    for part in parts.values():
        if part["type"] == "object":
            part["properties"] |= {name: {"type": "string", "readOnly": True} for name in _ROW_FIELDS}
            part["properties"]["idx"] = {"type": "integer", "readOnly": True}
    about = {Part.RECORD: _record, Part.NEW: _new, Part.CHANGED: _changed, Part.LISTED: _listed}
    fields = {name: _field(doctype, name, field) for name, field in schema["properties"].items()}
    described = {component_name(doctype.name, part): describe(doctype, fields) for part, describe in about.items()}
    described[component_name(doctype.name)]["description"] = schema["description"]
    return {**parts, **described}


def reply_response(
    value: Mapping[str, Any] | None,
    dialect: Dialect,
    beside: Mapping[str, Any] | None = None,
    example: Reply | None = None,
) -> dict[str, Any]:
    """Describe a reply: the value in its dialect's envelope.

    Args:
        value: The schema of the value; None where there is none.
        dialect: The dialect of the address.
        beside: Schemas of further fields beside the envelope.
        example: A reply with such a value, written by what writes the answers themselves.
    """
    envelope = "message" if dialect is Dialect.FRAPPE_V1 else "data"
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {**({envelope: value} if value else {}), **(beside or {})},
    }
    if value:
        schema["required"] = [envelope]
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content |= shown_example(json.loads(bytes(render_reply(example, dialect).body)))
    return {"description": "Done", "content": {"application/json": content}}


def required_credentials(verb: str) -> list[dict[str, list[str]]]:
    """List the credentials of which a route that requires a user takes any, for an HTTP method."""
    session: dict[str, list[str]] = {"session": []} if verb in _SAFE else {"session": [], "csrf": []}
    return [{"token": []}, {"basic": []}, {"bearer": []}, session]


def shown_example(value: object) -> dict[str, Any]:
    """Write a single example as it stands beside a schema."""
    return {"examples": {"example": {"summary": "An example", "value": value}}}


def _field(doctype: DocumentType, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    access = doctype.fields[name].access
    checked = {"enum": [0, 1]} if access.kind is Kind.CHECK else {}
    return {**schema, **checked, "title": access.label}


def _record(doctype: DocumentType, fields: Mapping[str, Any]) -> dict[str, Any]:
    access = {name: spec.access for name, spec in doctype.fields.items()}
    shown = {
        name: {**_without_default(field), **({"readOnly": True} if access[name].write is Writer.NOBODY else {})}
        for name, field in fields.items()
        if access[name].read is not Reader.NOBODY
    }
    shown["doctype"] = {"const": doctype.name, "readOnly": True}
    if doctype.name in _SECRETS:
        secret, told = _SECRETS[doctype.name]
        shown[secret] = {"type": "string", "readOnly": True, "description": told}
    always = [name for name in fields if access[name].read is Reader.ANYONE]
    return _object(doctype.name, shown, [*always, "doctype"])


def _new(doctype: DocumentType, fields: Mapping[str, Any]) -> dict[str, Any]:
    access = {name: spec.access for name, spec in doctype.fields.items()}
    sent = {name: _sent(doctype, name, field) for name, field in fields.items() if access[name].write != Writer.NOBODY}
    return _object(f"New {doctype.name}", sent, [name for name in sent if access[name].required])


def _changed(doctype: DocumentType, fields: Mapping[str, Any]) -> dict[str, Any]:
    changeable = {Writer.ANYONE, Writer.MANAGER}
    sent = {
        name: _sent(doctype, name, _without_default(field))
        for name, field in fields.items()
        if doctype.fields[name].access.write in changeable
    }
    return _object(f"Changed {doctype.name}", {**sent, "modified": _without_default(fields["modified"])}, ())


def _listed(doctype: DocumentType, fields: Mapping[str, Any]) -> dict[str, Any]:
    access = {name: spec.access for name, spec in doctype.fields.items()}
    shown = {
        name: _without_default(field)
        for name, field in fields.items()
        if access[name].read is not Reader.NOBODY and access[name].kind is not Kind.TABLE
    }
    return _object(f"Listed {doctype.name}", shown, ())


def _sent(doctype: DocumentType, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, **({"writeOnly": True} if doctype.fields[name].access.read is Reader.NOBODY else {})}


def _without_default(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "default"}


def _object(title: str, properties: Mapping[str, Any], required: Collection[str]) -> dict[str, Any]:
    schema = {"title": title, "type": "object", "properties": dict(properties)}
    return {**schema, "required": list(required)} if required else schema
