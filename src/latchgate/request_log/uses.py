"""How keys are used, and who is refused, by a bounded number of the newest rows, found by an index."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Executable, Row, Select, bindparam, case, cast, func, select

from latchgate.request_log.roll_ups import HOUR, KINDS
from latchgate.request_log.schema import log_count, request_log
from latchgate.request_log.texts import indexable
from latchgate.services.log_ports import KeyUse, Refusals, RefusedBurst
from latchgate.services.port_values import CountedBy

__all__ = ["RowUses"]

_READING = ("GET", "HEAD")
_REFUSED = (401, 403, 429)
_MICROSECONDS = 1_000_000

Read = Callable[[Executable, Mapping[str, Any]], Sequence[Row[Any]]]

# The newest rows first, then which of them count: a condition more in the inner one could walk through all of a log.
_ROWS = request_log.c
_OF_KEY = (
    select(_ROWS.time, _ROWS.source, _ROWS.user, _ROWS.reason, _ROWS.method, _ROWS.ip_address)
    .where(_ROWS.api_key == bindparam("key_id"), _ROWS.time >= bindparam("since"))
    .order_by(_ROWS.time.desc(), _ROWS.id.desc())
    .limit(bindparam("rows_max"))
    .subquery()
)
_OPENED = case(
    (_OF_KEY.c.user.is_not(None) & _OF_KEY.c.reason.is_(None) & (_OF_KEY.c.source == bindparam("source")), 1),
    else_=0,
)
_READS = case((_OF_KEY.c.method.in_(_READING), _OPENED), else_=0)
_KEY_USES = (
    select(
        _OF_KEY.c.ip_address,
        func.count().label("rows"),
        func.min(_OF_KEY.c.time).label("oldest"),
        func.sum(_OPENED).label("opened"),
        func.sum(_READS).label("reads"),
    )
    .group_by(_OF_KEY.c.ip_address)
    .order_by(func.sum(_OPENED).desc(), _OF_KEY.c.ip_address)
)

_LAST_SEEN = (
    select(_ROWS.time)
    .where(_ROWS.user == bindparam("user"))
    .order_by(_ROWS.time.desc(), _ROWS.id.desc())
    .limit(bindparam("rows_max"))
)

_NEWEST = (
    select(_ROWS.time, _ROWS.status, _ROWS.ip_address, _ROWS.requests)
    .where(_ROWS.time >= bindparam("since"))
    .order_by(_ROWS.time.desc(), _ROWS.id.desc())
    .limit(bindparam("rows_max"))
    .subquery()
)
_COUNTED = func.sum(_NEWEST.c.requests).label("requests")
_ADDRESSES = (
    select(
        _NEWEST.c.ip_address.label("name"),
        func.sum(case((_NEWEST.c.time >= bindparam("recent"), _NEWEST.c.requests), else_=0)).label("recently"),
        _COUNTED,
    )
    .where(_NEWEST.c.status.in_(_REFUSED))
    .group_by(_NEWEST.c.ip_address)
    .order_by(_COUNTED.desc(), _NEWEST.c.ip_address)
    .limit(bindparam("wanted"))
)
_HOW_MANY = select(func.count()).select_from(_NEWEST)

_COUNTS = log_count.c
_SUM = func.sum(_COUNTS.requests).label("requests")
_KEYS = (
    select(
        _COUNTS.name,
        _COUNTS.detail,
        func.sum(case((_COUNTS.start >= bindparam("recent"), _COUNTS.requests), else_=0)).label("recently"),
        _SUM,
    )
    .where(_COUNTS.span == HOUR, _COUNTS.kind == KINDS[CountedBy.KEY], _COUNTS.start >= bindparam("since"))
    # Refused, with a status of 4xx: of a failing database no key is to blame.
    .where(_COUNTS.outcome == cast(4 * 2 + 1, BigInteger))
    .group_by(_COUNTS.name, _COUNTS.detail)
    .order_by(_SUM.desc(), _COUNTS.name, _COUNTS.detail)
    .limit(bindparam("wanted"))
)


class RowUses:
    """Fulfils the port LogUses on a database that has all rows."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def key_uses(
        self, keys: Sequence[tuple[str, str]], since_us: int, rows_max: int
    ) -> Mapping[tuple[str, str], KeyUse]:
        """As the port says."""
        return {key: self._key_use(key, since_us, rows_max) for key in keys}

    def last_seen(self, users: Sequence[str]) -> Mapping[str, int]:
        """As the port says."""
        # One look-up each: the highest of a group would be had by going through all rows of all of them.
        found = {user: self._read(_LAST_SEEN, {"user": indexable(user), "rows_max": 1}) for user in users}
        return {user: rows[0].time for user, rows in found.items() if rows}

    def refusals(self, recent_us: int, since_us: int, rows_max: int, limit: int) -> Refusals:
        """As the port says."""
        newest = {"since": since_us, "rows_max": rows_max}
        rows = self._read(_HOW_MANY, newest)[0][0]
        addresses = self._bursts(_ADDRESSES, {**newest, "recent": recent_us, "wanted": limit})
        hours = {"recent": _hour(recent_us), "since": _hour(since_us), "wanted": limit}
        return Refusals(addresses, self._bursts(_KEYS, hours), rows < rows_max)

    def _key_use(self, key: tuple[str, str], since_us: int, rows_max: int) -> KeyUse:
        source, key_id = key
        values = {"key_id": indexable(key_id), "source": source, "since": since_us, "rows_max": rows_max}
        rows = self._read(_KEY_USES, values)
        opened = [row for row in rows if row.opened]
        return KeyUse(
            requests=sum(int(row.opened) for row in opened),
            reads=sum(int(row.reads) for row in opened),
            addresses=tuple(row.ip_address for row in opened),
            since=min((row.oldest for row in rows), default=since_us),
            whole=sum(row.rows for row in rows) < rows_max,
        )

    def _bursts(self, statement: Select[Any], values: Mapping[str, Any]) -> list[RefusedBurst]:
        return [
            RefusedBurst(row.name, getattr(row, "detail", ""), int(row.recently), int(row.requests))
            for row in self._read(statement, values)
        ]


def _hour(time_us: int) -> int:
    return time_us // _MICROSECONDS // HOUR * HOUR
