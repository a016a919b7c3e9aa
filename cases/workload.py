"""Who holds what now, moved by a lead: from one agent to another, or back to the queue. Every move is in the trail.

Who may be given what is decided by `cases.review.assign` alone: never the maker to check herself, never an own or related case.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit, moves, review
from cases import staff as people
from cases.models import Case, Staff


class NotHeld(Exception):
    """Nobody holds the case any more, or somebody else by now: the lead's page is old."""


def move(session: Session, case_id: UUID, *, held_by: UUID, to: UUID | None, lead: Staff, now: datetime) -> Case:
    """Take a case out of `held_by`'s hands: for the agent `to`, or for whoever is next in the queue (None). The caller commits.

    Raises NotAllowed, NotHeld, NoResultFound for an unknown agent, and what `review.assign` raises for a case that is not hers
    to answer.
    """
    people.require(lead, "reassign")
    agent = session.scalars(select(Staff).where(Staff.id == to)).one() if to is not None else None
    seen = session.get(Case, case_id)
    if seen is None or not _holds(seen, held_by, now):
        raise NotHeld("not in these hands any more")
    if agent is not None:
        return review.assign(session, case_id, to=agent, lead=lead, now=now)
    review.not_of_hers(session, case_id, lead)
    case = moves.lock(session, case_id)
    if not _holds(case, held_by, now):
        raise NotHeld("not in these hands any more")
    case.owner_id = case.owner_until = None
    moves.changed(case, now=now)
    audit.record(session, "case_put_back", actor=audit.Actor.staff(lead), now=now, case=case, from_staff=held_by)
    return case


def _holds(case: Case, agent_id: UUID, now: datetime) -> bool:
    return case.owner_id == agent_id and case.owner_until is not None and case.owner_until > now
