"""latchgate role: the names that permissions are granted to, and who has them."""

import sys
from typing import Annotated

import typer

from latchgate.cli.arguments import JsonFlag, require_yes
from latchgate.cli.context import open_instance
from latchgate.cli.output import print_json, print_line, print_table
from latchgate.cli.permissions import print_matrix
from latchgate.cli.records import list_records, read_record

__all__ = ["app"]

app = typer.Typer(help="Roles: what permissions are granted to.", no_args_is_help=True)

_ROLE = "Role"
_LISTS = "latchgate role list, latchgate user list"
_GIVE_SOME = "Give it some: latchgate permission grant"
_WITHOUT_PERMISSIONS = {"Guest": "Guest may hold no permissions: nobody without a credential reaches records."}
_AUTOMATIC = frozenset({"All", "Guest", "Desk User"})
_Role = Annotated[str, typer.Argument(metavar="ROLE", help="The role's name.")]
_User = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]


@app.command(epilog='Example: latchgate role create "Report Manager"')
def create(
    role: _Role,
    *,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Let its users sign in with a second factor alone.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a role."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS, makes=True) as latchgate:
        name = latchgate.roles.create(COMMAND_LINE, role)
        if second_factor:
            latchgate.roles.require_second_factor(COMMAND_LINE, name, required=True)
        made = read_record(latchgate, _ROLE, name)
    print_json({**made, "users": []}) if as_json else print_line(f"Created the role {made['name']}.")


@app.command(epilog='Example: latchgate role change "System Manager" --second-factor')
def change(
    role: _Role,
    *,
    second_factor: Annotated[
        bool,
        typer.Option("--second-factor/--no-second-factor", help="Whether its users sign in with a second factor."),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Let a role require a second factor at sign-in, or not; whoever has none sets one up at their next sign-in."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        latchgate.roles.require_second_factor(COMMAND_LINE, role, required=second_factor)
        record = read_record(latchgate, _ROLE, role)
    told = f"{role} requires {'a' if second_factor else 'no'} second factor."
    print_json(record) if as_json else print_line(told)


@app.command("list", epilog="Example: latchgate role list")
def list_roles(as_json: JsonFlag = False) -> None:
    """List the roles, each with the number of users it was granted to."""
    with open_instance() as latchgate:
        counts = dict(latchgate.roles.list_roles())
        records = [{**found, "users": counts[str(found["name"])]} for found in list_records(latchgate, _ROLE)]
    print_json(records) if as_json else print_table(records, ("name", "users"), empty="There are no roles.")


@app.command(epilog='Example: latchgate role show "System Manager"')
def show(role: _Role, as_json: JsonFlag = False) -> None:
    """Show what a role may do to records, and the users that it was granted to."""
    with open_instance(_LISTS) as latchgate:
        users = latchgate.roles.show(role)
        record = read_record(latchgate, _ROLE, role)
        grants = list_records(latchgate, "Role Permission", filters={"role": role})
    if as_json:
        print_json({**record, "users": users, "permissions": grants})
        return
    print_matrix(grants, empty=_WITHOUT_PERMISSIONS.get(role, f"{role} has no permissions. {_GIVE_SOME}"))
    if grants and users:
        print_line("")
    told = f"{role} comes by itself; it is not granted." if role in _AUTOMATIC else f"Nobody was granted {role}."
    print_table([{"user": user} for user in users], ("user",), empty=told)


@app.command(epilog='Example: latchgate role delete "Report Manager"')
def delete(
    role: _Role,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal; elsewhere nothing is asked.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete a role with its permissions; whoever had it has it no more."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        users = len(latchgate.roles.show(role))
    # Asked while nothing is held open: nobody knows how long the answer takes.
    if not yes and sys.stdin.isatty():
        holders = "which 1 user has" if users == 1 else f"which {users} users have"
        require_yes(f"Delete the role {role}, {holders}, with its permissions?")
    with open_instance(_LISTS) as latchgate:
        latchgate.roles.delete(COMMAND_LINE, role)
    print_json({"name": role, "users": users}) if as_json else print_line(f"Deleted the role {role}.")


@app.command(epilog='Example: latchgate role grant ann@example.com "System Manager"')
def grant(user: _User, role: _Role, as_json: JsonFlag = False) -> None:
    """Grant a role to a user."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        changed = latchgate.roles.grant(COMMAND_LINE, user, role)
    sentence = f"Granted {role} to {user}." if changed else f"{user} had {role} already."
    _tell(user, role, sentence, changed=changed, as_json=as_json)


@app.command(epilog='Example: latchgate role revoke ann@example.com "System Manager"')
def revoke(user: _User, role: _Role, as_json: JsonFlag = False) -> None:
    """Take a role from a user, from the next request on."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        changed = latchgate.roles.revoke(COMMAND_LINE, user, role)
    sentence = f"Took {role} from {user}." if changed else f"{user} did not have {role}."
    _tell(user, role, sentence, changed=changed, as_json=as_json)


def _tell(user: str, role: str, sentence: str, *, changed: bool, as_json: bool) -> None:
    if as_json:
        print_json({"user": user, "role": role, "changed": changed})
    else:
        print_line(sentence)
