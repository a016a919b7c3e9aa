"""Soft hints from the pixels: the zone's typeface and spacing, no colour, a screen's grid.

Pure functions over the picture and over where things lie on it; nothing is read here. Each measure is a number, larger is
odder, and each line between harmless and odd was measured by `tests/benchmarks/authenticity.py`. Two more were tried there and
do not separate, so they are no hints: the grain of one printed line against its neighbours', of the portrait against the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from verification import spectrum
from verification.documents import lines as text_lines
from verification.documents import mrz
from verification.documents.lines import Floats, Pixels, Quad
from verification.documents.mrz_zone import Row
from verification.hints import Hint

_WIDTH, _HEIGHT = 20, 28  # pixels of a stored glyph, one pitch wide; see models/draw_glyphs.py
_BROAD: Final = (0.9, 1.0, 1.12)  # of a glyph's width: ink spreads, cheap copies stretch
_TALL: Final = (0.78, 0.85, 0.93, 1.0, 1.08)  # of its height: perspective foreshortens rows
_SOFT: Final = (0.8, 1.6, 2.4)  # pixels of blur, standard deviation
_SLANT: Final = (-0.18, -0.09, 0.0, 0.09, 0.18)  # pixels aside per pixel of height: a page seen from the side
_SIDE: Final = 5  # pixels to each side that a glyph is looked for
_SURE: Final = 0.9  # the network's odds of a letter, 0-1: below, it may be another one, which no glyph of this one fits
_PROBES: Final = 6  # letters of a row by which height, blur and slant are found
_LETTERS: Final = 22  # letters of a row that are compared
_FEWEST: Final = 16  # letters of a zone from which anything is said
_FEWEST_IN_ROW: Final = 6


MISFIT: Final = 0.11
"""Line for `ZonePrint.misfit`: 116 papers in OCR-B reached 0.091 at most, 42 zones in other typefaces 0.122 at least."""
STRAY: Final = 0.08
"""Line for `ZonePrint.stray`, in pitches: 115 of 116 papers reached 0.071 at most, the last, set unevenly indeed, 0.133."""
COLOURLESS: Final = -4.0
"""Line for `colourless`, grey levels: 113 of 116 papers reached -4.6 at most, all but one -7.4; three have no colour at all."""
SCREEN: Final = 2.2
"""Line for `screen`, natural log units: 51 of 53 papers large enough reached 2.0 at most; two scans of halftone print, 3.9."""


def hints(picture: Pixels, *, rows: Sequence[Row], corners: Quad) -> tuple[Hint, ...]:
    """Return what the pixels hint at. `rows`: the zone's, () where there is none; `corners`: the page's, upright.

    Some 30 ms. Never raises: a page too small to tell raises no hint.
    """
    found = []
    zone = zone_print(picture, rows)
    if zone is not None and zone.misfit > MISFIT:
        found.append(Hint.ZONE_TYPEFACE_ODD)
    if zone is not None and zone.stray > STRAY:
        found.append(Hint.ZONE_SPACING_ODD)
    if screen(picture, corners) > SCREEN:
        found.append(Hint.SEEN_ON_SCREEN)
    if colourless(picture, corners) > COLOURLESS:
        found.append(Hint.WITHOUT_COLOUR)
    return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class ZonePrint:
    """How a zone is printed.

    `misfit`: 1 - correlation with the drawn OCR-B glyphs that three letters in four reach, 0-1. `stray`: how far nine letters in
    ten stand off the places of an even row at most, in pitches; a row may shrink with distance.
    """

    misfit: float
    stray: float


def zone_print(picture: Pixels, rows: Sequence[Row]) -> ZonePrint | None:
    """Compare a zone's letters with drawn OCR-B, each where it stands; None where too few letters are surely read."""
    fits: list[float] = []
    strays: list[float] = []
    for row in rows:
        own, off = _row_print(picture, row)
        fits += own
        strays += off
    if len(fits) < _FEWEST:
        return None
    return ZonePrint(misfit=1 - float(np.percentile(fits, 25)), stray=float(np.percentile(np.abs(strays), 90)))


