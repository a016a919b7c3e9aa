"""The details of a case side by side, judged: what file, customer, page and zone say, and which rows a person looks at.

One judgement for the page that marks a row and for the rule that asks to tick it: neither knows of one that the other forgets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

from cases.queries import FieldRow
from verification.comparison import compare
from verification.evidence import DocumentType, Field, FieldComparison

EMAIL = "email"
"""How a new e-mail address is named among the rows of a case; it is no `Field`, and no document shows it."""


class Stands(StrEnum):
    """How one row stands."""

    SAME = "same"
    DIFFERS = "differs"  # typed, and the best reading says another thing
    APART = "apart"  # typed as the best reading has it, but page or zone says another thing
    UNREAD = "unread"  # it changes, and nothing was read to hold it against
    OTHER = "other"  # not typed, and the document shows another thing than is on file
    NOTHING = ""  # nothing to hold it against


MARKED = frozenset({Stands.DIFFERS, Stands.APART, Stands.UNREAD, Stands.OTHER})
"""Where the eye is to stop: an approval asks for the tick of each of these."""


def held(row: FieldRow, reading: dict[str, Any]) -> dict[str, FieldComparison]:
    """What page ("printed") and zone ("zone") say, each by itself against what was typed, or is on file where nothing was.

    A run decides by the best of both; a person looks for what one of them says otherwise. `reading` as `CasePage.reading`.
    """
    ours = row.typed if row.typed is not None else row.on_file
    if not ours:
        return {}
    cut = may_be_cut(reading)
    return {
        part: compare(row.field, ours, said.value, country=reading.get("country"), truncated=cut and part == "zone")
        for part, said in (("printed", row.printed), ("zone", row.zone))
        if said is not None
    }


def stands(row: FieldRow, parts: dict[str, FieldComparison]) -> Stands:
    """How a row stands; `parts` as `held` gives them."""
    alike = all(found.agreement >= 1.0 for found in parts.values())
    if row.typed is None:
        return Stands.NOTHING if not parts else Stands.SAME if alike else Stands.OTHER
    if row.read is None:
        return Stands.UNREAD if row.changes else Stands.NOTHING
    if row.agreement is not None and row.agreement < 1.0:
        return Stands.DIFFERS
    return Stands.SAME if alike else Stands.APART


def to_check(
    rows: Sequence[FieldRow], reading: dict[str, Any], *, sure: Collection[Field], brings_email: bool
) -> tuple[str, ...]:
    """The rows that have to be ticked before an approval, in the order of the page: `Field` values, and EMAIL.

    Those that are marked, all changes that no run was `sure` of, and a new e-mail, which nothing but an eye can compare.
    """
    wanted = [row for row in rows if (row.changes and row.field not in sure) or stands(row, held(row, reading)) in MARKED]
    wanted.sort(key=in_order)
    typed = [row.field for row in wanted if row.typed is not None]
    return (*typed, *([EMAIL] if brings_email else []), *(row.field for row in wanted if row.typed is None))


def in_order(row: FieldRow) -> tuple[bool, int]:
    """The page's order: what changes first, then what the document shows besides."""
    return row.typed is None, list(Field).index(row.field)


def may_be_cut(reading: dict[str, Any]) -> bool:
    """Whether the zone's names may go on beyond its end (Doc 9303-4, 4.2.3): a letter stands in their last place."""
    rows = (reading.get("mrz") or {}).get("lines") or [""]
    return rows[-1 if reading.get("document_type") == DocumentType.TD1.value else 0][-1:] not in ("", "<")
