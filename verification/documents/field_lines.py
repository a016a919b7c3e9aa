"""Find the lines of each field among the detected ones: near its rows, of its height, whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from verification.documents import lines as text_lines
from verification.documents import mrz_zone
from verification.documents.layout_files import FieldPlan
from verification.documents.lines import Line, Pixels
from verification.documents.placing import Known, Placed, place
from verification.documents.viz import Printed
from verification.evidence import Field
from verification.models import shapes


def settled(
    picture: Pixels, found: Sequence[Line], placed: Placed, along: NDArray[np.float32], known: Sequence[Known], tall: float
) -> tuple[Placed, dict[Field, list[Line]]]:
    """Assign lines to fields, let these place the page anew, and assign once more."""
    plans = placed.layout.fields
    apart = _cut_apart(picture, on_page(found, placed, along), plans.values())
    lines = rows_of(plans.values(), apart, tall)
    more = [
        Known((sum(plans[name].left) / 2, plans[name].rows[0]), own[0].quad[[0, 3]].mean(axis=0))
        for name, own in lines.items()
        if len(plans[name].rows) == 1
    ]
    again = place(placed.layout, placed.to_mm, [*known, *more])
    found = [mark.line for mark in apart]
    return again, rows_of(plans.values(), on_page(found, again, along), tall)


def tallness(placed: Placed, confirmed: Mapping[Field, Printed]) -> float:
    """How high known lines stand, as a share of what the layout says; 1.0 where none is known."""
    shares = []
    for name, line in confirmed.items():
        if name in placed.layout.fields:
            quad = placed.mm(line.line.quad)
            height = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
            shares.append(height / (placed.layout.fields[name].letters * LINE_BY_LETTER))
    return float(np.clip(np.median([*shares, 1.0, 1.0]), 0.75, 1.3))  # two votes for the layout's own: quads vary


LINE_BY_LETTER: Final = 1.55  # height of a detected line by the height of its capitals (median of the blanks' printed lines)
_LEAST, _MOST = 0.62, 1.7  # by the same: below is a label, above are two rows in one or a heading
_GAP: Final = 1.5  # heights between two pieces of one line; a space of the widest typewriter leaves 0.5, behind a dot 1.2
_GAP_NAME: Final = 0.4  # the same within one name or number: a mark printed beside a surname stood 0.6 away
_LATE: Final = 1.5  # mm to the right of all places where a value begins from which it has lost letters
_ALIKE: Final = 0.7  # height of one piece of a line by that of another: one without marks or descenders is lower
_ALIKE_NAME: Final = 0.8
_SIGN: Final = 1.3  # heights of the line beside it up to which a piece is a sign or two: "/", "Г.", marked low
_ALIKE_SIGN: Final = 0.55
_LEVEL: Final = 0.12  # heights that pieces of one line lie above or below each other; a mark beside a name lay 0.25 off


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Marked:
    """A detected line in the layout's millimetres: ends along the print, middle, height; upright to the page."""

    line: Line
    left: float
    right: float
    row: float
    height: float


def on_page(found: Sequence[Line], placed: Placed, along: NDArray[np.float32]) -> list[Marked]:
    """The detected lines that run `along` (unit vector) the page, where they lie on it."""
    marked = []
    for line in found:
        slope = float(line.direction @ along)
        if abs(slope) < 0.94 and line.width > 1.8 * line.height:
            continue  # across the page: another page's print, a number down the side
        if slope < 0:
            line = Line(quad=text_lines.reversed_quad(line.quad), score=line.score)
        quad = placed.mm(line.quad)
        start, end = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
        height = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
        marked.append(
            Marked(line=line, left=float(start[0]), right=float(end[0]), row=float((start + end)[1] / 2), height=height)
        )
    return marked


def _cut_apart(picture: Pixels, marked: Sequence[Marked], plans: Iterable[FieldPlan]) -> list[Marked]:
    """Cut lines in two that the detector drew across the gap between two fields of one row."""
    starts = [(plan.left, row) for plan in plans for row in plan.rows]
    apart: list[Marked] = []
    for mark in marked:
        inside = [
            left for left, row in starts if abs(row - mark.row) < 2.5 and mark.left < left[0] - 8 and mark.right > left[1] + 5
        ]
        begins = any(abs(row - mark.row) < 2.5 and left[0] - 3 < mark.left < left[1] + 3 for left, row in starts)
        pieces = _at_pause(picture, mark, inside[0]) if inside and begins else None
        apart += pieces or [mark]
    return apart


