"""One look by a worker at one case, under a lease: begin, finish, recover.

The database is the truth, the queue only a hint. Each run has a fence, a number that grows with every run of the
case; who comes back with an older one, or after his run was taken back, writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from cases import (
    audit,
    by_eye,
    customers,
    device_links,
    duplicates,
    head_turns,
    intake,
    likeness,
    moves,
    notifications,
    pace,
    policies,
    profiles,
    ramps,
    replays,
    switches,
)
from cases.crypto import vault_of
from cases.lifecycle import Action, State
from cases.models import Case, Run, RunState
from verification.decision import Decision, Outcome, decide
from verification.evidence import Claim, Evidence, FieldReading, Profile, Step
from verification.policy import Policy
from verification.reasons import PhotoKind, ReasonCode


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one run has to look at. Photos are ids; `photo_store.open_photo` gives their bytes, `head_turns.open_burst` frames."""

    run_id: UUID
    case_id: UUID
    fence: int
    attempt: int
    claim: Claim
    profile: Profile
    profile_version_id: UUID
    policy: Policy
    standing: tuple[ReasonCode, ...]
    selfie: UUID
    document: UUID
    on_file: UUID | None
    begun_at: datetime
    lease_until: datetime
    head_turn: UUID | None = None  # None: the customer left that step out
    by_eye: bool = False  # no machine may compare her face: nothing is encoded
    trial: bool = False  # of the sandbox: specimens say what is found

    def __repr__(self) -> str:
        """Ids only: an order may end up in a traceback."""
        return f"<Order run {self.run_id} of case {self.case_id}, fence {self.fence}>"


