"""Read the text of a machine-readable zone: lines in, fields and check digits out.

Knows nothing of pictures (`mrz_zone.py` turns pixels into the lines read here) and mends nothing: a wrong
digit is reported, never put right. Sources: ICAO Doc 9303 parts 3 to 7, eighth edition; Russian internal
passport: order 773 of 2020, annex 24 (positions) and the alphabet of its zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from verification.evidence import DocumentType, Field, Values

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS: Final = "0123456789"

RUSSIAN_LATIN: Final = "ABVGDE2JZIQKLMNOPRSTUFHC34WXY9678"
RUSSIAN_CYRILLIC: Final = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
_TO_CYRILLIC: Final = str.maketrans(RUSSIAN_LATIN + "<", RUSSIAN_CYRILLIC + " ")

SHAPES: Final[dict[DocumentType, tuple[int, int]]] = {
    DocumentType.TD1: (3, 30),
    DocumentType.TD2: (2, 36),
    DocumentType.TD3: (2, 44),
    DocumentType.MRVA: (2, 44),
    DocumentType.MRVB: (2, 36),
    DocumentType.RU_INTERNAL: (2, 44),
}
"""Lines and characters per line of each layout."""

_FAR_EXPIRY: Final = 50  # years ahead: an expiry further away than this belongs to the last century (own choice)


class MrzError(ValueError):
    """A text holds a character that no zone can hold. Never carries the text itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedMrz:
    """What a zone says, as printed.

    `document_type` is None where the lines fit no layout; then nothing else is filled.
    `checks`: which printed check digits hold; `valid`: there are some and all hold.
    `values`: a field whose printed value cannot be expressed (unknown date parts, no such day) is absent.
    `covered`: the check digits a field stands under ("composite" among them); absent = under none.
    `truncated`: a letter stands in the last place of the names, so they may have been cut.
    """

    document_type: DocumentType | None = None
    lines: tuple[str, ...] = ()
    country: str | None = None
    checks: dict[str, bool] = field(default_factory=dict)
    valid: bool = False
    values: Values = field(default_factory=dict)
    covered: dict[Field, tuple[str, ...]] = field(default_factory=dict)
    truncated: bool = False

    def holds(self, name: Field) -> bool:
        """Return whether `name` stands under check digits and all of them hold."""
        digits = self.covered.get(name, ())
        return bool(digits) and all(self.checks.get(d, False) for d in digits)


def check_digit(text: str) -> int:
    """Return the check digit (0-9) of a zone's field, weights 7-3-1 from the left.

    `text` holds A-Z, 0-9 and the filler `<`, which counts as zero. Raises MrzError on anything else:
    a misread character must never pass for a zero.

    >>> check_digit("L898902C3")  # the specimen passport of Doc 9303
    6
    """
    total = 0
    for at, character in enumerate(text):
        value = _VALUES.get(character)
        if value is None:
            raise MrzError("character outside A-Z, 0-9 and <")
        total += value * (7, 3, 1)[at % 3]
    return total % 10


_VALUES: Final = {**{c: int(c) for c in DIGITS}, **{c: ord(c) - 55 for c in LETTERS}, "<": 0}


def layout_of(lines: Sequence[str]) -> DocumentType | None:
    """Return the layout that lines of this number, length and first letters have, or None."""
    shape = (len(lines), len(lines[0]) if lines else 0)
    if any(len(line) != shape[1] for line in lines) or any(c not in _VALUES for line in lines for c in line):
        return None
    if shape == (3, 30):
        return DocumentType.TD1
    if shape == (2, 44):
        if lines[0].startswith("PNRUS"):
            return DocumentType.RU_INTERNAL
        return DocumentType.MRVA if lines[0][0] == "V" else DocumentType.TD3
    if shape == (2, 36):
        return DocumentType.MRVB if lines[0][0] == "V" else DocumentType.TD2
    return None


def parse(lines: Sequence[str], *, today: date) -> ParsedMrz:
    """Read the lines of one zone (upper case, no spaces). Never raises, whatever the texts.

    `today` decides centuries: a birth is the latest one not after it, an expiry 20YY unless that is more
    than 50 years ahead.
    """
    lines = tuple(lines)
    layout = layout_of(lines)
    if layout is None:
        return ParsedMrz(lines=lines)
    if layout is DocumentType.TD1:
        return _parse_td1(lines, today)
    if layout is DocumentType.RU_INTERNAL:
        return _parse_russian(lines, today)
    if layout is DocumentType.TD2 and lines[0].startswith("IDFRA"):
        return _parse_french(lines, today)
    return _parse_two_lines(layout, lines, today)


