"""Read the Russian internal passport, by its printed pages alone or beside its zone.

Our own network reads every row, masked by what a field may hold. It alone makes nothing certain: the number needs both red
prints or both networks, a date or the code both networks, a row of Cyrillic Tesseract or the zone beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from verification import ocr
from verification.documents import beam, certainty, covered, ctc, mrz_zone, page, spread
from verification.documents import lines as text_lines
from verification.documents.lines import Floats, Letter, Line, Pixels, Quad
from verification.documents.plausibility import sex_of_patronymic
from verification.documents.spread import CYRILLIC, SIGNS, Mark, Marks, Pages, Row, day, landmarks
from verification.evidence import Box, DocumentReading, DocumentType, Field, FieldReading, Source
from verification.reasons import ReasonCode

__all__ = ["Spread", "landmarks", "other_print", "read_spread", "with_page"]

_FROM_LATIN: Final = str.maketrans("ABEKMHOPCTYX", "АВЕКМНОРСТУХ")
_NAMES: Final = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)
_NAME: Final = CYRILLIC + " -"  # what a name may hold, and what any other row may
_TEXT: Final = CYRILLIC + text_lines.DIGITS + SIGNS
_ROWS: Final = {
    Field.SURNAME: _NAME, Field.GIVEN_NAMES: _NAME, Field.PATRONYMIC: _NAME, Field.PLACE_OF_BIRTH: _TEXT, Field.ISSUER: _TEXT,
}  # fmt: skip
_PRINTED: Final[tuple[dict[str, Field], ...]] = (  # what stands on page 2, and on page 3
    {
        "issuer": Field.ISSUER, "date_of_issue": Field.ISSUED_ON, "issuer_code": Field.ISSUER_CODE,
        "number_upper": Field.DOCUMENT_NUMBER,
    },
    {
        "surname": Field.SURNAME, "given_names": Field.GIVEN_NAMES, "patronymic": Field.PATRONYMIC,
        "date_of_birth": Field.DATE_OF_BIRTH, "place_of_birth": Field.PLACE_OF_BIRTH, "number_lower": Field.DOCUMENT_NUMBER,
    },
)  # fmt: skip
_MOSTLY: Final = 3  # rows of a field that most papers use: a fourth that is cut off is seldom missed
_FURTHER: Final = 2.6  # heights of a row that are looked at beyond both its ends: short words stand apart ("ТП", "Г.")
_A_WORD: Final = 0.6  # least odds of each letter of a word that stands beyond what was marked as the row
_NOTHING: Final = 0.45  # a word at a row's end whose letters all stay below is a label's rest or the paper's pattern
_TITLE: Final = "РОССИЙСКАЯФЕДЕРАЦИЯ"  # printed above the issuer
_ALIKE: Final = 60.0  # per cent of letters in common from which a row is the title
_LETTER_OR_FIGURE: Final = "0О3З"
_TWICE: Final = 0.5  # of the usual distance of letters: nearer than this two of a kind are one
_ALONE: Final = "ГСДПХВ"  # a field may begin with these alone (a dot lost, or "В"); the hologram's letters are Р and Ф
_FAINT: Final = 0.25  # least odds of a letter of a word at a name's end: below, it is no print
_OFF: Final = 0.3  # of the distance of two rows: farther off, rows before it may be lost
_PLAIN: Final = 0.89  # confidence of a sex read in all three letters, each of odds 0.9 or more (0.9, rounded)
_WIDE: Final = 2.2  # times the usual distance of letters: Ш behind narrow ones stands up to 2 off, a hologram's letter farther
_GAP: Final = 1.75  # times the usual distance of letters: in print of one width a space makes it 2
_SURE: Final = 0.6  # least odds of each letter of a certain value, beside a second reader that agrees
_STANDING: Final = ("Г", "С", "Д", "П", "Х", "К", "ПОС", "ДЕР", "ГОР", "ОБЛ", "РЕСП", "СТ", "АВТ", "ОКР", "ИМ")
_KNOWN: Final = frozenset({*_STANDING, "УЛ", "РАЙ", "КР", "ПГТ", "РП", "СТ-ЦА", "ЖД"})
_FIRM: Final = 0.85  # odds of a dot at a row's end; specks of paper read as one had 0.57 to 0.81
_DOTTED: Final = 16.0  # times likelier that a dot follows one of these than none
_ENDED: Final = 4.0  # times likelier that none follows another word
_SPACED: Final = 16.0  # times likelier that a space follows a dot than a letter. A lost space had odds of 0.7, printed none: 0.01
_YIELDS: Final = -2.0  # log odds by which Tesseract's text may be less likely: right ones from -0.6 on, wrong ones below -4.9
_SPECKS: Final = ',/№"()'  # signs that Tesseract sees in the paper's pattern
_WRITTEN: Final = 0.7  # mean odds of a name's letters. Written by hand: 0.44 to 0.66; printed: 0.85 and more (141 names)
_LABELS: Final = (
    "ФАМИЛИЯ", "ИМЯ", "ОТЧЕСТВО", "ДАТАРОЖДЕНИЯ", "МЕСТОРОЖДЕНИЯ", "ПАСПОРТВЫДАН", "ДАТАВЫДАЧИ", "КОДПОДРАЗДЕЛЕНИЯ", "ЛИЧНЫЙКОД",
    "ЛИЧНАЯПОДПИСЬ",
)  # fmt: skip
"""The page's own labels, letters alone (facts 3.1). ПОЛ is left out: it is a name too."""
_LONG_LABEL: Final = 7  # letters from which a label may be told with letters misread
_LIKE_LABEL: Final = 0.8
"""Share of letters alike: КОД ПОДРАЗДЕЛЕ ИЯ has 0.94; of 34,255 names and places drawn at random the likest has 0.71."""
_PENNED: Final = 0.78  # mean odds of all letters of a page. By hand: 0.47 to 0.72 (20 papers); printed, "hard": 0.86 on (21)
_FEW: Final = 2  # letters of a word, or of a row: a stamp's strokes look like so many
_LEGIBLE: Final = 20  # clear letters from which a row is one that can be read
_SURE_MARK: Final = {"Е": 0.9, "Ё": 0.9, "И": 0.9, "Й": 0.9}
"""The same of letters that differ from another in a mark alone, which both readers lose first; two dots before anything else."""
_SURE_NAMED: Final = 0.99  # of Е in a name: in 448 blurred rows of names rich in Ё it stood as Е, read so twice, at up to 0.985
_CLEAR: Final = 0.8  # of each letter of a name by which the zone may be contradicted


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spread:
    """A reading of an internal passport without a zone, and how it lies."""

    reading: DocumentReading
    quarter_turns: int
    corners: Quad


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Heard:
    """One row as our network read it (its characters with their places along `line`), and as Tesseract did.

    `odds`: what the network saw along the whole line, columns blank and then the `alphabet`'s characters. `yielded`: the
    letters are Tesseract's, which our network would have read otherwise.
    """

    letters: tuple[Letter, ...]
    line: Line
    at: int  # which of the field's rows
    complete: bool = True  # it stands where that row is planned, and all rows of the field lie on the photo
    second: str = ""
    odds: Floats | None = None
    alphabet: str = ""
    yielded: bool = False
    trimmed: bool = False  # a clear letter of the marked row was left out
    marked: bool = True  # False: read at its planned place, since a stamp was marked over it

    @property
    def text(self) -> str:
        return "".join(letter.character for letter in self.letters)

    @property
    def chance(self) -> float:
        return min((letter.chance for letter in self.letters if letter.character != " "), default=0.0)

    @property
    def agreed(self) -> bool:
        """Whether the second reader has the very same text, and no gap between letters is as wide as a space."""
        gaps = np.diff([letter.at for letter in self.letters if letter.character != " "])
        spaced = self.text.count(" ") + 1
        wide = int((gaps > _GAP * float(np.median(gaps))).sum()) + 1 if len(gaps) else 1
        return (
            bool(self.letters)
            and self.marked
            and not self.yielded
            and not self.trimmed
            and as_print(self.text) == as_print(self.second)
            and wide <= spaced
        )

    def joined_by(self, second: str) -> _Heard:
        """With Tesseract's text; where our network finds that nearly as likely as its own it stands, and is not certain.

        Each letter keeps the odds that our network gives it: what it does not see itself is never clear.
        """
        heard = replace(self, second=second)
        text = as_print(second)
        if self.odds is None or len(self.letters) < 2 or not set(text) <= {*self.alphabet} - {*_SPECKS} | {*self.text}:
            return heard
        closer = text.replace(" ", "") == self.text.replace(" ", "") and len(text) < len(self.text)  # Щ stands as wide as a space
        loses = ctc.plainer(text, self.text) or text.count("Ё") < self.text.count("Ё")
        if loses or (_bare(text) in ("", _bare(self.text)) and not closer):
            return heard  # dots, spaces and marks it knows badly
        count = len(self.odds)
        beside = 0.75 * float(np.median(np.diff([letter.at for letter in self.letters])))
        start = max(0, int((self.letters[0].at - beside) * count))
        part = self.odds[start : min(count, int((self.letters[-1].at + beside) * count) + 1)]
        own, *others = (  # a dot at the row's end may be one that it alone sees, in the paper's pattern
            tuple(self.alphabet.index(c) + 1 for c in one) for one in dict.fromkeys((self.text, text, text.rstrip(" .")))
        )
        other = max(others, key=lambda one: _score(part, one, self.alphabet))
        if _score(part, other, self.alphabet) - _score(part, own, self.alphabet) < (0.0 if closer else _YIELDS):
            return heard
        letters = ctc.spelled(part, self.alphabet, other)
        placed = tuple(replace(letter, at=(start + letter.at * len(part)) / count) for letter in letters)
        return replace(heard, letters=placed, yielded=True)


