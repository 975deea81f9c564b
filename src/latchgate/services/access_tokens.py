"""Access tokens that were issued elsewhere: import and revoke. Those of our own are issued in oauth_state.py."""

from dataclasses import dataclass, field

from latchgate.core.access_tokens import StoredToken, digest_token, lookup_values, parse_foreign_token
from latchgate.core.api_keys import Limits
from latchgate.core.permissions import Action
from latchgate.core.tokens import Peppers, Secret
from latchgate.core.users import GUEST
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, require_system_manager, require_within, write_as
from latchgate.services.port_values import NewToken
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.rights import judge_early, require_on
from latchgate.services.user_rights import get_user

__all__ = ["BEARER_TOKEN", "AccessTokenService", "TokenOrder", "import_token"]

BEARER_TOKEN = "OAuth Bearer Token"
_PUBLIC_ID_BYTES = 8
_TIME_MAX = 253_402_300_799
"""The last second of the year 9999, in Unix seconds: later ones cannot be shown."""


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """An access token made elsewhere. Times are Unix seconds."""

    token: Secret
    user: str
    client: str
    scopes: frozenset[str]
    expires_at: int
    revoked: bool = False
    family_id: int | None = None
    """What it descends from, if a refresh token came with it."""


@dataclass(frozen=True, slots=True)
class AccessTokenService:
    """Every change of an access token. Only System Managers and the command line may."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy

    def import_token(self, actor: Actor, order: TokenOrder) -> StoredToken:
        """Take an access token as it is; only its digest is stored.

        Raises:
            Conflict: It is there already.
            Invalid: A token that no header could present, an expiry that no date can show, or Guest's.
            NotFound: There is no such user.
            NotPermitted: The actor is no System Manager, or the token reaches further than its credential.
        """
        require_system_manager(actor)
        require_within(actor, Limits(order.scopes, expires_at=order.expires_at))
        with write_as(self.store, actor) as tx:
            return import_token(tx, self, actor, order)

    def revoke(self, actor: Actor, token: Secret) -> StoredToken:
        """End an access token now. Raises NotFound, NotPermitted."""
        require_system_manager(actor)
        with write_as(self.store, actor) as tx:
            stored = _get_token(tx, self.peppers, token)
            if stored.revoked_at is None:
                tx.access_tokens.revoke(stored.id, self.clock.now())
                note(tx, self.clock, actor, "access_token.revoked", stored.public_id, detail=stored.user.name)
            return _get_token(tx, self.peppers, token)

    def end(self, actor: Actor, public_id: str) -> None:
        """End an access token by its name, with all that descends from the same approval.

        Raises NotFound, NotPermitted.
        """
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, BEARER_TOKEN, Action.DELETE, public_id))
        with write_as(self.store, actor) as tx:
            self.end_in(tx, actor, public_id)

    def end_in(self, tx: Transaction, actor: Actor, public_id: str) -> None:
        """End an access token by its name. Raises as `end`."""
        require_on(tx, actor, BEARER_TOKEN, Action.DELETE, public_id)
        stored = tx.access_tokens.find_public(public_id)
        if stored is None:
            raise NotFound("OAuth Bearer Token not found")
        if stored.revoked_at is None:
            now = self.clock.now()
            tx.access_tokens.revoke(stored.id, now)
            if stored.family_id is not None:
                # Its refresh token would have another made within the hour.
                tx.token_families.revoke_family(stored.family_id, now)
            note(
                tx, self.clock, actor, "access_token.revoked", public_id, detail=f"{stored.user.name}, {stored.client}"
            )


def import_token(tx: Transaction, service: AccessTokenService, actor: Actor, order: TokenOrder) -> StoredToken:
    """Store an access token made elsewhere, in a caller's transaction. Raises Conflict, Invalid, NotFound."""
    problem = parse_foreign_token(order.token)
    if problem:
        raise Invalid({"access_token": problem})
    if order.expires_at > _TIME_MAX:
        raise Invalid({"expires": "must lie before the year 10000"})
    user = get_user(tx, order.user)
    if user.name == GUEST:
        raise Invalid({"user": "Guest is who carries no credential; it can own none"})
    if tx.access_tokens.find(lookup_values(service.peppers, order.token)) is not None:
        # Under an older pepper the database would not see that it is the same.
        raise Conflict("There is such an access token already")
    now = service.clock.now()
    # A client that is here ends its tokens with itself, and may ask what they are.
    client = tx.clients.find(order.client)
    public_id = "token-" + service.entropy.random_bytes(_PUBLIC_ID_BYTES).hex()
    token_id = tx.access_tokens.add(
        NewToken(
            public_id=public_id,
            lookup=lookup_values(service.peppers, order.token)[0],
            user_id=user.id,
            client=order.client,
            scopes=order.scopes,
            issued_at=now,
            expires_at=order.expires_at,
            revoked_at=now if order.revoked else None,
            client_row_id=client.id if client else None,
            family_id=order.family_id,
        )
    )
    tx.access_tokens.set_digest(token_id, digest_token(service.peppers, token_id, public_id, order.token))
    note(tx, service.clock, actor, "access_token.imported", public_id, detail=f"{user.name}, client {order.client}")
    return _get_token(tx, service.peppers, order.token)


def _get_token(tx: Transaction, peppers: Peppers, token: Secret) -> StoredToken:
    stored = tx.access_tokens.find(lookup_values(peppers, token))
    if stored is None:
        raise NotFound("OAuth Bearer Token not found")
    return stored
