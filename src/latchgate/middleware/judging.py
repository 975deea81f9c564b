"""Ask a keeper from an event loop: without holding it up, and with a row if the request is cut off meanwhile."""

import asyncio
import threading

from latchgate.core.heads import Head
from latchgate.core.policy import Requirement
from latchgate.middleware.keepers import Keeper, Passage
from latchgate.middleware.refusals import CLIENT_GONE

__all__ = ["UNANSWERED_GONE", "admit_on_loop"]

UNANSWERED_GONE = CLIENT_GONE, "client_gone"
"""Status and reason of a request whose client left before it was answered."""


async def admit_on_loop(keeper: Keeper, head: Head, requires: Requirement | None) -> Passage:
    """Decide about a request as `Keeper.admit`, in a thread if that may take waiting."""
    passage = keeper.admit_at_once(head, requires)
    if passage is not None:
        return passage
    judging = _Judging(keeper, head, requires)
    try:
        return await asyncio.to_thread(judging.judge)
    except asyncio.CancelledError:
        judging.abandon()
        raise


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
        if passage is not None:
            passage.try_record(*UNANSWERED_GONE)
