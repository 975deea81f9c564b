"""The logs as somebody reads them who looks for what was refused: by mouse, by keyboard, without a script."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Locator, Page, StorageState, expect

from support.asgi import PASSWORD
from support.running import RunningLatchgate

OpenPage = Callable[..., Page]
LOG, ACTIVITY = "/app/request-log", "/app/activity"
_PING = "/api/method/ping"
_HOST = "reports.example.com"
_LONG_HOST = f"{'a' * 60}.{'b' * 60}.example.com"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server with two keys, of which each made good requests and one a bad one."""
    home = Path(tmp_path_factory.mktemp("logs")) / "home"
    running = RunningLatchgate(home, LATCHGATE_ADMIN_PASSWORD=PASSWORD, LATCHGATE_TRUSTED_PROXIES="127.0.0.1").start()
    running.ask("rule", "create", "--host", "*.example.com")
    for name in ("api", "other"):
        running.ask("user", "create", f"{name}@example.com", "--first-name", name.title())
        made = running.ask("key", "generate", f"{name}@example.com")
        for number in range(60 if name == "other" else 3):
            _send(running, made["api_key"], made["api_secret"], f"{_PING}?{name}={number}")
        if name == "api":
            for host in (_HOST, _LONG_HOST):
                _ask_as_proxy(running, made["api_key"], made["api_secret"], host)
            _send(running, made["api_key"], "wrong-secret", _PING)
    _send(running, "lgk_unknown", "wrong-secret", "/api/method/stranger")
    yield running
    assert running.stop() == 0


def _send(running: RunningLatchgate, key: str, secret: str, path: str) -> None:
    requests.get(f"{running.base}{path}", headers={"Authorization": f"token {key}:{secret}"}, timeout=30)


def _ask_as_proxy(running: RunningLatchgate, key: str, secret: str, host: str) -> None:
    told = {"Host": host, "X-Original-Method": "GET", "X-Original-URI": "/quarter", "X-Forwarded-For": "192.0.2.7"}
    headers = {**told, "Authorization": f"token {key}:{secret}"}
    answer = requests.get(f"{running.base}/auth/verify?proxy=nginx", headers=headers, timeout=30)
    assert answer.status_code == 204


def _chosen(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def _chips(page: Page) -> Locator:
    return page.get_by_role("list", name="Filters").get_by_role("listitem")


def _row(page: Page, text: str) -> Locator:
    return page.locator(".rows tbody tr:not(.whole)", has_text=text)


@pytest.mark.parametrize("width", [1280, 375])
def test_from_a_refusal_to_all_requests_of_its_key(open_page: OpenPage, signed_in: StorageState, width: int) -> None:
    """Filter, open, "same key", and take the filter away: each step is in the address."""
    page = open_page(storage_state=signed_in, viewport={"width": width, "height": 800})
    page.goto("/app")
    if width < 800:
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Request Log").click()

    page.get_by_label("Status").select_option("Refused (401, 403)")
    expect(_chips(page).filter(has_text="Status: refused")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/app/request-log\?status=refused$"))
    expect(_row(page, "401")).to_have_count(2)
    _row(page, _PING).get_by_role("link").click()
    expect(page).to_have_url(re.compile("open="))
    whole = page.locator("tr.whole")
    expect(whole).to_contain_text("the secret was wrong")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    whole.get_by_role("link", name="same key").click()
    expect(_chips(page).filter(has_text="API key: lgk_")).to_be_visible()
    expect(_row(page, _PING)).to_have_count(1)
    page.get_by_role("link", name="Take away: Status").click()

    expect(_row(page, _PING)).to_have_count(4)
    assert _chosen(page).keys() == {"key"}
    expect(page.get_by_label("API key")).to_be_visible()
    expect(page.get_by_label("API key")).to_have_value(_chosen(page)["key"])
    page.go_back()
    expect(_chips(page).filter(has_text="Status: refused")).to_be_visible()


def test_a_row_opens_where_it_stands_and_closes_again(open_page: OpenPage, signed_in: StorageState) -> None:
    """Pressed anywhere; the page stays where it was scrolled to, and the address can be sent to somebody."""
    page = open_page(storage_state=signed_in, viewport={"width": 1280, "height": 500})
    page.goto(f"{LOG}?path=other%3D")
    row = _row(page, "other=20")
    row.evaluate("(row) => row.scrollIntoView({ block: 'center' })")
    page.evaluate("window.kept = 1")
    scrolled = page.evaluate("scrollY")
    assert scrolled > 0

    row.locator("time").click()
    expect(page.locator("tr.whole")).to_contain_text("More like this")
    expect(row.get_by_role("link")).to_have_attribute("aria-expanded", "true")
    assert (page.evaluate("window.kept"), page.evaluate("scrollY")) == (1, scrolled)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("tr.whole")).to_contain_text("other=20")
    box = row.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)

    expect(page.locator("tr.whole")).to_have_count(0)
    assert _chosen(page) == {"path": "other="}
    assert (page.evaluate("window.kept"), page.evaluate("scrollY")) == (1, scrolled)


