"""Keys and clients that somebody made for another: what they would gain with the account that they run as."""

from latchgate.core.clients import StoredClient
from latchgate.core.policy import covers_roles
from latchgate.core.users import GUEST, StoredUser, effective_roles
from latchgate.errors import Invalid
from latchgate.services.key_owners import Owner
from latchgate.services.port_values import KeyFilter
from latchgate.services.ports import Transaction

__all__ = ["require_client_maker", "require_client_makers", "require_makers"]


def require_makers(tx: Transaction, owner: Owner, user: StoredUser, roles: frozenset[str], now: int) -> None:
    """Let no key come to these roles whose maker lacks them: its maker knows the secret.

    Args:
        tx: The caller's transaction.
        owner: Whose keys.
        user: Whom they run as, or are about to.
        roles: What the account gains.
        now: Unix seconds.

    Raises:
        Invalid: There is such a key; it must be revoked first.
    """
    for key in tx.api_keys.list_some(KeyFilter(owner.source, owner.record), now):
        maker = tx.users.find(key.created_by) if key.created_by != user.name else None
        if maker is not None and not covers_roles(effective_roles(maker), roles):
            told = f"{owner.record} has the key {key.key_id}, made by {maker.name}, who may do less; revoke it first"
            raise Invalid({"user": told})


def require_client_makers(tx: Transaction, user: StoredUser, roles: frozenset[str]) -> None:
    """Let no client that runs as this account come to these roles whose maker lacks them. Raises Invalid."""
    for client in tx.clients.list_all():
        if client.user is not None and client.user.id == user.id and client.revoked_at is None:
            require_client_maker(tx, client, user, roles)


def require_client_maker(tx: Transaction, client: StoredClient, user: StoredUser, roles: frozenset[str]) -> None:
    """Let a client not come to these roles if who made it, or changed it last, lacks them: they may know its secret.

    Args:
        tx: The caller's transaction.
        client: As it is stored.
        user: Whom it runs as, or is about to.
        roles: What it would gain.

    Raises:
        Invalid: It must be revoked first.
    """
    for name in sorted({client.owner, client.modified_by} - {user.name}):
        maker = tx.users.find(name)
        # Guest stands for whoever came along and registered.
        if maker is not None and (name == GUEST or not covers_roles(effective_roles(maker), roles)):
            told = f"the client {client.client_id} was made by {maker.name}, who may do less; revoke it first"
            raise Invalid({"user": told})
