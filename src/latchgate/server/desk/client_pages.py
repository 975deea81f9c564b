"""The form of an OAuth client: Details, Tokens, Activity, and the dialogs above it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Unpack

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.clients import GrantType, SigningAlgorithm, StoredClient
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.tokens import Secret
from latchgate.core.undos import Undo
from latchgate.core.users import GUEST, ROLES_OF_ALL
from latchgate.errors import Flaw, Invalid, LatchgateError, NotFound, NotPermitted
from latchgate.oauth.metadata import ServerAddresses
from latchgate.server.desk.charts import Chart, Charts
from latchgate.server.desk.client_form import FIELDS, MAY, ClientReader, typed_of
from latchgate.server.desk.client_words import AUTH_METHODS, GRANTS, grant_words, kind_words
from latchgate.server.desk.forms import told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.log_list import ACTIVITY_LOG, REQUEST_LOG, LogList
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.new_keys import choice
from latchgate.server.desk.rendering import RenderingError
from latchgate.server.desk.tabs import ShownAgain, chosen_tab, values_of
from latchgate.server.desk.views import View
from latchgate.server.desk.wording import segment
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.access_tokens import BEARER_TOKEN, AccessTokenService
from latchgate.services.clients import OAUTH_CLIENT, ClientService, NewlyMadeClient
from latchgate.services.documents import DocumentService
from latchgate.services.oauth_documents import undo_of_client
from latchgate.services.port_values import CountedBy
from latchgate.services.ports import Clock

__all__ = ["CLIENTS", "ClientForm", "ClientPages", "address_of"]

CLIENTS = "/app/oauth-client"
OVERLAPS = (
    ("0", "End the present secret at once"),
    ("3600", "Both work for an hour"),
    ("86400", "Both work for a day"),
    ("604800", "Both work for a week"),
)
_CLIENT = f"{CLIENTS}/{{name}}"
_FORM = frozenset({"GET", "POST"})
_INVALID = 417
_ROWS = 20
_SEEN_DIGITS_MAX = 18
_TABS = (("details", "Details"), ("tokens", "Tokens"), ("activity", "Activity"))


def address_of(client_id: str) -> str:
    """Give the address of a client's form."""
    return f"{CLIENTS}/{segment(client_id)}"


