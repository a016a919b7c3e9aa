"""Supporting papers: what an agent asked for, what she adds by herself, and a small copy of what was sent.

One page with plain forms: it works without script, with any camera or file, and for who has neither it has another answer.
"""

from __future__ import annotations

from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID, uuid4

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import ServiceUnavailable

from cases import audit, photo_store, supporting, throttles
from cases.desk_tables import PaperKind
from cases.lifecycle import State
from cases.models import Case, Customer
from cases.supporting import Shown, Stand
from verification import images, quality
from verification.reasons import PhotoKind, ReasonCode
from webapp.context import database, now
from webapp.http import UPLOAD_BYTES, hears_out, takes_photos
from webapp.i18n import advice, label, sentence
from webapp.logs import log
from webapp.portal.entrance import customer_owns_case, own_case, too_many_requests
from webapp.portal.status import count_look
from webapp.portal.steps import place, portal
from webapp.talk import broken, picture, small
from workers.queues import RingFailed, ring_paper

PAPERS_AN_HOUR = 20
"""Pictures of papers per customer and hour: more than a case takes, each tried once again."""

_line = BoundedSemaphore(1)
"""One picture of a paper at a time in this process: they must not hold up the photos of the requests themselves."""


@portal.get("/requests/<uuid:case_id>/papers")
@customer_owns_case
def papers(case_id: UUID) -> Any:
    """What is asked for, what was sent, and a way to add one."""
    return _page(case_id)


@portal.post("/requests/<uuid:case_id>/papers")
@takes_photos
@hears_out
@customer_owns_case
def send_paper(case_id: UUID) -> Any:
    """Keep one picture, or say at once why it must be taken again. Sent twice it is kept once."""
    number = _number(request.form.get("paper", ""))
    kind = next((k for k in PaperKind if k.value == request.form.get("kind")), None)
    with database().transaction() as db:
        allowed = throttles.hit(db, "paper_sent", str(g.customer_id), limit=PAPERS_AN_HOUR, window=timedelta(hours=1), now=now())
    if not allowed:
        log.info("throttled", kind="paper_sent", customer=str(g.customer_id))
        too_many_requests(timedelta(minutes=15))
    try:
        data, found = _look()
    except images.ImageRejected as rejected:
        log.info("photo_refused", case=str(case_id), kind="paper", codes=[rejected.reason.value])
        large = rejected.reason is ReasonCode.IMAGE_TOO_LARGE
        return _page(case_id, number=number, kind=kind, problems=_told((rejected.reason,))), 413 if large else 422
    if found and "anyway" not in request.form:
        log.info("photo_refused", case=str(case_id), kind="paper", codes=[reason.value for reason in found])
        return _page(case_id, number=number, kind=kind, problems=_told(found), anyway=True), 422
    try:
        with database().transaction() as db:
            case = own_case(db, case_id)
            kept = supporting.receive(db, case.id, number, data, kind=kind, accepted_despite=found, now=now())
            reads, draft = kept.read_at is None and case.state is not State.DRAFT, case.state is State.DRAFT
            paper_id = kept.id
    except LookupError:
        abort(404)
    except ValueError:
        return _page(case_id, problems=[_("Choose which paper it is.")]), 422
    except supporting.SentAlready:
        flash(_("This paper is here already. You can add another one below."))
        return redirect(url_for("portal.papers", case_id=case_id), 303)
    except supporting.TooMany:
        return _page(case_id, problems=[_("No further paper fits into this request.")]), 422
    except supporting.Closed:
        flash(_("Your request has moved on meanwhile: no papers are taken just now."))
        return redirect(url_for("portal.status", case_id=case_id), 303)
    if reads:
        _ring(paper_id)
    flash(_("Thank you, your paper arrived."))
    if draft:
        return redirect(url_for("portal.papers", case_id=case_id), 303)
    with database().reading() as db:
        left = [p for p in supporting.of(db, own_case(db, case_id), now=now()) if p.stand in (Stand.WANTED, Stand.LATE)]
    return redirect(url_for("portal.papers" if left else "portal.status", case_id=case_id), 303)


@portal.post("/requests/<uuid:case_id>/papers/<uuid:paper_id>/decline")
@customer_owns_case
def decline_paper(case_id: UUID, paper_id: UUID) -> Any:
    """She cannot send it: a person goes on without."""
    try:
        with database().transaction() as db:
            supporting.decline(db, own_case(db, case_id).id, paper_id, now=now())
    except LookupError:
        abort(404)
    except supporting.Closed:
        flash(_("Your request has moved on meanwhile: no papers are taken just now."))
    else:
        flash(_("Thank you for telling us. A person goes on without it."))
    return redirect(url_for("portal.status", case_id=case_id), 303)


