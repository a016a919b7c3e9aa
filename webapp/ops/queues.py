"""Queues, workers, failures and storage: what waits, what works, what went wrong, and the little that is done by hand."""

from __future__ import annotations

import shutil
from collections import Counter
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import backlog
from cases.backlog import Failed, NotNow, Waiting, Why
from cases.desk_tables import PaperKind
from cases.photo_store import LocalStore, store_of
from cases.staff import NotAllowed
from webapp.context import database, now
from webapp.i18n import label
from webapp.ops import hook_words
from webapp.ops.now_words import seconds, step_words
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
            failures=sorted(backlog.failures(db, now=moment), key=lambda one: one.kind not in backlog.RETRIABLE),
            asides=backlog.asides(db, now=moment),
            retriable=backlog.RETRIABLE,
            at_once=backlog.AT_ONCE,
            reasons=[(one.value, why_words(one.value)) for one in Why],
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
            instead_words=instead_words,
            why_words=why_words,
        )


@ops.post("/queues/failed/<string:kind>/<any(again, aside, back):step>")
@needs("mend_queues")
def mend_failed(kind: str, step: str) -> ResponseReturnValue:
    """Try again, set aside or put back what the form names: one thing, those ticked, or all. Each in a transaction of its own."""
    if kind not in [one.value for one in backlog.RETRIABLE]:
        abort(404)
    failed, because = Failed(kind), request.form.get("why", "")
    if step == "aside" and because not in [one.value for one in Why]:
        return refused_page(_("Please choose from the list why this is set aside."), HERE), 422
    things = _meant(failed)
    if not things:
        return refused_page(_("Please tick what you mean."), HERE), 422

    def mend(db: Session, thing: UUID) -> None:
        if step == "again":
            backlog.again(db, failed, thing, agent=row(db), now=now())
        elif step == "aside":
            backlog.set_aside(db, failed, thing, why=Why(because), agent=row(db), now=now())
        else:
            backlog.put_back(db, failed, thing, agent=row(db), now=now())

    done, left = 0, Counter[str]()
    for thing in things:
        try:
            with database().transaction() as db:
                mend(db, thing)
        except NotAllowed:
            abort(403)
        except NoResultFound:
            if len(things) == 1:
                abort(404)
            left["over"] += 1
        except NotNow as refused:
            left[refused.code] += 1
        else:
            done += 1
    if len(things) == 1 and left:
        return refused_page(instead_words(*left), HERE), 409
    if done:
        flash(_done_words(step, done))
    for code, number in left.items():
        why = instead_words(code)
        flash(ngettext("%(num)s was left as it is: %(why)s", "%(num)s were left as they are: %(why)s", number, why=why))
    return redirect(url_for(HERE), 303)


def _meant(kind: Failed) -> list[UUID]:
    """What the form names, at most backlog.AT_ONCE."""
    if request.form.get("all"):
        with database().reading() as db:
            return backlog.newest(db, kind, now=now())
    only = request.form.get("only")
    try:
        named = [UUID(text) for text in ([only] if only else request.form.getlist("thing"))]
    except ValueError:
        abort(404)
    return list(dict.fromkeys(named))[: backlog.AT_ONCE]


@ops.post("/queues/rings/<string:queue>/discard")
@needs("mend_queues")
def discard_rings(queue: str) -> ResponseReturnValue:
    """Remove what Redis keeps of failed jobs. Loses nothing: the database knows what waits.

    What is to go is recorded first, so that no death of a process leaves a removal that nobody can see.
    """
    if queue not in queues.JOBS:
        abort(404)
    try:
        found = queues.failed(queue)
    except queues.RingFailed:
        return refused_page(_("Redis does not answer just now. Nothing was removed."), HERE), 503
    if found:
        with database().transaction() as db:
            backlog.discarding(db, queue, len(found), agent=row(db), now=now())
    try:
        count = queues.discard_failed(queue, found)
    except queues.RingFailed:
        with database().transaction() as db:
            backlog.kept(db, queue, len(found), agent=row(db), now=now())
        return refused_page(_("Redis stopped answering. Some of the failed rings may still lie there."), HERE), 503
    flash(ngettext("One failed ring was removed.", "%(num)s failed rings were removed.", count))
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
        Failed.HOOK: _("Webhooks given up"),
        Failed.TICKET: _("Messages to the helpdesk given up"),
        Failed.UNDO_CONFLICT: _("Approvals that were not taken back"),
        Failed.ANSWER: _("Answers that could not be carried out"),
    }[kind]


def code_words(code: str) -> str:
    """A code of a failure, or several with commas between, in a few words; one that is not known stays a code."""
    words = {
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
        "gone": _("no longer there"),
        # what a message to a customer tells of
        "approved": _("an approval"),
        "approved_in_part": _("an approval in part"),
        "needs_retake": _("a wish for new photos"),
        "in_review": _("that a person looks at it"),
        "rejected": _("a refusal"),
        "reverted": _("a change taken back"),
        "expired": _("a request that was closed"),
        "message": _("a message of ours"),
        "draft_saved": _("a draft that is kept"),
        "held": _("a change that is held"),
        "rechecked": _("an answer looked at again"),
        "change_stands": _("a change that stands"),
        "paper_asked": _("a wish for a paper"),
    } | {kind.value: label(kind) for kind in PaperKind}
    return ", ".join(words.get(one) or hook_words.code_words(one) for one in code.split(","))


def why_words(why: str) -> str:
    """Why a failure was left at that."""
    return {
        Why.TOLD.value: _("told in another way"),
        Why.OUTDATED.value: _("no longer needed"),
        Why.UNREACHABLE.value: _("the address or system is gone"),
        Why.MISTAKE.value: _("a test or a mistake"),
    }.get(why, why)


def instead_words(code: str) -> str:
    """Why something is not tried again, set aside or put back."""
    return {
        "over": _("It is no longer waiting for that: somebody was faster, or its case is closed."),
        "endpoint_off": _("Its endpoint is off. Switch it on first."),
        "account_closed": _("The account it was for is closed."),
        "forgotten": _("The address it was for is no longer kept."),
    }[code]


def _done_words(step: str, number: int) -> str:
    if step == "again":
        return str(ngettext("One is tried again.", "%(num)s are tried again.", number))
    if step == "aside":
        return str(ngettext("One was set aside.", "%(num)s were set aside.", number))
    return str(ngettext("One counts as failed again.", "%(num)s count as failed again.", number))


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
