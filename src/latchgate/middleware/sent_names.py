"""Headers by which proxies tell an application who asks: from a caller they are words, and never reach it."""

import re
from functools import lru_cache

__all__ = ["is_identity_header", "is_identity_variable"]

_BEGINNINGS = (b"x-auth-request-", b"x-latchgate-")
_SIGNS = re.compile(rb"[^a-z0-9]")
_NAMES = frozenset(
    {
        b"remote-user",
        b"remote-email",
        b"remote-groups",
        b"remote-name",
        b"x-remote-user",
        b"x-forwarded-user",
        b"x-forwarded-email",
        b"x-forwarded-groups",
        b"x-forwarded-preferred-username",
    }
)
_LENGTH_MAX = max(map(len, (*_NAMES, *_BEGINNINGS)))


def is_identity_header(name: bytes) -> bool:
    """Whether a header, its name in lower case, would tell who asks.

    CGI's names, which many applications go by, make one of `x-auth-request-user` and `x~auth.request_user`.
    """
    # Enough to tell: what goes on after that is none of the names, and has its beginning already.
    return _begins_as_identity(name[: _LENGTH_MAX + 1])


# The same names come again and again; a caller's own are bounded by what is remembered, in number and in length.
@lru_cache(maxsize=512)
def _begins_as_identity(name: bytes) -> bool:
    plain = _SIGNS.sub(b"-", name)
    return plain in _NAMES or plain.startswith(_BEGINNINGS)


def is_identity_variable(name: str) -> bool:
    """Whether a variable of a WSGI environ is such a header."""
    return name.startswith("HTTP_") and is_identity_header(name[5:].lower().encode("latin-1", "replace"))
