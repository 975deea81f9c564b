"""What is registered for forks, and how long it counts."""

import gc
import os

from latchgate.services.forks import heed_forks
from support.forks import run_in_forks


class Witness:
    """Notes where it was called."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen
        heed_forks(self.before, self.in_parent, self.in_child)

    def before(self) -> None:
        self.seen.append("before")

    def in_parent(self) -> None:
        self.seen.append("in parent")

    def in_child(self) -> None:
        self.seen.append("in child")


def test_each_side_is_told() -> None:
    """Before the fork, then parent and child, each of its own."""
    witness = Witness([])

    def look() -> None:
        assert witness.seen == ["before", "in child"]

    run_in_forks([look])

    assert witness.seen == ["before", "in parent"]


def test_what_is_gone_is_not_told() -> None:
    """Registering keeps nothing alive."""
    seen: list[str] = []
    Witness(seen)
    gc.collect()

    run_in_forks([os.getpid])

    assert seen == []
