"""Passkeys of staff: the public halves, by which a device proves that it is there and who unlocked it.

Signatures are checked at the edge (webapp.passkeys); here stands what may be done with a passkey and what is remembered of it.
A passkey comes on top of the one-time code, never in its place at the first log-in; an admin's reset forgets all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit
from cases.host_tables import StaffPasskey
from cases.models import Staff

MOST = 10
"""Passkeys of one person: a phone, a computer and a key or two, several times over."""

NAME_LENGTH = 60
"""Letters of a passkey's name."""

TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})
"""What browsers know (WebAuthn level 3, 5.8.4); another word is left out."""


class TooMany(Exception):
    """She has MOST already."""


class Taken(Exception):
    """This very passkey is known already."""


class LastWay(Exception):
    """Without it she would have no second factor left."""


def of(session: Session, staff_id: UUID) -> list[StaffPasskey]:
    """Her passkeys, oldest first."""
    held = select(StaffPasskey).where(StaffPasskey.staff_id == staff_id).order_by(StaffPasskey.added_at, StaffPasskey.id)
    return list(session.scalars(held))


def usable(session: Session, staff_id: UUID) -> list[StaffPasskey]:
    """Those that open something."""
    return [one for one in of(session, staff_id) if one.doubted_at is None]


def find(session: Session, credential_id: bytes) -> StaffPasskey | None:
    """The passkey with this id, locked so that two uses cannot both move its count; one that is in doubt as well."""
    return session.scalars(select(StaffPasskey).where(StaffPasskey.key == _key(credential_id)).with_for_update()).one_or_none()


def add(
    session: Session,
    person: Staff,
    *,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    transports: Iterable[str],
    synced: bool,
    name: str,
    now: datetime,
) -> StaffPasskey:
    """Keep a new passkey of `person`, whose row the caller has locked. Raises TooMany and Taken."""
    if len(of(session, person.id)) >= MOST:
        raise TooMany
    if find(session, credential_id) is not None:
        raise Taken
    made = StaffPasskey(
        staff_id=person.id,
        key=_key(credential_id),
        credential_id=credential_id,
        public_key=public_key,
        sign_count=sign_count,
        transports=sorted(set(transports) & TRANSPORTS),
        synced=synced,
        name=name,
        added_at=now,
    )
    session.add(made)
    session.flush()
    audit.record(session, "passkey_added", actor=audit.Actor.staff(person), now=now, passkey_id=made.id, synced=synced)
    return made


def used(passkey: StaffPasskey, *, sign_count: int, now: datetime) -> None:
    """It opened something. `sign_count` must be above the last one, or both 0 (`went_back`)."""
    passkey.sign_count, passkey.used_at = sign_count, now


def went_back(passkey: StaffPasskey, sign_count: int) -> bool:
    """Whether its count did not grow: somebody else may have a copy (WebAuthn level 3, 6.1.1)."""
    return (sign_count > 0 or passkey.sign_count > 0) and sign_count <= passkey.sign_count


def doubt(session: Session, passkey: StaffPasskey, *, now: datetime) -> None:
    """Let it open nothing from now on; its owner sees why on her page."""
    passkey.doubted_at = now
    session.flush()
    actor = audit.Actor(kind="staff", id=str(passkey.staff_id))
    audit.record(session, "passkey_doubted", actor=actor, now=now, passkey_id=passkey.id)


def remove(session: Session, person: Staff, passkey_id: UUID, *, provider_factor: bool, now: datetime) -> bool:
    """Forget one of hers, whose row the caller has locked; False when there is none. Raises LastWay.

    `provider_factor`: the provider at which she signs in asks for a second factor itself.
    """
    held = of(session, person.id)
    gone = next((one for one in held if one.id == passkey_id), None)
    if gone is None:
        return False
    others = [one for one in held if one is not gone and one.doubted_at is None]
    if not (person.tf_totp_secret or provider_factor or others):
        raise LastWay
    session.delete(gone)
    session.flush()
    actor = audit.Actor.staff(person)
    audit.record(session, "passkey_removed", actor=actor, now=now, passkey_id=passkey_id, staff_id=person.id, why="owner")
    return True


def forget(session: Session, person: Staff, *, actor: audit.Actor, now: datetime) -> int:
    """Forget all of hers, as an admin's reset does: the phone is lost. Returns how many there were."""
    held = of(session, person.id)
    for one in held:
        session.delete(one)
    session.flush()
    for one in held:
        audit.record(session, "passkey_removed", actor=actor, now=now, passkey_id=one.id, staff_id=person.id, why="reset")
    return len(held)


def _key(credential_id: bytes) -> str:
    return hashlib.sha256(credential_id).hexdigest()
