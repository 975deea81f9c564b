"""Writing batches: rows of segments, how far these are read, roll-ups, last uses, in one transaction or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count as count_from
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, select, update

from latchgate.errors import StorageError
from latchgate.request_log.database import LogDatabase, storage_errors
from latchgate.request_log.roll_ups import RollUps, roll_up
from latchgate.request_log.rows import COLUMNS, FORMER, Row
from latchgate.request_log.schema import log_loss, log_position, log_segment, request_log
from latchgate.sql.inserts import insert_into

__all__ = ["Batch", "Progress", "find_progress", "write_batches"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a segment's records are in the database."""

    name: str
    id: int | None = None
    """None if the database does not know it yet."""
    offset: int = 0
    next_seq: int = 1
    ended: bool = False
    """Read to its end, and deleted, or about to be."""
    problem: str | None = None
    """Why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be added, and how far the segment is then read."""

    host: str
    before: Progress
    offset: int
    next_seq: int
    rows: Sequence[tuple[int, Row]] = ()
    """Each with its number in the segment."""
    tallies: Sequence[tuple[int, Row]] = ()
    """Rows that take the place of what stood under their number, which is below 0."""
    lost: int = 0
    damaged_bytes: int = 0
    ended: bool = False
    problem: str | None = None


_ROW_COLUMNS = ("id", *COLUMNS, "segment_id", "seq")
_NAMED = ", ".join(f'"{name}"' for name in _ROW_COLUMNS)
_INSERT_SQLITE = f"INSERT INTO request_log ({_NAMED}) VALUES ({', '.join('?' * len(_ROW_COLUMNS))})"  # noqa: S608  # put together from the columns' names
_COPY_POSTGRESQL = f"COPY request_log ({_NAMED}) FROM STDIN"
_TAKE_IDS = (
    update(log_position).values(last_id=log_position.c.last_id + bindparam("wanted")).returning(log_position.c.last_id)
)
# SQLite took this form from PostgreSQL.
_UPSERT_COUNT = (
    "INSERT INTO log_count (span, kind, start, name, detail, outcome, requests) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (span, kind, start, name, detail, outcome) DO UPDATE SET requests = log_count.requests + "
    "excluded.requests"
)
# Requests end in another order than they came in, and a row's time is when its request came.
_UPSERT_USE = (
    "INSERT INTO last_use (credential, time, ip_address) VALUES (?, ?, ?) ON CONFLICT (credential) DO UPDATE "
    "SET time = excluded.time, ip_address = excluded.ip_address WHERE excluded.time >= last_use.time"
)


def find_progress(connection: Connection, names: Iterable[str]) -> dict[str, Progress]:
    """Tell how far each segment is read; one that the database does not know is at its beginning."""
    names = list(names)
    columns = log_segment.c
    chosen = select(columns.name, columns.id, columns.offset, columns.next_seq, columns.ended, columns.problem)
    found = {
        row.name: Progress(row.name, row.id, row.offset, row.next_seq, row.ended is not None, row.problem)
        for row in connection.execute(chosen.where(columns.name.in_(names)))
    }
    return {name: found.get(name, Progress(name)) for name in names}


def write_batches(database: LogDatabase, batches: Sequence[Batch], now_us: int) -> bool:
    """Write batches of different segments in one transaction, on the disk when this returns.

    Returns:
        False if a segment is not where its batch found it: another wrote it, and nothing was changed.

    Raises:
        StorageError: The database is full, locked or unreachable; nothing was changed.
    """
    with storage_errors("written"), database.writing.connect() as connection:
        # Always in the same order, so that no two hosts wait for each other in a circle.
        moved = [
            (_move(connection, batch, now_us), batch) for batch in sorted(batches, key=lambda one: one.before.name)
        ]
        there = {batch.before.name: segment_id for segment_id, batch in moved if segment_id is not None}
        if len(there) < len(batches):
            connection.rollback()
            return False
        added: list[Row] = []
        for batch in batches:
            added += _write_rows(connection, batch, there[batch.before.name])
        if added:
            _add(connection, roll_up(added))
        losses = [
            {"segment_id": there[batch.before.name], "records": batch.lost, "damaged_bytes": batch.damaged_bytes}
            for batch in batches
            if batch.lost or batch.damaged_bytes
        ]
        if losses:
            connection.execute(_upsert_loss(connection.dialect.name), [{**loss, "time": now_us} for loss in losses])
        connection.commit()
        return True


