"""Rows of the request log as a table for people: aligned, in UTC, the reason of a refusal beside the status."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from latchgate.cli.output import print_line
from latchgate.core.log_entries import PATH_LENGTH_MAX, LogEntry, escape

__all__ = ["LogTable"]

_HEADINGS = ("TIME", "STATUS", "SECONDS", "USER", "KEY", "ADDRESS", "REQUEST")
_SERVER_ERROR = 500
_EPOCH = datetime.fromtimestamp(0, UTC)


class LogTable:
    """Prints rows, some at a time: a column grows when a wider text comes, and never shrinks."""

    def __init__(self) -> None:
        self._widths = [0] * len(_HEADINGS)
        self.is_empty = True

    def print_rows(self, entries: Sequence[LogEntry]) -> None:
        """Print rows in the order given, the first ones under a heading."""
        if not entries:
            return
        rows = [_cells(entry) for entry in entries]
        self._widen([_HEADINGS, *rows])
        if self.is_empty:
            self._print(_HEADINGS, "bold")
            self.is_empty = False
        for entry, row in zip(entries, rows, strict=True):
            self._print(row, _style(entry))

    def _widen(self, rows: Sequence[Sequence[str]]) -> None:
        for row in rows:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]

    def _print(self, cells: Sequence[str], style: str) -> None:
        # The request comes last, so that one long path moves no other column.
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, self._widths, strict=True)).rstrip()
        if style and sys.stdout.isatty():
            from rich.console import Console

            Console().print(line, style=style, markup=False, highlight=False, soft_wrap=True)
        else:
            print_line(line)


def _cells(entry: LogEntry) -> tuple[str, ...]:
    moment = _EPOCH + timedelta(microseconds=entry.time)
    return (
        f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        f"{entry.status} {_visible(entry.reason)}" if entry.reason else f"{entry.status}",
        f"{entry.seconds:.3f}",
        _visible(entry.user),
        _visible(entry.api_key),
        _visible(entry.ip_address),
        f"{_visible(entry.method)} {_visible(entry.path)}",
    )


def _visible(text: str | None) -> str:
    # The gate escaped what a caller chose, and twice would be unreadable; what came by another way is escaped here.
    return "-" if not text else text if text.isprintable() else escape(text, PATH_LENGTH_MAX)


def _style(entry: LogEntry) -> str:
    if entry.status >= _SERVER_ERROR:
        return "red"
    return "yellow" if entry.reason else ""
