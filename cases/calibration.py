"""A deployment's own calibration of the faces: labelled pairs from cases that agents decided, fitted, kept, and which one holds.

What it means stands in `verification.calibration`. Only similarities that runs measured are used, never a photo; a row of the
table holds numbers of scores and nothing of a person. While none holds, an automatic approval needs both references.

A calibration decides what passes as a policy does, so it changes hands as one: whoever may propose a policy proposes it, another
who may confirm one confirms, in either direction (docs/decisions/0019). To try a fit takes nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from cases import audit, policies, quality, ramps, replays, staff_mails
from cases import staff as people
from cases.lifecycle import State
from cases.models import UNMARKED, Calibration, Case, Disposition, Event, Run, RunState, Staff
from cases.ops_tables import CalibrationActivation, RunRecord
from cases.policies import Outdated, SamePerson
from verification.calibration import (
    NEWEST_PAIRS,
    OWN_EACH,
    OWN_LABEL,
    FaceCalibration,
    FmrTable,
    Odds,
    OwnPair,
    fit_own,
    never_kinder,
    rated,
    shipped,
)
from verification.decision import Outcome, decide
from verification.evidence import Measures, Pair
from verification.policy import Policy
from verification.reasons import ReasonCode

ANOTHER_PERSON: dict[ReasonCode, Pair] = {
    ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER: Pair.SELFIE_DOCUMENT,
    ReasonCode.SELFIE_ON_FILE_FACES_DIFFER: Pair.SELFIE_ON_FILE,
    ReasonCode.DOCUMENT_ON_FILE_FACES_DIFFER: Pair.DOCUMENT_ON_FILE,
}
"""Reasons of a rejection by which an agent says that two faces are two people. Other pairs of the case stay unlabelled:
a thief's own passport shows the thief."""

STANDS = {"approve": State.APPROVED, "reject": State.REJECTED}
"""In which state a case stands while an agent's answer stands."""

LOOKED_AT = ("selfie", "document")
"""Photos that an agent must have opened before her answer says anything of the faces."""

SHIPPED_AGAIN = 0
"""Stands in the trail for the shipped calibration where an own one has its number; those begin at 1."""

NEWEST_ANSWERS = 20_000
"""So many answers are looked through at most, whether or not they label a pair: a page waits for it."""

TOGETHER = 500
"""Cases whose events and runs are asked for at once; some databases take no more than 999 values in a question."""


