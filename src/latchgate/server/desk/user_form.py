"""A user's form: Details, Roles & Permissions, Settings with its API Access, Activity."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.users import UserType, automatic_roles
from latchgate.errors import NotPermitted
from latchgate.server.desk.charts import Charts
from latchgate.server.desk.connected_apps import AppHome, read_apps
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.key_owners import KeyHome, KeyServices, read_keys
from latchgate.server.desk.log_list import REQUEST_LOG, LogList
from latchgate.server.desk.navigation import HOME
from latchgate.server.desk.session_lists import SessionLists
from latchgate.server.desk.tabs import ShownAgain, chosen_tab, values_of
from latchgate.server.desk.views import View
from latchgate.server.desk.wording import segment
from latchgate.server.requests import Call
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.connected_apps import ConnectedAppService
from latchgate.services.documents import DocumentService
from latchgate.services.key_owners import Owner
from latchgate.services.port_values import CountedBy

__all__ = ["USERS", "UserForm", "address_of"]

USERS = "/app/user"

TABS = (
    ("details", "Details"),
    ("roles", "Roles & Permissions"),
    ("settings", "Settings"),
    ("activity", "Activity"),
)
_SIGN_INS = ("sessions", "Sign-in")
"""Of whom System Managers alone know from where they sign in."""
_DETAILS = ("first_name", "last_name", "user_type")
_LIMITS = ("restrict_ip", "login_after", "login_before")
_HOUR = re.compile("[0-9]{1,3}")
_ROLE = "role:"
_KEY_CHANGES = ("revoked",)
_DISCONNECT = "disconnect"
_LOG_ROWS = 20
_RIGHTS = ["document_type", "role", "if_owner", "read", "write", "create", "delete"]


def address_of(name: str) -> str:
    """Give the address of a user's form."""
    return f"{USERS}/{segment(name)}"


