"""latchgate token: import and revoke access tokens that were issued elsewhere."""

from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import DURATIONS, JsonFlag, parse_duration, read_secret
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, format_time, print_json, print_line

if TYPE_CHECKING:
    from latchgate.core.access_tokens import StoredToken

__all__ = ["app"]

app = typer.Typer(help="Access tokens that were issued elsewhere.", no_args_is_help=True)

_DEFAULT_SECONDS = 3600


@app.command("import", epilog="Example: latchgate token import ann@example.com --expires 90d < token.txt")
def import_token(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose requests it makes.")],
    *,
    client: Annotated[str, typer.Option(metavar="C", help="The client it was issued to.")] = "",
    expires: Annotated[
        int | None,
        typer.Option(metavar="T", parser=parse_duration, help=f"After what time it ends, {DURATIONS}. Default: 1h."),
    ] = None,
    scope: Annotated[list[str] | None, typer.Option(metavar="S", help="What it is limited to. Default: all.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take an access token as it is, from a prompt or standard input; only its hash stays."""
    from latchgate.core.scopes import parse_scopes
    from latchgate.services.access_tokens import TokenOrder
    from latchgate.services.actors import COMMAND_LINE

    scopes = parse_scopes(scope or [])
    if isinstance(scopes, str):
        raise typer.BadParameter(scopes, param_hint="--scope")
    token = read_secret("Access token", from_stdin=False)
    with open_instance("latchgate user list", makes=True) as latchgate:
        expires_at = latchgate.clock.now() + (expires or _DEFAULT_SECONDS)
        order = TokenOrder(token, user, client, scopes, expires_at)
        stored = latchgate.access_tokens.import_token(COMMAND_LINE, order)
    _tell(stored, f"Imported {stored.public_id} for {stored.user.name}.", as_json=as_json)


@app.command(epilog="Example: latchgate token revoke < token.txt")
def revoke(as_json: JsonFlag = False) -> None:
    """End the access token that a prompt or standard input gives, from the next request on."""
    from latchgate.services.actors import COMMAND_LINE

    token = read_secret("Access token", from_stdin=False)
    with open_instance() as latchgate:
        stored = latchgate.access_tokens.revoke(COMMAND_LINE, token)
    _tell(stored, f"Revoked {stored.public_id} of {stored.user.name}.", as_json=as_json)


def _record(token: "StoredToken") -> Record:
    return {
        "token": token.public_id,
        "user": token.user.name,
        "client": token.client,
        "scopes": sorted(token.scopes),
        "issued": format_time(token.issued_at),
        "expires": format_time(token.expires_at),
        "revoked": format_time(token.revoked_at),
    }


def _tell(token: "StoredToken", sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_record(token))
    else:
        print_line(sentence)
