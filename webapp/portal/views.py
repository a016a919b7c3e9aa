"""The steps of a request and its status page. A view translates HTTP; `cases` decides.

Every step is saved on the server before the next one is shown, each POST ends in a redirect, and a step that was
already made is met with the page that says how things stand: back, reload and a second click do no harm.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, g, jsonify, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from cases import audit, customers, head_turns, intake, photo_store, policies, queries, throttles
from cases.lifecycle import CLOSED, IllegalTransition, State
from cases.models import Case, Customer, Photo
from verification import images, quality
from verification.challenge import MAX_CAMERA_NAME, MAX_FRAME_BYTES, MAX_FRAMES, BurstRejected
from verification.evidence import ChangeReason, Claim, Field, Measures, Profile, Quality, Side, Values
from verification.reasons import RETAKE, PhotoKind, ReasonCode
from webapp.context import database, now, settings
from webapp.http import UPLOAD_BYTES, drain, takes_photos
from webapp.i18n import locale, sentence
from webapp.logs import log
from webapp.portal import forms, letters
from webapp.portal.entrance import customer_owns_case, own_case, refused_link, signed_in, too_many_requests
from workers.queues import RingFailed, ring_verify

CONSENT_VERSION = "2026-11b"
"""Of the text in templates/portal/_consent.html; a change of that text needs a new one."""

CASES_A_DAY = 5
UPLOADS_AN_HOUR = 40
TURNS_AN_HOUR = 6
"""Per customer (facts/reliability.md 3 no. 21)."""

REFUSALS_BEFORE_ANYWAY = 2
"""After so many refusals of one photo the customer may send the next as it is; a person will look."""

PHOTOS_AT_ONCE = 2
"""Photos this process has in memory and in the sandbox at a time; others wait in line, then get 503."""

THUMBNAIL_SIDE = 640
"""Pixels; twice the width it is shown at on a phone."""

TAKEN = (PhotoKind.DOCUMENT, PhotoKind.SELFIE)
"""What the customer photographs, in this order."""

_line = BoundedSemaphore(PHOTOS_AT_ONCE)

portal = Blueprint("portal", __name__)


# --- Where she stands


@portal.get("/")
def home() -> Any:
    """Lead to the request that is open, or to the beginning."""
    if g.customer_id is None:
        return redirect(url_for("entrance.door"), 303)
    with database().reading() as db:
        case = _open_case(db)
        if case is not None:
            return redirect(_place(db, case), 303)
        last = db.scalars(select(Case).where(Case.customer_id == g.customer_id).order_by(Case.opened_at.desc()).limit(1)).first()
    return render_template("portal/start.html", last=last, review_hours=settings().review_hours, photo_days=settings().photo_days)


def _open_case(db: Session) -> Case | None:
    return db.scalars(select(Case).where(Case.customer_id == g.customer_id, Case.closed_at.is_(None))).first()


def _photos(db: Session, case: Case) -> dict[PhotoKind, Photo]:
    """The current photo of each kind."""
    return {p.kind: p for p in db.scalars(select(Photo).where(Photo.case_id == case.id, Photo.current))}


def _wanted(case: Case, photos: dict[PhotoKind, Photo]) -> list[PhotoKind]:
    """The photos still to be taken: those missing, and in a retake those asked for and not yet taken anew."""
    again = {PhotoKind(kind) for kind in case.retake} if case.state is State.NEEDS_RETAKE else set()
    return [kind for kind in TAKEN if kind not in photos or (kind in again and photos[kind].attempt != 0)]


def _place(db: Session, case: Case) -> str:
    """The address where she goes on."""
    if case.state is State.DRAFT:
        wanted = _wanted(case, _photos(db, case))
        if wanted:
            return url_for("portal.photo", case_id=case.id, kind=wanted[0])
        return url_for("portal.check", case_id=case.id)
    return url_for("portal.status", case_id=case.id)


def _may_change(case: Case) -> bool:
    """Whether answers and photos may still be changed."""
    return case.state in (State.DRAFT, State.NEEDS_RETAKE)


# --- What changed, and why


@portal.route("/request/reason", methods=["GET", "POST"], defaults={"case_id": None})
@portal.route("/requests/<uuid:case_id>/reason", methods=["GET", "POST"])
@signed_in
def reason(case_id: UUID | None) -> Any:
    """Ask why the details change and which passport will be photographed."""
    with database().reading() as db:
        case = own_case(db, case_id) if case_id else _open_case(db)
        if case is not None and not _may_change(case):
            return redirect(_place(db, case), 303)
        profile, _email = customers.current_profile(db, db.get_one(Customer, g.customer_id))
        chosen = _plan(db, case, profile)
    problems: dict[str, str] = {}
    if request.method == "POST":
        chosen = {"reason": request.form.get("reason"), "paper": request.form.get("paper")}
        if chosen["reason"] not in list(ChangeReason):
            problems["reason-marriage"] = _("Choose what has changed")
        if chosen["paper"] not in list(forms.Paper):
            problems["paper-ru_internal"] = _("Choose the passport you will photograph")
        if not problems:
            session["plan"] = {"customer": str(g.customer_id), **chosen}
            return redirect(url_for("portal.details", case_id=case.id if case else None), 303)
    page = render_template(
        "portal/reason.html", problems=problems, chosen=chosen, reasons=forms.REASON_HINTS, papers=forms.PAPER_NAMES, case=case
    )
    return page, 422 if problems else 200


def _plan(db: Session, case: Case | None, profile: Profile) -> dict[str, str | None]:
    """What was chosen on the first page: in this session, else in the case, else guessed from the account."""
    kept = session.get("plan")
    if kept and kept.get("customer") == str(g.customer_id):
        return {"reason": kept.get("reason"), "paper": kept.get("paper")}
    if case is not None:
        claim, _email = intake.claim_of(db, case)
        return {"reason": case.change_reason.value, "paper": forms.paper_of(case.country, claim.values).value}
    nationality = profile.values.get(Field.NATIONALITY)
    return {"reason": None, "paper": forms.paper_of(nationality, profile.values).value if nationality else None}


# --- The new details


@portal.route("/request/details", methods=["GET", "POST"], defaults={"case_id": None})
@portal.route("/requests/<uuid:case_id>/details", methods=["GET", "POST"])
@signed_in
def details(case_id: UUID | None) -> Any:
    """Ask for the new details, the old beside each; keep them in a draft at once."""
    with database().reading() as db:
        case = own_case(db, case_id) if case_id else _open_case(db)
        if case is not None and not _may_change(case):
            return redirect(_place(db, case), 303)
        profile, _email = customers.current_profile(db, db.get_one(Customer, g.customer_id))
        plan = _plan(db, case, profile)
        claim, new_email = intake.claim_of(db, case) if case else (None, None)
    if plan["reason"] not in list(ChangeReason) or plan["paper"] not in list(forms.Paper):
        return redirect(url_for("portal.reason", case_id=case.id if case else None), 303)
    why, paper = ChangeReason(plan["reason"]), forms.Paper(plan["paper"])
    questions = forms.asked(why, paper)
    asks_email = why is not ChangeReason.NEW_PASSPORT
    if request.method == "POST":
        answers = forms.read_answers(request.form, questions, on=now().date(), ask_email=asks_email)
        problems = dict(answers.problems)
        if not problems:
            new = Claim(reason=why, values=answers.values)
            try:
                return redirect(_keep_claim(case, new, forms.COUNTRY[paper], answers.email), 303)
            except intake.NothingChanges:
                problems[forms.names_inputs(questions[0].field)[0]] = _("This is what we hold already: nothing would change")
        typed, code = answers.typed, 422
    else:
        problems, code = {}, 200
        typed = forms.prefill(questions, claim.values if claim else _unchanged(why, questions, profile), new_email)
    page = render_template(
        "portal/details.html",
        problems=problems,
        questions=questions,
        typed=typed,
        old=profile.values,
        paper=paper,
        case=case,
        inputs=forms.names_inputs,
        ask_email=asks_email,
    )
    return page, code


def _unchanged(why: ChangeReason, questions: tuple[forms.Asked, ...], profile: Profile) -> Values:
    """What we may fill in for her: details that usually stay, in the letters the passport uses."""
    if why in (ChangeReason.MARRIAGE, ChangeReason.DIVORCE, ChangeReason.NEW_PASSPORT):
        return {}
    stays = {Field.GIVEN_NAMES, Field.PATRONYMIC, Field.GIVEN_NAMES_NATIVE, Field.DATE_OF_BIRTH}
    if why is ChangeReason.MISTAKE:
        stays |= set(Field)
    return {
        q.field: profile.values[q.field]
        for q in questions
        if q.field in stays
        and q.field in profile.values
        and (q.script is None or all(forms.script_of(c) is q.script for c in profile.values[q.field] if c.isalpha()))
    }


def _keep_claim(case: Case | None, claim: Claim, country: str | None, email: str | None) -> str:
    """Open a draft, or amend the one that is open. Returns where to go on. Raises NothingChanges."""
    moment = now()
    if case is None:
        with database().transaction() as db:
            allowed = throttles.hit(db, "open_case", str(g.customer_id), limit=CASES_A_DAY, window=timedelta(days=1), now=moment)
        if not allowed:
            log.info("throttled", kind="open_case", customer=str(g.customer_id))
            too_many_requests(timedelta(hours=1))
    with database().transaction() as db:
        if case is None:
            try:
                customer = db.get_one(Customer, g.customer_id)
                made = intake.open_case(db, customer, claim, country=country, new_email=email, locale=locale(), now=moment)
            except intake.AlreadyOpen as already:  # a second click, or a second device
                made = intake.amend(db, already.case_id, claim, country=country, new_email=email, now=moment)
        else:
            made = intake.amend(db, own_case(db, case.id).id, claim, country=country, new_email=email, now=moment)
        wanted = _wanted(made, _photos(db, made))
        address = url_for("portal.photo", case_id=made.id, kind=wanted[0]) if wanted else url_for("portal.check", case_id=made.id)
    session.pop("plan", None)
    return address


# --- The photos


@portal.route("/requests/<uuid:case_id>/photos/<any(document, selfie):kind>", methods=["GET", "POST"])
@takes_photos
@customer_owns_case
def photo(case_id: UUID, kind: str) -> Any:
    """Show how to take a photo; keep the one that is sent, or say at once why it must be taken again."""
    wanted = PhotoKind(kind)
    with database().reading() as db:
        case = own_case(db, case_id)
        if not _may_change(case):
            return redirect(_place(db, case), 303)
        there = _photos(db, case).get(wanted)
    problems: tuple[ReasonCode, ...] = ()
    same = False
    if request.method == "POST":
        with database().transaction() as db:
            allowed = throttles.hit(db, "upload", str(g.customer_id), limit=UPLOADS_AN_HOUR, window=timedelta(hours=1), now=now())
        if not allowed:
            log.info("throttled", kind="upload", customer=str(g.customer_id))
            too_many_requests(timedelta(minutes=15))
        problems, same = _take(case_id, wanted)
        if not problems:
            return redirect(_after_photo(case_id, wanted, turn="turn" in request.form), 303)
    again = told(case, wanted) if case.state is State.NEEDS_RETAKE and wanted.value in case.retake else []
    page = render_template(
        "portal/photo.html",
        kind=wanted,
        case=case,
        problems=problems,
        same=same,
        there=there,
        again=again,
        hidden=_hidden(case_id, again),
        anyway=_refusals(case_id, wanted)[0] >= REFUSALS_BEFORE_ANYWAY,
        is_file=not any(p.value.startswith("image_") for p in problems),
    )
    return page, 422 if problems else 200


def _take(case_id: UUID, kind: PhotoKind) -> tuple[tuple[ReasonCode, ...], bool]:
    """Check and keep the uploaded file. Returns what is wrong with it, and whether it is the one refused before."""
    upload = next((f for f in request.files.getlist("photo") if f.filename), None)
    if not _line.acquire(timeout=10):
        raise ServiceUnavailable(retry_after=5)
    try:
        try:
            if upload is None:
                raise images.ImageRejected(ReasonCode.IMAGE_EMPTY)
            data = images.read_upload(upload.stream, max_bytes=UPLOAD_BYTES)
            clean, measured = images.measure_file(data, kind)
        except images.ImageRejected as rejected:
            log.info("photo_refused", case=str(case_id), kind=kind.value, codes=[rejected.reason.value])
            return (rejected.reason,), False
        found = tuple(quality.problems(measured, quality.QualityThresholds(), kind))
        count, last = _refusals(case_id, kind)
        fingerprint = hashlib.sha256(data).hexdigest()[:16]
        if found and not (request.form.get("anyway") and count >= REFUSALS_BEFORE_ANYWAY):
            same = fingerprint == last
            session["refused"] = {_refusal_key(case_id, kind): [count + 1, fingerprint]}
            log.info("photo_refused", case=str(case_id), kind=kind.value, codes=[p.value for p in found])
            return found, same
        _keep_photo(case_id, kind, clean, measured, found)
        session.pop("refused", None)
        return (), False
    finally:
        _line.release()


def _keep_photo(case_id: UUID, kind: PhotoKind, clean: bytes, measured: Quality, despite: tuple[ReasonCode, ...]) -> None:
    try:
        with database().transaction() as db:
            intake.attach_photo(db, own_case(db, case_id).id, kind, clean, measured, accepted_despite=despite, now=now())
    except IllegalTransition:
        abort(409)


def _refusal_key(case_id: UUID, kind: PhotoKind) -> str:
    return f"{case_id.hex[:12]}-{kind.value}"


def _refusals(case_id: UUID, kind: PhotoKind) -> tuple[int, str]:
    """How often this photo was refused in this session, and the fingerprint of the last one."""
    count, fingerprint = session.get("refused", {}).get(_refusal_key(case_id, kind), (0, ""))
    return count, fingerprint


def _after_photo(case_id: UUID, kind: PhotoKind, *, turn: bool) -> str:
    """The next photo that is wanted, else the page of answers.

    After a selfie the turn of the head, where the policy asks for it with this change and a camera was found. Nobody else is led
    there: pictures that nothing asks for are not collected.
    """
    with database().reading() as db:
        case = own_case(db, case_id)
        wanted = _wanted(case, _photos(db, case))
        turn = turn and kind is PhotoKind.SELFIE and _asks_for_turn(db, case)
    if wanted:
        return url_for("portal.photo", case_id=case_id, kind=wanted[0])
    if turn:
        return url_for("portal.turn", case_id=case_id)
    return url_for("portal.check", case_id=case_id)


@portal.errorhandler(RequestEntityTooLarge)
def too_large(error: RequestEntityTooLarge) -> Any:
    """A photo over the cap is told on the page of the photo itself, like every other problem with it."""
    if request.endpoint != "portal.photo" or g.get("customer_id") is None or request.view_args is None:
        return error
    drain()
    kind, case_id = PhotoKind(request.view_args["kind"]), request.view_args["case_id"]
    with database().reading() as db:
        case = own_case(db, case_id)
        there = _photos(db, case).get(kind)
    page = render_template(
        "portal/photo.html",
        kind=kind,
        case=case,
        problems=(ReasonCode.IMAGE_TOO_LARGE,),
        same=False,
        there=there,
        again=[],
        hidden={},
        anyway=False,
        is_file=False,
    )
    return page, 413


@portal.get("/requests/<uuid:case_id>/photos/<any(document, selfie):kind>/view")
@customer_owns_case
def thumbnail(case_id: UUID, kind: str) -> Any:
    """A small copy of her own photo, so that she sees what she sends. Each look is an event."""
    with database().transaction() as db:
        case = own_case(db, case_id)
        there = _photos(db, case).get(PhotoKind(kind))
        if there is None:
            abort(404)
        viewer = audit.Actor.customer(db.get_one(Customer, g.customer_id))
        try:
            data = photo_store.open_photo(db, there.id, viewer=viewer, purpose="own_photo", now=now())
        except photo_store.PhotoGone:
            abort(404)
    # The stored file is our own clean JPEG, written by the sandbox: no stranger's bytes are decoded here.
    small = images.decode(data, limits=images.Limits(max_side=THUMBNAIL_SIDE), isolate=False)
    response = make_response(images.encode_jpeg(small, quality=80))
    response.mimetype = "image/jpeg"
    response.headers["Content-Disposition"] = "inline"
    return response


# --- The turn of the head


def _asks_for_turn(db: Session, case: Case) -> bool:
    """Whether the policy that holds asks for a turn of the head with this change."""
    return case.change_reason.value in policies.current(db).require_liveness_for


@portal.get("/requests/<uuid:case_id>/turn")
@customer_owns_case
def turn(case_id: UUID) -> Any:
    """Ask for a turn of the head before the camera. May always be left out; nothing later depends on it."""
    with database().reading() as db:
        case = own_case(db, case_id)
        if not _may_change(case):
            return redirect(_place(db, case), 303)
        asked = _asks_for_turn(db, case)
        done = head_turns.latest(db, case) is not None
    return render_template("portal/turn.html", case=case, asked=asked, done=done)


@portal.post("/requests/<uuid:case_id>/turn/draw")
@customer_owns_case
def draw_turn(case_id: UUID) -> Any:
    """Draw the order of the turns, for turn.js: it holds for two minutes and for one answer."""
    with database().transaction() as db:
        allowed = throttles.hit(db, "head_turn", str(g.customer_id), limit=TURNS_AN_HOUR, window=timedelta(hours=1), now=now())
    if not allowed:
        log.info("throttled", kind="head_turn", customer=str(g.customer_id))
        too_many_requests(timedelta(minutes=15))
    try:
        with database().transaction() as db:
            drawn = head_turns.draw(db, own_case(db, case_id).id, now=now())
            return jsonify(challenge=str(drawn.id), turns=drawn.turns)
    except IllegalTransition:
        abort(409)


@portal.post("/requests/<uuid:case_id>/turn")
@takes_photos
@customer_owns_case
def keep_turn(case_id: UUID) -> Any:
    """Keep the frames that answer a challenge, or say in words why not. Sent twice they are kept once."""
    try:
        frames = [file.stream.read(MAX_FRAME_BYTES + 1) for file in request.files.getlist("frame")[: MAX_FRAMES + 1]]
        if any(not frame.startswith(b"\xff\xd8\xff") for frame in frames):
            raise BurstRejected("a frame is no JPEG")
        challenge, times, steps = _told_of_frames()
        with database().transaction() as db:
            head_turns.answer(
                db,
                own_case(db, case_id).id,
                challenge,
                frames=tuple(frames),
                times=times,
                steps=steps,
                camera=request.form.get("camera", "")[:MAX_CAMERA_NAME],
                now=now(),
            )
    except head_turns.ChallengeRefused as refused:
        log.info("head_turn_refused", case=str(case_id), codes=[refused.why])
        return jsonify(problem=_("That took too long. You can try again, or go on without this step.")), 409
    except BurstRejected:
        log.info("head_turn_refused", case=str(case_id), codes=["malformed"])
        return jsonify(problem=_("The pictures did not arrive whole. You can try again, or go on without this step.")), 422
    except IllegalTransition:
        pass  # sent already, perhaps on another device: the next page says how it stands
    return jsonify(next=url_for("portal.check", case_id=case_id))


def _told_of_frames() -> tuple[UUID, tuple[float, ...], tuple[int, ...]]:
    """The challenge's number, and time and step of each frame, as the browser tells them. Raises BurstRejected."""
    try:
        times, steps = (json.loads(request.form[name]) for name in ("times", "steps"))
        return UUID(request.form["challenge"]), tuple(float(t) for t in times), tuple(int(step) for step in steps)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise BurstRejected("times, steps or challenge cannot be read") from None


