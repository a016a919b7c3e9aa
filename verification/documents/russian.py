"""Read the Russian pages: the internal passport's spread, and the Cyrillic names of the passport for travel.

The Latin network knows no Cyrillic, so Cyrillic lines go to Tesseract, all crops of a page in one start. The red
vertical number, dates and unit code are read by the network with digits only. The number stands on both pages: two
prints that agree make it certain. One reading of Cyrillic print is never certain; a zone is the second.
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

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from verification import ocr
from verification.documents import lines as text_lines
from verification.documents import mrz_zone, page
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.viz import Printed
from verification.evidence import Box, DocumentReading, DocumentType, Field, FieldReading, Source
from verification.names import compare
from verification.reasons import ReasonCode

_CYRILLIC: Final = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
_FROM_LATIN: Final = str.maketrans("ABEKMHOPCTYX", "АВЕКМНОРСТУХ")
_NAMES: Final = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)
_DATE: Final = re.compile(r"^(\d{2})[.,]\s?(\d{2})[.,]\s?(\d{4})$")
_CODE: Final = re.compile(r"^(\d{3})\s?[-–—.]?\s?(\d{3})$")
_CLEAR: Final = 0.8  # Tesseract's confidence in a word that it reads without a wrong letter, mostly
_MOST_READ: Final = 24  # short lines read while looking for dates and the code

Point = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spread:
    """A reading of an internal passport without a zone, and how it lies."""

    reading: DocumentReading
    quarter_turns: int
    corners: Quad


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Value:
    """A value read by the network: its text, least odds, and line."""

    text: str
    chance: float
    line: Line


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Landmarks:
    """What places the spread: the reading direction, the vertical numbers, the dates and the code."""

    direction: NDArray[np.float32]
    numbers: tuple[_Value, ...]  # from top to bottom of the spread
    dates: tuple[_Value, ...]
    codes: tuple[_Value, ...]


# ---------------------------------------------------------------- the spread without a zone


def read_spread(image: Pixels, found: Sequence[Line], *, today: date) -> Spread | None:
    """Read an internal passport that has no (readable) zone; None where nothing shows that it is one."""
    marks = _landmarks(image, found)
    if marks is None:
        return None
    placed = _place(marks, None)
    if placed is None:
        return None
    fields = _page_fields(image, found, marks, placed, today=today)
    if not _is_passport(fields, alone=len(marks.dates) + len(marks.codes) + len(marks.numbers) == 1):
        return None
    corners = _corners(placed)
    height, width = image.shape[:2]
    reading = DocumentReading(
        document_type=DocumentType.RU_INTERNAL,
        country="RUS",
        fields=fields,
        portrait=page.portrait_box(DocumentType.RU_INTERNAL, corners, width, height),
        problems=tuple(_problems(fields, corners, width, height)),
    )
    return Spread(reading=reading, quarter_turns=page.quarter_turns(marks.direction), corners=corners)


def _is_passport(fields: dict[Field, FieldReading], *, alone: bool) -> bool:
    """The number with any date or code, or dates with a name in Cyrillic: nothing else looks like this.

    `alone`: one date was all that placed the page (page 3 without its edges); then everything beside it must be there.

    Passports are given from the age of 14 (facts 3.3), so other papers' and screens' dates fail here.
    """
    dated = [f for f in (Field.DATE_OF_BIRTH, Field.ISSUED_ON, Field.ISSUER_CODE) if f in fields]
    named = [f for f in _NAMES if f in fields]
    if Field.DATE_OF_BIRTH in fields and Field.ISSUED_ON in fields:
        birth, issue = (date.fromisoformat(fields[f].value) for f in (Field.DATE_OF_BIRTH, Field.ISSUED_ON))
        if issue.year - birth.year < 14:
            return False
    if alone and Field.DOCUMENT_NUMBER not in fields:
        return len(named) == 3 and Field.SEX in fields and Field.PLACE_OF_BIRTH in fields
    return (
        (Field.DOCUMENT_NUMBER in fields and bool(dated or named))
        or (len(dated) >= 2 and bool(named))
        or (bool(dated) and len(named) == 3)
    )


def _problems(fields: dict[Field, FieldReading], corners: Quad, width: int, height: int) -> Iterable[ReasonCode]:
    if page.outside(corners, width, height) > 0.25:
        yield ReasonCode.DOCUMENT_CUT_OFF
    number = fields.get(Field.DOCUMENT_NUMBER)
    surname = fields.get(Field.SURNAME)
    if (number and number.value.endswith("000000")) or (surname and surname.value in ("ИМЯРЕК", "ОБРАЗЕЦ")):
        yield ReasonCode.DOCUMENT_IS_SPECIMEN


# ---------------------------------------------------------------- the spread with a zone


def with_page(
    picture: Pixels,
    corners: Quad,
    fields: dict[Field, FieldReading],
    found: Sequence[Line],
    *,
    direction: NDArray[np.float32],
    today: date,
) -> tuple[dict[Field, FieldReading], bool]:
    """Add what the printed pages say to the zone's `fields`; the flag says whether the two contradict each other.

    A value that both say becomes "both"; what only the page says is added. The zone's letters win where they differ,
    but then nothing about that field is certain.
    """
    marks = _landmarks(picture, found, direction=direction)
    if marks is None:
        return fields, False
    placed = _place(marks, corners)
    if placed is None:
        return fields, False
    printed = _page_fields(picture, found, marks, placed, today=today)
    together, contradiction = dict(fields), False
    for name, seen in printed.items():
        own = fields.get(name)
        if own is None:
            together[name] = seen
        elif _same(name, own.value, seen.value):
            sure = own.certain or (seen.certain and own.value == seen.value)
            together[name] = replace(own, source=Source.BOTH, confidence=max(own.confidence, 0.98), certain=sure, box=seen.box)
        elif seen.certain or _another_name(name, seen, fields):  # two readers of the page, or a wholly other name
            contradiction = True
            together[name] = replace(own, certain=False, confidence=min(own.confidence, 0.5))
    return together, contradiction


def _same(name: Field, a: str, b: str) -> bool:
    return a == b or (name in _NAMES and a.replace("Ё", "Е").replace("-", " ") == b.replace("Ё", "Е").replace("-", " "))


def _another_name(name: Field, seen: FieldReading, fields: dict[Field, FieldReading]) -> bool:
    """Whether the page shows a name that no misreading makes of the zone's, nor of any other of its names (a row astray).

    Tesseract alone reads Cyrillic print: a letter or two of difference are its own, so those count for nothing.
    """
    if name not in _NAMES or seen.confidence < _CLEAR or len(seen.value) < 4:
        return False
    own = [fields[n].value.replace("Ё", "Е") for n in _NAMES if n in fields]
    value = seen.value.replace("Ё", "Е")
    return all(
        Levenshtein.distance(value, other) > 0.4 * max(len(value), len(other)) and value not in other and other not in value
        for other in own
    )


# ---------------------------------------------------------------- finding


def landmarks(picture: Pixels, found: Sequence[Line]) -> _Landmarks | None:
    """Return what places a spread, if anything on the picture says that it is one: its number, or dates and a code."""
    marks = _landmarks(picture, found)
    if marks is None or not (marks.numbers or len(marks.dates) + len(marks.codes) >= 2):
        return None
    return marks


def _landmarks(picture: Pixels, found: Sequence[Line], *, direction: NDArray[np.float32] | None = None) -> _Landmarks | None:
    """Find the vertical numbers, the dates and the unit code; either way up where the direction is not known."""
    if direction is not None:
        return _marks_along(picture, found, direction)
    axis = _main_axis(found)
    if axis is None:
        return None
    both = [_marks_along(picture, found, sign * axis) for sign in (1, -1)]
    best = max(both, key=lambda m: (sum(n.chance for n in m.numbers), sum(v.chance for v in (*m.dates, *m.codes))))
    return best if best.numbers or len(best.dates) + len(best.codes) >= 1 else None


def _main_axis(found: Sequence[Line]) -> NDArray[np.float32] | None:
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


def _marks_along(picture: Pixels, found: Sequence[Line], direction: NDArray[np.float32]) -> _Landmarks:
    down = np.array([-direction[1], direction[0]], np.float32)
    columns = _columns([line for line in found if line.height > 5 and abs(float(line.direction @ direction)) < 0.25], down)
    numbers = [value for line in columns if (value := _number(picture, line)) is not None]
    numbers.sort(key=lambda v: float(v.line.centre @ down))
    dates, codes = [], []
    short = [line for line in found if 3.0 < line.width / line.height < 13 and abs(float(line.direction @ direction)) > 0.96]
    short.sort(key=lambda line: -line.score)
    long = [line for line in found if 5.6 < line.width / line.height < 28 and abs(float(line.direction @ direction)) > 0.96]
    inside = [part for line in long[:_MOST_READ] for part in _digit_parts(picture, _turned(line, direction))]
    for line in [*short[:_MOST_READ], *inside]:
        value = _read(picture, _turned(line, direction), text_lines.DIGITS + ".-, ")
        text = value.text.strip(" -.,")
        if _DATE.match(text.replace(" ", "")):
            dates.append(replace(value, text=text.replace(" ", "").replace(",", ".")))
        elif _CODE.match(text.replace(" ", "")) and value.chance > 0.5:
            codes.append(replace(value, text=text.replace(" ", "")))
    return _Landmarks(direction=direction, numbers=tuple(numbers), dates=tuple(dates), codes=tuple(codes))


def _digit_parts(picture: Pixels, line: Line) -> list[Line]:
    """Cut dates and codes out of a line that the detector joined with a label or a dotted rule."""
    reading = text_lines.read_at(picture, line.quad)
    parts = []
    for start, end in reading.spans(text_lines.DIGITS + ".,-", 6):
        left, right = start * line.width - 0.8 * line.height, end * line.width + 0.4 * line.height
        if right - left < 0.85 * line.width:
            parts.append(Line(quad=mrz_zone.stretched(line.quad, max(0.0, left), min(line.width, right)), score=line.score))
    return parts


def _turned(line: Line, direction: NDArray[np.float32]) -> Line:
    return line if float(line.direction @ direction) > 0 else Line(quad=text_lines.reversed_quad(line.quad), score=line.score)


def _read(picture: Pixels, line: Line, alphabet: str) -> _Value:
    text, chance = text_lines.read_at(picture, line.quad).text(alphabet)
    return _Value(text=text, chance=chance, line=line)


def _columns(lines: Sequence[Line], down: NDArray[np.float32]) -> list[Line]:
    """Join the pieces of vertical numbers (series, series, number stand far apart), each read downwards."""
    pieces = sorted(
        (_turned(line, down) for line in lines if line.width > 1.2 * line.height), key=lambda line: float(line.centre @ down)
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
                joined[at] = Line(quad=_hull(longer, (line, piece)), score=min(line.score, piece.score))
                break
        else:
            joined.append(piece)
    return [line for line in joined if 5.0 < line.width / line.height < 22]


def _hull(longer: Line, pieces: Sequence[Line]) -> Quad:
    start = longer.quad[[0, 3]].mean(axis=0)
    places = np.concatenate([(piece.quad - start) @ longer.direction for piece in pieces])
    return mrz_zone.stretched(longer.quad, float(places.min()), float(places.max()))


def _number(picture: Pixels, line: Line) -> _Value | None:
    """Read a vertical number: ten digits or nothing."""
    value = _read(picture, line, text_lines.DIGITS + " ")
    digits = value.text.replace(" ", "")
    return replace(value, text=digits) if len(digits) == 10 and value.chance > 0.3 else None


# ---------------------------------------------------------------- placing


@cache
def _layout() -> dict[str, Any]:
    file = Path(__file__).parent / "layouts" / "ru_internal.json"
    return cast(dict[str, Any], json.loads(file.read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Placed:
    """Where the spread lies: photo = matrix @ (mm right, mm down) + origin. A similarity; small perspective remains."""

    matrix: Point  # (2, 2), photo pixels per mm
    origin: Point  # (2,)

    def photo(self, x: float, y: float) -> Point:
        """Fractions of the spread to photo pixels."""
        plan = _layout()
        return cast(Point, self.matrix @ np.array([x * plan["width"], y * plan["height"]]) + self.origin)

    def spread(self, point: NDArray[np.float32]) -> tuple[float, float]:
        """Photo pixels to fractions of the spread."""
        plan = _layout()
        mm = np.linalg.solve(self.matrix, np.asarray(point, np.float64) - self.origin)
        return float(mm[0] / plan["width"]), float(mm[1] / plan["height"])


def _place(marks: _Landmarks, corners: Quad | None) -> _Placed | None:
    """Fit the spread to its landmarks (weighted by how far offices stray), or to the zone's guess of its corners."""
    plan = _layout()
    where = plan["landmarks"]
    pairs: list[tuple[float, float, NDArray[np.float32], float, float]] = []  # x, y (fractions), photo point, spreads
    guess = _from_corners(corners) if corners is not None else None
    for value, name in _named_numbers(marks.numbers, marks, guess):
        mark = where[name]
        for y, end in ((mark["top"], [0, 3]), (mark["bottom"], [1, 2])):
            pairs.append((mark["x"], y, value.line.quad[end].mean(axis=0), mark["spread_x"], mark["spread_y"]))
    for value, name in _named_dates(marks, guess):
        mark = where[name]
        pairs.append((mark["x"], mark["y"], value.line.centre, mark["spread_x"], mark["spread_y"]))
    if guess is not None:
        for x, y in ((0.05, 0.93), (0.94, 0.93)):
            pairs.append((x, y, guess.photo(x, y).astype(np.float32), 0.01, 0.006))
    if len(pairs) < 2:
        return guess if guess is not None or not pairs else _from_birth(marks)
    return _fit(pairs, marks.direction)


