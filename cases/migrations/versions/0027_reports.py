"""The weekly report: kept as it was made, and weeks that somebody asked for.

Revision ID: 0027
Revises: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cases import immutability

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Both begin empty; upkeep makes the report of the last whole week by itself."""
    op.create_table(
        "weekly_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False, comment="First day of the week"),
        sa.Column("time_zone", sa.String(60), nullable=False, comment="By whose clocks it began, such as Europe/Moscow"),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("definitions", sa.Integer(), nullable=False, comment="cases.reports.DEFINITIONS then: docs/metrics.md"),
        sa.Column(
            "document",
            sa.JSON(),
            nullable=False,
            comment="cases.reports.keep: whole, by country, by policy version, by agent's id",
        ),
        sa.CheckConstraint("definitions >= 1", name=op.f("ck_weekly_reports_counted_from_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weekly_reports")),
        sa.UniqueConstraint("monday", "time_zone", name=op.f("uq_weekly_reports_monday_time_zone")),
    )
    op.create_table(
        "report_wishes",
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("time_zone", sa.String(60), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("wished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_report_wishes_by_id")),
        sa.PrimaryKeyConstraint("monday", "time_zone", name=op.f("pk_report_wishes")),
    )
    op.add_column(
        "staff",
        sa.Column("weekly_report", sa.Boolean(), nullable=True, comment="Whether Monday's mail goes to her; NULL: leads only"),
    )
    for statement in immutability.statements(op.get_bind().dialect.name, ("weekly_reports",)):
        op.execute(statement)


def downgrade() -> None:
    """Kept reports are lost; they can be made again from the trail."""
    op.drop_column("staff", "weekly_report")
    op.drop_table("report_wishes")
    op.drop_table("weekly_reports")
