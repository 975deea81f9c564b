"""Every page that there is: it fits, wide and narrow, has no barriers, light and dark, and is light to load."""

import re
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Page, Request, StorageState, expect

from latchgate.server.openapi_texts import PAGES as ROUTES
from support.applications import connect_application
from support.asgi import PASSWORD
from support.browsers import find_barriers
from support.running import RunningLatchgate

USER, RECORD = "/app/user/api@example.com", "/app/source/API%20Device/record/Front%20door"
CONSUMER = "/app/event-consumer/Billing%20system"
PAGES = [
    "/app",
    "/me",
    *(f"/me?tab={tab}" for tab in ("keys&done=revoked", "apps", "sessions", "requests", "activity")),
    "/me/app/{app}/disconnect",
    *(f"/me/{page}" for page in ("new-key", "generate-keys", "password", "key/{own}/rotate", "key/{own}/revoke")),
    "/app/search",
    "/app/search?q=a",
    "/app/search?q=nothing+at+all",
    "/app/user",
    "/app/user/new",
    *(f"{USER}?tab={tab}" for tab in ("details", "roles", "settings&done=revoked", "activity", "sessions")),
    f"{USER}/end-second-factor",
    *(f"/me/second-factor{page}" for page in ("", "/set-up", "/recovery-codes", "/turn-off")),
    *(f"{USER}/{page}" for page in ("new-key", "generate-keys", "key/{key}/rotate", "key/{key}/revoke")),
    "/app/source",
    "/app/source?new=1",
    "/app/source/API%20Device",
    "/app/source/API%20Device/delete",
    RECORD,
    f"{RECORD}/delete",
    *(f"{RECORD}/{page}" for page in ("new-key", "generate-keys", "key/{door}/rotate", "key/{door}/revoke")),
    "/app/event-consumer",
    "/app/event-consumer?new=1",
    CONSUMER,
    f"{CONSUMER}/delete",
    *(f"{CONSUMER}/{page}" for page in ("new-key", "generate-keys", "key/{bill}/rotate", "key/{bill}/revoke")),
    "/app/settings",
    "/app/settings?done=saved",
    *(f"/app/access-rule{page}" for page in ("", "/new", "/RULE-1", "/RULE-1/delete")),
    "/app/access-rule?method=GET&url=https://api.example.com/reports/../7&user=api@example.com",
    *(f"/app/role{page}" for page in ("", "?new=1", "/Deployer", "/Deployer/delete", "/System%20Manager", "/Guest")),
    "/app/user/Administrator/app/{app}/disconnect",
    *(f"/app/oauth-client{page}" for page in ("", "?search=nothing&state=revoked", "/new")),
    *(
        f"/app/oauth-client/{{app}}{page}"
        for page in ("", "?tab=tokens", "?tab=activity", "/rotate", "/revoke", "/delete")
    ),
    "/app/oauth-client/{app}/token/{token}/end",
    "/app/api-key",
    "/app/api-key?finding=wide&state=live",
    "/app/api-key/new",
    "/app/api-key/revoke?key:User:{key}=1&key:User:{own}=1&key:User:nobodys=1",
    *(
        f"/app/api-key/{key}{page}"
        for key in ("User/{key}", "API%20Device/{door}")
        for page in ("", "/rotate", "/revoke")
    ),
    "/app/request-log",
    "/app/request-log?method=GET&open=1",
    "/app/request-log/1",
    "/app/activity?since=any&open=1",
    "/app/activity/1",
    *(f"/app/components{view}" for view in ("", "?tab=lists&enabled=yes", "?tab=values", "?dialog=secret")),
]
_SHOW_NOTHING = {
    *("/logout", "/me/session/{name}/end", "/me/end-other-sessions", "/app/user/{name}/session/{session}/end"),
    *("/app/user/{name}/end-sessions", "/app/role/{name}/second-factor", "/me/second-factor/download"),
    *("/app/request-log/tail", "/app/request-log/export", "/app/activity/export", "/app/access-rule/{name}/move"),
    *("/app/api-key/{source}/{key}/end-former-secret", "/app/settings/{section}"),
}
_ELSEWHERE = {
    *("/login/code", "/login/second-factor", "/me/second-factor/confirm"),
    *("/", "/login", "/setup/{name}", "/reset-password/{name}", "/app/user/{name}/reset-link", "/api/docs"),
}
"""Tested below, and with what they are for."""
_FIRST_LOAD_BYTES_MAX = 200_000
LOOKS = [("light", 1280), ("dark", 375)]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server in development whose Administrator can sign in."""
    home = Path(tmp_path_factory.mktemp("desk")) / "home"
    running = RunningLatchgate(home, LATCHGATE_ADMIN_PASSWORD=PASSWORD, LATCHGATE_DEVELOPMENT="true").start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def keys(running: RunningLatchgate) -> dict[str, str]:
    """Give what stands for keys in addresses, once there is something to show on every page."""
    running.ask("role", "create", "Deployer")
    running.ask("user", "create", "api@example.com", "--first-name", "Maximiliane", "--last-name", "Mustermann " * 5)
    running.ask("source", "create", "API Device")
    running.ask("source", "record", "create", "API Device", "Front door", "--user", "api@example.com")
    running.ask("source", "record", "create", "Event Consumer", "Billing system", "--user", "api@example.com")
    made = {
        "own": running.ask("key", "generate", "Administrator", "--label", "Laptop"),
        "key": running.ask(
            "key", "generate", "api@example.com", "--label", "A label as long as nobody would type " * 3
        ),
        "door": running.ask("key", "generate", "Front door", "--source", "API Device", "--scope", "User:read"),
        "bill": running.ask("key", "generate", "Billing system", "--source", "Event Consumer"),
    }
    running.ask("rule", "create", "--host", "api.example.com", "--path", "/reports/*", "--role", "System Manager")
    running.ask("rule", "create", "--host", "api.example.com", "--path", "/reports/never", "--allow-guest")
    running.ask("setting", "set", "key_days_max", "400")
    running.ask("key", "rotate", str(made["key"]["api_key"]), "--overlap", "24h")
    app, token = connect_application(running, "Administrator", PASSWORD)
    return {"app": app, "token": token} | {name: str(one["api_key"]) for name, one in made.items()}


def _options(theme: str, width: int) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": 900}, "color_scheme": theme}


def _show(page: Page, theme: str, width: int) -> None:
    """Let a page that is open be seen by the other theme and another window; it is drawn so when this returns."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=cast("Any", theme))
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def _fits(page: Page, width: int) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") == width)