# --- Checking the answers, and sending


@portal.get("/requests/<uuid:case_id>/check")
@customer_owns_case
def check(case_id: UUID) -> Any:
    """Everything she is about to send, with a way to change each part."""
    return _check_page(case_id, {})


def _check_page(case_id: UUID, problems: dict[str, str]) -> Any:
    with database().reading() as db:
        case = own_case(db, case_id)
        if not _may_change(case):
            return redirect(_place(db, case), 303)
        photos = _photos(db, case)
        wanted = _wanted(case, photos)
        if wanted:
            return redirect(url_for("portal.photo", case_id=case_id, kind=wanted[0]), 303)
        profile, _email = customers.current_profile(db, db.get_one(Customer, g.customer_id))
        claim, new_email = intake.claim_of(db, case)
        turned = head_turns.latest(db, case) is not None
        asked = _asks_for_turn(db, case)
    rows = [(field, profile.values.get(field), value) for field, value in claim.values.items()]
    page = render_template(
        "portal/check.html",
        case=case,
        claim=claim,
        rows=rows,
        new_email=new_email,
        photos=photos,
        turned=turned,
        asked=asked,
        problems=problems,
        consent_version=CONSENT_VERSION,
        photo_days=settings().photo_days,
    )
    return page, 422 if problems else 200


