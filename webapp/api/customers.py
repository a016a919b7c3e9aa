"""People of the host system: written, read, given a face, handed over to the portal."""

from __future__ import annotations

import re
import threading
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from cases import api_keys, customers, handovers, host_values, moves, wording
from cases.models import Case, Customer, ProfileVersion
from verification import images
from verification.evidence import Profile
from verification.reasons import PhotoKind, ReasonCode
from webapp.api import shapes
from webapp.api.problems import Problem, wrong
from webapp.api.surface import Answer, api, asks_for_version, key, only_if_new, operation, precondition
from webapp.context import now, settings
from webapp.http import UPLOAD_BYTES

DECODERS = 2
"""Faces decoded at a time, each in a child process of its own; the others wait in line."""

LINE_SECONDS = 10
"""How long one waits in that line before it is told to come again."""

decoding = threading.BoundedSemaphore(DECODERS)


@api.put("/customers/<external_id>")
@operation(
    "customers:write",
    answers={200: shapes.CustomerOut, 201: shapes.CustomerOut},
    problems=("other_mode", "precondition_failed", "invalid"),
    tagged=True,
    matches=True,
)
@api.input(shapes.CustomerIn)
def put_customer(db: Session, external_id: str, json_data: shapes.CustomerIn) -> Answer:
    """Write a customer

    Takes over what you hold of this person: a new customer, or a new version of her details where something changed. The same
    again changes nothing. With `If-Match` only if she is as you saw her, with `If-None-Match: *` only if she is new.
    """
    _check_id(external_id)
    moment = now()
    given = json_data.profile
    profile = Profile(values=given.values_given(), earlier_numbers=tuple(given.earlier_numbers))
    refuse(
        host_values.check(profile.values, on=moment.date(), earlier_numbers=profile.earlier_numbers),
        host_values.check_email(json_data.email),
        within="/profile",
    )
    if asks_for_version():
        before = _visible(db, external_id)
        if before is not None and not _lock(db, before):
            before = None
        precondition(described(db, before) if before is not None else None)
    written, new = _put(db, external_id, profile, json_data, moment)
    status = 201 if new else 200
    return Answer(body=described(db, written), status=status, headers=_place(external_id, status), about=written, tag=True)


@api.get("/customers/<external_id>")
@operation("customers:read", answers={200: shapes.CustomerOut}, tagged=True)
def get_customer(db: Session, external_id: str) -> Answer:
    """Read a customer

    Her details as we hold them now: yours, and over them those of the last approved case.
    """
    customer = known(db, external_id)
    return Answer(body=described(db, customer), about=customer, tag=True)


def look_at_face() -> None:
    """Read, decode and measure the photo of this request before the transaction begins. Raises Problem, ServiceUnavailable."""
    if not request.mimetype.startswith("image/") and request.mimetype != "application/octet-stream":
        raise Problem("unsupported_media_type", kept=False)
    try:
        data = images.read_upload(request.stream, max_bytes=UPLOAD_BYTES)
        if not decoding.acquire(timeout=LINE_SECONDS):
            raise ServiceUnavailable(retry_after=5)
        try:
            more = {"specimens": True} if key().sandbox else {}
            request.environ["peremena.face"] = images.measure_file(data, PhotoKind.ON_FILE, **more)
        finally:
            decoding.release()
    except images.ImageRejected as rejected:
        if rejected.reason is ReasonCode.IMAGE_TOO_LARGE:
            raise Problem("too_large", kept=False) from None
        told = wrong("", rejected.reason.value, wording.agent_sentence(rejected.reason, "en"))
        raise Problem("photo_unfit", errors=[told], kept=False) from None


@api.put("/customers/<external_id>/face")
@operation("customers:write", answers={200: shapes.FaceOut}, problems=("photo_unfit",), before=look_at_face)
def put_face(db: Session, external_id: str) -> Answer:
    """Give a customer's face on file

    A photo that you trust, such as that of her first application: JPEG, PNG, WebP or HEIC in the body, at most 12 MiB. It is
    decoded in a process that may do nothing else, written anew without any metadata, and sealed; the one before is destroyed.
    Every case of hers is compared with it.
    """
    customer = known(db, external_id)
    jpeg, quality = request.environ["peremena.face"]
    try:
        photo = customers.set_face_on_file(db, customer, jpeg, quality=quality, now=now(), actor=key().actor)
    except customers.Erased:
        raise Problem("not_found", kept=False) from None
    found = photo.quality
    body = shapes.FaceOut(customer=external_id, width=found.get("width"), height=found.get("height"), set_at=photo.created_at)
    return Answer(body=body, about=customer)


