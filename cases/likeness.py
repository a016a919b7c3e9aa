"""Other accounts that share something with a case: its document number, a photo, or one that is nearly the same.

Hints for an agent: nobody is refused by them. Everything is found by an index. The face itself is `cases.duplicates`.

A document number is compared in all the ways it is known: typed, on file, and as it was read from the photos, which may differ.

That two photos are nearly the same is told from their perceptual fingerprints (`verification.quality.fingerprint`, 256 bits).
Those lie sealed and cannot be searched, so each photo that is kept leaves marks: its fingerprint in PARTS parts, each hashed with
a key. Where two fingerprints differ in NEAR bits at most, at least PARTS - NEAR parts are equal (pigeonholes); of the photos that
share so many marks the fingerprints are opened and compared. Who has the database alone can tell from the marks which photos
may be alike, and nothing of what they show. They go with the upload when the case is shredded.

"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, tuple_
from sqlalchemy.orm import Session, joinedload

from cases import queue
from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.desk_tables import NumberRead, PhotoMark
from cases.lifecycle import State
from cases.models import Case, Photo, Upload
from verification.evidence import DocumentReading, Field
from verification.reasons import PhotoKind

PARTS = 8
NEAR = 6
"""Bits of 256 in which two fingerprints of one and the same photo differ at most; `verification.quality.SAME_PHOTO`."""

COMPARED = 50
"""Photos whose fingerprints are opened for one look at a case; those that share more marks first."""

SHOWN = 5
"""Other cases shown for one kind of likeness: an agent looks at each."""


class Kind(StrEnum):
    """What is shared."""

    NUMBER = "number"
    SELFIE = "selfie"
    DOCUMENT = "document"
    ON_FILE = "on_file"
    NEAR_SELFIE = "near_selfie"
    NEAR_DOCUMENT = "near_document"


@dataclass(frozen=True, kw_only=True, slots=True)
class Twin:
    """A case of another customer, and what it shares with this one."""

    case_id: UUID
    customer_id: UUID
    kind: Kind
    state: State
    opened_at: datetime
    bits: int | None = None  # of 256, in which the fingerprints of two nearly equal photos differ


def twins(session: Session, case: Case, photos: Sequence[Photo]) -> list[Twin]:
    """Everything found, the newest case first within each kind. `photos`: the case's current ones. At most six queries."""
    equal = [*same_number(session, case), *same_photo(session, case, photos)]
    same = {(twin.case_id, twin.kind.value) for twin in equal}
    return [
        *equal,
        *(t for t in near_photo(session, case, photos) if (t.case_id, t.kind.value.removeprefix("near_")) not in same),
    ]


def remember_numbers(session: Session, case: Case, reading: DocumentReading) -> None:
    """Index the document numbers that a run read, where they are not the one typed. The caller holds the case and commits.

    A photo may show another document than the one she typed the number of; the zone another number than the page. Each is kept,
    of every run: a photo that was replaced may be the one that another account sends.
    """
    parts = (reading.fields, reading.printed, reading.zone)
    read = [part[Field.DOCUMENT_NUMBER].value for part in parts if Field.DOCUMENT_NUMBER in part]
    long = {number for number in read if len(queue.normal_number(number)) >= queue.SHORTEST_NUMBER}
    fresh = {queue.index_of(session, number) for number in long} - numbers(session, case)
    session.add_all(NumberRead(case_id=case.id, number_index=index) for index in sorted(fresh))
    session.flush()


def numbers(session: Session, case: Case) -> frozenset[str]:
    """Blind indexes of every document number known of a case: typed or on file, and read. One query."""
    read = session.scalars(select(NumberRead.number_index).where(NumberRead.case_id == case.id)).all()
    return frozenset(read) | ({case.document_index} if case.document_index else frozenset())


def with_number(indexes: Iterable[str]) -> ColumnElement[bool]:
    """For queries over Case: one of these numbers was typed or read there. Both halves are served by an index."""
    wanted = sorted(indexes)
    typed = select(Case.id.label("id")).where(Case.document_index.in_(wanted))
    read = select(NumberRead.case_id.label("id")).where(NumberRead.number_index.in_(wanted))
    return Case.id.in_(select(typed.union(read).subquery().c.id))


def same_number(session: Session, case: Case) -> list[Twin]:
    """Cases of other customers with this document number, typed or read, told by its blind index. Two queries."""
    known = numbers(session, case)
    if not known:
        return []
    found = session.execute(
        select(Case.id, Case.customer_id, Case.state, Case.opened_at)
        .where(with_number(known), Case.customer_id != case.customer_id, Case.trial.is_(case.trial))
        .order_by(Case.opened_at.desc())
        .limit(SHOWN)
    )
    return [Twin(case_id=id_, customer_id=whose, kind=Kind.NUMBER, state=state, opened_at=at) for id_, whose, state, at in found]


