"""The one place that opens a database of accounts: SQLite or PostgreSQL, with the settings that the rest relies on."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from latchgate.errors import SettingsError, StorageError
from latchgate.storage.acknowledgements import Acknowledgements
from latchgate.storage.data_folder import sync_folder
from latchgate.storage.failures import translated
from latchgate.storage.file_systems import shares_mapped_files
from latchgate.storage.generation import Generation, file_identity
from latchgate.storage.instance_tables import change_head
from latchgate.storage.pruning import prune_changes

__all__ = ["Database", "OpenedConnection", "connect_sqlite", "open_database"]

_BUSY_TIMEOUT_MS = 5_000
_CONNECT_TIMEOUT_SECONDS = 5
_STATEMENT_TIMEOUT_MS = 10_000
"""More than the wait for a lock, and many times what any statement takes; migrations set their own."""
# A host that answers no more must not hold a thread for the quarter of an hour that TCP would wait. A server that
# stands still on a host that lives is not covered: its system goes on acknowledging.
_SILENCE = {
    "tcp_user_timeout": _CONNECT_TIMEOUT_SECONDS * 1000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
_SQLITE_OLDEST = (3, 35, 0)
"""The first that knows RETURNING."""

# One writer at a time, as on SQLite: what a writer read stays true until it commits. See docs/decisions/0010.
_WRITERS_LOCK = select(change_head.c.floor, change_head.c.seq).with_for_update()


class OpenedConnection(sqlite3.Connection):
    """A connection that knows which file it has opened: another one may have been put in its place since."""

    file: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """An open database, safe to use from any thread, but not across a fork.

    `reading` gives connections that cannot write, each transaction a snapshot.
    """

    reading: Engine
    writing: Engine
    sqlite_path: Path | None
    """None on PostgreSQL."""
    turn: Lock = field(default_factory=Lock, repr=False)
    """Whose turn it is to write among the threads of this process."""
    acknowledgements: Acknowledgements | None = field(default=None, repr=False)
    """None where no verdict is ever cached: on PostgreSQL, and on a file system that may not share what is mapped."""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a snapshot. Raises StorageError."""
        with self._connected(self.reading) as connection:
            if self.sqlite_path:
                _begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is alone in writing, committed at the end. Raises Conflict and StorageError.

        Once this has ended, no process of the host answers a request that begins later by what was true before.
        """
        with self._acknowledged(), self._next_turn(), self._transaction() as connection:
            prune_changes(connection, *connection.execute(_WRITERS_LOCK).one())
            yield connection

    @contextmanager
    def change_tables(self) -> Iterator[Connection]:
        """Open a writing transaction that needs no table to exist. Ends, and raises, as `write`."""
        with self._acknowledged(), self._transaction() as connection:
            yield connection

    @contextmanager
    def replace_content(self) -> Iterator[None]:
        """Let the whole content be replaced by SQLite's own means. Ends, and raises, as `write`."""
        self.attach()
        with self._acknowledged():
            yield

    def attach(self) -> Generation | None:
        """Agree with all who write on the generation file; None where there is none. Raises StorageError."""
        acknowledgements = self.acknowledgements
        if acknowledgements is None:
            return None
        with self._connected(self.writing) as connection, connection.begin():
            return acknowledgements.attach(_begin(connection, "BEGIN IMMEDIATE"))

    @contextmanager
    def _acknowledged(self) -> Iterator[None]:
        acknowledgements = self.acknowledgements
        if acknowledgements is None:
            yield
            return
        try:
            yield
        finally:
            # Always: what failed may have been committed all the same.
            acknowledgements.raise_nonce()
        acknowledgements.settle(self.attach)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._connected(self.writing) as connection, connection.begin():
            if self.sqlite_path:
                driver = _begin(connection, "BEGIN IMMEDIATE")
                if self.acknowledgements is not None:
                    self.acknowledgements.attach(driver)
            yield connection

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        with translated(), engine.connect() as connection:
            if self.sqlite_path and _driver(connection).file != file_identity(self.sqlite_path):
                # Another file was put in its place: what is read here, or written, nobody else would see.
                connection.invalidate()
            yield connection

    @contextmanager
    def _next_turn(self) -> Iterator[None]:
        # SQLite's writers look again and again whether the lock is free, each after a longer sleep: of many threads
        # some would wait for seconds while others pass them. PostgreSQL keeps a queue by itself.
        if not self.sqlite_path:
            yield
            return
        if not self.turn.acquire(timeout=_BUSY_TIMEOUT_MS / 1000):
            raise StorageError("The database is busy: another writer took too long")
        try:
            yield
        finally:
            self.turn.release()

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.reading.dispose()
        self.writing.dispose()


