"""Which letters of a typed value differ from the passport's, as a customer reads it, and where on the photo they stand. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from flask_babel import gettext as _

from cases.models import Photo
from cases.queries import FieldRow
from verification import names
from verification.evidence import DATES, Difference, Field
from webapp.i18n import shown
from webapp.printed import Printed, printed_line

Stretch = tuple[str, bool]
"""A piece of text and whether it differs."""

MOST_SENTENCES = 4
"""Differences named one by one; more of them are no slips of a finger, and a list of them helps nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Letters:
    """One field: both texts cut into stretches, the differences in words, and the line of the photo where it is known."""

    field: Field
    claimed: tuple[Stretch, ...]
    read: tuple[Stretch, ...]
    sentences: tuple[str, ...]
    certain: bool  # False: the line may have been misread
    printed: Printed | None = None


def differing(rows: Iterable[FieldRow], photo: Photo | None = None) -> list[Letters]:
    """Return the fields whose typed text is not what was read, with the letters marked. Nothing where nothing was read.

    `photo` is the document photo that was read; without it nothing is cut out.
    """
    return [
        Letters(
            field=row.field,
            claimed=_stretches(row, row.typed, [(d.claimed_at, d.claimed) for d in row.differences]),
            read=_stretches(row, row.read, [(d.read_at, d.read) for d in row.differences]),
            sentences=_sentences(row),
            certain=bool(row.certain),
            printed=printed_line(row, photo) if photo is not None else None,
        )
        for row in rows
        if row.typed is not None and row.read is not None and row.agreement is not None and row.agreement < 1.0
    ]


def _stretches(row: FieldRow, text: str, marked: list[tuple[int, str]]) -> tuple[Stretch, ...]:
    """A date is shown as people write it, and as a whole: its digits stand elsewhere in the words."""
    return ((shown(text, row.field), True),) if row.field in DATES else _cut(text, marked)


def _cut(text: str, marked: list[tuple[int, str]]) -> tuple[Stretch, ...]:
    """Cut `text` at the marked places; a mark that is not at its place is left out."""
    out: list[Stretch] = []
    at = 0
    for start, piece in sorted(marked):
        if not piece or start < at or text[start : start + len(piece)].upper() != piece.upper():
            continue
        if start > at:
            out.append((text[at:start], False))
        out.append((text[start : start + len(piece)], True))
        at = start + len(piece)
    if at < len(text):
        out.append((text[at:], False))
    return tuple(out)


def _sentences(row: FieldRow) -> tuple[str, ...]:
    """Each difference with its place and what it is about; one sentence where nearly everything differs."""
    if row.field in DATES or row.field is Field.SEX:
        return ()
    letters = sum(max(len(d.claimed), len(d.read)) for d in row.differences)
    said = [_rule(rule) for rule in (row.rule or "").split(" + ")]
    if len(row.differences) > MOST_SENTENCES or letters * 2 > max(len(row.typed or ""), len(row.read or ""), 6):
        said.append(_("Most of it differs. Compare the whole line, not single letters."))
    else:
        for difference in row.differences:
            said += [_place(difference), _why(difference)]
    return tuple(dict.fromkeys(sentence for sentence in said if sentence))


def _place(d: Difference) -> str:
    """Where and what: numbers count from 1."""
    digits = (d.claimed + d.read).isdecimal()
    at = {"number": d.claimed_at + 1, "typed": d.claimed, "shown": d.read}
    if not d.read:
        if digits:
            return _("Digit %(number)s: you typed %(typed)s, the page shows nothing there", **at)
        return _("Letter %(number)s: you typed %(typed)s, the page shows nothing there", **at)
    if not d.claimed:
        at["number"] = d.claimed_at
        if digits:
            return _("After digit %(number)s the page also shows %(shown)s", **at)
        return _("After letter %(number)s the page also shows %(shown)s", **at)
    if len(d.claimed) > 1:
        at["last"] = d.claimed_at + len(d.claimed)
        if digits:
            return _("Digits %(number)s to %(last)s: you typed %(typed)s, the page shows %(shown)s", **at)
        return _("Letters %(number)s to %(last)s: you typed %(typed)s, the page shows %(shown)s", **at)
    if digits:
        return _("Digit %(number)s: you typed %(typed)s, the page shows %(shown)s", **at)
    return _("Letter %(number)s: you typed %(typed)s, the page shows %(shown)s", **at)


KAZAKH = frozenset("ӘҒҚҢӨҰҮҺІ")
DIGITS = {"0": "OОQ", "1": "IІL", "3": "ЗE", "4": "Ч", "5": "S", "6": "БG", "8": "BВ", "2": "Z"}
"""Letters of both scripts that a digit is taken for."""


def _why(d: Difference) -> str:
    """What the two letters have in common, so that she sees why they were mixed up; "" where nothing."""
    typed, read = d.claimed.upper(), d.read.upper()
    if not typed or not read:
        return ""
    if _bare(typed) == _bare(read):
        return _("They differ only in the small mark on the letter.")
    if names.look_alike(typed, read):
        if names.script(typed) == "latin":
            return _("They look the same, but you typed a Latin letter and the page shows a Cyrillic one.")
        return _("They look the same, but you typed a Cyrillic letter and the page shows a Latin one.")
    if any(a in letters for digit, letters in DIGITS.items() for a, b in ((typed, read), (read, typed)) if b == digit):
        return _("They look alike, but one is a letter and the other a digit.")
    if (typed in KAZAKH) != (read in KAZAKH):
        return _("One of them is a letter that only the Kazakh alphabet has.")
    return ""


def _rule(rule: str) -> str:
    """What the whole line is about, where a spelling rule explains it; "" for rules that single letters show better."""
    return {
        "component-order": _("The page shows the same names in another order."),
        "abbreviation": _("The page shows one of the names in another length: shortened, or in full."),
        "mrz-truncation": _("The line on the page was too short for the whole name."),
        "single-name": _("The page shows one name only."),
    }.get(rule, "")


def _bare(text: str) -> str:
    """Without accents, breves and diaereses: Ё is Е, Й is И, Ñ is N."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
