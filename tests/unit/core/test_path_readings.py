"""How many readings of a path are looked at, and how much work that may be: anybody may send one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core import path_readings
from latchgate.core.access_rules import RuleSet
from latchgate.core.path_readings import read_path
from latchgate.core.principals import Reason
from latchgate.core.rule_explanations import explain
from support.rule_books import rule_of

_ODD = [
    "/%C3%A9",
    "/%252e%255c;a//",
    "//;",
    "/./..",
    "/%25%32%35;a?b#\\%c0%af",
    "/%2f",
    "/%c0%ae%f0%80%80%ae",
    "/%00;#?",
]


class Counted:
    """Counts the changes that are made of readings, and how many characters they are made of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes = self.characters = 0
        kept = path_readings._CHANGES
        monkeypatch.setattr(path_readings, "_CHANGES", tuple(map(self._counting, kept)))
        self.each = len(kept)

    def _counting(self, change: path_readings._Change) -> path_readings._Change:
        def call(path: str) -> str:
            self.changes += 1
            self.characters += len(path)
            return change(path)

        return call


@pytest.mark.parametrize("length", [64, 1_024, 8_192, 8_193, 60_000])
@pytest.mark.parametrize("odd", _ODD)
def test_what_a_path_costs_is_bounded(monkeypatch: pytest.MonkeyPatch, odd: str, length: int) -> None:
    """Whatever is sent, two readings of the longest path are looked at, or 48 of a short one."""
    counted = Counted(monkeypatch)

    read_path((odd * (length // len(odd) + 1))[:length])

    assert counted.changes <= 48 * counted.each
    assert counted.characters <= 16_384 * counted.each
    assert length <= 8_192 or not counted.changes


@given(st.lists(st.sampled_from([*_ODD, "/a", "%25", "%5c"]), max_size=12), st.integers(1, 700))
def test_all_readings_together_are_bounded(parts: list[str], times: int) -> None:
    """Readings are few and short together, or none is given at all, which refuses the path."""
    readings = read_path(("/" + "".join(parts)) * times)

    assert readings is None or (len(readings) <= 48 and sum(map(len, readings)) <= 2 * 8192)


def test_long_paths_that_browsers_send_are_read() -> None:
    """Escaped words of any language, up to the length to which servers take targets at all."""
    path = "/%E2%82%AC%20x" * 585

    readings = read_path(path)

    assert readings is not None
    assert len(readings) == 2
    assert RuleSet([rule_of()]).find("GET", "h", path).rule is not None


def test_a_path_with_too_many_readings_is_refused_with_a_reason() -> None:
    """No rule decides, not even one for any path however it is written; the trial says why."""
    path = "/%25%32%35;a%3fb#\\%c0%af" * 300
    rules = RuleSet([rule_of(guest=True, unusual=True)])

    explanation = explain(rules, "GET", "h", path)

    assert explanation.match.requirement.refused is Reason.UNUSUAL_PATH
    assert "read in too many ways, or in several that are too long" in explanation.note
    assert explain(rules, "GET", "h", "nowhere").note == "the path can stand in no request"
