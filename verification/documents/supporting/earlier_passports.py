"""What only entries of earlier passports have: numbers, unit codes, and entries whose title was not read."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from verification.documents.lines import DIGITS, Pixels
from verification.documents.supporting.figures import hear_figures, together
from verification.documents.supporting.rows import Direction, Row, Word, number_words, runs_of
from verification.documents.supporting.stamps import follows, heading_of
from verification.evidence import FieldReading
from verification.papers import Detail, EntryKind


def with_untitled(
    groups: list[tuple[EntryKind, list[Row]]], rest: list[Row], rows: Sequence[Row], way: Direction
) -> tuple[list[tuple[EntryKind, list[Row]]], list[Row]]:
    """On a page headed as that of earlier passports: rows with ten figures and a day are one, though its title was not read."""
    down = np.array([-way[1], way[0]], np.float32)
    at = [float(row.centre @ down) for row in rows]
    runs: list[list[Row]] = [[]]
    for number, row in enumerate(rows):
        if row not in rest or heading_of(row) is not None or number_words(row):
            runs.append([])
        elif runs[-1] and not follows(rows, at, number - 1):
            runs.append([row])
        else:
            runs[-1].append(row)
    for run in runs:
        figures = [" ".join(word.figures for word in row.words if word.figures) for row in run]
        numbered = any(sum(c in DIGITS for c in text) == 10 and "." not in text for text in figures)
        if numbered and any(re.search(r"\d\d\.\d\d\.(19|20)\d\d", text) for text in figures):
            groups = [*groups, (EntryKind.PASSPORT, run)]
            rest = [row for row in rest if row not in run]
    return sorted(groups, key=lambda group: at[list(rows).index(group[1][0])]), rest


def take_code(image: Pixels, words: Sequence[Word], values: dict[Detail, FieldReading], *, labelled: bool) -> list[Word]:
    """Take the unit code out; behind its label also without its hyphen."""
    if Detail.ISSUER_CODE in values:
        return list(words)
    found = next(([word] for word in words if re.fullmatch(r"\D?\d{3,4}[-.]\d{3,4}\D?", word.figures)), [])
    if not found and labelled:
        found = next((run for run in runs_of([word for word in words if word.figures])), [])
    heard = hear_figures(image, found, (6,)) if found else None
    if heard is not None:
        values[Detail.ISSUER_CODE] = heard.field(f"{heard.text[:3]}-{heard.text[3:]}")
    return [word for word in words if word not in found]


def take_number(image: Pixels, words: Sequence[Word], values: dict[Detail, FieldReading], kind: EntryKind) -> list[Word]:
    """Take the number out: four and six figures, or two and seven, alone or with signs between them."""
    if Detail.DOCUMENT_NUMBER in values:
        return list(words)
    wanted = 9 if kind is EntryKind.FOREIGN_PASSPORT else 10
    run: list[Word] = []
    best: list[Word] = []
    for word in [*words, None]:
        if word is not None and (word.figures or word.plain in ("№", "N", "НОМЕР", "СЕРИЯ")):
            run.append(word)
            continue
        if sum(c in DIGITS for w in run for c in w.figures) > sum(c in DIGITS for w in best for c in w.figures):
            best = run
        run = []
    signs = [word for word in best if word.figures]
    if abs(sum(len(re.sub(r"\D", "", word.figures)) for word in signs) - wanted) > 1:
        return list(words)
    heard = [hear_figures(image, part, range(1, 11)) for part in runs_of(signs)]
    told = [one for one in heard if one is not None]
    whole = together(told) if told and len(told) == len(heard) else None
    if whole is not None and len(whole.text) == wanted:
        values[Detail.DOCUMENT_NUMBER] = whole.field(whole.text)
    return [word for word in words if word not in best]
