"""What stands around the rows of the request log: the chart of their time, and what they have most of."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latchgate.core.questions import Asked
from latchgate.core.users import parse_user_name
from latchgate.server.desk.charts import Chart, Charts, Period
from latchgate.server.desk.log_filters import SINCE, TIME_NAMES, Asker, Filter, Narrowed, Span, window_of
from latchgate.server.desk.log_list import REQUEST_LOG, LogPage
from latchgate.server.desk.reasons import reason_words
from latchgate.server.desk.views import View
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService
from latchgate.services.port_values import CountedBy, CountQuery

__all__ = ["LogOverviews", "Look", "Overview", "Top"]

_NAMES_MAX = 5
_SAMPLE_ROWS = 1000
_LINKED_LENGTH_MAX = 400


Name = tuple[str, str]
"""What stands before a name, or nothing, and the name."""


@dataclass(frozen=True, slots=True)
class TopName:
    """A name and how many requests had it."""

    words: str
    requests: int
    address: str
    """Of the rows that have it; empty if they cannot be asked for."""
    beside: str = ""
    """What tells it from others of the same words: the host of a path."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What names are of."""

    title: str
    column: str
    """Where a row has one."""
    parameter: str
    """Which filter asks for one."""
    by: CountedBy | None = None
    """Which roll-ups count them; None if none do."""
    words: Callable[[str], str] = str
    mono: bool = False
    """Whether they are read letter by letter."""
    beside: str = ""
    """What stands before a name where a row has it: the same name with another is another. A filter's name too."""


@dataclass(frozen=True, slots=True)
class Top:
    """Which names of a kind were in most requests."""

    kind: Kind
    names: Sequence[TopName]
    sampled: int = 0
    """Among how many of the newest rows they were counted; 0: among all requests of the time."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What is told of a log's rows beside themselves."""

    chart: Chart | None
    tops: Sequence[Top]


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the request log, as an address describes it."""

    call: Call
    view: View
    filters: Sequence[Filter]
    """Those that the address may name."""
    span: Span
    """What it looks at where it names no time."""
    narrowed: Narrowed
    """What its filters come to; without problems."""
    page: LogPage
    sees_all: bool
    """Whether the caller may read everybody's rows."""

    @property
    def used(self) -> list[Filter]:
        """The filters that narrow it, but for those of its time."""
        chosen = {name: value for name, value in self.view.chosen.items() if name not in TIME_NAMES}
        return [one for one in self.filters if one.name in chosen and (one.name, chosen[one.name]) != ("whose", "all")]


_USERS = Kind("Users", "user", "user", CountedBy.USER)
_KINDS = (
    Kind("Keys", "api_key", "key", CountedBy.KEY, mono=True),
    Kind("Paths", "path", "path", mono=True, beside="host"),
    Kind("Refusals", "reason", "reason", CountedBy.REASON, reason_words),
)


@dataclass(frozen=True, slots=True)
class LogOverviews:
    """Reads them: from the roll-ups what they know, the rest from the newest rows."""

    documents: DocumentService
    charts: Charts

    def read(self, look: Look) -> Overview:
        """Read what the rows have around them. Raises NotPermitted, StorageError, as the services."""
        now, view = self.charts.clock.now(), look.view
        window = window_of(view, look.span, now)
        by, name, said = _subject(view, Asker(look.call.principal.user, now), sees_all=look.sees_all)
        aside = [one.label.removesuffix(" contains").lower() for one in look.used if one.name not in said]
        chart = self.charts.read(
            look.call.actor,
            CountQuery(*window, by, name),
            periods=_periods(view, look.span),
            range_address=view.to(**dict.fromkeys(TIME_NAMES, "")),
            aside=f"The chart leaves the filter by {_and(aside)} out." if aside else "",
        )
        return Overview(chart, [top for top in self._tops(look, window) if top.names])

    def _tops(self, look: Look, window: tuple[int, int]) -> list[Top]:
        exact = look.sees_all and not look.used
        rows, more = self._sample(look)
        tops, long = [], False
        for kind in (_USERS, *_KINDS) if look.sees_all else _KINDS:
            # Where there are too many users, there are too many keys.
            counted = kind.by if exact and not (long and kind.by is CountedBy.KEY) else None
            counts = self._count(look.call, CountQuery(*window, counted)) if counted else None
            long = long or (counted is not None and counts is None)
            sampled = len(rows) if more and counts is None else 0
            names = _names(look.view, kind, _among(rows, kind) if counts is None else counts)
            tops.append(Top(kind, names, sampled))
        return tops

    def _sample(self, look: Look) -> tuple[Sequence[Mapping[str, Any]], bool]:
        """Give the newest rows of the look, and whether there are more."""
        page, later = look.page, bool(look.view.get("after"))
        if later and page.walked:
            # The newest would have to be searched anew.
            return (), False
        if not (page.more or later):
            # They are all there: to look once more would take as long as it took to find them.
            return page.rows, page.searched is not None
        asked = Asked(
            fields=[name for kind in (_USERS, *_KINDS) for name in (kind.column, kind.beside) if name],
            filters=[*look.narrowed.conditions, *page.within],
            or_filters=look.narrowed.any_of,
            order_by="time desc",
            limit=_SAMPLE_ROWS,
        )
        found = self.documents.list_rows(look.call.actor, REQUEST_LOG.doctype, asked)
        return found.documents(), found.more or bool(page.within)

    def _count(self, call: Call, query: CountQuery) -> "Counter[Name] | None":
        """Count by the roll-ups; None where there are too many of them."""
        top = self.charts.counts.top(call.actor, query, 2 * _NAMES_MAX)
        if top is None:
            return None
        # Two users of one name, of whom one is gone, or a name in two sources, are one filter.
        counts: Counter[Name] = Counter()
        for one in top:
            counts["", one.name] += one.requests
        return counts


def _among(rows: Sequence[Mapping[str, Any]], kind: Kind) -> "Counter[Name]":
    named = ((row.get(kind.beside) or "", row[kind.column]) for row in rows if row[kind.column])
    # The same path with another query is the same path.
    return Counter((beside, name.partition("?")[0] if kind.column == "path" else name) for beside, name in named)


def _names(view: View, kind: Kind, counts: "Counter[Name]") -> list[TopName]:
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_NAMES_MAX]
    return [
        TopName(kind.words(name), count, _address(view, kind, beside, name), beside) for (beside, name), count in most
    ]


def _address(view: View, kind: Kind, beside: str, name: str) -> str:
    if max(len(name), len(beside)) > _LINKED_LENGTH_MAX:
        return ""
    return view.to(**{kind.parameter: name, **({kind.beside: beside} if beside else {})})


def _subject(view: View, asker: Asker, *, sees_all: bool) -> tuple[CountedBy, str | None, frozenset[str]]:
    """Tell what the roll-ups can be asked: one user, one key or one reason, and which filters say so."""
    named = parse_user_name(view.get("user")) or view.get("user")
    mine = view.get("whose") == "mine"
    if not sees_all:
        return CountedBy.USER, asker.user, frozenset({"user"} if named == asker.user else ())
    if view.get("key"):
        return CountedBy.KEY, view.get("key"), frozenset({"key"})
    if named:
        return CountedBy.USER, named, frozenset({"user", "whose"} if mine and named == asker.user else {"user"})
    if mine:
        return CountedBy.USER, asker.user, frozenset({"whose"})
    if view.get("reason"):
        return CountedBy.REASON, view.get("reason"), frozenset({"reason"})
    return CountedBy.ALL, None, frozenset()


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
