"""Writing the log: what was appended is there, what was promised has room, through memory and by system calls alike."""

import errno
import gc
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from latchgate.core.log_entries import LogEntry
from latchgate.errors import StorageError
from latchgate.request_log.records import RECORD_BYTES_MAX, encode
from latchgate.request_log.refusal_quota import RefusalRules
from latchgate.request_log.segment_files import can_be_mapped
from latchgate.request_log.segment_keeper import SyncPolicy
from latchgate.request_log.segment_layout import TALLIES
from latchgate.request_log.segment_reader import list_segments
from latchgate.request_log.segment_writer import LogRules, Reservation, SegmentLog
from support.host_log import SMALL, open_segments
from support.log_rows import NOON, make_row
from support.segment_reading import read_segments

_LARGEST = b"x" * RECORD_BYTES_MAX
_MINUTE = 60_000_000
_COUNT_CALL = 3
"""The third call by which a row is written tells how many there are."""


@pytest.fixture(params=["mapped", "written"])
def rules(request: pytest.FixtureRequest) -> LogRules:
    """Rules of each way to write."""
    return replace(SMALL, mapped=request.param == "mapped")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where no segment is yet."""
    return tmp_path / "log"


@pytest.fixture
def log(folder: Path, rules: LogRules) -> Iterator[SegmentLog]:
    """A log of each way to write."""
    with closing(open_segments(folder, rules)) as log:
        yield log


def test_rows_are_there_as_soon_as_they_were_appended(log: SegmentLog, folder: Path) -> None:
    """Whoever reads meanwhile, in the same process, finds each row once, and sees that its writer lives."""
    rows = [make_row() for _ in range(50)]
    for row in rows:
        log.append(encode(row))

        assert read_segments(folder, rows_max=7).entries == rows[: rows.index(row) + 1]

    assert not any(read_segments(folder).dead)
    log.close()
    found = read_segments(folder)
    assert (found.entries, found.lost, found.dead) == (rows, 0, [True])


def test_reading_takes_no_lock_from_the_writer(log: SegmentLog, folder: Path) -> None:
    """A reader in the writer's process, opening and closing what it writes, does not make it look dead."""
    log.append(encode(make_row()))

    for _ in range(3):
        assert read_segments(folder).dead[0] is False


def test_nothing_is_made_before_there_is_a_row(log: SegmentLog, folder: Path) -> None:
    """A command that only reads leaves no trace, and one that only reserved leaves none once it has closed."""
    assert not folder.exists()

    log.reserve()

    assert list_segments(folder)
    log.close()
    assert list(folder.iterdir()) == []


def test_segments_are_their_owners_alone(log: SegmentLog, folder: Path) -> None:
    """Nobody else on the machine can read who asked for what, whatever the umask."""
    umask = os.umask(0)
    try:
        log.append(encode(make_row()))
        # Or the keeper's thread makes it while the files are looked at.
        log.prepare_spare()
    finally:
        os.umask(umask)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_full_segment_is_followed_by_another(log: SegmentLog, folder: Path) -> None:
    """Rows go on where there is room, none is lost between two segments, and a segment that is full is let go."""
    rows = [make_row(path="/" + "x" * 1000) for _ in range(3000)]
    for row in rows:
        log.append(encode(row))

    log.sync()
    found = read_segments(folder)

    assert found.entries == rows
    assert found.lost == 0
    assert len(list_segments(folder)) >= 3
    assert found.dead[0]


def test_threads_may_append_at_once(log: SegmentLog, folder: Path) -> None:
    """Rows of several threads are all there, each once."""
    rows = [make_row() for _ in range(800)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(log.append, map(encode, rows)))

    found = read_segments(folder)
    assert sorted(entry.time for entry in found.entries) == [row.time for row in rows]
    assert found.lost == 0


def test_a_closed_log_opens_again(log: SegmentLog, folder: Path) -> None:
    """Closing twice is once, and a late row is not lost."""
    rows = [make_row(), make_row()]
    log.append(encode(rows[0]))
    log.close()
    log.close()

    log.append(encode(rows[1]))

    assert read_segments(folder).entries == rows


# Room


def _reserve_all(log: SegmentLog) -> list[Reservation]:
    reserved = []
    with suppress(StorageError):
        while True:
            reserved.append(log.reserve())
    return reserved


