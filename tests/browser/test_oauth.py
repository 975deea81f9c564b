"""Signing in to somebody else's application through the pages of OAuth 2, in a browser: the callback is reached."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, StorageState, expect

from support.applications import METHODS, Application, running_application
from support.asgi import PASSWORD
from support.browsers import find_barriers
from support.running import RunningLatchgate

ANN = "ann@example.com"
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server with an Administrator and a user, where clients may register themselves."""
    home = Path(tmp_path_factory.mktemp("oauth")) / "home"
    settings = {"LATCHGATE_ADMIN_PASSWORD": PASSWORD, "LATCHGATE_OAUTH_REGISTRATION": "open"}
    running = RunningLatchgate(home, **settings).start()
    running.ask(
        "user",
        "create",
        ANN,
        "--first-name",
        "Ann",
        "--last-name",
        "Lee",
        "--website",
        "--password-stdin",
        typed=PASSWORD,
    )
    yield running
    assert running.stop() == 0


@pytest.fixture
def application(running: RunningLatchgate) -> Iterator[Application]:
    """An application that is a confidential client, which nobody has allowed anything."""
    with running_application(running.base) as application:
        made = running.ask("client", "create", "Calendar", "--redirect-uri", application.redirect_uri)
        application.client_id, application.client_secret = str(made["client_id"]), str(made["client_secret"])
        yield application


def _sign_in(page: Page, user: str) -> None:
    page.get_by_label("E-mail address or user name").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def _begin(page: Page, application: Application, user: str = ANN) -> None:
    """Come from the application to the question, by signing in."""
    page.goto(application.origin)
    page.get_by_role("link", name="Sign in with Latchgate").click()
    expect(page.get_by_text("to go on to Calendar")).to_be_visible()
    _sign_in(page, user)
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()


def _come_back(page: Page) -> None:
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"java_script_enabled": False},
        {"viewport": {"width": 375, "height": 800}, "color_scheme": "dark"},
    ],
    ids=["wide", "without-script", "phone-dark"],
)
def test_from_an_application_and_back(open_page: OpenPage, application: Application, options: dict[str, Any]) -> None:
    """Sign-in, the question in plain words, Allow: the application gets a code, and its token acts as the user."""
    page = open_page(beside=application.origin, **options)

    _begin(page, application)
    expect(page.get_by_text("Do everything that you may do, as you")).to_be_visible()
    expect(page.get_by_text("You are signed in as Ann Lee")).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    _come_back(page)

    (received,) = application.received
    assert received.keys() == {"code", "state", "iss"}
    assert (received["state"], received["iss"]) == ("st4te", application.base)
    tokens = application.exchange()
    assert application.who_am_i(tokens["access_token"]) == ANN
    assert "id_token" in tokens


def test_denied(open_page: OpenPage, application: Application) -> None:
    """Deny leads back too, with nothing."""
    page = open_page(beside=application.origin)

    _begin(page, application)
    page.get_by_role("button", name="Deny").click()
    _come_back(page)

    (received,) = application.received
    assert (received["error"], received["state"], received["iss"]) == ("access_denied", "st4te", application.base)
    assert "code" not in received


def test_by_the_keyboard_alone(open_page: OpenPage, application: Application) -> None:
    """From the first link to the answer nothing needs a pointer, and Deny comes before Allow."""
    page = open_page(beside=application.origin)
    page.goto(application.origin)

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("E-mail address or user name")).to_be_focused()
    page.keyboard.type(ANN)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()
    for name in ("Latchgate", "Not you?", "Deny", "Allow"):
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text(name)
    page.keyboard.press("Enter")
    _come_back(page)

    assert application.who_am_i(application.exchange()["access_token"]) == ANN


def test_somebody_else_signs_in(open_page: OpenPage, application: Application) -> None:
    """Who is not the one that is signed in says so, and is asked in turn."""
    page = open_page(beside=application.origin)
    _begin(page, application, "Administrator")

    page.get_by_role("link", name="Not you?").click()
    _sign_in(page, ANN)
    expect(page.get_by_text("You are signed in as Ann Lee")).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    _come_back(page)

    assert application.who_am_i(application.exchange()["access_token"]) == ANN


def test_what_was_allowed_is_remembered_until_it_is_taken_back(open_page: OpenPage, application: Application) -> None:
    """The second time nobody is asked; disconnected under My account, the token is dead and the question is back."""
    page = open_page(beside=application.origin)
    _begin(page, application)
    page.get_by_role("button", name="Allow").click()
    _come_back(page)
    page.goto(application.authorization())
    _come_back(page)
    tokens = application.exchange()
    assert application.who_am_i(tokens["access_token"]) == ANN

    page.goto("/me")
    page.get_by_role("tab", name="Connected apps").click()
    row = page.get_by_role("row", name="Calendar").filter(has_text="Connected").first
    page.locator(f"#disconnect-{application.client_id}").click()
    dialog = page.get_by_role("dialog", name="Disconnect Calendar")
    expect(dialog.get_by_text("Its tokens end at once")).to_be_visible()
    expect(row).to_be_visible()
    dialog.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("The application was disconnected.")).to_be_visible()

    assert application.who_am_i(tokens["access_token"]) is None
    refused = application.ask_tokens({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}, 400)
    assert refused["error"] == "invalid_grant"
    page.goto(application.authorization())
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()


