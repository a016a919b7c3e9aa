"""The only writer of a customer's details: versions that never change, and which of them is current.

Approval and profile change are one thing here: `apply_claim` moves the case and makes the new version current in
the same transaction, or does neither.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from cases import audit, moves, notifications, webhooks
from cases import staff as people
from cases.crypto import vault_of
from cases.desk_tables import Answer, AnswerState
from cases.lifecycle import Action, State, next_state
from cases.models import Case, Customer, Disposition, ProfileSource, ProfileVersion, Staff
from verification.evidence import Claim, Field, Profile, Values

MAX_EARLIER_NUMBERS = 20
"""How many former document numbers a profile keeps; a person has far fewer passports."""


class ProfileMovedOn(Exception):
    """The customer's details were changed after this case was approved: going back would undo that as well."""


class OwnApproval(Exception):
    """Who approved a case does not revert it himself, unless the customer says that it was not her."""


def read_version(session: Session, customer: Customer, version: ProfileVersion) -> tuple[Profile, str]:
    """The details and e-mail of one version; none of either where the whole person was erased (`cases.privacy`)."""
    if customer.data_key.wrapped is None:
        return Profile(values={}), ""
    document = vault_of(session).open_json(customer.data_key, version.profile_sealed, _place(version.id))
    return Profile.from_json(document["profile"]), document["email"]


def write_host_version(session: Session, customer: Customer, profile: Profile, email: str, *, now: datetime) -> ProfileVersion:
    """What the host system holds becomes current. The caller has locked the customer."""
    return _write(session, customer, profile, email, source=ProfileSource.HOST, case_id=None, now=now)


def read_claim(session: Session, case: Case) -> tuple[Claim, str | None]:
    """The claim of a case and its new e-mail. Raises KeyDestroyed when it was shredded."""
    if case.claim_sealed is None:
        from cases.crypto import KeyDestroyed

        raise KeyDestroyed(f"the claim of case {case.id} was shredded")
    document = vault_of(session).open_json(case.data_key, case.claim_sealed, claim_place(case.id))
    return Claim.from_json(document["claim"]), document["email"]


def differing(profile: Profile, values: Values) -> list[Field]:
    """Fields of `values` that are not what the profile holds, in the order of Field."""
    return [field for field in Field if field in values and values[field] != profile.values.get(field)]


def apply_claim(
    session: Session,
    case: Case,
    *,
    actor: audit.Actor,
    now: datetime,
    only: Collection[Field] | None = None,
    with_email: bool = True,
) -> ProfileVersion:
    """Approve a locked case: write the claimed fields over the current profile and make that current.

    Fields that were not claimed stay as they are, also where the host system changed them meanwhile. A former
    document number is kept among the earlier numbers. `only` names the fields that are accepted, None: all; the others stay
    as they are, and so does the e-mail unless `with_email`. Raises IllegalTransition before anything is written.
    """
    next_state(case.state, Action.APPROVE)
    customer = moves.lock_customer(session, case.customer_id)
    prior = _current(session, customer)
    profile, email = read_version(session, customer, prior)
    claim, new_email = read_claim(session, case)
    asked = differing(profile, claim.values)
    accepted = {name: value for name, value in claim.values.items() if only is None or name in only}
    fields = [name for name in asked if name in accepted]
    if not with_email:
        new_email = None
    numbers = profile.earlier_numbers
    former = profile.values.get(Field.DOCUMENT_NUMBER)
    if former and Field.DOCUMENT_NUMBER in fields:
        numbers = (former, *(n for n in numbers if n != former))[:MAX_EARLIER_NUMBERS]
    merged = Profile(values={**profile.values, **accepted}, earlier_numbers=numbers)
    version = _write(
        session,
        customer,
        merged,
        new_email or email,
        source=ProfileSource.CASE,
        case_id=case.id,
        now=now,
        application=case.undone + 1,
    )
    # State and applied version change in one UPDATE: the table refuses one without the other.
    moves.move(session, case, Action.APPROVE, now=now)
    case.applied_version_id = version.id
    case.prior_version_id = prior.id
    session.flush()
    audit.record(
        session,
        "profile_changed",
        actor=actor,
        now=now,
        case=case,
        fields=fields,
        held=[name for name in asked if name not in accepted],
        from_number=prior.number,
        to_number=version.number,
        email_changed=bool(new_email and new_email != email),
    )
    _tell_host(session, case, "approved", version, prior, now=now)
    return version