@api.post("/customers/<external_id>/links")
@operation(
    "links:write",
    answers={201: shapes.LinkOut},
    problems=("return_url_refused", "invalid", "idempotency_mismatch", "idempotency_in_progress"),
)
@api.input(shapes.LinkIn)
def make_link(db: Session, external_id: str, json_data: shapes.LinkIn) -> Answer:
    """Make a hand-over link

    For a customer whom you have signed in yourselves: redirect her to `url` and she is at our portal, without a password, in
    her language. It works once and for ten minutes. At the end the portal offers her the way back to `return_url`.
    """
    customer = known(db, external_id)
    case = None
    if json_data.case_id is not None:
        case = db.get(Case, json_data.case_id)
        if case is None or case.customer_id != customer.id:
            raise Problem("invalid", errors=[wrong("/case_id", "unknown", "This customer has no such case.")])
    try:
        token, until = handovers.make(
            db,
            customer,
            key=key(),
            case=case,
            locale=json_data.locale.value if json_data.locale else None,
            return_to=json_data.return_url,
            now=now(),
        )
    except customers.Erased:
        raise Problem("not_found", kept=False) from None
    except handovers.ReturnRefused:
        told = wrong("/return_url", "origin", "Its scheme, host and port must be one of the key's return origins.")
        raise Problem("return_url_refused", errors=[told]) from None
    body = shapes.LinkOut(url=f"{settings().portal_url.rstrip('/')}/enter/{token}", expires_at=until)
    return Answer(body=body, status=201, about=customer)


# --- What other views use


def known(db: Session, external_id: str) -> Customer:
    """The customer of that id whom this key may see and who was not erased. Raises Problem: not_found."""
    found = _visible(db, external_id)
    if found is None or found.data_key.wrapped is None:
        raise Problem("not_found", kept=False)
    return found


def refuse(found: list[host_values.Wrong], email: host_values.Wrong | None = None, *, within: str) -> None:
    """Tell what is wrong with details, all at once, each by its place. Raises Problem."""
    errors = [wrong(f"{within}/{one.field}", one.code, one.detail) for one in found]
    if email is not None:
        errors.append(wrong("/email", email.code, email.detail))
    if errors:
        raise Problem("invalid", errors=errors, kept=False)


def described(db: Session, customer: Customer) -> shapes.CustomerOut:
    """A customer as the host reads her."""
    profile, email = customers.current_profile(db, customer)
    version = db.get_one(ProfileVersion, customer.profile_version_id)
    opened = db.scalar(select(Case.id).where(Case.customer_id == customer.id, Case.closed_at.is_(None)))
    return shapes.CustomerOut(
        id=customer.external_id,
        livemode=not customer.sandbox,
        profile=shapes.ProfileDetails.of(profile),
        email=email,
        locale=customer.locale,
        version=version.number,
        face_on_file=customers.face_on_file(db, customer.id) is not None,
        open_case=opened,
        created_at=customer.created_at,
        updated_at=version.created_at,
    )


def _visible(db: Session, external_id: str) -> Customer | None:
    found = db.scalars(select(Customer).where(Customer.external_id == external_id)).one_or_none()
    return found if found is not None and api_keys.may_see(key(), found) else None


def _check_id(external_id: str) -> None:
    if re.fullmatch(shapes.EXTERNAL_ID, external_id) is None or external_id.startswith("erased-"):
        told = "1 to 100 of A-Z a-z 0-9 _ . - beginning with a letter or digit; nothing that says who she is."
        raise Problem("invalid", errors=[wrong("path:external_id", "format", told)], kept=False)


def _put(db: Session, external_id: str, profile: Profile, given: shapes.CustomerIn, moment: datetime) -> tuple[Customer, bool]:
    """Write her; says whether she is new. Of two that add the same person at once, the second finds her. Raises Problem."""
    what: dict[str, Any] = {
        "email": given.email, "locale": given.locale.value, "now": moment, "actor": key().actor, "sandbox": key().sandbox,
        "only_new": only_if_new(),
    }  # fmt: skip
    try:
        try:
            with db.begin_nested():
                return customers.put(db, external_id, profile, **what)
        except IntegrityError:
            return customers.put(db, external_id, profile, **what)
    except customers.OtherMode:
        raise Problem("other_mode") from None
    except customers.AlreadyThere:
        raise Problem("precondition_failed", "There is one already.") from None


def _lock(db: Session, customer: Customer) -> bool:
    """Nobody changes her until this request is answered; False: she has been erased meanwhile.

    In the order of all others: her open case, then herself.
    """
    opened = db.scalar(select(Case.id).where(Case.customer_id == customer.id, Case.closed_at.is_(None)))
    if opened is not None:
        moves.lock(db, opened)
    try:
        customers.lock(db, customer.id)
    except customers.Erased:
        return False
    return True


def _place(external_id: str, status: int) -> dict[str, str]:
    return {"Location": f"/v1/customers/{quote(external_id)}"} if status == 201 else {}
