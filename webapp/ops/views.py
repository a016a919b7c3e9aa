"""Pages of operations: the state of automatic decisions, policies as numbered versions, audit search.

The safe direction is fast, the loose one slow: `cases.policies` asks for the second person, these pages say so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import audit, calibration, policies, queries
from cases.settings import Mode
from cases.staff import NotAllowed
from verification.calibration import OWN_EACH, OWN_PAIRS
from verification.policy import SHIPPED, THRESHOLDS, loosens
from webapp.context import database, now, settings
from webapp.ops import forms, presenters, search
from webapp.security import guard_blueprint, needs, row

ops = Blueprint("ops", __name__, url_prefix="/ops")
guard_blueprint(ops)


# Now


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
    return _do(
        lambda db: policies.propose_automation(db, by=row(db), reason=reason, now=now()),
        said=_("Proposed. Automatic decisions start again when a second person confirms."),
        back="ops.now_page",
    )


@ops.post("/automation/<int:switch_id>/confirm")
@needs("confirm_automation")
def confirm_automation(switch_id: int) -> ResponseReturnValue:
    """Let the machine decide again, as the second person."""
    return _do(
        lambda db: policies.confirm_automation(db, switch_id, by=row(db), now=now()),
        said=_("Automatic decisions are on again."),
        back="ops.now_page",
    )


@ops.post("/automation/<int:switch_id>/withdraw")
@needs("propose_automation")
def withdraw_automation(switch_id: int) -> ResponseReturnValue:
    """Close the proposal."""
    return _do(
        lambda db: policies.withdraw_automation(db, switch_id, by=row(db), now=now()),
        said=_("The proposal was withdrawn."),
        back="ops.now_page",
    )


# Faces


@ops.get("/faces")
@needs("see_figures")
def faces_page() -> ResponseReturnValue:
    """Which calibration of the faces holds and why, what its numbers can show, and errors by group."""
    with database().reading() as db:
        standing = calibration.standing(db)
        policy = policies.current(db)
    held = standing.own or standing.shipped
    return render_template(
        "ops/faces.html",
        standing=standing,
        held=held,
        policy=policy,
        needed=OWN_PAIRS,
        each=OWN_EACH,
        rows=presenters.calibration_rows(held, policy),
        groups=presenters.group_rows(standing.shipped),
        said_number=format_decimal,
    )


# Policies


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


@ops.get("/policies/draft")
@needs("propose_policy")
def policy_draft() -> ResponseReturnValue:
    """The editor, filled with the policy that holds or with the version asked for."""
    with database().reading() as db:
        held = policies.current(db)
        start = _version(db, request.args.get("from", type=int)) or held
    return _editor(start=start, held=held, typed={}, problems={}, reason="")


@ops.post("/policies/draft")
@needs("propose_policy")
def policy_draft_save() -> ResponseReturnValue:
    """Keep a new version. It does not hold yet."""
    policy, problems = forms.read_policy(request.form)
    reason, wrong = forms.read_reason(request.form)
    if wrong:
        problems["reason"] = wrong
    with database().reading() as db:
        held = policies.current(db)
    if policy is not None and not forms.changes(held, policy):
        problems["same"] = _("Nothing differs from the policy that holds now.")
    if problems or policy is None:
        return _editor(start=policy or held, held=held, typed=request.form, problems=problems, reason=reason), 422
    with database().transaction() as db:
        number = policies.draft(db, policy, author=row(db), reason=reason, now=now()).version
    flash(_("Kept as version %(number)s. It does not hold yet.", number=number))
    return redirect(url_for("ops.policy_page", version=number), 303)


def _editor(*, start: Any, held: Any, typed: Any, problems: dict[str, str], reason: str) -> str:
    return render_template(
        "ops/draft.html", start=start, held=held, shipped=SHIPPED, thresholds=THRESHOLDS, groups=forms.GROUPS, forms=forms,
        choice_name=presenters.choice_name, typed=typed, problems=problems, reason=reason,
    )  # fmt: skip


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
        if _version(db, version) is None:
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
    return _do(
        lambda db: policies.confirm(db, activation_id, by=row(db), now=now()),
        said=_("Confirmed. The version holds from now on."),
        back="ops.policies_page",
    )


@ops.post("/policies/proposals/<int:activation_id>/withdraw")
@needs("propose_policy")
def policy_withdraw(activation_id: int) -> ResponseReturnValue:
    """Close a proposal that nobody confirmed."""
    return _do(
        lambda db: policies.withdraw_proposal(db, activation_id, by=row(db), now=now()),
        said=_("The proposal was withdrawn."),
        back="ops.policies_page",
    )


# Audit


@ops.get("/audit")
@needs("search_audit")
def audit_page() -> ResponseReturnValue:
    """Search the trail by case, kind, person and time."""
    wanted, problems = search.read(request.args)
    with database().reading() as db:
        found = search.find(db, wanted) if not problems else search.Found(rows=[], more=False)
        people = search.people(db)
    return render_template(
        "ops/audit.html", wanted=wanted, problems=problems, found=found, people=people, kinds=sorted(audit.KINDS), verdict=None
    )


@ops.post("/audit/verify")
@needs("verify_audit")
def audit_verify() -> ResponseReturnValue:
    """Walk the whole chain and say whether it is whole. In production a missing file of anchors is a finding."""
    anchors = settings().data_dir / "anchors"
    anchored = settings().mode is Mode.PRODUCTION or (anchors / audit.ANCHOR_FILE).exists()
    with database().reading() as db:
        verdict = audit.verify(db, anchors=anchors if anchored else None)
    with database().transaction() as db:
        audit.record(
            db,
            "audit_verified",
            actor=audit.Actor.staff(row(db)),
            now=now(),
            ok=verdict.ok,
            count=verdict.count,
            broken_at=verdict.broken_at,
        )
    wanted, _problems = search.read(request.args)
    with database().reading() as db:
        found, people = search.find(db, wanted), search.people(db)
    page = render_template(
        "ops/audit.html",
        wanted=wanted,
        problems={},
        found=found,
        people=people,
        kinds=sorted(audit.KINDS),
        verdict=verdict,
        anchored=anchored,
    )
    return page, 200 if verdict.ok else 409


def _version(db: Session, number: int | None) -> Any:
    if number is None:
        return None
    try:
        return policies.get(db, number)
    except NoResultFound:
        abort(404)


def _do(step: Callable[[Session], Any], *, said: str, back: str) -> ResponseReturnValue:
    """Carry out one step of a proposal, or say why it is too late or not for this person."""
    try:
        with database().transaction() as db:
            step(db)
    except policies.SamePerson:
        return _refused(_("You proposed this yourself. Another person has to confirm it."), back), 403
    except policies.Outdated:
        return _refused(
            _("This proposal is no longer open: it was confirmed, withdrawn, or another change came first."), back
        ), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    flash(said)
    return redirect(url_for(back), 303)


def _refused(why: str, back: str) -> str:
    return render_template("ops/refused.html", why=why, back=url_for(back))
