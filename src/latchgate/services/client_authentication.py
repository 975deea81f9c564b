"""Verify an OAuth client: its secret, the assertion that it signed, or that it is a public one. Part of the gate."""

from dataclasses import dataclass, field

from latchgate.core.clients import AuthMethod, StoredClient, client_secret_matches
from latchgate.core.credentials import ClientCredential, Scheme
from latchgate.core.principals import Client, Reason, Rejected
from latchgate.core.tokens import Digest, Peppers, Purpose, Secret
from latchgate.oauth.assertions import VerifiedAssertion, unverified_client_id, verify_assertion
from latchgate.oauth.client_keys import parse_client_keys
from latchgate.services.ports import Clock, Store

__all__ = ["ClientAuthenticator"]

_NO_DIGEST = Digest(0, bytes(32))


@dataclass(frozen=True, slots=True)
class ClientAuthenticator:
    """Turns what a client presented into a client or a refusal. Source: RFC 6749, section 2.3; RFC 7523, section 3."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    audiences: frozenset[str]
    """What an assertion may be meant for."""

    def verify(self, credential: ClientCredential) -> Client | Rejected:
        """Tell which client it is, or why it is none. Raises StorageError."""
        client_id = credential.client_id
        if not client_id and credential.secret:
            client_id = unverified_client_id(credential.secret) or ""
        with self.store.read() as tx:
            client = tx.clients.find(client_id)
        # Even if there is none, so that a wrong secret of nobody's takes as long as one of somebody's.
        reason = self._prove(client, credential)
        if client is None:
            return Rejected(Reason.UNKNOWN_CLIENT, Scheme.CLIENT)
        if reason is None and client.revoked_at is not None:
            reason = Reason.REVOKED
        if reason:
            return Rejected(reason, Scheme.CLIENT, credential=client.client_id)
        return Client(client, credential.method)

    def _prove(self, client: StoredClient | None, credential: ClientCredential) -> Reason | None:
        match credential.method:
            case AuthMethod.BASIC | AuthMethod.POST:
                return self._prove_secret(client, credential.secret or Secret(""))
            case AuthMethod.PRIVATE_KEY_JWT:
                return self._prove_assertion(client, credential.secret or Secret(""))
            case AuthMethod.NONE:
                # One that has a secret must send it: leaving it out proves nothing.
                return None if client and client.public else Reason.WRONG_SECRET

    def _prove_secret(self, client: StoredClient | None, secret: Secret) -> Reason | None:
        if client is None or not client.auth_method.by_secret:
            # An unknown client costs the same work as a wrong secret; a public one has none that could be right.
            self.peppers.matches(_NO_DIGEST, Purpose.CLIENT_SECRET, "0", "", secret.text)
            self.peppers.matches(_NO_DIGEST, Purpose.CLIENT_SECRET, "0", "", secret.text)
            return Reason.WRONG_SECRET
        now = self.clock.now()
        return None if client_secret_matches(self.peppers, client, secret, now) else Reason.WRONG_SECRET

    def _prove_assertion(self, client: StoredClient | None, assertion: Secret) -> Reason | None:
        if client is None or client.auth_method is not AuthMethod.PRIVATE_KEY_JWT:
            return Reason.WRONG_ASSERTION
        keys = parse_client_keys(client.jwks)
        if isinstance(keys, str):
            return Reason.WRONG_ASSERTION
        now = self.clock.now()
        verified = verify_assertion(assertion, client.client_id, keys, self.audiences, now)
        if not isinstance(verified, VerifiedAssertion):
            return Reason.WRONG_ASSERTION
        if client.revoked_at is not None:
            return Reason.REVOKED
        # One use each (RFC 7523, section 3, point 7); of two at once, the store lets one through.
        digest = self.peppers.digest(Purpose.ASSERTION, client.client_id, verified.jti).value
        with self.store.write() as tx:
            fresh = tx.clients.use_assertion(client.id, digest, verified.expires_at, now)
        return None if fresh else Reason.ASSERTION_REPLAYED
