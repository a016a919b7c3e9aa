"""Saved replies, version by version, and where each was used.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cases import immutability

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables; versions stand for ever."""
    op.create_table(
        "reply_versions",
        sa.Column("reply", sa.String(60), nullable=False, comment="A code; the shipped ones stand in cases.replies.SHIPPED"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="1, 2, 3 …; what is shipped counts as 0"),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(60), nullable=True, comment="A reason code it goes with; NULL: any"),
        sa.Column("name", sa.String(80), nullable=False, comment="What agents call it"),
        sa.Column("texts", sa.JSON(), nullable=False, comment="Text by language, with variables; of nobody"),
        sa.Column("retired", sa.Boolean(), nullable=False, comment="No longer offered from this version on"),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("purpose IN ('ask_retake', 'reject', 'message')", name=op.f("ck_reply_versions_purpose_is_known")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_reply_versions_counted_from_one")),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_reply_versions_author_id")),
        sa.PrimaryKeyConstraint("reply", "number", name=op.f("pk_reply_versions")),
    )
    op.create_table(
        "reply_uses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reply", sa.String(60), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False, comment="The agent changed the words before they were sent"),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("carrier_id", sa.Uuid(), nullable=True, comment="The answer or message that carried it"),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="What fails later is not laid to this text"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_reply_uses_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_reply_uses_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_uses")),
    )
    op.create_index(op.f("ix_reply_uses_used_at"), "reply_uses", ["used_at"], unique=False)
    op.create_index(op.f("ix_reply_uses_carrier_id"), "reply_uses", ["carrier_id"], unique=False)
    for statement in immutability.statements(op.get_bind().dialect.name, ("reply_versions",)):
        op.execute(statement)


def downgrade() -> None:
    """Drop both; the shipped texts hold again."""
    op.drop_table("reply_uses")
    op.drop_table("reply_versions")
