"""Old addresses are cut to their network, a little at a time, whoever dies in between; young ones stay whole."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from latchgate.core.system_settings import LogPolicy
from latchgate.errors import StorageError
from latchgate.request_log import shortening
from latchgate.request_log.batches import Batch, Progress, write_batches
from latchgate.request_log.cleaning import CLEANING_SECONDS, Cleaning
from latchgate.request_log.database import LogDatabase, connect
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.revisions import upgrade
from latchgate.request_log.rows import row_of
from latchgate.request_log.schema import request_log
from latchgate.request_log.shortening import ROWS_AT_ONCE, Shortening
from latchgate.services.port_values import LogQuery
from support.house import FakeClock
from support.log_rows import NOON, make_row

_DAY_US = 86_400_000_000
_WEEK_US = 7 * _DAY_US


@pytest.fixture
def database(location: str | Path) -> Iterator[LogDatabase]:
    """An empty database on each engine."""
    with closing(connect(location, 5.0)) as opened:
        upgrade(opened)
        yield opened


def _add(database: LogDatabase, *rows: tuple[int, str], segment: str = "a") -> None:
    """Write rows of these ages, in days, from these addresses."""
    made = [make_row(time=NOON - days * _DAY_US + at, ip_address=address) for at, (days, address) in enumerate(rows)]
    numbered = [(seq, row_of(row)) for seq, row in enumerate(made, 1)]
    assert write_batches(database, [Batch("here", Progress(segment * 32), 1, len(rows) + 1, numbered)], NOON)


def _addresses(database: LogDatabase) -> list[str]:
    with database.reading.connect() as connection:
        return list(connection.execute(select(request_log.c.ip_address).order_by(request_log.c.id)).scalars())


def _shorten(database: LogDatabase, before_us: int = NOON - _WEEK_US, now_us: int = NOON) -> list[int]:
    walk, steps = Shortening(database), []
    while looked_at := walk.shorten_some(before_us, now_us):
        steps.append(looked_at)
    return steps


def test_old_addresses_are_cut_and_young_ones_are_not(database: LogDatabase) -> None:
    """Both families, to the microsecond; what is no address stays, and so does all else of a row."""
    _add(
        database, (8, "192.0.2.77"), (7, "198.51.100.1"), (9, "2001:db8:1:2::3"), (30, "unknown"), (8, "2001:db8::/64")
    )
    before = [row.request_id for row in SqlRequestLog(database).search(LogQuery(limit=0))]

    _shorten(database)

    assert _addresses(database) == ["192.0.2.0/24", "198.51.100.1", "2001:db8:1::/48", "unknown", "2001:db8::/48"]
    assert [row.request_id for row in SqlRequestLog(database).search(LogQuery(limit=0))] == before


def test_the_last_use_is_cut_too_until_the_next_one(database: LogDatabase) -> None:
    """A later use of the same credential tells the whole address again."""
    _add(database, (8, "192.0.2.77"))
    _shorten(database)
    shortened = SqlRequestLog(database).last_uses(["lgk_ann"])["lgk_ann"].ip_address

    _add(database, (1, "192.0.2.78"), segment="b")

    assert shortened == "192.0.2.0/24"
    assert SqlRequestLog(database).last_uses(["lgk_ann"])["lgk_ann"].ip_address == "192.0.2.78"


def test_many_rows_take_many_small_steps(database: LogDatabase) -> None:
    """No transaction changes more than ROWS_AT_ONCE; rows of one microsecond are no obstacle."""
    count = 2 * ROWS_AT_ONCE + 7
    rows = [(seq, row_of(make_row(time=NOON - _WEEK_US - 1, ip_address="192.0.2.1"))) for seq in range(1, count + 1)]
    write_batches(database, [Batch("here", Progress("a" * 32), 1, count + 1, rows)], NOON)

    steps = _shorten(database)

    assert steps[:3] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 7]
    assert set(_addresses(database)) == {"192.0.2.0/24"}


def test_once_more_changes_nothing(database: LogDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is short is looked at, and not written: nobody waits for it."""
    _add(database, (8, "192.0.2.77"), (9, "2001:db8:1:2::3"))
    _shorten(database)
    after = _addresses(database)
    monkeypatch.setattr(Shortening, "_write", _must_not_write)

    _shorten(database)

    assert _addresses(database) == after


def _must_not_write(_self: Shortening, _statement: object, changes: list[object]) -> None:
    assert not changes


