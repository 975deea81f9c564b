"""The OpenAPI document: every route of the table, and every document type as its description says.

Source: OpenAPI Specification 3.1.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any
from urllib.parse import quote

from latchgate import __version__
from latchgate.core.document_types import DocumentType
from latchgate.core.documents import DOCUMENT_TYPES, source_type
from latchgate.server.forward_auth import VERIFY_PATH
from latchgate.server.openapi_errors import ERRORS, error_references, error_responses
from latchgate.server.openapi_forward_auth import verify_operations
from latchgate.server.openapi_oauth import OAUTH_PREFIX, oauth_operations
from latchgate.server.openapi_records import about_operation, record_operation
from latchgate.server.openapi_schemas import (
    SECURITY_SCHEMES,
    describe_type,
    reply_response,
    required_credentials,
    shown_example,
)
from latchgate.server.openapi_texts import METHODS, PAGES, Argument, MethodText
from latchgate.server.replies import Dialect
from latchgate.server.routes import METHOD_PREFIXES, Method, Page, Table

__all__ = ["build_document"]

_BODIED = frozenset({"POST", "PUT", "PATCH"})
_TYPES = {**DOCUMENT_TYPES, "Event Consumer": source_type("Event Consumer")}
_DESCRIPTION = """\
Users, API keys, roles and logs, on the wire of the Frappe framework.

Send `Authorization: token <api_key>:<api_secret>` with each request. Addresses under `/api/v2/` answer in Frappe's
second envelope (`data`, `errors`), all others in its first; `/api/v1/` is `/api/` by another name. The records of every
other Authorization Source have the addresses and fields of those of Event Consumer, under its own name.
"""


def build_document(table: Table, public_url: str) -> dict[str, Any]:
    """Describe every route of a table."""
    paths: dict[str, dict[str, Any]] = {}
    for path, verb, operation in _operations(table):
        operation["operationId"] = re.sub(r"[^A-Za-z0-9]+", "_", f"{verb} {path}").strip("_")
        paths.setdefault(path, {})[verb.lower()] = operation
    paths[VERIFY_PATH] = verify_operations()
    schemas = dict(ERRORS)
    for doctype in _TYPES.values():
        schemas |= describe_type(doctype)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Latchgate",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [
            {"name": "Methods", "description": "Remote methods, by Frappe's names"},
            {"name": "OAuth 2", "description": "The endpoints of OAuth 2 and OpenID Connect"},
            *(_tag(doctype) for doctype in _TYPES.values()),
            {"name": "Forward-auth", "description": "What proxies ask before they pass a request on"},
            {"name": "Pages", "description": "For people, and for whoever watches the service"},
        ],
        "paths": paths,
        "components": {"schemas": schemas, "responses": error_responses(), "securitySchemes": SECURITY_SCHEMES},
    }


def _operations(table: Table) -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield from _methods({name: method for name, method in table.methods.items() if not name.startswith(OAUTH_PREFIX)})
    yield from oauth_operations(table.methods)
    yield from _records(table)
    yield from _pages(table.pages)


def _tag(doctype: DocumentType) -> dict[str, str]:
    return {"name": doctype.name, "description": (doctype.model.__doc__ or "").partition("\n")[0]}


def _methods(methods: Mapping[str, Method]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, method in methods.items():
        for prefix, dialect in METHOD_PREFIXES.items():
            for verb in sorted(method.http_methods):
                yield prefix + name, verb, _call(METHODS[name], method, verb, dialect)


def _call(text: MethodText, method: Method, verb: str, dialect: Dialect) -> dict[str, Any]:
    done = {} if text.example is None else {"200": _method_reply(text, dialect)}
    operation: dict[str, Any] = {
        "summary": text.summary,
        "tags": ["Methods"],
        "responses": {**done, **error_references(dialect, verb)},
        "security": required_credentials(verb) if method.requires.user else [],
    }
    if verb in _BODIED:
        example = shown_example(text.sent) if text.sent else {}
        operation["requestBody"] = {"content": {"application/json": {"schema": _arguments(text.arguments), **example}}}
    else:
        operation["parameters"] = [_query(argument, text.sent) for argument in text.arguments]
    return operation


def _method_reply(text: MethodText, dialect: Dialect) -> dict[str, Any]:
    if not text.beside or dialect is Dialect.FRAPPE_V1:
        return reply_response(text.answer, dialect, text.beside, text.example)
    # Version 2 has but one field outside, so that what stood beside the value comes to it.
    whole = {"type": "object", "properties": {"message": text.answer, **text.beside}}
    return reply_response(whole, dialect, {}, text.example)


def _records(table: Table) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for route, doctype in product(table.records, _TYPES.values()):
        path = route.prefix + quote(doctype.name)
        if not route.all:
            yield f"{path}/count", "GET", about_operation(doctype, "count")
            yield f"{path}/meta", "GET", about_operation(doctype, "meta")
            continue
        for verb in route.all:
            yield path, verb, record_operation(route.dialect, doctype, verb, named=False)
        for verb in route.one:
            yield f"{path}/{{name}}", verb, record_operation(route.dialect, doctype, verb, named=True)


def _pages(pages: Mapping[str, Page]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, page in pages.items():
        for verb in sorted(page.http_methods):
            operation: dict[str, Any] = {
                "summary": PAGES[path],
                "tags": ["Pages"],
                "responses": {"default": {"description": "A page, a file or a short document"}},
                "security": required_credentials(verb) if page.requires.user else [],
            }
            named = re.findall(r"\{(\w+)\}", path)
            if named:
                operation["parameters"] = [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named
                ]
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


def _query(argument: Argument, sent: Mapping[str, Any]) -> dict[str, Any]:
    example = sent.get(argument.name)
    return {
        "name": argument.name,
        "in": "query",
        "required": argument.required,
        "description": argument.description,
        # What is more than a text is written as JSON into a query.
        "schema": argument.schema if argument.schema.get("type") == "integer" else {"type": "string"},
        **({} if example is None else {"example": example if isinstance(example, str) else json.dumps(example)}),
    }
