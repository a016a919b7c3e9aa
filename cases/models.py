"""The tables on one page. Invariants are CHECKs and partial unique indexes; immutable tables have triggers.

What may never stand in clear text: names, numbers, dates of people, readings, mail addresses, photos. Columns
named `…_sealed` hold them as AES-256-GCM ciphertext (`cases.crypto`); everything else is ids, codes and times.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cases.database import UtcDateTime
from cases.lifecycle import CLOSED, State
from verification.evidence import ChangeReason
from verification.reasons import PhotoKind

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def words(enum: type[StrEnum]) -> Enum:
    """A text column that holds the enum's values, with a CHECK."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=lambda e: [m.value for m in e],
        name=enum.__name__.lower(),
    )


class Base(DeclarativeBase):
    """Common types: UTC times, UUIDs, JSON for codes."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        bytes: LargeBinary(),
        State: words(State),
        ChangeReason: words(ChangeReason),
        PhotoKind: words(PhotoKind),
    }


class RunState(StrEnum):
    """A run under its lease, done, or taken back."""

    RUNNING = "running"
    FINISHED = "finished"
    ABANDONED = "abandoned"


class Role(StrEnum):
    """What a member of staff may do; the permissions stand in `cases.staff`."""

    AGENT = "agent"
    SENIOR_AGENT = "senior_agent"
    OPS = "ops"
    LEAD = "lead"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Writer(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    STAFF = "staff"


class ProfileSource(StrEnum):
    """Where a profile version came from."""

    HOST = "host"
    CASE = "case"


class DataKey(Base):
    """A data key, wrapped by a versioned master key. Destroying `wrapped` shreds everything sealed with it."""

    __tablename__ = "data_keys"
    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed_exactly_when_unwrappable"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    wrapped: Mapped[bytes | None] = mapped_column()
    master_version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    destroyed_at: Mapped[datetime | None] = mapped_column()


class Customer(Base):
    """An account holder of the host system. Her details stand in profile versions."""

    __tablename__ = "customers"
    __table_args__ = (
        # For searching by the beginning, whatever the database's language sorts by; SQLite sorts by bytes anyway.
        Index("ix_customers_beginning", "external_id", postgresql_ops={"external_id": "text_pattern_ops"}),
        Index("ix_customers_sandbox", "id", postgresql_where=text("sandbox"), sqlite_where=text("sandbox = 1")),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    external_id: Mapped[str] = mapped_column(String(200), unique=True, comment="The host system's own id")
    locale: Mapped[str] = mapped_column(String(8))
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"))
    profile_version_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("profile_versions.id", use_alter=True, name="fk_customers_current_profile"),
        comment="The current version; written by cases.profiles only",
    )
    created_at: Mapped[datetime] = mapped_column()
    by_eye: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="No machine compares her face: agents do, by eye"
    )
    sandbox: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="Nobody: written with a test key, and seen by test keys alone"
    )

    data_key: Mapped[DataKey] = relationship()
    profile: Mapped[ProfileVersion | None] = relationship(foreign_keys=[profile_version_id], post_update=True)


class ProfileVersion(Base):
    """One immutable state of a customer's details. Written by cases.profiles only."""

    __tablename__ = "profile_versions"
    __table_args__ = (
        UniqueConstraint("customer_id", "number"),
        CheckConstraint("(source = 'case') = (case_id IS NOT NULL)", name="case_named_exactly_when_from_case"),
        Index(
            "one_version_per_application",
            "case_id",
            "application",
            unique=True,
            postgresql_where=text("case_id IS NOT NULL"),
            sqlite_where=text("case_id IS NOT NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    number: Mapped[int] = mapped_column(comment="1, 2, 3 … per customer")
    source: Mapped[ProfileSource] = mapped_column(words(ProfileSource))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id", use_alter=True, name="fk_profile_versions_case"))
    profile_sealed: Mapped[bytes] = mapped_column(
        comment="verification.evidence.Profile and e-mail as JSON, under the customer's key"
    )
    created_at: Mapped[datetime] = mapped_column()
    application: Mapped[int] = mapped_column(
        default=1, server_default="1", comment="Which approval of its case made it: 1, and one more for each that was undone"
    )


MARKED = cast("ColumnElement[bool]", text("cases.trial"))
UNMARKED = cast("ColumnElement[bool]", text("NOT cases.trial"))
"""A sandbox case, and any other, over the table itself: said in the words of the indexes, for SQLite uses a partial index only
where the query has the same term, and writes `Case.trial` as "trial = 1"."""

_WAITS = "state = 'in_review' AND answered_at IS NULL AND awaiting_until IS NULL AND NOT trial"

DESK_INDEXES = {
    "ix_cases_due": (("state", "due_at", "id"), _WAITS),
    "ix_cases_second": (("state", "due_at", "id"), f"{_WAITS} AND second_at IS NOT NULL"),
    "ix_cases_senior": (("state", "due_at", "id"), f"{_WAITS} AND escalated_at IS NOT NULL"),
    "ix_cases_rescue": (("state", "rescue", "id"), f"{_WAITS} AND rescue > 0"),
    "ix_cases_under_dispute": (
        ("state", "disputed_at", "id"),
        "state = 'approved' AND disputed_at IS NOT NULL AND dispute_settled_at IS NULL AND NOT trial",
    ),
    "ix_cases_with_customer": (("state", "updated_at", "id"), "state = 'needs_retake' AND NOT trial"),
    "ix_cases_closed": (("closed_at", "id"), "closed_at IS NOT NULL AND NOT trial"),
}
"""What each part of the desk's queue is sorted by, and which cases are in it; `cases.queue` asks in exactly these words, so that
a page is read from its index alone, however many cases there are. `state` stands first although it is the same throughout:
SQLite would else prefer an index that begins with it, and sort."""


def desk_indexes() -> list[Index]:
    """One partial index for each part of the queue."""
    return [
        Index(name, *columns, postgresql_where=text(which), sqlite_where=text(which))
        for name, (columns, which) in DESK_INDEXES.items()
    ]


class Case(Base):
    """One customer's request to change the details we hold for her."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint(
            f"(state IN ({', '.join(repr(s.value) for s in sorted(CLOSED))})) = (closed_at IS NOT NULL)",
            name="closed_at_is_set_exactly_when_closed",
        ),
        CheckConstraint(
            "attempt >= 0 AND fence >= 0 AND runs_this_attempt >= 0 AND version >= 1", name="counters_never_negative"
        ),
        CheckConstraint("(state IN ('approved', 'reverted')) = (applied_version_id IS NOT NULL)", name="approved_means_applied"),
        CheckConstraint("(owner_id IS NULL) = (owner_until IS NULL)", name="owner_has_a_deadline"),
        CheckConstraint(
            "state = 'draft' OR state IN ('withdrawn', 'expired') OR consented_at IS NOT NULL", name="consent_before_submission"
        ),
        Index(
            "one_open_case_per_customer",
            "customer_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
            sqlite_where=text("closed_at IS NULL"),
        ),
        Index("ix_cases_desk", "state", "referred_at"),
        CheckConstraint("dispute_settled_at IS NULL OR disputed_at IS NOT NULL", name="only_a_dispute_is_settled"),
        Index("ix_cases_waiting", "state", "enqueued_at"),
        Index("ix_cases_submitted", "submitted_at"),
        Index("ix_cases_opened", "opened_at", "id"),
        Index(
            "ix_cases_awaiting_until",
            "awaiting_until",
            postgresql_where=text("awaiting_until IS NOT NULL"),
            sqlite_where=text("awaiting_until IS NOT NULL"),
        ),
        Index(
            "ix_cases_disputed",
            "disputed_at",
            postgresql_where=text("disputed_at IS NOT NULL"),
            sqlite_where=text("disputed_at IS NOT NULL"),
        ),
        *desk_indexes(),
        Index("ix_cases_trial", "id", postgresql_where=text("trial"), sqlite_where=text("trial")),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    state: Mapped[State] = mapped_column(default=State.DRAFT, comment="Written through cases.lifecycle.next_state only")
    version: Mapped[int] = mapped_column(default=1, comment="Counts every change of the row; a stale page is told so")
    locale: Mapped[str] = mapped_column(String(8))
    change_reason: Mapped[ChangeReason] = mapped_column()
    country: Mapped[str | None] = mapped_column(String(3), comment="Issuing country as the customer says")
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"), comment="Photos, claim and readings of this case")
    claim_sealed: Mapped[bytes | None] = mapped_column(
        comment="verification.evidence.Claim and a new e-mail as JSON; NULL once shredded"
    )
    base_version_id: Mapped[UUID] = mapped_column(ForeignKey("profile_versions.id"), comment="The profile the customer saw")
    applied_version_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("profile_versions.id"), comment="What approval made current"
    )
    prior_version_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("profile_versions.id"), comment="What revert makes current again"
    )
    attempt: Mapped[int] = mapped_column(default=0, comment="Submissions so far")
    fence: Mapped[int] = mapped_column(default=0, comment="Grows with every run; a run with an older number may not write")
    runs_this_attempt: Mapped[int] = mapped_column(default=0)
    reasons: Mapped[list[str]] = mapped_column(default=list, comment="Reason codes of the last decision or disposition")
    retake: Mapped[list[str]] = mapped_column(default=list, comment="Photo kinds to take again while needs_retake")
    consent_version: Mapped[str | None] = mapped_column(String(40))
    consented_at: Mapped[datetime | None] = mapped_column()
    opened_at: Mapped[datetime] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column()
    submitted_at: Mapped[datetime | None] = mapped_column(comment="Of the current attempt")
    enqueued_at: Mapped[datetime | None] = mapped_column(comment="When a worker was last rung; NULL = ring now")
    referred_at: Mapped[datetime | None] = mapped_column(comment="Since when it waits at the desk")
    due_at: Mapped[datetime | None] = mapped_column(comment="Until when a person answers")
    closed_at: Mapped[datetime | None] = mapped_column(comment="UTC; starts the retention clock")
    shredded_at: Mapped[datetime | None] = mapped_column()
    disputed_at: Mapped[datetime | None] = mapped_column(comment="The customer says that it was not her; the desk sees it first")
    dispute_settled_at: Mapped[datetime | None] = mapped_column(comment="A person looked and the change stands, or was reverted")
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), index=True, comment="The agent who took it")
    owner_until: Mapped[datetime | None] = mapped_column()
    held_at: Mapped[datetime | None] = mapped_column(
        comment="Since when her objection keeps the change back; NULL once a person has settled it"
    )
    risk: Mapped[str] = mapped_column(
        String(20), default="ordinary", server_default="ordinary", comment="cases.risk.Risk, told anew at each referral"
    )
    escalated_at: Mapped[datetime | None] = mapped_column(comment="Since when only a senior agent may answer it")
    answered_at: Mapped[datetime | None] = mapped_column(
        comment="An agent's answer is given and not carried out: it may be taken back still, or waits for a second person"
    )
    second_at: Mapped[datetime | None] = mapped_column(comment="Since when it waits for a second person's own answer")
    document_index: Mapped[str | None] = mapped_column(
        String(64),
        index=True,
        comment="Keyed hash of the document number, for searching; NULL: none known, or shredded",
    )
    rescue: Mapped[int] = mapped_column(
        default=0, server_default="0", comment="cases.rescue: how badly this customer needs somebody who ends it"
    )
    awaiting_until: Mapped[datetime | None] = mapped_column(
        comment="Until when the customer may send the papers an agent asked for; the case waits for her, not for an agent"
    )
    undone: Mapped[int] = mapped_column(default=0, server_default="0", comment="Approvals of this case that cases.undo took back")
    hook_sequence: Mapped[int] = mapped_column(
        default=0, server_default="0", comment="Events of this case that the host system was owed; cases.webhooks counts"
    )
    trial: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="Of a sandbox customer: at no desk and in no figure, see cases.trials"
    )

    customer: Mapped[Customer] = relationship()
    data_key: Mapped[DataKey] = relationship()
    owner: Mapped[Staff | None] = relationship()


class Photo(Base):
    """An uploaded picture: where its ciphertext lies and what it must hash to. Never the picture itself."""

    __tablename__ = "photos"
    __table_args__ = (
        CheckConstraint("(kind = 'on_file') = (case_id IS NULL)", name="only_the_face_on_file_has_no_case"),
        Index(
            "one_current_photo_per_kind",
            "case_id",
            "kind",
            unique=True,
            postgresql_where=text("current AND case_id IS NOT NULL"),
            sqlite_where=text("current AND case_id IS NOT NULL"),
        ),
        Index(
            "one_face_on_file",
            "customer_id",
            unique=True,
            postgresql_where=text("current AND case_id IS NULL"),
            sqlite_where=text("current AND case_id IS NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"), index=True)
    kind: Mapped[PhotoKind] = mapped_column()
    current: Mapped[bool] = mapped_column(default=True, comment="False once a newer photo of the same kind was sent")
    attempt: Mapped[int] = mapped_column(default=0, comment="The attempt it was first submitted with")
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"))
    blob: Mapped[str] = mapped_column(String(32), unique=True, comment="32 hex digits, random; the name in the store")
    sha256: Mapped[str] = mapped_column(String(64), index=True, comment="Of the clear bytes")
    size: Mapped[int] = mapped_column(comment="Clear bytes")
    quality: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="verification.evidence.Quality")
    accepted_despite: Mapped[list[str]] = mapped_column(default=list, comment="Problems the customer was told of and sent anyway")
    created_at: Mapped[datetime] = mapped_column()
    shredded_at: Mapped[datetime | None] = mapped_column()

    data_key: Mapped[DataKey] = relationship()


class HeadTurn(Base):
    """A head-turn challenge drawn for a case, and where the ciphertext of the frames that answered it lies. Never the frames."""

    __tablename__ = "head_turns"
    __table_args__ = (
        CheckConstraint(
            "(blob IS NULL) = (answered_at IS NULL) AND (sha256 IS NULL) = (answered_at IS NULL)",
            name="frames_exactly_when_answered",
        ),
        CheckConstraint("expires_at > drawn_at", name="time_to_answer"),
        Index("ix_head_turns_answered", "case_id", "answered_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    attempt: Mapped[int] = mapped_column(comment="Submissions before it was drawn")
    turns: Mapped[list[str]] = mapped_column(comment="verification.challenge.Turn, in the order asked")
    drawn_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(comment="Frames that come later are not taken")
    answered_at: Mapped[datetime | None] = mapped_column(comment="Once only; the newest answered one counts")
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"))
    blob: Mapped[str | None] = mapped_column(String(32), unique=True, comment="32 hex digits, random; the name in the store")
    sha256: Mapped[str | None] = mapped_column(String(64), comment="Of the clear bytes")
    size: Mapped[int | None] = mapped_column(comment="Clear bytes")
    shredded_at: Mapped[datetime | None] = mapped_column()

    data_key: Mapped[DataKey] = relationship()


class Upload(Base):
    """What became of one photo that was sent, so that the same one sent again gets the same answer. Never the photo itself.

    Numbered by the phone, which sends until it was answered. Deleted with the case's photos.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("number >= 1 AND attempt >= 0", name="counts_never_negative"),
        CheckConstraint("kind IN ('document', 'selfie')", name="of_what_customers_send"),
        UniqueConstraint("case_id", "number"),
    )
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, comment="Made by the phone, once for each photo chosen")
    number: Mapped[int] = mapped_column(comment="1, 2, 3 … of the case, in the order in which they were answered")
    kind: Mapped[PhotoKind] = mapped_column()
    attempt: Mapped[int] = mapped_column(comment="Submissions before it came")
    sha256: Mapped[str] = mapped_column(String(64), comment="Of the bytes as sent")
    photo_id: Mapped[UUID | None] = mapped_column(ForeignKey("photos.id"), comment="The photo that was kept; NULL: refused")
    codes: Mapped[list[str]] = mapped_column(default=list, comment="Reason codes, why it was refused or what it was kept despite")
    same: Mapped[bool] = mapped_column(default=False, comment="She was told that it is the photo refused before")
    look_sealed: Mapped[bytes | None] = mapped_column(
        comment="Perceptual fingerprint under the case's key; NULL where the file was no picture"
    )
    created_at: Mapped[datetime] = mapped_column()


class TurnFrame(Base):
    """A frame of an answered head turn, by its hash: the same file in two answers was not taken twice by a camera."""

    __tablename__ = "turn_frames"
    head_turn_id: Mapped[UUID] = mapped_column(ForeignKey("head_turns.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="0, 1, 2 … as sent")
    sha256: Mapped[str] = mapped_column(String(64), index=True, comment="Of the JPEG as sent")


class FaceEncoding(Base):
    """The encodings of a case's selfie, where a deployment compares faces across accounts. Deleted with the case's photos."""

    __tablename__ = "face_encodings"
    __table_args__ = (CheckConstraint("searched >= 0", name="searched_never_negative"),)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"))
    code_sealed: Mapped[bytes] = mapped_column(comment="Encodings of the selfie's face, under the case's key")
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(
        JSON(), default=list, comment="Cases of other customers with a face like it: ids and numbers"
    )
    searched: Mapped[int] = mapped_column(default=0, comment="Faces it was compared with")
    created_at: Mapped[datetime] = mapped_column()
    searched_at: Mapped[datetime | None] = mapped_column(comment="NULL = not searched for yet")

    data_key: Mapped[DataKey] = relationship()


class Run(Base):
    """One execution of all checks, under a lease. Measures are kept, readings are sealed and shredded."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_at_is_set_exactly_when_ended"),
        CheckConstraint("(state = 'finished') = (outcome IS NOT NULL)", name="outcome_exactly_when_finished"),
        CheckConstraint("outcome IS NULL OR outcome <> 'approve' OR measures IS NOT NULL", name="no_approval_without_measures"),
        UniqueConstraint("case_id", "fence"),
        Index(
            "one_running_run_per_case",
            "case_id",
            unique=True,
            postgresql_where=text("state = 'running'"),
            sqlite_where=text("state = 'running'"),
        ),
        Index("ix_runs_lease", "state", "lease_until"),
        Index("ix_runs_finished", "finished_at", "state", "outcome", "seconds"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), index=True)
    attempt: Mapped[int] = mapped_column()
    fence: Mapped[int] = mapped_column()
    state: Mapped[RunState] = mapped_column(words(RunState), default=RunState.RUNNING)
    policy_version: Mapped[int] = mapped_column(
        ForeignKey("policies.version"), comment="In force at the decision; at the beginning until then"
    )
    profile_version_id: Mapped[UUID] = mapped_column(
        ForeignKey("profile_versions.id"), comment="The profile it was compared with"
    )
    begun_at: Mapped[datetime] = mapped_column()
    lease_until: Mapped[datetime] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column()
    outcome: Mapped[str | None] = mapped_column(String(10), comment="approve, retake or refer")
    reasons: Mapped[list[str]] = mapped_column(default=list)
    measures: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), comment="verification.evidence.Measures")
    readings_sealed: Mapped[bytes | None] = mapped_column(comment="DocumentReading and comparisons as JSON, under the case's key")
    seconds: Mapped[float | None] = mapped_column()
    step: Mapped[str | None] = mapped_column(
        String(20), comment="verification.evidence.Step: what it is busy with, for the customer who waits"
    )
    step_seconds: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True), comment="Of each step of a finished run, by verification.evidence.Step; they add up to seconds"
    )


class Message(Base):
    """What a customer and an agent write to each other about a case. The words are sealed, a photo is a sealed blob."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("(writer = 'staff') = (staff_id IS NOT NULL)", name="staff_named_exactly_when_staff_wrote"),
        CheckConstraint("(blob IS NULL) = (sha256 IS NULL)", name="a_photo_has_its_hash"),
        CheckConstraint("text_sealed IS NOT NULL OR blob IS NOT NULL OR shredded_at IS NOT NULL", name="says_something"),
        Index("ix_messages_case", "case_id", "written_at"),
        Index(
            "ix_messages_unseen",
            "case_id",
            postgresql_where=text("writer = 'customer' AND seen_at IS NULL AND shredded_at IS NULL"),
            sqlite_where=text("writer = 'customer' AND seen_at IS NULL AND shredded_at IS NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, comment="Drawn with the form: sent twice, kept once")
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    writer: Mapped[Writer] = mapped_column(words(Writer))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"))
    text_sealed: Mapped[bytes | None] = mapped_column(comment="UTF-8 under the case's key; NULL: a photo alone, or shredded")
    blob: Mapped[str | None] = mapped_column(String(32), unique=True, comment="32 hex digits, random; the name in the store")
    sha256: Mapped[str | None] = mapped_column(String(64), comment="Of the photo's clear bytes")
    size: Mapped[int | None] = mapped_column(comment="Clear bytes of the photo")
    written_at: Mapped[datetime] = mapped_column()
    seen_at: Mapped[datetime | None] = mapped_column(
        comment="By the customer: shown to her; by staff: an agent answered it or set it aside"
    )
    shredded_at: Mapped[datetime | None] = mapped_column()

    data_key: Mapped[DataKey] = relationship()


class Rating(Base):
    """How easy a customer found it, asked once after an answer. Her sentence is sealed; the mark is a number of nobody."""

    __tablename__ = "ratings"
    __table_args__ = (CheckConstraint("mark BETWEEN 1 AND 5", name="five_choices"),)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    mark: Mapped[int] = mapped_column(comment="1 (very hard) to 5 (very easy)")
    words_sealed: Mapped[bytes | None] = mapped_column(comment="A sentence, UTF-8 under the case's key; NULL: none, or shredded")
    given_at: Mapped[datetime] = mapped_column()
    changed_at: Mapped[datetime] = mapped_column(index=True)


class Disposition(Base):
    """An agent's answer. Append-only."""

    __tablename__ = "dispositions"
    __table_args__ = (
        CheckConstraint("action IN ('approve', 'reject', 'ask_retake', 'revert', 'settle')", name="action_is_an_agents"),
        Index("ix_dispositions_created", "created_at", "action"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), index=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), index=True)
    action: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[list[str]] = mapped_column()
    note_sealed: Mapped[bytes | None] = mapped_column(comment="For staff only, under the case's key")
    created_at: Mapped[datetime] = mapped_column()


class PolicyVersion(Base):
    """One immutable, numbered set of thresholds. Which one holds is told by the newest effective activation."""

    __tablename__ = "policies"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(comment="verification.policy.Policy")
    reason: Mapped[str] = mapped_column(String(500), comment="Why it was drafted; no personal data")
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="NULL: shipped with the system")
    created_at: Mapped[datetime] = mapped_column()


class PolicyActivation(Base):
    """A version is to hold from now on. Loosening needs a second person before it takes effect."""

    __tablename__ = "policy_activations"
    __table_args__ = (
        CheckConstraint("confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id", name="nobody_confirms_his_own"),
        CheckConstraint(
            "NOT loosens OR effective_at IS NULL OR confirmed_by_id IS NOT NULL OR proposed_by_id IS NULL",
            name="loosening_needs_two",
        ),
        CheckConstraint("effective_at IS NULL OR withdrawn_at IS NULL", name="effective_or_withdrawn"),
        CheckConstraint(
            "proposed_by_id IS NOT NULL OR (version = 1 AND NOT loosens)", name="only_the_shipped_one_has_no_proposer"
        ),
        Index("ix_policy_activations_effective", "effective_at"),
        Index("ix_policy_activations_agreed", "id", "proposed_by_id", "confirmed_by_id", unique=True),
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    version: Mapped[int] = mapped_column(ForeignKey("policies.version"))
    against_version: Mapped[int | None] = mapped_column(ForeignKey("policies.version"), comment="What held when it was proposed")
    loosens: Mapped[bool] = mapped_column(comment="Against the version that held when it was proposed")
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="NULL: shipped with the system")
    proposed_at: Mapped[datetime] = mapped_column()
    confirmed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    effective_at: Mapped[datetime | None] = mapped_column()
    withdrawn_at: Mapped[datetime | None] = mapped_column()


class AutomationSwitch(Base):
    """Everything, or one scope, to people: on or off. On takes one person and holds at once; off takes two."""

    __tablename__ = "automation_switches"
    __table_args__ = (
        CheckConstraint("confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id", name="nobody_confirms_his_own"),
        CheckConstraint("to_people OR effective_at IS NULL OR confirmed_by_id IS NOT NULL", name="off_needs_two"),
        CheckConstraint("effective_at IS NULL OR withdrawn_at IS NULL", name="effective_or_withdrawn"),
        CheckConstraint("to_people OR proposed_by_id IS NOT NULL", name="only_closing_has_no_proposer"),
        CheckConstraint(
            "scope = 'all' OR substr(scope, 1, 8) = 'country:' OR substr(scope, 1, 9) = 'document:'"
            " OR scope IN ('check:liveness', 'check:zone', 'check:print', 'check:on_file')",
            name="scope_is_known",
        ),
        Index("ix_automation_switches_scope", "scope", "effective_at"),
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    to_people: Mapped[bool] = mapped_column()
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="NULL: the system halted itself")
    proposed_at: Mapped[datetime] = mapped_column()
    confirmed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    effective_at: Mapped[datetime | None] = mapped_column()
    withdrawn_at: Mapped[datetime | None] = mapped_column()
    scope: Mapped[str] = mapped_column(
        String(40), default="all", server_default="all", comment="cases.switches.Scope: all, or a country, document, check"
    )


class Calibration(Base):
    """A deployment's own calibration of the faces, as it was fitted. Append-only. Numbers of scores only, nothing of a person.

    Which one holds is told by the newest effective `ops_tables.CalibrationActivation`.
    """

    __tablename__ = "calibrations"
    __table_args__ = (CheckConstraint("number >= 1 AND pairs >= 0", name="counts_never_negative"),)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True),
        comment="Label, card, tables, odds of a verification.calibration.FaceCalibration; NULL: the shipped one holds again",
    )
    base: Mapped[str] = mapped_column(String(80), comment="Label of the shipped calibration it was fitted on")
    pairs: Mapped[int] = mapped_column(comment="Labelled pairs behind it")
    created_at: Mapped[datetime] = mapped_column()


class Event(Base):
    """The audit trail: append-only, each row carrying the hash of the one before. Codes and ids only."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_case", "case_id", "id"),
        Index("ix_events_at", "at", "id"),
        Index("ix_events_kind", "kind", "at", "id"),
        Index("ix_events_actor", "actor_id", "at", "id"),
        Index("ix_events_actor_kind", "actor_kind", "at", "id"),
        Index("ix_events_customer", "customer_id", "at", "id"),
    )
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False, comment="1, 2, 3 … without a gap"
    )
    at: Mapped[datetime] = mapped_column()
    kind: Mapped[str] = mapped_column(String(60))
    actor_kind: Mapped[str] = mapped_column(String(20), comment="customer, staff, machine, host or system")
    actor_id: Mapped[str | None] = mapped_column(String(64))
    case_id: Mapped[UUID | None] = mapped_column(comment="No foreign key: the trail outlives what it speaks of")
    customer_id: Mapped[UUID | None] = mapped_column()
    details: Mapped[dict[str, Any]] = mapped_column()
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class Notification(Base):
    """A message owed: the outbox. Rendered and sent by workers.notify, once, in the customer's locale."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_owed", "sent_at", "next_at"),
        Index(
            "ix_notifications_given_up",
            "given_up_at",
            postgresql_where=text("given_up_at IS NOT NULL"),
            sqlite_where=text("given_up_at IS NOT NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"), index=True)
    kind: Mapped[str] = mapped_column(String(60))
    locale: Mapped[str] = mapped_column(String(8))
    recipient_sealed: Mapped[bytes] = mapped_column(comment="Address under the customer's key")
    to_old_address: Mapped[bool] = mapped_column(default=False, comment="Goes to the address held before the change")
    created_at: Mapped[datetime] = mapped_column()
    next_at: Mapped[datetime] = mapped_column(comment="Not before")
    tries: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(comment="Being sent; nobody else may until then")
    sent_at: Mapped[datetime | None] = mapped_column()
    given_up_at: Mapped[datetime | None] = mapped_column()


class Link(Base):
    """A secret link given to a customer: hand-over from the host system, case page, or "this was not me"."""

    __tablename__ = "links"
    __table_args__ = (CheckConstraint("purpose IN ('hand_over', 'case', 'not_me')", name="purpose_is_known"),)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    purpose: Mapped[str] = mapped_column(String(20))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, comment="SHA-256 of the token; the token itself is nowhere")
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column()
    used_at: Mapped[datetime | None] = mapped_column()
    locale: Mapped[str | None] = mapped_column(String(8), comment="In which the portal speaks to her; NULL: as her account says")
    return_sealed: Mapped[bytes | None] = mapped_column(
        comment="Where the portal leads her back to, under the customer's key; NULL: nowhere"
    )


