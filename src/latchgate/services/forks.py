"""What an object does around each fork of its process."""

import os
import weakref
from collections.abc import Callable

__all__ = ["heed_forks"]


def heed_forks(before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]) -> None:
    """Call these methods around every fork, as long as their object lives, which this does not prolong."""
    # What is registered stays so for ever; the object need not.
    first, parent, child = (weakref.WeakMethod(method) for method in (before, in_parent, in_child))
    os.register_at_fork(
        before=lambda: _call(first), after_in_parent=lambda: _call(parent), after_in_child=lambda: _call(child)
    )


def _call(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    found = method()
    if found is not None:
        found()
