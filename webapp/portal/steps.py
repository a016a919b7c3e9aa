"""Where she stands in a request: what is still wanted, and where she goes on.

Every step is saved on the server before the next one is shown, each POST ends in a redirect, and a step that was
already made is met with the page that says how things stand: back, reload and a second click do no harm.
The pages themselves stand in answers, photos, turns, sending and status; a view translates HTTP, `cases` decides.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit, by_eye, photo_store, policies
from cases.lifecycle import State
from cases.models import Case, Customer, Photo
from verification.reasons import PhotoKind
from webapp.context import database, now, settings
from webapp.talk import broken

TAKEN = (PhotoKind.DOCUMENT, PhotoKind.SELFIE)
"""What the customer photographs, in this order."""

portal = Blueprint("portal", __name__)


@portal.get("/")
def home() -> Any:
    """Lead to the request that is open, or to the beginning."""
    if g.customer_id is None:
        return redirect(url_for("entrance.door"), 303)
    with database().reading() as db:
        case = open_case(db)
        if case is not None:
            return redirect(place(db, case), 303)
        last = db.scalars(select(Case).where(Case.customer_id == g.customer_id).order_by(Case.opened_at.desc()).limit(1)).first()
    return render_template("portal/start.html", last=last, review_hours=settings().review_hours, photo_days=settings().photo_days)


def open_case(db: Session) -> Case | None:
    return db.scalars(select(Case).where(Case.customer_id == g.customer_id, Case.closed_at.is_(None))).first()


def photos_of(db: Session, case: Case) -> dict[PhotoKind, Photo]:
    """The current photo of each kind."""
    return {p.kind: p for p in db.scalars(select(Photo).where(Photo.case_id == case.id, Photo.current))}


def own_photo(db: Session, photo: Photo, *, purpose: str) -> bytes:
    """Open a photo of hers for herself, which is an event; 404 where it is gone, 410 where it does not open."""
    viewer = audit.Actor.customer(db.get_one(Customer, g.customer_id))
    try:
        return photo_store.open_photo(db, photo.id, viewer=viewer, purpose=purpose, now=now())
    except photo_store.PhotoGone:
        abort(404)
    except photo_store.PhotoBroken:
        broken("photo", photo.id)


def wanted_photos(case: Case, photos: dict[PhotoKind, Photo]) -> list[PhotoKind]:
    """The photos still to be taken: those missing, and in a retake those asked for and not yet taken anew."""
    again = {PhotoKind(kind) for kind in case.retake} if case.state is State.NEEDS_RETAKE else set()
    return [kind for kind in TAKEN if kind not in photos or (kind in again and photos[kind].attempt != 0)]


def place(db: Session, case: Case) -> str:
    """The address where she goes on."""
    if case.state is State.DRAFT:
        wanted = wanted_photos(case, photos_of(db, case))
        if wanted:
            return url_for("portal.photo", case_id=case.id, kind=wanted[0])
        return url_for("portal.check", case_id=case.id)
    return url_for("portal.status", case_id=case.id)


def may_change(case: Case) -> bool:
    """Whether answers and photos may still be changed."""
    return case.state in (State.DRAFT, State.NEEDS_RETAKE)


def asks_for_turn(db: Session, case: Case) -> bool:
    """Whether the policy that decides this case asks for a turn of the head; never where no machine may look at it.

    On a ramp that is the version on its way up for some cases: what it asks for is what it will look for.
    """
    if by_eye.holds(db, case.customer):
        return False
    return case.change_reason.value in policies.for_case(db, case.id).require_liveness_for
