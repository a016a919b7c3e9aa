"""One answer to each upload, at the level of rules and records."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from cases import intake, retention, uploads
from cases.models import Case, Photo, Upload
from cases.uploads import Look, UploadDiffers
from tests import factories as a
from tests.cases.test_races import together
from verification.evidence import Quality
from verification.reasons import PhotoKind, ReasonCode

GOOD = Quality(sharpness=300.0, brightness=0.6, not_dark=1.0, not_glare=1.0, width=2000, height=1500)
NEAR = 6
BLURRED = (ReasonCode.DOCUMENT_BLURRED,)


def look(bits: int = 0, clean: bytes = b"\xff\xd8\xff a photo \xff\xd9") -> Look:
    return Look(clean=clean, quality=GOOD, fingerprint=bits.to_bytes(32))


def settle(session, case_id: UUID, number: UUID | None = None, *, now, kind=PhotoKind.DOCUMENT, bits=0, problems=(), **more):
    given = {"sha256": f"{bits:064x}", "look": look(bits, f"photo {bits}".encode()), **more}
    return uploads.settle(session, case_id, number or uuid4(), kind, problems=problems, near=NEAR, now=now, **given)


def test_threads_that_settle_one_upload_keep_one_photo(database, now):
    with database.transaction() as session:
        case_id = a.a_draft(session, now=now, photos=False).id
    number = uuid4()
    assert together(database, 8, lambda session, _: settle(session, case_id, number, now=now).kept) == {"True": 8}
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(Photo.case_id == case_id)) == 1
        assert session.scalar(select(func.count()).select_from(Upload)) == 1


def test_threads_with_photos_of_their_own_are_numbered_without_a_gap(database, now):
    with database.transaction() as session:
        case_id = a.a_draft(session, now=now, photos=False).id
    done = together(database, 6, lambda session, n: settle(session, case_id, bits=1 << (n * 40), now=now).kept)
    assert done == {"True": 6}
    with database.reading() as session:
        assert sorted(session.scalars(select(Upload.number))) == [1, 2, 3, 4, 5, 6]
        assert session.scalar(select(func.count()).where(Photo.case_id == case_id, Photo.current)) == 1


def test_a_number_belongs_to_its_bytes_and_its_kind(session, now):
    case_id, number = a.a_draft(session, now=now, photos=False).id, uuid4()
    settle(session, case_id, number, now=now)
    for more in ({"bits": 1}, {"kind": PhotoKind.SELFIE}):
        with pytest.raises(UploadDiffers):
            settle(session, case_id, number, now=now, **more)


@pytest.mark.parametrize(("distance", "same"), [(NEAR, True), (NEAR + 1, False)])
def test_on_the_line_two_photos_are_the_same(session, now, distance, same):
    case_id = a.a_draft(session, now=now, photos=False).id
    assert not settle(session, case_id, problems=BLURRED, now=now).same
    answer = settle(session, case_id, bits=(1 << distance) - 1, problems=BLURRED, now=now)
    assert (answer.kept, answer.same, answer.problems) == (False, same, BLURRED)


def test_a_photo_that_is_kept_ends_the_count_of_refusals(session, now):
    case = a.a_draft(session, now=now, photos=False)
    for bits in (1, 1 << 90, 1 << 45):
        answer = settle(session, case.id, bits=bits, problems=BLURRED, now=now)
    assert answer.may_insist and uploads.may_insist(session, case, PhotoKind.DOCUMENT)
    assert not uploads.may_insist(session, case, PhotoKind.SELFIE)
    assert settle(session, case.id, bits=1, problems=BLURRED, insists=True, now=now).kept
    assert not uploads.may_insist(session, case, PhotoKind.DOCUMENT)
    assert uploads.refused_already(session, case, PhotoKind.DOCUMENT, sha256=f"{1:064x}") is None


def test_what_is_no_picture_is_never_insisted_on(session, now):
    case_id = a.a_draft(session, now=now, photos=False).id
    for bits in range(3):
        answer = settle(session, case_id, bits=bits, look=None, problems=(ReasonCode.IMAGE_DAMAGED,), insists=True, now=now)
    assert not answer.kept and not answer.may_insist


def test_fingerprints_lie_sealed_and_rows_hold_no_more_than_codes(session, now):
    case_id = a.a_draft(session, now=now, photos=False).id
    bits = 0xABCDEF << 100
    settle(session, case_id, bits=bits, problems=BLURRED, now=now)
    row = session.scalars(select(Upload)).one()
    assert bits.to_bytes(32) not in row.look_sealed and row.codes == ["document_blurred"] and row.photo_id is None


def test_records_of_uploads_go_with_the_photos(session, settings, now):
    case_id = a.a_draft(session, now=now, photos=False).id
    settle(session, case_id, now=now)
    settle(session, case_id, bits=1 << 80, problems=BLURRED, now=now)
    intake.withdraw(session, case_id, now=now)
    later = now + timedelta(days=settings.photo_days)
    assert retention.shred_due(session, now=later) == [case_id]
    assert session.scalar(select(func.count()).select_from(Upload)) == 0
    assert session.get_one(Case, case_id).shredded_at == later
