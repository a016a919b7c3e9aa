"""The tables of the desk: answers that wait, views, papers, replies, practice, quality. See `cases.models` for the rest.

The rules of `cases.models` hold here too: what is personal stands sealed, in columns named `…_sealed`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cases.models import Base, DataKey, Staff, words

UNTOLD = "state = 'dropped' AND told_at IS NULL"
"""Of answers and of what waits to leave: it never left, and its maker was not told. In words, so that an index is seen to fit."""


class ReplyVersion(Base):
    """One version of a saved reply: words that agents send to customers. Append-only; the newest holds. Of nobody."""

    __tablename__ = "reply_versions"
    __table_args__ = (
        CheckConstraint("purpose IN ('ask_retake', 'reject', 'message')", name="purpose_is_known"),
        CheckConstraint("number >= 1", name="counted_from_one"),
    )
    reply: Mapped[str] = mapped_column(
        String(60), primary_key=True, comment="A code; the shipped ones stand in cases.replies.SHIPPED"
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2, 3 …; what is shipped counts as 0")
    purpose: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(60), comment="A reason code it goes with; NULL: any")
    name: Mapped[str] = mapped_column(String(80), comment="What agents call it")
    texts: Mapped[dict[str, Any]] = mapped_column(comment="Text by language, with variables; of nobody")
    retired: Mapped[bool] = mapped_column(comment="No longer offered from this version on")
    author_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime] = mapped_column()


class ReplyUse(Base):
    """That a saved reply went out with an answer or a message. Counts texts; says nothing of what they said."""

    __tablename__ = "reply_uses"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    reply: Mapped[str] = mapped_column(String(60))
    number: Mapped[int] = mapped_column()
    locale: Mapped[str] = mapped_column(String(8))
    changed: Mapped[bool] = mapped_column(comment="The agent changed the words before they were sent")
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    carrier_id: Mapped[UUID | None] = mapped_column(index=True, comment="The answer or message that carried it")
    used_at: Mapped[datetime] = mapped_column(index=True)
    until: Mapped[datetime] = mapped_column(comment="What fails later is not laid to this text")


class AnswerState(StrEnum):
    """What has become of an agent's answer. `cases.answers` tells how one leads to another."""

    WAITING = "waiting"  # given; nothing has left the house, and its maker may take it back
    FIRST = "first"  # waits for a second person's own answer
    DISAGREED = "disagreed"  # two people answered differently: waits for a senior agent
    CARRIED_OUT = "carried_out"
    FOLLOWED = "followed"  # another person came to the same: that one was carried out
    OVERRULED = "overruled"  # a senior agent decided otherwise
    TAKEN_BACK = "taken_back"  # by its maker, in time
    DROPPED = "dropped"  # the case changed meanwhile: it was never carried out


class Risk(StrEnum):
    """What `Case.risk` holds."""

    ORDINARY = "ordinary"
    HIGH = "high"


class RiskSign(StrEnum):
    """Why a case is of high risk, or why a second person is needed; `cases.risk` tells."""

    NOTHING_TIES = "nothing_ties"  # name and passport both change, and neither face nor former number ties them to the account
    ACCOUNT_WATCHED = "account_watched"  # somebody was turned away here, or said "this was not me"
    WEIGHTY_REASON = "weighty_reason"  # a run found what speaks against an approval by itself
    OLD_PORTRAIT = "old_portrait"  # older than the policy allows, and no face on file beside it
    NEW_EMAIL = "new_email"  # what we write about this account would go elsewhere
    DISPUTED = "disputed"  # the customer says about this very case that it is not hers
    APPEALED = "appealed"  # a colleague refused it: two people overturn that, or two refuse again
    FACES_BY_EYE = "faces_by_eye"  # no machine compared selfie and passport: one person's eye would be all


