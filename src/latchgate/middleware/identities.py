"""Who a request acts as, as the application sees it; what it may do is judged by the one policy, nowhere else."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from latchgate.core.policy import Decision, Requirement, decide
from latchgate.core.principals import Principal, Who
from latchgate.core.users import GUEST
from latchgate.middleware.refusals import Refused, refusal_of

__all__ = ["KEY", "Identity", "get_identity", "identity_of"]

KEY = "latchgate.identity"
"""Under which name a scope or an environ holds the identity."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request acts as; Guest where an open address was asked without a credential."""

    user: str
    roles: frozenset[str]
    scopes: frozenset[str]
    """What the credential is limited to; it can only narrow what the roles allow."""
    credential: str | None
    """The public id of the key or token; None for Guest."""
    scheme: str | None
    """How it was carried: `token`, `Basic`, `Bearer` or `session`."""
    source: str | None
    """Whose records the key was looked up among."""
    full_name: str
    request_id: str
    """Under which the log has the request; empty where another process has logged it."""
    who: Who = field(repr=False)
    note: Callable[[str], None] = field(repr=False, compare=False)
    """Takes for the log why the request is refused."""

    @property
    def is_guest(self) -> bool:
        """Whether nobody is signed in."""
        return not isinstance(self.who, Principal)

    def allows(self, *, role: str | Iterable[str] | None = None, scope: str | None = None) -> bool:
        """Whether the caller is a user with one of the roles, if any are named, and the scope, if one is."""
        return decide(self.who, _required(role, scope)).decision is Decision.ALLOWED

    def require(self, *, role: str | Iterable[str] | None = None, scope: str | None = None) -> None:
        """Refuse the request unless the caller is a user with one of the roles, if any are named, and the scope.

        Raises:
            Refused: It is not; the middleware answers 401 or 403, and the log has the reason.
        """
        judgement = decide(self.who, _required(role, scope))
        if judgement.decision is Decision.ALLOWED:
            return
        if judgement.reason:
            self.note(judgement.reason.value)
        raise Refused(refusal_of(self.who, judgement, scope))


def get_identity(request: Mapping[str, Any]) -> Identity:
    """Give who a request acts as.

    Args:
        request: Its scope or environ, as the middleware hands it on.

    Raises:
        LookupError: The middleware is not before the application, which therefore knows nothing of who asks.
    """
    identity: Identity | None = request.get(KEY)
    if identity is None:
        raise LookupError("Latchgate's middleware is not before this application: nobody has been judged")
    return identity


def identity_of(who: Who, request_id: str, note: Callable[[str], None]) -> Identity:
    """Tell an application who was let in."""
    if isinstance(who, Principal):
        return Identity(
            user=who.user,
            roles=who.roles,
            scopes=who.scopes,
            credential=who.credential,
            scheme=who.scheme.value,
            source=who.source,
            full_name=who.full_name,
            request_id=request_id,
            who=who,
            note=note,
        )
    return Identity(GUEST, frozenset({GUEST}), frozenset(), None, None, None, GUEST, request_id, who, note)


def _required(role: str | Iterable[str] | None, scope: str | None) -> Requirement:
    roles = frozenset([role] if isinstance(role, str) else role or ())
    return Requirement(user=True, scope=scope, roles=roles)
