"""One's own account, for everybody who is signed in: names, keys, sessions, and what the logs say of oneself."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.permissions import Action
from latchgate.core.policy import PUBLIC, SIGNED_IN
from latchgate.core.users import UserType
from latchgate.errors import Invalid, NotPermitted
from latchgate.server.desk.connected_apps import AppHome, read_apps
from latchgate.server.desk.forms import told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.key_owners import KeyHome, KeyServices, read_keys
from latchgate.server.desk.log_list import ACTIVITY_LOG, REQUEST_LOG, Log, LogList
from latchgate.server.desk.session_lists import SessionLists
from latchgate.server.desk.tabs import ShownAgain, chosen_tab, values_of
from latchgate.server.desk.views import View
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.connected_apps import ConnectedAppService
from latchgate.services.documents import DocumentService
from latchgate.services.key_owners import Owner
from latchgate.services.second_factors import SecondFactorState

__all__ = ["ACCOUNT", "AccountPages"]

ACCOUNT = "/me"
_TABS = (
    ("account", "Account"),
    ("keys", "API Access"),
    ("apps", "Connected apps"),
    ("sessions", "Sessions"),
    ("requests", "Requests"),
    ("activity", "Activity"),
)
_LOGS = {"requests": REQUEST_LOG, "activity": ACTIVITY_LOG}
_LOG_ROWS = 20
_KEYS = f"{ACCOUNT}?tab=keys"
_SESSIONS = f"{ACCOUNT}?tab=sessions"
_NAMES = ("first_name", "last_name")
_INVALID = 417


@dataclass(frozen=True, slots=True)
class AccountPages:
    """The account, as the services show it to its own user; Website Users have no other page."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    lists: SessionLists
    apps: ConnectedAppService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        post = frozenset({"POST"})
        return {
            "/": Page(PUBLIC, frozenset({"GET"}), self.start, Dialect.PAGE),
            ACCOUNT: Page(SIGNED_IN, frozenset({"GET", "POST"}), self.one, Dialect.PAGE),
            f"{ACCOUNT}/session/{{name}}/end": Page(SIGNED_IN, post, self.end_session, Dialect.PAGE),
            f"{ACCOUNT}/end-other-sessions": Page(SIGNED_IN, post, self.end_others, Dialect.PAGE),
        }

    async def start(self, call: Call) -> Response:
        """Show the account of whoever is signed in, and the sign-in page to everybody else. Source: recorded."""
        return await self._show(call) if call.admission.principal else RedirectResponse("/login", 303)

    async def one(self, call: Call) -> Response:
        """Show one's account at one of its tabs, and take one's names."""
        if call.request.method != "POST":
            return await self._show(call)
        typed = await call.read_arguments()
        changes = {name: typed[name] for name in (*_NAMES, "modified") if name in typed}
        try:
            change = partial(self.documents.change, call.actor, "User", call.principal.user, changes)
            saved = await anyio.to_thread.run_sync(change)
        except Invalid as error:
            return await self._show(call, "account", typed=typed, told=told_of(error, _NAMES), status=_INVALID)
        return await self.frame.done(call, ACCOUNT, "saved", saved.undo)

    async def end_session(self, call: Call) -> Response:
        """End one of one's sessions."""
        await anyio.to_thread.run_sync(self.lists.sessions.end_own, call.actor, call.parts["name"])
        return RedirectResponse(f"{_SESSIONS}&done=session-ended", 303)

    async def end_others(self, call: Call) -> Response:
        """End all of one's sessions but this one."""
        await anyio.to_thread.run_sync(self.lists.sessions.end_others, call.actor)
        return RedirectResponse(f"{_SESSIONS}&done=sessions-ended", 303)

    def get_home(self, call: Call) -> KeyHome:
        """Give oneself as the owner of keys."""
        owner, trail = Owner(USER_SOURCE, call.principal.user), (Link("My account", _KEYS),)
        return KeyHome(owner, call.principal.full_name, call.principal.user, ACCOUNT, _KEYS, trail)

    def get_app_home(self, call: Call) -> AppHome:
        """Give oneself as who allowed applications something."""
        return AppHome(call.principal.user, ACCOUNT, f"{ACCOUNT}?tab=apps", own=True)

    async def show_apps(self, call: Call, dialog: Mapping[str, Any]) -> Response:
        """Render the account at its applications, with a dialog above it."""
        return await self._show(call, "apps", dialog=dialog)

    async def show_keys(self, call: Call, dialog: Mapping[str, Any], status: int = 200) -> Response:
        """Render the account at its keys, with a dialog above it."""
        return await self._show(call, "keys", dialog=dialog, status=status)

    async def require_shown(self, call: Call) -> None:
        """Read what the answer to a change of keys shows, before the change."""
        await anyio.to_thread.run_sync(self._read, call, "keys")

    async def _show(self, call: Call, tab: str = "", **again: Unpack[ShownAgain]) -> Response:
        chosen, typed = chosen_tab(call, _TABS, tab), again.get("typed")
        values = await anyio.to_thread.run_sync(self._read, call, chosen)
        return await self.frame.show(
            call,
            "account.html",
            Heading("My account"),
            typed=typed if typed is not None else values.get("user"),
            **values_of(_TABS, chosen, again),
            **values,
        )

    def _read(self, call: Call, tab: str) -> dict[str, Any]:
        match tab:
            case "keys":
                return read_keys(KeyServices(self.documents, self.api_keys), call, self.get_home(call))
            case "apps":
                return read_apps(self.apps, call, self.get_app_home(call))
            case "sessions":
                return self.lists.read_own(call)
            case "requests" | "activity":
                return self._log(call, _LOGS[tab])
            case _:
                return {"user": self._own_record(call), "second_factor": self._second_factor(call)}

    def _log(self, call: Call, log: Log) -> dict[str, Any]:
        view = View.of(call, "tab")
        # The log's own page belongs to the desk.
        in_desk = call.principal.user_type is UserType.SYSTEM
        values = {"view": view, "log": View(log.address, {"since": "any"}) if in_desk else None}
        if not self.documents.may(call.actor, log.doctype, Action.READ, None):
            return {**values, "page": None}
        own = [["user", "=", call.principal.user]]
        return {**values, "page": LogList(self.documents, log).read(call, view, own, _LOG_ROWS)}

    def _own_record(self, call: Call) -> dict[str, Any] | None:
        """Give one's own record if one may change it; a key may be good for less than its user."""
        for action in (Action.READ, Action.WRITE):
            if not self.documents.may(call.actor, "User", action, call.principal.user):
                return None
        return self.documents.get(call.actor, "User", call.principal.user)

    def _second_factor(self, call: Call) -> SecondFactorState | None:
        try:
            return self.lists.second_factors.get_own(call.actor)
        except NotPermitted:
            return None