def _from_birth(marks: _Landmarks) -> _Placed | None:
    """Place the spread by the date of birth alone, its ten characters taken for the scale: page 3 cropped to its text."""
    if len(marks.dates) != 1 or marks.codes or marks.numbers:
        return None
    plan, birth = _layout(), marks.dates[0].line
    scale = birth.width / plan["date_width"]
    d = np.asarray(marks.direction, np.float64)
    matrix = np.stack([d * scale, np.array([-d[1], d[0]]) * scale], axis=1)
    mark = plan["landmarks"]["date_of_birth"]
    origin = np.asarray(birth.centre, np.float64) - matrix @ np.array([mark["x"] * plan["width"], mark["y"] * plan["height"]])
    return _Placed(matrix=matrix, origin=origin)


def _named_numbers(numbers: Sequence[_Value], marks: _Landmarks, guess: _Placed | None) -> list[tuple[_Value, str]]:
    if len(numbers) >= 2:
        return [(numbers[0], "number_upper"), (numbers[-1], "number_lower")]
    if len(numbers) == 1:
        if guess is not None:
            upper = guess.spread(numbers[0].line.centre)[1] < 0.5
        else:  # the code and the date of issue stand beside the upper number, the date of birth beside the lower
            down = np.array([-marks.direction[1], marks.direction[0]], np.float32)
            upper = (
                bool(marks.codes)
                and abs(float((marks.codes[0].line.centre - numbers[0].line.centre) @ down)) < numbers[0].line.width
            )
        return [(numbers[0], "number_upper" if upper else "number_lower")]
    return []


