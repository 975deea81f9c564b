"""What roles may do: permissions are listed, granted, changed and revoked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import EVERY_ACTION, Action, Grant, Reach
from latchgate.core.undos import Undo
from latchgate.core.users import GUEST, SYSTEM_MANAGER
from latchgate.errors import Conflict, Flaw, Invalid, NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, read_as, require_system_manager, write_as
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import find_reach, is_manager, require_covered, require_right

__all__ = ["ROLE_PERMISSION", "Matrix", "PermissionService", "grant_name"]

ROLE_PERMISSION = "Role Permission"
_KEPT = frozenset({ROLE_PERMISSION, "User", "Role"})
"""What System Managers need to give themselves any other right."""
_GUEST_HOLDS_NONE = "Guest may hold no permissions: nobody without a credential reaches records"
_SHOWN_MAX = 140
_GRANTS = "grants"


@dataclass(frozen=True, slots=True)
class Matrix:
    """All that one role may do, and what of it somebody could change."""

    role: str
    grants: frozenset[Grant]
    doctypes: tuple[str, ...]
    """What permissions may name, and what these name, in order."""
    changeable: bool
    """Whether the one who asked may change it."""
    kept: frozenset[Grant]
    """What nobody can take from the role."""
    why_fixed: str
    """Why that is so, or why the role can be given nothing; empty if neither is."""

    @property
    def seen(self) -> str:
        """The grants as one text, by which `set_all` tells whether they are still these."""
        return _seen(self.grants)


@dataclass(frozen=True, slots=True)
class PermissionService:
    """Every change of a permission. Only System Managers and the command line may, within their own rights."""

    store: Store
    clock: Clock

    def list_grants(self, actor: Actor) -> list[Grant]:
        """List the permissions by document type, role and if_owner. Raises NotPermitted."""
        with self.store.read() as tx:
            require_right(tx, actor, ROLE_PERMISSION, Action.READ)
            return tx.permissions.list_all()

    def show(self, actor: Actor, role: str) -> Matrix:
        """Give all that a role may do. Raises NotPermitted, NotFound."""
        with read_as(self.store, actor) as tx:
            require_right(tx, actor, ROLE_PERMISSION, Action.READ)
            grants = _grants_of(tx, role)
            named = {*DOCUMENT_TYPES, *tx.sources.list_names(), *(grant.doctype for grant in grants)}
            return Matrix(
                role,
                grants,
                tuple(sorted(named, key=str.casefold)),
                role != GUEST and _may_change(tx, actor),
                _kept_of(role),
                _why_fixed(role),
            )

    def set_all(self, actor: Actor, role: str, grants: Iterable[Grant], *, seen: str) -> Undo | None:
        """Let a role do this and nothing else, all of it or none; what stays as it is, is left alone.

        Returns:
            What would put it back; None where nothing was changed.

        Args:
            actor: Who asks.
            role: Whose permissions all of `grants` are.
            grants: No two of the same document type and if_owner.
            seen: Of the matrix that the actor looked at.

        Raises:
            NotPermitted: The actor may not, or is no System Manager.
            NotFound: There is no such role.
            Invalid: As `grant` and `revoke`; with Flaw.STALE, if the role has other permissions by now than were seen.
        """
        require_system_manager(actor)
        with write_as(self.store, actor) as tx:
            return self.set_all_in(tx, actor, role, grants, seen=seen)

    def set_all_in(
        self, tx: Transaction, actor: Actor, role: str, grants: Iterable[Grant], *, seen: str
    ) -> Undo | None:
        """Let a role do this and nothing else, in a caller's transaction. Returns and raises as `set_all`."""
        require_system_manager(actor)
        wanted = _by_place(role, grants)
        require_right(tx, actor, ROLE_PERMISSION, Action.READ)
        present = _by_place(role, _grants_of(tx, role))
        if _seen(present.values()) != seen:
            raise Invalid({"seen": "The role's permissions have been changed since they were seen"}, Flaw.STALE)
        for doctype, if_owner in sorted(present.keys() - wanted.keys()):
            self.delete_in(tx, actor, role, doctype, if_owner=if_owner)
        for place in sorted(wanted):
            if place not in present:
                self.create_in(tx, actor, wanted[place])
            elif wanted[place] != present[place]:
                self.change_in(tx, actor, wanted[place])
        if wanted == present:
            return None
        return Undo(ROLE_PERMISSION, role, {_GRANTS: _written(present.values())}, _seen(wanted.values()))

    def undo_in(self, tx: Transaction, actor: Actor, undo: Undo) -> None:
        """Put back what a role might do before `set_all`, in a caller's transaction. Raises as `set_all`."""
        grants = [
            Grant(undo.name, doctype, if_owner, frozenset(map(Action, actions)))
            for doctype, if_owner, actions in undo.values[_GRANTS]
        ]
        self.set_all_in(tx, actor, undo.name, grants, seen=undo.seen)

    def grant(self, actor: Actor, grant: Grant) -> Grant:
        """Let a role do these actions besides what it may do already; tell the whole.

        Raises:
            NotPermitted: The actor may not, or is no System Manager.
            NotFound: There is no such role.
            Invalid: No action, the role Guest, or with Flaw.LINK an unknown document type.
        """
        require_system_manager(actor)
        with write_as(self.store, actor) as tx:
            found = tx.permissions.find(grant.role, grant.doctype, if_owner=grant.if_owner)
            if found is None:
                return self.create_in(tx, actor, grant)
            return self.change_in(tx, actor, replace(grant, actions=grant.actions | found.actions))

    def revoke(
        self, actor: Actor, role: str, doctype: str, *, if_owner: bool, actions: frozenset[Action] | None = None
    ) -> Grant | None:
        """Take actions from a role, all if none are named; tell what is left.

        Raises:
            NotPermitted: The actor may not, or is no System Manager.
            NotFound: There is no such permission.
            Invalid: System Managers would no longer be able to give rights.
        """
        require_system_manager(actor)
        with write_as(self.store, actor) as tx:
            _require(tx, actor, Action.DELETE if actions is None else Action.WRITE)
            found = _get(tx, role, doctype, if_owner=if_owner)
            left = found.actions - (EVERY_ACTION if actions is None else actions)
            if left:
                return self.change_in(tx, actor, replace(found, actions=left))
            self.delete_in(tx, actor, role, doctype, if_owner=if_owner)
            return None

    def create_in(self, tx: Transaction, actor: Actor, grant: Grant) -> Grant:
        """Store a permission, in a caller's transaction. Raises Conflict if there is one, and as `grant`."""
        _require(tx, actor, Action.CREATE)
        _require_sound(tx, grant)
        require_covered(actor, frozenset({grant.role}), [grant])
        if tx.permissions.find(grant.role, grant.doctype, if_owner=grant.if_owner) is not None:
            raise Conflict(f"{ROLE_PERMISSION} {grant_name(grant)} exists already")
        tx.permissions.add(grant, actor.user, self.clock.now_us())
        note(tx, self.clock, actor, "permission.granted", grant_name(grant), detail=_told(grant))
        return grant

    def change_in(self, tx: Transaction, actor: Actor, grant: Grant) -> Grant:
        """Replace a permission's actions, in a caller's transaction. Raises as `grant` and `revoke`."""
        _require(tx, actor, Action.WRITE)
        found = _get(tx, grant.role, grant.doctype, if_owner=grant.if_owner)
        _require_sound(tx, grant)
        _require_kept(found, grant.actions)
        if grant.actions - found.actions:
            require_covered(actor, frozenset({grant.role}), [grant])
        if found.actions != grant.actions:
            tx.permissions.change(grant, actor.user, self.clock.now_us())
            note(tx, self.clock, actor, "permission.changed", grant_name(grant), detail=_told(grant))
        return grant

    def delete_in(self, tx: Transaction, actor: Actor, role: str, doctype: str, *, if_owner: bool) -> None:
        """Delete a permission, in a caller's transaction. Raises as `revoke`."""
        _require(tx, actor, Action.DELETE)
        found = _get(tx, role, doctype, if_owner=if_owner)
        _require_kept(found, frozenset())
        tx.permissions.delete(role, doctype, if_owner=if_owner)
        note(tx, self.clock, actor, "permission.revoked", grant_name(found), detail=_told(found))


