"""A house for each test, and one a module for tests that Hypothesis repeats."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from latchgate.services.actors import COMMAND_LINE
from latchgate.services.users import UserOrder
from support.cached_house import CachedHouse, cached
from support.house import PASSWORD, USER, House, make_blank_database, open_houses
from support.oauth_house import OAuthHouse, build_oauth_house
from support.office import furnish_office


@pytest.fixture(scope="session")
def blank_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing else, migrated once."""
    path = tmp_path_factory.mktemp("blank") / "latchgate.db"
    make_blank_database(path)
    return path


@pytest.fixture(scope="session")
def houses(blank_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], House]]:
    """Builds a house at each call, which ends the one before."""
    with open_houses(blank_database, tmp_path_factory.mktemp("houses") / "latchgate.db") as build:
        yield build


@pytest.fixture
def house(houses: Callable[[], House]) -> House:
    """All services over a database with nothing of another test."""
    return houses()


@pytest.fixture(scope="module")
def lasting_house(blank_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """All services over a database that the tests of a module share."""
    with open_houses(blank_database, tmp_path_factory.mktemp("house") / "latchgate.db") as build:
        yield build()


@pytest.fixture
def office(house: House) -> House:
    """A house with a helpdesk that may change all users, and accounts of every kind."""
    return furnish_office(house)


@pytest.fixture
def remembering(house: House) -> Iterator[CachedHouse]:
    """A house with a user and both gates."""
    house.roles.create(COMMAND_LINE, "Editor")
    house.add_user(UserOrder(USER, roles=frozenset({"Editor"}), password=PASSWORD))
    with cached(house) as remembering:
        yield remembering


@pytest.fixture
def oauth(house: House) -> OAuthHouse:
    """The OAuth services over a house of its own."""
    return build_oauth_house(house)
