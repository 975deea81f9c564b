"""A model of the cache that stays true: every interleaving of writers and one caching process, by breadth-first search.

    python tests/models/truth_model.py              all rules on: prints the number of states and "holds"
    python tests/models/truth_model.py RULE         without that rule: the shortest run that accepts a revoked key

What each step stands for: a writer is `Database.write` (commit, raise the nonce, acknowledge); a request is
`CachedAuthenticator.verify`: the check of the nonce and the hit are `VerifiedCache.find`, the catch-up's three steps
`VerifiedCache._catch_up`, which holds the cache's lock from the first to the last, a look-up `VerifiedCache.look_up`
and what is stored of it `VerifiedCache.keep`, under the same lock. Requests run in threads of their own.

One writer revokes key A, the others key B (one other; two where a counter is tried, whose fault needs them). A request
for A that begins after A's revocation was acknowledged must not be accepted. Not modelled: replaced files, trust,
clocks and crashes; a writer that dies before it raises acknowledges nothing. tests/truth tries those with real files.
States that differ merely in which request, or which of two writers alike, is where count as one.
"""

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

RULES = ("raise_after_commit", "nonce_not_counter", "nonce_before_rows", "as_of", "flight_nonce", "ack_after_raise")
REQUESTS = 3


class Request(NamedTuple):
    at: str = "new"
    """new, begun, rows, apply, flight; then yes or no."""
    must_refuse: bool = False
    nonce: int = -1
    """What the catch-up's first step read."""
    head: int = 0
    """How many rows there were when it read them."""
    drops: bool = False
    """Whether one of them was of A."""
    flight: int = -1
    """Which look-up it waits for."""


class Flight(NamedTuple):
    nonce: int
    read: bool = False
    as_of: int = 0
    valid: bool = True
    done: bool = False


class State(NamedTuple):
    writers: tuple[str, ...]
    revokes: str
    """What each writer revokes."""
    counters: tuple[int, ...]
    """What each writer read, where raising is a read and a write."""
    requests: tuple[Request, ...]
    nonce: int = 0
    fresh: int = 0
    """How many nonces were drawn: each is a new one."""
    rows: tuple[str, ...] = ()
    """The committed changes in order: the key that each revoked."""
    acknowledged: bool = False
    """Whether A's revocation is."""
    seen: int = 0
    applied: int = 0
    cached: int = -1
    """Of A: -1 nothing, 1 good, 0 refused."""
    flights: tuple[Flight, ...] = ()

    def writer(self, number: int, at: str) -> "State":
        return self._replace(writers=_put(self.writers, number, at))

    def request(self, number: int, request: Request) -> "State":
        return self._replace(requests=_put(self.requests, number, request))

    @property
    def locked(self) -> bool:
        """Whether a catch-up is under way."""
        return any(request.at in {"rows", "apply"} for request in self.requests)


Step = tuple[str, State]


@dataclass(frozen=True)
class Outcome:
    """What a search came to."""

    states: int
    run: list[str] | None
    """The shortest run to an answer that is wrong; None if there is none."""


def search(without: str = "") -> Outcome:
    """Walk all states, without one rule or with every one."""
    counting = without == "nonce_not_counter"
    revokes = "BBA" if counting else "AB"
    many, requests = len(revokes), (Request(),) * (REQUESTS - counting)
    start = State(("new",) * many, revokes, (0,) * many, requests)
    came: dict[State, Step | None] = {start: None}
    known = {_whoever(start)}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for label, after in _steps(state, without):
            alike = _whoever(after)
            if alike in known:
                continue
            known.add(alike)
            came[after] = (label, state)
            if any(request.at == "yes" and request.must_refuse for request in after.requests):
                return Outcome(len(came), _trace(came, after))
            queue.append(after)
    return Outcome(len(came), None)


def _whoever(state: State) -> State:
    """Tell a state whichever request and whichever of two writers alike is where: they go on alike."""
    writers = sorted(zip(state.revokes, state.writers, state.counters, strict=True))
    return state._replace(
        writers=tuple(at for _, at, _ in writers),
        counters=tuple(counter for _, _, counter in writers),
        revokes="".join(revokes for revokes, _, _ in writers),
        requests=tuple(sorted(state.requests)),
    )


def _trace(came: dict[State, Step | None], state: State) -> list[str]:
    run = []
    while (step := came[state]) is not None:
        label, state = step
        run.append(label)
    return run[::-1]


def _steps(state: State, without: str) -> Iterator[Step]:
    for number, at in enumerate(state.writers):
        yield from _write(state, number, at, without)
    for number, request in enumerate(state.requests):
        match request.at:
            case "new":
                yield f"request {number} begins", state.request(number, Request("begun", state.acknowledged))
            case "begun":
                yield from _find(state, number, without)
            case "rows" | "apply":
                yield _catch_up(state, number, without)
            case "flight" if state.flights[request.flight].done:
                yield _answer(state, number, "database", state.flights[request.flight].valid)
            case _:
                pass
    for number, flight in enumerate(state.flights):
        yield from _look_up(state, number, flight, without)


