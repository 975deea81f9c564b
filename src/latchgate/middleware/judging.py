"""Ask a keeper, from a thread or from an event loop: without holding it up, with a row if one is cut off meanwhile."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from latchgate.core.heads import Head
from latchgate.core.policy import Requirement
from latchgate.middleware.keepers import Keeper, Passage
from latchgate.middleware.local import LocalKeeper
from latchgate.middleware.nesting import find_judged
from latchgate.middleware.refusals import CLIENT_GONE

__all__ = ["UNANSWERED_GONE", "Judge", "record_on_loop", "record_unanswered_on_loop"]

UNANSWERED_GONE = CLIENT_GONE, "client_gone"
"""Status and reason of a request whose client left before it was answered."""


class Judge:
    """Whom a middleware asks about a request, and what it asks of the caller."""

    def __init__(self, requires: Requirement | None, *, rules: bool, keeper: Keeper | None) -> None:
        """Open nothing yet.

        Args:
            requires: What is asked of each caller; None: what the keeper asks where nothing is said.
            rules: Whether the access rules decide instead.
            keeper: Whom to ask; without one, the instance that the environment names, opened in this process.
        """
        self.keeper = keeper or LocalKeeper()
        self._requires = None if rules else requires or self.keeper.usual

    @property
    def by_rules(self) -> bool:
        """Whether the access rules decide."""
        return self._requires is None

    def admit(self, head: Head, request: Mapping[str, Any]) -> Passage:
        """Decide about a request.

        Args:
            head: The request.
            request: Its scope or environ.
        """
        return self.admit_at_once(head, request) or self.keeper.admit(head, self._requires)

    def admit_at_once(self, head: Head, request: Mapping[str, Any]) -> Passage | None:
        """Decide as `admit`; None if that may take waiting."""
        judged = find_judged(request, self.keeper, head, self._requires)
        return judged or self.keeper.admit_at_once(head, self._requires)

    async def admit_on_loop(self, head: Head, request: Mapping[str, Any]) -> Passage:
        """Decide as `admit`, in a thread if that may take waiting."""
        return self.admit_at_once(head, request) or await self.admit_in_thread(head)

    async def admit_in_thread(self, head: Head) -> Passage:
        """Decide about a request that cannot be decided about at once."""
        judging = _Judging(self.keeper, head, self._requires)
        try:
            return await asyncio.to_thread(judging.judge)
        except asyncio.CancelledError:
            judging.abandon()
            raise


async def record_on_loop(passage: Passage, status: int) -> bool:
    """Write a request's row as `Passage.try_record`, in a thread if that may take waiting.

    Who is cut off before a thread was free for it has a row all the same, which says so: also who was refused.
    """
    recorded = passage.try_record_at_once(status)
    if recorded is not None:
        return recorded
    try:
        return await asyncio.to_thread(passage.try_record, status)
    except asyncio.CancelledError:
        await record_unanswered_on_loop(passage, *UNANSWERED_GONE)
        raise


async def record_unanswered_on_loop(passage: Passage, status: int, reason: str) -> None:
    """Write the row of a request that ended without an answer; nothing if it has its row."""
    if passage.write is not None and passage.try_record_at_once(status, reason) is None:
        writing = asyncio.get_running_loop().run_in_executor(None, passage.try_record, status, reason)
        # Who is cut off once more, while it waits, has a row all the same.
        await asyncio.shield(writing)


class _Judging:
    """A decision in a thread, which goes on if nobody waits for it any more: judged is logged, answered or not."""

    def __init__(self, keeper: Keeper, head: Head, requires: Requirement | None) -> None:
        self._keeper, self._head, self._requires = keeper, head, requires
        self._lock = threading.Lock()
        self._abandoned = False
        self._passage: Passage | None = None

    def judge(self) -> Passage:
        passage = self._keeper.admit(self._head, self._requires)
        with self._lock:
            self._passage = passage
            abandoned = self._abandoned
        if abandoned:
            passage.try_record(*UNANSWERED_GONE)
        return passage

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            passage = self._passage
        if passage is not None and passage.try_record_at_once(*UNANSWERED_GONE) is None:
            # Nobody waits for it.
            asyncio.get_running_loop().run_in_executor(None, passage.try_record, *UNANSWERED_GONE)
