"""Cases of sandbox customers: marked as such, and in none of the desk's indexes.

Revision ID: 0032
Revises: 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_WAITS = "state = 'in_review' AND answered_at IS NULL AND awaiting_until IS NULL"
_DESK = {
    "ix_cases_due": (["state", "due_at", "id"], _WAITS, ""),
    "ix_cases_second": (["state", "due_at", "id"], _WAITS, " AND second_at IS NOT NULL"),
    "ix_cases_senior": (["state", "due_at", "id"], _WAITS, " AND escalated_at IS NOT NULL"),
    "ix_cases_rescue": (["state", "rescue", "id"], _WAITS, " AND rescue > 0"),
    "ix_cases_under_dispute": (
        ["state", "disputed_at", "id"],
        "state = 'approved' AND disputed_at IS NOT NULL AND dispute_settled_at IS NULL",
        "",
    ),
    "ix_cases_with_customer": (["state", "updated_at", "id"], "state = 'needs_retake'", ""),
    "ix_cases_closed": (["closed_at", "id"], "closed_at IS NOT NULL", ""),
}


def upgrade() -> None:
    """Add the column; make the desk's indexes anew without such cases."""
    op.add_column(
        "cases",
        sa.Column(
            "trial",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="Of a sandbox customer: at no desk and in no figure, see cases.trials",
        ),
    )
    _indexes(" AND NOT trial")
    op.create_index(
        "ix_cases_trial", "cases", ["id"], unique=False, postgresql_where=sa.text("trial"), sqlite_where=sa.text("trial")
    )


def downgrade() -> None:
    """Put the indexes back as they were, and take the column away."""
    op.drop_index("ix_cases_trial", table_name="cases")
    _indexes("")
    op.drop_column("cases", "trial")


def _indexes(more: str) -> None:
    for name, (columns, waits, rest) in _DESK.items():
        op.drop_index(name, table_name="cases")
        which = sa.text(waits + more + rest)
        op.create_index(name, "cases", columns, unique=False, postgresql_where=which, sqlite_where=which)
