"""Keys as an administrator looks after them: found by what deserves a look, ended together, rotated to the end."""

import re
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Page, StorageState, expect

from support.browsers import find_barriers
from support.running import RunningLatchgate

OpenPage = Callable[..., Page]
KEYS = "/app/api-key"


def _ask(running: RunningLatchgate, key: str, secret: str) -> int:
    headers = {"Authorization": f"token {key}:{secret}"}
    return requests.get(f"{running.base}/api/method/ping", headers=headers, timeout=30).status_code


def _make(running: RunningLatchgate, user: str, *labels: str) -> dict[str, tuple[str, str]]:
    running.ask("user", "create", user)
    made = {label: running.ask("key", "generate", user, "--label", label) for label in labels}
    return {label: (str(one["api_key"]), str(one["api_secret"])) for label, one in made.items()}


@pytest.mark.parametrize("scripted", [True, False])
def test_keys_are_ended_together(
    open_page: OpenPage,
    running: RunningLatchgate,
    signed_in: StorageState,
    scripted: bool,
) -> None:
    """Ticked by the keyboard, told what stops, and only then ended; with a script and without one."""
    user = f"{'scripted' if scripted else 'plain'}@example.com"
    made = _make(running, user, "One", "Two", "Three")
    assert _ask(running, *made["One"]) == 200
    page = open_page(storage_state=signed_in, java_script_enabled=scripted)
    page.goto(f"{KEYS}?owner={user}&sort=label")
    for label in ("One", "Two"):
        box = page.get_by_role("checkbox", name=f"Choose {label}")
        box.focus()
        page.keyboard.press("Space")
        expect(box).to_be_checked()
    page.get_by_role("button", name="Revoke keys").click()

    expect(page.get_by_text("2 keys will end for good.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("One"))).to_contain_text("Used once within a day by 1 address.")
    expect(page.get_by_role("row", name=re.compile("Two"))).to_contain_text("Not used within a day.")
    assert _ask(running, *made["One"]) == 200
    page.get_by_role("button", name="Revoke 2 keys").click()

    expect(page.locator(".flash")).to_have_text(re.compile("The keys were revoked"))
    assert [_ask(running, *made[label]) for label in ("One", "Two", "Three")] == [401, 401, 200]
    page.goto(f"{KEYS}?owner={user}&state=ended")
    expect(page.locator(".rows tbody tr")).to_have_count(2)
    expect(page.get_by_role("checkbox")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 360])
def test_filters_are_chips_in_the_address(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState, width: int
) -> None:
    """Chosen one after the other, taken away one by one; a row opens its key."""
    user = f"filtered{width}@example.com"
    made = _make(running, user, "Kept")
    page = open_page(storage_state=signed_in, viewport={"width": width, "height": 800})
    page.goto(KEYS)
    page.get_by_label("Owner", exact=True).fill(user)
    page.get_by_label("Owner", exact=True).press("Tab")
    expect(page.locator(".rows tbody tr")).to_have_count(1)
    page.get_by_label("State", exact=True).select_option("Live")
    chips = page.get_by_role("list", name="Filters").get_by_role("listitem")
    expect(chips).to_have_count(2)
    page.get_by_label("Needs a look", exact=True).select_option("Never used, older than 7 days")
    expect(page.get_by_text("No keys match.")).to_be_visible()
    assert "finding=never-used" in page.url
    page.get_by_role("link", name="Take away: Never used").click()
    page.get_by_role("link", name="Kept").click()

    expect(page.get_by_role("heading", name="Kept")).to_be_visible()
    expect(page.get_by_text(f"This key can do everything that {user} may")).to_be_visible()
    expect(page.get_by_text(made["Kept"][0])).to_be_visible()


def test_a_key_is_rotated_on_its_page(open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState) -> None:
    """The new secret in a dialog, the page beneath it already telling of both; then that the former is in use."""
    key, secret = _make(running, "rotated@example.com", "Nightly")["Nightly"]
    page = open_page(storage_state=signed_in)
    page.goto(f"{KEYS}/User/{key}")
    page.get_by_role("link", name="Rotate key").click()
    page.get_by_role("dialog", name="Rotate key").get_by_role("button", name="Rotate key").click()
    dialog = page.get_by_role("dialog", name="API Secret")
    new = dialog.locator("#secret").inner_text()
    expect(page.get_by_text("The former was not used since it was replaced.")).to_be_attached()
    for _ in range(2):
        dialog.get_by_role("button", name="Close").click()
    assert [_ask(running, key, one) for one in (secret, new)] == [200, 200]
    page.reload()

    expect(page.get_by_text("The former was last used just now from 127.0.0.1.")).to_be_visible()
    expect(page.get_by_role("button", name="End the former secret")).to_be_hidden()
    page.get_by_text("End it before its time").click()
    expect(page.get_by_role("button", name="End the former secret")).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("Requests"))).to_be_visible()
    page.get_by_role("link", name="All of them in the Request Log").click()
    expect(page.locator(".rows.log tbody tr")).to_have_count(2)
    page.goto(f"{KEYS}/User/{key}")
    page.get_by_role("link", name="Revoke key").click()
    asks = page.get_by_role("dialog", name="Revoke key")
    expect(asks.get_by_role("button", name="Cancel")).to_be_focused()
    expect(asks).to_contain_text("It was used 2 times within a day, from one address")
    asks.get_by_role("button", name="Revoke key").click()
    expect(page.locator(".flash")).to_have_text(re.compile("The key was revoked"))
    assert [_ask(running, key, one) for one in (secret, new)] == [401, 401]


