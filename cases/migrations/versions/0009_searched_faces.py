"""When a kept face was searched for; until then the desk says that it was not.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; faces kept so far were searched for when they were kept."""
    with op.batch_alter_table("face_encodings") as table:
        table.add_column(
            sa.Column("searched_at", sa.DateTime(timezone=True), nullable=True, comment="NULL = not searched for yet")
        )
    op.execute("UPDATE face_encodings SET searched_at = created_at")


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("face_encodings") as table:
        table.drop_column("searched_at")
