"""When users were last heard of, for whoever may read everybody's requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latchgate.core.document_types import format_time
from latchgate.errors import StorageError
from latchgate.services.actors import Actor
from latchgate.services.documents import DocumentService
from latchgate.services.log_ports import LogUses

__all__ = ["LastSeen"]

_LOG = "API Request Log"


@dataclass(frozen=True, slots=True)
class LastSeen:
    """Asks the request log for all users of a page at once."""

    documents: DocumentService
    log: LogUses

    def find(self, actor: Actor, users: Sequence[str]) -> Mapping[str, str] | None:
        """Tell when each user's newest request came, as records tell times; who sent none is left out.

        Returns:
            None for an actor who may not read all requests, and where the log cannot be read now: that is no reason to
            show no users.
        """
        if _LOG not in self.documents.list_readable(actor, [_LOG]):
            return None
        try:
            seen = self.log.last_seen(users)
        except StorageError:
            return None
        return {user: format_time(time_us) or "" for user, time_us in seen.items()}
