"""Read the supporting pages of a Russian internal passport: earlier passports (page 19) and family status (page 14).

Nothing is looked for at a fixed place: stamps lie askew, offices word them differently. A stamp is known by its words; its rows
are the printed lines between it and the next; a value is what stands behind a label, over a caption, or looks like nothing else
(a day, a code, ten figures). Our own network reads everything and makes nothing certain alone: figures need PP-OCRv6's
reading beside it, words Tesseract's. What is written by hand is not read. Facts: facts/documents.md 3.1 and 3.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from verification import ocr
from verification.documents import certainty, mrz_zone, russian, spread
from verification.documents import lines as text_lines
from verification.documents.lines import DIGITS, Letter, Line, Pixels
from verification.documents.plausibility import sex_of_patronymic
from verification.documents.spread import CYRILLIC, SIGNS
from verification.evidence import Box, FieldReading, Source
from verification.papers import EXPECTED, Detail, Entry, EntryKind, PageKind, SupportingReading
from verification.reasons import ReasonCode

__all__ = ["read_supporting"]

SIDE: Final = 960  # pixels of the longest side in which lines are looked for
_NAME: Final = CYRILLIC + " -"
_TEXT: Final = CYRILLIC + DIGITS + SIGNS + ":"
_ALONG: Final = 0.2  # sine of the angle by which a stamp may lie askew on its page
_ASKED: Final = 8  # longest lines that tell which way up the page lies
_BESIDE: Final = 0.42  # of a line's height: farther off its axis another line is in another row
_NEXT_ROW: Final = 3.0  # heights of a line: rows farther apart belong to different things
_MISSED: Final = 2.0  # heights of a line: between rows farther apart another may lie unseen
_SURE: Final = 0.6  # least odds of each character of a certain value, as in `russian`
_CLEAR: Final = 0.85  # as _SURE, of letters: blurred И was Н for both readers at 0.80; right ones stayed above 0.84
_SHOWN: Final = 0.2  # least odds of each character of a value that is given at all
_PLAIN: Final = 0.8  # mean odds of its characters: handwriting and smears stay below
_NO_PRINT: Final = 0.5  # mean odds of the letters of a word at a value's end, below: a seal, a signature, a frame
_FEW_LETTERS: Final = 2  # letters of a row: no office's name has so few in one, signatures and seals are read as such
_GAP: Final = 1.75  # times the usual distance of letters: as wide as a space
_FURTHER: Final = 1.6  # heights of a line that are looked at beyond its ends
_A_WORD: Final = 0.6  # least odds of each letter of a word that stands beyond what was marked
_LABEL: Final = 80.0  # per cent of letters in common from which words are a label
_BADLY: Final = 65.0  # and from which the longest label of all is still that one
_TITLED: Final = 82.0  # and from which a row holds a stamp's title
_FIRST_YEAR: Final = 1900  # of any day on these pages
_FEW: Final = 3  # printed lines: fewer are no paper
_FIGURES: Final = str.maketrans("ОЗІБ", "0316")
_MONTHS: Final = (
    "ЯНВАРЯ", "ФЕВРАЛЯ", "МАРТА", "АПРЕЛЯ", "МАЯ", "ИЮНЯ", "ИЮЛЯ", "АВГУСТА", "СЕНТЯБРЯ", "ОКТЯБРЯ", "НОЯБРЯ", "ДЕКАБРЯ",
)  # fmt: skip
_EDGE: Final = 0.45  # heights of a line from the middle of a value's outer letter: beyond stand labels and frames
_EDGES: Final = " ,:;'\"‚‹›’‘|_-*+<>[]{}()°~`"

_TITLES: Final = (
    (EntryKind.FOREIGN_PASSPORT, ("ЗАГРАНИЧНЫЙПАСПОРТ", "ЗАГРАНПАСПОРТ", "ВЫДАНЗАГРАНИЧНЫЙ")),
    (EntryKind.DIVORCE, ("БРАКРАСТОРГНУТ", "РАСТОРГНУТБРАК", "БРАКПРЕКРАЩЕН", "ПРЕКРАЩЕНБРАК")),
    (EntryKind.MARRIAGE, ("ЗАРЕГИСТРИРОВАНБРАК", "БРАКЗАРЕГИСТРИРОВАН", "ЗАКЛЮЧЕНБРАК")),
    (EntryKind.PASSPORT, ("РАНЕЕВЫДАН", "РАНЕЕВЫДАННЫЙПАСПОРТ", "ПРЕДЫДУЩИЙПАСПОРТ")),
)
_HEADINGS: Final = (
    (PageKind.EARLIER_PASSPORTS, "СВЕДЕНИЯОРАНЕЕ", 82.0),
    (PageKind.EARLIER_PASSPORTS, "ПАСПОРТАХ", 92.0),  # no stamp's title has the plural
    (PageKind.FAMILY_STATUS, "СЕМЕЙНОЕПОЛОЖЕНИЕ", 82.0),
)
_PAGE_OF: Final = {
    EntryKind.PASSPORT: PageKind.EARLIER_PASSPORTS,
    EntryKind.FOREIGN_PASSPORT: PageKind.EARLIER_PASSPORTS,
    EntryKind.MARRIAGE: PageKind.FAMILY_STATUS,
    EntryKind.DIVORCE: PageKind.FAMILY_STATUS,
}
_FULL_NAME: Final = (Detail.SURNAME, Detail.GIVEN_NAMES, Detail.PATRONYMIC)
_NOTHING: Final[tuple[Detail, ...]] = ()
_LABELS: Final[tuple[tuple[str, tuple[Detail, ...]], ...]] = (
    ("ФАМИЛИЯПОСЛЕРАСТОРЖЕНИЯБРАКА", (Detail.SURNAME_AFTER,)),
    ("ПРИСВОЕНАФАМИЛИЯ", (Detail.SURNAME_AFTER,)),
    ("ФАМИЛИЯПОСЛЕ", (Detail.SURNAME_AFTER,)),
    ("ФАМИЛИЯИМЯОТЧЕСТВО", _FULL_NAME),
    ("ИМЯОТЧЕСТВО", _FULL_NAME[1:]),
    ("ФАМИЛИЯ", _FULL_NAME[:1]),
    ("ОТЧЕСТВО", _FULL_NAME[2:]),
    ("ИМЯ", _FULL_NAME[1:2]),
    ("СГРАЖДАНИНОМ", _FULL_NAME),
    ("СГРАЖДАНКОЙ", _FULL_NAME),
    ("СГР", _FULL_NAME),
    ("СТР", _FULL_NAME),  # as it is read where it is small
    ("ГР", _FULL_NAME),
    ("ДАТАРОЖДЕНИЯ", (Detail.DATE_OF_BIRTH,)),
    ("ГОДАРОЖДЕНИЯ", (Detail.DATE_OF_BIRTH,)),
    ("ГРОЖДЕНИЯ", (Detail.DATE_OF_BIRTH,)),
    ("ДАТАРЕГИСТРАЦИИ", (Detail.REGISTERED_ON,)),
    ("ДАТАВЫДАЧИ", (Detail.ISSUED_ON,)),
    ("ДАТА", _NOTHING),
    ("ОТ", _NOTHING),
    ("КОДПОДРАЗДЕЛЕНИЯ", (Detail.ISSUER_CODE,)),
    ("КОД", (Detail.ISSUER_CODE,)),
    ("НАИМЕНОВАНИЕОРГАНАЗАГС", (Detail.ISSUER,)),
    ("НАИМЕНОВАНИЕОРГАНА", (Detail.ISSUER,)),
    ("ОРГАНЗАГС", (Detail.ISSUER,)),
    ("КЕМВЫДАН", (Detail.ISSUER,)),
    ("ВЫДАН", (Detail.ISSUER,)),
    ("ОРГАН", (Detail.ISSUER,)),
    ("АКТОВАЯЗАПИСЬ№", (Detail.ACT_NUMBER,)),
    ("АКТОВАЯЗАПИСЬ", (Detail.ACT_NUMBER,)),
    ("ЗАПИСЬАКТА№", (Detail.ACT_NUMBER,)),
    ("ЗАПИСЬАКТА", (Detail.ACT_NUMBER,)),
    ("АКТ№", (Detail.ACT_NUMBER,)),
    ("А/З№", (Detail.ACT_NUMBER,)),
    ("А/З", (Detail.ACT_NUMBER,)),
    ("СЕРИЯНОМЕР", (Detail.DOCUMENT_NUMBER,)),
    ("СЕРИЯ", (Detail.DOCUMENT_NUMBER,)),
    ("НОМЕР", (Detail.DOCUMENT_NUMBER,)),
    ("ПАСПОРТ", (Detail.DOCUMENT_NUMBER,)),
    ("ПОДПИСЬ", _NOTHING),
    ("МП", _NOTHING),
)
"""Words of a stamp's own, without spaces and points, and which values follow them (or stand over them, as a caption)."""
_DAYS: Final = frozenset({Detail.DATE_OF_BIRTH, Detail.ISSUED_ON, Detail.REGISTERED_ON})
_LABEL_WORDS: Final = frozenset({
    "КЕМ", "ВЫДАН", "КЕМВЫДАН", "КОД", "ДАТА", "ВЫДАЧИ", "РОЖДЕНИЯ", "ЗАПИСЬ", "АКТА", "АКТОВАЯ", "СЕРИЯ", "НОМЕР", "ПАСПОРТ",
    "ФАМИЛИЯ", "ИМЯ", "ОТЧЕСТВО", "ПОСЛЕ", "РАСТОРЖЕНИЯ", "БРАКА", "РАСТОРЖЕНИЯБРАКА", "ОТ",
})  # fmt: skip
"""What no office's name has: beside such a word a value is not certain."""
_IN_LETTERS: Final = frozenset({*_FULL_NAME, Detail.SURNAME_AFTER, Detail.ISSUER})
_WINDOW: Final = 4  # words a label has at most
_TURKIC: Final = ("ОГЛЫ", "ОГЛУ", "УГЛИ", "УЛЫ", "КЫЗЫ", "ГЫЗЫ", "КИЗИ", "УУЛУ")
_CAPTIONS: Final = (
    ("ФАМИЛИЯ", _FULL_NAME[:1]), ("ИМЯОТЧЕСТВО", _FULL_NAME[1:]), ("ФАМИЛИЯИМЯОТЧЕСТВО", _FULL_NAME),
    ("НАИМЕНОВАНИЕОРГАНА", (Detail.ISSUER,)), ("НАИМЕНОВАНИЕОРГАНАЗАГС", (Detail.ISSUER,)),
)  # fmt: skip
"""What small print in a stamp may say, however badly it was read."""
_CAPTIONED: Final = frozenset(details for _, details in _CAPTIONS)
_BADLY_SMALL: Final = 50.0  # per cent of letters in common from which it is one of them
_SMALLISH: Final = 0.92  # as _SMALL, of a row that is hardly legible
_SMALL: Final = 0.84  # of the usual height of an entry's lines: lower ones are captions

