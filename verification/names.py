"""Compare a name as claimed with a name as read, across scripts, spellings and the zone's narrow alphabet.

Two spellings are equal only under a rule that has a name; nothing is ever "nearly equal". Where several rules fit, the
strictest is named. Where none holds, the agreement is how much of the letters is shared, and each stretch that differs is
named with its places in both texts. Only names are known here; dates, numbers and other texts are `comparison`'s.
Sources: ICAO Doc 9303-3 sections 4.6 and 6 (names, Latin and Cyrillic tables) and 9303-4 section 4.2.3 (truncation);
Russian orders by year: MVD 310 of 1997 with its French annex 6, MVD 782 of 2000, FMS 26 of 2010 (GOST R 52535.1),
FMS 320 of 2012 (Doc 9303).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice, pairwise, permutations, product
from typing import Final, NamedTuple

from rapidfuzz.distance import Levenshtein

from verification.evidence import Difference, Field, FieldComparison

GIVEN: Final = frozenset({Field.GIVEN_NAMES, Field.GIVEN_NAMES_NATIVE})

_MOST_SPELLINGS: Final = 1024  # of one name by one table, so that a hostile text cannot multiply without end
_MOST_PARTS: Final = 5  # of given names whose order is tried: 120 orders
_LONGEST: Final = 160  # letters of a name that are laid side by side letter by letter; longer texts are no names

# ---------------------------------------------------------------- tables

_ICAO_CYRILLIC: Final = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Ґ": "G", "Ғ": "G", "Ѓ": "G", "Д": "D", "Е": "E", "Ё": "E", "Є": "IE", "Ж": "ZH",
    "З": "Z", "Ѕ": "DZ", "И": "I", "І": "I", "Ї": "I", "Й": "I", "Ј": "J", "К": "K", "Л": "L", "Љ": "LJ", "М": "M", "Н": "N",
    "Њ": "NJ", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ў": "U", "Ф": "F", "Х": "KH", "Ц": "TS", "Ч": "CH",
    "Ш": "SH", "Щ": "SHCH", "Ъ": "IE", "Ы": "Y", "Ь": "", "Э": "E", "Ю": "IU", "Я": "IA", "Џ": "DZ", "Ќ": "K", "Ђ": "D",
    "Һ": "C", "Ћ": "C",  # the table prints Һ where Serbian has Ћ, and Ғ where Macedonian has Ѓ
}  # fmt: skip


class _Table(NamedTuple):
    """How a state departs from the ICAO table: anywhere, and at the beginning of a name; the state's alternatives."""

    anywhere: dict[str, tuple[str, ...]]
    initial: dict[str, tuple[str, ...]] = {}


_BY_STATE: Final[dict[str, _Table]] = {
    # Doc 9303-3 section 6.B, notes to the table
    "BLR": _Table({"Г": ("H",), "Ё": ("IO",)}),
    "UKR": _Table({"Г": ("H",), "И": ("Y",)}, {"Є": ("YE",), "Ї": ("YI",), "Й": ("Y",), "Ю": ("YU",), "Я": ("YA",)}),
    "SRB": _Table({"Г": ("H", "G"), "Ж": ("Z",), "Х": ("H",), "Ц": ("C",), "Ч": ("C",), "Ш": ("S",)}),
    "MKD": _Table({"Ѓ": ("GJ",), "Ғ": ("GJ",), "Х": ("H",), "Ц": ("C",), "Џ": ("DJ",), "Ќ": ("KJ",)}),
    "BGR": _Table({"Щ": ("SHT",)}),
}
_KAZAKH: Final = _Table(
    # passports' practice, no order found; a letter is written one way throughout a name
    {
        "Ә": ("A", "AE", "E"), "Ғ": ("G", "GH"), "Қ": ("K", "Q"), "Ң": ("N", "NG"), "Ө": ("O",), "Ұ": ("U",), "Ү": ("U",),
        "Һ": ("H",), "І": ("I",), "Ю": ("IU", "YU"), "Я": ("IA", "YA"), "Й": ("I", "Y"), "У": ("U", "W"),
    },
    {"Е": ("E", "YE")},
)  # fmt: skip
_KAZAKH_LATIN: Final = {  # alphabet of 2021; it has no letters for the Russian sounds Ё Ц Ч Щ Ъ Ь Э Ю Я
    "А": "A", "Ә": "Ä", "Б": "B", "В": "V", "Г": "G", "Ғ": "Ğ", "Д": "D", "Е": "E", "Ж": "J", "З": "Z", "И": "İ", "Й": "İ",
    "К": "K", "Қ": "Q", "Л": "L", "М": "M", "Н": "N", "Ң": "Ñ", "О": "O", "Ө": "Ö", "П": "P", "Р": "R", "С": "S", "Т": "T",
    "У": "U", "Ұ": "Ū", "Ү": "Ü", "Ф": "F", "Х": "H", "Һ": "H", "Ш": "Ş", "Ы": "Y", "І": "I",
}  # fmt: skip
_KAZAKH_ONLY: Final = frozenset("ӘҒҚҢӨҰҮҺ")  # І is Ukrainian and Belarusian too
_KAZAKH_AS_RUSSIAN: Final = str.maketrans("ӘӨҮҰҚҢҒІҺ", "АОУУКНГИХ")

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
_SIGNS: Final = "ЬЪ"
_APOSTROPHES: Final = "'’‘`´ʼʻ′"
_HYPHENS: Final = "-‐‑‒–—−"
_STOPS: Final = ".,"

