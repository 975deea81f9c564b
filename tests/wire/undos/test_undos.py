"""Undo: what is put back by one click, from which pages, and that it is a change like any other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from latchgate.core.permissions import Grant
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service
from support.client_office import BACK, open_office
from support.envelopes import assert_page, assert_shown
from support.pages import Browser
from support.undos import (
    API,
    CONSUMER,
    FORM,
    GONE,
    MANAGER,
    RECORD,
    RECORD_PAGE,
    SETTINGS,
    SOURCE,
    TYPED,
    WEB,
    changed_since,
    count_changes,
    is_offered,
    location_of,
    stored_undos,
    undo_id_in,
    user_of,
)


def _grants(service: Service) -> frozenset[Grant]:
    return service.latchgate.permissions.show(COMMAND_LINE, "Deployer").grants


def _record(service: Service, source: str, name: str) -> tuple[str | None, bool]:
    (record,) = (one for one in service.latchgate.sources.list_records(source) if one.name == name)
    return record.user, record.enabled


@dataclass(frozen=True)
class Change:
    """One that a form makes: where, what is typed, and what is looked at."""

    path: str
    typed: Mapping[str, object]
    look: Any
    undone: list[str]
    """What the activity log says of its undoing."""
    done: str = "saved"
    by: str = MANAGER


_KEYS = {"own_keys": "roles", "own_key_roles": "Deployer", "key_days_max": "90", "key_overlap_seconds_max": ""}
CHANGES = {
    "a user's fields": Change(
        FORM,
        {**TYPED, "first_name": "Ann", "restrict_ip": "10.0.0.0/8", "login_after": "0", "login_before": "0"},
        user_of,
        ["user.changed"],
    ),
    "a user disabled": Change(FORM, {**TYPED, "enabled": ""}, user_of, ["user.enabled"], "disabled"),
    "roles given and taken": Change(FORM, {"tab": "roles", "role:Auditor": "1"}, user_of, ["role.revoked"]),
    "one's own names": Change(
        "/me", {"first_name": "Web", "last_name": "Er"}, lambda one: user_of(one, WEB), ["user.changed"], by=WEB
    ),
    "what a role may do": Change(
        "/app/role/Deployer",
        {"may:User:read:all": "1", "may:API Key:read:own": "1", "may:API Key:write:own": "1", "seen": ""},
        _grants,
        ["permission.revoked", "permission.revoked"],
    ),
    "a second factor required": Change(
        "/app/role/Deployer/second-factor",
        {"two_factor_auth": "1"},
        lambda one: one.latchgate.documents.get(COMMAND_LINE, "Role", "Deployer")["two_factor_auth"],
        ["role.changed"],
    ),
    "settings": Change(
        f"{SETTINGS}/keys",
        _KEYS,
        lambda one: {
            name: one.latchgate.documents.get(COMMAND_LINE, "System Settings", "System Settings")[name]
            for name in ("allow_own_keys", "own_key_roles", "key_days_max")
        },
        ["settings.changed"],
    ),
    "a record disabled": Change(
        RECORD_PAGE,
        {"user": API},
        lambda one: _record(one, SOURCE, RECORD),
        ["source_record.enabled"],
        "disabled",
    ),
    "a consumer without user": Change(
        "/app/event-consumer/Billing",
        {"user": "", "enabled": "1"},
        lambda one: _record(one, CONSUMER, "Billing"),
        ["source_record.changed"],
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_put_back_by_one_click_once(service: Service, change: Change) -> None:
    """The page says so and offers it, what stood before stands again, the log has it as a change, and that was all."""
    browser = Browser(service, change.by)
    before = change.look(service)

    changed = browser.send(change.path, change.typed)
    offered = assert_page(browser.visit(location_of(changed)))
    between = change.look(service)
    rows = count_changes(service)
    undone = browser.send("/undo", {"undo": undo_id_in(changed)})
    told = assert_page(browser.visit(location_of(undone)))

    assert f"done={change.done}&" in location_of(changed)
    assert is_offered(offered)
    assert f'name="undo" value="{undo_id_in(changed)}"' in offered
    assert between != before
    assert change.look(service) == before
    assert "Undone." in told
    assert not is_offered(told)
    assert changed_since(service, rows) == change.undone

    browser.send(change.path, change.typed)
    again = browser.send("/undo", {"undo": undo_id_in(changed)})

    assert GONE in assert_shown(again, 404)
    assert change.look(service) == between
    assert not is_offered(browser.visit(location_of(changed)).text)
    # For the tests that come after it.
    browser.send("/undo", {"undo": _last_undo(service)})
    assert change.look(service) == before


def _last_undo(service: Service) -> str:
    return stored_undos(service)[-1][0]


@pytest.mark.parametrize(
    "changes",
    [
        {
            "app_name": "Diary",
            "redirect_uris": f"{BACK}\nhttps://diary.example.com/back",
            "client_uri": "https://a.example",
        },
        {"may": "read", "openid": "", "require_pkce": "", "role:Deployer": "1", "skip_authorization": "1"},
        {"user": API, "grant:client_credentials": "1", "id_token_alg": "ES256", "resources": "https://mcp.example"},
    ],
)
def test_a_client_s_settings_are_put_back(service: Service, manager: Browser, changes: dict[str, str]) -> None:
    """All that its form changes, with a word on what stays ended; its secret is the same all the time."""
    with open_office(service) as office:
        before = office.stored
        changed = manager.send(office.page, office.typed(**changes))
        between = office.stored

        undone = manager.send("/undo", {"undo": undo_id_in(changed)})

        after = office.stored
        assert between != before
        assert "tokens that it ended stay ended" in assert_page(manager.visit(location_of(undone)))
        for name in type(before).__dataclass_fields__:
            if name not in {"modified", "modified_by", "changed"}:
                assert getattr(after, name) == getattr(before, name), name


def test_a_secret_that_came_or_went_is_not_undone(service: Service, manager: Browser) -> None:
    """A client that needs none any more would get another, which nobody would be shown."""
    with open_office(service) as office:
        changed = manager.send(office.page, office.typed(auth_method="none"))

        assert location_of(changed).endswith("?done=saved")


def test_what_changed_nothing_offers_nothing(manager: Browser) -> None:
    """Saved as it was."""
    assert location_of(manager.send(f"{FORM}", {"tab": "details", "first_name": ""})).endswith("&done=saved")
