"""Undo: what can be put back by one click, by whom, how long, how often, and what comes between."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy

from latchgate.core.credentials import Scheme
from latchgate.core.permissions import Action, Grant
from latchgate.core.principals import Principal
from latchgate.core.questions import Asked
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.errors import NotFound
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.undos import UNDO_SECONDS
from support.asgi import Answer, Service
from support.client_office import BACK, open_office, peopled_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, Browser

MANAGER, OTHER, API, WEB = "manager@example.com", "other@example.com", "api@example.com", "web@example.com"
CONSUMER, SOURCE, RECORD = "Event Consumer", "API Device", "Front door"
SETTINGS = "System Settings"
_FORM, _SETTINGS = "/app/user/api%40example.com", "/app/settings"
_RECORD_PAGE = "/app/source/API%20Device/record/Front%20door"
_GONE, _STALE = "This cannot be undone any more", "Somebody else changed this since, or you did; nothing was undone."


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with something of every kind that can be changed."""
    with peopled_service(tmp_path_factory.mktemp("undos") / "home") as service:
        latchgate = service.latchgate
        service.make_user(OTHER, roles=frozenset({SYSTEM_MANAGER}))
        for role in ("Deployer", "Auditor", "Passing"):
            latchgate.roles.create(COMMAND_LINE, role)
        latchgate.sources.create(COMMAND_LINE, SOURCE)
        for source, name in ((SOURCE, RECORD), (CONSUMER, "Billing")):
            latchgate.sources.create_record(COMMAND_LINE, source, name, API)
        yield service


@pytest.fixture
def manager(service: Service) -> Browser:
    """A System Manager's browser."""
    return Browser(service, MANAGER)


def _location(answer: Answer) -> str:
    assert answer.status == 303, answer.text
    return answer.header("location") or ""


def _undo_id(answer: Answer) -> str:
    """Give the id under which a change is offered to be undone; empty if it is not."""
    return _location(answer).partition("&undo=")[2]


def _is_offered(text: str) -> bool:
    return 'action="/undo"' in text


def _user(service: Service, name: str = API) -> dict[str, Any]:
    found = service.latchgate.documents.get(COMMAND_LINE, "User", name)
    return {field: found[field] for field in ("first_name", "enabled", "restrict_ip", "user_type", "roles")}


def _grants(service: Service) -> frozenset[Grant]:
    return service.latchgate.permissions.show(COMMAND_LINE, "Deployer").grants


def _record(service: Service, source: str, name: str) -> tuple[str | None, bool]:
    (record,) = (one for one in service.latchgate.sources.list_records(source) if one.name == name)
    return record.user, record.enabled


def _changed(service: Service, since: int) -> list[str]:
    """List what the activity log says of changes since it had so many rows, the oldest first."""
    rows = service.latchgate.documents.list_rows(COMMAND_LINE, "Activity Log", _asked()).documents()
    return [row["operation"] for row in rows[since:] if not row["operation"].startswith("session.")]


def _asked() -> Asked:
    return Asked(fields=["operation"], order_by="time asc", limit=0)


def _rows(service: Service) -> int:
    return len(service.latchgate.documents.list_rows(COMMAND_LINE, "Activity Log", _asked()).rows)


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


