"""What commands print: tables for people, one JSON document for programs, one line for an error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from latchgate.core.log_entries import escape

__all__ = ["Record", "format_time", "print_fields", "print_json", "print_line", "print_note", "print_table"]

Record = Mapping[str, object]
"""One record under the names of the JSON document: texts, numbers, truth values, lists of texts, None."""

_CELL_LENGTH_MAX = 200
_LINE_LENGTH_MAX = 10_000


def print_json(document: object) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def print_table(records: Iterable[Record], columns: Sequence[str], *, empty: str) -> None:
    """Print records as aligned columns with a heading, or one line if there are none.

    Args:
        records: What to print.
        columns: Which of their names, in order.
        empty: What to say where there is no record.
    """
    rows = [[_cell(record.get(column)) for column in columns] for record in records]
    if not rows:
        print_note(empty)
        return
    headings = [column.replace("_", " ").upper() for column in columns]
    widths = [max(len(row[index]) for row in [headings, *rows]) for index in range(len(columns))]
    _print_bold(_aligned(headings, widths))
    for row in rows:
        print_line(_aligned(row, widths))


def print_fields(record: Record) -> None:
    """Print one record, a field a line; fields without a value are left out."""
    shown = {name.replace("_", " "): _cell(value) for name, value in record.items() if value not in (None, "", [])}
    width = max(len(name) for name in shown)
    for name, value in shown.items():
        print_line(f"{name:<{width}}  {value}")


def print_line(text: str) -> None:
    """Print one line of the answer on standard output."""
    sys.stdout.write(_harmless(text) + "\n")


def print_note(text: str) -> None:
    """Print one line about the answer on standard error, where it disturbs no program that reads the answer."""
    sys.stderr.write(_harmless(text) + "\n")


def format_time(seconds: float | None) -> str | None:
    """Write Unix seconds as UTC in ISO 8601; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _harmless(text: str) -> str:
    # What an argument or somebody's name brought along must not steer the terminal; what is plain stays as it is.
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else escape(line, _LINE_LENGTH_MAX) for line in lines)


def _cell(value: object) -> str:
    match value:
        case None:
            text = "-"
        case bool():
            text = "yes" if value else "no"
        case list() | tuple():
            text = ", ".join(str(entry) for entry in value) or "-"
        case _:
            text = str(value) or "-"
    # What somebody chose as a name must not steer the terminal.
    return escape(text, _CELL_LENGTH_MAX)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _print_bold(text: str) -> None:
    if not sys.stdout.isatty():
        print_line(text)
        return
    # Rich knows NO_COLOR and what the terminal can do.
    from rich.console import Console

    Console().print(text, style="bold", markup=False, highlight=False, soft_wrap=True)
