"""get_logged_user: who a credential is, by every scheme, source, address and HTTP method."""

import base64

import pytest

from support.asgi import LOGGED_USER, Pair, Service
from support.envelopes import UNAUTHENTICATED, assert_refused, assert_refused_v2, assert_shown

API = "api@example.com"
V2 = "/api/v2/method/frappe.auth.get_logged_user"


# 200


def test_a_good_credential_tells_its_user(service: Service, credential: str) -> None:
    """Each scheme, in any case, answers with the user, and leaves one row that names user, scheme and credential."""
    answer = service.ask(authorization=credential)

    assert answer.status == 200
    assert answer.document == {"message": API}
    assert answer.cookies == {}
    assert answer.row.user == API
    assert str(answer.row.scheme).lower() == credential.partition(" ")[0].lower()
    assert answer.row.scheme in {"token", "Basic", "Bearer"}
    assert answer.row.api_key
    assert answer.row.source == "User"
    assert answer.row.method == "GET"
    assert answer.row.path == LOGGED_USER


@pytest.mark.parametrize(
    ("target", "envelope"),
    [
        (LOGGED_USER + "/", "message"),
        ("/api/v1/method/frappe.auth.get_logged_user", "message"),
        ("/?cmd=frappe.auth.get_logged_user", "message"),
        (V2, "data"),
        (V2 + "/", "data"),
        ("/api/method/frappe%2Eauth.get_logged_user", "message"),
    ],
)
def test_every_address_of_the_method_answers(service: Service, credential: str, target: str, envelope: str) -> None:
    """Version 1, version 2 and `cmd` lead to the same method; only the envelope differs."""
    answer = service.ask(target, credential)

    assert answer.status == 200
    assert answer.document == {envelope: API}
    assert answer.row.path == target


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_every_recorded_http_method_answers(service: Service, credential: str, method: str) -> None:
    """A header needs no CSRF token, whatever the method."""
    answer = service.ask(authorization=credential, method=method)

    assert answer.document == {"message": API}
    assert answer.row.method == method


def test_cmd_in_a_form_answers(service: Service, api_key: Pair) -> None:
    """The Python client's way: POST / with the method's name in the body."""
    arguments = {"cmd": "frappe.auth.get_logged_user"}

    assert service.post("/", arguments, api_key.basic, form=True).document == {"message": API}
    assert service.post("/", arguments, api_key.basic).document == {"message": API}


@pytest.mark.parametrize("value", [" {} ", "\t{}", "{}\t ", "  {}"])
def test_white_space_around_the_value_is_no_part_of_it(service: Service, api_key: Pair, value: str) -> None:
    """Spaces and tabs before and after are the header's, not the credential's (RFC 9110, 5.6.3)."""
    assert service.ask(authorization=value.format(api_key.token)).status == 200


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html", "text/plain", ""])
def test_what_is_allowed_is_json_for_everybody(service: Service, api_key: Pair, accept: str) -> None:
    """A page is for refusals; a good request of a browser gets its data."""
    assert service.ask(authorization=api_key.token, headers=[("accept", accept)]).document == {"message": API}


def test_a_session_tells_its_user(service: Service) -> None:
    """A session counts where no header is, and its row names it without its id."""
    sid = service.sign_in(API).sid

    answer = service.ask(headers=[("cookie", f"a=b; sid={sid}; user_id=Administrator")])

    assert answer.document == {"message": API}
    assert answer.row.scheme == "session"
    assert sid not in str(answer.row)


def test_the_header_decides_over_the_session(service: Service, manager_key: Pair) -> None:
    """With both, the request runs as the header's user."""
    cookie = ("cookie", f"sid={service.sign_in(API).sid}")

    answer = service.ask(authorization=manager_key.token, headers=[cookie])

    assert answer.document == {"message": "manager@example.com"}
    assert answer.row.scheme == "token"


def test_an_empty_header_leaves_the_session_in_charge(service: Service) -> None:
    """An empty value counts as no header."""
    cookie = ("cookie", f"sid={service.sign_in(API).sid}")

    assert service.ask(authorization=" \t", headers=[cookie]).document == {"message": API}


