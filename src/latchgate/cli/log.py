"""latchgate log: search the request log, follow it, export it; list the activity log."""

import json
import os
import select
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from latchgate.cli.arguments import DURATIONS, JsonFlag, parse_duration
from latchgate.cli.context import open_instance
from latchgate.cli.log_tables import ActivityTable, LogTable
from latchgate.cli.output import print_json, print_line, print_note

if TYPE_CHECKING:
    from latchgate.core.log_entries import LogEntry
    from latchgate.services.port_values import LogQuery
    from latchgate.services.ports import RequestLog

__all__ = ["app"]

app = typer.Typer(
    name="log", help="The request log: who asked for what, and what came of it; the activity log.", no_args_is_help=True
)

_TAIL_ROWS = 10
_TAIL_WAIT_SECONDS = 0.2
_PROGRESS_ROWS = 1000
_ROWS_AT_A_TIME = 100
_EPOCH = datetime.fromtimestamp(0, UTC)


class ExportFormat(StrEnum):
    """What an export is written in."""

    JSON_LINES = "jsonl"
    CSV = "csv"


def parse_moment(text: str) -> int:
    """Read a time that is so long ago, or stands in ISO 8601 (UTC if it names no zone), as microseconds since 1970.

    Raises:
        typer.BadParameter: It is neither.
    """
    from latchgate.services.clock import SystemClock

    with suppress(ValueError):
        moment = datetime.fromisoformat(text.strip())
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
    try:
        return SystemClock().now_us() - parse_duration(text) * 1_000_000
    except typer.BadParameter:
        raise typer.BadParameter(
            f"'{text[:40]}' is neither a time such as 2026-05-01 or 2026-05-01T12:30Z nor a duration {DURATIONS}"
        ) from None


def _parse_host(text: str) -> str:
    from latchgate.core.hosts import parse_host

    host = parse_host(text)
    if host is None:
        raise typer.BadParameter(f"'{text[:40]}' is no name of a host, such as app.example.com")
    return host


_User = Annotated[str | None, typer.Option(metavar="U", help="Rows of this user alone.")]
_Key = Annotated[str | None, typer.Option(metavar="K", help="Rows of this API key, token or session: its public id.")]
_Path = Annotated[str | None, typer.Option(metavar="P", help="Rows whose path begins so.")]
_Host = Annotated[
    str | None, typer.Option(metavar="H", parser=_parse_host, help="Rows of requests for this protected host.")
]
_Status = Annotated[int | None, typer.Option(metavar="S", help="Rows of this HTTP status.")]
_Since = Annotated[
    int | None,
    typer.Option(metavar="T", parser=parse_moment, help=f"Not before: an age {DURATIONS}, or an ISO time (UTC)."),
]
_Until = Annotated[
    int | None, typer.Option(metavar="T", parser=parse_moment, help="Before this time, in the same forms.")
]


@app.command(epilog="Example: latchgate log search --user ann@example.com --status 401 --since 24h")
def search(
    *,
    user: _User = None,
    key: _Key = None,
    host: _Host = None,
    path: _Path = None,
    status: _Status = None,
    since: _Since = None,
    until: _Until = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many rows at most; 0 for all.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, a list.")] = False,
) -> None:
    """Print the rows that match, newest first."""
    from latchgate.request_log.exports import json_line
    from latchgate.services.port_values import LogQuery

    query = LogQuery(user, key, path, status, since, until, limit, host)
    with open_instance() as latchgate:
        entries = latchgate.request_log.search(query)
        if as_json:
            _print_json_list(map(json_line, entries))
            return
        _print_table(LogTable(), entries)


@app.command(epilog="Example: latchgate log tail --user ann@example.com --json")
def tail(
    user: _User = None,
    key: _Key = None,
    host: _Host = None,
    path: _Path = None,
    status: _Status = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one row a line.")] = False,
) -> None:
    """Print the last ten rows that match, and then each new one, until Ctrl-C."""
    from latchgate.request_log.exports import json_line
    from latchgate.services.port_values import LogQuery

    query = LogQuery(user, key, path, status, limit=_TAIL_ROWS, host=host)
    table = LogTable()
    with open_instance() as latchgate, suppress(KeyboardInterrupt):
        for batch in _follow(latchgate.request_log, query):
            if as_json:
                for entry in batch:
                    print_line(json_line(entry))
            else:
                table.print_rows(batch)
            sys.stdout.flush()


@app.command(epilog="Example: latchgate log export --format csv --since 2026-05-01 --until 2026-06-01 --output may.csv")
def export(
    file_format: Annotated[
        ExportFormat, typer.Option("--format", help="JSON, one row a line, or CSV with a heading.")
    ] = ExportFormat.JSON_LINES,
    since: _Since = None,
    until: _Until = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write, instead of to standard output; whole or not at all."),
    ] = None,
) -> None:
    """Write every row, newest first, for other programs. Times are microseconds since 1970."""
    from latchgate.request_log.exports import csv_records, json_line
    from latchgate.services.port_values import LogQuery

    with open_instance() as latchgate:
        entries = latchgate.request_log.search(LogQuery(since=since, until=until, limit=0))
        counted = _Progress(entries, shown=sys.stderr.isatty() and (output is not None or not sys.stdout.isatty()))
        lines = csv_records(counted) if file_format is ExportFormat.CSV else (f"{json_line(row)}\n" for row in counted)
        if output is None:
            _write(lines, sys.stdout.buffer)
            return
        with _whole_file(output) as file:
            _write(lines, file)
    print_note(f"Wrote {counted.count:,} rows to {output}.")


