"""Burn into a picture who looked at it and when, so that a photographed screen or a saved file tells where it came from.

Our own clean JPEG in, a JPEG of the same size out; nothing is kept. Only the brightness is touched, so nothing is converted to
colours and back: 2048 x 1440 pixels take 28 ms of the processor (tests/benchmarks/pictures.py), most of it for
reading and writing the file.
"""

from __future__ import annotations

import io
import math
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
"""Debian's fonts-dejavu-core (requirements/debian.txt): every letter of our four languages."""

STRENGTH = 22
"""Grey levels, of 255, by which letters are lighter and their shadow darker: to be read on any ground, seldom in the way."""

LETTER = 0.0125
"""Height of the letters as a share of the picture's longer side, so that they can be read however large it is shown."""

SMALLEST = 13
"""Pixels below which letters cannot be read."""

SLOPE = 24
"""Degrees by which the words run up: no line of print does, so none is hidden whole."""

QUALITY = 88
"""JPEG quality of what is served: it was written with 85 to 92, and a third time is not seen."""

_NAME_LENGTH = 48


def burn(jpeg: bytes, name: str, at: datetime) -> bytes:
    """Return the picture with the viewer's name and the time (UTC) across all of it. `jpeg` is one that we wrote ourselves."""
    image: Image.Image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    image.draft("YCbCr", image.size)  # as it lies in the file
    if image.mode != "YCbCr":
        image = image.convert("YCbCr")
    light, *colours = image.split()
    lighter, darker = _pattern(words(name, at), image.size)
    light = ImageChops.subtract(ImageChops.add(light, lighter), darker)
    out = io.BytesIO()
    Image.merge("YCbCr", (light, *colours)).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def words(name: str, at: datetime) -> str:
    """What is written across: who and when."""
    shown = "".join(letter for letter in name if letter.isprintable())[:_NAME_LENGTH].strip()
    return f"{shown} · {at.astimezone(UTC):%d.%m.%Y %H:%M} UTC"


def _pattern(text: str, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The words and their shadow as brightness to add and to take away, repeated over a picture of that size."""
    height = max(SMALLEST, round(LETTER * max(size)))
    font = ImageFont.truetype(FONT, height)
    left, top, right, bottom = font.getbbox(text)
    plate = Image.new("L", (math.ceil(right - left) + 4, math.ceil(bottom - top) + 4), 0)
    ImageDraw.Draw(plate).text((2 - left, 2 - top), text, font=font, fill=STRENGTH)
    plate = plate.rotate(SLOPE, resample=Image.Resampling.BICUBIC, expand=True)
    # A brick of two rows, the second half a step aside: a part cut out of the picture has the words too.
    step, row = plate.width + 2 * height, round(plate.height * 1.1)
    brick = np.zeros((2 * row, step), np.uint8)
    _lay(brick, plate, 0, 0)
    _lay(brick, plate, row, step // 2)
    off = max(1, height // 12)
    shadow = np.roll(brick, (off, off), axis=(0, 1))
    overlap = np.minimum(brick, shadow)
    return _spread(brick - overlap // 2, size), _spread(shadow - overlap // 2, size)


def _lay(brick: NDArray[np.uint8], plate: Image.Image, down: int, along: int) -> None:
    """Put the plate into the brick; what goes over its edge comes in on the other side."""
    rows = (np.arange(plate.height) + down) % brick.shape[0]
    columns = (np.arange(plate.width) + along) % brick.shape[1]
    place = np.ix_(rows, columns)
    # Rows that come in again lie on themselves: the stronger one is seen.
    np.maximum.at(brick, place, np.asarray(plate))


def _spread(brick: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    width, height = size
    times = math.ceil(height / brick.shape[0]), math.ceil(width / brick.shape[1])
    return Image.fromarray(np.ascontiguousarray(np.tile(brick, times)[:height, :width]))