Direction = NDArray[np.float32]


# ---------------------------------------------------------------- what a row says


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Word:
    """Letters without a space between them, on one marked line."""

    letters: tuple[Letter, ...]
    line: Line

    @property
    def text(self) -> str:
        return "".join(letter.character for letter in self.letters)

    @property
    def plain(self) -> str:
        """Without points, commas and brackets: as labels are listed."""
        return "".join(c for c in self.text if c not in ".,:()\"'-")

    @property
    def figures(self) -> str:
        """As figures, where most of it are; else ""."""
        text = self.text.translate(_FIGURES)
        own = any(c in DIGITS for c in self.text) or len(text) > 2  # a small "от" is read as О
        return text if own and 2 * sum(c in DIGITS for c in text) > len(text.strip(".,-()")) else ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Row:
    """Printed lines beside each other, from the left, and their words."""

    pieces: tuple[Line, ...]
    words: tuple[_Word, ...]

    @property
    def centre(self) -> Direction:
        return np.asarray(np.mean([piece.centre for piece in self.pieces], axis=0), np.float32)

    @property
    def height(self) -> float:
        return float(np.median([piece.height for piece in self.pieces]))

    @property
    def joined(self) -> str:
        return "".join(word.plain for word in self.words)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Part:
    """Words that are one value, or one row of it, and which one they are."""

    details: tuple[Detail, ...]
    words: tuple[_Word, ...]
    next_row: bool = True  # it stands in the row after the part before it, or in the same: none lies unseen between them


# ---------------------------------------------------------------- from a photo to entries


