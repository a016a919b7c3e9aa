"""Practice: specimen cases with known answers, which a new agent answers until she may be given live ones.

A round is ROUND cases in an order drawn for her. It is passed with PASS_RIGHT right answers and no dangerous approval; after each
answer she is told what was right, which sign she missed and where it stands. The specimens are of nobody: drawn papers and drawn
faces (`tests.specimens.practice` makes them), invented names. What an agent may do while she practises stands in
`cases.staff.PRACTISING`; `require_passed` is asked before any live case is given.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from cases import audit, moves
from cases import staff as people
from cases.desk_tables import PracticeAnswer, PracticeRound
from cases.models import Case, Role, Staff
from cases.wording import N_
from verification.evidence import (
    Box,
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
    Profile,
    Quality,
    Source,
)
from verification.reasons import PhotoKind, ReasonCode

ROUND = 20
"""Cases of a round: half an hour's work, and of each kind of answer there are several."""

PASS_RIGHT = 18
"""Of ROUND. Who guesses among three answers alone gets there once in ten million rounds; who is right nine times in ten in
two rounds of three."""

ACTIONS = ("approve", "ask_retake", "reject", "escalate")

FOLDER = Path(__file__).with_name("specimens")

LOCALE = {"RUS": "ru", "KAZ": "kk", "ESP": "es", "MEX": "es"}
"""In which language a specimen's customer would write."""

_chance: random.Random = random.SystemRandom()


class StillPractising(people.NotAllowed):
    """A live case was to be given to an agent who has not passed yet."""

    def __init__(self) -> None:
        super().__init__("decide")


class NotThisOne(Exception):
    """Another specimen is hers to answer now: this page is old, or was answered in another window."""


# The set


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where a specimen's sign stands: on which photo, where on it (pixels), and in which row of the table."""

    photo: PhotoKind
    box: Box | None
    field: Field | None


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One decided case of nobody, and the known answer."""

    key: str
    country: str
    locale: str
    on: date  # the day it was sent; everything that depends on a day was measured then
    profile: Profile = field(repr=False)
    claim: Claim = field(repr=False)
    evidence: Evidence = field(repr=False)  # as a run would have found it
    reasons: tuple[ReasonCode, ...]  # why the machine refers it
    right: str  # one of ACTIONS
    also: frozenset[str]  # other actions that are right
    codes: frozenset[ReasonCode]  # a rejection or retake names at least one of them
    retake: frozenset[PhotoKind]  # the photos to ask for again
    sign: str  # a key of SIGNS
    look: Look
    sizes: dict[PhotoKind, tuple[int, int]]  # width, height in pixels

    def photo(self, kind: PhotoKind) -> bytes:
        """The picture, as JPEG."""
        return (FOLDER / "photos" / f"{self.key}.{kind.value}.jpg").read_bytes()

    def quality(self, kind: PhotoKind) -> Quality:
        """What was measured of the picture."""
        measured = {PhotoKind.SELFIE: self.evidence.measures.selfie, PhotoKind.DOCUMENT: self.evidence.measures.document}
        return measured.get(kind) or Quality(width=self.sizes[kind][0], height=self.sizes[kind][1])

    @cached_property
    def readings(self) -> dict[str, Any]:
        """The evidence that speaks of a person, as a case's page takes it (see `cases.runs`)."""
        return {
            "reading": self.evidence.reading.to_json(),
            "field_boxes": {name.value: list(r.box) for name, r in self.evidence.reading.fields.items() if r.box},
            "comparisons": {name.value: c.to_json() for name, c in self.evidence.comparisons.items()},
            "face_boxes": {kind: list(box) for kind, box in self.evidence.faces.boxes.items()},
        }


@lru_cache(maxsize=1)
def specimens() -> tuple[Specimen, ...]:
    """The shipped set, in its order."""
    data = json.loads((FOLDER / "specimens.json").read_text(encoding="utf-8"))
    day = date.fromisoformat(data["today"])
    return tuple(_specimen(line, day) for line in data["specimens"])


def specimen(key: str) -> Specimen:
    """One of the set. Raises KeyError."""
    return _by_key()[key]


