"""Automatic approval stops itself when what it does leaves its bounds, and says why. To go on takes two people.

A halt is the switch "everything to people" closed by the system, a row that says which bound was left and by what numbers, an
event, the end of whatever policy was on its way up, and a mail to everybody who may let it go on. Each bound has a least number
of runs, so that a quiet night halts nothing, and looks only at what happened since people last let the machine decide: they have
seen what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import audit, pace, quality, queue, ramps, staff_mails, switches, webhooks
from cases.desk_tables import QualitySample
from cases.models import AutomationSwitch, PolicyActivation
from cases.ops_tables import CalibrationActivation, DecisionCount, Halt
from verification.decision import Outcome


class Bound(StrEnum):
    """What may leave its bounds."""

    APPROVALS_PER_HOUR = "approvals_per_hour"
    APPROVE_SHARE = "approve_share"
    OVERTURNED_SHARE = "overturned_share"
    REFERRAL_BACKLOG = "referral_backlog"
    TECHNICAL_FAILURES = "technical_failures"


BY_ITSELF = "Halted by itself: "
"""How the reason of a halt begins, with the bound behind it; `cases.halt_words.reason` says it in the reader's language."""

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)

FLOOD = 3.0
LEAST_APPROVALS = 60
"""Approvals of an hour are a flood above this many times the busiest such hour of the last seven days, and above one a minute:
customers come in the same daily wave, and twice the usual hour is a Monday or a mailing."""
LEAST_DAYS = 3
"""Days of the last seven on which that hour must have seen approvals; before, only settings.halt_approvals_per_hour holds."""

SHARE_RISE = 0.15
LEAST_RUNS = 50
LEAST_BEFORE = 200
"""A share of approvals has risen when the lower end of its hour's interval lies this far above the week before."""
SHARE_FALL = 0.3
"""It has collapsed when the upper end lies this far below what it was since people last changed what is approved: the reader or
the faces no longer work as they did, and nobody knows what the rest of the approvals are worth. Twice the rise, since those who
lost theirs are with people already. A stricter policy, or a country given to people, is no collapse."""

REVIEWED = timedelta(days=28)
LEAST_REVIEWED = 200
"""With fewer reviews than this even a faultless machine cannot show that it keeps to a budget of 2 to 3 %: the upper end of
Wilson's interval of 0 in 200 is 1.9 %."""
LEAST_WRONG = 3
"""So many wrong approvals halt however few were reviewed, once the *lower* end of their interval is above the budget."""

LEAST_TRIED = 20
"""Runs of an hour below which some failed ones are one worker's bad minute."""

