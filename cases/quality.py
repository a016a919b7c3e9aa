"""Quality: some answers are given once more by another person who has not seen the first, and what that says of both.

Drawn are a share of agents' answers and of automatic approvals (settings `quality_answers`, `quality_approvals`), and every
answer that a person undid or a senior agent overruled, but for approvals taken back in bulk (`_overturned`). Chance is a keyed
hash of the case and the answer: nobody without the key can foretell it, and drawing twice draws the same. Planted specimens,
whose answer is known, stand among them.

A verdict changes no case. Where it doubts an approval, a senior agent looks: only `profiles.revert` takes a change back.
Who reviews has never opened the case, nor answered it, nor is related to it; while she reviews she may not open it either.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from cases import audit, practice, profiles, queries, review, runs
from cases import staff as people
from cases.crypto import KeyDestroyed, vault_of
from cases.desk_tables import Answer, AnswerState, Paper, PaperKind, QualityMark, QualitySample
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Photo, ProfileVersion, Run, RunState, Staff
from verification.evidence import ChangeReason
from verification.reasons import PhotoKind, ReasonCode

ACTIONS = ("approve", "reject", "ask_retake")
"""What an answer or a verdict may be."""

SPECIMENS_A_MONTH = 10
"""Planted by upkeep (facts/ecosystem.md 3.2 no. 7): enough to see within a quarter who looks and who guesses."""

MONTH = timedelta(days=30)

CATCH_UP = 5000
"""Events read at once; the rest follows in the next round."""

CLOSELY = 3
"""Of these it is asked whether they are related to her, some queries each; whoever takes one is asked again."""
CANDIDATES = 200
"""Open samples among which one is looked for that this reviewer may have."""

MOST_VERDICTS = 20_000
"""Newest verdicts that figures are made of."""

Z = 1.959964
"""Standard normal quantile of 97.5 %: all intervals here are of 95 %."""

ENOUGH = 20
"""Fewer cases than that make no figure to act on; pages grey them (facts/ecosystem.md 5)."""

_TAKEN_BACK = ("profile_reverted", "approval_undone")
"""Events by which an approval stops to stand: by a person for this case, or for all that a wrong policy approved."""

_LOOKS = ("photo_opened", "head_turn_opened", "message_photo_opened", "paper_opened")
"""Events of a reviewer's own looks at pictures; any other event of hers on a case means that she knows it."""


class NotBlind(Exception):
    """She has opened or answered this case, or is related to it: somebody else reviews it."""


class NotHers(Exception):
    """The sample is not hers to answer: never taken, given back, or run out."""


class Over(Exception):
    """The sample is reviewed already, or can no longer be."""


# Chance


def chance(key: str, case_id: UUID, event_id: int) -> float:
    """A number in [0, 1) that belongs to one answer; even over all answers, and not to be foretold without the key.

    HMAC-SHA-256 under a key derived from the audit key, of the case's id and the number of the answer's event: two answers to
    one case are drawn apart, and the same one always alike.
    """
    derived = hmac.new(key.encode(), b"quality draw", hashlib.sha256).digest()
    mac = hmac.new(derived, f"{case_id}|{event_id}".encode(), hashlib.sha256).digest()
    return int.from_bytes(mac[:6], "big") / 2**48


def draw(session: Session, *, now: datetime, limit: int = CATCH_UP) -> int:
    """Read the trail on from where it was left, draw samples, mark what was overturned; returns how many samples are new.

    By the trail's own numbers, which have no gap and no second order, so nothing is missed or drawn twice. The first time it
    begins with what photos still exist of.
    """
    settings = session.info["settings"]
    mark = session.get(QualityMark, 1, with_for_update=True)
    if mark is None:
        begin = now - timedelta(days=settings.photo_days)
        mark = QualityMark(id=1, event_id=_before(session, begin), at=now)
        session.add(mark)
    last = session.scalar(select(func.max(Event.id))) or 0
    upto = min(last, mark.event_id + limit)
    events = session.scalars(
        select(Event)
        .where(Event.id > mark.event_id, Event.id <= upto, Event.kind.in_(("disposed", "run_finished", *_TAKEN_BACK)))
        .order_by(Event.id)
    ).all()
    mark.event_id, mark.at = upto, now
    made: list[QualitySample] = []
    for event in events:
        if event.case_id is None:
            continue
        share = _share(settings, event)
        if share is not None and chance(settings.audit_key, event.case_id, event.id) < share:
            made += _sample(session, event, why="random", share=share, now=now)
        undone = _undone_by(session, event)
        if undone is not None:
            made += _overturned(session, undone, event, now)
        for overruled in _overruled_by(session, event):
            made += _differed(session, overruled, event, now)
    session.flush()
    for sample in made:  # last, because from the first event on other writers wait
        audit.record(
            session, "quality_drawn", actor=audit.SYSTEM, now=now, sample_id=sample.id, why=sample.why, share=sample.share
        )
    return len(made)


