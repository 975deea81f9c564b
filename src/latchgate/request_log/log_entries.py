"""The request log in SQL: a row is written before its reply leaves, and found again by user, credential and time."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import fields
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Row, insert, select, tuple_, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from latchgate.core.log_entries import LogEntry, use_name
from latchgate.request_log.database import OPENING_SECONDS, LogDatabase, connect, storage_errors
from latchgate.request_log.documents import LogDocuments
from latchgate.request_log.queries import conditions
from latchgate.request_log.revisions import require_head
from latchgate.request_log.schema import last_use, log_position, request_log
from latchgate.request_log.texts import indexable, storable
from latchgate.services.port_values import LastUse, LogQuery
from latchgate.sql.inserts import insert_into

__all__ = ["PAGE_ROWS_MAX", "SqlRequestLog", "open_request_log"]

PAGE_ROWS_MAX = 1000
"""How many rows one read gives; a longer search is many short reads."""

_FIELDS = tuple(field.name for field in fields(LogEntry))
# Not dataclasses.asdict: it copies each value deeply, a fifth of what a row costs.
_values = attrgetter(*_FIELDS)
_INDEXED = frozenset({"user", "api_key"})
_BY_TIME = (request_log.c.time, request_log.c.id)
_TAKE_ID = update(log_position).values(last_id=log_position.c.last_id + 1).returning(log_position.c.last_id)
_INSERT_ROW = insert(request_log)


def open_request_log(location: str | Path, *, wait_seconds: float = 5.0) -> "SqlRequestLog":
    """Open the log, making file and tables if there are none.

    Args:
        location: The path of an SQLite file, or `sqlite:///<path>` or `postgresql://…`; that database may hold other
            tables as well.
        wait_seconds: How long a row waits for a lock that another process holds; opening itself has more patience.

    Raises:
        SettingsError: The location cannot be used, or its tables are of another release.
        StorageError: The database cannot be reached, or is locked.
    """
    with closing(connect(location, max(wait_seconds, OPENING_SECONDS))) as opening:
        require_head(opening)
    return SqlRequestLog(connect(location, wait_seconds))


class SqlRequestLog:
    """Fulfils the port RequestLog; any thread may call it.

    A row survives `kill -9` of this process at any moment. On SQLite a power cut may take the rows of the last moments:
    the operating system holds them, the disk perhaps not yet. On PostgreSQL that is as its `synchronous_commit` says.
    """

    def __init__(self, database: LogDatabase) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._writer: Connection | None = None

    @property
    def documents(self) -> LogDocuments:
        """Its rows as records of the type API Request Log."""
        return LogDocuments(self._read, self._database.reading.dialect.name)

    def append(self, entry: LogEntry) -> None:
        """Write a row and, if the credential was accepted, its last use, in one transaction.

        Raises:
            StorageError: Disk full, database locked or unreachable; never for what the row says. Nothing was written,
                unless the connection to PostgreSQL broke while it was committing: then nobody can know.
        """
        row = _row(entry)
        with self._lock, storage_errors("written"):
            try:
                writer, row["id"] = self._begin()
                writer.execute(_INSERT_ROW, row)
                if entry.reason is None and entry.user is not None and entry.api_key is not None:
                    credential = indexable(use_name(entry.source, entry.api_key))
                    use = {"credential": credential, "time": row["time"], "ip_address": row["ip_address"]}
                    writer.execute(_upsert_use(writer.dialect.name), use)
                writer.commit()
            except BaseException:
                self._drop_writer()
                raise

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Give the rows that match by time, the newest first, in short reads, so that a long search holds up nothing.

        Raises:
            StorageError: At any step.
        """
        statement = select(request_log).where(*conditions(query)).order_by(*(column.desc() for column in _BY_TIME))
        page, left = statement, query.limit or None
        while True:
            wanted = PAGE_ROWS_MAX if left is None else min(left, PAGE_ROWS_MAX)
            rows = self._read(page.limit(wanted))
            yield from map(_entry, rows)
            left = None if left is None else left - len(rows)
            if len(rows) < wanted or left == 0:
                return
            page = statement.where(tuple_(*_BY_TIME) < (rows[-1].time, rows[-1].id))

    def follow(self, after_id: int | None) -> tuple[list[LogEntry], int]:
        """Give at most PAGE_ROWS_MAX rows written after a position; the next are had with the position given.

        Raises:
            StorageError: The database cannot be read.
        """
        if after_id is None:
            position: int = self._read(select(log_position.c.last_id))[0].last_id
            return [], position
        rows = self._read(
            select(request_log).where(request_log.c.id > after_id).order_by(request_log.c.id).limit(PAGE_ROWS_MAX)
        )
        return [_entry(row) for row in rows], rows[-1].id if rows else after_id

    def last_uses(self, credentials: Sequence[str]) -> dict[str, LastUse]:
        """Tell when each credential, by its `use_name`, was last accepted. Raises StorageError."""
        names = {indexable(credential): credential for credential in credentials}
        known = list(names)
        uses: dict[str, LastUse] = {}
        for start in range(0, len(known), PAGE_ROWS_MAX):
            wanted = last_use.c.credential.in_(known[start : start + PAGE_ROWS_MAX])
            for row in self._read(select(last_use).where(wanted)):
                uses[names[row.credential]] = LastUse(row.time, row.ip_address)
        return uses

    def close(self) -> None:
        """Close every connection; a later call opens them anew."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._database.close()

    def _begin(self) -> tuple[Connection, int]:
        try:
            return self._take_id()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The connection had died since the last row; nothing of this one was written, so it may be tried again.
            self._drop_writer()
            return self._take_id()

    def _take_id(self) -> tuple[Connection, int]:
        if self._writer is None:
            self._writer = self._database.writing.connect()
        row_id: int = self._writer.execute(_TAKE_ID).scalar_one()
        return self._writer, row_id

    def _drop_writer(self) -> None:
        # After a failure nothing is taken for granted: an open transaction would keep the lock for ever.
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(SQLAlchemyError):
                writer.invalidate()
            with suppress(SQLAlchemyError):
                writer.close()

    def _read(self, statement: Executable, options: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        with storage_errors("read"), self._database.reading.connect() as connection:
            return connection.execute(statement, execution_options=options or {}).all()


@cache
def _upsert_use(engine: str) -> Executable:
    new = insert_into(engine, last_use)
    return new.on_conflict_do_update(
        index_elements=[last_use.c.credential],
        set_={"time": new.excluded.time, "ip_address": new.excluded.ip_address},
        # Requests end in another order than they came in, and a row's time is when its request came.
        where=new.excluded.time >= last_use.c.time,
    )


def _row(entry: LogEntry) -> dict[str, Any]:
    row = dict(zip(_FIELDS, _values(entry), strict=True))
    for name, value in row.items():
        if isinstance(value, str):
            row[name] = indexable(value) if name in _INDEXED else storable(value)
    return row


def _entry(row: Row[Any]) -> LogEntry:
    return LogEntry(*_values(row))
