"""Who is signed in as a customer, on the server: the browser's cookie holds the number of a row and nothing that counts.

So a cookie that was copied, or that a slow answer writes back, is worth nothing once its session was signed out; and the
last sign of her is kept here and not in the cookie, which would otherwise be written by every answer, the late ones over
what newer ones put there. How long a session lives is for `webapp.portal.entrance` to say.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from cases.crypto import KeyDestroyed, vault_of
from cases.models import Customer, CustomerSession

SIGN_OF_LIFE = timedelta(minutes=1)
"""How fine the last sign of her is kept: a row is not written for every request."""


def begin(session: Session, customer_id: UUID, *, now: datetime, return_to: str | None = None) -> UUID:
    """Start a session; returns its number, for the cookie. `return_to`: where the host system wants her back."""
    row = CustomerSession(id=uuid4(), customer_id=customer_id, began_at=now, seen_at=now)
    if return_to is not None:
        key = session.get_one(Customer, customer_id).data_key
        row.return_sealed = vault_of(session).seal(key, return_to.encode(), _return_place(row.id))
    session.add(row)
    session.flush()
    return row.id


def find(session: Session, number: UUID) -> CustomerSession | None:
    """The session of that number; None when it was ended, or is forgotten."""
    row = session.get(CustomerSession, number)
    return row if row is not None and row.ended_at is None else None


def way_back(session: Session, row: CustomerSession) -> str | None:
    """Where the host system that she came from wants her back; None: she came by another way."""
    if row.return_sealed is None:
        return None
    try:
        key = session.get_one(Customer, row.customer_id).data_key
        return vault_of(session).open(key, row.return_sealed, _return_place(row.id)).decode()
    except KeyDestroyed:
        return None


def owner(session: Session, number: UUID) -> UUID | None:
    """Whose session it is or was."""
    row = session.get(CustomerSession, number)
    return row.customer_id if row is not None else None


def seen(session: Session, number: UUID, *, now: datetime) -> None:
    """Note a sign of her. An ended session stays as it is; of two signs the later counts."""
    living = (CustomerSession.id == number, CustomerSession.ended_at.is_(None), CustomerSession.seen_at < now)
    session.execute(update(CustomerSession).where(*living).values(seen_at=now))


def end(session: Session, number: UUID, *, now: datetime) -> None:
    """End a session for good, on whichever device its cookie lies. May be repeated."""
    living = (CustomerSession.id == number, CustomerSession.ended_at.is_(None))
    session.execute(update(CustomerSession).where(*living).values(ended_at=now))


def end_all(session: Session, customer_id: UUID, *, now: datetime) -> None:
    """End every session of an account: somebody says that whoever is in there is not its owner."""
    living = (CustomerSession.customer_id == customer_id, CustomerSession.ended_at.is_(None))
    session.execute(update(CustomerSession).where(*living).values(ended_at=now))


def forget(session: Session, *, before: datetime) -> None:
    """Remove sessions that began before that moment."""
    session.execute(delete(CustomerSession).where(CustomerSession.began_at < before))


def _return_place(number: UUID) -> str:
    return f"customer_sessions.return|{number}"
