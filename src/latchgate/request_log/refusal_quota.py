"""How many refused requests have a row of their own: junk must neither fill the disk nor push real rows out."""

from dataclasses import dataclass

from latchgate.core.addresses import throttle_unit
from latchgate.request_log.segment_files import OpenSegment
from latchgate.request_log.segment_layout import TALLIES

__all__ = ["RefusalQuota", "RefusalRules", "Tallies"]

_MINUTE_US = 60_000_000
# The last ones are for the other addresses of a minute; the very last for those of whatever comes then.
_OTHERS = 64


@dataclass(frozen=True, slots=True)
class RefusalRules:
    """How many refused requests a minute have rows of their own, in each process."""

    per_address: int
    """From one address (IPv6: from one /64)."""
    in_all: int


class RefusalQuota:
    """Counts refused requests in minutes. Bounded: it knows no more addresses than have rows in a minute."""

    def __init__(self, rules: RefusalRules) -> None:
        self._rules = rules
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._in_all = 0

    def take(self, address: str, time_us: int) -> tuple[str, int] | None:
        """Count a refused request that came at a time. None: it has a row of its own; else by what it is tallied."""
        unit, minute = throttle_unit(address), time_us // _MINUTE_US
        if minute > self._minute:
            self._minute, self._counts, self._in_all = minute, {}, 0
        count = self._counts.get(unit, 0)
        if count >= self._rules.per_address or self._in_all >= self._rules.in_all:
            return unit, minute
        self._counts[unit] = count + 1
        self._in_all += 1
        return None


class Tallies:
    """The tallies of one segment."""

    def __init__(self, segment: OpenSegment) -> None:
        self.segment = segment
        self._entries: dict[tuple[str, int], int] = {}
        self._counts: list[int] = []
        self._others: dict[int, int] = {}

    def count(self, address: str, minute: int) -> None:
        """Count a refused request. Raises StorageError if it cannot be written."""
        entry = self._entries.get((address, minute))
        if entry is None:
            entry = self._begin(address, minute)
        count = self._counts[entry] + 1
        self.segment.count_tally(entry, count)
        self._counts[entry] = count

    def _begin(self, address: str, minute: int) -> int:
        if len(self._entries) < TALLIES - _OTHERS:
            entry = self._write(len(self._entries), minute, address)
            self._entries[address, minute] = entry
            return entry
        if minute in self._others:
            return self._others[minute]
        entry = TALLIES - _OTHERS + len(self._others)
        if entry >= TALLIES:
            return TALLIES - 1
        self._others[minute] = self._write(entry, minute, "")
        return entry

    def _write(self, entry: int, minute: int, address: str) -> int:
        self.segment.begin_tally(entry, minute, address)
        self._counts.extend([0] * (entry + 1 - len(self._counts)))
        return entry
