"""Messages between customer and agent, and what a run is busy with.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table with its indexes, and the column."""
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False, comment="Drawn with the form: sent twice, kept once"),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column(
            "writer",
            sa.Enum("customer", "staff", name="writer", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("data_key_id", sa.Uuid(), nullable=False),
        sa.Column(
            "text_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="UTF-8 under the case's key; NULL: a photo alone, or shredded",
        ),
        sa.Column("blob", sa.String(length=32), nullable=True, comment="32 hex digits, random; the name in the store"),
        sa.Column("sha256", sa.String(length=64), nullable=True, comment="Of the photo's clear bytes"),
        sa.Column("size", sa.Integer(), nullable=True, comment="Clear bytes of the photo"),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="By the customer: shown to her; by staff: an agent answered it or set it aside",
        ),
        sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(writer = 'staff') = (staff_id IS NOT NULL)", name=op.f("ck_messages_staff_named_exactly_when_staff_wrote")
        ),
        sa.CheckConstraint("(blob IS NULL) = (sha256 IS NULL)", name=op.f("ck_messages_a_photo_has_its_hash")),
        sa.CheckConstraint(
            "text_sealed IS NOT NULL OR blob IS NOT NULL OR shredded_at IS NOT NULL", name=op.f("ck_messages_says_something")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_messages_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_messages_customer_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_messages_data_key_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_messages_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("blob", name=op.f("uq_messages_blob")),
    )
    op.create_index("ix_messages_case", "messages", ["case_id", "written_at"], unique=False)
    op.create_index(op.f("ix_messages_customer_id"), "messages", ["customer_id"], unique=False)
    op.add_column(
        "runs",
        sa.Column(
            "step",
            sa.String(length=20),
            nullable=True,
            comment="verification.evidence.Step: what it is busy with, for the customer who waits",
        ),
    )


def downgrade() -> None:
    """Drop both; the blobs of photos become orphans and go with the next clearing."""
    op.drop_column("runs", "step")
    op.drop_table("messages")
