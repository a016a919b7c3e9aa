"""Taking many approvals of the machine back at once: a policy was wrong, and everything it approved waits for a person again.

One person chooses (a policy version, a time, a kind of change, a country) and proposes, another confirms; then upkeep carries it
out, a few cases in each transaction. Whatever dies on the way, the next pass goes on with what is left; nothing is done twice.
Each profile returns to the exact version from before its approval, the newest approval first, so that two of one customer both
go back. Where the details were changed since, nothing is overwritten: the case is listed as a conflict, and a person clears it
up. A case that cannot be taken back for a reason of its own stops nobody else's: it is listed as failed, and tried again when
somebody asks.

What a person approved is not chosen here: each of those can be put back by itself (`profiles.revert`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CTE, ColumnElement, and_, exists, func, insert, select, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session, aliased

from cases import audit, notifications, policies, profiles, ramps, staff_mails, switches
from cases import staff as people
from cases.database import MACHINE_TROUBLE, Database
from cases.lifecycle import State
from cases.models import UNMARKED, Case, Customer, DataKey, ProfileVersion, Run, RunState, Staff
from cases.ops_tables import Undo, UndoItem
from cases.policies import Outdated, SamePerson
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode

BATCH = 50
"""Cases in one transaction: each holds the trail's only lock, and nobody should wait for it longer than a part of a second."""

LISTED = 200
"""Cases named on a page; a command prints them all."""

