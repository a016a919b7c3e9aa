"""The sandbox: cases of customers whom a test key wrote, and what a developer may do to them that only people may otherwise.

Such a case goes the way of every other: portal or API, queue, worker, policy, profile, webhooks. What differs is told by one
mark, `Case.trial`: specimens are obeyed (`workers.trials`), no mail leaves, nobody at the desk sees it, and no figure counts it.
Where the desk would answer, `answer` does, for the test key that asks.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from cases import audit, intake, moves, notifications, profiles
from cases.lifecycle import Action, IllegalTransition, State
from cases.models import MARKED, Case
from verification.reasons import PhotoKind, ReasonCode

CONSENT = "sandbox"
"""The version of a consent that nobody gave: a developer sends the case."""

ACTIONS: dict[str, Action] = {
    "approve": Action.APPROVE,
    "reject": Action.REJECT,
    "ask_retake": Action.ASK_RETAKE,
    "revert": Action.REVERT,
}
"""What a developer may answer in an agent's place: the first three to a case that waits for one, the last to an approved case."""


class NotATrial(Exception):
    """The case is a real customer's: nobody but an agent answers it."""


def real(case_id: Any) -> ColumnElement[bool]:
    """The condition that a row is of no sandbox case, for columns that hold a case's id; over Case: `models.UNMARKED`.

    There are few sandbox cases, and an index of them alone.
    """
    found: ColumnElement[bool] = case_id.not_in(select(Case.id).where(MARKED))
    return found


def submit(session: Session, case_id: UUID, *, now: datetime) -> Case:
    """Send a sandbox case in the customer's place. Raises NotATrial, and what `intake.submit` raises. Ring after committing."""
    _trial(session, case_id)
    return intake.submit(session, case_id, consent_version=CONSENT, now=now)


def answer(
    session: Session,
    case_id: UUID,
    action: str,
    *,
    reasons: Collection[ReasonCode] = (),
    retake: Collection[PhotoKind] = (),
    actor: audit.Actor,
    now: datetime,
) -> Case:
    """Answer a sandbox case as an agent would, at once. The caller commits.

    Raises NotATrial; ValueError for a rejection without a reason or a retake without a photo; IllegalTransition where the case
    does not wait for that answer; profiles.ProfileMovedOn where a change cannot be put back any more.
    """
    case = _trial(session, case_id)
    if action == "reject" and not reasons:
        raise ValueError("a rejection needs a reason")
    if action == "ask_retake" and (not retake or not set(retake) <= set(intake.NEEDED)):
        raise ValueError("a retake names the photos to take again")
    old, step = case.state, ACTIONS[action]
    if old is not (State.APPROVED if action == "revert" else State.IN_REVIEW):
        raise IllegalTransition(old, step)
    if action == "approve":
        profiles.apply_claim(session, case, actor=actor, now=now)
    elif action == "revert":
        profiles.put_back(session, case, actor=actor, now=now)
    else:
        moves.move(session, case, step, now=now)
        if action == "ask_retake":
            case.retake = moves.codes(frozenset(retake))
    if action != "revert":
        case.reasons = moves.codes(reasons)
        notifications.add(session, case, case.state.value, actor=actor, now=now)
    audit.record(
        session,
        "sandbox_answered",
        actor=actor,
        now=now,
        case=case,
        old=old,
        new=case.state,
        action=action,
        reasons=moves.codes(reasons),
        retake=case.retake,
    )
    return case


def _trial(session: Session, case_id: UUID) -> Case:
    """A locked case of the sandbox. Raises NotATrial."""
    case = moves.lock(session, case_id)
    if not case.trial:
        raise NotATrial("the case is a real customer's")
    return case
