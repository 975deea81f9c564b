"""What the OpenAPI document says of the addresses of records."""

from collections.abc import Mapping
from typing import Any

from latchgate.core.document_types import DocumentType
from latchgate.server.openapi_errors import error_references
from latchgate.server.openapi_examples import (
    changed_example,
    created_example,
    example_of,
    listed_example,
    new_example,
    record_example,
)
from latchgate.server.openapi_schemas import (
    LIST_PARAMETERS,
    LOG_PARAMETERS,
    Part,
    reference,
    reply_response,
    required_credentials,
    shown_example,
)
from latchgate.server.replies import Dialect, Reply

__all__ = ["about_operation", "record_operation", "refusal_of_verb"]

_VERBS = {
    ("GET", False): "List records of",
    ("POST", False): "Make a record of",
    ("GET", True): "Read a record of",
    ("PUT", True): "Change a record of",
    ("PATCH", True): "Change a record of",
    ("DELETE", True): "Delete a record of",
}
_TEXT = {"type": "string"}
_FIELD = {
    "type": "object",
    "required": ["fieldname", "label", "fieldtype"],
    "properties": {
        "fieldname": _TEXT,
        "label": _TEXT,
        "fieldtype": {"type": "string", "description": "What it holds, in Frappe's words"},
        "reqd": {"enum": [0, 1], "description": "1: a new record must name it"},
        "read_only": {"enum": [0, 1]},
        "set_only_once": {"enum": [0, 1], "description": "1: when the record is made, and never again"},
        "options": {"type": ["string", "null"], "description": "The document type of a Link, the choices of a Select"},
        "description": _TEXT,
    },
}
_META = {
    "type": "object",
    "required": ["name", "fields"],
    "properties": {"name": _TEXT, "fields": {"type": "array", "items": _FIELD}},
}


def record_operation(dialect: Dialect, doctype: DocumentType, verb: str, *, named: bool) -> dict[str, Any]:
    """Describe what an HTTP method does to records of a type, or to the one that the address names."""
    refused = refusal_of_verb(doctype, verb)
    operation: dict[str, Any] = {
        "summary": f"{_VERBS[verb, named]} {doctype.name}",
        "tags": [doctype.name],
        "security": required_credentials(verb),
        "responses": {
            **({} if refused else _answers(dialect, doctype, verb, named=named)),
            **error_references(dialect, verb),
        },
    }
    if refused:
        operation["summary"] = f"Refused: {refused}"
    parameters = [_name(doctype)] if named else []
    if verb == "GET" and not named:
        parameters += LOG_PARAMETERS if doctype.log else LIST_PARAMETERS
    if parameters:
        operation["parameters"] = parameters
    if verb in {"POST", "PUT", "PATCH"} and not refused:
        operation["requestBody"] = {"content": {"application/json": _body(doctype, verb)}}
    return operation


def about_operation(doctype: DocumentType, what: str) -> dict[str, Any]:
    """Describe the addresses that tell of the records of a type: how many (`count`), of what fields (`meta`)."""
    counted = what == "count"
    done = reply_response(
        {"type": "integer"} if counted else _META, Dialect.FRAPPE_V2, {}, Reply(1) if counted else None
    )
    return {
        "summary": f"{'Count records' if counted else 'Describe the fields'} of {doctype.name}",
        "tags": [doctype.name],
        "security": required_credentials("GET"),
        "parameters": LIST_PARAMETERS if counted else [],
        "responses": {"200": done, **error_references(Dialect.FRAPPE_V2, "GET")},
    }


def refusal_of_verb(doctype: DocumentType, verb: str) -> str:
    """Tell why an HTTP method is never of use for a type; empty where it may be."""
    if doctype.log and verb != "GET":
        return f"Latchgate alone writes the {doctype.name}"
    if doctype.name in {"OAuth Client", "OAuth Bearer Token", "OAuth Consent"} and verb in {"POST", "DELETE"}:
        return f"records of {doctype.name} are only shown here"
    if doctype.name == "System Settings" and verb in {"POST", "DELETE"}:
        return "there is one record of System Settings, which can be changed"
    return ""


def _answers(dialect: Dialect, doctype: DocumentType, verb: str, *, named: bool) -> dict[str, Any]:
    match verb, named:
        case "GET", False:
            return {"200": _page(dialect, doctype)}
        case "DELETE", _:
            return {"202": reply_response({"const": "ok"}, dialect, {}, Reply("ok"))}
        case "POST", _:
            return {"200": reply_response(reference(doctype.name), dialect, {}, Reply(created_example(doctype)))}
        case "PUT" | "PATCH", _:
            changed = {**record_example(doctype), **_shown(changed_example(doctype), record_example(doctype))}
            return {"200": reply_response(reference(doctype.name), dialect, {}, Reply(changed))}
        case _:
            return {"200": reply_response(reference(doctype.name), dialect, {}, Reply(record_example(doctype)))}


def _shown(sent: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    # A child table is answered with more than was sent.
    return {name: record[name] if isinstance(value, list) else value for name, value in sent.items()}


def _page(dialect: Dialect, doctype: DocumentType) -> dict[str, Any]:
    row = {"anyOf": [reference(doctype.name, Part.LISTED), {"type": "array", "description": "With `as_dict=0`"}]}
    second = dialect is Dialect.FRAPPE_V2
    schemas = {"has_next_page": {"type": "boolean"}} if second else {}
    example = Reply(listed_example(doctype), beside={"has_next_page": False} if second else {})
    return reply_response({"type": "array", "items": row}, dialect, schemas, example)


def _body(doctype: DocumentType, verb: str) -> dict[str, Any]:
    part, example = (Part.NEW, new_example(doctype)) if verb == "POST" else (Part.CHANGED, changed_example(doctype))
    return {"schema": reference(doctype.name, part), **shown_example(example)}


def _name(doctype: DocumentType) -> dict[str, Any]:
    return {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": _TEXT,
        "description": "Its name",
        "example": example_of(doctype)["name"],
    }