OUTCOMES = ("requeued", "closed", "erased", "conflict", "gone", "failed")
"""requeued: waits for a person. closed: put back and told, but not looked at again: the customer has another request open, which
goes its own way, or photos and claim were shredded by now, so that she has to ask anew. erased: put back and closed, and nobody
was told: the person was erased since (`cases.privacy`), so there is no address and nothing to look at.
conflict: the details were changed again, or the change is on hold. gone: somebody had put it back already. failed: it could not
be done, and the item's code says why."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which approvals. What is left out means any; at least one has to be said."""

    version: int | None = None  # policy that approved
    since: datetime | None = None  # of the approval, included
    until: datetime | None = None  # not included
    change_reason: ChangeReason | None = None
    country: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "version": self.version,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "change_reason": self.change_reason.value if self.change_reason else None,
            "country": self.country,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Selection:
        """Read what `to_json` wrote."""
        return cls(
            version=data["version"],
            since=datetime.fromisoformat(data["since"]) if data["since"] else None,
            until=datetime.fromisoformat(data["until"]) if data["until"] else None,
            change_reason=ChangeReason(data["change_reason"]) if data["change_reason"] else None,
            country=data["country"],
        )

    @property
    def empty(self) -> bool:
        """Whether nothing was said."""
        return self == Selection()


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an undo would do at this moment."""

    count: int  # approvals of the machine that stand
    conflicts: int  # of these: details changed since, or the change is on hold
    closing: int  # of these: put back and closed, since another request is open or the photos are shredded by now
    erased: int  # of `closing`: of a person who was erased, so that nobody is told
    conflicting: tuple[UUID, ...]  # cases of `conflicts`, the newest approval first; at most as many as were asked for
    first: datetime | None
    last: datetime | None
    by_version: tuple[tuple[int, int], ...]  # policy version, approvals
    by_country: tuple[tuple[str, int], ...]
    by_reason: tuple[tuple[ChangeReason, int], ...]
    gone: int = 0  # of a proposal: put back by somebody since it was made; not in `count`


class NothingToUndo(ValueError):
    """No approval fits, or nothing was chosen."""


def preview(session: Session, selection: Selection, *, listed: int | None = LISTED) -> Preview:
    """Count what would be undone, and name up to `listed` conflicts, None: all. Six queries.

    Raises NothingToUndo when nothing was chosen at all.
    """
    return _foresee(session, _chosen(*_wanted(selection)), listed=listed)


def preview_of(session: Session, undo_id: UUID, *, listed: int | None = LISTED) -> Preview:
    """The same of a proposal, whose approvals are fixed: what would become of them if it were carried out now."""
    still = exists().where(
        UndoItem.undo_id == undo_id, UndoItem.case_id == Case.id, UndoItem.version_id == Case.applied_version_id
    )
    fixed = session.scalar(select(func.count()).select_from(UndoItem).where(UndoItem.undo_id == undo_id)) or 0
    seen = _foresee(session, _chosen(Case.state == State.APPROVED, still), listed=listed)
    return replace(seen, gone=fixed - seen.count)


def _chosen(*wanted: ColumnElement[bool]) -> CTE:
    """One row for each approval, with what decides its outcome."""
    other = aliased(Case)
    return (
        select(
            Case.id,
            Case.customer_id,
            Case.applied_version_id.label("applied"),
            Case.prior_version_id.label("prior"),
            Case.closed_at,
            Case.change_reason,
            Run.policy_version,
            _country().label("country"),
            Customer.profile_version_id.label("holds"),
            Case.held_at.is_not(None).label("held"),
            Customer.profile_version_id.is_distinct_from(Case.applied_version_id).label("moved_on"),
            Case.shredded_at.is_not(None).label("shredded"),
            exists().where(other.customer_id == Case.customer_id, other.closed_at.is_(None)).label("another"),
            DataKey.wrapped.is_(None).label("erased"),
        )
        .join(Run, _approved_by_run())
        .join(Customer, Customer.id == Case.customer_id)
        .join(DataKey, DataKey.id == Customer.data_key_id)
        .where(*wanted)
        .cte("chosen")
    )


def _foresee(session: Session, chosen: CTE, *, listed: int | None) -> Preview:
    c = chosen.c
    moving = select(c.customer_id).where(c.moved_on, ~c.held)
    alone = c.customer_id.not_in(moving)
    count, held, closing, erased, first, last = session.execute(
        select(
            func.count(),
            func.count().filter(alone, c.held),
            func.count().filter(alone, ~c.held, c.shredded | c.another),
            func.count().filter(alone, ~c.held, c.erased),
            func.min(c.closed_at),
            func.max(c.closed_at),
        ).select_from(chosen)
    ).one()
    # Of several approvals of one customer each waits for what becomes of the one after it: played through as carry_out does.
    chain = session.execute(
        select(chosen, ProfileVersion.number)
        .join(ProfileVersion, ProfileVersion.id == c.applied)
        .where(~alone)
        .order_by(c.customer_id, ProfileVersion.number.desc())
    ).all()
    on_hold = select(c.closed_at, c.id).where(alone, c.held).order_by(c.closed_at.desc(), c.id).limit(listed)
    found = [(at, case_id) for at, case_id in session.execute(on_hold)]
    for _customer, rows in groupby(chain, key=attrgetter("customer_id")):
        holds, another = None, False
        for row in rows:
            holds = row.holds if holds is None else holds
            if row.held or holds != row.applied:
                found.append((row.closed_at, row.id))
                held += 1
                continue
            holds = row.prior
            closing += row.shredded or row.another or another
            erased += row.erased
            another = True
    found.sort(reverse=True)

    def by(column: Any) -> list[Any]:
        return list(session.execute(select(column, func.count()).select_from(chosen).group_by(column)).all())

    return Preview(
        count=count,
        conflicts=held,
        closing=closing,
        erased=erased,
        conflicting=tuple(case_id for _at, case_id in found[:listed]),
        first=first,
        last=last,
        by_version=tuple(sorted((version, n) for version, n in by(c.policy_version))),
        by_country=tuple(sorted(((country or "", n) for country, n in by(c.country)), key=lambda pair: -pair[1])),
        by_reason=tuple(sorted(((reason, n) for reason, n in by(c.change_reason)), key=lambda pair: -pair[1])),
    )


def propose(session: Session, selection: Selection, *, by: Staff, reason: str, now: datetime) -> Undo:
    """Fix which approvals are to be undone; another person has to confirm. Raises NothingToUndo, NotAllowed, ValueError."""
    people.require(by, "propose_undo")
    reason = " ".join(reason.split())
    if not reason or len(reason) > 500:
        raise ValueError("a reason is needed, of at most 500 characters")
    undo = Undo(id=uuid4(), selection=selection.to_json(), reason=reason, count=0, proposed_by_id=by.id, proposed_at=now)
    session.add(undo)
    session.flush()
    chosen = (
        select(Case.id, Case.applied_version_id)
        .join(Run, _approved_by_run())
        .join(ProfileVersion, ProfileVersion.id == Case.applied_version_id)
        .where(*_wanted(selection))
        .order_by(Case.closed_at.desc(), ProfileVersion.number.desc(), Case.id)
    )
    rows = session.execute(chosen).all()
    if not rows:
        raise NothingToUndo("no approval fits")
    session.execute(
        insert(UndoItem),
        [
            {"undo_id": undo.id, "case_id": case_id, "version_id": version, "place": place}
            for place, (case_id, version) in enumerate(rows)
        ],
    )
    undo.count = len(rows)
    session.flush()
    audit.record(session, "undo_proposed", actor=audit.Actor.staff(by), now=now, undo_id=undo.id, count=undo.count)
    staff_mails.tell(
        session,
        "confirm_undo",
        staff_mails.SECOND_WANTED,
        key=f"undo:{undo.id}",
        context={"what": "undo", "undo_id": undo.id, "count": undo.count},
        now=now,
        but=[by.id],
    )
    return undo


def confirm(session: Session, undo_id: UUID, *, by: Staff, now: datetime) -> Undo:
    """Let it be carried out from now on. Raises SamePerson, Outdated, NotAllowed, NoResultFound."""
    people.require(by, "confirm_undo")
    undo = _locked(session, undo_id)
    if undo.proposed_by_id == by.id:
        raise SamePerson("another person has to confirm this")
    if undo.confirmed_at is not None or undo.withdrawn_at is not None:
        raise Outdated("this proposal is no longer open")
    undo.confirmed_by_id, undo.confirmed_at = by.id, now
    session.flush()
    audit.record(
        session, "undo_confirmed", actor=audit.Actor.staff(by), now=now,
        undo_id=undo.id, count=undo.count, proposed_by=undo.proposed_by_id,
    )  # fmt: skip
    staff_mails.tell(
        session,
        "confirm_undo",
        staff_mails.UNDO_BEGUN,
        key=f"undo_begun:{undo.id}",
        context={"undo_id": undo.id, "count": undo.count},
        now=now,
        but=[by.id],
    )
    return undo


def withdraw(session: Session, undo_id: UUID, *, by: Staff, now: datetime) -> Undo:
    """Close a proposal that nobody confirmed. Raises Outdated, NotAllowed, NoResultFound."""
    people.require(by, "propose_undo")
    undo = _locked(session, undo_id)
    if undo.confirmed_at is not None or undo.withdrawn_at is not None:
        raise Outdated("this proposal is no longer open")
    undo.withdrawn_at = now
    session.flush()
    audit.record(session, "undo_withdrawn", actor=audit.Actor.staff(by), now=now, undo_id=undo.id)
    return undo


def try_again(session: Session, undo_id: UUID, *, by: Staff, now: datetime) -> int:
    """Have what failed carried out once more; returns how many. Two people agreed to it, so it takes one.

    Raises NothingToUndo where nothing failed, NotAllowed, NoResultFound.
    """
    people.require(by, "confirm_undo")
    undo = _locked(session, undo_id)
    failed = (UndoItem.undo_id == undo.id, UndoItem.outcome == "failed")
    count = session.scalar(select(func.count()).select_from(UndoItem).where(*failed)) or 0
    if not count:
        raise NothingToUndo("nothing failed")
    theirs = select(Case.customer_id).join(UndoItem, UndoItem.case_id == Case.id).where(*failed)
    older = UndoItem.case_id.in_(select(Case.id).where(Case.customer_id.in_(theirs)))
    for which in ((UndoItem.undo_id == undo.id, UndoItem.outcome == "conflict", older), failed):  # it stood in their way
        session.execute(
            update(UndoItem)
            .where(*which)
            .values(outcome=None, code=None, done_at=None)
            .execution_options(synchronize_session=False)
        )
    undo.finished_at = None
    session.flush()
    audit.record(session, "undo_tried_again", actor=audit.Actor.staff(by), now=now, undo_id=undo.id, count=count)
    return count


def carry_out(database: Database, *, now: datetime, most: int | None = None) -> int:
    """Undo what was confirmed, BATCH cases in each transaction; returns how many were carried out.

    May run in two processes and die anywhere: a case whose item has an outcome is left alone, and both change together.
    """
    done = 0
    while most is None or done < most:
        count = _some(database, limit=BATCH if most is None else min(BATCH, most - done), now=now)
        if count is None:
            break
        done += count
    return done


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far one undo has come."""

    undo: Undo
    proposed_by: str
    confirmed_by: str | None
    outcomes: dict[str, int]  # of OUTCOMES
    left: int

    @property
    def pending(self) -> bool:
        """Waits for a second person."""
        return self.undo.confirmed_at is None and self.undo.withdrawn_at is None


