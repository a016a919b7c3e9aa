"""How a request stands, and what she may do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import abort, flash, g, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from cases import answers, by_eye, conversations, customers, intake, profiles, queries, throttles, wording
from cases.lifecycle import IllegalTransition, State
from cases.models import Case, Writer
from verification import images
from verification.evidence import Field, Side, Step
from verification.reasons import RETAKE, PhotoKind, ReasonCode
from webapp.context import database, now, settings
from webapp.i18n import locale
from webapp.logs import log
from webapp.portal import letters
from webapp.portal.entrance import customer_owns_case, own_case, refused_link, too_many_requests
from webapp.portal.steps import TAKEN, own_photo, photos_of, place, portal, wanted_photos
from webapp.printed import covered, photo_read
from webapp.talk import message_id, picture, too_long, too_many


def told(case: Case, kind: PhotoKind | None = None) -> list[ReasonCode]:
    """The reasons this customer is told, as `wording.told` says; for `kind` those that a new photo of it would mend."""
    reasons = wording.told(map(ReasonCode, case.reasons), locale(), asked=case.state is State.NEEDS_RETAKE)
    return reasons if kind is None else [r for r in reasons if kind in RETAKE.get(r, frozenset())]


def hidden(case_id: UUID, reasons: list[ReasonCode]) -> dict[ReasonCode, list[Side | Field]]:
    if not reasons:
        return {}
    with database().reading() as db:
        return covered(queries.case_page(db, case_id, now=now()).measures, reasons)


CHECKED = (State.SUBMITTED, State.VERIFYING)
"""While the machine has the request."""

COMPARED = (State.NEEDS_RETAKE, State.IN_REVIEW, State.REJECTED)
"""When she is shown what she typed beside what her own passport shows."""


@portal.get("/requests/<uuid:case_id>")
@customer_owns_case
def status(case_id: UUID) -> Any:
    """How the request stands: being checked, to be mended, with a person, or answered. The address stays hers for good."""
    with database().reading() as db:
        case = own_case(db, case_id)
        if case.state is State.DRAFT:
            return redirect(place(db, case), 303)
        at = queries.progress(db, case_id)
        people_compare = by_eye.holds(db, case.customer)
        photos = photos_of(db, case)
        wanted = wanted_photos(case, photos)
        claim, _email = intake.claim_of(db, case) if case.claim_sealed else (None, None)
        found = queries.case_page(db, case_id, now=now()) if case.state in COMPARED and claim is not None else None
        promised = queries.promise(db, now=now()) if case.state is State.IN_REVIEW else None
        talk = conversations.thread(db, case)
        moments = queries.timeline(db, case_id)
        enclosed = conversations.enclosed(db, case, talk)
        left = answers.held(db, case) if case.state is State.APPROVED else ()
    mark_shown(case_id, talk)
    reasons = told(case)
    page = "checking" if case.state in CHECKED else case.state.value
    return render_template(
        f"portal/status_{page}.html",
        case=case,
        progress=at,
        steps=step_words(by_eye=people_compare),
        claim=claim,
        wanted=wanted,
        kept=[kind for kind in TAKEN if kind in photos and kind.value not in case.retake],
        fresh=[kind for kind in TAKEN if kind.value in case.retake and kind not in wanted],
        reasons=reasons,
        hidden=covered(found.measures, reasons) if found else {},
        differences=letters.differing(found.fields, photo_read(found)) if found else [],
        deadline=deadline(case, promised, now()) if promised else None,
        talk=talk,
        enclosed=enclosed,
        left=left,
        left_words=[_("E-mail address") if code == answers.EMAIL else wording.label(Field(code), locale()) for code in left],
        writable=case.state in conversations.OPEN,
        moments=[(moment.at, moment_words(moment.what)) for moment in moments],
        destroyed_at=destroyed_at(case),
    )


@portal.get("/requests/<uuid:case_id>/progress.json")
@customer_owns_case
def progress(case_id: UUID) -> Any:
    """What poll.js asks while the page waits: state, version, step and the number of messages, by ETag."""
    with database().reading() as db:
        own_case(db, case_id)
        at = queries.progress(db, case_id)
    response = jsonify(
        state=at.state.value,
        version=at.version,
        waiting=at.state in CHECKED,
        step=at.doing.value if at.doing else None,
        again=at.again,
        messages=at.messages,
    )
    response.set_etag(f"{at.version}-{at.state.value}-{at.doing or ''}-{at.again:d}-{at.messages}")
    return response.make_conditional(request)


@portal.get("/requests/<uuid:case_id>/lines/<name>")
@customer_owns_case
def printed_detail(case_id: UUID, name: str) -> Any:
    """The line of her own passport photo that shows a detail she typed otherwise, cut out. Each look is an event."""
    count_look()
    with database().transaction() as db:
        case = own_case(db, case_id)
        if case.state not in COMPARED or not case.claim_sealed:
            abort(404)
        page = queries.case_page(db, case_id, now=now())
        photo = photo_read(page)
        found = next((line for line in letters.differing(page.fields, photo) if line.field == name), None)
        if photo is None or found is None or found.printed is None:
            abort(404)
        data = own_photo(db, photo, purpose="own_line")
    # The stored file is our own clean JPEG, written by the sandbox: no stranger's bytes are decoded here.
    x, y, width, height = (float(number) for number in found.printed.view.split())
    part = images.cut(images.decode(data, isolate=False), (x, y, width, height), turn=found.printed.turn, max_side=LINE_SIDE)
    return picture(images.encode_jpeg(part, quality=85))


LINE_SIDE = 1000
"""Pixels of a line's longer side; three times the width it is shown at on a phone."""


