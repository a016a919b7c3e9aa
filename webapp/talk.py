"""What both ends of a conversation have in common: a message as a form sends it, and its photo as an answer."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Any, NoReturn
from uuid import UUID, uuid4

from flask import abort, make_response, request
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.exceptions import ServiceUnavailable

from cases.conversations import MOST_LETTERS
from verification import images
from webapp.http import UPLOAD_BYTES
from webapp.logs import log

SENT = images.Limits(max_side=2000, jpeg_quality=85)
"""Of a photo in a message: print on an A5 page can still be read."""

SMALL_SIDE = 320
"""Pixels of the small copy in the thread; twice the width it is shown at."""

_line = BoundedSemaphore(1)
"""One photo of a message at a time in this process: they must not hold up those of the requests themselves."""


def message_id() -> UUID:
    """The number drawn with the form, so that a second click is the same message. A form without one gets a fresh one."""
    try:
        return UUID(request.form.get("message", ""))
    except ValueError:
        return uuid4()


def sent_photo() -> bytes | None:
    """The clean copy of the photo sent with a message, made in the sandbox; None where none was. Raises ImageRejected."""
    upload = next((f for f in request.files.getlist("photo") if f.filename), None)
    if upload is None:
        return None
    return clean_photo(images.read_upload(upload.stream, max_bytes=UPLOAD_BYTES), limits=SENT)


def clean_photo(data: bytes, *, limits: images.Limits) -> bytes:
    """A clean JPEG made in the sandbox, one at a time. Raises ImageRejected, ServiceUnavailable."""
    if not _line.acquire(timeout=10):
        raise ServiceUnavailable(retry_after=5)
    try:
        return images.normalise(data, limits=limits)
    finally:
        _line.release()


def too_long() -> str:
    """Why a text is not taken."""
    return str(ngettext("That is too long: at most %(num)s letter.", "That is too long: at most %(num)s letters.", MOST_LETTERS))


def too_many() -> str:
    """Why no further message is taken from this side."""
    return str(_("This conversation is full: no further message fits."))


def broken(kind: str, number: UUID) -> NoReturn:
    """Answer 410 for a picture that is there but does not open: an operator has to know, the reader can only go without."""
    log.error("photo_broken", id=str(number), kind=kind)
    abort(410)


def small(jpeg: bytes) -> bytes:
    """A small copy of our own clean JPEG: no stranger's bytes are decoded here."""
    pixels = images.decode(jpeg, limits=images.Limits(max_side=SMALL_SIDE, min_side=1), isolate=False)
    return images.encode_jpeg(pixels, quality=80)


def picture(jpeg: bytes) -> Any:
    """A picture as an answer; `http` keeps every cache from it."""
    response = make_response(jpeg)
    response.mimetype = "image/jpeg"
    response.headers["Content-Disposition"] = "inline"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