_HOMOGLYPHS: Final = dict(zip("АВЕКМНОРСТУХЅІЈҺ", "ABEKMHOPCTYXSIJH", strict=True))  # Cyrillic -> Latin, capitals
_HOMOGLYPHS_BACK: Final = {latin: cyrillic for cyrillic, latin in _HOMOGLYPHS.items() if cyrillic != "Һ"}
_DIGITS_CYRILLIC: Final = {"3": "З", "6": "Б", "0": "О", "4": "Ч", "8": "В"}
_DIGITS_LATIN: Final = {"0": "O"}

_ABBREVIATED: Final = {"Mª": "MARÍA", "M.ª": "MARÍA", "MA.": "MARÍA", "J.": "JOSÉ"}  # given names on Spanish and Mexican papers
_ABBREVIATING: Final = frozenset({"ESP", "MEX"})

# ---------------------------------------------------------------- spellings


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One way a state wrote Cyrillic in Latin letters: its rule's name, and the Latin piece for each letter of a word."""

    name: str
    spell: Callable[[str], list[str]]


def _by(table: dict[str, str]) -> Callable[[str], list[str]]:
    return lambda word: [table.get(c, c) for c in word]


def _mvd_310(word: str) -> list[str]:
    """1997-2010: YE for Е after a soft or hard sign; the signs themselves are left out."""
    return ["YE" if c == "Е" and at and word[at - 1] in _SIGNS else _MVD_310.get(c, c) for at, c in enumerate(word)]


def _mvd_310_short(word: str) -> list[str]:
    """As people got it: -ИЙ and -ЫЙ end in a bare Y (Dmitry)."""
    pieces = _mvd_310(word)
    if word.endswith(("ИЙ", "ЫЙ")):
        pieces[-2:] = ["", "Y"]
    return pieces


def _french(word: str) -> list[str]:
    """Until about 2000, on blanks of the USSR: КС is X, ЬЕ is IE, -ИН ends in -INE."""
    pieces = [_FRENCH.get(c, c) for c in word]
    for at, pair in enumerate(map("".join, pairwise(word))):
        if pair == "КС":
            pieces[at : at + 2] = ["X", ""]
        elif pair == "ЬЕ":
            pieces[at] = "I"
    if word.endswith("ИН"):
        pieces[-1] = "NE"
    return pieces


def _mvd_782(word: str) -> list[str]:
    """Driving licences (2000): YE and YO by what stands before them."""
    pieces = []
    for at, c in enumerate(word):
        before = word[at - 1] if at else ""
        opens = not before or before in _VOWELS or before in _SIGNS
        if c == "Е":
            pieces.append("YE" if opens else "E")
        elif c == "Ё":
            pieces.append("YO" if opens else "E" if before in "ЧШЩЖ" else "YE")
        elif c == "И" and before == "Ь":
            pieces.append("YI")
        else:
            pieces.append(_MVD_310.get(c, c))
    return pieces


