"""The tables, in one place, as the queries know them; the migrations make them, and a test holds the two together.

Times are Unix seconds, but `creation`, `modified` and the activity log's `time`: microseconds. Ids are never reused.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)

from latchgate.storage.encodings import StoredText

__all__ = [
    "VERDICT_COLUMNS",
    "access_rule",
    "activity_log",
    "api_key",
    "authorization_source",
    "change",
    "change_head",
    "complete_metadata",
    "fact",
    "link",
    "metadata",
    "oauth_assertion",
    "oauth_client",
    "oauth_code",
    "oauth_consent",
    "oauth_device_code",
    "oauth_family",
    "oauth_refresh_token",
    "oauth_signing_key",
    "oauth_token",
    "permission",
    "recovery_code",
    "role",
    "second_factor",
    "session",
    "sign_in_step",
    "source_record",
    "undo",
    "user",
    "user_role",
]

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
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")


def _row_id() -> Column[int]:
    return Column("id", _ROW_ID, Identity(always=True), primary_key=True)


def _reference(name: str, target: str, *, nullable: bool = False, on_delete: str = "CASCADE") -> Column[Any]:
    # Indexed: a deletion looks for what refers to its row.
    return Column(name, _ROW_ID, ForeignKey(target, ondelete=on_delete), nullable=nullable, index=True)


def _who(name: str) -> Column[str]:
    # A name, not a reference: who made a record or changed it last may be gone.
    return Column(name, StoredText, nullable=False, server_default="Administrator")


def _when(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _source() -> Column[str]:
    return Column("source", StoredText, ForeignKey("authorization_source.name"), nullable=False)


user = Table(
    "user",
    metadata,
    _row_id(),
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
    _who("owner"),
    _who("modified_by"),
    Index("ix_user_creation_id", "creation", "id"),
    CheckConstraint("user_type IN ('System User', 'Website User')", name="user_type"),
    sqlite_autoincrement=True,
)

role = Table(
    "role",
    metadata,
    _row_id(),
    Column("name", StoredText, nullable=False, unique=True),
    Column("creation", BigInteger, nullable=False),
    _who("owner"),
    _when("modified"),
    _who("modified_by"),
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
    Column("user_id", _ROW_ID, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", _ROW_ID, ForeignKey("role.id", ondelete="CASCADE"), primary_key=True, index=True),
)

permission = Table(
    "permission",
    metadata,
    _row_id(),
    Column("role_id", _ROW_ID, ForeignKey("role.id", ondelete="CASCADE"), nullable=False),
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
    _row_id(),
    Column("name", StoredText, nullable=False, unique=True),
    Column("creation", BigInteger, nullable=False),
    _who("owner"),
    _when("modified"),
    _who("modified_by"),
    sqlite_autoincrement=True,
)

source_record = Table(
    "source_record",
    metadata,
    _row_id(),
    _source(),
    Column("name", StoredText, nullable=False),
    _reference("user_id", "user.id", nullable=True, on_delete="SET NULL"),
    Column("enabled", Boolean, nullable=False),
    _who("owner"),
    _when("creation"),
    _when("modified"),
    _who("modified_by"),
    UniqueConstraint("source", "name"),
    # What a key refers to, so that its source is its record's.
    UniqueConstraint("id", "source"),
    sqlite_autoincrement=True,
)

api_key = Table(
    "api_key",
    metadata,
    _row_id(),
    _source(),
    Column("key_id", StoredText, nullable=False),
    _reference("user_id", "user.id", nullable=True),
    Column("record_id", _ROW_ID, nullable=True, index=True),
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
    _when("modified"),
    _who("modified_by"),
    Index("ix_api_key_creation_id", "creation", "id"),
    # The order serves the search for a key id in every source too.
    UniqueConstraint("key_id", "source"),
    ForeignKeyConstraint(["record_id", "source"], ["source_record.id", "source_record.source"], ondelete="CASCADE"),
    CheckConstraint("(user_id IS NULL) <> (record_id IS NULL)", name="one_owner"),
    CheckConstraint("(source = 'User') = (user_id IS NOT NULL)", name="owner_of_source"),
    sqlite_autoincrement=True,
)

oauth_client = Table(
    "oauth_client",
    metadata,
    _row_id(),
    Column("client_id", StoredText, nullable=False, unique=True),
    Column("app_name", StoredText, nullable=False),
    Column("auth_method", StoredText, nullable=False),
    # As in api_key.
    Column("pepper", Integer),
    Column("hash", LargeBinary),
    Column("previous_pepper", Integer),
    Column("previous_hash", LargeBinary),
    Column("previous_until", BigInteger),
    Column("jwks", StoredText, nullable=False),
    Column("redirect_uris", StoredText, nullable=False),
    Column("post_logout_redirect_uris", StoredText, nullable=False),
    Column("grant_types", StoredText, nullable=False),
    Column("scopes", StoredText, nullable=False),
    Column("resources", StoredText, nullable=False),
    # Names, not references: nobody has a role that is gone, and so nobody gets in by it.
    Column("allowed_roles", StoredText, nullable=False),
    _reference("user_id", "user.id", nullable=True, on_delete="SET NULL"),
    Column("skip_authorization", Boolean, nullable=False),
    Column("require_pkce", Boolean, nullable=False),
    Column("id_token_alg", StoredText, nullable=False),
    Column("client_uri", StoredText, nullable=False),
    Column("registered", Boolean, nullable=False),
    Column("owner", StoredText, nullable=False),
    Column("creation", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("modified_by", StoredText, nullable=False),
    Column("revoked_at", BigInteger),
    Column("changed", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

oauth_family = Table(
    "oauth_family",
    metadata,
    _row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    _reference("client_row_id", "oauth_client.id"),
    _reference("user_id", "user.id"),
    Column("scopes", StoredText, nullable=False),
    Column("audience", StoredText, nullable=False),
    Column("auth_time", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, index=True),
    sqlite_autoincrement=True,
)

oauth_code = Table(
    "oauth_code",
    metadata,
    _row_id(),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    _reference("client_row_id", "oauth_client.id"),
    _reference("user_id", "user.id"),
    Column("redirect_uri", StoredText, nullable=False),
    Column("redirect_uri_given", Boolean, nullable=False),
    Column("code_challenge", StoredText, nullable=False),
    Column("nonce", StoredText, nullable=False),
    Column("scopes", StoredText, nullable=False),
    Column("audience", StoredText, nullable=False),
    Column("auth_time", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger),
    _reference("family_id", "oauth_family.id", nullable=True),
    sqlite_autoincrement=True,
)

oauth_refresh_token = Table(
    "oauth_refresh_token",
    metadata,
    _row_id(),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    # As in api_key: no hash, no entry.
    Column("pepper", Integer),
    Column("hash", LargeBinary),
    _reference("family_id", "oauth_family.id"),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger, index=True),
    sqlite_autoincrement=True,
)

oauth_consent = Table(
    "oauth_consent",
    metadata,
    _row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    # The unique pair below is its index.
    Column("user_id", _ROW_ID, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    _reference("client_row_id", "oauth_client.id"),
    Column("scopes", StoredText, nullable=False),
    Column("audience", StoredText, nullable=False),
    Column("creation", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    UniqueConstraint("user_id", "client_row_id"),
    sqlite_autoincrement=True,
)

oauth_device_code = Table(
    "oauth_device_code",
    metadata,
    _row_id(),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    Column("user_code_lookup", LargeBinary, nullable=False, unique=True),
    _reference("client_row_id", "oauth_client.id"),
    Column("state", StoredText, nullable=False),
    # Whoever answered: with that user the answer is gone.
    _reference("user_id", "user.id", nullable=True),
    Column("scopes", StoredText, nullable=False),
    Column("audience", StoredText, nullable=False),
    Column("auth_time", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("interval_seconds", Integer, nullable=False),
    Column("polled_at", BigInteger),
    Column("used_at", BigInteger),
    sqlite_autoincrement=True,
)

oauth_signing_key = Table(
    "oauth_signing_key",
    metadata,
    _row_id(),
    Column("kid", StoredText, nullable=False, unique=True),
    Column("algorithm", StoredText, nullable=False),
    Column("public_jwk", StoredText, nullable=False),
    Column("pepper", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    sqlite_autoincrement=True,
)

oauth_assertion = Table(
    "oauth_assertion",
    metadata,
    _row_id(),
    # The unique pair below is its index.
    Column("client_row_id", _ROW_ID, ForeignKey("oauth_client.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    UniqueConstraint("client_row_id", "digest"),
    sqlite_autoincrement=True,
)

oauth_token = Table(
    "oauth_token",
    metadata,
    _row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    # As in api_key: no hash, no entry.
    Column("pepper", Integer),
    Column("hash", LargeBinary),
    _reference("user_id", "user.id"),
    Column("client", StoredText, nullable=False),
    Column("scopes", StoredText, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger, index=True),
    Column("audience", StoredText, nullable=False, server_default="[]"),
    _reference("client_row_id", "oauth_client.id", nullable=True),
    _reference("family_id", "oauth_family.id", nullable=True),
    sqlite_autoincrement=True,
)

session = Table(
    "session",
    metadata,
    _row_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("public_id", StoredText, nullable=False, unique=True),
    _reference("user_id", "user.id"),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("ip_address", StoredText, nullable=False),
    Column("user_agent", StoredText, nullable=False),
    Column("revoked_at", BigInteger),
    Column("second_factor", Boolean, nullable=False, server_default=text("false")),
    sqlite_autoincrement=True,
)

# One of a user at most. Its key is encrypted: whoever has the database alone makes no codes of it.
access_rule = Table(
    "access_rule",
    metadata,
    _row_id(),
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

second_factor = Table(
    "second_factor",
    metadata,
    Column("user_id", _ROW_ID, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
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
    _row_id(),
    _reference("user_id", "second_factor.user_id"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

sign_in_step = Table(
    "sign_in_step",
    metadata,
    _row_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    _reference("user_id", "user.id"),
    Column("password_mark", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    sqlite_autoincrement=True,
)

# What would put a change back, for a few minutes; never a secret.
undo = Table(
    "undo",
    metadata,
    _row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    _reference("session_id", "session.id"),
    Column("change", StoredText, nullable=False),
    Column("back", StoredText, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_autoincrement=True,
)

link = Table(
    "link",
    metadata,
    _row_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("purpose", StoredText, nullable=False),
    _reference("user_id", "user.id"),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

activity_log = Table(
    "activity_log",
    metadata,
    _row_id(),
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
    Column("seq", _ROW_ID, primary_key=True, autoincrement=False),
    Column("kind", StoredText, nullable=False),
    Column("ref", BigInteger, nullable=False),
)

VERDICT_COLUMNS: dict[str, frozenset[str]] = {
    "user": frozenset(column.name for column in user.c)
    - frozenset({"password_hash", "creation", "modified", "owner", "modified_by"}),
    "permission": frozenset(column.name for column in permission.c)
    - frozenset({"owner", "creation", "modified", "modified_by"}),
    "access_rule": frozenset(column.name for column in access_rule.c)
    - frozenset({"owner", "creation", "modified", "modified_by"}),
    "role": frozenset({"id", "name"}),
    "user_role": frozenset({"user_id", "role_id"}),
    "authorization_source": frozenset({"id", "name"}),
    "source_record": frozenset({"id", "source", "name", "user_id", "enabled"}),
    "api_key": frozenset(column.name for column in api_key.c)
    - frozenset({"label", "is_primary", "creation", "created_by", "modified", "modified_by"}),
    "oauth_client": frozenset({"id", "allowed_roles", "revoked_at"}),
    "oauth_family": frozenset({"id", "client_row_id", "user_id", "revoked_at"}),
    "oauth_token": frozenset(column.name for column in oauth_token.c),
    # No verdict on a session is remembered: what a second factor is to it, is read with it.
    "session": frozenset(column.name for column in session.c)
    - frozenset({"last_seen_at", "ip_address", "user_agent", "second_factor"}),
}
"""The columns whose change may alter a verdict, by table: each such change adds a row to `change`."""


@cache
def complete_metadata() -> MetaData:
    """Give the tables with the indexes that each engine has words of its own for.

    No query needs them, and SQLAlchemy loads both engines' dialects for those words: megabytes of a serving process.
    """
    one_primary = api_key.c.is_primary.is_(True) & api_key.c.revoked_at.is_(None)
    for owner in (api_key.c.user_id, api_key.c.record_id):
        name = f"uq_api_key_primary_{owner.name}"
        Index(name, owner, unique=True, sqlite_where=one_primary, postgresql_where=one_primary)
    return metadata
