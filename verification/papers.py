"""The nouns of supporting papers: the passport's pages of earlier passports and of family status, as they were read.

Stamps are put there at the holder's wish since July 2021, so a page without them proves nothing; and no stamp states the
holder's own new surname (facts/documents.md 3.1, 3.5). Who may read these is who may read a `DocumentReading`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from verification.evidence import Box, FieldReading
from verification.reasons import ReasonCode


class PageKind(StrEnum):
    """Which page of a Russian internal passport it is."""

    EARLIER_PASSPORTS = "earlier_passports"  # pages 18 and 19
    FAMILY_STATUS = "family_status"  # pages 14 and 15


class EntryKind(StrEnum):
    """What one stamp or printed note on such a page says."""

    PASSPORT = "passport"  # an internal passport the holder had before
    FOREIGN_PASSPORT = "foreign_passport"  # a passport for travel that was given out
    MARRIAGE = "marriage"
    DIVORCE = "divorce"


class Detail(StrEnum):
    """A value of an entry, by the names of `evidence.Field` where it has one.

    Names, and the date of birth, are the *other* spouse's: the stamp does not say the holder's own.
    """

    DOCUMENT_NUMBER = "document_number"  # ten figures; of a passport for travel nine
    ISSUED_ON = "issued_on"
    ISSUER = "issuer"  # of a marriage or divorce: the registry office
    ISSUER_CODE = "issuer_code"
    SURNAME = "surname"
    GIVEN_NAMES = "given_names"
    PATRONYMIC = "patronymic"
    DATE_OF_BIRTH = "date_of_birth"
    REGISTERED_ON = "registered_on"  # day of the marriage or divorce
    ACT_NUMBER = "act_number"  # of the registry's record
    SURNAME_AFTER = "surname_after"  # the holder's, after a divorce


EXPECTED: dict[EntryKind, tuple[Detail, ...]] = {
    EntryKind.PASSPORT: (Detail.DOCUMENT_NUMBER, Detail.ISSUED_ON),
    EntryKind.FOREIGN_PASSPORT: (Detail.DOCUMENT_NUMBER, Detail.ISSUED_ON),
    EntryKind.MARRIAGE: (Detail.SURNAME, Detail.GIVEN_NAMES, Detail.REGISTERED_ON, Detail.ISSUER),
    EntryKind.DIVORCE: (Detail.SURNAME, Detail.GIVEN_NAMES, Detail.REGISTERED_ON, Detail.ISSUER),
}
"""What every entry of a kind says: one of these that was not read is named in `Entry.unread`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One stamp or note: what was read of it, and what it has but could not be read (by hand, smeared, covered).

    `box`: x, y, width, height on the photo, around all of its lines.
    """

    kind: EntryKind
    values: dict[Detail, FieldReading] = field(default_factory=dict)
    unread: tuple[Detail, ...] = ()
    box: Box | None = None

    def to_json(self) -> dict[str, Any]:
        """As printed by `python -m verification supporting`."""
        return {
            "kind": self.kind.value,
            "values": {name.value: reading.to_json() for name, reading in self.values.items()},
            "unread": [name.value for name in self.unread],
            "box": list(self.box) if self.box else None,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class SupportingReading:
    """All that was read from the photo of one page (or of two facing ones). Never a made-up value.

    `own_number`: the number of the very passport, printed on its pages, too; it must be the one of page 3. `kind` None: it is
    no such page, `problems` says why. A page without entries is a page without stamps, no fault.
    """

    kind: PageKind | None = None
    entries: tuple[Entry, ...] = ()
    own_number: FieldReading | None = None
    problems: tuple[ReasonCode, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As printed by `python -m verification supporting`."""
        return {
            "kind": self.kind.value if self.kind else None,
            "entries": [entry.to_json() for entry in self.entries],
            "own_number": self.own_number.to_json() if self.own_number else None,
            "problems": [problem.value for problem in self.problems],
        }
