"""What happened to accounts and credentials, written in the transaction of the change, and read again."""

from collections.abc import Iterator
from itertools import islice

from latchgate.core.log_entries import ActivityEntry, escape
from latchgate.services.actors import Actor
from latchgate.services.port_values import ActivityQuery
from latchgate.services.ports import Clock, Store, Transaction

__all__ = ["note", "search_activity"]

_TEXT_LENGTH_MAX = 400


def note(tx: Transaction, clock: Clock, actor: Actor, operation: str, subject: str, *, detail: str = "") -> None:
    """Write one row of the activity log.

    Args:
        tx: The transaction of the change that the row tells of.
        clock: For its time.
        actor: Who did it.
        operation: Such as `api_key.generated`.
        subject: What it was done to, by its public name; never a secret.
        detail: What a reader wants to know besides; never a secret.
    """
    entry = ActivityEntry(
        user_id=_user_id(tx, actor),
        time=clock.now_us(),
        user=escape(actor.user, _TEXT_LENGTH_MAX),
        operation=operation,
        subject=escape(subject, _TEXT_LENGTH_MAX),
        detail=escape(detail, _TEXT_LENGTH_MAX),
        ip_address=escape(actor.ip_address, _TEXT_LENGTH_MAX),
    )
    tx.activity.append(entry)


def search_activity(store: Store, query: ActivityQuery) -> Iterator[ActivityEntry]:
    """Give the rows that match, newest first, in short reads, so that a long list holds up nothing.

    Whoever may see all of it asks; raises StorageError at any step.
    """
    return islice(_all(store, query), query.limit or None)


def _user_id(tx: Transaction, actor: Actor) -> int | None:
    if actor.principal is not None:
        return actor.principal.user_id
    user = tx.users.find(actor.user)
    return user.id if user else None


def _all(store: Store, query: ActivityQuery) -> Iterator[ActivityEntry]:
    before_id = None
    while True:
        with store.read() as tx:
            entries, before_id = tx.activity.list_page(query, before_id)
        yield from entries
        if before_id is None:
            return