def _not_her_own(session: Session, case: Case, agent: Staff) -> None:
    """Raises review.Related."""
    from cases import conflicts, review  # here, because those modules build on this one

    if why := conflicts.tie(session, agent, case):
        raise review.Related(why)


def revert(session: Session, case_id: UUID, *, actor: audit.Actor, reason: str, now: datetime) -> Case:
    """Make the exact earlier version current again. For people with the permission only.

    Raises ProfileMovedOn when another version has become current since, OwnApproval, review.Related (her own or a
    related case), NotAllowed, IllegalTransition. `reason` is kept sealed with the disposition.
    """
    if actor.kind != "staff" or actor.id is None:
        raise people.NotAllowed("revert")
    agent = session.get_one(Staff, UUID(actor.id))
    people.require(agent, "revert")
    reason = reason.strip()
    if not reason:
        raise ValueError("a reason is needed")
    case = moves.lock(session, case_id)
    _not_her_own(session, case, agent)
    swapped = False
    if case.state is State.APPROVED:
        customer = moves.lock_customer(session, case.customer_id)
        on_hold = held(case)
        if not on_hold and customer.profile_version_id != case.applied_version_id:
            raise ProfileMovedOn("the details were changed again after this case")
        disputed = case.disputed_at is not None
        if not disputed and approved_by(session, case, agent):
            raise OwnApproval("another person has to revert this")
        if not on_hold:  # else it was put back then, and what came since stays
            customer.profile_version_id = case.prior_version_id
            swapped = True
        case.held_at = None
    old = moves.move(session, case, Action.REVERT, now=now)
    if case.disputed_at is not None and case.dispute_settled_at is None:
        case.dispute_settled_at = now
    disposition = Disposition(id=uuid4(), case_id=case.id, staff_id=agent.id, action="revert", reasons=[], created_at=now)
    disposition.note_sealed = seal_note(session, case, disposition.id, reason)
    session.add(disposition)
    session.flush()
    if swapped:
        _tell_swap(session, case, "reverted", given=case.prior_version_id, taken=case.applied_version_id, now=now)
    numbers = dict(
        session.execute(
            select(ProfileVersion.id, ProfileVersion.number).where(
                ProfileVersion.id.in_([case.applied_version_id, case.prior_version_id])
            )
        ).all()
    )
    notifications.add(session, case, "reverted", actor=actor, now=now, to_new=True)
    audit.record(
        session,
        "profile_reverted",
        actor=actor,
        now=now,
        case=case,
        old=old,
        new=case.state,
        from_number=numbers[case.applied_version_id] if case.applied_version_id else None,
        to_number=numbers[case.prior_version_id] if case.prior_version_id else None,
        disputed=case.disputed_at is not None,
    )
    return case