def _named_dates(marks: _Landmarks, guess: _Placed | None) -> list[tuple[_Value, str]]:
    """Tell issue from birth: the code stands in the row of the issue; without a code the upper of two is the issue."""
    down = np.array([-marks.direction[1], marks.direction[0]], np.float32)
    named: list[tuple[_Value, str]] = []
    dates = sorted(marks.dates, key=lambda v: float(v.line.centre @ down))
    code = marks.codes[0] if marks.codes else None
    issue = None
    if code is not None:
        named.append((code, "issuer_code"))
        issue = next((d for d in dates if abs(float((d.line.centre - code.line.centre) @ down)) < 2.0 * d.line.height), None)
    elif len(dates) >= 2 or (dates and guess is not None and guess.spread(dates[0].line.centre)[1] < 0.45):
        issue = dates[0]
    if issue is not None:
        named.append((issue, "date_of_issue"))
    rest = [d for d in dates if d is not issue]
    if rest:
        named.append((rest[-1], "date_of_birth"))
    return named


def _fit(
    pairs: Sequence[tuple[float, float, NDArray[np.float32], float, float]], direction: NDArray[np.float32]
) -> _Placed | None:
    """Least squares for a similarity whose rotation is the print's own direction; weights from each mark's spread."""
    plan = _layout()
    d = np.asarray(direction, np.float64)
    n = np.array([-d[1], d[0]])
    rows, wanted = [], []
    for x, y, point, sx, sy in pairs:
        mm = np.array([x * plan["width"], y * plan["height"]])
        # photo = scale * (d * mm_x + n * mm_y) + origin; along d and along n separately
        rows.append(np.array([mm[0], 1.0, 0.0]) / (sx * plan["width"]))
        wanted.append(float(d @ point) / (sx * plan["width"]))
        rows.append(np.array([mm[1], 0.0, 1.0]) / (sy * plan["height"]))
        wanted.append(float(n @ point) / (sy * plan["height"]))
    (scale, along, across), *_ = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)
    if not np.isfinite(scale) or scale <= 0.3:
        return None
    return _Placed(matrix=np.stack([d * scale, n * scale], axis=1), origin=d * along + n * across)


