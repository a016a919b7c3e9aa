"""Fields of one paper that do not go together: soft hints from what was read. Pure; knows nothing of pictures.

Issuers err, blanks are used up and people move: every rule here leaves room, and none is proof. A value that was read
weakly is left out, since a misread letter would accuse an honest customer.
Source: facts/documents.md 3.3 (Russian series, unit codes, ages), 4 (personal numbers).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from verification.documents import national
from verification.evidence import DATES, DocumentType, Field, FieldReading, Values
from verification.expiry import FIRST_AGE, birthday
from verification.hints import Hint

LEAST_CONFIDENCE: Final = 0.8
"""Share, 0-1: the shipped policy's own line (`Policy.min_confidence`) below which a reading confirms nothing either."""

YEARS_APART: Final = 3  # between the year of a blank and of its issue, either way: blanks of earlier years were used up

LAST_YEAR: Final = 2200  # of a day on any paper: a misread year beyond it tells nothing

FIRST_NUMBER: Final = 101  # 000101 to 999999, running on across years

LAST_OFFICE_LEVEL: Final = 3  # third digit of a unit code: migration service, regional, district police, police post

_REGIONS: Final = """
01:79 02:80 03:81 04:84 05:82 06:26 07:83 08:85 09:91 10:86 11:87 12:88 13:89 14:98 15:90 16:92 17:93 18:94 19:95 20:96
21:97 22:01 23:03 24:04 25:05 26:07 27:08 28:10 29:11 30:12 31:14 32:15 33:17 34:18 35:19 36:20 37:24 38:25 39:27 40:29
41:30 42:32 43:33 44:34 45:37 46:38 47:41/40 48:42 49:44 50:46 51:47 52:22 53:49 54:50 55:52 56:53 57:54 58:56 59:57 60:58
61:60 62:61 63:36 64:63 65:64 66:65 67:66 68:68 69:28 70:69 71:70 72:71 73:73 74:75 75:76 76:78 77:45 78:40/41 79:99 83:11
86:71/67 87:77 89:71/74
"""
OKATO: Final[Mapping[str, frozenset[str]]] = {pair[:2]: frozenset(pair[3:].split("/")) for pair in _REGIONS.split()}
"""Region of a unit code (its first two digits, the constitutional code) to the first two digits of a series (OKATO).

Beside the table of facts/documents.md 3.3 (own choice, to accuse nobody): the older codes of Khanty-Mansi (67) and Yamal (74),
and either code for St Petersburg and its oblast. Regions outside this table are not judged.
"""

_MORE_SERIES: Final = frozenset({"67", "55", "74"})  # Sevastopol, Baikonur, Yamal
KNOWN_SERIES: Final = frozenset().union(*OKATO.values()) | _MORE_SERIES

MEN: Final = ("ИЧ", "ОГЛЫ", "ОГЛУ", "УЛЫ", "ҰЛЫ", "УГЛИ", "ICH", "OGLY", "OGLU", "ULY", "UGLI")
WOMEN: Final = ("ВНА", "ИЧНА", "КЫЗЫ", "ҚЫЗЫ", "ГЫЗЫ", "КИЗИ", "VNA", "ICHNA", "KYZY", "GYZY", "KIZI", "QIZI")
"""Endings of patronymics: Russian, and Turkic ones as Russian and Kazakh papers write them. No ending is in both lists."""


def hints(
    fields: Mapping[Field, FieldReading], document_type: DocumentType | None, country: str | None, today: date
) -> tuple[Hint, ...]:
    """Return what does not go together among the readings of one paper, certain or not, on the day `today`.

    Readings below LEAST_CONFIDENCE are left out. Whatever is absent or of another form raises nothing.
    """
    values = {name: reading.value for name, reading in fields.items() if reading.confidence >= LEAST_CONFIDENCE}
    return of_values(values, document_type, country, today)


def of_values(values: Values, document_type: DocumentType | None, country: str | None, today: date) -> tuple[Hint, ...]:
    """As `hints`, of plain values (dates `YYYY-MM-DD`, sex `M F X`)."""
    found = [*_dates(values, document_type, today), *_patronymic(values), *_personal_number(values, country)]
    if document_type is DocumentType.RU_INTERNAL:
        found += _russian(values)
    return tuple(hint for hint in Hint if hint in found)


