"""Which rows of a supporting page are one stamp: its title, the page's headings, the gaps between entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from rapidfuzz import fuzz

from verification.documents import certainty
from verification.documents.lines import Line
from verification.documents.supporting.rows import Direction, Row, Word, hull, number_words
from verification.evidence import Box
from verification.papers import EntryKind, PageKind

_NEXT_ROW: Final = 3.0  # heights of a line: rows farther apart belong to different things
_TITLED: Final = 82.0  # and from which a row holds a stamp's title
TITLES: Final = (
    (EntryKind.FOREIGN_PASSPORT, ("ЗАГРАНИЧНЫЙПАСПОРТ", "ЗАГРАНПАСПОРТ", "ВЫДАНЗАГРАНИЧНЫЙ")),
    (EntryKind.DIVORCE, ("БРАКРАСТОРГНУТ", "РАСТОРГНУТБРАК", "БРАКПРЕКРАЩЕН", "ПРЕКРАЩЕНБРАК")),
    (EntryKind.MARRIAGE, ("ЗАРЕГИСТРИРОВАНБРАК", "БРАКЗАРЕГИСТРИРОВАН", "ЗАКЛЮЧЕНБРАК")),
    (EntryKind.PASSPORT, ("РАНЕЕВЫДАН", "РАНЕЕВЫДАННЫЙПАСПОРТ", "ПРЕДЫДУЩИЙПАСПОРТ")),
)
_HEADINGS: Final = (
    (PageKind.EARLIER_PASSPORTS, "СВЕДЕНИЯОРАНЕЕ", 82.0),
    (PageKind.EARLIER_PASSPORTS, "ПАСПОРТАХ", 92.0),  # no stamp's title has the plural
    (PageKind.FAMILY_STATUS, "СЕМЕЙНОЕПОЛОЖЕНИЕ", 82.0),
)
PAGE_OF: Final = {
    EntryKind.PASSPORT: PageKind.EARLIER_PASSPORTS,
    EntryKind.FOREIGN_PASSPORT: PageKind.EARLIER_PASSPORTS,
    EntryKind.MARRIAGE: PageKind.FAMILY_STATUS,
    EntryKind.DIVORCE: PageKind.FAMILY_STATUS,
}


def columns_on(lines: Sequence[Line], words: dict[int, tuple[Word, ...]], way: Direction) -> list[list[Line]]:
    """The pages on the photo, from the left: one, or two facing ones that each have a title or heading of their own."""
    titled = [line for line in lines if _known(Row(pieces=(line,), words=words[id(line)]))]
    spans = sorted((float((line.quad @ way).min()), float((line.quad @ way).max())) for line in titled)
    ends = np.maximum.accumulate([end for _, end in spans]) if spans else np.array([])
    cuts = [(ends[at] + spans[at + 1][0]) / 2 for at in range(len(spans) - 1) if spans[at + 1][0] > ends[at]]
    if len(cuts) != 1:
        return [list(lines)]
    sides = [[line for line in lines if (float(line.centre @ way) < cuts[0]) == left] for left in (True, False)]
    return sides if all(any(line in titled for line in side) for side in sides) else [list(lines)]


def _known(row: Row) -> bool:
    return title_of(row) is not None or heading_of(row) is not None


def heading_of(row: Row) -> PageKind | None:
    text = row.joined
    for kind, words, alike in _HEADINGS:
        if len(text) > 0.8 * len(words) and fuzz.partial_ratio(words, text) > alike:
            return kind
    return None


def title_of(row: Row) -> EntryKind | None:
    """What a row says its stamp is about, if it says so."""
    text = row.joined
    if heading_of(row) is not None or any(
        fuzz.partial_ratio(words, text) > _TITLED for words in ("ФАМИЛИЯПОСЛЕ", "ПОСЛЕРАСТОРЖЕНИЯ")
    ):
        return None
    for kind, wordings in TITLES:
        if any(len(text) > 0.8 * len(words) and fuzz.partial_ratio(words, text) > _TITLED for words in wordings):
            return kind
    return None


def groups_of(rows: Sequence[Row], way: Direction) -> tuple[list[tuple[EntryKind, list[Row]]], list[Row]]:
    """The rows of each entry, from the top, and the rows that belong to none."""
    down = np.array([-way[1], way[0]], np.float32)
    at = [float(row.centre @ down) for row in rows]
    titles = [number for number, row in enumerate(rows) if title_of(row) is not None]
    limits = [0, *(_between(rows, at, a, b) for a, b in pairwise(titles)), len(rows)]
    groups, taken = [], set[int]()
    for title, low, high in zip(titles, limits, limits[1:], strict=False):
        kind = title_of(rows[title])
        assert kind is not None
        first, last = title, title
        while PAGE_OF[kind] is PageKind.FAMILY_STATUS and first > low and follows(rows, at, first - 1):
            first -= 1
        while last + 1 < high and follows(rows, at, last):
            last += 1
        group = [row for row in rows[first : last + 1] if not (PAGE_OF[kind] is PageKind.FAMILY_STATUS and _is_number(row))]
        taken |= set(range(first, last + 1)) - {n for n in range(first, last + 1) if rows[n] not in group}
        groups.append((kind, group))
    return groups, [row for number, row in enumerate(rows) if number not in taken]


def _between(rows: Sequence[Row], at: Sequence[float], title: int, following: int) -> int:
    """The first row of the following entry: its title, or after the widest gap where an office may stand over the title."""
    kind = title_of(rows[following])
    if kind is None or PAGE_OF[kind] is PageKind.EARLIER_PASSPORTS:
        return following
    return max(range(title + 1, following + 1), key=lambda number: at[number] - at[number - 1])


def follows(rows: Sequence[Row], at: Sequence[float], upper: int) -> bool:
    """Whether the row below is near enough to be of the same stamp; a heading is of none."""
    if heading_of(rows[upper]) is not None or heading_of(rows[upper + 1]) is not None:
        return False
    return at[upper + 1] - at[upper] < _NEXT_ROW * max(rows[upper].height, rows[upper + 1].height)


def _is_number(row: Row) -> bool:
    return bool(number_words(row))


def around(rows: Iterable[Row]) -> Box | None:
    boxes = [certainty.box(piece.quad, 0, 1) for row in rows for piece in row.pieces]
    return hull(boxes) if boxes else None
