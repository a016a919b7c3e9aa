"""Checking the answers and sending them; asking a person instead; taking the request back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from cases import by_eye, consents, customers, head_turns, intake
from cases.lifecycle import CLOSED, IllegalTransition, State
from cases.models import Case, Customer
from verification.evidence import Field
from webapp.context import database, now, settings
from webapp.i18n import locale
from webapp.logs import log
from webapp.portal import forms
from webapp.portal.entrance import customer_owns_case, own_case
from webapp.portal.steps import asks_for_turn, may_change, photos_of, place, portal, wanted_photos
from workers.queues import RingFailed, ring_verify

CONSENT_VERSION = consents.CURRENT
"""Of the text that is shown; a change of a word needs a new one (`cases.consents`)."""

SAW_NOTHING = 0
"""A version that no case has: they begin at 1."""


@portal.get("/requests/<uuid:case_id>/check")
@customer_owns_case
def check(case_id: UUID) -> Any:
    """Everything she is about to send, with a way to change each part."""
    return _check_page(case_id, {})


def _check_page(case_id: UUID, problems: dict[str, str]) -> Any:
    with database().reading() as db:
        case = own_case(db, case_id)
        if not may_change(case):
            return redirect(place(db, case), 303)
        photos = photos_of(db, case)
        wanted = wanted_photos(case, photos)
        if wanted:
            return redirect(url_for("portal.photo", case_id=case_id, kind=wanted[0]), 303)
        profile, _email = customers.current_profile(db, db.get_one(Customer, g.customer_id))
        claim, new_email = intake.claim_of(db, case)
        turned = head_turns.latest(db, case) is not None and not by_eye.holds(db, case.customer)
        asked = asks_for_turn(db, case)
        agreement = agreement_of(db, case)
    paper = forms.paper_of(case.country, claim.values)

    def printed(value: str | None, field: Field) -> str | None:
        return forms.as_printed(value, field, paper) if value else value

    rows = [(field, printed(profile.values.get(field), field), printed(value, field)) for field, value in claim.values.items()]
    page = render_template(
        "portal/check.html",
        case=case,
        claim=claim,
        rows=rows,
        new_email=new_email,
        photos=photos,
        turned=turned,
        asked=asked,
        problems=problems,
        **agreement,
    )
    return page, 422 if problems else 200


@portal.post("/requests/<uuid:case_id>/check")
@customer_owns_case
def send(case_id: UUID) -> Any:
    """Send the request as she saw it: what another device changed meanwhile is shown first. A second click finds it sent."""
    if request.form.get("consent") != CONSENT_VERSION:
        return _check_page(case_id, {"consent": _("Tick the box: without your agreement we may not compare the photos")})
    try:
        with database().transaction() as db:
            intake.submit(db, own_case(db, case_id).id, **agreed(), seen_version=seen_version(), now=now())
    except IllegalTransition:
        return redirect(url_for("portal.status", case_id=case_id), 303)
    except intake.Changed:
        flash(changed_elsewhere())
        return redirect(url_for("portal.check", case_id=case_id), 303)
    except intake.Incomplete:
        return redirect(url_for("portal.check", case_id=case_id), 303)
    _ring(case_id)
    return redirect(url_for("portal.status", case_id=case_id), 303)


def agreed() -> dict[str, Any]:
    """What she agreed to, from the form that was sent: the version of the text, and who may compare her face."""
    return {"consent_version": CONSENT_VERSION, "by_eye": "by_eye" in request.form}


def agreement_of(db: Session, case: Case) -> dict[str, Any]:
    """What templates/portal/_consent.html says; what she had ticked stands there again when something was wrong."""
    machines = by_eye.allowed(db)
    return {
        "consent_version": CONSENT_VERSION,
        "consent_lines": consents.text(CONSENT_VERSION, locale(), by_people=not machines, days=settings().photo_days),
        "biometrics": machines,
        "by_eye": "by_eye" in request.form if request.method == "POST" else case.customer.by_eye,
    }


def seen_version() -> int:
    """The version of the case that the page sent from had shown. A form without one has seen nothing that can be sent."""
    told = request.form.get("seen", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else SAW_NOTHING


def changed_elsewhere() -> str:
    """What is said when the page was not up to date."""
    return str(_("Something was changed on another device. Please check once more."))


def _ring(case_id: UUID) -> None:
    """Wake a worker. If that fails nothing is lost: upkeep rings for every case that waits."""
    try:
        ring_verify(case_id)
    except RingFailed as error:
        log.warning("ring_failed", case=str(case_id), error=str(error))


@portal.route("/requests/<uuid:case_id>/person", methods=["GET", "POST"])
@customer_owns_case
def person(case_id: UUID) -> Any:
    """Ask a person to take over, with what is there."""
    problems: dict[str, str] = {}
    if request.method == "POST":
        if request.form.get("consent") != CONSENT_VERSION:
            problems["consent"] = _("Tick the box: without your agreement we may not look at the photos")
        else:
            try:
                with database().transaction() as db:
                    intake.ask_for_person(db, own_case(db, case_id).id, **agreed(), now=now())
            except IllegalTransition:
                pass  # somebody or something was first; the status page says how it stands
            return redirect(url_for("portal.status", case_id=case_id), 303)
    with database().reading() as db:
        case = own_case(db, case_id)
        if case.state not in (State.DRAFT, State.NEEDS_RETAKE, State.SUBMITTED):
            return redirect(place(db, case), 303)
        photos = photos_of(db, case)
        agreement = agreement_of(db, case)
    page = render_template(
        "portal/person.html",
        case=case,
        photos=photos,
        problems=problems,
        review_hours=settings().review_hours,
        **agreement,
    )
    return page, 422 if problems else 200


@portal.route("/requests/<uuid:case_id>/withdraw", methods=["GET", "POST"])
@customer_owns_case
def withdraw(case_id: UUID) -> Any:
    """Take the request back, after one question."""
    if request.method == "POST":
        try:
            with database().transaction() as db:
                intake.withdraw(db, own_case(db, case_id).id, now=now())
        except IllegalTransition:
            flash(_("It was too late to withdraw: your request has been answered."))
        return redirect(url_for("portal.status", case_id=case_id), 303)
    with database().reading() as db:
        case = own_case(db, case_id)
        if case.state in CLOSED:
            return redirect(place(db, case), 303)
    return render_template("portal/withdraw.html", case=case)
