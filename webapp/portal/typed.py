"""How typed text becomes a value: names, numbers, dates. Pure: no request, no database, no clock.

What a keyboard or a clipboard does to a text is mended and told, never silently; what cannot be mended is asked about.
Sentences come in the reader's language (flask-babel) and never quote more than a letter of what was typed.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any

from babel.dates import get_month_names
from flask_babel import gettext as _

from verification import names

LONGEST_NAME = 100
"""Letters of one name; the longest in the facts' sources has 61 (a zone holds 39)."""


class Script(StrEnum):
    """The script a field is printed in."""

    LATIN = "LATIN"
    CYRILLIC = "CYRILLIC"


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What was made of one text. `value` is "" while there is a problem."""

    shown: str  # what goes back into the input
    value: str = ""  # as a claim holds it
    problem: str | None = None  # it cannot be taken
    look: str | None = None  # letters were replaced: she looks at them and sends again
    told: str | None = None  # tidied without any change of letters: said, not asked


# --- Any text

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘‛ʼʻʹ′`´＇", "'"))
_HYPHENS = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-"))


def tidy(text: str) -> str:
    """Return `text` in Unicode's composed form, without control, direction and zero-width marks, with single spaces."""
    text = unicodedata.normalize("NFC", text)
    kept = (
        " " if c in "\t\n\r" or unicodedata.category(c).startswith("Z") else c
        for c in text
        if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") or c in "\t\n\r"
    )
    return " ".join("".join(kept).split())


# --- Names

_MARKS = " -'.·"  # · as in Catalan Estel·la
_ORDINALS = "ªº"  # Mª for María: letters by Unicode, of no script

_ALIKE: dict[Script, tuple[str, str]] = {
    # The other script's letter, and the same-looking one of this script; capitals agree with verification.names (a test).
    Script.CYRILLIC: ("ABEKMHOPCTYXaeopcyxËë", "АВЕКМНОРСТУХаеорсухЁё"),
    Script.LATIN: ("АВЕКМНОРСТУХІЅЈаеорсухіѕјһЁё", "ABEKMHOPCTYXISJaeopcyxisjhËë"),
}
_ALIKE_KAZAKH = ("IihƏə", "ІіһӘә")  # letters of Kazakh names only: in a Russian one a Latin I may stand for anything


def alike(script: Script, country: str | None) -> tuple[str, str]:
    """Letters of the other script, and those of `script` that look the same, place by place: for the server and the page."""
    theirs, ours = _ALIKE[script]
    if script is Script.CYRILLIC and country == "KAZ":
        return theirs + _ALIKE_KAZAKH[0], ours + _ALIKE_KAZAKH[1]
    return theirs, ours


def script_of(letter: str) -> Script | None:
    """Return the script of one letter, None for any other than the two we print."""
    name = unicodedata.name(letter, "")
    return next((s for s in Script if name.startswith(s.value)), None)


def replaced_sentence(script: Script) -> str:
    """What is said of look-alikes that were replaced; `%(number)s` is still to be filled in."""
    if script is Script.CYRILLIC:
        return _("Latin letters replaced by Cyrillic ones that look the same: %(number)s. Is the name right now?")
    return _("Cyrillic letters replaced by Latin ones that look the same: %(number)s. Is the name right now?")


def suggested_sentence() -> str:
    """What is said of a name that we wrote in Latin letters ourselves."""
    return _("Suggested by today’s spelling rule. Compare it with your passport, letter by letter.")


def read_name(text: str, script: Script, country: str | None) -> Typed:
    """Read a name of one or many words. Letters of one script; hyphens, apostrophes, full stops and spaces between them.

    An apostrophe may open a name ('t Hooft), a full stop may end one (Ma.). Kept as typed otherwise: capitals are no
    difference. `country` is the issuing state: it decides which letters may have been meant.
    """
    clean = tidy(text)
    name = re.sub(r" ?- ?", "-", clean.translate(_APOSTROPHES).translate(_HYPHENS))
    told = (
        _("Extra spaces, hidden characters or unusual signs were tidied.")
        if name != unicodedata.normalize("NFC", text).strip(" ")
        else None
    )

    def wrong(sentence: str) -> Typed:
        return Typed(shown=clean, problem=sentence)

    if len(name) > LONGEST_NAME:
        return wrong(_("This name is longer than %(number)s letters", number=LONGEST_NAME))
    letters = [c for c in name if c.isalpha()]
    strange = next((c for c in name if not (c.isalpha() or unicodedata.category(c).startswith("M") or c in _MARKS)), None)
    if strange is not None:
        return wrong(_("A name has letters, hyphens and apostrophes only; “%(letter)s” is something else", letter=strange))
    if not letters:
        return wrong(_("Type at least one letter"))
    if name[0] in "-." or name[-1] == "-":
        return wrong(
            _("A name begins and ends with a letter, not with “%(mark)s”", mark=name[0] if name[0] in "-." else name[-1])
        )
    if re.search(r"--|''|\.\.|··", name):
        return wrong(_("Two hyphens, apostrophes or full stops stand side by side: leave one"))
    foreign = [c for c in letters if script_of(c) is not script and not (script is Script.LATIN and c in _ORDINALS)]
    if not foreign:
        return Typed(shown=name, value=name, told=told)
    if len(foreign) == len(letters):
        return _other_script(clean, name, script, country)
    theirs, ours = alike(script, country)
    if all(c in theirs for c in foreign):
        fixed = "".join(ours[theirs.index(c)] if c in theirs else c for c in name)
        return Typed(shown=fixed, value=fixed, look=replaced_sentence(script) % {"number": len(foreign)})
    at, letter = next((i, c) for i, c in enumerate(name, 1) if c in foreign and c not in theirs)
    if script is Script.LATIN:
        return wrong(
            _(
                "Letter %(number)s, “%(letter)s”, is not a Latin letter: which one does the passport print?",
                number=at,
                letter=letter,
            )
        )
    return wrong(
        _(
            "Letter %(number)s, “%(letter)s”, is not a Cyrillic letter: which one does the passport print?",
            number=at,
            letter=letter,
        )
    )


