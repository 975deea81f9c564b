"""Create, show and delete roles, grant and revoke them."""

from dataclasses import dataclass

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.permissions import Action
from latchgate.core.policy import may_act_for
from latchgate.core.principals import Reason
from latchgate.core.sources import parse_record_name
from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER, StoredUser, effective_roles
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.activity import note
from latchgate.services.actors import Actor, read_as, require_system_manager, write_as
from latchgate.services.key_makers import require_client_makers, require_makers
from latchgate.services.key_owners import Owner
from latchgate.services.port_values import UserChanges
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import (
    judge_early,
    require_covered,
    require_on,
    require_reach,
    require_right,
    require_roles,
)
from latchgate.services.user_rights import get_user_to, require_manager_remains, require_not_own
from latchgate.services.users import AUTOMATIC_ROLES

__all__ = ["ROLE", "RoleService", "add_role"]

ROLE = "Role"
_BUILT_IN = AUTOMATIC_ROLES | {SYSTEM_MANAGER}
_NAME_LENGTH_MAX = 140


@dataclass(frozen=True, slots=True)
class RoleService:
    """Every change of roles, and of who has which: what the matrix allows, and no role but by those who have it.

    A method that ends in `_in` works on its caller's transaction.
    """

    store: Store
    clock: Clock

    def create(self, actor: Actor, name: str) -> str:
        """Make a role; tells its name. Raises Conflict, Invalid, NotPermitted."""
        judge_early(self.store, actor, lambda tx: require_reach(tx, actor, ROLE, Action.CREATE))
        with write_as(self.store, actor) as tx:
            return self.create_in(tx, actor, name)

    def create_in(self, tx: Transaction, actor: Actor, name: str) -> str:
        """Make a role. Raises as `create`."""
        require_reach(tx, actor, ROLE, Action.CREATE)
        return add_role(tx, self.clock, actor, name)

    def delete(self, actor: Actor, name: str) -> None:
        """Delete a role; who had it has it no more, and its permissions end.

        Raises NotFound, Invalid for the roles that are always there, and NotPermitted, as for one that users have whom
        the actor could not take it from, or that permissions name.
        """
        judge_early(self.store, actor, lambda tx: _require_delete(tx, actor, name))
        with write_as(self.store, actor) as tx:
            self.delete_in(tx, actor, name)

    def require_deletable(self, actor: Actor, name: str) -> None:
        """Raise what `delete` would."""
        with read_as(self.store, actor) as tx:
            _require_delete(tx, actor, name)

    def delete_in(self, tx: Transaction, actor: Actor, name: str) -> None:
        """Delete a role. Raises as `delete`."""
        _require_delete(tx, actor, name)
        users = tx.roles.list_users(name)
        tx.roles.delete(name)
        for holder in filter(None, map(tx.users.find, users)):
            # Its roles are part of its record.
            tx.users.change(holder.id, UserChanges(modified_by=actor.user), self.clock.now_us())
        note(tx, self.clock, actor, "role.deleted", name, detail=f"{len(users)} users had it")

    def require_second_factor(self, actor: Actor, name: str, *, required: bool) -> bool:
        """Let a role require a second factor at sign-in, or not; False if that is so already.

        Sessions of its users that were opened by the password alone end with that, and their users are led to set a
        second factor up at their next sign-in.

        Raises:
            NotFound: There is no such role.
            NotPermitted: The actor is no System Manager, or may not change roles.
            Invalid: The role is the actor's own, who has no second factor yet and would be signed out.
        """
        judge_early(self.store, actor, lambda tx: _require_second_factor(tx, actor, name, required=required))
        with write_as(self.store, actor) as tx:
            return self.require_second_factor_in(tx, actor, name, required=required)

    def require_second_factor_in(self, tx: Transaction, actor: Actor, name: str, *, required: bool) -> bool:
        """Let a role require a second factor, or not. Raises as `require_second_factor`."""
        _require_second_factor(tx, actor, name, required=required)
        changed = tx.second_factors.require(name, actor.user, self.clock.now_us(), required=required)
        if changed:
            told = "a second factor is required" if required else "no second factor is required"
            note(tx, self.clock, actor, "role.changed", name, detail=told)
        return changed

    def list_roles(self) -> list[tuple[str, int]]:
        """List the roles by name, each with the number of users it was granted to."""
        with self.store.read() as tx:
            return tx.roles.list_all()

    def show(self, name: str) -> list[str]:
        """List the names of the users that a role was granted to. Raises NotFound."""
        with self.store.read() as tx:
            _require_role(tx, name)
            return tx.roles.list_users(name)

    def grant(self, actor: Actor, user: str, role: str) -> bool:
        """Grant a role; False if the user had it. Raises NotFound, Invalid, NotPermitted."""
        judge_early(self.store, actor, lambda tx: _get_receiver(tx, actor, user, frozenset({role})))
        with write_as(self.store, actor) as tx:
            return self._grant(tx, actor, _get_receiver(tx, actor, user, frozenset({role})), role)

    def revoke(self, actor: Actor, user: str, role: str) -> bool:
        """Take a role away; False if the user did not have it. Raises NotFound, Invalid, NotPermitted."""
        judge_early(self.store, actor, lambda tx: _get_holder(tx, actor, user, frozenset({role})))
        with write_as(self.store, actor) as tx:
            found = _get_holder(tx, actor, user, frozenset({role}))
            return self._revoke(tx, actor, found, role)

    def set_roles_in(self, tx: Transaction, actor: Actor, user: str, roles: frozenset[str]) -> None:
        """Grant and revoke what differs, so that a user has these roles. Raises NotFound, Invalid, NotPermitted."""
        has = get_user_to(tx, actor, user, Action.WRITE).roles
        different = has ^ roles
        if different:
            found = _get_holder(tx, actor, user, different)
            require_covered(actor, roles - has, tx.permissions.list_all())
            for role in sorted(roles - has):
                self._grant(tx, actor, found, role)
            for role in sorted(has - roles):
                self._revoke(tx, actor, found, role)

    def _grant(self, tx: Transaction, actor: Actor, user: StoredUser, role: str) -> bool:
        _require_grantable(tx, role)
        if user.name == GUEST:
            raise Invalid({"user": "Guest has the role Guest and no other"})
        if role not in user.roles:
            require_makers(tx, Owner(USER_SOURCE, user.name), user, frozenset({role}), self.clock.now())
            require_client_makers(tx, user, frozenset({role}))
        granted = tx.roles.grant(user.id, role)
        if granted:
            # Whoever made a link to set this password might not have been allowed to for such an account.
            tx.links.end_all(user.id)
            self._tell(tx, actor, user, "role.granted", role)
        return granted

    def _revoke(self, tx: Transaction, actor: Actor, user: StoredUser, role: str) -> bool:
        _require_grantable(tx, role)
        if role == SYSTEM_MANAGER:
            if user.name == ADMINISTRATOR:
                raise Invalid({"role": "Administrator is always a System Manager"})
            require_manager_remains(tx, user)
        revoked = tx.roles.revoke(user.id, role)
        if revoked:
            self._tell(tx, actor, user, "role.revoked", role)
        return revoked

    def _tell(self, tx: Transaction, actor: Actor, user: StoredUser, operation: str, role: str) -> None:
        # A user's roles are part of its record: whoever changes it besides must notice.
        tx.users.change(user.id, UserChanges(modified_by=actor.user), self.clock.now_us())
        note(tx, self.clock, actor, operation, user.name, detail=role)