def read_supporting(image: Pixels, *, today: date) -> SupportingReading:
    """Read page 18-19 or 14-15 of a Russian internal passport. `image`: RGB, H x W x 3, any orientation.

    Never raises on any picture, and never makes a value up: of what could not be read only the name is given.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 32:
        return SupportingReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,))
    with text_lines.remembering():
        found = text_lines.find(image, longest=SIDE)
        if len(found) < _FEW:
            return SupportingReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,))
        way = _way_up(image, found)
        if way is None:
            return SupportingReading(problems=(ReasonCode.DOCUMENT_NOT_KNOWN,))
        lines = [spread.turned(line, way) for line in found if abs(_sine(line, way)) < _ALONG or line.width < 1.6 * line.height]
        words = {id(line): _words_of(image, line, lines) for line in lines}
        columns = _columns(lines, words, way)
        entries: list[Entry] = []
        headings: list[PageKind] = []
        own: list[FieldReading] = []
        for column in columns:
            rows = _rows(column, words, way)
            headings += [kind for row in rows if (kind := _heading(row)) is not None]
            groups, rest = _groups(rows, way)
            if PageKind.EARLIER_PASSPORTS in headings:
                groups, rest = _untitled(groups, rest, rows, way)
            entries += [_entry(image, kind, group, today=today) for kind, group in groups]
            own += [number for row in rest if (number := _own_number(image, row)) is not None]
    kinds = [_PAGE_OF[entry.kind] for entry in entries] + headings
    if not kinds:
        return SupportingReading(problems=(ReasonCode.DOCUMENT_NOT_KNOWN,))
    problems = (ReasonCode.FIELD_NOT_READ,) if any(entry.unread for entry in entries) else ()
    if len({number.value for number in own}) > 1:  # pages of two books, or one of them misread: whose the page is nobody knows
        own = [replace(number, certain=False, confidence=min(number.confidence, 0.5)) for number in own]
        problems = (ReasonCode.SEVERAL_DOCUMENTS, *problems)
    return SupportingReading(
        kind=max(kinds, key=kinds.count),
        entries=tuple(_on_photo(entry, image.shape[1], image.shape[0]) for entry in entries),
        own_number=max(own, key=lambda number: (number.certain, number.confidence), default=None),
        problems=problems,
    )


def _sine(line: Line, way: Direction) -> float:
    """Of the angle between a line, read either way, and a direction."""
    return float(line.direction[0] * way[1] - line.direction[1] * way[0])


def _way_up(image: Pixels, found: Sequence[Line]) -> Direction | None:
    """The direction in which the page is read: along most print, and that way in which its longest lines are read better."""
    long = sorted((line for line in found if line.width > 3 * line.height and line.height >= 5), key=lambda line: -line.width)
    if len(long) < 2:
        return None
    votes = [sum(other.width for other in long if abs(_sine(other, line.direction)) < _ALONG) for line in long]
    main = long[int(np.argmax(votes))].direction
    along = [spread.turned(line, main) for line in long if abs(_sine(line, main)) < _ALONG]
    total = np.sum([line.direction * line.width for line in along], axis=0)
    main = np.asarray(total / max(float(np.linalg.norm(total)), 1e-6), np.float32)
    sure = [0.0, 0.0]
    for line in along[:_ASKED]:
        for at, quad in enumerate((line.quad, text_lines.reversed_quad(line.quad))):
            letters = text_lines.read_print(image, quad).letters(_TEXT)
            sure[at] += sum(letter.chance - 0.5 for letter in letters if letter.character != " ")
    return main if sure[0] >= sure[1] else np.asarray(-main, np.float32)


def _words_of(image: Pixels, line: Line, lines: Sequence[Line]) -> tuple[_Word, ...]:
    """Read one marked line, a little further than it is marked: a letter at its end may be half inside."""
    reach = _FURTHER * line.height
    before, behind = (min(reach, 0.5 * gap) for gap in _room(line, lines))
    width = line.width
    longer = Line(quad=mrz_zone.stretched(line.quad, -before, width + behind), score=line.score)
    whole = before + width + behind
    start, end = before / whole, (before + width) / whole
    words = []
    for word in _split(text_lines.read_print(image, longer.quad).letters(_TEXT)):
        inside = [letter for letter in word if start <= letter.at <= end]
        if not inside and (len(word) < 2 or min(letter.chance for letter in word) < _A_WORD):
            continue  # a frame, a neighbour's edge, the paper's pattern
        near = [letter for letter in word if letter in inside or letter.chance >= _A_WORD]
        stuck = re.match(r"(\d{1,2}|[А-Я]{1,3}\.)(?=[А-ЯЁ]{3})", "".join(letter.character for letter in near))  # "11АПРЕЛЯ"
        cut = stuck.end() if stuck else 0
        words += [_Word(letters=tuple(letters), line=longer) for letters in (near[:cut], near[cut:]) if letters]
    return tuple(words)


def _room(line: Line, lines: Sequence[Line]) -> tuple[float, float]:
    """Free pixels before and behind a line, to its neighbours in the same row."""
    along, down = line.direction, np.array([-line.direction[1], line.direction[0]], np.float32)
    room = [4 * line.height, 4 * line.height]
    for other in lines:
        if other is line or abs(float((other.centre - line.centre) @ down)) > 0.6 * (line.height + other.height) / 2:
            continue
        places = (other.quad - line.quad[0]) @ along
        if float(places.mean()) < line.width / 2:
            room[0] = min(room[0], max(0.0, -float(places.max())))
        else:
            room[1] = min(room[1], max(0.0, float(places.min()) - line.width))
    return room[0], room[1]


def _split(letters: Sequence[Letter]) -> list[list[Letter]]:
    """Words: at spaces, and at gaps wide as a space by the letters on both sides (labels are set narrower than values)."""
    gaps = np.diff([letter.at for letter in letters]).tolist()
    words: list[list[Letter]] = [[]]
    for at, letter in enumerate(letters):
        if letter.character == " " or (at and _wide(gaps, at - 1)):
            words.append([])
        if letter.character != " ":
            words[-1].append(letter)
    return [word for word in words if word]


def _wide(gaps: Sequence[float], at: int) -> bool:
    sides = [side for side in (gaps[max(0, at - 3) : at], gaps[at + 1 : at + 4]) if side]
    return bool(sides) and gaps[at] > _GAP * max(float(np.median(side)) for side in sides)


def _columns(lines: Sequence[Line], words: dict[int, tuple[_Word, ...]], way: Direction) -> list[list[Line]]:
    """The pages on the photo, from the left: one, or two facing ones that each have a title or heading of their own."""
    titled = [line for line in lines if _known(_Row(pieces=(line,), words=words[id(line)]))]
    spans = sorted((float((line.quad @ way).min()), float((line.quad @ way).max())) for line in titled)
    ends = np.maximum.accumulate([end for _, end in spans]) if spans else np.array([])
    cuts = [(ends[at] + spans[at + 1][0]) / 2 for at in range(len(spans) - 1) if spans[at + 1][0] > ends[at]]
    if len(cuts) != 1:
        return [list(lines)]
    sides = [[line for line in lines if (float(line.centre @ way) < cuts[0]) == left] for left in (True, False)]
    return sides if all(any(line in titled for line in side) for side in sides) else [list(lines)]


def _rows(lines: Sequence[Line], words: dict[int, tuple[_Word, ...]], way: Direction) -> list[_Row]:
    """Lines beside each other, by the longer one's own direction: stamps lie askew, each in its own way. From the top."""
    down = np.array([-way[1], way[0]], np.float32)
    row_of = list(range(len(lines)))
    pairs = []
    for a, one in enumerate(lines):
        for b, other in enumerate(lines[:a]):
            longer, shorter = (one, other) if one.width >= other.width else (other, one)
            if max(one.height, other.height) > 2.2 * min(one.height, other.height):
                continue
            across = np.array([-longer.direction[1], longer.direction[0]], np.float32)
            off = abs(float((shorter.centre - longer.centre) @ across))
            places = [np.sort(line.quad @ longer.direction)[[0, -1]] for line in (longer, shorter)]
            apart = max(float(places[1][0] - places[0][1]), float(places[0][0] - places[1][1]))
            if off < _BESIDE * min(one.height, other.height) and apart > -0.5 * shorter.height:
                pairs.append((apart, a, b))
    for _, a, b in sorted(pairs):
        if row_of[a] != row_of[b] and not _crowded(lines, row_of, a, b):
            old, new = row_of[a], row_of[b]
            row_of = [new if row == old else row for row in row_of]
    rows = []
    for number in set(row_of):
        pieces = sorted(
            (line for line, row in zip(lines, row_of, strict=True) if row == number), key=lambda p: float(p.centre @ way)
        )
        said = tuple(word for piece in pieces for word in words[id(piece)])
        if said:
            rows.append(_Row(pieces=tuple(pieces), words=said))
    return sorted(rows, key=lambda row: float(row.centre @ down))


def _crowded(lines: Sequence[Line], row_of: Sequence[int], a: int, b: int) -> bool:
    """Whether joining two rows would lay two lines over each other."""
    ones, others = ([line for line, row in zip(lines, row_of, strict=True) if row == row_of[at]] for at in (a, b))
    for one in ones:
        for other in others:
            span, rest = ((line.quad @ one.direction) for line in (one, other))
            if min(float(span.max()), float(rest.max())) - max(float(span.min()), float(rest.min())) > 0.6 * one.height:
                return True
    return False


