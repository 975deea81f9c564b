"""latchgate key: generate, list, rotate, revoke and import API keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import DURATIONS, JsonFlag, SourceOption, parse_duration, parse_limits, read_secret
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, format_time, print_fields, print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from latchgate.core.api_keys import StoredKey
    from latchgate.services.api_keys import IssuedKey, Owner
    from latchgate.services.port_values import LastUse

__all__ = ["app"]

app = typer.Typer(help="API keys: a public key and a secret that is shown once.", no_args_is_help=True)

_USER_SOURCE = "User"
_OWNERS = "latchgate user list, latchgate source record list SOURCE"
_LIST = "latchgate key list"

_Owner = Annotated[str, typer.Argument(metavar="USER|RECORD", help="To whom it belongs; a record with --source.")]
_ApiKey = Annotated[str, typer.Argument(metavar="API_KEY", help="The public half.")]
_Label = Annotated[str, typer.Option(metavar="L", help="What it is for.")]
_Expires = Annotated[
    int | None, typer.Option(metavar="T", parser=parse_duration, help=f"After what time it ends, {DURATIONS}.")
]
_Scope = Annotated[
    list[str] | None, typer.Option(metavar="S", help="What it is limited to; may be repeated. Default: all.")
]
_AllowIp = Annotated[
    list[str] | None,
    typer.Option(metavar="CIDR", help="From where it may be used; may be repeated. Default: anywhere."),
]
_Limit = Annotated[int | None, typer.Option(metavar="N", help="How many requests a minute it may make.")]


@app.command(epilog="Example: latchgate key generate ann@example.com --label backup --expires 90d")
def generate(
    owner: _Owner,
    *,
    source: SourceOption = None,
    label: _Label = "",
    expires: _Expires = None,
    scope: _Scope = None,
    allow_ip: _AllowIp = None,
    limit: _Limit = None,
    header: Annotated[bool, typer.Option("--header", help="Print the header lines alone, for curl -H @-.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Generate a key and show its secret, this once."""
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.api_keys import KeyOrder

    with open_instance(_OWNERS, makes=True) as latchgate:
        order = KeyOrder(label, parse_limits(latchgate.clock, expires, scope, allow_ip, limit))
        issued = latchgate.api_keys.generate(COMMAND_LINE, _owner(owner, source), order)
        now = latchgate.clock.now()
    if header:
        _print_header(issued)
    else:
        _print_issued(issued, now, as_json=as_json)


