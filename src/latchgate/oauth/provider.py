"""The protocol of the authorization and the token endpoint: Authlib's server, with our state and our stricter rules.

This is the one adapter around Authlib; docs/decisions/0031-oauth-on-authlib.md says what of it is used and what not.
Outcomes are values, since what ends a family of tokens must be kept although the request is refused.
"""

from collections.abc import Sequence
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, UnauthorizedClientError

from latchgate.core.clients import StoredClient
from latchgate.core.scopes import asks_within
from latchgate.core.tokens import Secret
from latchgate.core.users import StoredUser
from latchgate.oauth.authorization_requests import (
    AuthorizationRequest,
    RefusedRequest,
    challenge_needed,
    is_challenge,
    parse_max_age,
    parse_prompts,
    redirection,
    refuse_request,
)
from latchgate.oauth.backing import Backing, Issued, Refusal
from latchgate.oauth.grants import ChallengeCheck, ClientCredentials, CodeExchange, DeviceExchange, Refresh
from latchgate.oauth.parameters import Parameters, is_resource
from latchgate.oauth.protocol_requests import (
    ClientView,
    InvalidTargetError,
    ProtocolRequest,
    read_scopes,
)
from latchgate.oauth.scopes import OPENID, within_openid

__all__ = ["Provider"]

_STATE_LENGTH_MAX = 2000
_NONCE_LENGTH_MAX = 500
_NOT_SUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
# What people write stands in these; all else is of visible ASCII (RFC 6749, appendix A).
_OF_PEOPLE = frozenset({"login_hint", "ui_locales", "claims_locales"})


class Provider:
    """Both endpoints, on the state of one transaction."""

    def __init__(self, backing: Backing, issuer: str) -> None:
        self._issuer = issuer
        self._server = _Server(backing)

    def check(self, parameters: Parameters) -> AuthorizationRequest | RefusedRequest:
        """Judge an authorization request. Source: RFC 6749, section 4.1.2.1."""
        request = ProtocolRequest(parameters, self._issuer)
        proved = self._prove_redirect(request)
        if isinstance(proved, RefusedRequest):
            return proved
        client, redirect_uri = proved
        try:
            return self._judge(request, client, redirect_uri)
        except OAuth2Error as error:
            told = error.error, error.description or ""
            return refuse_request(redirect_uri, _state(request), self._issuer, told)

    def approve(self, parameters: Parameters, wanted: AuthorizationRequest, user: StoredUser, auth_time: int) -> str:
        """Make a code for a request that was judged and allowed, and give the address that tells the client.

        Args:
            parameters: The request's own.
            wanted: What `check` made of them, in the same transaction.
            user: Who allowed it.
            auth_time: When that user signed in.
        """
        request = ProtocolRequest(parameters, self._issuer)
        request.wanted, request.auth_time = wanted, auth_time
        grant = self._server.get_authorization_grant(request)
        grant.validate_authorization_request()
        request.user = user
        code: Secret = grant.generate_authorization_code()
        return redirection(wanted.redirect_uri, {"code": code.text}, wanted.state, self._issuer)

    def exchange(self, parameters: Parameters, client: StoredClient) -> Issued | Refusal:
        """Judge a token request of a client that the gate has proved, and make its tokens."""
        request = ProtocolRequest(parameters, self._issuer, client)
        if request.repeated:
            return Refusal("invalid_request", f"Parameters may come once: {_shown(request.repeated)}")
        if any(not value.isascii() or not value.isprintable() for _, value in parameters):
            return Refusal("invalid_request", "Parameters are of visible ASCII characters")
        try:
            _require_resources(self._server.backing, request, self._issuer)
            grant = self._server.get_token_grant(request)
            grant.validate_token_request()
            _, body, _ = grant.create_token_response()
        except OAuth2Error as error:
            return Refusal(error.error, error.description or "")
        issued: Issued = body["issued"]
        return issued

    def _prove_redirect(self, request: ProtocolRequest) -> tuple[StoredClient, str] | RefusedRequest:
        # The sentences are Frappe's, as recorded. Nothing is told to an address that is not proved to be the client's.
        lists = request.payload.datalist
        client_ids, redirect_uris = lists.get("client_id", []), lists.get("redirect_uri", [])
        if not client_ids:
            return RefusedRequest("invalid_request", "Missing client_id parameter.")
        client = self._server.backing.find_client(client_ids[0]) if len(client_ids) == 1 else None
        if client is None:
            return RefusedRequest("invalid_request", "Invalid client_id parameter value.")
        view = ClientView(client)
        redirect_uri = redirect_uris[0] if redirect_uris else view.get_default_redirect_uri()
        if not redirect_uri:
            return RefusedRequest("invalid_request", "Missing redirect URI: the client has several, or none.")
        if len(redirect_uris) > 1 or not view.check_redirect_uri(redirect_uri):
            return RefusedRequest("invalid_request", "Mismatching redirect URI.")
        return client, redirect_uri

    def _judge(self, request: ProtocolRequest, client: StoredClient, redirect_uri: str) -> AuthorizationRequest:
        """Judge all that is left when client and redirect URI are proved. Raises OAuth2Error."""
        _require_form(request)
        self._server.get_consent_grant(request)
        _require_resources(self._server.backing, request, self._issuer)
        asked = request.form
        scopes = within_openid(read_scopes(asked.get("scope")), client.scopes) or client.scopes
        if not asks_within(scopes, client.scopes):
            raise InvalidScopeError("The scope is wider than what this client may ask for")
        prompts, max_age = parse_prompts(asked.get("prompt", "")), parse_max_age(asked.get("max_age", "0"))
        if prompts is None:
            raise InvalidRequestError("The prompt is none of none, login, consent and select_account")
        if max_age is None:
            raise InvalidRequestError("The max_age is no number of seconds")
        if OPENID in scopes and "redirect_uri" not in asked and "scope" in asked:
            raise InvalidRequestError("OpenID Connect asks for the redirect_uri")
        return AuthorizationRequest(
            client=client,
            redirect_uri=redirect_uri,
            redirect_uri_given="redirect_uri" in asked,
            scopes=scopes,
            audience=request.resources,
            code_challenge=_challenge(request, client),
            prompts=prompts,
            max_age=max_age if "max_age" in asked else None,
            login_hint=asked.get("login_hint", ""),
            state=_state(request),
            nonce=asked.get("nonce", ""),
            id_token_hint=asked.get("id_token_hint", ""),
        )


