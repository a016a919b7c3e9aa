"""Compare a name as claimed with a name as read, across scripts, spellings and the zone's narrow alphabet.

Two spellings are equal only under a rule that has a name; nothing is ever "nearly equal". Where no rule
holds, the agreement is how much of the letters is shared, and each stretch that differs is named.
Sources: ICAO Doc 9303-3 section 6 (Latin and Cyrillic tables); Russian orders by year: MVD 310 of 1997 with its
French annex 6, MVD 782 of 2000, FMS 26 of 2010 (GOST R 52535.1), FMS 320 of 2012 (Doc 9303).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Final

from rapidfuzz.distance import Levenshtein

from verification.evidence import DATES, Difference, Field, FieldComparison

NAMES: Final = frozenset(
    {
        Field.SURNAME,
        Field.GIVEN_NAMES,
        Field.PATRONYMIC,
        Field.SURNAME_NATIVE,
        Field.GIVEN_NAMES_NATIVE,
        Field.PLACE_OF_BIRTH,
        Field.ISSUER,
    }
)
_NUMBERS: Final = frozenset({Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER, Field.ISSUER_CODE})

_MOST_SPELLINGS: Final = 4096  # of one name, so that a hostile text cannot multiply without end

# ---------------------------------------------------------------- tables

_ICAO_CYRILLIC: Final = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Ґ": "G", "Ғ": "G", "Д": "D", "Е": "E", "Ё": "E", "Є": "IE", "Ж": "ZH", "З": "Z",
    "Ѕ": "DZ", "И": "I", "І": "I", "Ї": "I", "Й": "I", "Ј": "J", "К": "K", "Л": "L", "Љ": "LJ", "М": "M", "Н": "N", "Њ": "NJ",
    "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ў": "U", "Ф": "F", "Х": "KH", "Ц": "TS", "Ч": "CH", "Ш": "SH",
    "Щ": "SHCH", "Ъ": "IE", "Ы": "Y", "Ь": "", "Э": "E", "Ю": "IU", "Я": "IA", "Џ": "DZ", "Ќ": "K", "Ђ": "D", "Һ": "C",
}  # fmt: skip
_KAZAKH: Final = {
    "Ә": ("A", "AE", "E"), "Ғ": ("G", "GH"), "Қ": ("K", "Q"), "Ң": ("N", "NG"), "Ө": ("O",), "Ұ": ("U",), "Ү": ("U",),
    "Һ": ("H", "C"),
    "І": ("I",), "Е": ("E", "YE"), "Ю": ("YU", "IU"), "Я": ("YA", "IA"), "Й": ("Y", "I"), "У": ("U", "W"), "Ё": ("E", "YO", "IO"),
    "Ъ": ("", "IE"), "Ц": ("TS", "C"), "Щ": ("SHCH",), "Х": ("KH", "H"), "Ж": ("ZH", "J"),
}  # fmt: skip
_BY_STATE: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    # Doc 9303-3 section 6.B, footnotes: letters that a state writes otherwise
    "BLR": {"Г": ("H",), "Ё": ("IO",)},
    "UKR": {"Г": ("H",), "И": ("Y",), "Є": ("IE", "YE"), "Ї": ("I", "YI"), "Й": ("I", "Y"), "Ю": ("IU", "YU"), "Я": ("IA", "YA")},
    "SRB": {"Г": ("H", "G"), "Ж": ("Z",), "Х": ("H",), "Ц": ("C",), "Ч": ("C",), "Ш": ("S",)},
    "MKD": {"Х": ("H",), "Ц": ("C",), "Џ": ("DJ",), "Ќ": ("KJ",)},
    "BGR": {"Щ": ("SHT",)},
}
_LATIN: Final[dict[str, tuple[str, ...]]] = {
    # Doc 9303-3 section 6.A; what is not here loses its mark. A state may also simply drop the mark.
    "Ä": ("AE", "A"), "Å": ("AA", "A"), "Æ": ("AE",), "Ñ": ("N", "NXX"), "Ø": ("OE", "O"), "Ö": ("OE", "O"), "Œ": ("OE",),
    "Ü": ("UE", "UXX", "U"), "Þ": ("TH",), "Ð": ("D",), "Đ": ("D",), "ẞ": ("SS",), "ß": ("SS",), "Ĳ": ("IJ",), "Ł": ("L",),
    "Ŋ": ("N",), "Ħ": ("H",), "ı": ("I",), "İ": ("I",), "Ə": ("A", "E"), "Ŧ": ("T",),
}  # fmt: skip

_GOST_2010: Final = {**_ICAO_CYRILLIC, "Ц": "TC", "Ъ": ""}
_MVD_310: Final = {**_ICAO_CYRILLIC, "Й": "Y", "Ъ": "", "Ю": "YU", "Я": "YA"}
_FRENCH: Final = {
    **_ICAO_CYRILLIC, "Ж": "J", "У": "OU", "Ч": "TCH", "Ш": "CH", "Щ": "CHTCH", "Ъ": "", "Ю": "IOU", "Я": "IA",
}  # fmt: skip

_VOWELS: Final = "АЕЁИОУЫЭЮЯ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One way a state wrote Cyrillic in Latin letters: its rule's name and how it spells a word."""

    name: str
    spell: Callable[[str], str]