def standing(session: Session, undo_id: UUID) -> Standing:
    """One undo and its progress. Raises NoResultFound."""
    found = next(_standings(session, Undo.id == undo_id), None)
    if found is None:
        raise NoResultFound("no such undo")
    return found


def all_of_them(session: Session, *, limit: int = 50) -> list[Standing]:
    """Newest first."""
    return list(_standings(session, None, limit=limit))


@dataclass(frozen=True, kw_only=True)
class Ended:
    """One approval of an undo, and why it failed, if it did."""

    case_id: UUID
    code: str | None


def ended(session: Session, undo_id: UUID, outcome: str, *, limit: int | None = None) -> list[Ended]:
    """The cases with this outcome, for a person to look after: conflicts, failures. Raises ValueError."""
    if outcome not in OUTCOMES:
        raise ValueError(f"unknown outcome: {outcome}")
    rows = session.execute(
        select(UndoItem.case_id, UndoItem.code)
        .where(UndoItem.undo_id == undo_id, UndoItem.outcome == outcome)
        .order_by(UndoItem.case_id)
        .limit(limit)
    )
    return [Ended(case_id=case_id, code=code) for case_id, code in rows]


def conflicts(session: Session, undo_id: UUID, *, limit: int | None = None) -> list[UUID]:
    """Cases that nobody may overwrite: their details were changed since. For a person to clear up."""
    return [one.case_id for one in ended(session, undo_id, "conflict", limit=limit)]


