"""Letters cut at one height: every reader sees whole letters that were never printed; only their height gives them away."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from verification import documents
from verification.documents import legibility, mrz
from verification.evidence import Field

FONT = Path("/usr/share/fonts/opentype/ocr-b/OCRB.otf")
TODAY = date(2026, 11, 22)
PEOPLE = [("ERIKSSON", "ANNA MARIA"), ("IVANOVA", "OLGA"), ("LOPEZ", "PEDRO IGNACIO"), ("OQUINN", "MARTA")]

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(not FONT.is_file(), reason="fonts-ocr-b is not installed"),
]


def zone(surname: str, given: str) -> tuple[str, str]:
    first = f"P<UTO{surname}<<{given.replace(' ', '<')}".ljust(44, "<")
    number, birth, expiry = "L898902C3", "740812", "280415"
    body = f"{number}{mrz.check_digit(number)}UTO{birth}{mrz.check_digit(birth)}F{expiry}{mrz.check_digit(expiry)}{'<' * 14}0"
    return first, body + str(mrz.check_digit(body[0:10] + body[13:20] + body[21:43]))


def page(rows: tuple[str, str]) -> np.ndarray:
    """A bare white page with a zone whose first row's letters stand from 388 to 405 pixels."""
    canvas = Image.new("RGB", (900, 500), (250, 250, 248))
    pen, font = ImageDraw.Draw(canvas), ImageFont.truetype(str(FONT), 25)
    for at, row in enumerate(rows):
        for k, character in enumerate(row):
            pen.text((40 + 18.4 * k, 382 + 46 * at), character, fill=(20, 20, 24), font=font)
    return np.asarray(cv2.GaussianBlur(np.asarray(canvas), (0, 0), 0.8), np.uint8)


def covered(picture: np.ndarray, top: int, bottom: int) -> np.ndarray:
    """A soft white band over the first row, from edge to edge of the print."""
    mask = np.zeros(picture.shape[:2], np.float32)
    mask[top:bottom, 20:880] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
    return np.asarray(picture * (1 - mask) + 252 * mask, np.uint8)


@pytest.mark.parametrize(("surname", "given"), PEOPLE)
def test_a_row_that_is_cut_along_its_letters_gives_no_wrong_certain_name(surname: str, given: str) -> None:
    whole = page(zone(surname, given))
    clean = documents.read(whole, today=TODAY)
    assert clean.fields[Field.SURNAME].value == surname and clean.fields[Field.SURNAME].certain
    ink = np.flatnonzero((whole[370:420, :, 0] < 120).any(axis=1)) + 370
    top, bottom = int(ink[0]), int(ink[-1]) + 1
    spoiled = [covered(whole, top - 20, top + k) for k in (2, 3, 4, 5)]
    spoiled += [covered(whole, bottom - k, bottom + 12) for k in (2, 3, 4, 5)]
    spoiled += [np.ascontiguousarray(whole[top + k :]) for k in (1, 2, 3, 4)]
    for picture in spoiled:
        fields = documents.read(picture, today=TODAY).fields
        for name, wanted in ((Field.SURNAME, surname), (Field.GIVEN_NAMES, given)):
            if name in fields and fields[name].value != wanted:
                assert not fields[name].certain and fields[name].confidence <= 0.8


def test_whole_letters_are_as_high_as_their_neighbours() -> None:
    heights = [[0.9, 0.92, None, 0.88], [0.9, 0.6, 0.9, None]]
    assert legibility.cut_letters(heights) == ((False,) * 4, (False, True, False, False))
    assert legibility.cut_letters([[None, None]]) == ((False, False),)
