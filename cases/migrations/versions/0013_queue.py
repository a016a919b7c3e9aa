"""The desk's queue: an index for each of its parts, views that agents keep, who is looking at a case.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WAITS = "state = 'in_review' AND answered_at IS NULL AND awaiting_until IS NULL"

PARTS = {
    "ix_cases_due": (("state", "due_at", "id"), WAITS),
    "ix_cases_second": (("state", "due_at", "id"), f"{WAITS} AND second_at IS NOT NULL"),
    "ix_cases_senior": (("state", "due_at", "id"), f"{WAITS} AND escalated_at IS NOT NULL"),
    "ix_cases_rescue": (("state", "rescue", "id"), f"{WAITS} AND rescue > 0"),
    "ix_cases_under_dispute": (
        ("state", "disputed_at", "id"),
        "state = 'approved' AND disputed_at IS NOT NULL AND dispute_settled_at IS NULL",
    ),
    "ix_cases_with_customer": (("state", "updated_at", "id"), "state = 'needs_retake'"),
    "ix_cases_closed": (("closed_at", "id"), "closed_at IS NOT NULL"),
}
UNSEEN = "writer = 'customer' AND seen_at IS NULL AND shredded_at IS NULL"


def upgrade() -> None:
    """Make them, and the column that parts who waits for an agent from who is waited for.

    The number of a document is known by its keyed hash from the next submission on.
    """
    op.add_column(
        "cases",
        sa.Column(
            "awaiting_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Until when the customer may send the papers an agent asked for; the case waits for her, not for an agent",
        ),
    )
    for name, (columns, which) in PARTS.items():
        op.create_index(name, "cases", list(columns), postgresql_where=sa.text(which), sqlite_where=sa.text(which))
    op.create_index("ix_messages_unseen", "messages", ["case_id"], postgresql_where=sa.text(UNSEEN), sqlite_where=sa.text(UNSEEN))
    op.create_index("ix_customers_beginning", "customers", ["external_id"], postgresql_ops={"external_id": "text_pattern_ops"})
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False, comment="Hers; nothing of a customer"),
        sa.Column("filters", sa.JSON(), nullable=False, comment="As in the page's address"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_saved_views_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("staff_id", "name", name=op.f("uq_saved_views_staff_id_name")),
    )
    op.create_table(
        "presences",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_presences_case_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_presences_staff_id")),
        sa.PrimaryKeyConstraint("case_id", "staff_id", name=op.f("pk_presences")),
    )
    op.create_index(op.f("ix_presences_staff_id"), "presences", ["staff_id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("presences")
    op.drop_table("saved_views")
    op.drop_index("ix_customers_beginning", table_name="customers")
    op.drop_index("ix_messages_unseen", table_name="messages")
    for name in PARTS:
        op.drop_index(name, table_name="cases")
    op.drop_column("cases", "awaiting_until")