class Waiting(Outdated):
    """A proposal waits already: one at a time, so that who confirms knows what it is compared with."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is proposed to hold, or what holds, and by whose word."""

    id: int
    number: int | None  # None: the shipped one
    calibration: FaceCalibration | None  # None: the shipped one; also where it was fitted on another shipped one
    base: str | None  # label of the shipped one that it was fitted on
    reason: str
    proposed_by: str | None  # name; None = held before it took two
    proposed_by_id: UUID | None
    proposed_at: datetime
    confirmed_by: str | None
    effective_at: datetime | None

    @property
    def outdated(self) -> bool:
        """Whether it was fitted on another shipped calibration than the one of this version: it can no longer hold."""
        return self.number is not None and self.calibration is None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Which calibration holds and what waits, for the ops page. `own` is None while the shipped one does."""

    shipped: FaceCalibration
    own: FaceCalibration | None
    held: Proposal | None  # by whose word; None while nothing but the shipped one ever held
    waiting: Proposal | None  # for a second person
    outdated: bool  # what was agreed on was fitted on an earlier shipped calibration and no longer holds
    given_up: bool  # two people let the shipped one hold again

    @property
    def holds(self) -> FaceCalibration:
        """The one that decides."""
        return self.own or self.shipped

    def age(self, on: date) -> int:
        """Days since it was fitted."""
        return max(0, (on - date.fromisoformat(self.holds.card["date"])).days)


def current(session: Session) -> FaceCalibration | None:
    """The own calibration that holds; None where there is none, or where it was fitted on another shipped one."""
    document, base = session.execute(
        select(Calibration.document, Calibration.base)
        .select_from(CalibrationActivation)
        .outerjoin(Calibration, Calibration.number == CalibrationActivation.number)
        .where(CalibrationActivation.effective_at.is_not(None))
        .order_by(CalibrationActivation.effective_at.desc(), CalibrationActivation.id.desc())
        .limit(1)
    ).one_or_none() or (None, None)
    return _read(document) if document is not None and base == shipped().label else None


def standing_calibration(session: Session) -> FaceCalibration:
    """The calibration that decides now: the own one, or else the shipped one."""
    return current(session) or shipped()


def standing(session: Session) -> Standing:
    """What the ops page tells. Two queries."""
    held = _agreed(session)
    return Standing(
        shipped=shipped(),
        own=held.calibration if held is not None else None,
        held=held,
        waiting=waiting(session),
        outdated=held is not None and held.outdated,
        given_up=held is not None and held.number is None,
    )


def waiting(session: Session) -> Proposal | None:
    """The proposal that waits for a second person."""
    row = CalibrationActivation
    return _proposal(session, and_(row.effective_at.is_(None), row.withdrawn_at.is_(None)), row.id.desc())


def _agreed(session: Session) -> Proposal | None:
    row = CalibrationActivation
    return _proposal(session, row.effective_at.is_not(None), row.effective_at.desc(), row.id.desc())


def _proposal(session: Session, which: Any, *order: Any) -> Proposal | None:
    proposer, confirmer = aliased(Staff), aliased(Staff)
    found = session.execute(
        select(CalibrationActivation, Calibration, proposer.name, confirmer.name)
        .outerjoin(Calibration, Calibration.number == CalibrationActivation.number)
        .outerjoin(proposer, proposer.id == CalibrationActivation.proposed_by_id)
        .outerjoin(confirmer, confirmer.id == CalibrationActivation.confirmed_by_id)
        .where(which)
        .order_by(*order)
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    row, kept, proposed_by, confirmed_by = found
    return Proposal(
        id=row.id,
        number=row.number,
        calibration=_opened(kept) if kept is not None else None,
        base=kept.base if kept is not None else None,
        reason=row.reason,
        proposed_by=proposed_by,
        proposed_by_id=row.proposed_by_id,
        proposed_at=row.proposed_at,
        confirmed_by=confirmed_by,
        effective_at=row.effective_at,
    )


AGES_AFTER = timedelta(days=365)
"""A calibration older than this is warned of: cameras, documents and who comes change within a year, and faces on file age."""

LATELY = 500
"""Newest runs whose models are compared with those of the calibration."""


def other_models(session: Session) -> tuple[int, int]:
    """Of the newest runs that compared faces, how many used other models than those of the calibration, and of how many."""
    base = shipped()
    own = {row.number: row.base for row in session.execute(select(Calibration.number, Calibration.base))}
    compared = [measures for _attempt, measures in _lately(session) if measures.pairs]
    return sum(not _of_these_models(measures, base, own) for measures in compared), len(compared)


def _lately(session: Session) -> list[tuple[int, Measures]]:
    """Attempt and measures of the newest finished runs, newest first."""
    return [
        (attempt, Measures.from_json(document))
        for attempt, document in session.execute(
            select(Run.attempt, Run.measures)
            .where(Run.state == RunState.FINISHED, Run.measures.is_not(None))
            .order_by(Run.finished_at.desc())
            .limit(LATELY)
        )
        if document is not None
    ]


def named(session: Session, label: str) -> FaceCalibration | None:
    """The own calibration of this label, holding or not: by it an old score stays explainable. None where there is none."""
    for row in session.scalars(select(Calibration).where(Calibration.document.is_not(None))):
        if row.document is not None and row.document["label"] == label:
            return _read(row.document)
    return None


def labelled_pairs(session: Session) -> Iterator[OwnPair]:
    """Pairs of faces that agents labelled, newest case first: both ways of the truth.

    Approved by an agent who had opened the photos, and not disputed or undone since: every measured pair is of one person.
    Rejected because two faces are two people: that pair is of two. Scores of photos that were sent again since are left out,
    and those of other models or of another shipped calibration, since they are not of the same scale.
    """
    base = shipped()
    own = {row.number: row.base for row in session.execute(select(Calibration.number, Calibration.base))}
    for part in _answered(session):
        looked, found = _looks(session, [row.id for row in part]), _measured(session, [row.id for row in part])
        for row in part:
            if not all(_before(looked.get((row.id, str(row.staff_id), photo)), row.created_at) for photo in LOOKED_AT):
                continue
            run = next((r for r in found.get(row.id, ()) if r.attempt == row.attempt and r.at <= row.created_at), None)
            if run is None:
                continue
            measures = Measures.from_json(run.measures)
            if not _of_these_models(measures, base, own):
                continue
            if row.action == "approve":
                labels = dict.fromkeys(measures.pairs, True)
            else:
                labels = {
                    pair: False for code, pair in ANOTHER_PERSON.items() if code.value in row.reasons and pair in measures.pairs
                }
            for pair, same in labels.items():
                if measures.pairs[pair].similarity is not None:
                    yield OwnPair(
                        pair=pair,
                        similarity=measures.pairs[pair].similarity,
                        same=same,
                        person=str(row.customer_id),
                        sex=run.sex,
                        age=run.age,
                    )


def _answered(session: Session) -> Iterator[list[Any]]:
    """Cases whose last answer is an agent's and stands, newest first, TOGETHER at a time; no more is read than is asked for."""
    seen: set[UUID] = set()
    read = 0
    wanted = (
        select(Case.id, Case.customer_id, Case.attempt, Case.state, Case.disputed_at, Disposition.staff_id, Disposition.action,
               Disposition.reasons, Disposition.created_at, Disposition.id.label("disposition_id"))
        .join(Disposition, Disposition.case_id == Case.id)
        .where(Disposition.action.in_(tuple(STANDS)), Case.state.in_(tuple(STANDS.values())), UNMARKED)
        .order_by(Disposition.created_at.desc(), Disposition.id.desc())
        .limit(TOGETHER)
    )  # fmt: skip
    page = wanted
    while read < NEWEST_ANSWERS and (rows := session.execute(page).all()):
        read += len(rows)
        part = []
        for row in rows:
            if row.id not in seen and STANDS[row.action] is row.state and row.disputed_at is None:
                part.append(row)
            seen.add(row.id)  # an appeal was answered: the last answer counts
        yield part
        at, last = rows[-1].created_at, rows[-1].disposition_id
        page = wanted.where(
            Disposition.created_at <= at,  # says nothing more than what follows, but an index is read from here
            or_(Disposition.created_at < at, Disposition.id < last),
        )


