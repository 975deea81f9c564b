"""`/auth/verify`: a proxy asks whether it may pass a request on, and as whom its application is to know the caller.

The question walks the straight line as the request itself would: what is presented, judged and logged is the original
request, as the proxy tells of it. Only proxies that are configured are believed. See docs/decisions/0047.
"""

from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from latchgate.core.addresses import Network, covers
from latchgate.core.credentials import Presented
from latchgate.core.forwarded import Original, Proxy, Untold, read_original
from latchgate.core.hosts import parse_host
from latchgate.core.identity_headers import IDENTITY_HEADERS, identity_values
from latchgate.core.log_entries import escape
from latchgate.core.policy import PUBLIC, Decision
from latchgate.core.principals import Anonymous, Principal
from latchgate.core.return_addresses import ReturnAddresses
from latchgate.server.refusals import refusal_of, refusal_text
from latchgate.server.replies import Dialect, Fault, render_fault_json
from latchgate.server.requests import collect_head, find_raw_path
from latchgate.server.routes import WITHOUT_SESSION
from latchgate.services.admissions import Admission
from latchgate.services.gate import Gate
from latchgate.services.identity_tokens import IdentityTokens
from latchgate.services.operator_log import OperatorLog

__all__ = ["VERIFY_PATH", "ForwardAuth", "Question", "find_proxy", "render_identity"]

VERIFY_PATH = "/auth/verify"

_log = OperatorLog()
_ASKED_BY = frozenset({"GET", "HEAD"})
_SHOWN_LENGTH_MAX = 60
_TOLD_MAX = 64
"""Of how many strangers the operator is told, each once."""
# What a proxy takes for a yes. Without a body it is done sooner, but Envoy knows one status alone.
_YES, _YES_OF_ENVOY = 204, 200
_SEE_OTHER, _UNAUTHORIZED, _FORBIDDEN = 303, 401, 403
_STRANGER = (
    "Only proxies that LATCHGATE_TRUSTED_PROXIES names may ask this; {peer} is none of them. If it is your proxy, add"
    " its address there. Callers of an application ask the application, never this address."
)
_NOT_ENVOY = (
    f"Only Envoy asks an address below {VERIFY_PATH}, and only where LATCHGATE_PROXY is envoy; others ask"
    f" {VERIFY_PATH}?proxy= and their name"
)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: about which request, or why that cannot be told."""

    presented: Presented
    """The original request; where that is unknown, the question itself."""
    proxy: Proxy = Proxy.NGINX
    wants_page: bool = False
    """Whether a browser asks for a page, whose user can be sent to sign in."""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    """Reads questions of proxies and writes their answers; the gate judges."""

    gate: Gate
    tokens: IdentityTokens
    trusted_proxies: tuple[Network, ...]
    proxy: Proxy
    """Whose dialect is spoken where the question names none."""
    returns: ReturnAddresses
    """Where a sign-in may lead."""
    _told: set[str] = field(default_factory=set)

    def is_asked(self, request: Request) -> bool:
        """Whether a request is a question of a proxy, or would be one."""
        path = find_raw_path(request)
        return path == VERIFY_PATH or path.startswith(f"{VERIFY_PATH}/")

    def read(self, request: Request) -> Question:
        """Read a question; never raises for anything sent."""
        asked = collect_head(request, WITHOUT_SESSION, self.trusted_proxies)
        client = request.scope.get("client")
        peer = client[0] if client else ""
        if not covers(self.trusted_proxies, peer):
            self._tell_of_stranger(peer)
            return Question(asked, fault=Fault(_FORBIDDEN, "PermissionError", _STRANGER.format(peer=peer or "this")))
        proxy = self._find_proxy(request)
        if not isinstance(proxy, Proxy):
            return Question(asked, fault=_bad(proxy))
        if proxy is not Proxy.ENVOY and request.method not in _ASKED_BY:
            return Question(asked, fault=_bad(f"{VERIFY_PATH} is asked by GET; X-…-Method tells the original's method"))
        rest = asked.path.removeprefix(VERIFY_PATH).encode("utf-8", "surrogateescape")
        original = read_original(proxy, request.method, rest, request.scope["headers"])
        match original:
            case Untold():
                return Question(asked, fault=_bad(f"{original}; see the guide to {proxy}, or name another proxy"))
            case Original():
                presented = collect_head(request, PUBLIC, self.trusted_proxies)
                presented = replace(presented, method=original.method, path=original.target, host=original.host)
                wants_page = original.method == "GET" and _asks_for_page(request)
                return Question(presented, proxy, wants_page)

    def admit(self, question: Question) -> Admission:
        """Let the gate decide about a question."""
        if question.fault is not None:
            return self.gate.admit(question.presented, WITHOUT_SESSION)
        return self.gate.admit_protected(question.presented)

    async def answer(self, question: Question, admission: Admission) -> Response:
        """Answer a question as the gate decided about it.

        Raises:
            StorageError: There is no key to sign with yet, and none can be read.
        """
        if question.fault is not None:
            return render_fault_json(refusal_of(admission, VERIFY_PATH) or question.fault, Dialect.PLAIN)
        if admission.decision is not Decision.ALLOWED:
            return self._refuse(question, admission)
        who = admission.principal
        token = await self._sign(who, parse_host(question.presented.host) or "") if who else ""
        return render_identity(who, token, question.proxy)

    def challenge(self, question: Question) -> str:
        """Write the WWW-Authenticate value of an application's host; empty if the question was not understood."""
        host = parse_host(question.presented.host)
        return f'Bearer realm="{host}"' if host else ""

    def _refuse(self, question: Question, admission: Admission) -> Response:
        if not isinstance(admission.who, Anonymous):
            fault = refusal_of(admission, "this")
        elif admission.reason is None:
            # As whoever sent a credential that opens nothing: told what is asked for, and no more.
            fault = Fault(_UNAUTHORIZED, "AuthenticationError")
        else:
            # No credential would help.
            fault = Fault(_FORBIDDEN, "PermissionError", quiet=refusal_text(admission.reason))
        if fault is None:
            raise AssertionError("what was not allowed is refused")
        place = self._find_sign_in(question) if fault.status == _UNAUTHORIZED and question.wants_page else None
        if place and isinstance(admission.who, Anonymous):
            if question.proxy is not Proxy.NGINX:
                return RedirectResponse(place, _SEE_OTHER)
            # It passes on nothing but 401 and 403, and can be told to make a redirect of this.
            fault = replace(fault, headers={**fault.headers, "Location": place})
        return render_fault_json(fault, Dialect.PLAIN)

    def _find_sign_in(self, question: Question) -> str | None:
        """Give the address of the sign-in that leads back to what was asked for; None if it may not lead there."""
        back = self.returns.write(question.presented.host, question.presented.path)
        return back and f"{self.returns.public_url}/login?{urlencode({'redirect-to': back})}"

    async def _sign(self, who: Principal, host: str) -> str:
        # A minute may end between two lines; then the next one's key is asked for.
        while (token := self.tokens.find(who, host)) is None:
            await anyio.to_thread.run_sync(self.tokens.prepare)
        return token

    def _find_proxy(self, request: Request) -> Proxy | str:
        """Tell whose dialect is spoken, or what is wrong with what says so."""
        if find_raw_path(request) != VERIFY_PATH:
            # What follows the address is the original's, query and all. Only where that is expected: with a slash too
            # many in the configuration of another proxy "/" would be judged in the place of every path.
            return Proxy.ENVOY if self.proxy is Proxy.ENVOY else _NOT_ENVOY
        query: bytes = request.scope["query_string"]
        return find_proxy(query, self.proxy)

    def _tell_of_stranger(self, peer: str) -> None:
        if peer not in self._told and len(self._told) < _TOLD_MAX:
            self._told.add(peer)
            _log.warning("forward-auth is asked by no trusted proxy", peer=peer, setting="LATCHGATE_TRUSTED_PROXIES")


