"""Read the values that stand in print only, on papers whose layout is known: a data file for each kind in `layouts/`.

Nothing is read at a fixed place: offices print differently and values slip. The page's corners give a first placement; lines
that are known already (the number, the days, the Latin names that the zone confirmed; on a front its labels) move it to where
this page has them; then the text lines that the detector found near a field's rows are its value. Small print, labels and
what lies too far off are left out. A field's alphabet is a mask while the odds are decoded; nothing is put right afterwards.

**A layout file** is JSON; all lengths are millimetres from the page's upper left corner as its reader holds it.

`about`: what the places were taken from. `document`: a `DocumentType`. `country`: ICAO's three letters, or null for any that
has no file of its own. `page`: [width, height]. `zone_rows`: the middles of the zone's first and last row, where they are
not the standard's. `letters`: usual height of a value's capitals. `portrait`: [x, y, width, height].
`anchors`: for sides without a zone, the words that identify the paper: [{"words", "at": [left, middle, right], "alphabet"}];
`needs`: how many of them must be there (1). `fields`: by the `Field`'s name, each an object of

- `left`: [least, most] place of the value's left end; `right`: how far it may reach;
- `rows`: the middle of each of its lines, in order; `slack`: how far a line may lie off its row (default 1.7);
  without `rows` the value is led to by its label alone;
- `letters`: height of its capitals where not the page's;
- `alphabet`: "latin", "russian", "kazakh", "digits", several joined by "+" ("russian+digits"), or a list of them for a value
  whose parts follow each other (["russian", "digits"] for `ФМС 77001`, ["russian", "latin"] for `МОСКВА / RUSSIA`); `signs`:
  what stands between letters (default " -");
- `shape`: "text" (default), "name", "names" (given names with what `then` names behind them), "date", "number" (no spaces),
  "sex"; `values`: for what stands in print, what it means ({"Ж": "F"}); `pattern`: what a value must match, whole;
- `zone`: the field of the zone that must spell the same name; `check`: "iin", "dni" or "curp"; `dotted`: abbreviations that end
  in a dot (a value that has one without is not certain: readers lose dots first);
- `labels`: words printed as its label, in any of the page's languages; `label_at`: [left, middle] of the label.

Fields that the zone gives too serve as landmarks on a page with a zone and are read on a side without one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from verification import ocr
from verification.documents import certainty, mrz_zone, national, page, viz
from verification.documents import lines as text_lines
from verification.documents.lines import Floats, Letter, Line, Pixels, Print, Quad
from verification.documents.mrz import ParsedMrz
from verification.documents.viz import Printed
from verification.evidence import Box, DocumentReading, DocumentType, Field, FieldReading, Source
from verification.models import shapes
from verification.names import compare, transliterate
from verification.reasons import ReasonCode

FOLDER: Final = Path(__file__).parent / "layouts"
ALPHABETS: Final = {
    "russian": "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
    "kazakh": "АӘБВГҒДЕЁЖЗИЙКҚЛМНҢОӨПРСТУҰҮФХҺЦЧШЩЪЫІЬЭЮЯ",
    "latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZÁÉÍÓÚÜÑÇÄÖ",
    "digits": "0123456789",
}
_CYRILLIC: Final = frozenset(ALPHABETS["russian"] + ALPHABETS["kazakh"])
_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "iin": national.iin_is_valid,
    "dni": national.dni_is_valid,
    "curp": national.curp_is_valid,
}
Characters = tuple[tuple[str, float, Box | None], ...]
"""Of a value as printed: each character, its odds (0-1), and its box on the photo."""
_SHAPES: Final = ("text", "name", "names", "date", "number", "sex")


class LayoutWrong(Exception):
    """A layout file says something that cannot be; the text names file and key."""


# ---------------------------------------------------------------- the files


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """Words that identify a paper, and where they stand (mm): left end, middle of the row, right end."""

    words: str
    left: float
    row: float
    right: float
    alphabet: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldPlan:
    """One field of a layout; lengths in mm. See the module's docstring."""

    name: Field
    left: tuple[float, float]
    right: float
    rows: tuple[float, ...]
    slack: float
    letters: float
    alphabets: tuple[str, ...]
    shape: str
    values: Mapping[str, str]
    pattern: re.Pattern[str] | None
    then: Field | None
    zone: Field | None
    check: str | None
    dotted: frozenset[str]
    labels: tuple[str, ...]
    label_at: tuple[float, float] | None

    @property
    def cyrillic(self) -> bool:
        """Whether any part of the value is in Cyrillic letters, which PP-OCRv6 does not know."""
        return any(not _CYRILLIC.isdisjoint(alphabet) for alphabet in self.alphabets)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layout:
    """One kind of paper. `name` is the file's."""

    name: str
    document: DocumentType
    country: str | None
    width: float
    height: float
    letters: float
    portrait: tuple[float, float, float, float] | None
    zone_rows: tuple[float, float] | None
    anchors: tuple[Anchor, ...]
    needs: int
    fields: Mapping[Field, FieldPlan]


