"""No own and no related case: a member of staff may be a customer too, and so may those who live with her.

That an account is hers is told by its e-mail address, which is hers, or written down by an admin (`say`). Related to it is what
shares its passport, its e-mail address or its face. A surname says nothing: too many strangers share one.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cases import audit, customers, likeness, profiles
from cases import staff as people
from cases.crypto import KeyDestroyed
from cases.desk_tables import StaffAccount
from cases.models import Case, Customer, FaceEncoding, Staff


class Tie(StrEnum):
    """How a case is tied to a member of staff."""

    OWN_ACCOUNT = "own_account"
    OWN_EMAIL = "own_email"
    SAME_DOCUMENT = "same_document"  # the passport of a case of her own account
    SAME_EMAIL = "same_email"  # as her own account's
    SAME_FACE = "same_face"  # a search found one of the two faces among the other's candidates


def tie(session: Session, agent: Staff, case: Case) -> Tie | None:
    """How this case is tied to this member of staff; None: not at all. Changes nothing."""
    hers = set(session.scalars(select(StaffAccount.customer_id).where(StaffAccount.staff_id == agent.id)))
    if case.customer_id in hers:
        return Tie.OWN_ACCOUNT
    addresses = _addresses(session, case)
    if agent.email.casefold() in addresses:
        return Tie.OWN_EMAIL
    return _related(session, case, addresses, hers) if hers else None


def say(session: Session, member: Staff, customer: Customer, *, actor: audit.Actor, now: datetime) -> None:
    """Write down that this account is hers. May be repeated."""
    if session.get(StaffAccount, (member.id, customer.id)) is not None:
        return
    session.add(StaffAccount(staff_id=member.id, customer_id=customer.id, how="said", since=now))
    audit.record(session, "staff_account_said", actor=actor, now=now, customer_id=customer.id, staff_id=member.id)


def unsay(session: Session, member: Staff, customer: Customer, *, actor: audit.Actor, now: datetime) -> None:
    """It was a mistake: the account is not hers. By somebody else than herself. May be repeated. Raises NotAllowed."""
    if actor.kind == "staff" and actor.id == str(member.id):
        raise people.NotAllowed("manage_staff")
    gone = session.execute(
        delete(StaffAccount).where(StaffAccount.staff_id == member.id, StaffAccount.customer_id == customer.id)
    )
    if gone.rowcount:  # type: ignore[attr-defined]
        audit.record(session, "staff_account_unsaid", actor=actor, now=now, customer_id=customer.id, staff_id=member.id)


def withhold(session: Session, agent: Staff, case: Case, why: Tie, *, now: datetime) -> None:
    """Note that a case was kept from her, once for each case; by her own address her account is known from now on."""
    _, held = customers.current_profile(session, session.get_one(Customer, case.customer_id))
    hers = why is Tie.OWN_EMAIL and held.casefold() == agent.email.casefold()  # an address that was only typed makes nothing hers
    if hers and session.get(StaffAccount, (agent.id, case.customer_id)) is None:
        session.add(StaffAccount(staff_id=agent.id, customer_id=case.customer_id, how="email", since=now))
    elif audit.happened(session, "case_withheld", case, actor=audit.Actor.staff(agent)):
        return
    audit.record(session, "case_withheld", actor=audit.Actor.staff(agent), now=now, case=case, why=why)


def _related(session: Session, case: Case, addresses: set[str], hers: set[UUID]) -> Tie | None:
    known = likeness.numbers(session, case)
    if known and session.scalar(select(Case.id).where(likeness.with_number(known), Case.customer_id.in_(hers)).limit(1)):
        return Tie.SAME_DOCUMENT
    for customer in session.scalars(select(Customer).where(Customer.id.in_(hers))):
        if customers.current_profile(session, customer)[1].casefold() in addresses:
            return Tie.SAME_EMAIL
    found = session.get(FaceEncoding, case.id)
    if found is not None and any(UUID(one["customer_id"]) in hers for one in found.candidates):
        return Tie.SAME_FACE
    others = session.scalars(select(FaceEncoding.candidates).where(FaceEncoding.customer_id.in_(hers)))
    if any(one["customer_id"] == str(case.customer_id) for candidates in others for one in candidates):
        return Tie.SAME_FACE
    return None


def _addresses(session: Session, case: Case) -> set[str]:
    """The address on file and the one that the case brings, as they are compared."""
    _, held = customers.current_profile(session, session.get_one(Customer, case.customer_id))
    try:
        _, new = profiles.read_claim(session, case)
    except KeyDestroyed:
        new = None
    return {address.casefold() for address in (held, new) if address}
