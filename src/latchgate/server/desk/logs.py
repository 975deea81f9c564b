"""The pages of the request log and the activity log: their rows, narrowed by the address, and each row by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.credentials import Scheme
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.log_filters import (
    ACTIVITY_FILTERS,
    ADDRESS_LENGTH_MAX,
    REQUEST_FILTERS,
    SINCE,
    STATUSES,
    Asker,
    Filter,
    Narrowed,
    Span,
    narrow,
    typed_time,
)
from latchgate.server.desk.log_list import ACTIVITY_LOG, REQUEST_LOG, Log, LogList, LogPage
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
    frozenset({"user", "key", "address", "method", "reason", "scheme", "request", "from", "to"}),
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

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        pages = {}
        for room in (_REQUESTS, _ACTIVITY):
            address = room.log.address
            pages[address] = Page(DESK, _GET, partial(self.list_rows, room=room), Dialect.PAGE)
            pages[f"{address}/{{name}}"] = Page(DESK, _GET, partial(self.one, room=room), Dialect.PAGE)
        return pages

    async def list_rows(self, call: Call, room: Room) -> Response:
        """Show the rows that the address's filters allow; one that cannot be understood allows none."""
        names = [one.name for one in room.filters]
        view = View.of(call, *names, length_max=ADDRESS_LENGTH_MAX)
        read = partial(self._read, call, view, room)
        sees_all, narrowed, page = await anyio.to_thread.run_sync(read)
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
        )

    async def one(self, call: Call, room: Room) -> Response:
        """Show one row, whole."""
        get = partial(self.documents.get, call.actor, room.log.doctype, call.parts["name"])
        row = await anyio.to_thread.run_sync(get)
        heading = Heading(room.row_title, (HOME, Link(room.title, room.log.address)))
        return await self.frame.show(
            call, "log_row.html", heading, row=row, log=View(room.log.address, {"since": "any"})
        )

    def _read(self, call: Call, view: View, room: Room) -> tuple[bool, Narrowed, LogPage]:
        rows = LogList(self.documents, room.log)
        sees_all = rows.sees_all(call)
        # Who sees their own rows alone has no choice of whose.
        filters = [one for one in room.filters if sees_all or one.name != _WHOSE]
        narrowed = narrow(view, filters, room.span, Asker(call.principal.user, self.clock.now()))
        if narrowed.problems:
            # Whether they may read any is asked all the same.
            self.documents.get_type(call.actor, room.log.doctype)
            return sees_all, narrowed, LogPage()
        return sees_all, narrowed, rows.read(call, view, narrowed.conditions)


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
