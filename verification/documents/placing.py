"""Place a layout on a photo: a map from the photo's pixels to the layout's millimetres, moved by what is known already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents import page
from verification.documents.layout_files import Layout
from verification.documents.lines import Quad

_ACROSS, _DOWN = 1.2, 0.8  # mm, 1 sigma: how far a known line's left end and middle lie off their layout's place
_MOVED, _BENT = 4.0, 0.05  # 1 sigma of the placement by zone or edges: mm it is off, share it is stretched or sheared
_ASTRAY: Final = 3.0  # sigmas from which a known line is one printed elsewhere (joined with its label, say)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placed:
    """How a layout lies on the photo. `to_mm`: 3 x 3, photo pixels to the layout's millimetres; `misfit`: least is best."""

    layout: Layout
    to_mm: NDArray[np.float64]
    misfit: float

    def mm(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Photo pixels, shape (N, 2), to millimetres."""
        return _through(self.to_mm, points)

    def photo(self, points: Sequence[tuple[float, float]]) -> Quad:
        """Millimetres to photo pixels, shape (N, 2)."""
        return np.asarray(_through(cast(NDArray[np.float64], np.linalg.inv(self.to_mm)), np.array(points)), np.float32)


def _through(matrix: NDArray[np.float64], points: NDArray[Any]) -> NDArray[np.float64]:
    return cast(NDArray[np.float64], cv2.perspectiveTransform(np.asarray(points, np.float64)[None], matrix)[0])


def from_corners(layout: Layout, corners: Quad) -> NDArray[np.float64]:
    """The page's corners (with margin) as a map from photo pixels to millimetres."""
    m = page.MARGIN
    w, h = layout.width, layout.height
    outline = np.array([(-m * w, -m * h), (w + m * w, -m * h), (w + m * w, h + m * h), (-m * w, h + m * h)], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), outline), np.float64)


class Known(NamedTuple):
    """A point of the photo whose place in a layout is known: millimetres, pixels, and how much it counts (1: a printed line)."""

    wanted: tuple[float, float]
    point: NDArray[np.float32]
    weight: float = 1.0


def place(layout: Layout, first: NDArray[np.float64], known: Sequence[Known]) -> Placed:
    """Move a first placement so that known points of the photo come to stand where the layout has them (mm).

    An affine change in millimetres, held near none by how far placements are off; a point far astray is left out.
    """
    seen = [(mark, _through(first, mark.point[None])[0]) for mark in known]
    fitted = _fitted(layout, seen)
    left_out = 0
    while len(seen) > 2 and _worst(fitted[0], seen) > _ASTRAY:
        fewer = [(_fitted(layout, seen[:at] + seen[at + 1 :]), at) for at in range(len(seen))]
        fitted, at = min(fewer, key=lambda pair: pair[0][1])  # the one without which the others fit best
        seen = seen[:at] + seen[at + 1 :]
        left_out += 1
    return Placed(layout=layout, to_mm=fitted[0] @ first, misfit=fitted[1] + left_out * 2 * _ASTRAY**2)


_Seen = tuple[Known, NDArray[np.float64]]
"""A known point, and where the placement so far has it (mm)."""


def _fitted(layout: Layout, seen: Sequence[_Seen]) -> tuple[NDArray[np.float64], float]:
    """The affine change (3 x 3, millimetres) that fits best, and its cost: squared sigmas of points and of the change itself."""
    middle = np.array([layout.width / 2, layout.height / 2])
    held = np.diag([1 / _MOVED, 1 / (_BENT * layout.width / 2), 1 / (_BENT * layout.width / 2)])
    change, cost = np.eye(3), 0.0
    for axis, sigma in ((0, _ACROSS), (1, _DOWN)):
        left = np.array([*held, *([mark.weight / sigma, *((at - middle) * mark.weight / sigma)] for mark, at in seen)])
        right = np.array([0.0, 0, 0, *((mark.wanted[axis] - at[axis]) * mark.weight / sigma for mark, at in seen)])
        (move, across, down), *_ = np.linalg.lstsq(left, right, rcond=None)
        cost += float(((left @ (move, across, down) - right) ** 2).sum())
        change[axis] += (across, down, move - across * middle[0] - down * middle[1])
    return change, cost


def _worst(change: NDArray[np.float64], seen: Sequence[_Seen]) -> float:
    """How many sigmas the point that fits worst lies off."""
    return max(
        mark.weight * float(np.hypot(*((_through(change, at[None])[0] - mark.wanted) / (_ACROSS, _DOWN)))) for mark, at in seen
    )