def _plain(table: dict[str, str], word: str) -> str:
    return "".join(table.get(c, c) for c in word)


def _icao(word: str) -> str:
    return _plain(_ICAO_CYRILLIC, word)


def _gost_2010(word: str) -> str:
    return _plain(_GOST_2010, word)


def _mvd_310(word: str) -> str:
    """1997-2010: YE for Е after a soft or hard sign; the signs themselves are left out."""
    return "".join("YE" if c == "Е" and at and word[at - 1] in "ЬЪ" else _MVD_310.get(c, c) for at, c in enumerate(word))


def _mvd_310_short(word: str) -> str:
    """As people got it: -ИЙ and -ЫЙ end in a bare Y (Dmitry)."""
    for ending in ("ИЙ", "ЫЙ"):
        if word.endswith(ending):
            return _mvd_310(word[: -len(ending)]) + "Y"
    return _mvd_310(word)


def _french(word: str) -> str:
    """Until about 2000, on blanks of the USSR: КС is X, ЬЕ is IE, -ИН ends in -INE."""
    spelled = _plain(_FRENCH, word.replace("КС", "X").replace("ЬЕ", "IE"))
    return spelled + "E" if word.endswith("ИН") else spelled


def _mvd_782(word: str) -> str:
    """Driving licences (2000): YE and YO by what stands before them."""
    letters = []
    for at, c in enumerate(word):
        before = word[at - 1] if at else ""
        opens = not before or before in _VOWELS or before in "ЬЪ"
        if c == "Е":
            letters.append("YE" if opens else "E")
        elif c == "Ё":
            letters.append("YO" if opens else "E" if before in "ЧШЩЖ" else "YE")
        elif c == "И" and before == "Ь":
            letters.append("YI")
        else:
            letters.append(_MVD_310.get(c, c))
    return "".join(letters)


ORDERS: Final = (
    Order(name="icao-9303", spell=_icao),
    Order(name="gost-2010", spell=_gost_2010),
    Order(name="mvd-310", spell=_mvd_310),
    Order(name="mvd-310-short", spell=_mvd_310_short),
    Order(name="mvd-782", spell=_mvd_782),
    Order(name="mvd-310-french", spell=_french),
)
"""Russian orders, the one in force first."""

_HOMOGLYPHS: Final = dict(zip("АВЕКМНОРСТУХЅІЈҺ", "ABEKMHOPCTYXSIJH", strict=True))  # Cyrillic -> Latin, capitals
_HOMOGLYPHS_BACK: Final = {latin: cyrillic for cyrillic, latin in _HOMOGLYPHS.items() if cyrillic not in "ЅІЈҺ"}
_APOSTROPHES: Final = "'’‘`´ʼʻ′"
_HYPHENS: Final = "-‐‑‒–—−"


def transliterate(text: str, order: str = "icao-9303") -> str:
    """Return `text` in Latin capitals by the named order; Latin letters pass through. Raises KeyError on an unknown name.

    >>> transliterate("Щербаков Юлия")
    'SHCHERBAKOV IULIIA'
    """
    spell = {known.name: known.spell for known in ORDERS}[order]
    return " ".join(spell(word) for word in text.upper().split())


# ---------------------------------------------------------------- comparison