def take_back(session: Session, case: Case, *, requeue: bool, now: datetime, customer: Customer | None = None) -> tuple[int, int]:
    """Undo a locked, approved case for `cases.undo`: the exact earlier version is current again.

    With `requeue` the case waits for a person, as if it had never been approved; else it is closed as reverted. Returns the
    numbers of the version taken back and of the one that holds again; nothing is flushed yet. `customer` is hers where the caller
    has locked her already. Raises ProfileMovedOn when the details were changed since or the change is on hold, IllegalTransition.
    Rights are `cases.undo`'s to ask for.
    """
    next_state(case.state, Action.UNDO if requeue else Action.REVERT)
    if customer is None:
        customer = moves.lock_customer(session, case.customer_id)
    if held(case) or customer.profile_version_id != case.applied_version_id:
        raise ProfileMovedOn("the details were changed again after this case")
    taken, given = case.applied_version_id, case.prior_version_id
    assert taken is not None and given is not None  # a CHECK of the table: approved means applied
    former, earlier = session.get_one(ProfileVersion, taken), session.get_one(ProfileVersion, given)
    with session.no_autoflush:  # state and applied version change in one UPDATE: the table refuses one without the other
        customer.profile_version_id = given
        if requeue:
            case.applied_version_id = case.prior_version_id = None
        case.undone += 1
        moves.move(session, case, Action.UNDO if requeue else Action.REVERT, now=now)
    _tell_host(session, case, "undone", earlier, former, now=now)
    return former.number, earlier.number


def put_back(session: Session, case: Case, *, actor: audit.Actor, now: datetime) -> None:
    """Revert a locked, approved case of the sandbox at a developer's word. Raises ProfileMovedOn, IllegalTransition."""
    if not case.trial:
        raise people.NotAllowed("revert")
    taken, given = take_back(session, case, requeue=False, now=now)
    audit.record(
        session, "profile_reverted", actor=actor, now=now, case=case, old=State.APPROVED, new=case.state, from_number=taken,
        to_number=given, disputed=case.disputed_at is not None,
    )  # fmt: skip


def approved_by(session: Session, case: Case, agent: Staff) -> bool:
    """Whether she approved this case, alone or as one of two."""
    done = exists().where(Disposition.case_id == case.id, Disposition.staff_id == agent.id, Disposition.action == "approve")
    shared = exists().where(
        Answer.case_id == case.id,
        Answer.staff_id == agent.id,
        Answer.action == "approve",
        Answer.state.in_((AnswerState.FOLLOWED, AnswerState.CARRIED_OUT)),
    )
    return bool(session.scalar(select(done | shared)))


def held(case: Case) -> bool:
    """Whether this change is taken back for now: the customer objected in time, and nobody has settled it yet."""
    return case.held_at is not None


def hold(session: Session, case: Case, *, actor: audit.Actor, now: datetime) -> bool:
    """Take a locked case's change back until a person has settled it; says whether that was done.

    The exact earlier version becomes current; the case stays approved and goes before a person, who reverts it or lets it
    stand (`restore`). Only within `undo_days` of the change, not once a person has let it stand, and not where the details
    were changed again: that change is nobody's to undo from a mail. Why: docs/decisions/0011. The caller has marked the case
    as disputed.
    """
    in_time = case.closed_at is not None and now < case.closed_at + timedelta(days=session.info["settings"].undo_days)
    if case.state is not State.APPROVED or case.held_at is not None or not in_time:
        return False
    stood = select(Disposition.id).where(Disposition.case_id == case.id, Disposition.action == "settle")
    if session.execute(stood.limit(1)).first():
        return False
    customer = moves.lock_customer(session, case.customer_id)
    if customer.profile_version_id != case.applied_version_id:
        return False
    customer.profile_version_id = case.prior_version_id
    case.held_at = now
    session.flush()
    notifications.add(session, case, "held", actor=actor, now=now, to_new=True)
    _record_swap(session, "change_held", case, actor=actor, now=now, taken=case.applied_version_id, given=case.prior_version_id)
    return True


def restore(session: Session, case: Case, *, actor: audit.Actor, now: datetime) -> None:
    """Make a held change of a locked case current again. Raises ProfileMovedOn: what came since was written without it."""
    customer = moves.lock_customer(session, case.customer_id)
    if customer.profile_version_id != case.prior_version_id:
        raise ProfileMovedOn("the details were changed again while this change was held")
    customer.profile_version_id = case.applied_version_id
    case.held_at = None
    session.flush()
    _record_swap(
        session, "change_restored", case, actor=actor, now=now, taken=case.prior_version_id, given=case.applied_version_id
    )