class _Server(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Authlib's server: which grants there are, and who asks."""

    def __init__(self, backing: Backing) -> None:
        super().__init__()
        self.backing = backing
        self.register_grant(CodeExchange, [ChallengeCheck()])
        self.register_grant(Refresh)
        self.register_grant(ClientCredentials)
        self.register_grant(DeviceExchange)

    def create_oauth2_request(self, request: ProtocolRequest) -> ProtocolRequest:
        return request

    def query_client(self, client_id: str) -> ClientView | None:
        client = self.backing.find_client(client_id)
        return ClientView(client) if client else None

    def authenticate_client(
        self,
        request: ProtocolRequest,
        methods: list[str],
        endpoint: str = "token",  # noqa: ARG002  # as Authlib calls it
    ) -> ClientView | None:
        # The gate has done it: there is no second check of a credential. What is left is whether this grant takes it.
        if request.auth_method not in methods:
            raise UnauthorizedClientError("This grant is for clients that prove themselves")
        return request.client

    def save_token(self, token: dict[str, Any], request: ProtocolRequest) -> None:
        """Do nothing: tokens are kept where they are made."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Do nothing: nobody listens."""


def _require_form(request: ProtocolRequest) -> None:
    asked = request.form
    if request.repeated:
        raise InvalidRequestError(f"Parameters may come once: {_shown(request.repeated)}")
    for name, error in _NOT_SUPPORTED.items():
        if name in asked:
            raise OAuth2Error("What is asked for stands in the parameters alone", error=error)
    odd = [
        name
        for name, value in asked.items()
        if name not in _OF_PEOPLE and not (value.isascii() and value.isprintable())
    ]
    if odd:
        raise InvalidRequestError(f"Parameters are of visible ASCII characters: {_shown(odd)}")
    _require_response(asked)
    if len(asked.get("state", "")) > _STATE_LENGTH_MAX or len(asked.get("nonce", "")) > _NONCE_LENGTH_MAX:
        raise InvalidRequestError(
            f"The state has at most {_STATE_LENGTH_MAX} characters, the nonce {_NONCE_LENGTH_MAX}"
        )


def _require_response(asked: dict[str, str]) -> None:
    if "response_type" not in asked:
        raise InvalidRequestError("Missing response_type parameter.")
    if asked["response_type"] != "code":
        raise OAuth2Error("The only response_type is code", error="unsupported_response_type")
    if asked.get("response_mode", "query") != "query":
        raise InvalidRequestError("The only response_mode is query")


def _require_resources(backing: Backing, request: ProtocolRequest, issuer: str) -> None:
    if not request.resources:
        return
    known = backing.list_resources() | {issuer}
    if not all(is_resource(resource) for resource in request.resources) or not request.resources <= known:
        raise InvalidTargetError("There is no such resource here")


def _challenge(request: ProtocolRequest, client: StoredClient) -> str:
    """Give the code challenge; where the client needs none, perhaps an empty one. Source: RFC 7636; RFC 9700, 2.1.1."""
    challenge, method = request.form.get("code_challenge", ""), request.form.get("code_challenge_method", "")
    if not challenge and not method:
        if challenge_needed(client):
            raise InvalidRequestError("The client must send a code_challenge (PKCE)")
        return ""
    if method != "S256":
        # Left out it would mean `plain`, which shows the verifier to whoever sees the request.
        raise InvalidRequestError("The only code_challenge_method is S256")
    if not is_challenge(challenge):
        raise InvalidRequestError("The code_challenge is not the S256 of a verifier")
    return challenge


def _state(request: ProtocolRequest) -> str:
    # Of two, none is the client's for certain; and what is no state goes nowhere.
    states = request.payload.datalist.get("state", [])
    one = states[0] if len(states) == 1 else ""
    return one if one.isascii() and one.isprintable() and len(one) <= _STATE_LENGTH_MAX else ""


def _shown(names: Sequence[str]) -> str:
    known = [name for name in names if name.isascii() and name.isidentifier()]
    return ", ".join(sorted(known)[:5]) or "one with a name that cannot be shown"
