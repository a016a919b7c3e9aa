"""The tables of operations: ramps, undone approvals, records to replay, switches, exports. See `cases.models` for the rest.

Nothing of a person stands here: codes, numbers, ids and times.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from cases.models import Base


class RunRecord(Base):
    """What `decide` may weigh of a finished run, packed small, so that a policy can be replayed over a million of them."""

    __tablename__ = "run_records"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    finished_at: Mapped[datetime] = mapped_column(index=True)
    packed: Mapped[bytes] = mapped_column(comment="One cases.replays.ROW: numbers and codes, no name and no number of a document")


class ReplayReport(Base):
    """What a version would have decided on past runs, against the version that held. Numbers only; never changed."""

    __tablename__ = "replay_reports"
    __table_args__ = (
        CheckConstraint("runs >= 0 AND wrong >= 0", name="counts_never_negative"),
        Index("ix_replay_reports_version", "version", "created_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    version: Mapped[int] = mapped_column(ForeignKey("policies.version"))
    against_version: Mapped[int] = mapped_column(ForeignKey("policies.version"))
    since: Mapped[datetime] = mapped_column()
    until: Mapped[datetime] = mapped_column()
    runs: Mapped[int] = mapped_column()
    wrong: Mapped[int] = mapped_column(comment="Cases a person refused or put back, which it would have approved")
    document: Mapped[dict[str, Any]] = mapped_column(comment="cases.replays.Replay without its list of cases")
    by_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime] = mapped_column()


class ReplayWrong(Base):
    """A case that a person refused or put back and that the draft would have approved; each is opened before it is proposed."""

    __tablename__ = "replay_wrongs"
    __table_args__ = (CheckConstraint("(opened_by_id IS NULL) = (opened_at IS NULL)", name="opened_by_somebody"),)
    report_id: Mapped[UUID] = mapped_column(ForeignKey("replay_reports.id"), primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"))
    answer: Mapped[str] = mapped_column(String(20), comment="rejected or reverted")
    opened_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    opened_at: Mapped[datetime | None] = mapped_column()


class Undo(Base):
    """Approvals of the machine to be taken back together: chosen and proposed by one person, confirmed by another."""

    __tablename__ = "undos"
    __table_args__ = (
        CheckConstraint("confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id", name="nobody_confirms_his_own"),
        CheckConstraint("(confirmed_by_id IS NULL) = (confirmed_at IS NULL)", name="confirmed_by_somebody"),
        CheckConstraint("confirmed_at IS NULL OR withdrawn_at IS NULL", name="confirmed_or_withdrawn"),
        CheckConstraint("finished_at IS NULL OR confirmed_at IS NOT NULL", name="undoing_needs_two"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    selection: Mapped[dict[str, Any]] = mapped_column(comment="cases.undo.Selection")
    reason: Mapped[str] = mapped_column(String(500))
    count: Mapped[int] = mapped_column(comment="Approvals that were to be undone when it was proposed")
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    proposed_at: Mapped[datetime] = mapped_column()
    confirmed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    confirmed_at: Mapped[datetime | None] = mapped_column()
    withdrawn_at: Mapped[datetime | None] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column()


class UndoItem(Base):
    """One approval of an undo, and what became of it."""

    __tablename__ = "undo_items"
    __table_args__ = (
        CheckConstraint("(outcome IS NULL) = (done_at IS NULL)", name="done_with_an_outcome"),
        CheckConstraint("(code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'failed')", name="failed_with_a_code"),
        Index("ix_undo_items_outcome", "undo_id", "outcome"),
        Index(
            "ix_undo_items_left",
            "undo_id",
            "place",
            postgresql_where=text("outcome IS NULL"),
            sqlite_where=text("outcome IS NULL"),
        ),
    )
    undo_id: Mapped[UUID] = mapped_column(ForeignKey("undos.id"), primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("profile_versions.id"), comment="What its approval made current")
    outcome: Mapped[str | None] = mapped_column(String(20), comment="One of cases.undo.OUTCOMES; NULL: not carried out yet")
    done_at: Mapped[datetime | None] = mapped_column()
    code: Mapped[str | None] = mapped_column(String(60), comment="Of what failed: the name of the exception, never its text")
    place: Mapped[int] = mapped_column(default=0, server_default="0", comment="Its turn: the newest approval comes first")


class SetAside(Base):
    """A failure that a person left at that: it no longer counts as failed. What failed stays as it is, and may be tried again.

    It holds for that one failure: what is tried again and given up again counts again.
    """

    __tablename__ = "failures_set_aside"
    __table_args__ = (
        CheckConstraint("kind IN ('notification', 'staff_mail', 'paper', 'webhook', 'ticket')", name="kind_is_known"),
        CheckConstraint("why IN ('told', 'outdated', 'unreachable', 'mistake')", name="why_is_known"),
        Index("ix_failures_set_aside_at", "at"),
    )
    kind: Mapped[str] = mapped_column(String(20), primary_key=True, comment="Of cases.backlog.Failed, what can be tried again")
    thing_id: Mapped[UUID] = mapped_column(
        primary_key=True, comment="Its row, by kind. No foreign key: webhooks go after 30 days"
    )
    failed_at: Mapped[datetime] = mapped_column(primary_key=True, comment="When it was given up")
    why: Mapped[str] = mapped_column(String(20), comment="cases.backlog.Why")
    by_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column()


class PolicyStep(Base):
    """One step of a confirmed loosening on its way: into shadow, up the ramp, or back. The newest of an activation holds.

    Steps forward carry who proposed and who confirmed, tied to the activation by a key: none is taken before two people agreed,
    and whoever proposed takes none.
    """

    __tablename__ = "policy_steps"
    __table_args__ = (
        CheckConstraint("stage IN ('shadow', 'five', 'quarter', 'full', 'rolled_back')", name="stage_is_known"),
        CheckConstraint(
            "stage = 'rolled_back' OR (by_id IS NOT NULL AND proposed_by_id IS NOT NULL AND confirmed_by_id IS NOT NULL"
            " AND by_id <> proposed_by_id AND confirmed_by_id <> proposed_by_id)",
            name="forward_needs_two",
        ),
        ForeignKeyConstraint(
            ["activation_id", "proposed_by_id", "confirmed_by_id"],
            ["policy_activations.id", "policy_activations.proposed_by_id", "policy_activations.confirmed_by_id"],
            name="fk_policy_steps_agreed",
        ),
        UniqueConstraint("activation_id", "stage"),
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    activation_id: Mapped[int] = mapped_column(ForeignKey("policy_activations.id"))
    stage: Mapped[str] = mapped_column(String(12), comment="cases.ramps.Stage")
    at: Mapped[datetime] = mapped_column()
    by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="NULL: the system, which only ever rolls back")
    proposed_by_id: Mapped[UUID | None] = mapped_column()
    confirmed_by_id: Mapped[UUID | None] = mapped_column()
    reason: Mapped[str] = mapped_column(String(500), default="")


class PolicyTrial(Base):
    """Runs counted while a version was on its way: what the one that holds said, what the new one said, and which decided."""

    __tablename__ = "policy_trials"
    __table_args__ = (CheckConstraint("runs >= 0", name="counts_never_negative"),)
    activation_id: Mapped[int] = mapped_column(ForeignKey("policy_activations.id"), primary_key=True, autoincrement=False)
    stage: Mapped[str] = mapped_column(String(12), primary_key=True)
    held: Mapped[str] = mapped_column(String(10), primary_key=True, comment="approve, retake or refer")
    tried: Mapped[str] = mapped_column(String(10), primary_key=True, comment="approve, retake or refer")
    live: Mapped[bool] = mapped_column(primary_key=True, comment="Whether the new version decided")
    runs: Mapped[int] = mapped_column()


class DecisionCount(Base):
    """What runs came to in ten minutes: bounds of cases.halts are checked on these, however many runs there are."""

    __tablename__ = "decision_counts"
    __table_args__ = (CheckConstraint("runs >= 0", name="counts_never_negative"),)
    slot: Mapped[datetime] = mapped_column(primary_key=True, comment="Begin of the ten minutes")
    outcome: Mapped[str] = mapped_column(String(10), primary_key=True, comment="approve, retake, refer or failed")
    runs: Mapped[int] = mapped_column()


class Halt(Base):
    """Automatic approval stopped itself: which bound was left, by what numbers. Never changed; resuming is the switch's."""

    __tablename__ = "halts"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    at: Mapped[datetime] = mapped_column(index=True)
    bound: Mapped[str] = mapped_column(String(30), comment="cases.halts.Bound")
    figures: Mapped[dict[str, Any]] = mapped_column(comment="Counts and limits by which it was left; nothing of a person")
    switch_id: Mapped[int] = mapped_column(ForeignKey("automation_switches.id"), unique=True)
    rolled_back_id: Mapped[int | None] = mapped_column(ForeignKey("policy_activations.id"), comment="The ramp that it ended")


