"""The form of a source's record, as whom its keys act and whether they work, and its section API Access."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.permissions import Action
from latchgate.errors import Conflict, Invalid, NotPermitted
from latchgate.server.desk.finding_words import joined_use, use_words
from latchgate.server.desk.forms import Told, done_of, status_of, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.key_owners import KeyHome, KeyServices, read_keys
from latchgate.server.desk.navigation import DESK
from latchgate.server.desk.source_words import CONSUMERS, SOURCES, words_of_source
from latchgate.server.desk.sources import record_address, source_address, source_of
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.documents import DocumentService
from latchgate.services.key_findings import KeyFindings
from latchgate.services.key_owners import Owner

__all__ = ["CONSUMER", "RECORD", "RecordPages"]

RECORD = f"{SOURCES}/{{source}}/record/{{name}}"
CONSUMER = f"{CONSUMERS}/{{name}}"
_FORM = frozenset({"GET", "POST"})
_FIELDS = ("user", "enabled")


@dataclass(frozen=True, slots=True)
class RecordPages:
    """A record, as the service shows it to whoever asks."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    findings: KeyFindings

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            RECORD: Page(DESK, _FORM, self.one, Dialect.PAGE),
            f"{RECORD}/delete": Page(DESK, _FORM, self.delete, Dialect.PAGE),
            CONSUMER: Page(DESK, _FORM, self.one, Dialect.PAGE),
            f"{CONSUMER}/delete": Page(DESK, _FORM, self.delete, Dialect.PAGE),
        }

    async def one(self, call: Call) -> Response:
        """Show a record's form, and take what was changed there."""
        if call.request.method != "POST":
            return await self._show(call)
        typed = await call.read_arguments()
        # A box that is not ticked sends nothing.
        changes: dict[str, Any] = {name: typed[name] for name in ("user", "modified") if name in typed}
        changes["enabled"] = 1 if typed.get("enabled") else 0
        try:
            change = partial(self.documents.change, call.actor, source_of(call), call.parts["name"], changes)
            saved = await anyio.to_thread.run_sync(change)
        except (Invalid, Conflict) as error:
            return await self._show(call, typed=typed, told=told_of(error, _FIELDS), status=status_of(error))
        address = record_address(source_of(call), call.parts["name"])
        return await self.frame.done(call, address, done_of(saved), saved.undo)

    async def delete(self, call: Call) -> Response:
        """Say what stops working, and delete a record."""
        if call.request.method != "POST":
            may = partial(self.documents.may, call.actor, source_of(call), Action.DELETE, call.parts["name"])
            if not await anyio.to_thread.run_sync(may):
                raise NotPermitted("You may not delete this record.", told=True)
            return await self._show(call, dialog={"kind": "delete"})
        try:
            delete = partial(self.documents.delete, call.actor, source_of(call), call.parts["name"])
            await anyio.to_thread.run_sync(delete)
        except (Invalid, Conflict) as error:
            dialog = {"kind": "refused", "sentence": told_of(error, ()).problem}
            return await self._show(call, dialog=dialog, status=status_of(error))
        return RedirectResponse(f"{source_address(source_of(call))}?done=deleted", 303)

    def get_home(self, call: Call) -> KeyHome:
        """Read whose keys they are. Raises NotFound, NotPermitted."""
        return _home_of(call, self.documents.get(call.actor, source_of(call), call.parts["name"]))

    async def show_keys(self, call: Call, dialog: Mapping[str, Any], status: int = 200) -> Response:
        """Render the form at its keys, with a dialog above it."""
        return await self._show(call, dialog=dialog, status=status)

    async def require_shown(self, call: Call) -> None:
        """Read what the answer to a change of keys shows, before the change."""
        await anyio.to_thread.run_sync(self._read, call)

    async def _show(
        self,
        call: Call,
        *,
        typed: Mapping[str, Any] | None = None,
        told: Told | None = None,
        status: int = 200,
        dialog: Mapping[str, Any] | None = None,
    ) -> Response:
        record, values = await anyio.to_thread.run_sync(self._read, call)
        if dialog and dialog["kind"] == "delete" and values["keys"]:
            values["used"] = await anyio.to_thread.run_sync(self._used, call, values["keys"])
        trail = _trail(source_of(call))
        return await self.frame.show(
            call,
            "source_record.html",
            Heading(record["name"], trail),
            status=status,
            record=record,
            words=words_of_source(source_of(call)),
            typed=typed if typed is not None else record,
            told=told or Told(),
            dialog=dialog or {"kind": ""},
            **values,
        )

    def _read(self, call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
        actor, source = call.actor, source_of(call)
        record = self.documents.get(actor, source, call.parts["name"])
        sees_users = "User" in self.documents.list_readable(actor, ["User"])
        return record, {
            **read_keys(KeyServices(self.documents, self.api_keys), call, _home_of(call, record)),
            "may_write": self.documents.may(actor, source, Action.WRITE, record["name"]),
            "may_delete": self.documents.may(actor, source, Action.DELETE, record["name"]),
            "sees_user": bool(record["user"]) and sees_users,
        }

    def _used(self, call: Call, keys: Sequence[Mapping[str, Any]]) -> str:
        """Tell how these keys were used within a day, all together; empty if that may not be seen."""
        uses = self.findings.uses_of_a_day(call.actor, keys).values()
        return use_words(joined_use(list(uses)), "within a day") if uses else ""


def _home_of(call: Call, record: Mapping[str, Any]) -> KeyHome:
    source, name = source_of(call), str(record["name"])
    address = record_address(source, name)
    trail = (*_trail(source), Link(name, address))
    return KeyHome(Owner(source, name), name, record["user"] or "", address, address, trail)


def _trail(source: str) -> tuple[Link, ...]:
    words = words_of_source(source)
    return (*words.above, Link(words.title, source_address(source)))
