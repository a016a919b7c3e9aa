"""What waits, what works and what has failed, by queue; and the few things an operator may start again by hand.

The database says what is waiting; what lies in Redis (`workers.queues`) is only told beside it. Codes, ids and times: nothing of
a person. Whatever recovers by itself (runs whose lease ended, lost rings) has no button here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from cases import audit, moves, staff, trials
from cases.desk_tables import Paper
from cases.host_tables import StaffMail, TicketMessage, WebhookDelivery
from cases.lifecycle import State
from cases.models import (
    UNMARKED,
    Case,
    Event,
    FaceEncoding,
    HeadTurn,
    Heartbeat,
    Message,
    Notification,
    Photo,
    Run,
    RunState,
    Staff,
)
from cases.ops_tables import Undo, UndoItem
from verification.evidence import Step

ALIVE = timedelta(seconds=45)
"""A worker that has not been heard of for longer is not counted. They beat every 10 s (`workers.worker.BEAT`)."""

LOOK_BACK = timedelta(days=7)
"""How far back failures are listed."""
LATEST = 1000
"""Runs whose steps are read: enough for a 90th percentile of each to within a few per cent."""
LISTED = 50
"""Failures of one kind that are listed; all are counted."""
KINDS = ("verify", "notify", "upkeep")
"""Kinds of processes that leave signs of life; one that is missing is shown as such."""


class Waiting(StrEnum):
    """A queue, by what waits in it."""

    VERIFY = "verify"  # requests for a worker to look at
    NOTIFY = "notify"  # messages that are due
    PAPERS = "papers"  # supporting papers to be read
    STAFF_MAILS = "staff_mails"  # mails to staff that are due
    HOOKS = "hooks"  # events that the host system is owed; what failed stands on their own page
    TICKETS = "tickets"  # messages that the helpdesk is owed; the same
    DESK = "desk"  # cases for a person
    FACES = "faces"  # faces to be searched for in other accounts
    UNDO = "undo"  # approvals that two people agreed to take back


class Failed(StrEnum):
    """What can fail so that nothing mends it by itself, or that tells of trouble."""

    ABANDONED_RUN = "abandoned_run"
    TECHNICAL_REFERRAL = "technical_referral"
    NOTIFICATION = "notification"
    STAFF_MAIL = "staff_mail"
    PAPER = "paper"
    UNDO_CONFLICT = "undo_conflict"
    ANSWER = "answer"


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How much waits in one queue and since when."""

    queue: Waiting
    count: int
    oldest: datetime | None
    busy: int | None = None  # being worked on right now; None: not told apart


