"""The store on each engine, as good as new for every test."""

from collections.abc import Iterator

import pytest

from latchgate.storage.database import Database
from latchgate.storage.store import SqlStore
from support.changes import Changes, fill
from support.databases import ENGINES, Databases, Outside


@pytest.fixture(scope="session", params=ENGINES)
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Each engine in turn."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    databases = Databases(tmp_path_factory.mktemp("databases"), server)
    databases.prepare()
    return databases


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """A database of head revision that nobody else uses."""
    with databases.fresh() as database:
        yield database


@pytest.fixture
def empty(databases: Databases) -> Iterator[Database]:
    """A database without tables."""
    with databases.empty() as database:
        yield database


@pytest.fixture
def outside(databases: Databases, database: Database) -> Iterator[Outside]:
    """Another program at the same database: the plain driver, each statement committed by itself."""
    with databases.outside(database) as run:
        yield run


@pytest.fixture
def store(database: Database) -> SqlStore:
    """A store that nobody else uses."""
    return SqlStore(database)


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """A store with rows in every table that verdicts stand on."""
    with store.write() as tx:
        fill(tx)
    return store


@pytest.fixture
def changes(filled: SqlStore, outside: Outside) -> Changes:
    """The changes from now on."""
    return Changes(outside)
