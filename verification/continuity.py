"""Is this the account's person: what may change for which reason, and what must not.

A thief's own passport and face agree with each other perfectly, so the document is held against what the
account already knows. Which details may move depends on why they move: a marriage changes a surname, never a
birth date. Sources: facts/documents.md 3 (Russian papers), facts/reliability.md 3 no. 1 (the taken-over account).
"""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from verification import comparison, names
from verification.evidence import DATES, ChangeReason, Claim, DocumentReading, Field, Profile
from verification.papers import Detail, EntryKind, SupportingReading

PAPER = frozenset({Field.DOCUMENT_NUMBER, Field.ISSUED_ON, Field.EXPIRES_ON, Field.ISSUER, Field.ISSUER_CODE})
"""What every new passport changes, whatever the reason for it."""

SURNAMES = frozenset({Field.SURNAME, Field.SURNAME_NATIVE})
GIVEN = frozenset({Field.GIVEN_NAMES, Field.GIVEN_NAMES_NATIVE})
NAMES = SURNAMES | GIVEN | {Field.PATRONYMIC}

MAY_CHANGE: dict[ChangeReason, frozenset[Field]] = {
    ChangeReason.MARRIAGE: SURNAMES | PAPER,
    ChangeReason.DIVORCE: SURNAMES | PAPER,
    ChangeReason.COURT: NAMES | PAPER,
    ChangeReason.NEW_PASSPORT: PAPER,
    ChangeReason.MISTAKE: NAMES | PAPER | {Field.PLACE_OF_BIRTH},
    ChangeReason.OTHER: frozenset(),
}
"""The details a stated reason covers. Anything else that changes goes to a person."""

_IDENTITY = (Field.DATE_OF_BIRTH, Field.SEX, Field.PERSONAL_NUMBER, Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)

NEEDED = frozenset({Field.DATE_OF_BIRTH, Field.SURNAME, Field.GIVEN_NAMES, Field.SEX})
"""What every document of a person shows: not having read one of these is no agreement."""

_NATIVE = {Field.SURNAME: Field.SURNAME_NATIVE, Field.GIVEN_NAMES: Field.GIVEN_NAMES_NATIVE}


def changes(claim: Claim, profile: Profile) -> tuple[Field, ...]:
    """Return the claimed fields whose value is not the profile's, in the order of `Field`."""
    return tuple(f for f in Field if f in claim.values and _plain(f, claim.values[f]) != _plain(f, profile.values.get(f, "")))


def change_letters(claim: Claim, profile: Profile) -> dict[Field, int]:
    """Return for each changed field by how many letters (Levenshtein) the claim departs from the profile."""
    return {
        f: Levenshtein.distance(_plain(f, claim.values[f]), _plain(f, profile.values.get(f, ""))) for f in changes(claim, profile)
    }


def must_stay(claim: Claim, profile: Profile) -> dict[Field, str]:
    """Return what the account holds and the document must show unchanged.

    That is the person's identity, less what the stated reason covers *and* the claim really changes: a detail she does
    not change stays, also where her reason would have covered it.
    """
    moves = MAY_CHANGE[claim.reason] & frozenset(changes(claim, profile))
    held = {f: profile.values.get(f) or profile.values.get(_NATIVE.get(f, f)) for f in _IDENTITY if f not in moves}
    return {field: value for field, value in held.items() if value}


def unchanged(profile: Profile, reading: DocumentReading, claim: Claim) -> dict[Field, float]:
    """Return how well the document shows what must stay: 0-1 for each detail that it shows at all."""
    out: dict[Field, float] = {}
    for field, held in must_stay(claim, profile).items():
        agreements = [
            comparison.compare(place, held, reading.fields[place].value, country=reading.country).agreement
            for place in (field, _NATIVE.get(field))
            if place is not None and place in reading.fields
        ]
        if agreements:
            out[field] = max(agreements)
    return out


def unread(profile: Profile, reading: DocumentReading, claim: Claim) -> tuple[Field, ...]:
    """Return the details that must stay and that every document has, but that were not read on this one."""
    return tuple(
        f for f in must_stay(claim, profile) if f in NEEDED and f not in reading.fields and _NATIVE.get(f) not in reading.fields
    )


def earlier_number_seen(profile: Profile, reading: DocumentReading) -> bool | None:
    """Whether the number the account holds, or held before, stands on the document; None when neither can be told."""
    held = [n for n in (profile.values.get(Field.DOCUMENT_NUMBER), *profile.earlier_numbers) if n]
    read = reading.fields.get(Field.DOCUMENT_NUMBER)
    if not held or read is None:
        return None
    return any(_plain(Field.DOCUMENT_NUMBER, number) == _plain(Field.DOCUMENT_NUMBER, read.value) for number in held)


# ---------------------------------------------------------------- supporting pages: stamps are voluntary since July 2021

