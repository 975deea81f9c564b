"""What deserves a look among API keys: those that end soon, that nobody uses, or that allow more than they use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from latchgate.core.document_types import format_time
from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.questions import ROWS_MAX, Asked
from latchgate.core.scopes import ALL
from latchgate.errors import StorageError
from latchgate.services.actors import Actor
from latchgate.services.documents import DocumentService
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

DAYS_SOON, DAYS_UNTRIED, DAYS_SEEN = 14, 7, 90
"""Within how many days an end is soon; how old a key is before anything is expected of it; how far back uses count."""
KEYS_JUDGED_MAX = 100
"""Of so many keys, those used last, one question finds out whether they allow more than they use."""

_ROWS_JUDGED_MAX, _ROWS_COUNTED_MAX = 300, 2_000
_DAY_US = 86_400_000_000
_LOG = "API Request Log"
_ENDED = frozenset({"revoked", "expired"})
_JUDGED_FIELDS = [
    *("name", "source", "user", "status", "scopes", "allowed_networks", "expires", "creation", "last_used"),
]
_CHANGING = tuple(f":{action}" for action in Action if action is not Action.READ)


class Finding(StrEnum):
    """Why a key deserves a look; the words stand in addresses."""

    EXPIRES_SOON = "expires-soon"
    NEVER_USED = "never-used"
    UNUSED = "unused"
    WIDE = "wide"
    """It allows more than it is used for."""


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
        judge = self._by_python(state, asked, finding)
        if judge is None:
            page = self._documents.list_whole(actor, API_KEY.name, asked)
            total = self._documents.count(actor, API_KEY.name, asked)
            return FoundKeys(self.judge(actor, page.documents()), total)
        every = replace(asked, start=0, limit=ROWS_MAX)
        page = self._documents.list_whole(actor, API_KEY.name, every)
        kept, whole = judge(actor, page.documents())
        start, limit = int(str(asked.start or 0)), int(str(asked.limit))
        shown = [key.values for key in kept[start : start + limit]]
        return FoundKeys(self.judge(actor, shown), len(kept), whole and not page.more)

    def judge(self, actor: Actor, keys: Sequence[Mapping[str, Any]]) -> list[JudgedKey]:
        """Judge keys, as records of the type API Key give them; few, since the log is asked for each."""
        plain = [JudgedKey(key, self._plain(key)) for key in keys]
        try:
            return self._with_excess(plain, self._candidates(actor, plain))
        except StorageError:
            # Keys must be there to be ended while the log's database lacks rows.
            return plain

    def count(self, actor: Actor) -> KeyCounts:
        """Count what is found among the keys that an actor may read. Raises NotPermitted, StorageError."""
        live = [["revoked", "is", "not set"]]
        asked = Asked(fields=_JUDGED_FIELDS, filters=live, order_by="creation desc", limit=ROWS_MAX)
        page = self._documents.list_rows(actor, API_KEY.name, asked)
        judged, whole = self._judge_all(actor, page.documents())
        counts = {finding: sum(finding in key.findings for key in judged) for finding in Finding}
        return KeyCounts(counts, read_all=not page.more, judged_all=whole)

    def uses_of_a_day(self, actor: Actor, keys: Sequence[Mapping[str, Any]]) -> Mapping[tuple[str, str], KeyUse]:
        """Tell how those of these keys were used within a day whose rows the actor may read; at most their newest."""
        names = [(key["source"], key["name"]) for key in filter(self._row_reader(actor), keys)]
        try:
            return self._log.key_uses(names, self._clock.now_us() - _DAY_US, _ROWS_COUNTED_MAX)
        except StorageError:
            # As above; then it is told when each was last used.
            return {}

    def _narrowed(self, asked: Asked, state: State | None, finding: Finding | None) -> Asked:
        now_us = self._clock.now_us()
        filters: list[Any] = list(asked.filters) if isinstance(asked.filters, list) else []
        if state is State.LIVE or finding:
            filters.append(["revoked", "is", "not set"])
        if finding is Finding.EXPIRES_SOON:
            soon = [_text(now_us), _text(now_us + DAYS_SOON * _DAY_US)]
            filters.append(["expires", "between", soon])
        if asked.or_filters or not state:
            return replace(asked, filters=filters)
        if state is State.LIVE:
            alternatives = [["expires", "is", "not set"], ["expires", ">", _text(now_us)]]
        else:
            alternatives = [["revoked", "is", "set"], ["expires", "<=", _text(now_us)]]
        return replace(asked, filters=filters, or_filters=alternatives)

    def _by_python(
        self, state: State | None, asked: Asked, finding: Finding | None
    ) -> Callable[[Actor, list[dict[str, Any]]], tuple[list[JudgedKey], bool]] | None:
        """Give what picks keys after they were read; None where the database has picked them."""
        searched = isinstance(asked.or_filters, list) and state is not None and asked.or_filters[0][0] == "name"
        if finding in (None, Finding.EXPIRES_SOON) and not searched:
            return None

        def pick(actor: Actor, keys: list[dict[str, Any]]) -> tuple[list[JudgedKey], bool]:
            of_state = [key for key in keys if state is None or (key["status"] in _ENDED) == (state is State.ENDED)]
            if finding is None:
                return [JudgedKey(key, self._plain(key)) for key in of_state], True
            judged, whole = self._judge_all(actor, of_state, wide=finding is Finding.WIDE)
            return [key for key in judged if finding in key.findings], whole

        return pick

    def _judge_all(
        self, actor: Actor, keys: list[dict[str, Any]], *, wide: bool = True
    ) -> tuple[list[JudgedKey], bool]:
        plain = [JudgedKey(key, self._plain(key)) for key in keys]
        candidates = self._candidates(actor, plain) if wide else []
        candidates.sort(key=lambda key: key.values["last_used"], reverse=True)
        judged = self._with_excess(plain, candidates[:KEYS_JUDGED_MAX])
        return judged, len(candidates) <= KEYS_JUDGED_MAX

    def _plain(self, key: Mapping[str, Any]) -> frozenset[Finding]:
        """Find what a key's own record tells."""
        if key["status"] in _ENDED:
            return frozenset()
        found = set()
        if key["expires"] and key["expires"] <= self._time(-DAYS_SOON):
            found.add(Finding.EXPIRES_SOON)
        if not key["last_used"] and key["creation"] < self._time(DAYS_UNTRIED):
            found.add(Finding.NEVER_USED)
        if key["last_used"] and key["last_used"] < self._time(DAYS_SEEN):
            found.add(Finding.UNUSED)
        return frozenset(found)

    def _candidates(self, actor: Actor, keys: Sequence[JudgedKey]) -> list[JudgedKey]:
        """Give the keys that may allow more than they use, of those whose rows the actor may read."""
        may_read = self._row_reader(actor)
        return [
            key
            for key in keys
            if may_read(key.values)
            and key.values["status"] not in _ENDED
            and key.values["creation"] < self._time(DAYS_UNTRIED)
            and (key.values["last_used"] or "") >= self._time(DAYS_SEEN)
            and (may_change(key.values["scopes"]) or not key.values["allowed_networks"])
        ]

    def _row_reader(self, actor: Actor) -> Callable[[Mapping[str, Any]], bool]:
        """Give what tells whether the actor may read the rows of a key."""
        sees_all = _LOG in self._documents.list_readable(actor, [_LOG])
        own = sees_all or self._documents.may(actor, _LOG, Action.READ, None)
        return lambda key: sees_all or (own and key["user"] == actor.user)

    def _with_excess(self, keys: list[JudgedKey], candidates: Sequence[JudgedKey]) -> list[JudgedKey]:
        if not candidates:
            return keys
        since_us = self._clock.now_us() - DAYS_SEEN * _DAY_US
        uses = self._log.key_uses([_name_of(key) for key in candidates], since_us, _ROWS_JUDGED_MAX)
        return [_judged(key, uses.get(_name_of(key))) for key in keys]

    def _time(self, days_ago: int) -> str:
        return _text(self._clock.now_us() - days_ago * _DAY_US)


def excess_of(key: Mapping[str, Any], use: KeyUse) -> Excess | None:
    """Tell what a key allows beyond a use of it; None where it allows no more, or was not used at all."""
    changes = may_change(key["scopes"]) and use.reads == use.requests
    elsewhere = not key["allowed_networks"] and len(use.addresses) == 1
    return Excess(use, changes, elsewhere) if use.requests and (changes or elsewhere) else None


def may_change(scopes: Sequence[str]) -> bool:
    """Whether scopes let a key change any record; what free names open elsewhere, nobody here knows."""
    return any(scope == ALL or scope.endswith(_CHANGING) for scope in scopes)


def _judged(key: JudgedKey, use: KeyUse | None) -> JudgedKey:
    excess = excess_of(key.values, use) if use else None
    return replace(key, findings=key.findings | {Finding.WIDE}, excess=excess) if excess else key


def _text(time_us: int) -> str:
    return format_time(time_us) or ""


def _name_of(key: JudgedKey) -> tuple[str, str]:
    return key.values["source"], key.values["name"]
