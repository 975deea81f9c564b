"""The pages of authorization sources: their list, and the records of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.documents import API_KEY, DOCUMENT_TYPES
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.sources import BUILT_IN_SOURCES, EVENT_CONSUMER
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.server.desk.forms import Told, status_of, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.source_words import CONSUMERS, SOURCES, words_of_source
from latchgate.server.desk.user_form import USERS
from latchgate.server.desk.views import View, containing
from latchgate.server.desk.wording import segment
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.documents import DocumentService

__all__ = ["SOURCE", "SourcePages", "record_address", "source_address", "source_of"]

SOURCE = "Authorization Source"
_FORM = frozenset({"GET", "POST"})
_PAGE_ROWS = 20
_ENABLED = {"yes": 1, "no": 0}
_SORTED = ("name", "user", "creation")


def source_address(source: str) -> str:
    """Give the address of a source's records; users and event consumers have pages of their own."""
    return {USER_SOURCE: USERS, EVENT_CONSUMER: CONSUMERS}.get(source) or f"{SOURCES}/{segment(source)}"


def source_of(call: Call) -> str:
    """Give the source that an address names; of those that name none, event consumers' own.

    Raises NotFound for document types whose records own no keys.
    """
    source = call.parts.get("source", EVENT_CONSUMER)
    if source in DOCUMENT_TYPES:
        raise NotFound(f"There is no source {source} with records of its own.")
    return source


def record_address(source: str, name: str) -> str:
    """Give the address of a record's form."""
    between = "" if source == EVENT_CONSUMER else "/record"
    return f"{source_address(source)}{between}/{segment(name)}"


