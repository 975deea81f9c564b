"""Segments from which rows come exactly once, what was lost of them, and roll-ups of the requests."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "log_segment",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("next_seq", sa.BigInteger, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("problem", sa.Text),
    )
    op.create_table(
        "log_loss",
        sa.Column("segment_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("damaged_bytes", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "log_count",
        sa.Column("span", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("detail", sa.Text, primary_key=True),
        sa.Column("outcome", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("request_log", sa.Column("requests", sa.Integer, nullable=False, server_default=sa.text("1")))
    op.add_column("request_log", sa.Column("segment_id", sa.BigInteger))
    op.add_column("request_log", sa.Column("seq", sa.BigInteger))
    op.create_index("request_log_by_seq", "request_log", ["segment_id", "seq"], unique=True, **_where("segment_id"))
    for column in ("user", "api_key"):
        op.drop_index(f"request_log_by_{column}", "request_log")
        op.create_index(f"request_log_by_{column}", "request_log", [column, "time", "id"], **_where(column))
    _count_existing_rows()


def _count_existing_rows() -> None:
    """Roll up the rows of before there were roll-ups, as roll_ups.py does it with each that comes."""
    seconds, outcome = "time / 1000000", "status / 100 * 2 + CASE WHEN reason IS NULL THEN 0 ELSE 1 END"
    nothing = "''"
    user, key = '"user" IS NOT NULL', "api_key IS NOT NULL AND scheme IN ('token', 'Basic', 'client')"
    spans = {0: (60, 3600, 86_400), 1: (3600, 86_400), 2: (3600, 86_400), 3: (60, 3600, 86_400)}
    kinds = {
        0: (nothing, nothing, "1 = 1"),
        1: ('"user"', "coalesce(CAST(user_id AS TEXT), '')", user),
        2: ("api_key", "coalesce(source, '')", key),
        3: ("reason", nothing, "reason IS NOT NULL"),
    }
    for kind, (name, detail, condition) in kinds.items():
        for span in spans[kind]:
            chosen = f"{span}, {kind}, {seconds} / {span} * {span}, {name}, {detail}, {outcome}, count(*)"
            op.execute(
                "INSERT INTO log_count (span, kind, start, name, detail, outcome, requests) "  # noqa: S608  # own texts
                f"SELECT {chosen} FROM request_log WHERE {condition} GROUP BY 3, 4, 5, 6"
            )


def _where(column: str) -> dict[str, Any]:
    condition = sa.text(f'"{column}" IS NOT NULL')
    return {"sqlite_where": condition, "postgresql_where": condition}
