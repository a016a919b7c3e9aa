"""Photos: how to take one, whether it will do, and a small copy of what was sent.

A photo comes in two ways that end in one: `PUT` from upload.js, as often as it takes until the answer arrives, and a plain form
for pages without script. What becomes of it is decided and remembered by `cases.uploads`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from base64 import b64decode
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID, uuid4

from flask import Response, abort, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable, TooManyRequests

from cases import throttles, uploads
from cases.lifecycle import IllegalTransition, State
from cases.models import Case
from verification import images, quality
from verification.reasons import PhotoKind, ReasonCode
from webapp.context import database, now, settings
from webapp.http import UPLOAD_BYTES, error_texts, takes_photos
from webapp.logs import log
from webapp.portal import kept
from webapp.portal.entrance import customer_owns_case, own_case, too_many_requests
from webapp.portal.status import count_look, hidden, told
from webapp.portal.steps import asks_for_turn, may_change, own_photo, photos_of, place, portal, wanted_photos

UPLOADS_AN_HOUR = 40
"""Per customer (facts/reliability.md 3 no. 21)."""

PHOTOS_AT_ONCE = 2
"""Photos this process has in memory and in the sandbox at a time; others wait in line, then get 503."""

THUMBNAIL_WIDTH, THUMBNAIL_QUALITY = 320, 50
"""Pixels, twice the width it is shown at on a phone, and of the JPEG: some 8 kB. Its height is three quarters, as on the page."""

MOMENTARY = ReasonCode.IMAGE_TOO_SLOW
"""Says as much of this machine's load as of the file: the same bytes may do in a minute, so this answer is not remembered."""

SHA256 = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([^:]*):")
"""The member of a `Content-Digest` or `Repr-Digest` that is looked at (RFC 9530, section 2; RFC 8941, section 3.3.5)."""

MARK_DIGITS = 12
"""Of a mark of an account, in hex: two customers of one shared computer have the same one in 2^48."""

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
    answer = None
    if request.method == "POST":
        file = next((f for f in request.files.getlist("photo") if f.filename), None)
        try:
            if file is None:
                raise images.ImageRejected(ReasonCode.IMAGE_EMPTY)
            data = images.read_upload(file.stream, max_bytes=UPLOAD_BYTES)
        except images.ImageRejected as rejected:
            _count_try()
            answer = _refused_unread(case_id, wanted, rejected.reason)
        else:
            try:
                answer = _receive(case_id, wanted, uuid4(), data, insists="anyway" in request.form)
            except IllegalTransition:
                abort(409)
        if answer.kept:
            return redirect(_after_photo(case_id, wanted, turn="turn" in request.form), 303)
    return _page(case_id, wanted, answer)


@portal.put("/requests/<uuid:case_id>/photos/<any(document, selfie):kind>/<uuid:upload_id>")
@takes_photos
@customer_owns_case
def keep_upload(case_id: UUID, kind: str, upload_id: UUID) -> Any:
    """Keep the photo in the body, or say why not; sent again under its number, it is kept once and answered alike.

    200 kept, 422 or 413 refused, 409 the request has moved on or the number was another photo's, 400 with `again` not whole,
    429 and 503 later. `next` is where she goes on, `findings` what she is told.
    """
    wanted = PhotoKind(kind)
    try:
        data = images.read_upload(request.stream, max_bytes=UPLOAD_BYTES)
    except images.ImageRejected as rejected:
        try:
            _count_try()
        except TooManyRequests as error:
            return _later(error)
        return _told(case_id, wanted, _refused_unread(case_id, wanted, rejected.reason))
    if not _is_whole(data):
        log.info("upload_not_whole", case=str(case_id), kind=kind)
        return jsonify(again=True, problem=_("The photo did not arrive whole. We are sending it again.")), 400
    try:
        answer = _receive(case_id, wanted, upload_id, data, insists="anyway" in request.args)
    except (TooManyRequests, ServiceUnavailable) as error:
        return _later(error)
    except uploads.UploadDiffers:
        log.info("upload_differs", case=str(case_id), kind=kind)
        return jsonify(again=True, problem=error_texts(409)[1]), 409
    except IllegalTransition:
        with database().reading() as db:
            return jsonify(next=place(db, own_case(db, case_id)), problem=error_texts(409)[1]), 409
    if answer.kept:
        return jsonify(next=_after_photo(case_id, wanted, turn="turn" in request.args))
    return _told(case_id, wanted, answer)


