"""Authorization sources of a transaction: document types other than User whose records own keys, and those records."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from latchgate.core.sources import SourceRecord
from latchgate.errors import Conflict, NotFound
from latchgate.services.port_values import NewRecord, RecordChanges
from latchgate.storage.account_tables import authorization_source, source_record, user
from latchgate.storage.encodings import is_storable
from latchgate.storage.rows import add_row, change_row

__all__ = ["FIND_SOURCE", "SqlSources"]

# A user is the record of its own keys.
_RECORDS = select(func.count()).where(source_record.c.source == authorization_source.c.name)
_LIST = select(
    authorization_source.c.name,
    case(
        (authorization_source.c.name == "User", select(func.count()).select_from(user).scalar_subquery()),
        else_=_RECORDS.correlate(authorization_source).scalar_subquery(),
    ),
).order_by(authorization_source.c.name)
_LIST_NAMES = select(authorization_source.c.name).order_by(authorization_source.c.name)
FIND_SOURCE = select(authorization_source.c.id).where(authorization_source.c.name == bindparam("wanted"))
_RECORD = (
    select(source_record.c.id, source_record.c.source, source_record.c.name, user.c.name, source_record.c.enabled)
    .select_from(source_record.outerjoin(user, user.c.id == source_record.c.user_id))
    .where(source_record.c.source == bindparam("wanted_source"))
)
_FIND_RECORD = _RECORD.where(source_record.c.name == bindparam("wanted"))
_LIST_RECORDS = _RECORD.order_by(source_record.c.name)
_HAS_RECORDS = select(source_record.c.id).where(source_record.c.source == bindparam("wanted")).limit(1)
_DELETE = delete(authorization_source).where(authorization_source.c.name == bindparam("wanted"))


class SqlSources:
    """Sources and records in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_names(self) -> list[str]:
        return list(self._connection.scalars(_LIST_NAMES))

    def list_all(self) -> list[tuple[str, int]]:
        return [(name, count) for name, count in self._connection.execute(_LIST)]

    def exists(self, source: str) -> bool:
        return is_storable(source) and self._connection.scalar(FIND_SOURCE, {"wanted": source}) is not None

    def add(self, source: str, by: str, now_us: int) -> int:
        values = {"name": source, "creation": now_us, "owner": by, "modified": now_us, "modified_by": by}
        taken = f"There is a source {source} already"
        return add_row(self._connection, authorization_source, values, unique="name", taken=taken)

    def delete(self, source: str) -> None:
        if self._connection.scalar(_HAS_RECORDS, {"wanted": source}) is not None:
            raise Conflict(f"{source} has records; delete them first")
        change_row(self._connection, _DELETE, {"wanted": source})

    def find_record(self, source: str, name: str) -> SourceRecord | None:
        if not (is_storable(source) and is_storable(name)):
            return None
        row = self._connection.execute(_FIND_RECORD, {"wanted_source": source, "wanted": name}).one_or_none()
        return None if row is None else _decode(row)

    def list_records(self, source: str) -> list[SourceRecord]:
        if not is_storable(source):
            return []
        return [_decode(row) for row in self._connection.execute(_LIST_RECORDS, {"wanted_source": source})]

    def add_record(self, new: NewRecord, now_us: int) -> int:
        if not self.exists(new.source):
            raise NotFound(f"There is no source {new.source}")
        values = {**asdict(new), "creation": now_us, "modified": now_us, "modified_by": new.owner}
        taken = f"There is a record {new.name} of {new.source} already"
        return add_row(self._connection, source_record, values, unique="source name", taken=taken)

    def change_record(self, record_id: int, changes: RecordChanges, by: str, now_us: int) -> None:
        values: dict[str, Any] = {"modified": now_us, "modified_by": by}
        if changes.enabled is not None:
            values["enabled"] = changes.enabled
        if changes.names_user:
            values["user_id"] = changes.user_id
        statement = update(source_record).where(source_record.c.id == record_id).values(**values)
        change_row(self._connection, statement, {})

    def delete_record(self, record_id: int) -> None:
        change_row(self._connection, delete(source_record).where(source_record.c.id == record_id), {})


def _decode(row: Sequence[Any]) -> SourceRecord:
    return SourceRecord(*row)