@dataclass(frozen=True, slots=True)
class SourcePages:
    """Sources and their records, as the service shows them to whoever asks."""

    frame: Frame
    documents: DocumentService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            SOURCES: Page(DESK, _FORM, self.list_sources, Dialect.PAGE),
            f"{SOURCES}/{{source}}": Page(DESK, _FORM, self.list_records, Dialect.PAGE),
            f"{SOURCES}/{{source}}/delete": Page(DESK, _FORM, self.delete, Dialect.PAGE),
            CONSUMERS: Page(DESK, _FORM, self.list_records, Dialect.PAGE),
        }

    async def list_sources(self, call: Call) -> Response:
        """Show the sources, and make one."""
        if call.request.method != "POST":
            return await self._show_sources(call)
        typed = await call.read_arguments()
        try:
            wanted = {"source_name": typed.get("source_name", "")}
            made = await anyio.to_thread.run_sync(self.documents.create, call.actor, SOURCE, wanted)
        except (Invalid, Conflict) as error:
            told = told_of(error, ("source_name",), taken="source_name")
            return await self._show_sources(call, typed=typed, told=told, status=status_of(error))
        return RedirectResponse(f"{source_address(made['name'])}?done=created", 303)

    async def list_records(self, call: Call) -> Response:
        """Show a source's records that the address's filters allow, and make one."""
        if call.parts.get("source") in {USER_SOURCE, EVENT_CONSUMER}:
            return RedirectResponse(source_address(call.parts["source"]), 303)
        if call.request.method != "POST":
            return await self._show_records(call)
        typed = await call.read_arguments()
        try:
            wanted = {"record_name": typed.get("record_name", ""), "user": typed.get("user", "")}
            create = partial(self.documents.create, call.actor, source_of(call), wanted)
            made = await anyio.to_thread.run_sync(create)
        except (Invalid, Conflict) as error:
            dialog = {
                "kind": "new",
                "typed": typed,
                "told": told_of(error, ("record_name", "user"), taken="record_name"),
            }
            return await self._show_records(call, dialog, status_of(error))
        return RedirectResponse(f"{record_address(source_of(call), made['name'])}?done=created", 303)

    async def delete(self, call: Call) -> Response:
        """Say what goes with a source, and delete it."""
        if call.request.method != "POST":
            return await self._show_records(call, {"kind": "delete"}, wanted="may_delete")
        try:
            delete = partial(self.documents.delete, call.actor, SOURCE, source_of(call))
            await anyio.to_thread.run_sync(delete)
        except (Invalid, Conflict) as error:
            dialog = {"kind": "refused", "sentence": told_of(error, ()).problem}
            return await self._show_records(call, dialog, status_of(error))
        return RedirectResponse(f"{SOURCES}?done=deleted", 303)

    async def _show_sources(
        self, call: Call, *, typed: Mapping[str, Any] | None = None, told: Told | None = None, status: int = 200
    ) -> Response:
        values = await anyio.to_thread.run_sync(self._sources, call)
        opened = typed is not None or "new" in call.request.query_params
        if opened and not values["may_create"]:
            raise NotPermitted("You may not make sources; a System Manager may.", told=True)
        action = Link("New source", f"{SOURCES}?new=1") if values.pop("may_create") else None
        return await self.frame.show(
            call,
            "sources.html",
            Heading("Sources", (HOME,), action, opens_dialog=True),
            status=status,
            opened=opened,
            typed=typed or {},
            told=told or Told(),
            **values,
        )

    async def _show_records(
        self, call: Call, dialog: Mapping[str, Any] | None = None, status: int = 200, *, wanted: str = ""
    ) -> Response:
        source = source_of(call)
        view = View.of(call, "search", "enabled", offered={"enabled": _ENABLED})
        values = await anyio.to_thread.run_sync(self._records, call, view)
        words = words_of_source(source)
        action = Link(f"New {words.one}", f"{source_address(source)}?new=1") if values["may_create"] else None
        if dialog is None and "new" in call.request.query_params:
            dialog, wanted = {"kind": "new", "typed": {}, "told": Told()}, "may_create"
        if wanted and not values[wanted]:
            raise NotPermitted("You may not do this to this source.", told=True)
        return await self.frame.show(
            call,
            "source_records.html",
            Heading(words.title, words.above, action, opens_dialog=True),
            status=max(status, view.status),
            view=view,
            size=_PAGE_ROWS,
            source=source,
            words=words,
            address=source_address(source),
            dialog=dialog or {"kind": ""},
            **values,
        )

    def _sources(self, call: Call) -> dict[str, Any]:
        actor = call.actor
        asked = Asked(fields=["name", "creation"], order_by="name asc", limit=0)
        rows = self.documents.list_rows(actor, SOURCE, asked).documents()
        sees = self.documents.list_readable(actor, [*(row["name"] for row in rows), API_KEY.name])
        for row in rows:
            row["address"] = source_address(row["name"])
            row["records"] = self._count(call, row["name"]) if row["name"] in sees else None
            keys = [["source", "=", row["name"]], ["revoked", "is", "not set"]]
            row["key_total"] = self._count(call, API_KEY.name, keys) if API_KEY.name in sees else None
        return {"rows": rows, "may_create": self.documents.may(actor, SOURCE, Action.CREATE, None)}

    def _records(self, call: Call, view: View) -> dict[str, Any]:
        actor, source = call.actor, source_of(call)
        asked = Asked(
            fields=["name", "user", "enabled", "creation"],
            filters=[["enabled", "=", _ENABLED[view.get("enabled")]]] if view.get("enabled") in _ENABLED else [],
            or_filters=_search(view.get("search")),
            order_by=view.order_by(_SORTED, "creation desc"),
            start=view.start,
            limit=_PAGE_ROWS,
        )
        rows = self.documents.list_rows(actor, source, asked).documents()
        sees_keys = API_KEY.name in self.documents.list_readable(actor, [API_KEY.name])
        for row in rows:
            row["address"] = record_address(source, row["name"])
            keys = [["source", "=", source], ["record", "=", row["name"]], ["revoked", "is", "not set"]]
            row["key_total"] = self._count(call, API_KEY.name, keys) if sees_keys else None
        deletable = source not in BUILT_IN_SOURCES and self.documents.may(actor, SOURCE, Action.DELETE, source)
        return {
            "rows": rows,
            "total": self.documents.count(actor, source, asked),
            "records": self._count(call, source) if deletable else 0,
            "sees_keys": sees_keys,
            "may_create": self.documents.may(actor, source, Action.CREATE, None),
            "may_delete": deletable,
        }

    def _count(self, call: Call, doctype: str, filters: list[list[str]] | None = None) -> int:
        return self.documents.count(call.actor, doctype, Asked(filters=filters))


def _search(text: str) -> list[list[str]] | None:
    return [containing("name", text), containing("user", text)] if text else None
