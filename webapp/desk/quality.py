"""Quality: the queue of answers to give once more, one blind page for each, doubted approvals, and figures.

`cases.quality` draws, decides who may review and what follows. The page of a sample never names its case: who reviews is to judge
from what she sees, not to look up what was answered.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup, escape
from sqlalchemy.exc import NoResultFound
from werkzeug.datastructures import MultiDict

from cases import audit, photo_store, quality, review, supporting
from cases.desk_tables import QualitySample
from cases.queries import FieldRow
from cases.staff import NotAllowed
from verification.evidence import DATES
from verification.reasons import PhotoKind, ReasonCode
from webapp.context import database, now
from webapp.desk import forms, links, pictures, presenters
from webapp.desk.surface import desk
from webapp.i18n import label
from webapp.security import may, needs, row
from webapp.talk import broken

SPANS = (30, 90, 365)
"""Days that figures may be asked for."""

USUAL = 90
"""Days shown first: at 5 % of a few hundred answers a week a month holds too few."""

KIND = "quality"
"""Of picture links: a photo of a sample."""

PAPER = "paper:"
"""What a link to a supporting paper begins with, before its id."""


@desk.get("/quality")
@needs("review_quality")
def quality_page() -> ResponseReturnValue:
    """What waits, approvals in doubt, and what was found."""
    moment = now()
    days = request.args.get("days", USUAL, type=int)
    with database().reading() as db:
        member = row(db)
        return render_template(
            "desk/quality.html",
            waiting=quality.waiting(db, agent=member, now=moment),
            lines=quality.lines(db, now=moment),
            doubts=quality.doubts(db, agent=member),
            figures=quality.figures(db, since=moment - timedelta(days=days if days in SPANS else USUAL)),
            days=days if days in SPANS else USUAL,
            spans=SPANS,
            settles=may("revert"),
            now=moment,
            show=presenters,
            action_name=action_name,
            ReasonCode=ReasonCode,
        )


@desk.post("/quality/next")
@needs("review_quality")
def quality_next() -> ResponseReturnValue:
    """Take the sample that is most urgent, and open it."""
    with database().transaction() as db:
        sample = quality.take_next(db, agent=row(db), now=now())
        sample_id = sample.id if sample else None
    if sample_id is None:
        flash(_("Nothing to review: what is left was answered or opened by you."))
        return redirect(url_for("desk.quality_page"), 303)
    return redirect(url_for("desk.quality_sample", sample_id=sample_id), 303)


@desk.get("/quality/<uuid:sample_id>")
@needs("review_quality")
def quality_sample(sample_id: UUID) -> ResponseReturnValue:
    """The blind page or, once she has answered, what the first answer was."""
    return show_sample(sample_id)


def show_sample(sample_id: UUID, typed: Typed | None = None) -> ResponseReturnValue:
    """The page, with what was typed when a verdict did not go through."""
    moment = now()
    with database().transaction() as db:
        member = row(db)
        found = db.get(QualitySample, sample_id)
        if found is None:
            abort(404)
        if found.reviewed_at is not None and found.reviewer_id == member.id:
            return _shown_result(found)
        try:
            sample = quality.of(db, sample_id, agent=member, now=moment)
            sheet = quality.sheet(db, sample, now=moment)
        except (quality.Over, quality.NotHers, quality.NotBlind) as why:
            told, sheet = _why(why), None
    if sheet is None:
        flash(told)
        return redirect(url_for("desk.quality_page"), 303)
    return render_template(
        "desk/quality_sample.html",
        sample_id=sample_id,
        until=sample.taken_until,
        sheet=sheet,
        lines=[sheet_line(each) for each in sheet.fields],
        typed=typed or Typed(),
        rejections=forms.REJECTIONS,
        retake_reasons=forms.retake_reasons(),
        kinds=PhotoKind,
        photo_token=lambda thing: _token(sample_id, thing),
        photo_address=lambda thing: _address(sample_id, thing),
        paper=PAPER,
        looks_address=url_for("desk.quality_photo_again", sample_id=sample_id),
        portrait=_portrait(sheet),
    )


def _shown_result(sample: QualitySample) -> str:
    codes = {code.value: code for code in ReasonCode}
    return render_template(
        "desk/quality_result.html",
        sample=sample,
        planted=sample.specimen is not None,
        by_machine=sample.staff_id is None,
        first=[codes[c] for c in sample.reasons if c in codes],
        second=[codes[c] for c in sample.verdict_reasons if c in codes],
        action_name=action_name,
    )


def _why(error: Exception) -> str:
    if isinstance(error, quality.NotBlind):
        return _("You know this case by now: somebody else reviews it.")
    if isinstance(error, quality.Over):
        return _("This one can no longer be reviewed.")
    return _("This one is not yours: take the next one.")


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A verdict as typed, and what is wrong with it."""

    action: str = ""
    reasons: frozenset[ReasonCode] = frozenset()
    note: str = ""
    problems: dict[str, str] = dataclasses.field(default_factory=dict)