def test_no_page_is_left_out() -> None:
    """Whatever the route table has to look at is looked at."""
    looked_at = {path.partition("?")[0] for path in PAGES}
    for route in ROUTES.keys() - _SHOW_NOTHING - _ELSEWHERE:
        if route == "/me" or route.startswith(("/app", "/me/")):
            pattern = re.compile(re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(route)))
            assert any(map(pattern.fullmatch, looked_at)), route


# Every second page is opened on the phone and grows wide and light, the others the other way round.
@pytest.mark.parametrize(("path", "looks"), [*zip(PAGES, cycle((LOOKS, LOOKS[::-1])), strict=False)], ids=PAGES)
def test_a_page_fits_and_has_no_barriers(
    open_page: OpenPage,
    signed_in: StorageState,
    keys: dict[str, str],
    path: str,
    looks: list[tuple[str, int]],
) -> None:
    """No page is wider than its window, complains, or is hard to use for whoever cannot see, point or tell colours."""
    # Colours that change slowly would be looked at on their way.
    page = open_page(storage_state=signed_in, reduced_motion="reduce", **_options(*looks[0]))
    requests: list[Request] = []
    page.on("requestfinished", lambda request: requests.append(request))  # noqa: PLW0108  # Playwright marks what it is given

    page.goto(path.format_map(keys))

    expect(page.locator("h1").first).to_be_visible()
    sizes = [request.sizes() for request in requests]
    assert len(requests) >= 3
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) < _FIRST_LOAD_BYTES_MAX
    for theme, width in looks:
        _show(page, theme, width)
        assert _fits(page, width)
        assert find_barriers(page) == []


@pytest.mark.parametrize("path", ["/login", "/setup/lgl_ended"])
def test_a_page_before_the_desk_has_no_barriers(open_page: OpenPage, path: str) -> None:
    """Signing in least of all; on a phone."""
    page = open_page(refusals=True, reduced_motion="reduce", viewport={"width": 375, "height": 700})

    page.goto(path)

    expect(page.locator("h1")).to_be_visible()
    for theme in ("light", "dark"):
        _show(page, theme, 375)
        assert _fits(page, 375)
        assert find_barriers(page) == []


def test_what_is_shown_once_has_no_barriers(open_page: OpenPage, signed_in: StorageState, keys: dict[str, str]) -> None:
    """The secret, the reset link, and the page that the link opens; Undo, and the page that refuses it."""
    page = open_page(storage_state=signed_in, reduced_motion="reduce")

    def look(at: Page) -> None:
        for theme, width in LOOKS:
            _show(at, theme, width)
            assert _fits(at, width)
            assert find_barriers(at) == []

    page.goto(f"{USER}/key/{keys['key']}/rotate")
    page.get_by_role("button", name="Rotate key").click()
    expect(page.get_by_role("dialog", name="API Secret").locator("#secret")).to_be_visible()
    look(page)
    page.goto(f"{USER}?tab=settings")
    page.locator("summary", has_text="Password").click()
    page.get_by_role("button", name="Make reset link").click()
    link = page.get_by_role("dialog", name="Reset link").locator("#link").inner_text()
    look(page)
    guest = open_page(reduced_motion="reduce")
    guest.goto(link)
    expect(guest.get_by_label("The same again")).to_be_visible()
    look(guest)
    page.goto(USER)
    page.get_by_label("First name").fill("Renamed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    look(page)
    # Its refusal is an answer that the browser complains of.
    again = open_page(watched=False, storage_state=page.context.storage_state(), reduced_motion="reduce")
    again.goto(page.url)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Undone.")
    again.get_by_role("button", name="Undo").click()
    expect(again.get_by_role("heading", name="Nothing was undone", level=1)).to_be_visible()
    look(again)
