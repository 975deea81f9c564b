"""The search by a key of the keyboard, and what the keys of the desk are: with a script, without one, for everybody."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, StorageState, expect

from support.browsers import find_barriers
from support.running import RunningLatchgate

OpenPage = Callable[..., Page]
_SECRET = "lgs_0123456789abcdefghijABCDEFGHIJ0123456789"
_PHONE = {"width": 375, "height": 800}


@pytest.fixture(scope="module")
def key(running: RunningLatchgate) -> str:
    """The id of a key; there are users, another key and a client to find too."""
    running.ask("user", "create", "nightly@example.com", "--first-name", "Nightly")
    running.ask("client", "create", "Nightly calendar", "--redirect-uri", "https://calendar.example.com/back")
    running.ask("key", "generate", "nightly@example.com")
    return str(running.ask("key", "generate", "nightly@example.com", "--label", "Backup")["api_key"])


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('href')"))


def test_from_any_page_to_a_record_by_the_keyboard(open_page: OpenPage, signed_in: StorageState, key: str) -> None:
    """Slash, some letters, an arrow down, Enter."""
    page = open_page(storage_state=signed_in)
    page.goto("/app/role")

    page.keyboard.press("/")
    dialog = page.get_by_role("dialog", name="Search")
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("nightly")
    expect(dialog.get_by_role("status")).to_have_text("4 results: 1 user, 2 keys, 1 client.")
    # Results that are still being put in their place would take the focus away with them.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    assert _focused(page) == "/app/user/nightly%40example.com"
    page.keyboard.press("ArrowUp")
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Nightly", level=1)).to_be_visible()
    expect(dialog).to_have_count(0)


def test_enter_shows_all_of_them_on_a_page(open_page: OpenPage, signed_in: StorageState, key: str) -> None:
    """Whose address says what was searched; there the arrows lead to the results as well."""
    page = open_page(storage_state=signed_in)
    page.goto("/app")

    page.keyboard.press("/")
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/app/search?q={key}")
    expect(page.get_by_role("status")).to_have_text("1 result: 1 key.")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Backup", level=1)).to_be_visible()


def test_the_page_searches_while_one_types(open_page: OpenPage, signed_in: StorageState, key: str) -> None:
    """A little later than the last letter; a screen reader is told in the same place how many there are."""
    page = open_page(storage_state=signed_in)
    page.goto("/app/search")
    place = page.get_by_role("status").element_handle()

    page.get_by_role("searchbox").press_sequentially("calendar")

    expect(page.get_by_role("status")).to_have_text("1 result: 1 client.")
    expect(page.get_by_role("link", name="Nightly calendar")).to_be_visible()
    assert place.evaluate("(place) => place.isConnected && place.textContent") == "1 result: 1 client."
    assert page.url.endswith("/app/search?q=calendar")
    page.get_by_role("searchbox").fill("nobody at all")
    expect(page.get_by_role("status")).to_have_text("Nothing found.")


def test_escape_gives_the_focus_back(open_page: OpenPage, signed_in: StorageState) -> None:
    """To where it was; Tab goes through the window and is held nowhere in it."""
    page = open_page(storage_state=signed_in)
    page.goto("/app/user")
    link = page.get_by_role("link", name="New user")
    link.focus()

    page.keyboard.press("/")
    dialog = page.get_by_role("dialog", name="Search")
    expect(dialog).to_be_visible()
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("typed")
    page.keyboard.press("Escape")

    expect(dialog).to_have_count(0)
    expect(link).to_be_focused()


def test_where_one_types_they_are_characters(open_page: OpenPage, signed_in: StorageState) -> None:
    """Slash and question mark, in every field; with a key that browsers want they do nothing either."""
    page = open_page(storage_state=signed_in)
    page.goto("/app/user")

    page.get_by_label("Search users").press_sequentially("a/b?")
    expect(page.get_by_label("Search users")).to_have_value("a/b?")
    page.get_by_role("link", name="New user").focus()
    page.keyboard.press("Control+/")

    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_secret_is_not_even_sent(open_page: OpenPage, signed_in: StorageState) -> None:
    """It is taken out of the field, and a sentence says why; no address holds it."""
    page = open_page(storage_state=signed_in)
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.goto("/app")
    page.keyboard.press("/")
    page.keyboard.insert_text(_SECRET)
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("looks like a secret")
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.goto("/app/search")
    page.get_by_role("searchbox").fill(f"token lgk_x:{_SECRET}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("looks like a secret")

    assert [address for address in asked if "lgs_" in address] == []
    assert _SECRET not in page.content()


def test_the_keys_are_told_and_can_be_switched_off(open_page: OpenPage, signed_in: StorageState) -> None:
    """By a question mark, and by a button for who switched them off."""
    page = open_page(storage_state=signed_in)
    page.goto("/app")

    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.get_by_role("checkbox")).to_be_checked()
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(dialog.get_by_role("checkbox")).not_to_be_checked()
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Close").click()
    page.keyboard.press("/")

    expect(page.get_by_role("dialog", name="Search")).to_be_visible()


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 800}, _PHONE])
def test_without_a_script_it_is_a_page(
    open_page: OpenPage, signed_in: StorageState, key: str, viewport: dict[str, int]
) -> None:
    """A link leads there, a form searches, results are links."""
    page = open_page(storage_state=signed_in, java_script_enabled=False, viewport=viewport)
    page.goto("/app")

    page.get_by_role("link", name="Search").click()
    page.get_by_role("searchbox").fill("Backup")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Backup").click()

    expect(page.get_by_role("heading", name="Backup", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="Keyboard shortcuts")).to_be_hidden()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 375)])
def test_what_opens_above_a_page_has_no_barriers(
    open_page: OpenPage, signed_in: StorageState, key: str, theme: str, width: int
) -> None:
    """The search, empty and full, the keys, and a document; each fits."""
    options: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": theme}
    page = open_page(storage_state=signed_in, **options)
    page.goto("/app")

    page.keyboard.press("/")
    expect(page.get_by_role("dialog", name="Search")).to_be_visible()
    assert find_barriers(page) == []
    page.keyboard.type("nightly")
    expect(page.get_by_role("dialog").get_by_role("link", name="Backup")).to_be_visible()
    assert find_barriers(page) == []
    page.keyboard.press("Escape")
    # A key that comes before it is closed is typed into it.
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert find_barriers(page) == []
    for address in ("/help", "/help/howto/desk", "/help/permissions", "/help/cli", "/help/tour"):
        page.goto(address)
        expect(page.locator("article")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert find_barriers(page) == []


def test_help_opens_what_is_about_the_page(open_page: OpenPage, signed_in: StorageState) -> None:
    """In a new tab: what was typed is still there. Within the documents one stays, and pictures are shown."""
    page = open_page(storage_state=signed_in)
    page.goto("/app/user/new")
    page.get_by_label("First name").fill("Typed before")

    with page.expect_popup() as opened:
        page.get_by_role("link", name="Help with this page, in a new tab").click()

    manual = opened.value
    expect(manual.get_by_role("heading", name="Find your way in the desk")).to_be_visible()
    assert manual.url.endswith("/help/howto/desk#users")
    expect(page.get_by_label("First name")).to_have_value("Typed before")
    manual.get_by_role("link", name="tour", exact=True).click()
    expect(manual.get_by_role("heading", name="The tour", level=1)).to_be_visible()
    picture = manual.get_by_alt_text("The page that sets the first password")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("(picture) => picture.decode().then(() => picture.naturalWidth)") == 1200
