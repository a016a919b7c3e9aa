"""Find the spread of a Russian internal passport on a photo: its numbers, dates and code, how each page lies, its rows.

Nothing is looked for at a fixed place. The two red numbers, the dates and the code can be told by what they say; they
place each of the two pages by itself (a spread is never flat), and the rows of the names, the place of birth and the
issuer are then the printed lines nearest to where they must be. What the rows say is read in `russian.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents import lines as text_lines
from verification.documents import mrz_zone, page
from verification.documents.lines import Letter, Line, Pixels, Quad

CYRILLIC: Final = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
SIGNS: Final = ' .,-/№"()'
_FIGURES: Final = str.maketrans("ОЗІ", "031")  # what a figure may be taken for among letters
_DATE: Final = re.compile(r"(?<!\d)\d\d[., -]{0,2}\d\d[., -]{0,2}\d{4}(?!\d)")
_CODE: Final = re.compile(r"(?<!\d)\d{3} ?[-.] ?\d{3}(?!\d)")
_FIRST_YEAR: Final = 1600  # own choice: specimens are made out for people of history
_SHORT: Final = 13.0  # heights: a date alone is 5 to 9 long
_FIGURED: Final = 5  # figures among its letters that make a short line worth both networks' reading for figures alone
_WEAK: Final = 0.3  # least odds of a figure that is taken at all
_PLAIN: Final = 0.9  # odds of every figure in both readings above which two marks say which way up the page is
_FOLD: Final = 0.5  # of the spread's height: above it page 2, below it page 3
_VALUE_HEIGHT: Final = (0.68, 1.75)  # of a date's: labels are printed 0.45 to 0.65 as high, signatures higher
_SQUEEZED: Final = 0.12  # of the scale: the usual difference of a page's two scales, held at an angle
_PITCH: Final = 0.037  # of the spread's height: from one row to the next
_NEAR: Final = 0.013  # of the spread's height: a line farther from a row does not speak for it
_FAR_FROM_NUMBER: Final = 1.4  # lengths of a number (39 mm): half-way between both dates' distances from it
_OTHER_SCALE: Final = 1.35  # times larger or smaller than the numbers say: a page held at an angle differs by less
_NEXT_PAGE: Final = 8.0  # heights of a date: that of the birth stands some 18 below the code, print on the same page up to 5
_HALF_ROW: Final = 0.011  # of the spread's height: half a letter and the play of a row

Point = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mark:
    """A number, date or code: its figures alone, the least odds of one, whether two networks read the same, its line."""

    text: str
    chance: float
    line: Line
    agreed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Marks:
    """What places the spread: the reading direction, the vertical numbers, the dates and the code."""

    direction: Floats
    numbers: tuple[Mark, ...]  # from top to bottom of the spread; ten figures
    dates: tuple[Mark, ...]  # DDMMYYYY
    codes: tuple[Mark, ...]  # six figures


# ---------------------------------------------------------------- landmarks


def landmarks(picture: Pixels, found: Sequence[Line]) -> Marks | None:
    """Return what places a spread, if anything on the picture says that it is one: its number, or dates and a code."""
    marks = marks_on(picture, found)
    if marks is None or not (marks.numbers or len(marks.dates) + len(marks.codes) >= 2):
        return None
    return marks


def marks_on(picture: Pixels, found: Sequence[Line], *, direction: Floats | None = None) -> Marks | None:
    """Find the vertical numbers, the dates and the unit code; either way up where the direction is not known."""
    if direction is not None:
        return _marks_along(picture, found, direction)
    axis = _main_axis(found)
    if axis is None:
        return None
    upright = _marks_along(picture, found, axis if axis[0] >= 0 else -axis)
    if sum(mark.agreed and mark.chance > _PLAIN for mark in (*upright.numbers, *upright.dates, *upright.codes)) >= 2:
        best = upright  # upside down, no two would read so well
    else:
        both = (upright, _marks_along(picture, found, np.asarray(-upright.direction, np.float32)))
        best = max(both, key=lambda m: (sum(n.chance for n in m.numbers), sum(v.chance for v in (*m.dates, *m.codes))))
    return best if best.numbers or len(best.dates) + len(best.codes) >= 1 else None


def _main_axis(found: Sequence[Line]) -> Floats | None:
    """Return the direction in which most print runs (either sign), weighted by length."""
    long = [line for line in found if line.width > 3.5 * line.height]
    if len(long) < 3:
        return None
    angles = np.array([np.arctan2(line.direction[1], line.direction[0]) for line in long])
    weights = np.array([line.width for line in long])
    votes = [float((weights * (np.abs(np.sin(angles - a)) < 0.1)).sum()) for a in angles]
    main = float(angles[int(np.argmax(votes))])
    near = np.abs(np.sin(angles - main)) < 0.1
    turn = main + float(np.average(np.arctan(np.tan(angles[near] - main)), weights=weights[near]))
    return np.array([np.cos(turn), np.sin(turn)], np.float32)


def _marks_along(picture: Pixels, found: Sequence[Line], direction: Floats) -> Marks:
    down = np.array([-direction[1], direction[0]], np.float32)
    columns = _columns([line for line in found if line.height > 5 and abs(float(line.direction @ direction)) < 0.25], down)
    numbers = [value for line in columns if (value := _number(picture, line)) is not None]
    numbers.sort(key=lambda v: float(v.line.centre @ down))
    dates: list[Mark] = []
    codes: list[Mark] = []
    for line in found:
        if line.width < 2.2 * line.height or line.height < 5 or abs(float(line.direction @ direction)) < 0.96:
            continue
        line = turned(line, direction)
        for pattern, kept, count in ((_DATE, dates, 8), (_CODE, codes, 6)):
            for part in _parts(picture, line, pattern):
                mark = _figures(picture, part, count)
                if mark is not None:
                    kept.append(mark)
    return Marks(direction=direction, numbers=tuple(numbers), dates=tuple(dates), codes=tuple(codes))


def _parts(picture: Pixels, line: Line, pattern: re.Pattern[str]) -> list[Line]:
    """The parts of a line that say what the pattern wants; the whole of a short one that is mostly figures."""
    seen = text_lines.read_print(picture, line.quad)
    letters = seen.letters(CYRILLIC + text_lines.DIGITS + SIGNS)
    said = "".join(letter.character for letter in letters).translate(_FIGURES)
    parts = [_part(line, letters[match.start()], letters[match.end() - 1]) for match in pattern.finditer(said)]
    if not parts and line.width < _SHORT * line.height and sum(c in text_lines.DIGITS for c in said) >= _FIGURED:
        return [line]
    return parts


def _part(line: Line, first: Letter, last: Letter) -> Line:
    """The part of a line between two letters: it may hold a label or a dotted rule as well."""
    left, right = first.at * line.width - 0.55 * line.height, last.at * line.width + 0.55 * line.height
    if left < 0.5 * line.height and right > line.width - 0.5 * line.height:
        return line
    return Line(quad=mrz_zone.stretched(line.quad, max(0.0, left), min(line.width, right)), score=line.score)


def _figures(picture: Pixels, line: Line, count: int) -> Mark | None:
    """Hear both networks on a line of exactly `count` figures (points, hyphens and spaces between them); None if neither has."""
    heard = []
    for text, chance in (
        text_lines.read_print(picture, line.quad, widths=text_lines.PRINT_WIDTHS).text(text_lines.DIGITS + " .-"),
        text_lines.read_at(picture, line.quad).text(text_lines.DIGITS + " .-,"),
    ):
        figures = re.sub(r"\D", "", text)
        if len(figures) == count and chance > _WEAK and (count != 8 or day(figures) is not None):
            heard.append((chance, figures))
    if not heard:
        return None
    chance, figures = max(heard)
    return Mark(text=figures, chance=chance, line=line, agreed=len(heard) == 2 and heard[0][1] == heard[1][1])


def day(ddmmyyyy: str) -> date | None:
    """Return the day eight figures name, None where there is none or nobody alive was born or given a passport then."""
    if int(ddmmyyyy[4:]) < _FIRST_YEAR:
        return None
    try:
        return date(int(ddmmyyyy[4:]), int(ddmmyyyy[2:4]), int(ddmmyyyy[:2]))
    except ValueError:
        return None


def turned(line: Line, direction: Floats) -> Line:
    """The line, read along `direction`."""
    return line if float(line.direction @ direction) > 0 else Line(quad=text_lines.reversed_quad(line.quad), score=line.score)


def _columns(lines: Sequence[Line], down: Floats) -> list[Line]:
    """Join the pieces of vertical numbers (series, series, number stand far apart), each read downwards."""
    pieces = sorted(
        (turned(line, down) for line in lines if line.width > 1.2 * line.height), key=lambda line: float(line.centre @ down)
    )
    joined: list[Line] = []
    for piece in pieces:
        across = np.array([-down[1], down[0]], np.float32)
        for at, line in enumerate(joined):
            gap = float(piece.quad[[0, 3]].mean(axis=0) @ down - line.quad[[1, 2]].mean(axis=0) @ down)
            aside = abs(float((piece.centre - line.quad[[1, 2]].mean(axis=0)) @ across))
            alike = max(piece.height, line.height) < 1.8 * min(piece.height, line.height)
            if alike and gap < 2.6 * line.height and aside < 0.8 * line.height:
                longer = line if line.width >= piece.width else piece
                joined[at] = Line(quad=hull(longer, (line, piece)), score=min(line.score, piece.score))
                break
        else:
            joined.append(piece)
    return [line for line in joined if 5.0 < line.width / line.height < 22]


def hull(longer: Line, pieces: Sequence[Line]) -> Quad:
    """The place of `longer`, lengthened along itself until it holds all pieces."""
    start = longer.quad[[0, 3]].mean(axis=0)
    places = np.concatenate([(piece.quad - start) @ longer.direction for piece in pieces])
    return mrz_zone.stretched(longer.quad, float(places.min()), float(places.max()))


def _number(picture: Pixels, line: Line) -> Mark | None:
    """Read a vertical number: ten figures or nothing."""
    return _figures(picture, line, 10)


# ---------------------------------------------------------------- placing


@cache
def layout() -> dict[str, Any]:
    """The plan of the spread: `layouts/ru_internal.json`."""
    file = Path(__file__).parent / "layouts" / "ru_internal.json"
    return cast(dict[str, Any], json.loads(file.read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placed:
    """Where the spread, or one page of it, lies: photo = matrix @ (mm right, mm down) + origin. A similarity."""

    matrix: Point  # (2, 2), photo pixels per mm
    origin: Point  # (2,)

    def photo(self, x: float, y: float) -> Point:
        """Fractions of the spread to photo pixels."""
        plan = layout()
        return cast(Point, self.matrix @ np.array([x * plan["width"], y * plan["height"]]) + self.origin)

    def spread(self, point: NDArray[Any]) -> tuple[float, float]:
        """Photo pixels to fractions of the spread."""
        plan = layout()
        mm = np.linalg.solve(self.matrix, np.asarray(point, np.float64) - self.origin)
        return float(mm[0] / plan["width"]), float(mm[1] / plan["height"])

    @property
    def direction(self) -> Floats:
        """Unit vector of the reading direction."""
        right = self.matrix[:, 0]
        return np.asarray(right / max(float(np.linalg.norm(right)), 1e-9), np.float32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pages:
    """The spread as a whole, and each of its pages by itself where its own marks place it (else the same)."""

    whole: Placed
    upper: Placed
    lower: Placed


_Pair = tuple[float, float, NDArray[Any], float, float]  # x, y (fractions), photo point, spread in x and in y


def place(marks: Marks, corners: Quad | None, found: Sequence[Line]) -> Pages | None:
    """Fit the spread to its landmarks (weighted by how far offices stray), or to the zone's guess of its corners."""
    guess = _from_corners(corners) if corners is not None else None
    alone = guess is None and len(marks.numbers) >= 2 and len(marks.dates) == 1 and not marks.codes
    pairs = list(_pairs(marks, guess))
    if alone:  # which of the two days the only date is, its place says: the numbers tell it
        pairs = list(_pairs(marks, _fit(list(_pairs(replace(marks, dates=()), None)), marks.direction)))
    if guess is not None:
        pairs += [(x, y, guess.photo(x, y), 0.01, 0.006) for x, y in ((0.05, 0.93), (0.94, 0.93))]
    if len(pairs) < 2:
        whole = guess if guess is not None or not pairs else _from_birth(marks)
        return None if whole is None else Pages(whole=whole, upper=whole, lower=whole)
    whole = _fit(pairs, marks.direction)
    if whole is None:
        return None
    pages = []
    for low, high in ((-0.2, _FOLD), (_FOLD, 1.2)):
        own = [pair for pair in pairs if low <= pair[1] < high]
        along = _direction([line for line in found if low <= whole.spread(line.centre)[1] < high], marks.direction)
        number = next((m for m in marks.numbers if low <= whole.spread(m.line.centre)[1] < high), None)
        down = number.line.direction if number is not None else None
        pages.append((_fit(own, along, down) if len(own) >= 3 and along is not None else None) or whole)
    return Pages(whole=whole, upper=pages[0], lower=pages[1])


