"""Hand-over from the host system: a link that signs one customer in, once, soon, in her language, and knows the way back.

The host has signed her in already; here she has no password. The address she is led back to must be one of those that were
agreed for the API key (`api_keys.returns_to`): a link of ours shall lead nobody astray.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import api_keys, customers
from cases.crypto import KeyDestroyed, vault_of
from cases.models import Case, Customer, Link

LIFETIME = timedelta(minutes=10)
"""From the tap in the lender's application to ours it is seconds; ten minutes allow for a slow phone and a page read first."""


class ReturnRefused(Exception):
    """The return address is not one of the key's."""


@dataclass(frozen=True, kw_only=True, repr=False)
class HandOver:
    """What a redeemed hand-over link says beside whose it is."""

    locale: str | None
    return_to: str | None


def make(
    session: Session,
    customer: Customer,
    *,
    key: api_keys.Key,
    case: Case | None = None,
    locale: str | None = None,
    return_to: str | None = None,
    now: datetime,
) -> tuple[str, datetime]:
    """A token for a hand-over link, and until when it works. Raises ReturnRefused, Erased."""
    if return_to is not None and not api_keys.returns_to(key, return_to):
        raise ReturnRefused("the return address is not one of this key's")
    customer = customers.lock(session, customer.id)  # an erasure beside this one waits, and takes the link with it
    token = customers.make_link(session, "hand_over", customer, case=case, lifetime=LIFETIME, now=now, actor=key.actor)
    link = session.scalars(select(Link).where(Link.token_hash == hashlib.sha256(token.encode()).hexdigest())).one()
    link.locale = locale
    if return_to is not None:
        link.return_sealed = vault_of(session).seal(customer.data_key, return_to.encode(), _place(link.id))
    session.flush()
    return token, link.expires_at


def read(session: Session, link: Link) -> HandOver:
    """Language and way back of a link that was redeemed."""
    back = None
    if link.return_sealed is not None:
        key = session.get_one(Customer, link.customer_id).data_key
        try:
            back = vault_of(session).open(key, link.return_sealed, _place(link.id)).decode()
        except KeyDestroyed:
            back = None
    return HandOver(locale=link.locale, return_to=back)


def _place(link_id: UUID) -> str:
    return f"links.return|{link_id}"
