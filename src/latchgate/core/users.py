"""Users: their names and types, and when and from where they may act."""

import re
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import lru_cache

from latchgate.core.addresses import Network, covers

__all__ = [
    "ADMINISTRATOR",
    "GUEST",
    "ROLES_OF_ALL",
    "SYSTEM_MANAGER",
    "StoredUser",
    "UserType",
    "automatic_roles",
    "effective_roles",
    "hours_allow",
    "hours_hold_until",
    "networks_allow",
    "parse_user_name",
]

ADMINISTRATOR = "Administrator"
GUEST = "Guest"
SYSTEM_MANAGER = "System Manager"
ALL_ROLE = "All"
DESK_USER = "Desk User"
ROLES_OF_ALL = frozenset({ALL_ROLE, GUEST})
"""What every user has."""

_NEVER = 24
_QUARTER_SECONDS = 900

# Deliberately narrower than RFC 5321: a name ends up in headers, logs and addresses.
_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+=?^_~-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,186}[a-z0-9])?")


class UserType(StrEnum):
    """Whether a user may use the desk."""

    SYSTEM = "System User"
    WEBSITE = "Website User"


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A user as stored. Times are Unix seconds, `creation` and `modified` microseconds."""

    id: int
    name: str
    first_name: str
    last_name: str
    user_type: UserType
    enabled: bool
    roles: frozenset[str]
    """The roles that were granted; `effective_roles` adds the automatic ones."""
    password_hash: str | None = field(repr=False)
    """Argon2id in PHC form; None for a user that cannot sign in."""
    restrict_ip: tuple[Network, ...]
    login_after: int
    """The hour of the day (0–24) before which the user is refused; 0 is no limit, 24 is never."""
    login_before: int
    """The hour of the day (0–24) from which the user is refused; 0 is no limit."""
    creation: int
    modified: int

    @property
    def full_name(self) -> str:
        """First and last name, or the user's name where there is neither."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.name


def parse_user_name(text: str) -> str | None:
    """Read the name of a user: an e-mail address in lower case, Administrator or Guest; None if it is none."""
    # Before lower(): the Kelvin sign would become a k, and one name another.
    if not text.isascii():
        return None
    name = text.strip().lower()
    for special in (ADMINISTRATOR, GUEST):
        if name == special.lower():
            return special
    return name if _EMAIL.fullmatch(name) and ".." not in name else None


def automatic_roles(name: str, user_type: str) -> frozenset[str]:
    """Tell the roles that nobody grants: everybody has All and Guest, a System User also Desk User."""
    desk = {DESK_USER} if user_type == UserType.SYSTEM else set()
    return ROLES_OF_ALL | desk | ({SYSTEM_MANAGER} if name == ADMINISTRATOR else set())


def effective_roles(user: StoredUser) -> frozenset[str]:
    """Tell a user's roles with the automatic ones."""
    return _joined(user.roles, automatic_roles(user.name, user.user_type))


@lru_cache(maxsize=1024)
def _joined(granted: frozenset[str], automatic: frozenset[str]) -> frozenset[str]:
    # One set for all who have the same roles: thousands of verdicts hold it.
    return granted | automatic


def networks_allow(user: StoredUser, address: str) -> bool:
    """Whether the user may act from this address."""
    return not user.restrict_ip or covers(user.restrict_ip, address)


def hours_allow(user: StoredUser, now: int, zone: tzinfo) -> bool:
    """Whether the user may act at this hour.

    Where `login_before` lies before `login_after` the window spans midnight: after 22, before 6.

    Args:
        user: Whose hours.
        now: Unix seconds.
        zone: In which zone the hours are meant.
    """
    if not (user.login_after or user.login_before):
        return True
    hour = datetime.fromtimestamp(now, zone).hour
    late_enough = hour >= user.login_after
    early_enough = not user.login_before or hour < user.login_before
    if 0 < user.login_before < user.login_after < _NEVER:
        return late_enough or early_enough
    return late_enough and early_enough


def hours_hold_until(user: StoredUser, now: int) -> int | None:
    """Tell until when what `hours_allow` says is sure to hold, in Unix seconds; None where the hour does not matter.

    In every zone, and at every change of its clocks since 1973, an hour begins at a full quarter of an hour of UTC.
    """
    if not (user.login_after or user.login_before):
        return None
    return (now // _QUARTER_SECONDS + 1) * _QUARTER_SECONDS
