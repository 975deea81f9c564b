"""Access rules: which of them a request for a protected application falls under, and what that asks of the caller.

The first rule that matches decides; what matches none is refused. A path is compared as it was sent, but whoever
stands behind may read it otherwise: where another reading falls under another rule, none counts. So a rule further
down, or one that is open, is never reached by writing a path in another way.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from latchgate.core.hosts import ANY_HOST, host_covers, list_host_patterns, parse_host
from latchgate.core.path_readings import is_usual_path, may_be_path, path_of_target, read_path, write_escapes_alike
from latchgate.core.policy import Requirement
from latchgate.core.principals import Reason
from latchgate.core.scopes import ALL

__all__ = [
    "ANY_HOST",
    "ANY_PATH",
    "ANY_SCOPES",
    "NO_RULES",
    "AccessRule",
    "Match",
    "RuleSet",
    "is_usual_path",
    "parse_rule_name",
    "rule_name",
]

ANY_PATH = "/*"
ANY_SCOPES = frozenset({"*"})
"""A rule's scopes where the application judges by itself what it is told of the credential's."""
# RFC 9110, section 9.1: methods are told apart by case. Some applications do not: `delete` must not pass as unknown.
_METHOD = re.compile(r"[A-Z][A-Z0-9!#$%&'*+.^_`|~-]{0,31}")


# No number in a database has nineteen digits.
_NAME = re.compile(r"RULE-(?P<number>[1-9][0-9]{0,17})", re.IGNORECASE)


def rule_name(number: int) -> str:
    """Tell what a rule is called as a record; no later one will be called so."""
    return f"RULE-{number}"


def parse_rule_name(name: str) -> int | None:
    """Read the number of a rule from its name; None if it is none."""
    found = _NAME.fullmatch(name)
    return int(found["number"]) if found and name.isascii() else None


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Which requests a rule is for, and what it asks of them."""

    id: int
    name: str
    """What it is called as a record."""
    position: int
    """Its place in the order, from 1."""
    host: str = ANY_HOST
    """As `hosts.parse_host` writes it, or `*.` and such a name; empty for any."""
    path: str = ANY_PATH
    """A `*` alone between slashes means one segment; at the end, any rest, also none. A last slash means nothing."""
    methods: frozenset[str] = frozenset()
    """None for any; GET means HEAD too."""
    roles: frozenset[str] = frozenset()
    """None for any user."""
    every_role: bool = False
    """Whether all of them are asked for, rather than one."""
    scopes: frozenset[str] = frozenset()
    """What the credential's scopes must cover, each of them. None: `all`. `ANY_SCOPES`: nothing."""
    allow_guest: bool = False
    """Whether anybody is let in, also without a credential."""
    allow_foreign_authorization: bool = False
    """Whether who sends an Authorization header that is not ours is a guest, where guests are let in."""
    allow_unusual_path: bool = False
    """Whether it may decide about paths that are not in normal form."""

    @property
    def needed_scopes(self) -> frozenset[str]:
        """What the credential's scopes must cover.

        A scope can only narrow. So what was limited to something opens no rule that does not name it: a token that some
        program got to learn who somebody is, with `openid`, is not the whole of an application.
        """
        if self.allow_guest or self.scopes == ANY_SCOPES:
            return frozenset()
        return self.scopes or frozenset({ALL})

    @property
    def only_scope(self) -> str:
        """The scope to be told to whoever lacks it, where one alone is needed; else empty."""
        needed = self.needed_scopes
        return next(iter(needed)) if len(needed) == 1 else ""

    @property
    def requirement(self) -> Requirement:
        """What it asks of the caller."""
        return Requirement(
            user=not self.allow_guest,
            roles=frozenset() if self.every_role else self.roles,
            every_role=self.roles if self.every_role else frozenset(),
            scopes=self.needed_scopes,
            foreign_authorization=self.allow_guest and self.allow_foreign_authorization,
        )

    def covers_host(self, host: str) -> bool:
        """Whether it is for a host, as `hosts.parse_host` writes it."""
        return host_covers(self.host, host)

    def covers_method(self, method: str) -> bool:
        """Whether it is for a method."""
        return not self.methods or method in self.methods or (method == "HEAD" and "GET" in self.methods)

    def covers_path(self, path: str) -> bool:
        """Whether it is for one reading of a path."""
        segments = _segments_of(path)
        return any(pattern.covers(segments) for pattern in _patterns_of(self.path))


@dataclass(frozen=True, slots=True)
class Match:
    """What a request falls under."""

    rule: AccessRule | None
    """The rule that decides; None if the request is refused without one."""
    requirement: Requirement
    """What is asked of the caller; one that `refused` everybody where no rule decides."""


