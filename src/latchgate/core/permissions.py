"""Permissions: what a role may do to the records of a document type, to all of them or to one's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from latchgate.core.users import ALL_ROLE, SYSTEM_MANAGER

__all__ = ["DEFAULT_GRANTS", "EVERY_ACTION", "Action", "Grant", "Own", "Reach", "reach_of"]


class Action(StrEnum):
    """What can be done to a record; the same words end a scope."""

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"


EVERY_ACTION = frozenset(Action)
_READ = frozenset({Action.READ})
_END = frozenset({Action.READ, Action.DELETE})


class Reach(IntEnum):
    """How far a right goes; a larger one includes the smaller."""

    NONE = 0
    OWN = 1
    """Only one's own records."""
    ALL = 2


@dataclass(frozen=True, slots=True)
class Own:
    """Whose records are "own": a user by name and by id, since a later user of that name inherits nothing."""

    user: str
    user_id: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What one role may do to one document type."""

    role: str
    doctype: str
    if_owner: bool
    """Whether it holds for one's own records only."""
    actions: frozenset[Action]


def reach_of(roles: frozenset[str], grants: Iterable[Grant], doctype: str, action: Action) -> Reach:
    """Tell how far these roles may go; a further role or grant never takes anything away."""
    reaches = (
        Reach.OWN if grant.if_owner else Reach.ALL
        for grant in grants
        if grant.doctype == doctype and action in grant.actions and grant.role in roles
    )
    return max(reaches, default=Reach.NONE)


def _all(role: str, doctype: str, actions: frozenset[Action] = EVERY_ACTION) -> Grant:
    return Grant(role, doctype, if_owner=False, actions=actions)


def _own(role: str, doctype: str, actions: frozenset[Action] = EVERY_ACTION) -> Grant:
    return Grant(role, doctype, if_owner=True, actions=actions)


_CHANGE = frozenset({Action.READ, Action.WRITE})
DEFAULT_GRANTS = (
    _all(SYSTEM_MANAGER, "User"),
    _all(SYSTEM_MANAGER, "Role"),
    _all(SYSTEM_MANAGER, "Role Permission"),
    _all(SYSTEM_MANAGER, "API Key"),
    _all(SYSTEM_MANAGER, "Authorization Source"),
    _all(SYSTEM_MANAGER, "Event Consumer"),
    _all(SYSTEM_MANAGER, "API Request Log", _READ),
    _all(SYSTEM_MANAGER, "Activity Log", _READ),
    _all(SYSTEM_MANAGER, "System Settings", _CHANGE),
    _all(SYSTEM_MANAGER, "OAuth Client"),
    _all(SYSTEM_MANAGER, "Access Rule"),
    _all(SYSTEM_MANAGER, "OAuth Bearer Token", _END),
    _all(SYSTEM_MANAGER, "OAuth Consent", _END),
    _own(ALL_ROLE, "User", _CHANGE),
    _own(ALL_ROLE, "API Key"),
    _own(ALL_ROLE, "API Request Log", _READ),
    _own(ALL_ROLE, "Activity Log", _READ),
    _own(ALL_ROLE, "OAuth Bearer Token", _END),
    _own(ALL_ROLE, "OAuth Consent", _END),
)
"""The matrix of a new instance. A new Authorization Source adds a grant of everything to System Manager."""
