"""Who of the staff may look at a customer's photos, and what for. Asked before each picture: a link is no right by itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from cases import conflicts
from cases import staff as people
from cases.lifecycle import State
from cases.models import Case, Staff

REVIEW = "review"
"""To answer a case: whoever holds it, the second pair of eyes too; or to settle that a change was disputed."""


def may_look(session: Session, case: Case, *, agent: Staff, purpose: str, now: datetime) -> bool:
    """Whether `agent` may see the photos of this case for that purpose now. An unknown purpose is refused."""
    if not people.may(agent, "see_photos") or purpose != REVIEW:
        return False
    if _holds(case, agent, now):
        return True
    return _settles(case, agent) and conflicts.tie(session, agent, case) is None  # who takes a case was asked that already


def _holds(case: Case, agent: Staff, now: datetime) -> bool:
    return case.owner_id == agent.id and case.owner_until is not None and case.owner_until > now


def _settles(case: Case, agent: Staff) -> bool:
    """She may settle what the customer says was not her; only while that is open."""
    open_dispute = case.state is State.APPROVED and case.disputed_at is not None and case.dispute_settled_at is None
    return open_dispute and people.may(agent, "settle_disputes")
