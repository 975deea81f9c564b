"""What a rule's fields may hold: one spelling for each, and a sentence for what would not do what it seems to say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from latchgate.core.access_rules import ANY_HOST, ANY_PATH, ANY_SCOPES, AccessRule, RuleSet
from latchgate.core.hosts import parse_host
from latchgate.core.path_readings import is_usual_path, may_be_path
from latchgate.core.scopes import parse_scopes
from latchgate.core.users import GUEST

__all__ = ["PATH_LENGTH_MAX", "RULES_MAX", "RULE_FIELDS", "rule_from", "settle_rule"]

PATH_LENGTH_MAX = 1000
RULES_MAX = 10_000
"""How many rules there may be."""

RULE_FIELDS = (
    "host",
    "path",
    "methods",
    "roles",
    "every_role",
    "scopes",
    "allow_guest",
    "allow_foreign_authorization",
    "allow_unusual_path",
)
"""What a rule says, as its record's fields are called: all but where it stands."""

_METHOD = re.compile(r"[A-Z][A-Z0-9!#$%&'*+.^_`|~-]{0,31}")
_PORT = re.compile(r"(?:\A[^\[\]:]*|\]):[0-9]*\Z")
_UNQUOTED = "/%!$&'()*+,=:@~[]|"
_SHOWN_MAX = 60
# A variable that was not set must not open every path, nor one of blanks every host; "" is how a record spells any.
_NO_PATH = f"is empty: for every path, write {ANY_PATH} or leave it out"
_BLANK_HOST = "is blank: name a host, or leave it empty for any"


def rule_from(values: Mapping[str, Any]) -> AccessRule:
    """Make a rule of a record's fields, those that are missing with their defaults; its number is 0."""
    return AccessRule(
        id=0,
        name=str(values.get("name", "")),
        position=int(values.get("position", 0)),
        host=values.get("host", ANY_HOST),
        path=values.get("path", ANY_PATH),
        methods=frozenset(values.get("methods", ())),
        roles=frozenset(values.get("roles", ())),
        every_role=bool(values.get("every_role")),
        scopes=frozenset(values.get("scopes", ())),
        allow_guest=bool(values.get("allow_guest")),
        allow_foreign_authorization=bool(values.get("allow_foreign_authorization")),
        allow_unusual_path=bool(values.get("allow_unusual_path")),
    )


def settle_rule(rule: AccessRule) -> AccessRule | Mapping[str, str]:
    """Give a rule in the spelling in which it is compared, or what is wrong with which field.

    Whether its roles exist, the caller finds out.
    """
    wanted = replace(
        rule,
        host=rule.host.strip(),
        path=rule.path.strip(),
        # Some letters beyond ASCII have capitals within it.
        methods=frozenset(method.strip().upper() if method.isascii() else method for method in rule.methods),
        roles=frozenset(role.strip() for role in rule.roles),
        scopes=frozenset(scope.strip() for scope in rule.scopes),
    )
    host = _settle_host(wanted.host)
    problems = {
        "host": _host_problem(rule.host) if host is None or rule.host.isspace() else "",
        "path": _path_problem(wanted.path, unusual=rule.allow_unusual_path) if wanted.path else _NO_PATH,
        "methods": _method_problem(wanted.methods),
        "roles": _role_problem(wanted.roles),
        "scopes": _scope_problem(wanted.scopes),
        "allow_guest": _guest_problem(wanted),
        "allow_foreign_authorization": _foreign_problem(wanted),
    }
    found = {name: problem for name, problem in problems.items() if problem}
    if found or host is None:
        return found
    return _require_reachable(replace(wanted, host=host, every_role=wanted.every_role and bool(wanted.roles)))


def _settle_host(host: str) -> str | None:
    if not host:
        return ANY_HOST
    below = host.startswith("*.")
    name = parse_host(host.removeprefix("*."))
    if name is None or _has_port(host) or (below and (name.startswith("[") or _is_number(name))):
        return None
    return f"*.{name}" if below else name


def _host_problem(host: str) -> str:
    host = host.strip()
    if not host:
        return _BLANK_HOST
    shown = f"'{host[:_SHOWN_MAX]}'"
    if "://" in host or "/" in host:
        return f"{shown} is an address: write its host alone, such as api.example.com"
    if host == "*":
        return "leave it empty for any host"
    if not host.isascii():
        return f"{shown} must be written as it stands in requests, in the form xn--…"
    if _has_port(host):
        return f"{shown} names a port: rules hold for every port, so write the host alone"
    return f"{shown} is no host: write a name such as api.example.com, *.example.com for all below it, or an address"


def _has_port(host: str) -> bool:
    return _PORT.search(host) is not None


def _is_number(name: str) -> bool:
    return name.replace(".", "").isdigit()


def _path_problem(path: str, *, unusual: bool) -> str:
    shown = f"'{path[:_SHOWN_MAX]}'"
    if not path.startswith("/"):
        return f"{shown} must begin with a slash, such as /api/*"
    if len(path) > PATH_LENGTH_MAX:
        return f"must be a text of at most {PATH_LENGTH_MAX} characters"
    if "?" in path or "#" in path:
        return f"{shown} holds a query: rules speak of the path before it alone"
    if not may_be_path(path):
        return f"{shown} must be written as it stands in requests: {quote(path, safe=_UNQUOTED)[:_SHOWN_MAX]}"
    if "%2a" in path.lower():
        return f"{shown} holds %2A, which cannot be told from the sign for any segment"
    if any("*" in segment and segment != "*" for segment in path[1:].removesuffix("*").split("/")) or "**" in path:
        return f"{shown} holds a * that is neither a whole segment nor the end"
    if not unusual and not is_usual_path(path):
        return f"{shown} is not in normal form; no request falls under it unless unusual paths are allowed"
    return ""


def _method_problem(methods: Iterable[str]) -> str:
    wrong = sorted(method for method in methods if not _METHOD.fullmatch(method))
    return f"'{wrong[0][:_SHOWN_MAX]}' is no method such as GET" if wrong else ""


def _role_problem(roles: frozenset[str]) -> str:
    if "" in roles:
        return "a role has a name"
    return "nobody is let in by the role Guest; to let everybody in, set allow_guest" if GUEST in roles else ""


def _scope_problem(scopes: frozenset[str]) -> str:
    if not scopes or scopes == ANY_SCOPES:
        return ""
    if "" in scopes:
        return "a scope has a name"
    if scopes > ANY_SCOPES:
        return "* means credentials of any scopes, and stands alone"
    parsed = parse_scopes(scopes)
    return f"no credential can have it: {parsed}" if isinstance(parsed, str) else ""


def _guest_problem(rule: AccessRule) -> str:
    asks = rule.allow_guest and (rule.roles or rule.scopes)
    return "who lets guests in can ask for no roles and no scopes" if asks else ""


def _foreign_problem(rule: AccessRule) -> str:
    alone = rule.allow_foreign_authorization and not rule.allow_guest
    return "whoever sends a foreign credential is a guest: it needs allow_guest" if alone else ""


def _require_reachable(rule: AccessRule) -> AccessRule | Mapping[str, str]:
    # Whatever it may be that was not thought of: a rule that cannot decide about its own path decides about none.
    host = rule.host.replace("*.", "a.", 1) or "a"
    method = next(iter(rule.methods), "GET")
    path = rule.path.replace("*", "a")
    if RuleSet([rule]).find(method, host, path).rule is None:
        return {"path": f"'{rule.path[:_SHOWN_MAX]}' is never the same in all readings of a request, so none is let in"}
    return rule
