"""Sessions of customers, so that a session which was signed out is over wherever its cookie lies.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; cookies made before name no row of it, so everybody signs in once more."""
    op.create_table(
        "customer_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="The last sign of her, to the minute"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="Signed out, or another took its place"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_customer_sessions_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_sessions")),
    )
    op.create_index(op.f("ix_customer_sessions_began_at"), "customer_sessions", ["began_at"], unique=False)


def downgrade() -> None:
    """Drop it: everybody is signed out."""
    op.drop_index(op.f("ix_customer_sessions_began_at"), table_name="customer_sessions")
    op.drop_table("customer_sessions")
