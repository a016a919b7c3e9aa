"""Quality: answers that another person gives once more without having seen them, and how far the drawing of those has come.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. Drawing begins with answers of the last days; see cases.quality.draw."""
    op.create_table(
        "quality_marks",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False, comment="Everything up to this event was looked at"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_quality_marks_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_marks")),
    )
    op.create_table(
        "quality_samples",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("specimen", sa.String(60), nullable=True, comment="Key of cases.practice.specimens, where it is one"),
        sa.Column(
            "event_id",
            sa.BigInteger(),
            nullable=True,
            comment="The answer: an event of the trail. No foreign key: the trail stands for itself",
        ),
        sa.Column("why", sa.String(20), nullable=False, comment="random, overturned or specimen"),
        sa.Column(
            "share", sa.Double(), nullable=True, comment="Of such answers, how many were drawn then, 0-1; NULL: not by chance"
        ),
        sa.Column("staff_id", sa.Uuid(), nullable=True, comment="Whose answer it was; NULL: the machine's"),
        sa.Column("action", sa.String(20), nullable=False, comment="The answer; of a specimen the right one"),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("overturned_at", sa.DateTime(timezone=True), nullable=True, comment="When a person undid that answer"),
        sa.Column("reviewer_id", sa.Uuid(), nullable=True),
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True, comment="Hers until then; meaningless once reviewed"),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(20), nullable=True),
        sa.Column("verdict_reasons", sa.JSON(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=True, comment="The same action"),
        sa.Column(
            "note_sealed", sa.LargeBinary(), nullable=True, comment="The reviewer's, under the case's key; of a specimen: none"
        ),
        sa.Column(
            "doubted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="She would not have approved it: a senior agent looks",
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_how", sa.String(20), nullable=True, comment="stands or reverted"),
        sa.Column("settled_by_id", sa.Uuid(), nullable=True),
        sa.Column("settled_note_sealed", sa.LargeBinary(), nullable=True, comment="Under the case's key"),
        sa.Column("lapsed_at", sa.DateTime(timezone=True), nullable=True, comment="Can no longer be reviewed"),
        sa.Column("lapsed_why", sa.String(20), nullable=True, comment="shredded or changed"),
        sa.CheckConstraint("(specimen IS NULL) = (why <> 'specimen')", name=op.f("ck_quality_samples_specimens_are_planted")),
        sa.CheckConstraint("action IN ('approve', 'reject', 'ask_retake')", name=op.f("ck_quality_samples_action_is_an_answer")),
        sa.CheckConstraint(
            "settled_by_id IS NULL OR (settled_by_id <> reviewer_id AND (staff_id IS NULL OR settled_by_id <> staff_id))"
            " OR settled_how = 'reverted'",
            name=op.f("ck_quality_samples_a_third_person_lets_it_stand"),
        ),
        sa.CheckConstraint(
            "verdict IS NULL OR verdict IN ('approve', 'reject', 'ask_retake')",
            name=op.f("ck_quality_samples_verdict_is_an_answer"),
        ),
        sa.CheckConstraint("why IN ('random', 'overturned', 'specimen')", name=op.f("ck_quality_samples_why_is_known")),
        sa.CheckConstraint("(case_id IS NULL) = (event_id IS NULL)", name=op.f("ck_quality_samples_a_case_with_its_answer")),
        sa.CheckConstraint("(case_id IS NULL) = (specimen IS NOT NULL)", name=op.f("ck_quality_samples_a_case_or_a_specimen")),
        sa.CheckConstraint("(lapsed_at IS NULL) = (lapsed_why IS NULL)", name=op.f("ck_quality_samples_a_lapse_has_its_reason")),
        sa.CheckConstraint(
            "(reviewed_at IS NULL) = (verdict IS NULL) AND (reviewed_at IS NULL) = (agrees IS NULL)",
            name=op.f("ck_quality_samples_verdict_exactly_when_reviewed"),
        ),
        sa.CheckConstraint(
            "(reviewer_id IS NULL) = (taken_until IS NULL)", name=op.f("ck_quality_samples_taken_with_a_deadline")
        ),
        sa.CheckConstraint("(settled_at IS NULL) = (settled_how IS NULL)", name=op.f("ck_quality_samples_settled_somehow")),
        sa.CheckConstraint(
            "doubted_at IS NULL OR (agrees IS NOT NULL AND NOT agrees)", name=op.f("ck_quality_samples_doubted_by_a_verdict")
        ),
        sa.CheckConstraint("reviewed_at IS NULL OR lapsed_at IS NULL", name=op.f("ck_quality_samples_reviewed_or_lapsed")),
        sa.CheckConstraint(
            "reviewed_at IS NULL OR reviewer_id IS NOT NULL", name=op.f("ck_quality_samples_reviewed_by_somebody")
        ),
        sa.CheckConstraint(
            "settled_at IS NULL OR doubted_at IS NOT NULL", name=op.f("ck_quality_samples_only_a_doubt_is_settled")
        ),
        sa.CheckConstraint(
            "staff_id IS NULL OR reviewer_id IS NULL OR reviewer_id <> staff_id",
            name=op.f("ck_quality_samples_nobody_reviews_her_own_answer"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_quality_samples_case_id")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["staff.id"], name=op.f("fk_quality_samples_reviewer_id")),
        sa.ForeignKeyConstraint(["settled_by_id"], ["staff.id"], name=op.f("fk_quality_samples_settled_by_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_quality_samples_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_samples")),
        sa.UniqueConstraint("event_id", name=op.f("uq_quality_samples_event_id")),
    )
    op.create_index(op.f("ix_quality_samples_case_id"), "quality_samples", ["case_id"], unique=False)
    op.create_index(
        "ix_quality_samples_doubted",
        "quality_samples",
        ["doubted_at"],
        unique=False,
        postgresql_where=sa.text("doubted_at IS NOT NULL AND settled_at IS NULL"),
        sqlite_where=sa.text("doubted_at IS NOT NULL AND settled_at IS NULL"),
    )
    op.create_index(
        "ix_quality_samples_open",
        "quality_samples",
        ["drawn_at"],
        unique=False,
        postgresql_where=sa.text("reviewed_at IS NULL AND lapsed_at IS NULL"),
        sqlite_where=sa.text("reviewed_at IS NULL AND lapsed_at IS NULL"),
    )
    op.create_index("ix_quality_samples_reviewed", "quality_samples", ["reviewed_at"], unique=False)
    op.create_index("ix_quality_samples_staff", "quality_samples", ["staff_id", "answered_at"], unique=False)


def downgrade() -> None:
    """Drop them: what people found when they looked again is lost."""
    op.drop_table("quality_samples")
    op.drop_table("quality_marks")
