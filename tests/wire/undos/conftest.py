"""An instance with something of every kind that can be changed, and the browser of somebody who may."""

from collections.abc import Iterator

import pytest

from support.asgi import Service
from support.pages import Browser
from support.undos import MANAGER, open_changeable


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with something of every kind that can be changed."""
    with open_changeable(tmp_path_factory.mktemp("undos") / "home") as service:
        yield service


@pytest.fixture
def manager(service: Service) -> Browser:
    """A System Manager's browser."""
    return Browser(service, MANAGER)
