"""What a customer does: open a case, send photos, submit, ask for a person, withdraw, appeal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit, customers, moves, notifications, photo_store, profiles, queue
from cases import by_eye as eyes
from cases.crypto import vault_of
from cases.lifecycle import Action, IllegalTransition, State
from cases.models import Case, Customer, Photo
from verification.evidence import Claim, Field, Quality
from verification.reasons import PhotoKind, ReasonCode

NEEDED = (PhotoKind.DOCUMENT, PhotoKind.SELFIE)
"""Photos without which a case is not submitted, in the order in which people take them."""


class AlreadyOpen(Exception):
    """The customer has an open case; `case_id` says which."""

    def __init__(self, case_id: UUID) -> None:
        super().__init__(f"case {case_id} is open")
        self.case_id = case_id


class NothingChanges(Exception):
    """Every claimed value is what the profile holds already."""


class Incomplete(Exception):
    """Something has to be sent first; `missing` names it: "document", "selfie"."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(f"missing: {', '.join(missing)}")
        self.missing = missing


class Changed(Exception):
    """The request is not what the page showed any more: she sees it again before it is sent."""


class TooLate(Exception):
    """The time for an appeal is over, or the case was shredded: there is nothing left to look at. A new request is needed."""


APPEAL_WITHIN = timedelta(days=30)
"""After a refusal; as long as photos are kept by default, since another person has to see what the first one saw."""


def open_case(
    session: Session,
    customer: Customer,
    claim: Claim,
    *,
    country: str | None = None,
    new_email: str | None = None,
    locale: str,
    now: datetime,
    actor: audit.Actor | None = None,
) -> Case:
    """Start a draft. Raises AlreadyOpen, NothingChanges, Erased. A draft may only hold details that differ in something.

    `actor`: the host system, which typed for her; None: herself.
    """
    customer = customers.lock(session, customer.id)
    opened = session.execute(
        select(Case.id).where(Case.customer_id == customer.id, Case.closed_at.is_(None))
    ).scalar_one_or_none()
    if opened is not None:
        raise AlreadyOpen(opened)
    fields, email = _changes(session, customer, claim, new_email)
    key = vault_of(session).new_key(session, now=now)
    case = Case(
        id=uuid4(),
        customer_id=customer.id,
        state=State.DRAFT,
        version=1,
        locale=locale,
        change_reason=claim.reason,
        country=country,
        data_key_id=key.id,
        base_version_id=customer.profile_version_id,
        opened_at=now,
        updated_at=now,
        trial=customer.sandbox,
    )
    case.customer, case.data_key = customer, key
    case.claim_sealed = _seal_claim(session, case, claim, email)
    session.add(case)
    session.flush()
    _record_claim(session, "case_opened", case, fields=fields, email_changed=email is not None, now=now, actor=actor)
    return case


def amend(
    session: Session, case_id: UUID, claim: Claim, *, country: str | None = None, new_email: str | None = None, now: datetime
) -> Case:
    """Replace the claim of a draft, or of a case that waits for a new photo. Raises IllegalTransition, NothingChanges."""
    case = _editable(session, case_id)
    fields, email = _changes(session, moves.lock_customer(session, case.customer_id), claim, new_email)
    case.change_reason = claim.reason
    case.country = country
    case.claim_sealed = _seal_claim(session, case, claim, email)
    case.base_version_id = case.customer.profile_version_id or case.base_version_id
    if case.attempt:
        _index_document(session, case)
    moves.changed(case, now=now)
    _record_claim(session, "claim_amended", case, fields=fields, email_changed=email is not None, now=now)
    return case


def _record_claim(
    session: Session,
    kind: str,
    case: Case,
    *,
    fields: list[Any],
    email_changed: bool,
    now: datetime,
    actor: audit.Actor | None = None,
) -> None:
    """Which details a claim touches, never their values."""
    audit.record(
        session,
        kind,
        actor=actor or _she(case),
        now=now,
        case=case,
        reason=case.change_reason,
        fields=fields,
        country=case.country,
        email_changed=email_changed,
    )


