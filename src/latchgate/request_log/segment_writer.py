"""Writing the log: rows are stored into the present segment before their replies leave, and the next one is ready."""

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from latchgate.core.log_entries import LogEntry
from latchgate.errors import StorageError
from latchgate.request_log.records import encode
from latchgate.request_log.refusal_quota import RefusalQuota, RefusalRules, Tallies
from latchgate.request_log.segment_files import OpenSegment, can_be_mapped, make_segment, prepare_folder, used_bytes
from latchgate.request_log.segment_keeper import SegmentKeeper, SyncPolicy
from latchgate.request_log.segment_layout import RECORD_HEAD, SLOT_BYTES, Header
from latchgate.services import log_ports
from latchgate.services.forks import heed_forks
from latchgate.services.measures import Measures
from latchgate.services.ports import Clock, Entropy

__all__ = ["BACKLOG_BYTES", "SEGMENT_BYTES", "LogRules", "Reservation", "SegmentLog"]

SEGMENT_BYTES = 8 * 1024 * 1024
BACKLOG_BYTES = 1024 * 1024 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NO_ID = bytes(16)
_REFUSALS = RefusalRules(per_address=60, in_all=600)


@dataclass(frozen=True, slots=True)
class LogRules:
    """How the log is written."""

    policy: SyncPolicy = SyncPolicy.INTERVAL
    backlog_bytes: int = BACKLOG_BYTES
    """How much of the disk segments may take that nobody has read yet, those of other processes included."""
    refusals: RefusalRules = _REFUSALS
    segment_bytes: int = SEGMENT_BYTES
    interval_seconds: float = 1.0
    mapped: bool | None = None
    """Whether rows are stored through memory; None: where that is safe."""


class Reservation:
    """Room for one row. It is given back by writing the row, by `release`, or when nobody has it any more."""

    __slots__ = ("_returned",)

    def __init__(self, returned: "deque[None]") -> None:
        self._returned: deque[None] | None = returned

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        # Without a lock: it may be collected in the middle of anything, an append of the same thread included.
        returned, self._returned = self._returned, None
        if returned is not None:
            returned.append(None)

    def __del__(self) -> None:
        self.release()


