"""The page Settings: what it shows and saves, and that what is decided counts at once."""

import re
from pathlib import Path

import pytest
import sqlalchemy

from latchgate.core.questions import Asked
from latchgate.core.system_settings import SETTING_NAMES
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, PASSWORD, Service, opened_service
from support.envelopes import assert_page
from support.pages import done_at, send_form, visit
from support.settings_pages import API, KEYS, LOG, MANAGER, PAGE, READER, SIGN_IN, put_values, values_of

# 200


def test_every_setting_has_its_meaning_bounds_and_default(peopled: Service) -> None:
    """In words; a section each, saved by itself."""
    text = assert_page(visit(peopled, PAGE, MANAGER))

    assert re.findall(r'<form method="post" action="/app/settings/([a-z-]+)"', text) == [
        "sign-in",
        "keys",
        "oauth",
        "log",
    ]
    for name in set(SETTING_NAMES) - {"allow_own_keys", "own_key_roles"}:
        (hint,) = re.findall(rf'id="{name}-hint">([^<]+)<', text)
        assert "From " in hint
        assert "Default: " in hint
    assert "Default: 3 days." in text
    assert "From 1 minute to a year." in text
    # The operator's alone, told where one looks for it.
    oauth = text.partition('<section class="card" id="oauth"')[2].partition("</section>")[0]
    assert "Clients register themselves" in oauth
    assert "No; somebody makes them here" in oauth
    assert "oauth_registration: off, token or open" in oauth
    assert "set where the service starts. Nobody set it: this is the default." in oauth


@pytest.mark.parametrize(
    ("section", "typed", "decided"),
    [
        (
            "sign-in",
            SIGN_IN,
            {
                "session_idle_seconds": 7200,
                "session_absolute_seconds": 86_400,
                "sign_in_failures_per_user": 4,
                "sign_in_failures_per_address": 40,
                "sign_in_window_seconds": 300,
            },
        ),
        (
            "keys",
            {**KEYS, "own_keys": "roles", "own_key_roles": "Auditor, System Manager", "key_days_max": "90"},
            {"allow_own_keys": 1, "own_key_roles": ["Auditor", "System Manager"], "key_days_max": 90},
        ),
        ("keys", {**KEYS, "own_keys": "managers"}, {"allow_own_keys": 0}),
        (
            "keys",
            {**KEYS, "key_overlap_seconds_max": "0", "key_overlap_seconds_max_unit": "3600"},
            {"key_overlap_seconds_max": 0, "key_days_max": None},
        ),
        ("log", {"log_retention_days": "0", "log_address_days": "7"}, {"log_retention_days": 0, "log_address_days": 7}),
    ],
)
def test_a_section_is_saved_and_told(
    peopled: Service, section: str, typed: dict[str, str], decided: dict[str, object]
) -> None:
    """What it holds is decided, what others hold is not, and the activity log says by whom."""
    before = values_of(peopled)

    answer = send_form(peopled, f"{PAGE}/{section}", MANAGER, typed)

    after = values_of(peopled)
    changed = {name for name in SETTING_NAMES if after[name] != before[name]}
    assert (answer.status, done_at(answer)) == (303, f"{PAGE}?done=saved")
    assert {name: after[name] for name in decided} == decided
    assert changed <= set(decided)
    rows = peopled.latchgate.documents.list_rows(
        COMMAND_LINE,
        "Activity Log",
        Asked(["user", "detail"], {"operation": "settings.changed"}, order_by="time desc", limit=1),
    ).documents()
    assert rows[0]["user"] == MANAGER
    assert all(name in rows[0]["detail"] for name in changed)


def test_a_shorter_session_ends_those_that_outlived_it(peopled: Service) -> None:
    """At the next request; and the cookie of a new one says how long it lasts."""
    sid = peopled.sign_in(API).sid
    began_earlier = "UPDATE session SET created_at = created_at - 301 WHERE revoked_at IS NULL AND user_id = :user"
    with peopled.latchgate.store._database.writing.begin() as connection:  # as if time had passed
        connection.execute(sqlalchemy.text(began_earlier), {"user": peopled.latchgate.users.get(API).id})
    before = peopled.ask(LOGGED_USER, headers=[("cookie", f"sid={sid}")])

    five_minutes = {"session_absolute_seconds": "5", "session_absolute_seconds_unit": "60"}
    send_form(peopled, f"{PAGE}/sign-in", MANAGER, {**SIGN_IN, **five_minutes})

    assert before.status == 200
    assert peopled.ask(LOGGED_USER, headers=[("cookie", f"sid={sid}")]).status != 200
    assert "Max-Age=300;" in peopled.sign_in(API).cookies["sid"]


def test_fewer_failures_count_at_once(peopled: Service) -> None:
    """The second wrong password meets a limit of one."""
    peopled.latchgate.system_settings.change(COMMAND_LINE, sign_in_failures_per_user=1)
    sent = {"usr": READER, "pwd": "wrong wrong wrong"}

    statuses = [peopled.post("/api/method/login", sent).status for _ in range(2)]
    peopled.latchgate.system_settings.change(COMMAND_LINE, sign_in_failures_per_user=9)

    assert statuses == [401, 429]
    assert peopled.post("/api/method/login", {"usr": READER, "pwd": PASSWORD}).status == 200


def test_keys_that_live_longer_are_counted(peopled: Service) -> None:
    """Those that never end among them; they go on working."""
    pair = peopled.make_key(API)
    peopled.make_key(API, expires_at=peopled.latchgate.clock.now() + 31 * 86_400)
    send_form(peopled, f"{PAGE}/keys", MANAGER, {**KEYS, "key_days_max": "30"})

    text = assert_page(visit(peopled, PAGE, MANAGER))

    assert "later than one made now could" in text
    assert "of them never" in text
    assert peopled.ask(LOGGED_USER, pair.token).status == 200


def test_a_reader_sees_and_changes_nothing(peopled: Service) -> None:
    """Whatever a permission says, System Managers alone change the settings."""
    text = assert_page(visit(peopled, PAGE, READER))

    assert "3 days" in text
    assert '<button type="submit">Save' not in text
    assert send_form(peopled, f"{PAGE}/log", READER, LOG).status == 403


# 303


def test_a_section_alone_is_on_the_page(peopled: Service) -> None:
    """Its address is a form's; whoever opens it, or goes back to it, is led to the page."""
    assert visit(peopled, f"{PAGE}/keys", MANAGER).header("location") == f"{PAGE}#keys"


# What the operator set


def test_what_the_operator_set_is_shown_as_fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With where; a form that sends it all the same changes the rest alone, and the API says why not."""
    monkeypatch.setenv("LATCHGATE_LOG_RETENTION_DAYS", "30")
    monkeypatch.setenv("LATCHGATE_ALLOW_OWN_KEYS", "false")
    with opened_service(tmp_path / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        text = assert_page(visit(service, PAGE, MANAGER))
        saved = send_form(service, f"{PAGE}/log", MANAGER, {"log_retention_days": "9", "log_address_days": "7"})
        refused = put_values(service, service.make_key(MANAGER).token, {"log_retention_days": 9})
        values = values_of(service)

    assert "set by the operator in <code>LATCHGATE_LOG_RETENTION_DAYS</code>" in text
    assert "set by the operator in <code>LATCHGATE_ALLOW_OWN_KEYS</code>" in text
    assert 'name="log_retention_days"' not in text
    assert 'name="own_keys"' not in text
    assert saved.status == 303
    assert (values["log_retention_days"], values["log_address_days"]) == (30, 7)
    assert refused.status == 417
    assert "LATCHGATE_LOG_RETENTION_DAYS" in refused.text
