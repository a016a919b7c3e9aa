"""Find the page, turn the photo upright and cut the page out: geometry only, no reading.

The zone is the surest landmark: its rows are 44, 36 or 30 characters of 2.54 mm, so they give scale, tilt and
place of the page (Doc 9303 parts 4 to 7). Edges say where it ends and how it is seen at an angle (`find`, `refined`);
where neither is there, the portrait says roughly. A margin is always kept: numbers stand at the very edge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents.lines import Floats, Line, Pixels, Quad
from verification.evidence import Box, DocumentType, Side
from verification.reasons import ReasonCode

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
    # A card's zone is on the back: the portrait is not on this side. Rows measured on eight cards (pitch 4.1 to 4.5 mm)
    DocumentType.TD1: Shape(width=85.6, height=54, row_left=4.6, first_row=38.4, last_row=47.0, characters=30, portrait=None),
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


def cut(rows: Sequence[Quad], width: int, height: int) -> tuple[Side, ...]:
    """Return the sides on which a zone's rows run out of the photo, or one row alone has no room for the next below it.

    Corners as the detector gives them, in reading direction: it marks some 0.3 of a row's height around the letters.
    """
    gone = []
    for row in rows:
        tall = float(np.linalg.norm(row[3] - row[0]) + np.linalg.norm(row[2] - row[1])) / 2
        for side, end in ((Side.LEFT, (row[0] + row[3]) / 2), (Side.RIGHT, (row[1] + row[2]) / 2)):
            if _beyond(end, width, height) > -0.2 * tall:
                gone.append(side)
        if len(rows) == 1 and _beyond((row[2] + row[3]) / 2, width, height) > -0.8 * tall:
            gone.append(Side.BOTTOM)
    return tuple(dict.fromkeys(gone))


def _beyond(point: NDArray[np.float32], width: int, height: int) -> float:
    """How many pixels a point lies outside the photo; negative inside."""
    x, y = float(point[0]), float(point[1])
    return max(-x, -y, x - width, y - height)


# ---------------------------------------------------------------- the page by its edges


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PageQuad:
    """A place where a page may lie, found by its edges alone.

    `corners`: clockwise as one sees the photo, from the one nearest its top left; no margin. Where the page runs out of
    the photo they lie outside it, as the usual shape of a page has them. `cut`: the sides that run out, in the order
    top, right, bottom, left of the photo. `score`: how likely this one of all quads tried is a page's outline (0-1).
    """

    corners: Quad
    score: float
    cut: tuple[bool, bool, bool, bool]


_LOOKED_AT: Final = 560  # pixels of the longest side: corners come out 0.13 % of the diagonal from the truth (page_edges bench)
_EDGE_SHARE: Final = 80  # percentile of steps between pixels from which one may be an edge; the table's grain is below
_LEAST_STEP: Final = 10.0  # of Sobel on 8-bit lightness: about 2.5 grey levels a pixel; below is noise
_STEEPEST: Final = 6.0  # an edge votes by its steepness, up to so many times the least
_TURNS: Final = 120  # directions told apart, 1.5 degrees each
_SPREAD: Final = 4  # of these to each side that an edge votes for: the direction of one pixel's step is that uncertain
_LINES: Final = 30  # line hypotheses kept; with 40 no more pages were found
_AT_BORDER: Final = 0.42  # support of a side that is no edge but the photo's border: may be, may not be
_LEAST_SHARE: Final = 0.06  # of the photo; a page smaller than this has letters of 4 pixels on 12 megapixels
_RATIOS: Final = np.log(np.array([1.42, 1.59, 0.71, 1 / 1.42, 1 / 1.59, 1 / 0.71]))  # facts 1.6, 3.1: page, card, spread
_WEIGHTS: Final = np.array([0.6, 1.5, 3.3, 1.3, 1.7, 0.5, 1.9, 2.9, -2.5, -3.5, -0.9])
"""Of `_features`, by a softmax over the quads of each picture: 190 pictures, the right quad first in 97 % of thirds left out."""
_SLOPE, _OFFSET = 0.73, -6.5  # logistic from weighted features to "is a page's outline" over the same quads
_BEST: Final = 8  # quads returned at most
_WEIGHED: Final = 16  # quads looked at in the picture's colours


def find(picture: Pixels) -> list[PageQuad]:
    """Return where pages may lie, most likely first; [] where no four edges form one. Takes 30 ms of one core (median).

    Edges vote for lines; lines are tried in fours; a quad counts by how much of its sides is edge, of one polarity, how
    its inside differs from its outside, its size and shape. The photo's borders serve as sides where the page runs out.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _LOOKED_AT / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    lab, steep, across, down = _steps(cast(Pixels, small))
    lines = _edge_lines(steep, across, down)
    found: list[PageQuad] = []
    for corners, sides, border, same, ratio, share in _quads(lines, size):
        if any(overlap(corners, other.corners) > 0.9 for other in found):
            continue
        weight = float(_WEIGHTS @ _features(lab, corners, sides, border, same, ratio, share))
        score = 1 / (1 + math.exp(-(_SLOPE * weight + _OFFSET)))
        found.append(PageQuad(corners=corners, score=score, cut=cast(tuple[bool, bool, bool, bool], tuple(border.tolist()))))
        if len(found) == _WEIGHED:
            break
    found.sort(key=lambda quad: -quad.score)
    return [_on_photo(quad, scale) for quad in found[:_BEST]]


