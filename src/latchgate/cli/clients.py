"""latchgate client: make, list, show, rotate, revoke and delete OAuth clients."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag, parse_duration, require_yes
from latchgate.cli.client_arguments import (
    SHORT_GRANTS,
    AlgorithmOption,
    MethodOption,
    choose_grants,
    naming_options,
    parse_client_scopes,
    parse_grant,
    parse_method,
    read_keys,
)
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, format_time, print_fields, print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from latchgate.core.clients import StoredClient
    from latchgate.services.clients import NewlyMadeClient

__all__ = ["app"]

app = typer.Typer(help="OAuth clients: the programs that ask for tokens.", no_args_is_help=True)

_LIST = "latchgate client list"
_LINKED = "latchgate user list, latchgate role list"
_MICROSECONDS = 1_000_000
_Client = Annotated[str, typer.Argument(metavar="CLIENT", help="Its client_id.")]


@app.command(epilog='Example: latchgate client create "Shop" --redirect-uri https://shop.example.com/callback')
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What users read where they allow it.")],
    *,
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(metavar="URI", help="Where users come back to; for the authorization code. May be repeated."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="It can keep no secret: an app, a page, a command line.")
    ] = False,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="G",
            parser=parse_grant,
            help="code, refresh, client-credentials or device; may be repeated. Default: code and refresh.",
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="S", help="What it may ask for; may be repeated. Default: all and openid."),
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="U", help="Whom it runs as by client credentials, which this adds.")
    ] = None,
    auth_method: Annotated[
        MethodOption | None,
        typer.Option(metavar="M", help=f"{', '.join(MethodOption)}. Default: client_secret_basic."),
    ] = None,
    jwks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its public keys, a JSON Web Key Set, for private_key_jwt.")
    ] = None,
    allowed_role: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE", help="Who may sign in through it; may be repeated. Default: everybody."),
    ] = None,
    trusted: Annotated[bool, typer.Option("--trusted", help="Its users are not asked whether they allow it.")] = False,
    no_pkce: Annotated[bool, typer.Option("--no-pkce", help="It need not send a code challenge.")] = False,
    resource: Annotated[
        list[str] | None,
        typer.Option(metavar="URI", help="The protected resource that it is, such as an MCP server; may be repeated."),
    ] = None,
    post_logout_redirect_uri: Annotated[
        list[str] | None,
        typer.Option(metavar="URI", help="Where users may come back to after a log-out; may be repeated."),
    ] = None,
    client_uri: Annotated[str, typer.Option(metavar="URI", help="Its web page.")] = "",
    id_token_alg: Annotated[
        AlgorithmOption,
        typer.Option(metavar="RS256|ES256", case_sensitive=False, help="What its ID tokens are signed with."),
    ] = AlgorithmOption.RS256,
    as_json: JsonFlag = False,
) -> None:
    """Make a client and show its secret, this once.

    With --user alone it is for client credentials, with --resource alone it only asks what tokens are.
    """
    from latchgate.core.clients import SigningAlgorithm
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.client_orders import ClientOrder

    redirects, resources = tuple(redirect_uri or ()), tuple(resource or ())
    order = ClientOrder(
        app_name=name,
        redirect_uris=redirects,
        auth_method=parse_method(auth_method, public=public, keys=jwks),
        grant_types=choose_grants(grant, user=user, redirects=bool(redirects), resources=bool(resources)),
        scopes=parse_client_scopes(scope),
        user=user,
        allowed_roles=frozenset(allowed_role or ()),
        skip_authorization=trusted,
        require_pkce=not no_pkce,
        id_token_alg=SigningAlgorithm(id_token_alg.value),
        client_uri=client_uri,
        post_logout_redirect_uris=tuple(post_logout_redirect_uri or ()),
        resources=resources,
        jwks=read_keys(jwks),
    )
    with open_instance(_LINKED, makes=True) as latchgate, naming_options():
        made = latchgate.clients.create(COMMAND_LINE, order)
    _print_made(made, as_json=as_json)


@app.command("list", epilog="Example: latchgate client list --json")
def list_clients(
    ended: Annotated[bool, typer.Option("--all", help="List what was revoked too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the clients by name; never a secret."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance() as latchgate:
        clients = latchgate.clients.list_all(COMMAND_LINE)
    records = [_record(client) for client in clients if ended or client.revoked_at is None]
    if as_json:
        print_json(records)
    else:
        columns = ("client_id", "app_name", "auth_method", "grants", "scopes", "user", "status")
        shown = [{**record, "grants": _short(record["grant_types"])} for record in records]
        print_table(shown, columns, empty="There are no clients. Make one: latchgate client create NAME")


@app.command(epilog="Example: latchgate client show 3f9c2a71d05be8460c17")
def show(client: _Client, as_json: JsonFlag = False) -> None:
    """Show a client; never its secret."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        record = _record(latchgate.clients.get(COMMAND_LINE, client))
    print_json(record) if as_json else print_fields(record)