@portal.post("/requests/<uuid:case_id>/check")
@customer_owns_case
def send(case_id: UUID) -> Any:
    """Send the request. A second click finds it sent."""
    if request.form.get("consent") != CONSENT_VERSION:
        return _check_page(case_id, {"consent": _("Tick the box: without your agreement we may not compare the photos")})
    try:
        with database().transaction() as db:
            intake.submit(db, own_case(db, case_id).id, consent_version=CONSENT_VERSION, now=now())
    except IllegalTransition:
        return redirect(url_for("portal.status", case_id=case_id), 303)
    except intake.Incomplete:
        return redirect(url_for("portal.check", case_id=case_id), 303)
    _ring(case_id)
    return redirect(url_for("portal.status", case_id=case_id), 303)


def _ring(case_id: UUID) -> None:
    """Wake a worker. If that fails nothing is lost: upkeep rings for every case that waits."""
    try:
        ring_verify(case_id)
    except RingFailed as error:
        log.warning("ring_failed", case=str(case_id), error=str(error))


@portal.route("/requests/<uuid:case_id>/person", methods=["GET", "POST"])
@customer_owns_case
def person(case_id: UUID) -> Any:
    """Ask a person to take over, with what is there."""
    problems: dict[str, str] = {}
    if request.method == "POST":
        if request.form.get("consent") != CONSENT_VERSION:
            problems["consent"] = _("Tick the box: without your agreement we may not look at the photos")
        else:
            try:
                with database().transaction() as db:
                    intake.ask_for_person(db, own_case(db, case_id).id, consent_version=CONSENT_VERSION, now=now())
            except IllegalTransition:
                pass  # somebody or something was first; the status page says how it stands
            return redirect(url_for("portal.status", case_id=case_id), 303)
    with database().reading() as db:
        case = own_case(db, case_id)
        if case.state not in (State.DRAFT, State.NEEDS_RETAKE, State.SUBMITTED):
            return redirect(_place(db, case), 303)
        photos = _photos(db, case)
    page = render_template(
        "portal/person.html",
        case=case,
        photos=photos,
        problems=problems,
        consent_version=CONSENT_VERSION,
        review_hours=settings().review_hours,
        photo_days=settings().photo_days,
    )
    return page, 422 if problems else 200


