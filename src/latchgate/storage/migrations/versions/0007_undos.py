"""Make the table of changes that can still be undone.

No trigger notes it: no verdict stands on it.

A released revision is never edited: it stands alone and takes nothing from schema.py.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "undo",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("public_id", _TEXT, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("change", _TEXT, nullable=False),
        sa.Column("back", _TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_undo"),
        sa.UniqueConstraint("public_id", name="uq_undo_public_id"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_undo_session_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_undo_session_id", "undo", ["session_id"])
    op.create_index("ix_undo_expires_at", "undo", ["expires_at"])


def downgrade() -> None:
    raise NotImplementedError("there is no way back but a backup")