@lru_cache(maxsize=1)
def _by_key() -> dict[str, Specimen]:
    return {one.key: one for one in specimens()}


def _specimen(d: dict[str, Any], day: date) -> Specimen:
    look = d["look"]
    return Specimen(
        key=d["key"],
        country=d["country"],
        locale=LOCALE.get(d["country"], "en"),
        on=day,
        profile=Profile.from_json(d["profile"]),
        claim=Claim.from_json(d["claim"]),
        evidence=_evidence(d),
        reasons=tuple(ReasonCode(r) for r in d["reasons"]),
        right=d["right"],
        also=frozenset(d["also"]),
        codes=frozenset(ReasonCode(c) for c in d["codes"]),
        retake=frozenset(PhotoKind(k) for k in d["retake"]),
        sign=d["sign"],
        look=Look(
            photo=PhotoKind(look["photo"]),
            box=_box(look["box"]),
            field=Field(look["field"]) if look["field"] else None,
        ),
        sizes={PhotoKind(kind): (int(w), int(h)) for kind, (w, h) in d["sizes"].items()},
    )


def _evidence(d: dict[str, Any]) -> Evidence:
    r, measures = d["reading"], Measures.from_json(d["measures"])
    mrz = r["mrz"]
    reading = DocumentReading(
        document_type=DocumentType(r["document_type"]) if r["document_type"] else None,
        country=r["country"],
        mrz=MrzReading(lines=tuple(mrz["lines"]), valid=mrz["valid"], checks=mrz["checks"]) if mrz else None,
        fields={
            Field(name): FieldReading(
                value=f["value"],
                confidence=f["confidence"],
                certain=f["certain"],
                source=Source(f["source"]),
                box=_box(r["boxes"].get(name)),
            )
            for name, f in r["fields"].items()
        },
        portrait=_box(r["portrait"]["box"]) if r["portrait"] else None,
    )
    comparisons = {
        Field(name): FieldComparison(**{**c, "differences": tuple(Difference(**x) for x in c["differences"])})
        for name, c in d["comparisons"].items()
    }
    faces = FaceReading(pairs=measures.pairs, boxes={kind: box for kind, b in d["faces"].items() if (box := _box(b))})
    return Evidence(reading=reading, faces=faces, comparisons=comparisons, measures=measures)


def _box(sides: list[int] | None) -> Box | None:
    return (sides[0], sides[1], sides[2], sides[3]) if sides else None


# Judging one answer. Pure.