class Dropped(StrEnum):
    """Why an answer was never carried out."""

    CUSTOMER_WROTE = "customer_wrote"
    CASE_CHANGED = "case_changed"  # the lender changed her details, say, or a paper came
    CASE_CLOSED = "case_closed"
    ACCOUNT_CLOSED = "account_closed"  # of the agent who gave it
    FAILED = "failed"  # it could not be carried out, again and again


class Answer(Base):
    """What an agent answered, from the moment she gave it until it is carried out or not. `Disposition` is what was done."""

    __tablename__ = "answers"
    __table_args__ = (
        CheckConstraint("action IN ('approve', 'reject', 'ask_retake')", name="action_is_an_agents"),
        CheckConstraint("(disposition_id IS NOT NULL) = (state = 'carried_out')", name="carried_out_has_its_disposition"),
        CheckConstraint("(ended_at IS NULL) = (state IN ('waiting', 'first', 'disagreed'))", name="ended_exactly_when_over"),
        CheckConstraint("NOT needs_second OR disposition_id IS NULL", name="a_first_answer_is_never_carried_out"),
        CheckConstraint("first_staff_id IS NULL OR first_staff_id <> staff_id", name="nobody_checks_her_own"),
        CheckConstraint("second_staff_id IS NULL OR second_staff_id <> staff_id", name="nobody_settles_her_own"),
        CheckConstraint("(first_id IS NULL) = (first_staff_id IS NULL)", name="the_first_has_a_maker"),
        CheckConstraint("(second_id IS NULL) = (second_staff_id IS NULL)", name="the_second_has_a_maker"),
        CheckConstraint("until >= given_at", name="time_to_take_back"),
        UniqueConstraint("id", "staff_id"),
        # Who stands as the maker of an answer before is that answer's maker, so the two CHECKs above cannot be got around.
        ForeignKeyConstraint(["first_id", "first_staff_id"], ["answers.id", "answers.staff_id"], name="fk_answers_first"),
        ForeignKeyConstraint(["second_id", "second_staff_id"], ["answers.id", "answers.staff_id"], name="fk_answers_second"),
        Index(
            "one_waiting_answer_per_case",
            "case_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index("ix_answers_until", "state", "until"),
        Index("ix_answers_staff", "staff_id", "given_at"),
        Index("ix_answers_given", "given_at", "staff_id", "state", "action"),
        Index("ix_answers_untold", "staff_id", "given_at", postgresql_where=text(UNTOLD), sqlite_where=text(UNTOLD)),
        Index(
            "ix_answers_second",
            "given_at",
            postgresql_where=text("first_id IS NOT NULL"),
            sqlite_where=text("first_id IS NOT NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), index=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), comment="Its maker")
    state: Mapped[AnswerState] = mapped_column(words(AnswerState), default=AnswerState.WAITING)
    action: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[list[str]] = mapped_column(default=list)
    retake: Mapped[list[str]] = mapped_column(default=list, comment="Photo kinds to take again")
    fields: Mapped[list[str] | None] = mapped_column(
        JSON(none_as_null=True), comment="Details accepted; NULL: all that were claimed"
    )
    with_email: Mapped[bool] = mapped_column(default=True, server_default=true(), comment="A new e-mail is accepted as well")
    held: Mapped[list[str]] = mapped_column(default=list, comment="Details asked for and not accepted; 'email' for a new e-mail")
    checked: Mapped[list[str]] = mapped_column(default=list, comment="Rows that its maker ticked as compared")
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"), comment="Of the case")
    note_sealed: Mapped[bytes | None] = mapped_column(comment="For staff only, under the case's key")
    words_sealed: Mapped[bytes | None] = mapped_column(
        comment="What the customer is told in the agent's words, under the same key"
    )
    needs_second: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="Another person has to come to the same by herself"
    )
    why: Mapped[list[str]] = mapped_column(default=list, comment="Codes: why a second person is needed, or why it was dropped")
    first_id: Mapped[UUID | None] = mapped_column(comment="The answer that this one, given without seeing it, is the second to")
    first_staff_id: Mapped[UUID | None] = mapped_column(comment="Who made that; never the same person")
    second_id: Mapped[UUID | None] = mapped_column(comment="The other of two that disagreed, which this one settles")
    second_staff_id: Mapped[UUID | None] = mapped_column(comment="Who made that; never the same person")
    case_version: Mapped[int] = mapped_column(comment="cases.version while it waits: another means that the case changed")
    given_at: Mapped[datetime] = mapped_column()
    until: Mapped[datetime] = mapped_column(comment="Its maker may take it back before; upkeep goes on from then")
    ended_at: Mapped[datetime | None] = mapped_column()
    told_at: Mapped[datetime | None] = mapped_column(comment="Its maker was shown that it was dropped")
    disposition_id: Mapped[UUID | None] = mapped_column(ForeignKey("dispositions.id"), unique=True)

    data_key: Mapped[DataKey] = relationship()
    maker: Mapped[Staff] = relationship(foreign_keys=[staff_id])


class CaseNote(Base):
    """What one agent writes down about a case for the others; with an escalation, why. Never shown to customers."""

    __tablename__ = "case_notes"
    __table_args__ = (
        CheckConstraint("kind IN ('note', 'escalation')", name="kind_is_known"),
        Index("ix_case_notes_case", "case_id", "created_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str] = mapped_column(String(20))
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"), comment="Of the case; once shredded, of the customer")
    text_sealed: Mapped[bytes] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()

    data_key: Mapped[DataKey] = relationship()
    writer: Mapped[Staff] = relationship(foreign_keys=[staff_id])


class StaffAccount(Base):
    """A member of staff is a customer too: this account is hers. Its cases, and those related to it, never come to her."""

    __tablename__ = "staff_accounts"
    __table_args__ = (CheckConstraint("how IN ('email', 'said')", name="how_is_known"),)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True, index=True)
    how: Mapped[str] = mapped_column(String(10), comment="email: both have the same address; said: an admin wrote it down")
    since: Mapped[datetime] = mapped_column()


class OutgoingKind(StrEnum):
    """What an agent sends to a customer beside her answers."""

    MESSAGE = "message"
    WISH = "wish"  # for supporting papers


class OutgoingState(StrEnum):
    """What has become of a message or a wish. `cases.outgoing` tells how one leads to another."""

    WAITING = "waiting"  # given; nothing has left the house, and its writer may take it back
    LEFT = "left"  # a `Message`, or rows of `Paper`, since
    TAKEN_BACK = "taken_back"
    DROPPED = "dropped"  # what it was written for was gone: it never left


class Outgoing(Base):
    """A message to a customer, or a wish for papers, that has not left yet. Emptied as soon as it left or was taken back."""

    __tablename__ = "outgoing"
    __table_args__ = (
        CheckConstraint("until >= given_at", name="time_to_take_back"),
        CheckConstraint("(ended_at IS NULL) = (state = 'waiting')", name="ended_exactly_when_over"),
        CheckConstraint("(why IS NULL) = (state <> 'dropped')", name="dropped_for_a_reason"),
        CheckConstraint("photo_sealed IS NULL OR kind = 'message'", name="only_messages_bring_photos"),
        CheckConstraint(
            "(text_sealed IS NULL AND photo_sealed IS NULL) OR state IN ('waiting', 'dropped')",
            name="nothing_is_kept_twice",
        ),
        Index(
            "one_waiting_wish_per_case",
            "case_id",
            unique=True,
            postgresql_where=text("state = 'waiting' AND kind = 'wish'"),
            sqlite_where=text("state = 'waiting' AND kind = 'wish'"),
        ),
        Index("ix_outgoing_until", "state", "until"),
        Index("ix_outgoing_staff", "staff_id", "given_at"),
        Index("ix_outgoing_case", "case_id", "given_at"),
        Index("ix_outgoing_untold", "staff_id", "given_at", postgresql_where=text(UNTOLD), sqlite_where=text(UNTOLD)),
    )
    id: Mapped[UUID] = mapped_column(
        primary_key=True, default=uuid4, comment="Of a message: drawn with the form, and the message's own when it leaves"
    )
    kind: Mapped[OutgoingKind] = mapped_column(words(OutgoingKind))
    state: Mapped[OutgoingState] = mapped_column(words(OutgoingState), default=OutgoingState.WAITING)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), comment="Its writer")
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"), comment="Of the case")
    text_sealed: Mapped[bytes | None] = mapped_column(comment="The words, UTF-8 under the case's key")
    photo_sealed: Mapped[bytes | None] = mapped_column(comment="A message's photo, under the case's key; a blob once it leaves")
    papers: Mapped[list[str]] = mapped_column(default=list, comment="Kinds of papers wished for")
    case_version: Mapped[int] = mapped_column(comment="Of the case when it was given: a wish for another state never leaves")
    given_at: Mapped[datetime] = mapped_column()
    until: Mapped[datetime] = mapped_column(comment="It may be taken back before; it leaves after")
    ended_at: Mapped[datetime | None] = mapped_column(comment="Left, taken back or dropped")
    why: Mapped[Dropped | None] = mapped_column(words(Dropped), comment="Why it never left")
    told_at: Mapped[datetime | None] = mapped_column(comment="Its writer has read that it never left")

    data_key: Mapped[DataKey] = relationship()
    writer: Mapped[Staff] = relationship()


class PaperKind(StrEnum):
    """Which supporting paper: asked for by an agent, or added by the customer."""

    MARRIAGE_CERTIFICATE = "marriage_certificate"
    DIVORCE_CERTIFICATE = "divorce_certificate"
    NAME_CHANGE_CERTIFICATE = "name_change_certificate"
    EARLIER_PASSPORTS = "earlier_passports"  # page 19 of a Russian internal passport
    FAMILY_STATUS = "family_status"  # page 14
    REGISTRATION = "registration"  # pages 5 to 12: where she lives


class Paper(Base):
    """A supporting paper: asked for, sent, read, looked at. The picture is a sealed blob; the same row from wish to look."""

    __tablename__ = "papers"
    __table_args__ = (
        CheckConstraint("(asked_by_id IS NULL) = (asked_at IS NULL)", name="a_wish_has_its_agent"),
        CheckConstraint("(asked_at IS NULL) = (until IS NULL)", name="a_wish_has_its_end"),
        CheckConstraint("asked_at IS NOT NULL OR received_at IS NOT NULL", name="asked_for_or_sent"),
        CheckConstraint(
            "(blob IS NULL) = (received_at IS NULL) AND (sha256 IS NULL) = (received_at IS NULL)",
            name="a_picture_exactly_when_received",
        ),
        CheckConstraint("read_at IS NULL OR received_at IS NOT NULL", name="only_what_came_is_read"),
        CheckConstraint("(seen_at IS NULL) = (seen_by_id IS NULL)", name="a_look_has_its_agent"),
        CheckConstraint("tries >= 0", name="tries_never_negative"),
        Index("ix_papers_case", "case_id", "created_at"),
        Index(
            "ix_papers_unread",
            "received_at",
            postgresql_where=text("received_at IS NOT NULL AND read_at IS NULL"),
            sqlite_where=text("received_at IS NOT NULL AND read_at IS NULL"),
        ),
        Index(
            "ix_papers_given_up",
            "read_at",
            postgresql_where=text("read_at IS NOT NULL AND readings_sealed IS NULL AND tries > 0"),
            sqlite_where=text("read_at IS NOT NULL AND readings_sealed IS NULL AND tries > 0"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, comment="Drawn with the form: sent twice, kept once")
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"))
    kind: Mapped[PaperKind] = mapped_column(words(PaperKind))
    created_at: Mapped[datetime] = mapped_column()
    asked_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="NULL: she sent it by herself")
    asked_at: Mapped[datetime | None] = mapped_column()
    until: Mapped[datetime | None] = mapped_column(comment="The case waits for it no longer than this; it is taken later, too")
    words_sealed: Mapped[bytes | None] = mapped_column(
        comment="The agent's words, UTF-8 under the case's key; NULL: none, or shredded"
    )
    withdrawn_at: Mapped[datetime | None] = mapped_column(comment="The agent needs it no longer")
    declined_at: Mapped[datetime | None] = mapped_column(comment="She says that she cannot send it")
    received_at: Mapped[datetime | None] = mapped_column()
    blob: Mapped[str | None] = mapped_column(String(32), unique=True, comment="32 hex digits, random; the name in the store")
    sha256: Mapped[str | None] = mapped_column(String(64), comment="Of the clear bytes")
    size: Mapped[int | None] = mapped_column(comment="Clear bytes")
    accepted_despite: Mapped[list[str]] = mapped_column(default=list, comment="Problems she was told of and sent it anyway")
    rung_at: Mapped[datetime | None] = mapped_column(comment="When a worker was last rung to read it")
    lease_until: Mapped[datetime | None] = mapped_column(comment="Being read; nobody else may until then")
    tries: Mapped[int] = mapped_column(default=0, comment="Readings begun; one with an older number may not write")
    read_at: Mapped[datetime | None] = mapped_column(
        comment="Nothing is left to read: read, given up, or of a kind no machine reads"
    )
    readings_sealed: Mapped[bytes | None] = mapped_column(
        comment="verification.papers.SupportingReading as JSON, under the case's key"
    )
    sights: Mapped[list[str]] = mapped_column(default=list, comment="cases.supporting.Sight: what an agent saw on it")
    seen_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    seen_at: Mapped[datetime | None] = mapped_column(comment="When those were ticked last")
    shredded_at: Mapped[datetime | None] = mapped_column()

    data_key: Mapped[DataKey] = relationship()


class SavedView(Base):
    """Filters of the queue that an agent keeps under a name of her own. Codes only: a search is never kept."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("staff_id", "name"),)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    name: Mapped[str] = mapped_column(String(40), comment="Hers; nothing of a customer")
    filters: Mapped[dict[str, Any]] = mapped_column(comment="As in the page's address")
    created_at: Mapped[datetime] = mapped_column()


class Presence(Base):
    """That a member of staff has a case's page open. Lives for seconds: see `cases.queue.LOOKING`."""

    __tablename__ = "presences"
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True, index=True)
    seen_at: Mapped[datetime] = mapped_column()


class QualitySample(Base):
    """An answer that another person gives once more without having seen it, or a planted specimen whose answer is known.

    Drawn by `cases.quality`. Changes nothing about its case. Codes and ids only; notes are sealed.
    """

    __tablename__ = "quality_samples"
    __table_args__ = (
        CheckConstraint("(case_id IS NULL) = (specimen IS NOT NULL)", name="a_case_or_a_specimen"),
        CheckConstraint("(case_id IS NULL) = (event_id IS NULL)", name="a_case_with_its_answer"),
        CheckConstraint("why IN ('random', 'overturned', 'specimen')", name="why_is_known"),
        CheckConstraint("(specimen IS NULL) = (why <> 'specimen')", name="specimens_are_planted"),
        CheckConstraint("action IN ('approve', 'reject', 'ask_retake')", name="action_is_an_answer"),
        CheckConstraint("verdict IS NULL OR verdict IN ('approve', 'reject', 'ask_retake')", name="verdict_is_an_answer"),
        CheckConstraint("(reviewer_id IS NULL) = (taken_until IS NULL)", name="taken_with_a_deadline"),
        CheckConstraint(
            "(reviewed_at IS NULL) = (verdict IS NULL) AND (reviewed_at IS NULL) = (agrees IS NULL)",
            name="verdict_exactly_when_reviewed",
        ),
        CheckConstraint("reviewed_at IS NULL OR reviewer_id IS NOT NULL", name="reviewed_by_somebody"),
        CheckConstraint("reviewed_at IS NULL OR lapsed_at IS NULL", name="reviewed_or_lapsed"),
        CheckConstraint("(lapsed_at IS NULL) = (lapsed_why IS NULL)", name="a_lapse_has_its_reason"),
        CheckConstraint(
            "staff_id IS NULL OR reviewer_id IS NULL OR reviewer_id <> staff_id", name="nobody_reviews_her_own_answer"
        ),
        CheckConstraint("doubted_at IS NULL OR (agrees IS NOT NULL AND NOT agrees)", name="doubted_by_a_verdict"),
        CheckConstraint("(settled_at IS NULL) = (settled_how IS NULL)", name="settled_somehow"),
        CheckConstraint("settled_at IS NULL OR doubted_at IS NOT NULL", name="only_a_doubt_is_settled"),
        CheckConstraint(
            "settled_by_id IS NULL OR (settled_by_id <> reviewer_id AND (staff_id IS NULL OR settled_by_id <> staff_id))"
            " OR settled_how = 'reverted'",
            name="a_third_person_lets_it_stand",
        ),
        Index(
            "ix_quality_samples_open",
            "drawn_at",
            postgresql_where=text("reviewed_at IS NULL AND lapsed_at IS NULL"),
            sqlite_where=text("reviewed_at IS NULL AND lapsed_at IS NULL"),
        ),
        Index(
            "ix_quality_samples_doubted",
            "doubted_at",
            postgresql_where=text("doubted_at IS NOT NULL AND settled_at IS NULL"),
            sqlite_where=text("doubted_at IS NOT NULL AND settled_at IS NULL"),
        ),
        Index("ix_quality_samples_reviewed", "reviewed_at"),
        Index("ix_quality_samples_staff", "staff_id", "answered_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"), index=True)
    specimen: Mapped[str | None] = mapped_column(String(60), comment="Key of cases.practice.specimens, where it is one")
    event_id: Mapped[int | None] = mapped_column(
        BigInteger(), unique=True, comment="The answer: an event of the trail. No foreign key: the trail stands for itself"
    )
    why: Mapped[str] = mapped_column(String(20), comment="random, overturned or specimen")
    share: Mapped[float | None] = mapped_column(comment="Of such answers, how many were drawn then, 0-1; NULL: not by chance")
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="Whose answer it was; NULL: the machine's")
    action: Mapped[str] = mapped_column(String(20), comment="The answer; of a specimen the right one")
    reasons: Mapped[list[str]] = mapped_column(default=list)
    answered_at: Mapped[datetime] = mapped_column()
    drawn_at: Mapped[datetime] = mapped_column()
    overturned_at: Mapped[datetime | None] = mapped_column(comment="When a person undid that answer")
    reviewer_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    taken_until: Mapped[datetime | None] = mapped_column(comment="Hers until then; meaningless once reviewed")
    reviewed_at: Mapped[datetime | None] = mapped_column()
    verdict: Mapped[str | None] = mapped_column(String(20))
    verdict_reasons: Mapped[list[str]] = mapped_column(default=list)
    agrees: Mapped[bool | None] = mapped_column(comment="The same action")
    note_sealed: Mapped[bytes | None] = mapped_column(comment="The reviewer's, under the case's key; of a specimen: none")
    doubted_at: Mapped[datetime | None] = mapped_column(comment="She would not have approved it: a senior agent looks")
    settled_at: Mapped[datetime | None] = mapped_column()
    settled_how: Mapped[str | None] = mapped_column(String(20), comment="stands or reverted")
    settled_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    settled_note_sealed: Mapped[bytes | None] = mapped_column(comment="Under the case's key")
    lapsed_at: Mapped[datetime | None] = mapped_column(comment="Can no longer be reviewed")
    lapsed_why: Mapped[str | None] = mapped_column(String(20), comment="shredded or changed")


class QualityMark(Base):
    """How far the drawing of samples has read the trail. One row."""

    __tablename__ = "quality_marks"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(BigInteger(), comment="Everything up to this event was looked at")
    at: Mapped[datetime] = mapped_column()


class PracticeRound(Base):
    """Twenty specimen cases in an order drawn for one agent. Of nobody: codes of `cases.practice.specimens`."""

    __tablename__ = "practice_rounds"
    __table_args__ = (
        CheckConstraint("number >= 1", name="counted_from_one"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="an_end_has_its_outcome"),
        CheckConstraint("outcome IN ('passed', 'not_passed', 'reset')", name="outcome_is_known"),
        CheckConstraint("(reset_by_id IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'reset')", name="a_reset_has_its_lead"),
        UniqueConstraint("staff_id", "number"),
        Index(
            "one_open_round_per_agent",
            "staff_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    number: Mapped[int] = mapped_column(comment="1, 2, 3 … of the agent")
    specimens: Mapped[list[str]] = mapped_column(comment="Keys, in the order in which they are shown")
    begun_at: Mapped[datetime] = mapped_column()
    ended_at: Mapped[datetime | None] = mapped_column()
    outcome: Mapped[str | None] = mapped_column(String(20))
    reset_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="The lead who had her begin anew")


class PracticeAnswer(Base):
    """What an agent answered to a specimen case, and whether it was right by what was known then. Append-only."""

    __tablename__ = "practice_answers"
    __table_args__ = (
        CheckConstraint("action IN ('approve', 'reject', 'ask_retake', 'escalate')", name="action_is_an_agents"),
        CheckConstraint("number >= 1", name="counted_from_one"),
        CheckConstraint("NOT (was_right AND dangerous)", name="what_is_right_is_not_dangerous"),
        UniqueConstraint("round_id", "number"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    round_id: Mapped[UUID] = mapped_column(ForeignKey("practice_rounds.id"))
    number: Mapped[int] = mapped_column(comment="1, 2, 3 … of the round")
    specimen: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[list[str]] = mapped_column()
    retake: Mapped[list[str]] = mapped_column(comment="Photo kinds")
    was_right: Mapped[bool] = mapped_column()
    dangerous: Mapped[bool] = mapped_column(comment="Approved what must not be approved")
    given_at: Mapped[datetime] = mapped_column()


class PhotoMark(Base):
    """A part of an upload's perceptual fingerprint, hashed with a key: what nearly equal photos have in common.

    See `cases.likeness`. Deleted with the upload, which has the fingerprint itself, sealed.
    """

    __tablename__ = "photo_marks"
    __table_args__ = (
        CheckConstraint("part BETWEEN 0 AND 7", name="eight_parts"),
        ForeignKeyConstraint(["case_id", "upload_id"], ["uploads.case_id", "uploads.id"], name="fk_photo_marks_upload"),
    )
    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    upload_id: Mapped[UUID] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="0 to 7")
    mark: Mapped[str] = mapped_column(String(24), index=True, comment="Of kind, number and bits of the part; 24 hex digits")


class NumberRead(Base):
    """The blind index of a document number that was read from a photo of a case, where it is not the one that is known anyway.

    See `cases.likeness`. Deleted when the case is shredded, as `Case.document_index` is cleared.
    """

    __tablename__ = "numbers_read"
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    number_index: Mapped[str] = mapped_column(
        String(64), primary_key=True, index=True, comment="As Case.document_index; of the number as it was read"
    )


APPEND_ONLY: tuple[type[Base], ...] = (ReplyVersion, PracticeAnswer)
"""Tables of the desk whose rows nobody may change or delete, as `cases.models.IMMUTABLE`. Stands last in this file."""