def same_photo(session: Session, case: Case, photos: Sequence[Photo]) -> list[Twin]:
    """Cases of other customers with the very same picture, shredded ones included: hashes outlive photos. One query.

    A picture that is another account's face on file has no case; the newest case of that account stands for it.
    """
    own = {photo.sha256: photo.kind for photo in photos if photo.kind is not PhotoKind.ON_FILE}
    if not own:
        return []
    stands = (
        select(Case.id)
        .where(Case.customer_id == Photo.customer_id)
        .order_by(Case.opened_at.desc())
        .limit(1)
        .correlate(Photo)
        .scalar_subquery()
    )
    found = session.execute(
        select(Photo.sha256, Photo.kind, Case.id, Case.customer_id, Case.state, Case.opened_at)
        .join(Case, Case.id == func.coalesce(Photo.case_id, stands))
        .where(Photo.sha256.in_(own), Photo.customer_id != case.customer_id, Case.trial.is_(case.trial))
        .order_by(Case.opened_at.desc())
        .limit(4 * SHOWN)
    )
    out: dict[tuple[UUID, Kind], Twin] = {}
    for sha256, kind, id_, whose, state, at in found:
        what = Kind.ON_FILE if kind is PhotoKind.ON_FILE else Kind(own[sha256].value)
        out.setdefault((id_, what), Twin(case_id=id_, customer_id=whose, kind=what, state=state, opened_at=at))
    return list(out.values())[:SHOWN]


def near_photo(session: Session, case: Case, photos: Sequence[Photo]) -> list[Twin]:
    """Cases of other customers with a photo that is one of this case's current ones to the eye. At most three queries."""
    current = [photo.id for photo in photos if photo.case_id == case.id]
    own = session.scalars(select(Upload).where(Upload.case_id == case.id, Upload.photo_id.in_(current))).all() if current else []
    ours = {row.kind: bits for row in own if (bits := _fingerprint(session, case, row)) is not None}
    marks = [mark for kind, bits in ours.items() for mark in _marks(session, kind, bits)]
    if not marks:
        return []
    shared = func.count()
    candidates = session.execute(
        select(PhotoMark.case_id, PhotoMark.upload_id)
        .join(Case, Case.id == PhotoMark.case_id)
        .where(PhotoMark.mark.in_(marks), Case.customer_id != case.customer_id)
        .group_by(PhotoMark.case_id, PhotoMark.upload_id)
        .having(shared >= PARTS - NEAR)
        .order_by(shared.desc(), PhotoMark.case_id, PhotoMark.upload_id)
        .limit(COMPARED)
    ).all()
    if not candidates:
        return []
    rows = session.execute(
        select(Upload, Case)
        .join(Case, Case.id == Upload.case_id)
        .where(tuple_(Upload.case_id, Upload.id).in_([tuple(one) for one in candidates]))
        .options(joinedload(Case.data_key))
    ).all()
    out: dict[tuple[UUID, Kind], Twin] = {}
    for row, whose in rows:
        theirs, mine = _fingerprint(session, whose, row), ours.get(row.kind)
        if theirs is None or mine is None or len(theirs) != len(mine):
            continue
        apart = (int.from_bytes(theirs) ^ int.from_bytes(mine)).bit_count()
        kind = Kind(f"near_{row.kind.value}")
        twin = Twin(
            case_id=whose.id, customer_id=whose.customer_id, kind=kind, state=whose.state, opened_at=whose.opened_at, bits=apart
        )
        before = out.get((whose.id, kind))
        if apart <= NEAR and (before is None or before.bits is None or before.bits > apart):
            out[(whose.id, kind)] = twin
    return sorted(out.values(), key=lambda twin: (twin.bits or 0, str(twin.case_id)))[:SHOWN]


def mark(session: Session, upload: Upload, fingerprint: bytes) -> None:
    """Leave the marks of a photo that was kept. The upload is in the database; the caller commits."""
    session.add_all(
        PhotoMark(case_id=upload.case_id, upload_id=upload.id, part=part, mark=text)
        for part, text in enumerate(_marks(session, upload.kind, fingerprint))
    )
    session.flush()


def forget(session: Session, case_id: UUID) -> None:
    """Delete a case's marks, before its uploads, and the numbers that were read: for retention and erasure."""
    session.execute(delete(PhotoMark).where(PhotoMark.case_id == case_id))
    session.execute(delete(NumberRead).where(NumberRead.case_id == case_id))


def _marks(session: Session, kind: PhotoKind, fingerprint: bytes) -> list[str]:
    """A mark for each part; none for a fingerprint of a length that has no such parts."""
    size, rest = divmod(len(fingerprint), PARTS)
    if size == 0 or rest:
        return []
    secret: str = session.info["settings"].audit_key  # never changed, see `cases.queue.index_of`
    own = hmac.new(secret.encode(), b"peremena|photo marks|1", hashlib.sha256).digest()
    return [
        hmac.new(
            own, f"{kind.value}|{part}|".encode() + fingerprint[part * size : (part + 1) * size], hashlib.sha256
        ).hexdigest()[:24]
        for part in range(PARTS)
    ]


def _fingerprint(session: Session, case: Case, upload: Upload) -> bytes | None:
    """What `cases.uploads` sealed; None where the case was shredded, or its master key is gone."""
    if upload.look_sealed is None:
        return None
    try:
        return vault_of(session).open(case.data_key, upload.look_sealed, look_place(case.id, upload.id))
    except (KeyDestroyed, Unreadable):
        return None


def look_place(case_id: UUID, upload_id: UUID) -> str:
    """What a sealed fingerprint is bound to."""
    return f"upload|{case_id}|{upload_id}"