def read_verdict(form: MultiDict[str, str]) -> Typed:
    """Read a verdict. Reasons that belong to another action than the chosen one are left out."""
    action = form.get("action", "")
    retakes = {code for codes in forms.retake_reasons().values() for code in codes}
    allowed = {"reject": set(forms.REJECTIONS), "ask_retake": retakes}.get(action, set())
    asked = set(form.getlist("reject_reason" if action == "reject" else "retake_reason"))
    reasons = frozenset(code for code in allowed if code.value in asked)
    note = form.get("note", "").strip()
    problems = {}
    if action not in quality.ACTIONS:
        problems["action"] = _("Choose an answer.")
    elif action != "approve" and not reasons:
        problems[action] = _("Choose at least one reason.")
    if len(note) > forms.NOTE_LENGTH:
        problems["note"] = _("Please keep the note under %(limit)s characters.", limit=forms.NOTE_LENGTH)
    return Typed(action=action, reasons=reasons, note=note, problems=problems)


@desk.post("/quality/<uuid:sample_id>/verdict")
@needs("review_quality")
def quality_verdict(sample_id: UUID) -> ResponseReturnValue:
    """Write down her verdict and show what the first answer was."""
    typed = read_verdict(request.form)
    with database().reading() as db:
        if db.get(QualitySample, sample_id) is None:
            abort(404)
    if typed.problems:
        shown = show_sample(sample_id, typed)
        return (shown, 422) if isinstance(shown, str) else shown
    verdict = quality.Verdict(action=typed.action, reasons=typed.reasons, note=typed.note)
    try:
        with database().transaction() as db:
            quality.give(db, sample_id, verdict, agent=row(db), now=now())
    except (quality.Over, quality.NotHers, quality.NotBlind) as why:
        flash(_why(why))
        return redirect(url_for("desk.quality_page"), 303)
    except NoResultFound:
        abort(404)
    return redirect(url_for("desk.quality_sample", sample_id=sample_id), 303)


@desk.post("/quality/<uuid:sample_id>/give-back")
@needs("review_quality")
def quality_give_back(sample_id: UUID) -> ResponseReturnValue:
    """She cannot tell, or should not: somebody else reviews it."""
    try:
        with database().transaction() as db:
            quality.give_back(db, sample_id, agent=row(db), now=now())
    except quality.NotHers:
        flash(_("This one is not yours: take the next one."))
    except NoResultFound:
        abort(404)
    else:
        flash(_("Given back: somebody else reviews it."))
    return redirect(url_for("desk.quality_page"), 303)


@desk.post("/quality/<uuid:sample_id>/stands")
@needs("revert")
def quality_stands(sample_id: UUID) -> ResponseReturnValue:
    """A doubted approval was looked at and stands."""
    try:
        with database().transaction() as db:
            quality.let_stand(db, sample_id, agent=row(db), note=request.form.get("note", "")[: forms.NOTE_LENGTH], now=now())
    except NoResultFound:
        abort(404)
    except review.NoteNeeded:
        flash(_("Say in a note why it stands."))
    except review.NotYours:
        flash(_("A third person settles this: neither who approved it nor who doubted it."))
    except quality.Over:
        flash(_("This was settled already."))
    except NotAllowed:
        abort(403)
    else:
        flash(_("Written down: the approval stands."))
    return redirect(url_for("desk.quality_page"), 303)


# Photos


@desk.get("/quality/<uuid:sample_id>/photos/<token>")
@needs("review_quality")
def quality_photo(sample_id: UUID, token: str) -> ResponseReturnValue:
    """One photo of a sample, to who holds it, by an address of a minute. Each look at a customer's is written down first."""
    moment = now()
    try:
        with database().transaction() as db:
            sample = _held(db, sample_id, moment)
            look = pictures.redeem(token, KIND, subject=str(sample_id), moment=moment)
            data = _picture(db, sample, look, moment)
    except photo_store.PhotoGone:
        abort(410)
    except photo_store.PhotoBroken:
        broken("photo", sample_id)
    return pictures.shown(data, moment)


