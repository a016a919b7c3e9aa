"""Read a side without a zone, which its own words name: the front of a card, whichever way up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from verification.documents import covered, layout_files, mrz_zone, page
from verification.documents import lines as text_lines
from verification.documents.field_lines import on_page, settled, turned_along
from verification.documents.hearing import hear
from verification.documents.layout_files import ALPHABETS, CYRILLIC, Anchor, Layout, bare
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.meaning import meant
from verification.documents.placing import Known, Placed, from_corners, place
from verification.evidence import Box, DocumentReading, Field, FieldReading
from verification.reasons import ReasonCode

_ANCHORS_READ: Final = 10  # lines read for the words that name a paper: headings are among the largest
_ANCHOR: Final = 80  # per cent of letters in common from which a line is those words
_LABELS_READ: Final = 10
_LABEL_NEAR: Final = 3.5  # mm from its place within which a label is looked for
_LEAST_LABELS: Final = 2  # found at their places: fewer, and nothing says that the card lies as it was placed
_LEAST_FIELDS: Final = 2  # read from a front: fewer say that it is another paper with the same words on it


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Front:
    """The reading of a side without a zone, how it lies, and its corners with the margin."""

    reading: DocumentReading
    quarter_turns: int
    corners: Quad


def front(
    picture: Pixels,
    found: Sequence[Line],
    papers: Sequence[page.PageQuad],
    *,
    today: date,
    zone: Mapping[Field, FieldReading] | None = None,
) -> Front | None:
    """Read a side without a zone that its words name, whichever way up; None where no layout's words are found.

    `found`: the detected lines; `papers`: where a page may lie by its edges; `zone`: what the zone of the same card says, where
    the photo shows it as well.
    """
    named = [layout for layout in layout_files.layouts() if layout.anchors]
    axis = _main_axis(found)
    if not named or axis is None:
        return None
    for sign in (1, -1):
        direction = np.asarray(sign * axis, np.float32)
        marks = _anchors(picture, found, direction, named)
        if marks:
            layout, seen = max(marks.items(), key=lambda item: len(item[1]) / len(item[0].anchors))
            return _front(picture, found, papers, layout, seen, direction, zone or {}, today=today)
    return None


def _main_axis(found: Sequence[Line]) -> NDArray[np.float32] | None:
    """The direction, either way, in which most print runs; None where there is no long line."""
    long = [line for line in found if line.width > 3 * line.height]
    if not long:
        return None
    doubled = sum(line.width * np.exp(2j * np.arctan2(line.direction[1], line.direction[0])) for line in long)
    turn = float(np.angle(doubled)) / 2
    return np.array([np.cos(turn), np.sin(turn)], np.float32)


def _anchors(
    picture: Pixels, found: Sequence[Line], direction: NDArray[np.float32], named: Sequence[Layout]
) -> dict[Layout, list[tuple[Anchor, Line]]]:
    """The layouts whose words stand on the picture, each with the lines that are them."""
    along = [
        turned_along(line, direction)
        for line in found
        if abs(float(line.direction @ direction)) > 0.94 and line.width > 3 * line.height
    ]
    whole = [line for line in mrz_zone.merged(along) if all(line is not piece for piece in along)]  # words in two pieces
    best: dict[Anchor, tuple[float, Line]] = {}
    wanted = {anchor.alphabet for layout in named for anchor in layout.anchors}
    for line in sorted([*along, *whole], key=lambda line: -line.width * line.height)[:_ANCHORS_READ]:
        texts = {alphabet: bare(_said(picture, line, alphabet)) for alphabet in wanted}
        for anchor in (anchor for layout in named for anchor in layout.anchors):
            alike = fuzz.ratio(texts[anchor.alphabet], anchor.words)
            if alike >= max(_ANCHOR, best[anchor][0] if anchor in best else 0.0):
                best[anchor] = alike, line
    found_of = {layout: [(anchor, best[anchor][1]) for anchor in layout.anchors if anchor in best] for layout in named}
    return {layout: marks for layout, marks in found_of.items() if len(marks) >= layout.needs}


def _said(picture: Pixels, line: Line, alphabet: str) -> str:
    """One reading of a line: by our network where its alphabet is Cyrillic, else by PP-OCRv6."""
    if CYRILLIC.isdisjoint(alphabet):
        return text_lines.read_at(picture, line.quad).text()[0]
    return text_lines.read_print(picture, line.quad).text(alphabet)[0]


def _front(
    picture: Pixels,
    found: Sequence[Line],
    papers: Sequence[page.PageQuad],
    layout: Layout,
    seen: Sequence[tuple[Anchor, Line]],
    direction: NDArray[np.float32],
    zone: Mapping[Field, FieldReading],
    *,
    today: date,
) -> Front | None:
    known = [
        mark
        for anchor, line in seen
        for mark in (
            Known((anchor.left, anchor.row), line.quad[[0, 3]].mean(axis=0)),
            Known((anchor.right, anchor.row), line.quad[[1, 2]].mean(axis=0)),
        )
    ]
    placed = min((place(layout, first, known) for first in _firsts(layout, papers, seen, direction)), key=lambda p: p.misfit)
    labels = _labels(picture, found, placed, direction)
    lost = len(labels) < min(_LEAST_LABELS, sum(plan.label_at is not None for plan in layout.fields.values()))
    known += labels
    placed = place(layout, placed.to_mm, known)
    placed, lines = settled(picture, found, placed, direction, known, 1.0)
    readings: dict[Field, FieldReading] = {}
    for name, value in hear(picture, lines, layout.fields).items():
        readings |= meant(layout.fields[name], value, zone, country=layout.country, valid=False, today=today)
    if len(readings) < _LEAST_FIELDS:
        return None
    hidden = _hidden(picture, placed, lines)
    readings = {name: replace(reading, certain=reading.certain and name not in hidden) for name, reading in readings.items()}
    if lost:  # a card that is placed wrong shows good readings of the wrong fields
        readings = {name: replace(reading, certain=False) for name, reading in readings.items()}
    m, w, h = page.MARGIN, layout.width, layout.height
    corners = placed.photo([(-m * w, -m * h), (w + m * w, -m * h), (w + m * w, h + m * h), (-m * w, h + m * h)])
    height, width = picture.shape[:2]
    problems = [r for r in (ReasonCode.DOCUMENT_GLARE, ReasonCode.DOCUMENT_COVERED) if r in hidden.values()]
    if page.outside(corners, width, height) > _OUTSIDE or ReasonCode.DOCUMENT_CUT_OFF in hidden.values():
        problems.append(ReasonCode.DOCUMENT_CUT_OFF)
    reading = DocumentReading(
        document_type=layout.document,
        country=layout.country,
        fields=readings,
        portrait=_portrait(layout, placed, width, height),
        problems=tuple(problems),
        hidden=hidden,
    )
    return Front(reading=reading, quarter_turns=page.quarter_turns(direction), corners=corners)


_OUTSIDE: Final = 0.18  # of a page's longer side beyond the photo, as for pages with a zone


_BEHIND: Final = 4.0  # heights of capitals behind what was read that are looked at as well: lost letters, and what hides them


def _hidden(picture: Pixels, placed: Placed, lines: Mapping[Field, Sequence[Line]]) -> dict[Field, ReasonCode]:
    """Which fields something covers, and what: of each the line that was read and behind it, or the row where it should stand."""
    places: dict[str, list[Quad]] = {}
    named: dict[str, list[Field]] = {}
    for plan in placed.layout.fields.values():
        read = lines.get(plan.name, ())
        named[plan.name.value] = [plan.name, *([plan.then] if plan.then is not None else [])]
        half = plan.letters / 2
        for number, row in enumerate(plan.rows):
            start, end, across = plan.left[0], plan.right, (row, row)
            if number < len(read):
                quad = placed.mm(read[number].quad)
                start, across = float(quad[0, 0]), (float(quad[[0, 3], 1].mean()), float(quad[[1, 2], 1].mean()))
                end = float(quad[1, 0]) + _BEHIND * plan.letters
            elif read:
                continue  # a value of fewer rows
            one, two = across
            corners = [(start, one - half), (end, two - half), (end, two + half), (start, one + half)]
            places.setdefault(plan.name.value, []).append(placed.photo(corners))
    seen = covered.covered(picture, [places])
    return {name: reason for told, reason in seen.items() for name in named[told]}


def _firsts(
    layout: Layout, papers: Sequence[page.PageQuad], seen: Sequence[tuple[Anchor, Line]], direction: NDArray[np.float32]
) -> list[NDArray[np.float64]]:
    """First placements to try: each paper of the card's shape, turned as the print runs, and one by the longest words alone."""
    firsts = []
    for paper in papers:
        at = max(range(4), key=lambda k: float((paper.corners[(k + 1) % 4] - paper.corners[k]) @ direction))
        corners = np.roll(paper.corners, -at, axis=0)
        wide, tall = (float(np.linalg.norm(corners[k] - corners[0])) for k in (1, 3))
        if abs(math.log(max(wide, 1.0) / max(tall, 1.0) * layout.height / layout.width)) < 0.25:
            firsts.append(from_corners(layout, page.with_margin(corners)))
    anchor, line = max(seen, key=lambda mark: mark[0].right - mark[0].left)
    start = line.quad[[0, 3]].mean(axis=0).astype(np.float64)
    pixel = line.width / (anchor.right - anchor.left)
    right = direction.astype(np.float64) * pixel
    down = np.array([-right[1], right[0]])
    to_photo = np.array([[right[0], down[0], 0.0], [right[1], down[1], 0.0], [0, 0, 1]])
    to_photo[:2, 2] = start - right * anchor.left - down * anchor.row
    return [*firsts, np.linalg.inv(to_photo)]