class RuleSet:
    """Rules in their order, which never change: other rules are another set. Safe in any thread."""

    __slots__ = ("_depth", "_hosts", "_index", "rules")

    def __init__(self, rules: Iterable[AccessRule] = ()) -> None:
        self.rules = tuple(rules)
        # Rules by host and by what stands before their first `*`, so that few are looked at among ten thousand.
        self._index: dict[tuple[str, tuple[str, ...]], list[_Entry]] = {}
        for place, rule in enumerate(self.rules):
            match = Match(rule, rule.requirement)
            for pattern in _patterns_of(rule.path):
                self._index.setdefault((rule.host, pattern.before), []).append(_Entry(place, match, pattern))
        self._hosts = frozenset(host for host, _ in self._index)
        self._depth = max((len(before) for _, before in self._index), default=0)

    def find(self, method: str, host: str, target: str) -> Match:
        """Tell what a request falls under.

        Args:
            method: As it was sent.
            host: The value of the Host header, or of what a proxy says in its stead.
            target: Path and query, as they were sent.
        """
        name, path = parse_host(host), path_of_target(target)
        if name is None:
            return _UNUSUAL_HOST
        if not _METHOD.fullmatch(method):
            return _UNUSUAL_METHOD
        readings = read_path(path) if may_be_path(path) else None
        if readings is None:
            return _UNUSUAL_PATH
        found = {id(match): match for match in (self._first(method, name, reading) for reading in readings)}
        if len(found) > 1:
            return _UNUSUAL_PATH
        [match] = found.values()
        if match.rule is not None and not match.rule.allow_unusual_path and not is_usual_path(path):
            return _UNUSUAL_PATH
        return match

    def _first(self, method: str, host: str, path: str) -> Match:
        segments = _segments_of(path)
        best: _Entry | None = None
        for entries in self._reach(host, segments):
            for entry in entries:
                if best is not None and entry.place >= best.place:
                    break
                rule = entry.match.rule
                if rule is not None and rule.covers_method(method) and entry.pattern.covers(segments):
                    best = entry
                    break
        return best.match if best is not None else _NO_RULE

    def _reach(self, host: str, segments: tuple[str, ...]) -> Iterator[list["_Entry"]]:
        depths = range(min(len(segments), self._depth) + 1)
        for pattern in list_host_patterns(host):
            if pattern in self._hosts:
                for depth in depths:
                    entries = self._index.get((pattern, segments[:depth]))
                    if entries is not None:
                        yield entries


class _Pattern(NamedTuple):
    """A rule's path as it is compared."""

    before: tuple[str, ...]
    """Its segments before the first `*`."""
    segments: tuple[str, ...]
    """All but the rest."""
    rest: str | None
    """What the rest begins with; None if there is none."""

    def covers(self, segments: tuple[str, ...]) -> bool:
        count = len(self.segments)
        if len(segments) != count if self.rest is None else len(segments) < count:
            return False
        if self.rest and not (len(segments) > count and segments[count].startswith(self.rest)):
            return False
        return all(
            mine == other or (mine == "*" and other) for mine, other in zip(self.segments, segments, strict=False)
        )


class _Entry(NamedTuple):
    place: int
    match: Match
    pattern: _Pattern


def _segments_of(path: str) -> tuple[str, ...]:
    # Frameworks serve a path with a last slash and without it alike.
    return tuple(path[1:].removesuffix("/").split("/")) if len(path) > 1 else ()


def _patterns_of(path: str) -> Iterator[_Pattern]:
    as_sent = write_escapes_alike(path)
    yield _pattern_of(as_sent)
    if "%" in path:
        # So that it is found in both readings of a path.
        yield _pattern_of(unquote(as_sent, "latin-1"))


def _pattern_of(path: str) -> _Pattern:
    segments, rest = _segments_of(path), None
    if path.endswith("*"):
        segments, rest = segments[:-1], segments[-1][:-1]
    first = segments.index("*") if "*" in segments else len(segments)
    return _Pattern(segments[:first], segments, rest)


def _refused(reason: Reason) -> Match:
    return Match(None, Requirement(user=True, refused=reason))


_NO_RULE = _refused(Reason.NO_RULE)
_UNUSUAL_HOST = _refused(Reason.UNUSUAL_HOST)
_UNUSUAL_METHOD = _refused(Reason.UNUSUAL_METHOD)
_UNUSUAL_PATH = _refused(Reason.UNUSUAL_PATH)
NO_RULES = RuleSet()
"""No rule at all: everything is refused."""
