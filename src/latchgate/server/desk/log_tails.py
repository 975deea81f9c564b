"""The rows that a log has had since somebody looked: few enough for a page, and the rest as a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latchgate.core.questions import Asked
from latchgate.errors import Invalid
from latchgate.server.desk.log_filters import Narrowed
from latchgate.server.desk.log_list import REQUEST_LOG, LogPage
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService
from latchgate.services.ports import RequestLog

__all__ = ["FLOOD_ROWS_MAX", "TAIL", "TAIL_ROWS_MAX", "LogTails", "Tail", "parse_seen"]

TAIL_ROWS_MAX, FLOOD_ROWS_MAX = 50, 20
"""How many rows one look gives, a page looking every two seconds at most; the second where so many came that nobody can
read them, since to write a row costs a server as much as to answer some hundred requests."""
_FLOOD_ROWS = 1_000
_LOOKED_AT_MAX = 25_000
"""How many new rows a look goes through, whatever came: whoever was away for longer is told so."""
_ROWS_MOVED_MAX = 2_000
_DIGITS_MAX = 18
TAIL = f"{REQUEST_LOG.address}/tail"
"""Where a page looks for what is new. Each look is a request with a row of its own, which would be all that is new."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What is new."""

    seen: int
    """The number of the newest row that there was: where the next look begins."""
    page: LogPage
    """The newest of the new rows, newest first."""
    more: int = 0
    """How many others came."""
    at_least: bool = False
    """Whether there may be more yet."""
    about: bool = False
    """Whether the others were not counted, but known by the rows' numbers, which looks at the log have as well."""

    @property
    def others(self) -> str:
        """What is said of the rows that are not given; empty if all are."""
        if self.more:
            return f"and {'at least ' if self.at_least else 'about ' if self.about else ''}{self.more:,} more"
        return "and perhaps others: more came than are looked through" if self.at_least else ""


@dataclass(frozen=True, slots=True)
class LogTails:
    """Looks for new rows of the request log by their numbers; which of them the caller may see, the service says."""

    documents: DocumentService
    log: RequestLog

    def end(self) -> int:
        """Give the number of the newest row, whosoever it is. Raises StorageError."""
        _, position = self.log.follow(None)
        return position.id

    def read(self, call: Call, narrowed: Narrowed, seen: int) -> Tail:
        """Read what came after a row.

        Args:
            call: Who looks.
            narrowed: Which rows; without problems.
            seen: The `seen` of the look before.

        Raises:
            NotPermitted: The caller may not even read their own rows.
            StorageError: The log's database cannot be read, or lacks rows.
        """
        # Nothing waits here, and nothing is brought in that would keep others waiting: what is on its way comes with
        # a later look, for numbers are given in the order in which rows can be read.
        end = self.log.reach(_ROWS_MOVED_MAX)
        begin = max(seen, end - _LOOKED_AT_MAX)
        if begin >= end:
            # Nothing new; whether they may look is asked all the same.
            self.documents.get_type(call.actor, REQUEST_LOG.doctype)
            return Tail(end, LogPage())
        flood = end - begin > _FLOOD_ROWS
        between, others = ["name", "between", [begin + 1, end]], ["path", "not like", f"{TAIL}%"]
        filters: list[Sequence[Any]] = [between, others, *narrowed.conditions]
        asked = Asked(
            fields=list(REQUEST_LOG.fields),
            filters=filters,
            or_filters=narrowed.any_of,
            order_by="name desc",
            limit=FLOOD_ROWS_MAX if flood else TAIL_ROWS_MAX,
        )
        found = self.documents.list_rows(call.actor, REQUEST_LOG.doctype, asked)
        rows = found.documents()
        if not found.more:
            return Tail(end, LogPage(rows), at_least=begin > seen)
        if flood and not (narrowed.conditions or narrowed.any_of) and self._sees_all(call):
            return Tail(end, LogPage(rows), end - begin - len(rows), at_least=begin > seen, about=True)
        count = self.documents.count(call.actor, REQUEST_LOG.doctype, asked)
        return Tail(end, LogPage(rows), count - len(rows), at_least=begin > seen)

    def _sees_all(self, call: Call) -> bool:
        return REQUEST_LOG.doctype in self.documents.list_readable(call.actor, [REQUEST_LOG.doctype])


def parse_seen(text: str) -> int:
    """Read the number of a row in an address. Raises Invalid."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise Invalid({"seen": "must be the number of a row, as the answer before had it"})
    return int(text)
