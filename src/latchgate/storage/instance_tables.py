"""The tables of what an instance notes of itself: its facts, who did what, and which changes alter verdicts."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    SmallInteger,
    Table,
)

from latchgate.storage.encodings import StoredText
from latchgate.storage.table_columns import ROW_ID, metadata, row_id

__all__ = ["activity_log", "change", "change_head", "fact"]

activity_log = Table(
    "activity_log",
    metadata,
    row_id(),
    Column("time", BigInteger, nullable=False),
    # A name, not a reference: the row outlives the user.
    Column("user", StoredText, nullable=False),
    Column("operation", StoredText, nullable=False),
    Column("subject", StoredText, nullable=False),
    Column("detail", StoredText, nullable=False),
    Column("ip_address", StoredText, nullable=False),
    # Whose the row is: a later user of the same name must not read it. No reference, for the same reason as the name.
    Column("user_id", BigInteger),
    Index("ix_activity_log_time_id", "time", "id"),
    Index("ix_activity_log_user_id_time_id", "user_id", "time", "id"),
    Index("ix_activity_log_user_id", "user", "id"),
    sqlite_autoincrement=True,
)

fact = Table(
    "fact",
    metadata,
    Column("name", StoredText, primary_key=True),
    Column("value", StoredText, nullable=False),
)

# One row. The number order of changes is their commit order: whoever takes a number holds this row until its commit.
change_head = Table(
    "change_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", StoredText, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    # The generation file that all writers of an SQLite database agreed on: device, inode and identity.
    Column("generation", StoredText),
    CheckConstraint("id = 1", name="one_row"),
)

# Written by SQL triggers alone, so that no writer can forget.
change = Table(
    "change",
    metadata,
    Column("seq", ROW_ID, primary_key=True, autoincrement=False),
    Column("kind", StoredText, nullable=False),
    Column("ref", BigInteger, nullable=False),
)