def overlap(one: Quad, other: Quad) -> float:
    """Return the area two convex quads share, as a share of the area they cover together (0-1)."""
    both, _ = cv2.intersectConvexConvex(one, other)
    return float(both) / max(cv2.contourArea(one) + cv2.contourArea(other) - float(both), 1e-6)


def _on_photo(quad: PageQuad, scale: float) -> PageQuad:
    """From the small copy to the photo: sides that run out lengthened, the first corner the one nearest the top left."""
    corners = _lengthened(quad.corners, quad.cut)
    first = int(corners.sum(axis=1).argmin())
    cut = quad.cut[first:] + quad.cut[:first]
    return PageQuad(
        corners=np.ascontiguousarray(np.roll(corners, -first, axis=0) / scale, np.float32),
        score=quad.score,
        cut=cast(tuple[bool, bool, bool, bool], cut),
    )


def _lengthened(corners: Quad, cut_sides: tuple[bool, ...]) -> Quad:
    """Move a side that runs out of the photo to where the usual shape of a page has it (1.42, on its side or upright).

    With two sides missing nothing says how long the others are: those stay at the photo's border.
    """
    if sum(cut_sides) != 1:
        return corners
    at = cut_sides.index(True)
    near, far = (at, (at + 1) % 4), ((at + 3) % 4, (at + 2) % 4)
    whole = float(np.linalg.norm(corners[far[0]] - corners[far[1]]))
    seen = float(sum(np.linalg.norm(corners[n] - corners[f]) for n, f in zip(near, far, strict=True))) / 2
    ratio = next((r for r in (1 / 1.42, 1.42) if seen < whole * r * 1.06), None)  # 6 %: foreshortening
    if ratio is None:
        return corners
    longer = corners.copy()
    for n, f in zip(near, far, strict=True):
        longer[n] = corners[f] + (corners[n] - corners[f]) * max(1.0, ratio * whole / max(seen, 1.0))
    return longer