@pytest.mark.parametrize("target", [LOGGED_USER, V2])
def test_options_needs_no_user(service: Service, target: str) -> None:
    """Asking what is possible is answered, with nothing, to everybody."""
    answer = service.ask(target, method="OPTIONS", headers=[("origin", "https://other.example")])

    assert (answer.status, answer.body, answer.rows) == (200, b"", ())


# 400


@pytest.mark.parametrize("padding", ["", "=", "==="])
def test_basic_with_wrong_padding_is_told_so(service: Service, padding: str) -> None:
    """Base64 of a wrong length is a 400, as recorded."""
    value = base64.b64encode(b"a:bc").decode().rstrip("=") + padding

    answer = service.ask(authorization=f"Basic {value}")

    assert "base64" in assert_refused(answer, 400, "InvalidAuthorizationToken")
    assert answer.row.reason == "basic_not_base64"


def test_a_python_bytes_literal_is_told_so(service: Service, api_key: Pair) -> None:
    """What `"Basic %s" % base64.b64encode(…)` sends on Python 3 is answered with the mistake's name."""
    value = base64.b64encode(f"{api_key.key_id}:{api_key.secret}".encode())

    answer = service.ask(authorization=f"Basic {value!r}")

    assert "decode()" in assert_refused(answer, 400, "InvalidAuthorizationToken")
    assert answer.row.reason == "basic_python_bytes_literal"


def test_bad_base64_has_the_second_envelope_too(service: Service) -> None:
    """Version 2 says the same in its own form."""
    assert assert_refused_v2(service.ask(V2, "Basic abc"), 400, "InvalidAuthorizationToken")


# 401


_OPENS_NOTHING: dict[str, tuple[str | bytes, str]] = {
    "unknown key": ("token 0123456789abcde:0123456789abcde", "unknown_key"),
    "unknown bearer": ("Bearer nobody-was-given-this-one", "unknown_token"),
    "no secret": ("token a:", "authorization_unreadable"),
    "no key": ("token :b", "authorization_unreadable"),
    "a colon alone": ("token :", "authorization_unreadable"),
    "no colon": ("token ab", "authorization_unreadable"),
    "two colons": ("token a:b:c", "authorization_unreadable"),
    "two spaces": ("token  a:b", "authorization_unreadable"),
    "a tab": ("token\ta:b", "authorization_unreadable"),
    "three parts": ("token a:b c", "authorization_unreadable"),
    "the scheme alone": ("token", "authorization_unreadable"),
    "Basic alone": ("Basic ", "authorization_unreadable"),
    "no scheme": ("a:b", "authorization_unreadable"),
    "a list": ("token a:b, token a:b", "authorization_unreadable"),
    "Basic without colon": ("Basic " + base64.b64encode(b"ab").decode(), "authorization_unreadable"),
    "Basic of other bytes": ("Basic " + base64.b64encode(b"\xff:\xfe").decode(), "authorization_unreadable"),
    "Basic with junk": ("Basic YTpi!", "authorization_unreadable"),
    "another scheme": ("Digest a:b", "unknown_scheme"),
    "no-break space": (b"token\xc2\xa0a:b", "authorization_unreadable"),
    "other bytes": (b"\xff\xfe", "authorization_unreadable"),
}


@pytest.mark.parametrize("name", _OPENS_NOTHING)
@pytest.mark.parametrize("target", [LOGGED_USER, "/api/method/ping", "/nowhere"])
def test_what_opens_nothing_is_the_same_401_everywhere(service: Service, name: str, target: str) -> None:
    """A bad header never falls through to Guest; all 401s look alike, and the reason is in the log alone."""
    value, reason = _OPENS_NOTHING[name]

    answer = service.ask(target, value)

    assert assert_refused(answer, 401, "AuthenticationError") == ""
    assert answer.document == UNAUTHENTICATED
    # Whoever sends an access token is told that it is none (RFC 6750, section 3.1), and not why.
    told = ', error="invalid_token"' if name == "unknown bearer" else ""
    assert answer.header("www-authenticate") == (
        f'Bearer resource_metadata="http://127.0.0.1:8000/.well-known/oauth-protected-resource"{told}'
    )
    assert (answer.row.reason, answer.row.user, answer.row.api_key) == (reason, None, None)


