"""The pages of users: their list, a new one, and each one's form with its tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.users import UserType
from latchgate.errors import Conflict, Invalid, NotPermitted
from latchgate.server.desk.forms import Told, done_of, status_of, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.user_form import USERS, UserForm, address_of
from latchgate.server.desk.views import View, containing
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.documents import DocumentService
from latchgate.services.last_seen import LastSeen

__all__ = ["UserPages"]

_GET, _FORM = frozenset({"GET"}), frozenset({"GET", "POST"})
_PAGE_ROWS = 20
_SORTED = ("full_name", "name", "creation")
_COLUMNS = ["name", "full_name", "user_type", "enabled", "creation"]
_KEY_COUNT = "key_count"
_ENABLED = {"yes": 1, "no": 0}
_SIGN_IN = "sign_in"
_WAYS = (("no", "For API calls only: it uses keys and cannot sign in"), ("password", "With a password"))
_NEW_FIELDS = ("email", "first_name", "last_name", "user_type", "new_password")


@dataclass(frozen=True, slots=True)
class UserPages:
    """Users, as the service shows them to whoever asks."""

    frame: Frame
    documents: DocumentService
    form: UserForm
    last_seen: LastSeen

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            USERS: Page(DESK, _GET, self.list_users, Dialect.PAGE),
            f"{USERS}/new": Page(DESK, _FORM, self.new, Dialect.PAGE),
            f"{USERS}/{{name}}": Page(DESK, _FORM, self.one, Dialect.PAGE),
        }

    async def list_users(self, call: Call) -> Response:
        """Show the users that the address's filters allow."""
        offered = {"enabled": _ENABLED, "type": [one.value for one in UserType]}
        view = View.of(call, "search", "enabled", "type", "role", offered=offered)
        values = await anyio.to_thread.run_sync(self._list, call, view)
        action = Link("New user", f"{USERS}/new") if values.pop("may_create") else None
        return await self.frame.show(
            call,
            "users.html",
            Heading("Users", (HOME,), action),
            status=view.status,
            view=view,
            size=_PAGE_ROWS,
            **values,
        )

    async def new(self, call: Call) -> Response:
        """Show the form of a new user, and make one of it."""
        if call.request.method != "POST":
            if not await anyio.to_thread.run_sync(self._may_create, call):
                raise NotPermitted("You may not make users; a System Manager may.", told=True)
            return await self._show_new(call, {"user_type": UserType.SYSTEM.value, _SIGN_IN: "no"}, Told(), 200)
        typed = await call.read_arguments()
        try:
            made = await anyio.to_thread.run_sync(self.documents.create, call.actor, "User", _wanted(typed))
        except (Invalid, Conflict) as error:
            return await self._show_new(call, typed, told_of(error, _NEW_FIELDS, taken="email"), status_of(error))
        return RedirectResponse(f"{address_of(made['name'])}?tab=settings&done=created", 303)

    async def one(self, call: Call) -> Response:
        """Show a user's form at one of its tabs, and take what was changed there."""
        form = self.form
        if call.request.method != "POST":
            return await form.show(call)
        typed = await call.read_arguments()
        tab, changes = form.changes_in(typed)
        change = partial(self.documents.change, call.actor, "User", call.parts["name"], changes)
        try:
            saved = await anyio.to_thread.run_sync(change)
        except (Invalid, Conflict) as error:
            told = told_of(error, form.fields_of(tab, call))
            return await form.show(call, tab, typed=typed, told=told, status=status_of(error))
        address = f"{address_of(saved.record['name'])}?tab={tab}"
        return await self.frame.done(call, address, done_of(saved), saved.undo)

    async def _show_new(self, call: Call, typed: Mapping[str, Any], told: Told, status: int) -> Response:
        heading = Heading("New user", (HOME, Link("Users", USERS)))
        types = [one.value for one in UserType]
        return await self.frame.show(
            call, "user_new.html", heading, status=status, typed=typed, told=told, types=types, users=USERS, ways=_WAYS
        )

    def _list(self, call: Call, view: View) -> dict[str, Any]:
        # Others' keys are their own and the managers' to know of.
        counted = [_KEY_COUNT] if call.principal.is_manager else []
        asked = Asked(
            fields=[*_COLUMNS, *counted],
            filters=_filters(view),
            or_filters=_search(view.get("search")),
            order_by=view.order_by((*_SORTED, *counted), "creation desc"),
            start=view.start,
            limit=_PAGE_ROWS,
        )
        actor = call.actor
        sees = self.documents.list_readable(actor, ["User", "Role"])
        if "User" not in sees:
            raise NotPermitted("You may not see the list of users. Your own account is under your name.", told=True)
        page = self.documents.list_rows(actor, "User", asked)
        rows = page.documents()
        seen = self.last_seen.find(actor, [row["name"] for row in rows])
        for row in rows:
            row["last_active"] = (seen or {}).get(row["name"], "")
        by_name = Asked(fields=["name"], order_by="name asc", limit=0)
        return {
            "rows": rows,
            "may_create": self._may_create(call),
            "total": page.total(view.start, partial(self.documents.count, actor, "User", asked)),
            "sees_keys": bool(counted),
            "sees_log": seen is not None,
            "roles": [row[0] for row in self.documents.list_rows(actor, "Role", by_name).rows]
            if "Role" in sees
            else [],
            "types": [one.value for one in UserType],
        }

    def _may_create(self, call: Call) -> bool:
        return self.documents.may(call.actor, "User", Action.CREATE, None)


def _wanted(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Read the form of a new user. Raises Invalid where it is to sign in and has no password to do so."""
    wanted = {name: typed.get(name, "") for name in _NEW_FIELDS}
    match typed.get(_SIGN_IN):
        case "no":
            # What was typed before the other way was chosen.
            return {**wanted, "new_password": ""}
        case "password" if not wanted["new_password"]:
            raise Invalid({"new_password": "is missing; without one, make the user for API calls only"})
        case _:
            return wanted


def _filters(view: View) -> list[list[Any]]:
    filters: list[list[Any]] = []
    if view.get("enabled") in _ENABLED:
        filters.append(["enabled", "=", _ENABLED[view.get("enabled")]])
    if view.get("type") in set(UserType):
        filters.append(["user_type", "=", view.get("type")])
    if view.get("role"):
        filters.append(["Has Role", "role", "=", view.get("role")])
    return filters


def _search(text: str) -> list[list[str]] | None:
    return [containing("name", text), containing("full_name", text)] if text else None
