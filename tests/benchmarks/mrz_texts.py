"""Measure the text side of machine-readable zones: random strings, damaged zones, and what repair makes of misread ones.

    python tests/benchmarks/mrz_texts.py [--strings N] [--zones N] [--repairs N] [--seed N] [--json FILE]

Reads no pictures and no data: every zone is invented here, from the seed. Three tables:

1. N random strings (a million) through `mrz.parse`: exceptions, and how many of the right shape pass each check digit
   beside what chance gives.
2. N damaged zones (10,000), each a valid zone with one kind of damage: how many still pass, beside a second computation of
   the digits from the standard's tables of positions. More may not pass than arithmetic allows.
3. N misread zones a line through `repair.mend`, with the odds two voices would give (the shares were taken from 20,419
   characters of development pictures): mended rightly, left alone, mended wrongly.
"""

from __future__ import annotations

import argparse
import json
import random
import string
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from verification.documents import mrz, repair  # noqa: E402
from verification.documents.glyphs import Verdict  # noqa: E402
from verification.documents.mrz_zone import Row, Zone  # noqa: E402
from verification.evidence import DocumentType  # noqa: E402

TODAY = date(2026, 11, 22)
LETTERS, DIGITS, ANY = string.ascii_uppercase, string.digits, mrz.ALPHABET
LAYOUTS = (DocumentType.TD3, DocumentType.TD2, DocumentType.TD1, DocumentType.MRVA, DocumentType.MRVB, DocumentType.RU_INTERNAL)

# Digit: row and place of it, then the spans under it; places from 1, both ends included, as in Doc 9303 parts 4 to 7.
Spans = tuple[tuple[int, int, int], ...]
_TWO = {"document_number": (2, 10, ((2, 1, 9),)), "date_of_birth": (2, 20, ((2, 14, 19),))}
_EXPIRY = {"expires_on": (2, 28, ((2, 22, 27),))}
_OWN = {"personal_number": (2, 43, ((2, 29, 42),))}
STANDARD: dict[DocumentType, dict[str, tuple[int, int, Spans]]] = {
    DocumentType.TD3: {**_TWO, **_EXPIRY, **_OWN, "composite": (2, 44, ((2, 1, 10), (2, 14, 20), (2, 22, 43)))},
    DocumentType.TD2: {**_TWO, **_EXPIRY, "composite": (2, 36, ((2, 1, 10), (2, 14, 20), (2, 22, 35)))},
    DocumentType.TD1: {
        "document_number": (1, 15, ((1, 6, 14),)),
        "date_of_birth": (2, 7, ((2, 1, 6),)),
        "expires_on": (2, 15, ((2, 9, 14),)),
        "composite": (2, 30, ((1, 6, 30), (2, 1, 7), (2, 9, 15), (2, 19, 29))),
    },
    DocumentType.MRVA: {**_TWO, **_EXPIRY},
    DocumentType.MRVB: {**_TWO, **_EXPIRY},
    DocumentType.RU_INTERNAL: {**_TWO, **_OWN, "composite": (2, 44, ((2, 1, 10), (2, 14, 20), (2, 22, 43)))},
}
_WORTH = {c: int(c, 36) if c != "<" else 0 for c in ANY}


def weights(layout: DocumentType) -> dict[tuple[int, int], dict[str, int]]:
    """Return for each covered place (row, position from 0) the weight it has under each digit; a digit's own place: -1."""
    table: dict[tuple[int, int], dict[str, int]] = {}
    for name, (row, place, spans) in STANDARD[layout].items():
        under = [(r - 1, at - 1) for r, start, end in spans for at in range(start, end + 1)]
        for k, at in enumerate(under):
            table.setdefault(at, {})[name] = (7, 3, 1)[k % 3]
        table.setdefault((row - 1, place - 1), {})[name] = -1
    return table


WEIGHTS = {layout: weights(layout) for layout in LAYOUTS}


