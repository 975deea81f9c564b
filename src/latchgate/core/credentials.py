"""What a request presents, and the one parser that turns it into a credential.

The parser never raises and never guesses: what it cannot read is `Malformed`, with the reason, and decides the request
as surely as a good credential does. Nothing falls through to the cookie or to Guest.
"""

import base64
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import unquote_plus

from latchgate.core.clients import AuthMethod
from latchgate.core.tokens import Secret

__all__ = [
    "USER_SOURCE",
    "Absent",
    "Bearer",
    "ClientCredential",
    "Credential",
    "Fault",
    "KeyPair",
    "Malformed",
    "Presented",
    "PresentedClient",
    "Scheme",
    "SessionCookie",
    "parse_credential",
]

USER_SOURCE = "User"
"""The authorization source when no header names another."""

# RFC 9110, section 5.6.3: optional white space around a value is space and tab, nothing else.
_OWS = b" \t"
_SOURCE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,140}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_BASE64_WRONG_PADDING = re.compile(rb"[A-Za-z0-9+/]*=*")
# RFC 6750, section 2.1: b64token.
_B64TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")
# RFC 9110, section 11.1: an authentication scheme is a token.
_SCHEME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 6749, appendix A.1, but not without bounds.
_CLIENT_ID = re.compile(r"[\x20-\x7e]{1,140}")
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_BYTES_LITERAL = re.compile(rb"b'[^']*'|b\"[^\"]*\"")
_SID = re.compile(r"[0-9A-Za-z]{1,128}")
_TOKEN_PAIR = re.compile(r"(?P<key_id>[!-9;-~]{1,140}):(?P<secret>[!-9;-~]+)")
# RFC 7617, section 2: no control characters. A second colon is refused as recorded.
_BASIC_PAIR = re.compile(r"(?P<key_id>[!-9;-~]{1,140}):(?P<secret>[^:\x00-\x1f\x7f-\x9f]+)")


class Scheme(StrEnum):
    """How a credential was carried."""

    TOKEN = "token"
    BASIC = "Basic"
    BEARER = "Bearer"
    SESSION = "session"
    CLIENT = "client"
    """An OAuth client's own, which acts for no user."""


@dataclass(frozen=True, slots=True)
class PresentedClient:
    """What of a form tells which client sent it: every value of each field, in order. Source: RFC 6749, section 2.3."""

    client_ids: tuple[str, ...] = ()
    client_secrets: tuple[str, ...] = field(default=(), repr=False)
    assertion_types: tuple[str, ...] = ()
    assertions: tuple[str, ...] = field(default=(), repr=False)


# One is made for each request, and the fields of a frozen class take several times as long to set. So it is `Final`
# that says here, and in Head, Admission and Judged, that nobody may change them; mypy sees to it.
@dataclass(slots=True)
class Presented:
    """All of a request that authentication looks at, unverified, as bytes and text of the wire."""

    method: Final[str]
    path: Final[str] = field(repr=False)
    """The target as sent, query included, whatever secrets were put there; never normalised."""
    peer_address: Final[str]
    """The caller's address, after configured proxies were taken into account."""
    authorization: Final[tuple[bytes, ...]] = field(default=(), repr=False)
    """The value of every Authorization header, in order."""
    source: Final[tuple[bytes, ...]] = ()
    """The value of every Frappe-Authorization-Source header, in order."""
    session_cookie: Final[str | None] = field(default=None, repr=False)
    csrf_token: Final[str | None] = field(default=None, repr=False)
    user_agent: Final[str] = ""
    client: Final[PresentedClient | None] = None
    """What a form says of its client; None where the address is none that clients ask."""
    host: Final[str] = ""
    """Which host a request for a protected application names, as sent; empty for the server's own."""


class Fault(StrEnum):
    """Why what was presented cannot be read."""

    TWO_AUTHORIZATIONS = "two_authorization_headers"
    TWO_SOURCES = "two_source_headers"
    BASE64 = "basic_not_base64"
    BYTES_LITERAL = "basic_python_bytes_literal"
    UNREADABLE = "authorization_unreadable"
    UNKNOWN_SCHEME = "unknown_scheme"
    TWO_CLIENT_AUTHENTICATIONS = "two_client_authentications"


@dataclass(frozen=True, slots=True)
class Absent:
    """No credential at all."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something was presented that is no credential."""

    fault: Fault


