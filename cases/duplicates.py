"""The same selfie or the same face in cases of other customers. Hints for an agent: nobody is refused by them.

That the very same picture came before is told from the hashes that photos have anyway. Faces are compared only where a
deployment has switched it on (`FACE_DUPLICATES`, off as shipped: it makes a register of faces). Then each case keeps the
encodings of its selfie's face, sealed with the case's own key, so that they become unreadable with its photos; a search opens
them one after the other, in parts, and keeps none. Sealed encodings admit no index, so there is none: a search reads all.

A face is kept in the transaction that ends its run; the search comes after, while nobody's writing waits for it, and what it
found is kept in a transaction of its own. A worker may die between any two: upkeep searches what was not searched yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, selectinload

from cases import audit
from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.models import Case, Customer, DataKey, FaceEncoding, Photo
from verification.calibration import CLEAN, FaceCalibration, shipped
from verification.evidence import FACE_CODE, Pair
from verification.reasons import PhotoKind, ReasonCode

Floats = NDArray[np.float32]

PART = 20_000
"""Encodings opened at a time: 20 MB as numbers."""

CLOSEST = 50
"""By the first voice, then compared by all; a face that is not among them is none of the same person."""

SHOWN = 5
"""Candidates kept for the desk at most."""

RARE = 1e-4
"""Share of strangers 0-1 that may score as much as a candidate; the rate that approval aims at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A case of another customer with a face like this one's. Numbers and ids only."""

    case_id: UUID
    customer_id: UUID
    similarity: float  # fused score, units of PairMeasures.similarity
    fmr: float  # share of strangers that score at least this, 0-1
    expected: float  # how many strangers among those searched would score at least this

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        return {**asdict(self), "case_id": str(self.case_id), "customer_id": str(self.customer_id)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Candidate:
        """Read what `to_json` wrote."""
        return cls(**{**data, "case_id": UUID(data["case_id"]), "customer_id": UUID(data["customer_id"])})


def standing(session: Session, case: Case) -> tuple[ReasonCode, ...]:
    """SELFIE_SENT_BEFORE where this very selfie lies in a case of another customer, shredded ones included.

    What lies in the sandbox says nothing of a real customer: whoever holds a test key may put any picture there.
    """
    own = select(Photo.sha256).where(Photo.case_id == case.id, Photo.kind == PhotoKind.SELFIE, Photo.current.is_(True))
    other = exists().where(
        Photo.sha256.in_(own),
        Photo.customer_id != case.customer_id,
        Customer.id == Photo.customer_id,
        Customer.sandbox.is_(case.trial),
    )
    return (ReasonCode.SELFIE_SENT_BEFORE,) if session.scalar(select(other)) else ()


def switched_on(session: Session) -> bool:
    """Whether this deployment keeps and compares faces across accounts."""
    settings = session.info["settings"]
    return bool(settings.face_duplicates and settings.biometrics)


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """What one search found, and for which face: one that was kept later is another."""

    case_id: UUID
    kept_at: datetime
    candidates: tuple[Candidate, ...]
    searched: int  # faces it was compared with


def remember(session: Session, case: Case, code: bytes | None, *, now: datetime) -> bool:
    """Keep the face of a case's newest selfie, to be searched for; returns whether there is one. The caller commits.

    `code` is `FaceReading.code`. Nothing is kept while the switch is off, without a face, of the sandbox, and for a case that was
    shredded meanwhile. A later run of the same case takes the place of the one before.
    """
    if not switched_on(session):
        return False
    forget(session, case.id)
    if code is None or case.trial or case.data_key.wrapped is None:
        return False
    session.add(
        FaceEncoding(
            case_id=case.id,
            customer_id=case.customer_id,
            data_key_id=case.data_key_id,
            code_sealed=vault_of(session).seal(case.data_key, code, _place(case.id)),
            candidates=[],
            searched=0,
            created_at=now,
        )
    )
    session.flush()
    return True


def search(session: Session, case_id: UUID) -> Searched | None:
    """Compare a kept face with those of other customers. Writes nothing; None where there is no face to search for.

    One that cannot be opened, since its master key is gone, was compared with nobody: else it would be tried for ever, first.
    """
    row = session.get(FaceEncoding, case_id) if switched_on(session) else None
    if row is None or row.searched_at is not None:
        return None
    try:
        code = vault_of(session).open(row.data_key, row.code_sealed, _place(case_id))
    except (KeyDestroyed, Unreadable):
        return Searched(case_id=case_id, kept_at=row.created_at, candidates=(), searched=0)
    found, searched = closest(code, _kept(session, row.customer_id), shipped())
    return Searched(case_id=case_id, kept_at=row.created_at, candidates=found, searched=searched)


def keep(session: Session, result: Searched, *, now: datetime) -> bool:
    """Keep what a search found, with an event; False where the face is gone, another, or was searched for meanwhile."""
    row = session.get(FaceEncoding, result.case_id, with_for_update=True, populate_existing=True)
    if row is None or row.created_at != result.kept_at or row.searched_at is not None:
        return False
    alive = set(session.scalars(select(Case.id).where(Case.id.in_([c.case_id for c in result.candidates]))))
    row.candidates = [c.to_json() for c in result.candidates if c.case_id in alive]
    row.searched, row.searched_at = result.searched, now
    session.flush()
    case = session.get_one(Case, result.case_id)
    audit.record(
        session, "faces_searched", actor=audit.MACHINE, now=now, case=case, count=result.searched, candidates=len(row.candidates)
    )
    return True


def unsearched(session: Session, *, now: datetime, older_than: timedelta, limit: int) -> list[UUID]:
    """Cases whose face was kept at least so long ago and not searched for since, oldest first."""
    if not switched_on(session):
        return []
    waiting = select(FaceEncoding.case_id).where(FaceEncoding.searched_at.is_(None), FaceEncoding.created_at <= now - older_than)
    return list(session.scalars(waiting.order_by(FaceEncoding.created_at).limit(limit)))


def candidates(session: Session, case: Case) -> tuple[tuple[Candidate, ...], int | None]:
    """What the newest search found for the desk, and among how many faces; None: a face is kept and not searched for yet."""
    row = session.get(FaceEncoding, case.id) if switched_on(session) else None
    if row is None:
        return (), 0
    return tuple(Candidate.from_json(c) for c in row.candidates), row.searched if row.searched_at is not None else None


def forget(session: Session, *case_ids: UUID) -> int:
    """Delete what is kept of these cases; returns how many had something. For retention, beside destroying the key."""
    session.flush()
    gone = session.scalars(delete(FaceEncoding).where(FaceEncoding.case_id.in_(case_ids)).returning(FaceEncoding.case_id)).all()
    session.expire_all()
    return len(gone)


def forget_person(session: Session, customer_id: UUID) -> int:
    """Delete what is kept of a customer, also where she stands as another case's candidate; returns how many faces."""
    own = session.scalars(select(FaceEncoding.case_id).where(FaceEncoding.customer_id == customer_id)).all()
    for row in session.scalars(select(FaceEncoding)):
        kept = [c for c in row.candidates if c["customer_id"] != str(customer_id)]
        if len(kept) != len(row.candidates):
            row.candidates = kept
    return forget(session, *own)


def forget_all(session: Session) -> int:
    """Delete every face kept: for the day the switch goes off. Returns how many."""
    session.flush()
    return len(session.scalars(delete(FaceEncoding).returning(FaceEncoding.case_id)).all())


def closest(
    code: bytes, kept: Iterable[tuple[list[tuple[UUID, UUID]], bytes]], calibration: FaceCalibration
) -> tuple[tuple[Candidate, ...], int]:
    """Find the faces like `code` in parts of (case and customer of each, their codes one after the other).

    Each part is one matrix product by the first voice; the `CLOSEST` of it are compared by both.
    """
    ours = _opened(code, calibration)
    near: list[tuple[float, UUID, UUID]] = []
    searched = 0
    for whose, codes in kept:
        theirs = _opened(codes, calibration)
        searched += len(whose)
        alike = theirs[0] @ ours[0][0]
        best = np.argpartition(-alike, min(CLOSEST, len(alike) - 1))[:CLOSEST]
        apart = {"sface": 1.0 - alike[best], "dlib": np.linalg.norm(theirs[1][best] - ours[1][0], axis=1)}
        scales = calibration.voices[CLEAN]
        fused = sum(s.weight * (s.mean - apart[name]) / s.deviation for name, s in scales.items() if name in apart)
        near.extend((float(score), *whose[n]) for score, n in zip(np.atleast_1d(fused), best, strict=True))
    found = []
    for score, case_id, customer in sorted(near, key=lambda one: (-one[0], str(one[1])))[:SHOWN]:
        fmr = calibration.fmr(Pair.SELFIE_ON_FILE, score)
        if fmr is not None and fmr <= RARE and fmr * searched < 1.0:
            found.append(
                Candidate(
                    case_id=case_id, customer_id=customer, similarity=round(score, 3), fmr=fmr, expected=round(fmr * searched, 6)
                )
            )
    return tuple(found), searched


def _opened(codes: bytes, calibration: FaceCalibration) -> tuple[Floats, Floats]:
    """Encodings of both voices without what all faces have in common: (n, 128) each, the first of length 1."""
    rows = np.frombuffer(codes, FACE_CODE).reshape(-1, 256).astype(np.float32)
    centres = calibration.centres.get(CLEAN, {})
    sface = rows[:, :128] - np.asarray(centres.get("sface", 0.0), np.float32)
    dlib = rows[:, 128:] - np.asarray(centres.get("dlib", 0.0), np.float32)
    return sface / np.maximum(np.linalg.norm(sface, axis=1, keepdims=True), 1e-12), dlib


def _kept(session: Session, customer_id: UUID) -> Iterator[tuple[list[tuple[UUID, UUID]], bytes]]:
    """The faces of other customers whose key still exists, opened in parts."""
    rows = session.scalars(
        select(FaceEncoding)
        .join(DataKey, DataKey.id == FaceEncoding.data_key_id)
        .where(FaceEncoding.customer_id != customer_id, DataKey.wrapped.is_not(None))
        .options(selectinload(FaceEncoding.data_key))
        .order_by(FaceEncoding.case_id)
        .execution_options(yield_per=1000)
    )
    vault = vault_of(session)
    ready = iter(rows)
    while part := list(islice(ready, PART)):
        whose, codes = [], bytearray()
        for row in part:
            try:
                codes += vault.open(row.data_key, row.code_sealed, _place(row.case_id))
            except Unreadable:
                continue  # sealed under a master key that is gone: nothing to compare, and no reason to stop a case
            whose.append((row.case_id, row.customer_id))
        if whose:
            yield whose, bytes(codes)


def _place(case_id: UUID) -> str:
    return f"face|{case_id}"
