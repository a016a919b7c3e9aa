"""See where the printed page says something else than the zone: a page that was edited, or a zone that was.

A value that is not found on the page proves nothing: pages differ and readings fail. What counts is another value of
the same kind, read surely, at the place where this one belongs, while the zone's own value stands nowhere. Kinds: the
two names, the number, the days of birth and expiry. Only zones whose check digits hold are asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from verification.documents.lines import Line, Quad
from verification.documents.mrz import ParsedMrz
from verification.documents.viz import Printed, days_in, stands_in
from verification.evidence import DocumentType, Field
from verification.names import compare

_SURE: Final = 0.60  # least odds of the other value's worst letter; a third of the letters misread at once would be far below
_SURER: Final = 0.97  # the same where only a letter or two differ, which a misreading does as well
_NEAR: Final = 0.34  # share of letters that differ up to which a difference may be a misreading
_ALIKE: Final = frozenset(
    frozenset(pair)
    for pair in ("O0", "Q0", "D0", "U0", "OQ", "OD", "I1", "L1", "IL", "T1", "Z2", "S5", "G6", "B8", "A4", "Z7", "T7", "17",
                 "C0", "B3", "38", "S8", "E8", "CG", "MH", "MN", "UV", "VY", "FP", "EF", "PR", "IJ", "HN", "56", "08", "69")
)  # fmt: skip
"""Letters that readers take for each other (facts: confusions seen): a difference of these alone is no evidence."""
_CYRILLIC_STATES: Final = frozenset(["RUS", "KAZ", "BLR", "UKR", "BGR", "SRB", "MKD", "MNE", "KGZ", "TJK", "MNG", "BIH"])
_LOOKS_CYRILLIC: Final = frozenset("ABEKMHOPCTYXI")  # a Cyrillic word of these alone reads as Latin

_LABELS: Final[Mapping[Field, re.Pattern[str]]] = {
    Field.SURNAME: re.compile(r"SUR\s?NAME|\bRNAME|APELLIDO|FAMILY NAME|^\W*NOM\b|NACHNAME|COGNOME|^\W*NAME\b"),
    Field.GIVEN_NAMES: re.compile(r"GIVEN|FORENAME|FIRST NAME|IVEN NAME|^\W*NOMBRES?\b(?! D)|PR[EÉ]NOM|VORNAME"),
    Field.DATE_OF_BIRTH: re.compile(r"OF\s?BI?R?T|\bF BI|BIRTH|NACIMIENTO|NAISSANCE|GEBURTS(?!ORT)|NASCIMENTO"),
    Field.EXPIRES_ON: re.compile(r"EXPIR|CADUC|G[UÜ]LTIG|VALIDE?Z|OF EXP|VENCIM"),
    Field.DOCUMENT_NUMBER: re.compile(r"PASS?PORTE? N|PASAPORTE N|SPORT N|DOCUMENT N|PASS-?NR|N[UÚ]MERO DE PAS"),
}
_OTHER_LABEL: Final = re.compile(
    r"NAME|APELL|NOMB|NOM\b|SEX|BIRTH|DATE|FECHA|NATION|PASS|PASA|TYPE|TIPO|CODE|PLACE|LUGAR|ISSU|AUTHOR|EXPIR|REPUB|UNITED|"
    r"STATE|KINGDOM|FEDERA|SIGNAT|FIRMA|HOLDER|PERSON|VISA|IDENT|CARD|RESID|SPECIM|EUROP|UNION|MINIST|CANADA|CITIZEN|TITUL|MULTIPL|ENTR"
)
"""Printed words that are never a name: labels and headings, wholly or in part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sheet:
    """The printed lines with the page's own directions: `along` the print, `down` the page; unit vectors."""

    printed: Sequence[Printed]
    along: NDArray[np.float32]
    down: NDArray[np.float32]

    def left(self, line: Printed) -> float:
        return float((line.line.quad[0] + line.line.quad[3]) @ self.along / 2)

    def height(self, line: Printed) -> float:
        return float(line.line.centre @ self.down)

    def labels(self, field: Field) -> list[Printed]:
        """Lines that hold a word by which pages name this field."""
        return [line for line in self.printed if _LABELS[field].search(line.text.upper())]

    def below(self, label: Printed, *, reach: float = 3.2) -> Iterator[Printed]:
        """Lines under `label` that start near its left end, nearest first; `reach` in heights of the label."""
        tall = label.line.height
        near = [
            (self.height(line) - self.height(label), line)
            for line in self.printed
            if 0.4 * tall < self.height(line) - self.height(label) < reach * tall
            and -2.5 * tall < self.left(line) - self.left(label) < max(2.5 * tall, 0.7 * label.line.width)
        ]
        return (line for _, line in sorted(near, key=lambda pair: pair[0]))

    def above(self, line: Printed, *, reach: float) -> Iterator[Printed]:
        """Lines over `line` that start near its left end, nearest first."""
        tall = line.line.height
        near = [
            (self.height(line) - self.height(other), other)
            for other in self.printed
            if 0.3 * tall < self.height(line) - self.height(other) < reach * tall
            and abs(self.left(other) - self.left(line)) < 1.5 * tall
        ]
        return (other for _, other in sorted(near, key=lambda pair: pair[0]))