@portal.get("/requests/<uuid:case_id>/papers/<uuid:paper_id>/picture")
@customer_owns_case
def own_paper(case_id: UUID, paper_id: UUID) -> Any:
    """A paper she sent, or with `?small` a small copy. Each look is an event."""
    count_look()
    with database().transaction() as db:
        viewer = audit.Actor.customer(db.get_one(Customer, g.customer_id))
        try:
            data = supporting.open_picture(
                db, paper_id, case_id=own_case(db, case_id).id, viewer=viewer, purpose="own_paper", now=now()
            )
        except photo_store.PhotoGone:
            abort(404)
        except photo_store.PhotoBroken:
            broken("paper", paper_id)
    return picture(small(data) if "small" in request.args else data)


def _look() -> tuple[bytes, tuple[ReasonCode, ...]]:
    """The clean copy of the picture in the form and what is wrong with it. Raises ImageRejected, ServiceUnavailable."""
    file = next((f for f in request.files.getlist("photo") if f.filename), None)
    if file is None:
        raise images.ImageRejected(ReasonCode.IMAGE_EMPTY)
    data = images.read_upload(file.stream, max_bytes=UPLOAD_BYTES)
    if not _line.acquire(timeout=10):
        raise ServiceUnavailable(retry_after=5)
    try:
        clean, measured = images.measure_file(data, PhotoKind.DOCUMENT)
    finally:
        _line.release()
    return clean, tuple(quality.problems(measured, quality.QualityThresholds(), PhotoKind.DOCUMENT))


def _told(reasons: tuple[ReasonCode, ...]) -> list[str]:
    """What is wrong with a picture, in words for any paper: those of the photos speak of a passport."""
    ours = {
        ReasonCode.IMAGE_EMPTY: _("Take or choose a photo first."),
        ReasonCode.DOCUMENT_BLURRED: _("The photo is blurred. Lay the paper flat, come closer and hold still."),
        ReasonCode.DOCUMENT_TOO_DARK: _("The photo is too dark. Take it in daylight or under a lamp."),
        ReasonCode.DOCUMENT_TOO_BRIGHT: _("The photo is too bright. Take it without flash, away from strong light."),
        ReasonCode.DOCUMENT_GLARE: _("Light reflects on the paper. Switch off the flash and tilt it a little."),
        ReasonCode.DOCUMENT_TOO_SMALL: _("The letters are too small to be read. Come closer: the paper should fill the picture."),
    }
    return [ours.get(reason) or f"{sentence(reason)} {advice(reason)}" for reason in reasons]


def _number(text: str) -> UUID:
    """The number drawn with the form, so that a second click is the same paper. A form without one gets a fresh one."""
    try:
        return UUID(text)
    except ValueError:
        return uuid4()


def _ring(paper_id: UUID) -> None:
    """Have it read soon. A ring that is lost is made up for by upkeep."""
    try:
        ring_paper(paper_id)
    except RingFailed:
        log.warning("ring_failed", kind="paper", paper=str(paper_id))


def _page(
    case_id: UUID,
    *,
    number: UUID | None = None,
    kind: PaperKind | None = None,
    problems: list[str] | None = None,
    anyway: bool = False,
) -> Any:
    """The page; with `problems` what was wrong with the picture just sent under `number`."""
    with database().reading() as db:
        case = own_case(db, case_id)
        found = supporting.of(db, case, now=now())
        taken = case.state in supporting.TAKEN and case.shredded_at is None
        if not found and not taken:
            return redirect(place(db, case), 303)
    return render_template(
        "portal/papers.html",
        case=case,
        taken=taken,
        wanted=[paper for paper in found if paper.stand in (Stand.WANTED, Stand.LATE)] if taken else [],
        sent=[paper for paper in found if paper.stand is Stand.HERE],
        offered=offered(case),
        number=number,
        fresh=uuid4(),
        chosen=kind,
        problems=problems or [],
        anyway=anyway,
    )


def offered(case: Case) -> list[PaperKind]:
    """What she may add: first what shows this change best, then the rest."""
    first = supporting.OFFERED[case.change_reason]
    return [*first, *(kind for kind in PaperKind if kind not in first)]


@portal.app_template_filter("paper_label")
def paper_label(name: str) -> str:
    """A paper's name from the code in the copy."""
    return label(PaperKind(name))


@portal.context_processor
def _offer() -> dict[str, Any]:
    """For the pages of a request: `papers_wanted(case)` and `papers_sent(case)`, as lists of supporting.Shown."""
    return {"papers_wanted": papers_wanted, "papers_sent": papers_sent, "papers_offered": offered}


def papers_wanted(case: Case) -> list[Shown]:
    """What is asked for and can still be sent."""
    if case.state not in supporting.TAKEN:
        return []
    return [paper for paper in _all(case) if paper.stand in (Stand.WANTED, Stand.LATE)]


def papers_sent(case: Case) -> list[Shown]:
    """What is here."""
    return [paper for paper in _all(case) if paper.stand is Stand.HERE]


def _all(case: Case) -> list[Shown]:
    held: dict[UUID, list[Shown]] = g.setdefault("papers_of_cases", {})
    if case.id not in held:
        with database().reading() as db:
            held[case.id] = supporting.of(db, own_case(db, case.id), now=now())
    return held[case.id]
