"""The request log as it is watched: its chart, what it has most of, what is new, its files; for whom each is what."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import unescape
from io import StringIO
from typing import Any

import pytest

from latchgate.core.log_entries import LogEntry
from latchgate.errors import NotPermitted
from latchgate.server.desk import log_exports, log_list, log_tails
from latchgate.server.desk.log_exports import Row
from latchgate.services import request_counts
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Answer
from support.envelopes import assert_page, assert_shown
from support.logged import API, AUDITOR, HOST, MANAGER, OTHER, PEER_OF_OTHER, WEB, LoggedService, rows_in

LOG, ACTIVITY = "/app/request-log", "/app/activity"
TAIL, EXPORT, ACTIVITY_EXPORT = f"{LOG}/tail", f"{LOG}/export", f"{ACTIVITY}/export"


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedService]:
    """An instance whose logs have something in them."""
    logged = LoggedService(tmp_path_factory.mktemp("logged") / "home")
    yield logged
    logged.service.close()


def _drawn(text: str) -> list[int]:
    (data,) = re.findall(r'data-chart="([^"]*)"', text)
    return [sum(series) for series in json.loads(unescape(data))["series"]]


def _tops(text: str) -> dict[str, str]:
    sections = re.findall(r'<section class="top">\s*<h2>(\w+) (.*?)</section>', text, re.DOTALL)
    return {title: " ".join(re.sub("<[^>]*>", " ", rest).split()) for title, rest in sections}


def _seen(text: str) -> int:
    (seen,) = re.findall(r'data-seen="([0-9]+)"', text)
    return int(seen)


def _csv(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.text
    return list(csv.DictReader(StringIO(answer.text)))


def _json_lines(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


# 200: the chart and the tables


def test_whoever_reads_all_rows_sees_all_counted(logged: LoggedService) -> None:
    """In the chart, and in the tables of users, keys, paths and refusals, each a link that narrows the log."""
    for reader in (MANAGER, AUDITOR):
        text = logged.show(LOG, reader)
        tops = _tops(text)

        assert _drawn(text)[0] >= 5
        assert set(tops) == {"Users", "Keys", "Paths", "Refusals"}
        assert {API, OTHER} <= set(tops["Users"].split())
        assert "the secret was wrong" in tops["Refusals"]
        assert f'href="{LOG}?user=other%40example.com"' in text
        assert f'href="{LOG}?reason=wrong_secret"' in text


@pytest.mark.parametrize(
    "query", ["", "?whose=all", f"?user={OTHER}", "?reason=wrong_secret", "?key={key}", "?since=any"]
)
def test_whoever_reads_their_own_rows_sees_their_own_counted(logged: LoggedService, query: str) -> None:
    """Whatever the address asks for; nothing of others is in the chart, in the tables or in what says what they are."""
    expected = _drawn(logged.show(f"/app/user/{API}?tab=activity", MANAGER))

    text = logged.show(LOG + query.format(key=logged.pairs[OTHER].key_id), API)

    drawn = _drawn(text)
    assert drawn[1:] == expected[1:]
    assert drawn[0] >= expected[0]
    assert "Users" not in _tops(text)
    assert logged.pairs[OTHER].key_id not in _tops(text).get("Keys", "")
    assert "other-agent" not in text


@pytest.mark.parametrize(
    ("query", "drawn", "aside"),
    [
        (f"user={OTHER}", [1, 0, 0], ""),
        (f"user={OTHER}&whose=all", [1, 0, 0], ""),
        ("key={key}", [1, 0, 0], ""),
        ("key={key}&user=api@example.com", [1, 0, 0], "user"),
        ("reason=wrong_secret", [0, 1, 0], ""),
        (f"user={OTHER}&path=x&status=failed", [1, 0, 0], "path and status"),
        (f"user={OTHER}&search=x&method=GET&address=::1", [1, 0, 0], "contains, address and method"),
    ],
)
def test_the_chart_is_narrowed_by_what_is_counted(
    logged: LoggedService, query: str, drawn: list[int], aside: str
) -> None:
    """One user, one key or one reason; it says what it is not narrowed by."""
    text = logged.show(f"{LOG}?{query.format(key=logged.pairs[OTHER].key_id)}")

    assert _drawn(text) == drawn
    assert ("The chart leaves the filter by" in text) == bool(aside)
    assert not aside or f"The chart leaves the filter by {aside} out." in text


@pytest.mark.parametrize(
    ("query", "period"),
    [
        ("", "24 hours"),
        ("since=1h", "1 hour"),
        ("since=any", "Any time"),
        ("from=2020-01-01", ""),
        ("since=7d&key=a", "7 days"),
    ],
)
def test_periods_are_links(logged: LoggedService, query: str, period: str) -> None:
    """They take the place of times that were typed, and leave the other filters."""
    text = logged.show(f"{LOG}?{query}")

    assert re.findall(r'aria-current="true">([^<]+)</a>', text) == ([period] if period else [])
    if "key=a" in query:
        assert f'href="{LOG}?since=30d&amp;key=a"' in text


def test_a_time_without_counts_has_no_chart(logged: LoggedService) -> None:
    """It is the page that says that nothing is there."""
    text = logged.show(f"{LOG}?from=1970-01-02&to=1970-01-03")

    assert "data-chart" not in text
    assert "Nothing" in text


def test_what_is_long_to_count_is_counted_among_rows(logged: LoggedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users and keys as paths are; where all rows of the time were looked at, that tells the same."""
    exact = _tops(logged.show(f"{LOG}?since=1h"))
    monkeypatch.setattr(request_counts, "COUNTS_ADDED_MAX", 0)

    tops = _tops(logged.show(f"{LOG}?since=1h"))

    assert set(tops) == set(exact)
    assert {API, OTHER} <= set(tops["Users"].split()) & set(exact["Users"].split())


