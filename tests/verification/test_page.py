"""Pages found by their edges, placed by zone and edges together, and what runs out of the photo."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from verification.documents import page
from verification.documents.lines import Line
from verification.evidence import DocumentType, Side
from verification.reasons import ReasonCode

TABLE, PAPER = np.array([104, 82, 66]), np.array([222, 216, 204])


@cache
def sheet(width: int, height: int) -> np.ndarray:
    """A bare page: a portrait's grey box, rules where text would stand, a white strip below."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = PAPER
    picture[round(height * 0.74) :] = (240, 238, 232)
    picture[round(height * 0.24) : round(height * 0.7), round(width * 0.04) : round(width * 0.32)] = (120, 110, 108)
    for at in range(6):
        y = round(height * (0.15 + 0.09 * at))
        picture[y : y + max(2, height // 60), round(width * 0.4) : round(width * 0.4) + width // (3 + at % 3)] = (70, 66, 64)
    return picture


def photo(
    *, tilt: float = 0.0, ratio: float = 1.42, size: tuple[int, int] = (800, 600), fill: float = 0.7,
    at: tuple[float, float] = (0.5, 0.5), table: Any = TABLE, grain: float = 0.06,
    wander: float = 0.02, seed: int = 1,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Lay a page on a grained table; returns the photo and where the page's corners went, from its own top left."""
    rng = np.random.default_rng(seed)
    wide, tall = size
    width, height = (600, round(600 / ratio)) if ratio >= 1 else (round(600 * ratio), 600)
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    turn = math.radians(tilt)
    corners = corners @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    corners += rng.uniform(-wander, wander, (4, 2)) * 600
    corners *= fill * min(size / np.ptp(corners, axis=0))
    corners = (corners + np.array([wide * at[0], tall * at[1]])).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(np.float32([[0, 0], [width, 0], [width, height], [0, height]]), corners)
    scene = np.asarray(table, float) * (1 + grain * cv2.resize(rng.normal(0, 1, (150, 12)), size)[..., None])
    cover = cv2.warpPerspective(np.ones((height, width)), matrix, size)[..., None]
    scene += (cv2.warpPerspective(sheet(width, height), matrix, size) - scene) * cover
    return np.clip(cv2.GaussianBlur(scene, (0, 0), 0.8) + rng.normal(0, 2, scene.shape), 0, 255).astype(np.uint8), corners


def off(found: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of corners as a share of the page's diagonal, whichever corner comes first."""
    diagonal = float(np.linalg.norm(true[2] - true[0]))
    return min(float(np.linalg.norm(np.roll(found, k, axis=0) - true, axis=1).mean()) for k in range(4)) / diagonal


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("tilt", [0, 8, -8, 20, -20, 90, 180, 270, 100, 250])
def test_a_page_is_found_however_it_lies(tilt: int) -> None:
    picture, corners = photo(tilt=tilt, fill=0.75)
    best = page.find(picture)[0]
    assert off(best.corners, corners) < 0.006 and not any(best.cut)


@pytest.mark.parametrize("ratio", [1.42, 1.59, 0.71, 1.41])
def test_every_shape_of_page_is_found(ratio: float) -> None:
    picture, corners = photo(ratio=ratio, tilt=5, size=(600, 800) if ratio < 1 else (800, 600))
    assert off(page.find(picture)[0].corners, corners) < 0.006


@pytest.mark.parametrize("corner", range(4))
def test_a_finger_over_a_corner_does_not_matter(corner: int) -> None:
    picture, corners = photo(tilt=-6)
    middle = corners.mean(axis=0)
    out = corners[corner] + (corners[corner] - middle) * 0.3
    cv2.line(picture, tuple(np.int32(corners[corner]).tolist()), tuple(np.int32(out).tolist()), (214, 168, 140), 60, cv2.LINE_AA)
    assert off(page.find(picture)[0].corners, corners) < 0.006


def test_a_pale_page_on_a_pale_table_is_found() -> None:
    picture, corners = photo(tilt=6, table=PAPER * 0.93, grain=0.01)
    assert off(page.find(picture)[0].corners, corners) < 0.01


def test_a_page_among_other_things_is_found() -> None:
    picture, corners = photo(tilt=4, fill=0.6)
    rng = np.random.default_rng(4)
    for at in ((60, 60), (740, 80), (700, 560), (80, 540), (400, 25)):
        box = cv2.boxPoints((at, (130, 34), float(rng.uniform(0, 180))))
        cv2.fillPoly(picture, [np.int32(box)], rng.integers(0, 255, 3).tolist())
    assert off(page.find(picture)[0].corners, corners) < 0.006


def test_the_size_of_the_photo_does_not_matter() -> None:
    picture, corners = photo(tilt=7)
    large = cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    assert off(page.find(large)[0].corners, corners * 4) < 0.006


@pytest.mark.parametrize(("at", "side"), [((0.5, 0.74), 2), ((0.5, 0.26), 0), ((0.24, 0.5), 3), ((0.76, 0.5), 1)])
def test_a_page_that_runs_out_of_the_photo_is_completed(at: tuple[float, float], side: int) -> None:
    picture, corners = photo(tilt=2, at=at, fill=0.72, wander=0.0)
    best = page.find(picture)[0]
    assert best.cut == tuple(k == side for k in range(4))
    assert off(best.corners, corners) < 0.05
    assert page.missing(page.with_margin(corners), 800, 600) == (("top", "right", "bottom", "left")[side],)


@pytest.mark.parametrize("kind", ["black", "white", "noise", "one line", "thin"])
def test_where_nothing_is_nothing_is_likely(kind: str) -> None:
    rng = np.random.default_rng(1)
    line = np.full((300, 400, 3), 90, np.uint8)
    line[150:] = 200
    picture = {
        "black": np.zeros((300, 400, 3), np.uint8),
        "white": np.full((300, 400, 3), 255, np.uint8),
        "noise": rng.integers(0, 256, (300, 400, 3), np.uint8),
        "one line": line,
        "thin": np.full((33, 2900, 3), 200, np.uint8),
    }[kind]
    assert all(quad.score < 0.1 for quad in page.find(picture))


# ---------------------------------------------------------------- zone, edges, portrait


def rows_on(corners: np.ndarray, layout: DocumentType) -> tuple[np.ndarray, np.ndarray]:
    """Where the zone's rows lie on a page with those corners."""
    shape = page.SHAPES[layout]
    outline = np.array([[0, 0], [shape.width, 0], [shape.width, shape.height], [0, shape.height]], np.float32)
    matrix = cv2.getPerspectiveTransform(outline, corners)
    end = shape.row_left + shape.characters * page.PITCH
    places = []
    for y in (shape.first_row, shape.last_row):
        row = np.array([[[shape.row_left, y - 2], [end, y - 2], [end, y + 2], [shape.row_left, y + 2]]], np.float32)
        places.append(cv2.perspectiveTransform(row, matrix)[0])
    return places[0], places[1]


@pytest.mark.parametrize("tilt", [0, 12, 90, 180])
def test_edges_place_a_page_seen_at_an_angle_better_than_its_zone(tilt: int) -> None:
    picture, corners = photo(tilt=tilt, wander=0.06, seed=3)
    first, last = rows_on(corners, DocumentType.TD3)
    alone = page.page_corners(DocumentType.TD3, first, last)
    placed = page.refined(DocumentType.TD3, first, last, page.find(picture))
    true = page.with_margin(corners)
    diagonal = np.linalg.norm(true[2] - true[0])
    assert np.linalg.norm(placed - true, axis=1).max() < 0.01 * diagonal < np.linalg.norm(alone - true, axis=1).max()


def quad(corners: Any, score: float = 0.9) -> page.PageQuad:
    return page.PageQuad(corners=np.array(corners, np.float32), score=score, cut=(False,) * 4)


def test_edges_that_do_not_fit_the_zone_are_not_followed() -> None:
    corners = np.array([[100, 80], [700, 80], [700, 502], [100, 502]], np.float32)
    first, last = rows_on(corners, DocumentType.TD3)
    elsewhere = quad(corners + np.float32([60, 40]))
    portrait = quad([[120, 180], [290, 180], [290, 400], [120, 400]])
    alone = page.page_corners(DocumentType.TD3, first, last)
    assert np.array_equal(page.refined(DocumentType.TD3, first, last, [elsewhere, portrait]), alone)
    assert np.array_equal(page.refined(DocumentType.TD3, first, last, []), alone)


def test_the_page_below_the_fold_is_taken_out_of_a_spread() -> None:
    spread = np.array([[100, 20], [500, 30], [510, 590], [95, 580]], np.float32)
    outline = np.array([[0, -88], [125, -88], [125, 88], [0, 88]], np.float32)
    matrix = cv2.getPerspectiveTransform(outline, spread)
    below = cv2.perspectiveTransform(np.array([[[0, 0], [125, 0], [125, 88], [0, 88]]], np.float32), matrix)[0]
    first, last = rows_on(below, DocumentType.TD3)
    placed = page.refined(DocumentType.TD3, first, last, [quad(spread)])
    assert np.abs(placed - page.with_margin(below)).max() < 6


def test_the_russian_spread_is_completed_from_its_lower_page() -> None:
    spread = np.array([[100, 20], [500, 30], [510, 590], [95, 580]], np.float32)
    outline = np.array([[0, 0], [125, 0], [125, 176], [0, 176]], np.float32)
    matrix = cv2.getPerspectiveTransform(outline, spread)
    below = cv2.perspectiveTransform(np.array([[[0, 88], [125, 88], [125, 176], [0, 176]]], np.float32), matrix)[0]
    first, last = rows_on(spread, DocumentType.RU_INTERNAL)
    placed = page.refined(DocumentType.RU_INTERNAL, first, last, [quad(below)])
    assert np.abs(placed - page.with_margin(spread)).max() < 6


def test_a_margin_is_kept_on_every_way_to_a_page() -> None:
    corners = np.array([[100, 80], [700, 80], [700, 502], [100, 502]], np.float32)
    first, last = rows_on(corners, DocumentType.TD3)
    ways = [
        page.with_margin(corners),
        page.page_corners(DocumentType.TD3, first, last),
        page.refined(DocumentType.TD3, first, last, [quad(corners)]),
    ]
    for way in ways:
        assert all(cv2.pointPolygonTest(way, (float(x), float(y)), False) > 0 for x, y in corners)


@pytest.mark.parametrize("turns", range(4))
def test_a_face_alone_places_the_page_roughly(turns: int) -> None:
    """A page of 500 x 352, turned clockwise so that `turns` turns of rot90 bring it upright again."""
    plain = np.zeros((500, 640), np.uint8)
    x, y, w, h = 60 + 4 * 13, 70 + 25 * 4, 18 * 4, 25 * 4  # page at (60, 70), 4 pixels a mm
    plain[y : y + h, x : x + w] = 1
    outline = np.zeros_like(plain)
    outline[70 : 70 + 352, 60 : 60 + 500] = 1
    turned, whole = np.rot90(plain, -turns), np.rot90(outline, -turns)
    ys, xs = np.nonzero(turned)
    box = (int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1)
    corners = page.by_face(box, quarter_turns=turns)
    ys, xs = np.nonzero(whole)
    for px, py in ((xs.min(), ys.min()), (xs.max(), ys.min()), (xs.max(), ys.max()), (xs.min(), ys.max())):
        assert cv2.pointPolygonTest(corners, (float(px), float(py)), False) > 0
    along = corners[1] - corners[0]
    assert page.quarter_turns(along / np.linalg.norm(along)) == turns
    assert cv2.contourArea(corners) < 1.3 * 500 * 352
    assert page.cut_by_face(box, turned.shape[1], turned.shape[0], quarter_turns=turns) == ()


def test_a_face_too_near_the_edge_says_which_side_is_gone() -> None:
    assert page.cut_by_face((110, 170, 72, 100), 640, 330) == (Side.BOTTOM,)
    assert page.cut_by_face((110, 170, 72, 100), 330, 500) == (Side.RIGHT,)


# ---------------------------------------------------------------- what is missing

WHOLE = np.array([[100, 80], [700, 80], [700, 502], [100, 502]], np.float32)


@pytest.mark.parametrize(
    ("moved", "gone"),
    [
        ((0, 0), ()),
        ((0, 150), ("bottom",)),
        ((0, -150), ("top",)),
        ((-180, 0), ("left",)),
        ((180, 0), ("right",)),
        ((180, 150), ("right", "bottom")),
        ((0, 110), ()),
    ],
)
def test_the_side_that_runs_out_is_named(moved: tuple[int, int], gone: tuple[str, ...]) -> None:
    corners = page.with_margin(WHOLE + np.float32(moved))
    assert page.missing(corners, 800, 600) == gone


def test_sides_are_named_as_the_page_is_read_not_as_the_photo_is_held() -> None:
    upside_down = np.roll(WHOLE, 2, axis=0) + np.float32([0, 150])
    assert page.missing(page.with_margin(upside_down), 800, 600) == (Side.TOP,)
    turned = np.roll(WHOLE, 1, axis=0) + np.float32([0, 150])  # its left side below
    assert page.missing(page.with_margin(turned), 800, 600) == (Side.LEFT,)


def test_a_corner_alone_is_named() -> None:
    tilted = np.array([[100, 150], [650, 60], [760, 420], [180, 700]], np.float32)
    assert page.missing(page.with_margin(tilted), 800, 600) == (Side.BOTTOM_LEFT,)


# ---------------------------------------------------------------- several, unknown, mirrored


def lines_in(corners: np.ndarray, count: int) -> list[Line]:
    low, high = corners.min(axis=0), corners.max(axis=0)
    made = []
    for at in range(count):
        y = low[1] + (high[1] - low[1]) * (at + 1) / (count + 1)
        left, right = low[0] + 20, high[0] - 20
        made.append(Line(quad=np.array([[left, y - 5], [right, y - 5], [right, y + 5], [left, y + 5]], np.float32), score=0.9))
    return made


LEFT, RIGHT = (
    np.float32([[20, 100], [370, 100], [370, 346], [20, 346]]),
    np.float32([[430, 100], [780, 100], [780, 346], [430, 346]]),
)


def test_two_printed_papers_apart_are_two_documents() -> None:
    printed = lines_in(LEFT, 6) + lines_in(RIGHT, 6)
    assert page.several([quad(LEFT), quad(RIGHT)], printed)
    assert not page.several([quad(LEFT), quad(RIGHT)], lines_in(LEFT, 6))  # the other is an empty sheet
    assert not page.several([quad(LEFT), quad(RIGHT, 0.05)], printed)
    assert not page.several([quad(LEFT)], printed)


def test_the_pages_of_one_book_are_one_document() -> None:
    upper = np.float32([[100, 20], [500, 20], [500, 290], [100, 290]])
    lower = upper + np.float32([0, 282])
    assert not page.several([quad(upper), quad(lower)], lines_in(upper, 6) + lines_in(lower, 6))


def test_a_page_and_its_own_parts_are_one_document() -> None:
    inner = LEFT * 0.6 + LEFT.mean(axis=0) * 0.4
    assert not page.several([quad(LEFT), quad(inner)], lines_in(LEFT, 8))


def test_two_zones_apart_are_two_documents() -> None:
    one, other = [line.quad for line in lines_in(LEFT, 2)], [line.quad for line in lines_in(RIGHT, 2)]
    assert page.several((), (), [one, other])
    assert not page.several((), (), [one]) and not page.several((), (), [one, one])


@pytest.mark.parametrize(
    ("quads", "printed", "size", "reason"),
    [
        ([quad(LEFT)], lines_in(LEFT, 5), (800, 600), ReasonCode.DOCUMENT_NOT_KNOWN),
        ([quad(LEFT)], lines_in(LEFT, 1), (800, 600), ReasonCode.NO_DOCUMENT_FOUND),  # a blank sheet
        ([], [], (800, 600), ReasonCode.NO_DOCUMENT_FOUND),
        ([], lines_in(WHOLE, 12), (800, 560), ReasonCode.DOCUMENT_NOT_KNOWN),  # a scan
        ([], lines_in(WHOLE, 12), (800, 1800), ReasonCode.NO_DOCUMENT_FOUND),  # a screen
    ],
)
def test_why_nothing_was_read(quads: list[page.PageQuad], printed: list[Line], size: tuple[int, int], reason: ReasonCode) -> None:
    assert page.nothing_read(quads, printed, width=size[0], height=size[1]) is reason
    assert page.nothing_read(quads, printed, width=size[0], height=size[1], mirrored=True) is ReasonCode.DOCUMENT_MIRRORED


def test_lines_are_where_the_mirror_shows_them() -> None:
    picture = np.zeros((60, 200), np.uint8)
    picture[20:31, 30:121] = 1
    line = Line(quad=np.array([[30, 20], [120, 20], [120, 30], [30, 30]], np.float32), score=0.7)
    (seen,) = page.flipped([line], 200)
    ys, xs = np.nonzero(picture[:, ::-1])
    assert np.abs(seen.quad.min(axis=0) - (xs.min(), ys.min())).max() <= 1
    assert np.abs(seen.quad.max(axis=0) - (xs.max(), ys.max())).max() <= 1
    assert seen.direction[0] > 0.99 and seen.score == 0.7
    assert np.array_equal(page.flipped([seen], 200)[0].quad, line.quad)
