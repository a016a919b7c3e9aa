"""The timetable: take back unfinished runs, ring again for what was lost, expire, shred, anchor the audit trail.

Everything here may be done twice, by two upkeeps at once, or be cut off anywhere: each task finds its work in the database, in
one transaction or several that stand for themselves, and what it tells the queue is a hint.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from cases import (
    answers,
    audit,
    by_eye,
    duplicates,
    halts,
    idempotency,
    notifications,
    outgoing,
    privacy,
    quality,
    report_mails,
    reports,
    rescue,
    retention,
    runs,
    staff_mails,
    supporting,
    throttles,
    tickets,
    tombstones,
    undo,
    webhooks,
)
from cases.database import utcnow
from cases.models import Heartbeat
from cases.settings import Settings
from workers import faces, logs, process, queues, worker
from workers.faults import fault

log = structlog.get_logger()

RING_AGAIN = timedelta(seconds=10)
"""A case that still waits this long after its last ring, with no ring left in the queue, is rung again."""
FORGET_PROCESSES = timedelta(hours=1)
"""Signs of life older than this are of processes that are gone."""
FORGET_THROTTLES = timedelta(days=2)
"""The longest window in which tries are counted is a day."""
SEARCH_AGAIN = timedelta(minutes=2)
"""A face that was kept this long ago and is still not searched for: its worker is gone. A search takes seconds."""
SEARCHES = 20
"""Faces searched for in one round; the rest follows in the next."""
UNDO_AT_ONCE = 500
"""Approvals taken back in one round, some seconds of work; whatever else is due waits no longer than that."""
BATCH = 200
"""Messages rung at once; the rest follows in the next round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One line of the timetable: either `do`, or what one upkeep of several does each time it is due: `in_turn`, or `apart`.

    `apart` opens transactions of its own, after the turn was taken: a store that hangs must keep nobody from writing, and SQLite
    has one writer. All return how much was done, for the log. `aside`: it may take half a minute or hang, so it has a thread of
    its own, and nothing waits for it.
    """

    name: str
    every: float  # seconds
    do: Callable[[], int] | None = None
    in_turn: Callable[[Session], int] | None = None
    apart: Callable[[], int] | None = None
    aside: bool = False


def timetable(settings: Settings) -> tuple[Task, ...]:
    """Return what is to be done how often."""
    often = settings.reconcile_seconds
    return (
        Task(name="recover", every=often, do=recover),
        Task(name="send_outgoing", every=often, do=send_outgoing),  # before answers: a message given first leaves first
        Task(name="carry_out", every=often, do=carry_out),
        Task(name="undo_approvals", every=often, do=undo_approvals),
        Task(name="ring_cases", every=often, do=ring_cases),
        Task(name="ring_notifications", every=often, do=ring_notifications),
        Task(name="ring_papers", every=often, do=ring_papers),
        Task(name="ring_staff_mails", every=often, do=ring_staff_mails),
        Task(name="ring_hooks", every=often, do=ring_hooks),
        Task(name="ring_tickets", every=often, do=ring_tickets),
        Task(name="search_faces", every=60, do=search_faces),
        Task(name="beat", every=worker.BEAT, do=beat),
        Task(name="halt", every=30, in_turn=halt),
        Task(name="expire", every=60, in_turn=expire),
        Task(name="resume", every=60, in_turn=resume),
        Task(name="shred", every=60, apart=shred, aside=True),
        Task(name="erase", every=60, apart=erase, aside=True),
        Task(name="forget_recipients", every=3600, in_turn=forget_recipients),
        Task(name="draw_quality", every=60, in_turn=draw_quality),
        Task(name="score_rescue", every=300, do=score_rescue),
        Task(name="make_reports", every=60, do=make_reports, aside=True),
        Task(name="owe_reports", every=60, in_turn=owe_reports),
        Task(name="anchor", every=3600, in_turn=anchor),
        Task(name="forget_processes", every=3600, in_turn=forget_processes),
        Task(name="remove_orphans", every=6 * 3600, apart=remove_orphans, aside=True),
        Task(name="forget_links", every=24 * 3600, in_turn=forget_links),
        Task(name="forget_throttles", every=24 * 3600, in_turn=forget_throttles),
        Task(name="forget_answers", every=3600, in_turn=forget_answers),
        Task(name="forget_hooks", every=3600, in_turn=forget_hooks),
    )


def serve() -> None:
    """Keep to the timetable until a signal says stop. No trouble of one task, or of one round, ends it."""
    stop = worker.stop_on_signals()
    tasks = timetable(process.settings())
    due = {task.name: 0.0 for task in tasks}
    aside: dict[str, threading.Thread] = {}
    while not stop.is_set():
        for task in tasks:
            if stop.is_set() or time.monotonic() < due[task.name]:
                continue
            due[task.name] = time.monotonic() + task.every
            if not task.aside:
                attempt(task)
            elif task.name not in aside or not aside[task.name].is_alive():
                aside[task.name] = threading.Thread(target=attempt, args=(task,), name=task.name, daemon=True)
                aside[task.name].start()
        stop.wait(max(0.05, min(due.values()) - time.monotonic()))
    worker.rest("upkeep")


def attempt(task: Task) -> bool:
    """Do one task; say whether it went well. Trouble is logged: the next round tries again, which is safe."""
    try:
        done = task.do() if task.do else take_turn(task, now=utcnow())
    except queues.RingFailed:
        log.warning("redis_away", task=task.name)
        return False
    except SQLAlchemyError as error:
        log.warning("database_away", task=task.name, type=type(error).__name__, where=logs.place(error))
        return False
    except Exception as error:  # a task that cannot do its work must not keep the others from theirs
        log.error("task_failed", task=task.name, type=type(error).__name__, where=logs.place(error))
        return False
    if done and task.name != "beat":
        log.info("done", task=task.name, count=done)
    return True


def take_turn(task: Task, *, now: datetime) -> int:
    """Do a shared task if it is due and nobody else has done or is doing it. A crash gives the turn back, but not that of a task
    with transactions of its own: what it left is found the next time."""
    if task.apart is not None:
        return task.apart() if _in_turn(task, lambda _: 1, now=now) else 0
    assert task.in_turn is not None
    return _in_turn(task, task.in_turn, now=now)


def _in_turn(task: Task, do: Callable[[Session], int], *, now: datetime) -> int:
    name = f"task:{task.name}"
    before = now - timedelta(seconds=task.every * 0.9)
    try:
        with process.database().transaction() as session:
            moved = session.execute(update(Heartbeat).where(Heartbeat.name == name, Heartbeat.at < before).values(at=now))
            if not moved.rowcount:  # type: ignore[attr-defined]
                if session.get(Heartbeat, name) is not None:
                    return 0
                session.add(Heartbeat(name=name, at=now))
                session.flush()
            return do(session)
    except IntegrityError:
        with process.database().reading() as session:
            if session.get(Heartbeat, name) is None:
                raise
        return 0  # the very first turn, and another upkeep was faster


def recover() -> int:
    """Take back runs whose lease has ended; `ring_cases` rings for them."""
    with process.database().transaction() as session:
        taken_back = runs.recover(session, now=utcnow())
    if taken_back:
        fault("after_recover")
    return len(taken_back)


def send_outgoing() -> int:
    """Send agents' messages and wishes that can no longer be taken back; `ring_notifications` rings for the mails they owe."""
    done = outgoing.send_due(process.database(), now=utcnow(), before_commit=partial(fault, "during_send_outgoing"))
    if done:
        fault("after_send_outgoing")
    return done


