"""Which calibration of the faces holds and why."""

from __future__ import annotations

from datetime import date
from itertools import islice

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal

from cases import calibration, policies
from verification.calibration import OWN_EACH, OWN_PAIRS
from webapp.context import database, now
from webapp.ops import charts, past_runs, presenters
from webapp.ops.surface import ops
from webapp.ops.thresholds import OWN_SHOWN, condition_name
from webapp.security import needs


@ops.get("/faces")
@needs("see_figures")
def faces_page() -> ResponseReturnValue:
    """Which calibration of the faces holds and why, what its numbers can show, and errors by group."""
    with database().reading() as db:
        standing = calibration.standing(db)
        policy = policies.current(db)
        others, compared = calibration.other_models(db)
        own = list(islice(calibration.labelled_pairs(db), OWN_SHOWN))
        runs = past_runs.recent(db)
    held = standing.own or standing.shipped
    age = max(0, (now().date() - date.fromisoformat(held.card["date"])).days)
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
        age=age,
        aged=age > calibration.AGES_AFTER.days,
        others=others,
        compared=compared,
        own_rows=presenters.own_rows(own, policy),
        tables=presenters.fmr_rows(held),
        runs=runs,
        shares=presenters.share_rows(runs.shares()),
        charts=charts,
        condition_name=condition_name,
    )
