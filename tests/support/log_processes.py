"""Processes that write the request log and that move its rows, to be killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import support

__all__ = ["start_ingester", "start_writer", "wait_for"]

_TESTS = Path(support.__path__[0]).parent
_DEADLINE_SECONDS = 120.0


@contextmanager
def start_ingester(folder: Path, database: str | Path) -> "Iterator[subprocess.Popen[str]]":
    """Start a process that moves rows; killed at the end, if it is still there."""
    url = f"sqlite:///{database}" if isinstance(database, Path) else database
    with _started("support.ingest_runner", str(folder), url) as process:
        yield process


@contextmanager
def start_writer(file: Path, name: str) -> "Iterator[subprocess.Popen[str]]":
    """Start a process that writes rows, and prints the request id of each once it is written."""
    with _started("support.log_writer", str(file), name) as process:
        yield process


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until something is so, however slow the machine is."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def _started(module: str, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()