def _write(state: State, number: int, at: str, without: str) -> Iterator[Step]:
    key = state.revokes[number]
    raised = state._replace(nonce=state.fresh + 1, fresh=state.fresh + 1)
    committed = state._replace(rows=(*state.rows, key))
    acknowledged = state._replace(acknowledged=state.acknowledged or key == "A")
    # Where the writer is → what it does next, what comes of it, where it is then.
    doing = {
        "new": ("commits", committed, "committed"),
        "committed": ("raises", raised, "raised"),
        "raised": ("acknowledges", acknowledged, "over"),
        "acknowledged early": ("raises", raised, "over"),
        "raised early": ("commits", committed, "raised"),
        "counting": ("writes the counter", state._replace(nonce=state.counters[number] + 1), "raised"),
    }
    match without:
        case "raise_after_commit":
            doing["new"] = ("raises", raised, "raised early")
        case "ack_after_raise":
            doing["committed"] = ("acknowledges", acknowledged, "acknowledged early")
        case "nonce_not_counter":
            counting = state._replace(counters=_put(state.counters, number, state.nonce))
            doing["committed"] = ("reads the counter", counting, "counting")
        case _:
            pass
    if at in doing:
        does, after, then = doing[at]
        yield f"writer {number} of {key} {does}", after.writer(number, then)


def _find(state: State, number: int, without: str) -> Iterator[Step]:
    if state.nonce == state.seen:
        if state.cached >= 0:
            yield _answer(state, number, "cache", bool(state.cached))
        elif not state.locked:
            yield from _join(state, number, without)
    elif not state.locked:
        if without == "nonce_before_rows":
            yield f"request {number}: catch-up reads the rows", _read_rows(state, number, "rows")
        else:
            begun = state.requests[number]._replace(at="rows", nonce=state.nonce)
            yield f"request {number}: catch-up reads the nonce", state.request(number, begun)


def _read_rows(state: State, number: int, at: str) -> State:
    drops = "A" in state.rows[state.applied :]
    return state.request(number, state.requests[number]._replace(at=at, head=len(state.rows), drops=drops))


def _catch_up(state: State, number: int, without: str) -> Step:
    request = state.requests[number]
    if request.at == "apply":
        cached = -1 if request.drops else state.cached
        applied = state._replace(seen=request.nonce, applied=request.head, cached=cached)
        return f"request {number}: catch-up is applied", applied.request(number, Request("begun", request.must_refuse))
    if without == "nonce_before_rows":
        later = request._replace(at="apply", nonce=state.nonce)
        return f"request {number}: catch-up reads the nonce", state.request(number, later)
    return f"request {number}: catch-up reads the rows", _read_rows(state, number, "apply")


def _join(state: State, number: int, without: str) -> Iterator[Step]:
    waiting = state.requests[number]._replace(at="flight")
    under_way = [(which, flight) for which, flight in enumerate(state.flights) if not flight.done]
    for which, flight in under_way:
        if flight.nonce == state.nonce or without == "flight_nonce":
            yield f"request {number} joins look-up {which}", state.request(number, waiting._replace(flight=which))
            return
    begun = state._replace(flights=(*state.flights, Flight(state.nonce)))
    begun = begun.request(number, waiting._replace(flight=len(state.flights)))
    yield f"request {number} begins look-up {len(state.flights)}", begun


def _look_up(state: State, number: int, flight: Flight, without: str) -> Iterator[Step]:
    if not flight.read:
        read = flight._replace(read=True, as_of=len(state.rows), valid="A" not in state.rows)
        yield f"look-up {number} reads", state._replace(flights=_put(state.flights, number, read))
    elif not flight.done and not state.locked:
        keeps = flight.as_of >= state.applied or without == "as_of"
        over = state._replace(flights=_put(state.flights, number, flight._replace(done=True)))
        yield (
            f"look-up {number} is {'kept' if keeps else 'too old to keep'}",
            over._replace(cached=int(flight.valid)) if keeps else over,
        )


def _answer(state: State, number: int, source: str, accepted: bool) -> Step:
    told = state.requests[number]._replace(at="yes" if accepted else "no")
    outcome = "ACCEPTED" if accepted else "refused"
    return f"request {number} answered from the {source}: {outcome}", state.request(number, told)


def _put(values: tuple, position: int, value: object) -> tuple:  # type: ignore[type-arg]  # of whatever it holds
    return (*values[:position], value, *values[position + 1 :])


if __name__ == "__main__":
    found = search(*sys.argv[1:2])
    told = "holds" if found.run is None else "\n  ".join(["broken by", *found.run])
    sys.stdout.write(f"{found.states} states: {told}\n")
    sys.exit(found.run is not None)
