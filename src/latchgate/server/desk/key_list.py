"""The list of API keys of all owners whom the caller may see, narrowed by what deserves a look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.documents import API_KEY
from latchgate.core.questions import Asked
from latchgate.server.desk.finding_words import FINDINGS, finding_notes
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.key_owners import key_address
from latchgate.server.desk.navigation import DESK, HOME, KEYS, Link
from latchgate.server.desk.new_key_owners import NewKeyOwners
from latchgate.server.desk.views import View, containing
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.documents import DocumentService
from latchgate.services.key_findings import KEYS_JUDGED_MAX, Finding, JudgedKey, KeyFindings, State
from latchgate.services.ports import Clock

__all__ = ["PICKED", "KeyListPages"]

PICKED = "key:"
"""Before the source and id of a key, in the name of its checkbox."""
_GET = frozenset({"GET"})
_PAGE_ROWS = 25
_SORTED = ("label", "record", "expires", "creation")
_STATES = {State.LIVE: "Live", State.ENDED: "Ended"}


@dataclass(frozen=True, slots=True)
class KeyListPages:
    """Keys, as the service shows them to whoever asks: everybody's, or their own."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    findings: KeyFindings
    clock: Clock
    owners: NewKeyOwners

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {KEYS: Page(DESK, _GET, self.list_keys, Dialect.PAGE)}

    async def list_keys(self, call: Call) -> Response:
        """Show the keys that the address's filters allow."""
        offered = {"state": [*State], "finding": [*Finding]}
        view = View.of(call, "search", "owner", "state", "finding", offered=offered)
        values = await anyio.to_thread.run_sync(self._list, call, view)
        make = values["make"]
        return await self.frame.show(
            call,
            "api_keys.html",
            Heading("API Keys", (HOME,), Link("New key", make) if make else None),
            status=view.status,
            view=view,
            size=_PAGE_ROWS,
            states=list(_STATES.items()),
            kinds=list(FINDINGS.items()),
            judged_max=KEYS_JUDGED_MAX,
            words={
                "state": _STATES[state] if (state := _state(view)) else "",
                "finding": FINDINGS[finding] if (finding := _finding(view)) else "",
            },
            **values,
        )

    def _list(self, call: Call, view: View) -> dict[str, Any]:
        search, owner = view.get("search"), view.get("owner")
        asked = Asked(
            filters=[containing("record", owner)] if owner else [],
            or_filters=[containing("name", search), containing("label", search)] if search else None,
            order_by=view.order_by(_SORTED, "creation desc"),
            start=view.start,
            limit=_PAGE_ROWS,
        )
        found = self.findings.list_page(call.actor, asked, _state(view), _finding(view))
        live = [(key.values["source"], key.values["name"]) for key in found.keys if not key.values["revoked"]]
        refused = self.api_keys.judge_ends(call.actor, live)
        rows = [self._row(key) for key in found.keys]
        for row in rows:
            row["may_end"] = not row["revoked"] and (row["source"], row["name"]) not in refused
        return {
            "rows": rows,
            "total": found.total,
            "whole": found.whole,
            "sees_all": API_KEY.name in self.documents.list_readable(call.actor, [API_KEY.name]),
            "may_revoke": any(row["may_end"] for row in rows),
            "make": self.owners.way_for(call),
        }

    def _row(self, key: JudgedKey) -> dict[str, Any]:
        values = key.values
        return {
            **values,
            "notes": finding_notes(key, self.clock.now()),
            "address": key_address(values["source"], values["name"]),
            "picked": f"{PICKED}{values['source']}:{values['name']}",
        }


def _state(view: View) -> State | None:
    return State(view.get("state")) if view.get("state") else None


def _finding(view: View) -> Finding | None:
    return Finding(view.get("finding")) if view.get("finding") else None
