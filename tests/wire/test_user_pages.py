"""The pages of users and their keys: who gets what, by whatever address they guess, and what forms do."""

import re
from collections.abc import Iterator

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, send_form, send_json, visit

MANAGER, API, WEB, OTHER = "manager@example.com", "api@example.com", "web@example.com", "other@example.com"
LIST, NEW, FORM = "/app/user", "/app/user/new", f"/app/user/{OTHER}"
GUEST = ""


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, and one more that has a key."""
    with opened_service(tmp_path_factory.mktemp("peopled") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Deployer")
        service.make_user(OTHER, first_name="Othello", roles=frozenset({"Deployer"}))
        service.make_key(OTHER)
        yield service


@pytest.fixture(scope="module")
def key_id(peopled: Service) -> str:
    """The id of the other user's key."""
    sid = peopled.sign_in(MANAGER).sid
    text = peopled.ask(f"{FORM}?tab=settings", headers=[("cookie", f"sid={sid}")]).text
    (found,) = re.findall(r'id="api_key"[^>]* value="([^"]+)"', text)
    return str(found)


ADDRESSES = [
    LIST,
    f"{LIST}?search=oth&sort=name",
    NEW,
    FORM,
    f"{FORM}?tab=roles",
    f"{FORM}?tab=settings",
    f"{FORM}?tab=activity",
    f"{FORM}/generate-keys",
    f"{FORM}/new-key",
    f"{FORM}/key/<key>/rotate",
    f"{FORM}/key/<key>/revoke",
]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("user", "statuses"), [(GUEST, {303}), (WEB, {403}), (API, {403, 404}), (MANAGER, {200})])
def test_a_page_is_for_who_may_read_what_is_in_it(
    peopled: Service, key_id: str, path: str, user: str, statuses: set[int]
) -> None:
    """Guests are sent to sign in; whoever may not learns nothing of others from any address."""
    answer = visit(peopled, path.replace("<key>", key_id), user)

    assert answer.status in statuses
    assert user != MANAGER or path == NEW or "Othello" in answer.text
    if user != MANAGER:
        assert "Othello" not in answer.text
        assert key_id not in answer.text or "<key>" in path
    if answer.status != 303:
        assert_page(answer)


CHANGES: list[tuple[str, dict[str, object]]] = [
    (NEW, {"email": "new@example.com"}),
    (FORM, {"tab": "details", "first_name": "Iago", "user_type": "System User", "enabled": "1"}),
    (FORM, {"tab": "roles", "role:System Manager": "1"}),
    (f"{FORM}/generate-keys", {}),
    (f"{FORM}/new-key", {"label": "stolen"}),
    (f"{FORM}/key/<key>/rotate", {"overlap": "0"}),
    (f"{FORM}/key/<key>/revoke", {}),
]


@pytest.mark.parametrize(("path", "typed"), CHANGES)
@pytest.mark.parametrize("user", [WEB, API])
def test_a_change_is_for_who_may_make_it(
    peopled: Service, key_id: str, path: str, typed: dict[str, object], user: str
) -> None:
    """Forms that nobody was shown change nothing."""
    before = peopled.latchgate.users.get(OTHER), peopled.latchgate.users.list_users()

    answer = send_form(peopled, path.replace("<key>", key_id), user, typed)

    assert answer.status in {403, 404}
    assert "lgs_" not in answer.text
    assert (peopled.latchgate.users.get(OTHER), peopled.latchgate.users.list_users()) == before
    assert 'badge good">Active' in visit(peopled, f"{FORM}?tab=settings", MANAGER).text


@pytest.mark.parametrize("path", [path for path, _ in CHANGES])
def test_a_change_needs_the_session_s_token(peopled: Service, key_id: str, path: str) -> None:
    """Another site's form is refused, whatever page it is sent to."""
    sid = peopled.sign_in(MANAGER).sid

    answer = peopled.post(path.replace("<key>", key_id), {}, form=True, headers=[("cookie", f"sid={sid}"), HTML])

    assert answer.status == 400


def test_a_user_is_made_changed_and_shown(peopled: Service) -> None:
    """The form keeps what it is sent: names, hours, state, roles."""
    made = send_form(
        peopled, NEW, MANAGER, {"email": "Walk@Example.com", "first_name": "Walk", "user_type": "System User"}
    )
    form = "/app/user/walk%40example.com"
    assert (made.status, made.header("location")) == (303, f"{form}?tab=settings&done=created")

    details = {"tab": "details", "first_name": "W", "last_name": "K", "user_type": "Website User", "login_after": "8"}
    saved = send_form(peopled, form, MANAGER, {**details, "login_before": "18", "restrict_ip": "10.0.0.0/8"})
    granted = send_form(peopled, form, MANAGER, {"tab": "roles", "role:System Manager": "1"})

    assert (saved.status, granted.status) == (303, 303)
    stored = peopled.latchgate.users.get("walk@example.com")
    assert (stored.full_name, stored.enabled, stored.user_type) == ("W K", False, UserType.WEBSITE)
    assert (stored.login_after, stored.login_before, stored.roles) == (8, 18, frozenset({SYSTEM_MANAGER}))
    text = assert_page(visit(peopled, form, MANAGER))
    assert "W K" in text
    assert "Disabled" in text


@pytest.mark.parametrize(
    ("name", "way", "can"), [("calls@example.com", "no", False), ("signs@example.com", "password", True)]
)
def test_a_new_user_signs_in_or_is_for_api_calls_only(peopled: Service, name: str, way: str, can: bool) -> None:
    """As the form says, whatever else stands in it."""
    typed = {"email": name, "user_type": "System User", "sign_in": way, "new_password": "a few unrelated words"}

    assert send_form(peopled, NEW, MANAGER, typed).status == 303

    answer = peopled.post("/api/method/login", {"usr": name, "pwd": typed["new_password"]}, form=True)
    assert answer.status == (200 if can else 401)
    text = assert_page(visit(peopled, f"/app/user/{name}?tab=settings", MANAGER))
    assert ("none: for API calls only" in text) == (not can)


