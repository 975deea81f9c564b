"""A model of how rows come from a segment into the database: every interleaving, by breadth-first search.

    log_model.py                 all rules on: prints the number of states and "holds"
    log_model.py --without RULE  one rule taken out: prints the shortest run that loses, doubles or tears a row

One writer stores two records, each in two steps, and replies after each; it may die between any two of its steps. Two
ingesters move what they find, one record a batch; one of them may die between any two of its steps, and then starts
anew. Once, a power cut ends everybody and brings back a file that had been deleted. When nothing can happen any more,
each record whose reply left must be in the database once; none may ever be there twice, nor torn.

The ingesters' lock is not in the model: it spares work, and nothing rests on it. Nor is what the disk loses: a power
cut here takes nothing that was stored.
"""

import argparse
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

__all__ = ["RULES", "search"]

RULES = (
    "reply_after_store",
    "whole_records",
    "dead_before_bytes",
    "offset_with_rows",
    "offset_compared",
    "delete_the_dead_alone",
    "delete_at_the_end",
    "delete_after_commit",
    "row_outlives_file",
)
_RECORDS = 2
_NONE, _TORN, _WHOLE = range(3)


class Ingester(NamedTuple):
    """One that moves rows."""

    at: str = "idle"
    """Then in turn: asks, copies, commits, moves (the offset, where that is not done with the rows), deletes."""
    offset: int = 0
    """What it read in the database."""
    dead: bool = False
    """Whether it found the writer dead."""
    taken: int = _NONE
    """The record that it copied."""
    end: bool = False
    """Whether the copy holds nothing after that."""


class State(NamedTuple):
    """All there is at one moment."""

    stored: tuple[int, ...] = (_NONE,) * _RECORDS
    replied: tuple[bool, ...] = (False,) * _RECORDS
    lives: bool = True
    file: bool = True
    power: bool = True
    """Whether the power cut is still to come."""
    offset: int = 0
    ended: bool = False
    rows: tuple[int, ...] = (0,) * _RECORDS
    torn: bool = False
    ingesters: tuple[Ingester, ...] = (Ingester(), Ingester())


Steps = Iterator[tuple[str, State]]


def search(off: str = "") -> tuple[int, list[str] | None]:
    """Walk every run, a rule taken out; give the number of states and the shortest run that goes wrong, if any does."""
    start = State()
    came: dict[State, tuple[str, State] | None] = {start: None}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        following = list(_steps(state, off))
        if _is_wrong(state, last=not following):
            return len(came), _run(came, state)
        for label, after in following:
            if after not in came:
                came[after] = (label, state)
                queue.append(after)
    return len(came), None


def _is_wrong(state: State, *, last: bool) -> bool:
    if state.torn or max(state.rows) > 1:
        return True
    lost = any(replied and not count for replied, count in zip(state.replied, state.rows, strict=True))
    return last and (lost or state.file)


def _run(came: dict[State, tuple[str, State] | None], state: State) -> list[str]:
    run = []
    step = came[state]
    while step is not None:
        label, before = step
        run.append(label)
        step = came[before]
    return run[::-1]


def _steps(state: State, off: str) -> Steps:
    """Give whatever may happen next."""
    yield from _writer(state, off)
    for number, ingester in enumerate(state.ingesters):
        put = partial(_put, state, number)
        name = f"ingester {number + 1}"
        for label, after in _ingester(state, ingester, put, off):
            yield f"{name} {label}", after
        if number == 0 and ingester.at != "idle":
            yield f"{name} dies, and starts anew", put(Ingester())
    if state.power and not state.file:
        back = state._replace(power=False, file=True, lives=False, ingesters=(Ingester(), Ingester()))
        yield "a power cut brings the file back", back


def _put(state: State, number: int, ingester: Ingester, **changes: object) -> State:
    others = list(state.ingesters)
    others[number] = ingester
    return state._replace(ingesters=tuple(others), **changes)  # type: ignore[arg-type]  # fields by their names