def open_database(url: str, *, create: bool = False) -> Database:
    """Open a database by its address, `sqlite:///<path>` or `postgresql://…`; its tables are the revisions' business.

    Args:
        url: The address.
        create: Whether an SQLite file (mode 0600), and its folder (0700), may be made where there is none.

    Raises:
        SettingsError: the address is none, or its file is missing or cannot be made.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError("The database address cannot be read: use sqlite:///<path> or postgresql://…") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:" and not parsed.query:
            return _open_sqlite(Path(parsed.database).absolute(), create=create)
        case "postgresql":
            return _open_postgresql(parsed)
        case _:
            raise SettingsError("The database must be a file (sqlite:///<path>) or PostgreSQL (postgresql://…)")


def _open_sqlite(path: Path, *, create: bool) -> Database:
    if sqlite3.sqlite_version_info < _SQLITE_OLDEST:
        raise SettingsError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed")
    _require_file(path, create=create)
    acknowledgements = Acknowledgements(path) if shares_mapped_files(path.parent) else None
    reading, writing = _sqlite_engine(path, writes=False), _sqlite_engine(path, writes=True)
    return Database(reading, writing, path, acknowledgements=acknowledgements)


def _require_file(path: Path, *, create: bool) -> None:
    if not create and not path.exists():
        raise SettingsError(f"There is no database at {path}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never opened if it is there: to close such a handle would drop the locks that SQLite holds in this process.
        if not path.exists():
            # Made before SQLite opens it, which knows no mode; its companions (-wal, -shm) take that of this file.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            sync_folder(path.parent)
    except OSError as error:
        if not path.exists():
            raise SettingsError(f"The database {path} cannot be made: {error.strerror}") from None


def _sqlite_engine(path: Path, *, writes: bool) -> Engine:
    # isolation_level None: the driver opens no transaction by itself, `_begin` does, for reading too. No limit to the
    # pool: whoever must wait, waits for SQLite's lock, and the event loop never waits for a connection.
    return create_engine(
        URL.create("sqlite", database=str(path)),
        creator=lambda: connect_sqlite(path, writes=writes),
        pool_size=5,
        max_overflow=-1,
    )


def connect_sqlite(path: Path, *, writes: bool) -> OpenedConnection:
    """Open a connection of its own, in no transaction. Raises sqlite3.Error and StorageError."""
    # Before it is opened: if the file is replaced meanwhile, the connection counts as one to the old file.
    file = file_identity(path)
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, factory=OpenedConnection
    )
    connection.file = file
    try:
        # First the patience, since the others may meet a lock.
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        _write_ahead(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection, path: Path) -> None:
    # Two processes that open a new file at once both turn it over; SQLite refuses one of them without any patience.
    deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            break
    if mode != "wal":
        raise StorageError(f"The file system of {path} does not support SQLite's write-ahead log")


def _begin(connection: Connection, statement: str) -> OpenedConnection:
    # By the driver, which commits and rolls back as SQLAlchemy tells it: an event "begin" would cost as much as a
    # look-up, since every connection then asks for listeners at every step.
    driver = _driver(connection)
    driver.execute(statement)
    return driver


def _driver(connection: Connection) -> OpenedConnection:
    return cast("OpenedConnection", connection.connection.driver_connection)


def _open_postgresql(url: URL) -> Database:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={**_SILENCE, "connect_timeout": _CONNECT_TIMEOUT_SECONDS, "application_name": "latchgate"},
            # A server that was restarted costs no request.
            pool_pre_ping=True,
            pool_timeout=5,
        )
    except ImportError:
        raise SettingsError("PostgreSQL needs its driver: pip install 'latchgate[postgres]'") from None

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401  # psycopg may be absent
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {_BUSY_TIMEOUT_MS}")
            cursor.execute(f"SET statement_timeout = {_STATEMENT_TIMEOUT_MS}")
        connection.commit()

    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(reading, engine, None)
