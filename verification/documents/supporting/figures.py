"""Days, codes and numbers on a supporting page: figures that both networks must read alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
from rapidfuzz import fuzz

from verification import ocr
from verification.documents import certainty, russian, spread
from verification.documents import lines as text_lines
from verification.documents.lines import DIGITS, Pixels
from verification.documents.supporting.rows import FIGURES, SHOWN, Word, cut_word, digits_in, hull, place_of, runs_of, strip_of
from verification.evidence import Box, FieldReading, Source

_SURE: Final = 0.6  # least odds of each character of a certain value, as in `russian`
_FIRST_YEAR: Final = 1900  # of any day on these pages
_MONTHS: Final = (
    "ЯНВАРЯ", "ФЕВРАЛЯ", "МАРТА", "АПРЕЛЯ", "МАЯ", "ИЮНЯ", "ИЮЛЯ", "АВГУСТА", "СЕНТЯБРЯ", "ОКТЯБРЯ", "НОЯБРЯ", "ДЕКАБРЯ",
)  # fmt: skip


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


def hear_figures(image: Pixels, words: Sequence[Word], counts: Sequence[int]) -> _Heard | None:
    """Hear both networks on words that stand together on one line; None where neither reads one of the wanted counts."""
    line = place_of(words)
    heard = []
    for text, chance in (
        text_lines.read_print(image, line.quad, widths=text_lines.PRINT_WIDTHS).text(DIGITS + " .-"),
        text_lines.read_at(image, line.quad).text(DIGITS + " .-,"),
    ):
        figures = re.sub(r"\D", "", text)
        if len(figures) in counts and chance > SHOWN:
            heard.append((chance, figures))
    if not heard:
        return None
    agreed = len(heard) == 2 and heard[0][1] == heard[1][1]
    chance, figures = min(heard) if agreed else max(heard)
    return _Heard(text=figures, chance=chance, agreed=agreed, box=certainty.box(line.quad, 0, 1))


def together(heard: Sequence[_Heard]) -> _Heard:
    return _Heard(
        text="".join(one.text for one in heard),
        chance=min(one.chance for one in heard),
        agreed=all(one.agreed for one in heard),
        box=hull([one.box for one in heard]),
    )


def take_dates(
    image: Pixels,
    words: Sequence[Word],
    seen: list[tuple[date, FieldReading, bool]],
    *,
    today: date,
    birth: bool,
    labelled: bool,
) -> list[Word]:
    """Take the days out of a row's words and return the other words; behind a label, one of a figure too few or too many."""
    left: list[Word] = []
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
        for run in runs_of([word for word in left if word.figures]):
            heard = hear_figures(image, run, (8,)) if 7 <= sum(map(digits_in, run)) <= 9 else None
            on = spread.day(heard.text) if heard is not None else None
            if heard is not None and on is not None and on.year >= _FIRST_YEAR and on <= today:
                seen.append((on, heard.field(on.isoformat()), birth))
                return [word for word in left if word not in run]
    return left


def _date_at(image: Pixels, words: Sequence[Word], at: int) -> tuple[int, _Heard | None, Word | None]:
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
            return count, hear_figures(image, words[at : at + count], (8,)), None
    first = words[at]
    match = re.match(r"\D{0,2}(\d\d[.,-]\d\d[.,-](19|20)\d\d)(?=\D|$|\d{3}-)", first.figures or first.text.translate(FIGURES))
    if match:
        rest = cut_word(first, match.end(1), len(first.letters)) if len(first.letters) - match.end(1) > 1 else None
        return 1, hear_figures(image, [cut_word(first, match.start(1), match.end(1))], (8,)), rest
    return *_date_in_words(image, words, at), None


def _lead(alike: Sequence[float]) -> float:
    """How far the likeliest is before the next."""
    best, second = sorted(alike, reverse=True)[:2]
    return best - second


def _date_in_words(image: Pixels, words: Sequence[Word], at: int) -> tuple[int, _Heard | None]:
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
    day, year = hear_figures(image, words[at : at + 1], (1, 2)), hear_figures(image, [cut_word(words[at + 2], 0, 4)], (4,))
    if day is None or year is None:
        return 0, None
    strip = strip_of(image, place_of([word]))
    second = ocr.read_lines([strip], language="rus")[0].text
    told = [float(fuzz.ratio(name, russian.as_print(second).strip(" .-"))) for name in _MONTHS]
    named = _Heard(
        text=f"{month + 1:02d}",
        chance=min(letter.chance for letter in word.letters),
        # Ten of twelve months are told by half a word, but ИЮНЯ and ИЮЛЯ differ in one letter: it must be read, not guessed.
        agreed=min(_lead(alike), _lead(told)) > 0 and int(np.argmax(told)) == month and told[month] >= 75,
        box=certainty.box(place_of([word]).quad, 0, 1),
    )
    behind = at + 3
    count = 4 if behind < len(words) and words[behind].plain in ("Г", "ГОДА") else 3
    return count, together([replace(day, text=day.text.zfill(2)), named, year])
