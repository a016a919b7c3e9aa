"""Messages between the customer and the agent: the page with the thread and the form, and the photos in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import abort, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from cases import audit, conversations, photo_store, queries, throttles
from cases.lifecycle import State
from cases.models import Customer
from verification import images
from verification.reasons import ReasonCode
from webapp.context import database, now
from webapp.http import hears_out, takes_photos
from webapp.i18n import sentence
from webapp.logs import log
from webapp.portal import kept
from webapp.portal.entrance import customer_owns_case, own_case, too_many_requests
from webapp.portal.status import count_look, destroyed_at, mark_shown
from webapp.portal.steps import place, portal
from webapp.talk import broken, message_id, picture, sent_photo, small, too_long, too_many

MESSAGES_AN_HOUR = 12
"""Per customer; who writes more often has been told to wait for the answer."""


@portal.get("/requests/<uuid:case_id>/messages")
@customer_owns_case
def messages(case_id: UUID) -> Any:
    """The thread, and the form where somebody would read what is written."""
    return _page(case_id)


@portal.post("/requests/<uuid:case_id>/messages")
@takes_photos
@hears_out
@customer_owns_case
def write(case_id: UUID) -> Any:
    """Keep what she wrote, or say at once why not; what she typed stays in the form."""
    with database().transaction() as db:
        allowed = throttles.hit(db, "message", str(g.customer_id), limit=MESSAGES_AN_HOUR, window=timedelta(hours=1), now=now())
    if not allowed:
        log.info("throttled", kind="message", customer=str(g.customer_id))
        too_many_requests(timedelta(minutes=15))
    text = request.form.get("text", "")
    try:
        photo = sent_photo()
        with database().transaction() as db:
            conversations.write(db, own_case(db, case_id).id, message_id(), text=text, photo=photo, now=now())
    except images.ImageRejected as rejected:
        log.info("photo_refused", case=str(case_id), kind="message", codes=[rejected.reason.value])
        large = rejected.reason is ReasonCode.IMAGE_TOO_LARGE
        return _page(case_id, text=text, problem=sentence(rejected.reason)), 413 if large else 422
    except conversations.NothingSaid:
        return _page(case_id, problem=_("Write something or add a photo first.")), 422
    except conversations.TooLong:
        return _page(case_id, text=text, problem=too_long()), 422
    except conversations.TooMany:
        return _page(case_id, text=text, problem=too_many()), 422
    except conversations.Closed:
        return _page(case_id, text=text, problem=_("Nobody would read it any more: the request has moved on.")), 409
    kept.taken()
    return redirect(url_for("portal.messages", case_id=case_id, _anchor="last"), 303)


@portal.get("/requests/<uuid:case_id>/messages/<uuid:message_id>/photo")
@customer_owns_case
def message_photo(case_id: UUID, message_id: UUID) -> Any:
    """A photo of the thread, or with `?small` a small copy. Each look is an event."""
    count_look()
    with database().transaction() as db:
        viewer = audit.Actor.customer(db.get_one(Customer, g.customer_id))
        try:
            data = conversations.open_photo(
                db, message_id, case_id=own_case(db, case_id).id, viewer=viewer, purpose="own_message", now=now()
            )
        except photo_store.PhotoGone:
            abort(404)
        except photo_store.PhotoBroken:
            broken("message", message_id)
    return picture(small(data) if "small" in request.args else data)


def _page(case_id: UUID, *, text: str = "", problem: str = "") -> Any:
    with database().reading() as db:
        case = own_case(db, case_id)
        if case.state is State.DRAFT:
            return redirect(place(db, case), 303)
        talk = conversations.thread(db, case)
        at = queries.progress(db, case_id)
    mark_shown(case_id, talk)
    return render_template(
        "portal/status_messages.html",
        case=case,
        progress=at,
        talk=talk,
        writable=case.state in conversations.OPEN,
        text=text,
        problem=problem,
        most=conversations.MOST_LETTERS,
        message=uuid4(),
        destroyed_at=destroyed_at(case),
    )
