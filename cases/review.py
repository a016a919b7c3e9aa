"""What a support agent may do with a case: take, release, dispose, settle a dispute.

A taken case is hers for `claim_minutes` after her last sign. Of two agents the second is told who was first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from cases import audit, intake, moves, notifications, profiles
from cases import staff as people
from cases.lifecycle import Action, IllegalTransition, State
from cases.models import Case, Disposition, Event, Run, Staff
from verification.reasons import PhotoKind, ReasonCode

ACTIONS: dict[str, Action] = {"approve": Action.APPROVE, "reject": Action.REJECT, "ask_retake": Action.ASK_RETAKE}

WEIGHTY = frozenset(
    {
        ReasonCode.DOCUMENT_EXPIRED,
        ReasonCode.DOCUMENT_IS_SPECIMEN,
        ReasonCode.ZONES_DISAGREE,
        ReasonCode.BIRTH_DATE_NOT_THE_ACCOUNTS,
        ReasonCode.SEX_NOT_THE_ACCOUNTS,
        ReasonCode.NAMES_NOT_THE_ACCOUNTS,
        ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER,
        ReasonCode.SELFIE_ON_FILE_FACES_DIFFER,
        ReasonCode.DOCUMENT_ON_FILE_FACES_DIFFER,
        ReasonCode.SELFIE_IS_THE_DOCUMENT,
    }
)
"""Who approves in spite of one of these, whichever run found it, says why in a note."""


class TakenBy(Exception):
    """Another agent has it. `name` and `until` are for the page."""

    def __init__(self, name: str, until: datetime) -> None:
        super().__init__("taken by another agent")
        self.name = name
        self.until = until


class StalePage(Exception):
    """The case changed since the page was made: where it stands, who changed it and when."""

    def __init__(self, state: State, by: str, at: datetime) -> None:
        super().__init__(f"the case is {state.value} by now")
        self.state = state
        self.by = by
        self.at = at


class NotYours(Exception):
    """The agent has not taken this case, or may not: who rejected it does not decide the appeal."""


class NoteNeeded(Exception):
    """This disposition has to be explained in a note."""


@dataclass(frozen=True, kw_only=True)
class Disposal:
    """What an agent answers. `seen_version` is `case.version` as her page showed it."""

    action: str  # approve, reject, ask_retake
    reasons: tuple[ReasonCode, ...] = ()
    retake: frozenset[PhotoKind] = frozenset()
    note: str = ""
    seen_version: int


def take(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> Case:
    """Take a case, or keep one that is hers already. Raises TakenBy, NotYours, NotAllowed, IllegalTransition."""
    people.require(agent, "decide")
    case = moves.lock(session, case_id)
    if not _at_the_desk(case):
        raise IllegalTransition(case.state, Action.APPROVE)
    if case.state is State.APPROVED:
        people.require(agent, "settle_disputes")
    if case.owner_id is not None and case.owner_id != agent.id and case.owner_until is not None and case.owner_until > now:
        assert case.owner is not None
        raise TakenBy(case.owner.name, case.owner_until)
    if _refused_before(session, case, agent):
        raise NotYours("another agent decides an appeal")
    return _give(session, case, agent, now)


def take_next(session: Session, *, agent: Staff, now: datetime) -> Case | None:
    """Take the case that waits longest: disputes first, where the agent may settle them. None: nothing waits."""
    people.require(agent, "decide")
    session.flush()
    waiting = Case.state == State.IN_REVIEW
    if people.may(agent, "settle_disputes"):
        waiting = or_(
            waiting, and_(Case.state == State.APPROVED, Case.disputed_at.is_not(None), Case.dispute_settled_at.is_(None))
        )
    rejected = exists().where(Disposition.case_id == Case.id, Disposition.staff_id == agent.id, Disposition.action == "reject")
    case = session.execute(
        select(Case)
        .where(waiting, or_(Case.owner_id.is_(None), Case.owner_until <= now), ~rejected)
        .order_by(Case.disputed_at.is_(None), Case.referred_at, Case.id)
        .limit(1)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    return _give(session, case, agent, now) if case else None


def release(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> Case:
    """Give a case back to the queue. Raises NotYours."""
    case = moves.lock(session, case_id)
    if case.owner_id != agent.id:
        raise NotYours("the case is not yours")
    case.owner_id = case.owner_until = None
    moves.changed(case, now=now)
    audit.record(session, "case_released", actor=audit.Actor.staff(agent), now=now, case=case)
    return case


def touch(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> datetime:
    """A sign from the agent's page: the case stays hers. Returns until when. Raises NotYours. Makes no page stale."""
    case = moves.lock(session, case_id)
    if case.owner_id != agent.id:
        raise NotYours("the case is not yours")
    until = now + timedelta(minutes=session.info["settings"].claim_minutes)
    case.owner_until = until
    session.flush()
    return until


