"""What is too old goes, a little at a time, so that nothing waits for it."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from latchgate.request_log.database import LogDatabase, storage_errors
from latchgate.request_log.roll_ups import DAY, HOUR, KINDS, MINUTE, SPANS_OF
from latchgate.request_log.schema import last_use, log_count, log_loss, log_segment, request_log

__all__ = ["COUNTS_KEPT_DAYS", "ROWS_AT_ONCE", "Retention"]

ROWS_AT_ONCE = 2_000
COUNTS_KEPT_DAYS = {MINUTE: 8, HOUR: 100, DAY: 5 * 366}
"""By span: how long roll-ups are kept, however long the rows are."""

_DAY_US = DAY * 1_000_000
# A segment's row keeps a file that a power cut brought back from being read again; that happens at once or never.
_SEGMENTS_KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes what is older than it may be."""

    database: LogDatabase
    days: int
    """How long rows and reported losses are kept; 0: for ever."""

    def delete_some(self, now_us: int) -> int:
        """Delete what is too old, at most ROWS_AT_ONCE rows or one point of time of the roll-ups, in one transaction.

        Returns:
            How many were deleted. 0: nothing is too old any more.

        Raises:
            StorageError: The database is full, locked or unreachable; nothing was deleted.
        """
        with storage_errors("cleaned"), self.database.writing.begin() as connection:
            return self._delete_rows(connection, now_us) or self._delete_counts(connection, now_us // 1_000_000)

    def _delete_rows(self, connection: Connection, now_us: int) -> int:
        kept_from = now_us - max(self.days, _SEGMENTS_KEPT_DAYS) * _DAY_US
        ended = connection.execute(delete(log_segment).where(log_segment.c.ended < kept_from)).rowcount
        # Of secrets that ended long ago; a key's own last use is kept as long as the key may be asked for.
        name, begins = last_use.c.credential, "former\n"
        over = (
            name > begins,
            name < f"{begins}{kept_from // 1_000_000:012}",
            func.substr(name, 1, len(begins)) == begins,
        )
        ended += connection.execute(delete(last_use).where(*over)).rowcount
        if not self.days:
            return ended
        kept_from = now_us - self.days * _DAY_US
        columns = request_log.c
        oldest = (
            select(columns.id).where(columns.time < kept_from).order_by(columns.time, columns.id).limit(ROWS_AT_ONCE)
        )
        rows = connection.execute(delete(request_log).where(columns.id.in_(oldest))).rowcount
        losses = connection.execute(delete(log_loss).where(log_loss.c.time < kept_from)).rowcount
        return ended + rows + losses

    def _delete_counts(self, connection: Connection, now: int) -> int:
        columns = log_count.c
        deleted = 0
        for by, spans in SPANS_OF.items():
            for span in spans:
                these = (columns.span == span, columns.kind == KINDS[by])
                oldest = connection.execute(select(func.min(columns.start)).where(*these)).scalar()
                if oldest is not None and oldest < now - COUNTS_KEPT_DAYS[span] * DAY:
                    deleted += connection.execute(delete(log_count).where(*these, columns.start == oldest)).rowcount
        return deleted
