"""Blind indexes of document numbers that were read from photos: found by search, compared with other accounts.

Cases that were read before have none: what was read lies sealed, and a migration opens nothing. They are found by the number that
was typed, as until now.

Revision ID: 0037
Revises: 0036
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing was read yet."""
    op.create_table(
        "numbers_read",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number_index", sa.String(64), nullable=False, comment="As Case.document_index; of the number as it was read"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_numbers_read_case_id")),
        sa.PrimaryKeyConstraint("case_id", "number_index", name=op.f("pk_numbers_read")),
    )
    op.create_index(op.f("ix_numbers_read_number_index"), "numbers_read", ["number_index"], unique=False)


def downgrade() -> None:
    """Such numbers are found no more."""
    op.drop_index(op.f("ix_numbers_read_number_index"), table_name="numbers_read")
    op.drop_table("numbers_read")
