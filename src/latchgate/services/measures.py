"""What a process counts of itself: numbers in memory, one word each, which whoever is asked adds up over all processes.

Nothing here costs a request more than a few stores, and no library sees it. What the numbers are called outside, and in
which form they are told, is the server's affair. See docs/decisions/0038-metrics.md.
"""

from collections.abc import Callable, Mapping, MutableSequence
from dataclasses import dataclass, field
from enum import StrEnum

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Decision
from latchgate.core.principals import Reason

__all__ = [
    "BITS_MAX",
    "GAUGES",
    "NO_SCHEME",
    "SCHEMES",
    "UNKNOWN_SCHEME",
    "WORDS",
    "Measures",
    "Outcome",
    "RequestMeasures",
    "bucket_word",
    "found_word",
    "outcome_of",
    "recalled_word",
    "request_word",
    "sum_word",
]


class Outcome(StrEnum):
    """What became of a request: few, so that each may be a label."""

    ALLOWED = "allowed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    LIMITED = "limited"
    CLIENT_ERROR = "client_error"
    """Let in, and then refused for what it asked, or gone before it was answered."""
    FAILED = "failed"
    """By us: a store that does not answer, a log that is full, a fault."""


NO_SCHEME = "none"
"""The label of requests that presented no credential."""
UNKNOWN_SCHEME = "unknown"
"""The label of credentials that no scheme could be made out of."""
SCHEMES: tuple[str, ...] = (*Scheme, UNKNOWN_SCHEME, NO_SCHEME)

BITS_MAX = 24
"""Requests are told apart by how many bits their microseconds have: up to this many, which is 16.8 seconds."""

GAUGES = ("cache_entries", "cache_bytes")
"""What a process has, rather than what it did: over once the process is."""
_COUNTERS = (
    *("worker_starts", "worker_deaths", "ingester_starts", "ingester_deaths", "workers", "ingesters"),
    *("cache_hits", "cache_misses", "cache_drops", "cache_evictions"),
    *("rows_appended", "refusals_tallied", "rows_without_room", "sync_errors"),
    *("rows_ingested", "batches", "ingest_failures"),
)


def request_word(scheme: str, outcome: Outcome) -> str:
    """Name the word that counts requests which walked the whole line."""
    return f"requests {scheme} {outcome}"


def recalled_word(scheme: str) -> str:
    """Name the word that counts requests which a remembered verdict alone let in."""
    return f"recalled {scheme}"


def found_word(scheme: str) -> str:
    """Name the word that counts requests which the verdict of one look-up alone let in."""
    return f"found {scheme}"


def bucket_word(outcome: Outcome, bits: int) -> str:
    """Name the word that counts requests whose microseconds have so many bits; beyond BITS_MAX: all that have more."""
    return f"bits {outcome} {bits}"


def sum_word(outcome: Outcome) -> str:
    """Name the word that adds up the microseconds of requests."""
    return f"micros {outcome}"


WORDS = (
    *_COUNTERS,
    *GAUGES,
    *(request_word(scheme, outcome) for scheme in SCHEMES for outcome in Outcome),
    *(recalled_word(scheme) for scheme in SCHEMES),
    *(found_word(scheme) for scheme in SCHEMES),
    *(bucket_word(outcome, bits) for outcome in Outcome for bits in range(BITS_MAX + 2)),
    *(sum_word(outcome) for outcome in Outcome),
)
"""All words of a process, in their order."""
_PLACES = {name: place for place, name in enumerate(WORDS)}


