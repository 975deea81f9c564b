"""The cache of verdicts that stays true: no request is answered against a change that was acknowledged before it began.

The order of the steps is the whole of it; each is here because its absence broke something, as the model in
tests/models/truth_model.py shows. See docs/decisions/0033.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from latchgate.core.access_rules import RuleSet
from latchgate.core.principals import Principal, Rejected
from latchgate.errors import StorageError
from latchgate.services.measures import Measures
from latchgate.services.ports import Clock, Entropy
from latchgate.services.verdict_ports import Changes, Feed, OpenFeed, Position
from latchgate.services.verdicts import FOREVER, Refusal, Verdict, VerdictStore

__all__ = ["TRUST_SECONDS", "Found", "VerifiedCache"]

TRUST_SECONDS = 0.25
"""How long after it looked a process trusts that the files which it has mapped are those that everybody uses."""

_SALT_BYTES = 32
_NEVER_SEEN = -1
"""No nonce is negative."""
_BEYOND_ALL = 2**62
"""After the last change there will ever be: asks for the head alone."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What a look-up gave, and by which feed: what another feed found is not compared with this one's changes."""

    value: T
    feed: Feed


@dataclass(slots=True, eq=False)
class _Flight:
    """A look-up under way."""

    feed: Feed
    nonce: int
    landed: threading.Lock = field(default_factory=threading.Lock)
    value: object = None


@dataclass(frozen=True, slots=True)
class _Left:
    """What a look-up came to that lets nobody in by itself; for who handles the same request next."""

    key: bytes
    address: str
    who: Principal | Rejected
    nonce: int
    second: int


