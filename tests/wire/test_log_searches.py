"""The pages of the logs: what an address narrows them to, page by page, and what is said of one that is no question."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from latchgate.server.desk import log_list
from support.envelopes import assert_page
from support.logged import API, AUDITOR, HOST, MANAGER, OTHER, PEER_OF_OTHER, LoggedService, rows_in

LOG, ACTIVITY = "/app/request-log", "/app/activity"


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedService]:
    """An instance whose logs have something in them."""
    logged = LoggedService(tmp_path_factory.mktemp("logged") / "home")
    yield logged
    logged.service.close()


# 200: what the address says


@pytest.mark.parametrize(
    ("query", "count", "inside", "chip"),
    [
        (f"user={OTHER}", 1, "get_logged_user", f"User: {OTHER}"),
        ("user=OTHER@Example.com", 1, OTHER, "User: OTHER@Example.com"),
        ("key={key}", 1, OTHER, "API key: "),
        (f"address={PEER_OF_OTHER}", 1, PEER_OF_OTHER, f"Address: {PEER_OF_OTHER}"),
        ("path=number%3D&user=api@example.com", 3, "ping?number=", "Path contains: number="),
        ("path=%25_sure&user=api@example.com", 0, "", "Path contains: %_sure"),
        ("path=%2525_sure&user=api@example.com", 1, "100%25_sure", "Path contains: %25_sure"),
        ("path=_____________", 0, "", "Path contains: _____________"),
        (f"host={HOST}", 1, f"GET {HOST} /reports/quarter?page=2", f"Host: {HOST}"),
        ("host=Reports.Example.COM.:80", 1, HOST, "Host: Reports.Example.COM.:80"),
        ("host=example.com", 0, "", "Host: example.com"),
        ("host=%3Cscript%3E", 0, "", "Host: &lt;script&gt;"),
        (f"host={HOST}&path=quarter&status=refused", 1, HOST, "Path contains: quarter"),
        (f"search=eports.exampl&user={AUDITOR}", 1, HOST, "Contains: eports.exampl"),
        ("method=delete", 1, "DELETE", "Method: DELETE"),
        ("status=refused&method=DELETE", 1, "403", "Status: refused (401, 403)"),
        ("status=refused&reason=wrong_secret", 1, "401", "Reason: the secret was wrong"),
        ("status=401", 1, "401", "Status: 401"),
        ("status=client&path=100", 1, "417", "Status: other client errors"),
        ("status=failed", 0, "", "Status: failed (500 and above)"),
        ("status=succeeded&path=number&user=api@example.com", 3, "200", "Status: succeeded"),
        ("status=418", 0, "", "Status: 418"),
        ("scheme=Basic", 1, OTHER, "Scheme: Basic"),
        ("since=1h&path=number&user=api@example.com", 3, "ping", "Time: last hour"),
        ("since=any&path=number&user=api@example.com", 3, "ping", "Path contains: number"),
        ("from=2020-01-01&path=number&user=api@example.com", 3, "ping", "From: 1 January 2020, 00:00:00 UTC"),
        ("from=2020-01-01&to=2020-01-02T10:30", 0, "", "Until: 2 January 2020, 10:30:00 UTC"),
        ("user=%00", 0, "", "User: "),
    ],
)
def test_a_filter_finds_what_it_says(logged: LoggedService, query: str, count: int, inside: str, chip: str) -> None:
    """Its chip says what it does, and its field keeps it; no rows are told as such."""
    text = logged.show(f"{LOG}?{query.format(key=logged.pairs[OTHER].key_id)}")

    rows = rows_in(text)
    assert len(rows) == count
    assert all(inside in row for row in rows)
    assert f"<li>{chip}" in text
    assert ('class="empty"' in text) == (count == 0)


def test_a_request_is_found_by_its_id(logged: LoggedService) -> None:
    """The one that its answer told."""
    answer = logged.service.ask("/api/method/ping?lost=1", logged.pairs[API].token)

    (row,) = rows_in(logged.show(f"{LOG}?request={answer.header('x-request-id')}"))

    assert "ping?lost=1" in row


@pytest.mark.parametrize(
    ("query", "count", "inside"),
    [
        ("operation=role.created", 1, "Role made"),
        ("subject=Auditor&user=Administrator", 1, "Role made"),
        ("search=udito&operation=user.created", 1, "User made"),
        ("operation=of.old", 0, ""),
        ("since=1h&operation=role.created", 1, "Auditor"),
        ("to=2020-01-01", 0, ""),
        ("user=nobody@example.com", 0, ""),
    ],
)
def test_the_activity_is_narrowed_alike(logged: LoggedService, query: str, count: int, inside: str) -> None:
    """By who, what, to what and when."""
    rows = rows_in(logged.show(f"{ACTIVITY}?{query}"))

    assert len(rows) == count
    assert all(inside in row for row in rows)


@pytest.mark.parametrize("parameter", ["user", "from", "reason", "key", "request"])
def test_more_filters_stay_open_while_one_is_used(logged: LoggedService, parameter: str) -> None:
    """Folded otherwise."""
    used = logged.show(f"{LOG}?{parameter}=2026-01-01")

    assert '<details class="folded" open>' in used
    assert '<details class="folded">' in logged.show(f"{LOG}?status=401")


def test_a_log_is_read_page_by_page(logged: LoggedService) -> None:
    """Older rows go on after the last of a page, none twice and none left out; filters stay."""
    for number in range(120):
        logged.service.ask(f"/api/method/ping?page={number}", logged.pairs[OTHER].token)
    found: list[str] = []
    path = f"{LOG}?path=page%3D&key={logged.pairs[OTHER].key_id}"
    for _ in range(3):
        text = logged.show(path)
        found += re.findall("ping\\?page=([0-9]+)</span>", text)
        older = re.findall('rel="next" href="([^"]+)"', text)
        path = older[0].replace("&amp;", "&") if older else ""

    assert found == [str(number) for number in range(119, -1, -1)]
    assert path == ""
    assert "after=" not in "".join(re.findall('<ul class="chips".*?</ul>', text, re.DOTALL))
    assert f'href="{LOG}?path=page%3D&amp;key={logged.pairs[OTHER].key_id}">Newest</a>' in text
    assert 'name="after"' not in text


def test_a_search_tells_how_far_it_came(logged: LoggedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many rows at once, and on from there to the end, past none; what an index finds has no bound."""
    for number in range(30):
        logged.service.ask(f"/api/method/ping?far={number}", logged.pairs[OTHER].token)
    monkeypatch.setattr(log_list, "ROWS_SEARCHED_MAX", 12)
    path, found, pages = f"{LOG}?search=far%3D4%26&user={OTHER}&path=ping", 0, 0
    path = path.replace("%26", "")
    while path and pages < 50:
        text = logged.show(path)
        found, pages = found + len(rows_in(text)), pages + 1
        assert len(re.findall("found in 12 rows, back to [0-9]", text)) == ("Search on" in text)
        on = re.findall('rel="next" href="([^"]+)">Search on<', text)
        path = unescape(on[0]) if on else ""

    assert (found, pages > 2) == (1, True)
    assert "Nothing else matches these filters" in text
    assert "Search on" not in logged.show(f"{LOG}?user={OTHER}&key={logged.pairs[OTHER].key_id}")
    assert len(rows_in(logged.show(f"{LOG}?user={OTHER}"))) > 12


