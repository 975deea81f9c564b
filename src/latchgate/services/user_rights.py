"""Users that an actor may change, and those that nobody may."""

from latchgate.core.permissions import Action, Reach
from latchgate.core.principals import Reason
from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER, StoredUser, parse_user_name
from latchgate.errors import Invalid, NotFound, NotPermitted
from latchgate.services.actors import Actor
from latchgate.services.ports import Transaction
from latchgate.services.rights import is_manager, is_self, require_act_for, require_reach

__all__ = ["get_user", "get_user_to", "require_dispensable", "require_manager_remains", "require_not_own"]


def get_user(tx: Transaction, name: str) -> StoredUser:
    """Give a user by its name in any case. Raises NotFound."""
    user = tx.users.find(parse_user_name(name) or "")
    if user is None:
        raise NotFound(f"User {name} not found")
    return user


def get_user_to(tx: Transaction, actor: Actor, name: str, action: Action) -> StoredUser:
    """Give a user that the actor may do this to.

    Raises:
        NotPermitted: They may not; in one wording whether there is such a user, to whoever reaches only themselves.
        NotFound: There is no such user.
    """
    reach = require_reach(tx, actor, "User", action)
    user = tx.users.find(parse_user_name(name) or "")
    if reach is not Reach.ALL and (user is None or not is_self(actor, user)):
        raise NotPermitted("No permission for User", reason=Reason.ROLE_MISSING.value)
    if user is None:
        raise NotFound(f"User {name} not found")
    require_act_for(actor, user)
    return user


def require_not_own(actor: Actor, user: StoredUser) -> None:
    """Let nobody but System Managers change what their own account may do. Raises NotPermitted."""
    if is_self(actor, user) and not is_manager(actor):
        raise NotPermitted("You cannot change this of your own account", reason=Reason.ROLE_MISSING.value)


def require_manager_remains(tx: Transaction, user: StoredUser) -> None:
    """Refuse what would leave no enabled System Manager; Administrator is one for good. Raises Invalid."""
    if SYSTEM_MANAGER not in user.roles or not user.enabled:
        return
    # No service disables Administrator, but somebody may have done so in the database.
    administrator = tx.users.find(ADMINISTRATOR)
    if administrator is not None and administrator.enabled:
        return
    others = (tx.users.find(name) for name in tx.roles.list_users(SYSTEM_MANAGER) if name != user.name)
    if not any(other.enabled for other in others if other is not None):
        raise Invalid({"user": f"{user.name} is the last enabled System Manager"})


def require_dispensable(tx: Transaction, user: StoredUser, verb: str) -> None:
    """Refuse to disable or delete whom the service cannot do without. Raises Invalid."""
    if user.name in {ADMINISTRATOR, GUEST}:
        raise Invalid({"user": f"{user.name} cannot be {verb}"})
    require_manager_remains(tx, user)
