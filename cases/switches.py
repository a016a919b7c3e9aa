"""The switch of automatic decisions: everything to people, or the cases of one country, kind of document or check.

To close takes one person and holds from the next decision on: `runs.finish` reads these rows in the transaction that decides, so
no worker has to be told. To open again takes two. Rows are never deleted; of each scope the newest one that took effect holds.
The system may close too, when it halts itself (`by=None`), but never open: it takes two people then as well.

A check is closed to the machine like this: a request goes to a person whenever its decision would rest on that check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from cases import audit, staff_mails
from cases import staff as people
from cases.models import AutomationSwitch, Staff
from cases.policies import Outdated, SamePerson
from verification.evidence import DocumentType, Evidence, Source

ALL = "all"
"""The scope of the red switch."""

REASON_LENGTH = 500
"""What the column holds."""

_COUNTRY = re.compile(r"[A-Z]{1,3}")
"""An issuing state as ICAO 9303-3 codes it: three letters, "D" for Germany."""


class Kind(StrEnum):
    """What a scope narrows the switch to."""

    ALL = "all"
    COUNTRY = "country"
    DOCUMENT = "document"
    CHECK = "check"


class Check(StrEnum):
    """A check on which a decision may rest."""

    LIVENESS = "liveness"  # the customer turned her head before the camera
    ZONE = "zone"  # the machine-readable zone was read
    PRINT = "print"  # a detail that changes was read from the printed part alone
    ON_FILE = "on_file"  # faces were compared with the one on file


class UnknownScope(ValueError):
    """Not a scope: see `scope`."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a switch speaks of, taken apart. `name` is a country, a DocumentType or a Check; empty for everything."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        """As the column keeps it."""
        return self.kind.value if self.kind is Kind.ALL else f"{self.kind.value}:{self.name}"


def scope(text: str) -> Scope:
    """Read "all", "country:KAZ", "document:TD1" or "check:zone". Raises UnknownScope."""
    kind, _, name = text.partition(":")
    if text == ALL:
        return Scope(kind=Kind.ALL)
    known = (
        (kind == Kind.COUNTRY and _COUNTRY.fullmatch(name))
        or (kind == Kind.DOCUMENT and name in {t.value for t in DocumentType})
        or (kind == Kind.CHECK and name in {c.value for c in Check})
    )
    if not known:
        raise UnknownScope(f"unknown scope: {text[:40]!r}")
    return Scope(kind=Kind(kind), name=name)


def closed(session: Session) -> frozenset[str]:
    """The scopes that go to people now. One query, over as many rows as there are scopes."""
    newest = (
        select(AutomationSwitch.scope, func.max(AutomationSwitch.effective_at).label("at"))
        .where(AutomationSwitch.effective_at.is_not(None))
        .group_by(AutomationSwitch.scope)
        .subquery()
    )
    rows = session.execute(
        select(AutomationSwitch.scope)
        .join(newest, (newest.c.scope == AutomationSwitch.scope) & (newest.c.at == AutomationSwitch.effective_at))
        .where(AutomationSwitch.to_people)
    )
    return frozenset(rows.scalars())


def everything_to_people(session: Session) -> bool:
    """Whether a person looks at every case, whatever the machine finds."""
    return ALL in closed(session)


def to_a_person(session: Session, *, country: str | None, evidence: Evidence | None = None) -> bool:
    """Whether this case goes to a person. `country` is what the customer says, `evidence` what a run found.

    Before a run only the customer's word is known. What was not recognised counts as what is closed: a case whose country
    nobody could read is not decided by a machine that may not decide on some country.
    """
    held = closed(session)
    if not held or ALL in held:
        return bool(held)
    return any(_falls_under(scope(text), country, evidence) for text in held)


def _falls_under(closed_scope: Scope, country: str | None, evidence: Evidence | None) -> bool:
    name = closed_scope.name
    if closed_scope.kind is Kind.COUNTRY:
        return country == name or (evidence is not None and evidence.measures.country in (name, None))
    if evidence is None:
        return False
    if closed_scope.kind is Kind.DOCUMENT:
        return evidence.measures.document_type in (DocumentType(name), None)
    return rests_on(Check(name), evidence)


def rests_on(check: Check, evidence: Evidence) -> bool:
    """Whether a decision by this evidence rests on `check`."""
    m = evidence.measures
    if check is Check.LIVENESS:
        return m.liveness is not None
    if check is Check.ZONE:
        return m.mrz_valid is not None
    if check is Check.ON_FILE:
        return m.has_face_on_file
    changed = (evidence.reading.fields.get(field) for field in m.changes)
    return m.mrz_valid is None or any(reading is not None and reading.source is Source.VIZ for reading in changed)