@desk.post("/quality/<uuid:sample_id>/photos/renew")
@needs("review_quality")
def quality_photo_again(sample_id: UUID) -> ResponseReturnValue:
    """A fresh address in place of an old one: to a script as JSON, else the picture itself."""
    moment = now()
    with database().transaction() as db:
        _held(db, sample_id, moment)
    look = pictures.redeem(request.form.get("link", ""), KIND, subject=str(sample_id), moment=moment, renewing=True)
    if request.accept_mimetypes.best == "application/json":
        return jsonify(link=_token(sample_id, look.thing), address=_address(sample_id, look.thing))
    return redirect(_address(sample_id, look.thing), 303)


def _picture(db: Any, sample: QualitySample, look: links.Look, moment: datetime) -> bytes:
    """A photo of the sample's case as it was then, a paper of it, or a specimen's. Raises PhotoGone, PhotoBroken."""
    viewer = audit.Actor.staff(row(db))
    if look.thing.startswith(PAPER):
        paper_id = UUID(look.thing.removeprefix(PAPER))
        if sample.case_id is None or paper_id not in {paper.id for paper in quality.papers(db, sample)}:
            abort(404)
        return supporting.open_picture(db, paper_id, case_id=sample.case_id, viewer=viewer, purpose=look.purpose, now=moment)
    kind = PhotoKind(look.thing)
    if sample.specimen is not None:
        return quality.specimen(sample).photo(kind)
    photo_id = quality.photo(db, sample, kind)
    if photo_id is None:
        abort(404)
    return photo_store.open_photo(db, photo_id, viewer=viewer, purpose=look.purpose, now=moment)


def _held(db: Any, sample_id: UUID, moment: datetime) -> QualitySample:
    """The sample, if it is hers to review; answers 404, 403 or 410 otherwise."""
    try:
        return quality.of(db, sample_id, agent=row(db), now=moment)
    except NoResultFound:
        abort(404)
    except quality.Over:
        abort(410)
    except (quality.NotHers, quality.NotBlind):
        abort(403)


def _token(sample_id: UUID, thing: str) -> str:
    """`thing` is a kind of photo, or PAPER and a paper's id."""
    return pictures.token(KIND, thing, subject=str(sample_id), purpose="quality")


def _address(sample_id: UUID, thing: str) -> str:
    return url_for("desk.quality_photo", sample_id=sample_id, token=_token(sample_id, thing))


# In words and shapes


@dataclass(frozen=True, kw_only=True)
class SheetLine:
    """One row of the table: on file, typed, read."""

    name: str
    on_file: str
    typed: Markup
    read: Markup
    changes: bool
    sign: str  # differs, unread, same or ""


def sheet_line(found: FieldRow) -> SheetLine:
    """A row with the letters that differ marked. What the machine made of it is left out."""
    differs = found.typed is not None and found.read is not None and found.agreement is not None and found.agreement < 1.0
    marks = differs and found.field not in DATES
    return SheetLine(
        name=label(found.field),
        on_file=found.on_file or "–",
        typed=presenters.marked(found.typed or "", [(d.claimed_at, d.claimed) for d in found.differences])
        if marks
        else escape(found.typed or "–"),
        read=presenters.marked(found.read or "", [(d.read_at, d.read) for d in found.differences])
        if marks
        else escape(found.read or "–"),
        changes=found.changes,
        sign="" if found.typed is None else "differs" if differs else "unread" if found.read is None else "same",
    )


def _portrait(sheet: quality.Sheet) -> tuple[str, int, int] | None:
    """The view box that shows the printed portrait with some room around it, and the photo's size."""
    if sheet.portrait is None or sheet.document_size is None:
        return None
    x, y, w, h = sheet.portrait
    width, height = sheet.document_size
    room = pictures.ROOM * max(w, h)
    left, top = max(0.0, x - room), max(0.0, y - room)
    right, bottom = min(float(width), x + w + room), min(float(height), y + h + room)
    if right <= left or bottom <= top:
        return None
    return f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}", width, height


def action_name(action: str | None) -> str:
    """An answer, by its name."""
    return {"approve": _("approve"), "reject": _("reject"), "ask_retake": _("ask for a photo again")}.get(action or "", "–")
