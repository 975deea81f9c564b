"""Writing rows in the one way that both engines share."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

from latchgate.errors import Conflict, NotFound

__all__ = ["add_row", "change_row", "insert_unless_there"]


def add_row(connection: Connection, table: Table, values: Mapping[str, Any], *, unique: str, taken: str) -> int:
    """Insert a row and tell its id.

    Args:
        connection: The transaction; it goes on after a Conflict too.
        table: A table with an id.
        values: Column → value.
        unique: The columns, separated by spaces, that two rows may not share.
        taken: What to tell the caller if they would.

    Raises:
        Conflict: there is such a row.
    """
    statement = insert_unless_there(connection, table, unique).returning(table.c.id)
    row_id: int | None = connection.execute(statement, values).scalar()
    if row_id is None:
        raise Conflict(taken)
    return row_id


def insert_unless_there(connection: Connection, table: Table, unique: str) -> postgresql.Insert | sqlite.Insert:
    """Write an insert that does nothing where a row with the same unique columns exists: no error to recover from."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=unique.split())
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=unique.split())


def change_row(connection: Connection, statement: Executable, parameters: Mapping[str, Any]) -> None:
    """Run an update of one row. Raises NotFound if that row is gone."""
    result: CursorResult[Any] = connection.execute(statement, parameters)
    if result.rowcount == 0:
        raise NotFound("The record does not exist any more")
