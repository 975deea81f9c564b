"""Who asks a service to change something."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from latchgate.core.api_keys import Limits, beyond
from latchgate.core.principals import Principal, Reason, Rejected
from latchgate.core.scopes import ALL
from latchgate.core.users import ADMINISTRATOR
from latchgate.errors import NotPermitted
from latchgate.services.ports import Store, Transaction

__all__ = [
    "COMMAND_LINE",
    "UNLIMITED",
    "Actor",
    "JudgeAgain",
    "read_as",
    "require_system_manager",
    "require_within",
    "write_as",
]

UNLIMITED = Limits(scopes=frozenset({ALL}))
"""What a key reaches that says nothing of limits, and a password always."""


JudgeAgain = Callable[[Transaction], Principal | Rejected]
"""Judges a principal anew, as it stands in a transaction."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom the activity log names, and what limits what they may ask."""

    user: str
    ip_address: str
    principal: Principal | None
    """None for the command line: whoever can run it holds database and key file anyway."""
    judge_again: JudgeAgain | None = field(default=None, repr=False, compare=False)
    """How the gate judges the principal anew; None where nothing was waited for since."""
    waited: bool = field(default=False, compare=False)
    """Whether the request had a body to wait for."""

    @classmethod
    def of(
        cls, principal: Principal, ip_address: str, judge_again: JudgeAgain | None = None, *, waited: bool = False
    ) -> "Actor":
        """Make the actor of a request."""
        return cls(principal.user, ip_address, principal, judge_again, waited)

    def require_standing(self, tx: Transaction) -> None:
        """Let nobody pass who is not any more whom the gate let in. Raises NotPermitted."""
        if self.principal is None or self.judge_again is None:
            return
        now = self.judge_again(tx)
        if isinstance(now, Rejected):
            raise NotPermitted("The credential used has ended meanwhile", reason=now.reason.value)
        if replace(now, full_name=self.principal.full_name) != self.principal:
            raise NotPermitted("What you may do has changed meanwhile; send this again", reason=Reason.CHANGED.value)


@contextmanager
def read_as(store: Store, actor: Actor) -> Iterator[Transaction]:
    """Open a snapshot for an actor, who is judged anew in it if the request had a body to wait for.

    Raises NotPermitted, StorageError.
    """
    with store.read() as tx:
        if actor.waited:
            actor.require_standing(tx)
        yield tx


@contextmanager
def write_as(store: Store, actor: Actor) -> Iterator[Transaction]:
    """Open the one transaction that writes now, for an actor who is judged anew in it.

    A request waits after it was let in, for its body and for other writers: what was taken from its user or credential
    meanwhile is gone for it too, or whoever keeps a request waiting could undo it. Raises NotPermitted, StorageError.
    """
    with store.write() as tx:
        actor.require_standing(tx)
        yield tx


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