def _other_script(clean: str, name: str, script: Script, country: str | None) -> Typed:
    """A name wholly in other letters: Cyrillic has a Latin spelling to suggest, Latin has no sure way back."""
    if script is Script.CYRILLIC:
        return Typed(shown=clean, problem=_("Type this name in Cyrillic letters, as the passport prints it"))
    suggested = spellings(name, country)
    if not suggested:
        return Typed(shown=clean, problem=_("Type this name in Latin letters, as the passport prints it"))
    return Typed(shown=suggested[0], value=suggested[0], look=suggested_sentence())


SPELLINGS = 5
"""How many ways to spell a name are offered: one for each Russian order that differs; more would be a riddle."""


def spellings(name: str, country: str | None) -> tuple[str, ...]:
    """Return how a passport of `country` may spell a Cyrillic name in Latin letters, today's rule first; () for none.

    All rules are those of verification.names: whatever is offered here, the machine later understands. In capitals where
    `name` is, else with capital initials.
    """
    name = tidy(name)[:LONGEST_NAME].translate(_APOSTROPHES).translate(_HYPHENS)
    if not any(script_of(c) is Script.CYRILLIC for c in name):
        return ()
    found: list[str] = []
    for rule, pieces in names.spellings(name.upper(), country):
        text = "".join(pieces)
        signs = "'" in text and "'" not in name  # the apostrophe for Ь of 1997, which passports left out
        if " + " in rule or signs or names.script(text) != "latin" or text in found:
            continue
        found.append(text)
    return tuple(text if name.isupper() else text.title() for text in found[:SPELLINGS])


def same_name(native: str, latin: str, country: str | None) -> bool:
    """Whether a Latin spelling can be that of a Cyrillic name under any rule that verification.names knows."""
    return names.compare(latin, native, field=names.Field.SURNAME, country=country).rule is not None


# --- Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a number looks: its form, how people group it, and what to say of one that does not fit."""

    pattern: re.Pattern[str]
    expected: Any  # sentence, translated lazily
    lengths: tuple[int, ...] = ()  # how many characters it may have
    example: str = ""
    groups: tuple[int, ...] = ()  # sizes of the groups it is shown in; () in one piece
    digits: bool = False  # a numeric keyboard will do
    fits: Callable[[str], bool] | None = None  # its check digit or letter
    others: tuple[tuple[re.Pattern[str], Any], ...] = ()  # numbers often typed in its place, and what to say then


def grouped(value: str, groups: tuple[int, ...]) -> str:
    """Return a number in groups, as its paper prints it; what is left over stands with the last group.

    >>> grouped("4510123456", (2, 2, 6))
    '45 10 123456'
    """
    parts, at = [], 0
    for size in groups[:-1]:
        parts.append(value[at : at + size])
        at += size
    return " ".join(part for part in (*parts, value[at:]) if part)


_NUMBER_ALIKE = str.maketrans("АВЕКМНОРСТУХІЅЈ", "ABEKMHOPCTYXISJ")


def read_number(text: str, shape: Shape) -> Typed:
    """Read a number in any spacing. Kept without spaces and signs; Cyrillic letters become the Latin ones that look the same."""
    clean = tidy(text)
    bare = re.sub(r"[\s№#./_-]", "", clean.translate(_HYPHENS)).upper()
    value = bare.translate(_NUMBER_ALIKE)
    if shape.pattern.fullmatch(value):
        told = _("Cyrillic letters of the number were replaced by Latin ones that look the same.") if value != bare else None
        return Typed(shown=grouped(value, shape.groups), value=value, told=told)
    for pattern, sentence in shape.others:
        if pattern.fullmatch(value):
            return Typed(shown=clean, problem=str(sentence))
    strange = next((c for c in value if not (c.isascii() and c.isalnum())), None)
    if strange is not None:
        seen = _("“%(letter)s” does not belong there.", letter=strange)
    elif len(value) in shape.lengths:
        seen = _("The number of characters is right, but a letter stands for a digit, or a digit for a letter.")
    else:
        seen = _("Typed so far: %(number)s.", number=len(value))
    return Typed(shown=clean, problem=f"{shape.expected} {seen}")