@portal.route("/requests/<uuid:case_id>/withdraw", methods=["GET", "POST"])
@customer_owns_case
def withdraw(case_id: UUID) -> Any:
    """Take the request back, after one question."""
    if request.method == "POST":
        try:
            with database().transaction() as db:
                intake.withdraw(db, own_case(db, case_id).id, now=now())
        except IllegalTransition:
            flash(_("It was too late to withdraw: your request has been answered."))
        return redirect(url_for("portal.status", case_id=case_id), 303)
    with database().reading() as db:
        case = own_case(db, case_id)
        if case.state in CLOSED:
            return redirect(_place(db, case), 303)
    return render_template("portal/withdraw.html", case=case)


# --- How it stands


HERS_TO_MEND = frozenset(RETAKE) | {
    ReasonCode.SURNAME_DIFFERS,
    ReasonCode.GIVEN_NAMES_DIFFER,
    ReasonCode.PATRONYMIC_DIFFERS,
    ReasonCode.DATE_OF_BIRTH_DIFFERS,
    ReasonCode.SEX_DIFFERS,
    ReasonCode.DOCUMENT_NUMBER_DIFFERS,
    ReasonCode.OTHER_FIELD_DIFFERS,
}
"""What a customer who is asked for a photo can do something about: the photo, and what she typed."""