def attach_photo(
    session: Session,
    case_id: UUID,
    kind: PhotoKind,
    data: bytes,
    quality: Quality,
    *,
    accepted_despite: Iterable[ReasonCode] = (),
    now: datetime,
) -> Photo:
    """Keep one photo, encrypted; it takes the place of the one before. The same bytes again are the same row.

    `data` is the clean JPEG of `verification.images`, never the bytes as uploaded. Raises IllegalTransition unless
    the case is a draft or waits for a new photo, ValueError for a kind that customers do not send.
    """
    if kind not in NEEDED:
        raise ValueError(f"customers send no {kind.value} photo")
    case = _editable(session, case_id)
    despite = moves.codes(accepted_despite)
    held = photo(session, case, kind)
    if held is not None:
        if held.sha256 == hashlib.sha256(data).hexdigest():
            if held.accepted_despite != despite:
                held.accepted_despite = despite
                session.flush()
            return held
        held.current = False
        session.flush()
    kept = photo_store.keep(
        session,
        customer_id=case.customer_id,
        case_id=case.id,
        kind=kind,
        key=case.data_key,
        data=data,
        quality=asdict(quality),
        accepted_despite=despite,
        now=now,
    )
    moves.changed(case, now=now)
    audit.record(
        session,
        "photo_kept",
        actor=_she(case),
        now=now,
        case=case,
        photo_id=kept.id,
        photo=kind,
        size=kept.size,
        accepted_despite=despite,
        replaces=held.id if held else None,
    )
    return kept


def submit(
    session: Session,
    case_id: UUID,
    *,
    consent_version: str,
    by_eye: bool | None = None,
    seen_version: int | None = None,
    now: datetime,
) -> Case:
    """Hand the case to the machine, with consent. The caller rings a worker after committing.

    `by_eye`: she leaves the comparison of her face to people, or allows a machine to do it; None: as she chose before.

    `seen_version` is `case.version` as her page showed it; None where nobody looked at a page. Raises IllegalTransition,
    Changed, Incomplete: after a retake was asked for, each photo asked for must be a new one.
    """
    case = _editable(session, case_id, Action.SUBMIT)
    if seen_version is not None and seen_version != case.version:  # under the lock: nothing comes between look and sending
        raise Changed
    photos = _photos(session, case)
    wanted = set(case.retake)
    missing = tuple(kind.value for kind in NEEDED if kind not in photos or (kind.value in wanted and photos[kind].attempt > 0))
    if missing:
        raise Incomplete(missing)
    _consent(session, case, consent_version, by_eye, now)
    old = _submit(session, case, photos, now)
    audit.record(session, "submitted", actor=_she(case), now=now, case=case, old=old, new=case.state, attempt=case.attempt)
    return case


def ask_for_person(session: Session, case_id: UUID, *, consent_version: str, by_eye: bool | None = None, now: datetime) -> Case:
    """Send the case to the desk with what is there: no machine looks at it, no face is compared.

    From draft, needs_retake, submitted or verifying (whose run is taken back). Raises IllegalTransition.
    """
    case = moves.lock(session, case_id)
    first = case.state
    told = list(case.reasons)
    if first not in (State.DRAFT, State.NEEDS_RETAKE, State.SUBMITTED, State.VERIFYING):
        raise IllegalTransition(first, Action.REFER)
    _abandon(session, case, now)
    _consent(session, case, consent_version, by_eye, now)
    if first in (State.DRAFT, State.NEEDS_RETAKE):
        _submit(session, case, _photos(session, case), now)
    moves.move(session, case, Action.REFER, now=now)
    case.reasons = list(dict.fromkeys([ReasonCode.CUSTOMER_ASKED_FOR_PERSON.value, *told]))
    notifications.add(session, case, "in_review", actor=_she(case), now=now)
    audit.record(session, "person_asked_for", actor=_she(case), now=now, case=case, old=first, new=case.state)
    return case


def withdraw(session: Session, case_id: UUID, *, now: datetime, actor: audit.Actor | None = None) -> Case:
    """Close an open case at the customer's wish; a run that is looking is taken back. Raises IllegalTransition.

    `actor`: the host system, which passes her wish on; None: herself.
    """
    case = moves.lock(session, case_id)
    old = moves.move(session, case, Action.WITHDRAW, now=now)
    _abandon(session, case, now)
    audit.record(session, "withdrawn", actor=actor or _she(case), now=now, case=case, old=old, new=case.state)
    return case


def appeal(session: Session, case_id: UUID, *, now: datetime) -> Case:
    """Let another person look at a rejected case: within APPEAL_WITHIN, once for each refusal.

    Raises IllegalTransition, TooLate, AlreadyOpen. Who rejected it cannot take it (`review.take`).
    """
    case = moves.lock(session, case_id)
    moves.lock_customer(session, case.customer_id)
    if case.state is State.REJECTED:
        until = appeal_until(session, case)
        if until is None or now >= until:
            raise TooLate("the time for an appeal is over")
        opened = session.execute(
            select(Case.id).where(Case.customer_id == case.customer_id, Case.closed_at.is_(None))
        ).scalar_one_or_none()
        if opened is not None:
            raise AlreadyOpen(opened)
    old = moves.move(session, case, Action.APPEAL, now=now)
    notifications.add(session, case, "in_review", actor=_she(case), now=now)
    audit.record(session, "appealed", actor=_she(case), now=now, case=case, old=old, new=case.state)
    return case


