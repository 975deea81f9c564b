"""A second factor, as a person has it: set up, asked for, lost, and required by a role."""

import os
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from support.asgi import PASSWORD
from support.browsers import find_barriers
from support.running import RunningLatchgate
from support.second_factors import Device

OpenPage = Callable[..., Page]
_WIDE: ViewportSize = {"width": 1280, "height": 800}
_PHONE: ViewportSize = {"width": 360, "height": 800}
_PICTURES = os.environ.get("SECOND_FACTOR_PICTURES", "")


def _make(running: RunningLatchgate, name: str, *roles: str) -> str:
    given = [argument for role in roles for argument in ("--role", role)]
    running.ask("user", "create", name, *given)
    running.run("user", "set-password", name, "--password-stdin", typed=PASSWORD)
    return name


def _enter(page: Page, user: str) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address or user name").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def _now_steps(device: Device, steps: int = 0) -> str:
    return device.code(int(time.time()), steps)


def _look(page: Page, name: str) -> None:
    """Hold a page to its width and to having no barriers; with pictures if wanted."""
    width = (page.viewport_size or _WIDE)["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if _PICTURES:
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=cast("Any", theme))
            page.screenshot(path=f"{_PICTURES}/{name}-{theme}-{width}.png", full_page=True)
    assert find_barriers(page) == []


@pytest.mark.parametrize("viewport", [_WIDE, _PHONE])
def test_set_up_asked_for_and_lost(open_page: OpenPage, running: RunningLatchgate, viewport: ViewportSize) -> None:
    """On one's account; then a code is asked for, a recovery code opens too, and it is turned off again."""
    user = _make(running, f"own{viewport['width']}@example.com".lower())
    page = open_page(viewport=viewport, refusals=True)
    _enter(page, user)
    device, codes = _set_up(page)
    assert len(codes) == 10
    _look(page, "codes")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as text").click()
    assert download.value.path().read_text().split("\n")[2:12] == codes
    page.get_by_role("link", name="I kept them").click()
    expect(page.get_by_text("10 of 10 left")).to_be_visible()
    _look(page, "on")

    _come_back_by_code(page, user, device)
    _come_back_by_recovery_code(page, user, codes[0])
    page.goto("/me/second-factor/turn-off")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("textbox", name="Code", exact=False).fill(codes[1])
    _look(page, "turn-off")
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("status")).to_contain_text("was turned off")


def _set_up(page: Page) -> tuple[Device, list[str]]:
    page.goto("/me")
    page.get_by_role("link", name="Set up the second factor").click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    _look(page, "off")
    page.get_by_role("link", name="Set up", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    _look(page, "asks")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    device = Device(page.locator("#key").inner_text())
    _look(page, "key")
    page.get_by_role("textbox", name="Code", exact=False).fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#code-error")).to_be_visible()
    assert page.locator("#key").inner_text() == device.key
    _look(page, "key-refused")
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    return device, page.locator("#codes").inner_text().split()


def _come_back_by_code(page: Page, user: str, device: Device) -> None:
    page.context.clear_cookies()
    _enter(page, user)
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    page.goto("/app")
    expect(page.get_by_label("Password")).to_be_visible()
    _enter(page, user)
    _look(page, "login-code")
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device, 1))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app")


def _come_back_by_recovery_code(page: Page, user: str, code: str) -> None:
    page.context.clear_cookies()
    _enter(page, user)
    page.get_by_role("link", name="Use a recovery code").click()
    expect(page.get_by_role("heading", name="Recovery code")).to_be_visible()
    _look(page, "login-recovery")
    page.get_by_label("Recovery code").fill(code)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app")
    page.goto("/me?tab=sessions")
    expect(page.get_by_role("heading", name="Last sign-ins")).to_be_visible()
    _look(page, "sessions")


@pytest.mark.parametrize("scripts", [True, False])
def test_required_by_a_role(open_page: OpenPage, running: RunningLatchgate, *, scripts: bool) -> None:
    """Set up at sign-in before anything else, with a script and without."""
    role = f"Careful {scripts}"
    running.ask("role", "create", role, "--second-factor")
    user = _make(running, f"must{scripts}@example.com".lower(), role)
    page = open_page(java_script_enabled=scripts)

    def look(name: str) -> None:
        # What finds barriers is a script.
        for size in (_WIDE, _PHONE) if scripts else ():
            page.set_viewport_size(size)
            _look(page, name)

    _enter(page, user)
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    page.goto("/app")
    expect(page.get_by_label("Password")).to_be_visible()
    _enter(page, user)
    device = Device(page.locator("#key").inner_text())
    look("login-set-up")
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device))
    page.get_by_role("button", name="Confirm and sign in").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    look("login-codes")
    page.get_by_role("link", name="I kept them").click()
    page.wait_for_url("**/app")


@pytest.mark.parametrize("viewport", [_WIDE, _PHONE])
def test_a_manager_helps_whoever_lost_it(
    open_page: OpenPage, running: RunningLatchgate, viewport: ViewportSize
) -> None:
    """Requires one of a role, sees a user's sign-ins, and ends the second factor that was lost."""
    role, user = (
        f"Guarded {viewport['width']}",
        _make(running, f"lost{viewport['width']}@example.com".lower()),
    )
    running.ask("role", "create", role)
    page = open_page(viewport=viewport)
    _enter(page, user)
    page.goto("/me/second-factor/set-up")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    device = Device(page.locator("#key").inner_text())
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    boss = open_page(viewport=viewport)
    _enter(boss, "Administrator")
    boss.goto(f"/app/role/{role}")
    _look(boss, "role")
    boss.get_by_role("checkbox", name="Second factor required").check()
    boss.get_by_role("button", name="Save sign-in").click()
    expect(boss.get_by_role("status")).to_have_text("Saved.")
    boss.goto(f"/app/user/{user}?tab=sessions")
    expect(boss.get_by_text("10 recovery codes left")).to_be_visible()
    _look(boss, "user-sessions")
    boss.get_by_role("link", name="End second factor").click()
    dialog = boss.get_by_role("dialog", name="End second factor")
    expect(dialog).to_be_visible()
    _look(boss, "user-end-second-factor")
    dialog.get_by_role("button", name="End second factor").click()
    expect(boss.get_by_role("status")).to_contain_text("was ended")
    page.goto("/app")
    expect(page.get_by_label("Password")).to_be_visible()
    _enter(page, user)
    page.wait_for_url("**/app")
