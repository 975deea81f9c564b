"""What narrows a log: the parameters of its address, as conditions for the service and as words for people.

A value that cannot be understood never widens the list: it is named, and there are no rows.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from latchgate.core.credentials import Scheme
from latchgate.core.document_types import format_time, parse_time
from latchgate.core.hosts import parse_host
from latchgate.core.users import parse_user_name
from latchgate.server.desk.operations import operation_words
from latchgate.server.desk.reasons import reason_words
from latchgate.server.desk.views import Chip, View, containing
from latchgate.server.desk.wording import Moment, middle

__all__ = [
    "ACTIVITY_FILTERS",
    "ADDRESS_LENGTH_MAX",
    "REQUEST_FILTERS",
    "SINCE",
    "STATUSES",
    "TIME_NAMES",
    "Asker",
    "Filter",
    "Narrowed",
    "Span",
    "narrow",
    "typed_time",
    "window_of",
]

ADDRESS_LENGTH_MAX = 32_768
"""Longer addresses do not arrive: no filter is left out because it is long."""
_TEXT_LENGTH_MAX = 400
_CHIP_LENGTH_MAX = 60
_STATUS = re.compile("[1-5][0-9][0-9]")
_HOUR_SECONDS, _DAY_SECONDS = 3600, 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_RIGHT = "give a date and time such as 2026-11-24 09:30"

SINCE = {
    "1h": ("Last hour", _HOUR_SECONDS),
    "24h": ("Last 24 hours", _DAY_SECONDS),
    "7d": ("Last 7 days", 7 * _DAY_SECONDS),
    "30d": ("Last 30 days", 30 * _DAY_SECONDS),
    "any": ("Any time", 0),
}
"""By the address's word: how it is told, and how many seconds back."""
STATUSES: Mapping[str, tuple[str, list[list[Any]]]] = {
    "succeeded": ("Succeeded", [["status", "<", 400]]),
    "refused": ("Refused (401, 403)", [["status", "in", [401, 403]]]),
    "client": ("Other client errors", [["status", "between", [400, 499]], ["status", "not in", [401, 403]]]),
    "failed": ("Failed (500 and above)", [["status", ">=", 500]]),
}
"""By the address's word: how it is told, and what it means."""
TIME_NAMES = ("since", "from", "to")
"""The parameters that say of which time."""
_SEARCHED = ("path", "host", "user", "api_key", "ip_address", "user_agent", "request_id")

Conditions = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and when in Unix seconds: what "mine" and "the last hour" go by."""

    user: str
    now: int


@dataclass(frozen=True, slots=True)
class Filter:
    """One parameter of a log's address."""

    name: str
    label: str
    """What its chip begins with, and a complaint about it."""
    read: Callable[[str, Asker], Conditions]
    """Gives the conditions that a value means; raises ValueError with what would be right."""
    words: Callable[[str], str] = str
    """How a value is told."""
    any_of: bool = False
    """Whether one of its conditions is enough; of one filter of a log at most."""


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a log is read where its address does not say."""

    default: str
    """One of SINCE."""

    def of(self, view: View) -> str:
        """Tell which of SINCE counts for an address; empty where it names its times itself."""
        return view.get("since") or ("" if view.get("from") or view.get("to") else self.default)

    def choices(self, view: View) -> list[tuple[str, str]]:
        """Give what can be chosen instead.

        The one that counts by itself sends nothing, so that times which are typed can take its place.
        """
        told = [(name, words) for name, (words, _) in SINCE.items()]
        if view.get("from") or view.get("to"):
            return [("", "Between the times below"), *(one for one in told if one[0] != "any")]
        return [("" if name == self.default else name, words) for name, words in told]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What an address's filters come to."""

    conditions: Conditions = field(default_factory=list)
    any_of: Conditions = field(default_factory=list)
    """Of which one must hold, if there are any."""
    chips: Sequence[Chip] = ()
    problems: Sequence[str] = ()
    """What cannot be understood; with any, there are no rows to show."""


def narrow(view: View, filters: Sequence[Filter], span: Span, asker: Asker) -> Narrowed:
    """Read the filters of an address."""
    since = span.of(view)
    chosen = {**({"since": since} if since else {}), **view.chosen}
    conditions: Conditions = []
    any_of: Conditions = []
    problems: list[str] = []
    chips: list[Chip] = []
    for one in filters:
        value = chosen.get(one.name, "")
        if not value:
            continue
        found, told, problem = _read(one, value, asker)
        problems += problem
        (any_of if one.any_of else conditions).extend(found)
        # What allows everything narrows nothing, unless it could not be understood.
        if found or problem:
            chips.append(Chip(f"{one.label}: {middle(told, _CHIP_LENGTH_MAX)}", _without(view, one.name)))
    return Narrowed(conditions, any_of, chips, problems or _late(chosen))


