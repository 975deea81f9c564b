"""What `append` has returned from is in its segment, whatever then happens to the process, and once."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import support
from latchgate.request_log.segment_reader import list_segments
from support.segment_reading import read_segment, read_segments

_TESTS = Path(support.__path__[0]).parent
_WAYS = pytest.mark.parametrize("way", ["mapped", "written"])


def _start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "support.segment_writing", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
    )


def _check_killed_writers(folder: Path, way: str, count: int, seed: int) -> None:
    with _start(way, "kill", str(folder), str(count), str(seed)) as writers:
        acknowledged = set(writers.communicate()[0].split())

    assert writers.returncode == 0
    found = read_segments(folder)
    ids = Counter(found.ids)
    assert set(ids.values()) <= {1}
    assert acknowledged <= set(ids)
    # Of each writer one row may have been written that nobody heard of.
    assert len(ids) - len(acknowledged) <= count
    assert found.lost == 0
    assert all(found.dead)
    assert len(acknowledged) >= count * 3 // 4


@pytest.mark.crash
@_WAYS
def test_no_row_is_lost_when_its_writer_is_killed(tmp_path: Path, way: str) -> None:
    """Of 120 writers, two at once, that are killed in the middle each row they acknowledged is there, each once."""
    _check_killed_writers(tmp_path / "log", way, 120, seed=1)


@pytest.mark.soak
@_WAYS
@pytest.mark.parametrize("seed", range(20))
def test_no_row_is_lost_however_often(tmp_path: Path, way: str, seed: int) -> None:
    """As above, forty thousand times."""
    _check_killed_writers(tmp_path / "log", way, 1000, seed)


@pytest.mark.crash
@_WAYS
def test_a_child_writes_segments_of_its_own(tmp_path: Path, way: str) -> None:
    """After a fork neither writes into the other's segment, and a parent that dies is seen to be dead at once."""
    folder = tmp_path / "log"
    with _start(way, "fork", str(folder)) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "ready\n"
        writer.wait()
        found = {tuple(one.ids): one.dead for one in map(read_segment, list_segments(folder)) if one.ids}

        assert found == {("parent-0", "parent-1"): [True], ("child-0",): [False]}
        writer.stdin.write("\n")
        writer.stdin.flush()
        writer.stdout.read()

    assert sorted(read_segments(folder).ids) == ["child-0", "child-1", "parent-0", "parent-1"]


@pytest.mark.crash
@_WAYS
@pytest.mark.parametrize("wanted", [1, 60, 61, 500])
def test_no_count_is_lost_when_its_writer_is_killed(tmp_path: Path, way: str, wanted: int) -> None:
    """Refused requests are all there as well, with a row of their own or as one of many, each once."""
    folder = tmp_path / "log"
    with _start(way, "refuse", str(folder)) as writer:
        assert writer.stdout is not None
        said = len(writer.stdout.read(wanted))
        writer.kill()
        said += len(writer.stdout.read())

    found = read_segments(folder)
    counted = len(found.entries) + sum(tally.requests for tally in found.tallies)
    assert counted in {said, said + 1}
    assert len(found.entries) <= 60
    assert found.lost == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount, and not everywhere; test_segments.py has the same with a fake")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.crash
@_WAYS
def test_a_full_disk_kills_nobody_and_takes_no_row(small_disk: Path, way: str) -> None:
    """On a disk without a free byte what is set aside is written to its end; then the log is full, nobody dead."""
    with _start(way, "fill", str(small_disk)) as writer:
        *written, told, after = writer.communicate()[0].splitlines()

    assert writer.returncode == 0
    assert "No space left" in told
    assert len(written) > 500
    found = read_segments(small_disk)
    assert found.ids == [*written, after]
    assert found.lost == 0