def grant_name(grant: Grant) -> str:
    """Write the name of a permission: `User:Auditor`, or `User:Auditor:own` for one's own records."""
    return f"{grant.doctype}:{grant.role}" + (":own" if grant.if_owner else "")


def _require(tx: Transaction, actor: Actor, action: Action) -> None:
    """Let nobody pass but System Managers: whoever gives rights could give themselves any. Raises NotPermitted."""
    require_system_manager(actor)
    require_right(tx, actor, ROLE_PERMISSION, action)


def _get(tx: Transaction, role: str, doctype: str, *, if_owner: bool) -> Grant:
    found = tx.permissions.find(role, doctype, if_owner=if_owner)
    if found is None:
        name = grant_name(Grant(role, doctype, if_owner, EVERY_ACTION))
        raise NotFound(f"{ROLE_PERMISSION} {name} not found")
    return found


def _require_sound(tx: Transaction, grant: Grant) -> None:
    if grant.role == GUEST:
        raise Invalid({"role": _GUEST_HOLDS_NONE})
    if not tx.roles.exists(grant.role):
        raise NotFound(f"Role {grant.role} not found")
    if grant.doctype not in DOCUMENT_TYPES and not tx.sources.exists(grant.doctype):
        raise Invalid({"document_type": f"Could not find DocType: {grant.doctype[:_SHOWN_MAX]}"}, Flaw.LINK)
    if not grant.actions:
        raise Invalid({"read": "at least one of read, write, create and delete must be 1"})


