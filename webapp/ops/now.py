"""The state of automatic decisions and the figures of the last day. The safe direction is fast, the loose one slow."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import calibration, nowfigures, policies, switches
from webapp.context import database, now
from webapp.ops import forms, now_words, presenters
from webapp.ops.steps import carry_out
from webapp.ops.surface import ops
from webapp.security import needs, row

HISTORY = 8
"""Lines of the switch's history on the page; the audit trail has them all."""


@ops.get("")
@needs("see_figures")
def now_page() -> ResponseReturnValue:
    """State of automatic decisions and the figures of the last day."""
    return _now_page()


def _now_page(problem: str | None = None, reason: str = "", asked: str = switches.ALL) -> str:
    """`problem` stands at the form that was sent: the one for everything, or the one for a part."""
    moment = now()
    with database().reading() as db:
        closed = switches.state(db)
        return render_template(
            "ops/now.html",
            now=moment,
            everything=next((c for c in closed if str(c.scope) == switches.ALL), None),
            parts=[c for c in closed if str(c.scope) != switches.ALL],
            policy=policies.current(db),
            history=switches.switches(db, limit=HISTORY),
            figures=nowfigures.now_figures(db, now=moment),
            own_calibration=calibration.current(db),
            words=presenters,
            said=now_words,
            problem=problem,
            reason=reason,
            asked=asked,
            country=request.form.get("country", ""),
        )


def _asked_scope() -> tuple[str, str | None]:
    """Which part the form speaks of, everything where it names none; and what is wrong with it, if anything."""
    asked = request.form.get("scope", switches.ALL)
    if asked == "country":
        asked = f"country:{request.form.get('country', '').strip().upper()}"
    try:
        return str(switches.scope(asked)), None
    except switches.UnknownScope:
        if asked.startswith("country:"):
            return "country", _("Please give the country’s code as it stands in the document: KAZ, RUS, D.")
        return "part", _("Please choose what goes to people.")


@ops.post("/everything-to-people")
@needs("stop_automation")
def switch_on() -> ResponseReturnValue:
    """Send everything, or one part, to people, at once."""
    scope, unknown = _asked_scope()
    reason, problem = forms.read_reason(request.form)
    if unknown or problem:
        return _now_page(unknown or problem, reason, scope), 422
    with database().transaction() as db:
        switches.to_people(db, by=row(db), reason=reason, scope=scope, now=now())
    if scope == switches.ALL:
        flash(_("From now on a person looks at every case."))
    else:
        flash(_("From now on a person looks at these: %(part)s", part=now_words.scope_said(switches.scope(scope))))
    return redirect(url_for("ops.now_page"), 303)


@ops.post("/automation")
@needs("propose_automation")
def propose_automation() -> ResponseReturnValue:
    """Propose that the machine decides again; another person has to confirm."""
    scope, unknown = _asked_scope()
    reason, problem = forms.read_reason(request.form)
    if unknown or problem:
        return _now_page(unknown or problem, reason, scope), 422
    return carry_out(
        lambda db: switches.propose_automation(db, by=row(db), reason=reason, scope=scope, now=now()),
        said=_("Proposed. Automatic decisions start again when a second person confirms."),
        back="ops.now_page",
    )


@ops.post("/automation/<int:switch_id>/confirm")
@needs("confirm_automation")
def confirm_automation(switch_id: int) -> ResponseReturnValue:
    """Let the machine decide again, as the second person."""
    return carry_out(
        lambda db: switches.confirm_automation(db, switch_id, by=row(db), now=now()),
        said=_("Automatic decisions are on again."),
        back="ops.now_page",
    )


@ops.post("/automation/<int:switch_id>/withdraw")
@needs("propose_automation")
def withdraw_automation(switch_id: int) -> ResponseReturnValue:
    """Close the proposal."""
    return carry_out(
        lambda db: switches.withdraw_automation(db, switch_id, by=row(db), now=now()),
        said=_("The proposal was withdrawn."),
        back="ops.now_page",
    )
