"""Find the machine-readable zone on a picture and recognise it: pixels in, lines of text with confidence out.

Works at any of four orientations, tilted, in perspective, mid-page or on one of two cards. Rows are found and read by our
own network (1.5 ms a row); PP-OCRv6's recogniser, trained on other data by other people, is the second voice: `echo` has
it read the same places. Odds are decoded with exactly the layout's number of characters and with the characters
each position may hold. What the text means is `mrz.py`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents import lines as text_lines
from verification.documents import mrz
from verification.documents.decoding import Path, fixed_length, layout
from verification.documents.lines import Floats, Line, Pixels, Quad
from verification.evidence import DocumentType

_ANY: Final = mrz.ALPHABET
_LOOK_ALIKE: Final = frozenset(
    frozenset(pair)
    for pair in ("O0", "Q0", "D0", "U0", "I1", "L1", "T1", "Z2", "S5", "G6", "B8", "A4", "Z7", "T7", "J1", "C0", "B3", "S8", "E8")
)
"""Pairs whose swap a mask by position may settle (facts: confusions seen on real zones)."""

_OH, _ZERO = _ANY.index("O") + 1, _ANY.index("0") + 1
_ZERO_AMONG_DIGITS: Final = 0.97  # own choice: states avoid the letter O in numbers, and the check digits see a swap
_ZERO_BESIDE_A_LETTER: Final = 0.96
_OTHER: Final = text_lines.ROW_OTHER
_STRANGE: Final = 0.5  # share of other print from which a line is no row: labels have 0.9, blurred rows 0.2 to 0.3
_MAX_READ: Final = 20  # rows read while searching; each costs 3 ms
_PROBE: Final = 2  # of them read first, to learn which way up the document lies
_HESITANT: Final = 0.45  # least odds of a character in a clear zone; O or 0 among letters has 0.5
_CLEAR: Final = -0.15  # mean log odds a character; 40 development zones lie above, 37 of them exact, the rest 1 or 2 letters off
_PLAIN_WEIGHT: Final = 20.0  # weight (see there) of a row that shows which way is up
_PLAIN: Final = 25.0  # likeness of a row that is surely one
_MIN_ASPECT: Final = 7.0  # of a line that may be (part of) a row; full rows have 17 to 37
_SURE_BREAK: Final = 0.8  # odds from which a character outside its mask is what is printed, not a slip
_SURE_COST: Final = float(np.log(1 - _SURE_BREAK))
_INVENTED: Final = 0.5  # odds below which a letter behind a name's end is no print


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a zone as recognised.

    `chances`: the network's odds (0-1) of each character among all it could have been;
    `seconds`: the next likely character at each place; `regular`: largest deviation from even spacing, in pitches.
    """

    text: str
    chances: tuple[float, ...]
    seconds: str
    second_chances: tuple[float, ...]
    quad: Quad
    regular: float
    centres: tuple[float, ...]  # of each character, as a fraction of the row's crop, 0-1
    masks: tuple[str, ...]  # what each place may hold


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """A recognised zone. `forced` is False where the print breaks the layout and was taken as it stands."""

    layout: DocumentType
    rows: tuple[Row, ...]
    score: float  # mean log odds per character; 0 is perfect, below about -1 is guessing
    forced: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """The lines as text."""
        return tuple(row.text for row in self.rows)

    @property
    def clear(self) -> bool:
        """Whether our network read it without trouble: sure on the whole, of each character, and within the layout."""
        return self.forced and self.score > _CLEAR and min(min(row.chances) for row in self.rows) >= _HESITANT


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Candidate:
    line: Line
    odds: Floats  # of our own network, shape (T, 39)
    text: str
    likeness: float
    sureness: float  # mean odds of the characters, 0-1: upright rows 0.95 and more, upside-down ones 0.94 and less

    @property
    def weight(self) -> float:
        """Likeness that counts little where the network hesitates: upside down it reads fluently, but never surely."""
        return self.likeness * self.sureness**6


def recognise(picture: Pixels, found: Sequence[Line]) -> Zone | None:
    """Return the zone among the lines `found` on `picture`, or None where no rows look like one."""
    candidates = _candidates(picture, found)
    best: Zone | None = None
    for group in _groups(candidates, found):
        zone = _read_group(picture, group)
        if zone is not None and (best is None or _rank(zone) > _rank(best)):
            best = zone
        if best is not None and best.clear:
            break
    return best


