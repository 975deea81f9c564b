"""What scopes mean, in words for whoever is asked to allow them."""

from collections.abc import Iterable

from latchgate.core.scopes import ALL, READ
from latchgate.oauth.scopes import EMAIL, OFFLINE_ACCESS, OPENID, PROFILE, ROLES

__all__ = ["scope_sentences"]

_WORDS = {
    ALL: "Do everything that you may do, as you",
    READ: "Read everything that you may read",
    OPENID: "Know who you are: your name, e-mail address and roles",
    PROFILE: "Know your name",
    EMAIL: "Know your e-mail address",
    ROLES: "Know your roles",
    OFFLINE_ACCESS: "Go on when you are not there",
}
_VERBS = {"read": "Read", "write": "Change", "create": "Make new", "delete": "Delete"}


def scope_sentences(scopes: Iterable[str]) -> list[str]:
    """Say what scopes allow, a sentence each, what reaches furthest first."""
    ordered = sorted(scopes, key=lambda scope: (_RANK.get(scope, len(_RANK)), scope))
    return [_sentence(scope) for scope in ordered]


_RANK = {scope: rank for rank, scope in enumerate(_WORDS)}


def _sentence(scope: str) -> str:
    if scope in _WORDS:
        return _WORDS[scope]
    doctype, _, action = scope.rpartition(":")
    if doctype and action in _VERBS:
        return f"{_VERBS[action]} records of {doctype}"
    return f"Use “{scope}”, whose meaning the application that it belongs to knows"
