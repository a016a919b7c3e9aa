"""Read one document from end to end: find the zone, hear every voice, read the printed page, put them together.

Cheap voices first: our own network and the glyphs always, PP-OCRv6's recogniser on what no check digit covers and on
zones that the cheap ones read badly. What is certain is decided in `certainty.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import cv2
import numpy as np

from verification.comparison import compare
from verification.documents import (
    apart,
    authenticity,
    certainty,
    contradiction,
    glyphs,
    layout,
    legibility,
    lines,
    mrz,
    mrz_zone,
    page,
    plausibility,
    repair,
    russian,
    viz,
)
from verification.documents.certainty import Voices
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.mrz import ParsedMrz
from verification.documents.mrz_zone import Echo, Zone
from verification.documents.national import SPECIMEN_STATES, STATES
from verification.evidence import DocumentReading, DocumentType, Field, FieldReading, MrzReading, Source
from verification.reasons import ReasonCode

FIRST_SIDE: Final = 736  # pixels: the detector's own training size finds nearly every zone
SECOND_SIDE: Final = 1280  # for small documents on large photos
_DECODED: Final = 40  # groups of rows decoded on one photo, each some 25 ms; a zone needs 2 to 15
_POOR: Final = -0.07  # mean log odds of PP-OCRv6 below which a second look at the rows pays
_COPIED: Final = 8_000_000  # pixels of a picture that is turned over or inverted: 24 MB more, and letters are large enough
_ENLARGED: Final = 2.0  # times its own size: a picture blown up further shows no zone that was not seen before (measured on 89)
_CLOSER: Final = 1.15  # times the first look; less is the same look again
_NOISE: Final = -1.25  # mean log odds at first sight below which no voice makes a zone of it (right ones: above -0.97)
_GUESSING: Final = -0.9  # mean log odds per character below which rows are noise (measured: right zones above -0.5)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """A reading, how the document lies, its page's corners, and how many printed lines were seen on the photo."""

    reading: DocumentReading
    quarter_turns: int = 0
    corners: Quad | None = None
    printed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Heard:
    """A zone as chosen, and each network's own reading of it: PP-OCRv6's where the whole zone was asked about."""

    zone: Zone
    own: Zone
    other: Zone | None = None

    @property
    def echoes(self) -> tuple[Echo, ...]:
        """The networks' readings, where they have the layout of the chosen one."""
        return tuple(
            Echo(number=number, start=0, row=row)
            for reading in (self.own, self.other)
            if reading is not None and reading.layout is self.zone.layout
            for number, row in enumerate(reading.rows)
        )


def document(image: Pixels, *, today: date) -> Found:
    """Read one picture. Never raises on any picture of the right type."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 32:
        return Found(reading=DocumentReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,)))
    with lines.remembering(), mrz_zone.at_most(_DECODED):
        picture, found, heard = _zone_on(image, today=today)
        if heard is None:
            read = _without_zone(image, found, today=today)
        else:
            read = _with_zone(picture, found, heard, today=today)
    height, width = image.shape[:2]
    fields, zone, printed = (
        {name: certainty.on_photo(field, width, height) for name, field in told.items()}
        for told in (read.reading.fields, read.reading.zone, read.reading.printed)
    )
    return replace(read, reading=replace(read.reading, fields=fields, zone=zone, printed=printed))


def _zone_on(image: Pixels, *, today: date) -> tuple[Pixels, list[Line], _Heard | None]:
    """Look for the zone: at the detector's own size, then larger, then with black and white swapped."""
    found = lines.find(image, longest=FIRST_SIDE)
    first = _hear(image, mrz_zone.recognise(image, found), today=today)
    if _good(first):
        return image, found, first
    if first is None and not mrz_zone.unread_rows(image, found) and russian.landmarks(image, found) is not None:
        return image, found, None  # the older internal passport, which has no zone
    closer, second = found, None
    side = round(min(SECOND_SIDE, _ENLARGED * max(image.shape[:2])))
    if side >= _CLOSER * FIRST_SIDE:
        closer = lines.find(image, longest=side)
        second = _hear(image, mrz_zone.recognise(image, closer), today=today)
    best = max((h for h in (first, second) if h is not None), key=lambda h: h.zone.score, default=None)
    if best is None or best.zone.score < _GUESSING:
        return _negative(image, today=today) or (image, found, None)
    return image, closer if best is second else found, best


