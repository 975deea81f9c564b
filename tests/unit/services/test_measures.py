"""What a process counts: each word by itself, and each request in one bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Decision
from latchgate.core.principals import Reason
from latchgate.services.measures import (
    BITS_MAX,
    GAUGES,
    SCHEMES,
    WORDS,
    Measures,
    Outcome,
    RequestMeasures,
    bucket_word,
    outcome_of,
    recalled_word,
    request_word,
    sum_word,
)

_BITS = range(BITS_MAX + 2)


def _moved(measures: Measures) -> dict[str, int]:
    return {name: value for name, value in measures.read_totals().items() if value}


@pytest.mark.parametrize(
    ("decision", "reason", "status", "outcome"),
    [
        (Decision.ALLOWED, None, 200, Outcome.ALLOWED),
        (Decision.ALLOWED, None, 303, Outcome.ALLOWED),
        (Decision.ALLOWED, None, 401, Outcome.UNAUTHENTICATED),
        (Decision.ALLOWED, None, 403, Outcome.FORBIDDEN),
        (Decision.ALLOWED, None, 429, Outcome.LIMITED),
        (Decision.ALLOWED, None, 404, Outcome.CLIENT_ERROR),
        (Decision.ALLOWED, None, 417, Outcome.CLIENT_ERROR),
        (Decision.ALLOWED, None, 499, Outcome.CLIENT_ERROR),
        (Decision.ALLOWED, None, 500, Outcome.FAILED),
        (Decision.FORBIDDEN, None, 403, Outcome.FORBIDDEN),
        (Decision.FORBIDDEN, Reason.ROLE_MISSING, 403, Outcome.FORBIDDEN),
        # A guest's way to the page of sign-in, and the 401 in which OAuth's addresses put it.
        (Decision.FORBIDDEN, None, 303, Outcome.FORBIDDEN),
        (Decision.FORBIDDEN, None, 401, Outcome.FORBIDDEN),
        (Decision.UNAUTHENTICATED, Reason.WRONG_SECRET, 401, Outcome.UNAUTHENTICATED),
        (Decision.UNAUTHENTICATED, Reason.WRONG_SECRET, 400, Outcome.UNAUTHENTICATED),
        (Decision.UNAUTHENTICATED, Reason.OVER_LIMIT, 429, Outcome.LIMITED),
        (Decision.UNAUTHENTICATED, Reason.TOO_MANY_FAILURES, 429, Outcome.LIMITED),
        (Decision.UNAUTHENTICATED, Reason.STORAGE, 503, Outcome.FAILED),
        (Decision.UNAUTHENTICATED, Reason.WRONG_SECRET, 503, Outcome.FAILED),
    ],
)
def test_outcomes(decision: Decision, reason: Reason | None, status: int, outcome: Outcome) -> None:
    """What the gate refused is told by its decision, the rest by the reply; what we could not do is a failure."""
    assert outcome_of(decision, reason, status) is outcome


def test_a_word_is_moved_by_its_own_function_alone() -> None:
    """Counters add up, gauges stand at what was put last."""
    measures = Measures.alone()
    add, put = measures.counter("cache_misses"), measures.gauge("cache_entries")

    for value in (5, 2):
        add(value)
        put(value)

    assert _moved(measures) == {"cache_misses": 7, "cache_entries": 2}


def test_words_of_another_process_are_not_touched() -> None:
    """Each process has its own, one behind the other."""
    words = [0] * (3 * len(WORDS))
    measures = Measures(words, len(WORDS), dict)

    measures.counter(WORDS[0])(1)
    measures.gauge(WORDS[-1])(2)
    measures.observer("token", Outcome.FAILED)(2**70)

    assert not any(words[: len(WORDS)])
    assert not any(words[2 * len(WORDS) :])
    assert words[len(WORDS)] == 1


@given(st.integers(0, 2**40), st.sampled_from(SCHEMES), st.sampled_from(Outcome))
def test_a_request_is_in_the_bucket_of_its_time(micros: int, scheme: str, outcome: Outcome) -> None:
    """One more by scheme and outcome, one more in the only bucket that it fits, and its time in the sum."""
    measures = Measures.alone()

    measures.observer(scheme, outcome)(micros)

    (bits,) = [bits for bits in _BITS if measures.read_totals()[bucket_word(outcome, bits)]]
    assert micros < 1 << bits or bits > BITS_MAX
    assert bits == 0 or micros >= 1 << (bits - 1)
    expected = {request_word(scheme, outcome): 1, bucket_word(outcome, bits): 1}
    assert _moved(measures) == expected | ({sum_word(outcome): micros} if micros else {})


def test_requests_are_counted_by_scheme_outcome_and_way() -> None:
    """Seconds become whole microseconds; who was recalled was allowed."""
    measures = Measures.alone()
    requests = RequestMeasures(measures)

    requests.count(Scheme.BASIC, Outcome.LIMITED, 0.0000035)
    requests.recalled(Scheme.BEARER)(9)

    assert _moved(measures) == {
        request_word("Basic", Outcome.LIMITED): 1,
        bucket_word(Outcome.LIMITED, 2): 1,
        sum_word(Outcome.LIMITED): 3,
        recalled_word("Bearer"): 1,
        bucket_word(Outcome.ALLOWED, 4): 1,
        sum_word(Outcome.ALLOWED): 9,
    }


def test_every_word_has_a_name_of_its_own() -> None:
    """Two under one name would be one."""
    assert len(set(WORDS)) == len(WORDS)
    assert set(GAUGES) <= set(WORDS)
