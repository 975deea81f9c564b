"""Who is told of a fork, and in which order."""

import gc

import pytest

from latchgate.services import forks
from latchgate.services.forks import heed_forks
from support.forks import run_in_forks


class _Told:
    """Notes what it is told."""

    def __init__(self, name: str, events: list[str], fault: str = "") -> None:
        self._name, self._events, self._fault = name, events, fault

    def before_fork(self) -> None:
        """Note it, or fail."""
        self._note("before")

    def after_fork_in_parent(self) -> None:
        """Note it, or fail."""
        self._note("parent")

    def after_fork_in_child(self) -> None:
        """Note it, or fail."""
        self._note("child")

    def _note(self, what: str) -> None:
        self._events.append(f"{what} {self._name}")
        if self._fault == what:
            raise RuntimeError(self._name)


def test_users_come_before_what_they_use() -> None:
    """Whoever was registered first: who uses others is told first before a fork, and last after it."""
    events: list[str] = []
    log, keeper = _Told("log", events), _Told("keeper", events)
    heed_forks(log, uses_others=False)
    heed_forks(keeper, uses_others=True)

    def look() -> None:
        assert events == ["before keeper", "before log", "child log", "child keeper"]

    run_in_forks([look])

    assert events == ["before keeper", "before log", "parent log", "parent keeper"]


def test_nobody_is_told_who_is_gone() -> None:
    """Telling keeps nobody alive, nor is anything left of who is gone."""
    events: list[str] = []
    heed_forks(_Told("gone", events), uses_others=True)
    gc.collect()

    run_in_forks([lambda: None])

    assert events == []


@pytest.mark.parametrize("fault", ["before", "parent"])
def test_all_are_told_whatever_becomes_of_one(fault: str) -> None:
    """A failure of one is Python's to tell, and leaves no other waiting for ever."""
    events: list[str] = []
    told = forks._Forks()
    members = [_Told(str(number), events, fault) for number in range(3)]
    for member in members:
        told.add(member, uses_others=False)

    for step in (told._before, lambda: told._after(in_child=False)):
        try:
            step()
        except RuntimeError:
            events.append("raised")

    assert sorted(events) == sorted([f"{when} {n}" for when in ("before", "parent") for n in range(3)] + ["raised"])
    # Python runs them at each later fork too: none of them is to fail then.
    members.clear()


def test_a_child_of_which_nobody_was_told_begins_with_nothing() -> None:
    """What comes after a fork without what comes before it, as some servers have it, lets go of nothing."""
    events: list[str] = []
    member = _Told("one", events)
    told = forks._Forks()
    told.add(member, uses_others=True)

    told._after(in_child=True)

    assert events == []
