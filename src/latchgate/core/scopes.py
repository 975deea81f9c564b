"""Scopes: what a credential is limited to. A scope can only narrow what the user's roles allow.

- `all`: everything the user may do
- `read`: every read
- `<DocType>:<action>`: one action (read, write, create, delete) on one document type
- `<name>`: free names, for protected applications and OpenID Connect; but `*`, which only access rules know
"""

import re
from collections.abc import Iterable

__all__ = ["ACTIONS", "ALL", "READ", "asks_within", "is_foreign", "parse_scopes", "scope_covers", "scopes_within"]

ALL = "all"
READ = "read"
ACTIONS = ("read", "write", "create", "delete")

# RFC 6749, section 3.3, but without the comma, by which lists of scopes are joined in settings and headers.
_NAME = re.compile(r"[!#-+\--\[\]-~]+")
_ON_DOCTYPE = re.compile(r"(?P<doctype>[A-Za-z][A-Za-z0-9_-]*(?: [A-Za-z0-9_-]+)*):(?P<action>[A-Za-z]+)")
# OpenID Connect Core, sections 3.1.2.1, 5.4 and 11; what these tell of a user is ours, as `roles` is.
_OF_OPENID = frozenset({"openid", "profile", "email", "roles", "offline_access"})
# A DocType's name has up to 140 characters.
_LENGTH_MAX = 147


def parse_scopes(values: Iterable[str]) -> frozenset[str] | str:
    """Read the scopes of a credential; none at all means `all`.

    A DocType's name may hold spaces, so that each scope is one value, never a part of a longer text.

    Returns:
        The scopes, or a sentence that names the first that is not one.
    """
    scopes = {value.strip() for value in values if value.strip()} or {ALL}
    problems = [problem for problem in map(_problem, sorted(scopes)) if problem]
    return problems[0] if problems else frozenset(scopes)


def scope_covers(held: frozenset[str], needed: str) -> bool:
    """Whether held scopes allow what `needed` names."""
    if ALL in held or needed in held:
        return True
    _, colon, action = needed.rpartition(":")
    return bool(colon) and action == READ and READ in held


def scopes_within(wanted: frozenset[str], held: frozenset[str]) -> bool:
    """Whether a credential with `wanted` can do nothing that one with `held` cannot."""
    return all(scope_covers(held, scope) for scope in wanted)


def asks_within(wanted: frozenset[str], allowed: frozenset[str]) -> bool:
    """Whether a request asks for no more than was allowed.

    `all` covers what is ours. A name of a protected resource's own must have been allowed by that name: only the
    resource knows what it opens, and nobody read it on the page of consent. Source: RFC 6749, section 6.
    """
    return all(
        scope in allowed or (scope_covers(allowed, scope) and (scope in _OF_OPENID or not is_foreign(scope)))
        for scope in wanted
    )


def is_foreign(scope: str) -> bool:
    """Whether a scope is a name of somebody else's, which opens nothing here: its meaning is not ours to cover."""
    on_doctype = _ON_DOCTYPE.fullmatch(scope)
    return scope not in {ALL, READ} and not (on_doctype and (" " in scope or scope[0].isupper()))


def _problem(scope: str) -> str | None:
    if len(scope) > _LENGTH_MAX:
        return f"'{scope[:60]}…' is longer than {_LENGTH_MAX} characters"
    on_doctype = _ON_DOCTYPE.fullmatch(scope)
    if on_doctype and (" " in scope or scope[0].isupper()):
        known = on_doctype["action"] in ACTIONS
        return None if known else f"'{scope}' ends in no action: use read, write, create or delete after the colon"
    if scope == "*":
        # An access rule that says so asks for nothing; no credential may seem to be meant by it.
        return "'*' is not a scope of a credential, it stands in access rules alone: for everything, use all"
    if not _NAME.fullmatch(scope):
        return f"'{scope}' is not a scope: use all, read, <DocType>:<action> or a name without spaces and commas"
    return None
