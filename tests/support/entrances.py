"""Every way into an application that Latchgate protects, before the same four addresses of it."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import override_settings
from fastapi import Depends, FastAPI
from flask import Flask, jsonify
from starlette.responses import PlainTextResponse

from latchgate.bootstrap import Latchgate
from latchgate.core.credentials import Scheme
from latchgate.core.forwarded import Proxy
from latchgate.core.heads import collect_presented
from latchgate.core.policy import PUBLIC, SIGNED_IN, UNLIMITED, Requirement
from latchgate.middleware import fastapi as for_fastapi
from latchgate.middleware import flask as for_flask
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.django import LatchgateMiddleware
from latchgate.middleware.django import require as require_in_django
from latchgate.middleware.identities import ANY_SCOPE, Identity, Judged, get_identity
from latchgate.middleware.keepers import Keeper
from latchgate.middleware.local import judge
from latchgate.middleware.wsgi import WsgiMiddleware
from latchgate.server.app import Application, Site
from latchgate.server.fast_lane import FastLane
from latchgate.server.replies import Dialect, Reply
from latchgate.server.requests import Call
from latchgate.server.routes import Page, Table
from latchgate.server.run import build_application
from support.callers import HOST, Ask, Request, Seen, ask_asgi, ask_wsgi
from support.protected import PROXY, question
from support.rule_books import rule_of

__all__ = [
    "ENTRANCES",
    "LEVELS",
    "REMOTE",
    "ROLE",
    "RULES",
    "SCOPE",
    "CountedLane",
    "Entrance",
    "HeldKeeper",
    "echo_asgi",
    "echo_wsgi",
    "tell",
]

ROLE, SCOPE = "Auditor", "reports"
LEVELS: dict[str, Requirement] = {
    "/signed-in": UNLIMITED,
    "/any-scope": SIGNED_IN,
    "/role": replace(UNLIMITED, roles=frozenset({ROLE})),
    "/scope": Requirement(user=True, scope=SCOPE),
    "/open": PUBLIC,
}
"""What each address requires."""
RULES = [
    rule_of("/signed-in", number=0),
    rule_of("/any-scope", number=0, scopes="*"),
    rule_of("/role", ROLE, number=0),
    rule_of("/scope", scopes=SCOPE, number=0),
    rule_of("/open", number=0, guest=True),
]
"""The same as access rules."""


class HeldKeeper:
    """A keeper upon an instance that is open already."""

    def __init__(self, latchgate: Latchgate) -> None:
        self._latchgate = latchgate
        self.instance: Hashable = latchgate.settings.home
        self.usual = UNLIMITED

    def open(self) -> None:
        """Do nothing."""

    def admit_at_once(self, head: Any, requires: Requirement | None) -> Any:  # noqa: ANN401  # as the keeper's
        """Decide."""
        record, sync = self._latchgate.gate.record, self._latchgate.request_log.sync
        presented = collect_presented(head, self._latchgate.settings.trusted_proxies, sessions=False)
        judged = Judged(self.instance, head, by_rules=requires is None)
        return judge(self._latchgate, presented, judged, requires, record=record, sync=sync)

    admit = admit_at_once

    def close(self) -> None:
        """Do nothing."""


def tell(identity: Identity) -> dict[str, Any]:
    """Write who asks as the applications here answer it."""
    return {
        "user": identity.user,
        "roles": sorted(identity.roles),
        "credential": identity.credential,
        "scheme": identity.scheme,
    }


async def echo_asgi(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # as ASGI says
    """Answer who asks."""
    body = json.dumps(tell(get_identity(scope))).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def echo_wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
    """Answer who asks."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(tell(get_identity(environ))).encode()]


def _server(latchgate: Latchgate, keeper: Keeper) -> Ask:
    async def handle(call: Call) -> Reply | PlainTextResponse:
        principal = call.admission.principal
        told = {"user": principal.user if principal else "Guest"}
        return PlainTextResponse(json.dumps(told), media_type="application/json")

    pages = {
        # Of the others, none looks at a cookie.
        path: Page(replace(level, schemes=level.schemes - {Scheme.SESSION}), frozenset({"GET"}), handle, Dialect.PLAIN)
        for path, level in LEVELS.items()
    }
    site = Site("https://auth.example.com", (), gate_may_wait=False, render_fault_page=lambda *_: PlainTextResponse(""))
    return ask_asgi(Application(latchgate.gate, Table(methods={}, pages=pages), site))


