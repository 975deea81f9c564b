"""Old addresses become networks: who asked from where is kept for as long as it was decided, and no longer."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, bindparam, select, tuple_, update

from latchgate.core.addresses import shorten_address
from latchgate.request_log.database import LogDatabase, storage_errors
from latchgate.request_log.schema import last_use, request_log

__all__ = ["ROWS_AT_ONCE", "Shortening"]

ROWS_AT_ONCE = 2_000
_AGAIN_US = 86_400 * 1_000_000
"""How often to begin anew: rows of an old time may come late, from a segment that lay around."""

_columns = request_log.c
_OLD_ROWS = (
    select(_columns.time, _columns.id, _columns.ip_address)
    .where(
        _columns.time >= bindparam("after_time"),
        tuple_(_columns.time, _columns.id) > tuple_(bindparam("after_time"), bindparam("after_id")),
        _columns.time < bindparam("before"),
    )
    .order_by(_columns.time, _columns.id)
    .limit(ROWS_AT_ONCE)
)
_SHORTEN_ROW = update(request_log).where(_columns.id == bindparam("row_id")).values(ip_address=bindparam("shown"))
_OLD_USES = (
    select(last_use.c.credential, last_use.c.ip_address)
    .where(last_use.c.time < bindparam("before"), last_use.c.credential > bindparam("after"))
    .where(last_use.c.ip_address.not_like("%/%"))
    .order_by(last_use.c.credential)
    .limit(ROWS_AT_ONCE)
)
# Unless the credential was used meanwhile: then it is another address.
_SHORTEN_USE = (
    update(last_use)
    .where(last_use.c.credential == bindparam("named"), last_use.c.time < bindparam("before"))
    .values(ip_address=bindparam("shown"))
)
_BEGINNING = (-1, -1)


class Shortening:
    """Walks the rows in order of time, and then the last uses, from where it stopped; one thread at a time.

    Where it stopped is remembered by this process alone: what was shortened stays so, and looking at a row once more
    changes nothing. So whoever dies in the middle begins anew, and has lost nothing but time.
    """

    def __init__(self, database: LogDatabase) -> None:
        """Take the log's database."""
        self._database = database
        self._row = _BEGINNING
        self._use = ""
        self._began_us = 0

    def forget(self) -> None:
        """Begin anew the next time."""
        self._row, self._use, self._began_us = _BEGINNING, "", 0

    def shorten_some(self, before_us: int, now_us: int) -> int:
        """Shorten the addresses of some rows that are older, at most ROWS_AT_ONCE, in one transaction.

        Args:
            before_us: Of which time, in microseconds since 1970, rows must be older.
            now_us: The time now.

        Returns:
            How many were looked at. 0: none is left.

        Raises:
            StorageError: The database is full, locked or unreachable; nothing was changed.
        """
        if not 0 <= now_us - self._began_us < _AGAIN_US:
            self._row, self._use, self._began_us = _BEGINNING, "", now_us
        return self._shorten_rows(before_us) or self._shorten_uses(before_us)

    def _shorten_rows(self, before_us: int) -> int:
        place = {"after_time": self._row[0], "after_id": self._row[1], "before": before_us}
        # Read first: most of what is looked at is short already, and is nothing to wait for a writer for.
        with storage_errors("read"), self._database.reading.connect() as connection:
            rows = connection.execute(_OLD_ROWS, place).all()
        changes = [
            {"row_id": row.id, "shown": shown}
            for row in rows
            if (shown := shorten_address(row.ip_address)) != row.ip_address
        ]
        self._write(_SHORTEN_ROW, changes)
        if rows:
            self._row = (rows[-1].time, rows[-1].id)
        return len(rows)

    def _shorten_uses(self, before_us: int) -> int:
        with storage_errors("read"), self._database.reading.connect() as connection:
            rows = connection.execute(_OLD_USES, {"before": before_us, "after": self._use}).all()
        changes = [
            {"named": row.credential, "shown": shown, "before": before_us}
            for row in rows
            if (shown := shorten_address(row.ip_address)) != row.ip_address
        ]
        self._write(_SHORTEN_USE, changes)
        # From the first one again the next time: by then others are old.
        self._use = rows[-1].credential if rows else ""
        return len(rows)

    def _write(self, statement: Executable, changes: Sequence[Mapping[str, Any]]) -> None:
        if changes:
            with storage_errors("cleaned"), self._database.writing.begin() as connection:
                connection.execute(statement, changes)
