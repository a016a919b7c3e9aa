"""What only the stamps of marriage and divorce have: the registry's record and name, two days of which one is a birth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from rapidfuzz import fuzz

from verification.documents.lines import DIGITS, Pixels
from verification.documents.supporting.figures import hear_figures
from verification.documents.supporting.labels import LABEL
from verification.documents.supporting.rows import Word, runs_of
from verification.evidence import FieldReading
from verification.papers import Detail


def names_office(words: Sequence[Word]) -> bool:
    said = [word.plain for word in words if len(word.plain) > 3]
    return any("ЗАГС" in text or fuzz.partial_ratio("БРАКОСОЧЕТАНИ", text) > LABEL for text in said)


def take_act(image: Pixels, words: Sequence[Word], values: dict[Detail, FieldReading]) -> list[Word]:
    """Take the number of the registry's record out: one to six figures behind its label."""
    left = [word for word in words if word.plain not in ("№", "N")]
    figures = next(runs_of([word for word in left if word.figures]), [])
    digits = sum(c in DIGITS for word in figures for c in word.figures)
    if Detail.ACT_NUMBER in values or not 1 <= digits <= 6:
        return left
    heard = hear_figures(image, figures, range(1, 7))
    if heard is None:
        return left
    agreed = heard.agreed and len(heard.text) == digits  # nothing else says how many there are: three looks must
    values[Detail.ACT_NUMBER] = replace(heard, agreed=agreed).field(heard.text)
    return [word for word in left if word not in figures]


def put_dates(values: dict[Detail, FieldReading], seen: Sequence[tuple[date, FieldReading, bool]]) -> None:
    """Name the days: of a marriage's two the one of birth is said to be, or is the earlier."""
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
