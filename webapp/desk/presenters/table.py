"""The details side by side: on file, typed, what the visual zone says, what the machine-readable zone says.

A run decided by the best of both readings. Here each is held by itself against what was typed (against what is on file, where
nothing was), since an agent looks for exactly that: a page and a zone that do not say the same.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup, escape

from cases import sides
from cases.models import Photo
from cases.queries import CasePage, FieldRow, Told
from cases.sides import Stands
from verification.comparison import NAME_FIELDS, compare
from verification.evidence import DATES, Box, Difference, FieldComparison
from webapp.i18n import label
from webapp.printed import Printed, photo_read, stretch_end, strip

# What readers and people take for each other: shapes alike across alphabets and figures, and letters that differ in a mark alone.
# Source of the figures and Latin letters: confusions seen on real zones (verification/documents/contradiction.py, _ALIKE).
_ALIKE = (
    "0OОQD", "1IІLl|", "2Z", "3ЗЭ", "4Ч", "5SЅ", "6БG", "8BВ", "AА", "EЕЁ", "KК", "MМ", "HН", "PР", "CС", "TТ", "XХ", "YУ", "JЈ",
    "ИЙ", "ШЩ", "ЦЩ", "ЬЪЫ", "UV", "MN", "ОС", "ПЛ",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one part of the document says."""

    text: Markup
    same: bool | None  # as what it is held against; None: nothing to hold it against
    rule: str = ""  # the spelling rule that made them equal, in words
    digit: bool | None = None  # whether the check digit over it holds; None: none stands over it
    strip: Printed | None = None  # the line itself, cut from the photo


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of the table, ready to print. `status`: same, differs, unread, unsure (equal, but she has to say so), other (not
    typed, and not as on file), or nothing to compare.
    """

    key: str
    name: str
    on_file: str | None
    typed: Markup | None
    printed: Cell | None
    zone: Cell | None
    status: str
    verdict: str
    changes: bool
    tick: bool  # she has to say that she compared it before she approves
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the eye is to stop here."""
        return self.status in ("differs", "unread", "other")

    @property
    def folds(self) -> bool:
        """Whether one value says it all: nothing was asked for, and page and zone say the very same as is on file, or nothing."""
        cells = [cell for cell in (self.printed, self.zone) if cell is not None]
        if self.typed is not None or self.differs or any(cell.rule or cell.digit is False for cell in cells):
            return False
        return len({self.on_file, *(str(cell.text) for cell in cells)} - {None}) <= 1

    @property
    def value(self) -> str:
        """That one value."""
        return self.on_file or next(cell.text for cell in (self.printed, self.zone) if cell is not None)

    @property
    def more(self) -> bool:
        """Whether there is more to show than the row."""
        return bool(self.notes) or any(cell is not None and cell.strip is not None for cell in (self.printed, self.zone))


def lines(page: CasePage, *, with_print: bool = False, check: Collection[str] = (), veiled: bool = False) -> list[Line]:
    """The table's rows: what changes first, then what the document shows besides.

    `with_print`: she may see the photo. `check`: what has to be ticked, see `review.rows_to_check`. `veiled`: how sure the
    machine is of anything is not told.
    """
    seen = photo_read(page) if with_print else None
    like = max((part.letters for row in page.fields for part in (row.zone, row.printed) if part is not None), key=len, default=())
    rows = [_line(row, page, seen, check, like, veiled) for row in sorted(page.fields, key=sides.in_order)]
    if page.new_email:
        rows.insert(
            sum(row.typed is not None for row in rows),
            Line(
                key=sides.EMAIL,
                name=_("E-mail"),
                on_file=page.email,
                typed=escape(page.new_email),
                printed=None,
                zone=None,
                status="",
                verdict=_("changes"),
                changes=True,
                tick=sides.EMAIL in check,
            ),
        )
    return rows


def _line(
    row: FieldRow, page: CasePage, seen: Photo | None, check: Collection[str], like: Sequence[Box | None], veiled: bool
) -> Line:
    reading = page.reading or {}
    digits = (reading.get("mrz") or {}).get("checks", {})
    held = sides.held(row, reading)
    status, verdict = _status(row, held, row.field in check, veiled)
    digit = digits.get(row.field.value)
    return Line(
        key=row.field.value,
        name=label(row.field),
        on_file=row.on_file,
        typed=_typed(row),
        printed=_cell(row, row.printed, held.get("printed"), seen, like=like),
        zone=_cell(row, row.zone, held.get("zone"), seen, like=like, digit=digit),
        status=status,
        verdict=verdict,
        changes=row.changes,
        tick=row.field in check,
        notes=tuple(dict.fromkeys(_notes(row, held, reading, digit, veiled))),
    )


def _status(row: FieldRow, held: dict[str, FieldComparison], to_check: bool, veiled: bool) -> tuple[str, str]:
    how = sides.stands(row, held)
    if how is Stands.SAME and row.typed is None:
        return "same", _("as on file")
    if how is Stands.SAME and to_check:
        return "unsure", _("compare it") if veiled else _("not sure")
    if how is Stands.DIFFERS and row.field not in DATES:
        return "differs", _differ_words(row.differences)
    return {
        Stands.SAME: ("same", _("same")),
        Stands.DIFFERS: ("differs", _("differs")),
        Stands.APART: ("differs", _("page and zone differ")),
        Stands.UNREAD: ("unread", _("not read")),
        Stands.OTHER: ("other", _("not as on file")),
        Stands.NOTHING: ("", _("not read") if row.typed is not None else ""),
    }[how]


