"""The gate: the one way in. Parse, verify, decide – and afterwards record.

Every entrance calls `admit` with what was presented, runs its handler only if the decision allows it, and calls
`record` with what came of it before the reply leaves. There is no second check of a credential, scope or role anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, assert_never

from latchgate.core.access_rules import RuleSet
from latchgate.core.credentials import (
    Absent,
    Credential,
    Presented,
    Scheme,
    SessionCookie,
    parse_credential,
)
from latchgate.core.log_entries import (
    LogEntry,
)
from latchgate.core.policy import Decision, Requirement, decide
from latchgate.core.principals import Anonymous, Client, Principal, Reason, Rejected, Who
from latchgate.core.sessions import csrf_holds
from latchgate.core.tokens import Peppers
from latchgate.errors import StorageError
from latchgate.services.actors import JudgeAgain
from latchgate.services.admissions import Admission
from latchgate.services.authentication import Authenticator
from latchgate.services.cached_authentication import CachedAuthenticator
from latchgate.services.log_ports import PreparedRow
from latchgate.services.log_rows import asked_of, caller_of, entry_of, without_secret
from latchgate.services.measures import NO_SCHEME, UNKNOWN_SCHEME, Measures, Outcome, RequestMeasures, outcome_of
from latchgate.services.ports import Clock, RequestLog
from latchgate.services.request_ids import RequestIds
from latchgate.services.rule_books import NO_BOOK
from latchgate.services.rule_ports import RuleBook
from latchgate.services.throttles import Throttles
from latchgate.services.verdicts import Verdict

__all__ = ["Gate", "RecalledRow"]

# Only these are guesses. What fails with the right secret (expired, disabled, elsewhere) guesses nothing.
_GUESSES = frozenset(
    {
        Reason.UNKNOWN_SOURCE,
        Reason.UNKNOWN_KEY,
        Reason.WRONG_SECRET,
        Reason.UNKNOWN_TOKEN,
        Reason.UNKNOWN_CLIENT,
        Reason.WRONG_ASSERTION,
    }
)
# What may as well have been meant for the application behind. What is ours and has ended is not among them.
_FOREIGN = _GUESSES - {Reason.UNKNOWN_CLIENT, Reason.WRONG_ASSERTION} | {
    Reason.UNREADABLE,
    Reason.UNKNOWN_SCHEME,
    Reason.BASE64,
    Reason.BYTES_LITERAL,
}
_UNDECIDED = Requirement(user=True)
"""What is required where the store does not tell the rule."""


@dataclass(frozen=True, slots=True)
class RecalledRow(PreparedRow):
    """What requests that are recalled alike leave: a row without its numbers, and a count by microseconds."""

    count: Callable[[int], None] = field(repr=False)
    entry: LogEntry | None = None
    """The row as it is told, if somebody wants to be told."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Fulfils the straight line of architecture: admit, then the handler, then record."""

    authenticator: Authenticator
    throttles: Throttles
    request_log: RequestLog
    clock: Clock
    request_ids: RequestIds
    peppers: Peppers = field(repr=False)
    cached: CachedAuthenticator | None = field(default=None, repr=False)
    """Answers as the authenticator; None where every credential is looked up."""
    measures: RequestMeasures = field(default_factory=lambda: RequestMeasures(Measures.alone()), repr=False)
    rule_book: RuleBook = NO_BOOK
    """The access rules of protected applications; without a book every request for one is refused."""
    tell: Callable[[LogEntry], None] | None = None
    """Takes what the log is told, and requests without a credential too; never raises. None: nobody wants it."""

    def name(self, authorization: bytes, source: bytes | None) -> bytes:
        """Name what was presented, for whoever recalls it again and again; the name tells nothing of it."""
        return self.cached.cache.key(authorization, source) if self.cached else b""

    def recall(self, authorization: bytes, source: bytes | None, address: str, name: bytes) -> Verdict | None:
        """Give the verdict that lets a request in, by memory or else by one look-up; if there is none: ask `admit`.

        Never raises. A credential with a limit of requests is not recalled: what asks may still leave it to `admit`,
        which then would count the request a second time.

        Args:
            authorization: The value of the only Authorization header.
            source: The value of the only source header; None if there is none, which is not the same as empty.
            address: The caller's, after configured proxies were taken into account.
            name: What `name` gave for the first two.
        """
        if self.cached is None:
            return None
        return self.cached.recall(name, authorization, source, address)

    def keep_prepared(self, name: bytes, verdict: Verdict, prepared: tuple[Any, ...], size_bytes: int) -> None:
        """Keep with a verdict that `recall` gave what was made from it; it counts for what it takes."""
        if self.cached is not None:
            self.cached.cache.keep_prepared(name, verdict, prepared, size_bytes)

    def recall_rules(self) -> RuleSet | None:
        """Give the access rules that count now if memory can tell; never raises. The same rules are the same object."""
        return self.rule_book.recall()

    def admit(self, presented: Presented, requirement: Requirement) -> Admission:
        """Decide about a request. Never raises: a store that does not answer is a refusal with its `failure`."""
        return self._admit(presented, requirement.at(presented.peer_address))

    def admit_protected(self, presented: Presented) -> Admission:
        """Decide about a request for a protected application, by the access rules that count now; as `admit`.

        Args:
            presented: Method, path and host are those that the application is asked for.
        """
        return self._admit(presented, None)

    def _admit(self, presented: Presented, requirement: Requirement | None) -> Admission:
        arrived_us = self.clock.now_us()
        nonce = self._nonce
        # Of the very bytes that memory knows there is nothing to parse: they were, when they were verified.
        told = self._recall_sent(presented) or parse_credential(presented)
        ours = not isinstance(told, Absent)
        failure = room = rule = None
        try:
            # First: what finds the log full must not have been anything's doing.
            room = self.request_log.reserve() if ours else None
            if requirement is None:
                match = self.rule_book.read().find(presented.method, presented.host, presented.path)
                requirement, rule = match.requirement, match.rule
            who = self._verify(told, presented, nonce)
        except StorageError as error:
            who, failure = Rejected(Reason.STORAGE), error
        requirement = requirement or _UNDECIDED
        if room and isinstance(who, Rejected) and requirement.foreign_authorization and who.reason in _FOREIGN:
            # It is for the application. It is nobody's guess, and no row tells of what is not ours.
            who, ours = Anonymous(), False
            room.release()
        who = self._hold_to_limits(who, presented.peer_address)
        who = self._guard_session(who, told)
        judgement = decide(who, requirement)
        return Admission(
            who=who,
            decision=judgement.decision,
            reason=judgement.reason,
            request_id=self.request_ids.take().hex(),
            arrived_us=arrived_us,
            presented=without_secret(presented, told),
            credential_presented=ours,
            failure=failure,
            judge_again=_again(self.authenticator, who, presented.peer_address),
            row_room=room if ours else None,
            rule=rule,
        )

    def record(self, admission: Admission, status: int, seconds: float, reason: str | None = None) -> None:
        """Count the request and, if it presented a credential, write its row, so that both survive the process.

        Args:
            admission: What `admit` gave.
            status: The reply's status.
            seconds: How long the request took.
            reason: Why a handler refused what the gate had let in.

        Raises:
            StorageError: The row could not be written; the reply must not leave.
        """
        outcome = outcome_of(admission.decision, admission.reason, status)
        try:
            if admission.credential_presented or self.tell:
                self._write(admission, status, seconds, reason)
        except StorageError:
            outcome = Outcome.FAILED
            raise
        finally:
            self.measures.count(_scheme_of(admission), outcome, seconds)

    def prepare_row(self, who: Principal, presented: Presented, status: int) -> RecalledRow:
        """Make what rows of the same recalled caller, request and answer have in common."""
        shown = without_secret(presented, parse_credential(presented))
        row = self.request_log.prepare(caller_of(who), asked_of(shown), status)
        told = Admission(who, Decision.ALLOWED, None, "", 0, shown, credential_presented=True) if self.tell else None
        count = self.measures.recalled(who.scheme)
        entry = entry_of(told, status, 0.0, None) if told else None
        return RecalledRow(row.status, row.who, row.what, count, entry)

    def record_recalled(self, recalled: RecalledRow, seconds: float, found_by: Scheme | None = None) -> bytes:
        """Count a request that `recall` let in, write its row, and give its id, as `record`.

        Args:
            recalled: What `prepare_row` gave.
            seconds: How long the request took.
            found_by: By which scheme, if its verdict was looked up for it, so that it is no hit.

        Raises:
            StorageError: The row could not be written; nothing was, nor counted, and `admit` may be asked.
        """
        request_id, now_us, micros = self.request_ids.take(), self.clock.now_us(), int(seconds * 1_000_000)
        self.request_log.append_prepared(recalled, now_us, request_id, micros)
        count = recalled.count if found_by is None else self.measures.found(found_by)
        count(micros)
        if recalled.entry and self.tell:
            self.tell(replace(recalled.entry, time=now_us, request_id=request_id.hex(), seconds=micros / 1_000_000))
        return request_id

    def _write(self, admission: Admission, status: int, seconds: float, reason: str | None) -> None:
        who = admission.who
        if isinstance(who, Principal) and not (reason or admission.reason or self.tell):
            # Most rows: the same bytes as below, of pieces that many of them have in common.
            row = self.request_log.prepare(caller_of(who), asked_of(admission.presented), status)
            micros = round(round(seconds, 6) * 1_000_000)
            request_id = bytes.fromhex(admission.request_id)
            self.request_log.append_prepared(row, admission.arrived_us, request_id, micros, admission.row_room)
            return
        entry = entry_of(admission, status, seconds, reason)
        if admission.credential_presented:
            if isinstance(who, Principal | Client):
                self.request_log.append(entry, admission.row_room)
            else:
                # Anybody can send these, and as many as they like.
                self.request_log.append_refused(entry, admission.row_room)
        if self.tell:
            self.tell(entry)

    def _recall_sent(self, presented: Presented) -> Principal | None:
        return None if self.cached is None else self.cached.recall_sent(presented)

    @property
    def _nonce(self) -> int | None:
        return None if self.cached is None else self.cached.cache.nonce

    def _verify(self, told: Principal | Credential, presented: Presented, nonce: int | None) -> Who:
        if isinstance(told, Principal) and self._nonce == nonce:
            return told
        # What changed since it was recalled may have changed the rule too: who it is must be no older than that.
        credential = parse_credential(presented) if isinstance(told, Principal) else told
        if self.cached is not None:
            return self.cached.verify(credential, presented)
        return self.authenticator.verify(credential, presented.peer_address)

    def _hold_to_limits(self, who: Who, address: str) -> Who:
        match who:
            case Principal(per_minute=None):
                return who
            case Principal(per_minute=int(per_minute)):
                wait = self.throttles.count_use(f"{who.source}\n{who.credential}", per_minute)
                return _refusal(who, Reason.OVER_LIMIT, wait) if wait else who
            case Rejected(reason=reason) if reason in _GUESSES:
                wait = self.throttles.count_wrong_credential(address)
                if not wait:
                    return who
                return Rejected(
                    Reason.TOO_MANY_FAILURES, who.scheme, who.source, who.credential, retry_after_seconds=wait
                )
            case _:
                return who

    def _guard_session(self, who: Who, told: Principal | Credential) -> Who:
        if isinstance(told, SessionCookie) and isinstance(who, Principal):
            return who if csrf_holds(self.peppers, told) else _refusal(who, Reason.CSRF)
        return who


def _again(authenticator: Authenticator, who: Who, address: str) -> JudgeAgain | None:
    return partial(authenticator.verify_again, who, address) if isinstance(who, Principal) else None


def _refusal(principal: Principal, reason: Reason, retry_after_seconds: int | None = None) -> Rejected:
    return Rejected(
        reason, principal.scheme, principal.source, principal.credential, principal.user, retry_after_seconds
    )


def _scheme_of(admission: Admission) -> str:
    """Tell by which scheme a request came, in words of ours alone."""
    if not admission.credential_presented:
        return NO_SCHEME
    match admission.who:
        case Principal() | Rejected():
            return admission.who.scheme or UNKNOWN_SCHEME
        case Anonymous():
            return Scheme.SESSION
        case Client():
            return Scheme.CLIENT
        case _:
            assert_never(admission.who)
