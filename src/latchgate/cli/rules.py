"""latchgate rule: who reaches the applications that stand behind Latchgate."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from latchgate.cli.arguments import JsonFlag, require_yes
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, print_fields, print_json, print_line, print_table
from latchgate.cli.records import list_records, read_record
from latchgate.cli.rule_options import Emptied, PositionOption, empty, takes_rule_fields
from latchgate.cli.rule_texts import print_changes, print_trial, trial_document

__all__ = ["app"]

app = typer.Typer(help="Access rules: who reaches protected applications.", no_args_is_help=True)

_RULE = "Access Rule"
_LISTS = "latchgate rule list"
_Rule = Annotated[str, typer.Argument(metavar="RULE", help="The rule's name, such as RULE-3.")]


@app.command(epilog='Example: latchgate rule create --host api.example.com --path "/reports/*" --role Reader')
@takes_rule_fields
def create(wanted: Record, position: PositionOption = None, as_json: JsonFlag = False) -> None:
    """Make a rule; without roles any user is let in, without scopes by credentials that are not limited."""
    from latchgate.services.actors import COMMAND_LINE

    if position is not None:
        wanted = {**wanted, "position": position}
    with open_instance("latchgate role list", makes=True) as latchgate:
        made = read_record(latchgate, _RULE, latchgate.documents.create(COMMAND_LINE, _RULE, wanted)["name"])
    _tell(made, f"Created {made['name']} at position {made['position']}: {_summary(made)}.", as_json=as_json)


@app.command("list", epilog="Example: latchgate rule list")
def list_rules(as_json: JsonFlag = False) -> None:
    """List the rules in their order: the first that a request falls under decides."""
    with open_instance() as latchgate:
        records = list_records(latchgate, _RULE, order_by="position asc")
    if as_json:
        print_json(records)
        return
    rows = [{**record, "rule": _summary(record)} for record in records]
    told = "There are no rules: every request for a protected application is refused. Make one: latchgate rule create"
    print_table(rows, ("position", "name", "rule"), empty=told)


@app.command(epilog="Example: latchgate rule show RULE-3")
def show(rule: _Rule, as_json: JsonFlag = False) -> None:
    """Show a rule."""
    with open_instance(_LISTS) as latchgate:
        record = read_record(latchgate, _RULE, rule.upper())
    print_json(record) if as_json else print_fields({**record, "rule": _summary(record)})


@app.command(epilog="Example: latchgate rule update RULE-3 --role Reader --role Editor")
@takes_rule_fields
def update(
    rule: _Rule,
    wanted: Record,
    clear: Annotated[
        list[Emptied] | None, typer.Option(metavar="FIELD", help=f"Take away {', '.join(Emptied)}; several times.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Let a rule say something else, from the next request on; what is not named stays."""
    from latchgate.services.actors import COMMAND_LINE

    wanted = empty(wanted, clear)
    if not wanted:
        raise typer.BadParameter("say what is to change, such as --role")
    with open_instance(_LISTS) as latchgate:
        latchgate.documents.update(COMMAND_LINE, _RULE, rule.upper(), wanted)
        changed = read_record(latchgate, _RULE, rule.upper())
    _tell(changed, f"{changed['name']} is now: {_summary(changed)}.", as_json=as_json)


@app.command(epilog="Example: latchgate rule move RULE-3 1")
def move(
    rule: _Rule,
    position: Annotated[int, typer.Argument(min=1, help="Where; beyond the last means the end.")],
    as_json: JsonFlag = False,
) -> None:
    """Put a rule at another place in the order."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        latchgate.access_rules.move(COMMAND_LINE, rule.upper(), position)
        moved = read_record(latchgate, _RULE, rule.upper())
    _tell(moved, f"{moved['name']} is at position {moved['position']}.", as_json=as_json)


@app.command(epilog="Example: latchgate rule delete RULE-3")
def delete(
    rule: _Rule,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal; elsewhere nothing is asked.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete a rule; what it was for falls under the rules after it."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        record = read_record(latchgate, _RULE, rule.upper())
    # Asked while nothing is held open: nobody knows how long the answer takes.
    if not yes and sys.stdin.isatty():
        require_yes(f"Delete {record['name']} ({_summary(record)})?")
    with open_instance(_LISTS) as latchgate:
        latchgate.documents.delete(COMMAND_LINE, _RULE, rule.upper())
    print_json({"name": record["name"]}) if as_json else print_line(f"Deleted {record['name']}.")


@app.command("test", epilog="Example: latchgate rule test GET https://api.example.com/reports/7 --as ann@example.com")
def try_out(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Such as GET.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The address, with or without https://.")],
    user: Annotated[str, typer.Option("--as", metavar="USER", help="Who asks; Guest is who has no credential.")] = (
        "Guest"
    ),
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="S", help="What the credential is limited to. Default: nothing."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Tell which rule a request falls under, why not those before it, and what is decided; nothing is sent."""
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.rule_trials import RuleTrials, TriedRequest

    with open_instance("latchgate user list") as latchgate:
        asked = TriedRequest(method, url, user, tuple(scopes or ()))
        trial = RuleTrials(latchgate.access_rules).try_out(COMMAND_LINE, asked)
    print_json(trial_document(trial)) if as_json else print_trial(trial)


@app.command(epilog="Example: latchgate rule load rules.toml --dry-run")
def load(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A TOML file. Default: that of LATCHGATE_ACCESS_RULES.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; tell what would change.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put the rules of a file in the place of all that there are, at once or not at all."""
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.rule_loading import load_rules

    with open_instance("latchgate role list") as latchgate:
        path = file or latchgate.settings.access_rules
        if path is None:
            raise typer.BadParameter("name a file", param_hint="FILE")
        changes = load_rules(latchgate.access_rules, COMMAND_LINE, path, dry_run=dry_run)
    print_changes(changes, dry_run=dry_run, as_json=as_json)


def _summary(record: Record) -> str:
    from latchgate.core.rule_explanations import summary_of
    from latchgate.core.rule_fields import rule_from

    return summary_of(rule_from(record))


def _tell(record: Record, sentence: str, *, as_json: bool) -> None:
    print_json(record) if as_json else print_line(sentence)
