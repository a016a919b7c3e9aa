"""Start on a computer, photograph on the phone; save and leave; go on with what was sent too late.

Why two stages and a number stands in `cases.device_links`. Here: nothing happens by a GET, so scanners and previews of the
link use nothing up; the number shows only on the device that made the link, and only once a phone has opened it, so that
neither a picture of the code nor a forwarded link holds it; the token lies in the cookie of that one device (signed, not
readable by script, gone with the session), since the database has its hash only and the page must survive a reload.

Why the phone may send: whoever is handed from screen to screen twice gives up, and what is sent was typed by the customer
herself, cannot be changed from the phone, and can be withdrawn. It names what changes, never to what: a phone in wrong
hands learns no name and no number, and a customer whose phone was led into somebody else's request sees what it is about.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import segno
from flask import abort, current_app, flash, g, jsonify, redirect, render_template, request, session, url_for
from flask_babel import format_timedelta
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from cases import device_links, head_turns, intake, notifications, throttles, unsent_forms
from cases.device_links import Device, LinkGone
from cases.lifecycle import IllegalTransition, State
from cases.models import Case, DeviceLink
from cases.settings import Mode
from cases.unsent_forms import Unsent
from webapp.context import database, now, settings
from webapp.http import error_texts
from webapp.logs import log
from webapp.portal import kept
from webapp.portal.entrance import (
    LEFT,
    LINK_TRIES,
    LINK_WINDOW,
    customer_owns_case,
    entrance,
    own_case,
    sign_in_phone,
    signed_in,
    too_many_requests,
)
from webapp.portal.photos import MOMENTARY, _receive
from webapp.portal.sending import CONSENT_VERSION, agreed, agreement_of, changed_elsewhere, seen_version
from webapp.portal.steps import TAKEN, asks_for_turn, may_change, open_case, photos_of, place, portal, wanted_photos
from workers.queues import RingFailed, ring_verify

LINKS = 5
LINKS_WITHIN = device_links.LIFETIME
"""Links a customer may make in that time; login.gov gives 5 in 10 minutes (facts/ecosystem.md 2.1)."""

REMINDERS = 2
REMINDERS_WITHIN = timedelta(days=1)
"""Mails "it is saved" per customer."""

BROWSERS = {
    "edge": ("Edge", r"Edg(?:e|A|iOS)?/"),
    "opera": ("Opera", r"OPR/|Opera"),
    "yandex": ("Yandex", r"YaBrowser/"),
    "samsung": ("Samsung Internet", r"SamsungBrowser/"),
    "firefox": ("Firefox", r"Firefox/|FxiOS/"),
    "chrome": ("Chrome", r"Chrome/|CriOS/"),
    "safari": ("Safari", r"Version/.*Safari/"),
}
"""Browsers by code: their name, and what of a User-Agent tells it. The first that fits counts: most call themselves Chrome."""

SYSTEMS = {
    "ios": ("iOS", r"iPhone|iPad|iPod"),
    "android": ("Android", r"Android"),
    "windows": ("Windows", r"Windows"),
    "mac": ("macOS", r"Macintosh"),
    "chromeos": ("ChromeOS", r"CrOS"),
    "linux": ("Linux", r"Linux"),
}

MINUTE = timedelta(minutes=1)

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""Names by which a computer reaches itself, and no phone reaches it."""


def device_of(agent: str) -> Device:
    """What a User-Agent says the device is, as codes; "" where it says nothing we know.

    >>> device_of("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36")
    Device(browser='chrome', system='windows')
    """

    def code(table: dict[str, tuple[str, str]]) -> str:
        return next((code for code, (_name, pattern) in table.items() if re.search(pattern, agent)), "")

    return Device(browser=code(BROWSERS), system=code(SYSTEMS))