def _with_signs(spell: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """The same order with its apostrophe for Ь, which passports left out and other papers did not."""
    return lambda word: ["'" if c in _SIGNS else piece for c, piece in zip(word, spell(word), strict=True)]


ORDERS: Final = (
    Order(name="icao-9303", spell=_by(_ICAO_CYRILLIC)),
    Order(name="gost-2010", spell=_by(_GOST_2010)),
    Order(name="mvd-310", spell=_mvd_310),
    Order(name="mvd-782", spell=_mvd_782),
    Order(name="mvd-310-short", spell=_mvd_310_short),
    Order(name="mvd-310-french", spell=_french),
)
"""Russian orders, the one in force first."""

_APOSTROPHED: Final = (Order(name="mvd-310", spell=_with_signs(_mvd_310)), Order(name="mvd-782", spell=_with_signs(_mvd_782)))


class Spelling(NamedTuple):
    """One way to write a name in Latin letters: the rule's name and the piece for each character of the name."""

    rule: str
    pieces: tuple[str, ...]

    @property
    def text(self) -> str:
        """The name in Latin letters."""
        return "".join(self.pieces)


def transliterate(text: str, order: str = "icao-9303") -> str:
    """Return `text` in Latin capitals by the named order; Latin letters pass through. Raises KeyError on an unknown name.

    `order` is the name of one of `ORDERS`, or "state-BLR", "state-UKR", "state-SRB", "state-MKD", "state-BGR".

    >>> transliterate("Щербаков Юлия")
    'SHCHERBAKOV IULIIA'
    """
    name = _capitals(text)
    if order.startswith("state-"):
        return "".join(next(_variants(name, _BY_STATE[order.removeprefix("state-")])))
    return "".join(_spelled(name, {known.name: known.spell for known in ORDERS}[order]))


def spellings(text: str, country: str | None = None) -> tuple[Spelling, ...]:
    """Return each way a name in Cyrillic capitals may have been written in Latin ones, the present order first.

    The table of the issuing state stands right behind ICAO's; then the Russian orders; then the same with Ё for Е or И for Й,
    as papers of one person do; then Kazakh practice. Bounded: at most 1024 by one table. A Latin text is its own spelling.
    """
    return _spellings(text, country)


@lru_cache(maxsize=256)
def _spellings(text: str, country: str | None) -> tuple[Spelling, ...]:
    found: dict[str, Spelling] = {}

    def add(rule: str, pieces: Sequence[str]) -> None:
        found.setdefault("".join(pieces), Spelling(rule, tuple(pieces)))

    if script(text) == "latin":
        return (Spelling("", tuple(text)),)
    add(ORDERS[0].name, _spelled(text, ORDERS[0].spell))
    state = _BY_STATE.get(country or "")
    for pieces in _variants(text, state) if state else ():
        add("state-table", pieces)
    for order in (*ORDERS, *_APOSTROPHED):
        add(order.name, _spelled(text, order.spell))
    for variant, rule in _respelled(text):
        for order in ORDERS:
            add(f"{order.name} + {rule}", _spelled(variant, order.spell))
        for pieces in _variants(variant, state) if state else ():
            add(f"state-table + {rule}", pieces)
    if country == "KAZ" or _KAZAKH_ONLY.intersection(text):
        for pieces in _variants(text, _KAZAKH):
            add("kazakh", pieces)
    return tuple(found.values())


def _respelled(text: str) -> Iterator[tuple[str, str]]:
    """Yield the same name as another paper of the person may have it: Ё as Е and back, Й as И and back.

    No name has two Ё; Й stands after a vowel.
    """
    if "Ё" in text:
        yield text.replace("Ё", "Е"), "yo-e"
    else:
        yield from ((text[:at] + "Ё" + text[at + 1 :], "yo-e") for at, c in enumerate(text) if c == "Е")
    if "Й" in text:
        yield text.replace("Й", "И"), "short-i"
    for at in range(1, len(text)):
        if text[at] == "И" and text[at - 1] in _VOWELS:
            yield text[:at] + "Й" + text[at + 1 :], "short-i"


def _spelled(text: str, spell: Callable[[str], list[str]]) -> list[str]:
    """Spell each word by itself: a letter after a space or hyphen begins a name."""
    pieces: list[str] = []
    for word in _words(text):
        pieces.extend(spell(word))
    return pieces


def _words(text: str) -> Iterator[str]:
    """Yield words, and each space and hyphen between them by itself; joined they are `text`."""
    start = 0
    for at, c in enumerate(text):
        if c == " " or c in _HYPHENS:
            if at > start:
                yield text[start:at]
            yield c
            start = at + 1
    if start < len(text):
        yield text[start:]


def _variants(text: str, table: _Table) -> Iterator[tuple[str, ...]]:
    """Yield the spellings of `text` with each letter's alternatives, one choice per kind of letter throughout the name."""
    starts = {0, *(at + 1 for at, c in enumerate(text) if c == " " or c in _HYPHENS)}
    kinds = [(c, at in starts and c in table.initial) for at, c in enumerate(text)]
    choices = {
        kind: (table.initial if kind[1] else table.anywhere).get(kind[0]) or (_ICAO_CYRILLIC.get(kind[0], kind[0]),)
        for kind in kinds
    }
    open_kinds = sorted(kind for kind, options in choices.items() if len(options) > 1)
    for chosen in islice(product(*(choices[kind] for kind in open_kinds)), _MOST_SPELLINGS):
        own = dict(zip(open_kinds, chosen, strict=True))
        yield tuple(own.get(kind) or choices[kind][0] for kind in kinds)


@lru_cache(maxsize=256)
def latin_spellings(text: str) -> frozenset[str]:
    """Return every way Doc 9303-3 lets a Latin name's letters be written with A-Z only; at most 1024."""
    choices = [_plain_letters(c) for c in unicodedata.normalize("NFC", text)]
    return frozenset("".join(letters) for letters in islice(product(*choices), _MOST_SPELLINGS))


def _plain_letters(c: str) -> tuple[str, ...]:
    """The ways to write one Latin letter with A-Z only; a letter without a mark is itself."""
    if c in _LATIN:
        return _LATIN[c]
    return ("".join(p for p in unicodedata.normalize("NFD", c) if not unicodedata.combining(p)).upper(),)


# ---------------------------------------------------------------- comparison


def compare(claimed: str, read: str, *, field: Field, country: str | None, truncated: bool = False) -> FieldComparison:
    """Return how a claimed name agrees with the name read, and under which rule or in which letters not.

    1.0 exactly where a rule makes them equal: "exact", "case-and-space", "punctuation", "hyphen-space", "apostrophe",
    "diacritics-icao-9303", a transliteration order's name, "state-table", "kazakh", "kazakh-latin", "kazakh-russian", "yo-e",
    "short-i", "homoglyphs"; for given names also "abbreviation" and "component-order"; "mrz-truncation". Several are joined
    by " + ". Otherwise 1 - letters that differ / longer length, below 1. `differences` are the letters that no rule explains;
    beside "homoglyphs", "component-order" and "mrz-truncation" they show what the rule had to overlook.
    `country` (ICAO code) lets a state's own letter table count; `truncated`: `read` comes from a zone that may be cut.
    Never raises.
    """
    if claimed == read:
        return FieldComparison(claimed=claimed, read=read, agreement=1.0, rule="exact")
    rule = _rule(_capitals(claimed), _capitals(read), field, country, truncated)
    if rule is not None and not set(rule.split(" + ")) & SHOWN_THOUGH_EQUAL:
        return FieldComparison(claimed=claimed, read=read, agreement=1.0, rule=rule)
    agreement, differences = _side_by_side(claimed, read, country)
    if rule is not None:
        agreement = 1.0
    return FieldComparison(claimed=claimed, read=read, agreement=agreement, rule=rule, differences=differences)


SHOWN_THOUGH_EQUAL: Final = frozenset({"homoglyphs", "component-order", "mrz-truncation", "abbreviation"})
"""Rules that know both for the same name although letters differ, are missing or stand elsewhere: people should see them."""


def _rule(a: str, b: str, field: Field, country: str | None, truncated: bool) -> str | None:
    """Return the name of the rule under which both are equal, strictest first, or None."""
    if not a or not b:
        return None
    if a == b:
        return "case-and-space"
    alike = (_one_script(a), _one_script(b))
    marks = "" if alike == (a, b) else "homoglyphs"
    a, b = alike
    rule = _writing_rule(a, b, country)
    if rule is not None:
        return _joined(marks, rule)
    if field in GIVEN:
        if country in _ABBREVIATING and (_in_full(a), _in_full(b)) != (a, b):
            rule = _writing_rule(_in_full(a), _in_full(b), country)
            if rule is not None:
                return _joined(marks, "abbreviation", rule)
        for ordered in _other_orders(a, b):
            rule = _writing_rule(ordered, b, country)
            if rule is not None:
                return _joined(marks, rule, "component-order")
    if truncated:
        rule = _cut_rule(a, b, country)
        if rule is not None:
            return _joined(marks, rule, "mrz-truncation")
    return None


def _joined(*rules: str) -> str:
    return " + ".join(rule for rule in rules if rule)


_STEPS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("punctuation", lambda text: _spaced("".join(" " if c == "," else c for c in text if c != "."))),
    ("hyphen-space", lambda text: _spaced("".join(" " if c in _HYPHENS else c for c in text))),
    ("apostrophe", lambda text: "".join(c for c in text if c not in _APOSTROPHES)),
)