def test_a_row_opens_by_the_keyboard(open_page: OpenPage, signed_in: StorageState) -> None:
    """Enter opens and closes, the focus stays at the row, and the next Tab is within what opened."""
    page = open_page(storage_state=signed_in)
    page.goto(f"{LOG}?path=api%3D")
    link = _row(page, "api=1").get_by_role("link")

    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr.whole")).to_be_visible()
    expect(link).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("tr.whole :focus")).to_have_count(1)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    expect(page.locator("tr.whole")).to_have_count(0)
    expect(link).to_be_focused()


def test_more_filters_stay_open_while_they_are_used(open_page: OpenPage, signed_in: StorageState) -> None:
    """Typed, found, told in the chips; a time that is typed takes the place of the last 24 hours."""
    page = open_page(storage_state=signed_in)
    page.goto(LOG)
    expect(page.get_by_label("User", exact=True)).to_be_hidden()

    page.get_by_text("More filters").click()
    page.get_by_label("User", exact=True).fill("other@example.com")
    page.get_by_label("User", exact=True).press("Tab")
    expect(_chips(page).filter(has_text="User: other@example.com")).to_be_visible()
    page.get_by_label("From").fill("2026-01-01T09:30:00")
    page.get_by_label("From").press("Tab")
    expect(_chips(page).filter(has_text="From: 1 January 2026, 09:30:00 UTC")).to_be_visible()
    expect(_chips(page)).to_have_count(2)
    page.get_by_role("link", name="Older").click()
    expect(_row(page, "other=")).to_have_count(10)
    expect(page.get_by_label("From")).to_have_value(re.compile("2026-01-01T09:30"))
    page.get_by_role("link", name="Newest").click()

    expect(_row(page, "other=59")).to_be_visible()
    assert "after" not in _chosen(page)


def test_what_cannot_be_understood_is_said(open_page: OpenPage, signed_in: StorageState) -> None:
    """Instead of rows; its chip takes it away."""
    page = open_page(storage_state=signed_in, watched=False)
    page.goto(f"{LOG}?status=abc")

    expect(page.get_by_role("alert").filter(has_text="Status: choose")).to_be_visible()
    expect(page.locator(".rows")).to_have_count(0)
    page.get_by_role("link", name="Take away: Status: abc").click()

    expect(_row(page, "other=59")).to_be_visible()


def test_the_activity_says_who_did_what(open_page: OpenPage, signed_in: StorageState) -> None:
    """In words; the same subject's whole story is one press away."""
    page = open_page(storage_state=signed_in)
    page.goto("/app")
    page.get_by_role("link", name="Activity").click()
    page.wait_for_url("**/app/activity")

    page.get_by_label("Operation").select_option("User made")
    expect(_chips(page).filter(has_text="Operation: User made")).to_be_visible()
    expect(_row(page, "User made")).to_have_count(2)
    _row(page, "api@example.com").get_by_role("link").click()
    whole = page.locator("tr.whole")
    expect(whole).to_contain_text("by the command line")
    whole.get_by_role("link", name="same subject").click()

    expect(_chips(page).filter(has_text="Subject: api@example.com")).to_be_visible()
    expect(_row(page, "User made")).to_have_count(1)


