"""Let the database name its generation file, which tells every process of the host that something changed.

A released revision is never edited: it stands alone and takes nothing from schema.py.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    # Empty until the first writer on SQLite agrees on a file; on PostgreSQL it stays so.
    op.add_column("change_head", sa.Column("generation", _TEXT, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("there is no way back but a backup")
