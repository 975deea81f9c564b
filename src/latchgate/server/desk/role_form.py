"""A role's page: what it may do as a grid of boxes, and below who has it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.questions import Asked
from latchgate.core.undos import Undo
from latchgate.core.users import ADMINISTRATOR, ALL_ROLE, DESK_USER, GUEST, SYSTEM_MANAGER
from latchgate.errors import Conflict, Invalid, NotPermitted
from latchgate.server.desk.forms import Told
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import HOME
from latchgate.server.desk.user_form import USERS
from latchgate.server.desk.wording import segment
from latchgate.server.requests import Call
from latchgate.services.document_rights import GIVES_RIGHTS
from latchgate.services.documents import DocumentService
from latchgate.services.permissions import ROLE_PERMISSION, Matrix, PermissionService
from latchgate.services.roles import RoleService

__all__ = ["AUTOMATIC", "ROLES", "SECOND_FACTOR", "RoleForm", "address_of"]

ROLES = "/app/role"
SECOND_FACTOR = "two_factor_auth"
AUTOMATIC: Mapping[str, tuple[str, str]] = {
    ALL_ROLE: ("every user", "Every user has this role by itself."),
    GUEST: ("everybody", "Every user has this role by itself, and so has whoever sends no credential."),
    DESK_USER: ("System Users", "Every System User has this role by itself."),
}
"""Who has a role that is granted to nobody: in a list, and as a sentence."""
_BOX, _ALL, _OWN = "may", "all", "own"
_TICKED = "1"
_HOLDERS = 20
_GONE_MAX = 20
_SHOWN_MAX = 140


@dataclass(frozen=True, slots=True)
class Box:
    """One thing that a role may do to the records of one document type, to all or to one's own."""

    name: str
    words: str
    label: str
    """The same where no heading is seen with it."""
    ticked: bool
    kept: bool
    """Whether nobody can take it."""
    offered: bool
    """Whether it can be done at all, or is ticked nevertheless."""


@dataclass(frozen=True, slots=True)
class Row:
    """The boxes of one document type."""

    doctype: str
    all: tuple[Box, ...]
    own: tuple[Box, ...]
    reserved: bool
    """Whether System Managers alone change its records, whatever is ticked."""


def address_of(name: str) -> str:
    """Give the address of a role's page."""
    return f"{ROLES}/{segment(name)}"


@dataclass(frozen=True, slots=True)
class RoleForm:
    """Renders a role, and reads what was ticked of it."""

    frame: Frame
    documents: DocumentService
    permissions: PermissionService
    roles: RoleService

    async def show(
        self,
        call: Call,
        *,
        typed: Mapping[str, Any] | None = None,
        told: Told | None = None,
        status: int = 200,
        dialog: Mapping[str, Any] | None = None,
    ) -> Response:
        """Render the role that the address names.

        Args:
            call: Whose address has the part `name`.
            typed: What was sent and refused, shown instead of what is stored.
            told: Why it was refused.
            status: The answer's.
            dialog: What opens above the page: `kind`, and a `sentence` where that is a refusal.
        """
        values = await anyio.to_thread.run_sync(self._read, call, typed)
        trail = (HOME, Link("Roles", ROLES))
        return await self.frame.show(
            call,
            "role.html",
            Heading(values["role"], trail),
            status=status,
            told=told or Told(),
            address=address_of(values["role"]),
            users=USERS,
            dialog=dialog or {"kind": ""},
            **values,
        )

    def save(self, call: Call, typed: Mapping[str, Any]) -> Undo | None:
        """Let the role do what was ticked and nothing else; tell what would put it back.

        Raises NotPermitted, NotFound, Invalid.
        """
        seen = typed.get("seen")
        role = self.documents.get(call.actor, "Role", call.parts["name"])["name"]
        matrix = self.permissions.show(call.actor, role)
        if not matrix.changeable and not matrix.why_fixed:
            raise NotPermitted("Only a System Manager may change what a role may do.", told=True)
        if not isinstance(seen, str):
            raise Invalid({"seen": "is required, as the page had it"})
        kept = matrix.kept
        # What nobody can take, the page sends no boxes of.
        places = {(grant.doctype, grant.if_owner) for grant in kept}
        sent = {grant for grant in _grants_in(role, typed) if (grant.doctype, grant.if_owner) not in places}
        return self.permissions.set_all(call.actor, role, kept | sent, seen=seen)

    def _read(self, call: Call, typed: Mapping[str, Any] | None) -> dict[str, Any]:
        actor = call.actor
        record = self.documents.get(actor, "Role", call.parts["name"])
        role = record["name"]
        sees = self.documents.list_readable(actor, ["User", ROLE_PERMISSION])
        matrix = self.permissions.show(actor, role) if ROLE_PERMISSION in sees else None
        seen = typed.get("seen") if typed is not None else None
        return {
            "role": role,
            "matrix": matrix,
            "rows": list(_rows(matrix, typed)) if matrix else [],
            "seen": seen if isinstance(seen, str) else matrix.seen if matrix else "",
            "automatic": AUTOMATIC.get(role, ("", ""))[1],
            "always": ADMINISTRATOR if role == SYSTEM_MANAGER else "",
            "sees_users": "User" in sees,
            "deletable": self._is_deletable(call, role),
            "second_factor": bool(record[SECOND_FACTOR]),
            "may_require": call.principal.is_manager and self.documents.may(actor, "Role", Action.WRITE, role),
            **(self._holders(call, role) if "User" in sees else {"holders": [], "total": 0}),
        }

    def _holders(self, call: Call, role: str) -> dict[str, Any]:
        asked = Asked(
            fields=["name", "full_name", "enabled"],
            filters=[["Has Role", "role", "=", role]],
            order_by="full_name asc",
            limit=_HOLDERS,
        )
        page = self.documents.list_rows(call.actor, "User", asked)
        total = page.total(0, lambda: self.documents.count(call.actor, "User", asked))
        return {"holders": page.documents(), "total": total}

    def _is_deletable(self, call: Call, role: str) -> bool:
        try:
            self.roles.require_deletable(call.actor, role)
        except (Invalid, NotPermitted):
            return False
        except Conflict:
            # The dialog says what must be changed first; a button that is missing says nothing.
            return True
        return True


