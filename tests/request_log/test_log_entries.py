"""The contract of the request log: in memory, on SQLite and on PostgreSQL alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from latchgate.core.log_entries import LogEntry, former_use_name
from latchgate.services.port_values import LastUse, LogQuery
from latchgate.services.ports import RequestLog
from support.log_rows import NOON, make_row

_HOUR = 3_600_000_000


def test_a_row_is_read_back_as_it_was_written(log: RequestLog) -> None:
    """Every field of a row comes back as it was."""
    row = make_row(user_id=2**40, seconds=0.123456, reason="role_missing", status=403)

    log.append(row)

    assert list(log.search(LogQuery())) == [row]


def test_fields_without_a_value_stay_without_one(log: RequestLog) -> None:
    """Who was refused before anything was known about them is nobody, not the empty text."""
    row = make_row(user=None, user_id=None, api_key=None, scheme=None, source=None, reason="unknown_key", user_agent="")

    log.append(row)

    assert list(log.search(LogQuery())) == [row]


def test_the_newest_row_comes_first(log: RequestLog) -> None:
    """Rows come by when their requests came, which may end in another order; of one time, the last written is first."""
    late, early, same = make_row(time=NOON + 9), make_row(time=NOON + 1), make_row(time=NOON + 1)
    for row in (late, early, same):
        log.append(row)

    assert list(log.search(LogQuery())) == [late, same, early]


@pytest.mark.parametrize(
    ("query", "is_wanted"),
    [
        (LogQuery(user="bob@example.com"), lambda row: row.user == "bob@example.com"),
        (LogQuery(api_key="lgk_bob"), lambda row: row.api_key == "lgk_bob"),
        (LogQuery(path="/api/r"), lambda row: row.path.startswith("/api/r")),
        (LogQuery(path="/API"), lambda row: row.path.startswith("/API")),
        (LogQuery(path="/a%_c"), lambda row: row.path == "/a%_c/d"),
        (LogQuery(path=""), lambda _: True),
        (LogQuery(host="app.example.com"), lambda row: row.host == "app.example.com"),
        (LogQuery(host="app.example"), lambda row: row.host == "app.example"),
        (LogQuery(host="app.example", path="/API", status=401), lambda row: row.path == "/API/x" and row.status == 401),
        (LogQuery(status=401), lambda row: row.status == 401),
        (LogQuery(since=NOON + _HOUR), lambda row: row.time >= NOON + _HOUR),
        (LogQuery(until=NOON + _HOUR), lambda row: row.time < NOON + _HOUR),
        (
            LogQuery(user="bob@example.com", status=401, since=NOON, until=NOON + 2 * _HOUR),
            lambda row: row.user == "bob@example.com" and row.status == 401 and row.time < NOON + 2 * _HOUR,
        ),
    ],
    ids=lambda value: None if callable(value) else str(value)[9:60],
)
def test_a_search_gives_the_rows_that_match(
    log: RequestLog, query: LogQuery, is_wanted: Callable[[LogEntry], bool]
) -> None:
    """A filter lets through what it names and nothing else, letter by letter."""
    hosts = {"/API/x": "app.example", "/a%_c/d": "app.example.com"}
    rows = [
        make_row(user=user, api_key=key, path=path, status=status, time=NOON + hour * _HOUR, host=hosts.get(path))
        for user, key in (("ann@example.com", "lgk_ann"), ("bob@example.com", "lgk_bob"), (None, "lgk_bob"))
        for path in ("/api/resource/User", "/API/x", "/a%_c/d", "/abbc/d")
        for status in (200, 401)
        for hour in range(3)
    ]
    for row in rows:
        log.append(row)

    found = {row.request_id for row in log.search(replace(query, limit=0))}

    assert found == {row.request_id for row in rows if is_wanted(row)}
    assert found


def test_a_search_ends_at_its_limit(log: RequestLog) -> None:
    """A limit counts the newest rows; without one there are twenty, and 0 means all."""
    rows = [make_row() for _ in range(25)]
    for row in rows:
        log.append(row)

    assert list(log.search(LogQuery(limit=3))) == rows[:-4:-1]
    assert list(log.search(LogQuery())) == rows[:-21:-1]
    assert list(log.search(LogQuery(limit=0))) == rows[::-1]


def test_rows_are_followed_in_the_order_of_their_writing(log: RequestLog) -> None:
    """Whoever follows from a position gets what was written after it, once and in order."""
    log.append(make_row())
    before, start = log.follow(None)
    late, early = make_row(time=NOON + 9), make_row(time=NOON + 1)
    log.append(late)
    log.append(early)

    followed, position = log.follow(start)

    assert before == []
    assert followed == [late, early]
    assert log.follow(position) == ([], position)


def test_an_empty_log_answers(log: RequestLog) -> None:
    """There is nothing to find in a log without rows, and it can be followed from its beginning."""
    row = make_row()
    nothing, start = log.follow(None)
    found = list(log.search(LogQuery()))
    log.append(row)

    assert (nothing, found) == ([], [])
    assert log.follow(start)[0] == [row]
    assert log.last_uses([]) == {}


def test_the_last_use_of_a_former_secret_has_a_name_of_its_own(log: RequestLog) -> None:
    """Each rotation's, and the key's last use counts those by whichever secret."""
    log.append(make_row(time=NOON + 3, ip_address="192.0.2.3", former_until=60))
    log.append(make_row(time=NOON + 5, ip_address="192.0.2.5"))
    log.append(make_row(time=NOON + 7, source="Event Consumer", former_until=90))
    log.append(make_row(time=NOON + 9, former_until=60, reason="role_missing", status=403))
    mine, other, never = (
        former_use_name(source, "lgk_ann", until)
        for source, until in (("User", 60), ("Event Consumer", 90), ("User", 90))
    )

    uses = log.last_uses(["lgk_ann", mine, other, never])

    assert (uses["lgk_ann"].time, uses[mine], uses[other].time) == (NOON + 5, LastUse(NOON + 3, "192.0.2.3"), NOON + 7)
    assert never not in uses


def test_the_last_use_is_that_of_the_latest_accepted_request(log: RequestLog) -> None:
    """A credential was last used when its latest request came that was let in, whichever ended last."""
    log.append(make_row(time=NOON + 5, ip_address="192.0.2.5"))
    log.append(make_row(time=NOON + 3, ip_address="192.0.2.3"))
    log.append(make_row(time=NOON + 8, api_key="lgk_bob", ip_address="2001:db8::8"))
    log.append(make_row(time=NOON + 9, api_key="lgk_never", user=None, reason="wrong_secret", status=401))

    uses = log.last_uses(["lgk_ann", "lgk_bob", "lgk_never", "lgk_unknown"])

    assert uses == {"lgk_ann": LastUse(NOON + 5, "192.0.2.5"), "lgk_bob": LastUse(NOON + 8, "2001:db8::8")}


@pytest.mark.parametrize(
    "refused",
    [
        make_row(reason="over_limit", status=429),
        make_row(reason="wrong_secret", status=401, user=None),
        make_row(user=None),
        make_row(api_key=None),
    ],
    ids=["refused", "wrong secret", "nobody", "no credential"],
)
def test_a_refused_request_is_no_use(log: RequestLog, refused: LogEntry) -> None:
    """What was not let in leaves a row and no last use."""
    log.append(refused)

    assert log.last_uses(["lgk_ann"]) == {}
    assert list(log.search(LogQuery())) == [refused]


def test_threads_may_write_at_once(log: RequestLog) -> None:
    """Rows of several threads are all there, each once."""
    rows = [make_row() for _ in range(80)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(log.append, rows))

    assert sorted(row.time for row in log.search(LogQuery(limit=0))) == [row.time for row in rows]
