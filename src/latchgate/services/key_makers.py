"""Keys that somebody made for another: what they would gain with the account that they belong to."""

from latchgate.core.policy import covers_roles
from latchgate.core.users import StoredUser, effective_roles
from latchgate.errors import Invalid
from latchgate.services.key_owners import Owner
from latchgate.services.port_values import KeyFilter
from latchgate.services.ports import Transaction

__all__ = ["require_makers"]


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
