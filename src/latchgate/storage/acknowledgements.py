"""What stands between a commit and its acknowledgement on SQLite: every process must be able to see the change.

`truth.md` calls it write(work): attach, commit, raise the nonce whatever came of it, and wait where the file is so new
that some process may still trust the one before. See docs/decisions/0033.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from latchgate.services.clock import boottime
from latchgate.storage.generation import SETTLED_SECONDS, Generation, make_generation, map_generation

__all__ = ["Acknowledgements", "find_generation_name"]

_FIND = "SELECT generation FROM change_head"
_NAME = "UPDATE change_head SET generation = ?"


class Acknowledgements:
    """The generation of one database, as this process writes it. Safe in any thread."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}-generation")
        self._mapped: Generation | None = None

    def attach(self, connection: sqlite3.Connection) -> Generation | None:
        """Agree with the database on which file it is; without agreement a new one is made.

        Args:
            connection: In a transaction that may write; if a file was made, it was committed and begun anew.

        Returns:
            The file; None if the database is of a revision that knows none and there is none.

        Raises:
            StorageError: No file can be made.
        """
        names = find_generation_name(connection)
        mapped = self._mapped
        if not names:
            mapped = map_generation(self.path)
        elif mapped is None or mapped.name != names[0] or not mapped.is_intact():
            mapped = self._adopt(connection, names[0])
        self._mapped = mapped
        return mapped

    def raise_nonce(self) -> None:
        """Tell every process that something may have changed."""
        if self._mapped is not None:
            self._mapped.raise_nonce()

    def settle(self, attach: Callable[[], Generation | None]) -> None:
        """Return once no process can answer by what was true before the change.

        Args:
            attach: Calls `attach` in a transaction of its own.
        """
        mapped = self._mapped
        if mapped is not None and mapped.is_intact() and mapped.is_settled():
            return
        attach()
        self.raise_nonce()
        if mapped is not None:
            # Whoever mapped the file before this one finds out within TRUST_SECONDS, and trusts it no longer than that.
            time.sleep(SETTLED_SECONDS)

    def _adopt(self, connection: sqlite3.Connection, name: str | None) -> Generation:
        mapped = map_generation(self.path)
        if mapped is not None and mapped.name == name:
            return mapped
        if mapped is None or name is not None:
            # A database that never named a file was never served from a cache: nobody trusts another one.
            mapped = make_generation(self.path, boottime() if name else 0.0)
        connection.execute(_NAME, (mapped.name,))
        # Committed by itself: if the work then fails, the file that is there must not be one that nobody agreed on.
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        return mapped


def find_generation_name(connection: sqlite3.Connection) -> tuple[str | None] | None:
    """Tell which generation file a database agreed on; None if it is of a revision before there was one."""
    try:
        rows: list[tuple[str | None]] = connection.execute(_FIND).fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            # No such table, or no such column; everything else (busy, disk, damage) has a code of its own.
            return None
        raise
    return rows[0] if rows else None
