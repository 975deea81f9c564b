"""The page Settings: who changes nothing, and what is said of values that cannot be."""

import re

import pytest

from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service
from support.envelopes import assert_shown
from support.pages import HTML, send_form, send_json, visit
from support.settings_pages import API, KEYS, LOG, MANAGER, PAGE, SIGN_IN, WEB, put_values, values_of

_FORMS = {"sign-in": SIGN_IN, "keys": KEYS, "log": LOG}


def _errors(text: str) -> list[str]:
    return re.findall(r'<p class="error" id="([a-z_]+)-error">', text)


# 400


def test_another_sites_form_decides_nothing(peopled: Service) -> None:
    """Without the session's token."""
    sid = peopled.sign_in(MANAGER).sid

    answer = peopled.post(f"{PAGE}/log", LOG, form=True, headers=[("cookie", f"sid={sid}"), HTML])

    assert answer.status == 400
    assert values_of(peopled)["log_retention_days"] == 90


# 403, 404


@pytest.mark.parametrize("user", [API, WEB, ""])
def test_nobody_else_sees_or_changes_them(peopled: Service, user: str) -> None:
    """By no address."""
    answers = [visit(peopled, PAGE, user), visit(peopled, f"{PAGE}/keys", user)]
    if user:
        answers.append(send_form(peopled, f"{PAGE}/keys", user, {**KEYS, "own_keys": "managers"}))
        answers.append(put_values(peopled, peopled.make_key(user).token, {"key_days_max": 1}))

    assert all(answer.status in {303, 401, 403} for answer in answers), [answer.status for answer in answers]
    assert "session_idle_seconds" not in "".join(answer.text for answer in answers)
    assert (values_of(peopled)["allow_own_keys"], values_of(peopled)["key_days_max"]) == (1, None)


def test_there_is_no_other_section(peopled: Service) -> None:
    """Neither to see nor to save."""
    assert visit(peopled, f"{PAGE}/colours", MANAGER).status == 404
    assert send_form(peopled, f"{PAGE}/colours", MANAGER, {}).status == 404


# 417


@pytest.mark.parametrize(
    ("section", "typed", "wrong", "kept"),
    [
        (
            "sign-in",
            {**SIGN_IN, "session_idle_seconds": "59", "session_idle_seconds_unit": "1"},
            "session_idle_seconds",
            "59",
        ),
        (
            "sign-in",
            {**SIGN_IN, "session_idle_seconds": "366", "session_idle_seconds_unit": "86400"},
            "session_idle_seconds",
            "366",
        ),
        ("sign-in", {**SIGN_IN, "session_idle_seconds": ""}, "session_idle_seconds", ""),
        ("sign-in", {**SIGN_IN, "session_idle_seconds_unit": "7"}, "session_idle_seconds", "2"),
        ("sign-in", {**SIGN_IN, "sign_in_failures_per_user": "-1"}, "sign_in_failures_per_user", "-1"),
        ("sign-in", {**SIGN_IN, "sign_in_failures_per_user": "1e3"}, "sign_in_failures_per_user", "1e3"),
        ("sign-in", {**SIGN_IN, "sign_in_failures_per_user": "9" * 400}, "sign_in_failures_per_user", "999"),
        ("keys", {**KEYS, "key_days_max": "0"}, "key_days_max", "0"),
        ("keys", {**KEYS, "own_keys": "roles"}, "own_key_roles", ""),
        ("keys", {**KEYS, "own_keys": "roles", "own_key_roles": "<i>"}, "own_key_roles", "&lt;i&gt;"),
        ("keys", {**KEYS, "own_keys": "me"}, "own_keys", ""),
        ("log", {**LOG, "log_address_days": "0"}, "log_address_days", "0"),
        ("log", {**LOG, "log_retention_days": "soon"}, "log_retention_days", "soon"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(
    peopled: Service, section: str, typed: dict[str, str], wrong: str, kept: str
) -> None:
    """What was typed is still there, and nothing is decided."""
    before = values_of(peopled)

    text = assert_shown(send_form(peopled, f"{PAGE}/{section}", MANAGER, typed), 417)

    assert _errors(text) == [wrong]
    assert f'value="{kept}' in text
    assert values_of(peopled) == before


@pytest.mark.parametrize("name", [*SIGN_IN, *KEYS, *LOG, "modified"])
@pytest.mark.parametrize("value", [None, [], {}, {"a": ["b"]}, True, 1.5])
def test_what_no_form_sends_is_no_fault(peopled: Service, name: str, value: object) -> None:
    """JSON may hold anything."""
    section = next(found for found, typed in _FORMS.items() if name in {**typed, "modified": ""})

    answer = send_json(peopled, f"{PAGE}/{section}", MANAGER, {**_FORMS[section], name: value})

    assert answer.status in {303, 417}, answer.text


def test_what_somebody_else_changed_meanwhile_is_not_lost(peopled: Service) -> None:
    """Two who opened the page: the second is told, and nothing of theirs is saved."""
    (seen,) = set(re.findall(r'name="modified" value="([^"]+)"', visit(peopled, PAGE, MANAGER).text))
    peopled.latchgate.system_settings.change(COMMAND_LINE, log_retention_days=30)

    text = assert_shown(send_form(peopled, f"{PAGE}/log", MANAGER, {**LOG, "modified": seen}), 417)

    assert "Somebody else changed this" in text
    assert values_of(peopled)["log_retention_days"] == 30
