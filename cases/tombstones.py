"""Who was erased, as keyed hashes: in the database, and in a file outside it that a restored backup is held against.

A backup that is older than an erasure brings back the wrapped keys that the erasure destroyed. So whatever restores one reads the
file and erases again (`cases.backups`). The file tells nothing of anybody: each line is a time, a kind, the hash of an id of ours
under a key derived from AUDIT_KEY, and a seal, so that nobody can add a line and have somebody erased, or change one unseen.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cases.database import Database
from cases.host_tables import Tombstone
from cases.settings import Settings

FILE = "tombstones.log"
PERSON, CASE = "person", "case"


class Tampered(Exception):
    """A line of the file is not as it was written; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the file."""

    at: datetime
    kind: str
    subject: str


def hashed(session: Session, what: str, text: str) -> str:
    """The keyed hash of an id: 64 hex digits. The same id under another `what` has another hash."""
    return _hashed(session.info["settings"], what, text)


def put(session: Session, kind: str, subject_id: UUID, *, now: datetime) -> None:
    """Remember that a person or a case was erased; upkeep writes it to the file. May be repeated."""
    subject = hashed(session, kind, str(subject_id))
    if session.get(Tombstone, subject) is None:
        session.add(Tombstone(subject=subject, kind=kind, at=now))
        session.flush()


def folder(settings: Settings) -> Path:
    """Where the file lies; in production a disk that is not the database's, beside the backups."""
    return settings.tombstones or settings.data_dir / "tombstones"


def write(database: Database, place: Path, *, now: datetime, limit: int = 1000) -> int:
    """Append what is not in the file yet; returns how many lines. Raises OSError.

    Only what is committed is read, so that no line ever names somebody whose erasure was lost. That it was written is noted after
    the file is on disk: cut off between the two, or with two upkeeps at once, lines stand there twice, which says nothing more.
    Where the file is gone (a new disk, say) all of them are written anew.
    """
    missing = not (place / FILE).exists()
    query = select(Tombstone).order_by(Tombstone.at, Tombstone.subject)
    if not missing:
        query = query.where(Tombstone.written_at.is_(None)).limit(limit)
    with database.reading() as session:
        rows = session.execute(query.with_only_columns(Tombstone.at, Tombstone.kind, Tombstone.subject)).all()
    if not rows:
        return 0
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "".join(_line(database.settings, row.at, row.kind, row.subject) for row in rows)
    handle = os.open(place / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            text = f"\n{text}"  # whoever wrote last died in the middle of a line
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    subjects = [row.subject for row in rows]
    with database.transaction() as session:
        for at in range(0, len(subjects), 500):
            session.execute(update(Tombstone).where(Tombstone.subject.in_(subjects[at : at + 500])).values(written_at=now))
    return len(rows)


def lines(session: Session) -> Iterator[str]:
    """Every line, as it stands in the file."""
    settings: Settings = session.info["settings"]
    for row in session.scalars(select(Tombstone).order_by(Tombstone.at, Tombstone.subject)):
        yield _line(settings, row.at, row.kind, row.subject)


def read(settings: Settings, places: Iterable[Path]) -> list[Line]:
    """The lines of all these files or folders, each subject once, oldest first; a file that is not there has none.

    A line without its end was cut off while it was written; upkeep has written it again. Raises Tampered.
    """
    found: dict[str, Line] = {}
    for place in places:
        file = place / FILE if place.is_dir() else place
        if not file.exists():
            continue
        for number, line in enumerate(file.read_text("ascii").splitlines(), start=1):
            body, _, seal = line.rpartition(" ")
            parts = body.split(" ")
            if len(parts) != 3 or len(seal) != 64:
                continue  # cut off
            if not hmac.compare_digest(seal, _seal(settings, body)):
                raise Tampered(f"line {number} of the file of tombstones was changed")
            found.setdefault(parts[2], Line(at=datetime.fromisoformat(parts[0]), kind=parts[1], subject=parts[2]))
    return sorted(found.values(), key=lambda one: (one.at, one.subject))


def _line(settings: Settings, at: datetime, kind: str, subject: str) -> str:
    body = f"{at.astimezone(UTC).isoformat(timespec='seconds')} {kind} {subject}"
    return f"{body} {_seal(settings, body)}\n"


def _seal(settings: Settings, body: str) -> str:
    return _mac(settings, f"line\0{body}")


def _hashed(settings: Settings, what: str, text: str) -> str:
    return _mac(settings, f"{what}\0{text}")


def _mac(settings: Settings, text: str) -> str:
    own = hmac.new(settings.audit_key.encode(), b"peremena|tombstones|1", hashlib.sha256).digest()
    return hmac.new(own, text.encode(), hashlib.sha256).hexdigest()
