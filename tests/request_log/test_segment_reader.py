"""What is damaged costs itself alone: all other rows are read, and what is missing is counted."""

import fcntl
import os
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from struct import Struct
from zlib import crc32

import pytest

from latchgate.core.log_entries import LogEntry
from latchgate.errors import StorageError
from latchgate.request_log.records import encode
from latchgate.request_log.segment_layout import (
    APPENDED_AT,
    HEADER_BYTES,
    LENGTH,
    RECORD_HEAD,
    SEQUENCE,
    VERSION,
    Header,
    aligned,
    find_version,
    parse_header,
    record_checksum,
    tally_at,
    write_header,
)
from latchgate.request_log.segment_reader import Condition, SegmentFile, list_segments
from support.host_log import SMALL, open_segments
from support.log_rows import make_row
from support.old_records import OLD_RECORDS, make_old
from support.segment_reading import read_segment

_ROWS = 40
_START = Struct("<8sII")


def _write(folder: Path, rows: list[LogEntry]) -> SegmentFile:
    """Write rows as a process that has ended since."""
    with closing(open_segments(folder)) as log:
        for row in rows:
            log.append(encode(row))
    (segment,) = list_segments(folder)
    return segment


@pytest.fixture
def rows() -> list[LogEntry]:
    """What was written."""
    return [make_row(path="/" + "x" * (number * 29 % 300)) for number in range(_ROWS)]


@pytest.fixture
def segment(tmp_path: Path, rows: list[LogEntry]) -> SegmentFile:
    """A segment that a process left."""
    return _write(tmp_path / "log", rows)


@pytest.fixture
def offsets(segment: SegmentFile) -> list[int]:
    """Where the records lie, and where the next would."""
    scanned = segment.scan()
    return [row.offset for row in scanned.rows] + [scanned.next_offset]


def _change(segment: SegmentFile, offset: int, what: bytes) -> None:
    with segment.path.open("r+b") as file:
        file.seek(offset)
        file.write(what)


def _flip(segment: SegmentFile, offset: int) -> None:
    byte = segment.path.read_bytes()[offset]
    _change(segment, offset, bytes([byte ^ 0x10]))


@pytest.mark.parametrize("place", [0, 1, 4, 8, 15, 16, 40], ids=lambda place: f"byte {place}")
@pytest.mark.parametrize("number", [0, 1, 20, _ROWS - 1])
def test_a_damaged_record_costs_itself(
    segment: SegmentFile, rows: list[LogEntry], offsets: list[int], number: int, place: int
) -> None:
    """Whichever byte of whichever record is changed, that row is lost and counted, and no other."""
    _flip(segment, offsets[number] + place)

    found = read_segment(segment, rows_max=7)

    assert found.entries == rows[:number] + rows[number + 1 :]
    assert found.lost == 1


def test_damage_in_a_row_costs_what_it_covers(segment: SegmentFile, rows: list[LogEntry], offsets: list[int]) -> None:
    """Where a stretch of the file was overwritten, the rows in it are lost, and those after it are not."""
    noise = random.Random(1).randbytes(offsets[30] - offsets[10] - 5)  # noqa: S311  # noise
    _change(segment, offsets[10] + 2, noise)

    found = read_segment(segment)

    assert found.entries == rows[:10] + rows[30:]
    assert found.lost == 20


def test_pages_that_never_reached_the_disk_are_counted(
    segment: SegmentFile, rows: list[LogEntry], offsets: list[int]
) -> None:
    """A power cut may leave zeros in the middle or at the end: what was there is known by its number."""
    _change(segment, offsets[5], bytes(offsets[8] - offsets[5]))
    _change(segment, offsets[35], bytes(offsets[_ROWS] - offsets[35]))

    found = read_segment(segment)

    assert found.entries == rows[:5] + rows[8:35]
    assert found.lost == 3 + 5


@pytest.mark.parametrize("kept", [0, 7, 39])
def test_a_truncated_file_gives_what_is_left(
    segment: SegmentFile, rows: list[LogEntry], offsets: list[int], kept: int
) -> None:
    """Rows before the end are read, one that the end cuts is not, and what is missing is counted."""
    os.truncate(segment.path, offsets[kept] + 20)

    found = read_segment(segment)

    assert found.entries == rows[:kept]
    assert found.lost == _ROWS - kept


