"""The agent's end of the conversation with a customer: answering, setting aside, and the photos sent with it."""

from __future__ import annotations

from uuid import UUID

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import audit, conversations, photo_store, review
from cases.models import Case
from cases.staff import NotAllowed
from verification import images
from webapp.context import database, now
from webapp.desk.page import show_case
from webapp.desk.pictures import may_see_photos
from webapp.desk.surface import desk
from webapp.http import hears_out, takes_photos
from webapp.i18n import agent_sentence, label
from webapp.security import needs, row
from webapp.talk import broken, message_id, picture, sent_photo, small, too_long, too_many


@desk.post("/cases/<uuid:case_id>/messages")
@needs("decide")
@takes_photos
@hears_out
def write(case_id: UUID) -> ResponseReturnValue:
    """Send a message to the customer, or say why not. Nothing typed is lost."""
    text, moment = request.form.get("text", ""), now()
    try:
        photo = sent_photo()
        with database().transaction() as db:
            conversations.write(db, case_id, message_id(), text=text, photo=photo, agent=row(db), now=moment)
    except images.ImageRejected as rejected:
        return show_case(case_id, moment, writing=text, told=agent_sentence(rejected.reason)), 422
    except conversations.NothingSaid:
        return show_case(case_id, moment, told=_("Write something or add a photo first.")), 422
    except conversations.TooLong:
        return show_case(case_id, moment, writing=text, told=too_long()), 422
    except conversations.TooMany:
        return show_case(case_id, moment, writing=text, told=too_many()), 422
    except conversations.Closed as closed:
        told = _("Nothing was sent: the case stands as “%(state)s”.", state=label(closed.state))
        return show_case(case_id, moment, writing=text, told=told), 409
    except review.NotYours:
        told = _("Nothing was sent: the case is not yours. Take it to write to the customer.")
        return show_case(case_id, moment, writing=text, told=told), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    flash(_("Your message was sent; the customer is told by mail."))
    return redirect(url_for("desk.case", case_id=case_id, _anchor="messages"), 303)


@desk.post("/cases/<uuid:case_id>/messages/set-aside")
@needs("decide")
def set_aside(case_id: UUID) -> ResponseReturnValue:
    """What the customer wrote needs no answer."""
    try:
        with database().transaction() as db:
            conversations.set_aside(db, case_id, agent=row(db), now=now())
    except review.NotYours:
        flash(_("The case was no longer yours."))
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    return redirect(url_for("desk.case", case_id=case_id, _anchor="messages"), 303)


@desk.get("/cases/<uuid:case_id>/messages/<uuid:message_id>/photo")
@needs("see_photos")
def message_photo(case_id: UUID, message_id: UUID) -> ResponseReturnValue:
    """A photo of the thread, to who may see the photos of this case. Each look is written down first."""
    moment = now()
    with database().transaction() as db:
        found = db.get(Case, case_id)
        if found is None:
            abort(404)
        if not may_see_photos(found, moment):
            abort(403)
        viewer = audit.Actor.staff(row(db))
        try:
            data = conversations.open_photo(db, message_id, case_id=case_id, viewer=viewer, purpose="review", now=moment)
        except photo_store.PhotoGone:
            abort(404)
        except photo_store.PhotoBroken:
            broken("message", message_id)
    response: ResponseReturnValue = picture(small(data) if "small" in request.args else data)
    return response