def _negative(image: Pixels, *, today: date) -> tuple[Pixels, list[Line], _Heard] | None:
    """Look for a zone printed white on dark; None where there is none. First on a small copy, since few pictures have one."""
    small, scale = _smaller(image)
    negative = np.asarray(cv2.bitwise_not(small), np.uint8)
    marked = lines.find(negative, longest=FIRST_SIDE)
    heard = _hear(negative, mrz_zone.recognise(negative, marked), today=today)
    if heard is None or not _good(heard):
        return None
    if scale != 1:
        negative = np.asarray(cv2.bitwise_not(image), np.uint8)
        marked = [Line(quad=np.asarray(line.quad / scale, np.float32), score=line.score) for line in marked]
        heard = _hear(negative, mrz_zone.recognise(negative, marked), today=today)
    return None if heard is None or not _good(heard) else (negative, marked, heard)


def _smaller(image: Pixels) -> tuple[Pixels, float]:
    """Return the picture at a size that may be copied, and its scale (1.0: the picture itself)."""
    scale = min(1.0, math.sqrt(_COPIED / (image.shape[0] * image.shape[1])))
    if scale == 1.0:
        return image, scale
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _hear(picture: Pixels, zone: Zone | None, *, today: date) -> _Heard | None:
    """Have a found zone read by as many voices as it needs: a clear and valid one by our own network alone."""
    if zone is None or zone.score < _NOISE:
        return None
    own = zone if zone.clear else mrz_zone.looked_at_again(picture, zone)
    if own.clear and mrz.parse(own.texts, today=today).valid:
        return _Heard(zone=own, own=own)
    other = mrz_zone.second_opinion(picture, own)
    if other is not None and other.score < _POOR:
        other = max(
            (z for z in (other, mrz_zone.second_opinion(picture, own, flat=True)) if z is not None), key=lambda z: z.score
        )
    if other is None:
        return _Heard(zone=own, own=own)
    both = mrz_zone.joined(own, other)
    chosen = next((z for z in (both, own, other) if z.forced and mrz.parse(z.texts, today=today).valid), both)
    if chosen is not both and chosen.layout is both.layout and both.forced:
        named = 2 if both.layout is DocumentType.TD1 else 0  # no digit vouches for a name: both voices are heard there
        chosen = replace(chosen, rows=tuple((both if at == named else chosen).rows[at] for at in range(len(chosen.rows))))
    return _Heard(zone=chosen, own=own, other=other)


def _good(heard: _Heard | None) -> bool:
    return heard is not None and heard.zone.score > -0.35


def _with_zone(picture: Pixels, found: Sequence[Line], heard: _Heard, *, today: date) -> Found:
    zone = heard.zone
    verdicts = tuple(glyphs.judge(picture, row.quad, row.text, row.centres, row.masks) for row in zone.rows)
    zone, mended = repair.mend(zone, verdicts, today=today)
    if mended:
        verdicts = tuple(glyphs.judge(picture, row.quad, row.text, row.centres, row.masks) for row in zone.rows)
    parsed = mrz.parse(zone.texts, today=today)
    first = Line(quad=zone.rows[0].quad, score=1.0)
    quads = [row.quad for row in zone.rows]
    if parsed.document_type is None or _is_no_reading(parsed, quads, picture):
        return _without_zone(picture, found, today=today, rows=quads)
    heights = [legibility.letter_heights(picture, row.quad, row.text, row.centres) for row in zone.rows]
    voices = Voices(verdicts=verdicts, heard=heard.echoes, mended=mended, cut=legibility.cut_letters(heights))
    if heard.other is None:
        asked = [mrz_zone.echo(picture, zone, *part) for part in certainty.to_ask(parsed, zone, voices)]
        voices = replace(voices, heard=(*voices.heard, *(echo for echo in asked if echo is not None)))
    papers = page.find(picture)
    corners = page.refined(parsed.document_type, quads[0], quads[-1], papers)
    printed, whole = _page(picture, found, zone, parsed, corners, today=today)
    voices = replace(voices, confirmed=viz.confirm(parsed.values, printed, zone_names=_zone_names(parsed)))
    fields = certainty.zone_fields(parsed, zone, voices)
    alone = apart.of_zone(fields)
    for name in certainty.NAMES:
        if not whole and name in fields and name not in voices.confirmed:  # another name may be printed where nobody read
            fields[name] = replace(fields[name], certain=False)
    disagree = False
    beside: dict[Field, ReasonCode] = {}
    if parsed.document_type is DocumentType.RU_INTERNAL:
        fields, disagree, beside, in_print = russian.with_page(
            picture, corners, fields, found, direction=first.direction, truncated=parsed.truncated, today=today
        )
    else:
        sure = [name for name, field in fields.items() if field.certain]
        other = contradiction.contradicted(parsed, printed, voices.confirmed, sure=sure, like=first, corners=corners)
        disagree = bool(other)
        for name in other:  # either may be the false one
            fields[name] = replace(fields[name], certain=False, confidence=min(fields[name].confidence, 0.5))
        added = layout.page_fields(picture, found, corners, quads, parsed, printed, voices.confirmed, fields, today=today)
        fields |= added
        in_print = apart.of_print(parsed.values, voices.confirmed, other) | added
    if parsed.document_type is DocumentType.TD1:
        fields, other_side, beside, front_print = _with_front(picture, found, papers, corners, parsed, fields, today=today)
        disagree = disagree or other_side
        in_print |= front_print
    height, width = picture.shape[:2]
    problems = _problems(picture, zone, parsed, printed, fields, corners, disagree=disagree)
    if _several(picture, found, quads, parsed, corners, papers):
        problems.insert(0, ReasonCode.SEVERAL_DOCUMENTS)
    beside = {name: reason for name, reason in beside.items() if name not in fields or not fields[name].certain}
    problems += beside.values()
    hinted = (
        *plausibility.hints(fields, parsed.document_type, parsed.country, today),
        *authenticity.hints(picture, rows=zone.rows, corners=corners),
    )
    reading = DocumentReading(
        document_type=parsed.document_type,
        country=parsed.country,
        mrz=MrzReading(lines=parsed.lines, valid=parsed.valid, checks=dict(parsed.checks)),
        fields=fields,
        portrait=page.portrait_box(parsed.document_type, corners, width, height),
        problems=tuple(dict.fromkeys(problems)),
        hidden={**beside, **_hidden(picture, zone, parsed, fields)},
        missing=page.missing(corners, width, height) if ReasonCode.DOCUMENT_CUT_OFF in problems else (),
        hints=hinted,
        zone=alone,
        printed=in_print,
    )
    return Found(reading=reading, quarter_turns=page.quarter_turns(first.direction), corners=corners, printed=len(found))