def goes_on(session: Session, selection: Selection, *, now: datetime) -> bool:
    """Whether the machine may approve more of the same at this moment: what is chosen would grow again behind the undo."""
    if selection.until is not None and selection.until <= now:
        return False
    closed = switches.closed(session)
    if switches.ALL in closed or (selection.country and f"{switches.Kind.COUNTRY}:{selection.country}" in closed):
        return False
    ramp = ramps.under_way(session)
    deciding = {policies.current(session).version} | ({ramp.version} if ramp is not None and ramp.share else set())
    return selection.version is None or selection.version in deciding


def _wanted(selection: Selection) -> list[ColumnElement[bool]]:
    """What the rows of Case, joined with the run that approved it, have to be."""
    if selection.empty:
        raise NothingToUndo("choose a policy version, a time, a kind of change or a country")
    wanted: list[ColumnElement[bool]] = [Case.state == State.APPROVED, UNMARKED]
    if selection.version is not None:
        wanted.append(Run.policy_version == selection.version)
    if selection.since is not None:
        wanted.append(Case.closed_at >= selection.since)
    if selection.until is not None:
        wanted.append(Case.closed_at < selection.until)
    if selection.change_reason is not None:
        wanted.append(Case.change_reason == selection.change_reason)
    if selection.country:
        wanted.append(_country() == selection.country)
    return wanted


def _country() -> ColumnElement[str | None]:
    """What the run read from the document, as the switch goes by; what the customer said where nothing was read."""
    return func.coalesce(func.nullif(Run.measures["country"].as_string(), ""), Case.country)


def _approved_by_run() -> ColumnElement[bool]:
    """The run that approved the case as it stands: approval and the end of that run are one transaction and one moment."""
    return and_(
        Run.case_id == Case.id,
        Run.fence == Case.fence,
        Run.state == RunState.FINISHED,
        Run.outcome == "approve",
        Run.finished_at == Case.closed_at,
    )


