"""Stages, differences and halts in words. Pure: no database, no request but its language."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _

from cases import halt_words
from cases.halts import Bound
from cases.ops_tables import Halt
from cases.ramps import NEXT, SHARES, Missing, Stage, Trial
from verification.calibration import counted
from verification.decision import Outcome
from webapp.i18n import locale

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
    return halt_words.why(Bound(halt.bound), halt.figures, locale())


def reason(text: str) -> str:
    """Why a step was taken; in the reader's language where the system says it."""
    return halt_words.reason(text, locale())


def percent(share: float | None) -> str:
    """A share in per cent, with as many digits as an interval takes."""
    return "–" if share is None else str(format_percent(share, "#,##0.##%"))
