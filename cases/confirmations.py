"""What a confirmation on paper says of an approved change, and the code by which staff find and check it.

The code is the beginning of the case's id and a seal over case and version, under the audit key, which is never changed: who
is shown a paper types the code into the desk's search. A code that was made up finds nothing, and the case's page says
whether the change still stands. Nothing on the paper needs the case's key: it can be printed when the photos are long gone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import profiles
from cases.lifecycle import State
from cases.models import Case, Customer, ProfileVersion
from verification.evidence import Field, Values

NUMBER_LENGTH = 8
SEAL_LENGTH = 6
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, so that a code can be read out and typed. Six of them are 30 bits: staff alone may try."""

_CODE = re.compile(rf"([0-9A-F]{{{NUMBER_LENGTH}}})[-\s]?([{ALPHABET}]{{{SEAL_LENGTH}}})")
_NUMBER = re.compile(rf"[0-9A-Fa-f]{{{NUMBER_LENGTH}}}")

SHOWN_OF_A_NUMBER = 4
"""Characters of a document number that the paper shows: papers get lost."""


class NotConfirmed(Exception):
    """There is no change to confirm: not approved, undone, or on hold."""


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What stands on the paper. Holds personal data: not for logs."""

    case_id: UUID
    number: str
    code: str
    approved_at: datetime
    name: str = field(repr=False)  # as it is now
    changed: Values = field(repr=False)  # new values, document numbers masked
    email: str | None = field(repr=False)  # the new address, where it changed


def of(session: Session, case: Case) -> Confirmation:
    """The confirmation of an approved case. Raises NotConfirmed."""
    if case.state is not State.APPROVED or profiles.held(case) or case.closed_at is None:
        raise NotConfirmed("no change of this case stands")
    customer = session.get_one(Customer, case.customer_id)
    before, old_email = profiles.read_version(session, customer, session.get_one(ProfileVersion, case.prior_version_id))
    after, new_email = profiles.read_version(session, customer, session.get_one(ProfileVersion, case.applied_version_id))
    names = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)
    return Confirmation(
        case_id=case.id,
        number=number(case.id),
        code=code(session, case),
        approved_at=case.closed_at,
        name=" ".join(after.values[f] for f in names if after.values.get(f)),
        changed={f: masked(after.values[f], f) for f in profiles.differing(before, after.values)},
        email=new_email if new_email != old_email else None,
    )


def masked(value: str, of_field: Field) -> str:
    """A value as the paper shows it: of a document number the end alone.

    >>> masked("4524654321", Field.DOCUMENT_NUMBER)
    '••••••4321'
    """
    if of_field not in NUMBERS or len(value) <= SHOWN_OF_A_NUMBER:
        return value
    return "•" * (len(value) - SHOWN_OF_A_NUMBER) + value[-SHOWN_OF_A_NUMBER:]


NUMBERS = frozenset({Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER})
"""Fields that somebody else could use."""


def number(case_id: UUID) -> str:
    """A case's number as people see it: the beginning of its id."""
    return str(case_id)[:NUMBER_LENGTH].upper()


def code(session: Session, case: Case) -> str:
    """The code of an approved case's paper, such as "9F3A12BC-K7QM2T"."""
    return f"{number(case.id)}-{_seal(session, case)}"


def find(session: Session, text: str) -> UUID | None:
    """The case whose paper bears this code; None for any other text, also where the number is right and the seal is not."""
    given = _CODE.fullmatch(text.strip().upper())
    if given is None:
        return None
    found = session.scalars(
        select(Case).where(Case.id.between(*bounds(given[1])), Case.applied_version_id.is_not(None)).order_by(Case.id)
    )
    return next((case.id for case in found if hmac.compare_digest(_seal(session, case), given[2])), None)


def looks_like_code(text: str) -> bool:
    """Whether `text` has the shape of a code."""
    return _CODE.fullmatch(text.strip().upper()) is not None


def looks_like_number(text: str) -> bool:
    """Whether `text` has the shape of a case's number."""
    return _NUMBER.fullmatch(text.strip()) is not None


def bounds(text: str) -> tuple[UUID, UUID]:
    """The smallest and the largest id that begin with a number.

    >>> [str(i)[:13] for i in bounds("9F3A12BC")]
    ['9f3a12bc-0000', '9f3a12bc-ffff']
    """
    return UUID(text.ljust(32, "0")), UUID(text.ljust(32, "f"))


def _seal(session: Session, case: Case) -> str:
    key: str = session.info["settings"].audit_key
    made = hmac.new(key.encode(), f"confirmation|{case.id}|{case.applied_version_id}".encode(), hashlib.sha256).digest()
    bits = int.from_bytes(made[:8], "big")
    return "".join(ALPHABET[bits >> (5 * place) & 31] for place in range(SEAL_LENGTH))
