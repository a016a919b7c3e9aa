"""Keys of the host system: made, shown once, checked, replaced with an overlap, revoked.

A token holds 256 random bits, so a plain hash of it hides it for good; nobody, we included, can show it again. Test keys live
in a world of their own: what they write are customers of the sandbox, and they see no other (`may_see`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cases import audit
from cases import staff as people
from cases.crypto import vault_of
from cases.host_tables import ApiKey
from cases.models import Customer, Staff

MODES = ("live", "test")

SCOPES = (
    "customers:read",
    "customers:write",
    "cases:read",
    "cases:write",
    "links:write",
    "privacy:write",
    "webhooks:read",
    "webhooks:write",
    "sandbox:write",
)
"""What a key may be allowed. A key without a scope may do nothing at all."""

TEST_ONLY = frozenset({"sandbox:write"})
"""What no live key may hold: it makes up answers."""

TOKEN = re.compile(r"pk_(live|test)_[A-Za-z0-9_-]{43}")

SIGN_OF_USE = timedelta(minutes=1)
"""How fine the last use is kept: a row is not written for every request."""

OVERLAP = timedelta(hours=24)
"""For how long a replaced key works beside its successor: time to roll it out to every machine."""

LONGEST_OVERLAP = timedelta(days=30)

LONGEST_NAME = 80


@dataclass(frozen=True, kw_only=True)
class Key:
    """Who asks: the key of this request and what it may do."""

    id: UUID
    name: str
    mode: str
    scopes: frozenset[str]
    return_origins: tuple[str, ...] = ()

    @property
    def sandbox(self) -> bool:
        """Whether it lives in the sandbox."""
        return self.mode == "test"

    @property
    def actor(self) -> audit.Actor:
        """How the trail names it."""
        return audit.Actor(kind="host", id=str(self.id))


def create(
    session: Session,
    *,
    name: str,
    mode: str,
    scopes: Iterable[str],
    return_origins: Iterable[str] = (),
    by: Staff | None,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its token, which is shown this once. `by` None: a command.

    Raises NotAllowed (`by` may not manage keys), ValueError whose text says what is wrong with what was given.
    """
    if by is not None:
        people.require(by, "manage_keys")
    row, token = _make(
        session,
        name=_name(name),
        mode=mode,
        scopes=_scopes(scopes, mode),
        return_origins=sorted({origin_of(text, mode=mode) for text in return_origins}),
        by=by,
        now=now,
        expires_at=_end(expires_at, now),
    )
    audit.record(
        session,
        "api_key_made",
        actor=_actor(by),
        now=now,
        key_id=row.id,
        mode=row.mode,
        scopes=row.scopes,
        expires_at=row.expires_at,
    )
    return row, token


def authenticate(session: Session, token: str, *, now: datetime) -> Key | None:
    """The key behind a token; None when there is none, it was revoked or its time is over. Notes the use, to the minute."""
    if TOKEN.fullmatch(token) is None:
        return None
    row = session.scalars(select(ApiKey).where(ApiKey.token_hash == _hash(token))).one_or_none()
    if row is None or not works(row, now=now):
        return None
    if row.last_used_at is None or now - row.last_used_at >= SIGN_OF_USE:
        session.execute(
            update(ApiKey).where(ApiKey.id == row.id).values(last_used_at=now).execution_options(synchronize_session=False)
        )
    return Key(id=row.id, name=row.name, mode=row.mode, scopes=frozenset(row.scopes), return_origins=tuple(row.return_origins))


