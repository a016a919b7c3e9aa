"""Practice of a new agent: specimen cases on pages like the real ones, what was right after each answer, and where she stands.

Nothing here is of a person: papers and faces are drawn. `cases.practice` draws, judges and counts.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from uuid import UUID, uuid5

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from werkzeug.datastructures import MultiDict

from cases import practice, queries
from cases.lifecycle import State
from cases.models import Case, Customer, Photo, RunState
from cases.queries import CasePage, RunRow
from cases.staff import NotAllowed
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode
from webapp.context import database, now
from webapp.desk import forms, liveness, pictures, presenters
from webapp.desk.surface import desk
from webapp.security import needs, row

_OF_NOBODY = UUID("7b0f2c1e-5a1d-4a6e-9d0a-3f6f0c9e5a41")
"""Under which ids of specimens are made from their keys: always the same, of nothing else."""

NOON = time(12, 0, tzinfo=UTC)


@desk.get("/practice")
@needs("practise")
def practice_page() -> ResponseReturnValue:
    """What practice is, where she stands, and each answer of the newest round."""
    with database().reading() as db:
        me = row(db)
        return render_template(
            "desk/practice.html",
            practising=me.practising,
            standing=practice.standing(db, me),
            answers=_told_answers(practice.standing(db, me)),
            ROUND=practice.ROUND,
            PASS=practice.PASS_RIGHT,
        )


@desk.post("/practice/begin")
@needs("practise")
def begin_practice() -> ResponseReturnValue:
    """Draw a round, or go on with the open one."""
    with database().transaction() as db:
        practice.begin_round(db, row(db), now=now())
    return redirect(url_for("desk.practice_case"), 303)


@desk.get("/practice/case")
@needs("practise")
def practice_case() -> ResponseReturnValue:
    """The specimen that is hers to answer now."""
    with database().reading() as db:
        stands = practice.standing(db, row(db))
    if stands.next is None:
        return redirect(url_for("desk.practice_page"), 303)
    return _show(stands, forms.Answer())


@desk.post("/practice/case")
@needs("practise")
def answer_practice() -> ResponseReturnValue:
    """Take her answer and tell what was right."""
    typed = read_answer(request.form)
    key = request.form.get("specimen", "")
    with database().reading() as db:
        stands = practice.standing(db, row(db))
    if stands.next is None or stands.next != key:
        flash(_("This specimen was answered already."))
        return redirect(url_for("desk.practice_page"), 303)
    if typed.problems:
        return _show(stands, typed), 422
    given = practice.Given(action=typed.action, reasons=typed.reasons, retake=typed.retake)
    try:
        with database().transaction() as db:
            practice.answer(db, row(db), key, given, now=now())
    except practice.NotThisOne:
        flash(_("This specimen was answered already."))
        return redirect(url_for("desk.practice_page"), 303)
    return redirect(url_for("desk.practised", number=len(stands.answers) + 1), 303)


@desk.get("/practice/answers/<int:number>")
@needs("practise")
def practised(number: int) -> ResponseReturnValue:
    """What was right in an answer of the newest round, and where it stands."""
    with database().reading() as db:
        me = row(db)
        stands = practice.standing(db, me)
    told = next((a for a in stands.answers if a.number == number), None)
    if told is None:
        abort(404)
    known = practice.specimen(told.specimen)
    return render_template(
        "desk/practised.html",
        **_facts(known),
        told=told,
        known=known,
        verdict=practice.judge(known, told.given),
        why=_(practice.SIGNS[known.sign]),
        stands=stands,
        practising=me.practising,
        last=number == len(stands.answers),
        ROUND=practice.ROUND,
        PASS=practice.PASS_RIGHT,
    )


@desk.get("/practice/photo")
@needs("practise")
def practice_photo() -> ResponseReturnValue:
    """A drawn picture. Kept by the browser: it is of nobody."""
    key, _dot, kind = request.args.get("link", "").rpartition(".")
    try:
        data = practice.specimen(key).photo(PhotoKind(kind))
    except (KeyError, ValueError):
        abort(404)
    response = Response(data, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


@desk.post("/practice/photo")
@needs("practise")
def open_practice_photo() -> ResponseReturnValue:
    """A picture in a page of its own, where there is no script."""
    return redirect(url_for("desk.practice_photo", link=request.form.get("link", "")), 303)


@desk.post("/team/<uuid:staff_id>/practice")
@needs("reset_practice")
def reset_practice(staff_id: UUID) -> ResponseReturnValue:
    """Have an agent begin anew."""
    try:
        with database().transaction() as db:
            agent = practice.reset(db, staff_id, lead=row(db), now=now())
            name = agent.name
    except NoResultFound:
        abort(404)
    except NotAllowed:
        abort(403)
    flash(_("%(name)s practises from the beginning. Open cases are back in the queue.", name=name))
    return redirect(url_for("desk.team_page"), 303)


def read_answer(form: MultiDict[str, str]) -> forms.Answer:
    """Read an answer as the desk does; notes and words to the customer are not asked for, since nobody would read them."""
    codes = {code.value: code for code in ReasonCode}
    answer = forms.Answer(action=form.get("action", ""))
    if answer.action == "ask_retake":
        offered = forms.retake_reasons()
        answer.retake = frozenset(kind for kind in offered if kind.value in form.getlist("retake"))
        allowed = {r for kind in answer.retake for r in offered[kind]}
        answer.reasons = tuple(codes[c] for c in form.getlist("retake_reason") if c in codes and codes[c] in allowed)
        if not answer.retake:
            answer.problems["retake"] = _("Choose the photo to take again.")
        elif any(not set(offered[kind]) & set(answer.reasons) for kind in answer.retake):
            answer.problems["retake_reason"] = _("Choose why, for each photo: the customer reads it.")
    elif answer.action == "reject":
        answer.reasons = tuple(codes[c] for c in form.getlist("reject_reason") if c in codes and codes[c] in forms.REJECTIONS)
        if not answer.reasons:
            answer.problems["reject_reason"] = _("Choose at least one reason.")
    elif answer.action not in practice.ACTIONS:
        answer.problems["action"] = _("Choose an answer.")
    return answer


def _show(stands: practice.Standing, typed: forms.Answer) -> str:
    assert stands.next is not None
    known = practice.specimen(stands.next)
    return render_template(
        "desk/practice_case.html",
        **_facts(known),
        known=known,
        stands=stands,
        answer=typed,
        number=len(stands.answers) + 1,
        retake_reasons=forms.retake_reasons(),
        rejections=forms.REJECTIONS,
        ROUND=practice.ROUND,
    )


def _facts(known: practice.Specimen) -> dict[str, object]:
    """What the parts of a case's page take, with pictures that come from here and ask for no case."""
    page = specimen_page(known)

    def link(_case: Case, photo: Photo, _purpose: str = "") -> str:
        return url_for("desk.practice_photo", link=f"{known.key}.{photo.kind.value}")

    def token(_case: Case, photo: Photo, _purpose: str = "") -> str:
        return f"{known.key}.{photo.kind.value}"

    return {
        "page": page,
        "case": page.case,
        "kinds": PhotoKind,
        "sees_photos": True,
        "can_take": False,
        "decides": False,
        "photo_link": link,
        "photo_token": token,
        "photo_frames": pictures.photo_frames,
        "looks_address": url_for("desk.open_practice_photo"),
        "lines": presenters.lines(page, with_print=True),
        "scores": presenters.scores(page),
        "checks": presenters.checks(page),
        "continuity": presenters.continuity(page),
        "hints": presenters.hints(page),
        "liveness": liveness.liveness_lines(page.measures, page.policy),
        "selfie_signs": liveness.selfie_signs(page.measures, page.policy),
        "reasons": presenters.heavy_first(page.reasons),
        "show": presenters,
    }