_left: ContextVar[list[int] | None] = ContextVar("groups of rows that may still be decoded", default=None)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Within this block only `count` groups of rows are decoded; then nothing more is found. Bounds the time of one photo."""
    token = _left.set([count])
    try:
        yield
    finally:
        _left.reset(token)


def _rank(zone: Zone) -> float:
    return zone.score + (0.3 if zone.forced else 0.0)


def _candidates(picture: Pixels, found: Sequence[Line]) -> list[_Candidate]:
    """Read the longest lines from both ends until it is plain which way the print runs, then the rest that way."""
    long = sorted((line for line in merged(found) if _aspect(line) >= _MIN_ASPECT), key=_aspect, reverse=True)[:_MAX_READ]
    back = [replace(line, quad=text_lines.reversed_quad(line.quad)) for line in long]
    ahead: list[_Candidate] = []
    behind: list[_Candidate] = []
    for line, turned in zip(long, back, strict=True):
        ahead.append(_candidate(picture, line))
        behind.append(_candidate(picture, turned))
        best, other = sorted((max(c.weight for c in side) for side in (ahead, behind)), reverse=True)
        if len(ahead) >= _PROBE and best >= _PLAIN_WEIGHT and best > 1.5 * other:
            break
    forward = sum(c.weight for c in ahead) >= sum(c.weight for c in behind)
    read, rest = (ahead, long) if forward else (behind, back)
    return _kept([*read, *_read_until_enough(picture, rest[len(read) :], read)])


def _kept(read: Sequence[_Candidate]) -> list[_Candidate]:
    """Keep what looks like a row, and beside a plain row its neighbours of the same length, however badly they read."""
    plain = [c for c in read if c.likeness >= _PLAIN]
    return [c for c in read if c.likeness > 8 or any(_neighbours(c.line, row.line) for row in plain)]


def _neighbours(line: Line, row: Line) -> bool:
    apart = abs(float((line.centre - row.centre) @ _across(row)))
    parallel = abs(float(line.direction @ _across(row))) < 0.12
    return parallel and 0.5 * row.height < apart < 2.5 * row.height and 0.7 < line.width / row.width < 1.4


def _aspect(line: Line) -> float:
    return line.width / max(line.height, 1)


def _read_until_enough(picture: Pixels, long: Sequence[Line], before: Sequence[_Candidate] = ()) -> list[_Candidate]:
    """Read lines, longest first, until a whole zone has been seen and the next line is clearly shorter."""
    read: list[_Candidate] = []
    for line in long:
        rows = [c for c in (*before, *read) if c.likeness > 30]
        if _enough(rows) and _aspect(line) < 0.8 * min(_aspect(c.line) for c in rows):
            break
        read.append(_candidate(picture, line))
    return read


def _enough(candidates: Sequence[_Candidate]) -> bool:
    """Return whether there are two rows of about 44 characters, or three rows."""
    rows = [len(c.text) for c in candidates if c.likeness > 30]
    return sum(n >= 41 for n in rows) >= 2 or sum(27 <= n <= 33 for n in rows) >= 3


def _candidate(picture: Pixels, line: Line) -> _Candidate:
    odds = text_lines.read_row(picture, line.quad)
    zone = _of_the_zone(odds)
    text = _greedy_text(zone)
    peaks = zone.max(axis=1)[zone.argmax(axis=1) > 0]
    return _Candidate(
        line=line,
        odds=odds,
        text=text,
        likeness=likeness(text, strange=_greedy_text(odds).count(_OTHER)),
        sureness=float(peaks.mean()) if len(peaks) else 0.0,
    )


def _greedy_text(odds: Floats) -> str:
    """The likeliest text without any rule; print that no zone holds is `lines.ROW_OTHER`."""
    best = odds.argmax(axis=1)
    kept = best[(best != 0) & (best != np.concatenate([[0], best[:-1]]))]
    return "".join((_ANY + _OTHER)[step - 1] for step in kept)


def _of_the_zone(odds: Floats) -> Floats:
    """Share the odds of "other print" among the zone's characters, in their proportions: what it is if it is a row.

    Blurred letters look like other print to the network too; whether the line is a row at all is another question.
    """
    own = odds[:, 1:38]
    share = odds[:, 38:] / np.maximum(own.sum(axis=1, keepdims=True), 1e-6)
    return np.concatenate([odds[:, :1], own * (1 + share)], axis=1)


def likeness(text: str, *, strange: int = 0) -> float:
    """Return how much a freely read text looks like a row of a zone: roughly its count of fitting characters.

    Fillers count double; `strange`, the characters that look like other print, against it: all of it where they are many.
    """
    fitting = sum(c in _ANY for c in text)
    fillers = text.count("<")
    digits = sum(c.isdigit() for c in text)
    if len(text) < 12 or (fillers == 0 and digits < 8) or strange > _STRANGE * len(text):
        return 0.0
    return fitting + min(fillers, 12) - strange - 3.0 * (len(text) - fitting)


def merged(found: Sequence[Line]) -> list[Line]:
    """Join pieces of one printed line that the detector marked apart (long runs of fillers tear rows)."""
    marked = [_Marked.of(line) for line in found]
    joined = True
    while joined:
        joined = False
        marked.sort(key=lambda m: (round(m.y * m.dx - m.x * m.dy), m.x * m.dx + m.y * m.dy))
        for i, left in enumerate(marked):
            for j in range(i + 1, min(i + 12, len(marked))):
                if left.may_join(marked[j]) and (both := _joined(left.line, marked[j].line)) is not None:
                    marked[i] = _Marked.of(both)
                    del marked[j]
                    joined = True
                    break
            if joined:
                break
    return [m.line for m in marked]


@dataclass(frozen=True, slots=True)
class _Marked:
    """A line with its measures at hand: most pairs are no neighbours, and telling so must cost nothing."""

    line: Line
    x: float
    y: float
    dx: float
    dy: float
    width: float
    height: float

    @classmethod
    def of(cls, line: Line) -> _Marked:
        (x, y), (dx, dy) = line.centre.tolist(), line.direction.tolist()
        return cls(line, x, y, dx, dy, line.width, line.height)

    def may_join(self, other: _Marked) -> bool:
        """False only where `_joined` would find no neighbours, whichever of the two is the longer."""
        tall = max(self.height, other.height)
        if tall > 1.5 * min(self.height, other.height) or max(self.width, other.width) < 3.5 * tall:
            return False
        longer = self if self.width >= other.width else other
        x, y = other.x - self.x, other.y - self.y
        return abs(y * longer.dx - x * longer.dy) <= 0.35 * tall


def _across(line: Line) -> NDArray[np.float32]:
    d = line.direction
    return np.array([-d[1], d[0]], np.float32)


def _joined(a: Line, b: Line) -> Line | None:
    """Return the line that holds both, or None where they are not neighbours in one printed line."""
    tall = max(a.height, b.height)
    if tall > 1.5 * min(a.height, b.height) or max(a.width, b.width) < 3.5 * tall:
        return None
    longer = a if a.width >= b.width else b
    other = b if longer is a else a
    direction, across = longer.direction, _across(longer)
    if other.width > 3 * other.height and abs(float(other.direction @ across)) > 0.08:
        return None
    if abs(float((other.centre - longer.centre) @ across)) > 0.35 * tall:
        return None
    spans = [
        sorted((float(line.quad.mean(axis=0) @ direction) - line.width / 2, float(line.centre @ direction) + line.width / 2))
        for line in (longer, other)
    ]
    (s1, e1), (s2, e2) = spans
    gap = max(s1, s2) - min(e1, e2)
    if gap > 1.6 * tall or gap < -0.6 * min(longer.width, other.width):
        return None
    return Line(quad=_spanning(longer, other), score=min(a.score, b.score))


def _spanning(longer: Line, other: Line) -> Quad:
    """Extend the longer line's quad along its own edges until it holds the other line."""
    start, end = longer.quad[[0, 3]].mean(axis=0), longer.quad[[1, 2]].mean(axis=0)
    direction = longer.direction
    places = (other.quad - start) @ direction
    return stretched(longer.quad, min(0.0, float(places.min())), max(float((end - start) @ direction), float(places.max())))


