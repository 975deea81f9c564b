"""Log-out that an application asks for: whether it is certain who asks, and where the browser goes afterwards.

Source: OpenID Connect RP-Initiated Logout 1.0, sections 2 and 3.
"""

from dataclasses import dataclass, field
from urllib.parse import urlencode

from latchgate.core.clients import StoredClient
from latchgate.errors import OAuthError
from latchgate.oauth.id_tokens import IdTokenHint, read_id_token_hint
from latchgate.oauth.parameters import Parameters, read_once
from latchgate.services.actors import Actor
from latchgate.services.identities import prepare_subjects, subject_of
from latchgate.services.ports import Entropy, Store, Transaction
from latchgate.services.signing_keys import SigningKeyService

__all__ = ["LogOut", "LogOutService"]

_STATE_LENGTH_MAX = 2000


@dataclass(frozen=True, slots=True)
class LogOut:
    """A log-out that was asked for."""

    client: StoredClient | None
    """Who asks, as far as it says."""
    location: str | None = field(repr=False)
    """Where the browser goes afterwards: an address of the client's; None for the sign-in page."""
    certain: bool
    """Whether an ID token proves that its user's own application asks; else the user is asked."""


@dataclass(frozen=True, slots=True)
class LogOutService:
    """Judges what an application asks; the session is ended as by the user."""

    store: Store
    entropy: Entropy
    issuer: str
    signing_keys: SigningKeyService

    def check(self, parameters: Parameters, actor: Actor | None) -> LogOut:
        """Judge a request to log out.

        Args:
            parameters: As sent.
            actor: The user of the session; None for nobody.

        Raises:
            OAuthError: It names a client, a hint or an address that cannot be trusted; nothing is ended.
        """
        asked = read_once(parameters)
        prepare_subjects(self.store, self.entropy)
        with self.store.read() as tx:
            hint = self._read_hint(tx, asked.get("id_token_hint", ""))
            client = _find_client(tx, asked.get("client_id", ""), hint)
            location = _location(client, asked, hint)
            principal = actor.principal if actor else None
            certain = bool(hint and principal and hint.subject == subject_of(tx, principal.user_id))
            return LogOut(client, location, certain)

    def _read_hint(self, tx: Transaction, text: str) -> IdTokenHint | None:
        if not text:
            return None
        hint = read_id_token_hint(text, self.signing_keys.public_jwks(tx), self.issuer)
        if hint is None:
            raise OAuthError("invalid_request", "The id_token_hint is no ID token of this service")
        return hint


def _find_client(tx: Transaction, client_id: str, hint: IdTokenHint | None) -> StoredClient | None:
    if hint and client_id and client_id not in hint.client_ids:
        raise OAuthError("invalid_request", "The id_token_hint was issued to another client")
    named = client_id or (next(iter(hint.client_ids)) if hint and len(hint.client_ids) == 1 else "")
    if not named:
        return None
    client = tx.clients.find(named)
    if client is None or client.revoked_at is not None:
        raise OAuthError("invalid_request", "There is no such client")
    return client


def _location(client: StoredClient | None, asked: dict[str, str], hint: IdTokenHint | None) -> str | None:
    address = asked.get("post_logout_redirect_uri")
    if address is None:
        return None
    # Compared exactly: it is where this page sends people to (section 3).
    if client is None or address not in client.post_logout_redirect_uris:
        raise OAuthError("invalid_request", "The post_logout_redirect_uri is none that the client registered")
    if client.registered and hint is None:
        # Anybody can register an address: nobody vouches for it but a user who signed in there (section 3).
        raise OAuthError("invalid_request", "A client that registered itself must send the id_token_hint")
    state = asked.get("state", "")[:_STATE_LENGTH_MAX]
    return address + (("&" if "?" in address else "?") + urlencode({"state": state}) if state else "")
