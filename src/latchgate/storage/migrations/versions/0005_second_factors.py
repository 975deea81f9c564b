"""Make second factors with their recovery codes, half-way sign-ins, and roles that require a second factor.

No trigger notes them: verdicts on keys and tokens do not stand on them, and one on a session is never remembered.

A released revision is never edited: it stands alone and takes nothing from schema.py.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    no = sa.text("false")
    op.add_column("role", sa.Column("second_factor_required", sa.Boolean, nullable=False, server_default=no))
    op.create_index("ix_role_second_factor_required_name", "role", ["second_factor_required", "name"])
    op.add_column("session", sa.Column("second_factor", sa.Boolean, nullable=False, server_default=no))
    op.create_table(
        "second_factor",
        sa.Column("user_id", _ID, nullable=False, autoincrement=False),
        sa.Column("pepper", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("wrong_codes", sa.Integer, nullable=False),
        sa.Column("wrong_since", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_second_factor"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_second_factor_user_id", ondelete="CASCADE"),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_code"),
        sa.UniqueConstraint("digest", name="uq_recovery_code_digest"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["second_factor.user_id"], name="fk_recovery_code_user_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_recovery_code_user_id", "recovery_code", ["user_id"])
    op.create_table(
        "sign_in_step",
        sa.Column("id", _ID, sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("password_mark", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_step"),
        sa.UniqueConstraint("digest", name="uq_sign_in_step_digest"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_sign_in_step_user_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sign_in_step_user_id", "sign_in_step", ["user_id"])
    op.create_index("ix_sign_in_step_expires_at", "sign_in_step", ["expires_at"])


def downgrade() -> None:
    raise NotImplementedError("there is no way back but a backup")
