"""Who is here: hand-over from the host system, the demo's door, the customer's session, and whose case it is.

A customer never has a password with us. Her session is a row on the server (`cases.customer_sessions`) whose number stands
in a signed cookie: signed out is signed out, whoever has a copy. What she has typed lies in the draft case, and what she
sends just after the end is kept (`kept`), so a session that ends loses nothing. A phone that was connected by a link
(`handover`) has a session of its own kind: it is known for the few pages of PHONE_MAY and its one case; for every other page
it is a stranger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, NoReturn
from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, abort, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy import exists, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import TooManyRequests

from cases import customer_sessions, customers, device_links, handovers, retention, throttles, unsent_forms
from cases.lifecycle import State
from cases.models import Case, Customer, DeviceLink
from cases.settings import Mode
from cases.unsent_forms import Source
from verification.evidence import Field
from webapp import demo
from webapp.context import database, now, settings
from webapp.i18n import own_path
from webapp.logs import log
from webapp.portal import kept

IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=8)
"""How long a session lives without a sign, and at all (OWASP ASVS 5.0, 7.3)."""

LINK_TRIES = 20
LINK_WINDOW = timedelta(minutes=15)
"""Wrong links from one address; a token has 256 bits, so this only keeps guessing from being worth a try."""

POLLS = frozenset({"portal.progress", "portal.phone_progress"})
"""Asked by pages that wait: a page that polls is not a person who is there."""

QUIET = POLLS | {
    "portal.keep_upload", "portal.thumbnail", "portal.printed_detail", "portal.message_photo",
    "portal.spellings", "portal.draw_turn", "entrance.stay",
}  # fmt: skip
"""Answered to a script or an image, slowly at times: they never write the cookie, or a late one would write an old cookie over
a newer. That a session is over is said by the page that she asks for next."""

PHONE_MAY = frozenset({
    "portal.photo", "portal.keep_upload", "portal.turn", "portal.draw_turn", "portal.keep_turn",
    "portal.phone_here", "portal.phone_send", "portal.person", "entrance.stay",
    "portal.unsent", "portal.unsent_photo", "portal.unsent_drop",
})  # fmt: skip
"""What a connected phone may do: take the photos that are wanted and send the request. It sees none of the details, changes
none, looks at no photo, and neither withdraws nor downloads: whoever got hold of the link shall gain nothing by it."""

LEFT = timedelta(minutes=15)
"""How long the page after "save and leave" still knows which request it speaks of."""

entrance = Blueprint("entrance", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connected:
    """The phone of this request: by which link, for which case."""

    link_id: UUID
    case_id: UUID
    customer_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class WayBack:
    """Back to the host system: an address agreed for its key, and the name by which people know it."""

    address: str
    host: str


# --- The session


def sign_in(customer_id: UUID, *, return_to: str | None = None, language: str | None = None) -> None:
    """Start a fresh session: nothing that was set before survives but the language, and for the same customer her unsent
    choices and the token of her forms, so that a page which is still open in another tab can be sent.

    `return_to`: where the host system wants her back. `language`: that she speaks there, before whatever was chosen here.
    """
    before: dict[str, Any] = {key: session[key] for key in ("locale", "plan", "csrf_token") if key in session}
    former = session.get("customer") or session.get("former")
    with database().transaction() as db:
        hers = former is not None and customer_sessions.owner(db, UUID(former)) == customer_id
        if former is not None:
            customer_sessions.end(db, UUID(former), now=now())
        number = customer_sessions.begin(db, customer_id, now=now(), return_to=return_to)
    if language is not None:
        before["locale"] = language
    if not hers:
        before.pop("csrf_token", None)
    if (before.get("plan") or {}).get("customer") != str(customer_id):
        before.pop("plan", None)
    session.clear()
    session.update(before, customer=str(number), look_for_unsent=1)


def sign_in_phone(link: DeviceLink) -> None:
    """Start the session of a connected phone: the key is another one, so nothing takes it for the customer's own."""
    before = {key: session[key] for key in ("locale", "phone_key", "opening") if key in session}
    session.clear()
    session.update(before, phone=str(link.id))


def sign_out() -> None:
    """End the session on this device and for every copy of its cookie; the language stays and nothing else."""
    number = session.get("customer") or session.get("former")
    if number is not None:
        with database().transaction() as db:
            customer_sessions.end(db, UUID(number), now=now())
    _forget_all_but("locale")


