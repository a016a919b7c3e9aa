"""What is measured on a zone's rows, on rows set from the stored glyphs of OCR-B: no font, no network, no real document."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from verification import models
from verification.documents import legibility, lines, mrz, mrz_zone
from verification.evidence import Field
from verification.reasons import ReasonCode

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "documents"
ZONE = ("P<RUSSHCHERBAKOVA<<ELVIRA<<<<<<<<<<<<<<<<<<<", "7012345677RUS8503079F3001019<<<<<<<<<<<<<<<6")
N = 44
PAPER, INK = np.array([226.0, 222.0, 210.0]), np.array([32.0, 32.0, 36.0])
GLARE, COVER = ReasonCode.DOCUMENT_GLARE, ReasonCode.DOCUMENT_COVERED
ROWS = (3.0, 5.5)  # middle of each row, pitches from the top of `strip`


def strip(pitch: float = 20.0, *, paper: np.ndarray = PAPER, rows: tuple[str, ...] = ZONE) -> np.ndarray:
    """Set two rows as at the foot of a passport's page: 48 x 8.5 pitches of bare paper around them."""
    stored = np.load(Path(models.__file__).parent / "ocrb_glyphs.npz")
    order, glyphs = str(stored["order"]), stored["glyphs"].astype(np.float32) / 255
    ink = np.zeros((round(8.5 * 20), 48 * 20), np.float32)
    for middle, row in zip(ROWS, rows, strict=True):
        for k, character in enumerate(row):
            if character != " ":
                top, left = round(middle * 20) - 14, (2 + k) * 20
                ink[top : top + 28, left : left + 20] = np.maximum(
                    ink[top : top + 28, left : left + 20], glyphs[order.index(character)]
                )
    page = paper + (INK - paper) * ink[..., None]
    scale = pitch / 20
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return whole(cv2.resize(page, (round(48 * pitch), round(8.5 * pitch)), interpolation=how))


def whole(pixels: np.ndarray) -> np.ndarray:
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def quads(pitch: float = 20.0) -> list[np.ndarray]:
    """Where the rows stand, with the margins that the detector leaves."""
    return [
        np.array([[1.8, m - 0.8], [46.2, m - 0.8], [46.2, m + 0.8], [1.8, m + 0.8]], np.float32) * np.float32(pitch) for m in ROWS
    ]


def evenly() -> list[list[float]]:
    return [[(0.7 + k) / 44.4 for k in range(N)]] * 2


def lit(picture: np.ndarray, at: tuple[float, float], *, radius: float, strength: float = 500, pitch: float = 20.0) -> np.ndarray:
    """Shine a lamp onto `at`, x and y in pitches from the first character's left edge and the top; `radius` in pitches."""
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]] / pitch
    spot = np.exp(-(((x - 2 - at[0]) / radius) ** 2 + ((y - at[1]) / radius) ** 2))
    return whole(picture + strength * spot[..., None])


def covered(picture: np.ndarray, at: float, wide: float, tone: tuple[float, float, float], *, pitch: float = 20.0) -> np.ndarray:
    """Lay a finger from below over the last row, its middle at `at` pitches from the first character's left edge."""
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]] / pitch
    away = np.hypot((x - 2 - at) / (wide / 2), (y - 7.5) / 4)
    over = np.clip((1 - away) * 5, 0, 1)[..., None]
    return whole(picture * (1 - over) + np.array(tone) * (1.1 - 0.3 * away[..., None]) * over)


def dragged(picture: np.ndarray, length: float, degrees: float) -> np.ndarray:
    """Drag the picture by `length` pixels, as a hand that moves does."""
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for t in np.linspace(-length / 2, length / 2, 60):
        kernel[round(reach + t * np.sin(np.radians(degrees))), round(reach + t * np.cos(np.radians(degrees)))] += 1
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def edge(picture: np.ndarray, pitch: float = 20.0) -> float:
    return max(legibility.row_legibility(picture, quad, N).edge for quad in quads(pitch))


def advice(picture: np.ndarray, pitch: float = 20.0) -> list[ReasonCode]:
    return legibility.why_hard(picture, quads(pitch), N)


# --- Size and sharpness


@pytest.mark.parametrize("pitch", [5.0, 9.0, 20.0, 61.0])
def test_letters_are_measured_in_pixels_of_the_photo(pitch: float) -> None:
    row = legibility.row_legibility(strip(pitch), quads(pitch)[0], N)
    assert row.pitch == pytest.approx(pitch, rel=0.01)
    assert row.letter == pytest.approx(0.94 * pitch, rel=0.02)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135])
def test_a_dragged_photo_is_soft_whichever_way_the_hand_moved(degrees: int) -> None:
    assert edge(dragged(strip(), 14, degrees)) > 1.5 * edge(strip())


