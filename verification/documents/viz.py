"""Read the printed page around the zone: confirm what the zone says, and find what only the page says.

The page is read by the same network as the zone, but in other print, another typeface and another place: an equal
value there is an independent reading of the same fact. Values are looked for by what they must be (a date, the number,
the transliterated name), so no layout is needed; labels lead to issue date and authority.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from verification.documents import lines as text_lines
from verification.documents.lines import Line, Pixels, Quad
from verification.evidence import Field, Values
from verification.names import latin_spellings

_MAX_LINES: Final = 45  # lines read on one page: the rest is microprint and pattern
_MAX_PIXELS: Final = 7_000  # of crop width at 48 high, 0.3 s on one core. Edited given names seen: 7 of 12; at 5,500 only 2
_MAX_ASPECT: Final = 18.0  # longer lines are sentences, not values
_MIN_HEIGHT: Final = 7.0  # pixels of a line on the photo; below, letters are a blur

_MONTHS: Final = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
    "JANV": 1, "FEV": 2, "FEVR": 2, "MARS": 3, "AVR": 4, "AVRIL": 4, "MAI": 5, "JUIN": 6, "JUIL": 7, "AOUT": 8, "SEPT": 9,
    "DEZ": 12,
    "ENE": 1, "ABR": 4, "AGO": 8, "DIC": 12, "MRZ": 3, "OKT": 10, "MAJ": 5, "MAAR": 3, "MEI": 5, "MRT": 3,
}  # fmt: skip
_DATE: Final = re.compile(r"(?<!\d)(\d{1,2})\s?[./\- ]\s?(\d{1,2})\s?[./\- ]\s?(\d{4}|\d{2})(?!\d)")
_DATE_YEAR_FIRST: Final = re.compile(r"(?<!\d)(\d{4})\s?[./\- ]\s?(\d{1,2})\s?[./\- ]\s?(\d{1,2})(?!\d)")
_DATE_WORD: Final = re.compile(
    r"(?<!\d)(\d{1,2})\s?[./\- ]?\s?([A-Z]{3,5})[A-Z]*\s?(?:/\s?[A-Z]{3,9})?[./\- ]?\s?(\d{4}|\d{2})(?!\d)"
)
_ISSUED: Final = re.compile(r"ISSUE|ISSUED|DELIVR|EXPEDICI|AUSSTELL|WYDANIA|IZDAVANJA|VYDAN|EMISI|RILASCI|ISDATE", re.I)
_SPECIMEN: Final = re.compile(r"\b(SPECIMEN|MUSTER|MUSTERMANN|OBRAZEC|IMYAREK|MODEL[LO]?|VZOR)\b")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Printed:
    """One printed line as read, with its place on the photo."""

    text: str
    confidence: float
    line: Line


def read_page(
    picture: Pixels,
    found: Sequence[Line],
    *,
    like: Line,
    without: Sequence[Quad],
    enough: Callable[[Sequence[Printed], float], bool] = lambda printed, rest: False,
) -> tuple[list[Printed], bool]:
    """Read the page's printed lines that run like `like`, the zone's own rows (`without`) left out, top to bottom.

    Tall print first, since values are printed larger than their labels; it ends where `enough` is heard, a function of the
    lines read so far and the height in pixels of the next one. Also returns whether all was read that was needed: False
    where there was too much print, so that something may stand there unread.
    """
    across = np.array([-like.direction[1], like.direction[0]], np.float32)
    zone = [quad.mean(axis=0) for quad in without]
    upright = []
    for line in found:
        turned = line
        if float(line.direction @ like.direction) < 0:
            turned = Line(quad=text_lines.reversed_quad(line.quad), score=line.score)
        tilted = abs(float(turned.direction @ across)) > 0.2 and line.width > 2.2 * line.height
        if tilted or line.height < _MIN_HEIGHT or line.width > _MAX_ASPECT * line.height:
            continue
        if any(abs(float((line.centre - c) @ across)) < 0.5 * like.height for c in zone):
            continue
        upright.append(turned)
    upright.sort(key=lambda line: -line.height * min(line.width / line.height, 3))
    printed: list[Printed] = []
    spent, whole = 0.0, len(upright) <= _MAX_LINES
    for line in upright[:_MAX_LINES]:
        if enough(printed, line.height):
            whole = True
            break
        spent += text_lines.HEIGHT * line.width / line.height
        if spent > _MAX_PIXELS:
            whole = False
            break
        text, confidence = text_lines.read_at(picture, line.quad).text()
        if text:
            printed.append(Printed(text=text, confidence=confidence, line=line))
    printed.sort(key=lambda p: float(p.line.centre @ across))
    return printed, whole


def confirm(values: Values, printed: Sequence[Printed], *, zone_names: tuple[str, str]) -> dict[Field, Printed]:
    """Return for each value of the zone the printed line that says the same, independently.

    Names: the zone's letters must be a printed line's letters exactly, marks spelled as Doc 9303-3 allows; a number as
    one word; a date as the same day. A value that stands nowhere is simply absent: pages differ.
    """
    found: dict[Field, Printed] = {}
    for field, wanted in ((Field.SURNAME, zone_names[0]), (Field.GIVEN_NAMES, zone_names[1])):
        if wanted and (line := _line_with_name(wanted, printed)) is not None:
            found[field] = line
    for field in (Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER):
        if field in values and (line := _line_with_number(values[field], printed)) is not None:
            found[field] = line
    dates = [(day, line) for line in printed for day in days_in(line.text)]
    for field in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON):
        for day, line in dates:
            if field in values and day == date.fromisoformat(values[field]):
                found[field] = line
                break
    return found


def _line_with_name(wanted: str, printed: Iterable[Printed]) -> Printed | None:
    return next((line for line in printed if stands_in(line.text, wanted)), None)


def stands_in(text: str, name: str) -> bool:
    """Return whether a printed text, or one of its parts, is this name of the zone, spelled as Doc 9303-3 allows."""
    return any(_same_letters(words, name.replace(" ", "")) for words in _word_runs(text))


def _word_runs(text: str) -> list[str]:
    """Return the line, each side of a slash or comma in it, and its end after a label's colon, letters only."""
    pieces = [text, *re.split(r"[/,:]", text)]
    return [re.sub(r"[\s'’\-.]", "", piece) for piece in pieces if len(piece.strip()) > 1]