def _pairs(marks: Marks, guess: Placed | None) -> Iterable[_Pair]:
    where = layout()["landmarks"]
    for value, name in _named_numbers(marks.numbers, marks, guess):
        mark = where[name]
        for y, end in ((mark["top"], [0, 3]), (mark["bottom"], [1, 2])):
            yield mark["x"], y, value.line.quad[end].mean(axis=0), mark["spread_x"], mark["spread_y"]
    for value, name in named_dates(marks, guess):
        mark = where[name]
        yield mark["x"], mark["y"], value.line.centre, mark["spread_x"], mark["spread_y"]


def _direction(found: Sequence[Line], near: Floats) -> Floats | None:
    """The direction in which these lines run, those about along `near` alone, weighted by length."""
    long = [turned(line, near) for line in found if line.width > 3.5 * line.height and abs(float(line.direction @ near)) > 0.97]
    if len(long) < 2:
        return None
    total = np.sum([line.direction * line.width for line in long], axis=0)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-6), np.float32)


def _from_birth(marks: Marks) -> Placed | None:
    """Place the spread by the date of birth alone, its ten characters taken for the scale: page 3 cropped to its text."""
    if len(marks.dates) != 1 or marks.codes or marks.numbers:
        return None
    plan, birth = layout(), marks.dates[0].line
    scale = birth.width / plan["date_width"]
    d = np.asarray(marks.direction, np.float64)
    matrix = np.stack([d * scale, np.array([-d[1], d[0]]) * scale], axis=1)
    mark = plan["landmarks"]["date_of_birth"]
    origin = np.asarray(birth.centre, np.float64) - matrix @ np.array([mark["x"] * plan["width"], mark["y"] * plan["height"]])
    return Placed(matrix=matrix, origin=origin)


