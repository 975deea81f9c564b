"""What holds for every test: an empty environment, no sockets where none are needed, steady Hypothesis runs."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from support.postgres import PostgresServer, run_postgres

# A shared machine is slow at times, and slowness is measured by bench/, not by tests.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("soak", settings.get_profile("default"), max_examples=2_000)
settings.load_profile("default")

# What a shell runs in its background ignores interrupts, and so would every process that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_FOLDERS_WITHOUT_SOCKETS = frozenset({"unit", "architecture"})


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests do not reach them."""
    for name in [name for name in os.environ if name.startswith("LATCHGATE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are tested without a network, so that a test which reaches for one is noticed."""
    if _FOLDERS_WITHOUT_SOCKETS.isdisjoint(request.path.relative_to(request.config.rootpath).parts):
        return

    def refuse(*_arguments: object) -> NoReturn:
        pytest.fail("this test opens a socket; it belongs in tests/wire")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)


@pytest.fixture(scope="session", autouse=True)
def _no_fresh_home_left() -> Iterator[None]:
    """What data folders were copied from goes with the tests: their processes are ended before they could tidy up."""
    yield
    if (fresh_homes := sys.modules.get("support.fresh_homes")) is not None:
        fresh_homes.remove_fresh_home()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for every test that wants one, started when the first does."""
    with run_postgres() as server:
        yield server