# ---------------------------------------------------------------- the spread without a zone


def read_spread(image: Pixels, found: Sequence[Line], *, today: date) -> Spread | None:
    """Read an internal passport that has no (readable) zone; None where nothing shows that it is one."""
    marks = spread.marks_on(image, found)
    pages = spread.place(marks, None, found) if marks is not None else None
    if marks is None or pages is None:
        return None
    seen, by_hand = _page_fields(image, found, marks, pages, today=today)
    fields = _anchored(seen, marks, pages)
    if not _is_passport(fields, alone=len(marks.dates) + len(marks.codes) + len(marks.numbers) == 1):
        return None
    if not marks.codes and len(marks.dates) == 1 and not marks.numbers and Field.SEX not in fields:
        return None  # page 2 without its code and its number, its only date taken for the birth's
    if _clash(marks.numbers):  # pages of two books, perhaps: then nothing says whose the other values are
        fields = {name: replace(field, certain=False, confidence=min(field.confidence, 0.5)) for name, field in fields.items()}
    corners = spread.corners_of(pages.whole)
    height, width = image.shape[:2]
    hidden = _covered(image, spread.places(found, marks, pages))
    fields = _unsure(fields, hidden)
    hidden = {name: reason for name, reason in hidden.items() if name not in fields or not fields[name].certain}
    problems = (*_problems(fields, marks, corners, width, height, hidden), *([ReasonCode.DOCUMENT_HANDWRITTEN] * by_hand))
    reading = DocumentReading(
        document_type=DocumentType.RU_INTERNAL,
        country="RUS",
        fields=fields,
        portrait=page.portrait_box(DocumentType.RU_INTERNAL, corners, width, height),
        problems=problems,
        hidden=hidden,
        missing=page.missing(corners, width, height) if ReasonCode.DOCUMENT_CUT_OFF in problems else (),
    )
    return Spread(reading=reading, quarter_turns=page.quarter_turns(marks.direction), corners=corners)


