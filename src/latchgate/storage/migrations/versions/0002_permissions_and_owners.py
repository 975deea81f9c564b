"""Make permissions, and note of every record who made it and who changed it last, when.

A released revision is never edited: it stands alone and takes nothing from schema.py.
"""

# ruff: noqa: S608  # every name that is put into a statement stands in this file

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_Added = tuple[str, sa.Text | sa.BigInteger]
_WHOSE_ACTIVITY = (
    'UPDATE activity_log SET user_id = (SELECT u.id FROM "user" AS u WHERE u.name = activity_log."user"'
    " AND u.creation <= activity_log.time)"
)
_EVERYTHING = "read write create delete"


def upgrade() -> None:
    _add_owners()
    _create_permissions()
    _grant_defaults()
    engine = op.get_bind().dialect.name
    for statement in _postgresql_triggers() if engine == "postgresql" else _sqlite_triggers():
        op.execute(sa.text(statement))


def downgrade() -> None:
    raise NotImplementedError("there is no way back but a backup")


def _now_us() -> str:
    if op.get_bind().dialect.name == "postgresql":
        return "CAST(extract(epoch FROM now()) * 1000000 AS bigint)"
    return "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"


def _add_owners() -> None:
    # What is added to a table that holds rows needs a default; the rows then get what is known of them.
    who: _Added = ("Administrator", _TEXT)
    when: _Added = ("0", sa.BigInteger())
    columns: dict[str, dict[str, _Added]] = {
        "user": {"owner": who, "modified_by": who},
        "role": {"owner": who, "modified": when, "modified_by": who},
        "authorization_source": {"owner": who, "modified": when, "modified_by": who},
        "source_record": {"owner": who, "creation": when, "modified": when, "modified_by": who},
        "api_key": {"modified": when, "modified_by": who},
    }
    for table, added in columns.items():
        for name, (default, kind) in added.items():
            op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("activity_log", sa.Column("user_id", sa.BigInteger(), nullable=True))
    for statement in (
        "UPDATE role SET modified = creation",
        "UPDATE authorization_source SET modified = creation",
        f"UPDATE source_record SET creation = {_now_us()}, modified = {_now_us()}",
        "UPDATE api_key SET modified = creation, modified_by = created_by",
        _WHOSE_ACTIVITY,
    ):
        op.execute(sa.text(statement))
    op.create_index("ix_activity_log_time_id", "activity_log", ["time", "id"])
    op.create_index("ix_activity_log_user_id_time_id", "activity_log", ["user_id", "time", "id"])
    op.create_index("ix_activity_log_user_id", "activity_log", ["user", "id"])
    for table in ("user", "api_key"):
        # The order of a list that names none.
        op.create_index(f"ix_{table}_creation_id", table, ["creation", "id"])


