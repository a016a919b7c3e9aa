"""Accounts synced from the host system: details, face on file, and the secret links given to customers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from cases import audit, customer_sessions, moves, photo_store, profiles
from cases.crypto import destroy, vault_of
from cases.lifecycle import State
from cases.models import Case, Customer, DataKey, Disposition, Link, Photo, Run
from verification.evidence import Profile, Quality
from verification.reasons import PhotoKind

PURPOSES = ("hand_over", "case", "not_me")


class LinkUnknown(Exception):
    """No such link, or it was made for something else."""


class OtherMode(Exception):
    """The id is taken by a customer of the sandbox, or by a live one where the sandbox asks."""


class AlreadyThere(Exception):
    """There is a customer of that id, and she was to be a new one."""


class Erased(LookupError):
    """She was erased (`cases.privacy`): nothing is written for her any more."""


class LinkExpired(Exception):
    """The link was good once: its time is over, or it was used and works only once."""


def upsert(
    session: Session,
    external_id: str,
    profile: Profile,
    *,
    email: str,
    locale: str,
    now: datetime,
    actor: audit.Actor = audit.HOST,
    sandbox: bool = False,
) -> Customer:
    """Take over what the host system holds: a new customer, or a new profile version when something changed.

    A changed profile makes pages that show an open case stale, since what they compare with has moved. Raises OtherMode.
    """
    return put(session, external_id, profile, email=email, locale=locale, now=now, actor=actor, sandbox=sandbox)[0]


def put(
    session: Session,
    external_id: str,
    profile: Profile,
    *,
    email: str,
    locale: str,
    now: datetime,
    actor: audit.Actor = audit.HOST,
    sandbox: bool = False,
    only_new: bool = False,
) -> tuple[Customer, bool]:
    """`upsert`, and whether she is new. Raises OtherMode, and AlreadyThere where she was to be new (`only_new`) and is not.

    Where another transaction adds her at the same time this one fails with IntegrityError: whoever calls it again finds her.
    """
    found = session.execute(select(Customer.id, Customer.sandbox).where(Customer.external_id == external_id)).one_or_none()
    if found is None:
        return _add(session, external_id, profile, email, locale, now=now, actor=actor, sandbox=sandbox), True
    if found.sandbox != sandbox:
        raise OtherMode("this id is taken")
    if only_new:
        raise AlreadyThere("this id is taken")
    opened = select(Case.id).where(Case.customer_id == found.id, Case.closed_at.is_(None))
    case_id = session.execute(opened).scalar_one_or_none()
    case = moves.lock(session, case_id) if case_id else None
    try:
        customer = lock(session, found.id)
    except Erased:  # while this waited for her row: the id is free again, and whoever comes under it is new
        return _add(session, external_id, profile, email, locale, now=now, actor=actor, sandbox=sandbox), True
    customer.locale = locale
    held, held_email = current_profile(session, customer)
    if (held == profile and held_email == email) or profiles.is_echo_of_held(session, customer, profile, email):
        session.flush()
        return customer, False
    fields = [f for f in sorted({*held.values, *profile.values}) if held.values.get(f) != profile.values.get(f)]
    version = profiles.write_host_version(session, customer, profile, email, now=now)
    if case is not None:
        moves.changed(case, now=now)
    _record_sync(session, customer, version.number, fields, email != held_email, actor=actor, now=now)
    return customer, False


def lock(session: Session, customer_id: UUID) -> Customer:
    """The customer, read anew and locked, for whatever is written for her; her case first, as everywhere. Raises Erased.

    Her key is read anew as well: this may have waited for the very transaction that destroyed it.
    """
    customer = moves.lock_customer(session, customer_id)
    if session.get_one(DataKey, customer.data_key_id, populate_existing=True).wrapped is None:
        raise Erased(f"customer {customer_id} was erased")
    return customer


def set_face_on_file(
    session: Session, customer: Customer, jpeg: bytes, *, quality: Quality, now: datetime, actor: audit.Actor = audit.HOST
) -> Photo:
    """Keep the face the host system trusts. The one before is shredded. `jpeg` comes from `verification.images`.

    The same bytes again change nothing. Raises Erased.
    """
    customer = lock(session, customer.id)
    held = session.execute(
        select(Photo).where(Photo.customer_id == customer.id, Photo.case_id.is_(None), Photo.current.is_(True))
    ).scalar_one_or_none()
    if held is not None:
        if held.sha256 == hashlib.sha256(jpeg).hexdigest():
            return held
        held.current = False
        destroy(held.data_key, now=now)  # its own key: gone at once; upkeep removes the blob
        session.flush()
    photo = photo_store.keep(
        session,
        customer_id=customer.id,
        case_id=None,
        kind=PhotoKind.ON_FILE,
        key=vault_of(session).new_key(session, now=now),
        data=jpeg,
        quality=asdict(quality),
        accepted_despite=[],
        now=now,
    )
    audit.record(session, "face_on_file_set", actor=actor, now=now, customer_id=customer.id, photo_id=photo.id)
    return photo


def face_on_file(session: Session, customer_id: UUID) -> Photo | None:
    """The current face on file, if the host system gave one."""
    return session.execute(
        select(Photo).where(
            Photo.customer_id == customer_id, Photo.case_id.is_(None), Photo.current.is_(True), Photo.shredded_at.is_(None)
        )
    ).scalar_one_or_none()


def current_profile(session: Session, customer: Customer) -> tuple[Profile, str]:
    """The details we hold now, and the e-mail address."""
    return profiles.read_version(session, customer, profiles._current(session, customer))


def under_watch(session: Session, customer_id: UUID, *, now: datetime) -> bool:
    """Whether somebody has to look at whatever this customer asks for, for `watch_days` after one of these:

    an agent rejected a case or put it back; the machine referred one and she closed it before a person answered; or
    "this was not me". Else whoever was turned away would simply try the machine again. What happened counts, not
    where a case stands: an appeal, a retake or a withdrawal would lift the watch. A rejection that another agent
    answered with an approval counts no more.
    """
    since = now - timedelta(days=session.info["settings"].watch_days)
    answer, later = aliased(Disposition), aliased(Disposition)
    approved_after = exists().where(
        later.case_id == answer.case_id, later.action == "approve", later.created_at >= answer.created_at
    )
    turned_away = (
        select(Case.id)
        .join(answer, answer.case_id == Case.id)
        .where(answer.created_at >= since, (answer.action == "revert") | ((answer.action == "reject") & ~approved_after))
    )
    slipped_away = (
        select(Case.id)
        .join(Run, Run.case_id == Case.id)
        .where(
            (Run.outcome == "refer") | (Case.undone > 0),
            Case.state.in_((State.WITHDRAWN, State.EXPIRED)),
            Case.closed_at >= since,
        )
    )
    disputed = select(Case.id).where(Case.disputed_at >= since)
    session.flush()
    return any(
        session.execute(found.where(Case.customer_id == customer_id).limit(1)).first() is not None
        for found in (turned_away, slipped_away, disputed)
    )


def drew_attention(session: Session, case_id: UUID) -> bool:
    """Whether a case had what `under_watch` counts, however it ended: an agent refused it, the machine referred it, or its
    approval was taken back."""
    refused = select(Disposition.id).where(Disposition.case_id == case_id, Disposition.action.in_(("reject", "revert")))
    referred = select(Run.id).where(Run.case_id == case_id, Run.outcome == "refer")
    undone = select(Case.id).where(Case.id == case_id, Case.undone > 0)
    session.flush()
    return any(session.execute(found.limit(1)).first() is not None for found in (refused, referred, undone))


def make_link(
    session: Session,
    purpose: str,
    customer: Customer,
    *,
    case: Case | None = None,
    lifetime: timedelta,
    now: datetime,
    actor: audit.Actor = audit.SYSTEM,
) -> str:
    """Return a secret token for a link. Only its hash is kept, so it can never be shown again."""
    if purpose not in PURPOSES:
        raise ValueError(f"unknown purpose: {purpose}")
    token = secrets.token_urlsafe(32)
    link = Link(
        id=uuid4(),
        purpose=purpose,
        token_hash=_hash(token),
        customer_id=customer.id,
        case_id=case.id if case else None,
        created_at=now,
        expires_at=now + lifetime,
    )
    session.add(link)
    session.flush()
    audit.record(
        session,
        "link_made",
        actor=actor,
        now=now,
        case=case,
        customer_id=customer.id,
        purpose=purpose,
        expires_at=link.expires_at,
    )
    return token


def redeem_link(session: Session, token: str, purpose: str, *, now: datetime) -> Link:
    """The link behind a token. Raises LinkUnknown, LinkExpired. Hand-over links work once, the others until they expire."""
    link = session.execute(
        select(Link)
        .where(Link.token_hash == _hash(token))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if link is None or link.purpose != purpose:
        raise LinkUnknown("no such link")
    if now >= link.expires_at or (purpose == "hand_over" and link.used_at is not None):
        raise LinkExpired("this link is used up")
    if link.used_at is None:
        link.used_at = now
        actor = audit.Actor(kind="customer", id=str(link.customer_id))
        audit.record(
            session, "link_used", actor=actor, now=now, case_id=link.case_id, customer_id=link.customer_id, purpose=purpose
        )
    return link


def report_not_me(session: Session, link: Link, *, now: datetime) -> Case:
    """File "this was not me" for the case of a redeemed link. May be repeated.

    A change made within `undo_days` is taken back at once, until a person has settled it (`profiles.hold`). An approved
    case is marked, so that the desk sees it before all others and a person can revert it, again also after a person let
    it stand; one that is still open is withdrawn at once, since who holds the account's address did not ask for it. One
    that was withdrawn or has expired is marked too, so that the account comes under watch. Whoever is signed in to the
    account is signed out: the lender's own sign-in has to let her in again.
    """
    if link.purpose != "not_me" or link.case_id is None:
        raise LinkUnknown("this link reports nothing")
    case = moves.lock(session, link.case_id)
    actor = audit.Actor(kind="customer", id=str(link.customer_id))
    customer_sessions.end_all(session, link.customer_id, now=now)
    state = case.state
    again = case.dispute_settled_at is not None and state is State.APPROVED
    if again or (case.disputed_at is None and state in (State.APPROVED, State.WITHDRAWN, State.EXPIRED, *_OPEN)):
        case.disputed_at, case.dispute_settled_at = now, None
        moves.changed(case, now=now)
        if state in _OPEN:
            from cases import intake

            intake.withdraw(session, case.id, now=now)
        else:
            profiles.hold(session, case, actor=actor, now=now)
    audit.record(session, "not_me_reported", actor=actor, now=now, case=case, state=state)
    return case


_OPEN = (State.DRAFT, State.SUBMITTED, State.VERIFYING, State.NEEDS_RETAKE, State.IN_REVIEW)


def _add(
    session: Session,
    external_id: str,
    profile: Profile,
    email: str,
    locale: str,
    *,
    now: datetime,
    actor: audit.Actor,
    sandbox: bool,
) -> Customer:
    key = vault_of(session).new_key(session, now=now)
    customer = Customer(id=uuid4(), external_id=external_id, locale=locale, data_key_id=key.id, created_at=now, sandbox=sandbox)
    customer.data_key = key
    session.add(customer)
    session.flush()
    version = profiles.write_host_version(session, customer, profile, email, now=now)
    audit.record(session, "customer_added", actor=actor, now=now, customer_id=customer.id)
    _record_sync(session, customer, version.number, list(profile.values), True, actor=actor, now=now)
    return customer


def _record_sync(
    session: Session, customer: Customer, number: int, fields: Sequence[str], email: bool, *, actor: audit.Actor, now: datetime
) -> None:
    audit.record(
        session,
        "profile_synced",
        actor=actor,
        now=now,
        customer_id=customer.id,
        number=number,
        fields=list(fields),
        email_changed=email,
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
