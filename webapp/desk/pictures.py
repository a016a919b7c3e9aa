"""Photos, to who may see them. Every look is an event of the trail, written before anything is shown."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask import Response, abort
from flask.typing import ResponseReturnValue

from cases import audit, photo_store
from cases.models import Case, Photo
from webapp.context import database, now
from webapp.desk.surface import desk
from webapp.security import may, needs, row, signed_in
from webapp.talk import broken


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
            if not may_see_photos(found, moment):
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


def may_see_photos(found: Case, moment: datetime) -> bool:
    me = signed_in()
    if me is None or not may("see_photos"):
        return False
    holds = found.owner_id == me.id and found.owner_until is not None and found.owner_until > moment
    return holds or may("settle_disputes")
