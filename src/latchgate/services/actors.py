"""Who asks a service to change something."""

from dataclasses import dataclass

from latchgate.core.api_keys import Limits, beyond
from latchgate.core.principals import Principal
from latchgate.core.scopes import ALL
from latchgate.core.users import ADMINISTRATOR
from latchgate.errors import NotPermitted

__all__ = ["COMMAND_LINE", "UNLIMITED", "Actor", "require_system_manager", "require_within"]

UNLIMITED = Limits(scopes=frozenset({ALL}))
"""What a key reaches that says nothing of limits, and a password always."""


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
    if actor.principal is not None and not actor.principal.is_manager:
        raise NotPermitted("Only a System Manager may do this", reason="role_missing")


def require_within(actor: Actor, limits: Limits) -> None:
    """Let no credential make another that reaches further than itself. Raises NotPermitted."""
    problems = beyond(actor.principal, limits) if actor.principal else {}
    if problems:
        told = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
        raise NotPermitted(f"This would reach further than the credential used. {told}", reason="beyond")
