"""A key's own page: what it may do and did, its traffic, its secrets, and its end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.errors import NotFound, StorageError
from latchgate.server.desk.charts import Chart, Charts
from latchgate.server.desk.finding_words import finding_notes
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.key_owners import KeyHome, key_address
from latchgate.server.desk.log_list import REQUEST_LOG, LogList, LogPage
from latchgate.server.desk.navigation import DESK, HOME, KEYS
from latchgate.server.desk.sources import record_address
from latchgate.server.desk.user_form import address_of
from latchgate.server.desk.views import View
from latchgate.server.desk.wording import middle
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.documents import DocumentService
from latchgate.services.former_secrets import FormerSecrets
from latchgate.services.key_findings import KeyFindings
from latchgate.services.key_owners import Owner
from latchgate.services.port_values import CountedBy
from latchgate.services.ports import Clock

__all__ = ["KEY", "KeyPage"]

KEY = f"{KEYS}/{{source}}/{{key}}"
_GET, _POST = frozenset({"GET"}), frozenset({"POST"})
_LOG_ROWS = 10
_ASIDE = "Counted with what others tried it with, such as a wrong secret; the requests below are your own."


@dataclass(frozen=True, slots=True)
class KeyPage:
    """A key, as the service shows it to whoever asks."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    findings: KeyFindings
    former: FormerSecrets
    charts: Charts
    clock: Clock

    def table(self) -> Mapping[str, Page]:
        """List the pages by address, but for those of a new secret and of its end."""
        return {
            KEY: Page(DESK, _GET, self.one, Dialect.PAGE),
            f"{KEY}/end-former-secret": Page(DESK, _POST, self.end_former_secret, Dialect.PAGE),
        }

    async def one(self, call: Call) -> Response:
        """Show a key."""
        return await self._show(call)

    async def end_former_secret(self, call: Call) -> Response:
        """End the secret before the last rotation."""
        key, source = call.parts["key"], call.parts["source"]
        await anyio.to_thread.run_sync(self._get, call)
        end = partial(self.api_keys.end_former_secret, call.actor, key, source=source)
        await anyio.to_thread.run_sync(end)
        return RedirectResponse(f"{key_address(source, key)}?done=former-ended", 303)

    def get_home(self, call: Call) -> KeyHome:
        """Read whose key it is. Raises NotFound, NotPermitted."""
        return _home_of(self._get(call))

    async def show_keys(self, call: Call, dialog: Mapping[str, Any], status: int = 200) -> Response:
        """Render the page with a dialog above it."""
        return await self._show(call, dialog=dialog, status=status)

    async def require_shown(self, call: Call) -> None:
        """Read what the answer to a change shows, before the change."""
        await anyio.to_thread.run_sync(self._read, call)

    async def _show(self, call: Call, *, dialog: Mapping[str, Any] | None = None, status: int = 200) -> Response:
        key, values = await anyio.to_thread.run_sync(self._read, call)
        return await self.frame.show(
            call,
            "api_key.html",
            Heading(key["label"] or middle(key["name"], 24), (HOME, Link("API Keys", KEYS))),
            status=status,
            key=key,
            keyed=_home_of(key),
            dialog=dialog or {"kind": ""},
            **values,
        )

    def _get(self, call: Call) -> dict[str, Any]:
        named = [["source", "=", call.parts["source"]], ["name", "=", call.parts["key"]]]
        found = self.documents.list_whole(call.actor, API_KEY.name, Asked(filters=named, limit=1)).documents()
        if not found:
            raise NotFound("There is no such key that you may see.")
        return found[0]

    def _read(self, call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
        key = self._get(call)
        (judged,) = self.findings.judge(call.actor, [key])
        owner = _home_of(key).owner
        actor = call.actor
        doctype = "User" if owner.source == USER_SOURCE else owner.source
        view = View.of(call, "period")
        return key, {
            "notes": finding_notes(judged, self.clock.now()),
            "allowed": self.api_keys.list_allowed(actor, owner),
            "owner_address": self._owner_address(call, doctype, owner),
            "former": self.former.find(key),
            "view": view,
            "chart": self._chart(call, view, key),
            "log": View(REQUEST_LOG.address, {"since": "any"}),
            "page": self._rows(call, view, key),
            "all_requests": View(REQUEST_LOG.address, {}).to(key=key["name"], since="any"),
        }

    def _rows(self, call: Call, view: View, key: Mapping[str, Any]) -> LogPage | None:
        if not self.documents.may(call.actor, REQUEST_LOG.doctype, Action.READ, None):
            return None
        of_key = [["api_key", "=", key["name"]], ["source", "=", key["source"]]]
        try:
            return LogList(self.documents, REQUEST_LOG).read(call, view, of_key, _LOG_ROWS)
        except StorageError:
            return LogPage(problem="The request log cannot be read now. The key can be changed all the same.")

    def _chart(self, call: Call, view: View, key: Mapping[str, Any]) -> Chart | None:
        if not self.documents.may(call.actor, REQUEST_LOG.doctype, Action.READ, None):
            return None
        try:
            chart = self.charts.of_period(call.actor, view, CountedBy.KEY, key["name"], key["source"])
        except StorageError:
            # The rows below say that the log cannot be read.
            return None
        sees_all = REQUEST_LOG.doctype in self.documents.list_readable(call.actor, [REQUEST_LOG.doctype])
        return chart if chart is None or sees_all else replace(chart, aside=_ASIDE)

    def _owner_address(self, call: Call, doctype: str, owner: Owner) -> str:
        if not self.documents.may(call.actor, doctype, Action.READ, owner.record):
            return ""
        return address_of(owner.record) if doctype == "User" else record_address(owner.source, owner.record)


def _home_of(key: Mapping[str, Any]) -> KeyHome:
    owner = Owner(str(key["source"]), str(key["record"]))
    address = key_address(owner.source, str(key["name"]))
    trail = (HOME, Link("API Keys", KEYS))
    return KeyHome(owner, owner.record, key["user"] or "", address, address, trail)
