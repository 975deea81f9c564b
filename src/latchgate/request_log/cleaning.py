"""What the ingester does beside moving rows: what is too old goes, addresses become networks, a little at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from latchgate.core.system_settings import LogPolicy
from latchgate.errors import StorageError
from latchgate.request_log.database import LogDatabase
from latchgate.request_log.retention import Retention
from latchgate.request_log.shortening import Shortening
from latchgate.services.ports import Clock

__all__ = ["CLEANING_SECONDS", "Cleaning", "FixedUpkeep", "Upkeep"]

CLEANING_SECONDS = 600.0
"""How often to look for what is too old, once nothing is: so long a decision may wait for its effect."""

_DAY_US = 86_400 * 1_000_000
_Answer = TypeVar("_Answer")


class Upkeep(Protocol):
    """What the database of accounts has to say and to be cleaned of."""

    def find_policy(self) -> LogPolicy:
        """Tell how long the logs keep what, as it is decided now. Raises StorageError."""
        ...

    def shorten_activity(self, before_us: int) -> int:
        """Shorten some addresses of the activity log; 0: none is left. Raises StorageError."""
        ...


@dataclass(frozen=True, slots=True)
class FixedUpkeep:
    """Fulfils Upkeep where nobody decides anything and there is no activity log."""

    policy: LogPolicy

    def find_policy(self) -> LogPolicy:
        return self.policy

    def shorten_activity(self, before_us: int) -> int:  # noqa: ARG002  # there is none
        return 0


class _Teller(Protocol):
    def warning(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...


class Cleaning:
    """Cleans when it is time to; one thread at a time."""

    def __init__(
        self,
        database: LogDatabase,
        clock: Clock,
        upkeep: Upkeep,
        log: _Teller,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to clean at once."""
        self._database, self._clock, self._upkeep, self._log = database, clock, upkeep, log
        self._shortening = Shortening(database)
        self._monotonic = monotonic
        self._due_at = monotonic()
        self._accounts_failing = False

    def do_some(self) -> bool:
        """Clean a little, as it is decided now; tell whether there may be more.

        Raises:
            StorageError: The log database is full, locked or unreachable.
        """
        now = self._monotonic()
        if now < self._due_at:
            return False
        policy = self._ask(self._upkeep.find_policy)
        # Nothing is destroyed on a guess.
        more = policy is not None and self._clean(policy)
        self._due_at = now if more else now + CLEANING_SECONDS
        return more

    def _clean(self, policy: LogPolicy) -> bool:
        now_us = self._clock.now_us()
        deleted = Retention(self._database, policy.retention_days).delete_some(now_us)
        if policy.address_days is None:
            self._shortening.forget()
            return deleted > 0
        before_us = now_us - policy.address_days * _DAY_US
        shortened = self._shortening.shorten_some(before_us, now_us)
        activity = self._ask(lambda: self._upkeep.shorten_activity(before_us))
        return bool(deleted or shortened or activity)

    def _ask(self, question: Callable[[], _Answer]) -> _Answer | None:
        """Ask the accounts' database; that it cannot answer is told once, and rows are moved all the same."""
        try:
            answer = question()
        except StorageError as error:
            if not self._accounts_failing:
                self._log.warning("log_not_cleaned", reason=error.public, detail=error.detail)
            self._accounts_failing = True
            return None
        self._accounts_failing = False
        return answer
