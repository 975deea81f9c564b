"""Create and show roles, grant and revoke them."""

from dataclasses import dataclass

from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, require_system_manager
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.users import AUTOMATIC_ROLES, get_user, require_manager_remains

__all__ = ["RoleService", "add_role"]

_NAME_LENGTH_MAX = 140


@dataclass(frozen=True, slots=True)
class RoleService:
    """Every change of who has which role. Only System Managers and the command line may."""

    store: Store
    clock: Clock

    def create(self, actor: Actor, name: str) -> str:
        """Make a role; tells its name. Raises Conflict, Invalid, NotPermitted."""
        require_system_manager(actor)
        with self.store.write() as tx:
            return add_role(tx, self.clock, actor, name)

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
        require_system_manager(actor)
        with self.store.write() as tx:
            _require_grantable(tx, role)
            found = get_user(tx, user)
            if found.name == GUEST:
                raise Invalid({"user": "Guest has the role Guest and no other"})
            granted = tx.roles.grant(found.id, role)
            if granted:
                note(tx, self.clock, actor, "role.granted", found.name, detail=role)
            return granted

    def revoke(self, actor: Actor, user: str, role: str) -> bool:
        """Take a role away; False if the user did not have it. Raises NotFound, Invalid, NotPermitted."""
        require_system_manager(actor)
        with self.store.write() as tx:
            _require_grantable(tx, role)
            found = get_user(tx, user)
            if role == SYSTEM_MANAGER:
                if found.name == ADMINISTRATOR:
                    raise Invalid({"role": "Administrator is always a System Manager"})
                require_manager_remains(tx, found)
            revoked = tx.roles.revoke(found.id, role)
            if revoked:
                note(tx, self.clock, actor, "role.revoked", found.name, detail=role)
            return revoked


def add_role(tx: Transaction, clock: Clock, actor: Actor, name: str) -> str:
    """Store a role in a caller's transaction; tells its name. Raises Conflict, Invalid."""
    name = name.strip()
    if not name or len(name) > _NAME_LENGTH_MAX or not name.isprintable() or "," in name:
        # Roles travel in a header as a list by commas.
        raise Invalid({"role": f"must be 1 to {_NAME_LENGTH_MAX} printable characters without a comma"})
    for existing, _ in tx.roles.list_all():
        if existing.casefold() == name.casefold():
            # "system manager" beside "System Manager": whoever grants or reads one would take it for the other.
            raise Conflict(f"There is a role {existing} already")
    tx.roles.add(name, clock.now_us())
    note(tx, clock, actor, "role.created", name)
    return name


def _require_role(tx: Transaction, name: str) -> None:
    if not tx.roles.exists(name):
        raise NotFound(f"Role {name} not found")


def _require_grantable(tx: Transaction, name: str) -> None:
    _require_role(tx, name)
    if name in AUTOMATIC_ROLES:
        raise Invalid({"role": f"{name} comes with the user's type; it cannot be granted or revoked"})
