"""How many requests there were, for whoever may read their rows: of all of them, or of their own alone."""

from dataclasses import dataclass, replace

from latchgate.core.api_keys import StoredKey
from latchgate.core.credentials import USER_SOURCE
from latchgate.core.document_types import Viewer
from latchgate.core.permissions import Action
from latchgate.core.principals import Reason
from latchgate.services.actors import Actor, read_as
from latchgate.services.log_ports import RequestCounts
from latchgate.services.port_values import CountedBy, CountQuery, OutcomeCount, TopCount
from latchgate.services.ports import Store, Transaction
from latchgate.services.rights import find_reach, require_reach

__all__ = ["COUNTS_ADDED_MAX", "RequestCountService"]

COUNTS_ADDED_MAX = 20_000
"""How many counts are added up for those with most requests: what takes longer is told by the newest rows."""
_REQUEST_LOG, _API_KEY = "API Request Log", "API Key"
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class RequestCountService:
    """Asks the roll-ups what a caller may ask. They know no rows, so the right to the rows decides."""

    store: Store
    log: RequestCounts

    def within(self, actor: Actor, query: CountQuery) -> CountQuery | None:
        """Narrow a question to what the actor may read the rows of; None if that is nothing.

        Who may read their own rows alone is counted by themselves: the counts of a key or a reason hold those of others
        too, such as whoever tried a wrong secret. But for a key of their own, which acts as nobody else: how often it
        was tried they may know.

        Raises:
            NotPermitted: The actor may not even read their own rows.
        """
        with read_as(self.store, actor) as tx:
            reach = require_reach(tx, actor, _REQUEST_LOG, Action.READ)
            own_key = _find_own_key(tx, actor, query) if query.by is CountedBy.KEY else None
        own = Viewer.of(actor.principal, reach).own_only
        if own is None:
            return query
        if own_key is not None:
            # A key of that id that was somebody else's is gone, and what it did is not this one's.
            return replace(query, since=max(query.since, own_key.creation // _MICROSECONDS))
        mine = CountQuery(query.since, query.until, CountedBy.USER, own.user, str(own.user_id))
        asked = (query.by, query.name or own.user, query.detail or mine.detail)
        return mine if query.by is CountedBy.ALL or asked == (mine.by, mine.name, mine.detail) else None

    def counts(self, actor: Actor, query: CountQuery, span_seconds: int) -> list[OutcomeCount]:
        """Count by outcome for the points of a chart, as the port RequestCounts, what `within` leaves.

        Raises:
            NotPermitted: As `within`.
            StorageError: The log's database cannot be read, or lacks rows.
            ValueError: What `within` leaves is not counted by that span, or has too many points.
        """
        allowed = self.within(actor, query)
        return [] if allowed is None else self.log.counts(allowed, span_seconds)

    def top(self, actor: Actor, query: CountQuery, limit: int) -> list[TopCount] | None:
        """Give the names with most requests, as the port RequestCounts, of those that `within` leaves.

        Returns:
            None where more than COUNTS_ADDED_MAX counts would have to be added up.

        Raises:
            NotPermitted, StorageError: As `counts`.
        """
        allowed = self.within(actor, query)
        if allowed is None:
            return []
        return self.log.top(allowed, limit) if self.log.is_short(allowed, COUNTS_ADDED_MAX) else None


def _find_own_key(tx: Transaction, actor: Actor, query: CountQuery) -> StoredKey | None:
    """Give the key that is asked about, if all that is counted of it are requests as the actor, and attempts at it.

    A key of a record is none: the record may have acted as somebody else before. Nor is one that the actor may not see.
    """
    if query.detail != USER_SOURCE or query.name is None or actor.principal is None:
        return None
    if isinstance(find_reach(tx, actor, _API_KEY, Action.READ), Reason):
        return None
    key = tx.api_keys.find(USER_SOURCE, query.name)
    own = key is not None and key.owner.user is not None and key.owner.user.id == actor.principal.user_id
    return key if own else None
