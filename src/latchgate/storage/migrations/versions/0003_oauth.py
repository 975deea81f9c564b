"""Make OAuth 2 clients, codes, refresh tokens, families, consents, device codes, signing keys and used assertions.

An access token is then of a client and of a family, or of neither if it was imported. A released revision is never
edited: it stands alone and takes nothing from schema.py.
"""

# ruff: noqa: S608  # every name that is put into a statement stands in this file

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OF = {"client_row_id": "oauth_client", "user_id": "user", "family_id": "oauth_family"}


def upgrade() -> None:
    _create_clients()
    _create_families()
    _create_codes()
    _create_consents_and_keys()
    _widen_tokens()
    _grant_defaults()
    engine = op.get_bind().dialect.name
    for statement in _postgresql_triggers() if engine == "postgresql" else _sqlite_triggers():
        op.execute(sa.text(statement))


def downgrade() -> None:
    raise NotImplementedError("there is no way back but a backup")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _create(name: str, *parts: sa.schema.SchemaItem, indexes: str = "") -> None:
    op.create_table(
        name,
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sqlite_autoincrement=True,
    )
    for column in indexes.split():
        op.create_index(f"ix_{name}_{column}", name, [column])


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def _reference(table: str, column: str, on_delete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{_OF[column]}.id"], name=f"fk_{table}_{column}", ondelete=on_delete)


def _create_clients() -> None:
    _create(
        "oauth_client",
        _text("client_id"),
        _text("app_name"),
        _text("auth_method"),
        sa.Column("pepper", sa.Integer),
        sa.Column("hash", sa.LargeBinary),
        sa.Column("previous_pepper", sa.Integer),
        sa.Column("previous_hash", sa.LargeBinary),
        _time("previous_until", nullable=True),
        _text("jwks"),
        _text("redirect_uris"),
        _text("post_logout_redirect_uris"),
        _text("grant_types"),
        _text("scopes"),
        _text("resources"),
        _text("allowed_roles"),
        sa.Column("user_id", _ID),
        sa.Column("skip_authorization", sa.Boolean, nullable=False),
        sa.Column("require_pkce", sa.Boolean, nullable=False),
        _text("id_token_alg"),
        _text("client_uri"),
        sa.Column("registered", sa.Boolean, nullable=False),
        _text("owner"),
        _time("creation"),
        _time("modified"),
        _text("modified_by"),
        _time("revoked_at", nullable=True),
        _time("changed"),
        _unique("oauth_client", "client_id"),
        _reference("oauth_client", "user_id", "SET NULL"),
        indexes="user_id",
    )


def _create_families() -> None:
    _create(
        "oauth_family",
        _text("public_id"),
        sa.Column("client_row_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        _text("scopes"),
        _text("audience"),
        _time("auth_time"),
        _time("created_at"),
        _time("revoked_at", nullable=True),
        _unique("oauth_family", "public_id"),
        _reference("oauth_family", "client_row_id"),
        _reference("oauth_family", "user_id"),
        indexes="client_row_id user_id revoked_at",
    )
    _create(
        "oauth_refresh_token",
        sa.Column("lookup", sa.LargeBinary, nullable=False),
        sa.Column("pepper", sa.Integer),
        sa.Column("hash", sa.LargeBinary),
        sa.Column("family_id", _ID, nullable=False),
        _time("issued_at"),
        _time("expires_at"),
        _time("used_at", nullable=True),
        _unique("oauth_refresh_token", "lookup"),
        _reference("oauth_refresh_token", "family_id"),
        indexes="family_id expires_at used_at",
    )


def _create_codes() -> None:
    _create(
        "oauth_code",
        sa.Column("lookup", sa.LargeBinary, nullable=False),
        sa.Column("client_row_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        _text("redirect_uri"),
        sa.Column("redirect_uri_given", sa.Boolean, nullable=False),
        _text("code_challenge"),
        _text("nonce"),
        _text("scopes"),
        _text("audience"),
        _time("auth_time"),
        _time("issued_at"),
        _time("expires_at"),
        _time("used_at", nullable=True),
        sa.Column("family_id", _ID),
        _unique("oauth_code", "lookup"),
        _reference("oauth_code", "client_row_id"),
        _reference("oauth_code", "user_id"),
        _reference("oauth_code", "family_id"),
        indexes="client_row_id user_id family_id expires_at",
    )
    _create(
        "oauth_device_code",
        sa.Column("lookup", sa.LargeBinary, nullable=False),
        sa.Column("user_code_lookup", sa.LargeBinary, nullable=False),
        sa.Column("client_row_id", _ID, nullable=False),
        _text("state"),
        sa.Column("user_id", _ID),
        _text("scopes"),
        _text("audience"),
        _time("auth_time"),
        _time("issued_at"),
        _time("expires_at"),
        sa.Column("interval_seconds", sa.Integer, nullable=False),
        _time("polled_at", nullable=True),
        _time("used_at", nullable=True),
        _unique("oauth_device_code", "lookup"),
        _unique("oauth_device_code", "user_code_lookup"),
        _reference("oauth_device_code", "client_row_id"),
        _reference("oauth_device_code", "user_id"),
        indexes="client_row_id user_id expires_at",
    )


def _create_consents_and_keys() -> None:
    _create(
        "oauth_consent",
        _text("public_id"),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("client_row_id", _ID, nullable=False),
        _text("scopes"),
        _text("audience"),
        _time("creation"),
        _time("modified"),
        _unique("oauth_consent", "public_id"),
        _unique("oauth_consent", "user_id", "client_row_id"),
        _reference("oauth_consent", "user_id"),
        _reference("oauth_consent", "client_row_id"),
        indexes="client_row_id",
    )
    _create(
        "oauth_signing_key",
        _text("kid"),
        _text("algorithm"),
        _text("public_jwk"),
        sa.Column("pepper", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        _time("created_at"),
        _time("retired_at", nullable=True),
        _unique("oauth_signing_key", "kid"),
    )
    _create(
        "oauth_assertion",
        sa.Column("client_row_id", _ID, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        _time("expires_at"),
        _unique("oauth_assertion", "client_row_id", "digest"),
        _reference("oauth_assertion", "client_row_id"),
        indexes="expires_at",
    )


def _widen_tokens() -> None:
    op.add_column("oauth_token", sa.Column("audience", _TEXT, nullable=False, server_default="[]"))
    for column in ("client_row_id", "family_id"):
        if op.get_bind().dialect.name == "postgresql":
            op.add_column("oauth_token", sa.Column(column, _ID, nullable=True))
            op.create_foreign_key(
                f"fk_oauth_token_{column}", "oauth_token", _OF[column], [column], ["id"], ondelete="CASCADE"
            )
        else:
            # SQLite adds a reference only with its column; to copy the table would lose its triggers and numbers.
            op.execute(
                sa.text(
                    f"ALTER TABLE oauth_token ADD COLUMN {column} INTEGER CONSTRAINT fk_oauth_token_{column}"
                    f" REFERENCES {_OF[column]} (id) ON DELETE CASCADE"
                )
            )
    for indexed in ("client_row_id", "family_id", "expires_at", "revoked_at"):
        op.create_index(f"ix_oauth_token_{indexed}", "oauth_token", [indexed])


def _grant_defaults() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    now_us = (
        "CAST(extract(epoch FROM now()) * 1000000 AS bigint)"
        if on_postgresql
        else "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
    )
    for role, doctype, if_owner, actions in (
        ("System Manager", "OAuth Client", "false", "read write create delete"),
        ("System Manager", "OAuth Bearer Token", "false", "read delete"),
        ("System Manager", "OAuth Consent", "false", "read delete"),
        ("All", "OAuth Bearer Token", "true", "read delete"),
        ("All", "OAuth Consent", "true", "read delete"),
    ):
        allowed = ", ".join(
            "true" if action in actions.split() else "false" for action in ("read", "write", "create", "delete")
        )
        # A source may have had such a name, and its permissions with it.
        op.execute(
            sa.text(
                "INSERT INTO permission (role_id, doctype, if_owner, can_read, can_write, can_create, can_delete,"
                " owner, creation, modified, modified_by)"
                f" SELECT id, '{doctype}', {if_owner}, {allowed}, 'Administrator', {now_us}, {now_us},"
                f" 'Administrator' FROM role WHERE name = '{role}' AND NOT EXISTS (SELECT 1 FROM permission AS had"
                f" WHERE had.role_id = role.id AND had.doctype = '{doctype}' AND had.if_owner = {if_owner})"
            )
        )


# Each change adds a row to `change`, as in 0001. A fresh client or family ends no verdict and adds none.

_COLUMNS = {
    "oauth_client": "id allowed_roles revoked_at",
    "oauth_family": "id client_row_id user_id revoked_at",
    "oauth_token": "id public_id lookup pepper hash user_id client scopes issued_at expires_at revoked_at audience"
    " client_row_id family_id",
}
_UNIQUE = {"oauth_client": ("id", "client_id"), "oauth_family": ("id", "public_id")}


def _columns(table: str) -> str:
    return ", ".join(f'"{column}"' for column in _COLUMNS[table].split())


def _sqlite_triggers() -> Iterator[str]:
    yield "DROP TRIGGER change_oauth_token_update"
    yield _sqlite_update("oauth_token", "WHEN (OLD.hash IS NOT NULL) ")
    for table, unique in _UNIQUE.items():
        yield _sqlite_update(table)
        yield f"CREATE TRIGGER change_{table}_delete AFTER DELETE ON {table} BEGIN {_sqlite_note(table, 'OLD.id')} END"
        # INSERT OR REPLACE and UPDATE OR REPLACE remove rows without firing their delete triggers.
        clashing = " OR ".join(f'(gone."{column}" = NEW."{column}")' for column in unique)
        columns = ", ".join(f'"{column}"' for column in unique)
        for name, event, condition in (
            ("insert", "INSERT", clashing),
            ("update", f"UPDATE OF {columns}", f"({clashing}) AND gone.id <> OLD.id"),
        ):
            rows = f"{table} AS gone WHERE {condition}"
            yield (
                f"CREATE TRIGGER change_{table}_replace_by_{name} BEFORE {event} ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {rows}) BEGIN "
                "INSERT INTO change (seq, kind, ref) "
                f"SELECT (SELECT seq FROM change_head) + row_number() OVER (), '{table}', id FROM {rows}; "
                f"UPDATE change_head SET seq = seq + (SELECT count(*) FROM {rows}); END"
            )


def _sqlite_update(table: str, when: str = "") -> str:
    notes = f"{_sqlite_note(table, 'OLD.id')} {_sqlite_note(table, 'NEW.id', 'OLD.id <> NEW.id')}"
    return f"CREATE TRIGGER change_{table}_update AFTER UPDATE OF {_columns(table)} ON {table} {when}BEGIN {notes} END"


def _sqlite_note(table: str, ref: str, condition: str = "true") -> str:
    return (
        f"UPDATE change_head SET seq = seq + 1 WHERE {condition}; "
        f"INSERT INTO change (seq, kind, ref) SELECT seq, '{table}', {ref} FROM change_head WHERE {condition};"
    )


def _postgresql_triggers() -> Iterator[str]:
    note = "EXECUTE FUNCTION latchgate_note_id()"
    yield "DROP TRIGGER change_oauth_token_update ON oauth_token"
    yield (
        f"CREATE TRIGGER change_oauth_token_update AFTER UPDATE OF {_columns('oauth_token')} ON oauth_token "
        f"FOR EACH ROW WHEN (OLD.hash IS NOT NULL) {note}"
    )
    for table in _UNIQUE:
        yield f"CREATE TRIGGER change_{table}_update AFTER UPDATE OF {_columns(table)} ON {table} FOR EACH ROW {note}"
        yield f"CREATE TRIGGER change_{table}_rows AFTER DELETE ON {table} FOR EACH ROW {note}"
        yield (
            f"CREATE TRIGGER change_{table}_truncate AFTER TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION latchgate_renew_epoch()"
        )
