"""What a key is good for, in a sentence that people can check before they make it and before they end it."""

from collections.abc import Mapping, Sequence
from typing import Any

from latchgate.core.permissions import Action
from latchgate.core.scopes import ALL, READ
from latchgate.server.desk.wording import Moment

__all__ = ["key_sentence"]


def key_sentence(key: Mapping[str, Any], now: int) -> str:
    """Say what a key may do, as whom, from where, until when and how often.

    Args:
        key: An API Key's fields `scopes`, `user`, `allowed_networks`, `expires` and `limit_per_minute`.
        now: Unix seconds.
    """
    user = key["user"] or "its user"
    until = f"until {Moment.of(key['expires'], now).date}" if key["expires"] else "without an end"
    parts = [_allowed(key["scopes"], user), f"from {_joined(key['allowed_networks']) or 'any address'}", until]
    if key["limit_per_minute"]:
        parts.append(f"at most {int(key['limit_per_minute']):,} times a minute")
    unused = "" if key["user"] else " It opens nothing until a user is chosen as whom it acts."
    bounded = "" if {ALL, READ} & set(key["scopes"]) else f" It never allows more than {user} may."
    return f"This key can {', '.join(parts)}.{bounded}{unused}"


def _allowed(scopes: Sequence[str], user: str) -> str:
    if ALL in scopes:
        return f"do everything that {user} may"
    if READ in scopes and len(scopes) == 1:
        return f"read everything that {user} may read"
    told = ["read everything that its user may read"] if READ in scopes else []
    for action in Action:
        doctypes = [doctype for doctype, colon, ending in _split(scopes) if colon and ending == action]
        if doctypes:
            told.append(f"{action} {_joined(doctypes)} records")
    free = [scope for scope in sorted(scopes) if scope != READ and not _is_right(scope)]
    if free:
        told.append(f"use {_joined(free)} in applications behind Latchgate")
    return f"{_joined(told)} as {user}"


def _split(scopes: Sequence[str]) -> list[tuple[str, str, str]]:
    return [scope.rpartition(":") for scope in sorted(scopes)]


def _is_right(scope: str) -> bool:
    _, colon, ending = scope.rpartition(":")
    return bool(colon) and ending in set(Action)


def _joined(words: Sequence[str]) -> str:
    *before, last = words or [""]
    return f"{', '.join(before)} and {last}" if before else last