def _at_pause(picture: Pixels, mark: Marked, left: tuple[float, float]) -> list[Marked] | None:
    """Cut a line at the longest pause that ends where a field may begin; None where there is none of a letter's width."""
    odds = text_lines.read_print(picture, mark.line.quad).odds
    space = shapes.letters(" ")[0][0]
    quiet = odds[:, 0] + odds[:, space] > 0.5
    frames, long = len(quiet), mark.right - mark.left
    best: tuple[float, float] | None = None
    start = None
    for t in range(frames + 1):
        if t < frames and quiet[t]:
            start = t if start is None else start
        elif start is not None:
            begin, end = start / frames, t / frames
            if left[0] - 3 < mark.left + end * long < left[1] + 3 and (best is None or end - begin > best[1] - best[0]):
                best = begin, end
            start = None
    if best is None or (best[1] - best[0]) * long < 0.7 * mark.height:
        return None
    pieces = []
    for begin, end in ((0.0, best[0] + 0.3 * mark.height / long), (best[1] - 0.4 * mark.height / long, 1.0)):
        quad = mrz_zone.stretched(mark.line.quad, begin * mark.line.width, end * mark.line.width)
        pieces.append(
            Marked(
                line=Line(quad=quad, score=mark.line.score), left=mark.left + begin * long, right=mark.left + end * long,
                row=mark.row, height=mark.height,
            )
        )  # fmt: skip
    return pieces


def rows_of(plans: Iterable[FieldPlan], marked: Sequence[Marked], tall: float) -> dict[Field, list[Line]]:
    """Give each field its lines, one for each row at most; a line goes to the row it lies nearest to.

    `tall`: how high this page's lines stand in the layout's scale, as a share of what the layout says.
    """
    choices = []
    by_name = {plan.name: plan for plan in plans}
    for plan in by_name.values():
        for number, row in enumerate(plan.rows):
            for at, mark in enumerate(marked):
                size = mark.height / (plan.letters * LINE_BY_LETTER * tall)
                least, most = plan.left
                beside = max(least - mark.left, mark.left - most, 0.0)
                off = abs(mark.row - row)
                if off > plan.slack or beside > 4.0 or mark.right > plan.right + 4.0 or not _LEAST < size < _MOST:
                    continue
                choices.append((off + 0.5 * beside + abs(np.log(size)), plan.name, number, at))
    taken: dict[tuple[Field, int], int] = {}
    for _, name, number, at in sorted(choices):
        if (name, number) not in taken and at not in taken.values():
            taken[name, number] = at
    rows: dict[Field, list[Line]] = {}
    used = set(taken.values())
    for (name, _), at in sorted(taken.items(), key=lambda item: (item[0][0], item[0][1])):
        rows.setdefault(name, []).append(_whole(marked[at], marked, used, by_name[name]))
    return rows


def _whole(first: Marked, marked: Sequence[Marked], used: set[int], plan: FieldPlan) -> Line:
    """Join what the detector marked apart: pieces on the same row, near enough and of the same height."""
    alike, widest = (_ALIKE, _GAP) if plan.shape in ("text", "names") else (_ALIKE_NAME, _GAP_NAME)

    def joins(piece: Marked, gap: float) -> bool:
        longer, shorter = (first, piece) if first.line.width >= piece.line.width else (piece, first)
        along = longer.line.direction  # the shorter's is any: "Г." or "/" is as high as wide
        across = abs(float((piece.line.centre - first.line.centre) @ (-along[1], along[0])))
        least = _ALIKE_SIGN if alike is _ALIKE and shorter.line.width < _SIGN * longer.line.height else alike
        level = across < _LEVEL * longer.line.height and least < piece.height / first.height < 1 / least
        return level and -0.5 * max(first.height, piece.height) < gap < widest * first.height

    pieces, end, start = [first], first.right, first.left
    beside = [mark for at, mark in enumerate(marked) if at not in used]
    for piece in sorted((m for m in beside if m.left > first.left), key=lambda m: m.left):
        if joins(piece, piece.left - end) and piece.right < plan.right + 4.0:
            pieces.append(piece)
            end = piece.right
    for piece in sorted((m for m in beside if m.left < first.left), key=lambda m: -m.right):
        if joins(piece, start - piece.right) and piece.left > plan.left[0] - 4.0:
            pieces.append(piece)
            start = piece.left
    if start > plan.left[1] + _LATE:  # its first letters were not marked: look where it should begin
        share = (start - (plan.left[0] + plan.left[1]) / 2 + 0.5 * first.height) / max(first.right - first.left, 1e-6)
        quad = mrz_zone.stretched(first.line.quad, -share * first.line.width, 0.0)
        pieces.append(replace(first, line=Line(quad=quad, score=0.0)))
    if len(pieces) == 1:
        return first.line
    longer = max(pieces, key=lambda m: m.line.width).line
    start = longer.quad[[0, 3]].mean(axis=0)
    places = np.concatenate([(m.line.quad - start) @ longer.direction for m in pieces])
    quad = mrz_zone.stretched(longer.quad, float(places.min()), float(places.max()))
    return Line(quad=quad, score=min(m.line.score for m in pieces))


def turned_along(line: Line, direction: NDArray[np.float32]) -> Line:
    return line if float(line.direction @ direction) > 0 else Line(quad=text_lines.reversed_quad(line.quad), score=line.score)