def _named_numbers(numbers: Sequence[Mark], marks: Marks, guess: Placed | None) -> list[tuple[Mark, str]]:
    if len(numbers) >= 2:
        return [(numbers[0], "number_upper"), (numbers[-1], "number_lower")]
    if len(numbers) == 1:
        if guess is not None:
            upper = guess.spread(numbers[0].line.centre)[1] < _FOLD
        else:  # the code and the date of issue stand beside the upper number, the date of birth beside the lower
            down = np.array([-marks.direction[1], marks.direction[0]], np.float32)
            reach = 0.6 * numbers[0].line.width
            beside = [m for m in marks.dates if abs(float((m.line.centre - numbers[0].line.centre) @ down)) < reach]
            upper = (
                any(_on_page_two(date, marks) for date in beside)
                if beside
                else bool(marks.codes)
                and abs(float((marks.codes[0].line.centre - numbers[0].line.centre) @ down)) < numbers[0].line.width
            )
        return [(numbers[0], "number_upper" if upper else "number_lower")]
    return []


def _on_page_two(date: Mark, marks: Marks) -> bool | None:
    """Whether a date stands as far from the column of the numbers as that of the issue (84 mm); that of the birth is at 29 mm.

    None where no number was read. No print but the date's own place tells whose page it is on where the other date is hidden.
    """
    if not marks.numbers:
        return None
    ratios = [
        abs(float((number.line.centre - date.line.centre) @ marks.direction)) / number.line.width for number in marks.numbers
    ]
    return float(np.median(ratios)) > _FAR_FROM_NUMBER


