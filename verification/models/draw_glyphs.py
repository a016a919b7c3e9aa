"""Draw the 37 glyphs of a machine-readable zone once, from the free OCR-B font, into `ocrb_glyphs.npz`.

Run by hand when the drawing changes: `python -m verification.models.draw_glyphs FONT.otf`. Needs Debian's `fonts-ocr-b`
(Matthew Skala: public domain; Norbert Schwarz's sources: free use) while drawing only; the product reads the file.
Nothing is trained and there is no randomness: the same font gives the same bytes. See `ocrb_glyphs.md`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GLYPHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
WIDTH, HEIGHT = 20, 28  # pixels of one cell: the pitch of 2.54 mm is 20 wide, so a pixel is 0.127 mm
_LARGE = 12  # drawn this many times larger, then averaged down


def draw(font_file: str) -> np.ndarray:
    """Return the glyphs, shape (37, 28, 20), float32 0 (paper) to 1 (ink), capitals centred in the cell."""
    advance = 0.723  # em; the same for every glyph of this font
    font = ImageFont.truetype(font_file, round(WIDTH * _LARGE / advance))
    top, bottom = font.getbbox("H")[1], font.getbbox("H")[3]
    cells = []
    for glyph in GLYPHS:
        canvas = Image.new("L", (WIDTH * _LARGE, HEIGHT * _LARGE), 0)
        y = (HEIGHT * _LARGE - (bottom - top)) / 2 - top
        ImageDraw.Draw(canvas).text(((WIDTH * _LARGE - font.getlength(glyph)) / 2, y), glyph, fill=255, font=font)
        cells.append(cv2.resize(np.asarray(canvas), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255)
    return np.stack(cells)


if __name__ == "__main__":
    glyphs = (draw(sys.argv[1]) * 255).round().astype(np.uint8)
    np.savez_compressed(Path(__file__).with_name("ocrb_glyphs.npz"), glyphs=glyphs, order=np.array(GLYPHS))