def fit(session: Session, *, now: datetime) -> FaceCalibration:
    """Fit an own calibration on the newest labelled pairs. Keeps nothing and asks for nobody: it holds once two people agree.

    Raises TooFewPairs, and ValueError where in these pairs likeness does not speak for one person. Takes seconds where there
    are thousands of pairs: call it before the transaction that proposes, which keeps other writers waiting.
    """
    return fitted(islice(labelled_pairs(session), NEWEST_PAIRS), now=now)


def fitted(pairs: Iterable[OwnPair], *, now: datetime) -> FaceCalibration:
    """As `fit`, on pairs that were read already."""
    return fit_own(shipped(), pairs, label=f"{OWN_LABEL}(proposed)", date=now.date().isoformat())


def propose(session: Session, made: FaceCalibration | None, *, by: Staff, reason: str, now: datetime) -> CalibrationActivation:
    """Propose that a fitted calibration holds, or with None that the shipped one holds again. It decides nothing yet.

    Raises NotAllowed; Waiting while another proposal is open; Outdated where nothing would change; ValueError without a reason
    and for what was not fitted here: on another shipped calibration, or kinder than it anywhere.
    """
    people.require(by, "propose_policy")
    reason = policies.told(reason)
    base = shipped()
    if made is not None and (made.card.get("base") != base.label or not never_kinder(made, base)):
        raise ValueError("an own calibration is fitted on the shipped one that holds, and is never kinder")
    audit.one_writer(session)
    if waiting(session) is not None:
        raise Waiting("a proposal waits for a second person: confirm or withdraw it first")
    held = _agreed(session)
    if made is None and (held is None or held.number is None):
        raise Outdated("the shipped calibration holds already")
    number = None
    if made is not None:
        number = (session.scalar(select(func.max(Calibration.number))) or 0) + 1
        document = {
            "label": f"{OWN_LABEL}{number}",
            "card": made.card,
            "tables": {name: table.to_json() for name, table in made.tables.items()},
            "odds": {name: odds.to_json() for name, odds in made.odds.items()},
        }
        pairs = int(made.card["pairs"])
        session.add(Calibration(number=number, document=document, base=base.label, pairs=pairs, created_at=now))
        session.flush()
    activation = CalibrationActivation(
        number=number, against_id=held.id if held else None, reason=reason, proposed_by_id=by.id, proposed_at=now
    )
    session.add(activation)
    session.flush()
    audit.record(
        session, "calibration_proposed", actor=audit.Actor.staff(by), now=now,
        activation_id=activation.id, calibration=number or SHIPPED_AGAIN, count=int(made.card["pairs"]) if made else 0,
    )  # fmt: skip
    staff_mails.tell(
        session,
        "confirm_policy",
        staff_mails.SECOND_WANTED,
        key=f"calibration:{activation.id}",
        context={"what": "calibration"},
        now=now,
        but=[by.id],
    )
    return activation


