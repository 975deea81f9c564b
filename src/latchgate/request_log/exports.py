"""Rows of the request log as text for other programs: JSON, one a line, and CSV. Times are microseconds since 1970."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from latchgate.core.log_entries import LogEntry

__all__ = ["CSV_COLUMNS", "csv_lines", "csv_records", "json_line"]

CSV_COLUMNS = (
    "time",
    "request_id",
    "user",
    "api_key",
    "scheme",
    "source",
    "method",
    "path",
    "status",
    "seconds",
    "ip_address",
    "user_agent",
    "reason",
    "requests",
    # Last, where it came last: somebody reads these by their number.
    "host",
)

# A spreadsheet takes a cell that begins so for a formula, some also where the sign is of full width, and callers choose
# their own path and user agent.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def json_line(entry: LogEntry) -> str:
    """Write a row as one line of ASCII, whatever its texts hold; without the line end."""
    return json.dumps(entry.document())


def csv_records(entries: Iterable[LogEntry]) -> Iterator[str]:
    r"""Write the names of the columns and then the rows, each with its line end, \r\n.

    A text that a spreadsheet would take for a formula is preceded by an apostrophe.

    Source: RFC 4180.
    """
    return csv_lines(CSV_COLUMNS, ({**entry.document(), "requests": entry.requests} for entry in entries))


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Write these columns of any rows, as `csv_records` does."""
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_cell(row.get(name)) for name in columns])


class _Line:
    """What csv writes to: gives each record back instead of keeping it."""

    def write(self, record: str) -> str:
        return record


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