def compare(claimed: str, read: str, *, field: Field, country: str | None, truncated: bool = False) -> FieldComparison:
    """Return how a claimed value agrees with the value read, and under which rule or in which letters not.

    1.0 only where a rule makes them equal: "exact", "case-and-space", "hyphen-space", "apostrophe",
    "diacritics-icao-9303", a transliteration order's name, "kazakh", "state-table", "yo-e", "short-i", "homoglyphs",
    "mrz-truncation"; several rules are joined by " + ". Otherwise 1 - Levenshtein distance / longer length, below 1.
    `country` (ICAO code) lets a state's own letter table count; `truncated`: `read` comes from a zone that may be cut.
    """
    if claimed == read:
        return FieldComparison(claimed=claimed, read=read, agreement=1.0, rule="exact")
    rule = _rule(claimed, read, field, country, truncated)
    differences = _differences(claimed, read, country)
    if rule is not None:
        seen = differences if "homoglyphs" in rule else ()
        return FieldComparison(claimed=claimed, read=read, agreement=1.0, rule=rule, differences=seen)
    return FieldComparison(claimed=claimed, read=read, agreement=_agreement(claimed, read, country), differences=differences)


def _rule(claimed: str, read: str, field: Field, country: str | None, truncated: bool) -> str | None:
    """Return the name of the rule under which both are equal, mildest first, or None."""
    if not claimed.strip() or not read.strip():
        return None
    if field in DATES or field is Field.SEX:
        return None
    a, b = _spaced(claimed), _spaced(read)
    if a == b:
        return "case-and-space"
    if field in _NUMBERS:
        squeezed = [re.sub(r"[\s\-]", "", text) for text in (a, b)]
        if squeezed[0] == squeezed[1]:
            return "case-and-space"
        return "homoglyphs" if _latin_shapes(squeezed[0]) == _latin_shapes(squeezed[1]) else None
    if field not in NAMES:
        return "homoglyphs" if _one_script(a) == _one_script(b) else None
    return _name_rule(a, b, country, truncated)


def _name_rule(a: str, b: str, country: str | None, truncated: bool) -> str | None:
    marks = ""
    folded_a, folded_b = _one_script(a), _one_script(b)
    if (folded_a, folded_b) != (a, b):
        marks, a, b = "homoglyphs", folded_a, folded_b
        if a == b:
            return marks
    for steps, x, y in _punctuation(a, b):
        rule = _spelling_rule(x, y, country)
        if rule is not None:
            return _joined(marks, steps, rule)
    if truncated:
        for steps, x, y in islice(_punctuation(a, b), 4):
            for spelling_rule, spelling in spellings(x, country):
                if _is_cut_of(spelling, y):
                    return _joined(marks, steps, spelling_rule, "mrz-truncation")
    return None


def _joined(*rules: str) -> str:
    return " + ".join(rule for rule in rules if rule) or "case-and-space"


def _punctuation(a: str, b: str) -> Iterator[tuple[str, str, str]]:
    """Yield both texts as they stand, then with hyphens as spaces, apostrophes dropped, both."""
    yield "", a, b
    hyphen = (_spaced(_no_hyphen(a)), _spaced(_no_hyphen(b)))
    apostrophe = (_no_apostrophe(a), _no_apostrophe(b))
    if hyphen != (a, b):
        yield "hyphen-space", *hyphen
    if apostrophe != (a, b):
        yield "apostrophe", *apostrophe
    both = (_no_apostrophe(hyphen[0]), _no_apostrophe(hyphen[1]))
    if both not in ((a, b), hyphen, apostrophe):
        yield "hyphen-space + apostrophe", *both


def _spelling_rule(a: str, b: str, country: str | None) -> str | None:
    if a == b:
        return ""
    script_a, script_b = script(a), script(b)
    if script_a == script_b == "cyrillic":
        return _cyrillic_rule(a, b)
    if script_a == script_b == "latin":
        return "diacritics-icao-9303" if _share(latin_spellings(a), latin_spellings(b)) else None
    if {script_a, script_b} == {"latin", "cyrillic"}:
        native, latin = (a, b) if script_a == "cyrillic" else (b, a)
        wanted = latin_spellings(latin)
        for rule, spelling in spellings(native, country):
            if spelling in wanted:
                return rule
    return None


def _cyrillic_rule(a: str, b: str) -> str | None:
    """Ё/Е and Й/И swap between papers of one person; Kazakh letters turn Russian. Equal by rule, never the same letter."""
    for rule, have, become in (("yo-e", "Ё", "Е"), ("short-i", "Й", "И"), ("yo-e + short-i", "ЁЙ", "ЕИ")):
        table = str.maketrans(have, become)
        if a.translate(table) == b.translate(table):
            return rule
    russian_a, russian_b = _kazakh_as_russian(a), _kazakh_as_russian(b)
    return "kazakh-russian" if russian_a == russian_b else None