@cache
def layouts(folder: Path = FOLDER) -> tuple[Layout, ...]:
    """Return every layout of a folder. Raises LayoutWrong. Files without `fields` belong to other modules and are passed over."""
    found = []
    for file in sorted(folder.glob("*.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        if "fields" in data:
            found.append(_layout(file.stem, data))
    return tuple(found)


def _layout(name: str, data: Mapping[str, Any]) -> Layout:
    try:
        width, height = data["page"]
        letters = float(data["letters"])
        plans = {Field(key): _plan(Field(key), plan, letters, width) for key, plan in data["fields"].items()}
        return Layout(
            name=name, document=DocumentType(data["document"]), country=data["country"], width=float(width),
            height=float(height), letters=letters, portrait=tuple(data["portrait"]) if "portrait" in data else None,
            zone_rows=tuple(data["zone_rows"]) if "zone_rows" in data else None,
            anchors=tuple(
                Anchor(words=_bare(a["words"]), left=a["at"][0], row=a["at"][1], right=a["at"][2],
                       alphabet=_alphabet(a.get("alphabet", "latin"), " "))
                for a in data.get("anchors", ())
            ),
            needs=int(data.get("needs", 1)), fields=plans,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, IndexError, re.error) as wrong:
        raise LayoutWrong(f"layout {name}: {wrong}") from wrong


def _plan(name: Field, data: Mapping[str, Any], letters: float, width: float) -> FieldPlan:
    unknown = set(data) - {"left", "right", "rows", "slack", "letters", "alphabet", "signs", "shape", "values", "pattern", "then",
                           "zone", "check", "dotted", "labels", "label_at"}  # fmt: skip
    if unknown:
        raise ValueError(f"{name.value}: unknown keys {', '.join(sorted(unknown))}")
    shape = data.get("shape", "text")
    if shape not in _SHAPES or data.get("check", "iin") not in _CHECKS:
        raise ValueError(f"{name.value}: no such shape or check")
    parts = data.get("alphabet", "digits" if shape == "date" else "latin")
    parts = [parts] if isinstance(parts, str) else parts
    signs = data.get("signs", " ./-" if shape == "date" else " -")
    alphabets = tuple(_alphabet(part, signs if at == 0 else signs.replace("/", "")) for at, part in enumerate(parts))
    least, most = data.get("left", (0.0, width))
    at = data.get("label_at")
    return FieldPlan(
        name=name, left=(float(least), float(most)), right=float(data.get("right", width)), rows=tuple(data.get("rows", ())),
        slack=float(data.get("slack", 1.7)), letters=float(data.get("letters", letters)), alphabets=alphabets, shape=shape,
        values=data.get("values", {}), pattern=re.compile(data["pattern"]) if "pattern" in data else None,
        then=Field(data["then"]) if "then" in data else None, zone=Field(data["zone"]) if "zone" in data else None,
        check=data.get("check"),
        dotted=frozenset(data.get("dotted", ())), labels=tuple(_bare(label) for label in data.get("labels", ())),
        label_at=(float(at[0]), float(at[1])) if at else None,
    )  # fmt: skip


def _alphabet(names: str, signs: str) -> str:
    letters = "".join(dict.fromkeys("".join(ALPHABETS[name] for name in names.split("+"))))
    shapes.letters(letters + signs)  # says so where the network has no such shape
    return letters + signs


def _bare(text: str) -> str:
    """Letters and digits only, capitals: labels are compared so."""
    return re.sub(r"[^\w]|_", "", text.upper())


# ---------------------------------------------------------------- placing


_ACROSS, _DOWN = 1.2, 0.8  # mm, 1 sigma: how far a known line's left end and middle lie off their layout's place
_MOVED, _BENT = 4.0, 0.05  # 1 sigma of the placement by zone or edges: mm it is off, share it is stretched or sheared
_ASTRAY: Final = 3.0  # sigmas from which a known line is one printed elsewhere (joined with its label, say)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Placed:
    """How a layout lies on the photo. `to_mm`: 3 x 3, photo pixels to the layout's millimetres; `misfit`: least is best."""

    layout: Layout
    to_mm: NDArray[np.float64]
    misfit: float

    def mm(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Photo pixels, shape (N, 2), to millimetres."""
        return _through(self.to_mm, points)

    def photo(self, points: Sequence[tuple[float, float]]) -> Quad:
        """Millimetres to photo pixels, shape (N, 2)."""
        return np.asarray(_through(cast(NDArray[np.float64], np.linalg.inv(self.to_mm)), np.array(points)), np.float32)


def _through(matrix: NDArray[np.float64], points: NDArray[Any]) -> NDArray[np.float64]:
    return cast(NDArray[np.float64], cv2.perspectiveTransform(np.asarray(points, np.float64)[None], matrix)[0])


def _from_corners(layout: Layout, corners: Quad) -> NDArray[np.float64]:
    """The page's corners (with margin) as a map from photo pixels to millimetres."""
    m = page.MARGIN
    w, h = layout.width, layout.height
    outline = np.array([(-m * w, -m * h), (w + m * w, -m * h), (w + m * w, h + m * h), (-m * w, h + m * h)], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), outline), np.float64)


class _Known(NamedTuple):
    """A point of the photo whose place in a layout is known: millimetres, pixels, and how much it counts (1: a printed line)."""

    wanted: tuple[float, float]
    point: NDArray[np.float32]
    weight: float = 1.0


_ZONE: Final = 0.5  # weight of an end of the zone's rows: the zone is printed apart from the values, 1.5 mm up or down


def _place(layout: Layout, first: NDArray[np.float64], known: Sequence[_Known]) -> _Placed:
    """Move a first placement so that known points of the photo come to stand where the layout has them (mm).

    An affine change in millimetres, held near none by how far placements are off; a point far astray is left out.
    """
    seen = [(mark, _through(first, mark.point[None])[0]) for mark in known]
    fitted = _fitted(layout, seen)
    left_out = 0
    while len(seen) > 2 and _worst(fitted[0], seen) > _ASTRAY:
        fewer = [(_fitted(layout, seen[:at] + seen[at + 1 :]), at) for at in range(len(seen))]
        fitted, at = min(fewer, key=lambda pair: pair[0][1])  # the one without which the others fit best
        seen = seen[:at] + seen[at + 1 :]
        left_out += 1
    return _Placed(layout=layout, to_mm=fitted[0] @ first, misfit=fitted[1] + left_out * 2 * _ASTRAY**2)


_Seen = tuple[_Known, NDArray[np.float64]]
"""A known point, and where the placement so far has it (mm)."""


def _fitted(layout: Layout, seen: Sequence[_Seen]) -> tuple[NDArray[np.float64], float]:
    """The affine change (3 x 3, millimetres) that fits best, and its cost: squared sigmas of points and of the change itself."""
    middle = np.array([layout.width / 2, layout.height / 2])
    held = np.diag([1 / _MOVED, 1 / (_BENT * layout.width / 2), 1 / (_BENT * layout.width / 2)])
    change, cost = np.eye(3), 0.0
    for axis, sigma in ((0, _ACROSS), (1, _DOWN)):
        left = np.array([*held, *([mark.weight / sigma, *((at - middle) * mark.weight / sigma)] for mark, at in seen)])
        right = np.array([0.0, 0, 0, *((mark.wanted[axis] - at[axis]) * mark.weight / sigma for mark, at in seen)])
        (move, across, down), *_ = np.linalg.lstsq(left, right, rcond=None)
        cost += float(((left @ (move, across, down) - right) ** 2).sum())
        change[axis] += (across, down, move - across * middle[0] - down * middle[1])
    return change, cost


def _worst(change: NDArray[np.float64], seen: Sequence[_Seen]) -> float:
    """How many sigmas the point that fits worst lies off."""
    return max(
        mark.weight * float(np.hypot(*((_through(change, at[None])[0] - mark.wanted) / (_ACROSS, _DOWN)))) for mark, at in seen
    )


# ---------------------------------------------------------------- finding a field's lines


_QUAD: Final = 1.55  # height of a detected line by the height of its capitals (median of the blanks' printed lines)
_LEAST, _MOST = 0.62, 1.7  # by the same: below is a label, above are two rows in one or a heading
_GAP: Final = 1.5  # heights between two pieces of one line; a space of the widest typewriter leaves 0.5, behind a dot 1.2
_GAP_NAME: Final = 0.4  # the same within one name or number: a mark printed beside a surname stood 0.6 away
_LATE: Final = 1.5  # mm to the right of all places where a value begins from which it has lost letters
_ALIKE: Final = 0.7  # height of one piece of a line by that of another: one without marks or descenders is lower
_ALIKE_NAME: Final = 0.8
_LEVEL: Final = 0.12  # heights that pieces of one line lie above or below each other; a mark beside a name lay 0.25 off


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Marked:
    """A detected line in the layout's millimetres: ends along the print, middle, height; upright to the page."""

    line: Line
    left: float
    right: float
    row: float
    height: float


def _marked(found: Sequence[Line], placed: _Placed, along: NDArray[np.float32]) -> list[_Marked]:
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
            _Marked(line=line, left=float(start[0]), right=float(end[0]), row=float((start + end)[1] / 2), height=height)
        )
    return marked


