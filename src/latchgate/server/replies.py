"""How an answer is written, in each dialect: Frappe's two envelopes, and pages for people.

Services and core know no status numbers; the tables here are the only place that does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from latchgate.core.log_entries import escape
from latchgate.errors import (
    ErrorCode,
    Flaw,
    Invalid,
    LatchgateError,
    NotFound,
    NotPermitted,
    OAuthError,
    RateLimited,
    SignInFailed,
)

__all__ = [
    "Dialect",
    "Fault",
    "Reply",
    "encode_body",
    "fault_of",
    "name_request",
    "prefers_html",
    "reason_of",
    "render_fault_json",
    "render_fault_oauth",
    "render_reply",
    "seal",
]


class Dialect(Enum):
    """Which form an address speaks."""

    FRAPPE_V1 = "message"
    FRAPPE_V2 = "data"
    RECORDS_V1 = "records"
    PAGE = "page"
    PLAIN = "plain"
    OAUTH = "oauth"
    """OAuth 2's own, for clients: no envelope, errors by the RFCs' codes (RFC 6749, section 5.2)."""
    OAUTH_BEARER = "oauth_bearer"
    """The same where a bearer token is presented (RFC 6750, section 3)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers: a value for the envelope, further top-level fields, headers."""

    value: Any
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields beside `message`; in version 2 the whole becomes `data`."""
    cookies: tuple[str, ...] = field(default=(), repr=False)
    """Set-Cookie values."""
    status: int = 200
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Fields beside the envelope in every version."""
    messages: tuple[str, ...] = ()
    """What to tell a person beside the value."""
    reason: str | None = None
    """For the log: why a part of what was asked for was refused."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that refuses, apart from its dialect."""

    status: int
    exc_type: str
    """Frappe's name of the exception."""
    message: str = ""
    quiet: str = ""
    """A text for `_error_message`, where Frappe's own answer has no message."""
    title: str = "Message"
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


# Error code → status and Frappe's name, under Frappe's addresses. Source: frappe/exceptions.py (16), cases.json.
_FAULTS: dict[ErrorCode, tuple[int, str]] = {
    # Its own addresses have a dialect of their own. It stands before BAD_REQUEST, for that is the reason of a bare 400.
    ErrorCode.OAUTH: (400, "OAuthError"),
    ErrorCode.BAD_REQUEST: (400, "BadRequest"),
    ErrorCode.NOT_PERMITTED: (403, "PermissionError"),
    ErrorCode.NOT_FOUND: (404, "DoesNotExistError"),
    ErrorCode.CONFLICT: (409, "DuplicateEntryError"),
    ErrorCode.INVALID: (417, "ValidationError"),
    ErrorCode.SIGN_IN_FAILED: (401, "AuthenticationError"),
    ErrorCode.RATE_LIMITED: (429, "RateLimitExceededError"),
    ErrorCode.STORAGE: (503, "ServiceUnavailable"),
    ErrorCode.SETTINGS: (500, "InternalError"),
}
# Source: frappe/exceptions.py (16), cases.json; all are 417 as ValidationError is.
_FLAWS: dict[Flaw, str] = {
    Flaw.VALUE: "ValidationError",
    Flaw.MISSING: "MandatoryError",
    Flaw.LINK: "LinkValidationError",
    Flaw.EMAIL: "InvalidEmailAddressError",
    Flaw.FIELD: "DataError",
    Flaw.STALE: "TimestampMismatchError",
}
_FORBIDDEN = 403
_CLIENT_STATUS = {_FORBIDDEN: 401}
_BOTH_ERRORS = {
    400: "invalid_request",
    413: "invalid_request",
    429: "temporarily_unavailable",
    503: "temporarily_unavailable",
}
_CLIENT_ERRORS = {**_BOTH_ERRORS, 401: "invalid_client"}
_BEARER_ERRORS = {**_BOTH_ERRORS, 401: "invalid_token", 403: "insufficient_scope"}
_OAUTH_WORDS = {"invalid_client": "Client authentication failed", "invalid_token": "Send a token that opens this"}
# Source: RFC 6749, section 5.1.
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# Each 401 names a scheme; no browser asks its user for it, since no page of ours comes here.
_CLIENT_CHALLENGE = {"WWW-Authenticate": 'Basic realm="OAuth client"'}
_REASONS = {status: code.value for code, (status, _) in _FAULTS.items()}
_MESSAGE_LENGTH_MAX = 500
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def fault_of(error: LatchgateError) -> Fault:
    """Tell how an error of a service is answered; what it repeats of the caller's words is escaped and cut."""
    status, exc_type = _FAULTS[error.code]
    text = escape(error.public, _MESSAGE_LENGTH_MAX)
    match error:
        case RateLimited(retry_after_seconds=seconds):
            return Fault(status, exc_type, text, headers={"Retry-After": str(seconds)})
        case SignInFailed(revealed=False):
            return Fault(status, exc_type, extra={"message": text})
        case NotPermitted(told=told) | NotFound(told=told):
            quiet = text if error.code is ErrorCode.NOT_PERMITTED or not told else ""
            return Fault(status, exc_type, text if told else "", quiet=quiet)
        case Invalid(flaw=flaw):
            return Fault(status, _FLAWS[flaw], text)
        case OAuthError(error=code):
            return Fault(status, exc_type, text, extra={"error": code})
        case _:
            return Fault(status, exc_type, text)


