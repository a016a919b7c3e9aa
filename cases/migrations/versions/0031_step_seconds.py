"""How long each step of a run took.

Revision ID: 0031
Revises: 0030
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Runs that ended before know only their whole time."""
    op.add_column(
        "runs",
        sa.Column(
            "step_seconds",
            sa.JSON(none_as_null=True),
            nullable=True,
            comment="Of each step of a finished run, by verification.evidence.Step; they add up to seconds",
        ),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_column("runs", "step_seconds")
