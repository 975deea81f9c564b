"""latchgate user: the people and programs that requests act as."""

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag, parse_networks_option, read_secret, require_yes
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, print_fields, print_json, print_line, print_table
from latchgate.cli.records import list_records, read_record

if TYPE_CHECKING:
    from latchgate.core.addresses import Network

__all__ = ["app"]

app = typer.Typer(help="Users: who a request acts as.", no_args_is_help=True)

_USER = "User"
_LIST = "latchgate user list"
_ANYWHERE = "any"
_Name = Annotated[str, typer.Argument(metavar="USER", help="Its e-mail address, or Administrator.")]
_PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
_FirstName = Annotated[str | None, typer.Option(metavar="N", help="First name.")]
_LastName = Annotated[str | None, typer.Option(metavar="N", help="Last name.")]
_After = Annotated[
    int | None,
    typer.Option(metavar="H", min=0, max=24, help="The hour of the day before which it is refused; 0: none."),
]
_Before = Annotated[
    int | None, typer.Option(metavar="H", min=0, max=24, help="The hour from which on it is refused; 0: none.")
]


class TypeOption(StrEnum):
    """The types of users, as they are typed."""

    SYSTEM = "system"
    WEBSITE = "website"


@app.command(epilog='Example: latchgate user create ann@example.com --role "System Manager"')
def create(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Its name, for good.")],
    *,
    first_name: _FirstName = None,
    last_name: _LastName = None,
    role: Annotated[list[str] | None, typer.Option(metavar="ROLE", help="A role to grant; may be repeated.")] = None,
    website: Annotated[bool, typer.Option("--website", help="Make a Website User, who may not use the desk.")] = False,
    allow_ip: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="From where it may act; may be repeated. Default: anywhere."),
    ] = None,
    login_after: _After = None,
    login_before: _Before = None,
    password_stdin: _PasswordStdin = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a user. Without a password it can use API keys but not sign in."""
    from latchgate.core.users import UserType
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.users import UserOrder

    order = UserOrder(
        name=email,
        first_name=first_name or "",
        last_name=last_name or "",
        user_type=UserType.WEBSITE if website else UserType.SYSTEM,
        roles=frozenset(role or []),
        restrict_ip=_networks(allow_ip) or (),
        login_after=login_after or 0,
        login_before=login_before or 0,
        password=read_secret("Password", from_stdin=True) if password_stdin else None,
    )
    with open_instance("latchgate role list, latchgate user list", makes=True) as latchgate:
        record = read_record(latchgate, _USER, latchgate.users.create(COMMAND_LINE, order).name)
    _tell(record, f"Created the user {record['name']}.", as_json=as_json)


@app.command("list", epilog="Example: latchgate user list --json")
def list_users(as_json: JsonFlag = False) -> None:
    """List the users."""
    with open_instance() as latchgate:
        records = list_records(latchgate, _USER)
    if as_json:
        print_json(records)
    else:
        print_table(records, ("name", "full_name", "user_type", "enabled", "roles"), empty="There are no users.")


@app.command(epilog="Example: latchgate user show ann@example.com")
def show(name: _Name, as_json: JsonFlag = False) -> None:
    """Show a user."""
    with open_instance(_LIST) as latchgate:
        record = read_record(latchgate, _USER, latchgate.users.get(name).name)
    print_json(record) if as_json else print_fields(record)


@app.command(epilog="Example: latchgate user change ann@example.com --allow-ip 10.0.0.0/8 --login-before 18")
def change(
    name: _Name,
    *,
    first_name: _FirstName = None,
    last_name: _LastName = None,
    user_type: Annotated[
        TypeOption | None, typer.Option("--type", help="system may use the desk, website may not.")
    ] = None,
    allow_ip: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="From where alone it may act; may be repeated. any: from anywhere."),
    ] = None,
    login_after: _After = None,
    login_before: _Before = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a user's names, type, allowed addresses and hours, from the next request on."""
    from latchgate.core.users import UserType
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.port_values import UserChanges

    types = {None: None, TypeOption.SYSTEM: UserType.SYSTEM, TypeOption.WEBSITE: UserType.WEBSITE}
    changes = UserChanges(
        first_name=first_name,
        last_name=last_name,
        user_type=types[user_type],
        restrict_ip=_networks(allow_ip),
        login_after=login_after,
        login_before=login_before,
    )
    if changes == UserChanges():
        raise typer.BadParameter("say what to change")
    with open_instance(_LIST) as latchgate:
        record = read_record(latchgate, _USER, latchgate.users.change(COMMAND_LINE, name, changes).name)
    _tell(record, f"Changed the user {record['name']}.", as_json=as_json)


