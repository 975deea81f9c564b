"""The request log as it is watched: its chart, by mouse and by keyboard, and what comes while one looks."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Locator, Page, Route, StorageState, expect

from support.asgi import PASSWORD
from support.running import RunningLatchgate

OpenPage = Callable[..., Page]
Send = Callable[..., None]
LOG = "/app/request-log"
_PING = "/api/method/ping"
_ROWS_MAX = 200
_TABLE = "#results tbody tr"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server whose Administrator can sign in."""
    home = Path(tmp_path_factory.mktemp("live")) / "home"
    running = RunningLatchgate(home, LATCHGATE_ADMIN_PASSWORD=PASSWORD).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def send(running: RunningLatchgate) -> Send:
    """Make requests of a key, one of them refused to begin with."""
    running.ask("user", "create", "api@example.com", "--first-name", "Api")
    made = running.ask("key", "generate", "api@example.com")
    session = requests.Session()

    def send_some(name: str, count: int = 1, secret: str = made["api_secret"]) -> None:
        authorization = {"Authorization": f"token {made['api_key']}:{secret}"}
        for number in range(count):
            session.get(f"{running.base}{_PING}?{name}={number}", headers=authorization, timeout=30)

    send_some("before", 5)
    send_some("wrong", 1, "wrong-secret")
    return send_some


@pytest.fixture
def log(open_page: OpenPage, signed_in: StorageState, send: Send) -> Page:
    """The log, of the key's requests alone, its chart drawn: the page's own have the slash written as %2F."""
    page = open_page(storage_state=signed_in, viewport={"width": 1280, "height": 900})
    page.goto(f"{LOG}?since=1h&path=%2Fping")
    expect(page.locator(".plot canvas")).to_be_visible()
    return page


