"""What an API key's own record tells of it at a moment: whether it has ended, ends soon, or is not used."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from latchgate.core.document_types import format_time

__all__ = ["DAYS_SEEN", "DAYS_SOON", "DAYS_UNTRIED", "DAY_US", "Finding", "Moments", "time_text"]

DAY_US = 86_400_000_000
DAYS_SOON, DAYS_UNTRIED, DAYS_SEEN = 14, 7, 90
"""Within how many days an end is soon; how old a key is before anything is expected of it; how far back uses count."""


class Finding(StrEnum):
    """Why a key deserves a look; the words stand in addresses."""

    EXPIRES_SOON = "expires-soon"
    NEVER_USED = "never-used"
    UNUSED = "unused"
    WIDE = "wide"
    """It allows more than it is used for."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The times that keys are judged by, as records tell times."""

    now: str
    soon: str
    untried: str
    seen: str

    @classmethod
    def of(cls, now_us: int) -> "Moments":
        """Give those that stand in relation to now, in microseconds since 1970."""
        days = (0, -DAYS_SOON, DAYS_UNTRIED, DAYS_SEEN)
        return cls(*(time_text(now_us - ago * DAY_US) for ago in days))

    def ended(self, key: Mapping[str, Any]) -> bool:
        """Whether a key has ended for good."""
        return bool(key["revoked"] or (key["expires"] and key["expires"] <= self.now))

    def find(self, key: Mapping[str, Any]) -> frozenset[Finding]:
        """Find what a key's own record tells."""
        if self.ended(key):
            return frozenset()
        found = set()
        if key["expires"] and key["expires"] <= self.soon:
            found.add(Finding.EXPIRES_SOON)
        if not key["last_used"] and key["creation"] < self.untried:
            found.add(Finding.NEVER_USED)
        if key["last_used"] and key["last_used"] < self.seen:
            found.add(Finding.UNUSED)
        return frozenset(found)

    def in_use(self, key: Mapping[str, Any]) -> bool:
        """Whether something can be expected of a key's uses."""
        return not self.ended(key) and key["creation"] < self.untried and (key["last_used"] or "") >= self.seen


def time_text(time_us: int) -> str:
    """Write a time as records tell it."""
    return format_time(time_us) or ""
