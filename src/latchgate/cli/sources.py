"""latchgate source: the document types whose records own keys, and those records."""

from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, print_json, print_line, print_table
from latchgate.cli.records import list_records, read_record

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate

__all__ = ["app"]

app = typer.Typer(help="Authorization sources: document types that own keys.", no_args_is_help=True)
records_app = typer.Typer(help="The records of a source: what its keys belong to.", no_args_is_help=True)
app.add_typer(records_app, name="record")

_SOURCE = "Authorization Source"
_LISTS = "latchgate source list, latchgate source record list SOURCE"
_Source = Annotated[str, typer.Argument(metavar="SOURCE", help="The document type, such as API Device.")]
_RecordName = Annotated[str, typer.Argument(metavar="RECORD", help="The record's name.")]


@app.command(epilog='Example: latchgate source create "API Device"')
def create(source: _Source, as_json: JsonFlag = False) -> None:
    """Define a document type whose records own keys."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance("latchgate source list", makes=True) as latchgate:
        made = read_record(latchgate, _SOURCE, latchgate.sources.create(COMMAND_LINE, source))
    if as_json:
        print_json({**made, "records": 0})
    else:
        print_line(f"Created the source {made['name']}. Requests name it in the header Frappe-Authorization-Source.")


@app.command("list", epilog="Example: latchgate source list")
def list_sources(as_json: JsonFlag = False) -> None:
    """List the sources, each with the number of its records."""
    with open_instance() as latchgate:
        counts = dict(latchgate.sources.list_sources())
        records = [{**found, "records": counts[str(found["name"])]} for found in list_records(latchgate, _SOURCE)]
    print_json(records) if as_json else print_table(records, ("name", "records"), empty="There are no sources.")


@records_app.command(
    "create", epilog='Example: latchgate source record create "API Device" dev-1 --user ann@example.com'
)
def create_record(
    source: _Source,
    record: _RecordName,
    user: Annotated[
        str | None, typer.Option(metavar="U", help="Whose requests its keys make. Nobody's: refused.")
    ] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Its keys do not work until it is enabled.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a record that keys can be generated for."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance("latchgate source list, latchgate user list", makes=True) as latchgate:
        name = latchgate.sources.create_record(COMMAND_LINE, source, record, user, enabled=not disabled).name
        made = _read(latchgate, source, name)
    _tell(made, f"Created {source} {name}.", as_json=as_json)


@records_app.command("list", epilog='Example: latchgate source record list "API Device"')
def list_source_records(source: _Source, as_json: JsonFlag = False) -> None:
    """List the records of a source."""
    with open_instance(_LISTS) as latchgate:
        latchgate.sources.require_source(source)
        records = [{"source": source, **found} for found in list_records(latchgate, source)]
    if as_json:
        print_json(records)
    else:
        print_table(records, ("name", "user", "enabled"), empty=f"{source} has no records.")


@records_app.command("disable", epilog='Example: latchgate source record disable "API Device" dev-1')
def disable_record(source: _Source, record: _RecordName, as_json: JsonFlag = False) -> None:
    """Refuse a record's keys, from the next request on."""
    _enable(source, record, enabled=False, as_json=as_json)


@records_app.command("enable", epilog='Example: latchgate source record enable "API Device" dev-1')
def enable_record(source: _Source, record: _RecordName, as_json: JsonFlag = False) -> None:
    """Let a record's keys work again."""
    _enable(source, record, enabled=True, as_json=as_json)


@records_app.command(
    "change", epilog='Example: latchgate source record change "API Device" dev-1 --user ann@example.com'
)
def change_record(
    source: _Source,
    record: _RecordName,
    user: Annotated[str | None, typer.Option(help="Whom its keys' requests run as.", metavar="USER")] = None,
    no_user: Annotated[bool, typer.Option("--no-user", help="Nobody: its keys are refused.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Have a record's keys run as another user, from the next request on."""
    from latchgate.services.actors import COMMAND_LINE

    if (user is None) is not no_user:
        raise typer.BadParameter("give one of --user and --no-user")
    with open_instance(f"{_LISTS}, latchgate user list") as latchgate:
        latchgate.sources.require_source(source)
        latchgate.documents.update(COMMAND_LINE, source, record, {"user": user})
        changed = _read(latchgate, source, record)
    _tell(changed, f"{source} {record} runs as {changed['user'] or 'nobody'}.", as_json=as_json)


@records_app.command("delete", epilog='Example: latchgate source record delete "API Device" dev-1')
def delete_record(source: _Source, record: _RecordName, as_json: JsonFlag = False) -> None:
    """Delete a record with its keys."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        latchgate.sources.delete_record(COMMAND_LINE, source, record)
    print_json({"source": source, "name": record}) if as_json else print_line(f"Deleted {source} {record}.")


@app.command("delete", epilog='Example: latchgate source delete "API Device"')
def delete_source(source: _Source, as_json: JsonFlag = False) -> None:
    """Delete a source that has no records, with the permissions on them."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        latchgate.sources.delete(COMMAND_LINE, source)
    print_json({"name": source}) if as_json else print_line(f"Deleted the source {source}.")


def _enable(source: str, name: str, *, enabled: bool, as_json: bool) -> None:
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        found = latchgate.sources.enable_record(COMMAND_LINE, source, name, enabled=enabled)
        record = _read(latchgate, source, found.name)
    _tell(record, f"{'Enabled' if enabled else 'Disabled'} {found.source} {found.name}.", as_json=as_json)


def _read(latchgate: "Latchgate", source: str, name: str) -> Record:
    return {"source": source, **read_record(latchgate, source, name)}


def _tell(record: Record, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        print_line(sentence)
