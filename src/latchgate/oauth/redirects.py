"""Redirect URIs: which may be registered, and which of them a request names.

Source: RFC 6749, section 3.1.2; RFC 8252, sections 7 and 8; RFC 9700, sections 2.1, 2.6 and 4.1.3. URIs to return to
after a log-out follow the same rules (OpenID Connect RP-Initiated Logout, section 3.1).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote

__all__ = ["URI_LENGTH_MAX", "find_redirect", "is_claimed", "origin_source", "redirect_matches", "redirect_problem"]

URI_LENGTH_MAX = 2_000
_PORT_MAX = 65_535

# RFC 3986, section 2, but without "#" and "*": a fragment never reaches a server, and a wildcard would be no exact URI.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=]|%[0-9A-Fa-f]{2})+")
_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# The whole authority is spelt out: no userinfo, no escapes, so that no two programs read another host from it.
_WEB = re.compile(
    rf"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<rest>[/?].*)?"
)
# RFC 8252, section 7.1: the name of a domain, turned round; so there is always a dot, and never javascript: or data:.
_PRIVATE = re.compile(r"(?P<scheme>[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+):(?P<rest>/.*)")
_NUMBER = re.compile(r"[0-9]+|0[Xx][0-9A-Fa-f]*")
# RFC 8252, section 7.3. "localhost" is there for programs that cannot do without (section 8.3).
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})


@dataclass(frozen=True, slots=True)
class _Parts:
    scheme: str
    """Lower case, as `host`; empty for a private-use scheme."""
    host: str
    port: str
    rest: str


def redirect_problem(text: str) -> str | None:
    """Say why a text is no redirect URI; None if it is one.

    It is an absolute URI by https, by http to this very machine, or by a private-use scheme, in ASCII, without anything
    that programs read in different ways.

    Returns:
        A sentence that names the URI and what would be right.
    """
    shown = f"'{text[:100]}'"
    if len(text) > URI_LENGTH_MAX:
        return f"{shown}… is longer than {URI_LENGTH_MAX} characters"
    if not _CHARACTERS.fullmatch(text) or _CONTROL.search(text):
        return f"{shown} holds what no redirect URI may: use ASCII without spaces, fragment, wildcard or backslash"
    parts = _split(text)
    if parts is None:
        return (
            f"{shown} is no redirect URI: use https://host/path, http://127.0.0.1/path, "
            "or a private-use scheme with a dot such as com.example.app:/path"
        )
    if parts.scheme == "http" and parts.host not in _LOOPBACK:
        return f"{shown} is not https: http is for 127.0.0.1, [::1] and localhost alone"
    if _has_dot_segment(parts.rest):
        return f"{shown} has a segment . or .. in its path: write the path without"
    return None


def redirect_matches(registered: str, presented: str) -> bool:
    """Whether a presented redirect URI is the registered one.

    They are compared character by character; only the port of a program on this very machine may differ, which takes
    the one that it gets.

    Source: RFC 8252, section 7.3; RFC 9700, section 4.1.3.
    """
    if registered == presented:
        return True
    one, other = _split(registered), _split(presented)
    if one is None or other is None or one.scheme != "http" or one.host not in _LOOPBACK:
        return False
    return _without_port(registered, one) == _without_port(presented, other)


def find_redirect(registered: Iterable[str], presented: str) -> str | None:
    """Find a presented redirect URI among those registered; it comes back as presented, for its port may be another."""
    return presented if any(redirect_matches(uri, presented) for uri in registered) else None


def origin_source(uri: str) -> str:
    """Write the source for a Content-Security-Policy that lets a form end at a redirect URI.

    Browsers apply `form-action` to the redirect after a form, so that the page that asks must name where it leads. What
    comes back has no character that could end the directive or the header; it is `'none'` for what is no redirect URI.

    Source: Content Security Policy Level 3, section 2.3.1.
    """
    parts = None if redirect_problem(uri) else _split(uri)
    if parts is None:
        return "'none'"
    if not parts.scheme:
        return uri.partition(":")[0] + ":"
    if parts.host.startswith("["):
        # A host source cannot name an IPv6 address, and one that does is ignored; so the scheme has to do.
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.host}" + (f":{parts.port}" if parts.port else "")


def is_claimed(uri: str) -> bool:
    """Whether only whoever holds its host name can receive at a redirect URI, so that the client is the one it says.

    Any program of a device can take a loopback port or a private-use scheme for itself.

    Source: RFC 8252, section 8.6.
    """
    parts = _split(uri)
    if parts is None or parts.scheme != "https":
        return False
    return parts.host not in _LOOPBACK and not parts.host.startswith("127.") and not parts.host.endswith(".localhost")


def _split(text: str) -> _Parts | None:
    if len(text) > URI_LENGTH_MAX:
        return None
    if private := _PRIVATE.fullmatch(text):
        authority = re.split(r"[/?]", private["rest"][2:], maxsplit=1)[0] if private["rest"].startswith("//") else ""
        return None if "@" in authority or "%" in authority else _Parts("", "", "", private["rest"])
    web = _WEB.fullmatch(text)
    if web is None or not _is_host(web["host"]) or int(web["port"] or 0) > _PORT_MAX:
        return None
    return _Parts(web["scheme"].lower(), web["host"].lower(), web["port"] or "", web["rest"] or "")


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            IPv6Address(host[1:-1])
        elif _NUMBER.fullmatch(host.rpartition(".")[2]):
            # Browsers read a host that ends in a number as an IPv4 address, in octal and hexadecimal too.
            IPv4Address(host)
    except AddressValueError:
        return False
    return True


def _has_dot_segment(rest: str) -> bool:
    # Decoded, and with backslashes as slashes, as the most lenient of programs would read it.
    path = unquote(rest.partition("?")[0]).replace("\\", "/")
    return not {".", ".."}.isdisjoint(path.split("/"))


def _without_port(text: str, parts: _Parts) -> str:
    if not parts.port:
        return text
    return text[: len(text) - len(parts.rest) - len(parts.port) - 1] + parts.rest
