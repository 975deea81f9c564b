"""Readers see what is not yet in the database, however that comes, and each row once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from latchgate.core.log_entries import LogEntry
from latchgate.core.queries import DocumentQuery
from latchgate.errors import StorageError
from latchgate.request_log.database import LogDatabase, connect
from latchgate.request_log.ingester import LOCK_NAME, Ingester
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.records import encode
from latchgate.request_log.refusal_quota import RefusalRules
from latchgate.request_log.revisions import upgrade
from latchgate.request_log.segment_ends import read_pending
from latchgate.request_log.segment_writer import SegmentLog
from latchgate.services.clock import SystemClock
from latchgate.services.port_values import CountedBy, CountQuery, LastUse, LogQuery
from support.host_log import SMALL, open_segments
from support.log_rows import NOON, make_row


class _Log:
    """A log whose ingester can be made to stand still: with its lock in hand, as after SIGSTOP."""

    def __init__(self, database: LogDatabase, segments: SegmentLog, folder: Path) -> None:
        self.database = database
        self.segments = segments
        self.ingester = Ingester(folder, database, SystemClock())
        self.reader = SqlRequestLog(database, self.ingester, wait_seconds=0.02)
        self._folder = folder

    def append(self, *rows: LogEntry) -> None:
        for row in rows:
            self.segments.append(encode(row))

    def move(self) -> None:
        """Move all, whoever has the lock."""
        self.ingester._move_all()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._folder.mkdir(exist_ok=True)
        descriptor = os.open(self._folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@pytest.fixture
def log(location: str | Path, tmp_path: Path) -> Iterator[_Log]:
    """A log on each engine."""
    with ExitStack() as stack:
        database = stack.enter_context(closing(connect(location, 0.2)))
        upgrade(database)
        rules = replace(SMALL, refusals=RefusalRules(per_address=1, in_all=100))
        segments = stack.enter_context(closing(open_segments(tmp_path / "log", rules)))
        yield _Log(database, segments, tmp_path / "log")


def test_a_search_brings_in_what_is_pending(log: _Log) -> None:
    """What was written a moment ago is found, and is in the database from then on."""
    row = make_row()
    log.append(row)

    assert list(log.reader.search(LogQuery())) == [row]
    assert log.reader.state().pending == 0


def test_last_uses_leave_few_rows_where_they_are(log: _Log) -> None:
    """Whoever reads a key waits for no disk; many rows are brought in, since to read them again costs more."""
    first, second = make_row(api_key="lgk_a", time=NOON), make_row(api_key="lgk_a", time=NOON + 1)
    log.append(first)
    log.move()
    log.append(second)

    assert log.reader.last_uses(["lgk_a"])["lgk_a"].time == NOON + 1
    assert log.reader.state().pending == 1
    log.append(*(make_row(api_key="lgk_b", time=NOON + 2 + number) for number in range(100)))
    assert {name: use.time for name, use in log.reader.last_uses(["lgk_a", "lgk_b"]).items()} == {
        "lgk_a": NOON + 1,
        "lgk_b": NOON + 101,
    }
    assert log.reader.state().pending == 0


def test_a_search_merges_what_cannot_be_brought_in(log: _Log) -> None:
    """Behind an ingester that stands still the rows of both are given in order, by the query and its limit."""
    old = [make_row(time=NOON + 10 * number, user=f"u{number % 2}") for number in range(6)]
    new = [make_row(time=NOON + 10 * number + 5, user=f"u{number % 2}") for number in range(6)]
    log.append(*old)
    log.move()
    log.append(*new)
    both = sorted([*old, *new], key=lambda row: row.time, reverse=True)

    with log.stopped():
        found = list(log.reader.search(LogQuery(limit=0)))
        some = list(log.reader.search(LogQuery(limit=3)))
        by_user = list(log.reader.search(LogQuery(user="u1", limit=4)))
        state = log.reader.state()

    assert found == both
    assert some == both[:3]
    assert by_user == [row for row in both if row.user == "u1"][:4]
    assert state.pending == 6


@pytest.mark.parametrize("when", ["before the segments are read", "after"])
def test_a_row_that_is_moved_meanwhile_is_given_once(log: _Log, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a reader's look at the segments and at the database the ingester may wake up."""
    rows = [make_row(time=NOON + number) for number in range(8)]
    log.append(*rows[:3])
    log.move()
    log.append(*rows[3:])
    read = log.reader._read_pending

    def read_pending() -> object:
        if when == "after":
            pending = read()
            log.move()
            return pending
        log.move()
        return read()

    monkeypatch.setattr(log.reader, "_read_pending", read_pending)
    with log.stopped():
        found = list(log.reader.search(LogQuery(limit=0)))

    assert found == rows[::-1]


