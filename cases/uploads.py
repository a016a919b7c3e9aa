"""One answer to each photo that is sent, however often the phone sends it: kept once, or refused with the same words.

A phone on a bad network sends until it hears an answer, and the answer to a photo that was kept may be what got lost. So each
upload has a number that the phone made up, and what became of it is a row that both web processes see. Knows no pixels: whether a
photo will do is measured before, and how alike two are is told from fingerprints made where it was decoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import intake, likeness, moves
from cases.crypto import vault_of
from cases.lifecycle import Action, IllegalTransition, State
from cases.models import Case, Photo, Upload
from verification.evidence import Quality
from verification.reasons import PhotoKind, ReasonCode

NO_TWO = -1
"""As `near`: no two photos are one and the same, but for their bytes. Specimens of the sandbox differ in a mark alone."""

REFUSALS_BEFORE_ANYWAY = 3
"""After so many refusals of one photo the customer may send the next as it is; a person will look."""


class UploadDiffers(Exception):
    """This number was used for other bytes, or for the other photo."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What decoding made of an upload: the clean JPEG, its quality, and its perceptual fingerprint as bytes."""

    clean: bytes
    quality: Quality
    fingerprint: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of an upload."""

    kept: bool
    problems: tuple[ReasonCode, ...] = ()  # empty where it was kept
    same: bool = False  # it is the photo that was refused before
    may_insist: bool = False  # the next one may be sent as it is


def known(session: Session, case_id: UUID, upload_id: UUID, kind: PhotoKind, *, sha256: str) -> Answer | None:
    """The answer that this upload was given, None where it is new. Raises UploadDiffers."""
    row = session.get(Upload, (case_id, upload_id))
    if row is None:
        return None
    if row.sha256 != sha256 or row.kind is not kind:
        raise UploadDiffers(f"upload {upload_id} was another photo")
    return _answer(session, session.get_one(Case, case_id), row)


def refused_already(session: Session, case: Case, kind: PhotoKind, *, sha256: str) -> tuple[ReasonCode, ...] | None:
    """Why the very same file was refused since the last photo was kept; None where it was not. It need not be decoded again."""
    for row in _refused(session, case, kind):
        if row.sha256 == sha256:
            return tuple(ReasonCode(code) for code in row.codes)
    return None


def may_insist(session: Session, case: Case, kind: PhotoKind) -> bool:
    """Whether the next photo of this kind may be sent as it is."""
    return sum(_is_picture(row) for row in _refused(session, case, kind)) >= REFUSALS_BEFORE_ANYWAY


def settle(
    session: Session,
    case_id: UUID,
    upload_id: UUID,
    kind: PhotoKind,
    *,
    sha256: str,
    look: Look | None,
    problems: Sequence[ReasonCode],
    near: int,
    insists: bool = False,
    now: datetime,
) -> Answer:
    """Keep the photo or refuse it, once; whoever comes second with the same number gets the answer of the first.

    `look` is None where the file is no picture, or was not looked at because `refused_already` knew it. `near` is the largest
    distance, in bits, at which two fingerprints are of one and the same photo. `insists`: she sends it as it is, which counts
    once REFUSALS_BEFORE_ANYWAY were refused. Raises IllegalTransition, UploadDiffers. The caller commits, whatever the answer.
    """
    case = moves.lock(session, case_id)
    before = known(session, case_id, upload_id, kind, sha256=sha256)
    if before is not None:
        return before
    if case.state not in (State.DRAFT, State.NEEDS_RETAKE):
        raise IllegalTransition(case.state, Action.SUBMIT)
    again = _is_asked_again(session, case, kind, look, near=near)
    if again:
        problems = ()  # what was wrong with it she was told when a new one was asked for, and nothing can be insisted on
    photo = None
    if look is not None and not again and (not problems or (insists and may_insist(session, case, kind))):
        photo = intake.attach_photo(session, case_id, kind, look.clean, look.quality, accepted_despite=problems, now=now)
    row = Upload(
        case_id=case.id,
        id=upload_id,
        number=(session.scalar(select(func.max(Upload.number)).where(Upload.case_id == case.id)) or 0) + 1,
        kind=kind,
        attempt=case.attempt,
        sha256=sha256,
        photo_id=photo.id if photo else None,
        codes=moves.codes(problems),
        same=photo is None and (again or _was_refused(session, case, kind, sha256, look, near=near)),
        look_sealed=vault_of(session).seal(case.data_key, look.fingerprint, _place(case.id, upload_id)) if look else None,
        created_at=now,
    )
    session.add(row)
    session.flush()
    if photo is not None and look is not None and not case.trial:  # everybody sends the same specimens
        likeness.mark(session, row, look.fingerprint)
    return _answer(session, case, row)


def _answer(session: Session, case: Case, row: Upload) -> Answer:
    if row.photo_id is not None:
        return Answer(kept=True)
    problems = tuple(ReasonCode(code) for code in row.codes)
    offer = bool(problems) and _is_picture(row) and may_insist(session, case, row.kind)
    return Answer(kept=False, problems=problems, same=row.same, may_insist=offer)


def _is_picture(row: Upload) -> bool:
    """Whether it could be decoded: what could not is refused however often it comes, and nobody could look at it."""
    return not any(code.startswith("image_") for code in row.codes)


def _refused(session: Session, case: Case, kind: PhotoKind) -> list[Upload]:
    """What was refused in this attempt since a photo of this kind was last kept, oldest first."""
    mine = Upload.case_id == case.id, Upload.kind == kind, Upload.attempt == case.attempt
    last = select(func.coalesce(func.max(Upload.number), 0)).where(*mine, Upload.photo_id.is_not(None)).scalar_subquery()
    return list(session.scalars(select(Upload).where(*mine, Upload.number > last).order_by(Upload.number)))


def _was_refused(session: Session, case: Case, kind: PhotoKind, sha256: str, look: Look | None, *, near: int) -> bool:
    """Whether this is, byte by byte or to the eye, a photo that was refused a moment ago."""
    rows = _refused(session, case, kind)
    return any(row.sha256 == sha256 for row in rows) or _is_near(session, case, rows, look, near=near)


def _is_asked_again(session: Session, case: Case, kind: PhotoKind, look: Look | None, *, near: int) -> bool:
    """Whether this is the photo that a run or a person could not use, for which a new one was asked."""
    if look is None or case.state is not State.NEEDS_RETAKE or kind.value not in case.retake:
        return False
    sent = Photo.case_id == case.id, Photo.kind == kind, Photo.attempt > 0
    if hashlib.sha256(look.clean).hexdigest() in session.scalars(select(Photo.sha256).where(*sent)).all():
        return True
    rows = session.scalars(select(Upload).join(Photo, Photo.id == Upload.photo_id).where(Upload.case_id == case.id, *sent)).all()
    return _is_near(session, case, rows, look, near=near)


def _is_near(session: Session, case: Case, rows: Sequence[Upload], look: Look | None, *, near: int) -> bool:
    if look is None:
        return False
    vault, ours = vault_of(session), int.from_bytes(look.fingerprint)
    for row in rows:
        if row.look_sealed is not None:
            theirs = int.from_bytes(vault.open(case.data_key, row.look_sealed, _place(case.id, row.id)))
            if (ours ^ theirs).bit_count() <= near:
                return True
    return False


def _place(case_id: UUID, upload_id: UUID) -> str:
    """What the ciphertext is bound to."""
    return likeness.look_place(case_id, upload_id)
