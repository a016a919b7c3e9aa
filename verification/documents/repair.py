"""Mend a zone's text where the rules leave exactly one repair, and leave everything else as it was read.

Three kinds of repair, each for the places where it cannot invent: by alphabet (a letter among the digits of a date, a
digit in a state's code), by check digits (one doubtful character of a field, to what a voice saw there), and the tail of
a name row (fillers read as letters, where both voices saw fillers). A print whose digits are simply wrong stays as it is:
without doubt over a character there is nothing to mend. Never mended: a letter of a name, a character to one that the
check digits cannot tell from it (`mrz.BLIND_CLASSES`), anything because of what the profile says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from typing import Final

from verification.documents import mrz
from verification.documents.glyphs import Verdict
from verification.documents.mrz_zone import Row, Zone
from verification.documents.national import STATES
from verification.evidence import DocumentType

Change = tuple[int, int, str]
"""Row, position (from 0), what stands there instead."""

_AS_DIGIT: Final = {"O": "0", "Q": "0", "D": "0", "U": "0", "I": "1", "L": "1", "Z": "2", "S": "58", "G": "6", "B": "8"}
"""Digits that a letter in a date or in a check digit's place may have been. S is read for 5 and for 8."""
_AS_LETTER: Final = {"0": "ODQU", "1": "ILT", "2": "Z", "4": "A", "5": "S", "6": "G", "8": "BS"}
"""Letters that a digit in a state's code may have been."""
_AS_SEX: Final = {"H": "M", "N": "M", "P": "F"}  # M is read as H more often than anything else is misread (facts 5.2)
_TAIL: Final = frozenset("KCESX")  # what fillers are read as
_TAIL_LETTERS: Final = 2  # letters next to a name's end that may be fillers; one alone may be the name's own

_DOUBT: Final = 0.9  # the network's odds below which it was not sure of a character
_CHANCE: Final = 0.02  # least odds of a second choice that it held possible
_LEAD: Final = -0.1  # the glyph voice contradicts; on rightly read characters 3.5 % lie below (20,419 measured)
_GLYPH: Final = 20.0  # natural log odds that one unit of lead is worth (own choice) ...
_GLYPH_MOST: Final = 3.0  # ... at most: 20 to 1. Unbounded, a stain outvoted a network that was sure (L to 1, measured)
_UNSEEN: Final = 1e-4  # odds of a character that the network did not name
# The four below were chosen on misread zones (tests/benchmarks/mrz_texts.py), 1,200 with one covered character misread:
# 24 % come out right and 0.1 % wrong. Without them it was 59 % and 2.3 %, and 9 % of wrong prints were "mended" (now 0.4 %).
_LEAST: Final = -3.0  # natural log odds, against what was read, from which a change may be made
_LEAST_ALONE: Final = 0.0  # ... where one digit alone vouches for it (visas; data under the composite only; digits themselves)
_MARGIN: Final = 5.0  # ... by which it must lead any other change that makes the digits hold
_AS_LIKELY: Final = 1.0  # ... and any other doubt within the field, fitting or not: a noisy field fits something by luck
_FAINT: Final = _LEAST - _MARGIN  # what is less likely counts for nothing
_MOST: Final = 2  # fields mended at once, one character in each
_MOST_LETTERS: Final = 4  # letters among the digits; more is no reading of a zone


def mend(zone: Zone, verdicts: Sequence[Verdict], *, today: date) -> tuple[Zone, bool]:
    """Return the zone with what could be mended, and whether anything was. `verdicts`: the glyph voice, per row.

    Every changed character's chance falls to 0.5 or less, so nothing mended is certain by this zone alone.
    """
    if mrz.layout_of(zone.texts) is None:
        return zone, False
    changes = [*_codes_and_sex(zone, verdicts), *_tail(zone, verdicts)]
    mended = _apply(zone, changes)
    digits = _by_digits(mended, verdicts, today=today)
    return _apply(mended, digits), bool(changes or digits)


def _by_digits(zone: Zone, verdicts: Sequence[Verdict], *, today: date) -> Sequence[Change]:
    """The one change that makes every check digit hold; none where there is no such change, or more than one."""
    fields = _fields(zone.texts)
    letters = _letters_among_digits(zone, fields)
    if letters:
        return _only(zone, letters, today) if len(letters) <= _MOST_LETTERS else ()
    both = [change for field in fields for change in _outvoted(zone, verdicts, field)]
    if both and _fits(zone, both, today):
        return both
    checks = mrz.parse(zone.texts, today=today).checks
    failing = [field for field in fields if not checks[field.name]]
    if len(failing) > 1:  # the composite stands over the others' fields too: it must come right by itself
        failing = [field for field in failing if field.name != "composite"]
    if not 0 < len(failing) <= _MOST:
        return ()
    doubts = [_candidates(zone, verdicts, field) for field in failing]
    fits = sorted(
        ((sum(of[c] for of, c in zip(doubts, choice, strict=True)), choice) for choice in product(*doubts)
         if _fits(zone, choice, today)),
        reverse=True,
    )  # fmt: skip
    if not fits or (len(fits) > 1 and fits[0][0] - fits[1][0] < _MARGIN):
        return ()
    for field, of, change in zip(failing, doubts, fits[0][1], strict=True):
        as_likely = sum(weight >= of[change] - _AS_LIKELY for weight in of.values())
        # a digit bent to a misread field often suits the composite too: at two of three places of a birth date, always
        alone = field.alone or (change[:2] == field.digit and field.name != "composite")
        if of[change] < (_LEAST_ALONE if alone else _LEAST) or as_likely > 1:
            return ()
    return fits[0][1]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checked:
    """A check digit and the places it vouches for. `alone`: no second digit would notice a slip."""

    name: str  # as in ParsedMrz.checks
    places: tuple[tuple[int, int], ...]  # row and position, from 0, the digit's own included
    digit: tuple[int, int] | None  # where it stands itself; None in a long number, where the number's length decides
    alone: bool = False
    day: bool = False  # all of it is digits


