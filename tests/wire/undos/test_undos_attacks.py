"""Undo: what is not put back, whoever asks for it and whatever is sent."""

import html
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy

from latchgate.core.credentials import Scheme
from latchgate.core.permissions import Action, Grant
from latchgate.core.principals import Principal
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.errors import NotFound
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.undos import UNDO_SECONDS
from support.asgi import Service
from support.client_office import open_office
from support.envelopes import assert_shown
from support.pages import HTML, Browser
from support.undos import (
    API,
    FORM,
    GONE,
    MANAGER,
    OTHER,
    RECORD,
    RECORD_PAGE,
    SETTINGS,
    SOURCE,
    STALE,
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


@pytest.fixture
def renamed(service: Service, manager: Browser) -> Iterator[str]:
    """The id under which the manager can undo that a user got another name."""
    changed = manager.send(FORM, {"tab": "details", "first_name": "Renamed"})
    yield undo_id_in(changed)
    service.latchgate.documents.update(COMMAND_LINE, "User", API, {"first_name": ""})


def _name(service: Service) -> object:
    return user_of(service)["first_name"]


@pytest.mark.parametrize("user", [OTHER, MANAGER, WEB])
def test_nobody_else_undoes_it(service: Service, renamed: str, user: str) -> None:
    """Nor the same person in another session; neither is told that there is something to undo."""
    other = Browser(service, user)

    answer = other.send("/undo", {"undo": renamed})

    assert GONE in assert_shown(answer, 404)
    assert not is_offered(other.visit(f"/me?done=saved&undo={renamed}").text)
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
    assert location_of(linked) == "/app"
    assert location_of(Browser(service, WEB).visit("/undo")) == "/me"
    assert service.post("/undo", {"undo": renamed}, form=True, headers=[HTML]).status in {303, 403}
    assert _name(service) == "Renamed"


@pytest.mark.parametrize(
    "made", ["", "0" * 32, "{}0", "%00", "\0" * 32, "' OR 1=1 --", "A" * 32, "a" * 100_000, "\u0661" * 32]
)
def test_a_made_up_id_undoes_nothing(service: Service, manager: Browser, renamed: str, made: str) -> None:
    """Whatever it is, it is one that nobody has."""
    for tried in (made, made.format(renamed) if "{" in made else made.upper()):
        assert GONE in assert_shown(manager.send("/undo", {"undo": tried}), 404)
    assert not is_offered(manager.visit(f"{FORM}?done=saved&undo=%00").text)
    assert _name(service) == "Renamed"


def test_what_is_sent_beside_the_id_says_nothing(service: Service, manager: Browser, renamed: str) -> None:
    """Values, another record and another page are taken from what was stored, never from the form."""
    sent = {"name": OTHER, "doctype": "Role", "back": "https://evil.example/", "first_name": "Evil", "seen": "x"}
    values = json.dumps({"roles": [{"role": SYSTEM_MANAGER}]})

    undone = manager.send("/undo", {**sent, "values": values, "undo": renamed})

    assert location_of(undone) == f"{FORM}?tab=details&done=undone"
    assert _name(service) == ""
    assert SYSTEM_MANAGER not in str(user_of(service)["roles"])


@pytest.mark.parametrize("by", [OTHER, MANAGER])
def test_a_later_change_stays(service: Service, manager: Browser, renamed: str, by: str) -> None:
    """Of whatever field, by whomever: nothing is undone, and the page tells why and leads to what there is now."""
    Browser(service, by).send(FORM, {"tab": "details", "last_name": "Later"})

    told = assert_shown(manager.send("/undo", {"undo": renamed}), 417)

    assert STALE in told
    assert f'href="{FORM}?tab=details"' in html.unescape(told)
    assert _name(service) == "Renamed"
    assert service.latchgate.documents.get(COMMAND_LINE, "User", API)["last_name"] == "Later"
    service.latchgate.documents.update(COMMAND_LINE, "User", API, {"last_name": ""})


def test_later_permissions_stay(service: Service, manager: Browser) -> None:
    """A grant that somebody else gave since is not taken away by putting back what stood before."""
    page = "/app/role/Auditor"
    changed = manager.send(page, {"may:User:read:all": "1", "seen": ""})
    grant = Grant("Auditor", "Role", if_owner=False, actions=frozenset({Action.READ}))
    service.latchgate.permissions.grant(COMMAND_LINE, grant)

    told = assert_shown(manager.send("/undo", {"undo": undo_id_in(changed)}), 417)

    assert STALE in told
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
                changed = manager.send(f"{SETTINGS}/log", {"log_retention_days": "91", "log_address_days": ""})
                latchgate.system_settings.change(COMMAND_LINE, key_days_max=30)
            case "record":
                changed = manager.send(RECORD_PAGE, {"user": "", "enabled": "1"})
                latchgate.sources.enable_record(COMMAND_LINE, SOURCE, RECORD, enabled=False)
            case _:
                changed = manager.send(office.page, office.typed(app_name="Diary"))
                latchgate.clients.revoke(COMMAND_LINE, office.client_id)

        told = assert_shown(manager.send("/undo", {"undo": undo_id_in(changed)}), 417)

        assert STALE in told
        assert latchgate.documents.get(COMMAND_LINE, "System Settings", "System Settings")["key_days_max"] == (
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
    disabled = browser.send(FORM, {**TYPED, "enabled": ""})
    taken = browser.send(page, {"tab": "roles"})
    allowed = browser.send("/app/role/Passing", {"may:User:write:all": "1", "seen": ""})
    settings = browser.send(f"{SETTINGS}/log", {"log_retention_days": "91", "log_address_days": ""})
    service.latchgate.roles.revoke(COMMAND_LINE, name, SYSTEM_MANAGER)

    answers = [browser.send("/undo", {"undo": undo_id_in(one)}) for one in (disabled, taken, allowed, settings)]

    # Whoever may not read users is told of none.
    assert [answer.status for answer in answers] == [404, 404, 403, 403]
    assert user_of(service)["enabled"] == 0
    assert user_of(service, OTHER)["roles"] == []
    assert service.latchgate.permissions.show(COMMAND_LINE, "Passing").grants
    service.latchgate.users.set_enabled(COMMAND_LINE, API, enabled=True)
    service.latchgate.roles.grant(COMMAND_LINE, OTHER, SYSTEM_MANAGER)
    service.latchgate.system_settings.reset(COMMAND_LINE, "log_retention_days")


def test_what_cannot_be_any_more_is_said(service: Service, manager: Browser) -> None:
    """A role that was deleted since is not given back, and the page names it."""
    service.latchgate.roles.create(COMMAND_LINE, "Fleeting")
    service.latchgate.roles.grant(COMMAND_LINE, API, "Fleeting")
    changed = manager.send(FORM, {"tab": "roles"})
    service.latchgate.roles.delete(COMMAND_LINE, "Fleeting")

    told = assert_shown(manager.send("/undo", {"undo": undo_id_in(changed)}), 417)

    assert "Could not find Role: Fleeting" in told
    assert "Nothing was undone" in told


def test_its_time_ends(service: Service, manager: Browser, renamed: str) -> None:
    """Ten minutes after the change."""
    with service.latchgate.store._database.writing.begin() as connection:  # as if time had passed
        statement = "UPDATE undo SET expires_at = expires_at - :seconds WHERE public_id = :renamed"
        connection.execute(sqlalchemy.text(statement), {"seconds": UNDO_SECONDS, "renamed": renamed})

    assert not is_offered(manager.visit(f"{FORM}?done=saved&undo={renamed}").text)
    assert GONE in assert_shown(manager.send("/undo", {"undo": renamed}), 404)
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

    rows = count_changes(service)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: undo(), range(4)))

    assert sorted(outcomes) == [False, False, False, True]
    assert changed_since(service, rows) == ["user.changed"]


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
    stored = " ".join(text for _, text in stored_undos(service))
    assert stored
    assert not re.search(r"password|secret|argon2|digest|lg[sarcloi]_", stored)
