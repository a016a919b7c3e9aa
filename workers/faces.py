"""The search for the same face in other accounts, where it is switched on: after the decision, and in nobody's way."""

from __future__ import annotations

from uuid import UUID

from cases import duplicates
from cases.database import utcnow
from workers import process


def search(case_id: UUID) -> bool:
    """Search for the face that is kept of a case, if that was not done yet. Safe to run twice; says whether it was this time.

    No row is locked while it reads all faces.
    """
    with process.database().reading() as session:
        result = duplicates.search(session, case_id)
    if result is None:
        return False
    with process.database().transaction() as session:
        return duplicates.keep(session, result, now=utcnow())
