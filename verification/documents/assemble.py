"""Put one document's readings together and say which values are certain.

The rule of certainty, for every value: the network's reading *and* an independent one agree on each character: the
glyph voice on the same print, or the printed page in other print; and every check digit that covers it holds.
A zone whose digits do not all hold makes nothing certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import cv2
import numpy as np
from rapidfuzz.distance import Levenshtein

from verification import ocr
from verification.documents import contradiction, glyphs, lines, mrz, mrz_zone, page, repair, russian, viz
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.mrz import ParsedMrz
from verification.documents.mrz_zone import Zone
from verification.documents.national import SPECIMEN_STATES, STATES
from verification.evidence import DATES, Box, DocumentReading, DocumentType, Field, FieldReading, MrzReading, Source
from verification.reasons import ReasonCode

FIRST_SIDE: Final = 736  # pixels: the detector's own training size finds nearly every zone
SECOND_SIDE: Final = 1280  # for small documents on large photos
_POOR: Final = -0.07  # mean log odds below which a second look at the rows pays
_GUESSING: Final = -0.9  # mean log odds per character below which rows are noise (measured: right zones above -0.5)
_SMALL: Final = 5.5  # pixels of pitch: at 5.7, 8 of 11 zones were exact, at 4.5, 4 (sizes of development images)
_SOFT: Final = 0.10  # `_edge`: from 0.12 up 11 of 11 were exact, at 0.10 to 0.12, 8, below 0.09, 2 (blurred copies)
_BURNT: Final = 250  # grey level from which print under glare is gone
_SURE: Final = 0.6  # least odds of the network on each character of a certain value


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """A reading, how the document lies, and its flattened page."""

    reading: DocumentReading
    quarter_turns: int = 0
    page: Pixels | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Voices:
    """What was heard about a zone: the glyph voice per row, the printed page, values the page confirms."""

    verdicts: tuple[glyphs.Verdict, ...]
    printed: Sequence[viz.Printed]
    confirmed: dict[Field, viz.Printed]
    mended: bool


def document(image: Pixels, *, today: date) -> Found:
    """Read one picture. Never raises on any picture of the right type."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 32:
        return Found(reading=DocumentReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,)))
    with lines.remembering():
        picture, found, zone = _zone_on(image)
        if zone is None:
            return _without_zone(image, found, today=today)
        return _with_zone(picture, found, zone, today=today)


def _zone_on(image: Pixels) -> tuple[Pixels, list[Line], Zone | None]:
    """Look for the zone: at the detector's own size, then larger, then with black and white swapped."""
    found = lines.find(image, longest=FIRST_SIDE)
    zone = mrz_zone.recognise(image, found)
    if zone is not None and zone.score < _POOR:
        zone = mrz_zone.looked_at_again(image, zone)
    if _good(zone):
        return image, found, zone
    if zone is None and not mrz_zone.unread_rows(image, found) and russian.landmarks(image, found) is not None:
        return image, found, None  # the older internal passport, which has no zone
    closer = lines.find(image, longest=SECOND_SIDE)
    second = mrz_zone.recognise(image, closer)
    best = max((z for z in (zone, second) if z is not None), key=lambda z: z.score, default=None)
    if best is None or best.score < _GUESSING:
        negative = cv2.bitwise_not(image)
        marked = lines.find(np.asarray(negative, np.uint8), longest=FIRST_SIDE)
        third = mrz_zone.recognise(np.asarray(negative, np.uint8), marked)
        if _good(third):
            return np.asarray(negative, np.uint8), marked, third
        return image, found, None
    return image, closer if best is second else found, best


def _good(zone: Zone | None) -> bool:
    return zone is not None and zone.score > -0.35