def _kazakh_as_russian(text: str) -> str:
    """Ә О Қ Ң … as Russian papers write them (nur.kz); Ё as Е beside them is not part of this rule."""
    return text.replace("ЙЫ", "Й").replace("ЙІ", "Й").translate(str.maketrans("ӘӨҮҰҚҢҒІҺ", "АОУУКНГИХ"))


def spellings(text: str, country: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return (rule, Latin spelling) for each way a name may have been written, the present order first.

    A Latin text gives its diacritics' spellings; a Cyrillic one every Russian order, Kazakh practice and, where
    `country` has one, its own table. Bounded: at most 4096 of each kind.
    """
    return _spellings(text, country)


@lru_cache(maxsize=256)
def _spellings(text: str, country: str | None) -> tuple[tuple[str, str], ...]:
    if script(text) == "latin":
        return tuple(("diacritics-icao-9303" if spelling != text else "", spelling) for spelling in latin_spellings(text))
    found: dict[str, str] = {}
    for order in ORDERS:
        found.setdefault(" ".join(order.spell(word) for word in text.split()), order.name)
    for variant, rule in ((text.replace("Ё", "Е"), "yo-e"), (text.replace("Й", "И"), "short-i")):
        if variant != text:
            for order in ORDERS:
                found.setdefault(" ".join(order.spell(w) for w in variant.split()), f"{order.name} + {rule}")
    if country in _BY_STATE:
        for spelling in _variants(text, _BY_STATE[country]):
            found.setdefault(spelling, "state-table")
    if country in ("KAZ", None) or any(c in "ӘҒҚҢӨҰҮҺІ" for c in text):
        for spelling in _variants(text, _KAZAKH):
            found.setdefault(spelling, "kazakh")
    return tuple((rule, spelling) for spelling, rule in found.items())


def _variants(text: str, table: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield the spellings of `text` with each letter's alternatives, one choice per letter kind throughout the name."""
    kinds = sorted({c for c in text if c in table})
    for chosen in islice(product(*(table[c] for c in kinds)), _MOST_SPELLINGS):
        own = dict(zip(kinds, chosen, strict=True))
        yield "".join(own.get(c, _ICAO_CYRILLIC.get(c, c)) for c in text)


@lru_cache(maxsize=256)
def latin_spellings(text: str) -> frozenset[str]:
    """Return every way Doc 9303-3 lets a Latin name's letters be written with A-Z only."""
    choices = []
    for c in unicodedata.normalize("NFC", text):
        if c in _LATIN:
            choices.append(_LATIN[c])
        else:
            bare = "".join(p for p in unicodedata.normalize("NFD", c) if not unicodedata.combining(p))
            choices.append((bare.upper(),))
    return frozenset("".join(letters) for letters in islice(product(*choices), _MOST_SPELLINGS))


def _share(a: frozenset[str], b: frozenset[str]) -> bool:
    return not a.isdisjoint(b)


def _is_cut_of(full: str, cut: str) -> bool:
    """Return whether `cut` may be the zone's shortening of `full`: each component a beginning, in order, tail may miss."""
    parts, kept = full.split(), cut.split()
    if not kept or len(kept) > len(parts):
        return False
    return all(part.startswith(short) for part, short in zip(parts, kept, strict=False))


def script(text: str) -> str:
    """Return "latin", "cyrillic" or "mixed" by the letters of `text`; a text without letters is "latin"."""
    cyrillic = sum(_is_cyrillic(c) for c in text)
    latin = sum(c.isalpha() and not _is_cyrillic(c) for c in text)
    if cyrillic and latin:
        return "mixed"
    return "cyrillic" if cyrillic else "latin"


def _is_cyrillic(c: str) -> bool:
    return "Ѐ" <= c <= "ӿ" or "Ԁ" <= c <= "ԯ"


def _one_script(text: str) -> str:
    """Fold letters that look alike in both scripts into the script most letters of their word have."""
    return " ".join(_fold_word(word) for word in text.split(" "))


def _fold_word(word: str) -> str:
    cyrillic = sum(_is_cyrillic(c) for c in word)
    latin = sum(c.isalpha() and not _is_cyrillic(c) for c in word)
    if not cyrillic or not latin:
        return word
    table = _HOMOGLYPHS_BACK if cyrillic >= latin else _HOMOGLYPHS
    return "".join(table.get(c, c) for c in word)


def _latin_shapes(text: str) -> str:
    return "".join(_HOMOGLYPHS.get(c, c) for c in text)


def _spaced(text: str) -> str:
    """Upper case, composed, single spaces, fillers of the zone as spaces."""
    upper = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).replace("ß", "ẞ").upper())
    return " ".join(upper.replace("<", " ").split())