_TYPED = {"tab": "details", "first_name": "", "last_name": "", "user_type": "System User", "enabled": "1"}
_KEYS = {"own_keys": "roles", "own_key_roles": "Deployer", "key_days_max": "90", "key_overlap_seconds_max": ""}
CHANGES = {
    "a user's fields": Change(
        _FORM,
        {**_TYPED, "first_name": "Ann", "restrict_ip": "10.0.0.0/8", "login_after": "0", "login_before": "0"},
        _user,
        ["user.changed"],
    ),
    "a user disabled": Change(_FORM, {**_TYPED, "enabled": ""}, _user, ["user.enabled"], "disabled"),
    "roles given and taken": Change(_FORM, {"tab": "roles", "role:Auditor": "1"}, _user, ["role.revoked"]),
    "one's own names": Change(
        "/me", {"first_name": "Web", "last_name": "Er"}, lambda one: _user(one, WEB), ["user.changed"], by=WEB
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
        f"{_SETTINGS}/keys",
        _KEYS,
        lambda one: {
            name: one.latchgate.documents.get(COMMAND_LINE, SETTINGS, SETTINGS)[name]
            for name in ("allow_own_keys", "own_key_roles", "key_days_max")
        },
        ["settings.changed"],
    ),
    "a record disabled": Change(
        _RECORD_PAGE,
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
    offered = assert_page(browser.visit(_location(changed)))
    between = change.look(service)
    rows = _rows(service)
    undone = browser.send("/undo", {"undo": _undo_id(changed)})
    told = assert_page(browser.visit(_location(undone)))

    assert f"done={change.done}&" in _location(changed)
    assert _is_offered(offered)
    assert f'name="undo" value="{_undo_id(changed)}"' in offered
    assert between != before
    assert change.look(service) == before
    assert "Undone." in told
    assert not _is_offered(told)
    assert _changed(service, rows) == change.undone

    browser.send(change.path, change.typed)
    again = browser.send("/undo", {"undo": _undo_id(changed)})

    assert _GONE in assert_shown(again, 404)
    assert change.look(service) == between
    assert not _is_offered(browser.visit(_location(changed)).text)
    # For the tests that come after it.
    browser.send("/undo", {"undo": _last_undo(service)})
    assert change.look(service) == before


def _stored(service: Service) -> list[tuple[str, str]]:
    with service.latchgate.store._database.reading.connect() as connection:  # what lies on the disk
        return [
            (row[0], row[1])
            for row in connection.execute(sqlalchemy.text("SELECT public_id, change FROM undo ORDER BY id"))
        ]


def _last_undo(service: Service) -> str:
    return _stored(service)[-1][0]


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

        undone = manager.send("/undo", {"undo": _undo_id(changed)})

        after = office.stored
        assert between != before
        assert "tokens that it ended stay ended" in assert_page(manager.visit(_location(undone)))
        for name in type(before).__dataclass_fields__:
            if name not in {"modified", "modified_by", "changed"}:
                assert getattr(after, name) == getattr(before, name), name


def test_a_secret_that_came_or_went_is_not_undone(service: Service, manager: Browser) -> None:
    """A client that needs none any more would get another, which nobody would be shown."""
    with open_office(service) as office:
        changed = manager.send(office.page, office.typed(auth_method="none"))

        assert _location(changed).endswith("?done=saved")


def test_what_changed_nothing_offers_nothing(manager: Browser) -> None:
    """Saved as it was."""
    assert _location(manager.send(f"{_FORM}", {"tab": "details", "first_name": ""})).endswith("&done=saved")


@pytest.fixture
def renamed(service: Service, manager: Browser) -> Iterator[str]:
    """The id under which the manager can undo that a user got another name."""
    changed = manager.send(_FORM, {"tab": "details", "first_name": "Renamed"})
    yield _undo_id(changed)
    service.latchgate.documents.update(COMMAND_LINE, "User", API, {"first_name": ""})


def _name(service: Service) -> object:
    return _user(service)["first_name"]


@pytest.mark.parametrize("user", [OTHER, MANAGER, WEB])
def test_nobody_else_undoes_it(service: Service, renamed: str, user: str) -> None:
    """Nor the same person in another session; neither is told that there is something to undo."""
    other = Browser(service, user)

    answer = other.send("/undo", {"undo": renamed})

    assert _GONE in assert_shown(answer, 404)
    assert not _is_offered(other.visit(f"/me?done=saved&undo={renamed}").text)
    assert _name(service) == "Renamed"


def test_no_key_undoes_it(service: Service, renamed: str) -> None:
    """Of the same user, with every right: what was done by hand in a session is undone there."""
    key = service.make_key(MANAGER)

    answer = service.post("/undo", {"undo": renamed}, key.token, form=True, headers=[HTML])

    assert answer.status == 404
    assert _name(service) == "Renamed"


def test_no_other_site_undoes_it(service: Service, manager: Browser, renamed: str) -> None:
    """Without the session's token, and by a link, nothing happens."""
    forged = manager.send_without_token("/undo", {"undo": renamed})
    linked = manager.visit(f"/undo?undo={renamed}")

    assert forged.status in {400, 403}
    assert _location(linked) == "/app"
    assert _location(Browser(service, WEB).visit("/undo")) == "/me"
    assert service.post("/undo", {"undo": renamed}, form=True, headers=[HTML]).status in {303, 403}
    assert _name(service) == "Renamed"


@pytest.mark.parametrize(
    "made", ["", "0" * 32, "{}0", "%00", "\0" * 32, "' OR 1=1 --", "A" * 32, "a" * 100_000, "\u0661" * 32]
)
def test_a_made_up_id_undoes_nothing(service: Service, manager: Browser, renamed: str, made: str) -> None:
    """Whatever it is, it is one that nobody has."""
    for tried in (made, made.format(renamed) if "{" in made else made.upper()):
        assert _GONE in assert_shown(manager.send("/undo", {"undo": tried}), 404)
    assert not _is_offered(manager.visit(f"{_FORM}?done=saved&undo=%00").text)
    assert _name(service) == "Renamed"


def test_what_is_sent_beside_the_id_says_nothing(service: Service, manager: Browser, renamed: str) -> None:
    """Values, another record and another page are taken from what was stored, never from the form."""
    sent = {"name": OTHER, "doctype": "Role", "back": "https://evil.example/", "first_name": "Evil", "seen": "x"}
    values = json.dumps({"roles": [{"role": SYSTEM_MANAGER}]})

    undone = manager.send("/undo", {**sent, "values": values, "undo": renamed})

    assert _location(undone) == f"{_FORM}?tab=details&done=undone"
    assert _name(service) == ""
    assert SYSTEM_MANAGER not in str(_user(service)["roles"])


@pytest.mark.parametrize("by", [OTHER, MANAGER])
def test_a_later_change_stays(service: Service, manager: Browser, renamed: str, by: str) -> None:
    """Of whatever field, by whomever: nothing is undone, and the page tells why and leads to what there is now."""
    Browser(service, by).send(_FORM, {"tab": "details", "last_name": "Later"})

    told = assert_shown(manager.send("/undo", {"undo": renamed}), 417)

    assert _STALE in told
    assert f'href="{_FORM}?tab=details"' in html.unescape(told)
    assert _name(service) == "Renamed"
    assert service.latchgate.documents.get(COMMAND_LINE, "User", API)["last_name"] == "Later"
    service.latchgate.documents.update(COMMAND_LINE, "User", API, {"last_name": ""})


def test_later_permissions_stay(service: Service, manager: Browser) -> None:
    """A grant that somebody else gave since is not taken away by putting back what stood before."""
    page = "/app/role/Auditor"
    changed = manager.send(page, {"may:User:read:all": "1", "seen": ""})
    grant = Grant("Auditor", "Role", if_owner=False, actions=frozenset({Action.READ}))
    service.latchgate.permissions.grant(COMMAND_LINE, grant)

    told = assert_shown(manager.send("/undo", {"undo": _undo_id(changed)}), 417)

    assert _STALE in told
    assert {one.doctype for one in service.latchgate.permissions.show(COMMAND_LINE, "Auditor").grants} == {
        "User",
        "Role",
    }


@pytest.mark.parametrize("stale", ["settings", "record", "client"])
def test_a_later_change_of_other_kinds_stays(service: Service, manager: Browser, stale: str) -> None:
    """Settings, whatever their section; a record; a client that was revoked."""
    latchgate = service.latchgate
    with open_office(service) as office:
        match stale:
            case "settings":
                changed = manager.send(f"{_SETTINGS}/log", {"log_retention_days": "91", "log_address_days": ""})
                latchgate.system_settings.change(COMMAND_LINE, key_days_max=30)
            case "record":
                changed = manager.send(_RECORD_PAGE, {"user": "", "enabled": "1"})
                latchgate.sources.enable_record(COMMAND_LINE, SOURCE, RECORD, enabled=False)
            case _:
                changed = manager.send(office.page, office.typed(app_name="Diary"))
                latchgate.clients.revoke(COMMAND_LINE, office.client_id)

        told = assert_shown(manager.send("/undo", {"undo": _undo_id(changed)}), 417)

        assert _STALE in told
        assert latchgate.documents.get(COMMAND_LINE, SETTINGS, SETTINGS)["key_days_max"] == (
            30 if stale == "settings" else None
        )
    for name in ("log_retention_days", "key_days_max"):
        latchgate.system_settings.reset(COMMAND_LINE, name)
    latchgate.documents.update(COMMAND_LINE, SOURCE, RECORD, {"user": API, "enabled": 1})


def test_it_gives_no_right_that_its_maker_has_lost(service: Service) -> None:
    """Who took a role away, and may give none by now, cannot give it back by undoing."""
    name = service.make_user("passing@example.com", roles=frozenset({SYSTEM_MANAGER}))
    page = f"/app/user/{OTHER}"
    browser = Browser(service, name)
    disabled = browser.send(_FORM, {**_TYPED, "enabled": ""})
    taken = browser.send(page, {"tab": "roles"})
    allowed = browser.send("/app/role/Passing", {"may:User:write:all": "1", "seen": ""})
    settings = browser.send(f"{_SETTINGS}/log", {"log_retention_days": "91", "log_address_days": ""})
    service.latchgate.roles.revoke(COMMAND_LINE, name, SYSTEM_MANAGER)

    answers = [browser.send("/undo", {"undo": _undo_id(one)}) for one in (disabled, taken, allowed, settings)]

    # Whoever may not read users is told of none.
    assert [answer.status for answer in answers] == [404, 404, 403, 403]
    assert _user(service)["enabled"] == 0
    assert _user(service, OTHER)["roles"] == []
    assert service.latchgate.permissions.show(COMMAND_LINE, "Passing").grants
    service.latchgate.users.set_enabled(COMMAND_LINE, API, enabled=True)
    service.latchgate.roles.grant(COMMAND_LINE, OTHER, SYSTEM_MANAGER)
    service.latchgate.system_settings.reset(COMMAND_LINE, "log_retention_days")


def test_what_cannot_be_any_more_is_said(service: Service, manager: Browser) -> None:
    """A role that was deleted since is not given back, and the page names it."""
    service.latchgate.roles.create(COMMAND_LINE, "Fleeting")
    service.latchgate.roles.grant(COMMAND_LINE, API, "Fleeting")
    changed = manager.send(_FORM, {"tab": "roles"})
    service.latchgate.roles.delete(COMMAND_LINE, "Fleeting")

    told = assert_shown(manager.send("/undo", {"undo": _undo_id(changed)}), 417)

    assert "Could not find Role: Fleeting" in told
    assert "Nothing was undone" in told


def test_its_time_ends(service: Service, manager: Browser, renamed: str) -> None:
    """Ten minutes after the change."""
    with service.latchgate.store._database.writing.begin() as connection:  # as if time had passed
        statement = "UPDATE undo SET expires_at = expires_at - :seconds WHERE public_id = :renamed"
        connection.execute(sqlalchemy.text(statement), {"seconds": UNDO_SECONDS, "renamed": renamed})

    assert not _is_offered(manager.visit(f"{_FORM}?done=saved&undo={renamed}").text)
    assert _GONE in assert_shown(manager.send("/undo", {"undo": renamed}), 404)
    assert _name(service) == "Renamed"


def test_whoever_signed_out_undoes_nothing(service: Service, manager: Browser, renamed: str) -> None:
    """The session took it along."""
    manager.send("/logout", {})

    assert manager.send("/undo", {"undo": renamed}).status in {303, 401, 403}
    assert _name(service) == "Renamed"


def test_of_several_at_once_one_undoes_it(service: Service, renamed: str) -> None:
    """A double click is one change."""
    actor = _actor(service)

    def undo() -> bool:
        try:
            service.latchgate.undos.undo(actor, renamed)
        except NotFound:
            return False
        return True

    rows = _rows(service)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: undo(), range(4)))

    assert sorted(outcomes) == [False, False, False, True]
    assert _changed(service, rows) == ["user.changed"]


