"""The request log in SQL: rows found again by user, credential and time, with those that are still on their way."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from heapq import merge
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Row, Select, select, tuple_

from latchgate.core.log_entries import LogEntry, former_use_name, use_name
from latchgate.errors import StorageError
from latchgate.request_log.batches import find_progress
from latchgate.request_log.counts import LogCounts
from latchgate.request_log.database import OPENING_SECONDS, LogDatabase, connect, storage_errors
from latchgate.request_log.documents import LogDocuments
from latchgate.request_log.ingester import Ingester
from latchgate.request_log.log_states import read_standing, read_state
from latchgate.request_log.queries import conditions, matches
from latchgate.request_log.revisions import require_head
from latchgate.request_log.rows import COLUMNS
from latchgate.request_log.schema import last_use, log_position, log_segment, request_log
from latchgate.request_log.segment_ends import Pending, PendingRow, read_pending
from latchgate.request_log.segment_reader import list_segments
from latchgate.request_log.texts import indexable
from latchgate.request_log.uses import RowUses
from latchgate.services.clock import SystemClock
from latchgate.services.log_ports import KeyUse, LogStanding, Refusals
from latchgate.services.measures import Measures
from latchgate.services.port_values import CountQuery, LastUse, LogPosition, LogQuery, LogState, OutcomeCount, TopCount

__all__ = ["PAGE_ROWS_MAX", "SqlRequestLog", "open_request_log"]

PAGE_ROWS_MAX = 1000
"""How many rows one read gives; a longer search is many short reads."""
READ_WAIT_SECONDS = 2.0
"""How long a reader waits for whoever moves rows, before it reads them where they are."""

_ROWS_MOVED_BY_READERS = 5_000
_ROWS_READ_WHERE_THEY_ARE = 100
"""To bring rows in is a commit on the disk, which takes as long as to read some hundred."""
_TRIES = 10
_BY_TIME = (request_log.c.time, request_log.c.id)
_ENTRY = [request_log.c[name] for name in (*COLUMNS, "id", "seq")]
_SEGMENT = (
    select(log_segment.c.name).where(log_segment.c.id == request_log.c.segment_id).scalar_subquery().label("segment")
)


def open_request_log(
    location: str | Path, *, wait_seconds: float = 5.0, folder: Path | None = None, measures: Measures | None = None
) -> "SqlRequestLog":
    """Open the log's database, making file and tables if there are none.

    Args:
        location: The path of an SQLite file, or `sqlite:///<path>` or `postgresql://…`; that database may hold other
            tables as well.
        wait_seconds: How long a statement waits for a lock that another process holds; opening itself has more
            patience.
        folder: Where the segments are from which rows come; None if there are none.
        measures: Where to count what readers move; None: where nobody looks.

    Raises:
        SettingsError: The location cannot be used, or its tables are of another release.
        StorageError: The database cannot be reached, or is locked.
    """
    with closing(connect(location, max(wait_seconds, OPENING_SECONDS))) as opening:
        require_head(opening)
    database = connect(location, wait_seconds)
    if folder is None:
        return SqlRequestLog(database)
    ingester = Ingester(folder, database, SystemClock(), batch_rows=_ROWS_MOVED_BY_READERS, measures=measures)
    return SqlRequestLog(database, ingester)


class SqlRequestLog:
    """Reads the log; any thread may call it.

    Each call first moves what is still in segments into the database, or waits until whoever does so has. If that
    cannot be had, `search`, `follow` and `last_uses` read the segments too, and what only the database can answer is a
    StorageError: nothing is left out unseen.
    """

    def __init__(
        self, database: LogDatabase, ingester: Ingester | None = None, wait_seconds: float = READ_WAIT_SECONDS
    ) -> None:
        self._database = database
        self._ingester = ingester
        self._wait_seconds = wait_seconds

    @property
    def documents(self) -> LogDocuments:
        """Its rows as records of the type API Request Log."""
        return LogDocuments(self._read, self._database.reading.dialect.name, self.require_whole)

    def require_whole(self) -> None:
        """Make sure that the database has every row there is. Raises StorageError."""
        missing = self.catch_up()
        if missing:
            raise StorageError(
                f"The request log's database lacks {missing:,} rows that wait in segments; what keeps them from coming "
                "in is told by: latchgate doctor"
            )

    def catch_up(self) -> int:
        """Bring in what is pending; tell how many rows could not be had in time. Raises StorageError."""
        return self._ingester.catch_up(self._wait_seconds) if self._ingester is not None else 0

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Give the rows that match by time, the newest first, in short reads, so that a long search holds up nothing.

        Raises:
            StorageError: At any step.
        """
        if not self.catch_up():
            yield from (_entry(row) for row in self._search(query, select(*_ENTRY)))
            return
        pending = self._read_pending()
        wanted = sorted(
            (row for row in pending.rows if matches(query, row.entry)), key=lambda row: row.entry.time, reverse=True
        )
        found = (
            _entry(row)
            for row in self._search(query, select(*_ENTRY, _SEGMENT), more=len(wanted))
            if not pending.holds(row.segment, row.seq)
        )
        # Of one time, what is still on its way was written last.
        both = merge((row.entry for row in wanted), found, key=lambda entry: entry.time, reverse=True)
        for count, entry in enumerate(both, start=1):
            yield entry
            if count == query.limit:
                return

    def follow(self, after: LogPosition | None) -> tuple[list[LogEntry], LogPosition]:
        """Give at most PAGE_ROWS_MAX rows written after a position; the next are had with the position given.

        Rows that could only be read in their segments come besides; they are not given again when the database has
        them.

        Raises:
            StorageError: The database cannot be read, nor the segments where that is needed.
        """
        pending = self._read_pending() if self.catch_up() else Pending((), {})
        if after is None:
            return [], LogPosition(self._last_id(), {name: end for name, (_, end) in pending.read.items()})
        statement = select(*_ENTRY, _SEGMENT).where(request_log.c.id > after.id).order_by(request_log.c.id)
        rows = self._read(statement.limit(PAGE_ROWS_MAX))
        entries = [_entry(row) for row in rows if not _was_shown(after, row)]
        last_id = rows[-1].id if rows else after.id
        if len(rows) == PAGE_ROWS_MAX:
            return entries, LogPosition(last_id, after.shown)
        moved = {(row.segment, row.seq) for row in rows}
        entries += [
            row.entry
            for row in pending.rows
            if row.seq >= after.shown.get(row.segment, 0) and (row.segment, row.seq) not in moved
        ]
        return entries, LogPosition(last_id, self._shown(after, pending))

    def reach(self, rows_max: int) -> int:
        """Tell the number of the newest row that can be read by it, after at most so many were brought in.

        Nobody waits for whoever moves rows: what is still on its way has no number yet.

        Raises:
            StorageError: The database cannot be read.
        """
        if self._ingester is not None:
            with suppress(StorageError):
                self._ingester.ingest_some(rows_max)
        return self._last_id()

    def last_uses(self, credentials: Sequence[str]) -> dict[str, LastUse]:
        """Tell when each credential, by its `use_name`, was last accepted. Raises StorageError."""
        names = {indexable(credential): credential for credential in credentials}
        pending = self._read_behind() if names else Pending((), {})
        known = list(names)
        uses: dict[str, LastUse] = {}
        for start in range(0, len(known), PAGE_ROWS_MAX):
            wanted = last_use.c.credential.in_(known[start : start + PAGE_ROWS_MAX])
            for row in self._read(select(last_use).where(wanted)):
                uses[names[row.credential]] = LastUse(row.time, row.ip_address)
        for credential, use in _uses(pending.rows):
            name = names.get(credential)
            if name is not None and (name not in uses or use.time >= uses[name].time):
                uses[name] = use
        return uses

    def counts(self, query: CountQuery, span_seconds: int) -> list[OutcomeCount]:
        """As the port RequestCounts says. Raises StorageError, and ValueError for points that are not kept."""
        self.require_whole()
        return LogCounts(self._read).counts(query, span_seconds)

    def is_short(self, query: CountQuery, rows_max: int) -> bool:
        """As the port RequestCounts says. Raises StorageError."""
        return LogCounts(self._read).is_short(query, rows_max)

    def top(self, query: CountQuery, limit: int) -> list[TopCount]:
        """As the port RequestCounts says. Raises StorageError."""
        self.require_whole()
        return LogCounts(self._read).top(query, limit)

    def key_uses(
        self, keys: Sequence[tuple[str, str]], since_us: int, rows_max: int
    ) -> Mapping[tuple[str, str], KeyUse]:
        """As the port LogUses says. Raises StorageError."""
        self.require_whole()
        return RowUses(self._ask).key_uses(keys, since_us, rows_max)

    def last_seen(self, users: Sequence[str]) -> Mapping[str, int]:
        """As the port LogUses says. Raises StorageError."""
        self.require_whole()
        return RowUses(self._ask).last_seen(users)

    def refusals(self, recent_us: int, since_us: int, rows_max: int, limit: int) -> Refusals:
        """As the port LogUses says. Raises StorageError."""
        self.require_whole()
        return RowUses(self._ask).refusals(recent_us, since_us, rows_max, limit)

    def state(self) -> LogState:
        """Tell how the log itself stands, without bringing anything in. Raises StorageError."""
        return read_state(self._database, self._ingester)

    def standing(self) -> LogStanding:
        """Tell how the log stands by counts alone. Raises StorageError."""
        return read_standing(self._database, self._ingester)

    def close(self) -> None:
        """Close every connection; a later call opens them anew."""
        self._database.close()

    def _search(self, query: LogQuery, chosen: Select[Any], more: int = 0) -> Iterator[Row[Any]]:
        """Give rows of the database, `more` than the limit since some may be pending too."""
        statement = chosen.where(*conditions(query)).order_by(*(column.desc() for column in _BY_TIME))
        page, left = statement, query.limit + more if query.limit else None
        while True:
            wanted = PAGE_ROWS_MAX if left is None else min(left, PAGE_ROWS_MAX)
            rows = self._read(page.limit(wanted))
            yield from rows
            left = None if left is None else left - len(rows)
            if len(rows) < wanted or left == 0:
                return
            page = statement.where(tuple_(*_BY_TIME) < (rows[-1].time, rows[-1].id))

    def _read_pending(self) -> Pending:
        # First how far the database is, then the segments, then the database's rows: what is moved meanwhile is met
        # twice, and never not at all.
        assert self._ingester is not None  # noqa: S101  # only what catches up finds rows missing
        folder = self._ingester.folder
        for _ in range(_TRIES):
            with storage_errors("read"), self._database.reading.connect() as connection:
                progress = find_progress(connection, [segment.id for segment in list_segments(folder)])
            try:
                return read_pending(folder, progress)
            except FileNotFoundError:
                continue
        raise StorageError("The request log's segments change faster than they can be read")

    def _read_behind(self) -> Pending:
        """Read what the database does not have: few rows where they are, of many those that cannot be brought in."""
        if self._ingester is None:
            return Pending((), {})
        missing = self._ingester.count_missing(self._ingester.find_ends())
        if missing > _ROWS_READ_WHERE_THEY_ARE:
            missing = self.catch_up()
        return self._read_pending() if missing else Pending((), {})

    def _shown(self, after: LogPosition, pending: Pending) -> Mapping[str, int]:
        """Keep what was shown of a segment until the database is past it."""
        still = {name: end for name, end in after.shown.items() if name in pending.read and pending.read[name][0] < end}
        return still | {name: max(end, still.get(name, 0)) for name, (_, end) in pending.read.items()}

    def _last_id(self) -> int:
        last_id: int = self._read(select(log_position.c.last_id))[0].last_id
        return last_id

    def _read(self, statement: Executable, options: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        with storage_errors("read"), self._database.reading.connect() as connection:
            return connection.execute(statement, execution_options=options or {}).all()

    def _ask(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        with storage_errors("read"), self._database.reading.connect() as connection:
            return connection.execute(statement, values).all()


def _was_shown(after: LogPosition, row: Row[Any]) -> bool:
    return row.seq is not None and 0 <= row.seq < after.shown.get(row.segment, 0)


def _entry(row: Row[Any]) -> LogEntry:
    values = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for it
    return LogEntry(**{name: values[name] for name in COLUMNS})


def _uses(rows: Sequence[PendingRow]) -> Iterator[tuple[str, LastUse]]:
    for entry in (row.entry for row in rows):
        if entry.reason is None and entry.user is not None and entry.api_key is not None:
            use = LastUse(entry.time, entry.ip_address)
            yield indexable(use_name(entry.source, entry.api_key)), use
            if entry.former_until is not None:
                yield indexable(former_use_name(entry.source, entry.api_key, entry.former_until)), use
