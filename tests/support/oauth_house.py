"""The OAuth services over a house, with the few steps that their tests begin with."""

import base64
import hashlib
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from latchgate.core.clients import GrantType, SigningAlgorithm, StoredClient
from latchgate.core.system_settings import Lifetimes
from latchgate.core.tokens import Secret
from latchgate.oauth.backing import Issued, Refusal
from latchgate.oauth.parameters import Parameters
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.authorizations import AuthorizationService, Granted
from latchgate.services.client_orders import ClientOrder
from latchgate.services.clients import ClientService, NewlyMadeClient
from latchgate.services.consents import ConsentService
from latchgate.services.devices import DeviceService
from latchgate.services.log_outs import LogOutService
from latchgate.services.signing_keys import SigningKeyService
from latchgate.services.tokens import TokenService
from support.house import ADDRESS, ISSUER, USER, House, present_session, present_token

__all__ = [
    "API",
    "APP",
    "BACK",
    "CHALLENGE",
    "DEVICES",
    "KEY_SECONDS",
    "LIFETIMES",
    "OTHER_API",
    "VERIFIER",
    "OAuthHouse",
    "build_oauth_house",
    "code_of",
    "issued",
    "query_of",
]

BACK = "https://app.example.com/back"
API, OTHER_API = "https://api.example.com", "https://other.example.com"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
LIFETIMES = Lifetimes(
    code_seconds=60,
    access_token_seconds=3600,
    refresh_token_seconds=30 * 86_400,
    device_code_seconds=600,
    refresh_grace_seconds=10,
)
KEY_SECONDS = 90 * 86_400
_DEVICE_GRANTS = frozenset({GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN})
# ES256: a key of RSA takes long to make.
APP = ClientOrder("Calendar", (BACK,), id_token_alg=SigningAlgorithm.ES256)
DEVICES = replace(APP, app_name="Television", redirect_uris=(), grant_types=_DEVICE_GRANTS)


@dataclass(frozen=True)
class OAuthHouse:
    """Every OAuth service, and the house that they stand in."""

    house: House
    clients: ClientService
    consents: ConsentService
    authorizations: AuthorizationService
    tokens: TokenService
    devices: DeviceService
    log_outs: LogOutService
    signing_keys: SigningKeyService

    def add_client(self, order: ClientOrder = APP, **fields: object) -> StoredClient:
        """Make a client as ordered, with these fields replaced."""
        return self.make_client(order, **fields).client

    def make_client(self, order: ClientOrder = APP, **fields: object) -> NewlyMadeClient:
        """Make a client as `add_client`, and tell its secret."""
        return self.clients.create(COMMAND_LINE, replace(order, **fields))  # type: ignore[arg-type]

    def change_client(self, client: StoredClient, order: ClientOrder = APP, **fields: object) -> StoredClient:
        """Make a client what is ordered, with these fields replaced."""
        changed = self.clients.change(COMMAND_LINE, client.client_id, replace(order, **fields))  # type: ignore[arg-type]
        return changed.client

    def sign_in(self, user: str = USER) -> Actor:
        """Give the actor of a request by a new session."""
        admission = self.house.admit(present_session(self.house.open_session(user).sid.text))
        assert admission.principal is not None
        return Actor.of(admission.principal, ADDRESS, admission.judge_again)

    def ask_for(self, client: StoredClient, **fields: str) -> Parameters:
        """Write an authorization request, with these parameters replaced; an empty one is left out."""
        sent = {
            "client_id": client.client_id,
            "response_type": "code",
            "redirect_uri": BACK,
            "scope": "all",
            "state": "st",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **fields,
        }
        return [(name, value) for name, value in sent.items() if value]

    def allow(self, client: StoredClient, actor: Actor, **fields: str) -> str:
        """Let a user allow a request; give the code."""
        return code_of(self.authorizations.answer(self.ask_for(client, **fields), actor, allow=True))

    def exchange(self, client: StoredClient, grant_type: str, /, **fields: str) -> Issued | Refusal:
        """Send a token request; a `resource` may hold several, joined by spaces."""
        resources = [("resource", value) for value in fields.pop("resource", "").split()]
        return self.tokens.exchange([("grant_type", grant_type), *fields.items(), *resources], client, ADDRESS)

    def redeem(self, client: StoredClient, code: str, /, **fields: str) -> Issued | Refusal:
        """Exchange a code as its client would, with these parameters replaced."""
        sent = {"code": code, "redirect_uri": BACK, "code_verifier": VERIFIER, **fields}
        return self.exchange(client, "authorization_code", **{name: value for name, value in sent.items() if value})

    def refresh(self, client: StoredClient, token: Secret | None, **fields: str) -> Issued | Refusal:
        """Exchange a refresh token."""
        assert token is not None
        return self.exchange(client, "refresh_token", refresh_token=token.text, **fields)

    def begin(self, client: StoredClient, actor: Actor, **fields: str) -> Issued:
        """Let a user allow a client; give the first tokens."""
        return issued(self.redeem(client, self.allow(client, actor, **fields)))

    def opens(self, tokens: Issued) -> bool:
        """Whether an access token lets a request in."""
        return self.house.admit(present_token(tokens.access_token.text)).principal is not None

    def introspect(self, client: StoredClient, token: Secret | None) -> dict[str, object]:
        """Ask what a token is."""
        assert token is not None
        return self.tokens.introspect(client, token)

    def operations(self) -> list[str]:
        """List what happened to clients, consents, tokens and signing keys, oldest first."""
        of_oauth = "client.", "consent.", "oauth_tokens.", "signing_key."
        return [entry.operation for entry in self.house.activity() if entry.operation.startswith(of_oauth)]


def build_oauth_house(house: House) -> OAuthHouse:
    """Join the OAuth services over a house, as a start of the server does."""
    store, peppers, clock, entropy = house.store, house.peppers, house.clock, house.entropy
    keys = SigningKeyService(store, peppers, clock, entropy, KEY_SECONDS)
    return OAuthHouse(
        house=house,
        clients=ClientService(store, peppers, clock, entropy, ISSUER, house.throttles),
        consents=ConsentService(store, clock),
        authorizations=AuthorizationService(store, peppers, clock, entropy, ISSUER, lambda _tx: LIFETIMES, keys),
        tokens=TokenService(
            store, peppers, clock, entropy, ISSUER, lambda _tx: LIFETIMES, keys, house.gate.authenticator
        ),
        devices=DeviceService(store, peppers, clock, entropy, ISSUER, lambda _tx: LIFETIMES, house.throttles),
        log_outs=LogOutService(store, entropy, ISSUER, keys),
        signing_keys=keys,
    )


def issued(outcome: Issued | Refusal) -> Issued:
    """Give the tokens of a request that must be answered with some."""
    assert isinstance(outcome, Issued), outcome
    return outcome


def code_of(answer: object) -> str:
    """Give the code of an authorization request that must be granted."""
    assert isinstance(answer, Granted), answer
    return query_of(answer.location)["code"]


def query_of(location: str) -> dict[str, str]:
    """Read the query of an address."""
    return dict(parse_qsl(urlsplit(location).query))