@dataclass(frozen=True, kw_only=True)
class Given:
    """What an agent answered to a specimen."""

    action: str
    reasons: tuple[ReasonCode, ...] = ()
    retake: frozenset[PhotoKind] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How an answer stands against the known one."""

    right: bool
    dangerous: bool  # approved what must not be approved
    wrong_action: bool
    wrong_photo: bool  # the right action, another photo
    wrong_reason: bool  # the right action, none of the reasons that hold


def judge(known: Specimen, given: Given) -> Verdict:
    """Weigh an answer. A rejection or retake has to name a reason that holds; naming more is no mistake.

    Raises ValueError for an unknown action.
    """
    if given.action not in ACTIONS:
        raise ValueError(f"unknown action: {given.action}")
    wrong_action = given.action != known.right and given.action not in known.also
    reasoned = not wrong_action and given.action in ("reject", "ask_retake")
    wrong_reason = reasoned and not known.codes & set(given.reasons)
    wrong_photo = not wrong_action and given.action == "ask_retake" and given.retake != known.retake
    return Verdict(
        right=not (wrong_action or wrong_reason or wrong_photo),
        dangerous=given.action == "approve" and known.right != "approve" and "approve" not in known.also,
        wrong_action=wrong_action,
        wrong_photo=wrong_photo,
        wrong_reason=wrong_reason,
    )


# Rounds


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One answer of a round."""

    number: int
    specimen: str
    given: Given
    right: bool
    dangerous: bool
    given_at: datetime


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where an agent stands in a round: the open one, else the last."""

    round: int  # 0: none was begun
    open: bool
    next: str | None  # key of the specimen to answer now
    answers: tuple[Answered, ...]
    outcome: str | None  # passed, not_passed or reset, once it is over
    begun_at: datetime | None
    ended_at: datetime | None

    @property
    def right(self) -> int:
        """Right answers of this round."""
        return sum(a.right for a in self.answers)

    @property
    def dangerous(self) -> int:
        """Dangerous approvals of this round."""
        return sum(a.dangerous for a in self.answers)

    @property
    def may_pass(self) -> bool:
        """Whether the open round can still be passed."""
        return self.dangerous == 0 and len(self.answers) - self.right <= ROUND - PASS_RIGHT


def require_passed(agent: Staff) -> None:
    """Called before a live case is given. Raises StillPractising."""
    if agent.practising:
        raise StillPractising()


def begins_with_practice(roles: Iterable[Role]) -> bool:
    """Whether a new member of staff practises first: a support agent, unless she is a senior one as well."""
    held = set(roles)
    return Role.AGENT in held and Role.SENIOR_AGENT not in held


def begin(session: Session, agent: Staff, *, actor: audit.Actor, now: datetime) -> None:
    """From now on this agent gets specimen cases only."""
    agent.practising = True
    session.flush()
    audit.record(session, "practice_begun", actor=actor, now=now, staff_id=agent.id)


def standing(session: Session, agent: Staff) -> Standing:
    """Where she stands. Two queries."""
    found = session.scalars(
        select(PracticeRound).where(PracticeRound.staff_id == agent.id).order_by(PracticeRound.number.desc()).limit(1)
    ).one_or_none()
    if found is None:
        return Standing(round=0, open=False, next=None, answers=(), outcome=None, begun_at=None, ended_at=None)
    rows = session.scalars(
        select(PracticeAnswer).where(PracticeAnswer.round_id == found.id).order_by(PracticeAnswer.number)
    ).all()
    return Standing(
        round=found.number,
        open=found.ended_at is None,
        next=found.specimens[len(rows)] if found.ended_at is None and len(rows) < len(found.specimens) else None,
        answers=tuple(_answered(row) for row in rows),
        outcome=found.outcome,
        begun_at=found.begun_at,
        ended_at=found.ended_at,
    )


def _answered(row: PracticeAnswer) -> Answered:
    given = Given(
        action=row.action,
        reasons=tuple(ReasonCode(r) for r in row.reasons),
        retake=frozenset(PhotoKind(k) for k in row.retake),
    )
    return Answered(
        number=row.number,
        specimen=row.specimen,
        given=given,
        right=row.was_right,
        dangerous=row.dangerous,
        given_at=row.given_at,
    )


def begin_round(session: Session, agent: Staff, *, now: datetime, chance: random.Random = _chance) -> Standing:
    """Draw a round, unless one is open. Who has passed may practise on: it changes nothing for her. Raises NotAllowed.

    `chance` draws which specimens and in which order.
    """
    people.require(agent, "practise")
    _lock(session, agent)
    before = standing(session, agent)
    if before.open:
        return before
    order = chance.sample([one.key for one in specimens()], ROUND)
    session.add(PracticeRound(staff_id=agent.id, number=before.round + 1, specimens=order, begun_at=now))
    session.flush()
    return standing(session, agent)


def answer(session: Session, agent: Staff, key: str, given: Given, *, now: datetime) -> Verdict:
    """Take her answer to the specimen that is hers now, and end the round after its last one.

    Raises NotThisOne for any other specimen, ValueError where a reason or a photo is missing, NotAllowed.
    """
    people.require(agent, "practise")
    _lock(session, agent)
    held = session.scalars(
        select(PracticeRound).where(PracticeRound.staff_id == agent.id, PracticeRound.ended_at.is_(None))
    ).one_or_none()
    if held is None:
        raise NotThisOne("no round is open")
    before = standing(session, agent)
    if before.next != key:
        raise NotThisOne("another specimen is to be answered now")
    if given.action in ("reject", "ask_retake") and not given.reasons:
        raise ValueError("a rejection or retake names a reason")
    if given.action == "ask_retake" and not given.retake:
        raise ValueError("a retake names the photos to take again")
    verdict = judge(specimen(key), given)
    session.add(
        PracticeAnswer(
            round_id=held.id,
            number=len(before.answers) + 1,
            specimen=key,
            action=given.action,
            reasons=moves.codes(given.reasons),
            retake=moves.codes(given.retake),
            was_right=verdict.right,
            dangerous=verdict.dangerous,
            given_at=now,
        )
    )
    session.flush()
    if len(before.answers) + 1 == len(held.specimens):
        _end(session, agent, held, now=now)
    return verdict


def _end(session: Session, agent: Staff, held: PracticeRound, *, now: datetime) -> None:
    done = standing(session, agent)
    passed = done.right >= PASS_RIGHT and done.dangerous == 0
    held.ended_at, held.outcome = now, "passed" if passed else "not_passed"
    more: dict[str, Any] = {} if passed else {"dangerous": done.dangerous}
    if passed:
        agent.practising = False
    session.flush()
    audit.record(
        session,
        "practice_passed" if passed else "practice_failed",
        actor=audit.Actor.staff(agent),
        now=now,
        round_id=held.id,
        number=held.number,
        count=done.right,
        **more,
    )


def reset(session: Session, staff_id: UUID, *, lead: Staff, now: datetime) -> Staff:
    """Have an agent begin anew: her open round is over, she practises until she has passed one, her open cases are free again.

    What she answered stays. Raises NotAllowed (also for her who is no agent), NoResultFound.
    """
    people.require(lead, "reset_practice")
    agent = session.execute(select(Staff).where(Staff.id == staff_id).with_for_update(key_share=True)).scalar_one()
    if not people.may(agent, "practise"):
        raise people.NotAllowed("practise")
    held = session.scalars(
        select(PracticeRound).where(PracticeRound.staff_id == agent.id, PracticeRound.ended_at.is_(None))
    ).one_or_none()
    if held is not None:
        held.ended_at, held.outcome, held.reset_by_id = now, "reset", lead.id
    agent.practising = True
    freed = session.execute(
        update(Case)
        .where(Case.owner_id == agent.id)
        .values(owner_id=None, owner_until=None, version=Case.version + 1, updated_at=now)
        .execution_options(synchronize_session="fetch")
    )
    session.flush()
    audit.record(
        session,
        "practice_reset",
        actor=audit.Actor.staff(lead),
        now=now,
        staff_id=agent.id,
        round_id=held.id if held else None,
        count=freed.rowcount,  # type: ignore[attr-defined]
    )
    return agent


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An agent's practice as a lead sees it."""

    staff_id: UUID
    name: str
    practising: bool
    rounds: int  # begun so far
    answered: int  # of the newest round
    right: int
    dangerous: int
    outcome: str | None
    last_at: datetime | None