def test_a_device_is_connected(open_page: OpenPage, running: RunningLatchgate) -> None:
    """The code is typed as people type, the device is named, and its token acts as who allowed it."""
    made = running.ask("client", "create", "Television", "--public", "--grant", "device", "--scope", "read")
    device = Application(running.base, 0, str(made["client_id"]))
    sent = {"client_id": device.client_id, "scope": "read"}
    begun = requests.post(f"{running.base}{METHODS}device_authorization", sent, timeout=30).json()
    page = open_page(java_script_enabled=False)

    page.goto("/device")
    _sign_in(page, ANN)
    page.get_by_label("Code").fill(begun["user_code"].lower().replace("-", " "))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Television")).to_be_visible()
    expect(page.get_by_text("Read everything that you may read")).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Device connected")).to_be_visible()

    grant = "urn:ietf:params:oauth:grant-type:device_code"
    tokens = device.ask_tokens({"grant_type": grant, "device_code": begun["device_code"]}, 200)
    assert device.who_am_i(tokens["access_token"]) == ANN
    page.goto("/me?tab=apps")
    expect(page.get_by_role("link", name="Disconnect Television")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 375)])
def test_no_question_has_barriers(
    open_page: OpenPage,
    application: Application,
    running: RunningLatchgate,
    signed_in: StorageState,
    theme: str,
    width: int,
) -> None:
    """Consent, of a client that registered itself too, devices, signing in and out: all fit, and can be used by all."""
    made = running.ask("client", "create", "Television", "--public", "--grant", "device")
    asked = {"client_id": made["client_id"], "scope": "all"}
    begun = requests.post(f"{running.base}{METHODS}device_authorization", asked, timeout=30).json()
    registration = {"client_name": "Your bank", "redirect_uris": ["https://evil.example.net/back"]}
    public = {**registration, "token_endpoint_auth_method": "none", "scope": "all openid User:read"}
    registered = requests.post(f"{running.base}{METHODS}register_client", json=public, timeout=30).json()
    stranger = Application(running.base, 0, registered["client_id"])
    options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
    page = open_page(storage_state=signed_in, **options)

    def look(expected: str) -> None:
        expect(page.locator("h1")).to_have_text(expected)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert find_barriers(page) == []

    page.goto(application.authorization())
    look("Allow access?")
    heights = [page.get_by_role("button", name=name).bounding_box() for name in ("Deny", "Allow")]
    assert all(box and box["height"] >= 44 and box["width"] >= 100 for box in heights)
    page.goto(stranger.authorization(redirect_uri="https://evil.example.net/back"))
    look("Allow access?")
    expect(page.get_by_text("Nobody here knows this application.")).to_be_visible()
    expect(page.locator(".asks").get_by_text("evil.example.net")).to_be_visible()
    page.goto(f"/device?user_code={begun['user_code']}")
    look("Connect a device")
    page.get_by_role("button", name="Continue").click()
    look("Connect this device?")
    page.get_by_role("button", name="Deny").click()
    look("Device not connected")
    page.goto(f"{METHODS}end_session?client_id={application.client_id}")
    look("Sign out?")
    page.context.clear_cookies()
    page.goto(application.authorization())
    look("Sign in")


def test_a_client_is_made_and_given_a_new_secret(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState
) -> None:
    """In the desk: its secret is copied and opens, and after a rotation with an overlap both do."""
    page = open_page(storage_state=signed_in, permissions=["clipboard-read", "clipboard-write"])

    def copy_secret() -> str:
        dialog = page.get_by_role("dialog", name="Client secret")
        dialog.get_by_role("button", name="Copy the secret").click()
        expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
        copied = str(page.evaluate("navigator.clipboard.readText()"))
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_have_count(0)
        return copied

    page.goto("/app")
    page.get_by_role("link", name="OAuth Clients").click()
    page.get_by_role("link", name="New client").click()
    page.get_by_label("Name").fill("Nightly import")
    page.get_by_label("A script or service that acts by itself").check()
    expect(page.get_by_label("Redirect URIs")).to_be_hidden()
    page.get_by_label("Acts as").fill(ANN)
    page.get_by_role("button", name="Create client").click()
    first = copy_secret()
    client_id = page.locator("#client-id").inner_text()
    script = Application(running.base, 0, client_id, first)
    granted = {"grant_type": "client_credentials", "scope": "read"}
    token = script.ask_tokens(granted, 200)["access_token"]
    assert script.who_am_i(token) == ANN

    page.goto(f"/app/oauth-client/{client_id}")
    page.get_by_role("link", name="Rotate secret").click()
    page.get_by_role("dialog", name="Rotate secret").get_by_role("button", name="Rotate secret").click()
    second = copy_secret()
    assert first != second
    for secret in (first, second):
        script.client_secret = secret
        script.ask_tokens(granted, 200)


def test_a_client_is_ended(open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState) -> None:
    """In the desk one is told what stops, and it stops at once."""
    page = open_page(storage_state=signed_in)
    made = running.ask("client", "create", "Weekly report", "--user", ANN)
    script = Application(running.base, 0, str(made["client_id"]), str(made["client_secret"]))
    granted = {"grant_type": "client_credentials", "scope": "read"}
    tokens = [script.ask_tokens(granted, 200)["access_token"] for _ in range(3)]

    page.goto(f"/app/oauth-client/{script.client_id}?tab=tokens")
    expect(page.get_by_role("row").filter(has_text=ANN)).to_have_count(3)
    page.get_by_role("tab", name="Details").click()
    page.get_by_role("link", name="Revoke client").click()
    dialog = page.get_by_role("dialog", name="Revoke client")
    expect(dialog.get_by_text(f"as {ANN}")).to_be_visible()
    dialog.get_by_role("button", name="Revoke client").click()
    expect(page.get_by_text("The client was revoked.")).to_be_visible()

    assert [script.who_am_i(token) for token in tokens] == [None] * 3
    assert script.ask_tokens(granted, 401)["error"] == "invalid_client"
    page.goto("/app/oauth-client?state=revoked")
    expect(page.get_by_role("link", name="Weekly report")).to_be_visible()
