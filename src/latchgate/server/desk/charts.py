"""Charts of requests: what was counted, in bars that are few enough to be seen, and the same in words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from latchgate.server.desk.views import View
from latchgate.services.actors import Actor
from latchgate.services.port_values import CountedBy, CountQuery, OutcomeCount
from latchgate.services.ports import Clock
from latchgate.services.request_counts import RequestCountService

__all__ = ["OUTCOMES", "PERIODS", "Bar", "Chart", "Charts", "Period"]

OUTCOMES = (
    ("succeeded", "Succeeded"),
    ("partly", "Partly refused or sent on"),
    ("refused", "Refused or client error"),
    ("failed", "Failed"),
)
"""What bars are made of, from below: the name, which is the colour's too, and the words.

They are all that the roll-ups tell apart, in the words of the log's rows: a status below 400 without and with a reason
(one of several records was refused, or an ended session was sent to sign in), 4xx, and 5xx. Requests that were refused
and not answered one by one are with the 4xx.
"""
_SELDOM = "partly"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
PERIODS: Mapping[str, tuple[str, int]] = {
    "24h": ("24 hours", _DAY),
    "7d": ("7 days", 7 * _DAY),
    "30d": ("30 days", 30 * _DAY),
}
"""By the address's word: how it is told, and how many seconds."""
_STEPS = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 2 * _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY)
_STEP_WORDS = ("minute", "5 minutes", "15 minutes", "hour", "2 hours", "6 hours", "day", "7 days", "28 days")
_BARS_MAX = 125
# How long roll-ups are kept, a little less: what is older is drawn by the next longer span.
_MINUTES_KEPT_SECONDS, _HOURS_KEPT_SECONDS, _DAYS_KEPT_SECONDS = 7 * _DAY, 99 * _DAY, 5 * 365 * _DAY
_FAILED_CLASS, _REFUSED_CLASSES = 5, frozenset({0, 4})


