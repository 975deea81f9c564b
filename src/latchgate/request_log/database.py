"""The one place that opens the request log's database: a SQLite file of its own, or tables in a PostgreSQL database."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from latchgate.errors import SettingsError, StorageError

__all__ = ["OPENING_SECONDS", "LogDatabase", "connect", "storage_errors"]

_CONNECT_TIMEOUT_SECONDS = 5
OPENING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LogDatabase:
    """An open database, safe to use from any thread, but not across a fork. `reading` gives what cannot write."""

    reading: Engine
    writing: Engine

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.reading.dispose()
        self.writing.dispose()


def connect(location: str | Path, wait_seconds: float) -> LogDatabase:
    """Reach a database; an SQLite file is made (mode 0600) if it is not there, its tables are the revisions' business.

    Args:
        location: The path of an SQLite file, or `sqlite:///<path>` or `postgresql://…`.
        wait_seconds: How long a statement waits for a lock that another process holds.

    Raises:
        SettingsError: The location is none of these, or the file cannot be made.
    """
    if isinstance(location, Path):
        return _connect_sqlite(location, wait_seconds)
    try:
        url = make_url(location)
    except ArgumentError:
        raise SettingsError("The address of the request log's database cannot be read") from None
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:" and not url.query:
            return _connect_sqlite(Path(url.database), wait_seconds)
        case "postgresql":
            return _connect_postgresql(url, wait_seconds)
        case _:
            raise SettingsError("The request log must be a file (sqlite:///<path>) or PostgreSQL (postgresql://…)")


@contextmanager
def storage_errors(deed: str) -> Iterator[None]:
    """Turn whatever the database raises into a StorageError that says what could not be done."""
    try:
        yield
    except SQLAlchemyError as error:
        # Without the statement and its values, which are not for the operator's log.
        detail = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
        raise StorageError(f"The request log cannot be {deed}", detail=detail) from error


def _connect_sqlite(path: Path, wait_seconds: float) -> LogDatabase:
    path = path.absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite would make it readable by all; it gives its companions (-wal, -shm) the mode of this file. O_EXCL: what
        # is there is not opened, since closing it would drop the locks that SQLite holds in this process.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise SettingsError(f"The request log {path} cannot be made: {error.strerror}") from None
    return LogDatabase(
        reading=_sqlite_engine(path, wait_seconds, writes=False),
        writing=_sqlite_engine(path, wait_seconds, writes=True),
    )


def _sqlite_engine(path: Path, wait_seconds: float, *, writes: bool) -> Engine:
    # isolation_level None: the driver begins no transaction by itself, `_begin` does. No limit to the pool: whoever
    # must wait, waits for SQLite's lock.
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"isolation_level": None, "check_same_thread": False},
        max_overflow=-1,
    )
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute(f"PRAGMA busy_timeout = {round(wait_seconds * 1000)}")
        _write_ahead(connection)
        # What is committed is on the disk: the segment from which it came is then deleted.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    # Two that open a new file at once both turn it over; SQLite refuses one of them without any patience.
    deadline = time.monotonic() + OPENING_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _connect_postgresql(url: URL, wait_seconds: float) -> LogDatabase:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
                # A host that answers no more must not hold a request for the quarter of an hour that TCP would wait.
                "tcp_user_timeout": _CONNECT_TIMEOUT_SECONDS * 1000,
                "application_name": "latchgate request log",
            },
            pool_pre_ping=True,
        )
    except ImportError:
        raise SettingsError("PostgreSQL needs its driver: pip install 'latchgate[postgres]'") from None

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401  # psycopg may be absent
        connection.execute(f"SET lock_timeout = {round(wait_seconds * 1000)}")
        connection.commit()

    return LogDatabase(reading=engine.execution_options(postgresql_readonly=True), writing=engine)
