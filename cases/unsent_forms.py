"""What a customer sent just after her session had ended: kept for her until she signs in again, and used only then.

It is not done what the form asked for: a session that ended may change nothing. It is kept on the server and not on the
device, since a computer may be shared and a cookie can be read; sealed under her key, for LIFETIME, one form per
customer (the newest counts). `webapp.portal` shows it to nobody else, and asks her before it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cases import moves
from cases.crypto import vault_of
from cases.models import Case, Customer, UnsentForm

LIFETIME = timedelta(days=1)
"""She comes back the same evening or not at all; a draft's own answers live for `draft_days`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsent:
    """One form: where it was sent to, its fields, and the photo if it held one."""

    address: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    photo: bytes | None = field(default=None, repr=False)
    case_id: UUID | None = None
    at: datetime | None = None


def is_hers(session: Session, customer_id: UUID, case_id: UUID) -> bool:
    """Whether this case is hers: for any other nothing is kept."""
    case = session.get(Case, case_id)
    return case is not None and case.customer_id == customer_id


def keep(session: Session, customer_id: UUID, form: Unsent, *, now: datetime) -> None:
    """Keep a form in the place of the one before."""
    customer = moves.lock_customer(session, customer_id)
    vault = vault_of(session)
    row = session.get(UnsentForm, customer.id) or UnsentForm(customer_id=customer.id)
    row.case_id = form.case_id
    body = {"address": form.address, "fields": [list(pair) for pair in form.fields]}
    row.form_sealed = vault.seal_json(customer.data_key, body, _place("form", customer.id))
    row.photo_sealed = vault.seal(customer.data_key, form.photo, _place("photo", customer.id)) if form.photo else None
    row.created_at, row.expires_at = now, now + LIFETIME
    session.add(row)
    session.flush()


def find(session: Session, customer_id: UUID, *, now: datetime) -> Unsent | None:
    """The form that waits for this customer, if there is one."""
    row = session.get(UnsentForm, customer_id)
    if row is None or now >= row.expires_at:
        return None
    customer, vault = session.get_one(Customer, customer_id), vault_of(session)
    body = vault.open_json(customer.data_key, row.form_sealed, _place("form", customer_id))
    photo = vault.open(customer.data_key, row.photo_sealed, _place("photo", customer_id)) if row.photo_sealed else None
    fields = tuple((str(name), str(value)) for name, value in body["fields"])
    return Unsent(address=body["address"], fields=fields, photo=photo, case_id=row.case_id, at=row.created_at)


def drop(session: Session, customer_id: UUID) -> None:
    """Remove it: she went on with it, or does not want it. May be repeated."""
    session.execute(delete(UnsentForm).where(UnsentForm.customer_id == customer_id))


def forget(session: Session, *, now: datetime) -> None:
    """Remove what nobody came back for."""
    session.execute(delete(UnsentForm).where(UnsentForm.expires_at <= now))


def _place(part: str, customer_id: UUID) -> str:
    return f"unsent_forms.{part}|{customer_id}"
