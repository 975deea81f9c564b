"""The roll-ups say of any rows what counting those rows would say, and junk does not make them grow."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, insert, select, text

from latchgate.core.log_entries import LogEntry
from latchgate.request_log import revisions
from latchgate.request_log.batches import Batch, find_progress, write_batches
from latchgate.request_log.database import LogDatabase, connect
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.roll_ups import DAY, HOUR, MINUTE, SPANS_OF
from latchgate.request_log.rows import COLUMNS, FORMER, row_of
from latchgate.request_log.schema import log_count
from latchgate.services.port_values import CountedBy, CountQuery, OutcomeCount, TopCount
from support.log_rows import NOON, make_row

_NOON = NOON // 1_000_000
_DAY_BEGAN = _NOON - 12 * HOUR
_SINCE, _UNTIL = _DAY_BEGAN - 4 * DAY, _DAY_BEGAN + 5 * DAY
_segments = count(1)


@pytest.fixture
def database(location: str | Path) -> Iterator[LogDatabase]:
    """An empty database on each engine."""
    with closing(connect(location, 5.0)) as opened:
        revisions.upgrade(opened)
        yield opened


def _add(database: LogDatabase, rows: list[LogEntry], batch_rows: int = 1000) -> None:
    """Write rows as the ingester does."""
    name = f"{next(_segments):032x}"
    for start in range(0, len(rows), batch_rows):
        with database.reading.connect() as connection:
            before = find_progress(connection, [name])[name]
        numbered = [(start + 1 + place, row_of(row)) for place, row in enumerate(rows[start : start + batch_rows])]
        assert write_batches(database, [Batch("here", before, 1 + start, start + 1 + len(numbered), numbered)], NOON)


def _table(database: LogDatabase) -> dict[tuple[object, ...], int]:
    with database.reading.connect() as connection:
        return {tuple(row[:-1]): row[-1] for row in connection.execute(select(log_count))}


_ROWS = st.builds(
    make_row,
    time=st.integers(NOON - 3 * DAY * 1_000_000, NOON + 3 * DAY * 1_000_000),
    user=st.sampled_from([None, "ann@example.com", "bob@example.com"]),
    user_id=st.sampled_from([None, 7, 8]),
    api_key=st.sampled_from([None, "lgk_ann", "lgk_bob"]),
    scheme=st.sampled_from([None, "token", "Basic", "Bearer", "session", "client"]),
    source=st.sampled_from([None, "User", "Event Consumer"]),
    status=st.sampled_from([200, 204, 302, 401, 404, 429, 500, 503]),
    reason=st.sampled_from([None, "wrong_secret", "over_limit"]),
    requests=st.integers(1, 3),
)


def _recount(rows: list[LogEntry], by: CountedBy, span: int) -> Counter[tuple[int, str, str, int, bool]]:
    """Count the slow way, from the rows as they stand."""
    counted: Counter[tuple[int, str, str, int, bool]] = Counter()
    for row in rows:
        match by:
            case CountedBy.ALL:
                name: str | None = ""
                detail = ""
            case CountedBy.USER:
                name, detail = row.user, "" if row.user_id is None else str(row.user_id)
            case CountedBy.KEY:
                name = row.api_key if row.scheme in ("token", "Basic", "client") else None
                detail = row.source or ""
            case CountedBy.REASON:
                name, detail = row.reason, ""
        if name is not None:
            start = row.time // 1_000_000 // span * span
            counted[start, name, detail, row.status // 100, row.reason is not None] += row.requests
    return counted


@settings(max_examples=40)
@given(rows=st.lists(_ROWS, max_size=60), batch_rows=st.integers(1, 60))
def test_the_roll_ups_equal_a_recount(
    tmp_path_factory: pytest.TempPathFactory, rows: list[LogEntry], batch_rows: int
) -> None:
    """Whatever the rows and however they came in batches: each span, each name, each outcome."""
    path = tmp_path_factory.mktemp("counts") / "log.db"
    with closing(connect(path, 5.0)) as database:
        revisions.upgrade(database)
        _add(database, rows, batch_rows)
        log = SqlRequestLog(database)
        for by, spans in SPANS_OF.items():
            for span in spans:
                expected = _recount(rows, by, span)
                names = {name[1:3] for name in expected} if by is not CountedBy.ALL else {(None, None)}
                assert _asked(log, by, span, names) == _flat(expected), (by, span)
            if by is not CountedBy.ALL:
                top = {(one.name, one.detail): one.requests for one in log.top(CountQuery(_SINCE, _UNTIL, by), 100)}
                assert top == _by_name(_recount(rows, by, DAY))


def _asked(
    log: SqlRequestLog, by: CountedBy, span: int, names: set[tuple[str, str]] | set[tuple[None, None]]
) -> Counter[tuple[int, int, bool]]:
    """Ask for each name's chart, a day at a time: no question may have more points than a chart can show."""
    found: Counter[tuple[int, int, bool]] = Counter()
    for name, detail in names:
        for first in range(_SINCE, _UNTIL, DAY):
            for one in log.counts(CountQuery(first, first + DAY, by, name, detail), span):
                found[one.start, one.status_class, one.refused] += one.requests
    return found


