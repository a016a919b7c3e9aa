"""Practice of new agents on specimen cases; answers found by their day, for figures.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cases import immutability

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables; answers stand for ever. Who works here already is experienced: `staff.practising` stays false."""
    op.create_table(
        "practice_rounds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3 … of the agent"),
        sa.Column("specimens", sa.JSON(), nullable=False, comment="Keys, in the order in which they are shown"),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(20), nullable=True),
        sa.Column("reset_by_id", sa.Uuid(), nullable=True, comment="The lead who had her begin anew"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_practice_rounds_counted_from_one")),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_practice_rounds_an_end_has_its_outcome")),
        sa.CheckConstraint("outcome IN ('passed', 'not_passed', 'reset')", name=op.f("ck_practice_rounds_outcome_is_known")),
        sa.CheckConstraint(
            "(reset_by_id IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'reset')",
            name=op.f("ck_practice_rounds_a_reset_has_its_lead"),
        ),
        sa.ForeignKeyConstraint(["reset_by_id"], ["staff.id"], name=op.f("fk_practice_rounds_reset_by_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_practice_rounds_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practice_rounds")),
        sa.UniqueConstraint("staff_id", "number", name=op.f("uq_practice_rounds_staff_id_number")),
    )
    op.create_index(
        "one_open_round_per_agent",
        "practice_rounds",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "practice_answers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3 … of the round"),
        sa.Column("specimen", sa.String(40), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("retake", sa.JSON(), nullable=False, comment="Photo kinds"),
        sa.Column("was_right", sa.Boolean(), nullable=False),
        sa.Column("dangerous", sa.Boolean(), nullable=False, comment="Approved what must not be approved"),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "action IN ('approve', 'reject', 'ask_retake', 'escalate')", name=op.f("ck_practice_answers_action_is_an_agents")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_practice_answers_counted_from_one")),
        sa.CheckConstraint("NOT (was_right AND dangerous)", name=op.f("ck_practice_answers_what_is_right_is_not_dangerous")),
        sa.ForeignKeyConstraint(["round_id"], ["practice_rounds.id"], name=op.f("fk_practice_answers_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practice_answers")),
        sa.UniqueConstraint("round_id", "number", name=op.f("uq_practice_answers_round_id_number")),
    )
    op.create_index("ix_answers_given", "answers", ["given_at", "staff_id", "state", "action"], unique=False)
    op.create_index(
        "ix_answers_second",
        "answers",
        ["given_at"],
        unique=False,
        postgresql_where=sa.text("first_id IS NOT NULL"),
        sqlite_where=sa.text("first_id IS NOT NULL"),
    )
    for statement in immutability.statements(op.get_bind().dialect.name, ("practice_answers",)):
        op.execute(statement)


def downgrade() -> None:
    """Drop both; nobody practises any more."""
    op.drop_index("ix_answers_second", table_name="answers")
    op.drop_index("ix_answers_given", table_name="answers")
    op.drop_table("practice_answers")
    op.drop_table("practice_rounds")
