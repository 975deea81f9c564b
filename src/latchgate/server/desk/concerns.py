"""What needs attention, for the first page of the desk: each part of the house adds what it finds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from latchgate.core.documents import API_KEY, USER
from latchgate.core.permissions import Action
from latchgate.core.questions import ROWS_MAX
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import StorageError
from latchgate.server.desk.log_list import REQUEST_LOG
from latchgate.server.desk.navigation import KEYS
from latchgate.server.desk.views import View
from latchgate.server.desk.wording import middle
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService
from latchgate.services.key_findings import (
    DAYS_SEEN,
    DAYS_SOON,
    DAYS_UNTRIED,
    KEYS_JUDGED_MAX,
    Finding,
    KeyCounts,
    KeyFindings,
)
from latchgate.services.log_ports import RefusedBurst
from latchgate.services.ports import Store
from latchgate.services.refusals import MANY_AN_HOUR, ROWS_LOOKED_AT, RefusalService
from latchgate.services.second_factors import count_managers_without_second_factor

__all__ = ["Concern", "Concerns", "FactorConcerns", "KeyConcerns", "RefusalConcerns", "list_concerns"]

_UNREADABLE = "The request log cannot be read now, so that not everything could be looked at."


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that somebody should look at."""

    sentence: str
    address: str
    """Where it is shown, of all that it counts."""
    aside: str = ""
    """What the sentence leaves out of account."""


class Concerns(Protocol):
    """A part of the house that looks after something."""

    def find(self, call: Call) -> Iterable[Concern]:
        """Tell what its caller should look at, of what they may see; the gravest first. Raises StorageError."""


def list_concerns(call: Call, parts: Sequence[Concerns]) -> tuple[list[Concern], str]:
    """Ask every part; tell besides what could not be looked at, which is no reason to show nothing."""
    found: list[Concern] = []
    problem = ""
    for part in parts:
        try:
            found += part.find(call)
        except StorageError:
            problem = _UNREADABLE
    return found, problem


@dataclass(frozen=True, slots=True)
class KeyConcerns:
    """Keys that end soon, that nobody uses, or that allow more than they use: everybody's, or one's own."""

    documents: DocumentService
    findings: KeyFindings

    def find(self, call: Call) -> Iterator[Concern]:
        """Count what is found, each with the list that shows it."""
        if not self.documents.may(call.actor, API_KEY.name, Action.READ, None):
            return
        found = self.findings.count(call.actor)
        sees_all = API_KEY.name in self.documents.list_readable(call.actor, [API_KEY.name])
        for finding in Finding:
            if found.counts[finding]:
                sentence = _key_sentence(finding, found.counts[finding], own=not sees_all)
                yield Concern(sentence, View(KEYS, {}).to(finding=finding.value), _aside(finding, found))


@dataclass(frozen=True, slots=True)
class RefusalConcerns:
    """Bursts of refusals, by address and by key."""

    refusals: RefusalService

    def find(self, call: Call) -> Iterator[Concern]:
        """Name each, with its requests in the log."""
        bursts = self.refusals.find_bursts(call.actor)
        aside = "" if bursts.whole else f"Of the newest {ROWS_LOOKED_AT:,} requests of the day."
        log = View(REQUEST_LOG.address, {})
        for one in bursts.addresses:
            since = "1h" if _is_recent(one) else "24h"
            yield Concern(f"{one.name} was refused {_times(one)}", log.to(address=one.name, since=since), aside)
        for one in bursts.keys:
            # Keys are counted by whole hours.
            sentence = f"Key {middle(one.name)} was refused {_times(one, 'two hours')}"
            yield Concern(sentence, log.to(key=one.name, since="24h"))


@dataclass(frozen=True, slots=True)
class FactorConcerns:
    """System Managers who sign in by their password alone; told to System Managers, by what may read all users."""

    documents: DocumentService
    store: Store

    def find(self, call: Call) -> Iterator[Concern]:
        """Count them."""
        # A manager's key may be good for less: who has a second factor is a field of users.
        if not (call.principal.is_manager and USER.name in self.documents.list_readable(call.actor, [USER.name])):
            return
        count = count_managers_without_second_factor(self.store)
        if count:
            sentence = (
                f"{count:,} {'System Manager signs' if count == 1 else 'System Managers sign'} in by password alone"
            )
            yield Concern(sentence, f"/app/role/{quote(SYSTEM_MANAGER)}", "A role can require a second factor.")


def _aside(finding: Finding, found: KeyCounts) -> str:
    if finding is Finding.WIDE and not found.judged_all:
        return f"Of the {KEYS_JUDGED_MAX} keys that were used last."
    return "" if found.read_all else f"Of the {ROWS_MAX:,} keys that were made last."


def _key_sentence(finding: Finding, count: int, *, own: bool) -> str:
    one = count == 1
    keys = f"{count:,} {'of your keys' if own else 'key' if one else 'keys'}"
    match finding:
        case Finding.EXPIRES_SOON:
            return f"{keys} {'expires' if one else 'expire'} within {DAYS_SOON} days"
        case Finding.NEVER_USED:
            return f"{keys} {'was' if one else 'were'} never used in more than {DAYS_UNTRIED} days"
        case Finding.UNUSED:
            return f"{keys} {'was' if one else 'were'} not used for {DAYS_SEEN} days"
        case Finding.WIDE:
            return f"{keys} {'allows' if one else 'allow'} more than {'it uses' if one else 'they use'}"


def _is_recent(burst: RefusedBurst) -> bool:
    return burst.recently >= MANY_AN_HOUR


def _times(burst: RefusedBurst, recently: str = "the last hour") -> str:
    if _is_recent(burst):
        return f"{burst.recently:,} times within {recently}"
    return f"{burst.requests:,} times within a day"
