"""Backup, restore and check of an SQLite database."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.errors import SettingsError, StorageError
from latchgate.storage.backups import backup_sqlite, check_sqlite, restore_sqlite
from latchgate.storage.database import Database, open_database
from latchgate.storage.revisions import upgrade
from latchgate.storage.store import SqlStore
from support.new_rows import new_user


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """An SQLite database with one user."""
    database = open_database(f"sqlite:///{tmp_path / 'data' / 'latchgate.db'}", create=True)
    upgrade(database)
    add(database, "ann@example.com")
    yield database
    database.close()


def add(database: Database, name: str) -> None:
    """Store a user."""
    with SqlStore(database).write() as tx:
        tx.users.add(new_user(name), 1)


def names(database: Database) -> set[str]:
    """List the users, the built-in ones apart."""
    with SqlStore(database).read() as tx:
        return {user.name for user in tx.users.list_all()} - {"Administrator", "Guest"}


def epoch(database: Database) -> str:
    """Tell the epoch that the changes are numbered in."""
    with database.read() as connection:
        return str(connection.exec_driver_sql("SELECT epoch FROM change_head").scalar_one())


def files(folder: Path) -> set[str]:
    """List a folder, but for the companions of an open database."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm", "-generation"))}


def test_there_and_back(sqlite: Database, tmp_path: Path) -> None:
    """A restored database holds what was backed up and nothing later, for connections that were open too."""
    backup = tmp_path / "backup.db"
    backup_sqlite(sqlite, backup)
    add(sqlite, "bob@example.com")
    assert names(sqlite) == {"ann@example.com", "bob@example.com"}

    restore_sqlite(sqlite, backup)

    assert names(sqlite) == {"ann@example.com"}
    assert check_sqlite(sqlite) == []
    add(sqlite, "cem@example.com")
    assert names(sqlite) == {"ann@example.com", "cem@example.com"}
    assert files(tmp_path / "data") == {"latchgate.db"}


def test_restored_has_a_new_epoch(sqlite: Database, tmp_path: Path) -> None:
    """Whoever follows the changes cannot take a restored database for the one before."""
    backup = tmp_path / "backup.db"
    backup_sqlite(sqlite, backup)
    before = epoch(sqlite)

    restore_sqlite(sqlite, backup)
    first = epoch(sqlite)
    restore_sqlite(sqlite, backup)

    assert len({before, first, epoch(sqlite)}) == 3


def test_restored_keeps_writing_ahead(sqlite: Database, tmp_path: Path) -> None:
    """A restored database is in the mode that it was in."""
    backup_sqlite(sqlite, tmp_path / "backup.db")

    restore_sqlite(sqlite, tmp_path / "backup.db")

    sqlite.close()
    with sqlite.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_backup_is_one_private_file(sqlite: Database, tmp_path: Path) -> None:
    """A backup is one file of its owner's, complete without companions."""
    folder = tmp_path / "backups"
    folder.mkdir()

    backup_sqlite(sqlite, folder / "backup.db")

    assert [path.name for path in folder.iterdir()] == ["backup.db"]
    assert stat.S_IMODE((folder / "backup.db").stat().st_mode) == 0o600


def test_backup_while_somebody_writes(sqlite: Database, tmp_path: Path) -> None:
    """A backup holds what was committed, and nothing of a transaction under way."""
    with SqlStore(sqlite).write() as tx:
        tx.users.add(new_user("bob@example.com"), 1)
        backup_sqlite(sqlite, tmp_path / "backup.db")

    copy = open_database(f"sqlite:///{tmp_path / 'backup.db'}")
    assert names(copy) == {"ann@example.com"}
    copy.close()


def test_backup_overwrites_nothing(sqlite: Database, tmp_path: Path) -> None:
    """A file that exists is refused and stays as it was."""
    destination = tmp_path / "backup.db"
    destination.write_text("precious")

    with pytest.raises(SettingsError, match="cannot be made"):
        backup_sqlite(sqlite, destination)

    assert destination.read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"no database\n" * 1_000])
def test_restore_of_no_backup(sqlite: Database, tmp_path: Path, content: bytes) -> None:
    """What is no backup is refused, and the database stays as it was."""
    backup = tmp_path / "backup.db"
    backup.write_bytes(content)

    with pytest.raises(SettingsError, match="no backup"):
        restore_sqlite(sqlite, backup)
    with pytest.raises(SettingsError, match="no backup"):
        restore_sqlite(sqlite, tmp_path / "missing.db")

    assert names(sqlite) == {"ann@example.com"}
    assert files(tmp_path / "data") == {"latchgate.db"}


def test_restore_of_a_newer_release(sqlite: Database, tmp_path: Path) -> None:
    """A backup of a newer release is refused, and the database stays as it was."""
    backup = tmp_path / "backup.db"
    backup_sqlite(sqlite, backup)
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    add(sqlite, "bob@example.com")

    with pytest.raises(SettingsError, match="newer"):
        restore_sqlite(sqlite, backup)

    assert names(sqlite) == {"ann@example.com", "bob@example.com"}


def test_restore_of_a_damaged_backup(sqlite: Database, tmp_path: Path) -> None:
    """A backup with a reference to a row that is gone is refused, and the database stays as it was."""
    backup = tmp_path / "backup.db"
    backup_sqlite(sqlite, backup)
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("INSERT INTO user_role (user_id, role_id) VALUES (999, 1)")

    with pytest.raises(StorageError, match="damaged") as caught:
        restore_sqlite(sqlite, backup)

    assert "user_role" in caught.value.detail
    assert names(sqlite) == {"ann@example.com"}


def test_check_names_what_is_wrong(sqlite: Database) -> None:
    """A sound database has no problems; a reference to a row that is gone is one."""
    assert check_sqlite(sqlite) == []
    assert sqlite.sqlite_path is not None
    with closing(sqlite3.connect(sqlite.sqlite_path)) as connection, connection:
        connection.execute("INSERT INTO user_role (user_id, role_id) VALUES (999, 1)")

    [problem] = check_sqlite(sqlite)

    assert "user_role" in problem


def test_a_failed_backup_leaves_no_file(sqlite: Database, tmp_path: Path) -> None:
    """A copy that is not sound is removed."""
    assert sqlite.sqlite_path is not None
    with closing(sqlite3.connect(sqlite.sqlite_path)) as connection, connection:
        connection.execute("INSERT INTO user_role (user_id, role_id) VALUES (999, 1)")

    with pytest.raises(StorageError):
        backup_sqlite(sqlite, tmp_path / "backup.db")

    assert not (tmp_path / "backup.db").exists()


def test_postgresql_has_its_own_tools(tmp_path: Path) -> None:
    """On PostgreSQL each command names the tool that does it there."""
    database = open_database("postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(SettingsError, match="pg_dump"):
        backup_sqlite(database, tmp_path / "backup.db")
    with pytest.raises(SettingsError, match="pg_restore"):
        restore_sqlite(database, tmp_path / "backup.db")
    with pytest.raises(SettingsError, match="pg_amcheck"):
        check_sqlite(database)

    assert list(tmp_path.iterdir()) == []
    database.close()
