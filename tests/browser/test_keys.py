"""Keys on the pages of their owners, as a person has them: one's own, a record's, and the form of a new one."""

from collections.abc import Callable

import requests
from playwright.sync_api import Page, StorageState, expect

from support.asgi import PASSWORD
from support.running import RunningLatchgate

OpenPage = Callable[..., Page]


def _asked_as(running: RunningLatchgate, key: str, secret: str, **headers: str) -> tuple[int, str | None]:
    sent = {"Authorization": f"token {key}:{secret}", **headers}
    answer = requests.get(f"{running.base}/api/method/frappe.auth.get_logged_user", headers=sent, timeout=30)
    return answer.status_code, answer.json().get("message")


def _sign_in(page: Page, user: str) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address or user name").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/me")


def test_a_website_user_has_keys_and_sessions(open_page: OpenPage, running: RunningLatchgate) -> None:
    """All on the account page, which is the one page that they have."""
    made = running.ask("key", "generate", "Administrator")
    headers = {"Authorization": f"token {made['api_key']}:{made['api_secret']}"}
    user = {"email": "web@example.com", "user_type": "Website User", "new_password": PASSWORD}
    assert requests.post(f"{running.base}/api/resource/User", json=user, headers=headers, timeout=30).status_code == 200
    other = open_page()
    _sign_in(other, "web@example.com")
    page = open_page(viewport={"width": 375, "height": 800})
    _sign_in(page, "web@example.com")

    page.get_by_role("tab", name="API Access").click()
    page.get_by_role("button", name="Generate Keys").click()
    dialog = page.get_by_role("dialog", name="API Secret")
    expect(dialog).to_contain_text("This key can do everything that web@example.com may")
    dialog.get_by_text("curl", exact=True).click()
    expect(dialog.locator("#ready-curl")).to_be_visible()
    expect(dialog.locator("#ready-header")).to_be_hidden()
    secret = dialog.locator("#secret").inner_text()
    for _ in range(2):
        dialog.get_by_role("button", name="Close").click()
    key = page.get_by_label("API Key", exact=True).input_value()
    assert _asked_as(running, key, secret) == (200, "web@example.com")

    page.get_by_role("tab", name="Sessions").click()
    expect(page.get_by_text("This one")).to_have_count(1)
    page.get_by_role("button", name="End the session from 127.0.0.1").click()
    expect(page.get_by_role("status")).to_have_text("The session was ended.")
    other.goto("/me")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_new_key_is_summed_up_while_it_is_described(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """What is not needed is not in the way; the sentence follows; the key is as it said."""
    running.ask("user", "create", "scoped@example.com", "--first-name", "Scoped")
    page = open_page(storage_state=signed_in)
    page.goto("/app/user/scoped@example.com?tab=settings")
    page.locator("summary", has_text="API Access").click()
    page.get_by_role("link", name="New key").click()
    expect(page.get_by_label("Last day")).to_be_hidden()
    expect(page.get_by_label("User: read")).to_be_hidden()
    sentence = page.locator("#sum")
    expect(sentence).to_contain_text("do everything that scoped@example.com may, from any address, until")

    page.get_by_label("Label").fill("reads users")
    page.get_by_label("Expires").select_option("On a date")
    expect(sentence).to_contain_text("once the form is complete")
    page.get_by_label("Last day").fill("2199-02-19")
    page.get_by_label("What is picked here").check()
    page.get_by_label("User: read").check()
    page.get_by_label("From where").fill("127.0.0.0/8")
    page.get_by_label("Requests a minute").fill("60")
    expect(sentence).to_have_text(
        "This key can read User records as scoped@example.com, from 127.0.0.0/8, until 19 February 2199, "
        "at most 60 times a minute. It never allows more than scoped@example.com may."
    )
    expect(page.get_by_label("Label")).to_have_value("reads users")
    page.get_by_role("button", name="Create key").click()

    dialog = page.get_by_role("dialog", name="API Secret")
    expect(dialog).to_contain_text("This key can read User records as scoped@example.com, from 127.0.0.0/8")
    header = dialog.locator("#ready-header").inner_text().removeprefix("Authorization: token ")
    key, _, secret = header.partition(":")
    assert _asked_as(running, key, secret) == (200, "scoped@example.com")
    refused = requests.get(
        f"{running.base}/api/resource/API Key", headers={"Authorization": f"token {key}:{secret}"}, timeout=30
    )
    assert refused.status_code == 403


def test_a_source_gets_a_record_with_a_key(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """Source, record and key in one walk; the secret opens requests as the record's user, until it is deleted."""
    running.ask("user", "create", "device@example.com")
    # The browser complains by itself of each answer that is a refusal.
    page = open_page(storage_state=signed_in, watched=False)
    page.goto("/app")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Sources").click()
    page.get_by_role("link", name="New source").click()
    dialog = page.get_by_role("dialog", name="New source")
    dialog.get_by_label("Name").fill("API Device")
    dialog.get_by_role("button", name="Create source").click()
    expect(page.get_by_role("status")).to_have_text("Created.")
    page.get_by_role("link", name="New record").click()
    dialog = page.get_by_role("dialog", name="New record")
    dialog.get_by_label("Name").fill("Front door")
    dialog.get_by_label("Acts as").fill("nobody@example.com")
    dialog.get_by_role("button", name="Create record").click()
    expect(dialog.get_by_label("Acts as")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Name")).to_have_value("Front door")
    dialog.get_by_label("Acts as").fill("device@example.com")
    dialog.get_by_role("button", name="Create record").click()
    expect(page.get_by_role("heading", name="Front door")).to_be_visible()

    page.get_by_role("button", name="Generate Keys").click()
    shown = page.get_by_role("dialog", name="API Secret")
    expect(shown.locator("#ready-header")).to_contain_text("Frappe-Authorization-Source: API Device")
    secret = shown.locator("#secret").inner_text()
    for _ in range(2):
        shown.get_by_role("button", name="Close").click()
    key = page.get_by_label("API Key", exact=True).input_value()
    source = {"Frappe-Authorization-Source": "API Device"}
    assert _asked_as(running, key, secret, **source) == (200, "device@example.com")

    page.get_by_role("link", name="Delete record").click()
    asks = page.get_by_role("dialog", name="Delete record")
    expect(asks.get_by_role("button", name="Cancel")).to_be_focused()
    asks.get_by_role("button", name="Delete record").click()
    expect(page.get_by_role("status")).to_have_text("Deleted.")
    assert _asked_as(running, key, secret, **source)[0] == 401


def test_a_key_without_a_script(open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState) -> None:
    """All choices are there, and no sentence that would not be true any more."""
    running.ask("user", "create", "unscripted@example.com")
    page = open_page(storage_state=signed_in, java_script_enabled=False)
    page.goto("/app/user/unscripted@example.com/new-key")
    expect(page.locator("#sum")).to_be_hidden()
    page.get_by_label("What is picked here").check()
    page.get_by_label("API Key: read").check()
    page.get_by_role("button", name="Create key").click()

    expect(page.get_by_role("dialog", name="API Secret")).to_contain_text("This key can read API Key records")


def test_a_stopped_server_leaves_the_form_of_a_key_as_it_is(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """What was typed is there still, and is sent when the server is back; a reload after that makes no second key."""
    running.ask("user", "create", "patient@example.com")
    page = open_page(storage_state=signed_in, watched=False)
    page.goto("/app/user/patient@example.com/new-key")
    page.route("**/new-key", lambda route: route.abort("connectionrefused"))
    with page.expect_response("**/new-key?preview=1"):
        page.get_by_label("Label").fill("patience")
        page.get_by_role("button", name="Create key").click()
    expect(page.locator("#alert")).to_contain_text("Latchgate does not answer.")
    expect(page.get_by_label("Label")).to_have_value("patience")

    page.unroute("**/new-key")
    page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="API Secret")
    secret = dialog.locator("#secret").inner_text()
    page.reload()
    expect(page.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
    assert secret not in page.content()
    page.locator("summary", has_text="API Access").click()
    expect(page.get_by_role("row", name="patience")).to_have_count(1)
