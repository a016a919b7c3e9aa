"""Keep a deployment's own calibrations of the faces: append-only, the newest holds.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cases import immutability

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the triggers that keep its rows as they are."""
    op.create_table(
        "calibrations",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "document",
            sa.JSON(none_as_null=True),
            nullable=True,
            comment="Label, card, tables, odds of a verification.calibration.FaceCalibration; NULL: the shipped one holds again",
        ),
        sa.Column("base", sa.String(length=80), nullable=False, comment="Label of the shipped calibration it was fitted on"),
        sa.Column("pairs", sa.Integer(), nullable=False, comment="Labelled pairs behind it"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1 AND pairs >= 0", name=op.f("ck_calibrations_counts_never_negative")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_calibrations")),
    )
    for statement in immutability.statements(op.get_bind().dialect.name, ("calibrations",)):
        op.execute(statement)


def downgrade() -> None:
    """Drop the table; its triggers go with it."""
    op.drop_table("calibrations")
