"""What a caller can do with cookies: bring two, choose one, name somebody else, keep one that has ended."""

import pytest

from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, PASSWORD, Service, opened_service
from support.envelopes import assert_refused

API, MANAGER, WEB = "api@example.com", "manager@example.com", "web@example.com"
GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"


@pytest.fixture(scope="module")
def sid(service: Service) -> str:
    """A session of the System User."""
    return service.sign_in(API).sid


def _ask(service: Service, *cookies: str, target: str = LOGGED_USER) -> object:
    answer = service.ask(target, headers=[("cookie", cookie) for cookie in cookies])
    return answer.document.get("message") if answer.status == 200 else answer.status


# Who a cookie is


@pytest.mark.parametrize(
    "claim",
    [
        "user_id=manager%40example.com",
        "user_id=Administrator",
        "system_user=yes",
        "full_name=Administrator",
        "SID=x",
        "sid_=x",
    ],
)
def test_other_cookies_say_nothing(service: Service, sid: str, claim: str) -> None:
    """The session alone tells its user; the cookies that show one are decoration."""
    assert _ask(service, claim) == 403
    assert _ask(service, f"{claim}; sid={sid}") == API
    assert _ask(service, f"sid={sid}; {claim}") == API


@pytest.mark.parametrize("joined", [True, False])
def test_two_sessions_are_none(service: Service, sid: str, joined: bool) -> None:
    """A neighbour domain may set a second sid; nobody acts as the one or the other then."""
    other = service.sign_in(MANAGER).sid
    for first, second in ((sid, other), (other, sid), (sid, "0" * 56), (sid, "")):
        pair = [f"sid={first}", f"sid={second}"]
        assert _ask(service, *(["; ".join(pair)] if joined else pair)) == 403


def test_the_same_session_twice_is_one(service: Service, sid: str) -> None:
    """What cannot be mistaken is not refused."""
    assert _ask(service, f"sid={sid}; a=b; sid={sid}") == API


@pytest.mark.parametrize(
    "alter",
    [
        str.upper,
        lambda sid: sid[:-1],
        lambda sid: sid + "0",
        lambda sid: sid + "\x00",
        lambda sid: f'"{sid}"',
        lambda sid: "%" + sid,
        lambda sid: sid[:-1] + chr(ord(sid[-1]) ^ 1),
    ],
)
def test_a_session_id_is_exact(service: Service, sid: str, alter: object) -> None:
    """Altered by a byte it opens nothing."""
    assert callable(alter)
    assert _ask(service, f"sid={alter(sid)}") == 403


@pytest.mark.parametrize(
    "sid", ["Guest", "Administrator", "guest", "null", "None", "0", "' OR 1=1 --", "*", "x" * 30_000]
)
def test_no_word_is_a_session(service: Service, sid: str) -> None:
    """Frappe's `Guest` session does not exist, nor does any other that was not given."""
    assert _ask(service, f"sid={sid}") == 403


def test_a_session_s_public_name_is_not_its_id(service: Service) -> None:
    """What the log shows of a session opens nothing."""
    sid = service.sign_in(API).sid
    shown = service.ask(headers=[("cookie", f"sid={sid}")]).row.api_key

    assert shown
    assert _ask(service, f"sid={shown}") == 403
    assert _ask(service, f"sid={shown.removeprefix('session-')}") == 403


def test_a_session_id_is_no_token(service: Service, sid: str) -> None:
    """The cookie's value in a header opens nothing."""
    for value in (f"Bearer {sid}", f"token {sid}:{sid}"):
        assert_refused(service.ask(authorization=value, peer=service.new_peer()), 401, "AuthenticationError")


# Fixation


@pytest.mark.parametrize("place", ["cookie", "query", "form", "header"])
def test_a_session_id_that_a_caller_chose_is_never_taken_over(service: Service, place: str) -> None:
    """Whoever puts an id into a victim's browser cannot use it once the victim has signed in."""
    chosen = "ab" * 28
    arguments = {"usr": WEB, "pwd": PASSWORD} | ({"sid": chosen} if place == "form" else {})
    headers = [("cookie", f"sid={chosen}")] if place == "cookie" else []
    headers += [("x-frappe-sid", chosen)] if place == "header" else []

    answer = service.post(
        f"/login?sid={chosen}" if place == "query" else "/login", arguments, form=True, headers=headers
    )

    assert answer.sid != chosen
    assert _ask(service, f"sid={chosen}") == 403