def stretched(quad: Quad, start: float, end: float) -> Quad:
    """Return `quad` with its short sides moved to `start` and `end` pixels from its present start, along its edges."""
    length = max(float(np.linalg.norm((quad[1] + quad[2]) / 2 - (quad[0] + quad[3]) / 2)), 1e-6)
    top, bottom = (quad[1] - quad[0]) / length, (quad[2] - quad[3]) / length
    return np.array([quad[0] + top * start, quad[0] + top * end, quad[3] + bottom * end, quad[3] + bottom * start], np.float32)


def _groups(candidates: list[_Candidate], found: Sequence[Line]) -> list[list[_Candidate]]:
    """Return sets of two or three parallel rows, one below the other, most zone-like first."""
    groups: list[list[_Candidate]] = []
    for seed in sorted(candidates, key=lambda c: -c.likeness):
        if any(seed in group for group in groups):
            continue
        direction, across = seed.line.direction, _across(seed.line)
        near = []
        for other in candidates:
            offset = other.line.centre - seed.line.centre
            apart = abs(float(offset @ across)) / seed.line.height
            if apart > 4.6 or abs(float(other.line.direction @ across)) > 0.12:
                continue
            if abs(float(offset @ direction)) > 0.5 * max(other.line.width, seed.line.width):
                continue
            near.append((float(offset @ across), other))
        near.sort(key=lambda pair: pair[0])
        groups.append([candidate for _, candidate in near])
    return [group for group in groups if group]