def _locked(session: Session, undo_id: UUID) -> Undo:
    return session.execute(
        select(Undo).where(Undo.id == undo_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()


def _begun(session: Session) -> Undo | None:
    """The oldest confirmed undo that is not finished, locked: one process carries it out, others pass it over."""
    return session.execute(
        select(Undo)
        .where(Undo.confirmed_at.is_not(None), Undo.finished_at.is_(None))
        .order_by(Undo.confirmed_at, Undo.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()


def _some(database: Database, *, limit: int, now: datetime) -> int | None:
    """Carry out up to `limit` cases of the oldest undo; None where nothing is left of any."""
    left: list[tuple[UUID, UUID]] = []
    try:
        with database.transaction() as session:
            undo = _begun(session)
            if undo is None:
                return None
            undo_id = undo.id
            left = _left(session, undo_id, limit=limit)
            if left:
                _undo_all(session, undo_id, left, now=now)
            else:
                _finish(session, undo, now=now)
            return len(left)
    except MACHINE_TROUBLE:
        raise
    except Exception:  # one of them, and nobody knows which: whatever it is, it must not stop the others
        if not left:
            raise
    return sum(_alone(database, undo_id, case_id, now=now) for case_id, _version in left)


def _alone(database: Database, undo_id: UUID, case_id: UUID, *, now: datetime) -> int:
    """Carry out one case in a transaction of its own, or write down in another that it failed; returns 1, or 0 if it was done."""
    try:
        with database.transaction() as session:
            _locked(session, undo_id)  # another process may be at the same undo by now
            left = _left(session, undo_id, only=case_id)
            _undo_all(session, undo_id, left, now=now)
            return len(left)
    except MACHINE_TROUBLE:
        raise
    except Exception as error:
        code = type(error).__name__[:CODE_LENGTH]  # never its text, which may speak of a person
    with database.transaction() as session:
        _locked(session, undo_id)
        if not _left(session, undo_id, only=case_id):
            return 0
        _write(session, undo_id, [(case_id, "failed", code)], now=now)
        case = session.get_one(Case, case_id)
        _left_alone(session, undo_id, case, "failed", now=now, code=code)
    return 1


CODE_LENGTH = 60
"""What the column holds."""


def _left(session: Session, undo_id: UUID, *, limit: int = 1, only: UUID | None = None) -> list[tuple[UUID, UUID]]:
    """Cases that have no outcome yet and the version that each is to be undone of, in the order of doing it."""
    asked = select(UndoItem.case_id, UndoItem.version_id).where(UndoItem.undo_id == undo_id, UndoItem.outcome.is_(None))
    if only is not None:
        asked = asked.where(UndoItem.case_id == only)
    rows = session.execute(asked.order_by(UndoItem.place, UndoItem.case_id).limit(limit))
    return [(case_id, version_id) for case_id, version_id in rows]


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Everything that taking some cases back looks at, locked and read with one statement for each table.

    It holds the rows, as the session by itself does not: whoever asks the session for one of them asks no database.
    """

    cases: dict[UUID, Case]
    customers: dict[UUID, Customer]
    versions: Sequence[ProfileVersion]
    keys: Sequence[DataKey]
    busy: set[UUID]  # customers who have a request open


def _lock(session: Session, ids: Iterable[UUID]) -> _Batch:
    """Every row before the trail's lock, and all cases before any customer, in the order of everybody."""
    cases = session.scalars(
        select(Case)
        .where(Case.id.in_(ids))
        .order_by(Case.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    customers = session.scalars(
        select(Customer)
        .where(Customer.id.in_({case.customer_id for case in cases}))
        .order_by(Customer.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    wanted = {version for case in cases for version in (case.applied_version_id, case.prior_version_id) if version is not None}
    keys = {customer.data_key_id for customer in customers} | {case.data_key_id for case in cases}
    busy = select(Case.customer_id).where(Case.customer_id.in_([one.id for one in customers]), Case.closed_at.is_(None))
    return _Batch(
        cases={case.id: case for case in cases},
        customers={customer.id: customer for customer in customers},
        versions=session.scalars(select(ProfileVersion).where(ProfileVersion.id.in_(wanted))).all(),
        keys=session.scalars(select(DataKey).where(DataKey.id.in_(keys)).execution_options(populate_existing=True)).all(),
        busy=set(session.scalars(busy)),
    )


def _undo_all(session: Session, undo_id: UUID, left: Sequence[tuple[UUID, UUID]], *, now: datetime) -> None:
    if not left:
        return
    batch = _lock(session, [case_id for case_id, _version in left])
    with audit.together(session):
        ends = [
            (case_id, _undo_one(session, undo_id, batch, batch.cases[case_id], version_id, now=now), None)
            for case_id, version_id in left
        ]
    _write(session, undo_id, ends, now=now)


def _undo_one(session: Session, undo_id: UUID, batch: _Batch, case: Case, version_id: UUID, *, now: datetime) -> str:
    """Take one locked approval back; returns its outcome."""
    if case.state is not State.APPROVED or case.applied_version_id != version_id:
        return _left_alone(session, undo_id, case, "gone", now=now)
    customer, old = batch.customers[case.customer_id], case.state
    requeue = case.shredded_at is None and customer.id not in batch.busy
    try:
        taken, given = profiles.take_back(session, case, requeue=requeue, now=now, customer=customer)
    except profiles.ProfileMovedOn:
        return _left_alone(session, undo_id, case, "conflict", now=now)
    if requeue:
        batch.busy.add(customer.id)
    case.reasons = [ReasonCode.APPROVAL_UNDONE.value]
    reachable = customer.data_key.wrapped is not None
    if reachable:
        notifications.add(session, case, "rechecked" if requeue else "reverted", now=now, to_new=True)
    audit.record(
        session, "approval_undone", actor=audit.SYSTEM, now=now, case=case,
        undo_id=undo_id, old=old, new=case.state, from_number=taken, to_number=given,
    )  # fmt: skip
    return "requeued" if requeue else "closed" if reachable else "erased"


def _left_alone(session: Session, undo_id: UUID, case: Case, outcome: str, *, now: datetime, code: str | None = None) -> str:
    """Record why an approval stands; returns the outcome."""
    audit.record(
        session, "approval_not_undone", actor=audit.SYSTEM, now=now, case=case, undo_id=undo_id, outcome=outcome, code=code
    )
    return outcome


def _write(session: Session, undo_id: UUID, ends: Iterable[tuple[UUID, str, str | None]], *, now: datetime) -> None:
    session.execute(
        update(UndoItem),
        [
            {"undo_id": undo_id, "case_id": case_id, "outcome": outcome, "code": code, "done_at": now}
            for case_id, outcome, code in ends
        ],
    )


def _finish(session: Session, undo: Undo, *, now: datetime) -> None:
    undo.finished_at = now
    session.flush()
    found = _outcomes(session, [undo.id]).get(undo.id, {})
    audit.record(
        session, "undo_finished", actor=audit.SYSTEM, now=now, undo_id=undo.id, count=undo.count,
        requeued=found.get("requeued", 0), closed=found.get("closed", 0), erased=found.get("erased", 0),
        conflicts=found.get("conflict", 0), gone=found.get("gone", 0), failed=found.get("failed", 0),
    )  # fmt: skip


def _outcomes(session: Session, ids: list[UUID]) -> dict[UUID, dict[str | None, int]]:
    found: dict[UUID, dict[str | None, int]] = {}
    for undo_id, outcome, count in session.execute(
        select(UndoItem.undo_id, UndoItem.outcome, func.count())
        .where(UndoItem.undo_id.in_(ids))
        .group_by(UndoItem.undo_id, UndoItem.outcome)
    ):
        found.setdefault(undo_id, {})[outcome] = count
    return found


def _standings(session: Session, which: ColumnElement[bool] | None, *, limit: int = 1) -> Iterator[Standing]:
    proposer, confirmer = aliased(Staff), aliased(Staff)
    asked = (
        select(Undo, proposer.name, confirmer.name)
        .join(proposer, proposer.id == Undo.proposed_by_id)
        .outerjoin(confirmer, confirmer.id == Undo.confirmed_by_id)
        .order_by(Undo.proposed_at.desc(), Undo.id)
        .limit(limit)
    )
    rows = session.execute(asked if which is None else asked.where(which)).all()
    outcomes = _outcomes(session, [undo.id for undo, _, _ in rows])
    for undo, proposed_by, confirmed_by in rows:
        counts = dict(outcomes.get(undo.id, {}))
        left = counts.pop(None, 0)
        yield Standing(
            undo=undo,
            proposed_by=proposed_by,
            confirmed_by=confirmed_by,
            outcomes={name or "": count for name, count in counts.items()},
            left=left,
        )
