"""One's own account: for every user, about nobody else."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from latchgate.core.users import SYSTEM_MANAGER, UserType
from support.asgi import PASSWORD, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, done_at, send_form, send_json, visit

MANAGER, API, WEB, OTHER = "manager@example.com", "api@example.com", "web@example.com", "other@example.com"
TABS = (
    "",
    "?tab=keys",
    "?tab=sessions",
    "?tab=requests",
    "?tab=activity",
    "?tab=requests&open=1&after=1",
    "?tab=%3Cscript%3E",
)
ADDRESSES = [*(f"/me{tab}" for tab in TABS), "/me/new-key", "/me/generate-keys", "/me/password"]


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, and one more that has a key and a session."""
    with opened_service(tmp_path_factory.mktemp("account") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.make_user(OTHER, first_name="Othello")
        service.make_key(OTHER)
        yield service


def _sessions(text: str) -> list[str]:
    return re.findall(r'action="/me/session/([^"]+)/end"', text)


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("user", [MANAGER, API, WEB])
def test_everybody_has_an_account(peopled: Service, path: str, user: str) -> None:
    """Whatever their type and roles, and with nothing in it of others."""
    text = assert_page(visit(peopled, path, user))

    assert user in text or path == "/me/password"
    assert "Othello" not in text
    assert OTHER not in text


@pytest.mark.parametrize("path", ADDRESSES)
def test_whoever_is_not_signed_in_is_led_to_do_so(peopled: Service, path: str) -> None:
    """To any page of an account."""
    answer = visit(peopled, path, "")

    assert (answer.status, answer.header("location")) == (303, "/login")


@pytest.mark.parametrize("user", ["", WEB, API, MANAGER])
def test_the_start_is_the_account(peopled: Service, user: str) -> None:
    """Of whoever is signed in; whoever is not is led to do so."""
    answer = visit(peopled, "/", user)

    if user:
        assert user in assert_page(answer)
    else:
        assert (answer.status, answer.header("location")) == (303, "/login")


@pytest.mark.parametrize("user", [WEB, API])
def test_one_changes_one_s_names_and_nothing_else(peopled: Service, user: str) -> None:
    """Also if a form says more than it was given."""
    typed = {"first_name": "New", "last_name": "Name", "user_type": "System User", "role:System Manager": "1"}

    saved = send_form(peopled, "/me", user, {**typed, "name": OTHER, "enabled": "0"})

    assert (saved.status, done_at(saved)) == (303, "/me?done=saved")
    stored = peopled.latchgate.users.get(user)
    assert (stored.full_name, stored.enabled, stored.roles) == ("New Name", True, frozenset())
    assert peopled.latchgate.users.get(OTHER).first_name == "Othello"
    assert "New Name" in assert_page(visit(peopled, "/me", user))


def test_a_refused_name_is_kept_and_told(peopled: Service) -> None:
    """At its field; and two tabs do not undo each other in silence."""
    long = send_form(peopled, "/me", API, {"first_name": "x" * 141, "last_name": "Kept"})
    stale = send_form(peopled, "/me", API, {"first_name": "Kept", "modified": "2020-01-01 00:00:00"})
    odd = send_json(peopled, "/me", API, {"first_name": ["x"]})

    text = assert_shown(long, 417)
    assert 'id="first_name-error"' in text
    assert 'value="Kept"' in text
    assert "Somebody else changed this" in assert_shown(stale, 417)
    assert "Kept" in stale.text
    assert_shown(odd, 417)


def test_sessions_are_shown_and_ended(peopled: Service) -> None:
    """One's own, of which the one in use is marked; one ended opens nothing more, and nobody else's is touched."""
    theirs = peopled.sign_in(OTHER).sid
    first, second = (peopled.sign_in(WEB).sid for _ in range(2))
    headers = [("cookie", f"sid={second}"), HTML]
    text = assert_page(peopled.ask("/me?tab=sessions", headers=headers))
    names = _sessions(text)
    token = {"csrf_token": peopled.csrf_token(second)}

    assert text.count("This one") == 1
    assert first not in text
    assert second not in text
    ended = [
        peopled.post(f"/me/session/{name}/end", token, form=True, headers=headers).header("location") for name in names
    ]
    assert set(ended) == {"/me?tab=sessions&done=session-ended"}
    assert _sessions(assert_page(peopled.ask("/me?tab=sessions", headers=headers))) == []
    assert visit(peopled, "/me", "").status == 303
    assert peopled.ask("/me", headers=[("cookie", f"sid={first}"), HTML]).status == 303
    assert peopled.ask("/me", headers=[("cookie", f"sid={theirs}"), HTML]).status == 200


def test_all_other_sessions_are_ended_at_once(peopled: Service) -> None:
    """And the one that asks goes on."""
    before = [peopled.sign_in(API).sid for _ in range(3)]
    sid = peopled.sign_in(API).sid
    headers = [("cookie", f"sid={sid}"), HTML]

    answer = peopled.post("/me/end-other-sessions", {"csrf_token": peopled.csrf_token(sid)}, form=True, headers=headers)

    assert answer.header("location") == "/me?tab=sessions&done=sessions-ended"
    text = assert_page(peopled.ask(str(answer.header("location")), headers=headers))
    assert "All other sessions were ended." in text
    assert "End all other sessions" not in text
    assert {peopled.ask("/me", headers=[("cookie", f"sid={one}"), HTML]).status for one in before} == {303}


def test_another_s_session_is_not_there(peopled: Service) -> None:
    """Nor may its id be guessed at, nor do it another site's form, nor a key that is limited."""
    sid = peopled.sign_in(OTHER).sid
    peopled.sign_in(OTHER)
    (name, *_) = _sessions(assert_page(peopled.ask("/me?tab=sessions", headers=[("cookie", f"sid={sid}"), HTML])))
    limited = peopled.make_key(OTHER, scopes=frozenset({"User:read", "User:write"}))

    assert send_form(peopled, f"/me/session/{name}/end", MANAGER, {}).status == 404
    for path in (f"/me/session/{name}/end", "/me/end-other-sessions"):
        cookie = ("cookie", f"sid={sid}")
        assert peopled.post(path, {}, form=True, headers=[cookie, HTML]).status == 400
        assert peopled.post(path, {}, limited.token, form=True, headers=[HTML]).status == 403
        assert peopled.ask(path, headers=[cookie, HTML]).status == 403
    shown = assert_page(peopled.ask("/me?tab=sessions", limited.token, headers=[HTML]))
    assert "not to a key that is limited" in shown
    assert name not in shown
    assert peopled.ask("/me", headers=[("cookie", f"sid={sid}"), HTML]).status == 200


def test_a_key_sees_of_the_account_what_its_scopes_allow(peopled: Service) -> None:
    """Who it is always; no form that it could not send."""
    key = peopled.make_key(API, scopes=frozenset({"Role:read"}))

    text = assert_page(peopled.ask("/me", key.token, headers=[HTML]))

    assert API in text
    assert 'name="first_name"' not in text
    assert "You may not see these keys." in assert_page(peopled.ask("/me?tab=keys", key.token, headers=[HTML]))
    for tab in ("requests", "activity"):
        assert "You may not see this log." in assert_page(peopled.ask(f"/me?tab={tab}", key.token, headers=[HTML]))


def test_the_logs_of_an_account_are_one_s_own(peopled: Service) -> None:
    """Of a manager too, who may read everybody's; rows open in place, and lead nowhere where there is no way."""
    for user in (WEB, MANAGER, OTHER):
        pair = peopled.make_key(user)
        assert peopled.ask(f"/api/method/ping?of={user}", pair.token).status == 200
    for user in (WEB, MANAGER):
        text = assert_page(visit(peopled, "/me?tab=requests", user))
        assert f"of={user}" in text
        assert f"of={OTHER}" not in text
        (row,) = re.findall(rf'id="row-([0-9]+)"[^>]*>GET <span title="/api/method/ping\?of={user}"', text)
        opened = assert_page(visit(peopled, f"/me?tab=requests&open={row}", user))
        assert "Request ID" in opened
        assert ("/app/request-log" in opened.partition("</header>")[2]) == (user == MANAGER)
        deeds = assert_page(visit(peopled, "/me?tab=activity", user))
        assert "Signed in" in deeds
        assert OTHER not in deeds


def test_another_s_row_is_opened_by_nobody(peopled: Service) -> None:
    """Nor does a page begin after it."""
    pair = peopled.make_key(OTHER)
    assert peopled.ask("/api/method/ping?of=ownership", pair.token).status == 200
    text = assert_page(visit(peopled, "/app/request-log?since=any", MANAGER))
    (row,) = re.findall(r'id="row-([0-9]+)"[^>]*>GET <span title="/api/method/ping\?of=ownership"', text)

    opened = assert_page(visit(peopled, f"/me?tab=requests&open={row}", WEB))
    after = assert_page(visit(peopled, f"/me?tab=requests&after={row}", WEB))

    for shown in (opened, after):
        assert "ownership" not in shown
    assert "not there, or not yours to see" in opened
    assert "not there, or not yours to see" in after


@pytest.mark.parametrize("agent", ['"><img src=x onerror=alert(1)>', "<script>alert(1)</script>", "é" * 500])
def test_a_browser_s_name_is_text(peopled: Service, agent: str) -> None:
    """Whoever signs in says what they like of their browser."""
    headers: list[tuple[str | bytes, str | bytes]] = [
        ("user-agent", agent.encode()),
        ("content-type", "application/x-www-form-urlencoded"),
    ]
    body = f"usr=web%40example.com&pwd={quote(PASSWORD)}".encode()
    peopled.ask("/api/method/login", method="POST", headers=headers, body=body)

    text = assert_page(visit(peopled, "/me?tab=sessions", WEB))

    assert "<img" not in text.partition("</header>")[2]