def _with_front(
    picture: Pixels,
    found: Sequence[Line],
    papers: Sequence[page.PageQuad],
    corners: Quad,
    parsed: ParsedMrz,
    fields: dict[Field, FieldReading],
    *,
    today: date,
) -> tuple[dict[Field, FieldReading], bool, dict[Field, ReasonCode], dict[Field, FieldReading]]:
    """Add what a card's front says that lies beside its back on the photo; the flag: it says otherwise than the zone.

    Also returns which fields of the front something covers, and what the front says for itself.
    """
    beside = _outside(found, corners)
    front = layout.front(picture, beside, papers, today=today, zone=fields) if len(beside) >= _FRONT_LINES else None
    if front is None or front.reading.country != parsed.country:
        return fields, False, {}, {}
    together, disagree, one_card, alone = dict(fields), False, False, set[Field]()
    otherwise = False
    for name, seen in front.reading.fields.items():
        zone_name = _ZONE_NAMES.get(name, name)
        own, sure = fields.get(zone_name), seen.certain and parsed.valid
        if name not in fields:
            together[name] = seen
            alone.add(name)
        if own is None:
            continue
        if compare(zone_name, seen.value, own.value, country=parsed.country, truncated=parsed.truncated).agreement == 1.0:
            one_card = one_card or (name in _OF_ONE and seen.value == own.value)
            if name in fields:
                certain = own.certain or (sure and seen.value == own.value)
                together[name] = replace(own, source=Source.BOTH, certain=certain)
            continue
        otherwise = True
        if name not in front.reading.hidden and (seen.certain or seen.confidence >= _SAYS):  # a thumb is no other print
            together[zone_name] = replace(own, certain=False, confidence=min(own.confidence, 0.5))
            disagree = True
    if otherwise or not one_card:  # the front may be another person's
        together |= {name: replace(together[name], certain=False) for name in alone}
    return together, disagree, front.reading.hidden, front.reading.fields


_ZONE_NAMES: Final = {Field.SURNAME_NATIVE: Field.SURNAME, Field.GIVEN_NAMES_NATIVE: Field.GIVEN_NAMES}
_OF_ONE: Final = frozenset({Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER, Field.DATE_OF_BIRTH})
"""What tells one person's card from another's: read alike on both sides, these are sides of one card."""
_SAYS: Final = 0.8  # confidence from which a front that is not certain says otherwise than the zone, too


def _outside(found: Sequence[Line], corners: Quad) -> list[Line]:
    """The printed lines that lie beside the page."""
    return [line for line in found if cv2.pointPolygonTest(corners, (float(line.centre[0]), float(line.centre[1])), False) < 0]


