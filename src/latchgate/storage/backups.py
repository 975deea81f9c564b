"""Copying, restoring and checking an SQLite database while it is in use; PostgreSQL has tools of its own for that."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from latchgate.errors import SettingsError, StorageError
from latchgate.storage.acknowledgements import find_generation_name
from latchgate.storage.data_folder import sync_folder
from latchgate.storage.database import Database
from latchgate.storage.failures import translated
from latchgate.storage.revisions import require_known

__all__ = ["backup_sqlite", "check_sqlite", "restore_sqlite"]

_BUSY_TIMEOUT_SECONDS = 5.0


def backup_sqlite(database: Database, destination: Path) -> None:
    """Copy a database, as it is at one moment, into a new file of mode 0600; writers go on meanwhile.

    When this returns the copy is on the disk.

    Raises:
        SettingsError: the database is on PostgreSQL, or the file exists or cannot be made.
        StorageError: the copy failed or is damaged; it is removed again.
    """
    path = _require_sqlite(database, "copy it with pg_dump")
    with translated(), _new_file(destination), _open(path) as source, _open(destination) as copy:
        source.backup(copy)
        # The copy stands alone, without companions.
        copy.execute("PRAGMA journal_mode = DELETE")
        _require_sound(copy)


def restore_sqlite(database: Database, backup: Path) -> None:
    """Put a copy made by `backup_sqlite` in the place of all that a database holds: wholly or not at all.

    It may be of an earlier revision: upgrade the database afterwards. Whoever uses the database sees it at once, and
    whoever follows the table `change` starts afresh, since the epoch is renewed.

    Raises:
        SettingsError: the database is on PostgreSQL, or the file is none that this release knows.
        StorageError: the copy is damaged, or the database cannot be written; it is as it was.
    """
    path = _require_sqlite(database, "restore it with pg_restore")
    if not backup.is_file():
        raise SettingsError(f"There is no backup at {backup}")
    # The epoch must be another from the first moment on: it is renewed in a copy of the copy.
    prepared = path.with_name(f"{path.name}.restoring")
    with translated(), _new_file(prepared, keep=False), _open(prepared) as copy:
        with _open(backup, read_only=True) as source:
            _require_ours(source, backup)
            source.backup(copy)
        _require_sound(copy)
        copy.execute("UPDATE change_head SET epoch = lower(hex(randomblob(16)))")
        with database.replace_content(), _open(path) as live:
            _keep_generation(live, copy)
            copy.backup(live)


def check_sqlite(database: Database) -> list[str]:
    """Look through the whole database for damage, and for references to rows that are gone.

    Returns:
        A line for each problem, none if all is well.

    Raises:
        SettingsError: the database is on PostgreSQL.
        StorageError: it cannot be read.
    """
    path = _require_sqlite(database, "check it with pg_amcheck")
    with translated(), _open(path) as connection:
        return _problems(connection)


def _require_sqlite(database: Database, instead: str) -> Path:
    if database.sqlite_path is None:
        raise SettingsError(f"The database is on PostgreSQL: {instead}")
    return database.sqlite_path


@contextmanager
def _new_file(path: Path, *, keep: bool = True) -> Iterator[None]:
    # Made before SQLite opens it, which knows no mode; what is there already is nobody's to overwrite.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise SettingsError(f"The file {path} cannot be made: {error.strerror}") from None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if keep:
        sync_folder(path.parent)
    else:
        path.unlink()


@contextmanager
def _open(path: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    # Without transactions of the driver's own. SQLite's defaults write to the disk before they say so.
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(address, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, uri=True)
    with closing(connection):
        yield connection


def _require_ours(source: sqlite3.Connection, backup: Path) -> None:
    try:
        row = source.execute("SELECT version_num FROM alembic_version JOIN change_head").fetchone()
    except sqlite3.DatabaseError:
        # Such tables are not there, or it is no database at all.
        row = None
    if row is None:
        raise SettingsError(f"{backup} is no backup of a Latchgate database")
    require_known(row[0])


def _keep_generation(live: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Let the copy name the generation file that everybody who uses the live database has mapped."""
    if find_generation_name(copy):
        copy.execute("UPDATE change_head SET generation = ?", find_generation_name(live) or (None,))


def _require_sound(connection: sqlite3.Connection) -> None:
    problems = _problems(connection)
    if problems:
        raise StorageError("The copy is damaged", detail="; ".join(problems))


def _problems(connection: sqlite3.Connection) -> list[str]:
    damage = [line for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    return damage + [f"row {row_id} of {table} refers to a row that is gone" for table, row_id, *_ in orphans]
