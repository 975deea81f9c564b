"""What the wire takes, and what it answers itself when a request is malformed or too large."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

import httptools
from uvicorn._types import HTTPScope

_VERSIONS = frozenset({"1.0", "1.1"})
_PLAIN = re.compile(rb"/[0-9A-Za-z._/-]*")


@dataclass(frozen=True, kw_only=True)
class WireLimits:
    """What one connection may ask of the server; every number holds for each connection by itself."""

    header_bytes_max: int = 32 * 1024
    """Bytes of a request line and its headers together; a little more is refused with 431, and is never kept."""

    headers_max: int = 100
    """Headers of one request, trailers apart; more are refused with 431."""

    head_seconds: float = 10.0
    """Time to finish a request line and its headers, however steadily they drip, before the connection is closed."""

    idle_seconds: float = 75.0
    """Time that a connection may wait between requests.

    Longer than the 60 s for which reverse proxies and balancers usually keep theirs: the side that reuses a connection
    should be the one that closes it, or a request meets a closing door.
    """

    body_bytes_max: int = 1024 * 1024
    """Bytes of a request body, the framing of its chunks not counted; more is refused with 413."""

    body_idle_seconds: float = 30.0
    """Time without a byte of an unfinished body arriving, or of an answer being taken, before the connection ends."""

    body_seconds: float = 120.0
    """Time to send the whole body, however steadily it drips, before the connection ends."""

    pipeline_max: int = 16
    """Requests that may wait behind the one being answered; with as many waiting, nothing more is read."""

    sweep_seconds: float = 1.0
    """Time between two looks at all connections; each of the times above is exact to this much."""


@dataclass(frozen=True)
class Refusal:
    """An answer of the wire itself, after which the connection is closed."""

    status: HTTPStatus
    exc_type: str
    message: str

    def render(self, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return the whole response, in the form in which Frappe clients expect errors."""
        exception = f"frappe.exceptions.{self.exc_type}: {self.message}"
        document = {
            "exc_type": self.exc_type,
            "exception": exception,
            "exc": json.dumps([exception]),
            "_server_messages": json.dumps([json.dumps({"message": self.message})]),
        }
        body = json.dumps(document).encode()
        headers = [
            *default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        lines = [b"HTTP/1.1 %d %s\r\n" % (self.status, self.status.phrase.encode())]
        lines += [b"%s: %s\r\n" % header for header in headers]
        return b"".join([*lines, b"\r\n", body])


def bad_request(message: str) -> Refusal:
    """Return the refusal of what is not proper HTTP."""
    return Refusal(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def body_too_large(limits: WireLimits) -> Refusal:
    """Return the refusal of a body over its limit."""
    message = f"The request body is larger than {limits.body_bytes_max} bytes."
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", message)


def header_too_large(limits: WireLimits) -> Refusal:
    """Return the refusal of a head over its limits."""
    message = (
        f"The request line and headers are larger than {limits.header_bytes_max} bytes, "
        f"or there are more than {limits.headers_max} headers."
    )
    return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "RequestHeaderFieldsTooLarge", message)


def judge_head(
    version: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], *, upgrades: bool, limits: WireLimits
) -> Refusal | None:
    """Decide whether a request with this head, which the parser found well-formed, may go on.

    Args:
        headers: with names in lower case.
        upgrades: whether the parser takes the request for an upgrade, and so will not look for its body.

    Raises:
        httptools.HttpParserInvalidURLError: for a target that is neither a path nor an address.
    Source: RFC 9112, sections 3.2 and 6.1.
    """
    if version not in _VERSIONS:
        return bad_request("Only HTTP/1.0 and HTTP/1.1 are understood.")
    if not _has_path(target):
        return bad_request("The request target has no path.")
    hosts, length, codings = _find_framing(headers)
    if hosts > 1:
        # Two servers in a row might take the request for two different hosts.
        return bad_request("There is more than one Host header.")
    if codings or upgrades:
        return _judge_framing(version, codings, length, upgrades=upgrades)
    return body_too_large(limits) if length > limits.body_bytes_max else None


def _find_framing(headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, int, list[bytes]]:
    """Tell how many hosts are named, how long the body is said to be, and how it is coded, in one pass."""
    hosts = length = 0
    codings = []
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            # The parser has let one decimal number pass, and no second header.
            length += int(value)
        elif name == b"transfer-encoding":
            codings.append(value.strip().lower())
    return hosts, length, codings


def _judge_framing(version: str, codings: Sequence[bytes], length: int, *, upgrades: bool) -> Refusal | None:
    # The parser finds some of these faults only after it has announced the request, which would then have begun.
    # In HTTP/1.0 there are no chunks: whoever forwarded such a request took its body for something else.
    if codings and (codings != [b"chunked"] or version == "1.0"):
        return bad_request("Transfer-Encoding may be chunked alone, and in HTTP/1.1 only.")
    # The parser leaves the body of an upgrade where it is; read as the next request it would be smuggled in.
    if upgrades and (codings or length):
        return bad_request("A request with a body cannot ask for an upgrade.")
    return None


def set_request_line(scope: HTTPScope, method: bytes, target: bytes, version: str) -> None:
    """Fill a scope in from a request line whose target ``judge_head`` has let pass.

    Raises:
        httptools.HttpParserInvalidURLError: for a target that the first look at it does not find faulty.
    """
    root_path = scope["root_path"]
    scope["http_version"] = version
    scope["method"] = method.decode("ascii")
    if not root_path and _PLAIN.fullmatch(target):
        # Nothing in it needs to be taken apart.
        scope["path"], scope["raw_path"], scope["query_string"] = target.decode("ascii"), target, b""
        return
    url = httptools.parse_url(target)
    scope["path"] = root_path + unquote(url.path.decode("ascii"))
    scope["raw_path"] = root_path.encode("ascii") + url.path
    scope["query_string"] = url.query or b""


def _has_path(target: bytes) -> bool:
    if target.startswith(b"/"):
        return target.isascii()
    path: bytes | None = httptools.parse_url(target).path
    return path is not None and path.startswith(b"/")
