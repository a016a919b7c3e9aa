"""Undoing many approvals at once, and cases that are approved a second time after it.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

FROM_CASE = sa.text("case_id IS NOT NULL")


def upgrade() -> None:
    """Add tables and columns; a case may make one version for each time it is approved."""
    op.add_column(
        "cases",
        sa.Column(
            "undone", sa.Integer(), nullable=False, server_default="0", comment="Approvals of this case that cases.undo took back"
        ),
    )
    op.add_column(
        "profile_versions",
        sa.Column(
            "application",
            sa.Integer(),
            nullable=False,
            server_default="1",
            comment="Which approval of its case made it: 1, and one more for each that was undone",
        ),
    )
    op.drop_index("one_version_per_case", table_name="profile_versions")
    op.create_index(
        "one_version_per_application",
        "profile_versions",
        ["case_id", "application"],
        unique=True,
        postgresql_where=FROM_CASE,
        sqlite_where=FROM_CASE,
    )
    op.create_table(
        "undos",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("selection", sa.JSON(), nullable=False, comment="cases.undo.Selection"),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False, comment="Approvals that were to be undone when it was proposed"),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by_id", sa.Uuid(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id", name=op.f("ck_undos_nobody_confirms_his_own")
        ),
        sa.CheckConstraint("(confirmed_by_id IS NULL) = (confirmed_at IS NULL)", name=op.f("ck_undos_confirmed_by_somebody")),
        sa.CheckConstraint("confirmed_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_undos_confirmed_or_withdrawn")),
        sa.CheckConstraint("finished_at IS NULL OR confirmed_at IS NOT NULL", name=op.f("ck_undos_undoing_needs_two")),
        sa.ForeignKeyConstraint(["proposed_by_id"], ["staff.id"], name=op.f("fk_undos_proposed_by_id")),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["staff.id"], name=op.f("fk_undos_confirmed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_undos")),
    )
    op.create_table(
        "undo_items",
        sa.Column("undo_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False, comment="What its approval made current"),
        sa.Column(
            "outcome", sa.String(20), nullable=True, comment="requeued, closed, conflict or gone; NULL: not carried out yet"
        ),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(outcome IS NULL) = (done_at IS NULL)", name=op.f("ck_undo_items_done_with_an_outcome")),
        sa.ForeignKeyConstraint(["undo_id"], ["undos.id"], name=op.f("fk_undo_items_undo_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_undo_items_case_id")),
        sa.ForeignKeyConstraint(["version_id"], ["profile_versions.id"], name=op.f("fk_undo_items_version_id")),
        sa.PrimaryKeyConstraint("undo_id", "case_id", name=op.f("pk_undo_items")),
    )
    op.create_index("ix_undo_items_outcome", "undo_items", ["undo_id", "outcome"], unique=False)


def downgrade() -> None:
    """Drop them; fails where a case was approved twice."""
    op.drop_table("undo_items")
    op.drop_table("undos")
    op.drop_index("one_version_per_application", table_name="profile_versions")
    op.create_index(
        "one_version_per_case", "profile_versions", ["case_id"], unique=True, postgresql_where=FROM_CASE, sqlite_where=FROM_CASE
    )
    op.drop_column("profile_versions", "application")
    op.drop_column("cases", "undone")