def _cut_apart(picture: Pixels, marked: Sequence[_Marked], plans: Iterable[FieldPlan]) -> list[_Marked]:
    """Cut lines in two that the detector drew across the gap between two fields of one row."""
    starts = [(plan.left, row) for plan in plans for row in plan.rows]
    apart: list[_Marked] = []
    for mark in marked:
        inside = [
            left for left, row in starts if abs(row - mark.row) < 2.5 and mark.left < left[0] - 8 and mark.right > left[1] + 5
        ]
        begins = any(abs(row - mark.row) < 2.5 and left[0] - 3 < mark.left < left[1] + 3 for left, row in starts)
        pieces = _at_pause(picture, mark, inside[0]) if inside and begins else None
        apart += pieces or [mark]
    return apart


def _at_pause(picture: Pixels, mark: _Marked, left: tuple[float, float]) -> list[_Marked] | None:
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
            _Marked(
                line=Line(quad=quad, score=mark.line.score), left=mark.left + begin * long, right=mark.left + end * long,
                row=mark.row, height=mark.height,
            )
        )  # fmt: skip
    return pieces


def _rows_of(plans: Iterable[FieldPlan], marked: Sequence[_Marked], tall: float) -> dict[Field, list[Line]]:
    """Give each field its lines, one for each row at most; a line goes to the row it lies nearest to.

    `tall`: how high this page's lines stand in the layout's scale, as a share of what the layout says.
    """
    choices = []
    by_name = {plan.name: plan for plan in plans}
    for plan in by_name.values():
        for number, row in enumerate(plan.rows):
            for at, mark in enumerate(marked):
                size = mark.height / (plan.letters * _QUAD * tall)
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


def _whole(first: _Marked, marked: Sequence[_Marked], used: set[int], plan: FieldPlan) -> Line:
    """Join what the detector marked apart: pieces on the same row, near enough and of the same height."""
    normal = np.array([-first.line.direction[1], first.line.direction[0]])

    alike, widest = (_ALIKE, _GAP) if plan.shape in ("text", "names") else (_ALIKE_NAME, _GAP_NAME)

    def joins(piece: _Marked, gap: float) -> bool:
        across = abs(float((piece.line.centre - first.line.centre) @ normal))
        level = across < _LEVEL * first.line.height and alike < piece.height / first.height < 1 / alike
        return level and -0.5 * first.height < gap < widest * first.height

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


# ---------------------------------------------------------------- reading a value


_HEARD: Final = 0.5  # odds below which a letter is no letter of a certain value, whoever agrees
_TESSERACT: Final = str.maketrans("ABCEHKMOPTXYË—–", "АВСЕНКМОРТХУЁ--")  # it mixes the scripts within a word


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Part:
    """A stretch of a line in one alphabet, as our network reads it, and as a second reader does ("" where it was not asked).

    `odds`: what the network saw of it, columns blank and then the alphabet's characters. `yielded`: the letters are the second
    reader's, which our network would have read otherwise.
    """

    letters: tuple[Letter, ...]
    quad: Quad
    odds: Floats
    alphabet: str
    second: str = ""
    yielded: bool = False
    before: str = ""  # what follows on the line: "/", "digits", or nothing
    others: tuple[tuple[int, ...], ...] = ()  # what else it may be, as columns of `odds`, likeliest first

    @classmethod
    def of(cls, quad: Quad, odds: Floats, alphabet: str) -> _Part:
        allowed = _allowed(odds, alphabet)
        best, *others = _likeliest(allowed)
        letters = _letters(allowed, alphabet, best)
        return cls(letters=letters, quad=quad, odds=allowed, alphabet=alphabet, others=tuple(others))

    def joined_by(self, second: str, *, trusted: bool = False) -> _Part:
        """With a second reader's text; where the network finds that nearly as likely as its own, both say that.

        `trusted`: the second reads this script better, and is sure: then its text stands, with our network's odds for it.
        """
        heard = replace(self, second=second)
        if not second or heard.agreed or not set(second) <= set(self.alphabet):
            return heard
        other = tuple(self.alphabet.index(c) + 1 for c in second)
        own = tuple(self.alphabet.index(letter.character) + 1 for letter in self.letters)
        alike = _bare(second) == _bare(self.text) and len(second) > len(self.text)  # the second saw a sign or space more
        if not trusted and _odds_of(self.odds, other) - _odds_of(self.odds, own) < (_YIELDS_SIGN if alike else _YIELDS):
            return heard
        return replace(heard, letters=_letters(self.odds, self.alphabet, other), yielded=True, others=(own, *self.others))

    def choices(self) -> Iterator[_Part]:
        """The part, and as it is with each other text that it may be."""
        yield self
        for other in self.others:
            yield replace(self, letters=_letters(self.odds, self.alphabet, other), yielded=False, others=())

    def characters(self) -> Characters:
        """Each character with its odds and its place; None for a space."""
        return tuple(
            (letter.character, letter.chance, None if letter.character == " " else self.place(at))
            for at, letter in enumerate(self.letters)
        )

    @property
    def cyrillic(self) -> bool:
        return not _CYRILLIC.isdisjoint(self.alphabet)

    @property
    def text(self) -> str:
        return "".join(letter.character for letter in self.letters)

    @property
    def chance(self) -> float:
        return min((letter.chance for letter in self.letters), default=1.0)

    @property
    def agreed(self) -> bool:
        """Whether the second reader reads the very same, but for spaces beside a slash and the slash itself at an end."""
        return bool(self.second) and _evened(self.second) == _evened(self.text)

    def place(self, at: int) -> Box:
        """The box of one letter, reaching half-way to its neighbours."""
        middles = [letter.at for letter in self.letters]
        pitch = float(np.median(np.diff(middles))) if len(middles) > 1 else 1.0
        start = max((middles[at - 1] + middles[at]) / 2 if at else 0.0, middles[at] - 0.75 * pitch)
        end = min((middles[at] + middles[at + 1]) / 2 if at + 1 < len(middles) else 1.0, middles[at] + 0.75 * pitch)
        return certainty.box(self.quad, max(0.0, start), min(1.0, end))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Heard:
    """A value as read: its characters with their odds and places, and what stands for it."""

    characters: Characters
    agreed: bool  # a second reader read the same
    yielded: bool  # but our network alone would have read something else
    lines: tuple[Line, ...]
    cyrillic: bool = True  # some of it is in Cyrillic
    other: str = ""  # what the second reader read, where that is of use
    choices: tuple[_Heard, ...] = ()  # of a name on one line: what else it may be, likeliest first

    @property
    def text(self) -> str:
        return "".join(c for c, _, _ in self.characters)

    @property
    def chance(self) -> float:
        return min((odds for c, odds, _ in self.characters if c != " "), default=0.0)

    def part(self, start: int, end: int) -> _Heard:
        """Some of its characters; of the second reader's the words at the same end."""
        words, first = self.other.split(" "), not start
        count = len(self.text[start:end].split(" "))
        other = " ".join(words[:count] if first else words[-count:])
        return replace(self, characters=self.characters[start:end], other=other)

    def reading(self, value: str, *, certain: bool) -> FieldReading:
        """As a field, letter by letter where the value is what stands there."""
        quads = np.concatenate([line.quad for line in self.lines])
        if value == self.text:
            spots = [place for _, _, place in self.characters if place is not None]
            letters = tuple(place for _, _, place in self.characters)
            box: Box = _around(spots) if spots else certainty.box(quads, 0, 1)
        else:
            letters = ()
            box = _around([certainty.box(line.quad, 0, 1) for line in self.lines])
        return FieldReading(
            value=value, confidence=0.99 if certain else round(min(0.9, self.chance), 4), certain=certain, source=Source.VIZ,
            box=box, letters=letters if any(letters) else (),
        )  # fmt: skip


