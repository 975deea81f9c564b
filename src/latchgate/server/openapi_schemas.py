"""The parts of the OpenAPI document that routes share: records, errors, envelopes, list parameters, credentials."""

import re
from collections.abc import Mapping
from typing import Any

from latchgate.core.document_types import DocumentType, Reader, Writer
from latchgate.server.replies import Dialect

__all__ = [
    "ERRORS",
    "LIST_PARAMETERS",
    "LOG_PARAMETERS",
    "SECURITY_SCHEMES",
    "component_name",
    "describe_type",
    "error_responses",
    "reply_schema",
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
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sid",
        "description": "A browser's session; changes need its token in `X-Frappe-CSRF-Token` too",
    },
}
ERRORS: Mapping[str, Any] = {
    "Error": {
        "type": "object",
        "required": ["exc_type"],
        "properties": {
            "exc_type": {
                "type": "string",
                "description": "Frappe's name of the fault",
                "examples": ["PermissionError"],
            },
            "exception": {"type": "string"},
            "exc": {"type": "string", "description": "The same as JSON; never a traceback"},
            "_server_messages": {"type": "string", "description": "A JSON list of JSON texts, each with a message"},
            "_error_message": {"type": "string"},
        },
    },
    "ErrorV2": {
        "type": "object",
        "required": ["errors"],
        "properties": {
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
                },
            }
        },
    },
}
_STATUSES = {
    "400": "What was sent cannot be read",
    "401": "The credential opens nothing",
    "403": "No right, or no credential",
    "404": "There is no such record, or none that the caller may know of",
    "409": "The name is taken",
    "413": "The body is too large",
    "417": "A value cannot be accepted; the message names it",
    "429": "Too many requests or wrong credentials",
    "503": "The database or the log does not answer",
}


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


def component_name(doctype: str) -> str:
    """Give the name of a document type's schema."""
    return re.sub(r"[^A-Za-z0-9]", "", doctype)


def describe_type(doctype: DocumentType) -> dict[str, Any]:
    """Describe the records of a type, with whatever its fields are made of."""
    schema = doctype.model.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = schema.pop("$defs", {})
    for name, field in schema["properties"].items():
        access = doctype.fields[name].access
        field["title"] = access.label
        if access.write is Writer.NOBODY:
            field["readOnly"] = True
        if access.read is Reader.NOBODY:
            field["writeOnly"] = True
    schema["properties"]["doctype"] = {"const": doctype.name, "readOnly": True}
    if doctype.name in {"User", "API Key"}:
        told = "Shown once, when a key is made" if doctype.name == "API Key" else "Asterisks where there is a key"
        schema["properties"]["api_secret"] = {"type": "string", "readOnly": True, "description": told}
    schema["title"] = doctype.name
    return {**parts, component_name(doctype.name): schema}


def reply_schema(value: Mapping[str, Any], dialect: Dialect, beside: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Describe a reply: the value in its dialect's envelope."""
    envelope = "message" if dialect is Dialect.FRAPPE_V1 else "data"
    schema = {"type": "object", "properties": {envelope: value, **(beside or {})}}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def error_responses(dialect: Dialect) -> dict[str, Any]:
    """Describe every refusal in the form of a dialect."""
    reference = "ErrorV2" if dialect is Dialect.FRAPPE_V2 else "Error"
    content = {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{reference}"}},
        "text/html": {"schema": {"type": "string"}},
    }
    return {status: {"description": text, "content": content} for status, text in _STATUSES.items()}