def _share(settings: Any, event: Event) -> float | None:
    """Of which share this event is an answer; None: it is none."""
    if event.kind == "disposed" and event.details.get("action") in ACTIONS:
        return float(settings.quality_answers)
    if event.kind == "run_finished" and event.details.get("new") == State.APPROVED.value:
        return float(settings.quality_approvals)
    return None


def _sample(
    session: Session,
    event: Event,
    *,
    why: str,
    share: float | None = None,
    answer: Answer | None = None,
    overturned: datetime | None = None,
    now: datetime,
) -> list[QualitySample]:
    """A row for an answer that has none yet and whose photos can still be seen; `answer` where the event does not tell it."""
    case = session.get(Case, event.case_id)
    held = select(QualitySample.id).where(QualitySample.event_id == event.id)
    if case is None or case.trial or case.shredded_at is not None or session.scalar(held) is not None:
        return []
    machine = event.kind == "run_finished"
    said = event.details if answer is None else {"action": answer.action, "reasons": answer.reasons}
    sample = QualitySample(
        id=uuid4(),
        case_id=case.id,
        event_id=event.id,
        why=why,
        share=share,
        staff_id=None if machine or event.actor_id is None else UUID(event.actor_id),
        action="approve" if machine else said["action"],
        reasons=[] if machine else list(said.get("reasons") or []),
        answered_at=event.at,
        drawn_at=now,
        overturned_at=overturned,
        verdict_reasons=[],
    )
    session.add(sample)
    session.flush()
    return [sample]


def _undone_by(session: Session, event: Event) -> Event | None:
    """The answer that this event undid: an approval put back, or a rejection that was approved after an appeal."""
    approved = event.details.get("new") == State.APPROVED.value
    if event.kind not in _TAKEN_BACK and not approved:
        return None
    earlier = session.scalars(
        select(Event)
        .where(Event.case_id == event.case_id, Event.id < event.id, Event.kind.in_(("disposed", "run_finished", "appealed")))
        .order_by(Event.id.desc())
    ).all()
    if event.kind in _TAKEN_BACK:
        return next((e for e in earlier if e.details.get("new") == State.APPROVED.value), None)
    if not any(e.kind == "appealed" for e in earlier):
        return None
    return next((e for e in earlier if e.kind == "disposed" and e.details.get("action") == "reject"), None)


def _overturned(session: Session, answer: Event, by: Event, now: datetime) -> list[QualitySample]:
    held = session.scalars(select(QualitySample).where(QualitySample.event_id == answer.id)).one_or_none()
    if held is None and by.kind == "approval_undone":
        return []  # one of many undone at once: each goes before a person anyway, and together they would fill the queue
    if held is None:
        return _sample(session, answer, why="overturned", overturned=by.at, now=now)
    held.overturned_at = by.at
    if held.doubted_at is not None and held.settled_at is None and by.kind in _TAKEN_BACK:
        held.settled_at, held.settled_how = by.at, "reverted"
        held.settled_by_id = UUID(by.actor_id) if by.actor_id else None
    return []


def _overruled_by(session: Session, event: Event) -> list[Answer]:
    """The answers that were not carried out because a senior agent, who settled what two disagreed on, answered otherwise."""
    carried_out = event.details.get("answer_id")
    if event.kind != "disposed" or carried_out is None:
        return []
    settling = session.get(Answer, UUID(carried_out))
    if settling is None or settling.second_id is None:
        return []
    before = Answer.id.in_((settling.first_id, settling.second_id))
    found = select(Answer).where(before, Answer.state == AnswerState.OVERRULED).order_by(Answer.given_at, Answer.id)
    return list(session.scalars(found))


def _differed(session: Session, answer: Answer, by: Event, now: datetime) -> list[QualitySample]:
    """A sample of an overruled answer. It never was a disposition, so it is known by the event of its being given."""
    given = select(Event).where(Event.case_id == answer.case_id, Event.kind == "answer_given").order_by(Event.id)
    event = next((e for e in session.scalars(given) if e.details.get("answer_id") == str(answer.id)), None)
    if event is None:
        return []
    return _sample(session, event, why="overturned", answer=answer, overturned=by.at, now=now)


def _before(session: Session, moment: datetime) -> int:
    """The number of the last event before `moment`, by halving: numbers have no gap and times grow with them."""
    low, high = 0, session.scalar(select(func.max(Event.id))) or 0
    while low < high:
        middle = (low + high + 1) // 2
        at = session.scalar(select(Event.at).where(Event.id == middle))
        if at is not None and at < moment:
            low = middle
        else:
            high = middle - 1
    return low


