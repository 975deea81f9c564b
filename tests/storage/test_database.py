"""Opening a database: addresses, files, and what is said when it cannot be opened."""

import os
import socket
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from latchgate.errors import SettingsError, StorageError
from latchgate.storage.database import open_database
from latchgate.storage.revisions import current_revision, head_revision, upgrade
from latchgate.storage.store import SqlStore
from support.new_rows import new_user
from support.postgres import PostgresServer


def mode(path: Path) -> int:
    """Tell the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_is_its_owners(tmp_path: Path) -> None:
    """A new SQLite file, its companions and its folder are closed to everybody else."""
    path = tmp_path / "new" / "latchgate.db"
    old_mask = os.umask(0)
    try:
        database = open_database(f"sqlite:///{path}", create=True)
        upgrade(database)
        modes = {entry.name: mode(entry) for entry in path.parent.iterdir()}
        database.close()
    finally:
        os.umask(old_mask)

    companions = ("", "-wal", "-shm", "-generation")
    assert modes == {f"latchgate.db{companion}": 0o600 for companion in companions}
    assert mode(path.parent) == 0o700


def test_an_existing_file_stays(tmp_path: Path) -> None:
    """Opening with `create` keeps what is there."""
    url = f"sqlite:///{tmp_path / 'latchgate.db'}"
    first = open_database(url, create=True)
    upgrade(first)
    with SqlStore(first).write() as tx:
        tx.users.add(new_user(), 1)
    first.close()

    second = open_database(url, create=True)
    with SqlStore(second).read() as tx:
        assert tx.users.find("ann@example.com") is not None
    second.close()


def test_many_start_at_once(tmp_path: Path) -> None:
    """Of many that make and upgrade one new database at the same moment all succeed, and each step is done once."""

    def start(folder: Path) -> list[str]:
        database = open_database(f"sqlite:///{folder / 'latchgate.db'}", create=True)
        taken = upgrade(database)
        database.close()
        return taken

    with ThreadPoolExecutor(6) as threads:
        for attempt in range(10):
            taken = list(threads.map(start, [tmp_path / str(attempt)] * 6))
            assert sorted(chain.from_iterable(taken)) == [
                f"{number:04}" for number in range(1, int(head_revision() or 0) + 1)
            ]


def test_a_new_file_that_another_process_writes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turning a new file over to the write-ahead log waits for whoever is writing to it, as all else does."""
    path = tmp_path / "latchgate.db"
    database = open_database(f"sqlite:///{path}", create=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        # SQLite refuses at once; the first pause before another attempt ends the other's transaction.
        monkeypatch.setattr("time.sleep", lambda _seconds: other.execute("ROLLBACK"))

        assert current_revision(database) is None

        assert not other.in_transaction
    database.close()


def test_a_new_file_that_another_process_never_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for a new file ends with a clear error."""
    monkeypatch.setattr("latchgate.storage.database._BUSY_TIMEOUT_MS", 30)
    path = tmp_path / "latchgate.db"
    database = open_database(f"sqlite:///{path}", create=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StorageError, match="busy"):
            current_revision(database)
    database.close()


def test_missing_file(tmp_path: Path) -> None:
    """Without `create` a missing file is one clear line, and none is made."""
    with pytest.raises(SettingsError, match=r"no database at .*latchgate\.db"):
        open_database(f"sqlite:///{tmp_path / 'latchgate.db'}")

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A folder that cannot be made is one clear line."""
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="cannot be made"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'latchgate.db'}", create=True)


@pytest.mark.parametrize("what", ["a folder", "text"])
def test_no_database(tmp_path: Path, what: str) -> None:
    """What is no SQLite database is a StorageError at its first use, and stays as it was."""
    path = tmp_path / "latchgate.db"
    if what == "a folder":
        path.mkdir()
    else:
        path.write_text("no database\n" * 1_000)
    database = open_database(f"sqlite:///{path}", create=True)

    with pytest.raises(StorageError):
        current_revision(database)

    database.close()
    assert path.is_dir() or path.read_text() == "no database\n" * 1_000


@pytest.mark.parametrize(
    "url",
    [
        "",
        "latchgate.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////tmp/x.db?mode=ro",
        "mysql://u:hunter2@localhost/x",
        "postgresql://u:hunter2@localhost:port/x",
    ],
)
def test_unusable_address(url: str) -> None:
    """An address of no database that can be used is one clear line that repeats no password."""
    with pytest.raises(SettingsError) as caught:
        open_database(url, create=True)

    assert "hunter2" not in str(caught.value)
    assert "sqlite:///" in str(caught.value)


def test_postgresql_out_of_reach(tmp_path: Path) -> None:
    """A PostgreSQL that does not answer is a StorageError that repeats no password to the caller."""
    database = open_database(f"postgresql://u:hunter2@/x?host={tmp_path}")

    with pytest.raises(StorageError) as caught:
        current_revision(database)

    database.close()
    assert "hunter2" not in caught.value.public + caught.value.detail


def test_settings_of_every_connection(tmp_path: Path) -> None:
    """SQLite writes ahead, reaches the disk before it answers, and checks references, for readers and writers."""
    database = open_database(f"sqlite:///{tmp_path / 'latchgate.db'}", create=True)
    upgrade(database)

    for opened in (database.read, database.write):
        with opened() as connection:
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema")
            }
        assert settings == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": 5_000,
            "trusted_schema": 0,
        }

    database.close()


def test_a_statement_without_end_is_broken_off(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends what takes too long, and the thread that waited for it goes on."""
    monkeypatch.setattr("latchgate.storage.database._STATEMENT_TIMEOUT_MS", 50)

    with (
        closing(open_database(postgres_server.url("postgres"))) as database,
        pytest.raises(StorageError),
        database.read() as connection,
    ):
        connection.execute(text("SELECT pg_sleep(3600)"))


def test_a_host_that_falls_silent_is_given_up(postgres_server: PostgresServer) -> None:
    """The system is told how long to wait for what was sent, and to ask whether the other side is still there."""
    with closing(open_database(postgres_server.url("postgres"))) as database, database.read() as connection:
        driver: Any = connection.connection.driver_connection
        wanted = driver.info.get_parameters()

    assert int(wanted["tcp_user_timeout"]) == 5_000
    assert int(wanted["keepalives_idle"]) + int(wanted["keepalives_interval"]) * int(wanted["keepalives_count"]) < 15


def test_a_host_that_accepts_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not there in time is an error, not a wait without end."""
    monkeypatch.setattr("latchgate.storage.database._CONNECT_TIMEOUT_SECONDS", 2)

    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        with closing(open_database(url)) as database, pytest.raises(StorageError), database.read():
            raise AssertionError("it cannot be read")
