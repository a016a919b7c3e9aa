"""Mail owed to staff, and the language that each of them reads.

Revision ID: 0030
Revises: 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has been written to yet."""
    op.create_table(
        "staff_mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="Her address is the one she signs in with"),
        sa.Column("kind", sa.String(40), nullable=False, comment="One of cases.staff_mails.KINDS"),
        sa.Column("key", sa.String(120), nullable=False, comment="What it tells of: each person hears of a thing once"),
        sa.Column("context", sa.JSON(), nullable=False, comment="Ids, numbers and codes; nothing of a customer"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, comment="Not before"),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True, comment="Being sent; nobody else may until then"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_staff_mails_tries_never_negative")),
        sa.CheckConstraint("sent_at IS NULL OR given_up_at IS NULL", name=op.f("ck_staff_mails_sent_or_given_up")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_mails_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_mails")),
        sa.UniqueConstraint("staff_id", "key", name=op.f("uq_staff_mails_staff_id_key")),
    )
    op.create_index("ix_staff_mails_owed", "staff_mails", ["sent_at", "next_at"], unique=False)
    op.add_column(
        "staff",
        sa.Column("locale", sa.String(8), nullable=True, comment="In which mails are written to her; NULL: the default language"),
    )


def downgrade() -> None:
    """What was not sent is not sent."""
    op.drop_column("staff", "locale")
    op.drop_index("ix_staff_mails_owed", table_name="staff_mails")
    op.drop_table("staff_mails")