def progress(session: Session) -> list[Progress]:
    """Everybody who practises or did, who practises first, then by name. One query."""
    newest = (
        select(PracticeRound.staff_id, func.max(PracticeRound.number).label("number")).group_by(PracticeRound.staff_id).subquery()
    )
    rows = session.execute(
        select(
            Staff.id,
            Staff.name,
            Staff.practising,
            func.coalesce(func.max(PracticeRound.number), 0),
            func.count(PracticeAnswer.id),
            func.coalesce(func.sum(case((PracticeAnswer.was_right, 1), else_=0)), 0),
            func.coalesce(func.sum(case((PracticeAnswer.dangerous, 1), else_=0)), 0),
            func.max(PracticeRound.outcome),
            func.max(PracticeAnswer.given_at),
        )
        .outerjoin(newest, newest.c.staff_id == Staff.id)
        .outerjoin(PracticeRound, (PracticeRound.staff_id == Staff.id) & (PracticeRound.number == newest.c.number))
        .outerjoin(PracticeAnswer, PracticeAnswer.round_id == PracticeRound.id)
        .where(Staff.active, Staff.practising | newest.c.number.is_not(None))
        .group_by(Staff.id, Staff.name, Staff.practising)
        .order_by(Staff.practising.desc(), Staff.name)
    )
    return [
        Progress(
            staff_id=id, name=name, practising=practising, rounds=rounds, answered=answered, right=int(right),
            dangerous=int(dangerous), outcome=outcome, last_at=last,
        )
        for id, name, practising, rounds, answered, right, dangerous, outcome, last in rows
    ]  # fmt: skip


