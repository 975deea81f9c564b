"""Counting in fixed windows: one number a counter, from its first count until the window's seconds have passed."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Counters", "FixedWindows", "Limit"]


class Counters(Protocol):
    """Where the numbers are kept. Safe to use from any thread."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window that begins with its first count and lasts `expiry` seconds; tell the new number."""
        ...

    def get(self, key: str) -> int:
        """Tell the number of the present window; 0 where there is none."""
        ...

    def get_expiry(self, key: str) -> float:
        """Tell when the present window ends, in Unix seconds; now where there is none."""
        ...

    def clear(self, key: str) -> None:
        """Forget one number."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in so many seconds."""

    amount: int
    seconds: int
    kind: str = ""
    """What is counted; two kinds share no counter."""

    def key_for(self, *who: str) -> str:
        """Name the counter of somebody; one who is given another limit begins anew."""
        return "/".join([self.kind, *who, str(self.amount), str(self.seconds)])


@dataclass(frozen=True, slots=True)
class FixedWindows:
    """Holds whoever is counted to limits, over counters that are kept somewhere."""

    storage: Counters

    def hit(self, limit: Limit, *who: str) -> bool:
        """Count one, and tell whether it was within the limit."""
        return self.storage.incr(limit.key_for(*who), limit.seconds) <= limit.amount

    def test(self, limit: Limit, *who: str) -> bool:
        """Tell whether one more would be within the limit, and count nothing."""
        return self.storage.get(limit.key_for(*who)) < limit.amount

    def ends_at(self, limit: Limit, *who: str) -> float:
        """Tell when the present window ends, in Unix seconds."""
        return self.storage.get_expiry(limit.key_for(*who))

    def clear(self, limit: Limit, *who: str) -> None:
        """Forget what was counted."""
        self.storage.clear(limit.key_for(*who))
