"""Count tries in a window. In the database, so that losing Redis resets nothing."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from cases.models import Throttle


def hit(session: Session, purpose: str, subject: str, *, limit: int, window: timedelta, now: datetime) -> bool:
    """Count one try of `subject` (an address, an account); False when it is more than `limit` in this window.

    Windows start at whole multiples of their length, so at most twice the limit fits into any such stretch.
    The subject is kept as a keyed hash only: all IP addresses are soon hashed, so a plain one would hide none.
    Commit also where the answer is no: a refused try counts.
    """
    return tally(session, purpose, subject, window=window, now=now) <= limit


def tally(session: Session, purpose: str, subject: str, *, window: timedelta, now: datetime) -> int:
    """Count one try of `subject` and return how many there were in this window. See `hit`."""
    key = _key(session, purpose, subject, window)
    seconds = window.total_seconds()
    start = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(Throttle).values(key=key, window_start=start, count=1)
    counted = session.execute(
        statement.on_conflict_do_update(
            index_elements=["key", "window_start"], set_={"count": Throttle.__table__.c.count + 1}
        ).returning(Throttle.__table__.c.count)
    ).scalar_one()
    return int(counted)


def forget(session: Session, *, before: datetime) -> None:
    """Remove windows that began before that time."""
    session.execute(delete(Throttle).where(Throttle.window_start < before))


def give_back(
    session: Session, purpose: str, subject: str, *, window: timedelta, now: datetime, everything: bool = False
) -> None:
    """Take back one counted try, or all of this window: a log-in that went well was no try at guessing."""
    seconds = window.total_seconds()
    key = _key(session, purpose, subject, window)
    start = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
    count = 0 if everything else Throttle.count - 1
    session.execute(
        update(Throttle).where(Throttle.key == key, Throttle.window_start == start, Throttle.count > 0).values(count=count)
    )


def _key(session: Session, purpose: str, subject: str, window: timedelta) -> str:
    secret: str = session.info["settings"].secret_key
    text = f"throttle\0{purpose}\0{int(window.total_seconds())}\0{subject}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
