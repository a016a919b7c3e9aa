"""Lock a case and move it to its next state: what every change of a case has in common.

Who may ask for a move, and what else follows from it, is known to `intake`, `runs`, `review`, `profiles` and
`retention`; the table of moves is `lifecycle`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit, tickets, webhooks
from cases.desk_tables import Answer, AnswerState, Dropped
from cases.lifecycle import CLOSED, Action, State, next_state
from cases.models import Case, Customer, Run, RunState


def lock(session: Session, case_id: UUID) -> Case:
    """The case, read anew and locked until the transaction ends. Raises NoResultFound."""
    session.flush()
    return session.execute(
        select(Case).where(Case.id == case_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).scalar_one()


def lock_customer(session: Session, customer_id: UUID) -> Customer:
    """The customer, read anew and locked. Lock her case first if you need both: always in that order."""
    session.flush()
    return session.execute(
        select(Customer)
        .where(Customer.id == customer_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()


def changed(case: Case, *, now: datetime) -> None:
    """Count a change of the row, so that a page that shows the row as it was is told so."""
    case.version += 1
    case.updated_at = now


def move(session: Session, case: Case, action: Action, *, now: datetime) -> State:
    """Move a locked case and keep its clocks in step; returns the state it left. Raises IllegalTransition."""
    old = case.state
    new = next_state(old, action)
    if old is State.IN_REVIEW:
        drop_answers(session, case, Dropped.CASE_CLOSED, now=now)  # first: it flushes, and what follows goes into one UPDATE
    case.state = new
    case.closed_at = now if new in CLOSED else None
    if new is State.IN_REVIEW:
        case.referred_at = now
        case.due_at = now + timedelta(hours=session.info["settings"].review_hours)
    else:
        case.referred_at = case.due_at = None
    case.owner_id = case.owner_until = None
    if new is not State.NEEDS_RETAKE:
        case.retake = []
    case.answered_at = case.second_at = case.awaiting_until = None
    if new in CLOSED:
        case.escalated_at = None  # a case that a senior agent sent back for a photo comes to one again; an appeal does not
    changed(case, now=now)
    webhooks.moved(session, case, action, now=now)
    tickets.moved(session, case, now=now)
    if new is State.IN_REVIEW and action is not Action.UNDO:  # thousands at once: an answer is weighed when it is given anyway
        _weigh(session, case, now=now)
    return old


def drop_answers(session: Session, case: Case, why: Dropped, *, now: datetime) -> None:
    """End answers that still wait in a locked case: what they were given for is gone."""
    session.flush()
    waiting = Answer.state.in_((AnswerState.WAITING, AnswerState.FIRST, AnswerState.DISAGREED))
    for answer in session.scalars(
        select(Answer).where(Answer.case_id == case.id, waiting).order_by(Answer.given_at, Answer.id)
    ).all():
        answer.state, answer.ended_at, answer.why = AnswerState.DROPPED, now, [why.value]
        session.flush()
        audit.record(
            session, "answer_dropped", actor=audit.SYSTEM, now=now, case=case, answer_id=answer.id, why=why,
            action=answer.action, reasons=answer.reasons, retake=answer.retake, fields=answer.fields,
        )  # fmt: skip


def _weigh(session: Session, case: Case, *, now: datetime) -> None:
    """What the desk sorts by: how risky an approval is, and how badly the customer needs an end."""
    from cases import rescue, risk  # here, because they ask modules that move cases

    session.flush()
    risk.write(session, case, now=now)
    rescue.write(session, case, now=now)


def running(session: Session, case: Case) -> Run | None:
    """The run that is looking at this case, if any."""
    return session.execute(select(Run).where(Run.case_id == case.id, Run.state == RunState.RUNNING)).scalar_one_or_none()


def abandon(run: Run, *, now: datetime) -> None:
    """Take a run back: whatever it still finds will not be written."""
    run.state = RunState.ABANDONED
    run.finished_at = now


def codes(values: Iterable[StrEnum]) -> list[str]:
    """Enum members as the texts that columns hold, in order, once each; sets in the order of their enum's values."""
    items = sorted(values) if isinstance(values, (set, frozenset)) else list(values)
    return list(dict.fromkeys(item.value for item in items))
