"""Which letters of a typed value differ from the passport's, as a customer reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask_babel import gettext as _

from cases.queries import FieldRow
from verification.evidence import DATES, Difference, Field

Stretch = tuple[str, bool]
"""A piece of text and whether it differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Letters:
    """One field: both texts cut into stretches, and the differences in words."""

    field: Field
    claimed: tuple[Stretch, ...]
    read: tuple[Stretch, ...]
    sentences: tuple[str, ...]


def differing(rows: Iterable[FieldRow]) -> list[Letters]:
    """Return the fields whose typed text is not what was read, with the letters marked. Nothing where nothing was read."""
    return [
        Letters(
            field=row.field,
            claimed=_cut(row.typed, [(d.claimed_at, d.claimed) for d in row.differences]),
            read=_cut(row.read, [(d.read_at, d.read) for d in row.differences]),
            sentences=() if row.field in DATES else _sentences(row.differences),
        )
        for row in rows
        if row.typed is not None and row.read is not None and row.agreement is not None and row.agreement < 1.0
    ]


def _cut(text: str, marked: list[tuple[int, str]]) -> tuple[Stretch, ...]:
    """Cut `text` at the marked places; a mark that is not at its place is left out."""
    out: list[Stretch] = []
    at = 0
    for start, piece in sorted(marked):
        if not piece or start < at or text[start : start + len(piece)] != piece:
            continue
        if start > at:
            out.append((text[at:start], False))
        out.append((piece, True))
        at = start + len(piece)
    if at < len(text):
        out.append((text[at:], False))
    return tuple(out)


def _sentences(differences: Iterable[Difference]) -> tuple[str, ...]:
    out = []
    for d in differences:
        if d.claimed and d.read:
            out.append(
                _(
                    "Letter %(number)s: you typed %(typed)s, the page shows %(shown)s",
                    number=d.claimed_at + 1,
                    typed=d.claimed,
                    shown=d.read,
                )
            )
        elif d.read:
            out.append(_("After letter %(number)s the page also shows %(shown)s", number=d.claimed_at, shown=d.read))
        else:
            out.append(
                _(
                    "Letter %(number)s: you typed %(typed)s, the page shows nothing there",
                    number=d.claimed_at + 1,
                    typed=d.claimed,
                )
            )
    return tuple(out)
