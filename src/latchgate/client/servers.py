"""The address of a server as its users write it: scheme, host and port, and nothing that would go unheeded."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["ServerAddress", "read_server"]

_FORMS = "http://host:port or https://host"
# Greedy, and without looking at what is before: of an address that cannot be read nobody knows where its password ends.
_USER = re.compile(r"^([a-z]*://)?.*@", re.DOTALL | re.IGNORECASE)


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
        ValueError: It is none, or says more than would count; the text says what is right, and shows no password.
    """
    told = f"{name + ' ' if name else ''}{_shown(url)!r}"
    if "@" in url:
        raise ValueError(f"{told} is no server: it holds a user or a password, which is not sent; write {forms}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{told} is no server: its host or its port cannot be read; write {forms}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{told} is no server: write {forms}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{told} is no server: what follows the host would not count; write {forms}")
    return ServerAddress(parts.scheme == "https", parts.hostname, port)


def _shown(url: str) -> str:
    # A query may hold a secret as well.
    return re.split(r"[?#]", _USER.sub(r"\1***@", url), maxsplit=1)[0]