def _page(
    picture: Pixels, found: Sequence[Line], zone: Zone, parsed: ParsedMrz, corners: Quad, *, today: date
) -> tuple[list[viz.Printed], bool]:
    """Read the printed page until it has confirmed all that the zone says; all of it where it does not.

    Also returns whether it could be read to its end (see `viz.read_page`).
    """
    if parsed.document_type is DocumentType.RU_INTERNAL:
        return [], True  # Cyrillic: read by its own module
    wanted = {name for name in _CONFIRMABLE if name in parsed.values}

    def enough(printed: Sequence[viz.Printed], rest: float) -> bool:
        if len(printed) < _FEW or not parsed.valid:
            return False
        confirmed = viz.confirm(parsed.values, printed, zone_names=_zone_names(parsed))
        if not confirmed.keys() >= wanted:
            return False
        values = min(line.line.height for line in confirmed.values())  # the day of issue is printed like the other values
        return rest < 0.75 * values

    like = Line(quad=zone.rows[0].quad, score=1.0)
    inside = [
        line
        for line in found
        if cv2.pointPolygonTest(corners, (float(line.centre[0]), float(line.centre[1])), True) > -_BESIDE * like.height
    ]
    return viz.read_page(picture, inside, like=like, without=[row.quad for row in zone.rows], enough=enough)


def _is_no_reading(parsed: ParsedMrz, quads: Sequence[Quad], picture: Pixels) -> bool:
    """Return whether rows that do not check are no zone at all: mirrored print, other text, or a zone cut by the edge.

    What such rows would say is made up. A whole zone whose printed digits are wrong has a state that exists, or two
    digits that hold by more than luck. P is no code of 36 characters: that is a passport's row with part of it lost.
    """
    if parsed.valid:
        return False
    if parsed.document_type is DocumentType.TD2 and parsed.lines[0].startswith("P"):
        return True
    if any(c.isdigit() for c in "".join(_zone_names(parsed))) and sum(parsed.checks.values()) < 2:
        return True  # no name of a zone holds a digit: print of a card's front that looks like rows
    return bool(page.cut(quads, picture.shape[1], picture.shape[0])) or (
        parsed.country not in STATES and sum(parsed.checks.values()) < 2
    )


def _zone_names(parsed: ParsedMrz) -> tuple[str, str]:
    """The zone's Latin names, to be found on the page; none for the Russian zone, whose page is Cyrillic."""
    if parsed.document_type is DocumentType.RU_INTERNAL:
        return "", ""
    return parsed.values.get(Field.SURNAME, ""), parsed.values.get(Field.GIVEN_NAMES, "")


_FRONT_LINES: Final = 8  # printed lines beside a card's back that may be its front: every front has more
_FEW: Final = 5  # printed lines that are always read
_BESIDE: Final = 1.0  # rows of a zone that a printed line may lie beyond the page's edge, which is placed roughly
_CONFIRMABLE: Final = (
    Field.SURNAME, Field.GIVEN_NAMES, Field.DOCUMENT_NUMBER, Field.DATE_OF_BIRTH, Field.EXPIRES_ON
)  # fmt: skip
_EVERY_ZONE: Final = {  # what stands at the same place in every zone of two rows, for one that nobody could read
    Field.SURNAME: [(0, 5, 44)], Field.GIVEN_NAMES: [(0, 5, 44)], Field.DOCUMENT_NUMBER: [(1, 0, 9)],
    Field.NATIONALITY: [(1, 10, 13)], Field.DATE_OF_BIRTH: [(1, 13, 19)], Field.SEX: [(1, 20, 21)],
}  # fmt: skip


def _problems(
    picture: Pixels,
    zone: Zone,
    parsed: ParsedMrz,
    printed: Sequence[viz.Printed],
    fields: dict[Field, FieldReading],
    corners: Quad,
    *,
    disagree: bool,
) -> list[ReasonCode]:
    problems = [ReasonCode.ZONES_DISAGREE] if disagree else []
    if not all(fields[name].certain for name in (Field.SURNAME, Field.GIVEN_NAMES, Field.DOCUMENT_NUMBER) if name in fields):
        problems += legibility.why_hard(picture, [row.quad for row in zone.rows], len(zone.rows[0].text))
    if not parsed.valid:
        problems.append(ReasonCode.MRZ_CHECK_DIGIT_WRONG)
    height, width = picture.shape[:2]
    if parsed.document_type in (DocumentType.TD3, DocumentType.RU_INTERNAL) and page.outside(corners, width, height) > 0.18:
        problems.append(ReasonCode.DOCUMENT_CUT_OFF)
    number = parsed.values.get(Field.DOCUMENT_NUMBER, "")
    digits = "".join(c for c in number if c.isdigit())
    if parsed.country in SPECIMEN_STATES or (len(digits) >= 5 and not digits.strip("0")) or viz.says_specimen(printed):
        problems.append(ReasonCode.DOCUMENT_IS_SPECIMEN)
    return problems