def specimen_page(known: practice.Specimen) -> CasePage:
    """A specimen in the shape in which the page of a case takes its facts. No row of the database is touched."""
    sent = datetime.combine(known.on, NOON)
    id = uuid5(_OF_NOBODY, known.key)
    customer = Customer(id=id, external_id="specimen", locale=known.locale, data_key_id=id, created_at=sent)
    case = Case(
        id=id, customer_id=id, state=State.IN_REVIEW, version=1, locale=known.locale, change_reason=known.claim.reason,
        country=known.country, data_key_id=id, base_version_id=id, attempt=1,
        reasons=[r.value for r in known.reasons], retake=[], opened_at=sent, updated_at=sent, referred_at=sent, risk="ordinary",
    )  # fmt: skip
    case.customer = customer
    photos = {}
    for kind, (width, height) in known.sizes.items():
        quality = known.quality(kind)
        photos[kind] = Photo(
            id=uuid5(id, kind.value), customer_id=id, case_id=None if kind is PhotoKind.ON_FILE else id, kind=kind, current=True,
            attempt=1, data_key_id=id, blob="", sha256="", size=0, accepted_despite=[], created_at=sent,
            quality={"width": width, "height": height, "sharpness": quality.sharpness},
        )  # fmt: skip
    run = RunRow(
        id=id, attempt=case.attempt, state=RunState.FINISHED, begun_at=sent, finished_at=sent, outcome="refer",
        reasons=known.reasons, policy_version=1, seconds=None,
    )  # fmt: skip
    readings = known.readings
    return CasePage(
        case=case,
        customer_id=id,
        external_id="specimen",
        owner_id=None,
        owner=None,
        owner_until=None,
        shredded=False,
        disputed=False,
        profile=known.profile,
        email="",
        profile_moved=False,
        claim=known.claim,
        new_email=None,
        fields=queries.side_by_side(known.profile, known.claim, readings),
        reading=readings["reading"],
        field_boxes=readings["field_boxes"],
        face_boxes=readings["face_boxes"],
        measures=known.evidence.measures,
        policy=SHIPPED,
        photos=photos,
        earlier_photos=(),
        runs=(run,),
        dispositions=(),
        events=(),
        reasons=known.reasons,
    )


def _told_answers(stands: practice.Standing) -> list[tuple[practice.Answered, practice.Specimen]]:
    return [(a, practice.specimen(a.specimen)) for a in stands.answers]