def _same_letters(printed: str, flat: str) -> bool:
    upper = printed.upper() if printed.isupper() or printed.istitle() or printed[:1].isupper() else printed
    return any(c.isalpha() for c in upper) and flat in latin_spellings(upper)


def _line_with_number(wanted: str, printed: Iterable[Printed]) -> Printed | None:
    if len(wanted) < 5:
        return None
    for line in printed:
        squeezed = re.sub(r"[\s\-./]", "", line.text)
        words = re.split(r"[^0-9A-Za-z\-]+", line.text)
        if squeezed == wanted or any(re.sub(r"-", "", word) == wanted for word in words):
            return line
        if re.sub(r"[^0-9A-Z]", "", line.text).endswith(wanted) and len(wanted) >= 8:
            return line
    return None


def days_in(text: str) -> list[date]:
    """Return the days a printed line may name: DD.MM.YYYY, YYYY-MM-DD, 12 AUG 74 and the like, both centuries for YY."""
    upper = text.upper()
    days: list[date] = []
    for match in _DATE.finditer(upper):
        days += _days(match[1], match[2], match[3])
    for match in _DATE_YEAR_FIRST.finditer(upper):
        days += _days(match[3], match[2], match[1])
    for match in _DATE_WORD.finditer(upper):
        month = _MONTHS.get(match[2][:4]) or _MONTHS.get(match[2][:3])
        if month:
            days += _days(match[1], str(month), match[3])
    return days


def _days(day: str, month: str, year: str) -> list[date]:
    years = [int(year)] if len(year) == 4 else [1900 + int(year), 2000 + int(year)]
    result = []
    for full in years:
        try:
            result.append(date(full, int(month), int(day)))
        except ValueError:
            continue
    return result


def issue_date(printed: Sequence[Printed], *, known: Iterable[date], today: date) -> tuple[date, Printed] | None:
    """Return the one day on the page that can only be the issue: labelled so, or the only day left over in its range.

    `known` are the days already placed (birth, expiry). None where several days could be meant.
    """
    placed = set(known)
    birth = min(placed, default=None)
    left: dict[date, Printed] = {}
    for line in printed:
        for day in days_in(line.text):
            if day not in placed and day <= today and (birth is None or day > birth) and len(re.findall(r"\d", line.text)) >= 5:
                left.setdefault(day, line)
    if not left:
        return None
    labelled = [day for day, line in left.items() if _ISSUED.search(line.text) or _label_above(line, printed)]
    choice = labelled if labelled else list(left)
    return (choice[0], left[choice[0]]) if len(choice) == 1 else None


def _label_above(value: Printed, printed: Sequence[Printed]) -> bool:
    """Return whether a label naming the issue stands just above `value`, starting near its left end."""
    direction = value.line.direction
    across = np.array([-direction[1], direction[0]], np.float32)
    for other in printed:
        if other is value or not _ISSUED.search(other.text):
            continue
        offset = value.line.quad[0] - other.line.quad[0]
        if 0 < float(offset @ across) < 2.6 * value.line.height and abs(float(offset @ direction)) < 4 * value.line.height:
            return True
    return False


def says_specimen(printed: Sequence[Printed]) -> bool:
    """Return whether a printed line says that this is a sample."""
    return any(_SPECIMEN.search(line.text.upper()) for line in printed)