def _in_one_row(code: Mark, date: Mark, down: Floats) -> bool:
    return abs(float((date.line.centre - code.line.centre) @ down)) < 2.0 * date.line.height


def fits_its_numbers(marks: Marks, pages: Pages) -> bool:
    """Whether each page is placed at the scale that the red numbers are printed in: else a mark was taken for another."""
    plan = layout()
    mark = plan["landmarks"]["number_lower"]
    long = (mark["bottom"] - mark["top"]) * plan["height"]
    return all(
        1 / _OTHER_SCALE < float(np.linalg.norm(placed.matrix[:, 1])) * long / number.line.width < _OTHER_SCALE
        for number in marks.numbers
        for placed in (pages.upper, pages.lower)
    )


def has_date_beside(code: Mark, marks: Marks) -> bool:
    """Whether a date stands in a code's row, as that of the issue does: else a stamp, or a row of the place, was read as one."""
    down = np.array([-marks.direction[1], marks.direction[0]], np.float32)
    return any(_in_one_row(code, date, down) for date in marks.dates)


def named_dates(marks: Marks, guess: Placed | None) -> list[tuple[Mark, str]]:
    """Tell issue from birth: by the numbers' column, or the code in the row of the issue; else the upper of two is the issue.

    What can be neither is left out: a code or a date that stands elsewhere is a stamp's, or was misread.
    """
    down = np.array([-marks.direction[1], marks.direction[0]], np.float32)

    def below(one: Mark, other: Mark) -> float:
        return float((one.line.centre - other.line.centre) @ down)

    dates = sorted(marks.dates, key=lambda v: float(v.line.centre @ down))
    codes = [c for c in marks.codes if len(marks.numbers) < 2 or below(marks.numbers[-1], c) > below(c, marks.numbers[0])]
    issued = [d for d in dates if _on_page_two(d, marks) is not False]
    pairs = [(c, d) for c in codes for d in issued if _in_one_row(c, d, down)]
    code: Mark | None = None
    issue: Mark | None = None
    if pairs:
        code, issue = max(pairs, key=lambda pair: (pair[0].agreed, pair[0].chance))
    elif issued and marks.numbers:
        issue = issued[0]
    elif codes:
        code = max(codes, key=lambda one: (one.agreed, one.chance))
    elif issued and (len(dates) >= 2 or (guess is not None and guess.spread(issued[0].line.centre)[1] < 0.45)):
        issue = issued[0]
    born = [d for d in dates if d is not issue and not _on_page_two(d, marks)]
    if code is not None:
        born = [d for d in born if below(d, code) > _NEXT_PAGE * d.line.height]
    if issue is not None:
        born = [d for d in born if below(d, issue) > 0]
    named = [(code, "issuer_code"), (issue, "date_of_issue"), (born[-1] if born else None, "date_of_birth")]
    return [(mark, name) for mark, name in named if mark is not None]


