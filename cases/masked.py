"""A case as an auditor sees it: what was decided, by whom, why and when, and nothing of the customer.

No name, number, address, note, word or photo is read for it, and nothing sealed is opened: states, codes, counts and times alone.
The matrix it comes from is held in docs/decisions/0020.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import audit, queries, review
from cases import staff as people
from cases.desk_tables import Answer, AnswerState, Paper
from cases.lifecycle import State
from cases.models import Case, Message, Photo, Run, Staff, Writer
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode


@dataclass(frozen=True, kw_only=True)
class MaskedRun:
    """One look of the machine."""

    attempt: int
    state: str
    begun_at: datetime
    finished_at: datetime | None
    outcome: str | None
    reasons: tuple[str, ...]
    policy_version: int


@dataclass(frozen=True, kw_only=True)
class MaskedAnswer:
    """One answer of a member of staff: codes alone, the note and the words stay sealed."""

    by: str
    action: str
    state: AnswerState
    reasons: tuple[str, ...]
    held: tuple[str, ...]  # codes of details that were not accepted
    why: tuple[str, ...]  # codes why a second person was asked, or why it was dropped
    given_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class MaskedCase:
    """Everything shown of a case without the customer. Times in UTC."""

    id: UUID
    customer_id: UUID  # ours, as the trail has it; the host system's id stays away
    state: State
    change_reason: ChangeReason
    risk: str
    attempt: int
    opened_at: datetime
    referred_at: datetime | None
    due_at: datetime | None
    closed_at: datetime | None
    shredded_at: datetime | None
    disputed_at: datetime | None
    dispute_settled_at: datetime | None
    owner: str  # "" while nobody has it
    reasons: tuple[ReasonCode, ...]
    photos: int
    papers: int
    from_customer: int  # messages
    from_staff: int
    runs: tuple[MaskedRun, ...]  # oldest first, as the two that follow
    answers: tuple[MaskedAnswer, ...]
    events: tuple[queries.EventRow, ...]


def look(session: Session, case_id: UUID, *, auditor: Staff, now: datetime) -> MaskedCase:
    """The case for who may see it so; that she looked is written down first. Raises NotAllowed, review.Related, NoResultFound.

    Who answers cases as well sees none that waits for a person: she may be the one to answer, and would know what the machine
    and others make of it.
    """
    people.require(auditor, "see_masked_case")
    case = session.get_one(Case, case_id)
    if case.state is State.IN_REVIEW and people.may(auditor, "decide"):
        raise people.NotAllowed("see_masked_case")
    review.not_of_hers(session, case_id, auditor)
    audit.record(session, "masked_case_opened", actor=audit.Actor.staff(auditor), now=now, case=case)
    held = case.owner_until is not None and case.owner_until > now
    runs = session.execute(
        select(Run.attempt, Run.state, Run.begun_at, Run.finished_at, Run.outcome, Run.reasons, Run.policy_version)
        .where(Run.case_id == case_id)
        .order_by(Run.fence)
    ).all()
    answers = session.execute(
        select(Staff.name, Answer.action, Answer.state, Answer.reasons, Answer.held, Answer.why, Answer.given_at, Answer.ended_at)
        .join(Staff, Staff.id == Answer.staff_id)
        .where(Answer.case_id == case_id)
        .order_by(Answer.given_at, Answer.id)
    ).all()
    wrote = dict(
        session.execute(select(Message.writer, func.count()).where(Message.case_id == case_id).group_by(Message.writer)).all()
    )
    return MaskedCase(
        id=case.id,
        customer_id=case.customer_id,
        state=case.state,
        change_reason=case.change_reason,
        risk=case.risk,
        attempt=case.attempt,
        opened_at=case.opened_at,
        referred_at=case.referred_at,
        due_at=case.due_at,
        closed_at=case.closed_at,
        shredded_at=case.shredded_at,
        disputed_at=case.disputed_at,
        dispute_settled_at=case.dispute_settled_at,
        owner=case.owner.name if held and case.owner else "",
        reasons=tuple(ReasonCode(code) for code in case.reasons),
        photos=_count(session, Photo, case_id),
        papers=_count(session, Paper, case_id),
        from_customer=wrote.get(Writer.CUSTOMER, 0),
        from_staff=wrote.get(Writer.STAFF, 0),
        runs=tuple(
            MaskedRun(
                attempt=attempt, state=state.value, begun_at=begun, finished_at=finished, outcome=outcome,
                reasons=tuple(reasons), policy_version=version,
            )
            for attempt, state, begun, finished, outcome, reasons, version in runs
        ),
        answers=tuple(
            MaskedAnswer(
                by=by, action=action, state=state, reasons=tuple(reasons), held=tuple(kept), why=tuple(why), given_at=given,
                ended_at=ended,
            )
            for by, action, state, reasons, kept, why, given, ended in answers
        ),
        events=queries.case_events(session, case_id),
    )  # fmt: skip


def _count(session: Session, model: type[Photo] | type[Paper], case_id: UUID) -> int:
    return session.scalar(select(func.count()).select_from(model).where(model.case_id == case_id)) or 0