def test_a_segment_that_ends_meanwhile_is_looked_for_again(log: _Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is deleted under a reader's eyes is in the database by then."""
    rows = [make_row(time=NOON + number) for number in range(4)]
    log.append(*rows)
    log.segments.close()
    calls: list[int] = []

    def read(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            log.move()
            raise FileNotFoundError
        return read_pending(*arguments)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr("latchgate.request_log.log_entries.read_pending", read)
    with log.stopped():
        assert list(log.reader.search(LogQuery(limit=0))) == rows[::-1]
    assert len(calls) == 2


def test_tallies_that_are_pending_are_found_as_they_stand(log: _Log) -> None:
    """A row that counts refusals is given once, with the newer number, wherever it is read."""
    refused = make_row(user=None, api_key=None, reason="unknown_key", status=401, time=NOON)

    def refuse(times: int) -> None:
        for _ in range(times):
            log.segments.append_refused(replace(refused, request_id=make_row().request_id))

    refuse(3)
    log.move()
    refuse(4)
    with log.stopped():
        found = list(log.reader.search(LogQuery(limit=0)))

    assert sorted(row.requests for row in found) == [1, 6]


def test_a_follower_gets_each_row_once(log: _Log) -> None:
    """Rows that are shown from their segments are not shown again when the database has them; the position keeps it."""
    first, second, third, fourth = (make_row(time=NOON + number) for number in range(4))
    log.append(first)
    with log.stopped():
        nothing, position = log.reader.follow(None)
        log.append(second)
        shown, position = log.reader.follow(position)
        again, position = log.reader.follow(position)
    log.append(third)
    moved, position = log.reader.follow(position)
    log.append(fourth)
    last, position = log.reader.follow(position)

    assert (nothing, shown, again) == ([], [second], [])
    assert (moved, last) == ([third], [fourth])
    assert log.reader.follow(position) == ([], position)
    assert not position.shown


def test_the_last_use_may_be_pending(log: _Log) -> None:
    """A key that was used a moment ago was used a moment ago; a later use in the database stays the later one."""
    log.append(make_row(time=NOON + 5, api_key="lgk_new"), make_row(time=NOON + 9, api_key="lgk_old"))
    log.move()
    log.append(make_row(time=NOON + 7, api_key="lgk_new", ip_address="192.0.2.1"))
    log.append(make_row(time=NOON + 8, api_key="lgk_new", reason="over_limit", status=429))
    log.append(make_row(time=NOON + 3, api_key="lgk_old"))

    with log.stopped():
        uses = log.reader.last_uses(["lgk_new", "lgk_old"])

    assert uses == {"lgk_new": LastUse(NOON + 7, "192.0.2.1"), "lgk_old": LastUse(NOON + 9, "192.0.2.7")}


def test_what_only_the_database_can_answer_is_refused_while_it_lacks_rows(log: _Log) -> None:
    """Lists, counts and charts say that rows are missing, and how many; afterwards they have them."""
    log.append(make_row(), make_row())
    query = DocumentQuery(columns=(), all_of=(), any_of=(), order=(), start=0, limit=None)
    day = CountQuery(NOON // 1_000_000 - 86_400, NOON // 1_000_000 + 86_400)

    with log.stopped():
        for ask in (
            lambda: log.reader.documents.count("API Request Log", query, None),
            lambda: log.reader.documents.list_some("API Request Log", query, None),
            lambda: log.reader.counts(day, 3600),
            lambda: log.reader.top(replace(day, by=CountedBy.USER), 10),
        ):
            with pytest.raises(StorageError, match="lacks 2 rows"):
                ask()

    assert log.reader.documents.count("API Request Log", query, None) == 2
    assert [count.requests for count in log.reader.counts(day, 3600)] == [2]


def test_a_database_that_takes_nothing_loses_nothing(log: _Log) -> None:
    """While another holds it locked, rows are read where they are, and moved once it is free."""
    row = make_row()
    log.append(row)

    with log.database.writing.begin() as connection:
        connection.execute(text("UPDATE log_position SET last_id = last_id"))
        found = list(log.reader.search(LogQuery()))
        connection.rollback()

    assert found == [row]
    assert log.reader.catch_up() == 0


def test_a_log_that_is_far_behind_says_so(log: _Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than memory should take are not read from segments: that is told, not hidden."""
    monkeypatch.setattr("latchgate.request_log.segment_ends.PENDING_ROWS_MAX", 2)
    log.append(*(make_row() for _ in range(3)))

    with log.stopped(), pytest.raises(StorageError, match="behind by more than 2 rows"):
        list(log.reader.search(LogQuery()))