def _no_hyphen(text: str) -> str:
    return "".join(" " if c in _HYPHENS else c for c in text)


def _no_apostrophe(text: str) -> str:
    return "".join(c for c in text if c not in _APOSTROPHES)


# ---------------------------------------------------------------- what differs


def _agreement(claimed: str, read: str, country: str | None) -> float:
    """Return the share of letters in common, 0 to just below 1, by the spelling that comes nearest."""
    a, b = _spaced(claimed), _spaced(read)
    longest = max(len(a), len(b))
    if longest == 0:
        return 0.0
    if {script(a), script(b)} == {"cyrillic", "latin"}:
        a, b = _nearest(a, b, country)
        longest = max(len(a), len(b), 1)
    return min(1 - Levenshtein.distance(a, b) / longest, 0.9999)


def _nearest(a: str, b: str, country: str | None) -> tuple[str, str]:
    """Return both in Latin letters, the native one by the order that brings it nearest to the other."""
    native_first = script(a) != "latin"
    native, latin = (a, b) if native_first else (b, a)
    best = min((spelling for _, spelling in spellings(native, country)), key=lambda s: Levenshtein.distance(s, latin))
    return (best, latin) if native_first else (latin, best)


def _differences(claimed: str, read: str, country: str | None) -> tuple[Difference, ...]:
    """Name each stretch that differs, with positions in both original texts.

    Across scripts the native text is spelled letter by letter in the nearest order, so that positions lead back to it.
    """
    a, places_a = _letters(claimed)
    b, places_b = _letters(read)
    if {script(a), script(b)} == {"cyrillic", "latin"}:
        near_a, near_b = _nearest(a, b, country)
        if script(a) != "latin":
            places_a = _spread(a, places_a, near_a)
            a = near_a
        if script(b) != "latin":
            places_b = _spread(b, places_b, near_b)
            b = near_b
    found = []
    for step in Levenshtein.opcodes(a, b):
        if step.tag == "equal":
            continue
        start_a, end_a = _span(places_a, step.src_start, step.src_end, len(claimed))
        start_b, end_b = _span(places_b, step.dest_start, step.dest_end, len(read))
        found.append(Difference(claimed=claimed[start_a:end_a], read=read[start_b:end_b], claimed_at=start_a, read_at=start_b))
    if not found and claimed != read:  # equal after folding: the letters' scripts or marks differ
        for raw in Levenshtein.opcodes(claimed, read):
            if raw.tag != "equal":
                found.append(
                    Difference(
                        claimed=claimed[raw.src_start : raw.src_end],
                        read=read[raw.dest_start : raw.dest_end],
                        claimed_at=raw.src_start,
                        read_at=raw.dest_start,
                    )
                )
    return tuple(dict.fromkeys(found))


def _letters(text: str) -> tuple[str, list[int]]:
    """Return the text in capitals with single spaces, and for each of its characters the place in `text`."""
    letters: list[str] = []
    places: list[int] = []
    for at, c in enumerate(text):
        if c.isspace() or c == "<":
            if letters and letters[-1] != " ":
                letters.append(" ")
                places.append(at)
            continue
        for upper in c.upper():
            letters.append(upper)
            places.append(at)
    if letters and letters[-1] == " ":
        letters.pop()
        places.pop()
    return "".join(letters), places


def _spread(native: str, places: list[int], latin: str) -> list[int]:
    """Return for each letter of `latin` the place of the native letter it most likely spells, by aligning letter tables."""
    marked = [(piece, places[at]) for at, c in enumerate(native) for piece in _ICAO_CYRILLIC.get(c, c)]
    plain = "".join(piece for piece, _ in marked)
    result = []
    for step in Levenshtein.opcodes(latin, plain):
        for offset in range(step.src_end - step.src_start):
            at = min(step.dest_start + min(offset, max(step.dest_end - step.dest_start - 1, 0)), len(marked) - 1)
            result.append(marked[at][1] if marked else 0)
    return result


def _span(places: list[int], start: int, end: int, length: int) -> tuple[int, int]:
    if start >= end:
        at = places[start] if start < len(places) else length
        return at, at
    return places[start], places[end - 1] + 1
