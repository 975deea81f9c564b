"""Whoever is killed at whatever moment: each row whose writing was acknowledged is in the database, and once."""

import random
import sqlite3
import time
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path

import pytest

from latchgate.request_log.database import connect
from latchgate.request_log.ingester import Ingester
from latchgate.request_log.revisions import upgrade
from latchgate.request_log.segment_reader import list_segments
from latchgate.services.clock import SystemClock
from support.log_processes import start_ingester, start_writer

_ROUNDS = 6
_ROUNDS_SOAK = 200


def _round(number: int, folder: Path, chance: random.Random) -> list[str]:
    """Let two write and two move rows, kill all at moments of chance, and tell what the writers acknowledged."""
    file = folder / "log.db"
    with ExitStack() as stack:
        writers = [stack.enter_context(start_writer(file, f"{number}{letter}")) for letter in "ab"]
        ingesters = [stack.enter_context(start_ingester(folder / "log", file)) for _ in range(2)]
        acknowledged: list[str] = []
        for writer in writers:
            assert writer.stdout is not None
            acknowledged += islice(writer.stdout, chance.randrange(1, 3_000))
        for process in chance.sample([*writers, *ingesters], 4):
            time.sleep(chance.random() * 0.05)
            process.kill()
        for writer in writers:
            acknowledged += writer.communicate()[0].splitlines(keepends=True)
    return [line.removesuffix("\n") for line in acknowledged if line.endswith("\n")]


def _kill_in_rounds(folder: Path, rounds: int) -> None:
    with closing(connect(folder / "log.db", 5.0)) as database:
        upgrade(database)
    chance = random.Random(rounds)  # noqa: S311  # moments, not secrets
    acknowledged: list[str] = []
    for number in range(rounds):
        acknowledged += _round(number, folder, chance)
    told: list[str] = []
    with closing(connect(folder / "log.db", 5.0)) as database:
        Ingester(folder / "log", database, SystemClock(), lambda event, **_: told.append(event)).ingest_once()

    with closing(sqlite3.connect(folder / "log.db")) as database:
        written = [row[0] for row in database.execute("SELECT request_id FROM request_log")]
        ids = [row[0] for row in database.execute("SELECT id FROM request_log ORDER BY id")]
        # By day: roll-ups by minute and hour of so old rows are deleted meanwhile.
        (counted,) = database.execute("SELECT sum(requests) FROM log_count WHERE kind = 0 AND span = 86400").fetchone()
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(written) == len(set(written))
    assert set(acknowledged) <= set(written)
    # A row may have been stored when its writer died before it could say so: one for each that was killed.
    assert len(written) - len(acknowledged) <= 2 * rounds
    assert ids == list(range(1, len(written) + 1))
    assert counted == len(written)
    assert told == []
    assert list_segments(folder / "log") == []


@pytest.mark.crash
def test_killed_writers_and_ingesters_leave_each_row_once(tmp_path: Path) -> None:
    """Two writers and two ingesters are killed again and again; rows, their numbers and the roll-ups are whole."""
    _kill_in_rounds(tmp_path, _ROUNDS)


@pytest.mark.soak
def test_killed_writers_and_ingesters_leave_each_row_once_for_long(tmp_path: Path) -> None:
    """The same, many times."""
    _kill_in_rounds(tmp_path, _ROUNDS_SOAK)