def _labels(picture: Pixels, found: Sequence[Line], placed: Placed, direction: NDArray[np.float32]) -> list[Known]:
    """The labels that are found near their places: where this card has them."""
    marked = on_page(found, placed, direction)
    known: list[Known] = []
    plans = [(plan, plan.label_at) for plan in placed.layout.fields.values() if plan.label_at is not None and plan.labels]
    for plan, (x, y) in plans[:_LABELS_READ]:
        near = [(math.hypot(mark.left - x, mark.row - y), at) for at, mark in enumerate(marked)]
        for off, at in sorted(near)[:1]:
            line = marked[at].line
            texts = (
                {bare(_said(picture, line, ALPHABETS[script])) for script in _scripts(plan.labels)} if off < _LABEL_NEAR else ()
            )
            if any(
                fuzz.partial_ratio(text, label) >= _ANCHOR for text in texts for label in plan.labels if len(text) >= len(label)
            ):
                known.append(Known((x, y), line.quad[[0, 3]].mean(axis=0)))
    return known


def _scripts(labels: Sequence[str]) -> set[str]:
    return {"latin" if CYRILLIC.isdisjoint(label) else "kazakh" for label in labels}


def _portrait(layout: Layout, placed: Placed, width: int, height: int) -> Box | None:
    """The upright box on the photo around the portrait's place; None where it is not on the photo."""
    if layout.portrait is None:
        return None
    x, y, w, h = layout.portrait
    quad = placed.photo([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    left, top = np.maximum(np.floor(quad.min(axis=0)), 0).astype(int)
    right, low = np.minimum(np.ceil(quad.max(axis=0)), (width, height)).astype(int)
    return (int(left), int(top), int(right - left), int(low - top)) if right - left >= 16 and low - top >= 16 else None