def _anchored(fields: dict[Field, FieldReading], marks: Marks, pages: Pages) -> dict[Field, FieldReading]:
    """Take the certainty from rows of a page that only the other page's marks place, or that is placed at another scale.

    They may be the rows above or below.
    """
    if len(marks.numbers) >= 2 and spread.fits_its_numbers(marks, pages):
        return fields
    named = {name for _, name in spread.named_dates(marks, pages.whole)}
    astray = {Field.ISSUER} if not named & {"issuer_code", "date_of_issue"} else set()
    if not spread.fits_its_numbers(marks, pages):
        astray |= {*_NAMES, Field.PLACE_OF_BIRTH, Field.ISSUER}
    if "date_of_birth" not in named:
        astray |= {*_NAMES, Field.PLACE_OF_BIRTH}
    return {
        name: replace(field, certain=False, confidence=min(field.confidence, 0.9)) if name in astray else field
        for name, field in fields.items()
    }


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


def _unsure(fields: dict[Field, FieldReading], hidden: Iterable[Field]) -> dict[Field, FieldReading]:
    """Take the certainty from words that something lies over or beside: what it leaves may be a whole, shorter name.

    Figures have a length that is known, so a part of them is none; both readers saw all of those.
    """
    touched = set(hidden) & _ROWS.keys()
    return {
        name: replace(field, certain=False, confidence=min(field.confidence, 0.9)) if name in touched else field
        for name, field in fields.items()
    }


def _covered(picture: Pixels, places: dict[str, list[Quad]]) -> dict[Field, ReasonCode]:
    """Which fields' places something covers, or the photo's edge cuts."""
    hidden: dict[Field, ReasonCode] = {}
    for printed in _PRINTED:
        seen = covered.covered(picture, [{name: places[name][:_MOSTLY] for name in printed if name in places}])
        for name, reason in seen.items():
            hidden.setdefault(printed[name], reason)
    return hidden