def _steps(a: str, b: str) -> Iterator[tuple[str, str, str]]:
    """Yield both texts as they stand, then without stops, hyphens as spaces, apostrophes dropped: fewest steps first."""
    for count in range(len(_STEPS) + 1):
        for chosen in combinations(_STEPS, count):
            x, y, needed = a, b, True
            for _, step in chosen:
                before = (x, y)
                x, y = step(x), step(y)
                needed = needed and (x, y) != before
            if needed:
                yield " + ".join(name for name, _ in chosen), x, y


def _writing_rule(a: str, b: str, country: str | None) -> str | None:
    """The rule for the same name written otherwise: marks between letters first, then the letters. "" where equal."""
    for steps, x, y in _steps(a, b):
        rule = _spelling_rule(x, y, country)
        if rule is not None:
            return _joined(steps, rule)
    return None


def _spelling_rule(a: str, b: str, country: str | None) -> str | None:
    if not a or not b:
        return None
    if a == b:
        return ""
    scripts = {script(a), script(b)}
    if scripts == {"cyrillic"}:
        return _cyrillic_rule(a, b)
    if scripts == {"latin"}:
        return "diacritics-icao-9303" if _same_but_marks(a, b) else None
    if scripts == {"latin", "cyrillic"}:
        native, latin = (a, b) if script(a) == "cyrillic" else (b, a)
        return _latin_rule(native, latin, country)
    return None


