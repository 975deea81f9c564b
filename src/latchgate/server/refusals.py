"""How the gate's refusals are answered: one table from reason to reply. All 401s look alike."""

import re

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Decision
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected
from latchgate.oauth.scopes import write_scopes
from latchgate.server.replies import Fault
from latchgate.services.admissions import Admission

__all__ = ["bearer_error", "refusal_of", "refusal_text"]

_UNAUTHORIZED, _REFUSED = 401, 403
# RFC 6749, section 3.3; the name of a type of records may hold more.
_SCOPE = re.compile(r"[!#-\[\]-~]+")

_NOT_BASE64 = "Failed to decode token, please provide a valid base64-encoded token."
_BYTES_LITERAL = (
    "The Basic value is a Python bytes literal (b'…'). In Python 3 write"
    " base64.b64encode(b'<api_key>:<api_secret>').decode() and send the result."
)

# Faults of the wire that the caller can mend, and that say nothing about any credential.
_BAD_REQUESTS: dict[Reason, tuple[str, str]] = {
    Reason.TWO_AUTHORIZATIONS: ("InvalidAuthorizationToken", "There is more than one Authorization header; send one."),
    Reason.TWO_SOURCES: (
        "InvalidAuthorizationToken",
        "There is more than one Frappe-Authorization-Source header; send one.",
    ),
    Reason.BASE64: ("InvalidAuthorizationToken", _NOT_BASE64),
    Reason.BYTES_LITERAL: ("InvalidAuthorizationToken", _BYTES_LITERAL),
    Reason.CSRF: ("CSRFTokenError", "Invalid Request"),
    Reason.TWO_CLIENT_AUTHENTICATIONS: (
        "BadRequest",
        "The client says more than once, or in more than one way, who it is; use one (RFC 6749, section 2.3).",
    ),
}
_TOO_MANY = {
    Reason.OVER_LIMIT: "The key is over its limit of requests a minute.",
    Reason.TOO_MANY_FAILURES: "Too many wrong credentials from this address.",
}
_FORBIDDEN = {
    Reason.ROLE_MISSING: "Your roles do not allow this.",
    Reason.SCOPE_MISSING: "The scopes of this credential do not allow this.",
    Reason.NO_RULE: "No access rule is for this.",
    Reason.UNUSUAL_HOST: "The host is none that an access rule can be about.",
    Reason.UNUSUAL_METHOD: "The method is none that an access rule can be about.",
    Reason.UNUSUAL_PATH: "The path can be read in more than one way, so that no access rule counts for it.",
    Reason.SCHEME_NOT_ACCEPTED: "This address does not take this kind of credential.",
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
    return _FORBIDDEN[reason]


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
        return ', error="invalid_token"'
    bearer = isinstance(who, Principal) and who.scheme is Scheme.BEARER
    if status != _REFUSED or not bearer or reason != Reason.SCOPE_MISSING:
        return ""
    needed = write_scopes([scope])
    return ', error="insufficient_scope"' + (f', scope="{needed}"' if _SCOPE.fullmatch(needed) else "")


def _rejected(who: Rejected) -> Fault:
    if who.reason in _BAD_REQUESTS:
        exc_type, message = _BAD_REQUESTS[who.reason]
        return Fault(400, exc_type, message)
    if who.reason in _TOO_MANY:
        headers = {"Retry-After": str(who.retry_after_seconds or 1)}
        return Fault(429, "RateLimitExceededError", _TOO_MANY[who.reason], headers=headers)
    return Fault(401, "AuthenticationError")