def confirm(session: Session, activation_id: int, *, by: Staff, now: datetime) -> CalibrationActivation:
    """Let it hold from the next run on. Raises NotAllowed, SamePerson, NoResultFound; Outdated where it is no longer open, or was
    fitted on another shipped calibration, or where another holds than when it was proposed.
    """
    people.require(by, "confirm_policy")
    audit.one_writer(session)
    activation = session.get_one(CalibrationActivation, activation_id, populate_existing=True)
    if activation.proposed_by_id == by.id:
        raise SamePerson("another person has to confirm this")
    held = _agreed(session)
    if not _open(activation) or activation.against_id != (held.id if held else None):
        raise Outdated("this proposal is no longer open")
    kept = session.get_one(Calibration, activation.number) if activation.number is not None else None
    if kept is not None and kept.base != shipped().label:
        raise Outdated("it was fitted on an earlier shipped calibration")
    activation.confirmed_by_id = by.id
    activation.effective_at = _after(held, now)
    session.flush()
    audit.record(
        session, "calibrated", actor=audit.Actor.staff(by), now=now, activation_id=activation.id,
        calibration=activation.number or SHIPPED_AGAIN, count=kept.pairs if kept else 0, proposed_by=activation.proposed_by_id,
    )  # fmt: skip
    return activation


def withdraw(session: Session, activation_id: int, *, by: Staff, now: datetime) -> CalibrationActivation:
    """Close a proposal that nobody confirmed. Anyone who may propose may do it. Raises NotAllowed, Outdated, NoResultFound."""
    people.require(by, "propose_policy")
    audit.one_writer(session)
    activation = session.get_one(CalibrationActivation, activation_id, populate_existing=True)
    if not _open(activation):
        raise Outdated("this proposal is no longer open")
    activation.withdrawn_at = now
    session.flush()
    audit.record(
        session, "calibration_withdrawn", actor=audit.Actor.staff(by), now=now,
        activation_id=activation.id, calibration=activation.number or SHIPPED_AGAIN,
    )  # fmt: skip
    return activation


def _open(activation: CalibrationActivation) -> bool:
    return activation.effective_at is None and activation.withdrawn_at is None