def find_proxy(query: bytes, default: Proxy) -> Proxy | str:
    """Tell which proxy a query names: none at all means the default; gives what is wrong with any other query."""
    if not query:
        return default
    for proxy in Proxy:
        if query == f"proxy={proxy}".encode():
            return proxy
    shown = escape(query.decode("utf-8", "surrogateescape"), _SHOWN_LENGTH_MAX)
    return f"'{shown}' names no proxy: ask {VERIFY_PATH}?proxy= and one of {', '.join(Proxy)}"


def render_identity(who: Principal | None, token: str, proxy: Proxy) -> Response:
    """Write the answer that lets a request pass, without a request id."""
    response = Response(status_code=_YES_OF_ENVOY if proxy is Proxy.ENVOY else _YES)
    values = identity_values(who, token)
    for name, value in zip(IDENTITY_HEADERS, values, strict=True):
        response.raw_headers.append((name.lower().encode(), value.encode("ascii")))
    return response


def _asks_for_page(request: Request) -> bool:
    # A browser that follows a link says so; a script's request must get the 401 that it can read.
    by_script = request.headers.get("x-requested-with", "").lower() == "xmlhttprequest"
    mode = request.headers.get("sec-fetch-mode", "navigate")
    return "text/html" in request.headers.get("accept", "").lower() and mode == "navigate" and not by_script


def _bad(message: str) -> Fault:
    return Fault(400, "BadRequest", message)