@cache
def _upsert_loss(engine: str) -> Executable:
    new = insert_into(engine, log_loss)
    return new.on_conflict_do_update(
        index_elements=[log_loss.c.segment_id],
        set_={
            "records": log_loss.c.records + new.excluded.records,
            "damaged_bytes": log_loss.c.damaged_bytes + new.excluded.damaged_bytes,
            "time": new.excluded.time,
        },
    )


@cache
def _new_segment(engine: str) -> Executable:
    return insert_into(engine, log_segment).on_conflict_do_nothing(index_elements=[log_segment.c.name])


def _move(connection: Connection, batch: Batch, now_us: int) -> int | None:
    columns, before = log_segment.c, batch.before
    if before.id is None:
        new = {"name": before.name, "host": batch.host, "offset": before.offset, "next_seq": before.next_seq}
        connection.execute(_new_segment(connection.dialect.name), {**new, "began": now_us})
    moved = connection.execute(
        update(log_segment)
        .where(columns.name == before.name, columns.offset == before.offset, columns.next_seq == before.next_seq)
        .where(columns.ended.is_(None))
        .values(
            offset=batch.offset,
            next_seq=batch.next_seq,
            ended=now_us if batch.ended else None,
            problem=batch.problem,
        )
        .returning(columns.id)
    ).first()
    return None if moved is None else int(moved.id)


def _write_rows(connection: Connection, batch: Batch, segment_id: int) -> list[Row]:
    """Write rows and tallies; give what is to be added to the roll-ups."""
    if not batch.rows and not batch.tallies:
        return []
    known = _known_tallies(connection, segment_id, batch.tallies)
    # They only ever grow.
    grown = [(seq, row) for seq, row in batch.tallies if seq in known and row[-1] > known[seq][1]]
    new = [*batch.rows, *((seq, row) for seq, row in batch.tallies if seq not in known)]
    # From here on nobody else numbers rows.
    last: int = connection.execute(_TAKE_IDS, {"wanted": len(new)}).scalar_one()
    ids = count_from(last - len(new) + 1)
    kept = [
        (row_id, *row[:FORMER], *row[FORMER + 1 :], segment_id, seq)
        for row_id, (seq, row) in zip(ids, new, strict=False)
    ]
    _insert(connection, kept)
    for seq, row in grown:
        connection.execute(update(request_log).where(request_log.c.id == known[seq][0]).values(requests=row[-1]))
    return [*(row for _, row in new), *((*row[:-1], row[-1] - known[seq][1]) for seq, row in grown)]


def _insert(connection: Connection, rows: list[Row]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_INSERT_SQLITE, rows)
        return
    driver = connection.connection.driver_connection
    dbapi = connection.dialect.loaded_dbapi
    try:
        with driver.cursor() as cursor, cursor.copy(_COPY_POSTGRESQL) as copy:  # type: ignore[union-attr]  # psycopg's own
            for row in rows:
                copy.write_row(row)
    except dbapi.Error as error:
        raise StorageError("The request log cannot be written", detail=str(error)) from error


def _known_tallies(
    connection: Connection, segment_id: int, tallies: Sequence[tuple[int, Row]]
) -> dict[int, tuple[int, int]]:
    """Give id and requests of the tallies' rows that are there, by their number."""
    if not tallies:
        return {}
    columns = request_log.c
    wanted = select(columns.seq, columns.id, columns.requests).where(
        columns.segment_id == segment_id, columns.seq.in_([seq for seq, _ in tallies])
    )
    return {row.seq: (row.id, row.requests) for row in connection.execute(wanted)}


def _add(connection: Connection, added: RollUps) -> None:
    # In a fixed order, so that what lies beside each other is met one after the other.
    _upsert(connection, _UPSERT_COUNT, [(*place, count) for place, count in sorted(added.counts.items()) if count])
    _upsert(connection, _UPSERT_USE, [(name, *use) for name, use in sorted(added.uses.items())])


def _upsert(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        # Past SQLAlchemy's own making of parameters, which would take longer than the database.
        marks = statement if connection.dialect.name == "sqlite" else statement.replace("?", "%s")
        connection.exec_driver_sql(marks, rows)
