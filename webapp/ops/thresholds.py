"""The editor of thresholds: a new version of the policy, which does not hold yet, over what was measured lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from cases import calibration, policies
from cases.distributions import SCALES, Ending
from verification.calibration import shipped_errors
from verification.policy import SHIPPED, THRESHOLDS
from webapp.context import database, now
from webapp.ops import charts, forms, past_runs, presenters
from webapp.ops.steps import version_or_404
from webapp.ops.surface import ops
from webapp.security import needs, row

OWN_SHOWN = 2_000
"""Newest labelled pairs whose errors are counted at a line."""


@ops.get("/policies/draft")
@needs("propose_policy")
def policy_draft() -> ResponseReturnValue:
    """The editor, filled with the policy that holds or with the version asked for."""
    with database().reading() as db:
        held = policies.current(db)
        start = version_or_404(db, request.args.get("from", type=int)) or held
    return _editor(start=start, held=held, typed=MultiDict(), problems={}, reason="")


@ops.post("/policies/draft")
@needs("propose_policy")
def policy_draft_save() -> ResponseReturnValue:
    """Keep a new version, which does not hold yet; or, asked by `show` or `step`, draw the page anew and keep nothing."""
    form = request.form.copy()
    looking = "show" in form or "step" in form
    if "step" in form:
        name, _colon, way = form["step"].partition(":")
        if name not in THRESHOLDS or forms.kind_of(THRESHOLDS[name]) != "number" or way not in ("up", "down"):
            abort(400)
        form[name] = str(forms.stepped(name, forms.shown_number(name, form, getattr(SHIPPED, name)), way == "up"))
    policy, problems = forms.read_policy(form)
    with database().reading() as db:
        held = policies.current(db)
    if looking:
        page = _editor(start=policy or held, held=held, typed=form, problems=problems, reason=form.get("reason", ""))
        return page, 422 if problems else 200
    reason, wrong = forms.read_reason(form)
    if wrong:
        problems["reason"] = wrong
    if policy is not None and not forms.changes(held, policy):
        problems["same"] = _("Nothing differs from the policy that holds now.")
    if problems or policy is None:
        return _editor(start=policy or held, held=held, typed=form, problems=problems, reason=reason), 422
    with database().transaction() as db:
        number = policies.draft(db, policy, author=row(db), reason=reason, now=now()).version
    flash(_("Kept as version %(number)s. It does not hold yet.", number=number))
    return redirect(url_for("ops.policy_page", version=number), 303)


@dataclass(frozen=True, kw_only=True)
class LastChange:
    """Who last moved a setting of the policy that holds, when, and from what to what."""

    by: str | None
    at: datetime
    was: str
    now: str
    version: int


def last_changes(versions: list[policies.VersionRow]) -> dict[str, LastChange]:
    """The newest change of each setting among the versions that held; settings that never changed are left out."""
    by_number = {v.version: v for v in versions}
    held = sorted((a.effective_at, a.id, a) for v in versions for a in v.activations if a.effective_at is not None)
    found: dict[str, LastChange] = {}
    for (_was_at, _was_id, before), (at, _id, after) in pairwise(held):
        old, new = by_number[before.version].policy, by_number[after.version].policy
        for name in THRESHOLDS:
            if not forms.same(getattr(old, name), getattr(new, name)):
                found[name] = LastChange(
                    by=after.proposed_by,
                    at=at,
                    was=forms.said(name, getattr(old, name), units=False),
                    now=forms.said(name, getattr(new, name), units=False),
                    version=after.version,
                )
    return found


def _editor(*, start: Any, held: Any, typed: MultiDict[str, str], problems: dict[str, str], reason: str) -> str:
    with database().reading() as db:
        runs = past_runs.recent(db)
        faces = calibration.standing_calibration(db)
        own = list(islice(calibration.labelled_pairs(db), OWN_SHOWN))
        versions = policies.versions(db)
    errors = shipped_errors()
    values = {
        name: forms.shown_number(name, typed, getattr(start, name))
        for name, about in THRESHOLDS.items()
        if forms.kind_of(about) == "number"
    }
    drawn = {}
    for name in SCALES:
        lines = [name, "differ_below"] if name in charts.FACE_LINES else [name]
        drawn[name] = charts.chart(
            runs,
            name,
            lines=[(n, values[n], float(THRESHOLDS[n].low or 0), float(THRESHOLDS[n].high or 0)) for n in lines],
            held=getattr(held, name),
            upper=name.startswith("max_"),
            errors=errors,
            calibration=faces,
            own=own,
        )
    return render_template(
        "ops/draft.html", start=start, held=held, shipped=SHIPPED, thresholds=THRESHOLDS, groups=forms.GROUPS, forms=forms,
        choice_name=presenters.choice_name, typed=typed, problems=problems, reason=reason, runs=runs, drawn=drawn,
        det=charts.det(errors, values), endings=list(Ending), ending_name=ending_name, condition_name=condition_name,
        last=last_changes(versions), changes=[] if problems else forms.changes(held, start), geometry=charts,
    )  # fmt: skip


def ending_name(ending: Ending) -> str:
    """What became of runs, in words."""
    return {
        Ending.AUTO_APPROVED: _("approved by the machine"),
        Ending.AGENT_APPROVED: _("approved by an agent"),
        Ending.AGENT_REJECTED: _("refused by an agent"),
        Ending.OVERTURNED: _("approved, overturned later"),
        Ending.OPEN: _("open or photographed again"),
    }[ending]


def condition_name(condition: str) -> str:
    """What two faces were compared, in words."""
    return {
        "clean": _("photo against photo"),
        "printed": _("photo against print"),
        "poor": _("photo against a poor print"),
    }.get(condition, condition)
