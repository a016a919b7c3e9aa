"""One page per case: every fact an agent needs. Every look is an event of the trail, written before anything is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from flask import abort, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import (
    answers,
    audit,
    by_eye,
    confirmations,
    conversations,
    duplicates,
    likeness,
    opinion,
    profiles,
    queries,
    queue,
    review,
    risk,
    supporting,
)
from cases.desk_tables import AnswerState
from cases.lifecycle import State
from cases.models import Case
from cases.rescue import LINE
from cases.staff import NotAllowed
from verification.reasons import PhotoKind
from webapp.context import database, now, reading
from webapp.desk import forms, liveness, paper_words, presenters
from webapp.desk.pictures import may_see
from webapp.desk.surface import desk
from webapp.security import may, needs, row, signed_in


@desk.get("/cases/<uuid:case_id>")
@needs("see_case")
def case(case_id: UUID) -> ResponseReturnValue:
    """Everything about one case."""
    page = show_case(case_id, now())
    return (page, 403) if g.get("withheld") else page


def show_case(case_id: UUID, moment: datetime, *, answer: forms.Answer | None = None, told: str = "", writing: str = "") -> str:
    """The page, with what was typed when an answer or a message did not go through and, in `told`, why.

    Each look is written down first. A case that is not hers to see is not shown to her: a page says why, and who has it.
    """
    me = signed_in()
    assert me is not None
    with database().transaction() as db:
        shown = db.get(Case, case_id)
        if shown is None:
            abort(404)
        if (kept := review.kept_from(db, shown, row(db), now=moment)) is not None:
            review.note_kept(db, shown, row(db), kept.why, now=moment)
        else:
            audit.record(db, "case_opened_by_staff", actor=audit.Actor.staff(row(db)), now=moment, case=shown, purpose="review")
            queue.watch(db, case_id, row(db), now=moment)
    with reading() as db:  # anew, since the trail's turn is held until the look is written down: nobody waits for a page
        if kept is not None:
            return _withheld(db.get_one(Case, case_id), kept, moment, told=told, answer=answer, writing=writing)
        try:
            page = queries.case_page(db, case_id, now=moment)
        except NoResultFound:
            abort(404)
        found, viewer = page.case, row(db)
        at_desk = found.state is State.IN_REVIEW
        mine, sees_photos = page.owner_id == me.id, may_see(found, moment)
        given = answers.visible(db, found, viewer)
        hidden = opinion.hidden(db, found, viewer)
        blind = found.second_at is not None and not any(one.mine and one.state is AnswerState.FIRST for one in given)
        papers = supporting.of(db, found, now=moment)
        decides = at_desk and mine and may("decide") and found.answered_at is None
        check = review.rows_to_check(db, found, veiled=hidden) if decides and page.claim is not None else ()
        why_not = None if mine else review.why_not_take(db, found, viewer, moment)
        return render_template(
            "desk/case.html",
            page=_veiled(page) if hidden else page,
            case=found,
            now=moment,
            mine=mine,
            decides=decides,
            can_take=not mine and why_not is None,
            why_not=_why_not_words(why_not) if at_desk and may("decide") else "",
            can_settle=page.disputed and found.state is State.APPROVED and may("settle_disputes"),
            can_revert=found.state is State.APPROVED and may("revert"),
            on_hold=profiles.held(found),
            paper_code=confirmations.code(db, found) if found.applied_version_id else None,
            sees_photos=sees_photos,
            eyes=by_eye.holds(db, found.customer),
            ticks_faces=decides and review.faces_to_compare(db, found),
            sets_eyes=decides and not found.customer.by_eye and by_eye.allowed(db) and may("set_by_eye"),
            lane=review.lane(found),
            hidden=hidden,
            blind=blind,
            given=given,
            notes=review.notes(db, found, viewer),
            watchers=queue.watchers(db, case_id, but=me.id, now=moment),
            risky=presenters.risk_words(risk.judge(db, found, now=moment)[1])
            if at_desk and found.risk == risk.Risk.HIGH and not hidden
            else [],
            rescue=found.rescue if found.rescue >= LINE else 0,
            lines=presenters.lines(page, with_print=sees_photos, check=check, veiled=hidden),
            scores=[] if hidden else presenters.scores(page),
            checks=presenters.checks(page, veiled=hidden),
            continuity=presenters.continuity(page, veiled=hidden) + paper_words.words(papers),
            papers_here=bool(papers),
            hints=[] if hidden else presenters.hints(page),
            liveness=[] if hidden else liveness.liveness_lines(page.measures, page.policy),
            selfie_signs=[] if hidden else liveness.selfie_signs(page.measures, page.policy),
            same_faces=[] if hidden else presenters.same_faces(*duplicates.candidates(db, found)),
            twins=presenters.twins(likeness.twins(db, found, list(page.photos.values()))),
            past=presenters.past_cases(queries.past_cases(db, found)),
            happened=presenters.happened(
                page.events, without=(FIRST_ANSWER if blind else frozenset()) | (_CONCLUDES if hidden else frozenset())
            ),
            trail=_trail(page.events, hidden=hidden, blind=blind),
            reasons=[] if hidden else presenters.heavy_first(page.reasons),
            weighty=at_desk and not hidden and review.weighs_against(db, found),
            show=presenters,
            kinds=PhotoKind,
            retake_reasons=forms.retake_reasons(),
            rejections=forms.REJECTIONS,
            answer=answer or forms.Answer(action="", seen_version=found.version),
            told=told,
            talk=conversations.thread(db, found),
            writes=conversations.answers(found, viewer, now=moment),
            waits=conversations.waits(db, found),
            writing=writing,
            message=uuid4(),
        )


def _withheld(
    case: Case, kept: review.Withheld, moment: datetime, *, told: str, answer: forms.Answer | None, writing: str
) -> str:
    """In place of a case: why it is not shown, who has it, what she can do. Nothing of the customer's; what she typed is kept."""
    g.withheld = True
    return render_template(
        "desk/withheld.html",
        case=case,
        kept=kept,
        told=told,
        writes=may("decide") and kept.why is not review.Kept.TIED and case.state is State.IN_REVIEW,
        note=answer.note if answer else "",
        problem=(answer.problems.get("note") if answer else "") or "",
        typed="\n\n".join(part for part in (answer.words if answer else "", writing) if part),
        now=moment,
    )


