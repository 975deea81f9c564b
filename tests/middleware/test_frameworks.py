"""What is particular to a framework: documents, coroutines, settings, guards against forged requests."""

import asyncio
import io
import json
import pickle
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated, Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from fastapi import Depends, FastAPI
from flask import Flask
from starlette.requests import HTTPConnection

from latchgate.core.access_rules import RuleSet
from latchgate.core.log_entries import LogEntry
from latchgate.middleware import PUBLIC, Identity
from latchgate.middleware import flask as for_flask
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.django import LatchgateMiddleware
from latchgate.middleware.django import require as require_in_django
from latchgate.middleware.environs import read_environ
from latchgate.middleware.fastapi import current_identity, require
from latchgate.middleware.identities import JUDGED_KEY, KEY, requirement_of
from latchgate.middleware.rest_framework import requires
from latchgate.middleware.wsgi import WsgiMiddleware
from support.asgi import Pair, Service
from support.callers import Request, ask_asgi, ask_wsgi, environ_of, scope_of
from support.entrances import HeldKeeper
from support.rule_books import FakeBook, rule_of

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


def test_an_identity_that_is_shown_shows_no_secret(keeper: HeldKeeper, key: Pair) -> None:
    """An application may answer it, log it or put it away, whole: no header, digest or folder leaves with it."""
    app, told = FastAPI(), dict[str, Any]()
    app.add_middleware(AsgiMiddleware, keeper=keeper)

    @app.get("/reports", response_model=None)
    def whoami(request: HTTPConnection, identity: Annotated[Identity, Depends(current_identity)]) -> Identity:
        told.update({KEY: request.scope[KEY], JUDGED_KEY: request.scope[JUDGED_KEY]})
        return identity

    request = _carrying(key)
    seen = ask_asgi(app)(replace(request, headers=(*request.headers, (b"cookie", b"sid=a-cookie"))))

    assert (seen.status, json.loads(seen.body)["user"]) == (200, "api@example.com")
    identity = told[KEY]
    for shown in (seen.body, str(asdict(identity)), str(told), pickle.dumps(identity)):
        text = shown if isinstance(shown, str) else shown.decode("latin-1")
        assert "api@example.com" in text
        for secret in (key.token.partition(":")[2], "a-cookie", str(keeper.instance)):
            assert secret not in text
    assert asdict(identity)["who"]["proof"] == b""


def test_a_view_of_flask_that_is_a_coroutine_is_refused_too(keeper: HeldKeeper, key: Pair) -> None:
    """The decorator judges before the view is begun, whatever kind of function it is."""
    app = Flask("coroutines")

    @app.get("/reports")
    @for_flask.require(role="Reports")
    async def reports() -> str:
        raise AssertionError("the view was begun")

    app.wsgi_app = WsgiMiddleware(app.wsgi_app, requires=PUBLIC, keeper=keeper)  # type: ignore[method-assign]  # Flask's way

    assert ask_wsgi(app)(_carrying(key)).document["error"] == "forbidden"


def test_a_view_of_flask_can_require_more(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """What `current_identity().require` refuses is answered as the decorator does, not as a failure of the view."""
    app = Flask("views")

    @app.get("/reports")
    def reports() -> str:
        for_flask.current_identity().require(role="Reports")
        raise AssertionError("it was let in")

    app.wsgi_app = WsgiMiddleware(app.wsgi_app, requires=PUBLIC, keeper=keeper)  # type: ignore[method-assign]  # Flask's way

    seen = [ask_wsgi(app)(request) for request in (_carrying(key), Request(b"/reports"))]

    assert [one.status for one in seen] == [403, 401]
    assert "www-authenticate" in seen[1].headers
    assert [one.document["error"] for one in seen] == ["forbidden", "unauthenticated"]
    assert [(row.status, row.reason) for row in rows()] == [(403, "role_missing")]


def test_a_route_of_fastapi_can_require_more(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """So it is there, also where the middleware stands before the whole application, which answers failures itself."""
    app = FastAPI()

    @app.get("/reports")
    def reports(identity: Annotated[Identity, Depends(current_identity)]) -> None:
        identity.require(role="Reports")
        raise AssertionError("it was let in")

    ask = ask_asgi(AsgiMiddleware(app, requires=PUBLIC, keeper=keeper))
    seen = [ask(_carrying(key)), ask(Request(b"/reports"))]

    assert [(one.status, one.document["detail"]["error"]) for one in seen] == [
        (403, "forbidden"),
        (401, "unauthenticated"),
    ]
    assert [(row.status, row.reason) for row in rows()] == [(403, "role_missing")]


@pytest.mark.parametrize("define", [require, for_flask.require, require_in_django, requires, requirement_of])
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"role": []}, 'role=[] names no role: write role="Reports"'),
        ({"role": frozenset()}, "names no role"),
        ({"role": ""}, "role='' names no role"),
        ({"role": ["Reports", " "]}, "names no role"),
        ({"role": [None]}, "names no role"),
        ({"scope": []}, 'scope=[] names no scope: write one as text, scope="reports"'),
        ({"scope": ["reports"]}, "names no scope"),
        ({"scope": ""}, "names no scope"),
    ],
)
def test_what_names_nothing_is_told_where_it_is_written(
    define: Callable[..., object], asked: dict[str, Any], told: str
) -> None:
    """An empty list, as of a setting that is not there, would else let any user in."""
    with pytest.raises(ValueError, match=re.escape(told)):
        define(**{"role": None, "scope": None, **asked})


