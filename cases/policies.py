"""Policies as rows: draft, propose, confirm; and the switch that sends everything to people.

A version never changes. Which one holds is told by the newest effective activation. To tighten takes one person
and holds from the next decision on; to loosen takes two, and what the second confirms is what the first proposed.
Changes happen one at a time (the trail has one writer), so each is weighed against what really holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from cases import audit
from cases import staff as people
from cases.models import AutomationSwitch, PolicyActivation, PolicyVersion, Staff
from verification.policy import SHIPPED, THRESHOLDS, Policy, loosens


class NoPolicy(Exception):
    """Nothing was installed: run `python -m cases migrate`."""


class SamePerson(Exception):
    """Nobody confirms what he proposed."""


class Outdated(Exception):
    """What was proposed is no longer open, or what holds has changed since: it must be proposed again."""


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


def get(session: Session, version: int) -> Policy:
    """One version. Raises NoResultFound."""
    return Policy.from_json(session.get_one(PolicyVersion, version).document)


def everything_to_people(session: Session) -> bool:
    """Whether a person looks at every case, whatever the machine finds."""
    on = session.execute(
        select(AutomationSwitch.to_people)
        .where(AutomationSwitch.effective_at.is_not(None))
        .order_by(AutomationSwitch.effective_at.desc(), AutomationSwitch.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return bool(on)


def draft(session: Session, document: Policy, *, author: Staff, reason: str, now: datetime) -> PolicyVersion:
    """Store a new version; its number is the next one, whatever `document.version` says. It does not hold yet."""
    people.require(author, "propose_policy")
    reason = _told(reason)
    audit.one_writer(session)
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
    """Let a version hold from now on. Tighter or equal: at once. Looser in anything: once another person confirmed."""
    people.require(by, "propose_policy")
    reason = _told(reason)
    audit.one_writer(session)
    held, wanted = current(session), get(session, version)
    looser = loosens(held, wanted)
    activation = PolicyActivation(
        version=version,
        against_version=held.version,
        loosens=bool(looser),
        reason=reason,
        proposed_by_id=by.id,
        proposed_at=now,
        effective_at=None if looser else _after_the_last(session, now),
    )
    session.add(activation)
    session.flush()
    kind = "policy_proposed" if looser else "policy_activated"
    audit.record(
        session, kind, actor=audit.Actor.staff(by), now=now, activation_id=activation.id, policy_version=version, loosens=looser
    )
    return activation


def confirm(session: Session, activation_id: int, *, by: Staff, now: datetime) -> PolicyActivation:
    """Let a loosening take effect. Raises SamePerson; Outdated when another policy holds than when it was proposed."""
    people.require(by, "confirm_policy")
    audit.one_writer(session)
    activation = session.get_one(PolicyActivation, activation_id, populate_existing=True)
    if activation.proposed_by_id == by.id:
        raise SamePerson("another person has to confirm this")
    held = current(session)
    if activation.effective_at is not None or activation.withdrawn_at is not None or activation.against_version != held.version:
        raise Outdated("this proposal is no longer open")
    activation.confirmed_by_id = by.id
    activation.effective_at = _after_the_last(session, now)
    session.flush()
    audit.record(
        session,
        "policy_activated",
        actor=audit.Actor.staff(by),
        now=now,
        activation_id=activation.id,
        policy_version=activation.version,
        loosens=loosens(held, get(session, activation.version)),
        proposed_by=activation.proposed_by_id,
    )
    return activation


def withdraw_proposal(session: Session, activation_id: int, *, by: Staff, now: datetime) -> PolicyActivation:
    """Close a proposal that nobody confirmed. Anyone who may propose may do it."""
    people.require(by, "propose_policy")
    audit.one_writer(session)
    activation = session.get_one(PolicyActivation, activation_id, populate_existing=True)
    if activation.effective_at is not None or activation.withdrawn_at is not None:
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


def to_people(session: Session, *, by: Staff, reason: str, now: datetime) -> AutomationSwitch:
    """Send everything to people from the next decision on. Proposals to let the machine decide again are withdrawn."""
    people.require(by, "stop_automation")
    reason = _told(reason)
    audit.one_writer(session)
    for pending in session.scalars(
        select(AutomationSwitch).where(AutomationSwitch.effective_at.is_(None), AutomationSwitch.withdrawn_at.is_(None))
    ):
        pending.withdrawn_at = now
    switch = AutomationSwitch(
        to_people=True, reason=reason, proposed_by_id=by.id, proposed_at=now, effective_at=_after_the_last_switch(session, now)
    )
    session.add(switch)
    session.flush()
    audit.record(session, "everything_to_people", actor=audit.Actor.staff(by), now=now, switch_id=switch.id)
    return switch


def propose_automation(session: Session, *, by: Staff, reason: str, now: datetime) -> AutomationSwitch:
    """Propose that the machine decides again. Raises Outdated when it does already."""
    people.require(by, "propose_automation")
    reason = _told(reason)
    audit.one_writer(session)
    if not everything_to_people(session):
        raise Outdated("the machine decides already")
    switch = AutomationSwitch(to_people=False, reason=reason, proposed_by_id=by.id, proposed_at=now)
    session.add(switch)
    session.flush()
    audit.record(session, "automation_proposed", actor=audit.Actor.staff(by), now=now, switch_id=switch.id)
    return switch


def confirm_automation(session: Session, switch_id: int, *, by: Staff, now: datetime) -> AutomationSwitch:
    """Let the machine decide again. Raises SamePerson, Outdated."""
    people.require(by, "confirm_automation")
    audit.one_writer(session)
    switch = session.get_one(AutomationSwitch, switch_id, populate_existing=True)
    if switch.proposed_by_id == by.id:
        raise SamePerson("another person has to confirm this")
    if switch.to_people or switch.effective_at is not None or switch.withdrawn_at is not None:
        raise Outdated("this proposal is no longer open")
    switch.confirmed_by_id = by.id
    switch.effective_at = _after_the_last_switch(session, now)
    session.flush()
    audit.record(
        session,
        "automation_resumed",
        actor=audit.Actor.staff(by),
        now=now,
        switch_id=switch.id,
        proposed_by=switch.proposed_by_id,
    )
    return switch


def withdraw_automation(session: Session, switch_id: int, *, by: Staff, now: datetime) -> AutomationSwitch:
    """Close a proposal to let the machine decide again."""
    people.require(by, "propose_automation")
    audit.one_writer(session)
    switch = session.get_one(AutomationSwitch, switch_id, populate_existing=True)
    if switch.effective_at is not None or switch.withdrawn_at is not None:
        raise Outdated("this proposal is no longer open")
    switch.withdrawn_at = now
    audit.record(session, "automation_withdrawn", actor=audit.Actor.staff(by), now=now, switch_id=switch.id)
    return switch


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
        return self.effective_at is None and self.withdrawn_at is None


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


@dataclass(frozen=True, kw_only=True)
class SwitchRow:
    """One line of the switch's history."""

    id: int
    to_people: bool
    reason: str
    proposed_by: str
    proposed_by_id: str
    proposed_at: datetime
    confirmed_by: str | None
    effective_at: datetime | None
    withdrawn_at: datetime | None

    @property
    def pending(self) -> bool:
        """Waiting for a second person."""
        return self.effective_at is None and self.withdrawn_at is None


def switches(session: Session, *, limit: int = 50) -> list[SwitchRow]:
    """The switch's history, newest first."""
    proposer, confirmer = aliased(Staff), aliased(Staff)
    return [
        SwitchRow(
            id=switch.id,
            to_people=switch.to_people,
            reason=switch.reason,
            proposed_by=proposed_by,
            proposed_by_id=str(switch.proposed_by_id),
            proposed_at=switch.proposed_at,
            confirmed_by=confirmed_by,
            effective_at=switch.effective_at,
            withdrawn_at=switch.withdrawn_at,
        )
        for switch, proposed_by, confirmed_by in session.execute(
            select(AutomationSwitch, proposer.name, confirmer.name)
            .join(proposer, proposer.id == AutomationSwitch.proposed_by_id)
            .outerjoin(confirmer, confirmer.id == AutomationSwitch.confirmed_by_id)
            .order_by(AutomationSwitch.id.desc())
            .limit(limit)
        )
    ]


def _told(reason: str) -> str:
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


def _after_the_last_switch(session: Session, now: datetime) -> datetime:
    last = session.scalar(select(func.max(AutomationSwitch.effective_at)))
    return now if last is None or now > last else last + timedelta(microseconds=1)