@pytest.mark.parametrize(
    ("path", "typed", "status", "told"),
    [
        (NEW, {"email": "no address", "first_name": "Kept"}, 417, 'id="email-error"'),
        (NEW, {"email": OTHER, "first_name": "Kept"}, 409, "is a user"),
        (NEW, {"email": "", "first_name": "Kept"}, 417, 'id="email-error"'),
        (NEW, {"email": "p@example.com", "first_name": "Kept", "sign_in": "password"}, 417, 'id="new_password-error"'),
        (FORM, {"tab": "details", "first_name": "Kept", "login_after": "99"}, 417, 'id="login_after-error"'),
        (FORM, {"tab": "details", "first_name": "Kept", "login_after": "noon"}, 417, 'id="login_after-error"'),
        (FORM, {"tab": "details", "first_name": "Kept", "modified": "2020-01-01 00:00:00"}, 417, "Somebody else"),
        (FORM, {"tab": "roles", "role:Kept": "1"}, 417, 'class="problem"'),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    peopled: Service, path: str, typed: dict[str, object], status: int, told: str
) -> None:
    """At its field where there is one, above the form otherwise; nothing is half done."""
    before = peopled.latchgate.users.list_users()

    answer = send_form(peopled, path, MANAGER, typed)

    text = assert_shown(answer, status)
    assert told in text
    assert "Kept" in text or "roles" in str(typed)
    assert peopled.latchgate.users.list_users() == before


@pytest.mark.parametrize("hour", ["9" * 5000, "٣", "-1", [], {"a": 1}, None, True])
def test_an_hour_that_is_none_is_told(peopled: Service, hour: object) -> None:
    """At its field, in a section that is open."""
    answer = send_json(
        peopled, FORM, MANAGER, {"tab": "details", "user_type": "System User", "enabled": "1", "login_after": hour}
    )

    text = assert_shown(answer, 417)
    assert 'id="login_after-error"' in text
    assert '<details class="section" open>' in text


def test_who_may_read_users_sees_them_and_not_their_keys(peopled: Service) -> None:
    """A role that may read users finds the list and the forms, without what is their own."""
    peopled.latchgate.roles.create(COMMAND_LINE, "Reader")
    peopled.latchgate.permissions.grant(
        COMMAND_LINE, Grant("Reader", "User", if_owner=False, actions=frozenset({Action.READ}))
    )
    peopled.make_user("reader@example.com", roles=frozenset({"Reader"}))

    listed = assert_page(visit(peopled, f"{LIST}?sort=key_count", "reader@example.com"))
    form = assert_page(visit(peopled, f"{FORM}?tab=settings", "reader@example.com"))

    assert "Othello" in listed
    assert ">Keys<" not in listed
    assert "New user" not in listed
    assert "You may not see this user" in form
    for path in (NEW, f"{FORM}/generate-keys", f"{FORM}/new-key"):
        assert visit(peopled, path, "reader@example.com").status == 403
    assert send_form(peopled, f"{FORM}/generate-keys", "reader@example.com", {}).status == 403


def test_one_s_own_form_is_one_s_own(peopled: Service) -> None:
    """A user of the desk without any role has keys at its own page, and cannot give itself more there."""
    form = f"/app/user/{API}"

    text = assert_page(visit(peopled, f"{form}?tab=settings", API))
    shown = send_form(peopled, f"{form}/generate-keys", API, {})
    named = send_form(peopled, form, API, {"tab": "details", "first_name": "Me"})
    raised = send_form(peopled, form, API, {"tab": "roles", "role:System Manager": "1"})
    typed = send_form(peopled, form, API, {"tab": "details", "user_type": "System User", "restrict_ip": "10.0.0.1"})

    assert "Generate Keys" in text
    assert f'href="{LIST}"' not in text
    assert re.search(r'id="secret">[^<]+<', assert_page(shown))
    assert named.status == 303
    assert raised.status in {403, 417}
    assert typed.status in {403, 417}
    stored = peopled.latchgate.users.get(API)
    assert (stored.first_name, stored.roles, stored.restrict_ip) == ("Me", frozenset(), ())


def test_users_who_were_never_there_and_tabs_that_are_not(peopled: Service) -> None:
    """Nobody is 404; an unknown tab is the first."""
    assert visit(peopled, "/app/user/nobody@example.com", MANAGER).status == 404
    assert 'id="first_name"' in visit(peopled, f"{FORM}?tab=%3Cscript%3E", MANAGER).text
    assert visit(peopled, "/app/user/%2e%2e%2f", MANAGER).status == 404


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("search=othello", {OTHER}),
        ("search=%25", set()),
        ("type=Website+User&enabled=yes", {WEB, "Guest"}),
        ("role=Deployer", {OTHER}),
        ("role=There+is+none", set()),
        ("enabled=maybe&type=%22&sort=password_hash&start=-1", None),
        ("start=999999", set()),
        ("sort=-full_name", None),
    ],
)
def test_the_list_is_narrowed_by_its_address(peopled: Service, query: str, shown: set[str] | None) -> None:
    """What no filter knows is left out; None where everybody is shown."""
    text = assert_page(visit(peopled, f"{LIST}?{query}", MANAGER))

    found = {name.replace("%40", "@") for name in re.findall(r'class="opens" href="/app/user/([^"]+)"', text)}
    everybody = {user.name for user in peopled.latchgate.users.list_users()}
    assert found == (everybody if shown is None else shown)
