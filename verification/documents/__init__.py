"""Read an identity document: one upright-or-not picture in, fields with confidence out.

`read` is the whole of it. The order: find printed lines, find the zone among them, decode it, let a second
voice read the same rows, read the printed page, and only then say what is certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from verification import models, ocr
from verification.documents import lines
from verification.documents.assemble import document
from verification.documents.lines import Pixels, Quad
from verification.evidence import DocumentReading

__all__ = ["DetailedReading", "engines", "load", "read", "read_detailed"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DetailedReading:
    """A reading with what other engines need to look at the same page.

    `quarter_turns`: how many counter-clockwise quarter turns (as `numpy.rot90`) bring the document upright.
    `corners`: of the document's page on the photo with its margin, from the page's own top left, clockwise; None where it
    could not be placed. `printed`: how many printed lines were seen on the photo, readable or not.
    """

    reading: DocumentReading
    quarter_turns: int
    corners: Quad | None
    printed: int


def load() -> None:
    """Load the networks and check Tesseract, once and before forking. Raises ModelFileMissing or OcrMissing."""
    lines.load()
    ocr.load()


def engines() -> tuple[str, ...]:
    """Return the engines a reading rests on, for the run's record."""
    return (
        models.label("ppocr_det"),
        models.label("ppocr_rec"),
        models.label("ocrb_lines"),
        models.label("cyrillic_lines"),
        f"tesseract {ocr.version()}",
    )


def read(image: Pixels, *, today: date) -> DocumentReading:
    """Read a document. `image`: RGB, H x W x 3, any orientation. `today` decides centuries.

    Never raises on any picture and never makes a value up: what is not found is absent, with the reason among `problems`.
    """
    return read_detailed(image, today=today).reading


def read_detailed(image: Pixels, *, today: date) -> DetailedReading:
    """Read a document and say how it lies on the photo. See `read`."""
    found = document(image, today=today)
    return DetailedReading(reading=found.reading, quarter_turns=found.quarter_turns, corners=found.corners, printed=found.printed)
