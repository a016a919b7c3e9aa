"""Hints from pixels, on drawn passports of nobody: harmless ones raise none, and each attack made by code raises its own."""

from __future__ import annotations

from datetime import date
from functools import cache

import cv2
import numpy as np
import pytest

from tests.benchmarks.authenticity import (
    Placed,
    Quad,
    another_spacing,
    another_typeface,
    compressed,
    grey_copy,
    screen_photo,
)
from tests.specimens import portraits
from tests.specimens.__main__ import draw_paper
from tests.specimens.draw import _installed
from verification.documents import authenticity, mrz
from verification.documents.mrz_zone import Row
from verification.hints import Hint

pytestmark = [
    pytest.mark.skipif("OCRB.otf" not in _installed(), reason="fonts-ocr-b is not installed"),
    pytest.mark.skipif(not portraits.CACHE.is_dir(), reason="the specimens' portraits were not fetched (bin/install)"),
]

Pixels = authenticity.Pixels


@cache
def paper(key: str = "kazakh") -> Placed:
    """A drawn passport, photographed from straight above and put through JPEG, with every place known from the drawing."""
    drawn = draw_paper(key, date(2026, 11, 22))
    lines = drawn.truth["mrz"]["lines"]
    rows = []
    for at, text in enumerate(lines):
        quad = drawn.quads[f"mrz_{at}"] + np.array([[-10, -8], [10, -8], [10, 8], [-10, 8]], np.float32)
        wide = float(quad[1, 0] - quad[0, 0])
        centres = tuple(float(10 + (k + 0.5) * (wide - 20) / len(text)) / wide for k in range(len(text)))
        sure = (1.0,) * len(text)
        rows.append(
            Row(text=text, chances=sure, seconds=text, second_chances=sure, quad=quad, regular=0.0, centres=centres,
                masks=(mrz.ALPHABET,) * len(text))
        )  # fmt: skip
    return Placed(
        name=key, picture=compressed(drawn.image), rows=tuple(rows), corners=drawn.quads["page"], lines=(), portrait=None
    )


def hints(picture: Pixels, placed: Placed) -> tuple[Hint, ...]:
    return authenticity.hints(picture, rows=placed.rows, corners=placed.corners)


def smaller(picture: Pixels, placed: Placed, scale: float) -> tuple[Hint, ...]:
    shrunk = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    rows = tuple(replaced(row, np.asarray(row.quad * scale, np.float32)) for row in placed.rows)
    return authenticity.hints(shrunk, rows=rows, corners=np.asarray(placed.corners * scale, np.float32))


def replaced(row: Row, quad: Quad) -> Row:
    return Row(text=row.text, chances=row.chances, seconds=row.seconds, second_chances=row.second_chances, quad=quad,
               regular=row.regular, centres=row.centres, masks=row.masks)  # fmt: skip


@pytest.mark.parametrize("key", ["kazakh", "mexican", "russian_at_home", "utopian"])
def test_a_right_paper_raises_no_hint(key):
    assert hints(paper(key).picture, paper(key)) == ()


@pytest.mark.parametrize("scale", [0.35, 0.6])
def test_nor_does_a_small_picture_of_it(scale):
    assert smaller(paper().picture, paper(), scale) == ()


def test_nor_a_noisy_dim_blurred_one():
    dim = cv2.GaussianBlur(paper().picture, (0, 0), 1.6).astype(np.float32) * 0.45
    noisy = dim + np.random.default_rng(1).normal(0, 5, dim.shape)
    assert hints(compressed(np.clip(noisy, 0, 255).astype(np.uint8)), paper()) == ()


@pytest.mark.parametrize("seed", range(5))
def test_another_typeface_at_the_right_pitch(seed):
    attacked = compressed(another_typeface(paper(), np.random.default_rng(seed)))
    assert Hint.ZONE_TYPEFACE_ODD in hints(attacked, paper())


@pytest.mark.parametrize("seed", range(3))
def test_the_right_typeface_set_unevenly(seed):
    attacked = compressed(another_spacing(paper(), np.random.default_rng(seed), off_by=0.12))
    assert Hint.ZONE_SPACING_ODD in hints(attacked, paper())


def test_the_right_typeface_painted_over_and_printed_evenly_again_is_not_told_from_the_right_one():
    attacked = compressed(another_spacing(paper(), np.random.default_rng(0), off_by=0.0))
    assert hints(attacked, paper()) == ()


@pytest.mark.parametrize("seed", range(2))
def test_a_grey_copy_under_a_lamp(seed):
    attacked = compressed(grey_copy(paper(), np.random.default_rng(seed)))
    assert Hint.WITHOUT_COLOUR in hints(attacked, paper())
    assert authenticity.colourless(attacked, paper().corners) > authenticity.colourless(paper().picture, paper().corners) + 4


def test_a_warm_lamp_takes_no_colour_away_and_gives_a_copy_none():
    grey = np.repeat(cv2.cvtColor(paper().picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    for tint in ((1.0, 0.93, 0.75), (0.9, 1.0, 1.0)):
        assert Hint.WITHOUT_COLOUR in hints((grey * tint).astype(np.uint8), paper())
        assert hints((paper().picture * tint).astype(np.uint8), paper()) == ()


@pytest.mark.parametrize("ratio", [2.15, 2.3])
def test_a_screens_grid(ratio):
    shown, moved = screen_photo(paper(), _Ratio(ratio))  # type: ignore[arg-type]
    assert Hint.SEEN_ON_SCREEN in hints(compressed(shown), moved)
    even = np.asarray(cv2.GaussianBlur(shown, (0, 0), 3.0), np.uint8)
    assert Hint.SEEN_ON_SCREEN not in hints(even, moved)  # the grid was it, not the rest of the attack


class _Ratio:
    """A lot that always gives one ratio of camera pixels to the screen's, and stands a little aslant."""

    def __init__(self, ratio: float) -> None:
        self.ratio, self.lot = ratio, np.random.default_rng(2)

    def uniform(self, low: float, high: float, size: object = None) -> object:
        return self.lot.uniform(low, high, size) if size else self.ratio  # type: ignore[call-overload]

    def normal(self, *given: object) -> object:
        return self.lot.normal(*given)  # type: ignore[call-overload]


def test_letters_that_were_not_surely_read_are_not_judged():
    doubted = tuple(
        Row(text=row.text, chances=(0.5,) * len(row.text), seconds=row.seconds, second_chances=row.second_chances, quad=row.quad,
            regular=row.regular, centres=row.centres, masks=row.masks)
        for row in paper().rows
    )  # fmt: skip
    attacked = another_typeface(paper(), np.random.default_rng(0))
    assert authenticity.zone_print(attacked, doubted) is None
    assert authenticity.hints(attacked, rows=doubted, corners=paper().corners) == ()


def test_nothing_is_said_of_what_cannot_be_seen():
    picture = np.full((40, 60, 3), 200, np.uint8)
    picture[10:30, 10:50] = (120, 160, 60)
    corners = np.array([[0, 0], [60, 0], [60, 40], [0, 40]], np.float32)
    assert authenticity.zone_print(picture, ()) is None
    assert authenticity.screen(picture, corners) == 0.0
    assert authenticity.hints(picture, rows=(), corners=corners) == ()
    outside = corners + 500
    assert isinstance(authenticity.hints(picture, rows=(), corners=outside), tuple)
