"""What waits, what works and what has failed, by queue; and the few things an operator may start again or leave at that.

The database says what is waiting; what lies in Redis (`workers.queues`) is only told beside it. Codes, ids and times: nothing of
a person. Whatever recovers by itself (runs whose lease ended, lost rings) has no button here.

What was given up (RETRIABLE) counts as failed until it is tried again or a person sets it aside with a reason. Setting aside
deletes nothing: the thing stays given up, may still be tried again, and counts again where that fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select, text
from sqlalchemy.orm import Session

from cases import audit, moves, staff, tickets, trials, webhooks
from cases.desk_tables import Paper
from cases.host_tables import StaffMail, TicketMessage, WebhookDelivery, WebhookEndpoint
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
from cases.ops_tables import SetAside, Undo, UndoItem
from verification.evidence import Step

ALIVE = timedelta(seconds=45)
"""A worker that has not been heard of for longer is not counted. They beat every 10 s (`workers.worker.BEAT`)."""

LOOK_BACK = timedelta(days=7)
"""How far back failures are listed."""
LATEST = 1000
"""Runs whose steps are read: enough for a 90th percentile of each to within a few per cent."""
LISTED = 50
"""Failures of one kind that are listed; all are counted."""
AT_ONCE = 200
"""Failures that one press of a button may try again or set aside: each is an event, some 10 ms, so two seconds at most."""
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
    HOOK = "webhook"
    TICKET = "ticket"
    UNDO_CONFLICT = "undo_conflict"
    ANSWER = "answer"


RETRIABLE = (Failed.NOTIFICATION, Failed.STAFF_MAIL, Failed.PAPER, Failed.HOOK, Failed.TICKET)
"""What was given up and may be tried again or set aside."""


class Why(StrEnum):
    """Why a failure is left at that. A closed list: it stands in the audit trail, where no words may stand."""

    TOLD = "told"  # who was to hear of it heard of it another way
    OUTDATED = "outdated"  # nobody needs it any more
    UNREACHABLE = "unreachable"  # an address or a system that there is no more
    MISTAKE = "mistake"  # a test, or it should not have been there


class NotNow(ValueError):
    """Trying again, or setting aside, is no use. `code`: "over" (no longer given up, or its case is closed), "endpoint_off",
    "account_closed", "forgotten" (the address was emptied)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


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
    instead: str = ""  # why not, where it could be tried again otherwise: a code of NotNow


@dataclass(frozen=True, kw_only=True)
class Aside:
    """One failure that a person set aside. `standing`: it is still given up, so that it may be put back."""

    failure: Failure
    why: str
    by: str  # name of a member of staff
    at: datetime
    standing: bool


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


def again(session: Session, kind: Failed, thing_id: UUID, *, agent: Staff, now: datetime) -> None:
    """Try one thing of RETRIABLE once more, from the first try on, whether it was set aside or not. Permission "mend_queues".

    Raises NotAllowed, NoResultFound, and NotNow where that is no use: nothing is sent twice at anybody's wish.
    """
    if kind is Failed.NOTIFICATION:
        resend(session, thing_id, agent=agent, now=now)
    elif kind is Failed.STAFF_MAIL:
        _mail_again(session, thing_id, agent=agent, now=now)
    elif kind is Failed.PAPER:
        read_again(session, thing_id, agent=agent, now=now)
    elif kind is Failed.HOOK:
        try:
            webhooks.retry(session, thing_id, agent=agent, now=now)
        except webhooks.EndpointDisabled:
            raise NotNow("endpoint_off") from None
        except webhooks.StillWaiting:
            raise NotNow("over") from None
    elif kind is Failed.TICKET:
        try:
            tickets.send_again(session, thing_id, by=agent, now=now, permission="mend_queues")
        except tickets.NotGivenUp:
            raise NotNow("over") from None
    else:
        raise ValueError(f"{kind} is nothing that is tried again")


def resend(session: Session, notification_id: UUID, *, agent: Staff, now: datetime) -> Notification:
    """Try a message that was given up once more, from the first try on. Permission "mend_queues".

    Raises NotAllowed, NoResultFound, and NotNow when it was not given up, or nobody knows any more to whom it was.
    """
    staff.require(agent, "mend_queues")
    row: Notification = _locked(session, Notification, notification_id)
    if row.given_up_at is None or row.sent_at is not None:
        raise NotNow("over")
    if not row.recipient_sealed:
        raise NotNow("forgotten")
    tries = _from_the_first_try(session, row, now=now)
    audit.record(
        session, "notification_resent", actor=audit.Actor.staff(agent), now=now, case_id=row.case_id, customer_id=row.customer_id,
        notification_id=row.id, notification=row.kind, tries=tries,
    )  # fmt: skip
    return row