def _evened(text: str) -> str:
    return re.sub(r"\s*-\s*", "-", text.strip(" /|"))


def _around(boxes: Sequence[Box]) -> Box:
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    return left, top, max(b[0] + b[2] for b in boxes) - left, max(b[1] + b[3] for b in boxes) - top


def _decoded(picture: Pixels, quad: Quad, alphabets: Sequence[str], *, later: bool) -> list[_Part]:
    """Read a line whose parts follow each other in these alphabets.

    Where the first alphabet has a slash, that ends the first part, and a line without one is all of it, or of the next where an
    earlier line had the slash (`later`). Else the cut is at the space where the odds of both parts together are largest.
    """
    seen = text_lines.read_print(picture, quad)
    first, last = alphabets[0], alphabets[-1]
    frames = len(seen.odds)
    whole = _Part.of(quad, seen.odds, last if later else first)
    if len(alphabets) == 1 or later:
        return [whole]
    if "/" in first:
        return _around_slash(picture, quad, seen, first, last) or [whole]
    logs = [
        np.concatenate([[0.0], np.cumsum(np.log(np.maximum(_allowed(seen.odds, alphabet).max(axis=1), 1e-6)))])
        for alphabet in (first, last)
    ]
    total = logs[0] + (logs[1][-1] - logs[1])
    space = shapes.letters(" ")[0][0]
    pauses = [t for t in range(1, frames) if seen.odds[t].argmax() == space] or [
        0, frames, *(t for t in range(1, frames) if seen.odds[t, 0] > 0.5)
    ]  # fmt: skip
    cut = max(pauses, key=lambda t: float(total[t]))
    if not 0 < cut < frames:
        return [_Part.of(quad, seen.odds, first if cut else last)]
    one, two = _stretch(quad, seen, first, 0, cut), _stretch(quad, seen, last, cut, frames)
    if not one.letters or not two.letters:
        return [_Part.of(quad, seen.odds, first if one.letters else last)]
    return [replace(one, before="digits" if two.text.isdigit() else ""), two]


def _around_slash(picture: Pixels, quad: Quad, seen: Print, first: str, last: str) -> list[_Part] | None:
    """What stands before and behind the line's slash, and the slash; None where neither network sees one."""
    column, frames = shapes.letters("/")[0][0], len(seen.odds)
    peak = int(seen.odds[:, column].argmax())
    chance = float(seen.odds[peak, column])
    start, end = peak, peak + 1
    if chance >= _SLASH:
        while start > 0 and seen.odds[start - 1].argmax() == column:
            start -= 1
        while end < frames and seen.odds[end].argmax() == column:
            end += 1
    else:
        other = text_lines.read_at(picture, quad).odds[:, text_lines.READABLE.index("/") + 1]
        at, chance = int(other.argmax()), float(other.max())
        if chance < _SLASH:
            return None
        start, end = int((at - 0.5) / len(other) * frames), math.ceil((at + 1.5) / len(other) * frames)
    slash = Letter(character="/", chance=chance, at=0.5)
    parts = [replace(_stretch(quad, seen, first, 0, start), before="/")] if start else []
    middle = _stretch(quad, seen, "/", start, end)
    parts.append(replace(middle, letters=(slash,), second="/"))
    if end < frames:
        parts.append(_stretch(quad, seen, last, end, frames))
    return [part for part in parts if part.letters]


def _stretch(quad: Quad, seen: Print, alphabet: str, start: int, end: int) -> _Part:
    """The part of a line between two frames."""
    frames = len(seen.odds)
    long = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    return _Part.of(mrz_zone.stretched(quad, start / frames * long, end / frames * long), seen.odds[start:end], alphabet)


_SLASH: Final = 0.3  # odds from which there is a slash: no letter's shape is near it
_TRUSTED: Final = 0.8  # PP-OCRv6's least odds of a letter from which its Latin text is taken before ours
_YIELDS: Final = -4.0  # log odds by which another reader's text may be less likely than our own and still be what stands there
_YIELDS_SIGN: Final = -9.0  # the same where it has a dot or a space that ours lost
_BEAM: Final = 8  # texts kept from frame to frame; more changed no reading
_FAINT: Final = 2e-3  # odds of a character in a frame below which it is not tried


def _allowed(odds: Floats, alphabet: str) -> Floats:
    """The odds of blank and of each character of an alphabet: shape (T, 1 + len(alphabet))."""
    columns = shapes.letters(alphabet)
    summed = np.stack([odds[:, 0], *(odds[:, list(own)].sum(axis=1) for own in columns)], axis=1)
    return np.asarray(np.minimum(summed, 1.0), np.float32)


def _likeliest(allowed: Floats) -> list[tuple[int, ...]]:
    """Return the texts that are likeliest over all their alignments, best first, as columns of the odds.

    The best single path doubles a letter whose odds pause for a frame; the sum over paths does not (prefix beam search).
    """
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}  # odds that it ends in a blank, in its last letter
    for frame in allowed:
        tried = [int(k) for k in np.nonzero(frame > _FAINT)[0] if k] or [int(frame[1:].argmax()) + 1]
        blank = max(float(frame[0]), 1e-4)
        onward: dict[tuple[int, ...], list[float]] = {}
        for text, (gap, on) in beams.items():
            here = onward.setdefault(text, [0.0, 0.0])
            here[0] += (gap + on) * blank
            if text:
                here[1] += on * float(frame[text[-1]])
            for k in tried:
                more = onward.setdefault((*text, k), [0.0, 0.0])
                more[1] += (gap if text and text[-1] == k else gap + on) * float(frame[k])
        kept = sorted(onward.items(), key=lambda item: -sum(item[1]))[:_BEAM]
        total = sum(sum(pair) for _, pair in kept) or 1.0
        beams = {text: (pair[0] / total, pair[1] / total) for text, pair in kept}
    return sorted(beams, key=lambda t: -sum(beams[t]))