def appeal_until(session: Session, case: Case) -> datetime | None:
    """Until when a rejected case may be appealed: APPEAL_WITHIN, but no longer than its photos are kept. None: never (again)."""
    if case.state is not State.REJECTED or case.closed_at is None or case.shredded_at is not None:
        return None
    return case.closed_at + min(APPEAL_WITHIN, timedelta(days=session.info["settings"].photo_days))


def claim_of(session: Session, case: Case) -> tuple[Claim, str | None]:
    """The claim and the new e-mail. Raises KeyDestroyed when the case was shredded."""
    return profiles.read_claim(session, case)


def photo(session: Session, case: Case, kind: PhotoKind) -> Photo | None:
    """The current photo of that kind."""
    return _photos(session, case).get(kind)


def _photos(session: Session, case: Case) -> dict[PhotoKind, Photo]:
    found = session.scalars(select(Photo).where(Photo.case_id == case.id, Photo.current.is_(True)))
    return {photo.kind: photo for photo in found}


def _editable(session: Session, case_id: UUID, action: Action = Action.SUBMIT) -> Case:
    """A locked case that the customer may still work on."""
    case = moves.lock(session, case_id)
    if case.state not in (State.DRAFT, State.NEEDS_RETAKE):
        raise IllegalTransition(case.state, action)
    return case


def _changes(session: Session, customer: Customer, claim: Claim, new_email: str | None) -> tuple[list[Any], str | None]:
    """Fields that differ from the profile, and the new e-mail when it is one. Raises NothingChanges."""
    profile, email = customers.current_profile(session, customer)
    fields = profiles.differing(profile, claim.values)
    changed_email = new_email if new_email and new_email != email else None
    if not fields and changed_email is None:
        raise NothingChanges("every value is what we hold already")
    return fields, changed_email


def _seal_claim(session: Session, case: Case, claim: Claim, new_email: str | None) -> bytes:
    document = {"claim": claim.to_json(), "email": new_email}
    return vault_of(session).seal_json(case.data_key, document, profiles.claim_place(case.id))


def _index_document(session: Session, case: Case) -> None:
    """Let agents find the case by the number that stands on the document she holds: the one typed, else the one on file."""
    claim, _email = profiles.read_claim(session, case)
    number = claim.values.get(Field.DOCUMENT_NUMBER)
    if number is None:
        number = customers.current_profile(session, case.customer)[0].values.get(Field.DOCUMENT_NUMBER)
    case.document_index = queue.index_of(session, number) if number else None


def _consent(session: Session, case: Case, version: str, by_eye: bool | None, now: datetime) -> None:
    """Keep what she agreed to. A consent that leaves her face to people has a version of its own."""
    if not version:
        raise ValueError("consent has to name its version")
    if by_eye is not None and eyes.allowed(session):
        eyes.choose(session, case.customer, by_eye, actor=_she(case), now=now, case=case)
    people = eyes.holds(session, case.customer)
    case.consent_version = f"{version}{eyes.MARK}" if people else version
    case.consented_at = now
    audit.record(
        session, "consent_given", actor=_she(case), now=now, case=case, consent_version=case.consent_version, by_eye=people,
        days=session.info["settings"].photo_days,
    )  # fmt: skip


def _submit(session: Session, case: Case, photos: dict[PhotoKind, Photo], now: datetime) -> State:
    """Draft or needs_retake to submitted: one attempt more."""
    old = moves.move(session, case, Action.SUBMIT, now=now)
    case.attempt += 1
    case.runs_this_attempt = 0
    case.submitted_at = now
    case.enqueued_at = None
    case.reasons = []
    _index_document(session, case)
    for photo in photos.values():
        if photo.attempt == 0:
            photo.attempt = case.attempt
    session.flush()
    return old


def _abandon(session: Session, case: Case, now: datetime) -> None:
    run = moves.running(session, case)
    if run is not None:
        moves.abandon(run, now=now)
        session.flush()
        audit.record(
            session, "run_abandoned", actor=_she(case), now=now, case=case, run_id=run.id, fence=run.fence, why="customer"
        )


def _she(case: Case) -> audit.Actor:
    return audit.Actor(kind="customer", id=str(case.customer_id))