def is_echo_of_held(session: Session, customer: Customer, profile: Profile, email: str) -> bool:
    """Whether the host system sends back the very details that are on hold: it has not heard of the hold yet."""
    on_hold = select(Case).where(Case.customer_id == customer.id, Case.held_at.is_not(None))
    return any(
        (profile, email) == read_version(session, customer, session.get_one(ProfileVersion, case.applied_version_id))
        for case in session.scalars(on_hold)
    )


def _record_swap(
    session: Session, kind: str, case: Case, *, actor: audit.Actor, now: datetime, taken: UUID | None, given: UUID | None
) -> None:
    numbers = dict(
        session.execute(select(ProfileVersion.id, ProfileVersion.number).where(ProfileVersion.id.in_([taken, given]))).all()
    )
    assert taken is not None and given is not None  # a CHECK of the table: approved means applied
    audit.record(session, kind, actor=actor, now=now, case=case, from_number=numbers[taken], to_number=numbers[given])
    _tell_swap(session, case, kind.removeprefix("change_"), given=given, taken=taken, now=now)


def _tell_swap(session: Session, case: Case, cause: str, *, given: UUID | None, taken: UUID | None, now: datetime) -> None:
    """Tell the host system that another version of the profile holds."""
    assert given is not None and taken is not None  # a CHECK of the table: approved means applied
    version, previous = session.get_one(ProfileVersion, given), session.get_one(ProfileVersion, taken)
    _tell_host(session, case, cause, version, previous, now=now)


def _tell_host(
    session: Session, case: Case, cause: str, version: ProfileVersion, previous: ProfileVersion, *, now: datetime
) -> None:
    """Owe the host system the names of the details that differ now, never what they say."""
    profile, email = read_version(session, case.customer, version)
    before, email_before = read_version(session, case.customer, previous)
    fields = [name.value for name in Field if profile.values.get(name) != before.values.get(name)]
    if email != email_before:
        fields.append("email")
    if fields:
        webhooks.owe(
            session, "profile.changed", case=case, now=now, cause=cause, fields=fields, version=version.number,
            previous_version=previous.number,
        )  # fmt: skip


def seal_note(session: Session, case: Case, disposition_id: UUID, note: str) -> bytes:
    """Seal a note under the case's key; once that is shredded, under the customer's."""
    key = case.customer.data_key if case.data_key.wrapped is None else case.data_key
    return vault_of(session).seal(key, note.encode(), f"dispositions.note|{disposition_id}")


def claim_place(case_id: UUID) -> str:
    """What a sealed claim is bound to."""
    return f"cases.claim|{case_id}"


def _place(version_id: UUID) -> str:
    return f"profile_versions.profile|{version_id}"


def _current(session: Session, customer: Customer) -> ProfileVersion:
    if customer.profile_version_id is None:
        raise LookupError(f"customer {customer.id} has no profile")
    return session.get_one(ProfileVersion, customer.profile_version_id)


def _write(
    session: Session,
    customer: Customer,
    profile: Profile,
    email: str,
    *,
    source: ProfileSource,
    case_id: UUID | None,
    now: datetime,
    application: int = 1,
) -> ProfileVersion:
    number = (session.scalar(select(func.max(ProfileVersion.number)).where(ProfileVersion.customer_id == customer.id)) or 0) + 1
    version_id = uuid4()
    document: dict[str, Any] = {"profile": profile.to_json(), "email": email}
    version = ProfileVersion(
        id=version_id,
        customer_id=customer.id,
        number=number,
        source=source,
        case_id=case_id,
        profile_sealed=vault_of(session).seal_json(customer.data_key, document, _place(version_id)),
        created_at=now,
        application=application,
    )
    session.add(version)
    session.flush()
    customer.profile_version_id = version.id
    session.flush()
    return version