def _mail_again(session: Session, mail_id: UUID, *, agent: Staff, now: datetime) -> None:
    staff.require(agent, "mend_queues")
    row: StaffMail = _locked(session, StaffMail, mail_id)
    if row.given_up_at is None or row.sent_at is not None:
        raise NotNow("over")
    if not session.get_one(Staff, row.staff_id).active:
        raise NotNow("account_closed")
    tries = _from_the_first_try(session, row, now=now)
    audit.record(
        session, "staff_mail_resent", actor=audit.Actor.staff(agent), now=now, staff_mail_id=row.id, staff_mail=row.kind,
        staff_id=row.staff_id, tries=tries,
    )  # fmt: skip


def _from_the_first_try(session: Session, row: Notification | StaffMail, *, now: datetime) -> int:
    """Owe it again; returns how often it had been tried."""
    tries, row.tries = row.tries, 0
    row.given_up_at = row.lease_until = None
    row.next_at = now
    session.flush()
    return tries


def read_again(session: Session, paper_id: UUID, *, agent: Staff, now: datetime) -> Paper:
    """Have a paper read once more whose readings never ended. Permission "mend_queues".

    Only while its case is open: afterwards nobody needs it. Raises NotAllowed, NoResultFound, NotNow.
    """
    staff.require(agent, "mend_queues")
    case_id = session.scalars(select(Paper.case_id).where(Paper.id == paper_id)).one()
    case = moves.lock(session, case_id)
    row = session.get_one(Paper, paper_id, with_for_update=True, populate_existing=True)
    if not _given_up(row) or case.closed_at is not None or case.shredded_at is not None:
        raise NotNow("over")
    tries, row.tries = row.tries, 0
    row.read_at = row.rung_at = row.lease_until = None
    session.flush()
    audit.record(session, "paper_read_again", actor=audit.Actor.staff(agent), now=now, case=case, paper_id=row.id, tries=tries)
    return row


def set_aside(session: Session, kind: Failed, thing_id: UUID, *, why: Why, agent: Staff, now: datetime) -> SetAside:
    """Leave one thing of RETRIABLE that was given up at that: it counts as failed no longer. Permission "mend_queues".

    Nothing is deleted. Raises NotAllowed, NoResultFound, and NotNow where it is not given up (any more) or was set aside before.
    """
    staff.require(agent, "mend_queues")
    row, failed_at = _given_up_thing(session, kind, thing_id)
    if session.get(SetAside, (kind.value, thing_id, failed_at)) is not None:
        raise NotNow("over")
    made = SetAside(kind=kind.value, thing_id=thing_id, failed_at=failed_at, why=Why(why).value, by_id=agent.id, at=now)
    session.add(made)
    session.flush()
    audit.record(
        session, "failure_set_aside", actor=audit.Actor.staff(agent), now=now, case_id=getattr(row, "case_id", None),
        failure=kind, thing_id=thing_id, failed_at=failed_at, why=Why(why),
    )  # fmt: skip
    return made


def put_back(session: Session, kind: Failed, thing_id: UUID, *, agent: Staff, now: datetime) -> None:
    """Have something that was set aside count as failed again. Permission "mend_queues".

    Raises NotAllowed, NoResultFound, and NotNow where it is not given up any more or was not set aside.
    """
    staff.require(agent, "mend_queues")
    row, failed_at = _given_up_thing(session, kind, thing_id)
    made = session.get(SetAside, (kind.value, thing_id, failed_at))
    if made is None:
        raise NotNow("over")
    session.delete(made)
    session.flush()
    audit.record(
        session, "failure_put_back", actor=audit.Actor.staff(agent), now=now, case_id=getattr(row, "case_id", None),
        failure=kind, thing_id=thing_id, failed_at=failed_at,
    )  # fmt: skip


