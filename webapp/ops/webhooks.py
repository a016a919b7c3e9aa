"""Webhooks: endpoints of the host system, how well they take what they are told, each delivery, replay."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import webhooks
from cases.staff import NotAllowed
from webapp.context import database, now
from webapp.ops.hook_words import code_words, outcome_words, problem_words, why_off_words
from webapp.ops.queues import ago
from webapp.ops.steps import refused_page
from webapp.ops.surface import ops
from webapp.security import needs, row

HERE = "ops.webhooks_page"

PAGE = 50
"""Deliveries on one page."""

SINCE = {"1": timedelta(hours=1), "24": timedelta(days=1), "72": timedelta(days=3), "720": webhooks.KEPT}
"""From when on what failed may be sent again, by hours."""

OVERLAPS = {"0": timedelta(0), "24": timedelta(days=1), "168": timedelta(days=7)}
"""How long an old secret goes on signing, by hours."""


@ops.get("/webhooks")
@needs("see_integration")
def webhooks_page() -> ResponseReturnValue:
    """Every endpoint, how it does, and what was delivered."""
    return _page()


@ops.post("/webhooks")
@needs("manage_integration")
def add_webhook() -> ResponseReturnValue:
    """Add an endpoint and show its secret, this once."""
    given = {"url": request.form.get("url", "").strip(), "mode": request.form.get("mode", "live")}
    kinds = request.form.getlist("kinds")
    try:
        with database().transaction() as db:
            added, secret = webhooks.create(db, **given, kinds=kinds, by=row(db), now=now())
            endpoint_id = added.id
    except NotAllowed:
        abort(403)
    except webhooks.BadEndpoint as bad:
        problems = {bad.field: problem_words(bad.code)}
        return _page(given={**given, "kinds": kinds}, problems=problems), 422
    return _page(secret=secret, secret_of=endpoint_id), 201


@ops.post("/webhooks/<uuid:endpoint_id>/change")
@needs("manage_integration")
def change_webhook(endpoint_id: UUID) -> ResponseReturnValue:
    """Another address or other events."""
    seen = request.form.get("version", "")
    version = int(seen) if seen.isdecimal() and len(seen) < 10 else -1  # of no page of ours: stale, like any other version
    try:
        with database().transaction() as db:
            webhooks.change(
                db, endpoint_id, by=row(db), now=now(), url=request.form.get("url", ""), kinds=request.form.getlist("kinds"),
                if_version=version,
            )  # fmt: skip
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    except webhooks.Stale:
        return refused_page(_("Somebody else has changed this endpoint meanwhile. Please look at it again."), HERE), 409
    except webhooks.BadEndpoint as bad:
        return refused_page(problem_words(bad.code), HERE), 422
    return _back(_("The endpoint was changed."))


@ops.post("/webhooks/<uuid:endpoint_id>/<any(on, off):how>")
@needs("manage_integration")
def switch_webhook(endpoint_id: UUID, how: str) -> ResponseReturnValue:
    """Stop telling it anything, or begin again."""
    on = how == "on"
    return _do(
        lambda db: webhooks.change(db, endpoint_id, by=row(db), now=now(), enabled=on),
        said=_("The endpoint is on. What it missed can be sent again.") if on else _("The endpoint is off."),
    )


@ops.post("/webhooks/<uuid:endpoint_id>/secret")
@needs("manage_integration")
def new_webhook_secret(endpoint_id: UUID) -> ResponseReturnValue:
    """Make a new secret and show it, this once."""
    overlap = OVERLAPS.get(request.form.get("overlap", ""))
    if overlap is None:
        return refused_page(_("Please choose from the list."), HERE), 422
    try:
        with database().transaction() as db:
            secret = webhooks.rotate(db, endpoint_id, by=row(db), now=now(), overlap=overlap)
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    return _page(secret=secret, secret_of=endpoint_id), 201


@ops.post("/webhooks/<uuid:endpoint_id>/remove")
@needs("manage_integration")
def remove_webhook(endpoint_id: UUID) -> ResponseReturnValue:
    """Take an endpoint away for good."""
    return _do(lambda db: webhooks.remove(db, endpoint_id, by=row(db), now=now()), said=_("The endpoint was removed."))


@ops.post("/webhooks/<uuid:endpoint_id>/test")
@needs("manage_integration")
def test_webhook(endpoint_id: UUID) -> ResponseReturnValue:
    """Send a test event; how it went stands among the deliveries a moment later."""
    return _do(
        lambda db: webhooks.send_test(db, endpoint_id, by=row(db), now=now()),
        said=_("A test event is on its way; below you see in a moment how it went."),
    )


@ops.post("/webhooks/<uuid:endpoint_id>/replay")
@needs("manage_integration")
def replay_webhooks(endpoint_id: UUID) -> ResponseReturnValue:
    """Send again all that failed since a time."""
    since = SINCE.get(request.form.get("since", ""))
    if since is None:
        return refused_page(_("Please choose how far to look back."), HERE), 422
    sent: list[int] = []
    answer = _do(
        lambda db: sent.append(webhooks.replay_failed(db, endpoint_id, since=now() - since, by=row(db), now=now())), said=None
    )
    if sent:
        flash(ngettext("One delivery is sent again.", "%(num)s deliveries are sent again.", sent[0]))
    return answer


@ops.get("/webhooks/deliveries/<uuid:delivery_id>")
@needs("see_integration")
def webhook_delivery(delivery_id: UUID) -> ResponseReturnValue:
    """One delivery: its body, its tries."""
    with database().reading() as db:
        try:
            found = webhooks.delivery(db, delivery_id, by=row(db))
        except NoResultFound:
            abort(404)
        body = json.dumps(json.loads(found.body), indent=2, ensure_ascii=False)
        return render_template(
            "ops/webhook_delivery.html",
            d=found,
            body=body,
            now=now(),
            ago=ago,
            code_words=code_words,
            outcome_words=outcome_words,
        )


@ops.post("/webhooks/deliveries/<uuid:delivery_id>/replay")
@needs("manage_integration")
def replay_webhook(delivery_id: UUID) -> ResponseReturnValue:
    """Send one again."""
    return _do(lambda db: webhooks.replay(db, delivery_id, by=row(db), now=now()), said=_("The delivery is sent again."))


def _do(step: Callable[[Session], Any], *, said: str | None) -> ResponseReturnValue:
    """Do one thing to an endpoint, or say why that is no use."""
    try:
        with database().transaction() as db:
            step(db)
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    except webhooks.EndpointDisabled:
        return refused_page(_("This endpoint is off; nothing is sent to it. Switch it on first."), HERE), 409
    except webhooks.StillWaiting:
        return refused_page(_("This delivery is still being tried; it need not be asked for again."), HERE), 409
    return _back(said)


def _back(said: str | None) -> ResponseReturnValue:
    if said:
        flash(said)
    return redirect(url_for(HERE), 303)


def _page(
    *,
    secret: str | None = None,
    secret_of: UUID | None = None,
    given: dict[str, Any] | None = None,
    problems: dict[str, str] | None = None,
) -> str:
    wanted = {name: request.args.get(name) or None for name in ("endpoint", "kind", "outcome", "case", "after")}
    ids = {name: _uuid(wanted[name]) for name in ("endpoint", "case", "after")}
    kind = wanted["kind"] if wanted["kind"] in (*webhooks.KINDS, webhooks.TEST) else None
    outcome = wanted["outcome"] if wanted["outcome"] in webhooks.OUTCOMES else None
    moment = now()
    with database().reading() as db:
        by = row(db)
        endpoints = webhooks.endpoints(db, by=by, limit=2 * webhooks.MOST_ENDPOINTS)
        found = webhooks.deliveries(
            db, by=by, endpoint_id=ids["endpoint"], kind=kind, case_id=ids["case"], outcome=outcome, after=ids["after"],
            limit=PAGE + 1,
        )  # fmt: skip
        addresses = {one.endpoint_id: one.endpoint.url for one in found}
        return render_template(
            "ops/webhooks.html",
            now=moment,
            endpoints=endpoints,
            health=webhooks.health(db, [one.id for one in endpoints], now=moment),
            deliveries=found[:PAGE],
            more=len(found) > PAGE,
            addresses=addresses,
            wanted={**wanted, "kind": kind, "outcome": outcome},
            filtered=any((ids["endpoint"], kind, outcome, ids["case"], ids["after"])),
            kinds=webhooks.KINDS,
            test=webhooks.TEST,
            outcomes=tuple(webhooks.OUTCOMES),
            secret=secret,
            secret_of=secret_of,
            given=given or {"url": "", "mode": "live", "kinds": list(webhooks.KINDS)},
            problems=problems or {},
            ago=ago,
            code_words=code_words,
            outcome_words=outcome_words,
            why_off_words=why_off_words,
        )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
