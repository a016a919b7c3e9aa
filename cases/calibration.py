"""A deployment's own calibration of the faces: labelled pairs from cases that agents decided, fitted, kept, and which one holds.

What it means stands in `verification.calibration`. Only similarities that runs measured are used, never a photo; a row of the
table holds numbers of scores and nothing of a person. While none holds, an automatic approval needs both references.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import audit
from cases.lifecycle import State
from cases.models import Calibration, Case, Disposition, Event, Run, RunState
from verification.calibration import OWN_LABEL, FaceCalibration, FmrTable, Odds, OwnPair, fit_own, shipped
from verification.evidence import Measures, Pair
from verification.reasons import ReasonCode

ANOTHER_PERSON: dict[ReasonCode, Pair] = {
    ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER: Pair.SELFIE_DOCUMENT,
    ReasonCode.SELFIE_ON_FILE_FACES_DIFFER: Pair.SELFIE_ON_FILE,
    ReasonCode.DOCUMENT_ON_FILE_FACES_DIFFER: Pair.DOCUMENT_ON_FILE,
}
"""Reasons of a rejection by which an agent says that two faces are two people. Other pairs of the case stay unlabelled:
a thief's own passport shows the thief."""

LOOKED_AT = ("selfie", "document")
"""Photos that an agent must have opened before her answer says anything of the faces."""

TOGETHER = 500
"""Cases whose events and runs are asked for at once; some databases take no more than 999 values in a question."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Which calibration holds, for the ops page. `own` is None while the shipped one does."""

    shipped: FaceCalibration
    own: FaceCalibration | None
    number: int | None  # of the newest row, whether it holds or not
    outdated: bool  # the newest was fitted on an earlier shipped calibration and no longer holds
    given_up: bool  # the newest says that the shipped one holds again
    pairs: int  # labelled pairs that there are now
    genuine: int


def current(session: Session) -> FaceCalibration | None:
    """The own calibration that holds; None where there is none, or where it was fitted on another shipped one."""
    newest = _newest(session)
    return _opened(newest) if newest is not None else None


def standing_calibration(session: Session) -> FaceCalibration:
    """The calibration that decides now: the own one, or else the shipped one."""
    return current(session) or shipped()


def standing(session: Session) -> Standing:
    """What the ops page tells."""
    newest = _newest(session)
    own = _opened(newest) if newest is not None else None
    pairs = list(labelled_pairs(session))
    return Standing(
        shipped=shipped(),
        own=own,
        number=newest.number if newest is not None else None,
        outdated=newest is not None and newest.document is not None and own is None,
        given_up=newest is not None and newest.document is None,
        pairs=len(pairs),
        genuine=sum(p.same for p in pairs),
    )


AGES_AFTER = timedelta(days=365)
"""A calibration older than this is warned of: cameras, documents and who comes change within a year, and faces on file age."""

LATELY = 500
"""Newest runs whose models are compared with those of the calibration."""


