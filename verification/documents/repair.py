"""Mend a doubtful character of a zone by its check digits, where exactly one repair fits.

A print whose digits are simply wrong is left as it is: only characters over which the two voices differ, or
of which the network itself was unsure, may change, and only to what a voice saw or to a look-alike it gave odds.
Names have no check digit and are never touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations, product
from typing import Final

from verification.documents import mrz
from verification.documents.glyphs import Verdict
from verification.documents.mrz_zone import Row, Zone
from verification.evidence import DocumentType

_DOUBT: Final = 0.9  # the network's odds below which a character is in doubt
_CHANCE: Final = 0.02  # least odds the network must give to a replacement that the glyph voice did not name
_LEAD: Final = (-0.03, -0.1)  # the glyph voice contradicts where another glyph leads by this much; for one, for two changes
_WEIGHT: Final = 20.0  # natural log odds that one unit of glyph lead is worth (own choice: 0.1 of lead outweighs 7 to 1)
_MOST: Final = 2  # characters changed at once; more would find a "fit" by luck


def mend(zone: Zone, verdicts: Sequence[Verdict], *, today: date) -> tuple[Zone, bool]:
    """Return the zone with its one fitting repair, and whether there was one. `verdicts`: the glyph voice, per row."""
    parsed = mrz.parse(zone.texts, today=today)
    if parsed.document_type is None or not parsed.checks:
        return zone, False
    covered = _covered(zone)
    together = [vote for row, at in covered if (vote := _outvoted(zone.rows[row], verdicts[row], row, at)) is not None]
    if together and mrz.parse(_changed(zone, together), today=today).valid:
        return _apply(zone, together), True
    if parsed.valid:
        return zone, False
    for count in range(1, _MOST + 1):
        doubts = [
            (row, at, options)
            for row, at in covered
            if (options := _replacements(zone.rows[row], verdicts[row], at, _LEAD[count - 1]))
        ]
        fits: list[tuple[tuple[int, int, str], ...]] = []
        for chosen in combinations(doubts, count):
            for change in _choices(chosen):
                if mrz.parse(_changed(zone, change), today=today).valid:
                    fits.append(change)
                    if len(fits) > 1:
                        return zone, False
        if fits:
            return _apply(zone, fits[0]), True
    return zone, False


def _covered(zone: Zone) -> list[tuple[int, int]]:
    """Places under a check digit, the digits themselves included."""
    if zone.layout is DocumentType.TD1:
        return [(0, at) for at in range(5, 30)] + [(1, at) for at in (*range(0, 7), *range(8, 15), 29)]
    return [(1, at) for at in (*range(0, 10), *range(13, 20), *range(21, len(zone.rows[1].text)))]


def _replacements(row: Row, verdict: Verdict, at: int, lead: float) -> str:
    """What may stand at a doubtful place instead: what the glyph voice saw, and the network's own second choice."""
    own, options = row.text[at], ""
    if verdict.leads[at] < lead:
        options += verdict.rivals[at]
    if row.chances[at] < _DOUBT and row.second_chances[at] >= _CHANCE:
        options += row.seconds[at]
    return "".join(c for c in dict.fromkeys(options) if c != own and c in row.masks[at])


def _outvoted(row: Row, verdict: Verdict, number: int, at: int) -> tuple[int, int, str] | None:
    """Return the change where both voices together prefer another character that the network itself held possible.

    Needed where two misread letters cancel out in the check digit (ZS for 25): both texts are valid then.
    """
    rival = verdict.rivals[at]
    if rival != row.seconds[at] or rival not in row.masks[at] or verdict.leads[at] > _LEAD[1]:
        return None
    network = math.log(max(row.second_chances[at], 1e-4) / max(row.chances[at], 1e-4))
    return (number, at, rival) if network - _WEIGHT * verdict.leads[at] > 0 else None


def _choices(chosen: Sequence[tuple[int, int, str]]) -> Iterator[tuple[tuple[int, int, str], ...]]:
    for letters in product(*(options for _, _, options in chosen)):
        yield tuple((row, at, letter) for (row, at, _), letter in zip(chosen, letters, strict=True))


def _changed(zone: Zone, change: Sequence[tuple[int, int, str]]) -> list[str]:
    texts = [list(text) for text in zone.texts]
    for row, at, letter in change:
        texts[row][at] = letter
    return ["".join(text) for text in texts]


def _apply(zone: Zone, change: Sequence[tuple[int, int, str]]) -> Zone:
    texts = _changed(zone, change)
    rows = []
    for number, (row, text) in enumerate(zip(zone.rows, texts, strict=True)):
        chances = list(row.chances)
        for at_row, at, _ in change:
            if at_row == number:
                chances[at] = min(0.5, 1 - row.chances[at])
        rows.append(replace(row, text=text, chances=tuple(chances)))
    return replace(zone, rows=tuple(rows))