def told(case: Case, kind: PhotoKind | None = None) -> list[ReasonCode]:
    """The reasons this customer is told, each sentence once; for `kind` those that a new photo of it would mend.

    A reason she is not told (a face, her account) reads "a person needs to look" in `wording`; on a page that asks
    her to do something it would only puzzle, so it is left out. So is what only follows from a bad photo.
    """
    silent = sentence(ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER)
    reasons = [ReasonCode(code) for code in case.reasons if sentence(ReasonCode(code)) != silent]
    if case.state is State.NEEDS_RETAKE:
        reasons = [r for r in reasons if r in HERS_TO_MEND] or reasons
    if kind is not None:
        reasons = [r for r in reasons if kind in RETAKE.get(r, frozenset())]
    shown: dict[str, ReasonCode] = {}
    for reason in reasons:
        shown.setdefault(sentence(reason), reason)
    return list(shown.values())


def covered(measures: Measures | None, reasons: list[ReasonCode]) -> dict[ReasonCode, list[Side | Field]]:
    """Which parts and details of the page something hides, under the reason told for it: names of sides and fields, no values."""
    if measures is None:
        return {}
    found: dict[ReasonCode, list[Side | Field]] = {}
    for reason in reasons:
        fields = [f for f in Field if measures.hidden.get(f) is reason]
        sides = measures.missing if reason is ReasonCode.DOCUMENT_CUT_OFF else ()
        if sides or fields:
            found[reason] = [*sides, *fields]
    return found


