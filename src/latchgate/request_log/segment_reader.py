"""Reading segments, whoever writes them, living or dead: bytes are copied out, then the copy is judged.

Nothing is mapped here: what may be truncated meanwhile would kill the reader.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from latchgate.core.log_entries import LogEntry
from latchgate.core.principals import Reason
from latchgate.errors import StorageError
from latchgate.request_log.records import RECORD_BYTES_MAX, decode
from latchgate.request_log.segment_layout import (
    APPENDED,
    APPENDED_AT,
    HEADER_BYTES,
    RECORD_HEAD,
    SUFFIX,
    TALLY_BYTES,
    VERSIONS,
    Header,
    aligned,
    counted_tallies,
    find_version,
    parse_header,
    parse_tally,
    record_checksum,
    tally_at,
)

__all__ = ["Condition", "Row", "Scanned", "SegmentFile", "Tally", "list_segments"]

_CHUNK_BYTES = 256 * 1024
_NAME = re.compile(rf"([0-9a-f]{{32}}){re.escape(SUFFIX)}")
_NOT_ZERO = re.compile(rb"[^\0]")
_MINUTE_US = 60_000_000
_UNAUTHORIZED = 401


class Row(NamedTuple):
    """A row with its number in the segment, which begins with 1, and where its record lies."""

    seq: int
    offset: int
    entry: LogEntry


class Tally(NamedTuple):
    """How many requests of an address in a minute were refused beyond the quota, and so have no row of their own.

    `requests` is absolute and only ever grows: whoever keeps it by (segment, entry) may read it as often as they like.
    """

    entry: int
    address: str
    """As failures are counted: an IPv4 address or an IPv6 /64; empty for all others together."""
    minute: int
    """Since 1970."""
    requests: int

    def row(self, segment_id: str) -> LogEntry:
        """Give the one row that stands for them."""
        return LogEntry(
            time=self.minute * _MINUTE_US,
            # The same each time it is read, and no other row's: the segment's random id, made different by the entry.
            request_id=f"{int(segment_id, 16) ^ (self.entry + 1):032x}",
            user=None,
            api_key=None,
            scheme=None,
            source=None,
            method="",
            path="",
            # They were answered in more ways than one; most of them so.
            status=_UNAUTHORIZED,
            seconds=0.0,
            ip_address=self.address,
            user_agent="",
            reason=Reason.MORE_REFUSED.value,
            requests=self.requests,
        )


class Condition(Enum):
    """Whether a segment can be read at all."""

    READABLE = "readable"
    DAMAGED = "damaged"
    """Its header is, and the copy of it too: nobody can tell what its bytes mean."""
    OTHER_VERSION = "other_version"
    """Another release wrote it, and can read it."""


@dataclass(slots=True)
class Scanned:
    """What one step found."""

    dead: bool
    """Whether its writer is gone: then nothing will be added to what it holds."""
    condition: Condition = Condition.READABLE
    rows: list[Row] = field(default_factory=list)
    next_offset: int = 0
    """Where the next step goes on."""
    next_seq: int = 1
    """What number it begins with."""
    lost: int = 0
    """How many rows were appended that cannot be read any more, as far as this step can tell."""
    damaged_bytes: int = 0
    """How many bytes were passed over because of them."""
    at_end: bool = False
    """Whether all that is there has been read. If the segment is dead too, it has no more to give."""
    tallies: list[Tally] = field(default_factory=list)
    """All of them, at every step."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment by its place."""

    id: str
    """Thirty-two hex digits."""
    path: Path
    made_us: int
    """Microseconds since 1970; of one whose header cannot be read, when it was last written to."""

    def scan(self, offset: int = 0, rows_max: int = 10_000, next_seq: int = 1) -> Scanned:
        """Read on from where the last step came to; 0 and 1 begin.

        Raises:
            StorageError: The file cannot be opened or read; it may have been deleted meanwhile.
        """
        with _opened(self.path) as descriptor:
            # First, and only then the bytes: what a writer appends before it dies must not be missed.
            dead = _is_dead(descriptor)
            header, trusted, condition = _find_header(descriptor)
            if header is None:
                return Scanned(dead, condition, next_offset=offset, next_seq=next_seq, at_end=True)
            step = _Step(descriptor, header, Scanned(dead))
            step.read_records(offset or header.records_at, rows_max, next_seq)
            if trusted:
                step.count_missing_end()
            step.read_tallies()
            return step.scanned

    def delete(self) -> None:
        """Delete the file; one that is gone is gone. Raises StorageError."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError("A segment of the request log cannot be deleted", detail=str(error)) from error


def list_segments(folder: Path) -> list[SegmentFile]:
    """List the segments of a folder in the order of their making; none if there is no such folder.

    Raises:
        StorageError: The folder cannot be read.
    """
    found = []
    try:
        for path in folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name:
                with suppress(FileNotFoundError):
                    found.append(SegmentFile(name[1], path, _made(path)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError("The request log's segments cannot be listed", detail=str(error)) from error
    return sorted(found, key=lambda segment: (segment.made_us, segment.id))


def _made(path: Path) -> int:
    try:
        with _opened(path) as descriptor:
            header = _find_header(descriptor)[0]
    except StorageError:
        header = None
    return header.made_us if header else path.stat().st_mtime_ns // 1000


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY)
        yield descriptor
    except OSError as error:
        raise StorageError("A segment of the request log cannot be read", detail=str(error)) from error
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _is_dead(descriptor: int) -> bool:
    # The lock belongs to what was opened, not to the process: this is refused in the writer's own process too, and
    # closing this descriptor lets go only what was taken here. Shared, so that no reader takes another for the writer.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _find_header(descriptor: int) -> tuple[Header | None, bool, Condition]:
    """Find the header or its copy; tell too whether it was the header itself, whose page holds the count."""
    first = os.pread(descriptor, HEADER_BYTES, 0)
    header = parse_header(first)
    if header:
        return header, True, Condition.READABLE
    size = os.fstat(descriptor).st_size
    last = os.pread(descriptor, HEADER_BYTES, max(size - HEADER_BYTES, 0))
    header = parse_header(last)
    if header and header.size == size:
        return header, False, Condition.READABLE
    versions = {find_version(first), find_version(last)} - {None, *VERSIONS}
    return None, False, Condition.OTHER_VERSION if versions else Condition.DAMAGED


class _Step:
    """One step through a segment."""

    def __init__(self, descriptor: int, header: Header, scanned: Scanned) -> None:
        self.scanned = scanned
        self._descriptor = descriptor
        self._header = header
        # A truncated file ends before it should.
        self._end = min(header.records_end, os.fstat(descriptor).st_size)
        self._start, self._chunk = 0, b""

    def read_records(self, offset: int, rows_max: int, seq: int) -> None:
        """Read records until there are enough, or no more."""
        scanned = self.scanned
        while len(scanned.rows) < rows_max:
            found = self._find_record(offset, seq)
            if found is None:
                scanned.at_end = True
                if not scanned.dead:
                    break
                at = self._search(offset, seq)
                if at is None:
                    break
                scanned.at_end = False
                scanned.damaged_bytes += at - offset
                offset = at
                continue
            number, payload = found
            scanned.lost += number - seq
            try:
                scanned.rows.append(Row(number, offset, decode(payload)))
            except ValueError:
                scanned.lost += 1
            offset, seq = aligned(offset + RECORD_HEAD.size + len(payload)), number + 1
        scanned.next_offset, scanned.next_seq = offset, seq

    def count_missing_end(self) -> None:
        """Count the records after the last that could be read, of a segment to which none will be added."""
        scanned = self.scanned
        if not (scanned.dead and scanned.at_end):
            return
        (appended,) = APPENDED.unpack(os.pread(self._descriptor, APPENDED.size, APPENDED_AT))
        missing = appended + 1 - scanned.next_seq
        if 0 < missing <= self._header.size // RECORD_HEAD.size:
            scanned.lost += missing
            scanned.next_seq += missing
            scanned.damaged_bytes += max(self._end - scanned.next_offset, 0)

    def read_tallies(self) -> None:
        """Read the tallies; one that is damaged counts as one row that is lost."""
        header = self._header
        raw = os.pread(self._descriptor, header.tallies * TALLY_BYTES, tally_at(0))
        for entry, one in counted_tallies(raw):
            found = parse_tally(header.seed, entry, one)
            if found:
                count, minute, address = found
                self.scanned.tallies.append(Tally(entry, address.decode("utf-8", "replace"), minute, count))

    def _find_record(self, offset: int, seq: int) -> tuple[int, bytes] | None:
        head = self._bytes(offset, RECORD_HEAD.size)
        if len(head) < RECORD_HEAD.size:
            return None
        length, checksum, number = RECORD_HEAD.unpack(head)
        if not 0 < length <= RECORD_BYTES_MAX or not seq <= number <= seq + self._header.size // RECORD_HEAD.size:
            return None
        payload = self._bytes(offset + RECORD_HEAD.size, length)
        if len(payload) < length or record_checksum(self._header.seed, length, number, payload) != checksum:
            return None
        return number, payload

    def _search(self, offset: int, seq: int) -> int | None:
        """Look for a record after a place where there is none."""
        rest = os.pread(self._descriptor, max(self._end - offset, 0), offset)
        self._start, self._chunk = offset, rest
        place = 8
        while found := _NOT_ZERO.search(rest, place):
            place = found.start() & -8
            if self._find_record(offset + place, seq):
                return offset + place
            place += 8
        return None

    def _bytes(self, offset: int, length: int) -> bytes:
        place = offset - self._start
        if place < 0 or place + length > len(self._chunk):
            wanted = min(max(length, _CHUNK_BYTES), self._end - offset)
            self._start, self._chunk = offset, os.pread(self._descriptor, max(wanted, 0), offset)
            place = 0
        return self._chunk[place : place + length]
