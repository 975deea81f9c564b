"""The activity log of a transaction."""

from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import Connection, bindparam, insert, or_, select, tuple_, update

from latchgate.core.log_entries import ActivityEntry
from latchgate.services.port_values import ActivityQuery
from latchgate.storage.encodings import is_storable
from latchgate.storage.instance_tables import activity_log

__all__ = ["PAGE_ROWS_MAX", "SqlActivityLog"]

PAGE_ROWS_MAX = 500

_APPEND = insert(activity_log).inline()
_LATEST = select(
    activity_log.c.time,
    activity_log.c.user,
    activity_log.c.operation,
    activity_log.c.subject,
    activity_log.c.detail,
    activity_log.c.ip_address,
    activity_log.c.user_id,
).order_by(activity_log.c.id.desc())
_ADDRESSES = (
    select(activity_log.c.time, activity_log.c.id, activity_log.c.ip_address)
    .where(
        activity_log.c.time >= bindparam("after_time"),
        tuple_(activity_log.c.time, activity_log.c.id) > tuple_(bindparam("after_time"), bindparam("after_id")),
        activity_log.c.time < bindparam("before_time"),
    )
    .order_by(activity_log.c.time, activity_log.c.id)
    .limit(bindparam("count"))
)
_REPLACE_ADDRESS = update(activity_log).where(activity_log.c.id == bindparam("row_id"))
_PAGE = _LATEST.add_columns(activity_log.c.id).limit(PAGE_ROWS_MAX)


class SqlActivityLog:
    """The activity log in SQL: names, not references, so that its rows outlive what they tell of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, entry: ActivityEntry) -> None:
        self._connection.execute(_APPEND, asdict(entry))

    def list_latest(self, limit: int) -> list[ActivityEntry]:
        return [ActivityEntry(*row) for row in self._connection.execute(_LATEST.limit(limit))]

    def list_page(self, query: ActivityQuery, before_id: int | None) -> tuple[list[ActivityEntry], int | None]:
        page = _PAGE
        if query.user is not None:
            if not is_storable(query.user):
                return [], None
            page = page.where(or_(activity_log.c.user == query.user, activity_log.c.subject == query.user))
        if query.since is not None:
            page = page.where(activity_log.c.time >= query.since)
        if before_id is not None:
            page = page.where(activity_log.c.id < before_id)
        rows = self._connection.execute(page).all()
        return [ActivityEntry(*row[:-1]) for row in rows], rows[-1].id if len(rows) == PAGE_ROWS_MAX else None

    def list_addresses(self, after: tuple[int, int], before_time: int, limit: int) -> list[tuple[int, int, str]]:
        place = {"after_time": after[0], "after_id": after[1], "before_time": before_time, "count": limit}
        return [(row.time, row.id, row.ip_address) for row in self._connection.execute(_ADDRESSES, place)]

    def replace_addresses(self, addresses: Mapping[int, str]) -> None:
        if addresses:
            changes = [{"row_id": row_id, "shown": address} for row_id, address in addresses.items()]
            self._connection.execute(_REPLACE_ADDRESS.values(ip_address=bindparam("shown")), changes)
