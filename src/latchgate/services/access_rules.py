"""Access rules of protected applications: every change of them, one by one or all at once.

Positions go from 1 up without gaps. What is changed counts for every request that begins after it was acknowledged,
see rule_books.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from latchgate.core.access_rules import AccessRule, RuleSet, rule_name
from latchgate.core.permissions import Action
from latchgate.core.rule_explanations import summary_of
from latchgate.core.rule_fields import RULES_MAX, settle_rule
from latchgate.errors import Conflict, Flaw, Invalid, NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, read_as, write_as
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import judge_early, require_right

__all__ = ["ACCESS_RULE", "AccessRuleService", "RuleChanges"]

ACCESS_RULE = "Access Rule"


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """What to put other rules in the place of all comes to."""

    order: tuple[AccessRule, ...]
    """The rules from then on; those that are new have no id yet."""
    added: tuple[AccessRule, ...]
    removed: tuple[AccessRule, ...]
    moved: tuple[AccessRule, ...]
    """Those that stay, but in another order among themselves."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.moved)


@dataclass(frozen=True, slots=True)
class AccessRuleService:
    """Every change of the rules, by whoever may change all of them: one of them may undo any other.

    A method that ends in `_in` works on its caller's transaction.
    """

    store: Store
    clock: Clock
    file: Path | None = None
    """The operator's, whose rules alone count; None where they are kept in the database."""

    def get_all(self, actor: Actor) -> RuleSet:
        """Give the rules in their order. Raises NotPermitted."""
        with read_as(self.store, actor) as tx:
            require_right(tx, actor, ACCESS_RULE, Action.READ)
            return RuleSet(tx.access_rules.list_all())

    def create_in(self, tx: Transaction, actor: Actor, rule: AccessRule) -> AccessRule:
        """Make a rule at its position, or at the end if that is 0 or beyond; its id and name are ignored.

        Raises NotPermitted, and Invalid for what a rule cannot say, or where the rules are the operator's.
        """
        require_right(tx, actor, ACCESS_RULE, Action.CREATE)
        self._require_open()
        count = tx.access_rules.count()
        if count >= RULES_MAX:
            raise Invalid({"doctype": f"there are {RULES_MAX} rules already, which is the most there may be"})
        settled = replace(_settle(tx, rule), position=_place(rule.position, count + 1))
        order = [one.id for one in tx.access_rules.list_all()]
        now_us = self.clock.now_us()
        rule_id = tx.access_rules.add(settled, actor.user, now_us)
        order.insert(settled.position - 1, rule_id)
        tx.access_rules.arrange(order, actor.user, now_us)
        made = _get(tx, rule_name(rule_id))
        note(tx, self.clock, actor, "access_rule.created", made.name, detail=_told(made))
        return made

    def change_in(self, tx: Transaction, actor: Actor, rule: AccessRule) -> AccessRule:
        """Let a rule say something else, and stand elsewhere if its position is another. Raises as `create_in`."""
        require_right(tx, actor, ACCESS_RULE, Action.WRITE)
        self._require_open()
        present = _get(tx, rule.name)
        position = _place(rule.position, tx.access_rules.count())
        settled = replace(_settle(tx, rule, had=present.roles), id=present.id, name=present.name)
        if replace(settled, position=present.position) != present:
            tx.access_rules.change(settled, actor.user, self.clock.now_us())
            note(tx, self.clock, actor, "access_rule.changed", present.name, detail=summary_of(settled))
        if position != present.position:
            order = [one.id for one in tx.access_rules.list_all() if one.id != present.id]
            order.insert(position - 1, present.id)
            tx.access_rules.arrange(order, actor.user, self.clock.now_us())
            told = f"from position {present.position} to {position}"
            note(tx, self.clock, actor, "access_rule.moved", present.name, detail=told)
        return _get(tx, rule.name)

    def move(self, actor: Actor, name: str, position: int, expected: int | None = None) -> AccessRule:
        """Put a rule at another position.

        Args:
            actor: Who.
            name: The rule's.
            position: Where; 0 or beyond the last for the end.
            expected: Where the actor saw it stand.

        Raises:
            NotFound, NotPermitted, Invalid: As `change_in`.
            Conflict: It does not stand any more where the actor saw it.
        """
        judge_early(self.store, actor, lambda tx: require_right(tx, actor, ACCESS_RULE, Action.WRITE))
        with write_as(self.store, actor) as tx:
            # Before it is looked up: whoever may not is not told whether there is such a rule.
            require_right(tx, actor, ACCESS_RULE, Action.WRITE)
            rule = _get(tx, name)
            if expected is not None and rule.position != expected:
                told = f"{rule.name} stands at position {rule.position} by now, not at {expected}; look at the order"
                raise Conflict(f"{told} again")
            return self.change_in(tx, actor, replace(rule, position=position))

    def delete_in(self, tx: Transaction, actor: Actor, name: str) -> None:
        """Delete a rule. Raises NotFound, NotPermitted, Invalid."""
        require_right(tx, actor, ACCESS_RULE, Action.DELETE)
        self._require_open()
        rule = _get(tx, name)
        tx.access_rules.delete(rule.id)
        order = [one.id for one in tx.access_rules.list_all()]
        tx.access_rules.arrange(order, actor.user, self.clock.now_us())
        note(tx, self.clock, actor, "access_rule.deleted", rule.name, detail=_told(rule))

    def load(
        self, actor: Actor, rules: Sequence[AccessRule], *, origin: str, dry_run: bool = False, operator: bool = False
    ) -> RuleChanges:
        """Put these rules in the place of all, in their order, in one transaction; those that say the same stay.

        Args:
            actor: Who.
            rules: The rules; ids, names and positions are ignored.
            origin: Where they come from, for the activity log.
            dry_run: Whether merely to tell what it comes to.
            operator: Whether they are those of the operator's file.

        Raises:
            NotPermitted: The actor may not make, change and delete rules.
            Invalid: What a rule cannot say, under names such as `3.roles`, the rules counted from 1.
        """
        if not operator:
            self._require_open()
        if dry_run:
            with read_as(self.store, actor) as tx:
                return self._compare(tx, actor, rules)
        judge_early(self.store, actor, lambda tx: self._compare(tx, actor, rules))
        with write_as(self.store, actor) as tx:
            changes = self._compare(tx, actor, rules)
            now_us = self.clock.now_us()
            for rule in changes.removed:
                tx.access_rules.delete(rule.id)
            order = [rule.id or tx.access_rules.add(rule, actor.user, now_us) for rule in changes.order]
            tx.access_rules.arrange(order, actor.user, now_us)
            if changes:
                told = f"{len(changes.added)} added, {len(changes.removed)} removed, {len(changes.moved)} moved"
                note(tx, self.clock, actor, "access_rule.loaded", ACCESS_RULE, detail=f"{told}, from {origin}")
        return changes

    def _compare(self, tx: Transaction, actor: Actor, rules: Sequence[AccessRule]) -> RuleChanges:
        for action in (Action.CREATE, Action.WRITE, Action.DELETE):
            require_right(tx, actor, ACCESS_RULE, action)
        if len(rules) > RULES_MAX:
            raise Invalid({"rules": f"there may be at most {RULES_MAX}"})
        wanted, present = _settle_all(tx, rules), tx.access_rules.list_all()
        left: dict[AccessRule, list[AccessRule]] = {}
        for rule in present:
            left.setdefault(_said(rule), []).append(rule)
        order = []
        for position, rule in enumerate(wanted, 1):
            same = left.get(_said(rule))
            order.append(replace(same.pop(0) if same else rule, position=position))
        stays = {rule.id for rule in order}
        before = [rule for rule in present if rule.id in stays]
        after = [rule for rule in order if rule.id]
        return RuleChanges(
            order=tuple(order),
            added=tuple(rule for rule in order if not rule.id),
            removed=tuple(rule for rule in present if rule.id not in stays),
            moved=tuple(new for old, new in zip(before, after, strict=True) if old.id != new.id),
        )

    def _require_open(self) -> None:
        if self.file is not None:
            told = f"the rules are the operator's, in {self.file}, and are changed there alone"
            raise Invalid({"access_rules": told})