def _fit(pairs: Sequence[_Pair], direction: Floats, down: Floats | None = None) -> Placed | None:
    """Least squares for place and scale, the axes given by the print's own directions; weights from each mark's spread.

    A page seen at an angle is shorter one way, and leans: where the red number says which way is `down` the scales may differ;
    else it is square to the rows, at one scale.
    """
    plan = layout()
    d = np.asarray(direction, np.float64)
    n = np.array([-d[1], d[0]]) if down is None else np.asarray(down, np.float64)
    basis = np.stack([d, n], axis=1)
    if abs(float(np.linalg.det(basis))) < 0.1:  # a number that runs along the rows is none
        return None
    rows, wanted = [], []
    for x, y, point, sx, sy in pairs:
        u, v = np.linalg.solve(basis, np.asarray(point, np.float64))  # photo = basis @ (scale_x * mm_x + u0, scale_y * mm_y + v0)
        sx, sy = sx * plan["width"], sy * plan["height"]
        rows += [[x * plan["width"] / sx, 0.0, 1.0 / sx, 0.0], [0.0, y * plan["height"] / sy, 0.0, 1.0 / sy]]
        wanted += [u / sx, v / sy]
    alike = _SQUEEZED if down is not None else 1e-3
    rows.append([1 / alike, -1 / alike, 0.0, 0.0])  # like the others in pixels for each mm of a mark's spread
    wanted.append(0.0)
    (sx, sy, u0, v0), *_ = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)
    if not (np.isfinite([sx, sy]).all() and min(sx, sy) > 0.3):
        return None
    return Placed(matrix=np.stack([d * sx, n * sy], axis=1), origin=basis @ np.array([u0, v0]))


