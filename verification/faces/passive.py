"""Weak signs in a single selfie that it shows a picture of a person: a screen's dots, a print's edges, glass that shines.

Pure functions over the pixels and the face found. Each measure is a number, larger is odder, and its line was chosen on one
half of the people of ../shared/data/faces and measured on the other by `tests/benchmarks/liveness.py --signs`. The attacks there
are drawn: this is no certified presentation attack detection (ISO/IEC 30107-3). A print or screen that fills the selfie, mirrors
no lamp and is finer than the camera sees shows none of them. The colour of the skin was tried and does not separate.
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification import spectrum
from verification.challenge import Sign
from verification.faces.detect import Found

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

PATTERN: Final = 2.4
"""Line for `pattern`: 218 photographs of the choosing half reached 2.21 at most, 440 of the other 2.07."""
EDGES: Final = 0.82
"""Line for `edges`: 218 photographs reached 0.76 at most, 440 others 0.75; cut-outs before drawn shelves once 0.82."""
GLARE: Final = 0.06
"""Line for `glare`: 218 photographs reached 0.043 at most, 439 of 440 others 0.03, one 0.076."""

_TILE: Final = 128  # pixels of the selfie
_ROWS = _COLUMNS = 4  # of tiles, over the face and the ground beside it

_FACE: Final = 90.0  # pixels, height of the face in the small copy that edges and glare are looked for in
_LONGEST: Final = (240, 560)  # pixels, the small copy's longer side, at least and at most
_SLANT: Final = math.cos(math.radians(28.0))  # a thing held up stands askew by less
_SHORTEST: Final = 0.2  # of the face's height, pieces of edges
_LINES: Final = 4  # kept on each side of the face, those with most edge on them
_STEEP: Final = 2.5  # grey levels to a pixel from which an edge is one: twice a clean selfie's noise in the small copy
_ALONG: Final = 0.94  # cosine of the angle between an edge's way and its line's: 20 degrees
_WITHIN = np.linspace(0.03, 0.97, 32)  # of a side's length: where it is looked for
_BEYOND = np.linspace(1.03, 1.18, 8)  # and where it should have ended
_RIM: Final = 0.02  # of the picture's sides: a line all along its border is the picture's own

_WHITE: Final = 240  # of 255, darkest channel of what is burnt out
_TINT: Final = 14  # levels between its channels at most
_INNER: Final = 0.8  # of the face's ellipse: brow to chin, cheek to cheek


def signs(picture: Pixels, face: Found) -> tuple[Sign, ...]:
    """Return the signs that a selfie shows. RGB pixels of shape (H, W, 3), the main face as `detect` found it in them.

    Some 20 ms whatever the picture's size. Never raises: a picture too small to tell shows no sign.
    """
    found = []
    if pattern(picture, face) > PATTERN:
        found.append(Sign.SCREEN_PATTERN)
    shrunk, scale = small_copy(picture, face)
    if edges(shrunk, face, scale) > EDGES:
        found.append(Sign.PICTURE_EDGES)
    if glare(shrunk, face, scale) > GLARE:
        found.append(Sign.GLASS_GLARE)
    return tuple(found)


def pattern(picture: Pixels, face: Found) -> float:
    """Return how far peaks of a fine regular pattern rise over face and ground, natural log units; 0 below 128 x 128 pixels.

    A screen seen at an angle beats differently with the sensor in each part: so each part's own peak counts.
    """
    height, width = picture.shape[:2]
    if min(height, width) < _TILE:
        return 0.0
    x, y, w, h = face.box
    downs = np.linspace(y - 0.3 * h, y + h, _ROWS).clip(0, height - _TILE)
    rights = np.linspace(x - 0.4 * w, x + 1.4 * w - _TILE, _COLUMNS).clip(0, width - _TILE)
    parts = (picture[int(top) : int(top) + _TILE, int(left) : int(left) + _TILE] for top in downs for left in rights)
    return spectrum.usual_peak(np.stack([part.mean(axis=2, dtype=np.float32) for part in parts]))


def small_copy(picture: Pixels, face: Found) -> tuple[Pixels, float]:
    """A copy in which every face is about as large, and its share of the picture's sides."""
    longest = max(picture.shape[:2])
    low, high = (side / longest for side in _LONGEST)
    scale = min(1.0, high, max(low, _FACE / max(face.size, 1.0)))
    if scale == 1.0:
        return picture, scale
    while scale < 0.25 and min(picture.shape[:2]) >= 8:  # averaging twelve million would take longest of all
        picture, scale = picture[::2, ::2], scale * 2
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    shrunk = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return shrunk, max(shrunk.shape[:2]) / longest


# ---------------------------------------------------------------- edges of a print or a device


