"""The model of the cache: with every rule no run is wrong, and without any one of them some run is."""

import pytest

from models.truth_model import RULES, search


def test_all_rules() -> None:
    """Whatever the order of steps, no request that began after an acknowledgement is accepted against it."""
    outcome = search()

    assert outcome.run is None
    assert outcome.states > 50_000


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(rule: str) -> None:
    """Without it there is a run in which a revoked key is accepted."""
    outcome = search(without=rule)

    assert outcome.run is not None
    assert outcome.run[-1].endswith("ACCEPTED")
