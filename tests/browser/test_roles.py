"""Roles and what they allow, by the names that a person sees: what is ticked, a key can do from then on."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, StorageState, expect

from support.running import RunningLatchgate

OpenPage = Callable[..., Page]
_WIDE, _PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 800}


def _make_role(page: Page, name: str) -> None:
    page.goto("/app/role")
    page.get_by_role("link", name="New role").click()
    dialog = page.get_by_role("dialog", name="New role")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Create role").click()
    expect(page.get_by_role("status")).to_have_text("Created.")
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def _make_reader(running: RunningLatchgate, email: str, role: str) -> dict[str, str]:
    running.ask("user", "create", email, "--role", role)
    key: dict[str, Any] = running.ask("key", "generate", email)
    return {"Authorization": f"token {key['api_key']}:{key['api_secret']}"}


def _save(page: Page) -> None:
    # The page may still say so of the last time: what counts is that the server has answered.
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_role("button", name="Save permissions").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")


def _status_of_roles(running: RunningLatchgate, headers: dict[str, str]) -> int:
    return requests.get(f"{running.base}/api/resource/Role", headers=headers, timeout=30).status_code


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("viewport", [_WIDE, _PHONE])
def test_what_is_ticked_can_be_done(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState, viewport: dict[str, int], *, scripts: bool
) -> None:
    """Make a role, tick its boxes, save: a user who has it may, and may no more when the box is cleared."""
    name = f"Reader {viewport['width']}{' plain' if not scripts else ''}"
    page = open_page(storage_state=signed_in, viewport=viewport, java_script_enabled=scripts)
    _make_role(page, name)
    reader = _make_reader(running, f"{name.replace(' ', '.').lower()}@example.com", name)
    assert _status_of_roles(running, reader) == 403

    page.get_by_role("checkbox", name="Role: read all").check()
    page.get_by_role("checkbox", name="API Key: delete own").check()
    _save(page)
    page.reload()
    expect(page.get_by_role("checkbox", name="Role: read all")).to_be_checked()
    expect(page.get_by_role("checkbox", name="API Key: delete own")).to_be_checked()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert _status_of_roles(running, reader) == 200
    page.get_by_role("checkbox", name="Role: read all").uncheck()
    _save(page)
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)
    assert _status_of_roles(running, reader) == 403


def test_roles_by_the_keyboard(open_page: OpenPage, signed_in: StorageState) -> None:
    """No step needs a pointer: the dialog, the boxes, saving, and the deletion."""
    page = open_page(storage_state=signed_in)
    page.goto("/app/role")
    page.get_by_role("link", name="New role").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keyboard", level=1)).to_be_visible()

    page.get_by_role("region", name="Permissions").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name="Access Rule: read all")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name="Access Rule: write all")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_role("checkbox", name="Access Rule: read all")).to_be_checked()
    page.get_by_role("link", name="Delete role").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Delete role")
    expect(dialog).to_contain_text("Nobody has it. One permission ends with it.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("link", name="Delete role")).to_be_focused()
    page.keyboard.press("Enter")
    # Its own move of the focus comes after it is shown, and would take the key from the other button.
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Delete role").press("Enter")

    expect(page.get_by_role("status")).to_have_text("Deleted.")
    expect(page.get_by_role("link", name="Keyboard")).to_have_count(0)


def test_what_was_entered_is_kept(open_page: OpenPage, signed_in: StorageState) -> None:
    """A name that is taken, and a grid that somebody else changed meanwhile."""
    page = open_page(storage_state=signed_in, watched=False)
    _make_role(page, "Kept")
    page.goto("/app/role")
    page.get_by_role("link", name="New role").click()
    page.get_by_label("Name").fill("kept")
    page.get_by_role("button", name="Create role").click()
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("dialog", name="New role")).to_contain_text("There is a role Kept already.")
    expect(page.get_by_label("Name")).to_have_value("kept")

    other = page.context.new_page()
    for one in (page, other):
        one.goto("/app/role/Kept")
    page.get_by_role("checkbox", name="User: read all").check()
    page.get_by_role("button", name="Save permissions").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    other.get_by_role("checkbox", name="Role: read all").check()
    other.get_by_role("button", name="Save permissions").click()
    expect(other.get_by_role("alert").filter(has_text="Somebody else changed this")).to_be_visible()
    expect(other.get_by_role("checkbox", name="Role: read all")).to_be_checked()
    expect(other.get_by_role("checkbox", name="User: read all")).not_to_be_checked()


def test_from_a_role_to_its_users_and_back(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """The list finds the role, the role its users, a user's rights the role."""
    page = open_page(storage_state=signed_in)
    name = "R&D / <b>'quoted'</b>"
    _make_role(page, name)
    _make_reader(running, "rd@example.com", name)
    page.get_by_role("checkbox", name="User: read all").check()
    page.get_by_role("button", name="Save permissions").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Roles").click()
    page.get_by_label("Search roles").fill("quoted")
    row = page.get_by_role("row", name=name)
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row.get_by_role("cell")).to_have_text([name, "1", "1"])
    # The link of the first cell is stretched over the whole row.
    row.get_by_role("cell").nth(2).click(force=True)
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    page.get_by_role("link", name="Show this user in the list").click()
    expect(page.get_by_role("link", name=f"Take away: Role: {name}")).to_be_visible()
    page.get_by_role("link", name="rd@example.com").click()
    page.get_by_role("tab", name="Roles & Permissions").click()
    page.get_by_role("link", name=name).click()

    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