def _checked(name: str, *spans: mrz.Place, alone: bool = False, floating: bool = False) -> _Checked:
    """The digit stands in the last place of the spans, unless it is `floating`."""
    places = tuple((row, at) for row, start, end in spans for at in range(start, end))
    day = name in ("date_of_birth", "expires_on")
    return _Checked(name=name, places=places, digit=None if floating else places[-1], alone=alone, day=day)


def _fields(texts: Sequence[str]) -> tuple[_Checked, ...]:
    """What stands under each check digit of a layout. Under "composite": only what no other digit covers."""
    layout = mrz.layout_of(texts)
    if layout is DocumentType.TD1:
        long = texts[0][14] == "<"
        return (
            _checked("document_number", (0, 5, 30 if long else 15), floating=long),
            _checked("date_of_birth", (1, 0, 7)),
            _checked("expires_on", (1, 8, 15)),
            _checked("composite", (0, 15, 30), (1, 18, 30), alone=True),
        )
    if layout is DocumentType.TD2 and texts[0].startswith("IDFRA"):  # old French card; its names are never mended
        return (
            _checked("document_number", (1, 0, 13)),
            _checked("date_of_birth", (1, 27, 34)),
            _checked("composite", (1, 35, 36), alone=True),
        )
    if layout is DocumentType.RU_INTERNAL:
        return (
            _checked("document_number", (1, 0, 10)),
            _checked("date_of_birth", (1, 13, 20)),
            _checked("personal_number", (1, 28, 43)),
            _checked("composite", (1, 43, 44)),
        )
    visa = layout in (DocumentType.MRVA, DocumentType.MRVB)
    long = layout is DocumentType.TD2 and texts[1][9] == "<"
    fields = (
        _checked("document_number", (1, 0, 10), *([(1, 28, 35)] if long else []), alone=visa, floating=long),
        _checked("date_of_birth", (1, 13, 20), alone=visa),
        _checked("expires_on", (1, 21, 28), alone=visa),
    )
    if layout is DocumentType.TD3:
        return (*fields, _checked("personal_number", (1, 28, 43)), _checked("composite", (1, 43, 44)))
    return fields if visa else (*fields, _checked("composite", (1, 28, 36), alone=True))


def _candidates(zone: Zone, verdicts: Sequence[Verdict], field: _Checked) -> dict[Change, float]:
    """What may stand at a field's doubtful places instead, with its weight: what the network or the glyph voice saw."""
    found = {}
    for number, at in field.places:
        row, verdict = zone.rows[number], verdicts[number]
        for letter in dict.fromkeys((row.seconds[at], verdict.rivals[at])):
            if letter not in row.masks[at] or letter == row.text[at] or letter in mrz.blind_to(row.text[at]):
                continue
            weight = _weight(row, verdict, at, letter)
            if weight >= _FAINT:
                found[number, at, letter] = weight
    return found


def _weight(row: Row, verdict: Verdict, at: int, letter: str) -> float:
    """Natural log odds that `letter` and not the character read is printed, all voices together."""
    seen = row.second_chances[at] if letter == row.seconds[at] else _UNSEEN
    network = math.log(max(seen, _UNSEEN) / max(row.chances[at], _UNSEEN))
    lead = verdict.leads[at]
    if letter != verdict.rivals[at] and lead < 0:
        lead = 0.0  # the glyph voice sees a third character: it speaks for neither
    return network - min(max(lead * _GLYPH, -_GLYPH_MOST), _GLYPH_MOST)


def _outvoted(zone: Zone, verdicts: Sequence[Verdict], field: _Checked) -> Iterator[Change]:
    """Changes that both voices prefer together where the network itself was in doubt.

    Needed where two misread letters cancel out in the check digit (ZS for 25): both texts are valid then.
    """
    for number, at in field.places:
        row, verdict = zone.rows[number], verdicts[number]
        letter = verdict.rivals[at]
        if letter != row.seconds[at] or letter not in row.masks[at] or letter in mrz.blind_to(row.text[at]):
            continue
        doubted = row.chances[at] < _DOUBT and row.second_chances[at] >= _CHANCE and verdict.leads[at] < _LEAD
        if doubted and letter != row.text[at] and _weight(row, verdict, at, letter) > 0:
            yield number, at, letter


