"""What deserves a look among API keys: those that end soon, that nobody uses, or that allow more than they use."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import Any

from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.questions import ROWS_MAX, Asked
from latchgate.core.scopes import ALL
from latchgate.errors import StorageError
from latchgate.services.actors import Actor
from latchgate.services.documents import DocumentService
from latchgate.services.key_moments import (
    DAY_US,
    DAYS_SEEN,
    DAYS_SOON,
    DAYS_UNTRIED,
    Finding,
    Moments,
    time_text,
)
from latchgate.services.log_ports import KeyUse, LogUses
from latchgate.services.ports import Clock

__all__ = [
    "DAYS_SEEN",
    "DAYS_SOON",
    "DAYS_UNTRIED",
    "KEYS_JUDGED_MAX",
    "Excess",
    "Finding",
    "FoundKeys",
    "JudgedKey",
    "KeyCounts",
    "KeyFindings",
    "State",
    "excess_of",
    "may_change",
]

KEYS_JUDGED_MAX = 100
"""Of so many keys, those used last, one question finds out whether they allow more than they use."""

_ROWS_JUDGED_MAX, _ROWS_COUNTED_MAX = 300, 2_000
_LOG = "API Request Log"
# What tells all findings but WIDE, and what tells that: the first of each of thousands of keys, the second of few.
_PLAIN_FIELDS = ["name", "source", "expires", "revoked", "creation", "last_used"]
_WIDE_FIELDS = [*_PLAIN_FIELDS, "user", "scopes", "allowed_networks"]
_READ_AT_ONCE = 500
_CHANGING = tuple(f":{action}" for action in Action if action is not Action.READ)


KeyName = tuple[str, str]
"""A key's source and id."""


class State(StrEnum):
    """Whether a key has ended for good."""

    LIVE = "live"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Excess:
    """What a key allows, and was not used for."""

    use: KeyUse
    changes: bool
    """Whether it may change records, and only asked."""
    elsewhere: bool
    """Whether it may be used from anywhere, and came from one address."""


@dataclass(frozen=True, slots=True)
class JudgedKey:
    """An API Key's fields, and what was found about it."""

    values: Mapping[str, Any]
    findings: frozenset[Finding] = frozenset()
    excess: Excess | None = None
    """Where WIDE is among the findings."""


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """A page of a list of keys."""

    keys: list[JudgedKey] = field(default_factory=list)
    total: int = 0
    whole: bool = True
    """Whether all keys were looked at, not only so many as can be at once."""


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """Of how many keys each is found."""

    counts: Mapping[Finding, int]
    read_all: bool
    """Whether all keys were read, not the newest ROWS_MAX alone."""
    judged_all: bool
    """Whether all that may be WIDE were judged, not the KEYS_JUDGED_MAX used last alone."""


