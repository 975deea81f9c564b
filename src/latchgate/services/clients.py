"""OAuth clients: made, changed, given new secrets, ended; some register themselves."""

from dataclasses import dataclass, field

from latchgate.core.api_keys import Limits
from latchgate.core.clients import StoredClient, digest_client_secret
from latchgate.core.permissions import Action
from latchgate.core.scopes import scopes_within
from latchgate.core.tokens import Peppers, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.core.users import GUEST, effective_roles, parse_user_name
from latchgate.errors import Flaw, Invalid, NotFound, NotPermitted, RateLimited
from latchgate.services.activity import note
from latchgate.services.actors import Actor, read_as, require_within, write_as
from latchgate.services.client_orders import ClientOrder, fields_of, order_of
from latchgate.services.key_makers import require_client_maker
from latchgate.services.oauth_ports import NewClient
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.rights import is_manager, judge_early, require_act_for, require_on, require_reach
from latchgate.services.throttles import Throttles

__all__ = ["OAUTH_CLIENT", "ClientService", "NewlyMadeClient"]

OAUTH_CLIENT = "OAuth Client"
OVERLAP_SECONDS_MAX = 30 * 86_400
_CLIENT_ID_BYTES = 10
_WORDS_OF_MANAGERS = "Only a System Manager may do this to a client that is trusted, or is a protected resource"


@dataclass(frozen=True, slots=True)
class NewlyMadeClient:
    """A client with the secret that is told this once; None for one that has none."""

    client: StoredClient
    secret: Secret | None


