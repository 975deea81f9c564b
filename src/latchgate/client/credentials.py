"""What a program proves itself by, and for which host alone."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from latchgate.client.servers import read_server

if TYPE_CHECKING:
    from latchgate.client.httpx_auth import HttpxAuth
    from latchgate.client.requests_auth import RequestsAuth

__all__ = [
    "AccessToken",
    "ApiKey",
    "Credential",
    "WrongHost",
    "for_httpx_of",
    "for_requests_of",
    "origin_of",
    "require_host",
    "require_only_for",
]

_PORTS = {"http": 80, "https": 443}
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]|^ | $")

Origin = tuple[str, str, int | None]


class WrongHost(ValueError):
    """A request is for another host than the one that the credential is for; nothing was sent."""


class Credential(Protocol):
    """What writes the headers by which a request is authenticated. Any thread may ask it."""

    @property
    def only_for(self) -> str | None:
        """The address of the only server that it is sent to; None: wherever the program sends it."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Give the headers; blocks while a token is fetched. Raises TokenError if none can be."""
        ...

    def renewed_headers(self, refused: str) -> Mapping[str, str] | None:
        """Give headers in place of a refused `Authorization`; None if there are no others. Raises as `headers`."""
        ...


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key and its secret."""

    key: str
    secret: str = field(repr=False)
    basic: bool = False
    """Whether it is sent as `Basic` rather than as `token`."""
    source: str | None = None
    """The authorization source whose record the key is of; None for a user's."""
    only_for: str | None = None
    """The address of the only server that it is sent to, such as `https://api.example.com`."""

    def __post_init__(self) -> None:
        """Raise ValueError, which shows no secret, for what no header can hold, or no server's address is."""
        _require_sendable("key", self.key)
        _require_sendable("secret", self.secret)
        _require_sendable("source", self.source or "")
        require_only_for(self.only_for)

    def headers(self) -> Mapping[str, str]:
        """Give the headers."""
        pair = f"{self.key}:{self.secret}"
        value = "Basic " + base64.b64encode(pair.encode()).decode() if self.basic else f"token {pair}"
        return {"Authorization": value, **({"Frappe-Authorization-Source": self.source} if self.source else {})}

    def renewed_headers(self, refused: str) -> None:
        """Give nothing: a key that was refused stays so."""

    def for_requests(self) -> "RequestsAuth":
        """Give what `requests` takes as `auth`."""
        return for_requests_of(self)

    def for_httpx(self) -> "HttpxAuth":
        """Give what `httpx` takes as `auth`, in clients of both kinds."""
        return for_httpx_of(self)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token that somebody else looks after."""

    token: str = field(repr=False)
    only_for: str | None = None
    """As that of a key."""

    def __post_init__(self) -> None:
        """Raise ValueError as a key does."""
        _require_sendable("token", self.token)
        require_only_for(self.only_for)

    def headers(self) -> Mapping[str, str]:
        """Give the header."""
        return {"Authorization": f"Bearer {self.token}"}

    def renewed_headers(self, refused: str) -> None:
        """Give nothing: there is no other."""

    def for_requests(self) -> "RequestsAuth":
        """Give what `requests` takes as `auth`."""
        return for_requests_of(self)

    def for_httpx(self) -> "HttpxAuth":
        """Give what `httpx` takes as `auth`, in clients of both kinds."""
        return for_httpx_of(self)


def origin_of(url: str) -> Origin:
    """Tell scheme, host and port of an address, each written in one way."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)


def require_host(credential: Credential, url: str) -> None:
    """Let a credential be sent to its own server alone. Raises WrongHost."""
    if credential.only_for is not None and origin_of(credential.only_for) != origin_of(url):
        scheme, host, port = origin_of(url)
        raise WrongHost(f"the credential is for {credential.only_for}, not for {scheme}://{host}:{port}")


def require_only_for(address: str | None) -> None:
    """Refuse an address that says more than would count, such as a path. Raises ValueError."""
    if address is not None:
        read_server(address, name="only_for")


def for_requests_of(credential: Credential) -> "RequestsAuth":
    """Give what `requests` takes."""
    from latchgate.client.requests_auth import RequestsAuth  # noqa: PLC0415  # only who uses it has it

    return RequestsAuth(credential)


def for_httpx_of(credential: Credential) -> "HttpxAuth":
    """Give what `httpx` takes."""
    from latchgate.client.httpx_auth import HttpxAuth  # noqa: PLC0415  # only who uses it has it

    return HttpxAuth(credential)


def _require_sendable(name: str, text: str) -> None:
    # As what is read from a file with the end of its line: the libraries below would show it whole in their errors.
    if _UNSENDABLE.search(text):
        raise ValueError(f"the {name} holds a line break or another control character, or a space at its ends")