def _steps(small: Pixels) -> tuple[Pixels, Floats, Floats, Floats]:
    """Return the small copy in Lab, and at each pixel the steepest step of lightness or colour: size, x and y part.

    Colour counts 1.6-fold: a pale page on a pale table often differs in colour alone.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (5, 5), 1.1), cv2.COLOR_RGB2LAB)
    across = cv2.Sobel(lab[:, :, 0], cv2.CV_32F, 1, 0)
    down = cv2.Sobel(lab[:, :, 0], cv2.CV_32F, 0, 1)
    steep = across * across + down * down
    for channel in (1, 2):
        x = cv2.Sobel(lab[:, :, channel], cv2.CV_32F, 1, 0, scale=1.6)
        y = cv2.Sobel(lab[:, :, channel], cv2.CV_32F, 0, 1, scale=1.6)
        size = x * x + y * y
        more = size > steep
        for kept, new in ((steep, size), (across, x), (down, y)):
            np.copyto(kept, new, where=more)
    return cast(Pixels, lab), cast(Floats, np.sqrt(steep)), cast(Floats, across), cast(Floats, down)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Lines:
    """Straight edges. Coordinates from the picture's middle: points p of line k satisfy p @ normal[k] = place[k].

    `covered[k, polarity, t + reach]`: how many pixels of the line up to the place t along it are edge; polarity 0:
    darker in the normal's direction, 1: brighter, 2: either.
    """

    normal: NDArray[np.float64]  # (K, 2)
    place: NDArray[np.float64]  # (K,)
    covered: Floats  # (K, 3, 2 * reach + 2)
    reach: int


def _edge_lines(steep: Floats, across: Floats, down: Floats) -> _Lines:
    """Let the edge pixels vote for lines (a Hough transform that knows each pixel's direction), then fit each line."""
    height, width = steep.shape
    reach = int(math.hypot(height, width)) + 2
    least = max(_LEAST_STEP, float(np.percentile(steep[::3, ::3], _EDGE_SHARE)))
    edge = cv2.Canny(across.astype(np.int16), down.astype(np.int16), least, 1.6 * least, L2gradient=True)
    edge[:2] = edge[-2:] = 0  # the photo's own border is no edge
    edge[:, :2] = edge[:, -2:] = 0
    ys, xs = np.nonzero(edge)
    x, y = (xs - width / 2).astype(np.float32), (ys - height / 2).astype(np.float32)
    towards = np.arctan2(down[ys, xs], across[ys, xs])  # the brighter side
    turn = np.mod(towards, np.pi)
    power = np.minimum(steep[ys, xs] / least, _STEEPEST)
    lines: list[tuple[float, float]] = []
    profiles: list[NDArray[np.uint8]] = []
    for angle, place in _most_voted(x, y, turn, power, reach):
        fitted = _fitted(x, y, turn, angle, place)
        if fitted is None:
            continue
        angle, place, members = fitted
        if any(
            abs(math.sin(angle - a)) < 0.02 and abs(place - math.copysign(1, math.cos(angle - a)) * p) < 2.5 for a, p in lines
        ):
            continue
        lines.append((angle, place))
        along = np.round(y[members] * math.cos(angle) - x[members] * math.sin(angle)).astype(int) + reach
        brighter = (np.cos(towards[members] - angle) > 0).astype(int)
        profile = np.zeros((2, 2 * reach + 1), np.uint8)
        profile[brighter, along] = 1
        profiles.append(np.asarray(cv2.dilate(profile, np.ones((1, 5), np.uint8)), np.uint8))  # gaps of four pixels close
    # The photo's borders, behind the edges: left, right, top, bottom.
    lines += [(0.0, -width / 2), (0.0, width / 2), (math.pi / 2, -height / 2), (math.pi / 2, height / 2)]
    covered = np.zeros((len(lines), 3, 2 * reach + 2), np.float32)
    for at, profile in enumerate(profiles):
        covered[at, :, 1:] = np.cumsum(np.stack([profile[0], profile[1], profile.max(axis=0)]), axis=1)
    angles = np.array([a for a, _ in lines])
    return _Lines(
        normal=np.stack([np.cos(angles), np.sin(angles)], axis=1),
        place=np.array([p for _, p in lines]),
        covered=covered,
        reach=reach,
    )


def _most_voted(x: Floats, y: Floats, turn: Floats, power: Floats, reach: int) -> list[tuple[float, float]]:
    """Return angle and place of the lines with most votes, strongest first."""
    base = np.round(turn / np.pi * _TURNS).astype(np.int32)
    angles = np.arange(_TURNS) * np.pi / _TURNS
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    votes = np.zeros(_TURNS * (reach + 1))
    for off in range(-_SPREAD, _SPREAD + 1):
        at = np.mod(base + off, _TURNS)
        cell = np.round((x * cos[at] + y * sin[at] + reach) / 2).astype(np.int32)
        votes += np.bincount(at * (reach + 1) + cell, weights=power, minlength=votes.size)[: votes.size]
    plane = cv2.GaussianBlur(votes.reshape(_TURNS, reach + 1).astype(np.float32), (3, 3), 0.8)
    found: list[tuple[float, float]] = []
    while len(found) < _LINES:
        angle, place = divmod(int(plane.argmax()), reach + 1)
        if plane[angle, place] < 12:  # fewer than a dozen pixels in a row are no side of a page
            break
        for off in range(-6, 7):  # what voted for this line votes for its neighbours too
            mirrored = not 0 <= angle + off < _TURNS
            middle = reach - place if mirrored else place
            plane[(angle + off) % _TURNS, max(0, middle - 3) : middle + 4] = 0
        found.append((angle * math.pi / _TURNS, float(place * 2 - reach)))
    return found


def _fitted(x: Floats, y: Floats, turn: Floats, angle: float, place: float) -> tuple[float, float, NDArray[np.intp]] | None:
    """Fit a line through the edge pixels that lie on it and run along it; None where fewer than ten do."""
    near = np.nonzero(np.abs(x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle)) - np.float32(place)) < 8)[0]
    near = near[np.abs(np.sin(turn[near] - angle)) < 0.35]
    px, py, pturn = x[near], y[near], turn[near]
    on = np.zeros(len(near), bool)
    for far in (3.5, 2.0, 1.6):
        on = (np.abs(px * math.cos(angle) + py * math.sin(angle) - place) < far) & (np.abs(np.sin(pturn - angle)) < 0.26)
        count = int(np.count_nonzero(on))
        if count < 10:
            return None
        mx, my = float(px[on].sum()) / count, float(py[on].sum()) / count
        dx, dy = px[on] - mx, py[on] - my
        better = 0.5 * math.atan2(2 * float(dx @ dy), float(dx @ dx) - float(dy @ dy)) + math.pi / 2
        if math.cos(better - angle) < 0:
            better += math.pi
        if math.cos(better - angle) < 0.97:
            break
        angle, place = better, mx * math.cos(better) + my * math.sin(better)
    return angle, place, near[on]