@dataclass(frozen=True, slots=True)
class ClientService:
    """Every change of an OAuth client, as far as the matrix allows.

    A method that ends in `_in` works on its caller's transaction.
    """

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    issuer: str
    throttles: Throttles

    def create(self, actor: Actor, order: ClientOrder) -> NewlyMadeClient:
        """Make a client, and its secret if it has one.

        Raises:
            Invalid: A field cannot be accepted.
            NotPermitted: The actor may not make clients, or not one that may do so much.
        """
        judge_early(self.store, actor, lambda tx: require_reach(tx, actor, OAUTH_CLIENT, Action.CREATE))
        with write_as(self.store, actor) as tx:
            return self.create_in(tx, actor, order)

    def create_in(self, tx: Transaction, actor: Actor, order: ClientOrder) -> NewlyMadeClient:
        """Make a client. Raises as `create`."""
        require_reach(tx, actor, OAUTH_CLIENT, Action.CREATE)
        _require_order(tx, actor, order, None)
        made = self._add(tx, (self._client_id(), actor.user), order, registered=False)
        note(tx, self.clock, actor, "client.created", made.client.client_id, detail=order.app_name)
        return made

    def register(self, order: ClientOrder, actor: Actor | None, address: str) -> NewlyMadeClient:
        """Make a client that registered itself: nobody trusts it, and it runs as nobody. Source: RFC 7591, section 3.

        Args:
            order: What it says of itself.
            actor: Who let it, where registration needs a credential; None where anybody may.
            address: From where it came.

        Raises:
            Invalid: A field cannot be accepted.
            NotPermitted: The actor may not make clients.
            RateLimited: Too many came from that address without a credential.
        """
        if order.user or order.skip_authorization or order.resources or order.allowed_roles:
            raise AssertionError("a registration chooses none of these")
        wait = 0 if actor else self.throttles.count_registration(address)
        if wait:
            told = "Too many clients were registered from this address. Try again later."
            raise RateLimited(told, retry_after_seconds=wait)
        by = actor or Actor(GUEST, address, None)
        with write_as(self.store, by) as tx:
            if actor is not None:
                require_reach(tx, actor, OAUTH_CLIENT, Action.CREATE)
            made = self._add(tx, (self._client_id(), by.user), order, registered=True)
            note(tx, self.clock, by, "client.registered", made.client.client_id, detail=order.app_name)
            return made

    def import_in(self, tx: Transaction, actor: Actor, client_id: str, order: ClientOrder, secret: Secret) -> None:
        """Take a client from elsewhere with its id and secret; only a digest stays. Raises Conflict, Invalid."""
        if not client_id or not client_id.isascii() or not client_id.isprintable():
            raise Invalid({"client_id": "must be visible ASCII characters"})
        if not secret.text:
            raise Invalid({"client_secret": "is required"})
        made = self._add(tx, (client_id, actor.user), order, registered=False, secret=secret)
        note(tx, self.clock, actor, "client.imported", made.client.client_id, detail=order.app_name)

    def get(self, actor: Actor, client_id: str) -> StoredClient:
        """Give a client. Raises NotFound, NotPermitted."""
        with read_as(self.store, actor) as tx:
            require_on(tx, actor, OAUTH_CLIENT, Action.READ, client_id)
            return _get(tx, client_id)

    def list_all(self, actor: Actor) -> list[StoredClient]:
        """List the clients that the actor may see, by name. Raises NotPermitted."""
        with read_as(self.store, actor) as tx:
            require_reach(tx, actor, OAUTH_CLIENT, Action.READ)
            return [client for client in tx.clients.list_all() if _may(tx, actor, Action.READ, client)]

    def count_users(self, actor: Actor, client_id: str) -> int:
        """Count the users who stop being served when a client ends. Raises NotFound, NotPermitted."""
        with read_as(self.store, actor) as tx:
            require_on(tx, actor, OAUTH_CLIENT, Action.READ, client_id)
            return tx.token_families.count_users(_get(tx, client_id).id, self.clock.now())

    def change(self, actor: Actor, client_id: str, order: ClientOrder, *, seen: int | None = None) -> NewlyMadeClient:
        """Replace all that is chosen of a client; one that gets to need a secret gets one.

        Args:
            actor: Who asks.
            client_id: Which client.
            order: What it is to be.
            seen: Its `modified` when the actor read it, to be told if another change came between.

        Raises:
            Invalid, NotFound, NotPermitted.
        """
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, OAUTH_CLIENT, Action.WRITE, client_id))
        with write_as(self.store, actor) as tx:
            return self.change_in(tx, actor, client_id, order, seen=seen)

    def change_in(
        self, tx: Transaction, actor: Actor, client_id: str, order: ClientOrder, *, seen: int | None = None
    ) -> NewlyMadeClient:
        """Replace all that is chosen of a client. Raises as `change`."""
        require_on(tx, actor, OAUTH_CLIENT, Action.WRITE, client_id)
        client = _get_live(tx, client_id)
        _require_fresh(client, seen)
        _require_order(tx, actor, order, client)
        now, now_us = self.clock.now(), self.clock.now_us()
        fields = fields_of(tx, order, self.issuer)
        tx.clients.change(client.id, fields, actor.user, now_us)
        if fields.user_id != (client.user.id if client.user else None):
            # What runs as the user before must not go on doing so.
            tx.access_tokens.revoke_issued(client.id, now)
        if not scopes_within(client.scopes, fields.scopes):
            # Their refresh tokens are refused what the client may not ask for any more; nor do they open it meanwhile.
            tx.access_tokens.revoke_beyond(client.id, fields.scopes, now)
        note(tx, self.clock, actor, "client.changed", client_id, detail=order.app_name)
        lacks = order.auth_method.by_secret and not client.auth_method.by_secret
        secret = self._give_secret(tx, actor, client, None) if lacks else None
        return NewlyMadeClient(_get(tx, client_id), secret)

    def rotate(
        self, actor: Actor, client_id: str, *, overlap_seconds: int = 0, seen: int | None = None
    ) -> NewlyMadeClient:
        """Give a client a new secret; the one before works on for the overlap, at most 30 days.

        Raises Invalid (a client without secret, an overlap out of bounds, another rotation since `seen`), NotFound,
        NotPermitted.
        """
        if not 0 <= overlap_seconds <= OVERLAP_SECONDS_MAX:
            raise Invalid({"overlap": f"must be 0 to {OVERLAP_SECONDS_MAX // 86_400} days"})
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, OAUTH_CLIENT, Action.WRITE, client_id))
        with write_as(self.store, actor) as tx:
            require_on(tx, actor, OAUTH_CLIENT, Action.WRITE, client_id)
            client = _get_live(tx, client_id)
            _require_fresh(client, seen)
            _require_order(tx, actor, order_of(client), client)
            if not client.auth_method.by_secret:
                raise Invalid({"client_secret": "this client has none"})
            until = self.clock.now() + overlap_seconds if overlap_seconds else None
            secret = self._give_secret(tx, actor, client, until)
            note(tx, self.clock, actor, "client.secret_rotated", client_id)
            return NewlyMadeClient(_get(tx, client_id), secret)

    def revoke(self, actor: Actor, client_id: str) -> StoredClient:
        """End a client for good, and all that was issued to it, at once. Raises NotFound, NotPermitted."""
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, OAUTH_CLIENT, Action.WRITE, client_id))
        with write_as(self.store, actor) as tx:
            require_on(tx, actor, OAUTH_CLIENT, Action.WRITE, client_id)
            client = _get(tx, client_id)
            if client.revoked_at is None:
                tx.clients.revoke(client.id, self.clock.now(), actor.user, self.clock.now_us())
                note(tx, self.clock, actor, "client.revoked", client_id, detail=client.app_name)
            return _get(tx, client_id)

    def delete(self, actor: Actor, client_id: str) -> None:
        """Delete a client with all that was issued to it. Raises NotFound, NotPermitted."""
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, OAUTH_CLIENT, Action.DELETE, client_id))
        with write_as(self.store, actor) as tx:
            self.delete_in(tx, actor, client_id)

    def delete_in(self, tx: Transaction, actor: Actor, client_id: str) -> None:
        """Delete a client. Raises as `delete`."""
        require_on(tx, actor, OAUTH_CLIENT, Action.DELETE, client_id)
        client = _get(tx, client_id)
        tx.clients.delete(client.id)
        note(tx, self.clock, actor, "client.deleted", client_id, detail=client.app_name)

    def _add(
        self,
        tx: Transaction,
        who: tuple[str, str],
        order: ClientOrder,
        *,
        registered: bool,
        secret: Secret | None = None,
    ) -> NewlyMadeClient:
        client_id, owner = who
        fields = fields_of(tx, order, self.issuer)
        row_id = tx.clients.add(NewClient(client_id, fields, registered, owner), self.clock.now_us())
        if order.auth_method.by_secret:
            secret = secret or self._new_secret()
            digest = digest_client_secret(self.peppers, row_id, client_id, secret)
            tx.clients.replace_secret(row_id, digest, None, owner, self.clock.now_us())
        return NewlyMadeClient(_get(tx, client_id), secret)

    def _give_secret(self, tx: Transaction, actor: Actor, client: StoredClient, until: int | None) -> Secret:
        secret = self._new_secret()
        digest = digest_client_secret(self.peppers, client.id, client.client_id, secret)
        tx.clients.replace_secret(client.id, digest, until, actor.user, self.clock.now_us())
        return secret

    def _new_secret(self) -> Secret:
        kind = TokenKind.CLIENT_SECRET
        return Secret(issue_token(kind, self.entropy.random_bytes(entropy_bytes(kind))))

    def _client_id(self) -> str:
        return self.entropy.random_bytes(_CLIENT_ID_BYTES).hex()