def carry_out() -> int:
    """Go on with agents' answers that can no longer be taken back; `ring_notifications` rings for the mails they owe."""
    done = answers.carry_out_due(process.database(), now=utcnow(), before_commit=partial(fault, "during_carry_out"))
    if done:
        fault("after_carry_out")
    return done


def undo_approvals() -> int:
    """Go on with taking approvals back that two people have agreed to take back."""
    done = undo.carry_out(process.database(), now=utcnow(), most=UNDO_AT_ONCE)
    if done:
        fault("after_undo")
    return done


def ring_cases() -> int:
    """Ring for every case that waits and for which no ring lies in the queue."""
    now = utcnow()
    with process.database().reading() as session:
        ids = runs.unrung(session, now=now, older_than=RING_AGAIN)
    if not ids:
        return 0
    rung = queues.waiting(queues.VERIFY)
    lost = [case_id for case_id in ids if case_id not in rung]
    for case_id in lost:
        queues.ring_verify(case_id)
    with process.database().transaction() as session:
        runs.mark_rung(session, ids, now=now)
    return len(lost)


def _ring_due(due: Callable[..., Sequence[UUID]], queue: str, ring: Callable[[UUID], None]) -> int:
    """Ring for what one outbox owes now and for which no ring lies in its queue; returns how many."""
    with process.database().reading() as session:
        ids = due(session, now=utcnow(), limit=BATCH)
    if not ids:
        return 0
    rung = queues.waiting(queue)
    lost = [number for number in ids if number not in rung]
    for number in lost:
        ring(number)
    return len(lost)


