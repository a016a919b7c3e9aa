"""Who is told what after which event: rows written with the change itself (the outbox), sent later by `workers.notify`.

A message is owed until it is sent: a sender takes it under a lease, and one that dies is followed by another. So a
message may arrive twice, never not at all; its id serves as Message-ID, by which mailboxes drop the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from babel.dates import format_date
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cases import audit, outbox, wording
from cases.crypto import vault_of
from cases.models import Case, Customer, Notification, ProfileVersion, Writer
from verification.evidence import Field
from verification.reasons import PhotoKind

KINDS = (
    "approved",
    "approved_in_part",
    "needs_retake",
    "in_review",
    "rejected",
    "reverted",
    "expired",
    "message",
    "draft_saved",
    "held",
    "rechecked",
    "change_stands",
    "paper_asked",
)
"""What customers are told of; each has a text in each language."""

APPROVALS = ("approved", "approved_in_part")
"""Kinds that go to the new address too, if there is one, and so carry no link into the case."""

DISPUTABLE = (*APPROVALS, "needs_retake", "in_review", "rechecked")
"""Kinds whose mail carries a "this was not me" link; it works without signing in, and the account comes under watch."""

WITH_WORDS = wording.N_("The person who looked has also written you a few words; they stand there too.")
"""In the mail about an answer that words came with. The words themselves are read where she is signed in: mail is not sealed."""

LINK_LIFETIME = timedelta(days=30)
"""How long "this was not me" and the link to the case work: as long as photos are kept by default."""

SENDING, GIVE_UP_AFTER = outbox.SENDING, outbox.GIVE_UP_AFTER


@dataclass(frozen=True, kw_only=True)
class Message:
    """All a sender needs. `context` holds addresses of pages and codes, no personal data."""

    id: UUID
    case_id: UUID | None
    kind: str
    locale: str
    recipient: str
    tries: int
    context: dict[str, Any] = field(repr=False)


def add(
    session: Session,
    case: Case,
    kind: str,
    *,
    now: datetime,
    actor: audit.Actor = audit.SYSTEM,
    to_old: bool = True,
    to_new: bool | None = None,
) -> list[Notification]:
    """Owe the customer a message about a case. Call it after the change it tells of.

    Old address: the one held before the change. New address: the one claimed; by default it hears of an approval
    only, since until then nobody has shown that it is hers. The same address is told once. No mail leaves the sandbox: its
    addresses are made up, and may be somebody's.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown notification: {kind}")
    if case.trial:
        return []
    customer = session.get_one(Customer, case.customer_id)
    old, new = _addresses(session, customer, case)
    wanted = [(old, True)] if to_old else []
    if (kind in APPROVALS if to_new is None else to_new) and new and new.casefold() != old.casefold():
        wanted.append((new, False))
    rows = []
    for address, is_old in wanted:
        row = Notification(
            id=uuid4(),
            customer_id=customer.id,
            case_id=case.id,
            kind=kind,
            locale=case.locale,
            to_old_address=is_old,
            created_at=now,
            next_at=now,
            tries=0,
        )
        row.recipient_sealed = vault_of(session).seal(customer.data_key, address.encode(), _place(row.id))
        session.add(row)
        audit.record(
            session,
            "notification_added",
            actor=actor,
            now=now,
            case=case,
            notification_id=row.id,
            notification=kind,
            to_old=is_old,
        )
        rows.append(row)
    return rows


