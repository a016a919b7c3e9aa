"""Which calibration of the faces holds and why; proposed by one person, confirmed by another.

Translates HTTP; `cases.calibration` fits, keeps, and asks for the two people.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_babel import gettext as _

from cases import calibration, policies
from cases.staff import NotAllowed
from verification.calibration import OWN_EACH, OWN_PAIRS, FaceCalibration, TooFewPairs
from webapp.context import database, now
from webapp.ops import charts, face_words, forms, past_runs, presenters
from webapp.ops.steps import carry_out, refused_page
from webapp.ops.surface import ops
from webapp.security import needs, row

BACK = "ops.faces_page"

PAIRS_SHOWN = 6_000
"""Newest labelled pairs that the page counts, of some 2,000 cases: half a second. A fit reads more, and says how many."""


@ops.get("/faces")
@needs("see_figures")
def faces_page() -> ResponseReturnValue:
    """Which calibration of the faces holds and why, what waits, what its numbers can show, and errors by group."""
    return _page()


@ops.post("/faces/propose")
@needs("propose_policy")
def faces_propose() -> ResponseReturnValue:
    """Fit one, or take the shipped one, and propose it to a second person."""
    what = request.form.get("what", "own")
    if what not in ("own", "shipped"):
        abort(400)
    reason, problem = forms.read_reason(request.form)
    if problem:
        return _page(problem=problem, reason=reason), 422
    made: FaceCalibration | None = None
    if what == "own":
        try:
            with database().reading() as db:
                made = calibration.fit(db, now=now())
        except TooFewPairs:
            return _page(problem=_("There are too few labelled pairs yet."), reason=reason), 409
        except ValueError:
            told = _("In these pairs likeness does not speak for one person: something must be wrong with the answers.")
            return _page(problem=told, reason=reason), 409
    try:
        with database().transaction() as db:
            calibration.propose(db, made, by=row(db), reason=reason, now=now())
    except calibration.Waiting:
        return refused_page(_("A proposal waits for a second person already. Confirm or withdraw it first."), BACK), 409
    except policies.Outdated:
        return refused_page(_("The shipped calibration holds already."), BACK), 409
    except NotAllowed:
        abort(403)
    flash(_("Proposed. It decides nothing before another person confirms."))
    return redirect(url_for(BACK), 303)


@ops.post("/faces/<int:activation_id>/confirm")
@needs("confirm_policy")
def faces_confirm(activation_id: int) -> ResponseReturnValue:
    """Let it hold from the next run on, as the second person."""
    return carry_out(
        lambda db: calibration.confirm(db, activation_id, by=row(db), now=now()),
        said=_("Confirmed. It holds from the next run on."),
        back=BACK,
    )


@ops.post("/faces/<int:activation_id>/withdraw")
@needs("propose_policy")
def faces_withdraw(activation_id: int) -> ResponseReturnValue:
    """Close a proposal that nobody confirmed."""
    return carry_out(
        lambda db: calibration.withdraw(db, activation_id, by=row(db), now=now()),
        said=_("The proposal was withdrawn."),
        back=BACK,
    )


def _page(*, problem: str = "", reason: str = "") -> str:
    with database().reading() as db:
        standing = calibration.standing(db)
        policy = policies.current(db)
        others, compared = calibration.other_models(db)
        own = list(islice(calibration.labelled_pairs(db), PAIRS_SHOWN))
        runs = past_runs.recent(db)
        waits: dict[str, Any] = {}
        if standing.waiting is not None and not standing.waiting.outdated:
            other = standing.waiting.calibration
            found = calibration.effects(db, other)
            waits = {
                "proposed": other,
                "effects": found,
                "flows": face_words.flows(found),
                "line_rows": face_words.line_rows(standing.holds, other or standing.shipped, policy),
            }
    held = standing.holds
    age = standing.age(now().date())
    return render_template(
        "ops/faces.html",
        standing=standing,
        held=held,
        policy=policy,
        needed=OWN_PAIRS,
        each=OWN_EACH,
        genuine=sum(p.same for p in own),
        labelled=len(own),
        rows=presenters.calibration_rows(held, policy),
        groups=presenters.group_rows(standing.shipped),
        slices=face_words.slice_rows(calibration.slices(own, policy), standing.shipped),
        least=calibration.LEAST_IN_A_GROUP,
        kind_rows=face_words.kind_rows,
        said_number=format_decimal,
        age=age,
        aged=age > calibration.AGES_AFTER.days,
        others=others,
        compared=compared,
        own_rows=presenters.own_rows(own, policy),
        tables=presenters.fmr_rows(held),
        pair_names=presenters.pair_names(),
        runs=runs,
        shares=presenters.share_rows(runs.shares()),
        charts=charts,
        problem=problem,
        reason=reason,
        **waits,
    )
