"""A line of the document photo, cut out beside a detail that differs: which part, turned how, which letters framed.

For the desk and the portal alike; knows places and words, no pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from flask_babel import gettext as _

from cases.models import Photo, RunState
from cases.queries import CasePage, FieldRow
from verification.evidence import Box, Difference, Field, Measures, Side
from verification.reasons import PhotoKind, ReasonCode


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A line of the document photo, cut out and turned level, the letters that differ framed. Units: pixels of the photo."""

    view: str  # the view box
    width: int  # of the whole photo
    height: int
    turn: float  # degrees by which the photo is turned about its origin
    frames: tuple[tuple[float, float, float, float], ...]  # x, y, width, height, after turning
    framed: str  # the framed letters in words; "" where their places are not known


def photo_read(page: CasePage) -> Photo | None:
    """The document photo that the last finished run looked at: places found on it hold for no other."""
    photo, run = page.photos.get(PhotoKind.DOCUMENT), next((run for run in page.runs if run.state is RunState.FINISHED), None)
    if photo is None or photo.shredded_at is not None or page.shredded or run is None or photo.created_at > run.begun_at:
        return None
    return photo


_NEIGHBOURS = 8
"""Letters shown before and after those that differ, where a line is too long to be shown whole and still be read."""
_LONG_LINE = 24


def printed_line(row: FieldRow, photo: Photo) -> Printed | None:
    """Cut the line out of the photo and frame what differs; the line alone where its letters' places are not known."""
    return strip(row.read or "", row.box, row.letters, row.differences, photo)


def strip(
    read: str,
    box: Box | None,
    letters: Sequence[Box | None],
    differences: Sequence[Difference],
    photo: Photo,
    *,
    like: Sequence[Box | None] = (),
) -> Printed | None:
    """The same for any value read on the photo, at `box`, its letters at `letters`. None where its place is not known.

    `like`: letters of another line of the same page, which slopes as this one does where its own letters' places are not known.
    """
    width, height = photo.quality.get("width"), photo.quality.get("height")
    letters = letters if len(letters) == len(read) else ()
    wrong = [(d.read_at, stretch_end(read, d.read_at, d.read)) for d in differences]
    if len(letters) > _LONG_LINE and wrong:
        first, last = min(start for start, _ in wrong) - _NEIGHBOURS, max(end for _, end in wrong) + _NEIGHBOURS
        shown = [box for box in letters[max(first, 0) : last] if box]
    else:
        shown = [box for box in letters if box]
    shown = shown or ([box] if box else [])
    if not width or not height or not shown:
        return None
    turn = _slope([box for box in letters if box] or [box for box in like if box])
    level = [_levelled(box, turn) for box in shown]
    top, bottom = min(y for _, y, _, _ in level), max(y + h for _, y, _, h in level)
    left, right = min(x for x, _, _, _ in level), max(x + w for x, _, w, _ in level)
    room = 0.45 * median(h for _, _, _, h in level)
    known = [_levelled(box, turn) if box else None for box in letters]
    frames, words = [], []
    for start, end in wrong:
        hit = [box for box in known[start:end] if box]
        if hit:
            frames += hit
            words.append(_("“%(letters)s”, letter %(n)s", letters=read[start:end], n=start + 1))
        elif start == end and (gap := _gap(known, start)):
            frames.append(gap)
            words.append(_("the gap before letter %(n)s", n=start + 1) if start < len(read) else _("the gap at the end"))
    return Printed(
        view=f"{left - room:.1f} {top - room:.1f} {right - left + 2 * room:.1f} {bottom - top + 2 * room:.1f}",
        width=int(width),
        height=int(height),
        turn=round(-turn, 2) or 0.0,
        frames=tuple((round(x, 1), round(y, 1), round(w, 1), round(h, 1)) for x, y, w, h in frames),
        framed="; ".join(words),
    )


_LEVEL = 2.0
"""Degrees of slope that no eye minds in one line; turning less would only blur it."""


def _slope(letters: list[Box]) -> float:
    """Degrees by which a line runs down to the right on the photo, from its first letter's centre to its last one's."""
    if len(letters) < 2:
        return 0.0
    (x, y), (far_x, far_y) = ((b[0] + b[2] / 2, b[1] + b[3] / 2) for b in (letters[0], letters[-1]))
    slope = math.degrees(math.atan2(far_y - y, far_x - x))
    return slope if abs(slope) > _LEVEL else 0.0


def _levelled(box: Box, turn: float) -> tuple[float, float, float, float]:
    """The letter's own rectangle after turning the photo level.

    `box` stands upright around a letter that slopes by `turn`; its own sides follow from the box's as long as the slope is
    not near 45 degrees, where only the box itself can be kept.
    """
    x, y, w, h = box
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    centre_x, centre_y = (x + w / 2) * cos + (y + h / 2) * sin, (y + h / 2) * cos - (x + w / 2) * sin
    across, along = abs(cos), abs(sin)
    if abs(across**2 - along**2) > 0.3:
        own_w, own_h = ((w * across - h * along) / (across**2 - along**2), (h * across - w * along) / (across**2 - along**2))
    else:
        own_w, own_h = float(w), float(h)
    own_w, own_h = max(own_w, 0.3 * min(w, h)), max(own_h, 0.3 * min(w, h))
    return centre_x - own_w / 2, centre_y - own_h / 2, own_w, own_h


def _gap(known: Sequence[tuple[float, float, float, float] | None], at: int) -> tuple[float, float, float, float] | None:
    """A narrow frame where a letter is missing: between the neighbours of place `at`, or beside the only one."""
    before = next((box for box in reversed(known[:at]) if box), None)
    after = next((box for box in known[at:] if box), None)
    beside = before or after
    if beside is None:
        return None
    _x, y, w, h = beside
    middle = (
        (before[0] + before[2] + after[0]) / 2 if before and after else before[0] + 1.25 * w if before else beside[0] - 0.25 * w
    )
    return middle - 0.15 * w, y, 0.3 * w, h


def stretch_end(text: str, start: int, piece: str) -> int:
    """Where the stretch ends in the text as typed: hyphens and spaces between its letters were not compared."""
    if text[start : start + len(piece)].upper() == piece.upper():
        return start + len(piece)
    end, left = start, sum(c.isalnum() for c in piece)
    while end < len(text) and left > 0:
        left -= text[end].isalnum()
        end += 1
    return end


def covered(measures: Measures | None, reasons: list[ReasonCode]) -> dict[ReasonCode, list[Side | Field]]:
    """Which parts and details of the page something hides, under the reason told for it: names of sides and fields, no values."""
    if measures is None:
        return {}
    found: dict[ReasonCode, list[Side | Field]] = {}
    for reason in reasons:
        fields = [f for f in Field if measures.hidden.get(f) is reason]
        sides = measures.missing if reason is ReasonCode.DOCUMENT_CUT_OFF else ()
        if sides or fields:
            found[reason] = [*sides, *fields]
    return found
