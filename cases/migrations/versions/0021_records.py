"""Packed records of runs, and the replays of policies over them.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cases import immutability

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; `flask policy pack` makes records of runs that finished before."""
    op.create_table(
        "run_records",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "packed",
            sa.LargeBinary(),
            nullable=False,
            comment="One cases.replays.ROW: numbers and codes, no name and no number of a document",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_records_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_records")),
    )
    op.create_index(op.f("ix_run_records_finished_at"), "run_records", ["finished_at"], unique=False)
    op.create_table(
        "replay_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("against_version", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column(
            "wrong",
            sa.Integer(),
            nullable=False,
            comment="Cases a person refused or put back, which it would have approved",
        ),
        sa.Column("document", sa.JSON(), nullable=False, comment="cases.replays.Replay without its list of cases"),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("runs >= 0 AND wrong >= 0", name=op.f("ck_replay_reports_counts_never_negative")),
        sa.ForeignKeyConstraint(["version"], ["policies.version"], name=op.f("fk_replay_reports_version")),
        sa.ForeignKeyConstraint(["against_version"], ["policies.version"], name=op.f("fk_replay_reports_against_version")),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_replay_reports_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay_reports")),
    )
    op.create_index("ix_replay_reports_version", "replay_reports", ["version", "created_at"], unique=False)
    op.create_table(
        "replay_wrongs",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("answer", sa.String(20), nullable=False, comment="rejected or reverted"),
        sa.Column("opened_by_id", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(opened_by_id IS NULL) = (opened_at IS NULL)", name=op.f("ck_replay_wrongs_opened_by_somebody")),
        sa.ForeignKeyConstraint(["report_id"], ["replay_reports.id"], name=op.f("fk_replay_wrongs_report_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_replay_wrongs_case_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_replay_wrongs_run_id")),
        sa.ForeignKeyConstraint(["opened_by_id"], ["staff.id"], name=op.f("fk_replay_wrongs_opened_by_id")),
        sa.PrimaryKeyConstraint("report_id", "case_id", name=op.f("pk_replay_wrongs")),
    )
    for statement in immutability.statements(op.get_bind().dialect.name, ("replay_reports",)):
        op.execute(statement)


def downgrade() -> None:
    """Drop them; records can be packed anew from measures."""
    op.drop_table("replay_wrongs")
    op.drop_table("replay_reports")
    op.drop_table("run_records")
