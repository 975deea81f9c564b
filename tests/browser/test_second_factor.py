"""A second factor, as a person has it: set up, asked for, lost, and required by a role."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support.asgi import PASSWORD
from support.running import RunningLatchgate
from support.second_factors import Device

OpenPage = Callable[..., Page]
_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
_WIDE, _PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 800}
_LOOKS = [(_WIDE, False), (_PHONE, False), (_PHONE, True), (_WIDE, True)]
"""Axe needs a policy that lets it in: with it, what the policy refuses is not seen."""
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


def _look(page: Page, name: str, looked: bool) -> None:
    """Hold a page to its width and, where its policy lets axe in, to what that finds; with pictures if wanted."""
    assert page.evaluate("document.documentElement.scrollWidth") <= (page.viewport_size or _WIDE)["width"]
    if not looked:
        return
    if _PICTURES:
        width = (page.viewport_size or _WIDE)["width"]
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=f"{_PICTURES}/{name}-{theme}-{width}.png", full_page=True)
    page.evaluate(_AXE)
    found: Any = page.evaluate("axe.run()")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []


@pytest.mark.parametrize(("viewport", "looked"), _LOOKS)
def test_set_up_asked_for_and_lost(
    open_page: OpenPage, running: RunningLatchgate, viewport: dict[str, int], looked: bool
) -> None:
    """On one's account; then a code is asked for, a recovery code opens too, and it is turned off again."""
    user = _make(running, f"own{viewport['width']}{looked}@example.com".lower())
    page = open_page(viewport=viewport, watched=not looked, bypass_csp=looked)
    _enter(page, user)
    device, codes = _set_up(page, looked)
    assert len(codes) == 10
    _look(page, "codes", looked)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as text").click()
    assert download.value.path().read_text().split("\n")[2:12] == codes
    page.get_by_role("link", name="I kept them").click()
    expect(page.get_by_text("10 of 10 left")).to_be_visible()
    _look(page, "on", looked)

    _come_back_by_code(page, user, device, looked)
    _come_back_by_recovery_code(page, user, codes[0], looked)
    page.goto("/me/second-factor/turn-off")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("textbox", name="Code", exact=False).fill(codes[1])
    _look(page, "turn-off", looked)
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("status")).to_contain_text("was turned off")


def _set_up(page: Page, looked: bool) -> tuple[Device, list[str]]:
    page.goto("/me")
    page.get_by_role("link", name="Set up the second factor").click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    _look(page, "off", looked)
    page.get_by_role("link", name="Set up", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    _look(page, "asks", looked)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    device = Device(page.locator("#key").inner_text())
    _look(page, "key", looked)
    if looked:
        # A browser complains of every refusal.
        page.get_by_role("textbox", name="Code", exact=False).fill("000000")
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator("#code-error")).to_be_visible()
        assert page.locator("#key").inner_text() == device.key
        _look(page, "key-refused", looked)
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    return device, page.locator("#codes").inner_text().split()


def _come_back_by_code(page: Page, user: str, device: Device, looked: bool) -> None:
    page.context.clear_cookies()
    _enter(page, user)
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    page.goto("/app")
    expect(page.get_by_label("Password")).to_be_visible()
    _enter(page, user)
    _look(page, "login-code", looked)
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device, 1))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app")


def _come_back_by_recovery_code(page: Page, user: str, code: str, looked: bool) -> None:
    page.context.clear_cookies()
    _enter(page, user)
    page.get_by_role("link", name="Use a recovery code").click()
    expect(page.get_by_role("heading", name="Recovery code")).to_be_visible()
    _look(page, "login-recovery", looked)
    page.get_by_label("Recovery code").fill(code)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app")
    page.goto("/me?tab=sessions")
    expect(page.get_by_role("heading", name="Last sign-ins")).to_be_visible()
    _look(page, "sessions", looked)


@pytest.mark.parametrize(("scripts", "looked"), [(True, False), (False, False), (True, True)])
def test_required_by_a_role(open_page: OpenPage, running: RunningLatchgate, *, scripts: bool, looked: bool) -> None:
    """Set up at sign-in before anything else, with a script and without."""
    role = f"Careful {scripts} {looked}"
    running.ask("role", "create", role, "--second-factor")
    user = _make(running, f"must{scripts}{looked}@example.com".lower(), role)
    viewport = _PHONE if looked else _WIDE
    page = open_page(viewport=viewport, java_script_enabled=scripts, watched=not looked, bypass_csp=looked)
    _enter(page, user)
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    page.goto("/app")
    expect(page.get_by_label("Password")).to_be_visible()
    _enter(page, user)
    device = Device(page.locator("#key").inner_text())
    if looked:
        _look(page, "login-set-up", looked)
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device))
    page.get_by_role("button", name="Confirm and sign in").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    if looked:
        _look(page, "login-codes", looked)
    page.get_by_role("link", name="I kept them").click()
    page.wait_for_url("**/app")


@pytest.mark.parametrize(("viewport", "looked"), _LOOKS)
def test_a_manager_helps_whoever_lost_it(
    open_page: OpenPage, running: RunningLatchgate, viewport: dict[str, int], looked: bool
) -> None:
    """Requires one of a role, sees a user's sign-ins, and ends the second factor that was lost."""
    role, user = (
        f"Guarded {viewport['width']} {looked}",
        _make(running, f"lost{viewport['width']}{looked}@example.com".lower()),
    )
    running.ask("role", "create", role)
    page = open_page(viewport=viewport, watched=not looked, bypass_csp=looked)
    _enter(page, user)
    page.goto("/me/second-factor/set-up")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    device = Device(page.locator("#key").inner_text())
    page.get_by_role("textbox", name="Code", exact=False).fill(_now_steps(device))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    boss = open_page(viewport=viewport, watched=not looked, bypass_csp=looked)
    _enter(boss, "Administrator")
    boss.goto(f"/app/role/{role}")
    _look(boss, "role", looked)
    boss.get_by_role("checkbox", name="Second factor required").check()
    boss.get_by_role("button", name="Save sign-in").click()
    expect(boss.get_by_role("status")).to_have_text("Saved.")
    boss.goto(f"/app/user/{user}?tab=sessions")
    expect(boss.get_by_text("10 recovery codes left")).to_be_visible()
    _look(boss, "user-sessions", looked)
    boss.get_by_role("link", name="End second factor").click()
    dialog = boss.get_by_role("dialog", name="End second factor")
    expect(dialog).to_be_visible()
    _look(boss, "user-end-second-factor", looked)
    dialog.get_by_role("button", name="End second factor").click()
    expect(boss.get_by_role("status")).to_contain_text("was ended")
    page.goto("/app")
    expect(page.get_by_label("Password")).to_be_visible()
    _enter(page, user)
    page.wait_for_url("**/app")