def _letters(allowed: Floats, alphabet: str, text: tuple[int, ...]) -> tuple[Letter, ...]:
    """The characters of a text where they are strongest, without spaces at its ends, and one between words."""
    space = alphabet.find(" ") + 1
    text = tuple(k for at, k in enumerate(text) if not at or k != space or text[at - 1] != space)
    letters = [
        Letter(character=alphabet[k - 1], chance=float(allowed[at, k]), at=(at + 0.5) / len(allowed))
        for k, at in zip(text, _aligned(allowed, text), strict=True)
    ]
    while letters and letters[0].character == " ":
        letters.pop(0)
    while letters and letters[-1].character == " ":
        letters.pop()
    return tuple(letters)


def _odds_of(allowed: Floats, text: tuple[int, ...]) -> float:
    """Log odds of a text, summed over all its alignments (CTC's forward pass)."""
    states = [0]
    for k in text:
        states += [k, 0]
    logs = np.log(np.maximum(allowed[:, states], 1e-6)).astype(np.float64)
    skip = np.array([s >= 2 and states[s] != 0 and states[s] != states[s - 2] for s in range(len(states))])
    score = np.full(len(states), -np.inf)
    score[:2] = logs[0, :2]
    for frame in logs[1:]:
        step = np.logaddexp(score, np.r_[-np.inf, score[:-1]])
        score = np.logaddexp(step, np.where(skip, np.r_[-np.inf, -np.inf, score[:-2]], -np.inf)) + frame
    return float(np.logaddexp(score[-1], score[-2])) if len(states) > 1 else float(score[0])


def _aligned(allowed: Floats, text: tuple[int, ...]) -> list[int]:
    """The frame in which each character of a text is strongest, on the text's best path."""
    if not text:
        return []
    states = [0]
    for k in text:
        states += [k, 0]
    count = len(states)
    logs = np.log(np.maximum(allowed[:, states], 1e-6))
    skip = np.array([s >= 2 and states[s] != 0 and states[s] != states[s - 2] for s in range(count)])
    score = np.full(count, -1e9)
    score[:2] = logs[0, :2]
    steps = np.zeros((len(allowed), count), np.int8)
    for t in range(1, len(allowed)):
        ways = np.stack([score, np.r_[-1e9, score[:-1]], np.where(skip, np.r_[-1e9, -1e9, score[:-2]], -1e9)])
        steps[t] = ways.argmax(axis=0)
        score = ways.max(axis=0) + logs[t]
    at = count - 1 if score[-1] >= score[-2] else count - 2
    peaks: dict[int, int] = {}
    for t in range(len(allowed) - 1, -1, -1):
        if at % 2 and (at not in peaks or allowed[t, states[at]] > allowed[peaks[at], states[at]]):
            peaks[at] = t
        at -= int(steps[t, at])
    return [peaks.get(2 * n + 1, 0) for n in range(len(text))]


def _parts(picture: Pixels, line: Line, plan: FieldPlan, *, later: bool) -> list[_Part]:
    """Read one line with our network, and what is not Cyrillic with PP-OCRv6 as well."""
    parts = []
    for part in _decoded(picture, line.quad, plan.alphabets, later=later):
        if part.letters and not part.cyrillic and part.alphabet != "/":
            readable = "".join(c for c in part.alphabet if c in text_lines.READABLE)
            second, odds = text_lines.read_at(picture, part.quad).text(readable)
            part = part.joined_by(second if odds >= _HEARD else "", trusted=odds >= _TRUSTED)
        if part.letters:
            parts.append(part)
    return parts


def _heard(picture: Pixels, rows: Mapping[Field, Sequence[Line]], plans: Mapping[Field, FieldPlan]) -> dict[Field, _Heard]:
    """Read the lines of every field; Tesseract hears the Cyrillic ones, all in one start."""
    read: dict[Field, list[list[_Part]]] = {}
    for name, lines in rows.items():
        for line in lines:
            later = any(part.alphabet == "/" for parts in read.get(name, ()) for part in parts)
            read.setdefault(name, []).append(_parts(picture, line, plans[name], later=later))
    asked = [
        (part, line.quad)
        for name, by_line in read.items()
        for line, parts in zip(rows[name], by_line, strict=True)
        for part in parts
        if part.cyrillic
    ]
    texts = ocr.read_lines([_strip(picture, quad) for _, quad in asked], language="rus") if asked else []
    told = {id(part): _as_printed(text.text, part) for (part, _), text in zip(asked, texts, strict=True)}
    heard = {}
    for name, by_line in read.items():
        every = [part.joined_by(told[id(part)]) if id(part) in told else part for parts in by_line for part in parts]
        if not every:
            continue
        value = _joined(every, rows[name])
        if plans[name].shape in ("name", "names") and len(every) == 1:
            choices = [_joined([part], rows[name]) for part in every[0].choices() if part.letters]
            value = replace(value, choices=tuple(choices[1:]))
        heard[name] = value
    return heard


def _joined(parts: Sequence[_Part], lines: Sequence[Line]) -> _Heard:
    """A value of several parts, one space between them."""
    characters: list[tuple[str, float, Box | None]] = []
    for part in parts:
        characters += [(" ", 1.0, None), *part.characters()] if characters else part.characters()
    return _Heard(
        characters=_spaced_slash(characters),
        lines=tuple(lines),
        other=" ".join(part.second for part in parts),
        agreed=all(part.agreed for part in parts),
        yielded=any(part.yielded for part in parts),
        cyrillic=any(part.cyrillic for part in parts),
    )


def _spaced_slash(characters: Sequence[tuple[str, float, Box | None]]) -> Characters:
    """One space on either side of a slash: narrow print has none, wide print several, and neither means anything."""
    spaced: list[tuple[str, float, Box | None]] = []
    for character in characters:
        if character[0] == "/" and spaced and spaced[-1][0] != " ":
            spaced.append((" ", 1.0, None))
        if spaced and spaced[-1][0] == "/" and character[0] != " ":
            spaced.append((" ", 1.0, None))
        spaced.append(character)
    return tuple(spaced)


def _as_printed(text: str, part: _Part) -> str:
    """Tesseract's reading of the whole line: what of it is this part's, in capitals of one script.

    It knows no Latin beside its Cyrillic: what stands behind a slash, or figures that PP-OCRv6 reads, are left out.
    """
    if part.before == "/":
        start, slash, _ = text.replace("|", "/").partition("/")
        text = start if slash else ""
    elif part.before == "digits":
        text = text.rstrip(" 0123456789.")
    kept = "".join(c for c in text.upper().translate(_TESSERACT) if c in part.alphabet)
    return " ".join(kept.split())


def _strip(picture: Pixels, quad: Quad) -> ocr.Grey:
    """Crop for Tesseract: letters about 32 high, the brightest colour channel (black print stays, coloured lines fade)."""
    strip = text_lines.crop(picture, quad, height=round(ocr.LETTER * _QUAD))
    return np.asarray(strip.max(axis=2), np.uint8)


