"""What a transaction promises, whatever it does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from latchgate.errors import Conflict, NotFound, StorageError
from latchgate.services.ports import Store
from latchgate.storage import database as database_module
from latchgate.storage.database import Database, open_database
from latchgate.storage.store import SqlStore
from support.databases import Outside
from support.new_rows import new_user, user_key


def names(store: Store) -> set[str]:
    """List the users, the built-in ones apart."""
    with store.read() as tx:
        return {user.name for user in tx.users.list_all()} - {"Administrator", "Guest"}


class TestWriting:
    def test_all_or_nothing(self, store: Store, outside: Outside) -> None:
        """An exception undoes everything that its transaction did, changes and their numbers included."""
        head_before, noted_before = (
            outside("SELECT epoch, floor, seq FROM change_head"),
            outside("SELECT * FROM change ORDER BY seq"),
        )

        def add_and_fail() -> None:
            with store.write() as tx:
                user_id = tx.users.add(new_user(), 1)
                tx.api_keys.add(user_key(user_id), 1)
                tx.instance.set_fact("fact", "stated")
                tx.roles.grant(user_id, "no such role")

        with pytest.raises(NotFound):
            add_and_fail()

        assert names(store) == set()
        with store.read() as tx:
            assert tx.api_keys.find_any("key-1") == []
            assert tx.instance.find_fact("fact") is None
        assert outside("SELECT epoch, floor, seq FROM change_head") == head_before
        assert outside("SELECT * FROM change ORDER BY seq") == noted_before

    def test_committed_is_there_for_others(self, store: Store, outside: Outside) -> None:
        """What a write transaction did is there for every other program once it has ended."""
        with store.write() as tx:
            tx.users.add(new_user(), 1)

        assert outside("SELECT name FROM \"user\" WHERE name = 'ann@example.com'") == [("ann@example.com",)]

    def test_unseen_until_its_end(self, store: Store) -> None:
        """Nobody sees what a transaction did before it has ended."""
        with store.write() as tx:
            tx.users.add(new_user(), 1)
            assert names(store) == set()

        assert names(store) == {"ann@example.com"}

    def test_many_threads(self, store: Store) -> None:
        """Threads that write at once wait for each other: what one read stays true until it ends."""

        def count_up(_: int) -> None:
            with store.write() as tx:
                count = int(tx.instance.find_fact("count") or 0)
                tx.instance.set_fact("count", str(count + 1))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(count_up, range(40)))

        with store.read() as tx:
            assert tx.instance.find_fact("count") == "40"

    def test_a_conflict_of_two_threads(self, store: Store) -> None:
        """Of two that store the same name at once, one succeeds and the other is told."""
        barrier = threading.Barrier(2)

        def add(_: int) -> bool:
            barrier.wait()
            try:
                with store.write() as tx:
                    tx.users.add(new_user(), 1)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(add, range(2))) == [False, True]

    def test_the_lock_of_another_program(
        self, database: Database, outside: Outside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A writer that another program keeps waiting too long gives up with a clear error, and can try again."""
        monkeypatch.setattr(database_module, "_BUSY_TIMEOUT_MS", 50)
        impatient = open_database(_address(database))
        outside("BEGIN IMMEDIATE" if database.sqlite_path else "BEGIN")
        outside("UPDATE change_head SET seq = seq")

        with pytest.raises(StorageError, match="busy"):
            _add_user(SqlStore(impatient))
        outside("ROLLBACK")
        _add_user(SqlStore(impatient))

        impatient.close()
        assert names(SqlStore(database)) == {"ann@example.com"}


class TestReading:
    def test_a_snapshot(self, store: Store) -> None:
        """A reading transaction sees one state of the database, whatever is committed meanwhile."""
        with store.read() as tx:
            assert tx.users.find("ann@example.com") is None
            _add_user(store)
            assert tx.users.find("ann@example.com") is None

        assert names(store) == {"ann@example.com"}

    def test_it_cannot_write(self, store: Store) -> None:
        """A reading transaction that tries to write is refused by the database."""
        with pytest.raises(StorageError), store.read() as tx:
            tx.instance.set_fact("fact", "stated")

        with store.read() as tx:
            assert tx.instance.find_fact("fact") is None

    def test_readers_do_not_wait_for_a_writer(self, store: Store) -> None:
        """Reading goes on in other threads while a transaction writes."""
        with store.write() as tx, ThreadPoolExecutor(1) as threads:
            tx.users.add(new_user(), 1)
            assert threads.submit(names, store).result(timeout=30) == set()

    def test_more_readers_than_connections(self, store: Store) -> None:
        """Eight transactions open at once in one thread are no more than eight."""
        depth = 8

        def nest(left: int) -> int:
            with store.read() as tx:
                assert tx.roles.exists("All")
                return 1 + nest(left - 1) if left > 1 else 1

        assert nest(depth) == depth


class TestFailures:
    def test_a_broken_database(self, empty: Database) -> None:
        """A database that answers with an error is a StorageError that tells the operator, not the caller."""
        with pytest.raises(StorageError) as caught, SqlStore(empty).read() as tx:
            tx.activity.list_latest(1)

        assert "activity_log" not in caught.value.public
        assert "activity_log" in caught.value.detail

    def test_no_parameters_in_the_detail(self, database: Database) -> None:
        """The detail names the driver's complaint without the values, which may be secrets."""
        with pytest.raises(StorageError) as caught, database.read() as connection:
            connection.execute(text("SELECT * FROM nowhere WHERE x = :secret"), {"secret": "hunter2"})

        assert "nowhere" in caught.value.detail
        assert "hunter2" not in str(caught.value) + caught.value.detail

    def test_an_error_of_the_caller_passes(self, store: Store) -> None:
        """What the caller's own code raises inside a transaction reaches the caller as it was."""
        with pytest.raises(ZeroDivisionError), store.write():
            _ = 1 / 0


def _add_user(store: Store) -> None:
    with store.write() as tx:
        tx.users.add(new_user(), 1)


def _address(database: Database) -> str:
    return database.writing.url.render_as_string(hide_password=False)
