"""The model of the log's way into the database: it holds, and each of its rules is needed."""

import pytest

from models.log_model import RULES, search


def test_with_all_rules_each_row_comes_once() -> None:
    """Whoever dies when, and in whatever order all happens: nothing is lost, doubled or torn."""
    states, run = search()

    assert run is None
    assert states > 1_000


@pytest.mark.parametrize("rule", RULES)
def test_without_a_rule_there_is_a_run_that_goes_wrong(rule: str) -> None:
    """Each rule is there because without it a row can be lost, come twice or torn."""
    _, run = search(rule)

    assert run
