"""Policies as rows: draft, propose, confirm. The switch that sends everything to people is `cases.switches`.

A version never changes. Which one holds is told by the newest effective activation. Each is replayed before it is proposed.
To tighten takes one person and holds from the next decision on; to loosen takes two, and the steps of `cases.rollout`: what the
second confirms is what the first proposed, and it decides nothing yet.
Changes happen one at a time (the trail has one writer), so each is weighed against what really holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from cases import audit, ramps, staff_mails
from cases import staff as people
from cases.models import PolicyActivation, PolicyVersion, Staff
from verification.policy import SHIPPED, THRESHOLDS, Policy, loosens, strictest


class NoPolicy(Exception):
    """Nothing was installed: run `python -m cases migrate`."""


class SamePerson(Exception):
    """Nobody confirms what he proposed."""


class Outdated(Exception):
    """What was proposed is no longer open, or what holds has changed since: it must be proposed again."""


class UnderWay(Outdated):
    """Another version is on its way up; one at a time, or nobody knows which of them was observed."""


def current(session: Session) -> Policy:
    """The policy that holds now. Raises NoPolicy."""
    document = session.execute(
        select(PolicyVersion.document)
        .join(PolicyActivation, PolicyActivation.version == PolicyVersion.version)
        .where(PolicyActivation.effective_at.is_not(None))
        .order_by(PolicyActivation.effective_at.desc(), PolicyActivation.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if document is None:
        raise NoPolicy("no policy is active; run: python -m cases migrate")
    return Policy.from_json(document)


def for_case(session: Session, case_id: UUID) -> Policy:
    """The policy that decides this case now: the one that holds, or for a share of cases the one on its way up."""
    ramp = ramps.under_way(session)
    return ramp.policy if ramp is not None and ramps.decides(session, ramp, case_id) else current(session)


def careful_for(session: Session, case_id: UUID) -> Policy:
    """By what people weigh this case: each setting as tight as the tighter of what holds and what decides this case.

    A version on its way up is on trial. It may make a case go to a person; it may not make that person's work less careful.
    """
    held, deciding = current(session), for_case(session, case_id)
    return held if deciding.version == held.version else strictest(held, deciding)


def hides_opinion(session: Session, case_id: UUID) -> bool:
    """Whether who decides this case is to answer before she sees what the machine found: where either policy asks for it."""
    return careful_for(session, case_id).hide_opinion


def hides_anywhere(session: Session) -> bool:
    """The same for lists of cases: where it is so of any case now, a list says of none what the machine found."""
    ramp = ramps.under_way(session)
    return current(session).hide_opinion or (ramp is not None and ramp.share > 0 and ramp.policy.hide_opinion)


def get(session: Session, version: int) -> Policy:
    """One version. Raises NoResultFound."""
    return Policy.from_json(session.get_one(PolicyVersion, version).document)


def draft(session: Session, document: Policy, *, author: Staff, reason: str, now: datetime) -> PolicyVersion:
    """Store a new version; its number is the next one, whatever `document.version` says. It does not hold yet."""
    people.require(author, "propose_policy")
    reason = told(reason)
    audit.one_writer(session)
    return keep(session, document, author=author, reason=reason, now=now)


def keep(session: Session, document: Policy, *, author: Staff, reason: str, now: datetime) -> PolicyVersion:
    """Write a version down. Callers have asked who may, and are the one writer."""
    number = (session.scalar(select(func.max(PolicyVersion.version))) or 0) + 1
    document = replace(document, version=number)
    row = PolicyVersion(version=number, document=document.to_json(), reason=reason, author_id=author.id, created_at=now)
    session.add(row)
    session.flush()
    held = current(session)
    differing = [name for name in THRESHOLDS if getattr(held, name) != getattr(document, name)]
    audit.record(session, "policy_drafted", actor=audit.Actor.staff(author), now=now, policy_version=number, fields=differing)
    return row


def propose(session: Session, version: int, *, by: Staff, reason: str, now: datetime) -> PolicyActivation:
    """Let a version hold that was replayed (replays.NotReplayed, Unopened). Tighter or equal: from now on, and a version on its
    way up is rolled back, for it was weighed against another. Looser in anything: once another person confirmed it, and it came
    through the steps of `cases.rollout`. Who cannot wait for a replay sends everything to people (`cases.switches`).
    """
    from cases import replays  # it asks what holds

    people.require(by, "propose_policy")
    reason = told(reason)
    audit.one_writer(session)
    held, wanted = current(session), get(session, version)
    replays.require_seen(session, version, now=now)
    looser = loosens(held, wanted)
    if not looser:
        ended = ramps.end(session, by=by, reason=reason, now=now)
        activation = activate(session, wanted, held=held, by=by, reason=reason, now=now)
        if ended is not None:
            ramps.tell_rolled_back(session, ended.activation_id, version=ended.version, holds=wanted.version, by=by, now=now)
        return activation
    activation = PolicyActivation(
        version=version,
        against_version=held.version,
        loosens=True,
        reason=reason,
        proposed_by_id=by.id,
        proposed_at=now,
    )
    session.add(activation)
    session.flush()
    audit.record(
        session, "policy_proposed", actor=audit.Actor.staff(by), now=now,
        activation_id=activation.id, policy_version=version, loosens=looser,
    )  # fmt: skip
    staff_mails.tell(
        session,
        "confirm_policy",
        staff_mails.SECOND_WANTED,
        key=f"policy:{activation.id}",
        context={"what": "policy", "version": version},
        now=now,
        but=[by.id],
    )
    return activation


def activate(session: Session, wanted: Policy, *, held: Policy, by: Staff, reason: str, now: datetime) -> PolicyActivation:
    """Let a version hold from now on that lets nothing through which `held` does not. Raises ValueError for any other."""
    if loosens(held, wanted):
        raise ValueError("a loosening takes two people and the steps of a ramp")
    activation = PolicyActivation(
        version=wanted.version,
        against_version=held.version,
        loosens=False,
        reason=reason,
        proposed_by_id=by.id,
        proposed_at=now,
        effective_at=_after_the_last(session, now),
    )
    session.add(activation)
    session.flush()
    audit.record(
        session, "policy_activated", actor=audit.Actor.staff(by), now=now,
        activation_id=activation.id, policy_version=wanted.version, loosens=(),
    )  # fmt: skip
    return activation


def confirm(session: Session, activation_id: int, *, by: Staff, now: datetime) -> PolicyActivation:
    """Send a loosening on its way: into shadow, where it decides nothing. One at a time.

    Raises SamePerson; UnderWay; Outdated when another policy holds than when it was proposed; replays.NotReplayed or Unopened
    when what was looked at before it was proposed is too old by now, or not all that there is.
    """
    from cases import replays  # it asks what holds

    people.require(by, "confirm_policy")
    audit.one_writer(session)
    activation = session.get_one(PolicyActivation, activation_id, populate_existing=True)
    if activation.proposed_by_id == by.id:
        raise SamePerson("another person has to confirm this")
    if not _open(activation) or activation.against_version != current(session).version:
        raise Outdated("this proposal is no longer open")
    if ramps.under_way(session) is not None:
        raise UnderWay("another version is on its way")
    replays.require_seen(session, activation.version, now=now)
    activation.confirmed_by_id = by.id
    session.flush()
    ramps.step(session, activation, ramps.Stage.SHADOW, by=by, now=now)
    return activation


def let_hold(session: Session, activation: PolicyActivation, *, by: Staff, now: datetime) -> None:
    """The last step of `cases.rollout`: from now on the version decides every case."""
    activation.effective_at = _after_the_last(session, now)
    session.flush()
    audit.record(
        session,
        "policy_activated",
        actor=audit.Actor.staff(by),
        now=now,
        activation_id=activation.id,
        policy_version=activation.version,
        loosens=loosens(get(session, activation.against_version or 0), get(session, activation.version)),
        proposed_by=activation.proposed_by_id,
    )


def _open(activation: PolicyActivation) -> bool:
    """Whether a proposal waits for a second person."""
    return activation.effective_at is None and activation.withdrawn_at is None and activation.confirmed_by_id is None


def withdraw_proposal(session: Session, activation_id: int, *, by: Staff, now: datetime) -> PolicyActivation:
    """Close a proposal that nobody confirmed. Anyone who may propose may do it."""
    people.require(by, "propose_policy")
    audit.one_writer(session)
    activation = session.get_one(PolicyActivation, activation_id, populate_existing=True)
    if not _open(activation):
        raise Outdated("this proposal is no longer open")
    activation.withdrawn_at = now
    audit.record(
        session,
        "policy_withdrawn",
        actor=audit.Actor.staff(by),
        now=now,
        activation_id=activation.id,
        policy_version=activation.version,
    )
    return activation


def install_shipped(session: Session, *, now: datetime) -> None:
    """Version 1 = the shipped policy, active. Does nothing when any version is there."""
    audit.one_writer(session)
    if session.scalar(select(func.count()).select_from(PolicyVersion)):
        return
    shipped = replace(SHIPPED, version=1)
    session.add(
        PolicyVersion(version=1, document=shipped.to_json(), reason="Shipped with the system", author_id=None, created_at=now)
    )
    session.flush()
    activation = PolicyActivation(
        version=1, loosens=False, reason="Shipped with the system", proposed_by_id=None, proposed_at=now, effective_at=now
    )
    session.add(activation)
    session.flush()
    audit.record(
        session, "policy_activated", actor=audit.SYSTEM, now=now, activation_id=activation.id, policy_version=1, loosens=()
    )


@dataclass(frozen=True, kw_only=True)
class ActivationRow:
    """One line of the history: who let which version hold, and when."""

    id: int
    version: int
    against_version: int | None
    loosens: bool
    reason: str
    proposed_by: str | None  # name; None = shipped
    proposed_by_id: str | None
    proposed_at: datetime
    confirmed_by: str | None
    effective_at: datetime | None
    withdrawn_at: datetime | None

    @property
    def pending(self) -> bool:
        """Waiting for a second person."""
        return self.effective_at is None and self.withdrawn_at is None and self.confirmed_by is None

    @property
    def under_way(self) -> bool:
        """Confirmed, and on its way up."""
        return self.effective_at is None and self.withdrawn_at is None and self.confirmed_by is not None


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """One version with all its activations, newest first."""

    version: int
    policy: Policy
    reason: str
    author: str | None  # name; None = shipped
    created_at: datetime
    active: bool
    activations: tuple[ActivationRow, ...]

    @property
    def pending(self) -> ActivationRow | None:
        """The proposal that waits for a second person."""
        return next((a for a in self.activations if a.pending), None)

    @property
    def under_way(self) -> ActivationRow | None:
        """The activation by which it is in shadow or on a ramp."""
        return next((a for a in self.activations if a.under_way), None)


def versions(session: Session) -> list[VersionRow]:
    """Every version, newest first. Two queries."""
    by_version: dict[int, list[ActivationRow]] = {}
    proposer, confirmer = aliased(Staff), aliased(Staff)
    newest: tuple[datetime, int, int] | None = None
    for activation, proposed_by, confirmed_by in session.execute(
        select(PolicyActivation, proposer.name, confirmer.name)
        .outerjoin(proposer, proposer.id == PolicyActivation.proposed_by_id)
        .outerjoin(confirmer, confirmer.id == PolicyActivation.confirmed_by_id)
        .order_by(PolicyActivation.id.desc())
    ):
        row = ActivationRow(
            id=activation.id,
            version=activation.version,
            against_version=activation.against_version,
            loosens=activation.loosens,
            reason=activation.reason,
            proposed_by=proposed_by,
            proposed_by_id=str(activation.proposed_by_id) if activation.proposed_by_id else None,
            proposed_at=activation.proposed_at,
            confirmed_by=confirmed_by,
            effective_at=activation.effective_at,
            withdrawn_at=activation.withdrawn_at,
        )
        by_version.setdefault(activation.version, []).append(row)
        if row.effective_at and (newest is None or (row.effective_at, row.id) > newest[:2]):
            newest = (row.effective_at, row.id, row.version)
    return [
        VersionRow(
            version=version.version,
            policy=Policy.from_json(version.document),
            reason=version.reason,
            author=author,
            created_at=version.created_at,
            active=newest is not None and newest[2] == version.version,
            activations=tuple(by_version.get(version.version, ())),
        )
        for version, author in session.execute(
            select(PolicyVersion, Staff.name)
            .outerjoin(Staff, Staff.id == PolicyVersion.author_id)
            .order_by(PolicyVersion.version.desc())
        )
    ]


def told(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        raise ValueError("a reason is needed")
    if len(reason) > 500:
        raise ValueError("the reason is longer than 500 characters")
    return reason


def _after_the_last(session: Session, now: datetime) -> datetime:
    """`now`, or just after the newest activation where another machine's clock runs ahead."""
    last = session.scalar(select(func.max(PolicyActivation.effective_at)))
    return now if last is None or now > last else last + timedelta(microseconds=1)