class DeviceLink(Base):
    """A link by which a customer goes on with one case on her phone: made on one device, confirmed on another.

    No personal data: devices are codes such as "chrome" and "windows", never what a browser said of itself.
    """

    __tablename__ = "device_links"
    __table_args__ = (
        CheckConstraint("number BETWEEN 10 AND 99", name="number_has_two_digits"),
        CheckConstraint("expires_at > created_at", name="time_to_open"),
        CheckConstraint("(opened_at IS NULL) = (phone_hash IS NULL)", name="opened_by_one_device"),
        CheckConstraint("confirmed_at IS NULL OR opened_at IS NOT NULL", name="opened_before_confirmed"),
        CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name="an_end_has_its_reason"),
        Index(
            "one_live_device_link_per_case",
            "case_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("ix_device_links_customer_id_ended_at", "customer_id", "ended_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, comment="SHA-256 of the token; the token itself is nowhere")
    browser: Mapped[str] = mapped_column(String(20), comment="Code of the browser it was made in")
    system: Mapped[str] = mapped_column(String(20))
    number: Mapped[int] = mapped_column(comment="What stands on the screen where it was made")
    offered: Mapped[list[int]] = mapped_column(JSON(), comment="The three numbers that the phone shows, in its order")
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(comment="To be opened and confirmed before")
    opened_at: Mapped[datetime | None] = mapped_column(comment="A person on a second device said that she made it")
    phone_hash: Mapped[str | None] = mapped_column(String(64), comment="SHA-256 of the key that only this phone has")
    phone_browser: Mapped[str | None] = mapped_column(String(20))
    phone_system: Mapped[str | None] = mapped_column(String(20))
    confirmed_at: Mapped[datetime | None] = mapped_column(comment="The right number was chosen: the phone is connected")
    seen_at: Mapped[datetime | None] = mapped_column(comment="The last sign of the connected phone")
    ended_at: Mapped[datetime | None] = mapped_column()
    ended_why: Mapped[str | None] = mapped_column(String(20), comment="A code of cases.device_links.ENDS")


