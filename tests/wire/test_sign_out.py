"""logout as Frappe's clients call it: what ends a session, and what does not."""

import pytest

from support.asgi import Pair, Service
from support.envelopes import assert_refused

API = "api@example.com"
LOGOUT = "/api/method/logout"
COOKIES = {"sid", "system_user", "full_name", "user_id", "user_lang"}


def _cookie(sid: str) -> tuple[str, str]:
    return "cookie", f"sid={sid}"


# 200


@pytest.mark.parametrize("how", ["form", "header"])
def test_signing_out_ends_the_session(service: Service, how: str) -> None:
    """The cookies are cleared, and the sid opens nothing any more, also for whoever kept a copy."""
    sid = service.sign_in(API).sid
    token = service.csrf_token(sid)
    shown = [("x-frappe-csrf-token", token)] if how == "header" else []

    answer = service.post(
        LOGOUT, {"csrf_token": token} if how == "form" else {}, form=True, headers=[_cookie(sid), *shown]
    )

    assert answer.document == {"message": "No App", "home_page": "/login", "full_name": "Guest"}
    assert answer.cookies.keys() == COOKIES
    assert all("Max-Age=0" in value for value in answer.cookies.values())
    assert service.ask(headers=[_cookie(sid)]).document["session_expired"] == 1


def test_signing_out_by_get_ends_the_session(service: Service) -> None:
    """The Python client's way, as recorded; a GET needs no CSRF token, and SameSite keeps other sites' images out."""
    sid = service.sign_in(API).sid

    assert service.ask("/?cmd=logout", headers=[_cookie(sid)]).status == 200
    assert service.ask(headers=[_cookie(sid)]).status == 403


@pytest.mark.parametrize("kind", ["guest", "key", "unknown session"])
def test_who_has_no_session_signs_out_of_nothing(service: Service, api_key: Pair, kind: str) -> None:
    """The answer is the same, no cookie is set, and a key works on."""
    authorization = api_key.token if kind == "key" else None
    headers = [_cookie("0123456789abcdef")] if kind == "unknown session" else []

    answer = service.post(LOGOUT, {}, authorization, headers=headers)

    assert answer.status == 200
    assert answer.cookies == {}
    assert service.ask(authorization=api_key.token).status == 200


# 400


def test_a_session_signs_out_with_its_csrf_token_alone(service: Service) -> None:
    """Another site's form cannot sign a visitor out, nor can the token of another session."""
    sid, other = service.sign_in(API).sid, service.sign_in(API).sid

    for token in ("", service.csrf_token(other)):
        answer = service.post(LOGOUT, {"csrf_token": token}, form=True, headers=[_cookie(sid)])
        assert_refused(answer, 400, "CSRFTokenError")
        assert answer.cookies == {}
    assert service.ask(headers=[_cookie(sid)]).status == 200
