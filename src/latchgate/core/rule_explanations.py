"""Why a request falls under a rule or under none, rule by rule, in words for whoever wrote them."""

from dataclasses import dataclass
from itertools import takewhile

from latchgate.core.access_rules import ANY_SCOPES, AccessRule, Match, RuleSet
from latchgate.core.hosts import parse_host
from latchgate.core.path_readings import is_usual_path, may_be_path, path_of_target, read_path
from latchgate.core.principals import Reason

__all__ = ["Explanation", "Miss", "credentials_of", "explain", "find_hidden", "find_hiding", "summary_of", "who_of"]

_SHOWN_MAX = 5
_LOOKED_AT_MAX = 1_000
"""Among how many rules one is looked for that hides another; it is a warning, and costs time."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that was passed over, and why."""

    rule: AccessRule
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a request falls under, and how that came."""

    match: Match
    misses: tuple[Miss, ...]
    """The rules before the one that decides, in order; all of them where none does."""
    note: str
    """What keeps every rule from deciding; empty where a rule decides, or where merely none matches."""


def explain(rules: RuleSet, method: str, host: str, target: str) -> Explanation:
    """Tell what a request falls under, as `RuleSet.find` does, and why."""
    match = rules.find(method, host, target)
    misses = []
    for rule in rules.rules:
        if match.rule is rule:
            break
        misses.append(Miss(rule, _why_not(rule, method, host, target)))
    return Explanation(match, tuple(misses), _note(rules, match, (method, host, target)))


def summary_of(rule: AccessRule) -> str:
    """Say a rule in one line: `GET, POST /api/* on api.example.com: anyone with role Reader`."""
    methods = ", ".join(sorted(rule.methods)) or "any method"
    return f"{methods} {rule.path} on {rule.host or 'any host'}: {who_of(rule)}"


def who_of(rule: AccessRule) -> str:
    """Say whom a rule lets in."""
    if rule.allow_guest:
        foreign = ", with any Authorization header" if rule.allow_foreign_authorization else ""
        return f"everybody, also without a credential{foreign}"
    roles = _joined(rule.roles, "and" if rule.every_role else "or")
    named = rule.scopes - ANY_SCOPES
    scopes = _joined(named, "and")
    held = [f"role{'s' if rule.every_role and len(rule.roles) > 1 else ''} {roles}"] if roles else []
    held += [f"scope{'s' if len(named) > 1 else ''} {scopes}"] if scopes else []
    however = ", by credentials of any scopes" if rule.scopes == ANY_SCOPES else ""
    return f"anyone with {' and '.join(held)}{however}" if held else f"any user{however}"


def credentials_of(rule: AccessRule) -> str:
    """Say which credentials a rule takes, by their scopes; empty where it needs none."""
    if rule.allow_guest:
        return ""
    if rule.scopes == ANY_SCOPES:
        return "it takes credentials of any scopes, which the application is to judge"
    if not rule.scopes:
        return "it names no scope: it takes credentials that are not limited (scope all) and sessions"
    return f"it takes credentials whose scopes cover {_joined(rule.scopes, 'and')}, and sessions"


def find_hiding(rules: RuleSet, rule: AccessRule) -> AccessRule | None:
    """Give the rule before another that is for all that this is for, so that this never decides; None if none is."""
    before = takewhile(lambda one: one.id != rule.id, rules.rules[:_LOOKED_AT_MAX])
    return next((earlier for earlier in before if _hides(earlier, rule)), None)


def find_hidden(rules: RuleSet) -> list[tuple[AccessRule, AccessRule]]:
    """List the rules that never decide, each with the one before it that does; of very many the first thousand."""
    found = ((rule, find_hiding(rules, rule)) for rule in rules.rules[:_LOOKED_AT_MAX])
    return [(rule, hiding) for rule, hiding in found if hiding is not None]


def _hides(earlier: AccessRule, later: AccessRule) -> bool:
    host = earlier.covers_host(later.host.replace("*.", "a.", 1)) if later.host else not earlier.host
    if later.host.startswith("*.") and not earlier.host.startswith("*."):
        host = not earlier.host
    methods = not earlier.methods or (bool(later.methods) and all(map(earlier.covers_method, later.methods)))
    return host and methods and _hides_path(earlier.path, later.path)


def _hides_path(earlier: str, later: str) -> bool:
    # Only what is sure: the same path, or one below a path that ends in any rest and holds no other sign.
    if earlier == later:
        return True
    return earlier.endswith("/*") and "*" not in earlier[:-1] and f"{later}/".startswith(earlier[:-1])


def _why_not(rule: AccessRule, method: str, host: str, target: str) -> str:
    name, path = parse_host(host), path_of_target(target)
    if name is None or not rule.covers_host(name):
        return f"it is for the host {rule.host}" if name is not None else "the host is none"
    if not rule.covers_method(method):
        return f"it is for {', '.join(sorted(rule.methods))}"
    if not rule.covers_path(path):
        return f"it is for the path {rule.path}"
    if not rule.allow_unusual_path and not is_usual_path(path):
        return "it does not allow paths that are not in normal form"
    return "the path can be read in another way too, to which it does not apply"


def _note(rules: RuleSet, match: Match, asked: tuple[str, str, str]) -> str:
    method, host, target = asked
    match match.requirement.refused:
        case Reason.UNUSUAL_HOST:
            return f"'{host[:80]}' is no host, and no rule is for it"
        case Reason.UNUSUAL_METHOD:
            return f"'{method[:40]}' is no method in capitals, and no rule is for it"
        case Reason.UNUSUAL_PATH:
            return _path_note(rules, method, host, path_of_target(target))
        case _:
            return ""


def _path_note(rules: RuleSet, method: str, host: str, path: str) -> str:
    if not may_be_path(path):
        return "the path can stand in no request"
    readings = read_path(path)
    if readings is None:
        return "the path can be read in too many ways, or in several that are too long to look at them all"
    usual = sorted(filter(is_usual_path, readings))
    found = [(reading, rules.find(method, host, reading).rule) for reading in usual]
    told = "; ".join(f"{reading} ({rule.name if rule else 'no rule'})" for reading, rule in found[:_SHOWN_MAX])
    read = f"; it can be read as {told}" if told else ""
    return f"the path is not in normal form{read}" if not is_usual_path(path) else f"the path is ambiguous{read}"


def _joined(names: frozenset[str], word: str) -> str:
    *first, last = sorted(names) or [""]
    return f"{', '.join(first)} {word} {last}" if first else last
