"""Rows of segments come into the database: each once, in order, whatever is damaged or in the way."""

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from latchgate.core.log_entries import LogEntry
from latchgate.errors import StorageError
from latchgate.request_log.batches import Batch, Progress, write_batches
from latchgate.request_log.database import LogDatabase, connect
from latchgate.request_log.ingester import LOCK_NAME, Ingester
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.records import encode
from latchgate.request_log.refusal_quota import RefusalRules
from latchgate.request_log.revisions import upgrade
from latchgate.request_log.rows import row_of
from latchgate.request_log.schema import log_loss, log_segment, request_log
from latchgate.request_log.segment_layout import HEADER_BYTES, VERSION
from latchgate.request_log.segment_reader import list_segments
from latchgate.request_log.segment_writer import LogRules
from latchgate.services.clock import SystemClock
from latchgate.services.port_values import LogQuery
from support.host_log import SMALL, open_segments
from support.log_rows import NOON, make_row


@pytest.fixture
def database(location: str | Path) -> Iterator[LogDatabase]:
    """An empty database on each engine."""
    with closing(connect(location, 0.2)) as opened:
        upgrade(opened)
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where segments are."""
    return tmp_path / "log"


class _Told(list[tuple[str, dict[str, Any]]]):
    """What an ingester reported."""

    def __call__(self, event: str, **details: object) -> None:
        self.append((event, details))


def _ingester(folder: Path, database: LogDatabase, told: _Told | None = None, batch_rows: int = 50_000) -> Ingester:
    return Ingester(folder, database, SystemClock(), told if told is not None else _Told(), batch_rows)


def _write(folder: Path, rows: list[LogEntry], rules: LogRules = SMALL) -> None:
    """Write rows as a process does that then dies: its segments have no writer any more."""
    with closing(open_segments(folder, rules)) as segments:
        for row in rows:
            segments.append(encode(row))


def _rows(database: LogDatabase) -> list[str]:
    with database.reading.connect() as connection:
        return list(connection.execute(select(request_log.c.request_id).order_by(request_log.c.id)).scalars())


def _ids(rows: list[LogEntry]) -> list[str]:
    return [row.request_id for row in rows]


@contextmanager
def _lock_held(folder: Path) -> Iterator[None]:
    """Stand still with the lock in hand, as an ingester does that was stopped."""
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _damage(path: Path, offset: int, length: int = 8) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * length)


def test_rows_come_once_and_in_order(folder: Path, database: LogDatabase) -> None:
    """However often one looks, and in batches of whatever size, each row is there once, as it was written."""
    rows = [make_row(user=None if number % 3 else "bob@example.com", user_id=None) for number in range(250)]
    _write(folder, rows)

    moved = _ingester(folder, database, batch_rows=7).ingest_once()
    again = _ingester(folder, database).ingest_once()

    assert (moved, again) == (250, 0)
    assert _rows(database) == _ids(rows)
    assert list(SqlRequestLog(database).search(LogQuery(limit=0))) == rows[::-1]


def test_ids_have_no_gaps(folder: Path, database: LogDatabase) -> None:
    """Numbers are taken in blocks, and all of them."""
    for count in (3, 1, 5):
        _write(folder, [make_row() for _ in range(count)])
        _ingester(folder, database, batch_rows=2).ingest_once()

    with database.reading.connect() as connection:
        ids = list(connection.execute(text("SELECT id FROM request_log ORDER BY id")).scalars())
        last = connection.execute(text("SELECT last_id FROM log_position")).scalar_one()
    assert ids == list(range(1, 10))
    assert last == 9


def test_a_dead_segment_is_deleted_after_its_rows_are_there(folder: Path, database: LogDatabase) -> None:
    """What nobody will write to any more is read to its end and goes; its row stays, so that it cannot come again."""
    _write(folder, [make_row()])
    (segment,) = list_segments(folder)
    kept = segment.path.read_bytes()

    _ingester(folder, database).ingest_once()
    assert list_segments(folder) == []
    # As a power cut may bring it back.
    segment.path.write_bytes(kept)
    again = _ingester(folder, database).ingest_once()

    assert again == 0
    assert list_segments(folder) == []
    assert len(_rows(database)) == 1


def test_a_living_segment_is_followed(folder: Path, database: LogDatabase) -> None:
    """Rows are read as they come, and the file stays as long as its writer lives."""
    ingester = _ingester(folder, database)
    rows = [make_row() for _ in range(4)]
    with closing(open_segments(folder)) as segments:
        counts = []
        for row in rows:
            segments.append(encode(row))
            counts.append(ingester.ingest_once())
        there = len(list_segments(folder))
    ingester.ingest_once()

    assert counts == [1, 1, 1, 1]
    assert there >= 1
    assert _rows(database) == _ids(rows)
    assert list_segments(folder) == []


def test_only_one_ingests_at_a_time(folder: Path, database: LogDatabase) -> None:
    """Whoever finds another at it moves nothing."""
    _write(folder, [make_row()])

    with _lock_held(folder):
        meanwhile = _ingester(folder, database).ingest_once()

    assert meanwhile == 0
    assert _ingester(folder, database).ingest_once() == 1


def test_two_that_do_not_see_the_lock_move_each_row_once(
    folder: Path, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where locks of files mean nothing, the offset in the database does: the second finds it moved."""
    rows = [make_row() for _ in range(400)]
    _write(folder, rows)
    monkeypatch.setattr("latchgate.request_log.ingester.fcntl.flock", lambda *_: None)

    def ingest(_number: int) -> None:
        ingester = _ingester(folder, database, batch_rows=3)
        while len(_rows(database)) < len(rows):
            try:
                ingester.ingest_once()
            except StorageError as error:
                # The other one has the database; this one asks again.
                assert "lock" in error.detail  # noqa: PT017  # what else is raised is raised on

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(ingest, range(3)))

    assert _rows(database) == _ids(rows)


