"""What is too old goes, a little at a time; what is not stays."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from latchgate.core.log_entries import former_use_name
from latchgate.request_log.batches import Batch, Progress, write_batches
from latchgate.request_log.database import LogDatabase, connect
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.retention import ROWS_AT_ONCE, Retention
from latchgate.request_log.revisions import upgrade
from latchgate.request_log.roll_ups import DAY, HOUR, MINUTE
from latchgate.request_log.rows import row_of
from latchgate.request_log.schema import last_use, log_count, log_loss, log_segment, request_log
from latchgate.services.port_values import LogQuery
from support.log_rows import NOON, make_row

_DAY_US = 86_400_000_000


@pytest.fixture
def database(location: str | Path) -> Iterator[LogDatabase]:
    """An empty database on each engine."""
    with closing(connect(location, 5.0)) as opened:
        upgrade(opened)
        yield opened


def _run(retention: Retention, now_us: int) -> list[int]:
    steps = []
    while deleted := retention.delete_some(now_us):
        steps.append(deleted)
    return steps


def test_rows_go_when_their_days_are_over(database: LogDatabase) -> None:
    """To the microsecond, whatever the order in which they came; the last uses stay."""
    rows = [make_row(time=NOON - days * _DAY_US + offset) for days, offset in ((3, 0), (9, 0), (5, 0), (5, -1), (4, 0))]
    write_batches(
        database,
        [Batch("here", Progress("a" * 32), 1, 6, [(seq, row_of(row)) for seq, row in enumerate(rows, 1)])],
        NOON,
    )

    _run(Retention(database, 5), NOON)

    kept = list(SqlRequestLog(database).search(LogQuery(limit=0)))
    assert kept == [rows[0], rows[4], rows[2]]
    assert SqlRequestLog(database).last_uses(["lgk_ann"])["lgk_ann"].time == rows[0].time


def test_the_last_use_of_a_former_secret_goes_once_that_has_ended(database: LogDatabase) -> None:
    """A month after it could open anything; however long ago the use was, and however far off its end is."""
    ended, works, for_ever = NOON // 1_000_000 + 60, NOON // 1_000_000 + 50 * DAY, 253_402_300_799
    rows = [make_row(time=NOON, api_key="lgk_ann", former_until=until) for until in (ended, works, for_ever)]
    rows.append(make_row(time=NOON, api_key="former"))
    batch = Batch("here", Progress("a" * 32), 1, 5, [(seq, row_of(row)) for seq, row in enumerate(rows, 1)])
    write_batches(database, [batch], NOON)
    names = ["lgk_ann", "former", *(former_use_name("User", "lgk_ann", until) for until in (ended, works, for_ever))]

    assert SqlRequestLog(database).last_uses(names).keys() == set(names)
    _run(Retention(database, 5), NOON + 40 * _DAY_US)

    assert SqlRequestLog(database).last_uses(names).keys() == set(names) - {names[2]}


def test_many_rows_go_in_small_steps(database: LogDatabase) -> None:
    """No transaction deletes more than ROWS_AT_ONCE, so that nobody waits for long."""
    count = 2 * ROWS_AT_ONCE + 7
    rows = [(seq, row_of(make_row(time=NOON))) for seq in range(1, count + 1)]
    write_batches(database, [Batch("here", Progress("a" * 32), 1, count + 1, rows)], NOON)

    steps = _run(Retention(database, 1), NOON + 2 * _DAY_US)

    assert steps == [ROWS_AT_ONCE, ROWS_AT_ONCE, 7]


def test_without_days_rows_stay_for_ever(database: LogDatabase) -> None:
    """0 deletes no row and no report of a loss."""
    write_batches(database, [Batch("here", Progress("a" * 32), 1, 2, [(1, row_of(make_row()))], lost=1)], NOON)

    assert Retention(database, 0).delete_some(NOON + 7 * _DAY_US) == 0


def test_losses_and_segments_are_forgotten_in_their_time(database: LogDatabase) -> None:
    """A report is kept as long as rows are; a segment's row while its file could come back, and while it is read."""
    with database.writing.begin() as connection:
        for name, ended in (("old", NOON - 31 * _DAY_US), ("new", NOON - 29 * _DAY_US), ("living", None)):
            segment = {"name": name, "host": "here", "offset": 0, "next_seq": 1, "began": 0, "ended": ended}
            connection.execute(insert(log_segment).values(segment))
        for number, time in enumerate((NOON - 6 * _DAY_US, NOON - 4 * _DAY_US)):
            loss = {"segment_id": number, "records": 1, "damaged_bytes": 8, "time": time}
            connection.execute(insert(log_loss).values(loss))

    _run(Retention(database, 5), NOON)

    with database.reading.connect() as connection:
        assert set(connection.execute(select(log_segment.c.name)).scalars()) == {"new", "living"}
        assert connection.execute(select(log_loss.c.segment_id)).scalars().all() == [1]


def test_roll_ups_have_their_own_days(database: LogDatabase) -> None:
    """Minutes go after days, hours after months, days after years, however long rows are kept."""
    ages = {MINUTE: (7, 9), HOUR: (99, 102), DAY: (1800, 1900)}
    now = NOON // 1_000_000
    with database.writing.begin() as connection:
        for span, (younger, older) in ages.items():
            for age in (younger, older):
                start = (now - age * DAY) // span * span
                point = {
                    "span": span,
                    "kind": 0,
                    "start": start,
                    "name": "",
                    "detail": "",
                    "outcome": 4,
                    "requests": age,
                }
                connection.execute(insert(log_count).values(point))

    _run(Retention(database, 1), NOON)

    with database.reading.connect() as connection:
        assert sorted(connection.execute(select(log_count.c.requests)).scalars()) == [7, 99, 1800]


def test_an_empty_log_has_nothing_to_delete(database: LogDatabase) -> None:
    """Nothing is done, and nothing fails."""
    assert Retention(database, 1).delete_some(NOON) == 0
    with database.reading.connect() as connection:
        for table in (request_log, last_use):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
