"""What the gate needs to know which access rules there are."""

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
    """The access rules of one transaction."""

    def list_all(self) -> list[AccessRule]:
        """List them in their order."""
        ...