_Candidate = tuple[Quad, NDArray[np.float64], NDArray[np.bool_], float, float, float]
"""Corners in pixels of the small copy; of each side its support (0-1) and whether it is the photo's border; how much of
all sides is edge of one polarity (0-1); how near the shape is to a known one (0-1); area as a share of the photo."""


def _quads(lines: _Lines, size: tuple[int, int]) -> list[_Candidate]:
    """Try the lines in fours and return the quads worth a look at their colours, best first."""
    tried = _tried(lines, size)
    if tried is None:
        return []
    corners, sides = tried
    half = np.array(size) / 2
    lengths = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    support = _support(lines, corners, sides, half)
    border = sides >= len(lines.place) - 4
    support[border] = _AT_BORDER
    same = np.maximum(support[:, :, 0].mean(axis=1), support[:, :, 1].mean(axis=1))
    side = np.where(border, _AT_BORDER, np.clip((support[:, :, 2] - 0.3) / 0.6, 0, 1))  # grain alone supports some 0.3
    shape = np.log((lengths[:, 0] + lengths[:, 2]) / (lengths[:, 1] + lengths[:, 3]))
    ratio = np.exp(-((np.abs(shape[:, None] - _RATIOS).min(axis=1) / 0.09) ** 2))
    ratio = np.where(border.any(axis=1), np.maximum(ratio, 0.5), ratio)  # a page that runs out may have any shape
    share = _areas(corners) / (size[0] * size[1])
    worth = 0.225 * (side.mean(axis=1) + same) + 0.25 * side.min(axis=1) + 0.15 * np.minimum(1, share / 0.6) + 0.15 * ratio
    best = []
    for at in np.argsort(-worth)[:60]:
        quad, order = (corners[at] + half).astype(np.float32), [0, 1, 2, 3]
        if cv2.contourArea(quad, True) < 0:
            quad, order = np.ascontiguousarray(quad[::-1]), [2, 1, 0, 3]
        best.append((quad, side[at][order], border[at][order], float(same[at]), float(ratio[at]), float(share[at])))
    return best


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas of convex quads, shape (N, 4, 2)."""
    x, y = corners[:, :, 0], corners[:, :, 1]
    return cast(NDArray[np.float64], np.abs((x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)) / 2)


def _tried(lines: _Lines, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.intp]] | None:
    """Return the convex quads of two nearly parallel pairs of lines: corners (N, 4, 2) from the middle, sides (N, 4).

    Side k runs from corner k to the next.
    """
    normal, place = lines.normal, lines.place
    angle = np.arctan2(normal[:, 1], normal[:, 0])
    determinant = normal[:, None, 0] * normal[None, :, 1] - normal[:, None, 1] * normal[None, :, 0]
    determinant[np.abs(determinant) < 0.2] = np.nan  # nearly parallel lines meet nowhere
    meet = np.stack(
        [
            (place[:, None] * normal[None, :, 1] - place[None, :] * normal[:, None, 1]) / determinant,
            (normal[:, None, 0] * place[None, :] - normal[None, :, 0] * place[:, None]) / determinant,
        ],
        axis=-1,
    )
    least = min(size)
    one, two = np.triu_indices(len(place), 1)
    apart = np.abs(place[one] - np.where(np.cos(angle[one] - angle[two]) > 0, 1, -1) * place[two])
    pair = (np.abs(np.sin(angle[one] - angle[two])) < 0.48) & (apart > 0.14 * least)
    one, two = one[pair], two[pair]
    middle = np.angle(np.exp(2j * angle[one]) + np.exp(2j * angle[two])) / 2
    p, q = np.triu_indices(len(one), 1)
    crossing = np.abs(np.sin(middle[p] - middle[q])) > 0.9
    p, q = p[crossing], q[crossing]
    a, b, c, d = one[p], one[q], two[p], two[q]
    corners = np.stack([meet[a, b], meet[b, c], meet[c, d], meet[d, a]], axis=1)
    sides = np.stack([b, c, d, a], axis=1)
    inside = (np.abs(np.nan_to_num(corners, nan=1e9)) < np.array(size) * 0.625).all(axis=(1, 2))
    corners, sides = corners[inside], sides[inside]
    if not len(corners):
        return None
    edges = np.roll(corners, -1, axis=1) - corners
    following = np.roll(edges, -1, axis=1)
    turns = edges[:, :, 0] * following[:, :, 1] - edges[:, :, 1] * following[:, :, 0]
    lengths = np.linalg.norm(edges, axis=2)
    square = np.abs(turns) / np.maximum(lengths * np.roll(lengths, -1, axis=1), 1e-6)
    good = (turns > 0).all(axis=1) | (turns < 0).all(axis=1)
    good &= (square.min(axis=1) > 0.75) & (lengths.min(axis=1) > 0.12 * least)
    good &= _areas(corners) > _LEAST_SHARE * size[0] * size[1]
    return (corners[good], sides[good]) if good.any() else None


def _support(
    lines: _Lines, corners: NDArray[np.float64], sides: NDArray[np.intp], half: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return which share of each side, as far as it lies on the photo, is edge: (N, 4, 3), brighter inside, darker, either."""
    tangent = np.stack([-lines.normal[:, 1], lines.normal[:, 0]], axis=1)
    foot = lines.normal * lines.place[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = (-half - foot) / tangent, (half - foot) / tangent
    level = np.abs(tangent) < 1e-6
    enters = np.where(level, -1e9, np.minimum(first, last)).max(axis=1)  # where each line comes onto the photo
    leaves = np.where(level, 1e9, np.maximum(first, last)).min(axis=1)
    middle = corners.mean(axis=1)
    support = np.zeros((len(corners), 4, 3))
    for k in range(4):
        line = sides[:, k]
        ends = np.stack([(corners[:, j % 4] * tangent[line]).sum(axis=1) for j in (k, k + 1)])
        start, end = np.maximum(ends.min(axis=0), enters[line]), np.minimum(ends.max(axis=0), leaves[line])
        low = np.clip(np.round(start) + lines.reach, 0, 2 * lines.reach).astype(int)
        high = np.maximum(low, np.clip(np.round(end) + lines.reach, 0, 2 * lines.reach).astype(int))
        share = (lines.covered[line, :, high] - lines.covered[line, :, low]) / np.maximum(end - start, 8)[:, None]
        inwards = ((middle * lines.normal[line]).sum(axis=1) > lines.place[line])[:, None]
        support[:, k] = np.where(inwards, share[:, [1, 0, 2]], share)
    return np.minimum(support, 1)


def _features(
    lab: Pixels,
    corners: Quad,
    sides: NDArray[np.float64],
    border: NDArray[np.bool_],
    same: float,
    ratio: float,
    share: float,
) -> NDArray[np.float64]:
    """Return what `_WEIGHTS` weigh: support mean and least, polarity, shape, size, three of colour, borders 1, 2, 3-4."""
    real = ~border
    borders = int(border.sum())
    support = (float(sides[real].mean()), float(sides[real].min())) if borders < 4 else (0.0, 0.0)
    counts = (float(borders == 1), float(borders == 2), float(borders > 2))
    return np.array([*support, same, ratio, math.log(share), *_colours(lab, corners, real), *counts])


def _colours(lab: Pixels, corners: Quad, real: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return how inside and outside differ at the sides (mean and least, 0-1), and how much the outsides are of one kind."""
    if not real.any():
        return 0.0, 0.0, 0.0
    side, edge = 48, 6  # the quad with a rim around it, shrunk to a small square
    target = np.array([[edge, edge], [side - edge, edge], [side - edge, side - edge], [edge, side - edge]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    patch = cv2.warpPerspective(lab, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    differ, inner, outer = [], [], []
    for k in range(4):
        turned = np.rot90(patch, k)  # side k on top
        outs, ins = turned[1 : edge - 1, edge:-edge], turned[edge + 2 : edge + 7, edge:-edge]
        inner.append(ins.mean(axis=(0, 1)))
        outer.append(outs.mean(axis=(0, 1)))
        along = np.linalg.norm((ins.mean(axis=0) - outs.mean(axis=0)).reshape(6, -1, 3).mean(axis=1), axis=1)
        differ.append(float(np.clip(np.median(along) / (2 * (float(np.linalg.norm(outs.std(axis=(0, 1)))) + 3)), 0, 1)))
    kept = [k for k in range(4) if real[k]]
    strength = [differ[k] for k in kept]
    alike = []
    for k in kept if len(kept) > 1 else []:
        to_page = float(np.linalg.norm(outer[k] - np.mean(inner, axis=0)))
        to_table = float(np.linalg.norm(outer[k] - np.mean([outer[j] for j in kept if j != k], axis=0)))
        alike.append(to_page / (to_page + to_table + 5))
    return float(np.mean(strength)), min(strength), min(alike, default=0.0)


# ---------------------------------------------------------------- edges, zone and portrait together

_ROW_OFF: Final = 0.05  # of the page's width: how far a zone's row may stand from its place in a layout (facts 1.6: 1 mm)


def refined(layout: DocumentType, first: Quad, last: Quad, quads: Sequence[PageQuad]) -> Quad:
    """Return the page's corners (margin included): a quad of edges that the zone's rows fit into, else `page_corners`.

    A quad may be the page itself or a spread of two with the page below the fold. It fits where the rows, taken back
    through its perspective, stand at the layout's place; of several the one they fit best, weighed with its score.
    """
    shape = SHAPES[layout]
    alone = page_corners(layout, first, last)
    rows = np.array([(q[a] + q[b]) / 2 for q in (first, last) for a, b in ((0, 3), (1, 2))], np.float32)
    end = shape.row_left + shape.characters * PITCH
    wanted = np.array([(x, y) for y in (shape.first_row, shape.last_row) for x in (shape.row_left, end)])
    best, least = alone, _ROW_OFF
    for quad in quads:
        for turn in range(4):
            corners = np.roll(quad.corners, turn, axis=0)
            for top, height in _WHOLE[layout]:
                outline = np.array([(0, top), (shape.width, top), (shape.width, top + height), (0, top + height)], np.float32)
                matrix = cv2.getPerspectiveTransform(corners, outline)
                places = cv2.perspectiveTransform(rows[None], matrix)[0]
                off = float(np.abs(places - wanted).max()) / shape.width
                if off >= _ROW_OFF:
                    continue
                off += 0.03 * (1 - quad.score) + (0.01 if any(quad.cut) else 0.0)
                if off < least:
                    page = cv2.perspectiveTransform(_with_margin(shape)[None], np.linalg.inv(matrix).astype(np.float32))[0]
                    if overlap(page, alone) > 0.6:
                        best, least = np.ascontiguousarray(page, np.float32), off
    return best


_WHOLE: Final[dict[DocumentType, tuple[tuple[float, float], ...]]] = {
    # What edges may enclose: top edge and height in mm on the page's own scale. Behind the page itself the spread that
    # it is the lower half of; for the Russian spread, its lower half alone.
    layout: ((0.0, shape.height), (shape.height / 2, shape.height / 2))
    if layout is DocumentType.RU_INTERNAL
    else ((0.0, shape.height), (-shape.height, 2 * shape.height))
    if layout is DocumentType.TD3
    else ((0.0, shape.height),)
    for layout, shape in SHAPES.items()
}


def _with_margin(shape: Shape) -> Quad:
    """The page's corners in mm, margin included."""
    mx, my = shape.width * MARGIN, shape.height * MARGIN
    return np.array(
        [(-mx, -my), (shape.width + mx, -my), (shape.width + mx, shape.height + my), (-mx, shape.height + my)], np.float32
    )


def with_margin(corners: Quad) -> Quad:
    """Return a quad of edges with the margin around it, in its own perspective."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    wider = (unit - 0.5) * (1 + 2 * MARGIN) + 0.5
    return np.asarray(cv2.perspectiveTransform(wider[None], matrix)[0], np.float32)


_FACE_HIGH: Final = 25.0  # mm, the face detector's box on a printed portrait: median of 21 passports, 18 to 28 for eight in ten
_FACE_AT: Final = (22.0, 37.5)  # mm from the page's top left, its middle: within 3.5 mm for eight in ten


def by_face(face: Box, *, quarter_turns: int = 0) -> Quad:
    """Return the rough corners of a page of 125 x 88 mm (with the margin) from its printed face alone: no edge, no zone.

    The portrait stands on the left of the page in every layout (facts 1.6, 3.2). `face`: the detector's box on the photo;
    `quarter_turns`: how many counter-clockwise turns bring the document upright, as `quarter_turns()` counts. Scale and
    place are good to a fifth.
    """
    x, y, width, height = face
    scale = (height if quarter_turns % 2 == 0 else width) / _FACE_HIGH
    shape = SHAPES[DocumentType.TD3]
    corners = (_with_margin(shape) - np.array(_FACE_AT)) * scale
    for _ in range(quarter_turns % 4):  # rot90 turned the photo counter-clockwise; turn the page clockwise to lie on it
        corners = np.stack([-corners[:, 1], corners[:, 0]], axis=1)
    return np.asarray(corners + np.array([x + width / 2, y + height / 2]), np.float32)


_CLEARLY_GONE: Final = 0.12  # of the page's longer side: more than `by_face` errs by on a whole page


def cut_by_face(face: Box, width: int, height: int, *, quarter_turns: int = 0) -> tuple[Side, ...]:
    """Return the sides of a page that a photo of that size cannot hold, judged by the printed face alone; mostly ()."""
    corners = by_face(face, quarter_turns=quarter_turns)
    return missing(corners, width, height) if outside(corners, width, height) > _CLEARLY_GONE else ()


_SIDES: Final = (Side.TOP, Side.RIGHT, Side.BOTTOM, Side.LEFT)
_CORNERS: Final = (Side.TOP_LEFT, Side.TOP_RIGHT, Side.BOTTOM_RIGHT, Side.BOTTOM_LEFT)
_GONE: Final = 0.04  # of the page's longer side beyond the photo: less is the placing's own error (refined pages: 0.01)


def missing(corners: Quad, width: int, height: int) -> tuple[Side, ...]:
    """Return which sides of the page run out of a photo of that size; a corner alone where neither of its sides does.

    `corners` from the page's own top left, clockwise, margin included (as `page_corners` gives them). A side runs out
    where more than half of it lies beyond the photo.
    """
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    low, high = MARGIN / (1 + 2 * MARGIN), (1 + MARGIN) / (1 + 2 * MARGIN)
    edges = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    allowed = _GONE * float(edges.max())
    steps = np.linspace(low, high, 21)
    runs = [
        [(t, low) for t in steps],
        [(high, t) for t in steps],
        [(t, high) for t in steps[::-1]],
        [(low, t) for t in steps[::-1]],
    ]
    gone = []
    for run in runs:
        places = cv2.perspectiveTransform(np.array([run], np.float32), matrix)[0]
        gone.append(np.array([_beyond(point, width, height) > allowed for point in places]))
    sides = [k for k in range(4) if gone[k].mean() > 0.5]
    alone = [k for k in range(4) if gone[k][0] and k not in sides and (k + 3) % 4 not in sides]
    return (*(_SIDES[k] for k in sides), *(_CORNERS[k] for k in alone))


# ---------------------------------------------------------------- telling bad input apart

_PAPER: Final = 0.1  # score from which a quad with print on it is a paper: photographed passports 0.1 to 0.8; 35 faces below 0.05
_PRINTED: Final = 4  # lines: a paper with fewer says nothing that could be a name
_APART: Final = 0.06  # of a paper's longer side: the band at the fold of a spread is 0.04 wide, its pages are one document


def several(quads: Sequence[PageQuad], found: Sequence[Line], zones: Sequence[Sequence[Quad]] = ()) -> bool:
    """Return whether two documents lie on one photo: two zones apart, or two likely papers of like size apart, both printed.

    `found`: the printed lines; `zones`: of each machine-readable zone its rows. Give no quads for a card: its front beside
    its back is one document.
    """
    blocks = [_around(rows) for rows in zones]
    if any(_distance(one, other) > 0 for at, one in enumerate(blocks) for other in blocks[at + 1 :]):
        return True
    papers = [
        quad.corners for quad in quads if quad.score > _PAPER and not any(quad.cut) and _printed(quad.corners, found) >= _PRINTED
    ]
    for at, one in enumerate(papers):
        for other in papers[at + 1 :]:
            small, large = sorted((float(cv2.contourArea(one)), float(cv2.contourArea(other))))
            if small > 0.4 * large and _distance(one, other) > _APART * _longest(one):
                return True
    return False


def nothing_read(
    quads: Sequence[PageQuad], found: Sequence[Line], *, width: int, height: int, mirrored: bool = False
) -> ReasonCode:
    """Return why nothing was read from a photo of that size, on which no zone and no Russian page was seen.

    `mirrored`: the photo seen from its back shows a zone (`flipped`). Print of an unknown kind is a likely paper with
    lines on it, or lines all over a picture that has a page's shape itself (a scan, without a table around it).
    """
    if mirrored:
        return ReasonCode.DOCUMENT_MIRRORED
    if any(quad.score > _PAPER and _printed(quad.corners, found) >= _PRINTED for quad in quads):
        return ReasonCode.DOCUMENT_NOT_KNOWN
    ratio = max(width, height) / max(min(width, height), 1)
    if 1.3 < ratio < 1.7 and len(found) >= 2 * _PRINTED:
        block = _around([line.quad for line in found])
        if float(cv2.contourArea(block)) > 0.4 * width * height:
            return ReasonCode.DOCUMENT_NOT_KNOWN
    return ReasonCode.NO_DOCUMENT_FOUND


def flipped(found: Sequence[Line], width: int) -> list[Line]:
    """Return the lines of a photo where they lie on its mirror image (`picture[:, ::-1]`): nothing need be found again."""
    swapped = [line.quad[[1, 0, 3, 2]] * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32) for line in found]
    return [
        Line(quad=np.ascontiguousarray(quad, np.float32), score=line.score) for quad, line in zip(swapped, found, strict=True)
    ]


def _printed(corners: Quad, found: Sequence[Line]) -> int:
    """How many lines stand inside a quad."""
    return sum(cv2.pointPolygonTest(corners, (float(line.centre[0]), float(line.centre[1])), False) > 0 for line in found)


def _around(rows: Sequence[Quad]) -> Quad:
    """The smallest turned rectangle around rows."""
    return np.asarray(cv2.boxPoints(cv2.minAreaRect(np.concatenate(list(rows)).astype(np.float32))), np.float32)


def _longest(corners: Quad) -> float:
    return float(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).max())


def _distance(one: Quad, other: Quad) -> float:
    """Pixels between two quads; 0 where they touch or overlap."""
    least = math.inf
    for corners, polygon in ((one, other), (other, one)):
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            for part in np.linspace(0, 1, 9):
                x, y = start + (end - start) * part
                least = min(least, -cv2.pointPolygonTest(polygon, (float(x), float(y)), True))
    return max(0.0, least)
