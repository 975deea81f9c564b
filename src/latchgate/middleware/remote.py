"""The gate on another machine, or in another process: a Latchgate server is asked as a proxy asks it.

The server judges by its access rules and logs; the application holds no keys. What was let in is remembered for a
moment, so that a change counts there after at most that long. Whoever cannot be asked lets nobody in.
"""

import hashlib
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from urllib.parse import unquote

from latchgate.core.addresses import Network, normal_address, parse_networks
from latchgate.core.credentials import (
    USER_SOURCE,
    Bearer,
    Credential,
    KeyPair,
    Malformed,
    Presented,
    Scheme,
    parse_credential,
)
from latchgate.core.heads import Head, collect_presented, find_host
from latchgate.core.policy import SIGNED_IN, Decision, Requirement, decide
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected, Who
from latchgate.core.refusals import MALFORMED
from latchgate.core.users import DESK_USER, UserType
from latchgate.middleware.identities import Judged, identity_of
from latchgate.middleware.keepers import Passage
from latchgate.middleware.questions import Answer, Questioner, Unreachable
from latchgate.middleware.refusals import UNAVAILABLE, Refusal, refusal_of
from latchgate.services.clock import boottime
from latchgate.services.entropy import SystemEntropy
from latchgate.services.forks import heed_forks
from latchgate.services.operator_log import OperatorLog

__all__ = ["RemoteKeeper"]

_SALT_BYTES = 32
_ENTRY_BYTES_MAX = 8 * 1024
_NO_ADDRESS = "0.0.0.0"  # noqa: S104  # told, not listened on: it lies in no range that a key would be limited to
_COMPLAINT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Kept:
    who: Who
    until: float


