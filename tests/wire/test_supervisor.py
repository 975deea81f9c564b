"""The master: what it does about processes that cannot start, will not end, or end of themselves."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import support
from latchgate.server.members import Backoff, describe_end
from support.families import kill_family, wait_until

# Not imported: it is a program, which reads its arguments at once.
_PROGRAM = Path(*support.__path__) / "supervised.py"
_PATIENCE_SECONDS = 60.0


class _Master:
    """A master in a process of its own, and what it and its processes noted."""

    def __init__(self, folder: Path, manner: str, **variables: str) -> None:
        self._folder = folder
        self._said = (folder / "said").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), str(folder), manner],
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(_PROGRAM.parents[1]), **variables},
        )

    def notes(self, first: str = "") -> list[str]:
        """What was noted, of lines that begin with this word."""
        path = self._folder / "notes"
        return [line for line in path.read_text().splitlines() if line.startswith(first)] if path.exists() else []

    @property
    def counts(self) -> list[str]:
        """What the master counted of its processes."""
        return (self._folder / "counts").read_text().splitlines()

    @property
    def said(self) -> str:
        """What it said."""
        return (self._folder / "said").read_text()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and tell its status."""
        return self.process.wait(_PATIENCE_SECONDS)

    def close(self) -> None:
        """End it, however it fares."""
        kill_family(self.process)
        self._said.close()


@contextmanager
def _master(folder: Path, manner: str, **variables: str) -> Iterator[_Master]:
    master = _Master(folder, manner, **variables)
    try:
        yield master
    finally:
        master.close()


def test_what_will_not_pass_ends_it_with_the_message(tmp_path: Path) -> None:
    """Settings that do not fit are told as by any command, hint included, and not tried again and again."""
    with _master(tmp_path, "settings") as master:
        assert master.wait() == 3

        assert master.notes()[-2:] == [
            "failed SettingsError the key file is gone",
            "and so is the folder  ['restore both']",
        ]
        assert len(master.notes("begun")) == 2


@pytest.mark.parametrize(
    ("manner", "told"),
    [
        ("storage", "failed StorageError The database cannot be reached refused []"),
        ("fault", "failed SettingsError The workers die at their start; the lines above say how  []"),
        ("leaves", "failed SettingsError The workers die at their start; the lines above say how  []"),
    ],
)
def test_what_may_pass_is_tried_some_times(tmp_path: Path, manner: str, told: str) -> None:
    """Then it ends, if none ever served: a service manager knows better when to try again."""
    with _master(tmp_path, manner) as master:
        assert master.wait() == 3

        assert master.notes("failed") == [told]
        assert len(master.notes("begun")) >= 5
        assert master.said.count("worker died") >= 5
        assert ("a fault of ours" in master.said) is (manner == "fault")


def test_a_restart_that_fails_keeps_those_that_serve(tmp_path: Path) -> None:
    """Better yesterday's worker than none; once the fault is mended, a restart works again."""
    with _master(tmp_path, "serves") as master:
        wait_until(lambda: len(master.notes("begun")) == 2, "two serve")
        (tmp_path / "refuse").touch()
        master.signal(signal.SIGHUP)
        wait_until(lambda: "restart given up" in master.said, "it gives up")
        assert master.notes("ended") == []
        assert "the key file is gone" in master.said

        (tmp_path / "refuse").unlink()
        # It may first wait, as for whatever dies at its start.
        master.signal(signal.SIGHUP)
        wait_until(lambda: len(master.notes("ended")) == 2, "both were replaced")
        master.signal(signal.SIGTERM)

        assert master.wait() == 0
        assert len(master.notes("ended")) == 4
        assert len(set(master.notes("begun"))) == 5


def test_where_none_serves_any_more_what_will_not_pass_ends_it(tmp_path: Path) -> None:
    """A worker died, and no other can start: there is nothing left to keep."""
    with _master(tmp_path, "serves") as master:
        wait_until(lambda: len(master.notes("begun")) == 2, "two serve")
        (tmp_path / "refuse").touch()
        for line in master.notes("begun"):
            os.kill(int(line.split()[-1]), signal.SIGKILL)

        assert master.wait() == 3
        assert master.notes("failed")