def device_name(browser: str | None, system: str | None) -> str:
    """A device in words: "Chrome on Windows"."""
    names = BROWSERS.get(browser or "", ("",))[0], SYSTEMS.get(system or "", ("",))[0]
    if all(names):
        return _("%(browser)s on %(system)s", browser=names[0], system=names[1])
    return names[0] or names[1] or _("a browser we do not know")


def ago(moment: datetime) -> str:
    """How long ago that was, in words: it needs no time zone."""
    passed = now() - moment
    return _("just now") if passed < MINUTE else format_timedelta(-passed, granularity="minute", add_direction=True)


@portal.app_template_filter("ago")
def ago_filter(moment: datetime) -> str:
    """`ago` for templates."""
    return ago(moment)


@portal.app_template_global("phone_at_work")
def phone_at_work(case: Case) -> bool:
    """Whether a phone is connected to this case."""
    with database().reading() as db:
        link = device_links.living(db, case.id)
        return link is not None and link.confirmed_at is not None


# --- On the computer


@portal.get("/on-phone")
@signed_in
def phone_start() -> Any:
    """Lead to the page that connects a phone, for whichever request is open."""
    with database().reading() as db:
        case = open_case(db)
        if case is None or not may_change(case):
            return redirect(url_for("portal.home"), 303)
        return redirect(url_for("portal.phone", case_id=case.id), 303)


@portal.get("/requests/<uuid:case_id>/phone")
@customer_owns_case
def phone(case_id: UUID) -> Any:
    """The code and the link for the phone, and then how far the phone has come."""
    with database().reading() as db:
        case = own_case(db, case_id)
        if not may_change(case):
            return redirect(place(db, case), 303)
        at = _stage(db, case)
        if at.next:
            return redirect(at.next, 303)
        page = render_template("portal/phone.html", case=case, at=at, lifetime=_minutes(device_links.LIFETIME))
    return page, 200


@portal.post("/requests/<uuid:case_id>/phone")
@customer_owns_case
def phone_make(case_id: UUID) -> Any:
    """Make a link for the phone; the one before stops working."""
    with database().transaction() as db:
        allowed = throttles.hit(db, "device_link", str(g.customer_id), limit=LINKS, window=LINKS_WITHIN, now=now())
    if not allowed:
        log.info("throttled", kind="device_link", customer=str(g.customer_id))
        too_many_requests(LINKS_WITHIN)
    try:
        with database().transaction() as db:
            device = device_of(request.user_agent.string)
            token, link = device_links.make(db, own_case(db, case_id).id, device=device, now=now())
            session["handover"] = [str(link.id), token]
    except IllegalTransition:
        return redirect(url_for("portal.status", case_id=case_id), 303)
    except device_links.TooManyRefusals:
        log.info("device_links_refused", customer=str(g.customer_id))
        too_many_requests(device_links.REFUSALS_WITHIN)
    return redirect(url_for("portal.phone", case_id=case_id), 303)


@portal.post("/requests/<uuid:case_id>/phone/stop")
@customer_owns_case
def phone_stop(case_id: UUID) -> Any:
    """Disconnect the phone, or stop the link before anybody is connected by it."""
    with database().transaction() as db:
        link = device_links.living(db, own_case(db, case_id).id)
        if link is not None:
            device_links.end(db, link.id, "stopped", now=now())
    return redirect(url_for("portal.phone", case_id=case_id), 303)


@portal.get("/requests/<uuid:case_id>/phone.json")
@customer_owns_case
def phone_progress(case_id: UUID) -> Any:
    """What follow.js asks while the phone is at work: the part of the page that changes, by ETag; or where to go on.

    The page does not keep its session alive by asking, but the phone does (`entrance`): who photographs there has not gone away.
    """
    with database().reading() as db:
        case = own_case(db, case_id)
        at = _stage(db, case)
        page = (
            ""
            if at.next
            else render_template("portal/_phone_stage.html", case=case, at=at, lifetime=_minutes(device_links.LIFETIME))
        )
    # Another page that follows the phone, "check and send", is left for this one where somebody else may have had the link.
    strange = url_for("portal.phone", case_id=case_id) if at.stage in device_links.SUSPICIOUS else None
    answer = jsonify(stage=at.stage, next=at.next or strange, page=page)
    answer.set_etag(f"{at.stage}-{at.link.id if at.link else ''}-{bool(at.next)}")
    return answer.make_conditional(request)


