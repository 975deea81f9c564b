"""Users as documents: their fields as orders to the services of users and roles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.core.addresses import Network, parse_networks
from latchgate.core.users import UserType, parse_user_name
from latchgate.errors import Flaw, Invalid
from latchgate.services.actors import Actor
from latchgate.services.document_writers import Made, in_fields
from latchgate.services.port_values import FoundDocument, UserChanges
from latchgate.services.ports import Transaction
from latchgate.services.rights import require_roles
from latchgate.services.roles import RoleService
from latchgate.services.users import UserOrder, UserService

__all__ = ["UserWriter"]

_PLAIN = ("first_name", "last_name", "login_after", "login_before")
_NAME_SHOWN_MAX = 140


@dataclass(frozen=True, slots=True)
class UserWriter:
    """Users; a new password comes hashed, as `password_hash`."""

    users: UserService
    roles: RoleService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a user with its roles."""
        name = parse_user_name(wanted["email"])
        if name is None:
            told = f"{wanted['email'][:_NAME_SHOWN_MAX]} is not a valid Email Address"
            raise Invalid({"email": told}, Flaw.EMAIL)
        _require_roles(tx, actor, wanted["roles"])
        order = UserOrder(
            name,
            user_type=UserType(wanted["user_type"]),
            enabled=bool(wanted["enabled"]),
            roles=frozenset(wanted["roles"]),
            restrict_ip=_networks(wanted["restrict_ip"]),
            **{field: wanted[field] for field in _PLAIN},
        )
        with in_fields(name="email"):
            self.users.create_in(tx, actor, order, wanted.get("password_hash"))
        return Made(name)

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Replace fields, roles and password of a user, each by its own service."""
        name = str(found.values["name"])
        plain = {field: changes[field] for field in _PLAIN if field in changes}
        if "user_type" in changes:
            plain["user_type"] = UserType(changes["user_type"])
        if "restrict_ip" in changes:
            plain["restrict_ip"] = _networks(changes["restrict_ip"])
        if plain:
            self.users.change_in(tx, actor, name, UserChanges(**plain))
        if "enabled" in changes:
            with in_fields(user="enabled"):
                self.users.set_enabled_in(tx, actor, name, enabled=bool(changes["enabled"]))
        if "roles" in changes:
            _require_roles(tx, actor, changes["roles"])
            with in_fields(user="roles", role="roles"):
                self.roles.set_roles_in(tx, actor, name, frozenset(changes["roles"]))
        if "password_hash" in changes:
            with in_fields(user="new_password"):
                self.users.set_password_in(tx, actor, name, changes["password_hash"])

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a user, and end all that it could act with."""
        with in_fields(user="name"):
            self.users.delete_in(tx, actor, str(found.values["name"]))


def _require_roles(tx: Transaction, actor: Actor, roles: list[str]) -> None:
    """Refuse roles that there are not, but tell only whoever might give them all which there are."""
    require_roles(actor, frozenset(roles))
    missing = [role for role in roles if not tx.roles.exists(role)]
    if missing:
        raise Invalid({"roles": f"Could not find Role: {', '.join(missing)}"}, Flaw.LINK)


def _networks(text: str) -> tuple[Network, ...]:
    networks = parse_networks(text)
    if isinstance(networks, str):
        raise Invalid({"restrict_ip": networks})
    return networks
