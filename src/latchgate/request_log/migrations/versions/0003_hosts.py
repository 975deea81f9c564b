"""Which host a request for a protected application was for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a value of its own for the rows that are there: however many these are, none is touched.
    op.add_column("request_log", sa.Column("host", sa.Text))