def _read_group(picture: Pixels, group: list[_Candidate]) -> Zone | None:
    """Decode neighbouring rows by every layout that their number and length allow; the best fit wins."""
    best: Zone | None = None
    rows = _regular_rows(group)
    for count, length in _plans(rows):
        for at in range(len(rows) - count + 1):
            zone = _decode(picture, rows[at : at + count], length)
            if zone is not None and (best is None or _rank(zone) > _rank(best)):
                best = zone
        if best is not None and best.clear:
            break
    return best


def _regular_rows(group: list[_Candidate]) -> list[_Candidate]:
    """Drop the weaker of two candidates in one place."""
    rows: list[_Candidate] = []
    for candidate in group:
        if (
            rows
            and abs(float((candidate.line.centre - rows[-1].line.centre) @ _across(candidate.line))) < 0.5 * candidate.line.height
        ):
            if candidate.likeness > rows[-1].likeness:
                rows[-1] = candidate
            continue
        rows.append(candidate)
    return rows


def _plans(rows: list[_Candidate]) -> list[tuple[int, int]]:
    """Return (number of rows, characters per row) worth trying, likeliest first."""
    if len(rows) < 2:
        return []
    typical = float(np.median([sum(c in _ANY for c in row.text) for row in rows]))
    plans = [(2, 44), (2, 36)] + ([(3, 30)] if len(rows) >= 3 else [])
    plans.sort(key=lambda plan: abs(plan[1] - typical))
    return [plan for plan in plans if abs(plan[1] - typical) < 9] or plans[:1]


def _decode(picture: Pixels, rows: Sequence[_Candidate], length: int) -> Zone | None:
    """Decode rows as a zone of `length` characters a row; also with their ends brought to one width."""
    quads = [row.line.quad for row in rows]
    zone = _decode_odds([_round_letters(row.odds) for row in rows], quads, length)
    if zone is not None and zone.clear:
        return zone
    common = _common_ends(rows)
    if common is None:
        return zone
    return _better(zone, _decode_quads(picture, common, length))


def _round_letters(odds: Floats) -> Floats:
    """Return our network's odds of the zone's characters, those of O and 0 given to both: it cannot tell them by shape.

    On some documents the zero is oval and the O square, on others the other way round, or both are ovals. What the place
    may hold decides (the masks), then the neighbours (`_zeros`), then the check digits, which always see such a swap.
    """
    both = _of_the_zone(odds)
    shared = both[:, [_ZERO, _OH]].sum(axis=1)
    both[:, _ZERO] = both[:, _OH] = shared
    return both


def _zeros(row: Row) -> Row:
    """Settle O and 0 where both may stand: a zero, unless the next other characters on both sides are letters."""
    text, chances = list(row.text), list(row.chances)
    seconds, second_chances = list(row.seconds), list(row.second_chances)
    for at, mask in enumerate(row.masks):
        if text[at] not in "O0" or "O" not in mask or "0" not in mask:
            continue
        left = next((c for c in reversed(row.text[:at]) if c not in "O0"), "<")
        right = next((c for c in row.text[at + 1 :] if c not in "O0"), "<")
        letters = (left in mrz.LETTERS) + (right in mrz.LETTERS)
        zero = (_ZERO_AMONG_DIGITS, _ZERO_BESIDE_A_LETTER, 0.5)[letters]
        text[at], seconds[at] = "0", "O"
        chances[at], second_chances[at] = row.chances[at] * zero, row.chances[at] * (1 - zero)
    return replace(
        row, text="".join(text), chances=tuple(chances), seconds="".join(seconds), second_chances=tuple(second_chances)
    )