def lapse(session: Session, *, now: datetime) -> int:
    """Close samples that nobody can review any more, since the photos are shredded; returns how many."""
    rows = session.scalars(
        select(QualitySample)
        .join(Case, Case.id == QualitySample.case_id)
        .where(_open(), Case.shredded_at.is_not(None))
        .limit(CATCH_UP)
        .with_for_update(key_share=True, skip_locked=True, of=QualitySample)
    ).all()
    for row in rows:
        _lapse(row, "shredded", now)
    return len(rows)


def _lapse(sample: QualitySample, why: str, now: datetime) -> None:
    sample.lapsed_at, sample.lapsed_why = now, why
    sample.reviewer_id = sample.taken_until = None


def plant(session: Session, *, count: int, now: datetime, actor: audit.Actor = audit.SYSTEM) -> int:
    """Put `count` specimens among what waits, those planted longest ago first; returns how many.

    Which comes next among those is told by the keyed hash, so that no two deployments, and no two rounds, go alike.
    """
    key: str = session.info["settings"].audit_key
    planted = dict(
        session.execute(
            select(QualitySample.specimen, func.max(QualitySample.drawn_at))
            .where(QualitySample.specimen.is_not(None))
            .group_by(QualitySample.specimen)
        ).all()
    )
    waiting = set(session.scalars(select(QualitySample.specimen).where(_open(), QualitySample.specimen.is_not(None))))
    number = session.scalar(select(func.count()).select_from(QualitySample).where(QualitySample.specimen.is_not(None))) or 0

    def turn(specimen: practice.Specimen) -> tuple[bool, float, float]:
        last = planted.get(specimen.key)
        mac = hmac.new(key.encode(), f"quality specimen|{specimen.key}|{number}".encode(), hashlib.sha256).digest()
        return (last is not None, last.timestamp() if last else 0.0, int.from_bytes(mac[:6], "big") / 2**48)

    free = sorted((s for s in practice.specimens() if s.key not in waiting and s.right in ACTIONS), key=turn)[:count]
    for specimen in free:
        session.add(
            QualitySample(
                id=uuid4(),
                specimen=specimen.key,
                why="specimen",
                action=specimen.right,
                reasons=sorted(code.value for code in specimen.codes),
                answered_at=now,
                drawn_at=now,
                verdict_reasons=[],
            )
        )
    session.flush()
    if free:
        audit.record(session, "specimens_planted", actor=actor, now=now, count=len(free))
    return len(free)


def plant_due(session: Session, *, now: datetime) -> int:
    """Plant as many as are due, one at a time over the month, so that nobody learns on which day they come."""
    last = session.scalar(select(func.max(QualitySample.drawn_at)).where(QualitySample.why == "specimen"))
    if last is not None and now < last + MONTH / SPECIMENS_A_MONTH:
        return 0
    return plant(session, count=1, now=now)


# Reviewing


