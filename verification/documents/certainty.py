"""Say which values of a zone are certain, how likely each is right, and where each of its letters stands.

The rule, for every character of a certain name or number: two of three independent voices agree on it, and none of the three
plainly says otherwise. The voices are our own network, PP-OCRv6's recogniser (other data, other people, other alphabet)
and the correlation with OCR-B's drawn glyphs (no training at all). The printed page, in other print and another place,
may stand for a second voice. Every check digit that covers the value must hold; a zone whose digits do not all hold
makes nothing certain. A day under two check digits needs one voice and no denial, since no swap of digits escapes both; a
state must be the only one that any voice could have meant. A letter lower than its neighbours is cut, and certain to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from verification.documents import confidence, glyphs, mrz_zone, viz
from verification.documents.lines import Quad
from verification.documents.mrz import ParsedMrz, Place
from verification.documents.mrz_zone import Echo, Zone
from verification.documents.national import STATES
from verification.evidence import DATES, Box, Field, FieldReading, Source

SURE: Final = 0.6  # least odds of a network on each character of a certain value
_SAYS: Final = 0.5  # odds from which a network is counted as saying a character
_DENIES: Final = 0.5  # odds on another character from which it says otherwise
_CUT_CONFIDENCE: Final = 0.5  # of a value with a letter that is not whole; own choice: no policy should take it for read
_CONTRADICTS: Final = -0.12  # lead of a glyph that fits another character plainly better (wrong letters: -0.16 and less)
_CLOSE: Final = 4  # characters between two parts of a row below which reading them as one is cheaper
_EVEN: Final = 0.9  # pitches a character may stand off its even place; a lost or invented one shifts the rest by 1

NAMES: Final = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Voices:
    """What was heard about a zone: the glyphs per row, the networks' own readings, what the printed page confirms."""

    verdicts: tuple[glyphs.Verdict, ...]
    heard: tuple[Echo, ...]  # by our network, and by PP-OCRv6 in as much of the zone as it was asked about
    confirmed: dict[Field, viz.Printed] = field(default_factory=dict)
    mended: bool = False
    cut: tuple[tuple[bool, ...], ...] = ()  # per row and place: the letter is lower than the others; () = not measured


def zone_fields(parsed: ParsedMrz, zone: Zone, voices: Voices) -> dict[Field, FieldReading]:
    """Return the zone's values with certainty, confidence, and boxes in pixels of the picture that the zone was read on."""
    fields = {}
    for name, places in parsed.places.items():
        spot = _Spot.of(zone, voices, places)
        both = name in voices.confirmed
        certain = parsed.valid and zone.forced and _certain(name, parsed, spot, both=both, mended=voices.mended)
        number, start, end = places[0]
        count = len(parsed.lines[number])
        likely = confidence.likely(
            spot.chance,
            voices="page" if both else "agreed" if spot.agreed else "denied" if spot.denied else "single",
            holds=parsed.holds(name) if name in parsed.covered else parsed.valid,
        )
        fields[name] = FieldReading(
            value=parsed.values[name],
            confidence=min(likely, _CUT_CONFIDENCE) if spot.cut and not both else likely,
            certain=certain,
            source=Source.BOTH if both else Source.MRZ,
            box=box(zone.rows[number].quad, start / count, end / count),
            letters=_letters(name, parsed, zone),
        )
    return fields


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spot:
    """Some characters of a row, and what the voices say of them."""

    chance: float  # least odds of the networks on any of them
    agreed: bool  # two voices on each, none against any
    denied: bool  # a voice plainly says otherwise somewhere
    cut: bool  # a letter is not whole: all voices may read another one from what is left of it
    even: bool  # the row's characters stand evenly: none was lost or invented
    instead: tuple[str, ...]  # the text with each character the glyph voice disputes put as that voice sees it

    @classmethod
    def of(cls, zone: Zone, voices: Voices, places: Sequence[Place]) -> _Spot:
        agreed, denied, even, cut = True, False, True, False
        chance, instead = 1.0, []
        for number, start, end in places:
            verdict, row = voices.verdicts[number], zone.rows[number]
            heard = [echo for echo in voices.heard if echo.number == number]
            ocr_b = float(np.median(verdict.fits)) > 0.8  # then a glyph that contradicts plainly counts
            even = even and row.regular < _EVEN
            for at in range(start, end):
                said = [told for echo in heard if (told := echo.at(at)) is not None]
                count = sum(character == row.text[at] and odds >= _SAYS for character, odds in said)
                denied = denied or any(character != row.text[at] and odds >= _DENIES for character, odds in said)
                chance = min(chance, row.chances[at])
                cut = cut or (bool(voices.cut) and voices.cut[number][at])
                if _glyph_agrees(row, verdict, at):
                    count += 1
                elif ocr_b and verdict.leads[at] < _CONTRADICTS and count < 2:
                    denied = True
                if verdict.leads[at] <= 0:
                    instead.append((row.text[start:at] + verdict.rivals[at] + row.text[at + 1 : end]).rstrip("<"))
                agreed = agreed and count >= 2
        return cls(chance=chance, agreed=agreed and not denied, denied=denied, cut=cut, even=even, instead=tuple(instead))


