"""The request log and the last use of each credential."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    log_position = op.create_table(
        "log_position",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(log_position, [{"id": 1, "last_id": 0}])
    op.create_table(
        "request_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("user", sa.Text),
        sa.Column("user_id", sa.BigInteger),
        sa.Column("api_key", sa.Text),
        sa.Column("scheme", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("ip_address", sa.Text, nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_index("request_log_by_time", "request_log", ["time", "id"])
    op.create_index("request_log_by_user", "request_log", ["user", "time", "id"])
    op.create_index("request_log_by_api_key", "request_log", ["api_key", "time", "id"])
    op.create_table(
        "last_use",
        sa.Column("credential", sa.Text, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("ip_address", sa.Text, nullable=False),
    )