def _with_zone(picture: Pixels, found: Sequence[Line], zone: Zone, *, today: date) -> Found:
    verdicts = tuple(glyphs.judge(picture, row.quad, row.text, row.centres, row.masks) for row in zone.rows)
    zone, mended = repair.mend(zone, verdicts, today=today)
    if mended:
        verdicts = tuple(glyphs.judge(picture, row.quad, row.text, row.centres, row.masks) for row in zone.rows)
    parsed = mrz.parse(zone.texts, today=today)
    first = Line(quad=zone.rows[0].quad, score=1.0)
    quads = [row.quad for row in zone.rows]
    if parsed.document_type is None or _is_no_reading(parsed, quads, picture):
        return _without_zone(picture, found, today=today, rows=quads)
    russian_page = parsed.document_type is DocumentType.RU_INTERNAL  # Cyrillic: read by its own module
    printed = [] if russian_page else viz.read_page(picture, found, like=first, without=quads)
    confirmed = viz.confirm(parsed.values, printed, zone_names=_zone_names(parsed))
    voices = _Voices(verdicts=verdicts, printed=printed, confirmed=confirmed, mended=mended)
    fields = _zone_fields(parsed, zone, voices)
    if parsed.valid and zone.forced and any(not fields[name].certain for name in _WORTH_HEARING if name in fields):
        verdicts = _with_tesseract(picture, zone, verdicts)
        voices = replace(voices, verdicts=verdicts)
        fields = _zone_fields(parsed, zone, voices)
    corners = page.page_corners(parsed.document_type, quads[0], quads[-1])
    disagree = False
    if parsed.document_type is DocumentType.RU_INTERNAL:
        fields, disagree = russian.with_page(picture, corners, fields, found, direction=first.direction, today=today)
    else:
        sure = [name for name, field in fields.items() if field.certain]
        other = contradiction.contradicted(parsed, printed, confirmed, sure=sure, like=first, corners=corners)
        disagree = bool(other)
        for name in other:  # either may be the false one
            fields[name] = replace(fields[name], certain=False, confidence=min(fields[name].confidence, 0.5))
        fields |= _page_only(parsed, voices, today=today)
        if parsed.country == "RUS":
            fields |= russian.travel_names(picture, found, voices.confirmed, fields)
    height, width = picture.shape[:2]
    reading = DocumentReading(
        document_type=parsed.document_type,
        country=parsed.country,
        mrz=MrzReading(lines=parsed.lines, valid=parsed.valid, checks=dict(parsed.checks)),
        fields=fields,
        portrait=page.portrait_box(parsed.document_type, corners, width, height),
        problems=tuple(dict.fromkeys(_problems(picture, zone, parsed, voices, fields, corners, disagree=disagree))),
    )
    return Found(reading=reading, quarter_turns=page.quarter_turns(first.direction), page=page.flatten(picture, corners))


def _is_no_reading(parsed: ParsedMrz, quads: Sequence[Quad], picture: Pixels) -> bool:
    """Return whether rows that do not check are no zone at all: mirrored print, other text, or a zone cut by the edge.

    What such rows would say is made up. A whole zone whose printed digits are wrong has a state that exists, or two
    digits that hold by more than luck. P is no code of 36 characters: that is a passport's row with part of it lost.
    """
    if parsed.valid:
        return False
    if parsed.document_type is DocumentType.TD2 and parsed.lines[0].startswith("P"):
        return True
    return page.cut(quads, picture.shape[1], picture.shape[0]) or (
        parsed.country not in STATES and sum(parsed.checks.values()) < 2
    )


def _zone_names(parsed: ParsedMrz) -> tuple[str, str]:
    """The zone's Latin names, to be found on the page; none for the Russian zone, whose page is Cyrillic."""
    if parsed.document_type is DocumentType.RU_INTERNAL:
        return "", ""
    return parsed.values.get(Field.SURNAME, ""), parsed.values.get(Field.GIVEN_NAMES, "")