def edges(small: Pixels, face: Found, scale: float) -> float:
    """Return how surely straight edges frame the face, at most 1: 0 none, 1 three whole sides that end at their corners.

    `small`: the picture shrunk to `scale`. The fourth side may lie under a hand or outside. Edges that run on beyond the corners,
    as those of doors and shelves do, speak against it.
    """
    steps = _steps(small)
    at = np.asarray(face.middle, np.float64) * scale
    wide, tall = face.box[2] * scale, face.size * scale
    left, right, top, bottom = _lines_around(small, at, wide, tall)
    if not (len(left) and len(right) and len(top) + len(bottom)):
        return 0.0
    none = np.full((1, 3), np.nan)
    top, bottom = np.vstack([top.reshape(-1, 3), none]), np.vstack([bottom.reshape(-1, 3), none])
    foot, brow = np.array([0.0, 1.0, small.shape[0] - 1.0]), np.array([0.0, 1.0, 0.0])
    ends_above = np.where(np.isnan(top), brow, top)
    ends_below = np.where(np.isnan(bottom), foot, bottom)
    corners = {
        "tl": _meet(left, ends_above), "tr": _meet(right, ends_above),
        "bl": _meet(left, ends_below), "br": _meet(right, ends_below),
    }  # fmt: skip
    n_l, n_r, n_t, n_b = len(left), len(right), len(top), len(bottom)
    shape = (n_l, n_r, n_t, n_b)
    tl = np.broadcast_to(corners["tl"][:, None, :, None], (*shape, 2))
    tr = np.broadcast_to(corners["tr"][None, :, :, None], (*shape, 2))
    bl = np.broadcast_to(corners["bl"][:, None, None, :], (*shape, 2))
    br = np.broadcast_to(corners["br"][None, :, None, :], (*shape, 2))
    across_top = _along(steps, tl[..., 0, :], tr[..., 0, :])
    across_foot = _along(steps, bl[:, :, 0], br[:, :, 0])
    down_left = _along(steps, tl[:, 0], bl[:, 0])
    down_right = _along(steps, tr[0], br[0])
    on = np.stack([
        np.broadcast_to(across_top[0][..., None], shape), np.broadcast_to(across_foot[0][:, :, None], shape),
        np.broadcast_to(down_left[0][:, None], shape), np.broadcast_to(down_right[0][None], shape),
    ])  # fmt: skip
    over = np.stack([
        np.broadcast_to(across_top[1][..., None, :], (*shape, 2)), np.broadcast_to(across_foot[1][:, :, None], (*shape, 2)),
        np.broadcast_to(down_left[1][:, None], (*shape, 2)), np.broadcast_to(down_right[1][None], (*shape, 2)),
    ])  # fmt: skip
    on = on.copy()
    on[0, :, :, -1] = 0.0  # a side that is not there
    on[1, :, :, :, -1] = 0.0
    over = over.copy()
    over[0, :, :, -1], over[1, :, :, :, -1] = np.nan, np.nan
    over[2:, :, :, -1, :, 0], over[2:, :, :, :, -1, 1] = np.nan, np.nan
    seen = ~np.isnan(over)
    running = np.where(seen, over, 0.0).sum(axis=(0, -1)) / np.maximum(seen.sum(axis=(0, -1)), 1)
    third = np.sort(on, axis=0)[1]
    sides = np.linalg.norm(tr - tl, axis=-1), np.linalg.norm(bl - tl, axis=-1)
    plausible = (sides[0] > 0.4 * sides[1]) & (sides[0] < 2.5 * sides[1]) & (seen.sum(axis=(0, -1)) >= 3)
    return float(np.where(plausible, third - 0.5 * running, 0.0).max(initial=0.0))


def _steps(small: Pixels) -> Floats:
    """The steepest channel's gradient at each pixel, shape (H, W, 2)."""
    soft = cv2.GaussianBlur(small, (0, 0), 0.8).astype(np.float32)
    ways = [cv2.Sobel(soft, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8) for dx, dy in ((1, 0), (0, 1))]
    steepest = np.hypot(*ways).argmax(axis=-1)[..., None]
    return np.concatenate([np.take_along_axis(np.asarray(way), steepest, axis=-1) for way in ways], axis=-1)


