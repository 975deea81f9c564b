"""The pages of roles: who gets what, by whatever address they guess, and how roles are made and deleted."""

import html
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.server.desk.role_form import AUTOMATIC
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.users import AUTOMATIC_ROLES
from support.asgi import Service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, done_at, send_form, send_json, visit
from support.role_pages import API, FORM, LIST, MANAGER, READER, WEB, grants_of, seen_in, staffed_service, ticked_in

GUEST = ""
NASTY = "new/'\"<b>&amp; 🦊 ../%2f?#"


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A user of every kind, and a role that one of them has."""
    with staffed_service(tmp_path_factory.mktemp("staffed") / "home") as service:
        yield service


ADDRESSES = [LIST, f"{LIST}?search=dep&sort=-name", f"{LIST}?new=1", FORM, f"{FORM}/delete"]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("user", "statuses"), [(GUEST, {303}), (WEB, {403}), (API, {403}), (MANAGER, {200})])
def test_a_page_is_for_who_may_read_roles(staffed: Service, path: str, user: str, statuses: set[int]) -> None:
    """Guests are sent to sign in; whoever may not read roles learns of none, not even of their own."""
    answer = visit(staffed, path, user)

    assert answer.status in statuses
    if user == GUEST:
        assert (answer.header("location") or "").startswith("/login")
    else:
        assert ("Deployer" in assert_page(answer)) == (user == MANAGER)


def test_why_there_is_no_list_is_said(staffed: Service) -> None:
    """In words for a person; a role that is not there looks the same as one that one may not see."""
    assert "may not see the list of roles" in visit(staffed, LIST, API).text
    one, none = (visit(staffed, f"{LIST}/{name}", API) for name in ("Deployer", "No%20Role"))
    assert (one.status, none.status) == (403, 403)
    assert one.text == none.text
    for path in (f"{LIST}/No%20Role", f"{LIST}/No%20Role/delete", f"{LIST}/deployer", f"{LIST}/%2e%2e%2f"):
        assert visit(staffed, path, MANAGER).status == 404


CHANGES: list[tuple[str, dict[str, object]]] = [
    (LIST, {"role_name": "Stolen"}),
    (FORM, {"seen": "", "may:User:read:all": "1"}),
    (f"{FORM}/delete", {}),
]


@pytest.mark.parametrize(("path", "typed"), CHANGES)
@pytest.mark.parametrize("user", [WEB, API, READER])
def test_a_change_is_for_who_may_make_it(staffed: Service, path: str, typed: dict[str, object], user: str) -> None:
    """Forms that nobody was shown change nothing."""
    before = staffed.latchgate.roles.list_roles()

    answer = send_form(staffed, path, user, typed)

    assert_shown(answer, 403)
    assert staffed.latchgate.roles.list_roles() == before
    assert grants_of(staffed) == {}


@pytest.mark.parametrize(("path", "typed"), CHANGES)
def test_a_change_needs_the_session_s_token(staffed: Service, path: str, typed: dict[str, object]) -> None:
    """Another site's form is refused, whatever page it is sent to."""
    before = staffed.latchgate.roles.list_roles()
    sid = staffed.sign_in(MANAGER).sid

    answer = staffed.post(path, typed, form=True, headers=[("cookie", f"sid={sid}"), ("accept", "text/html")])

    assert answer.status == 400
    assert staffed.latchgate.roles.list_roles() == before
    assert grants_of(staffed) == {}


@pytest.mark.parametrize("name", ["new", "delete", NASTY, "Ünïcode  spaced"])
def test_a_role_is_made_shown_changed_and_deleted(staffed: Service, name: str) -> None:
    """Whatever it is called, its page is found and nothing of the name is taken for the page's own."""
    stored = " ".join(name.split())
    page = f"{LIST}/{quote(stored, safe='')}"

    made = send_form(staffed, LIST, MANAGER, {"role_name": name})
    assert (made.status, made.header("location")) == (303, f"{page}?done=created")
    text = assert_page(visit(staffed, page, MANAGER))
    assert f"<h1>{html.escape(stored).replace('&#x27;', '&#39;').replace('&quot;', '&#34;')}</h1>" in text
    assert "<b>" not in text
    assert f'href="{page}"' in assert_page(visit(staffed, f"{LIST}?search={quote(stored)}", MANAGER))
    saved = send_form(
        staffed, page, MANAGER, {"seen": seen_in(text), "may:User:read:all": "1", "may:API Key:delete:own": "1"}
    )

    assert (saved.status, done_at(saved)) == (303, f"{page}?done=saved")
    assert grants_of(staffed, stored) == {("User", False): {"read"}, ("API Key", True): {"delete"}}
    assert ticked_in(visit(staffed, page, MANAGER).text) == {"User: read all", "API Key: delete own"}
    asked = assert_page(visit(staffed, f"{page}/delete", MANAGER))
    assert "Nobody has it. 2 permissions end with it." in asked
    deleted = send_form(staffed, f"{page}/delete", MANAGER, {})
    assert (deleted.status, deleted.header("location")) == (303, f"{LIST}?done=deleted")
    assert visit(staffed, page, MANAGER).status == 404
    assert stored not in dict(staffed.latchgate.roles.list_roles())


