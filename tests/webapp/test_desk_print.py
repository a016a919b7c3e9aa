"""The print beside a detail that differs: which part of the photo, turned how, which letters framed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask_babel import Babel

from cases import queries
from cases.models import Photo
from verification import names
from verification.evidence import Box, Difference, Field
from verification.reasons import PhotoKind
from webapp.desk import presenters
from webapp.printed import Printed, printed_line, strip


@pytest.fixture(scope="module")
def words() -> Iterator[None]:
    """Texts as they stand in the code, in English."""
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        yield


def a_row(read: str, letters: tuple[Box | None, ...], *wrong: tuple[int, str], typed: str = "typed") -> queries.FieldRow:
    found_wrong = tuple(Difference(claimed="?", read=piece, claimed_at=0, read_at=at) for at, piece in wrong)
    return queries.FieldRow(
        field=Field.SURNAME,
        on_file=None,
        typed=typed,
        read=read,
        changes=True,
        agreement=0.5,
        differences=found_wrong,
        letters=letters,
    )


def printed(row: queries.FieldRow) -> Printed:
    photo = Photo(kind=PhotoKind.DOCUMENT, quality={"width": 1000, "height": 800})
    made = printed_line(row, photo)
    assert made is not None
    return made


def turned_boxes(count: int, degrees: float) -> tuple[Box, ...]:
    """Letters of 20 by 30 pixels, 24 apart, in a line that runs down by so many degrees; the boxes stand upright around them."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    width, height = 20 * abs(cos) + 30 * abs(sin), 20 * abs(sin) + 30 * abs(cos)
    centres = [(500 + 24 * at * cos, 400 + 24 * at * sin) for at in range(count)]
    return tuple((round(x - width / 2), round(y - height / 2), round(width), round(height)) for x, y in centres)


@pytest.mark.parametrize("degrees", [0, 1, 8, -20, 20, 90, 180, -90, 98])
def test_a_sloping_line_is_turned_level_and_the_frame_fits_the_letter(words, degrees):
    made = printed(a_row("ABCDEF", turned_boxes(6, degrees), (2, "C")))
    assert made.turn == pytest.approx(0 if abs(degrees) < 2 else -degrees, abs=1.5)
    ((x, y, width, height),) = made.frames
    assert (width, height) == (pytest.approx(20, abs=3), pytest.approx(30, abs=3))
    left, top, wide, high = (float(part) for part in made.view.split())
    assert left < x < x + width < left + wide and top < y < y + height < top + high
    assert wide == pytest.approx(5 * 24 + 20 + 2 * 0.45 * 30, abs=8) and high == pytest.approx(30 * 1.9, abs=8)
    assert x + width / 2 - left == pytest.approx(2 * 24 + 10 + 13.5, abs=4)  # the third letter from the left


def test_a_letter_that_is_missing_is_shown_as_a_gap(words):
    letters = turned_boxes(4, 0)
    made = printed(a_row("ABCD", letters, (2, "")))
    ((x, _y, width, _height),) = made.frames
    assert letters[1][0] + letters[1][2] - 3 <= x and x + width <= letters[2][0] + 3
    assert made.framed == "the gap before letter 3"
    assert printed(a_row("ABCD", letters, (4, ""))).framed == "the gap at the end"


def test_a_place_that_is_not_printed_gets_no_frame(words):
    letters = (None, None, *turned_boxes(2, 0))  # a date's century
    made = printed(a_row("1985", letters, (0, "19"), (2, "8")))
    assert len(made.frames) == 1 and made.framed == "“8”, letter 3"


def test_letters_that_do_not_match_the_value_are_not_trusted(words):
    row = replace(a_row("ABCDE", turned_boxes(4, 0), (1, "B")), box=(10, 20, 100, 30))
    assert printed(row).frames == ()


def test_of_a_long_line_only_the_surroundings_are_shown(words):
    made = printed(a_row("A" * 40, turned_boxes(40, 0), (20, "A")))
    assert float(made.view.split()[2]) < 24 * 20


@pytest.mark.parametrize("word", sorted(names.SHOWN_THOUGH_EQUAL | {"kazakh-latin", "punctuation", "single-name"}))
def test_every_rule_of_names_has_words(words, word):
    assert presenters.rule_words(word) != word


def test_a_line_whose_letters_are_not_known_is_turned_as_another_line_of_the_page(words):
    photo = Photo(kind=PhotoKind.DOCUMENT, quality={"width": 1000, "height": 800})
    alone = strip("ABCDEF", (400, 300, 200, 80), (), (), photo)
    beside = strip("ABCDEF", (400, 300, 200, 80), (), (), photo, like=turned_boxes(6, 20))
    assert alone is not None and alone.turn == 0 and beside is not None and beside.turn == pytest.approx(-20, abs=1.5)
