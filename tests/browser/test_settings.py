"""Settings by the names that a person sees: what is saved is so from then on, and what cannot be is said beside it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, StorageState, expect

from support.running import RunningLatchgate

OpenPage = Callable[..., Page]
_WIDE, _PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 800}


def _value(running: RunningLatchgate, name: str) -> Any:  # noqa: ANN401  # whatever the setting is
    (found,) = [one for one in running.ask("setting", "list") if one["name"] == name]
    return found["value"]


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("viewport", [_WIDE, _PHONE])
def test_a_policy_is_decided(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState, viewport: dict[str, int], *, scripts: bool
) -> None:
    """A key's longest life, and the roles whose users make their own, once these are asked for."""
    page = open_page(storage_state=signed_in, viewport=viewport, java_script_enabled=scripts)
    page.goto("/app/settings")
    section = page.get_by_role("region", name="API keys")
    expect(section.get_by_label("Roles", exact=True)).to_be_hidden()

    section.get_by_label("Users with one of these roles").check()
    section.get_by_label("Roles", exact=True).fill("System Manager")
    section.get_by_label("A key lives at most").fill("30")
    section.get_by_label("A former secret works at most", exact=True).fill("2")
    section.get_by_role("button", name="Save key policy").click()

    expect(page.get_by_role("status")).to_have_text("Saved.")
    assert (_value(running, "key_days_max"), _value(running, "key_overlap_seconds_max")) == (30, 7200)
    assert _value(running, "own_key_roles") == ["System Manager"]
    page.goto("/me/new-key")
    assert page.get_by_label("Expires").locator("option").all_inner_texts() == ["In 30 days", "On a date"]
    for name in ("key_days_max", "key_overlap_seconds_max", "own_key_roles"):
        running.ask("setting", "reset", name)


@pytest.mark.parametrize("scripts", [True, False])
def test_what_cannot_be_is_said_beside_it(
    open_page: OpenPage, running: RunningLatchgate, signed_in: StorageState, *, scripts: bool
) -> None:
    """With what was typed still there; nothing is decided, and the correction is."""
    page = open_page(storage_state=signed_in, viewport=_WIDE, java_script_enabled=scripts, watched=False)
    page.goto("/app/settings")
    field = page.get_by_label("A session ends unused after", exact=True)

    field.fill("500")
    page.get_by_role("button", name="Save sign-in").click()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Must be a whole number, from 1 minute to a year.")).to_be_visible()
    expect(field).to_have_value("500")
    assert _value(running, "session_idle_seconds") == 259_200

    page.get_by_label("A session ends unused after: unit").select_option("hours")
    field.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Saved.")
    assert _value(running, "session_idle_seconds") == 500 * 3600
    running.ask("setting", "reset", "session_idle_seconds")
