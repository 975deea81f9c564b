"""A book of access rules that a test writes."""

from dataclasses import dataclass, field

from latchgate.core.access_rules import NO_RULES, AccessRule, RuleSet
from latchgate.errors import StorageError

__all__ = ["FakeBook", "rule_of"]


@dataclass
class FakeBook:
    """Fulfils the port RuleBook."""

    rules: RuleSet = field(default=NO_RULES)
    broken: bool = False

    def read(self) -> RuleSet:
        if self.broken:
            raise StorageError("The database cannot be reached")
        return self.rules

    def recall(self) -> RuleSet | None:
        return None if self.broken else self.rules


def rule_of(
    path: str = "/*",
    *roles: str,
    number: int = 1,
    host: str = "",
    methods: str = "",
    guest: bool = False,
    every: bool = False,
    scopes: str = "",
    foreign: bool = False,
    unusual: bool = False,
) -> AccessRule:
    """Make a rule."""
    return AccessRule(
        id=number,
        name=f"rule-{number}",
        position=number,
        host=host,
        path=path,
        methods=frozenset(methods.split()),
        roles=frozenset(roles),
        every_role=every,
        scopes=frozenset(scopes.split()),
        allow_guest=guest,
        allow_foreign_authorization=foreign,
        allow_unusual_path=unusual,
    )
