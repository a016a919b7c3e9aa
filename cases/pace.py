"""How many runs came to which outcome, counted in ten minutes each: what the bounds of `cases.halts` are checked on.

A counter is a row, changed at the end of the transaction that it counts, so that it can neither miss nor double one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cases import audit
from cases.ops_tables import DecisionCount

SLOT = timedelta(minutes=10)
"""Six rows an hour and outcome: a year of them is some 200 000 small rows, and a bound is noticed within the hour it is of."""

FAILED = "failed"
"""A run whose lease ended: its worker died or hung."""


def count(session: Session, outcome: str, *, now: datetime) -> None:
    """Count one run. Call it last: from here to the end of the transaction nobody else counts."""
    audit.one_writer(session)
    slot = slot_of(now)
    mine = update(DecisionCount).where(DecisionCount.slot == slot, DecisionCount.outcome == outcome)
    counted = session.execute(mine.values(runs=DecisionCount.runs + 1).execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    if not counted:
        session.add(DecisionCount(slot=slot, outcome=outcome, runs=1))
        session.flush()


def slot_of(moment: datetime) -> datetime:
    """The begin of the ten minutes in which a moment lies."""
    return moment.replace(minute=moment.minute - moment.minute % 10, second=0, microsecond=0)


def counted(session: Session, *, since: datetime, until: datetime) -> dict[str, int]:
    """Runs by outcome in the slots that begin in [since, until)."""
    return {
        outcome: int(runs)
        for outcome, runs in session.execute(
            select(DecisionCount.outcome, func.sum(DecisionCount.runs))
            .where(DecisionCount.slot >= since, DecisionCount.slot < until)
            .group_by(DecisionCount.outcome)
        )
    }