@dataclass(frozen=True, slots=True)
class Bar:
    """The requests that began within one piece of a chart's time."""

    start: int
    """Unix seconds."""
    counts: tuple[int, int, int, int]
    """In the order of OUTCOMES."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time that a chart can be shown for."""

    words: str
    address: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Requests over time by outcome."""

    start: int
    """Unix seconds, as `until`."""
    step_seconds: int
    """How long a bar lasts."""
    bars: Sequence[Bar] = field(repr=False)
    """All of the chart's time, the oldest first."""
    periods: Sequence[Period] = ()
    """Among which one may choose."""
    range_address: str = ""
    """Of the list that a range of the chart narrows by `from` and `to`; empty where none can be chosen."""
    aside: str = ""
    """What the numbers leave out of account, as a sentence."""

    @property
    def until(self) -> int:
        """Where its last bar ends."""
        return self.start + self.step_seconds * len(self.bars)

    @property
    def total(self) -> int:
        """How many requests it shows."""
        return sum(bar.total for bar in self.bars)

    @property
    def places(self) -> list[int]:
        """Which of OUTCOMES are told: all, but for the one that is seldom where it never came."""
        sums = [sum(bar.counts[place] for bar in self.bars) for place in range(len(OUTCOMES))]
        return [place for place, (name, _) in enumerate(OUTCOMES) if sums[place] or name != _SELDOM]

    @property
    def totals(self) -> list[tuple[str, str, int]]:
        """By outcome of `places`: its name, its words, and how many requests had it."""
        return [(*OUTCOMES[place], sum(bar.counts[place] for bar in self.bars)) for place in self.places]

    @property
    def step_words(self) -> str:
        """How long a bar lasts, in words."""
        return _STEP_WORDS[_STEPS.index(self.step_seconds)]

    @property
    def words(self) -> str:
        """What it shows, for whoever does not see it."""
        parts = ", ".join(f"{count:,} {word.lower()}" for _, word, count in self.totals)
        told = f"{self.total:,} {'request' if self.total == 1 else 'requests'} between {_time(self.start)} and "
        told = f"{told}{_time(self.until)} UTC: {parts}."
        if not self.total:
            return told
        most = max(self.bars, key=lambda bar: bar.total)
        return f"{told} The most within {_one(self.step_words)}: {most.total:,}, at {_time(most.start)}."

    @property
    def busy(self) -> list[Bar]:
        """The bars with requests, the newest first."""
        return [bar for bar in reversed(self.bars) if bar.total]

    @property
    def data(self) -> str:
        """What the script draws, as JSON."""
        series = [[bar.counts[place] for bar in self.bars] for place in self.places]
        outcomes = [OUTCOMES[place] for place in self.places]
        told = {"start": self.start, "step": self.step_seconds, "series": series, "outcomes": outcomes}
        return json.dumps(told, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Charts:
    """Makes charts of what a caller may count."""

    counts: RequestCountService
    clock: Clock

    def read(
        self,
        actor: Actor,
        query: CountQuery,
        *,
        periods: Sequence[Period] = (),
        range_address: str = "",
        aside: str = "",
    ) -> Chart | None:
        """Read a chart; None if there is nothing that the actor may count, or the time is none.

        Args:
            actor: Who looks at it.
            query: Which requests. Its time is widened to whole bars, and begins with the first request where it is
                longer than anything is kept.
            periods: As of a Chart, which the other two are too.
            range_address: Where a range narrows the list.
            aside: What the numbers leave out.

        Raises:
            NotPermitted: The actor may not even read their own rows.
            StorageError: The log's database cannot be read, or lacks rows.
        """
        allowed = self.counts.within(actor, query)
        if allowed is None:
            return None
        now = self.clock.now()
        since, until = max(query.since, now - _DAYS_KEPT_SECONDS), min(query.until, now + 1)
        if since >= until:
            return None
        if query.since < since:
            # Asked for all there is: the bars are for as long as there was something.
            days = self.counts.counts(actor, _between(allowed, since, until), _DAY)
            since = min((one.start for one in days), default=until - 7 * _DAY)
        step = _step(until - since, _finest(allowed.by, now - since))
        start = since // step * step
        found = self.counts.counts(actor, _between(allowed, start, until), _span(step))
        return Chart(start, step, _bars(found, start, until, step), periods, range_address, aside)

    def of_period(
        self,
        actor: Actor,
        view: View,
        by: CountedBy = CountedBy.ALL,
        name: str | None = None,
        detail: str | None = None,
    ) -> Chart | None:
        """Read a chart of the last 24 hours, 7 days or 30 days, as the view's `period` chooses.

        Args:
            actor: Who looks at it.
            view: The page's, which must know the parameter `period`; another value of it is as good as none.
            by: What is counted, as of a CountQuery; the next two as well.
            name: Whose requests; None for all.
            detail: The id or source that the name alone leaves open.

        Raises:
            NotPermitted, StorageError: As `read`.
        """
        usual = next(iter(PERIODS))
        chosen = view.get("period") if view.get("period") in PERIODS else usual
        periods = [
            Period(words, view.to(period="" if period == usual else period), period == chosen)
            for period, (words, _) in PERIODS.items()
        ]
        now = self.clock.now()
        query = CountQuery(now - PERIODS[chosen][1], now + 1, by, name, detail)
        return self.read(actor, query, periods=periods)


def _finest(by: CountedBy, age_seconds: int) -> int:
    """Tell the shortest span that is kept of so long ago."""
    if age_seconds > _HOURS_KEPT_SECONDS:
        return _DAY
    few = by in {CountedBy.ALL, CountedBy.REASON}
    return _MINUTE if few and age_seconds <= _MINUTES_KEPT_SECONDS else _HOUR


def _step(seconds: int, finest: int) -> int:
    fitting = (step for step in _STEPS if step >= finest and seconds <= step * _BARS_MAX)
    return next(fitting, _STEPS[-1])


def _span(step: int) -> int:
    return next(span for span in (_DAY, _HOUR, _MINUTE) if step % span == 0)


def _between(query: CountQuery, since: int, until: int) -> CountQuery:
    return CountQuery(since, until, query.by, query.name, query.detail)


def _bars(found: Sequence[OutcomeCount], start: int, until: int, step: int) -> list[Bar]:
    counts = [[0] * len(OUTCOMES) for _ in range(start, until, step)]
    for one in found:
        counts[(one.start - start) // step][_place(one)] += one.requests
    return [Bar(start + place * step, (some[0], some[1], some[2], some[3])) for place, some in enumerate(counts)]


def _place(one: OutcomeCount) -> int:
    if one.status_class >= _FAILED_CLASS:
        return 3
    if one.status_class in _REFUSED_CLASSES:
        return 2
    return 1 if one.refused else 0


def _time(at: int) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def _one(words: str) -> str:
    return words if words[0].isdigit() else f"one {words}"
