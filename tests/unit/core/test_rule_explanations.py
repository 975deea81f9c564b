"""Which rules are said never to decide: only those that no request can reach."""

import pytest

from latchgate.core.access_rules import AccessRule, RuleSet
from latchgate.core.rule_explanations import find_hidden, find_hiding
from support.rule_books import rule_of

_HOSTS = ["example.com", "a.example.com", "b.example.com", "b.a.example.com", "other.org"]
_PATHS = ["/", "/a", "/a/b", "/b"]


@pytest.mark.parametrize(
    ("earlier", "later", "hides"),
    [
        (rule_of("/*"), rule_of("/a"), True),
        (rule_of("/a"), rule_of("/*"), False),
        (rule_of("/a/*"), rule_of("/a"), True),
        (rule_of("/a/*"), rule_of("/ab"), False),
        (rule_of(methods="GET"), rule_of(methods="HEAD"), True),
        (rule_of(methods="GET"), rule_of(), False),
        (rule_of(host="example.com"), rule_of(), False),
        (rule_of(), rule_of(host="example.com"), True),
        (rule_of(), rule_of(host="*.example.com"), True),
        # One host of many, whichever it is.
        (rule_of(host="a.example.com"), rule_of(host="*.example.com"), False),
        (rule_of(host="*.example.com"), rule_of(host="*.example.com"), True),
        (rule_of(host="*.example.com"), rule_of(host="*.a.example.com"), True),
        (rule_of(host="*.a.example.com"), rule_of(host="*.example.com"), False),
        (rule_of(host="*.example.com"), rule_of(host="example.com"), False),
    ],
)
def test_a_rule_is_hidden_by_one_that_is_for_all_it_is_for(earlier: AccessRule, later: AccessRule, hides: bool) -> None:
    """And then it decides about no request."""
    rules = RuleSet([rule_of("/x", number=3), *_numbered(earlier, later)])
    _, first, second = rules.rules

    assert find_hiding(rules, second) == (first if hides else None)
    assert find_hidden(rules) == ([(second, first)] if hides else [])
    asked = [(method, host, path) for method in ("GET", "HEAD", "PUT") for host in _HOSTS for path in _PATHS]
    decided = [rules.find(*request).rule is second for request in asked]
    assert not (hides and any(decided))


def _numbered(*rules: AccessRule) -> list[AccessRule]:
    return [
        rule_of(rule.path, number=number, host=rule.host, methods=" ".join(rule.methods))
        for number, rule in enumerate(rules, 1)
    ]
