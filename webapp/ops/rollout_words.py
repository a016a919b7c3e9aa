"""Stages, differences and halts in words. Pure: no database, no request but its language."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _

from cases.halts import Bound
from cases.ops_tables import Halt
from cases.ramps import NEXT, SHARES, Missing, Stage, Trial
from verification.calibration import counted
from verification.decision import Outcome

STAGES = (*NEXT, Stage.FULL)
"""In order, for the row of steps on the page."""


def stage(at: Stage) -> str:
    """A stage in words."""
    return {
        Stage.SHADOW: _("In shadow"),
        Stage.FIVE: _("%(share)s of cases", share=percent(SHARES[Stage.FIVE])),
        Stage.QUARTER: _("%(share)s of cases", share=percent(SHARES[Stage.QUARTER])),
        Stage.FULL: _("All cases"),
        Stage.ROLLED_BACK: _("Rolled back"),
    }[at]


def outcome(what: Outcome) -> str:
    """An outcome in words."""
    return {
        Outcome.APPROVE: _("approved"),
        Outcome.RETAKE: _("a new photo"),
        Outcome.REFER: _("to a person"),
    }[what]


def missing(lacks: Missing) -> str:
    """What a stage still lacks, in one sentence."""
    parts = []
    if lacks.runs > 0:
        parts.append(ngettext("%(num)s more run", "%(num)s more runs", lacks.runs))
    if lacks.hours > 0:
        parts.append(ngettext("%(num)s more hour", "%(num)s more hours", math.ceil(lacks.hours)))
    if not parts:
        return _("Nothing is missing for the next step.")
    return _("Missing before the next step: %(what)s.", what=", ".join(parts))


def differing(trial: Trial) -> str:
    """On how many runs the versions did not agree, with the interval that so few runs can show."""
    found = counted(trial.differing, trial.runs)
    if not trial.runs:
        return "–"
    numbers = {"wrong": format_decimal(trial.differing), "n": format_decimal(trial.runs)}
    if not trial.differing:
        return _("%(wrong)s of %(n)s: at most %(high)s", high=percent(found.high), **numbers)
    return _("%(wrong)s of %(n)s: %(low)s to %(high)s", low=percent(found.low), high=percent(found.high), **numbers)


@dataclass(frozen=True, kw_only=True)
class Halted:
    """A halt for pages."""

    at: datetime
    why: str
    rolled_back: bool


def halted(halt: Halt) -> Halted:
    """A halt in words."""
    return Halted(at=halt.at, why=why(halt), rolled_back=halt.rolled_back_id is not None)


def why(halt: Halt) -> str:
    """Which bound was left, and by what numbers."""
    f = halt.figures
    bound = Bound(halt.bound)
    if bound is Bound.APPROVALS_PER_HOUR:
        return _(
            "%(n)s automatic approvals within an hour; no more than %(allowed)s are allowed.",
            n=format_decimal(f["approved"]), allowed=format_decimal(f["allowed"]),
        )  # fmt: skip
    if bound is Bound.APPROVE_SHARE:
        return _(
            "%(n)s of %(runs)s runs within an hour were approved; the week before it was %(before)s.",
            n=format_decimal(f["approved"]), runs=format_decimal(f["runs"]), before=percent(f["before"]),
        )  # fmt: skip
    if bound is Bound.OVERTURNED_SHARE:
        return _(
            "%(wrong)s of %(n)s automatic approvals were judged otherwise by people: up to %(high)s may be wrong, %(budget)s is "
            "the budget.",
            wrong=format_decimal(f["wrong"]), n=format_decimal(f.get("reviewed", f.get("approved", 0))),
            high=percent(f["high"]), budget=percent(f["budget"]),
        )  # fmt: skip
    if bound is Bound.TECHNICAL_FAILURES:
        return _("%(n)s of %(runs)s runs within an hour failed.", n=format_decimal(f["failed"]), runs=format_decimal(f["runs"]))
    return _(
        "%(n)s referred cases are late; no more than %(allowed)s are allowed.",
        n=format_decimal(f["overdue"]), allowed=format_decimal(f["allowed"]),
    )  # fmt: skip


def percent(share: float | None) -> str:
    """A share in per cent, with as many digits as an interval takes."""
    return "–" if share is None else str(format_percent(share, "#,##0.##%"))
