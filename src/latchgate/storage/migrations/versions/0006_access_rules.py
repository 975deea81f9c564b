"""Make access rules, which say who reaches protected applications. Each change of one adds a row to `change`.

A released revision is never edited: it stands alone and takes nothing from schema.py.
"""

# ruff: noqa: S608  # every name that is put into a statement stands in this file

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TEXTS = ("host", "path", "methods", "roles", "scopes")
_SWITCHES = ("every_role", "allow_guest", "allow_foreign_authorization", "allow_unusual_path")
_COLUMNS = ", ".join(f'"{column}"' for column in ("id", "position", *_TEXTS, *_SWITCHES))


def upgrade() -> None:
    op.create_table(
        "access_rule",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in _SWITCHES),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("creation", sa.BigInteger, nullable=False),
        sa.Column("modified", sa.BigInteger, nullable=False),
        sa.Column("modified_by", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_access_rule"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_rule_position_id", "access_rule", ["position", "id"])
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    now_us = (
        "CAST(extract(epoch FROM now()) * 1000000 AS bigint)"
        if on_postgresql
        else "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
    )
    op.execute(
        sa.text(
            "INSERT INTO permission (role_id, doctype, if_owner, can_read, can_write, can_create, can_delete,"
            " owner, creation, modified, modified_by)"
            f" SELECT id, 'Access Rule', false, true, true, true, true, 'Administrator', {now_us}, {now_us},"
            " 'Administrator' FROM role WHERE name = 'System Manager' AND NOT EXISTS (SELECT 1 FROM permission AS had"
            " WHERE had.role_id = role.id AND had.doctype = 'Access Rule' AND had.if_owner = false)"
        )
    )
    for statement in _postgresql_triggers() if on_postgresql else _sqlite_triggers():
        op.execute(sa.text(statement))


def downgrade() -> None:
    raise NotImplementedError("there is no way back but a backup")


def _sqlite_triggers() -> Iterator[str]:
    yield (
        f"CREATE TRIGGER change_access_rule_update AFTER UPDATE OF {_COLUMNS} ON access_rule "
        f"BEGIN {_sqlite_note('OLD.id')} {_sqlite_note('NEW.id', 'OLD.id <> NEW.id')} END"
    )
    yield f"CREATE TRIGGER change_access_rule_delete AFTER DELETE ON access_rule BEGIN {_sqlite_note('OLD.id')} END"
    yield f"CREATE TRIGGER change_access_rule_insert AFTER INSERT ON access_rule BEGIN {_sqlite_note('NEW.id')} END"
    # INSERT OR REPLACE and UPDATE OR REPLACE remove rows without firing their delete triggers.
    for name, event, condition in (
        ("insert", "INSERT", "gone.id = NEW.id"),
        ("update", 'UPDATE OF "id"', "gone.id = NEW.id AND gone.id <> OLD.id"),
    ):
        rows = f"access_rule AS gone WHERE {condition}"
        yield (
            f"CREATE TRIGGER change_access_rule_replace_by_{name} BEFORE {event} ON access_rule "
            f"WHEN EXISTS (SELECT 1 FROM {rows}) BEGIN "
            "INSERT INTO change (seq, kind, ref) "
            f"SELECT (SELECT seq FROM change_head) + row_number() OVER (), 'access_rule', id FROM {rows}; "
            f"UPDATE change_head SET seq = seq + (SELECT count(*) FROM {rows}); END"
        )


def _sqlite_note(ref: str, condition: str = "true") -> str:
    return (
        f"UPDATE change_head SET seq = seq + 1 WHERE {condition}; "
        f"INSERT INTO change (seq, kind, ref) SELECT seq, 'access_rule', {ref} FROM change_head WHERE {condition};"
    )


def _postgresql_triggers() -> Iterator[str]:
    note = "EXECUTE FUNCTION latchgate_note_id()"
    yield f"CREATE TRIGGER change_access_rule_update AFTER UPDATE OF {_COLUMNS} ON access_rule FOR EACH ROW {note}"
    yield f"CREATE TRIGGER change_access_rule_rows AFTER INSERT OR DELETE ON access_rule FOR EACH ROW {note}"
    yield (
        "CREATE TRIGGER change_access_rule_truncate AFTER TRUNCATE ON access_rule "
        "FOR EACH STATEMENT EXECUTE FUNCTION latchgate_renew_epoch()"
    )
