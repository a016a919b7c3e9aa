"""Who is here: hand-over from the host system, the demo's door, the customer's session, and whose case it is.

A customer never has a password with us. Her session is a signed cookie with her id and two times; what she has typed
lies in the draft case on the server, and what she sends just after the end is kept there (`kept`), so a session that
ends loses nothing. A phone that was connected by a link (`handover`) has a session of its own kind: it is known for the
few pages of PHONE_MAY and its one case; for every other page it is a stranger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, NoReturn
from uuid import UUID

from flask import Blueprint, abort, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import TooManyRequests

from cases import customers, device_links, retention, throttles, unsent_forms
from cases.lifecycle import State
from cases.models import Case, Customer, DeviceLink
from cases.settings import Mode
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


# --- The session


def sign_in(customer_id: UUID) -> None:
    """Start a fresh session: nothing that was set before survives but the language, and her own unsent choices."""
    kept_locale, plan = session.get("locale"), session.get("plan")
    session.clear()
    moment = int(now().timestamp())
    session.update(customer=str(customer_id), customer_since=moment, customer_seen=moment)
    if kept_locale:
        session["locale"] = kept_locale
    if plan and plan.get("customer") == str(customer_id):
        session["plan"] = plan
    session["look_for_unsent"] = 1


def sign_in_phone(link: DeviceLink) -> None:
    """Start the session of a connected phone: the key is another one, so nothing takes it for the customer's own."""
    kept_locale = session.get("locale")
    session.clear()
    moment = int(now().timestamp())
    session.update(phone=str(link.id), customer_since=moment, customer_seen=moment)
    if kept_locale:
        session["locale"] = kept_locale


def sign_out() -> None:
    """End the session; the language and unsent choices stay (the latter are hers alone, see `sign_in`)."""
    kept = {key: session[key] for key in ("locale", "plan") if key in session}
    session.clear()
    session.update(kept)


def know_customer() -> Any:
    """Set `g.customer_id` and the account's language from the session, if there is a living one; `g.connected` on her phone.

    A form that comes just after the end is kept, and answered with the way back to it.
    """
    g.customer_id = g.connected = None
    if request.endpoint in (None, "static", "healthz") or not session.keys() & {"customer", "phone"}:
        return None
    moment = now()
    try:
        since, seen = (datetime.fromtimestamp(int(session[key]), UTC) for key in ("customer_since", "customer_seen"))
        customer_id = UUID(session["customer"]) if "customer" in session else None
        link_id = UUID(session["phone"]) if customer_id is None else None
    except (KeyError, TypeError, ValueError):
        sign_out()
        return None
    ended = moment - seen > IDLE or moment - since > ABSOLUTE
    if link_id is not None:
        with database().transaction() as db:
            link = device_links.connected(db, link_id)
            customer_id = link.customer_id if link is not None else None
            if link is not None and not ended:
                g.connected = Connected(link_id=link.id, case_id=link.case_id)
                if request.endpoint in PHONE_MAY:
                    device_links.seen(db, link, now=moment)
        if g.connected is None:
            if customer_id is not None:
                kept.keep(customer_id)
            sign_out()
            g.phone_ended = True
            return redirect(url_for("portal.phone_gone"), 303) if request.method == "POST" else None
    assert customer_id is not None
    if ended:
        was_kept = kept.keep(customer_id)
        sign_out()
        g.session_ended = True
        if request.method == "POST" and request.blueprint == "portal":
            return door_for_ended(request.path if was_kept else None)
        return None
    with database().reading() as db:
        account_locale = db.scalar(select(Customer.locale).where(Customer.id == customer_id))
    if account_locale is None:
        sign_out()
        return None
    g.account_locale = account_locale
    if g.connected is None or request.endpoint in PHONE_MAY:
        g.customer_id = customer_id
    if request.endpoint not in POLLS:
        session["customer_seen"] = int(moment.timestamp())
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


def door_for_ended(back: str | None) -> Any:
    """Say that the session ended, and lead to the door."""
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
            return door_for_ended(back) if g.get("session_ended") else redirect(url_for("entrance.door", next=back), 303)
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
    return render_template("portal/enter.html", token=token, action=url_for(".enter"))


@entrance.post("/enter")
def enter() -> Any:
    """Use up the link and start a session; the token has left the address by now."""
    link = redeem("hand_over")
    if link is None:
        return render_template("portal/link_gone.html", language_next="/"), 410
    customer_id, case_id = link
    sign_in(customer_id)
    log.info("signed_in", customer=str(customer_id), kind="hand_over")
    return redirect(url_for("portal.status", case_id=case_id) if case_id else url_for("portal.home"), 303)


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
