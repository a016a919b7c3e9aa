"""What an agent answers. Translates HTTP; `cases.review` and `cases.profiles` decide."""

from __future__ import annotations

from uuid import UUID

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import audit, profiles, review
from cases.lifecycle import IllegalTransition, State
from cases.models import Case
from cases.staff import NotAllowed
from webapp.context import database, now
from webapp.desk import forms
from webapp.desk.page import already_words, changed_words, show_case
from webapp.desk.surface import desk
from webapp.security import needs, row


@desk.post("/cases/<uuid:case_id>/answer")
@needs("decide")
def decide(case_id: UUID) -> ResponseReturnValue:
    """Carry out an agent's answer and lead to the next case, or say what already happened. Nothing typed is lost."""
    answer, moment = forms.read_answer(request.form), now()
    if not answer.problems:
        try:
            with database().transaction() as db:
                done = review.dispose(db, case_id, answer.disposal(), agent=row(db), now=moment)
                state = done.state
        except review.StalePage as stale:
            told = _("Nothing was sent. %(what)s", what=changed_words(stale))
            return show_case(case_id, moment, answer=_again(answer, case_id), told=told), 409
        except IllegalTransition as late:
            return show_case(
                case_id, moment, answer=answer, told=_("Nothing was sent. %(what)s", what=already_words(late.state))
            ), 409
        except review.NotYours:
            told = _("Nothing was sent: the case is no longer yours. Take it again to answer.")
            return show_case(case_id, moment, answer=answer, told=told), 409
        except review.NoteNeeded:
            answer.problems["note"] = _("A weighty reason speaks against this. Say in a note why you approve.")
        except NotAllowed:
            abort(403)
        except NoResultFound:
            abort(404)
        else:
            return _after(case_id, state, answer)
    return show_case(case_id, moment, answer=answer), 422


def _after(case_id: UUID, state: State, answer: forms.Answer) -> ResponseReturnValue:
    """Say what was done; then the next case, or the queue."""
    number = str(case_id)[:8]
    said = {
        State.APPROVED: _("Case %(number)s approved: the profile is changed.", number=number),
        State.REJECTED: _("Case %(number)s rejected.", number=number),
        State.NEEDS_RETAKE: _("Case %(number)s: the customer is asked for a photo again.", number=number),
    }[state]
    if answer.then == "next":
        with database().transaction() as db:
            following = review.take_next(db, agent=row(db), now=now())
        if following is not None:
            flash(said)
            return redirect(url_for("desk.case", case_id=following.id), 303)
        said = _("%(done)s Nothing else waits.", done=said)
    flash(said)
    return redirect(url_for("desk.queue"), 303)


@desk.post("/cases/<uuid:case_id>/settle")
@needs("settle_disputes")
def settle(case_id: UUID) -> ResponseReturnValue:
    """Let a disputed change stand."""
    note, moment = request.form.get("note", "").strip(), now()
    answer = forms.Answer(action="settle", note=note)
    try:
        with database().transaction() as db:
            review.settle_dispute(
                db, case_id, agent=row(db), note=note, seen_version=request.form.get("seen_version", 0, type=int), now=moment
            )
    except review.StalePage as stale:
        return show_case(case_id, moment, answer=answer, told=_("Nothing was changed. %(what)s", what=changed_words(stale))), 409
    except profiles.OwnApproval:
        told = _("Nothing was changed: you approved this case yourself, so another person has to settle the dispute.")
        return show_case(case_id, moment, answer=answer, told=told), 409
    except profiles.ProfileMovedOn:
        told = _("Nothing was changed: the details were changed again while this change was on hold. Put it back, then ask anew.")
        return show_case(case_id, moment, answer=answer, told=told), 409
    except review.NoteNeeded:
        answer.problems["settle"] = _("Say in a note why the change may stand.")
        return show_case(case_id, moment, answer=answer), 422
    except ValueError:
        return show_case(case_id, moment, answer=answer, told=_("Nothing was changed: the dispute is settled already.")), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    flash(_("The change stands; the dispute is settled."))
    return redirect(url_for("desk.case", case_id=case_id), 303)


@desk.post("/cases/<uuid:case_id>/revert")
@needs("revert")
def revert(case_id: UUID) -> ResponseReturnValue:
    """Make the profile from before this case current again."""
    note, moment = request.form.get("note", "").strip(), now()
    answer = forms.Answer(action="revert", note=note)
    if not note:
        answer.problems["settle"] = _("Say in a note why the change is undone.")
        return show_case(case_id, moment, answer=answer), 422
    told = ""
    try:
        with database().transaction() as db:
            profiles.revert(db, case_id, actor=audit.Actor.staff(row(db)), reason=note, now=moment)
    except profiles.ProfileMovedOn:
        told = _("Nothing was changed: the account's details were changed again after this case. Clear that up first.")
    except profiles.OwnApproval:
        told = _("Nothing was changed: you approved this case yourself, so another person has to put it back.")
    except IllegalTransition as late:
        told = _("Nothing was changed. %(what)s", what=already_words(late.state))
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    if told:
        return show_case(case_id, moment, answer=answer, told=told), 409
    flash(_("The earlier details hold again."))
    return redirect(url_for("desk.case", case_id=case_id), 303)


def _again(answer: forms.Answer, case_id: UUID) -> forms.Answer:
    """The same answer, to be sent again from the fresh page once the agent has seen what changed."""
    with database().reading() as db:
        answer.seen_version = db.get_one(Case, case_id).version
    return answer