@dataclass(frozen=True, kw_only=True, repr=False)
class Sheet:
    """What a reviewer is shown: the claim, what was read then, the photos of then. Nothing that anybody found or answered.

    Holds personal data: not for logs.
    """

    change_reason: ChangeReason
    country: str | None
    fields: tuple[queries.FieldRow, ...]
    new_email: str | None
    email: str
    photos: tuple[PhotoKind, ...]  # those that can be shown
    portrait: tuple[int, int, int, int] | None  # where it stands on the document's photo: x, y, width, height
    document_size: tuple[int, int] | None  # of that photo
    papers: tuple[tuple[UUID, PaperKind], ...]  # supporting papers that were there, oldest first
    on: datetime  # the day of the answer: validity is judged by it


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a reviewer answers."""

    action: str
    reasons: frozenset[ReasonCode] = frozenset()
    note: str = field(default="", repr=False)


def _open() -> ColumnElement[bool]:
    return and_(QualitySample.reviewed_at.is_(None), QualitySample.lapsed_at.is_(None))


def take_next(session: Session, *, agent: Staff, now: datetime) -> QualitySample | None:
    """Give her the sample whose photos are shredded first, among those she may review. None: there is none.

    One that she holds already comes first. Raises NotAllowed.
    """
    people.require(agent, "review_quality")
    held = session.scalars(
        select(QualitySample)
        .where(_open(), QualitySample.reviewer_id == agent.id, QualitySample.taken_until > now)
        .order_by(QualitySample.drawn_at)
        .limit(1)
    ).one_or_none()
    if held is not None:
        return held
    for sample_id, case_id in _for_her(session, agent, now):
        if case_id is not None and _known(session, agent, [case_id]):
            continue
        sample = session.scalars(
            select(QualitySample)
            .where(QualitySample.id == sample_id, _open(), _free(now))
            .with_for_update(key_share=True, skip_locked=True)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if sample is None:
            continue
        sample.reviewer_id = agent.id
        sample.taken_until = now + timedelta(minutes=session.info["settings"].claim_minutes)
        session.flush()
        audit.record(session, "quality_taken", actor=audit.Actor.staff(agent), now=now, sample_id=sample.id)
        return sample
    return None


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(QualitySample.reviewer_id.is_(None), QualitySample.taken_until <= now)


def _for_her(session: Session, agent: Staff, now: datetime) -> list[tuple[UUID, UUID | None]]:
    """Free samples she may review, with their cases, in the order in which they are due; `_known` of one is the last word."""
    rows = session.execute(
        select(QualitySample.id, QualitySample.case_id)
        .outerjoin(Case, Case.id == QualitySample.case_id)
        .where(_open(), _free(now), or_(QualitySample.staff_id.is_(None), QualitySample.staff_id != agent.id))
        .where(Case.shredded_at.is_(None))
        .order_by(func.coalesce(Case.closed_at, QualitySample.drawn_at), QualitySample.id)
        .limit(CANDIDATES)
    ).all()
    known = _known(session, agent, [row.case_id for row in rows if row.case_id is not None], closely=CLOSELY)
    return [(row.id, row.case_id) for row in rows if row.case_id not in known]


def _known(session: Session, agent: Staff, case_ids: Sequence[UUID], *, closely: int | None = None) -> set[UUID]:
    """Cases that she has opened, held or answered, or may not see at all; the latter of the first `closely` of the rest only."""
    mine = and_(Event.actor_kind == "staff", Event.actor_id == str(agent.id), Event.kind.not_in(_LOOKS))
    known = {c for c in session.scalars(select(Event.case_id).where(Event.case_id.in_(case_ids), mine)) if c is not None}
    known |= set(session.scalars(select(Answer.case_id).where(Answer.case_id.in_(case_ids), Answer.staff_id == agent.id)))
    rest = [case_id for case_id in case_ids if case_id not in known][:closely]
    return known | {
        case.id for case in session.scalars(select(Case).where(Case.id.in_(rest))) if review.related(session, agent, case)
    }


def of(session: Session, sample_id: UUID, *, agent: Staff, now: datetime) -> QualitySample:
    """The sample, locked, if she holds it and still knows nothing of the case. Raises NoResultFound, Over, NotHers, NotBlind."""
    people.require(agent, "review_quality")
    session.flush()
    sample = session.execute(
        select(QualitySample)
        .where(QualitySample.id == sample_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    if sample.reviewed_at is not None or sample.lapsed_at is not None:
        raise Over("reviewed, or no longer to be reviewed")
    if sample.reviewer_id != agent.id or sample.taken_until is None or sample.taken_until <= now:
        raise NotHers("take a sample first")
    if sample.case_id is not None and _known(session, agent, [sample.case_id]):
        raise NotBlind("she knows this case")
    return sample


def may_look(session: Session, case: Case, *, agent: Staff, now: datetime) -> bool:
    """Whether she may see the photos of this case for a re-review: one of its samples is hers and open."""
    if not people.may(agent, "review_quality"):
        return False
    hers = select(QualitySample.id).where(
        QualitySample.case_id == case.id, QualitySample.reviewer_id == agent.id, QualitySample.taken_until > now, _open()
    )
    return session.execute(hers.limit(1)).first() is not None


def give_back(session: Session, sample_id: UUID, *, agent: Staff, now: datetime) -> None:
    """Somebody else shall review it: she cannot tell, or learned what was answered. Raises NoResultFound, NotHers."""
    sample = session.get_one(QualitySample, sample_id, with_for_update=True, populate_existing=True)
    if sample.reviewer_id != agent.id or sample.reviewed_at is not None:
        raise NotHers("the sample is not hers")
    sample.reviewer_id = sample.taken_until = None
    session.flush()
    audit.record(session, "quality_given_back", actor=audit.Actor.staff(agent), now=now, sample_id=sample.id)


def sheet(session: Session, sample: QualitySample, *, now: datetime) -> Sheet:
    """What stood before whoever answered, as it was then. Raises Over where that is gone; the sample is closed then."""
    if sample.specimen is not None:
        planted = specimen(sample)
        return Sheet(
            change_reason=planted.claim.reason,
            country=planted.country,
            fields=queries.side_by_side(planted.profile, planted.claim, planted.readings),
            new_email=None,
            email="",
            photos=tuple(PhotoKind),
            portrait=_box(planted.evidence.reading.portrait),
            document_size=planted.sizes.get(PhotoKind.DOCUMENT),
            papers=(),
            on=datetime.combine(planted.on, time(12), UTC),
        )
    case = session.get_one(Case, sample.case_id)
    amended = select(Event.id).where(Event.case_id == case.id, Event.id > sample.event_id, Event.kind == "claim_amended")
    try:
        claim, new_email = profiles.read_claim(session, case)
    except KeyDestroyed:
        _lapse(sample, "shredded", now)
        raise Over("shredded") from None
    if session.execute(amended.limit(1)).first():
        _lapse(sample, "changed", now)
        raise Over("the customer changed her request since") from None
    run = session.scalars(
        select(Run)
        .where(Run.case_id == case.id, Run.state == RunState.FINISHED, Run.finished_at <= sample.answered_at)
        .order_by(Run.fence.desc())
        .limit(1)
    ).one_or_none()
    version = session.get_one(ProfileVersion, run.profile_version_id if run else case.base_version_id)
    profile, email = profiles.read_version(session, session.get_one(Customer, case.customer_id), version)
    readings = _readings(session, case, run)
    photos = {kind: found for kind in PhotoKind if (found := _photo(session, sample, case, kind)) is not None}
    return Sheet(
        change_reason=case.change_reason,
        country=case.country,
        fields=queries.side_by_side(profile, claim, readings),
        new_email=new_email if new_email != email else None,
        email=email,
        photos=tuple(photos),
        portrait=_box(((readings.get("reading") or {}).get("portrait") or {}).get("box")),
        document_size=_size(photos[PhotoKind.DOCUMENT].quality) if PhotoKind.DOCUMENT in photos else None,
        papers=tuple((paper.id, paper.kind) for paper in papers(session, sample)),
        on=sample.answered_at,
    )


def papers(session: Session, sample: QualitySample) -> list[Paper]:
    """Supporting papers that had come when the answer was given."""
    return list(
        session.scalars(
            select(Paper)
            .where(Paper.case_id == sample.case_id, Paper.received_at <= sample.answered_at, Paper.shredded_at.is_(None))
            .order_by(Paper.received_at, Paper.id)
        )
    )


def _readings(session: Session, case: Case, run: Run | None) -> dict[str, Any]:
    if run is None or run.readings_sealed is None:
        return {}
    readings: dict[str, Any] = vault_of(session).open_json(case.data_key, run.readings_sealed, runs.readings_place(run.id))
    return readings


def _box(box: Sequence[int] | None) -> tuple[int, int, int, int] | None:
    return (int(box[0]), int(box[1]), int(box[2]), int(box[3])) if box else None


def _size(quality: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = quality.get("width"), quality.get("height")
    return (int(width), int(height)) if width and height else None


def specimen(sample: QualitySample) -> practice.Specimen:
    """The specimen of a planted sample. Raises KeyError when it is no longer shipped."""
    return practice.specimen(sample.specimen or "")


def photo(session: Session, sample: QualitySample, kind: PhotoKind) -> UUID | None:
    """The id of the photo as it was then, for `photo_store.open_photo` with purpose "quality". None: there is none."""
    found = _photo(session, sample, session.get_one(Case, sample.case_id), kind)
    return found.id if found else None


def _photo(session: Session, sample: QualitySample, case: Case, kind: PhotoKind) -> Photo | None:
    whose = Photo.customer_id == case.customer_id if kind is PhotoKind.ON_FILE else Photo.case_id == case.id
    return session.scalars(
        select(Photo)
        .where(whose, Photo.kind == kind, Photo.created_at <= sample.answered_at, Photo.shredded_at.is_(None))
        .order_by(Photo.created_at.desc(), Photo.id)
        .limit(1)
    ).one_or_none()


def give(session: Session, sample_id: UUID, verdict: Verdict, *, agent: Staff, now: datetime) -> QualitySample:
    """Write down her verdict. The case stays as it is; a doubt about an approval goes to a senior agent.

    Raises NoResultFound, Over, NotHers, NotBlind, NotAllowed; ValueError without a reason for a rejection or a retake, or a note
    for a rejection.
    """
    if verdict.action not in ACTIONS:
        raise ValueError(f"unknown action: {verdict.action}")
    if verdict.action != "approve" and not verdict.reasons:
        raise ValueError("a reason is needed")
    sample = of(session, sample_id, agent=agent, now=now)
    note = verdict.note.strip()
    sample.reviewed_at = now
    sample.verdict = verdict.action
    sample.verdict_reasons = sorted(code.value for code in verdict.reasons) if verdict.action != "approve" else []
    sample.agrees = _alike(sample, verdict)
    case = session.get_one(Case, sample.case_id) if sample.case_id is not None else None
    if case is not None and note:
        sample.note_sealed = _seal(session, case, f"quality_samples.note|{sample.id}", note)
    doubts = case is not None and sample.action == "approve" and not sample.agrees and case.state is State.APPROVED
    if doubts and sample.overturned_at is None:
        sample.doubted_at = now
    session.flush()
    actor = audit.Actor.staff(agent)
    audit.record(
        session,
        "quality_reviewed",
        actor=actor,
        now=now,
        sample_id=sample.id,
        action=sample.verdict,
        reasons=sample.verdict_reasons,
        agrees=sample.agrees,
    )
    if sample.doubted_at is not None:
        audit.record(session, "approval_doubted", actor=actor, now=now, sample_id=sample.id, reasons=sample.verdict_reasons)
    return sample


def _alike(sample: QualitySample, verdict: Verdict) -> bool:
    """The same action; of a specimen, one that is right, for a reason that holds."""
    if sample.specimen is None:
        return verdict.action == sample.action
    known = specimen(sample)
    given = practice.Given(action=verdict.action, reasons=tuple(sorted(verdict.reasons)), retake=known.retake)
    weighed = practice.judge(known, given)
    return not (weighed.wrong_action or weighed.wrong_reason)


def let_stand(session: Session, sample_id: UUID, *, agent: Staff, note: str, now: datetime) -> QualitySample:
    """A senior agent looked at a doubted approval and it stands. To undo it, see `profiles.revert`.

    Never who doubted it, nor who approved it. Raises NoResultFound, NotAllowed, NoteNeeded, NotYours, Over.
    """
    people.require(agent, "revert")
    session.flush()
    sample = session.execute(
        select(QualitySample)
        .where(QualitySample.id == sample_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    if sample.doubted_at is None or sample.settled_at is not None:
        raise Over("nothing is in doubt")
    case = session.get_one(Case, sample.case_id)
    gave = agent.id in (sample.reviewer_id, sample.staff_id) or profiles.approved_by(session, case, agent)
    if gave or review.related(session, agent, case):
        raise review.NotYours("a third person settles this")
    if not note.strip():
        raise review.NoteNeeded("say why in a note")
    sample.settled_at, sample.settled_how, sample.settled_by_id = now, "stands", agent.id
    sample.settled_note_sealed = _seal(session, case, f"quality_samples.settled_note|{sample.id}", note.strip())
    session.flush()
    audit.record(session, "doubt_settled", actor=audit.Actor.staff(agent), now=now, sample_id=sample.id)
    return sample


def note(session: Session, sample: QualitySample) -> str:
    """What the reviewer wrote; "" where nothing, or shredded."""
    if sample.note_sealed is None or sample.case_id is None:
        return ""
    case = session.get_one(Case, sample.case_id)
    try:
        return vault_of(session).open(case.data_key, sample.note_sealed, f"quality_samples.note|{sample.id}").decode()
    except KeyDestroyed:
        return ""


def _seal(session: Session, case: Case, place: str, text: str) -> bytes | None:
    """Under the case's key; what is written after shredding is not kept."""
    if case.data_key.wrapped is None:
        return None
    return vault_of(session).seal(case.data_key, text.encode(), place)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What the page's tiles tell one reviewer. The queue itself names no case: who reviews shall not know which it is."""

    open: int
    hers: int  # she may review those; of the first CANDIDATES
    soon: int  # shredded within a week
    next_shredded: datetime | None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One waiting sample, told without telling which."""

    since: datetime
    shredded_at: datetime | None  # from when it can no longer be reviewed; None: not yet known
    taken: bool


def lines(session: Session, *, now: datetime, limit: int = 30) -> list[Line]:
    """What waits, most urgent first."""
    keep = timedelta(days=session.info["settings"].photo_days)
    rows = session.execute(
        select(QualitySample.drawn_at, QualitySample.taken_until, Case.closed_at)
        .outerjoin(Case, Case.id == QualitySample.case_id)
        .where(_open(), Case.shredded_at.is_(None))
        .order_by(func.coalesce(Case.closed_at, QualitySample.drawn_at), QualitySample.id)
        .limit(limit)
    ).all()
    return [
        Line(
            since=row.drawn_at,
            # A specimen and an open case show what a case closed when they were drawn would: nobody can tell them by it.
            shredded_at=(row.closed_at or row.drawn_at) + keep,
            taken=row.taken_until is not None and row.taken_until > now,
        )
        for row in rows
    ]


def waiting(session: Session, *, agent: Staff, now: datetime) -> Waiting:
    """Counts for the tiles."""
    keep = timedelta(days=session.info["settings"].photo_days)
    closed = func.coalesce(Case.closed_at, QualitySample.drawn_at)
    count, soon, first = session.execute(
        select(func.count(), func.count().filter(closed <= now + timedelta(days=7) - keep), func.min(closed))
        .select_from(QualitySample)
        .outerjoin(Case, Case.id == QualitySample.case_id)
        .where(_open(), Case.shredded_at.is_(None))
    ).one()
    return Waiting(
        open=count,
        hers=len(_for_her(session, agent, now)),
        soon=soon,
        next_shredded=first + keep if first else None,
    )


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """An approval that a blind reviewer would not have given."""

    sample_id: UUID
    case_id: UUID
    at: datetime
    verdict: str
    reasons: tuple[ReasonCode, ...]
    by_machine: bool
    mine: bool  # the reader gave the answer or the verdict: another person settles it
    note: str = field(default="", repr=False)


def doubts(session: Session, *, agent: Staff, limit: int = 50) -> list[Doubt]:
    """Doubted approvals that nobody has settled, oldest first."""
    rows = session.scalars(
        select(QualitySample)
        .where(QualitySample.doubted_at.is_not(None), QualitySample.settled_at.is_(None))
        .order_by(QualitySample.doubted_at)
        .limit(limit)
    ).all()
    return [
        Doubt(
            sample_id=row.id,
            case_id=row.case_id,
            at=row.doubted_at,
            verdict=row.verdict or "",
            reasons=_codes(row.verdict_reasons),
            by_machine=row.staff_id is None,
            mine=agent.id in (row.reviewer_id, row.staff_id),
            note=note(session, row),
        )
        for row in rows
        if row.case_id is not None and row.doubted_at is not None
    ]


# Figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`found` of `n`, with the interval of Wilson. Shares are 0-1, None where n is 0."""

    n: int
    found: int
    share: float | None
    low: float | None
    high: float | None

    @property
    def enough(self) -> bool:
        """Whether there are cases enough to act on it."""
        return self.n >= ENOUGH