def test_softness_grows_with_blur_and_does_not_depend_on_the_size_of_the_letters() -> None:
    measured = {
        pitch: [edge(np.asarray(cv2.GaussianBlur(strip(pitch), (0, 0), share * pitch)), pitch) for share in (0.1, 0.18, 0.26)]
        for pitch in (14.0, 40.0)
    }
    assert measured[14.0] == sorted(measured[14.0])
    assert measured[14.0] == pytest.approx(measured[40.0], rel=0.08)


@pytest.mark.parametrize("count", [30, 36, 44])
def test_characters_of_a_row_nobody_read_are_counted(count: int) -> None:
    rows = tuple((row + "<" * N)[:count] + " " * (N - count) for row in ZONE)
    short = [quad - np.array([[0, 0], [1, 0], [1, 0], [0, 0]], np.float32) * 20 * (N - count) for quad in quads()]
    shone = lit(strip(rows=rows), (9, ROWS[0]), radius=3)
    assert legibility.characters_in(shone, short) == count
    found = legibility.hidden_places(shone, short)
    assert {len(row) for row in found} == {count}
    assert {8, 9} <= {at for at, reason in enumerate(found[0]) if reason is GLARE} <= set(range(4, 15))
    assert legibility.why_hard(shone, short) == legibility.why_hard(shone, short, count) == [GLARE]


def test_noise_does_not_pass_for_sharpness() -> None:
    rng = np.random.default_rng(1)
    soft = np.asarray(cv2.GaussianBlur(strip(), (0, 0), 5.0))
    noisy = whole(soft + rng.normal(0, 12, soft.shape))
    assert edge(noisy) > 0.85 * edge(soft) > 1.3 * edge(strip())
    assert advice(noisy) == [ReasonCode.DOCUMENT_TOO_DARK, ReasonCode.DOCUMENT_BLURRED]


def test_shade_across_the_row_does_not_pass_for_blur() -> None:
    shade = np.linspace(0.45, 1.0, strip().shape[1])[None, :, None]
    assert edge(whole(strip() * shade)) == pytest.approx(edge(strip()), rel=0.08)


def test_a_rough_table_beside_the_page_does_not_pass_for_sharpness() -> None:
    soft = np.asarray(cv2.GaussianBlur(strip(), (0, 0), 5.0))
    table = soft.copy()
    table[: int(2.1 * 20)] = np.random.default_rng(2).integers(0, 255, table[: int(2.1 * 20)].shape)
    assert edge(table) == pytest.approx(edge(soft), rel=0.01)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_page_measures_the_same(turns: int) -> None:
    picture = covered(lit(strip(), (8, ROWS[0]), radius=2), 30, 6, (200, 150, 120))
    height, width = picture.shape[:2]
    turned, moved = np.ascontiguousarray(np.rot90(picture, turns)), quads()
    for _ in range(turns):
        moved = [np.stack([quad[:, 1], width - quad[:, 0]], axis=1) for quad in moved]
        height, width = width, height
    assert legibility.hidden_places(turned, moved, evenly()) == legibility.hidden_places(picture, quads(), evenly())
    assert advice(picture) == legibility.why_hard(turned, moved, N) == [GLARE, COVER]


# --- What hides a place


@pytest.mark.parametrize("paper", [PAPER, np.array([253.0, 253.0, 253.0])], ids=["paper", "white scan"])
@pytest.mark.parametrize("row", [0, 1])
def test_a_lamp_hides_the_characters_under_it_and_no_others(paper: np.ndarray, row: int) -> None:
    shone = lit(strip(paper=paper), (20.5, ROWS[row]), radius=1.6)
    found = legibility.hidden_places(shone, quads(), evenly())
    under = {at for at, reason in enumerate(found[row]) if reason is not None}
    assert {19, 20, 21} <= under <= set(range(17, 25))
    assert {found[row][at] for at in under} == {GLARE}
    assert set(found[1 - row]) == {None}


@pytest.mark.parametrize(
    "tone", [(222, 170, 140), (170, 115, 85), (95, 62, 48), (40, 40, 44)], ids=["pink", "tan", "brown", "glove"]
)
def test_a_finger_hides_the_characters_under_it(tone: tuple[float, float, float]) -> None:
    found = legibility.hidden_places(covered(strip(), 30.5, 6, tone), quads(), evenly())
    under = {at for at, reason in enumerate(found[1]) if reason is not None}
    assert {29, 30, 31} <= under <= set(range(27, 35))
    assert {found[1][at] for at in under} == {COVER}
    assert set(found[0]) == {None}


def test_burnt_parts_of_a_row_are_told_with_how_much_is_lost() -> None:
    shone = lit(lit(strip(), (8, ROWS[0]), radius=1.2), (33, ROWS[0]), radius=2.4)
    first, second = legibility.row_legibility(shone, quads()[0], N).burnt
    assert first.start < 8 / N < first.end < second.start < 33 / N < second.end
    assert second.end - second.start > first.end - first.start
    assert 0.6 < first.lost <= 1 and 0.6 < second.lost <= 1
    assert legibility.row_legibility(strip(), quads()[0], N).burnt == ()