def _latin_rule(native: str, latin: str, country: str | None) -> str | None:
    plain = latin.isascii()
    for spelling in spellings(native, country):
        if spelling.text == latin:
            return spelling.rule
        if not plain and _same_but_marks(spelling.text, latin):
            return f"{spelling.rule} + diacritics-icao-9303"
    if country == "KAZ" or _KAZAKH_ONLY.intersection(native):
        own = "".join(_KAZAKH_LATIN.get(c, c) for c in native)
        if own == latin:
            return "kazakh-latin"
        if script(own) == "latin" and _same_but_marks(own, latin):
            return "kazakh-latin + diacritics-icao-9303"
    return None


def _cyrillic_rule(a: str, b: str) -> str | None:
    """Ё/Е and Й/И swap between papers of one person; Kazakh letters turn Russian. Equal by rule, never the same letter."""
    for rule, have, become in (("yo-e", "Ё", "Е"), ("short-i", "Й", "И"), ("yo-e + short-i", "ЁЙ", "ЕИ")):
        table = str.maketrans(have, become)
        if a.translate(table) == b.translate(table):
            return rule
    return "kazakh-russian" if b in _as_russian(a) or a in _as_russian(b) else None


def _as_russian(text: str) -> tuple[str, ...]:
    """A Kazakh name as Russian papers write it (nur.kz): each Kazakh letter as its Russian neighbour, ЙЫ and ЙІ as И."""
    if not (_KAZAKH_ONLY | {"І"}).intersection(text) and "ЙЫ" not in text:
        return ()
    return (text.replace("ЙЫ", "И").replace("ЙІ", "И").translate(_KAZAKH_AS_RUSSIAN),)


