"""The sandbox by API: specimens to try with, and each step of a case that customer or agent would take. For test keys alone."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from flask import g, request
from pydantic import BaseModel, ConfigDict
from pydantic import Field as about
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from cases import intake, profiles, trials, uploads, wording
from cases.lifecycle import IllegalTransition
from verification import images, quality
from verification import trials as specimens
from verification.decision import Outcome
from verification.reasons import PhotoKind, ReasonCode
from webapp.api import requests, shapes
from webapp.api.customers import LINE_SECONDS, decoding
from webapp.api.problems import Problem, wrong
from webapp.api.surface import Answer, api, key, operation
from webapp.context import now
from webapp.http import UPLOAD_BYTES
from webapp.logs import log
from workers.queues import RingFailed, ring_verify

KINDS = "any('document', 'selfie'):kind"
KEPT = ("idempotency_mismatch", "idempotency_in_progress", "answer_erased")

Action = StrEnum("Action", {name.upper(): name for name in trials.ACTIONS})  # type: ignore[misc]
Reason = Annotated[ReasonCode, about(description="A reason code; see the specimens for what each means")]


class SpecimenOut(BaseModel):
    """A drawn picture that forces an outcome."""

    specimen: str = about(description="approve, or the reason code that it brings about")
    kind: str = about(description="Which photo it is sent as: document, selfie")
    outcome: Outcome = about(description="Under the policy as shipped, beside a document and selfie that approve")
    means: str | None = about(description="The reason in a sentence")
    picture: str = about(description="Where to get it")


class SpecimenList(BaseModel):
    """All specimens."""

    data: list[SpecimenOut]


class CopyQuery(BaseModel):
    """Which copy."""

    model_config = ConfigDict(extra="forbid")

    copy_number: int = about(
        1,
        alias="copy",
        ge=1,
        le=specimens.COPIES,
        description="Copies differ in their number alone. Where a new photo was asked for, the same file is refused",
    )


class PhotoOut(BaseModel):
    """The photo was kept."""

    case: UUID
    kind: str


class AnswerIn(BaseModel):
    """What an agent would answer."""

    model_config = ConfigDict(extra="forbid")

    action: Action = about(
        description="approve, reject, ask_retake: to a case in_review. revert: to an approved one", examples=["approve"]
    )
    reasons: list[Reason] = about(default_factory=list, max_length=10, description="At least one for reject")
    retake: list[PhotoKind] = about(default_factory=list, max_length=2, description="For ask_retake: document, selfie")


@api.get("/sandbox/specimens")
@operation("sandbox:write", answers={200: SpecimenList}, problems=("live_key",))
def list_specimens(db: Session) -> Answer:
    """List the specimens

    One that approves for each photo, and one for every reason code. Send a document and a selfie: the worker reads their marks
    and makes up the evidence; the outcome comes from the policy that holds, by the same code as for real customers.
    """
    return Answer(body=SpecimenList(data=[_described(trial) for trial in specimens.TRIALS.values()]))


@api.get(f"/sandbox/specimens/<specimen>/<{KINDS}>")
@operation("sandbox:write", answers={200: shapes.Picture}, problems=("live_key", "invalid"))
@api.input(CopyQuery, location="query")
def get_specimen(db: Session, specimen: str, kind: str, query_data: CopyQuery) -> Answer:
    """Get a specimen

    A JPEG, for the portal or for `PUT /v1/sandbox/cases/{case_id}/photos/{kind}`. Sent for a real customer it is refused.
    """
    if (specimen, PhotoKind(kind)) not in specimens.TRIALS:
        raise Problem("not_found")
    pixels = specimens.picture(specimen, PhotoKind(kind), copy=query_data.copy_number)
    return Answer(picture=images.encode_jpeg(pixels))


def look_at_photo() -> None:
    """Read, decode and measure the photo of this request before the transaction begins. Raises Problem, ServiceUnavailable."""
    kind = PhotoKind((request.view_args or {})["kind"])
    if not request.mimetype.startswith("image/") and request.mimetype != "application/octet-stream":
        raise Problem("unsupported_media_type", kept=False)
    try:
        data = images.read_upload(request.stream, max_bytes=UPLOAD_BYTES)
        if not decoding.acquire(timeout=LINE_SECONDS):
            raise ServiceUnavailable(retry_after=5)
        try:
            clean, measured, fingerprint = images.look_at_file(data, kind, specimens=key().sandbox)
        finally:
            decoding.release()
    except images.ImageRejected as rejected:
        if rejected.reason is ReasonCode.IMAGE_TOO_LARGE:
            raise Problem("too_large", kept=False) from None
        raise _unfit(rejected.reason) from None
    found = quality.problems(measured, quality.QualityThresholds(), kind)
    if found:
        raise _unfit(*found)
    g.photo = hashlib.sha256(data).hexdigest(), uploads.Look(clean=clean, quality=measured, fingerprint=fingerprint)


@api.put(f"/sandbox/cases/<uuid:case_id>/photos/<{KINDS}>")
@operation("sandbox:write", answers={200: PhotoOut}, problems=("live_key", "state_conflict", "photo_unfit"), before=look_at_photo)
def put_photo(db: Session, case_id: UUID, kind: str) -> Answer:
    """Send a photo for a case of the sandbox

    What the customer does on the portal, by the same rules: it takes the place of the photo before. A photo without a mark is
    looked at by the real engines.
    """
    case = requests.mine(db, case_id)
    sha256, look = g.photo
    try:
        answer = uploads.settle(
            db, case.id, uuid4(), PhotoKind(kind), sha256=sha256, look=look, problems=(), near=uploads.NO_TWO, now=now()
        )
    except IllegalTransition as moved:
        raise Problem("state_conflict", state=moved.state.value) from None
    if not answer.kept:  # a new photo was asked for, and this is the old one
        told = wrong("", "same_photo", "This very file was sent before, and a new photo is wanted: send another copy.")
        raise Problem("photo_unfit", errors=[told], kept=False)
    return Answer(body=PhotoOut(case=case.id, kind=kind), about=case.customer)


@api.post("/sandbox/cases/<uuid:case_id>/submit")
@operation(
    "sandbox:write",
    answers={200: shapes.CaseOut},
    problems=("live_key", "state_conflict", "incomplete", *KEPT),
    tagged=True,
)
def submit_case(db: Session, case_id: UUID) -> Answer:
    """Send a case of the sandbox

    What the customer does at the end of her way through the portal. A worker looks at it within seconds.
    """
    case = requests.mine(db, case_id)
    try:
        trials.submit(db, case.id, now=now())
    except IllegalTransition as moved:
        raise Problem("state_conflict", state=moved.state.value) from None
    except intake.Incomplete as lacking:
        raise Problem("incomplete", missing=list(lacking.missing)) from None
    g.after_commit.append(lambda: _ring(case_id))
    return Answer(body=requests.described(case), about=case.customer, tag=True)


@api.post("/sandbox/cases/<uuid:case_id>/answer")
@operation(
    "sandbox:write",
    answers={200: shapes.CaseOut},
    problems=("live_key", "state_conflict", "conflict", "invalid", *KEPT),
    tagged=True,
)
@api.input(AnswerIn)
def answer_case(db: Session, case_id: UUID, json_data: AnswerIn) -> Answer:
    """Answer a case of the sandbox

    What an agent does at the desk, where nobody sees these cases: approve, reject, ask for new photos, or put an approved change
    back. Every webhook follows as it does for real customers, with `"livemode": false`.
    """
    case = requests.mine(db, case_id)
    if json_data.action == "reject" and not json_data.reasons:
        raise Problem("invalid", errors=[wrong("/reasons", "missing", "A rejection names at least one reason.")], kept=False)
    wanted = set(json_data.retake)
    if json_data.action == "ask_retake" and not (wanted and wanted <= set(intake.NEEDED)):
        raise Problem("invalid", errors=[wrong("/retake", "missing", "document, selfie or both.")], kept=False)
    try:
        trials.answer(db, case.id, json_data.action.value, reasons=json_data.reasons, retake=wanted, actor=key().actor, now=now())
    except IllegalTransition as moved:
        raise Problem("state_conflict", state=moved.state.value) from None
    except profiles.ProfileMovedOn:
        raise Problem("conflict", "Her details were changed again after this case.") from None
    return Answer(body=requests.described(case), about=case.customer, tag=True)


def _described(trial: specimens.Trial) -> SpecimenOut:
    return SpecimenOut(
        specimen=trial.key,
        kind=trial.kind.value,
        outcome=trial.outcome,
        means=wording.agent_sentence(trial.reason, "en") if trial.reason else None,
        picture=f"/v1/sandbox/specimens/{trial.key}/{trial.kind.value}",
    )


def _unfit(*reasons: ReasonCode) -> Problem:
    told = [wrong("", reason.value, wording.agent_sentence(reason, "en")) for reason in reasons]
    return Problem("photo_unfit", errors=told, kept=False)


def _ring(case_id: UUID) -> None:
    """Wake a worker. If that fails nothing is lost: upkeep rings for every case that waits."""
    try:
        ring_verify(case_id)
    except RingFailed as error:
        log.warning("ring_failed", case=str(case_id), error=str(error))