@dataclass(frozen=True, slots=True)
class Measures:
    """Where one process counts. Each word is for one thread at a time: those that count requests for the event loop's.

    What a function that was given here adds is there for every reader when it returns, and survives the process if the
    words do.
    """

    words: "MutableSequence[int] | memoryview[int]" = field(repr=False)
    start: int
    """Where among them this process' own begin."""
    read_totals: Callable[[], Mapping[str, int]] = field(repr=False)
    """Adds up all processes' words by their names."""

    @classmethod
    def alone(cls) -> "Measures":
        """Give a process words that nobody else sees."""
        words = [0] * len(WORDS)
        return cls(words, 0, lambda: dict(zip(WORDS, words, strict=True)))

    def counter(self, name: str) -> Callable[[int], None]:
        """Give what adds to a word."""
        words, place = self.words, self.start + _PLACES[name]

        def add(amount: int) -> None:
            words[place] += amount

        return add

    def gauge(self, name: str) -> Callable[[int], None]:
        """Give what sets a word."""
        words, place = self.words, self.start + _PLACES[name]

        def put(value: int) -> None:
            words[place] = value

        return put

    def observer(self, scheme: str, outcome: Outcome) -> Callable[[int], None]:
        """Give what counts a request that walked the whole line, by its microseconds."""
        return self._observer(request_word(scheme, outcome), outcome)

    def recalled_observer(self, scheme: str) -> Callable[[int], None]:
        """Give what counts a request that a remembered verdict alone let in, by its microseconds."""
        return self._observer(recalled_word(scheme), Outcome.ALLOWED)

    def found_observer(self, scheme: str) -> Callable[[int], None]:
        """Give what counts a request that the verdict of one look-up alone let in, by its microseconds."""
        return self._observer(found_word(scheme), Outcome.ALLOWED)

    def _observer(self, name: str, outcome: Outcome) -> Callable[[int], None]:
        words, count = self.words, self.start + _PLACES[name]
        first, total = self.start + _PLACES[bucket_word(outcome, 0)], self.start + _PLACES[sum_word(outcome)]
        beyond = BITS_MAX + 1

        def observe(micros: int) -> None:
            # All in one function: a call costs as much as two stores.
            bits = micros.bit_length()
            words[count] += 1
            words[first + (bits if bits < beyond else beyond)] += 1  # noqa: FURB136  # min() is a call, four times the time
            words[total] += micros

        return observe


class RequestMeasures:
    """Counts requests by scheme and outcome."""

    def __init__(self, measures: Measures) -> None:
        self._observers = {
            (scheme, outcome): measures.observer(scheme, outcome) for scheme in SCHEMES for outcome in Outcome
        }
        self._recalled = {scheme: measures.recalled_observer(scheme) for scheme in SCHEMES}
        self._found = {scheme: measures.found_observer(scheme) for scheme in SCHEMES}

    def count(self, scheme: str, outcome: Outcome, seconds: float) -> None:
        """Count a request that walked the whole line."""
        self._observers[scheme, outcome](int(seconds * 1_000_000))

    def recalled(self, scheme: Scheme) -> Callable[[int], None]:
        """Give what counts a request that a remembered verdict alone let in, by its microseconds."""
        return self._recalled[scheme]

    def found(self, scheme: Scheme) -> Callable[[int], None]:
        """Give what counts a request that the verdict of one look-up alone let in, by its microseconds."""
        return self._found[scheme]


# Names of their own: CPython 3.11 takes longer to find a member of an enumeration than for all the rest.
_LET_IN, _NOBODY = Decision.ALLOWED, Decision.UNAUTHENTICATED
_ALLOWED, _UNAUTHENTICATED, _FORBIDDEN = Outcome.ALLOWED, Outcome.UNAUTHENTICATED, Outcome.FORBIDDEN
_LIMITED, _CLIENT_ERROR, _FAILED = Outcome.LIMITED, Outcome.CLIENT_ERROR, Outcome.FAILED
_LIMITS = frozenset({Reason.OVER_LIMIT, Reason.TOO_MANY_FAILURES})
_OF_STATUSES = {401: _UNAUTHENTICATED, 403: _FORBIDDEN, 429: _LIMITED}
_REFUSED_FROM, _FAILED_FROM = 400, 500


def outcome_of(decision: Decision, reason: Reason | None, status: int) -> Outcome:
    """Tell what became of a request.

    Args:
        decision: The gate's.
        reason: Why the gate refused it.
        status: The reply's.
    """
    if status >= _FAILED_FROM:
        return _FAILED
    if decision is _LET_IN:
        return _ALLOWED if status < _REFUSED_FROM else _OF_STATUSES.get(status, _CLIENT_ERROR)
    # What the gate refused may be answered in many ways, by the way to the page of sign-in for one.
    if reason in _LIMITS:
        return _LIMITED
    return _UNAUTHENTICATED if decision is _NOBODY else _FORBIDDEN
