"""How a confirmed loosening goes live: shadow, 5 %, 25 %, all; and the one click back, at any stage, by one person.

Each step up is taken by somebody who may confirm and did not propose, after a least time and a least number of runs
(settings.ramp_hours, ramp_runs). Going back takes one person and no waiting, and never lets more through than now:
nothing is deleted, every step is a row and an event, and each run keeps the version that decided it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from cases import audit, policies, ramps
from cases import staff as people
from cases.models import PolicyActivation, PolicyVersion, Staff
from cases.ops_tables import PolicyStep
from cases.ramps import Ramp, Stage
from verification.policy import Policy, loosens, strictest


class TooEarly(Exception):
    """The stage has not lasted long enough or has seen too few runs. `missing` says what it lacks."""

    def __init__(self, missing: ramps.Missing) -> None:
        super().__init__(f"{missing.hours:.1f} hours and {missing.runs} runs are missing")
        self.missing = missing


class NothingToRollBack(policies.Outdated):
    """No version is on its way, and what holds was not loosened into."""


def shadow(session: Session) -> Policy | None:
    """The policy that is in shadow: it decides nothing, and what it would decide is counted."""
    ramp = ramps.under_way(session)
    return ramp.policy if ramp is not None and ramp.stage is Stage.SHADOW else None


def step_up(session: Session, activation_id: int, *, to: Stage, by: Staff, now: datetime) -> PolicyStep:
    """Take the next step. `to` is the step one means, so a click that comes twice takes one.

    Raises NotAllowed, SamePerson (she proposed it), TooEarly, Outdated when it is not the next step of the version under way,
    or while everything goes to people: then nothing is observed.
    """
    people.require(by, "confirm_policy")
    audit.one_writer(session)
    ramp = ramps.under_way(session)
    if ramp is None or ramp.activation_id != activation_id or ramps.NEXT[ramp.stage] is not to:
        raise policies.Outdated("this is not the next step of a version under way")
    if ramp.proposed_by_id == by.id:
        raise policies.SamePerson("another person has to take this step")
    if policies.current(session).version != ramp.against_version or _stopped(session):
        raise policies.Outdated("what it was weighed against no longer decides")
    missing = ramps.missing(session, ramp, now=now)
    if not missing.nothing:
        raise TooEarly(missing)
    activation = session.get_one(PolicyActivation, activation_id, populate_existing=True)
    row = ramps.step(session, activation, to, by=by, now=now)
    if to is Stage.FULL:
        policies.let_hold(session, activation, by=by, now=now)
    return row


def rollback(session: Session, *, by: Staff, reason: str, now: datetime, version: int | None = None) -> Policy:
    """Go back to the former version, at once; returns the policy that holds then. Raises NothingToRollBack.

    On the way up, the version that holds decides every case again. When the loosened version holds already, the version it
    took the place of comes back; where it had also tightened something, that stays tight: one person alone never loosens.
    `version` is the one that somebody sees on her page and means; another one is left alone.
    """
    people.require(by, "stop_automation")
    reason = policies.told(reason)
    audit.one_writer(session)
    if version is not None and back_from(session) != version:
        raise NothingToRollBack("this version is not on its way, nor the one that holds by a loosening")
    ended = ramps.end(session, by=by, reason=reason, now=now)
    if ended is not None:
        held = policies.current(session)
        ramps.tell_rolled_back(session, ended.activation_id, version=ended.version, holds=held.version, by=by, now=now)
        return held
    activation = _loosened_into(session)
    if activation is None or activation.against_version is None:
        raise NothingToRollBack("nothing to roll back")
    held, former = policies.get(session, activation.version), policies.get(session, activation.against_version)
    if loosens(held, former):
        row = policies.keep(session, strictest(held, former), author=by, reason=reason, now=now)
        former = policies.get(session, row.version)
    ramps.step(session, activation, Stage.ROLLED_BACK, by=by, now=now, reason=reason)
    policies.activate(session, former, held=held, by=by, reason=reason, now=now)
    ramps.tell_rolled_back(session, activation.id, version=held.version, holds=former.version, by=by, now=now)
    return former


def back_from(session: Session) -> int | None:
    """The version that `rollback` would take back; None: it would find nothing."""
    found = ramps.under_way(session) or _loosened_into(session)
    return found.version if found is not None else None


def _loosened_into(session: Session) -> PolicyActivation | None:
    """The activation that holds, if it came by a loosening of two people."""
    newest = session.scalars(
        select(PolicyActivation)
        .where(PolicyActivation.effective_at.is_not(None))
        .order_by(PolicyActivation.effective_at.desc(), PolicyActivation.id.desc())
        .limit(1)
    ).first()
    return newest if newest is not None and newest.loosens else None


def _stopped(session: Session) -> bool:
    from cases import switches  # it asks policies

    return switches.everything_to_people(session)


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One step taken, and by whom."""

    activation_id: int
    stage: Stage
    at: datetime
    by: str | None  # name; None = the system
    reason: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where the version that is on its way stands."""

    ramp: Ramp
    next: Stage
    missing: ramps.Missing
    trials: tuple[ramps.Trial, ...]


def status(session: Session, *, now: datetime) -> Status | None:
    """None: no version is on its way."""
    ramp = ramps.under_way(session)
    if ramp is None:
        return None
    return Status(
        ramp=ramp,
        next=ramps.NEXT[ramp.stage],
        missing=ramps.missing(session, ramp, now=now),
        trials=tuple(ramps.trials(session, ramp.activation_id)),
    )


def steps(session: Session, version: int) -> list[StepRow]:
    """All steps of a version, oldest first."""
    who = aliased(Staff)
    return [
        StepRow(activation_id=row.activation_id, stage=Stage(row.stage), at=row.at, by=name, reason=row.reason)
        for row, name in session.execute(
            select(PolicyStep, who.name)
            .join(PolicyActivation, PolicyActivation.id == PolicyStep.activation_id)
            .join(PolicyVersion, PolicyVersion.version == PolicyActivation.version)
            .outerjoin(who, who.id == PolicyStep.by_id)
            .where(PolicyActivation.version == version)
            .order_by(PolicyStep.id)
        )
    ]
