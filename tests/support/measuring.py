"""Whether coverage measures: it loads modules and takes memory of its own, here and in what tests start."""

import sys

import pytest

__all__ = ["skip_where_coverage_measures"]


def skip_where_coverage_measures() -> None:
    """Skip the test that asks, for what it counts is not Latchgate's alone then."""
    coverage = sys.modules.get("coverage")
    if coverage is not None and coverage.Coverage.current() is not None:
        pytest.skip("coverage measures, whose own modules and memory would be counted; the ordinary run has this test")
