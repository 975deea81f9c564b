"""Scopes as they are written on the wire: a list joined by spaces. Source: RFC 6749, section 3.3.

A scope of ours may hold a space, as the name of a document type does; on the wire that is `%20` (`API%20Key:read`).
"""

import re
from collections.abc import Iterable

from latchgate.core.scopes import parse_scopes, scope_covers

__all__ = [
    "EMAIL",
    "OFFLINE_ACCESS",
    "OPENID",
    "PROFILE",
    "ROLES",
    "parse_scope_parameter",
    "within_openid",
    "write_scopes",
]

# OpenID Connect Core, sections 3.1.2.1, 5.4 and 11; `roles` is ours, as Frappe's.
OPENID = "openid"
PROFILE = "profile"
EMAIL = "email"
ROLES = "roles"
OFFLINE_ACCESS = "offline_access"
_WITH_OPENID = frozenset({PROFILE, EMAIL, ROLES, OFFLINE_ACCESS, "address", "phone"})

_SPACE = "%20"
_LENGTH_MAX = 4_000
_CHARACTERS = re.compile(r"[ !#-\[\]-~]*")


def parse_scope_parameter(text: str) -> frozenset[str] | str:
    """Read a `scope` parameter; an empty one asks for nothing, and certainly not for `all`.

    Returns:
        The scopes, or a sentence that says what is wrong.
    """
    if len(text) > _LENGTH_MAX:
        return f"scope is longer than {_LENGTH_MAX} characters"
    if not _CHARACTERS.fullmatch(text):
        return "scope holds what no scope may: use printable ASCII without quotes and backslashes, joined by spaces"
    scopes = {scope.replace(_SPACE, " ") for scope in text.split(" ") if scope}
    # What strips to nothing would be left out, and no scope at all means `all` where a credential is limited.
    padded = [scope for scope in sorted(scopes) if scope != scope.strip()]
    if padded:
        return f"'{padded[0][:60]}' begins or ends with a space"
    return parse_scopes(scopes) if scopes else frozenset()


def within_openid(scopes: frozenset[str], allowed: frozenset[str]) -> frozenset[str]:
    """Leave out what goes with `openid` where a client may not ask for it by name: libraries ask for it by themselves.

    Nothing is lost: `openid` alone lets a client know all that these name, as far as it is known here.

    Args:
        scopes: What is asked for.
        allowed: What the client may ask for.
    Source: OpenID Connect Core, sections 3.1.2.1, 5.4 and 11; RFC 6749, section 3.3.
    """
    if OPENID not in scopes:
        return scopes
    return frozenset(scope for scope in scopes if scope not in _WITH_OPENID or scope_covers(allowed, scope))


def write_scopes(scopes: Iterable[str]) -> str:
    """Write scopes as a `scope` parameter, in the order of their names."""
    return " ".join(sorted(scope.replace(" ", _SPACE) for scope in scopes))