def dispose(session: Session, case_id: UUID, disposal: Disposal, *, agent: Staff, now: datetime) -> Case:
    """Carry out an agent's answer and all that follows from it. The caller commits.

    The row is locked, so of two answers the second gets StalePage and can say what already happened. Raises
    IllegalTransition, StalePage, NotYours, NoteNeeded, NotAllowed; ValueError when a retake names no photo or a
    rejection no reason.
    """
    people.require(agent, "decide")
    if disposal.action not in ACTIONS:
        raise ValueError(f"unknown action: {disposal.action}")
    case = moves.lock(session, case_id)
    if case.version != disposal.seen_version:
        raise _stale(session, case)
    if case.state is not State.IN_REVIEW:
        raise IllegalTransition(case.state, ACTIONS[disposal.action])
    if case.owner_id != agent.id or _refused_before(session, case, agent):
        raise NotYours("take the case first; who refused it before does not decide the appeal")
    note = disposal.note.strip()
    if disposal.action == "reject" and not disposal.reasons:
        raise ValueError("a rejection needs a reason")
    if disposal.action == "ask_retake" and (not disposal.retake or PhotoKind.ON_FILE in disposal.retake):
        raise ValueError("a retake names the photos to take again")
    if not note and _needs_note(session, case, disposal):
        raise NoteNeeded("say why in a note")
    reasons = moves.codes(disposal.reasons)
    retake = moves.codes(disposal.retake)
    row = Disposition(id=uuid4(), case_id=case.id, staff_id=agent.id, action=disposal.action, reasons=reasons, created_at=now)
    row.note_sealed = profiles.seal_note(session, case, row.id, note) if note else None
    session.add(row)
    session.flush()
    actor = audit.Actor.staff(agent)
    old = case.state
    if disposal.action == "approve":
        profiles.apply_claim(session, case, actor=actor, now=now)
    else:
        moves.move(session, case, ACTIONS[disposal.action], now=now)
        if disposal.action == "ask_retake":
            case.retake = retake
    case.reasons = reasons
    notifications.add(session, case, case.state.value, actor=actor, now=now)
    audit.record(
        session,
        "disposed",
        actor=actor,
        now=now,
        case=case,
        old=old,
        new=case.state,
        action=disposal.action,
        reasons=reasons,
        retake=retake,
    )
    return case


