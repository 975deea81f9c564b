"""Authorization sources of a transaction: document types other than User whose records own keys, and those records."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from latchgate.core.sources import SourceRecord
from latchgate.errors import NotFound
from latchgate.storage.encodings import is_storable
from latchgate.storage.rows import add_row, change_row
from latchgate.storage.schema import authorization_source, source_record, user

__all__ = ["SqlSources"]

# A user is the record of its own keys.
_RECORDS = select(func.count()).where(source_record.c.source == authorization_source.c.name)
_LIST = select(
    authorization_source.c.name,
    case(
        (authorization_source.c.name == "User", select(func.count()).select_from(user).scalar_subquery()),
        else_=_RECORDS.correlate(authorization_source).scalar_subquery(),
    ),
).order_by(authorization_source.c.name)
_EXISTS = select(authorization_source.c.id).where(authorization_source.c.name == bindparam("wanted"))
_RECORD = (
    select(source_record.c.id, source_record.c.source, source_record.c.name, user.c.name, source_record.c.enabled)
    .select_from(source_record.outerjoin(user, user.c.id == source_record.c.user_id))
    .where(source_record.c.source == bindparam("wanted_source"))
)
_FIND_RECORD = _RECORD.where(source_record.c.name == bindparam("wanted"))
_LIST_RECORDS = _RECORD.order_by(source_record.c.name)
_ENABLE = update(source_record).where(source_record.c.id == bindparam("record_id")).values(enabled=bindparam("wanted"))


class SqlSources:
    """Sources and records in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_all(self) -> list[tuple[str, int]]:
        return [(name, count) for name, count in self._connection.execute(_LIST)]

    def exists(self, source: str) -> bool:
        return is_storable(source) and self._connection.scalar(_EXISTS, {"wanted": source}) is not None

    def add(self, source: str, now_us: int) -> int:
        values = {"name": source, "creation": now_us}
        taken = f"There is a source {source} already"
        return add_row(self._connection, authorization_source, values, unique="name", taken=taken)

    def find_record(self, source: str, name: str) -> SourceRecord | None:
        if not (is_storable(source) and is_storable(name)):
            return None
        row = self._connection.execute(_FIND_RECORD, {"wanted_source": source, "wanted": name}).one_or_none()
        return None if row is None else _decode(row)

    def list_records(self, source: str) -> list[SourceRecord]:
        if not is_storable(source):
            return []
        return [_decode(row) for row in self._connection.execute(_LIST_RECORDS, {"wanted_source": source})]

    def add_record(self, source: str, name: str, user_id: int | None, *, enabled: bool) -> int:
        if not self.exists(source):
            raise NotFound(f"There is no source {source}")
        values = {"source": source, "name": name, "user_id": user_id, "enabled": enabled}
        taken = f"There is a record {name} of {source} already"
        return add_row(self._connection, source_record, values, unique="source name", taken=taken)

    def enable_record(self, record_id: int, *, enabled: bool) -> None:
        change_row(self._connection, _ENABLE, {"record_id": record_id, "wanted": enabled})


def _decode(row: Sequence[Any]) -> SourceRecord:
    return SourceRecord(*row)
