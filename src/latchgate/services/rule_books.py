"""The books of access rules: one that asks the database each time, and one that remembers as the verdicts' cache does.

See docs/decisions/0046.
"""

from dataclasses import dataclass

from latchgate.core.access_rules import NO_RULES, RuleSet
from latchgate.services.ports import Store
from latchgate.services.rule_ports import RuleBook
from latchgate.services.verdict_ports import Feed, FoundRules
from latchgate.services.verified_cache import VerifiedCache

__all__ = ["NO_BOOK", "CachedRules", "NoRules", "StoredRules"]

_KEY = b"access rules"
"""What the look-ups call them; no name of a credential is so short."""


@dataclass(frozen=True, slots=True)
class NoRules:
    """A book without any rule."""

    def read(self) -> RuleSet:
        """Give no rules."""
        return NO_RULES

    def recall(self) -> RuleSet | None:
        """Give no rules."""
        return NO_RULES


NO_BOOK = NoRules()


@dataclass(frozen=True, slots=True)
class StoredRules:
    """Asks the database each time."""

    store: Store

    def read(self) -> RuleSet:
        """Give the rules that count now. Raises StorageError."""
        with self.store.read() as tx:
            return RuleSet(tx.access_rules.list_all())

    def recall(self) -> RuleSet | None:
        """Give none: memory alone never tells."""
        return None


@dataclass(frozen=True, slots=True)
class CachedRules:
    """Remembers the rules as the verdicts are remembered, by the same cache and under the same conditions."""

    stored: RuleBook
    """Whom to ask where the cache cannot."""
    cache: VerifiedCache

    def read(self) -> RuleSet:
        """Give the rules that count now, by memory, by one look-up, or else by the other book. Raises StorageError."""
        rules = self.cache.find_rules()
        if rules is not None:
            return rules
        found = self.cache.look_up(_KEY, _ask)
        if found is None:
            return self.stored.read()
        self.cache.keep_rules(found.value.rules, found, found.value.position)
        return found.value.rules

    def recall(self) -> RuleSet | None:
        """Give the rules that count now, if memory alone can tell."""
        return self.cache.recall_rules()


def _ask(feed: Feed) -> FoundRules:
    return feed.find_rules()
