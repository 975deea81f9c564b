"""What a new API key should be like, and how one that was made elsewhere is stored."""

from dataclasses import dataclass

from latchgate.core.api_keys import Limits, StoredKey, digest_secret, parse_foreign_pair
from latchgate.core.system_settings import KeyPolicy
from latchgate.core.tokens import Peppers, Secret
from latchgate.errors import Invalid
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor
from latchgate.services.key_owners import Owner, OwnerIds, require_owner
from latchgate.services.port_values import NewKey
from latchgate.services.ports import Clock, Transaction

__all__ = [
    "TIME_MAX",
    "IssuedKey",
    "KeyOrder",
    "PairText",
    "import_pair",
    "label_problems",
    "make_new_key",
    "require_allowed",
    "require_sound",
]

TIME_MAX = 253_402_300_799
"""The last second of the year 9999, in Unix seconds: later ones cannot be shown."""
_LABEL_LENGTH_MAX = 140
_PER_MINUTE_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """What a new key should be like."""

    label: str = ""
    limits: Limits = UNLIMITED


@dataclass(frozen=True, slots=True)
class PairText:
    """A key and secret that were made elsewhere."""

    key_id: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, to be shown once."""

    key: StoredKey
    user: str | None
    """Whose requests it makes."""
    secret: Secret
    ended_until: int | None = None
    """Until when the secret before the former one would have worked, which a second rotation ends; Unix seconds."""


def require_sound(order: KeyOrder, now: int) -> None:
    """Refuse a label, limit or expiry that cannot be. Raises Invalid."""
    limits, problems = order.limits, label_problems(order.label)
    if limits.expires_at is not None and not now < limits.expires_at <= TIME_MAX:
        problems["expires"] = "must lie in the future, before the year 10000"
    if limits.per_minute is not None and not 0 < limits.per_minute <= _PER_MINUTE_MAX:
        problems["limit"] = f"must be from 1 to {_PER_MINUTE_MAX} requests a minute"
    if not limits.scopes:
        problems["scopes"] = "must name at least one; all for no limit"
    if problems:
        raise Invalid(problems)


def require_allowed(policy: KeyPolicy, limits: Limits, now: int) -> None:
    """Refuse a key that would live longer than the settings allow. Raises Invalid."""
    if not policy.allows_end(limits.expires_at, now):
        days = "a day" if policy.days_max == 1 else f"{policy.days_max} days"
        raise Invalid({"expires": f"must be within {days} from now: the settings let no new key live longer"})


def label_problems(label: str) -> dict[str, str]:
    """Tell what is wrong with a key's label, as field → what would be right."""
    if len(label) > _LABEL_LENGTH_MAX or not label.isprintable():
        return {"label": f"must be at most {_LABEL_LENGTH_MAX} printable characters"}
    return {}


def make_new_key(owner: Owner, ids: OwnerIds, key_id: str, how: tuple[KeyOrder, bool, Actor]) -> NewKey:
    """Write an order as what is stored.

    Args:
        owner: To whom the key belongs.
        ids: The same, as rows.
        key_id: The key's public half.
        how: The order, whether it is the owner's first key, and who makes it.
    """
    order, primary, actor = how
    return NewKey(
        key_id=key_id,
        source=owner.source,
        user_id=ids.user_id,
        record_id=ids.record_id,
        label=order.label,
        primary=primary,
        limits=order.limits,
        created_by=actor.user,
    )


def import_pair(
    tx: Transaction, clock: Clock, peppers: Peppers, actor: Actor, wanted: tuple[Owner, PairText, KeyOrder]
) -> int:
    """Store a key and secret that were made elsewhere, in a caller's transaction; tell the row's id.

    Raises as `ApiKeyService.import_key`; permission is the caller's to judge.
    """
    owner, pair, order = wanted
    problems = parse_foreign_pair(pair.key_id, pair.secret)
    if problems:
        raise Invalid(problems)
    ids = require_owner(tx, owner)
    primary = tx.api_keys.find_primary(owner.source, owner.record) is None
    row_id = tx.api_keys.add(make_new_key(owner, ids, pair.key_id, (order, primary, actor)), clock.now_us())
    digest = digest_secret(peppers, (row_id, owner.source, pair.key_id), pair.secret)
    tx.api_keys.replace_secret(row_id, digest, None)
    note(tx, clock, actor, "api_key.imported", pair.key_id, detail=f"{owner.source} {owner.record}")
    return row_id
