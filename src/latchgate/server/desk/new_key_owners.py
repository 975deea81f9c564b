"""Whose a new key is to be: asked where keys of all owners are listed, and answered by the form on the owner's page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.errors import Invalid, NotFound, NotPermitted
from latchgate.server.desk.account import ACCOUNT
from latchgate.server.desk.forms import Told, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK, HOME, KEYS
from latchgate.server.desk.sources import SOURCE, record_address
from latchgate.server.desk.user_form import address_of
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.documents import DocumentService
from latchgate.services.key_owners import Owner

__all__ = ["NewKeyOwners"]

_ADDRESS = f"{KEYS}/new"
_GET = frozenset({"GET"})
_INVALID = 417
_NAME_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class NewKeyOwners:
    """Asks for the owner, and leads to the form there; what may be done to its keys, the service says."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {_ADDRESS: Page(DESK, _GET, self.choose, Dialect.PAGE)}

    def way_for(self, call: Call) -> str:
        """Give the address where somebody makes a key: one's own, whoever sees no other owner; empty for nobody."""
        if not self.documents.may(call.actor, API_KEY.name, Action.CREATE, None):
            return ""
        return _ADDRESS if self._sources(call) else f"{ACCOUNT}/new-key"

    async def choose(self, call: Call) -> Response:
        """Ask whose the key is to be; once that is said, lead to the form of its key."""
        sent = call.request.query_params
        source, record = sent.get("source", USER_SOURCE), sent.get("owner", "").strip()
        sources = await anyio.to_thread.run_sync(self._sources, call)
        if not sources:
            return RedirectResponse(f"{ACCOUNT}/new-key", 303)
        told = Told()
        if "owner" in sent:
            told = await anyio.to_thread.run_sync(self._judge, call, sources, Owner(source, record))
            if not told.fields and not told.problem:
                page = address_of(record) if source == USER_SOURCE else record_address(source, record)
                return RedirectResponse(f"{page}/new-key", 303)
        return await self.frame.show(
            call,
            "new_key_owner.html",
            Heading("New key", (HOME, Link("API Keys", KEYS))),
            status=_INVALID if told.fields or told.problem else 200,
            told=told,
            sources=sources,
            typed={"source": source, "owner": record},
            keys=KEYS,
        )

    def _sources(self, call: Call) -> list[str]:
        """List the kinds of owners of which the caller sees more than their own, users first."""
        asked = Asked(fields=["name"], order_by="name asc", limit=0)
        may = self.documents.may(call.actor, SOURCE, Action.READ, None)
        rows = self.documents.list_rows(call.actor, SOURCE, asked).documents() if may else []
        named = [USER_SOURCE, *(str(row["name"]) for row in rows if row["name"] != USER_SOURCE)]
        readable = self.documents.list_readable(call.actor, named)
        return [source for source in named if source in readable]

    def _judge(self, call: Call, sources: list[str], owner: Owner) -> Told:
        if owner.source not in sources:
            return Told({"source": f"Must be one of: {', '.join(sources)}."})
        if not owner.record or len(owner.record) > _NAME_LENGTH_MAX:
            return Told({"owner": "Give the name of a user, such as api@example.com, or of a record."})
        try:
            found: dict[str, Any] = self.documents.get(call.actor, owner.source, owner.record)
            self.api_keys.require(call.actor, Owner(owner.source, str(found["name"])), Action.CREATE)
        except NotFound:
            return Told({"owner": f"There is no {owner.source} of this name that you may see."})
        except (Invalid, NotPermitted) as error:
            return Told({"owner": " ".join((told := told_of(error, ())).fields.values()) or told.problem})
        return Told()
