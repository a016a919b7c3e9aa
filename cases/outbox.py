"""What every outbox has in common: rows that are owed, taken under a lease, marked when sent, tried again later.

A row is owed until it is sent: a sender takes it under a lease, and one that dies is followed by another. So a message may arrive
twice, never not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

SENDING = timedelta(minutes=2)
"""A sender that has not reported by then is taken for dead; well above an SMTP conversation's time limits."""

GIVE_UP_AFTER = 14
"""Tries; with the waits below about two days and a half."""

LONGEST_WAIT = timedelta(hours=6)
"""Between two tries."""


class Owed(Protocol):
    """The columns that the table of an outbox has."""

    id: Any
    next_at: Any
    tries: Any
    lease_until: Any
    sent_at: Any
    given_up_at: Any


Row = TypeVar("Row", bound=Owed)


def due(session: Session, table: type[Owed], *, now: datetime, limit: int = 100) -> list[UUID]:
    """Rows that are owed and that nobody is sending, oldest first."""
    return list(
        session.scalars(
            select(table.id)
            .where(
                table.sent_at.is_(None),
                table.given_up_at.is_(None),
                table.next_at <= now,
                or_(table.lease_until.is_(None), table.lease_until <= now),
            )
            .order_by(table.next_at, table.id)
            .limit(limit)
        )
    )


def take(session: Session, table: type[Row], row_id: UUID, *, now: datetime) -> Row | None:
    """Take one row under a lease. None when it is sent, given up, being sent, or not due."""
    row = session.execute(
        select(table).where(table.id == row_id).with_for_update(skip_locked=True).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None or row.sent_at or row.given_up_at or row.next_at > now or (row.lease_until and row.lease_until > now):
        return None
    row.lease_until = now + SENDING
    row.tries += 1
    return row


def done(session: Session, table: type[Row], row_id: UUID, *, now: datetime) -> Row | None:
    """It left the house. None when that was noted already."""
    row = session.get_one(table, row_id, with_for_update=True, populate_existing=True)
    if row.sent_at is not None:
        return None
    row.sent_at = now
    row.lease_until = None
    return row


def put_off(session: Session, table: type[Row], row_id: UUID, *, now: datetime) -> Row | None:
    """It did not leave: again after 1, 2, 4 … minutes, at most LONGEST_WAIT; given up after GIVE_UP_AFTER tries.

    Returns the row when it was given up by this.
    """
    row = session.get_one(table, row_id, with_for_update=True, populate_existing=True)
    if row.sent_at is not None or row.given_up_at is not None:
        return None
    row.lease_until = None
    if row.tries >= GIVE_UP_AFTER:
        row.given_up_at = now
        return row
    row.next_at = now + min(timedelta(minutes=2 ** max(row.tries - 1, 0)), LONGEST_WAIT)
    return None


def render(stem: str, locale: str, context: Mapping[str, Any], *, texts: Path) -> tuple[str, str]:
    """Return subject and body of a message from `texts/STEM.LOCALE.txt` (English where a language is missing).

    The first line is the subject, the second is empty; `$name` stands for an entry of `context`. Raises KeyError
    naming an entry that is missing. Subjects take no entries: they show on locked screens.
    """
    language = locale.replace("_", "-").split("-")[0]
    file = texts / f"{stem}.{language}.txt"
    if not file.exists():
        file = texts / f"{stem}.en.txt"
    subject, _, body = file.read_text(encoding="utf-8").partition("\n")
    subject = subject.removeprefix("Subject:").strip()
    return subject, Template(body.strip()).substitute(context).strip() + "\n"
