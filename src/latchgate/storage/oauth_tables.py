"""The tables of OAuth 2: clients, consents, codes, tokens and their families, signing keys."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)

from latchgate.storage.encodings import StoredText
from latchgate.storage.table_columns import ROW_ID, metadata, reference, row_id

__all__ = [
    "oauth_assertion",
    "oauth_client",
    "oauth_code",
    "oauth_consent",
    "oauth_device_code",
    "oauth_family",
    "oauth_refresh_token",
    "oauth_signing_key",
    "oauth_token",
]

oauth_client = Table(
    "oauth_client",
    metadata,
    row_id(),
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
    reference("user_id", "user.id", nullable=True, on_delete="SET NULL"),
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
    row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    reference("client_row_id", "oauth_client.id"),
    reference("user_id", "user.id"),
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
    row_id(),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    reference("client_row_id", "oauth_client.id"),
    reference("user_id", "user.id"),
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
    reference("family_id", "oauth_family.id", nullable=True),
    sqlite_autoincrement=True,
)

oauth_refresh_token = Table(
    "oauth_refresh_token",
    metadata,
    row_id(),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    # As in api_key: no hash, no entry.
    Column("pepper", Integer),
    Column("hash", LargeBinary),
    reference("family_id", "oauth_family.id"),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger, index=True),
    sqlite_autoincrement=True,
)

oauth_consent = Table(
    "oauth_consent",
    metadata,
    row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    # The unique pair below is its index.
    Column("user_id", ROW_ID, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    reference("client_row_id", "oauth_client.id"),
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
    row_id(),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    Column("user_code_lookup", LargeBinary, nullable=False, unique=True),
    reference("client_row_id", "oauth_client.id"),
    Column("state", StoredText, nullable=False),
    # Whoever answered: with that user the answer is gone.
    reference("user_id", "user.id", nullable=True),
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
    row_id(),
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
    row_id(),
    # The unique pair below is its index.
    Column("client_row_id", ROW_ID, ForeignKey("oauth_client.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    UniqueConstraint("client_row_id", "digest"),
    sqlite_autoincrement=True,
)

oauth_token = Table(
    "oauth_token",
    metadata,
    row_id(),
    Column("public_id", StoredText, nullable=False, unique=True),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    # As in api_key: no hash, no entry.
    Column("pepper", Integer),
    Column("hash", LargeBinary),
    reference("user_id", "user.id"),
    Column("client", StoredText, nullable=False),
    Column("scopes", StoredText, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger, index=True),
    Column("audience", StoredText, nullable=False, server_default="[]"),
    reference("client_row_id", "oauth_client.id", nullable=True),
    reference("family_id", "oauth_family.id", nullable=True),
    sqlite_autoincrement=True,
)
