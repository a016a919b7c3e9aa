"""One page per case: every fact an agent needs. Every look is an event of the trail, written before anything is shown."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from flask import abort, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import audit, confirmations, conversations, duplicates, profiles, queries, review
from cases.lifecycle import State
from cases.models import Case
from verification.reasons import PhotoKind
from webapp.context import database, now
from webapp.desk import forms, liveness, presenters
from webapp.desk.pictures import may_see_photos
from webapp.desk.surface import desk
from webapp.security import may, needs, row, signed_in


@desk.get("/cases/<uuid:case_id>")
@needs("see_case")
def case(case_id: UUID) -> ResponseReturnValue:
    """Everything about one case."""
    return show_case(case_id, now())


def show_case(case_id: UUID, moment: datetime, *, answer: forms.Answer | None = None, told: str = "", writing: str = "") -> str:
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
        mine, sees_photos = page.owner_id == me.id, may_see_photos(found, moment)
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


def changed_words(stale: review.StalePage) -> str:
    from webapp.i18n import label, local_time

    return _(
        "%(who)s changed this case on %(time)s; it now stands as “%(state)s”.",
        who=presenters.by_words(stale.by), time=local_time(stale.at), state=label(stale.state),
    )  # fmt: skip


def already_words(state: State) -> str:
    from webapp.i18n import label

    return _("This case stands as “%(state)s” already; the history below says by whom and since when.", state=label(state))