def _place(position: int, last: int) -> int:
    return position if 1 <= position <= last else last


def _get(tx: Transaction, name: str) -> AccessRule:
    rule = tx.access_rules.find(name)
    if rule is None:
        raise NotFound(f"{ACCESS_RULE} {name[:140]} not found")
    return rule


def _settle(tx: Transaction, rule: AccessRule, *, had: frozenset[str] = frozenset()) -> AccessRule:
    settled = settle_rule(rule)
    if isinstance(settled, Mapping):
        raise Invalid(settled)
    for role in sorted(settled.roles - had):
        # What a rule named before its role was deleted by other means does not keep the rest from being changed.
        if not tx.roles.exists(role):
            raise Invalid({"roles": f"Could not find Role: {role}"}, Flaw.LINK)
    return settled


def _settle_all(tx: Transaction, rules: Sequence[AccessRule]) -> list[AccessRule]:
    settled: list[AccessRule] = []
    problems: dict[str, str] = {}
    for number, rule in enumerate(rules, 1):
        try:
            settled.append(_settle(tx, rule))
        except Invalid as error:
            problems |= {f"{number}.{name}": told for name, told in error.fields.items()}
    if problems:
        raise Invalid(problems)
    return settled


def _said(rule: AccessRule) -> AccessRule:
    return replace(rule, id=0, name="", position=0)


def _told(rule: AccessRule) -> str:
    return f"position {rule.position}: {summary_of(rule)}"