class KeyFindings:
    """Judges keys that an actor may read, by what of the request log they may read."""

    def __init__(self, documents: DocumentService, log: LogUses, clock: Clock) -> None:
        self._documents = documents
        self._log = log
        self._clock = clock

    def list_page(self, actor: Actor, asked: Asked, state: State | None, finding: Finding | None) -> FoundKeys:
        """Give a page of keys, each judged.

        Args:
            actor: Who asks.
            asked: Filters, order and page; its filters and limit must be given.
            state: Those of one state alone.
            finding: Those alone of which this is found; none of those has ended.

        Raises:
            NotPermitted, Invalid: As DocumentService.list_rows.
        """
        asked = self._narrowed(asked, state, finding)
        if not self._needs_python(asked, state, finding):
            page = self._documents.list_whole(actor, API_KEY.name, asked)
            start = int(str(asked.start or 0))
            total = page.total(start, lambda: self._documents.count(actor, API_KEY.name, asked))
            return FoundKeys(self.judge(actor, page.documents()), total)
        every = replace(asked, fields=_PLAIN_FIELDS, start=0, limit=ROWS_MAX)
        page = self._documents.list_rows(actor, API_KEY.name, every)
        picked, whole = self._pick(actor, page.documents(), state, finding)
        start, limit = int(str(asked.start or 0)), int(str(asked.limit))
        shown = self._read(actor, picked[start : start + limit], None)
        return FoundKeys(self.judge(actor, shown), len(picked), whole and not page.more)

    def judge(self, actor: Actor, keys: Sequence[Mapping[str, Any]]) -> list[JudgedKey]:
        """Judge keys, as records of the type API Key give them; few, since the log is asked for each."""
        moments = Moments.of(self._clock.now_us())
        plain = [JudgedKey(key, moments.find(key)) for key in keys]
        may_read = self._row_reader(actor)
        candidates = [key for key in keys if may_read(key) and moments.in_use(key) and _allows_more(key)]
        try:
            wide = self._find_wide(candidates)
        except StorageError:
            # Keys must be there to be ended while the log's database lacks rows.
            return plain
        return [_judged(key, wide.get(_name_of(key.values))) for key in plain]

    def count(self, actor: Actor) -> KeyCounts:
        """Count what is found among the keys that an actor may read. Raises NotPermitted, StorageError."""
        live = [["revoked", "is", "not set"]]
        asked = Asked(fields=_PLAIN_FIELDS, filters=live, order_by="creation desc", limit=ROWS_MAX)
        page = self._documents.list_rows(actor, API_KEY.name, asked)
        keys, moments = page.documents(), Moments.of(self._clock.now_us())
        found = Counter(chain.from_iterable(map(moments.find, keys)))
        wide, whole = self._judge_used(actor, keys, moments)
        counts = {finding: found[finding] for finding in Finding} | {Finding.WIDE: len(wide)}
        return KeyCounts(counts, read_all=not page.more, judged_all=whole)

    def uses_of_a_day(self, actor: Actor, keys: Sequence[Mapping[str, Any]]) -> Mapping[tuple[str, str], KeyUse]:
        """Tell how those of these keys were used within a day whose rows the actor may read; at most their newest."""
        names = [_name_of(key) for key in filter(self._row_reader(actor), keys)]
        try:
            return self._log.key_uses(names, self._clock.now_us() - DAY_US, _ROWS_COUNTED_MAX)
        except StorageError:
            # As above; then it is told when each was last used.
            return {}

    def _narrowed(self, asked: Asked, state: State | None, finding: Finding | None) -> Asked:
        now_us = self._clock.now_us()
        filters: list[Any] = list(asked.filters) if isinstance(asked.filters, list) else []
        if state is State.LIVE or finding:
            filters.append(["revoked", "is", "not set"])
        if finding is Finding.EXPIRES_SOON:
            soon = [time_text(now_us), time_text(now_us + DAYS_SOON * DAY_US)]
            filters.append(["expires", "between", soon])
        if asked.or_filters or not state:
            return replace(asked, filters=filters)
        if state is State.LIVE:
            alternatives = [["expires", "is", "not set"], ["expires", ">", time_text(now_us)]]
        else:
            alternatives = [["revoked", "is", "set"], ["expires", "<=", time_text(now_us)]]
        return replace(asked, filters=filters, or_filters=alternatives)

    def _needs_python(self, asked: Asked, state: State | None, finding: Finding | None) -> bool:
        """Whether keys are picked after they were read; else the database has picked them."""
        searched = isinstance(asked.or_filters, list) and state is not None and asked.or_filters[0][0] == "name"
        return searched or finding not in (None, Finding.EXPIRES_SOON)

    def _pick(
        self, actor: Actor, keys: list[dict[str, Any]], state: State | None, finding: Finding | None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Give those of a state of which something is found, and whether all were judged."""
        moments = Moments.of(self._clock.now_us())
        of_state = [key for key in keys if state is None or moments.ended(key) == (state is State.ENDED)]
        if finding is None:
            return of_state, True
        if finding is not Finding.WIDE:
            return [key for key in of_state if finding in moments.find(key)], True
        wide, whole = self._judge_used(actor, of_state, moments)
        return [key for key in of_state if _name_of(key) in wide], whole

    def _judge_used(
        self, actor: Actor, keys: Sequence[Mapping[str, Any]], moments: Moments
    ) -> tuple[Mapping[KeyName, Excess], bool]:
        """Find what allows more than it uses, among the KEYS_JUDGED_MAX used last; tell whether these were all."""
        used = sorted(filter(moments.in_use, keys), key=lambda key: key["last_used"], reverse=True)
        may_read = self._row_reader(actor)
        candidates: list[dict[str, Any]] = []
        for first in range(0, len(used), _READ_AT_ONCE):
            read = self._read(actor, used[first : first + _READ_AT_ONCE], _WIDE_FIELDS)
            candidates += [key for key in read if may_read(key) and _allows_more(key)]
            if len(candidates) > KEYS_JUDGED_MAX:
                break
        return self._find_wide(candidates[:KEYS_JUDGED_MAX]), len(candidates) <= KEYS_JUDGED_MAX

    def _read(self, actor: Actor, keys: Sequence[Mapping[str, Any]], fields: list[str] | None) -> list[dict[str, Any]]:
        """Read more of keys that were found, in their order: these fields, or all."""
        if not keys:
            return []
        # Several sources may have a key of one id.
        asked = Asked(fields=fields, filters=[["name", "in", [key["name"] for key in keys]]], limit=ROWS_MAX)
        read = self._documents.list_rows if fields else self._documents.list_whole
        found = {_name_of(key): key for key in read(actor, API_KEY.name, asked).documents()}
        return [found[_name_of(key)] for key in keys if _name_of(key) in found]

    def _row_reader(self, actor: Actor) -> Callable[[Mapping[str, Any]], bool]:
        """Give what tells whether the actor may read the rows of a key."""
        sees_all = _LOG in self._documents.list_readable(actor, [_LOG])
        own = sees_all or self._documents.may(actor, _LOG, Action.READ, None)
        return lambda key: sees_all or (own and key["user"] == actor.user)

    def _find_wide(self, candidates: Sequence[Mapping[str, Any]]) -> Mapping[KeyName, Excess]:
        """Tell of those that allow more than they were used for, what."""
        if not candidates:
            return {}
        since_us = self._clock.now_us() - DAYS_SEEN * DAY_US
        uses = self._log.key_uses([_name_of(key) for key in candidates], since_us, _ROWS_JUDGED_MAX)
        found = {_name_of(key): excess_of(key, uses[_name_of(key)]) for key in candidates}
        return {name: excess for name, excess in found.items() if excess}


def excess_of(key: Mapping[str, Any], use: KeyUse) -> Excess | None:
    """Tell what a key allows beyond a use of it; None where it allows no more, or was not used at all."""
    changes = may_change(key["scopes"]) and use.reads == use.requests
    elsewhere = not key["allowed_networks"] and len(use.addresses) == 1
    return Excess(use, changes, elsewhere) if use.requests and (changes or elsewhere) else None


def may_change(scopes: Sequence[str]) -> bool:
    """Whether scopes let a key change any record; what free names open elsewhere, nobody here knows."""
    return any(scope == ALL or scope.endswith(_CHANGING) for scope in scopes)


def _allows_more(key: Mapping[str, Any]) -> bool:
    """Whether there is anything that a key may allow beyond its use."""
    return may_change(key["scopes"]) or not key["allowed_networks"]


def _judged(key: JudgedKey, excess: Excess | None) -> JudgedKey:
    return replace(key, findings=key.findings | {Finding.WIDE}, excess=excess) if excess else key


def _name_of(key: Mapping[str, Any]) -> KeyName:
    return key["source"], key["name"]