def _hidden(case_id: UUID, reasons: list[ReasonCode]) -> dict[ReasonCode, list[Side | Field]]:
    if not reasons:
        return {}
    with database().reading() as db:
        return covered(queries.case_page(db, case_id, now=now()).measures, reasons)


@portal.get("/requests/<uuid:case_id>")
@customer_owns_case
def status(case_id: UUID) -> Any:
    """How the request stands: being checked, to be mended, with a person, or answered."""
    with database().reading() as db:
        case = own_case(db, case_id)
        if case.state is State.DRAFT:
            return redirect(_place(db, case), 303)
        at = queries.progress(db, case_id)
        photos = _photos(db, case)
        wanted = _wanted(case, photos)
        claim, _email = intake.claim_of(db, case) if case.claim_sealed else (None, None)
        compared = case.state in (State.NEEDS_RETAKE, State.IN_REVIEW, State.REJECTED) and claim is not None
        found = queries.case_page(db, case_id, now=now()) if compared else None
    reasons = told(case)
    page = "checking" if case.state in (State.SUBMITTED, State.VERIFYING) else case.state.value
    return render_template(
        f"portal/status_{page}.html",
        case=case,
        progress=at,
        claim=claim,
        wanted=wanted,
        photos=photos,
        reasons=reasons,
        hidden=covered(found.measures, reasons) if found else {},
        differences=letters.differing(found.fields) if found else [],
        review_hours=settings().review_hours,
    )


