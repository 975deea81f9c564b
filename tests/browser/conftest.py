"""A browser on a real server; whatever its pages complain of fails the test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from support.asgi import PASSWORD
from support.running import RunningLatchgate

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
# The browser tells a page itself what the page's policy refused.
_WATCH_POLICY = """
    window.refused = [];
    document.addEventListener("securitypolicyviolation", (event) => {
        window.refused.push(`${event.violatedDirective} ${event.blockedURI}`);
        console.error(`refused: ${event.violatedDirective} ${event.blockedURI}`);
    });
"""
_PATIENCE_MILLISECONDS = 30_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server whose Administrator can sign in."""
    home = Path(tmp_path_factory.mktemp("browser")) / "home"
    running = RunningLatchgate(home, LATCHGATE_ADMIN_PASSWORD=PASSWORD).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a file: its event loop must be gone before other tests begin theirs."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.fail("Chromium is not here, which the browser tests need; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, running: RunningLatchgate) -> StorageState:
    """The cookies of Administrator's session."""
    context = browser.new_context(base_url=running.base)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("E-mail address or user name").fill("Administrator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_page(browser: Browser, running: RunningLatchgate) -> Iterator[Callable[..., Page]]:
    """Open pages, and hold them to asking our server, and those named beside it, alone and complaining of nothing."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_one(*, watched: bool = True, beside: str = "", **options: Any) -> Page:  # noqa: ANN401  # as Playwright names them
        contexts.append(browser.new_context(base_url=running.base, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(_PATIENCE_MILLISECONDS)
        # It keeps a patience of its own, of five seconds.
        expect.set_options(timeout=_PATIENCE_MILLISECONDS)
        if watched:
            _watch(page, (running.base, beside or running.base), complaints)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def _watch(page: Page, bases: tuple[str, ...], complaints: list[str]) -> None:
    """Gather what a page complains of: errors, what its policy refused, what failed, who else was asked."""

    def on_request(url: str) -> None:
        if not url.startswith((*bases, "data:")):
            complaints.append(f"asked: {url}")

    def on_failure(url: str, why: str) -> None:
        if why != "net::ERR_ABORTED":
            complaints.append(f"failed: {url} {why}")

    page.add_init_script(_WATCH_POLICY)
    page.on("console", lambda told: complaints.append(told.text) if told.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # What the browser itself gave up, since the page was left, has not failed.
    page.on("requestfailed", lambda request: on_failure(request.url, request.failure or ""))
    page.on("request", lambda request: on_request(request.url))