# ---------------------------------------------------------------- a page with a zone


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
    own = [lay for lay in layouts() if lay.document is parsed.document_type and not lay.anchors]
    mine = [lay for lay in own if lay.country is not None and lay.country == parsed.country]
    if not mine:
        led = _led_by_labels(
            picture, found, next((lay for lay in own if lay.country is None), None), printed, fields, today=today
        )
        return led | _day_of_issue(parsed, printed, today=today)
    tried = [(_place(lay, _from_corners(lay, corners), known), known) for lay in mine for known in [_known(lay, rows, confirmed)]]
    placed, known = min(tried, key=lambda pair: pair[0].misfit)
    layout = placed.layout
    tall = _tallness(placed, confirmed)
    along = Line(quad=corners, score=1.0).direction
    placed, lines = _settled(picture, found, placed, along, known, tall)
    wanted = {name for name in layout.fields if name not in parsed.values}
    if not wanted - _MAY_LACK <= lines.keys():
        again = _marked(_looked_again(picture, corners), placed, along)
        for name, others in _rows_of(layout.fields.values(), again, tall).items():
            lines.setdefault(name, others)
    heard = _heard(picture, {name: own for name, own in lines.items() if name in wanted}, layout.fields)
    readings: dict[Field, FieldReading] = {}
    for name, value in heard.items():
        readings |= _field(
            layout.fields[name], value, fields, country=parsed.country, valid=parsed.valid and not parsed.truncated, today=today
        )
    if Field.ISSUED_ON not in readings:
        readings |= _day_of_issue(parsed, printed, today=today)
    return readings


_MAY_LACK: Final = frozenset({Field.PATRONYMIC, Field.PERSONAL_NUMBER, Field.ISSUER_CODE})
"""Fields that a page may go without: nothing more is looked for where only these were not found."""


def _known(layout: Layout, rows: Sequence[Quad], confirmed: Mapping[Field, Printed]) -> list[_Known]:
    """The ends of the zone's rows, and the left ends of the lines that say what the zone says."""
    shape = page.SHAPES[layout.document]
    known = []
    for row, y in zip((rows[0], rows[-1]), layout.zone_rows or (shape.first_row, shape.last_row), strict=True):
        known.append(_Known((shape.row_left, y), row[[0, 3]].mean(axis=0), _ZONE))
        known.append(_Known((shape.row_left + shape.characters * page.PITCH, y), row[[1, 2]].mean(axis=0), _ZONE))
    for name, plan in layout.fields.items():
        if name in confirmed and plan.rows:
            known.append(_Known((sum(plan.left) / 2, plan.rows[0]), confirmed[name].line.quad[[0, 3]].mean(axis=0)))
    return known


def _settled(
    picture: Pixels, found: Sequence[Line], placed: _Placed, along: NDArray[np.float32], known: Sequence[_Known], tall: float
) -> tuple[_Placed, dict[Field, list[Line]]]:
    """Assign lines to fields, let these place the page anew, and assign once more."""
    plans = placed.layout.fields
    apart = _cut_apart(picture, _marked(found, placed, along), plans.values())
    lines = _rows_of(plans.values(), apart, tall)
    more = [
        _Known((sum(plans[name].left) / 2, plans[name].rows[0]), own[0].quad[[0, 3]].mean(axis=0))
        for name, own in lines.items()
        if len(plans[name].rows) == 1
    ]
    again = _place(placed.layout, placed.to_mm, [*known, *more])
    found = [mark.line for mark in apart]
    return again, _rows_of(plans.values(), _marked(found, again, along), tall)


def _tallness(placed: _Placed, confirmed: Mapping[Field, Printed]) -> float:
    """How high known lines stand, as a share of what the layout says; 1.0 where none is known."""
    shares = []
    for name, line in confirmed.items():
        if name in placed.layout.fields:
            quad = placed.mm(line.line.quad)
            height = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
            shares.append(height / (placed.layout.fields[name].letters * _QUAD))
    return float(np.clip(np.median([*shares, 1.0, 1.0]), 0.75, 1.3))  # two votes for the layout's own: quads vary


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
        text = _bare(line.text)
        for name, plan in layout.fields.items():
            if name not in values and any(label in text for label in plan.labels):
                below = _below(line.line, found)
                values |= {name: [below]} if below is not None else {}
    readings: dict[Field, FieldReading] = {}
    for name, value in _heard(picture, values, layout.fields).items():
        readings |= _field(layout.fields[name], value, fields, country=None, valid=False, today=today)
    return {name: replace(reading, certain=False) for name, reading in readings.items()}


def _below(label: Line, found: Sequence[Line]) -> Line | None:
    """The line that starts just under a label, near its left end, and is no smaller print."""
    down = np.array([-label.direction[1], label.direction[0]], np.float32)
    near = []
    for line in (_along(line, label.direction) for line in found):
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


# ---------------------------------------------------------------- a side without a zone


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


def front(picture: Pixels, found: Sequence[Line], papers: Sequence[page.PageQuad], *, today: date) -> Front | None:
    """Read a side without a zone that its words name, whichever way up; None where no layout's words are found.

    `found`: the detected lines; `papers`: where a page may lie by its edges.
    """
    named = [layout for layout in layouts() if layout.anchors]
    axis = _main_axis(found)
    if not named or axis is None:
        return None
    for sign in (1, -1):
        direction = np.asarray(sign * axis, np.float32)
        marks = _anchors(picture, found, direction, named)
        if marks:
            layout, seen = max(marks.items(), key=lambda item: len(item[1]) / len(item[0].anchors))
            return _front(picture, found, papers, layout, seen, direction, today=today)
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
        _along(line, direction)
        for line in found
        if abs(float(line.direction @ direction)) > 0.94 and line.width > 3 * line.height
    ]
    whole = [line for line in mrz_zone.merged(along) if all(line is not piece for piece in along)]  # words in two pieces
    best: dict[Anchor, tuple[float, Line]] = {}
    wanted = {anchor.alphabet for layout in named for anchor in layout.anchors}
    for line in sorted([*along, *whole], key=lambda line: -line.width * line.height)[:_ANCHORS_READ]:
        texts = {alphabet: _bare(_said(picture, line, alphabet)) for alphabet in wanted}
        for anchor in (anchor for layout in named for anchor in layout.anchors):
            alike = fuzz.ratio(texts[anchor.alphabet], anchor.words)
            if alike >= max(_ANCHOR, best[anchor][0] if anchor in best else 0.0):
                best[anchor] = alike, line
    found_of = {layout: [(anchor, best[anchor][1]) for anchor in layout.anchors if anchor in best] for layout in named}
    return {layout: marks for layout, marks in found_of.items() if len(marks) >= layout.needs}


