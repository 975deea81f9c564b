"""From empty to head, one step after the other, and the same tables as schema.py."""

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from latchgate.errors import SettingsError, StorageError
from latchgate.storage import revisions
from latchgate.storage.database import Database
from latchgate.storage.revisions import check_revision, current_revision, head_revision, require_known, upgrade
from latchgate.storage.schema import complete_metadata

_NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{head}"


def upgrade() -> None:
    op.create_table("later", sa.Column("id", sa.Integer, primary_key=True))
    op.execute(sa.text("{statement}"))
"""


@pytest.fixture
def released(empty: Database) -> Database:
    """A database of its own, of this release's revision."""
    upgrade(empty)
    return empty


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make this the release after: one with a further revision, which ends with a statement of the test's."""
    head = head_revision()

    def publish(statement: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(Path(revisions.__file__).parent / "migrations", folder)
        (folder / "versions" / "9001_later.py").write_text(_NEXT.format(head=head, statement=statement))
        monkeypatch.setattr(revisions, "_FOLDER", folder)

    return publish


def test_from_empty_to_head(empty: Database) -> None:
    """An empty database is brought to head; then there is nothing left to do."""
    assert current_revision(empty) is None

    taken = upgrade(empty)

    assert taken[-1] == current_revision(empty) == head_revision()
    check_revision(empty)
    assert upgrade(empty) == []


def test_one_chain() -> None:
    """The revisions are one line: one base, one head."""
    script = ScriptDirectory(str(Path(revisions.__file__).parent / "migrations"))

    assert len(script.get_bases()) == len(script.get_heads()) == 1


def test_schema_is_head(database: Database) -> None:
    """To Alembic's eyes schema.py and the upgraded database do not differ; the types are compared below.

    So are SQLite's references: Alembic does not see what happens on deletion where one was added with its column.
    """
    with database.read() as connection:
        left_out = "foreign_key_constraint" if connection.dialect.name == "sqlite" else None
        opts = {"compare_type": False, "include_object": lambda _, __, kind, *___: kind != left_out}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, complete_metadata()) == []


def test_schema_makes_the_same_tables(empty: Database, database: Database) -> None:
    """Tables made from schema.py have the same columns, constraints and indexes as those that the revisions made."""
    with empty.change_tables() as connection:
        complete_metadata().create_all(connection)

    with empty.read() as made, database.read() as upgraded:
        assert _shape(made) == _shape(upgraded)


def test_two_processes_upgrade_at_once(empty: Database) -> None:
    """Of two that upgrade an empty database at once, each step is taken by one, and both succeed."""
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(upgrade, [empty, empty])

    assert sorted(first + second) == ["0001", "0002", "0003", "0004", "0005", "0006", head_revision()]


def test_last_release_to_head(released: Database, release: Callable[[str], None]) -> None:
    """A database of the release before is refused with the command that mends it, and keeps its data when upgraded."""
    before = head_revision()
    release("INSERT INTO later (id) VALUES (7)")

    with pytest.raises(SettingsError, match=rf"has revision {before}, .* needs 9001; .*latchgate database upgrade"):
        check_revision(released)
    taken = upgrade(released)

    check_revision(released)
    assert taken == ["9001"]
    with released.read() as connection:
        assert connection.execute(text("SELECT id FROM later")).scalars().all() == [7]
        assert connection.execute(text('SELECT count(*) FROM "user"')).scalar() == 2


_TOKEN_COLUMNS = "public_id, lookup, pepper, hash, user_id, client, scopes, issued_at, expires_at, revoked_at"
_ADD_TOKEN = (
    f"INSERT INTO oauth_token ({_TOKEN_COLUMNS})"  # noqa: S608  # our own names
    " SELECT :name, :bytes, 2, :bytes, id, 'app', '[]', 5, 9, 7 FROM \"user\" WHERE name = 'Guest'"
)