def settle_dispute(session: Session, case_id: UUID, *, agent: Staff, note: str, seen_version: int, now: datetime) -> Case:
    """A person looked at "this was not me" and the change stands. To undo it, see `profiles.revert`.

    A change that was held takes effect again; both addresses are told. Raises StalePage, NoteNeeded, NotAllowed, OwnApproval
    for who approved the case, ValueError when nothing is disputed, ProfileMovedOn when a held change cannot come back.
    """
    people.require(agent, "settle_disputes")
    case = moves.lock(session, case_id)
    if case.version != seen_version:
        raise _stale(session, case)
    if case.disputed_at is None or case.dispute_settled_at is not None:
        raise ValueError("nothing is disputed")
    if session.scalar(
        select(exists().where(Disposition.case_id == case.id, Disposition.staff_id == agent.id, Disposition.action == "approve"))
    ):
        raise profiles.OwnApproval("another person has to settle this")
    note = note.strip()
    if not note:
        raise NoteNeeded("say why in a note")
    if profiles.held(case):
        profiles.restore(session, case, actor=audit.Actor.staff(agent), now=now)
    row = Disposition(id=uuid4(), case_id=case.id, staff_id=agent.id, action="settle", reasons=[], created_at=now)
    row.note_sealed = profiles.seal_note(session, case, row.id, note)
    session.add(row)
    case.dispute_settled_at = now
    case.owner_id = case.owner_until = None
    moves.changed(case, now=now)
    if case.state is State.APPROVED:
        notifications.add(session, case, "change_stands", actor=audit.Actor.staff(agent), now=now, to_new=True)
    audit.record(session, "dispute_settled", actor=audit.Actor.staff(agent), now=now, case=case)
    return case


def _refused_before(session: Session, case: Case, agent: Staff) -> bool:
    """Whether this agent rejected the case once: an appeal goes to another person, always."""
    found = exists().where(Disposition.case_id == case.id, Disposition.staff_id == agent.id, Disposition.action == "reject")
    return bool(session.scalar(select(found)))


def _at_the_desk(case: Case) -> bool:
    """Whether a person has something to decide."""
    disputed = case.disputed_at is not None and case.dispute_settled_at is None
    return case.state is State.IN_REVIEW or (case.state is State.APPROVED and disputed)


def _give(session: Session, case: Case, agent: Staff, now: datetime) -> Case:
    before = case.owner_id
    case.owner_id = agent.id
    case.owner_until = now + timedelta(minutes=session.info["settings"].claim_minutes)
    session.flush()
    if before != agent.id:
        moves.changed(case, now=now)
        audit.record(
            session, "case_taken", actor=audit.Actor.staff(agent), now=now, case=case, until=case.owner_until, from_staff=before
        )
    return case


def _needs_note(session: Session, case: Case, disposal: Disposal) -> bool:
    if disposal.action == "reject":
        return True
    return disposal.action == "approve" and weighs_against(session, case)


def weighs_against(session: Session, case: Case) -> bool:
    """Whether who approves says why: something weighty was found by any run of the case, or a photo is missing.

    The reasons of the case are those of its last step only; a retake or an appeal writes others over them.
    """
    found = {*case.reasons}.union(*session.scalars(select(Run.reasons).where(Run.case_id == case.id)))
    return bool({r.value for r in WEIGHTY} & found) or any(intake.photo(session, case, kind) is None for kind in intake.NEEDED)


def _stale(session: Session, case: Case) -> StalePage:
    """Say what happened last: the newest event that changed the case."""
    telling = select(Event).where(Event.case_id == case.id, Event.kind.not_in(QUIET)).order_by(Event.id.desc()).limit(1)
    event = session.scalars(telling).one_or_none()
    if event is None:
        return StalePage(case.state, "system", case.updated_at)
    by = event.actor_kind
    if event.actor_kind == "staff" and event.actor_id:
        person = session.get(Staff, UUID(event.actor_id))
        by = person.name if person else by
    return StalePage(case.state, by, event.at)


QUIET: Iterable[str] = (
    "photo_opened",
    "head_turn_opened",
    "message_written",
    "messages_set_aside",
    "message_photo_opened",
    "case_opened_by_staff",
    "notification_added",
    "notification_sent",
    "link_made",
    "link_used",
    "device_link_made",
    "device_link_opened",
    "device_link_confirmed",
    "device_link_ended",
    "not_me_reported",
)
"""Events that change nothing about a case."""
