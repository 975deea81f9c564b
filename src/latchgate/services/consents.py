"""What users allowed clients: kept, so that they are not asked again, looked at, and taken back."""

from dataclasses import dataclass

from latchgate.core.clients import StoredClient
from latchgate.core.permissions import Action
from latchgate.core.token_families import Approval, StoredConsent, widen_consent
from latchgate.errors import NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, read_as, write_as
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.rights import judge_early, require_on, require_reach

__all__ = ["OAUTH_CONSENT", "ConsentService", "end_access", "keep_consent"]

OAUTH_CONSENT = "OAuth Consent"
_PUBLIC_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class ConsentService:
    """Consents, one's own and, for who may, others'."""

    store: Store
    clock: Clock

    def list_own(self, actor: Actor) -> list[StoredConsent]:
        """List what the actor allowed, by the clients' names. Raises NotPermitted."""
        with read_as(self.store, actor) as tx:
            require_reach(tx, actor, OAUTH_CONSENT, Action.READ)
            user = tx.users.find(actor.user)
            return tx.consents.list_of(user.id) if user else []

    def end(self, actor: Actor, public_id: str) -> None:
        """Take a consent back, with every token that its client holds for its user. Raises NotFound, NotPermitted."""
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, OAUTH_CONSENT, Action.DELETE, public_id))
        with write_as(self.store, actor) as tx:
            self.end_in(tx, actor, public_id)

    def end_in(self, tx: Transaction, actor: Actor, public_id: str) -> None:
        """Take a consent back. Raises as `end`."""
        require_on(tx, actor, OAUTH_CONSENT, Action.DELETE, public_id)
        consent = tx.consents.find_public(public_id)
        if consent is None:
            raise NotFound("OAuth Consent not found")
        end_access(tx, self.clock.now(), consent.user_id, consent.client_row_id)
        note(tx, self.clock, actor, "consent.ended", consent.client_id, detail=consent.user)


def end_access(tx: Transaction, now: int, user_id: int, client_row_id: int) -> bool:
    """End all that a client has of a user: what was allowed, and every token; tells whether there was anything."""
    consent = tx.consents.find(user_id, client_row_id)
    if consent is not None:
        tx.consents.delete(consent.id)
    ended = tx.token_families.revoke_families(now, user_id=user_id, client_row_id=client_row_id)
    # Those that were imported, and what it got by itself as this user, descend from no approval.
    ended += tx.access_tokens.revoke_issued(client_row_id, now, user_id=user_id)
    return consent is not None or ended > 0


def keep_consent(
    tx: Transaction, now_us: int, entropy: Entropy, client: StoredClient, given: tuple[int, Approval]
) -> None:
    """Keep what a user allowed a client, with what the same user allowed it before.

    Args:
        tx: The caller's.
        now_us: Microseconds since 1970.
        entropy: What a first consent is named by.
        client: Who may do something now.
        given: By whom, and what.
    """
    user_id, approval = given
    before = tx.consents.find(user_id, client.id)
    if before is not None and before.modified < client.changed:
        # It was given to the client as it was: who changed it since comes to none of that by asking for little.
        before = None
    all_of_it = widen_consent(before, approval)
    public_id = f"consent-{entropy.random_bytes(_PUBLIC_ID_BYTES).hex()}"
    tx.consents.put(public_id, user_id, client.id, all_of_it, now_us)
