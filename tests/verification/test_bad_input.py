"""What is no document, or not one alone, or seen the wrong way: a reason and a sentence, never a value nobody printed."""

from __future__ import annotations

import io
import json
from datetime import date
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cases import wording
from tests.specimens import people, portraits
from tests.specimens.__main__ import draw_paper
from tests.specimens.draw import FontMissing, Specimen
from tests.specimens.photograph import photograph
from verification import documents, images
from verification.evidence import DocumentReading, Field
from verification.reasons import RETAKE, PhotoKind, ReasonCode

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT.parent / "shared" / "data" / "faces"
TODAY = date(2026, 11, 22)
FONT = "DejaVuSans.ttf"

pytestmark = pytest.mark.engines


@cache
def passport(key: str = "russian_traveller") -> Specimen:
    try:
        return draw_paper(key, TODAY)
    except (portraits.PortraitMissing, FontMissing) as missing:
        pytest.skip(str(missing))


@cache
def photo(key: str = "russian_traveller") -> np.ndarray:
    return photograph(passport(key).image, seed=3, hardness="easy")


@cache
def small(key: str = "russian_traveller") -> np.ndarray:
    """The same photo at 1100 pixels: enough to be read, and quick."""
    whole = photo(key)
    scale = 1100 / max(whole.shape[:2])
    return np.asarray(cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def read(picture: np.ndarray) -> DocumentReading:
    return documents.read(np.ascontiguousarray(picture), today=TODAY)


def told(reading: DocumentReading) -> None:
    """Every reason asks for the document again, and says in both languages what is wrong and what to do."""
    assert reading.problems
    for reason in reading.problems:
        assert RETAKE[reason] == {PhotoKind.DOCUMENT}, reason
        for language in ("en", "ru"):
            assert wording.customer_sentence(reason, language) and wording.advice(reason, language)


def nothing_but(reading: DocumentReading, *reasons: ReasonCode) -> None:
    told(reading)
    assert set(reading.problems) == set(reasons)
    assert not reading.fields and reading.mrz is None and reading.document_type is None and not reading.hidden


def as_printed(reading: DocumentReading, key: str = "russian_traveller") -> None:
    """Nothing certain that is not printed, and the number and date of birth are read."""
    printed = people.PAPERS[key][2](TODAY).values()
    assert {Field.DOCUMENT_NUMBER, Field.DATE_OF_BIRTH} <= reading.fields.keys()
    for name, field in reading.fields.items():
        if field.certain and name in printed:
            assert field.value == printed[name], name


def font(size: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(FONT, size)
    except OSError:
        pytest.skip(f"{FONT} is not installed")


# ---------------------------------------------------------------- no document


def cat() -> np.ndarray:
    """Fur: strokes in a few directions over soft patches of colour, and two eyes."""
    rng = np.random.default_rng(7)
    coat = cv2.resize(rng.integers(60, 200, (5, 7, 3)).astype(np.float32), (900, 700), interpolation=cv2.INTER_CUBIC)
    for _ in range(9000):
        x, y = rng.uniform(0, 900), rng.uniform(0, 700)
        way = np.sin(x / 180) + np.cos(y / 150) + rng.normal(0, 0.25)
        tone = (coat[min(int(y), 699), min(int(x), 899)] + rng.normal(0, 28)).tolist()
        cv2.line(coat, (int(x), int(y)), (int(x + 24 * np.cos(way)), int(y + 24 * np.sin(way))), tone, 1, cv2.LINE_AA)
    for x in (340, 540):
        cv2.ellipse(coat, (x, 300), (46, 34), 0, 0, 360, (190, 200, 60), -1, cv2.LINE_AA)
        cv2.ellipse(coat, (x, 300), (10, 32), 0, 0, 360, (15, 15, 15), -1, cv2.LINE_AA)
    return np.clip(coat, 0, 255).astype(np.uint8)


def blank_sheet() -> np.ndarray:
    """White paper on a table, nothing on it."""
    return photograph(np.full((1056, 1500, 3), 244, np.uint8), seed=2, hardness="easy")[::2, ::2]


def chat() -> np.ndarray:
    """A screenshot of a talk on a phone, with a date, a time and a number in it."""
    canvas = Image.new("RGB", (1080, 2100), (229, 221, 213))
    pen = ImageDraw.Draw(canvas)
    said = (
        "Hi! Did you send the papers?", "Yes, on 12.03.2026 at 14:05", "Order 4511 123456 is paid", "Passport comes on Friday",
        "ok thanks <3", "See you 14.03.2026", "Тебе звонили из банка?", "Да, просили паспорт",
    )  # fmt: skip
    for at, text in enumerate(said):
        left = 60 if at % 2 else 330
        pen.rounded_rectangle((left - 30, 150 + at * 230, left + 680, 280 + at * 230), 28, fill=(255, 255, 255))
        pen.text((left, 190 + at * 230), text, fill=(25, 25, 25), font=font(38))
    return np.asarray(canvas)


@pytest.mark.parametrize("draw", [cat, blank_sheet, chat], ids=["a cat", "a blank page", "a chat"])
def test_where_no_document_is_none_is_found(draw: object) -> None:
    nothing_but(read(draw()), ReasonCode.NO_DOCUMENT_FOUND)  # type: ignore[operator]


@pytest.mark.skipif(not FACES.is_dir(), reason="the shared test pictures are not here")
def test_a_selfie_in_the_documents_place_is_no_document() -> None:
    listed = json.loads((FACES / "pairs.json").read_text(encoding="utf-8"))["images"]
    file = next(item["file"] for item in listed if item["set"] == "congress")
    here = next(path for path in (FACES / file, FACES / "img" / file) if path.is_file())
    nothing_but(read(np.asarray(Image.open(here).convert("RGB"))), ReasonCode.NO_DOCUMENT_FOUND)


# ---------------------------------------------------------------- a document of another kind


def licence() -> np.ndarray:
    """A driving licence of a country that does not exist: a pink card with numbered lines and no zone."""
    card = Image.new("RGB", (1010, 640), (238, 206, 210))
    pen = ImageDraw.Draw(card)
    pen.text((330, 28), "DRIVING LICENCE", fill=(60, 60, 120), font=font(44))
    pen.rectangle((40, 150, 290, 480), fill=(150, 140, 134))
    lines = (
        "1. MUSTERFRAU", "2. ERIKA JOHANNA", "3. 12.08.1983  UTOPOLIS", "4a. 02.06.2019", "4b. 01.06.2034",
        "4c. UTOPIAN ROADS", "5. J42-7719-X", "8. 14 LONG LANE, UTOPOLIS", "9. AM B BE L T",
    )  # fmt: skip
    for at, text in enumerate(lines):
        pen.text((330, 110 + at * 56), text, fill=(20, 20, 24), font=font(32))
    return photograph(np.asarray(card), seed=5, hardness="easy")[::2, ::2]


def test_a_driving_licence_is_a_paper_we_do_not_know() -> None:
    nothing_but(read(licence()), ReasonCode.DOCUMENT_NOT_KNOWN)


# ---------------------------------------------------------------- seen the wrong way


@pytest.mark.parametrize("key", ["russian_traveller", "russian_at_home"])
def test_a_mirror_image_is_named_and_gives_no_values(key: str) -> None:
    nothing_but(read(small(key)[:, ::-1]), ReasonCode.DOCUMENT_MIRRORED)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_document_upside_down_or_on_its_side_is_read(turns: int) -> None:
    reading = read(np.rot90(small(), turns))
    as_printed(reading)
    assert reading.mrz is not None and reading.mrz.valid and reading.problems == ()


# ---------------------------------------------------------------- two documents


def test_two_passports_on_one_photo_are_too_many() -> None:
    first, second = small(), small("kazakh")
    height = min(first.shape[0], second.shape[0])
    reading = read(np.hstack([first[:height], second[:height]]))
    told(reading)
    assert ReasonCode.SEVERAL_DOCUMENTS in reading.problems


@pytest.mark.parametrize("key", ["russian_traveller", "russian_at_home", "kazakh"])
def test_one_passport_is_one(key: str) -> None:
    reading = read(small(key))
    as_printed(reading, key)
    assert reading.problems == ()


# ---------------------------------------------------------------- other files


def saved(picture: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def test_a_photo_of_forty_megapixels_is_read() -> None:
    large = Image.fromarray(photo()).resize((7300, 5475), Image.Resampling.BICUBIC)
    pixels = images.decode(saved(large, "JPEG", quality=80))
    assert max(pixels.shape[:2]) <= images.Limits().max_side
    reading = read(pixels)
    as_printed(reading)
    assert reading.problems == ()


def test_a_photo_beyond_forty_megapixels_is_refused_before_it_is_opened() -> None:
    with pytest.raises(images.ImageRejected) as refused:
        images.decode(saved(Image.new("1", (8000, 5100)), "PNG"))
    assert refused.value.reason is ReasonCode.IMAGE_TOO_MANY_PIXELS


def test_a_thumbnail_is_read_right_or_sent_back_and_nothing_is_guessed() -> None:
    whole = photo()
    scale = 300 / max(whole.shape[:2])
    thumbnail = np.asarray(cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    reading = read(thumbnail)
    if reading.problems:
        told(reading)
        assert not any(field.certain for field in reading.fields.values())
    else:
        as_printed(reading)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_grey_or_printers_jpeg_is_read_like_any_other(mode: str) -> None:
    pixels = images.decode(saved(Image.fromarray(small()).convert(mode), "JPEG", quality=90))
    reading = read(pixels)
    as_printed(reading)
    assert reading.mrz is not None and reading.mrz.valid and reading.problems == ()
