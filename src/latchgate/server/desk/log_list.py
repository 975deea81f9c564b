"""The rows of a log for a page that shows them: page by page, one of them open."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from latchgate.core.questions import Asked
from latchgate.errors import Invalid, NotFound
from latchgate.server.desk.views import View
from latchgate.server.requests import Call
from latchgate.services.actors import Actor
from latchgate.services.documents import DocumentService

__all__ = ["ACTIVITY_LOG", "REQUEST_LOG", "ROWS_SEARCHED_MAX", "Log", "LogList", "LogPage", "Searched"]

ROWS_SEARCHED_MAX = 200_000
"""Through so many rows one page looks for those that a filter allows which no index serves: half a second's work."""
_ROWS = 50
_INDEXED = frozenset({("user", "="), ("api_key", "=")})
_LEFT = "The page goes on after a row that is not there, or not yours to see. Begin with the newest."


@dataclass(frozen=True, slots=True)
class Log:
    """A document type whose rows are read by time."""

    doctype: str
    address: str
    """Of its page, and before the names of its rows."""
    fields: tuple[str, ...]
    """What its pages show of a row."""


REQUEST_LOG = Log(
    "API Request Log",
    "/app/request-log",
    (
        *("name", "time", "request_id", "user", "api_key", "scheme", "source", "method", "path", "status"),
        # What came later stands last, as in `request_log/exports.py`.
        *("seconds", "ip_address", "user_agent", "reason", "host"),
    ),
)
ACTIVITY_LOG = Log(
    "Activity Log",
    "/app/activity",
    ("name", "time", "user", "operation", "subject", "detail", "ip_address"),
)


@dataclass(frozen=True, slots=True)
class Searched:
    """Where a search ended before the log did."""

    rows: int
    """How many rows were looked through."""
    name: str
    """The row after which it goes on."""
    until: str
    """That row's time."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some rows of a log, newest first."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    """Whether there are older ones."""
    opened: str = ""
    """The name of the row that is open."""
    apart: dict[str, Any] | None = None
    """That row, if it is not among these: newer ones have come since the address was written."""
    problem: str = ""
    searched: Searched | None = None
    """Where the search for these ended; None if there are more, or no others."""
    within: Sequence[Sequence[Any]] = ()
    """The condition that bounded the search."""
    walked: bool = False
    """Whether it went from row to row: some filter is served by no index."""


@dataclass(frozen=True, slots=True)
class LogList:
    """Reads a log as its address describes it; whose rows there are for the caller, the service says."""

    documents: DocumentService
    log: Log

    def read(
        self,
        call: Call,
        view: View,
        conditions: Sequence[Sequence[Any]],
        rows_max: int = _ROWS,
        any_of: Sequence[Sequence[Any]] = (),
    ) -> LogPage:
        """Read a page: a full one, or what there is among ROWS_SEARCHED_MAX rows.

        Args:
            call: Whose rows, or who may read all.
            view: Says by `after` where the page begins, and by `open` which row is open.
            conditions: Which rows, as services are asked for them.
            rows_max: How many.
            any_of: Conditions of which one must hold; none means that none need.

        Raises:
            NotPermitted: The caller may not even read their own.
        """
        asked = Asked(
            fields=list(self.log.fields),
            filters=[list(condition) for condition in conditions],
            or_filters=[list(condition) for condition in any_of],
            order_by="time desc",
            after=view.get("after"),
            limit=rows_max,
        )
        walked = bool(any_of) or len(_indexed(conditions)) < len(conditions)
        opened = view.get("open")
        try:
            end = self.end_of_search(call.actor, asked)
            within = [["time", ">=", end.until]] if end else []
            asked = replace(asked, filters=[*map(list, conditions), *within])
            found = self.documents.list_rows(call.actor, self.log.doctype, asked)
        except Invalid as error:
            if "after" not in error.fields:
                raise
            return LogPage(problem=_LEFT)
        rows = found.documents()
        apart = None if not opened or any(row["name"] == opened for row in rows) else self._find(call, opened)
        searched = None if found.more else end
        return LogPage(rows, found.more, opened, apart, searched=searched, within=within, walked=walked)

    def sees_all(self, call: Call) -> bool:
        """Whether the caller may read everybody's rows, not only their own."""
        return self.log.doctype in self.documents.list_readable(call.actor, [self.log.doctype])

    def end_of_search(self, actor: Actor, asked: Asked) -> Searched | None:
        """Find the row where a search has gone far enough; None if it is shorter, or an index serves it.

        Args:
            actor: Who searches.
            asked: For what, newest first; its filters are a list.

        Raises:
            NotPermitted, Invalid: As DocumentService.list_rows.
        """
        filters: list[Any] = list(asked.filters) if isinstance(asked.filters, list) else []
        indexed = _indexed(filters)
        if not asked.or_filters and len(indexed) == len(filters):
            return None
        walk = replace(asked, fields=["name", "time"], filters=indexed, or_filters=[], start=ROWS_SEARCHED_MAX, limit=1)
        found = self.documents.list_rows(actor, self.log.doctype, walk).rows
        return Searched(ROWS_SEARCHED_MAX, str(found[0][0]), str(found[0][1])) if found else None

    def _find(self, call: Call, name: str) -> dict[str, Any] | None:
        try:
            return self.documents.get(call.actor, self.log.doctype, name)
        except NotFound:
            return None


def _indexed(conditions: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(one) for one in conditions if one[0] == "time" or (one[0], one[1]) in _INDEXED]