def _lines_around(small: Pixels, at: Floats, wide: float, tall: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Lines left, right, above and below of the face with most edge on them, shape (n, 3): a x + b y = c, (a, b) of length 1."""
    none = np.zeros((0, 3))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    told: Any = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, 0.8).detect(grey)[0]  # None where there is none
    if told is None:
        return none, none, none, none
    pieces = np.asarray(told, np.float64).reshape(-1, 2, 2)
    way = pieces[:, 1] - pieces[:, 0]
    length = np.hypot(way[:, 0], way[:, 1])
    height, width = small.shape[:2]
    size = np.array([width, height], np.float64)
    own = (pieces < _RIM * size).all(axis=1) | (pieces > (1 - _RIM) * size).all(axis=1)
    border = np.asarray(own, bool).any(axis=1)
    kept = (length > max(8.0, _SHORTEST * tall)) & ~border
    pieces, way, length = pieces[kept], way[kept], length[kept]
    normal = np.stack([-way[:, 1], way[:, 0]], axis=1) / np.maximum(length, 1e-9)[:, None]
    upright, level = np.abs(normal[:, 0]) > _SLANT, np.abs(normal[:, 1]) > _SLANT
    normal *= np.where(np.where(upright, normal[:, 0], normal[:, 1]) < 0, -1.0, 1.0)[:, None]
    lines = np.c_[normal, (normal * pieces[:, 0]).sum(axis=1)]
    off = lines[:, :2] @ at - lines[:, 2]  # + where the line is left of the face, or above it
    edge = np.array([length[np.abs(pieces @ line[:2] - line[2]).max(axis=1) < 2.0].sum() for line in lines])
    sides = (
        upright & (off > 0.4 * wide),
        upright & (off < -0.4 * wide),
        level & (off > 0.45 * tall),
        level & (off < -0.45 * tall),
    )
    left, right, above, below = (_best(lines[side], edge[side], off[side]) for side in sides)
    return left, right, above, below


def _best(lines: Floats, edge: Floats, off: Floats) -> Floats:
    """Of the lines those with most edge on them, no two alike."""
    chosen: list[int] = []
    for i in np.argsort(-edge, kind="stable"):
        if all(abs(off[i] - off[j]) > 3.0 or lines[i, :2] @ lines[j, :2] < 0.997 for j in chosen):
            chosen.append(int(i))
        if len(chosen) == _LINES:
            break
    return lines[chosen]


def _meet(these: Floats, those: Floats) -> Floats:
    """Where lines meet, shape (n, m, 2)."""
    p, q = these[:, None], those[None]
    det = p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]
    x, y = p[..., 2] * q[..., 1] - p[..., 1] * q[..., 2], p[..., 0] * q[..., 2] - p[..., 2] * q[..., 0]
    return np.asarray(np.stack([x, y], axis=-1) / det[..., None])


def _along(steps: Floats, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Share of each side that lies on an edge, shape (...), and of its run beyond either end, (..., 2); nan beyond the picture.

    A side of which a quarter or less is in the picture counts as none.
    """
    height, width = steps.shape[:2]
    way = end - start
    normal = np.stack([-way[..., 1], way[..., 0]], axis=-1) / np.maximum(np.linalg.norm(way, axis=-1), 1e-6)[..., None]
    shares = np.concatenate([1 - _BEYOND, _WITHIN, _BEYOND])
    points = start[..., None, :] + shares[:, None] * way[..., None, :]
    inside: NDArray[np.bool_] = np.asarray(((points >= 2) & (points < np.array([width, height]) - 2)).all(axis=-1), bool)
    hit: NDArray[np.bool_] = np.zeros(inside.shape, bool)
    for aside in (-1.0, 0.0, 1.0):
        near = (points + aside * normal[..., None, :]).round().clip(0, np.array([width, height]) - 1).astype(np.intp)
        step = steps[near[..., 1], near[..., 0]]
        steep = np.hypot(step[..., 0], step[..., 1])
        hit |= (steep > _STEEP) & (np.abs((step * normal[..., None, :]).sum(axis=-1)) > _ALONG * steep)
    parts = []
    for part in (slice(0, 8), slice(8, 40), slice(40, 48)):
        count = inside[..., part].sum(axis=-1)
        share = (hit & inside)[..., part].sum(axis=-1) / np.maximum(count, 1)
        parts.append(np.where(count >= (part.stop - part.start) // 4 + 1, share, np.nan))
    return np.nan_to_num(parts[1]), np.stack([parts[0], parts[2]], axis=-1)


# ---------------------------------------------------------------- glare of glass


def glare(small: Pixels, face: Found, scale: float) -> float:
    """Return the largest burnt-out patch's share of the face between brow and chin, 0-1.

    Glass and gloss mirror a lamp as one white patch; skin seldom burns out, but in a hard flash or under too much light it does.
    """
    darkest = small.min(axis=2)
    white = np.asarray((darkest > _WHITE) & (small.max(axis=2) - darkest < _TINT), np.uint8)
    if not white.any():
        return 0.0
    x, y, w, h = (side * scale for side in face.box)
    rows, columns = np.ogrid[0 : small.shape[0], 0 : small.shape[1]]
    away = np.hypot((columns - x - w / 2) / max(w / 2, 1.0), (rows - y - h / 2) / max(h / 2, 1.0))
    inner = away < _INNER
    _, patches = cv2.connectedComponents(white, connectivity=4)
    within = np.bincount(np.asarray(patches)[inner], minlength=1)
    within[0] = 0
    return float(within.max() / max(int(inner.sum()), 1))