def ring_notifications() -> int:
    """Ring for every message that is due and for which no ring lies in the queue."""
    return _ring_due(notifications.due, queues.NOTIFY, queues.ring_notification)


def ring_staff_mails() -> int:
    """Ring for every mail to staff that is due and for which no ring lies in the queue."""
    return _ring_due(staff_mails.due, queues.STAFF_MAILS, queues.ring_staff_mail)


def ring_hooks() -> int:
    """Ring for every event that is due at an endpoint and for which no ring lies in the queue."""
    return _ring_due(webhooks.due, queues.HOOKS, queues.ring_hook)


def ring_tickets() -> int:
    """Ring for every message to the helpdesk that is due and for which no ring lies in the queue."""
    return _ring_due(tickets.due, queues.TICKETS, queues.ring_ticket)


def ring_papers() -> int:
    """Ring for every paper that waits to be read and for which no ring lies in the queue."""
    now = utcnow()
    with process.database().reading() as session:
        ids = supporting.unread(session, now=now, older_than=RING_AGAIN)
    if not ids:
        return 0
    rung = queues.waiting(queues.PAPERS)
    lost = [paper_id for paper_id in ids if paper_id not in rung]
    for paper_id in lost:
        queues.ring_paper(paper_id)
    with process.database().transaction() as session:
        supporting.mark_rung(session, ids, now=now)
    return len(lost)


def search_faces() -> int:
    """Search for faces whose worker died between decision and search."""
    with process.database().reading() as session:
        waiting = duplicates.unsearched(session, now=utcnow(), older_than=SEARCH_AGAIN, limit=SEARCHES)
    return sum(faces.search(case_id) for case_id in waiting)


def beat() -> int:
    """Leave a sign of life of this process."""
    worker.beat("upkeep")
    return 1


def halt(session: Session) -> int:
    """Stop automatic approvals where they have left their bounds; ops see why on their first page."""
    found = halts.check(session, now=utcnow())
    if found is not None:
        log.error("automation_halted", bound=found.bound)
    return int(found is not None)


def expire(session: Session) -> int:
    """Expire drafts and retakes that were never sent."""
    return len(retention.expire_drafts(session, now=utcnow()))


def resume(session: Session) -> int:
    """Give cases back to the desk whose customers' time to send a paper is over."""
    return len(supporting.resume_due(session, now=utcnow()))


def shred() -> int:
    """Shred photos and readings whose time is over, unreadable blobs, and faces kept from before biometrics went off.

    Keys are destroyed for good before the store is asked for anything.
    """
    now, database = utcnow(), process.database()
    with database.transaction() as session:
        done = by_eye.clean(session) + len(retention.shred_due(session, now=now, blobs=False))
    remove_blobs("shred", now=now)
    return done