def _by_path(wrap: Callable[[Requirement], Ask]) -> Ask:
    """Ask of another middleware for each address."""
    asks = {path: wrap(level) for path, level in LEVELS.items()}
    return lambda request: asks[request.target.partition(b"?")[0].decode()](request)


def _asgi(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return _by_path(lambda level: ask_asgi(AsgiMiddleware(echo_asgi, requires=level, keeper=keeper)))


def _wsgi(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return _by_path(lambda level: ask_wsgi(WsgiMiddleware(echo_wsgi, requires=level, keeper=keeper)))


def _asgi_rules(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return ask_asgi(AsgiMiddleware(echo_asgi, rules=True, keeper=keeper))


def _wsgi_rules(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return ask_wsgi(WsgiMiddleware(echo_wsgi, rules=True, keeper=keeper))


def _needed(path: str) -> dict[str, str]:
    return {"/role": {"role": ROLE}, "/scope": {"scope": SCOPE}, "/any-scope": {"scope": ANY_SCOPE}}.get(path, {})


def _asgi_require(latchgate: Latchgate, keeper: Keeper) -> Ask:
    async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # as ASGI says
        if scope["path"] != "/open":
            get_identity(scope).require(**_needed(scope["path"]))
        await echo_asgi(scope, receive, send)

    return ask_asgi(AsgiMiddleware(application, requires=PUBLIC, keeper=keeper))


def _wsgi_require(latchgate: Latchgate, keeper: Keeper) -> Ask:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
        if environ["PATH_INFO"] != "/open":
            get_identity(environ).require(**_needed(environ["PATH_INFO"]))
        yield from echo_wsgi(environ, start_response)

    return ask_wsgi(WsgiMiddleware(application, requires=PUBLIC, keeper=keeper))


def _fastapi(latchgate: Latchgate, keeper: Keeper) -> Ask:
    app = FastAPI()
    for path in LEVELS:
        dependency = for_fastapi.current_identity if path == "/open" else for_fastapi.require(**_needed(path))

        def view(identity: Identity = Depends(dependency)) -> dict[str, Any]:  # noqa: B008  # FastAPI's way
            return tell(identity)

        app.get(path)(view)
    app.add_middleware(AsgiMiddleware, requires=PUBLIC, keeper=keeper)
    return ask_asgi(app)


def _flask(latchgate: Latchgate, keeper: Keeper) -> Ask:
    app = Flask("entrances")
    for path in LEVELS:

        def view() -> Any:  # noqa: ANN401  # Flask's response
            return jsonify(tell(for_flask.current_identity()))

        judged = view if path == "/open" else for_flask.require(**_needed(path))(view)
        app.add_url_rule(path, path, judged)
    app.wsgi_app = WsgiMiddleware(app.wsgi_app, requires=PUBLIC, keeper=keeper)  # type: ignore[method-assign]  # Flask's way
    return ask_wsgi(app)


def _begin_django() -> None:
    """Set Django up, once in a process, with nothing but addresses."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            MIDDLEWARE=[],
            SECRET_KEY="of no use here",
            INSTALLED_APPS=["rest_framework"],
            REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        )
        django.setup()


_begin_django()


class _OwnUrls:
    """Django with one middleware and addresses of its own, as WSGI."""

    def __init__(self, keeper: Keeper, views: Mapping[str, Callable[[HttpRequest], HttpResponse]]) -> None:
        self._views = views
        given = {"requires": PUBLIC, "keeper": keeper}
        with override_settings(LATCHGATE=given):
            self._middleware = LatchgateMiddleware(self._view)

    def _view(self, request: HttpRequest) -> HttpResponse:
        return self._views[request.path](request)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
        response: Any = self._middleware(WSGIRequest(environ))
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [bytes(response.content)]


def _django(latchgate: Latchgate, keeper: Keeper) -> Ask:
    def view(request: HttpRequest) -> HttpResponse:
        return JsonResponse(tell(request.latchgate))

    views = {path: view if path == "/open" else require_in_django(**_needed(path))(view) for path in LEVELS}
    return ask_wsgi(_OwnUrls(keeper, views))


def _rest_framework(latchgate: Latchgate, keeper: Keeper) -> Ask:
    # Only once Django is set up.
    from rest_framework.response import Response  # noqa: PLC0415
    from rest_framework.views import APIView  # noqa: PLC0415

    from latchgate.middleware.rest_framework import LatchgateAuthentication, requires  # noqa: PLC0415

    def view_for(path: str) -> Callable[[HttpRequest], HttpResponse]:
        class View(APIView):  # type: ignore[misc]  # the library has no types
            authentication_classes = (LatchgateAuthentication,)
            permission_classes = () if path == "/open" else (requires(**_needed(path)),)

            def get(self, request: Any) -> Any:  # noqa: ANN401  # the library has no types
                assert str(request.user or "Guest") == get_identity(request.META).user
                return Response(tell(get_identity(request.META)))

        view = View.as_view()
        return lambda request: view(request).render()

    return ask_wsgi(_OwnUrls(keeper, {path: view_for(path) for path in LEVELS}))


def _forward_auth(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return _by_question(replace(build_application(latchgate), lane=None))


class CountedLane:
    """A fast lane behind the questions of a proxy, and how many it has answered by itself."""

    def __init__(self, latchgate: Latchgate) -> None:
        application = build_application(latchgate)
        assert application.lane is not None
        self._lane: FastLane = application.lane
        # As much of a lane as is asked.
        self._asked = _by_question(replace(application, lane=self))  # type: ignore[arg-type]
        self.answered = 0

    def answer_scope(self, scope: Any) -> Any:  # noqa: ANN401  # as the lane's
        """Answer as the lane does."""
        quick = self._lane.answer_scope(scope)
        self.answered += quick is not None
        return quick

    def __call__(self, request: Request) -> Seen:
        """Ask; it has answered nothing but what is let in by a credential in its usual spelling."""
        before = self.answered
        seen = self._asked(request)
        usual = any(value.startswith((b"token ", b"Basic ", b"Bearer ")) for _, value in request.headers)
        assert self.answered == before or (usual and seen.status == 200), request
        return seen


def _lane(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return CountedLane(latchgate)


def _by_question(application: Application) -> Ask:
    asked = ask_asgi(application)

    def ask(request: Request) -> Seen:
        _, target, told = question(Proxy.NGINX, request.method, request.target, HOST.decode(), request.peer)
        # As nginx does: a caller's own X-Forwarded-For stands left of what the proxy adds.
        # A session's cookie counts there; this table is not about sessions.
        headers = [header for header in request.headers if header[0] not in {b"x-forwarded-for", b"cookie"}]
        seen = asked(Request(target, (*told, *headers), peer=PROXY, host=b""))
        if seen.status != 204:
            return seen
        return Seen(200, seen.headers, json.dumps({"user": seen.headers["x-auth-request-user"] or "Guest"}).encode())

    return ask


def _remote_asgi(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return ask_asgi(AsgiMiddleware(echo_asgi, rules=True, keeper=keeper))


def _remote_wsgi(latchgate: Latchgate, keeper: Keeper) -> Ask:
    return ask_wsgi(WsgiMiddleware(echo_wsgi, rules=True, keeper=keeper))


Entrance = Callable[[Latchgate, Keeper], Ask]
REMOTE = {"remote, asgi": _remote_asgi, "remote, wsgi": _remote_wsgi}
"""Whose keeper asks a server."""
ENTRANCES: dict[str, Entrance] = {
    "server": _server,
    "asgi": _asgi,
    "asgi by rules": _asgi_rules,
    "asgi by require": _asgi_require,
    "wsgi": _wsgi,
    "wsgi by rules": _wsgi_rules,
    "wsgi by require": _wsgi_require,
    "fastapi": _fastapi,
    "flask": _flask,
    "forward-auth": _forward_auth,
    "lane": _lane,
    "django": _django,
    "django rest framework": _rest_framework,
    **REMOTE,
}
