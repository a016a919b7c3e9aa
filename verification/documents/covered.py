"""What hides a printed value whose place is known though nothing was read there: the photo's edge, a thing over it, light.

A zone is full of print, so a place without ink is hidden (`legibility`); a printed row may be short. Only what lies over the
paper tells here: skin, cloth and wood have another colour than all other rows of the page, and burnt light is white.
OpenCV and NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents.lines import Floats, Pixels, Quad, crop_at
from verification.reasons import ReasonCode

_CELL: Final = 16  # pixels of a cell in the strip that is measured: about 4 mm of a row
_PAPER: Final = 75  # percentile of a cell's brightness that print does not reach
_OTHER_HUE: Final = 0.09  # of a channel's share: on bare rows up to 0.08 (holograms), under drawn thumbs 0.09 to 0.21
_LEAST: Final = 3  # cells side by side: a thumb is 15 mm wide
_WHITE: Final = 250.0  # grey level of light that leaves nothing to be seen
_TINTED: Final = 235.0  # grey level of paper from which white light cannot be told
_BEYOND: Final = 0.25  # share of a row's length beyond the photo that may hold a letter


def covered(picture: Pixels, pages: Sequence[Mapping[str, Sequence[Quad]]]) -> dict[str, ReasonCode]:
    """Return the values of which a part cannot be seen, and why; glare goes before a cover: the more usual.

    `pages`: for each page, which has one colour, the places (4 x 2, pixels of `picture`) of its values by name.
    """
    reasons: dict[str, ReasonCode] = {}
    for places in pages:
        inside = {name: [quad for quad in quads if _outside(quad, picture) <= _BEYOND] for name, quads in places.items()}
        cells = {name: [_cells(picture, quad) for quad in quads] for name, quads in inside.items()}
        seen = [row for rows in cells.values() for row in rows]
        tone = np.median(np.concatenate(seen), axis=0) if seen else np.zeros(3, np.float32)
        for name, quads in places.items():
            found = {_over(row, tone) for row in cells[name]} - {None}
            if len(inside[name]) < len(quads):
                found.add(ReasonCode.DOCUMENT_CUT_OFF)
            for reason in (ReasonCode.DOCUMENT_GLARE, ReasonCode.DOCUMENT_COVERED, ReasonCode.DOCUMENT_CUT_OFF):
                if reason in found:
                    reasons.setdefault(name, reason)
    return reasons


def _cells(picture: Pixels, quad: Quad) -> Floats:
    """The paper's colour in square cells along a row, shape (n, 3): what print leaves of it."""
    wide = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    tall = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    count = int(np.clip(round(wide / max(tall, 1.0)), 1, 40))
    strip = cv2.GaussianBlur(crop_at(picture, quad, (count * _CELL, _CELL)), (0, 0), 1.0)
    cells = strip.reshape(_CELL, count, _CELL, 3).transpose(1, 0, 2, 3).reshape(count, -1, 3)
    return np.asarray(np.percentile(cells, _PAPER, axis=1), np.float32)


def _over(row: Floats, tone: Floats) -> ReasonCode | None:
    """What lies over one row, if anything does."""
    white = (row.min(axis=1) >= _WHITE) & (float(tone.mean()) < _TINTED)
    other = (np.abs(_hue(row) - _hue(tone)).max(axis=1) > _OTHER_HUE) & ~white
    if _longest(white) >= _LEAST:
        return ReasonCode.DOCUMENT_GLARE
    return ReasonCode.DOCUMENT_COVERED if _longest(other) >= _LEAST else None


def _longest(flags: NDArray[np.bool_]) -> int:
    """The longest run of true."""
    best = run = 0
    for flag in flags.tolist():
        run = run + 1 if flag else 0
        best = max(best, run)
    return best


def _hue(colour: Floats) -> Floats:
    """Colours (..., 3) with their brightness taken out: each channel as a share of their mean."""
    return np.asarray(colour / np.maximum(colour.mean(axis=-1, keepdims=True), 8.0), np.float32)


def _outside(quad: Quad, picture: Pixels) -> float:
    """The share of a row's middle line that lies beyond the photo."""
    along = np.linspace((quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2, 17)
    height, width = picture.shape[:2]
    inside = (along[:, 0] >= 0) & (along[:, 0] <= width) & (along[:, 1] >= 0) & (along[:, 1] <= height)
    return float(1 - inside.mean())
