"""What stands around the rows of the request log: the chart of their time, and what they have most of."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latchgate.core.questions import Asked
from latchgate.core.users import parse_user_name
from latchgate.server.desk.charts import Chart, Charts, Period
from latchgate.server.desk.log_filters import SINCE, TIME_NAMES, Asker, Filter, Narrowed, Span, window_of
from latchgate.server.desk.log_list import REQUEST_LOG
from latchgate.server.desk.reasons import reason_words
from latchgate.server.desk.views import View
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService
from latchgate.services.port_values import CountedBy, CountQuery

__all__ = ["LogOverviews", "Overview", "Top"]

_NAMES_MAX = 5
_SAMPLE_ROWS = 1000
_LINKED_LENGTH_MAX = 400


@dataclass(frozen=True, slots=True)
class TopName:
    """A name and how many requests had it."""

    words: str
    requests: int
    address: str
    """Of the rows that have it; empty if they cannot be asked for."""


@dataclass(frozen=True, slots=True)
class Top:
    """Which names of a kind were in most requests."""

    title: str
    names: Sequence[TopName]
    mono: bool = False
    """Whether they are read letter by letter."""
    sampled: int = 0
    """Among how many of the newest rows they were counted; 0: among all requests of the time."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What is told of a log's rows beside themselves."""

    chart: Chart | None
    tops: Sequence[Top]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose requests a chart counts, of all that the filters name, and which filters say so."""

    by: CountedBy
    name: str | None
    filters: frozenset[str]


@dataclass(frozen=True, slots=True)
class LogOverviews:
    """Reads them: from the roll-ups what they know, the rest from the newest rows."""

    documents: DocumentService
    charts: Charts

    def read(
        self, call: Call, view: View, filters: Sequence[Filter], span: Span, narrowed: Narrowed, *, sees_all: bool
    ) -> Overview:
        """Read what the rows of an address have around them.

        Args:
            call: Who looks.
            view: The address.
            filters: Those that its parameters may name.
            span: What it looks at where it names no time.
            narrowed: What its filters come to; without problems.
            sees_all: Whether the caller may read everybody's rows.

        Raises:
            NotPermitted, StorageError: As the services.
        """
        now = self.charts.clock.now()
        window = window_of(view, span, now)
        used = [one for one in filters if view.get(one.name) and one.name not in TIME_NAMES]
        used = [one for one in used if (one.name, view.get(one.name)) != ("whose", "all")]
        subject = _subject(view, Asker(call.principal.user, now), sees_all=sees_all)
        aside = [one.label.removesuffix(" contains").lower() for one in used if one.name not in subject.filters]
        chart = self.charts.read(
            call.actor,
            CountQuery(*window, subject.by, subject.name),
            periods=_periods(view, span),
            range_address=view.to(**dict.fromkeys(TIME_NAMES, "")),
            aside=f"Not narrowed by {_and(aside)}: requests are counted without their rows." if aside else "",
        )
        return Overview(chart, self._tops(call, view, window, narrowed, exact=sees_all and not used, sees_all=sees_all))

    def _tops(
        self, call: Call, view: View, window: tuple[int, int], narrowed: Narrowed, *, exact: bool, sees_all: bool
    ) -> list[Top]:
        asked = Asked(
            fields=["user", "api_key", "path", "reason"],
            filters=narrowed.conditions,
            or_filters=narrowed.any_of,
            order_by="time desc",
            limit=_SAMPLE_ROWS,
        )
        found = self.documents.list_rows(call.actor, REQUEST_LOG.doctype, asked)
        sample = Sample(view, found.documents(), more=found.more)
        paths = sample.top("Paths", "path", lambda path: path.partition("?")[0], mono=True)
        if not exact:
            users = [sample.top("Users", "user")] if sees_all else []
            keys = sample.top("Keys", "api_key", parameter="key", mono=True)
            return _some([*users, keys, paths, sample.top("Refusals", "reason", words=reason_words)])
        counted = Counted(view, lambda by: self._count(call, window, by))
        users, keys = (
            [counted.top("Users", CountedBy.USER, "user")],
            counted.top("Keys", CountedBy.KEY, "key", mono=True),
        )
        return _some([*users, keys, paths, counted.top("Refusals", CountedBy.REASON, "reason", words=reason_words)])

    def _count(self, call: Call, window: tuple[int, int], by: CountedBy) -> Mapping[str, int]:
        # Two users of one name, of whom one is gone, or a name in two sources, are one filter.
        counts: Counter[str] = Counter()
        for one in self.charts.counts.top(call.actor, CountQuery(*window, by), 2 * _NAMES_MAX):
            counts[one.name] += one.requests
        return counts


@dataclass(frozen=True, slots=True)
class Counted:
    """Tables of the roll-ups."""

    view: View
    count: Callable[[CountedBy], Mapping[str, int]]

    def top(
        self, title: str, by: CountedBy, parameter: str, *, words: Callable[[str], str] = str, mono: bool = False
    ) -> Top:
        """Count the names of a kind."""
        return Top(title, _names(self.view, Counter(self.count(by)), parameter, words), mono)


@dataclass(frozen=True, slots=True)
class Sample:
    """Tables of the newest rows."""

    view: View
    rows: Sequence[Mapping[str, Any]]
    more: bool
    """Whether there are more of them."""

    def top(
        self,
        title: str,
        column: str,
        read: Callable[[str], str] = str,
        *,
        parameter: str = "",
        words: Callable[[str], str] = str,
        mono: bool = False,
    ) -> Top:
        """Count the values of a column."""
        counts = Counter(read(row[column]) for row in self.rows if row[column])
        names = _names(self.view, counts, parameter or column, words)
        return Top(title, names, mono, len(self.rows) if self.more else 0)


def _names(view: View, counts: "Counter[str]", parameter: str, words: Callable[[str], str]) -> list[TopName]:
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_NAMES_MAX]
    return [
        TopName(words(name), count, view.to(**{parameter: name}) if len(name) <= _LINKED_LENGTH_MAX else "")
        for name, count in most
    ]


def _some(tops: Iterable[Top]) -> list[Top]:
    return [top for top in tops if top.names]


def _subject(view: View, asker: Asker, *, sees_all: bool) -> Subject:
    """Tell what the roll-ups can be asked: one user, one key or one reason, but not of each other."""
    if not sees_all:
        own = {"whose", *({"user"} if parse_user_name(view.get("user")) == asker.user else ())}
        return Subject(CountedBy.USER, asker.user, frozenset(own))
    if view.get("key"):
        return Subject(CountedBy.KEY, view.get("key"), frozenset({"key"}))
    if view.get("user"):
        user = parse_user_name(view.get("user")) or view.get("user")
        same = {"user", *({"whose"} if view.get("whose") == "mine" and user == asker.user else ())}
        return Subject(CountedBy.USER, user, frozenset(same))
    if view.get("whose") == "mine":
        return Subject(CountedBy.USER, asker.user, frozenset({"whose"}))
    if view.get("reason"):
        return Subject(CountedBy.REASON, view.get("reason"), frozenset({"reason"}))
    return Subject(CountedBy.ALL, None, frozenset())


def _periods(view: View, span: Span) -> list[Period]:
    chosen = "" if view.get("from") or view.get("to") else span.of(view)
    return [
        Period(
            "1 hour" if name == "1h" else words.removeprefix("Last "),
            view.to(**{"since": "" if name == span.default else name, "from": "", "to": ""}),
            name == chosen,
        )
        for name, (words, _) in SINCE.items()
    ]


def _and(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