def _create_permissions() -> None:
    op.create_table(
        "permission",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("role_id", _ID, nullable=False),
        sa.Column("doctype", _TEXT, nullable=False),
        sa.Column("if_owner", sa.Boolean, nullable=False),
        sa.Column("can_read", sa.Boolean, nullable=False),
        sa.Column("can_write", sa.Boolean, nullable=False),
        sa.Column("can_create", sa.Boolean, nullable=False),
        sa.Column("can_delete", sa.Boolean, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("creation", sa.BigInteger, nullable=False),
        sa.Column("modified", sa.BigInteger, nullable=False),
        sa.Column("modified_by", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_permission"),
        sa.UniqueConstraint("role_id", "doctype", "if_owner", name="uq_permission_role_id_doctype_if_owner"),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name="fk_permission_role_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )


def _grant_defaults() -> None:
    for role, doctype, if_owner, actions in _defaults():
        allowed = ", ".join(
            "true" if action in actions.split() else "false" for action in ("read", "write", "create", "delete")
        )
        op.execute(
            sa.text(
                "INSERT INTO permission (role_id, doctype, if_owner, can_read, can_write, can_create, can_delete,"
                " owner, creation, modified, modified_by)"
                f" SELECT id, {doctype}, {if_owner}, {allowed}, 'Administrator', {_now_us()}, {_now_us()},"
                f" 'Administrator' FROM role WHERE name = '{role}'"
            )
        )
    # Sources that were made before have records like Event Consumer's.
    op.execute(
        sa.text(
            "INSERT INTO permission (role_id, doctype, if_owner, can_read, can_write, can_create, can_delete,"
            " owner, creation, modified, modified_by)"
            f" SELECT role.id, authorization_source.name, false, true, true, true, true, 'Administrator', {_now_us()},"
            f" {_now_us()}, 'Administrator' FROM role, authorization_source WHERE role.name = 'System Manager'"
            " AND authorization_source.name NOT IN ('User', 'Event Consumer')"
        )
    )


def _defaults() -> Iterator[tuple[str, str, str, str]]:
    for doctype in ("User", "Role", "Role Permission", "API Key", "Authorization Source", "Event Consumer"):
        yield "System Manager", f"'{doctype}'", "false", _EVERYTHING
    for doctype in ("API Request Log", "Activity Log"):
        yield "System Manager", f"'{doctype}'", "false", "read"
        yield "All", f"'{doctype}'", "true", "read"
    yield "System Manager", "'System Settings'", "false", "read write"
    yield "All", "'User'", "true", "read write"
    yield "All", "'API Key'", "true", _EVERYTHING


# Each change adds a row to `change`, as in 0001.

_COLUMNS = '"id", "role_id", "doctype", "if_owner", "can_read", "can_write", "can_create", "can_delete"'


def _sqlite_triggers() -> Iterator[str]:
    for event, row in ((f"UPDATE OF {_COLUMNS}", "NEW"), ("DELETE", "OLD"), ("INSERT", "NEW")):
        name = event.partition(" ")[0].lower()
        yield (
            f"CREATE TRIGGER change_permission_{name} AFTER {event} ON permission BEGIN {_sqlite_note(f'{row}.id')} END"
        )
    # INSERT OR REPLACE and UPDATE OR REPLACE remove rows without firing their delete triggers.
    clashing = (
        "(gone.id = NEW.id) OR (gone.role_id = NEW.role_id AND gone.doctype = NEW.doctype"
        " AND gone.if_owner = NEW.if_owner)"
    )
    for name, event, condition in (
        ("insert", "INSERT", clashing),
        ("update", 'UPDATE OF "id", "role_id", "doctype", "if_owner"', f"({clashing}) AND gone.id <> OLD.id"),
    ):
        rows = f"permission AS gone WHERE {condition}"
        yield (
            f"CREATE TRIGGER change_permission_replace_by_{name} BEFORE {event} ON permission "
            f"WHEN EXISTS (SELECT 1 FROM {rows}) BEGIN "
            "INSERT INTO change (seq, kind, ref) "
            f"SELECT (SELECT seq FROM change_head) + row_number() OVER (), 'permission', id FROM {rows}; "
            f"UPDATE change_head SET seq = seq + (SELECT count(*) FROM {rows}); END"
        )


def _sqlite_note(ref: str) -> str:
    return (
        "UPDATE change_head SET seq = seq + 1; "
        f"INSERT INTO change (seq, kind, ref) SELECT seq, 'permission', {ref} FROM change_head;"
    )


def _postgresql_triggers() -> Iterator[str]:
    yield (
        f"CREATE TRIGGER change_permission_update AFTER UPDATE OF {_COLUMNS} ON permission FOR EACH ROW "
        "EXECUTE FUNCTION latchgate_note_id()"
    )
    yield (
        "CREATE TRIGGER change_permission_rows AFTER INSERT OR DELETE ON permission FOR EACH ROW "
        "EXECUTE FUNCTION latchgate_note_id()"
    )
    yield (
        "CREATE TRIGGER change_permission_truncate AFTER TRUNCATE ON permission "
        "FOR EACH STATEMENT EXECUTE FUNCTION latchgate_renew_epoch()"
    )
