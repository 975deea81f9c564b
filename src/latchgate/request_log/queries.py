"""What a LogQuery means: to the database, and to a row that is already in hand."""

from sqlalchemy import ColumnElement, func

from latchgate.core.log_entries import LogEntry
from latchgate.request_log.schema import request_log
from latchgate.request_log.texts import indexable, storable
from latchgate.services.port_values import LogQuery

__all__ = ["conditions", "matches"]

_COLUMNS = request_log.c


def conditions(query: LogQuery) -> list[ColumnElement[bool]]:
    """Say the query in SQL, the same for both engines."""
    wanted: list[ColumnElement[bool]] = []
    if query.user is not None:
        wanted.append(_COLUMNS.user == indexable(query.user))
    if query.api_key is not None:
        wanted.append(_COLUMNS.api_key == indexable(query.api_key))
    if query.path:
        # Not LIKE: on SQLite that takes /A for /a.
        prefix = storable(query.path)
        wanted.append(func.substr(_COLUMNS.path, 1, len(prefix)) == prefix)
    if query.host is not None:
        wanted.append(_COLUMNS.host == storable(query.host))
    if query.status is not None:
        wanted.append(_COLUMNS.status == query.status)
    if query.since is not None:
        wanted.append(_COLUMNS.time >= query.since)
    if query.until is not None:
        wanted.append(_COLUMNS.time < query.until)
    return wanted


def matches(query: LogQuery, entry: LogEntry) -> bool:
    """Whether a row is among those that the query asks for, its limit aside."""
    return (
        (query.user is None or entry.user == query.user)
        and (query.api_key is None or entry.api_key == query.api_key)
        and entry.path.startswith(query.path or "")
        and (query.host is None or entry.host == query.host)
        and (query.status is None or entry.status == query.status)
        and (query.since is None or entry.time >= query.since)
        and (query.until is None or entry.time < query.until)
    )
