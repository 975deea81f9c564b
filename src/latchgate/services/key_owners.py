"""To whom API keys belong, and whom their requests run as."""

from dataclasses import dataclass

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.users import GUEST
from latchgate.errors import Invalid, NotFound
from latchgate.services.ports import Transaction

__all__ = ["Owner", "OwnerIds", "require_owner"]


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom a key belongs: a user (source User) or a record of another source, by name."""

    source: str
    record: str


@dataclass(frozen=True, slots=True)
class OwnerIds:
    """An owner as rows: either a user's or a record's id, and the name of the user that its keys run as."""

    user_id: int | None
    record_id: int | None
    user: str | None


def require_owner(tx: Transaction, owner: Owner) -> OwnerIds:
    """Find an owner of keys. Raises NotFound for a user, source or record that is not there, Invalid for Guest."""
    if owner.source == USER_SOURCE:
        user = tx.users.find(owner.record)
        if user is None:
            raise NotFound(f"User {owner.record} not found")
        if user.name == GUEST:
            raise Invalid({"user": "Guest is who carries no credential; it can own none"})
        return OwnerIds(user.id, None, user.name)
    if not tx.sources.exists(owner.source):
        raise NotFound(f"Authorization Source {owner.source} not found")
    record = tx.sources.find_record(owner.source, owner.record)
    if record is None:
        raise NotFound(f"{owner.source} {owner.record} not found")
    return OwnerIds(None, record.id, record.user)
