"""The agents' desk: queue, case, answer. Translates HTTP; `cases.review` and `cases.profiles` decide.

Every look at a case or a photo is an event of the trail, written before anything is shown.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import audit, confirmations, conversations, duplicates, photo_store, policies, profiles, queries, review
from cases.lifecycle import IllegalTransition, State
from cases.models import Case, Photo
from cases.staff import NotAllowed
from verification.evidence import ChangeReason
from verification.reasons import PhotoKind, ReasonCode
from webapp.context import database, now
from webapp.desk import forms, liveness, presenters
from webapp.security import guard_blueprint, may, needs, row, signed_in
from webapp.talk import broken

desk = Blueprint("desk", __name__, url_prefix="/desk")
guard_blueprint(desk)


@desk.get("")
@needs("see_queue")
def queue() -> ResponseReturnValue:
    """What waits for a person: disputes first, then oldest first. All filters stand in the address."""
    asked, moment, me = forms.read_filters(request.args), now(), signed_in()
    assert me is not None
    with database().reading() as db:
        try:
            rows = queries.desk_queue(db, asked.filters(me.id), now=moment)
        except ValueError:
            abort(404)
        counts = queries.desk_counts(db, now=moment)
        mine = queries.desk_queue(db, queries.QueueFilters(owner=me.id, limit=100), now=moment)
        to_people = policies.everything_to_people(db)
    return render_template(
        "desk/queue.html",
        rows=rows[: forms.PAGE],
        more=len(rows) > forms.PAGE,
        asked=asked,
        counts=counts,
        mine=len(mine),
        now=moment,
        me=me.id,
        to_people=to_people,
        change_reasons=tuple(ChangeReason),
        all_reasons=tuple(ReasonCode),
        show=presenters,
    )


@desk.post("/next")
@needs("decide")
def take_next() -> ResponseReturnValue:
    """Take the case that waits longest and open it."""
    with database().transaction() as db:
        case = review.take_next(db, agent=row(db), now=now())
    if case is None:
        flash(_("Nothing waits: the queue is empty."))
        return redirect(url_for("desk.queue"), 303)
    return redirect(url_for("desk.case", case_id=case.id), 303)


@desk.get("/cases/<uuid:case_id>")
@needs("see_case")
def case(case_id: UUID) -> ResponseReturnValue:
    """Everything about one case."""
    return _case_page(case_id, now())


def _case_page(case_id: UUID, moment: datetime, *, answer: forms.Answer | None = None, told: str = "", writing: str = "") -> str:
    """The page, with what was typed when an answer or a message did not go through and, in `told`, why.

    Each look is written down first.
    """
    me = signed_in()
    assert me is not None
    with database().transaction() as db:
        shown = db.get(Case, case_id)
        if shown is None:
            abort(404)
        audit.record(db, "case_opened_by_staff", actor=audit.Actor.staff(row(db)), now=moment, case=shown, purpose="review")
    with database().reading() as db:
        try:
            page = queries.case_page(db, case_id, now=moment)
        except NoResultFound:
            abort(404)
        found = page.case
        at_desk = found.state is State.IN_REVIEW
        mine, sees_photos = page.owner_id == me.id, _may_see_photos(found, moment)
        return render_template(
            "desk/case.html",
            page=page,
            case=found,
            now=moment,
            mine=mine,
            decides=at_desk and mine and may("decide"),
            can_take=(at_desk or (page.disputed and found.state is State.APPROVED and may("settle_disputes")))
            and page.owner_id is None
            and may("decide"),
            can_settle=page.disputed and found.state is State.APPROVED and may("settle_disputes"),
            can_revert=found.state is State.APPROVED and may("revert"),
            on_hold=profiles.held(found),
            paper_code=confirmations.code(db, found) if found.applied_version_id else None,
            sees_photos=sees_photos,
            lines=presenters.lines(page, with_print=sees_photos),
            scores=presenters.scores(page),
            checks=presenters.checks(page),
            continuity=presenters.continuity(page),
            hints=presenters.hints(page),
            liveness=liveness.liveness_lines(page.measures, page.policy),
            selfie_signs=liveness.selfie_signs(page.measures, page.policy),
            same_faces=presenters.same_faces(*duplicates.candidates(db, found)),
            portrait=presenters.portrait_frame(page),
            reasons=presenters.heavy_first(page.reasons),
            weighty=at_desk and review.weighs_against(db, found),
            show=presenters,
            kinds=PhotoKind,
            retake_reasons=forms.retake_reasons(),
            rejections=forms.REJECTIONS,
            answer=answer or forms.Answer(action="", seen_version=found.version),
            told=told,
            talk=conversations.thread(db, found),
            writes=conversations.answers(found, row(db), now=moment),
            waits=conversations.waits(db, found),
            writing=writing,
            message=uuid4(),
        )


@desk.post("/cases/<uuid:case_id>/take")
@needs("decide")
def take(case_id: UUID) -> ResponseReturnValue:
    """Take this case."""
    moment = now()
    try:
        with database().transaction() as db:
            review.take(db, case_id, agent=row(db), now=moment)
    except review.TakenBy as taken:
        return _case_page(case_id, moment, told=_("%(name)s took this case a moment before you.", name=taken.name)), 409
    except IllegalTransition as late:
        return _case_page(case_id, moment, told=_already(late.state)), 409
    except review.NotYours:
        return _case_page(case_id, moment, told=_("You rejected this request before: another agent decides the appeal.")), 409
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
            told = _("Nothing was sent. %(what)s", what=_changed(stale))
            return _case_page(case_id, moment, answer=_again(answer, case_id), told=told), 409
        except IllegalTransition as late:
            return _case_page(
                case_id, moment, answer=answer, told=_("Nothing was sent. %(what)s", what=_already(late.state))
            ), 409
        except review.NotYours:
            told = _("Nothing was sent: the case is no longer yours. Take it again to answer.")
            return _case_page(case_id, moment, answer=answer, told=told), 409
        except review.NoteNeeded:
            answer.problems["note"] = _("A weighty reason speaks against this. Say in a note why you approve.")
        except NotAllowed:
            abort(403)
        except NoResultFound:
            abort(404)
        else:
            return _after(case_id, state, answer)
    return _case_page(case_id, moment, answer=answer), 422


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
        return _case_page(case_id, moment, answer=answer, told=_("Nothing was changed. %(what)s", what=_changed(stale))), 409
    except profiles.OwnApproval:
        told = _("Nothing was changed: you approved this case yourself, so another person has to settle the dispute.")
        return _case_page(case_id, moment, answer=answer, told=told), 409
    except profiles.ProfileMovedOn:
        told = _("Nothing was changed: the details were changed again while this change was on hold. Put it back, then ask anew.")
        return _case_page(case_id, moment, answer=answer, told=told), 409
    except review.NoteNeeded:
        answer.problems["settle"] = _("Say in a note why the change may stand.")
        return _case_page(case_id, moment, answer=answer), 422
    except ValueError:
        return _case_page(case_id, moment, answer=answer, told=_("Nothing was changed: the dispute is settled already.")), 409
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
        return _case_page(case_id, moment, answer=answer), 422
    told = ""
    try:
        with database().transaction() as db:
            profiles.revert(db, case_id, actor=audit.Actor.staff(row(db)), reason=note, now=moment)
    except profiles.ProfileMovedOn:
        told = _("Nothing was changed: the account's details were changed again after this case. Clear that up first.")
    except profiles.OwnApproval:
        told = _("Nothing was changed: you approved this case yourself, so another person has to put it back.")
    except IllegalTransition as late:
        told = _("Nothing was changed. %(what)s", what=_already(late.state))
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    if told:
        return _case_page(case_id, moment, answer=answer, told=told), 409
    flash(_("The earlier details hold again."))
    return redirect(url_for("desk.case", case_id=case_id), 303)


@desk.get("/cases/<uuid:case_id>/photos/<uuid:photo_id>")
@needs("see_photos")
def photo(case_id: UUID, photo_id: UUID) -> ResponseReturnValue:
    """One photo, to the agent who holds the case or may settle disputes. Each look is written down first."""
    moment = now()
    try:
        with database().transaction() as db:
            found, picture = db.get(Case, case_id), db.get(Photo, photo_id)
            if found is None or picture is None or not _belongs(picture, found):
                abort(404)
            if not _may_see_photos(found, moment):
                abort(403)
            data = photo_store.open_photo(db, photo_id, viewer=audit.Actor.staff(row(db)), purpose="review", now=moment)
    except photo_store.PhotoGone:
        abort(410)
    except photo_store.PhotoBroken:
        broken("photo", photo_id)
    response = Response(data, mimetype=_mimetype(data))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = "inline"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _mimetype(data: bytes) -> str:
    """What intake keeps: clean JPEG. Anything else is offered as bytes, never as a page."""
    return "image/jpeg" if data.startswith(b"\xff\xd8") else "application/octet-stream"


def _belongs(picture: Photo, found: Case) -> bool:
    """Whether the photo is of this case, or the face on file of its customer."""
    return picture.case_id == found.id or (picture.case_id is None and picture.customer_id == found.customer_id)


def _may_see_photos(found: Case, moment: datetime) -> bool:
    me = signed_in()
    if me is None or not may("see_photos"):
        return False
    holds = found.owner_id == me.id and found.owner_until is not None and found.owner_until > moment
    return holds or may("settle_disputes")


def _again(answer: forms.Answer, case_id: UUID) -> forms.Answer:
    """The same answer, to be sent again from the fresh page once the agent has seen what changed."""
    with database().reading() as db:
        answer.seen_version = db.get_one(Case, case_id).version
    return answer


def _changed(stale: review.StalePage) -> str:
    from webapp.i18n import label, local_time

    return _(
        "%(who)s changed this case on %(time)s; it now stands as “%(state)s”.",
        who=presenters.by_words(stale.by), time=local_time(stale.at), state=label(stale.state),
    )  # fmt: skip


def _already(state: State) -> str:
    from webapp.i18n import label

    return _("This case stands as “%(state)s” already; the history below says by whom and since when.", state=label(state))