def test_a_batch_that_was_moved_meanwhile_is_not_written(database: LogDatabase) -> None:
    """Without its offset a batch changes nothing: neither rows nor numbers nor counts."""
    before = Progress("a" * 32)
    row = row_of(make_row())
    assert write_batches(database, [Batch("here", before, 100, 2, [(1, row)])], NOON)

    written = write_batches(database, [Batch("here", before, 100, 2, [(1, row)])], NOON)

    assert not written
    assert len(_rows(database)) == 1
    with database.reading.connect() as connection:
        assert connection.execute(text("SELECT sum(requests) FROM log_count WHERE kind = 0")).scalar() == 3


def test_a_row_cannot_stand_there_twice(database: LogDatabase) -> None:
    """Even if an offset were wrong, the number of a row in its segment is its own: the batch fails as a whole."""
    write_batches(database, [Batch("here", Progress("a" * 32), 100, 2, [(1, row_of(make_row()))])], NOON)
    with database.reading.connect() as connection:
        segment_id = connection.execute(select(log_segment.c.id)).scalar_one()
    wrong = Batch("here", Progress("a" * 32, segment_id, 100, 2), 200, 3, [(1, row_of(make_row()))])

    with pytest.raises(StorageError, match="cannot be written"):
        write_batches(database, [wrong], NOON)

    assert len(_rows(database)) == 1


def test_a_damaged_record_is_counted_and_all_others_are_in(folder: Path, database: LogDatabase) -> None:
    """What the disk spoilt is passed over, reported with its segment, and takes nothing else with it."""
    told = _Told()
    rows = [make_row() for _ in range(10)]
    _write(folder, rows)
    (segment,) = list_segments(folder)
    _damage(segment.path, segment.scan().rows[4].offset + 20)

    _ingester(folder, database, told).ingest_once()

    assert _rows(database) == _ids(rows[:4] + rows[5:])
    ((event, details),) = told
    assert (event, details["segment"], details["records"]) == ("log_rows_lost", segment.id, 1)
    with database.reading.connect() as connection:
        (loss,) = connection.execute(select(log_loss)).all()
    assert (loss.records, loss.damaged_bytes) == (1, details["damaged_bytes"])
    assert loss.damaged_bytes > 0


def test_a_truncated_segment_gives_what_is_left(folder: Path, database: LogDatabase) -> None:
    """Rows behind the cut are counted as lost, since the segment says how many there were."""
    told = _Told()
    rows = [make_row() for _ in range(10)]
    _write(folder, rows)
    (segment,) = list_segments(folder)
    os.truncate(segment.path, segment.scan().rows[7].offset + 3)

    _ingester(folder, database, told).ingest_once()

    assert _rows(database) == _ids(rows[:7])
    assert [details["records"] for _, details in told] == [3]
    assert list_segments(folder) == []


