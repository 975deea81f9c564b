"""Access rules as records: their fields as rules, and what is asked of them as orders to the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.core.rule_fields import rule_from
from latchgate.services.access_rules import AccessRuleService
from latchgate.services.actors import Actor
from latchgate.services.document_writers import Made
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Transaction

__all__ = ["AccessRuleWriter"]


@dataclass(frozen=True, slots=True)
class AccessRuleWriter:
    """Access rules."""

    rules: AccessRuleService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a rule."""
        return Made(self.rules.create_in(tx, actor, rule_from(wanted)).name)

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Let it say something else, or stand elsewhere."""
        self.rules.change_in(tx, actor, rule_from({**found.values, **changes}))

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a rule."""
        self.rules.delete_in(tx, actor, str(found.values["name"]))
