"""The store on each engine, as good as new for every test."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.storage.database import Database, open_database
from latchgate.storage.revisions import upgrade
from latchgate.storage.store import SqlStore
from support.changes import Changes, fill
from support.databases import ENGINES, Databases, Outside, forget_generation


@pytest.fixture(scope="session", params=ENGINES)
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Each engine in turn."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    databases = Databases(tmp_path_factory.mktemp("databases"), server)
    databases.prepare()
    return databases


@pytest.fixture(scope="session")
def blank_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database of head revision to be copied, migrated once."""
    path = tmp_path_factory.mktemp("blank") / "latchgate.db"
    with closing(open_database(f"sqlite:///{path}", create=True)) as database:
        upgrade(database)
    forget_generation(path)
    return path


@pytest.fixture
def sqlite_database(blank_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """An SQLite database in a folder of the test's own, with its generation file."""
    shutil.copyfile(blank_sqlite, tmp_path / "latchgate.db")
    with closing(open_database(f"sqlite:///{tmp_path / 'latchgate.db'}")) as database:
        database.attach()
        yield database


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