def _same_but_marks(a: str, b: str) -> bool:
    """Whether two Latin texts are equal when each marked letter is written in A-Z, as in a zone.

    A mark may be left out, not exchanged for another one: where letters differ, one side must be plain.
    """
    if len(a) > _LONGEST or len(b) > _LONGEST:
        return False
    reached = {(0, 0)}
    while reached:
        if (len(a), len(b)) in reached:
            return True
        onward = set()
        for i, j in reached:
            if i < len(a) and j < len(b) and a[i] == b[j]:
                onward.add((i + 1, j + 1))
            for at, x, other, y in ((i, a, j, b), (j, b, i, a)):
                for plain in _marked(x[at]) if at < len(x) else ():
                    if y.startswith(plain, other):
                        onward.add((at + 1, other + len(plain)) if x is a else (other + len(plain), at + 1))
        reached = onward
    return False


def _other_orders(a: str, b: str) -> Iterator[str]:
    """Yield `a` with its components in every other order, where both have as many; hyphenated parts stay together."""
    parts = a.split()
    if not 2 <= len(parts) <= _MOST_PARTS or len(b.split()) != len(parts):
        return
    for ordered in islice(permutations(parts), 1, None):
        yield " ".join(ordered)


def _in_full(text: str) -> str:
    """Spanish abbreviations written out."""
    return " ".join(_ABBREVIATED.get(word, word) for word in text.split())


def _cut_rule(full: str, cut: str, country: str | None) -> str | None:
    """The rule under which `cut` is the zone's shortening of one spelling of `full`; "" where it is letter by letter."""
    for steps, x, y in _steps(full, cut):
        for spelling in spellings(x, country):
            for plain in (spelling.text,) if spelling.text.isascii() else latin_spellings(spelling.text):
                if _is_cut_of(plain, y):
                    return _joined(steps, spelling.rule, "diacritics-icao-9303" if plain != spelling.text else "")
        if script(x) == script(y) == "cyrillic" and _is_cut_of(x, y):
            return steps
    return None


def _is_cut_of(full: str, cut: str) -> bool:
    """Return whether `cut` may be the zone's shortening of `full`: each component a beginning, in order, tail may miss."""
    parts, kept = full.split(), cut.split()
    if not kept or len(kept) > len(parts):
        return False
    return all(part.startswith(short) for part, short in zip(parts, kept, strict=False))


def script(text: str) -> str:
    """Return "latin", "cyrillic" or "mixed" by the letters of `text`; a text without letters is "latin"."""
    cyrillic = any(_is_cyrillic(c) for c in text)
    latin = any(c.isalpha() and not _is_cyrillic(c) for c in text)
    if cyrillic and latin:
        return "mixed"
    return "cyrillic" if cyrillic else "latin"


def _is_cyrillic(c: str) -> bool:
    return "Ѐ" <= c <= "ӿ" or "Ԁ" <= c <= "ԯ"


def _one_script(text: str) -> str:
    """Fold letters and digits that look alike in both scripts into the script most letters of their word have."""
    return "".join(_fold_word(word) for word in _words(text))


def _fold_word(word: str) -> str:
    cyrillic = sum(_is_cyrillic(c) for c in word)
    latin = sum(c.isalpha() and not _is_cyrillic(c) for c in word)
    digits = sum(c in _DIGITS_CYRILLIC for c in word)
    table: dict[str, str] = {}
    if cyrillic and latin:
        table |= _HOMOGLYPHS_BACK if cyrillic >= latin else _HOMOGLYPHS
    if digits and cyrillic + latin > digits:
        table |= _DIGITS_CYRILLIC if cyrillic >= latin else _DIGITS_LATIN
    return "".join(table.get(c, c) for c in word) if table else word


def look_alike(a: str, b: str) -> bool:
    """Whether two texts in capitals are the same but for letters of the two scripts that look alike."""
    table = str.maketrans(_HOMOGLYPHS)
    return a.translate(table) == b.translate(table)


def _capitals(text: str) -> str:
    """Upper case, composed, single spaces, fillers of the zone as spaces."""
    return "".join(cell.letter for cell in _cells(text))


