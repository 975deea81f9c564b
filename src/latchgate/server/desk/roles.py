"""The pages of roles: their list with a new one, each one's grid of permissions, and its end."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import Conflict, Invalid, NotPermitted
from latchgate.server.desk.forms import Told, status_of, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.role_form import AUTOMATIC, ROLES, SECOND_FACTOR, RoleForm, address_of
from latchgate.server.desk.views import View, containing
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.documents import DocumentService
from latchgate.services.permissions import ROLE_PERMISSION, PermissionService
from latchgate.services.roles import RoleService

__all__ = ["RolePages"]

_FORM = frozenset({"GET", "POST"})
_PAGE_ROWS = 20
_SORTED = ("name",)
_INVALID = 417
_NAME = "role_name"


@dataclass(frozen=True, slots=True)
class RolePages:
    """Roles and what they allow, as the services show them to whoever asks."""

    frame: Frame
    documents: DocumentService
    permissions: PermissionService
    roles: RoleService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            ROLES: Page(DESK, _FORM, self.list_roles, Dialect.PAGE),
            f"{ROLES}/{{name}}": Page(DESK, _FORM, self.one, Dialect.PAGE),
            f"{ROLES}/{{name}}/delete": Page(DESK, _FORM, self.delete, Dialect.PAGE),
            f"{ROLES}/{{name}}/second-factor": Page(DESK, frozenset({"POST"}), self.second_factor, Dialect.PAGE),
        }

    async def list_roles(self, call: Call) -> Response:
        """Show the roles that the address's search finds; make one of what the dialog above them sends."""
        if call.request.method != "POST":
            return await self._show_list(call, opened="new" in call.request.query_params)
        wanted = {_NAME: (await call.read_arguments()).get(_NAME, "")}
        try:
            made = await anyio.to_thread.run_sync(self.documents.create, call.actor, "Role", wanted)
        except (Conflict, Invalid) as error:
            told, status = told_of(error, (_NAME,), taken=_NAME), status_of(error)
            return await self._show_list(call, opened=True, typed=wanted[_NAME], told=told, status=status)
        return RedirectResponse(f"{address_of(made['name'])}?done=created", 303)

    async def one(self, call: Call) -> Response:
        """Show what a role may do, and take what was ticked there."""
        if call.request.method != "POST":
            return await self._form.show(call)
        typed = await call.read_arguments()
        try:
            undo = await anyio.to_thread.run_sync(self._form.save, call, typed)
        except Invalid as error:
            return await self._form.show(call, typed=typed, told=told_of(error, ()), status=_INVALID)
        return await self.frame.done(call, address_of(call.parts["name"]), "saved", undo)

    async def second_factor(self, call: Call) -> Response:
        """Let a role require a second factor, or not."""
        # A box that is not ticked sends nothing.
        changes = {SECOND_FACTOR: 1 if (await call.read_arguments()).get(SECOND_FACTOR) else 0}
        try:
            change = partial(self.documents.change, call.actor, "Role", call.parts["name"], changes)
            saved = await anyio.to_thread.run_sync(change)
        except Invalid as error:
            return await self._form.show(call, told=told_of(error, (SECOND_FACTOR,)), status=_INVALID)
        return await self.frame.done(call, address_of(call.parts["name"]), "saved", saved.undo)

    async def delete(self, call: Call) -> Response:
        """Say what ends with a role, and delete it."""
        name = call.parts["name"]
        posted = call.request.method == "POST"
        act = partial(self.documents.delete, call.actor, "Role") if posted else self._judge_deletion(call)
        try:
            await anyio.to_thread.run_sync(act, name)
        except (Conflict, Invalid) as error:
            dialog = {"kind": "refused", "sentence": told_of(error, ()).problem}
            return await self._form.show(call, dialog=dialog, status=status_of(error))
        if posted:
            return RedirectResponse(f"{ROLES}?done=deleted", 303)
        return await self._form.show(call, dialog={"kind": "delete"})

    @property
    def _form(self) -> RoleForm:
        return RoleForm(self.frame, self.documents, self.permissions, self.roles)

    async def _show_list(
        self, call: Call, *, opened: bool, typed: object = "", told: Told | None = None, status: int = 200
    ) -> Response:
        view = View.of(call, "search")
        values = await anyio.to_thread.run_sync(self._list, call, view)
        if opened and not values["may_create"]:
            raise NotPermitted("You may not make roles; a System Manager may.", told=True)
        action = Link("New role", f"{ROLES}?new=1") if values["may_create"] else None
        return await self.frame.show(
            call,
            "roles.html",
            Heading("Roles", (HOME,), action, opens_dialog=True),
            status=max(status, view.status),
            view=view,
            size=_PAGE_ROWS,
            automatic={name: words for name, (words, _) in AUTOMATIC.items()},
            always={SYSTEM_MANAGER: ADMINISTRATOR},
            opened=opened,
            typed=typed if isinstance(typed, str) else "",
            told=told or Told(),
            **values,
        )

    def _list(self, call: Call, view: View) -> dict[str, Any]:
        actor = call.actor
        if not self.documents.may(actor, "Role", Action.READ, None):
            raise NotPermitted("You may not see the list of roles. A user's own roles are in its form.", told=True)
        search = view.get("search")
        asked = Asked(
            fields=["name"],
            filters=[containing("name", search)] if search else None,
            order_by=view.order_by(_SORTED, "name asc"),
            start=view.start,
            limit=_PAGE_ROWS,
        )
        rows = self.documents.list_rows(actor, "Role", asked).documents()
        sees = self.documents.list_readable(actor, ["User", ROLE_PERMISSION])
        if "User" in sees:
            holders = dict(self.roles.list_roles())
            for row in rows:
                row["users"] = holders.get(row["name"], 0)
        if ROLE_PERMISSION in sees:
            counts = Counter(grant.role for grant in self.permissions.list_grants(actor))
            for row in rows:
                row["permissions"] = counts[row["name"]]
        return {
            "rows": rows,
            "total": self.documents.count(actor, "Role", asked),
            "sees_users": "User" in sees,
            "sees_permissions": ROLE_PERMISSION in sees,
            "may_create": self.documents.may(actor, "Role", Action.CREATE, None),
        }

    def _judge_deletion(self, call: Call) -> Callable[[str], None]:
        def judge(name: str) -> None:
            # Whoever may not read it hears nothing of it.
            self.documents.get(call.actor, "Role", name)
            self.roles.require_deletable(call.actor, name)

        return judge