def _known(row: _Row) -> bool:
    return _title(row) is not None or _heading(row) is not None


def _heading(row: _Row) -> PageKind | None:
    text = row.joined
    for kind, words, alike in _HEADINGS:
        if len(text) > 0.8 * len(words) and fuzz.partial_ratio(words, text) > alike:
            return kind
    return None


def _title(row: _Row) -> EntryKind | None:
    """What a row says its stamp is about, if it says so."""
    text = row.joined
    if _heading(row) is not None or any(
        fuzz.partial_ratio(words, text) > _TITLED for words in ("ФАМИЛИЯПОСЛЕ", "ПОСЛЕРАСТОРЖЕНИЯ")
    ):
        return None
    for kind, wordings in _TITLES:
        if any(len(text) > 0.8 * len(words) and fuzz.partial_ratio(words, text) > _TITLED for words in wordings):
            return kind
    return None


def _groups(rows: Sequence[_Row], way: Direction) -> tuple[list[tuple[EntryKind, list[_Row]]], list[_Row]]:
    """The rows of each entry, from the top, and the rows that belong to none."""
    down = np.array([-way[1], way[0]], np.float32)
    at = [float(row.centre @ down) for row in rows]
    titles = [number for number, row in enumerate(rows) if _title(row) is not None]
    limits = [0, *(_between(rows, at, a, b) for a, b in pairwise(titles)), len(rows)]
    groups, taken = [], set[int]()
    for title, low, high in zip(titles, limits, limits[1:], strict=False):
        kind = _title(rows[title])
        assert kind is not None
        first, last = title, title
        while _PAGE_OF[kind] is PageKind.FAMILY_STATUS and first > low and _follows(rows, at, first - 1):
            first -= 1
        while last + 1 < high and _follows(rows, at, last):
            last += 1
        group = [row for row in rows[first : last + 1] if not (_PAGE_OF[kind] is PageKind.FAMILY_STATUS and _is_number(row))]
        taken |= set(range(first, last + 1)) - {n for n in range(first, last + 1) if rows[n] not in group}
        groups.append((kind, group))
    return groups, [row for number, row in enumerate(rows) if number not in taken]


def _untitled(
    groups: list[tuple[EntryKind, list[_Row]]], rest: list[_Row], rows: Sequence[_Row], way: Direction
) -> tuple[list[tuple[EntryKind, list[_Row]]], list[_Row]]:
    """On a page headed as that of earlier passports: rows with ten figures and a day are one, though its title was not read."""
    down = np.array([-way[1], way[0]], np.float32)
    at = [float(row.centre @ down) for row in rows]
    runs: list[list[_Row]] = [[]]
    for number, row in enumerate(rows):
        if row not in rest or _heading(row) is not None or _number_words(row):
            runs.append([])
        elif runs[-1] and not _follows(rows, at, number - 1):
            runs.append([row])
        else:
            runs[-1].append(row)
    for run in runs:
        figures = [" ".join(word.figures for word in row.words if word.figures) for row in run]
        numbered = any(sum(c in DIGITS for c in text) == 10 and "." not in text for text in figures)
        if numbered and any(re.search(r"\d\d\.\d\d\.(19|20)\d\d", text) for text in figures):
            groups = [*groups, (EntryKind.PASSPORT, run)]
            rest = [row for row in rest if row not in run]
    return sorted(groups, key=lambda group: at[list(rows).index(group[1][0])]), rest


def _between(rows: Sequence[_Row], at: Sequence[float], title: int, following: int) -> int:
    """The first row of the following entry: its title, or after the widest gap where an office may stand over the title."""
    kind = _title(rows[following])
    if kind is None or _PAGE_OF[kind] is PageKind.EARLIER_PASSPORTS:
        return following
    return max(range(title + 1, following + 1), key=lambda number: at[number] - at[number - 1])


def _follows(rows: Sequence[_Row], at: Sequence[float], upper: int) -> bool:
    """Whether the row below is near enough to be of the same stamp; a heading is of none."""
    if _heading(rows[upper]) is not None or _heading(rows[upper + 1]) is not None:
        return False
    return at[upper + 1] - at[upper] < _NEXT_ROW * max(rows[upper].height, rows[upper + 1].height)


def _is_number(row: _Row) -> bool:
    return bool(_number_words(row))


def _number_words(row: _Row) -> list[_Word]:
    """A row's words where they are ten figures and nothing else but, at one end, the page's own number of two; else none."""
    if not all(word.figures for word in row.words):
        return []
    for words in (row.words, row.words[1:], row.words[:-1]):
        count = sum(c in DIGITS for word in words for c in word.figures)
        if count == 10 and (words is row.words or len(row.words) > 2):
            return list(words)
    return []


# ---------------------------------------------------------------- from rows to values


def _entry(image: Pixels, kind: EntryKind, rows: Sequence[_Row], *, today: date) -> Entry:
    values: dict[Detail, FieldReading] = {}
    parts: list[_Part] = []
    seen: list[tuple[date, FieldReading, bool]] = []
    asked: set[Detail] = set()
    family = _PAGE_OF[kind] is PageKind.FAMILY_STATUS
    titled, untitled = False, not any(_title(row) for row in rows)
    usual = float(np.median([row.height for row in rows]))
    for at, row in enumerate(rows):
        title = not titled and (_title(row) is not None or untitled)
        own = _parts_of(row, kind, title=title)
        titled = titled or title
        here: list[_Part] = []
        birth = any(Detail.DATE_OF_BIRTH in part.details for part in own)
        asked |= {detail for part in own for detail in part.details}
        for part in own:
            days = len(seen)
            left = _dates(image, part.words, seen, today=today, birth=birth, labelled=bool(_DAYS & set(part.details)))
            if kind in (EntryKind.PASSPORT, EntryKind.FOREIGN_PASSPORT):
                left = _code(image, left, values, labelled=Detail.ISSUER_CODE in part.details)
                left = _number(image, left, values, kind)
            elif Detail.ACT_NUMBER in part.details:
                left = _act(image, left, values)
            taken = len(seen) > days or sum(map(_digits, left)) < sum(map(_digits, part.words))
            here.append(replace(part, words=() if taken and not part.details else tuple(left)))  # a label, badly read
        open_end = bool(parts) and bool(parts[-1].words) and parts[-1].words[-1].plain == "№"
        filled = [part for part in here if open_end or any(c in CYRILLIC for word in part.words for c in word.text)]
        filled = [part for part in filled if part.words]
        caption = None if title else _caption(row, own, usual)
        if caption is not None:
            for number in range(len(parts) - 1, -1, -1):
                if parts[number].details or not parts[number].words:
                    break
                first = family and titled and not any(part.words for part in parts[:number])
                parts[number] = replace(parts[number], details=_captioned(caption, parts[number].words, first=first))
                if caption != (Detail.ISSUER,) or not parts[number].next_row:
                    break  # a name has one row
            parts.append(_Part(details=caption, words=()))  # what follows is another value's
            continue
        near = at > 0 and _apart(rows[at - 1], row) < _MISSED * max(row.height, rows[at - 1].height)
        parts += [replace(part, next_row=near or part is not filled[0]) for part in filled]
        if not filled or title:
            parts.append(_Part(details=(), words=()))
        if not titled:
            parts = [replace(part, details=part.details or (Detail.ISSUER,)) for part in parts]
    _put_dates(values, seen, kind)
    _put_words(image, values, _sorted_out(parts, kind))
    wanted = EXPECTED[kind] + tuple(sorted(asked - set(EXPECTED[kind]), key=list(Detail).index))
    return Entry(
        kind=kind,
        values={detail: values[detail] for detail in Detail if detail in values},
        unread=tuple(detail for detail in wanted if detail not in values),
        box=_around(rows),
    )