def _write_all(log: SegmentLog, rows: Sequence[LogEntry]) -> int:
    """Write rows until the log is full; tell how many there was room for."""
    for number, row in enumerate(rows):
        try:
            reservation = log.reserve()
        except StorageError:
            return number
        log.append(encode(row), reservation)
    raise AssertionError("the log has more room than it should")


def test_what_was_reserved_has_room(folder: Path, rules: LogRules) -> None:
    """Of many that reserved, each can write the largest row, whatever others write without a reservation meanwhile."""
    rules = replace(rules, backlog_bytes=4 * rules.segment_bytes)
    with closing(open_segments(folder, rules)) as log:
        reserved = _reserve_all(log)
        with pytest.raises(StorageError):
            log.append(encode(make_row()))

        for reservation in reserved:
            log.append(_LARGEST, reservation)

        log.sync()
    assert len(reserved) == 4 * log._slots
    # They were written whole, but are no rows.
    assert read_segments(folder).lost == len(reserved)


def test_room_that_is_not_needed_comes_back(folder: Path, rules: LogRules) -> None:
    """A request that ended without a row, or whose end nobody saw, holds up no other."""
    rules = replace(rules, backlog_bytes=rules.segment_bytes)
    with closing(open_segments(folder, rules)) as log:
        for _ in range(3 * log._slots):
            log.reserve()
        for _ in range(3 * log._slots):
            log.reserve().release()
        kept = [log.reserve() for _ in range(log._slots)]
        with pytest.raises(StorageError):
            log.reserve()

        kept[0].release()
        kept[0].release()

        again = log.reserve()
        with pytest.raises(StorageError):
            log.reserve()
        del again, kept
        gc.collect()
        log.reserve()


def test_a_full_log_is_told_and_goes_on_later(folder: Path, rules: LogRules) -> None:
    """Nothing is written over; once what was read has been deleted there is room again, and no row was lost."""
    rules = replace(rules, backlog_bytes=2 * rules.segment_bytes)
    rows = [make_row(path="/" + "x" * 900) for _ in range(3000)]
    with closing(open_segments(folder, rules)) as log:
        written = _write_all(log, rows)
        rows = rows[:written]
        with pytest.raises(StorageError) as raised:
            log.reserve()
        assert "LATCHGATE_LOG_BACKLOG_BYTES" in raised.value.detail
        log.sync()
        assert read_segments(folder).entries == rows
        list_segments(folder)[0].delete()

        after = make_row()
        log.append(encode(after), log.reserve())

        assert read_segments(folder).entries[-1] == after