def _fall_asleep() -> None:
    """The session is over because nothing happened: what she chose and the token of her forms wait for her (see `sign_in`)."""
    number = session.get("customer")
    _forget_all_but("locale", "plan", "csrf_token")
    if number is not None:
        session["former"] = number


def _forget_all_but(*keys: str) -> None:
    left = {key: session[key] for key in keys if key in session}
    session.clear()
    session.update(left)


def know_customer() -> Any:
    """Set `g.customer_id` and the account's language from the session, if there is a living one; `g.connected` on her phone.

    A form that comes just after the end is kept, and answered with the way back to it.
    """
    g.customer_id = g.connected = None
    if request.endpoint in (None, "static", "healthz") or not session.keys() & {"customer", "phone"}:
        return None
    try:
        number = UUID(session["customer"] if "customer" in session else session["phone"])
    except (TypeError, ValueError, AttributeError):
        _forget_all_but("locale")
        return None
    return _know_her(number) if "customer" in session else _know_phone(number)


def _know_her(number: UUID) -> Any:
    """Her own session, by its row."""
    moment = now()
    with database().reading() as db:
        row = customer_sessions.find(db, number)
        seen = max(row.seen_at, _seen_on_phone(db, row.customer_id) or row.seen_at) if row is not None else moment
        locale = db.scalar(select(Customer.locale).where(Customer.id == row.customer_id)) if row is not None else None
    if row is None:
        if request.endpoint not in QUIET:
            _forget_all_but("locale")
        return None
    too_old = moment - row.began_at > ABSOLUTE
    if too_old or moment - seen > IDLE:
        g.session_ended = True
        source = Source(number=row.id, began=row.began_at)
        was_kept = not too_old and moment - seen <= kept.WITHIN and kept.keep(row.customer_id, source)
        if request.endpoint in QUIET:
            return None
        _fall_asleep()
        if request.method == "POST" and request.blueprint == "portal":
            return door_for_ended(request.path if was_kept else None, lost=not was_kept)
        return None
    g.account_locale, g.customer_id = locale, row.customer_id
    g.customer_session = row.id
    if request.endpoint not in POLLS and moment - row.seen_at >= customer_sessions.SIGN_OF_LIFE:
        with database().transaction() as db:
            customer_sessions.seen(db, row.id, now=moment)
    if request.method == "GET" and request.blueprint == "portal" and request.endpoint not in QUIET:
        return _led_elsewhere()
    return None


@entrance.app_template_global("way_back")
def way_back() -> WayBack | None:
    """Where this customer came from, if the host system said where it wants her back; nothing on a phone that only helps."""
    number = g.get("customer_session")
    if number is None or g.get("customer_id") is None:
        return None
    with database().reading() as db:
        row = customer_sessions.find(db, number)
        address = customer_sessions.way_back(db, row) if row is not None else None
    return WayBack(address=address, host=urlsplit(address).hostname or "") if address else None


def _seen_on_phone(db: Session, customer_id: UUID) -> datetime | None:
    """The last sign of the phone that was connected from this browser: who photographs there has not gone away from here."""
    handed_over = session.get("handover")
    link = device_links.connected(db, UUID(handed_over[0])) if handed_over else None
    return link.seen_at if link is not None and link.customer_id == customer_id else None


def _know_phone(number: UUID) -> Any:
    """The session of a connected phone, by its link."""
    moment = now()
    with database().transaction() as db:
        link = device_links.connected(db, number)
        if link is not None:
            assert link.confirmed_at is not None and link.seen_at is not None
            too_old, idle = moment - link.confirmed_at > ABSOLUTE, moment - link.seen_at
            if not too_old and idle <= IDLE:
                g.connected = Connected(link_id=link.id, case_id=link.case_id, customer_id=link.customer_id)
                g.account_locale = db.scalar(select(Customer.locale).where(Customer.id == link.customer_id))
                if request.endpoint in PHONE_MAY:
                    device_links.seen(db, link, now=moment)
    if g.connected is None:
        g.phone_ended = True
        if link is not None and link.confirmed_at is not None and not too_old and idle <= kept.WITHIN:
            source = Source(number=link.id, began=link.confirmed_at, phone=True)
            kept.keep(link.customer_id, source, of_case=link.case_id)
        if request.endpoint in QUIET:
            return None
        _forget_all_but("locale")
        return redirect(url_for("portal.phone_gone"), 303) if request.method == "POST" else None
    if request.endpoint in PHONE_MAY:
        g.customer_id = g.connected.customer_id
    if request.method == "GET" and request.blueprint == "portal":
        return _led_elsewhere()
    return None