def _decode_quads(picture: Pixels, quads: Sequence[Quad], length: int, *, flat: bool = False) -> Zone | None:
    """Read and decode rows with our own network; `flat` evens out the light first."""
    odds = []
    for quad in quads:
        strip = text_lines.crop(picture, quad, height=text_lines.ROW_HEIGHT, squeeze=text_lines.ROW_SQUEEZE)
        odds.append(_round_letters(text_lines.row_odds(_flat(strip) if flat else strip)))
    return _decode_odds(odds, quads, length)


def second_opinion(picture: Pixels, zone: Zone, *, flat: bool = False) -> Zone | None:
    """Return the zone as PP-OCRv6's recogniser reads it, in the same places."""
    strips = [text_lines.crop(picture, row.quad) for row in zone.rows]
    readings = [text_lines.read(_flat(strip) if flat else strip) for strip in strips]
    quads = [row.quad for row in zone.rows]
    return _decode_odds([mrz_odds(reading) for reading in readings], quads, len(zone.rows[0].text), settle=False)


_FILLER_READ_AS: Final = frozenset("KCESXRL")  # by networks trained on other print (facts 5.2); ours was trained on fillers
_LEAST_HEARD: Final = 5  # characters: the network was trained on words, a letter alone says little to it
_UNSAID: Final = 0.02  # odds of a character that a network named neither first nor second, at most
_DEAF: Final = -0.9  # mean log odds per character below which a reading is noise and must not be joined


def joined(own: Zone, other: Zone) -> Zone:
    """Return the zone that both networks together find likeliest, character by character: the product of their odds.

    `other` as from `second_opinion` of `own`. Where the two see different layouts, or one hears only noise, the better stands.
    """
    if own.layout is not other.layout or min(own.score, other.score) < _DEAF or not own.forced or not other.forced:
        return _better(own, other) or own
    rows = tuple(_joined_row(a, b) for a, b in zip(own.rows, other.rows, strict=True))
    return replace(own, rows=rows, score=(own.score + other.score) / 2)


def _joined_row(own: Row, other: Row) -> Row:
    text, chances, seconds, second_chances = [], [], [], []
    for at in range(len(own.text)):
        both = {c: _odds_of(own, at, c) * _odds_of(other, at, c) for c in _named(own, at) | _named(other, at)}
        if own.text[at] == "<" and other.text[at] in _FILLER_READ_AS:
            both["<"] = max(both.values()) * own.chances[at] / (1 - min(own.chances[at], 0.99))
        ranked = sorted(both, key=lambda c: -both[c])
        total = sum(both.values())
        text.append(ranked[0])
        chances.append(both[ranked[0]] / total)
        seconds.append(ranked[1] if len(ranked) > 1 else own.seconds[at])  # one alone: its place can hold nothing else
        second_chances.append(both[ranked[1]] / total if len(ranked) > 1 else 0.0)
    return replace(
        own, text="".join(text), chances=tuple(chances), seconds="".join(seconds), second_chances=tuple(second_chances)
    )


def _named(row: Row, at: int) -> set[str]:
    return {row.text[at], row.seconds[at]}


