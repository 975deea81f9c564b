"""Databases of both engines for tests: empty ones, and such as are as good as new after an upgrade."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from latchgate.storage.database import Database, open_database
from latchgate.storage.revisions import upgrade
from latchgate.storage.schema import complete_metadata
from support.postgres import PostgresServer

ENGINES = ("sqlite", "postgresql")

Outside = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement as another program would, committed by itself, and gives its rows."""


class Databases:
    """Gives databases of one engine: empty ones, and such as are upgraded already."""

    def __init__(self, folder: Path, server: PostgresServer | None) -> None:
        self._folder = folder
        self._server = server
        self._count = 0

    def prepare(self) -> None:
        """Upgrade the one database that `fresh` gives copies of."""
        if self._server is None:
            path = self._folder / "upgraded.db"
            _upgrade(f"sqlite:///{path}")
            forget_generation(path)
            return
        # Prepared anew whenever the tests come back to this engine.
        self._server.execute("DROP DATABASE IF EXISTS upgraded WITH (FORCE)")
        self._server.execute("CREATE DATABASE upgraded TEMPLATE template0")
        _upgrade(self._server.url("upgraded"))
        self._server.execute("CREATE SCHEMA pristine", "upgraded")
        for table in complete_metadata().sorted_tables:
            copy = f'CREATE TABLE pristine."{table.name}" AS TABLE public."{table.name}"'
            self._server.execute(copy, "upgraded")

    @contextmanager
    def empty(self) -> Iterator[Database]:
        """Open a new database without any tables."""
        if self._server is not None:
            with self._server.fresh_database() as name, _opened(self._server.url(name)) as database:
                yield database
            return
        with _opened(f"sqlite:///{self._new_path()}") as database:
            yield database

    @contextmanager
    def fresh(self) -> Iterator[Database]:
        """Open a database of head revision that holds what the revisions put there, and nothing else."""
        if self._server is not None:
            self._server.execute(_RESET, "upgraded")
            url = self._server.url("upgraded")
        else:
            path = self._new_path()
            shutil.copyfile(self._folder / "upgraded.db", path)
            url = f"sqlite:///{path}"
        with _opened(url) as database:
            yield database

    @contextmanager
    def outside(self, database: Database) -> Iterator[Outside]:
        """Open a database with the plain driver, as another program would; each statement is committed by itself."""
        if database.sqlite_path is not None:
            with closing(sqlite3.connect(database.sqlite_path, isolation_level=None)) as connection:
                yield lambda statement: connection.execute(statement).fetchall()
            return
        address = database.writing.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            yield lambda statement: _run(connection, statement)

    def _new_path(self) -> Path:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder / "latchgate.db"


def forget_generation(path: Path) -> None:
    """Let a database be as if nobody had ever written to it: its copies then take up files of their own at once.

    A copy that names the original's file would make its first writers wait for whoever might still trust that one.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE change_head SET generation = NULL")


# Making a copy of the whole database would take many times as long. The triggers stay silent meanwhile.
_TABLES = [f'"{table.name}"' for table in complete_metadata().sorted_tables]
_RESET = "; ".join(
    ["SET session_replication_role = replica"]
    + [f"DELETE FROM public.{name}" for name in _TABLES]  # noqa: S608  # our own names
    + [f"INSERT INTO public.{name} OVERRIDING SYSTEM VALUE TABLE pristine.{name}" for name in _TABLES]
)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = open_database(url, create=True)
    try:
        yield database
    finally:
        database.close()


def _run(connection: psycopg.Connection[Any], statement: str) -> list[tuple[Any, ...]]:
    cursor = connection.execute(statement.encode())
    return cursor.fetchall() if cursor.description else []


def _upgrade(url: str) -> None:
    with _opened(url) as database:
        upgrade(database)
