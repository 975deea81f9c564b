"""What goes wrong in a database is told as what it is, and the log goes on afterwards."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from latchgate.core.log_entries import LogEntry
from latchgate.errors import SettingsError, StorageError
from latchgate.request_log.request_log import HostRequestLog
from latchgate.services.port_values import LogQuery
from support.host_log import open_host_log
from support.log_rows import make_row


@contextmanager
def _lock_held(log: HostRequestLog) -> Iterator[None]:
    """Hold what an append needs, as an append of another process does."""
    with log.reader._database.writing.begin() as connection:
        connection.execute(text("UPDATE log_position SET last_id = last_id + 1"))
        yield
        connection.rollback()


def _write_all(log: HostRequestLog, rows: list[LogEntry]) -> None:
    for row in rows:
        log.append(row)


def test_a_locked_database_holds_up_nobody(sql_log: HostRequestLog) -> None:
    """While nothing can be moved into the database, rows are written, and read with those that were moved before."""
    rows = [make_row() for _ in range(3)]
    sql_log.append(rows[0])
    assert list(sql_log.search(LogQuery())) == rows[:1]

    with _lock_held(sql_log):
        sql_log.append(rows[1])
        assert list(sql_log.search(LogQuery())) == rows[1::-1]

    sql_log.append(rows[2])
    assert list(sql_log.search(LogQuery())) == rows[::-1]


def test_a_dead_connection_costs_no_row(postgres_url: str, tmp_path: Path) -> None:
    """A server that was restarted between two requests is reached anew, and the row is written once."""
    rows = [make_row(), make_row()]
    with closing(open_host_log(postgres_url, tmp_path / "log")) as log:
        log.append(rows[0])
        list(log.search(LogQuery()))
        with log.reader._database.writing.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

        log.append(rows[1])

        assert list(log.search(LogQuery())) == rows[::-1]


def test_several_processes_leave_no_gap(location: str | Path, tmp_path: Path) -> None:
    """A follower meets each row of several writers once, though it reads while they write."""
    rows = [[make_row() for _ in range(40)] for _ in range(3)]
    followed: list[LogEntry] = []

    with ExitStack() as stack:
        logs = [stack.enter_context(closing(open_host_log(location, tmp_path / "log"))) for _ in range(4)]
        threads = stack.enter_context(ThreadPoolExecutor(3))
        _, position = logs[3].follow(None)
        writers = [threads.submit(_write_all, log, batch) for log, batch in zip(logs[:3], rows, strict=True)]
        while not all(writer.done() for writer in writers):
            new, position = logs[3].follow(position)
            followed += new
        for writer in writers:
            writer.result()
        followed += logs[3].follow(position)[0]

    assert sorted(row.time for row in followed) == [row.time for batch in rows for row in batch]


def test_a_closed_log_opens_again(sql_log: HostRequestLog) -> None:
    """Closing twice is once, and a late row is not lost."""
    rows = [make_row(), make_row()]
    sql_log.append(rows[0])
    sql_log.close()
    sql_log.close()

    sql_log.append(rows[1])

    assert list(sql_log.search(LogQuery())) == rows[::-1]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else on the machine can read who asked for what, whatever the umask."""
    umask = os.umask(0)
    try:
        with closing(open_host_log(tmp_path / "new" / "log.db")) as log:
            log.append(make_row())
            list(log.search(LogQuery()))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    finally:
        os.umask(umask)

    assert modes == {"log.db": 0o600, "log.db-wal": 0o600, "log.db-shm": 0o600, "log": 0o700}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_url_names_a_file_too(tmp_path: Path) -> None:
    """The file of `sqlite:///<path>` is that of the path."""
    row = make_row()
    with closing(open_host_log(f"sqlite:///{tmp_path}/log.db")) as log:
        log.append(row)

    with closing(open_host_log(tmp_path / "log.db")) as log:
        assert list(log.search(LogQuery())) == [row]


@pytest.mark.parametrize(
    "location",
    ["not a url", "sqlite://", "sqlite:///:memory:", "mysql://localhost/log", "sqlite:///log.db?mode=ro"],
)
def test_a_location_of_no_use_is_a_setting_to_mend(location: str) -> None:
    """What is neither a file nor PostgreSQL is refused before anything is opened."""
    with pytest.raises(SettingsError, match="request log"):
        open_host_log(location, Path("log"))


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A folder that is none is named, with the reason."""
    (tmp_path / "folder").write_text("a file")

    with pytest.raises(SettingsError, match=r"folder/log\.db cannot be made: "):
        open_host_log(tmp_path / "folder" / "log.db")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """What is not a database is left as it is."""
    (tmp_path / "log.db").write_bytes(b"something else entirely" * 100)

    with pytest.raises(StorageError, match="cannot be read"):
        open_host_log(tmp_path / "log.db")

    assert (tmp_path / "log.db").read_bytes() == b"something else entirely" * 100


def test_an_unreachable_server_is_told(tmp_path: Path) -> None:
    """A PostgreSQL server that does not answer is a StorageError, and no password stands in it."""
    with pytest.raises(StorageError) as raised:
        open_host_log("postgresql://user:sesame@127.0.0.1:1/log", tmp_path / "log")

    assert "sesame" not in f"{raised.value} {raised.value.detail}"


def test_others_see_a_row_at_once(tmp_path: Path) -> None:
    """Another process reads a row as soon as `append` has returned."""
    with closing(open_host_log(tmp_path / "log.db")) as log, closing(open_host_log(tmp_path / "log.db")) as other:
        row = make_row(request_id="at once")
        log.append(row)

        assert list(other.search(LogQuery())) == [row]