def _hidden(picture: Pixels, zone: Zone, parsed: ParsedMrz, fields: dict[Field, FieldReading]) -> dict[Field, ReasonCode]:
    """Say which fields something covers, and what. A value that is certain was seen: nothing hides it."""
    places = {name: at for name, at in parsed.places.items() if name not in fields or not fields[name].certain}
    if not places:
        return {}
    rows = legibility.hidden_places(picture, [row.quad for row in zone.rows], [row.centres for row in zone.rows])
    return legibility.hidden_fields(rows, places)


def _without_zone(image: Pixels, found: Sequence[Line], *, today: date, rows: Sequence[Quad] = ()) -> Found:
    """No zone: a Russian internal passport without one, a document whose zone cannot be read, or no document at all.

    `rows`: where rows of a zone were seen that say nothing that can be.
    """
    rows = rows or mrz_zone.unread_rows(image, found)
    if rows and russian.other_print(image, rows):
        rows = []
    missing = page.cut(rows, image.shape[1], image.shape[0])
    cut = (ReasonCode.DOCUMENT_CUT_OFF,) if missing else ()
    spread = russian.read_spread(image, found, today=today)
    if spread is not None:
        hinted = (
            *plausibility.hints(spread.reading.fields, DocumentType.RU_INTERNAL, "RUS", today),
            *authenticity.hints(image, rows=(), corners=spread.corners),
        )
        problems = tuple(dict.fromkeys((*spread.reading.problems, *cut)))
        reading = replace(
            spread.reading,
            problems=problems,
            missing=missing or spread.reading.missing,
            hints=hinted,
            printed=spread.reading.fields,
        )
        return Found(reading=reading, quarter_turns=spread.quarter_turns, corners=spread.corners, printed=len(found))
    front = layout.front(image, found, page.find(image), today=today)
    if front is not None:
        hinted = plausibility.hints(front.reading.fields, front.reading.document_type, front.reading.country, today)
        reading = replace(front.reading, hints=hinted, printed=front.reading.fields)
        return Found(reading=reading, quarter_turns=front.quarter_turns, corners=front.corners, printed=len(found))
    height, width = image.shape[:2]
    if _mirrored(image, found, today=today):
        return Found(reading=DocumentReading(problems=(ReasonCode.DOCUMENT_MIRRORED,)))
    if rows:
        problems = tuple(dict.fromkeys((*cut, *legibility.why_hard(image, rows), ReasonCode.MRZ_NOT_READABLE)))
        hidden = legibility.hidden_fields(legibility.hidden_places(image, rows), _EVERY_ZONE if len(rows) == 2 else {})
        return Found(
            reading=DocumentReading(problems=problems, hidden=hidden, missing=missing),
            quarter_turns=page.quarter_turns(Line(quad=rows[0], score=1.0).direction),
            printed=len(found),
        )
    reason = page.nothing_read(page.find(image), found, width=width, height=height)
    return Found(reading=DocumentReading(problems=(reason,)), printed=len(found))


def _mirrored(image: Pixels, found: Sequence[Line], *, today: date) -> bool:
    """Whether the picture seen from its back shows a zone that holds. The lines are where they were, seen in the mirror."""
    small, scale = _smaller(image)
    back = np.ascontiguousarray(small[:, ::-1])
    seen = [
        Line(quad=np.asarray(line.quad * scale, np.float32), score=line.score) for line in page.flipped(found, image.shape[1])
    ]
    zone = mrz_zone.recognise(back, seen)
    if zone is None:
        return False
    parsed = mrz.parse(zone.texts, today=today)
    return parsed.valid or (parsed.country in STATES and sum(parsed.checks.values()) >= 2)


def _several(
    picture: Pixels,
    found: Sequence[Line],
    rows: Sequence[Quad],
    parsed: ParsedMrz,
    corners: Quad,
    papers: Sequence[page.PageQuad],
) -> bool:
    """Whether another document lies beside the one that was read. A card's two sides on one photo are one document."""
    other = mrz_zone.unread_rows(picture, _outside(found, corners))
    card = parsed.document_type in (DocumentType.TD1, DocumentType.TD2)
    return page.several(() if card else papers, found, [rows, other] if other else [rows])