def _dates(values: Values, document_type: DocumentType | None, today: date) -> Iterator[Hint]:
    """Issued before it could be: before birth (the Russian internal passport: before 14), tomorrow, or when it had ended."""
    issued = _day(values, Field.ISSUED_ON)
    if issued is None:
        return
    born, ends = _day(values, Field.DATE_OF_BIRTH), _day(values, Field.EXPIRES_ON)
    earliest = born
    if born is not None and document_type is DocumentType.RU_INTERNAL:
        earliest = birthday(born, FIRST_AGE)
    if issued > today or (earliest is not None and issued < earliest) or (ends is not None and issued >= ends):
        yield Hint.ISSUE_DATE_IMPOSSIBLE


def _russian(values: Values) -> Iterator[Hint]:
    """The Russian internal passport's series, number and unit code."""
    number, code = values.get(Field.DOCUMENT_NUMBER, ""), values.get(Field.ISSUER_CODE)
    office = re.fullmatch(r"(\d{2})(\d)-(\d{3})", code) if code is not None else None
    if code is not None and (office is None or office[1] == "00" or int(office[2]) > LAST_OFFICE_LEVEL):
        yield Hint.OFFICE_CODE_IMPOSSIBLE
    if not re.fullmatch(r"\d{10}", number):
        return
    region, year, running = number[:2], int(number[2:4]), int(number[4:])
    if 0 < running < FIRST_NUMBER:  # all zeros is a specimen's number, which has its own reason
        yield Hint.NUMBER_OUT_OF_RANGE
    issued = _day(values, Field.ISSUED_ON)
    if issued is not None and not _near(year, issued.year):
        yield Hint.SERIES_NOT_THE_YEARS
    if region not in KNOWN_SERIES:
        yield Hint.SERIES_UNKNOWN
    elif office is not None and office[1] in OKATO and region not in OKATO[office[1]]:
        yield Hint.SERIES_NOT_THE_REGIONS


def _near(year_of_blank: int, year: int) -> bool:
    """Whether two digits of a year are those of a year at most YEARS_APART from `year`; 99 and 02 are three apart."""
    apart = (year_of_blank - year) % 100
    return min(apart, 100 - apart) <= YEARS_APART


def _patronymic(values: Values) -> Iterator[Hint]:
    sex = sex_of_patronymic(values.get(Field.PATRONYMIC, ""))
    if sex is not None and values.get(Field.SEX) in ("M", "F") and values[Field.SEX] != sex:
        yield Hint.SEX_NOT_THE_PATRONYMICS


def sex_of_patronymic(patronymic: str) -> str | None:
    """Return the sex (`M`, `F`) that a patronymic's ending says; None where it ends in neither way.

    >>> sex_of_patronymic("ЮРЬЕВНА"), sex_of_patronymic("АЛИ ОГЛЫ"), sex_of_patronymic("САИД")
    ('F', 'M', None)
    """
    name = patronymic.upper().replace("-", " ").strip()
    if name.endswith(WOMEN):
        return "F"
    return "M" if name.endswith(MEN) else None


def _personal_number(values: Values, country: str | None) -> Iterator[Hint]:
    """A personal number against itself and against what is printed beside it."""
    number = values.get(Field.PERSONAL_NUMBER, "")
    kind = national.kind_of(number, country)
    if kind is None:
        return
    if not national.is_valid(number, kind):  # then what it encodes is as doubtful as its digit
        yield Hint.PERSONAL_NUMBER_WRONG
        return
    says = national.encoded(number, kind)
    born = _day(values, Field.DATE_OF_BIRTH)
    if born is not None and says.births and born not in says.births:
        yield Hint.PERSONAL_NUMBER_NOT_THE_BIRTH_DATES
    if says.sex is not None and values.get(Field.SEX) in ("M", "F") and values[Field.SEX] != says.sex:
        yield Hint.PERSONAL_NUMBER_NOT_THE_SEXES
    surname, given = values.get(Field.SURNAME, ""), values.get(Field.GIVEN_NAMES, "")
    if surname and given and not national.letters_fit(number, kind, surname=surname, given_names=given):
        yield Hint.PERSONAL_NUMBER_NOT_THE_NAMES


def _day(values: Values, name: Field) -> date | None:
    assert name in DATES
    try:
        found = date.fromisoformat(values.get(name, ""))
    except ValueError:
        return None
    return found if found.year <= LAST_YEAR else None