def _rows(matrix: Matrix, typed: Mapping[str, Any] | None) -> Iterator[Row]:
    """Lay the grid out: of what is stored, or of what was sent and refused, which may name types that are gone."""
    ticked = {_name(grant, action) for grant in matrix.grants for action in grant.actions}
    kept = {_name(grant, action) for grant in matrix.kept for action in grant.actions}
    if typed is not None:
        ticked = kept | {name for name in typed if _parse(name)}
    reserved = GIVES_RIGHTS if matrix.role != SYSTEM_MANAGER else frozenset()
    named = {found[0] for found in map(_parse, typed or ()) if found}
    # What was ticked of a type that is gone meanwhile stands there too; nobody saw more of these.
    gone = sorted(named.difference(matrix.doctypes))[:_GONE_MAX]
    for doctype in (*matrix.doctypes, *gone):
        known = DOCUMENT_TYPES.get(doctype)
        possible = known.actions if known else EVERY_ACTION

        def box(action: Action, whose: str, doctype: str = doctype, possible: frozenset[Action] = possible) -> Box:
            name = f"{_BOX}:{doctype}:{action}:{whose}"
            offered = action in possible or name in ticked
            label = f"{doctype}: {action} {whose}"
            return Box(name, action.title(), label, name in ticked, name in kept, offered)

        boxes = {whose: tuple(box(action, whose) for action in Action) for whose in (_ALL, _OWN)}
        yield Row(doctype, boxes[_ALL], boxes[_OWN], doctype in reserved)


def _grants_in(role: str, typed: Mapping[str, Any]) -> list[Grant]:
    """Read what was ticked. Raises Invalid for a box that no page has."""
    chosen: dict[tuple[str, bool], set[Action]] = {}
    for name, value in typed.items():
        if not name.startswith(f"{_BOX}:"):
            continue
        found = _parse(name)
        if found is None or value != _TICKED:
            raise Invalid({name[:_SHOWN_MAX]: f"must be a box of this page, sent as {_TICKED} where it is ticked"})
        doctype, action, if_owner = found
        chosen.setdefault((doctype, if_owner), set()).add(action)
    return [Grant(role, doctype, if_owner, frozenset(actions)) for (doctype, if_owner), actions in chosen.items()]


def _parse(name: str) -> tuple[str, Action, bool] | None:
    match name.split(":"):
        case [start, doctype, action, ("all" | "own") as whose] if start == _BOX and action in set(Action):
            return doctype, Action(action), whose == _OWN
        case _:
            return None


def _name(grant: Grant, action: Action) -> str:
    return f"{_BOX}:{grant.doctype}:{action}:{_OWN if grant.if_owner else _ALL}"
