"""A measure as a place on a line: where the policy's own line stands on it, and on which side of that a case passes."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Ready to draw. Places are per cent from the left; `band` and `wide` are the stretch that passes."""

    at: float | None  # None: not measured
    line: float
    band: float
    wide: float
    passes: bool
    value_text: str
    line_text: str


def bar(
    value: float | None,
    line: float,
    *,
    ends: tuple[float, float],
    value_text: str,
    line_text: str,
    passes: bool | None = None,
    lower: bool = False,
) -> Bar:
    """A bar from `ends[0]` to `ends[1]`, always the same for one measure, so that the eye learns it; beyond them: at the end.

    On the line passes; `lower`: what is less passes. `passes` where more than this line decides.
    """
    place = _place(line, ends)
    beyond = value is not None and (value <= line if lower else value >= line)
    return Bar(
        at=None if value is None else _place(value, ends),
        line=place,
        band=0.0 if lower else place,
        wide=place if lower else round(100 - place, 1),
        passes=beyond if passes is None else passes,
        value_text=value_text,
        line_text=_("at most %(n)s", n=line_text) if lower else _("needs %(n)s", n=line_text),
    )


def _place(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return round(100 * (min(max(value, low), high) - low) / (high - low), 1)
