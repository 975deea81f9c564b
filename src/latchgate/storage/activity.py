"""The activity log of a transaction."""

from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from latchgate.core.log_entries import ActivityEntry
from latchgate.storage.schema import activity_log

__all__ = ["SqlActivityLog"]

_APPEND = insert(activity_log).inline()
_LATEST = select(
    activity_log.c.time,
    activity_log.c.user,
    activity_log.c.operation,
    activity_log.c.subject,
    activity_log.c.detail,
    activity_log.c.ip_address,
).order_by(activity_log.c.id.desc())


class SqlActivityLog:
    """The activity log in SQL: names, not references, so that its rows outlive what they tell of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, entry: ActivityEntry) -> None:
        self._connection.execute(_APPEND, asdict(entry))

    def list_latest(self, limit: int) -> list[ActivityEntry]:
        return [ActivityEntry(*row) for row in self._connection.execute(_LATEST.limit(limit))]
