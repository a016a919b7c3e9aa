"""Find the machine-readable zone on a picture and recognise it: pixels in, lines of text with confidence out.

Works at any of four orientations, tilted, in perspective, mid-page or on one of two cards. Rows are read by
the text network; its odds are decoded with exactly the layout's number of characters and with the
characters each position may hold, so a lost filler or an O for a 0 cannot happen. What the text means is
`mrz.py`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents import lines as text_lines
from verification.documents import mrz
from verification.documents.lines import Floats, Line, Pixels, Quad
from verification.evidence import DocumentType

_LETTERS: Final = mrz.LETTERS + "<"
_NUMBERS: Final = mrz.DIGITS + "<"
_ANY: Final = mrz.ALPHABET
_RUSSIAN: Final = mrz.RUSSIAN_LATIN + "<"
_LOOK_ALIKE: Final = frozenset(
    frozenset(pair)
    for pair in ("O0", "Q0", "D0", "U0", "I1", "L1", "T1", "Z2", "S5", "G6", "B8", "A4", "Z7", "T7", "J1", "C0", "B3", "S8", "E8")
)
"""Pairs whose swap a mask by position may settle (facts: confusions seen on real zones)."""

_MAX_READ: Final = 14  # rows read while searching; each costs 0.02-0.07 s
_PROBE: Final = 2  # of them read first, to learn which way up the document lies
_PLAIN: Final = 25.0  # likeness of a row that is surely one
_MIN_ASPECT: Final = 7.0  # of a line that may be (part of) a row; full rows have 17 to 37
_INVENTED: Final = 0.5  # odds below which a letter behind a name's end is no print
_FLOOR: Final = np.float32(1e-5)  # least odds of a character: one bad frame must not outvote a whole row


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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Candidate:
    line: Line
    reading: text_lines.Reading
    text: str
    likeness: float


def recognise(picture: Pixels, found: Sequence[Line]) -> Zone | None:
    """Return the zone among the lines `found` on `picture`, or None where no rows look like one."""
    candidates = _candidates(picture, found)
    best: Zone | None = None
    for group in _groups(candidates, found):
        zone = _read_group(picture, group)
        if zone is not None and (best is None or _rank(zone) > _rank(best)):
            best = zone
        if best is not None and best.score > -0.1:
            break
    return best


def _rank(zone: Zone) -> float:
    return zone.score + (0.3 if zone.forced else 0.0)


def _candidates(picture: Pixels, found: Sequence[Line]) -> list[_Candidate]:
    """Read the longest lines, first one way round; where none looks like a zone, the other way round."""
    long = sorted((line for line in merged(found) if _aspect(line) >= _MIN_ASPECT), key=_aspect, reverse=True)[:_MAX_READ]
    back = [replace(line, quad=text_lines.reversed_quad(line.quad)) for line in long]
    tried = _read_until_enough(picture, long[:_PROBE])
    turned: list[_Candidate] = []
    if max((c.likeness for c in tried), default=0) < _PLAIN:
        turned = _read_until_enough(picture, back[:_PROBE])
        if max((c.likeness for c in turned), default=0) >= _PLAIN:
            long, back, tried, turned = back, long, turned, tried
    forward = tried if _enough(tried) else [*tried, *_read_until_enough(picture, long[_PROBE:], tried)]
    if sum(c.likeness for c in forward) >= 40 and max((c.likeness for c in forward), default=0) > 20:
        return [c for c in forward if c.likeness > 8]
    backward = [*(turned or _read_until_enough(picture, back[:_PROBE])), *_read_until_enough(picture, back[_PROBE:])]
    better = max(forward, backward, key=lambda side: sum(c.likeness for c in side if c.likeness > 8))
    return [c for c in better if c.likeness > 8]


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
    reading = text_lines.read_at(picture, line.quad)
    text, _ = reading.text()
    return _Candidate(line=line, reading=reading, text=text, likeness=likeness(text))


def likeness(text: str) -> float:
    """Return how much a freely read text looks like a row of a zone: roughly its count of fitting characters.

    Fillers count double, small letters, spaces and marks against it.
    """
    text = text.replace("«", "<<")
    fitting = sum(c in _ANY for c in text)
    fillers = text.count("<")
    strange = len(text) - fitting
    digits = sum(c.isdigit() for c in text)
    if len(text) < 12 or (fillers == 0 and digits < 8):
        return 0.0
    return fitting + min(fillers, 12) - 3.0 * strange


def merged(found: Sequence[Line]) -> list[Line]:
    """Join pieces of one printed line that the detector marked apart (long runs of fillers tear rows)."""
    lines = list(found)
    joined = True
    while joined:
        joined = False
        lines.sort(key=lambda line: (round(float(line.centre @ _across(line))), float(line.centre @ line.direction)))
        for i, left in enumerate(lines):
            for j in range(i + 1, min(i + 12, len(lines))):
                if (both := _joined(left, lines[j])) is not None:
                    lines[i] = both
                    del lines[j]
                    joined = True
                    break
            if joined:
                break
    return lines


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
        if best is not None and best.score > -0.05:
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
    typical = float(np.median([len(row.reading.text(_ANY)[0]) for row in rows]))
    plans = [(2, 44), (2, 36)] + ([(3, 30)] if len(rows) >= 3 else [])
    plans.sort(key=lambda plan: abs(plan[1] - typical))
    return [plan for plan in plans if abs(plan[1] - typical) < 9] or plans[:1]


def _decode(picture: Pixels, rows: Sequence[_Candidate], length: int) -> Zone | None:
    """Decode rows as a zone of `length` characters a row; also with their ends brought to one width."""
    quads = [row.line.quad for row in rows]
    readings = [row.reading for row in rows]
    zone = _decode_readings(readings, quads, length)
    if zone is not None and zone.score > -0.05:
        return zone
    common = _common_ends(rows)
    if common is None:
        return zone
    return _better(zone, _decode_crops(picture, common, length))


def _decode_crops(picture: Pixels, quads: Sequence[Quad], length: int, *, flat: bool = False) -> Zone | None:
    strips = [text_lines.crop(picture, quad) for quad in quads]
    readings = [text_lines.read(_flat(strip) if flat else strip) for strip in strips]
    return _decode_readings(readings, quads, length)


def _better(*zones: Zone | None) -> Zone | None:
    return max((zone for zone in zones if zone is not None), key=_rank, default=None)


def looked_at_again(picture: Pixels, zone: Zone) -> Zone:
    """Read a poor zone's rows once more: light evened out, and cut tighter and wider. The likeliest reading wins."""
    length = len(zone.rows[0].text)
    quads = [row.quad for row in zone.rows]
    best = _better(zone, _decode_crops(picture, quads, length, flat=True)) or zone
    for grow in (-0.14, 0.14):
        if best.score > -0.03:
            break
        sized = [_taller(quad, grow) for quad in quads]
        best = _better(best, _decode_crops(picture, sized, length)) or best
    return best


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