def _from_corners(corners: Quad) -> Placed:
    """The zone's guess of the page (with its margin) as a placement."""
    plan, m = layout(), page.MARGIN
    right = (corners[1] - corners[0]).astype(np.float64) / (plan["width"] * (1 + 2 * m))
    below = (corners[3] - corners[0]).astype(np.float64) / (plan["height"] * (1 + 2 * m))
    origin = corners[0] + right * plan["width"] * m + below * plan["height"] * m
    return Placed(matrix=np.stack([right, below], axis=1), origin=np.asarray(origin, np.float64))


def corners_of(placed: Placed) -> Quad:
    """The spread's corners on the photo, margin included, from its own top left, clockwise."""
    m = page.MARGIN
    return np.array([placed.photo(x, y) for x, y in ((-m, -m), (1 + m, -m), (1 + m, 1 + m), (-m, 1 + m))], np.float32)


# ---------------------------------------------------------------- rows


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """One row of a field: the lines marked there as one, and how far its field may reach to both sides (pixels more)."""

    line: Line
    before: float
    behind: float
    at: int  # which of the field's rows, from 0
    off: float  # from the middle of its planned place, as a share of the distance of two rows
    whole: bool  # every row that the field may have lies on the photo
    marked: bool = True  # False: nothing was marked there as a line, but a larger mark lies over its place


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Half:
    """One page's rows: where they lie, which are expected how far below the date's row, and the lines that may stand in them."""

    placed: Placed
    anchor: float  # of the spread's height: the row of the page's date
    expected: tuple[tuple[str, int, float], ...]  # field, which of its rows, offset from the date's row
    values: tuple[_Value, ...]
    squeeze: float  # how much nearer to each other than planned
    shift: float  # how much lower

    def y(self, offset: float) -> float:
        """Where a row stands, of the spread's height."""
        return self.anchor + self.shift + self.squeeze * offset


def _halves(found: Sequence[Line], marks: Marks, pages: Pages) -> tuple[float, list[_Half]]:
    """Both pages with the places of their rows, and the height of a value's line."""
    plan = layout()
    named = {name: mark for mark, name in named_dates(marks, pages.whole)}
    tall = float(np.median([mark.line.height for mark in named.values()])) if named else _usual_height(pages)
    halves = []
    for placed, anchors, group in (
        (pages.upper, ("date_of_issue", "issuer_code"), plan["below_issue"]),
        (pages.lower, ("date_of_birth",), plan["below_birth"]),
    ):
        anchor = next((placed.spread(named[n].line.centre)[1] for n in anchors if n in named), plan["landmarks"][anchors[0]]["y"])
        expected = tuple((name, at, offset) for name, ys in group.items() for at, (offset, _) in enumerate(ys) if name != "sex")
        values = [value for line in found if (value := _value(turned(line, placed.direction), placed, tall)) is not None]
        values = [replace(value, y=value.y - anchor) for value in values]
        squeeze, shift = _best_rows(values, expected)
        halves.append(_Half(placed=placed, anchor=anchor, expected=expected, values=tuple(values), squeeze=squeeze, shift=shift))
    return tall, halves