def _letters_among_digits(zone: Zone, fields: Sequence[_Checked]) -> list[list[Change]]:
    """For each letter in a date or in a check digit's place, the digits it may be. Empty where there is none."""
    places = dict.fromkeys(at for field in fields for at in (field.places if field.day else (field.digit,)) if at)
    return [
        [(row, at, digit) for digit in _AS_DIGIT.get(zone.texts[row][at], "")]
        for row, at in places
        if zone.texts[row][at] in mrz.LETTERS
    ]


def _codes_and_sex(zone: Zone, verdicts: Sequence[Verdict]) -> Iterator[Change]:
    """Issuing state and nationality to the one known code that look-alikes lead to, and the sex to one of its letters."""
    layout = mrz.layout_of(zone.texts)
    td1 = layout is DocumentType.TD1
    french = layout is DocumentType.TD2 and zone.texts[0].startswith("IDFRA")
    if layout is DocumentType.RU_INTERNAL or french:
        return  # their codes are what they are told by, or are not there
    for number, start in ((0, 2), (1, 15 if td1 else 10)):
        code = zone.texts[number][start : start + 3]
        if code.rstrip("<") in STATES:
            continue
        fits = [
            (number, start + at, letter)
            for at in range(3)
            for letter in _code_letters(zone.rows[number], verdicts[number], start + at)
            if (code[:at] + letter + code[at + 1 :]).rstrip("<") in STATES
        ]
        if len(fits) == 1:
            yield fits[0]
    at = (1, 7) if td1 else (1, 20)
    letter = zone.texts[at[0]][at[1]]
    if letter in _AS_SEX and not zone.texts[0].startswith("MEX", 2):
        yield *at, _AS_SEX[letter]


def _code_letters(row: Row, verdict: Verdict, at: int) -> str:
    """What a character of a state's code may be instead: a digit's look-alikes; for a letter what both voices doubt it to be."""
    own = row.text[at]
    if own in mrz.DIGITS:
        return _AS_LETTER.get(own, "")
    second = row.seconds[at]
    doubted = row.chances[at] < _DOUBT and row.second_chances[at] >= _CHANCE and verdict.leads[at] < 0
    return second if doubted and second == verdict.rivals[at] and second in mrz.LETTERS else ""


def _tail(zone: Zone, verdicts: Sequence[Verdict]) -> list[Change]:
    """Letters behind a name that are fillers: a run to the row's end of K, C, E, S, X, where both voices saw `<`.

    Both along the whole run, or nothing changes: NOVAK ends in such a letter too. Two letters at least, or any behind
    two fillers that follow the given names.
    """
    if zone.texts[0].startswith("IDFRA"):
        return []  # the old French card has surname and given names in rows of their own
    number, start = (2, 0) if len(zone.rows) == 3 else (0, 5)
    row, verdict = zone.rows[number], verdicts[number]
    names = row.text[start:]
    begin = len(names)
    while begin > 0 and names[begin - 1] in _TAIL | {"<"}:
        begin -= 1
    run = [start + at for at in range(begin, len(names)) if names[at] != "<"]
    if not run or "<<" not in names[:begin].rstrip("<"):
        return []  # without given names in front of it, the run may hold them
    behind = names[begin : run[0] - start].startswith("<<")
    if len(run) < _TAIL_LETTERS and not behind:
        return []
    fillers = all(row.seconds[at] == "<" and verdict.rivals[at] == "<" and verdict.leads[at] <= 0 for at in run)
    return [(number, at, "<") for at in run] if fillers else []


def _only(zone: Zone, options: Sequence[Sequence[Change]], today: date) -> Sequence[Change]:
    """The one choice, a change out of each of `options`, that fits; () where none or several do."""
    found: Sequence[Change] = ()
    for choice in product(*options):
        if _fits(zone, choice, today):
            if found:
                return ()
            found = choice
    return found


def _fits(zone: Zone, change: Sequence[Change], today: date) -> bool:
    """Whether all digits hold after `change`, every date is a day or not stated, and no national number is wrong."""
    parsed = mrz.parse(_changed(zone, change), today=today)
    return parsed.valid and not parsed.impossible and parsed.national_digit is not False


def _changed(zone: Zone, change: Sequence[Change]) -> list[str]:
    texts = [list(text) for text in zone.texts]
    for row, at, letter in change:
        texts[row][at] = letter
    return ["".join(text) for text in texts]


def _apply(zone: Zone, change: Sequence[Change]) -> Zone:
    if not change:
        return zone
    texts = _changed(zone, change)
    rows = []
    for number, (row, text) in enumerate(zip(zone.rows, texts, strict=True)):
        chances = list(row.chances)
        for at_row, at, _ in change:
            if at_row == number:
                chances[at] = min(0.5, 1 - row.chances[at])
        rows.append(replace(row, text=text, chances=tuple(chances)))
    return replace(zone, rows=tuple(rows))
