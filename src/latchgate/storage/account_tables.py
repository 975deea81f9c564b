"""The tables of who there is and what they may: users, roles and their rights, sources, keys, access rules."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)

from latchgate.storage.encodings import StoredText
from latchgate.storage.table_columns import ROW_ID, metadata, reference, row_id, when, who

__all__ = ["access_rule", "api_key", "authorization_source", "permission", "role", "source_record", "user", "user_role"]


def _source() -> Column[str]:
    return Column("source", StoredText, ForeignKey("authorization_source.name"), nullable=False)


user = Table(
    "user",
    metadata,
    row_id(),
    Column("name", StoredText, nullable=False, unique=True),
    Column("first_name", StoredText, nullable=False),
    Column("last_name", StoredText, nullable=False),
    Column("user_type", StoredText, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("password_hash", StoredText),
    Column("restrict_ip", StoredText, nullable=False),
    Column("login_after", SmallInteger, nullable=False),
    Column("login_before", SmallInteger, nullable=False),
    Column("creation", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    who("owner"),
    who("modified_by"),
    Index("ix_user_creation_id", "creation", "id"),
    CheckConstraint("user_type IN ('System User', 'Website User')", name="user_type"),
    sqlite_autoincrement=True,
)

role = Table(
    "role",
    metadata,
    row_id(),
    Column("name", StoredText, nullable=False, unique=True),
    Column("creation", BigInteger, nullable=False),
    who("owner"),
    when("modified"),
    who("modified_by"),
    Column("second_factor_required", Boolean, nullable=False, server_default=text("false")),
    # A user's roles are read as one text, a role a line.
    CheckConstraint("name NOT LIKE '%\n%'", name="one_line"),
    # Asked at every request with a cookie.
    Index("ix_role_second_factor_required_name", "second_factor_required", "name"),
    sqlite_autoincrement=True,
)

user_role = Table(
    "user_role",
    metadata,
    Column("user_id", ROW_ID, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", ROW_ID, ForeignKey("role.id", ondelete="CASCADE"), primary_key=True, index=True),
)

permission = Table(
    "permission",
    metadata,
    row_id(),
    Column("role_id", ROW_ID, ForeignKey("role.id", ondelete="CASCADE"), nullable=False),
    # A name: records of a source have the source's.
    Column("doctype", StoredText, nullable=False),
    Column("if_owner", Boolean, nullable=False),
    Column("can_read", Boolean, nullable=False),
    Column("can_write", Boolean, nullable=False),
    Column("can_create", Boolean, nullable=False),
    Column("can_delete", Boolean, nullable=False),
    Column("owner", StoredText, nullable=False),
    Column("creation", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("modified_by", StoredText, nullable=False),
    UniqueConstraint("role_id", "doctype", "if_owner"),
    sqlite_autoincrement=True,
)

authorization_source = Table(
    "authorization_source",
    metadata,
    row_id(),
    Column("name", StoredText, nullable=False, unique=True),
    Column("creation", BigInteger, nullable=False),
    who("owner"),
    when("modified"),
    who("modified_by"),
    sqlite_autoincrement=True,
)

source_record = Table(
    "source_record",
    metadata,
    row_id(),
    _source(),
    Column("name", StoredText, nullable=False),
    reference("user_id", "user.id", nullable=True, on_delete="SET NULL"),
    Column("enabled", Boolean, nullable=False),
    who("owner"),
    when("creation"),
    when("modified"),
    who("modified_by"),
    UniqueConstraint("source", "name"),
    # What a key refers to, so that its source is its record's.
    UniqueConstraint("id", "source"),
    sqlite_autoincrement=True,
)

api_key = Table(
    "api_key",
    metadata,
    row_id(),
    _source(),
    Column("key_id", StoredText, nullable=False),
    reference("user_id", "user.id", nullable=True),
    Column("record_id", ROW_ID, nullable=True, index=True),
    Column("label", StoredText, nullable=False),
    Column("is_primary", Boolean, nullable=False),
    Column("scopes", StoredText, nullable=False),
    Column("networks", StoredText, nullable=False),
    Column("limit_per_minute", Integer),
    Column("expires_at", BigInteger),
    # A key without a hash opens nothing: the row's id, which is part of what is hashed, is known after the insert.
    Column("pepper", Integer),
    Column("hash", LargeBinary),
    Column("previous_pepper", Integer),
    Column("previous_hash", LargeBinary),
    Column("previous_until", BigInteger),
    Column("creation", BigInteger, nullable=False),
    Column("created_by", StoredText, nullable=False),
    Column("revoked_at", BigInteger),
    when("modified"),
    who("modified_by"),
    Index("ix_api_key_creation_id", "creation", "id"),
    # The order serves the search for a key id in every source too.
    UniqueConstraint("key_id", "source"),
    ForeignKeyConstraint(["record_id", "source"], ["source_record.id", "source_record.source"], ondelete="CASCADE"),
    CheckConstraint("(user_id IS NULL) <> (record_id IS NULL)", name="one_owner"),
    CheckConstraint("(source = 'User') = (user_id IS NOT NULL)", name="owner_of_source"),
    sqlite_autoincrement=True,
)

access_rule = Table(
    "access_rule",
    metadata,
    row_id(),
    Column("position", BigInteger, nullable=False),
    Column("host", StoredText, nullable=False),
    Column("path", StoredText, nullable=False),
    Column("methods", StoredText, nullable=False),
    # Names, not references: a rule whose role is gone must not be open to more.
    Column("roles", StoredText, nullable=False),
    Column("scopes", StoredText, nullable=False),
    Column("every_role", Boolean, nullable=False),
    Column("allow_guest", Boolean, nullable=False),
    Column("allow_foreign_authorization", Boolean, nullable=False),
    Column("allow_unusual_path", Boolean, nullable=False),
    Column("owner", StoredText, nullable=False),
    Column("creation", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("modified_by", StoredText, nullable=False),
    Index("ix_access_rule_position_id", "position", "id"),
    sqlite_autoincrement=True,
)