FIRST_ANSWER = frozenset(
    {"answer_given", "answer_taken_back", "answer_dropped", "second_asked", "answers_disagree", "note_added", "case_escalated"}
)
"""Events that speak of a first answer: left out for who may give the second."""

_CONCLUDES = frozenset({"run_finished", "referred", "disposed"})
"""Events whose details say what the machine concluded."""


def _why_not_words(why: Exception | None) -> str:
    """Why a case that waits for a person cannot be taken by her, where a better word is known than who has it."""
    if isinstance(why, queue.HandsFull):
        return _("You hold as many cases as one may. Answer or release one of them first.")
    if isinstance(why, NotAllowed):
        return {
            "choose_cases": _("Cases are given out here: “Next case” brings you the one that is most urgent."),
            "decide_escalated": _("Senior agents answer this case."),
        }.get(why.permission, "")
    if isinstance(why, review.AlreadyAnswered):
        return _("You gave the first answer: another person answers now.")
    if isinstance(why, review.TakenBy) or not isinstance(why, review.NotYours):
        return ""
    return _("You refused this request once: another person decides the appeal.")


def _veiled(page: queries.CasePage) -> queries.CasePage:
    """The facts without what any run concluded, for every part of the page, whoever wrote it."""
    return replace(page, reasons=(), runs=tuple(replace(run, reasons=(), outcome=None) for run in page.runs))


def _trail(events: Iterable[queries.EventRow], *, hidden: bool, blind: bool) -> list[queries.EventRow]:
    """The trail as this viewer may see it, newest first."""
    shown = [event for event in events if not (blind and event.kind in FIRST_ANSWER)]
    return [replace(event, details={}) if hidden and event.kind in _CONCLUDES else event for event in reversed(shown)]


def changed_words(stale: review.StalePage) -> str:
    from webapp.i18n import label, local_time

    return _(
        "%(who)s changed this case on %(time)s; it now stands as “%(state)s”.",
        who=presenters.by_words(stale.by), time=local_time(stale.at), state=label(stale.state),
    )  # fmt: skip


def already_words(state: State) -> str:
    from webapp.i18n import label

    return _("This case stands as “%(state)s” already; the history below says by whom and since when.", state=label(state))