def _problems(
    fields: dict[Field, FieldReading], marks: Marks, corners: Quad, width: int, height: int, hidden: dict[Field, ReasonCode]
) -> Iterable[ReasonCode]:
    codes = [code for code in marks.codes if spread.has_date_beside(code, marks)]
    if any(len({mark.text for mark in kind if mark.agreed}) > most for kind, most in ((marks.dates, 2), (codes, 1))):
        yield ReasonCode.SEVERAL_DOCUMENTS
    if _clash(marks.numbers):
        yield ReasonCode.ZONES_DISAGREE
    yield from (reason for reason in (ReasonCode.DOCUMENT_GLARE, ReasonCode.DOCUMENT_COVERED) if reason in hidden.values())
    if page.outside(corners, width, height) > 0.25 or ReasonCode.DOCUMENT_CUT_OFF in hidden.values():
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
    truncated: bool,
    today: date,
) -> tuple[dict[Field, FieldReading], bool, dict[Field, ReasonCode], dict[Field, FieldReading]]:
    """Add what the printed pages say to the zone's `fields`; the flag says whether the two contradict each other.

    Also returns what hides a printed value or the pen that wrote it, by field, and what the pages say for themselves.

    A value that both say becomes "both"; what only the page says is added. The zone's letters win where they differ,
    but then nothing about that field is certain. `truncated`: the zone has not room for the names' ends.
    """
    marks = spread.marks_on(picture, found, direction=direction)
    pages = spread.place(marks, corners, found) if marks is not None else None
    if marks is None or pages is None:
        return _parted(fields, {}), False, {}, {}
    hidden = _covered(picture, spread.places(found, marks, pages))
    on_page, by_hand = _page_fields(picture, found, marks, pages, today=today)
    printed = _unsure(on_page, hidden)
    fields = _parted(fields, printed)
    together, contradiction = dict(fields), False
    for name, seen in printed.items():
        own = fields.get(name)
        if own is None:
            together[name] = seen
        elif _same(name, own.value, seen.value):
            sure = own.certain or (seen.certain and own.value == seen.value)
            own = replace(own, value=_hyphened(own.value, seen.value)) if name in _NAMES else own
            together[name] = replace(own, source=Source.BOTH, confidence=max(own.confidence, 0.98), certain=sure, box=seen.box)
        elif truncated and name in _NAMES and seen.value.startswith(own.value):
            together[name] = replace(seen, certain=False)
        elif _speaks_against(name, own, seen) or _another_name(name, seen, fields):
            # Beside a thumb it may be the thumb's edge, and no other print: then nothing is told, but neither is certain.
            contradiction = contradiction or name not in hidden or name not in _ROWS
            together[name] = replace(own, certain=False, confidence=min(own.confidence, 0.5))
    if _clash(marks.numbers) and Field.DOCUMENT_NUMBER in together:
        contradiction = True
        number = together[Field.DOCUMENT_NUMBER]
        together[Field.DOCUMENT_NUMBER] = replace(number, certain=False, confidence=min(number.confidence, 0.5))
    if by_hand:
        hidden |= {name: ReasonCode.DOCUMENT_HANDWRITTEN for name in _ROWS if name not in hidden}
    return together, contradiction, hidden, printed


def _parted(zone: dict[Field, FieldReading], printed: dict[Field, FieldReading]) -> dict[Field, FieldReading]:
    """Part given names and patronymic as the page does: the zone has one filler for that space and for a double name's hyphen.

    АННА<МАРИЯ of somebody without a patronymic looks like a name and a patronymic. So where the second does not end as
    patronymics do, neither is certain unless the page says the same.
    """
    given, father = zone.get(Field.GIVEN_NAMES), zone.get(Field.PATRONYMIC)
    if given is None or father is None or sex_of_patronymic(father.value) is not None:
        return zone
    seen = {name: field.value for name, field in printed.items() if name in (Field.GIVEN_NAMES, Field.PATRONYMIC)}
    if _same(Field.PATRONYMIC, father.value, seen.get(Field.PATRONYMIC, "")):
        return zone
    both = f"{given.value} {father.value}"
    if _same(Field.GIVEN_NAMES, both, seen.get(Field.GIVEN_NAMES, "")):
        joined = dict(zone)
        del joined[Field.PATRONYMIC]
        return joined | {Field.GIVEN_NAMES: replace(given, value=both, certain=given.certain and father.certain, letters=())}
    return zone | {
        name: replace(field, certain=False, confidence=min(field.confidence, 0.9))
        for name, field in ((Field.GIVEN_NAMES, given), (Field.PATRONYMIC, father))
    }


def _speaks_against(name: Field, own: FieldReading, seen: FieldReading) -> bool:
    """Whether another value on the page counts: two readers of it, and of a name a zone that is not in doubt itself."""
    if name is Field.SEX:
        return seen.confidence >= _PLAIN
    return seen.certain and (own.certain or name not in _NAMES)


def _same(name: Field, a: str, b: str) -> bool:
    return a == b or (name in _NAMES and a.replace("Ё", "Е").replace("-", " ") == b.replace("Ё", "Е").replace("-", " "))


def _hyphened(zone: str, printed: str) -> str:
    """The zone's letters (it tells Ё from Е) with the print's hyphens (it has none): АННА МАРИЯ on the page АННА-МАРИЯ."""
    if len(zone) != len(printed):
        return zone
    return "".join("-" if own == " " and seen == "-" else own for own, seen in zip(zone, printed, strict=True))


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


def other_print(picture: Pixels, rows: Sequence[Quad]) -> bool:
    """Whether rows that were taken for those of a zone nobody can read are plain print: all letters clear, no filler among them.

    A certificate's or licence's long lines are that; a zone that is clear enough for this has 22 clear fillers and more
    (nine zones measured).
    """
    sure: list[str] = []
    for row in rows:
        letters = text_lines.read_print(picture, row).letters(CYRILLIC + text_lines.DIGITS + SIGNS + "<")
        sure += [letter.character for letter in letters if letter.chance > _CLEAR and letter.character != " "]
    return "<" not in sure and len(sure) >= _LEGIBLE