@app.command(epilog="Example: latchgate log activity --user ann@example.com --since 30d")
def activity(
    *,
    user: Annotated[
        str | None, typer.Option(metavar="U", help="What this user did, and what was done to its account, alone.")
    ] = None,
    since: _Since = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many rows at most; 0 for all.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, a list.")] = False,
) -> None:
    """Print what happened to accounts and credentials, newest first: sign-ins, keys, roles, users."""
    from latchgate.core.users import parse_user_name
    from latchgate.services.activity import search_activity
    from latchgate.services.port_values import ActivityQuery

    query = ActivityQuery(user and (parse_user_name(user) or user), since, limit)
    with open_instance() as latchgate:
        entries = search_activity(latchgate.store, query)
        if as_json:
            _print_json_list(json.dumps(entry.document()) for entry in entries)
            return
        _print_table(ActivityTable(), entries)


@app.command(epilog="Example: latchgate log stats --since 7d --top 5")
def stats(
    *,
    since: _Since = None,
    until: _Until = None,
    user: Annotated[str | None, typer.Option(metavar="U", help="Requests of this user alone.")] = None,
    key: Annotated[str | None, typer.Option(metavar="K", help="Requests of this API key alone: its public id.")] = None,
    top: Annotated[int, typer.Option(metavar="N", min=0, max=1000, help="How many users, keys and reasons.")] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Count requests by outcome, of the last 24 hours unless told otherwise; tell how the log itself stands.

    Whole minutes are counted over up to a day, else whole hours, and whole days over more than 30 days.
    """
    from latchgate.cli.log_stats import print_stats, read_stats
    from latchgate.services.port_values import CountedBy

    if user is not None and key is not None:
        raise typer.BadParameter("name a user or a key, not both")
    by = CountedBy.USER if user is not None else CountedBy.KEY if key is not None else CountedBy.ALL
    with open_instance() as latchgate:
        now = latchgate.clock.now()
        times = (
            now - 86_400 if since is None else since // 1_000_000,
            now + 1 if until is None else until // 1_000_000,
        )
        found = read_stats(latchgate.request_log, times, (by, user or key), top)
    if as_json:
        print_json(found)
    else:
        print_stats(found)


def _print_table(table: LogTable | ActivityTable, entries: Iterable[Any]) -> None:
    rows = iter(entries)
    while batch := list(islice(rows, _ROWS_AT_A_TIME)):
        table.print_rows(batch)
    if table.is_empty:
        print_note("No row matches.")


def _follow(log: "RequestLog", query: "LogQuery") -> Iterator[list["LogEntry"]]:
    from latchgate.request_log.queries import matches

    _, position = log.follow(None)
    last = list(log.search(query))
    yield last[::-1]
    # A row that was written between these two looks is in both.
    seen = frozenset(last)
    while True:
        entries, position = log.follow(position)
        yield [entry for entry in entries if matches(query, entry) and entry not in seen]
        if not entries:
            _wait(_TAIL_WAIT_SECONDS)


def _wait(seconds: float) -> None:
    # A closed pipe is noticed at once, not when the next row comes, which may be never.
    readers = select.poll()
    if not sys.stdout.isatty():
        readers.register(sys.stdout, 0)
    if readers.poll(seconds * 1000):
        raise BrokenPipeError


def _print_json_list(documents: Iterable[str]) -> None:
    # Written as it is read: all rows of a long log would not fit into memory.
    before = "[\n"
    for document in documents:
        sys.stdout.write(f"{before}{document}")
        before = ",\n"
    print_line("[]" if before == "[\n" else "\n]")


class _Progress:
    """Counts rows as they pass by, and shows the count on standard error."""

    def __init__(self, entries: Iterable["LogEntry"], *, shown: bool) -> None:
        self.count = 0
        self._entries = entries
        self._shown = shown

    def __iter__(self) -> Iterator["LogEntry"]:
        with self._status() as show:
            for entry in self._entries:
                yield entry
                self.count += 1
                if self.count % _PROGRESS_ROWS == 0:
                    show(f"{self.count:,} rows")

    @contextmanager
    def _status(self) -> Iterator[Callable[[str], None]]:
        if not self._shown:
            yield lambda _text: None
            return
        from rich.console import Console

        with Console(stderr=True).status("Reading …") as status:
            yield status.update


def _write(lines: Iterable[str], file: BinaryIO) -> None:
    file.writelines(line.encode() for line in lines)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that stands under its name, with mode 0600, only once all is written."""
    folder = path.absolute().parent
    if not folder.is_dir() or (path.exists() and not path.is_file()):
        raise typer.BadParameter(f"{path} is not a file, nor can it become one", param_hint="--output")
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