@dataclass(frozen=True, slots=True)
class ClientForm:
    """Renders a client, at the tab that the address or what was just sent chooses."""

    frame: Frame
    documents: DocumentService
    clients: ClientService
    clock: Clock
    public_url: str
    charts: Charts

    async def show(self, call: Call, tab: str = "", **again: Unpack[ShownAgain]) -> Response:
        """Render the form of the client that the address names, at a tab or that of the address."""
        chosen, name = chosen_tab(call, _TABS, tab), call.parts["name"]
        values = await anyio.to_thread.run_sync(self._read, call, name, chosen, again.get("typed"))
        return await self.frame.show(
            call,
            "oauth_client.html",
            Heading(values["client"].app_name, (HOME, Link("OAuth Clients", CLIENTS))),
            address=address_of(name),
            addresses=ServerAddresses(self.public_url),
            **values_of(_TABS, chosen, again),
            **values,
        )

    async def show_secret(self, call: Call, client_id: str, secret: Secret) -> Response:
        """Show a secret, this once, above the client's form."""
        after = replace(call.after_change(), parts={"name": client_id})
        try:
            dialog = {"kind": "secret", "secret": secret.text}
            return await self.show(after, "details", dialog=dialog)
        except (LatchgateError, RenderingError):
            # The database went away, or the page has a fault: the secret is there by now, and shown nowhere else.
            return self.frame.plain(
                "secret.html",
                title="Client secret",
                facts=(("Client ID", client_id),),
                secret=secret.text,
                back=address_of(client_id),
            )

    def offered(self, call: Call, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Read what the fields of the form offer to choose from."""
        chosen = {name.removeprefix("role:") for name in typed if name.startswith("role:")}
        roles = chosen
        if "Role" in self.documents.list_readable(call.actor, ["Role"]):
            asked = Asked(fields=["name"], order_by="name asc", limit=0)
            names = {name for (name,) in self.documents.list_rows(call.actor, "Role", asked).rows}
            # Those that everybody has choose nobody.
            roles = chosen | (names - ROLES_OF_ALL - {GUEST})
        return {
            "may": MAY,
            "rights": sorted(self.documents.list_allowed(call.actor).items()),
            "actions": list(Action),
            "roles": sorted(roles),
            "algorithms": [one.value for one in SigningAlgorithm],
            "manages": call.principal.is_manager,
            "grants": [(grant.value, GRANTS[grant][1]) for grant in GrantType],
        }

    def _read(self, call: Call, name: str, tab: str, typed: Mapping[str, Any] | None) -> dict[str, Any]:
        client = self.clients.get(call.actor, name)
        may = {action: self.documents.may(call.actor, OAUTH_CLIENT, action, name) for action in Action}
        values = {
            "client": client,
            "kind": kind_words(client.auth_method, trusted=client.skip_authorization),
            "grant_words": grant_words(client.grant_types),
            "may_write": may[Action.WRITE] and client.revoked_at is None,
            "may_delete": may[Action.DELETE],
            "auth_methods": AUTH_METHODS,
            "back": CLIENTS,
            "former_secret": client.previous_until is not None and self.clock.now() < client.previous_until,
        }
        match tab:
            case "tokens":
                return {**values, **self._tokens(call, client)}
            case "activity":
                return {**values, **self._activity(call, client)}
            case _:
                shown = typed_of(client, self.documents.list_allowed(call.actor)) if typed is None else typed
                return {**values, "typed": shown, **self.offered(call, shown)}

    def _tokens(self, call: Call, client: StoredClient) -> dict[str, Any]:
        actor, view = call.actor, View.of(call, "tab")
        values = {"view": view, "size": _ROWS, "users": self.clients.count_users(actor, client.client_id)}
        sees = self.documents.list_readable(actor, [BEARER_TOKEN, "User"])
        if BEARER_TOKEN not in sees:
            return {**values, "tokens": None}
        now = datetime.fromtimestamp(self.clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S")
        asked = Asked(
            filters=[["client", "=", client.client_id], ["revoked", "is", "not set"], ["expires", ">", now]],
            order_by="issued desc",
            start=view.start,
            limit=_ROWS,
        )
        return {
            **values,
            "tokens": self.documents.list_whole(actor, BEARER_TOKEN, asked).documents(),
            "total": self.documents.count(actor, BEARER_TOKEN, asked),
            "may_end": self.documents.may(actor, BEARER_TOKEN, Action.DELETE, None),
            "sees_users": "User" in sees,
        }

    def _activity(self, call: Call, client: StoredClient) -> dict[str, Any]:
        view = View.of(call, "tab", "period")
        values = {
            "view": view,
            "log": View(ACTIVITY_LOG.address, {"since": "any"}),
            "chart": self._chart(call, view, client),
        }
        if not self.documents.may(call.actor, ACTIVITY_LOG.doctype, Action.READ, None):
            return {**values, "page": None}
        about = [["subject", "=", client.client_id]]
        return {**values, "page": LogList(self.documents, ACTIVITY_LOG).read(call, view, about, _ROWS)}

    def _chart(self, call: Call, view: View, client: StoredClient) -> Chart | None:
        if REQUEST_LOG.doctype not in self.documents.list_readable(call.actor, [REQUEST_LOG.doctype]):
            return None
        # A client has no source, and so is no key of the same name.
        return self.charts.of_period(call.actor, view, CountedBy.KEY, client.client_id, "")


@dataclass(frozen=True, slots=True)
class ClientPages:
    """What can be done to a client; each dialog is a page too, which works without a script."""

    form: ClientForm
    clients: ClientService
    tokens: AccessTokenService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        handlers = {
            _CLIENT: self.one,
            f"{_CLIENT}/rotate": self.rotate,
            f"{_CLIENT}/revoke": self.revoke,
            f"{_CLIENT}/delete": self.delete,
            f"{_CLIENT}/token/{{token}}/end": self.end_token,
        }
        return {path: Page(DESK, _FORM, handler, Dialect.PAGE) for path, handler in handlers.items()}

    async def one(self, call: Call) -> Response:
        """Show a client's form, and take what was changed there."""
        if call.request.method != "POST":
            return await self.form.show(call)
        typed = await call.read_arguments()
        try:
            made, undo = await anyio.to_thread.run_sync(self._change, call, typed)
        except Invalid as error:
            told = told_of(error, FIELDS)
            return await self.form.show(call, "details", typed=typed, told=told, status=_INVALID)
        if made.secret is not None:
            return await self.form.show_secret(call, call.parts["name"], made.secret)
        return await self.form.frame.done(call, address_of(call.parts["name"]), "saved", undo)

    async def rotate(self, call: Call) -> Response:
        """Ask for how long the present secret should still work, and make a new one."""
        if call.request.method != "POST":
            return await self._ask(call, "rotate", Action.WRITE)
        arguments = await call.read_arguments()
        try:
            rotate = partial(self.clients.rotate, call.actor, call.parts["name"], seen=_seen(arguments))
            overlap = int(choice("overlap", arguments, OVERLAPS))
            made = await anyio.to_thread.run_sync(partial(rotate, overlap_seconds=overlap))
        except Invalid as error:
            return await self._refuse(call, "rotate", error)
        if made.secret is None:
            raise AssertionError("a rotation gives a secret")
        return await self.form.show_secret(call, call.parts["name"], made.secret)

    async def revoke(self, call: Call) -> Response:
        """Say what stops working, and end the client."""
        if call.request.method != "POST":
            return await self._ask(call, "revoke", Action.WRITE)
        await anyio.to_thread.run_sync(self.clients.revoke, call.actor, call.parts["name"])
        return RedirectResponse(f"{address_of(call.parts['name'])}?done=client-revoked", 303)

    async def delete(self, call: Call) -> Response:
        """Say what stops working, and delete the client."""
        if call.request.method != "POST":
            return await self._ask(call, "delete", Action.DELETE)
        await anyio.to_thread.run_sync(self.clients.delete, call.actor, call.parts["name"])
        return RedirectResponse(f"{CLIENTS}?done=deleted", 303)

    async def end_token(self, call: Call) -> Response:
        """Say what ends with a token, and end it."""
        find = partial(self._find_token, call)
        token = await anyio.to_thread.run_sync(find)
        if call.request.method != "POST":
            return await self.form.show(call, "tokens", dialog={"kind": "token", "token": token})
        await anyio.to_thread.run_sync(self.tokens.end, call.actor, token["name"])
        return RedirectResponse(f"{address_of(call.parts['name'])}?tab=tokens&done=token-ended", 303)

    def _change(self, call: Call, typed: Mapping[str, Any]) -> tuple[NewlyMadeClient, Undo | None]:
        client, seen = self.clients.get(call.actor, call.parts["name"]), _seen(typed)
        order = ClientReader(call.principal.is_manager).read_changed(typed, client)
        made = self.clients.change(call.actor, client.client_id, order, seen=seen)
        # What was read is what stood before only if nobody changed it between.
        return made, undo_of_client(client, made.client) if client.modified == seen else None

    async def _ask(self, call: Call, kind: str, action: Action, **more: object) -> Response:
        dialog = await anyio.to_thread.run_sync(self._about, call, kind, action)
        return await self.form.show(call, "details", dialog={**dialog, **more}, status=_INVALID if more else 200)

    async def _refuse(self, call: Call, kind: str, error: Invalid) -> Response:
        if error.flaw is Flaw.STALE:
            return await self._ask(call, kind, Action.WRITE, stale=True)
        dialog = {"kind": "refused", "sentence": told_of(error, ()).problem}
        return await self.form.show(call, "details", dialog=dialog, status=_INVALID)

    def _about(self, call: Call, kind: str, action: Action) -> dict[str, Any]:
        client = self.clients.get(call.actor, call.parts["name"])
        if not self.form.documents.may(call.actor, OAUTH_CLIENT, action, client.client_id):
            raise NotPermitted("You may not do this to this client.", told=True)
        return {
            "kind": kind,
            "client": client,
            "users": self.clients.count_users(call.actor, client.client_id),
            "overlaps": OVERLAPS,
            "stale": False,
        }

    def _find_token(self, call: Call) -> dict[str, Any]:
        token = self.form.documents.get(call.actor, BEARER_TOKEN, call.parts["token"])
        if token["client"] != call.parts["name"]:
            raise NotFound("This client has no such token that you may see.")
        return token


def _seen(sent: Mapping[str, Any]) -> int:
    """Give the client's `modified` that a page was about. Raises Invalid."""
    seen = sent.get("seen")
    if not (isinstance(seen, str) and seen.isascii() and seen.isdigit() and len(seen) <= _SEEN_DIGITS_MAX):
        raise Invalid({"seen": "is required, as the page had it"})
    return int(seen)
