"""Ratings, and when a disputed change was taken back for the time being.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "ratings",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("mark", sa.Integer(), nullable=False, comment="1 (very hard) to 5 (very easy)"),
        sa.Column(
            "words_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="A sentence, UTF-8 under the case's key; NULL: none, or shredded",
        ),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mark BETWEEN 1 AND 5", name=op.f("ck_ratings_five_choices")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_ratings_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_ratings_customer_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_ratings")),
    )
    op.create_index(op.f("ix_ratings_changed_at"), "ratings", ["changed_at"], unique=False)
    op.create_index(op.f("ix_ratings_customer_id"), "ratings", ["customer_id"], unique=False)
    op.add_column(
        "cases",
        sa.Column(
            "held_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when her objection keeps the change back; NULL once a person has settled it",
        ),
    )


def downgrade() -> None:
    """Drop both. A change that is held stays taken back; a person settles it by hand."""
    op.drop_column("cases", "held_at")
    op.drop_table("ratings")