def add_role(tx: Transaction, clock: Clock, actor: Actor, name: str) -> str:
    """Store a role in a caller's transaction; tells its name. Raises Conflict, Invalid."""
    if parse_record_name(name) is None or "," in name or ":" in name:
        # Roles travel in a header as a list by commas, and stand between colons in the names of permissions.
        raise Invalid({"role": f"must be 1 to {_NAME_LENGTH_MAX} printable characters without comma and colon"})
    name = " ".join(name.split())
    for existing in tx.roles.list_names():
        if existing.casefold() == name.casefold():
            # "system manager" beside "System Manager": whoever grants or reads one would take it for the other.
            raise Conflict(f"There is a role {existing} already")
    tx.roles.add(name, actor.user, clock.now_us())
    note(tx, clock, actor, "role.created", name)
    return name


def _get_holder(tx: Transaction, actor: Actor, user: str, roles: frozenset[str]) -> StoredUser:
    """Give a user that the actor may give these roles to, and take them from."""
    found = get_user_to(tx, actor, user, Action.WRITE)
    require_not_own(actor, found)
    require_roles(actor, roles)
    return found


def _get_receiver(tx: Transaction, actor: Actor, user: str, roles: frozenset[str]) -> StoredUser:
    """Give a user that the actor may give these roles to."""
    found = _get_holder(tx, actor, user, roles)
    require_covered(actor, roles, tx.permissions.list_all())
    return found


def _require_delete(tx: Transaction, actor: Actor, name: str) -> None:
    require_on(tx, actor, ROLE, Action.DELETE, name)
    _require_role(tx, name)
    if name in _BUILT_IN:
        raise Invalid({"role": f"{name} is always there; it cannot be deleted"})
    _require_take(tx, actor, name)
    for rule in tx.access_rules.list_all():
        if name in rule.roles:
            # It would let in nobody by it, or whoever has a later role of that name.
            raise Conflict(f"The access rule {rule.name} asks for {name}; change that first")
    if any(grant.role == name for grant in tx.permissions.list_all()):
        require_system_manager(actor)
        # They end with it, and a credential that may not end them by themselves does not so either.
        require_right(tx, actor, "Role Permission", Action.DELETE)


def _require_second_factor(tx: Transaction, actor: Actor, name: str, *, required: bool) -> None:
    require_right(tx, actor, ROLE, Action.WRITE)
    require_system_manager(actor)
    _require_role(tx, name)
    own = actor.principal
    if required and own is not None and name in own.roles and tx.second_factors.find(own.user_id) is None:
        told = "is a role of yours, and you have no second factor; set yours up first, or you would be signed out"
        raise Invalid({"two_factor_auth": told})


def _require_take(tx: Transaction, actor: Actor, name: str) -> None:
    """Let nobody take a role, by its deletion, from accounts that they could not take it from. Raises NotPermitted."""
    holders = tx.roles.list_users(name)
    if holders:
        require_right(tx, actor, "User", Action.WRITE)
    if actor.principal is None or actor.principal.is_manager:
        return
    for holder in holders:
        found = tx.users.find(holder)
        if found is not None and not may_act_for(actor.principal, effective_roles(found)):
            # Whose roles these are, is not for whoever may not read all users.
            told = f"Users have the role {name} whom you could not take it from"
            raise NotPermitted(told, reason=Reason.ROLE_MISSING.value, told=True)


def _require_role(tx: Transaction, name: str) -> None:
    if not tx.roles.exists(name):
        raise NotFound(f"Role {name} not found")


def _require_grantable(tx: Transaction, name: str) -> None:
    _require_role(tx, name)
    if name in AUTOMATIC_ROLES:
        raise Invalid({"role": f"{name} comes with the user's type; it cannot be granted or revoked"})