def begin(session: Session, case_id: UUID, *, now: datetime) -> Order | None:
    """Take a submitted case under a lease. None when it is not waiting, so ringing twice is harmless."""
    session.flush()
    case = session.execute(
        select(Case).where(Case.id == case_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if case is None or case.state is not State.SUBMITTED:
        return None
    selfie = intake.photo(session, case, PhotoKind.SELFIE)
    document = intake.photo(session, case, PhotoKind.DOCUMENT)
    if selfie is None or document is None:
        raise LookupError(f"case {case.id} was submitted without its photos")
    claim, _ = intake.claim_of(session, case)
    profile, _ = customers.current_profile(session, case.customer)
    profile_version_id = case.customer.profile_version_id
    assert profile_version_id is not None  # current_profile has read it
    on_file = customers.face_on_file(session, case.customer_id)
    eyes = by_eye.holds(session, case.customer)
    head_turn = None if eyes else head_turns.latest(session, case)
    policy = policies.for_case(session, case.id)
    standing = _standing(session, case, now=now)
    moves.move(session, case, Action.BEGIN, now=now)
    case.fence += 1
    case.runs_this_attempt += 1
    run = Run(
        id=uuid4(),
        case_id=case.id,
        attempt=case.attempt,
        fence=case.fence,
        state=RunState.RUNNING,
        policy_version=policy.version,
        profile_version_id=profile_version_id,
        begun_at=now,
        lease_until=now + session.info["settings"].lease,
        step=Step.PHOTOS.value,
    )
    session.add(run)
    session.flush()
    audit.record(
        session,
        "run_begun",
        actor=audit.MACHINE,
        now=now,
        case=case,
        run_id=run.id,
        attempt=run.attempt,
        fence=run.fence,
        policy_version=policy.version,
        everything_to_people=ReasonCode.EVERYTHING_TO_PEOPLE in standing,
        by_eye=eyes,
    )
    return Order(
        run_id=run.id,
        case_id=case.id,
        fence=run.fence,
        attempt=run.attempt,
        claim=claim,
        profile=profile,
        profile_version_id=profile_version_id,
        policy=policy,
        standing=standing,
        selfie=selfie.id,
        document=document.id,
        on_file=on_file.id if on_file else None,
        begun_at=now,
        lease_until=run.lease_until,
        head_turn=head_turn.id if head_turn else None,
        by_eye=eyes,
        trial=case.trial,
    )


def step(session: Session, order: Order, at: Step, *, now: datetime) -> bool:
    """Note what a run is busy with, for the customer who waits. False: it was taken back, and nothing was noted.

    One row by its key and no lock on the case, so that telling costs a run next to nothing and holds up nobody.
    """
    running = update(Run).where(Run.id == order.run_id, Run.state == RunState.RUNNING, Run.lease_until > now)
    return bool(session.execute(running.values(step=at.value)).rowcount)  # type: ignore[attr-defined]


def finish(
    session: Session,
    order: Order,
    evidence: Evidence,
    decision: Decision,
    *,
    seconds: float,
    steps: Mapping[Step, float] = MappingProxyType({}),
    now: datetime,
) -> State | None:
    """Write what a run found and all that follows from it, in one transaction. None: fenced off, nothing was written.

    `decide` is asked again when the policy or a standing reason changed since the run began. When the host system
    changed the profile or the face on file meanwhile, the evidence speaks of other details: the run is taken back and the case
    waits for another one (SUBMITTED; `unrung` finds it), or for a person after too many. `steps`: seconds of each, for those
    who watch the machines.
    """
    case = moves.lock(session, order.case_id)
    run = session.get(Run, order.run_id, with_for_update=True, populate_existing=True)
    if (
        run is None
        or run.state is not RunState.RUNNING
        or case.state is not State.VERIFYING
        or not run.fence == case.fence == order.fence
    ):
        return None
    face = customers.face_on_file(session, case.customer_id)
    moved = moves.lock_customer(session, case.customer_id).profile_version_id != order.profile_version_id
    if moved or (face.id if face else None) != order.on_file:
        return _again_or_refer(session, case, run, actor=audit.MACHINE, why="profile_changed", now=now)
    if not order.by_eye and by_eye.holds(session, case.customer):  # nothing of what it compared is written
        return _again_or_refer(session, case, run, actor=audit.MACHINE, why="by_eye_chosen", now=now)
    policy, standing = policies.for_case(session, case.id), _standing(session, case, now=now, evidence=evidence)
    stale = (order.policy, order.standing) != (policy, standing) or decision.policy_version != policy.version
    if stale:
        decision = decide(evidence.measures, policy, attempt=order.attempt, standing=standing)
    run.state = RunState.FINISHED
    run.finished_at = now
    run.outcome = decision.outcome.value
    run.policy_version = policy.version
    run.reasons = moves.codes(decision.reasons)
    run.measures = _finite(evidence.measures.to_json())
    run.readings_sealed = vault_of(session).seal_json(case.data_key, _readings(evidence), readings_place(run.id))
    run.seconds = float(seconds)
    run.step_seconds = {step.value: round(float(took), 4) for step, took in steps.items()} or None
    session.flush()
    likeness.remember_numbers(session, case, evidence.reading)
    if not case.trial:
        replays.keep(session, run, case, evidence.measures, standing=standing, profile=order.profile, now=now)
    old = case.state
    if decision.outcome is Outcome.APPROVE:
        profiles.apply_claim(session, case, actor=audit.MACHINE, now=now)
    elif decision.outcome is Outcome.RETAKE:
        moves.move(session, case, Action.ASK_RETAKE, now=now)
        case.retake = moves.codes(decision.retake)
    else:
        moves.move(session, case, Action.REFER, now=now)
    case.reasons = run.reasons
    notifications.add(session, case, case.state.value, actor=audit.MACHINE, now=now)
    audit.record(
        session,
        "run_finished",
        actor=audit.MACHINE,
        now=now,
        case=case,
        run_id=run.id,
        old=old,
        new=case.state,
        outcome=decision.outcome,
        reasons=run.reasons,
        retake=moves.codes(decision.retake),
        policy_version=policy.version,
        decided_again=stale,
        seconds=run.seconds,
    )
    if not case.trial:
        pace.count(session, decision.outcome.value, now=now)
        _try(session, case, order, evidence, standing, decision)
    return case.state


def recover(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Take back runs whose lease ended: the case waits again or, after `max_runs`, goes to a person.

    Returns the cases to ring. Cases that somebody is changing right now are left for the next time.
    """
    session.flush()
    found = session.execute(
        select(Run, Case)
        .join(Case, Case.id == Run.case_id)
        .where(Run.state == RunState.RUNNING, Run.lease_until <= now)
        .order_by(Run.lease_until)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    waiting = []
    for run, case in found:
        if case.state is not State.VERIFYING or run.fence != case.fence:
            moves.abandon(run, now=now)  # left behind by a case that went on without it
            session.flush()
        elif _again_or_refer(session, case, run, actor=audit.SYSTEM, why="lease_ended", now=now) is State.SUBMITTED:
            waiting.append(case.id)
    return waiting


def unrung(session: Session, *, now: datetime, older_than: timedelta = timedelta(seconds=10), limit: int = 500) -> list[UUID]:
    """Submitted cases for which no worker was rung, or none came for `older_than` since; longest waiting first."""
    return list(
        session.scalars(
            select(Case.id)
            .where(Case.state == State.SUBMITTED, or_(Case.enqueued_at.is_(None), Case.enqueued_at <= now - older_than))
            .order_by(Case.submitted_at, Case.id)
            .limit(limit)
        )
    )


def mark_rung(session: Session, case_ids: Iterable[UUID], *, now: datetime) -> None:
    """Remember that workers were rung for these. Changes nothing that people see, so it counts as no change."""
    wanted = list(case_ids)
    if wanted:
        session.execute(
            update(Case)
            .where(Case.id.in_(wanted), Case.state == State.SUBMITTED)
            .values(enqueued_at=now)
            .execution_options(synchronize_session=False)
        )


def readings_place(run_id: UUID) -> str:
    """What sealed readings are bound to."""
    return f"runs.readings|{run_id}"


def _standing(session: Session, case: Case, *, now: datetime, evidence: Evidence | None = None) -> tuple[ReasonCode, ...]:
    """Reasons for a person that no photo can clear up. Before a run nothing is known of the document.

    None in the sandbox: there the specimens alone say what happens, or one refusal would hide all that is tried after it.
    """
    if case.trial:
        return ()
    photos = (intake.photo(session, case, kind) for kind in (PhotoKind.SELFIE, PhotoKind.DOCUMENT))
    _, new_email = intake.claim_of(session, case)
    held = customers.current_profile(session, case.customer)[1]
    holds = {
        ReasonCode.EVERYTHING_TO_PEOPLE: switches.to_a_person(session, country=case.country, evidence=evidence),
        ReasonCode.ACCOUNT_UNDER_WATCH: customers.under_watch(session, case.customer_id, now=now)
        or device_links.doubted(session, case.id),
        ReasonCode.CONTACT_CHANGES: new_email is not None and new_email.casefold() != held.casefold(),
        ReasonCode.LIVENESS_DOUBTED: head_turns.replayed(session, case),
        ReasonCode.PHOTO_SENT_ANYWAY: any(photo is not None and photo.accepted_despite for photo in photos),
    }
    return (*(reason for reason, found in holds.items() if found), *duplicates.standing(session, case))


def _try(
    session: Session, case: Case, order: Order, evidence: Evidence, standing: tuple[ReasonCode, ...], decision: Decision
) -> None:
    """Count what either version says while one is on its way up: the other than the one that decided is asked too.

    Not while everything goes to people: then both say the same, and nothing is learned.
    """
    ramp = ramps.under_way(session)
    if ramp is None or ReasonCode.EVERYTHING_TO_PEOPLE in standing:
        return
    live = decision.policy_version == ramp.version
    other = policies.current(session) if live else ramp.policy
    said = decide(evidence.measures, other, attempt=order.attempt, standing=standing).outcome
    held, tried = (said, decision.outcome) if live else (decision.outcome, said)
    ramps.count(session, ramp, held=held, tried=tried, live=live)


def _again_or_refer(session: Session, case: Case, run: Run, *, actor: audit.Actor, why: str, now: datetime) -> State:
    """Take a run back; the case waits for the next run, or for a person when it had too many."""
    moves.abandon(run, now=now)
    session.flush()
    if case.runs_this_attempt < session.info["settings"].max_runs:
        old = moves.move(session, case, Action.REQUEUE, now=now)
        case.enqueued_at = None
        audit.record(
            session,
            "run_requeued",
            actor=actor,
            now=now,
            case=case,
            old=old,
            new=case.state,
            runs=case.runs_this_attempt,
            why=why,
        )
    else:
        old = moves.move(session, case, Action.REFER, now=now)
        case.reasons = [ReasonCode.PROCESSING_FAILED.value]
        notifications.add(session, case, "in_review", actor=actor, now=now)
        audit.record(
            session,
            "referred",
            actor=audit.SYSTEM,
            now=now,
            case=case,
            old=old,
            new=case.state,
            reasons=case.reasons,
            runs=case.runs_this_attempt,
        )
    if why == "lease_ended" and not case.trial:  # a changed profile or a wish of hers is no failure
        pace.count(session, pace.FAILED, now=now)
    return case.state


def _readings(evidence: Evidence) -> dict[str, Any]:
    """Everything of the evidence that speaks of a person, as JSON."""
    readings: dict[str, Any] = _finite(
        {
            "reading": evidence.reading.to_json(),
            "field_boxes": {name.value: list(r.box) for name, r in evidence.reading.fields.items() if r.box},
            "letter_boxes": {
                name.value: [box and list(box) for box in r.letters] for name, r in evidence.reading.fields.items() if r.letters
            },
            "comparisons": {name.value: c.to_json() for name, c in evidence.comparisons.items()},
            "face_boxes": {kind: list(box) for kind, box in evidence.faces.boxes.items()},
            "zone": {name.value: _told(r) for name, r in evidence.reading.zone.items()},
            "printed": {name.value: _told(r) for name, r in evidence.reading.printed.items()},
        }
    )
    return readings


def _told(reading: FieldReading) -> dict[str, Any]:
    """What one part of the page says for itself, and where its letters stand."""
    return {
        "value": reading.value,
        "confidence": round(reading.confidence, 4),
        "box": reading.box and list(reading.box),
        "letters": [box and list(box) for box in reading.letters],
    }


def _finite(value: Any) -> Any:
    """Plain JSON: what is not a finite number was not measured; numbers of numpy become Python's."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float):
        return number if math.isfinite(number) else None
    return number
