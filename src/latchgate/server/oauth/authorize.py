"""What a browser is sent to a client by: the authorization endpoint, its page of consent, and what the user says there.

Source: RFC 6749, section 3.1; OpenID Connect Core, section 3.1.2. Errors go to the client only where its redirect URI
was proved; all others are told to the person at the browser, or, as recorded, in JSON.
"""

from dataclasses import dataclass
from functools import partial
from typing import assert_never
from urllib.parse import parse_qsl, urlencode

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Requirement
from latchgate.errors import BadRequest
from latchgate.oauth.authorization_requests import AuthorizationRequest, RefusedRequest
from latchgate.oauth.metadata import ServerAddresses
from latchgate.oauth.parameters import Parameters
from latchgate.oauth.redirects import origin_source
from latchgate.server.desk.frame import Frame
from latchgate.server.oauth.place_words import place_words
from latchgate.server.oauth.scope_words import scope_sentences
from latchgate.server.replies import Fault, prefers_html
from latchgate.server.requests import Call, read_parameters
from latchgate.services.authorizations import AuthorizationService, ConsentNeeded, Granted, SignInFirst

__all__ = ["AUTHORIZE", "BY_SESSION", "AuthorizationPages", "authorization_target", "read_query"]

AUTHORIZE = "/api/method/frappe.integrations.oauth2.authorize"
BY_SESSION = Requirement(user=False, schemes=frozenset({Scheme.SESSION}))
_FIELDS_MAX = 100
_REDIRECT = 302
# After a form: the browser goes on by GET and sends nothing of it along. Source: RFC 9700, section 4.12.
_SEE_OTHER = 303
# What the page's own form adds to the client's parameters.
_CLIENT_SEEN = "client_seen"
_OURS = frozenset({"csrf_token", "decision", _CLIENT_SEEN})


@dataclass(frozen=True, slots=True)
class AuthorizationPages:
    """The two addresses of the dialogue with a user."""

    frame: Frame
    authorizations: AuthorizationService
    addresses: ServerAddresses

    async def authorize(self, call: Call) -> Response:
        """Show the user what a client asks for, or send the browser on.

        A request that is sent as a form, by any site, is asked again by GET, as the session's user (section 3.1.2.1).
        """
        if call.request.method == "POST":
            return RedirectResponse(f"{AUTHORIZE}?{urlencode(await read_parameters(call.request))}", _SEE_OTHER)
        parameters = read_query(call.request)
        actor = call.actor if call.admission.principal else None
        answer = await anyio.to_thread.run_sync(self.authorizations.ask, parameters, actor)
        return self._show(call, parameters, answer)

    async def approve(self, call: Call) -> Response:
        """Take what the user says: a form of ours, guarded by the session's token, as the session's user."""
        sent = await read_parameters(call.request)
        decisions = [value for name, value in sent if name == "decision"]
        if decisions not in (["allow"], ["deny"]):
            raise BadRequest("decision: must be allow or deny")
        parameters = [(name, value) for name, value in sent if name not in _OURS]
        # The client as the page showed it.
        seen = {value for name, value in sent if name == _CLIENT_SEEN}
        answer_as = partial(self.authorizations.answer, parameters, call.actor, allow=decisions == ["allow"], seen=seen)
        answer = await anyio.to_thread.run_sync(answer_as)
        return self._show(call, parameters, answer)

    def _show(
        self, call: Call, parameters: Parameters, answer: RefusedRequest | SignInFirst | ConsentNeeded | Granted
    ) -> Response:
        match answer:
            case RefusedRequest(location=None):
                return self._refuse(call, answer)
            case RefusedRequest(location=location) | Granted(location=location):
                return RedirectResponse(str(location), _SEE_OTHER if call.request.method == "POST" else _REDIRECT)
            case SignInFirst(login_hint=hint, parameters=again):
                return RedirectResponse(self._sign_in(again, hint), _REDIRECT)
            case ConsentNeeded(request=request):
                return self._ask(call, parameters, request)
            case _:
                assert_never(answer)

    def _ask(self, call: Call, parameters: Parameters, request: AuthorizationRequest) -> Response:
        return self.frame.plain(
            "consent.html",
            leads_to=origin_source(request.redirect_uri),
            client=request.client,
            sentences=scope_sentences(request.scopes),
            resources=sorted(request.audience),
            redirect_uri=request.redirect_uri,
            place=place_words(request.redirect_uri),
            other=self._sign_in(parameters),
            assured=request.assured,
            principal=call.principal,
            parameters=[
                *((name, value) for name, value in parameters if value and name not in _OURS),
                (_CLIENT_SEEN, str(request.client.changed)),
            ],
            csrf_token=self.frame.csrf_token(call),
        )

    def _sign_in(self, parameters: Parameters, login_hint: str = "") -> str:
        """Give the address of the sign-in page, which shows its form to whoever is signed in too, and leads back."""
        back = f"{self.addresses.authorization}?{urlencode(list(parameters))}"
        return f"/login?{urlencode({'redirect-to': back, **({'login_hint': login_hint} if login_hint else {})})}"

    def _refuse(self, call: Call, refused: RefusedRequest) -> Response:
        if prefers_html(call.request):
            told = f"{refused.description} Nothing was sent to anybody."
            return self.frame.fault(Fault(400, "OAuthError", told), call.admission.principal)
        # In these words, as recorded.
        document = {"description": refused.description, "status_code": 400, "error": refused.error}
        return JSONResponse(document, 400)


def read_query(request: Request) -> list[tuple[str, str]]:
    """Read the query's names and values in order, each as often as it came. Raises BadRequest."""
    text = request.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise BadRequest(f"The query holds no UTF-8, or more than {_FIELDS_MAX} fields") from error


def authorization_target(
    authorizations: AuthorizationService, target: str
) -> AuthorizationRequest | RefusedRequest | None:
    """Tell what stands behind a sign-in that leads to an authorization request; None where it leads elsewhere.

    A refused one is of those that their client is told about.
    """
    address, _, query = target.partition("?")
    if address != AUTHORIZE:
        return None
    try:
        parameters = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:
        return None
    checked = authorizations.check(parameters)
    return None if isinstance(checked, RefusedRequest) and checked.location is None else checked