def _parse_two_lines(layout: DocumentType, lines: tuple[str, ...], today: date) -> ParsedMrz:
    """TD3, TD2, MRV-A, MRV-B: one plan, they differ in the optional data and the composite."""
    first, second = lines
    checks = {
        "document_number": _holds(second[0:9], second[9]),
        "date_of_birth": _holds(second[13:19], second[19]),
        "expires_on": _holds(second[21:27], second[27]),
    }
    number, personal = _strip(second[0:9]), ""
    composite: tuple[str, ...] = ("composite",)
    if layout is DocumentType.TD3:
        personal = second[28:42]
        checks["personal_number"] = _holds(personal, second[42]) or (personal == "<" * 14 and second[42] in "0<")
        checks["composite"] = _holds(second[0:10] + second[13:20] + second[21:43], second[43])
    elif layout is DocumentType.TD2:
        if second[9] == "<":  # a number of more than nine characters goes on in the optional data
            number, checks["document_number"] = _long_number(second[0:9], second[28:35])
        checks["composite"] = _holds(second[0:10] + second[13:20] + second[21:35], second[35])
    else:
        composite = ()
    values: Values = {Field.DOCUMENT_NUMBER: number, Field.SEX: _sex(second[20]), Field.NATIONALITY: _strip(second[10:13])}
    _put_dates(values, birth=second[13:19], expiry=second[21:27], today=today)
    values[Field.PERSONAL_NUMBER] = personal.replace("<", "")
    values[Field.SURNAME], values[Field.GIVEN_NAMES] = names(first[5:])
    covered: dict[Field, tuple[str, ...]] = {
        Field.DOCUMENT_NUMBER: ("document_number", *composite),
        Field.DATE_OF_BIRTH: ("date_of_birth", *composite),
        Field.EXPIRES_ON: ("expires_on", *composite),
    }
    if layout is DocumentType.TD3:
        covered[Field.PERSONAL_NUMBER] = ("personal_number", "composite")
    return _finish(layout, lines, checks, values, covered, truncated=first[-1] in LETTERS)


def _parse_td1(lines: tuple[str, ...], today: date) -> ParsedMrz:
    first, second, third = lines
    number, optional = _strip(first[5:14]), first[15:30]
    if first[14] == "<":
        number, number_holds = _long_number(first[5:14], optional)
        optional = optional[optional.find("<") :] if "<" in optional else ""
    else:
        number_holds = _holds(first[5:14], first[14])
    checks = {
        "document_number": number_holds,
        "date_of_birth": _holds(second[0:6], second[6]),
        "expires_on": _holds(second[8:14], second[14]),
        "composite": _holds(first[5:30] + second[0:7] + second[8:15] + second[18:29], second[29]),
    }
    state = _strip(first[2:5])
    values: Values = {Field.DOCUMENT_NUMBER: number, Field.SEX: _sex(second[7]), Field.NATIONALITY: _strip(second[15:18])}
    if state == "MEX" and second[7] in "HM":  # Mexico's INE prints hombre or mujer: M is a woman
        values[Field.SEX] = "M" if second[7] == "H" else "F"
    _put_dates(values, birth=second[0:6], expiry=second[8:14], today=today)
    if state == "KAZ" and optional[:12].isdigit():  # the IIN since 1 December 2014
        values[Field.PERSONAL_NUMBER] = optional[:12]
    elif state == "ESP":  # the DNI with its letter; the card's own number is the support number
        values[Field.PERSONAL_NUMBER] = _strip(optional)
    values[Field.SURNAME], values[Field.GIVEN_NAMES] = names(third)
    covered: dict[Field, tuple[str, ...]] = {
        Field.DOCUMENT_NUMBER: ("document_number", "composite"),
        Field.DATE_OF_BIRTH: ("date_of_birth", "composite"),
        Field.EXPIRES_ON: ("expires_on", "composite"),
        Field.PERSONAL_NUMBER: ("composite",),
    }
    return _finish(DocumentType.TD1, lines, checks, values, covered, truncated=third[-1] in LETTERS)


def _parse_russian(lines: tuple[str, ...], today: date) -> ParsedMrz:
    """Russian internal passport: Cyrillic in the zone's own alphabet; digits are letters in line 1."""
    first, second = lines
    checks = {
        "document_number": _holds(second[0:9], second[9]),
        "date_of_birth": _holds(second[13:19], second[19]),
        "personal_number": _holds(second[28:42], second[42]),
        "composite": _holds(second[0:10] + second[13:20] + second[21:43], second[43]),
    }
    values: Values = {
        # The zone tears the series apart: its first three digits, the six of the number, its fourth at 29.
        Field.DOCUMENT_NUMBER: second[0:3] + second[28] + second[3:9],
        Field.SEX: _sex(second[20]),
        Field.NATIONALITY: _strip(second[10:13]),
    }
    if not _digits(values[Field.DOCUMENT_NUMBER]):
        del values[Field.DOCUMENT_NUMBER]
    _put_dates(values, birth=second[13:19], issue=second[29:35], today=today)
    if _digits(second[35:41]):
        values[Field.ISSUER_CODE] = f"{second[35:38]}-{second[38:41]}"
    surname, rest = _split_names(first[5:])
    given, _, patronymic = rest.partition("<")
    values[Field.SURNAME] = russian_letters(surname)
    values[Field.GIVEN_NAMES] = russian_letters(given)
    values[Field.PATRONYMIC] = russian_letters(patronymic)
    number, data = ("document_number", "composite"), ("personal_number", "composite")
    covered: dict[Field, tuple[str, ...]] = {
        Field.DOCUMENT_NUMBER: (*number, "personal_number"),
        Field.DATE_OF_BIRTH: ("date_of_birth", "composite"),
        Field.ISSUED_ON: data,
        Field.ISSUER_CODE: data,
    }
    return _finish(DocumentType.RU_INTERNAL, lines, checks, values, covered, truncated=first[-1] != "<")


