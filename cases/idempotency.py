"""One answer for each Idempotency-Key: a request that is sent again, or twenty times at once, is carried out once.

As Stripe does it: status and body of the first answer are kept for a day and given to whoever sends the same request with the
same key of his again; another request with that key is refused. The row is written first, in the very transaction that does the
work: whoever comes at the same time waits for it in the database and reads the answer, and a process that dies leaves neither
row nor work behind. An answer is sealed with the key of the customer it speaks of, so it cannot be read any more once she is
erased.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cases.crypto import KeyDestroyed, vault_of
from cases.host_tables import ApiAnswer, ApiKey
from cases.models import Customer, DataKey

KEPT = timedelta(hours=24)
"""How long an answer is kept; Stripe keeps it as long at least."""

WAIT = timedelta(seconds=8)
"""How long a request waits for the same one that is being carried out. On SQLite `cases.database.BUSY_SECONDS` rules."""

LONGEST = 255
"""Characters of an Idempotency-Key."""


class OtherRequest(Exception):
    """The key was used for a request with another method, path or body."""


class StillRunning(Exception):
    """The same request is being carried out, and has taken longer than WAIT."""


class AnswerErased(Exception):
    """The request was carried out, but its answer spoke of a person who has been erased since."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Answer:
    """What is given again: status, headers of the answer's own, body as it was sent. May hold personal data: not for logs."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


def begin(
    session: Session, key_id: UUID, idempotency_key: str, request: bytes, *, now: datetime
) -> tuple[ApiAnswer, Answer | None]:
    """Claim a key for `request` (everything that makes it this request); returns the row, and the answer if there is one.

    Without an answer the caller does the work in this transaction and calls `keep`. Raises OtherRequest, StillRunning,
    AnswerErased.
    """
    subject = _hash(session, f"{key_id}\0{idempotency_key}".encode())
    asked = _hash(session, request)
    session.execute(
        delete(ApiAnswer).where(ApiAnswer.key_id == key_id, ApiAnswer.subject == subject, ApiAnswer.expires_at <= now)
    )
    row = ApiAnswer(id=uuid4(), key_id=key_id, subject=subject, request_hash=asked, created_at=now, expires_at=now + KEPT)
    if _insert(session, row):
        return session.get_one(ApiAnswer, row.id), None
    found = session.scalars(select(ApiAnswer).where(ApiAnswer.key_id == key_id, ApiAnswer.subject == subject)).one_or_none()
    if found is None or found.status is None:
        raise StillRunning
    if not hmac.compare_digest(found.request_hash, asked):
        raise OtherRequest
    return found, _read(session, found)


def keep(session: Session, row: ApiAnswer, answer: Answer, *, about: Customer | None = None) -> None:
    """Keep the answer of a claimed key, sealed with the customer's key where it speaks of one who has not been erased.

    Of one who has, there is nothing left but ids and codes; they are sealed with the API key's own.
    """
    session.flush()
    key = session.get_one(DataKey, about.data_key_id, populate_existing=True) if about is not None else None
    if key is None or key.wrapped is None:
        key = session.get_one(DataKey, session.get_one(ApiKey, row.key_id).data_key_id)
    document = {"headers": answer.headers, "body": answer.body}
    sealed = vault_of(session).seal_json(key, document, _place(row.id))
    row.data_key_id, row.answer_sealed, row.status = key.id, sealed, answer.status
    session.flush()


def forget(session: Session, *, before: datetime) -> int:
    """Remove answers whose day was over by then; returns how many."""
    gone = session.execute(delete(ApiAnswer).where(ApiAnswer.expires_at <= before))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _insert(session: Session, row: ApiAnswer) -> bool:
    """Write the row unless there is one; waits for another transaction that is writing it. Raises StillRunning."""
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if on_postgresql else sqlite.insert
    values = {name: getattr(row, name) for name in ("id", "key_id", "subject", "request_hash", "created_at", "expires_at")}
    statement = (
        insert(ApiAnswer).values(**values).on_conflict_do_nothing(index_elements=["key_id", "subject"]).returning(ApiAnswer.id)
    )
    if on_postgresql:
        session.execute(text(f"SET LOCAL lock_timeout = {int(WAIT.total_seconds() * 1000)}"))
    try:
        written = session.execute(statement).first() is not None  # psycopg does not always tell how many rows there were
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise StillRunning from None
        raise
    if on_postgresql:
        session.execute(text("SET LOCAL lock_timeout = 0"))
    return written


def _read(session: Session, row: ApiAnswer) -> Answer:
    assert row.status is not None and row.answer_sealed is not None  # a CHECK of the table
    try:
        document = vault_of(session).open_json(session.get_one(DataKey, row.data_key_id), row.answer_sealed, _place(row.id))
    except KeyDestroyed:
        raise AnswerErased from None
    return Answer(status=row.status, headers=document["headers"], body=document["body"])


def _hash(session: Session, value: bytes) -> str:
    """Keyed, since the body of a request is a name and a birth date: a plain hash would let them be guessed."""
    secret: str = session.info["settings"].secret_key
    return hmac.new(secret.encode(), b"idempotency\0" + value, hashlib.sha256).hexdigest()


def _place(row_id: UUID) -> str:
    return f"api_answers.answer|{row_id}"
