"""How the log itself stands: what waits in segments, what was lost, how far back it goes."""

from sqlalchemy import func, select

from latchgate.errors import StorageError
from latchgate.request_log.batches import find_progress
from latchgate.request_log.database import LogDatabase, storage_errors
from latchgate.request_log.ingester import PROBLEMS, Ingester
from latchgate.request_log.schema import log_loss, log_position, request_log
from latchgate.request_log.segment_ends import count_appended
from latchgate.request_log.segment_reader import SegmentFile, list_segments
from latchgate.services.log_ports import LogStanding
from latchgate.services.port_values import LogState

__all__ = ["read_standing", "read_state"]


def read_state(database: LogDatabase, ingester: Ingester | None) -> LogState:
    """Tell how the log stands, as far as this host knows. Raises StorageError."""
    there = [] if ingester is None else list_segments(ingester.folder)
    pending = 0 if ingester is None else ingester.count_missing(ingester.find_ends())
    loss = log_loss.c
    with storage_errors("read"), database.reading.connect() as connection:
        records, damaged, lost_at = connection.execute(
            select(
                func.coalesce(func.sum(loss.records), 0),
                func.coalesce(func.sum(loss.damaged_bytes), 0),
                func.max(loss.time),
            )
        ).one()
        oldest = connection.execute(select(func.min(request_log.c.time))).scalar()
        newest: int = connection.execute(select(log_position.c.last_id)).scalar_one()
    return LogState(
        pending=pending,
        lost=int(records),
        damaged_bytes=int(damaged),
        lost_at=lost_at,
        segments=len(there),
        unreadable={segment.id: problem for segment in there if (problem := _find_problem(segment)) is not None},
        oldest=oldest,
        rows=newest,
    )


def read_standing(database: LogDatabase, ingester: Ingester | None) -> LogStanding:
    """Tell how the log stands by counts alone, however far behind it is. Raises StorageError."""
    there = [] if ingester is None else list_segments(ingester.folder)
    # Before the database is asked: what comes meanwhile is not behind.
    appended = {segment.id: count_appended(segment) for segment in there}
    loss = log_loss.c
    with storage_errors("read"), database.reading.connect() as connection:
        progress = find_progress(connection, appended)
        records, damaged = connection.execute(
            select(func.coalesce(func.sum(loss.records), 0), func.coalesce(func.sum(loss.damaged_bytes), 0))
        ).one()
    return LogStanding(
        rows_behind=sum(max(count + 1 - progress[name].next_seq, 0) for name, count in appended.items()),
        segments=len(there),
        unreadable_segments=sum(one.problem is not None for one in progress.values()),
        rows_lost=int(records),
        damaged_bytes=int(damaged),
    )


def _find_problem(segment: SegmentFile) -> str | None:
    try:
        return PROBLEMS.get(segment.scan(rows_max=0).condition)
    except StorageError as error:
        return error.detail if segment.path.exists() else None
