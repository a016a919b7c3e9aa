"""The helpdesk: what was owed to it about referred cases, what failed, and trying that once more."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import tickets
from cases.staff import NotAllowed
from webapp.context import database, now, settings
from webapp.ops.hook_words import code_words, outcome_words
from webapp.ops.queues import ago
from webapp.ops.steps import refused_page
from webapp.ops.surface import ops
from webapp.security import needs, row

HERE = "ops.helpdesk_page"
PAGE = 50
LOOK_BACK = timedelta(days=7)
"""How far back messages are counted."""


@ops.get("/helpdesk")
@needs("see_integration")
def helpdesk_page() -> ResponseReturnValue:
    """Every message to the helpdesk, newest first."""
    outcome = request.args.get("outcome")
    outcome = outcome if outcome in tickets.OUTCOMES else None
    try:
        after = UUID(request.args["after"]) if request.args.get("after") else None
    except ValueError:
        after = None
    moment = now()
    with database().reading() as db:
        found = tickets.messages(db, by=row(db), outcome=outcome, after=after, limit=PAGE + 1)
        return render_template(
            "ops/helpdesk.html",
            now=moment,
            sinks=tickets.sinks(settings()),
            counts=tickets.counts(db, since=moment - LOOK_BACK),
            days=LOOK_BACK.days,
            messages=found[:PAGE],
            more=len(found) > PAGE,
            outcome=outcome,
            outcomes=tuple(tickets.OUTCOMES),
            ago=ago,
            code_words=code_words,
            outcome_words=outcome_words,
            kind_words=kind_words,
            sink_words=sink_words,
            token=tickets.token,
        )


@ops.post("/helpdesk/<uuid:message_id>/again")
@needs("manage_integration")
def ticket_again(message_id: UUID) -> ResponseReturnValue:
    """Try a message that was given up once more."""
    try:
        with database().transaction() as db:
            tickets.send_again(db, message_id, by=row(db), now=now())
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    except tickets.NotGivenUp:
        return refused_page(
            _("This message was sent or is still being tried. Sent again it might make a second ticket."), HERE
        ), 409
    flash(_("The message is tried again."))
    return redirect(url_for(HERE), 303)


def kind_words(kind: str) -> str:
    """What a message asks the helpdesk for."""
    return {
        tickets.OPENED: _("a new ticket"),
        tickets.CLOSED_AGAIN: _("please close it"),
        tickets.REOPENED: _("please open it again"),
    }[kind]


def sink_words(sink: str) -> str:
    """By which way."""
    return {tickets.WEB: _("by web request"), tickets.MAIL: _("by mail")}[sink]
