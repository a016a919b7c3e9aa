"""Head-turn challenges and where the frames that answered them lie.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "head_turns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="Submissions before it was drawn"),
        sa.Column("turns", sa.JSON(), nullable=False, comment="verification.challenge.Turn, in the order asked"),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="Frames that come later are not taken"),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True, comment="Once only; the newest answered one counts"),
        sa.Column("data_key_id", sa.Uuid(), nullable=False),
        sa.Column("blob", sa.String(length=32), nullable=True, comment="32 hex digits, random; the name in the store"),
        sa.Column("sha256", sa.String(length=64), nullable=True, comment="Of the clear bytes"),
        sa.Column("size", sa.Integer(), nullable=True, comment="Clear bytes"),
        sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(blob IS NULL) = (answered_at IS NULL) AND (sha256 IS NULL) = (answered_at IS NULL)",
            name=op.f("ck_head_turns_frames_exactly_when_answered"),
        ),
        sa.CheckConstraint("expires_at > drawn_at", name=op.f("ck_head_turns_time_to_answer")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_head_turns_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_head_turns_customer_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_head_turns_data_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head_turns")),
        sa.UniqueConstraint("blob", name=op.f("uq_head_turns_blob")),
    )
    op.create_index("ix_head_turns_answered", "head_turns", ["case_id", "answered_at"], unique=False)
    op.create_index(op.f("ix_head_turns_customer_id"), "head_turns", ["customer_id"], unique=False)


def downgrade() -> None:
    """Drop it, with its rows; the blobs become orphans and go with the next clearing."""
    op.drop_table("head_turns")
