"""What a proxy tells of the request that it asks about, by the headers that this proxy is known to write itself.

A proxy passes on what its client sent, forged headers too. So each has a dialect of its own, and what another one would
have written counts for nothing: nginx passes a caller's `X-Forwarded-Uri` on, Traefik a caller's `X-Original-URI`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from latchgate.core.peers import tells_address

__all__ = ["Original", "Proxy", "Untold", "read_original"]

Header = tuple[bytes, bytes]


class Proxy(StrEnum):
    """Who asks, by the way in which it tells of the original request."""

    NGINX = "nginx"
    TRAEFIK = "traefik"
    CADDY = "caddy"
    HAPROXY = "haproxy"
    ENVOY = "envoy"
    """Sends method and host as they are, and the target after the address that it asks."""


@dataclass(frozen=True, slots=True)
class Original:
    """The request that a proxy asks about, as its caller sent it: nothing of it is in a normal form."""

    method: str
    host: str
    target: str = field(repr=False)
    """Path and query."""


@dataclass(frozen=True, slots=True)
class Untold:
    """What keeps a question from being understood; whoever set the proxy up can mend it."""

    what: str
    """Such as `X-Original-URI`."""
    problem: str

    def __str__(self) -> str:
        """Say it in one sentence."""
        return f"{self.what} {self.problem}"


@dataclass(frozen=True, slots=True)
class _Names:
    """Which headers tell method, host and target, in lower case."""

    method: bytes
    host: bytes
    target: bytes


_ORIGINAL = _Names(b"x-original-method", b"host", b"x-original-uri")
_FORWARDED = _Names(b"x-forwarded-method", b"x-forwarded-host", b"x-forwarded-uri")
_NAMES = {
    Proxy.NGINX: _ORIGINAL,
    Proxy.TRAEFIK: _FORWARDED,
    Proxy.CADDY: _FORWARDED,
    Proxy.HAPROXY: _FORWARDED,
}
_FORWARDED_FOR = b"x-forwarded-for"
_SPELT = {b"x-original-uri": "X-Original-URI"}


def read_original(proxy: Proxy, method: str, rest: bytes, headers: Sequence[Header]) -> Original | Untold:
    """Read which request a proxy asks about.

    Each header that tells of it must be there once; that the caller's address is told is asked for too, since without
    it the proxy's own would be judged in its place.

    Args:
        proxy: Its dialect.
        method: Of the question.
        rest: What follows the address that was asked, query included; only Envoy's means anything.
        headers: Of the question, in order, their names in lower case.
    """
    told_for = [value for name, value in headers if name == _FORWARDED_FOR]
    if not told_for:
        return Untold("X-Forwarded-For", "is missing, which tells the caller's address")
    if not tells_address(told_for):
        return Untold("X-Forwarded-For", "does not end with the caller's address")
    names = _NAMES.get(proxy)
    if names is None:
        host = _find_only(headers, b"host")
        return host if isinstance(host, Untold) else _original(method, host, rest, "The path after the address")
    told = [_find_only(headers, name) for name in (names.method, names.host, names.target)]
    for one in told:
        if isinstance(one, Untold):
            return one
    named, host, target = (one for one in told if isinstance(one, bytes))
    return _original(named.decode("ascii", "replace"), host, target, _spell(names.target))


def _original(method: str, host: bytes, target: bytes, what: str) -> Original | Untold:
    if not target.startswith(b"/"):
        # `*` of OPTIONS and the authority of CONNECT among them: no rule can be about these.
        return Untold(what, "is no absolute path")
    # What is no ASCII in it no rule is about; the log shows it as it came.
    return Original(method, host.decode("ascii", "replace"), target.decode("utf-8", "surrogateescape"))


def _find_only(headers: Sequence[Header], wanted: bytes) -> bytes | Untold:
    values = [value for name, value in headers if name == wanted]
    if not values:
        return Untold(_spell(wanted), "is missing")
    if len(values) > 1:
        return Untold(_spell(wanted), f"came {len(values)} times: one may be the caller's")
    value = values[0].strip(b" \t")
    return value or Untold(_spell(wanted), "is empty")


def _spell(name: bytes) -> str:
    return _SPELT.get(name) or name.decode("ascii").title()
