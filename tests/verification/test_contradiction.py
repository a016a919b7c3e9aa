"""Print against zone: another value at its place is seen; a value merely not found, or badly read, is not."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from verification.documents import mrz
from verification.documents.contradiction import contradicted
from verification.documents.lines import Line
from verification.documents.viz import Printed, confirm
from verification.evidence import Field

TODAY = date(2026, 11, 22)
ZONE = ("P<RUSSHCHERBAKOVA<<ELVIRA<<<<<<<<<<<<<<<<<<<", "7012345677RUS8503079F3001019<<<<<<<<<<<<<<<6")
PAGE = np.array([[0, 0], [1250, 0], [1250, 880], [0, 880]], np.float32)

HONEST = {
    (900, 60): "Passport No.",
    (900, 100): "70 1234567",
    (420, 160): "/Surname",
    (420, 240): "SHCHERBAKOVA",
    (420, 280): "/Given names",
    (420, 360): "ELVIRA",
    (420, 440): "Date of birth",
    (420, 480): "07.03.1985",
    (420, 520): "Date of issue",
    (420, 560): "01.01.2020",
    (420, 600): "Date of expiry",
    (420, 640): "01.01.2030",
}


def printed(page: dict[tuple[int, int], str], confidence: float = 0.99) -> list[Printed]:
    """The lines of a page, each 40 high, at the given left end and middle."""
    lines = []
    for (x, y), text in page.items():
        wide, low, high = 22 * len(text), y - 20, y + 20
        quad = np.array([[x, low], [x + wide, low], [x + wide, high], [x, high]], np.float32)
        lines.append(Printed(text=text, confidence=confidence, line=Line(quad=quad, score=0.9)))
    return lines


def seen(
    page: dict[tuple[int, int], str], *, zone: tuple[str, str] = ZONE, confidence: float = 0.99, sure: tuple[Field, ...] = ()
) -> set[Field]:
    """The fields that a page states otherwise than its zone."""
    parsed = mrz.parse(zone, today=TODAY)
    lines = printed(page, confidence)
    names = parsed.values[Field.SURNAME], parsed.values[Field.GIVEN_NAMES]
    confirmed = confirm(parsed.values, lines, zone_names=names)
    return set(contradicted(parsed, lines, confirmed, sure=sure, like=Line(quad=PAGE, score=1.0), corners=PAGE))


def edited(**changes: str) -> dict[tuple[int, int], str]:
    """The honest page with some texts replaced; "" takes a line away."""
    swaps = {"surname": "SHCHERBAKOVA", "given": "ELVIRA", "number": "70 1234567", "birth": "07.03.1985", "expiry": "01.01.2030"}
    swaps |= {"surname_label": "/Surname", "birth_label": "Date of birth"}
    page = {}
    for place, text in HONEST.items():
        name = next((n for n, old in swaps.items() if old == text), None)
        text = changes.get(name, text) if name else text
        if text:
            page[place] = text
    return page


def test_an_honest_page_says_nothing_else() -> None:
    assert seen(HONEST) == set()


def test_an_empty_page_says_nothing_else() -> None:
    assert seen({}) == set()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"surname": "KARASIKOVA"}, Field.SURNAME),
        ({"surname": "KARASIKOVA", "surname_label": ""}, Field.SURNAME),  # only the given names' label was read
        ({"given": "TAMARA"}, Field.GIVEN_NAMES),
        ({"number": "75 8140263"}, Field.DOCUMENT_NUMBER),
        ({"birth": "07.03.1991"}, Field.DATE_OF_BIRTH),
        ({"birth": "19.08.1977"}, Field.DATE_OF_BIRTH),
        ({"birth": "07.03.1995", "birth_label": ""}, Field.DATE_OF_BIRTH),
        ({"expiry": "01.01.2034"}, Field.EXPIRES_ON),
    ],
)
def test_another_value_at_its_place_is_seen(change: dict[str, str], field: Field) -> None:
    assert seen(edited(**change)) == {field}


def test_no_label_is_needed_over_the_given_names() -> None:
    page = {(420, 290): "KARASIKOVA", (420, 360): "ELVIRA"}
    assert seen(page) == {Field.SURNAME} and seen(page, confidence=0.9) == set()
    assert seen({(420, 290): "REPUBLIC", (420, 360): "ELVIRA"}) == set()


def test_days_are_told_by_their_rank() -> None:
    page = {(420, 480): "19.08.1977", (420, 560): "01.01.2020", (420, 640): "01.01.2030"}
    assert seen(page) == {Field.DATE_OF_BIRTH}
    assert seen(page | {(420, 480): "07.03.1985", (420, 640): "17.05.2034"}) == {Field.EXPIRES_ON}
    assert seen({(420, 480): "07.03.1985", (420, 560): "01.01.2020"}) == set()  # only the expiry was not found


@pytest.mark.parametrize("change", [{"surname": ""}, {"given": ""}, {"number": ""}, {"birth": ""}, {"expiry": ""}])
def test_a_value_that_is_not_found_is_no_other_value(change: dict[str, str]) -> None:
    assert seen(edited(**change)) == set()


def test_a_poor_reading_is_no_other_value() -> None:
    page = edited(surname="KARASIKOVA", number="75 8140263", birth="07.03.1991")
    assert seen(page, confidence=0.55) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"surname": "SHCHERBAK0VA"},
        {"surname": "SHCHEPBAKOVA"},  # letters that readers take for each other
        {"number": "70 1234561"},
        {"birth": "07.08.1985", "birth_label": ""},  # 3 for 8
        {"birth": "03.07.1985"},  # the month first
        {"birth": "07.03.1885"},  # the zone has no century
        {"birth": "07.03.2528"},  # a Thai year
    ],
)
def test_what_a_reader_or_a_custom_may_have_made_is_no_other_value(change: dict[str, str]) -> None:
    assert seen(edited(**change), sure=(Field.SURNAME,)) == set()


def test_one_letter_counts_only_where_the_zone_itself_is_sure() -> None:
    page = edited(surname="SHCHERBAKOLA")
    assert seen(page, sure=(Field.SURNAME,)) == {Field.SURNAME} and seen(page) == set()


def test_cyrillic_letters_read_as_latin_are_no_other_name() -> None:
    assert seen(edited(surname="MAKAPOBA")) == set()


def test_a_name_over_two_lines_is_no_other_name() -> None:
    zone = ("P<ESPGARCIA<LOPEZ<<ELVIRA<<<<<<<<<<<<<<<<<<<", ZONE[1].replace("RUS", "ESP"))
    assert mrz.parse(zone, today=TODAY).valid
    page = edited(surname="GARCIA") | {(420, 262): "LOPEZ"}
    assert seen(page, zone=zone) == set()


def test_a_zone_whose_digits_do_not_hold_is_not_asked() -> None:
    wrong = (ZONE[0], ZONE[1][:9] + "3" + ZONE[1][10:])
    assert seen(edited(surname="KARASIKOVA", number="75 8140263"), zone=wrong) == set()


def test_the_same_form_elsewhere_is_not_the_number() -> None:
    page = edited(number="") | {(420, 700): "758140263"}
    assert seen(page) == set()