def _from_corners(corners: Quad) -> _Placed:
    """The zone's guess of the page (with its margin) as a placement."""
    plan, m = _layout(), page.MARGIN
    right = (corners[1] - corners[0]).astype(np.float64) / (plan["width"] * (1 + 2 * m))
    below = (corners[3] - corners[0]).astype(np.float64) / (plan["height"] * (1 + 2 * m))
    origin = corners[0] + right * plan["width"] * m + below * plan["height"] * m
    return _Placed(matrix=np.stack([right, below], axis=1), origin=np.asarray(origin, np.float64))


def _corners(placed: _Placed) -> Quad:
    m = page.MARGIN
    return np.array([placed.photo(x, y) for x, y in ((-m, -m), (1 + m, -m), (1 + m, 1 + m), (-m, 1 + m))], np.float32)


# ---------------------------------------------------------------- reading the fields


def _page_fields(
    picture: Pixels, found: Sequence[Line], marks: _Landmarks, placed: _Placed, *, today: date
) -> dict[Field, FieldReading]:
    fields: dict[Field, FieldReading] = {}
    named = {name: value for value, name in _named_dates(marks, placed)}
    rows = _rows(found, marks, placed, named)
    crops: list[tuple[str, Line]] = [(name, line) for name, lines in rows.items() for line in lines]
    crops += [(name, value.line) for name, value in named.items()]
    texts = ocr.read_lines([_strip(picture, line) for _, line in crops], language="rus")
    heard: dict[str, list[tuple[ocr.OcrLine, Line]]] = {}
    for (name, line), text in zip(crops, texts, strict=True):
        heard.setdefault(name, []).append((text, line))
    _put_number(fields, marks.numbers)
    _put_dates(fields, named, heard, today=today)
    for name in _NAMES:
        _put_name(fields, name, heard.get(name.value, []))
    _put_lines(fields, Field.PLACE_OF_BIRTH, heard.get("place_of_birth", []))
    _put_lines(fields, Field.ISSUER, heard.get("issuer", []))
    for text, line in heard.get("sex", []):
        letters = _cyrillic(text.text)
        sex = "M" if re.search("МУ|УЖ", letters) else "F" if re.search("ЖЕ|ЕН", letters) else ""
        if sex and Field.SEX not in fields:
            fields[Field.SEX] = FieldReading(
                value=sex, confidence=round(min(0.9, text.confidence), 4), certain=False, source=Source.VIZ, box=_box(line.quad)
            )
    return fields