@dataclass(slots=True)
class _House:
    """What one process has."""

    process: int
    questioner: Questioner
    salt: bytes = field(repr=False)
    kept: "OrderedDict[bytes, _Kept]" = field(default_factory=OrderedDict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    complained_at: float = -_COMPLAINT_SECONDS


class RemoteKeeper:
    """Fulfils the protocol Keeper by asking `/auth/verify` of a server."""

    # Its rules say which scopes are needed.
    usual = SIGNED_IN

    def __init__(
        self,
        url: str,
        *,
        cache_seconds: float = 1.0,
        cache_entries: int = 10_000,
        timeout_seconds: float = 5.0,
        trusted_proxies: str = "",
        trusts_socket: bool = False,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: `http://host:port`, `https://host`, or `unix:/path/of.socket`; the server must name this machine's
                address in `LATCHGATE_TRUSTED_PROXIES`.
            cache_seconds: For how long an answer that let a request in counts for the same request again; a key that
                was revoked may open it for so long. 0: each request is asked for, and leaves a row.
            cache_entries: How many such answers are kept at most.
            timeout_seconds: How long to wait for the server; then the request is refused.
            trusted_proxies: Addresses or ranges of the proxies before this application.
            trusts_socket: Whether whoever asks over a Unix socket, and has no address, is such a proxy too.

        Raises:
            ValueError: The address or a range is none.
        """
        Questioner(url, timeout_seconds)
        networks = parse_networks(trusted_proxies)
        if isinstance(networks, str):
            raise ValueError(networks)  # noqa: TRY004  # it is a text, the parser's complaint
        self._url, self._timeout_seconds = url, timeout_seconds
        self._cache_seconds, self._cache_entries = cache_seconds, cache_entries
        self._trusted: tuple[Network, ...] = networks
        self._trusts_socket = trusts_socket
        self._house: _House | None = None
        heed_forks(self, uses_others=False)

    @property
    def instance(self) -> Hashable:
        """Which server is asked, whom this machine trusts, and for how long what was revoked may count."""
        return self._url, self._trusted, self._trusts_socket, self._cache_seconds

    def open(self) -> None:
        """Do nothing: a server that is not there yet may be there for the first request."""

    def admit_at_once(self, head: Head, requires: Requirement | None) -> Passage | None:
        """Decide, if an answer of just now counts for the request."""
        house, started = self._find_house(), time.perf_counter()
        presented, host = self._collect(head)
        kept = self._recall(house, _key(house.salt, presented, host))
        return None if kept is None else _passage(kept, requires, started, self._judged(head))

    def admit(self, head: Head, requires: Requirement | None) -> Passage:
        """Ask the server; without an answer the request is refused."""
        house, started = self._find_house(), time.perf_counter()
        presented, host = self._collect(head)
        # From before the question: what changes after this moment counts after cache_seconds.
        asked_at = boottime()
        try:
            answer = house.questioner.ask(_question(presented, host))
        except Unreachable as error:
            self._complain(house, "the Latchgate server cannot be reached", str(error))
            return Passage(UNAVAILABLE, started=started)
        outcome = _read_answer(answer, presented)
        if isinstance(outcome, Refusal):
            if outcome is UNAVAILABLE:
                self._complain(house, "the Latchgate server gave no answer that can be used", f"status {answer.status}")
            return Passage(outcome, started=started)
        self._keep(house, _key(house.salt, presented, host), _Kept(outcome, asked_at + self._cache_seconds), answer)
        return _passage(outcome, requires, started, self._judged(head))

    def close(self) -> None:
        """Let all connections go, and forget every answer."""
        house, self._house = self._house, None
        if house is not None and house.process == os.getpid():
            house.questioner.close()

    def before_fork(self) -> None:
        """Do nothing: what is under way in other threads goes on in the parent."""

    def after_fork_in_parent(self) -> None:
        """Do nothing."""

    def after_fork_in_child(self) -> None:
        """Leave the parent its connections."""
        self._house = None

    def _judged(self, head: Head) -> Judged:
        # Its rules are asked in any case.
        return Judged(self.instance, head, by_rules=True)

    def _collect(self, head: Head) -> tuple[Presented, str]:
        host = find_host(head.headers)
        presented = collect_presented(head, self._trusted, sessions=False, trusts_socket=self._trusts_socket)
        return presented, ", " if host is None else host

    def _find_house(self) -> _House:
        house = self._house
        # Connections and locks are one process' own.
        if house is None or house.process != os.getpid():
            questioner = Questioner(self._url, self._timeout_seconds)
            house = self._house = _House(os.getpid(), questioner, SystemEntropy().random_bytes(_SALT_BYTES))
        return house

    def _recall(self, house: _House, key: bytes) -> Who | None:
        with house.lock:
            kept = house.kept.get(key)
        return kept.who if kept is not None and boottime() < kept.until else None

    def _keep(self, house: _House, key: bytes, kept: _Kept, answer: Answer) -> None:
        if self._cache_seconds <= 0 or sum(map(len, answer.headers.values())) > _ENTRY_BYTES_MAX:
            return
        with house.lock:
            house.kept[key] = kept
            house.kept.move_to_end(key)
            while len(house.kept) > self._cache_entries:
                house.kept.popitem(last=False)

    def _complain(self, house: _House, event: str, detail: str) -> None:
        now = time.monotonic()
        if now - house.complained_at >= _COMPLAINT_SECONDS:
            house.complained_at = now
            OperatorLog().error(event, server=self._url, detail=detail)


def _question(presented: Presented, host: str) -> list[tuple[bytes, bytes]]:
    """Write the headers that tell which request is asked about."""
    address = presented.peer_address if normal_address(presented.peer_address) else _NO_ADDRESS
    return [
        (b"Host", host.encode("latin-1")),
        (b"X-Original-Method", presented.method.encode("latin-1", "replace")),
        (b"X-Original-URI", presented.path.encode("utf-8", "surrogateescape")),
        (b"X-Forwarded-For", address.encode("ascii")),
        (b"User-Agent", presented.user_agent.encode("utf-8", "surrogateescape")),
        *((b"Authorization", value) for value in presented.authorization),
        *((b"Frappe-Authorization-Source", value) for value in presented.source),
    ]


def _key(salt: bytes, presented: Presented, host: str) -> bytes:
    """Name all that an answer depends on, such that nobody can foresee the name."""
    told = [presented.method, presented.path, presented.peer_address, host]
    parts = [text.encode("utf-8", "surrogatepass") for text in told]
    counts = b"%d %d" % (len(presented.authorization), len(presented.source))
    parts += [counts, *presented.authorization, *presented.source]
    return hashlib.sha256(salt + b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def _passage(who: Who, requires: Requirement | None, started: float, judged: Judged) -> Passage:
    passage = Passage(None, started=started)
    if requires is not None:
        judgement = decide(who, requires)
        if judgement.decision is not Decision.ALLOWED:
            return Passage(refusal_of(who, judgement, requires.scope), started=started)
    passage.identity, passage.judged = identity_of(who, "", passage.notes.note), judged
    return passage


def _read_answer(answer: Answer, presented: Presented) -> Who | Refusal:
    credential = parse_credential(presented)
    scheme, source = _carried(credential)
    match answer.status:
        case 200 | 204:
            return _read_identity(answer, scheme, source)
        case 400 if isinstance(credential, Malformed):
            # What is wrong with the header is told; any other fault is that of the question.
            reason = Reason(credential.fault.value)
            return Refusal(400, "bad_request", MALFORMED[reason]) if reason in MALFORMED else UNAVAILABLE
        case 401:
            return refusal_of(Rejected(Reason.UNKNOWN_KEY, scheme), _NOBODY)
        case 403:
            # Which scope is lacking, where that is why (RFC 6750, section 3.1).
            challenge = answer.headers.get("www-authenticate")
            return Refusal(403, "forbidden", _told(answer), (("WWW-Authenticate", challenge),) if challenge else ())
        case 429:
            wait = answer.headers.get("retry-after", "1")
            reason = Reason.TOO_MANY_FAILURES
            return refusal_of(Rejected(reason, scheme, retry_after_seconds=int(wait) if wait.isdigit() else 1), _NOBODY)
        case _:
            return UNAVAILABLE


_NOBODY = decide(Rejected(Reason.UNKNOWN_KEY), Requirement(user=True))
_TOLD_LENGTH_MAX = 200


def _read_identity(answer: Answer, scheme: Scheme | None, source: str) -> Who | Refusal:
    told = answer.headers
    if "x-auth-request-user" not in told or "x-auth-request-key" not in told:
        # Some other server that answers everybody so.
        return UNAVAILABLE
    user = unquote(told["x-auth-request-user"])
    if not user:
        return Anonymous()
    if scheme is None:
        return UNAVAILABLE
    roles = _names(told.get("x-auth-request-groups", ""))
    return Principal(
        user=user,
        user_id=0,
        user_type=UserType.SYSTEM if DESK_USER in roles else UserType.WEBSITE,
        full_name=user,
        roles=roles,
        scheme=scheme,
        source=source,
        credential=unquote(told["x-auth-request-key"]),
        scopes=_names(told.get("x-auth-request-scopes", "")),
    )


def _names(text: str) -> frozenset[str]:
    # First apart, then read: a name may hold a comma.
    return frozenset(unquote(part) for part in text.split(",") if part)


def _carried(credential: Credential) -> tuple[Scheme | None, str]:
    """Tell by which scheme a credential came, and for which source."""
    match credential:
        case KeyPair(scheme=scheme, source=source):
            return scheme, source
        case Bearer():
            return Scheme.BEARER, USER_SOURCE
        case _:
            return None, USER_SOURCE


def _told(answer: Answer) -> str:
    try:
        text = json.loads(answer.body).get("_error_message")
    except (ValueError, AttributeError):
        text = None
    return text[:_TOLD_LENGTH_MAX] if isinstance(text, str) and text else "This is not permitted."