def _odds_of(row: Row, at: int, character: str) -> float:
    if character == row.text[at]:
        return max(row.chances[at], 1e-3)
    if character == row.seconds[at]:
        return max(row.second_chances[at], 1e-4)
    return max(min(_UNSAID, row.second_chances[at] / 2), 1e-4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Echo:
    """What the second voice read in a part of a row: `row.text[0]` stands at `start` of row number `number`."""

    number: int
    start: int
    row: Row

    def at(self, place: int) -> tuple[str, float] | None:
        """The character heard at a place of the zone's row and its odds, or None where it was not asked."""
        k = place - self.start
        return (self.row.text[k], self.row.chances[k]) if 0 <= k < len(self.row.text) else None


def echo(picture: Pixels, zone: Zone, number: int, start: int, end: int) -> Echo | None:
    """Have the second voice read characters `start` to `end` (exclusive) of a row, and nothing else of it: it is slow.

    None where too little was there to read that many characters from.
    """
    row = zone.rows[number]
    count = len(row.text)
    start, end = max(0, min(start, end - _LEAST_HEARD)), min(count, max(end, start + _LEAST_HEARD))
    length = float(np.linalg.norm(row.quad[1] + row.quad[2] - row.quad[0] - row.quad[3])) / 2
    slope, first = np.polyfit(np.arange(count), np.array(row.centres), 1)
    left = 0.0 if start == 0 else float(first + slope * (start - 0.5)) * length
    right = length if end == count else float(first + slope * (end - 0.5)) * length
    part = stretched(row.quad, left, right)
    odds = mrz_odds(text_lines.read(text_lines.crop(picture, part)))
    masks = row.masks[start:end]
    path = fixed_length(odds, masks)
    if path is None:
        return None
    return Echo(number=number, start=start, row=_row(path, odds, part, masks))


def _better(*zones: Zone | None) -> Zone | None:
    return max((zone for zone in zones if zone is not None), key=_rank, default=None)


def looked_at_again(picture: Pixels, zone: Zone) -> Zone:
    """Read a poor zone's rows once more: light evened out, cut lower, higher and longer. The likeliest reading wins."""
    length = len(zone.rows[0].text)
    quads = [row.quad for row in zone.rows]
    best = _better(zone, _decode_quads(picture, quads, length, flat=True)) or zone
    for grow in (-0.14, 0.14):
        if best.clear:
            break
        sized = [_taller(quad, grow) for quad in quads]
        best = _better(best, _decode_quads(picture, sized, length)) or best
    if not best.clear:
        best = _better(best, _decode_quads(picture, [_longer(quad) for quad in quads], length)) or best
    return best


def _longer(quad: Quad) -> Quad:
    """Return the row's quad half a letter longer at both ends: the detector may have cut the last one through."""
    long = float(np.linalg.norm(quad[1] + quad[2] - quad[0] - quad[3])) / 2
    more = 0.35 * float(np.linalg.norm(quad[3] + quad[2] - quad[0] - quad[1])) / 2
    return stretched(quad, -more, long + more)


def _taller(quad: Quad, grow: float) -> Quad:
    left, right = (quad[3] - quad[0]) * grow / 2, (quad[2] - quad[1]) * grow / 2
    return np.array([quad[0] - left, quad[1] - right, quad[2] + right, quad[3] + left], np.float32)


def _flat(strip: Pixels) -> Pixels:
    """Even out light along a row: each place is stretched to the contrast of its neighbourhood."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float32)
    reach = strip.shape[0] * 2 + 1
    middle = cv2.blur(grey, (reach, reach))
    spread = np.sqrt(np.maximum(cv2.blur(grey * grey, (reach, reach)) - middle * middle, 16.0))
    even = np.clip(160 + (grey - middle) / spread * 60, 0, 255).astype(np.uint8)
    return np.repeat(even[:, :, None], 3, axis=2)


def _common_ends(rows: Sequence[_Candidate]) -> list[Quad] | None:
    """Return the rows' quads, each stretched to the outermost left and right end of all; None if they agree."""
    direction = rows[0].line.direction
    starts = [float((row.line.quad[0] + row.line.quad[3]) @ direction / 2) for row in rows]
    ends = [float((row.line.quad[1] + row.line.quad[2]) @ direction / 2) for row in rows]
    tall = float(np.median([row.line.height for row in rows]))
    if max(starts) - min(starts) < 0.3 * tall and max(ends) - min(ends) < 0.3 * tall:
        return None
    return [stretched(row.line.quad, min(starts) - start, max(ends) - start) for row, start in zip(rows, starts, strict=True)]


def _decode_odds(odds: Sequence[Floats], quads: Sequence[Quad], length: int, *, settle: bool = True) -> Zone | None:
    """Decode rows; `settle` where O and 0 have been given the same odds."""
    left = _left.get()
    if any(o.shape[0] < length for o in odds) or left == [0]:
        return None
    if left is not None:
        left[0] -= 1
    kind, masks = layout(odds, length)
    rows, forced = [], True
    total = 0.0
    for o, mask, quad in zip(odds, masks, quads, strict=True):
        path = fixed_length(o, mask)
        if path is None:
            return None
        # a sure character that the mask forbids costs the path more than this
        free = path if path.score > _SURE_COST else fixed_length(o, (_ANY,) * length)
        if free is None:
            return None
        if _breaks_layout(path, free, o):
            path, forced = _look_alikes_only(path, free), False
        row = _row(path, o, quad, mask if forced else (_ANY,) * length)
        rows.append(_zeros(row) if settle else row)
        total += path.score
    named = len(rows) - 1 if length == 30 else 0
    rows[named] = replace(rows[named], text=_fillers_to_the_end(rows[named]))
    return Zone(layout=kind, rows=tuple(rows), score=total / (length * len(rows)), forced=forced)


def _fillers_to_the_end(row: Row) -> str:
    """Return a name row's text with doubtful letters behind three fillers or more taken as fillers.

    No name goes on there (Doc 9303-3 section 4.6): where a row's faint end leaves the decoder without marks to count, it
    invents letters. Letters that the network is sure of stay: then the print breaks the rules, not the reading.
    """
    end = row.text.find("<<<")
    if end < 0:
        return row.text
    return "".join(
        "<" if at > end and chance < _INVENTED else character
        for at, (character, chance) in enumerate(zip(row.text, row.chances, strict=True))
    )


def mrz_odds(reading: text_lines.Reading) -> Floats:
    """Return odds over time for blank and the zone's 37 characters, shape (T, 38); lookalikes outside are folded in.

    Ñ stands for N (Doc 9303 prints N); small letters and guillemets count for their capital and filler.
    """
    columns = [0, *(text_lines.READABLE.index(c) + 1 for c in _ANY)]
    odds = reading.odds[:, columns].copy()
    for extra, letter in (("Ñ", "N"), ("«", "<"), ("o", "O"), ("(", "<"), ("Ø", "0")):
        odds[:, _ANY.index(letter) + 1] += reading.odds[:, text_lines.READABLE.index(extra) + 1]
    return odds


def _row(path: Path, odds: Floats, quad: Quad, masks: tuple[str, ...]) -> Row:
    chances, seconds, second_chances = [], [], []
    for character, frame, mask in zip(path.text, path.frames, masks, strict=True):
        here = odds[frame, 1:]
        # what the network gave to a look-alike that may not stand here (a 0 among letters) it meant for this one
        meant = sum(float(here[_ANY.index(c)]) for c in _ANY if c not in mask and frozenset((c, character)) in _LOOK_ALIKE)
        chances.append(min(1.0, float(here[_ANY.index(character)]) + meant))
        order = here.argsort()[::-1]
        rival = next(int(c) for c in order if _ANY[c] != character and _ANY[c] in mask) if len(mask) > 1 else int(order[0])
        seconds.append(_ANY[rival])
        second_chances.append(float(here[rival]))
    places = np.array(path.frames, np.float64)
    steps = np.arange(len(places))
    slope, start = np.polyfit(steps, places, 1)
    off = np.abs(places - (start + slope * steps)).max() / max(slope, 1e-6)
    return Row(
        text=path.text,
        chances=tuple(chances),
        seconds="".join(seconds),
        second_chances=tuple(second_chances),
        quad=quad,
        regular=float(off),
        centres=tuple(float((place + 0.5) / odds.shape[0]) for place in places),
        masks=masks,
    )


def _breaks_layout(path: Path, free: Path, odds: Floats) -> bool:
    """Return whether the print itself breaks the layout: a confident character that no look-alike explains."""
    for chosen, seen, frame in zip(path.text, free.text, free.frames, strict=True):
        if chosen != seen and frozenset((chosen, seen)) not in _LOOK_ALIKE and odds[frame, _ANY.index(seen) + 1] > _SURE_BREAK:
            return True
    return False


def _look_alikes_only(path: Path, free: Path) -> Path:
    text = "".join(
        chosen if frozenset((chosen, seen)) in _LOOK_ALIKE else seen for chosen, seen in zip(path.text, free.text, strict=True)
    )
    return replace(free, text=text)


def unread_rows(picture: Pixels, found: Sequence[Line]) -> list[Quad]:
    """Return the places of rows that look like a zone although none could be decoded: two or three neighbours."""
    candidates = [c for c in _candidates(picture, found) if c.likeness > 18]
    for group in _groups(candidates, found):
        if len(group) >= 2 or group[0].text.count("<") >= 4 or group[0].likeness > _PLAIN:
            return [c.line.quad for c in group]
    return []
