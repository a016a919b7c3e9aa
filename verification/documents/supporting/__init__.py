"""Read the supporting pages of a Russian internal passport: earlier passports (page 19) and family status (page 14).

Nothing is looked for at a fixed place: stamps lie askew, offices word them differently. A stamp is known by its words
(`stamps`); its rows (`rows`) are the printed lines between it and the next; a value is what stands behind a label or over a
caption (`labels`), or looks like nothing else: a day, a code, ten figures (`figures`, `earlier_passports`, `family_status`).
`entries` brings them together, `covers` says what lies over them. Our own network reads everything and makes nothing certain
alone: figures need PP-OCRv6's reading beside it, words Tesseract's (`words`). What is written by hand is not read. Facts:
facts/documents.md 3.1 and 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np

from verification.documents import certainty, spread
from verification.documents import lines as text_lines
from verification.documents.lines import Line, Pixels
from verification.documents.supporting import covers
from verification.documents.supporting.earlier_passports import with_untitled
from verification.documents.supporting.entries import entry_of
from verification.documents.supporting.figures import hear_figures, together
from verification.documents.supporting.rows import ALONG, TEXT, Direction, Row, number_words, rows_on, runs_of, sine_of, words_of
from verification.documents.supporting.stamps import PAGE_OF, columns_on, groups_of, heading_of
from verification.evidence import FieldReading
from verification.papers import Entry, PageKind, SupportingReading
from verification.reasons import ReasonCode

__all__ = ["read_supporting"]

SIDE: Final = 960  # pixels of the longest side in which lines are looked for
_ASKED: Final = 8  # longest lines that tell which way up the page lies
_FEW: Final = 3  # printed lines: fewer are no paper


def read_supporting(image: Pixels, *, today: date) -> SupportingReading:
    """Read page 18-19 or 14-15 of a Russian internal passport. `image`: RGB, H x W x 3, any orientation.

    Never raises on any picture, and never makes a value up: of what could not be read only the name is given.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 32:
        return SupportingReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,))
    with text_lines.remembering():
        found = text_lines.find(image, longest=SIDE)
        if len(found) < _FEW:
            return SupportingReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,))
        way = _way_up(image, found)
        if way is None:
            return SupportingReading(problems=(ReasonCode.DOCUMENT_NOT_KNOWN,))
        lines = [spread.turned(line, way) for line in found if abs(sine_of(line, way)) < ALONG or line.width < 1.6 * line.height]
        words = {id(line): words_of(image, line, lines) for line in lines}
        columns = columns_on(lines, words, way)
        entries: list[Entry] = []
        headings: list[PageKind] = []
        own: list[FieldReading] = []
        for column in columns:
            rows = rows_on(column, words, way)
            headings += [kind for row in rows if (kind := heading_of(row)) is not None]
            groups, rest = groups_of(rows, way)
            if PageKind.EARLIER_PASSPORTS in headings:
                groups, rest = with_untitled(groups, rest, rows, way)
            entries += [entry_of(image, kind, group, today=today) for kind, group in groups]
            own += [number for row in rest if (number := _own_number(image, row)) is not None]
        hidden = covers.over(image, lines, way) if entries else []
    kinds = [PAGE_OF[entry.kind] for entry in entries] + headings
    if not kinds:
        return SupportingReading(problems=(ReasonCode.DOCUMENT_NOT_KNOWN,))
    looked = [covers.unsure(entry, hidden) for entry in entries]
    entries = [entry for entry, _ in looked]
    problems = tuple(dict.fromkeys(reason for _, reasons in looked for reason in reasons))
    problems += (ReasonCode.FIELD_NOT_READ,) if any(entry.unread for entry in entries) else ()
    if len({number.value for number in own}) > 1:  # pages of two books, or one of them misread: whose the page is nobody knows
        own = [replace(number, certain=False, confidence=min(number.confidence, 0.5)) for number in own]
        problems = (ReasonCode.SEVERAL_DOCUMENTS, *problems)
    return SupportingReading(
        kind=max(kinds, key=kinds.count),
        entries=tuple(_on_photo(entry, image.shape[1], image.shape[0]) for entry in entries),
        own_number=max(own, key=lambda number: (number.certain, number.confidence), default=None),
        problems=problems,
    )


def _way_up(image: Pixels, found: Sequence[Line]) -> Direction | None:
    """The direction in which the page is read: along most print, and that way in which its longest lines are read better."""
    long = sorted((line for line in found if line.width > 3 * line.height and line.height >= 5), key=lambda line: -line.width)
    if len(long) < 2:
        return None
    votes = [sum(other.width for other in long if abs(sine_of(other, line.direction)) < ALONG) for line in long]
    main = long[int(np.argmax(votes))].direction
    along = [spread.turned(line, main) for line in long if abs(sine_of(line, main)) < ALONG]
    total = np.sum([line.direction * line.width for line in along], axis=0)
    main = np.asarray(total / max(float(np.linalg.norm(total)), 1e-6), np.float32)
    sure = [0.0, 0.0]
    for line in along[:_ASKED]:
        for at, quad in enumerate((line.quad, text_lines.reversed_quad(line.quad))):
            letters = text_lines.read_print(image, quad).letters(TEXT)
            sure[at] += sum(letter.chance - 0.5 for letter in letters if letter.character != " ")
    return main if sure[0] >= sure[1] else np.asarray(-main, np.float32)


def _own_number(image: Pixels, row: Row) -> FieldReading | None:
    """The passport's own number, which stands on its pages without a word beside it."""
    words = number_words(row)
    if not words:
        return None
    heard = [hear_figures(image, part, range(1, 11)) for part in runs_of(words)]
    told = [one for one in heard if one is not None]
    whole = together(told) if told and len(told) == len(heard) else None
    return whole.field(whole.text) if whole is not None and len(whole.text) == 10 else None


def _on_photo(entry: Entry, width: int, height: int) -> Entry:
    """The same entry, its boxes cut to the photo; None for one that lies beside it."""
    values = {detail: certainty.on_photo(field, width, height) for detail, field in entry.values.items()}
    return replace(entry, values=values, box=certainty.cut_box(entry.box, width, height))
