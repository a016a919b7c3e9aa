"""Read the values that stand in print only, on papers whose layout is known: the printed page of a passport, a card's sides.

Nothing is read at a fixed place: offices print differently and values slip. The page's corners give a first placement
(`placing`); lines that are known already (the number, the days, the Latin names that the zone confirmed; on a front its
labels) move it to where this page has them; then the text lines that the detector found near a field's rows are its value
(`field_lines`). Small print, labels and what lies too far off are left out. Two readers read it (`hearing`), and what it means
and whether it is certain follows from both and from the zone (`meaning`). Sides without a zone are read in `fronts`; the data
files are described in `layout_files`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import cv2
import numpy as np

from verification.documents import certainty, layout_files, page, viz
from verification.documents import lines as text_lines
from verification.documents.field_lines import on_page, rows_of, settled, tallness, turned_along
from verification.documents.fronts import Front, front
from verification.documents.hearing import hear
from verification.documents.layout_files import Layout, bare
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.meaning import meant
from verification.documents.mrz import ParsedMrz
from verification.documents.placing import Known, from_corners, place
from verification.documents.viz import Printed
from verification.evidence import Field, FieldReading, Source

__all__ = ["Front", "front", "page_fields"]


def page_fields(
    picture: Pixels,
    found: Sequence[Line],
    corners: Quad,
    rows: Sequence[Quad],
    parsed: ParsedMrz,
    printed: Sequence[Printed],
    confirmed: Mapping[Field, Printed],
    fields: Mapping[Field, FieldReading],
    *,
    today: date,
) -> dict[Field, FieldReading]:
    """Return what the printed page says beyond the zone, to be merged into the zone's `fields`.

    `corners`: the page with its margin, from its own upper left; `rows`: the zone's; `printed` and `confirmed`: the lines read so
    far and those that say what the zone says.
    """
    if parsed.document_type is None:
        return {}
    own = [lay for lay in layout_files.layouts() if lay.document is parsed.document_type and not lay.anchors]
    mine = [lay for lay in own if lay.country is not None and lay.country == parsed.country]
    if not mine:
        led = _led_by_labels(
            picture, found, next((lay for lay in own if lay.country is None), None), printed, fields, today=today
        )
        return led | _day_of_issue(parsed, printed, today=today)
    tried = [(place(lay, from_corners(lay, corners), known), known) for lay in mine for known in [_known(lay, rows, confirmed)]]
    placed, known = min(tried, key=lambda pair: pair[0].misfit)
    layout = placed.layout
    tall = tallness(placed, confirmed)
    along = Line(quad=corners, score=1.0).direction
    placed, lines = settled(picture, found, placed, along, known, tall)
    wanted = {name for name in layout.fields if name not in parsed.values}
    if not wanted - _MAY_LACK <= lines.keys():
        again = on_page(_looked_again(picture, corners), placed, along)
        for name, others in rows_of(layout.fields.values(), again, tall).items():
            lines.setdefault(name, others)
    heard = hear(picture, {name: own for name, own in lines.items() if name in wanted}, layout.fields)
    readings: dict[Field, FieldReading] = {}
    for name, value in heard.items():
        readings |= meant(
            layout.fields[name], value, fields, country=parsed.country, valid=parsed.valid and not parsed.truncated, today=today
        )
    if Field.ISSUED_ON not in readings:
        readings |= _day_of_issue(parsed, printed, today=today)
    return readings


_MAY_LACK: Final = frozenset({Field.PATRONYMIC, Field.PERSONAL_NUMBER, Field.ISSUER_CODE})
"""Fields that a page may go without: nothing more is looked for where only these were not found."""


_ZONE: Final = 0.5  # weight of an end of the zone's rows: the zone is printed apart from the values, 1.5 mm up or down


def _known(layout: Layout, rows: Sequence[Quad], confirmed: Mapping[Field, Printed]) -> list[Known]:
    """The ends of the zone's rows, and the left ends of the lines that say what the zone says."""
    shape = page.SHAPES[layout.document]
    known = []
    for row, y in zip((rows[0], rows[-1]), layout.zone_rows or (shape.first_row, shape.last_row), strict=True):
        known.append(Known((shape.row_left, y), row[[0, 3]].mean(axis=0), _ZONE))
        known.append(Known((shape.row_left + shape.characters * page.PITCH, y), row[[1, 2]].mean(axis=0), _ZONE))
    for name, plan in layout.fields.items():
        if name in confirmed and plan.rows:
            known.append(Known((sum(plan.left) / 2, plan.rows[0]), confirmed[name].line.quad[[0, 3]].mean(axis=0)))
    return known


_AGAIN: Final = 960  # pixels of the page's width in a second look: capitals of 2.3 mm are 17 high


def _looked_again(picture: Pixels, corners: Quad) -> list[Line]:
    """Find lines on the page cut out alone: of a page that is small on its photo, the first look lost print."""
    wide, tall = (float(np.linalg.norm(corners[k] - corners[0])) for k in (1, 3))
    size = (_AGAIN, max(32, round(_AGAIN * tall / max(wide, 1.0))))
    flat = text_lines.crop_at(picture, corners, size)
    back = cv2.getPerspectiveTransform(
        np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32), corners.astype(np.float32)
    )
    return [
        Line(quad=np.asarray(cv2.perspectiveTransform(line.quad[None], back)[0], np.float32), score=line.score)
        for line in text_lines.find(flat, longest=_AGAIN)
    ]


def _led_by_labels(
    picture: Pixels,
    found: Sequence[Line],
    layout: Layout | None,
    printed: Sequence[Printed],
    fields: Mapping[Field, FieldReading],
    *,
    today: date,
) -> dict[Field, FieldReading]:
    """What stands under the labels among the lines that were read anyway; never certain, since nothing says which page it is."""
    if layout is None:
        return {}
    values: dict[Field, Sequence[Line]] = {}
    for line in printed:
        text = bare(line.text)
        for name, plan in layout.fields.items():
            if name not in values and any(label in text for label in plan.labels):
                below = _below(line.line, found)
                values |= {name: [below]} if below is not None else {}
    readings: dict[Field, FieldReading] = {}
    for name, value in hear(picture, values, layout.fields).items():
        readings |= meant(layout.fields[name], value, fields, country=None, valid=False, today=today)
    return {name: replace(reading, certain=False) for name, reading in readings.items()}


def _below(label: Line, found: Sequence[Line]) -> Line | None:
    """The line that starts just under a label, near its left end, and is no smaller print."""
    down = np.array([-label.direction[1], label.direction[0]], np.float32)
    near = []
    for line in (turned_along(line, label.direction) for line in found):
        offset = line.quad[0] - label.quad[0]
        under, aside = float(offset @ down), abs(float(offset @ label.direction))
        if 0.3 * label.height < under < 2.2 * label.height and aside < 1.5 * label.height and line.height > label.height:
            near.append((under, line))
    return min(near, key=lambda pair: pair[0])[1] if near else None


def _day_of_issue(parsed: ParsedMrz, printed: Sequence[Printed], *, today: date) -> dict[Field, FieldReading]:
    """The day of issue where nothing but its label or its being the only one left says so: read once, never certain."""
    known = [date.fromisoformat(parsed.values[f]) for f in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON) if f in parsed.values]
    issue = viz.issue_date(printed, known=known, today=today)
    if issue is None:
        return {}
    day, line = issue
    reading = FieldReading(
        value=day.isoformat(), confidence=round(min(0.9, line.confidence), 4), certain=False, source=Source.VIZ,
        box=certainty.box(line.line.quad, 0, 1),
    )  # fmt: skip
    return {Field.ISSUED_ON: reading}
