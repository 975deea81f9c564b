"""How an address finds its page: by segments, still percent-encoded, so that names may hold anything."""

from dataclasses import replace

import pytest
from starlette.responses import PlainTextResponse, Response

from latchgate.core.policy import PUBLIC
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page, Table
from support.asgi import Service


async def _show(call: Call) -> Response:
    return PlainTextResponse(repr(dict(call.parts)))


PAGE = Page(PUBLIC, frozenset({"GET"}), _show, Dialect.PAGE)
TABLE = Table(
    {},
    dict.fromkeys(
        ["/", "/app", "/app/user", "/app/user/{name}", "/app/user/new", "/app/source/{source}/{name}", "/x/{a}/edit"],
        PAGE,
    ),
)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("/", {}),
        ("/app", {}),
        ("/app/", {}),
        ("/app/user//", {}),
        ("/%61pp", {}),
        ("/app/user/ann%40example.com", {"name": "ann@example.com"}),
        ("/app/user/a%2Fb/", {"name": "a/b"}),
        ("/app/user/new", {}),
        ("/app/user/%6eew", {}),
        ("/app/user/{name}", {"name": "{name}"}),
        ("/app/source/Event%20Consumer/a%2F..%2Fb", {"source": "Event Consumer", "name": "a/../b"}),
        ("/app/source/%2F/%3F", {"source": "/", "name": "?"}),
        ("/app/user/%25%00", {"name": "%\0"}),
        ("/app/user/%ff", {"name": "�"}),
        ("/x/y/edit", {"a": "y"}),
    ],
)
def test_a_page_is_found_with_its_parts(address: str, parts: dict[str, str]) -> None:
    """Each variable segment holds one text, decoded; what is written out goes before what stands for anything."""
    target = TABLE.find_page(address, "GET")

    assert target is not None
    assert target.parts == parts


@pytest.mark.parametrize(
    "address",
    [
        "/app/nope",
        "/app%2Fuser",
        "/app/user%2Fnew",
        "/app/user/a/b",
        "/app/source/x",
        "/app/source//x",
        "//app",
        "/x//edit",
    ],
)
def test_nothing_else_is_a_page(address: str) -> None:
    """An encoded slash parts no segments, and none of them is empty."""
    assert TABLE.find_page(address, "GET") is None


def test_a_handler_gets_them_decoded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """All the way from the bytes of the request."""
    old = service.application
    pages = {**old.table.pages, "/app/source/{source}/{name}": PAGE}
    monkeypatch.setattr(service, "application", replace(old, table=replace(old.table, pages=pages)))

    answer = service.ask("/app/source/Event%20Consumer/a%2Fb%C3%A9?x=/y/")

    assert answer.text == "{'source': 'Event Consumer', 'name': 'a/bé'}"
