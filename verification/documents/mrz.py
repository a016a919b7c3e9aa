"""Read the text of a machine-readable zone: lines in, fields and check digits out.

Knows nothing of pictures (`mrz_zone.py` turns pixels into the lines read here) and mends nothing: a wrong
digit is reported, never put right. Each field answers for itself: which check digits stand over it, whether they
hold, and which other characters they could not have told from the printed ones. Sources: ICAO Doc 9303 parts 3
to 7, eighth edition; Russian internal passport: order 773 of 2020, annex 24 (positions) and the alphabet of its zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle
from operator import mul
from typing import Final

from verification.documents import national
from verification.evidence import DATES, DocumentType, Field, Values

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

Place = tuple[int, int, int]
"""Row, first position and the one behind the last, counted from 0."""

_VALUES: Final = {**{c: int(c) for c in DIGITS}, **{c: ord(c) - 55 for c in LETTERS}, "<": 0}
BLIND_CLASSES: Final = tuple("".join(c for c in ALPHABET if _VALUES[c] % 10 == rest) for rest in range(10))
"""Characters that no check digit tells apart, at whatever weight: their values are equal modulo 10."""
_MATES: Final = {c: BLIND_CLASSES[_VALUES[c] % 10].replace(c, "") for c in ALPHABET}
_KNOWN: Final = frozenset(ALPHABET)

_PATRONYMIC_ENDS: Final = ("VI3", "VNA", "I3NA")  # -вич, -вна, -ична (own choice: the zone itself marks no border)
_PATRONYMIC_WORDS: Final = frozenset({"OGLY", "OGLU", "KYZY", "GYZY", "KIZI", "ULY", "UGLI", "UULU"})  # "son", "daughter"

_FIRST_AGE: Final = 14  # years at which the Russian internal passport, the only zone that says its day of issue, is first given
_FAR_EXPIRY: Final = 50  # years ahead: an expiry further away than this belongs to the last century (own choice)


class MrzError(ValueError):
    """A text holds a character that no zone can hold. Never carries the text itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedMrz:
    """What a zone says, as printed.

    `document_type` is None where the lines fit no layout; then nothing else is filled.
    `code`: the document code without fillers; `code_fits`: the layout allows it (Doc 9303-4 to -7; any second letter).
    `country`: issuing state as printed; `country_known`: some state or body has that code.
    `checks`: which printed check digits hold; `valid`: there are some and all hold. It says nothing of a name.
    `values`: a field whose printed value cannot be expressed (unknown date parts, no such day) is absent.
    `unstated`: dates of which the zone says that a part is not known (fillers); `impossible`: dates that are no day.
    `covered`: the check digits a field stands under ("composite" among them); absent = under none.
    `places`: where a field is printed, its fillers included; two places for a number that is torn apart. Names: their
    letters and up to two fillers on each side that mark their ends.
    `doubtful`: fields that even a perfect reading of these lines does not settle: a state nobody knows, names that may
    have been cut or break the rules, a sex written as neither M, F nor filler, a national number whose own digit fails.
    `national_digit`: whether the personal number's own check (Kazakh IIN, Spanish DNI or NIE) holds; None = has none.
    `truncated`: a letter stands in the last place of the names, so they may have been cut.
    """

    document_type: DocumentType | None = None
    lines: tuple[str, ...] = ()
    code: str = ""
    code_fits: bool = False
    country: str | None = None
    country_known: bool = False
    checks: dict[str, bool] = field(default_factory=dict)
    valid: bool = False
    values: Values = field(default_factory=dict)
    covered: dict[Field, tuple[str, ...]] = field(default_factory=dict)
    places: dict[Field, tuple[Place, ...]] = field(default_factory=dict)
    doubtful: frozenset[Field] = frozenset()
    unstated: frozenset[Field] = frozenset()
    impossible: frozenset[Field] = frozenset()
    national_digit: bool | None = None
    truncated: bool = False

    @property
    def specimen(self) -> bool:
        """Whether the zone names the state of ICAO's examples."""
        return not national.SPECIMEN_STATES.isdisjoint((self.country, self.values.get(Field.NATIONALITY)))

    def holds(self, name: Field) -> bool:
        """Return whether `name` stands under check digits and all of them hold."""
        digits = self.covered.get(name, ())
        return bool(digits) and all(self.checks.get(d, False) for d in digits)

    def unseen(self, name: Field) -> tuple[str, ...]:
        """Return, for each printed character of `name`, what else could stand there with every check digit as it is.

        Only characters that the field may hold (digits in dates). Under a check digit these are the character's mates of
        `BLIND_CLASSES`, without one the whole alphabet of the field. () where the zone does not hold the field.
        """
        allowed = _allowed(name, self.document_type)
        if name not in self.places:
            return ()
        printed = "".join(self.lines[row][start:end] for row, start, end in self.places[name])
        if name in self.covered:
            return tuple("".join(c for c in _MATES[own] if c in allowed) for own in printed)
        return tuple(allowed.replace(own, "") for own in printed)

    def letters(self, name: Field) -> tuple[tuple[int, int] | None, ...]:
        """Return where each character of the value of `name` is printed: (row, position), counted from 0.

        As long as the value; None for what is not printed as such: the space for a filler, hyphens, a date's century.
        () where the zone does not hold the field.
        """
        value = self.values.get(name, "")
        at = [(row, k) for row, start, end in self.places.get(name, ()) for k in range(start, end)]
        if not value or not at:
            return ()
        if name is Field.SEX:
            return (at[0],)
        if name in DATES:
            return (None, None, at[0], at[1], None, at[2], at[3], None, at[4], at[5])
        found: list[tuple[int, int] | None] = []
        rest = iter([place for place in at if "<" in value or self.lines[place[0]][place[1]] != "<"])
        for character in value:
            found.append(None if character in " -" else next(rest, None))
        return tuple(found)


