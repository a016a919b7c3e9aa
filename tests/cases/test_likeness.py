"""Other accounts with the same number, the same photo, or one that is nearly the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import intake, likeness, retention, uploads
from cases.desk_tables import PhotoMark
from cases.likeness import Kind
from cases.models import Case, Photo, Upload
from tests import factories
from verification.evidence import Field
from verification.quality import SAME_PHOTO
from verification.reasons import PhotoKind, ReasonCode

LOOK = bytes(range(32))


def flipped(fingerprint: bytes, *bits: int) -> bytes:
    number = int.from_bytes(fingerprint)
    for bit in bits:
        number ^= 1 << bit
    return number.to_bytes(len(fingerprint))


def sent(
    session: Session,
    case: Case,
    fingerprint: bytes,
    *,
    kind: PhotoKind = PhotoKind.SELFIE,
    now: datetime,
    problems: tuple[ReasonCode, ...] = (),
) -> None:
    look = uploads.Look(clean=factories.jpeg(int(uuid4()) % 9999), quality=factories.GOOD_QUALITY, fingerprint=fingerprint)
    uploads.settle(
        session, case.id, uuid4(), kind, sha256=uuid4().hex * 2, look=look, problems=problems, near=SAME_PHOTO, now=now
    )  # fmt: skip


def a_draft(session: Session, now: datetime, **about: object) -> Case:
    return intake.open_case(
        session, factories.a_customer(session, now=now), factories.CLAIM, country="UTO", new_email=None, locale="en", now=now
    )


def photos(session: Session, case: Case) -> list[Photo]:
    return list(session.scalars(select(Photo).where(Photo.case_id == case.id, Photo.current.is_(True))))


def near(session: Session, case: Case) -> list[tuple[object, Kind, int | None]]:
    return [(twin.case_id, twin.kind, twin.bits) for twin in likeness.near_photo(session, case, photos(session, case))]


def test_what_counts_as_the_same_photo_is_told_by_quality():
    assert likeness.NEAR == SAME_PHOTO


@pytest.mark.parametrize("bits", [(), (0,), (0, 40, 80, 120, 160, 200), (1, 2, 3, 4, 5, 6)])
def test_a_nearly_identical_photo_in_another_account_is_found_wherever_its_bits_differ(session, now, bits):
    other, mine = a_draft(session, now), a_draft(session, now)
    sent(session, other, flipped(LOOK, *bits), now=now)
    sent(session, mine, LOOK, now=now)
    assert near(session, mine) == [(other.id, Kind.NEAR_SELFIE, len(bits))]


def test_another_photo_is_not_found_though_most_of_its_marks_are_the_same(session, now):
    other, mine = a_draft(session, now), a_draft(session, now)
    sent(session, other, flipped(LOOK, *range(7)), now=now)  # seven bits of one part
    sent(session, mine, LOOK, now=now)
    assert near(session, mine) == []


def test_her_own_photos_and_photos_of_another_kind_are_no_twins(session, now):
    mine, other = a_draft(session, now), a_draft(session, now)
    sent(session, mine, LOOK, now=now)
    sent(session, other, LOOK, kind=PhotoKind.DOCUMENT, now=now)
    assert near(session, mine) == []
    intake.withdraw(session, mine.id, now=now)
    again = intake.open_case(
        session, mine.customer, factories.CLAIM, country="UTO", new_email=None, locale="en", now=now + timedelta(minutes=1)
    )
    sent(session, again, LOOK, now=now)
    assert near(session, again) == []


def test_only_a_photo_that_was_kept_leaves_marks_and_they_go_when_the_case_is_shredded(session, now):
    case = a_draft(session, now)
    sent(session, case, LOOK, now=now, problems=(ReasonCode.SELFIE_BLURRED,))
    assert session.scalar(select(func.count()).select_from(PhotoMark)) == 0
    sent(session, case, LOOK, now=now)
    assert session.scalar(select(func.count()).select_from(PhotoMark)) == likeness.PARTS
    intake.withdraw(session, case.id, now=now)
    assert retention.shred_due(session, now=now + timedelta(days=400)) == [case.id]
    assert session.scalar(select(func.count()).select_from(PhotoMark)) == 0
    assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_marks_tell_nothing_of_a_fingerprint_without_the_key(session, now):
    case = a_draft(session, now)
    sent(session, case, bytes(32), now=now)
    marks = session.scalars(select(PhotoMark.mark)).all()
    assert len(set(marks)) == likeness.PARTS  # equal parts have different marks


def test_the_same_number_is_found_in_other_accounts_only(session, now):
    mine, other = factories.an_in_review(session, now=now), factories.an_in_review(session, now=now)
    assert factories.CLAIM.values[Field.DOCUMENT_NUMBER]
    found = likeness.same_number(session, mine)
    assert [(twin.case_id, twin.kind) for twin in found] == [(other.id, Kind.NUMBER)]
    other.document_index = None
    assert likeness.same_number(session, mine) == []
    assert likeness.same_number(session, other) == []
