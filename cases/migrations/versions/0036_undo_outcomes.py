"""What became of approvals that could not be taken back, and the order in which they are.

Revision ID: 0036
Revises: 0035
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

LEFT = sa.text("outcome IS NULL")
OUTCOME = sa.String(20)
BEFORE, NOW = (
    "requeued, closed, conflict or gone; NULL: not carried out yet",
    "One of cases.undo.OUTCOMES; NULL: not carried out yet",
)


def upgrade() -> None:
    """Nothing has failed so far: it stopped everything instead. What waits already gets its turn: the newest approval first."""
    with op.batch_alter_table("undo_items") as table:
        table.alter_column("outcome", existing_type=OUTCOME, existing_nullable=True, existing_comment=BEFORE, comment=NOW)
        table.add_column(
            sa.Column("code", sa.String(60), nullable=True, comment="Of what failed: the name of the exception, never its text")
        )
        table.add_column(
            sa.Column(
                "place", sa.Integer(), nullable=False, server_default="0", comment="Its turn: the newest approval comes first"
            )
        )
        table.create_check_constraint(
            op.f("ck_undo_items_failed_with_a_code"), "(code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'failed')"
        )
    op.execute(
        "UPDATE undo_items SET place = (SELECT count(*) FROM undo_items AS other JOIN cases AS theirs "
        "ON theirs.id = other.case_id, cases AS mine WHERE mine.id = undo_items.case_id AND other.undo_id = undo_items.undo_id "
        "AND other.outcome IS NULL AND theirs.customer_id = mine.customer_id AND theirs.closed_at > mine.closed_at) "
        "WHERE outcome IS NULL"
    )
    op.create_index(
        "ix_undo_items_left", "undo_items", ["undo_id", "place"], unique=False, postgresql_where=LEFT, sqlite_where=LEFT
    )


def downgrade() -> None:
    """What failed waits again, in undos that are not over then."""
    op.execute("UPDATE undos SET finished_at = NULL WHERE id IN (SELECT undo_id FROM undo_items WHERE outcome = 'failed')")
    op.execute("UPDATE undo_items SET outcome = NULL, done_at = NULL, code = NULL WHERE outcome = 'failed'")
    op.drop_index("ix_undo_items_left", table_name="undo_items")
    with op.batch_alter_table("undo_items") as table:
        table.drop_constraint(op.f("ck_undo_items_failed_with_a_code"), type_="check")
        table.drop_column("place")
        table.drop_column("code")
        table.alter_column("outcome", existing_type=OUTCOME, existing_nullable=True, existing_comment=NOW, comment=BEFORE)
