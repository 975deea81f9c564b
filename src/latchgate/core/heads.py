"""Collect what stands in the head of a request: the first step of the straight line, the same at every entrance."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from latchgate.core.addresses import Network
from latchgate.core.credentials import Presented
from latchgate.core.peers import resolve_peer

__all__ = ["Head", "collect_presented", "find_host", "find_target", "read_text", "split_joined"]

_READ = frozenset(
    {
        b"authorization",
        b"frappe-authorization-source",
        b"user-agent",
        b"x-forwarded-for",
        b"cookie",
        b"x-frappe-csrf-token",
    }
)
_NOTHING = (b"",)
# A value of one of our schemes never holds a space before a second scheme's name.
_NEXT_AUTHORIZATION = re.compile(rb",[ \t]*(?=(?:token|basic|bearer)[ \t])", re.IGNORECASE)
# RFC 3986, section 3.3: what a path may hold as it is.
_SAFE = "/:@!$&'()*+,;=-._~"


# Not frozen, for the sake of Presented's reason.
@dataclass(slots=True)
class Head:
    """A request without its body, unverified, as any server hands it on."""

    method: Final[str]
    target: Final[bytes] = field(repr=False)
    """As sent, query included."""
    peer: Final[str]
    """The other end of the connection; empty at a Unix socket."""
    headers: Final[Iterable[tuple[bytes, bytes]]] = field(repr=False)
    """In order, names in lower case, each as often as it came."""


def collect_presented(
    head: Head, trusted_proxies: Sequence[Network], *, sessions: bool, trusts_socket: bool = False
) -> Presented:
    """Collect all of a head that authentication looks at; never raises for anything sent.

    Args:
        head: The request.
        trusted_proxies: From whom X-Forwarded-For counts.
        sessions: Whether a session's cookie counts, where no Authorization header has a value.
        trusts_socket: Whether it counts from a peer without an address too, at a Unix socket.
    """
    sent: dict[bytes, list[bytes]] = {}
    for name, value in head.headers:
        if name in _READ:
            if name in sent:
                sent[name].append(value)
            else:
                sent[name] = [value]
    authorization = tuple(sent.get(b"authorization", ()))
    forwarded_for = sent.get(b"x-forwarded-for", ())
    decided = not sessions or any(value.strip() for value in authorization)
    sid = None if decided else _find_session_cookie(sent.get(b"cookie", ()))
    csrf_tokens = sent.get(b"x-frappe-csrf-token")
    return Presented(
        method=head.method,
        path=read_text(head.target),
        peer_address=resolve_peer(head.peer, forwarded_for, trusted_proxies, trusts_socket=trusts_socket),
        authorization=authorization,
        source=tuple(sent.get(b"frappe-authorization-source", ())),
        session_cookie=sid,
        csrf_token=csrf_tokens[0].decode("latin-1") if sid and csrf_tokens else None,
        user_agent=read_text(sent.get(b"user-agent", _NOTHING)[0]),
    )


def find_host(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Give the host that a request is for, as sent; empty if it names none, None if it names two."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:
        return None
    return hosts[0].strip(b" \t").decode("latin-1") if hosts else ""


def find_target(path: bytes, query: bytes, raw_path: bytes | None) -> bytes:
    """Write the target of a request to an application that is handed the path decoded.

    What is judged must be what the application answers: the path as sent counts only where it is the one that the
    application sees. Whatever stands before it may have made another of it.

    Args:
        path: As the application sees it.
        query: Without its question mark.
        raw_path: As it was sent, if the server tells.
    """
    raw = (raw_path or b"").partition(b"?")[0]
    # Most are written without escapes, and read as they stand.
    if (raw != path or b"%" in raw) and not (raw and _reads_as(raw, path)):
        raw = quote(path, safe=_SAFE).encode("ascii")
    return raw + b"?" + query if query else raw


def split_joined(name: bytes, value: bytes) -> tuple[bytes, ...]:
    """Take apart what a server has joined of several headers of a name, as gateways of the older kind do.

    Two Authorization or source headers must not pass for one, whichever of them somebody else has looked at.
    """
    match name:
        case b"authorization":
            return tuple(_NEXT_AUTHORIZATION.split(value))
        case b"frappe-authorization-source":
            # No name of a source has a comma.
            return tuple(value.split(b","))
        case _:
            return (value,)


def read_text(sent: bytes) -> str:
    """Read bytes of a head."""
    # What is no UTF-8 becomes half surrogate pairs, which the log escapes so that nobody can imitate it.
    return sent.decode("utf-8", "surrogateescape")


def _reads_as(raw: bytes, path: bytes) -> bool:
    # Some servers replace what is no UTF-8.
    return unquote_to_bytes(raw) == path or unquote(raw.decode("latin-1")).encode("utf-8", "surrogatepass") == path


def _find_session_cookie(headers: Sequence[bytes]) -> str | None:
    # Of two, one may be a neighbour domain's, set to have a visitor act as somebody else; nobody can tell which.
    pairs = [chunk.partition("=") for header in headers for chunk in header.decode("latin-1").split(";")]
    found = {value.strip() for name, _, value in pairs if name.strip() == "sid"}
    return found.pop() if len(found) == 1 else None