def blind_to(character: str) -> str:
    """Return the characters that no check digit tells from `character`, itself left out.

    Raises MrzError where no zone holds it.

    >>> blind_to("8"), blind_to("<")
    ('IS', 'AKU0')
    """
    if character not in _MATES:
        raise MrzError("character outside A-Z, 0-9 and <")
    return _MATES[character]


def check_digit(text: str) -> int:
    """Return the check digit (0-9) of a zone's field, weights 7-3-1 from the left.

    `text` holds A-Z, 0-9 and the filler `<`, which counts as zero. Raises MrzError on anything else:
    a misread character must never pass for a zero.

    >>> check_digit("L898902C3")  # the specimen passport of Doc 9303
    6
    """
    try:
        total: int = sum(map(mul, map(_VALUES.__getitem__, text), cycle((7, 3, 1))))
    except KeyError:
        raise MrzError("character outside A-Z, 0-9 and <") from None
    return total % 10


def layout_of(lines: Sequence[str]) -> DocumentType | None:
    """Return the layout that lines of this number, length and first letters have, or None."""
    shape = (len(lines), len(lines[0]) if lines else 0)
    if any(len(line) != shape[1] or not _KNOWN.issuperset(line) for line in lines):
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


_DATE_PLACES: Final[dict[Field, tuple[Place, ...]]] = {
    Field.DATE_OF_BIRTH: ((1, 13, 19),),
    Field.SEX: ((1, 20, 21),),
    Field.EXPIRES_ON: ((1, 21, 27),),
    Field.NATIONALITY: ((1, 10, 13),),
}


def _parse_two_lines(layout: DocumentType, lines: tuple[str, ...], today: date) -> ParsedMrz:
    """TD3, TD2, MRV-A, MRV-B: one plan, they differ in the optional data and the composite."""
    first, second = lines
    checks = {
        "document_number": _holds(second[0:9], second[9]),
        "date_of_birth": _holds(second[13:19], second[19]),
        "expires_on": _holds(second[21:27], second[27]),
    }
    number, personal = _strip(second[0:9]), ""
    places = {**_DATE_PLACES, Field.DOCUMENT_NUMBER: ((1, 0, 9),), Field.PERSONAL_NUMBER: ((1, 28, 42),)}
    composite: tuple[str, ...] = ("composite",)
    if layout is DocumentType.TD3:
        personal = second[28:42]
        checks["personal_number"] = _holds(personal, second[42]) or (personal == "<" * 14 and second[42] in "0<")
        checks["composite"] = _holds(second[0:10] + second[13:20] + second[21:43], second[43])
    elif layout is DocumentType.TD2:
        if second[9] == "<":  # a number of more than nine characters goes on in the optional data
            number, checks["document_number"] = _long_number(second[0:9], second[28:35])
            if len(number) > 9:
                places[Field.DOCUMENT_NUMBER] = ((1, 0, 9), (1, 28, 19 + len(number)))
        checks["composite"] = _holds(second[0:10] + second[13:20] + second[21:35], second[35])
    else:
        composite = ()
    values: Values = {Field.DOCUMENT_NUMBER: number, Field.SEX: _sex(second[20]), Field.NATIONALITY: _strip(second[10:13])}
    _put_dates(values, birth=second[13:19], expiry=second[21:27], today=today)
    values[Field.PERSONAL_NUMBER] = personal.replace("<", "")
    values[Field.SURNAME], values[Field.GIVEN_NAMES] = names(first[5:])
    places |= _name_places(first, 0, 5)
    covered: dict[Field, tuple[str, ...]] = {
        Field.DOCUMENT_NUMBER: ("document_number", *composite),
        Field.DATE_OF_BIRTH: ("date_of_birth", *composite),
        Field.EXPIRES_ON: ("expires_on", *composite),
    }
    if layout is DocumentType.TD3:
        covered[Field.PERSONAL_NUMBER] = ("personal_number", "composite")
    return _finish(layout, lines, checks, values, covered, places, truncated=first[-1] in LETTERS)