def _glyph_agrees(row: mrz_zone.Row, verdict: glyphs.Verdict, at: int) -> bool:
    """Whether the glyph voice agrees with one character.

    Printers draw the zero so unlike each other that it may fit OCR-B's O, D or Q better; there the network, when
    nearly sure, is believed, as the check digits do see such a swap (their values differ).
    """
    if row.text[at] != "<" and verdict.fits[at] <= 0.5:
        return False
    if verdict.leads[at] > 0 or (verdict.leads[at] > -0.04 and row.chances[at] >= 0.9):
        return True  # measured: wrong letters trail their rival by 0.16 and more
    return row.text[at] == "0" and verdict.rivals[at] in "ODQ" and verdict.leads[at] > _CONTRADICTS and row.chances[at] > 0.95


def _certain(name: Field, parsed: ParsedMrz, spot: _Spot, *, both: bool, mended: bool) -> bool:
    """Whether a value of a valid zone stands on independent readings. See the module's rule."""
    if parsed.truncated and name in NAMES:
        return False  # the page's line may be cut where the zone is: a name may go on below it
    if (not spot.even or spot.cut or name in parsed.doubtful) and not (both and name in NAMES):
        return False
    heard = spot.agreed and spot.chance >= SURE
    if name in NAMES:
        return both or heard
    if name is Field.NATIONALITY:
        return spot.chance >= SURE and not spot.denied and all(other not in STATES for other in spot.instead)
    if name is Field.SEX or name not in parsed.covered:
        return heard
    covered = parsed.holds(name)
    if name in DATES and covered and "composite" in parsed.covered[name] and not mended:
        return (spot.chance >= SURE and not spot.denied) or both or spot.agreed  # no swap of digits escapes both
    return covered and (both or (heard and not mended))


def _letters(name: Field, parsed: ParsedMrz, zone: Zone) -> tuple[Box | None, ...]:
    """Return the box of each character of the value; None for what is not printed."""
    places = parsed.letters(name)
    even = {
        number: np.polyfit(np.arange(len(zone.rows[number].text)), np.array(zone.rows[number].centres), 1).tolist()
        for number in {place[0] for place in places if place is not None}
    }
    boxes: list[Box | None] = []
    for place in places:
        if place is None:
            boxes.append(None)
            continue
        slope, first = even[place[0]]
        middle = first + slope * place[1]
        boxes.append(box(zone.rows[place[0]].quad, middle - slope / 2, middle + slope / 2))
    return tuple(boxes)


def box(quad: Quad, start: float, end: float) -> Box:
    """Return the upright box around a part of a row's quad, `start` and `end` as shares of its length (0-1)."""
    part = np.array(
        [
            quad[0] + (quad[1] - quad[0]) * start,
            quad[0] + (quad[1] - quad[0]) * end,
            quad[3] + (quad[2] - quad[3]) * end,
            quad[3] + (quad[2] - quad[3]) * start,
        ]
    )
    left, top = np.floor(part.min(axis=0)).astype(int)
    right, bottom = np.ceil(part.max(axis=0)).astype(int)
    return max(0, int(left)), max(0, int(top)), int(right - left), int(bottom - top)


def to_ask(parsed: ParsedMrz, zone: Zone, voices: Voices) -> list[Place]:
    """Return the parts of the zone about which the slow voice should be heard: names always, the rest where in doubt.

    Nothing but a second reading vouches for a name: no check digit covers it.
    """
    parts: list[Place] = []
    for name, places in parsed.places.items():
        if name in NAMES or (name not in DATES and not _Spot.of(zone, voices, places).agreed):
            parts += places
    return _together(parts)


def _together(parts: Sequence[Place]) -> list[Place]:
    """Join parts of one row that lie close together: each reading has its price."""
    joined: list[Place] = []
    for row, start, end in sorted(parts):
        if joined and joined[-1][0] == row and start - joined[-1][2] < _CLOSE:
            joined[-1] = (row, joined[-1][1], max(end, joined[-1][2]))
        else:
            joined.append((row, start, end))
    return joined


def cut_box(box: Box | None, width: int, height: int) -> Box | None:
    """The part of a box that lies on a photo of that size, pixels; None for one that lies beside it."""
    if box is None:
        return None
    left, top = max(0, box[0]), max(0, box[1])
    right, bottom = min(width, box[0] + box[2]), min(height, box[1] + box[3])
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def on_photo(field: FieldReading, width: int, height: int) -> FieldReading:
    """The same value, its boxes cut to the photo."""
    letters = tuple(cut_box(box, width, height) for box in field.letters)
    return replace(field, box=cut_box(field.box, width, height), letters=letters)
