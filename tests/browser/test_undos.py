"""Undo as somebody uses it who has no mouse, or no script; and how often a list is asked for."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, StorageState, expect

from support.running import RunningLatchgate

OpenPage = Callable[..., Page]
_ADDRESS = "/app/user/clerk%40example.com"


@pytest.fixture(scope="module")
def clerk(running: RunningLatchgate) -> str:
    """A user whose name is changed."""
    running.ask("user", "create", "clerk@example.com", "--first-name", "Clark")
    return "clerk@example.com"


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.usefixtures("clerk")
def test_undo_by_keyboard(open_page: OpenPage, signed_in: StorageState, *, scripts: bool) -> None:
    """Enter at Undo undoes the change, and then there is nothing more to undo."""
    page = open_page(storage_state=signed_in, java_script_enabled=scripts)
    page.goto(_ADDRESS)
    page.get_by_label("First name").fill("Wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_role("heading", name="Wrong", level=1)).to_be_visible()

    # The message takes the focus by itself, a moment after it is shown.
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Undone. What stood before the change stands again.")
    expect(page.get_by_label("First name")).to_have_value("Clark")
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_enter_in_a_filter_asks_once(open_page: OpenPage, signed_in: StorageState) -> None:
    """Though it is a change of the field as well; and so does another choice."""
    page = open_page(storage_state=signed_in)
    # What waits comes when the test lets time pass, however slow the machine is.
    page.clock.install()
    page.goto("/app/user")
    page.clock.pause_at("2100-01-01")
    asked: list[str] = []

    def on_request(request: Request) -> None:
        if request.resource_type in {"xhr", "fetch", "document"}:
            asked.append(request.url)

    page.on("request", on_request)
    page.get_by_label("Search users").fill("clerk")
    with page.expect_response("**/app/user?search=clerk"):
        page.keyboard.press("Enter")
    page.clock.run_for(1000)
    expect(page).to_have_url("/app/user?search=clerk")
    page.clock.run_for(1000)
    assert len(asked) == 1, asked

    page.get_by_label("Enabled").select_option("Enabled")
    with page.expect_response("**/app/user?search=clerk&enabled=yes"):
        page.clock.run_for(1000)
    page.clock.run_for(1000)
    expect(page).to_have_url("/app/user?search=clerk&enabled=yes")
    assert len(asked) == 2, asked
