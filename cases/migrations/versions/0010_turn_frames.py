"""Hashes of the frames of head turns: the same file twice was not taken twice.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; frames kept so far have no hashes."""
    op.create_table(
        "turn_frames",
        sa.Column("head_turn_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="0, 1, 2 … as sent"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="Of the JPEG as sent"),
        sa.ForeignKeyConstraint(["head_turn_id"], ["head_turns.id"], name=op.f("fk_turn_frames_head_turn_id")),
        sa.PrimaryKeyConstraint("head_turn_id", "number", name=op.f("pk_turn_frames")),
    )
    op.create_index(op.f("ix_turn_frames_sha256"), "turn_frames", ["sha256"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f("ix_turn_frames_sha256"), table_name="turn_frames")
    op.drop_table("turn_frames")
