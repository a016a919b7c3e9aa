"""What changed and why, and the new details beside the old."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import abort, flash, g, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from cases import customers, intake, throttles
from cases.lifecycle import IllegalTransition
from cases.models import Case, Customer
from verification.evidence import ChangeReason, Claim, Field, Profile, Values
from webapp.context import database, now
from webapp.i18n import locale
from webapp.logs import log
from webapp.portal import forms, kept, typed
from webapp.portal.entrance import own_case, signed_in, too_many_requests
from webapp.portal.steps import may_change, open_case, photos_of, place, portal, wanted_photos

CASES_A_DAY = 5
"""Per customer (facts/reliability.md 3 no. 21)."""

SPELLINGS_AN_HOUR = 1200
"""Per customer: the page asks at most three times a second while she types, and nobody types names for seven minutes."""


@portal.route("/request/reason", methods=["GET", "POST"], defaults={"case_id": None})
@portal.route("/requests/<uuid:case_id>/reason", methods=["GET", "POST"])
@signed_in
def reason(case_id: UUID | None) -> Any:
    """Ask why the details change and which passport will be photographed."""
    with database().reading() as db:
        case = own_case(db, case_id) if case_id else open_case(db)
        if case is not None and not may_change(case):
            return redirect(place(db, case), 303)
        profile, _email = customers.current_profile(db, db.get_one(Customer, g.customer_id))
        chosen = _plan(db, case, profile)
    nationality = profile.values.get(Field.NATIONALITY)
    papers = forms.papers_for(nationality)
    own = sum(nationality is not None and forms.COUNTRY[paper] == nationality for paper in papers)
    problems: dict[str, str] = {}
    if request.method == "POST":
        chosen = {"reason": request.form.get("reason"), "paper": request.form.get("paper")}
        if chosen["reason"] not in list(ChangeReason):
            problems["reason-marriage"] = _("Choose what has changed")
        if chosen["paper"] not in list(forms.Paper):
            problems[f"paper-{next(iter(papers)).value}"] = _("Choose the document you will photograph")
        if not problems:
            session["plan"] = {"customer": str(g.customer_id), **chosen}
            kept.taken()
            return redirect(url_for("portal.details", case_id=case.id if case else None), 303)
    page = render_template(
        "portal/reason.html", problems=problems, chosen=chosen, reasons=forms.REASON_HINTS, papers=papers, own=own, case=case
    )
    return page, 422 if problems else 200


def _plan(db: Session, case: Case | None, profile: Profile) -> dict[str, str | None]:
    """What was chosen on the first page: in this session, else in the case, else guessed from the account."""
    kept = session.get("plan")
    if kept and kept.get("customer") == str(g.customer_id):
        return {"reason": kept.get("reason"), "paper": kept.get("paper")}
    if case is not None:
        claim, _email = intake.claim_of(db, case)
        return {"reason": case.change_reason.value, "paper": _paper_of(case, claim).value}
    nationality = profile.values.get(Field.NATIONALITY)
    return {"reason": None, "paper": forms.paper_of(nationality, profile.values).value if nationality else None}


def _paper_of(case: Case, claim: Claim) -> forms.Paper:
    """The document she named for this case in this session, else a guess from what she claims."""
    named = session.get("paper") or {}
    if named.get("case") == str(case.id) and named.get("paper") in list(forms.Paper):
        paper = forms.Paper(named["paper"])
        if forms.COUNTRY[paper] == case.country:
            return paper
    return forms.paper_of(case.country, claim.values)


# --- The new details


@portal.route("/request/details", methods=["GET", "POST"], defaults={"case_id": None})
@portal.route("/requests/<uuid:case_id>/details", methods=["GET", "POST"])
@signed_in
def details(case_id: UUID | None) -> Any:
    """Ask for the new details, the old beside each; keep them in a draft at once."""
    with database().reading() as db:
        case = own_case(db, case_id) if case_id else open_case(db)
        if case is not None and not may_change(case):
            return redirect(place(db, case), 303)
        profile, _email = customers.current_profile(db, db.get_one(Customer, g.customer_id))
        plan = _plan(db, case, profile)
        claim, new_email = intake.claim_of(db, case) if case else (None, None)
    if plan["reason"] not in list(ChangeReason) or plan["paper"] not in list(forms.Paper):
        return redirect(url_for("portal.reason", case_id=case.id if case else None), 303)
    why, paper = ChangeReason(plan["reason"]), forms.Paper(plan["paper"])
    country = forms.COUNTRY[paper]
    questions = forms.asked(why, paper)
    asks_email = why is not ChangeReason.NEW_PASSPORT
    first = forms.prefill(questions, claim.values if claim else _unchanged(why, questions, profile), new_email)
    problems: dict[str, str] = {}
    answers = None
    if request.method == "POST":
        answers = forms.read_answers(
            request.form,
            questions,
            on=now().date(),
            paper=paper,
            reason=why,
            held=profile.values,
            shown=first,
            sure=request.form.getlist("sure"),
            ask_email=asks_email,
        )
        problems = dict(answers.problems)
        if answers.done:
            values = forms.settle(answers.values, profile.values, country)
            same = _("This is what we hold already: nothing would change")
            try:
                if not answers.email and forms.nothing_new(values, profile.values, country):
                    raise intake.NothingChanges("the same in other letters")
                address = _keep_claim(case, Claim(reason=why, values=values), paper, answers.email)
            except IllegalTransition:  # sent or withdrawn meanwhile, on another device or in another window
                flash(_("Your request has moved on meanwhile: what you just typed was not taken over."))
                return redirect(url_for("portal.status", case_id=case.id) if case else url_for("portal.home"), 303)
            except intake.NothingChanges:
                problems[forms.names_inputs(questions[0].field)[0]] = same
            else:
                kept.taken()
                for sentence in answers.told:
                    flash(sentence)
                return redirect(address, 303)
    page = render_template(
        "portal/details.html",
        problems=problems,
        looks=answers.looks if answers else {},
        asks=answers.asks if answers else {},
        sure=request.form.getlist("sure"),
        questions=questions,
        typed=answers.typed if answers else first,
        old={question.field: forms.held_for(question, profile.values) for question in questions},
        country=country,
        case=case,
        inputs=forms.names_inputs,
        lack=forms.lack_input,
        alike=typed.alike,
        replaced=typed.replaced_sentence,
        ask_email=asks_email,
    )
    return page, 422 if answers else 200


@portal.post("/request/spellings")
@signed_in
def spellings() -> Any:
    """How a Cyrillic name may be spelled in Latin letters, for the page to suggest while she types. Nothing of it is kept."""
    with database().transaction() as db:
        allowed = throttles.hit(
            db, "spellings", str(g.customer_id), limit=SPELLINGS_AN_HOUR, window=timedelta(hours=1), now=now()
        )
    if not allowed:
        too_many_requests(timedelta(minutes=15))
    return jsonify(spellings=typed.spellings(request.form.get("name", ""), request.form.get("country") or None))


def _unchanged(why: ChangeReason, questions: tuple[forms.Asked, ...], profile: Profile) -> Values:
    """What we may fill in for her: details that usually stay, in the letters the passport uses."""
    if why in (ChangeReason.MARRIAGE, ChangeReason.DIVORCE, ChangeReason.NEW_PASSPORT):
        return {}
    stays = {Field.GIVEN_NAMES, Field.PATRONYMIC, Field.GIVEN_NAMES_NATIVE, Field.DATE_OF_BIRTH, Field.PERSONAL_NUMBER}
    if why is ChangeReason.MISTAKE:
        stays |= set(Field)
    held = {q: forms.held_for(q, profile.values) for q in questions if q.field in stays}
    return {q.field: value for q, value in held.items() if value and (q.script is None or forms.in_script(value, q.script))}


def _keep_claim(case: Case | None, claim: Claim, paper: forms.Paper, email: str | None) -> str:
    """Open a draft, or amend the one that is open. Returns where to go on. Raises NothingChanges."""
    moment, country = now(), forms.COUNTRY[paper]
    if case is None:
        with database().transaction() as db:
            allowed = throttles.hit(db, "open_case", str(g.customer_id), limit=CASES_A_DAY, window=timedelta(days=1), now=moment)
        if not allowed:
            log.info("throttled", kind="open_case", customer=str(g.customer_id))
            too_many_requests(timedelta(hours=1))
    with database().transaction() as db:
        if case is None:
            try:
                customer = db.get_one(Customer, g.customer_id)
                made = intake.open_case(db, customer, claim, country=country, new_email=email, locale=locale(), now=moment)
            except intake.AlreadyOpen as already:  # a second click, or a second device
                made = intake.amend(db, already.case_id, claim, country=country, new_email=email, now=moment)
            except customers.Erased:  # while she was typing: nobody is signed in any more
                abort(redirect(url_for("entrance.door"), 303))
        else:
            made = intake.amend(db, own_case(db, case.id).id, claim, country=country, new_email=email, now=moment)
        wanted = wanted_photos(made, photos_of(db, made))
        address = url_for("portal.photo", case_id=made.id, kind=wanted[0]) if wanted else url_for("portal.check", case_id=made.id)
        session["paper"] = {"case": str(made.id), "paper": paper.value}
    session.pop("plan", None)
    return address