def test_tokens_outlive_the_step_to_oauth(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens from before OAuth 2 keep numbers and digests, are of no client, and their changes are noted still."""
    with monkeypatch.context() as before:
        before.setattr(revisions, "_chain", lambda: ("0001", "0002"))
        upgrade(empty)
    with empty.change_tables() as connection:
        for number in (1, 2, 3):
            connection.execute(text(_ADD_TOKEN), {"name": f"token-{number}", "bytes": bytes([number, 0, 255])})
        connection.execute(text("DELETE FROM oauth_token WHERE public_id <> 'token-2'"))
        stored = connection.execute(text("SELECT * FROM oauth_token")).all()

    assert upgrade(empty) == ["0003", "0004", "0005", "0006", head_revision()]

    with empty.change_tables() as connection:
        [row] = connection.execute(text("SELECT * FROM oauth_token")).all()
        assert row[:-3] == tuple(stored[0])
        assert (row.id, row.hash) == (2, b"\x02\x00\xff")
        assert row[-3:] == ("[]", None, None)
        connection.execute(text("UPDATE oauth_token SET audience = '[1]'"))
        connection.execute(text(_ADD_TOKEN), {"name": "token-4", "bytes": b"4"})
        assert connection.scalar(text("SELECT max(id) FROM oauth_token")) == 4
        noted = connection.execute(text("SELECT kind, ref FROM change ORDER BY seq DESC LIMIT 1")).all()
        assert noted == [("oauth_token", 2)]


def test_a_step_that_fails(released: Database, release: Callable[[str], None]) -> None:
    """A step that fails leaves nothing behind: no table, no revision."""
    before = head_revision()
    release("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StorageError):
        upgrade(released)

    assert current_revision(released) == before
    with released.read() as connection:
        assert "later" not in inspect(connection).get_table_names()


def test_newer_than_this_release(released: Database) -> None:
    """A database of a newer release is refused, and not touched by an upgrade."""
    with released.change_tables() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SettingsError, match="9999, which is newer than this release"):
        check_revision(released)
    with pytest.raises(SettingsError, match="9999, which is newer than this release"):
        upgrade(released)

    assert current_revision(released) == "9999"


def test_empty_is_refused(empty: Database) -> None:
    """A database without tables is refused with the command that makes them."""
    with pytest.raises(SettingsError, match=r"no tables yet.*latchgate database upgrade"):
        check_revision(empty)


def test_known_revisions() -> None:
    """This release knows its own revisions and no others."""
    require_known(head_revision())
    with pytest.raises(SettingsError):
        require_known("9999")


def _shape(connection: Connection) -> dict[str, list[str]]:
    """Describe every table as the engine itself does."""
    if connection.dialect.name == "postgresql":
        rows = connection.exec_driver_sql(_POSTGRESQL_SHAPE).all()
    else:
        rows = connection.exec_driver_sql(_SQLITE_SHAPE).all()
    shape: dict[str, list[str]] = {}
    for table, line in rows:
        # What SQLite adds to a table later stands on the line of the column before it.
        lines = re.split(
            r"\n\t|(?<=NULL|GINT|CADE)\n?, (?=[a-z_]+ (?:TEXT|BIGINT|INTEGER|BOOLEAN))", re.sub(r"\n?\)$", "", line)
        )
        # A reference that was added with its column stands beside it, not below all columns.
        apart = [_ADDED_REFERENCE.sub(r"\1\n\3 FOREIGN KEY(\2) \4", part.strip().removesuffix(",")) for part in lines]
        shape.setdefault(table, []).extend(line for part in apart for line in part.split("\n"))
    shape.pop("alembic_version", None)
    return {table: sorted(lines) for table, lines in shape.items()}


_ADDED_REFERENCE = re.compile(r"^((\w+) INTEGER) (CONSTRAINT \w+) (REFERENCES .*)$")
_SQLITE_SHAPE = "SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'"
_POSTGRESQL_SHAPE = """
SELECT table_name, concat_ws(' ', column_name, data_type, is_nullable, collation_name, identity_generation,
                             column_default)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""