def _get(tx: Transaction, client_id: str) -> StoredClient:
    client = tx.clients.find(client_id)
    if client is None:
        raise NotFound("OAuth Client not found")
    return client


def _get_live(tx: Transaction, client_id: str) -> StoredClient:
    client = _get(tx, client_id)
    if client.revoked_at is not None:
        raise Invalid({"client_id": "was revoked for good; make another"})
    return client


def _may(tx: Transaction, actor: Actor, action: Action, client: StoredClient) -> bool:
    try:
        require_on(tx, actor, OAUTH_CLIENT, action, client.client_id)
    except NotPermitted:
        return False
    return True


def _require_fresh(client: StoredClient, seen: int | None) -> None:
    if seen is not None and client.modified != seen:
        raise Invalid({"modified": "the client was changed meanwhile; look at it again"}, Flaw.STALE)


def _require_order(tx: Transaction, actor: Actor, order: ClientOrder, before: StoredClient | None) -> None:
    """Let nobody make or change a client that may do more than they may themselves. Raises NotPermitted, Invalid."""
    special = (
        order.skip_authorization or order.resources or (before and (before.skip_authorization or before.resources))
    )
    if special and not is_manager(actor):
        raise NotPermitted(_WORDS_OF_MANAGERS, reason="role_missing", told=True)
    runs_as = tx.users.find(parse_user_name(order.user) or "") if order.user else None
    for user in (runs_as, before.user if before else None):
        if user is not None:
            require_act_for(actor, user)
    if runs_as is not None and before and (before.user is None or before.user.id != runs_as.id):
        require_client_maker(tx, before, runs_as, effective_roles(runs_as))
    if runs_as is not None or order.skip_authorization:
        # Such a client gets tokens that no user was asked for.
        require_within(actor, Limits(order.scopes))
