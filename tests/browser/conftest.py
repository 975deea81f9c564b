"""A browser on a real server; whatever its pages complain of fails the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from support.asgi import PASSWORD
from support.browsers import ARGUMENTS, LACKING, find_program, watch
from support.running import RunningLatchgate

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
    program = find_program()
    if program is None:
        pytest.fail(LACKING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
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

    def open_one(
        *,
        watched: bool = True,
        refusals: bool = False,
        beside: str = "",
        **options: Any,  # noqa: ANN401  # as Playwright names them
    ) -> Page:
        contexts.append(browser.new_context(base_url=running.base, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(_PATIENCE_MILLISECONDS)
        # It keeps a patience of its own, of five seconds.
        expect.set_options(timeout=_PATIENCE_MILLISECONDS)
        if watched:
            watch(page, (running.base, beside or running.base), complaints, refusals=refusals)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