@pytest.mark.parametrize("length", [0, 1, HEADER_BYTES - 1])
def test_a_file_without_a_header_is_damaged(segment: SegmentFile, length: int) -> None:
    """Nothing can be told of it, and nothing is; it is listed all the same."""
    os.truncate(segment.path, length)

    scanned = segment.scan()

    assert (scanned.condition, scanned.dead, scanned.rows, scanned.at_end) == (Condition.DAMAGED, True, [], True)
    assert [one.id for one in list_segments(segment.path.parent)] == [segment.id]


@pytest.mark.parametrize("place", [0, 8, 12, 16, 60, 70])
def test_a_damaged_header_is_read_from_its_copy(segment: SegmentFile, rows: list[LogEntry], place: int) -> None:
    """One flipped bit, or a first page that is gone, costs no row."""
    _flip(segment, place)
    assert read_segment(segment).entries == rows

    _change(segment, 0, bytes(4096))
    found = read_segment(segment)
    assert (found.entries, found.lost) == (rows, 0)


def test_a_header_and_copy_that_are_damaged_are_told(segment: SegmentFile) -> None:
    """Without the seed nobody knows a record from noise."""
    _flip(segment, 20)
    _flip(segment, segment.path.stat().st_size - HEADER_BYTES + 20)

    assert segment.scan().condition is Condition.DAMAGED


def test_another_version_is_left_alone(segment: SegmentFile) -> None:
    """A segment of a newer release is known as such, and is not taken for a damaged one."""
    raw = segment.path.read_bytes()[:HEADER_BYTES]
    header = parse_header(raw)
    assert header is not None
    assert write_header(header) == raw
    newer = _of_version(header, VERSION + 1)
    _change(segment, 0, newer)
    _change(segment, segment.path.stat().st_size - HEADER_BYTES, newer)

    assert find_version(newer) == VERSION + 1
    assert segment.scan().condition is Condition.OTHER_VERSION


def test_a_segment_of_the_release_before_is_read(tmp_path: Path) -> None:
    """Its rows, and its tallies: what was written before an update is not lost by it."""
    with closing(open_segments(tmp_path / "log")) as log:
        for payload in OLD_RECORDS:
            log.append(payload)
    (segment,) = list_segments(tmp_path / "log")
    make_old(segment.path)
    assert find_version(segment.path.read_bytes()[:HEADER_BYTES]) == 1

    found = read_segment(segment)

    assert (found.entries, found.lost) == (list(OLD_RECORDS.values()), 0)


def test_a_torn_record_is_none(segment: SegmentFile, rows: list[LogEntry], offsets: list[int]) -> None:
    """What a writer had begun to store when it died was answered to nobody: it is not there, and not lost."""
    header = _header(segment)
    payload = encode(make_row())
    checksum = record_checksum(header.seed, len(payload), _ROWS + 1, payload)
    _change(segment, offsets[_ROWS] + LENGTH.size, SEQUENCE.pack(checksum, _ROWS + 1) + payload)

    found = read_segment(segment)

    assert (found.entries, found.lost) == (rows, 0)


def test_a_payload_forges_no_record(tmp_path: Path) -> None:
    """A caller who writes what would be a record into his user agent gets no row of his own, damaged file or not."""
    forged = encode(make_row(user="Administrator", request_id="forged"))
    text = (RECORD_HEAD.pack(len(forged), record_checksum(0, len(forged), 2, forged), 2) + forged).decode("latin-1")
    rows = [make_row(path="x" * shift + text) for shift in range(8)]
    segment = _write(tmp_path / "log", rows)
    for row in segment.scan().rows:
        _flip(segment, row.offset + 5)

    found = read_segment(segment)

    assert found.entries == []
    assert found.lost == len(rows)


def test_a_whole_record_that_is_no_row_is_lost(tmp_path: Path) -> None:
    """What a later release may have put there is counted, and the rows around it are read."""
    rows = [make_row(), make_row()]
    with closing(open_segments(tmp_path)) as log:
        log.append(encode(rows[0]))
        log.append(b"\x63" + encode(rows[0])[1:])
        log.append(encode(rows[1]))

    found = read_segment(list_segments(tmp_path)[0])

    assert (found.entries, found.lost) == (rows, 1)


