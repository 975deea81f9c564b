"""The page to try the API, as a browser sees it: under its policy, with a key, with a session, without a script."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from support.asgi import PASSWORD
from support.running import RunningLatchgate

DOCS = "/api/docs"
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def token(running: RunningLatchgate) -> str:
    """A header's value that opens everything."""
    key = running.ask("key", "generate", "Administrator")
    return f"token {key['api_key']}:{key['api_secret']}"


def _open_docs(page: Page) -> None:
    page.goto(DOCS)
    expect(page.locator(".opblock-tag").first).to_be_visible()


def _authorize(page: Page, value: str) -> None:
    page.locator(".scheme-container .btn.authorize").click()
    page.locator(".auth-container input").fill(value)
    page.locator(".auth-container button.authorize").click()
    page.locator(".auth-container .btn-done").click()


def _unfold(page: Page, tag: str, operation: str) -> str:
    """Unfold an operation, its tag first, and give where it is."""
    place = f"#operations-{tag}-{operation}"
    if not page.locator(place).is_visible():
        page.locator(f"#operations-tag-{tag}").click()
    page.locator(f"{place} .opblock-summary-control").click()
    return place


def _execute(page: Page, tag: str, operation: str) -> tuple[Response, str]:
    """Execute an operation with its example; give the answer and the command that is shown beside it."""
    place = _unfold(page, tag, operation)
    page.locator(f"{place} .try-out__btn").click()
    path = page.locator(f"{place} .opblock-summary-path").inner_text().replace("\u200b", "").replace("\n", "")
    with page.expect_response(lambda answer: answer.url.partition("?")[0].endswith(path)) as caught:
        page.locator(f"{place} .execute").click()
    expect(page.locator(f"{place} .live-responses-table .response-col_status").last).to_contain_text(
        str(caught.value.status)
    )
    return caught.value, page.locator(f"{place} .curl-command").inner_text()


def _sign_in(page: Page) -> None:
    page.goto("/login")
    page.locator("#usr").fill("Administrator")
    page.locator("#pwd").fill(PASSWORD)
    page.locator("main button").click()
    page.wait_for_url("**/app")


def test_with_a_key_one_reads_and_changes(running: RunningLatchgate, open_page: OpenPage, token: str) -> None:
    """The key that was entered opens what is tried, a GET and a POST, and nothing breaks the page's policy."""
    page = open_page()
    _open_docs(page)

    _authorize(page, token)
    listed, _ = _execute(page, "User", "GET_api_resource_User")
    made, _ = _execute(page, "Role", "POST_api_resource_Role")

    assert (listed.status, made.status) == (200, 200)
    assert {"name": "Administrator"} in listed.json()["data"]
    assert made.json()["data"]["role_name"] == "Log Reader"
    assert "x-frappe-csrf-token" not in made.request.headers
    assert [role for role in running.ask("role", "list") if "Log Reader" in json.dumps(role)]
    assert page.evaluate("window.refused") == []


def test_with_a_session_one_reads_and_changes(open_page: OpenPage) -> None:
    """Who is signed in enters nothing: the session opens what is tried, and a change bears its token, unshown."""
    page = open_page()
    _sign_in(page)
    _open_docs(page)

    read, _ = _execute(page, "Methods", "GET_api_method_frappe_auth_get_logged_user")
    made, command = _execute(page, "Methods", "POST_api_method_frappe_client_insert")

    assert read.json() == {"message": "Administrator"}
    assert made.json()["message"]["role_name"] == "Key Reader"
    assert "x-frappe-csrf-token" not in read.request.headers
    sent = made.request.headers["x-frappe-csrf-token"]
    assert sent == page.evaluate("document.body.dataset.csrf_token")
    assert sent not in command
    assert page.evaluate("window.refused") == []


def test_a_key_goes_before_the_session(open_page: OpenPage, token: str) -> None:
    """Who is signed in and enters a key acts by the key, for which no token is sent."""
    page = open_page()
    _sign_in(page)
    _open_docs(page)

    _authorize(page, token)
    read, _ = _execute(page, "Methods", "POST_api_method_frappe_auth_get_logged_user")

    assert read.status == 200
    assert read.request.headers["authorization"] == token
    assert "x-frappe-csrf-token" not in read.request.headers


def test_what_was_entered_is_kept_nowhere(open_page: OpenPage, token: str) -> None:
    """The secret comes into no address, no storage and no cookie, and is forgotten when the page is loaded again."""
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    _open_docs(page)
    _authorize(page, token)
    _execute(page, "User", "GET_api_resource_User")
    secret = token.partition(":")[2]

    kept: Any = page.evaluate("[location.href, {...localStorage}, {...sessionStorage}, document.cookie, history.state]")

    assert secret not in json.dumps(kept)
    assert not any(secret in url for url in asked)
    assert page.context.cookies() == []
    page.reload()
    expect(page.locator(".scheme-container .btn.authorize.unlocked")).to_be_visible()


def test_without_a_script_it_says_where_the_same_is_written(open_page: OpenPage) -> None:
    """The page is whole, and leads to the document."""
    page = open_page(java_script_enabled=False)

    page.goto(DOCS)

    expect(page.locator("h1")).to_have_text("API")
    expect(page.locator("noscript a")).to_have_attribute("href", "/api/openapi.json")
    expect(page.locator("noscript")).to_be_visible()
    expect(page.locator("#api-problem")).to_be_hidden()


def test_a_document_that_does_not_come_is_told(open_page: OpenPage) -> None:
    """Instead of an empty page there is a sentence."""
    page = open_page(watched=False)
    page.route("**/api/openapi.json", lambda route: route.fulfill(status=503, body="{}"))

    page.goto(DOCS)

    expect(page.locator("#api-problem")).to_contain_text("could not be loaded (status 503)")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (375, "dark")])
def test_it_fits_and_follows_the_theme(open_page: OpenPage, theme: str, width: int) -> None:
    """No page is wider than its window, unfolded too, and the vendored part is light or dark with ours."""
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    _open_docs(page)

    place = _unfold(page, "User", "POST_api_resource_User")
    expect(page.locator(f"{place} .responses-inner")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.documentElement.classList.contains('dark-mode')") == (theme == "dark")
    page.emulate_media(color_scheme="dark" if theme == "light" else "light")
    expect(page.locator("html.dark-mode")).to_have_count(1 if theme == "light" else 0)
