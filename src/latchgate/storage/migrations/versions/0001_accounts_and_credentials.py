"""Make users, roles, sources, keys, tokens, sessions, links, the activity log, and the notes of changed verdicts.

A released revision is never edited: it stands alone and takes nothing from schema.py.
"""

# ruff: noqa: S608  # every name that is put into a statement stands in this file

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_accounts()
    _create_sources()
    _create_keys()
    _create_tokens_sessions_links()
    _create_records()
    _insert_built_in()
    engine = op.get_bind().dialect.name
    for statement in _postgresql_triggers() if engine == "postgresql" else _sqlite_triggers():
        op.execute(sa.text(statement))


def downgrade() -> None:
    raise NotImplementedError("there is no way back but a backup")


def _create_accounts() -> None:
    op.create_table(
        "user",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("first_name", _TEXT, nullable=False),
        sa.Column("last_name", _TEXT, nullable=False),
        sa.Column("user_type", _TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("password_hash", _TEXT),
        sa.Column("restrict_ip", _TEXT, nullable=False),
        sa.Column("login_after", sa.SmallInteger, nullable=False),
        sa.Column("login_before", sa.SmallInteger, nullable=False),
        sa.Column("creation", sa.BigInteger, nullable=False),
        sa.Column("modified", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("name", name="uq_user_name"),
        sa.CheckConstraint("user_type IN ('System User', 'Website User')", name="ck_user_user_type"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "role",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("creation", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_role"),
        sa.UniqueConstraint("name", name="uq_role_name"),
        sa.CheckConstraint("name NOT LIKE '%\n%'", name="ck_role_one_line"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "user_role",
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("role_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "role_id", name="pk_user_role"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_user_role_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name="fk_user_role_role_id", ondelete="CASCADE"),
    )
    op.create_index("ix_user_role_role_id", "user_role", ["role_id"])


def _create_sources() -> None:
    op.create_table(
        "authorization_source",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("creation", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_authorization_source"),
        sa.UniqueConstraint("name", name="uq_authorization_source_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "source_record",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("user_id", _ID),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_source_record"),
        sa.ForeignKeyConstraint(["source"], ["authorization_source.name"], name="fk_source_record_source"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_source_record_user_id", ondelete="SET NULL"),
        sa.UniqueConstraint("source", "name", name="uq_source_record_source_name"),
        sa.UniqueConstraint("id", "source", name="uq_source_record_id_source"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_source_record_user_id", "source_record", ["user_id"])


def _create_keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("user_id", _ID),
        sa.Column("record_id", _ID),
        sa.Column("label", _TEXT, nullable=False),
        sa.Column("is_primary", sa.Boolean, nullable=False),
        sa.Column("scopes", _TEXT, nullable=False),
        sa.Column("networks", _TEXT, nullable=False),
        sa.Column("limit_per_minute", sa.Integer),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("pepper", sa.Integer),
        sa.Column("hash", sa.LargeBinary),
        sa.Column("previous_pepper", sa.Integer),
        sa.Column("previous_hash", sa.LargeBinary),
        sa.Column("previous_until", sa.BigInteger),
        sa.Column("creation", sa.BigInteger, nullable=False),
        sa.Column("created_by", _TEXT, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.ForeignKeyConstraint(["source"], ["authorization_source.name"], name="fk_api_key_source"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_api_key_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["record_id", "source"],
            ["source_record.id", "source_record.source"],
            name="fk_api_key_record_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("key_id", "source", name="uq_api_key_key_id_source"),
        sa.CheckConstraint("(user_id IS NULL) <> (record_id IS NULL)", name="ck_api_key_one_owner"),
        sa.CheckConstraint("(source = 'User') = (user_id IS NOT NULL)", name="ck_api_key_owner_of_source"),
        sqlite_autoincrement=True,
    )
    for owner in ("user_id", "record_id"):
        op.create_index(f"ix_api_key_{owner}", "api_key", [owner])
        op.create_index(
            f"uq_api_key_primary_{owner}",
            "api_key",
            [owner],
            unique=True,
            sqlite_where=sa.text("is_primary IS 1 AND revoked_at IS NULL"),
            postgresql_where=sa.text("is_primary IS true AND revoked_at IS NULL"),
        )


def _create_tokens_sessions_links() -> None:
    op.create_table(
        "oauth_token",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("public_id", _TEXT, nullable=False),
        sa.Column("lookup", sa.LargeBinary, nullable=False),
        sa.Column("pepper", sa.Integer),
        sa.Column("hash", sa.LargeBinary),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("scopes", _TEXT, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_token"),
        sa.UniqueConstraint("public_id", name="uq_oauth_token_public_id"),
        sa.UniqueConstraint("lookup", name="uq_oauth_token_lookup"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_oauth_token_user_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "session",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("public_id", _TEXT, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("ip_address", _TEXT, nullable=False),
        sa.Column("user_agent", _TEXT, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
        sa.UniqueConstraint("digest", name="uq_session_digest"),
        sa.UniqueConstraint("public_id", name="uq_session_public_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_session_user_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "link",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("purpose", _TEXT, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link"),
        sa.UniqueConstraint("digest", name="uq_link_digest"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_link_user_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    for table in ("oauth_token", "session", "link"):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def _create_records() -> None:
    op.create_table(
        "activity_log",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("user", _TEXT, nullable=False),
        sa.Column("operation", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.Column("ip_address", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activity_log"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fact",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fact"),
    )
    op.create_table(
        "change_head",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False),
        sa.Column("epoch", _TEXT, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_change_head"),
        sa.CheckConstraint("id = 1", name="ck_change_head_one_row"),
    )
    op.create_table(
        "change",
        sa.Column("seq", _ID, nullable=False, autoincrement=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("ref", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_change"),
    )


def _insert_built_in() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    now_us = (
        "CAST(extract(epoch FROM now()) * 1000000 AS bigint)"
        if on_postgresql
        else "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
    )
    epoch = "replace(CAST(gen_random_uuid() AS text), '-', '')" if on_postgresql else "lower(hex(randomblob(16)))"
    statements = [
        f"INSERT INTO change_head (id, epoch, floor, seq) VALUES (1, {epoch}, 0, 0)",
        *(
            f"INSERT INTO role (name, creation) VALUES ('{name}', {now_us})"
            for name in ("All", "Desk User", "Guest", "System Manager")
        ),
        *(
            f"INSERT INTO authorization_source (name, creation) VALUES ('{name}', {now_us})"
            for name in ("User", "Event Consumer")
        ),
        *(
            'INSERT INTO "user" (name, first_name, last_name, user_type, enabled, restrict_ip, login_after,'
            " login_before, creation, modified)"
            f" VALUES ('{name}', '{name}', '', '{user_type}', true, '[]', 0, 0, {now_us}, {now_us})"
            for name, user_type in (("Administrator", "System User"), ("Guest", "Website User"))
        ),
    ]
    for statement in statements:
        op.execute(sa.text(statement))


# --- The changes that may alter a verdict ---------------------------------------------------------------------------
#
# Each adds a row to `change`: the table, and the row's id (of user_role: the user's). A fresh token or session ends no
# verdict and adds none; it is bound to its digest after its insert, so a token's first digest adds none either.

_VERDICT_COLUMNS = {
    "user": "id name first_name last_name user_type enabled restrict_ip login_after login_before",
    "role": "id name",
    "user_role": "user_id role_id",
    "authorization_source": "id name",
    "source_record": "id source name user_id enabled",
    "api_key": "id source key_id user_id record_id scopes networks limit_per_minute expires_at pepper hash"
    " previous_pepper previous_hash previous_until revoked_at",
    "oauth_token": "id public_id lookup pepper hash user_id client scopes issued_at expires_at revoked_at",
    "session": "id digest public_id user_id created_at revoked_at",
}
_WITHOUT_INSERT = {"role", "oauth_token", "session"}
_WHEN_UPDATED = {"oauth_token": "WHEN (OLD.hash IS NOT NULL) "}
_UNIQUE = {
    "user": ["id", "name"],
    "role": ["id", "name"],
    "authorization_source": ["id", "name"],
    "source_record": ["id", "source name"],
    "api_key": ["id", "key_id source"],
    "oauth_token": ["id", "public_id", "lookup"],
    "session": ["id", "digest", "public_id"],
}


def _ref(table: str) -> str:
    return "user_id" if table == "user_role" else "id"


def _columns(table: str) -> str:
    return ", ".join(f'"{column}"' for column in _VERDICT_COLUMNS[table].split())


def _sqlite_triggers() -> Iterator[str]:
    for table in _VERDICT_COLUMNS:
        ref = _ref(table)
        moved = f"OLD.{ref} <> NEW.{ref}"
        yield (
            f'CREATE TRIGGER change_{table}_update AFTER UPDATE OF {_columns(table)} ON "{table}" '
            f"{_WHEN_UPDATED.get(table, '')}"
            f"BEGIN {_sqlite_note(table, f'OLD.{ref}')} {_sqlite_note(table, f'NEW.{ref}', moved)} END"
        )
        yield (
            f'CREATE TRIGGER change_{table}_delete AFTER DELETE ON "{table}" '
            f"BEGIN {_sqlite_note(table, f'OLD.{ref}')} END"
        )
        if table not in _WITHOUT_INSERT:
            yield (
                f'CREATE TRIGGER change_{table}_insert AFTER INSERT ON "{table}" '
                f"BEGIN {_sqlite_note(table, f'NEW.{ref}')} END"
            )
        if table in _UNIQUE:
            yield from _sqlite_replacements(table)


def _sqlite_note(table: str, ref: str, condition: str = "true") -> str:
    return (
        f"UPDATE change_head SET seq = seq + 1 WHERE {condition}; "
        f"INSERT INTO change (seq, kind, ref) SELECT seq, '{table}', {ref} FROM change_head WHERE {condition};"
    )


def _sqlite_replacements(table: str) -> Iterator[str]:
    # INSERT OR REPLACE and UPDATE OR REPLACE remove rows without firing their delete triggers.
    clashes = [
        " AND ".join(f'gone."{column}" = NEW."{column}"' for column in columns.split()) for columns in _UNIQUE[table]
    ]
    if table == "api_key":
        both = "gone.is_primary AND NEW.is_primary AND gone.revoked_at IS NULL AND NEW.revoked_at IS NULL"
        clashes += [f"{both} AND gone.{owner} = NEW.{owner}" for owner in ("user_id", "record_id")]
    clashing = " OR ".join(f"({clash})" for clash in clashes)
    unique = sorted({f'"{column}"' for columns in _UNIQUE[table] for column in columns.split()})
    if table == "api_key":
        unique += ["user_id", "record_id", "is_primary", "revoked_at"]
    for name, event, condition in (
        ("insert", "INSERT", clashing),
        ("update", f"UPDATE OF {', '.join(unique)}", f"({clashing}) AND gone.id <> OLD.id"),
    ):
        rows = f'"{table}" AS gone WHERE {condition}'
        yield (
            f'CREATE TRIGGER change_{table}_replace_by_{name} BEFORE {event} ON "{table}" '
            f"WHEN EXISTS (SELECT 1 FROM {rows}) BEGIN "
            "INSERT INTO change (seq, kind, ref) "
            f"SELECT (SELECT seq FROM change_head) + row_number() OVER (), '{table}', id FROM {rows}; "
            f"UPDATE change_head SET seq = seq + (SELECT count(*) FROM {rows}); END"
        )


def _postgresql_triggers() -> Iterator[str]:
    for ref in ("id", "user_id"):
        yield _postgresql_note(ref)
    yield (
        "CREATE FUNCTION latchgate_renew_epoch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ "
        "BEGIN UPDATE change_head SET epoch = replace(CAST(gen_random_uuid() AS text), '-', ''); RETURN NULL; END $$"
    )
    for table in _VERDICT_COLUMNS:
        function = f"latchgate_note_{_ref(table)}()"
        yield (
            f'CREATE TRIGGER change_{table}_update AFTER UPDATE OF {_columns(table)} ON "{table}" FOR EACH ROW '
            f"{_WHEN_UPDATED.get(table, '')}EXECUTE FUNCTION {function}"
        )
        events = "DELETE" if table in _WITHOUT_INSERT else "INSERT OR DELETE"
        yield (
            f'CREATE TRIGGER change_{table}_rows AFTER {events} ON "{table}" FOR EACH ROW EXECUTE FUNCTION {function}'
        )
        # A truncation names no rows: whoever follows the changes starts afresh.
        yield (
            f'CREATE TRIGGER change_{table}_truncate AFTER TRUNCATE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION latchgate_renew_epoch()"
        )


def _postgresql_note(ref: str) -> str:
    return f"""
CREATE FUNCTION latchgate_note_{ref}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    number bigint;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE change_head SET seq = seq + 1 RETURNING seq INTO STRICT number;
        INSERT INTO change (seq, kind, ref) VALUES (number, TG_TABLE_NAME, OLD.{ref});
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.{ref} <> OLD.{ref}) THEN
        UPDATE change_head SET seq = seq + 1 RETURNING seq INTO STRICT number;
        INSERT INTO change (seq, kind, ref) VALUES (number, TG_TABLE_NAME, NEW.{ref});
    END IF;
    RETURN NULL;
END $$"""
