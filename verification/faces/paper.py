"""Tell a face on paper from a face of flesh by the print around it: a portrait's page has lines of letters, a selfie none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from verification.faces.detect import Found

LINES: Final = 5
"""Lines from which a face stands on paper: 63 of 68 faces on real documents had as many; of 239 photographs of people none had
more than 2, two photographs laid side by side 4."""

SURELY: Final = 8
"""Lines from which a second face as large is left out of count: 56 of the 68. Two people taken for one would be worse."""

HEIGHT: Final = 100  # pixels of the face where print around it is looked for: letters of a page are then 5 to 8 high
_REACH = (420, 280)  # pixels looked at to each side, and above and below: a page is 125 mm wide, its printed head some 33 high


def on_paper(picture: NDArray[np.uint8], face: Found, *, lines: int = LINES) -> bool:
    """Whether the face is a printed one, with as many lines of print around it. RGB pixels of shape (H, W, 3)."""
    return printed_lines(picture, face) >= lines


def printed_lines(picture: NDArray[np.uint8], face: Found, *, shrunk: float = 1.0) -> int:
    """Count lines of print around a face: a selfie has none, a document's page has some ten. RGB pixels (H, W, 3).

    The picture is turned and scaled by the face, so that letters of a page with this portrait have a known height.
    `shrunk`: by how much `picture` is smaller than the one that the face was found in.
    """
    zoom = HEIGHT / max(face.size, 1.0) * shrunk
    at = face.middle / np.float32(shrunk)
    wide, tall = 2 * _REACH[0], 2 * _REACH[1]
    reach = int(math.hypot(*_REACH) / zoom) + 2
    left, top = max(0, int(at[0]) - reach), max(0, int(at[1]) - reach)
    part = picture[top : int(at[1]) + reach, left : int(at[0]) + reach]
    if min(part.shape[:2]) < 2:
        return 0
    middle = at - np.array([left, top], np.float32)
    if zoom < 0.6:  # averaging first, or warpAffine would skip pixels
        size = max(1, round(part.shape[1] * zoom)), max(1, round(part.shape[0] * zoom))
        ratio = np.array([size[0] / part.shape[1], size[1] / part.shape[0]], np.float32)
        part, middle, zoom = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8), middle * ratio, 1.0
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), face.tilt, zoom)
    matrix[:, 2] = matrix[:, 2] + np.array([wide / 2, tall / 2]) - middle
    seen = cv2.warpAffine(part, matrix, (wide, tall), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.cvtColor(np.asarray(seen, np.uint8), cv2.COLOR_RGB2GRAY)
    ink = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((9, 15), np.uint8))
    strokes = np.abs(cv2.Sobel(ink, cv2.CV_32F, 1, 0, ksize=3))
    strokes = np.asarray(cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, np.ones((1, 9), np.uint8)), np.float32)
    mask = np.asarray(strokes > max(60.0, 2.2 * float(strokes.mean())), np.uint8)
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, 11), np.uint8)), np.uint8)
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 7), np.uint8)), np.uint8)
    head = slice(tall // 2 - 75, tall // 2 + 75), slice(wide // 2 - 65, wide // 2 + 65)
    mask[head] = 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return sum(w >= 30 and 3 <= h <= 15 and w >= 3.5 * h and area >= 0.55 * w * h for _, _, w, h, area in stats[1:].tolist())
