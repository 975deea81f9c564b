"""Logs of each kind, empty, for one test each."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.request_log.request_log import HostRequestLog
from support.host_log import open_host_log
from support.memory_log import MemoryLog
from support.postgres import PostgresServer

WAIT_SECONDS = 0.2
"""How long these logs wait for another's lock."""


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty PostgreSQL database that nobody else uses."""
    with postgres_server.fresh_database() as name:
        yield postgres_server.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where there is no request log yet, on each engine."""
    return _location(request, tmp_path)


@pytest.fixture
def sql_log(location: str | Path, tmp_path: Path) -> Iterator[HostRequestLog]:
    """A log on each engine."""
    with closing(open_host_log(location, tmp_path / "log", wait_seconds=WAIT_SECONDS)) as log:
        yield log


@pytest.fixture
def sqlite_log(tmp_path: Path) -> Iterator[HostRequestLog]:
    """A log in the file log.db of the test's folder."""
    with closing(open_host_log(tmp_path / "log.db", wait_seconds=WAIT_SECONDS)) as log:
        yield log


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryLog | HostRequestLog]:
    """A log of each kind that fulfils the port."""
    if request.param == "memory":
        yield MemoryLog()
        return
    location = _location(request, tmp_path)
    with closing(open_host_log(location, tmp_path / "log", wait_seconds=WAIT_SECONDS)) as log:
        yield log


def _location(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    if request.param == "sqlite":
        return tmp_path / "log.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
