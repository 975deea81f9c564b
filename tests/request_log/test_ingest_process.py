"""The process that moves rows: what it does in turn, what it does when it cannot, and how it ends."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from latchgate.request_log import ingest_process
from latchgate.request_log.database import LogDatabase, connect
from latchgate.request_log.ingest_process import BACKOFF_SECONDS, PAUSE_SECONDS, IngestLoop, run_ingester
from latchgate.request_log.ingester import Ingester
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.records import encode
from latchgate.request_log.revisions import upgrade
from latchgate.services.clock import SystemClock
from latchgate.services.port_values import LogQuery
from support.cleanings import make_cleaning
from support.host_log import open_segments
from support.ingest_runner import RunnerSettings
from support.log_processes import start_ingester, wait_for
from support.log_rows import make_row


class _Told:
    """A logger that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def info(self, event: str, **details: object) -> None:
        self.events.append(event)

    warning = error = info


@pytest.fixture
def database(tmp_path: Path) -> Iterator[LogDatabase]:
    """An empty database whose locks are waited for only shortly."""
    with closing(connect(tmp_path / "log.db", 0.05)) as opened:
        upgrade(opened)
        yield opened


@pytest.fixture
def told() -> _Told:
    """Whom the process tells."""
    return _Told()


@pytest.fixture
def loop(tmp_path: Path, database: LogDatabase, told: _Told) -> IngestLoop:
    """The loop of the process, one step at a time."""
    clock = SystemClock()
    ingester = Ingester(tmp_path / "log", database, clock, told.warning)
    return IngestLoop(ingester, make_cleaning(database, clock, told, days=90), told)


def _write(folder: Path, count: int = 1) -> None:
    with closing(open_segments(folder)) as segments:
        for _ in range(count):
            segments.append(encode(make_row(time=SystemClock().now_us())))


def _count(database: LogDatabase) -> int:
    return len(list(SqlRequestLog(database).search(LogQuery(limit=0))))


def test_it_looks_often_while_rows_come_and_seldom_when_none_do(
    loop: IngestLoop, tmp_path: Path, database: LogDatabase
) -> None:
    """The pause grows while there is nothing, to a fifth of a second, and is short again with the next row."""
    _write(tmp_path / "log")
    busy = loop.step()
    idle = [loop.step() for _ in range(12)]
    _write(tmp_path / "log")
    again = loop.step()

    assert busy == again == PAUSE_SECONDS[0]
    assert idle == sorted(idle)
    assert idle[-1] == PAUSE_SECONDS[1]
    assert _count(database) == 2


def test_a_database_that_cannot_be_written_is_told_once_and_tried_again(
    loop: IngestLoop, tmp_path: Path, database: LogDatabase, told: _Told
) -> None:
    """While it is locked the process waits ever longer and says so once; then all rows are moved, and it says that."""
    _write(tmp_path / "log", 3)
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waits = [loop.step() for _ in range(8)]
        other.execute("ROLLBACK")
    after = loop.step()

    assert waits[0] == BACKOFF_SECONDS[0]
    assert waits == sorted(waits)
    assert waits[-1] == BACKOFF_SECONDS[1]
    assert after == PAUSE_SECONDS[0]
    assert told.events == ["log_database_not_writable", "log_database_writable_again"]
    assert _count(database) == 3


def test_a_full_disk_loses_nothing(loop: IngestLoop, tmp_path: Path, database: LogDatabase, told: _Told) -> None:
    """Where the file may not grow, rows stay in their segments and are found there; with room they are moved."""
    with database.writing.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    _write(tmp_path / "log", 400)
    loop.step()
    loop.step()
    reader = SqlRequestLog(database, Ingester(tmp_path / "log", database, SystemClock()), wait_seconds=0.01)
    found = len(list(reader.search(LogQuery(limit=0))))
    with database.writing.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
    loop.step()

    assert told.events == ["log_database_not_writable", "log_database_writable_again"]
    assert found == 400
    assert _count(database) == 400