def rotate(
    session: Session,
    key_id: UUID,
    *,
    by: Staff | None,
    now: datetime,
    overlap: timedelta = OVERLAP,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A successor with the same rights, and its token; the old key works for `overlap` more, at most as long as it would have.

    Raises NotAllowed, LookupError (no such key), ValueError (it works no more, or the overlap is not within LONGEST_OVERLAP).
    """
    if by is not None:
        people.require(by, "manage_keys")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError(f"the overlap is between nothing and {LONGEST_OVERLAP.days} days")
    old = _locked(session, key_id)
    if not works(old, now=now):
        raise ValueError("this key works no more: make a new one")
    row, token = _make(
        session,
        name=old.name,
        mode=old.mode,
        scopes=list(old.scopes),
        return_origins=list(old.return_origins),
        by=by,
        now=now,
        expires_at=_end(expires_at, now),
        replaces_id=old.id,
    )
    until = now + overlap
    if not overlap:
        old.revoked_at = now
    elif old.expires_at is None or old.expires_at > until:
        old.expires_at = until
    audit.record(
        session,
        "api_key_rotated",
        actor=_actor(by),
        now=now,
        key_id=row.id,
        replaces=old.id,
        until=until if overlap else now,
        expires_at=row.expires_at,
    )
    return row, token


def revoke(session: Session, key_id: UUID, *, by: Staff | None, now: datetime) -> ApiKey:
    """End a key at once. May be repeated. Raises NotAllowed, LookupError."""
    if by is not None:
        people.require(by, "manage_keys")
    row = _locked(session, key_id)
    if row.revoked_at is None:
        row.revoked_at = now
        audit.record(session, "api_key_revoked", actor=_actor(by), now=now, key_id=row.id)
    return row


def every(session: Session) -> list[ApiKey]:
    """All keys, the newest first. A deployment has a handful."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id)))


def works(row: ApiKey, *, now: datetime) -> bool:
    """Whether a request with it is answered now."""
    return row.revoked_at is None and (row.expires_at is None or now < row.expires_at)


def may_see(key: Key, customer: Customer) -> bool:
    """Test keys see customers of the sandbox alone, live keys all others: for the rest there is nobody of that id."""
    return customer.sandbox == key.sandbox


def returns_to(key: Key, address: str) -> bool:
    """Whether a hand-over link of this key may lead back to `address`: its origin is one of the key's."""
    try:
        return origin_of(address, mode=key.mode, whole=False) in key.return_origins
    except ValueError:
        return False


def origin_of(address: str, *, mode: str, whole: bool = True) -> str:
    """Scheme, host and port of an address. `whole`: it must be nothing but an origin. Raises ValueError that says why not.

    https only; a test key may also name http on this machine, where developers work.

    >>> origin_of("https://Bank.example/back?x=1", mode="live", whole=False)
    'https://bank.example'
    """
    # Browsers drop tabs and newlines out of an address and read a backslash as a slash: what we compare must be what they open.
    if not address.isascii() or any(c <= " " or c in '\\"<>`{}|^\x7f' for c in address):
        raise ValueError("an address holds no space, no backslash and no letter outside ASCII")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError("this is not an address") from None
    host = parts.hostname or ""
    local = host in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and mode == "test" and local):
        raise ValueError("an address begins with https://")
    if not host or parts.username is not None or parts.password is not None:
        raise ValueError("an address names a host, and no user")
    if whole and (parts.path not in ("", "/") or parts.query or parts.fragment):
        raise ValueError("an origin is scheme, host and port alone")
    shown = f"[{host}]" if ":" in host else host
    usual = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None and port != usual else "")


def _make(
    session: Session,
    *,
    name: str,
    mode: str,
    scopes: list[str],
    return_origins: list[str],
    by: Staff | None,
    now: datetime,
    expires_at: datetime | None,
    replaces_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    token = f"pk_{mode}_{secrets.token_urlsafe(32)}"
    row = ApiKey(
        id=uuid4(),
        name=name,
        mode=mode,
        scopes=scopes,
        return_origins=return_origins,
        token_hash=_hash(token),
        hint=token[-4:],
        data_key_id=vault_of(session).new_key(session, now=now).id,
        created_by_id=by.id if by else None,
        replaces_id=replaces_id,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row, token


def _locked(session: Session, key_id: UUID) -> ApiKey:
    row = session.get(ApiKey, key_id, with_for_update={"key_share": True}, populate_existing=True)
    if row is None:
        raise LookupError(f"no key {key_id}")
    return row


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a key has a name of 1 to {LONGEST_NAME} characters")
    return name


def _scopes(given: Iterable[str], mode: str) -> list[str]:
    if mode not in MODES:
        raise ValueError(f"a key is {' or '.join(MODES)}")
    wanted: Collection[str] = set(given)
    unknown = sorted(set(wanted) - set(SCOPES))
    if unknown:
        raise ValueError(f"unknown scope: {unknown[0]}")
    if mode == "live" and TEST_ONLY & set(wanted):
        raise ValueError("a live key has no sandbox")
    if not wanted:
        raise ValueError("a key needs at least one scope")
    return [scope for scope in SCOPES if scope in wanted]


def _end(expires_at: datetime | None, now: datetime) -> datetime | None:
    if expires_at is not None and expires_at <= now:
        raise ValueError("a key ends in the future")
    return expires_at


def _actor(by: Staff | None) -> audit.Actor:
    return audit.Actor.staff(by) if by else audit.SYSTEM


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