def asides(session: Session, *, now: datetime) -> tuple[Aside, ...]:
    """What was set aside within LOOK_BACK, the newest LISTED, newest first."""
    rows = session.execute(
        select(SetAside, Staff.name)
        .join(Staff, Staff.id == SetAside.by_id)
        .where(SetAside.at >= now - LOOK_BACK)
        .order_by(SetAside.at.desc(), SetAside.kind, SetAside.thing_id)
        .limit(LISTED)
    ).all()
    found = []
    for made, name in rows:
        kind = Failed(made.kind)
        thing = session.get(_SOURCES[kind].table, made.thing_id)
        standing = thing is not None and _failed_at(kind, thing) == made.failed_at
        gone = Failure(kind=kind, at=made.failed_at, code="gone", case_id=None, thing_id=made.thing_id)
        failure = _of_row(session, kind, thing, made.failed_at) if standing else gone
        found.append(Aside(failure=failure, why=made.why, by=name, at=made.at, standing=standing))
    return tuple(found)


def newest(session: Session, kind: Failed, *, now: datetime, limit: int = AT_ONCE) -> list[UUID]:
    """What of RETRIABLE counts as failed within LOOK_BACK, at most `limit`: the newest first, tickets in their order."""
    source = _SOURCES[kind]
    ids = select(source.table.id).where(*_counts_as_failed(kind, now - LOOK_BACK))
    if kind is Failed.TICKET:  # one that was opened takes its closing along
        return list(session.scalars(ids.order_by(source.table.created_at, source.table.number, source.table.id).limit(limit)))
    return list(session.scalars(ids.order_by(source.at.desc(), source.table.id).limit(limit)))


def discarding(session: Session, queue: str, count: int, *, agent: Staff, now: datetime) -> None:
    """Write down that `count` failed rings are being removed from Redis; commit it before they are. Permission "mend_queues".

    So none goes without an event, wherever the process dies. Nothing is lost by it: the database knows what waits.
    """
    staff.require(agent, "mend_queues")
    audit.record(session, "failed_rings_discarded", actor=audit.Actor.staff(agent), now=now, queue=queue, count=count)


def kept(session: Session, queue: str, count: int, *, agent: Staff, now: datetime) -> None:
    """Write down that Redis went away: up to `count` of what was to be removed lie there still. Permission "mend_queues"."""
    staff.require(agent, "mend_queues")
    audit.record(session, "failed_rings_kept", actor=audit.Actor.staff(agent), now=now, queue=queue, count=count)


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
    Failed.ANSWER: ("answer_dropped",),
}
"""Events that tell of each; the trail is read by kind and time. The others are read from their rows: they can be mended."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where one kind of RETRIABLE stands: its table, the column of when it was given up, and what else makes it a failure."""

    table: Any
    at: Any
    which: tuple[ColumnElement[bool], ...] = ()


_LIVE = select(WebhookEndpoint.id).where(WebhookEndpoint.mode == "live", WebhookEndpoint.deleted_at.is_(None))
"""Test endpoints are in no figure; with one that was removed, what it was owed was given up on purpose."""

_SOURCES = {
    # An address that is gone was erased or forgotten with its person; that nobody is told then is right.
    Failed.NOTIFICATION: _Source(
        table=Notification, at=Notification.given_up_at, which=(func.length(Notification.recipient_sealed) > 0,)
    ),
    Failed.STAFF_MAIL: _Source(table=StaffMail, at=StaffMail.given_up_at),
    Failed.PAPER: _Source(
        table=Paper, at=Paper.read_at, which=(Paper.readings_sealed.is_(None), Paper.tries > 0, Paper.shredded_at.is_(None))
    ),
    Failed.HOOK: _Source(table=WebhookDelivery, at=WebhookDelivery.given_up_at, which=(WebhookDelivery.endpoint_id.in_(_LIVE),)),
    Failed.TICKET: _Source(table=TicketMessage, at=TicketMessage.given_up_at),
}


def _counts_as_failed(kind: Failed, since: datetime) -> tuple[ColumnElement[bool], ...]:
    source = _SOURCES[kind]
    put = and_(SetAside.kind == kind.value, SetAside.thing_id == source.table.id, SetAside.failed_at == source.at)
    return (source.at >= since, *source.which, ~exists().where(put))


def _failed(session: Session, kind: Failed, since: datetime) -> Failures:
    if kind is Failed.UNDO_CONFLICT:
        return _conflicts(session, since)
    if kind in RETRIABLE:
        return _rows(session, kind, since)
    which = [Event.kind.in_(_EVENTS[kind]), Event.at >= since]
    if kind is Failed.ANSWER:
        which.append(Event.details["why"].as_string() == "failed")
    number = session.scalar(select(func.count()).where(*which)) or 0
    events = session.scalars(select(Event).where(*which).order_by(Event.at.desc(), Event.id.desc()).limit(LISTED)).all()
    listed = tuple(_told(kind, event) for event in events)
    return Failures(kind=kind, count=number, codes=dict(Counter(one.code for one in listed)), listed=listed)