def _chosen(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def _row(page: Page, text: str) -> Locator:
    return page.locator(_TABLE, has_text=text)


def _follow(page: Page) -> None:
    page.get_by_role("button", name="Follow new requests").click()
    expect(page.get_by_role("status").filter(has_text="Following")).to_be_visible()


# The chart


def test_a_range_is_chosen_by_dragging(log: Page) -> None:
    """It stands in the address, in whole bars; the rows and the chart are of that time."""
    box = log.locator(".plot .u-over").bounding_box()
    assert box is not None

    log.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    log.mouse.down()
    log.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30, steps=4)
    log.mouse.up()

    expect(log).to_have_url(re.compile("from=.*to="))
    chosen = _chosen(log)
    assert chosen.keys() == {"path", "from", "to"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00", chosen[name]) for name in ("from", "to"))
    expect(log.get_by_role("list", name="Filters").get_by_role("listitem").filter(has_text="Until:")).to_be_visible()
    expect(log.get_by_label("From")).to_have_value(re.compile(chosen["from"][:16]))
    log.go_back()
    expect(log).to_have_url(re.compile("since=1h"))


def test_a_range_is_chosen_by_the_keyboard(log: Page) -> None:
    """The arrows tell each bar in words, with Shift they choose, Enter goes there and Escape lets go."""
    plot = log.get_by_role("group", name=re.compile("requests between"))
    said = log.locator(".chart .at")

    plot.focus()
    expect(log.locator(".chart .keys")).to_be_visible()
    log.keyboard.press("End")
    expect(said).to_have_text(re.compile("UTC: [0-9,]+ succeeded, [0-9,]+ refused or client error, 0 failed$"))
    log.keyboard.press("Shift+ArrowLeft")
    log.keyboard.press("Shift+ArrowLeft")
    expect(said).to_contain_text("(Enter: it alone)")
    log.keyboard.press("Escape")
    expect(said).to_have_text("")
    log.keyboard.press("End")
    log.keyboard.press("Shift+ArrowLeft")
    log.keyboard.press("Enter")

    expect(log).to_have_url(re.compile("from=.*to="))
    expect(_row(log, "before=4")).to_have_count(1)


def test_the_chart_follows_the_filters(log: Page) -> None:
    """It is exchanged with the rows, and says what it cannot be narrowed by."""
    expect(log.locator(".chart .aside")).to_have_text("The chart leaves the filter by path out.")

    log.get_by_label("Time").select_option("7d")

    expect(log).to_have_url(re.compile("since=7d"))
    expect(log.locator(".plot canvas")).to_have_count(1)
    expect(log.locator(".periods [aria-current]")).to_have_text("7 days")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_is_drawn_in_the_colours_of_its_theme(
    open_page: OpenPage,
    signed_in: StorageState,
    send: Send,
    scheme: Any,  # noqa: ANN401  # as Playwright names them
) -> None:
    """Also when the theme changes while it is looked at."""
    page = open_page(storage_state=signed_in, color_scheme=scheme, viewport={"width": 375, "height": 800})
    page.goto(LOG)
    expect(page.locator(".plot canvas")).to_be_visible()
    before = _inked(page)

    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")

    page.wait_for_function("before => document.querySelector('canvas').toDataURL() !== before", arg=before)
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def _inked(page: Page) -> str:
    image: str = page.evaluate("document.querySelector('canvas').toDataURL()")
    return image


def test_the_numbers_are_there_without_a_script(open_page: OpenPage, signed_in: StorageState, send: Send) -> None:
    """As a table; what needs a script is not offered."""
    page = open_page(storage_state=signed_in, java_script_enabled=False)
    page.goto(LOG)

    page.get_by_text("The numbers in a table").click()

    expect(page.locator(".numbers tbody tr").first).to_be_visible()
    expect(page.locator(".plot")).to_be_hidden()
    expect(page.get_by_role("button", name="Follow new requests")).to_be_hidden()
    page.get_by_role("navigation", name="Requests: period").get_by_role("link", name="7 days").click()
    expect(page.get_by_role("list", name="Filters")).to_contain_text("last 7 days")


def test_what_there_is_most_of_narrows_the_log(log: Page) -> None:
    """One press on a refusal's reason shows its rows."""
    log.get_by_role("link", name="the secret was wrong").click()

    expect(log.get_by_role("list", name="Filters")).to_contain_text("Reason: the secret was wrong")
    expect(log.locator(_TABLE)).to_have_count(1)


# What comes


def test_new_requests_come_by_themselves(log: Page, send: Send) -> None:
    """On top, once each, those that the filters allow; a row of them opens as every other."""
    _follow(log)

    send("fresh", 3)
    expect(_row(log, "fresh=")).to_have_count(3)
    expect(log.locator(_TABLE).first).to_contain_text("fresh=2")
    send("later")
    expect(log.locator(_TABLE).first).to_contain_text("later=0")
    expect(_row(log, "fresh=1")).to_have_count(1)
    _row(log, "fresh=1").get_by_role("link").click()

    expect(log.locator("tr.whole")).to_contain_text("fresh=1")
    expect(log.get_by_role("status").filter(has_text="Paused while you read")).to_be_visible()


def test_nothing_moves_while_one_reads(log: Page, send: Send) -> None:
    """While one points at the rows, is in them or has scrolled to them; it goes on after that, and nothing is lost."""
    _follow(log)
    paused = log.get_by_role("status").filter(has_text="Paused while you read")

    log.locator(_TABLE).nth(2).hover()
    expect(paused).to_be_visible()
    send("hovered")
    log.wait_for_timeout(2500)
    assert _row(log, "hovered=0").count() == 0
    log.mouse.move(5, 5)
    expect(_row(log, "hovered=0")).to_have_count(1)
    log.locator(_TABLE).nth(1).get_by_role("link").focus()
    expect(paused).to_be_visible()
    log.get_by_role("button", name="Pause").focus()
    expect(log.get_by_role("status").filter(has_text="Following")).to_be_visible()


def test_a_button_pauses(log: Page, send: Send) -> None:
    """And goes on, with what came meanwhile."""
    _follow(log)
    log.get_by_role("button", name="Pause").click()

    send("paused")
    log.wait_for_timeout(2500)
    assert _row(log, "paused=0").count() == 0
    log.get_by_role("button", name="Follow new requests").click()

    expect(_row(log, "paused=0")).to_have_count(1)


def test_a_page_that_is_left_alone_stops(open_page: OpenPage, signed_in: StorageState, send: Send) -> None:
    """After half an hour, so that its session grows old as it would."""
    page = open_page(storage_state=signed_in)
    page.clock.install()
    page.goto(LOG)
    _follow(page)

    page.clock.fast_forward("31:00")

    expect(page.get_by_role("status").filter(has_text="nobody was here for half an hour")).to_be_visible()
    expect(page.get_by_role("button", name="Follow new requests")).to_be_visible()


def test_a_flood_is_summed_up(log: Page, send: Send) -> None:
    """A look brings fifty rows and the number of the others, and the page keeps two hundred."""
    _follow(log)
    log.get_by_role("button", name="Pause").click()
    send("flood", 300)
    # Whoever reads the log brings all in; a look takes what is there, which is less while somebody else brings it in.
    log.request.get(LOG)

    log.get_by_role("button", name="Follow new requests").click()

    expect(log.locator("tr.gap")).to_have_text(re.compile("^and 250 more$"))
    expect(_row(log, "flood=")).to_have_count(50)
    for wave in range(4):
        log.get_by_role("button", name="Pause").click()
        send(f"wave{wave}", 60)
        log.get_by_role("button", name="Follow new requests").click()
        expect(_row(log, f"wave{wave}=59")).to_have_count(1)
    assert log.locator(_TABLE).count() <= _ROWS_MAX


def test_a_flood_that_goes_on_does_not_grow(open_page: OpenPage, signed_in: StorageState, send: Send) -> None:
    """Each look changes few rows and waits for the one before; the page keeps as many, and hears whoever pauses it."""
    send("endless", 60)
    page = open_page(storage_state=signed_in)
    page.clock.install()
    page.goto(f"{LOG}?since=1h&path=%2Fping")
    piece = page.request.get(f"{LOG}/tail?path=%2Fping&seen=0").text()
    looks: list[Route] = []

    def flood(route: Route) -> None:
        looks.append(route)
        news = re.sub(r"row-([0-9]+)", lambda row: f"row-{len(looks)}00{row[1]}", piece)
        told = re.sub('data-seen="[0-9]+"( data-more="[^"]*")?', f'data-seen="{len(looks)}" data-more="and more"', news)
        route.fulfill(body=told, content_type="text/html")

    page.route("**/tail?*", flood)
    with page.expect_response("**/tail?*"):
        page.get_by_role("button", name="Follow new requests").click()
    for _ in range(11):
        with page.expect_response("**/tail?*"):
            page.clock.run_for(2_000)

    expect(page.locator(f"#results [id^='row-{len(looks)}00']")).to_have_count(50)
    assert len(looks) == 12
    assert page.locator(_TABLE).count() == _ROWS_MAX
    assert page.locator("tr.gap").count() <= 4
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(60_000)
    assert len(looks) == 12


def test_other_filters_are_followed_too(log: Page, send: Send) -> None:
    """What was followed goes on to be, narrowed anew."""
    _follow(log)
    log.get_by_label("Status").select_option("Refused (401, 403)")
    expect(log).to_have_url(re.compile("status=refused"))

    send("good")
    send("bad", 1, "wrong-secret")

    expect(_row(log, "bad=0")).to_have_count(1)
    assert _row(log, "good=0").count() == 0


def test_a_server_that_does_not_answer_is_told(open_page: OpenPage, signed_in: StorageState, send: Send) -> None:
    """And asked again; one that refuses is not."""
    page = open_page(storage_state=signed_in, watched=False)
    page.goto(LOG)
    page.route("**/tail?*", lambda route: route.abort())
    page.get_by_role("button", name="Follow new requests").click()
    expect(page.get_by_role("status").filter(has_text="does not answer")).to_be_visible()
    page.unroute("**/tail?*")
    expect(page.get_by_role("status").filter(has_text="Following")).to_be_visible()

    page.context.clear_cookies()

    expect(page.get_by_role("status").filter(has_text="can be followed no longer")).to_be_visible()
    expect(page.get_by_role("button", name="Follow new requests")).to_be_visible()


# Files


@pytest.mark.parametrize(("form", "first"), [("CSV", "name,time,request_id,"), ("JSON lines", '{"name": ')])
def test_the_rows_are_exported(log: Page, form: str, first: str) -> None:
    """As the browser saves a file."""
    with log.expect_download() as download:
        log.get_by_role("link", name=form).click()

    path = Path(download.value.path())
    assert re.fullmatch(r"request-log-[0-9-]+\.(csv|jsonl)", download.value.suggested_filename)
    assert path.read_text().startswith(first)
