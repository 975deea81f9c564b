"""Who a user is, as clients are told: a subject that is the same for good, and what the scopes let them know.

Source: OpenID Connect Core, sections 2, 5.1 and 5.4; the claims that come with `openid` are Frappe's, as recorded.
"""

import hashlib
import hmac

from latchgate.core.users import StoredUser, effective_roles
from latchgate.services.ports import Entropy, Store, Transaction

__all__ = ["claims_of", "prepare_subjects", "subject_of"]

_FACT = "subject_key"
_KEY_BYTES = 32
_SUBJECT_LENGTH = 40


def prepare_subjects(store: Store, entropy: Entropy) -> None:
    """Make what subjects are derived from, once for the life of the database."""
    with store.read() as tx:
        if tx.instance.find_fact(_FACT) is not None:
            return
    key = entropy.random_bytes(_KEY_BYTES).hex()
    with store.write() as tx:
        # Of two that noticed at once, one makes it.
        if tx.instance.find_fact(_FACT) is None:
            tx.instance.set_fact(_FACT, key)


def subject_of(tx: Transaction, user_id: int) -> str:
    """Give a user's subject: opaque, never reassigned, since ids are not used again (section 8).

    It hides nothing that a client must not know; its key keeps clients of two servers from comparing their users.
    """
    key = tx.instance.find_fact(_FACT)
    if key is None:
        raise AssertionError("subjects were prepared")
    return hmac.digest(bytes.fromhex(key), str(user_id).encode(), hashlib.sha256).hex()[:_SUBJECT_LENGTH]


def claims_of(user: StoredUser) -> dict[str, object]:
    """Give what `openid` lets a client know of a user; what is not known is left out (section 5.3.2)."""
    claims: dict[str, object] = {
        "name": user.full_name,
        "given_name": user.first_name,
        "family_name": user.last_name,
        "email": user.name if "@" in user.name else "",
        "roles": sorted(effective_roles(user)),
    }
    return {name: value for name, value in claims.items() if value}
