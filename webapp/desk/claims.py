"""Taking a case, keeping it, giving it back. `cases.review` decides who may."""

from __future__ import annotations

from uuid import UUID

from flask import abort, flash, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import review
from cases.lifecycle import IllegalTransition
from cases.staff import NotAllowed
from webapp.context import database, now
from webapp.desk.page import already_words, show_case
from webapp.desk.surface import desk
from webapp.security import needs, row


@desk.post("/cases/<uuid:case_id>/take")
@needs("decide")
def take(case_id: UUID) -> ResponseReturnValue:
    """Take this case."""
    moment = now()
    try:
        with database().transaction() as db:
            review.take(db, case_id, agent=row(db), now=moment)
    except review.TakenBy as taken:
        return show_case(case_id, moment, told=_("%(name)s took this case a moment before you.", name=taken.name)), 409
    except IllegalTransition as late:
        return show_case(case_id, moment, told=already_words(late.state)), 409
    except review.NotYours:
        return show_case(case_id, moment, told=_("You rejected this request before: another agent decides the appeal.")), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    return redirect(url_for("desk.case", case_id=case_id), 303)


@desk.post("/cases/<uuid:case_id>/release")
@needs("decide")
def release(case_id: UUID) -> ResponseReturnValue:
    """Give the case back to the queue."""
    try:
        with database().transaction() as db:
            review.release(db, case_id, agent=row(db), now=now())
    except review.NotYours:
        flash(_("The case was no longer yours."))
    except NoResultFound:
        abort(404)
    else:
        flash(_("The case is back in the queue."))
    return redirect(url_for("desk.queue"), 303)


@desk.post("/cases/<uuid:case_id>/touch")
@needs("decide")
def touch(case_id: UUID) -> ResponseReturnValue:
    """A sign of life from the agent's page; says until when the case is hers."""
    try:
        with database().transaction() as db:
            until = review.touch(db, case_id, agent=row(db), now=now())
    except review.NotYours:
        return jsonify(yours=False), 409
    except NoResultFound:
        abort(404)
    return jsonify(yours=True, until=until.isoformat())