def test_a_full_disk_is_told_before_anything_is_done(
    log: SegmentLog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk has not the room for a segment none is begun, and rows go on once it has."""
    full = True
    fallocate = os.posix_fallocate

    def refuse(descriptor: int, offset: int, length: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fallocate(descriptor, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(StorageError, match="no room") as raised:
        log.reserve()
    assert "No space left" in raised.value.detail
    assert list(folder.iterdir()) == []

    full = False
    row = make_row()
    log.append(encode(row), log.reserve())
    assert read_segments(folder).entries == [row]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, rules: LogRules) -> None:
    """Where a file stands in the way nothing is written, and why is said."""
    (tmp_path / "file").write_text("in the way")
    with closing(open_segments(tmp_path / "file" / "log", rules)) as log, pytest.raises(StorageError, match="folder"):
        log.reserve()


def test_what_a_dead_maker_left_is_cleared_away(log: SegmentLog, folder: Path) -> None:
    """A file that was never finished does not lie there for ever."""
    folder.mkdir(mode=0o700)
    left = folder / f"{'0' * 32}.new"
    left.write_bytes(b"half made")

    log.append(encode(make_row()))

    assert not left.exists()


def test_the_room_is_set_aside_at_once(log: SegmentLog, folder: Path) -> None:
    """A segment takes its blocks when it is made: a hole on a full disk would kill whoever stores into it."""
    log.reserve()

    for segment in list_segments(folder):
        assert segment.path.stat().st_blocks * 512 >= SMALL.segment_bytes


@pytest.mark.parametrize("failing", [1, 2, _COUNT_CALL], ids=["payload", "length", "count"])
@pytest.mark.parametrize("how", ["refused", "short"])
def test_a_system_that_refuses_to_write_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failing: int, how: str
) -> None:
    """Where a system call fails by which a row is written, the row is not there or is whole, and the next one is.

    Only what comes after the length, the number of rows, may fail unnoticed: the row is there, and must not come again.
    """
    pwrite, calls = os.pwrite, count(1)

    def fail(descriptor: int, what: bytes, offset: int) -> int:
        if next(calls) != failing:
            return pwrite(descriptor, what, offset)
        if how == "refused":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pwrite(descriptor, what[:2], offset)

    rows = [make_row(path="/" + "x" * 500), make_row(), make_row()]
    with closing(open_segments(folder, replace(SMALL, mapped=False))) as log:
        log.append(encode(rows[0]))
        log.prepare_spare()
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", fail)
            told = pytest.raises(StorageError, match="cannot be written")
            with told if failing < _COUNT_CALL else nullcontext():
                log.append(encode(rows[1]), log.reserve())
        log.append(encode(rows[2]))

        found = read_segments(folder)
    assert [row for row in found.entries if row != rows[1]] == [rows[0], rows[2]]
    assert found.lost == 0
    assert failing < _COUNT_CALL or found.entries == rows


def test_only_known_file_systems_are_mapped(tmp_path: Path) -> None:
    """Where a stored block may move, or nobody can tell, rows are written by system calls."""
    kinds = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        # What is mounted last on a place is what one sees there.
        kinds[place] = kind
    for place, kind in kinds.items():
        if kind in {"proc", "sysfs", "devpts", "mqueue", "cgroup2"}:
            assert not can_be_mapped(Path(place))
    if kinds.get("/dev/shm") == "tmpfs":
        assert can_be_mapped(Path("/dev/shm"))
    assert not can_be_mapped(tmp_path / "none")


# Refused requests


def _refused(address: str, minute: int = 0) -> LogEntry:
    return make_row(time=NOON + minute * _MINUTE, ip_address=address, user=None, reason="unknown_key", status=401)


def _with_quota(rules: LogRules, per_address: int, in_all: int) -> LogRules:
    return replace(rules, refusals=RefusalRules(per_address, in_all))


def test_refusals_beyond_the_quota_are_counted(folder: Path, rules: LogRules) -> None:
    """Of an address some have rows in a minute; the others are one, which says how many, however often it is read."""
    with closing(open_segments(folder, _with_quota(rules, 3, 100))) as log:
        for minute in (0, 0, 0, 0, 0, 1, 0, 1, 1, 1):
            log.append_refused(_refused("2001:db8::7", minute))
        log.append_refused(_refused("192.0.2.9"))

        first, second = read_segments(folder), read_segments(folder)

    noon = NOON // _MINUTE
    assert first.tallies == second.tallies
    assert [(one.address, one.minute, one.requests) for one in first.tallies] == [
        ("2001:db8::/64", noon, 2),
        ("2001:db8::/64", noon + 1, 2),
    ]
    assert len(first.entries) == 7
    row = first.tallies[0].row(list_segments(folder)[0].id)
    assert (row.requests, row.ip_address, row.time, row.reason) == (
        2,
        "2001:db8::/64",
        NOON // _MINUTE * _MINUTE,
        "more_refused",
    )


def test_many_addresses_share_a_quota(folder: Path, rules: LogRules) -> None:
    """However many addresses junk comes from, it writes so many rows a minute, and no more than its area of tallies."""
    with closing(open_segments(folder, _with_quota(rules, 5, 20))) as log:
        for number in range(3000):
            log.append_refused(_refused(f"10.0.{number // 256}.{number % 256}"))
        for minute in range(1, 200):
            for _ in range(21):
                log.append_refused(_refused("192.0.2.1", minute))
        found = read_segments(folder)
        segments = [segment for segment in list_segments(folder) if segment.scan().rows]

    assert len(segments) == 1
    assert len(found.tallies) <= TALLIES
    assert sum(tally.requests for tally in found.tallies) + len(found.entries) == 3000 + 199 * 21
    others = [tally for tally in found.tallies if not tally.address]
    assert sum(tally.requests for tally in others) > 1000


def test_junk_pushes_no_row_out(folder: Path, rules: LogRules) -> None:
    """While strangers send what they can, a right secret finds room; a full log still counts what strangers send."""
    rules = replace(_with_quota(rules, 10, 10), backlog_bytes=rules.segment_bytes)
    with closing(open_segments(folder, rules)) as log:
        real = []
        for _ in range(log._slots - 12):
            reservation = log.reserve()
            for _ in range(20):
                log.append_refused(_refused("192.0.2.1"))
            real.append(make_row(user="ann@example.com"))
            log.append(encode(real[-1]), reservation)
        kept = _reserve_all(log)

        log.append_refused(_refused("192.0.2.1"))

        found = read_segments(folder)
    assert kept
    assert [row for row in found.entries if row.user] == real
    assert len(found.entries) == len(real) + 10
    assert sum(tally.requests for tally in found.tallies) == 20 * len(real) - 10 + 1


# The disk


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The descriptors that were put on the disk, in their order."""
    descriptors: list[int] = []
    fdatasync = os.fdatasync

    def note(descriptor: int) -> None:
        fdatasync(descriptor)
        descriptors.append(descriptor)

    monkeypatch.setattr(os, "fdatasync", note)
    return descriptors


def test_sync_covers_what_was_appended(folder: Path, rules: LogRules, synced: list[int]) -> None:
    """After `sync` every row before it is on the disk, those of full segments as well; without rows it is idle."""
    with closing(open_segments(folder, replace(rules, policy=SyncPolicy.ALWAYS))) as log:
        log.sync()
        assert synced == []
        for _ in range(1500):
            log.append(encode(make_row(path="/" + "x" * 900)))
        log.sync()
        assert len(synced) == len({row.path for row in list_segments(folder)}) - len(log._spares)
        log.sync()
        assert len(synced) == len(list_segments(folder)) - len(log._spares)


def test_those_who_wait_share_the_work(folder: Path, rules: LogRules, synced: list[int]) -> None:
    """A thousand rows whose replies wait for the disk need nowhere near a thousand turns of it."""
    with closing(open_segments(folder, replace(rules, policy=SyncPolicy.ALWAYS))) as log:

        def write(_number: int) -> None:
            log.append(encode(make_row()))

        log.append(encode(make_row()))
        with log._keeper._syncing, ThreadPoolExecutor(40) as threads:
            list(threads.map(write, range(40)))
            waiting = [threads.submit(log.sync) for _ in range(40)]
            assert synced == []
            # From here on they go.
            log._keeper._syncing.release()
            for one in waiting:
                one.result()
            log._keeper._syncing.acquire()

        assert len(synced) == 1


def test_a_disk_that_fails_is_told_to_those_it_concerns(
    folder: Path, rules: LogRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose row may not be on the disk is told so, also by a later `sync`; the rows after it go into another file."""
    fdatasync = os.fdatasync
    with closing(open_segments(folder, replace(rules, policy=SyncPolicy.ALWAYS))) as log:
        log.append(encode(make_row()))
        broken = log._current

        def fail(descriptor: int) -> None:
            if broken is not None and descriptor == broken.descriptor:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            fdatasync(descriptor)

        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(StorageError, match="on the disk"):
            log.sync()
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        with pytest.raises(StorageError, match="on the disk"):
            log.sync()

        log.append(encode(make_row()))
        log.sync()

        assert log._current is not broken
    assert len(read_segments(folder).entries) == 2


def test_the_disk_is_asked_each_second_only_for_something(folder: Path, rules: LogRules, synced: list[int]) -> None:
    """By the ordinary policy rows reach the disk by themselves, and a log to which nothing is added leaves it alone."""
    with closing(open_segments(folder, replace(rules, interval_seconds=0.01))) as log:
        log.append(encode(make_row()))
        while not synced:
            os.sched_yield()
        log.sync()
        count = len(synced)
        for _ in range(5):
            log._keeper.sync(log.written()[0])

        assert len(synced) == count


def test_never_is_never(folder: Path, rules: LogRules, synced: list[int]) -> None:
    """Without a policy the disk is left to the system, when the log is closed too; full segments are let go."""
    log = open_segments(folder, replace(rules, policy=SyncPolicy.NEVER))
    for _ in range(1500):
        log.append(encode(make_row(path="/" + "x" * 900)))
    log.close()

    assert synced == []
    assert all(read_segments(folder).dead)
