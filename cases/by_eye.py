"""Whether a machine may compare a person's face. Where it may not, people compare by eye and everything else stays as it is.

Two ways lead here: a deployment switches biometrics off for everybody (`BIOMETRICS=off`), or a person chooses it for herself
when she agrees to the rest (consent page), or has a senior agent write it down. Her choice is kept with her account and holds
for every later request until she chooses otherwise. What counts as biometrics and what does not: docs/decisions/0015.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit, duplicates, moves
from cases.lifecycle import State
from cases.models import Case, Customer, HeadTurn

MARK = "+by_eye"
"""Ends the version of a consent that leaves the comparison to people: the text of that version says so in its own words."""


def allowed(session: Session) -> bool:
    """Whether this deployment lets a machine compare faces at all."""
    return bool(session.info["settings"].biometrics)


def holds(session: Session, customer: Customer) -> bool:
    """Whether people compare this customer's faces, and no machine does."""
    return customer.by_eye or not allowed(session)


def choose(
    session: Session, customer: Customer, chosen: bool, *, actor: audit.Actor, now: datetime, case: Case | None = None
) -> bool:
    """Write down what she chose; returns whether that is new. Lock `case` first where there is one. The caller commits.

    Choosing people deletes what a machine kept of her face: encodings, and the pictures of a turned head that were not sent yet.
    """
    customer = moves.lock_customer(session, customer.id)
    if customer.by_eye is chosen:
        return False
    customer.by_eye = chosen
    forgotten = frames = 0
    if chosen:
        forgotten = duplicates.forget_person(session, customer.id)
        frames = _shred_turns(session, customer, now)
    session.flush()
    audit.record(
        session,
        "by_eye_chosen",
        actor=actor,
        now=now,
        case=case,
        customer_id=customer.id,
        by_eye=chosen,
        forgotten=forgotten,
        frames=frames,
    )
    return True


def clean(session: Session) -> int:
    """Delete every encoding that is still kept where biometrics were switched off; returns how many. For upkeep."""
    return 0 if allowed(session) else duplicates.forget_all(session)


def _shred_turns(session: Session, customer: Customer, now: datetime) -> int:
    """Let go of frames in requests that she has not sent: their blobs are no row's any more, and retention removes such."""
    turns = session.scalars(
        select(HeadTurn)
        .join(Case, Case.id == HeadTurn.case_id)
        .where(
            HeadTurn.customer_id == customer.id,
            HeadTurn.answered_at.is_not(None),
            HeadTurn.shredded_at.is_(None),
            Case.state.in_((State.DRAFT, State.NEEDS_RETAKE)),
        )
    ).all()
    for turn in turns:
        turn.shredded_at = now
    return len(turns)