@portal.get("/requests/<uuid:case_id>/progress.json")
@customer_owns_case
def progress(case_id: UUID) -> Any:
    """What poll.js asks while the page waits: state and version, by ETag."""
    with database().reading() as db:
        own_case(db, case_id)
        at = queries.progress(db, case_id)
    response = jsonify(state=at.state.value, version=at.version, waiting=at.state in (State.SUBMITTED, State.VERIFYING))
    response.set_etag(f"{at.version}-{at.state.value}")
    return response.make_conditional(request)


# --- "This was not me"


@portal.get("/not-me/<token>")
def not_me(token: str) -> Any:
    """Ask once more before anything happens: mail scanners only ever GET."""
    return render_template("portal/not_me.html", token=token, done=None)


@portal.post("/not-me")
def report_not_me() -> Any:
    """File "this was not me": an open request is withdrawn, an applied one goes before a person at once. May be repeated."""
    try:
        with database().transaction() as db:
            link = customers.redeem_link(db, request.form.get("token", ""), "not_me", now=now())
            case = customers.report_not_me(db, link, now=now())
    except (customers.LinkUnknown, customers.LinkExpired) as error:
        refused_link("not_me", error)
        return render_template("portal/link_gone.html", language_next="/"), 410
    log.info("not_me_reported", case=str(case.id), state=case.state.value)
    return render_template("portal/not_me.html", token=None, done=case.state, language_next="/")


# --- Asking again


@portal.post("/requests/<uuid:case_id>/appeal")
@customer_owns_case
def appeal(case_id: UUID) -> Any:
    """Let another person look at a request that was refused."""
    try:
        with database().transaction() as db:
            intake.appeal(db, own_case(db, case_id).id, now=now())
    except intake.AlreadyOpen:
        flash(_("You have another request open. It has to be answered first."))
    except intake.TooLate:
        flash(_("Your photos have been deleted meanwhile. Please start a new request."))
    except IllegalTransition:
        pass  # the status page says how it stands
    return redirect(url_for("portal.status", case_id=case_id), 303)