def _digits(word: _Word) -> int:
    return sum(c in DIGITS for c in word.figures)


def _apart(upper: _Row, lower: _Row) -> float:
    """Pixels between the axes of two rows."""
    line = max((*upper.pieces, *lower.pieces), key=lambda piece: piece.width)
    across = np.array([-line.direction[1], line.direction[0]], np.float32)
    return abs(float((lower.centre - upper.centre) @ across))


def _parts_of(row: _Row, kind: EntryKind, *, title: bool) -> list[_Part]:
    """Split a row at its labels. What stands before the first has no name."""
    words = list(row.words)
    family = _PAGE_OF[kind] is PageKind.FAMILY_STATUS
    if title:
        words = _without_title(words, kind)
    parts: list[_Part] = []
    current: list[_Word] = []
    details: tuple[Detail, ...] = ()
    at = 0
    while at < len(words):
        count, label, rest = _label_at(words, at)
        if not count and family and not title and at == 0:
            short = 2 if len(words) > 2 and len(words[0].plain) < 2 else 1
            if len(words) > short and re.fullmatch("С[А-Я]{0,3}", "".join(word.plain for word in words[:short])):
                count, label = short, _FULL_NAME  # "с гр.", badly read
        if count:
            if current or details:
                parts.append(_Part(details=details, words=tuple(current)))
            details, current = label, [rest] if rest is not None else []
            at += count
        elif family and words[at].plain == "№" and all(len(word.plain) < 4 for word in current):  # "а/з №", badly read
            details, current = (Detail.ACT_NUMBER,), []
            at += 1
        else:
            current.append(words[at])
            at += 1
    parts.append(_Part(details=details, words=tuple(current)))
    if kind is EntryKind.DIVORCE and not any(part.details for part in parts):
        said = "".join(word.plain for word in words[:-1])
        if len(said) > 12 and fuzz.partial_ratio("ПОСЛЕРАСТОРЖЕНИЯБРАКА", said) > _BADLY:
            return [_Part(details=(Detail.SURNAME_AFTER,), words=(words[-1],))]
    if len(parts) > 1 and parts[-1].details == (Detail.DATE_OF_BIRTH,) and not parts[-1].words:  # "... года рождения"
        parts[-2:] = [_Part(details=parts[-1].details, words=parts[-2].words)]
    return parts


