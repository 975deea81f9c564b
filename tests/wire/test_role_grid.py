"""The grid of a role's permissions: what is ticked is written whole or not at all, and never lost."""

import re
from collections.abc import Iterator

import pytest

from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service
from support.envelopes import assert_page, assert_shown
from support.pages import send_form, send_json, visit
from support.role_pages import API, FORM, LIST, MANAGER, READER, grants_of, seen_in, staffed_service, ticked_in


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A user of every kind, and a role that one of them has."""
    with staffed_service(tmp_path_factory.mktemp("staffed") / "home") as service:
        yield service


@pytest.fixture(autouse=True)
def cleared(staffed: Service) -> Iterator[None]:
    """After each test the role may do nothing again."""
    yield
    seen = staffed.latchgate.permissions.show(COMMAND_LINE, "Deployer").seen
    staffed.latchgate.permissions.set_all(COMMAND_LINE, "Deployer", (), seen=seen)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"seen": None},
        {"seen": []},
        {"seen": 1},
        {"seen": "", "may:User:read:all": True},
        {"seen": "", "may:User:read:all": 1},
        {"seen": "", "may:User:read:all": ""},
        {"seen": "", "may:User:read:all": ["1"]},
        {"seen": "", "may:User:read:all": "on"},
        {"seen": "", "may:User:read": "1"},
        {"seen": "", "may:User:share:all": "1"},
        {"seen": "", "may:User:read:both": "1"},
        {"seen": "", "may:User:read:all:own": "1"},
        {"seen": "", "may::read:all": "1"},
        {"seen": "", "may:": "1"},
        {"seen": "", "may:ToDo:read:all": "1"},
        {"seen": "", "may:<script>:read:all": "1"},
        {"seen": "", "may:\ud800:read:all": "1"},
        {"seen": "", "may:\0:read:all": "1"},
        {"seen": "", f"may:{'x' * 5000}:read:all": "1"},
        {"seen": "\ud800"},
        {"seen": "Role: read"},
    ],
)
def test_what_no_page_sends_changes_nothing(staffed: Service, sent: dict[str, object]) -> None:
    """It is told above the grid, and what was ticked besides is still ticked."""
    text = assert_shown(send_json(staffed, FORM, MANAGER, {**sent, "may:Role:read:own": "1"}), 417)

    assert 'class="problem"' in text
    assert "Role: read own" in ticked_in(text)
    assert grants_of(staffed) == {}


def test_of_two_tabs_the_second_is_told(staffed: Service) -> None:
    """And it goes on showing what was ticked in it, however often it is sent."""
    seen = seen_in(visit(staffed, FORM, MANAGER).text)
    first = send_form(staffed, FORM, MANAGER, {"seen": seen, "may:User:read:all": "1"})
    second = send_form(staffed, FORM, MANAGER, {"seen": seen, "may:Role:read:all": "1"})

    assert first.status == 303
    text = assert_shown(second, 417)
    assert "Somebody else changed this" in text
    assert ticked_in(text) == {"Role: read all"}
    assert_shown(send_form(staffed, FORM, MANAGER, {"seen": seen_in(text), "may:Role:read:all": "1"}), 417)
    assert grants_of(staffed) == {("User", False): {"read"}}


def test_a_source_that_went_meanwhile_leaves_nothing_half_written(staffed: Service) -> None:
    """What was ticked for it is still shown, so that nothing of the rest is lost."""
    sources = staffed.latchgate.sources
    sources.create(COMMAND_LINE, "API Device")
    text = visit(staffed, FORM, MANAGER).text
    assert 'aria-label="API Device: read all"' in text
    sources.delete(COMMAND_LINE, "API Device")

    sent = {"seen": seen_in(text), "may:API Device:read:all": "1", "may:API Key:read:all": "1"}
    told = assert_shown(send_form(staffed, FORM, MANAGER, sent), 417)

    assert "Could not find DocType: API Device." in told
    assert ticked_in(told) == {"API Device: read all", "API Key: read all"}
    assert grants_of(staffed) == {}


def test_system_managers_keep_what_they_manage_by(staffed: Service) -> None:
    """Their boxes cannot be cleared, and who sends none of them takes none of them."""
    page = f"{LIST}/System%20Manager"
    text = assert_page(visit(staffed, page, MANAGER))
    before = grants_of(staffed, SYSTEM_MANAGER)

    assert len(re.findall(r'checked disabled aria-describedby="why-fixed"', text)) == 12
    assert "System Manager keeps every right on Role, Role Permission and User" in text
    assert f"{ADMINISTRATOR} always has this role." in text
    boxes = {
        f"may:{doctype}:{action}:{'own' if own else 'all'}": "1"
        for (doctype, own), actions in before.items()
        for action in actions
        if doctype not in {"User", "Role", "Role Permission", "API Key"}
    }
    assert send_form(staffed, page, MANAGER, {"seen": seen_in(text), **boxes}).status == 303
    assert grants_of(staffed, SYSTEM_MANAGER) == {place: has for place, has in before.items() if place[0] != "API Key"}
    staffed.latchgate.permissions.grant(
        COMMAND_LINE, Grant(SYSTEM_MANAGER, "API Key", if_owner=False, actions=EVERY_ACTION)
    )


def test_guest_is_given_nothing(staffed: Service) -> None:
    """Its page has no boxes, says why, and takes none."""
    page = f"{LIST}/Guest"
    text = assert_page(visit(staffed, page, MANAGER))

    assert 'name="may:' in assert_page(visit(staffed, FORM, MANAGER))
    assert "nobody without a credential reaches records" in text
    assert 'name="may:' not in text
    assert "Save permissions" not in text
    refused = assert_shown(send_form(staffed, page, MANAGER, {"seen": "", "may:User:read:all": "1"}), 417)
    assert "Guest may hold no permissions" in refused
    assert grants_of(staffed, "Guest") == {}


def test_who_may_read_sees_signs_and_no_boxes(staffed: Service) -> None:
    """Roles and permissions, without the users that one may not read."""
    staffed.latchgate.permissions.grant(
        COMMAND_LINE, Grant("Deployer", "User", if_owner=True, actions=frozenset({Action.READ}))
    )
    listed = assert_page(visit(staffed, f"{LIST}?sort=-name", READER))
    text = assert_page(visit(staffed, FORM, READER))

    assert "New role" not in listed
    assert ">Permissions<" in listed
    assert "Granted to" not in listed
    assert 'aria-label="User: read own: yes"' in text
    assert 'aria-label="User: write own: no"' in text
    assert "Only a System Manager may change this." in text
    for absent in ('name="may:', 'name="two_factor_auth"', "Save permissions", "Delete role", "Othello", API):
        assert absent not in text
    assert visit(staffed, f"{LIST}?new=1", READER).status == 403
    assert visit(staffed, f"{FORM}/delete", READER).status == 403


def test_a_reader_is_refused_before_anything_is_laid_out(staffed: Service) -> None:
    """Whatever else is wrong with what they send; and of types that are gone, a page shows a few."""
    many = {f"may:Gone{number}:read:all": "1" for number in range(4_000)}

    assert send_json(staffed, FORM, READER, many).status == 403
    text = assert_shown(send_json(staffed, FORM, MANAGER, many), 417)
    assert len(text) < 200_000


def test_a_grid_of_many_sources_is_saved(staffed: Service) -> None:
    """All its boxes ticked, and there are more of them than a form usually has fields."""
    service = staffed.latchgate
    for number in range(130):
        service.sources.create(COMMAND_LINE, f"Kind {number}")
    service.roles.create(COMMAND_LINE, "Everything")
    page = f"{LIST}/Everything"
    text = assert_page(visit(staffed, page, MANAGER))
    boxes = re.findall(r'name="(may:[^"]+)"', text)
    assert len(boxes) > 1_000

    saved = send_form(staffed, page, MANAGER, {"seen": seen_in(text), **dict.fromkeys(boxes, "1")})

    assert saved.status == 303
    assert len(grants_of(staffed, "Everything")) > 260
    for number in range(130):
        service.sources.delete(COMMAND_LINE, f"Kind {number}")
    service.roles.delete(COMMAND_LINE, "Everything")
