"""The address of a server as its users write it: scheme, host and port, and nothing that would go unheeded."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["ServerAddress", "read_server"]

_FORMS = "http://host:port or https://host"
# The whole of it: `urlsplit` strips line breaks, and takes what is no host for one. Source: RFC 3986, section 3.2.
_ADDRESS = re.compile(
    r"""(?P<origin>[a-z][a-z0-9+.-]*://
        (?:[a-z0-9_.-]+ | \[[0-9a-f:.]+(?:%[a-z0-9_.-]+)?\]))
        (?::[0-9]*)? (?P<rest>[/?\#].*)?""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,
)
_SCHEME = re.compile(r"https?://", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server listens."""

    secure: bool
    """Whether it is asked by https."""
    host: str
    port: int | None
    """None for the usual one."""


def read_server(url: str, *, name: str = "", forms: str = _FORMS) -> ServerAddress:
    """Read the address of a server.

    Args:
        url: The address.
        name: Of the parameter, if it has a name of its own.
        forms: What is right, for the error.

    Raises:
        ValueError: It is none, or says more than would count; the text says what is right, and shows no more of it than
            scheme and host.
    """
    found = _ADDRESS.fullmatch(url)
    told = f"{_named(name, found, url)} is no server"
    if "@" in url:
        raise ValueError(f"{told}: it holds a user or a password, which is not sent; write {forms}")
    if not _SCHEME.match(url):
        raise ValueError(f"{told}: write {forms}")
    host, port = _read_host(url) if found else ("", None)
    if found is None or not host:
        raise ValueError(f"{told}: its host or its port cannot be read; write {forms}")
    if (found["rest"] or "").strip("/"):
        raise ValueError(f"{told}: what follows the host would not count; write {forms}")
    return ServerAddress(url[:5].lower() == "https", host, port)


def _read_host(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        return ("", None) if parts.port == 0 else (parts.hostname or "", parts.port)
    except ValueError:
        return "", None


def _named(name: str, found: re.Match[str] | None, url: str) -> str:
    # Of an address that cannot be read nobody knows where a password begins, nor of one where it may stand before an @.
    known = found is not None and "@" not in url and "%40" not in url
    shown = repr(found["origin"]) if found is not None and known else ""
    return " ".join(part for part in (name, shown) if part) or "the address"