def _receive(case_id: UUID, kind: PhotoKind, upload_id: UUID, data: bytes, *, insists: bool) -> uploads.Answer:
    """Look at an upload and have it kept or refused, whichever way it came.

    Raises IllegalTransition, uploads.UploadDiffers, TooManyRequests, ServiceUnavailable.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    with database().reading() as db:
        case = own_case(db, case_id)
        before = uploads.known(db, case.id, upload_id, kind, sha256=sha256)
        if before is not None:
            return before
        insists = insists and uploads.may_insist(db, case, kind)
        refused = None if insists else uploads.refused_already(db, case, kind, sha256=sha256)
    _count_try()
    look: uploads.Look | None = None
    problems: tuple[ReasonCode, ...]
    if refused is not None:
        look, problems = None, refused
    else:
        look, problems = _look(data, kind, specimens=case.trial)
        if problems == (MOMENTARY,):
            return _refused_unread(case_id, kind, MOMENTARY)
    with database().transaction() as db:
        answer = uploads.settle(
            db,
            own_case(db, case_id).id,
            upload_id,
            kind,
            sha256=sha256,
            look=look,
            problems=problems,
            near=uploads.NO_TWO if case.trial else quality.SAME_PHOTO,
            insists=insists,
            now=now(),
        )
    if answer.kept:
        kept.photo_taken(case_id, kind)
    else:
        log.info("photo_refused", case=str(case_id), kind=kind.value, codes=[p.value for p in answer.problems])
    return answer


def _look(data: bytes, kind: PhotoKind, *, specimens: bool) -> tuple[uploads.Look | None, tuple[ReasonCode, ...]]:
    """Decode and measure in the sandbox, a few at a time. Raises ServiceUnavailable where the line is too long."""
    if not _line.acquire(timeout=10):
        raise ServiceUnavailable(retry_after=5)
    try:
        clean, measured, fingerprint = images.look_at_file(data, kind, specimens=specimens)
    except images.ImageRejected as rejected:
        return None, (rejected.reason,)
    finally:
        _line.release()
    found = tuple(quality.problems(measured, quality.QualityThresholds(), kind))
    return uploads.Look(clean=clean, quality=measured, fingerprint=fingerprint), found


def _refused_unread(case_id: UUID, kind: PhotoKind, reason: ReasonCode) -> uploads.Answer:
    """A refusal that is not remembered: of no bytes, of too many, or of this moment."""
    log.info("photo_refused", case=str(case_id), kind=kind.value, codes=[reason.value])
    return uploads.Answer(kept=False, problems=(reason,))


def _count_try() -> None:
    """Count one upload of this customer. Raises TooManyRequests."""
    with database().transaction() as db:
        allowed = throttles.hit(db, "upload", str(g.customer_id), limit=UPLOADS_AN_HOUR, window=timedelta(hours=1), now=now())
    if not allowed:
        log.info("throttled", kind="upload", customer=str(g.customer_id))
        too_many_requests(timedelta(minutes=15))


def _is_whole(data: bytes) -> bool:
    """Whether the body is what its digest says. True where the phone sent none: on plain http browsers cannot make one."""
    for header in ("Content-Digest", "Repr-Digest"):
        for told_digest in SHA256.findall(request.headers.get(header, "")):
            try:
                wanted = b64decode(told_digest, validate=True)
            except binascii.Error:
                return False
            if not hmac.compare_digest(wanted, hashlib.sha256(data).digest()):
                return False
    return True


def _page(case_id: UUID, kind: PhotoKind, answer: uploads.Answer | None) -> tuple[str, int]:
    """The page of this photo, with what was wrong with the one just sent."""
    with database().reading() as db:
        case = own_case(db, case_id)
        there = photos_of(db, case).get(kind)
        anyway = answer.may_insist if answer else uploads.may_insist(db, case, kind)
    page = render_template("portal/photo.html", kind=kind, case=case, there=there, anyway=anyway, **_findings(case, kind, answer))
    return page, _status(answer)


def _told(case_id: UUID, kind: PhotoKind, answer: uploads.Answer) -> tuple[Response, int]:
    """The same for upload.js, which puts it into the page that is there."""
    with database().reading() as db:
        case = own_case(db, case_id)
    return jsonify(
        findings=render_template("portal/_findings.html", **_findings(case, kind, answer)),
        anyway=render_template("portal/_anyway.html") if answer.may_insist else "",
        attention=_("Attention") + ": ",
    ), _status(answer)


def _findings(case: Case, kind: PhotoKind, answer: uploads.Answer | None) -> dict[str, Any]:
    again = told(case, kind) if case.state is State.NEEDS_RETAKE and kind.value in case.retake else []
    problems, same = (answer.problems, answer.same) if answer else ((), False)
    return {"problems": problems, "same": same, "again": again, "hidden": hidden(case.id, again)}


def _status(answer: uploads.Answer | None) -> int:
    if answer is None:
        return 200
    return 413 if ReasonCode.IMAGE_TOO_LARGE in answer.problems else 422


def _later(error: TooManyRequests | ServiceUnavailable) -> tuple[Response, int, dict[str, str]]:
    """Say in words that it has to wait, and how many seconds."""
    status = error.code or 503
    return jsonify(problem=error_texts(status)[1]), status, {"Retry-After": str(error.retry_after or 5)}


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
    view = request.endpoint
    if view not in ("portal.photo", "portal.keep_upload") or g.get("customer_id") is None or request.view_args is None:
        return error
    kind, case_id = PhotoKind(request.view_args["kind"]), request.view_args["case_id"]
    answer = _refused_unread(case_id, kind, ReasonCode.IMAGE_TOO_LARGE)
    return _told(case_id, kind, answer) if view == "portal.keep_upload" else _page(case_id, kind, answer)


@portal.get("/requests/<uuid:case_id>/photos/<any(document, selfie):kind>/view")
@customer_owns_case
def thumbnail(case_id: UUID, kind: str) -> Any:
    """A small copy of her own photo, so that she sees what she sends. Each look is an event."""
    count_look()
    with database().transaction() as db:
        case = own_case(db, case_id)
        there = photos_of(db, case).get(PhotoKind(kind))
        if there is None:
            abort(404)
        data = own_photo(db, there, purpose="own_photo")
    # The stored file is our own clean JPEG, written by the sandbox: no stranger's bytes are decoded here.
    wide, tall = there.quality.get("width") or 4, there.quality.get("height") or 3
    side = round(THUMBNAIL_WIDTH * max(wide, tall) / min(wide, tall * 4 / 3))
    small = images.decode(data, limits=images.Limits(max_side=side, min_side=1), isolate=False)
    response = make_response(images.encode_jpeg(_middle(small), quality=THUMBNAIL_QUALITY))
    response.mimetype = "image/jpeg"
    response.headers["Content-Disposition"] = "inline"
    return response


@portal.app_template_global("account_mark")
def account_mark() -> str:
    """What a browser remembers beside a photo that waits there, to tell one account from another: nobody's number elsewhere."""
    secret = settings().secret_key.encode()
    return hmac.new(secret, b"account mark\0" + g.customer_id.bytes, hashlib.sha256).hexdigest()[:MARK_DIGITS]


def _middle(photo: images.Pixels) -> images.Pixels:
    """What the page shows of a photo: its middle, 4:3."""
    tall, wide = photo.shape[:2]
    width, height = min(wide, tall * 4 // 3), min(tall, wide * 3 // 4)
    left, top = (wide - width) // 2, (tall - height) // 2
    return photo[top : top + height, left : left + width]