def _led_elsewhere() -> Any:
    """A connected phone has another first page; who has just signed in finds what she sent too late, if anything."""
    if g.connected is not None:
        return redirect(url_for("portal.phone_here"), 303) if request.endpoint == "portal.home" else None
    if session.pop("look_for_unsent", None):
        with database().reading() as db:
            if unsent_forms.find(db, g.customer_id, now=now()) is not None:
                return redirect(url_for("portal.unsent"), 303)
    return None


def door_for_ended(back: str | None, *, lost: bool = False) -> Any:
    """Say that the session ended, and whether what was just sent is `lost`; lead to the door."""
    if lost:
        flash(_("Your session had ended before this arrived, so it was not used. Please sign in and repeat the last step."))
    else:
        flash(_("Your session ended because nothing happened for a while. What you entered is kept."))
    return redirect(url_for("entrance.door", next=back), 303)


def signed_in(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let only a signed-in customer in; others are shown the door and come back to the same page."""

    @wraps(view)
    def inner(*args: Any, **kwargs: Any) -> Any:
        if g.customer_id is None:
            back = request.path if request.method == "GET" else None
            if g.get("phone_ended"):
                return redirect(url_for("portal.phone_gone"), 303)
            if g.get("connected"):
                return redirect(url_for("portal.phone_here"), 303) if request.method == "GET" else abort(403)
            ended = g.get("session_ended") and request.endpoint not in QUIET
            return door_for_ended(back) if ended else redirect(url_for("entrance.door", next=back), 303)
        return view(*args, **kwargs)

    return inner


def own_case(db: Session, case_id: UUID) -> Case:
    """Return the case if it is this customer's; for everybody else it does not exist. The only such check of the portal."""
    case = db.get(Case, case_id)
    if case is None or case.customer_id != g.customer_id or (g.connected and g.connected.case_id != case.id):
        abort(404)
    return case


def customer_owns_case(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let a view with `case_id` in its address run for the owner of that case only."""

    @wraps(view)
    def inner(case_id: UUID, *args: Any, **kwargs: Any) -> Any:
        with database().reading() as db:
            own_case(db, case_id)
        return view(case_id, *args, **kwargs)

    return signed_in(inner)


# --- Doors


@entrance.get("/sign-in")
def door() -> Any:
    """Where a customer comes in: through her lender's own application, or, in demo mode, as a persona."""
    if g.customer_id is not None:
        return redirect(own_path(request.args.get("next")), 303)
    to_try = demo.typed(settings().data_dir) if settings().mode is Mode.DEMO else {}
    return render_template("portal/door.html", personas=personas(), to_try=to_try, next=own_path(request.args.get("next")))


@entrance.post("/sign-in")
def play() -> Any:
    """Come in as a persona. Exists in demo mode only."""
    if settings().mode is not Mode.DEMO:
        abort(404)
    with database().reading() as db:
        customer = db.scalar(select(Customer).where(Customer.external_id == request.form.get("persona", "")))
        if customer is None or not customer.external_id.startswith(demo.DEMO_PREFIX):
            abort(404)
        customer_id = customer.id
    sign_in(customer_id)
    log.info("signed_in", customer=str(customer_id), kind="demo")
    return redirect(own_path(request.form.get("next")), 303)


@entrance.get("/enter/<token>")
def hand_over(token: str) -> Any:
    """Ask for one tap before the link is used up: mail scanners and link previews only ever GET."""
    known = settings()
    page = {"token": token, "action": url_for(".enter"), "review_hours": known.review_hours, "photo_days": known.photo_days}
    return render_template("portal/enter.html", **page)


@entrance.post("/enter")
def enter() -> Any:
    """Use up the link and start a session; the token has left the address by now."""
    g.handed_over = None
    link = redeem("hand_over")
    if link is None:
        return render_template("portal/link_gone.html", language_next="/"), 410
    customer_id, case_id = link
    sign_in(customer_id, return_to=g.handed_over.return_to, language=g.handed_over.locale)
    log.info("signed_in", customer=str(customer_id), kind="hand_over")
    if case_id:
        return redirect(url_for("portal.status", case_id=case_id), 303)
    with database().reading() as db:
        known = db.scalar(select(exists().where(Case.customer_id == customer_id)))
    return redirect(url_for("portal.home" if known else "portal.reason"), 303)  # a newcomer has just read the start page


@entrance.get("/links/<token>")
def case_link(token: str) -> Any:
    """A link to one request, from a mail. Ask for one tap here as well."""
    return render_template("portal/case_link.html", token=token, state=None)


@entrance.post("/links")
def follow() -> Any:
    """Say how the request stands, and nothing about the person: a mailbox is weaker than the lender's own sign-in."""
    link = redeem("case")
    if link is None or link[1] is None:
        return render_template("portal/link_gone.html", language_next="/"), 410
    if link[0] == g.customer_id:
        return redirect(url_for("portal.status", case_id=link[1]), 303)
    with database().reading() as db:
        case = db.get_one(Case, link[1])
    return render_template("portal/case_link.html", token=None, state=case.state, case=case, language_next="/")


@entrance.post("/sign-out")
def leave() -> Any:
    """End the session on this device; say what is saved where there is something to come back to."""
    if g.get("connected"):
        with database().transaction() as db:
            device_links.end(db, g.connected.link_id, "left", now=now())
        sign_out()
        return redirect(url_for("portal.phone_gone"), 303)
    left = None
    if g.customer_id is not None:
        with database().reading() as db:
            case = db.scalars(select(Case).where(Case.customer_id == g.customer_id, Case.closed_at.is_(None))).first()
            if case is not None and case.state in (State.DRAFT, State.NEEDS_RETAKE):
                until = retention.kept_until(db, case)
                left = {"case": str(case.id), "until": until.date().isoformat(), "at": int(now().timestamp())}
    sign_out()
    if left is None:
        return redirect(url_for(".door"), 303)
    session["left"] = left  # an id and two times: enough to write to her that it is saved, and for nothing else
    return redirect(url_for("portal.saved"), 303)


@entrance.post("/session")
@signed_in
def stay() -> Any:
    """Sent by portal.js while she types: typing is a sign of life too."""
    return "", 204


def redeem(purpose: str) -> tuple[UUID, UUID | None] | None:
    """Redeem the token of this form. None when it is unknown, used or too old; 429 after too many such from one address."""
    try:
        with database().transaction() as db:
            link = customers.redeem_link(db, request.form.get("token", ""), purpose, now=now())
            g.handed_over = handovers.read(db, link)
            return link.customer_id, link.case_id
    except (customers.LinkUnknown, customers.LinkExpired) as error:
        refused_link(purpose, error)
        return None


def refused_link(purpose: str, error: Exception) -> None:
    """Count a link that did not work. Only those count: whole networks of phones share one address."""
    log.info("link_refused", kind=purpose, error=type(error).__name__)
    with database().transaction() as db:
        allowed = throttles.hit(db, "link", request.remote_addr or "", limit=LINK_TRIES, window=LINK_WINDOW, now=now())
    if not allowed:
        too_many_requests(LINK_WINDOW)


def too_many_requests(wait: timedelta) -> NoReturn:
    """Answer 429 with the time to wait."""
    raise TooManyRequests(retry_after=int(wait.total_seconds()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Persona:
    """A person of the demo, as the door shows her."""

    id: str
    name: str
    initials: str
    about: str


def personas() -> list[Persona]:
    """The demo's people, in the order they were made. Empty outside demo mode."""
    if settings().mode is not Mode.DEMO:
        return []
    about = {
        "approve": _("Asked for a change that the computer may decide"),
        "refer": _("Asked for a change that a person has to look at"),
        "retake": _("Sent a photo that has to be taken again"),
        "fresh": _("Has not asked for anything yet"),
    }
    out = []
    with database().reading() as db:
        found = db.scalars(
            select(Customer)
            .where(Customer.external_id.startswith(demo.DEMO_PREFIX))
            .order_by(Customer.created_at, Customer.external_id)
        )
        for customer in found:
            values = customers.current_profile(db, customer)[0].values
            names = [n for n in (values.get(Field.GIVEN_NAMES), values.get(Field.SURNAME)) if n]
            out.append(
                Persona(
                    id=customer.external_id,
                    name=" ".join(n.title() for n in names),
                    initials="".join(n[0].upper() for n in names),
                    about=about.get(customer.external_id.removeprefix(demo.DEMO_PREFIX).split("_")[0], about["fresh"]),
                )
            )
    return out
