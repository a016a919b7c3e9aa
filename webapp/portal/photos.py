"""Photos: how to take one, whether it will do, and a small copy of what was sent."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from flask import abort, g, make_response, redirect, render_template, request, session, url_for
from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from cases import audit, intake, photo_store, throttles
from cases.lifecycle import IllegalTransition, State
from cases.models import Customer
from verification import images, quality
from verification.evidence import Quality
from verification.reasons import PhotoKind, ReasonCode
from webapp.context import database, now
from webapp.http import UPLOAD_BYTES, drain, takes_photos
from webapp.logs import log
from webapp.portal.entrance import customer_owns_case, own_case, too_many_requests
from webapp.portal.status import hidden, told
from webapp.portal.steps import asks_for_turn, may_change, photos_of, place, portal, wanted_photos

UPLOADS_AN_HOUR = 40
"""Per customer (facts/reliability.md 3 no. 21)."""

REFUSALS_BEFORE_ANYWAY = 2
"""After so many refusals of one photo the customer may send the next as it is; a person will look."""

PHOTOS_AT_ONCE = 2
"""Photos this process has in memory and in the sandbox at a time; others wait in line, then get 503."""

THUMBNAIL_SIDE = 640
"""Pixels; twice the width it is shown at on a phone."""

_line = BoundedSemaphore(PHOTOS_AT_ONCE)


@portal.route("/requests/<uuid:case_id>/photos/<any(document, selfie):kind>", methods=["GET", "POST"])
@takes_photos
@customer_owns_case
def photo(case_id: UUID, kind: str) -> Any:
    """Show how to take a photo; keep the one that is sent, or say at once why it must be taken again."""
    wanted = PhotoKind(kind)
    with database().reading() as db:
        case = own_case(db, case_id)
        if not may_change(case):
            return redirect(place(db, case), 303)
        there = photos_of(db, case).get(wanted)
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
        hidden=hidden(case_id, again),
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
        wanted = wanted_photos(case, photos_of(db, case))
        turn = turn and kind is PhotoKind.SELFIE and asks_for_turn(db, case)
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
        there = photos_of(db, case).get(kind)
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
        there = photos_of(db, case).get(PhotoKind(kind))
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