_UNREADABLE = Malformed(Fault.UNREADABLE)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An API key and secret, by `token` or `Basic`, for the records of one source."""

    scheme: Scheme
    key_id: str
    secret: Secret
    source: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token. It names its own user, so that a source header does not concern it (as recorded)."""

    token: Secret


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The session id of a signed-in browser, with what guards it against forged requests."""

    sid: Secret
    method: str
    csrf_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredential:
    """What an OAuth client presents of itself; by `method`, and `none` if it merely says who it is."""

    client_id: str
    """Empty if it is told by the assertion alone."""
    method: AuthMethod
    secret: Secret | None = None
    """Its secret, or the assertion that it signed."""


Credential = Absent | Malformed | KeyPair | Bearer | SessionCookie | ClientCredential


def parse_credential(presented: Presented) -> Credential:
    """Read the credential of a request; an Authorization header always decides, a session counts only without one."""
    values = [value.strip(_OWS) for value in presented.authorization]
    if len(values) > 1:
        # Servers differ in which of two they believe; a proxy may have checked the other one.
        return Malformed(Fault.TWO_AUTHORIZATIONS)
    if presented.client is not None:
        return _parse_client(values[0] if values else b"", presented.client)
    if values and values[0]:
        return _parse_authorization(values[0], presented.source)
    if presented.session_cookie:
        # Frappe gives every visitor the session id "Guest"; a browser may bring it along.
        if presented.session_cookie == "Guest" or not _SID.fullmatch(presented.session_cookie):
            return Absent()
        return SessionCookie(Secret(presented.session_cookie), presented.method, presented.csrf_token)
    return Absent()


def _parse_authorization(value: bytes, sources: tuple[bytes, ...]) -> Credential:
    scheme, _, rest = value.partition(b" ")
    if not rest or not _SCHEME.fullmatch(scheme):
        return Malformed(Fault.UNREADABLE)
    match scheme.lower():
        case b"token":
            return _parse_pair(Scheme.TOKEN, rest, sources)
        case b"basic":
            return _parse_basic(rest, sources)
        case b"bearer":
            return _parse_bearer(rest)
        case _:
            return Malformed(Fault.UNKNOWN_SCHEME)


def _parse_basic(rest: bytes, sources: tuple[bytes, ...]) -> KeyPair | Malformed:
    if _BYTES_LITERAL.fullmatch(rest):
        # What `"Basic %s" % base64.b64encode(...)` really sends on Python 3.
        return Malformed(Fault.BYTES_LITERAL)
    if not _BASE64.fullmatch(rest):
        return Malformed(Fault.BASE64 if _BASE64_WRONG_PADDING.fullmatch(rest) else Fault.UNREADABLE)
    return _parse_pair(Scheme.BASIC, base64.b64decode(rest), sources)


def _parse_pair(scheme: Scheme, pair: bytes, sources: tuple[bytes, ...]) -> KeyPair | Malformed:
    source = _parse_source(sources)
    if isinstance(source, Malformed):
        return source
    try:
        text = pair.decode()
    except UnicodeDecodeError:
        return Malformed(Fault.UNREADABLE)
    read = (_BASIC_PAIR if scheme is Scheme.BASIC else _TOKEN_PAIR).fullmatch(text)
    return KeyPair(scheme, read["key_id"], Secret(read["secret"]), source) if read else Malformed(Fault.UNREADABLE)


def _parse_source(sources: tuple[bytes, ...]) -> str | Malformed:
    if len(sources) > 1:
        return Malformed(Fault.TWO_SOURCES)
    try:
        source = sources[0].strip(_OWS).decode() if sources else ""
    except UnicodeDecodeError:
        return Malformed(Fault.UNREADABLE)
    if not source:
        return USER_SOURCE
    return source if _SOURCE.fullmatch(source) else Malformed(Fault.UNREADABLE)


def _parse_bearer(rest: bytes) -> Bearer | Malformed:
    if not _B64TOKEN.fullmatch(rest):
        return Malformed(Fault.UNREADABLE)
    return Bearer(Secret(rest.decode("ascii")))


def _parse_client(header: bytes, form: PresentedClient) -> ClientCredential | Malformed | Absent:
    # Source: RFC 6749, section 2.3: one method in a request; section 3.2: no parameter twice.
    fields = form.client_ids, form.client_secrets, form.assertion_types, form.assertions
    ways = bool(header), any(form.client_secrets), bool(form.assertions or form.assertion_types)
    if any(len(values) > 1 for values in fields) or sum(ways) > 1:
        return Malformed(Fault.TWO_CLIENT_AUTHENTICATIONS)
    client_id = form.client_ids[0] if form.client_ids else ""
    if header:
        return _parse_client_header(header, client_id)
    if form.assertions or form.assertion_types:
        signed = form.assertion_types == (_JWT_BEARER,) and form.assertions and _readable(client_id, empty=True)
        secret = Secret(form.assertions[0]) if signed else None
        return ClientCredential(client_id, AuthMethod.PRIVATE_KEY_JWT, secret) if secret else _UNREADABLE
    # An empty secret is none (RFC 6749, section 2.3.1).
    if any(form.client_secrets):
        secret = Secret(form.client_secrets[0])
        return ClientCredential(client_id, AuthMethod.POST, secret) if _readable(client_id) else _UNREADABLE
    if not client_id:
        return Absent()
    return ClientCredential(client_id, AuthMethod.NONE) if _readable(client_id) else _UNREADABLE


def _parse_client_header(header: bytes, client_id: str) -> ClientCredential | Malformed:
    scheme, _, rest = header.partition(b" ")
    if scheme.lower() != b"basic":
        return Malformed(Fault.UNKNOWN_SCHEME)
    if not _BASE64.fullmatch(rest):
        return Malformed(Fault.BASE64 if _BASE64_WRONG_PADDING.fullmatch(rest) else Fault.UNREADABLE)
    try:
        pair = base64.b64decode(rest).decode()
        # Both halves are written as in a form (RFC 6749, section 2.3.1).
        named, _, secret = (unquote_plus(part, errors="strict") for part in pair.partition(":"))
    except UnicodeDecodeError:
        return _UNREADABLE
    if not _readable(named):
        return _UNREADABLE
    if client_id and client_id != named:
        return Malformed(Fault.TWO_CLIENT_AUTHENTICATIONS)
    return ClientCredential(named, AuthMethod.BASIC, Secret(secret))


def _readable(client_id: str, *, empty: bool = False) -> bool:
    return bool(_CLIENT_ID.fullmatch(client_id)) or (empty and not client_id)
