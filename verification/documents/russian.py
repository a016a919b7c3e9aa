"""Read the Russian pages: the internal passport's spread, and the Cyrillic names of the passport for travel.

The Latin network knows no Cyrillic, so Cyrillic lines go to Tesseract, crops only. Numbers, dates and unit codes
are read by the network with digits as the only characters. One reading of Cyrillic print is never certain;
the zone, where the passport has one, is the second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import cv2
import numpy as np

from verification import ocr
from verification.documents import lines as text_lines
from verification.documents import page
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.viz import Printed
from verification.evidence import DocumentReading, DocumentType, Field, FieldReading, Source
from verification.reasons import ReasonCode


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spread:
    """A reading of an internal passport without a zone, and how it lies."""

    reading: DocumentReading
    quarter_turns: int
    page: Pixels | None


def read_spread(image: Pixels, found: Sequence[Line], *, today: date) -> Spread | None:
    return None


def with_page(picture: Pixels, corners: Quad, fields: dict[Field, FieldReading], found: Sequence[Line], *, today: date) -> dict[Field, FieldReading]:
    return fields


def travel_names(picture: Pixels, printed: Sequence[Printed], confirmed: dict[Field, Printed], fields: dict[Field, FieldReading]) -> dict[Field, FieldReading]:
    return {}
