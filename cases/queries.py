"""Read-only questions: the desk's case page, a customer's progress, figures for ops. Changes nothing.

Pages get plain facts from here and ask nothing more of the database. What waits at the desk is told by `cases.queue`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload

from cases import profiles
from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.lifecycle import State
from cases.models import (
    UNMARKED,
    Case,
    Customer,
    Disposition,
    Event,
    Message,
    Photo,
    PolicyVersion,
    ProfileVersion,
    Run,
    RunState,
    Staff,
)
from cases.runs import readings_place
from verification.comparison import NATIVE
from verification.evidence import Box, ChangeReason, Claim, Difference, Field, Measures, Profile, Step
from verification.policy import Policy
from verification.reasons import PhotoKind, ReasonCode


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one part of a document says of a detail by itself, and where its letters stand on the photo."""

    value: str
    box: Box | None = None
    letters: tuple[Box | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FieldRow:
    """One detail, side by side: on file, typed, read. None where it is not there."""

    field: Field
    on_file: str | None
    typed: str | None
    read: str | None
    changes: bool  # typed, and not what is on file
    agreement: float | None = None  # typed against read, 0-1
    rule: str | None = None
    differences: tuple[Difference, ...] = ()  # typed against read
    confidence: float | None = None  # of the reading, 0-1
    certain: bool | None = None
    source: str | None = None
    box: Box | None = None  # where `read` stands on the document photo that the last finished run looked at
    letters: tuple[Box | None, ...] = ()  # the same for each of its letters; empty where not known
    printed: Told | None = None  # what the visual zone alone says
    zone: Told | None = None  # what the machine-readable zone alone says


@dataclass(frozen=True, kw_only=True)
class DispositionRow:
    """What an agent answered."""

    action: str
    by: str
    at: datetime
    reasons: tuple[ReasonCode, ...]
    note: str | None  # None: none was written, or it was shredded


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """One line of the history; `by` is a name for staff, else customer, machine, host or system."""

    id: int
    at: datetime
    kind: str
    by: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run as the page lists it."""

    id: UUID
    attempt: int
    state: RunState
    begun_at: datetime
    finished_at: datetime | None
    outcome: str | None
    reasons: tuple[ReasonCode, ...]
    policy_version: int
    seconds: float | None


@dataclass(frozen=True, kw_only=True, repr=False)
class CasePage:
    """All that a case's page needs. Holds personal data: not for logs."""

    case: Case  # columns, `customer` and `owner` are loaded
    customer_id: UUID
    external_id: str
    owner_id: UUID | None  # only while the case is really hers
    owner: str | None
    owner_until: datetime | None
    shredded: bool
    disputed: bool  # under dispute and not settled
    profile: Profile  # the details before this case: what the claim is compared with
    email: str
    profile_moved: bool  # the profile changed since the customer saw it (by the host system)
    claim: Claim | None  # None once shredded
    new_email: str | None
    fields: tuple[FieldRow, ...]
    reading: dict[str, Any] | None  # DocumentReading.to_json of the last finished run
    field_boxes: dict[str, list[int]] = field(default_factory=dict)
    face_boxes: dict[str, list[int]] = field(default_factory=dict)
    measures: Measures | None
    policy: Policy | None  # of the last finished run
    photos: dict[PhotoKind, Photo]  # current ones, ON_FILE among them
    earlier_photos: tuple[Photo, ...]
    runs: tuple[RunRow, ...]  # newest first
    dispositions: tuple[DispositionRow, ...]  # newest first
    events: tuple[EventRow, ...]  # oldest first
    reasons: tuple[ReasonCode, ...]


def case_page(session: Session, case_id: UUID, *, now: datetime) -> CasePage:
    """Everything about one case, in nine queries. Raises NoResultFound."""
    found = session.execute(
        select(Case)
        .where(Case.id == case_id)
        .options(joinedload(Case.customer).joinedload(Customer.data_key), joinedload(Case.data_key), joinedload(Case.owner))
    ).scalar_one()
    customer = found.customer
    version_id = found.prior_version_id or customer.profile_version_id
    profile, email = profiles.read_version(session, customer, session.get_one(ProfileVersion, version_id))
    try:
        claim, new_email = profiles.read_claim(session, found)
    except KeyDestroyed:
        claim, new_email = None, None
    runs = session.scalars(select(Run).where(Run.case_id == found.id).order_by(Run.fence.desc())).all()
    last = next((run for run in runs if run.state is RunState.FINISHED), None)
    policy = Policy.from_json(session.get_one(PolicyVersion, last.policy_version).document) if last else None
    readings = _readings(session, found, last)
    photos = session.scalars(
        select(Photo)
        .where(
            or_(
                Photo.case_id == found.id,
                and_(Photo.customer_id == found.customer_id, Photo.case_id.is_(None), Photo.current.is_(True)),
            )
        )
        .order_by(Photo.created_at)
    ).all()
    held = found.owner_until is not None and found.owner_until > now
    return CasePage(
        case=found,
        customer_id=found.customer_id,
        external_id=customer.external_id,
        owner_id=found.owner_id if held else None,
        owner=found.owner.name if held and found.owner else None,
        owner_until=found.owner_until if held else None,
        shredded=found.shredded_at is not None,
        disputed=found.disputed_at is not None and found.dispute_settled_at is None,
        profile=profile,
        email=email,
        profile_moved=found.applied_version_id is None and customer.profile_version_id != found.base_version_id,
        claim=claim,
        new_email=new_email,
        fields=_fields(profile, claim, readings),
        reading=readings.get("reading"),
        field_boxes=readings.get("field_boxes", {}),
        face_boxes=readings.get("face_boxes", {}),
        measures=Measures.from_json(last.measures) if last and last.measures else None,
        policy=policy,
        photos={photo.kind: photo for photo in photos if photo.current},
        earlier_photos=tuple(photo for photo in photos if not photo.current),
        runs=tuple(
            RunRow(
                id=run.id,
                attempt=run.attempt,
                state=run.state,
                begun_at=run.begun_at,
                finished_at=run.finished_at,
                outcome=run.outcome,
                reasons=_codes(run.reasons),
                policy_version=run.policy_version,
                seconds=run.seconds,
            )
            for run in runs
        ),
        dispositions=_dispositions(session, found),
        events=case_events(session, found.id),
        reasons=_codes(found.reasons),
    )


def case_events(session: Session, case_id: UUID) -> tuple[EventRow, ...]:
    """The history of a case, oldest first, with names of staff. Two queries."""
    events = session.scalars(select(Event).where(Event.case_id == case_id).order_by(Event.id)).all()
    ids = {UUID(event.actor_id) for event in events if event.actor_kind == "staff" and event.actor_id}
    names = dict(session.execute(select(Staff.id, Staff.name).where(Staff.id.in_(ids))).all()) if ids else {}

    def by(event: Event) -> str:
        if event.actor_kind == "staff" and event.actor_id:
            return names.get(UUID(event.actor_id), "staff")
        return event.actor_kind

    return tuple(EventRow(id=event.id, at=event.at, kind=event.kind, by=by(event), details=event.details) for event in events)


def _readings(session: Session, found: Case, last: Run | None) -> dict[str, Any]:
    if last is None or last.readings_sealed is None:
        return {}
    try:
        readings: dict[str, Any] = vault_of(session).open_json(found.data_key, last.readings_sealed, readings_place(last.id))
    except KeyDestroyed:
        return {}
    return readings


def last_readings(session: Session, found: Case) -> dict[str, Any]:
    """What the newest finished run of a case read, as a run seals it; empty where none was, or once shredded. One query."""
    newest = select(Run).where(Run.case_id == found.id, Run.state == RunState.FINISHED).order_by(Run.fence.desc()).limit(1)
    return _readings(session, found, session.scalars(newest).one_or_none())


def side_by_side(profile: Profile, claim: Claim | None, readings: dict[str, Any]) -> tuple[FieldRow, ...]:
    """The rows of on file, typed and read, for a page that is not a case's own. `readings` are what a run seals."""
    return _fields(profile, claim, readings)


def _fields(profile: Profile, claim: Claim | None, readings: dict[str, Any]) -> tuple[FieldRow, ...]:
    read: dict[str, Any] = (readings.get("reading") or {}).get("fields", {})
    compared: dict[str, Any] = readings.get("comparisons", {})
    boxes, letters = readings.get("field_boxes", {}), readings.get("letter_boxes", {})  # older runs lack the letters
    typed = claim.values if claim else {}
    rows = []
    for name in Field:
        comparison = compared.get(name.value, {})
        place = _read_at(name, comparison.get("read"), read)
        reading = read.get(place, {})
        if name not in profile.values and name not in typed and not reading:
            continue
        rows.append(
            FieldRow(
                field=name,
                on_file=profile.values.get(name),
                typed=typed.get(name),
                read=reading.get("value", comparison.get("read")),
                changes=name in typed and typed[name] != profile.values.get(name),
                agreement=comparison.get("agreement"),
                rule=comparison.get("rule"),
                differences=tuple(Difference(**d) for d in comparison.get("differences", ())),
                confidence=reading.get("confidence"),
                certain=reading.get("certain"),
                source=reading.get("source"),
                box=_box(boxes.get(place)),
                letters=tuple(_box(box) for box in letters.get(place, ())),
                printed=_told(readings, "printed", name, place),
                zone=_told(readings, "zone", name, place),
            )
        )
    return tuple(rows)


def _told(readings: dict[str, Any], part: str, name: Field, place: str) -> Told | None:
    """What one part says: in the line that was compared, in the detail's own, or, for a name, in the other script.

    Runs before both parts were kept have one value, and where it was read.
    """
    if readings.get("printed") or readings.get("zone"):
        others = (other.value for other in NATIVE.get(name, ()))
        told = readings.get(part, {})
        said = next((told[key] for key in (place, name.value, *others) if key in told), None)
        if said is None:
            return None
        return Told(value=said["value"], box=_box(said["box"]), letters=tuple(_box(box) for box in said["letters"]))
    reading = (readings.get("reading") or {}).get("fields", {}).get(place, {})
    kept_as = {"printed": ("viz", "both"), "zone": ("mrz", "both")}[part]
    if reading.get("source") not in kept_as:
        return None
    if reading["source"] == "both" and part == "zone":  # one of both is where it stands, and the page is what people read
        return Told(value=reading["value"])
    letters = readings.get("letter_boxes", {}).get(place, ())
    return Told(
        value=reading["value"],
        box=_box(readings.get("field_boxes", {}).get(place)),
        letters=tuple(_box(box) for box in letters),
    )


def _read_at(name: Field, compared_with: str | None, read: dict[str, Any]) -> str:
    """The reading a claim was compared with: a name may stand in the line of the other script, a single name elsewhere."""
    if compared_with is None or read.get(name.value, {}).get("value") == compared_with:
        return name.value
    return next((place for place, reading in read.items() if reading.get("value") == compared_with), name.value)


def _box(sides: list[int] | None) -> Box | None:
    return (sides[0], sides[1], sides[2], sides[3]) if sides else None


def _dispositions(session: Session, found: Case) -> tuple[DispositionRow, ...]:
    rows = session.execute(
        select(Disposition, Staff.name)
        .join(Staff, Staff.id == Disposition.staff_id)
        .where(Disposition.case_id == found.id)
        .order_by(Disposition.created_at.desc(), Disposition.id)
    )
    return tuple(
        DispositionRow(
            action=row.action, by=name, at=row.created_at, reasons=_codes(row.reasons), note=_note(session, found, row)
        )
        for row, name in rows
    )


def _note(session: Session, found: Case, row: Disposition) -> str | None:
    """Sealed under the case's key or, when written after shredding, the customer's."""
    if row.note_sealed is None:
        return None
    for key in (found.data_key, found.customer.data_key):
        try:
            return vault_of(session).open(key, row.note_sealed, f"dispositions.note|{row.id}").decode()
        except (KeyDestroyed, Unreadable):
            continue
    return None


@dataclass(frozen=True, kw_only=True)
class CaseRow:
    """One of a customer's requests, as she sees it in her list."""

    id: UUID
    state: State
    change_reason: ChangeReason
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    attempt: int


@dataclass(frozen=True, kw_only=True)
class PastRow:
    """Another case of a customer, for an agent: where it stands and who decided."""

    id: UUID
    state: State
    change_reason: ChangeReason
    opened_at: datetime
    closed_at: datetime | None
    by: str  # person, machine, or "" where nobody decided


def past_cases(session: Session, case: Case, *, limit: int = 8) -> list[PastRow]:
    """The customer's other cases, newest first. One query."""
    answered = exists().where(Disposition.case_id == Case.id, Disposition.action.in_(_ANSWERS))
    found = session.execute(
        select(Case.id, Case.state, Case.change_reason, Case.opened_at, Case.closed_at, answered)
        .where(Case.customer_id == case.customer_id, Case.id != case.id)
        .order_by(Case.opened_at.desc(), Case.id)
        .limit(limit)
    )
    decided = (State.APPROVED, State.REJECTED, State.REVERTED)
    return [
        PastRow(
            id=row[0],
            state=row[1],
            change_reason=row[2],
            opened_at=row[3],
            closed_at=row[4],
            by="" if row[1] not in decided else "person" if row[5] else "machine",
        )
        for row in found
    ]


def customer_cases(session: Session, customer_id: UUID) -> list[CaseRow]:
    """A customer's requests, newest first."""
    found = session.scalars(select(Case).where(Case.customer_id == customer_id).order_by(Case.opened_at.desc(), Case.id))
    return [
        CaseRow(
            id=c.id,
            state=c.state,
            change_reason=c.change_reason,
            opened_at=c.opened_at,
            updated_at=c.updated_at,
            closed_at=c.closed_at,
            due_at=c.due_at,
            attempt=c.attempt,
        )
        for c in found
    ]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a case stands, for a page that asks again and again.

    `step` is what comes next: "document", "selfie" or "check" for a draft, then "checking", "retake", "person", "closed".
    """

    case_id: UUID
    state: State
    step: str
    attempt: int
    due_at: datetime | None
    reasons: tuple[ReasonCode, ...]
    retake: tuple[PhotoKind, ...]
    version: int
    doing: Step | None = None  # what the run that looks now is busy with
    again: bool = False  # an earlier run of this submission was taken back
    messages: int = 0  # written about the case so far, by both sides


STEPS = {
    State.SUBMITTED: "checking",
    State.VERIFYING: "checking",
    State.NEEDS_RETAKE: "retake",
    State.IN_REVIEW: "person",
}


def progress(session: Session, case_id: UUID) -> Progress:
    """At most three small queries. Raises NoResultFound."""
    found = session.execute(select(Case).where(Case.id == case_id)).scalar_one()
    step = STEPS.get(found.state, "closed")
    if found.state is State.DRAFT:
        kinds = set(session.scalars(select(Photo.kind).where(Photo.case_id == found.id, Photo.current.is_(True))))
        step = next((kind.value for kind in (PhotoKind.DOCUMENT, PhotoKind.SELFIE) if kind not in kinds), "check")
    return Progress(
        case_id=found.id,
        state=found.state,
        step=step,
        attempt=found.attempt,
        due_at=found.due_at,
        reasons=_codes(found.reasons),
        retake=tuple(PhotoKind(kind) for kind in found.retake),
        version=found.version,
        doing=_doing(session, found),
        again=found.runs_this_attempt > (1 if found.state is State.VERIFYING else 0),
        messages=session.scalar(select(func.count()).select_from(Message).where(Message.case_id == found.id)) or 0,
    )


def _doing(session: Session, found: Case) -> Step | None:
    """Of the run that holds the case, never of one that was taken back and does not know it yet."""
    if found.state is not State.VERIFYING:
        return None
    running = select(Run.step).where(Run.case_id == found.id, Run.fence == found.fence, Run.state == RunState.RUNNING)
    try:
        return Step(session.scalar(running) or Step.PHOTOS)
    except ValueError:  # a worker of another version
        return Step.PHOTOS


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened to a case, as its customer may know it: no names of staff, no reasons."""

    at: datetime
    what: str  # one of MOMENTS


MOMENTS = (
    "begun", "sent", "sent_again", "new_photo", "corrected", "checked", "retake", "with_person", "asked_person", "looking",
    "changed", "not_changed", "person_retake", "appealed", "withdrawn", "expired",
    "held", "restored", "undone", "rechecked", "you_wrote", "we_wrote", "paper_asked", "paper_sent", "paper_declined", "shredded",
)  # fmt: skip
"""What a customer's timeline tells. Not on it, since whoever holds the account could be a thief: that the owner objected, and
what any check found."""

_TOLD = {
    "case_opened": "begun", "referred": "with_person", "person_asked_for": "asked_person", "withdrawn": "withdrawn",
    "expired": "expired", "appealed": "appealed", "change_held": "held", "change_restored": "restored",
    "approval_undone": "rechecked", "profile_reverted": "undone", "shredded": "shredded",
    "paper_asked": "paper_asked", "paper_received": "paper_sent", "paper_declined": "paper_declined",
}  # fmt: skip
_OUTCOMES = {"approve": "changed", "retake": "retake", "refer": "checked"}
_ANSWERS = {"approve": "changed", "reject": "not_changed", "ask_retake": "person_retake"}
_TELLING = (*_TOLD, "submitted", "photo_kept", "claim_amended", "run_finished", "disposed", "case_taken", "message_written")


def timeline(session: Session, case_id: UUID) -> list[Moment]:
    """What happened to a case, oldest first, from the audit trail. One query, which leaves out the looks at photos."""
    moments: list[Moment] = []
    sent = waits = False
    events = session.execute(
        select(Event.at, Event.kind, Event.actor_kind, Event.details)
        .where(Event.case_id == case_id, Event.kind.in_(_TELLING))
        .order_by(Event.id)
    )
    for at, kind, actor, details in events:
        what = _TOLD.get(kind)
        if kind == "submitted":
            what = "sent_again" if sent else "sent"
            sent = True
        elif kind == "photo_kept" and sent:
            what = "new_photo"
        elif kind == "claim_amended" and sent:
            what = "corrected"
        elif kind == "run_finished" and details.get("new") != State.SUBMITTED.value:
            what = _OUTCOMES.get(details.get("outcome", ""))
        elif kind == "disposed":
            what = _ANSWERS.get(details.get("action", ""))
        elif kind == "case_taken" and waits:
            what = "looking"
        elif kind == "message_written":
            what = "you_wrote" if actor == "customer" else "we_wrote"
        if "new" in details:
            waits = details["new"] == State.IN_REVIEW.value
        if what == "looking":
            waits = False  # agents hand cases on among themselves; she need not follow
        if what is not None:
            moments.append(Moment(at=at, what=what))
    return moments


LEAST_ANSWERS = 20
"""Of a week, below which a 90th percentile is one person's luck: of 20 answers two lie beyond it."""

WEEK = timedelta(days=7)
KIND_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
"""What a waiting time is rounded up to, in hours; longer ones to whole days. Nobody is helped by "5 hours and 37 minutes"."""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """How long an answer by a person takes these days, as a customer may be told."""

    hours: int  # nine of ten answers came within, rounded up; the setting where there were too few
    measured: bool  # from at least LEAST_ANSWERS answers of the last seven days


def promise(session: Session, *, now: datetime) -> Promise:
    """The 90th percentile of the time from referral to answer in the last seven days. At most three queries.

    Who waits longer than that already counts as answered this moment: else a desk that answers only its easy cases would
    promise best.
    """
    answered = session.execute(
        select(Disposition.case_id, Disposition.created_at)
        .where(Disposition.created_at >= now - WEEK, Disposition.action.in_(_ANSWERS))
        .order_by(Disposition.created_at.desc())
        .limit(1000)
    ).all()
    if len(answered) < LEAST_ANSWERS:
        return Promise(hours=session.info["settings"].review_hours, measured=False)
    referred: dict[UUID, list[datetime]] = {}
    events = session.execute(
        select(Event.case_id, Event.at, Event.details).where(
            Event.case_id.in_({case_id for case_id, _ in answered}),
            Event.kind.in_(("run_finished", "person_asked_for", "referred", "appealed")),
        )
    )
    for case_id, at, details in events:
        if details.get("new") == State.IN_REVIEW.value:
            referred.setdefault(case_id, []).append(at)
    waits = []
    for case_id, at in answered:
        since = max((moment for moment in referred.get(case_id, []) if moment <= at), default=None)
        if since is not None:
            waits.append((at - since).total_seconds())
    usual = _quantile(waits, 0.9)
    if usual is not None:
        late = Case.referred_at < now - timedelta(seconds=usual)
        oldest = select(Case.referred_at).where(Case.state == State.IN_REVIEW, late, UNMARKED)
        waits += [(now - since).total_seconds() for since in session.scalars(oldest) if since is not None]
        usual = _quantile(waits, 0.9)
    if usual is None or len(waits) < LEAST_ANSWERS:
        return Promise(hours=session.info["settings"].review_hours, measured=False)
    hours = usual / 3600
    kind = next((n for n in KIND_HOURS if hours <= n), 24 * math.ceil(hours / 24))
    return Promise(hours=kind, measured=True)


def _quantile(values: list[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def _codes(texts: list[str]) -> tuple[ReasonCode, ...]:
    return tuple(ReasonCode(text) for text in texts)
