"""The feed of changes: what it reads is of one moment, and of the database that everybody uses."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.core.tokens import Digest
from latchgate.errors import StorageError
from latchgate.services.port_values import Stamp
from latchgate.storage import pruning
from latchgate.storage.backups import backup_sqlite, restore_sqlite
from latchgate.storage.changes import SqliteFeed, open_feed
from latchgate.storage.database import Database, open_database
from latchgate.storage.generation import make_generation
from latchgate.storage.revisions import upgrade
from latchgate.storage.store import SqlStore
from support.changes import fill
from support.new_rows import new_user


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """A database with rows in every table that verdicts stand on."""
    with SqlStore(sqlite_database).write() as tx:
        fill(tx)
    return sqlite_database


@pytest.fixture
def feed(database: Database) -> Iterator[SqliteFeed]:
    """A feed of that database."""
    with closing(open_feed(database)) as feed:
        yield feed


def run(database: Database, statement: str) -> None:
    """Change something as another program does."""
    assert database.sqlite_path is not None
    with closing(sqlite3.connect(database.sqlite_path)) as other, other:
        other.execute(statement)


def add(database: Database, name: str) -> None:
    """Change something as a writer of ours."""
    with SqlStore(database).write() as tx:
        tx.users.add(new_user(name), 1)


class TestChanges:
    def test_since(self, database: Database, feed: SqliteFeed) -> None:
        """The rows after a number, in their order, with the head as of the same moment."""
        head = feed.read_changes(2**62).head
        run(database, "UPDATE api_key SET revoked_at = 5 WHERE key_id = 'key-1'")
        run(database, "DELETE FROM oauth_token")

        changes = feed.read_changes(head.seq)

        assert [kind for kind, _ in changes.rows or ()] == ["api_key", "oauth_token"]
        assert (changes.head.seq, changes.head.epoch, changes.floor) == (head.seq + 2, head.epoch, 0)
        assert feed.read_changes(head.seq + 2).rows == []

    def test_nothing_is_held(self, database: Database, feed: SqliteFeed) -> None:
        """After a reading, and after a look-up, the next one sees what was committed since."""
        for number in range(3):
            before = feed.read_changes(2**62).head.seq
            feed.find_key("User", "key-1")
            feed.find_token([b"lookup"])
            add(database, f"user-{number}@example.com")

            assert feed.read_changes(before).head.seq == before + 1
            assert feed.find_key("User", "key-1").position.seq == before + 1
            assert not feed._connection.in_transaction

    def test_too_many(self, database: Database, feed: SqliteFeed) -> None:
        """Beyond ten thousand the rows are not read; the head is."""
        run(database, "UPDATE change_head SET seq = seq + 10001")

        changes = feed.read_changes(0)

        assert changes.rows is None
        assert changes.head.seq > 10_000

    def test_version(self, database: Database, feed: SqliteFeed) -> None:
        """Any commit of anybody moves it; reading does not."""
        before = feed.version()
        assert feed.version() == before

        run(database, "UPDATE fact SET value = 'another'")

        assert feed.version() != before

    def test_cannot_write(self, feed: SqliteFeed) -> None:
        """A feed changes nothing."""
        with pytest.raises(sqlite3.OperationalError):
            feed._connection.execute("UPDATE fact SET value = 'another'")


class TestLookUps:
    @pytest.mark.parametrize(
        ("source", "key_id"),
        [
            ("User", "key-1"),
            ("API Device", "key-2"),
            ("User", "key-2"),
            ("Nowhere", "key-1"),
            ("User", "nul\0"),
            ("\0", ""),
        ],
    )
    def test_key(self, database: Database, feed: SqliteFeed, source: str, key_id: str) -> None:
        """A key is found as the store finds it, to the letter, with its user and roles."""
        with SqlStore(database).read() as tx:
            stored = tx.api_keys.find(source, key_id)
            known = stored is not None or source == "User" or tx.sources.exists(source)

        found = feed.find_key(source, key_id)

        assert repr(found.stored) == repr(stored)
        assert found.stored == stored
        assert found.known_source is known
        if "\0" not in source + key_id:
            assert found.position == feed.read_changes(2**62).head
        else:
            assert found.position.seq < 0, "what is of no moment is never kept"

    def test_rotated_key(self, database: Database, feed: SqliteFeed) -> None:
        """Both secrets of a rotated key, and when it was, come along."""
        with SqlStore(database).write() as tx:
            key = tx.api_keys.find("User", "key-1")
            assert key is not None
            tx.api_keys.replace_secret(key.id, Digest(1, b"n" * 32), 100, Stamp("ann@example.com", 7))
            stored = tx.api_keys.find("User", "key-1")

        assert feed.find_key("User", "key-1").stored == stored

    @pytest.mark.parametrize("lookups", [[b"lookup"], [b"new", b"lookup"], [b"nothing"]])
    def test_token(self, database: Database, feed: SqliteFeed, lookups: list[bytes]) -> None:
        """A token is found as the store finds it, to the letter."""
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE oauth_token SET lookup = ?", (b"lookup",))
        with SqlStore(database).read() as tx:
            stored = tx.access_tokens.find(lookups)

        found = feed.find_token(lookups)

        assert repr(found.stored) == repr(stored)
        assert (found.stored is None) == (b"lookup" not in lookups)
        assert found.position == (feed.read_changes(2**62).head if found.stored else None)


class TestReplacedFiles:
    def _replace_database(self, database: Database, tmp_path: Path) -> None:
        assert database.sqlite_path is not None
        backup_sqlite(database, tmp_path / "backup.db")
        (tmp_path / "backup.db").replace(database.sqlite_path)

    def test_database(self, database: Database, feed: SqliteFeed, tmp_path: Path) -> None:
        """Nothing is told of a database file that another was put in the place of: it would be of before."""
        self._replace_database(database, tmp_path)

        assert not feed.is_whole()
        for ask in (
            lambda: feed.read_changes(0),
            lambda: feed.find_key("User", "key-1"),
            lambda: feed.find_token([b"lookup"]),
        ):
            with pytest.raises(StorageError, match="was replaced"):
                ask()
        with closing(open_feed(database)) as later:
            assert later.is_whole()
            assert later.find_key("User", "key-1").stored is not None

    @pytest.mark.parametrize("how", ["deleted", "replaced"])
    def test_generation_file(self, database: Database, feed: SqliteFeed, how: str) -> None:
        """Without its generation file a database is not followed."""
        assert database.acknowledgements is not None
        path = database.acknowledgements.path
        path.unlink() if how == "deleted" else make_generation(path, 0.0)

        assert not feed.is_whole()
        with pytest.raises(StorageError, match="was replaced"):
            feed.read_changes(0)

    def test_database_that_names_another_file(self, database: Database, feed: SqliteFeed) -> None:
        """Nor is one that has agreed on another file, though this one is still in its place."""
        run(database, "UPDATE change_head SET generation = 'another'")

        assert feed.is_whole()
        with pytest.raises(StorageError, match="was replaced"):
            feed.read_changes(0)

    def test_restored_in_its_place(self, database: Database, feed: SqliteFeed, tmp_path: Path) -> None:
        """A restore under running readers is followed: another epoch, the same file."""
        backup_sqlite(database, tmp_path / "backup.db")
        add(database, "cem@example.com")
        before, nonce = feed.read_changes(2**62).head, feed.nonce

        restore_sqlite(database, tmp_path / "backup.db")

        assert feed.nonce != nonce
        assert feed.read_changes(0).head.epoch != before.epoch
        assert feed.is_whole()

    def test_older_revision_in_its_place(self, database: Database, feed: SqliteFeed) -> None:
        """A database of before there were generations is not followed."""
        run(database, "ALTER TABLE change_head DROP COLUMN generation")

        with pytest.raises(StorageError):
            feed.read_changes(0)

    def test_closed(self, feed: SqliteFeed) -> None:
        """A closed feed tells nothing."""
        feed.close()

        with pytest.raises(StorageError):
            feed.version()

    def test_after_a_fork(self, feed: SqliteFeed) -> None:
        """Nor does one that a child inherited: SQLite's connections do not survive that."""
        child = os.fork()
        if child == 0:
            try:
                feed.find_key("User", "key-1")
            except StorageError:
                os._exit(0)
            os._exit(1)

        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def test_no_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files may not be shared there is no feed."""
    monkeypatch.setattr("latchgate.storage.database.shares_mapped_files", lambda _folder: False)
    with closing(open_database(f"sqlite:///{tmp_path / 'latchgate.db'}", create=True)) as database:
        upgrade(database)

        with pytest.raises(StorageError, match="may be cached"):
            open_feed(database)


class TestPruning:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pruning, "KEPT_CHANGES", 10)
        monkeypatch.setattr(pruning, "_SPARE", 5)
        monkeypatch.setattr(pruning, "_DROPPED_AT_ONCE", 8)

    def test_long_table(self, database: Database, feed: SqliteFeed) -> None:
        """Writers drop the oldest rows a few at a time until those that are kept are left, and the floor says so."""
        for number in range(40):
            add(database, f"user-{number}@example.com")

        changes = feed.read_changes(0)

        with database.read() as connection:
            numbers = list(connection.exec_driver_sql("SELECT seq FROM change ORDER BY seq").scalars())
        assert numbers == list(range(changes.floor + 1, changes.head.seq + 1))
        assert 10 <= len(numbers) <= 10 + 5 + 1

    def test_failure(self, database: Database, feed: SqliteFeed) -> None:
        """If the work fails, rows and floor stay as they were."""
        for number in range(10):
            run(database, f"UPDATE user SET login_after = {number}")  # noqa: S608  # a number
        before = feed.read_changes(0)

        with pytest.raises(ZeroDivisionError), database.write():
            raise ZeroDivisionError

        assert feed.read_changes(0) == before