def test_whoever_dies_in_the_middle_loses_nothing(database: LogDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was cut stays cut, the step that failed changed nothing, and the next process does the rest."""
    monkeypatch.setattr(shortening, "_OLD_ROWS", shortening._OLD_ROWS.limit(2))  # smaller steps
    _add(database, *((8 + at, f"192.0.2.{at}") for at in range(5)))
    walk, written = Shortening(database), Shortening._write  # what fails halfway
    walk.shorten_some(NOON - _WEEK_US, NOON)

    def fail_once_written(self: Shortening, statement: object, changes: list[dict[str, object]]) -> None:
        with database.writing.begin() as connection:
            connection.execute(statement, changes)  # type: ignore[call-overload]  # as the walk itself does
            connection.rollback()
        raise StorageError("The disk is full")

    monkeypatch.setattr(Shortening, "_write", fail_once_written)
    with pytest.raises(StorageError):
        walk.shorten_some(NOON - _WEEK_US, NOON)
    halfway = _addresses(database)
    monkeypatch.setattr(Shortening, "_write", written)
    _shorten(database)

    assert sum(address.endswith("/24") for address in halfway) == 2
    assert set(_addresses(database)) == {"192.0.2.0/24"}


def test_a_failed_step_is_taken_again(database: LogDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same process too: it does not go on behind rows that it could not change."""
    _add(database, (8, "192.0.2.77"))
    walk, written = Shortening(database), Shortening._write  # what fails
    monkeypatch.setattr(Shortening, "_write", _fail)
    with pytest.raises(StorageError):
        walk.shorten_some(NOON - _WEEK_US, NOON)

    monkeypatch.setattr(Shortening, "_write", written)
    walk.shorten_some(NOON - _WEEK_US, NOON)

    assert _addresses(database) == ["192.0.2.0/24"]


def _fail(_self: Shortening, _statement: object, _changes: object) -> None:
    raise StorageError("The disk is full")


def test_old_rows_that_come_late_are_cut_within_a_day(database: LogDatabase) -> None:
    """From a segment that lay around: the walk begins anew each day."""
    _add(database, (8, "192.0.2.77"))
    walk = Shortening(database)
    while walk.shorten_some(NOON - _WEEK_US, NOON):
        pass
    _add(database, (20, "192.0.2.78"), segment="b")

    while walk.shorten_some(NOON - _WEEK_US + _DAY_US, NOON + _DAY_US):
        pass

    assert _addresses(database) == ["192.0.2.0/24", "192.0.2.0/24"]


class _Upkeep:
    """An accounts' database that says what a test lets it say."""

    def __init__(self, policy: LogPolicy | None) -> None:
        self.policy = policy
        self.asked: list[int] = []

    def find_policy(self) -> LogPolicy:
        if self.policy is None:
            raise StorageError("The database cannot be reached")
        return self.policy

    def shorten_activity(self, before_us: int) -> int:
        self.asked.append(before_us)
        return 0


class _Told:
    """Whoever is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def warning(self, event: str, **_fields: object) -> None:
        self.events.append(event)

    info = warning


def test_a_decision_takes_effect_at_the_next_look(database: LogDatabase) -> None:
    """Ten minutes later at most, in both directions; what is decided meanwhile counts."""
    _add(database, (8, "192.0.2.77"), (40, "192.0.2.78"))
    upkeep, now, clock = _Upkeep(LogPolicy(0, None)), [0.0], FakeClock(NOON // 1_000_000)
    cleaning = Cleaning(database, clock, upkeep, _Told(), lambda: now[0])
    while cleaning.do_some():
        pass
    undecided = _addresses(database)

    upkeep.policy = LogPolicy(30, 7)
    early = cleaning.do_some()
    now[0] += CLEANING_SECONDS
    while cleaning.do_some():
        pass

    assert (undecided, early) == (["192.0.2.77", "192.0.2.78"], False)
    assert _addresses(database) == ["192.0.2.0/24"]
    assert upkeep.asked
    assert all(abs(before - (NOON - _WEEK_US)) < 60_000_000 for before in upkeep.asked)


def test_nothing_is_destroyed_while_nobody_says_what_is_decided(database: LogDatabase) -> None:
    """It is told once, rows go on being moved, and it is made up for once the accounts can be asked."""
    _add(database, (400, "192.0.2.77"))
    upkeep, now, told, clock = _Upkeep(None), [0.0], _Told(), FakeClock(NOON // 1_000_000)
    cleaning = Cleaning(database, clock, upkeep, told, lambda: now[0])

    for _ in range(3):
        assert cleaning.do_some() is False
        now[0] += CLEANING_SECONDS
    untouched = _addresses(database)
    upkeep.policy = LogPolicy(0, 7)
    while cleaning.do_some():
        pass

    assert untouched == ["192.0.2.77"]
    assert told.events == ["log_not_cleaned"]
    assert _addresses(database) == ["192.0.2.0/24"]
