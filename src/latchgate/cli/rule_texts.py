"""What commands print of access rules that were tried out or loaded from a file."""

from typing import TYPE_CHECKING

from latchgate.cli.output import Record, print_json, print_line

if TYPE_CHECKING:
    from latchgate.core.access_rules import AccessRule
    from latchgate.services.access_rules import RuleChanges
    from latchgate.services.rule_trials import RuleTrial

__all__ = ["print_changes", "print_trial", "trial_document"]

_PASSED_OVER_MAX = 30


def trial_document(trial: "RuleTrial") -> Record:
    """Give what would come of a request as one document."""
    from latchgate.services.rule_trials import describe

    return describe(trial)


def print_trial(trial: "RuleTrial") -> None:
    """Print what would come of a request, and why."""
    from latchgate.core.rule_explanations import credentials_of, summary_of
    from latchgate.services.rule_trials import decision_of

    explanation = trial.explanation
    for miss in explanation.misses[:_PASSED_OVER_MAX]:
        print_line(f"  {miss.rule.position:>3}  {miss.rule.name}  passed over: {miss.why}")
    if len(explanation.misses) > _PASSED_OVER_MAX:
        print_line(f"       and {len(explanation.misses) - _PASSED_OVER_MAX} more that were passed over")
    rule = explanation.match.rule
    if rule is not None:
        print_line(f"  {rule.position:>3}  {rule.name}  decides: {summary_of(rule)}")
        if credentials_of(rule):
            print_line(f"       {credentials_of(rule)}")
    if explanation.note:
        print_line(f"       {explanation.note}")
    print_line(f"{trial.method} {trial.host}{trial.target} as {trial.user}: {decision_of(trial)}.")


def print_changes(changes: "RuleChanges", *, dry_run: bool, as_json: bool) -> None:
    """Print what was or would be changed: + for what is added, - for what is removed, ~ for what is moved."""
    if as_json:
        lists = {"added": changes.added, "removed": changes.removed, "moved": changes.moved}
        document: Record = {name: [_document(rule) for rule in rules] for name, rules in lists.items()}
        print_json({**document, "rules": len(changes.order), "changed": bool(changes) and not dry_run})
        return
    for sign, rules in (("-", changes.removed), ("+", changes.added), ("~", changes.moved)):
        for rule in rules:
            print_line(f"{sign} {_line(rule)}")
    count = f"{len(changes.order)} {'rule' if len(changes.order) == 1 else 'rules'}"
    if not changes:
        print_line(f"Nothing is different: {count}.")
    elif dry_run:
        print_line(f"Nothing was changed; there would be {count}.")
    else:
        print_line(f"Loaded: {count}.")


def _line(rule: "AccessRule") -> str:
    from latchgate.core.rule_explanations import summary_of

    return f"{rule.position:>3}  {summary_of(rule)}"


def _document(rule: "AccessRule") -> Record:
    from latchgate.core.rule_explanations import summary_of

    return {"name": rule.name or None, "position": rule.position, "rule": summary_of(rule)}
