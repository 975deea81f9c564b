"""For Django: middleware, and what a view requires as a decorator.

In the settings: `MIDDLEWARE = ["latchgate.middleware.django.LatchgateMiddleware", …]`, first of all; and, unless every
request is to be a user's by a credential that is limited to nothing, `LATCHGATE = {"requires": PUBLIC}` or
`{"rules": True}`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from latchgate.core.heads import Head, find_target
from latchgate.core.policy import Requirement
from latchgate.middleware.asgi import find_peer
from latchgate.middleware.environs import read_environ
from latchgate.middleware.identities import KEY, get_identity, requirement_of
from latchgate.middleware.judging import UNANSWERED_GONE, Judge, record_on_loop, record_unanswered_on_loop
from latchgate.middleware.keepers import Passage
from latchgate.middleware.refusals import INTERNAL, NOT_LOGGED, UNAVAILABLE, Refusal, Refused
from latchgate.middleware.wsgi import tell_environ

__all__ = ["LatchgateMiddleware", "require"]

_SETTING = "LATCHGATE"
_KNOWN = frozenset({"requires", "rules", "keeper"})


class LatchgateMiddleware:
    """Middleware, for WSGI and ASGI alike: `request.latchgate` is who asks. It must stand first."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Read the settings; opens nothing yet. Raises ValueError if they hold what is not known."""
        given: Mapping[str, Any] = getattr(settings, _SETTING, {})
        unknown = sorted(set(given) - _KNOWN)
        if unknown:
            raise ValueError(f"{_SETTING} has no {unknown[0]!r}; it takes {', '.join(sorted(_KNOWN))}")
        requires: Requirement | None = given.get("requires")
        self._judge = Judge(requires, rules=bool(given.get("rules")), keeper=given.get("keeper"))
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer one request."""
        if iscoroutinefunction(self._get_response):
            return self._answer_async(request)
        passage = self._judge.admit(*self._read(request))
        try:
            self._tell(request, passage)
            response = self._refused(passage) or self._get_response(request)
            return response if passage.try_record(response.status_code) else _response(NOT_LOGGED)
        finally:
            # Django answers most exceptions by itself, but not how a server ends a worker.
            passage.record_unanswered(INTERNAL, "internal")

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        passage = await self._judge.admit_on_loop(*self._read(request))
        try:
            self._tell(request, passage)
            response = self._refused(passage) or await self._get_response(request)
            return response if await record_on_loop(passage, response.status_code) else _response(NOT_LOGGED)
        except asyncio.CancelledError:
            await record_unanswered_on_loop(passage, *UNANSWERED_GONE)
            raise
        finally:
            await record_unanswered_on_loop(passage, INTERNAL, "internal")

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer a view that refuses by `request.latchgate.require`; all else is Django's."""
        del request
        return _response(exception.refusal) if isinstance(exception, Refused) else None

    def _read(self, request: HttpRequest) -> tuple[Head, Mapping[str, Any]]:
        # Middleware before Django has its word in the environ, or in the scope.
        told = request.META if KEY in request.META else getattr(request, "scope", {})
        return _read_head(request, by_rules=self._judge.by_rules), told

    def _tell(self, request: HttpRequest, passage: Passage) -> None:
        identity = passage.identity
        if passage.refusal is None and identity is not None:
            tell_environ(request.META, identity, passage.judged)
            # Django has read the headers of META into a copy by then, in some versions: it is made anew.
            request.__dict__.pop("headers", None)
            request.latchgate = identity
            if not identity.is_guest and identity.scheme != "session":
                # What a browser sends by itself decided nothing: a header with a credential is no forged request.
                request._dont_enforce_csrf_checks = True  # noqa: SLF001  # as Django REST framework does it

    def _refused(self, passage: Passage) -> HttpResponseBase | None:
        if passage.refusal is None and passage.identity is not None:
            return None
        return _response(passage.refusal or UNAVAILABLE)


def require(
    *, role: str | Iterable[str] | None = None, scope: str | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let only a user with one of the roles, if any are named, by a credential with the scope, come to a view.

    Without a scope the credential is to be limited to nothing; `*` takes any.

    Raises:
        ValueError: As `requirement_of`, when the view is defined.
    """
    requirement = requirement_of(role, scope)

    def find_refusal(request: HttpRequest) -> HttpResponseBase | None:
        try:
            get_identity(request.META).require_all(requirement)
        except Refused as refused:
            return _response(refused.refusal)
        return None

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if iscoroutinefunction(view):

            @wraps(view)
            async def judged_async(request: HttpRequest, *args: object, **kwargs: object) -> object:
                return find_refusal(request) or await view(request, *args, **kwargs)

            return judged_async

        @wraps(view)
        def judged(request: HttpRequest, *args: object, **kwargs: object) -> object:
            return find_refusal(request) or view(request, *args, **kwargs)

        return judged

    return decorate


def _read_head(request: HttpRequest, *, by_rules: bool) -> Head:
    scope = getattr(request, "scope", None)
    head = read_environ(request.META, by_rules=by_rules and scope is None)
    if scope is None:
        return head
    # Under ASGI Django hands the path on as text, not as bytes written in latin-1: read so, another would be judged.
    path: str = request.META["SCRIPT_NAME"] + request.META["PATH_INFO"]
    query = head.target.partition(b"?")[2]
    target = find_target(path.encode("utf-8", "surrogatepass"), query, scope.get("raw_path"))
    return replace(head, target=target, peer=find_peer(scope))


def _response(refusal: Refusal) -> HttpResponseBase:
    return HttpResponse(refusal.body, status=refusal.status, headers=dict(refusal.all_headers))
