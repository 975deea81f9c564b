"""What `append` has returned from is in the log, whatever then happens to the process."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

import support
from latchgate.services.port_values import LogQuery
from support.host_log import open_host_log

_TESTS = Path(support.__path__[0]).parent


def _start_writer(file: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "support.log_writer", str(file), name],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
    )


@pytest.mark.crash
def test_no_row_is_lost_when_its_writer_is_killed(tmp_path: Path) -> None:
    """Ten times two writers are killed in the middle: each row that was acknowledged is there, and each row once."""
    file = tmp_path / "log.db"
    acknowledged: list[str] = []

    for number in range(10):
        writers = [_start_writer(file, f"{number}{letter}") for letter in "ab"]
        for writer in writers:
            assert writer.stdout is not None
            # Elsewhere each time; where exactly the kill meets it is chance.
            acknowledged += islice(writer.stdout, 10 + 7 * number)
        for writer in writers:
            writer.kill()
        for writer in writers:
            acknowledged += writer.communicate()[0].splitlines(keepends=True)

    with closing(open_host_log(file)) as log:
        # Whoever reads brings in what the dead have left.
        list(log.search(LogQuery()))
    with closing(sqlite3.connect(file)) as database:
        written = [row[0] for row in database.execute("SELECT request_id FROM request_log ORDER BY id")]
        ids = [row[0] for row in database.execute("SELECT id FROM request_log ORDER BY id")]
        (last_id,) = database.execute("SELECT last_id FROM log_position").fetchone()
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(written) == len(set(written))
    assert {line.removesuffix("\n") for line in acknowledged if line.endswith("\n")} <= set(written)
    assert len(written) - len(acknowledged) <= 20
    assert ids == list(range(1, last_id + 1))