# ---------------------------------------------------------------- reading the fields


def _page_fields(
    picture: Pixels, found: Sequence[Line], marks: Marks, pages: Pages, *, today: date
) -> tuple[dict[Field, FieldReading], bool]:
    """What the printed pages say, and whether a pen wrote it."""
    fields: dict[Field, FieldReading] = {}
    _put_number(fields, marks.numbers)
    _put_dates(fields, {name: mark for mark, name in spread.named_dates(marks, pages.whole)}, today=today)
    rows = spread.rows(found, marks, pages, (picture.shape[1], picture.shape[0]))
    heard = {name: [_read_row(picture, row, alphabet) for row in rows.get(name.value, [])] for name, alphabet in _ROWS.items()}
    unseen = {
        name
        for name, read in heard.items()
        if any((not row.marked and len(_bare(row.text)) > _FEW) or _holds_label(row.text) for row in read)
    }
    heard = {name: [row for row in read if not _is_label(row.text)] for name, read in heard.items()}
    heard = {name: [row for row in read if row.marked or _plain(row)] for name, read in heard.items()}
    heard = _with_second(picture, {name: [row for row in read if row.letters] for name, read in heard.items()})
    for name, read in heard.items():
        _put_rows(fields, name, read)
    _put_sex(fields, picture, spread.sex_place(marks, pages))
    return _unsure(fields, unseen), _by_hand([row for read in heard.values() for row in read], marks)


def _is_label(text: str) -> bool:
    """Whether a row is one of the page's own labels, found where a value was expected: then the rows may be others."""
    said = _bare(text)
    return said in _LABELS or any(
        len(said) >= _LONG_LABEL and Levenshtein.normalized_similarity(said, label) >= _LIKE_LABEL for label in _LABELS
    )


def _holds_label(text: str) -> bool:
    """Whether a row is a label or has one among its words."""
    return _is_label(text) or any(_bare(word) in _LABELS for word in text.split())


def _plain(row: _Heard) -> bool:
    """Whether what was read at a place where nothing was marked is print: a stamp's letters are doubtful, and askew."""
    return any(len(word) > _FEW and min(letter.chance for letter in word) >= _A_WORD for word in _words(row.letters))


def _by_hand(rows: Sequence[_Heard], marks: Marks) -> bool:
    """Whether the page is filled in with a pen: the red number is plain to both networks, all that stands beside it is not."""
    chances = [letter.chance for row in rows for letter in row.letters if letter.character != " "]
    sharp = any(number.agreed and number.chance > _CLEAR for number in marks.numbers)
    return sharp and len(chances) >= _LEGIBLE and float(np.mean(chances)) < _PENNED


def _read_row(picture: Pixels, row: Row, alphabet: str) -> _Heard:
    """Read one row, a little further than it is marked: a short word apart from the rest is not marked at all."""
    reach = _FURTHER * row.line.height
    before, behind = min(row.before, reach), min(row.behind, reach)
    width = row.line.width
    line = Line(quad=mrz_zone.stretched(row.line.quad, -before, width + behind), score=row.line.score)
    whole = before + width + behind
    odds = ctc.of_alphabet(text_lines.read_print(picture, line.quad, widths=text_lines.PRINT_WIDTHS).odds, alphabet)
    told, start, end = _told(odds, alphabet), before / whole, (before + width) / whole
    letters = _kept(told, alphabet, start, end, row.at)
    complete = row.whole and row.off < _OFF
    trimmed = _trimmed(told, letters, start, end)
    return _Heard(
        letters=letters, line=line, at=row.at, complete=complete, odds=odds, alphabet=alphabet, trimmed=trimmed, marked=row.marked
    )  # fmt: skip


def _trimmed(told: Sequence[Letter], kept: Sequence[Letter], start: float, end: float) -> bool:
    """Whether a clear letter of the marked row (`start` to `end`, 0-1) was left out: a hologram's, or a name's wide last one."""
    places = np.array([letter.at for letter in kept if letter.character != " "])
    near = _TWICE * float(np.median(np.diff(places))) if len(places) > 1 else 0.0
    return any(
        letter.character in CYRILLIC and letter.chance >= _A_WORD and start <= letter.at <= end
        and (not len(places) or float(np.abs(places - letter.at).min()) > near)
        for letter in told
    )  # fmt: skip


