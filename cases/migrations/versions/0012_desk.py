"""What the desk keeps with a case, a customer and a member of staff; answers that wait before they are carried out.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NEW = ("rescue", "document_index", "second_at", "answered_at", "escalated_at", "risk")


def upgrade() -> None:
    """Add the columns; cases that wait now are of ordinary risk until they are referred again."""
    op.add_column(
        "cases",
        sa.Column(
            "risk",
            sa.String(20),
            nullable=False,
            server_default="ordinary",
            comment="cases.risk.Risk, told anew at each referral",
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "escalated_at", sa.DateTime(timezone=True), nullable=True, comment="Since when only a senior agent may answer it"
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "answered_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="An agent's answer is given and not carried out: it may be taken back still, or waits for a second person",
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "second_at", sa.DateTime(timezone=True), nullable=True, comment="Since when it waits for a second person's own answer"
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "document_index",
            sa.String(64),
            nullable=True,
            comment="Keyed hash of the document number, for searching; NULL: none known, or shredded",
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "rescue",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="cases.rescue: how badly this customer needs somebody who ends it",
        ),
    )
    op.create_index(op.f("ix_cases_document_index"), "cases", ["document_index"], unique=False)
    op.add_column(
        "customers",
        sa.Column(
            "by_eye",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="No machine compares her face: agents do, by eye",
        ),
    )
    op.add_column(
        "staff",
        sa.Column(
            "skills",
            sa.JSON(),
            nullable=False,
            server_default="{}",
            comment="cases.queue.Skills: languages, countries; empty: all",
        ),
    )
    op.add_column(
        "staff",
        sa.Column(
            "practising",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="A new agent: specimen cases only, until the pass mark",
        ),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_column("staff", "practising")
    op.drop_column("staff", "skills")
    op.drop_column("customers", "by_eye")
    op.drop_index(op.f("ix_cases_document_index"), table_name="cases")
    for name in NEW:
        op.drop_column("cases", name)