@pytest.mark.parametrize("where", ["header", "version"])
def test_a_segment_that_cannot_be_read_is_set_aside(folder: Path, database: LogDatabase, where: str) -> None:
    """It is left as it is, told once, by later processes too, and holds up no other; nothing is said to be missing."""
    told = _Told()
    _write(folder, [make_row()])
    (segment,) = list_segments(folder)
    size = segment.path.stat().st_size
    if where == "header":
        _damage(segment.path, 0, HEADER_BYTES)
        _damage(segment.path, size - HEADER_BYTES, HEADER_BYTES)
    else:
        _make_later_version(segment.path, size)
    bytes_before = segment.path.read_bytes()
    after = make_row()
    _write(folder, [after])

    ingester = _ingester(folder, database, told)
    moved = [ingester.ingest_once(), ingester.ingest_once(), _ingester(folder, database, told).ingest_once()]

    assert moved == [1, 0, 0]
    assert _rows(database) == [after.request_id]
    assert segment.path.read_bytes() == bytes_before
    assert [event for event, _ in told] == ["log_segment_unreadable"]
    state = SqlRequestLog(database, ingester).state()
    assert list(state.unreadable) == [segment.id]
    assert (state.pending, state.segments) == (0, 1)


def _make_later_version(path: Path, size: int) -> None:
    import zlib  # noqa: PLC0415  # here alone
    from struct import pack  # noqa: PLC0415  # as above

    raw = path.read_bytes()[:HEADER_BYTES]
    later = raw[:8] + pack("<II", VERSION + 1, zlib.crc32(raw[16:], VERSION + 1)) + raw[16:]
    with path.open("r+b") as file:
        file.write(later)
        file.seek(size - HEADER_BYTES)
        file.write(later)


def test_a_segment_is_read_once_it_can_be(folder: Path, database: LogDatabase) -> None:
    """What an older release set aside, a later one reads at its start."""
    row = make_row()
    _write(folder, [row])
    (segment,) = list_segments(folder)
    raw = segment.path.read_bytes()
    _make_later_version(segment.path, len(raw))
    _ingester(folder, database).ingest_once()
    segment.path.write_bytes(raw)

    _ingester(folder, database).ingest_once()

    assert _rows(database) == [row.request_id]
    assert SqlRequestLog(database, _ingester(folder, database)).state().unreadable == {}


def test_tallies_of_refusals_become_rows_that_grow(folder: Path, database: LogDatabase) -> None:
    """Refusals beyond the quota stand in one row of their address and minute, which says how many they are."""
    refused = make_row(user=None, api_key=None, reason="unknown_key", status=401, time=NOON)
    log, ingester = SqlRequestLog(database), _ingester(folder, database)
    with closing(open_segments(folder, replace(SMALL, refusals=RefusalRules(per_address=2, in_all=100)))) as segments:
        counted = []
        for _ in range(3):
            for _ in range(4):
                segments.append_refused(replace(refused, request_id=make_row().request_id))
            ingester.ingest_once()
            counted.append(sum(row.requests for row in log.search(LogQuery(limit=0))))
        # Another process, which does not know what was counted before.
        _ingester(folder, database).ingest_once()

    rows = list(log.search(LogQuery(limit=0)))
    assert counted == [4, 8, 12]
    assert sorted(row.requests for row in rows) == [1, 1, 10]
    with database.reading.connect() as connection:
        total = "SELECT sum(requests) FROM log_count WHERE kind = 0 AND span = 60"
        assert connection.execute(text(total)).scalar() == 12


def test_catching_up_moves_what_is_pending(folder: Path, database: LogDatabase) -> None:
    """With nobody else at it, a reader brings rows in itself."""
    with closing(open_segments(folder)) as segments:
        segments.append(encode(make_row()))
        missing = _ingester(folder, database).catch_up(0)

    assert missing == 0
    assert len(_rows(database)) == 1


def test_catching_up_waits_for_whoever_is_at_it(folder: Path, database: LogDatabase) -> None:
    """Once the other has passed what was there at the call, it is enough."""
    _write(folder, [make_row() for _ in range(3)])
    with ThreadPoolExecutor(1) as threads, _lock_held(folder):
        waiting = threads.submit(_ingester(folder, database).catch_up, 60.0)
        # The holder of the lock goes on, by a way that does not ask for it.
        _ingester(folder, database)._move_all()
        missing = waiting.result(60.0)

    assert missing == 0


def test_what_is_missing_after_the_wait_is_counted(folder: Path, database: LogDatabase) -> None:
    """Behind an ingester that stands still a reader learns how many rows it lacks."""
    _write(folder, [make_row() for _ in range(3)])

    with _lock_held(folder):
        missing = _ingester(folder, database).catch_up(0.05)

    assert missing == 3