def erase() -> int:
    """Carry out erasures whose holds are over, write tombstones off the database, remove what is left of who was erased.

    Each person and each step for itself: no trouble of one keeps the others from theirs, and none takes back what is done.
    """
    now, database = utcnow(), process.database()

    def carry_out(customer_id: UUID) -> int:
        with database.transaction() as session:
            return int(privacy.carry_out(session, customer_id, now=now))

    def finish() -> int:
        with database.transaction() as session:
            return privacy.finish(session, now=now, blobs=False)

    with database.reading() as session:
        due = privacy.due(session, now=now)
    done = sum(tried("erase", partial(carry_out, customer_id)) for customer_id in due)
    done += tried("erase", lambda: tombstones.write(database, tombstones.folder(process.settings()), now=now))
    remove_blobs("erase", now=now)
    return done + tried("erase", finish)


def tried(task: str, do: Callable[[], int]) -> int:
    """What `do` returns; 0 where it fails, which is logged: the next round tries again."""
    try:
        return do()
    except Exception as error:
        log.error("task_failed", task=task, type=type(error).__name__, where=logs.place(error))
        return 0


def remove_blobs(task: str, *, now: datetime) -> None:
    """Remove blobs whose keys are destroyed, from whichever task destroyed them."""
    removed = retention.remove_blobs(process.database(), now=now)
    if removed.failed:
        log.error("blobs_not_removed", task=task, count=removed.failed, type=removed.why)


def forget_recipients(session: Session) -> int:
    """Empty the addresses of mails that were sent long ago."""
    return notifications.forget_recipients(session, now=utcnow())


def draw_quality(session: Session) -> int:
    """Draw answers that another person gives once more, plant specimens that are due, close what can no longer be reviewed."""
    now = utcnow()
    return quality.draw(session, now=now) + quality.plant_due(session, now=now) + quality.lapse(session, now=now)


def score_rescue() -> int:
    """Write anew how badly customers of open cases need somebody who ends it: every day of waiting counts.

    In parts, each a transaction of its own. Two upkeeps that do the same write the same.
    """
    done, after = 0, None
    while True:
        with process.database().transaction() as session:
            changed, after = rescue.refresh(session, now=utcnow(), after=after)
        done += changed
        if after is None:
            return done


def make_reports() -> int:
    """Make the weekly report that is due, and those that somebody asked for."""
    return len(reports.make_due(process.database(), now=utcnow()))


def owe_reports(session: Session) -> int:
    """Owe Monday's mail to whoever gets it, once the newest week's report is made."""
    return len(report_mails.owe_due(session, now=utcnow()))


def remove_orphans() -> int:
    """Remove blobs of transactions that never committed."""
    with process.database().reading() as session:
        return retention.remove_orphans(session, now=utcnow())


def forget_links(session: Session) -> int:
    """Remove links that have long expired."""
    retention.forget_links(session, now=utcnow())
    return 0


def forget_answers(session: Session) -> int:
    """Remove answers that were kept for a repeated request of the host system, once their day is over."""
    return idempotency.forget(session, before=utcnow())


def forget_throttles(session: Session) -> int:
    """Remove counts of tries whose window is long over."""
    throttles.forget(session, before=utcnow() - FORGET_THROTTLES)
    return 0


def forget_hooks(session: Session) -> int:
    """Remove deliveries that were done or given up long ago."""
    return webhooks.forget_old(session, now=utcnow())


def anchor(session: Session) -> int:
    """Write the head of the audit chain to a file off the database."""
    audit.anchor(session, anchors(process.settings()), now=utcnow())
    return 1


def anchors(settings: Settings) -> Path:
    """Return the folder of the anchor file; mount it from another disk in production."""
    return settings.data_dir / "anchors"


def forget_processes(session: Session) -> int:
    """Remove signs of life of processes that are long gone."""
    old = Heartbeat.at < utcnow() - FORGET_PROCESSES
    gone = session.execute(delete(Heartbeat).where(old, Heartbeat.name.not_like("task:%")))
    return int(gone.rowcount)  # type: ignore[attr-defined]
