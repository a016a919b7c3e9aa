"""Which calibration of the faces holds and why."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal

from cases import calibration, policies
from verification.calibration import OWN_EACH, OWN_PAIRS
from webapp.context import database
from webapp.ops import presenters
from webapp.ops.surface import ops
from webapp.security import needs


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
