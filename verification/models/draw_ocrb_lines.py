"""Draw rows of machine-readable zones as a phone sees them: the training data of `ocrb_lines.onnx`.

Everything is drawn from free fonts; no photograph and no person's data goes in. A row is set in OCR-B (or a
look-alike), laid on drawn paper, photographed at 5 to 40 pixels a letter with what spoils real photographs, and cut
out as `verification.documents.lines` cuts it. Used by `train_ocrb_lines.py` only. See `ocrb_lines.md`.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from verification.models.drawing import HEIGHT, Floats, bent, cut, paper, spoiled

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
OTHER: Final = "?"  # any printed character that no zone holds: tells ordinary print from a zone's row
CLASSES: Final = ALPHABET + OTHER
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
    later = ("3270", "cmun", "Cousine", "Glass", "Go-Mono", "Monoid", "SignWriting", "Terminus")  # for cyrillic_lines only
    fixed = [f for f in listed(":spacing=100") if not any(k in f for k in (*odd, *later))]
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
        mark = bent(rng, mark, letter)
    photo = paper(rng, size, letter)
    strength = float(rng.uniform(0.25, 1.0)) if rng.random() < 0.4 else float(rng.uniform(0.7, 1.0))
    if rng.random() < 0.3:  # ink that is worn or unevenly pressed
        mark = mark * cv2.resize(rng.uniform(0.35, 1, (3, 14)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    black = float(rng.uniform(0.0, 0.35))
    photo = photo * (1 - mark * strength) + black * mark * strength * photo
    photo = spoiled(rng, photo, letter)
    # cut as `lines.crop` does: 1.6 letters high, give or take, from the left margin to the right one
    high = letter / 0.94 * float(np.clip(rng.normal(1.62, 0.22), 1.15, 2.4))
    middle = size[1] / 2 + float(rng.normal(0, 0.07)) * letter
    pitch_margin = 2 * _CELL * scale
    left = pitch_margin - float(rng.uniform(0.0, 1.3)) * letter * (0.35 if rng.random() < 0.5 else 1.0) - 0.06 * letter
    right = size[0] - pitch_margin + float(rng.uniform(0.0, 1.3)) * letter * (0.35 if rng.random() < 0.5 else 1.0) + 0.06 * letter
    across = max(24, round((right - left) / high * HEIGHT * SQUEEZE * float(np.clip(rng.normal(1, 0.07), 0.8, 1.25))))
    return cut(photo, (left, middle - high / 2, right, middle + high / 2), across)


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
