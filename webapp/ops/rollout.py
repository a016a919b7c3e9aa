"""Policies as numbered versions: what each changed, when it held, and the steps by which one comes to hold."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import halts, policies, ramps, replays, rollout
from cases.ramps import Stage
from verification.policy import THRESHOLDS, loosens
from webapp.context import database, now
from webapp.ops import forms, presenters, replay_words, rollout_words
from webapp.ops.steps import carry_out, refused_page, version_or_404
from webapp.ops.surface import ops
from webapp.security import needs, row


@ops.get("/policies")
@needs("see_policies")
def policies_page() -> ResponseReturnValue:
    """Every version with author, reason, when it held and what it changed."""
    with database().reading() as db:
        versions = policies.versions(db)
        under_way, back = rollout.status(db, now=now()), rollout.back_from(db)
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
    return render_template("ops/policies.html", rows=rows, under_way=under_way, words=rollout_words, back_from=back)


@ops.get("/policies/<int:version>")
@needs("see_policies")
def policy_page(version: int) -> ResponseReturnValue:
    """One version: all its settings, what differs from the one that holds, and what can be done with it."""
    return _policy_page(version)


def _policy_page(version: int, problem: str | None = None, reason: str = "") -> str:
    with database().reading() as db:
        versions = policies.versions(db)
        under_way, back = rollout.status(db, now=now()), rollout.back_from(db)
        steps = rollout.steps(db, version)
        seen = replays.seen(db, version, now=now()) if any(v.version == version and not v.active for v in versions) else None
        counted = {s.activation_id: tuple(ramps.trials(db, s.activation_id)) for s in steps}
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
        under_way=under_way if under_way is not None and under_way.ramp.version == version else None,
        busy=under_way is not None and under_way.ramp.version != version,
        back_from=back,
        steps=steps,
        counted=counted,
        seen=seen,
        lack=replay_words.lack_said(seen.lack) if seen and seen.lack else "",
        words=rollout_words,
        problem=problem,
        reason=reason,
    )


@ops.post("/policies/<int:version>/propose")
@needs("propose_policy")
def policy_propose(version: int) -> ResponseReturnValue:
    """Let a version hold that was replayed: at once when it only tightens, else once a second person confirms."""
    reason, problem = forms.read_reason(request.form)
    if problem:
        return _policy_page(version, problem, reason), 422
    try:
        with database().transaction() as db:
            if version_or_404(db, version) is None:
                abort(404)
            activation = policies.propose(db, version, by=row(db), reason=reason, now=now())
            waits = activation.effective_at is None
    except replays.NotReplayed as refused:
        return _policy_page(version, replay_words.lack_said(refused.lack), reason), 409
    except replays.Unopened as left:
        return _policy_page(version, replay_words.unopened_said(left.count), reason), 409
    if waits:
        flash(_("Proposed. When a second person confirms, it begins in shadow."))
    else:
        flash(_("Version %(number)s holds from now on.", number=version))
    return redirect(url_for("ops.policy_page", version=version), 303)


@ops.post("/policies/proposals/<int:activation_id>/confirm")
@needs("confirm_policy")
def policy_confirm(activation_id: int) -> ResponseReturnValue:
    """Send a loosening on its way, as the second person: it begins in shadow."""
    try:
        return carry_out(
            lambda db: policies.confirm(db, activation_id, by=row(db), now=now()),
            said=_("Confirmed. The version is in shadow: it decides nothing, and what it would decide is counted."),
            back="ops.policies_page",
        )
    except replays.NotReplayed as refused:
        return refused_page(replay_words.lack_said(refused.lack), "ops.policies_page"), 409
    except replays.Unopened as left:
        return refused_page(replay_words.unopened_said(left.count), "ops.policies_page"), 409


@ops.post("/policies/proposals/<int:activation_id>/withdraw")
@needs("propose_policy")
def policy_withdraw(activation_id: int) -> ResponseReturnValue:
    """Close a proposal that nobody confirmed."""
    return carry_out(
        lambda db: policies.withdraw_proposal(db, activation_id, by=row(db), now=now()),
        said=_("The proposal was withdrawn."),
        back="ops.policies_page",
    )


@ops.post("/policies/rollouts/<int:activation_id>/step")
@needs("confirm_policy")
def policy_step(activation_id: int) -> ResponseReturnValue:
    """Take the next step of the version under way: from shadow to 5 %, 25 %, all."""
    try:
        to = Stage(request.form.get("to", ""))
    except ValueError:
        abort(404)
    try:
        return carry_out(
            lambda db: rollout.step_up(db, activation_id, to=to, by=row(db), now=now()),
            said=_("Step taken: %(stage)s.", stage=rollout_words.stage(to)),
            back="ops.policies_page",
        )
    except rollout.TooEarly as early:
        return refused_page(rollout_words.missing(early.missing), "ops.policies_page"), 409


@ops.post("/policies/<int:version>/rollback")
@needs("stop_automation")
def policy_rollback(version: int) -> ResponseReturnValue:
    """Go back to the former version at once, as one person, in one click: the reason may stay empty."""
    reason = " ".join(request.form.get("reason", "").split())[: forms.REASON_LENGTH] or "Rolled back at once, no reason given"
    return carry_out(
        lambda db: rollout.rollback(db, by=row(db), reason=reason, now=now(), version=version),
        said=_("Rolled back. The former version decides every case from now on."),
        back="ops.policies_page",
    )


@ops.context_processor
def _standing_halt() -> dict[str, Any]:
    """`standing_halt()`: why automatic approval has stopped itself, in a sentence; None where it has not."""

    def found() -> rollout_words.Halted | None:
        with database().reading() as db:
            halt = halts.standing(db)
            return rollout_words.halted(halt) if halt is not None else None

    return {"standing_halt": found}