def test_a_row_wholly_under_light_is_hidden() -> None:
    picture = strip().astype(np.float32)
    picture[: int(4.2 * 20)] += 300
    found = legibility.hidden_places(whole(picture), quads(), evenly())
    assert set(found[0]) == {GLARE} and set(found[1]) == {None}


@pytest.mark.parametrize("paper", [PAPER, np.array([253.0, 253.0, 253.0])], ids=["paper", "white scan"])
def test_print_of_every_kind_is_there(paper: np.ndarray) -> None:
    rows = ((mrz.ALPHABET + mrz.ALPHABET)[:N], (mrz.ALPHABET[::-1] + "<" * N)[:N])
    found = legibility.hidden_places(strip(paper=paper, rows=rows), quads(), evenly())
    assert {reason for row in found for reason in row} == {None}


def test_a_gap_in_the_print_is_no_glare() -> None:
    rows = (ZONE[0], ZONE[1][:30] + "   " + ZONE[1][33:])
    assert advice(strip(rows=rows)) == []


def test_fields_are_hidden_where_their_characters_are() -> None:
    places = {
        Field.SURNAME: [(0, 5, 18)],
        Field.GIVEN_NAMES: [(0, 18, 26)],
        Field.DOCUMENT_NUMBER: [(1, 28, 30), (1, 0, 9)],
        Field.SEX: [(1, 20, 21)],
    }
    shone = covered(lit(strip(), (12, ROWS[0]), radius=2), 4.5, 4, (170, 115, 85))
    rows = legibility.hidden_places(shone, quads(), evenly())
    assert legibility.hidden_fields(rows, places) == {Field.SURNAME: GLARE, Field.DOCUMENT_NUMBER: COVER}


def test_a_field_under_light_and_a_finger_is_told_of_the_light() -> None:
    rows = [(COVER, None, GLARE, None)]
    assert legibility.hidden_fields(rows, {Field.SEX: [(0, 0, 4)]}) == {Field.SEX: GLARE}
    assert legibility.hidden_fields(rows, {Field.SEX: [(0, 0, 2)]}) == {Field.SEX: COVER}
    assert legibility.hidden_fields(rows, {Field.SEX: [(0, 3, 4)], Field.SURNAME: [(2, 0, 4)]}) == {}


# --- Advice


def test_rows_that_read_well_need_no_advice() -> None:
    assert advice(strip()) == []
    assert advice(strip(7.0), 7.0) == []
    assert advice(strip(paper=np.array([255.0, 255.0, 255.0]))) == []


def test_advice_names_what_is_wrong() -> None:
    rng = np.random.default_rng(3)
    dark = strip() * 0.05
    assert advice(strip(4.0), 4.0) == [ReasonCode.DOCUMENT_TOO_SMALL]
    assert advice(np.asarray(cv2.GaussianBlur(strip(), (0, 0), 5.0))) == [ReasonCode.DOCUMENT_BLURRED]
    assert advice(dragged(strip(), 18, 45)) == [ReasonCode.DOCUMENT_BLURRED]
    assert advice(whole(dark + rng.normal(0, 3, dark.shape))) == [ReasonCode.DOCUMENT_TOO_DARK]
    assert advice(lit(strip(), (20, ROWS[0]), radius=3)) == [GLARE]
    assert advice(covered(strip(), 20, 5, (170, 115, 85))) == [COVER]


def test_no_rows_need_no_advice() -> None:
    assert legibility.why_hard(strip(), []) == []
    assert legibility.hidden_places(strip(), []) == ()


@pytest.mark.parametrize("scale", [0.0, 1.0, 40.0], ids=["a point", "outside", "far outside"])
def test_a_row_that_is_not_on_the_picture_raises_nothing(scale: float) -> None:
    quad = np.array([[0, 0], [30, 0], [30, 2], [0, 2]], np.float32) * scale + 5000
    for picture in (np.zeros((40, 40, 3), np.uint8), strip()):
        assert len(legibility.hidden_places(picture, [quad], evenly()[:1])[0]) == N
        legibility.why_hard(picture, [quad, quad])


def test_a_row_without_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="one character or more"):
        legibility.row_legibility(strip(), quads()[0], 0)


@pytest.mark.engines
@pytest.mark.skipif(not (DATA / "labels.json").is_file(), reason="no ../shared/data/documents")
def test_clean_development_documents_need_no_advice() -> None:
    items = json.loads((DATA / "labels.json").read_text(encoding="utf-8"))["items"]
    clean = [item for item in items if item["mrz_conforming"] and not item["tags"]][:6]
    for item in clean:
        picture = np.asarray(ImageOps.exif_transpose(Image.open(DATA / item["file"])).convert("RGB"))
        zone = mrz_zone.recognise(picture, lines.find(picture, longest=736))
        assert zone is not None, item["file"]
        places = [row.quad for row in zone.rows]
        assert legibility.why_hard(picture, places, len(zone.rows[0].text)) == [], item["file"]
        found = legibility.hidden_places(picture, places, [row.centres for row in zone.rows])
        assert {reason for row in found for reason in row} == {None}, item["file"]