def _rows(found: Sequence[Line], marks: _Landmarks, placed: _Placed, named: dict[str, _Value]) -> dict[str, list[Line]]:
    """Sort the spread's lines into its rows: each line to the nearest expected row, labels (small print) left out."""
    plan = _layout()
    issue = next(
        (placed.spread(named[n].line.centre)[1] for n in ("date_of_issue", "issuer_code") if n in named),
        plan["landmarks"]["date_of_issue"]["y"],
    )
    birth = (
        placed.spread(named["date_of_birth"].line.centre)[1]
        if "date_of_birth" in named
        else plan["landmarks"]["date_of_birth"]["y"]
    )
    expected = [(name, at, issue + y) for name, ys in plan["below_issue"].items() for at, (y, _) in enumerate(ys)]
    expected += [(name, at, birth + y) for name, ys in plan["below_birth"].items() for at, (y, _) in enumerate(ys)]
    tall = (
        float(np.median([v.line.height for v in named.values()]))
        if named
        else 0.02 * plan["height"] * float(np.linalg.norm(placed.matrix[:, 1]))
    )
    taken: dict[tuple[str, int], tuple[float, Line]] = {}
    for line in mrz_zone.merged([_turned(line, marks.direction) for line in found]):
        if abs(float(line.direction @ marks.direction)) < 0.96 and line.width > 2.5 * line.height:
            continue
        if not 0.62 * tall < line.height < 1.7 * tall:
            continue
        _x, y = placed.spread(line.centre)
        left, right = placed.spread(line.quad[0])[0], placed.spread(line.quad[1])[0]
        for name, at, row in expected:
            low, high = (0.34, 0.53) if name == "sex" else (0.06, 0.99) if name == "issuer" else (0.34, 0.99)
            if abs(y - row) > plan["row_tolerance"] or left < low - 0.03 or right > high:
                continue
            if (name == "issuer" and right < 0.3) or (name not in ("sex", "issuer") and right < 0.475):
                continue  # a label at the left margin
            key, off = (name, at), abs(y - row) - 0.01 * min((right - left) / 0.3, 1.0)
            if key not in taken or off < taken[key][0]:
                taken[key] = (off, line)
    rows: dict[str, list[Line]] = {}
    if "date_of_birth" in named:  # the short word is often marked together with its label: look at its place as well
        half = tall / (2 * plan["height"] * float(np.linalg.norm(placed.matrix[:, 1])))
        left = placed.spread(named["date_of_birth"].line.quad[0])[0]
        corners = ((0.33, -half), (min(0.56, left - 0.09), -half), (min(0.56, left - 0.09), half), (0.33, half))
        place = np.array([placed.photo(x, birth + y) for x, y in corners], np.float32)
        rows["sex"] = [Line(quad=place, score=0.0)]
    used: set[int] = set()
    for (name, _), (_, line) in sorted(taken.items(), key=lambda item: (item[0][0], item[0][1])):
        if id(line) not in used:
            used.add(id(line))
            rows.setdefault(name, []).append(line)
    return rows