def _decode_readings(readings: Sequence[text_lines.Reading], quads: Sequence[Quad], length: int) -> Zone | None:
    odds = [mrz_odds(reading) for reading in readings]
    if any(o.shape[0] < length for o in odds):
        return None
    layout, masks = _layout(odds, length)
    rows, forced = [], True
    total = 0.0
    for o, mask, quad in zip(odds, masks, quads, strict=True):
        path = fixed_length(o, mask)
        free = fixed_length(o, (_ANY,) * length)
        if path is None or free is None:
            return None
        if _breaks_layout(path, free, o):
            path, forced = _look_alikes_only(path, free), False
        rows.append(_row(path, o, quad, mask if forced else (_ANY,) * length))
        total += path.score
    named = len(rows) - 1 if length == 30 else 0
    rows[named] = replace(rows[named], text=_fillers_to_the_end(rows[named]))
    return Zone(layout=layout, rows=tuple(rows), score=total / (length * len(rows)), forced=forced)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A best reading with exactly as many characters as asked for."""

    text: str
    score: float  # log odds of the whole path
    frames: tuple[int, ...]  # the frame in which each character is strongest


def fixed_length(odds: Floats, masks: Sequence[str]) -> Path | None:
    """Return the likeliest text with exactly `len(masks)` characters, the k-th out of `masks[k]`.

    Viterbi over CTC paths: blank or repeat between characters, equal neighbours apart by a blank.
    `odds` as from `mrz_odds`. None where there are too few frames.
    """
    count, frames = len(masks), odds.shape[0]
    if frames < count:
        return None
    logs = np.log(np.maximum(odds, _FLOOR))
    allowed = _mask_array(tuple(masks))
    letters = len(_ANY)
    low = np.float32(-1e9)
    on = np.full((count + 1, letters), low, np.float32)  # k-th character being printed
    gap = np.full(count + 1, low, np.float32)  # blank behind the k-th character
    gap[0] = 0.0
    from_on = np.zeros((frames, count + 1, letters), np.int8)  # -2 stay, -1 from the blank, else previous letter
    from_gap = np.zeros((frames, count + 1), np.int8)  # -1 stay, else letter
    index = np.arange(letters)
    for t in range(frames):
        best = on.argmax(axis=1)
        peak = on[np.arange(count + 1), best]
        without = on.copy()
        without[np.arange(count + 1), best] = low
        second = without.argmax(axis=1)
        second_peak = without[np.arange(count + 1), second]
        # entering the k-th character from the (k-1)-th: a different letter, or through the blank
        same = index[None, :] == best[:-1, None]
        enter = np.where(same, second_peak[:-1, None], peak[:-1, None])
        enter_from = np.where(same, second[:-1, None], best[:-1, None])
        through = gap[:-1, None] >= enter
        enter = np.where(through, gap[:-1, None], enter)
        enter_from = np.where(through, -1, enter_from)
        stay = on[1:] >= enter
        new_on = np.full_like(on, low)
        new_on[1:] = np.where(stay, on[1:], enter) + logs[t, 1:][None, :] + allowed
        from_on[t, 1:] = np.where(stay, -2, enter_from)
        rest = gap >= peak
        from_gap[t] = np.where(rest, -1, best)
        gap = np.where(rest, gap, peak) + logs[t, 0]
        on = new_on
    return _trace(on, gap, from_on, from_gap, odds, count)


def _trace(
    on: Floats, gap: Floats, from_on: NDArray[np.int8], from_gap: NDArray[np.int8], odds: Floats, count: int
) -> Path | None:
    letter = int(on[count].argmax())
    in_gap = bool(gap[count] >= on[count, letter])
    score = float(gap[count]) if in_gap else float(on[count, letter])
    if score < -1e8:
        return None
    k, text, peaks = count, [""] * count, [0] * count
    strongest = [-1.0] * count
    for t in range(odds.shape[0] - 1, -1, -1):
        if in_gap:
            came = int(from_gap[t, k])
            if came >= 0:
                in_gap, letter = False, came
            continue
        text[k - 1] = _ANY[letter]
        if odds[t, letter + 1] > strongest[k - 1]:
            strongest[k - 1], peaks[k - 1] = float(odds[t, letter + 1]), t
        came = int(from_on[t, k, letter])
        if came != -2:
            k -= 1
            in_gap = came == -1
            letter = came
    return Path(text="".join(text), score=score, frames=tuple(peaks))


@cache
def _mask_array(masks: tuple[str, ...]) -> Floats:
    table = np.full((len(masks), len(_ANY)), -1e9, np.float32)
    for at, mask in enumerate(masks):
        table[at, [_ANY.index(c) for c in mask]] = 0.0
    return table


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
        if chosen != seen and frozenset((chosen, seen)) not in _LOOK_ALIKE and odds[frame, _ANY.index(seen) + 1] > 0.8:
            return True
    return False


def _look_alikes_only(path: Path, free: Path) -> Path:
    text = "".join(
        chosen if frozenset((chosen, seen)) in _LOOK_ALIKE else seen for chosen, seen in zip(path.text, free.text, strict=True)
    )
    return replace(free, text=text)


def _layout(odds: Sequence[Floats], length: int) -> tuple[DocumentType, tuple[tuple[str, ...], ...]]:
    """Name the layout by the first letters of the first row, and say what each position may hold."""
    if length == 30:
        return DocumentType.TD1, td1_masks()
    opening = fixed_length(odds[0], ("PVIAC", *(_LETTERS,) * 4, *(_ANY,) * (length - 5)))
    start = opening.text[:5] if opening is not None else ""
    if length == 44:
        if start == "PNRUS":
            return DocumentType.RU_INTERNAL, russian_masks()
        return (DocumentType.MRVA, visa_masks(44)) if start[:1] == "V" else (DocumentType.TD3, td3_masks())
    if start == "IDFRA":
        given = fixed_length(odds[1], french_masks()[1])
        plain = fixed_length(odds[1], td2_masks()[1])
        if given is not None and (plain is None or given.score > plain.score):
            return DocumentType.TD2, french_masks()
    return (DocumentType.MRVB, visa_masks(36)) if start[:1] == "V" else (DocumentType.TD2, td2_masks())


@cache
def td3_masks() -> tuple[tuple[str, ...], ...]:
    """What each position of a passport's zone may hold (Doc 9303-4 section 4.2)."""
    first = ("P", *(_LETTERS,) * 43)
    return first, (*_second(), *(_ANY,) * 14, _NUMBERS, _NUMBERS)


