"""People of nobody, their cases in any state, members of staff, and what an engine would have found.

Everything is made through the services that make it in earnest, so a case in a state has the history of that state.
"""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from PIL import Image
from sqlalchemy.orm import Session

from cases import calibration, customers, intake, policies, profiles, ramps, replays, retention, review, rollout, runs, staff
from cases.audit import Actor
from cases.lifecycle import State
from cases.models import Case, Customer, PolicyActivation, Role, Staff
from cases.ramps import Stage
from verification.calibration import FaceCalibration
from verification.decision import Decision, decide
from verification.evidence import (
    ChangeReason,
    Claim,
    Difference,
    DocumentReading,
    DocumentType,
    Evidence,
    FaceReading,
    Field,
    FieldComparison,
    FieldReading,
    Measures,
    MrzReading,
    Pair,
    PairMeasures,
    Profile,
    Quality,
    Source,
)
from verification.policy import SHIPPED, Policy
from verification.reasons import PhotoKind, ReasonCode

CONSENT = "2026-11"

PROFILE = Profile(
    values={
        Field.SURNAME: "ABELARDTEST",
        Field.GIVEN_NAMES: "MARITESTA",
        Field.DATE_OF_BIRTH: "1990-02-03",
        Field.SEX: "F",
        Field.DOCUMENT_NUMBER: "700000001",
        Field.NATIONALITY: "UTO",
    }
)
CLAIM = Claim(
    reason=ChangeReason.MARRIAGE,
    values={Field.SURNAME: "BERGMANTEST", Field.DOCUMENT_NUMBER: "700000002", Field.EXPIRES_ON: "2034-05-06"},
)
OLD_EMAIL = "old@example.test"
NEW_EMAIL = "new@example.test"

PERSONAL = (
    *PROFILE.values.values(),
    *CLAIM.values.values(),
    OLD_EMAIL,
    NEW_EMAIL,
)
"""Texts that may stand in no log, event, message or exception (sex is too short to be looked for)."""

GOOD_QUALITY = Quality(sharpness=300.0, brightness=0.5, not_dark=0.95, not_glare=0.99, width=1200, height=900, head_size=180.0)

_numbers = itertools.count(1)