class Stage:
    """How far the hand-over has come, as both the page and its partial need it."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.link: DeviceLink | None = None
        self.next: str | None = None
        self.address: str | None = None
        self.qr: Markup | None = None
        self.local = False
        self.kept: tuple[str, ...] = ()
        self.by = ""


def _stage(db: Session, case: Case) -> Stage:
    """Where the hand-over stands: none, waiting, opened, confirmed, expired, elsewhere, or the code of its end."""
    kept_id, token = session.get("handover", ("", ""))
    mine = db.get(DeviceLink, UUID(kept_id)) if kept_id else None
    mine = mine if mine is not None and mine.case_id == case.id else None
    living = device_links.living(db, case.id)
    link = living or mine
    photos = photos_of(db, case)
    wanted = wanted_photos(case, photos)
    if link is None:
        return Stage("none")
    at = Stage("confirmed")
    at.link = link
    at.by = device_name(link.phone_browser, link.phone_system)
    at.kept = tuple(kind.value for kind in TAKEN if kind not in wanted)
    if not may_change(case):
        at.stage, at.next = "sent", url_for("portal.status", case_id=case.id)
    elif link.ended_why is not None:
        at.stage = link.ended_why
    elif link.confirmed_at is not None:
        turned = not asks_for_turn(db, case) or head_turns.latest(db, case) is not None
        at.stage = "-".join(("confirmed", *at.kept))
        if not wanted and turned:
            at.next = url_for("portal.check", case_id=case.id)
    elif now() >= link.expires_at:
        at.stage = "expired"
    elif mine is not link:
        at.stage = "elsewhere"
    elif link.opened_at is not None:
        at.stage = "opened"
    else:
        at.stage, at.address = "waiting", _address(token)
        at.local = (urlsplit(at.address).hostname or "") in [name.strip("[]") for name in LOCAL]
        code = segno.make(at.address, error="m", micro=False)
        at.qr = Markup(
            code.svg_inline(scale=6, border=4, svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff")
        )
    return at


def _address(token: str) -> str:
    """The link as the phone will open it: at the address that production names, else at the one this page was reached by."""
    path = url_for("portal.phone_link", token=token)
    root = settings().portal_url if settings().mode is Mode.PRODUCTION else request.host_url
    return root.rstrip("/") + path


def _minutes(span: Any) -> int:
    return int(span.total_seconds() // 60)


# --- On the phone, before it is connected


@portal.get("/phone/<token>")
def phone_link(token: str) -> Any:
    """Ask whether she started this. Nothing happens by looking: scanners and previews only ever GET.

    The device gets its key here, so that it is the same device however often it says yes; and whoever looks at a link that a
    phone is connected by is asked like the first, since one of the two is not hers.
    """
    try:
        with database().reading() as db:
            link = device_links.look(db, token, now=now())
    except LinkGone as gone:
        return _gone(gone, counted=True)
    if g.connected is not None and g.connected.link_id == link.id:
        return redirect(url_for("portal.phone_here"), 303)
    session.setdefault("phone_key", device_links.draw_key())
    own = _account() == link.customer_id
    return render_template(
        "portal/phone_link.html",
        token=token,
        link=link,
        by=device_name(link.browser, link.system),
        ago=ago(link.created_at),
        own=own,
        other=_account() is not None and not own,
    )


@portal.post("/phone")
def phone_open() -> Any:
    """She says that she started it, or that she did not."""
    token = request.form.get("token", "")
    try:
        with database().transaction() as db:
            if request.form.get("answer") != "yes":
                device_links.decline(db, token, now=now())
                return redirect(url_for("portal.phone_gone", why="declined"), 303)
            device, key = device_of(request.user_agent.string), session.get("phone_key") or device_links.draw_key()
            link = device_links.opened(db, token, key=key, device=device, account=_account(), now=now())
            why, opening = link.ended_why, [str(link.id), key]
    except LinkGone as gone:
        return _gone(gone, counted=True)
    if why is not None:
        return redirect(url_for("portal.phone_gone", why=why), 303)
    if g.connected is not None and g.connected.link_id == link.id:  # said once more, from a page further back
        return redirect(url_for("portal.phone_here"), 303)
    session["phone_key"], session["opening"] = key, opening
    return redirect(url_for("portal.phone_number"), 303)


def _account() -> UUID | None:
    """Whose this device is: who is signed in, or whose phone it is connected as."""
    account: UUID | None = g.connected.customer_id if g.connected is not None else g.customer_id
    return account


@portal.get("/phone/number")
def phone_number() -> Any:
    """Ask which of three numbers stands on the other screen."""
    link_id, key = _opening()
    try:
        with database().reading() as db:
            link = device_links.waiting(db, link_id, key, now=now())
    except LinkGone as gone:
        return _gone(gone)
    if link.confirmed_at is not None:
        return redirect(url_for("portal.phone_here"), 303)
    return render_template("portal/phone_number.html", link=link, by=device_name(link.browser, link.system))


@portal.post("/phone/number")
def phone_confirm() -> Any:
    """Connect this phone if the number is right. There is one try."""
    link_id, key = _opening()
    chosen = request.form.get("number", "")
    number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) == 2 else None
    try:
        with database().transaction() as db:
            link = device_links.confirm(db, link_id, key, number, account=_account(), now=now())
    except LinkGone as gone:
        return _gone(gone)
    if link.ended_why is not None:
        log.info("device_link_refused", case=str(link.case_id), code=link.ended_why)
        session.pop("opening", None)
        return redirect(url_for("portal.phone_gone", why=link.ended_why), 303)
    if _account() is None:  # who is signed in as herself here keeps that
        sign_in_phone(link)
    log.info("signed_in", customer=str(link.customer_id), kind="phone")
    return redirect(url_for("portal.phone_here"), 303)


@portal.get("/phone/gone")
def phone_gone() -> Any:
    """A link or a connection that is over: why, in words, and what to do now."""
    why = request.args.get("why", "")
    return render_template("portal/phone_gone.html", why=why if why in device_links.ENDS else "", language_next="/")


def _opening() -> tuple[UUID, str]:
    """The link that this device opened, from its session. 404 without one."""
    opening = session.get("opening")
    if not opening:
        abort(404)
    return UUID(opening[0]), opening[1]


def _gone(gone: LinkGone, *, counted: bool = False) -> Any:
    """Say that the link leads nowhere. Unknown ones are counted by address, so that guessing is never worth a try."""
    log.info("link_refused", kind="device", code=gone.why)
    if counted and gone.why == "unknown":
        with database().transaction() as db:
            allowed = throttles.hit(db, "link", request.remote_addr or "", limit=LINK_TRIES, window=LINK_WINDOW, now=now())
        if not allowed:
            too_many_requests(LINK_WINDOW)
    return render_template("portal/phone_gone.html", why=gone.why, language_next="/"), 410


# --- On the connected phone


@portal.get("/phone")
@signed_in
def phone_here() -> Any:
    """Lead the connected phone to the photo that is wanted; after the last one say that it is done, or may be sent from here."""
    return _phone_page({})


def _phone_page(problems: dict[str, str]) -> Any:
    with database().reading() as db:
        case = own_case(db, g.connected.case_id) if g.connected else open_case(db)
        if case is None or not g.connected:
            return redirect(url_for("portal.home"), 303)
        waits = unsent_forms.find(db, g.customer_id, now=now())
        if kept.for_phone(waits):
            return redirect(url_for("portal.unsent"), 303)
        if may_change(case):
            wanted = wanted_photos(case, photos_of(db, case))
            if wanted:
                return redirect(url_for("portal.photo", case_id=case.id, kind=wanted[0].value), 303)
            claim, new_email = intake.claim_of(db, case)
            changes = list(claim.values)
        else:
            changes, new_email = [], None
        agreement = agreement_of(db, case)
    page = render_template(
        "portal/phone_done.html",
        case=case,
        editable=may_change(case),
        changes=changes,
        new_email=bool(new_email),
        problems=problems,
        **agreement,
    )
    return page, 422 if problems else 200


@portal.post("/phone/send")
@signed_in
def phone_send() -> Any:
    """Send the request from the phone, as its page named it. A second click finds it sent."""
    if not g.connected:
        return redirect(url_for("portal.home"), 303)
    if request.form.get("consent") != CONSENT_VERSION:
        return _phone_page({"consent": _("Tick the box: without your agreement we may not compare the photos")})
    case_id = g.connected.case_id
    try:
        with database().transaction() as db:
            intake.submit(db, own_case(db, case_id).id, **agreed(), seen_version=seen_version(), now=now())
    except intake.Changed:
        flash(changed_elsewhere())
        return redirect(url_for("portal.phone_here"), 303)
    except (IllegalTransition, intake.Incomplete):
        return redirect(url_for("portal.phone_here"), 303)
    try:
        ring_verify(case_id)
    except RingFailed as error:
        log.warning("ring_failed", case=str(case_id), error=str(error))
    return redirect(url_for("portal.phone_here"), 303)


# --- Save and leave


@portal.get("/saved")
def saved() -> Any:
    """What is saved, until when, and how to come back. She has signed out by now: the page knows a day and nothing of her."""
    left = _left()
    if left is None:
        return redirect(url_for("entrance.door"), 303)
    demo = settings().mode is Mode.DEMO
    return render_template(
        "portal/phone_saved.html", until=date.fromisoformat(left["until"]), mailed=left.get("mailed"), demo=demo
    )


@portal.post("/saved")
def saved_mail() -> Any:
    """Write to the address that her lender holds that it is saved: at her wish only, and seldom."""
    left = _left()
    if left is None:
        return redirect(url_for("entrance.door"), 303)
    with database().transaction() as db:
        case = db.get(Case, UUID(left["case"]))
        if case is not None and case.state in (State.DRAFT, State.NEEDS_RETAKE) and not left.get("mailed"):
            if not throttles.hit(db, "draft_saved", str(case.customer_id), limit=REMINDERS, window=REMINDERS_WITHIN, now=now()):
                case = None
            else:
                notifications.add(db, case, "draft_saved", now=now())
    if case is None:
        flash(_("A mail was sent already today."))
    session["left"] = {**left, "mailed": True}
    return redirect(url_for("portal.saved"), 303)


def _left() -> dict[str, Any] | None:
    """What `entrance.leave` noted, for a while."""
    left: dict[str, Any] | None = session.get("left")
    if left is None or now().timestamp() - left["at"] > LEFT.total_seconds():
        session.pop("left", None)
        return None
    return left


# --- What was sent just after the session had ended


@portal.get("/unsent")
@signed_in
def unsent() -> Any:
    """Show what was kept, and let her send it now or drop it. Only what she reads here is sent: she may not have typed it."""
    with database().reading() as db:
        form = unsent_forms.find(db, g.customer_id, now=now())
    if form is None or (g.connected and not kept.for_phone(form)):
        return redirect(url_for("portal.phone_here" if g.connected else "portal.home"), 303)
    kind = kept.photo_kind(form)
    if kind is None:
        _restore_plan(form)
    return render_template("portal/phone_unsent.html", form=form, told=kept.told(form), kind=kind)


@portal.post("/unsent/photo")
@signed_in
def unsent_photo() -> Any:
    """Use the photo that was kept: it is looked at like any other."""
    with database().reading() as db:
        form = unsent_forms.find(db, g.customer_id, now=now())
    kind = kept.photo_kind(form)
    if form is None or form.photo is None or kind is None or form.case_id is None or (g.connected and not kept.for_phone(form)):
        return redirect(url_for("portal.phone_here" if g.connected else "portal.home"), 303)
    try:
        answer = _receive(form.case_id, kind, uuid4(), form.photo, insists=False)
    except IllegalTransition:
        answer = None  # the request has moved on without it
    if answer is not None and answer.problems == (MOMENTARY,):  # says nothing of the photo: it waits for a better moment
        flash(error_texts(503)[1])
        return redirect(url_for("portal.unsent"), 303)
    with database().transaction() as db:
        unsent_forms.drop(db, g.customer_id)
    if answer is not None and not answer.kept:
        flash(_("The photo that was kept will not do. Please take it again."))
        return redirect(url_for("portal.photo", case_id=form.case_id, kind=kind.value), 303)
    return redirect(url_for("portal.phone_here" if g.connected else "portal.home"), 303)


@portal.post("/unsent/drop")
@signed_in
def unsent_drop() -> Any:
    """She does not want it."""
    with database().transaction() as db:
        form = unsent_forms.find(db, g.customer_id, now=now())
        if not g.connected or kept.for_phone(form):
            unsent_forms.drop(db, g.customer_id)
    if form is not None and not g.connected and kept.choices_of(form):
        session.pop("plan", None)  # it came from there, see `_restore_plan`
    return redirect(url_for("portal.phone_here" if g.connected else "portal.home"), 303)


def _restore_plan(form: Unsent) -> None:
    """The choices of the first page as they were when the form was kept: read with any others it would say something else."""
    plan = kept.choices_of(form)
    if plan:
        session["plan"] = {"customer": str(g.customer_id), **plan}


# --- A form without its session

QUESTIONS = {
    "entrance.enter": "entrance.hand_over",
    "entrance.follow": "entrance.case_link",
    "portal.phone_open": "portal.phone_link",
    "portal.report_not_me": "portal.not_me",
}
"""Forms that carry the token of a link, and the page that asks before it is used."""


@portal.errorhandler(CSRFError)
@entrance.errorhandler(CSRFError)
def unknown_page(_error: CSRFError) -> tuple[str, int]:
    """A form that is not known to come from a page of this session: say what to do, and give her work back to her.

    Nothing is kept for anybody, since nobody knows whose it is; the answer to the browser that sent it holds it, if that says
    that it came from a page of ours. Sent once more after signing in it is read once more (`known`) and then it counts.
    """
    known = g.get("customer_id") is not None or g.get("connected") is not None
    # `http._same_origin` has refused every other Origin; without a word of the browser a stranger's page may have filled it in.
    ours = request.headers.get("Sec-Fetch-Site") == "same-origin" or "Origin" in request.headers
    told = None
    if ours and request.endpoint in kept.FORMS and not g.get("connected"):
        told = kept.told(kept.of_this_request())
    page = render_template(
        "portal/phone_resend.html",
        known=known,
        told=told if told is not None and told.lines else None,
        address=request.path,
        again=_page_of_this_form(),
    )
    return page, 400


def _page_of_this_form() -> str:
    """Where the page of this form can be loaded anew."""
    token = request.form.get("token")
    if token and request.endpoint in QUESTIONS:
        return url_for(QUESTIONS[request.endpoint], token=token)
    adapter = current_app.create_url_adapter(request)
    try:
        assert adapter is not None
        adapter.match(method="GET")
    except HTTPException:
        return url_for("portal.home")
    return request.path
