"""Turn the photo upright and cut the page out: geometry only, no reading.

The zone is the surest landmark: its rows are 44, 36 or 30 characters of 2.54 mm, so they give scale, tilt and
place of the page (Doc 9303 parts 4 to 7). A margin is always kept: numbers stand at the very edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents.lines import Pixels, Quad
from verification.evidence import Box, DocumentType

PITCH: Final = 2.54  # mm between characters of a zone (Doc 9303-3 section 4.5)
MARGIN: Final = 0.03  # of the page kept around it (own choice): a rectified page must not lose a number at its edge


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Of one document: page size, where the zone's rows stand, the portrait. All in mm from the page's top left."""

    width: float
    height: float
    row_left: float  # left end of the first character
    first_row: float  # middle of the first row
    last_row: float  # middle of the last row
    characters: int
    portrait: tuple[float, float, float, float] | None  # x, y, width, height; None where it varies


SHAPES: Final[dict[DocumentType, Shape]] = {
    # Doc 9303-4 figures 3 and 7: zone 23.2 mm high at the bottom, first letter 6.0 from the left, row pitch 6.35
    DocumentType.TD3: Shape(
        width=125, height=88, row_left=6.0, first_row=73.0, last_row=79.4, characters=44, portrait=(4, 21, 36, 47)
    ),
    DocumentType.MRVA: Shape(
        width=120, height=80, row_left=4.0, first_row=65.0, last_row=71.4, characters=44, portrait=(4, 15, 36, 45)
    ),
    DocumentType.TD2: Shape(
        width=105, height=74, row_left=4.0, first_row=59.0, last_row=65.4, characters=36, portrait=(3, 15, 34, 42)
    ),
    DocumentType.MRVB: Shape(
        width=105, height=74, row_left=4.0, first_row=59.0, last_row=65.4, characters=36, portrait=(3, 15, 34, 42)
    ),
    # A card's zone is on the back: the portrait is not on this side
    DocumentType.TD1: Shape(width=85.6, height=54, row_left=5.0, first_row=35.0, last_row=47.0, characters=30, portrait=None),
    # Spread of pages 2 and 3, read off the specimen (facts 3.2): zone on the lower 23.4 mm
    DocumentType.RU_INTERNAL: Shape(
        width=125, height=176, row_left=6.0, first_row=161.0, last_row=167.4, characters=44, portrait=(5, 105, 37, 46)
    ),
}


def quarter_turns(direction: NDArray[np.float32]) -> int:
    """Return how many quarter turns counter-clockwise bring text running along `direction` upright (0-3).

    The same count as `numpy.rot90` takes.
    """
    x, y = float(direction[0]), float(direction[1])
    if abs(x) >= abs(y):
        return 0 if x > 0 else 2
    return 1 if y > 0 else 3


def page_corners(layout: DocumentType, first: Quad, last: Quad) -> Quad:
    """Return the page's corners on the photo (margin included), from the quads of the zone's first and last row."""
    shape = SHAPES[layout]
    start = (first[0] + first[3]) / 2
    end = (first[1] + first[2]) / 2
    along = (end - start) / (shape.characters * PITCH)  # photo pixels per mm to the right
    down = ((last[0] + last[3] + last[1] + last[2]) / 4 - (first[0] + first[3] + first[1] + first[2]) / 4) / max(
        shape.last_row - shape.first_row, 1e-6
    )
    square = np.array([-along[1], along[0]], np.float32)
    # Two rows 6 mm apart measure the way down badly; keep it near a right angle and the same scale.
    ratio = float(np.linalg.norm(down)) / max(float(np.linalg.norm(square)), 1e-6)
    down = down if 0.8 < ratio < 1.25 and float(down @ square) > 0 else square
    down = (down + 3 * square) / 4
    origin = start - along * shape.row_left - down * shape.first_row
    mx, my = shape.width * MARGIN, shape.height * MARGIN
    corners = [(-mx, -my), (shape.width + mx, -my), (shape.width + mx, shape.height + my), (-mx, shape.height + my)]
    return np.array([origin + along * x + down * y for x, y in corners], np.float32)


def flatten(picture: Pixels, corners: Quad, *, longest: int = 1600) -> Pixels:
    """Return the page inside `corners` as an upright picture, at the photo's own scale but at most `longest` pixels."""
    width = float(np.linalg.norm(corners[1] - corners[0]))
    height = float(np.linalg.norm(corners[3] - corners[0]))
    scale = min(1.0, longest / max(width, height, 1.0))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    return cast(Pixels, cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE))


def portrait_box(layout: DocumentType, corners: Quad, width: int, height: int) -> Box | None:
    """Return the upright box on the photo that holds the portrait's place, or None where the layout has none."""
    shape = SHAPES[layout]
    if shape.portrait is None:
        return None
    x, y, w, h = shape.portrait
    mx, my = shape.width * MARGIN, shape.height * MARGIN
    right = (corners[1] - corners[0]) / (shape.width + 2 * mx)
    down = (corners[3] - corners[0]) / (shape.height + 2 * my)
    places = np.array(
        [corners[0] + right * (px + mx) + down * (py + my) for px, py in ((x, y), (x + w, y), (x + w, y + h), (x, y + h))]
    )
    left, top = np.floor(places.min(axis=0)).astype(int)
    far, low = np.ceil(places.max(axis=0)).astype(int)
    left, top, far, low = max(0, left), max(0, top), min(width, far), min(height, low)
    if far - left < 16 or low - top < 16:
        return None
    return int(left), int(top), int(far - left), int(low - top)


def outside(corners: Quad, width: int, height: int) -> float:
    """Return how far, as a share of the page's longer side, the page reaches beyond the photo's edges (0 = all inside)."""
    beyond = max(
        float(-corners[:, 0].min()),
        float(-corners[:, 1].min()),
        float(corners[:, 0].max() - width),
        float(corners[:, 1].max() - height),
        0.0,
    )
    longest = max(float(np.linalg.norm(corners[1] - corners[0])), float(np.linalg.norm(corners[3] - corners[0])), 1.0)
    return beyond / longest


def cut(rows: Sequence[Quad], width: int, height: int) -> bool:
    """Return whether a zone's rows run out of the photo, or one row alone lies at its edge with no room for the next.

    Corners as the detector gives them: it marks some 0.3 of a row's height around the letters.
    """
    for row in rows:
        tall = float(np.linalg.norm(row[3] - row[0]) + np.linalg.norm(row[2] - row[1])) / 2
        for end in ((row[0] + row[3]) / 2, (row[1] + row[2]) / 2):
            if _beyond(end, width, height) > -0.2 * tall:
                return True
        if len(rows) == 1 and _beyond((row[2] + row[3]) / 2, width, height) > -0.8 * tall:
            return True
    return False


def _beyond(point: NDArray[np.float32], width: int, height: int) -> float:
    """How many pixels a point lies outside the photo; negative inside."""
    x, y = float(point[0]), float(point[1])
    return max(-x, -y, x - width, y - height)