@app.command("list", epilog="Example: latchgate key list ann@example.com --json")
def list_keys(
    owner: Annotated[
        str | None, typer.Argument(metavar="[USER|RECORD]", help="Whose keys. Default: everybody's.")
    ] = None,
    source: SourceOption = None,
    ended: Annotated[bool, typer.Option("--all", help="List what was revoked or has expired too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List keys with their last use; never a secret."""
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.port_values import KeyFilter

    whose = _owner(owner, source) if owner else None
    wanted = KeyFilter(whose.source if whose else source, whose.record if whose else None, ended)
    with open_instance(_OWNERS) as latchgate:
        now = latchgate.clock.now()
        records = [_record(key, now, use) for key, use in latchgate.api_keys.list_keys(COMMAND_LINE, wanted)]
    if as_json:
        print_json(records)
    else:
        columns = ("api_key", "source", "owner", "label", "scopes", "expires", "last_used", "status")
        print_table(records, columns, empty="There are no keys. Make one: latchgate key generate USER")


@app.command(epilog="Example: latchgate key revoke lgk_04ZsgM4VWe9mNhTEk0d7P1V")
def revoke(api_key: _ApiKey, *, source: SourceOption = None, as_json: JsonFlag = False) -> None:
    """End a key, from the next request on and for good."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        key = latchgate.api_keys.revoke(COMMAND_LINE, api_key, source=source)
        now = latchgate.clock.now()
    if as_json:
        print_json(_record(key, now))
    else:
        print_line(f"Revoked {key.key_id} of {key.owner.record}.")


@app.command(epilog="Example: latchgate key rotate lgk_04ZsgM4VWe9mNhTEk0d7P1V --overlap 24h")
def rotate(
    api_key: _ApiKey,
    *,
    source: SourceOption = None,
    overlap: Annotated[
        int | None,
        typer.Option(metavar="T", parser=parse_duration, help="How much longer the former secret works. Default: not."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Give a key a new secret and show it, this once; of former secrets only the last one may still work.

    A second rotation within the overlap of the first ends the secret from before that first one at once.
    """
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        issued = latchgate.api_keys.rotate(COMMAND_LINE, api_key, source=source, overlap_seconds=overlap or 0)
        now = latchgate.clock.now()
    _print_issued(issued, now, as_json=as_json)
    if issued.ended_until is not None:
        until = format_time(issued.ended_until)
        print_note(f"The secret from before the last rotation, which would have worked until {until}, has ended now.")


@app.command("import", epilog="Example: latchgate key import ann@example.com 5d3f1a9be07c246 < secret.txt")
def import_key(
    owner: _Owner,
    api_key: _ApiKey,
    *,
    source: SourceOption = None,
    label: _Label = "",
    expires: _Expires = None,
    scope: _Scope = None,
    allow_ip: _AllowIp = None,
    limit: _Limit = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a key that was made elsewhere; its secret comes from a prompt or standard input, and only its hash stays."""
    from latchgate.services.actors import COMMAND_LINE
    from latchgate.services.api_keys import KeyOrder, PairText

    secret = read_secret("API Secret", from_stdin=False)
    with open_instance(_OWNERS, makes=True) as latchgate:
        order = KeyOrder(label, parse_limits(latchgate.clock, expires, scope, allow_ip, limit))
        pair = PairText(api_key, secret)
        key = latchgate.api_keys.import_key(COMMAND_LINE, _owner(owner, source), pair, order)
        now = latchgate.clock.now()
    if as_json:
        print_json(_record(key, now))
    else:
        print_line(f"Imported {key.key_id} for {key.owner.record}.")


def _owner(name: str, source: str | None) -> "Owner":
    from latchgate.core.users import parse_user_name
    from latchgate.services.api_keys import Owner

    if source in (None, _USER_SOURCE):
        return Owner(_USER_SOURCE, parse_user_name(name) or name)
    return Owner(source, name)


def _print_issued(issued: "IssuedKey", now: int, *, as_json: bool) -> None:
    record = {**_record(issued.key, now), "api_secret": issued.secret.text}
    if as_json:
        print_json(record)
        return
    names = (
        "user",
        "source",
        "owner",
        "label",
        "scopes",
        "allowed_addresses",
        "limit",
        "expires",
        "former_secret_until",
    )
    print_fields({name: record[name] for name in ("api_key", "api_secret", *names)})
    print_note("The secret is not shown again. Keep it somewhere safe.")


def _print_header(issued: "IssuedKey") -> None:
    print_line(f"Authorization: token {issued.key.key_id}:{issued.secret.text}")
    if issued.key.source != _USER_SOURCE:
        print_line(f"Frappe-Authorization-Source: {issued.key.source}")


def _record(key: "StoredKey", now: int, use: "LastUse | None" = None) -> Record:
    return {
        "api_key": key.key_id,
        "user": key.owner.user.name if key.owner.user else None,
        "source": key.source,
        "owner": key.owner.record,
        "label": key.label,
        "scopes": sorted(key.limits.scopes),
        "allowed_addresses": [str(network) for network in key.limits.networks],
        "limit": key.limits.per_minute,
        "expires": format_time(key.limits.expires_at),
        "created": format_time(key.creation / 1_000_000),
        "created_by": key.created_by,
        "former_secret_until": format_time(key.previous_until),
        "revoked": format_time(key.revoked_at),
        "last_used": format_time(use.time / 1_000_000) if use else None,
        "last_used_from": use.ip_address if use else None,
        "status": _status(key, now),
    }


def _status(key: "StoredKey", now: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.limits.expires_at is not None and key.limits.expires_at <= now:
        return "expired"
    if key.owner.user is None:
        return "no user"
    if not key.owner.user.enabled:
        return "user disabled"
    return "active" if key.owner.record_enabled else "record disabled"
