"""What pages show once somebody pressed something there, for the pictures of screenshots.py."""

import time
from collections.abc import Callable, Iterator, Mapping

from playwright.sync_api import Page

from support.running import RunningLatchgate
from support.second_factors import Device

__all__ = ["STATES", "enter", "second_factor"]


def enter(page: Page, user: str, password: str) -> None:
    """Send the sign-in form."""
    page.goto("/login")
    page.get_by_label("E-mail address or user name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def second_factor(page: Page, running: RunningLatchgate, password: str, user: str) -> Iterator[str]:
    """Set a second factor up, be asked for it and lose it; give the picture's name wherever there is one to make."""
    running.ask("user", "create", user)
    running.run("user", "set-password", user, "--password-stdin", typed=password)
    enter(page, user, password)
    page.goto("/me/second-factor/set-up")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("img", name="QR code").wait_for()
    yield "second-factor-key"
    device = Device(page.locator("#key").inner_text())
    for code in ("000000", device.code(int(time.time()))):
        page.locator("#code").fill(code)
        page.get_by_role("button", name="Confirm").click()
        page.locator("#code-error, #codes").first.wait_for()
        yield "second-factor-key-refused" if code == "000000" else "second-factor-new-codes"
    page.goto("/me/second-factor")
    yield "second-factor-on"
    page.goto("/me/second-factor/turn-off")
    yield "second-factor-turn-off"
    page.context.clear_cookies()
    enter(page, user, password)
    page.locator("#code").wait_for()
    yield "login-code"
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_role("heading", name="Recovery code").wait_for()
    yield "login-recovery-code"
    yield from _required(page, running, password, f"must-{user}")


def _required(page: Page, running: RunningLatchgate, password: str, user: str) -> Iterator[str]:
    if not any(role["name"] == "Careful" for role in running.ask("role", "list")):
        running.ask("role", "create", "Careful", "--second-factor")
    running.ask("user", "create", user, "--role", "Careful")
    running.run("user", "set-password", user, "--password-stdin", typed=password)
    page.context.clear_cookies()
    enter(page, user, password)
    page.locator("#code").wait_for()
    yield "login-second-factor"
    device = Device(page.locator("#key").inner_text())
    page.locator("#code").fill(device.code(int(time.time())))
    page.get_by_role("button", name="Confirm").click()
    page.locator("#codes").wait_for()
    yield "login-second-factor-codes"


def _menu(page: Page) -> bool:
    page.goto("/app", wait_until="networkidle")
    button = page.get_by_role("button", name="Menu")
    if not button.is_visible():
        return False
    button.click()
    return True


def _shortcuts(page: Page) -> bool:
    page.goto("/app", wait_until="networkidle")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    return True


def _quick_search(page: Page) -> bool:
    page.goto("/app", wait_until="networkidle")
    page.keyboard.press("/")
    page.get_by_role("dialog").get_by_role("searchbox").fill("a")
    page.get_by_text("results:").last.wait_for()
    return True


def _picked(page: Page) -> bool:
    page.goto("/me/new-key", wait_until="networkidle")
    page.get_by_label("Expires").select_option("On a date")
    page.get_by_label("What is picked here").check()
    page.wait_for_load_state("networkidle")
    return True


def _refused(page: Page) -> bool:
    page.goto("/app/user/new", wait_until="networkidle")
    page.get_by_label("Email").fill("no address")
    page.get_by_label("With a password").check()
    page.get_by_label("Password", exact=True).fill("123")
    # A browser would say the same before it sends it.
    page.locator("main form").evaluate("form => { form.noValidate = true; }")
    page.get_by_role("button", name="Create user").click()
    page.locator("[aria-invalid]").first.wait_for()
    return True


def _unfold(address: str) -> Callable[[Page], bool]:
    def show(page: Page) -> bool:
        page.goto(address, wait_until="networkidle")
        for summary in page.locator("main summary").all():
            if summary.locator("xpath=..").get_attribute("open") is None:
                summary.click()
        page.evaluate("scrollTo(0, 0)")
        return True

    return show


def _follow(page: Page) -> bool:
    page.goto("/app/request-log", wait_until="networkidle")
    page.get_by_role("button", name="Follow new requests").click()
    page.locator("#follow[aria-pressed=true]").wait_for()
    return True


def _close_uncopied(page: Page) -> bool:
    page.goto("/app/user/ann@example.com?tab=settings", wait_until="networkidle")
    page.locator("summary", has_text="Password").click()
    page.get_by_role("button", name="Make reset link").click()
    page.get_by_role("button", name="Close").click()
    page.get_by_text("was not copied yet").wait_for()
    return True


STATES: Mapping[str, Callable[[Page], bool]] = {
    "menu": _menu,
    "shortcuts": _shortcuts,
    "quick-search": _quick_search,
    "new-key-picked": _picked,
    "user-new-refused": _refused,
    "user-unfolded": _unfold("/app/user/api@example.com"),
    "rule-unfolded": _unfold("/app/access-rule/new"),
    "client-unfolded": _unfold("/app/oauth-client/new"),
    "log-followed": _follow,
    "link-uncopied": _close_uncopied,
}
"""By the picture's name: how it comes about; false where a page of that width has no such thing."""
