"""A document number that was read and is not the one typed finds its case, and its twin in another account."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import conflicts, intake, likeness, queue, retention
from cases.desk_tables import NumberRead
from cases.models import Case
from tests import factories as a
from verification.evidence import Evidence, Field, FieldReading, Source
from verification.reasons import PhotoKind

READ = "812345678"


def reading(value: str) -> dict[Field, FieldReading]:
    return {Field.DOCUMENT_NUMBER: FieldReading(value=value, confidence=0.6, certain=False, source=Source.VIZ)}


def read_otherwise(claim: Any, profile: Any, *, fields: str = READ, zone: str = "") -> Evidence:
    found = a.good_evidence(claim, profile)
    shown = replace(
        found.reading, fields={**found.reading.fields, **reading(fields)}, zone=reading(zone) if zone else found.reading.zone
    )
    measures = replace(found.measures, agreement={**found.measures.agreement, Field.DOCUMENT_NUMBER: 0.1})
    return replace(found, reading=shown, measures=measures)


def seen(session: Session, now: datetime, **about: Any) -> Case:
    """A case whose photo shows the number READ, though another was typed."""
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    a.finished(session, order, evidence=read_otherwise(order.claim, order.profile, **about), now=now)
    return case


def found(session: Session, wanted: str, now: datetime) -> list[Any]:
    return [row.id for row in queue.search(session, wanted, with_documents=True, now=now).rows]


def kept(session: Session, case: Case) -> set[str]:
    return set(session.scalars(select(NumberRead.number_index).where(NumberRead.case_id == case.id)))


def test_a_case_is_found_by_the_number_on_its_photo_as_by_the_one_typed(session, now):
    case = seen(session, now)
    typed = a.CLAIM.values[Field.DOCUMENT_NUMBER]
    assert found(session, "81 2345-678", now) == found(session, typed, now) == [case.id]
    assert queue.search(session, READ, now=now).rows == ()  # in no address


def test_what_the_zone_says_for_itself_is_found_too(session, now):
    case = seen(session, now, zone="912345678")
    assert found(session, "912345678", now) == found(session, READ, now) == [case.id]


def test_only_what_differs_from_the_typed_number_is_kept_and_hashed(session, now):
    plain = a.an_approved(session, now=now)
    assert kept(session, plain) == set()
    case = seen(session, now)
    assert kept(session, case) == {queue.index_of(session, READ)} and READ not in str(kept(session, case))


@pytest.mark.parametrize("number", ["", "12", "№ -"])
def test_what_nobody_would_type_is_not_kept(session, now, number):
    assert kept(session, seen(session, now, fields=number)) == set()


def test_a_second_run_that_reads_the_same_keeps_it_once(session, now):
    case = seen(session, now)
    evidence = read_otherwise(a.CLAIM, a.PROFILE)
    likeness.remember_numbers(session, case, evidence.reading)
    assert session.scalar(select(func.count()).select_from(NumberRead)) == 1


def test_the_number_read_here_and_typed_there_is_the_same_document(session, now):
    here = seen(session, now)
    claim = replace(a.CLAIM, values={**a.CLAIM.values, Field.DOCUMENT_NUMBER: READ})
    there = a.a_submitted(session, now=now, claim=claim)
    third = a.a_submitted(session, now=now, claim=replace(claim, values={**claim.values, Field.DOCUMENT_NUMBER: "555666777"}))
    assert [twin.case_id for twin in likeness.same_number(session, here)] == [there.id]
    assert [twin.case_id for twin in likeness.same_number(session, there)] == [here.id]
    assert likeness.same_number(session, third) == []


def test_two_accounts_whose_photos_show_one_number_are_twins_whatever_was_typed(session, now):
    here, there = seen(session, now), seen(session, now)
    here.document_index, there.document_index = "1" * 64, None
    session.flush()
    assert [twin.case_id for twin in likeness.same_number(session, here)] == [there.id]


def test_a_case_whose_photo_shows_her_own_passport_is_tied_to_her(session, now):
    member = a.a_member(session, now=now)
    hers, other = seen(session, now), seen(session, now)
    hers.document_index, other.document_index = "1" * 64, "2" * 64
    assert conflicts.tie(session, member, other) is None
    from cases import audit

    conflicts.say(session, member, hers.customer, actor=audit.SYSTEM, now=now)
    assert conflicts.tie(session, member, other) is conflicts.Tie.SAME_DOCUMENT


def test_the_number_goes_with_the_photos(session, now, settings):
    case = seen(session, now)
    for kind in (PhotoKind.SELFIE, PhotoKind.DOCUMENT):
        assert intake.photo(session, case, kind) is not None
    intake.withdraw(session, case.id, now=now)
    later = now + timedelta(days=settings.photo_days + 1)
    assert case.id in retention.shred_due(session, now=later)
    assert kept(session, case) == set() and found(session, READ, later) == []
