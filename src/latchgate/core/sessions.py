"""Sessions of signed-in browsers: how long they live and how they are guarded against forged requests."""

import hmac
from dataclasses import dataclass

from latchgate.core.credentials import SessionCookie
from latchgate.core.tokens import Peppers, Purpose, Secret
from latchgate.core.users import StoredUser

__all__ = ["SESSION_ENTROPY_BYTES", "SessionLifetime", "StoredSession", "csrf_holds", "csrf_token", "is_alive"]

SESSION_ENTROPY_BYTES = 28
"""224 bits, written as 56 hexadecimal digits, as Frappe's."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class SessionLifetime:
    """How long a session lasts, in seconds."""

    idle_seconds: int
    """After the last request."""
    absolute_seconds: int
    """After sign-in, whatever happens."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as stored. Times are Unix seconds."""

    id: int
    public_id: str
    user: StoredUser
    created_at: int
    last_seen_at: int
    ip_address: str
    user_agent: str
    revoked_at: int | None
    second_factor: bool = False
    """Whether a second factor was given for it, not the password alone."""
    second_factor_due: bool = False
    """Whether its user has a second factor by now, or must have one: then the password alone opens nothing."""


def is_alive(session: StoredSession, lifetime: SessionLifetime, now: int) -> bool:
    """Whether a session still opens anything."""
    if session.revoked_at is not None or (session.second_factor_due and not session.second_factor):
        return False
    idle_until = session.last_seen_at + lifetime.idle_seconds
    return now < min(idle_until, session.created_at + lifetime.absolute_seconds)


def csrf_token(peppers: Peppers, sid: Secret) -> str:
    """Derive the token that unsafe requests of a session must repeat: 64 hexadecimal digits.

    It is derived, not stored: whoever can read it holds the session's cookie or one of its pages.
    """
    return peppers.digest(Purpose.CSRF, sid.text).value.hex()


def csrf_holds(peppers: Peppers, cookie: SessionCookie) -> bool:
    """Whether a request by cookie is safe or proves that a page of ours sent it."""
    if cookie.method in _SAFE_METHODS:
        return True
    shown = (cookie.csrf_token or "").encode("utf-8", "surrogatepass")
    held = [value.hex().encode() for value in peppers.candidates(Purpose.CSRF, cookie.sid.text)]
    matches = [hmac.compare_digest(shown, value) for value in held]
    return any(matches)