def _said(picture: Pixels, line: Line, alphabet: str) -> str:
    """One reading of a line: by our network where its alphabet is Cyrillic, else by PP-OCRv6."""
    if _CYRILLIC.isdisjoint(alphabet):
        return text_lines.read_at(picture, line.quad).text()[0]
    return text_lines.read_print(picture, line.quad).text(alphabet)[0]


def _along(line: Line, direction: NDArray[np.float32]) -> Line:
    return line if float(line.direction @ direction) > 0 else Line(quad=text_lines.reversed_quad(line.quad), score=line.score)


def _front(
    picture: Pixels,
    found: Sequence[Line],
    papers: Sequence[page.PageQuad],
    layout: Layout,
    seen: Sequence[tuple[Anchor, Line]],
    direction: NDArray[np.float32],
    *,
    today: date,
) -> Front | None:
    known = [
        mark
        for anchor, line in seen
        for mark in (
            _Known((anchor.left, anchor.row), line.quad[[0, 3]].mean(axis=0)),
            _Known((anchor.right, anchor.row), line.quad[[1, 2]].mean(axis=0)),
        )
    ]
    placed = min((_place(layout, first, known) for first in _firsts(layout, papers, seen, direction)), key=lambda p: p.misfit)
    labels = _labels(picture, found, placed, direction)
    lost = len(labels) < min(_LEAST_LABELS, sum(plan.label_at is not None for plan in layout.fields.values()))
    known += labels
    placed = _place(layout, placed.to_mm, known)
    placed, lines = _settled(picture, found, placed, direction, known, 1.0)
    readings: dict[Field, FieldReading] = {}
    for name, value in _heard(picture, lines, layout.fields).items():
        readings |= _field(layout.fields[name], value, {}, country=layout.country, valid=False, today=today)
    if len(readings) < _LEAST_FIELDS:
        return None
    if lost:  # a card that is placed wrong shows good readings of the wrong fields
        readings = {name: replace(reading, certain=False) for name, reading in readings.items()}
    m, w, h = page.MARGIN, layout.width, layout.height
    corners = placed.photo([(-m * w, -m * h), (w + m * w, -m * h), (w + m * w, h + m * h), (-m * w, h + m * h)])
    height, width = picture.shape[:2]
    problems = (ReasonCode.DOCUMENT_CUT_OFF,) if page.outside(corners, width, height) > _OUTSIDE else ()
    reading = DocumentReading(
        document_type=layout.document,
        country=layout.country,
        fields=readings,
        portrait=_portrait(layout, placed, width, height),
        problems=problems,
    )
    return Front(reading=reading, quarter_turns=page.quarter_turns(direction), corners=corners)


_OUTSIDE: Final = 0.18  # of a page's longer side beyond the photo, as for pages with a zone


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
            firsts.append(_from_corners(layout, page.with_margin(corners)))
    anchor, line = max(seen, key=lambda mark: mark[0].right - mark[0].left)
    start = line.quad[[0, 3]].mean(axis=0).astype(np.float64)
    pixel = line.width / (anchor.right - anchor.left)
    right = direction.astype(np.float64) * pixel
    down = np.array([-right[1], right[0]])
    to_photo = np.array([[right[0], down[0], 0.0], [right[1], down[1], 0.0], [0, 0, 1]])
    to_photo[:2, 2] = start - right * anchor.left - down * anchor.row
    return [*firsts, np.linalg.inv(to_photo)]


def _labels(picture: Pixels, found: Sequence[Line], placed: _Placed, direction: NDArray[np.float32]) -> list[_Known]:
    """The labels that are found near their places: where this card has them."""
    marked = _marked(found, placed, direction)
    known: list[_Known] = []
    plans = [(plan, plan.label_at) for plan in placed.layout.fields.values() if plan.label_at is not None and plan.labels]
    for plan, (x, y) in plans[:_LABELS_READ]:
        near = [(math.hypot(mark.left - x, mark.row - y), at) for at, mark in enumerate(marked)]
        for off, at in sorted(near)[:1]:
            line = marked[at].line
            texts = (
                {_bare(_said(picture, line, ALPHABETS[script])) for script in _scripts(plan.labels)} if off < _LABEL_NEAR else ()
            )
            if any(
                fuzz.partial_ratio(text, label) >= _ANCHOR for text in texts for label in plan.labels if len(text) >= len(label)
            ):
                known.append(_Known((x, y), line.quad[[0, 3]].mean(axis=0)))
    return known


def _scripts(labels: Sequence[str]) -> set[str]:
    return {"latin" if _CYRILLIC.isdisjoint(label) else "kazakh" for label in labels}