def test_a_user_s_requests_lead_to_the_log(open_page: OpenPage, signed_in: StorageState) -> None:
    """From the tab Activity of the user's form, whose rows open alike."""
    page = open_page(storage_state=signed_in)
    page.goto("/app/user/other@example.com?tab=activity")

    _row(page, "other=55").get_by_role("link").click()
    expect(page.locator("tr.whole")).to_contain_text("More like this")
    page.get_by_role("link", name="All of them in the Request Log").click()

    expect(page.get_by_role("heading", name="Request Log")).to_be_visible()
    assert _chosen(page) == {"user": "other@example.com", "since": "any"}
    expect(_row(page, "other=")).to_have_count(50)


def test_without_a_script(open_page: OpenPage, signed_in: StorageState) -> None:
    """Filters, rows and pages are links and a form."""
    options: dict[str, Any] = {"java_script_enabled": False, "storage_state": signed_in}
    page = open_page(**options)
    page.goto(LOG)

    page.get_by_label("Status").select_option("Refused (401, 403)")
    page.get_by_role("button", name="Search").click()
    expect(_row(page, "401")).to_have_count(2)
    _row(page, _PING).get_by_role("link").click()
    expect(page.locator("tr.whole")).to_contain_text("the secret was wrong")
    page.get_by_role("link", name="This row by itself").click()
    expect(page.get_by_role("heading", name="Request", exact=True)).to_be_visible()
    page.get_by_role("link", name="same key").click()
    expect(_row(page, _PING)).to_have_count(4)
    page.get_by_role("link", name="Take away: API key").click()
    page.get_by_role("link", name="Older").click()

    expect(_row(page, "other=10")).to_be_visible()


def test_to_leave_the_search_asks_nothing(open_page: OpenPage, signed_in: StorageState) -> None:
    """What was typed is there already: a row that is pressed is not exchanged for another while it opens."""
    page = open_page(storage_state=signed_in)
    page.goto(f"{LOG}?path=%2Fquarter")
    page.get_by_role("searchbox").fill("eports.exam")
    expect(_row(page, "/quarter")).to_have_count(1)
    expect(page).to_have_url(re.compile("search=eports.exam"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.get_by_role("searchbox").blur()
    page.wait_for_timeout(100)

    assert asked == []


@pytest.mark.parametrize("width", [1280, 375])
def test_which_application_was_asked_for(open_page: OpenPage, signed_in: StorageState, width: int) -> None:
    """Searched for, read before the path, opened, and narrowed to; however long its name, the page is no wider."""
    page = open_page(storage_state=signed_in, viewport={"width": width, "height": 800})
    page.goto(f"{LOG}?path=%2Fquarter")
    expect(_row(page, "/quarter")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("searchbox").fill("eports.exam")
    row = _row(page, f"GET {_HOST}/quarter")
    expect(_row(page, "/quarter")).to_have_count(1)

    row.get_by_role("link").click()
    whole = page.locator("tr.whole")
    expect(whole).to_contain_text(re.compile(rf"Host\s*{re.escape(_HOST)}"))
    whole.get_by_role("link", name="same host").click()

    expect(_chips(page).filter(has_text=f"Host: {_HOST}")).to_be_visible()
    expect(page.get_by_label("Host", exact=True)).to_have_value(_HOST)
    assert _chosen(page)["host"] == _HOST
    page.goto(f"{LOG}?host={_LONG_HOST}")
    _row(page, "/quarter").get_by_role("link").click()
    expect(page.locator("tr.whole")).to_contain_text(_LONG_HOST)
    assert page.evaluate("document.documentElement.scrollWidth") == width