def _flat(counted: Counter[tuple[int, str, str, int, bool]]) -> Counter[tuple[int, int, bool]]:
    flat: Counter[tuple[int, int, bool]] = Counter()
    for (start, _, _, status_class, refused), requests in counted.items():
        flat[start, status_class, refused] += requests
    return flat


def _by_name(counted: Counter[tuple[int, str, str, int, bool]]) -> dict[tuple[str, str], int]:
    names: Counter[tuple[str, str]] = Counter()
    for (_, name, detail, _, _), requests in counted.items():
        names[name, detail] += requests
    return dict(names)


def test_a_chart_of_a_key_tells_its_outcomes_apart(database: LogDatabase) -> None:
    """By hour or day, of one key with its source alone; whole points count."""
    ok, refused = {"status": 200}, {"status": 429, "reason": "over_limit"}
    _add(
        database,
        [
            make_row(time=NOON, **ok),
            make_row(time=NOON + 1, **ok),
            make_row(time=NOON + 2, **refused),
            make_row(time=NOON + HOUR * 1_000_000, **ok),
            make_row(time=NOON, api_key="lgk_bob", **ok),
            make_row(time=NOON, source="Event Consumer", **ok),
        ],
    )
    query = CountQuery(_NOON - 60, _NOON + 2 * HOUR, CountedBy.KEY, "lgk_ann", "User")

    hours = SqlRequestLog(database).counts(query, HOUR)
    days = SqlRequestLog(database).counts(query, DAY)

    assert hours == [
        OutcomeCount(_NOON, 2, False, 2),
        OutcomeCount(_NOON, 4, True, 1),
        OutcomeCount(_NOON + HOUR, 2, False, 1),
    ]
    assert days == [OutcomeCount(_DAY_BEGAN, 2, False, 3), OutcomeCount(_DAY_BEGAN, 4, True, 1)]


def test_the_top_names_come_first(database: LogDatabase) -> None:
    """Users, keys and reasons by how many requests they have, and how many of those were refused."""
    rows = [make_row(user=f"u{user}", user_id=user, api_key=f"lgk_{user}") for user in (1, 2, 2, 3, 3, 3)]
    rows += [make_row(user="u3", user_id=3, api_key="lgk_3", reason="over_limit", status=429)]
    rows += [make_row(user=None, user_id=None, api_key=None, reason="unknown_key", status=401) for _ in range(2)]
    _add(database, rows)
    log = SqlRequestLog(database)
    day = (_NOON, _NOON + HOUR)

    assert log.top(CountQuery(*day, by=CountedBy.USER), 2) == [TopCount("u3", "3", 4, 1), TopCount("u2", "2", 2, 0)]
    # Three users on that day, of whom one had two outcomes.
    assert [log.is_short(CountQuery(*day, by=CountedBy.USER), most) for most in (1, 100)] == [False, True]
    assert [one.name for one in log.top(CountQuery(*day, by=CountedBy.KEY), 9)] == ["lgk_3", "lgk_2", "lgk_1"]
    assert log.top(CountQuery(*day, by=CountedBy.REASON), 9) == [
        TopCount("unknown_key", "", 2, 2),
        TopCount("over_limit", "", 1, 1),
    ]
    assert log.top(CountQuery(_NOON - 9 * DAY, _NOON + DAY, CountedBy.USER), 1) == [TopCount("u3", "3", 4, 1)]