def _kept(seen: Sequence[Letter], alphabet: str, start: float, end: float, at: int) -> tuple[Letter, ...]:
    """Of what was read along a line the words that are print of this row, the `at`-th of its field, one space between them.

    `start`, `end`: the part of the line (0-1) that was marked as the row; beyond it a word must be clear.
    """
    kept = []
    for word in _words(_once(seen)):
        inside = [letter for letter in word if start <= letter.at <= end]
        if len(inside) in (0, len(word)) or min(letter.chance for letter in word if letter not in inside) >= _CLEAR:
            inside = word if inside or _is_word(word) else []
        if inside:
            kept.append(_by_neighbours(inside) if alphabet is _TEXT else inside)
    while len(kept) > 1 and max(letter.chance for letter in kept[0]) < _NOTHING:
        kept = kept[1:]
    while len(kept) > 1 and max(letter.chance for letter in kept[-1]) < _NOTHING:
        kept = kept[:-1]
    if alphabet is _NAME:  # a hologram's letter or the pattern's: no name begins or ends with a letter alone
        while len(kept) > 1 and (len(kept[0]) == 1 or min(letter.chance for letter in kept[0]) < _FAINT):
            kept = kept[1:]
        while len(kept) > 1 and (len(kept[-1]) == 1 or min(letter.chance for letter in kept[-1]) < _FAINT):
            if len(kept[-1]) == 1 and _wide_letter(kept[-2], kept[-1][0], end):
                kept = [*kept[:-2], [*kept[-2], kept[-1][0]]]
                break
            kept = kept[:-1]
    elif at == 0 and len(kept) > 1 and len(kept[0]) == 1 and kept[0][0].character not in _ALONE:
        kept = kept[1:]
    letters: list[Letter] = []
    for word in kept:
        if letters:
            letters.append(Letter(character=" ", chance=1.0, at=(letters[-1].at + word[0].at) / 2))
        letters += word
    return tuple(letters)


def _wide_letter(word: Sequence[Letter], last: Letter, end: float) -> bool:
    """Whether a letter behind a word is its last: clear, inside the marked row, no farther off than a wide letter's middle is."""
    gaps = np.diff([letter.at for letter in word])
    return len(gaps) > 0 and last.chance >= _CLEAR and last.at <= end and last.at - word[-1].at <= _WIDE * float(np.median(gaps))


def _told(odds: Floats, alphabet: str) -> tuple[Letter, ...]:
    """The likeliest text, its standing abbreviations' dots and the spaces behind them weighed."""
    return ctc.spelled(odds, alphabet, beam.likeliest(odds, _grammar(alphabet) if alphabet is _TEXT else None)[0])


def _score(odds: Floats, text: beam.Text, alphabet: str) -> float:
    """Log odds of a text under the picture and, where signs may stand, the grammar of places and issuers."""
    weigh = _grammar(alphabet) if "." in alphabet else None
    by_grammar = sum(math.log(weigh(text[:at], column)) for at, column in enumerate((*text, 0))) if weigh else 0.0
    return ctc.odds_of(odds, text) + by_grammar


@cache
def _grammar(alphabet: str) -> beam.Weigh:
    """How places and issuers are written: a standing abbreviation has a dot, no other word has, and a space follows a dot."""
    dot, space, hyphen = (alphabet.index(sign) + 1 for sign in ". -")
    letters = {alphabet.index(c) + 1 for c in CYRILLIC}
    standing = {tuple(alphabet.index(c) + 1 for c in word) for word in _STANDING}

    def weigh(text: beam.Text, column: int) -> float:
        if not text or text[-1] == space or (column in letters and text[-1] in letters):
            return 1.0
        if text[-1] == dot:
            return 1 / _SPACED if column in letters else 1.0
        start = next((at for at in range(len(text) - 1, -1, -1) if text[at] in (space, dot)), -1) + 1
        if text[start:] in standing:
            return 1.0 if column in letters or column in (dot, hyphen) else 1 / _DOTTED
        return 1 / _ENDED if column == dot else 1.0

    return weigh


def _once(letters: Sequence[Letter]) -> list[Letter]:
    """Of a letter that was told twice at one place, the clearer telling: two of a kind stand as far apart as any others."""
    gaps = np.diff([letter.at for letter in letters])
    near = _TWICE * float(np.median(gaps)) if len(gaps) else 0.0
    kept: list[Letter] = []
    for letter in letters:
        if kept and letter.character == kept[-1].character != " " and letter.at - kept[-1].at < near:
            kept[-1] = max(kept[-1], letter, key=lambda one: one.chance)
        else:
            kept.append(letter)
    return kept


def _words(letters: Sequence[Letter]) -> list[list[Letter]]:
    """Split at spaces, and at gaps as wide as a space in print of one width."""
    gaps = np.diff([letter.at for letter in letters])
    wide = _GAP * float(np.median(gaps)) if len(gaps) else 0.0
    words: list[list[Letter]] = [[]]
    for at, letter in enumerate(letters):
        if letter.character == " " or (at and gaps[at - 1] > wide):
            words.append([])
        if letter.character != " ":
            words[-1].append(letter)
    return [word for word in words if word]


def _by_neighbours(word: Sequence[Letter]) -> list[Letter]:
    """Tell О from 0 and З from 3 by the rest of the word: no font, or not every font, prints them unlike."""
    others = [letter.character for letter in word if letter.character not in _LETTER_OR_FIGURE]
    letters, figures = sum(c in CYRILLIC for c in others), sum(c in text_lines.DIGITS for c in others)
    if letters == figures:
        return list(word)
    twins = {a if letters > figures else b: b if letters > figures else a for a, b in ("0О", "3З")}
    return [replace(letter, character=twins.get(letter.character, letter.character)) for letter in word]


