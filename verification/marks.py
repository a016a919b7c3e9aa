"""The machine-readable mark of a drawn specimen: a QR code that says what the specimen is made to bring about.

Only the sandbox obeys a mark (`workers.trials`); everywhere else a picture that carries one is refused. Knows pixels and
letters, not what they mean. OpenCV and NumPy alone, so that the confined decoder may read marks as well.
"""

from __future__ import annotations

import re

import cv2
import numpy as np
from numpy.typing import NDArray

PREFIX = "peremena-specimen:"
"""What tells our marks from the QR codes that real papers carry: national cards, visas, receipts."""

_KEY = re.compile(r"[a-z][a-z_]{1,59}")

_SIDE = 800
"""Longest side at which a mark is looked for, pixels. On our specimens a module is then some 7 pixels wide; 2 are enough, so that
a mark is read from a photo of a printed specimen that fills a third of it. Looking takes some 25 ms (0 of 232 turned, tilted,
shrunk and saved pictures were missed, at 1000 pixels as well; OpenCV's other detector, `QRCodeDetector`, misses 1 in 40)."""

_QUIET = 4  # modules of white around a code (ISO/IEC 18004, section 5.3.8)


def draw(key: str, *, module: int) -> NDArray[np.uint8]:
    """Return the mark as a grey square of shape (side, side) with its quiet zone, `module` pixels a module.

    Raises ValueError for a key that `read` would not give back.
    """
    if not _KEY.fullmatch(key) or module < 1:
        raise ValueError("a mark's key is 2 to 60 small letters and underscores")
    wanted = cv2.QRCodeEncoder.Params()
    wanted.correction_level = cv2.QRCODE_ENCODER_CORRECT_LEVEL_M
    code = np.asarray(cv2.QRCodeEncoder.create(wanted).encode(PREFIX + key), np.uint8)
    rows, columns = np.flatnonzero(code.min(axis=1) == 0), np.flatnonzero(code.min(axis=0) == 0)
    bare = code[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # without whatever margin OpenCV gave it
    framed = np.pad(bare, _QUIET, constant_values=255)
    return np.asarray(np.kron(framed, np.ones((module, module), np.uint8)), np.uint8)


def read(image: NDArray[np.uint8]) -> str | None:
    """Return the key of the mark on an upright sRGB picture of shape (H, W, 3); None where there is none.

    Raises ValueError on any other shape.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 1:
        raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small = image
    if scale < 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    try:
        text = cv2.QRCodeDetectorAruco().detectAndDecode(grey)[0]
    except (cv2.error, UnicodeDecodeError):  # what looks like a code and is none, or says no text
        return None
    key = text.removeprefix(PREFIX)
    return key if key != text and _KEY.fullmatch(key) else None


def preload() -> None:
    """Run every function once, so that a confined child needs to open nothing later."""
    mark = draw("approve", module=4)
    read(np.asarray(cv2.cvtColor(mark, cv2.COLOR_GRAY2RGB), np.uint8))