_PLACES: Final[dict[DocumentType, dict[Field, tuple[int, int, int]]]] = {
    # row, first and last position (0-based, end exclusive) of what each field is printed with
    DocumentType.TD1: {
        Field.DOCUMENT_NUMBER: (0, 5, 14), Field.DATE_OF_BIRTH: (1, 0, 6), Field.SEX: (1, 7, 8), Field.EXPIRES_ON: (1, 8, 14),
        Field.NATIONALITY: (1, 15, 18), Field.PERSONAL_NUMBER: (0, 15, 30),
        Field.SURNAME: (2, 0, 30), Field.GIVEN_NAMES: (2, 0, 30),
    },
    DocumentType.RU_INTERNAL: {
        Field.DOCUMENT_NUMBER: (1, 0, 9), Field.DATE_OF_BIRTH: (1, 13, 19), Field.SEX: (1, 20, 21), Field.ISSUED_ON: (1, 29, 35),
        Field.NATIONALITY: (1, 10, 13), Field.ISSUER_CODE: (1, 35, 41), Field.SURNAME: (0, 5, 44), Field.GIVEN_NAMES: (0, 5, 44),
        Field.PATRONYMIC: (0, 5, 44),
    },
}  # fmt: skip
_TWO_ROWS: Final[dict[Field, tuple[int, int, int]]] = {
    Field.DOCUMENT_NUMBER: (1, 0, 9), Field.DATE_OF_BIRTH: (1, 13, 19), Field.SEX: (1, 20, 21), Field.EXPIRES_ON: (1, 21, 27),
    Field.NATIONALITY: (1, 10, 13), Field.PERSONAL_NUMBER: (1, 28, 42), Field.SURNAME: (0, 5, 44), Field.GIVEN_NAMES: (0, 5, 44),
}  # fmt: skip
_NAMES: Final = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)
_WORTH_HEARING: Final = (*_NAMES, Field.DOCUMENT_NUMBER, Field.SEX, Field.NATIONALITY)  # for these Tesseract is started
_CONTRADICTS: Final = -0.12  # lead of a glyph that fits another character plainly better (wrong letters: -0.16 and less)
_SEEN: Final = 0.01  # lead given to a character that Tesseract reads as the network does


def _with_tesseract(picture: Pixels, zone: Zone, verdicts: Sequence[glyphs.Verdict]) -> tuple[glyphs.Verdict, ...]:
    """Let Tesseract speak where the glyph voice does not agree (other fonts, faint print): letters and digits only.

    Fillers are not asked: Tesseract reads them as K, C or E (107 times on the development zones).
    """
    crops = [cv2.cvtColor(lines.crop(picture, row.quad, height=round(ocr.LETTER * 1.6)), cv2.COLOR_RGB2GRAY) for row in zone.rows]
    heard = ocr.read_lines([np.asarray(crop, np.uint8) for crop in crops], language="eng", allowed=mrz.ALPHABET)
    together = []
    for row, verdict, line in zip(zone.rows, verdicts, heard, strict=True):
        leads, fits = list(verdict.leads), list(verdict.fits)
        ocr_b = float(np.median(fits)) > 0.8  # then a glyph that contradicts plainly is not overruled
        for step in Levenshtein.opcodes(row.text, line.text.replace(" ", "")):
            if step.tag != "equal" or step.src_end - step.src_start < 3:
                continue  # a letter alone may fall in place by chance
            for at in range(step.src_start, step.src_end):
                if row.text[at] != "<" and not (ocr_b and leads[at] < _CONTRADICTS):
                    leads[at], fits[at] = max(leads[at], _SEEN), max(fits[at], 0.51)
        together.append(glyphs.Verdict(fits=tuple(fits), leads=tuple(leads), rivals=verdict.rivals))
    return tuple(together)