def _parse_td1(lines: tuple[str, ...], today: date) -> ParsedMrz:
    first, second, third = lines
    number, begins = _strip(first[5:14]), 15
    number_places: tuple[Place, ...] = ((0, 5, 14),)
    if first[14] == "<":
        number, number_holds = _long_number(first[5:14], first[15:30])
        filler = first.find("<", 15)
        begins = filler if filler >= 0 else 30
        if len(number) > 9:
            number_places = ((0, 5, 14), (0, 15, 6 + len(number)))
    else:
        number_holds = _holds(first[5:14], first[14])
    optional = first[begins:30]
    checks = {
        "document_number": number_holds,
        "date_of_birth": _holds(second[0:6], second[6]),
        "expires_on": _holds(second[8:14], second[14]),
        "composite": _holds(first[5:30] + second[0:7] + second[8:15] + second[18:29], second[29]),
    }
    state = _strip(first[2:5])
    values: Values = {Field.DOCUMENT_NUMBER: number, Field.SEX: _sex(second[7]), Field.NATIONALITY: _strip(second[15:18])}
    doubtful: tuple[Field, ...] = ()
    if state == "MEX" and second[7] in "HM":  # Mexico's INE prints hombre or mujer: M is a woman
        voter = first.startswith("ID")  # INE's own code; whether other Mexican cards follow it is not known
        values[Field.SEX] = "F" if voter and second[7] == "M" else "M"
        doubtful = () if voter or second[7] == "H" else (Field.SEX,)
    _put_dates(values, birth=second[0:6], expiry=second[8:14], today=today)
    places: dict[Field, tuple[Place, ...]] = {
        Field.DOCUMENT_NUMBER: number_places,
        Field.DATE_OF_BIRTH: ((1, 0, 6),),
        Field.SEX: ((1, 7, 8),),
        Field.EXPIRES_ON: ((1, 8, 14),),
        Field.NATIONALITY: ((1, 15, 18),),
        **_name_places(third, 2, 0),
    }
    if state == "KAZ" and _digits(optional[:12]) and len(optional) >= 12:  # the IIN since 1 December 2014
        values[Field.PERSONAL_NUMBER] = optional[:12]
        places[Field.PERSONAL_NUMBER] = ((0, begins, begins + 12),)
    elif state == "ESP":  # the DNI with its letter; the card's own number is the support number
        values[Field.PERSONAL_NUMBER] = optional.replace("<", "")
        places[Field.PERSONAL_NUMBER] = ((0, begins, 30),)
    values[Field.SURNAME], values[Field.GIVEN_NAMES] = names(third)
    covered: dict[Field, tuple[str, ...]] = {
        Field.DOCUMENT_NUMBER: ("document_number", "composite"),
        Field.DATE_OF_BIRTH: ("date_of_birth", "composite"),
        Field.EXPIRES_ON: ("expires_on", "composite"),
        Field.PERSONAL_NUMBER: ("composite",),
    }
    return _finish(DocumentType.TD1, lines, checks, values, covered, places, truncated=third[-1] in LETTERS, doubtful=doubtful)


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
    given, patronymic, settled = _given_and_patronymic(rest)
    values[Field.SURNAME] = russian_letters(surname)
    values[Field.GIVEN_NAMES] = russian_letters(given)
    values[Field.PATRONYMIC] = russian_letters(patronymic)
    places: dict[Field, tuple[Place, ...]] = {
        Field.DOCUMENT_NUMBER: ((1, 0, 3), (1, 28, 29), (1, 3, 9)),
        Field.DATE_OF_BIRTH: ((1, 13, 19),),
        Field.SEX: ((1, 20, 21),),
        Field.NATIONALITY: ((1, 10, 13),),
        Field.ISSUED_ON: ((1, 29, 35),),
        Field.ISSUER_CODE: ((1, 35, 41),),
        **_name_places(first, 0, 5),
    }
    if patronymic:
        border = len(first.rstrip("<")) - len(patronymic) - 1
        _, begins, ends = places[Field.GIVEN_NAMES][0]
        places[Field.GIVEN_NAMES] = ((0, begins, border + 1),)
        places[Field.PATRONYMIC] = ((0, border, ends),)
    number, data = ("document_number", "composite"), ("personal_number", "composite")
    covered: dict[Field, tuple[str, ...]] = {
        Field.DOCUMENT_NUMBER: (*number, "personal_number"),
        Field.DATE_OF_BIRTH: ("date_of_birth", "composite"),
        Field.ISSUED_ON: data,
        Field.ISSUER_CODE: data,
    }
    return _finish(
        DocumentType.RU_INTERNAL,
        lines,
        checks,
        values,
        covered,
        places,
        truncated=first[-1] != "<",
        doubtful=() if settled else (Field.GIVEN_NAMES, Field.PATRONYMIC),
    )


