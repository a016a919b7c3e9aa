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
from verification.evidence import DATES, Claim, Difference, DocumentReading, Field, FieldComparison, FieldReading

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

    A field the document does not show has `read` None and agreement 0.
    """
    return {field: _best(field, value, reading) for field, value in claim.values.items()}


def _best(field: Field, claimed: str, reading: DocumentReading) -> tuple[FieldComparison, FieldReading | None]:
    """The claim beside the place on the document that it must equal.

    A name printed in two scripts is held against the line in its own script: through the other line, any old order of
    transliteration would do, and a spelling would pass that the document does not print. Only where its own line is missing
    or too weak to stand on does the other one count.
    """
    places = [p for p in NATIVE.get(field, (field,)) if p in reading.fields]
    if not places:
        return FieldComparison(claimed=claimed, read=None, agreement=0.0), None
    compared = {p: compare(p, claimed, reading.fields[p].value, country=reading.country) for p in places}
    own = [p for p in places if names.script(reading.fields[p].value) == names.script(claimed)]
    firm = [p for p in own if reading.fields[p].certain or reading.fields[p].confidence >= FIRM]
    best = max(firm or places, key=lambda p: compared[p].agreement)
    return compared[best], reading.fields[best]


def compare(field: Field, claimed: str, read: str, *, country: str | None) -> FieldComparison:
    """Compare one typed value with one read value by the rule of its kind.

    Dates and sex must be equal; numbers are compared without spaces and hyphens; other texts without regard to case,
    spaces and punctuation. Agreement is 1 - Levenshtein distance / longer length of what is compared, and 1.0 only
    when nothing differs.
    """
    if field in NAME_FIELDS:
        return _typed_in_one_script(names.compare(claimed, read, field=field, country=country))
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
    longer = max(len(ours), len(theirs), 1)
    distance = max(1, Levenshtein.distance(ours, theirs))
    return FieldComparison(claimed=claimed, read=read, agreement=max(0.0, 1.0 - distance / longer), differences=differences)


def _typed_in_one_script(compared: FieldComparison) -> FieldComparison:
    """Letters of the other script that only look right are named, not let through: they would end up in the account."""
    if compared.rule is not None and "homoglyphs" in compared.rule:
        return replace(compared, agreement=max(0.0, 1.0 - 1.0 / max(len(compared.claimed), 2)))
    return compared


def _all(_character: str) -> bool:
    return True


def _reduced(text: str, keep: Callable[[str], bool]) -> tuple[str, list[int]]:
    """Upper-case letters of `text` that `keep` accepts, and the position of each in `text`."""
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(unicodedata.normalize("NFC", text)):
        if keep(character):
            for upper in character.upper():
                letters.append(upper)
                places.append(place)
    return "".join(letters), places


def _at(places: list[int], index: int, end: int) -> int:
    """Position in the original text of reduced letter `index`; behind the last one it is the text's end."""
    return places[index] if index < len(places) else end
