"""The rows of a log for a page that shows them: page by page, one of them open."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from latchgate.core.questions import Asked
from latchgate.errors import Invalid, NotFound
from latchgate.server.desk.views import View
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService

__all__ = ["ACTIVITY_LOG", "REQUEST_LOG", "Log", "LogList", "LogPage"]

_ROWS = 50
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
        *("seconds", "ip_address", "user_agent", "reason"),
    ),
)
ACTIVITY_LOG = Log(
    "Activity Log",
    "/app/activity",
    ("name", "time", "user", "operation", "subject", "detail", "ip_address"),
)


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
        """Read a page.

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
        opened = view.get("open")
        try:
            found = self.documents.list_rows(call.actor, self.log.doctype, asked)
        except Invalid as error:
            if "after" not in error.fields:
                raise
            return LogPage(problem=_LEFT)
        rows = found.documents()
        apart = None if not opened or any(row["name"] == opened for row in rows) else self._find(call, opened)
        return LogPage(rows, found.more, opened, apart)

    def sees_all(self, call: Call) -> bool:
        """Whether the caller may read everybody's rows, not only their own."""
        return self.log.doctype in self.documents.list_readable(call.actor, [self.log.doctype])

    def _find(self, call: Call, name: str) -> dict[str, Any] | None:
        try:
            return self.documents.get(call.actor, self.log.doctype, name)
        except NotFound:
            return None