def reason_of(status: int) -> str | None:
    """Tell for the log why a handler refused with that status by itself; None if it did not."""
    return _REASONS.get(status)


def render_reply(reply: Reply, dialect: Dialect) -> Response:
    """Write a handler's answer in the form of its address."""
    headers = {}
    if dialect in {Dialect.OAUTH, Dialect.OAUTH_BEARER}:
        refused = dialect is Dialect.OAUTH and reply.status == _CLIENT_STATUS[_FORBIDDEN]
        headers = {**_NOT_KEPT, **(_CLIENT_CHALLENGE if refused else {})}
    response = _json_response(encode_body(reply, dialect), reply.status, headers)
    for cookie in reply.cookies:
        response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
    return response


def encode_body(reply: Reply, dialect: Dialect) -> bytes:
    """Write what stands in the body of a handler's answer. All else but its length follows from address and status."""
    match dialect:
        case Dialect.OAUTH | Dialect.OAUTH_BEARER:
            return _encode(reply.value)
        case Dialect.FRAPPE_V2 | Dialect.RECORDS_V1:
            value = {"message": reply.value, **reply.extra} if reply.extra else reply.value
            return _encode({**reply.beside, "data": value})
        case _:
            return _encode(_message_of(reply))


def _message_of(reply: Reply) -> Mapping[str, Any]:
    # A method that gives nothing is answered with nothing, as recorded (`delete`).
    document = {**reply.extra, **reply.beside} if reply.value is None else {"message": reply.value, **reply.extra}
    if reply.messages:
        shown = [json.dumps({"message": text, "title": "Message", "indicator": "red"}) for text in reply.messages]
        document["_server_messages"] = json.dumps(shown)
    return document


def render_fault_json(fault: Fault, dialect: Dialect) -> Response:
    """Write a refusal as Frappe's error envelope of version 1 or 2, without a traceback."""
    shown = {"message": fault.message, "title": fault.title, "indicator": "red"}
    if dialect is Dialect.FRAPPE_V2:
        error: dict[str, Any] = {"type": fault.exc_type}
        if fault.message:
            error |= shown
        elif fault.quiet or fault.extra.get("message"):
            error["message"] = fault.quiet or fault.extra["message"]
        document: dict[str, Any] = {"errors": [error]}
    else:
        told = fault.message or fault.quiet or fault.extra.get("message")
        exception = f"frappe.exceptions.{fault.exc_type}" + (f": {told}" if told else "")
        # Frappe's Python client notices an error by `exc` alone: it gets one line there, never a traceback.
        document = {**fault.extra, "exc_type": fault.exc_type, "exception": exception, "exc": json.dumps([exception])}
        if fault.message:
            document["_server_messages"] = json.dumps([json.dumps({**shown, "raise_exception": 1})])
        if fault.quiet:
            document["_error_message"] = fault.quiet
    return _json_response(_encode(document), fault.status, fault.headers)


def render_fault_oauth(fault: Fault, dialect: Dialect) -> Response:
    """Write a refusal as OAuth 2 has it. Source: RFC 6749, section 5.2; RFC 6750, section 3.1."""
    status = 400 if fault.status in {404, 409, 417} else fault.status
    errors = _BEARER_ERRORS
    headers = {**fault.headers, **_NOT_KEPT}
    if dialect is Dialect.OAUTH:
        # A client that says nothing of itself has failed to prove itself as much as one that lies.
        status, errors = _CLIENT_STATUS.get(status, status), _CLIENT_ERRORS
        if status == _CLIENT_STATUS[_FORBIDDEN]:
            headers |= _CLIENT_CHALLENGE
    error = str(fault.extra.get("error") or errors.get(status, "server_error"))
    told = OAuthError(error, _OAUTH_WORDS.get(error) or fault.message or fault.quiet).public
    document = {"error": error, **({"error_description": told} if told else {})}
    return _json_response(_encode(document), status, headers)


def name_request(response: Response, request_id: str) -> None:
    """Write on an answer under which id the log has its request."""
    response.headers["X-Request-Id"] = request_id


def seal(response: Response) -> None:
    """Write on an answer what each has: nobody keeps it or guesses its type, unless it says otherwise."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")


def prefers_html(request: Request) -> bool:
    """Whether a refusal should be a page. Source: recorded exchanges of area `token`, Accept cases."""
    accept = request.headers.get("accept", "")
    if not accept or accept.strip() == "*/*" or "json" in accept.lower():
        return False
    return request.headers.get("x-requested-with", "").lower() != "xmlhttprequest"


def _json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers=headers and dict(headers), media_type="application/json")


def _encode(document: object) -> bytes:
    # In ASCII: a caller's text may hold half a surrogate pair, which JSON can say and UTF-8 cannot.
    return _ENCODER.encode(document).encode("ascii")
