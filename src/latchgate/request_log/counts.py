"""Reading the roll-ups: charts and tables of requests that cost the same however long the log is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Executable, Row, case, func, select

from latchgate.request_log.roll_ups import DAY, HOUR, KINDS, SPANS_OF
from latchgate.request_log.schema import log_count
from latchgate.request_log.texts import indexable
from latchgate.services.port_values import CountedBy, CountQuery, OutcomeCount, TopCount

__all__ = ["POINTS_MAX", "LogCounts"]

POINTS_MAX = 3000
"""How many points of time one question may ask for."""

_COLUMNS = log_count.c
# From here on days are counted for a table, not hours.
_LONG_SECONDS = 3 * DAY
_POINTS_AT_ONCE = 500

Read = Callable[[Executable, Mapping[str, Any] | None], Sequence[Row[Any]]]


class LogCounts:
    """Asks the table of roll-ups."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def counts(self, query: CountQuery, span_seconds: int) -> list[OutcomeCount]:
        """As the port RequestCounts says. Raises ValueError for a span that is not kept, or too many points."""
        if span_seconds not in SPANS_OF[query.by]:
            raise ValueError(f"{query.by.value} is not counted by {span_seconds} seconds")
        points = _points(query, span_seconds)
        if len(points) > POINTS_MAX:
            raise ValueError(f"{len(points)} points are more than {POINTS_MAX}")
        requests = func.sum(_COLUMNS.requests).label("requests")
        chosen = select(_COLUMNS.start, _COLUMNS.outcome, requests).group_by(_COLUMNS.start, _COLUMNS.outcome)
        found: list[OutcomeCount] = []
        for statement in _within(chosen, query, span_seconds, points):
            rows = self._read(statement.order_by(_COLUMNS.start, _COLUMNS.outcome), None)
            found += [
                OutcomeCount(row.start, row.outcome // 2, row.outcome % 2 == 1, int(row.requests)) for row in rows
            ]
        return found

    def is_short(self, query: CountQuery, rows_max: int) -> bool:
        """As the port RequestCounts says."""
        some = select(_COLUMNS.start).where(*_added_up(query)).limit(rows_max + 1).subquery()
        return int(self._read(select(func.count()).select_from(some), None)[0][0]) <= rows_max

    def top(self, query: CountQuery, limit: int) -> list[TopCount]:
        """As the port RequestCounts says."""
        requests = func.sum(_COLUMNS.requests).label("requests")
        refused = func.sum(case((_COLUMNS.outcome % 2 == 1, _COLUMNS.requests), else_=0)).label("refused")
        statement = (
            select(_COLUMNS.name, _COLUMNS.detail, requests, refused)
            .where(*_added_up(query))
            .group_by(_COLUMNS.name, _COLUMNS.detail)
            .order_by(requests.desc(), _COLUMNS.name, _COLUMNS.detail)
            .limit(limit)
        )
        return [
            TopCount(row.name, row.detail, int(row.requests), int(row.refused)) for row in self._read(statement, None)
        ]


def _added_up(query: CountQuery) -> list[ColumnElement[bool]]:
    """Say which counts the names of a time have. Raises ValueError."""
    if query.by is CountedBy.ALL:
        raise ValueError("all requests have no names")
    span = HOUR if query.until - query.since < _LONG_SECONDS else DAY
    since = query.since // span * span
    return [*_conditions(query, span), _COLUMNS.start >= since, _COLUMNS.start < query.until]


def _points(query: CountQuery, span: int) -> range:
    return range(query.since // span * span, query.until, span)


def _within(chosen: Any, query: CountQuery, span: int, points: range) -> list[Any]:  # noqa: ANN401  # a Select of any columns
    # Each point is looked up by itself where one name is asked for: between two of its rows lie those of all others.
    if query.name is None:
        return [chosen.where(*_conditions(query, span), _COLUMNS.start >= points.start, _COLUMNS.start < query.until)]
    return [
        chosen.where(*_conditions(query, span), _COLUMNS.start.in_(points[first : first + _POINTS_AT_ONCE]))
        for first in range(0, len(points), _POINTS_AT_ONCE)
    ]


def _conditions(query: CountQuery, span: int) -> list[ColumnElement[bool]]:
    wanted = [_COLUMNS.span == span, _COLUMNS.kind == KINDS[query.by]]
    if query.name is not None:
        wanted.append(_COLUMNS.name == indexable(query.name))
    if query.detail is not None:
        wanted.append(_COLUMNS.detail == query.detail)
    return wanted
