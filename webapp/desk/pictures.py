"""Photos, to who may see them: addresses good for a minute, pictures with the viewer's name burned in.

`cases.looks` says who may look, `links` what an address opens. Every look is an event of the trail, written before anything is
shown. Nothing is kept, neither here nor in a browser's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any
from uuid import UUID

from flask import Response, abort, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session, object_session

from cases import audit, looks, photo_store
from cases.models import Case, Photo, RunState
from cases.queries import CasePage
from verification.evidence import Box
from verification.reasons import PhotoKind
from webapp.context import database, now, settings
from webapp.desk import links, watermark
from webapp.desk.surface import desk
from webapp.printed import photo_read
from webapp.security import StaffUser, needs, row, signed_in
from webapp.talk import broken, picture

PHOTO, MESSAGE = "photo", "message"
"""Kinds of pictures that a link opens."""


# Addresses


def photo_token(case: Case, photo: Photo, purpose: str = looks.REVIEW) -> str:
    """What makes the address of this photo good for a minute. On one page a photo has one: one look, one event."""
    return token(PHOTO, str(photo.id), subject=str(case.id), purpose=purpose)


def photo_link(case: Case, photo: Photo, purpose: str = looks.REVIEW) -> str:
    """The address of a photo for this viewer, this case and this purpose, for a minute. For templates."""
    return url_for("desk.photo", case_id=case.id, token=photo_token(case, photo, purpose))


def message_photo_token(case: Case, message_id: UUID, purpose: str = looks.REVIEW) -> str:
    """As `photo_token`, for the photo of a message."""
    return token(MESSAGE, str(message_id), subject=str(case.id), purpose=purpose)


def message_photo_link(case: Case, message_id: UUID, purpose: str = looks.REVIEW) -> str:
    """As `photo_link`, for the photo of a message."""
    return url_for("desk.message_photo", case_id=case.id, token=message_photo_token(case, message_id, purpose))


def token(kind: str, thing: str, *, subject: str, purpose: str) -> str:
    """A token for one look of who is signed in, made once for each request."""
    made: dict[tuple[str, ...], str] = g.setdefault("picture_tokens", {})
    key = (kind, thing, subject, purpose)
    if key not in made:
        secret, viewer = settings().secret_key, UUID(str(_viewer().id))
        made[key] = links.sign(secret, kind, thing, subject=subject, purpose=purpose, viewer=viewer, now=now())
    return made[key]


def redeem(given: str, kind: str, *, subject: str, moment: datetime, renewing: bool = False) -> links.Look:
    """What an address opens. Answers 403 to somebody else or under another case, 410 after its minute."""
    secret, viewer = settings().secret_key, UUID(str(_viewer().id))
    try:
        return links.read(secret, kind, given, subject=subject, viewer=viewer, now=moment, renewing=renewing)
    except links.LinkForeign:
        abort(403)
    except links.LinkOld:
        abort(410)


def _viewer() -> StaffUser:
    """Who is signed in."""
    member = signed_in()
    if member is None:
        abort(401)
    return member


# Pictures


@desk.get("/cases/<uuid:case_id>/photos/<token>")
@needs("see_photos")
def photo(case_id: UUID, token: str) -> ResponseReturnValue:
    """One photo, to whom its address was made for. Each look is written down first."""
    moment = now()
    look = redeem(token, PHOTO, subject=str(case_id), moment=moment)
    photo_id = UUID(look.thing)
    try:
        with database().transaction() as db:
            found = allowed(db, case_id, look.purpose, moment)
            kept = db.get(Photo, photo_id)
            if kept is None or not _belongs(kept, found):
                abort(404)
            data = photo_store.open_photo(db, photo_id, viewer=audit.Actor.staff(row(db)), purpose=look.purpose, now=moment)
    except photo_store.PhotoGone:
        abort(410)
    except photo_store.PhotoBroken:
        broken("photo", photo_id)
    return shown(data, moment)


@desk.post("/cases/<uuid:case_id>/photos/renew")
@needs("see_photos")
def renew_photo(case_id: UUID) -> ResponseReturnValue:
    """A fresh address in place of an old one: to a script as JSON, else the picture itself (a form's way to open it large)."""
    moment, given = now(), request.form.get("link", "")
    kind = MESSAGE if request.form.get("kind") == MESSAGE else PHOTO
    look = redeem(given, kind, subject=str(case_id), moment=moment, renewing=True)
    with database().reading() as db:
        allowed(db, case_id, look.purpose, moment)
    fresh = token(kind, look.thing, subject=str(case_id), purpose=look.purpose)
    address = url_for("desk.photo" if kind == PHOTO else "desk.message_photo", case_id=case_id, token=fresh)
    if request.accept_mimetypes.best == "application/json":
        return jsonify(link=fresh, address=address)
    return redirect(address, 303)


def allowed(db: Session, case_id: UUID, purpose: str, moment: datetime) -> Case:
    """The case, if she may see its photos for that purpose; answers 404 or 403 otherwise."""
    found = db.get(Case, case_id)
    if found is None:
        abort(404)
    if not looks.may_look(db, found, agent=row(db), purpose=purpose, now=moment):
        abort(403)
    return found


def may_see(found: Case, moment: datetime, purpose: str = looks.REVIEW) -> bool:
    """Whether who is signed in may see the photos of this case, loaded in a session that is open, for that purpose."""
    db = object_session(found)
    if signed_in() is None or db is None:
        return False
    return looks.may_look(db, found, agent=row(db), purpose=purpose, now=moment)


may_see_photos = may_see


def shown(data: bytes, moment: datetime) -> Response:
    """A picture as an answer, the viewer's name and the time burned in. `data` is a JPEG that we wrote ourselves."""
    response: Response = picture(watermark.burn(data, _viewer().name, moment))
    return response


def _belongs(kept: Photo, found: Case) -> bool:
    """Whether the photo is of this case, or the face on file of its customer."""
    return kept.case_id == found.id or (kept.case_id is None and kept.customer_id == found.customer_id)


# Where on a photo the face is, so that faces can be laid over each other


ROOM = 0.12
"""Of the portrait's longer side, shown around it where no face was found on it."""

_LEVEL = 0.6
"""Degrees below which straightening a portrait would blur more than it mends."""

_LETTERS = 4
"""Letters of a line from which on its slope says how the document lies."""


@dataclass(frozen=True, kw_only=True)
class PhotoFrame:
    """How to show a photo. Units: pixels of the photo after it was turned about its origin by `turn` degrees, as SVG turns."""

    width: int  # of the whole photo, not turned
    height: int
    turn: float  # degrees that bring the document's lines level
    view: str  # the part to show: x, y, width, height
    face: str  # the face within it, the same way; "" where it was not found


def photo_frames(page: CasePage) -> dict[str, PhotoFrame]:
    """How to show `selfie`, `on_file`, `portrait` and `document`; what is missing here is shown whole (the portrait not at all).

    Places found on one photo are not used for another that took its place since.
    """
    out: dict[str, PhotoFrame] = {}
    run = next((run for run in page.runs if run.state is RunState.FINISHED), None)
    for kind in (PhotoKind.SELFIE, PhotoKind.ON_FILE):
        photo, box = page.photos.get(kind), page.face_boxes.get(kind.value)
        if photo is None or run is None or photo.created_at > run.begun_at or not box:
            continue
        size = _size(photo)
        if size and box[2] > 0 and box[3] > 0:
            out[kind.value] = PhotoFrame(
                width=size[0], height=size[1], turn=0.0, view=_plain(_around(box, size)), face=_plain(box)
            )  # fmt: skip
    document = photo_read(page)
    size = _size(document) if document else None
    if size:
        turn = -slope(row.letters for row in page.fields)
        upright = 90.0 * round(turn / 90)  # the whole page only by quarters: its edges should stay where they are
        whole = turned((0, 0, *size), upright)
        out["document"] = PhotoFrame(width=size[0], height=size[1], turn=upright or 0.0, view=_plain(whole), face="")
        portrait = _portrait(page, size, turn)
        if portrait:
            out["portrait"] = portrait
    return out


def _portrait(page: CasePage, size: tuple[int, int], turn: float) -> PhotoFrame | None:
    box = ((page.reading or {}).get("portrait") or {}).get("box")
    if not box or box[2] <= 0 or box[3] <= 0:
        return None
    x, y, width, height = turned(box, turn)
    room = ROOM * max(width, height)
    found = page.face_boxes.get(PhotoKind.DOCUMENT.value)
    face = turned(found, turn) if found and found[2] > 0 and found[3] > 0 else None
    view = _around(face) if face else (x - room, y - room, width + 2 * room, height + 2 * room)
    return PhotoFrame(width=size[0], height=size[1], turn=turn, view=_plain(view), face=_plain(face) if face else "")


def slope(lines: Iterable[tuple[Box | None, ...]]) -> float:
    """Degrees by which the document's lines run down to the right on the photo: the middle one of those that are long enough."""
    slopes = []
    for line in lines:
        known = [box for box in line if box]
        if len(known) < _LETTERS:
            continue
        (x, y), (far_x, far_y) = ((b[0] + b[2] / 2, b[1] + b[3] / 2) for b in (known[0], known[-1]))
        slopes.append(math.degrees(math.atan2(far_y - y, far_x - x)))
    found = median(slopes) if slopes else 0.0
    return round(found, 2) if abs(found) > _LEVEL else 0.0


def turned(box: Iterable[float], degrees: float) -> tuple[float, float, float, float]:
    """The box's place after the photo was turned about its origin, clockwise on the screen; its sides stay upright.

    A box on a photo that lies on its side changes width with height; in between both keep their length.
    """
    x, y, width, height = box
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle_x, middle_y = x + width / 2, y + height / 2
    if abs(sin) > abs(cos):
        width, height = height, width
    return middle_x * cos - middle_y * sin - width / 2, middle_x * sin + middle_y * cos - height / 2, width, height


_HEAD = 2.1
"""Height of the part of a selfie shown small, in heights of the face that was found: the whole head with hair and chin."""

_SHAPE = 0.8
"""Width by height of that part: as the frames of the page are (viewer.css)."""


def _around(face: Iterable[float], size: tuple[int, int] | None = None) -> tuple[float, float, float, float]:
    """The face with the whole head around it; with `size` within the photo."""
    x, y, width, height = face
    high = _HEAD * max(width, height)
    if size:
        high = min(high, float(size[1]), size[0] / _SHAPE)
    wide = _SHAPE * high
    left, top = x + width / 2 - wide / 2, y + 0.46 * height - high / 2  # more hair above a face than neck below
    if size:
        left, top = max(0.0, min(left, size[0] - wide)), max(0.0, min(top, size[1] - high))
    return left, top, wide, high


def _size(photo: Photo) -> tuple[int, int] | None:
    width, height = photo.quality.get("width"), photo.quality.get("height")
    return (int(width), int(height)) if width and height else None


def _plain(box: Iterable[float]) -> str:
    return " ".join(f"{number:.1f}" for number in box)


@desk.record_once
def _offer(state: Any) -> None:
    """Give templates the addresses."""
    state.app.jinja_env.globals.update(
        photo_link=photo_link,
        photo_token=photo_token,
        message_photo_link=message_photo_link,
        message_photo_token=message_photo_token,
        photo_frames=photo_frames,
    )