def test_what_is_found_at_once_is_not_searched(logged: LoggedService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full page goes on after its last row, and what it has most of is of the rows that were looked through."""
    for number in range(70):
        logged.service.ask(f"/api/method/ping?full={number}", logged.pairs[OTHER].token)
    monkeypatch.setattr(log_list, "ROWS_SEARCHED_MAX", 60)

    text = logged.show(f"{LOG}?path=full%3D&user={OTHER}")

    assert len(rows_in(text)) == 50
    assert "Older</a>" in text
    assert "Search on" not in text
    assert re.search(r"/api/method/ping</a></span>\s*<span class=\"number\">6[01]</span>", text)


# 417


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("status=abc", "Status: choose"),
        ("status=-1", "Status: choose"),
        ("from=rubbish", "From: give a date"),
        ("to=2026-13-01", "Until: give a date"),
        ("from=2026-02-02&to=2026-02-01", "Until: give a time after From"),
        ("since=x", "Time: choose"),
        ("scheme=token%20", ""),
        ("scheme=digest", "Scheme: choose"),
        ("whose=hers", "Requests: choose"),
        ("path=" + "x" * 401, "Path contains: give at most"),
        ("user=" + "x" * 3000, "User: give at most"),
        ("after=rubbish", "Begin with the newest"),
        ("after=-1", "Begin with the newest"),
        ("after=99999999999999999999", "Begin with the newest"),
    ],
)
def test_what_cannot_be_understood_shows_norows_in(logged: LoggedService, query: str, problem: str) -> None:
    """The sentence names the filter and says what would be right, and its chip takes it away."""
    answer = logged.open(f"{LOG}?{query}&key=none", MANAGER)

    text = assert_page(answer)
    assert answer.status == (417 if problem else 200)
    assert problem in text
    assert rows_in(text) == []
    if problem:
        assert 'role="alert">' in text
        assert 'class="empty"' not in text
