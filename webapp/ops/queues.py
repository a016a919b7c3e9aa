"""Queues, workers, failures and storage: what waits, what works, what went wrong, and the little that is done by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import backlog
from cases.backlog import Failed, Waiting
from cases.photo_store import LocalStore, store_of
from cases.staff import NotAllowed
from verification.evidence import Step
from webapp.context import database, now
from webapp.ops.steps import refused_page
from webapp.ops.surface import ops
from webapp.security import needs, row
from workers import queues

HERE = "ops.queues_page"


@ops.get("/queues")
@needs("see_figures")
def queues_page() -> ResponseReturnValue:
    """Everything that waits, works and fails."""
    moment = now()
    try:
        rings = {one.queue: one for one in queues.rings()}
    except queues.RingFailed:
        rings = {}
    with database().reading() as db:
        processes = backlog.processes(db, now=moment)
        store = store_of(db)
        return render_template(
            "ops/queues.html",
            now=moment,
            depths=backlog.depths(db, now=moment),
            rings=rings,
            redis=bool(rings),
            processes=processes,
            missing=[kind for kind in backlog.KINDS if not any(one.alive and one.kind == kind for one in processes)],
            failures=backlog.failures(db, now=moment),
            days=backlog.LOOK_BACK.days,
            speed=backlog.speed(db, now=moment),
            storage=backlog.storage(db),
            free=shutil.disk_usage(store.folder).free if isinstance(store, LocalStore) and store.folder.exists() else None,
            ago=ago,
            amount=amount,
            queue_words=queue_words,
            failed_words=failed_words,
            step_words=step_words,
            seconds=seconds,
            code_words=code_words,
        )


@ops.post("/queues/notifications/<uuid:notification_id>/again")
@needs("mend_queues")
def send_again(notification_id: UUID) -> ResponseReturnValue:
    """Try a message that was given up once more."""
    return _again(
        lambda db: backlog.resend(db, notification_id, agent=row(db), now=now()),
        said=_("The message is tried again."),
    )


@ops.post("/queues/papers/<uuid:paper_id>/again")
@needs("mend_queues")
def read_again(paper_id: UUID) -> ResponseReturnValue:
    """Have a paper read once more."""
    return _again(
        lambda db: backlog.read_again(db, paper_id, agent=row(db), now=now()),
        said=_("The paper is read again."),
    )


@ops.post("/queues/rings/<string:queue>/discard")
@needs("mend_queues")
def discard_rings(queue: str) -> ResponseReturnValue:
    """Remove what Redis keeps of failed jobs. Loses nothing: the database knows what waits."""
    if queue not in queues.JOBS:
        abort(404)
    try:
        count = queues.discard_failed(queue)
    except queues.RingFailed:
        return refused_page(_("Redis does not answer just now. Nothing was removed."), HERE), 503
    with database().transaction() as db:
        backlog.discarded(db, queue, count, agent=row(db), now=now())
    flash(ngettext("One failed ring was removed.", "%(num)s failed rings were removed.", count))
    return redirect(url_for(HERE), 303)


def _again(step: Callable[[Session], Any], *, said: str) -> ResponseReturnValue:
    """Start one thing once more, or say why that is no use."""
    try:
        with database().transaction() as db:
            step(db)
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    except ValueError:
        return refused_page(_("It is no longer waiting for that: somebody was faster, or its case is closed."), HERE), 409
    flash(said)
    return redirect(url_for(HERE), 303)


# words


def queue_words(queue: Waiting) -> str:
    """A queue by what waits in it."""
    return {
        Waiting.VERIFY: _("Requests to look at"),
        Waiting.NOTIFY: _("Messages to send"),
        Waiting.PAPERS: _("Papers to read"),
        Waiting.STAFF_MAILS: _("Mails to staff to send"),
        Waiting.HOOKS: _("Webhooks to send"),
        Waiting.TICKETS: _("Messages to the helpdesk to send"),
        Waiting.FACES: _("Faces to search for"),
        Waiting.UNDO: _("Approvals to take back"),
        Waiting.DESK: _("Cases for a person"),
    }[queue]


def failed_words(kind: Failed) -> str:
    """A kind of failure, and what follows from it."""
    return {
        Failed.ABANDONED_RUN: _("Runs taken back"),
        Failed.TECHNICAL_REFERRAL: _("Cases given to a person for a technical reason"),
        Failed.NOTIFICATION: _("Messages given up"),
        Failed.STAFF_MAIL: _("Mails to staff given up"),
        Failed.PAPER: _("Papers that could not be read"),
        Failed.UNDO_CONFLICT: _("Approvals not taken back: the profile had changed"),
        Failed.ANSWER: _("Answers that could not be carried out"),
    }[kind]


def code_words(code: str) -> str:
    """A code of a failure in a few words; one that is not known stays a code."""
    return {
        "lease_ended": _("the worker did not finish in time"),
        "profile_changed": _("the profile changed meanwhile"),
        "by_eye_chosen": _("no face may be compared any more"),
        "processing_failed": _("too many runs without an end"),
        "conflict": _("changed since"),
        "failed": _("it failed again and again"),
        "halted": _("automatic approval stopped itself"),
        "rolled_back": _("a version was rolled back"),
        "undo_begun": _("approvals are being taken back"),
        "second_wanted": _("a second person is wanted"),
        "weekly_report": _("the report of the week"),
    }.get(code, code)


def step_words(step: str) -> str:
    """What a run was busy with."""
    return {
        Step.PHOTOS.value: _("opening the photos"),
        Step.PASSPORT.value: _("reading the passport"),
        Step.FACES.value: _("comparing the faces"),
        Step.DETAILS.value: _("comparing the details"),
    }.get(step, step)


def seconds(took: float) -> str:
    """How long a step takes: two places, for most are below a second."""
    return _("%(n)s s", n=format_decimal(round(took, 2), format="0.00"))


def ago(seconds: float) -> str:
    """How long something takes or has waited: "12 s", "5 min", "3 h", "2 d"."""
    if seconds < 90:
        return _("%(n)s s", n=max(0, round(seconds)))
    if seconds < 5400:
        return _("%(n)s min", n=round(seconds / 60))
    if seconds < 172_800:
        return _("%(n)s h", n=round(seconds / 3600))
    return _("%(n)s d", n=round(seconds / 86400))


def amount(number: int | None) -> str:
    """Bytes as people read them, in powers of 1024."""
    if number is None:
        return "–"
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")
