"""An instance with one user and a key, shared by the tests of a file."""

from collections.abc import Callable, Iterator

import pytest

from latchgate.core.log_entries import LogEntry
from support.asgi import Pair, Service, opened_service
from support.entrances import HeldKeeper

USER = "api@example.com"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user."""
    with opened_service(tmp_path_factory.mktemp("middleware") / "home") as service:
        service.make_user(USER)
        yield service


@pytest.fixture(scope="module")
def key(service: Service) -> Pair:
    """A key of the user without any limit."""
    return service.make_key(USER)


@pytest.fixture(scope="module")
def keeper(service: Service) -> HeldKeeper:
    """A keeper upon that instance."""
    return HeldKeeper(service.latchgate)


@pytest.fixture
def rows(service: Service) -> Callable[[], list[LogEntry]]:
    """Gives the rows since the last time."""
    kept = [service.latchgate.request_log.follow(None)[1]]

    def read() -> list[LogEntry]:
        rows, kept[0] = service.latchgate.request_log.follow(kept[0])
        return rows

    return read
