"""The OpenAPI document holds every route, and records are as it says."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from latchgate.core.document_types import Writer
from latchgate.core.documents import DOCUMENT_TYPES, source_type
from latchgate.core.forwarded import Original, Proxy, Untold, read_original
from latchgate.core.identity_headers import IDENTITY_HEADERS
from latchgate.server.forward_auth import VERIFY_PATH
from latchgate.server.openapi_oauth import OAUTH_METHODS, OAUTH_PREFIX
from latchgate.server.openapi_texts import METHODS, PAGES
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Pair, Service
from support.oauth_rows import add_oauth_rows
from wire.conftest import MANAGER

_PREFIXES = ("/api/method/", "/api/v1/method/", "/api/v2/method/")
_SECRETS = {"api_secret", "client_secret"}
"""What is answered once, or in asterisks, beside a record's fields."""


@pytest.fixture(scope="module", autouse=True)
def _something_of_each_type(service: Service, manager_key: Pair) -> None:
    """A client with a token and a consent, which nobody makes as documents, and an access rule."""
    add_oauth_rows(service.latchgate.documents.store, MANAGER)
    service.latchgate.documents.create(COMMAND_LINE, "Access Rule", {"path": "/reports/*"})


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
        # What OAuth's clients ask stands at one address: that of the metadata.
        for prefix in (("/api/method/",) if name.startswith(OAUTH_PREFIX) else _PREFIXES)
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
    # Proxies ask it before there is a route.
    expected.add((VERIFY_PATH, "get"))

    assert {(path, verb) for path, verbs in document["paths"].items() for verb in verbs} == expected


def test_every_text_is_of_a_route(service: Service) -> None:
    """No text is left of a method or page that is gone; one page is there in development only."""
    table = service.application.table

    assert {*METHODS, *(OAUTH_PREFIX + name for name in OAUTH_METHODS)} == set(table.methods)
    assert set(PAGES) - {"/app/components"} == set(table.pages)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """What the document refers to is in it, and each operation has a name of its own."""
    parts = document["components"]
    names = {f"#/components/{part}/{name}" for part in ("schemas", "responses") for name in parts[part]}
    operations = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]

    assert set(_references(document)) <= names
    assert len(operations) == len(set(operations))


@pytest.mark.parametrize("doctype", sorted(DOCUMENT_TYPES))
def test_records_have_the_fields_that_it_names(
    service: Service, manager_key: Pair, document: dict[str, Any], doctype: str
) -> None:
    """A record has, for a System Manager, the fields described; a secret that can be written is none of them."""
    rows = service.ask(f"/api/resource/{quote(doctype)}?limit=3", manager_key.token).document["data"]
    assert rows
    schemas = document["components"]["schemas"]
    name = doctype.replace(" ", "")
    described = set(schemas[name]["properties"])
    secrets = {field for field, schema in schemas[f"New{name}"]["properties"].items() if schema.get("writeOnly")}
    assert secrets == ({"new_password"} if doctype == "User" else set())
    assert not secrets & described
    for row in rows:
        target = f"/api/resource/{quote(doctype)}/{quote(row['name'], safe='')}"
        record = service.ask(target, manager_key.token).document["data"]
        assert set(record) | _SECRETS == described | _SECRETS
        assert set(schemas[name]["required"]) <= set(record)


@pytest.mark.parametrize("doctype", [*DOCUMENT_TYPES, "Event Consumer"])
def test_what_is_sent_is_described_apart_from_what_is_answered(document: dict[str, Any], doctype: str) -> None:
    """A new record must name what creating demands, a change nothing; neither names what is computed."""
    name = doctype.replace(" ", "")
    schemas = document["components"]["schemas"]
    fields = (DOCUMENT_TYPES.get(doctype) or source_type(doctype)).fields
    computed = {field for field, spec in fields.items() if spec.access.write is Writer.NOBODY}

    assert set(schemas[f"New{name}"].get("required", [])) == {
        field for field, spec in fields.items() if spec.access.required
    }
    assert not computed & set(schemas[f"New{name}"]["properties"])
    assert "required" not in schemas[f"Changed{name}"]
    assert computed & set(schemas[f"Changed{name}"]["properties"]) == {"modified"}
    assert computed | {"doctype"} <= {
        field for field, schema in schemas[name]["properties"].items() if schema.get("readOnly")
    }
    assert "required" not in schemas[f"Listed{name}"]


def test_a_change_by_session_needs_its_token(document: dict[str, Any]) -> None:
    """Any one credential opens a route that needs one; a session opens a change only with the token of its pages."""
    read = document["paths"]["/api/resource/User"]["get"]["security"]
    made = document["paths"]["/api/resource/User"]["post"]["security"]

    assert read == [{"token": []}, {"basic": []}, {"bearer": []}, {"session": []}]
    assert made == [{"token": []}, {"basic": []}, {"bearer": []}, {"session": [], "csrf": []}]
    assert document["paths"]["/api/method/ping"]["get"]["security"] == []


def test_it_tells_no_secret_and_no_other_host(document: dict[str, Any]) -> None:
    """It is public: only this server's address is in it."""
    assert document["servers"] == [{"url": "http://127.0.0.1:8000"}]
    assert set(document["components"]["securitySchemes"]) == {"token", "basic", "bearer", "client", "session", "csrf"}


def test_a_proxys_question_and_its_answer_are_described(service: Service, document: dict[str, Any]) -> None:
    """Whoever sets a proxy up finds the dialects, the headers of a yes, and who may ask."""
    described = document["paths"][VERIFY_PATH]["get"]
    dialects = next(one["schema"]["enum"] for one in described["parameters"] if one["name"] == "proxy")

    assert dialects == [proxy.value for proxy in Proxy]
    assert tuple(described["responses"]["204"]["headers"]) == IDENTITY_HEADERS
    assert {} in described["security"]
    stranger = service.ask(VERIFY_PATH, peer="192.0.2.200")
    assert stranger.status == 403
    schema = document["components"]["schemas"]["Error"]
    assert set(schema["required"]) <= set(stranger.document) <= set(schema["properties"])


def test_headers_that_tell_of_the_original_are_those_that_are_read(document: dict[str, Any]) -> None:
    """A question with the described headers of each dialect is understood."""
    described = {one["name"].encode().lower() for one in document["paths"][VERIFY_PATH]["get"]["parameters"]}
    values = {b"x-forwarded-for": b"192.0.2.7", b"x-original-uri": b"/", b"x-forwarded-uri": b"/"}

    headers = [(b"host", b"h"), *((name, values.get(name, b"GET")) for name in sorted(described - {b"proxy"}))]

    for proxy in Proxy:
        assert isinstance(read_original(proxy, "GET", b"/", headers), Original)
        assert proxy is Proxy.ENVOY or isinstance(read_original(proxy, "GET", b"/", headers[:2]), Untold)
