"""The walk that Frappe's users know, by the names that a person sees: from the list of users to a secret that works."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, StorageState, expect

from support.running import RunningLatchgate

OpenPage = Callable[..., Page]


def _make_user(page: Page, email: str, first_name: str) -> None:
    page.goto("/app/user")
    page.get_by_role("link", name="New user").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("First name").fill(first_name)
    page.get_by_role("button", name="Create user").click()
    expect(page.get_by_role("status")).to_have_text("Created.")


def _asked_as(running: RunningLatchgate, key: str, secret: str) -> tuple[int, Any]:
    headers = {"Authorization": f"token {key}:{secret}"}
    answer = requests.get(f"{running.base}/api/method/frappe.auth.get_logged_user", headers=headers, timeout=30)
    return answer.status_code, answer.json().get("message")


def _generate(page: Page, name: str) -> Locator:
    page.goto("/app/user")
    page.get_by_role("link", name=name).click()
    page.get_by_role("tab", name="Settings").click()
    page.locator("summary", has_text="API Access").click()
    page.get_by_role("button", name="Generate Keys").click()
    return page.get_by_role("dialog", name="API Secret")


@pytest.mark.parametrize("width", [1280, 375])
def test_the_walk(open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState, width: int) -> None:
    """User list, user, Settings, API Access, Generate Keys: the secret opens requests as the user, shown once."""
    email, name = f"robot{width}@example.com", f"Robot{width}"
    page = open_page(
        storage_state=signed_in,
        viewport={"width": width, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
    )
    _make_user(page, email, name)

    dialog = _generate(page, name)
    expect(dialog).to_contain_text("Copy this value now. It will not be shown again.")
    dialog.get_by_role("button", name="Copy the secret").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    secret = page.evaluate("navigator.clipboard.readText()")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    key = page.get_by_label("API Key", exact=True).input_value()

    assert _asked_as(running, key, secret) == (200, email)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert secret not in page.content()
    page.reload()
    assert secret not in page.content()
    assert page.get_by_label("API Key", exact=True).input_value() == key


def test_the_walk_by_the_keyboard(open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState) -> None:
    """No step of it needs a pointer."""
    page = open_page(storage_state=signed_in)
    _make_user(page, "keys@example.com", "Keyboard")
    page.goto("/app/user")

    page.get_by_role("link", name="Keyboard").focus()
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Details").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
    # Until then the browser would send the form by itself, and the dialog be part of another page.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")).to_have_count(0)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("API Key", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="API Secret")
    secret = dialog.locator("#secret").inner_text()
    page.wait_for_function("document.querySelector('dialog:modal')")
    page.keyboard.press("Escape")
    expect(dialog.get_by_role("alert")).to_contain_text("not copied yet")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("link", name="Generate Keys")).to_be_focused()

    key = page.get_by_label("API Key", exact=True).input_value()
    assert _asked_as(running, key, secret) == (200, "keys@example.com")


def test_a_second_secret_says_first_what_stops(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """The second time it asks, and the former secret ends."""
    page = open_page(storage_state=signed_in)
    _make_user(page, "twice@example.com", "Twice")
    first = _generate(page, "Twice").locator("#secret").inner_text()
    page.goto("/app/user/twice@example.com?tab=settings")
    key = page.get_by_label("API Key", exact=True).input_value()
    assert _asked_as(running, key, first)[0] == 200

    page.locator("summary", has_text="API Access").click()
    page.get_by_role("link", name="Generate Keys").click()
    asks = page.get_by_role("dialog", name="Generate Keys")
    expect(asks).to_contain_text("stops working at once")
    expect(asks).to_contain_text(re.compile("used once within a day, from one address; last .+ from 127.0.0.1"))
    asks.get_by_role("button", name="Replace the secret").click()
    second = page.get_by_role("dialog", name="API Secret").locator("#secret").inner_text()

    assert second != first
    assert _asked_as(running, key, first)[0] == 401
    assert _asked_as(running, key, second) == (200, "twice@example.com")


def test_keys_are_made_rotated_and_revoked(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """A further key with its limits; both secrets for a while after a rotation; none after its end."""
    page = open_page(storage_state=signed_in)
    _make_user(page, "more@example.com", "More")
    page.locator("summary", has_text="API Access").click()
    page.get_by_role("link", name="New key").click()
    page.get_by_label("Label").fill("backup")
    page.get_by_label("From where").fill("127.0.0.0/8\n10.0.0.0/8")
    page.get_by_role("button", name="Create key").click()
    first = page.get_by_role("dialog", name="API Secret").locator("#secret").inner_text()
    page.goto("/app/user/more@example.com?tab=settings")
    page.locator("summary", has_text="API Access").click()
    row = page.get_by_role("row", name="backup")
    key = row.locator("code").get_attribute("title") or ""
    expect(row).to_contain_text("127.0.0.0/8, 10.0.0.0/8")

    row.get_by_role("link", name="Rotate").click()
    page.get_by_role("button", name="Rotate key").click()
    second = page.get_by_role("dialog", name="API Secret").locator("#secret").inner_text()
    assert [_asked_as(running, key, secret)[0] for secret in (first, second)] == [200, 200]
    page.goto("/app/user/more@example.com?tab=settings")
    page.locator("summary", has_text="API Access").click()
    expect(row).to_contain_text("former secret works for another")
    row.get_by_role("link", name="Revoke").click()
    page.get_by_role("dialog", name="Revoke key").get_by_role("button", name="Revoke key").click()

    expect(page.get_by_role("status")).to_contain_text("The key was revoked.")
    assert [_asked_as(running, key, secret)[0] for secret in (first, second)] == [401, 401]
    expect(page.get_by_role("row", name="backup")).to_have_count(0)


def test_the_walk_without_a_script(open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState) -> None:
    """The secret stands in the page that answers."""
    page = open_page(storage_state=signed_in, java_script_enabled=False)
    _make_user(page, "plain@example.com", "Plain")

    dialog = _generate(page, "Plain")
    secret = dialog.locator("#secret").inner_text()
    key = page.get_by_label("API Key", exact=True).input_value()

    assert _asked_as(running, key, secret) == (200, "plain@example.com")


def test_what_was_typed_is_kept(open_page: OpenPage, signed_in: StorageState) -> None:
    """A refused user and a user that somebody else changed meanwhile."""
    page = open_page(storage_state=signed_in, watched=False)
    page.goto("/app/user/new")
    page.get_by_label("Email").fill("weak@example.com")
    page.get_by_label("First name").fill("Weak")
    page.locator("form").evaluate_all("(forms) => forms.forEach((form) => { form.noValidate = true; })")
    page.get_by_label("With a password").check()
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Create user").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("First name")).to_have_value("Weak")
    assert page.get_by_label("Password", exact=True).input_value() == ""

    page.get_by_label("For API calls only").check()
    expect(page.get_by_label("Password", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Create user").click()
    expect(page.get_by_role("status")).to_have_text("Created.")
    other = page.context.new_page()
    for one in (page, other):
        one.goto("/app/user/weak@example.com")
    page.get_by_label("Last name").fill("First")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    other.get_by_label("Last name").fill("Second")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert").filter(has_text="Somebody else changed this")).to_be_visible()
    expect(other.get_by_label("Last name")).to_have_value("Second")


def test_roles_are_granted_and_spelt_out(open_page: OpenPage, signed_in: StorageState) -> None:
    """A box for each role; below, what they allow; the list finds the user by its role."""
    page = open_page(storage_state=signed_in)
    _make_user(page, "roles@example.com", "Roles")
    page.get_by_role("tab", name="Roles & Permissions").click()
    page.get_by_label("System Manager").check()
    page.get_by_role("button", name="Save roles").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_label("System Manager")).to_be_checked()
    expect(page.get_by_role("row", name="API Key read, write, create, delete System Manager")).to_be_visible()

    page.goto("/app/user")
    page.get_by_label("Role").select_option("System Manager")
    page.wait_for_url("**/user?*role=System*")
    expect(page.get_by_text("Role: System Manager")).to_be_visible()
    expect(page.get_by_role("link", name="Roles", exact=True).last).to_be_visible()
    page.get_by_label("Search users").fill("nobody at all")
    expect(page.get_by_text("No users match.")).to_be_visible()


def test_activity_is_the_user_s_own(open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState) -> None:
    """The requests of this user, the refused ones too where they are known to be its."""
    page = open_page(storage_state=signed_in)
    _make_user(page, "active@example.com", "Active")
    secret = _generate(page, "Active").locator("#secret").inner_text()
    page.goto("/app/user/active@example.com?tab=settings")
    key = page.get_by_label("API Key", exact=True).input_value()
    assert _asked_as(running, key, secret)[0] == 200

    page.get_by_role("tab", name="Activity").click()

    row = page.get_by_role("row", name="get_logged_user")
    expect(row).to_contain_text("200")