def _after(held: Proposal | None, now: datetime) -> datetime:
    """`now`, or just after what holds where another machine's clock runs ahead."""
    if held is None or held.effective_at is None or now > held.effective_at:
        return now
    return held.effective_at + timedelta(microseconds=1)


# What a change would do


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What another calibration would do, from what is kept: shown to who confirms it."""

    never_kinder: bool  # at every similarity of every kind of pair it rates strangers at least as high as what holds
    runs: int  # newest runs whose faces were compared on this scale
    flows: dict[tuple[Outcome, Outcome], int]  # what they come to by what holds and by the other, where these differ
    one_may_decide: bool  # one reference may decide from then on, and may not now
    without_face_on_file: int  # of the newest runs: had no face on file, which is all that sends them to a person now
    policy: int  # version that these were decided by


def effects(session: Session, other: FaceCalibration | None) -> Effects:
    """Decide the newest runs by the calibration that holds and by `other` (None: the shipped one), under the policy that holds.

    Opens no photo. What stands against a case apart from its photos is not known here and left out on both sides.
    """
    held, base, policy = current(session), shipped(), policies.current(session)
    flows: Counter[tuple[Outcome, Outcome]] = Counter()
    runs = freed = 0
    own = {row.number: row.base for row in session.execute(select(Calibration.number, Calibration.base))}
    for attempt, measures in _lately(session):
        if not measures.pairs or not _of_these_models(measures, base, own):
            continue
        runs += 1
        was = decide(rated(measures, held, base), policy, attempt=attempt)
        then = decide(rated(measures, other, base), policy, attempt=attempt)
        if was.outcome is not then.outcome:
            flows[was.outcome, then.outcome] += 1
        freed += was.reasons == (ReasonCode.NO_FACE_ON_FILE,) and ReasonCode.NO_FACE_ON_FILE not in then.reasons
    alone = other is not None and other.one_may_decide and not (held is not None and held.one_may_decide)
    return Effects(
        never_kinder=never_kinder(other or base, held or base),
        runs=runs,
        flows=dict(flows),
        one_may_decide=alone and not all(version.require_face_on_file for version in _deciding(session, policy)),
        without_face_on_file=freed,
        policy=policy.version,
    )


def _deciding(session: Session, policy: Policy) -> list[Policy]:
    """The policy that holds, and one on its way up."""
    ramp = ramps.under_way(session)
    return [policy] if ramp is None else [policy, ramp.policy]


# Groups


LEAST_IN_A_GROUP = OWN_EACH
"""Customers of a group below which no rate is told: of 30, none wrong, Wilson's interval still ends at 11 %."""

AGES = ((0, 2, "age: 0-29"), (3, 4, "age: 30-49"), (5, 6, "age: 50-69"), (7, 25, "age: 70-119"))
"""First and last full tens of years, and the group's name as `verification.calibration.GroupRates` writes them."""