def due(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Messages that are owed and that nobody is sending, oldest first."""
    return outbox.due(session, Notification, now=now, limit=limit)


def begin_sending(session: Session, notification_id: UUID, *, now: datetime) -> Message | None:
    """Take one message under a lease, with fresh links. None when it is sent, being sent, or not due."""
    row = outbox.take(session, Notification, notification_id, now=now)
    if row is None:
        return None
    customer = session.get_one(Customer, row.customer_id)
    case = session.get(Case, row.case_id) if row.case_id else None
    message = Message(
        id=row.id,
        case_id=row.case_id,
        kind=row.kind,
        locale=row.locale,
        recipient=recipient(session, row, customer),
        tries=row.tries,
        context=_context(session, row, customer, case, now),
    )
    session.flush()
    return message


def recipient(session: Session, row: Notification, customer: Customer) -> str:
    """The address a message is for; "" once it was forgotten."""
    if not row.recipient_sealed:
        return ""
    return vault_of(session).open(customer.data_key, row.recipient_sealed, _place(row.id)).decode()


def sent(session: Session, notification_id: UUID, *, now: datetime) -> None:
    """The server took it."""
    row = outbox.done(session, Notification, notification_id, now=now)
    if row is not None:
        _record(session, "notification_sent", row, now)


def failed(session: Session, notification_id: UUID, *, now: datetime) -> None:
    """It did not leave: tried again later, given up at last (`outbox.put_off`)."""
    row = outbox.put_off(session, Notification, notification_id, now=now)
    if row is not None:
        _record(session, "notification_given_up", row, now)


def forget_recipients(session: Session, *, now: datetime, limit: int = 1000) -> int:
    """Empty the addresses of messages that were sent, or given up, `mail_days` ago; returns how many."""
    before = now - timedelta(days=session.info["settings"].mail_days)
    old = session.scalars(
        select(Notification)
        .where(
            Notification.created_at <= before,
            or_(Notification.sent_at <= before, Notification.given_up_at <= before),
            func.length(Notification.recipient_sealed) > 0,
        )
        .order_by(Notification.created_at, Notification.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in old:
        row.recipient_sealed = b""
    session.flush()
    if old:
        audit.record(session, "recipients_forgotten", actor=audit.SYSTEM, now=now, count=len(old))
    return len(old)


def render(kind: str, locale: str, context: Mapping[str, Any], *, texts: Path) -> tuple[str, str]:
    """Subject and body of a message, as `outbox.render` makes them. Raises ValueError for an unknown kind, KeyError."""
    if kind not in KINDS:
        raise ValueError(f"unknown notification: {kind}")
    return outbox.render(kind, locale, context, texts=texts)


def in_words(context: Mapping[str, Any], locale: str) -> dict[str, str]:
    """Turn the codes and times of a message's context into words of its language."""
    due = context.get("due_at")
    words = {name: value for name, value in context.items() if name.endswith("_url")}
    words["due"] = format_date(due, "long", locale=locale) if due else ""
    words["words"] = f"\n{wording.gettext(locale)(WITH_WORDS)}\n" if context.get("words") else ""
    words["photos"] = ", ".join(wording.label(PhotoKind(kind), locale).lower() for kind in context.get("retake", ()))
    words["held"] = ", ".join(_held_words(code, locale) for code in context.get("held", ()))
    return words


def _held_words(code: str, locale: str) -> str:
    """A detail that was not accepted, as it is called in the middle of a sentence."""
    from cases import answers

    words = wording.gettext(locale)("E-mail address") if code == answers.EMAIL else wording.label(Field(code), locale)
    return words[:1].lower() + words[1:]


def _context(session: Session, row: Notification, customer: Customer, case: Case | None, now: datetime) -> dict[str, Any]:
    """What texts may use: portal_url, case_url, not_me_url, due_at, reasons, retake, held, words."""
    from cases import answers, conversations, customers  # they import modules that owe messages

    portal = session.info["settings"].portal_url.rstrip("/")
    context: dict[str, Any] = {
        "portal_url": portal,
        "case_url": portal,
        "not_me_url": "",
        "due_at": None,
        "reasons": [],
        "retake": [],
        "words": False,
    }
    if case is not None:
        due_at = case.due_at
        if row.kind == "draft_saved":
            due_at = case.updated_at + timedelta(days=session.info["settings"].draft_days)
        if row.kind == "paper_asked":
            due_at = case.awaiting_until or row.created_at + timedelta(days=session.info["settings"].draft_days)
        if row.kind in ("needs_retake", "rejected"):
            context["words"] = conversations.unseen(session, case.id, Writer.STAFF)
        context.update(due_at=due_at, reasons=list(case.reasons), retake=list(case.retake), state=case.state.value)
        if row.kind == "approved_in_part":
            context["held"] = list(answers.held(session, case))
        if row.kind in DISPUTABLE:
            token = customers.make_link(session, "not_me", customer, case=case, lifetime=LINK_LIFETIME, now=now)
            context["not_me_url"] = f"{portal}/not-me/{token}"
        if row.kind not in APPROVALS:
            token = customers.make_link(session, "case", customer, case=case, lifetime=LINK_LIFETIME, now=now)
            context["case_url"] = f"{portal}/links/{token}"
    return context


def _addresses(session: Session, customer: Customer, case: Case) -> tuple[str, str | None]:
    """The address held before the case, and the one it brings."""
    from cases import profiles

    def held(version_id: UUID | None) -> str | None:
        if version_id is None:
            return None
        return profiles.read_version(session, customer, session.get_one(ProfileVersion, version_id))[1]

    old = held(case.prior_version_id) or held(customer.profile_version_id)
    assert old is not None  # a case is opened over a profile
    if case.applied_version_id is not None:
        return old, held(case.applied_version_id)
    return old, profiles.read_claim(session, case)[1] if case.claim_sealed is not None else None


def _place(notification_id: UUID) -> str:
    return f"notifications.recipient|{notification_id}"


def _record(session: Session, kind: str, row: Notification, now: datetime) -> None:
    audit.record(
        session,
        kind,
        actor=audit.SYSTEM,
        now=now,
        case_id=row.case_id,
        customer_id=row.customer_id,
        notification_id=row.id,
        notification=row.kind,
        tries=row.tries,
    )
