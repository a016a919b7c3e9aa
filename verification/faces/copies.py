"""Tell whether two faces are one and the same photograph: printed, cut out, scanned, saved again."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

LINE: Final = 0.95
"""Likeness from which two faces are copies of one photograph. Of 28 portraits printed on imitated pages and photographed none was
below 0.993; 791 pairs of different photographs of one person reached 0.909, 371 of two people 0.875."""

_COARSE = 6.0  # pixels of 64; light and shadow wider than that are the lamp's, not the photograph's
_FINE = 1.0  # pixels; finer than that is the grain of print
_RIM = 8  # pixels not looked at, where hair and page begin
_STEPS = 40, 1e-4  # at most, and when to stop


def likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return how alike two aligned grey faces are as pictures, -1 to 1, once laid upon each other. Shape (64, 64) each.

    Landmarks are a pixel or two off where print is coarse, and that alone makes copies unlike: so the one is first fitted
    to the other by an affine map. -1 where no map fits.
    """
    ours, theirs = _detail(a), _detail(b)
    fitted = np.eye(2, 3, dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, *_STEPS)
    nothing = np.full(ours.shape, 255, np.uint8)
    try:
        _, found = cv2.findTransformECC(ours, theirs, fitted, cv2.MOTION_AFFINE, stop, nothing, 5)
    except cv2.error:  # it does so where the two have nothing in common
        return -1.0
    size = ours.shape[1], ours.shape[0]
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(theirs, np.asarray(found, np.float32), size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    inner = slice(_RIM, -_RIM), slice(_RIM, -_RIM)
    x, y = (np.asarray(cv2.GaussianBlur(np.ascontiguousarray(p[inner]), (0, 0), _FINE), np.float64) for p in (ours, laid))
    x, y = x - x.mean(), y - y.mean()
    power = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / power if power > 1e-9 else -1.0


def _detail(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """The face without its light, mean 0 and deviation 1."""
    fine = np.asarray(face, np.float32) - np.asarray(cv2.GaussianBlur(face, (0, 0), _COARSE), np.float32)
    return np.asarray((fine - fine.mean()) / max(float(fine.std()), 1e-6), np.float32)
