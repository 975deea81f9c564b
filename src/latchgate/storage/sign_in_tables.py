"""The tables of people at their browsers: sessions, second factors, steps and links on the way in, undos."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    text,
)

from latchgate.storage.encodings import StoredText
from latchgate.storage.table_columns import ROW_ID, metadata, reference, row_id

__all__ = ["link", "recovery_code", "second_factor", "session", "sign_in_step", "undo"]

session = Table(
    "session",
    metadata,
    row_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("public_id", StoredText, nullable=False, unique=True),
    reference("user_id", "user.id"),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("ip_address", StoredText, nullable=False),
    Column("user_agent", StoredText, nullable=False),
    Column("revoked_at", BigInteger),
    Column("second_factor", Boolean, nullable=False, server_default=text("false")),
    sqlite_autoincrement=True,
)

# One of a user at most. Its key is encrypted: whoever has the database alone makes no codes of it.
second_factor = Table(
    "second_factor",
    metadata,
    Column("user_id", ROW_ID, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("pepper", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("wrong_codes", Integer, nullable=False),
    Column("wrong_since", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# A used one is gone.
recovery_code = Table(
    "recovery_code",
    metadata,
    row_id(),
    reference("user_id", "second_factor.user_id"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

sign_in_step = Table(
    "sign_in_step",
    metadata,
    row_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    reference("user_id", "user.id"),
    Column("password_mark", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    sqlite_autoincrement=True,
)

link = Table(
    "link",
    metadata,
    row_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("purpose", StoredText, nullable=False),
    reference("user_id", "user.id"),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# What would put a change back, for a few minutes; never a secret.
undo = Table(
    "undo",
    metadata,
    row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    reference("session_id", "session.id"),
    Column("change", StoredText, nullable=False),
    Column("back", StoredText, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_autoincrement=True,
)
