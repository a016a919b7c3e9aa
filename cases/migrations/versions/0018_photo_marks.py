"""Marks of photos, by which nearly equal ones are found in other accounts.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. Photos sent before have no marks: nobody can make them without opening every fingerprint."""
    op.create_table(
        "photo_marks",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False, comment="0 to 7"),
        sa.Column("mark", sa.String(24), nullable=False, comment="Of kind, number and bits of the part; 24 hex digits"),
        sa.CheckConstraint("part BETWEEN 0 AND 7", name=op.f("ck_photo_marks_eight_parts")),
        sa.ForeignKeyConstraint(["case_id", "upload_id"], ["uploads.case_id", "uploads.id"], name="fk_photo_marks_upload"),
        sa.PrimaryKeyConstraint("case_id", "upload_id", "part", name=op.f("pk_photo_marks")),
    )
    op.create_index(op.f("ix_photo_marks_mark"), "photo_marks", ["mark"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("photo_marks")
