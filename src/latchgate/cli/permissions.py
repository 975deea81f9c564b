"""latchgate permission: what roles may do to records."""

from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.context import next_step, open_instance
from latchgate.cli.output import Record, print_json, print_line, print_table
from latchgate.cli.records import list_records, read_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from latchgate.bootstrap import Latchgate
    from latchgate.core.permissions import Action, Grant

__all__ = ["app", "print_matrix"]

app = typer.Typer(help="Permissions: what a role may do to records.", no_args_is_help=True)

_LISTS = "latchgate role list, latchgate permission list"
_PERMISSION = "Role Permission"
_COLUMNS = ("read", "write", "create", "delete")
_NOTHING = dict.fromkeys(_COLUMNS, False)
_Role = Annotated[str, typer.Argument(metavar="ROLE", help="The role's name.")]
_DocType = Annotated[str, typer.Argument(metavar="DOCTYPE", help="A document type, such as User or 'API Key'.")]
_Read = Annotated[bool, typer.Option("--read", help="Reading. Without any of the four, all four are meant.")]
_Write = Annotated[bool, typer.Option("--write", help="Changing.")]
_Create = Annotated[bool, typer.Option("--create", help="Making.")]
_Delete = Annotated[bool, typer.Option("--delete", help="Deleting; of an API key, revoking.")]
_Own = Annotated[bool, typer.Option("--own", help="Only one's own records.")]


@app.command(epilog='Example: latchgate permission grant "Report Manager" "API Request Log" --read')
def grant(  # noqa: PLR0917  # options of a command
    role: _Role,
    doctype: _DocType,
    read: _Read = False,
    write: _Write = False,
    create: _Create = False,
    delete: _Delete = False,
    own: _Own = False,
    as_json: JsonFlag = False,
) -> None:
    """Let a role do something to the records of a document type, from the next request on."""
    from latchgate.core.permissions import Grant
    from latchgate.errors import Invalid
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.permissions import grant_name

    wanted = Grant(role, doctype, own, _actions(read, write, create, delete))
    with open_instance(_LISTS) as latchgate:
        try:
            granted = latchgate.permissions.grant(COMMAND_LINE, wanted)
        except Invalid as error:
            if "document_type" in error.fields:
                error.add_note(_types(latchgate))
            raise
        record = read_record(latchgate, _PERMISSION, grant_name(granted))
    if as_json:
        print_json(record)
    else:
        print_line(f"{granted.role} may now {_told(granted.actions)} {_whose(granted)}.")


@app.command(epilog='Example: latchgate permission revoke "Report Manager" "API Request Log"')
def revoke(  # noqa: PLR0917  # options of a command
    role: _Role,
    doctype: _DocType,
    read: _Read = False,
    write: _Write = False,
    create: _Create = False,
    delete: _Delete = False,
    own: _Own = False,
    as_json: JsonFlag = False,
) -> None:
    """Take a right from a role, from the next request on."""
    from latchgate.core.permissions import Grant
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.permissions import grant_name

    actions = _actions(read, write, create, delete)
    with open_instance(_LISTS) as latchgate:
        before = read_record(latchgate, _PERMISSION, grant_name(Grant(role, doctype, own, actions)))
        left = latchgate.permissions.revoke(COMMAND_LINE, role, doctype, if_owner=own, actions=actions)
        record = read_record(latchgate, _PERMISSION, grant_name(left)) if left else {**before, **_NOTHING}
    left = left or Grant(role, doctype, own, frozenset())
    if as_json:
        print_json(record)
    elif left.actions:
        print_line(f"{role} may still {_told(left.actions)} {_whose(left)}.")
    else:
        print_line(f"{role} has no right to {_whose(left)} by this permission any more.")


@app.command("list", epilog='Example: latchgate permission list --doctype "API Key"')
def list_permissions(
    role: Annotated[str | None, typer.Option(help="Of this role alone.", metavar="ROLE")] = None,
    doctype: Annotated[str | None, typer.Option(help="On this document type alone.", metavar="DOCTYPE")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the permissions, the matrix of roles and document types."""
    from latchgate.errors import NotFound
    from latchgate.services.actors import COMMAND_LINE

    asked = {"role": role, "document_type": doctype}
    with open_instance(_LISTS) as latchgate:
        if role is not None:
            latchgate.roles.show(role)
        if doctype is not None:
            with next_step(_types(latchgate), NotFound):
                latchgate.documents.get_type(COMMAND_LINE, doctype)
        filters = {name: value for name, value in asked.items() if value is not None}
        grants = list_records(latchgate, _PERMISSION, filters=filters)
    if as_json:
        print_json(grants)
    else:
        print_matrix(grants, empty="There are no such permissions.")


def print_matrix(grants: "Iterable[Record]", *, empty: str) -> None:
    """Print permissions as a table: where a right is for one's own records only, it says so."""
    rows = [
        {
            **found,
            **{action: ("own" if found["if_owner"] else "all") if found[action] else "-" for action in _COLUMNS},
        }
        for found in grants
    ]
    print_table(rows, ("document_type", "role", *_COLUMNS), empty=empty)


def _types(latchgate: "Latchgate") -> str:
    """Tell which document types there are, for whoever named another."""
    from latchgate.core.documents import DOCUMENT_TYPES

    sources = (str(found["name"]) for found in list_records(latchgate, "Authorization Source"))
    return f"document types: {', '.join(sorted({*DOCUMENT_TYPES, *sources}))}"


def _actions(read: bool, write: bool, create: bool, delete: bool) -> "frozenset[Action]":
    from latchgate.core.permissions import EVERY_ACTION, Action

    wanted = {Action.READ: read, Action.WRITE: write, Action.CREATE: create, Action.DELETE: delete}
    return frozenset(action for action, named in wanted.items() if named) or EVERY_ACTION


def _told(actions: "frozenset[Action]") -> str:
    return ", ".join(action for action in _COLUMNS if action in actions)


def _whose(grant: "Grant") -> str:
    return f"their own records of {grant.doctype}" if grant.if_owner else f"all records of {grant.doctype}"
