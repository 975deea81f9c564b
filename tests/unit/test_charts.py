"""Charts of requests: which bars there are, what is counted in them, and how it is said."""

import json
from dataclasses import dataclass, field
from typing import Self

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.permissions import Action, Grant
from latchgate.core.principals import Principal
from latchgate.core.users import UserType
from latchgate.errors import NotPermitted
from latchgate.request_log.roll_ups import SPANS_OF
from latchgate.server.desk.charts import Bar, Chart, Charts
from latchgate.server.desk.views import View
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.port_values import CountedBy, CountQuery, LogState, OutcomeCount, TopCount
from latchgate.services.request_counts import RequestCountService
from support.house import FakeClock

NOW = 1_771_491_164  # 19 February 2026, 08:52:44 UTC
_DAY = 86_400
ME, ANNA = "me@example.com", "anna@example.com"


@dataclass
class FakeCounts:
    """Roll-ups with one outcome; what was asked of them is kept."""

    found: list[OutcomeCount] = field(default_factory=list)
    asked: list[tuple[CountQuery, int]] = field(default_factory=list)

    def counts(self, query: CountQuery, span_seconds: int) -> list[OutcomeCount]:
        assert span_seconds in SPANS_OF[query.by]
        assert len(range(query.since, query.until, span_seconds)) <= 3000
        self.asked.append((query, span_seconds))
        return [one for one in self.found if query.since <= one.start < query.until]

    def top(self, query: CountQuery, limit: int) -> list[TopCount]:
        self.asked.append((query, limit))
        return [TopCount(ME, "7", 5, 1)]

    def is_short(self, query: CountQuery, rows_max: int) -> bool:
        return query.by is not CountedBy.KEY and rows_max > 0

    def state(self) -> LogState:
        raise AssertionError("nobody asks for it")


class FakeStore:
    """A store that knows permissions alone."""

    def __init__(self, *grants: Grant) -> None:
        self.grants = grants

    def read(self) -> "FakeStore":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def permissions(self) -> "FakeStore":
        return self

    def list_all(self) -> list[Grant]:
        return list(self.grants)


def _charts(*found: OutcomeCount, grants: tuple[Grant, ...] = ()) -> tuple[Charts, FakeCounts]:
    counts = FakeCounts(list(found))
    return Charts(RequestCountService(FakeStore(*grants), counts), FakeClock(NOW)), counts  # type: ignore[arg-type]


def _actor(user_id: int = 7) -> Actor:
    principal = Principal(
        user=ME,
        user_id=user_id,
        full_name="Me",
        user_type=UserType.SYSTEM,
        roles=frozenset({"All"}),
        scopes=frozenset({"all"}),
        scheme=Scheme.SESSION,
        source="User",
        credential="s",
    )
    return Actor.of(principal, "::1")


def _read(charts: Charts, since: int, until: int = NOW + 1, by: CountedBy = CountedBy.ALL) -> Chart:
    chart = charts.read(COMMAND_LINE, CountQuery(since, until, by, None if by is CountedBy.ALL else ME))
    assert chart is not None
    return chart


# What is drawn


@pytest.mark.parametrize(
    ("seconds", "by", "step", "span"),
    [
        (3600, CountedBy.ALL, 60, 60),
        (_DAY, CountedBy.ALL, 900, 60),
        (_DAY, CountedBy.REASON, 900, 60),
        (_DAY, CountedBy.USER, 3600, 3600),
        (_DAY, CountedBy.KEY, 3600, 3600),
        (7 * _DAY, CountedBy.ALL, 7200, 3600),
        (30 * _DAY, CountedBy.USER, 21_600, 3600),
        (365 * _DAY, CountedBy.ALL, 7 * _DAY, _DAY),
    ],
)
def test_the_bars_are_few_and_as_fine_as_is_kept(seconds: int, by: CountedBy, step: int, span: int) -> None:
    """Whole ones, from before the time asked for until after it."""
    charts, counts = _charts()

    chart = _read(charts, NOW - seconds, by=by)

    assert (chart.step_seconds, counts.asked[-1][1]) == (step, span)
    assert chart.start % step == 0
    assert chart.start <= NOW - seconds < chart.start + step
    assert NOW < chart.until <= NOW + step
    assert len(chart.bars) <= 126


@pytest.mark.parametrize(("days_ago", "step"), [(6, 60), (20, 3600), (200, _DAY)])
def test_what_is_long_ago_is_drawn_by_what_is_still_kept(days_ago: int, step: int) -> None:
    """An hour of last month has no minutes any more."""
    chart = _read(_charts()[0], NOW - days_ago * _DAY, NOW - days_ago * _DAY + 3600)

    assert chart.step_seconds == step


