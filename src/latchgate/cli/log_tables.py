"""Rows of the logs as tables for people: aligned, in UTC, the reason of a refusal beside the status."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from latchgate.cli.output import print_line
from latchgate.core.log_entries import PATH_LENGTH_MAX, ActivityEntry, LogEntry, escape

__all__ = ["ActivityTable", "LogTable"]

_HEADINGS = ("TIME", "STATUS", "SECONDS", "USER", "KEY", "ADDRESS", "REQUEST")
_ACTIVITY_HEADINGS = ("TIME", "USER", "ADDRESS", "OPERATION", "SUBJECT", "DETAIL")
_SERVER_ERROR = 500
_EPOCH = datetime.fromtimestamp(0, UTC)


class _GrowingTable:
    """Prints rows, some at a time: a column grows when a wider text comes, and never shrinks."""

    def __init__(self, headings: Sequence[str]) -> None:
        self.is_empty = True
        self._headings = headings
        self._widths = [0] * len(headings)

    def print_rows(self, rows: Sequence[tuple[Sequence[str], str]]) -> None:
        """Print rows, each with its style, in the order given, the first ones under a heading."""
        if not rows:
            return
        self._widen([self._headings, *(cells for cells, _ in rows)])
        if self.is_empty:
            self._print(self._headings, "bold")
            self.is_empty = False
        for cells, style in rows:
            self._print(cells, style)

    def _widen(self, rows: Sequence[Sequence[str]]) -> None:
        for row in rows:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]

    def _print(self, cells: Sequence[str], style: str) -> None:
        # What is long comes last, so that it moves no other column.
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, self._widths, strict=True)).rstrip()
        if style and sys.stdout.isatty():
            from rich.console import Console

            Console().print(line, style=style, markup=False, highlight=False, soft_wrap=True)
        else:
            print_line(line)


class LogTable:
    """Prints rows of the request log, some at a time."""

    def __init__(self) -> None:
        self._table = _GrowingTable(_HEADINGS)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was printed yet."""
        return self._table.is_empty

    def print_rows(self, entries: Sequence[LogEntry]) -> None:
        """Print rows in the order given, the first ones under a heading."""
        self._table.print_rows([(_cells(entry), _style(entry)) for entry in entries])


class ActivityTable:
    """Prints rows of the activity log, some at a time."""

    def __init__(self) -> None:
        self._table = _GrowingTable(_ACTIVITY_HEADINGS)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was printed yet."""
        return self._table.is_empty

    def print_rows(self, entries: Sequence[ActivityEntry]) -> None:
        """Print rows in the order given, the first ones under a heading."""
        self._table.print_rows([(_activity_cells(entry), "") for entry in entries])


def _cells(entry: LogEntry) -> tuple[str, ...]:
    return (
        _time(entry.time),
        f"{entry.status} {_visible(entry.reason)}" if entry.reason else f"{entry.status}",
        f"{entry.seconds:.3f}",
        _visible(entry.user),
        _visible(entry.api_key),
        _visible(entry.ip_address),
        f"{_visible(entry.method)} {_visible(entry.host) if entry.host else ''}{_visible(entry.path)}",
    )


def _activity_cells(entry: ActivityEntry) -> tuple[str, ...]:
    texts = (entry.user, entry.ip_address, entry.operation, entry.subject, entry.detail)
    return (_time(entry.time), *map(_visible, texts))


def _time(time_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _visible(text: str | None) -> str:
    # The gate escaped what a caller chose, and twice would be unreadable; what came by another way is escaped here.
    return "-" if not text else text if text.isprintable() else escape(text, PATH_LENGTH_MAX)


def _style(entry: LogEntry) -> str:
    if entry.status >= _SERVER_ERROR:
        return "red"
    return "yellow" if entry.reason else ""
