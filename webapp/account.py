"""The page "My account" of a member of staff: who she is here, how she signs in, her passkeys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec
from uuid import UUID

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import passkeys, sso
from webapp import passkeys as edge
from webapp import security
from webapp import sso as provider
from webapp.context import database, now, settings

FRESH = timedelta(minutes=15)
"""How long after signing in the ways to sign in may be changed: whoever finds a desk unlocked must not add one."""

P = ParamSpec("P")


def init_app(app: Flask) -> None:
    """Register the page and what its buttons do."""
    pages = Blueprint("account", __name__, url_prefix="/staff/account")
    pages.add_url_rule("", "page", of_staff(_page))
    pages.add_url_rule("/again", "again", of_staff(_again), methods=["POST"])
    pages.add_url_rule("/passkeys/begin", "begin", of_staff(_begin), methods=["POST"])
    pages.add_url_rule("/passkeys", "add", of_staff(_add), methods=["POST"])
    pages.add_url_rule("/passkeys/<uuid:passkey>/remove", "remove", of_staff(_remove), methods=["POST"])
    app.register_blueprint(pages)


def of_staff(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Serve the view to everybody who works here, whatever her roles; others are asked to sign in."""

    @wraps(view)
    def served(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        return view(*args, **kwargs) if security.signed_in() is not None else security.to_sign_in()

    return served


def fresh() -> bool:
    """Whether she signed in a moment ago."""
    return now() - datetime.fromisoformat(session["began"]) <= FRESH


def _page() -> ResponseReturnValue:
    """Who she is here."""
    member = security.signed_in()
    assert member is not None
    config = settings()
    with database().reading() as db:
        person = security.row(db)
        context = {
            "held": passkeys.of(db, member.id),
            "linked": bool(config.oidc_issuer) and sso.linked(db, member.id, config.oidc_issuer),
            "has_password": person.password is not None and sso.local_allowed(config, member.email),
            "has_code": bool(person.tf_totp_secret),
        }
    way = {"sso": provider.name(), "passkey": _("passkey")}.get(session.get("way", ""), _("password"))
    began = datetime.fromisoformat(session["began"])
    more = {"fresh": fresh(), "way": way, "began": began, "most": passkeys.MOST, "name_length": passkeys.NAME_LENGTH}
    return render_template("security/account.html", member=member, **context, **more)


def _again() -> ResponseReturnValue:
    """Sign in anew, to come back here with a fresh session."""
    kept = session.get("locale")
    session.clear()
    if kept:
        session["locale"] = kept
    g.pop("csrf_token", None)
    return redirect(url_for("security.login", next=url_for("account.page")), 303)


def _begin() -> ResponseReturnValue:
    """Options for the browser to make a passkey."""
    member = security.signed_in()
    assert member is not None
    if not fresh() or not edge.possible():
        return {"error": "not_fresh"}, 403
    return edge.registration(member), 200, {"Content-Type": "application/json"}


def _add() -> ResponseReturnValue:
    """Keep the passkey that the browser made."""
    member = security.signed_in()
    assert member is not None
    if not fresh():
        return _back(_("Too long ago: please sign in again, then add the passkey."), "warn")
    typed = "".join(letter for letter in request.form.get("name", "") if letter.isprintable()).strip()
    try:
        edge.register(member, request.form.get("answer", ""), typed[: passkeys.NAME_LENGTH].strip() or _("Passkey"))
    except edge.Refused as refusal:
        too_late = refusal.why == "old"
        return _back(edge.texts("old")[1] if too_late else _("The browser's answer was not usable. Please try again."), "warn")
    except passkeys.TooMany:
        return _back(_("You have as many passkeys as there may be. Remove one first."), "warn")
    except passkeys.Taken:
        return _back(_("This passkey is on the list already."), "warn")
    return _back(_("The passkey was added. From now on you can sign in with it."))


def _remove(passkey: UUID) -> ResponseReturnValue:
    """Forget one of hers."""
    if not fresh():
        return _back(_("Too long ago: please sign in again, then remove the passkey."), "warn")
    try:
        with database().transaction() as db:
            person = security.row(db, lock=True)
            passkeys.remove(db, person, passkey, provider_factor=provider.asks_second_factor(), now=now())
    except passkeys.LastWay:
        return _back(_("This is your only second factor. Add another passkey first, then remove this one."), "warn")
    return _back(_("The passkey was removed. Remember to delete it on your device as well."))


def _back(message: str, kind: str = "message") -> ResponseReturnValue:
    flash(message, kind)
    return redirect(url_for("account.page"), 303)