def _zone_fields(parsed: ParsedMrz, zone: Zone, voices: _Voices) -> dict[Field, FieldReading]:
    assert parsed.document_type is not None
    places = _PLACES.get(parsed.document_type, _TWO_ROWS)
    fields = {}
    for name, value in parsed.values.items():
        row, start, end = places[name]
        if name in _NAMES:
            start, end = _name_span(parsed, name, start)
        spot = _Spot.of(zone, voices, row, start, min(end, len(parsed.lines[row])))
        both = name in voices.confirmed
        certain = parsed.valid and zone.forced and _certain(name, value, parsed, spot, both=both, mended=voices.mended)
        confidence = (
            max(spot.chance, 0.98 if both else 0.0) if certain or both else min(spot.chance, 0.9) * (1.0 if spot.agrees else 0.7)
        )
        fields[name] = FieldReading(
            value=value,
            confidence=round(float(min(max(confidence, 0.01), 0.999)), 4),
            certain=certain,
            source=Source.BOTH if both else Source.MRZ,
            box=_box(zone.rows[row].quad, start / len(parsed.lines[row]), end / len(parsed.lines[row])),
        )
    return fields


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spot:
    """Some characters of a row: the network's least odds on them, and whether the glyph voice agrees on all."""

    chance: float
    agrees: bool
    even: bool  # the row's characters stand evenly: none was lost or invented
    instead: tuple[str, ...]  # the text with each character the glyph voice disputes put as that voice sees it

    @classmethod
    def of(cls, zone: Zone, voices: _Voices, row: int, start: int, end: int) -> _Spot:
        verdict, read = voices.verdicts[row], zone.rows[row]
        used = [k for k in range(start, end)]
        letters = [k for k in used if read.text[k] != "<"] or used
        return cls(
            chance=min((read.chances[k] for k in used), default=0.0),
            agrees=all(_agrees(read, verdict, k) for k in used) and all(verdict.fits[k] > 0.5 for k in letters),
            even=read.regular < 0.9,
            instead=tuple(
                (read.text[start:k] + verdict.rivals[k] + read.text[k + 1 : end]).rstrip("<")
                for k in used
                if verdict.leads[k] <= 0
            ),
        )


def _agrees(row: mrz_zone.Row, verdict: glyphs.Verdict, at: int) -> bool:
    """Whether the glyph voice agrees with one character.

    Printers draw the zero so unlike each other that it may fit OCR-B's O, D or Q better; there the network, when
    nearly sure, is believed, as the check digits do see such a swap (their values differ).
    """
    if verdict.leads[at] > 0 or (verdict.leads[at] > -0.04 and row.chances[at] >= 0.9):
        return True  # measured: wrong letters trail their rival by 0.16 and more
    return row.text[at] == "0" and verdict.rivals[at] in "ODQ" and verdict.leads[at] > -0.12 and row.chances[at] > 0.95


def _certain(name: Field, value: str, parsed: ParsedMrz, spot: _Spot, *, both: bool, mended: bool) -> bool:
    """Whether a value of a valid zone stands on two independent readings. See the module's rule."""
    if not spot.even and not both:
        return False
    if name in _NAMES:
        return both or (not parsed.truncated and spot.agrees and spot.chance >= _SURE)
    if name is Field.NATIONALITY:
        return value in STATES and spot.chance >= _SURE and all(rival not in STATES for rival in spot.instead)
    if name is Field.SEX:
        return spot.agrees and spot.chance >= _SURE
    covered = parsed.holds(name)
    if name in DATES and covered and "composite" in parsed.covered[name] and not mended:
        return spot.chance >= _SURE or both or spot.agrees  # digits alone have no swap that both check digits miss
    return covered and (both or (spot.agrees and spot.chance >= _SURE and not mended))


def _name_span(parsed: ParsedMrz, name: Field, start: int) -> tuple[int, int]:
    """Return where a name's letters stand in its row, the fillers that end it included (they say that it ends there)."""
    row = parsed.lines[2] if parsed.document_type is DocumentType.TD1 else parsed.lines[0]
    start = 0 if parsed.document_type is DocumentType.TD1 else start
    gap = row.find("<<", start)
    gap = gap if gap >= 0 else len(row)
    if name is Field.SURNAME:
        return start, min(gap + 2, len(row))
    last = len(row.rstrip("<"))
    return min(gap, last), min(last + 2, len(row))


def _page_only(parsed: ParsedMrz, voices: _Voices, *, today: date) -> dict[Field, FieldReading]:
    """Values that stand on the page only: so far the day of issue. Read once, so never certain."""
    known = [date.fromisoformat(parsed.values[f]) for f in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON) if f in parsed.values]
    issue = viz.issue_date(voices.printed, known=known, today=today)
    if issue is None:
        return {}
    day, line = issue
    return {
        Field.ISSUED_ON: FieldReading(
            value=day.isoformat(),
            confidence=round(min(0.9, line.confidence), 4),
            certain=False,
            source=Source.VIZ,
            box=_box(line.line.quad, 0, 1),
        )
    }


