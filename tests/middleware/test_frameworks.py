"""What is particular to a framework: documents, coroutines, settings, guards against forged requests."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from fastapi import Depends, FastAPI
from flask import Flask

from latchgate.core.log_entries import LogEntry
from latchgate.middleware import PUBLIC, Identity
from latchgate.middleware import flask as for_flask
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.django import LatchgateMiddleware
from latchgate.middleware.django import require as require_in_django
from latchgate.middleware.fastapi import require
from latchgate.middleware.wsgi import WsgiMiddleware
from support.asgi import Pair
from support.callers import Request, ask_asgi, ask_wsgi, environ_of
from support.entrances import HeldKeeper

Rows = Callable[[], list[LogEntry]]


def _carrying(key: Pair) -> Request:
    return Request(b"/reports", ((b"authorization", key.token.encode()),))


def test_fastapis_document_shows_which_routes_need_a_credential(keeper: HeldKeeper) -> None:
    """The scheme stands in the document once, and at each route that requires it."""
    app = FastAPI()
    app.add_middleware(AsgiMiddleware, requires=PUBLIC, keeper=keeper)

    @app.get("/open")
    def anybody() -> None: ...

    @app.get("/reports")
    def reports(identity: Annotated[Identity, Depends(require(role="Reports"))]) -> None: ...

    document = app.openapi()

    [(name, scheme)] = document["components"]["securitySchemes"].items()
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
    assert document["paths"]["/reports"]["get"]["security"] == [{name: []}]
    assert "security" not in document["paths"]["/open"]["get"]


def test_fastapis_refusal_says_what_the_middlewares_says(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """Its handlers dress it; what it tells is the same, and so is the log."""
    app = FastAPI()
    app.add_middleware(AsgiMiddleware, requires=PUBLIC, keeper=keeper)

    @app.get("/reports")
    def reports(identity: Annotated[Identity, Depends(require(role="Reports"))]) -> None: ...

    seen = ask_asgi(app)(_carrying(key))

    assert seen.status == 403
    assert seen.document["detail"] == {"error": "forbidden", "message": "Your roles do not allow this."}
    assert [row.reason for row in rows()] == ["role_missing"]


def test_a_view_of_flask_that_is_a_coroutine_is_refused_too(keeper: HeldKeeper, key: Pair) -> None:
    """The decorator judges before the view is begun, whatever kind of function it is."""
    app = Flask("coroutines")

    @app.get("/reports")
    @for_flask.require(role="Reports")
    async def reports() -> str:
        raise AssertionError("the view was begun")

    app.wsgi_app = WsgiMiddleware(app.wsgi_app, requires=PUBLIC, keeper=keeper)  # type: ignore[method-assign]  # Flask's way

    assert ask_wsgi(app)(_carrying(key)).document["error"] == "forbidden"


def _django(keeper: HeldKeeper, view: Callable[[HttpRequest], Any], **given: object) -> LatchgateMiddleware:
    with override_settings(LATCHGATE={"requires": PUBLIC, "keeper": keeper, **given}):
        return LatchgateMiddleware(view)


def test_django_answers_coroutines(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """Where Django runs on an event loop, requests are judged and logged as elsewhere."""

    @require_in_django(scope="all")
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.latchgate.user)

    async def ask(request: Request) -> HttpResponse:
        answer: HttpResponse = await _django(keeper, view)(WSGIRequest(environ_of(request)))
        return answer

    answers = [asyncio.run(ask(request)) for request in (_carrying(key), Request())]

    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[0].content == b"api@example.com"
    assert [(row.user, row.status) for row in rows()] == [("api@example.com", 200)]


def test_django_asks_no_token_of_who_sent_a_credential(keeper: HeldKeeper, key: Pair) -> None:
    """What a browser sends by itself decided nothing, so that no page has forged it; that of a guest it might have."""
    marked: list[bool] = []

    def view(request: HttpRequest) -> HttpResponse:
        marked.append(getattr(request, "_dont_enforce_csrf_checks", False))
        return HttpResponse()

    for request in (_carrying(key), Request()):
        _django(keeper, view)(WSGIRequest(environ_of(request)))

    assert marked == [True, False]


def test_djangos_setting_is_checked(keeper: HeldKeeper) -> None:
    """A misspelt key is told when Django starts: what is not known would leave everything open, or closed."""
    with pytest.raises(ValueError, match="has no 'require'; it takes keeper, requires, rules"):
        _django(keeper, lambda _: HttpResponse(), require=PUBLIC)