def dni_fits(number: str) -> bool:
    """Whether the letter of a Spanish DNI or NIE belongs to its digits (python-stdnum)."""
    from stdnum.es import dni, nie

    return bool(nie.is_valid(number) if number[0] in "XYZ" else dni.is_valid(number))


def iin_fits(number: str) -> bool:
    """Whether the last digit of a Kazakh IIN belongs to the others: weights 1-11, mod 11; at 10 weights 3-11, 1, 2.

    The same rule as verification.documents.national, which the web process must not load (tests hold them together).
    """
    digits = [int(c) for c in number]
    for weights in ((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)):
        rest = sum(d * w for d, w in zip(digits, weights, strict=False)) % 11
        if rest < 10:
            return rest == digits[11]
    return False


def curp_fits(number: str) -> bool:
    """Whether the last digit of a Mexican CURP belongs to the rest (python-stdnum). Blocked words are none of our business."""
    from stdnum.mx import curp

    return bool(curp.calc_check_digit(number) == number[-1])


# --- Dates

_LANGUAGES = ("ru", "kk", "es", "en")
_WHOLE = (
    re.compile(r"(?P<d>\d{1,2})[\s./-]+(?P<m>\d{1,2}|[^\W\d_]{3,}\.?)[\s./-]+(?:de )?(?P<y>\d{4})"),
    re.compile(r"(?P<d>\d{1,2}) de (?P<m>[^\W\d_]{3,}) de (?P<y>\d{4})"),
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"),
)


@lru_cache
def _months() -> dict[str, int]:
    """Names of the months in our languages, as Unicode's CLDR writes them alone and in dates."""
    return {
        name.casefold().rstrip("."): number
        for language in _LANGUAGES
        for width in ("wide", "abbreviated")
        for context in ("format", "stand-alone")
        for number, name in get_month_names(width, context, language).items()
    }


def month_of(text: str) -> int | None:
    """Return the month that a number or name means, in any of our languages; three letters are enough where they are clear."""
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 2 else None
    name = text.casefold().rstrip(".")
    if name in _months():
        return _months()[name]
    found = {number for known, number in _months().items() if len(name) >= 3 and known.startswith(name)}
    return found.pop() if len(found) == 1 else None


def date_parts(parts: tuple[str, str, str]) -> tuple[str, str, str]:
    """Day, month, year as typed; a whole date pasted into one of the inputs is taken apart."""
    filled = [part for part in parts if part]
    if len(filled) == 1:
        for form in _WHOLE:
            whole = form.fullmatch(filled[0])
            if whole:
                return whole["d"], whole["m"], whole["y"]
    return parts


def read_date(parts: tuple[str, str, str], on: date, *, past: bool, endless: bool = False) -> tuple[str, int, str | None]:
    """Return a date as YYYY-MM-DD, or "", with the part that is wrong (0 day, 1 month, 2 year) and why.

    `on` is today; `past`: the day must have come already. `endless`: 1 January 9999 stands for "for life" (Spanish cards).
    """
    day, month, year = parts
    for at, part in enumerate(parts):
        if not part:
            missing = (_("Type the day as well"), _("Type the month as well"), _("Type the year as well"))
            return "", at, missing[at]
    number = month_of(month)
    if number is None:
        return "", 1, _("Type the month as a number from 1 to 12, or by its name")
    if not (day.isascii() and day.isdigit() and len(day) <= 2):
        return "", 0, _("Type the day as a number, like 7")
    if not (year.isascii() and year.isdigit() and len(year) == 4):
        return "", 2, _("Type the year with four digits, like 1985")
    if not 1 <= number <= 12:
        if 1 <= int(day) <= 12:
            return "", 1, _("There is no month %(number)s: have day and month changed places?", number=number)
        return "", 1, _("There is no month %(number)s", number=number)
    if endless and (int(day), number, int(year)) == (1, 1, 9999):
        return "9999-01-01", 0, None
    if not 1900 <= int(year) <= on.year + 50:
        return "", 2, _("Check the year")
    last = monthrange(int(year), number)[1]
    if not 1 <= int(day) <= last:
        return "", 0, _("There is no such day in the calendar: the last day of that month is the %(last)s", last=last)
    value = date(int(year), number, int(day))
    if past and value > on:
        return "", 2 if value.year > on.year else 0, _("This day is still to come")
    return value.isoformat(), 0, None
