"""A stretch of the audit trail as a file that an outside auditor can check without us.

Three files: the rows as CSV, a statement of a few lines (hash of the CSV, how many rows, from when to when), and an Ed25519
signature of the statement. Codes and ids only, as in the trail itself. The key is derived from AUDIT_KEY, so there is no other
secret to keep; its public half is given to auditors by another way than the files (`flask audit public-key`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import audit
from cases.models import Event

FORMAT = "peremena audit export 1"
COLUMNS = ("id", "at", "kind", "actor_kind", "actor_id", "case_id", "customer_id", "details", "previous", "hash")
STATEMENT, SIGNATURE = ".statement", ".sig"
"""What is put after the CSV's name for the other two files."""

AT_A_TIME = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


class NotGenuine(Exception):
    """The files are not what this key signed; the text says which part is wrong."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was written."""

    rows: int
    first: int | None  # event numbers
    last: int | None
    sha256: str  # of the CSV
    statement: bytes
    signature: bytes  # 64 bytes over `statement`


def count(session: Session, *, since: datetime, until: datetime) -> int:
    """How many events an export from `since` up to, not including, `until` would hold."""
    return session.scalar(select(func.count()).where(Event.at >= since, Event.at < until)) or 0


def write(session: Session, out: BinaryIO, *, since: datetime, until: datetime, now: datetime) -> Export:
    """Write the rows to `out`, oldest first, and sign what was written. Reads in portions; changes nothing.

    Raises ValueError when the stretch ends before it begins.
    """
    if until <= since:
        raise ValueError("the stretch ends before it begins")
    digest, rows, first, last = hashlib.sha256(), 0, None, None
    query = select(*Event.__table__.columns).where(Event.at >= since, Event.at < until).order_by(Event.at, Event.id)
    for line, number in _lines(session.execute(query.execution_options(yield_per=AT_A_TIME)).mappings()):
        out.write(line)
        digest.update(line)
        if number is not None:
            rows, first, last = rows + 1, number if first is None else min(first, number), max(last or 0, number)
    sha256 = digest.hexdigest()
    told = {
        "format": FORMAT,
        "rows": rows,
        "first": first or "none",
        "last": last or "none",
        "since": _time(since),
        "until": _time(until),
        "made": _time(now),
        "sha256": sha256,
        "key": fingerprint(public_key(session)),
    }
    statement = "".join(f"{name}: {value}\n" for name, value in told.items()).encode()
    signature = _private_key(session).sign(statement)
    return Export(rows=rows, first=first, last=last, sha256=sha256, statement=statement, signature=signature)


def note(session: Session, export: Export, *, actor: audit.Actor, since: datetime, until: datetime, now: datetime) -> None:
    """Write into the trail that somebody took a copy of a part of it."""
    audit.record(
        session, "audit_exported", actor=actor, now=now, count=export.rows, since=since, until=until, first=export.first,
        last=export.last, sha256=export.sha256,
    )  # fmt: skip


def check(file: Path, key: Ed25519PublicKey) -> dict[str, str]:
    """Return what the statement beside `file` says, once signature, hash and rows fit. Raises NotGenuine."""
    try:
        statement, signature = (file.with_name(file.name + ending).read_bytes() for ending in (STATEMENT, SIGNATURE))
    except OSError:
        raise NotGenuine("the statement or the signature is missing") from None
    try:
        key.verify(signature, statement)
    except InvalidSignature:
        raise NotGenuine("the statement was not signed with this key, or was changed since") from None
    told = dict(line.split(": ", 1) for line in statement.decode().splitlines())
    if told.get("format") != FORMAT:
        raise NotGenuine("the format is not known")
    with file.open("rb") as data:
        found = hashlib.file_digest(data, "sha256").hexdigest()
    if found != told["sha256"]:
        raise NotGenuine("the rows were changed since they were signed")
    return told


def public_key(session: Session) -> Ed25519PublicKey:
    """The half of the key that may be given away."""
    return _private_key(session).public_key()


def pem(key: Ed25519PublicKey) -> bytes:
    """The public key as PEM, as OpenSSL reads it."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_key(data: bytes) -> Ed25519PublicKey:
    """Read what `pem` wrote. Raises ValueError."""
    key = serialization.load_pem_public_key(data)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the raw key: short enough to be compared by eye or on the phone."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(_FORMULA) or (text.strip() and text.lstrip()[:1] in _FORMULA) else text


def _lines(rows: Any) -> Iterator[tuple[bytes, int | None]]:
    """The head, then each row with its number, as bytes of RFC 4180 CSV."""
    yield _line(COLUMNS), None
    for row in rows:
        yield _line(tuple(_cell(row, name) for name in COLUMNS)), row["id"]


def _line(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) for cell in cells])
    return out.getvalue().encode()


def _cell(row: Mapping[Any, Any], name: str) -> str:
    value = row[name]
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if name == "details":
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return str(value)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _private_key(session: Session) -> Ed25519PrivateKey:
    """Derived from AUDIT_KEY for this one purpose (HKDF, RFC 5869), so that it is neither stored nor guessed from another use."""
    kept: str = session.info["settings"].audit_key
    seed = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"peremena audit export signature 1").derive(kept.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)
