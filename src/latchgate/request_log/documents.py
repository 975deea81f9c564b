"""Rows of the request log as records of the type API Request Log; their names are their numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Executable, Row, Select, cast, func, literal, select

from latchgate.core.permissions import Own
from latchgate.core.queries import Condition, DocumentQuery, Operator, Scalar
from latchgate.errors import Invalid
from latchgate.request_log.schema import log_position, request_log
from latchgate.request_log.texts import indexable
from latchgate.services.port_values import FoundDocument
from latchgate.sql.questions import after_row, conditions, counting, how_to_execute, numbered, paged, row_number

__all__ = ["LogDocuments"]

_COLUMNS = request_log.c
_WHO = func.coalesce(_COLUMNS.user, literal("Guest"))
_BY_FIELD: dict[str, ColumnElement[Any]] = {
    "name": _COLUMNS.id,
    "owner": _WHO,
    "creation": _COLUMNS.time,
    "modified": _COLUMNS.time,
    "modified_by": _WHO,
    "docstatus": literal(0, BigInteger),
    "idx": literal(0, BigInteger),
    # However narrow it lies: a caller may compare with any number.
    "status": cast(_COLUMNS.status, BigInteger),
    **{
        name: _COLUMNS[name]
        for name in (
            "time",
            "request_id",
            "user",
            "api_key",
            "scheme",
            "source",
            "method",
            "host",
            "path",
            "seconds",
            "ip_address",
            "user_agent",
            "reason",
        )
    },
}
# The same by columns that no index is of. Rows between two numbers are read by their numbers: SQLite, which keeps no
# statistics, would rather look through all rows of a user.
_BY_NUMBER: dict[str, ColumnElement[Any]] = {
    **_BY_FIELD,
    "user": _COLUMNS.user.concat(""),
    "api_key": _COLUMNS.api_key.concat(""),
    "time": _COLUMNS.time + 0,
}


class LogDocuments:
    """Fulfils the port Documents for the one type; each question is one short read."""

    def __init__(
        self,
        read: Callable[[Executable, Mapping[str, Any]], Sequence[Row[Any]]],
        engine: str,
        require_whole: Callable[[], None],
    ) -> None:
        """Take how to read, the engine's name, and what raises StorageError while rows are missing in the database."""
        self._read = read
        self._engine = engine
        self._require_whole = require_whole

    def list_some(self, _doctype: str, query: DocumentQuery, own: Own | None) -> list[tuple[Scalar, ...]]:
        """Give a page; one that goes on after a row costs the same wherever that row is. Raises Invalid."""
        query = numbered(query)
        self._require_all_of(query)
        columns = _columns(query)
        statement = _limited(paged(query, _BY_FIELD, (_COLUMNS.id, _COLUMNS.id)), own, columns).where(
            *conditions(query, columns, self._engine)
        )
        if query.after is not None:
            reached = self._reached(query.after, own)
            statement = statement.where(after_row(query, _COLUMNS.time, _COLUMNS.id, reached))
        names = [place for place, column in enumerate(query.columns) if column.field == "name"]
        return [
            tuple(str(value) if place in names else value for place, value in enumerate(row))
            for row in self._read(statement, how_to_execute(query))
        ]

    def count(self, _doctype: str, query: DocumentQuery, own: Own | None) -> int:
        """Count the rows that match."""
        query = numbered(query)
        self._require_all_of(query)
        columns = _columns(query)
        statement = _limited(counting(query, columns, self._engine), own, columns)
        count: int = self._read(statement, how_to_execute(query))[0][0]
        return count

    def find(self, _doctype: str, name: str) -> FoundDocument | None:
        """Look a row up by its number, which it has only once it is in the database."""
        if not (name.isascii() and name.isdigit() and len(name) < 19):  # noqa: PLR2004  # 2^63 has nineteen digits
            return None
        chosen = [column.label(f"c{number}") for number, column in enumerate(_BY_FIELD.values())]
        statement = select(_COLUMNS.user_id, *chosen).where(_COLUMNS.id == int(name))
        rows = self._read(statement, {})
        if not rows:
            self._require_whole()
            rows = self._read(statement, {})
        if not rows:
            return None
        values: dict[str, Any] = dict(zip(_BY_FIELD, rows[0][1:], strict=True))
        return FoundDocument(int(name), {**values, "name": name}, values["user"], rows[0][0])

    def _require_all_of(self, query: DocumentQuery) -> None:
        """Make sure that the database has all rows that a question may find. Raises StorageError."""
        ends = [int(str(one.values[1])) for one in query.all_of if _is_between(one)]
        # Rows get their numbers as they come into the database: up to its last one none can be missing.
        if not ends or min(ends) > self._read(select(log_position.c.last_id), {})[0].last_id:
            self._require_whole()

    def _reached(self, name: str, own: Own | None) -> tuple[int, int]:
        number = row_number(name)
        # A row that is not for this reader is none.
        rows = self._read(_limited(select(_COLUMNS.time), own).where(_COLUMNS.id == number), {})
        if not rows:
            raise Invalid({"after": "names no row"})
        return rows[0].time, number


def _columns(query: DocumentQuery) -> dict[str, ColumnElement[Any]]:
    return _BY_NUMBER if any(map(_is_between, query.all_of)) else _BY_FIELD


def _is_between(condition: Condition) -> bool:
    return condition.field == "name" and condition.operator is Operator.BETWEEN


def _limited(
    statement: Select[Any], own: Own | None, columns: Mapping[str, ColumnElement[Any]] = _BY_FIELD
) -> Select[Any]:
    statement = statement.select_from(request_log)
    if own is None:
        return statement
    # By the name, which the index goes by, and by the id: a later user of the name must not see these rows.
    return statement.where(columns["user"] == indexable(own.user), _COLUMNS.user_id == own.user_id)
