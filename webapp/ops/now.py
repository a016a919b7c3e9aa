"""The state of automatic decisions and the figures of the last day. The safe direction is fast, the loose one slow."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import calibration, policies, queries
from webapp.context import database, now
from webapp.ops import forms, presenters
from webapp.ops.steps import carry_out
from webapp.ops.surface import ops
from webapp.security import needs, row


@ops.get("")
@needs("see_figures")
def now_page() -> ResponseReturnValue:
    """State of automatic decisions and the figures of the last day."""
    return _now_page()


def _now_page(problem: str | None = None, reason: str = "") -> str:
    moment = now()
    with database().reading() as db:
        switches = policies.switches(db, limit=8)
        return render_template(
            "ops/now.html",
            now=moment,
            to_people=policies.everything_to_people(db),
            policy=policies.current(db),
            switches=switches,
            pending=next((s for s in switches if s.pending and not s.to_people), None),
            figures=queries.ops_now(db, now=moment),
            own_calibration=calibration.current(db),
            words=presenters,
            problem=problem,
            reason=reason,
        )


@ops.post("/everything-to-people")
@needs("stop_automation")
def switch_on() -> ResponseReturnValue:
    """Send everything to people, at once."""
    reason, problem = forms.read_reason(request.form)
    if problem:
        return _now_page(problem, reason), 422
    with database().transaction() as db:
        policies.to_people(db, by=row(db), reason=reason, now=now())
    flash(_("From now on a person looks at every case."))
    return redirect(url_for("ops.now_page"), 303)


@ops.post("/automation")
@needs("propose_automation")
def propose_automation() -> ResponseReturnValue:
    """Propose that the machine decides again; another person has to confirm."""
    reason, problem = forms.read_reason(request.form)
    if problem:
        return _now_page(problem, reason), 422
    return carry_out(
        lambda db: policies.propose_automation(db, by=row(db), reason=reason, now=now()),
        said=_("Proposed. Automatic decisions start again when a second person confirms."),
        back="ops.now_page",
    )


@ops.post("/automation/<int:switch_id>/confirm")
@needs("confirm_automation")
def confirm_automation(switch_id: int) -> ResponseReturnValue:
    """Let the machine decide again, as the second person."""
    return carry_out(
        lambda db: policies.confirm_automation(db, switch_id, by=row(db), now=now()),
        said=_("Automatic decisions are on again."),
        back="ops.now_page",
    )


@ops.post("/automation/<int:switch_id>/withdraw")
@needs("propose_automation")
def withdraw_automation(switch_id: int) -> ResponseReturnValue:
    """Close the proposal."""
    return carry_out(
        lambda db: policies.withdraw_automation(db, switch_id, by=row(db), now=now()),
        said=_("The proposal was withdrawn."),
        back="ops.now_page",
    )
