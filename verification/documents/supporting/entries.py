"""From the rows of one stamp to its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np

from verification.documents.lines import Pixels
from verification.documents.spread import CYRILLIC
from verification.documents.supporting.earlier_passports import take_code, take_number
from verification.documents.supporting.family_status import names_office, put_dates, take_act
from verification.documents.supporting.figures import take_dates
from verification.documents.supporting.labels import DAYS, IN_LETTERS, Part, caption_of, captioned, parts_of
from verification.documents.supporting.rows import Row, Word, digits_in, pixels_apart
from verification.documents.supporting.stamps import PAGE_OF, around, title_of
from verification.documents.supporting.words import put_words
from verification.evidence import FieldReading
from verification.papers import EXPECTED, Detail, Entry, EntryKind, PageKind

_MISSED: Final = 2.0  # heights of a line: between rows farther apart another may lie unseen


def entry_of(image: Pixels, kind: EntryKind, rows: Sequence[Row], *, today: date) -> Entry:
    values: dict[Detail, FieldReading] = {}
    parts: list[Part] = []
    seen: list[tuple[date, FieldReading, bool]] = []
    asked: set[Detail] = set()
    family = PAGE_OF[kind] is PageKind.FAMILY_STATUS
    titled, untitled = False, not any(title_of(row) for row in rows)
    usual = float(np.median([row.height for row in rows]))
    for at, row in enumerate(rows):
        title = not titled and (title_of(row) is not None or untitled)
        own = parts_of(row, kind, title=title)
        titled = titled or title
        here: list[Part] = []
        birth = any(Detail.DATE_OF_BIRTH in part.details for part in own)
        asked |= {detail for part in own for detail in part.details}
        for part in own:
            days = len(seen)
            left = take_dates(image, part.words, seen, today=today, birth=birth, labelled=bool(DAYS & set(part.details)))
            if kind in (EntryKind.PASSPORT, EntryKind.FOREIGN_PASSPORT):
                left = take_code(image, left, values, labelled=Detail.ISSUER_CODE in part.details)
                left = take_number(image, left, values, kind)
            elif Detail.ACT_NUMBER in part.details:
                left = take_act(image, left, values)
            taken = len(seen) > days or sum(map(digits_in, left)) < sum(map(digits_in, part.words))
            here.append(replace(part, words=() if taken and not part.details else tuple(left)))  # a label, badly read
        open_end = bool(parts) and bool(parts[-1].words) and parts[-1].words[-1].plain == "№"
        filled = [part for part in here if open_end or any(c in CYRILLIC for word in part.words for c in word.text)]
        filled = [part for part in filled if part.words]
        caption = None if title else caption_of(row, own, usual)
        if caption is not None:
            for number in range(len(parts) - 1, -1, -1):
                if parts[number].details or not parts[number].words:
                    break
                first = family and titled and not any(part.words for part in parts[:number])
                parts[number] = replace(parts[number], details=captioned(caption, parts[number].words, first=first))
                if caption != (Detail.ISSUER,) or not parts[number].next_row:
                    break  # a name has one row
            parts.append(Part(details=caption, words=()))  # what follows is another value's
            continue
        near = at > 0 and pixels_apart(rows[at - 1], row) < _MISSED * max(row.height, rows[at - 1].height)
        parts += [replace(part, next_row=near or part is not filled[0]) for part in filled]
        if not filled or title:
            parts.append(Part(details=(), words=()))
        if not titled:
            parts = [replace(part, details=part.details or (Detail.ISSUER,)) for part in parts]
    _put_dates(values, seen, kind)
    put_words(image, values, _sorted_out(parts, kind))
    wanted = EXPECTED[kind] + tuple(sorted(asked - set(EXPECTED[kind]), key=list(Detail).index))
    return Entry(
        kind=kind,
        values={detail: values[detail] for detail in Detail if detail in values},
        unread=tuple(detail for detail in wanted if detail not in values),
        box=around(rows),
    )


def _sorted_out(parts: Sequence[Part], kind: EntryKind) -> dict[Detail, list[tuple[Word, ...]]]:
    """Which words are which value: what labels say, then what kind of entry it is."""
    sorted_out: dict[Detail, list[tuple[Word, ...]]] = {}
    following: tuple[Detail, ...] = ()
    last: Detail | None = None
    for part in parts:
        if not part.words:
            following, last = (), None
            continue
        if not part.next_row:
            following, last = (), None
        details = tuple(detail for detail in part.details if detail in IN_LETTERS)
        if part.details and not details:  # behind a label for figures nothing in letters is looked for
            following, last = (), None
            continue
        if not details:
            passport, first = PAGE_OF[kind] is PageKind.EARLIER_PASSPORTS, Detail.ISSUER not in sorted_out
            if passport or last is Detail.ISSUER or (first and names_office(part.words)):
                details = (Detail.ISSUER,)
            else:
                details = following
        if not details:
            continue
        words = part.words
        if details[0] is Detail.ISSUER or len(details) == 1:
            sorted_out.setdefault(details[0], []).append(words)
            following, last = (), details[0]
            continue
        for at, detail in enumerate(details):
            if not words:
                following = details[at:]
                break
            ends = at == len(details) - 1 or len(words) == 1
            count = len(words) if ends else 1
            sorted_out.setdefault(detail, []).append(words[:count])
            words, following, last = words[count:], details[at + 1 :], detail
    return sorted_out


def _put_dates(values: dict[Detail, FieldReading], seen: Sequence[tuple[date, FieldReading, bool]], kind: EntryKind) -> None:
    """Name the days: a passport's first is its issue."""
    if PAGE_OF[kind] is PageKind.FAMILY_STATUS:
        put_dates(values, seen)
    elif seen:
        values[Detail.ISSUED_ON] = seen[0][1]
