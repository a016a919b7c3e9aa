"""Papers photographed as they should not be: what was readable is returned, the rest has a reason, nothing wrong is certain."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import pytest

from cases import wording
from tests.specimens import blanks, spoiled
from tests.specimens.draw import FontMissing
from verification import documents
from verification.documents import covered
from verification.evidence import DocumentReading, DocumentType, Field
from verification.reasons import MENDABLE, RETAKE, PhotoKind, ReasonCode

TODAY = date(2026, 11, 22)
CUT, GLARE, UNKNOWN = ReasonCode.DOCUMENT_CUT_OFF, ReasonCode.DOCUMENT_GLARE, ReasonCode.DOCUMENT_NOT_KNOWN
COVERED = ReasonCode.DOCUMENT_COVERED
NAMES = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)

needs_blanks = pytest.mark.skipif(
    not (blanks.BLANKS / "int.json").is_file(), reason="../shared/data/blanks is absent: nothing to print onto"
)


@cache
def paper(fault: str, at: int = 0) -> blanks.Printed:
    """The same pictures as `python -m tests.specimens.spoiled --seed 21 --kind RU_INTERNAL_1997` writes: nothing but print."""
    try:
        made = spoiled.pictures(fault, at + 1, seed=21, today=TODAY, kinds=("RU_INTERNAL_1997",))  # type: ignore[arg-type]
        return list(made)[at]
    except FontMissing as missing:
        pytest.skip(str(missing))


@cache
def reading(fault: str, at: int = 0) -> DocumentReading:
    return documents.read(paper(fault, at).image, today=TODAY)


def right(read: DocumentReading, printed: dict[str, str]) -> set[Field]:
    """The fields read as printed. Fails where a certain one is not."""
    same = set()
    for name, field in read.fields.items():
        if printed.get(name.value) == field.value:
            same.add(name)
        else:
            assert not field.certain, name
    return same


def told(read: DocumentReading) -> None:
    for reason in read.problems:
        for language in ("en", "ru"):
            assert wording.customer_sentence(reason, language) and wording.agent_sentence(reason, language)


# ---------------------------------------------------------------- what lies over a page


def row_at(y: float, *, left: float = 100, right: float = 700) -> np.ndarray:
    return np.array([[left, y - 18], [right, y - 18], [right, y + 18], [left, y + 18]], np.float32)


def page() -> np.ndarray:
    """Pinkish paper with black strokes in every row."""
    picture = np.full((400, 800, 3), (228, 216, 210), np.uint8)
    for y in range(60, 400, 60):
        picture[y - 10 : y + 10, 120:680:14] = 30
    return picture


SKIN = (224, 172, 144)


@pytest.mark.parametrize(
    ("colour", "wide", "reason"),
    [
        (SKIN, 200, COVERED),
        ((96, 62, 44), 200, COVERED),
        ((255, 255, 255), 200, GLARE),
        (SKIN, 50, None),  # narrower than a thumb
        ((200, 189, 184), 200, None),  # a shadow has the paper's colour
    ],
)
def test_what_lies_over_a_row_is_told_from_paper(colour: tuple[int, int, int], wide: int, reason: ReasonCode | None) -> None:
    picture = page()
    picture[40:80, 300 : 300 + wide] = colour
    seen = covered.covered(picture, [{"a": [row_at(60)], "b": [row_at(120)], "c": [row_at(180)], "d": [row_at(240)]}])
    assert seen == ({} if reason is None else {"a": reason})


def test_a_row_beyond_the_photo_is_cut_off_and_one_at_its_edge_is_not() -> None:
    rows = {
        "inside": [row_at(60)],
        "gone": [row_at(420)],
        "half": [row_at(120, left=300, right=1100)],
        "end": [row_at(180, right=850)],
    }
    assert covered.covered(page(), [rows]) == {"gone": CUT, "half": CUT}


def test_each_page_has_its_own_colour() -> None:
    picture = page()
    picture[:150] = np.clip(picture[:150].astype(int) * (1.1, 0.95, 0.8), 0, 255).astype(np.uint8)
    upper, lower = {"a": [row_at(60)], "b": [row_at(120)]}, {"c": [row_at(240)], "d": [row_at(300)]}
    assert covered.covered(picture, [upper, lower]) == {}


# ---------------------------------------------------------------- the drawn faults themselves


@needs_blanks
def test_the_same_seed_spoils_the_same_way_and_says_what_is_covered() -> None:
    blank = min((b for b in blanks.blanks() if b.kind == "RU_INTERNAL_2011"), key=lambda b: b.photo().size)
    first, again = (spoiled.spoiled("finger", blank, seed=(3, 1), today=TODAY) for _ in range(2))
    assert (first.image == again.image).all() and first.label == again.label
    assert first.label["covered"]["surname"] > 0.2 and first.label["fault"] == "finger"
    half = spoiled.spoiled("page_three", blank, seed=(3, 1), today=TODAY)
    assert half.label["covered"]["issue_date"] == 1.0 and "birth_date" not in half.label["covered"]
    assert half.image.shape[0] < 0.7 * first.image.shape[0] and half.image.shape[1] == first.image.shape[1]


@needs_blanks
def test_only_a_spread_has_a_page_two() -> None:
    traveller = next(b for b in blanks.blanks() if not b.internal)
    with pytest.raises(ValueError, match="two pages"):
        spoiled.spoiled("page_two", traveller, seed=(1,), today=TODAY)


# ---------------------------------------------------------------- the whole reader


@needs_blanks
@pytest.mark.engines
@pytest.mark.parametrize("fault", spoiled.FAULTS)
def test_nothing_wrong_is_certain_and_what_can_be_read_is_returned(fault: str) -> None:
    read, printed = reading(fault), paper(fault).label["printed"]
    told(read)
    least = {"page_two": 2, "page_three": 4, "handwriting": 1}.get(fault, 5)
    assert read.document_type is DocumentType.RU_INTERNAL and len(right(read, printed)) >= least


@needs_blanks
@pytest.mark.engines
def test_a_page_filled_in_with_a_pen_is_told_and_no_new_photo_is_asked_for() -> None:
    assert ReasonCode.DOCUMENT_HANDWRITTEN in reading("handwriting").problems
    assert ReasonCode.DOCUMENT_HANDWRITTEN not in reading("stamp").problems
    assert ReasonCode.DOCUMENT_HANDWRITTEN not in MENDABLE


@needs_blanks
@pytest.mark.engines
def test_a_thumb_on_the_surname_is_told_of_the_surname() -> None:
    read = reading("finger")
    assert read.hidden.get(Field.SURNAME) is COVERED and COVERED in read.problems
    assert RETAKE[COVERED] == {PhotoKind.DOCUMENT} and Field.DATE_OF_BIRTH not in read.hidden


@needs_blanks
@pytest.mark.engines
@pytest.mark.parametrize(
    ("fault", "gone", "there"), [("page_two", NAMES, (Field.ISSUED_ON,)), ("page_three", (Field.ISSUED_ON,), NAMES)]
)
def test_one_page_of_two_is_cut_off(fault: str, gone: tuple[Field, ...], there: tuple[Field, ...]) -> None:
    read = reading(fault)
    assert CUT in read.problems
    assert not set(gone) & read.fields.keys() and set(there) <= read.fields.keys()
    assert set(gone) <= read.hidden.keys() and not set(there) & {n for n in read.hidden if read.fields.get(n)}


@needs_blanks
@pytest.mark.engines
@pytest.mark.parametrize("kind", spoiled.STRANGERS)
def test_a_paper_of_another_kind_gives_no_values(kind: str) -> None:
    made = next(spoiled.pictures(kind, 1, seed=21, today=TODAY))  # type: ignore[arg-type]
    read = documents.read(made.image, today=TODAY)
    told(read)
    assert read.document_type is None and not read.fields and read.problems
    assert all(RETAKE[reason] == {PhotoKind.DOCUMENT} for reason in read.problems)
