"""What a batch of rows adds to the roll-ups and to the last uses: each row is looked at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.core.credentials import Scheme
from latchgate.core.log_entries import former_use_name, use_name
from latchgate.request_log.rows import Row
from latchgate.request_log.texts import indexable
from latchgate.services.port_values import CountedBy

__all__ = ["DAY", "HOUR", "KINDS", "MINUTE", "SPANS_OF", "RollUps", "outcome_of", "roll_up"]

MINUTE, HOUR, DAY = 60, 3600, 86_400
KINDS = {CountedBy.ALL: 0, CountedBy.USER: 1, CountedBy.KEY: 2, CountedBy.REASON: 3}
"""How the table names what is counted."""
# By minute only what is few however many users and keys there are. Strangers add to ALL and REASON alone: a user is
# named by a row only if the secret was right, a key only if there is such a one.
SPANS_OF = {
    CountedBy.ALL: (MINUTE, HOUR, DAY),
    CountedBy.USER: (HOUR, DAY),
    CountedBy.KEY: (HOUR, DAY),
    CountedBy.REASON: (MINUTE, HOUR, DAY),
}
# Tokens and sessions come and go by the thousand; their requests are counted as their user's alone.
_KEY_SCHEMES = frozenset({Scheme.TOKEN.value, Scheme.BASIC.value, Scheme.CLIENT.value})
_MINUTE_US = 60_000_000
_ALL, _USER, _KEY, _REASON = (
    (KINDS[by], SPANS_OF[by]) for by in (CountedBy.ALL, CountedBy.USER, CountedBy.KEY, CountedBy.REASON)
)


@dataclass(frozen=True, slots=True)
class RollUps:
    """What is to be added: requests by (span, kind, start, name, detail, outcome), and last uses by credential."""

    counts: Mapping[tuple[int, int, int, str, str, int], int]
    uses: Mapping[str, tuple[int, str]]
    """Time in microseconds and address."""


def outcome_of(status: int, reason: str | None) -> int:
    """Tell an outcome as one number: twice the class of the status, and one more if the request was refused."""
    return status // 100 * 2 + (reason is not None)


def roll_up(rows: Iterable[Row]) -> RollUps:
    """Count a batch of rows."""
    # Many rows are alike in all that is counted: these are put together first, and taken apart by span and kind after.
    alike: dict[tuple[Any, ...], list[Any]] = {}
    find = alike.get
    for row in rows:
        time, _, user, user_id, api_key, scheme, source, former, _, _, _, status, _, address, _, reason, requests = row
        what = (time // _MINUTE_US, user, user_id, api_key, scheme, source, former, status, reason)
        seen = find(what)
        if seen is None:
            alike[what] = [requests, time, address]
        else:
            seen[0] += requests
            # Requests end in another order than they came in.
            if time >= seen[1]:
                seen[1] = time
                seen[2] = address
    counts: dict[tuple[int, int, int, str, str, int], int] = {}
    uses: dict[str, tuple[int, str]] = {}
    for what, (requests, time, address) in alike.items():
        minute, user, user_id, api_key, scheme, source, former, status, reason = what
        outcome = outcome_of(status, reason)
        for by, name, detail in _counted(user, user_id, api_key, scheme, source, reason):
            kind, spans = by
            for span in spans:
                place = (span, kind, minute * MINUTE // span * span, name, detail, outcome)
                counts[place] = counts.get(place, 0) + requests
        if reason is None and user is not None and api_key is not None:
            _note_uses(uses, _used(source, api_key, former), (time, address))
    return RollUps(counts, uses)


def _note_uses(uses: dict[str, tuple[int, str]], names: Iterable[str], use: tuple[int, str]) -> None:
    for name in names:
        uses[name] = max(uses.get(name, use), use, key=lambda one: one[0])


def _used(source: str | None, api_key: str, former: int | None) -> list[str]:
    """Name what was used: a credential, and where it came with a key's former secret, that too."""
    names = [use_name(source, api_key)]
    if former is not None:
        names.append(former_use_name(source, api_key, former))
    return [indexable(name) for name in names]


def _counted(  # the fields of a row that are counted by
    user: str | None,
    user_id: int | None,
    api_key: str | None,
    scheme: str | None,
    source: str | None,
    reason: str | None,
) -> Iterable[tuple[tuple[int, tuple[int, ...]], str, str]]:
    yield _ALL, "", ""
    if user is not None:
        yield _USER, user, "" if user_id is None else str(user_id)
    if api_key is not None and scheme in _KEY_SCHEMES:
        yield _KEY, api_key, source or ""
    if reason is not None:
        yield _REASON, reason, ""