def window_of(view: View, span: Span, now: int) -> tuple[int, int]:
    """Tell from when until before when an address looks, in Unix seconds; its times can be read, as `narrow` found.

    From 0 on where it looks at all there is. Fractions of a second are looked at wholly.
    """
    seconds = SINCE[span.of(view)][1] if span.of(view) else 0
    starts = [now - seconds] if seconds else [0]
    starts += [parse_time(view.get("from")) // 1_000_000] if view.get("from") else []
    until = -(-parse_time(view.get("to")) // 1_000_000) if view.get("to") else now + 1
    return max(starts), min(until, now + 1)


def typed_time(text: str) -> str:
    """Write a time of the address for the field that it is typed into; empty if it is none."""
    try:
        return _moment(text).replace(tzinfo=None).isoformat(timespec="seconds")
    except ValueError:
        return ""


def _read(one: Filter, value: str, asker: Asker) -> tuple[Conditions, str, list[str]]:
    try:
        return one.read(value, asker), one.words(value), []
    except ValueError as error:
        return [], value, [f"{one.label}: {error}."]


def _without(view: View, name: str) -> str:
    """Take a filter away; the last of the times leaves all times, not those of the beginning."""
    last = name in TIME_NAMES and not any(view.get(other) for other in TIME_NAMES if other != name)
    return view.to(**{name: "", **({"since": "any"} if last else {})})


def _late(chosen: Mapping[str, str]) -> list[str]:
    start, end = chosen.get("from"), chosen.get("to")
    wrong = start and end and parse_time(start) >= parse_time(end)
    return ["Until: give a time after From."] if wrong else []


def _moment(text: str) -> datetime:
    return _EPOCH + timedelta(microseconds=parse_time(text))


def _exactly(column: str) -> Callable[[str, Asker], Conditions]:
    return lambda value, _: [[column, "=", _short(value)]]


def _containing(column: str) -> Callable[[str, Asker], Conditions]:
    def read(value: str, _: Asker) -> Conditions:
        return [containing(column, _short(value))]

    return read


def _anywhere(*columns: str) -> Callable[[str, Asker], Conditions]:
    return lambda value, _: [containing(column, _short(value)) for column in columns]


def _short(value: str) -> str:
    if len(value) > _TEXT_LENGTH_MAX:
        raise ValueError(f"give at most {_TEXT_LENGTH_MAX} characters")
    return value


def _user(value: str, _: Asker) -> Conditions:
    return [["user", "=", parse_user_name(value) or _short(value)]]


def _host(value: str, _: Asker) -> Conditions:
    return [["host", "=", parse_host(value) or _short(value)]]


def _status(value: str, _: Asker) -> Conditions:
    if value in STATUSES:
        return STATUSES[value][1]
    if _STATUS.fullmatch(value):
        return [["status", "=", int(value)]]
    raise ValueError(f"choose {_or(STATUSES)}, or give a number from 100 to 599")


def _scheme(value: str, _: Asker) -> Conditions:
    known = [one.value for one in Scheme]
    if value not in known:
        raise ValueError(f"choose {_or(known)}")
    return [["scheme", "=", value]]


def _since(value: str, asker: Asker) -> Conditions:
    if value not in SINCE:
        raise ValueError(f"choose {_or(SINCE)}")
    seconds = SINCE[value][1]
    return [["time", ">=", format_time((asker.now - seconds) * 1_000_000)]] if seconds else []


def _time(operator: str) -> Callable[[str, Asker], Conditions]:
    def read(value: str, _: Asker) -> Conditions:
        try:
            _moment(value)
        except ValueError:
            raise ValueError(_TIME_RIGHT) from None
        return [["time", operator, value]]

    return read


def _time_words(value: str) -> str:
    at = _moment(value)
    return Moment(at, at).exact


def _whose(value: str, asker: Asker) -> Conditions:
    if value not in {"mine", "all"}:
        raise ValueError("choose mine or all")
    return [["user", "=", asker.user]] if value == "mine" else []


def _or(choices: Collection[str]) -> str:
    *first, last = choices
    return f"{', '.join(first)} or {last}"


_TIMES = (
    Filter("since", "Time", _since, lambda value: SINCE[value][0].lower()),
    Filter("from", "From", _time(">="), _time_words),
    Filter("to", "Until", _time("<"), _time_words),
)
REQUEST_FILTERS = (
    Filter("search", "Contains", _anywhere(*_SEARCHED), any_of=True),
    Filter("path", "Path contains", _containing("path")),
    Filter("host", "Host", _host),
    Filter("status", "Status", _status, lambda value: STATUSES[value][0].lower() if value in STATUSES else value),
    *_TIMES,
    Filter("whose", "Requests", _whose),
    Filter("user", "User", _user),
    Filter("key", "API key", _exactly("api_key")),
    Filter("address", "Address", _exactly("ip_address")),
    Filter("method", "Method", lambda value, _: [["method", "=", _short(value).upper()]], str.upper),
    Filter("reason", "Reason", _exactly("reason"), reason_words),
    Filter("scheme", "Scheme", _scheme),
    Filter("request", "Request ID", _exactly("request_id")),
)
ACTIVITY_FILTERS = (
    Filter("search", "Contains", _anywhere("subject", "user", "ip_address"), any_of=True),
    Filter("operation", "Operation", _exactly("operation"), operation_words),
    *_TIMES,
    Filter("whose", "Activity", _whose),
    Filter("user", "User", _user),
    Filter("subject", "Subject", _exactly("subject")),
)
