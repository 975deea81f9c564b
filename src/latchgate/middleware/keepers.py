"""What both kinds of middleware ask: somebody who keeps the gate, in this process or elsewhere."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from latchgate.core.heads import Head
from latchgate.core.policy import Requirement
from latchgate.errors import LatchgateError
from latchgate.middleware.identities import Identity, Judged
from latchgate.middleware.refusals import Refusal, reason_of
from latchgate.services.operator_log import OperatorLog

__all__ = ["Keeper", "Notes", "Passage", "Write"]

_REFUSED_FROM = 400

Write = Callable[[int, float, str | None], None]
"""Writes the row of a request by its status, its seconds and why it was refused. Raises StorageError."""


@dataclass(slots=True)
class Notes:
    """What the application says of a request; apart from its passage, or each would be garbage to search for."""

    reason: str | None = None
    """Why it refuses the request, once it does."""

    def note(self, reason: str) -> None:
        """Keep for the log why the application refuses the request."""
        self.reason = reason


@dataclass(slots=True)
class Passage:
    """One request on its way through the gate and, if it was let in, through the application."""

    refusal: Refusal | None
    """How it is answered instead of by the application."""
    identity: Identity | None = None
    """Who it acts as, if it was let in."""
    judged: Judged | None = field(default=None, repr=False)
    """What was judged then."""
    write: Write | None = field(default=None, repr=False)
    """None where another process has logged it, or nobody could."""
    sync: Callable[[], None] | None = field(default=None, repr=False)
    """Puts the row on the disk, where replies wait for that. Blocks; raises StorageError."""
    hold: Callable[[], Callable[[], None] | None] | None = field(default=None, repr=False)
    """Keeps open what writing needs, and gives what lets it go; None if that may take waiting."""
    notes: Notes = field(default_factory=Notes, repr=False)
    started: float = field(default_factory=time.perf_counter, repr=False)

    def record(self, status: int, reason: str | None = None) -> None:
        """Write the request's row, the first time that this is called.

        Raises:
            StorageError: It could not be written; the reply must not leave.
        """
        write, self.write = self.write, None
        if write is None:
            return
        told = reason or (self.refusal and self.refusal.reason) or self.notes.reason
        if told is None and self.refusal is None:
            told = reason_of(status)
        write(status, time.perf_counter() - self.started, told if status >= _REFUSED_FROM else None)

    def try_record(self, status: int, reason: str | None = None) -> bool:
        """Write the row, and wait for the disk if replies do; tell whether the reply may leave."""
        try:
            self.record(status, reason)
            if self.sync is not None:
                self.sync()
        except LatchgateError as error:
            OperatorLog().error("request log failed", detail=error.detail or error.public)
            return False
        return True

    def try_record_at_once(self, status: int, reason: str | None = None) -> bool | None:
        """Do as `try_record`; nothing, and give None, if it may take waiting."""
        if self.sync is not None:
            return None
        if self.write is None or self.hold is None:
            return self.try_record(status, reason)
        release = self.hold()
        if release is None:
            return None
        try:
            return self.try_record(status, reason)
        finally:
            release()

    def record_unanswered(self, status: int, reason: str) -> None:
        """Write the row of a request that ended without an answer; nothing if it has its row."""
        if self.write is not None:
            self.try_record(status, reason)


class Keeper(Protocol):
    """Decides about requests, and logs them. Any thread may call it; after a fork it begins anew."""

    @property
    def instance(self) -> Hashable:
        """A name that keepers have in common which judge and log alike; None if it cannot be told."""
        ...

    @property
    def usual(self) -> Requirement:
        """What is asked of a caller where the application says nothing."""
        ...

    def open(self) -> None:
        """Get ready. Raises SettingsError if it never can; a store that does not answer yet is no reason."""
        ...

    def admit_at_once(self, head: Head, requires: Requirement | None) -> Passage | None:
        """Decide as `admit`, if that takes no waiting; else None."""
        ...

    def admit(self, head: Head, requires: Requirement | None) -> Passage:
        """Decide about a request. Never raises: whoever cannot be asked is a refusal.

        Args:
            head: The request.
            requires: What is asked of the caller; None: what the access rules say.
        """
        ...

    def close(self) -> None:
        """Let go of what this process has open."""
        ...