def other_models(session: Session) -> tuple[int, int]:
    """Of the newest runs that compared faces, how many used other models than those of the calibration, and of how many."""
    base = shipped()
    own = {row.number: row.base for row in session.execute(select(Calibration.number, Calibration.base))}
    found = [
        Measures.from_json(document)
        for document in session.scalars(
            select(Run.measures)
            .where(Run.state == RunState.FINISHED, Run.measures.is_not(None))
            .order_by(Run.finished_at.desc())
            .limit(LATELY)
        )
        if document is not None
    ]
    compared = [measures for measures in found if measures.pairs]
    return sum(not _of_these_models(measures, base, own) for measures in compared), len(compared)


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
    decided = session.execute(
        select(Case.id, Case.customer_id, Case.attempt, Case.state, Case.disputed_at, Disposition.staff_id, Disposition.action,
               Disposition.reasons, Disposition.created_at)
        .join(Disposition, Disposition.case_id == Case.id)
        .where(Disposition.action.in_(("approve", "reject")), Case.state.in_((State.APPROVED, State.REJECTED)))
        .order_by(Disposition.created_at.desc(), Disposition.id)
    ).all()  # fmt: skip
    last = {row.id: row for row in reversed(decided)}  # an appeal was answered: the last answer counts
    answered = [
        last[case_id]
        for case_id in dict.fromkeys(row.id for row in decided)
        if (last[case_id].action, last[case_id].state) in (("approve", State.APPROVED), ("reject", State.REJECTED))
        and last[case_id].disputed_at is None
    ]
    own = {row.number: row.base for row in session.execute(select(Calibration.number, Calibration.base))}
    for at in range(0, len(answered), TOGETHER):
        part = answered[at : at + TOGETHER]
        looked, found = _looks(session, [row.id for row in part]), _measured(session, [row.id for row in part])
        for row in part:
            if not all(_before(looked.get((row.id, str(row.staff_id), photo)), row.created_at) for photo in LOOKED_AT):
                continue
            document = next(
                (m for attempt, when, m in found.get(row.id, ()) if attempt == row.attempt and when <= row.created_at), None
            )
            if document is None:
                continue
            measures = Measures.from_json(document)
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
                    yield OwnPair(pair=pair, similarity=measures.pairs[pair].similarity, same=same, person=str(row.customer_id))


def calibrate(session: Session, *, now: datetime, keep: bool = True) -> FaceCalibration:
    """Fit an own calibration on all labelled pairs and let it hold from the next run on. Raises TooFewPairs.

    `keep` False: fit and return it only. The caller commits.
    """
    audit.one_writer(session)
    number = (session.scalar(select(func.max(Calibration.number))) or 0) + 1
    made = fit_own(shipped(), labelled_pairs(session), label=f"{OWN_LABEL}{number}", date=now.date().isoformat())
    if not keep:
        return made
    document = {
        "label": made.label,
        "card": made.card,
        "tables": {name: table.to_json() for name, table in made.tables.items()},
        "odds": {name: odds.to_json() for name, odds in made.odds.items()},
    }
    _add(session, number, document, pairs=int(made.card["pairs"]), now=now)
    return made


def give_up(session: Session, *, now: datetime) -> None:
    """Let the shipped calibration hold again, from the next run on. The caller commits."""
    audit.one_writer(session)
    _add(session, (session.scalar(select(func.max(Calibration.number))) or 0) + 1, None, pairs=0, now=now)


def _add(session: Session, number: int, document: dict[str, Any] | None, *, pairs: int, now: datetime) -> None:
    session.add(Calibration(number=number, document=document, base=shipped().label, pairs=pairs, created_at=now))
    session.flush()
    audit.record(session, "calibrated", actor=audit.SYSTEM, now=now, calibration=number, count=pairs)


def _newest(session: Session) -> Calibration | None:
    return session.scalars(select(Calibration).order_by(Calibration.number.desc()).limit(1)).one_or_none()


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


def _measured(session: Session, case_ids: list[UUID]) -> dict[UUID, list[tuple[int, datetime, dict[str, Any]]]]:
    """Attempt, end and measures of each finished run of these cases, newest first."""
    runs: dict[UUID, list[tuple[int, datetime, dict[str, Any]]]] = {}
    for case_id, attempt, at, measures in session.execute(
        select(Run.case_id, Run.attempt, Run.finished_at, Run.measures)
        .where(Run.case_id.in_(case_ids), Run.state == RunState.FINISHED, Run.measures.is_not(None))
        .order_by(Run.finished_at.desc(), Run.fence.desc())
    ):
        runs.setdefault(case_id, []).append((attempt, at, measures))
    return runs


def _of_these_models(measures: Measures, base: FaceCalibration, own: dict[int, str]) -> bool:
    """Whether the scores are on the scale of `base`: its own label, or of an own one fitted on it (`own`: number -> base)."""
    if not set(base.engines) <= set(measures.engines):
        return False
    numbers = [name.removeprefix(OWN_LABEL) for name in measures.engines if name.startswith(OWN_LABEL)]
    return base.label in measures.engines or any(own.get(int(number)) == base.label for number in numbers if number.isdecimal())