def _is_word(word: Sequence[Letter]) -> bool:
    """Whether letters that stand alone are print: "ТП" or "Г." are, one letter is a hologram's or the paper's."""
    if min(letter.chance for letter in word) < _A_WORD or not any(letter.character in CYRILLIC for letter in word):
        return False
    return len(word) >= 2


def _with_second(picture: Pixels, heard: dict[Field, list[_Heard]]) -> dict[Field, list[_Heard]]:
    """Have Tesseract read all rows, in one start."""
    rows = [(name, at) for name, read in heard.items() for at in range(len(read))]
    texts = ocr.read_lines([_strip(picture, _tight(heard[name][at])) for name, at in rows], language="rus")
    result = {name: list(read) for name, read in heard.items()}
    for (name, at), text in zip(rows, texts, strict=True):
        result[name][at] = result[name][at].joined_by(text.text)
    return result


def _tight(heard: _Heard) -> Line:
    """The part of the line that its letters cover."""
    width, height = heard.line.width, heard.line.height
    left, right = heard.letters[0].at * width - 0.6 * height, heard.letters[-1].at * width + 0.6 * height
    return Line(quad=mrz_zone.stretched(heard.line.quad, left, right), score=heard.line.score)


def _strip(picture: Pixels, line: Line) -> ocr.Grey:
    """Crop for Tesseract: letters about 32 high, the brightest colour channel (black print stays, coloured lines fade)."""
    strip = text_lines.crop(picture, line.quad, height=round(ocr.LETTER * 1.6))
    return np.asarray(strip.max(axis=2), np.uint8)


def as_print(text: str) -> str:
    """Capitals, Tesseract's Latin look-alikes as Cyrillic, one kind of hyphen and quote, no space around a hyphen."""
    upper = text.upper().translate(_FROM_LATIN)
    for signs, one in (("—–", "-"), ("«»„“”", '"')):
        upper = "".join(one if c in signs else c for c in upper)
    return re.sub(r" ?- ?", "-", " ".join(upper.split()))


def _bare(text: str) -> str:
    """Letters and figures alone."""
    return "".join(c for c in text if c.isalnum())


def _put_rows(fields: dict[Field, FieldReading], name: Field, rows: Sequence[_Heard]) -> None:
    """Join the rows of a field by spaces. Certain where a second reader agrees on every row."""
    rows = [row for row in rows if any(_is_word(word) or len(word) > 2 for word in _words(row.letters))]
    rows = [row for row in rows if fuzz.ratio(row.text.replace(" ", ""), _TITLE) < _ALIKE]
    if not rows or (name in _NAMES and _scrawled(rows)):
        return
    if name not in _NAMES:
        rows = [_without_speck(_abbreviated(row)) for row in rows]
    chance = min(row.chance for row in rows)
    agreed = all(row.agreed and row.at == at for at, row in enumerate(rows))
    if name is Field.PLACE_OF_BIRTH:  # the only field with rows behind rows that nothing else speaks for
        agreed = agreed and all(row.complete for row in rows)
    value, letters = "", list[Box | None]()
    for row in rows:
        joined = value.endswith("-") or row.text.startswith("-")  # a double name broken at its hyphen
        if value and not joined:
            value, letters = value + " ", [*letters, None]
        value, letters = value + row.text, [*letters, *letter_boxes(row.letters, row.line)]
    agreed = agreed and not (name in _NAMES and (value.startswith("-") or value.endswith("-")))
    dots = _SURE_NAMED if name in _NAMES else 0.0
    agreed = agreed and all(
        letter.chance >= max(_SURE_MARK.get(letter.character, 0.0), dots if letter.character == "Е" else 0.0)
        for row in rows
        for letter in row.letters
    )
    if name is Field.PATRONYMIC and sex_of_patronymic(value) is None:
        agreed = False  # its end may be covered
    fields[name] = FieldReading(
        value=value,
        confidence=round(0.98 if agreed and chance > _SURE else min(0.9, chance), 4),
        certain=agreed and chance > _SURE,
        source=Source.VIZ,
        box=certainty.box(_tight(rows[0]).quad, 0, 1),
        letters=tuple(letters),
    )


def _abbreviated(row: _Heard) -> _Heard:
    """With a word before a dot as the only abbreviation that has one letter otherwise; not certain where none is known.

    Both readers took a blurred ОБЛ. for ОВЛ., each letter clear.
    """
    for match in re.finditer(r"(?<![А-ЯЁ-])([А-ЯЁ]{2,})\.", row.text):
        if match[1] in _KNOWN:
            continue
        like = [known for known in _KNOWN if len(known) == len(match[1]) > _FEW]
        near = [known for known in like if sum(a != b for a, b in zip(known, match[1], strict=True)) == 1]
        letters = list(row.letters)
        if len(near) == 1:
            for at, character in enumerate(near[0], match.start()):
                letters[at] = replace(letters[at], character=character)
        row = replace(row, letters=tuple(letters), yielded=True)
    return row