def contradicted(
    parsed: ParsedMrz,
    printed: Sequence[Printed],
    confirmed: Mapping[Field, Printed],
    *,
    sure: Iterable[Field],
    like: Line,
    corners: Quad,
) -> dict[Field, Printed]:
    """Return the fields that the page states otherwise, each with the line that does.

    `confirmed`: the lines that say the same as the zone; `sure`: fields whose zone value two voices read alike, the only
    ones for which a difference of a letter or two counts; `like`: a row of the zone; `corners`: the page (with margin).
    Empty for zones whose digits do not hold: their values are doubtful already.
    """
    if not parsed.valid:
        return {}
    sheet = _Sheet(printed=printed, along=like.direction, down=np.array([-like.direction[1], like.direction[0]], np.float32))
    certain = frozenset(sure)
    found: dict[Field, Printed] = {}
    for field in (Field.SURNAME, Field.GIVEN_NAMES):
        if field in parsed.values and field not in confirmed and not parsed.truncated:
            line = _other_name(field, parsed, sheet, confirmed, sure=field in certain)
            if line is not None:
                found[field] = line
    number = parsed.values.get(Field.DOCUMENT_NUMBER)
    if number and Field.DOCUMENT_NUMBER not in confirmed:
        line = _other_number(number, parsed, sheet, corners)
        if line is not None:
            found[Field.DOCUMENT_NUMBER] = line
    for field in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON):
        if field in parsed.values and field not in confirmed:
            line = _other_day(field, parsed, sheet)
            if line is not None:
                found[field] = line
    return found


# ---------------------------------------------------------------- names


def _other_name(
    field: Field, parsed: ParsedMrz, sheet: _Sheet, confirmed: Mapping[Field, Printed], *, sure: bool
) -> Printed | None:
    """Return a line that is a name, stands where this one belongs, and is another."""
    wanted = parsed.values[field]
    if any(_nearly(line.text, wanted) for line in sheet.printed if line.confidence < _SURER):
        return None  # the zone's own name, badly read
    places = [line for label in sheet.printed if _is_label(field, label.text) for line in _first_name_below(sheet, label)]
    if field is Field.SURNAME:
        places += _over_given_names(sheet, confirmed.get(Field.GIVEN_NAMES))
    for line in places:
        if _is_other_name(field, line, parsed, sure=sure):
            return line
    return None


def _is_label(field: Field, text: str) -> bool:
    upper = text.upper()
    if field is Field.SURNAME and _LABELS[Field.GIVEN_NAMES].search(upper):
        return False
    return (_LABELS[field].search(upper) is not None and not text.replace(" ", "").isupper()) or _whole_label(field, upper)


