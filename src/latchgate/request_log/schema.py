"""The tables of the request log, as the end of the chain in migrations/ leaves them."""

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, SmallInteger, Table, Text, text

__all__ = [
    "complete_metadata",
    "last_use",
    "log_count",
    "log_loss",
    "log_position",
    "log_segment",
    "metadata",
    "request_log",
]

metadata = MetaData()

# SQLite's own row number, which costs no second index, is INTEGER and nothing else.
_Id = BigInteger().with_variant(Integer, "sqlite")


log_position = Table(
    "log_position",
    metadata,
    # One row. Its numbers are taken in blocks, in the transaction of the rows that they number: ids have no gaps, are
    # never reused, and are in the order of the commits, so that a reader who has seen n has seen all below n. A
    # sequence of PostgreSQL gives numbers before the commit, and a reader would skip the lower of two.
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("last_id", BigInteger, nullable=False),
)

log_segment = Table(
    "log_segment",
    metadata,
    # A file of the log, by the name that its header holds. The row outlives the file: after a power cut the file may be
    # there once more, and is then not read from its beginning.
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("host", Text, nullable=False),
    # How far its records are in request_log; moved in the transaction of the rows.
    Column("offset", BigInteger, nullable=False),
    Column("next_seq", BigInteger, nullable=False),
    # Microseconds since 1970. What is ended has been read to its end, and its file deleted.
    Column("began", BigInteger, nullable=False),
    Column("ended", BigInteger),
    # Why it cannot be read: such a file is left as it is.
    Column("problem", Text),
)

log_loss = Table(
    "log_loss",
    metadata,
    # What a segment should have held and did not.
    Column("segment_id", BigInteger, primary_key=True, autoincrement=False),
    Column("records", BigInteger, nullable=False),
    Column("damaged_bytes", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
)

log_count = Table(
    "log_count",
    metadata,
    # Roll-ups: how many requests of an outcome began in a span of time. See roll_ups.py for spans, kinds and outcomes.
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    # In Unix seconds, a multiple of the span. Before the name: what is written together lies together, what is too old
    # goes in one sweep, and the series of one name is a look-up for each of its points.
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    # Of a key its source, of a user the id.
    Column("detail", Text, primary_key=True),
    Column("outcome", SmallInteger, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

request_log = Table(
    "request_log",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("user", Text),
    Column("user_id", BigInteger),
    Column("api_key", Text),
    Column("scheme", Text),
    Column("source", Text),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("ip_address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("reason", Text),
    # More than one in a row that tells of refusals that have no row of their own.
    Column("requests", Integer, nullable=False, server_default=text("1")),
    # Where it came from, so that it can never come twice. Rows of before there were segments have neither.
    Column("segment_id", BigInteger),
    Column("seq", BigInteger),
    # Of requests for protected applications.
    Column("host", Text),
    # A search is a walk along one of these, newest first, whatever else it filters by.
    Index("request_log_by_time", "time", "id"),
    # The others are in `complete_metadata`.
)

last_use = Table(
    "last_use",
    metadata,
    Column("credential", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("ip_address", Text, nullable=False),
)


@cache
def complete_metadata() -> MetaData:
    """Give the tables with the indexes that each engine has words of its own for.

    No query names them, and SQLAlchemy loads both engines' dialects for those words: megabytes of a serving process.
    """
    columns = request_log.c
    # Nobody is looked for by having no name: what strangers sent costs neither of these.
    for name in ("user", "api_key"):
        _index_valued(f"request_log_by_{name}", columns[name], columns.time, columns.id)
    _index_valued("request_log_by_seq", columns.segment_id, columns.seq, unique=True)
    return metadata


def _index_valued(name: str, first: Column[Any], *others: Column[Any], unique: bool = False) -> None:
    """Leave the rows without a value in the first column out of an index."""
    valued = first.is_not(None)
    Index(name, first, *others, unique=unique, sqlite_where=valued, postgresql_where=valued)
