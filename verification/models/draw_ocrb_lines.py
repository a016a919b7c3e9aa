"""Draw rows of machine-readable zones as a phone sees them: the training data of `ocrb_lines.onnx`.

Everything is drawn from free fonts; no photograph and no person's data goes in. A row is set in OCR-B (or a
look-alike), laid on drawn paper, photographed at 5 to 40 pixels a letter with what spoils real photographs, and cut
out as `verification.documents.lines` cuts it. Used by `train_ocrb_lines.py` only. See `ocrb_lines.md`.
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[Any]  # float32; OpenCV does not say so to the type checker

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
OTHER: Final = "?"  # any printed character that no zone holds: tells ordinary print from a zone's row
CLASSES: Final = ALPHABET + OTHER
HEIGHT: Final = 32  # pixels of a crop
SQUEEZE: Final = 0.75  # a crop's width over its natural width: a pitch is about 15 pixels
_ORDINARY: Final = "abcdefghijklmnopqrstuvwxyzабвгдежзийклмнопрстуфхцчшщъыьэюяÁÉÍÑÖÜБГДЖЗИЙЛПФЦЧШЩЪЫЬЭЮЯ.,:;/()-№"
_CELL: Final = 64  # pixels of a pitch while drawing
_NAMES: Final = "AAAAABBCCDDEEEEEFGGHHIIIIIJKKLLLLMMMNNNNNOOOOOPPQRRRRSSSSTTTTUUUVVWXYYZ"  # about as often as in names


@dataclass(frozen=True, slots=True)
class _Face:
    file: str
    advance: float  # em; 0 = proportional


@cache
def faces() -> tuple[tuple[_Face, ...], tuple[_Face, ...], tuple[_Face, ...]]:
    """Fonts of this machine: OCR-B, fixed-pitch look-alikes, proportional ones. See requirements/debian-train.txt."""

    def listed(query: str) -> list[str]:
        out = subprocess.run(["fc-list", query, "file"], capture_output=True, text=True, check=True).stdout
        files = {line.split(":")[0].strip() for line in out.splitlines() if line.strip()}
        return sorted(f for f in files if f.endswith((".ttf", ".otf")) and not any(k in f for k in ("talic", "blique", "Thin")))

    ocr_b = [
        f for f in listed(":family=OCR B") if f.endswith(("OCRB.otf", "OCRBS.otf"))
    ]  # the others are outlined, slanted, white
    odd = ("ocr-b", "ExtraLight", "UltraLight", "Fantasque", "Condensed", "Extended", "Narrow", "Wide", "Minus")
    fixed = [f for f in listed(":spacing=100") if not any(k in f for k in odd)]
    free = [
        f
        for f in listed(":lang=ru")
        if any(k in f for k in ("LiberationS", "DejaVuS", "PTS", "PTF", "FreeS")) and "Mono" not in f
    ]
    return tuple(map(_measured, ocr_b)), tuple(map(_measured, fixed)), tuple(_Face(f, 0.0) for f in free)


def _measured(file: str) -> _Face:
    return _Face(file, ImageFont.truetype(file, 1000).getlength("H") / 1000)


@cache
def _glyphs(face: _Face) -> Floats:
    """All characters of the alphabet in cells of one pitch, capitals' height centred: (37, 2 * _CELL, _CELL), 0-1 ink."""
    font = ImageFont.truetype(face.file, round(_CELL / face.advance))
    _, top, _, bottom = font.getbbox("H")
    cells = []
    for character in ALPHABET:
        canvas = Image.new("L", (_CELL, 2 * _CELL), 0)
        at = ((_CELL - font.getlength(character)) / 2, _CELL - (top + bottom) / 2)
        ImageDraw.Draw(canvas).text(at, character, fill=255, font=font)
        cells.append(np.asarray(canvas, np.float32) / 255)
    return np.stack(cells)


