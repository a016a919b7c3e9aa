"""A confirmed loosening on its way: which stage it has reached, which cases it decides, what was counted beside it.

Knows nothing of how policies come to hold; `cases.policies` asks it who decides a case, `cases.rollout` moves it on.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cases import audit, staff_mails
from cases.models import PolicyActivation, PolicyVersion, Staff
from cases.ops_tables import PolicyStep, PolicyTrial
from verification.decision import Outcome
from verification.policy import Policy


class Stage(StrEnum):
    """How far a version has come. Only ever the next one, or back."""

    SHADOW = "shadow"  # decides nothing
    FIVE = "five"
    QUARTER = "quarter"
    FULL = "full"  # it is the policy that holds
    ROLLED_BACK = "rolled_back"


SHARES: dict[Stage, float] = {Stage.SHADOW: 0.0, Stage.FIVE: 0.05, Stage.QUARTER: 0.25, Stage.FULL: 1.0}
"""Of all cases, those that a version decides at a stage."""

NEXT: dict[Stage, Stage] = {Stage.SHADOW: Stage.FIVE, Stage.FIVE: Stage.QUARTER, Stage.QUARTER: Stage.FULL}

OF_SHADOW: dict[Stage, float] = {Stage.SHADOW: 1.0, Stage.FIVE: 0.1, Stage.QUARTER: 1 / 3}
"""Runs wanted at a stage, as a share of settings.ramp_runs: in shadow all runs count, on a ramp those it decided itself.

With the shipped 300: an outcome that none of 300 shows is rarer than 1 in 100 (95 %, "rule of three": Hanley and
Lippman-Hand, JAMA 249 (1983) 1743). 30 at 5 % are the traffic of 600 cases, 100 at 25 % that of 400.
"""


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """The version that is on its way."""

    activation_id: int
    version: int
    against_version: int
    stage: Stage
    since: datetime
    proposed_by_id: UUID
    policy: Policy

    @property
    def share(self) -> float:
        """Of all cases, those that it decides."""
        return SHARES[self.stage]


def under_way(session: Session) -> Ramp | None:
    """The one version that was confirmed and neither holds nor was rolled back."""
    found = session.execute(
        select(PolicyActivation, PolicyVersion.document)
        .join(PolicyVersion, PolicyVersion.version == PolicyActivation.version)
        .where(
            PolicyActivation.confirmed_by_id.is_not(None),
            PolicyActivation.effective_at.is_(None),
            PolicyActivation.withdrawn_at.is_(None),
        )
        .order_by(PolicyActivation.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    activation, document = found
    step = session.scalars(
        select(PolicyStep).where(PolicyStep.activation_id == activation.id).order_by(PolicyStep.id.desc()).limit(1)
    ).first()
    if step is None or Stage(step.stage) not in NEXT:
        return None
    return Ramp(
        activation_id=activation.id,
        version=activation.version,
        against_version=activation.against_version,
        stage=Stage(step.stage),
        since=step.at,
        proposed_by_id=activation.proposed_by_id,
        policy=Policy.from_json(document),
    )


def decides(session: Session, ramp: Ramp, case_id: UUID) -> bool:
    """Whether the version on its way decides this case at its stage."""
    return place(session.info["settings"].audit_key, ramp.activation_id, case_id) < ramp.share


def place(key: str, activation_id: int, case_id: UUID) -> float:
    """Where a case stands on a ramp, in [0, 1): always the same place, not to be foretold without the key.

    HMAC-SHA-256 under a key derived from the audit key. Who is below 5 % is below 25 % too, so a case that the new version
    decided once is decided by it again; another ramp draws others, so that no customer is always the first.
    """
    derived = hmac.new(key.encode(), b"policy ramp", hashlib.sha256).digest()
    mac = hmac.new(derived, f"{activation_id}|{case_id}".encode(), hashlib.sha256).digest()
    return int.from_bytes(mac[:6], "big") / 2**48


def step(
    session: Session, activation: PolicyActivation, stage: Stage, *, by: Staff | None, now: datetime, reason: str = ""
) -> PolicyStep:
    """Write a step down. Who may take it is asked by `cases.policies` and `cases.rollout`, and by the table."""
    forward = stage is not Stage.ROLLED_BACK
    row = PolicyStep(
        activation_id=activation.id,
        stage=stage.value,
        at=now,
        by_id=by.id if by else None,
        proposed_by_id=activation.proposed_by_id if forward else None,
        confirmed_by_id=activation.confirmed_by_id if forward else None,
        reason=reason,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        "policy_stage" if forward else "policy_rolled_back",
        actor=audit.Actor.staff(by) if by else audit.SYSTEM,
        now=now,
        activation_id=activation.id,
        policy_version=activation.version,
        stage=stage,
    )
    return row


def end(session: Session, *, by: Staff | None, reason: str, now: datetime) -> Ramp | None:
    """Take the version that is on its way back: the one that holds decides every case again. None: nothing was."""
    found = under_way(session)
    if found is None:
        return None
    activation = session.get_one(PolicyActivation, found.activation_id, populate_existing=True)
    activation.withdrawn_at = now
    step(session, activation, Stage.ROLLED_BACK, by=by, now=now, reason=reason)
    return found


def tell_rolled_back(session: Session, activation_id: int, *, version: int, holds: int, by: Staff, now: datetime) -> None:
    """Write to everybody who may confirm that a person took a version back, which happens once to each activation."""
    staff_mails.tell(
        session,
        "confirm_policy",
        staff_mails.ROLLED_BACK,
        key=f"rolled_back:{activation_id}",
        context={"version": version, "holds": holds},
        now=now,
        but=[by.id],
    )


# Counting beside live


def count(session: Session, ramp: Ramp, *, held: Outcome, tried: Outcome, live: bool) -> None:
    """Count one run. Call it last: from here to the end of the transaction nobody else counts."""
    audit.one_writer(session)
    key = (ramp.activation_id, ramp.stage.value, held.value, tried.value, live)
    mine = update(PolicyTrial).where(
        PolicyTrial.activation_id == key[0],
        PolicyTrial.stage == key[1],
        PolicyTrial.held == key[2],
        PolicyTrial.tried == key[3],
        PolicyTrial.live.is_(live),
    )
    counted = session.execute(mine.values(runs=PolicyTrial.runs + 1).execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    if not counted:
        session.add(PolicyTrial(activation_id=key[0], stage=key[1], held=key[2], tried=key[3], live=live, runs=1))
        session.flush()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Runs of one stage, counted by what either version said."""

    stage: Stage
    flows: dict[tuple[Outcome, Outcome], int]  # (what the held version said, what the new one said)
    live: int  # decided by the new version
    approved: int  # of these, approved

    @property
    def runs(self) -> int:
        """Weighed by both versions."""
        return sum(self.flows.values())

    @property
    def differing(self) -> int:
        """On which they did not agree."""
        return sum(n for (held, tried), n in self.flows.items() if held is not tried)