def _strip(picture: Pixels, line: Line) -> ocr.Grey:
    """Crop for Tesseract: letters about 32 high, the brightest colour channel (black print stays, coloured lines fade)."""
    quad = mrz_zone.stretched(line.quad, -0.15 * line.height, line.width + 0.15 * line.height)
    strip = text_lines.crop(picture, quad, height=round(ocr.LETTER * 1.6))
    return np.asarray(strip.max(axis=2), np.uint8)


def _put_number(fields: dict[Field, FieldReading], numbers: Sequence[_Value]) -> None:
    if not numbers:
        return
    texts = {value.text for value in numbers}
    best = max(numbers, key=lambda value: value.chance)
    agreed = len(numbers) >= 2 and len(texts) == 1 and min(value.chance for value in numbers) > 0.5
    fields[Field.DOCUMENT_NUMBER] = FieldReading(
        value=best.text,
        confidence=0.99 if agreed else round(min(0.9, best.chance) * (1.0 if len(texts) == 1 else 0.6), 4),
        certain=agreed,
        source=Source.VIZ,
        box=_box(best.line.quad),
    )


def _put_dates(
    fields: dict[Field, FieldReading], named: dict[str, _Value], heard: dict[str, list[tuple[ocr.OcrLine, Line]]], *, today: date
) -> None:
    """Dates and the code: certain where Tesseract, the second reader, read the very same digits."""
    for name, field in (
        ("date_of_birth", Field.DATE_OF_BIRTH),
        ("date_of_issue", Field.ISSUED_ON),
        ("issuer_code", Field.ISSUER_CODE),
    ):
        value = named.get(name)
        if value is None:
            continue
        digits = re.sub(r"\D", "", value.text)
        if field is Field.ISSUER_CODE:
            text = f"{digits[:3]}-{digits[3:]}"
        else:
            day = _day(digits)
            if day is None or day > today:
                continue
            text = day.isoformat()
        second = [re.sub(r"\D", "", line.text) for line, _ in heard.get(name, [])]
        agreed = second == [digits] and value.chance > 0.5
        fields[field] = FieldReading(
            value=text,
            confidence=0.98 if agreed else round(min(0.9, value.chance), 4),
            certain=agreed,
            source=Source.VIZ,
            box=_box(value.line.quad),
        )


def _day(ddmmyyyy: str) -> date | None:
    try:
        return date(int(ddmmyyyy[4:]), int(ddmmyyyy[2:4]), int(ddmmyyyy[:2]))
    except ValueError:
        return None


def _put_name(fields: dict[Field, FieldReading], name: Field, heard: Sequence[tuple[ocr.OcrLine, Line]]) -> None:
    parts = [(_cyrillic(text.text), text.confidence, line) for text, line in heard]
    parts = [part for part in parts if len(part[0]) >= 2]
    if not parts:
        return
    fields[name] = FieldReading(
        value=" ".join(part[0] for part in parts),
        confidence=round(min(0.9, *(part[1] for part in parts)), 4),
        certain=False,
        source=Source.VIZ,
        box=_box(parts[0][2].quad),
    )