def test_strangers_do_not_make_the_roll_ups_grow(database: LogDatabase) -> None:
    """However many addresses and paths try however many keys: the same few rows, by minute, hour and day."""
    rows = [
        make_row(
            time=NOON + number,
            user=None,
            user_id=None,
            api_key=None,
            reason="unknown_key",
            status=401,
            ip_address=f"2001:db8::{number:x}",
            path=f"/{number}",
        )
        for number in range(500)
    ]
    _add(database, rows)

    assert len(_table(database)) == 6


def test_tokens_and_sessions_are_counted_as_their_users_alone(database: LogDatabase) -> None:
    """Each has a name of its own, and lives for an hour: they would fill the roll-ups of years."""
    _add(database, [make_row(api_key=f"t{number}", scheme="Bearer") for number in range(50)])

    assert SqlRequestLog(database).top(CountQuery(_NOON, _NOON + HOUR, CountedBy.KEY), 9) == []
    assert [
        one.requests for one in SqlRequestLog(database).top(CountQuery(_NOON, _NOON + HOUR, CountedBy.USER), 9)
    ] == [50]


@pytest.mark.parametrize(
    ("query", "span"),
    [
        (CountQuery(0, HOUR, CountedBy.USER), MINUTE),
        (CountQuery(0, HOUR), 61),
        (CountQuery(0, 10**9), MINUTE),
    ],
    ids=["minutes of users", "no span", "too many points"],
)
def test_what_is_not_kept_is_not_answered(database: LogDatabase, query: CountQuery, span: int) -> None:
    """A question that the roll-ups have no answer to is an error of whoever asks, not an empty chart."""
    with pytest.raises(ValueError, match=r"is not counted|are more than"):
        SqlRequestLog(database).counts(query, span)
    with pytest.raises(ValueError, match="have no names"):
        SqlRequestLog(database).top(CountQuery(0, 1), 5)


def test_rows_of_before_are_rolled_up_by_the_upgrade(location: str | Path) -> None:
    """A log of the earlier revision has the same roll-ups afterwards as if its rows came now."""
    rows = [
        make_row(time=NOON + 7_000_000 * number, status=200 + 100 * (number % 4), reason="r" if number % 3 else None)
        for number in range(40)
    ]
    rows += [make_row(user=None, user_id=None, scheme="session"), make_row(source=None, scheme="client", user=None)]
    with closing(connect(location, 5.0)) as database:
        _upgrade_to(database, "0001")
        with database.writing.begin() as connection:
            old = Table("request_log", MetaData(), autoload_with=connection)
            for number, row in enumerate(rows, start=1):
                whole = row_of(row)
                values = dict(zip(COLUMNS, (*whole[:FORMER], *whole[FORMER + 1 :]), strict=True))
                del values["requests"], values["host"]
                connection.execute(insert(old).values(id=number, **values))
            connection.execute(text("UPDATE log_position SET last_id = :last"), {"last": len(rows)})
        revisions.upgrade(database)
        upgraded = _table(database)
        with database.writing.begin() as connection:
            connection.execute(text("DELETE FROM log_count"))
        _add(database, rows)

        assert upgraded == _table(database)
        assert upgraded


def _upgrade_to(database: LogDatabase, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(revisions._FOLDER))
    with database.writing.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