def test_a_living_segment_is_not_judged(segment: SegmentFile, rows: list[LogEntry], offsets: list[int]) -> None:
    """While its writer lives, what cannot be read yet is left for later; nothing is passed over and nothing counted."""
    _flip(segment, offsets[5] + 20)
    with segment.path.open("r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        living = segment.scan()
        assert (living.dead, living.at_end, living.lost, living.next_offset) == (False, True, 0, offsets[5])
        assert [row.entry for row in living.rows] == rows[:5]
        _flip(segment, offsets[5] + 20)
        rest = segment.scan(living.next_offset, 100, living.next_seq)

    assert [row.entry for row in rest.rows] == rows[5:]


def test_loss_is_counted_once(segment: SegmentFile, offsets: list[int]) -> None:
    """Whoever goes on from where a step came to does not meet the same loss again, at the end neither."""
    _flip(segment, offsets[3] + 20)
    _flip(segment, offsets[_ROWS - 1] + 20)
    steps = []
    offset, seq = 0, 1
    for _ in range(30):
        steps.append(segment.scan(offset, 2, seq))
        offset, seq = steps[-1].next_offset, steps[-1].next_seq

    assert sum(step.lost for step in steps) == 2
    assert seq == _ROWS + 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda segment: _flip(segment, tally_at(0) + 30),
        lambda segment: _flip(segment, tally_at(0) + 9),
    ],
    ids=["address", "checksum"],
)
def test_a_damaged_tally_tells_nothing(tmp_path: Path, damage: Callable[[SegmentFile], None]) -> None:
    """A count whose address cannot be told is nobody's; the others stand."""
    rules = SMALL
    with closing(open_segments(tmp_path, rules)) as log:
        for address in ("192.0.2.1", "192.0.2.2"):
            for _ in range(rules.refusals.per_address + 1):
                log.append_refused(make_row(ip_address=address, reason="unknown_key"))
    (segment,) = list_segments(tmp_path)
    damage(segment)

    assert [tally.address for tally in read_segment(segment).tallies] == ["192.0.2.2"]


def test_an_impossible_count_is_not_believed(segment: SegmentFile) -> None:
    """A count of records that the file could not hold counts nothing as lost."""
    _change(segment, APPENDED_AT, b"\xff" * 8)

    assert read_segment(segment).lost == 0


def test_segments_come_in_the_order_of_their_making(tmp_path: Path) -> None:
    """Whatever their names are; what is no segment is not listed, and where there is no folder there is none."""
    assert list_segments(tmp_path / "none") == []
    with closing(open_segments(tmp_path)) as log:
        for _ in range(5):
            log.append(encode(make_row()))
            log.close()
    (tmp_path / "ingester.lock").touch()
    (tmp_path / f"{'0' * 32}.new").touch()

    times = [row.entry.time for segment in list_segments(tmp_path) for row in segment.scan().rows]

    assert len(times) == 5
    assert times == sorted(times)


def test_a_segment_that_is_gone_is_told(segment: SegmentFile) -> None:
    """Deleting twice is once; reading what was deleted meanwhile is a failure of its own kind."""
    segment.delete()
    segment.delete()

    with pytest.raises(StorageError, match="cannot be read"):
        segment.scan()


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """What cannot be listed or deleted says why."""
    (tmp_path / "log").write_text("a file")
    (tmp_path / f"{'0' * 32}.segment").mkdir()

    with pytest.raises(StorageError, match="cannot be listed"):
        list_segments(tmp_path / "log")
    with pytest.raises(StorageError, match="cannot be deleted"):
        SegmentFile("0" * 32, tmp_path / f"{'0' * 32}.segment", 0).delete()


def _header(segment: SegmentFile) -> Header:
    header = parse_header(segment.path.read_bytes()[:HEADER_BYTES])
    assert header is not None
    assert aligned(header.records_at) == header.records_at
    return header


def _of_version(header: Header, version: int) -> bytes:
    fields = write_header(header)[_START.size :]
    return _START.pack(b"lgatelog", version, crc32(fields, version)) + fields
