"""A row on its way from a segment into the table: a plain tuple, since a hundred thousand a second pass by."""

from dataclasses import fields, replace
from operator import attrgetter
from struct import Struct, error
from typing import Any

from latchgate.core.log_entries import LogEntry
from latchgate.request_log.records import decode
from latchgate.request_log.texts import indexable, storable

__all__ = ["COLUMNS", "FORMER", "Row", "RowDecoder", "row_of", "storable_entry"]

COLUMNS = (
    *("time", "request_id", "user", "user_id", "api_key", "scheme", "source", "method", "host", "path"),
    *("status", "seconds", "ip_address", "user_agent", "reason", "requests"),
)
"""What is kept of a row, in its order; segment, number there and id follow when it is written."""
FORMER = 7
"""The place in a row, before what was asked for, of what is not kept: a LogEntry's `former_until`."""

Row = tuple[Any, ...]

_values = attrgetter(*COLUMNS[:FORMER], "former_until", *COLUMNS[FORMER:])
_TEXTS = tuple(field.name for field in fields(LogEntry) if field.type in (str, str | None))
_INDEXED = frozenset({"user", "api_key"})

# The layout of records.py, of which this reads the usual form alone.
_HEAD = Struct("<BBHIqQ16s")
_WHO_LENGTHS = slice(_HEAD.size + 8, _HEAD.size + 16)
_USUAL = (2, 0)
_NONE = 0xFFFF
_KEPT_MAX = 20_000


class RowDecoder:
    """Reads payloads. Who asks, and what for, is said in the same bytes again and again: these are read once."""

    def __init__(self) -> None:
        self._extents: dict[bytes, int] = {}
        self._whos: dict[bytes, Row] = {}
        self._whats: dict[bytes, tuple[Row, Row]] = {}

    def row(self, payload: bytes) -> Row:
        """Give the row that a payload holds, as the database can keep it. Raises ValueError if it holds none."""
        try:
            version, kind, status, requests, time, micros, request_id = _HEAD.unpack_from(payload)
            what_start = 56 + self._extents[payload[_WHO_LENGTHS]]
            who = self._whos[payload[40:what_start]]
            what = self._whats[payload[what_start:]]
        except (KeyError, error):
            return self._slow_row(payload)
        if (version, kind) != _USUAL:
            return self._slow_row(payload)
        asked, rest = what
        return (time, request_id.hex(), *who, *asked, status, micros / 1_000_000, *rest, requests)

    def _slow_row(self, payload: bytes) -> Row:
        row = row_of(decode(payload))
        if payload[:2] == bytes(_USUAL):
            self._keep(payload, row)
        return row

    def _keep(self, payload: bytes, row: Row) -> None:
        lengths = payload[_WHO_LENGTHS]
        extent = sum(length for (length,) in Struct("<H").iter_unpack(lengths) if length != _NONE)
        what_start = 56 + extent
        for kept in (self._extents, self._whos, self._whats):
            if len(kept) >= _KEPT_MAX:
                kept.clear()
        self._extents[lengths] = extent
        self._whos[payload[40:what_start]] = row[2:8]
        self._whats[payload[what_start:]] = row[8:11], row[13:16]


def row_of(entry: LogEntry) -> Row:
    """Give a row's values as the database can keep them."""
    row: Row = _values(storable_entry(entry))
    return row


def storable_entry(entry: LogEntry) -> LogEntry:
    """Make the texts of a row such as both engines can keep."""
    texts = {name: getattr(entry, name) for name in _TEXTS}
    changed = {
        name: kept
        for name, text in texts.items()
        if text is not None and (kept := indexable(text) if name in _INDEXED else storable(text)) != text
    }
    return replace(entry, **changed) if changed else entry  # type: ignore[arg-type]  # texts alone
