"""Until when a document is valid: the printed date, or the age rule where none is printed.

Source of the age rule: facts/documents.md 3.3 (a Russian internal passport is exchanged at 20 and 45; since decree
1205 of 2021 it stays valid 90 days beyond the birthday; issued after 45 it has no end).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from verification.evidence import DocumentReading, DocumentType, Field

FIRST_AGE = 14
EXCHANGE_AGES = (20, 45)
GRACE = timedelta(days=90)
ZONE_SINCE = date(2012, 1, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Expiry:
    """Days left on a day (negative = expired, None = not known or none), and how surely it was read (0-1)."""

    days: int | None
    never: bool
    confidence: float


UNKNOWN = Expiry(days=None, never=False, confidence=0.0)


def expiry(reading: DocumentReading, *, on: date) -> Expiry:
    """Return until when the document is valid, counted from `on`."""
    if reading.document_type is DocumentType.RU_INTERNAL:
        return _by_age(reading, on)
    printed = reading.fields.get(Field.EXPIRES_ON)
    if printed is None:
        return UNKNOWN
    last = _date(printed.value)
    if last is None:
        return UNKNOWN
    return Expiry(days=(last - on).days, never=False, confidence=printed.confidence)


def zone_expected(reading: DocumentReading) -> bool:
    """Whether a Russian internal passport must carry a machine-readable zone: every one issued since 2012 does.

    The zone came on 1 July 2011 and older blanks were used up (facts/documents.md 3.1), hence the half year. Without this
    rule a zone that was cut off or smeared would take every check digit with it.
    """
    issue = reading.fields.get(Field.ISSUED_ON)
    issued = _date(issue.value) if issue is not None else None
    return reading.document_type is DocumentType.RU_INTERNAL and issued is not None and issued >= ZONE_SINCE


def _by_age(reading: DocumentReading, on: date) -> Expiry:
    """The age rule: needs the dates of birth and issue."""
    birth, issue = reading.fields.get(Field.DATE_OF_BIRTH), reading.fields.get(Field.ISSUED_ON)
    if birth is None or issue is None:
        return UNKNOWN
    born, issued = _date(birth.value), _date(issue.value)
    if born is None or issued is None or issued < birthday(born, FIRST_AGE) or issued > on:
        return UNKNOWN  # nobody has one before 14, nor one from tomorrow: one of the dates was misread
    confidence = min(birth.confidence, issue.confidence)
    for age in EXCHANGE_AGES:
        if issued < birthday(born, age):
            return Expiry(days=(birthday(born, age) + GRACE - on).days, never=False, confidence=confidence)
    return Expiry(days=None, never=True, confidence=confidence)


def birthday(born: date, age: int) -> date:
    """The day somebody turns `age`; born on 29 February, 1 March of a common year (Russian civil practice)."""
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
