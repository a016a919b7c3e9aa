"""Loosenings go live in steps, automatic approval halts itself, and what both count.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cases import immutability

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; what holds now goes on holding. A switch may be thrown by the system, towards people only."""
    op.create_index(
        "ix_policy_activations_agreed", "policy_activations", ["id", "proposed_by_id", "confirmed_by_id"], unique=True
    )
    with op.batch_alter_table("automation_switches") as table:
        table.alter_column("proposed_by_id", existing_type=sa.Uuid(), nullable=True, comment="NULL: the system halted itself")
        table.create_check_constraint(
            op.f("ck_automation_switches_only_closing_has_no_proposer"), "to_people OR proposed_by_id IS NOT NULL"
        )
    op.create_table(
        "policy_steps",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("activation_id", NUMBER, nullable=False),
        sa.Column("stage", sa.String(12), nullable=False, comment="cases.ramps.Stage"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True, comment="NULL: the system, which only ever rolls back"),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=True),
        sa.Column("confirmed_by_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.CheckConstraint(
            "stage IN ('shadow', 'five', 'quarter', 'full', 'rolled_back')", name=op.f("ck_policy_steps_stage_is_known")
        ),
        sa.CheckConstraint(
            "stage = 'rolled_back' OR (by_id IS NOT NULL AND proposed_by_id IS NOT NULL AND confirmed_by_id IS NOT NULL"
            " AND by_id <> proposed_by_id AND confirmed_by_id <> proposed_by_id)",
            name=op.f("ck_policy_steps_forward_needs_two"),
        ),
        sa.ForeignKeyConstraint(
            ["activation_id", "proposed_by_id", "confirmed_by_id"],
            ["policy_activations.id", "policy_activations.proposed_by_id", "policy_activations.confirmed_by_id"],
            name=op.f("fk_policy_steps_agreed"),
        ),
        sa.ForeignKeyConstraint(["activation_id"], ["policy_activations.id"], name=op.f("fk_policy_steps_activation_id")),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_policy_steps_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_steps")),
        sa.UniqueConstraint("activation_id", "stage", name=op.f("uq_policy_steps_activation_id_stage")),
    )
    op.create_table(
        "policy_trials",
        sa.Column("activation_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("held", sa.String(10), nullable=False, comment="approve, retake or refer"),
        sa.Column("tried", sa.String(10), nullable=False, comment="approve, retake or refer"),
        sa.Column("live", sa.Boolean(), nullable=False, comment="Whether the new version decided"),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.CheckConstraint("runs >= 0", name=op.f("ck_policy_trials_counts_never_negative")),
        sa.ForeignKeyConstraint(["activation_id"], ["policy_activations.id"], name=op.f("fk_policy_trials_activation_id")),
        sa.PrimaryKeyConstraint("activation_id", "stage", "held", "tried", "live", name=op.f("pk_policy_trials")),
    )
    op.create_table(
        "decision_counts",
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False, comment="Begin of the ten minutes"),
        sa.Column("outcome", sa.String(10), nullable=False, comment="approve, retake, refer or failed"),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.CheckConstraint("runs >= 0", name=op.f("ck_decision_counts_counts_never_negative")),
        sa.PrimaryKeyConstraint("slot", "outcome", name=op.f("pk_decision_counts")),
    )
    op.create_table(
        "halts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bound", sa.String(30), nullable=False, comment="cases.halts.Bound"),
        sa.Column("figures", sa.JSON(), nullable=False, comment="Counts and limits by which it was left; nothing of a person"),
        sa.Column("switch_id", NUMBER, nullable=False),
        sa.Column("rolled_back_id", NUMBER, nullable=True, comment="The ramp that it ended"),
        sa.ForeignKeyConstraint(["switch_id"], ["automation_switches.id"], name=op.f("fk_halts_switch_id")),
        sa.ForeignKeyConstraint(["rolled_back_id"], ["policy_activations.id"], name=op.f("fk_halts_rolled_back_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_halts")),
        sa.UniqueConstraint("switch_id", name=op.f("uq_halts_switch_id")),
    )
    op.create_index(op.f("ix_halts_at"), "halts", ["at"], unique=False)
    for statement in immutability.statements(op.get_bind().dialect.name, ("policy_steps", "halts")):
        op.execute(statement)


def downgrade() -> None:
    """Drop them; fails where the system has halted itself, for a switch needs somebody again."""
    for name in ("halts", "decision_counts", "policy_trials", "policy_steps"):
        op.drop_table(name)
    with op.batch_alter_table("automation_switches") as table:
        table.drop_constraint(op.f("ck_automation_switches_only_closing_has_no_proposer"), type_="check")
        table.alter_column("proposed_by_id", existing_type=sa.Uuid(), nullable=False, comment=None)
    op.drop_index("ix_policy_activations_agreed", table_name="policy_activations")