SETTLE = timedelta(hours=4)
"""After people let the machine decide again, the backlog that they have seen is left alone this long: half a shift."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """A bound that was left: what was counted and what was allowed. Shares are 0-1."""

    bound: Bound
    figures: dict[str, float]


def check(session: Session, *, now: datetime) -> Halt | None:
    """Halt if a bound is left; None where all is well or people look at everything already. Two at once make one halt."""
    if switches.everything_to_people(session):
        return None
    left = first_left(session, now=now)
    if left is None:
        return None
    audit.one_writer(session)
    if switches.everything_to_people(session):  # another upkeep, or a person, was faster
        return None
    return _halt(session, left, now=now)


def first_left(session: Session, *, now: datetime) -> Left | None:
    """The first bound that is left now; the dangerous ones come first."""
    since = _resumed(session)
    for look in (_overturned, _flood, _share, _failures, _backlog):
        if (left := look(session, since, now)) is not None:
            return left
    return None


def latest(session: Session) -> Halt | None:
    """The newest halt, whether or not it was ended since."""
    return session.scalars(select(Halt).order_by(Halt.at.desc()).limit(1)).first()


def standing(session: Session) -> Halt | None:
    """The halt by which everything goes to people now; None: nothing does, or a person closed it."""
    newest = session.scalars(
        select(AutomationSwitch)
        .where(AutomationSwitch.effective_at.is_not(None), AutomationSwitch.scope == switches.ALL)
        .order_by(AutomationSwitch.effective_at.desc(), AutomationSwitch.id.desc())
        .limit(1)
    ).first()
    if newest is None or not newest.to_people:
        return None
    return session.scalars(select(Halt).where(Halt.switch_id == newest.id)).first()


def _halt(session: Session, left: Left, *, now: datetime) -> Halt:
    reason = f"{BY_ITSELF}{left.bound.value.replace('_', ' ')}"
    switch = switches.to_people(session, by=None, reason=reason, now=now)
    ramp = ramps.end(session, by=None, reason=reason, now=now)
    halt = Halt(
        id=uuid4(),
        at=now,
        bound=left.bound.value,
        figures=left.figures,
        switch_id=switch.id,
        rolled_back_id=ramp.activation_id if ramp else None,
    )
    session.add(halt)
    session.flush()
    audit.record(
        session,
        "automation_halted",
        actor=audit.SYSTEM,
        now=now,
        switch_id=switch.id,
        bound=left.bound,
        activation_id=ramp.activation_id if ramp else None,
    )
    staff_mails.tell(
        session,
        "confirm_automation",
        staff_mails.HALTED,
        key=f"halt:{halt.id}",
        context={"bound": left.bound.value, "figures": left.figures, "rolled_back": ramp is not None},
        now=now,
    )
    webhooks.owe(session, "policy.halted", now=now, halt_id=halt.id, bound=left.bound)
    return halt


def _resumed(session: Session) -> datetime | None:
    """Since when the machine decides by the word of two people; None: always."""
    rows = session.execute(
        select(AutomationSwitch.effective_at, AutomationSwitch.to_people)
        .where(AutomationSwitch.effective_at.is_not(None), AutomationSwitch.scope == switches.ALL)
        .order_by(AutomationSwitch.effective_at.desc(), AutomationSwitch.id.desc())
        .limit(1)
    ).one_or_none()
    return None if rows is None or rows.to_people else rows.effective_at


def _slots(since: datetime | None, begin: datetime) -> datetime:
    """The first whole ten minutes of a stretch that begins at `begin`, and after people last resumed."""
    first = pace.slot_of(begin)
    return first if since is None or since < first else max(first, pace.slot_of(since) + pace.SLOT)


def _last_hour(session: Session, since: datetime | None, now: datetime) -> dict[str, int]:
    begin = pace.slot_of(now) - HOUR + pace.SLOT  # with the slot that is running: 50 to 60 minutes
    return pace.counted(session, since=_slots(since, begin), until=now)


def _flood(session: Session, since: datetime | None, now: datetime) -> Left | None:
    approved = _last_hour(session, since, now).get(Outcome.APPROVE.value, 0)
    most = session.info["settings"].halt_approvals_per_hour
    if approved > most:
        return Left(bound=Bound.APPROVALS_PER_HOUR, figures={"approved": approved, "allowed": most})
    if approved <= LEAST_APPROVALS:
        return None
    begin = pace.slot_of(now) - HOUR + pace.SLOT
    usual = []
    for days in range(1, 8):
        day = timedelta(days=days)
        usual.append(pace.counted(session, since=begin - day, until=begin + HOUR - day).get(Outcome.APPROVE.value, 0))
    allowed = FLOOD * max(usual)
    if sum(n > 0 for n in usual) < LEAST_DAYS or approved <= allowed:
        return None
    return Left(bound=Bound.APPROVALS_PER_HOUR, figures={"approved": approved, "allowed": allowed, "usual": max(usual)})


def _share(session: Session, since: datetime | None, now: datetime) -> Left | None:
    latest = _last_hour(session, since, now)
    begin = pace.slot_of(now) - HOUR + pace.SLOT
    earlier = pace.counted(session, since=begin - WEEK, until=begin)
    n, before = _decided(latest), _decided(earlier)
    if n < LEAST_RUNS or before < LEAST_BEFORE:
        return None
    hour, week = quality.share(latest.get("approve", 0), n), earlier.get("approve", 0) / before
    assert hour.low is not None
    if hour.low > week + SHARE_RISE:
        return Left(bound=Bound.APPROVE_SHARE, figures={"approved": hour.found, "runs": n, "before": week, "rise": SHARE_RISE})
    return _collapse(session, hour, begin, now=now)


def _collapse(session: Session, hour: quality.Share, begin: datetime, *, now: datetime) -> Left | None:
    """The share of this hour against what it was by the same rules: since the last change of a policy or a switch."""
    since = begin - WEEK
    for changed, by_people in (
        (PolicyActivation.effective_at, PolicyActivation.proposed_by_id.is_not(None)),  # the shipped one changed nothing
        (AutomationSwitch.effective_at, AutomationSwitch.effective_at.is_not(None)),
        (CalibrationActivation.effective_at, CalibrationActivation.proposed_by_id.is_not(None)),
    ):
        since = _slots(session.scalar(select(func.max(changed)).where(by_people)), since)
    if since >= begin:
        return None
    earlier = pace.counted(session, since=since, until=begin)
    before = _decided(earlier)
    assert hour.high is not None
    if before < LEAST_BEFORE or hour.high >= (usual := earlier.get("approve", 0) / before) - SHARE_FALL:
        return None
    return Left(bound=Bound.APPROVE_SHARE, figures={"approved": hour.found, "runs": hour.n, "before": usual, "fall": SHARE_FALL})


def _decided(counted: dict[str, int]) -> int:
    return sum(counted.get(outcome.value, 0) for outcome in Outcome)


def _overturned(session: Session, since: datetime | None, now: datetime) -> Left | None:
    """Of approvals drawn by chance and looked at again, blind, those that another person would not have given; and of all,
    those that were undone. Such a disagreement is no proof, so the budget is of disagreements.
    """
    budget = session.info["settings"].halt_error_budget
    begin = max(now - REVIEWED, since) if since else now - REVIEWED
    sample = QualitySample
    machine = (sample.staff_id.is_(None), sample.action == Outcome.APPROVE.value, sample.answered_at >= begin)
    n, wrong = session.execute(
        select(func.count(), func.count().filter(sample.verdict != Outcome.APPROVE.value)).where(
            *machine, sample.why == "random", sample.reviewed_at.is_not(None)
        )
    ).one()
    reviewed = quality.share(wrong, n)
    if _above(reviewed, budget) or (n >= LEAST_REVIEWED and reviewed.high is not None and reviewed.high > budget):
        return Left(
            bound=Bound.OVERTURNED_SHARE,
            figures={"wrong": wrong, "reviewed": n, "high": reviewed.high or 1.0, "budget": budget},
        )
    counted_since = session.scalar(select(func.min(DecisionCount.slot)))
    if counted_since is None:
        return None
    begin = max(begin, counted_since)
    undone = session.scalar(
        select(func.count())
        .select_from(sample)
        .where(*machine, sample.answered_at >= begin, sample.overturned_at.is_not(None), sample.case_id.is_not(None))
    )
    approved = pace.counted(session, since=pace.slot_of(begin), until=now).get(Outcome.APPROVE.value, 0)
    if not undone or not approved:
        return None
    overturned = quality.share(min(undone, approved), approved)
    if _above(overturned, budget):
        return Left(
            bound=Bound.OVERTURNED_SHARE,
            figures={"wrong": undone, "approved": approved, "high": overturned.high or 1.0, "budget": budget},
        )
    return None


def _above(share: quality.Share, budget: float) -> bool:
    """Whether so many were wrong that no chance explains it."""
    return share.found >= LEAST_WRONG and share.low is not None and share.low > budget


def _failures(session: Session, since: datetime | None, now: datetime) -> Left | None:
    latest = _last_hour(session, since, now)
    failed = latest.get(pace.FAILED, 0)
    tried = failed + _decided(latest)
    allowed = session.info["settings"].halt_failed_share
    share = quality.share(failed, tried)
    if tried < LEAST_TRIED or share.low is None or share.low <= allowed:
        return None
    return Left(bound=Bound.TECHNICAL_FAILURES, figures={"failed": failed, "runs": tried, "allowed": allowed})


def _backlog(session: Session, since: datetime | None, now: datetime) -> Left | None:
    """People who cannot keep up answer late, and notice late what the machine does wrong."""
    if since is not None and now < since + SETTLE:
        return None
    allowed = session.info["settings"].halt_overdue
    overdue = queue.counts(session, now=now).overdue
    return Left(bound=Bound.REFERRAL_BACKLOG, figures={"overdue": overdue, "allowed": allowed}) if overdue > allowed else None