def share(found: int, n: int) -> Share:
    """Wilson's score interval of 95 % (E. B. Wilson 1927, J. Am. Stat. Assoc. 22, 209-212). Raises ValueError.

    Unlike the usual one it stays within 0-1 and says something where nothing, or everything, was found.

    >>> [round(x, 3) for x in (share(0, 10).high, share(5, 10).low)]
    [0.278, 0.237]
    """
    if not 0 <= found <= n:
        raise ValueError("more found than there are")
    if n == 0:
        return Share(n=0, found=0, share=None, low=None, high=None)
    p, z2 = found / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(n=n, found=found, share=p, low=max(0.0, middle - half), high=min(1.0, middle + half))


@dataclass(frozen=True, kw_only=True, slots=True)
class Kappa:
    """Agreement beyond chance of two who answered the same cases. `value` is None where chance alone explains all."""

    n: int
    value: float | None
    error: float | None  # standard error; None where value is None
    low: float | None  # interval of 95 %; None where everybody agreed: the error formula says nothing then
    high: float | None


def kappa(table: Mapping[tuple[str, str], int]) -> Kappa:
    """Cohen's kappa of counts by (first answer, second answer).

    J. Cohen 1960, Educ. Psychol. Meas. 20, 37-46; the standard error is the large-sample one for a kappa that is not 0, of J. L.
    Fleiss, J. Cohen, B. S. Everitt 1969, Psychol. Bull. 72, 323-327. Below about 20 cases it is too small.

    >>> round(kappa({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}).value, 3)
    0.4
    """
    n = sum(table.values())
    if n == 0:
        return Kappa(n=0, value=None, error=None, low=None, high=None)
    names = sorted({name for pair in table for name in pair})
    cell = {(a, b): table.get((a, b), 0) / n for a in names for b in names}
    first = {a: sum(cell[a, b] for b in names) for a in names}
    second = {b: sum(cell[a, b] for a in names) for b in names}
    seen = sum(cell[a, a] for a in names)
    by_chance = sum(first[a] * second[a] for a in names)
    if by_chance >= 1 - 1e-12:
        return Kappa(n=n, value=None, error=None, low=None, high=None)
    value = (seen - by_chance) / (1 - by_chance)
    same = sum(cell[a, a] * (1 - (first[a] + second[a]) * (1 - value)) ** 2 for a in names)
    other = (1 - value) ** 2 * sum(cell[a, b] * (second[a] + first[b]) ** 2 for a in names for b in names if a != b)
    rest = (value - by_chance * (1 - value)) ** 2
    error = math.sqrt(max(same + other - rest, 0.0) / n) / (1 - by_chance)
    if error < 1e-12:
        return Kappa(n=n, value=value, error=0.0, low=None, high=None)
    return Kappa(n=n, value=value, error=error, low=max(-1.0, value - Z * error), high=min(1.0, value + Z * error))


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One action or reason: how often the first gave it, the second, both; agreement and kappa over all cases."""

    code: str
    first: int
    second: int
    both: int
    agreement: Share
    kappa: Kappa


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What blind reviewers thought of somebody's answers. A disagreement is no proof: two people may see it differently."""

    drawn: Share  # of answers drawn by chance, those whose reviewer would have answered otherwise
    wrong_approvals: Share  # the same of approvals alone: the dangerous ones
    overturned: int  # answers that a person undid, whether drawn or not
    reasons: tuple[tuple[ReasonCode, int], ...]  # that reviewers gave where they disagreed, most frequent first


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What re-reviews of a stretch of time say."""

    since: datetime
    answers: Share  # of agents' answers drawn by chance, those given alike
    kappa: Kappa  # over all three actions
    actions: tuple[Row, ...]
    reasons: tuple[Row, ...]  # given by either
    machine: Errors
    people: Errors
    specimens: Share  # planted ones that reviewers got right
    lapsed: int  # drawn and never reviewed
    settled: dict[str, int]  # doubted approvals: stands, reverted, open


@dataclass(frozen=True, slots=True)
class _Pair:
    action: str
    reasons: frozenset[str]
    verdict: str
    verdict_reasons: frozenset[str]
    machine: bool


def figures(session: Session, *, since: datetime) -> Figures:
    """Verdicts given since then. Agreement is told of answers drawn by chance alone: the overturned are a choice of bad ones."""
    pairs = _pairs(session, since)
    answers = [p for p in pairs if not p.machine]
    table = Counter((p.action, p.verdict) for p in answers)
    named = sorted({r for p in answers for r in p.reasons | p.verdict_reasons}, key=_order)
    right = session.execute(
        select(func.count(), func.count().filter(QualitySample.agrees.is_(True))).where(
            QualitySample.why == "specimen", QualitySample.reviewed_at >= since
        )
    ).one()
    lapsed = select(func.count()).select_from(QualitySample).where(QualitySample.lapsed_at >= since)
    settled = {
        how or "open": count
        for how, count in session.execute(
            select(QualitySample.settled_how, func.count())
            .where(QualitySample.doubted_at >= since)
            .group_by(QualitySample.settled_how)
        )
    }
    return Figures(
        since=since,
        answers=share(sum(p.action == p.verdict for p in answers), len(answers)),
        kappa=kappa(table),
        actions=tuple(_row(a, [(p.action == a, p.verdict == a) for p in answers]) for a in ACTIONS),
        reasons=tuple(_row(r, [(r in p.reasons, r in p.verdict_reasons) for p in answers]) for r in named),
        machine=_errors(session, [p for p in pairs if p.machine], since, QualitySample.staff_id.is_(None)),
        people=_errors(session, answers, since, QualitySample.staff_id.is_not(None)),
        specimens=share(right[1], right[0]),
        lapsed=session.scalar(lapsed) or 0,
        settled={how: count for how, count in settled.items()},
    )


def _pairs(session: Session, since: datetime, *which: ColumnElement[bool]) -> list[_Pair]:
    rows = session.execute(
        select(
            QualitySample.action,
            QualitySample.reasons,
            QualitySample.verdict,
            QualitySample.verdict_reasons,
            QualitySample.staff_id,
        )
        .where(QualitySample.why == "random", QualitySample.reviewed_at >= since, *which)
        .order_by(QualitySample.reviewed_at.desc())
        .limit(MOST_VERDICTS)
    )
    return [_Pair(a, frozenset(r), v or "", frozenset(vr), staff_id is None) for a, r, v, vr, staff_id in rows]


def _row(code: str, given: list[tuple[bool, bool]]) -> Row:
    table = Counter(("yes" if a else "no", "yes" if b else "no") for a, b in given)
    return Row(
        code=code,
        first=sum(a for a, _ in given),
        second=sum(b for _, b in given),
        both=sum(a and b for a, b in given),
        agreement=share(sum(a == b for a, b in given), len(given)),
        kappa=kappa(table),
    )


def _errors(session: Session, pairs: Sequence[_Pair], since: datetime, whose: ColumnElement[bool]) -> Errors:
    wrong = [p for p in pairs if p.action != p.verdict]
    approvals = [p for p in pairs if p.action == "approve"]
    overturned = (
        select(func.count())
        .select_from(QualitySample)
        .where(whose, QualitySample.case_id.is_not(None), QualitySample.overturned_at >= since)
    )
    counted = Counter(r for p in wrong for r in p.verdict_reasons)
    return Errors(
        drawn=share(len(wrong), len(pairs)),
        wrong_approvals=share(sum(p.verdict != "approve" for p in approvals), len(approvals)),
        overturned=session.scalar(overturned) or 0,
        reasons=tuple(
            (ReasonCode(code), n) for code, n in sorted(counted.items(), key=lambda i: (-i[1], _order(i[0]))) if _known_code(code)
        ),
    )


def _order(code: str) -> int:
    names = [r.value for r in ReasonCode]
    return names.index(code) if code in names else len(names)


def _known_code(code: str) -> bool:
    return code in {r.value for r in ReasonCode}


def _codes(names: Iterable[str]) -> tuple[ReasonCode, ...]:
    return tuple(ReasonCode(name) for name in names if _known_code(name))