def _problems(
    picture: Pixels,
    zone: Zone,
    parsed: ParsedMrz,
    voices: _Voices,
    fields: dict[Field, FieldReading],
    corners: Quad,
    *,
    disagree: bool,
) -> list[ReasonCode]:
    problems = [ReasonCode.ZONES_DISAGREE] if disagree else []
    if not all(fields[name].certain for name in (Field.SURNAME, Field.GIVEN_NAMES, Field.DOCUMENT_NUMBER) if name in fields):
        problems += _why_hard(picture, [row.quad for row in zone.rows], len(zone.rows[0].text))
    if not parsed.valid:
        problems.append(ReasonCode.MRZ_CHECK_DIGIT_WRONG)
    height, width = picture.shape[:2]
    if parsed.document_type in (DocumentType.TD3, DocumentType.RU_INTERNAL) and page.outside(corners, width, height) > 0.18:
        problems.append(ReasonCode.DOCUMENT_CUT_OFF)
    number = parsed.values.get(Field.DOCUMENT_NUMBER, "")
    digits = "".join(c for c in number if c.isdigit())
    if parsed.country in SPECIMEN_STATES or (len(digits) >= 5 and not digits.strip("0")) or viz.says_specimen(voices.printed):
        problems.append(ReasonCode.DOCUMENT_IS_SPECIMEN)
    return problems


def _why_hard(picture: Pixels, quads: Sequence[Quad], characters: int) -> list[ReasonCode]:
    """Say what makes the rows hard to read, measured on the rows themselves: too small, burnt out, blurred."""
    reasons = []
    rows = [Line(quad=quad, score=1.0) for quad in quads]
    pitch = float(np.median([row.width for row in rows])) / characters
    if pitch < _SMALL:
        reasons.append(ReasonCode.DOCUMENT_TOO_SMALL)
    strips = [cv2.cvtColor(lines.crop(picture, quad), cv2.COLOR_RGB2GRAY) for quad in quads]
    if float(np.mean([(strip >= _BURNT).mean() for strip in strips])) > 0.08 and _patchy(strips):
        reasons.append(ReasonCode.DOCUMENT_GLARE)
    elif pitch >= _SMALL and float(np.median([_edge(strip) for strip in strips])) < _SOFT:
        reasons.append(ReasonCode.DOCUMENT_BLURRED)
    return reasons


def _patchy(strips: Sequence[np.ndarray]) -> bool:
    """Return whether the burnt-out part is a patch (glare) and not the paper's even white: contrast dies in some places only."""
    for strip in strips:
        blocks = np.array_split(strip, 16, axis=1)
        ranges = np.array([float(block.max()) - float(block.min()) for block in blocks])
        if ranges.min() < 0.35 * float(np.median(ranges)):
            return True
    return False


def _edge(strip: np.ndarray) -> float:
    """Return the steepest usual step between pixels as a share of the strip's contrast (0-1); sharp print is above 0.2."""
    grey = strip.astype(np.float32)
    contrast = float(np.percentile(grey, 95) - np.percentile(grey, 5))
    steps = np.abs(np.diff(grey, axis=1))
    return float(np.percentile(steps, 97)) / max(contrast, 1.0)


def _without_zone(image: Pixels, found: Sequence[Line], *, today: date, rows: Sequence[Quad] = ()) -> Found:
    """No zone: a Russian internal passport without one, a document whose zone cannot be read, or no document at all.

    `rows`: where rows of a zone were seen that say nothing that can be.
    """
    rows = rows or mrz_zone.unread_rows(image, found)
    cut = (ReasonCode.DOCUMENT_CUT_OFF,) if rows and page.cut(rows, image.shape[1], image.shape[0]) else ()
    spread = russian.read_spread(image, found, today=today)
    if spread is not None:
        reading = replace(spread.reading, problems=tuple(dict.fromkeys((*spread.reading.problems, *cut))))
        return Found(reading=reading, quarter_turns=spread.quarter_turns, page=spread.page)
    if rows:
        problems = (*cut, *_why_hard(image, rows, 44), ReasonCode.MRZ_NOT_READABLE)
        return Found(
            reading=DocumentReading(problems=problems), quarter_turns=page.quarter_turns(Line(quad=rows[0], score=1.0).direction)
        )
    return Found(reading=DocumentReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,)))


def _box(quad: Quad, start: float, end: float) -> Box:
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
