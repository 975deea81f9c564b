"""latchgate role: the names that permissions are granted to, and who has them."""

from typing import Annotated

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.context import open_instance
from latchgate.cli.output import print_json, print_line, print_table

__all__ = ["app"]

app = typer.Typer(help="Roles: what permissions are granted to.", no_args_is_help=True)

_LISTS = "latchgate role list, latchgate user list"
_Role = Annotated[str, typer.Argument(metavar="ROLE", help="The role's name.")]
_User = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]


@app.command(epilog='Example: latchgate role create "Report Manager"')
def create(role: _Role, as_json: JsonFlag = False) -> None:
    """Create a role."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS, makes=True) as latchgate:
        name = latchgate.roles.create(COMMAND_LINE, role)
    if as_json:
        print_json({"name": name, "users": 0})
    else:
        print_line(f"Created the role {name}.")


@app.command("list", epilog="Example: latchgate role list")
def list_roles(as_json: JsonFlag = False) -> None:
    """List the roles, each with the number of users it was granted to."""
    with open_instance() as latchgate:
        records = [{"name": name, "users": users} for name, users in latchgate.roles.list_roles()]
    print_json(records) if as_json else print_table(records, ("name", "users"), empty="There are no roles.")


@app.command(epilog='Example: latchgate role show "System Manager"')
def show(role: _Role, as_json: JsonFlag = False) -> None:
    """List the users that a role was granted to."""
    with open_instance(_LISTS) as latchgate:
        users = latchgate.roles.show(role)
    if as_json:
        print_json({"name": role, "users": users})
    else:
        print_table([{"user": user} for user in users], ("user",), empty=f"Nobody was granted {role}.")


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
