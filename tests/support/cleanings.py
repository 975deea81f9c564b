"""Cleaning as the process that moves rows does it, by a policy that a test names."""

from typing import Protocol

from latchgate.core.system_settings import LogPolicy
from latchgate.request_log.cleaning import Cleaning, FixedUpkeep
from latchgate.request_log.database import LogDatabase
from latchgate.services.ports import Clock

__all__ = ["make_cleaning"]


class _Teller(Protocol):
    def warning(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...


def make_cleaning(database: LogDatabase, clock: Clock, told: _Teller, *, days: int = 0) -> Cleaning:
    """Build the cleaning of a log whose rows are kept for so many days; 0: for ever."""
    return Cleaning(database, clock, FixedUpkeep(LogPolicy(days, None)), told)
