"""The ASGI application: each request walks the straight line here – collect, admit, handle, record."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from latchgate.core.addresses import Network
from latchgate.core.log_entries import escape
from latchgate.core.policy import PUBLIC, Decision
from latchgate.core.principals import Anonymous, Principal, Reason
from latchgate.errors import LatchgateError, NotPermitted, OAuthError
from latchgate.server.fast_lane import FastLane
from latchgate.server.forward_auth import ForwardAuth
from latchgate.server.refusals import bearer_error, refusal_of
from latchgate.server.replies import (
    Dialect,
    Fault,
    Reply,
    fault_of,
    name_request,
    prefers_html,
    reason_of,
    render_fault_json,
    render_fault_oauth,
    render_reply,
    seal,
)
from latchgate.server.requests import Call, collect, collect_head
from latchgate.server.routes import RefusedMethod, Table, UnknownMethod
from latchgate.server.targets import NAME_LENGTH_MAX, resolve_target
from latchgate.services.admissions import Admission
from latchgate.services.gate import Gate
from latchgate.services.operator_log import OperatorLog

__all__ = ["Application", "Site"]

_log = OperatorLog()
_LOGGED = "latchgate.logged"
# nginx's number for a client that closed before it was answered; it is only ever logged.
_CLIENT_GONE = 499
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_METHOD_LENGTH_MAX = 20
_CROSS_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Expose-Headers": "WWW-Authenticate",
    "Access-Control-Max-Age": "600",
}


@dataclass(frozen=True, slots=True)
class Site:
    """What the application must know of how it is set up."""

    public_url: str
    trusted_proxies: tuple[Network, ...]
    gate_may_wait: bool
    """Whether the gate's look-ups cross a network, so that they must leave the event loop."""
    render_fault_page: Callable[[Fault, Principal | None, str], Response]

    @property
    def challenge(self) -> str:
        """The WWW-Authenticate value. Source: RFC 9728, section 5.1, and recorded."""
        return f'Bearer resource_metadata="{self.public_url}/.well-known/oauth-protected-resource"'


@dataclass(slots=True)
class _Exchange:
    """One request on its way; `response` is set once, at the end."""

    request: Request
    started: float
    dialect: Dialect = Dialect.PLAIN
    admission: Admission | None = None
    reason: str | None = None
    """Why it was refused after the gate had let it in; for the log."""
    scope: str = ""
    """What the credential's scopes must cover."""
    cross_origin: bool = False
    challenge: str = ""
    """The WWW-Authenticate value, where it is not the site's."""
    for_proxy: bool = False
    """Whether a proxy asks, whose caller has no use for a page of ours."""