def _label_at(words: Sequence[_Word], at: int) -> tuple[int, tuple[Detail, ...], _Word | None]:
    """How many words from `at` on are a label, what it names, and what is stuck to it (no space was seen between them)."""
    best = (0.0, 0, _NOTHING)
    text = ""
    for count in range(1, min(_WINDOW, len(words) - at) + 1):
        text += words[at + count - 1].plain
        for label, details in _LABELS:
            alike = float(fuzz.ratio(label, text)) if abs(len(label) - len(text)) <= max(1, len(label) // 5) else 0.0
            exact = 100.0 if len(label) < 5 else _LABEL
            if alike >= exact and (len(label) * alike, count) > best[:2]:
                best = (len(label) * alike, count, details)
    if best[1]:
        return best[1], best[2], None
    first = words[at]
    if re.fullmatch(".ОД", first.plain):  # "код": ЖОД, МОД
        return 1, (Detail.ISSUER_CODE,), None
    if re.fullmatch("[АД]/.", first.plain):
        return 1, (Detail.ACT_NUMBER,), None
    for label, details in _LABELS:
        if len(label) >= 6 and len(first.letters) > len(label) and Levenshtein.distance(first.text[: len(label)], label) <= 1:
            rest = replace(first, letters=first.letters[len(label) :])
            if bool(rest.figures) != bool(_IN_LETTERS & set(details)):  # "ФАМИЛИЯЩЕГЛОВА", not "ПАСПОРТНО-ВИЗОВЫМ"
                return 1, details, rest
    return 0, _NOTHING, None


def _without_title(words: Sequence[_Word], kind: EntryKind) -> list[_Word]:
    """The words of a title's row that are not the title: "Ранее выдан паспорт 45 02 123456", "12.03.2004 брак расторгнут"."""
    wordings = [wording for name, wordings in _TITLES for wording in wordings if name is kind]
    wordings += [wording + "ПАСПОРТ" for wording in wordings if kind is EntryKind.PASSPORT and not wording.endswith("ПАСПОРТ")]
    best: tuple[float, int, int] = (0.0, 0, 0)
    for start in range(len(words)):
        for end in range(start + 1, min(start + 5, len(words)) + 1):
            text = "".join(word.plain for word in words[start:end])
            alike = max(float(fuzz.ratio(wording, text)) * min(len(wording), len(text)) for wording in wordings)
            if alike > best[0]:
                best = (alike, start, end)
    return [*words[: best[1]], *words[best[2] :]]


def _caption(row: _Row, own: Sequence[_Part], usual: float) -> tuple[Detail, ...] | None:
    """What a small row or one in brackets says of the value above it, perhaps nothing legible; None for any other row.

    `usual`: height of the entry's lines.
    """
    bracketed = row.words[0].text[0] == "(" or row.words[-1].text[-1] == ")"
    named = tuple(dict.fromkeys(detail for part in own for detail in part.details))
    alone = all(not part.words for part in own)
    if not bracketed:
        tall = max(piece.height for piece in row.pieces) / usual
        faint = tall < _SMALLISH and float(np.mean([one.chance for word in row.words for one in word.letters])) < _PLAIN
        if any(word.figures for word in row.words) or (named and not alone):
            return None
        if not (tall < _SMALL or (faint and not named) or (alone and named in _CAPTIONED)):
            return None
    if alone:
        return named
    alike, details = max((float(fuzz.ratio(caption, row.joined)), details) for caption, details in _CAPTIONS)
    return details if alike > _BADLY_SMALL else ()


def _captioned(caption: tuple[Detail, ...], words: Sequence[_Word], *, first: bool) -> tuple[Detail, ...]:
    """What a caption names that is perhaps not legible: a patronymic is one word, or two with "оглы" and the like.

    `first`: it stands under the first row below a family stamp's title; one word there is the surname.
    """
    if not caption and len(words) == 1 and first:
        return _FULL_NAME[:1]
    if not caption and len(words) == 2 and sex_of_patronymic(words[1].plain) is not None:
        return _FULL_NAME[1:]
    if Detail.PATRONYMIC not in caption:
        return caption
    count = len(words) - (words[-1].plain in _TURKIC)
    return {1: caption if len(caption) == 1 else _FULL_NAME[1:], 2: _FULL_NAME[1:]}.get(
        count, caption if len(caption) == 3 else ()
    )


def _sorted_out(parts: Sequence[_Part], kind: EntryKind) -> dict[Detail, list[tuple[_Word, ...]]]:
    """Which words are which value: what labels say, then what kind of entry it is."""
    sorted_out: dict[Detail, list[tuple[_Word, ...]]] = {}
    following: tuple[Detail, ...] = ()
    last: Detail | None = None
    for part in parts:
        if not part.words:
            following, last = (), None
            continue
        if not part.next_row:
            following, last = (), None
        details = tuple(detail for detail in part.details if detail in _IN_LETTERS)
        if part.details and not details:  # behind a label for figures nothing in letters is looked for
            following, last = (), None
            continue
        if not details:
            passport, first = _PAGE_OF[kind] is PageKind.EARLIER_PASSPORTS, Detail.ISSUER not in sorted_out
            if passport or last is Detail.ISSUER or (first and _names_office(part.words)):
                details = (Detail.ISSUER,)
            else:
                details = following
        if not details:
            continue
        words = part.words
        if details[0] is Detail.ISSUER or len(details) == 1:
            sorted_out.setdefault(details[0], []).append(words)
            following, last = (), details[0]
            continue
        for at, detail in enumerate(details):
            if not words:
                following = details[at:]
                break
            ends = at == len(details) - 1 or len(words) == 1
            count = len(words) if ends else 1
            sorted_out.setdefault(detail, []).append(words[:count])
            words, following, last = words[count:], details[at + 1 :], detail
    return sorted_out


def _names_office(words: Sequence[_Word]) -> bool:
    said = [word.plain for word in words if len(word.plain) > 3]
    return any("ЗАГС" in text or fuzz.partial_ratio("БРАКОСОЧЕТАНИ", text) > _LABEL for text in said)


# ---------------------------------------------------------------- figures


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Heard:
    """Figures as read: the text without signs, the least odds of one, whether both networks read the same, and their box."""

    text: str
    chance: float
    agreed: bool
    box: Box

    def field(self, value: str) -> FieldReading:
        certain = self.agreed and self.chance > _SURE
        confidence = 0.98 if certain else round(min(0.9, self.chance), 4)
        return FieldReading(value=value, confidence=confidence, certain=certain, source=Source.VIZ, box=self.box)


def _figures(image: Pixels, words: Sequence[_Word], counts: Sequence[int]) -> _Heard | None:
    """Hear both networks on words that stand together on one line; None where neither reads one of the wanted counts."""
    line = _place(words)
    heard = []
    for text, chance in (
        text_lines.read_print(image, line.quad, widths=text_lines.PRINT_WIDTHS).text(DIGITS + " .-"),
        text_lines.read_at(image, line.quad).text(DIGITS + " .-,"),
    ):
        figures = re.sub(r"\D", "", text)
        if len(figures) in counts and chance > _SHOWN:
            heard.append((chance, figures))
    if not heard:
        return None
    agreed = len(heard) == 2 and heard[0][1] == heard[1][1]
    chance, figures = min(heard) if agreed else max(heard)
    return _Heard(text=figures, chance=chance, agreed=agreed, box=certainty.box(line.quad, 0, 1))


def _together(heard: Sequence[_Heard]) -> _Heard:
    return _Heard(
        text="".join(one.text for one in heard),
        chance=min(one.chance for one in heard),
        agreed=all(one.agreed for one in heard),
        box=_hull([one.box for one in heard]),
    )


def _place(words: Sequence[_Word]) -> Line:
    """The part of their line that words cover, with half a letter to each side."""
    line = words[0].line
    left = words[0].letters[0].at * line.width - 0.55 * line.height
    right = words[-1].letters[-1].at * line.width + 0.55 * line.height
    return Line(quad=mrz_zone.stretched(line.quad, max(0.0, left), min(line.width, right)), score=line.score)


def _cut(word: _Word, start: int, end: int) -> _Word:
    return replace(word, letters=word.letters[start:end])


def _dates(
    image: Pixels,
    words: Sequence[_Word],
    seen: list[tuple[date, FieldReading, bool]],
    *,
    today: date,
    birth: bool,
    labelled: bool,
) -> list[_Word]:
    """Take the days out of a row's words and return the other words; behind a label, one of a figure too few or too many."""
    left: list[_Word] = []
    days, at = len(seen), 0
    while at < len(words):
        count, heard, behind = _date_at(image, words, at)
        on = spread.day(heard.text) if heard is not None else None
        if heard is not None and on is not None and on.year >= _FIRST_YEAR and on <= today:
            seen.append((on, heard.field(on.isoformat()), birth))
            left += [behind] if behind is not None else []
            at += count
        elif count and heard is not None:
            at += count  # no day that was: better none than a wrong one
        else:
            left.append(words[at])
            at += 1
    if labelled and len(seen) == days:
        for run in _beside([word for word in left if word.figures]):
            heard = _figures(image, run, (8,)) if 7 <= sum(map(_digits, run)) <= 9 else None
            on = spread.day(heard.text) if heard is not None else None
            if heard is not None and on is not None and on.year >= _FIRST_YEAR and on <= today:
                seen.append((on, heard.field(on.isoformat()), birth))
                return [word for word in left if word not in run]
    return left


def _date_at(image: Pixels, words: Sequence[_Word], at: int) -> tuple[int, _Heard | None, _Word | None]:
    """How many words from `at` on are a day, its eight figures, and what is stuck to them."""
    text = ""
    for count in range(1, min(4, len(words) - at) + 1):
        word = words[at + count - 1]
        if word.line is not words[at].line or not word.figures:
            break
        text = f"{text} {word.figures}".strip()
        sign = "{0,3}" if count == 1 else "{1,3}"  # in one word a point may have been lost; no number has eight figures
        told = rf"\d\d[., -]{sign}\d\d[., -]{sign}(19|20)\d\d\.?"
        if re.fullmatch(told, text) or re.fullmatch(told, text.replace(" ", "")):
            return count, _figures(image, words[at : at + count], (8,)), None
    first = words[at]
    match = re.match(r"\D{0,2}(\d\d[.,-]\d\d[.,-](19|20)\d\d)(?=\D|$|\d{3}-)", first.figures or first.text.translate(_FIGURES))
    if match:
        rest = _cut(first, match.end(1), len(first.letters)) if len(first.letters) - match.end(1) > 1 else None
        return 1, _figures(image, [_cut(first, match.start(1), match.end(1))], (8,)), rest
    return *_date_in_words(image, words, at), None


def _lead(alike: Sequence[float]) -> float:
    """How far the likeliest is before the next."""
    best, second = sorted(alike, reverse=True)[:2]
    return best - second


def _date_in_words(image: Pixels, words: Sequence[_Word], at: int) -> tuple[int, _Heard | None]:
    """ "12 МАРТА 2004 Г.": the figures by both networks, the month by its word."""
    if len(words) - at < 3:
        return 0, None
    word = words[at + 1]
    if not re.fullmatch(r"\d{1,2}", words[at].figures) or not re.match(r"(19|20)\d\d", words[at + 2].figures):
        return 0, None
    alike = [float(fuzz.ratio(month, word.plain)) for month in _MONTHS]
    month = int(np.argmax(alike))
    if alike[month] < 75:
        return 0, None
    day, year = _figures(image, words[at : at + 1], (1, 2)), _figures(image, [_cut(words[at + 2], 0, 4)], (4,))
    if day is None or year is None:
        return 0, None
    strip = _strip(image, _place([word]))
    second = ocr.read_lines([strip], language="rus")[0].text
    told = [float(fuzz.ratio(name, russian.as_print(second).strip(" .-"))) for name in _MONTHS]
    named = _Heard(
        text=f"{month + 1:02d}",
        chance=min(letter.chance for letter in word.letters),
        # Ten of twelve months are told by half a word, but ИЮНЯ and ИЮЛЯ differ in one letter: it must be read, not guessed.
        agreed=min(_lead(alike), _lead(told)) > 0 and int(np.argmax(told)) == month and told[month] >= 75,
        box=certainty.box(_place([word]).quad, 0, 1),
    )
    behind = at + 3
    count = 4 if behind < len(words) and words[behind].plain in ("Г", "ГОДА") else 3
    return count, _together([replace(day, text=day.text.zfill(2)), named, year])


def _code(image: Pixels, words: Sequence[_Word], values: dict[Detail, FieldReading], *, labelled: bool) -> list[_Word]:
    """Take the unit code out; behind its label also without its hyphen."""
    if Detail.ISSUER_CODE in values:
        return list(words)
    found = next(([word] for word in words if re.fullmatch(r"\D?\d{3,4}[-.]\d{3,4}\D?", word.figures)), [])
    if not found and labelled:
        found = next((run for run in _beside([word for word in words if word.figures])), [])
    heard = _figures(image, found, (6,)) if found else None
    if heard is not None:
        values[Detail.ISSUER_CODE] = heard.field(f"{heard.text[:3]}-{heard.text[3:]}")
    return [word for word in words if word not in found]


def _number(image: Pixels, words: Sequence[_Word], values: dict[Detail, FieldReading], kind: EntryKind) -> list[_Word]:
    """Take the number out: four and six figures, or two and seven, alone or with signs between them."""
    if Detail.DOCUMENT_NUMBER in values:
        return list(words)
    wanted = 9 if kind is EntryKind.FOREIGN_PASSPORT else 10
    run: list[_Word] = []
    best: list[_Word] = []
    for word in [*words, None]:
        if word is not None and (word.figures or word.plain in ("№", "N", "НОМЕР", "СЕРИЯ")):
            run.append(word)
            continue
        if sum(c in DIGITS for w in run for c in w.figures) > sum(c in DIGITS for w in best for c in w.figures):
            best = run
        run = []
    signs = [word for word in best if word.figures]
    if abs(sum(len(re.sub(r"\D", "", word.figures)) for word in signs) - wanted) > 1:
        return list(words)
    heard = [_figures(image, part, range(1, 11)) for part in _beside(signs)]
    told = [one for one in heard if one is not None]
    whole = _together(told) if told and len(told) == len(heard) else None
    if whole is not None and len(whole.text) == wanted:
        values[Detail.DOCUMENT_NUMBER] = whole.field(whole.text)
    return [word for word in words if word not in best]


def _beside(words: Sequence[_Word]) -> Iterator[list[_Word]]:
    """Words that follow each other on one line with nothing but a space between them."""
    run: list[_Word] = []
    for word in words:
        if run and (word.line is not run[0].line or _far(run[-1], word)):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _far(left: _Word, right: _Word) -> bool:
    """Whether more than a space lies between two words of one line: a sign, a label or nothing at all."""
    gap = (right.letters[0].at - left.letters[-1].at) * left.line.width
    return gap > 1.3 * left.line.height


def _act(image: Pixels, words: Sequence[_Word], values: dict[Detail, FieldReading]) -> list[_Word]:
    """Take the number of the registry's record out: one to six figures behind its label."""
    left = [word for word in words if word.plain not in ("№", "N")]
    figures = next(_beside([word for word in left if word.figures]), [])
    digits = sum(c in DIGITS for word in figures for c in word.figures)
    if Detail.ACT_NUMBER in values or not 1 <= digits <= 6:
        return left
    heard = _figures(image, figures, range(1, 7))
    if heard is None:
        return left
    agreed = heard.agreed and len(heard.text) == digits  # nothing else says how many there are: three looks must
    values[Detail.ACT_NUMBER] = replace(heard, agreed=agreed).field(heard.text)
    return [word for word in left if word not in figures]


def _put_dates(values: dict[Detail, FieldReading], seen: Sequence[tuple[date, FieldReading, bool]], kind: EntryKind) -> None:
    """Name the days: a passport's first is its issue; of a marriage's two the one of birth is said to be, or is the earlier."""
    if _PAGE_OF[kind] is PageKind.EARLIER_PASSPORTS:
        if seen:
            values[Detail.ISSUED_ON] = seen[0][1]
        return
    births = [field for _, field, birth in seen if birth]
    others = [(on, field) for on, field, birth in seen if not birth]
    if not births and len(others) >= 2:
        others.sort(key=lambda one: one[0])
        births = [others.pop(0)[1]]
    if births:
        values[Detail.DATE_OF_BIRTH] = births[0]
    if others:
        values[Detail.REGISTERED_ON] = others[0][1]
    born, registered = values.get(Detail.DATE_OF_BIRTH), values.get(Detail.REGISTERED_ON)
    if born and registered and int(registered.value[:4]) - int(born.value[:4]) < 14:  # nobody marries so young: one is misread
        for detail in (Detail.DATE_OF_BIRTH, Detail.REGISTERED_ON):
            values[detail] = replace(values[detail], certain=False, confidence=min(values[detail].confidence, 0.5))


def _own_number(image: Pixels, row: _Row) -> FieldReading | None:
    """The passport's own number, which stands on its pages without a word beside it."""
    words = _number_words(row)
    if not words:
        return None
    heard = [_figures(image, part, range(1, 11)) for part in _beside(words)]
    told = [one for one in heard if one is not None]
    whole = _together(told) if told and len(told) == len(heard) else None
    return whole.field(whole.text) if whole is not None and len(whole.text) == 10 else None


# ---------------------------------------------------------------- words


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Said:
    """A row of a value: its letters (a space between words) with the line they are places on, and what Tesseract read."""

    letters: tuple[Letter, ...]
    line: Line
    second: str = ""
    trimmed: bool = False
    may_have_points: bool = False
    respaced: bool = False

    @property
    def text(self) -> str:
        return "".join(letter.character for letter in self.letters)

    @property
    def odds(self) -> list[float]:
        return [letter.chance for letter in self.letters if letter.character != " "]

    @property
    def agreed(self) -> bool:
        """Whether the second reader has the very same text, and nothing beside it was taken for no print."""
        return bool(self.letters) and not self.trimmed and not self.respaced and russian.as_print(self.text) == self.other

    @property
    def other(self) -> str:
        """What Tesseract read, less the signs that it makes of a frame's or a label's edge."""
        text = russian.as_print(self.second).strip(_EDGES).lstrip(_EDGES + ".")
        return text if self.may_have_points else text.rstrip(_EDGES + ".")

    def spaced(self) -> _Said:
        """With the second reader's spaces and points where it has the same letters: narrow ones are easily lost."""
        second = self.other
        if "." not in self.text:
            second = re.sub(r"(?<=[А-ЯЁ]{5})\.(?= |$)", "", second)  # dirt behind a whole word
        signless = re.sub("[ .]", "", self.text)
        if not signless or signless != re.sub("[ .]", "", second):
            return self
        plain = [letter for letter in self.letters if letter.character != " "]
        letters: list[Letter] = []
        for character in second:
            if plain and plain[0].character == "." != character:
                plain.pop(0)
            if plain and plain[0].character == character:
                letters.append(plain.pop(0))
            else:
                following = plain[0].at if plain else letters[-1].at
                letters.append(Letter(character=character, chance=1.0, at=(letters[-1].at + following) / 2))
        return replace(self, letters=tuple(letters), respaced="".join(one.character for one in letters) != self.text)


def _put_words(image: Pixels, values: dict[Detail, FieldReading], parts: dict[Detail, list[tuple[_Word, ...]]]) -> None:
    """Read the values in letters again, closely, and have Tesseract read them all in one start."""
    said = [(detail, one) for detail, rows in parts.items() for row in rows for one in _read_closely(image, row, detail)]
    texts = ocr.read_lines([_strip(image, _tight(one)) for _, one in said], language="rus")
    heard: dict[Detail, list[_Said]] = {}
    for (detail, one), text in zip(said, texts, strict=True):
        heard.setdefault(detail, []).append(replace(one, second=text.text).spaced())
    for detail, rows in heard.items():
        field = _field(detail, rows)
        if field is not None:
            values[detail] = field


def _read_closely(image: Pixels, words: Sequence[_Word], detail: Detail) -> Iterator[_Said]:
    """Each line's share of a value, read at several widths with what the value may hold."""
    alphabet = _TEXT if detail is Detail.ISSUER else _NAME
    runs: list[list[_Word]] = []
    for word in words:
        if runs and runs[-1][0].line is word.line:
            runs[-1].append(word)
        else:
            runs.append([word])
    for run in runs:
        place = _place(run)
        seen = text_lines.read_print(image, place.quad, widths=text_lines.PRINT_WIDTHS)
        read = _split(seen.letters(alphabet))
        if alphabet is _TEXT:
            figures = seen.letters(DIGITS + " ")
            read = [_by_neighbours(word, figures) for word in read]
        kept = list(read)
        while len(kept) > 1 and _mean(kept[-1]) < _NO_PRINT:
            kept.pop()
        while len(kept) > 1 and _mean(kept[0]) < _NO_PRINT:
            kept.pop(0)
        if alphabet is _NAME:
            while len(kept) > 1 and all(letter.character == "-" for letter in kept[-1]):
                kept.pop()
        labels = [at for at, ones in enumerate(kept[:3]) if _of_a_label("".join(one.character for one in ones))]
        kept = kept[labels[-1] + 1 :] if labels else kept
        letters: list[Letter] = []
        for ones in kept:
            if letters:
                letters.append(Letter(character=" ", chance=1.0, at=(letters[-1].at + ones[0].at) / 2))
            letters += ones
        if letters:
            yield _Said(letters=tuple(letters), line=place, trimmed=len(kept) < len(read), may_have_points=alphabet is _TEXT)


def _of_a_label(text: str) -> bool:
    """Whether a word is one of a stamp's own, as far as it can be told."""
    return any(text == word or (len(word) > 4 and fuzz.ratio(word, text) > _LABEL) for word in _LABEL_WORDS)


def _mean(letters: Sequence[Letter]) -> float:
    return float(np.mean([letter.chance for letter in letters]))


def _by_neighbours(word: list[Letter], figures: Sequence[Letter]) -> list[Letter]:
    """A word of figures as figures alone, another one without them: О and 0, З and 3 are told apart by nothing else."""
    others = [letter.character for letter in word if letter.character not in "0О3З"]
    letters, digits = sum(c in CYRILLIC for c in others), sum(c in DIGITS for c in others)
    if letters > digits:
        twins = {"0": "О", "3": "З"}
        return [replace(letter, character=twins.get(letter.character, letter.character)) for letter in word]
    again = [one for one in figures if word[0].at - 1e-6 <= one.at <= word[-1].at + 1e-6 and one.character != " "]
    return again if digits > letters and len(again) == len(word) else word


def _field(detail: Detail, rows: Sequence[_Said]) -> FieldReading | None:
    """Join the rows of a value; None where they are no print that can be read."""
    plain: list[_Said] = []
    for row in rows:  # a number may stand in the next row
        few = sum(one.character in CYRILLIC for one in row.letters) <= _FEW_LETTERS
        if not few or not plain or plain[-1].text.endswith("№"):
            plain.append(row)
    odds = [chance for row in plain for chance in row.odds]
    agreed = all(row.agreed for row in plain) and all(row in plain or float(np.mean(row.odds)) < _PLAIN for row in rows)
    rows = plain
    if not odds or (not agreed and (min(odds) < _SHOWN or float(np.mean(odds)) < _PLAIN)):
        return None
    value, letters = "", list[Box | None]()
    for row in rows:
        joined = value.endswith("-")  # a word broken at its hyphen
        if value and not joined:
            value, letters = value + " ", [*letters, None]
        value, letters = value + row.text, [*letters, *russian.letter_boxes(row.letters, row.line)]
    if detail is not Detail.ISSUER:
        if len(value) < 2 or value.startswith("-") or value.endswith("-"):
            return None
        if detail is Detail.PATRONYMIC and (sex_of_patronymic(value) is None or (" " in value and not value.endswith(_TURKIC))):
            agreed = False  # its end may be covered, or it is another name, too
        if (len(rows) > 1 and "-" not in value) or (" " in value and detail in (Detail.SURNAME, Detail.SURNAME_AFTER)):
            agreed = False  # no name has two rows but a broken one, hardly any surname has two words
    if _LABEL_WORDS & set(value.split()):
        agreed = False
    if detail is Detail.ISSUER and re.search(r"\.[А-ЯЁ]|№$", value):
        agreed = False  # a narrow space behind a point, or a number, may have been overlooked
    certain = agreed and min(odds) > _CLEAR
    return FieldReading(
        value=value,
        confidence=round(0.98 if certain else min(0.9, min(odds)), 4),
        certain=certain,
        source=Source.VIZ,
        box=_hull([certainty.box(_tight(row).quad, 0, 1) for row in rows]),
        letters=tuple(letters),
    )


def _tight(said: _Said) -> Line:
    """The part of the line that its letters cover."""
    width, height = said.line.width, said.line.height
    left, right = said.letters[0].at * width - _EDGE * height, said.letters[-1].at * width + _EDGE * height
    return Line(quad=mrz_zone.stretched(said.line.quad, left, right), score=said.line.score)


def _strip(image: Pixels, line: Line) -> ocr.Grey:
    """Crop for Tesseract: letters about 32 high, grey: a stamp's ink may be of any colour."""
    strip = text_lines.crop(image, line.quad, height=round(ocr.LETTER * 1.6))
    return np.asarray(strip.min(axis=2), np.uint8)


# ---------------------------------------------------------------- boxes


def _hull(boxes: Sequence[Box]) -> Box:
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return left, top, right - left, bottom - top


def _around(rows: Iterable[_Row]) -> Box | None:
    boxes = [certainty.box(piece.quad, 0, 1) for row in rows for piece in row.pieces]
    return _hull(boxes) if boxes else None


def _on_photo(entry: Entry, width: int, height: int) -> Entry:
    """The same entry, its boxes cut to the photo; None for one that lies beside it."""
    values = {detail: certainty.on_photo(field, width, height) for detail, field in entry.values.items()}
    return replace(entry, values=values, box=certainty.cut_box(entry.box, width, height))