def _put_lines(fields: dict[Field, FieldReading], name: Field, heard: Sequence[tuple[ocr.OcrLine, Line]]) -> None:
    """Issuer and place: several lines joined by spaces, capitals, Latin look-alikes of Tesseract's folded back."""
    parts = [(_printed_capitals(text.text), text.confidence, line) for text, line in heard if text.text]
    parts = [part for part in parts if sum(c in _CYRILLIC for c in part[0]) >= 2]
    if not parts:
        return
    first = parts[0][0].split()
    while len(first) > 1 and len(first[0]) <= 2 and "." not in first[0]:
        first = first[1:]  # the end of the label beside the line
    fields[name] = FieldReading(
        value=" ".join([*first, *(part[0] for part in parts[1:])]),
        confidence=round(min(0.85, *(part[1] for part in parts)), 4),
        certain=False,
        source=Source.VIZ,
        box=_box(parts[0][2].quad),
    )


def _cyrillic(text: str) -> str:
    """Letters, hyphens and single spaces of a name, Latin look-alikes as Cyrillic."""
    upper = text.upper().translate(_FROM_LATIN).replace("—", "-").replace("–", "-")
    kept = "".join(c if c in _CYRILLIC or c in "- " else " " if c in ".,_" else "" for c in upper)
    words = [word.strip("-") for word in kept.split()]
    return " ".join(word for word in words if len(word) > 1 or len(words) == 1)


def _printed_capitals(text: str) -> str:
    upper = text.upper().translate(_FROM_LATIN).replace("—", "-").replace("–", "-")
    kept = "".join(c for c in upper if c in _CYRILLIC or c.isdigit() or c in ' .-,"№()/')
    return " ".join(kept.split()).strip(" -,_")


# ---------------------------------------------------------------- passport for travel


def travel_names(
    picture: Pixels, found: Sequence[Line], confirmed: dict[Field, Printed], fields: dict[Field, FieldReading]
) -> dict[Field, FieldReading]:
    """Read the Cyrillic names that stand just above the Latin ones: surname, then given names with patronymic.

    The Latin lines must have been found on the page (`confirmed`). What is read is checked against the Latin name by
    every transliteration order: only then is it given at all, so a misread letter is not passed on.
    """
    places = {name: confirmed[name].line for name in (Field.SURNAME, Field.GIVEN_NAMES) if name in confirmed}
    above = {name: line for name, latin in places.items() if (line := _just_above(latin, found)) is not None}
    texts = ocr.read_lines([_strip(picture, line) for line in above.values()], language="rus")
    native: dict[Field, FieldReading] = {}
    for (name, line), heard in zip(above.items(), texts, strict=True):
        words = _cyrillic(heard.text).split()
        latin = fields[name].value
        for count in range(1, len(words) + 1):
            start = " ".join(words[:count])
            if compare(start, latin, field=name, country="RUS").agreement < 1.0:
                continue
            target = Field.SURNAME_NATIVE if name is Field.SURNAME else Field.GIVEN_NAMES_NATIVE
            reading = FieldReading(
                value=start,
                confidence=round(min(0.9, heard.confidence), 4),
                certain=False,
                source=Source.VIZ,
                box=_box(line.quad),
            )
            native[target] = reading
            if name is Field.GIVEN_NAMES and (rest := " ".join(words[count:])):
                native[Field.PATRONYMIC] = replace(reading, value=rest)
            break
    return native


def _just_above(latin: Line, found: Sequence[Line]) -> Line | None:
    """Return the line whose bottom touches the top of `latin` and whose left end is near its left end."""
    down = np.array([-latin.direction[1], latin.direction[0]], np.float32)
    best: tuple[float, Line] | None = None
    for other in mrz_zone.merged([_turned(line, latin.direction) for line in found]):
        offset = other.quad[0] - latin.quad[0]
        up, aside = -float(offset @ down), abs(float(offset @ latin.direction))
        if 0.4 * latin.height < up < 2.2 * latin.height and aside < 2.0 * latin.height and (best is None or up < best[0]):
            best = (up, other)
    return best[1] if best else None


def _box(quad: Quad) -> Box:
    left, top = np.floor(quad.min(axis=0)).astype(int)
    right, bottom = np.ceil(quad.max(axis=0)).astype(int)
    return max(0, int(left)), max(0, int(top)), int(right - left), int(bottom - top)
