"""Long logs are read in short steps along an index."""

import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from latchgate.request_log.log_entries import PAGE_ROWS_MAX
from latchgate.request_log.request_log import HostRequestLog
from latchgate.services.port_values import LogQuery
from support.log_rows import NOON, make_row

_ROWS = PAGE_ROWS_MAX + 50


def test_a_search_and_a_follower_meet_every_row_once(sql_log: HostRequestLog) -> None:
    """More rows than one read gives come in the same order, without a gap and without a repetition."""
    _, start = sql_log.follow(None)
    rows = [make_row(time=NOON + number // 3) for number in range(_ROWS)]
    for row in rows:
        sql_log.append(row)

    first, position = sql_log.follow(start)
    second, _ = sql_log.follow(position)

    assert first + second == rows
    assert len(first) == PAGE_ROWS_MAX
    assert list(sql_log.search(LogQuery(limit=0))) == rows[::-1]
    assert list(sql_log.search(LogQuery(limit=PAGE_ROWS_MAX + 1))) == rows[: -PAGE_ROWS_MAX - 2 : -1]


def test_a_search_does_not_hold_the_database(sqlite_log: HostRequestLog, tmp_path: Path) -> None:
    """A search that stops half-way pins no snapshot, so that the write-ahead log does not grow for ever."""
    for _ in range(_ROWS):
        sqlite_log.append(make_row())

    rows = sqlite_log.search(LogQuery(limit=0))
    assert len(list(islice(rows, PAGE_ROWS_MAX + 1))) == PAGE_ROWS_MAX + 1
    sqlite_log.append(make_row())

    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert len(list(rows)) == _ROWS - PAGE_ROWS_MAX - 1


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (LogQuery(), "request_log_by_time"),
        (LogQuery(since=NOON, until=NOON + 10, status=401), "request_log_by_time"),
        (LogQuery(path="/api"), "request_log_by_time"),
        (LogQuery(user="ann@example.com", since=NOON), "request_log_by_user"),
        (LogQuery(api_key="lgk_ann", until=NOON + 10), "request_log_by_api_key"),
    ],
    ids=["all", "times", "path", "user", "key"],
)
def test_a_search_walks_along_an_index(sqlite_log: HostRequestLog, query: LogQuery, index: str) -> None:
    """Every search takes its rows from an index, in order, without sorting."""
    statements: list[tuple[str, Any]] = []

    @event.listens_for(sqlite_log.reader._database.reading, "before_cursor_execute")
    def collect(_connection: object, _cursor: object, statement: str, parameters: object, *_more: object) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters))

    list(sqlite_log.search(query))
    ((statement, parameters),) = statements
    with sqlite_log.reader._database.reading.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()

    assert [f"USING INDEX {index}" in step.detail for step in plan] == [True]
