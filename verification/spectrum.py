"""Fine regular patterns, as screens and printers make them: how far peaks rise out of the spectrum of square tiles."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LOWEST: Final = 0.07  # cycles per pixel: below, print and light
_UNSEEN: Final = 2000 / 192**2  # power to a pixel where grey levels differ by 0.6: nothing below their rounding counts
_JPEG: Final = 2.1  # steps of the spectrum around multiples of 1/8 in both directions


def common_peak(tiles: Floats) -> float:
    """Return how far the strongest peak common to all tiles rises, in natural log units. Grey levels, shape (n, side, side)."""
    level = np.median(_powers(tiles), axis=0).astype(np.float32)
    return _rise(level)


def usual_peak(tiles: Floats) -> float:
    """Return how far the strongest peak of a tile rises in half of the tiles at least: tiles may differ in what they repeat."""
    return float(np.median([_rise(level) for level in _powers(tiles)]))


def _powers(tiles: Floats) -> Floats:
    """Log power of each tile, shape (n, side, side // 2 + 1), the slowest frequency in the middle of the first column."""
    side = tiles.shape[1]
    flat = tiles - np.stack([cv2.GaussianBlur(tile, (0, 0), side / 32) for tile in tiles])
    power = np.log(np.abs(np.fft.rfft2(flat * _window(side))) ** 2 + _UNSEEN * side**2)
    return np.asarray(np.fft.fftshift(power, axes=1), np.float32)


def _rise(level: Floats) -> float:
    ground = np.maximum(cv2.blur(level, (17, 17)), np.maximum(cv2.blur(level, (21, 3)), cv2.blur(level, (3, 21))))
    return float(((cv2.GaussianBlur(level, (0, 0), 0.8) - ground) * _judged(level.shape[0])).max())


@cache
def _window(side: int) -> Floats:
    return np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)


@cache
def _judged(side: int) -> Floats:
    """1 for frequencies that are judged: no slow ones, and none of the 8-pixel grid of JPEG."""
    down = np.fft.fftshift(np.fft.fftfreq(side))[:, None]
    right = np.fft.rfftfreq(side)[None, :]
    near = [np.abs(np.abs(way) * 8 - np.round(np.abs(way) * 8)) < 8 * _JPEG / side for way in (down, right)]
    return np.asarray((np.hypot(down, right) > _LOWEST) & ~(near[0] & near[1]), np.float32)