def _typed(row: FieldRow) -> Markup | None:
    if row.typed is None:
        return None
    return marked(row.typed, [(d.claimed_at, d.claimed) for d in row.differences])


def _cell(
    row: FieldRow,
    said: Told | None,
    found: FieldComparison | None,
    seen: Photo | None,
    *,
    like: Sequence[Box | None],
    digit: bool | None = None,
) -> Cell | None:
    if said is None:
        return None
    differences = found.differences if found is not None else ()
    rule = found.rule if found is not None and found.rule not in (None, "exact") else None
    return Cell(
        text=marked(said.value, [(d.read_at, d.read) for d in differences]),
        same=found.agreement >= 1.0 if found is not None else None,
        rule="" if not rule else rule_words(rule),
        digit=digit,
        strip=strip(said.value, said.box, said.letters, differences, seen, like=like) if seen is not None else None,
    )


def _notes(
    row: FieldRow, held: dict[str, FieldComparison], reading: dict[str, Any], digit: bool | None, veiled: bool
) -> Iterable[str]:
    """What a second look at this detail should know, in sentences."""
    if row.read is not None and row.confidence is not None and not veiled:
        yield (
            _("The reader is certain of it.")
            if row.certain
            else _("The reader is %(share)s per cent sure of it.", share=math.floor(row.confidence * 100))
        )
    for found in held.values():
        yield from confusables(found.differences)
    if row.printed is not None and row.zone is not None:
        between = compare(
            row.field, row.printed.value, row.zone.value, country=reading.get("country"), truncated=sides.may_be_cut(reading)
        )
        if between.agreement < 1.0:
            yield _("The visual zone and the machine-readable zone do not say the same.")
            yield from confusables(between.differences)
    if row.zone is not None:
        if digit is not None:
            yield _("Its check digit holds.") if digit else _("Its check digit does not hold.")
        elif row.field in NAME_FIELDS:
            yield _("Check digits do not cover the name.")


def confusables(differences: Iterable[Difference]) -> Iterable[str]:
    """Name the letters in a difference that look alike, with what each of them is."""
    for difference in differences:
        if len(difference.claimed) != len(difference.read):
            continue
        for ours, theirs in zip(difference.claimed.upper(), difference.read.upper(), strict=True):
            if ours != theirs and any(ours in group and theirs in group for group in _ALIKE):
                yield _(
                    "“%(a)s” (%(of_a)s) and “%(b)s” (%(of_b)s) are easily confused.",
                    a=ours, of_a=_kind(ours), b=theirs, of_b=_kind(theirs),
                )  # fmt: skip


def _kind(character: str) -> str:
    if character.isdigit():
        return _("figure")
    name = unicodedata.name(character, "")
    return _("Cyrillic") if name.startswith("CYRILLIC") else _("Latin") if name.startswith("LATIN") else _("sign")


def rule_words(rule: str) -> str:
    """The rule under which two spellings count as equal, in words; several are joined by " + "."""
    known = {
        "exact": _("letter by letter"),
        "number": _("spaces and hyphens left out"),
        "text": _("case and punctuation left out"),
        "case-and-space": _("case and spaces left out"),
        "punctuation": _("full stops and commas left out"),
        "hyphen-space": _("hyphen as space"),
        "apostrophe": _("apostrophe left out"),
        "diacritics-icao-9303": _("accents by ICAO 9303"),
        "icao-9303": _("Latin spelling by ICAO 9303"),
        "gost-2010": _("Latin spelling of 2010"),
        "mvd-310": _("Latin spelling of 1997"),
        "mvd-310-short": _("Latin spelling of 1997, short ending"),
        "mvd-782": _("Latin spelling of 2000"),
        "mvd-310-french": _("French spelling before 2000"),
        "kazakh": _("Kazakh spelling"),
        "kazakh-latin": _("Kazakh alphabet of 2021"),
        "kazakh-russian": _("Kazakh letters in Russian"),
        "state-table": _("the issuing state's own table"),
        "yo-e": _("Ё written as Е"),
        "short-i": _("Й written as И"),
        "homoglyphs": _("look-alike letters of two alphabets"),
        "mrz-truncation": _("cut off in the zone"),
        "component-order": _("order of the names"),
        "abbreviation": _("abbreviated name"),
        "single-name": _("one name only"),
    }
    return ", ".join(known.get(part, part) for part in rule.split(" + "))


def _differ_words(differences: Iterable[Difference]) -> str:
    count = sum(max(len(d.claimed), len(d.read), 1) for d in differences)
    return str(ngettext("%(num)s letter differs", "%(num)s letters differ", count)) if count else _("differs")


def marked(text: str, spans: Iterable[tuple[int, str]]) -> Markup:
    """`text` with each differing stretch in <mark>, and in words for readers who do not see it.

    A span is (position, letters); no letters = something is missing there. Positions outside the text are left out.

    >>> str(marked("Anna", [(2, "")])).count("<mark")
    1
    """
    out, at = Markup(""), 0
    for start, piece in sorted(spans):
        if not at <= start <= len(text):
            continue
        end = stretch_end(text, start, piece)
        out += escape(text[at:start])
        if end == start:
            out += Markup('<mark class="gap"><span class="visually-hidden">{}</span></mark>').format(_("[missing here]"))
        else:
            out += Markup('<mark>{}<span class="visually-hidden"> {}</span></mark>').format(text[start:end], _("[differs]"))
        at = end
    return out + escape(text[at:])
