"""The decision: may this one do what the route requires? Pure, total, and the only place where it is judged."""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from latchgate.core.credentials import Scheme
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected, Who
from latchgate.core.scopes import scope_covers
from latchgate.core.users import SYSTEM_MANAGER

__all__ = ["ANY_SCHEME", "PUBLIC", "SIGNED_IN", "Decision", "Judgement", "Requirement", "decide", "may_manage_keys"]

ANY_SCHEME = frozenset(Scheme)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route asks of the caller; every route states one."""

    user: bool
    """Whether Guest is refused. Who asks for a scope or a role refuses Guest in any case."""
    scope: str | None = None
    """What the credential's scopes must cover; None where a credential merely says who it is."""
    roles: frozenset[str] = frozenset()
    """At least one of these roles; none means any user."""
    schemes: frozenset[Scheme] = ANY_SCHEME
    """Which credentials are accepted at all."""


PUBLIC = Requirement(user=False)
SIGNED_IN = Requirement(user=True)


class Decision(Enum):
    """The three answers."""

    ALLOWED = "allowed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision, and for the log the reason of a refusal (None for a plain guest)."""

    decision: Decision
    reason: Reason | None = None


def decide(who: Who, requirement: Requirement) -> Judgement:
    """Judge a caller against a requirement.

    What was rejected stays rejected on public routes too: a bad credential must fail loudly, not turn into Guest.
    """
    match who:
        case Rejected(reason=reason):
            return Judgement(Decision.UNAUTHENTICATED, reason)
        case Anonymous():
            closed = requirement.user or requirement.scope is not None or requirement.roles
            return Judgement(Decision.FORBIDDEN if closed else Decision.ALLOWED)
        case Principal():
            missing = _missing(who, requirement)
            return Judgement(Decision.FORBIDDEN, missing) if missing else Judgement(Decision.ALLOWED)
        case _:
            assert_never(who)


def may_manage_keys(principal: Principal, owner: str | None, *, own_keys: bool) -> Reason | None:
    """Tell why a caller may not make, rotate or end keys that run as `owner`, or None.

    Args:
        principal: The caller.
        owner: The user that the keys run as; None for a record that names nobody.
        own_keys: Whether users may manage their own keys (the setting `allow_own_keys`).
    """
    if SYSTEM_MANAGER in principal.roles or (own_keys and owner == principal.user):
        return None
    return Reason.ROLE_MISSING


def _missing(principal: Principal, requirement: Requirement) -> Reason | None:
    if principal.scheme not in requirement.schemes:
        return Reason.SCHEME_NOT_ACCEPTED
    if requirement.roles and not requirement.roles & principal.roles:
        return Reason.ROLE_MISSING
    if requirement.scope is not None and not scope_covers(principal.scopes, requirement.scope):
        return Reason.SCOPE_MISSING
    return None
