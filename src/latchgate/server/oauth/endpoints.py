"""What clients ask by themselves: tokens, their end, what they are, who their user is, a place in the list of clients.

Source: RFC 6749, section 3.2; RFC 7009; RFC 7662; RFC 7591; RFC 8628, section 3.1; OpenID Connect Core, section 5.3.
"""

from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import JSONResponse, Response

from latchgate.core.clients import StoredClient
from latchgate.core.policy import Requirement
from latchgate.core.principals import Client
from latchgate.core.scopes import ALL
from latchgate.core.tokens import Secret
from latchgate.errors import BadRequest, Invalid, OAuthError
from latchgate.oauth.backing import Issued, Refusal
from latchgate.oauth.metadata import ServerAddresses
from latchgate.oauth.parameters import Parameters, read_once
from latchgate.oauth.registrations import parse_client_metadata, registration_answer
from latchgate.oauth.scopes import write_scopes
from latchgate.server.replies import Reply
from latchgate.server.requests import Call, read_body, read_parameters
from latchgate.server.routes import WITHOUT_SESSION
from latchgate.services.client_orders import ClientOrder
from latchgate.services.clients import ClientService
from latchgate.services.devices import DeviceService
from latchgate.services.tokens import TokenService

__all__ = ["DeviceAuthorization", "Introspection", "Registration", "Revocation", "Token", "Userinfo", "refuse"]

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Token:
    """Exchange a code, a refresh token, a device's code or a client's own proof for tokens."""

    tokens: TokenService

    async def __call__(self, call: Call) -> Reply:
        """Answer with the tokens, or why there are none."""
        parameters = await read_parameters(call.request)
        address = call.admission.presented.peer_address
        client = _client_of(call)
        outcome = await anyio.to_thread.run_sync(self.tokens.exchange, parameters, client, address)
        if isinstance(outcome, Refusal):
            return refuse(outcome.error, outcome.description)
        return Reply(_shown(outcome))


@dataclass(frozen=True, slots=True)
class Revocation:
    """End a token, and all that descends from the same approval."""

    tokens: TokenService

    async def __call__(self, call: Call) -> Reply:
        """Answer alike for a token that was ended and for one that never was."""
        token = _token(await read_parameters(call.request))
        address = call.admission.presented.peer_address
        done = await anyio.to_thread.run_sync(self.tokens.revoke, _client_of(call), token, address)
        return Reply({}) if done else refuse("invalid_grant", "The token was issued to another client")


@dataclass(frozen=True, slots=True)
class Introspection:
    """Tell a client what a token is, if it is its own or meant for it."""

    tokens: TokenService

    async def __call__(self, call: Call) -> Reply:
        """Answer for clients that proved themselves alone. Source: RFC 7662, sections 2.1 and 4."""
        token = _token(await read_parameters(call.request))
        return Reply(await anyio.to_thread.run_sync(self.tokens.introspect, _client_of(call), token))


@dataclass(frozen=True, slots=True)
class Userinfo:
    """Tell who the user of an access token is."""

    tokens: TokenService

    async def __call__(self, call: Call) -> Response:
        """Answer with the claims, without an envelope; refusals are Frappe's, as recorded."""
        return JSONResponse(await anyio.to_thread.run_sync(self.tokens.userinfo, call.principal.user))


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """Let a device begin to wait for its user."""

    devices: DeviceService
    addresses: ServerAddresses

    async def __call__(self, call: Call) -> Reply:
        """Answer with the two codes and where the user types the short one. Source: RFC 8628, section 3.2."""
        parameters = await read_parameters(call.request)
        address = call.admission.presented.peer_address
        started = await anyio.to_thread.run_sync(self.devices.start, parameters, _client_of(call), address)
        page = self.addresses.device_page
        return Reply(
            {
                "device_code": started.device_code.text,
                "user_code": started.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={started.user_code}",
                "expires_in": started.expires_in,
                "interval": started.interval,
            }
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """Let a client put itself on the list, where the administrator allows that. Source: RFC 7591, section 3."""

    clients: ClientService
    allowed: str
    """The setting `oauth_registration`."""

    @property
    def requires(self) -> Requirement:
        """What who registers must present."""
        by_token = self.allowed == "token"
        return Requirement(user=True, scope="OAuth Client:create") if by_token else WITHOUT_SESSION

    async def __call__(self, call: Call) -> Reply:
        """Answer with the new client, and its secret this once."""
        if self.allowed == "off":
            return refuse("access_denied", "Clients are made by an administrator here", status=403)
        if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise BadRequest("Send the client's metadata as JSON: application/json")
        try:
            document = await read_body(call.request)
        except BadRequest as error:
            return refuse("invalid_client_metadata", error.public)
        # Whoever registers without a credential gives its tokens no more than a user can be asked for.
        metadata = parse_client_metadata(document, allowed=frozenset({ALL}))
        order = ClientOrder(
            app_name=metadata.client_name,
            redirect_uris=metadata.redirect_uris,
            auth_method=metadata.auth_method,
            grant_types=metadata.grant_types,
            scopes=metadata.scopes,
            client_uri=metadata.client_uri,
            id_token_alg=metadata.id_token_alg,
            post_logout_redirect_uris=metadata.post_logout_redirect_uris,
            jwks=metadata.jwks,
        )
        address = call.admission.presented.peer_address
        # Where anybody may, a credential that happens to come along neither helps nor hinders.
        actor = call.actor if self.allowed == "token" else None
        try:
            made = await anyio.to_thread.run_sync(self.clients.register, order, actor, address)
        except Invalid as error:
            return refuse("invalid_client_metadata", error.public)
        issued_at = made.client.creation // _MICROSECONDS
        answer = registration_answer(made.client, made.secret, issued_at)
        if metadata.contacts:
            # Said back, and not kept: nobody here writes to them.
            answer["contacts"] = list(metadata.contacts)
        return Reply(answer, status=201)


def refuse(error: str, description: str, *, status: int = 400) -> Reply:
    """Answer with an error of the RFCs; the log gets its code. Source: RFC 6749, section 5.2."""
    told = OAuthError(error, description).public
    document = {"error": error, **({"error_description": told} if told else {})}
    return Reply(document, status=401 if error == "invalid_client" else status, reason=error)


def _client_of(call: Call) -> StoredClient:
    match call.admission.who:
        case Client(client=client):
            return client
        case _:
            raise AssertionError("the route is for clients")


def _shown(issued: Issued) -> dict[str, object]:
    # Source: RFC 6749, section 5.1. The scope is always told: it may be narrower than what was asked for.
    shown: dict[str, object] = {
        "access_token": issued.access_token.text,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": write_scopes(issued.scopes),
    }
    if issued.refresh_token:
        shown["refresh_token"] = issued.refresh_token.text
    if issued.id_token:
        shown["id_token"] = issued.id_token.text
    return shown


def _token(parameters: Parameters) -> Secret:
    token = read_once(parameters).get("token")
    if not token:
        raise OAuthError("invalid_request", "token is required")
    return Secret(token)