@dataclass(frozen=True, slots=True)
class Application:
    """The service as one ASGI callable."""

    gate: Gate
    table: Table
    site: Site
    lane: FastLane | None = None
    """None if every request is to walk the whole line."""
    forward_auth: ForwardAuth | None = None
    """Who reads what proxies ask about requests for others; None where nobody is to ask."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            quick = self.lane.answer_scope(scope) if self.lane else None
            if quick is not None:
                for message in quick:
                    await send(message)
                return
            exchange = _Exchange(Request(scope, receive), time.perf_counter())
            try:
                response = await self._answer(exchange)
            except ClientDisconnect:
                # Judged is logged, answered or not: whoever tries a stolen key must leave a row either way.
                exchange.reason = Reason.CLIENT_GONE.value
                await self._record(exchange, Response(status_code=_CLIENT_GONE))
                return
            except asyncio.CancelledError:
                # The server cuts it off at its end; what a thread does for it goes on, and may be done.
                exchange.reason = Reason.CLIENT_GONE.value
                await self._record(exchange, Response(status_code=_CLIENT_GONE))
                raise
            response = await self._record(exchange, response)
            await response(scope, receive, send)

    def log_refusal(self, scope: Scope, status: int) -> None:
        """Log a request that the protocol refused for its body, before the application would have seen it.

        Raises:
            StorageError: The row could not be written; the refusal must not leave.
        """
        if scope.get(_LOGGED):
            return
        scope[_LOGGED] = True
        presented = collect_head(Request(scope), PUBLIC, self.site.trusted_proxies)
        admission = self.gate.admit(presented, PUBLIC)
        self.gate.record(admission, status, 0.0, Reason.BODY_TOO_LARGE.value)
        if self.gate.request_log.waits_for_disk:
            self.gate.request_log.sync()

    async def _answer(self, exchange: _Exchange) -> Response:
        try:
            return await self._walk(exchange)
        except ClientDisconnect:
            raise
        except RefusedMethod:
            if exchange.dialect in {Dialect.OAUTH, Dialect.OAUTH_BEARER}:
                told = f"Unsupported request method {escape(exchange.request.method, _METHOD_LENGTH_MAX)}"
                return self._refuse(exchange, Fault(400, "BadRequest", told))
            headers = {"WWW-Authenticate": self.site.challenge}  # for whoever asks, as recorded
            return self._refuse(exchange, Fault(403, "PermissionError", "Not permitted", headers=headers))
        except UnknownMethod as error:
            name = escape(str(error), NAME_LENGTH_MAX)
            return self._refuse(exchange, Fault(417, "ValidationError", f"There is no method '{name}'"))
        except LatchgateError as error:
            exchange.reason = _reason_of(error)
            exchange.scope = error.scope if isinstance(error, NotPermitted) else ""
            if error.detail:
                _log.warning("request failed", code=error.code.value, detail=error.detail)
            return self._refuse(exchange, fault_of(error))
        except Exception:  # noqa: BLE001  # the outermost handler may
            # The outermost handler: whatever went wrong, the caller gets a clean reply and the operator the traceback.
            exchange.reason = "internal"
            _log.exception("unexpected error", request_id=exchange.admission and exchange.admission.request_id)
            return self._refuse(exchange, Fault(500, "InternalError", "Something went wrong here; it was logged."))

    async def _walk(self, exchange: _Exchange) -> Response:
        forward_auth = self.forward_auth
        if forward_auth is not None and forward_auth.is_asked(exchange.request):
            return await self._walk_for_proxy(exchange, forward_auth)
        return await self._walk_to_target(exchange)

    async def _walk_to_target(self, exchange: _Exchange) -> Response:
        request = exchange.request
        target, unreadable = await resolve_target(self.table, request)
        exchange.dialect, exchange.cross_origin = target.dialect, target.cross_origin
        exchange.scope = target.requires.scope or ""
        presented = await collect(request, target.requires, self.site.trusted_proxies)
        # A client's assertion is noted as used, which writes.
        if self.site.gate_may_wait or target.requires.client:
            admission = await anyio.to_thread.run_sync(self.gate.admit, presented, target.requires)
        else:
            admission = self.gate.admit(presented, target.requires)
        exchange.admission = admission
        if admission.failure:
            raise admission.failure
        if unreadable and target.requires.client and isinstance(admission.who, Anonymous):
            # What says who the client is stands in what cannot be read.
            raise unreadable
        fault = refusal_of(admission, target.what)
        if fault:
            return self._refuse(exchange, fault)
        if unreadable:
            raise unreadable
        if request.method == "OPTIONS":
            return PlainTextResponse("")
        call = Call(request, admission, target.parts)
        outcome = await target.handler(call)
        if isinstance(outcome, Reply):
            exchange.reason = outcome.reason
        return render_reply(outcome, target.dialect) if isinstance(outcome, Reply) else outcome

    async def _walk_for_proxy(self, exchange: _Exchange, forward_auth: ForwardAuth) -> Response:
        question = forward_auth.read(exchange.request)
        exchange.for_proxy, exchange.challenge = True, forward_auth.challenge(question)
        if self.site.gate_may_wait:
            admission = await anyio.to_thread.run_sync(forward_auth.admit, question)
        else:
            admission = forward_auth.admit(question)
        exchange.admission = admission
        exchange.scope = admission.rule.only_scope if admission.rule else ""
        if admission.failure:
            raise admission.failure
        return await forward_auth.answer(question, admission)

    def _refuse(self, exchange: _Exchange, fault: Fault) -> Response:
        dialect, request = exchange.dialect, exchange.request
        guest = exchange.admission is None or exchange.admission.principal is None
        if fault.status == _FORBIDDEN and guest:
            # Whoever sent no token is asked for one (RFC 6750, section 3.1); Frappe's own addresses answer as recorded.
            status = _UNAUTHORIZED if dialect is Dialect.OAUTH_BEARER else _FORBIDDEN
            fault = replace(fault, status=status, headers={**fault.headers, "WWW-Authenticate": self.site.challenge})
        if dialect in {Dialect.OAUTH, Dialect.OAUTH_BEARER}:
            return render_fault_oauth(fault, dialect)
        if dialect is Dialect.PAGE and guest and fault.status == _FORBIDDEN and request.method in {"GET", "HEAD"}:
            return RedirectResponse("/login", 303)
        if dialect is Dialect.PAGE or (prefers_html(request) and not exchange.for_proxy):
            admission = exchange.admission
            principal, request_id = (admission.principal, admission.request_id) if admission else (None, "")
            return self.site.render_fault_page(fault, principal, request_id)
        return render_fault_json(fault, dialect)

    async def _record(self, exchange: _Exchange, response: Response) -> Response:
        admission, scope = exchange.admission, exchange.request.scope
        if admission is not None and not scope.get(_LOGGED):
            scope[_LOGGED] = True
            seconds = time.perf_counter() - exchange.started
            let_in = admission.decision is Decision.ALLOWED
            reason = exchange.reason or (reason_of(response.status_code) if let_in else None)
            arguments = admission, response.status_code, seconds, reason
            try:
                self.gate.record(*arguments)
                if self.gate.request_log.waits_for_disk:
                    await anyio.to_thread.run_sync(self.gate.request_log.sync)
            except LatchgateError as error:
                # What is not in the log must not be answered as if it were.
                detail = error.detail or error.public
                _log.error("request log failed", request_id=admission.request_id, detail=detail)  # no traceback
                response = self._refuse(exchange, Fault(503, "ServiceUnavailable", "The request could not be logged."))
            name_request(response, admission.request_id)
        told = bearer_error(admission, response.status_code, exchange.reason or _why(admission), exchange.scope)
        if response.status_code == _UNAUTHORIZED or told:
            # Every 401 has one, a page's too. Source: RFC 9110, section 11.6.1.
            response.headers.setdefault("WWW-Authenticate", (exchange.challenge or self.site.challenge) + told)
        if exchange.cross_origin:
            # Whoever asks brings a credential of their own: no cookie counts here. Source: the Fetch standard.
            response.headers.update(_CROSS_ORIGIN)
        seal(response)
        return response

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await send({"type": "lifespan.shutdown.complete"})
                return


def _reason_of(error: LatchgateError) -> str:
    match error:
        case NotPermitted(reason=reason) | OAuthError(error=reason):
            return reason
        case _:
            return error.code.value


def _why(admission: Admission | None) -> str | None:
    return admission.reason.value if admission and admission.reason else None