def _actor(service: Service) -> Actor:
    """Give the manager, by the session that was used last."""
    user = service.latchgate.users.get(MANAGER)
    with service.latchgate.store.read() as tx:
        (session, *_) = tx.sessions.list_unrevoked(user.id)
    principal = Principal(
        user=MANAGER,
        user_id=user.id,
        user_type=UserType.SYSTEM,
        full_name=MANAGER,
        roles=frozenset({SYSTEM_MANAGER, "All", "Desk User"}),
        scheme=Scheme.SESSION,
        source="User",
        credential=session.public_id,
        scopes=frozenset({"all"}),
    )
    return Actor.of(principal, "192.0.2.1")


def test_a_change_by_the_command_line_is_offered_to_nobody(service: Service) -> None:
    """Nor one by a key: there is no session that could undo it."""
    changed = service.latchgate.documents.change(COMMAND_LINE, "User", API, {"first_name": "By hand"})
    assert changed.undo is not None

    assert service.latchgate.undos.offer(COMMAND_LINE, changed.undo, "/app") == ""

    service.latchgate.documents.update(COMMAND_LINE, "User", API, {"first_name": ""})


def test_no_secret_is_kept_for_it(service: Service, manager: Browser) -> None:
    """A password that is set beside other fields makes the whole not undoable; what is stored names no secret field."""
    values = {"first_name": "Ann", "new_password": "another horse battery"}
    changed = service.latchgate.documents.change(COMMAND_LINE, "User", OTHER, values)

    assert changed.undo is None
    stored = " ".join(text for _, text in _stored(service))
    assert stored
    assert not re.search(r"password|secret|argon2|digest|lg[sarcloi]_", stored)
