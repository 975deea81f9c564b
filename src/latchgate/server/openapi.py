"""The OpenAPI document: every route of the table, and every document type as its description says.

Source: OpenAPI Specification 3.1.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from latchgate import __version__
from latchgate.core.documents import DOCUMENT_TYPES, source_type
from latchgate.server.openapi_schemas import (
    ERRORS,
    LIST_PARAMETERS,
    LOG_PARAMETERS,
    SECURITY_SCHEMES,
    component_name,
    describe_type,
    error_responses,
    reply_schema,
)
from latchgate.server.openapi_texts import METHODS, PAGES, Argument
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Method, Page, RecordRoute, Table

__all__ = ["OpenApi", "build_document"]

_SIGNED_IN: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
_BODIED = frozenset({"POST", "PUT", "PATCH"})
_VERBS = {
    ("GET", False): "List records of",
    ("POST", False): "Make a record of",
    ("GET", True): "Read a record of",
    ("PUT", True): "Change a record of",
    ("PATCH", True): "Change a record of",
    ("DELETE", True): "Delete a record of",
}
_TYPES = {**DOCUMENT_TYPES, "Event Consumer": source_type("Event Consumer")}
_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Its name"}


class OpenApi:
    """Answers with the document, which is built once from the table that this page itself stands in."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._body = b""

    def describe(self, table: Table) -> None:
        """Build the document of all routes."""
        self._body = json.dumps(build_document(table, self._public_url)).encode()

    async def __call__(self, _call: Call) -> Response:
        """Answer with the document."""
        return Response(self._body, media_type="application/json")


def build_document(table: Table, public_url: str) -> dict[str, Any]:
    """Describe every route of a table."""
    paths: dict[str, dict[str, Any]] = {}
    for path, verb, operation in (*_methods(table.methods), *_records(table), *_pages(table.pages)):
        operation["operationId"] = re.sub(r"[^A-Za-z0-9]+", "_", f"{verb} {path}").strip("_")
        paths.setdefault(path, {})[verb.lower()] = operation
    schemas = dict(ERRORS)
    for doctype in _TYPES.values():
        schemas |= describe_type(doctype)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Latchgate",
            "version": __version__,
            "description": "Users, API keys, roles and logs, on the wire of the Frappe framework.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SECURITY_SCHEMES},
    }


def _methods(methods: Mapping[str, Method]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, method in methods.items():
        for prefix, dialect in (("/api/method/", Dialect.FRAPPE_V1), ("/api/v2/method/", Dialect.FRAPPE_V2)):
            for verb in sorted(method.http_methods):
                yield prefix + name, verb, _call(name, method, verb, dialect)


def _call(name: str, method: Method, verb: str, dialect: Dialect) -> dict[str, Any]:
    text = METHODS[name]
    operation: dict[str, Any] = {
        "summary": text.summary,
        "tags": ["Methods"],
        "responses": {"200": reply_schema(text.answer, dialect), **error_responses(dialect)},
        "security": _SIGNED_IN if method.requires.user else [],
    }
    if verb in _BODIED:
        operation["requestBody"] = _body(_arguments(text.arguments))
    else:
        operation["parameters"] = [_query(argument) for argument in text.arguments]
    return operation


def _records(table: Table) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for route, doctype in product(table.records, _TYPES):
        path = route.prefix + quote(doctype)
        if not route.all:
            count = {"type": "integer"}
            yield f"{path}/count", "GET", _about(doctype, "Count records of", count, LIST_PARAMETERS)
            yield f"{path}/meta", "GET", _about(doctype, "Describe the fields of", {"type": "object"}, [])
            continue
        for verb in route.all:
            yield path, verb, _record(route, doctype, verb, named=False)
        for verb in route.one:
            yield f"{path}/{{name}}", verb, _record(route, doctype, verb, named=True)


def _record(route: RecordRoute, doctype: str, verb: str, *, named: bool) -> dict[str, Any]:
    record = {"$ref": f"#/components/schemas/{component_name(doctype)}"}
    listed = verb == "GET" and not named
    answer: dict[str, Any] = {"type": "array", "items": {"type": ["object", "array"]}} if listed else record
    if verb == "DELETE":
        answer = {"const": "ok"}
    dialect = route.dialect
    beside = {"has_next_page": {"type": "boolean"}} if listed and dialect is Dialect.FRAPPE_V2 else {}
    status = "202" if verb == "DELETE" else "200"
    operation: dict[str, Any] = {
        "summary": f"{_VERBS[verb, named]} {doctype}",
        "tags": [doctype],
        "security": _SIGNED_IN,
        "responses": {status: reply_schema(answer, dialect, beside), **error_responses(dialect)},
    }
    parameters = [_NAME] if named else []
    if listed:
        parameters += LOG_PARAMETERS if _TYPES[doctype].log else LIST_PARAMETERS
    if parameters:
        operation["parameters"] = parameters
    if verb in _BODIED:
        operation["requestBody"] = _body(record)
    return operation


def _about(doctype: str, verb: str, answer: Mapping[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "summary": f"{verb} {doctype}",
        "tags": [doctype],
        "security": _SIGNED_IN,
        "parameters": parameters,
        "responses": {
            "200": reply_schema(answer, Dialect.FRAPPE_V2),
            **error_responses(Dialect.FRAPPE_V2),
        },
    }


def _pages(pages: Mapping[str, Page]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, page in pages.items():
        for verb in sorted(page.http_methods):
            operation: dict[str, Any] = {
                "summary": PAGES[path],
                "tags": ["Pages"],
                "responses": {"default": {"description": "A page, a file or a short document"}},
                "security": _SIGNED_IN if page.requires.user else [],
            }
            if "{name}" in path:
                operation["parameters"] = [_NAME]
            yield path, verb, operation


def _arguments(arguments: tuple[Argument, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {argument.name: _described(argument) for argument in arguments},
    }
    required = [argument.name for argument in arguments if argument.required]
    return schema | ({"required": required} if required else {})


def _described(argument: Argument) -> dict[str, Any]:
    return {**argument.schema, "description": argument.description}


def _query(argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "in": "query",
        "required": argument.required,
        "description": argument.description,
        "schema": argument.schema,
    }


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