_FORMS = (
    ("ОВ", "ОВА"),
    ("ЕВ", "ЕВА"),
    ("ЁВ", "ЁВА"),
    ("ИН", "ИНА"),
    ("ЫН", "ЫНА"),
    ("КИЙ", "КАЯ"),
    ("ЫЙ", "АЯ"),
    ("ОЙ", "АЯ"),
    ("ИЙ", "ЯЯ"),
)
"""Endings of a man's surname and of his wife's."""


def same_passport(document: DocumentReading, pages: SupportingReading) -> bool | None:
    """Whether the supporting page is of the very passport whose page 3 was read: both carry its number. None: not told.

    Without this any page of anybody's passport would do.
    """
    read = document.fields.get(Field.DOCUMENT_NUMBER)
    if read is None or pages.own_number is None:
        return None
    if not (read.certain and pages.own_number.certain):
        return None
    return _plain(Field.DOCUMENT_NUMBER, read.value) == _plain(Field.DOCUMENT_NUMBER, pages.own_number.value)


def earlier_number_listed(profile: Profile, pages: SupportingReading) -> bool | None:
    """Whether a passport that the account holds, or held before, stands among the earlier ones on the page.

    None where that cannot be told: no entry, no number held, or one that was not read with certainty. False is no proof either
    way: only the passports that the holder wished to have noted stand there.
    """
    held = {_plain(Field.DOCUMENT_NUMBER, n) for n in (profile.values.get(Field.DOCUMENT_NUMBER), *profile.earlier_numbers) if n}
    entries = [entry for entry in pages.entries if entry.kind in (EntryKind.PASSPORT, EntryKind.FOREIGN_PASSPORT)]
    read = [entry.values.get(Detail.DOCUMENT_NUMBER) for entry in entries]
    if not held or not read:
        return None
    if any(number is not None and number.certain and _plain(Field.DOCUMENT_NUMBER, number.value) in held for number in read):
        return True
    return False if all(number is not None and number.certain for number in read) else None


def surname_explained(claim: Claim, profile: Profile, pages: SupportingReading) -> bool | None:
    """Whether a marriage or divorce noted on the page explains the claimed surname.

    A marriage does where the surname is the other spouse's, in the man's or the woman's form, alone or joined to the account's
    own by a hyphen; a divorce where the stamp names it as the one borne afterwards. None where nothing was claimed, or no entry
    says (or said legibly) what would tell.
    """
    claimed = [claim.values[field] for field in (Field.SURNAME, Field.SURNAME_NATIVE) if field in claim.values]
    held = [profile.values[field] for field in (Field.SURNAME, Field.SURNAME_NATIVE) if field in profile.values]
    wanted = {ChangeReason.MARRIAGE: EntryKind.MARRIAGE, ChangeReason.DIVORCE: EntryKind.DIVORCE}.get(claim.reason)
    entries = [entry for entry in pages.entries if wanted in (None, entry.kind)]
    told: list[bool | None] = []
    for entry in entries:
        if entry.kind is EntryKind.MARRIAGE:
            read = entry.values.get(Detail.SURNAME)
            explained = read is not None and all(_by_marriage(new, held, read.value) for new in claimed)
        elif entry.kind is EntryKind.DIVORCE:
            read = entry.values.get(Detail.SURNAME_AFTER)
            explained = read is not None and all(_equal(new, read.value) for new in claimed)
        else:
            continue
        told.append(explained if read is not None and read.certain else None)
    if not claimed or not told:
        return None
    return True if True in told else None if None in told else False


def _by_marriage(new: str, held: list[str], spouse: str) -> bool:
    forms = _forms(spouse)
    if any(_equal(new, form) for form in forms):
        return True
    first, _, second = new.partition("-")
    return bool(second) and any(
        any(_equal(taken, form) for form in forms) and any(_equal(kept, own) for own in held)
        for taken, kept in ((first, second), (second, first))
    )


def _forms(surname: str) -> set[str]:
    """A surname as the man and as the woman of a couple bear it, of whichever it was read."""
    forms = {surname}
    for man, woman in _FORMS:
        if surname.endswith(man):
            forms.add(surname[: -len(man)] + woman)
        if surname.endswith(woman):
            forms.add(surname[: -len(woman)] + man)
    return forms


def _equal(claimed: str, read: str) -> bool:
    """Whether a rule of spelling makes two surnames one, none of those that overlook letters."""
    found = comparison.compare(Field.SURNAME, claimed, read, country="RUS")
    return found.agreement == 1.0 and not (found.rule and names.SHOWN_THOUGH_EQUAL & set(found.rule.split(" + ")))


def _plain(field: Field, value: str) -> str:
    """The value without what is no difference to a person: case and spaces; for numbers also separators."""
    if field in DATES:
        return value
    text = " ".join(value.upper().split())
    if field in (Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER, Field.ISSUER_CODE):
        return "".join(c for c in text if c.isalnum())
    return text