def test_a_role_that_an_access_rule_asks_for_is_shown_and_says_what_keeps_it(staffed: Service) -> None:
    """Its page opens as any other's; the dialog names the rule, and nothing is deleted."""
    roles, documents = staffed.latchgate.roles, staffed.latchgate.documents
    roles.create(COMMAND_LINE, "Reader of reports")
    rule = documents.create(COMMAND_LINE, "Access Rule", {"path": "/reports/*", "roles": "Reader of reports"})["name"]
    page = f"{LIST}/Reader%20of%20reports"

    assert "Delete role" in assert_page(visit(staffed, page, MANAGER))
    for answer in (visit(staffed, f"{page}/delete", MANAGER), send_form(staffed, f"{page}/delete", MANAGER, {})):
        assert f"The access rule {rule} asks for Reader of reports" in assert_shown(answer, 409)
        assert 'class="danger"' not in answer.text.partition("<dialog")[2]

    assert "Reader of reports" in dict(roles.list_roles())
    documents.delete(COMMAND_LINE, "Access Rule", rule)
    assert "Nobody has it." in assert_page(visit(staffed, f"{page}/delete", MANAGER))
    roles.delete(COMMAND_LINE, "Reader of reports")


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("Deployer", 409, "There is a role Deployer already."),
        ("dePLOYER", 409, "There is a role Deployer already."),
        ("with, comma", 417, "without comma and colon"),
        ("with: colon", 417, "without comma and colon"),
        ("x" * 141, 417, "role_name-error"),
        ("", 417, "role_name-error"),
        (" ", 417, "role_name-error"),
        ("..", 417, "role_name-error"),
        ("line\nbreak", 417, "role_name-error"),
    ],
)
def test_a_refused_name_is_told_at_its_field(staffed: Service, name: str, status: int, told: str) -> None:
    """In the dialog, above the list, with what was typed."""
    before = staffed.latchgate.roles.list_roles()

    text = assert_shown(send_form(staffed, LIST, MANAGER, {"role_name": name}), status)

    assert told in text
    assert 'id="role_name-error"' in text
    assert f'name="role_name" type="text" value="{name}"' in text
    assert "<dialog" in text
    assert staffed.latchgate.roles.list_roles() == before


@pytest.mark.parametrize("name", [None, 1, True, [], ["x"], {"a": 1}, "\ud800"])
def test_a_name_of_another_kind_is_told(staffed: Service, name: object) -> None:
    """In JSON; never a fault of ours."""
    assert 'id="role_name-error"' in assert_shown(send_json(staffed, LIST, MANAGER, {"role_name": name}), 417)


@pytest.mark.parametrize("role", sorted(AUTOMATIC_ROLES))
def test_who_has_an_automatic_role_is_said(staffed: Service, role: str) -> None:
    """Since it is granted to nobody; it cannot be deleted either."""
    page = f"{LIST}/{quote(role)}"
    text = assert_page(visit(staffed, page, MANAGER))

    assert AUTOMATIC[role][1] in text
    assert "Delete role" not in text
    assert AUTOMATIC[role][0] in visit(staffed, LIST, MANAGER).text


@pytest.mark.parametrize("role", sorted(AUTOMATIC_ROLES | {SYSTEM_MANAGER}))
def test_a_role_that_is_always_there_stays(staffed: Service, role: str) -> None:
    """Whoever guesses the address is told in a dialog."""
    page = f"{LIST}/{quote(role)}/delete"

    for answer in (visit(staffed, page, MANAGER), send_form(staffed, page, MANAGER, {})):
        text = assert_shown(answer, 417)
        assert "Nothing was changed" in text
        assert "is always there" in text
        assert 'class="danger"' not in text


def test_who_may_read_roles_alone_sees_no_permissions(staffed: Service) -> None:
    """Nor their number; who may also make and delete roles is told what is known to them."""
    roles, permissions = staffed.latchgate.roles, staffed.latchgate.permissions
    roles.create(COMMAND_LINE, "Namer")
    actions = frozenset({Action.READ, Action.CREATE, Action.DELETE})
    permissions.grant(COMMAND_LINE, Grant("Namer", "Role", if_owner=False, actions=actions))
    staffed.make_user("namer@example.com", roles=frozenset({"Namer"}))
    roles.create(COMMAND_LINE, "Named")

    listed = assert_page(visit(staffed, LIST, "namer@example.com"))
    text = assert_page(visit(staffed, f"{LIST}/Named", "namer@example.com"))
    asked = assert_page(visit(staffed, f"{LIST}/Named/delete", "namer@example.com"))

    assert "New role" in listed
    assert ">Permissions<" not in listed
    assert "You may not see what this role allows." in text
    assert "You may not see who has this role." in text
    assert "Whoever has it, loses it." in asked
    assert send_form(staffed, f"{LIST}/Named/delete", "namer@example.com", {}).status == 303
    assert "Delete role" not in visit(staffed, FORM, "namer@example.com").text
    assert send_form(staffed, f"{FORM}/delete", "namer@example.com", {}).status == 403


