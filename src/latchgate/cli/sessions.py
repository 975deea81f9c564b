"""latchgate session: where users are signed in, and the end of that."""

from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, format_time, print_json, print_line, print_table

if TYPE_CHECKING:
    from latchgate.core.sessions import StoredSession
    from latchgate.services.sessions import Ended

__all__ = ["app"]

app = typer.Typer(help="Sessions: where users are signed in.", no_args_is_help=True)

_LISTS = "latchgate user list"
_COLUMNS = ("session", "last_seen", "since", "ip_address", "second_factor", "user_agent")
_User = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]


@app.command("list", epilog="Example: latchgate session list ann@example.com")
def list_sessions(user: _User, as_json: JsonFlag = False) -> None:
    """List the sessions of a user that still open something, the one used last first."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        records = [_record(found) for found in latchgate.sessions.list_of(COMMAND_LINE, user)]
    print_json(records) if as_json else print_table(records, _COLUMNS, empty=f"{user} is signed in nowhere.")


@app.command(epilog="Example: latchgate session end ann@example.com --all")
def end(
    user: _User,
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="The one to end, as session list names it.")
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="End all of them, and sign-ins that wait for a code of the second factor.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """End one session of a user, or all of them, from the next request on. Keys and tokens stay."""
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.sessions import Ended

    if every == (session is not None):
        raise typer.BadParameter("name one session, or give --all", param_hint="SESSION")
    with open_instance(f"latchgate session list {user}" if session else _LISTS) as latchgate:
        if session is None:
            ended = latchgate.sessions.end_all_of(COMMAND_LINE, user)
        else:
            latchgate.sessions.end_of(COMMAND_LINE, user, session)
            ended = Ended(1, 0)
    if as_json:
        print_json({"user": user, "session": session, "ended": ended.sessions, "sign_ins": ended.sign_ins})
    else:
        print_line(_sentence(user, session, ended))


def _sentence(user: str, session: str | None, ended: "Ended") -> str:
    if session is not None:
        return f"Ended {session} of {user}."
    if not ended:
        return f"{user} was signed in nowhere."
    return f"Ended {ended} of {user}."


def _record(session: "StoredSession") -> Record:
    return {
        "session": session.public_id,
        "user": session.user.name,
        "since": format_time(session.created_at),
        "last_seen": format_time(session.last_seen_at),
        "ip_address": session.ip_address,
        "user_agent": session.user_agent,
        "second_factor": session.second_factor,
    }
