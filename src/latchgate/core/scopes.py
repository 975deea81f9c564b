"""Scopes: what a credential is limited to. A scope can only narrow what the user's roles allow.

- `all`: everything the user may do
- `read`: every read
- `<DocType>:<action>`: one action (read, write, create, delete) on one document type
- `<name>`: free names, for protected applications and OpenID Connect
"""

import re
from collections.abc import Iterable

__all__ = ["ACTIONS", "ALL", "parse_scopes", "scope_covers", "scopes_within"]

ALL = "all"
READ = "read"
ACTIONS = ("read", "write", "create", "delete")

_NAME = re.compile(r"[!#-\[\]-~]{1,100}")
_ON_DOCTYPE = re.compile(r"(?P<doctype>[A-Za-z][A-Za-z0-9 ]{0,99}):(?P<action>[a-z]+)")


def parse_scopes(values: Iterable[str]) -> frozenset[str] | str:
    """Read the scopes of a credential; none at all means `all`.

    A DocType's name may hold spaces, so that each scope is one value, never a part of a longer text.

    Returns:
        The scopes, or a sentence that names the first that is not one.
    """
    scopes = {value.strip() for value in values if value.strip()} or {ALL}
    for scope in sorted(scopes):
        on_doctype = _ON_DOCTYPE.fullmatch(scope)
        if on_doctype and (" " in scope or on_doctype["doctype"][0].isupper()):
            if on_doctype["action"] not in ACTIONS:
                return f"'{scope}' ends in no action: use read, write, create or delete after the colon"
        elif not _NAME.fullmatch(scope):
            return f"'{scope[:60]}' is not a scope: use all, read, <DocType>:<action> or a name without spaces"
    return frozenset(scopes)


def scope_covers(held: frozenset[str], needed: str) -> bool:
    """Whether held scopes allow what `needed` names."""
    if ALL in held or needed in held:
        return True
    _, colon, action = needed.rpartition(":")
    return bool(colon) and action == READ and READ in held


def scopes_within(wanted: frozenset[str], held: frozenset[str]) -> bool:
    """Whether a credential with `wanted` can do nothing that one with `held` cannot."""
    return all(scope_covers(held, scope) for scope in wanted)
