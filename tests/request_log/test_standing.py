"""What the log counts of itself, and how it stands: without a look at any row, and exactly."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from latchgate.core.log_entries import Asked, Caller
from latchgate.errors import StorageError
from latchgate.request_log.database import connect
from latchgate.request_log.ingest_process import IngestLoop
from latchgate.request_log.ingester import Ingester
from latchgate.request_log.log_entries import open_request_log
from latchgate.request_log.refusal_quota import RefusalRules
from latchgate.request_log.request_log import HostRequestLog
from latchgate.request_log.segment_files import OpenSegment
from latchgate.request_log.segment_layout import APPENDED_AT
from latchgate.request_log.segment_writer import LogRules, SegmentLog
from latchgate.services.clock import SystemClock
from latchgate.services.entropy import SystemEntropy
from latchgate.services.measures import Measures
from latchgate.services.operator_log import OperatorLog
from support.cleanings import make_cleaning
from support.log_rows import make_row

_RULES = LogRules(segment_bytes=1024 * 1024, refusals=RefusalRules(per_address=2, in_all=100))


_PREPARED = Caller("nightly@example.com"), Asked("GET", "/", "127.0.0.1", ""), 200


@contextmanager
def _opened(folder: Path, rules: LogRules = _RULES) -> Iterator[tuple[HostRequestLog, Measures]]:
    measures = Measures.alone()
    segments = SegmentLog(folder / "log", rules, SystemClock(), SystemEntropy(), measures)
    log = HostRequestLog(segments, open_request_log(folder / "log.db", folder=folder / "log", measures=measures))
    with closing(log):
        yield log, measures


def _moved(measures: Measures) -> dict[str, int]:
    return {name: value for name, value in measures.read_totals().items() if value}


@pytest.mark.parametrize("mapped", [True, False])
def test_what_is_behind_is_what_was_appended_and_not_moved(tmp_path: Path, mapped: bool) -> None:
    """To the row, at every moment, whether rows are stored through memory or not."""
    with _opened(tmp_path, LogRules(segment_bytes=1024 * 1024, mapped=mapped)) as (log, measures):
        assert log.standing().rows_behind == 0
        for number in range(1, 8):
            log.append(make_row(), log.reserve())
            assert log.standing().rows_behind == number
        assert log.standing().segments >= 1

        log.reader.catch_up()
        log.append_prepared(log.prepare(*_PREPARED), 1, bytes(16), 5)

        standing = log.standing()
        assert standing.rows_behind == 1
        assert (standing.rows_lost, standing.damaged_bytes, standing.unreadable_segments) == (0, 0, 0)
        assert _moved(measures) == {"rows_appended": 8, "rows_ingested": 7, "batches": 1}


def test_rows_in_many_segments_are_behind_together(tmp_path: Path) -> None:
    """Full ones, the present one, and those of a process that died."""
    with _opened(tmp_path) as (log, _):
        for _ in range(3):
            log.append(make_row(), log.reserve())
    with _opened(tmp_path) as (log, _):
        for _ in range(4):
            log.append(make_row(), log.reserve())

        assert log.standing().rows_behind == 7
        log.reader.catch_up()
        assert log.standing().rows_behind == 0


def test_a_count_that_cannot_be_true_is_none(tmp_path: Path) -> None:
    """A file that was tampered with makes no backlog of millions; nor does one that has no header any more."""
    with _opened(tmp_path) as (log, _):
        log.append(make_row(), log.reserve())
    (segment,) = (tmp_path / "log").glob("*.segment")
    with segment.open("r+b") as file:
        file.seek(APPENDED_AT)
        file.write(b"\xff" * 8)

    with _opened(tmp_path) as (log, _):
        assert log.standing().rows_behind == 0
        os.truncate(segment, 100)
        assert log.standing().rows_behind == 0


def test_a_segment_that_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is shown fewer rows than there are."""
    with _opened(tmp_path) as (log, _):
        log.append(make_row(), log.reserve())

        def fail(*_: object) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "open", fail)
        with pytest.raises(StorageError):
            log.standing()


def test_a_log_without_segments_is_not_behind(tmp_path: Path) -> None:
    """As the command line may open it."""
    with closing(open_request_log(tmp_path / "log.db")) as log:
        assert (log.standing().rows_behind, log.standing().segments) == (0, 0)


def test_refusals_beyond_the_quota_are_counted_apart(tmp_path: Path) -> None:
    """They are no rows, and are never moved one by one."""
    with _opened(tmp_path) as (log, measures):
        for _ in range(5):
            log.append_refused(make_row(reason="unknown_key", status=401), log.reserve())

        assert _moved(measures) == {"rows_appended": 2, "refusals_tallied": 3}
        assert log.standing().rows_behind == 2


def test_a_request_that_finds_no_room_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that is answered 503 for it, once."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with _opened(tmp_path) as (log, measures):
        for _ in range(3):
            with pytest.raises(StorageError):
                log.reserve()
        with pytest.raises(StorageError):
            log.append_prepared(log.prepare(*_PREPARED), 1, bytes(16), 5)

        assert _moved(measures) == {"rows_without_room": 3}


def test_a_disk_that_fails_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that it does not keep what was written."""

    def fail(_segment: OpenSegment) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with _opened(tmp_path, LogRules(segment_bytes=1024 * 1024, interval_seconds=3600)) as (log, measures):
        log.append(make_row(), log.reserve())
        monkeypatch.setattr(OpenSegment, "sync", fail)
        with pytest.raises(StorageError):
            log.sync()
        monkeypatch.undo()

        assert measures.read_totals()["sync_errors"] == 1


def test_an_ingester_that_cannot_move_rows_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try."""
    with _opened(tmp_path), closing(connect(tmp_path / "log.db", 1.0)) as database:
        measures = Measures.alone()
        ingester = Ingester(tmp_path / "log", database, SystemClock(), measures=measures)
        loop = IngestLoop(ingester, make_cleaning(database, SystemClock(), OperatorLog()), OperatorLog(), measures)

        def fail() -> int:
            raise StorageError("The request log's database is full")

        monkeypatch.setattr(ingester, "ingest_once", fail)
        loop.step()
        loop.step()

        assert _moved(measures) == {"ingest_failures": 2}