@cache
def td2_masks() -> tuple[tuple[str, ...], ...]:
    """Two rows of 36 (Doc 9303-6 section 4.2)."""
    return ("PIAC", *(_LETTERS,) * 35), (*_second(), *(_ANY,) * 7, _NUMBERS)


@cache
def visa_masks(length: int) -> tuple[tuple[str, ...], ...]:
    """Visas of 44 or 36: no composite (Doc 9303-7)."""
    return ("V", *(_LETTERS,) * (length - 1)), (*_second(), *(_ANY,) * (length - 28))


@cache
def td1_masks() -> tuple[tuple[str, ...], ...]:
    """Three rows of 30 (Doc 9303-5 section 4.2); H for the sex of Mexico's INE."""
    first = ("IAC", _LETTERS + "1", *(_LETTERS,) * 3, *(_ANY,) * 9, _NUMBERS, *(_ANY,) * 15)
    second = (*(_NUMBERS,) * 7, "MFH<", *(_NUMBERS,) * 7, *(_LETTERS,) * 3, *(_ANY,) * 11, _NUMBERS)
    return first, second, (_LETTERS,) * 30


@cache
def russian_masks() -> tuple[tuple[str, ...], ...]:
    """Russian internal passport: digits are letters in row 1, row 2 is all digits but state and sex."""
    first = (*"PNRUS", *(_RUSSIAN,) * 39)
    second = (*(mrz.DIGITS,) * 10, *"RUS", *(mrz.DIGITS,) * 7, "MF", *(_NUMBERS,) * 7, *(_NUMBERS,) * 14, mrz.DIGITS, mrz.DIGITS)
    return first, second


@cache
def french_masks() -> tuple[tuple[str, ...], ...]:
    """Old French identity card, 2 x 36."""
    first = (*"IDFRA", *(_LETTERS,) * 25, *(_ANY,) * 6)
    second = (*(_ANY,) * 12, mrz.DIGITS, *(_LETTERS,) * 14, *(mrz.DIGITS,) * 7, "MF", mrz.DIGITS)
    return first, second


def _second() -> tuple[str, ...]:
    """Positions 1-28 of the second row of every ICAO layout with two rows."""
    return (*(_ANY,) * 9, _NUMBERS, *(_LETTERS,) * 3, *(_NUMBERS,) * 7, "MF<X", *(_NUMBERS,) * 7)


def unread_rows(picture: Pixels, found: Sequence[Line]) -> list[Quad]:
    """Return the places of rows that look like a zone although none could be decoded: two or three neighbours."""
    candidates = [c for c in _candidates(picture, found) if c.likeness > 18]
    for group in _groups(candidates, found):
        if len(group) >= 2 or group[0].text.count("<") >= 4:
            return [c.line.quad for c in group]
    return []
