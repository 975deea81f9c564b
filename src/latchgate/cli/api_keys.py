"""latchgate key: generate, list, rotate, revoke and import API keys."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import DURATIONS, JsonFlag, SourceOption, parse_duration, parse_limits, read_secret
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, format_time, print_fields, print_json, print_line, print_note, print_table
from latchgate.cli.records import list_records, read_key, read_record

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate
    from latchgate.services.api_keys import IssuedKey, Owner

__all__ = ["app"]

app = typer.Typer(help="API keys: a public key and a secret that is shown once.", no_args_is_help=True)

_USER_SOURCE = "User"
_OWNERS = "latchgate user list, latchgate source record list SOURCE"
_LIST = "latchgate key list"
_SHOWN_WHEN_ISSUED = (
    "api_key",
    "api_secret",
    "user",
    "source",
    "record",
    "label",
    "scopes",
    "allowed_networks",
    "limit_per_minute",
    "expires",
    "former_secret_until",
)

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
        record = _issued_record(latchgate, issued)
    if header:
        _print_header(issued)
    else:
        _print_issued(record, as_json=as_json)


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
    with open_instance(_OWNERS) as latchgate:
        filters = [] if ended else [["revoked", "is", "not set"]]
        if owner is not None:
            whose = _owner(owner, source)
            read_record(latchgate, whose.source, whose.record)
            filters += [["source", "=", whose.source], ["record", "=", whose.record]]
        elif source is not None:
            if source != _USER_SOURCE:
                latchgate.sources.require_source(source)
            filters += [["source", "=", source]]
        records = list_records(latchgate, "API Key", filters=filters, order_by="source asc, creation asc")
    records = [record for record in records if ended or record["status"] != "expired"]
    if as_json:
        print_json(records)
    else:
        columns = ("api_key", "source", "record", "label", "scopes", "expires", "last_used", "status")
        print_table(records, columns, empty="There are no keys. Make one: latchgate key generate USER")


@app.command(epilog="Example: latchgate key revoke lgk_04ZsgM4VWe9mNhTEk0d7P1V")
def revoke(api_key: _ApiKey, *, source: SourceOption = None, as_json: JsonFlag = False) -> None:
    """End a key, from the next request on and for good."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LIST) as latchgate:
        key = latchgate.api_keys.revoke(COMMAND_LINE, api_key, source=source)
        record = read_key(latchgate, key.key_id, key.source)
    print_json(record) if as_json else print_line(f"Revoked {key.key_id} of {key.owner.record}.")


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
        record = _issued_record(latchgate, issued)
    _print_issued(record, as_json=as_json)
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
        record = read_key(latchgate, key.key_id, key.source)
    print_json(record) if as_json else print_line(f"Imported {key.key_id} for {key.owner.record}.")


def _owner(name: str, source: str | None) -> "Owner":
    from latchgate.core.users import parse_user_name
    from latchgate.services.api_keys import Owner

    if source in (None, _USER_SOURCE):
        return Owner(_USER_SOURCE, parse_user_name(name) or name)
    return Owner(source, name)


def _issued_record(latchgate: "Latchgate", issued: "IssuedKey") -> Record:
    from latchgate.errors import LatchgateError

    named = dict.fromkeys(_SHOWN_WHEN_ISSUED)
    named |= {"api_key": issued.key.key_id, "source": issued.key.source, "user": issued.user}
    # The secret is shown this once, whatever happens to the rest.
    with suppress(LatchgateError):
        named = {**read_key(latchgate, issued.key.key_id, issued.key.source)}
    return {**named, "api_secret": issued.secret.text}


def _print_issued(record: Record, *, as_json: bool) -> None:
    if as_json:
        print_json(record)
        return
    print_fields({name: record[name] for name in _SHOWN_WHEN_ISSUED})
    print_note("The secret is not shown again. Keep it somewhere safe.")


def _print_header(issued: "IssuedKey") -> None:
    print_line(f"Authorization: token {issued.key.key_id}:{issued.secret.text}")
    if issued.key.source != _USER_SOURCE:
        print_line(f"Frappe-Authorization-Source: {issued.key.source}")