def text(rng: np.random.Generator) -> str:
    """A row, or a piece of one: invented names, numbers and fillers, or plain noise, so that no language is learned."""
    kind = rng.random()
    length = int(rng.choice([44, 36, 30])) if rng.random() < 0.35 else int(rng.integers(8, 40))
    if kind < 0.40:
        row = _draw(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<", length)
    elif kind < 0.70:
        row = str(rng.choice(["P<", "PN", "PP", "I<", "V<", "ID", "AC", ""])) + _draw(rng, _NAMES, 3)
        while len(row) < length and rng.random() < 0.93:
            row += _draw(rng, _NAMES, int(rng.integers(1, 12))) + "<" * int(rng.choice([1, 1, 2, 2, 3]))
        if rng.random() < 0.15:
            row = row.translate(str.maketrans("JQXUS", "23467"))  # the Russian zone writes digits among letters
        row = (row + "<" * length)[:length]
    else:
        row = ""
        while len(row) < length:
            part = rng.random()
            count = int(rng.integers(1, 10))
            row += _draw(rng, "0123456789" if part < 0.6 else _NAMES if part < 0.8 else "<", count)
        row = row[:length]
    if rng.random() < 0.25 and len(row) > 16:
        start = int(rng.integers(0, len(row) // 2))
        row = row[start:]
    return row


def _draw(rng: np.random.Generator, letters: str, count: int) -> str:
    return "".join(letters[i] for i in rng.integers(0, len(letters), count))


def sample(rng: np.random.Generator) -> tuple[NDArray[np.uint8], str]:
    """One crop, HEIGHT pixels high, grey, and what it says (characters of CLASSES)."""
    ocr_b, fixed, free = faces()
    kind = rng.random()
    if kind < 0.08:
        ink, row = _ordinary_line(rng, free[int(rng.integers(len(free)))])
    else:
        pool = ocr_b if kind < 0.76 else fixed
        face = ocr_b[0] if kind < 0.3 else pool[int(rng.integers(len(pool)))]
        row = text(rng)
        ink = _set(rng, face, row, ocr_b=face in ocr_b)
    return _photographed(rng, ink, row), row


def _other_zero(rng: np.random.Generator, glyphs: Floats) -> Floats:
    """Draw 0 and O as some printers do: the free font has a square zero and an oval O; on most documents it is the other way
    round, or both are ovals and the O is the wider one. What a place may hold, and the neighbours, must tell them apart."""
    kind = rng.random()
    if kind < 0.3:
        return glyphs
    zero, letter = ALPHABET.index("0"), ALPHABET.index("O")
    other = glyphs.copy()
    other[zero] = glyphs[letter]
    if kind < 0.7:
        other[letter] = glyphs[zero]
    else:
        wide = round(_CELL * float(rng.uniform(1.0, 1.2)))
        oval = cv2.resize(glyphs[letter], (wide, 2 * _CELL), interpolation=cv2.INTER_AREA)
        start = (wide - _CELL) // 2
        other[letter] = oval[:, start : start + _CELL]
    return other


def _set(rng: np.random.Generator, face: _Face, row: str, *, ocr_b: bool) -> Floats:
    """Ink of a row set with a fixed pitch, and often edges of the rows above and below it."""
    glyphs = _glyphs(face)
    if ocr_b:
        glyphs = _other_zero(rng, glyphs)
    wide = rng.normal(0, 0.05) if rng.random() < 0.6 else rng.uniform(-0.16, 0.2)  # how far apart, beyond the font's own pitch
    pitch = _CELL * float(np.clip(1 + wide, 0.84, 1.25))
    ink: Floats = np.zeros((4 * _CELL, round(pitch * len(row)) + 4 * _CELL), np.float32)
    loose = 2.5 if rng.random() < 0.3 else 0.5
    _print(ink, glyphs, row, 2 * _CELL, pitch, _CELL, rng, loose)
    if rng.random() < 0.55:
        apart = _CELL * float(rng.uniform(1.55, 2.7))
        for side in (-1, 1):
            if rng.random() < 0.6:
                _print(ink, glyphs, _draw(rng, ALPHABET, len(row)), 2 * _CELL, pitch, _CELL + side * apart, rng, loose)
    weight = rng.random()
    if weight < 0.25:
        ink = cv2.dilate(ink, np.ones((int(rng.integers(2, 7)),) * 2))
    elif weight < 0.42:
        ink = cv2.erode(ink, np.ones((int(rng.integers(2, 5)),) * 2))
    return np.asarray(ink, np.float32)


def _print(
    ink: Floats, glyphs: Floats, row: str, left: float, pitch: float, top: float, rng: np.random.Generator, loose: float
) -> None:
    for at, character in enumerate(row):
        x = round(left + at * pitch + (pitch - _CELL) / 2 + rng.normal(0, loose))
        y = round(top + rng.normal(0, loose))
        cut_top, cut_bottom = max(0, -y), max(0, y + 2 * _CELL - ink.shape[0])
        if cut_top + cut_bottom >= 2 * _CELL or x < 0 or x + _CELL > ink.shape[1]:
            continue
        cell = glyphs[ALPHABET.index(character)][cut_top : 2 * _CELL - cut_bottom]
        place = ink[y + cut_top : y + 2 * _CELL - cut_bottom, x : x + _CELL]
        np.maximum(place, cell, out=place)


def _ordinary_line(rng: np.random.Generator, face: _Face) -> tuple[Floats, str]:
    """A line of other print: labels, addresses, dates. Characters outside the zone's alphabet are OTHER."""
    words = []
    for _ in range(int(rng.integers(1, 7))):
        letters = ("abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщъыьэюя", _ORDINARY, "0123456789.", ALPHABET[:26])[
            int(rng.integers(5))
        ]
        words.append(_draw(rng, letters, int(rng.integers(2, 11))))
    line = " ".join(words)[:44]
    font = ImageFont.truetype(face.file, _CELL)
    canvas = Image.new("L", (round(font.getlength(line)) + 4 * _CELL, 4 * _CELL), 0)
    _, top, _, bottom = font.getbbox("H")
    ImageDraw.Draw(canvas).text((2 * _CELL, 2 * _CELL - (top + bottom) / 2), line, fill=255, font=font)
    said = "".join(c if c in ALPHABET[:36] else OTHER for c in line if c != " ")
    return np.asarray(canvas, np.float32) / 255, said


def _photographed(rng: np.random.Generator, ink: Floats, row: str) -> NDArray[np.uint8]:
    """The ink on paper, photographed at some size, and cut out with a quad that is a little off."""
    letter = float(np.exp(rng.uniform(np.log(5.0), np.log(40.0))))  # pixels of a capital on the photo
    if rng.random() < 0.35:
        letter = float(rng.uniform(5.0, 12.0))
    scale = letter / (0.94 * _CELL)
    tall, wide = ink.shape[0] * scale, ink.shape[1] * scale
    size = (max(24, round(wide)), max(16, round(tall)))
    corners = np.array([[0, 0], [ink.shape[1], 0], [ink.shape[1], ink.shape[0]], [0, ink.shape[0]]], np.float32)
    lean = rng.normal(0, 0.02, (4, 2)) * tall if rng.random() < 0.6 else np.zeros((4, 2))
    turn = float(rng.normal(0, 0.012)) * wide / 2  # the quad is not quite along the row
    turn = float(np.clip(turn, -0.09 * tall, 0.09 * tall))
    placed = np.array([[0, -turn], [size[0], turn], [size[0], size[1] + turn], [0, size[1] - turn]], np.float32) + lean.astype(
        np.float32
    )
    if scale < 0.5:
        half = cv2.resize(ink, None, fx=min(1.0, 2.2 * scale), fy=min(1.0, 2.2 * scale), interpolation=cv2.INTER_AREA)
        corners *= np.array([half.shape[1] / ink.shape[1], half.shape[0] / ink.shape[0]], np.float32)
        ink = half
    mark = cv2.warpPerspective(ink, cv2.getPerspectiveTransform(corners, placed), size, flags=cv2.INTER_LINEAR)
    if rng.random() < 0.25:
        mark = _bent(rng, mark, letter)
    photo = _paper(rng, size, letter)
    strength = float(rng.uniform(0.25, 1.0)) if rng.random() < 0.4 else float(rng.uniform(0.7, 1.0))
    if rng.random() < 0.3:  # ink that is worn or unevenly pressed
        mark = mark * cv2.resize(rng.uniform(0.35, 1, (3, 14)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    black = float(rng.uniform(0.0, 0.35))
    photo = photo * (1 - mark * strength) + black * mark * strength * photo
    photo = _spoiled(rng, photo, letter)
    # cut as `lines.crop` does: 1.6 letters high, give or take, from the left margin to the right one
    high = letter / 0.94 * float(np.clip(rng.normal(1.62, 0.22), 1.15, 2.4))
    middle = size[1] / 2 + float(rng.normal(0, 0.07)) * letter
    pitch_margin = 2 * _CELL * scale
    left = pitch_margin - float(rng.uniform(0.0, 1.3)) * letter * (0.35 if rng.random() < 0.5 else 1.0) - 0.06 * letter
    right = size[0] - pitch_margin + float(rng.uniform(0.0, 1.3)) * letter * (0.35 if rng.random() < 0.5 else 1.0) + 0.06 * letter
    across = max(24, round((right - left) / high * HEIGHT * SQUEEZE * float(np.clip(rng.normal(1, 0.07), 0.8, 1.25))))
    source = np.array(
        [[left, middle - high / 2], [right, middle - high / 2], [right, middle + high / 2], [left, middle + high / 2]], np.float32
    )
    shrink = HEIGHT / high
    if shrink < 0.7:
        target = np.array([[0, 0], [round(right - left), 0], [round(right - left), round(high)], [0, round(high)]], np.float32)
        cut = cv2.warpPerspective(
            photo,
            cv2.getPerspectiveTransform(source, target),
            (round(right - left), round(high)),
            borderMode=cv2.BORDER_REPLICATE,
        )
        cut = cv2.resize(cut, (across, HEIGHT), interpolation=cv2.INTER_AREA)
    else:
        target = np.array([[0, 0], [across, 0], [across, HEIGHT], [0, HEIGHT]], np.float32)
        cut = cv2.warpPerspective(
            photo,
            cv2.getPerspectiveTransform(source, target),
            (across, HEIGHT),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return np.clip(cut * 255, 0, 255).astype(np.uint8)


def _bent(rng: np.random.Generator, mark: Floats, letter: float) -> Floats:
    """Paper is not flat: the row swings up and down by up to a fifth of a letter."""
    height, width = mark.shape
    x = np.arange(width, dtype=np.float32)
    swing = letter * float(rng.uniform(0.03, 0.2)) * np.sin(x / width * float(rng.uniform(1.5, 7)) + float(rng.uniform(0, 6.3)))
    map_x = np.repeat(x[None], height, 0)
    map_y = np.arange(height, dtype=np.float32)[:, None] + swing[None].astype(np.float32)
    return np.asarray(cv2.remap(mark, map_x, map_y, cv2.INTER_LINEAR), np.float32)


def _paper(rng: np.random.Generator, size: tuple[int, int], letter: float) -> Floats:
    """Ground: an even tone, guilloche waves, small background print, shadows."""
    width, height = size
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    ground = np.full((height, width), float(rng.uniform(0.55, 0.98)), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        angle, wave = float(rng.uniform(0, 3.15)), float(rng.uniform(0.12, 1.6)) * letter
        swing = float(rng.uniform(0, 0.8)) * letter * np.sin(xx / (letter * float(rng.uniform(1, 6))) + float(rng.uniform(0, 6)))
        lines = np.sin((xx * np.cos(angle) + (yy + swing) * np.sin(angle)) * 6.283 / wave)
        lines = np.sign(lines) if rng.random() < 0.3 else np.clip(lines * float(rng.uniform(1, 6)), -1, 1)
        ground += (0.01 + 0.09 * float(rng.random()) ** 2) * lines
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 5))):
            a = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            b = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            cv2.line(ground, a, b, float(rng.uniform(0.3, 0.9)), max(1, round(letter * float(rng.uniform(0.03, 0.15)))))
    if rng.random() < 0.5:
        ground += float(rng.uniform(-0.2, 0.2)) * (xx / width - 0.5) + float(rng.uniform(-0.15, 0.15)) * (yy / height - 0.5)
    if rng.random() < 0.15:  # a fold or the edge of a shadow
        edge = (xx - float(rng.uniform(0, width))) * float(rng.choice([-1, 1])) + yy * float(rng.normal(0, 1))
        ground *= 1 - float(rng.uniform(0.1, 0.5)) / (1 + np.exp(-np.clip(edge / (letter * float(rng.uniform(0.1, 2))), -30, 30)))
    if rng.random() < 0.2:  # film: cloudy patches
        ground += cv2.resize(rng.normal(0, 0.09, (3, 12)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.clip(ground, 0.08, 1.05)


def _spoiled(rng: np.random.Generator, photo: Floats, letter: float) -> Floats:
    """Light, lens, sensor and compression."""
    height, width = photo.shape
    if rng.random() < 0.22:  # a lamp's reflection, up to burnt out
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
        cx, cy = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        rx, ry = letter * float(rng.uniform(1, 9)), letter * float(rng.uniform(0.6, 5))
        photo = photo + float(rng.uniform(0.15, 0.75)) * np.exp(-(((xx - cx) / rx) ** 2 + ((yy - cy) / ry) ** 2))
        photo = np.minimum(photo, 1.0)
    if rng.random() < 0.25:
        photo = photo * float(rng.uniform(0.2, 0.8))
    kind = rng.random()
    if kind < 0.45:
        photo = cv2.GaussianBlur(photo, (0, 0), 0.3 + 0.12 * letter * float(rng.random()) ** 1.5)
    elif kind < 0.6:  # motion
        reach = max(3, round(float(rng.uniform(0.08, 0.32)) * letter))
        kernel = np.zeros((reach, reach), np.float32)
        angle = float(rng.uniform(0, 3.15))
        middle = (reach - 1) / 2
        tip = (middle * np.cos(angle), middle * np.sin(angle))
        cv2.line(kernel, (round(middle - tip[0]), round(middle - tip[1])), (round(middle + tip[0]), round(middle + tip[1])), 1.0)
        photo = cv2.filter2D(photo, -1, kernel / max(float(kernel.sum()), 1.0))
    elif kind < 0.7:  # out of focus
        reach = max(1, round(float(rng.uniform(0.05, 0.13)) * letter))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2).astype(np.float32)
        photo = cv2.filter2D(photo, -1, disc / disc.sum())
    if rng.random() < 0.2:  # phones sharpen
        photo = photo + float(rng.uniform(0.4, 2.0)) * (photo - cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(0.7, 2.0))))
    if rng.random() < 0.06:  # a screen's pixels
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
        photo = photo * (
            1
            - float(rng.uniform(0.02, 0.12))
            * (1 + np.sin(xx * float(rng.uniform(1.5, 3.1))) * np.sin(yy * float(rng.uniform(1.5, 3.1))))
        )
    photo = photo + rng.normal(0, float(rng.uniform(0, 0.045)), photo.shape)
    if rng.random() < 0.12:  # resized by a chat application
        small = float(rng.uniform(0.55, 0.9))
        if height * small > 8:
            photo = cv2.resize(photo, (max(8, round(width * small)), max(8, round(height * small))), interpolation=cv2.INTER_AREA)
            photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)
    grey = np.clip(photo * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.04:
        grey = 255 - grey
    if rng.random() < 0.75:
        stream = io.BytesIO()
        Image.fromarray(grey).save(stream, "JPEG", quality=int(rng.integers(22, 95)))
        grey = np.asarray(Image.open(stream))
    return np.asarray(grey, np.float32) / 255


def main(folder: str, count: int = 96) -> None:
    """Draw a sheet to look at: `python -m verification.models.draw_ocrb_lines FOLDER`."""
    rng = np.random.default_rng(7)
    sheet = np.full((36 * (count // 2), 1500), 128, np.uint8)
    for at in range(count):
        crop, _ = sample(rng)
        crop = crop[:, :740]
        y, x = at // 2 * 36, at % 2 * 750
        sheet[y : y + HEIGHT, x : x + crop.shape[1]] = crop
    cv2.imwrite(str(Path(folder) / "ocrb_lines.png"), sheet)


if __name__ == "__main__":
    import sys

    main(sys.argv[1])
