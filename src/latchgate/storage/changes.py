"""The feed of changes of an SQLite database: what changed since a number, on a connection used for nothing else.

Each reading begins a transaction, fetches every row and ends it: a cursor that is not read to its end keeps the old
moment alive, and what is read afterwards would be of then.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, select

from latchgate.core.credentials import USER_SOURCE
from latchgate.errors import StorageError
from latchgate.services.verdict_ports import Changes, FoundKey, FoundRules, FoundToken, Position
from latchgate.storage.access_rules import FIND_RULES, decode_rules
from latchgate.storage.access_tokens import decode_token, find_token
from latchgate.storage.api_keys import FIND_KEY, decode_key
from latchgate.storage.database import Database, OpenedConnection, connect_sqlite
from latchgate.storage.encodings import is_storable
from latchgate.storage.failures import failure_of, translated
from latchgate.storage.generation import Generation, file_identity
from latchgate.storage.instance_tables import change, change_head
from latchgate.storage.prepared import Prepared
from latchgate.storage.rows import POSITION_COLUMNS, lookup_parameters
from latchgate.storage.sources import FIND_SOURCE

__all__ = ["SqliteFeed", "open_feed"]

_FOLLOWED_MAX = 10_000
"""How many changes are followed one by one; an import makes more, and to start afresh is quicker."""
_UNKNOWN = Position("", -1)
_WIDTH = len(POSITION_COLUMNS)

_HEAD = Prepared(select(change_head.c.epoch, change_head.c.floor, change_head.c.seq, change_head.c.generation))
_ROWS = Prepared(select(change.c.kind, change.c.ref).where(change.c.seq > bindparam("after")).order_by(change.c.seq))
_FIND_KEY = Prepared(FIND_KEY)
_FIND_RULES = Prepared(FIND_RULES)
_FIND_SOURCE = Prepared(FIND_SOURCE)


def open_feed(database: Database) -> "SqliteFeed":
    """Take hold of a database and its generation file, as they are now.

    Raises:
        StorageError: They cannot be opened, do not agree, or no verdict of this database may be cached.
    """
    generation = database.attach()
    if generation is None or database.sqlite_path is None:
        raise StorageError("No verdict of this database may be cached")
    with translated():
        return SqliteFeed(database.sqlite_path, connect_sqlite(database.sqlite_path, writes=False), generation)


class SqliteFeed:
    """Fulfils the port Feed. One reading at a time: whoever comes meanwhile waits, some microseconds."""

    def __init__(self, path: Path, connection: OpenedConnection, generation: Generation) -> None:
        self._path = path
        self._connection = connection
        self._generation = generation
        self._process = os.getpid()
        self._lock = Lock()
        self._find_token: dict[int, Prepared] = {}

    @property
    def nonce(self) -> int:
        return self._generation.nonce

    def is_whole(self) -> bool:
        return self._is_same_file() and self._generation.is_intact()

    def version(self) -> int:
        [(number,)] = self._fetch("PRAGMA data_version")
        return int(number)

    def read_changes(self, after: int) -> Changes:
        with translated(), self._lock:
            run = self._connection.execute
            run("BEGIN")
            try:
                [(epoch, floor, head, generation)] = run(_HEAD.text).fetchall()
                follows = head - after <= _FOLLOWED_MAX
                rows = run(_ROWS.text, _ROWS.values({"after": after})).fetchall() if follows else None
            finally:
                run("ROLLBACK")
        # Asked last: only then is what was read, whoever replaces files, of the database that everybody uses.
        if generation != self._generation.name or not self.is_whole():
            raise StorageError("The database or its generation file was replaced")
        return Changes(Position(epoch, head), floor, rows)

    def find_key(self, source: str, key_id: str) -> FoundKey:
        if not (is_storable(source) and is_storable(key_id)):
            # It can be nowhere. What follows from that is not cached: of no moment, it would never be dropped.
            return FoundKey(_UNKNOWN, None, known_source=is_storable(source) and self._has_source(source))
        [row] = self._look_up(_FIND_KEY, {"source_name": source, "key_id_text": key_id})
        key = decode_key(row[_WIDTH:])
        # As the store says it: an unknown key of a user costs what a wrong secret costs.
        known = key is not None or source == USER_SOURCE or self._has_source(source)
        return FoundKey(Position(*row[:_WIDTH]), key, known_source=known)

    def find_token(self, lookups: Sequence[bytes]) -> FoundToken:
        prepared = self._find_token.get(len(lookups))
        if prepared is None:
            prepared = self._find_token[len(lookups)] = Prepared(find_token(len(lookups)))
        rows = self._look_up(prepared, lookup_parameters(lookups))
        return (
            FoundToken(Position(*rows[0][:_WIDTH]), decode_token(rows[0][_WIDTH:])) if rows else FoundToken(None, None)
        )

    def find_rules(self) -> FoundRules:
        rows = self._look_up(_FIND_RULES, {})
        return FoundRules(Position(*rows[0][:_WIDTH]), decode_rules([row[_WIDTH:] for row in rows]))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _has_source(self, source: str) -> bool:
        return bool(self._look_up(_FIND_SOURCE, {"wanted": source}))

    def _look_up(self, prepared: Prepared, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        # One statement is one moment; no transaction need be begun for it.
        rows = self._fetch(prepared.text, prepared.values(given))
        if not self._is_same_file():
            raise StorageError("The database was replaced")
        return rows

    def _fetch(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        # Asked at every first request: without `translated`, whose two calls cost as much as a fifth of the statement.
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise failure_of(error) from error

    def _is_same_file(self) -> bool:
        return file_identity(self._path) == self._connection.file and os.getpid() == self._process