def _lock(session: Session, agent: Staff) -> None:
    """Two windows of hers answer one after the other."""
    session.flush()
    session.execute(
        select(Staff).where(Staff.id == agent.id).with_for_update(key_share=True).execution_options(populate_existing=True)
    )


SIGNS: dict[str, str] = {
    "same_person_glasses": N_(
        "Glasses and another light lower the score; they are no other person. Eyes, nose, mouth and chin are the same "
        "on all three pictures."
    ),
    "only_the_number_is_new": N_(
        "All but the number and the dates is what the account holds, and the passport says what was typed."
    ),
    "spelling_rule": N_("Typed in Cyrillic, printed in both alphabets: it is one name under the spelling rule named in the row."),
    "same_person_beard": N_("The beard is new. Look at what does not grow: eyes, brows, nose and ears are the same."),
    "read_it_yourself": N_(
        "The machine was not certain of the number. Read it yourself, in the red print and in the zone: it is what was typed."
    ),
    "older_kind": N_("Passports from before July 2011 have no zone, and this one has no end date. The page says what was typed."),
    "marks_on_letters": N_(
        "The account lacked the sign over one letter; the page prints it. The change mends a mistake, nothing else."
    ),
    "same_person_older": N_(
        "The portrait was printed nine years ago: the hair has gone grey, lines came, the shape of the face stayed. "
        "The face on file is newer and the same."
    ),
    "blurred_page": N_("Nothing on the page is sharp enough to stand on. A sharp photo of it settles the case."),
    "glare_on_zone": N_("The lamp burnt out the dates and a part of the zone. Without the reflection they can be read."),
    "zone_cut_off": N_(
        "The second line of the zone is not on the photo, and the check digits stand there. Ask for the whole page."
    ),
    "finger_on_surname": N_("A finger lies over the surname, the very detail that changes. Ask for the page without it."),
    "blurred_selfie": N_("A face out of focus proves nothing, neither for nor against. Ask for a sharp selfie."),
    "dark_selfie": N_("There may be a face in the dark, but nobody can compare it. Ask for a selfie in the light."),
    "passport_as_selfie": N_(
        "This is a photo of the passport, not of a person. The high score compares the print with itself. Ask for a selfie."
    ),
    "another_face": N_("The selfie shows another man than portrait and face on file: no hair, another nose, lines of age."),
    "look_alike": N_(
        "Hair and glasses mislead. The eyes have another colour and stand further apart, the nose is longer, the chin "
        "broader: another woman."
    ),
    "taken_over_account": N_(
        "Selfie and passport fit each other, but the account had another face so far. A thief's own passport always "
        "fits his own face: look at the face on file."
    ),
    "relative_on_file": N_(
        "Much alike, as brothers are. Chin, brows and the distance of the eyes are not those of the face on file."
    ),
    "edited_surname": N_("The printed surname was changed to fit the request; the zone still says the name on file."),
    "edited_number": N_(
        "The printed number is not the one in the zone, and that one is the number which the account had before."
    ),
    "wrong_check_digit": N_(
        "A check digit of the number does not hold. Offices do not make that mistake; who draws a zone by hand does."
    ),
    "expired": N_("The passport ended on 30 May 2026, before the request was sent."),
    "specimen_word": N_("The word for specimen is printed across the page, and there is no such state."),
    "other_birth_date": N_(
        "1997 in the passport, 1992 in the account: names may change, a birth date does not. That the account's date "
        "was typed makes the passport fit no better."
    ),
    "one_letter": N_(
        "One letter of the surname as typed is not the one in the passport. If approved, a wrong name would stand in the account."
    ),
}
"""What an agent is told of each specimen after her answer: the sign, and why it leads to the right answer."""