def test_who_has_a_role_is_shown(staffed: Service) -> None:
    """The first of them, with a way to all; the dialog says how many lose it."""
    staffed.latchgate.roles.create(COMMAND_LINE, "R&D")
    for number in range(22):
        staffed.make_user(f"rd{number:02}@example.com", password=None, roles=frozenset({"R&D"}))
    page = f"{LIST}/R%26D"

    text = assert_page(visit(staffed, page, MANAGER))
    one = assert_page(visit(staffed, FORM, MANAGER))

    assert len(re.findall(r'class="opens" href="/app/user/rd\d\d%40example.com"', text)) == 20
    assert 'href="/app/user?role=R%26D">Show all 22 users' in text
    assert 'href="/app/user/api%40example.com" title="Othello">Othello' in one
    assert "22 users have it and lose it." in visit(staffed, f"{page}/delete", MANAGER).text
    assert "One user has it and loses it. It allows nothing." in visit(staffed, f"{FORM}/delete", MANAGER).text
    row = re.search(r"R&amp;D</a></td>\s*<td[^>]*>(\d+)</td>", visit(staffed, LIST, MANAGER).text)
    assert row is not None
    assert row[1] == "22"


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ("search=man", SYSTEM_MANAGER, 1),
        ("search=none+such", None, 0),
        ("sort=name&search=e", "Deployer", None),
        ("sort=-name&search=s", SYSTEM_MANAGER, None),
        ("sort=owner&start=-1&search=de", "Deployer", None),
        ("start=999999", None, 0),
    ],
)
def test_the_list_is_narrowed_by_its_address(
    staffed: Service, query: str, first: str | None, count: int | None
) -> None:
    """What no filter knows is left out."""
    text = assert_page(visit(staffed, f"{LIST}?{query}", MANAGER))

    found = re.findall(r'class="opens" href="[^"]*"[^>]*>([^<]*)<', text)
    assert (found[0] if found else None) == first
    assert count is None or len(found) == count
    assert found or "No roles match." in text


def test_a_user_s_rights_lead_to_the_roles_that_give_them(staffed: Service) -> None:
    """For whoever may read these."""
    text = assert_page(visit(staffed, f"/app/user/{READER}?tab=roles", MANAGER))

    assert 'href="/app/role/Reader"' in text


def test_whether_there_is_a_role_is_told_to_who_reads_roles(staffed: Service) -> None:
    """By no page, whatever else one may do with roles or their permissions."""
    service = staffed.latchgate
    for role, doctype, action in (("Ender", "Role", Action.DELETE), ("Seer", "Role Permission", Action.READ)):
        service.roles.create(COMMAND_LINE, role)
        service.permissions.grant(COMMAND_LINE, Grant(role, doctype, if_owner=False, actions=frozenset({action})))
        user = f"{role.lower()}@example.com"
        staffed.make_user(user, roles=frozenset({role}))
        answers = [
            (
                visit(staffed, f"{LIST}/{name}/delete", user).status,
                send_form(staffed, f"{LIST}/{name}/delete", user, {}).status,
                send_form(staffed, f"{LIST}/{name}", user, {"seen": ""}).status,
            )
            for name in ("Deployer", "Nothing")
        ]
        assert answers[0] == answers[1]


def test_a_limited_key_deletes_no_role_that_holds_more(staffed: Service) -> None:
    """Its permissions end with a role, and users lose it: a credential needs the right to both."""
    service = staffed.latchgate
    service.roles.create(COMMAND_LINE, "Victim")
    staffed.make_user("victim@example.com", roles=frozenset({"Victim"}))
    service.permissions.grant(COMMAND_LINE, Grant("Victim", "User", if_owner=False, actions=frozenset({Action.READ})))
    scopes = {"Role:read", "Role:delete"}
    for more in ({"User:write"}, {"Role Permission:delete"}):
        pair = staffed.make_key(MANAGER, scopes=frozenset(scopes | more))
        answer = staffed.post(f"{LIST}/Victim/delete", {}, pair.token, form=True, headers=[HTML])
        assert answer.status == 403
    assert service.users.get("victim@example.com").roles == {"Victim"}

    pair = staffed.make_key(MANAGER, scopes=frozenset(scopes | {"User:write", "Role Permission:delete"}))
    assert staffed.post(f"{LIST}/Victim/delete", {}, pair.token, form=True, headers=[HTML]).status == 303