@dataclass(frozen=True, slots=True)
class UserForm:
    """Renders a user, at the tab that the address or what was just sent chooses."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    apps: ConnectedAppService
    charts: Charts
    lists: SessionLists

    async def show(self, call: Call, tab: str = "", **again: Unpack[ShownAgain]) -> Response:
        """Render the form of the user that the address names, at a tab or that of the address."""
        query, tabs = call.request.query_params, _tabs_for(call)
        chosen = chosen_tab(call, tabs, tab)
        user, values = await anyio.to_thread.run_sync(self._read, call, chosen)
        trail = (HOME, Link("Users", USERS)) if values["sees_all"] else (HOME,)
        shown = values_of(tabs, chosen, again)
        kind, typed = shown["dialog"]["kind"], again.get("typed")
        return await self.frame.show(
            call,
            "user.html",
            Heading(user["full_name"], trail),
            user=user,
            typed=typed if typed is not None else user,
            address=address_of(user["name"]),
            types=[one.value for one in UserType],
            access_open=kind not in {"", _DISCONNECT} or query.get("done", "") in _KEY_CHANGES,
            apps_open=kind == _DISCONNECT or query.get("done", "") == "disconnected",
            **shown,
            **values,
        )

    def get_home(self, call: Call) -> KeyHome:
        """Read whose keys they are. Raises NotFound, NotPermitted."""
        user = self.documents.get(call.actor, "User", call.parts["name"])
        if "api_key" not in user:
            raise NotPermitted("You may not see or make the keys of this user.", told=True)
        return self._home_of(call, user)

    def get_app_home(self, call: Call) -> AppHome:
        """Tell whose applications the address means."""
        return self._app_home(call, call.parts["name"])

    async def show_apps(self, call: Call, dialog: Mapping[str, Any]) -> Response:
        """Render the form at its applications, with a dialog above it."""
        return await self.show(call, "settings", dialog=dialog)

    async def show_keys(self, call: Call, dialog: Mapping[str, Any], status: int = 200) -> Response:
        """Render the form at its keys, with a dialog above it."""
        return await self.show(call, "settings", dialog=dialog, status=status)

    async def require_shown(self, call: Call) -> None:
        """Read what the answer to a change in Settings shows, before the change: what fails later loses a secret."""
        await anyio.to_thread.run_sync(self._read, call, "settings")

    def changes_in(self, typed: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Read which tab was sent, and the fields that it changes."""
        modified = {"modified": typed["modified"]} if typed.get("modified") else {}
        if typed.get("tab") == "roles":
            roles = [{"role": name.removeprefix(_ROLE)} for name in typed if name.startswith(_ROLE)]
            return "roles", {**modified, "roles": roles}
        # A box that is not ticked sends nothing; it stands beside the type, for who may change either.
        checked = {"enabled": 1 if typed.get("enabled") else 0} if "user_type" in typed else {}
        sent = {name: typed[name] for name in (*_DETAILS, *_LIMITS) if name in typed}
        hours = {name: int(sent[name]) for name in _LIMITS[1:] if _HOUR.fullmatch(str(sent.get(name, "")))}
        return "details", {**modified, **checked, **sent, **hours}

    def fields_of(self, tab: str, call: Call) -> tuple[str, ...]:
        """Tell which fields a tab's form shows, at which it can say what is wrong."""
        if tab != "details":
            return ()
        return (*_DETAILS, *_LIMITS, "enabled") if call.principal.is_manager else _DETAILS[:2]

    def _read(self, call: Call, tab: str) -> tuple[dict[str, Any], dict[str, Any]]:
        actor = call.actor
        user = self.documents.get(actor, "User", call.parts["name"])
        values: dict[str, Any] = {
            "sees_all": "User" in self.documents.list_readable(actor, ["User"]),
            "may_write": self.documents.may(actor, "User", Action.WRITE, user["name"]),
        }
        match tab:
            case "roles":
                return user, values | self._roles(call, user)
            case "settings":
                apps = read_apps(self.apps, call, self._app_home(call, user["name"]))
                return user, values | self._keys(call, user) | apps
            case "activity":
                return user, values | self._activity(call, user["name"])
            case "sessions":
                return user, values | self.lists.read_of(call, user["name"])
            case _:
                return user, values

    def _roles(self, call: Call, user: Mapping[str, Any]) -> dict[str, Any]:
        granted = {row["role"] for row in user["roles"]}
        sees = self.documents.list_readable(call.actor, ["Role", "Role Permission"])
        automatic = automatic_roles(user["name"], user["user_type"]) - granted
        roles = sorted(granted)
        if "Role" in sees:
            by_name = Asked(fields=["name"], order_by="name asc", limit=0)
            rows = self.documents.list_rows(call.actor, "Role", by_name).rows
            roles = [name for (name,) in rows if name not in automatic]
        rights: list[dict[str, Any]] = []
        if "Role Permission" in sees:
            asked = Asked(
                fields=_RIGHTS,
                filters=[["role", "in", sorted(granted | automatic)]],
                order_by="document_type asc, role asc",
                limit=0,
            )
            rights = self.documents.list_rows(call.actor, "Role Permission", asked).documents()
        return {
            "roles": roles,
            "granted": granted,
            "automatic": sorted(automatic),
            "rights": rights,
            "sees_rights": "Role Permission" in sees,
            "sees_roles": "Role" in sees,
        }

    def _keys(self, call: Call, user: Mapping[str, Any]) -> dict[str, Any]:
        if "api_key" not in user:
            return {"keyed": None}
        return read_keys(KeyServices(self.documents, self.api_keys), call, self._home_of(call, user))

    def _home_of(self, call: Call, user: Mapping[str, Any]) -> KeyHome:
        address = address_of(user["name"])
        back = f"{address}?tab=settings"
        sees_all = "User" in self.documents.list_readable(call.actor, ["User"])
        trail = (HOME, *([Link("Users", USERS)] if sees_all else []), Link(user["full_name"], back))
        return KeyHome(Owner(USER_SOURCE, user["name"]), user["full_name"], user["name"], address, back, trail)

    def _app_home(self, call: Call, user: str) -> AppHome:
        address = address_of(user)
        return AppHome(user, address, f"{address}?tab=settings", own=user == call.principal.user)

    def _activity(self, call: Call, user: str) -> dict[str, Any]:
        view = View.of(call, "tab", "period")
        page = LogList(self.documents, REQUEST_LOG).read(call, view, [["user", "=", user]], _LOG_ROWS)
        log = View(REQUEST_LOG.address, {"since": "any"})
        all_requests = View(log.path, {}).to(user=user, since="any")
        chart = self.charts.of_period(call.actor, view, CountedBy.USER, user)
        return {"view": view, "page": page, "log": log, "all_requests": all_requests, "chart": chart}


def _tabs_for(call: Call) -> tuple[tuple[str, str], ...]:
    return (*TABS, _SIGN_INS) if call.principal.is_manager else TABS