@pytest.mark.parametrize("scheme", ["token", "basic"])
def test_a_wrong_secret_names_the_key_in_the_log_alone(service: Service, api_key: Pair, scheme: str) -> None:
    """The row of a wrong secret names the key and no user; the answer is that of an unknown key."""
    wrong = Pair(api_key.key_id, "0123456789abcde")

    answer = service.ask(authorization=getattr(wrong, scheme))

    assert answer.document == UNAUTHENTICATED
    assert (answer.row.reason, answer.row.user, answer.row.api_key) == ("wrong_secret", None, api_key.key_id)


def test_a_bad_header_is_not_saved_by_a_session(service: Service) -> None:
    """A request with a wrong key is refused, however good its cookie."""
    cookie = ("cookie", f"sid={service.sign_in(API).sid}")

    answer = service.ask(authorization="token a:b", headers=[cookie])

    assert_refused(answer, 401, "AuthenticationError")
    assert answer.row.scheme == "token"


def test_options_with_a_bad_credential_is_refused(service: Service) -> None:
    """Asking what is possible does not excuse a wrong key, as recorded."""
    assert_refused(service.ask(authorization="token a:b", method="OPTIONS"), 401, "AuthenticationError")


def test_a_401_has_the_second_envelope_too(service: Service) -> None:
    """Version 2 names the type and nothing else."""
    answer = service.ask(V2, "token a:b")

    assert assert_refused_v2(answer, 401, "AuthenticationError") == ""
    assert answer.row.path == V2


# 403


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_guest_is_told_how_to_begin(service: Service, method: str) -> None:
    """Without a credential the answer names the metadata to start from, and leaves no row."""
    answer = service.ask(method=method)

    assert "as a guest" in assert_refused(answer, 403, "PermissionError")
    assert answer.header("www-authenticate") == service.application.site.challenge
    assert answer.rows == ()


def test_a_guest_is_refused_in_the_second_envelope_too(service: Service) -> None:
    """Version 2 says the same in its own form."""
    assert "as a guest" in assert_refused_v2(service.ask(V2), 403, "PermissionError")


def test_a_session_that_ended_makes_a_guest(service: Service) -> None:
    """An unknown session id is told apart, as recorded, and leaves a row without a user."""
    answer = service.ask(headers=[("cookie", "sid=0123456789abcdef")])

    assert_refused(answer, 403, "PermissionError")
    assert answer.document["session_expired"] == 1
    assert (answer.row.scheme, answer.row.user, answer.row.reason) == ("session", None, "expired")


@pytest.mark.parametrize("method", ["HEAD", "PATCH"])
def test_other_http_methods_are_not_permitted(service: Service, api_key: Pair, method: str) -> None:
    """HEAD and PATCH are refused to the best of keys, as recorded, and to guests."""
    answer = service.ask(authorization=api_key.token, method=method)

    assert assert_refused(answer, 403, "PermissionError") == "Not permitted"
    assert answer.header("www-authenticate")
    assert answer.row.user == API
    assert_refused(service.ask(method=method), 403, "PermissionError")


def test_a_credential_in_the_query_is_none(service: Service, api_key: Pair) -> None:
    """A key in the address counts for nothing, and makes no row."""
    answer = service.ask(f"{LOGGED_USER}?api_key={api_key.key_id}&api_secret={api_key.secret}")

    assert_refused(answer, 403, "PermissionError")
    assert answer.rows == ()


# 429


def test_a_key_over_its_limit_is_told_when_to_come_back(service: Service) -> None:
    """The request beyond the limit gets 429 with Retry-After, and a row that names key and user."""
    key = service.make_key(API, per_minute=2)

    first, second, third = (service.ask(authorization=key.token) for _ in range(3))

    assert (first.status, second.status) == (200, 200)
    assert assert_refused(third, 429, "RateLimitExceededError")
    assert 0 < int(third.header("retry-after") or 0) <= 60
    assert (third.row.reason, third.row.user, third.row.api_key) == ("over_limit", API, key.key_id)
    assert assert_refused_v2(service.ask(V2, key.token), 429, "RateLimitExceededError")
    assert_shown(service.ask(authorization=key.token, headers=[("accept", "text/html")]), 429)
