"""The OpenAPI document holds every route, and records are as it says."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.server.openapi_texts import METHODS, PAGES
from support.asgi import Pair, Service


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    """The document as anybody gets it."""
    answer = service.ask("/api/openapi.json")
    assert answer.status == 200
    found: dict[str, Any] = answer.document
    return found


def _references(value: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def test_every_route_is_in_it(service: Service, document: dict[str, Any]) -> None:
    """Each method, page and address of records, with each HTTP method that it takes, and nothing else."""
    table = service.application.table
    expected = {
        (prefix + name, verb.lower())
        for name, method in table.methods.items()
        for verb in method.http_methods
        for prefix in ("/api/method/", "/api/v2/method/")
    }
    expected |= {(path, verb.lower()) for path, page in table.pages.items() for verb in page.http_methods}
    for route in table.records:
        for doctype in (*DOCUMENT_TYPES, "Event Consumer"):
            path = route.prefix + quote(doctype)
            expected |= {(path, verb.lower()) for verb in route.all}
            if route.all:
                expected |= {(path + "/{name}", verb.lower()) for verb in route.one}
            else:
                expected |= {(f"{path}/{what}", "get") for what in ("count", "meta")}

    assert {(path, verb) for path, verbs in document["paths"].items() for verb in verbs} == expected


def test_every_text_is_of_a_route(service: Service) -> None:
    """No text is left of a method or page that is gone."""
    table = service.application.table

    assert set(METHODS) == set(table.methods)
    assert set(PAGES) == set(table.pages)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """What the document refers to is in it, and each operation has a name of its own."""
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    operations = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]

    assert set(_references(document)) <= names
    assert len(operations) == len(set(operations))


@pytest.mark.parametrize("doctype", sorted(DOCUMENT_TYPES))
def test_records_have_the_fields_that_it_names(
    service: Service, manager_key: Pair, document: dict[str, Any], doctype: str
) -> None:
    """Each record's fields, read by a System Manager, are among those described, secrets to be written among none."""
    rows = service.ask(f"/api/resource/{quote(doctype)}?limit=3", manager_key.token).document["data"]
    assert rows
    schema = document["components"]["schemas"][doctype.replace(" ", "")]
    for row in rows:
        target = f"/api/resource/{quote(doctype)}/{quote(row['name'], safe='')}"
        record = service.ask(target, manager_key.token).document["data"]
        assert set(record) <= set(schema["properties"])
        hidden = {name for name, field in schema["properties"].items() if field.get("writeOnly")}
        assert not hidden & set(record)


def test_it_tells_no_secret_and_no_other_host(document: dict[str, Any]) -> None:
    """It is public: only this server's address is in it."""
    assert document["servers"] == [{"url": "http://127.0.0.1:8000"}]
    assert set(document["components"]["securitySchemes"]) == {"token", "basic", "bearer", "session"}