class UnsentForm(Base):
    """What a customer sent just after her session had ended, until she signs in again. One per customer, for a day."""

    __tablename__ = "unsent_forms"
    __table_args__ = (CheckConstraint("expires_at > created_at", name="time_to_come_back"),)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"), comment="The case it was meant for, if there was one")
    form_sealed: Mapped[bytes] = mapped_column(comment="Address and fields as JSON, under the customer's key")
    photo_sealed: Mapped[bytes | None] = mapped_column(comment="A photo as it was sent, under the customer's key")
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(index=True)


class CustomerSession(Base):
    """A customer signed in on one browser. No personal data but whose it is; the cookie holds the id of this row."""

    __tablename__ = "customer_sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    began_at: Mapped[datetime] = mapped_column(index=True)
    seen_at: Mapped[datetime] = mapped_column(comment="The last sign of her, to the minute")
    ended_at: Mapped[datetime | None] = mapped_column(comment="Signed out, or another took its place")
    return_sealed: Mapped[bytes | None] = mapped_column(
        comment="The way back to the host that she came from, under her key; NULL: none"
    )


class Staff(Base):
    """A person who works here. Log-in details are in the shape that Flask-Security expects."""

    __tablename__ = "staff"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    password: Mapped[str | None] = mapped_column(String(255), comment="argon2id")
    active: Mapped[bool] = mapped_column(default=True)
    roles_held: Mapped[list[str]] = mapped_column(default=list, comment="Values of Role")
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True, comment="Changing it ends every session")
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    last_totp: Mapped[int | None] = mapped_column(BigInteger(), comment="Time step of the last code used; no code works twice")
    created_at: Mapped[datetime] = mapped_column()
    skills: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}", comment="cases.queue.Skills: languages, countries; empty: all"
    )
    practising: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="A new agent: specimen cases only, until the pass mark"
    )
    weekly_report: Mapped[bool | None] = mapped_column(comment="Whether Monday's mail goes to her; NULL: leads only")
    locale: Mapped[str | None] = mapped_column(String(8), comment="In which mails are written to her; NULL: the default language")


class Throttle(Base):
    """Counts tries in a window. In the database, so that losing Redis resets nothing."""

    __tablename__ = "throttles"
    key: Mapped[str] = mapped_column(String(64), primary_key=True, comment="SHA-256 of purpose and subject")
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


class Heartbeat(Base):
    """When each kind of process was last heard of."""

    __tablename__ = "heartbeats"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    at: Mapped[datetime] = mapped_column()


IMMUTABLE = (ProfileVersion, Disposition, PolicyVersion, Calibration, Event)
"""Tables whose rows nobody may change or delete (triggers in `cases.immutability`); shredding destroys keys, not rows."""