@app.command(epilog="Example: latchgate client rotate 3f9c2a71d05be8460c17 --overlap 24h")
def rotate(
    client: _Client,
    *,
    overlap: Annotated[
        int | None,
        typer.Option(
            metavar="T",
            parser=parse_duration,
            help="How much longer the former secret works, 30 days at most. Default: not.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Give a client a new secret and show it, this once; of former secrets only the last one may still work."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate, naming_options():
        made = latchgate.clients.rotate(COMMAND_LINE, client, overlap_seconds=overlap or 0)
    _print_made(made, as_json=as_json)


@app.command(epilog="Example: latchgate client revoke 3f9c2a71d05be8460c17")
def revoke(client: _Client, as_json: JsonFlag = False) -> None:
    """End a client and all tokens that were issued to it, from the next request on and for good."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        ended = latchgate.clients.revoke(COMMAND_LINE, client)
    print_json(_record(ended)) if as_json else print_line(f"Revoked {ended.client_id}, {ended.app_name}.")


@app.command(epilog="Example: latchgate client delete 3f9c2a71d05be8460c17")
def delete(
    client: _Client,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal; elsewhere nothing is asked.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete a client with all that was issued to it; the log keeps its rows."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        name = latchgate.clients.get(COMMAND_LINE, client).app_name
    # Asked while nothing is held open: nobody knows how long the answer takes.
    if not yes and sys.stdin.isatty():
        require_yes(f"Delete the client {client}, {name}, with its tokens and consents?")
    with open_instance(_LIST) as latchgate:
        latchgate.clients.delete(COMMAND_LINE, client)
    print_json({"client_id": client, "app_name": name}) if as_json else print_line(f"Deleted {client}, {name}.")


def _record(client: "StoredClient") -> Record:
    return {
        "client_id": client.client_id,
        "app_name": client.app_name,
        "auth_method": client.auth_method.value,
        "public": client.public,
        "grant_types": sorted(client.grant_types),
        "redirect_uris": list(client.redirect_uris),
        "post_logout_redirect_uris": list(client.post_logout_redirect_uris),
        "scopes": sorted(client.scopes),
        "resources": list(client.resources),
        "user": client.user.name if client.user else None,
        "allowed_roles": sorted(client.allowed_roles),
        "skip_authorization": client.skip_authorization,
        "require_pkce": client.require_pkce,
        "id_token_alg": client.id_token_alg.value,
        "client_uri": client.client_uri,
        "registered": client.registered,
        "former_secret_until": format_time(client.previous_until),
        "owner": client.owner,
        "creation": format_time(client.creation / _MICROSECONDS),
        "revoked": format_time(client.revoked_at),
        "status": "active" if client.revoked_at is None else "revoked",
    }


def _short(grants: object) -> list[str]:
    names = {long: short for short, long in SHORT_GRANTS.items()}
    return [names[grant] for grant in grants] if isinstance(grants, list) else []


def _print_made(made: "NewlyMadeClient", *, as_json: bool) -> None:
    record = _record(made.client)
    if made.secret:
        record = {"client_id": record["client_id"], "client_secret": made.secret.text, **record}
    if as_json:
        print_json(record)
        return
    print_fields(record)
    if made.secret:
        print_note("The secret is not shown again. Keep it somewhere safe.")