def _whole_label(field: Field, upper: str) -> bool:
    """A label in capitals is a whole word of its kind, not part of a heading."""
    return re.fullmatch(r"\W*(SURNAME|APELLIDOS?|NOM|NAME|GIVEN NAMES?|NOMBRES?|PRENOMS?)\W*", upper) is not None and (
        _LABELS[field].search(upper) is not None
    )


def _first_name_below(sheet: _Sheet, label: Printed) -> list[Printed]:
    """The first line under a label that can be a name; a second label in between ends the search."""
    for line in sheet.below(label):
        if any(_is_label(field, line.text) for field in _LABELS):
            return []
        if _name_like(line):
            return [line]
    return []


def _over_given_names(sheet: _Sheet, given: Printed | None) -> list[Printed]:
    """The name directly over the label of the given names, where the given names themselves stand under that label.

    Where no label was read (small print goes first), the name over the given names, in the same print and sure.
    """
    if given is None:
        return []
    label = next((o for o in sheet.above(given, reach=2.6) if _is_label(Field.GIVEN_NAMES, o.text)), None)
    for line in sheet.above(label, reach=1.6) if label is not None else sheet.above(given, reach=2.2):
        alike = 0.75 < line.line.height / given.line.height < 1.33
        if not alike or not _name_like(line):
            return []
        return [line] if label is not None or line.confidence >= _SURER else []
    return []


def _name_like(line: Printed) -> bool:
    letters = re.sub(r"[\s'’\-.,]", "", line.text)
    return (
        line.confidence >= _SURE
        and len(letters) >= 4
        and letters.isalpha()
        and letters.isupper()
        and _OTHER_LABEL.search(line.text.upper()) is None
    )


def _is_other_name(field: Field, line: Printed, parsed: ParsedMrz, *, sure: bool) -> bool:
    letters = re.sub(r"[^A-ZÀ-Ž]", "", line.text)
    if parsed.country in _CYRILLIC_STATES and set(letters) <= _LOOKS_CYRILLIC:
        return False
    wanted = parsed.values[field]
    both = (parsed.values.get(Field.SURNAME, "") + parsed.values.get(Field.GIVEN_NAMES, "")).replace(" ", "")
    if letters in both or stands_in(line.text, wanted):  # part of a name that runs over two lines
        return False
    words = wanted.split()
    if any(stands_in(word, part) for word in line.text.split() for part in words if len(part) > 1):
        return False
    if compare(line.text, wanted, field=field, country=parsed.country).agreement >= 1.0:
        return False
    if _near(letters, wanted.replace(" ", "")):
        return sure and line.confidence >= _SURER and _beyond_look_alikes(letters, wanted.replace(" ", ""))
    return True


def _nearly(text: str, wanted: str) -> bool:
    letters, flat = re.sub(r"[^A-ZÀ-Ž]", "", text.upper()), wanted.replace(" ", "")
    return len(letters) >= 3 and _near(letters, flat)


def _near(a: str, b: str) -> bool:
    return Levenshtein.distance(a, b) <= max(1, _NEAR * max(len(a), len(b)))


def _beyond_look_alikes(a: str, b: str) -> bool:
    """Whether something differs that readers do not mistake for each other. One letter more or less they do mistake."""
    if len(a) != len(b):
        return abs(len(a) - len(b)) >= 2
    return any(x != y and frozenset((x, y)) not in _ALIKE for x, y in zip(a, b, strict=True))


# ---------------------------------------------------------------- the number


