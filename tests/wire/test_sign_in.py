"""login as Frappe's clients call it: cookies, who gets none, and what another site cannot do."""

import re
from ipaddress import ip_network

import pytest

from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, PASSWORD, Service, opened_service
from support.envelopes import assert_refused, assert_refused_v2, assert_shown

API, WEB = "api@example.com", "web@example.com"
LOGIN = "/api/method/login"
GOOD = {"usr": API, "pwd": PASSWORD}
COOKIES = {"sid", "system_user", "full_name", "user_id", "user_lang"}


def _cookie(sid: str) -> tuple[str, str]:
    return "cookie", f"sid={sid}"


# 200


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize("target", [LOGIN, "/api/v1/method/login", "/?cmd=login"])
def test_a_good_password_opens_a_session(service: Service, target: str, form: bool) -> None:
    """The answer is Frappe's, and its sid tells the user from then on."""
    answer = service.post(target, GOOD, form=form)

    assert answer.document == {"message": "Logged In", "home_page": "/app", "full_name": "Api User"}
    assert service.ask(headers=[_cookie(answer.sid)]).document == {"message": API}


def test_cmd_in_the_body_signs_in(service: Service) -> None:
    """The Python client's way: POST / with the method's name in the form."""
    assert service.post("/", {"cmd": "login", **GOOD}, form=True).document["message"] == "Logged In"


def test_version_2_signs_in(service: Service) -> None:
    """The whole answer stands under `data`."""
    answer = service.post("/api/v2/method/login", GOOD)

    assert answer.document["data"]["message"] == "Logged In"
    assert answer.cookies.keys() == COOKIES


def test_a_website_user_gets_no_desk(service: Service) -> None:
    """As recorded: another message, and a home page of its own."""
    answer = service.post(LOGIN, {"usr": WEB, "pwd": PASSWORD})

    assert (answer.document["message"], answer.document["home_page"]) == ("No App", "/me")
    assert answer.cookies["system_user"].startswith("system_user=no;")


def test_an_address_in_capitals_is_the_same_user(service: Service) -> None:
    """Names of users are read in any case, as recorded."""
    assert service.post(LOGIN, {"usr": API.upper(), "pwd": PASSWORD}).status == 200


def test_the_cookies_are_held_tight(service: Service) -> None:
    """Five cookies; the one that means something is out of scripts' reach, and none is sent from other sites' forms."""
    cookies = service.sign_in(API).cookies

    assert cookies.keys() == COOKIES
    for value in cookies.values():
        assert "Path=/; SameSite=Lax" in value
        assert "Domain" not in value
        assert "Secure" not in value
    assert re.fullmatch(
        r"sid=[0-9a-f]{56}; Expires=[^;]+ GMT; Max-Age=\d+; HttpOnly; Path=/; SameSite=Lax", cookies["sid"]
    )
    assert cookies["user_id"].startswith("user_id=api%40example.com;")
    assert cookies["full_name"].startswith("full_name=Api%20User;")


def test_behind_https_the_cookies_are_secure(service: Service) -> None:
    """A public address with https makes cookies that never travel without."""
    with opened_service(service.latchgate.settings.home, public_url="https://auth.example.com") as secure:
        cookies = secure.sign_in(API).cookies

    assert cookies.keys() == COOKIES
    assert all(value.endswith("; Secure") for value in cookies.values())


def test_a_name_cannot_add_a_cookie_or_a_header(service: Service) -> None:
    """What a user is called is encoded in the cookies that show it."""
    user = service.make_user("odd@example.com", first_name='a; sid=evil; Path="/x"', last_name="é=😀")

    cookies = service.sign_in(user).cookies

    assert cookies.keys() == COOKIES
    assert cookies["full_name"].startswith(
        "full_name=a%3B%20sid%3Devil%3B%20Path%3D%22/x%22%20%C3%A9%3D%F0%9F%98%80; Path=/;"
    )


def test_each_sign_in_is_a_new_session(service: Service) -> None:
    """A sid that the caller chose is never taken over, and a session that is open does not change hands."""
    chosen = "0123456789abcdef" * 3 + "01234567"
    first = service.post(LOGIN, GOOD, headers=[_cookie(chosen)])
    second = service.post(
        f"{LOGIN}?sid={chosen}", {"usr": WEB, "pwd": PASSWORD, "sid": chosen}, headers=[_cookie(first.sid)]
    )

    assert len({chosen, first.sid, second.sid}) == 3
    assert service.ask(headers=[_cookie(chosen)]).status == 403
    assert service.ask(headers=[_cookie(first.sid)]).document == {"message": API}
    assert service.ask(headers=[_cookie(second.sid)]).document == {"message": WEB}


def test_a_stale_session_does_not_stand_in_the_way(service: Service) -> None:
    """Whoever holds the cookie of a user since disabled can still sign in as somebody else."""
    user = service.make_user("stale@example.com")
    sid = service.sign_in(user).sid
    service.latchgate.users.set_enabled(COMMAND_LINE, user, enabled=False)

    assert_refused(service.ask(headers=[_cookie(sid)]), 401, "AuthenticationError")
    assert service.ask("/login", headers=[_cookie(sid)]).status == 200
    answer = service.post(LOGIN, GOOD, headers=[_cookie(sid)])
    assert service.ask(headers=[_cookie(answer.sid)]).document == {"message": API}


# 400


