"""How a refusal is answered where Latchgate is embedded: one table from reason to status, in plain JSON."""

import json
from dataclasses import dataclass

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Judgement
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected, Who
from latchgate.core.refusals import FORBIDDEN, MALFORMED, TOO_MANY
from latchgate.oauth.challenges import INVALID_TOKEN, insufficient_scope

__all__ = ["CLIENT_GONE", "INTERNAL", "NOT_LOGGED", "UNAVAILABLE", "Refusal", "Refused", "reason_of", "refusal_of"]

CLIENT_GONE = 499
"""nginx's number for a client that closed before it was answered; it is only ever logged."""
INTERNAL = 500

_CHALLENGE = 'Bearer realm="latchgate"'
_SEND = "Send an Authorization header with an API key or an access token that opens this."
# Why an application that was let through refuses by itself, for the log.
_REASONS = {
    400: "bad_request",
    401: "not_permitted",
    403: "not_permitted",
    404: "not_found",
    409: "conflict",
    422: "invalid",
    429: "rate_limited",
    CLIENT_GONE: "client_gone",
}
_REFUSED_FROM, _FAILED_FROM = 400, 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that refuses."""

    status: int
    error: str
    """In one word, for programs."""
    message: str
    """What would be right, for people; it tells nothing of any credential."""
    headers: tuple[tuple[str, str], ...] = ()
    reason: str | None = None
    """For the log, where the gate itself has none."""

    @property
    def document(self) -> dict[str, str]:
        """What stands in the body."""
        return {"error": self.error, "message": self.message}

    @property
    def body(self) -> bytes:
        """The body, as JSON."""
        return json.dumps(self.document).encode()

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """Its own headers, and those of every refusal."""
        return [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *self.headers,
        ]


class Refused(Exception):
    """A caller that was let in lacks what a part of the application requires; the middleware answers with it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


UNAVAILABLE = Refusal(503, "unavailable", "Who asks cannot be told at the moment; try again.", (("Retry-After", "1"),))
NOT_LOGGED = Refusal(503, "unavailable", "The request could not be logged; try again.", (("Retry-After", "1"),))


def refusal_of(who: Who, judgement: Judgement, scope: str | None = None) -> Refusal:
    """Tell how a caller is answered that a judgement did not allow.

    Args:
        who: The caller.
        judgement: What was decided; not ALLOWED.
        scope: What the credential's scopes were to cover.
    """
    match who:
        case Rejected():
            return _rejected(who)
        case Anonymous() if judgement.reason is None:
            return _unauthenticated("")
        case _:
            return _forbidden(who, judgement.reason, scope)


def reason_of(status: int) -> str | None:
    """Tell for the log why an application refused with that status by itself; None if it did not."""
    if status < _REFUSED_FROM:
        return None
    return _REASONS.get(status, "internal" if status >= _FAILED_FROM else "refused")


def _rejected(who: Rejected) -> Refusal:
    if who.reason is Reason.STORAGE:
        return UNAVAILABLE
    if who.reason in MALFORMED:
        return Refusal(400, "bad_request", MALFORMED[who.reason])
    if who.reason in TOO_MANY:
        wait = str(who.retry_after_seconds or 1)
        return Refusal(429, "rate_limited", TOO_MANY[who.reason], (("Retry-After", wait),))
    return _unauthenticated(INVALID_TOKEN if who.scheme is Scheme.BEARER else "")


def _unauthenticated(told: str) -> Refusal:
    # The same for every cause; why stands in the log.
    return Refusal(401, "unauthenticated", _SEND, (("WWW-Authenticate", _CHALLENGE + told),))


def _forbidden(who: Who, reason: Reason | None, scope: str | None) -> Refusal:
    text = FORBIDDEN.get(reason, "This is not permitted.") if reason else "This is not permitted."
    bearer = isinstance(who, Principal) and who.scheme is Scheme.BEARER
    challenge: tuple[tuple[str, str], ...] = ()
    if bearer and scope and reason is Reason.SCOPE_MISSING:
        challenge = (("WWW-Authenticate", _CHALLENGE + insufficient_scope(scope)),)
    return Refusal(403, "forbidden", text, challenge, reason and reason.value)
