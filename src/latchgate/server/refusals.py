"""How the gate's refusals are answered: one table from reason to reply. All 401s look alike."""

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Decision
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected
from latchgate.core.refusals import FORBIDDEN, MALFORMED, TOO_MANY
from latchgate.oauth.challenges import INVALID_TOKEN, insufficient_scope
from latchgate.server.replies import Fault
from latchgate.services.admissions import Admission

__all__ = ["bearer_error", "refusal_of", "refusal_text"]

_UNAUTHORIZED, _REFUSED = 401, 403
_NAMES = {Reason.CSRF: "CSRFTokenError", Reason.TWO_CLIENT_AUTHENTICATIONS: "BadRequest"}
# Frappe's name of each, and what is told.
_BAD_REQUESTS: dict[Reason, tuple[str, str]] = {
    reason: (_NAMES.get(reason, "InvalidAuthorizationToken"), text) for reason, text in MALFORMED.items()
}


def refusal_of(admission: Admission, what: str) -> Fault | None:
    """Tell how a request that the gate did not allow is answered; None if it was allowed.

    Args:
        admission: What the gate decided.
        what: What was asked for, as the guest's message names it.
    """
    if admission.decision is Decision.ALLOWED:
        return None
    who, reason = admission.who, admission.reason
    if isinstance(who, Rejected):
        return _rejected(who)
    if isinstance(who, Anonymous):
        message = f"You are not permitted to access {what} as a guest. Sign in, or send an Authorization header."
        extra = {"session_expired": 1} if who.session_expired else {}
        return Fault(403, "PermissionError", message, title="Method Not Allowed", extra=extra)
    return Fault(403, "PermissionError", quiet=refusal_text(reason) if reason else "Not permitted")


def refusal_text(reason: Reason) -> str:
    """Tell in words why a right is lacking."""
    return FORBIDDEN[reason]


def bearer_error(admission: Admission | None, status: int, reason: str | None, scope: str) -> str:
    """Write what a challenge says to whoever sent an access token that is not good or not good enough.

    To whoever sent none it says nothing. Source: RFC 6750, sections 3 and 3.1.

    Args:
        admission: What the gate decided.
        status: Of the answer.
        reason: Why, as the log has it.
        scope: What the token lacks, if it is that.
    """
    who = admission.who if admission else None
    if status == _UNAUTHORIZED and isinstance(who, Rejected) and who.scheme is Scheme.BEARER:
        return INVALID_TOKEN
    bearer = isinstance(who, Principal) and who.scheme is Scheme.BEARER
    if status != _REFUSED or not bearer or reason != Reason.SCOPE_MISSING:
        return ""
    return insufficient_scope(scope)


def _rejected(who: Rejected) -> Fault:
    if who.reason in _BAD_REQUESTS:
        exc_type, message = _BAD_REQUESTS[who.reason]
        return Fault(400, exc_type, message)
    if who.reason in TOO_MANY:
        headers = {"Retry-After": str(who.retry_after_seconds or 1)}
        return Fault(429, "RateLimitExceededError", TOO_MANY[who.reason], headers=headers)
    return Fault(401, "AuthenticationError")
