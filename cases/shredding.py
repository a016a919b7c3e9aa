"""What is to be shredded and when, what was, what is kept back and why. Reads only: `cases.retention` destroys.

Nothing here shortens or lengthens anything: how long things are kept stands in the settings of the deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import retention
from cases.desk_tables import Paper, QualitySample
from cases.lifecycle import CLOSED, State
from cases.models import Case, DataKey, Event, HeadTurn, Heartbeat, Message, Photo
from cases.ops_tables import Undo, UndoItem

BACK = 30
"""Days of the past that are shown."""
AHEAD = 7
"""Days of the future."""
TASKS = ("shred", "expire", "remove_orphans", "anchor")
"""Rounds of upkeep without which things would be kept too long, or could not be proved."""


@dataclass(frozen=True, kw_only=True)
class Holds:
    """Closed cases that are kept though their time may be over, and what waits and does not keep them."""

    disputes: int  # kept until a person has settled them
    disputes_over: int  # of these, those whose time is over
    undoing: int  # approvals that are about to be taken back: their cases open again
    quality: int  # answers still to be given once more; shredded in time all the same


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The page on what is kept. Counts and times, nothing of a person."""

    due: int  # whose time is over now and that the next round shreds
    oldest: datetime | None  # since when the oldest of these is due
    unremoved: int  # pictures whose key is destroyed and whose ciphertext still lies in the store
    open: int  # cases that are open; nothing of them is shredded
    waiting: int  # closed cases within their time
    ahead: tuple[tuple[date, int], ...]  # day (UTC) and cases that become due on it
    shredded: tuple[tuple[date, int], ...]  # day (UTC) and cases, the latest first
    expired: int  # drafts closed because nobody touched them, in the same days
    erased: int  # wishes to be erased that were carried out, in the same days
    erased_ever: int
    holds: Holds
    rounds: tuple[tuple[str, datetime | None], ...]  # of upkeep, and when each was last


def overview(session: Session, *, now: datetime) -> Overview:
    """Everything at once."""
    kept = timedelta(days=session.info["settings"].photo_days)
    closed = (Case.closed_at.is_not(None), Case.shredded_at.is_(None))
    number, oldest = due(session, now=now)
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    ahead = []
    for day in range(AHEAD):
        begins = max(today + timedelta(days=day), now)
        ends = today + timedelta(days=day + 1)
        which = (*closed, Case.closed_at > begins - kept, Case.closed_at <= ends - kept)
        ahead.append((begins.date(), session.scalar(select(func.count()).where(*which)) or 0))
    since = today - timedelta(days=BACK - 1)
    return Overview(
        due=number,
        oldest=oldest,
        unremoved=_unremoved(session),
        open=session.scalar(select(func.count()).where(Case.state.in_([s for s in State if s not in CLOSED]))) or 0,
        waiting=(session.scalar(select(func.count()).where(*closed, Case.closed_at > now - kept)) or 0),
        ahead=tuple(ahead),
        shredded=tuple(
            (day.date(), _events(session, "shredded", day, day + timedelta(days=1)))
            for day in (today - timedelta(days=number) for number in range(BACK))
        ),
        expired=_events(session, "expired", since, now + timedelta(days=1)),
        erased=_events(session, "deletion_asked", since, now + timedelta(days=1)),
        erased_ever=session.scalar(select(func.count()).where(Event.kind == "deletion_asked")) or 0,
        holds=_holds(session, before=now - kept),
        rounds=tuple((name, session.scalar(select(Heartbeat.at).where(Heartbeat.name == f"task:{name}"))) for name in TASKS),
    )


def due(session: Session, *, now: datetime) -> tuple[int, datetime | None]:
    """How many closed cases are to be shredded by now, and since when the oldest is."""
    kept = timedelta(days=session.info["settings"].photo_days)
    over = (Case.closed_at <= now - kept, Case.shredded_at.is_(None), ~retention.UNDER_DISPUTE)
    number, oldest = session.execute(
        select(func.count(), func.min(Case.closed_at)).where(Case.closed_at.is_not(None), *over)
    ).one()
    return number, oldest + kept if oldest else None


def _events(session: Session, kind: str, since: datetime, until: datetime) -> int:
    return session.scalar(select(func.count()).where(Event.kind == kind, Event.at >= since, Event.at < until)) or 0


def _holds(session: Session, *, before: datetime) -> Holds:
    disputed = (retention.UNDER_DISPUTE, Case.shredded_at.is_(None))
    undoing = select(Undo.id).where(Undo.confirmed_at.is_not(None), Undo.finished_at.is_(None))
    samples = (QualitySample.reviewed_at.is_(None), QualitySample.lapsed_at.is_(None), QualitySample.case_id.is_not(None))
    return Holds(
        disputes=session.scalar(select(func.count()).where(*disputed)) or 0,
        disputes_over=session.scalar(select(func.count()).where(*disputed, Case.closed_at <= before)) or 0,
        undoing=session.scalar(select(func.count()).where(UndoItem.undo_id.in_(undoing), UndoItem.outcome.is_(None))) or 0,
        quality=session.scalar(select(func.count()).where(*samples)) or 0,
    )


def _unremoved(session: Session) -> int:
    """Pictures whose key is destroyed and whose blob is still to be removed."""
    number = 0
    for model in (Photo, HeadTurn, Message, Paper):
        left = (model.blob.is_not(None), model.shredded_at.is_(None), DataKey.wrapped.is_(None))
        query = select(func.count()).select_from(model).join(DataKey, DataKey.id == model.data_key_id).where(*left)
        number += session.scalar(query) or 0
    return number
