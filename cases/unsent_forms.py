"""What a customer sent just after her session had ended: kept for her until she signs in again, and used only then.

It is not done what the form asked for: a session that ended may change nothing. It is kept on the server and not on the
device, since a computer may be shared and a cookie can be read; sealed under the key of its case, or under hers where
no case knows of it yet, for LIFETIME, one form per customer. The newest counts, but whoever holds the cookie of an
older session, or a connected phone, replaces nothing that came from a newer session of hers. `webapp.portal` shows what
it says to nobody else, and asks her before it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cases import moves
from cases.crypto import KeyDestroyed, vault_of
from cases.models import Case, Customer, DataKey, UnsentForm

LIFETIME = timedelta(days=1)
"""She comes back the same evening or not at all; a draft's own answers live for `draft_days`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The session that a form came from: its number, when it began, and whether it was that of a connected phone."""

    number: UUID
    began: datetime
    phone: bool = False

    def may_replace(self, other: Source) -> bool:
        """Whether a form from here counts more than one from there: her own before a phone's, then the newer session."""
        if self.phone != other.phone:
            return not self.phone
        return self.number == other.number or self.began > other.began


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsent:
    """One form: where it was sent to, its fields, and the photo if it held one."""

    address: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    photo: bytes | None = field(default=None, repr=False)
    case_id: UUID | None = None
    at: datetime | None = None
    source: Source | None = None


def is_hers(session: Session, customer_id: UUID, case_id: UUID) -> bool:
    """Whether this case is hers: for any other nothing is kept."""
    case = session.get(Case, case_id)
    return case is not None and case.customer_id == customer_id


def keep(session: Session, customer_id: UUID, form: Unsent, *, now: datetime) -> bool:
    """Keep a form in the place of the one before, and say whether that was done: see `Source.may_replace`."""
    customer = moves.lock_customer(session, customer_id)
    before = find(session, customer_id, now=now)
    if before is not None and before.source and form.source and not form.source.may_replace(before.source):
        return False
    vault = vault_of(session)
    row = session.get(UnsentForm, customer.id) or UnsentForm(customer_id=customer.id)
    row.case_id = form.case_id
    body: dict[str, Any] = {"address": form.address, "fields": [list(pair) for pair in form.fields]}
    if form.source is not None:
        body["source"] = [str(form.source.number), form.source.began.isoformat(), form.source.phone]
    key = _key(session, customer, form.case_id)
    row.form_sealed = vault.seal_json(key, body, _place("form", customer.id))
    row.photo_sealed = vault.seal(key, form.photo, _place("photo", customer.id)) if form.photo else None
    row.created_at, row.expires_at = now, now + LIFETIME
    session.add(row)
    session.flush()
    return True


def find(session: Session, customer_id: UUID, *, now: datetime) -> Unsent | None:
    """The form that waits for this customer, if there is one."""
    row = session.get(UnsentForm, customer_id)
    if row is None or now >= row.expires_at:
        return None
    customer, vault = session.get_one(Customer, customer_id), vault_of(session)
    key = _key(session, customer, row.case_id)
    try:
        body = vault.open_json(key, row.form_sealed, _place("form", customer_id))
        photo = vault.open(key, row.photo_sealed, _place("photo", customer_id)) if row.photo_sealed else None
    except KeyDestroyed:  # its case was shredded, and with it this
        return None
    fields = tuple((str(name), str(value)) for name, value in body["fields"])
    source = None
    if "source" in body:
        number, began, phone = body["source"]
        source = Source(number=UUID(number), began=datetime.fromisoformat(began), phone=phone)
    return Unsent(address=body["address"], fields=fields, photo=photo, case_id=row.case_id, at=row.created_at, source=source)


def drop(session: Session, customer_id: UUID) -> None:
    """Remove it: she went on with it, or does not want it. May be repeated."""
    session.execute(delete(UnsentForm).where(UnsentForm.customer_id == customer_id))


def forget(session: Session, *, now: datetime) -> None:
    """Remove what nobody came back for."""
    session.execute(delete(UnsentForm).where(UnsentForm.expires_at <= now))


def _key(session: Session, customer: Customer, case_id: UUID | None) -> DataKey:
    return session.get_one(Case, case_id).data_key if case_id else customer.data_key


def _place(part: str, customer_id: UUID) -> str:
    return f"unsent_forms.{part}|{customer_id}"