LOOKS_AN_HOUR = 120
"""At photos and parts of them, per customer: each is an event of the chain, for which all others wait."""


def count_look() -> None:
    """Count one look at a photo of hers. Raises TooManyRequests."""
    with database().transaction() as db:
        allowed = throttles.hit(db, "look", str(g.customer_id), limit=LOOKS_AN_HOUR, window=timedelta(hours=1), now=now())
    if not allowed:
        log.info("throttled", kind="look", customer=str(g.customer_id))
        too_many_requests(timedelta(minutes=15))


def mark_shown(case_id: UUID, talk: list[conversations.Line]) -> None:
    """Note that she has these messages of ours before her; writes nothing where she had."""
    fresh = [line.id for line in talk if line.writer is Writer.STAFF and not line.seen]
    if fresh:
        with database().transaction() as db:
            conversations.shown_to_customer(db, case_id, fresh, now=now())


def destroyed_at(case: Case) -> datetime | None:
    """When photos and messages of a closed request go; None while it is open or disputed, or once they are gone."""
    disputed = case.disputed_at is not None and case.dispute_settled_at is None and case.state is State.APPROVED
    if case.closed_at is None or case.shredded_at is not None or disputed:
        return None
    return case.closed_at + timedelta(days=settings().photo_days)


def step_words(*, by_eye: bool = False) -> dict[str, str]:
    """The steps of a check as she reads them, in their order; the codes are those of progress.json."""
    words = {
        "submitted": _("Your request waits for its turn"),
        Step.PHOTOS.value: _("We look at your photos"),
        Step.PASSPORT.value: _("We read your passport"),
        Step.FACES.value: _("We compare the portrait with your selfie"),
        Step.DETAILS.value: _("We compare your details"),
    }
    if by_eye:
        del words[Step.FACES.value]
    return words


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """Until when a person answers. `how`: usual (most come within `span`), plain, slow (the desk is behind), late."""

    how: str
    by: datetime
    span: str = ""


