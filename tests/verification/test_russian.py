"""Russian pages: placing the spread by its landmarks, sorting its rows, and real specimens."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from verification import documents
from verification.documents import russian
from verification.documents.lines import Line
from verification.evidence import DocumentType, Field, FieldReading, Source
from verification.reasons import ReasonCode

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "documents"
TODAY = date(2026, 11, 22)
RIGHT = np.array([1.0, 0.0], np.float32)


def line_at(x: float, y: float, width: float, height: float, *, upright: bool = True) -> Line:
    """A line with its centre at x, y; lying down (read downwards) where not upright."""
    w, h = (width, height) if upright else (height, width)
    quad = np.array([[x - w / 2, y - h / 2], [x + w / 2, y - h / 2], [x + w / 2, y + h / 2], [x - w / 2, y + h / 2]], np.float32)
    return Line(quad=quad if upright else np.ascontiguousarray(np.roll(quad, -1, axis=0)), score=0.9)


def marks(scale: float = 8.0) -> russian._Landmarks:
    """Landmarks of a spread lying straight at `scale` pixels per mm."""

    def value(text: str, x: float, y: float, width: float, height: float, *, upright: bool = True) -> russian._Value:
        return russian._Value(
            text=text, chance=0.99, line=line_at(x * 125 * scale, y * 176 * scale, width * scale, height * scale, upright=upright)
        )

    return russian._Landmarks(
        direction=RIGHT,
        numbers=(
            value("4511123456", 0.945, 0.24, 40, 5, upright=False),
            value("4511123456", 0.945, 0.737, 39, 5, upright=False),
        ),
        dates=(value("14.09.2011", 0.27, 0.213, 25, 4), value("07.03.1985", 0.71, 0.729, 25, 4)),
        codes=(value("770-045", 0.67, 0.209, 17, 4),),
    )


def test_the_spread_is_placed_by_its_landmarks() -> None:
    placed = russian._place(marks(), None)
    assert placed is not None
    assert np.linalg.norm(placed.photo(0.5, 0.5) - np.array([500, 704])) < 15
    x, y = placed.spread(np.array([500, 704], np.float32))
    assert abs(x - 0.5) < 0.02 and abs(y - 0.5) < 0.02


def test_dates_are_told_apart_by_the_codes_row() -> None:
    found = marks()
    names = {name: value.text for value, name in russian._named_dates(found, None)}
    assert names == {"issuer_code": "770-045", "date_of_issue": "14.09.2011", "date_of_birth": "07.03.1985"}


@pytest.mark.parametrize(
    ("heard", "name"),
    [("ИВАНОВ", "ИВАНОВ"), ("иванов .", "ИВАНОВ"), ("PИМСКАЯ—KОРСАКОВА", "РИМСКАЯ-КОРСАКОВА"), ("| ПЁТР", "ПЁТР"), ("1234", "")],
)
def test_what_tesseract_hears_is_cleaned_to_letters(heard: str, name: str) -> None:
    assert russian._cyrillic(heard) == name


def test_a_number_on_both_pages_is_certain_only_if_they_agree() -> None:
    fields: dict[Field, FieldReading] = {}
    numbers = marks().numbers
    russian._put_number(fields, numbers)
    assert fields[Field.DOCUMENT_NUMBER].certain
    other = russian._Value(text="4511123458", chance=0.99, line=numbers[1].line)
    russian._put_number(fields, (numbers[0], other))
    assert not fields[Field.DOCUMENT_NUMBER].certain


@pytest.mark.engines
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test pictures are not here")
@pytest.mark.parametrize("turns", [0, 1])
def test_the_specimen_spread_is_read(turns: int) -> None:
    item = json.loads((DATA / "labels.json").read_text(encoding="utf-8"))["items"][83]
    picture = np.ascontiguousarray(np.rot90(np.asarray(Image.open(DATA / item["file"]).convert("RGB")), turns))
    found = documents.read_detailed(picture, today=TODAY)
    fields = found.reading.fields
    assert found.reading.document_type is DocumentType.RU_INTERNAL and (found.quarter_turns + turns) % 4 == 0
    assert (
        fields[Field.DOCUMENT_NUMBER].value == item["fields"]["number"].replace(" ", "") and fields[Field.DOCUMENT_NUMBER].certain
    )
    for name in (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC):
        assert fields[name].value == item["fields"][name.value] and not fields[name].certain
    assert ReasonCode.DOCUMENT_IS_SPECIMEN in found.reading.problems


def field_of(value: str, *, certain: bool = False) -> FieldReading:
    return FieldReading(value=value, confidence=0.9, certain=certain, source=Source.VIZ)


def page_of(**values: str) -> dict[Field, FieldReading]:
    return {Field(name): field_of(value) for name, value in values.items()}


NAMED = {"surname": "ЩЕРБАКОВА", "given_names": "ЭЛЬВИРА", "patronymic": "ЮРЬЕВНА"}


@pytest.mark.parametrize(
    ("values", "alone", "passport"),
    [
        ({**NAMED, "date_of_birth": "1985-03-07", "issued_on": "2011-09-14"}, False, True),
        ({**NAMED, "date_of_birth": "2026-03-12", "issued_on": "2026-03-12"}, False, False),  # a screen with dates
        ({**NAMED, "date_of_birth": "2001-03-12", "issued_on": "2011-09-14"}, False, False),  # nobody has one at ten
        ({**NAMED, "date_of_birth": "1985-03-07"}, True, False),
        ({**NAMED, "date_of_birth": "1985-03-07", "sex": "F", "place_of_birth": "Г. ТВЕРЬ"}, True, True),
        ({"surname": "ЩЕРБАКОВА", "date_of_birth": "1985-03-07", "sex": "F", "place_of_birth": "Г. ТВЕРЬ"}, True, False),
        ({"document_number": "4511123456", "date_of_birth": "1985-03-07"}, False, True),
        ({"date_of_birth": "1985-03-07", "issued_on": "2011-09-14"}, False, False),
    ],
)
def test_what_makes_a_picture_an_internal_passport(values: dict[str, str], alone: bool, passport: bool) -> None:
    assert russian._is_passport(page_of(**values), alone=alone) is passport


def test_page_three_is_placed_by_its_date_of_birth_alone() -> None:
    whole = marks()
    lone = replace(whole, numbers=(), codes=(), dates=(whole.dates[1],))
    placed = russian._place(lone, None)
    assert placed is not None
    x, y = placed.spread(np.array([0.71 * 1000, 0.729 * 1408], np.float32))
    assert abs(x - 0.71) < 0.01 and abs(y - 0.729) < 0.01
    assert russian._place(replace(lone, dates=()), None) is None


def test_yo_and_ye_are_one_letter_between_zone_and_page_and_others_are_not() -> None:
    assert russian._same(Field.SURNAME, "СЕМЁНОВ", "СЕМЕНОВ") and russian._same(Field.SURNAME, "ИВАНОВ-ПЕТРОВ", "ИВАНОВ ПЕТРОВ")
    assert not russian._same(Field.SURNAME, "СЕМЕНОВ", "СИМЕНОВ") and not russian._same(Field.ISSUER_CODE, "770-045", "770-046")


@pytest.mark.parametrize(
    ("printed", "confidence", "other"),
    [
        ("КАРАСИКОВА", 0.9, True),
        ("КАРАСИКОВА", 0.5, False),  # badly read
        ("ЩЕРБАНОВА", 0.9, False),  # a letter of Tesseract's
        ("ЮРЬЕВНА", 0.9, False),  # the row of the patronymic taken for this one
        ("ЩЕРБАКОВА ЭЛЬВИРА", 0.9, False),  # two rows in one
    ],
)
def test_a_wholly_other_name_on_the_page_speaks_against_the_zone(printed: str, confidence: float, other: bool) -> None:
    seen = replace(field_of(printed), confidence=confidence)
    assert russian._another_name(Field.SURNAME, seen, page_of(**NAMED)) is other
