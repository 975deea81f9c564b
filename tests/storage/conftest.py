"""The store on each engine, fresh for every test: a copy of a database that was upgraded once."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from latchgate.storage.database import Database, open_database
from latchgate.storage.revisions import upgrade
from latchgate.storage.store import SqlStore
from support.postgres import PostgresServer

ENGINES = ("sqlite", "postgresql")

Outside = Callable[[str], list[tuple[Any, ...]]]


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
def outside(database: Database) -> Iterator[Outside]:
    """Another program at the same database: the plain driver, each statement committed by itself."""
    if database.sqlite_path is not None:
        with closing(sqlite3.connect(database.sqlite_path, isolation_level=None)) as connection:
            yield lambda statement: connection.execute(statement).fetchall()
        return
    with psycopg.connect(plain_address(database), autocommit=True) as connection:
        yield lambda statement: fetch(connection, statement)


def plain_address(database: Database) -> str:
    """Write the address of a PostgreSQL database as its own tools take it."""
    return database.writing.url.set(drivername="postgresql").render_as_string(hide_password=False)


def fetch(connection: psycopg.Connection[Any], statement: str) -> list[tuple[Any, ...]]:
    """Run a statement and give its rows, none if it has none to give."""
    cursor = connection.execute(statement.encode())
    return cursor.fetchall() if cursor.description else []


@pytest.fixture
def store(database: Database) -> SqlStore:
    """A store that nobody else uses."""
    return SqlStore(database)
