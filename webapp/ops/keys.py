"""Keys of the host system: who may ask us what. A token is shown on the page that answers the form, and never again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from cases import api_keys
from cases.host_tables import ApiKey
from cases.models import Staff
from webapp.context import database, now, settings
from webapp.ops.surface import ops
from webapp.security import needs, row

HERE = "ops.keys_page"

ENDS = ("90", "365", "")
"""Days until a new key ends, as the form offers them; "" never."""

OVERLAPS = ("24", "168", "1", "0")
"""Hours for which a replaced key works on; 0 for one that was lost to somebody."""


@ops.get("/keys")
@needs("manage_keys")
def keys_page() -> ResponseReturnValue:
    """Every key, and the form for another."""
    return _page()


@ops.post("/keys")
@needs("manage_keys")
def make_key() -> ResponseReturnValue:
    """Make a key and show its token, once."""
    form = request.form
    days = form.get("days", "")
    moment = now()
    problems = _problems()
    if problems:
        return _page(problems=problems, typed=form), 422
    try:
        with database().transaction() as db:
            made, token = api_keys.create(
                db,
                name=form.get("name", ""),
                mode=form.get("mode", ""),
                scopes=form.getlist("scope"),
                return_origins=form.get("origins", "").split(),
                by=row(db),
                now=moment,
                expires_at=moment + timedelta(days=int(days)) if days else None,
            )
    except ValueError:
        return _page(problems={"form": _("This cannot be a key. Please look at what you entered.")}, typed=form), 422
    return _page(token=token, name=made.name)


@ops.post("/keys/<uuid:key_id>/rotate")
@needs("manage_keys")
def rotate_key(key_id: UUID) -> ResponseReturnValue:
    """Make a successor and show its token, once."""
    hours = request.form.get("hours", "")
    if hours not in OVERLAPS:
        return _page(problems={"form": _("Please choose how long the old key works on.")}), 422
    try:
        with database().transaction() as db:
            made, token = api_keys.rotate(db, key_id, by=row(db), now=now(), overlap=timedelta(hours=int(hours)))
    except LookupError:
        raise NotFound from None
    except ValueError:
        return _page(problems={"form": _("This key works no more. Make a new one.")}), 409
    return _page(token=token, name=made.name)


@ops.post("/keys/<uuid:key_id>/revoke")
@needs("manage_keys")
def revoke_key(key_id: UUID) -> ResponseReturnValue:
    """End a key at once."""
    try:
        with database().transaction() as db:
            api_keys.revoke(db, key_id, by=row(db), now=now())
    except LookupError:
        raise NotFound from None
    flash(_("The key is revoked. Nothing is answered to it any more."))
    return redirect(url_for(HERE), 303)


def _problems() -> dict[str, str]:
    """What is wrong with the form of a new key, by its field, in the reader's words."""
    form, found = request.form, {}
    name = " ".join(form.get("name", "").split())
    if not name or len(name) > api_keys.LONGEST_NAME:
        found["name"] = _("Give it a name of up to %(number)s letters.", number=api_keys.LONGEST_NAME)
    if form.get("mode") not in api_keys.MODES:
        found["mode"] = _("Choose live or test.")
    elif not form.getlist("scope"):
        found["scope"] = _("Choose at least one right.")
    elif form["mode"] == "live" and api_keys.TEST_ONLY & set(form.getlist("scope")):
        found["scope"] = _("The sandbox is for test keys only.")
    for origin in form.get("origins", "").split():
        if _fails(lambda origin=origin: api_keys.origin_of(origin, mode=form.get("mode", ""))):
            found["origins"] = _("Each is https:// and a host, without a path; a test key may also name http://localhost.")
    if form.get("days", "") not in ENDS:
        found["days"] = _("Choose when it ends.")
    return found


def _fails(check: Callable[[], Any]) -> bool:
    try:
        check()
    except ValueError:
        return True
    return False


def _page(*, token: str | None = None, name: str = "", problems: dict[str, str] | None = None, typed: Any = None) -> str:
    moment = now()
    with database().reading() as db:
        found = api_keys.every(db)
        names = _makers(db, found)
    return render_template(
        "ops/keys.html",
        keys=found,
        names=names,
        works=lambda key: api_keys.works(key, now=moment),
        soon=moment + timedelta(days=14),
        token=token,
        name=name,
        problems=problems or {},
        typed=typed,
        scopes=scope_words(),
        test_only=api_keys.TEST_ONLY,
        overlaps=overlap_words(),
        ends=end_words(),
        api_url=settings().api_url,
    )


def _makers(db: Session, found: list[ApiKey]) -> dict[UUID, str]:
    ids = {key.created_by_id for key in found if key.created_by_id}
    return dict(db.execute(select(Staff.id, Staff.name).where(Staff.id.in_(ids))).all()) if ids else {}


def scope_words() -> dict[str, str]:
    """What each scope allows, in the order of `api_keys.SCOPES`."""
    return {
        "customers:read": _("read customers’ details"),
        "customers:write": _("write customers and their face on file"),
        "cases:read": _("read requests and outcomes"),
        "cases:write": _("open and cancel requests"),
        "links:write": _("sign customers in by a link"),
        "privacy:write": _("export and erase people"),
        "webhooks:read": _("see webhooks"),
        "webhooks:write": _("set webhooks up"),
        "sandbox:write": _("play in the sandbox"),
    }


def overlap_words() -> dict[str, str]:
    """How long an old key works on."""
    return {
        "24": _("a day"), "168": _("a week"), "1": _("an hour"), "0": _("not at all: it was lost to somebody"),
    }  # fmt: skip


def end_words() -> dict[str, str]:
    """When a new key ends."""
    return {"90": _("in 90 days"), "365": _("in a year"), "": _("when it is revoked")}
