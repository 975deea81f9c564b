"""What the gate needs to know which access rules there are."""

from collections.abc import Sequence
from typing import Protocol

from latchgate.core.access_rules import AccessRule, RuleSet

__all__ = ["AccessRules", "RuleBook"]


class RuleBook(Protocol):
    """Tells the rules that count now: no change that was acknowledged before it was asked is missing."""

    def read(self) -> RuleSet:
        """Give the rules, asking the database if memory cannot tell. Raises StorageError."""
        ...

    def recall(self) -> RuleSet | None:
        """Give the rules if memory alone can tell; never raises. As long as they are the same, so is the object."""
        ...


class AccessRules(Protocol):
    """The access rules of one transaction, by their positions."""

    def list_all(self) -> list[AccessRule]:
        """List them in their order."""
        ...

    def find(self, name: str) -> AccessRule | None:
        """Look a rule up by its name."""
        ...

    def count(self) -> int:
        """Count them."""
        ...

    def add(self, rule: AccessRule, by: str, now_us: int) -> int:
        """Store a rule; its place in the order is then to be settled by `arrange`."""
        ...

    def change(self, rule: AccessRule, by: str, now_us: int) -> None:
        """Replace what a rule says, but for its position. Raises NotFound if it is gone."""
        ...

    def delete(self, rule_id: int) -> None:
        """Delete a rule; the order of the others is then to be settled by `arrange`. Raises NotFound if it is gone."""
        ...

    def arrange(self, order: Sequence[int], by: str, now_us: int) -> None:
        """Give all rules, by their ids, the positions from 1 up in this order."""
        ...