def test_a_free_search_looks_everywhere(logged: LoggedService) -> None:
    """In the path, the user, the key, the address, the agent and the request's id, as text."""
    for text, inside in (
        ("100%25", "100%25_sure"),
        ("OTHER@example", OTHER),
        (logged.pairs[OTHER].key_id[:12], OTHER),
        (PEER_OF_OTHER, OTHER),
        ("other-agent", OTHER),
    ):
        shown = logged.show(f"{LOG}?path=api&search={text.replace('%', '%25')}")
        assert len(rows_in(shown)) == 1, text
        assert inside in rows_in(shown)[0]
    assert rows_in(logged.show(f"{LOG}?search=other-agent", API)) == []
    assert "<li>Contains: &lt;b&gt;" in logged.show(f"{LOG}?search=%3Cb%3E")


# 200: what is new


def test_what_came_since_is_given_once(logged: LoggedService) -> None:
    """The page says where to begin, and each answer where to go on; the looks themselves are not told of."""
    seen = _seen(logged.show(LOG))
    for number in range(3):
        logged.service.ask(f"/api/method/ping?new={number}", logged.pairs[API].token)

    text = logged.show(f"{TAIL}?user={API}&seen={seen}")
    again = logged.show(f"{TAIL}?seen={_seen(text)}")

    assert [re.findall(r"new=\d", row) for row in rows_in(text)] == [["new=2"], ["new=1"], ["new=0"]]
    assert rows_in(again) == []
    assert TAIL not in "".join(rows_in(logged.show(f"{TAIL}?seen={seen}")))
    assert f'href="{LOG}?user=api%40example.com&amp;open=' in text