def _other_number(number: str, parsed: ParsedMrz, sheet: _Sheet, corners: Quad) -> Printed | None:
    """Return a line with another number of the same form, under the number's label or, in a passport, at its top right."""
    shape = _shape(number)
    if len(number) < 6 or sum(c.isdigit() for c in number) < 4:
        return None
    squeezed = [re.sub(r"[^0-9A-Z]", "", line.text.upper()) for line in sheet.printed]
    if any(number in text or _badly_read(text, number, line) for text, line in zip(squeezed, sheet.printed, strict=True)):
        return None
    own = {parsed.values[f] for f in (Field.PERSONAL_NUMBER,) if f in parsed.values}
    under = {id(line) for label in sheet.labels(Field.DOCUMENT_NUMBER) for line in sheet.below(label)}
    for text, line in zip(squeezed, sheet.printed, strict=True):
        if line.confidence < _SURE or _shape(text) != shape or days_in(line.text) or any(text in value for value in own):
            continue
        if id(line) not in under and not (parsed.document_type is DocumentType.TD3 and _top_right(line, corners)):
            continue
        if Levenshtein.distance(text, number) <= 2 and not (line.confidence >= _SURER and _beyond_look_alikes(text, number)):
            continue
        return line
    return None


def _badly_read(text: str, number: str, line: Printed) -> bool:
    """The zone's own number with a letter or two misread."""
    return line.confidence < _SURER and len(text) > 4 and Levenshtein.distance(text, number) <= 2


def _shape(text: str) -> str:
    return "".join("9" if c.isdigit() else "A" for c in text)


def _top_right(line: Printed, corners: Quad) -> bool:
    """In the upper 38 % and right half of the page, where a passport's number stands (Doc 9303-4 figure 3, zone I)."""
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    offset = line.line.centre - corners[0]
    x, y = float(offset @ right) / float(right @ right), float(offset @ down) / float(down @ down)
    return 0.5 < x < 1.0 and 0.0 < y < 0.38


# ---------------------------------------------------------------- days


def _other_day(field: Field, parsed: ParsedMrz, sheet: _Sheet) -> Printed | None:
    """Return a line with another day that can only be this one: under its label, or by its rank among the page's days.

    By rank the birth is the page's first day, ten years before any other; the expiry its last, with the issue before it.
    """
    wanted = date.fromisoformat(parsed.values[field])
    days = [(line, day) for line in sheet.printed for day in days_in(line.text)]
    if any(_may_be(day, wanted) for _, day in days):
        return None
    placed = {date.fromisoformat(parsed.values[f]) for f in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON) if f in parsed.values}
    under = {id(line) for label in sheet.labels(field) for line in _day_below(sheet, label)}
    every = sorted({day for _, day in days})
    for line, day in days:
        if len(days_in(line.text)) != 1 or day in placed:
            continue
        changed = sum(a != b for a, b in zip(day.strftime("%d%m%Y"), wanted.strftime("%d%m%Y"), strict=True))
        if line.confidence < (_SURER if changed <= 2 else _SURE):
            continue
        if not _beyond_look_alikes(day.strftime("%d%m%Y"), wanted.strftime("%d%m%Y")):
            continue
        if id(line) in under or _ranks(field, day, every):
            return line
    return None


def _ranks(field: Field, day: date, every: Sequence[date]) -> bool:
    """Whether `day` stands among the page's days (`every`, in order) where this field's day must."""
    if field is Field.DATE_OF_BIRTH:
        return len(every) >= 3 and day == every[0] and every[1].year - day.year >= 10  # two days may be issue and expiry
    return len(every) >= 3 and day == every[-1] and 1 <= day.year - every[-2].year <= 15


def _day_below(sheet: _Sheet, label: Printed) -> list[Printed]:
    """The first day under a label; another label in between ends the search."""
    for line in sheet.below(label):
        if days_in(line.text):
            return [line]
        if _OTHER_LABEL.search(line.text.upper()):
            return []
    return []


def _may_be(day: date, wanted: date) -> bool:
    """The same day, or the same with day and month the other way round, or by the Thai or the Minguo calendar.

    The zone has no century: a day a hundred years off is the same print.
    """
    if day == wanted or (day.year, day.month, day.day) == (wanted.year, wanted.day, wanted.month):
        return True
    return (day.month, day.day) == (wanted.month, wanted.day) and abs(day.year - wanted.year) in (100, 543, 1911)
