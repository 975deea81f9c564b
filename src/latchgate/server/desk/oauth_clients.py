"""The pages of OAuth clients: their list, and the form of a new one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.errors import Invalid, NotPermitted
from latchgate.server.desk.client_form import FIELDS, FIRST, ClientReader
from latchgate.server.desk.client_pages import CLIENTS, ClientForm, address_of
from latchgate.server.desk.client_words import AUTH_METHODS, KINDS, grant_words, kind_words
from latchgate.server.desk.forms import Told, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.views import View, containing
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.access_tokens import BEARER_TOKEN
from latchgate.services.clients import OAUTH_CLIENT, ClientService
from latchgate.services.documents import DocumentService
from latchgate.services.ports import Clock

__all__ = ["ClientListPages"]

_FORM = frozenset({"GET", "POST"})
_PAGE_ROWS = 20
_INVALID = 417
_STATES = {"active": "not set", "revoked": "set"}
_SORTED = ("app_name", "creation")


@dataclass(frozen=True, slots=True)
class ClientListPages:
    """Clients, as the services show them to whoever asks."""

    frame: Frame
    documents: DocumentService
    clients: ClientService
    form: ClientForm
    clock: Clock

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            CLIENTS: Page(DESK, frozenset({"GET"}), self.list_clients, Dialect.PAGE),
            f"{CLIENTS}/new": Page(DESK, _FORM, self.new, Dialect.PAGE),
        }

    async def list_clients(self, call: Call) -> Response:
        """Show the clients that the address's filters allow."""
        view = View.of(call, "search", "state", offered={"state": _STATES})
        values = await anyio.to_thread.run_sync(self._list, call, view)
        action = Link("New client", f"{CLIENTS}/new") if values["may_create"] else None
        return await self.frame.show(
            call,
            "oauth_clients.html",
            Heading("OAuth Clients", (HOME,), action),
            status=view.status,
            view=view,
            size=_PAGE_ROWS,
            **values,
        )

    async def new(self, call: Call) -> Response:
        """Show the form of a new client, and make one of it."""
        await anyio.to_thread.run_sync(self._require_create, call)
        if call.request.method != "POST":
            return await self._show_new(call, FIRST)
        typed = await call.read_arguments()
        try:
            order = ClientReader(call.principal.is_manager).read_new(typed)
            made = await anyio.to_thread.run_sync(partial(self.clients.create, call.actor, order))
        except Invalid as error:
            return await self._show_new(call, typed, told_of(error, FIELDS), _INVALID)
        if made.secret is None:
            return RedirectResponse(f"{address_of(made.client.client_id)}?done=created", 303)
        return await self.form.show_secret(call, made.client.client_id, made.secret)

    async def _show_new(
        self, call: Call, typed: Mapping[str, Any], told: Told | None = None, status: int = 200
    ) -> Response:
        offered = await anyio.to_thread.run_sync(self.form.offered, call, typed)
        return await self.frame.show(
            call,
            "oauth_client_new.html",
            Heading("New client", (HOME, Link("OAuth Clients", CLIENTS))),
            status=status,
            typed=typed,
            told=told or Told(),
            kinds=KINDS,
            auth_methods=(("", "As what it is allows"), *AUTH_METHODS),
            back=CLIENTS,
            **offered,
        )

    def _require_create(self, call: Call) -> None:
        # The secret is shown on the client's page, which whoever made it must be able to see.
        for action in (Action.READ, Action.CREATE):
            if not self.documents.may(call.actor, OAUTH_CLIENT, action, None):
                raise NotPermitted("You may not make OAuth clients; a System Manager may.", told=True)

    def _list(self, call: Call, view: View) -> dict[str, Any]:
        actor = call.actor
        state = _STATES.get(view.get("state"))
        search = view.get("search")
        asked = Asked(
            filters=[["revoked", "is", state]] if state else [],
            or_filters=[containing("app_name", search), containing("name", search)] if search else None,
            order_by=view.order_by(_SORTED, "creation desc"),
            start=view.start,
            limit=_PAGE_ROWS,
        )
        rows = self.documents.list_whole(actor, OAUTH_CLIENT, asked).documents()
        sees_tokens = BEARER_TOKEN in self.documents.list_readable(actor, [BEARER_TOKEN])
        for row in rows:
            row["address"] = address_of(row["name"])
            row["kind"] = kind_words(row["token_endpoint_auth_method"], trusted=bool(row["skip_authorization"]))
            row["grants"] = grant_words(row["grant_types"])
            row["tokens"] = self._count_tokens(call, row["name"]) if sees_tokens else None
        return {
            "rows": rows,
            "total": self.documents.count(actor, OAUTH_CLIENT, asked),
            "sees_tokens": sees_tokens,
            "may_create": self.documents.may(actor, OAUTH_CLIENT, Action.CREATE, None),
        }

    def _count_tokens(self, call: Call, client_id: str) -> int:
        now = datetime.fromtimestamp(self.clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S")
        alive = [["client", "=", client_id], ["revoked", "is", "not set"], ["expires", ">", now]]
        return self.documents.count(call.actor, BEARER_TOKEN, Asked(filters=alive))
