"""The table `change`, as far as the engines differ: replaced rows on SQLite, concurrent writers on PostgreSQL."""

import psycopg
import pytest

from latchgate.services.ports import Store
from latchgate.storage.database import Database
from latchgate.storage.schema import complete_metadata
from support.changes import Changes, id_of
from support.databases import Databases, Outside

# ruff: noqa: S608  # every name in a statement is our own


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True, scope="session")
class TestSqliteReplacement:
    """INSERT OR REPLACE and UPDATE OR REPLACE remove rows without a DELETE; those are noted too."""

    @pytest.mark.parametrize(
        ("table", "where"),
        [
            ("user", "name = 'ann@example.com'"),
            ("role", "name = 'Editor'"),
            ("authorization_source", "name = 'API Device'"),
            ("source_record", "name = 'door'"),
            ("api_key", "key_id = 'key-1'"),
            ("api_key", "key_id = 'key-2'"),
            ("oauth_client", "true"),
            ("oauth_family", "true"),
            ("oauth_token", "true"),
            ("session", "true"),
        ],
    )
    def test_insert(self, changes: Changes, outside: Outside, table: str, where: str) -> None:
        """A row that gives way to a new one of the same name is noted, whatever number the new one has."""
        ref = id_of(outside, table, where)
        columns = [column.name for column in complete_metadata().tables[table].c if column.name != "id"]
        names = ", ".join(f'"{name}"' for name in columns)

        outside(f'INSERT OR REPLACE INTO "{table}" ({names}) SELECT {names} FROM "{table}" WHERE {where}')

        assert outside(f'SELECT 1 FROM "{table}" WHERE id = {ref}') == []
        assert (table, ref) in changes.new()

    def test_insert_of_another_primary_key(self, changes: Changes, outside: Outside) -> None:
        """A primary key that gives way to another one of its owner is noted."""
        ref = id_of(outside, "api_key", "key_id = 'key-1'")
        columns = [
            column.name for column in complete_metadata().tables["api_key"].c if column.name not in {"id", "key_id"}
        ]
        names = ", ".join(columns)

        outside(
            f"INSERT OR REPLACE INTO api_key (key_id, {names}) SELECT 'other', {names} FROM api_key WHERE id = {ref}"
        )

        assert outside(f"SELECT 1 FROM api_key WHERE id = {ref}") == []
        assert ("api_key", ref) in changes.new()

    def test_insert_of_the_same_number(self, changes: Changes, outside: Outside) -> None:
        """A session that gives way to one of the same number is noted."""
        ref = id_of(outside, "session")

        outside("INSERT OR REPLACE INTO session SELECT id, x'00', 'x', user_id, 0, 0, '', '', NULL, 0 FROM session")

        assert changes.new() == [("session", ref)]

    def test_update(self, changes: Changes, outside: Outside) -> None:
        """A row that gives way to a renamed one is noted beside it."""
        ann, bob = (id_of(outside, "user", f"name = '{name}@example.com'") for name in ("ann", "bob"))

        outside(f"UPDATE OR REPLACE \"user\" SET name = 'ann@example.com' WHERE id = {bob}")

        assert outside(f'SELECT 1 FROM "user" WHERE id = {ann}') == []
        assert {("user", ann), ("user", bob)} <= set(changes.new())


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True, scope="session")
class TestPostgresqlOrder:
    def test_a_number_is_held_to_the_commit(
        self, filled: Store, outside: Outside, databases: Databases, database: Database
    ) -> None:
        """While one program has taken a number and not committed, no other can take the next: order is commit order."""
        outside("BEGIN")
        outside("UPDATE session SET revoked_at = 1")
        with databases.outside(database) as other:
            other("SET lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other("UPDATE oauth_token SET revoked_at = 1")
            outside("COMMIT")
            other("UPDATE oauth_token SET revoked_at = 1")

        kinds = outside("SELECT kind FROM change ORDER BY seq DESC LIMIT 2")
        assert kinds == [("oauth_token",), ("session",)]

    def test_truncation_renews_the_epoch(self, filled: Store, outside: Outside) -> None:
        """A truncation names no rows: whoever follows the changes is told to start afresh."""
        [(before,)] = outside("SELECT epoch FROM change_head")

        outside("TRUNCATE session, undo")

        assert outside("SELECT epoch FROM change_head") != [(before,)]

    def test_other_search_paths(self, filled: Store, outside: Outside) -> None:
        """A program that looks elsewhere for its tables still notes its changes here."""
        changes = Changes(outside)
        ref = id_of(outside, "session")

        outside("SET search_path = pg_catalog; UPDATE public.session SET revoked_at = 1; SET search_path = public")

        assert changes.new() == [("session", ref)]
