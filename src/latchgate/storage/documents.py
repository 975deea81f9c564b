"""Records of any type in a transaction, as their stored fields."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, null, select

from latchgate.core.permissions import Own
from latchgate.core.queries import DocumentQuery, Scalar
from latchgate.errors import Conflict, Invalid
from latchgate.services.port_values import FoundDocument
from latchgate.sql.questions import after_row, conditions, counting, how_to_execute, numbered, paged, row_number
from latchgate.storage.document_columns import SOURCES, record_source
from latchgate.storage.document_sources import DocumentSource
from latchgate.storage.encodings import is_storable
from latchgate.storage.instance_tables import activity_log

__all__ = ["SqlDocuments"]


class SqlDocuments:
    """Records in SQL: one statement a question."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._engine = connection.dialect.name

    def list_some(self, doctype: str, query: DocumentQuery, own: Own | None) -> list[tuple[Scalar, ...]]:
        source = _source(doctype)
        log = source.table is activity_log
        query = numbered(query) if log else query
        ties = (source.table.c.id, source.name_tie if source.name_tie is not None else source.table.c.id)
        statement = _limited(paged(query, source.everything, ties), source, own)
        statement = statement.where(*conditions(query, source.comparable, self._engine))
        if query.after is not None:
            if not log:
                raise AssertionError(f"{doctype} is no log")
            time, number = activity_log.c.time, activity_log.c.id
            statement = statement.where(after_row(query, time, number, self._reached(query.after, own)))
        rows = self._connection.execute(statement, execution_options=how_to_execute(query))
        return _decoded(source, rows, [column.field for column in query.columns])

    def _reached(self, name: str, own: Own | None) -> tuple[int, int]:
        number = row_number(name)
        # A row that is not for this reader is none.
        found = _limited(select(activity_log.c.time), _source("Activity Log"), own)
        time = self._connection.scalar(found.where(activity_log.c.id == number))
        if time is None:
            raise Invalid({"after": "names no row"})
        return time, number

    def count(self, doctype: str, query: DocumentQuery, own: Own | None) -> int:
        source = _source(doctype)
        query = numbered(query) if source.table is activity_log else query
        statement = _limited(counting(query, source.comparable, self._engine).select_from(source.table), source, own)
        count: int = self._connection.execute(statement, execution_options=how_to_execute(query)).scalar_one()
        return count

    def find(self, doctype: str, name: str) -> FoundDocument | None:
        source = _source(doctype)
        wanted: str | int = name
        if source.table is activity_log:
            if not (name.isascii() and name.isdigit() and len(name) < 19):  # noqa: PLR2004  # 2^63 has nineteen digits
                return None
            wanted = int(name)
        if not is_storable(name):
            return None
        statement, columns = _finding(doctype)
        rows = self._connection.execute(statement, {"wanted": wanted}).all()
        if len(rows) > 1:
            raise Conflict(f"Several sources have a key {name}; revoke one of them by the command line")
        if not rows:
            return None
        id_, owned_by, owned_by_id, *rest = rows[0]
        values = dict(zip(columns, _decoded(source, [rest], columns)[0], strict=True))
        return FoundDocument(id_, values, owned_by, owned_by_id)


def _source(doctype: str) -> DocumentSource:
    return SOURCES.get(doctype) or record_source(doctype)


@lru_cache(maxsize=64)
def _finding(doctype: str) -> tuple[Select[Any], tuple[str, ...]]:
    """Write the statement that looks a record up, once, and tell its fields: it costs as much as the look-up."""
    source = _source(doctype)
    whose = null() if source.owned_by_id is None else source.owned_by_id
    chosen = [source.table.c.id, source.owned_by, whose, *source.everything.values()]
    statement = _limited(select(*(column.label(f"c{n}") for n, column in enumerate(chosen))), source, None)
    return statement.where(source.columns["name"] == bindparam("wanted")).limit(2), tuple(source.everything)


def _limited(statement: Select[Any], source: DocumentSource, own: Own | None) -> Select[Any]:
    statement = statement.select_from(source.table)
    if source.among is not None:
        statement = statement.where(source.among)
    return statement if own is None else statement.where(source.is_own(own))


def _decoded(
    source: DocumentSource, rows: Iterable[Sequence[Any]], fields: Sequence[str | None]
) -> list[tuple[Any, ...]]:
    """Read the values that lie in the tables in another form; `fields` tells what stands where in each row."""
    decoders = [(place, source.decode.get(field or "")) for place, field in enumerate(fields)]
    read = [(place, decode) for place, decode in decoders if decode is not None]
    decoded = [list(row) for row in rows]
    for row in decoded:
        for place, decode in read:
            row[place] = decode(row[place])
    return [tuple(row) for row in decoded]
