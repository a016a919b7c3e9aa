"""Policies as numbered versions: what each changed, when it held, and the steps by which one comes to hold."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import policies
from verification.policy import THRESHOLDS, loosens
from webapp.context import database, now
from webapp.ops import forms, presenters
from webapp.ops.steps import carry_out, version_or_404
from webapp.ops.surface import ops
from webapp.security import needs, row


@ops.get("/policies")
@needs("see_policies")
def policies_page() -> ResponseReturnValue:
    """Every version with author, reason, when it held and what it changed."""
    with database().reading() as db:
        versions = policies.versions(db)
    held = presenters.periods(versions)
    by_number = {v.version: v for v in versions}
    rows = [
        {
            "version": v,
            "held": held[v.version],
            "changes": forms.changes(by_number[v.version - 1].policy, v.policy) if v.version - 1 in by_number else [],
        }
        for v in versions
    ]
    return render_template("ops/policies.html", rows=rows)


@ops.get("/policies/<int:version>")
@needs("see_policies")
def policy_page(version: int) -> ResponseReturnValue:
    """One version: all its settings, what differs from the one that holds, and what can be done with it."""
    return _policy_page(version)


def _policy_page(version: int, problem: str | None = None, reason: str = "") -> str:
    with database().reading() as db:
        versions = policies.versions(db)
    shown = next((v for v in versions if v.version == version), None)
    if shown is None:
        abort(404)
    held = next(v for v in versions if v.active)
    return render_template(
        "ops/policy.html",
        version=shown,
        held=held,
        periods=presenters.periods(versions)[version],
        changes=forms.changes(held.policy, shown.policy),
        looser=loosens(held.policy, shown.policy),
        thresholds=THRESHOLDS,
        groups=forms.GROUPS,
        said=forms.said,
        same=forms.same,
        problem=problem,
        reason=reason,
    )


@ops.post("/policies/<int:version>/propose")
@needs("propose_policy")
def policy_propose(version: int) -> ResponseReturnValue:
    """Let a version hold: at once when it only tightens, else once a second person confirms."""
    reason, problem = forms.read_reason(request.form)
    if problem:
        return _policy_page(version, problem, reason), 422
    with database().transaction() as db:
        if version_or_404(db, version) is None:
            abort(404)
        activation = policies.propose(db, version, by=row(db), reason=reason, now=now())
        waits = activation.effective_at is None
    if waits:
        flash(_("Proposed. It holds as soon as a second person confirms."))
    else:
        flash(_("Version %(number)s holds from now on.", number=version))
    return redirect(url_for("ops.policy_page", version=version), 303)


@ops.post("/policies/proposals/<int:activation_id>/confirm")
@needs("confirm_policy")
def policy_confirm(activation_id: int) -> ResponseReturnValue:
    """Let a loosening take effect, as the second person."""
    return carry_out(
        lambda db: policies.confirm(db, activation_id, by=row(db), now=now()),
        said=_("Confirmed. The version holds from now on."),
        back="ops.policies_page",
    )


@ops.post("/policies/proposals/<int:activation_id>/withdraw")
@needs("propose_policy")
def policy_withdraw(activation_id: int) -> ResponseReturnValue:
    """Close a proposal that nobody confirmed."""
    return carry_out(
        lambda db: policies.withdraw_proposal(db, activation_id, by=row(db), now=now()),
        said=_("The proposal was withdrawn."),
        back="ops.policies_page",
    )
