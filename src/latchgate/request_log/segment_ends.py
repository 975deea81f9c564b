"""What segments hold that the log database may not have yet: how far they go, and their rows."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latchgate.core.log_entries import LogEntry
from latchgate.errors import StorageError
from latchgate.request_log.batches import Progress
from latchgate.request_log.rows import storable_entry
from latchgate.request_log.segment_layout import (
    APPENDED,
    APPENDED_AT,
    HEADER_BYTES,
    RECORD_HEAD,
    TALLY_BYTES,
    Header,
    aligned,
    counted_tallies,
    parse_header,
    parse_tally,
    tally_at,
)
from latchgate.request_log.segment_reader import Condition, Scanned, SegmentFile, list_segments

__all__ = ["PENDING_ROWS_MAX", "End", "Pending", "PendingRow", "count_appended", "find_ends", "read_pending"]

PENDING_ROWS_MAX = 200_000
"""How many rows may be read from the segments themselves; a log that is further behind is no log to read."""
_ROWS_AT_ONCE = 10_000
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class End:
    """How far a segment goes at one moment."""

    next_seq: int
    tallied: int
    """How many requests its tallies stand for."""

    def missing(self, progress: Progress, tallied: int) -> int:
        """Tell how many of its rows the database does not have, which is as far as that and counted as many."""
        if progress.ended:
            return 0
        return max(self.next_seq - progress.next_seq, 0) + (self.tallied > tallied)


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row as its segment holds it. `seq` is below 0 for a tally, as in the database."""

    segment: str
    seq: int
    entry: LogEntry


@dataclass(frozen=True, slots=True)
class Pending:
    """What was read from the segments themselves."""

    rows: Sequence[PendingRow]
    read: Mapping[str, tuple[int, int]]
    """By segment: the first number that was read, and the first that was not."""
    tallies: frozenset[tuple[str, int]] = frozenset()
    """Segment and number of the rows that are tallies."""

    def holds(self, segment: str | None, seq: int | None) -> bool:
        """Tell whether a row of the database is among these too, since it was moved there meanwhile."""
        if segment is None or seq is None or segment not in self.read:
            return False
        first, end = self.read[segment]
        return first <= seq < end or (segment, seq) in self.tallies


def find_ends(segments: Iterable[SegmentFile], progress: Mapping[str, Progress]) -> dict[str, End]:
    """Tell how far each segment goes that can be read, knowing how far it was read. Raises StorageError."""
    ends = {}
    for segment in segments:
        known = progress[segment.id]
        try:
            end = None if known.ended else _find_end(segment, known)
        except FileNotFoundError:
            # Deleted since it was listed: all it held is in the database.
            continue
        except OSError as error:
            raise StorageError("A segment of the request log cannot be read", detail=str(error)) from error
        if end is not None:
            ends[segment.id] = end
    return ends


def count_appended(segment: SegmentFile) -> int:
    """Tell how many records a segment holds, as it says itself, without looking at them; 0 of one that is no more.

    One that was being written when its process died may not be among them.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _appended(descriptor, parse_header(os.pread(descriptor, HEADER_BYTES, 0)))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageError("A segment of the request log cannot be read", detail=str(error)) from error


def read_pending(folder: Path, progress: Mapping[str, Progress]) -> Pending:
    """Read the rows that follow where the database is, in the order of each segment.

    Raises:
        StorageError: A segment cannot be read, or there are more than PENDING_ROWS_MAX.
        FileNotFoundError: One was deleted meanwhile, since the database has all of it: look again.
    """
    rows: list[PendingRow] = []
    read: dict[str, tuple[int, int]] = {}
    for segment in list_segments(folder):
        known = progress.get(segment.id, Progress(segment.id))
        if known.ended:
            continue
        first = end = known.next_seq
        tallies: list[PendingRow] = []
        for scanned in _steps(segment, known):
            rows += (PendingRow(segment.id, row.seq, storable_entry(row.entry)) for row in scanned.rows)
            end = scanned.next_seq
            tallies = [PendingRow(segment.id, -1 - one.entry, one.row(segment.id)) for one in scanned.tallies]
            if len(rows) > PENDING_ROWS_MAX:
                raise StorageError(
                    f"The request log is behind by more than {PENDING_ROWS_MAX:,} rows; what keeps latchgate from "
                    "moving them into its database is told by: latchgate doctor"
                )
        rows += tallies
        read[segment.id] = first, end
    return Pending(rows, read, frozenset((row.segment, row.seq) for row in rows if row.seq < 0))


def _steps(segment: SegmentFile, known: Progress) -> Iterator[Scanned]:
    offset, seq = known.offset, known.next_seq
    while True:
        try:
            scanned = segment.scan(offset, _ROWS_AT_ONCE, seq)
        except StorageError:
            if not segment.path.exists():
                raise FileNotFoundError(segment.path) from None
            raise
        if scanned.condition is not Condition.READABLE:
            return
        yield scanned
        if scanned.at_end:
            return
        offset, seq = scanned.next_offset, scanned.next_seq


def _find_end(segment: SegmentFile, known: Progress) -> End | None:
    descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        header = parse_header(os.pread(descriptor, HEADER_BYTES, 0))
        if header is not None:
            # Tallies, count and records are read in the order that leaves out nothing that was there before.
            tallied = _tallied(os.pread(descriptor, header.tallies * TALLY_BYTES, tally_at(0)), header)
            appended = _appended(descriptor, header)
            # Where a file is not written through memory, the count is behind.
            return End(max(appended + 1, _walk(descriptor, header, known)), tallied)
    finally:
        os.close(descriptor)
    # Its header is damaged, with which goes the count: what can be read is counted one by one.
    end = None
    for scanned in _steps(segment, known):
        end = End(scanned.next_seq, sum(tally.requests for tally in scanned.tallies))
    return end


def _appended(descriptor: int, header: Header | None) -> int:
    raw = os.pread(descriptor, APPENDED.size, APPENDED_AT)
    if header is None or len(raw) < APPENDED.size:
        return 0
    appended: int = APPENDED.unpack(raw)[0]
    # More than there is room for cannot be true.
    return appended if appended <= header.size // RECORD_HEAD.size else 0


def _walk(descriptor: int, header: Header, known: Progress) -> int:
    """Go from record to record, whatever they hold, and tell the number that the next would have."""
    offset, seq = known.offset or header.records_at, known.next_seq
    chunk, start = b"", offset
    while True:
        if offset + RECORD_HEAD.size > start + len(chunk):
            chunk, start = os.pread(descriptor, _CHUNK_BYTES, offset), offset
            if len(chunk) < RECORD_HEAD.size:
                return seq
        length, _, number = RECORD_HEAD.unpack_from(chunk, offset - start)
        if not length or number != seq:
            return seq
        offset, seq = aligned(offset + RECORD_HEAD.size + length), seq + 1


def _tallied(raw: bytes, header: Header) -> int:
    found = (parse_tally(header.seed, entry, one) for entry, one in counted_tallies(raw))
    return sum(tally[0] for tally in found if tally)
