"""Hosts as requests name them and as rules do: one spelling for each, and patterns for those below a name."""

import re
from collections.abc import Iterator
from ipaddress import IPv6Address

__all__ = ["ANY_HOST", "host_covers", "list_host_patterns", "parse_host"]

ANY_HOST = ""
"""The pattern of every host."""

# Source: RFC 9112, section 3.2 and RFC 3986, section 3.2.2; the names are those of DNS, and `_` as in container names.
_HOST = re.compile(r"(?P<name>[A-Za-z0-9_.-]{1,254}|\[(?P<address>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{0,5}))?")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LENGTH_MAX = 253
_PORT_MAX = 65_535


def parse_host(text: str) -> str | None:
    """Read the host of a request: in lower case, without port and the dot of the root; None if it is no host's name.

    A name outside ASCII is none: on the wire it is written in the form `xn--…` (RFC 5890).
    """
    found = _HOST.fullmatch(text)
    if found is None or int(found["port"] or 0) > _PORT_MAX:
        return None
    if found["address"]:
        return _read_address(found["address"])
    name = found["name"].lower().removesuffix(".")
    return name if len(name) <= _LENGTH_MAX and _NAME.fullmatch(name) else None


def host_covers(pattern: str, host: str) -> bool:
    """Whether a pattern means a host, both as `parse_host` writes them; `*.name` means all below the name."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return pattern in {ANY_HOST, host}


def list_host_patterns(host: str) -> Iterator[str]:
    """List all patterns that mean a host."""
    yield host
    yield ANY_HOST
    if not host.startswith("["):
        below = host.partition(".")[2]
        while below:
            yield f"*.{below}"
            below = below.partition(".")[2]


def _read_address(text: str) -> str | None:
    try:
        return f"[{IPv6Address(text)}]"
    except ValueError:
        return None
