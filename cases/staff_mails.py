"""Mail to staff: rows written with the change itself (the outbox), put into words and sent later by `workers.notify`.

A row holds ids, numbers and codes; an address, a name or a word of a customer never. What a mail of some kind says beyond its
text, and what is attached to it, is made when it is sent, by the function that `register` was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cases import audit, outbox, wording
from cases import staff as people
from cases.host_tables import StaffMail
from cases.models import Staff

HALTED = "halted"
ROLLED_BACK = "rolled_back"
UNDO_BEGUN = "undo_begun"
SECOND_WANTED = "second_wanted"
WEEKLY_REPORT = "weekly_report"

KINDS = (HALTED, ROLLED_BACK, UNDO_BEGUN, SECOND_WANTED, WEEKLY_REPORT)
"""What staff are told of; each has a text `staff_KIND` in each language."""

_CODE = re.compile(r"[A-Za-z0-9_.:+-]{0,120}")
"""What a text of the context may look like: a code, an id, a time. No space, no letter outside ASCII, no address."""


@dataclass(frozen=True, kw_only=True)
class StaffMessage:
    """All a sender needs."""

    id: UUID
    staff_id: UUID
    kind: str
    locale: str  # one of wording.LANGUAGES
    recipient: str = field(repr=False)
    tries: int
    created_at: datetime
    staff_url: str  # of desk and ops, without a slash at its end
    context: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that goes with a mail."""

    name: str  # ASCII, with its ending
    media: str  # "application/pdf"
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is made for a mail when it is sent: words for the `$names` of its text, the same as HTML, files."""

    words: Mapping[str, str]
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()


Maker = Callable[..., Made]
"""`make(session, message, *, now) -> Made`, called in a session that only reads."""

_makers: dict[str, Maker] = {}


def register(kind: str, make: Maker) -> None:
    """Say what makes a kind of mail. Raises ValueError for an unknown kind."""
    _known(kind)
    _makers[kind] = make


def make(session: Session, message: StaffMessage, *, now: datetime) -> Made:
    """Make what a mail says. Raises KeyError when nobody registered its kind."""
    return _makers[message.kind](session, message, now=now)


def owe(session: Session, staff: Staff, kind: str, *, key: str, context: Mapping[str, Any], now: datetime) -> StaffMail | None:
    """Owe one person a mail, in the caller's transaction. None: this key was owed to her before.

    `key` names what it tells of, as "halt:ID". `context` holds what JSON knows: numbers, codes and lists of them. Raises
    ValueError for an unknown kind and for anything that could be words.
    """
    _known(kind)
    if not _CODE.fullmatch(key) or not key:
        raise ValueError("a key is a code")
    plain = {name: _plain(f"{kind}.{name}", value) for name, value in context.items()}
    if session.scalar(select(StaffMail.id).where(StaffMail.staff_id == staff.id, StaffMail.key == key)) is not None:
        return None
    row = StaffMail(id=uuid4(), staff_id=staff.id, kind=kind, key=key, context=plain, created_at=now, next_at=now, tries=0)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # somebody else owed the same meanwhile
        return None
    return row


def owe_all(
    session: Session, staff: Iterable[Staff], kind: str, *, key: str, context: Mapping[str, Any], now: datetime
) -> list[StaffMail]:
    """Owe several people the same. Returns what is new."""
    rows = [owe(session, one, kind, key=key, context=context, now=now) for one in staff]
    return [row for row in rows if row is not None]


def tell(
    session: Session,
    permission: str,
    kind: str,
    *,
    key: str,
    context: Mapping[str, Any],
    now: datetime,
    but: Iterable[UUID | None] = (),
) -> list[StaffMail]:
    """Owe everybody who may do something the same, without those who know it already (`but`)."""
    informed = set(but)
    wanted = [one for one in people.holding(session, permission) if one.id not in informed]
    return owe_all(session, wanted, kind, key=key, context=context, now=now)


def due(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Mails that are owed and that nobody is sending, oldest first."""
    return outbox.due(session, StaffMail, now=now, limit=limit)


def begin_sending(session: Session, mail_id: UUID, *, now: datetime) -> StaffMessage | None:
    """Take one mail under a lease. None when it is sent, being sent, or not due; and when its reader's account is closed."""
    row = outbox.take(session, StaffMail, mail_id, now=now)
    if row is None:
        return None
    staff = session.get_one(Staff, row.staff_id)
    if not staff.active:
        row.lease_until, row.given_up_at = None, now
        _record(session, "staff_mail_given_up", row, now)
        return None
    settings = session.info["settings"]
    message = StaffMessage(
        id=row.id,
        staff_id=staff.id,
        kind=row.kind,
        locale=wording.language_of(staff.locale) or wording.language_of(settings.default_locale) or wording.SOURCE,
        recipient=staff.email,
        tries=row.tries,
        created_at=row.created_at,
        staff_url=settings.staff_url.rstrip("/"),
        context=dict(row.context),
    )
    session.flush()
    return message


def sent(session: Session, mail_id: UUID, *, now: datetime) -> None:
    """The server took it."""
    row = outbox.done(session, StaffMail, mail_id, now=now)
    if row is not None:
        _record(session, "staff_mail_sent", row, now)


def failed(session: Session, mail_id: UUID, *, now: datetime) -> None:
    """It did not leave: tried again later, given up at last (`outbox.put_off`)."""
    row = outbox.put_off(session, StaffMail, mail_id, now=now)
    if row is not None:
        _record(session, "staff_mail_given_up", row, now)


def _known(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"unknown mail to staff: {kind}")


def _plain(name: str, value: Any) -> Any:
    """`value`, if it is a number, a code or a list of them. Raises ValueError without showing it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and _CODE.fullmatch(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, dict):
        return {_plain(name, key): _plain(name, item) for key, item in value.items()}
    raise ValueError(f"{name}: only ids, numbers and codes may stand here")


def _record(session: Session, kind: str, row: StaffMail, now: datetime) -> None:
    audit.record(
        session,
        kind,
        actor=audit.SYSTEM,
        now=now,
        staff_mail_id=row.id,
        staff_mail=row.kind,
        staff_id=row.staff_id,
        tries=row.tries,
    )
