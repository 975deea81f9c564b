"""The pages of the request log and the activity log: their rows as the address narrows them, live and as files too."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.credentials import Scheme
from latchgate.errors import Invalid
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.log_exports import EXPORT_ROWS_MAX, FORMATS, LogExports
from latchgate.server.desk.log_filters import (
    ACTIVITY_FILTERS,
    ADDRESS_LENGTH_MAX,
    REQUEST_FILTERS,
    SINCE,
    STATUSES,
    TIME_NAMES,
    Asker,
    Filter,
    Narrowed,
    Span,
    narrow,
    typed_time,
)
from latchgate.server.desk.log_list import ACTIVITY_LOG, REQUEST_LOG, Log, LogList, LogPage
from latchgate.server.desk.log_overviews import LogOverviews, Look
from latchgate.server.desk.log_tails import TAIL, LogTails, parse_seen
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.operations import OPERATIONS
from latchgate.server.desk.reasons import REASONS
from latchgate.server.desk.views import View
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.documents import DocumentService
from latchgate.services.ports import Clock

__all__ = ["LogPages"]

_GET = frozenset({"GET"})
_INVALID = 417
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
_WHOSE = "whose"

Choices = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Room:
    """A log, and how its page shows it."""

    log: Log
    title: str
    row_title: str
    """Above one row by itself."""
    template: str
    filters: tuple[Filter, ...]
    span: Span
    """What bounds a search that no index helps; without a filter the newest rows come at once."""
    choices: Mapping[str, Choices]
    """By parameter: what can be chosen, and its words."""
    folded: frozenset[str]
    """The filters that are folded away unless they are used."""


_REQUESTS = Room(
    REQUEST_LOG,
    "Request Log",
    "Request",
    "request_log.html",
    REQUEST_FILTERS,
    Span("24h"),
    {
        "status": [("", "Any status"), *((name, words) for name, (words, _) in STATUSES.items())],
        "method": [("", "Any method"), *((name, name) for name in _METHODS)],
        "reason": [("", "Any reason"), *sorted(REASONS.items(), key=lambda one: one[1])],
        "scheme": [("", "Any scheme"), *((one.value, one.value) for one in Scheme)],
    },
    frozenset({"host", "path", "user", "key", "address", "method", "reason", "scheme", "request", "from", "to"}),
)
_ACTIVITY = Room(
    ACTIVITY_LOG,
    "Activity",
    "Activity",
    "activity.html",
    ACTIVITY_FILTERS,
    Span("30d"),
    {"operation": [("", "Any operation"), *sorted(OPERATIONS.items(), key=lambda one: one[1])]},
    frozenset({"user", "subject", "from", "to"}),
)


@dataclass(frozen=True, slots=True)
class LogPages:
    """Both logs, to whoever may come to the desk: everybody's rows or their own, as the service gives them."""

    frame: Frame
    documents: DocumentService
    clock: Clock
    overviews: LogOverviews
    tails: LogTails

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        pages = {}
        for room in (_REQUESTS, _ACTIVITY):
            address = room.log.address
            pages[address] = Page(DESK, _GET, partial(self.list_rows, room=room), Dialect.PAGE)
            pages[f"{address}/export"] = Page(DESK, _GET, partial(self.export, room=room), Dialect.PAGE)
            pages[f"{address}/{{name}}"] = Page(DESK, _GET, partial(self.one, room=room), Dialect.PAGE)
        return {**pages, TAIL: Page(DESK, _GET, self.tail, Dialect.PAGE)}

    async def list_rows(self, call: Call, room: Room) -> Response:
        """Show the rows that the address's filters allow; one that cannot be understood allows none."""
        names = [one.name for one in room.filters]
        view = View.of(call, *names, length_max=ADDRESS_LENGTH_MAX)
        sees_all, narrowed, page, around = await anyio.to_thread.run_sync(self._read, call, view, room)
        export = View(f"{view.path}/export", view.chosen)
        problems = [*narrowed.problems, *([page.problem] if page.problem else [])]
        return await self.frame.show(
            call,
            room.template,
            Heading(room.title, (HOME,)),
            status=_INVALID if problems else 200,
            view=view,
            page=page,
            sees_all=sees_all,
            chips=narrowed.chips,
            problems=problems,
            names=names,
            choices=_choices(room, view),
            usual_time="" if view.get("from") or view.get("to") else room.span.default,
            times={name: typed_time(view.get(name)) for name in ("from", "to")},
            any_time=view.to(**{"since": "any", "from": "", "to": ""}),
            whole=not any(condition[0] == "time" for condition in narrowed.conditions),
            unfolded=any(view.get(name) for name in room.folded),
            files=[(words, export.to(format=name)) for name, words in FORMATS.items()],
            export_rows_max=EXPORT_ROWS_MAX,
            **around,
        )

    async def export(self, call: Call, room: Room) -> Response:
        """Give the rows that the address's filters allow as a file. Raises Invalid: they cannot be understood."""
        _, narrowed = await self._narrow(call, room)
        return await LogExports(self.documents, room.log).answer(call, narrowed, self.clock.now())

    async def tail(self, call: Call) -> Response:
        """Give what is new since the row that the address says, as a piece of the page. Raises Invalid, as `export`."""
        view, narrowed = await self._narrow(call, _REQUESTS, but=TIME_NAMES)
        seen = parse_seen(call.request.query_params.get("seen", ""))
        tail = await anyio.to_thread.run_sync(self.tails.read, call, narrowed, seen)
        return self.frame.part("log_tail.html", tail=tail, view=View(_REQUESTS.log.address, view.chosen))

    async def one(self, call: Call, room: Room) -> Response:
        """Show one row, whole."""
        get = partial(self.documents.get, call.actor, room.log.doctype, call.parts["name"])
        row = await anyio.to_thread.run_sync(get)
        heading = Heading(room.row_title, (HOME, Link(room.title, room.log.address)))
        return await self.frame.show(
            call, "log_row.html", heading, row=row, log=View(room.log.address, {"since": "any"})
        )

    async def _narrow(self, call: Call, room: Room, but: tuple[str, ...] = ()) -> tuple[View, Narrowed]:
        """Read an address that gives no page, but for some of its filters."""
        view = View.of(call, *(one.name for one in room.filters), length_max=ADDRESS_LENGTH_MAX)
        sees_all = await anyio.to_thread.run_sync(LogList(self.documents, room.log).sees_all, call)
        asker = Asker(call.principal.user, self.clock.now())
        filters = [one for one in _filters(room, sees_all=sees_all) if one.name not in but]
        narrowed = narrow(view, filters, room.span, asker)
        if narrowed.problems:
            raise Invalid({"filters": " ".join(narrowed.problems)})
        return view, narrowed

    def _read(self, call: Call, view: View, room: Room) -> tuple[bool, Narrowed, LogPage, dict[str, Any]]:
        rows = LogList(self.documents, room.log)
        sees_all = rows.sees_all(call)
        filters = _filters(room, sees_all=sees_all)
        narrowed = narrow(view, filters, room.span, Asker(call.principal.user, self.clock.now()))
        around: dict[str, Any] = {"overview": None, "seen": None}
        if narrowed.problems:
            # Whether they may read any is asked all the same.
            self.documents.get_type(call.actor, room.log.doctype)
            return sees_all, narrowed, LogPage(), around
        if room is _REQUESTS and not view.get("after") and not view.get("to"):
            # Before the rows: what comes meanwhile is met twice, not never.
            around["seen"] = self.tails.end()
        page = rows.read(call, view, narrowed.conditions, any_of=narrowed.any_of)
        if room is _REQUESTS:
            look = Look(call, view, filters, room.span, narrowed, page, sees_all)
            around["overview"] = self.overviews.read(look)
        return sees_all, narrowed, page, around


def _filters(room: Room, *, sees_all: bool) -> list[Filter]:
    # Who sees their own rows alone has no choice of whose.
    return [one for one in room.filters if sees_all or one.name != _WHOSE]


def _choices(room: Room, view: View) -> Mapping[str, Choices]:
    """Give what each list offers, and what the address names besides: an exact status, a method of its own."""
    offered = {
        **room.choices,
        "since": room.span.choices(view),
        _WHOSE: [("", "Everybody's"), ("mine", "Mine")],
    }
    # What stands for the choice that is made by itself needs no line of its own.
    usual = {"since": room.span.default, _WHOSE: "all"}
    return {
        name: choices
        if view.get(name) in {*dict(choices), usual.get(name)}
        else [*choices, (view.get(name), SINCE.get(view.get(name), (view.get(name),))[0])]
        for name, choices in offered.items()
    }