def _given_and_patronymic(rest: str) -> tuple[str, str, bool]:
    """Split what follows a Russian surname, and say whether the zone settles it: of three parts it marks no border."""
    parts = [part for part in rest.split("<") if part]
    if len(parts) <= 2:
        return "".join(parts[:1]), "".join(parts[1:]), True
    cut, settled = 1, True
    if parts[-1] in _PATRONYMIC_WORDS:
        cut = len(parts) - 2
    elif parts[-1].endswith(_PATRONYMIC_ENDS):
        cut = len(parts) - 1
    else:
        settled = False
    given, patronymic = "<".join(parts[:cut]), "<".join(parts[cut:])
    return given, patronymic if rest.endswith("<" + patronymic) else parts[-1], settled


def _parse_french(lines: tuple[str, ...], today: date) -> ParsedMrz:
    """Old French identity card, 2 x 36, not ICAO's: given names stand in line 2, the last digit covers both lines."""
    first, second = lines
    checks = {
        "document_number": _holds(second[0:12], second[12]),
        "date_of_birth": _holds(second[27:33], second[33]),
        "composite": _holds(first + second[:35], second[35]),
    }
    values: Values = {
        Field.SURNAME: " ".join(first[5:30].replace("<", " ").split()),
        Field.GIVEN_NAMES: " ".join(second[13:27].replace("<", " ").split()),
        Field.DOCUMENT_NUMBER: _strip(second[0:12]),
        Field.SEX: _sex(second[34]),
    }
    _put_dates(values, birth=second[27:33], today=today)
    places: dict[Field, tuple[Place, ...]] = {
        Field.SURNAME: ((0, 5, 30),),
        Field.GIVEN_NAMES: ((1, 13, 27),),
        Field.DOCUMENT_NUMBER: ((1, 0, 12),),
        Field.DATE_OF_BIRTH: ((1, 27, 33),),
        Field.SEX: ((1, 34, 35),),
    }
    covered: dict[Field, tuple[str, ...]] = dict.fromkeys((Field.SURNAME, Field.GIVEN_NAMES, Field.SEX), ("composite",))
    covered[Field.DOCUMENT_NUMBER] = ("document_number", "composite")
    covered[Field.DATE_OF_BIRTH] = ("date_of_birth", "composite")
    truncated = first[29] in LETTERS or second[26] in LETTERS
    return _finish(DocumentType.TD2, lines, checks, values, covered, places, truncated=truncated)


