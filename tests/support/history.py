"""What was asked and answered, what was changed meanwhile, and whether the one agrees with the other.

Everything that an answer stands on is a switch: a key, one of its secrets, a token, a user, a user's role, a rule. A
switch is on from the moment that somebody could know of it, unless a change turns it. While a change is under way, from
its begin to its acknowledgement, either state may hold; so it is after one of which nobody was told the outcome, until
the next one of the same switch is acknowledged. Times are nanoseconds of the host's boot clock, the same in all its
processes.
"""

import math
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise

__all__ = ["Asked", "Change", "Credential", "History", "boot_ns", "find_unlogged"]


def boot_ns() -> int:
    """Tell the time on the clock that all processes of the host share."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request may carry."""

    name: str
    header: str
    """The Authorization header's value."""
    user: str
    switches: tuple[str, ...]
    """What must be on for it to be let in."""
    role: str
    """What must be on besides for what needs the role."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change; all that it turns, it turns at the same moment."""

    begun: int
    acknowledged: int | None
    """None: whoever asked for it was told nothing, so that it may have happened or not."""
    turns: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was answered."""

    begun: int
    """Before its first byte was sent."""
    ended: int
    """After its answer's last byte was read."""
    credential: str
    needs: str
    """The switch that must be on besides the credential's own, or it is refused with 403; empty: none."""
    status: int
    user: str
    """Whom the answer names; empty where it names nobody."""
    request_id: str


@dataclass(frozen=True, slots=True)
class _Turn:
    begun: int
    acknowledged: float
    """Infinite: never."""
    state: bool


class History:
    """All changes of a run, and what could be true at any moment of it."""

    def __init__(self, credentials: Iterable[Credential], changes: Iterable[Change]) -> None:
        """Take all in. Raises ValueError if two changes turned the same switch at once: nobody could judge that."""
        self._credentials = {credential.name: credential for credential in credentials}
        self._turns: dict[str, list[_Turn]] = defaultdict(list)
        for change in sorted(changes, key=lambda change: change.begun):
            end = math.inf if change.acknowledged is None else change.acknowledged
            for switch, state in change.turns.items():
                self._turns[switch].append(_Turn(change.begun, end, state))
        for switch, turns in self._turns.items():
            for former, latter in pairwise(turns):
                if latter.begun < former.acknowledged < math.inf:
                    raise ValueError(f"{switch} was turned by two at once")
        self._begins = {switch: [turn.begun for turn in turns] for switch, turns in self._turns.items()}

    def find_violations(self, asked: Iterable[Asked]) -> Iterator[str]:
        """Tell of every request that was answered as nothing that could be true explains."""
        for one in asked:
            if not any(self._explains(one, moment) for moment in self._moments(one)):
                yield f"{self._accusation(one)}: {one}"

    def _moments(self, one: Asked) -> Iterator[float]:
        """List the moments of a request at which most could be true; between them there is less."""
        yield from (one.begun, one.ended)
        credential = self._credentials[one.credential]
        for switch in (*credential.switches, one.needs):
            for turn in self._turns.get(switch, ()):
                yield from (moment for moment in (turn.begun, turn.acknowledged) if one.begun <= moment <= one.ended)

    def _explains(self, one: Asked, moment: float) -> bool:
        """Whether an answer is right if the verdict was given at this moment."""
        credential = self._credentials[one.credential]
        states = [self._possible(switch, moment) for switch in credential.switches]
        rights = self._possible(one.needs, moment) if one.needs else {True}
        let_in = all(True in state for state in states)
        match one.status:
            case HTTPStatus.OK | HTTPStatus.NO_CONTENT:
                # What needs the role names nobody.
                return let_in and True in rights and one.user in {credential.user, "" if one.needs else credential.user}
            case HTTPStatus.UNAUTHORIZED:
                return any(False in state for state in states)
            case HTTPStatus.FORBIDDEN:
                return let_in and False in rights
            case _:
                return False

    def _possible(self, switch: str, moment: float) -> set[bool]:
        turns = self._turns.get(switch)
        if not turns:
            return {True}
        found = set()
        for turn in reversed(turns[: bisect_right(self._begins[switch], moment)]):
            found.add(turn.state)
            if turn.acknowledged < moment:
                return found
        return {*found, True}

    def _accusation(self, one: Asked) -> str:
        match one.status:
            case HTTPStatus.OK | HTTPStatus.NO_CONTENT if one.user not in {"", self._credentials[one.credential].user}:
                return "answered as somebody else"
            case HTTPStatus.OK | HTTPStatus.NO_CONTENT:
                return "let in against an acknowledged change"
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                return "refused although valid throughout"
            case _:
                return "neither let in nor refused"


def find_unlogged(asked: Iterable[Asked], rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Tell of every answer that is not in the log exactly once, as it was.

    Args:
        asked: What was answered.
        rows: Request id and status of every row of the log.
    """
    statuses: dict[str, int] = {}
    times: Counter[str] = Counter()
    for request_id, status in rows:
        statuses[request_id] = status
        times[request_id] += 1
    answered: Counter[str] = Counter()
    for one in asked:
        answered[one.request_id] += 1
        if not times[one.request_id]:
            yield f"answered, and not in the log: {one}"
        elif statuses[one.request_id] != one.status:
            yield f"in the log with status {statuses[one.request_id]}: {one}"
    yield from (f"in the log {count} times: {request_id}" for request_id, count in times.items() if count > 1)
    yield from (f"answered {count} times under one id: {one}" for one, count in answered.items() if count > 1)
