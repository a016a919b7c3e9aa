"""How a request stands, and what she may do about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _

from cases import customers, intake, queries
from cases.lifecycle import IllegalTransition, State
from cases.models import Case
from verification.evidence import Field, Measures, Side
from verification.reasons import RETAKE, PhotoKind, ReasonCode
from webapp.context import database, now, settings
from webapp.i18n import sentence
from webapp.logs import log
from webapp.portal import letters
from webapp.portal.entrance import customer_owns_case, own_case, refused_link
from webapp.portal.steps import photos_of, place, portal, wanted_photos

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


def hidden(case_id: UUID, reasons: list[ReasonCode]) -> dict[ReasonCode, list[Side | Field]]:
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
            return redirect(place(db, case), 303)
        at = queries.progress(db, case_id)
        photos = photos_of(db, case)
        wanted = wanted_photos(case, photos)
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
