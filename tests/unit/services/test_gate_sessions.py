"""What a session's cookie opens, and what it must prove besides."""

from dataclasses import replace

import pytest

from latchgate.core.credentials import Presented, Scheme
from latchgate.core.policy import PUBLIC, SIGNED_IN, Decision
from latchgate.core.principals import Anonymous, Reason
from latchgate.core.sessions import csrf_token
from latchgate.core.tokens import Secret
from support.house import LIFETIME, House, present_session


def _carried(house: House, scheme: Scheme) -> Presented:
    house.add_user()
    return house.carry(scheme)


@pytest.mark.parametrize("seconds", [LIFETIME.idle_seconds, LIFETIME.absolute_seconds])
def test_a_session_that_ended_is_a_guest(house: House, seconds: int) -> None:
    """The cookie of an ended session opens nothing, but keeps the sign-in page within reach."""
    presented = _carried(house, Scheme.SESSION)
    house.clock.advance(seconds)

    admission = house.admit(presented, PUBLIC)

    assert (admission.who, admission.decision) == (Anonymous(session_expired=True), Decision.ALLOWED)
    assert house.admit(presented, SIGNED_IN).decision is Decision.FORBIDDEN


def test_a_cookie_of_no_session_is_a_guest(house: House) -> None:
    """An invented session id is nobody's."""
    admission = house.admit(present_session("0" * 56))

    assert admission.who == Anonymous(session_expired=True)


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [(b"token nobodys-key:nobodys-secret", Reason.UNKNOWN_KEY), (b"nonsense", Reason.UNREADABLE)],
)
def test_a_bad_header_never_falls_back_on_the_cookie(house: House, authorization: bytes, reason: Reason) -> None:
    """Where there is an Authorization header, a good session beside it counts for nothing."""
    presented = replace(_carried(house, Scheme.SESSION), authorization=(authorization,))

    admission = house.admit(presented)

    assert (admission.decision, admission.reason) == (Decision.UNAUTHENTICATED, reason)


def test_a_page_of_ours_may_post(house: House) -> None:
    """An unsafe request by session is let in with the session's own token."""
    presented = replace(_carried(house, Scheme.SESSION), method="POST")
    sid = Secret(presented.session_cookie or "")

    admission = house.admit(replace(presented, csrf_token=csrf_token(house.peppers, sid)))

    assert admission.decision is Decision.ALLOWED


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_an_unsafe_request_by_session_needs_its_token(house: House, method: str) -> None:
    """Every method that is not known as safe must prove that a page of ours sent it."""
    presented = replace(_carried(house, Scheme.SESSION), method=method)

    assert house.admit(presented).reason is Reason.CSRF


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_request_by_session_needs_no_token(house: House, method: str) -> None:
    """Reading by session needs no proof of its origin."""
    presented = replace(_carried(house, Scheme.SESSION), method=method)

    assert house.admit(presented).decision is Decision.ALLOWED


def test_another_session_s_token_proves_nothing(house: House) -> None:
    """The token of an attacker's own session does not let a victim's browser post."""
    presented = replace(_carried(house, Scheme.SESSION), method="POST")
    attacker = house.open_session(house.add_user("attacker@example.com").name)

    admission = house.admit(replace(presented, csrf_token=csrf_token(house.peppers, attacker.sid)))

    assert admission.reason is Reason.CSRF


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER])
def test_a_header_needs_no_csrf_token(house: House, scheme: Scheme) -> None:
    """No browser sends an Authorization header by itself, so that a program may post without a page's token."""
    presented = replace(_carried(house, scheme), method="POST")

    assert house.admit(presented).decision is Decision.ALLOWED
