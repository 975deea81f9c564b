"""The desk's components, as a browser and its user have them: both themes, wide and narrow, by mouse and keyboard."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, StorageState, expect

from support.asgi import PASSWORD
from support.running import RunningLatchgate

COMPONENTS = "/app/components"
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server in development whose Administrator can sign in."""
    home = Path(tmp_path_factory.mktemp("desk")) / "home"
    running = RunningLatchgate(home, LATCHGATE_ADMIN_PASSWORD=PASSWORD, LATCHGATE_DEVELOPMENT="true").start()
    yield running
    assert running.stop() == 0


def test_tabs_by_the_keyboard(open_page: OpenPage, signed_in: StorageState) -> None:
    """Arrows go from tab to tab and around, Enter and Space open, and the focus stays."""
    page = open_page(storage_state=signed_in)
    page.goto(COMPONENTS)
    tab = page.get_by_role("tab", name="Fields")

    tab.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Lists")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Lists")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel", name="Lists").get_by_role("table")).to_be_visible()
    expect(page.get_by_role("tab", name="Lists")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Space")
    expect(page.get_by_role("tabpanel", name="Values")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Fields")).to_be_focused()
    page.go_back()
    expect(page.get_by_role("tab", name="Lists")).to_have_attribute("aria-selected", "true")


def test_a_dialog_by_the_keyboard(open_page: OpenPage, signed_in: StorageState) -> None:
    """It opens without another page, holds the focus, asks once, closes by Escape, and leaves nothing behind."""
    page = open_page(storage_state=signed_in)
    page.goto(COMPONENTS)
    opener = page.get_by_role("button", name="Generate Keys").or_(page.get_by_role("link", name="Generate Keys"))
    page.get_by_label("Label").fill("typed before")

    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="API Secret")
    expect(dialog).to_be_visible()
    page.wait_for_function("document.activeElement.closest('dialog:modal') !== null")
    page.keyboard.press("Escape")
    expect(dialog.get_by_role("alert")).to_contain_text("not copied yet")
    page.keyboard.press("Escape")

    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
    expect(page.get_by_label("Label")).to_have_value("typed before")
    assert "not-a-secret" not in page.content()
    assert page.url.endswith(COMPONENTS)


def test_copying_confirms_and_the_dialog_then_closes_at_once(open_page: OpenPage, signed_in: StorageState) -> None:
    """The button says so, and nobody is asked again."""
    page = open_page(storage_state=signed_in, permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{COMPONENTS}?dialog=secret")
    dialog = page.get_by_role("dialog", name="API Secret")

    dialog.get_by_role("button", name="Copy the secret").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#secret").inner_text()
    dialog.get_by_role("button", name="Close").click()

    expect(dialog).to_have_count(0)


def test_a_form_opens_a_dialog(open_page: OpenPage, signed_in: StorageState) -> None:
    """What was made is shown above the page, which changes where it must and nowhere else, and so does no address."""
    page = open_page(storage_state=signed_in)
    page.goto(f"{COMPONENTS}?tab=values")
    page.get_by_role("heading", name="Messages").evaluate("(heading) => heading.append(' kept')")

    page.get_by_role("button", name="Generate Keys").click()

    expect(page.get_by_role("dialog", name="API Secret")).to_be_visible()
    expect(page.locator("#generated")).to_have_text("Generated.")
    expect(page.get_by_text("Messages kept")).to_be_attached()
    assert page.url.endswith(f"{COMPONENTS}?tab=values")
    page.reload()
    assert "not-a-secret" not in page.content()


def test_a_row_opens_its_record(open_page: OpenPage, signed_in: StorageState) -> None:
    """Wherever one presses, but for its buttons; the address says what the list shows."""
    page = open_page(storage_state=signed_in, permissions=["clipboard-write"])
    page.goto(f"{COMPONENTS}?tab=lists")

    page.get_by_label("Enabled").select_option("no")
    page.wait_for_url("**/components?*enabled=no*")
    expect(page.get_by_text("Enabled: no")).to_be_visible()
    page.get_by_role("row", name="Ann Lee").get_by_role("button").click()
    expect(page.get_by_role("tab", name="Lists")).to_have_attribute("aria-selected", "true")
    page.get_by_role("row", name="Ann Lee").get_by_role("cell").nth(4).click()

    expect(page.get_by_role("tab", name="Values")).to_have_attribute("aria-selected", "true")


def test_a_stopped_server_is_told(open_page: OpenPage, signed_in: StorageState) -> None:
    """The page stays, with what was typed and a sentence that says what to do."""
    page = open_page(storage_state=signed_in, watched=False)
    page.goto(COMPONENTS)
    page.get_by_label("Label").fill("Deploy")
    page.route("**/app/**", lambda route: route.abort("connectionrefused"))

    page.get_by_role("button", name="Save key").click()

    expect(page.locator("#alert")).to_have_text(
        "Latchgate does not answer. What you entered is still here; try again in a moment."
    )
    expect(page.get_by_label("Label")).to_have_value("Deploy")
    page.unroute("**/app/**")
    page.get_by_role("button", name="Save key").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")


def test_a_refusal_is_told_in_the_server_s_words(open_page: OpenPage, signed_in: StorageState) -> None:
    """A form whose change is refused stays as it is."""
    page = open_page(storage_state=signed_in, watched=False)
    page.goto(COMPONENTS)
    page.get_by_label("Label").fill("Deploy")

    def refuse(route: Route) -> None:
        route.fulfill(status=403, content_type="text/html", body="<p data-fault>You may not do this.</p>")

    page.route("**/app/components", refuse)
    page.get_by_role("button", name="Save key").click()

    expect(page.locator("#alert")).to_contain_text("You may not do this.")
    expect(page.get_by_label("Label")).to_have_value("Deploy")


def test_an_ended_session_leads_to_the_sign_in_page(open_page: OpenPage, running: RunningLatchgate) -> None:
    """Also where only a part of a page was asked for."""
    page = open_page(watched=False)
    page.goto("/login")
    page.get_by_label("E-mail address or user name").fill("Administrator")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/app")
    page.goto(f"{COMPONENTS}?tab=lists")
    page.context.clear_cookies()

    page.get_by_label("Search users").fill("ann")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_refused_form_keeps_what_was_typed(open_page: OpenPage, signed_in: StorageState) -> None:
    """The reason stands at its field."""
    page = open_page(storage_state=signed_in, watched=False)
    page.goto(COMPONENTS)
    page.locator("form").evaluate_all("(forms) => forms.forEach((form) => { form.noValidate = true; })")
    page.get_by_label("From where").fill("10.0.0.0/8")

    page.get_by_role("button", name="Save key").click()

    expect(page.get_by_label("Label")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("A key needs a label")).to_be_visible()
    expect(page.get_by_label("From where")).to_have_value("10.0.0.0/8")


@pytest.mark.parametrize("width", [1280, 375])
def test_without_a_script_all_of_it_works(open_page: OpenPage, signed_in: StorageState, width: int) -> None:
    """Tabs, folding, forms, the dialog and the way about are the browser's own."""
    page = open_page(java_script_enabled=False, storage_state=signed_in, viewport={"width": width, "height": 900})
    page.goto(COMPONENTS)

    page.get_by_label("Label").fill("Deploy")
    page.get_by_role("button", name="Save key").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_text("What is seldom needed")).to_be_visible()
    page.get_by_role("link", name="Generate Keys").click()
    dialog = page.get_by_role("dialog", name="API Secret")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    if width < 800:
        expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