class CalibrationActivation(Base):
    """A calibration of the faces is to hold: proposed by one person, confirmed by another. The newest effective one holds.

    `number` NULL: the shipped one. The row 0 was written by the migration that began this, for what held until then.
    """

    __tablename__ = "calibration_activations"
    __table_args__ = (
        CheckConstraint("confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id", name="nobody_confirms_his_own"),
        CheckConstraint("effective_at IS NULL OR confirmed_by_id IS NOT NULL OR id = 0", name="calibrating_needs_two"),
        CheckConstraint("effective_at IS NULL OR withdrawn_at IS NULL", name="effective_or_withdrawn"),
        CheckConstraint("proposed_by_id IS NOT NULL OR id = 0", name="only_what_held_before_has_no_proposer"),
        Index("ix_calibration_activations_effective", "effective_at"),
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    number: Mapped[int | None] = mapped_column(ForeignKey("calibrations.number"), comment="NULL: the shipped one holds again")
    against_id: Mapped[int | None] = mapped_column(
        ForeignKey("calibration_activations.id"), comment="What held when it was proposed; NULL: nothing but the shipped one ever"
    )
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="NULL: held before it took two")
    proposed_at: Mapped[datetime] = mapped_column()
    confirmed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    effective_at: Mapped[datetime | None] = mapped_column()
    withdrawn_at: Mapped[datetime | None] = mapped_column()


APPEND_ONLY: tuple[type[Base], ...] = (ReplayReport, PolicyStep, Halt)
"""Tables of this file whose rows nobody may change or delete. Keep it last."""
