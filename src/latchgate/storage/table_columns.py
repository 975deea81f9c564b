"""What all tables are made of: the one MetaData that holds them, and the columns that recur."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
)

from latchgate.storage.encodings import StoredText

__all__ = ["ROW_ID", "metadata", "reference", "row_id", "when", "who"]

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself, and never twice, only where the type is spelt INTEGER.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")


def row_id() -> Column[int]:
    """Give the number of a row."""
    return Column("id", ROW_ID, Identity(always=True), primary_key=True)


def reference(name: str, target: str, *, nullable: bool = False, on_delete: str = "CASCADE") -> Column[Any]:
    """Give the number of a row of another table, by a name such as `user.id`."""
    # Indexed: a deletion looks for what refers to its row.
    return Column(name, ROW_ID, ForeignKey(target, ondelete=on_delete), nullable=nullable, index=True)


def who(name: str) -> Column[str]:
    """Give the name of a user who did something."""
    # A name, not a reference: who made a record or changed it last may be gone.
    return Column(name, StoredText, nullable=False, server_default="Administrator")


def when(name: str) -> Column[int]:
    """Give a time; 0 of what was there before times were noted."""
    return Column(name, BigInteger, nullable=False, server_default="0")
