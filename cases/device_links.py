"""Go on with a case on the phone: a link made on one device, opened and confirmed on another.

The link is a key that travels by eye, chat or mail, so it may reach the wrong hands both ways:

* A thief's phone in her case. Whoever reads the screen over her shoulder, or gets the link that she sent to herself, may
  open it before her. Opening gives nothing: only then a number appears on the screen where the link was made, and the
  phone has one choice among three. A wrong choice, a "no", or a second device that opens the same link ends it, and both
  screens say so. What a thief who guessed right may do is little: the connected phone sees no name, number, photo or
  letter of the request and changes none of the details; it adds photos, which are compared as all others are.
* Her phone in a thief's case. He makes a link in a case of his own and sends it to her ("the bank asks you to confirm"), to
  get her passport and her face. So her phone asks first whether she started this, in which browser and when; it says that
  a link somebody sent is a reason to say no; the number stands on a screen that she does not have, and only for as long as
  he waits on the line; a phone that is signed in to another account ends the link. What he talks her into nevertheless meets
  the same checks as photos he had stolen elsewhere, and the trail of the case says that it was photographed so. Once somebody
  said no, or opened it in another account, a person decides the case (`doubted`).

After REFUSALS such ends within a day nobody connects a phone to that account until the day is over. A link works for
LIFETIME and for one device; looking at its address uses nothing up, since mail scanners and previews do that. A device is
known by a key that its own session holds before it opens the link: a second tap, or the same tap sent again because its
answer was lost, is the same opening. Until LIFETIME is over a second device ends the link also after the number was chosen:
if the thief was first, hers is the second.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cases import audit, moves
from cases.lifecycle import Action, IllegalTransition, State
from cases.models import Case, DeviceLink, Event

LIFETIME = timedelta(minutes=15)
"""Between making a link and choosing the number (login.gov gives as long, facts/ecosystem.md 2.1)."""

REFUSALS = 3
REFUSALS_WITHIN = timedelta(days=1)
"""Ends that an honest pair of devices does not have. Each costs a guess of one in three and is told on both screens; after
three she shall ask somebody, not make another link."""

SIGN_OF_LIFE = timedelta(seconds=30)
"""How fine the last sign of the phone is kept: a row is not written for every request."""

ENDS = ("wrong_number", "declined", "opened_twice", "other_account", "stopped", "replaced", "left")
SUSPICIOUS = ENDS[:4]
"""Why a link ended. The suspicious ones count towards REFUSALS."""

NOT_HERS = ("declined", "other_account")
"""Ends by which somebody else says that the request is not hers: such a case is decided by a person."""


class LinkGone(Exception):
    """The link leads nowhere; `why` is "unknown", "expired", "used", or a code of ENDS."""

    def __init__(self, why: str) -> None:
        super().__init__(f"device link: {why}")
        self.why = why


class TooManyRefusals(Exception):
    """No phone may be connected to this account today."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """What a browser says it is, as two codes: ("chrome", "windows"). A hint for people, never proof."""

    browser: str
    system: str


def make(session: Session, case_id: UUID, *, device: Device, now: datetime) -> tuple[str, DeviceLink]:
    """Return a token of 256 bits, kept as its hash only, and the row of its link. The link before it ends.

    Raises IllegalTransition unless photos may still be sent, TooManyRefusals.
    """
    case = moves.lock(session, case_id)
    if case.state not in (State.DRAFT, State.NEEDS_RETAKE):
        raise IllegalTransition(case.state, Action.SUBMIT)
    refused = select(func.count()).select_from(DeviceLink)
    refused = refused.where(
        DeviceLink.customer_id == case.customer_id,
        DeviceLink.ended_at > now - REFUSALS_WITHIN,
        DeviceLink.ended_why.in_(SUSPICIOUS),
    )
    if session.scalar(refused) >= REFUSALS:  # type: ignore[operator]
        raise TooManyRefusals
    before = living(session, case.id)
    if before is not None:
        _end(session, before, "replaced", now=now)
    token, offered = secrets.token_urlsafe(32), draw_numbers()
    link = DeviceLink(
        id=uuid4(),
        customer_id=case.customer_id,
        case_id=case.id,
        token_hash=_hash(token),
        browser=device.browser,
        system=device.system,
        number=secrets.choice(offered),
        offered=offered,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    session.add(link)
    _record(session, "made", link, now=now, expires_at=link.expires_at)
    return token, link


def draw_numbers() -> list[int]:
    """Three numbers from 10 to 99 that nobody takes for each other: no digit stands twice in the same place, none is reversed."""
    while True:
        drawn = [10 + secrets.randbelow(90) for _ in range(3)]
        tens, ones = [n // 10 for n in drawn], [n % 10 for n in drawn]
        if len(set(tens)) == len(set(ones)) == 3 and len({frozenset(divmod(n, 10)) for n in drawn}) == 3:
            return drawn


def look(session: Session, token: str, *, now: datetime) -> DeviceLink:
    """The link of a token whose time is not over, connected or not. Changes nothing. Raises LinkGone."""
    link = session.scalars(select(DeviceLink).where(DeviceLink.token_hash == _hash(token))).one_or_none()
    if link is None:
        raise LinkGone("unknown")
    if link.ended_why is not None:
        raise LinkGone(link.ended_why)
    if now >= link.expires_at:
        raise LinkGone("expired" if link.confirmed_at is None else "used")
    return link


def opened(session: Session, token: str, *, key: str, device: Device, account: UUID | None, now: datetime) -> DeviceLink:
    """A person on another device says that she made the link. From then on `key`, which only that device has, stands for it.

    `account` is whose that device is already, if anybody's. The link may have ended by this: it belongs to another account,
    or another device was first, and then one of the two is not hers. The caller commits also then. Raises LinkGone.
    """
    link = _locked(session, look(session, token, now=now).id)
    link = look(session, token, now=now)  # what it was before the lock may be over
    if account is not None and account != link.customer_id:
        _end(session, link, "other_account", now=now)
        return link
    if link.phone_hash is not None:
        if not hmac.compare_digest(link.phone_hash, _hash(key)):
            _end(session, link, "opened_twice", now=now)
        return link
    link.opened_at, link.phone_hash = now, _hash(key)
    link.phone_browser, link.phone_system = device.browser, device.system
    _record(session, "opened", link, now=now)
    return link


def draw_key() -> str:
    """A key for a device that is about to open a link: 256 bits."""
    return secrets.token_urlsafe(32)


def decline(session: Session, token: str, *, now: datetime) -> None:
    """A person on another device says that she did not make it. Raises LinkGone."""
    link = _locked(session, look(session, token, now=now).id)
    if link.ended_at is None:
        _end(session, link, "declined", now=now)


def waiting(session: Session, link_id: UUID, key: str, *, now: datetime) -> DeviceLink:
    """The link that this device opened and has not confirmed yet. Raises LinkGone."""
    link = session.get(DeviceLink, link_id, populate_existing=True)
    if link is None or link.phone_hash is None or not hmac.compare_digest(link.phone_hash, _hash(key)):
        raise LinkGone("unknown")
    if link.ended_why is not None:
        raise LinkGone(link.ended_why)
    if link.confirmed_at is None and now >= link.expires_at:
        raise LinkGone("expired")
    return link


def confirm(
    session: Session, link_id: UUID, key: str, number: int | None, *, account: UUID | None = None, now: datetime
) -> DeviceLink:
    """Connect the phone if this is the number; any other, or none, ends the link, and so does `account` where it is not hers.

    One choice. A second click finds it connected, whatever it says. The caller commits also where it ended. Raises LinkGone.
    """
    waiting(session, link_id, key, now=now)
    _locked(session, link_id)
    link = waiting(session, link_id, key, now=now)
    if account is not None and account != link.customer_id:
        _end(session, link, "other_account", now=now)
        return link
    if link.confirmed_at is not None:
        return link
    if number != link.number:
        _end(session, link, "wrong_number", now=now)
        return link
    link.confirmed_at = link.seen_at = now
    _record(session, "confirmed", link, now=now)
    return link


def connected(session: Session, link_id: UUID) -> DeviceLink | None:
    """The link by which a phone is connected now; None once it has ended."""
    link = session.get(DeviceLink, link_id)
    return link if link is not None and link.confirmed_at is not None and link.ended_at is None else None


def seen(session: Session, link: DeviceLink, *, now: datetime) -> None:
    """Note a sign of the connected phone."""
    if link.seen_at is None or now - link.seen_at >= SIGN_OF_LIFE:
        link.seen_at = now
        session.flush()


def end(session: Session, link_id: UUID, why: str, *, now: datetime) -> None:
    """End a link, connected or not: "stopped" where it was made, "left" on the phone. May be repeated."""
    link = _locked(session, link_id)
    if link.ended_at is None:
        _end(session, link, why, now=now)


def living(session: Session, case_id: UUID) -> DeviceLink | None:
    """The link of a case that has not ended; its time may be over."""
    return session.scalars(select(DeviceLink).where(DeviceLink.case_id == case_id, DeviceLink.ended_at.is_(None))).one_or_none()


def doubted(session: Session, case_id: UUID) -> bool:
    """Whether a device that opened a link of this case was somebody else's, as the trail says; links themselves are forgotten."""
    ends = session.scalars(select(Event.details).where(Event.case_id == case_id, Event.kind == "device_link_ended"))
    return any(details.get("why") in NOT_HERS for details in ends)


def forget(session: Session, *, before: datetime) -> None:
    """Remove links whose time was over before that moment."""
    session.execute(delete(DeviceLink).where(DeviceLink.expires_at < before))


def _locked(session: Session, link_id: UUID) -> DeviceLink:
    """Lock the case first, then the link: the order of everybody who changes something about a case."""
    case_id = session.scalars(select(DeviceLink.case_id).where(DeviceLink.id == link_id)).one()
    moves.lock(session, case_id)
    return session.get_one(DeviceLink, link_id, with_for_update=True, populate_existing=True)


def _end(session: Session, link: DeviceLink, why: str, *, now: datetime) -> None:
    if why not in ENDS:
        raise ValueError(f"unknown end of a device link: {why}")
    link.ended_at, link.ended_why = now, why
    _record(session, "ended", link, now=now, why=why)


def _record(session: Session, what: str, link: DeviceLink, *, now: datetime, **details: Any) -> None:
    """Whoever acts does so in the name of the account; a stranger's device is told by `why`."""
    session.flush()
    case = session.get_one(Case, link.case_id)
    actor = audit.Actor(kind="customer", id=str(link.customer_id))
    audit.record(session, f"device_link_{what}", actor=actor, now=now, case=case, device_link_id=link.id, **details)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
