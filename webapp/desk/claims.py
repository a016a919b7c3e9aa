"""Taking a case, keeping it, giving it back. `cases.review` decides who may."""

from __future__ import annotations

from uuid import UUID

from flask import abort, flash, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import queue, review
from cases.lifecycle import IllegalTransition
from cases.staff import NotAllowed
from webapp.context import database, now
from webapp.desk.answers import note_withheld
from webapp.desk.page import already_words, show_case
from webapp.desk.surface import desk
from webapp.security import needs, row

_NOT_HERS = ("choose_cases", "decide_escalated")
"""Permissions whose lack says something of the case rather than of the page: it is told in words."""


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
    except review.Related:
        note_withheld(case_id, moment)
        told = _("This case is your own or related to your own account: somebody else answers it.")
        return show_case(case_id, moment, told=told), 409
    except review.AlreadyAnswered:
        told = _("You gave the first answer: another person answers now, without seeing yours.")
        return show_case(case_id, moment, told=told), 409
    except review.NotYours:
        return show_case(case_id, moment, told=_("You rejected this request before: another agent decides the appeal.")), 409
    except queue.HandsFull as full:
        told = _("You hold %(n)s open cases, as many as one may. Answer or release one first.", n=full.limit)
        return show_case(case_id, moment, told=told), 409
    except NotAllowed as missing:
        if missing.permission not in _NOT_HERS:
            abort(403)
        told = {
            "choose_cases": _("Cases are given out here: take the next one from the queue."),
            "decide_escalated": _("This case waits for a senior agent."),
        }[missing.permission]
        return show_case(case_id, moment, told=told), 403
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


@desk.post("/cases/<uuid:case_id>/by-eye")
@needs("set_by_eye")
def set_by_eye(case_id: UUID) -> ResponseReturnValue:
    """Write down that the customer lets no machine compare her face."""
    moment = now()
    try:
        with database().transaction() as db:
            review.set_by_eye(db, case_id, agent=row(db), now=moment)
    except IllegalTransition as late:
        return show_case(case_id, moment, told=already_words(late.state)), 409
    except review.Related:
        note_withheld(case_id, moment)
        told = _("This case is your own or related to your own account: somebody else answers it.")
        return show_case(case_id, moment, told=told), 409
    except review.NotYours:
        return show_case(case_id, moment, told=_("Nothing was changed: take the case first.")), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    flash(_("From now on people compare this customer's face; what was kept of it is deleted."))
    return redirect(url_for("desk.case", case_id=case_id), 303)


@desk.post("/cases/<uuid:case_id>/touch")
@needs("decide")
def touch(case_id: UUID) -> ResponseReturnValue:
    """A sign of life from the agent's page; says until when the case is hers."""
    try:
        with database().transaction() as db:
            until = review.touch(db, case_id, agent=row(db), now=now())
    except (review.NotYours, queue.HandsFull):
        return jsonify(yours=False), 409
    except NoResultFound:
        abort(404)
    return jsonify(yours=True, until=until.isoformat())
