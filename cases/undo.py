"""Taking many approvals of the machine back at once: a policy was wrong, and everything it approved waits for a person again.

One person chooses (a policy version, a time, a kind of change, a country) and proposes, another confirms; then upkeep carries it
out, a few cases in each transaction. Whatever dies on the way, the next pass goes on with what is left; nothing is done twice.
Each profile returns to the exact version from before its approval. Where the details were changed since, nothing is overwritten:
the case is listed as a conflict, and a person clears it up.

What a person approved is not chosen here: each of those can be put back by itself (`profiles.revert`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, exists, func, insert, select, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session, aliased

from cases import audit, moves, notifications, policies, profiles, ramps, staff_mails, switches
from cases import staff as people
from cases.database import Database
from cases.lifecycle import State
from cases.models import UNMARKED, Case, Customer, Run, RunState, Staff
from cases.ops_tables import Undo, UndoItem
from cases.policies import Outdated, SamePerson
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode

BATCH = 25
"""Cases in one transaction: each holds the trail's only lock, and nobody should wait for it longer than a part of a second."""

OUTCOMES = ("requeued", "closed", "conflict", "gone")
"""requeued: waits for a person. closed: put back and told, but not looked at again: the customer has another request open, which
goes its own way, or photos and claim were shredded by now, so that she has to ask anew.
conflict: the details were changed again, or the change is on hold. gone: somebody had put it back already."""


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
    first: datetime | None
    last: datetime | None
    by_version: tuple[tuple[int, int], ...]  # policy version, approvals
    by_country: tuple[tuple[str, int], ...]
    by_reason: tuple[tuple[ChangeReason, int], ...]


class NothingToUndo(ValueError):
    """No approval fits, or nothing was chosen."""


def preview(session: Session, selection: Selection) -> Preview:
    """Count what would be undone. Four queries. Raises NothingToUndo when nothing was chosen at all."""
    wanted = _wanted(selection)
    other = aliased(Case)
    another = exists().where(other.customer_id == Case.customer_id, other.closed_at.is_(None), other.id != Case.id)
    closes = Case.shredded_at.is_not(None) | another
    count, conflicts, closing, first, last = session.execute(
        select(
            func.count(),
            func.count().filter(_conflicts()),
            func.count().filter(closes, ~_conflicts()),
            func.min(Case.closed_at),
            func.max(Case.closed_at),
        )
        .select_from(Case)
        .join(Run, _approved_by_run())
        .join(Customer, Customer.id == Case.customer_id)
        .where(*wanted)
    ).one()

    def by(column: Any) -> list[Any]:
        return list(
            session.execute(
                select(column, func.count()).select_from(Case).join(Run, _approved_by_run()).where(*wanted).group_by(column)
            ).all()
        )

    return Preview(
        count=count,
        conflicts=conflicts,
        closing=closing,
        first=first,
        last=last,
        by_version=tuple(sorted((version, n) for version, n in by(Run.policy_version))),
        by_country=tuple(sorted(((country or "", n) for country, n in by(Case.country)), key=lambda pair: -pair[1])),
        by_reason=tuple(sorted(((reason, n) for reason, n in by(Case.change_reason)), key=lambda pair: -pair[1])),
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
    chosen = select(Case.id, Case.applied_version_id).join(Run, _approved_by_run()).where(*_wanted(selection))
    rows = session.execute(chosen).all()
    if not rows:
        raise NothingToUndo("no approval fits")
    session.execute(
        insert(UndoItem), [{"undo_id": undo.id, "case_id": case_id, "version_id": version} for case_id, version in rows]
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


def carry_out(database: Database, *, now: datetime, most: int | None = None) -> int:
    """Undo what was confirmed, BATCH cases in each transaction; returns how many were carried out.

    May run in two processes and die anywhere: a case whose item has an outcome is left alone, and both change together.
    """
    done = 0
    while most is None or done < most:
        with database.transaction() as session:
            undo = _begun(session)
            if undo is None:
                return done
            left = list(
                session.scalars(
                    select(UndoItem.case_id)
                    .where(UndoItem.undo_id == undo.id, UndoItem.outcome.is_(None))
                    .order_by(UndoItem.case_id)
                    .limit(BATCH if most is None else min(BATCH, most - done))
                )
            )
            # Every row before the trail's lock, and all cases before any customer: her "not me" takes them in that order too.
            for customer_id in sorted({moves.lock(session, case_id).customer_id for case_id in left}):
                moves.lock_customer(session, customer_id)
            for case_id in left:
                _undo_one(session, undo, case_id, now=now)
            done += len(left)
            if not left:
                _finish(session, undo, now=now)
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


def conflicts(session: Session, undo_id: UUID, *, limit: int | None = None) -> list[UUID]:
    """Cases that nobody may overwrite: their details were changed since. For a person to clear up."""
    return list(
        session.scalars(
            select(UndoItem.case_id)
            .where(UndoItem.undo_id == undo_id, UndoItem.outcome == "conflict")
            .order_by(UndoItem.case_id)
            .limit(limit)
        )
    )


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
        wanted.append(Case.country == selection.country)
    return wanted


def _approved_by_run() -> ColumnElement[bool]:
    """The run that approved the case as it stands: approval and the end of that run are one transaction and one moment."""
    return and_(
        Run.case_id == Case.id,
        Run.fence == Case.fence,
        Run.state == RunState.FINISHED,
        Run.outcome == "approve",
        Run.finished_at == Case.closed_at,
    )


def _conflicts() -> ColumnElement[bool]:
    return (Customer.profile_version_id != Case.applied_version_id) | Case.held_at.is_not(None)


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


def _undo_one(session: Session, undo: Undo, case_id: UUID, *, now: datetime) -> None:
    case = moves.lock(session, case_id)
    item = session.get_one(UndoItem, (undo.id, case_id))
    outcome = "gone"
    if case.state is State.APPROVED and case.applied_version_id == item.version_id:
        old = case.state
        open_one = select(Case.id).where(Case.customer_id == case.customer_id, Case.closed_at.is_(None)).limit(1)
        requeue = case.shredded_at is None and session.scalar(open_one) is None
        try:
            taken, given = profiles.take_back(session, case, requeue=requeue, now=now)
        except profiles.ProfileMovedOn:
            outcome = "conflict"
        else:
            outcome = "requeued" if requeue else "closed"
            case.reasons = [ReasonCode.APPROVAL_UNDONE.value]
            notifications.add(session, case, "rechecked" if requeue else "reverted", now=now, to_new=True)
            audit.record(
                session, "approval_undone", actor=audit.SYSTEM, now=now, case=case,
                undo_id=undo.id, old=old, new=case.state, from_number=taken, to_number=given,
            )  # fmt: skip
    session.execute(
        update(UndoItem)
        .where(UndoItem.undo_id == undo.id, UndoItem.case_id == case_id)
        .values(outcome=outcome, done_at=now)
        .execution_options(synchronize_session=False)
    )


def _finish(session: Session, undo: Undo, *, now: datetime) -> None:
    undo.finished_at = now
    session.flush()
    found = _outcomes(session, [undo.id]).get(undo.id, {})
    audit.record(
        session, "undo_finished", actor=audit.SYSTEM, now=now, undo_id=undo.id, count=undo.count,
        requeued=found.get("requeued", 0), closed=found.get("closed", 0), conflicts=found.get("conflict", 0),
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
