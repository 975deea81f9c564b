"""Work done at the same time in forked processes of their own."""

import os
import traceback
from collections.abc import Callable, Sequence

__all__ = ["run_in_forks"]


def run_in_forks(works: Sequence[Callable[[], object]]) -> None:
    """Do each work in a process of its own, all at once, and wait for all; each must succeed."""
    children = [_fork(work) for work in works]
    statuses = [os.waitpid(child, 0)[1] for child in children]
    assert statuses == [0] * len(works)


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)