def test_an_identity_does_not_judge_by_what_names_nothing(keeper: HeldKeeper, key: Pair) -> None:
    """The same in the middle of a view: nobody is let in by mistake."""
    identity = keeper.admit(read_environ(environ_of(_carrying(key)), by_rules=False), PUBLIC).identity

    assert identity.allows(role=["Nobody", "All"])
    for judge in (identity.allows, identity.require):
        with pytest.raises(ValueError, match="names no role"):
            judge(role=[])


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


@pytest.mark.parametrize("target", [b"/gr%C3%B6%C3%9Fe", b"/%D1%84%D0%B0%D0%B9%D0%BB", b"/gr%c3%b6%c3%9fe/"])
def test_django_on_an_event_loop_judges_the_path_that_it_serves(
    service: Service, key: Pair, rows: Rows, target: bytes
) -> None:
    """There Django has the path as text; read as bytes it would be another one, which a wider rule may open."""
    strict = [rule_of(one, "Auditor", number=0) for one in ("/gr%C3%B6%C3%9Fe", "/%D1%84%D0%B0%D0%B9%D0%BB")]
    gate = replace(service.latchgate.gate, rule_book=FakeBook(RuleSet([*strict, rule_of("/*")])))
    keeper = HeldKeeper(replace(service.latchgate, gate=gate))

    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.path)

    async def ask(target: bytes) -> HttpResponse:
        request = ASGIRequest(scope_of(replace(_carrying(key), target=target)), io.BytesIO())
        answer: HttpResponse = await _django(keeper, view, rules=True)(request)
        return answer

    statuses = [asyncio.run(ask(one)).status_code for one in (target, b"/else?q=1")]

    assert statuses == [403, 200]
    assert [(row.path, row.status) for row in rows()] == [(target.decode(), 403), ("/else?q=1", 200)]


@pytest.mark.parametrize("end", [SystemExit, RuntimeError])
def test_django_logs_what_nothing_answers(keeper: HeldKeeper, key: Pair, rows: Rows, end: type[BaseException]) -> None:
    """A worker that is ended in the middle of a request, or an exception that Django passes on, leaves a row."""

    def view(_: HttpRequest) -> HttpResponse:
        raise end

    async def slow_view(_: HttpRequest) -> HttpResponse:
        raise end

    with pytest.raises(end):
        _django(keeper, view)(WSGIRequest(environ_of(_carrying(key))))
    answer: Any = _django(keeper, slow_view)(WSGIRequest(environ_of(_carrying(key))))
    with pytest.raises(end):
        # Not by a loop, which would end by itself what ends the process.
        answer.send(None)

    assert [(row.status, row.reason) for row in rows()] == [(500, "internal")] * 2


def test_a_view_of_django_can_require_more(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """What `request.latchgate.require` refuses is answered as the decorator does, not as a failure of the view."""

    def view(request: HttpRequest) -> HttpResponse:
        request.latchgate.require(role="Reports")
        raise AssertionError("it was let in")

    given = {"requires": PUBLIC, "keeper": keeper}
    middleware = ["latchgate.middleware.django.LatchgateMiddleware"]
    with override_settings(LATCHGATE=given, MIDDLEWARE=middleware, ROOT_URLCONF=(path("reports", view),)):
        ask = ask_wsgi(WSGIHandler())
        seen = [ask(_carrying(key)), ask(Request(b"/reports"))]

    assert [(one.status, one.document["error"]) for one in seen] == [(403, "forbidden"), (401, "unauthenticated")]
    assert [(row.status, row.reason) for row in rows()] == [(403, "role_missing")]
