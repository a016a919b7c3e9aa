"""Until when a document is valid: the printed date, or the Russian age rule."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from verification.evidence import DocumentReading, DocumentType, Field, FieldReading, Source
from verification.expiry import UNKNOWN, birthday, expiry, zone_expected

ON = date(2026, 11, 22)


def reading(kind: DocumentType, **dates: str) -> DocumentReading:
    fields = {Field(k): FieldReading(value=v, confidence=0.9, certain=True, source=Source.MRZ) for k, v in dates.items()}
    return DocumentReading(document_type=kind, fields=fields)


@pytest.mark.parametrize(("printed", "days"), [("2026-11-22", 0), ("2026-11-21", -1), ("2027-11-22", 365)])
def test_a_printed_date_counts_in_days(printed, days):
    assert expiry(reading(DocumentType.TD3, expires_on=printed), on=ON).days == days


@pytest.mark.parametrize(
    ("born", "issued", "last"),
    [
        ("2006-11-01", "2020-11-20", date(2026, 11, 1) + timedelta(days=90)),  # issued at 14, exchanged at 20
        ("1981-09-01", "2001-09-20", date(2026, 9, 1) + timedelta(days=90)),  # issued at 20, exchanged at 45
        ("1985-03-07", "2011-09-14", date(2030, 3, 7) + timedelta(days=90)),
        ("2004-02-29", "2018-03-05", date(2024, 2, 29) + timedelta(days=90)),
    ],
)
def test_a_russian_internal_passport_ends_ninety_days_after_the_birthday(born, issued, last):
    assert expiry(reading(DocumentType.RU_INTERNAL, date_of_birth=born, issued_on=issued), on=ON).days == (last - ON).days


def test_after_forty_five_it_has_no_end():
    until = expiry(reading(DocumentType.RU_INTERNAL, date_of_birth="1970-05-05", issued_on="2015-06-01"), on=ON)
    assert until.never and until.days is None


@pytest.mark.parametrize(
    ("born", "issued"),
    [("1985-03-07", "1999-03-06"), ("1985-03-07", "2026-11-23"), ("1985-03-07", ""), ("", "2011-09-14")],
)
def test_dates_that_cannot_be_give_no_answer(born, issued):
    dates = {k: v for k, v in (("date_of_birth", born), ("issued_on", issued)) if v}
    assert expiry(reading(DocumentType.RU_INTERNAL, **dates), on=ON) == UNKNOWN


def test_a_leap_day_is_kept_on_the_first_of_march_in_common_years():
    assert birthday(date(2004, 2, 29), 20) == date(2024, 2, 29)
    assert birthday(date(2004, 2, 29), 45) == date(2049, 3, 1)


def test_a_page_without_a_date_is_not_guessed_at():
    assert expiry(DocumentReading(document_type=DocumentType.TD3), on=ON) == UNKNOWN


@pytest.mark.parametrize(
    ("issued", "expected"), [("2011-06-30", False), ("2011-12-31", False), ("2012-01-01", True), ("", False)]
)
def test_a_russian_passport_of_our_days_carries_a_zone(issued, expected):
    dates = {"issued_on": issued} if issued else {}
    assert zone_expected(reading(DocumentType.RU_INTERNAL, **dates)) is expected
    assert zone_expected(reading(DocumentType.TD3, **dates)) is False