@pytest.mark.parametrize("target", [LOGIN, "/login", "/?cmd=login"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "something new"),
        ("origin", "https://evil.example"),
        ("origin", "http://auth.example.com.evil.example"),
        ("origin", "http://evil.example/?auth.example.com"),
        ("origin", "null"),
        ("origin", ""),
    ],
)
def test_another_site_s_page_signs_nobody_in(service: Service, target: str, name: str, value: str) -> None:
    """A form elsewhere, a neighbour's too, cannot put its visitor into an account of the form's author."""
    answer = service.post(target, GOOD, form=True, headers=[("host", "auth.example.com"), (name, value)])

    assert answer.status == 400
    assert answer.cookies == {}


@pytest.mark.parametrize("target", [LOGIN, "/login"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", "http://auth.example.com")],
)
def test_our_own_page_signs_in(service: Service, target: str, name: str, value: str) -> None:
    """What browsers say of our own page, and of an address that was typed in, is let through."""
    answer = service.post(target, GOOD, form=True, headers=[("host", "auth.example.com"), (name, value)])

    assert answer.cookies.keys() == COOKIES


def test_what_the_browser_says_of_the_site_counts_more_than_the_origin(service: Service) -> None:
    """A proxy may hand another Host on; the browser's own word on where the page came from is not lost by that."""
    headers = [("host", "backend:8000"), ("origin", "https://auth.example.com"), ("sec-fetch-site", "same-origin")]

    assert service.post(LOGIN, GOOD, form=True, headers=headers).status == 200


# 401


_OPEN_NOTHING = [
    {"usr": API, "pwd": "wrong horse battery"},
    {"usr": API, "pwd": PASSWORD + " "},
    {"usr": API, "pwd": PASSWORD.upper()},
    {"usr": API, "pwd": "x" * 5000},
    {"usr": API, "pwd": "\ud800"},
    {"usr": "nobody@example.com", "pwd": PASSWORD},
    {"usr": "\ud800", "pwd": PASSWORD},
    {"usr": "Guest", "pwd": PASSWORD},
    {"usr": "' OR ''='", "pwd": PASSWORD},
]


@pytest.mark.parametrize("number", range(len(_OPEN_NOTHING)))
def test_what_opens_no_session_is_told_alike(service: Service, number: int) -> None:
    """Wrong passwords and unknown users get the same words and no cookie, on the page too."""
    arguments, peer = _OPEN_NOTHING[number], f"198.51.100.{number}"

    answer = service.post(LOGIN, arguments, peer=peer)
    page = service.post("/login", arguments, peer=peer)

    assert assert_refused(answer, 401, "AuthenticationError") == "Invalid login credentials"
    assert "Invalid login credentials" in assert_shown(page, 401)
    assert (answer.cookies, page.cookies) == ({}, {})
    assert (answer.rows, page.rows) == ((), ())


def test_a_disabled_user_is_told_what_a_wrong_password_is(service: Service) -> None:
    """Nobody learns by asking that an account exists."""
    user = service.make_user("disabled@example.com", enabled=False)

    answer = service.post(LOGIN, {"usr": user, "pwd": PASSWORD})

    assert assert_refused(answer, 401, "AuthenticationError") == "Invalid login credentials"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"usr": API}, {"pwd": PASSWORD}, {"usr": "", "pwd": ""}, {"usr": [API], "pwd": {"a": 1}}, {"usr": 1}],
)
def test_half_an_attempt_is_told_so(service: Service, arguments: dict[str, object]) -> None:
    """What is missing, or is no text, is no attempt."""
    assert assert_refused(service.post(LOGIN, arguments), 401, "AuthenticationError") == "Incomplete login details"
    assert_refused_v2(service.post("/api/v2/method/login", arguments), 401, "AuthenticationError")


def test_a_user_kept_to_other_addresses_is_told_so_with_the_right_password_alone(service: Service) -> None:
    """As recorded: where it may be told, it is told; a stranger learns nothing."""
    user = service.make_user("placed@example.com", restrict_ip=(ip_network("203.0.113.0/24"),))

    right = service.post(LOGIN, {"usr": user, "pwd": PASSWORD}, headers=[("x-forwarded-for", "203.0.113.9")])
    wrong = service.post(LOGIN, {"usr": user, "pwd": "wrong horse battery"})

    assert "192.0.2.7" in assert_refused(right, 401, "AuthenticationError")
    assert assert_refused(wrong, 401, "AuthenticationError") == "Invalid login credentials"
    assert service.sign_in(user, peer="203.0.113.9").sid


def test_a_bad_header_is_refused_before_the_password_is_looked_at(service: Service) -> None:
    """A wrong key with a good password is a 401 without a session."""
    answer = service.post(LOGIN, GOOD, "token a:b")

    assert_refused(answer, 401, "AuthenticationError")
    assert answer.cookies == {}


# 403


@pytest.mark.parametrize("target", [LOGIN, "/api/v2/method/login", "/?cmd=login&"])
def test_a_password_in_the_address_is_not_read(service: Service, target: str) -> None:
    """Signing in is POST only: addresses are kept by proxies and browsers."""
    mark = "" if "?" in target else "?"
    answer = service.ask(f"{target}{mark}usr={API}&pwd={PASSWORD.replace(' ', '+')}")

    assert answer.status == 403
    assert answer.cookies == {}


def test_sid_in_the_query_does_nothing(service: Service) -> None:
    """A session id in an address is a word like any other."""
    sid = service.sign_in(API).sid

    answer = service.ask(f"{LOGGED_USER}?sid={sid}")

    assert_refused(answer, 403, "PermissionError")
    assert answer.rows == ()