def _without_speck(row: _Heard) -> _Heard:
    """Without a faint dot or comma at its end that the second reader does not see, where no abbreviation has one."""
    last, word = row.letters[-1], re.search(r"([А-ЯЁ]*)[.,]$", row.text)
    if word is None or last.chance >= _FIRM or as_print(row.second)[-1:] == last.character:
        return row
    if last.character == "." and word[1] in _KNOWN:
        return row
    return replace(row, letters=row.letters[:-1], yielded=True)


def _scrawled(rows: Sequence[_Heard]) -> bool:
    """Whether the letters of a name are as doubtful as those of handwriting: then nothing was read that could be compared."""
    chances = [letter.chance for row in rows for letter in row.letters if letter.character != " "]
    return float(np.mean(chances)) < _WRITTEN


def letter_boxes(letters: Sequence[Letter], line: Line) -> list[Box | None]:
    """The upright box around each letter on the photo, as wide as letters stand apart; None for a space."""
    gaps = np.diff([letter.at for letter in letters]) if len(letters) > 1 else np.array([0.7 * line.height / line.width])
    half = float(np.median(gaps)) / 2
    return [
        None if letter.character == " " else certainty.box(line.quad, max(0.0, letter.at - half), min(1.0, letter.at + half))
        for letter in letters
    ]


def _put_sex(fields: dict[Field, FieldReading], picture: Pixels, place: Line | None) -> None:
    """МУЖ. or ЖЕН.: certain where the patronymic's ending, another print, says the same."""
    if place is None:
        return
    letters = text_lines.read_print(picture, place.quad, widths=text_lines.PRINT_WIDTHS).letters(_NAME + ".")
    text = "".join(letter.character for letter in letters)
    match = re.search("МУЖ|ЖЕН", text) or re.search("МУ|УЖ", text) or re.search("ЖЕ|ЕН", text)
    if match is None:
        return
    sex = "F" if match[0] in ("ЖЕН", "ЖЕ", "ЕН") else "M"
    chance = min(letter.chance for letter in letters[match.start() : match.end()])
    patronymic = fields.get(Field.PATRONYMIC)
    told = sex_of_patronymic(patronymic.value) if patronymic is not None else None
    certain = told == sex and len(match[0]) == 3 and chance > _SURE
    fields[Field.SEX] = FieldReading(
        value=sex,
        confidence=round(0.98 if certain else min(0.9, chance) if len(match[0]) == 3 else min(0.5, chance), 4),
        certain=certain,
        source=Source.VIZ,
        box=certainty.box(place.quad, letters[match.start()].at, letters[match.end() - 1].at),
    )


def _put_number(fields: dict[Field, FieldReading], numbers: Sequence[Mark]) -> None:
    """The red number: certain where both prints agree, or both networks on the only one that was seen."""
    if not numbers:
        return
    texts = {value.text for value in numbers}
    best = max(numbers, key=lambda value: (value.agreed, value.chance))
    both = len(numbers) >= 2 and min(value.chance for value in numbers) > 0.5
    agreed = len(texts) == 1 and (both or all(value.agreed and value.chance > _SURE for value in numbers))
    fields[Field.DOCUMENT_NUMBER] = FieldReading(
        value=best.text,
        confidence=0.99 if agreed else round(min(0.9, best.chance) * (1.0 if len(texts) == 1 else 0.6), 4),
        certain=agreed,
        source=Source.VIZ,
        box=certainty.box(best.line.quad, 0, 1),
    )


def _clash(numbers: Sequence[Mark]) -> bool:
    """Whether the two red prints say different numbers, each plainly: one of them was changed, or the pages are of two books."""
    return len({value.text for value in numbers if value.agreed and value.chance > _SURE}) > 1


def _put_dates(fields: dict[Field, FieldReading], named: dict[str, Mark], *, today: date) -> None:
    """Dates and the code: certain where both networks read the very same figures."""
    for name, field in (
        ("date_of_birth", Field.DATE_OF_BIRTH),
        ("date_of_issue", Field.ISSUED_ON),
        ("issuer_code", Field.ISSUER_CODE),
    ):
        value = named.get(name)
        if value is None:
            continue
        if field is Field.ISSUER_CODE:
            text = f"{value.text[:3]}-{value.text[3:]}"
        else:
            on = day(value.text)
            if on is None or on > today:
                continue
            text = on.isoformat()
        certain = value.agreed and value.chance > _SURE
        fields[field] = FieldReading(
            value=text,
            confidence=0.98 if certain else round(min(0.9, value.chance), 4),
            certain=certain,
            source=Source.VIZ,
            box=certainty.box(value.line.quad, 0, 1),
        )
