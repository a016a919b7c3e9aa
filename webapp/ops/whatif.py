"""What a draft would have decided on past runs, and the cases to look at before it is proposed.

Translates HTTP; `cases.replays` decides anew, keeps the report and says what has to be opened.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from flask import abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import policies, replays, throttles
from cases.ops_tables import ReplayReport
from verification.policy import THRESHOLDS
from verification.reasons import ReasonCode
from webapp.context import database, now
from webapp.ops import forms, replay_words
from webapp.ops.presenters import share_said
from webapp.ops.steps import version_or_404
from webapp.ops.surface import ops
from webapp.security import may, needs, row

SPANS = (7, 30, 90, replays.LONGEST_WINDOW.days)
"""Days that a replay may look back; the first only to see quickly, it counts for a proposal where there is nothing older."""

ONCE = timedelta(days=1)
"""How long the number of a form is remembered: sent twice, it starts one replay."""

LISTED = 200
"""Would-be wrong approvals on the page; those not opened come first, so the list moves on as they are opened."""


@ops.get("/what-if")
@needs("see_policies")
def what_if_newest() -> ResponseReturnValue:
    """The newest version's page: what somebody drafted last is what somebody weighs now."""
    with database().reading() as db:
        newest = policies.versions(db)[0].version
    return redirect(url_for("ops.what_if", version=newest), 303)


@ops.get("/policies/<int:version>/what-if")
@needs("see_policies")
def what_if(version: int) -> ResponseReturnValue:
    """The newest report of a version against the policy that holds, or how to make one."""
    return _what_if(version)


@ops.post("/policies/<int:version>/what-if")
@needs("propose_policy")
def replay_version(version: int) -> ResponseReturnValue:
    """Replay now, within this request, and keep the report. A form that was sent already starts nothing."""
    moment = now()
    with database().reading() as db:
        version_or_404(db, version)
        held = policies.current(db).version
    days = request.form.get("days", type=int)
    if days not in SPANS:
        return _what_if(version, problem=_("Please choose how far to look back.")), 422
    if held == version:
        return _what_if(version), 409
    with database().transaction() as db:
        about = f"{version} {request.form.get('once', '')[:64]}"
        first = throttles.hit(db, "what-if", about, limit=1, window=ONCE, now=moment)
    if not first:
        return _what_if(version, running=True), 409
    try:
        with database().reading() as db:
            found, wrong = replays.weigh(db, version, since=moment - timedelta(days=days), now=moment)
        with database().transaction() as db:
            replays.keep_report(db, found, wrong, by=row(db), now=moment)
    except policies.Outdated:
        return _what_if(version, problem=_("Another policy came to hold meanwhile. Please replay against that one.")), 409
    return redirect(url_for("ops.what_if", version=version), 303)


@ops.get("/policies/<int:version>/what-if/<uuid:report_id>/<uuid:case_id>")
@needs("see_policies")
def would_be_wrong(version: int, report_id: UUID, case_id: UUID) -> ResponseReturnValue:
    """One case that the draft would have approved and a person did not. Who may propose has now opened it."""
    try:
        with database().reading() as db:
            page = replays.wrong_page(db, report_id, case_id)
            if page.report.version != version:
                abort(404)
        if may("propose_policy") and page.wrong.opened_at is None:
            with database().transaction() as db:
                replays.open_wrong(db, report_id, case_id, by=row(db), now=now())
    except NoResultFound:
        abort(404)
    with database().reading() as db:
        following, left = replays.next_unopened(db, version), replays.seen(db, version, now=now())
    return render_template(
        "ops/wrong.html",
        page=page,
        version=version,
        rows=replay_words.measured(page),
        words=replay_words,
        following=following,
        left=left,
        desk="desk.case" if may("see_case") and "desk.case" in current_app.view_functions else "",
    )


def _what_if(version: int, *, problem: str = "", running: bool = False) -> str:
    with database().reading() as db:
        versions = policies.versions(db)
        shown = next((v for v in versions if v.version == version), None)
        if shown is None:
            abort(404)
        held = next(v for v in versions if v.active)
        report = replays.attached(db, version) if shown is not held else None
        listed = replays.to_open(db, version) if report else []
        seen = replays.seen(db, version, now=now()) if shown is not held else None
        by = _by(db, report)
    found = replays.of(report) if report else None
    return render_template(
        "ops/whatif.html",
        version=shown,
        held=held,
        changes=forms.changes(held.policy, shown.policy),
        thresholds=THRESHOLDS,
        report=report,
        by=by,
        found=found,
        seen=seen,
        lack=replay_words.lack_said(seen.lack) if seen and seen.lack and report else "",
        wrongs=listed[:LISTED],
        listed=len(listed),
        opened=sum(1 for one in listed if one.opened_at is not None),
        flows=replay_words.flows(found) if found else [],
        picture=replay_words.picture(found) if found else None,
        shares=replay_words.shares(found) if found else [],
        reasons=[(ReasonCode(name), more, less) for name, more, less in found.reasons] if found else [],
        groups=replay_words.group_tables(found, replays.LEAST_GROUP) if found else [],
        words=replay_words,
        share_said=share_said,
        spans=SPANS,
        window=replays.LEAST_WINDOW.days,
        holds=replays.REPORT_HOLDS.days,
        days=SPANS[1] if seen and seen.lack else _days(report),
        least=replays.LEAST_GROUP,
        shift=round(replays.SHIFT * 100),
        most=replays.MOST_WRONG,
        once=uuid4().hex,
        running=running,
        problem=problem,
    )


def _days(report: ReplayReport | None) -> int:
    """The stretch that is chosen in the form: the last one, or the middle one."""
    told = round((report.until - report.since).total_seconds() / 86_400) if report else SPANS[1]
    return told if told in SPANS else SPANS[1]


def _by(db: Session, report: ReplayReport | None) -> str:
    from cases.models import Staff

    return db.get_one(Staff, report.by_id).name if report else ""