EVERYBODY = "all"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What agents' answers say of one kind of pair among one group of customers, at the policy's line.

    Each customer counts once on each side, with her newest pair. A share is None where there are fewer than LEAST_IN_A_GROUP.
    """

    group: str  # as GroupRates.group
    pair: Pair
    genuines: int
    impostors: int
    fnmr: quality.Share | None  # right people below the line
    fmr: quality.Share | None  # strangers who reach it


def slices(pairs: Iterable[OwnPair], policy: Policy) -> list[Slice]:
    """False matches and false non-matches by sex and age band, of everybody first. `pairs` stand newest first."""
    once: dict[tuple[Pair, bool, str], OwnPair] = {}
    for p in pairs:
        once.setdefault((p.pair, p.same, p.person), p)
    groups = [EVERYBODY, "sex: female", "sex: male", *(name for _low, _high, name in AGES)]
    found = []
    for group in groups:
        for pair in Pair:
            line = policy.min_similarity(pair)
            mine = [p for p in once.values() if p.pair is pair and group in _groups_of(p)]
            same, other = [p for p in mine if p.same], [p for p in mine if not p.same]
            found.append(
                Slice(
                    group=group,
                    pair=pair,
                    genuines=len(same),
                    impostors=len(other),
                    fnmr=_share(sum(p.similarity < line for p in same), len(same)),
                    fmr=_share(sum(p.similarity >= line for p in other), len(other)),
                )
            )
    return found


def _groups_of(p: OwnPair) -> set[str]:
    sex = {"F": "sex: female", "M": "sex: male"}.get(p.sex)
    age = next((name for low, high, name in AGES if low <= p.age <= high), None) if p.age else None
    return {EVERYBODY} | {name for name in (sex, age) if name is not None}


def _share(wrong: int, n: int) -> quality.Share | None:
    return quality.share(wrong, n) if n >= LEAST_IN_A_GROUP else None


def _opened(row: Calibration) -> FaceCalibration | None:
    return _read(row.document) if row.document is not None and row.base == shipped().label else None


def _read(document: dict[str, Any]) -> FaceCalibration:
    return replace(
        shipped(),
        label=document["label"],
        card=document["card"],
        tables={name: FmrTable.from_json(table) for name, table in document["tables"].items()},
        odds={name: Odds.from_json(odds) for name, odds in document["odds"].items()},
    )


def _before(looked: datetime | None, answered: datetime) -> bool:
    return looked is not None and looked <= answered


def _looks(session: Session, case_ids: list[UUID]) -> dict[tuple[UUID, str, str], datetime]:
    """When each agent first opened each kind of photo of these cases, as the trail says: (case, agent, kind) -> time."""
    opened = session.execute(
        select(Event.case_id, Event.actor_id, Event.details, Event.at)
        .where(Event.case_id.in_(case_ids), Event.kind == "photo_opened", Event.actor_kind == "staff")
        .order_by(Event.at.desc())
    )
    return {(case_id, staff, details.get("photo", "")): at for case_id, staff, details, at in opened if case_id and staff}


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """A finished run of a case, and the group of its customer, as far as its record tells."""

    attempt: int
    at: datetime
    measures: dict[str, Any]
    sex: str
    age: int


def _measured(session: Session, case_ids: list[UUID]) -> dict[UUID, list[_Measured]]:
    """The finished runs of these cases, newest first."""
    runs: dict[UUID, list[_Measured]] = {}
    for case_id, attempt, at, measures, packed in session.execute(
        select(Run.case_id, Run.attempt, Run.finished_at, Run.measures, RunRecord.packed)
        .outerjoin(RunRecord, RunRecord.run_id == Run.id)
        .where(Run.case_id.in_(case_ids), Run.state == RunState.FINISHED, Run.measures.is_not(None))
        .order_by(Run.finished_at.desc(), Run.fence.desc())
    ):
        sex, age = _group_of(packed)
        runs.setdefault(case_id, []).append(_Measured(attempt=attempt, at=at, measures=measures, sex=sex, age=age))
    return runs


def _group_of(packed: bytes | None) -> tuple[str, int]:
    """Sex and full tens of years, as the record of a run tells them; empty and 0 where there is none, as after an erasure."""
    if packed is None or len(packed) != replays.ROW.itemsize:
        return "", 0
    row = np.frombuffer(packed, replays.ROW)[0]
    return bytes(row["sex"]).decode("ascii", "ignore"), int(row["age_band"])


def _of_these_models(measures: Measures, base: FaceCalibration, own: dict[int, str]) -> bool:
    """Whether the scores are on the scale of `base`: its own label, or of an own one fitted on it (`own`: number -> base)."""
    if not set(base.engines) <= set(measures.engines):
        return False
    numbers = [name.removeprefix(OWN_LABEL) for name in measures.engines if name.startswith(OWN_LABEL)]
    return base.label in measures.engines or any(own.get(int(number)) == base.label for number in numbers if number.isdecimal())