def test_home_says_what_needs_attention(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """An address that tries secrets is named, and its requests are one step away."""
    key, _ = _make(running, "tried@example.com", "Tried")["Tried"]
    page = open_page(storage_state=signed_in)
    page.goto("/app")
    expect(page.get_by_role("link", name="1 System Manager signs in by password alone")).to_be_visible()
    refused = page.get_by_role("link", name=re.compile(r"127\.0\.0\.1 was refused \d+ times within the last hour"))
    expect(refused).to_have_count(0)
    for number in range(25):
        _ask(running, key, f"guess-{number}")
    page.reload()
    refused.click()
    expect(page.locator(".rows.log tbody tr").first).to_be_visible()
    expect(page.get_by_role("list", name="Filters")).to_contain_text("Address: 127.0.0.1")


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scripted", [True, False])
def test_a_key_is_made_from_the_list_of_all(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState, width: int, scripted: bool
) -> None:
    """Whose it is to be is asked first, and what cannot be is said at the field; then the owner's form comes."""
    user = f"owner{width}{'s' if scripted else 'p'}@example.com"
    running.ask("user", "create", user)
    page = open_page(
        storage_state=signed_in,
        java_script_enabled=scripted,
        refusals=True,
        viewport={"width": width, "height": 800},
    )
    page.goto(KEYS)
    page.get_by_role("link", name="New key").click()
    expect(page.get_by_role("heading", name="New key")).to_be_visible()

    page.get_by_role("textbox", name="Owner").fill("nobody@example.com")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#owner-error")).to_have_text("There is no User of this name that you may see.")
    if scripted:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert find_barriers(page) == []
    page.get_by_role("textbox", name="Owner").fill(user)
    page.get_by_role("button", name="Continue").click()

    expect(page.get_by_label(f"Everything that {user} may")).to_be_checked()
    page.get_by_label("Label").fill("From the list")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Copy this value now.")).to_be_visible()
    assert [key["label"] for key in running.ask("key", "list", user)] == ["From the list"]


def test_a_search_that_is_too_long_is_told_while_one_types(open_page: OpenPage, signed_in: StorageState) -> None:
    """At its field, without a new page; once it is shorter, the list is there again."""
    page = open_page(storage_state=signed_in, refusals=True)
    page.goto(KEYS)

    page.get_by_role("searchbox", name="Search labels and key ids").fill("x" * 201)
    expect(page.get_by_role("alert").filter(has_text="at most 200 characters")).to_be_visible()
    page.get_by_role("searchbox", name="Search labels and key ids").fill("x" * 200)

    expect(page.get_by_text("No keys match.")).to_be_visible()