def test_all_there_is_begins_with_the_first_request() -> None:
    """Rather than with years of nothing."""
    charts, counts = _charts(OutcomeCount((NOW // _DAY - 3) * _DAY, 2, refused=False, requests=5))

    chart = _read(charts, 0)

    assert chart.start == (NOW // _DAY - 3) * _DAY
    assert chart.total == 5
    assert [span for _, span in counts.asked] == [_DAY, 3600]
    assert _read(_charts()[0], 0).total == 0


@pytest.mark.parametrize(("since", "until"), [(NOW + 5, NOW + 9), (NOW, NOW), (0, 5)])
def test_a_time_of_nothing_has_no_chart(since: int, until: int) -> None:
    """What is yet to come, what is empty, what is older than anything that is kept."""
    assert _charts()[0].read(COMMAND_LINE, CountQuery(since, until)) is None


def test_outcomes_are_those_of_the_roll_ups() -> None:
    """All that these tell apart: those that were not answered one by one are refused too."""
    start = NOW // 60 * 60
    found = [
        OutcomeCount(start, status, refused=refused, requests=number)
        for number, (status, refused) in enumerate(
            [(2, False), (3, False), (3, True), (4, True), (4, False), (0, True), (5, False), (5, True)], start=1
        )
    ]

    chart = _read(_charts(*found)[0], NOW - 3600)

    assert [(name, count) for name, _, count in chart.totals] == [
        ("succeeded", 3),
        ("partly", 3),
        ("refused", 15),
        ("failed", 15),
    ]
    assert chart.busy == [Bar(start, (3, 3, 15, 15))]
    drawn = json.loads(chart.data)
    assert [sum(series) for series in drawn["series"]] == [3, 3, 15, 15]
    assert drawn["outcomes"] == [[name, words] for name, words, _ in chart.totals]
    assert (drawn["start"], drawn["step"]) == (chart.start, 60)


def test_a_chart_in_words() -> None:
    """For whoever does not see it: how many, of what, from when to when, and when most."""
    found = [
        OutcomeCount(NOW // 60 * 60 - 600, 2, refused=False, requests=1200),
        OutcomeCount(NOW // 60 * 60, 4, refused=True, requests=34),
    ]

    words = _read(_charts(*found)[0], NOW - 3600).words

    assert words == (
        "1,234 requests between 19 February 2026, 07:52 and 19 February 2026, 08:53 UTC: "
        "1,200 succeeded, 34 refused or client error, 0 failed. "
        "The most within one minute: 1,200, at 19 February 2026, 08:42."
    )
    assert _read(_charts()[0], NOW - 3600).words.endswith("0 succeeded, 0 refused or client error, 0 failed.")


@pytest.mark.parametrize(("period", "seconds"), [("", _DAY), ("7d", 7 * _DAY), ("30d", 30 * _DAY), ("<b>", _DAY)])
def test_a_period_is_chosen_by_the_address(period: str, seconds: int) -> None:
    """One of three; the choice of a day is no choice, and what is unknown is as good as none."""
    charts, counts = _charts()

    chart = charts.of_period(COMMAND_LINE, View("/app", {"tab": "x", **({"period": period} if period else {})}))

    assert chart is not None
    assert counts.asked[0][0].since <= NOW - seconds < counts.asked[0][0].since + chart.step_seconds
    assert [one.address for one in chart.periods] == ["/app?tab=x", "/app?tab=x&period=7d", "/app?tab=x&period=30d"]
    assert sum(one.chosen for one in chart.periods) == 1


# Who may count


_OWN = Grant("All", "API Request Log", if_owner=True, actions=frozenset({Action.READ}))
_ALL = Grant("All", "API Request Log", if_owner=False, actions=frozenset({Action.READ}))


@pytest.mark.parametrize(
    ("by", "name", "detail", "mine"),
    [
        (CountedBy.ALL, None, None, True),
        (CountedBy.USER, None, None, True),
        (CountedBy.USER, ME, None, True),
        (CountedBy.USER, ME, "7", True),
        (CountedBy.USER, ME, "8", False),
        (CountedBy.USER, ANNA, None, False),
        (CountedBy.KEY, None, None, False),
        (CountedBy.KEY, "lgk_1", "User", False),
        (CountedBy.REASON, None, None, False),
    ],
)
def test_whoever_reads_their_own_rows_counts_their_own(
    by: CountedBy, name: str | None, detail: str | None, *, mine: bool
) -> None:
    """By name and id; what others' requests are in is not counted for them."""
    charts, counts = _charts(grants=(_OWN,))
    query = CountQuery(NOW - _DAY, NOW, by, name, detail)
    own = CountQuery(NOW - _DAY, NOW, CountedBy.USER, ME, "7")

    assert charts.counts.within(_actor(), query) == (own if mine else None)
    assert charts.counts.top(_actor(), query, 5) == ([TopCount(ME, "7", 5, 1)] if mine else [])
    assert charts.counts.counts(_actor(), query, 3600) == []
    assert [asked for asked, _ in counts.asked] == ([own, own] if mine else [])
    assert (charts.read(_actor(), query) is not None) == mine


def test_whoever_reads_all_rows_counts_all() -> None:
    """The question stays as it is."""
    charts, _ = _charts(grants=(_OWN, _ALL))
    query = CountQuery(NOW - _DAY, NOW, CountedBy.KEY, "lgk_1")

    assert charts.counts.within(_actor(), query) == query


def test_whoever_reads_no_row_counts_none() -> None:
    """As they are refused the rows."""
    charts, _ = _charts()

    with pytest.raises(NotPermitted):
        charts.counts.within(_actor(), CountQuery(NOW - _DAY, NOW))
