"""Read line crops with Tesseract: the only caller of pytesseract.

Each start of Tesseract loads its model again, so many crops go into one start through a list file.
One thread, with a time limit; what Tesseract cannot read in time stays unread.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytesseract
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""A picture, H x W, dark print on light ground."""

LETTER: Final = 32  # pixels: the letter height Tesseract reads best (measured by its users: about 30)
_BORDER: Final = 14  # pixels of paper around a crop; letters at the very edge are lost
SECONDS: Final = 6.0  # wall clock for one start, model loading included


@dataclass(frozen=True, kw_only=True, slots=True)
class OcrLine:
    """What Tesseract read in one crop: words joined by single spaces, and its lowest word confidence 0-1."""

    text: str
    confidence: float


class OcrMissing(Exception):
    """Tesseract, or one of its language files, is not installed."""


def load() -> None:
    """Check once that Tesseract can be started and knows the languages we use. Raises OcrMissing, saying what to install."""
    missing = {"eng", "rus", "kaz"} - set(_languages())
    if missing:
        packages = " ".join(f"tesseract-ocr-{language}" for language in sorted(missing))
        raise OcrMissing(f"Tesseract lacks languages: install {packages}")


@cache
def version() -> str:
    """Return Tesseract's version, e.g. "5.3.0"."""
    _one_thread()
    try:
        return str(pytesseract.get_tesseract_version())
    except pytesseract.TesseractNotFoundError:
        raise OcrMissing("tesseract is not installed: install tesseract-ocr") from None


def read_lines(
    crops: Sequence[Grey], *, language: str, allowed: str = "", seconds: float = SECONDS, raw: bool = False
) -> list[OcrLine]:
    """Read each crop as one printed line, all in one start. The result is as long as `crops`.

    `allowed`: the only characters to be read (all, where empty). `raw` takes the line as it stands, without
    Tesseract's own layout tricks. A crop that was not read, or the whole list when time is up, gives "" at 0.0.
    Raises OcrMissing where Tesseract is not installed.
    """
    if not crops:
        return []
    _one_thread()
    with tempfile.TemporaryDirectory(prefix="ocr-") as folder:
        files = []
        for at, crop in enumerate(crops):
            file = Path(folder) / f"{at}.png"
            cv2.imwrite(str(file), _with_border(crop))
            files.append(str(file))
        listing = Path(folder) / "crops.txt"
        listing.write_text("\n".join(files) + "\n", encoding="ascii")
        config = f"--psm {13 if raw else 7} --oem 1 -c tessedit_do_invert=0"
        if allowed:
            config += f" -c tessedit_char_whitelist={allowed}"
        try:
            table = pytesseract.image_to_data(
                str(listing), lang=language, config=config, timeout=seconds, output_type=pytesseract.Output.DICT
            )
        except pytesseract.TesseractNotFoundError:
            raise OcrMissing("tesseract is not installed: install tesseract-ocr") from None
        except (RuntimeError, pytesseract.TesseractError):  # time is up, or it refused every crop
            return [OcrLine(text="", confidence=0.0)] * len(crops)
    return _per_crop(table, len(crops))


def _per_crop(table: dict[str, list[Any]], count: int) -> list[OcrLine]:
    words: list[list[str]] = [[] for _ in range(count)]
    worst = [1.0] * count
    for page, confidence, text in zip(table["page_num"], table["conf"], table["text"], strict=True):
        at = int(page) - 1
        if not str(text).strip() or not 0 <= at < count:
            continue
        words[at].append(str(text).strip())
        worst[at] = min(worst[at], max(0.0, float(confidence)) / 100)
    return [OcrLine(text=" ".join(w), confidence=c if w else 0.0) for w, c in zip(words, worst, strict=True)]


def _with_border(crop: Grey) -> Grey:
    paper = int(np.percentile(crop, 90)) if crop.size else 255
    framed = cv2.copyMakeBorder(crop, _BORDER, _BORDER, _BORDER, _BORDER, cv2.BORDER_CONSTANT, value=(paper,))
    return np.asarray(framed, np.uint8)


@cache
def _languages() -> tuple[str, ...]:
    version()
    return tuple(pytesseract.get_languages(config=""))


@cache
def _one_thread() -> None:
    """Give Tesseract one thread: its own default starts four and slows every neighbour on the machine down."""
    inner = pytesseract.pytesseract
    inner.environ = {**inner.environ, "OMP_THREAD_LIMIT": "1"}