def to_people(session: Session, *, by: Staff | None, reason: str, scope: str = ALL, now: datetime) -> AutomationSwitch:
    """Send everything, or one scope, to people from the next decision on. `by` None: the system halts itself.

    Proposals to let the machine decide on it again are withdrawn; everything to people withdraws all. A scope that the
    system finds closed stays as it is, with the reason of whoever closed it. Raises NotAllowed, ValueError (no reason),
    UnknownScope.
    """
    if by is not None:
        people.require(by, "stop_automation")
    reason, name = _told(reason), str(_parsed(scope))
    audit.one_writer(session)
    if by is None and name in closed(session):
        return session.scalars(
            select(AutomationSwitch)
            .where(AutomationSwitch.scope == name, AutomationSwitch.to_people)
            .order_by(AutomationSwitch.effective_at.desc())
            .limit(1)
        ).one()
    waiting = select(AutomationSwitch).where(AutomationSwitch.effective_at.is_(None), AutomationSwitch.withdrawn_at.is_(None))
    for pending in session.scalars(waiting if name == ALL else waiting.where(AutomationSwitch.scope == name)):
        pending.withdrawn_at = now
    switch = AutomationSwitch(
        to_people=True,
        scope=name,
        reason=reason,
        proposed_by_id=by.id if by else None,
        proposed_at=now,
        effective_at=_after_the_last(session, now),
    )
    session.add(switch)
    session.flush()
    actor = audit.Actor.staff(by) if by else audit.SYSTEM
    audit.record(session, "everything_to_people", actor=actor, now=now, switch_id=switch.id, scope=name)
    return switch


def propose_automation(session: Session, *, by: Staff, reason: str, scope: str = ALL, now: datetime) -> AutomationSwitch:
    """Propose that the machine decides again. Raises Outdated when it does already, or when that is proposed already."""
    people.require(by, "propose_automation")
    reason, name = _told(reason), str(_parsed(scope))
    audit.one_writer(session)
    if name not in closed(session):
        raise Outdated("the machine decides already")
    if session.scalar(
        select(AutomationSwitch.id).where(
            AutomationSwitch.scope == name, AutomationSwitch.effective_at.is_(None), AutomationSwitch.withdrawn_at.is_(None)
        )
    ):
        raise Outdated("somebody has proposed it already")
    switch = AutomationSwitch(to_people=False, scope=name, reason=reason, proposed_by_id=by.id, proposed_at=now)
    session.add(switch)
    session.flush()
    audit.record(session, "automation_proposed", actor=audit.Actor.staff(by), now=now, switch_id=switch.id, scope=name)
    staff_mails.tell(
        session,
        "confirm_automation",
        staff_mails.SECOND_WANTED,
        key=f"automation:{switch.id}",
        context={"what": "automation", "scope": name},
        now=now,
        but=[by.id],
    )
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
    switch.effective_at = _after_the_last(session, now)
    session.flush()
    audit.record(
        session,
        "automation_resumed",
        actor=audit.Actor.staff(by),
        now=now,
        switch_id=switch.id,
        scope=switch.scope,
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
    audit.record(session, "automation_withdrawn", actor=audit.Actor.staff(by), now=now, switch_id=switch.id, scope=switch.scope)
    return switch


@dataclass(frozen=True, kw_only=True)
class SwitchRow:
    """One line of the switch's history."""

    id: int
    scope: Scope
    to_people: bool
    reason: str
    proposed_by: str | None  # name; None = the system halted itself
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
class ClosedScope:
    """A scope that goes to people now: who closed it and why, and the proposal to open it, if there is one."""

    scope: Scope
    row: SwitchRow
    pending: SwitchRow | None


def switches(session: Session, *, limit: int = 50) -> list[SwitchRow]:
    """The switch's history, newest first."""
    return _rows(session, None, limit)


def state(session: Session) -> list[ClosedScope]:
    """Every closed scope, everything first. Two queries more than `closed`, and only where something is closed."""
    out = []
    for name in sorted(closed(session), key=lambda text: (text != ALL, text)):
        rows = _rows(session, name, 20)
        row = max((r for r in rows if r.to_people and r.effective_at), key=lambda r: (r.effective_at, r.id), default=None)
        if row is not None:
            out.append(ClosedScope(scope=scope(name), row=row, pending=next((r for r in rows if r.pending), None)))
    return out


def _rows(session: Session, name: str | None, limit: int) -> list[SwitchRow]:
    proposer, confirmer = aliased(Staff), aliased(Staff)
    wanted = (
        select(AutomationSwitch, proposer.name, confirmer.name)
        .outerjoin(proposer, proposer.id == AutomationSwitch.proposed_by_id)
        .outerjoin(confirmer, confirmer.id == AutomationSwitch.confirmed_by_id)
        .order_by(AutomationSwitch.id.desc())
        .limit(limit)
    )
    return [
        SwitchRow(
            id=switch.id,
            scope=scope(switch.scope),
            to_people=switch.to_people,
            reason=switch.reason,
            proposed_by=proposed_by,
            proposed_by_id=str(switch.proposed_by_id) if switch.proposed_by_id else None,
            proposed_at=switch.proposed_at,
            confirmed_by=confirmed_by,
            effective_at=switch.effective_at,
            withdrawn_at=switch.withdrawn_at,
        )
        for switch, proposed_by, confirmed_by in session.execute(
            wanted if name is None else wanted.where(AutomationSwitch.scope == name)
        )
    ]


_parsed = scope
"""For functions whose argument is called `scope`."""


def _told(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        raise ValueError("a reason is needed")
    if len(reason) > REASON_LENGTH:
        raise ValueError(f"the reason is longer than {REASON_LENGTH} characters")
    return reason


def _after_the_last(session: Session, now: datetime) -> datetime:
    """`now`, or just after the newest row where another machine's clock runs ahead."""
    last = session.scalar(select(func.max(AutomationSwitch.effective_at)))
    return now if last is None or now > last else last + timedelta(microseconds=1)
