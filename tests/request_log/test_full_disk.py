"""The log's database on a disk that is really full: rows stay in their segments, and are moved once there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.request_log.database import connect
from latchgate.request_log.ingest_process import IngestLoop
from latchgate.request_log.ingester import Ingester
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.records import encode
from latchgate.request_log.revisions import upgrade
from latchgate.services.clock import SystemClock
from latchgate.services.port_values import LogQuery
from support.cleanings import make_cleaning
from support.host_log import open_segments
from support.log_rows import make_row

_ROWS = 6_000


class _Told(list[str]):
    """A logger that keeps what it was told."""

    def info(self, event: str, **details: object) -> None:
        self.append(event)

    warning = error = info


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount, and not everywhere; test_ingest_process.py has the same with a fake")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing(disk: Path, tmp_path: Path) -> None:
    """It is told once; readers find every row meanwhile; with more room all rows are in the database, each once."""
    told, clock = _Told(), SystemClock()
    rows = [make_row(time=clock.now_us()) for _ in range(_ROWS)]
    with closing(open_segments(tmp_path / "log")) as segments:
        for row in rows:
            segments.append(encode(row))
    with closing(connect(disk / "log.db", 1.0)) as database:
        upgrade(database)
        ingester = Ingester(tmp_path / "log", database, clock, told.warning, batch_rows=500)
        loop = IngestLoop(ingester, make_cleaning(database, clock, told), told)
        for _ in range(3):
            loop.step()
        reader = SqlRequestLog(database, Ingester(tmp_path / "log", database, clock), wait_seconds=0.01)
        found = list(reader.search(LogQuery(limit=0)))
        pending = reader.state().pending
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        for _ in range(2):
            loop.step()

        assert told == ["log_database_not_writable", "log_database_writable_again"]
        assert 0 < pending <= _ROWS
        assert found == rows[::-1]
        assert list(SqlRequestLog(database).search(LogQuery(limit=0))) == rows[::-1]
