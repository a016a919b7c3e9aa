"""Values in letters on a supporting page: read closely by our own network, and by Tesseract beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from verification import ocr
from verification.documents import certainty, mrz_zone, russian
from verification.documents import lines as text_lines
from verification.documents.lines import DIGITS, Letter, Line, Pixels
from verification.documents.plausibility import sex_of_patronymic
from verification.documents.spread import CYRILLIC
from verification.documents.supporting.labels import LABEL_WORDS, TURKIC, of_a_label
from verification.documents.supporting.rows import PLAIN, SHOWN, TEXT, Word, hull, in_words, place_of, strip_of
from verification.evidence import Box, FieldReading, Source
from verification.papers import Detail

_NAME: Final = CYRILLIC + " -"
_CLEAR: Final = 0.85  # as of figures, of letters: blurred И was Н for both readers at 0.80; right ones stayed above 0.84
_NO_PRINT: Final = 0.5  # mean odds of the letters of a word at a value's end, below: a seal, a signature, a frame
_PIECE: Final = 2  # letters of a name that may be a piece of another
_FEW_LETTERS: Final = 2  # letters of a row: no office's name has so few in one, signatures and seals are read as such
_EDGE: Final = 0.45  # heights of a line from the middle of a value's outer letter: beyond stand labels and frames
_EDGES: Final = " ,:;'\"‚‹›’‘|_-*+<>[]{}()°~`"


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


def put_words(image: Pixels, values: dict[Detail, FieldReading], parts: dict[Detail, list[tuple[Word, ...]]]) -> None:
    """Read the values in letters again, closely, and have Tesseract read them all in one start."""
    said = [(detail, one) for detail, rows in parts.items() for row in rows for one in _read_closely(image, row, detail)]
    texts = ocr.read_lines([strip_of(image, _tight(one)) for _, one in said], language="rus")
    heard: dict[Detail, list[_Said]] = {}
    for (detail, one), text in zip(said, texts, strict=True):
        heard.setdefault(detail, []).append(replace(one, second=text.text).spaced())
    for detail, rows in heard.items():
        field = _field(detail, rows)
        if field is not None:
            values[detail] = field
    father = values.get(Detail.PATRONYMIC)
    if father is not None and " " in father.value and not father.value.endswith(TURKIC):  # a word too many: which is whose?
        for detail in (Detail.SURNAME, Detail.GIVEN_NAMES):
            if detail in values:
                values[detail] = replace(values[detail], certain=False, confidence=min(values[detail].confidence, 0.9))


def _read_closely(image: Pixels, words: Sequence[Word], detail: Detail) -> Iterator[_Said]:
    """Each line's share of a value, read at several widths with what the value may hold."""
    alphabet = TEXT if detail is Detail.ISSUER else _NAME
    runs: list[list[Word]] = []
    for word in words:
        if runs and runs[-1][0].line is word.line:
            runs[-1].append(word)
        else:
            runs.append([word])
    for run in runs:
        place = place_of(run)
        seen = text_lines.read_print(image, place.quad, widths=text_lines.PRINT_WIDTHS)
        read = in_words(seen.letters(alphabet))
        if alphabet is TEXT:
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
        labels = [at for at, ones in enumerate(kept[:3]) if of_a_label("".join(one.character for one in ones))]
        kept = kept[labels[-1] + 1 :] if labels else kept
        letters: list[Letter] = []
        for ones in kept:
            if letters:
                letters.append(Letter(character=" ", chance=1.0, at=(letters[-1].at + ones[0].at) / 2))
            letters += ones
        if letters:
            yield _Said(letters=tuple(letters), line=place, trimmed=len(kept) < len(read), may_have_points=alphabet is TEXT)


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
    agreed = all(row.agreed for row in plain) and all(row in plain or float(np.mean(row.odds)) < PLAIN for row in rows)
    rows = plain
    if not odds or (not agreed and (min(odds) < SHOWN or float(np.mean(odds)) < PLAIN)):
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
        if detail is Detail.PATRONYMIC and (sex_of_patronymic(value) is None or (" " in value and not value.endswith(TURKIC))):
            agreed = False  # its end may be covered, or it is another name, too
        if len(value) <= _PIECE:
            agreed = False  # of ЖЕРЕБЦОВА, marked in two pieces, the second was a given name ВА
        if (len(rows) > 1 and "-" not in value) or (" " in value and detail in (Detail.SURNAME, Detail.SURNAME_AFTER)):
            agreed = False  # no name has two rows but a broken one, hardly any surname has two words
    if LABEL_WORDS & set(value.split()):
        agreed = False
    if detail is Detail.ISSUER and re.search(r"\.[А-ЯЁ]|№$", value):
        agreed = False  # a narrow space behind a point, or a number, may have been overlooked
    certain = agreed and min(odds) > _CLEAR
    return FieldReading(
        value=value,
        confidence=round(0.98 if certain else min(0.9, min(odds)), 4),
        certain=certain,
        source=Source.VIZ,
        box=hull([certainty.box(_tight(row).quad, 0, 1) for row in rows]),
        letters=tuple(letters),
    )


def _tight(said: _Said) -> Line:
    """The part of the line that its letters cover."""
    width, height = said.line.width, said.line.height
    left, right = said.letters[0].at * width - _EDGE * height, said.letters[-1].at * width + _EDGE * height
    return Line(quad=mrz_zone.stretched(said.line.quad, left, right), score=said.line.score)