def _portrait(layout: Layout, placed: _Placed, width: int, height: int) -> Box | None:
    """The upright box on the photo around the portrait's place; None where it is not on the photo."""
    if layout.portrait is None:
        return None
    x, y, w, h = layout.portrait
    quad = placed.photo([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    left, top = np.maximum(np.floor(quad.min(axis=0)), 0).astype(int)
    right, low = np.minimum(np.ceil(quad.max(axis=0)), (width, height)).astype(int)
    return (int(left), int(top), int(right - left), int(low - top)) if right - left >= 16 and low - top >= 16 else None


# ---------------------------------------------------------------- what a value means, and whether it is certain


def _field(
    plan: FieldPlan, heard: _Heard, fields: Mapping[Field, FieldReading], *, country: str | None, valid: bool, today: date
) -> dict[Field, FieldReading]:
    """Turn what was heard into the field's value, or into nothing where it cannot be one."""
    heard = _without_label(plan, heard)
    if plan.shape == "date":
        return _day(plan, heard, fields, today=today)
    if plan.shape in ("name", "names"):
        return _names(plan, heard, fields, country=country, valid=valid)
    text = heard.text
    if plan.shape == "sex":
        value = plan.values.get(text[:1], "")
        return {plan.name: heard.reading(value, certain=_agreed(heard))} if value else {}
    if plan.shape == "number":
        kept = tuple(c for c in heard.characters if c[0] not in " -./")
        heard = replace(heard, characters=kept)
        text = heard.text
    if not text or (plan.pattern is not None and not plan.pattern.fullmatch(text)):
        return {}
    whole = not (_lost_dot(text, plan.dotted) or _cut_short(text, plan.dotted))
    holds = whole and (plan.check is None or _CHECKS[plan.check](text))
    return {plan.name: heard.reading(text, certain=holds and _agreed(heard, checked=plan.check is not None))}


_SURE: Final = 0.35  # least odds of each letter of a certain value that both readers read alike
_SURE_YIELDED: Final = 0.5  # where our network yielded to the other reader: of each letter, that it saw it all the same
_SURE_MARK: Final = 0.8  # of letters that differ from another in a mark alone, which both readers lose first
_SURE_SPACE: Final = 0.02  # of a space: ours sees few in narrow print
_SURE_CHECKED: Final = 0.1  # where a check digit holds as well
_MARKS: Final = frozenset("ЕЁИЙШЩЬЪЦ")


def _agreed(heard: _Heard, *, checked: bool = False) -> bool:
    """Two readers read the same, and our network is sure of each letter; less sure where a check digit holds (`checked`).

    Of Latin print PP-OCRv6 sees marks and dots better than ours does: there it is enough that ours saw the letter.
    """
    least = _SURE_CHECKED if checked else _SURE_YIELDED if heard.yielded else _SURE

    def sure(character: str, odds: float) -> bool:
        if character == " ":
            return odds >= _SURE_SPACE
        if heard.cyrillic and character in _MARKS:
            return odds >= _SURE_MARK
        return odds >= least or (not heard.cyrillic and not character.isalnum())

    return heard.agreed and all(sure(c, odds) for c, odds, _ in heard.characters)


def _without_label(plan: FieldPlan, heard: _Heard) -> _Heard:
    """Leave out a label that stands before its value on the same line."""
    for label in sorted(plan.labels, key=len, reverse=True):
        at = 0
        for letter in label:
            while at < len(heard.characters) and not heard.characters[at][0].isalnum():
                at += 1
            if at == len(heard.characters) or heard.characters[at][0] != letter:
                break
            at += 1
        else:
            while at < len(heard.characters) and not heard.characters[at][0].isalnum():
                at += 1
            if at < len(heard.characters):
                return replace(heard, characters=heard.characters[at:], choices=())
    return heard


def _cut_short(text: str, dotted: frozenset[str]) -> bool:
    """Whether a part is lost: `МОСКВА /` ends in what joins two parts, `Г. / RUSSIA` begins with an abbreviation of nothing."""
    words = text.split("/")[0].replace(".", " ").split()
    return text[:1] in "/,-" or text[-1:] in "/,-" or all(word in dotted for word in words)


def _lost_dot(text: str, dotted: frozenset[str]) -> bool:
    """Whether a dot or the space behind it may be lost: then nobody knows what is printed, as offices write both.

    An abbreviation stands without a dot, the value begins with a letter that is one, or a dot stands before a letter.
    """
    if not dotted:
        return False
    words = re.findall(r"[^\W\d_]+(?![\w.])", text)
    begins = text[:1] in dotted and text[1:2] != "."
    return begins or not dotted.isdisjoint(words) or re.search(r"\.\w", text) is not None


def _day(plan: FieldPlan, heard: _Heard, fields: Mapping[Field, FieldReading], *, today: date) -> dict[Field, FieldReading]:
    days = viz.days_in(heard.text)
    if len(days) != 1:
        return {}
    day = days[0]
    known = {name: date.fromisoformat(fields[name].value) for name in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON) if name in fields}
    if plan.name is Field.ISSUED_ON and not known.get(Field.DATE_OF_BIRTH, date.min) <= day <= min(
        today, known.get(Field.EXPIRES_ON, date.max)
    ):
        return {}
    digits = min((odds for c, odds, _ in heard.characters if c.isdigit()), default=0.0)
    certain = digits >= (_SURE_YIELDED if heard.yielded else _SURE) and viz.days_in(heard.other) == days
    reading = heard.reading(day.isoformat(), certain=certain)
    return {plan.name: replace(reading, letters=_day_letters(heard, day))}


def _day_letters(heard: _Heard, day: date) -> tuple[Box | None, ...]:
    """Boxes of YYYY-MM-DD from those of DD.MM.YYYY; () where it is printed another way."""
    digits = [(c, place) for c, _, place in heard.characters if c.isdigit()]
    if "".join(c for c, _ in digits) != f"{day:%d%m%Y}":
        return ()
    places = [place for _, place in digits]
    return (*places[4:], None, *places[2:4], None, *places[:2])


def _names(
    plan: FieldPlan, heard: _Heard, fields: Mapping[Field, FieldReading], *, country: str | None, valid: bool
) -> dict[Field, FieldReading]:
    """A name, checked against the zone's spelling of it; behind given names the patronymic."""
    zone = fields.get(plan.zone) if plan.zone is not None else None
    if plan.zone is None or zone is None:
        return {plan.name: heard.reading(heard.text, certain=_agreed(heard))}
    count = _words_of(heard.text, zone.value, plan, country)
    if count is None:  # what a reader heard as well, and the zone says
        held = ((other, _words_of(other.text, zone.value, plan, country)) for other in heard.choices)
        heard, count = next(((other, n) for other, n in held if n is not None), (heard, None))
    text = heard.text
    words = text.split(" ")
    own = count if count is not None else min(len(words), len(zone.value.split())) if plan.then is not None else len(words)
    end = len(" ".join(words[:own]))
    name = heard.part(0, end)
    unseen = _UNSEEN_KAZAKH if "Қ" in plan.alphabets[0] else _UNSEEN
    certain = count is not None and _vouched(name, zone, unseen) and " " not in name.text  # a lost hyphen leaves a space
    readings = {plan.name: name.reading(name.text, certain=certain)}
    if certain and valid and not zone.certain:
        readings[plan.zone] = replace(zone, certain=True, confidence=max(zone.confidence, 0.98), source=Source.BOTH)
    if plan.then is not None and own < len(words):
        rest = heard.part(end + 1, len(text))
        readings[plan.then] = rest.reading(rest.text, certain=count is not None and _agreed(rest))
    return readings


def _words_of(native: str, latin: str, plan: FieldPlan, country: str | None) -> int | None:
    """How many of the printed words are the zone's name; None where no number of them is."""
    words = native.split(" ")
    counts = range(1, len(words) + 1) if plan.then is not None else (len(words),)
    return next((n for n in counts if _same_name(" ".join(words[:n]), latin, plan, country)), None)


def _same_name(native: str, latin: str, plan: FieldPlan, country: str | None) -> bool:
    return compare(native, latin, field=plan.zone or plan.name, country=country).agreement == 1.0


_UNSEEN: Final = frozenset("ЕЁЭИЙЪЬЫ")
_UNSEEN_KAZAKH: Final = _UNSEEN | frozenset("ІҰҮУҚКҒГҢНӘАӨОҺХ")
"""Letters that a Latin spelling does not tell from another one, or leaves out."""


def _vouched(name: _Heard, zone: FieldReading, unseen: frozenset[str]) -> bool:
    """Whether print and zone, which spell the same name, leave no other letter possible.

    The zone speaks for what its spelling shows; where it shows nothing (Ё, Й, Ь ...) both readers of the print must.
    """
    if not zone.certain:  # then the print must speak for the zone: two readers, and the one spelling in force
        return _agreed(name) and transliterate(name.text.replace("-", " ")) == zone.value.replace("-", " ")
    hidden = [(c, odds) for c, odds, _ in name.characters if c in unseen or (not c.isalpha() and c != " ")]
    if name.agreed:
        return all(odds >= _SURE for _, odds in hidden)
    same = [c for c, _ in hidden if c.isalpha()] == [c for c in name.other if c in unseen]
    return same and name.chance >= _ALONE and all(odds >= _SURE_MARK for _, odds in hidden)


_ALONE: Final = 0.5  # least odds of our network's letters where Tesseract read otherwise and the zone agrees