def jpeg(seed: int = 0) -> bytes:
    """A small real JPEG; another seed gives other bytes."""
    picture = Image.new("RGB", (64, 48), (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


def a_customer(
    session: Session, *, now: datetime, profile: Profile = PROFILE, email: str = OLD_EMAIL, locale: str = "en", face: bool = True
) -> Customer:
    """An account as the host system sends it, with a face on file unless `face` is false."""
    customer = customers.upsert(session, f"host-{next(_numbers)}", profile, email=email, locale=locale, now=now)
    if face:
        customers.set_face_on_file(session, customer, jpeg(1000 + next(_numbers)), quality=GOOD_QUALITY, now=now)
    return customer


def a_member(
    session: Session, role: Role = Role.AGENT, *, now: datetime, name: str | None = None, more: tuple[Role, ...] = ()
) -> Staff:
    """Someone who works here."""
    number = next(_numbers)
    return staff.create(
        session,
        email=f"{role.value}-{number}@staff.test",
        name=name or f"{role.value.replace('_', ' ').title()} {number}",
        password_hash=None,
        roles={role, *more},
        now=now,
    )


def a_draft(
    session: Session,
    *,
    now: datetime,
    customer: Customer | None = None,
    claim: Claim = CLAIM,
    new_email: str | None = None,
    photos: bool = True,
) -> Case:
    """A case that was not sent yet; with both photos unless `photos` is false."""
    customer = customer or a_customer(session, now=now)
    case = intake.open_case(session, customer, claim, country="UTO", new_email=new_email, locale="en", now=now)
    if photos:
        add_photos(session, case, now=now)
    return case


def add_photos(
    session: Session, case: Case, *, now: datetime, kinds: tuple[PhotoKind, ...] = (PhotoKind.DOCUMENT, PhotoKind.SELFIE)
) -> None:
    """New pictures, never the same twice."""
    for kind in kinds:
        intake.attach_photo(session, case.id, kind, jpeg(next(_numbers)), GOOD_QUALITY, now=now)


def a_submitted(session: Session, *, now: datetime, **about: Any) -> Case:
    """Waiting for a worker."""
    return intake.submit(session, a_draft(session, now=now, **about).id, consent_version=CONSENT, now=now)


def seen(session: Session, version: int, *, by: Staff, now: datetime) -> None:
    """A version was replayed against the policy that holds, and each would-be wrong approval opened: it may be proposed."""
    report = replays.attach(session, version, since=now - timedelta(days=30), by=by, now=now + timedelta(seconds=1))
    for wrong in replays.wrongs(session, report):
        replays.open_wrong(session, report.id, wrong.case_id, by=by, now=now)


def proposed(session: Session, document: Policy, *, by: Staff, now: datetime) -> PolicyActivation:
    """A new version, replayed, and proposed: a tightening holds at once."""
    version = policies.draft(session, document, author=by, reason="Kinder.", now=now).version
    seen(session, version, by=by, now=now)
    return policies.propose(session, version, by=by, reason="Kinder.", now=now)


def ramped(
    session: Session, document: Policy, *, by: Staff, second: Staff, now: datetime, to: Stage = Stage.FULL
) -> PolicyActivation:
    """A loosening confirmed and taken up to a stage, as if each had lasted long enough and seen enough runs."""
    activation = policies.confirm(session, proposed(session, document, by=by, now=now).id, by=second, now=now)
    settings = session.info["settings"]
    session.info["settings"] = settings.model_copy(update={"ramp_hours": 0.0, "ramp_runs": 0})
    try:
        while (ramp := ramps.under_way(session)) is not None and ramp.stage is not to:
            rollout.step_up(session, activation.id, to=ramps.NEXT[ramp.stage], by=second, now=now)
    finally:
        session.info["settings"] = settings
    return activation


def calibrated(session: Session, *, now: datetime) -> FaceCalibration:
    """An own calibration, fitted on what is labelled, proposed by one and confirmed by another: it holds."""
    made = calibration.fit(session, now=now)
    agreed = calibration.propose(session, made, by=a_member(session, Role.OPS, now=now), reason="Enough pairs.", now=now)
    calibration.confirm(session, agreed.id, by=a_member(session, Role.OPS, now=now), now=now)
    held = calibration.current(session)
    assert held is not None
    return held


def shipped_again(session: Session, *, now: datetime) -> None:
    """Two people let the shipped calibration hold again."""
    agreed = calibration.propose(session, None, by=a_member(session, Role.OPS, now=now), reason="Wrong labels.", now=now)
    calibration.confirm(session, agreed.id, by=a_member(session, Role.OPS, now=now), now=now)


def begun(session: Session, case: Case, *, now: datetime) -> runs.Order:
    """A worker has taken it."""
    order = runs.begin(session, case.id, now=now)
    assert order is not None
    return order


def finished(
    session: Session, order: runs.Order, *, now: datetime, evidence: Evidence | None = None, policy: Policy | None = None
) -> State | None:
    """The worker found `evidence` (by default all good) and finishes."""
    evidence = evidence or good_evidence(order.claim, order.profile)
    decision = decide(
        evidence.measures,
        policy or order.policy,
        attempt=order.attempt,
        standing=order.standing,
    )
    return runs.finish(session, order, evidence, decision, seconds=1.5, now=now)


def an_approved(session: Session, *, now: datetime, **about: Any) -> Case:
    """Approved by the machine; with a new mail address, which only people apply, by two agents."""
    case = a_submitted(session, now=now, **about)
    state = finished(session, begun(session, case, now=now), now=now)
    if state is State.IN_REVIEW and about.get("new_email"):
        return approved_by_people(session, case, now=now)
    assert state is State.APPROVED
    return case


def approved_by_people(session: Session, case: Case, *agents: Staff, now: datetime) -> Case:
    """A case that waits at the desk, approved there: by the first agent and, where it takes two, by the second as well."""
    given = iter(agents)
    while case.state is State.IN_REVIEW:
        agent = next(given, None) or a_member(session, now=now)
        case = review.take(session, case.id, agent=agent, now=now)
        checked = frozenset(review.rows_to_check(session, case))
        disposal = review.Disposal(action="approve", note="Called her.", seen_version=case.version, checked=checked)
        case = review.dispose(session, case.id, disposal, agent=agent, now=now)
    return case


def an_in_review(session: Session, *, now: datetime, evidence: Evidence | None = None, **about: Any) -> Case:
    """Referred by the machine: it is not sure of the faces."""
    case = a_submitted(session, now=now, **about)
    order = begun(session, case, now=now)
    found = evidence or with_measures(good_evidence(order.claim, order.profile), pairs=faces(selfie_document=5.0))
    assert finished(session, order, now=now, evidence=found) is State.IN_REVIEW
    return case


def a_needs_retake(session: Session, *, now: datetime, **about: Any) -> Case:
    """The machine wants another selfie."""
    case = a_submitted(session, now=now, **about)
    order = begun(session, case, now=now)
    assert finished(session, order, now=now, evidence=blurred_selfie(order.claim, order.profile)) is State.NEEDS_RETAKE
    return case


def a_rejected(session: Session, *, now: datetime, agent: Staff | None = None, **about: Any) -> Case:
    """Refused by an agent."""
    agent = agent or a_member(session, now=now)
    case = review.take(session, an_in_review(session, now=now, **about).id, agent=agent, now=now)
    disposal = review.Disposal(
        action="reject",
        reasons=(ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER,),
        note="Not the same person.",
        seen_version=case.version,
    )
    return review.dispose(session, case.id, disposal, agent=agent, now=now)


def a_reverted(session: Session, *, now: datetime, **about: Any) -> Case:
    """Approved by the machine and undone by a senior agent."""
    senior = a_member(session, Role.SENIOR_AGENT, now=now)
    return profiles.revert(
        session, an_approved(session, now=now, **about).id, actor=Actor.staff(senior), reason="Asked for by phone.", now=now
    )


def in_state(session: Session, state: State, *, now: datetime, **about: Any) -> Case:
    """A case that came to `state` the way cases do."""
    if state is State.DRAFT:
        return a_draft(session, now=now, **about)
    if state is State.SUBMITTED:
        return a_submitted(session, now=now, **about)
    if state is State.VERIFYING:
        case = a_submitted(session, now=now, **about)
        begun(session, case, now=now)
        return case
    if state is State.WITHDRAWN:
        return intake.withdraw(session, a_draft(session, now=now, **about).id, now=now)
    if state is State.EXPIRED:
        case = a_draft(session, now=now - timedelta(days=1000), **about)
        assert case.id in retention.expire_drafts(session, now=now)
        return case
    makers = {
        State.NEEDS_RETAKE: a_needs_retake,
        State.IN_REVIEW: an_in_review,
        State.APPROVED: an_approved,
        State.REJECTED: a_rejected,
        State.REVERTED: a_reverted,
    }
    return makers[state](session, now=now, **about)


def faces(
    *, selfie_document: float = 9.0, selfie_on_file: float = 9.0, document_on_file: float = 9.0
) -> dict[Pair, PairMeasures]:
    """All three pairs with these similarities."""
    scores = {Pair.SELFIE_DOCUMENT: selfie_document, Pair.SELFIE_ON_FILE: selfie_on_file, Pair.DOCUMENT_ON_FILE: document_on_file}
    return {pair: PairMeasures(similarity=s, fmr=1e-5, sface=0.7, dlib=0.6, voices_agree=True) for pair, s in scores.items()}


def good_measures(claim: Claim = CLAIM, profile: Profile = PROFILE, **changes: Any) -> Measures:
    """A run in which everything agrees: approved by the shipped policy."""
    read = [*claim.values, Field.EXPIRES_ON, Field.DATE_OF_BIRTH, Field.SEX]
    measures = Measures(
        reason=claim.reason,
        document_type=DocumentType.TD3,
        country="UTO",
        mrz_valid=True,
        days_to_expiry=2700,
        agreement={name: 1.0 for name in claim.values},
        confidence={name: 0.97 for name in read},
        certain={name: True for name in read},
        changes=tuple(name for name, value in claim.values.items() if profile.values.get(name) != value),
        unchanged={Field.DATE_OF_BIRTH: 1.0, Field.SEX: 1.0, Field.GIVEN_NAMES: 1.0},
        has_profile=True,
        has_face_on_file=True,
        earlier_number_seen=None,
        pairs=faces(),
        selfie=GOOD_QUALITY,
        document=GOOD_QUALITY,
        engines=("acted 1",),
    )
    return replace(measures, **changes)


def good_evidence(claim: Claim = CLAIM, profile: Profile = PROFILE, **changes: Any) -> Evidence:
    """Readings and measures of a passport that shows what was claimed."""
    shown = {**profile.values, **claim.values}
    return Evidence(
        reading=DocumentReading(
            document_type=DocumentType.TD3,
            country="UTO",
            mrz=MrzReading(lines=("P<UTO" + "<" * 39, "7" * 44), valid=True, checks={"document_number": True}),
            fields={
                name: FieldReading(value=value, confidence=0.97, certain=True, source=Source.BOTH, box=(10, 20, 300, 30))
                for name, value in shown.items()
            },
            portrait=(20, 30, 200, 260),
        ),
        faces=FaceReading(pairs=faces(), boxes={"selfie": (300, 200, 400, 500)}),
        comparisons={
            name: FieldComparison(claimed=value, read=value, agreement=1.0, rule="exact") for name, value in claim.values.items()
        },
        measures=good_measures(claim, profile, **changes),
    )


def with_measures(evidence: Evidence, **changes: Any) -> Evidence:
    """The same readings with other measures."""
    return replace(evidence, measures=replace(evidence.measures, **changes))


def blurred_selfie(claim: Claim = CLAIM, profile: Profile = PROFILE) -> Evidence:
    """The selfie is blurred and its face was not compared: a new one would mend it."""
    pairs = faces()
    del pairs[Pair.SELFIE_DOCUMENT], pairs[Pair.SELFIE_ON_FILE]
    return good_evidence(claim, profile, pairs=pairs, problems=(ReasonCode.SELFIE_BLURRED, ReasonCode.NO_FACE_IN_SELFIE))


def a_letter_different(claim: Claim = CLAIM, profile: Profile = PROFILE) -> Evidence:
    """The passport's surname has another last letter than the one typed."""
    evidence = good_evidence(claim, profile, agreement={**{n: 1.0 for n in claim.values}, Field.SURNAME: 0.9})
    typed = claim.values[Field.SURNAME]
    read = typed[:-1] + "N"
    difference = Difference(claimed=typed[-1], read="N", claimed_at=len(typed) - 1, read_at=len(typed) - 1)
    comparison = FieldComparison(claimed=typed, read=read, agreement=0.9, differences=(difference,))
    return replace(evidence, comparisons={**evidence.comparisons, Field.SURNAME: comparison})


def a_decision(evidence: Evidence, policy: Policy = SHIPPED, *, attempt: int = 1) -> Decision:
    """What the policy says to it."""
    return decide(evidence.measures, policy, attempt=attempt)