class SegmentLog:
    """One process's end of the log; any thread may call it. After a fork the child goes on in segments of its own.

    Nothing is opened or made before the first row is to be written. What `append` has returned from survives the death
    of the process at any moment; a power cut may take what `sync` has not covered.
    """

    def __init__(
        self, folder: Path, rules: LogRules, clock: Clock, entropy: Entropy, measures: Measures | None = None
    ) -> None:
        measures = measures or Measures.alone()
        self._count_row, self._count_tally = measures.counter("rows_appended"), measures.counter("refusals_tallied")
        self._count_full, self._count_sync_error = (
            measures.counter("rows_without_room"),
            measures.counter("sync_errors"),
        )
        self.rules = rules
        self._folder = folder
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._forks = 0
        """How many forks hold both: a signal in the middle of one may fork too, in the thread that has them."""
        self._forking = threading.RLock()
        self._mapped: bool | None = None
        self._quota = RefusalQuota(rules.refusals)
        empty = Header(_NO_ID, _NO_ID, 0, rules.segment_bytes, 0)
        self._slots = (empty.records_end - empty.records_at) // SLOT_BYTES
        self._begin()
        heed_forks(self, uses_others=False)

    def reserve(self) -> Reservation:
        """Set aside room for the largest row. Raises StorageError if there is none, and none can be made."""
        while True:
            with self._lock:
                if self._has_room():
                    self._reserved += 1
                    return Reservation(self._returned)
            try:
                self._make_room()
            except StorageError:
                with self._lock:
                    self._count_full(1)
                raise

    def append(self, payload: bytes, reservation: log_ports.Reservation | None = None) -> None:
        """Store a row; it takes the room that was reserved for it, or such as is reserved for no other.

        Raises:
            StorageError: There is no room; never with a reservation, unless the system refuses to write.
        """
        while True:
            with self._lock:
                if reservation is not None:
                    reservation.release()
                if self._has_room():
                    self._write(payload)
                    return
            self._make_room()

    def append_unreserved(self, payload: bytes) -> None:
        """Store a row as `append` without a reservation, at less cost where there is room. Raises StorageError."""
        with self._lock:
            current = self._current
            # As `_has_room` says it, while nobody has given back anything.
            if current is not None and current.offset + SLOT_BYTES * (self._reserved + 1) <= current.end:
                current.append(payload)
                self._written += 1
                self._count_row(1)
                return
        self.append(payload)

    def append_refused(self, entry: LogEntry, reservation: log_ports.Reservation | None = None) -> None:
        """Store a row of a refused request, or count it among the others of its address and minute, if they are many.

        Raises:
            StorageError: As `append`.
        """
        with self._lock:
            tallied_by = self._quota.take(entry.ip_address, entry.time)
        if tallied_by is None:
            self.append(encode(entry), reservation)
            return
        while True:
            with self._lock:
                if reservation is not None:
                    reservation.release()
                if self._tallies is not None or self._advance():
                    self._tally(*tallied_by)
                    return
            self._make_room()

    def sync(self) -> None:
        """Put on the disk all that was appended before; those who wait at the same time share the work.

        Raises:
            StorageError: The disk failed: what was appended since the last time may be lost at a power cut.
        """
        self._keeper.sync(self._written)

    def close(self) -> None:
        """Put on the disk what is not there yet, unless that is never done, and let all files go."""
        keeper = self._keeper
        keeper.stop()
        with self._making, self._lock:
            current, spares = self._current, self._spares
            self._begin()
        keeper.finish(current, spares)

    # What the keeper asks, from its threads.

    def written(self) -> tuple[int, OpenSegment | None, tuple[OpenSegment, ...]]:
        """Tell how many rows and counts were stored so far, the present segment, and those that are full."""
        with self._lock:
            return self._written, self._current, tuple(self._keeper.retired)

    def leave(self, segment: OpenSegment) -> None:
        """Write no more into a segment whose file the disk refused."""
        with self._lock:
            self._count_sync_error(1)
            if segment is self._current:
                self._retire()

    def drop(self, segment: OpenSegment) -> None:
        """Let a full segment go."""
        # Under the lock, or a child made just now would close it once more, or hold it for ever.
        with self._lock:
            self._keeper.retired.remove(segment)
            segment.close()

    def prepare_spare(self) -> None:
        """Make segments until there is one more than is needed for what was reserved. Raises StorageError."""
        with self._making:
            while True:
                with self._lock:
                    keeper, enough = self._keeper, self._current is None or self._has_spare()
                if enough or keeper.stopping:
                    return
                self._add_segment()

    # With the lock held.

    def _begin(self) -> None:
        self._current: OpenSegment | None = None
        self._tallies: Tallies | None = None
        self._spares: deque[OpenSegment] = deque()
        self._reserved = 0
        self._returned: deque[None] = deque()
        self._written = 0
        self._keeper = SegmentKeeper(self, self.rules.policy, self.rules.interval_seconds)

    def _has_room(self) -> bool:
        """Whether one more row has room, however large, and all that were reserved."""
        while self._returned:
            self._returned.popleft()
            self._reserved -= 1
        current = self._current
        if current is not None and current.offset + SLOT_BYTES * (self._reserved + 1) <= current.end:
            return True
        here = 0 if current is None else (current.end - current.offset) // SLOT_BYTES
        return here + self._slots * len(self._spares) > self._reserved

    def _has_spare(self) -> bool:
        return self._slots * len(self._spares) > self._reserved

    def _write(self, payload: bytes) -> None:
        current = self._current
        if current is None or current.offset + RECORD_HEAD.size + len(payload) > current.end:
            self._advance()
            current = self._current
            if current is None:
                raise AssertionError("room was promised where there is none")
        current.append(payload)
        self._written += 1
        self._count_row(1)

    def _tally(self, address: str, minute: int) -> None:
        if self._tallies is None:
            raise AssertionError("there is a segment, and so are its tallies")
        self._tallies.count(address, minute)
        self._written += 1
        self._count_tally(1)

    def _advance(self) -> bool:
        """Go on in the next segment, if there is one."""
        if not self._spares:
            return False
        self._retire()
        self._current = self._spares.popleft()
        self._tallies = Tallies(self._current)
        return True

    def _retire(self) -> None:
        if self._current is not None:
            self._keeper.retired.append(self._current)
        self._current = self._tallies = None
        self._keeper.wake()

    # Without it.

    def _make_room(self) -> None:
        """Make a segment, unless one was made meanwhile. Raises StorageError."""
        with self._making:
            with self._lock:
                enough = self._has_room()
            if not enough:
                self._add_segment()
        self._keeper.start()

    def _add_segment(self) -> None:
        if self._mapped is None:
            prepare_folder(self._folder)
            mapped = self.rules.mapped
            self._mapped = can_be_mapped(self._folder) if mapped is None else mapped
        size = self.rules.segment_bytes
        if used_bytes(self._folder) + size > self.rules.backlog_bytes:
            raise StorageError(
                "The request log has no room for more",
                detail=f"{self.rules.backlog_bytes} bytes of segments wait to be read; see LATCHGATE_LOG_BACKLOG_BYTES",
            )
        seed = int.from_bytes(self._entropy.random_bytes(4), "little")
        header = Header(self._entropy.random_bytes(16), _boot_id(), self._clock.now_us(), size, seed)
        segment = make_segment(self._folder, header, mapped=self._mapped)
        with self._lock:
            self._spares.append(segment)
            if self._current is None:
                self._advance()

    # Around a fork.

    def before_fork(self) -> None:
        """Hold still, so that no file is half made: the child would hold its lock, and nobody know of it."""
        self._forking.acquire()
        self._forks += 1
        if self._forks == 1:
            self._making.acquire()
            self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._forks -= 1
        if not self._forks:
            self._lock.release()
            self._making.release()
        self._forking.release()

    def after_fork_in_child(self) -> None:
        """Let the parent's segments go, and begin anew."""
        # These descriptors are the parent's too; it has the locks as long as it lives, and no longer than that.
        for segment in (self._current, *self._spares, *self._keeper.retired):
            if segment is not None:
                segment.close()
        self._begin()
        self.after_fork_in_parent()


def _boot_id() -> bytes:
    try:
        return bytes.fromhex(_BOOT_ID.read_text(encoding="ascii").strip().replace("-", ""))
    except (OSError, ValueError):
        return _NO_ID