def _finish(
    layout: DocumentType,
    lines: tuple[str, ...],
    checks: dict[str, bool],
    values: Values,
    covered: dict[Field, tuple[str, ...]],
    places: Mapping[Field, tuple[Place, ...]],
    *,
    truncated: bool,
    doubtful: tuple[Field, ...] = (),
) -> ParsedMrz:
    values = {name: value for name, value in values.items() if value}
    country = _strip(lines[0][2:5]) or None
    own_digit = _national_digit(country, values.get(Field.PERSONAL_NUMBER))
    doubts = {*doubtful, *(_odd_names(layout, values, truncated=truncated))}
    if values.get(Field.NATIONALITY, "") not in national.STATES:
        doubts.add(Field.NATIONALITY)
    if own_digit is False:
        doubts.add(Field.PERSONAL_NUMBER)
    at_sex = places[Field.SEX][0]
    if lines[at_sex[0]][at_sex[1]] == "X":  # Doc 9303 writes a filler; X stands on the page only
        doubts.add(Field.SEX)
    absent = {
        name
        for name, ((row, start, end), *_) in places.items()
        if name in DATES and name not in values and _unstated(lines[row][start:end])
    }
    return ParsedMrz(
        document_type=layout,
        lines=lines,
        code=_strip(lines[0][:2]),
        code_fits=_code_fits(layout, lines[0][:2]),
        country=country,
        country_known=country in national.STATES,
        checks=checks,
        valid=all(checks.values()),
        values=values,
        covered={name: digits for name, digits in covered.items() if name in values},
        places={name: spots for name, spots in places.items() if name in values},
        doubtful=frozenset(doubts & values.keys()),
        unstated=frozenset(absent),
        impossible=frozenset(name for name in places if name in DATES and name not in values and name not in absent),
        national_digit=own_digit,
        truncated=truncated,
    )


def _code_fits(layout: DocumentType, code: str) -> bool:
    """Whether a layout allows a document code. Any second letter, as states use their own until 2028 (Doc 9303-4 4.4)."""
    if layout is DocumentType.TD3:
        return code[0] == "P" and (code[1] in LETTERS or code[1] == "<")
    if layout in (DocumentType.TD1, DocumentType.TD2):
        return code[0] in "ACI" and code[1] != "V" and code != "AI"  # 5 note k; a digit there is used by the USA (C1)
    return True  # visas and the Russian zone are told by their code


def _odd_names(layout: DocumentType, values: Values, *, truncated: bool) -> tuple[Field, ...]:
    """Names that the zone alone does not settle: perhaps cut, or with digits, which no name has outside Russia."""
    here = [name for name in _NAMES if name in values]
    if truncated:
        return tuple(here)
    if layout is DocumentType.RU_INTERNAL:
        return ()
    return tuple(name for name in here if not values[name].replace(" ", "").isalpha())


_NAMES: Final = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)


def _national_digit(country: str | None, personal: str | None) -> bool | None:
    if personal is None:
        return None
    if country == "KAZ":
        return national.iin_is_valid(personal)
    return national.dni_is_valid(personal) if country == "ESP" else None


def _allowed(name: Field, layout: DocumentType | None) -> str:
    """What the printed characters of a field may be (Doc 9303-3 sections 4.3 to 4.8)."""
    if name in DATES:
        return DIGITS + "<"
    russian = layout is DocumentType.RU_INTERNAL
    if name in _NAMES:
        return (RUSSIAN_LATIN if russian else LETTERS) + "<"
    if name is Field.SEX:
        return "MFH<" if layout is DocumentType.TD1 else "MF<"
    if name is Field.NATIONALITY:
        return LETTERS + "<"
    return DIGITS if russian else ALPHABET


def _name_places(row: str, number: int, start: int) -> dict[Field, tuple[Place, ...]]:
    """Surname and given names in a row that holds both, with the fillers that mark where each ends."""
    gap = row.find("<<", start)
    gap = gap if gap >= 0 else len(row)
    last = len(row.rstrip("<"))
    return {
        Field.SURNAME: ((number, start, min(gap + 2, len(row))),),
        Field.GIVEN_NAMES: ((number, min(gap, last), min(last + 2, len(row))),),
    }


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
    return {"M": "M", "F": "F", "<": "X", "X": "X"}.get(letter, "")


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
    born, issued = (date.fromisoformat(values[f]) if f in values else None for f in (Field.DATE_OF_BIRTH, Field.ISSUED_ON))
    if born is not None and issued is not None and issued.year - born.year < _FIRST_AGE:  # then born a century before
        values[Field.DATE_OF_BIRTH] = f"{born.year - 100}{values[Field.DATE_OF_BIRTH][4:]}"


def _unstated(yymmdd: str) -> bool:
    """Whether a date's parts are digits or, unknown, fillers: two by two (Doc 9303-3 section 4.8)."""
    parts = (yymmdd[0:2], yymmdd[2:4], yymmdd[4:6])
    return "<<" in parts and all(part == "<<" or _digits(part) for part in parts)


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
