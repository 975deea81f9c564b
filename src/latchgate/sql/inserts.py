"""Inserts that do something else where there is such a row already, as the engine at hand writes them."""

from typing import TYPE_CHECKING

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

__all__ = ["insert_into"]


def insert_into(engine: str, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """Begin an insert that may have an ON CONFLICT, for the engine of that name (sqlite or postgresql)."""
    if engine == "postgresql":
        # By whoever uses that engine it was loaded before; whoever does not need never hold it.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  # see above

        return postgresql.insert(table)
    return sqlite.insert(table)
