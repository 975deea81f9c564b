"""The parameters of a request as they were sent, before any protocol is made of them."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from latchgate.errors import OAuthError

__all__ = ["Parameters", "is_resource", "normal_resource", "read_once"]

Parameters = Sequence[tuple[str, str]]
"""Names and values as sent, in order."""

_RESOURCE_LENGTH_MAX = 2000
_SLASHES_OF_A_HOST = 3
"""As in `https://api.example.com/`."""


def read_once(parameters: Parameters) -> dict[str, str]:
    """Read parameters each of which may come once; what has no value counts as absent. Raises OAuthError.

    Source: RFC 6749, sections 3.1 and 3.2.
    """
    sent = [(name, value) for name, value in parameters if value]
    read = dict(sent)
    if len(read) < len(sent):
        raise OAuthError("invalid_request", "Parameters may come once")
    return read


def normal_resource(text: str) -> str:
    """Write a resource that is a host alone without its slash: both name the same. Source: RFC 3986, section 6.2.3."""
    return text.rstrip("/") if text.count("/") == _SLASHES_OF_A_HOST and text.endswith("/") else text


def is_resource(text: str) -> bool:
    """Whether a text can name a resource: an absolute URI without fragment. Source: RFC 8707, section 2."""
    if len(text) > _RESOURCE_LENGTH_MAX or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.netloc) and "#" not in text