def _rows(session: Session, kind: Failed, since: datetime) -> Failures:
    source, which = _SOURCES[kind], _counts_as_failed(kind, since)
    number = session.scalar(select(func.count()).select_from(source.table).where(*which)) or 0
    if not number:
        return Failures(kind=kind, count=0, codes={}, listed=())
    rows = session.scalars(select(source.table).where(*which).order_by(source.at.desc(), source.table.id).limit(LISTED)).all()
    listed = tuple(_of_row(session, kind, row, _failed_at(kind, row)) for row in rows)
    return Failures(kind=kind, count=number, codes=dict(Counter(one.code for one in listed)), listed=listed)


def _told(kind: Failed, event: Event) -> Failure:
    details = event.details
    if kind is Failed.TECHNICAL_REFERRAL:
        code = ",".join(details.get("reasons") or ()) or "unknown"
    else:
        code = details.get("why") or "unknown"
    return Failure(kind=kind, at=event.at, code=code, case_id=event.case_id, thing_id=None)


def _of_row(session: Session, kind: Failed, row: Any, at: datetime) -> Failure:
    """A thing that was given up at `at`."""
    instead = ""
    if kind is Failed.NOTIFICATION:
        code = row.kind
        instead = "" if row.recipient_sealed else "forgotten"
    elif kind is Failed.STAFF_MAIL:
        code = row.kind
        instead = "" if session.get_one(Staff, row.staff_id).active else "account_closed"
    elif kind is Failed.PAPER:
        code = row.kind.value
        instead = "over" if session.get_one(Case, row.case_id).closed_at is not None else ""
    else:
        code = row.last_code or "unknown"
        if kind is Failed.HOOK and not session.get_one(WebhookEndpoint, row.endpoint_id).enabled:
            instead = "endpoint_off"
    case_id = getattr(row, "case_id", None)
    return Failure(kind=kind, at=at, code=code, case_id=case_id, thing_id=row.id, again=not instead, instead=instead)


def _failed_at(kind: Failed, row: Any) -> Any:
    """When this row was given up; None: it is not."""
    if kind is Failed.PAPER:
        return row.read_at if _given_up(row) else None
    return row.given_up_at


def _given_up_thing(session: Session, kind: Failed, thing_id: UUID) -> tuple[Any, datetime]:
    """One thing of RETRIABLE, locked, and when it was given up. Raises NoResultFound, NotNow."""
    if kind not in RETRIABLE:
        raise ValueError(f"{kind} is nothing that is set aside")
    row = _locked(session, _SOURCES[kind].table, thing_id)
    failed_at = _failed_at(kind, row)
    if failed_at is None:
        raise NotNow("over")
    return row, failed_at


def _locked(session: Session, table: Any, thing_id: UUID) -> Any:
    """One row, locked as it is now. Raises NoResultFound."""
    wanted = select(table).where(table.id == thing_id).with_for_update(key_share=True, of=table)
    return session.execute(wanted.execution_options(populate_existing=True)).scalar_one()


def _conflicts(session: Session, since: datetime) -> Failures:
    """Approvals that an undo left alone: the profile had changed since, or it could not be done. A person looks at each."""
    which = (UndoItem.outcome.in_(("conflict", "failed")), UndoItem.done_at >= since)
    counted = select(UndoItem.outcome, func.count()).where(*which).group_by(UndoItem.outcome)
    codes = {outcome: number for outcome, number in session.execute(counted) if outcome}
    rows = session.scalars(select(UndoItem).where(*which).order_by(UndoItem.done_at.desc(), UndoItem.case_id).limit(LISTED)).all()
    listed = tuple(
        Failure(
            kind=Failed.UNDO_CONFLICT, at=row.done_at or since, code=row.outcome or "", case_id=row.case_id, thing_id=row.undo_id
        )
        for row in rows
    )
    return Failures(kind=Failed.UNDO_CONFLICT, count=sum(codes.values()), codes=codes, listed=listed)


def _given_up(paper: Paper) -> bool:
    """Its readings began and never ended (`supporting.begin`)."""
    return paper.read_at is not None and paper.readings_sealed is None and paper.tries > 0 and paper.shredded_at is None


def _rank(sorted_values: Sequence[float], share: float) -> float | None:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))] if sorted_values else None