def _parse_french(lines: tuple[str, ...], today: date) -> ParsedMrz:
    """Old French identity card, 2 x 36, not ICAO's: given names stand in line 2, the last digit covers both lines."""
    first, second = lines
    checks = {
        "document_number": _holds(second[0:12], second[12]),
        "date_of_birth": _holds(second[27:33], second[33]),
        "composite": _holds(first + second[:35], second[35]),
    }
    values: Values = {
        Field.SURNAME: _strip(first[5:30]).replace("<", " "),
        Field.GIVEN_NAMES: " ".join(_strip(second[13:27]).replace("<", " ").split()),
        Field.DOCUMENT_NUMBER: _strip(second[0:12]),
        Field.SEX: _sex(second[34]),
    }
    _put_dates(values, birth=second[27:33], today=today)
    covered: dict[Field, tuple[str, ...]] = dict.fromkeys((Field.SURNAME, Field.GIVEN_NAMES, Field.SEX), ("composite",))
    covered[Field.DOCUMENT_NUMBER] = ("document_number", "composite")
    covered[Field.DATE_OF_BIRTH] = ("date_of_birth", "composite")
    return _finish(DocumentType.TD2, lines, checks, values, covered, truncated=second[26] in LETTERS)


def _finish(
    layout: DocumentType,
    lines: tuple[str, ...],
    checks: dict[str, bool],
    values: Values,
    covered: dict[Field, tuple[str, ...]],
    *,
    truncated: bool,
) -> ParsedMrz:
    values = {name: value for name, value in values.items() if value}
    return ParsedMrz(
        document_type=layout,
        lines=lines,
        country=_strip(lines[0][2:5]) or None,
        checks=checks,
        valid=all(checks.values()),
        values=values,
        covered={name: digits for name, digits in covered.items() if name in values},
        truncated=truncated,
    )


def names(text: str) -> tuple[str, str]:
    """Split a name field into surname and given names, fillers to spaces. A single name has no given names.

    >>> names("ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
    ('ERIKSSON', 'ANNA MARIA')
    """
    surname, given = _split_names(text)
    return " ".join(surname.replace("<", " ").split()), " ".join(given.replace("<", " ").split())


def russian_letters(text: str) -> str:
    """Turn a name of the Russian internal zone into Cyrillic; "" where it holds 0, 1 or 5, which no name has."""
    if any(c not in RUSSIAN_LATIN and c != "<" for c in text):
        return ""
    return " ".join(text.translate(_TO_CYRILLIC).split())


def _split_names(text: str) -> tuple[str, str]:
    surname, _, given = text.rstrip("<").partition("<<")
    return surname, given.strip("<")


def _holds(text: str, digit: str) -> bool:
    return digit in DIGITS and check_digit(text) == int(digit)


def _long_number(start: str, optional: str) -> tuple[str, bool]:
    """Number of more than nine characters: `start`, then the optional data up to its check digit.

    The filler in the check digit's own place is left out of the check (Doc 9303-5 note j).
    """
    rest = optional[: optional.find("<")] if "<" in optional else optional
    if not rest:
        return _strip(start), False
    return start + rest[:-1], _holds(start + rest[:-1], rest[-1])


def _strip(text: str) -> str:
    return text.rstrip("<")


def _sex(letter: str) -> str:
    return {"M": "M", "F": "F", "<": "X"}.get(letter, "")


def _digits(text: str) -> bool:
    return bool(text) and text.isascii() and text.isdigit()


def _put_dates(values: Values, *, today: date, birth: str, expiry: str = "", issue: str = "") -> None:
    for name, text, future in (
        (Field.DATE_OF_BIRTH, birth, False),
        (Field.EXPIRES_ON, expiry, True),
        (Field.ISSUED_ON, issue, False),
    ):
        found = _full_date(text, today, future=future)
        if found is not None:
            values[name] = found.isoformat()


def _full_date(yymmdd: str, today: date, *, future: bool) -> date | None:
    """Return the day YYMMDD stands for, or None where a part is unknown or there is no such day."""
    if not _digits(yymmdd):
        return None
    century = today.year // 100 * 100
    for base in (century + 100, century, century - 100) if not future else (century, century - 100):
        try:
            day = date(base + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:]))
        except ValueError:
            continue
        if future and day.year - today.year > _FAR_EXPIRY:
            continue
        if future or day <= today:
            return day
    return None
