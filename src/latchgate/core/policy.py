"""The decision: may this one do what the route requires? Pure, total, and the only place where it is judged."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from latchgate.core.addresses import Network, covers
from latchgate.core.credentials import Scheme
from latchgate.core.permissions import Action, Grant, Reach, reach_of
from latchgate.core.principals import Anonymous, Client, Principal, Reason, Rejected, Who
from latchgate.core.scopes import ALL, scope_covers, scopes_within
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER

__all__ = [
    "ANY_SCHEME",
    "CLIENT",
    "PROVED_CLIENT",
    "PUBLIC",
    "SIGNED_IN",
    "UNLIMITED",
    "Decision",
    "Judgement",
    "Requirement",
    "covers_roles",
    "decide",
    "gives_beyond",
    "judge_action",
    "may_act_for",
    "may_manage_keys",
]

ANY_SCHEME = frozenset(Scheme) - {Scheme.CLIENT}


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
    client: bool = False
    """Whether it is OAuth clients that ask here, and nobody else; their credentials are read here alone."""
    proved: bool = False
    """Whether a client must have proved itself; a public one merely says who it is."""
    every_role: frozenset[str] = frozenset()
    """Each of these roles, beside what `roles` asks."""
    scopes: frozenset[str] = frozenset()
    """What the credential's scopes must cover beside `scope`, each of them."""
    refused: Reason | None = None
    """Why nobody may, whoever asks; None where it depends on the caller."""
    foreign_authorization: bool = False
    """Whether a credential that is none of ours makes a guest of whoever sends it, instead of being refused."""
    open_from: tuple[Network, ...] = ()
    """From these addresses anybody may come, with a credential or without."""

    def at(self, address: str) -> "Requirement":
        """Tell what it asks of a caller from an address, which is resolved: what a caller says of it does not count."""
        return PUBLIC if self.open_from and covers(self.open_from, address) else self


PUBLIC = Requirement(user=False)
SIGNED_IN = Requirement(user=True)
UNLIMITED = Requirement(user=True, scope=ALL)
"""A user, by a credential that is limited to nothing."""
CLIENT = Requirement(user=False, client=True, schemes=frozenset({Scheme.CLIENT}))
PROVED_CLIENT = replace(CLIENT, proved=True)


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


_ALLOWED = Judgement(Decision.ALLOWED)


def decide(who: Who, requirement: Requirement) -> Judgement:
    """Judge a caller against a requirement.

    What was rejected stays rejected on public routes too: a bad credential must fail loudly, not turn into Guest.
    """
    match who:
        case Rejected(reason=reason):
            return Judgement(Decision.UNAUTHENTICATED, reason)
        case _ if requirement.refused is not None:
            return Judgement(Decision.FORBIDDEN, requirement.refused)
        case Anonymous():
            closed = requirement.user or requirement.client or _asks_for_rights(requirement)
            return Judgement(Decision.FORBIDDEN) if closed else _ALLOWED
        case Client():
            # Its credential is not even read where clients are not asked for.
            accepted = requirement.client and not (requirement.proved and who.client.public)
            return _ALLOWED if accepted else Judgement(Decision.FORBIDDEN, Reason.SCHEME_NOT_ACCEPTED)
        case Principal():
            missing = _missing(who, requirement)
            return Judgement(Decision.FORBIDDEN, missing) if missing else _ALLOWED
        case _:
            assert_never(who)


def judge_action(principal: Principal, grants: Iterable[Grant], doctype: str, action: Action) -> Reach | Reason:
    """Judge what a caller may do to the records of a document type.

    Returns:
        How far the right goes (never NONE), or why there is none: the scopes of the credential first, then the roles.
        Administrator may do everything, within the scopes of the credential.
    """
    if not scope_covers(principal.scopes, f"{doctype}:{action}"):
        return Reason.SCOPE_MISSING
    if principal.user == ADMINISTRATOR:
        return Reach.ALL
    return reach_of(principal.roles, grants, doctype, action) or Reason.ROLE_MISSING


def may_act_for(principal: Principal, roles: frozenset[str]) -> bool:
    """Whether a caller may change an account with these roles, or give them: nobody reaches beyond their own."""
    return covers_roles(principal.roles, roles)


def covers_roles(held: frozenset[str], roles: frozenset[str]) -> bool:
    """Whether somebody with the held roles may act for an account with these: a System Manager for any."""
    return SYSTEM_MANAGER in held or roles <= held


def gives_beyond(principal: Principal, roles: frozenset[str], grants: Iterable[Grant]) -> bool:
    """Whether roles hold rights that the scopes of the caller's credential do not cover.

    Giving them to an account would be as good as making it a wider credential. A System Manager's rights do not stand
    in permissions alone: only `all` covers them.
    """
    if ALL in principal.scopes:
        return False
    held = (f"{grant.doctype}:{action}" for grant in grants if grant.role in roles for action in grant.actions)
    return SYSTEM_MANAGER in roles or not all(scope_covers(principal.scopes, right) for right in held)


def may_manage_keys(principal: Principal, owner: str | None, reach: Reach, *, own_keys: bool) -> Reason | None:
    """Tell why a caller may not make, rotate or end keys that run as `owner`, or None.

    Whoever reaches all keys is still bound by `may_act_for` the owner's roles, which needs the owner's record.

    Args:
        principal: The caller.
        owner: The user that the keys run as; None for a record that names nobody.
        reach: How far the caller's right on API Key goes.
        own_keys: Whether users may manage their own keys (the setting `allow_own_keys`).
    """
    if reach is Reach.ALL or (reach is Reach.OWN and own_keys and owner == principal.user):
        return None
    return Reason.ROLE_MISSING


def _missing(principal: Principal, requirement: Requirement) -> Reason | None:
    if principal.scheme not in requirement.schemes:
        return Reason.SCHEME_NOT_ACCEPTED
    if requirement.roles and not requirement.roles & principal.roles:
        return Reason.ROLE_MISSING
    if not requirement.every_role <= principal.roles:
        return Reason.ROLE_MISSING
    if requirement.scope is not None and not scope_covers(principal.scopes, requirement.scope):
        return Reason.SCOPE_MISSING
    if requirement.scopes and not scopes_within(requirement.scopes, principal.scopes):
        return Reason.SCOPE_MISSING
    return None


def _asks_for_rights(requirement: Requirement) -> bool:
    return requirement.scope is not None or bool(requirement.roles or requirement.every_role or requirement.scopes)
