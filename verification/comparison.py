"""Hold what the customer typed against what the document shows, field by field, with the letters that differ.

Names go through `names.compare`, which knows the spelling rules; here dates, numbers and plain texts. Nothing of the
account is looked at: that is `continuity`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace

from rapidfuzz.distance import Levenshtein

from verification import names
from verification.evidence import (
    DATES,
    Claim,
    Difference,
    DocumentReading,
    DocumentType,
    Field,
    FieldComparison,
    FieldReading,
    Source,
)

NATIVE: dict[Field, tuple[Field, ...]] = {
    Field.SURNAME: (Field.SURNAME, Field.SURNAME_NATIVE),
    Field.SURNAME_NATIVE: (Field.SURNAME_NATIVE, Field.SURNAME),
    Field.GIVEN_NAMES: (Field.GIVEN_NAMES, Field.GIVEN_NAMES_NATIVE),
    Field.GIVEN_NAMES_NATIVE: (Field.GIVEN_NAMES_NATIVE, Field.GIVEN_NAMES),
}
"""Where a name may stand on a document of two scripts; the first that agrees best counts."""

NAME_FIELDS = frozenset({*NATIVE, Field.PATRONYMIC})
FIRM = 0.8
"""Confidence from which a line that is not certain still rules out another spelling; `min_confidence` as shipped."""

NUMBER_FIELDS = frozenset({Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER, Field.ISSUER_CODE})


def agree(claim: Claim, reading: DocumentReading) -> dict[Field, tuple[FieldComparison, FieldReading | None]]:
    """Compare each claimed field with the document; the reading it was compared with stands beside it.

    A field the document does not show has `read` None and agreement 0. Where a rule has to overlook letters (look-alikes of
    the other script, another order, an abbreviation, a name cut off in the zone), it is named, but the agreement stays
    below 1: what the document does not print is not let into the account without a person.
    """
    return {field: _best(field, value, claim, reading) for field, value in claim.values.items()}


def _best(field: Field, claimed: str, claim: Claim, reading: DocumentReading) -> tuple[FieldComparison, FieldReading | None]:
    """The claim beside the place on the document that it must equal.

    A name printed in two scripts is held against the line in its own script: through the other line, any old order of
    transliteration would do, and a spelling would pass that the document does not print. Only where its own line is missing
    or too weak to stand on does the other one count. A single name stands in the place of the surname (Doc 9303-3, 4.6).
    """
    places = [p for p in NATIVE.get(field, (field,)) if p in reading.fields]
    single = not places and field in names.GIVEN and _single_name(claim, reading)
    if single:
        places = [p for p in NATIVE[Field.SURNAME] if p in reading.fields]
    if not places:
        return FieldComparison(claimed=claimed, read=None, agreement=0.0), None
    compared = {p: _as_printed(field, claimed, p, reading) for p in places}
    own = [p for p in places if names.script(reading.fields[p].value) == names.script(claimed)]
    firm = [p for p in own if reading.fields[p].certain or reading.fields[p].confidence >= FIRM]
    best = max(firm or places, key=lambda p: compared[p].agreement)
    found, rule = compared[best], compared[best].rule
    if single and rule is not None:
        found = replace(found, rule="single-name" if rule == "exact" else f"{rule} + single-name")
    return found, reading.fields[best]


def _as_printed(field: Field, claimed: str, place: Field, reading: DocumentReading) -> FieldComparison:
    """Compare with one place; a rule that overlooks letters is named, but does not make them agree."""
    read = reading.fields[place]
    cut = read.source is Source.MRZ and _names_may_be_cut(reading)
    compared = compare(field, claimed, read.value, country=reading.country, truncated=cut)
    if compared.rule is None or not names.SHOWN_THOUGH_EQUAL & set(compared.rule.split(" + ")):
        return compared
    letters = sum(max(len(d.claimed), len(d.read)) for d in compared.differences)
    return replace(compared, agreement=max(0.0, 1.0 - max(letters, 1) / max(len(claimed), len(read.value), 2)))


def _single_name(claim: Claim, reading: DocumentReading) -> bool:
    """Whether the document gives one name only, and the customer typed one only."""
    typed = sum(bool({field, *NATIVE[field]} & claim.values.keys()) for field in (Field.SURNAME, Field.GIVEN_NAMES))
    row = _name_row(reading).rstrip("<")
    return typed == 1 and not names.GIVEN & reading.fields.keys() and bool(row) and "<<" not in row


def _names_may_be_cut(reading: DocumentReading) -> bool:
    """A letter in the last place of the zone's names: they may go on (Doc 9303-4, 4.2.3)."""
    return _name_row(reading)[-1:] not in ("", "<")


def _name_row(reading: DocumentReading) -> str:
    """The row of the zone in which the names stand; "" without a zone. In the Russian zone a digit is a letter, too."""
    if reading.mrz is None or not reading.mrz.lines:
        return ""
    return reading.mrz.lines[-1 if reading.document_type is DocumentType.TD1 else 0]


def compare(field: Field, claimed: str, read: str, *, country: str | None, truncated: bool = False) -> FieldComparison:
    """Compare one value with one value read by the rule of its kind.

    Names by `names.compare`. Dates and sex must be equal; numbers are compared without spaces and hyphens, and are equal under
    "homoglyphs" where letters of the other script look the same; other texts without regard to case, spaces and punctuation.
    Agreement is 1 - Levenshtein distance / longer length of what is compared, and 1.0 exactly where a rule makes them equal.
    """
    if field in NAME_FIELDS:
        return names.compare(claimed, read, field=field, country=country, truncated=truncated)
    keep: Callable[[str], bool] = str.isalnum
    rule = "number" if field in NUMBER_FIELDS else "text"
    if field in DATES or field is Field.SEX:
        keep, rule = _all, "exact"
    ours, ours_at = _reduced(claimed, keep)
    theirs, theirs_at = _reduced(read, keep)
    if ours == theirs and ours:
        return FieldComparison(claimed=claimed, read=read, agreement=1.0, rule="exact" if claimed == read else rule)
    differences = tuple(
        Difference(
            claimed=ours[step.src_start : step.src_end],
            read=theirs[step.dest_start : step.dest_end],
            claimed_at=_at(ours_at, step.src_start, len(claimed)),
            read_at=_at(theirs_at, step.dest_start, len(read)),
        )
        for step in Levenshtein.opcodes(ours, theirs)
        if step.tag != "equal"
    )
    if rule == "number" and ours and names.look_alike(ours, theirs):
        return FieldComparison(claimed=claimed, read=read, agreement=1.0, rule="homoglyphs", differences=differences)
    longer = max(len(ours), len(theirs), 1)
    distance = max(1, Levenshtein.distance(ours, theirs))
    return FieldComparison(claimed=claimed, read=read, agreement=max(0.0, 1.0 - distance / longer), differences=differences)


def _all(_character: str) -> bool:
    return True


def _reduced(text: str, keep: Callable[[str], bool]) -> tuple[str, list[int]]:
    """Upper-case letters of `text` that `keep` accepts, and the position of each in `text`."""
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(unicodedata.normalize("NFC", text)):
        if keep(character):
            for upper in names.capital(character):
                letters.append(upper)
                places.append(place)
    return "".join(letters), places


def _at(places: list[int], index: int, end: int) -> int:
    """Position in the original text of reduced letter `index`; behind the last one it is the text's end."""
    return places[index] if index < len(places) else end