def test_the_ingester_ends_after_the_workers(tmp_path: Path) -> None:
    """So that its last pass finds all that they wrote; one that dies before is replaced."""
    with _master(tmp_path, "ingests") as master:
        wait_until(lambda: len(master.notes("begun")) == 2 and master.notes("ingests"), "all work")
        os.kill(int(master.notes("ingests")[0].split()[-1]), signal.SIGKILL)
        wait_until(lambda: len(master.notes("ingests")) == 2, "there is another")
        assert "ingester died" in master.said
        wait_until(lambda: "death ingester" in master.counts, "it is counted")
        assert master.counts.count("start worker") == 2

        master.signal(signal.SIGINT)

        assert master.wait() == 0
        assert [line.split()[0] for line in master.notes()[-4:]] == ["ended", "ended", "last", "over"]
        # Whatever ends, however it does, there is one fewer, and its slot is free.
        assert [line for line in master.counts if line.endswith(" ingester")] == [
            *("start ingester", "1 ingester", "0 ingester", "death ingester", "start ingester", "1 ingester"),
            "0 ingester",
        ]
        assert [line for line in master.counts if line.endswith(" worker")][-2:] == ["1 worker", "0 worker"]
        assert sorted(line for line in master.counts if line.startswith("free")) == [
            *("free 1", "free 1", "free 2", "free 3"),
        ]


def test_who_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    """A worker that hangs keeps no stop waiting for ever."""
    with _master(tmp_path, "stubborn") as master:
        wait_until(lambda: len(master.notes("begun")) == 2, "two serve")
        master.signal(signal.SIGTERM)

        assert master.wait() == 0
        assert "killed what did not end in time" in master.said


def test_a_system_that_has_no_room_is_asked_again(tmp_path: Path) -> None:
    """Too many processes, say: the master says so, and goes on."""
    with _master(tmp_path, "crowded") as master:
        wait_until(lambda: len(master.notes("begun")) == 2, "two serve")
        assert master.said.count("no worker could be started") == 2
        master.signal(signal.SIGTERM)

        assert master.wait() == 0


def test_a_service_manager_is_told(tmp_path: Path) -> None:
    """Once one worker serves, and when the end begins. Source: sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(_PATIENCE_SECONDS)
        manager.bind(str(tmp_path / "notify"))
        with _master(tmp_path, "serves", NOTIFY_SOCKET=str(tmp_path / "notify")) as master:
            assert manager.recv(100) == b"READY=1"
            master.signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"

            assert master.wait() == 0


def test_a_service_manager_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    """Whoever named it may have ended."""
    with _master(tmp_path, "serves", NOTIFY_SOCKET="@nobody-listens-here") as master:
        wait_until(lambda: len(master.notes("begun")) == 2, "two serve")
        master.signal(signal.SIGTERM)

        assert master.wait() == 0


def test_what_dies_again_and_again_is_replaced_more_and_more_slowly() -> None:
    """The first time at once; and at once again for whoever had lived well."""
    backoff = Backoff()
    waits = []
    for _ in range(12):
        backoff.note_death(0.1, now=100.0)
        waits.append(next(tenths for tenths in range(10_000) if backoff.is_over(100.0 + tenths / 10)) / 10)

    assert waits[:4] == [0.0, 0.1, 0.2, 0.4]
    assert waits[-1] == 10.0
    backoff.note_death(3_600.0, now=200.0)
    assert backoff.is_over(200.0)
    assert backoff.deaths == 1


@pytest.mark.parametrize(
    ("wait_status", "told"),
    [(0, "status 0"), (3 << 8, "status 3"), (9, "signal SIGKILL"), (7 | 128, "signal SIGBUS"), (50, "signal 50")],
)
def test_an_end_is_told_in_words(wait_status: int, told: str) -> None:
    """By the name of the signal, where it has one."""
    assert describe_end(wait_status) == told
