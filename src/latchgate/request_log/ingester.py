"""From segments into the log database, each row exactly once, whoever dies at whatever moment."""

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from latchgate.errors import StorageError
from latchgate.request_log.batches import Batch, Progress, find_progress, write_batches
from latchgate.request_log.database import LogDatabase, storage_errors
from latchgate.request_log.rows import Row, RowDecoder, row_of
from latchgate.request_log.runs import read_run
from latchgate.request_log.schema import log_segment, request_log
from latchgate.request_log.segment_ends import End, find_ends
from latchgate.request_log.segment_reader import Condition, Scanned, SegmentFile, list_segments
from latchgate.services.measures import Measures
from latchgate.services.ports import Clock

__all__ = ["BATCH_ROWS", "LOCK_NAME", "PROBLEMS", "Ingester"]

LOCK_NAME = "ingester.lock"
BATCH_ROWS = 100_000
"""How many rows a transaction moves at most: the more, the less often the same pages of an index are written."""

PROBLEMS = {
    Condition.DAMAGED: "its header is damaged",
    Condition.OTHER_VERSION: "another release of Latchgate wrote it; that one can read it",
}
"""Why a segment is left as it is."""

_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class _Step:
    batch: Batch
    more: bool
    """Whether the segment may hold more already."""


class Ingester:
    """Moves rows; any thread and any process may, one at a time by the lock in the segments' folder."""

    def __init__(
        self,
        folder: Path,
        database: LogDatabase,
        clock: Clock,
        report: Callable[..., object] = lambda _event, **_details: None,
        batch_rows: int = BATCH_ROWS,
        measures: Measures | None = None,
    ) -> None:
        """Take the folder of the segments, and whom to tell of what is lost or cannot be read: a logger's method."""
        measures = measures or Measures.alone()
        self._count_rows, self._count_batch = measures.counter("rows_ingested"), measures.counter("batches")
        self.folder = folder
        self.database = database
        self._clock = clock
        self._report = report
        self._batch_rows = batch_rows
        self._host = socket.gethostname()
        self._decoder = RowDecoder()
        # What this process found unreadable is left until the next start, and told once.
        self._aside: set[str] = set()
        self._failing: dict[str, str] = {}
        self._tallies: dict[str, dict[int, int]] = {}

    def ingest_once(self) -> int:
        """Move what is there; tell how many rows that were. Nothing if another is at it.

        Raises:
            StorageError: The log database is full, locked or unreachable. What was moved before stays moved.
        """
        with self._alone() as alone:
            return self._move_all() if alone else 0

    def ingest_some(self, rows_max: int) -> None:
        """Move at most so many rows, unless another is at it: whoever cannot wait helps on that nothing stands still.

        Raises:
            StorageError: As `ingest_once`.
        """
        with self._alone() as alone:
            if alone:
                self._move_all(rows_max)

    def catch_up(self, wait_seconds: float) -> int:
        """Bring in what was in the segments when this was called, or wait until another has done so.

        Args:
            wait_seconds: How long to wait for whoever is at it.

        Returns:
            How many rows are still missing in the database: 0, unless it cannot be written or whoever is at it stands
            still.

        Raises:
            StorageError: The database cannot be read, or a segment.
        """
        ends = self.find_ends()
        missing = self.count_missing(ends)
        deadline = time.monotonic() + wait_seconds
        while missing:
            try:
                with self._alone() as alone:
                    if alone:
                        self._move_all()
            except StorageError:
                return self.count_missing(ends)
            missing = self.count_missing(ends)
            if alone or time.monotonic() >= deadline:
                break
            time.sleep(_POLL_SECONDS)
        return missing

    def find_ends(self) -> dict[str, End]:
        """Tell how far each segment goes at this moment. Raises StorageError."""
        segments = list_segments(self.folder)
        return find_ends(segments, self._find_progress(segments)) if segments else {}

    def count_missing(self, ends: Mapping[str, End]) -> int:
        """Tell how many rows the database does not have of segments that go so far. Raises StorageError."""
        if not ends:
            return 0
        with storage_errors("read"), self.database.reading.connect() as connection:
            progress = find_progress(connection, ends)
            tallied = {}
            if any(end.tallied for end in ends.values()):
                counted = (
                    select(log_segment.c.name, func.sum(request_log.c.requests))
                    .join(request_log, request_log.c.segment_id == log_segment.c.id)
                    .where(log_segment.c.name.in_(ends), request_log.c.segment_id.is_not(None), request_log.c.seq < 0)
                    .group_by(log_segment.c.name)
                )
                tallied = {name: int(requests) for name, requests in connection.execute(counted)}
        return sum(end.missing(progress[name], tallied.get(name, 0)) for name, end in ends.items())

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the lock, which ends with the process, or tell that another does."""
        if not self.folder.is_dir():
            yield True
            return
        try:
            descriptor = os.open(self.folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError("The request log's folder cannot be used", detail=str(error)) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)

    def _move_all(self, rows_max: int | None = None) -> int:
        segments = list_segments(self.folder)
        self._forget_all_but({segment.id for segment in segments})
        active, moved = [segment for segment in segments if segment.id not in self._aside], 0
        while active and (rows_max is None or moved < rows_max):
            left = self._batch_rows if rows_max is None else min(self._batch_rows, rows_max - moved)
            steps, active = self._next_steps(active, left)
            batches = [step.batch for _, step in steps]
            if not batches:
                break
            if write_batches(self.database, batches, self._clock.now_us()):
                rows = sum(len(batch.rows) for batch in batches)
                moved += rows
                # Under the lock that lets one ingester alone move: no two threads count at the same time.
                self._count_rows(rows)
                self._count_batch(1)
                for segment, step in steps:
                    self._tell(segment, step.batch)
                    if step.batch.ended:
                        segment.delete()
                    elif step.more:
                        active.append(segment)
            else:
                # Whoever moved it holds no lock that we know of; what it moved is not moved again.
                self._tallies.clear()
                active += [segment for segment, _ in steps]
        return moved

    def _next_steps(
        self, active: Sequence[SegmentFile], left: int
    ) -> tuple[list[tuple[SegmentFile, _Step]], list[SegmentFile]]:
        """Read so many rows as are left to a transaction; give too the segments for which there was no room."""
        progress = self._find_progress(active)
        steps: list[tuple[SegmentFile, _Step]] = []
        for place, segment in enumerate(active):
            if left <= 0:
                return steps, list(active[place:])
            if progress[segment.id].ended:
                segment.delete()
                continue
            step = self._next_step(segment, progress[segment.id], left)
            if step is not None:
                steps.append((segment, step))
                left -= len(step.batch.rows)
        return steps, []

    def _find_progress(self, segments: Iterable[SegmentFile]) -> dict[str, Progress]:
        with storage_errors("read"), self.database.reading.connect() as connection:
            return find_progress(connection, [segment.id for segment in segments])

    def _next_step(self, segment: SegmentFile, progress: Progress, rows_max: int) -> _Step | None:
        try:
            run = read_run(segment.path, (progress.offset, progress.next_seq), rows_max, self._decoder)
            left = rows_max - len(run.rows)
            if not left:
                return _Step(Batch(self._host, progress, run.offset, run.next_seq, run.rows), more=True)
            scanned = segment.scan(run.offset, left, run.next_seq)
        except StorageError as error:
            if segment.path.exists() and self._failing.get(segment.id) != error.detail:
                self._failing[segment.id] = error.detail
                self._report("log_segment_cannot_be_read", segment=segment.id, detail=error.detail)
            return None
        if scanned.condition is not Condition.READABLE:
            return self._set_aside(progress, PROBLEMS[scanned.condition])
        rows = [*run.rows, *((row.seq, row_of(row.entry)) for row in scanned.rows)]
        batch = Batch(
            self._host,
            progress,
            scanned.next_offset,
            scanned.next_seq,
            rows,
            self._new_tallies(segment, scanned),
            scanned.lost,
            scanned.damaged_bytes,
            ended=scanned.dead and scanned.at_end,
        )
        return _Step(batch, more=not scanned.at_end) if _says_something(batch) else None

    def _set_aside(self, progress: Progress, problem: str) -> _Step | None:
        self._aside.add(progress.name)
        if progress.problem == problem:
            return None
        self._report("log_segment_unreadable", segment=progress.name, problem=problem)
        batch = Batch(self._host, progress, progress.offset, progress.next_seq, problem=problem)
        return _Step(batch, more=False)

    def _new_tallies(self, segment: SegmentFile, scanned: Scanned) -> list[tuple[int, Row]]:
        known = self._tallies.get(segment.id, {})
        return [
            (-1 - tally.entry, row_of(tally.row(segment.id)))
            for tally in scanned.tallies
            if known.get(tally.entry) != tally.requests
        ]

    def _tell(self, segment: SegmentFile, batch: Batch) -> None:
        if batch.tallies:
            known = self._tallies.setdefault(segment.id, {})
            known.update((-1 - seq, row[-1]) for seq, row in batch.tallies)
        if batch.lost or batch.damaged_bytes:
            self._report("log_rows_lost", segment=segment.id, records=batch.lost, damaged_bytes=batch.damaged_bytes)

    def _forget_all_but(self, there: set[str]) -> None:
        self._aside &= there
        for kept in (self._failing, self._tallies):
            for name in kept.keys() - there:
                del kept[name]


def _says_something(batch: Batch) -> bool:
    before = batch.before
    return bool(
        batch.rows
        or batch.tallies
        or batch.lost
        or batch.damaged_bytes
        or batch.ended
        or before.problem
        or (before.id is not None and (batch.offset, batch.next_seq) != (before.offset, before.next_seq))
    )