@app.command(epilog="Example: latchgate user enable ann@example.com")
def enable(name: _Name, as_json: JsonFlag = False) -> None:
    """Let a user act again, from the next request on."""
    _set_enabled(name, enabled=True, as_json=as_json)


@app.command(epilog="Example: latchgate user disable ann@example.com")
def disable(name: _Name, as_json: JsonFlag = False) -> None:
    """Refuse a user's every credential, from the next request on."""
    _set_enabled(name, enabled=False, as_json=as_json)


@app.command(epilog="Example: latchgate user delete ann@example.com")
def delete(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal; elsewhere nothing is asked.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete a user with its keys, tokens and sessions; the log keeps its rows."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        record = read_record(latchgate, _USER, latchgate.users.get(name).name)
    # Asked while nothing is held open: nobody knows how long the answer takes.
    user = str(record["name"])
    if not yes and sys.stdin.isatty():
        require_yes(f"Delete the user {user} with its keys, tokens and sessions?")
    with open_instance(_LIST) as latchgate:
        ended = latchgate.users.delete(COMMAND_LINE, user)
    if as_json:
        print_json({**record, "ended": asdict(ended)})
    else:
        counts = f"{ended.api_keys} keys, {ended.access_tokens} tokens and {ended.sessions} sessions"
        print_line(f"Deleted the user {user}; {counts} have ended.")


@app.command("set-password", epilog="Example: latchgate user set-password ann@example.com")
def set_password(name: _Name, password_stdin: _PasswordStdin = False, as_json: JsonFlag = False) -> None:
    """Give a user a new password, asked for or from standard input, and end its sessions."""
    from latchgate.services.actors import COMMAND_LINE

    password = read_secret("New password", from_stdin=password_stdin, twice=True)
    with open_instance(_LIST, makes=True) as latchgate:
        latchgate.users.set_password(COMMAND_LINE, name, password)
        record = read_record(latchgate, _USER, latchgate.users.get(name).name)
    _tell(record, f"Set the password of {record['name']}; its sessions have ended.", as_json=as_json)


@app.command("reset-second-factor", epilog="Example: latchgate user reset-second-factor ann@example.com")
def reset_second_factor(name: _Name, as_json: JsonFlag = False) -> None:
    """End a user's second factor, which they lost, with their sessions; Administrator's too."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        user = latchgate.users.get(name).name
        ended = latchgate.second_factors.end_for(COMMAND_LINE, user)
        record = read_record(latchgate, _USER, user)
    told = f"Ended the second factor of {user}; its sessions have ended." if ended else f"{user} has no second factor."
    _tell(record, told, as_json=as_json)


@app.command("setup-link", epilog="Example: latchgate user setup-link")
def setup_link(as_json: JsonFlag = False) -> None:
    """Print a new one-time link that sets Administrator's first password; an older one ends."""
    from latchgate.errors import Conflict

    with open_instance("latchgate user set-password Administrator", makes=True) as latchgate:
        link = latchgate.sign_in.make_setup_link()
        if link is None:
            raise Conflict("Administrator has a password already")
        url = latchgate.setup_url(link)
    if as_json:
        print_json({"user": "Administrator", "url": url})
    else:
        print_line(url)


def _set_enabled(name: str, *, enabled: bool, as_json: bool) -> None:
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        user = latchgate.users.set_enabled(COMMAND_LINE, name, enabled=enabled)
        record = read_record(latchgate, _USER, user.name)
    _tell(record, f"{'Enabled' if enabled else 'Disabled'} the user {user.name}.", as_json=as_json)


def _networks(allow_ip: list[str] | None) -> "tuple[Network, ...] | None":
    """Read from where a user may act; None where nothing is said of it."""
    if not allow_ip:
        return None
    if _ANYWHERE not in allow_ip:
        return parse_networks_option(allow_ip)
    if len(allow_ip) > 1:
        raise typer.BadParameter(f"{_ANYWHERE} stands alone", param_hint="--allow-ip")
    return ()


def _tell(record: Record, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        print_line(sentence)