@dataclass(frozen=True, kw_only=True)
class Process:
    """A sign of life."""

    kind: str
    host: str
    pid: str
    at: datetime
    alive: bool


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One thing that failed. `again` says whether an operator may start it once more now."""

    kind: Failed
    at: datetime
    code: str
    case_id: UUID | None
    thing_id: UUID | None  # what `again` names
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Failures:
    """All of one kind in the time looked at; the newest LISTED are named."""

    kind: Failed
    count: int
    codes: dict[str, int]  # of those that are listed
    listed: tuple[Failure, ...]


@dataclass(frozen=True, kw_only=True)
class StepSpeed:
    """Seconds that one step of a run took, `verification.evidence.Step`."""

    step: str
    runs: int
    median: float
    p90: float


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds of the runs that ended in a stretch of time; None where there was none."""

    runs: int
    median: float | None
    p90: float | None
    p99: float | None
    slowest: tuple[tuple[UUID, UUID, float], ...]  # run, case, seconds
    died_at: dict[str, int]  # step at which runs that were taken back had got
    steps: tuple[StepSpeed, ...]  # in their order, of the latest LATEST runs at most


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Bytes. None where the database cannot tell."""

    database: int | None
    photos: int  # clear bytes that rows tell of; the store holds 29 more for each
    files: int


def depths(session: Session, *, now: datetime) -> list[Depth]:
    """Every queue, the fastest to answer first. Each is counted from an index of what waits."""
    unread = (Paper.received_at.is_not(None), Paper.read_at.is_(None), Paper.shredded_at.is_(None))
    at_desk = (Case.state == State.IN_REVIEW, Case.answered_at.is_(None), Case.awaiting_until.is_(None), UNMARKED)
    undoing = select(Undo.id).where(Undo.confirmed_at.is_not(None), Undo.finished_at.is_(None))
    items = (UndoItem.undo_id.in_(undoing), UndoItem.outcome.is_(None))
    running = session.scalar(select(func.count()).where(Run.state == RunState.RUNNING)) or 0
    reading = session.scalar(select(func.count()).where(*unread, Paper.lease_until > now)) or 0
    taken = session.scalar(select(func.count()).where(*at_desk, Case.owner_until > now)) or 0
    return [
        _depth(session, Waiting.VERIFY, Case.submitted_at, Case.state == State.SUBMITTED, busy=running),
        _owed(session, Waiting.NOTIFY, Notification, Notification.sent_at, now=now),
        _depth(session, Waiting.PAPERS, Paper.received_at, *unread, busy=reading),
        _owed(session, Waiting.STAFF_MAILS, StaffMail, StaffMail.sent_at, now=now),
        _owed(session, Waiting.HOOKS, WebhookDelivery, WebhookDelivery.delivered_at, now=now),
        _owed(session, Waiting.TICKETS, TicketMessage, TicketMessage.sent_at, now=now),
        _depth(session, Waiting.FACES, FaceEncoding.created_at, FaceEncoding.searched_at.is_(None)),
        _depth(session, Waiting.UNDO, select(func.min(Undo.confirmed_at)).where(Undo.id.in_(undoing)).scalar_subquery(), *items),
        _depth(session, Waiting.DESK, Case.referred_at, *at_desk, busy=taken),
    ]


def processes(session: Session, *, now: datetime) -> list[Process]:
    """Every process that left a sign of life, by kind, the latest first."""
    found = []
    for name, at in session.execute(select(Heartbeat.name, Heartbeat.at).where(Heartbeat.name.not_like("task:%"))):
        kind, host, pid = (*name.split(":"), "", "")[:3]
        found.append(Process(kind=kind, host=host, pid=pid, at=at, alive=now - at <= ALIVE))
    return sorted(found, key=lambda one: (one.kind, now - one.at))


def failures(session: Session, *, now: datetime) -> list[Failures]:
    """What failed in the last LOOK_BACK, by kind, newest first. Kinds without any are there with a count of 0."""
    since = now - LOOK_BACK
    return [_failed(session, kind, since) for kind in Failed]


def speed(session: Session, *, now: datetime, span: timedelta = timedelta(hours=24), slowest: int = 10) -> Speed:
    """How long runs took that ended within `span`. Percentiles are nearest-rank: values that did occur."""
    since = now - span
    ended = (Run.finished_at >= since, Run.state == RunState.FINISHED, Run.seconds.is_not(None), trials.real(Run.case_id))
    rows = session.execute(select(Run.id, Run.case_id, Run.seconds).where(*ended)).all()
    took = sorted((float(row.seconds or 0.0), row.id, row.case_id) for row in rows)
    seconds = [one for one, _run, _case in took]
    died = session.execute(
        select(Run.step, func.count()).where(Run.finished_at >= since, Run.state == RunState.ABANDONED).group_by(Run.step)
    ).all()
    return Speed(
        runs=len(took),
        median=_rank(seconds, 0.5),
        p90=_rank(seconds, 0.9),
        p99=_rank(seconds, 0.99),
        slowest=tuple((run, case, one) for one, run, case in reversed(took[len(took) - min(slowest, len(took)) :])),
        died_at={step or Step.PHOTOS.value: number for step, number in died},
        steps=_step_speeds(session, *ended),
    )


def _step_speeds(session: Session, *ended: ColumnElement[bool]) -> tuple[StepSpeed, ...]:
    """Of the latest LATEST runs, which say as much of how fast the machines are as all of a day would."""
    latest = select(Run.step_seconds).where(*ended, Run.step_seconds.is_not(None)).order_by(Run.finished_at.desc()).limit(LATEST)
    took: dict[str, list[float]] = {step.value: [] for step in Step}
    for steps in session.scalars(latest):
        for step, seconds in (steps or {}).items():
            took.setdefault(step, []).append(float(seconds))
    found = []
    for step, values in took.items():
        values.sort()
        median, p90 = _rank(values, 0.5), _rank(values, 0.9)
        if median is not None and p90 is not None:
            found.append(StepSpeed(step=step, runs=len(values), median=median, p90=p90))
    return tuple(found)


def storage(session: Session) -> Storage:
    """How much is kept. Adds up a column of every picture that is still there: seconds at millions, so ask now and then."""
    if session.get_bind().dialect.name == "postgresql":
        database = session.scalar(text("SELECT pg_database_size(current_database())"))
    else:
        database = (session.scalar(text("PRAGMA page_count")) or 0) * (session.scalar(text("PRAGMA page_size")) or 0)
    size = files = 0
    for model in (Photo, HeadTurn, Message, Paper):
        kept = select(func.coalesce(func.sum(model.size), 0), func.count())
        added, number = session.execute(kept.where(model.blob.is_not(None), model.shredded_at.is_(None))).one()
        size, files = size + int(added or 0), files + number
    return Storage(database=int(database) if database else None, photos=size, files=files)


def resend(session: Session, notification_id: UUID, *, agent: Staff, now: datetime) -> Notification:
    """Try a message that was given up once more, from the first try on. Permission "mend_queues".

    Raises NotAllowed, NoResultFound, and ValueError when it was not given up: nothing is sent twice at anybody's wish.
    """
    staff.require(agent, "mend_queues")
    row = session.execute(
        select(Notification).where(Notification.id == notification_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    if row.given_up_at is None or row.sent_at is not None:
        raise ValueError("this message was not given up")
    tries, row.tries = row.tries, 0
    row.given_up_at = row.lease_until = None
    row.next_at = now
    session.flush()
    audit.record(
        session, "notification_resent", actor=audit.Actor.staff(agent), now=now, case_id=row.case_id, customer_id=row.customer_id,
        notification_id=row.id, notification=row.kind, tries=tries,
    )  # fmt: skip
    return row


def read_again(session: Session, paper_id: UUID, *, agent: Staff, now: datetime) -> Paper:
    """Have a paper read once more whose readings never ended. Permission "mend_queues".

    Only while its case is open: afterwards nobody needs it. Raises NotAllowed, NoResultFound, ValueError.
    """
    staff.require(agent, "mend_queues")
    case_id = session.scalars(select(Paper.case_id).where(Paper.id == paper_id)).one()
    case = moves.lock(session, case_id)
    row = session.get_one(Paper, paper_id, with_for_update=True, populate_existing=True)
    if not _given_up(row) or case.closed_at is not None or case.shredded_at is not None:
        raise ValueError("this paper was not given up, or its case is closed")
    tries, row.tries = row.tries, 0
    row.read_at = row.rung_at = row.lease_until = None
    session.flush()
    audit.record(session, "paper_read_again", actor=audit.Actor.staff(agent), now=now, case=case, paper_id=row.id, tries=tries)
    return row


def discarded(session: Session, queue: str, count: int, *, agent: Staff, now: datetime) -> None:
    """Write down that failed rings were removed from Redis. Nothing is lost by it: the database knows what waits."""
    staff.require(agent, "mend_queues")
    audit.record(session, "failed_rings_discarded", actor=audit.Actor.staff(agent), now=now, queue=queue, count=count)


def _owed(session: Session, queue: Waiting, table: Any, done_at: Any, *, now: datetime) -> Depth:
    """One of the tables of messages that are sent under a lease."""
    open_ones = (done_at.is_(None), table.given_up_at.is_(None))
    busy = session.scalar(select(func.count()).where(*open_ones, table.lease_until > now)) or 0
    return _depth(session, queue, table.next_at, *open_ones, table.next_at <= now, busy=busy)


def _depth(session: Session, queue: Waiting, since: Any, *which: ColumnElement[bool], busy: int | None = None) -> Depth:
    number = session.scalar(select(func.count()).where(*which)) or 0
    if not number:
        return Depth(queue=queue, count=0, oldest=None, busy=busy)
    oldest = session.scalar(select(func.min(since)).where(*which)) if queue is not Waiting.UNDO else session.scalar(select(since))
    return Depth(queue=queue, count=number, oldest=oldest, busy=busy)


_EVENTS = {
    Failed.ABANDONED_RUN: ("run_requeued",),
    Failed.TECHNICAL_REFERRAL: ("referred",),
    Failed.NOTIFICATION: ("notification_given_up",),
    Failed.STAFF_MAIL: ("staff_mail_given_up",),
    Failed.PAPER: ("paper_read",),
    Failed.ANSWER: ("answer_dropped",),
}
"""Events that tell of each; the trail is read by kind and time."""


def _failed(session: Session, kind: Failed, since: datetime) -> Failures:
    if kind is Failed.UNDO_CONFLICT:
        return _conflicts(session, since)
    which = [Event.kind.in_(_EVENTS[kind]), Event.at >= since]
    wanted = {Failed.PAPER: ("outcome", "given_up"), Failed.ANSWER: ("why", "failed")}.get(kind)
    if wanted:
        name, value = wanted
        which.append(Event.details[name].as_string() == value)
    number = session.scalar(select(func.count()).where(*which)) or 0
    events = session.scalars(select(Event).where(*which).order_by(Event.at.desc(), Event.id.desc()).limit(LISTED)).all()
    listed = tuple(_told(session, kind, event) for event in events)
    return Failures(kind=kind, count=number, codes=dict(Counter(one.code for one in listed)), listed=listed)


def _told(session: Session, kind: Failed, event: Event) -> Failure:
    details = event.details
    thing: UUID | None = None
    again = False
    if kind is Failed.NOTIFICATION:
        code, thing = details["notification"], UUID(details["notification_id"])
        row = session.get(Notification, thing)
        again = row is not None and row.given_up_at is not None and row.sent_at is None
    elif kind is Failed.STAFF_MAIL:
        code = details["staff_mail"]
    elif kind is Failed.PAPER:
        thing = UUID(details["paper_id"])
        paper = session.get(Paper, thing)
        case = session.get(Case, paper.case_id) if paper else None
        code = paper.kind.value if paper else "gone"
        again = paper is not None and _given_up(paper) and case is not None and case.closed_at is None
    elif kind is Failed.TECHNICAL_REFERRAL:
        code = ",".join(details.get("reasons") or ()) or "unknown"
    else:
        code = details.get("why") or "unknown"
    return Failure(kind=kind, at=event.at, code=code, case_id=event.case_id, thing_id=thing, again=again)


def _conflicts(session: Session, since: datetime) -> Failures:
    """Approvals that an undo left alone because the profile had changed since; a person looks at each."""
    which = (UndoItem.outcome == "conflict", UndoItem.done_at >= since)
    number = session.scalar(select(func.count()).where(*which)) or 0
    rows = session.scalars(select(UndoItem).where(*which).order_by(UndoItem.done_at.desc(), UndoItem.case_id).limit(LISTED)).all()
    listed = tuple(
        Failure(kind=Failed.UNDO_CONFLICT, at=row.done_at or since, code="conflict", case_id=row.case_id, thing_id=row.undo_id)
        for row in rows
    )
    return Failures(kind=Failed.UNDO_CONFLICT, count=number, codes={"conflict": number} if number else {}, listed=listed)


def _given_up(paper: Paper) -> bool:
    """Its readings began and never ended (`supporting.begin`)."""
    return paper.read_at is not None and paper.readings_sealed is None and paper.tries > 0 and paper.shredded_at is None


def _rank(sorted_values: Sequence[float], share: float) -> float | None:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))] if sorted_values else None
