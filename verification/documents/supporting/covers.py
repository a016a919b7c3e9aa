"""What lies over the rows of a supporting page: a value beside a thumb may be the rest of a longer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from verification.documents import covered, mrz_zone
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.supporting.labels import IN_LETTERS
from verification.documents.supporting.rows import ALONG, Direction, sine_of
from verification.evidence import Box, FieldReading
from verification.papers import Detail, Entry
from verification.reasons import ReasonCode

_FURTHER: Final = 3.5  # heights of a line beyond both its ends: a thumb is three wide and more


def over(image: Pixels, lines: Sequence[Line], way: Direction) -> list[tuple[Quad, ReasonCode]]:
    """Return the places of a page's printed lines that something covers, some way beyond their ends, and what.

    `way`: the direction in which the page is read; of a mark that is as high as wide no other is known.
    """
    height, width = image.shape[:2]
    places: dict[str, list[Quad]] = {}
    for at, line in enumerate(lines):
        if abs(sine_of(line, way)) >= ALONG:
            continue
        before, behind = (_room(line, way, width, height) for way in (-1, 1))
        places[str(at)] = [mrz_zone.stretched(line.quad, -before, line.width + behind)]
    reasons = covered.covered(image, [places])
    return [(places[at][0], reason) for at, reason in reasons.items() if reason is not ReasonCode.DOCUMENT_CUT_OFF]


def _room(line: Line, way: int, width: int, height: int) -> float:
    """How many pixels beyond a line's end are looked at: no farther than the photo's edge."""
    end = line.quad[[1, 2] if way > 0 else [0, 3]].mean(axis=0)
    for step in np.linspace(_FURTHER, 0.0, 8):
        x, y = end + way * step * line.height * line.direction
        if 0 <= x < width and 0 <= y < height:
            return float(step * line.height)
    return 0.0


def unsure(entry: Entry, hidden: Sequence[tuple[Quad, ReasonCode]]) -> tuple[Entry, list[ReasonCode]]:
    """The entry with no word certain that something lies over or beside, and what that is.

    Figures have a length of their own, but for a record's number: that is not certain beside anything that lies over its stamp.
    """
    values: dict[Detail, FieldReading] = dict(entry.values)
    reasons: list[ReasonCode] = []
    over_it = [reason for quad, reason in hidden if entry.box is not None and _meet(entry.box, quad)]
    for detail, value in entry.values.items():
        found = [reason for quad, reason in hidden if value.box is not None and _meet(value.box, quad)]
        if (found and detail in IN_LETTERS) or (over_it and detail is Detail.ACT_NUMBER):
            values[detail] = replace(value, certain=False, confidence=min(value.confidence, 0.9))
        reasons += found
    if entry.unread:
        reasons += over_it
    return replace(entry, values=values), reasons


def _meet(box: Box, quad: Quad) -> bool:
    """Whether a value stands in a row: the middle of its box, or of each of its rows, lies on it."""
    x, y, wide, tall = box
    inside = cv2.pointPolygonTest(quad, (x + wide / 2, y + tall / 2), False) >= 0
    left, top = quad.min(axis=0)
    right, low = quad.max(axis=0)
    middle = (quad.mean(axis=0) >= (x, y)).all() and (quad.mean(axis=0) <= (x + wide, y + tall)).all()
    beside = left <= x + wide and x <= right and top <= y + tall / 2 <= low
    return bool(inside or middle or beside)