# The end of a session


def test_a_new_password_ends_every_session(service: Service) -> None:
    """Whoever had the former password, or a copy of the cookie, is out on the next request."""
    user = service.make_user("robbed@example.com")
    sids = [service.sign_in(user).sid for _ in range(2)]

    service.latchgate.users.set_password(COMMAND_LINE, user, Secret("another horse battery"))

    assert [_ask(service, f"sid={sid}") for sid in sids] == [403, 403]
    assert service.post("/api/method/login", {"usr": user, "pwd": PASSWORD}, peer=service.new_peer()).status == 401


def test_a_session_of_a_disabled_user_is_refused(service: Service) -> None:
    """Disabled, the user is a 401 by session too; enabled again, the session goes on."""
    user = service.make_user("paused@example.com")
    cookie = f"sid={service.sign_in(user).sid}"

    service.latchgate.users.set_enabled(COMMAND_LINE, user, enabled=False)
    while_disabled = _ask(service, cookie)
    service.latchgate.users.set_enabled(COMMAND_LINE, user, enabled=True)

    assert (while_disabled, _ask(service, cookie)) == (401, user)


@pytest.mark.parametrize("setting", ["session_idle_seconds", "session_absolute_seconds"])
def test_a_session_ends_by_itself(service: Service, setting: str) -> None:
    """A cookie that outlives its session is a guest's."""
    cookie = f"sid={service.sign_in(API).sid}"
    row_before = service.ask(headers=[("cookie", cookie)]).row

    with opened_service(service.latchgate.settings.home, **{setting: 1}) as strict:
        _wait_for_the_next_second(strict)
        answer = strict.ask(headers=[("cookie", cookie)])

    assert row_before.user == API
    assert (answer.status, answer.row.reason, answer.row.user) == (403, "expired", None)


def _wait_for_the_next_second(service: Service) -> None:
    began = service.latchgate.clock.now()
    while service.latchgate.clock.now() < began + 2:
        service.ask("/livez")


# CSRF


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_what_another_site_s_form_can_send_changes_nothing(service: Service, sid: str, kind: str) -> None:
    """The three types that need no preflight do not get past the token."""
    headers = [("cookie", f"sid={sid}"), ("content-type", kind), ("origin", "https://evil.example")]

    answer = service.ask(f"{GENERATE}?user={API}", method="POST", headers=headers, body=b'{"user": "a"}')

    assert_refused(answer, 400, "CSRFTokenError")


@pytest.mark.parametrize("shown", ["sid", "other", "query", "cookie"])
def test_no_other_value_is_the_csrf_token(service: Service, sid: str, shown: str) -> None:
    """Neither the session's id nor another session's token; and a cookie's word is a browser's, not the page's."""
    own, other = service.csrf_token(sid), service.csrf_token(service.sign_in(API).sid)
    header = {"sid": sid, "other": other, "query": "", "cookie": ""}[shown]
    cookie = f"sid={sid}; csrf_token={own}" if shown == "cookie" else f"sid={sid}"

    answer = service.post(GENERATE, {"user": API}, headers=[("cookie", cookie), ("x-frappe-csrf-token", header)])

    assert_refused(answer, 400, "CSRFTokenError")


def test_a_token_is_needed_by_unsafe_methods_alone(service: Service, sid: str) -> None:
    """Reading needs none; whatever may change something does, on public methods too."""
    cookie = ("cookie", f"sid={sid}")
    token = ("x-frappe-csrf-token", service.csrf_token(sid))

    assert [service.ask(method=method, headers=[cookie]).status for method in ("GET", "OPTIONS")] == [200, 200]
    for method in ("POST", "PUT", "DELETE"):
        assert service.ask("/api/method/ping", method=method, headers=[cookie]).status == 400
        assert service.ask("/api/method/ping", method=method, headers=[cookie, token]).status == 200