def test_a_flood_is_a_few_rows_and_a_number(logged: LoggedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much came, one look goes through so many rows at most, and says so."""
    log = logged.service.latchgate.request_log
    seen = _seen(logged.show(LOG))
    row = LogEntry(1, "0" * 32, API, "lgk_flood", "token", "User", "GET", "/flood", 200, 0.1, "::1", "flood", None)
    now = logged.service.latchgate.clock.now_us()
    for number in range(9450):
        log.append(replace(row, time=now + number, request_id=f"{number:032x}"))
    # A look waits for nothing; whoever opens the log brings in all there is.
    logged.show(LOG)

    text = logged.show(f"{TAIL}?key=lgk_flood&seen={seen}")

    assert len(rows_in(text)) == 20
    assert 'data-more="and 9,430 more"' in text
    assert len(text) < 50_000
    # Of all rows of the log none is counted: their numbers tell.
    unnarrowed = logged.show(f"{TAIL}?seen={seen}")
    about = re.search('data-more="and about ([0-9,]+) more"', unnarrowed)
    assert about
    assert 9_430 <= int(about[1].replace(",", "")) < 9_440
    assert "about" not in logged.show(f"{TAIL}?seen={seen}", API)
    monkeypatch.setattr(log_tails, "_LOOKED_AT_MAX", 1000)
    bounded = logged.show(f"{TAIL}?seen=0")
    assert re.search('data-more="and at least 9[0-9]{2} more"', bounded)


def test_following_is_offered_where_something_can_follow(logged: LoggedService) -> None:
    """Not on an older page, nor for a time that has an end; with the address's own filters."""
    assert f'data-live="{TAIL}?method=GET"' in logged.show(f"{LOG}?method=GET")
    assert "data-live" not in logged.show(f"{LOG}?to=2999-01-01")
    text = logged.show(f"{LOG}?key=lgk_flood")
    older = re.findall(r'rel="next" href="([^"]+)"', text)
    assert older
    assert "data-live" not in logged.show(unescape(older[0]))


@pytest.mark.parametrize("query", ["", "whose=all", f"user={OTHER}", "since=any"])
def test_whoever_reads_their_own_rows_follows_their_own(logged: LoggedService, query: str) -> None:
    """Though the numbers of rows go by all."""
    seen = _seen(logged.show(LOG, API))
    for user in (API, OTHER):
        logged.service.ask("/api/method/ping?mine=1", logged.pairs[user].token)

    rows = rows_in(logged.show(f"{TAIL}?{query}&seen={seen}", API))

    assert all(API in row for row in rows)
    assert len(rows) == (0 if OTHER in query else 2)


# 200: files


def test_a_file_has_the_rows_that_the_address_shows(logged: LoggedService) -> None:
    """In both forms, the same ones under the names that do not change, newest first."""
    query = f"path=number%3D&user={API}"

    as_csv = logged.open(f"{EXPORT}?{query}&format=csv", MANAGER)
    as_json = logged.open(f"{EXPORT}?{query}&format=jsonl", MANAGER)

    rows, documents = _csv(as_csv), _json_lines(as_json)
    assert [row["path"][-1] for row in rows] == ["2", "1", "0"]
    assert [row["request_id"] for row in rows] == [one["request_id"] for one in documents]
    assert {"time", "request_id", "user", "api_key", "scheme", "source", "method", "path", "status"} <= set(rows[0])
    assert as_csv.header("content-type") == "text/csv; charset=utf-8"
    assert as_json.header("content-type") == "application/jsonl"
    name = r'attachment; filename="request-log-\d{4}-\d\d-\d\d-\d{6}\.(csv|jsonl)"'
    for answer in (as_csv, as_json):
        assert re.fullmatch(name, answer.header("content-disposition") or "")
        assert answer.header("cache-control") == "no-store"


def test_a_file_is_read_page_by_page_to_its_bound(logged: LoggedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row twice and none left out."""
    monkeypatch.setattr(log_exports, "_PAGE_ROWS", 7)
    whole = _json_lines(logged.open(f"{EXPORT}?since=any&whose=mine&format=jsonl", MANAGER))
    assert len({row["name"] for row in whole}) == len(whole) > 14

    monkeypatch.setattr(log_exports, "EXPORT_ROWS_MAX", 14)
    bounded = _csv(logged.open(f"{EXPORT}?since=any&key=lgk_flood", MANAGER))

    assert len({row["name"] for row in bounded}) == 14


def test_a_file_of_a_rare_filter_is_searched_bit_by_bit(logged: LoggedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """No read looks through more than a page does, and the file has what one read would have found."""
    query = f"{EXPORT}?since=any&search=ping&format=jsonl"
    whole = _json_lines(logged.open(query, MANAGER))
    monkeypatch.setattr(log_list, "ROWS_SEARCHED_MAX", 5)
    monkeypatch.setattr(log_exports, "_PAGE_ROWS", 2)
    pages: list[Sequence[Row]] = []
    lines = log_exports._json_lines

    def note(page: Sequence[Row]) -> bytes:
        pages.append(page)
        return lines(page)

    monkeypatch.setattr(log_exports, "_json_lines", note)

    found = _json_lines(logged.open(query, MANAGER))

    assert [row["name"] for row in found if row in whole] == [row["name"] for row in whole]
    assert len({row["name"] for row in found}) == len(found)
    assert any(not page for page in pages)


def test_the_same_path_of_two_hosts_is_two(logged: LoggedService) -> None:
    """Each with its host before it, and a link to its own rows."""
    for host in (HOST, HOST, "other.example.com"):
        logged.ask_for(host, "/same?page=2", logged.pairs[OTHER])

    text = logged.show(f"{LOG}?path=/same")

    assert f"{HOST} /same 2 other.example.com /same 1" in _tops(text)["Paths"]
    assert f'href="{LOG}?path=%2Fsame&amp;host={HOST}"' in text


def test_what_a_caller_chose_is_text_in_a_file(logged: LoggedService) -> None:
    """A spreadsheet computes nothing of it."""
    ask = logged.service.ask
    ask("/api/method/ping?formula", logged.pairs[API].token, headers=[("user-agent", "=HYPERLINK(1)")])

    (row,) = _csv(logged.open(f"{EXPORT}?path=formula&user={API}", MANAGER))

    assert row["user_agent"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    "query", ["since=any", "whose=all", f"user={OTHER}", f"address={PEER_OF_OTHER}", "search=other"]
)
@pytest.mark.parametrize("address", [EXPORT, ACTIVITY_EXPORT])
def test_another_s_rows_are_not_exported(logged: LoggedService, address: str, query: str) -> None:
    """Whatever is asked for, who may read their own rows gets their own."""
    rows = _json_lines(logged.open(f"{address}?{query}&format=jsonl", API))

    assert all(row["user"] == API for row in rows)
    assert not any(row["ip_address"] == PEER_OF_OTHER for row in rows)


def test_the_activity_is_exported(logged: LoggedService) -> None:
    """As the request log is."""
    rows = _csv(logged.open(f"{ACTIVITY_EXPORT}?operation=role.created", MANAGER))

    assert [(row["operation"], row["subject"], row["user"]) for row in rows] == [
        ("role.created", "Auditor", "Administrator")
    ]


def test_a_session_that_ends_meanwhile_reads_no_further(logged: LoggedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page of a file is judged anew; the answer, whose status has left, breaks off."""
    monkeypatch.setattr(log_exports, "_PAGE_ROWS", 5)
    users = logged.service.latchgate.users
    sid = logged.service.sign_in(AUDITOR).sid
    lines = log_exports._json_lines
    pages = []

    def write_and_leave(page: Sequence[Row]) -> bytes:
        pages.append(page)
        if len(pages) == 2:
            users.set_enabled(COMMAND_LINE, AUDITOR, enabled=False)
        return lines(page)

    monkeypatch.setattr(log_exports, "_json_lines", write_and_leave)
    with pytest.raises(NotPermitted):
        logged.service.ask(f"{EXPORT}?since=any&format=jsonl", headers=[("cookie", f"sid={sid}")])

    assert len(pages) == 2
    users.set_enabled(COMMAND_LINE, AUDITOR, enabled=True)


# 303, 403, 417


@pytest.mark.parametrize("path", [f"{TAIL}?seen=1", EXPORT, ACTIVITY_EXPORT, f"{EXPORT}?format=jsonl"])
def test_watching_is_for_the_desk_s_users(logged: LoggedService, path: str) -> None:
    """As the pages are."""
    assert logged.open(path, "").header("location") == "/login"
    assert_shown(logged.open(path, WEB), 403)
    for scopes, status in ((f"{'API Request' if LOG in path else 'Activity'} Log:read", 200), ("User:read", 403)):
        key = logged.service.make_key(MANAGER, scopes=frozenset({scopes}))
        assert logged.service.ask(path, key.token, headers=[("accept", "text/html")]).status == status


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (TAIL, "seen"),
        (f"{TAIL}?seen=-1", "seen"),
        (f"{TAIL}?seen=%D9%A1", "seen"),
        (f"{TAIL}?seen=9999999999999999999", "seen"),
        (f"{TAIL}?seen=1&status=abc", "Status: choose"),
        (f"{EXPORT}?format=xml", "format"),
        (f"{EXPORT}?format=", "format"),
        (f"{EXPORT}?from=rubbish", "From: give a date"),
        (f"{EXPORT}?from=2026-02-02&to=2026-02-01", "Until: give a time after From"),
        (f"{ACTIVITY_EXPORT}?since=never", "Time: choose"),
        (f"{LOG}?search={'x' * 401}", "Contains: give at most"),
        (f"{LOG}?from=0000-00-00", "From: give a date"),
    ],
)
def test_what_cannot_be_understood_is_named(logged: LoggedService, path: str, told: str) -> None:
    """With what would be right, and nothing else is answered."""
    text = assert_shown(logged.open(path, MANAGER), 417)

    assert told in text
    assert rows_in(text) == []


def test_markup_in_paths_and_agents_is_text(logged: LoggedService) -> None:
    """In the tables, in what is new, and in the chart's words; `assert_page` looks at every tag."""
    seen = _seen(logged.show(LOG))
    path = '/api/method/%3Cimg%20src=x%3E"onload=alert(1)'
    logged.service.ask(path, logged.pairs[API].token, headers=[("user-agent", "<script>alert(2)</script>")])
    logged.service.ask(LOGGED_USER, "token <b>lgk</b>:x", peer=logged.service.new_peer())

    for shown in (f"{TAIL}?seen={seen}", f"{LOG}?user={API}", LOG, f"{LOG}?search=%3Cimg%20src"):
        text = assert_page(logged.open(shown, MANAGER))
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "<b>lgk" not in text
