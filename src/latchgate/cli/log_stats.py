"""What `latchgate log stats` tells: requests by outcome, the busiest names, and how the log itself stands."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from latchgate.cli.output import print_line
from latchgate.core.log_entries import PATH_LENGTH_MAX, escape

if TYPE_CHECKING:
    from latchgate.services.log_ports import RequestCounts
    from latchgate.services.port_values import CountedBy

__all__ = ["print_stats", "read_stats"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_US = 1_000_000


def read_stats(
    log: "RequestCounts", times: tuple[int, int], whose: "tuple[CountedBy, str | None]", top: int
) -> dict[str, Any]:
    """Read all of it, as the JSON document that it is.

    Args:
        log: The roll-ups.
        times: From when, and before when, in Unix seconds.
        whose: One user's or key's, or everybody's.
        top: How many names at most.

    Raises:
        StorageError: The log's database cannot be read, or lacks rows.
    """
    from latchgate.services.port_values import CountedBy, CountQuery

    by, name = whose
    state = log.state()
    outcomes: Counter[tuple[int, bool]] = Counter()
    for one in log.counts(CountQuery(*times, by, name), _span(times, by)):
        outcomes[one.status_class, one.refused] += one.requests
    tables = [] if name is not None else [CountedBy.USER, CountedBy.KEY, CountedBy.REASON]
    return {
        "since": times[0],
        "until": times[1],
        by.value: name,
        "outcomes": [
            {"status": status_class, "refused": refused, "requests": requests}
            for (status_class, refused), requests in sorted(outcomes.items())
        ],
        "top": {
            kind.value: [asdict(one) for one in log.top(CountQuery(*times, kind), top)] if top else []
            for kind in tables
        },
        "log": {**asdict(state), "unreadable": dict(state.unreadable)},
    }


def print_stats(found: dict[str, Any]) -> None:
    """Print it for people."""
    print_line(f"Requests from {_moment(found['since'])} to {_moment(found['until'])}")
    rows = [(_outcome(one), f"{one['requests']:,}") for one in found["outcomes"]]
    _print_rows([*rows, ("all", f"{sum(one['requests'] for one in found['outcomes']):,}")])
    for kind, names in found["top"].items():
        if names:
            print_line(f"\nBy {kind}")
            _print_rows([(_name(one), f"{one['requests']:,}", _refused(one)) for one in names])
    print_line("\nThe log itself")
    state = found["log"]
    _print_rows(
        [
            ("rows waiting in segments", f"{state['pending']:,}"),
            ("segments", f"{state['segments']:,}"),
            ("rows lost", f"{state['lost']:,}" + _lost_at(state)),
            ("oldest row", "-" if state["oldest"] is None else _moment(state["oldest"] // _US)),
            *((f"cannot be read: {name}", reason) for name, reason in state["unreadable"].items()),
        ]
    )


def _span(times: tuple[int, int], by: "CountedBy") -> int:
    from latchgate.services.port_values import CountedBy

    seconds = times[1] - times[0]
    if seconds > 30 * _DAY:
        return _DAY
    return _MINUTE if by is CountedBy.ALL and seconds <= _DAY + 1 else _HOUR


def _outcome(one: dict[str, Any]) -> str:
    status = f"{one['status']}xx" if one["status"] else "not answered one by one"
    return f"{status}, refused" if one["refused"] else status


def _name(one: dict[str, Any]) -> str:
    name = one["name"]
    return name if name.isprintable() else escape(name, PATH_LENGTH_MAX)


def _refused(one: dict[str, Any]) -> str:
    return f"{one['refused']:,} refused" if one["refused"] else ""


def _lost_at(state: dict[str, Any]) -> str:
    return (
        "" if state["lost_at"] is None else f" ({state['damaged_bytes']:,} bytes; {_moment(state['lost_at'] // _US)})"
    )


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _print_rows(rows: list[tuple[str, ...]]) -> None:
    names, numbers = (max(len(row[place]) for row in rows) for place in (0, 1))
    for name, number, *rest in rows:
        print_line(f"  {name:<{names}}  {number:>{numbers}}  {' '.join(rest)}".rstrip())