def trials(session: Session, activation_id: int) -> list[Trial]:
    """What was counted at each stage that it reached, in order; stages without runs are left out."""
    found: dict[Stage, list[PolicyTrial]] = {}
    rows = select(PolicyTrial).where(PolicyTrial.activation_id == activation_id).execution_options(populate_existing=True)
    for row in session.scalars(rows):
        found.setdefault(Stage(row.stage), []).append(row)
    return [
        Trial(
            stage=stage,
            flows={
                pair: n
                for pair in ((held, tried) for held in Outcome for tried in Outcome)
                if (n := sum(r.runs for r in found[stage] if (r.held, r.tried) == (pair[0].value, pair[1].value)))
            },
            live=sum(r.runs for r in found[stage] if r.live),
            approved=sum(r.runs for r in found[stage] if r.live and r.tried == Outcome.APPROVE.value),
        )
        for stage in NEXT
        if stage in found
    ]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What a stage still lacks before the next step may be taken."""

    hours: float
    runs: int
    wanted_runs: int
    seen_runs: int

    @property
    def nothing(self) -> bool:
        """The next step may be taken."""
        return self.hours <= 0 and self.runs <= 0


def missing(session: Session, ramp: Ramp, *, now: datetime) -> Missing:
    """Time and runs that the stage of a version still lacks."""
    settings = session.info["settings"]
    wanted = round(settings.ramp_runs * OF_SHADOW[ramp.stage])
    seen = func.coalesce(func.sum(PolicyTrial.runs), 0)
    here = select(seen).where(PolicyTrial.activation_id == ramp.activation_id, PolicyTrial.stage == ramp.stage.value)
    if ramp.stage is not Stage.SHADOW:
        here = here.where(PolicyTrial.live.is_(True))
    runs = int(session.scalar(here) or 0)
    left = ramp.since + timedelta(hours=settings.ramp_hours) - now
    return Missing(hours=max(0.0, left.total_seconds() / 3600), runs=max(0, wanted - runs), wanted_runs=wanted, seen_runs=runs)
