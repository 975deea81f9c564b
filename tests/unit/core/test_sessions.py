from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.credentials import SessionCookie
from latchgate.core.sessions import SESSION_ENTROPY_BYTES, SessionLifetime, csrf_holds, csrf_token, is_alive
from latchgate.core.tokens import Peppers, Purpose, Secret
from unit.core.examples import NOW, OLD_PEPPER, PEPPERS, SESSION

_LIFETIME = SessionLifetime(idle_seconds=600, absolute_seconds=3600)
_SID = Secret("0123456789abcdef" * 3 + "01234567")
_TOKEN = csrf_token(PEPPERS, _SID)
_METHODS = ["POST", "PUT", "PATCH", "DELETE", "get", "GET ", "PROPFIND", ""]


def test_session_ids_have_190_bits() -> None:
    """Nobody guesses a session, whose id is as long as Frappe's: 56 hexadecimal digits."""
    assert SESSION_ENTROPY_BYTES * 8 >= 190
    assert len(bytes(SESSION_ENTROPY_BYTES).hex()) == 56


@pytest.mark.parametrize(
    ("last_seen_at", "now", "alive"),
    [
        (NOW, NOW, True),
        (NOW, NOW + 599, True),
        (NOW, NOW + 600, False),
        (NOW + 500, NOW + 1099, True),
        (NOW + 500, NOW + 1100, False),
        (NOW + 3500, NOW + 3599, True),
        (NOW + 3500, NOW + 3600, False),
        (NOW + 3599, NOW + 3600, False),
    ],
)
def test_lifetimes_end_on_the_second(last_seen_at: int, now: int, alive: bool) -> None:
    """A session ends after its idle time since the last request, and after its absolute time whatever happens."""
    assert is_alive(replace(SESSION, last_seen_at=last_seen_at), _LIFETIME, now) == alive


@pytest.mark.parametrize("revoked_at", [0, NOW - 1, NOW, NOW + 1])
def test_a_revoked_session_is_over(revoked_at: int) -> None:
    """A revoked session opens nothing, whatever clock wrote the time."""
    assert not is_alive(replace(SESSION, revoked_at=revoked_at), _LIFETIME, NOW)


@given(st.integers(0, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 20), st.integers(0, 20))
def test_a_dead_session_stays_dead(seen: int, idle: int, absolute: int, now: int, later: int) -> None:
    """Without a request in between, a session that has ended never comes back."""
    session = replace(SESSION, last_seen_at=NOW + seen)
    lifetime = SessionLifetime(idle, absolute)

    if not is_alive(session, lifetime, NOW + now):
        assert not is_alive(session, lifetime, NOW + now + later)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("token", [None, "", "wrong", _TOKEN])
def test_safe_requests_need_no_token(method: str, token: str | None) -> None:
    """What changes nothing needs no proof."""
    assert csrf_holds(PEPPERS, SessionCookie(_SID, method, token))


@pytest.mark.parametrize("method", _METHODS)
def test_unsafe_requests_repeat_the_token(method: str) -> None:
    """Every other method needs the session's token, and it is enough."""
    assert csrf_holds(PEPPERS, SessionCookie(_SID, method, _TOKEN))
    for token in (None, "", _TOKEN.upper(), _TOKEN[:-1], _TOKEN + " ", csrf_token(PEPPERS, Secret("other"))):
        assert not csrf_holds(PEPPERS, SessionCookie(_SID, method, token))


@given(st.text(st.characters()))
def test_no_other_token_holds(token: str) -> None:
    """Any text can be sent as the token, and none but the token holds."""
    assert csrf_holds(PEPPERS, SessionCookie(_SID, "POST", token)) == (token == _TOKEN)


def test_token_is_not_what_the_session_is_stored_under() -> None:
    """A page that shows the token shows nothing of the session's id or of its digest."""
    assert len(_TOKEN) == 64
    assert set(_TOKEN) <= set("0123456789abcdef")
    assert bytes.fromhex(_TOKEN) not in PEPPERS.candidates(Purpose.SESSION, _SID.text)


def test_token_outlives_a_new_pepper() -> None:
    """A page that was open when a pepper was added can still be sent."""
    former = csrf_token(Peppers([OLD_PEPPER]), _SID)

    assert former != _TOKEN
    assert csrf_holds(PEPPERS, SessionCookie(_SID, "POST", former))
