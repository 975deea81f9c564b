"""Writing rows in the one way that both engines share."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Executable,
    Insert,
    Table,
    bindparam,
    delete,
    false,
    or_,
    select,
)

from latchgate.errors import Conflict, NotFound
from latchgate.sql.inserts import insert_into
from latchgate.storage.instance_tables import change_head

__all__ = [
    "FORGOTTEN_MAX",
    "POSITION_COLUMNS",
    "add_row",
    "any_lookup",
    "change_row",
    "delete_some",
    "insert_unless_there",
    "lookup_parameters",
]

FORGOTTEN_MAX = 200
"""How many rows that nobody needs any more one statement deletes: whoever waits meanwhile does not wait long."""


POSITION_COLUMNS = (change_head.c.epoch, change_head.c.seq)
"""As of which change a credential was read, in the same statement and so of the same moment."""


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


def insert_unless_there(connection: Connection, table: Table, unique: str) -> Insert:
    """Write an insert that does nothing where a row with the same unique columns exists: no error to recover from."""
    return insert_into(connection.dialect.name, table).on_conflict_do_nothing(index_elements=unique.split())


def any_lookup(column: Column[bytes], count: int) -> ColumnElement[bool]:
    """Compare a column with as many look-up values as the key file has peppers, see `lookup_parameters`.

    A statement that is written once for each count costs less than a list.
    """
    return or_(false(), *(column == bindparam(f"lookup_{number}") for number in range(count)))


def lookup_parameters(lookups: Sequence[bytes]) -> dict[str, bytes]:
    """Name the values that `any_lookup` compares with."""
    return {f"lookup_{number}": lookup for number, lookup in enumerate(lookups)}


def delete_some(table: Table, ended: ColumnElement[bool]) -> Delete:
    """Write a statement that deletes some of the rows that have ended, FORGOTTEN_MAX at most."""
    return delete(table).where(table.c.id.in_(select(table.c.id).where(ended).limit(FORGOTTEN_MAX)))


def change_row(connection: Connection, statement: Executable, parameters: Mapping[str, Any]) -> None:
    """Run an update of one row. Raises NotFound if that row is gone."""
    result: CursorResult[Any] = connection.execute(statement, parameters)
    if result.rowcount == 0:
        raise NotFound("The record does not exist any more")
