"""How well the print of a zone's rows can be read, measured on the rows themselves: size, sharpness, noise, what hides it.

A row of a zone is the best test chart on the page: every place of it holds print, strokes are of one width and letters
of one size. So sharpness is that of strokes and not of a table's grain, resolution is the height of a letter, and a place
without ink is hidden: by light where it is bright, by something else where it is not paper. OpenCV and NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents.lines import Floats, Pixels, Quad, crop_at
from verification.documents.mrz import Place
from verification.evidence import Field
from verification.reasons import ReasonCode

# Where the share of zones read exactly falls off: `python tests/benchmarks/legibility.py --limit 10` measures it again.
# The figures are of 588 copies of ten development documents and two drawn ones; every second document at 12 pixels a character.
_SMALL: Final = 4.7  # photo pixels a character. Exact: from 4.7 up 72 of 72, 4.2 to 4.7: 10 of 12, 3.5 to 4.2: 1 of 12
_SOFT: Final = 0.23  # letter heights an edge. Exact: below 0.23 59 of 61, then in steps of 0.01 16 of 27, 12 of 15, 5 of 12
_NOISY: Final = 5.5  # contrast over noise. Exact: from 5.5 up 94 of 97, 4.5 to 5.5: 14 of 21, below: 9 of 38
_GONE: Final = 0.15  # share of ink left. Misread under glare: below 0.1 39 of 109, to 0.15 1 of 16, to 0.2 3 of 36, then 1 in 100
_COVERED: Final = 0.4  # the same where the place has another colour than paper; at 0.5 and more blurred rows are called covered
_BESIDE: Final = 0.7  # the same beside a hidden place; print of any kind keeps 0.77 (sharp) or 0.5 (blurred)
_OTHER_HUE: Final = 0.08  # of a channel's share in the mean of all three: drawn skin differs from paper by 0.16 and more
_OTHER_LIGHT: Final = 0.8  # share of the row's usual light, print included: a glove or a shadow's core is darker
_BRIGHTER: Final = 0.15  # of what paper lacks to white: light lifts a place without ink by more
_BURNT: Final = 250  # grey level of paper that no light can lift

_HEIGHT_CELL: Final = 24  # pixels a pitch where letters' heights are measured
_WHOLE: Final = 0.84  # of the zone's usual letter height. Cut and misread: up to 0.83; whole: from 0.86 on 29 of 30 zones
_LIGHT: Final = ReasonCode.DOCUMENT_GLARE
_COVER: Final = ReasonCode.DOCUMENT_COVERED
_LETTER: Final = 0.94  # height of a capital in pitches: 2.4 mm of 2.54 (facts 1.6); 12 rows photographed: 0.95 to 1.05
_MARGIN: Final = 0.4  # pitches by which a row's quad is longer than its print, both ends together: 0.16 to 0.9, median 0.4
_CELL: Final = 20  # pixels a pitch in the strip that is measured: a stroke is then 3 wide
_STEPS: Final = ((1, 0), (0, 1), (1, 1), (1, -1))  # along, down and both slants: a hand shakes any way
_LENGTHS: Final = (30, 36, 44)  # characters a row may hold (Doc 9303 parts 4 to 7)
_ACROSS: Final = 1024  # pixels of a row in which its characters are counted
_BAND: Final = 1.2  # pitches around a row's middle that are looked at for ink: the letters and half a line's wobble


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of a row, from `start` to `end` as fractions of its print (0-1), and the share of the ink that is lost there."""

    start: float
    end: float
    lost: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Legibility:
    """What was measured on one row of print.

    `ink` holds, for each character's place, the depth of print there as a share of `contrast`: from 0.5 up for print of any
    kind, below 0.15 where it is gone. `hidden` says what hides a place, None where nothing does.
    """

    pitch: float  # photo pixels from one character to the next
    letter: float  # photo pixels, height of a capital
    edge: float  # letter heights within which ink becomes paper, in the direction in which it takes longest
    contrast: float  # grey levels between paper and ink, 0-255, where the row is printed best
    noise: float  # grey levels, standard deviation on paper, at 20 pixels a pitch
    ink: tuple[float, ...]
    hidden: tuple[ReasonCode | None, ...]

    @property
    def clearness(self) -> float:
        """Contrast over noise, the noise of eight-bit levels included."""
        return self.contrast / (self.noise + 0.3)

    @property
    def burnt(self) -> tuple[Span, ...]:
        """Parts of the row whose print is gone under light, left to right."""
        runs = [list(run) for lit, run in groupby(range(len(self.ink)), lambda at: self.hidden[at] is _LIGHT) if lit]
        count = len(self.ink)
        lost = [1 - float(np.mean([self.ink[at] for at in run])) for run in runs]
        return tuple(
            Span(start=run[0] / count, end=(run[-1] + 1) / count, lost=part) for run, part in zip(runs, lost, strict=True)
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Strip:
    """A row brought to `_CELL` pixels a pitch. `places`: middle of each character, as a fraction of the strip's width."""

    colour: Pixels
    grey: Floats
    pitch: float
    places: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Cells:
    """Each character's place of a row: grey level of ink and of paper, and mean colour (n x 3, RGB)."""

    ink: Floats
    paper: Floats
    colour: Floats


def row_legibility(picture: Pixels, quad: Quad, characters: int) -> Legibility:
    """Measure one printed row inside `quad` (4 x 2, pixels of `picture`) that holds `characters` characters, evenly spaced.

    Raises ValueError where `characters` is below one.
    """
    strip = _strip(picture, quad, _evenly(characters))
    return _measured([strip])[0]


def letter_heights(picture: Pixels, quad: Quad, text: str, centres: Sequence[float]) -> tuple[float | None, ...]:
    """Return the height of each printed letter in pitches; None for fillers, 0 where no ink stands out.

    `centres`: where each character stands, as shares of the row's length (0-1). What cuts all letters of a row at one
    height (the photo's edge, a band of light, tape) turns an O into a U and an M into nothing a reader would doubt: every
    reader sees the same whole letter that was never printed. Only its height gives it away.
    """
    count = len(text)
    slope, first = np.polyfit(np.arange(count), np.array(centres), 1)
    wide = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    tall = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    pitch = max(float(slope) * wide, 1.0)
    size = (max(16, round(_HEIGHT_CELL * wide / pitch)), max(8, round(_HEIGHT_CELL * tall / pitch)))
    if size[0] > 4000 or size[1] > 400:
        return (None,) * count
    row = crop_at(picture, quad, (max(size[0], round(wide)), max(size[1], round(tall))))
    grey = np.asarray(cv2.resize(cv2.cvtColor(row, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA), np.float32)
    half = round(0.42 * _HEIGHT_CELL)
    framed = np.pad(grey, ((0, 0), (half, half)), mode="edge")
    starts = [min(max(int(float(first + slope * at) * size[0]), 0), size[0]) for at in range(count)]
    cells = np.stack([framed[:, start : start + 2 * half] for start in starts])  # a place, its lines, its columns
    ink, paper = np.percentile(cells.reshape(count, -1), (4, 92), axis=1)
    darkest = np.partition(cells, 2, axis=2)[:, :, :3].mean(axis=2)
    marked = darkest < (0.55 * ink + 0.45 * paper)[:, None]
    tops, feet = marked.argmax(axis=1), marked.shape[1] - marked[:, ::-1].argmax(axis=1)
    heights = np.where(marked.any(axis=1), feet - tops, 0) / _HEIGHT_CELL
    return tuple(None if character == "<" else float(h) for character, h in zip(text, heights, strict=True))


def cut_letters(heights: Sequence[Sequence[float | None]]) -> tuple[tuple[bool, ...], ...]:
    """Return, for each place of each row of a zone, whether its letter is lower than the zone's letters are."""
    usual = max((float(np.median(known)) for row in heights if (known := [h for h in row if h is not None])), default=0.0)
    return tuple(tuple(h is not None and h < _WHOLE * usual for h in row) for row in heights)


def hidden_places(
    picture: Pixels, quads: Sequence[Quad], centres: Sequence[Sequence[float]] | None = None
) -> tuple[tuple[ReasonCode | None, ...], ...]:
    """Say for each character of each row what hides it: glare, or something that is neither paper nor print; None if nothing.

    `centres`: where each character stands, as a fraction of its row's width (0-1); None for rows that nobody could read:
    their characters are counted. All rows are weighed against the best print among them, so that a row wholly under light
    is seen as hidden.
    """
    if not quads:
        return ()
    if centres is None:
        places = [_evenly(characters_in(picture, quads))] * len(quads)
    else:
        places = [np.asarray(row, np.float32) for row in centres]
    return tuple(row.hidden for row in _measured([_strip(picture, quad, at) for quad, at in zip(quads, places, strict=True)]))


def hidden_fields(
    rows: Sequence[Sequence[ReasonCode | None]], places: Mapping[Field, Sequence[Place]]
) -> dict[Field, ReasonCode]:
    """Return the fields of which a character is hidden, and by what. `rows` as from `hidden_places`.

    `places`: where each field is printed, as `ParsedMrz.places`. Glare goes before a cover: the more usual.
    """
    fields: dict[Field, ReasonCode] = {}
    for name, printed in places.items():
        parts = [rows[row][start:end] for row, start, end in printed if row < len(rows)]
        reasons = {reason for part in parts for reason in part if reason is not None}
        if reasons:
            fields[name] = _LIGHT if _LIGHT in reasons else _COVER
    return fields


def why_hard(picture: Pixels, quads: Sequence[Quad], characters: int | None = None) -> list[ReasonCode]:
    """Say what makes rows hard to read, gravest first; empty if nothing we can measure does.

    `characters`: of a row; None for rows that nobody could read: they are counted.
    """
    if not quads:
        return []
    places = _evenly(characters if characters is not None else characters_in(picture, quads))
    rows = _measured([_strip(picture, quad, places) for quad in quads])
    reasons = []
    hidden = {reason for row in rows for reason in row.hidden if reason is not None}
    small = float(np.median([row.pitch for row in rows])) < _SMALL
    edge = float(np.median([row.edge for row in rows]))
    if small:
        reasons.append(ReasonCode.DOCUMENT_TOO_SMALL)
    reasons += [reason for reason in (_LIGHT, _COVER) if reason in hidden]
    if float(np.median([row.clearness for row in rows])) < _NOISY:
        reasons.append(ReasonCode.DOCUMENT_TOO_DARK)
    if edge > _SOFT:
        reasons.append(ReasonCode.DOCUMENT_BLURRED)
    return reasons


def characters_in(picture: Pixels, quads: Sequence[Quad]) -> int:
    """Count the characters of a zone's rows by their even spacing, unread: 30, 36 or 44, whichever wave the ink follows best.

    Right for 80 of 80 development zones and for 507 of 510 copies of ten, made worse in every way of the benchmark.
    """
    strength = np.zeros(len(_LENGTHS))
    for quad in quads:
        width = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
        tall = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
        high = int(np.clip(round(tall * _ACROSS / max(width, 1.0)), 8, _ACROSS // 4))
        flat = crop_at(picture, quad, (int(np.clip(round(width), _ACROSS, 2 * _ACROSS)), high))
        grey = np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY), np.float32)
        line = cv2.resize(grey, (_ACROSS, high), interpolation=cv2.INTER_AREA)[high // 4 : high * 3 // 4 + 1].mean(axis=0)
        line = line - cv2.blur(line[None], (2 * _CELL + 1, 1))[0]  # shade, and light that rims a spot
        strength += np.abs(_waves() @ line).max(axis=1)
    return _LENGTHS[int(strength.argmax())]


@cache
def _waves() -> NDArray[np.complex64]:
    """Waves as long as a pitch, for each of `_LENGTHS` and margins of 0.1 to 0.9 pitches: shape (3, 9, _ACROSS)."""
    along = np.arange(_ACROSS) / _ACROSS
    turns = np.array([[count + margin / 10 for margin in range(1, 10)] for count in _LENGTHS])
    return np.exp(-2j * np.pi * turns[..., None] * along).astype(np.complex64)


def _evenly(characters: int) -> Floats:
    """Return where `characters` characters stand in a row's quad, as fractions of its width."""
    if characters < 1:
        raise ValueError(f"a row holds one character or more, not {characters}")
    return np.asarray((_MARGIN / 2 + 0.5 + np.arange(characters)) / (characters + _MARGIN), np.float32)


def _strip(picture: Pixels, quad: Quad, places: Floats) -> _Strip:
    """Flatten a row. Shrunk by area after warping where the photo is finer: warping alone would skip pixels."""
    width = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    tall = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    step = float(places[-1] - places[0]) / (len(places) - 1) if len(places) > 1 else 1.0
    pitch = max(step * width, 0.1)
    scale = _CELL / pitch
    across = int(np.clip(round(width * scale), _CELL, 200 * _CELL))
    high = int(np.clip(round(tall * scale), _CELL, 6 * _CELL))
    first = (across, high) if scale >= 1 else (max(across, round(width)), max(high, round(tall)))
    target = np.array([[0, 0], [first[0], 0], first, [0, first[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    flat = cv2.warpPerspective(picture, matrix, first, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if first != (across, high):
        flat = cv2.resize(flat, (across, high), interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY), np.float32)
    return _Strip(colour=np.asarray(flat, np.uint8), grey=grey, pitch=pitch, places=places)


def _measured(strips: Sequence[_Strip]) -> list[Legibility]:
    """Measure rows of one zone against each other."""
    cells = [_cells(strip) for strip in strips]
    depths = [row.paper - row.ink for row in cells]
    # upper quarter: what the print is like where nothing hides it, even if most of the zone is hidden
    together = np.concatenate(depths)
    contrast = max(float(np.percentile(together, 75)), 1.0)
    whole = together >= min(0.6 * contrast, float(together.max()))
    paper = float(np.median(np.concatenate([row.paper for row in cells])[whole]))
    tone = np.median(np.concatenate([row.colour for row in cells])[whole], axis=0)
    measured = []
    for strip, row, depth in zip(strips, cells, depths, strict=True):
        share = depth / contrast
        measured.append(
            Legibility(
                pitch=strip.pitch,
                letter=_LETTER * strip.pitch,
                edge=_edge(strip.grey) / _LETTER,
                contrast=contrast,
                noise=_noise(strip.grey, paper, contrast),
                ink=tuple(float(s) for s in share),
                hidden=_hidden(share, row, paper=paper, tone=np.asarray(tone, np.float32)),
            )
        )
    return measured


def _cells(strip: _Strip) -> _Cells:
    """Measure ink and paper at each place; 4th and 90th percentile, so that single pixels of noise do not count as ink."""
    soft = cv2.GaussianBlur(strip.colour, (0, 0), 0.05 * _CELL)
    grey = cv2.cvtColor(soft, cv2.COLOR_RGB2GRAY)
    high, across = grey.shape
    top, low = max(0, round(high / 2 - _BAND / 2 * _CELL)), min(high, round(high / 2 + _BAND / 2 * _CELL))
    left = np.clip(np.round(strip.places * across - _CELL / 2).astype(int), 0, max(0, across - _CELL))
    columns = left[:, None] + np.arange(min(_CELL, across))  # n x _CELL
    levels = np.sort(grey[top:low][:, columns].transpose(1, 0, 2).reshape(len(left), -1), axis=1)
    last = levels.shape[1] - 1
    return _Cells(
        ink=levels[:, round(0.04 * last)].astype(np.float32),
        paper=levels[:, round(0.90 * last)].astype(np.float32),
        colour=soft[top:low].mean(axis=0, dtype=np.float32)[columns].mean(axis=1),
    )


def _edge(grey: Floats) -> float:
    """Return within how many pitches ink becomes paper: spread of grey over spread of its slope, the worst of four directions.

    Both spreads are taken over the whole row, so texture and noise, which are weak beside print, count little; what is wider
    than a letter (shade, the rim of a spot) is taken out first.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.06 * _CELL)
    print_ = smooth - cv2.blur(smooth, (_CELL + 1, _CELL + 1))
    spread = max(float(np.square(print_).mean()), 1e-3)
    worst = 0.0
    for x, y in _STEPS:
        kernel = np.zeros((3, 3), np.float32)
        kernel[1 - y, 1 - x], kernel[1 + y, 1 + x] = -0.5, 0.5
        slope = cv2.filter2D(smooth, -1, kernel) / float(np.hypot(x, y))
        worst = max(worst, float(np.sqrt(spread / max(float(np.square(slope).mean()), 1e-3))))
    return worst / _CELL


def _noise(grey: Floats, paper: float, contrast: float) -> float:
    """Return the spread of fine grain on bare paper, grey levels. A tenth of the contrast where no bare paper is left."""
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 0.1 * _CELL)
    bare = (cv2.GaussianBlur(grey, (0, 0), 0.075 * _CELL) > paper - 0.25 * contrast).astype(np.uint8)
    inside = cv2.erode(bare, np.ones((3, 3), np.uint8)) > 0
    if int(inside.sum()) < 4 * _CELL:
        return 0.1 * contrast
    return float(fine[inside].std())


def _hidden(share: Floats, row: _Cells, *, paper: float, tone: Floats) -> tuple[ReasonCode | None, ...]:
    """Say what hides each place. Light where the place is brighter than paper; a cover where it is plainly not paper.

    A place without ink that looks like paper is a gap in the print, and nothing hides it. A place beside a hidden one that
    lost part of its ink is half hidden.
    """
    light = row.colour.mean(axis=1)
    lit = (light > paper + _BRIGHTER * (255 - paper)) | (row.paper >= _BURNT)
    hue = np.abs(_hue(row.colour) - _hue(tone)).max(axis=1)
    alien = (hue > _OTHER_HUE) | (light < _OTHER_LIGHT * float(tone.mean()))
    reasons: list[ReasonCode | None] = [
        _LIGHT if ink < _GONE and bright else _COVER if ink < _COVERED and other and not bright else None
        for ink, bright, other in zip(share, lit, alien, strict=True)
    ]
    seen = list(reasons)
    for at, reason in enumerate(seen):
        for beside in (at - 1, at + 1):
            if reason is not None and 0 <= beside < len(seen) and seen[beside] is None and share[beside] < _BESIDE:
                reasons[beside] = reason
    return tuple(reasons)


def _hue(colour: Floats) -> Floats:
    """Return colours (..., 3) with their brightness taken out: each channel as a share of their mean."""
    return np.asarray(colour / np.maximum(colour.mean(axis=-1, keepdims=True), 8.0), np.float32)
