"""How the log itself stands: what waits in segments, what was lost, how far back it goes."""

from sqlalchemy import func, select

from latchgate.request_log.database import LogDatabase, storage_errors
from latchgate.request_log.ingester import Ingester
from latchgate.request_log.schema import log_loss, log_position, log_segment, request_log
from latchgate.request_log.segment_reader import list_segments
from latchgate.services.port_values import LogState

__all__ = ["read_state"]


def read_state(database: LogDatabase, ingester: Ingester | None) -> LogState:
    """Tell how the log stands, as far as this host knows. Raises StorageError."""
    there = [] if ingester is None else [segment.id for segment in list_segments(ingester.folder)]
    pending = 0 if ingester is None else ingester.count_missing(ingester.find_ends())
    loss, segment = log_loss.c, log_segment.c
    with storage_errors("read"), database.reading.connect() as connection:
        records, damaged, lost_at = connection.execute(
            select(
                func.coalesce(func.sum(loss.records), 0),
                func.coalesce(func.sum(loss.damaged_bytes), 0),
                func.max(loss.time),
            )
        ).one()
        unreadable = connection.execute(
            select(segment.name, segment.problem).where(segment.problem.is_not(None), segment.name.in_(there))
        ).all()
        oldest = connection.execute(select(func.min(request_log.c.time))).scalar()
        newest: int = connection.execute(select(log_position.c.last_id)).scalar_one()
    return LogState(
        pending=pending,
        lost=int(records),
        damaged_bytes=int(damaged),
        lost_at=lost_at,
        segments=len(there),
        unreadable={row.name: row.problem for row in unreadable},
        oldest=oldest,
        rows=newest,
    )
