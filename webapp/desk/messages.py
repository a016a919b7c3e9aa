"""The agent's end of the conversation with a customer: answering, setting aside, and the photos sent with it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask import abort, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import audit, conversations, outgoing, photo_store, replies, review
from cases.desk_tables import Outgoing, OutgoingState
from cases.models import Case
from cases.staff import NotAllowed
from verification import images
from webapp.context import database, now
from webapp.desk import pictures
from webapp.desk.answers import customers_language
from webapp.desk.page import show_case
from webapp.desk.surface import desk
from webapp.http import hears_out, takes_photos
from webapp.i18n import agent_sentence, label
from webapp.security import needs, row
from webapp.talk import broken, message_id, sent_photo, small, too_long, too_many


@desk.post("/cases/<uuid:case_id>/messages")
@needs("decide")
@takes_photos
@hears_out
def write(case_id: UUID) -> ResponseReturnValue:
    """Send a message to the customer, or say why not. Nothing typed is lost."""
    text, moment = request.form.get("text", ""), now()
    g.message_telling = replies.gives_away(text, "message")
    if g.message_telling and "sure" not in request.form:
        return show_case(case_id, moment, writing=text), 422
    try:
        photo, number = sent_photo(), message_id()
        with database().transaction() as db:
            before = db.get(Outgoing, number)
            given = outgoing.say(db, case_id, number, text=text, photo=photo, agent=row(db), now=moment)
            counted = before is not None or replies.counted(db, given.id)  # sent twice at once: the first may be there only now
            if not counted and request.form.get("reply_message"):
                _count_reply(db, given, request.form["reply_message"][:60], text, moment)
            left = given.state is not OutgoingState.WAITING
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
    if left:  # else the bar on every page says when it will, and takes it back
        flash(_("Your message was sent; the customer is told by mail."))
    return redirect(url_for("desk.case", case_id=case_id, _anchor="messages"), 303)


def _count_reply(db: Session, given: Outgoing, code: str, text: str, moment: datetime) -> None:
    """Count the saved reply that a message came from; where it is taken back, it is uncounted."""
    case = db.get_one(Case, given.case_id)
    language = customers_language(case)
    filled = replies.values(db, case, purpose="message", locale=language, now=moment)
    sent = conversations.plain(text)
    replies.used(db, case, code, sent=sent, locale=language, carrier_id=given.id, filled=filled, now=moment)


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


@desk.get("/cases/<uuid:case_id>/messages/photos/<token>")
@needs("see_photos")
def message_photo(case_id: UUID, token: str) -> ResponseReturnValue:
    """A photo of the thread, to whom its address was made for. Each look is written down first."""
    moment = now()
    look = pictures.redeem(token, pictures.MESSAGE, subject=str(case_id), moment=moment)
    number = UUID(look.thing)
    with database().transaction() as db:
        pictures.allowed(db, case_id, look.purpose, moment)
        viewer = audit.Actor.staff(row(db))
        try:
            data = conversations.open_photo(db, number, case_id=case_id, viewer=viewer, purpose=look.purpose, now=moment)
        except photo_store.PhotoGone:
            abort(404)
        except photo_store.PhotoBroken:
            broken("message", number)
    return pictures.shown(small(data) if "small" in request.args else data, moment)