def rows(found: Sequence[Line], marks: Marks, pages: Pages, size: tuple[int, int]) -> dict[str, list[Row]]:
    """Sort the spread's lines into its rows, top to bottom: each line to the nearest row, labels (small print) left out.

    `size`: width and height of the photo.
    """
    plan = layout()
    result: dict[str, list[Row]] = {}
    tall, halves = _halves(found, marks, pages)
    for half in halves:
        taken: dict[tuple[str, int], list[tuple[float, Line]]] = {}
        for value in half.values:
            off, key = _nearest(value, half.expected, half.squeeze, half.shift)
            if key is not None:
                taken.setdefault(key, []).append((off, value.line))
        for key in sorted(key for key in taken if key[0] != "title"):
            nearest = sorted(taken[key], key=lambda one: one[0])
            pieces = _of_one_row([line for _, line in nearest], half.placed, tall)
            low = half.y(max(offset for name, _, offset in half.expected if name == key[0]))
            whole = all(_on_photo(half.placed.photo(x, low), size) for x in plan["reach"][key[0]])
            row = _row(pieces, half.placed, plan["reach"][key[0]], key[1])
            result.setdefault(key[0], []).append(replace(row, off=nearest[0][0] / _PITCH, whole=whole))
        large = [line.quad for line in found if line.height > _VALUE_HEIGHT[1] * tall]
        for name, at, offset in half.expected:
            if name in _OF_SEVERAL and name in result and (name, at) not in taken:
                left, right = plan["reach"][name]
                quad = _block(half.placed, left, right, half.y(offset))
                if _overlap(quad, large) >= _LAID_OVER:
                    line = Line(quad=quad, score=0.0)
                    result[name].append(Row(line=line, before=0.0, behind=0.0, at=at, off=1.0, whole=False, marked=False))
                    result[name].sort(key=lambda row: row.at)
    return result


_OF_SEVERAL: Final = ("issuer", "place_of_birth")  # values of several rows
_LAID_OVER: Final = 0.25  # share of a row's place within a mark that is too large for one: a stamp and what it lies over


def _overlap(row: Quad, marks: Sequence[Quad]) -> float:
    """The share of a row's middle that lies within any of these."""
    along = np.linspace((row[0] + row[3]) / 2, (row[1] + row[2]) / 2, 17)
    inside = [any(cv2.pointPolygonTest(mark, (float(x), float(y)), False) >= 0 for mark in marks) for x, y in along]
    return float(np.mean(inside))


def places(found: Sequence[Line], marks: Marks, pages: Pages) -> dict[str, list[Quad]]:
    """Where each value of the spread stands, in reading direction: as planned, or where its mark was read."""
    plan, named = layout(), {name: mark.line.quad for mark, name in named_dates(marks, pages.whole)}
    named |= {name: mark.line.quad for mark, name in _named_numbers(marks.numbers, marks, pages.whole)}
    result: dict[str, list[Quad]] = {}
    for half in _halves(found, marks, pages)[1]:
        for name, _, offset in half.expected:
            if name != "title":
                left, right = plan["reach"][name]
                result.setdefault(name, []).append(_block(half.placed, left, right, half.y(offset)))
    for name, mark in plan["landmarks"].items():
        upper = mark.get("y", mark.get("top", 0.0)) < _FOLD
        placed = pages.upper if upper else pages.lower
        if "y" in mark:
            wide = plan["date_width"] / plan["width"] * (1.0 if "date" in name else 0.7)
            quad = _block(placed, mark["x"] - wide / 2, mark["x"] + wide / 2, mark["y"])
        else:
            x, half_wide = mark["x"], _HALF_ROW * plan["height"] / plan["width"]
            corners = ((x + half_wide, "top"), (x + half_wide, "bottom"), (x - half_wide, "bottom"), (x - half_wide, "top"))
            quad = np.asarray(np.array([placed.photo(at, mark[end]) for at, end in corners]), np.float32)
        result[name] = [named.get(name, quad)]
    return result


def _block(placed: Placed, left: float, right: float, y: float) -> Quad:
    corners = ((left, y - _HALF_ROW), (right, y - _HALF_ROW), (right, y + _HALF_ROW), (left, y + _HALF_ROW))
    return np.asarray(np.array([placed.photo(*corner) for corner in corners]), np.float32)


def _on_photo(point: Point, size: tuple[int, int]) -> bool:
    return bool(0 <= point[0] <= size[0] and 0 <= point[1] <= size[1])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Value:
    """A line of a value's height: where its ends stand across the spread, and its middle down it (below the date's row)."""

    line: Line
    left: float
    right: float
    y: float


