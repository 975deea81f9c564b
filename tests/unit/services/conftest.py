"""A house for each test, and one a module for tests that Hypothesis repeats."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.house import House, make_blank_database, open_house


@pytest.fixture(scope="session")
def blank_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing else, migrated once."""
    path = tmp_path_factory.mktemp("blank") / "latchgate.db"
    make_blank_database(path)
    return path


@pytest.fixture
def house(blank_database: Path, tmp_path: Path) -> Iterator[House]:
    """All services over a database of the test's own."""
    with open_house(blank_database, tmp_path / "latchgate.db") as built:
        yield built


@pytest.fixture(scope="module")
def lasting_house(blank_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """All services over a database that the tests of a module share."""
    with open_house(blank_database, tmp_path_factory.mktemp("house") / "latchgate.db") as built:
        yield built
