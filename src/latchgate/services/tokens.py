"""The token endpoint and its siblings: exchange, revoke, introspect. The gate has proved which client calls."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from latchgate.core.access_tokens import StoredToken
from latchgate.core.clients import SigningAlgorithm, StoredClient
from latchgate.core.system_settings import Lifetimes
from latchgate.core.token_families import Approval, Redeemed, StoredRefreshToken, judge_refresh_token
from latchgate.core.tokens import Peppers, Secret
from latchgate.core.users import StoredUser
from latchgate.oauth.backing import Issued, Refusal, TokenOrder
from latchgate.oauth.id_tokens import IdTokenClaims, sign_id_token
from latchgate.oauth.parameters import Parameters
from latchgate.oauth.protocol import provider_on
from latchgate.oauth.scopes import OPENID, write_scopes
from latchgate.services.activity import note
from latchgate.services.actors import Actor
from latchgate.services.authentication import Authenticator
from latchgate.services.identities import claims_of, prepare_subjects, subject_of
from latchgate.services.oauth_state import OAuthState, find_refresh_token, may_use
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.signing_keys import SigningKeyService

__all__ = ["TokenService", "Userinfo"]


Userinfo = dict[str, object]

_NOTHING: dict[str, object] = {"active": False}


@dataclass(frozen=True, slots=True)
class TokenService:
    """Tokens for clients."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    issuer: str
    lifetimes: Callable[[Transaction], Lifetimes]
    signing_keys: SigningKeyService
    authenticator: Authenticator

    def exchange(self, parameters: Parameters, client: StoredClient, address: str) -> Issued | Refusal:
        """Answer a token request. What a refusal ended stays ended: the transaction commits either way."""
        self.signing_keys.prepare(client.id_token_alg)
        prepare_subjects(self.store, self.entropy)
        with self.store.write() as tx:
            # It waited for others' writes since the gate let it in.
            present = tx.clients.find_id(client.id)
            if present is None or present.revoked_at is not None:
                return Refusal("invalid_client", "The client was revoked")
            sign = partial(self._sign, tx, client.id_token_alg)
            state = OAuthState(tx, self.peppers, self.clock, self.entropy, self.lifetimes(tx), address, sign)
            return provider_on(state, self.issuer).exchange(parameters, present)

    def _sign(
        self,
        tx: Transaction,
        algorithm: SigningAlgorithm,
        order: TokenOrder,
        approval: Approval,
        access_token: Secret,
    ) -> Secret:
        """Sign the ID token that comes with an access token. Source: OpenID Connect Core, sections 2 and 3.1.3.6."""
        now = self.clock.now()
        claims = IdTokenClaims(
            issuer=self.issuer,
            subject=subject_of(tx, order.user.id),
            client_id=order.client.client_id,
            issued_at=now,
            expires_at=now + self.lifetimes(tx).access_token_seconds,
            auth_time=approval.auth_time,
            nonce=approval.nonce,
            further=claims_of(order.user),
        )
        return Secret(sign_id_token(claims, access_token, self.signing_keys.find(tx, algorithm)))

    def userinfo(self, user: str) -> Userinfo:
        """Tell a client who its user is. Source: OpenID Connect Core, section 5.3."""
        prepare_subjects(self.store, self.entropy)
        with self.store.read() as tx:
            found = tx.users.find(user)
            if found is None:
                raise AssertionError("the gate let this user in")
            return {"sub": subject_of(tx, found.id), **claims_of(found), "iss": self.issuer}

    def revoke(self, client: StoredClient, token: Secret, address: str) -> bool:
        """End a token of a client, with all of its family; unknown ones are ended already. RFC 7009, 2.1 and 2.2.

        Returns:
            Whether that is done; False if it is another client's.
        """
        with self.store.write() as tx:
            access, refresh = self._find(tx, token)
            if access:
                owned, user, family_id = _is_of(access, client), access.user, access.family_id
                live = access.revoked_at is None
            elif refresh:
                owned, user, family_id = _is_refresh_of(refresh, client), refresh.family.user, refresh.family.id
                live = refresh.family.revoked_at is None
            else:
                return True
            if owned and live:
                self._end(tx, access, family_id)
                actor = Actor(user.name, address, None)
                note(tx, self.clock, actor, "oauth_tokens.revoked", client.client_id, detail="by the client")
            return owned

    def _end(self, tx: Transaction, access: StoredToken | None, family_id: int | None) -> None:
        if access:
            tx.access_tokens.revoke(access.id, self.clock.now())
        if family_id is not None:
            tx.token_families.revoke_family(family_id, self.clock.now())

    def introspect(self, client: StoredClient, token: Secret) -> dict[str, object]:
        """Tell a client of a token that is its own or meant for it; of any other nothing. RFC 7662, section 2.2."""
        prepare_subjects(self.store, self.entropy)
        with self.store.read() as tx:
            access = self.authenticator.find_live_token(tx, token)
            if access:
                meant = _is_of(access, client) or bool(access.audience & set(client.resources))
                return self._describe(tx, access) if meant else _NOTHING
            _, refresh = self._find(tx, token)
            good = refresh and judge_refresh_token(refresh, self.clock.now(), 0) is Redeemed.GOOD
            if refresh is None or not good or not _is_refresh_of(refresh, client):
                return _NOTHING
            if not may_use(refresh.family.user, client):
                return _NOTHING
            family = refresh.family
            told = {"exp": refresh.expires_at, "iat": refresh.issued_at}
            return {**self._common(tx, client.client_id, family.user, family.approval.scopes), **told}

    def _describe(self, tx: Transaction, token: StoredToken) -> dict[str, object]:
        told = {"token_type": "Bearer", "exp": token.expires_at, "iat": token.issued_at}
        audience = sorted(token.audience or {self.issuer})
        return {**self._common(tx, token.client, token.user, token.scopes), **told, "aud": audience}

    def _common(self, tx: Transaction, client_id: str, user: StoredUser, scopes: frozenset[str]) -> dict[str, object]:
        client = tx.clients.find(client_id)
        # `trusted_client`, and who the user is where `openid` was allowed, as recorded.
        return {
            "active": True,
            "client_id": client_id,
            "trusted_client": int(bool(client and client.skip_authorization)),
            "scope": write_scopes(scopes),
            "username": user.name,
            "sub": subject_of(tx, user.id),
            "iss": self.issuer,
            **(claims_of(user) if OPENID in scopes else {}),
        }

    def _find(self, tx: Transaction, token: Secret) -> tuple[StoredToken | None, StoredRefreshToken | None]:
        access = self.authenticator.find_token(tx, token)
        return access, None if access else find_refresh_token(tx, self.peppers, token)


def _is_of(token: StoredToken, client: StoredClient) -> bool:
    # One that was issued elsewhere and imported knows its client by name alone.
    same_row = token.client_row_id == client.id
    return same_row or (token.client_row_id is None and token.client == client.client_id)


def _is_refresh_of(token: StoredRefreshToken, client: StoredClient) -> bool:
    return token.family.client_row_id == client.id