def test_old_rows_are_deleted_in_passing(loop: IngestLoop, tmp_path: Path, database: LogDatabase) -> None:
    """Rows beyond their days are gone after the first steps; then the process looks again only after a while."""
    with closing(open_segments(tmp_path / "log")) as segments:
        segments.append(encode(make_row(time=SystemClock().now_us() - 91 * 86_400_000_000)))
        segments.append(encode(make_row(time=SystemClock().now_us() - 89 * 86_400_000_000)))

    for _ in range(5):
        loop.step()

    assert _count(database) == 1


def test_the_write_ahead_file_does_not_grow_without_bound(
    loop: IngestLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its bound it is folded back and cut."""
    monkeypatch.setattr(ingest_process, "WAL_BYTES", 0)
    _write(tmp_path / "log", 50)

    loop.step()

    assert (tmp_path / "log.db-wal").stat().st_size == 0


def test_a_reader_at_the_write_ahead_file_is_not_waited_for(
    loop: IngestLoop, tmp_path: Path, database: LogDatabase, monkeypatch: pytest.MonkeyPatch, told: _Told
) -> None:
    """Folding is put off while somebody reads, and is no failure."""
    monkeypatch.setattr(ingest_process, "WAL_BYTES", 0)
    _write(tmp_path / "log")
    with database.reading.connect() as reading:
        reading.execute(text("SELECT count(*) FROM request_log")).all()
        loop.step()

    assert told.events == []
    assert _count(database) == 1


def test_asked_to_end_it_makes_a_last_pass(tmp_path: Path, database: LogDatabase, told: _Told) -> None:
    """What was written before the order to end is in the database; of what goes as it should nothing is told."""
    settings = RunnerSettings(tmp_path / "log", SecretStr(f"sqlite:///{tmp_path}/log.db"))
    _write(tmp_path / "log", 5)
    stop = Event()
    stop.set()

    run_ingester(settings, stop, told)

    assert told.events == []
    assert _count(database) == 5


def test_what_it_cannot_move_at_its_end_is_told(tmp_path: Path, database: LogDatabase, told: _Told) -> None:
    """Rows stay in their segments for the next start."""
    _write(tmp_path / "log", 5)
    clock = SystemClock()
    loop = IngestLoop(Ingester(tmp_path / "log", database, clock), make_cleaning(database, clock, told), told)
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        loop.run(lambda: True, 1024**3)

    assert told.events == ["ingester_left_rows"]


@pytest.mark.parametrize(("urgent_bytes", "nice"), [(1024**3, 19), (0, None)], ids=["gentle", "urgent"])
def test_it_is_gentle_until_rows_wait_too_long(
    loop: IngestLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, urgent_bytes: int, nice: int | None
) -> None:
    """At the lowest priority, until segments take more than they should; then at that of those who fill them."""
    _write(tmp_path / "log")
    priorities: list[int] = []
    stopped = Event()

    def step() -> float:
        priorities.append(os.getpriority(os.PRIO_PROCESS, 0))
        stopped.set()
        return 0.0

    monkeypatch.setattr(loop, "step", step)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    thread = Thread(target=loop.run, args=(stopped.is_set, urgent_bytes))
    thread.start()
    thread.join(60)

    assert priorities == [own if nice is None else nice]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_the_process_follows_a_living_writer_and_ends_when_asked(tmp_path: Path, database: LogDatabase) -> None:
    """Run as a process: rows come in while they are written, and SIGTERM ends it with status 0."""
    with (
        start_ingester(tmp_path / "log", tmp_path / "log.db") as process,
        closing(open_segments(tmp_path / "log")) as log,
    ):
        for count in range(1, 4):
            log.append(encode(make_row(time=SystemClock().now_us())))
            wait_for(lambda count=count: _count(database) == count)  # type: ignore[misc]  # a lambda with its own count
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=60)[0]

    assert process.returncode == 0
    assert told == ""
