"""What must be in order when this process forks: told before and after, those that use others before those they use.

Python runs what was registered last first, which is no order that anybody chose; and what is registered stays so for
ever, while keepers and logs come and go.
"""

import os
import threading
from contextlib import ExitStack
from typing import Protocol
from weakref import WeakSet

__all__ = ["Forking", "heed_forks"]


class Forking(Protocol):
    """Who has something that a fork must not meet in the middle. It is told in the thread that forks."""

    def before_fork(self) -> None:
        """Let nothing be under way, until one of the others is called."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on. Called too if the system has refused to fork."""
        ...

    def after_fork_in_child(self) -> None:
        """Go on with nothing that is the parent's; no other thread is left."""
        ...


class _Forks:
    """Everybody who is to be told. In a child that Python was not told of nobody is."""

    def __init__(self) -> None:
        self._users: WeakSet[Forking] = WeakSet()
        self._used: WeakSet[Forking] = WeakSet()
        # Whoever is interrupted in it by a signal may fork in there.
        self._lock = threading.RLock()
        self._registered = False
        self._forking = threading.local()
        """By thread, who was told before each of its forks under way: a signal may fork in the middle of another."""

    def add(self, who: Forking, *, uses_others: bool) -> None:
        with self._lock:
            if not self._registered:
                os.register_at_fork(
                    before=self._before,
                    after_in_parent=lambda: self._after(in_child=False),
                    after_in_child=lambda: self._after(in_child=True),
                )
                self._registered = True
            (self._users if uses_others else self._used).add(who)

    def _before(self) -> None:
        # Not held any longer: a thread that is waited for below may be about to add somebody.
        with self._lock:
            # Two threads may fork at once: each asks for everything in the same order.
            told = [*sorted(self._users, key=id), *sorted(self._used, key=id)]
        self._forking.__dict__.setdefault("told", []).append(told)
        with ExitStack() as stack:
            # All of them, whatever becomes of one.
            for one in reversed(told):
                stack.callback(one.before_fork)

    def _after(self, *, in_child: bool) -> None:
        under_way: list[list[Forking]] = self._forking.__dict__.get("told", [])
        told = under_way.pop() if under_way else []
        if in_child:
            self._lock = threading.RLock()
        with ExitStack() as stack:
            for one in told:
                stack.callback(one.after_fork_in_child if in_child else one.after_fork_in_parent)


_forks = _Forks()


def heed_forks(who: Forking, *, uses_others: bool) -> None:
    """Tell somebody of each fork of this process, for as long as anybody has it.

    Args:
        who: Who is told.
        uses_others: Whether it waits for threads that use others of these: then it is told before them.
    """
    _forks.add(who, uses_others=uses_others)