def _value(line: Line, placed: Placed, tall: float) -> _Value | None:
    if float(line.direction @ placed.direction) < 0.96 and line.width > 2.5 * line.height:
        return None
    if not _VALUE_HEIGHT[0] * tall < line.height < _VALUE_HEIGHT[1] * tall:
        return None
    left, right = (placed.spread(line.quad[list(ends)].mean(axis=0))[0] for ends in ((0, 3), (1, 2)))
    return _Value(line=line, left=left, right=right, y=placed.spread(line.centre)[1])


def _best_rows(values: Sequence[_Value], expected: Sequence[tuple[str, int, float]]) -> tuple[float, float]:
    """How much nearer to each other (1.0: not) and lower the rows are than planned, by which most lines stand in a row.

    A page bent or held at an angle is foreshortened, and a printer sets all rows of a page a little high or low.
    """
    best = (-1.0, 1.0, 0.0)
    for squeeze in np.arange(0.76, 1.2, 0.04).tolist():
        for shift in np.arange(-0.009, 0.01, 0.003).tolist():
            met = sum(max(0.0, 1 - (_nearest(value, expected, squeeze, shift)[0] / _NEAR) ** 2) for value in values)
            score = met - 1.5 * abs(squeeze - 1) - 15 * abs(shift)
            if score > best[0]:
                best = (score, squeeze, shift)
    return best[1], best[2]


def _nearest(
    value: _Value, expected: Sequence[tuple[str, int, float]], squeeze: float, shift: float
) -> tuple[float, tuple[str, int] | None]:
    """The row a line stands in and how far from its middle (of the spread's height); 1.0 and None where in none."""
    plan = layout()
    best: tuple[float, tuple[str, int] | None] = (1.0, None)
    for name, at, offset in expected:
        low, high = plan["reach"][name]
        off = abs(value.y - shift - squeeze * offset)
        within = value.right <= high + 0.03 and (value.left + value.right) / 2 >= low + 0.02
        if within and off <= plan["row_tolerance"] * squeeze and off < best[0]:
            best = (off, (name, at))
    return best


def _of_one_row(lines: Sequence[Line], placed: Placed, tall: float) -> list[Line]:
    """Of lines nearest to one row, best first: those beside the best one, not the ones above or below it."""
    across = np.array([-placed.direction[1], placed.direction[0]], np.float32)
    return [line for line in lines if abs(float((line.centre - lines[0].centre) @ across)) < 0.5 * tall]


def sex_place(marks: Marks, pages: Pages) -> Line | None:
    """The place left of the date of birth where the sex stands: the short word is often marked together with its label."""
    birth = next((mark for mark, name in named_dates(marks, pages.whole) if name == "date_of_birth"), None)
    if birth is None:
        return None
    placed, plan = pages.lower, layout()
    y = placed.spread(birth.line.centre)[1]
    half = birth.line.height / (2 * plan["height"] * float(np.linalg.norm(placed.matrix[:, 1])))
    right = min(plan["reach"]["sex"][1], placed.spread(birth.line.quad[0])[0] - 0.09)
    left = plan["reach"]["sex"][0]
    quad = np.array([placed.photo(*at) for at in ((left, y - half), (right, y - half), (right, y + half), (left, y + half))])
    return Line(quad=np.asarray(quad, np.float32), score=0.0)


def _usual_height(pages: Pages) -> float:
    return 0.02 * float(layout()["height"]) * float(np.linalg.norm(pages.whole.matrix[:, 1]))


def _row(pieces: Sequence[Line], placed: Placed, reach: tuple[float, float], at: int) -> Row:
    longest = max(pieces, key=lambda line: line.width)
    line = Line(quad=hull(longest, pieces), score=min(piece.score for piece in pieces))
    mm = float(np.linalg.norm(placed.matrix[:, 0])) * float(layout()["width"])  # pixels of the spread's width
    left, right = placed.spread(line.quad[[0, 3]].mean(axis=0))[0], placed.spread(line.quad[[1, 2]].mean(axis=0))[0]
    return Row(
        line=line, before=max(0.0, (left - reach[0]) * mm), behind=max(0.0, (reach[1] - right) * mm), at=at, off=0.0, whole=True
    )
