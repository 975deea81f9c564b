"""The rows that a log's address narrows it to, as a file for other programs: CSV, or JSON, one row a line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import anyio.to_thread
from starlette.responses import Response, StreamingResponse

from latchgate.core.questions import Asked
from latchgate.errors import Invalid
from latchgate.request_log.exports import csv_lines
from latchgate.server.desk.log_filters import Narrowed
from latchgate.server.desk.log_list import Log, LogList
from latchgate.server.requests import Call
from latchgate.services.actors import Actor
from latchgate.services.documents import DocumentService

__all__ = ["EXPORT_ROWS_MAX", "FORMATS", "LogExports", "Row"]

EXPORT_ROWS_MAX = 100_000
"""How many rows a file has: the newest."""
_PAGE_ROWS = 1000
FORMATS = {"csv": "CSV", "jsonl": "JSON lines"}
"""By the address's word."""
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogExports:
    """Writes files as they are read, in short reads: a slow reader holds up nothing, and no file lies in memory.

    Filters that no index serves look through all rows of the chosen time, some hundred thousand at once.
    """

    documents: DocumentService
    log: Log

    async def answer(self, call: Call, narrowed: Narrowed, now: int) -> Response:
        """Answer with a file, as the parameter `format` says.

        Args:
            call: Whose rows, or who may read all.
            narrowed: Which of them; without problems.
            now: For the file's name; Unix seconds.

        Raises:
            Invalid: There is no such format.
            NotPermitted: The caller may not even read their own rows.
            StorageError: The first rows cannot be read; where later ones cannot, the file ends as a broken one.
        """
        form = call.request.query_params.get("format", "csv")
        if form not in FORMATS:
            raise Invalid({"format": "must be csv or jsonl"})
        asked = Asked(
            fields=list(self.log.fields),
            filters=narrowed.conditions,
            or_filters=narrowed.any_of,
            order_by="time desc",
            limit=_PAGE_ROWS,
        )
        pages = self._pages(call.actor, asked)
        first = await anyio.to_thread.run_sync(next, pages)
        pages = chain([first], pages)
        name = f"{self.log.address.rpartition('/')[2]}-{datetime.fromtimestamp(now, UTC):%Y-%m-%d-%H%M%S}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        written = _csv(self.log.fields, pages) if form == "csv" else map(_json_lines, pages)
        return StreamingResponse(written, media_type=_MEDIA_TYPES[form], headers=headers)

    def _pages(self, actor: Actor, asked: Asked) -> Iterator[Sequence[Row]]:
        """Read page by page. One may have no rows, so that a search through all of the log ends with its reader."""
        left, until = EXPORT_ROWS_MAX, ""
        while True:
            question, rest_until = self._piece(actor, asked, until)
            more = True
            while more:
                found = self.documents.list_rows(actor, self.log.doctype, question)
                page = found.documents()[:left]
                left -= len(page)
                yield page
                # Whoever the caller is by then asks for the next: a session that has ended meanwhile reads no further.
                actor, more = replace(actor, waited=True), found.more and left > 0
                question = replace(question, after=page[-1]["name"]) if more else question
            if not (rest_until and left):
                return
            until = rest_until

    def _piece(self, actor: Actor, asked: Asked, until: str) -> tuple[Asked, str]:
        """Ask for as much as a page of the log looks through at once, cut between two times.

        Returns:
            The question, and until when the rest is; empty if there is none.
        """
        conditions: list[Any] = list(asked.filters) if isinstance(asked.filters, list) else []
        older = [*conditions, ["time", "<=", until]] if until else conditions
        rest = replace(asked, filters=older)
        end = LogList(self.documents, self.log).end_of_search(actor, rest)
        # Of the same microsecond there are never so many.
        if end is None or end.until == until:
            return rest, ""
        return replace(asked, filters=[*older, ["time", ">", end.until]]), end.until


def _csv(columns: Sequence[str], pages: Iterator[Sequence[Row]]) -> Iterator[bytes]:
    for number, page in enumerate(pages):
        lines = list(csv_lines(columns, page))
        # Half of a surrogate pair, which a caller's text may hold, is no UTF-8.
        yield "".join(lines[1:] if number else lines).encode("utf-8", "replace")


def _json_lines(page: Sequence[Row]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in page).encode("ascii")