class VerifiedCache:
    """Verdicts of one process over one database. Safe in any thread; never across a fork.

    Until the first `beat`, and whenever the beats stop for TRUST_SECONDS, it knows nothing.
    """

    def __init__(
        self,
        open_feed: OpenFeed,
        clock: Clock,
        boottime: Callable[[], float],
        entropy: Entropy,
        bytes_max: int,
        measures: Measures | None = None,
    ) -> None:
        self._open_feed = open_feed
        self._clock = clock
        self._boottime = boottime
        self._salt = entropy.random_bytes(_SALT_BYTES)
        self._lock = threading.Lock()
        measures = measures or Measures.alone()
        self.store = VerdictStore(bytes_max, measures)
        self.misses = 0
        """How many look-ups were begun."""
        self.count_hit = measures.counter("cache_hits")
        """To be told of each request that what was found answers; those that are recalled are counted by the gate."""
        self._count_misses = measures.counter("cache_misses")
        self._tell_entries, self._tell_bytes = measures.gauge("cache_entries"), measures.gauge("cache_bytes")
        self._flights: dict[bytes, _Flight] = {}
        self._feed: Feed | None = None
        self._trust_until = 0.0
        self._version = 0
        self._epoch = ""
        self._applied = 0
        self._seen = _NEVER_SEEN
        self._left: _Left | None = None

    def key(self, authorization: bytes, source: bytes | None) -> bytes:
        """Name what was presented, such that nobody can foresee the name; no source is not an empty one."""
        presented = self._salt + len(authorization).to_bytes(4, "big") + authorization
        if source is not None:
            presented += len(source).to_bytes(4, "big") + source
        return hashlib.sha256(presented).digest()

    def recall(self, key: bytes) -> Verdict | None:
        """Give a verdict that is true now, if that can be told from memory alone."""
        # In this order: what the trust says holds for the nonce that is read after it.
        if self._boottime() > self._trust_until:
            return None
        feed = self._feed
        if feed is None or feed.nonce != self._seen:
            return None
        verdict = self.store.find(key)
        if verdict is None or (verdict.until != FOREVER and self._clock.now() >= verdict.until):
            return None
        return verdict

    def find(self, key: bytes) -> Verdict | Refusal | None:
        """Give a verdict or refusal that is true now; changes since the last time are followed first."""
        if self._boottime() > self._trust_until:
            return None
        feed = self._feed
        if feed is None or not (feed.nonce == self._seen or self._catch_up(feed)):
            return None
        kept = self.store.find(key) or self.store.find_refusal(key)
        return kept if kept is not None and self._clock.now() < kept.until else None

    def recall_rules(self) -> RuleSet | None:
        """Give the access rules that are true now, as `recall`."""
        if self._boottime() > self._trust_until:
            return None
        feed = self._feed
        return self.store.rules if feed is not None and feed.nonce == self._seen else None

    def find_rules(self) -> RuleSet | None:
        """Give the access rules that are true now, as `find`."""
        if self._boottime() > self._trust_until:
            return None
        feed = self._feed
        return self.store.rules if feed is not None and (feed.nonce == self._seen or self._catch_up(feed)) else None

    def look_up(self, key: bytes, ask: Callable[[Feed], T]) -> Found[T] | None:
        """Ask the database, at most once for a key at the same time.

        Returns:
            What `ask` gave; None if this cache's feed cannot tell, so that somebody else must be asked.
        """
        feed = self._feed
        if feed is None:
            return None
        # Before the look-up begins: one that began under another nonce may have read what is over since.
        flight, leads = self._join(key, feed, feed.nonce)
        if leads:
            try:
                flight.value = ask(feed)
            except StorageError:
                pass
            finally:
                with self._lock:
                    if self._flights.get(key) is flight:
                        del self._flights[key]
                flight.landed.release()
        else:
            with flight.landed:
                pass
        return None if flight.value is None else Found(flight.value, feed)  # type: ignore[arg-type]  # of this key

    def keep(self, key: bytes, kept: Verdict | Refusal, found: Found[T], position: Position) -> None:
        """Keep what followed from a look-up, unless changes were followed since that it may not have seen."""
        with self._lock:
            if self._is_present(found, position):
                if isinstance(kept, Verdict):
                    self.store.put(key, kept)
                else:
                    self.store.put_refusal(key, kept)

    def keep_prepared(self, key: bytes, verdict: Verdict, prepared: tuple[Any, ...], size_bytes: int) -> None:
        """Keep with a verdict what was made from it, counted with it."""
        with self._lock:
            self.store.keep_prepared(key, verdict, prepared, size_bytes)

    def keep_rules(self, rules: RuleSet, found: Found[T], position: Position) -> None:
        """Keep the access rules that a look-up gave, as `keep`."""
        with self._lock:
            if self._is_present(found, position):
                self.store.rules = rules

    @property
    def nonce(self) -> int:
        """The present nonce, to be read before a look-up whose outcome is left; no nonce is negative."""
        feed = self._feed
        return _NEVER_SEEN if feed is None else feed.nonce

    def leave(self, key: bytes, address: str, who: Principal | Rejected, nonce: int) -> None:
        """Leave what a look-up came to for whoever handles the same request next; there is room for one.

        Args:
            key: What the cache calls what was presented.
            address: From where it was.
            who: What it was judged to be. It holds for this second, and until anything changes.
            nonce: As it was before the look-up.
        """
        self._left = _Left(key, address, who, nonce, self._clock.now())

    def has_left(self, key: bytes, address: str) -> bool:
        """Whether `take` would give something."""
        return self._find_left(key, address) is not None

    def take(self, key: bytes, address: str) -> Principal | Rejected | None:
        """Take what was left, if it is still so."""
        left = self._find_left(key, address)
        if left is None:
            return None
        # Never looked at once more: by now another thread may have left there what somebody else is.
        self._left = None
        return left.who

    def _find_left(self, key: bytes, address: str) -> _Left | None:
        left = self._left
        if left is None or left.key != key or left.address != address:
            return None
        holds = self._boottime() <= self._trust_until and left.nonce == self.nonce and left.second == self._clock.now()
        return left if holds else None

    def beat(self) -> None:
        """Look whether the files are those that everybody uses, and follow what changed; see `Watcher`."""
        looked_at = self._boottime()
        feed = self._feed
        if feed is None or not feed.is_whole():
            self._forget()
            self._attach(looked_at)
        elif self._follow(feed):
            self._trust_until = looked_at + TRUST_SECONDS
        elif looked_at > self._trust_until:
            # It has failed for a while: the connection may be what is broken.
            self._forget()
        # How full it is may be told a little late; what it does may not.
        self._tell_entries(len(self.store))
        self._tell_bytes(self.store.size)

    def close(self) -> None:
        """Forget everything and let the files go."""
        self._forget()

    def _follow(self, feed: Feed) -> bool:
        try:
            version = feed.version()
        except StorageError:
            return False
        # Whoever writes with other programs raises no nonce, nor does one who died before it could.
        if version == self._version and feed.nonce == self._seen:
            return True
        if not self._catch_up(feed, whatever_the_nonce=True):
            return False
        self._version = version
        return True

    def _catch_up(self, feed: Feed, *, whatever_the_nonce: bool = False) -> bool:
        with self._lock:
            if feed is not self._feed:
                return False
            nonce = feed.nonce
            if nonce == self._seen and not whatever_the_nonce:
                return True
            try:
                changes = feed.read_changes(self._applied)
            except StorageError:
                return False
            self._apply(changes)
            self._epoch, self._applied = changes.head.epoch, changes.head.seq
            # The one of before the rows were read. A later one may belong to rows that were not there yet.
            self._seen = nonce
            return True

    def _apply(self, changes: Changes) -> None:
        self._left = None
        same = changes.head.epoch == self._epoch and changes.floor <= self._applied <= changes.head.seq
        if not same or changes.rows is None or not all(self.store.drop(*row) for row in changes.rows):
            self.store.clear()

    def _is_present(self, found: Found[T], position: Position) -> bool:
        return found.feed is self._feed and position.epoch == self._epoch and position.seq >= self._applied

    def _join(self, key: bytes, feed: Feed, nonce: int) -> tuple[_Flight, bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and flight.feed is feed and flight.nonce == nonce:
                return flight, False
            flight = self._flights[key] = _Flight(feed, nonce)
            flight.landed.acquire()
            self.misses += 1
            self._count_misses(1)
            return flight, True

    def _forget(self) -> None:
        self._trust_until = 0.0
        with self._lock:
            feed, self._feed = self._feed, None
            self._seen, self._left = _NEVER_SEEN, None
            self.store.clear()
        if feed is not None:
            feed.close()

    def _attach(self, looked_at: float) -> None:
        try:
            feed = self._open_feed()
        except StorageError:
            return
        try:
            version, nonce = feed.version(), feed.nonce
            head = feed.read_changes(_BEYOND_ALL).head
        except StorageError:
            feed.close()
            return
        with self._lock:
            self._version, self._epoch, self._applied, self._seen = version, head.epoch, head.seq, nonce
            self._feed = feed
        self._trust_until = looked_at + TRUST_SECONDS