def _require_kept(found: Grant, actions: frozenset[Action]) -> None:
    kept = found.doctype in {grant.doctype for grant in _kept_of(found.role)} and not found.if_owner
    if kept and not found.actions <= actions:
        raise Invalid({"role": _keeps(found.doctype)})


def _kept_of(role: str) -> frozenset[Grant]:
    kept = _KEPT if role == SYSTEM_MANAGER else ()
    return frozenset(Grant(role, doctype, if_owner=False, actions=EVERY_ACTION) for doctype in kept)


def _why_fixed(role: str) -> str:
    if role == GUEST:
        return _GUEST_HOLDS_NONE
    *others, last = sorted(_KEPT)
    return _keeps(f"{', '.join(others)} and {last}") if _kept_of(role) else ""


def _keeps(doctypes: str) -> str:
    return f"{SYSTEM_MANAGER} keeps every right on {doctypes}, or nobody could give it back"


def _may_change(tx: Transaction, actor: Actor) -> bool:
    reaches = (find_reach(tx, actor, ROLE_PERMISSION, action) for action in Action)
    return is_manager(actor) and all(reach is Reach.ALL for reach in reaches)


def _grants_of(tx: Transaction, role: str) -> frozenset[Grant]:
    if not tx.roles.exists(role):
        raise NotFound(f"Role {role} not found")
    return frozenset(grant for grant in tx.permissions.list_all() if grant.role == role)


def _by_place(role: str, grants: Iterable[Grant]) -> Mapping[tuple[str, bool], Grant]:
    found = list(grants)
    placed = {(grant.doctype, grant.if_owner): grant for grant in found}
    if len(placed) != len(found) or any(grant.role != role for grant in found):
        raise AssertionError(found)
    return placed


def _seen(grants: Iterable[Grant]) -> str:
    lines = (f"{grant.doctype}{':own' if grant.if_owner else ''}: {_told(grant)}" for grant in grants)
    # One line: what a browser sends of a field has other line breaks than were in it.
    return "; ".join(sorted(lines))


def _written(grants: Iterable[Grant]) -> list[tuple[str, bool, list[str]]]:
    return sorted((grant.doctype, grant.if_owner, sorted(map(str, grant.actions))) for grant in grants)


def _told(grant: Grant) -> str:
    return ", ".join(action for action in Action if action in grant.actions)