def deadline(case: Case, promised: queries.Promise, moment: datetime) -> Deadline | None:
    """What she may be promised: this week's own pace where it is known, never less than the truth."""
    if case.due_at is None or case.referred_at is None:
        return None
    span, usual = span_words(promised.hours), case.referred_at + timedelta(hours=promised.hours)
    if promised.measured and usual > max(case.due_at, moment):
        return Deadline(how="slow", by=usual, span=span)
    if moment > case.due_at:
        return Deadline(how="late", by=case.due_at)
    if promised.measured and moment < usual < case.due_at:
        return Deadline(how="usual", by=case.due_at, span=span)
    return Deadline(how="plain", by=case.due_at)


def span_words(hours: int) -> str:
    """A stretch of time: hours up to a day, else days."""
    if hours <= 24:
        return str(ngettext("%(num)s hour", "%(num)s hours", hours))
    return str(ngettext("%(num)s day", "%(num)s days", -(-hours // 24)))


def moment_words(what: str) -> str:
    """What happened, in her words. The codes are `queries.MOMENTS`."""
    return {
        "begun": _("You started the request"),
        "sent": _("You sent it"),
        "sent_again": _("You sent it again"),
        "new_photo": _("A new photo arrived"),
        "corrected": _("You corrected what you typed"),
        "checked": _("The automatic check is done, a person takes over"),
        "retake": _("We asked for a new photo"),
        "with_person": _("A person takes over"),
        "asked_person": _("You asked for a person"),
        "looking": _("A person began to look at it"),
        "changed": _("Your details were changed"),
        "not_changed": _("A person answered: not changed"),
        "person_retake": _("A person asked for a new photo"),
        "appealed": _("You asked for another person"),
        "withdrawn": _("The request was withdrawn"),
        "expired": _("The request ended because nothing was sent"),
        "held": _("Your former details were put back for now"),
        "restored": _("The change took effect again"),
        "rechecked": _("The earlier details hold again; we check the change once more"),
        "undone": _("The change was undone"),
        "you_wrote": _("You wrote to us"),
        "we_wrote": _("We wrote to you"),
        "paper_asked": _("A person asked for one more paper"),
        "paper_sent": _("Your paper arrived"),
        "paper_declined": _("You said that you cannot send the paper"),
        "shredded": _("Your photos and messages were destroyed"),
    }[what]


# --- "This was not me"


@portal.get("/not-me/<token>")
def not_me(token: str) -> Any:
    """Ask once more before anything happens: mail scanners only ever GET."""
    return render_template("portal/not_me.html", token=token, done=None, undo_days=settings().undo_days)


@portal.post("/not-me")
def report_not_me() -> Any:
    """File "this was not me": an open request is withdrawn, a change is taken back and goes before a person. May be repeated."""
    try:
        with database().transaction() as db:
            link = customers.redeem_link(db, request.form.get("token", ""), "not_me", now=now())
            case = customers.report_not_me(db, link, now=now())
    except (customers.LinkUnknown, customers.LinkExpired) as error:
        refused_link("not_me", error)
        return render_template("portal/link_gone.html", language_next="/"), 410
    log.info("not_me_reported", case=str(case.id), state=case.state.value)
    return render_template("portal/not_me.html", token=None, done=case.state, held=profiles.held(case), language_next="/")


# --- Asking again


@portal.post("/requests/<uuid:case_id>/appeal")
@customer_owns_case
def appeal(case_id: UUID) -> Any:
    """Let another person look at a request that was refused, with a sentence of hers if she wrote one."""
    text = request.form.get("text", "")
    try:
        with database().transaction() as db:
            intake.appeal(db, own_case(db, case_id).id, now=now())
            if conversations.plain(text):
                conversations.write(db, case_id, message_id(), text=text, now=now())
    except conversations.TooLong:
        flash(too_long())
    except conversations.TooMany:
        flash(too_many())
    except intake.AlreadyOpen:
        flash(_("You have another request open. It has to be answered first."))
    except intake.TooLate:
        flash(_("The time to ask for another person is over. Please start a new request."))
    except IllegalTransition:
        pass  # the status page says how it stands
    return redirect(url_for("portal.status", case_id=case_id), 303)
