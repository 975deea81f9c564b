"""The tables of the request log, as the end of the chain in migrations/ leaves them."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, SmallInteger, Table, Text

__all__ = ["last_use", "log_position", "metadata", "request_log"]

metadata = MetaData()

# SQLite's own row number, which costs no second index, is INTEGER and nothing else.
_Id = BigInteger().with_variant(Integer, "sqlite")

log_position = Table(
    "log_position",
    metadata,
    # One row. Its number is taken in the transaction of the row that it numbers: ids have no gaps, are never reused,
    # and are in the order of the commits, so that a reader who has seen n has seen all below n. A sequence of
    # PostgreSQL gives numbers before the commit, and a reader would skip the lower of two.
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("last_id", BigInteger, nullable=False),
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
    # A search is a walk along one of these, newest first, whatever else it filters by.
    Index("request_log_by_time", "time", "id"),
    Index("request_log_by_user", "user", "time", "id"),
    Index("request_log_by_api_key", "api_key", "time", "id"),
)

last_use = Table(
    "last_use",
    metadata,
    Column("credential", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("ip_address", Text, nullable=False),
)