def _writer(state: State, off: str) -> Steps:
    if not state.lives:
        return
    yield "the writer dies", state._replace(lives=False)
    for number, (stored, replied) in enumerate(zip(state.stored, state.replied, strict=True)):
        told = state._replace(replied=(*state.replied[:number], True, *state.replied[number + 1 :]))
        early = off == "reply_after_store" and not replied
        if early:
            yield f"record {number + 1}: its reply leaves", told
        if stored != _WHOLE:
            if not early:
                how = "begins to be stored" if stored == _NONE else "is stored"
                yield f"record {number + 1} {how}", state._replace(stored=_set(state.stored, number, stored + 1))
            return
        if not replied:
            if not early:
                yield f"record {number + 1}: its reply leaves", told
            return


def _ingester(state: State, me: Ingester, put: Callable[..., State], off: str) -> Steps:
    match me.at:
        case "idle" if state.file:
            yield from _beginning(state, me, put, off)
        case "asks":
            after = "commits" if off == "dead_before_bytes" else "copies"
            yield _asking(state), put(me._replace(at=after, dead=not state.lives))
        case "copies" if not state.file:
            yield "finds the file gone", put(Ingester())
        case "copies":
            yield _copying(state, me, put, off)
        case "commits":
            yield from _committing(state, me, put, off)
        case "moves":
            yield "moves the offset", put(me._replace(at="deletes"), offset=_next_offset(me), ended=_ends(me, off))
        case "deletes":
            forgotten = {"offset": 0, "ended": False} if off == "row_outlives_file" else {}
            yield "deletes the file", put(Ingester(), file=False, **forgotten)
        case _:
            return


def _beginning(state: State, me: Ingester, put: Callable[..., State], off: str) -> Steps:
    if state.ended:
        yield "deletes the file, which the database says has ended", put(me, file=False)
    elif _has_news(state):
        first = "copies" if off == "dead_before_bytes" else "asks"
        yield "reads the offset", put(Ingester(first, state.offset))


def _has_news(state: State) -> bool:
    return not state.lives or (state.offset < _RECORDS and state.stored[state.offset] != _NONE)


def _asking(state: State) -> str:
    return "finds the writer alive" if state.lives else "finds the writer dead"


def _copying(state: State, me: Ingester, put: Callable[..., State], off: str) -> tuple[str, State]:
    def readable(place: int) -> bool:
        there = state.stored[place] if place < _RECORDS else _NONE
        return there == _WHOLE or (off == "whole_records" and there == _TORN)

    taken = state.stored[me.offset] if readable(me.offset) else _NONE
    end = not readable(me.offset + (taken != _NONE))
    after = "asks" if off == "dead_before_bytes" else "commits"
    return "copies what is there", put(me._replace(at=after, taken=taken, end=end))


def _committing(state: State, me: Ingester, put: Callable[..., State], off: str) -> Steps:
    if me.taken == _NONE and not _ends(me, off):
        yield "has nothing to move", put(Ingester())
        return
    if off == "delete_after_commit" and _ends(me, off) and state.file:
        yield "deletes the file", put(me, file=False)
        return
    if off != "offset_compared" and (state.offset != me.offset or state.ended):
        yield "finds the offset moved, and changes nothing", put(Ingester())
        return
    changes: dict[str, object] = {"torn": state.torn or me.taken == _TORN}
    if me.taken != _NONE:
        changes["rows"] = _set(state.rows, me.offset, min(state.rows[me.offset] + 1, 2))
    if off == "offset_with_rows":
        yield "commits the rows", put(me._replace(at="moves"), **changes)
        return
    changes |= {"offset": _next_offset(me), "ended": _ends(me, off)}
    deletes = _ends(me, off) and off != "delete_after_commit"
    yield "commits rows and offset", put(me._replace(at="deletes") if deletes else Ingester(), **changes)


def _next_offset(me: Ingester) -> int:
    return me.offset + (me.taken != _NONE)


def _ends(me: Ingester, off: str) -> bool:
    """Whether this ingester takes the segment for one that has no more to give."""
    return (me.dead or off == "delete_the_dead_alone") and (me.end or off == "delete_at_the_end")


def _set(values: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*values[:place], value, *values[place + 1 :])


def main() -> int:
    """Print what was found; 1 if a run goes wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", choices=RULES, default="")
    count, run = search(parser.parse_args().without)
    told = f"{count} states: holds" if run is None else "\n  ".join([f"{count} states: broken by", *run])
    sys.stdout.write(f"{told}\n")
    return int(run is not None)


if __name__ == "__main__":
    sys.exit(main())
