"""Who asks a service to change something."""

from dataclasses import dataclass

from latchgate.core.principals import Principal
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import NotPermitted

__all__ = ["COMMAND_LINE", "Actor", "require_system_manager"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom the activity log names, and what limits what they may ask."""

    user: str
    ip_address: str
    principal: Principal | None
    """None for the command line: whoever can run it holds database and key file anyway."""

    @classmethod
    def of(cls, principal: Principal, ip_address: str) -> "Actor":
        """Make the actor of a request."""
        return cls(principal.user, ip_address, principal)


COMMAND_LINE = Actor(ADMINISTRATOR, "", None)


def require_system_manager(actor: Actor) -> None:
    """Let nobody pass but the command line and System Managers. Raises NotPermitted."""
    if actor.principal is not None and SYSTEM_MANAGER not in actor.principal.roles:
        raise NotPermitted("Only a System Manager may do this", reason="role_missing")