def allowed(layout: DocumentType, lines: Sequence[str]) -> bool:
    """Return whether arithmetic lets the zone pass: a second computation, by tables, of what `mrz.parse` decides.

    Knows no numbers of more than nine characters.
    """
    sums: Counter[str] = Counter()
    for (row, at), under in WEIGHTS[layout].items():
        for name, weight in under.items():
            if weight == -1 and lines[row][at] not in DIGITS:
                empty = name == "personal_number" and lines[row][28:43] == "<" * 15 and layout is DocumentType.TD3
                if not empty:
                    return False
            sums[name] += _WORTH[lines[row][at]] * weight
    return all(total % 10 == 0 for total in sums.values())


# --- invented zones


def zone(rng: random.Random, layout: DocumentType) -> tuple[str, ...]:
    """Return the lines of a valid zone of nobody."""
    day = f"{rng.randrange(40, 100):02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    until = f"{rng.randrange(20, 37):02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    state = rng.choice(("UTO", "KAZ", "ESP", "MEX", "POL", "CZE", "D<<", "FRA", "ROU", "SWE"))
    number = "".join(rng.choice(LETTERS) for _ in range(rng.choice((0, 1, 2, 3)))) + "".join(rng.choice(DIGITS) for _ in range(9))
    number = number[: rng.choice((7, 8, 9, 9, 9))].ljust(9, "<")
    sex = rng.choice("MMFF<")
    width = mrz.SHAPES[layout][1]
    if layout is DocumentType.TD1:
        own = rng.choice(("", "".join(rng.choice(DIGITS) for _ in range(11))))
        if state == "KAZ" or state == "ESP":
            own = ""
        first = f"I<{state}{number}{mrz.check_digit(number)}{own.ljust(15, '<')}"
        second = f"{day}{mrz.check_digit(day)}{sex}{until}{mrz.check_digit(until)}{state}{'<' * 11}"
        total = mrz.check_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
        return first, f"{second}{total}", _names(rng, 30)
    if layout is DocumentType.RU_INTERNAL:
        number, rest = (_some(rng, DIGITS, 9), f"{_some(rng, DIGITS, 1)}{until}{_some(rng, DIGITS, 6)}<")
        second = f"{number}{mrz.check_digit(number)}RUS{day}{mrz.check_digit(day)}{rng.choice('MF')}{'<' * 7}{rest}"
        second += str(mrz.check_digit(rest))
        names = "<".join(_some(rng, mrz.RUSSIAN_LATIN, rng.randrange(3, 10)) for _ in range(2))
        first = f"PNRUS{_some(rng, mrz.RUSSIAN_LATIN, rng.randrange(3, 12))}<<{names}".ljust(44, "<")[:44]
        return first, second + str(mrz.check_digit(second[:10] + second[13:20] + second[21:43]))
    code = {DocumentType.TD3: "P<", DocumentType.TD2: "I<"}.get(layout, "V<")
    first = code + state + _names(rng, width - 5)
    second = f"{number}{mrz.check_digit(number)}{state}{day}{mrz.check_digit(day)}{sex}{until}{mrz.check_digit(until)}"
    if layout is DocumentType.TD3:
        own = rng.choice(("", _some(rng, DIGITS, 11), _some(rng, ANY, 9))).ljust(14, "<")
        second += f"{own}{mrz.check_digit(own)}"
        return first, second + str(mrz.check_digit(second[:10] + second[13:20] + second[21:43]))
    if layout is DocumentType.TD2:
        second += rng.choice(("", _some(rng, DIGITS, 7))).ljust(7, "<")
        return first, second + str(mrz.check_digit(second[:10] + second[13:20] + second[21:35]))
    return first, second.ljust(width, "<")


def _names(rng: random.Random, width: int) -> str:
    given = "<".join(_some(rng, LETTERS, rng.randrange(3, 8)) for _ in range(rng.choice((1, 1, 2))))
    return f"{_some(rng, LETTERS, rng.randrange(3, 12))}<<{given}".ljust(width, "<")[:width]


def _some(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(alphabet, k=count))


# --- 1: random strings

ALPHABETS = (ANY, DIGITS, DIGITS + "<", LETTERS + DIGITS, ANY + string.ascii_lowercase + " «Ñ-", "АБВГ0123<", string.printable)
SHAPES = ((2, 44), (2, 36), (3, 30))


def random_texts(rng: random.Random, count: int) -> Iterator[tuple[str, ...]]:
    """Yield `count` random strings, cut into lines: of any length and alphabet, half of them of a zone's shape.

    A third of those are digits but for the first letter, where chance gets furthest.
    """
    heads = ("P<UTO", "PNRUS", "IDFRA", "V<UTO", "I<UTO", "P", "V", "", "", "", "")
    for _ in range(count):
        if rng.random() < 0.5:
            size, alphabet = rng.choice(((0, 3), (1, 20), (20, 60), (89, 92))), rng.choice(ALPHABETS)
            text = _some(rng, alphabet, rng.randrange(*size))
            lines = tuple(text[at : at + 44] for at in range(0, len(text), 44)) if rng.random() < 0.7 else tuple(text.split("<"))
        else:
            count_lines, width = rng.choice(SHAPES)
            alphabet = rng.choice((DIGITS, ANY, ANY))
            text = _some(rng, alphabet, count_lines * width)
            text = rng.choice(heads) + text
            lines = tuple(text[at : at + width] for at in range(0, count_lines * width, width))
        yield lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What random strings did. `shaped`, `passed`: per layout and alphabet (digits or any), of the right shape and valid."""

    strings: int
    exceptions: int
    shaped: Counter[tuple[str, str]]
    passed: Counter[tuple[str, str]]
    digits: Counter[tuple[str, str]]  # single check digits that hold, per layout and alphabet
    disagree: int  # valid although a second computation says no, or the other way round


def tally(texts: Iterator[tuple[str, ...]]) -> Tally:
    """Put every string through `mrz.parse`."""
    shaped: Counter[tuple[str, str]] = Counter()
    passed: Counter[tuple[str, str]] = Counter()
    single: Counter[tuple[str, str]] = Counter()
    strings = exceptions = disagree = 0
    for lines in texts:
        strings += 1
        try:
            parsed = mrz.parse(lines, today=TODAY)
        except Exception:  # counted, so that one of a million does not end the run
            exceptions += 1
            continue
        if parsed.document_type is None:
            disagree += parsed.valid
            continue
        kind = (layout_name(parsed), "digits" if lines[1].isdigit() else "any")
        shaped[kind] += 1
        passed[kind] += parsed.valid
        single[kind] += sum(parsed.checks.values())
        # a number of more than nine characters and the French card are beyond the tables
        if kind[0] != "FRENCH" and not _may_be_long(parsed):
            disagree += parsed.valid != allowed(parsed.document_type, lines)
    return Tally(strings=strings, exceptions=exceptions, shaped=shaped, passed=passed, digits=single, disagree=disagree)


def layout_name(parsed: mrz.ParsedMrz) -> str:
    """The layout, the old French card apart."""
    assert parsed.document_type is not None
    french = parsed.document_type is DocumentType.TD2 and parsed.lines[0].startswith("IDFRA")
    return "FRENCH" if french else parsed.document_type.value


def digits_of(layout: str) -> int:
    """How many check digits a layout has."""
    return 3 if layout == "FRENCH" else len(STANDARD[DocumentType(layout)])


def _may_be_long(parsed: mrz.ParsedMrz) -> bool:
    return (parsed.document_type is DocumentType.TD1 and parsed.lines[0][14] == "<") or (
        parsed.document_type is DocumentType.TD2 and parsed.lines[1][9] == "<"
    )


# --- 2: damaged zones

DAMAGES = (
    "one, outside its class",
    "one, inside its class",
    "one, not covered",
    "two in one field",
    "two anywhere",
    "neighbours swapped",
    "inserted, row longer",
    "deleted, row shorter",
    "inserted, end cut off",
    "deleted, filled up",
    "rows swapped",
    "row shifted by one",
)


def damaged(rng: random.Random, layout: DocumentType, lines: tuple[str, ...], damage: str) -> tuple[str, ...] | None:
    """Return a valid zone with one kind of damage; None where the damage changed nothing."""
    table = WEIGHTS[layout]
    own = {at for at, under in table.items() if -1 in under.values()}
    rows = [list(line) for line in lines]
    row = rng.randrange(len(rows))
    at = rng.randrange(len(rows[row]))
    if damage == "one, outside its class":
        row, at = rng.choice(sorted(table))
        rows[row][at] = rng.choice([c for c in ANY if _WORTH[c] % 10 != _WORTH[rows[row][at]] % 10])
    elif damage == "one, inside its class":
        row, at = rng.choice(sorted(table.keys() - own))
        rows[row][at] = rng.choice(mrz.blind_to(rows[row][at]))
    elif damage == "one, not covered":
        row, at = rng.choice([(r, k) for r in range(len(rows)) for k in range(5, len(rows[r])) if (r, k) not in table])
        rows[row][at] = rng.choice(ANY.replace(rows[row][at], ""))
    elif damage == "two in one field":
        name = rng.choice([n for n in STANDARD[layout] if n != "composite"])
        for row, at in rng.sample(sorted(k for k, under in table.items() if name in under and k not in own), 2):
            rows[row][at] = rng.choice([c for c in ANY if _WORTH[c] % 10 != _WORTH[rows[row][at]] % 10])
    elif damage == "two anywhere":
        for row, at in rng.sample(sorted(table), 2):
            rows[row][at] = rng.choice([c for c in ANY if _WORTH[c] % 10 != _WORTH[rows[row][at]] % 10])
    elif damage == "neighbours swapped":
        row, at = rng.choice([(r, k) for r, k in sorted(table) if (r, k + 1) in table])
        rows[row][at], rows[row][at + 1] = rows[row][at + 1], rows[row][at]
    elif damage.startswith("inserted"):
        rows[row].insert(at, rng.choice(ANY))
        if "cut" in damage:
            rows[row].pop()
    elif damage.startswith("deleted"):
        del rows[row][at]
        if "filled" in damage:
            rows[row].append("<")
    elif damage == "rows swapped":
        rows[0], rows[1] = rows[1], rows[0]
    elif damage == "row shifted by one":
        rows[row] = [*rows[row][1:], rng.choice(ANY)] if rng.random() < 0.5 else [rng.choice(ANY), *rows[row][:-1]]
    result = tuple("".join(line) for line in rows)
    return None if result == lines else result


def damage_all(rng: random.Random, count: int) -> dict[str, Counter[str]]:
    """Return per damage: zones, those that pass, those that arithmetic lets pass, and how often the two disagree."""
    table: dict[str, Counter[str]] = {damage: Counter() for damage in DAMAGES}
    for k in range(count):
        damage, layout = DAMAGES[k % len(DAMAGES)], LAYOUTS[k // len(DAMAGES) % len(LAYOUTS)]
        lines = damaged(rng, layout, zone(rng, layout), damage)
        if lines is None:
            table[damage]["unchanged"] += 1
            continue
        parsed = mrz.parse(lines, today=TODAY)
        passes = parsed.document_type is not None and not _may_be_long(parsed) and allowed(parsed.document_type, lines)
        table[damage]["zones"] += 1
        table[damage]["valid"] += parsed.valid
        table[damage]["allowed"] += passes
        if parsed.document_type is None or not _may_be_long(parsed):
            table[damage]["disagree"] += parsed.valid != passes
        else:
            table[damage]["long"] += parsed.valid
    return table


# --- 3: misread zones

CONFUSIONS = {  # truth: read, times seen on the development zones (facts 5.2) and, where only reported (5.3), 1
    "M": {"H": 4}, "D": {"0": 2, "O": 1}, "O": {"0": 33}, "U": {"0": 2}, "8": {"B": 3, "6": 3, "S": 1, "3": 1}, "5": {"S": 2},
    "4": {"A": 2}, "C": {"0": 4}, "I": {"1": 2}, "0": {"D": 2, "O": 23, "Q": 5}, "3": {"5": 3, "8": 2}, "P": {"F": 2},
    "<": {"K": 290, "C": 17, "E": 28, "S": 16}, "1": {"I": 1, "L": 1, "7": 1}, "L": {"1": 1}, "2": {"Z": 1}, "Z": {"2": 1},
    "S": {"5": 1, "8": 1}, "6": {"G": 1, "8": 1}, "G": {"6": 1, "C": 1}, "B": {"8": 1}, "Q": {"0": 1, "O": 1},
    "A": {"4": 1, "6": 1}, "H": {"M": 1}, "F": {"P": 1}, "7": {"1": 1}, "9": {"0": 1},
}  # fmt: skip


def made(cls: type[Any], **values: Any) -> Any:
    """Make a Row or Zone of those `values` that it has."""
    return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def row_of(text: str, masks: Sequence[str], **voices: Any) -> Row:
    """A row as recognised; every character sure unless `voices` (chances, seconds, second_chances) say otherwise."""
    count = len(text)
    plain = {
        "chances": (0.999,) * count,
        "seconds": "?" * count,
        "second_chances": (0.0,) * count,
        "quad": np.zeros((4, 2), np.float32),
        "regular": 0.1,
        "centres": tuple((k + 0.5) / count for k in range(count)),
        "masks": tuple(masks),
    }
    row: Row = made(Row, text=text, **{**plain, **voices})
    return row


def zone_of(layout: DocumentType, rows: Sequence[Row], *, forced: bool = True) -> Zone:
    """A recognised zone of these rows."""
    found: Zone = made(Zone, layout=layout, rows=tuple(rows), score=-0.03, forced=forced)
    return found


def place_masks(layout: DocumentType) -> tuple[tuple[str, ...], ...]:
    """What each place may hold, as the decoder has it; plain alphabets are enough here."""
    number, names = DIGITS + "<", LETTERS + "<"
    second = (*(ANY,) * 9, number, *(names,) * 3, *(number,) * 7, "MF<X", *(number,) * 7)
    if layout is DocumentType.TD1:
        rows = ("IAC", names, *(names,) * 3, *(ANY,) * 9, number, *(ANY,) * 15)
        return rows, (*(number,) * 7, "MFH<", *(number,) * 7, *(names,) * 3, *(ANY,) * 11, number), (names,) * 30
    if layout is DocumentType.RU_INTERNAL:
        first = (*"PNRUS", *(mrz.RUSSIAN_LATIN + "<",) * 39)
        return first, (*(DIGITS,) * 10, *"RUS", *(DIGITS,) * 7, "MF", *(number,) * 21, DIGITS, DIGITS)
    width = mrz.SHAPES[layout][1]
    ends = {DocumentType.TD3: (*(ANY,) * 14, number, number), DocumentType.TD2: (*(ANY,) * 7, number)}
    return ("PIAV", *(names,) * (width - 1)), (*second, *ends.get(layout, (ANY,) * (width - 28)))


def misread(
    rng: random.Random,
    layout: DocumentType,
    printed: Sequence[str],
    errors: int,
    *,
    hard: float,
    only_covered: bool = False,
) -> tuple[Zone, tuple[Verdict, ...]]:
    """Return `printed` as two voices may read it, with `errors` confusions weighted by how often they were seen.

    `hard`: times the usual share of rightly read characters of which a voice is in doubt (1 = as measured).
    """
    masks = place_masks(layout)
    spots = []
    for row, line in enumerate(printed):
        for at, character in enumerate(line):
            readings = {c: n for c, n in CONFUSIONS.get(character, {}).items() if c in masks[row][at]}
            if readings and ((row, at) in WEIGHTS[layout] or not only_covered):
                spots.append((row, at, readings))
    wrong: dict[tuple[int, int], str] = {}
    for row, at, readings in rng.sample(spots, min(errors, len(spots))):
        wrong[row, at] = rng.choices(list(readings), list(readings.values()))[0]
    rows, verdicts = [], []
    for row, line in enumerate(printed):
        voices = [
            _voices(rng, character, wrong.get((row, at), character), masks[row][at], hard) for at, character in enumerate(line)
        ]
        text = "".join(wrong.get((row, at), character) for at, character in enumerate(line))
        rows.append(
            row_of(
                text,
                masks[row],
                chances=tuple(v[0] for v in voices),
                seconds="".join(v[1] for v in voices),
                second_chances=tuple(v[2] for v in voices),
            )
        )
        leads = tuple(v[3] for v in voices)
        verdicts.append(Verdict(fits=(0.8,) * len(line), leads=leads, rivals="".join(v[4] for v in voices)))
    return zone_of(layout, rows), tuple(verdicts)


def _voices(rng: random.Random, true: str, read: str, mask: str, hard: float) -> tuple[float, str, float, float, str]:
    """The network's odds, its second choice with its odds, the glyph voice's lead and its rival, for one character."""

    def other(wanted: str) -> str:
        alike = [c for c in CONFUSIONS.get(read, {}) if c in mask]
        pool = alike if alike and rng.random() < 0.5 else [c for c in mask if c != read] or [read]
        return wanted if wanted != read and wanted in mask else rng.choice(pool)

    draw = rng.random() / hard
    if true != read and rng.random() < 0.5:  # half of the errors are made with doubt
        chance = rng.uniform(0.4, 0.9)
    else:  # shares of rightly read characters, measured: 1 % below 0.71, 2 % below 0.82, 3 % below 0.91, 8 % below 0.98
        bounds = ((0.01, 0.45, 0.71), (0.02, 0.71, 0.82), (0.03, 0.82, 0.91), (0.08, 0.91, 0.98), (9.0, 0.98, 1.0))
        low, high = next((low, high) for share, low, high in bounds if draw < share)
        chance = rng.uniform(low, high)
    second = other(true if rng.random() < 0.8 else read)
    second_chance = (1 - chance) * rng.uniform(0.3, 1.0)
    if true != read and rng.random() < 0.65:
        return chance, second, second_chance, rng.uniform(-0.35, 0.05), other(true)
    draw = rng.random() / hard  # leads on rightly read characters, measured: 3.5 % below -0.1, 6 % below 0
    lead = rng.uniform(-0.45, -0.1) if draw < 0.035 else rng.uniform(-0.1, 0) if draw < 0.06 else rng.uniform(0, 0.25)
    return chance, second, second_chance, lead, other(read)


REPAIRS = (
    ("read rightly", 0, False),
    ("1 character misread", 1, False),
    ("2 characters misread", 2, False),
    ("3 characters misread", 3, False),
    ("print itself wrong", 0, True),
    ("print wrong, 1 misread", 1, True),
)


def repairs(
    rng: random.Random, count: int, errors: int, *, print_wrong: bool, hard: float, only_covered: bool = False
) -> Counter[str]:
    """Return how `count` misread zones came out of `repair.mend`.

    `mended`: every change is right; `wrong`: some change is not what is printed; `wrong, valid`: and all digits hold.
    """
    result: Counter[str] = Counter()
    for k in range(count):
        layout = LAYOUTS[k % len(LAYOUTS)]
        printed = zone(rng, layout)
        if print_wrong:
            printed = damaged(rng, layout, printed, "one, outside its class") or printed
            masks = place_masks(layout)
            if any(c not in m for line, row in zip(printed, masks, strict=True) for c, m in zip(line, row, strict=True)):
                continue  # no decoder would give this text: another line of the table tells of it
        read, verdicts = misread(rng, layout, printed, errors, hard=hard, only_covered=only_covered)
        after, _ = repair.mend(read, verdicts, today=TODAY)
        result["zones"] += 1
        before = [c for text in read.texts for c in text]
        now, truth = [c for text in after.texts for c in text], [c for text in printed for c in text]
        changes = [(a, b, t) for a, b, t in zip(before, now, truth, strict=True) if a != b]
        result["unseen"] += before != truth and mrz.parse(read.texts, today=TODAY).valid
        if not changes:
            result["left alone"] += 1
        elif all(b == t for _, b, t in changes):
            result["mended"] += 1
        else:
            result["wrong"] += 1
            result["wrong, valid"] += mrz.parse(after.texts, today=TODAY).valid
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strings", type=int, default=1_000_000)
    parser.add_argument("--zones", type=int, default=10_000)
    parser.add_argument("--repairs", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--json", type=Path, help="the counts, to check the tables by")
    options = parser.parse_args()
    raw: dict[str, Any] = {"seed": options.seed}
    if options.strings:
        found = tally(random_texts(random.Random(options.seed), options.strings))
        print(
            f"random strings {found.strings:,}, exceptions {found.exceptions}, other than a second computation {found.disagree}"
        )
        print("layout       alphabet      zones   one digit holds  by chance    all hold  by chance")
        for kind in sorted(found.shaped):
            zones, count = found.shaped[kind], digits_of(kind[0])
            each = 0.1 if kind[1] == "digits" else 1 / 37
            single = 100 * found.digits[kind] / zones / count
            print(
                f"{kind[0]:12s} {kind[1]:8s} {zones:10,d}   {single:10.2f} %  {100 * each:8.2f} %"
                f"  {found.passed[kind]:8d}  {zones * each**count:9.3f}"
            )
        raw["strings"] = {
            "n": found.strings,
            "exceptions": found.exceptions,
            "disagree": found.disagree,
            "kinds": [[*k, found.shaped[k], found.digits[k], found.passed[k]] for k in sorted(found.shaped)],
        }
    if options.zones:
        table = damage_all(random.Random(options.seed + 1), options.zones)
        print(f"\ndamaged zones {options.zones:,}\ndamage                     zones   valid  arithmetic allows  disagree")
        for damage, row in table.items():
            print(f"{damage:24s} {row['zones']:7d} {row['valid']:7d}  {row['allowed'] + row['long']:17d}  {row['disagree']:8d}")
        raw["zones"] = {damage: dict(row) for damage, row in table.items()}
    if options.repairs:
        print(f"\nmisread zones, {options.repairs:,} a line; doubts as measured (x1) and four times as many (x4)")
        print(f"{'':37s}{'mended':>10s}{'alone':>10s}{'wrong':>10s}{'of them valid':>15s}{'unseen by digits':>18s}")
        raw["repairs"] = []
        for only_covered in (False, True):
            for hard in (1.0, 4.0):
                for name, errors, print_wrong in REPAIRS:
                    rng = random.Random(options.seed + 2)
                    row = repairs(rng, options.repairs, errors, print_wrong=print_wrong, hard=hard, only_covered=only_covered)
                    n = max(row["zones"], 1)
                    keys = (("mended", 8), ("left alone", 8), ("wrong", 8), ("wrong, valid", 13), ("unseen", 16))
                    title = f"{name}{', covered' if only_covered else ''}"
                    print(f"{title:33s} x{hard:.0f} " + "".join(f"{100 * row[key] / n:{width}.2f} %" for key, width in keys))
                    raw["repairs"].append({"name": title, "hard": hard, **row})
    if options.json:
        options.json.write_text(json.dumps(raw, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
