"""Which calibration of the faces holds is agreed by two people.

Revision ID: 0033
Revises: 0032
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table. What held until now, the newest calibration, goes on holding: as row 0, which nobody proposed."""
    op.create_table(
        "calibration_activations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True, nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=True, comment="NULL: the shipped one holds again"),
        sa.Column(
            "against_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="What held when it was proposed; NULL: nothing but the shipped one ever",
        ),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=True, comment="NULL: held before it took two"),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by_id", sa.Uuid(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id",
            name=op.f("ck_calibration_activations_nobody_confirms_his_own"),
        ),
        sa.CheckConstraint(
            "effective_at IS NULL OR confirmed_by_id IS NOT NULL OR id = 0",
            name=op.f("ck_calibration_activations_calibrating_needs_two"),
        ),
        sa.CheckConstraint(
            "effective_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_calibration_activations_effective_or_withdrawn")
        ),
        sa.CheckConstraint(
            "proposed_by_id IS NOT NULL OR id = 0",
            name=op.f("ck_calibration_activations_only_what_held_before_has_no_proposer"),
        ),
        sa.ForeignKeyConstraint(["number"], ["calibrations.number"], name=op.f("fk_calibration_activations_number")),
        sa.ForeignKeyConstraint(
            ["against_id"], ["calibration_activations.id"], name=op.f("fk_calibration_activations_against_id")
        ),
        sa.ForeignKeyConstraint(["proposed_by_id"], ["staff.id"], name=op.f("fk_calibration_activations_proposed_by_id")),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["staff.id"], name=op.f("fk_calibration_activations_confirmed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_activations")),
    )
    op.create_index("ix_calibration_activations_effective", "calibration_activations", ["effective_at"], unique=False)
    op.execute(
        "INSERT INTO calibration_activations (id, number, reason, proposed_at, effective_at)"
        " SELECT 0, number, 'Held before it took two people', created_at, created_at FROM calibrations"
        " WHERE document IS NOT NULL AND number = (SELECT max(number) FROM calibrations)"
    )


def downgrade() -> None:
    """What holds goes on holding: before this the newest row held, so one is added unless it is the newest already. Who agreed
    to which is forgotten.
    """
    op.execute(
        "INSERT INTO calibrations (number, document, base, pairs, created_at)"
        " SELECT newest.number + 1, held.document, coalesce(held.base, newest.base), coalesce(held.pairs, 0), newest.created_at"
        " FROM calibrations AS newest LEFT JOIN calibrations AS held ON held.number ="
        " (SELECT number FROM calibration_activations WHERE effective_at IS NOT NULL ORDER BY effective_at DESC, id DESC LIMIT 1)"
        " WHERE newest.number = (SELECT max(number) FROM calibrations) AND (held.number IS NULL OR held.number <> newest.number)"
    )
    op.drop_index("ix_calibration_activations_effective", table_name="calibration_activations")
    op.drop_table("calibration_activations")
