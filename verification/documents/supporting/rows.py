"""Printed words and rows of a supporting page: what is read of each marked line, and which lines stand beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from verification import ocr
from verification.documents import lines as text_lines
from verification.documents import mrz_zone
from verification.documents.lines import DIGITS, Letter, Line, Pixels
from verification.documents.spread import CYRILLIC, SIGNS
from verification.evidence import Box

TEXT: Final = CYRILLIC + DIGITS + SIGNS + ":"
ALONG: Final = 0.2  # sine of the angle by which a stamp may lie askew on its page
_BESIDE: Final = 0.42  # of a line's height: farther off its axis another line is in another row
SHOWN: Final = 0.2  # least odds of each character of a value that is given at all
PLAIN: Final = 0.8  # mean odds of its characters: handwriting and smears stay below
_GAP: Final = 1.75  # times the usual distance of letters: as wide as a space
_FURTHER: Final = 1.6  # heights of a line that are looked at beyond its ends
_A_WORD: Final = 0.6  # least odds of each letter of a word that stands beyond what was marked
FIGURES: Final = str.maketrans("ОЗІБ", "0316")
Direction = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Word:
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
        text = self.text.translate(FIGURES)
        own = any(c in DIGITS for c in self.text) or len(text) > 2  # a small "от" is read as О
        return text if own and 2 * sum(c in DIGITS for c in text) > len(text.strip(".,-()")) else ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """Printed lines beside each other, from the left, and their words."""

    pieces: tuple[Line, ...]
    words: tuple[Word, ...]

    @property
    def centre(self) -> Direction:
        return np.asarray(np.mean([piece.centre for piece in self.pieces], axis=0), np.float32)

    @property
    def height(self) -> float:
        return float(np.median([piece.height for piece in self.pieces]))

    @property
    def joined(self) -> str:
        return "".join(word.plain for word in self.words)


def sine_of(line: Line, way: Direction) -> float:
    """Of the angle between a line, read either way, and a direction."""
    return float(line.direction[0] * way[1] - line.direction[1] * way[0])


def words_of(image: Pixels, line: Line, lines: Sequence[Line]) -> tuple[Word, ...]:
    """Read one marked line, a little further than it is marked: a letter at its end may be half inside."""
    reach = _FURTHER * line.height
    before, behind = (min(reach, 0.5 * gap) for gap in _room(line, lines))
    width = line.width
    longer = Line(quad=mrz_zone.stretched(line.quad, -before, width + behind), score=line.score)
    whole = before + width + behind
    start, end = before / whole, (before + width) / whole
    words = []
    for word in in_words(text_lines.read_print(image, longer.quad).letters(TEXT)):
        inside = [letter for letter in word if start <= letter.at <= end]
        if not inside and (len(word) < 2 or min(letter.chance for letter in word) < _A_WORD):
            continue  # a frame, a neighbour's edge, the paper's pattern
        near = [letter for letter in word if letter in inside or letter.chance >= _A_WORD]
        stuck = re.match(r"(\d{1,2}|[А-Я]{1,3}\.)(?=[А-ЯЁ]{3})", "".join(letter.character for letter in near))  # "11АПРЕЛЯ"
        cut = stuck.end() if stuck else 0
        words += [Word(letters=tuple(letters), line=longer) for letters in (near[:cut], near[cut:]) if letters]
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


def in_words(letters: Sequence[Letter]) -> list[list[Letter]]:
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


def rows_on(lines: Sequence[Line], words: dict[int, tuple[Word, ...]], way: Direction) -> list[Row]:
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
            rows.append(Row(pieces=tuple(pieces), words=said))
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


def number_words(row: Row) -> list[Word]:
    """A row's words where they are ten figures and nothing else but, at one end, the page's own number of two; else none."""
    if not all(word.figures for word in row.words):
        return []
    for words in (row.words, row.words[1:], row.words[:-1]):
        count = sum(c in DIGITS for word in words for c in word.figures)
        if count == 10 and (words is row.words or len(row.words) > 2):
            return list(words)
    return []


def digits_in(word: Word) -> int:
    return sum(c in DIGITS for c in word.figures)


def pixels_apart(upper: Row, lower: Row) -> float:
    """Pixels between the axes of two rows."""
    line = max((*upper.pieces, *lower.pieces), key=lambda piece: piece.width)
    across = np.array([-line.direction[1], line.direction[0]], np.float32)
    return abs(float((lower.centre - upper.centre) @ across))


def place_of(words: Sequence[Word]) -> Line:
    """The part of their line that words cover, with half a letter to each side."""
    line = words[0].line
    left = words[0].letters[0].at * line.width - 0.55 * line.height
    right = words[-1].letters[-1].at * line.width + 0.55 * line.height
    return Line(quad=mrz_zone.stretched(line.quad, max(0.0, left), min(line.width, right)), score=line.score)


def cut_word(word: Word, start: int, end: int) -> Word:
    return replace(word, letters=word.letters[start:end])


def runs_of(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Words that follow each other on one line with nothing but a space between them."""
    run: list[Word] = []
    for word in words:
        if run and (word.line is not run[0].line or _far(run[-1], word)):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _far(left: Word, right: Word) -> bool:
    """Whether more than a space lies between two words of one line: a sign, a label or nothing at all."""
    gap = (right.letters[0].at - left.letters[-1].at) * left.line.width
    return gap > 1.3 * left.line.height


def strip_of(image: Pixels, line: Line) -> ocr.Grey:
    """Crop for Tesseract: letters about 32 high, grey: a stamp's ink may be of any colour."""
    strip = text_lines.crop(image, line.quad, height=round(ocr.LETTER * 1.6))
    return np.asarray(strip.min(axis=2), np.uint8)


def hull(boxes: Sequence[Box]) -> Box:
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return left, top, right - left, bottom - top
