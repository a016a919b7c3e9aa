"""Who looked at a customer's photos and requests: when, in which role and why.

Never which member of staff: that is the lender's matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import staff as people
from cases.models import Event, Staff

LOOKS = ("photo_opened", "head_turn_opened", "message_photo_opened", "paper_opened", "case_opened_by_staff")
"""Events that say that somebody looked at what is hers."""

ROLES = ("support_agent", "senior_agent", "team_lead", "staff")
"""What is told of a member of staff."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """Somebody or something looked at a picture or a request of hers."""

    at: datetime
    who: str  # "customer", "staff", "machine", "host" or "system"
    role: str | None  # of ROLES, for staff: as it is now
    what: str  # a kind of photo, "head_turn", "message", "paper" or "request"
    why: str  # a code of the event: "verification", "review", "own_copy" …
    case_id: UUID | None


_WHAT = {"head_turn_opened": "head_turn", "message_photo_opened": "message", "paper_opened": "paper"}


def looks(session: Session, customer_id: UUID, *, limit: int | None = None, newest_first: bool = True) -> list[Look]:
    """Who looked at her photos and requests, when, in which role and why; from the audit trail, so nothing is left out."""
    query = (
        select(Event.at, Event.kind, Event.actor_kind, Event.actor_id, Event.case_id, Event.details)
        .where(Event.kind.in_(LOOKS), Event.customer_id == customer_id)
        .order_by(Event.id.desc() if newest_first else Event.id)
    )
    rows = session.execute(query.limit(limit) if limit else query).all()
    held = {row.actor_id for row in rows if row.actor_kind == "staff" and row.actor_id}
    staff = session.scalars(select(Staff).where(Staff.id.in_([UUID(one) for one in held]))).all() if held else []
    roles = {str(one.id): _role(one) for one in staff}
    return [
        Look(
            at=row.at,
            who=row.actor_kind,
            role=roles.get(row.actor_id or "", "staff") if row.actor_kind == "staff" else None,
            what=row.details.get("photo") or _WHAT.get(row.kind, "request"),
            why=str(row.details.get("purpose") or "other"),
            case_id=row.case_id,
        )
        for row in rows
    ]


def _role(one: Staff) -> str:
    held = {role.value for role in people.roles_of(one)}
    for role, told in (("senior_agent", "senior_agent"), ("lead", "team_lead"), ("agent", "support_agent")):
        if role in held:
            return told
    return "staff"
