"""What the host system may say of a person: the rules for each detail, told by field. Pure.

The same letters and shapes that the portal takes from a customer, less what only a person at a form needs: nothing is guessed,
replaced or suggested here, since a host system sends what it holds and has to hear when that cannot be.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from verification import names
from verification.evidence import DATES, Field, Values

LONGEST = 100
"""Characters of a name, a place, an authority; the longest name in the facts' sources has 61."""

LONGEST_NUMBER = 20
"""Characters of a document number; a Mexican CURP, the longest of all, has 18."""

OLDEST = 130
"""Years; nobody whose age was proved lived longer than 122."""

LATIN_NAMES = (Field.SURNAME, Field.GIVEN_NAMES)
NAMES = frozenset({*LATIN_NAMES, Field.PATRONYMIC, Field.SURNAME_NATIVE, Field.GIVEN_NAMES_NATIVE})

_MARKS = " -'.·"  # as in webapp.portal.typed
_NUMBER = re.compile(rf"[A-Z0-9]{{3,{LONGEST_NUMBER}}}")
_STATE = re.compile(r"[A-Z]{1,3}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing that cannot be. `field` is a detail's name, or `email`, `country`, `earlier_numbers/2`."""

    field: str
    code: str
    detail: str


def check(values: Values, *, on: date, earlier_numbers: Iterable[str] = (), whole: bool = True) -> list[Wrong]:
    """Everything that is wrong with these details. `whole`: a profile, which names a person; else a claim of some of them."""
    found = [one for name, value in values.items() if (one := _check(name, value, on)) is not None]
    found += [
        Wrong(field=f"earlier_numbers/{place}", code="number", detail=_SAYS["number"])
        for place, number in enumerate(earlier_numbers)
        if _NUMBER.fullmatch(number) is None
    ]
    if whole and not NAMES & values.keys():
        found.append(Wrong(field="surname", code="missing", detail="A profile has at least one name."))
    told = {one.field for one in found}
    issued, expires = values.get(Field.ISSUED_ON), values.get(Field.EXPIRES_ON)
    if issued and expires and not told & {Field.ISSUED_ON.value, Field.EXPIRES_ON.value} and expires < issued:
        found.append(Wrong(field="expires_on", code="before_issue", detail="The document expires before it was issued."))
    return found


def check_email(address: str) -> Wrong | None:
    """Whether mail can be sent there at all; the shape only."""
    if len(address) > 254 or _EMAIL.fullmatch(address) is None or not address.isprintable():
        return Wrong(field="email", code="email", detail="An address like name@example.com is expected.")
    return None


_SAYS = {
    "number": f"Capital Latin letters and digits, 3 to {LONGEST_NUMBER} of them, without spaces or hyphens.",
    "state": "ICAO's code of one to three capital letters, such as KAZ, or D for Germany.",
    "name": "Letters, with spaces, hyphens, apostrophes and full stops between them.",
    "latin": "Latin letters are expected here, as the document's machine-readable zone has them; other scripts go into …_native.",
    "text": f"A text of at most {LONGEST} characters, without control characters.",
    "sex": "M, F or X.",
    "date": "A day that exists, as YYYY-MM-DD.",
    "future": "This day has not come yet.",
    "too_old": f"More than {OLDEST} years ago.",
}


def _check(name: Field, value: str, on: date) -> Wrong | None:
    code = _code(name, value, on)
    return Wrong(field=name.value, code=code, detail=_SAYS[code]) if code else None


def _code(name: Field, value: str, on: date) -> str | None:
    if name in DATES:
        return _of_day(name, value, on)
    if name is Field.SEX:
        return None if value in ("M", "F", "X") else "sex"
    if name is Field.NATIONALITY:
        return None if _STATE.fullmatch(value) else "state"
    if name in (Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER):
        return None if _NUMBER.fullmatch(value) else "number"
    if len(value) > LONGEST or not value.isprintable() or unicodedata.normalize("NFC", value) != value:
        return "text"
    if name in NAMES:
        letters = [c for c in value if c.isalpha()]
        if not letters or not all(c.isalpha() or unicodedata.category(c).startswith("M") or c in _MARKS for c in value):
            return "name"
        if name in LATIN_NAMES and names.script(value) != "latin":
            return "latin"
    return None


def _of_day(name: Field, value: str, on: date) -> str | None:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return "date"
    if day.isoformat() != value:
        return "date"
    if day.year < on.year - OLDEST:
        return "too_old"
    return "future" if name is not Field.EXPIRES_ON and day > on else None
