"""The store on each engine, fresh for every test: a copy of a database that was upgraded once."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latchgate.storage.database import Database, open_database
from latchgate.storage.revisions import upgrade
from latchgate.storage.store import SqlStore
from support.postgres import PostgresServer

ENGINES = ("sqlite", "postgresql")


class Databases:
    """Makes databases that are upgraded already."""

    def __init__(self, folder: Path, server: PostgresServer | None) -> None:
        self._folder = folder
        self._server = server
        self._count = 0

    @contextmanager
    def fresh_url(self) -> Iterator[str]:
        """Give the address of a new database, upgraded to head."""
        if self._server is not None:
            with self._server.fresh_database("migrated") as name:
                yield self._server.url(name)
            return
        self._count += 1
        path = self._folder / f"{self._count}" / "latchgate.db"
        path.parent.mkdir()
        shutil.copyfile(self._folder / "migrated.db", path)
        yield f"sqlite:///{path}"
        shutil.rmtree(path.parent)

    @contextmanager
    def fresh(self) -> Iterator[Database]:
        """Open a new database, upgraded to head."""
        with self.fresh_url() as url:
            database = open_database(url)
            try:
                yield database
            finally:
                database.close()


@pytest.fixture(scope="session", params=ENGINES)
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Each engine in turn, with one database upgraded, of which every test gets a copy."""
    folder = tmp_path_factory.mktemp("databases")
    if request.param == "sqlite":
        url, server = f"sqlite:///{folder / 'migrated.db'}", None
    else:
        server = request.getfixturevalue("postgres_server")
        server.execute("CREATE DATABASE migrated TEMPLATE template0")
        url = server.url("migrated")
    database = open_database(url, create=True)
    upgrade(database)
    database.close()
    return Databases(folder, server)


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """A database of head revision that nobody else uses."""
    with databases.fresh() as database:
        yield database


@pytest.fixture
def store(database: Database) -> SqlStore:
    """A store that nobody else uses."""
    return SqlStore(database)