def _spaced(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------- what differs


class _Cell(NamedTuple):
    """One letter to compare, and where it stands in the text as given."""

    letter: str
    start: int
    end: int
    swapped: bool = False  # a look-alike of the other script stands there


def capital(letter: str) -> str:
    """The capital of a letter, where that is another way to write the same one; else the letter itself.

    Unicode makes S of the long s, FI of a ligature and В of an old Cyrillic form: letters that no document prints, and
    that must not pass for the ones it does.
    """
    upper = letter.upper()
    return upper if upper == letter or upper.lower() == letter or letter in "ßı" else letter


def _cells(text: str) -> list[_Cell]:
    """The letters of `text` in capitals, composed, with single spaces."""
    cells: list[_Cell] = []
    for at, c in enumerate(text):
        if c.isspace() or c == "<":
            if cells and cells[-1].letter != " ":
                cells.append(_Cell(" ", at, at + 1))
            continue
        for letter in "ẞ" if c == "ß" else unicodedata.normalize("NFC", capital(c)):
            whole = unicodedata.normalize("NFC", cells[-1].letter + letter) if cells and unicodedata.combining(letter) else ""
            if len(whole) == 1:
                cells[-1] = _Cell(whole, cells[-1].start, at + 1)
            else:
                cells.append(_Cell(letter, at, at + 1))
    if cells and cells[-1].letter == " ":
        cells.pop()
    return cells


def _side_by_side(claimed: str, read: str, country: str | None) -> tuple[float, tuple[Difference, ...]]:
    """Return the share of letters in common, 0 to just below 1, and each stretch that differs, with its places.

    What a rule explains is no difference: a mark that the zone leaves out, Ё for Е, a hyphen for a space. Across scripts each
    native letter stands as the Latin piece that the nearest spelling has for it.
    """
    a, b = _folded(_cells(claimed)), _folded(_cells(read))
    texts = ["".join(cell.letter for cell in cells) for cells in (a, b)]
    if {script(text) for text in texts} == {"cyrillic", "latin"}:
        if script(texts[0]) == "cyrillic":
            a = _in_latin(a, texts[0], texts[1], country)
        else:
            b = _in_latin(b, texts[1], texts[0], country)
    pairs = _align(a, b)
    found = [_difference(claimed, read, stretch) for stretch in _stretches(a, b, pairs, len(claimed), len(read))]
    if not found and claimed != read:  # alike but for what rules explain one by one, though none explains the whole
        found = [
            _difference(claimed, read, (step.src_start, step.src_end, step.dest_start, step.dest_end))
            for step in Levenshtein.opcodes(claimed, read)
            if step.tag != "equal"
        ]
    longest = max(len(a), len(b), 1)
    wrong = sum(not pair.fine for pair in pairs)
    return (min(max(0.0, 1 - wrong / longest), 0.9999) if a and b else 0.0), tuple(dict.fromkeys(found))


def _folded(cells: list[_Cell]) -> list[_Cell]:
    letters = _one_script("".join(cell.letter for cell in cells))
    return [cell._replace(letter=letter, swapped=letter != cell.letter) for cell, letter in zip(cells, letters, strict=True)]


def _in_latin(cells: list[_Cell], native: str, latin: str, country: str | None) -> list[_Cell]:
    """The native letters in the spelling nearest to `latin`, each Latin letter at the place of the one it spells."""
    flat = "".join(_plain_letters(c)[0] for c in latin)
    best = min(spellings(native, country), key=lambda s: Levenshtein.distance(s.text, flat))
    return [cell._replace(letter=letter) for cell, piece in zip(cells, best.pieces, strict=True) for letter in piece]


class _Pair(NamedTuple):
    """Two letters side by side, by index; None where one side has none. `fine`: equal, or a rule explains them."""

    a: int | None
    b: int | None
    fine: bool


def _align(a: list[_Cell], b: list[_Cell]) -> list[_Pair]:
    """Lay two names side by side with as few differing letters as possible; what a rule explains costs nothing.

    An index is repeated where one marked letter stands against several plain ones. A look-alike of the other script is laid
    beside the letter it looks like, and is not fine.
    """
    text_a, text_b = "".join(cell.letter for cell in a), "".join(cell.letter for cell in b)
    plain = not any(c in _NOT_PLAIN or _marked(c) for c in text_a + text_b)
    pairs = _plain_pairs(text_a, text_b) if plain or max(len(a), len(b)) > _LONGEST else _pairs(text_a, text_b)
    return [
        pair._replace(fine=False)
        if pair.a is not None and pair.b is not None and (a[pair.a].swapped or b[pair.b].swapped)
        else pair
        for pair in pairs
    ]


def _pairs(a: str, b: str) -> list[_Pair]:
    """Least differing pairs by dynamic programming; a marked letter may stand against its plain ones for nothing."""
    marked_a, marked_b = [_marked(c) for c in a], [_marked(c) for c in b]
    far = len(a) + len(b) + 1
    cost = [[far] * (len(b) + 1) for _ in range(len(a) + 1)]
    step = [[(0, 0, True)] * (len(b) + 1) for _ in range(len(a) + 1)]
    cost[0][0] = 0
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            moves = []
            if i < len(a) and j < len(b):
                moves.append((1, 1, _same(a[i], b[j])))
                moves += [(1, len(plain), True) for plain in marked_a[i] if b.startswith(plain, j)]
                moves += [(len(plain), 1, True) for plain in marked_b[j] if a.startswith(plain, i)]
            if i < len(a):
                moves.append((1, 0, a[i] in _SILENT))
            if j < len(b):
                moves.append((0, 1, b[j] in _SILENT))
            for down, right, fine in moves:
                price = cost[i][j] + (not fine)
                if price < cost[i + down][j + right]:
                    cost[i + down][j + right], step[i + down][j + right] = price, (down, right, fine)
    pairs: list[_Pair] = []
    i, j = len(a), len(b)
    while i or j:
        down, right, fine = step[i][j]
        i, j = i - down, j - right
        for k in reversed(range(max(down, right))):
            at_a, at_b = (i + min(k, down - 1) if down else None), (j + min(k, right - 1) if right else None)
            pairs.append(_Pair(at_a, at_b, fine))
    return pairs[::-1]


def _plain_pairs(a: str, b: str) -> list[_Pair]:
    """The same where no letter has a rule to explain it: quick, and for texts of any length."""
    pairs: list[_Pair] = []
    for step in Levenshtein.opcodes(a, b):
        down, right = step.src_end - step.src_start, step.dest_end - step.dest_start
        for k in range(max(down, right)):
            at_a, at_b = (step.src_start + k if k < down else None), (step.dest_start + k if k < right else None)
            pairs.append(_Pair(at_a, at_b, step.tag == "equal"))
    return pairs


_SILENT: Final = frozenset(_APOSTROPHES + _STOPS)
_ALIKE: Final = ({"Ё", "Е"}, {"Й", "И"})
_NOT_PLAIN: Final = _SILENT | frozenset("ЁЙ" + _HYPHENS)


def _same(a: str, b: str) -> bool:
    return a == b or {a, b} in _ALIKE or (a in _HYPHENS + " " and b in _HYPHENS + " ")


def _marked(letter: str) -> tuple[str, ...]:
    """The plain ways to write a letter that has a mark; nothing for a plain one."""
    if letter.isascii() or _is_cyrillic(letter):
        return ()
    return tuple(plain for plain in _plain_letters(letter) if plain and plain.isascii())


def _stretches(
    a: list[_Cell], b: list[_Cell], pairs: list[_Pair], length_a: int, length_b: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield start and end in the claimed and in the read text of each run of pairs that are not fine."""
    run_a: list[int] = []
    run_b: list[int] = []
    next_a = next_b = 0
    for pair in (*pairs, _Pair(None, None, True)):
        if pair.fine and (run_a or run_b):
            yield (*_place(a, run_a, next_a, length_a), *_place(b, run_b, next_b, length_b))
            run_a, run_b = [], []
        if pair.a is not None:
            next_a = pair.a + 1
            run_a += [] if pair.fine else [pair.a]
        if pair.b is not None:
            next_b = pair.b + 1
            run_b += [] if pair.fine else [pair.b]


def _place(cells: list[_Cell], within: list[int], following: int, length: int) -> tuple[int, int]:
    """Start and end in the text of these letters; of none, the place before the letter that follows."""
    if within:
        return cells[within[0]].start, cells[within[-1]].end
    at = cells[following].start if following < len(cells) else length
    return at, at


def _difference(claimed: str, read: str, stretch: tuple[int, int, int, int]) -> Difference:
    start_a, end_a, start_b, end_b = stretch
    return Difference(claimed=claimed[start_a:end_a], read=read[start_b:end_b], claimed_at=start_a, read_at=start_b)