def _row_print(picture: Pixels, row: Row) -> tuple[list[float], list[float]]:
    """Fits of a row's letters, and how far each stands off the row's even places, in pitches."""
    at = [k for k, letter in enumerate(row.text) if letter != "<" and row.chances[k] >= _SURE]
    wide, tall = _size(row.quad)
    scale = _WIDTH / max(_pitch(row), 1e-3)  # stored pixels per photo pixel
    across, down = round(wide * scale), round(tall * scale)
    if len(at) < _FEWEST_IN_ROW or not 0.15 < scale < 8 or across > 3000:
        return [], []
    at = at[:: max(1, len(at) // _LETTERS)][:_LETTERS]
    strip = text_lines.crop_at(picture, row.quad, (max(16, round(wide)), max(12, round(tall))))
    strip = np.asarray(
        cv2.resize(strip, (across, down), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8
    )
    half = _WIDTH // 2 + _SIDE + 2
    room = max(4, (_HEIGHT + 12 - down) // 2)
    ink = np.pad(_ink(strip), ((room, room), (half, half)))
    middles = [round(row.centres[k] * across) + half for k in at]
    windows = [ink[:, max(0, m - half) : m + half] for m in middles]
    letters = [mrz.ALPHABET.index(row.text[k]) for k in at]
    probes = range(0, len(at), max(1, len(at) // _PROBES))

    def fit(shape: _Shape) -> float:
        return float(np.median([_match(windows[p], _glyph(letters[p], shape))[0] for p in probes]))

    shape = max(((tall, soft, 0.0, 1.0) for tall in _TALL for soft in _SOFT), key=fit)
    shape = max(((*shape[:2], slant, 1.0) for slant in _SLANT), key=fit)
    shape = max(((*shape[:3], broad) for broad in _BROAD), key=fit)
    matched = [_match(window, _glyph(letter, shape)) for window, letter in zip(windows, letters, strict=True)]
    steps = np.array(at, np.float64)
    places = np.array([m - half + x for m, (_, x) in zip(middles, matched, strict=True)], np.float64) / _WIDTH
    off = places - np.polyval(np.polyfit(steps, places, 2), steps)  # a parabola: the far end of a row is smaller
    return [score for score, _ in matched], [float(x) for x in off]


def _pitch(row: Row) -> float:
    slope = np.polyfit(np.arange(len(row.centres)), np.array(row.centres), 1)[0]
    return float(slope) * _size(row.quad)[0]


def _size(quad: Quad) -> tuple[float, float]:
    """Width and height of a line, photo pixels."""
    wide = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    tall = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    return wide, tall


def _match(window: Floats, glyph: Floats) -> tuple[float, float]:
    """Best correlation of a glyph in its window, and its centre's place from the window's left."""
    if window.shape[0] < glyph.shape[0] or window.shape[1] < glyph.shape[1]:
        return 0.0, window.shape[1] / 2
    _, best, _, (x, _y) = cv2.minMaxLoc(cv2.matchTemplate(window, glyph, cv2.TM_CCOEFF_NORMED))
    return float(best), x + glyph.shape[1] / 2


_Shape = tuple[float, float, float, float]
"""Height and blur, slant, width: see _TALL, _SOFT, _SLANT, _BROAD."""


@cache
def _stored() -> Floats:
    file = Path(__file__).parent.parent / "models" / "ocrb_glyphs.npz"
    return np.asarray(np.load(file)["glyphs"].astype(np.float32) / 255, np.float32)


@cache
def _glyph(number: int, shape: _Shape) -> Floats:
    """A stored glyph in one of the shapes it is looked for in; at most 37 x 225 small pictures are kept."""
    tall, soft, slant, broad = shape
    size = (round(_WIDTH * broad), round(_HEIGHT * tall))
    sized = np.asarray(cv2.resize(_stored()[number], size, interpolation=cv2.INTER_AREA), np.float32)
    if slant:
        turn = np.array([[1, slant, -slant * size[1] / 2], [0, 1, 0]], np.float32)
        sized = np.asarray(cv2.warpAffine(sized, turn, size), np.float32)
    return np.asarray(cv2.GaussianBlur(sized, (0, 0), soft), np.float32)


def _ink(strip: Pixels) -> Floats:
    """Grey, the ground taken out: larger is darker than its surroundings, about 0 to 1."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float32)
    ground = cv2.GaussianBlur(cv2.dilate(grey, np.ones((29, 29), np.uint8)), (0, 0), 14)
    return np.asarray(np.clip((ground - grey) / np.maximum(ground, 30), 0, 1), np.float32)


# ---------------------------------------------------------------- colour


_COLOUR_SIDE: Final = 240  # pixels of the page's longer side on which colour is measured: noise and fringes average out
_SMOOTH: Final = 24  # pixels, standard deviation: light's own tint changes slower than print does


def colourless(picture: Pixels, corners: Quad) -> float:
    """Return how little colour the page has: 0 for none at all, negative for more (grey levels, sign turned).

    What counts is colour beside the light's own tint: under any lamp the channels of a grey copy stay in one proportion.
    """
    page = cv2.GaussianBlur(_page(picture, corners, _COLOUR_SIDE).astype(np.float32), (0, 0), 0.8)
    light = cv2.GaussianBlur(page, (0, 0), _SMOOTH) + 1
    red, blue = (page[..., c] - page[..., 1] * light[..., c] / light[..., 1] for c in (0, 2))
    return -float(np.percentile(np.hypot(red, blue), 95))


def _page(picture: Pixels, corners: Quad, longest: int) -> Pixels:
    """The page upright, no larger than `longest`, averaged rather than sampled."""
    wide, tall = _size(corners)
    scale = longest / max(wide, tall)
    size = (max(8, round(wide * scale)), max(8, round(tall * scale)))
    if scale < 1:  # shrink the photo first: warping alone would pick single pixels
        around = cv2.boundingRect(corners.astype(np.float32))
        x, y = max(0, around[0]), max(0, around[1])
        part = picture[y : around[1] + around[3], x : around[0] + around[2]]
        if part.size == 0:
            return np.zeros((size[1], size[0], 3), np.uint8)
        less = (max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale)))
        small = np.asarray(cv2.resize(part, less, interpolation=cv2.INTER_AREA), np.uint8)
        factor = np.array([less[0] / part.shape[1], less[1] / part.shape[0]], np.float32)
        return text_lines.crop_at(small, ((corners - (x, y)) * factor).astype(np.float32), size)
    return text_lines.crop_at(picture, corners, size)


# ---------------------------------------------------------------- screen


_TILE: Final = 192  # pixels of the photo


def screen(picture: Pixels, corners: Quad) -> float:
    """Return how far the strongest peak common to all parts of the page rises out of its spectrum, in natural log units.

    A screen's grid, or its beat with the camera's, is one and the same pattern everywhere; guilloche and text are not.
    0 where the page is too small to tell: below some 450 x 350 pixels.
    """
    tiles = _tiles(picture, corners)
    if len(tiles) < 4:
        return 0.0
    return spectrum.common_peak(tiles)


def _tiles(picture: Pixels, corners: Quad) -> Floats:
    """Square parts of the photo inside the page, grey: shape (n, _TILE, _TILE)."""
    height, width = picture.shape[:2]
    centre = corners.mean(axis=0)
    inner = (corners - centre) * 0.72 + centre
    found = []
    for down in (0.0, 0.5, 1.0):
        for right in (0.0, 0.5, 1.0):
            left = inner[0] + (inner[3] - inner[0]) * down
            far = inner[1] + (inner[2] - inner[1]) * down
            x, y = left + (far - left) * right
            x, y = round(float(x)) - _TILE // 2, round(float(y)) - _TILE // 2
            if 0 <= x <= width - _TILE and 0 <= y <= height - _TILE:
                found.append(picture[y : y + _TILE, x : x + _TILE].mean(axis=2, dtype=np.float32))
    return np.stack(found) if found else np.zeros((0, _TILE, _TILE), np.float32)
